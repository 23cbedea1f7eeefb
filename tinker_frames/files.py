"""`export` and `read_export`: frames to files and back with the same dtypes; a file is either the old or the new one.

Every format goes through one Arrow table whose types follow from the catalog, both ways.
"""

from __future__ import annotations

import csv
import json
import os
import re
import secrets
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from .catalog import known_columns
from .errors import InvalidRequestError
from .schema import Column, arrow_type, to_series_data

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

METADATA_KEY = b"tinker_frames"
ROWS_A_TIME = 10_000
LARGEST_BLOCK = 2**30
_COLUMNS_OF_NO_ROWS = "tinker_frames:columns"

# A spreadsheet runs a cell that begins like this; an apostrophe in front makes it text, and one more marks a real apostrophe.
_DANGEROUS = r"^('*[=+\-@\t\r])"
_GUARDED = r"^'('*[=+\-@\t\r])"


def export(frame: pd.DataFrame, path: str | os.PathLike[str], *, safe: bool = True) -> Path:
    """Write a frame to a file whose suffix names the format, and return its path.

    Parameters
    ----------
    frame
        Any frame; its index is kept as columns if it has a name.
    path
        `.csv`, `.parquet`, `.feather`, or `.json` (one object a line). Written under a temporary name and then renamed.
    safe
        In CSV, put an apostrophe before text that a spreadsheet would run as a formula; `read_export` takes it off again.

    Raises
    ------
    InvalidRequestError
        For another suffix, a folder that is not there, or a column that no file can hold.

    Examples
    --------
    >>> import pandas as pd, tempfile
    >>> path = export(pd.DataFrame({"name": ["=1+1"]}), Path(tempfile.mkdtemp()) / "names.csv")
    >>> read_export(path)["name"][0]
    '=1+1'
    """
    target = Path(path).expanduser()
    _, write = _format(target)
    if not target.parent.is_dir() or target.is_dir():
        hint = f"Create {target.parent} first." if not target.is_dir() else "That is a folder."
        raise InvalidRequestError(f"{target} cannot be written", hint=hint)
    table = _to_arrow(frame)
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("wb") as file:
            write(table, file, safe)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()
    return target


def write_csv(frame: pd.DataFrame, file: BinaryIO, *, safe: bool = True) -> None:
    """Write a frame to an open file as CSV."""
    _write_csv(_to_arrow(frame), file, safe)


def write_json_array(frame: pd.DataFrame, file: BinaryIO) -> None:
    """Write a frame to an open file as one JSON array, an object a line: every column, null for what is not known."""
    import msgspec

    before = b"[\n"
    for batch in _to_arrow(frame).to_batches(max_chunksize=ROWS_A_TIME):
        for row in batch.to_pylist():
            file.write(before + msgspec.json.encode(row))
            before = b",\n"
    file.write(b"[]\n" if before == b"[\n" else b"\n]\n")


def read_export(path: str | os.PathLike[str], *, safe: bool = True) -> pd.DataFrame:
    """Return the frame that `export` wrote, with the dtypes of the catalog for every column it knows.

    Parameters
    ----------
    path
        As for `export`.
    safe
        As it was for `export`.

    Raises
    ------
    InvalidRequestError
        For another suffix, or a file that does not hold what its suffix says.

    Examples
    --------
    >>> import pandas as pd, tempfile
    >>> path = export(pd.DataFrame({"size_bytes": [2**53 + 1, None]}, dtype="Int64"), tempfile.mkdtemp() + "/sizes.csv")
    >>> read_export(path)["size_bytes"][0]
    np.int64(9007199254740993)
    """
    source = Path(path).expanduser()
    read, _ = _format(source)
    import pyarrow as pa

    try:
        table = read(source, safe)
    except (pa.ArrowInvalid, UnicodeDecodeError, ValueError) as error:
        problem = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
    else:
        return _to_frame(table)
    raise InvalidRequestError(
        f"{source} cannot be read as {source.suffix}: {problem}", hint="Check that export wrote it."
    )


# ── frame ↔ Arrow ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _to_arrow(frame: pd.DataFrame) -> pa.Table:
    """Return the frame as an Arrow table; a column that does not fit its declaration any more stays as it is."""
    import pyarrow as pa

    frame = _with_index(frame).rename(columns=str)
    if not frame.columns.is_unique:
        twice = frame.columns[frame.columns.duplicated()][0]
        raise InvalidRequestError(f"the column {twice!r} is there twice", hint="Rename or drop one of them.")
    fields = [pa.field(name, _arrow_type_of(frame[name], _known(name))) for name in frame.columns]
    table = pa.Table.from_pandas(frame, schema=pa.schema(fields), preserve_index=False)
    about = frame.attrs.get("tinker")
    metadata = dict(table.schema.metadata or {}) | ({METADATA_KEY: json.dumps(about).encode()} if about else {})
    return table.replace_schema_metadata(metadata)


def _with_index(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the frame with its named index as columns; one that repeats a column of its name is left out."""
    for name in [str(name) for name in frame.index.names if name is not None]:
        if name in frame.columns:
            if not frame.index.get_level_values(name).equals(frame.set_index(name).index):
                raise InvalidRequestError(f"index and column are both named {name!r}", hint="Rename one of them.")
            frame = frame.reset_index(level=name, drop=True)
    return frame.reset_index() if any(name is not None for name in frame.index.names) else frame


def _arrow_type_of(series: pd.Series[Any], column: Column | None) -> pa.DataType:
    """Return the declared type where every value fits it unchanged, else the one that the values have by themselves."""
    import pyarrow as pa

    try:
        natural = pa.array(series, from_pandas=True)
    except (pa.ArrowException, ValueError, TypeError, OverflowError) as error:
        problem = f"the column {series.name!r} cannot be written: {str(error).splitlines()[0][:200]}"
    else:
        return arrow_type(column.kind) if column is not None and _fits(natural, column) else natural.type
    raise InvalidRequestError(problem, hint="Make its values all of one kind, or drop it.")


def _fits(values: pa.Array, column: Column) -> bool:
    """Tell whether values can be of a column's type without being changed."""
    import pyarrow as pa
    from pyarrow import types

    kind, wanted = values.type, arrow_type(column.kind)
    kind = kind.value_type if types.is_dictionary(kind) else kind
    is_text = types.is_string(kind) or types.is_large_string(kind)
    alike = {
        "text": is_text, "json": is_text, "category": is_text, "bool": types.is_boolean(kind), "time": types.is_timestamp(kind),
        "texts": types.is_list(kind) or types.is_large_list(kind),
    }.get(column.kind, types.is_integer(kind) or types.is_floating(kind))  # fmt: skip
    if types.is_null(kind) or not alike:
        return bool(types.is_null(kind))
    if column.kind == "category":
        return True
    with suppress(pa.ArrowException):
        values.cast(wanted)
        return True
    return False


def _to_frame(table: pa.Table) -> pd.DataFrame:
    """Return the frame of a table, each known column with its declared dtype."""
    import pandas as pd
    import pyarrow as pa

    columns: dict[str, Any] = {}
    others = _others(table.select([name for name in table.column_names if _known(name) is None]))
    for name in table.column_names:
        values, column = table.column(name), _known(name)
        data = None
        if column is not None:
            with suppress(pa.ArrowException, ValueError, TypeError):
                data = to_series_data(column, _cast(values, arrow_type(column.kind)))
        if column is None:
            data = others[name].array
        columns[name] = values.to_pandas().array if data is None else data
    frame = pd.DataFrame(columns, index=pd.RangeIndex(table.num_rows), copy=False)
    about = (table.schema.metadata or {}).get(METADATA_KEY)
    if about:
        with suppress(ValueError):
            frame.attrs["tinker"] = json.loads(about)
    return frame


def _others(table: pa.Table) -> pd.DataFrame:
    """Return the columns that no catalog knows: as pandas noted them in the file, else so that no integer becomes a float."""
    import pandas as pd
    import pyarrow as pa

    if b"pandas" in (table.schema.metadata or {}):
        noted: pd.DataFrame = table.to_pandas()
        return noted
    nullable: dict[pa.DataType, Any] = {pa.int64(): pd.Int64Dtype(), pa.bool_(): pd.BooleanDtype()}
    columns = {
        name: nullable[values.type].__from_arrow__(values)
        if values.null_count and values.type in nullable
        else values.to_pandas().array
        for name, values in zip(table.column_names, table.columns, strict=True)
    }
    return pd.DataFrame(columns, index=pd.RangeIndex(table.num_rows), copy=False)


def _cast(values: pa.ChunkedArray, wanted: pa.DataType) -> pa.ChunkedArray:
    import pyarrow as pa

    if pa.types.is_null(values.type) or values.type == wanted:
        return values.cast(wanted)
    if pa.types.is_dictionary(wanted):
        return values.cast(wanted.value_type).dictionary_encode().cast(wanted)
    return values.cast(wanted)


def _known(name: str) -> Column | None:
    """Return the declaration of a column; what metadata was expanded into is text."""
    if name.startswith("meta."):
        return None
    return known_columns().get(name)


# ── formats ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _write_parquet(table: pa.Table, file: BinaryIO, _safe: bool) -> None:
    import pyarrow.parquet as pq

    pq.write_table(table, file, compression="zstd")


def _read_parquet(path: Path, _safe: bool) -> pa.Table:
    import pyarrow.parquet as pq

    return pq.ParquetFile(path).read()


def _write_feather(table: pa.Table, file: BinaryIO, _safe: bool) -> None:
    from pyarrow import feather

    feather.write_feather(table, file, compression="zstd")


def _read_feather(path: Path, _safe: bool) -> pa.Table:
    from pyarrow import feather

    return feather.read_table(str(path), memory_map=False)


def _write_json(table: pa.Table, file: BinaryIO, _safe: bool) -> None:
    import msgspec

    encoder = msgspec.json.Encoder()
    if not table.num_rows:  # lines alone would lose the columns
        file.write(encoder.encode({_COLUMNS_OF_NO_ROWS: table.column_names}) + b"\n")
    file.writelines(encoder.encode_lines(batch.to_pylist()) for batch in table.to_batches(max_chunksize=ROWS_A_TIME))


def _read_json(path: Path, _safe: bool) -> pa.Table:
    import msgspec
    import pyarrow as pa

    rows = msgspec.json.Decoder(dict[str, Any]).decode_lines(path.read_bytes())
    if not rows:
        raise ValueError("the file is empty")
    if len(rows) == 1 and list(rows[0]) == [_COLUMNS_OF_NO_ROWS]:
        return pa.table({name: pa.nulls(0) for name in rows[0][_COLUMNS_OF_NO_ROWS]})
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = {}
    for name in names:
        values, column = [row.get(name) for row in rows], _known(name)
        kind = pa.large_string() if column is not None and column.kind in ("time", "category") else None
        columns[name] = pa.array(values, kind)
    return pa.table(columns)


def _write_csv(table: pa.Table, file: BinaryIO, safe: bool) -> None:
    import pyarrow.compute as pc
    import pyarrow.csv
    from pyarrow import types

    columns = []
    for values in table.columns:
        if types.is_dictionary(values.type):
            values = values.cast(values.type.value_type)  # noqa: PLW2901
        if types.is_list(values.type) or types.is_large_list(values.type):
            values = _json_cells(values)  # noqa: PLW2901
        if safe and (types.is_string(values.type) or types.is_large_string(values.type)):
            values = pc.replace_substring_regex(values, _DANGEROUS, r"'\1")  # noqa: PLW2901
        columns.append(values)
    names = [re.sub(_DANGEROUS, r"'\1", name) if safe else name for name in table.column_names]
    import pyarrow as pa

    pyarrow.csv.write_csv(pa.table(columns, names=names), file)


def _read_csv(path: Path, safe: bool) -> pa.Table:
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.csv
    from pyarrow import types

    with path.open(newline="", encoding="utf-8") as file:
        header = next(csv.reader(file), [])
    kinds = {name: kind for name in header if (kind := _csv_type(name)) is not None}
    try:
        table = _read_cells(path, kinds)
    except pa.ArrowInvalid:  # a column holds something other than its name says
        texts = {name: kind for name, kind in kinds.items() if types.is_large_string(kind)}
        table = _read_cells(path, texts)
    columns = []
    for name, values in zip(table.column_names, table.columns, strict=True):
        column = _known(name)
        if safe and (types.is_string(values.type) or types.is_large_string(values.type)):
            values = pc.replace_substring_regex(values, _GUARDED, r"\1")  # noqa: PLW2901
        if column is not None and column.kind == "texts":
            values = pa.chunked_array([_lists(values.to_pylist())])  # noqa: PLW2901
        columns.append(values)
    names = [re.sub(_GUARDED, r"\1", name) if safe else name for name in table.column_names]
    return pa.table(columns, names=names)


def _read_cells(path: Path, kinds: dict[str, pa.DataType]) -> pa.Table:
    """Read a CSV file; a line without anything is a row of one empty cell, and one cell may be as large as the file."""
    import pyarrow.csv

    return pyarrow.csv.read_csv(
        path,
        read_options=pyarrow.csv.ReadOptions(block_size=min(max(path.stat().st_size, 1), LARGEST_BLOCK)),
        parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
        convert_options=pyarrow.csv.ConvertOptions(
            column_types=kinds, null_values=[""], strings_can_be_null=True, quoted_strings_can_be_null=False
        ),
    )


def _csv_type(name: str) -> pa.DataType | None:
    """Return how a CSV column is read; None to let the reader find out."""
    import pyarrow as pa

    column = _known(name)
    if column is None:
        return pa.large_string() if name.startswith("meta.") else None
    return pa.large_string() if column.kind in ("category", "texts") else arrow_type(column.kind)


def _json_cells(values: Iterable[Any]) -> pa.ChunkedArray:
    import pyarrow as pa

    texts = [None if v.as_py() is None else json.dumps(v.as_py(), ensure_ascii=False) for v in values]
    return pa.chunked_array([pa.array(texts, pa.large_string())])


def _lists(texts: list[str | None]) -> pa.Array:
    import pyarrow as pa

    return pa.array([None if text is None else json.loads(text) for text in texts], arrow_type("texts"))


_Reader = Callable[[Path, bool], Any]
_Writer = Callable[[Any, BinaryIO, bool], None]
_FORMATS: dict[str, tuple[_Reader, _Writer]] = {
    ".csv": (_read_csv, _write_csv),
    ".parquet": (_read_parquet, _write_parquet),
    ".feather": (_read_feather, _write_feather),
    ".json": (_read_json, _write_json),
}


def _format(path: Path) -> tuple[_Reader, _Writer]:
    found = _FORMATS.get(path.suffix.lower())
    if found is None:
        raise InvalidRequestError(f"{path.name!r} has a suffix of no format", hint=f"Use one of {', '.join(_FORMATS)}.")
    return found
