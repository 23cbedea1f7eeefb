"""`export` and `read_export`: frames to files and back with the same dtypes.

Every format is written from, and read as, an Arrow table with the types of the catalog.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, get_args, overload

from ..errors import InvalidRequestError
from ..schema.arguments import check_argument
from ..schema.catalog import find_column
from ..schema.coerce import replace_surrogates
from ..schema.columns import arrow_type, is_text, text_dtype, to_series_data
from ..schema.docstrings import document
from .arrow_types import check_types, find_arrow_type, fits
from .delimited import Encoding, FileOptions
from .formats import FORMATS, Format, find_format, list_suffixes
from .locations import hide_location, parse_location, read_location, write_location

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from ..schema.columns import Column

METADATA_KEY = b"tinker_frames"
PATH_DOC = f"""The file; its suffix is the format: {list_suffixes()}.
Text with `://` is a URL, which fsspec opens (`s3://…`, `gs://…`; needs `tinker-frames[remote]` and what fsspec needs for the service)."""


@overload
def export(frame: pd.DataFrame, path: os.PathLike[str], *, safe: bool = True, encoding: Encoding = "utf-8") -> Path: ...
@overload
def export(frame: pd.DataFrame, path: str, *, safe: bool = True, encoding: Encoding = "utf-8") -> Path | str: ...
@document({"path": PATH_DOC}, raises={})
def export(
    frame: pd.DataFrame, path: str | os.PathLike[str], *, safe: bool = True, encoding: Encoding = "utf-8"
) -> Path | str:
    """Write a frame to a file, in the format of its suffix, and return its path.

    A local file is written under a temporary name and then renamed: it is the old or the new one, whole. Parquet, Feather and Excel
    files keep `attrs["tinker"]`, so that they say whether the listing was complete; CSV and JSON files do not.
    A workbook holds 1,048,576 rows with its header, times in UTC to the millisecond, numbers to 15 digits, and no empty text (it
    becomes NA); integers of more digits are text in it. JSON has null for infinite numbers, and text for times of your own.

    Parameters
    ----------
    frame
        Any frame; its index is kept as columns if it has a name.
    safe
        In CSV, put an apostrophe before text that a spreadsheet would run as a formula; `read_export` removes it. In a workbook,
        text is never a formula.
    encoding
        Of CSV: `"utf-8-sig"` begins with a byte order mark, without which Excel does not show other than English letters.

    Returns
    -------
    Path or str
        The file that was written, or the URL; an existing file is replaced.

    Raises
    ------
    InvalidRequestError
        For another suffix, a folder that does not exist, or a column that the format does not hold, e.g. of bytes or dicts.
    ArgumentTypeError
        If it is no DataFrame, or the path is not one.
    ImportError
        If an extra that the format or the URL needs is not installed.

    Examples
    --------
    >>> import pandas as pd, tempfile
    >>> path = export(pd.DataFrame({"name": ["=1+1"]}), Path(tempfile.mkdtemp()) / "names.csv")
    >>> read_export(path)["name"][0]
    '=1+1'
    """
    import pandas as pd

    check_argument("frame", frame, pd.DataFrame)
    check_argument("safe", safe, bool)
    location, form = _find(path, safe)
    _check_encoding(encoding, form)
    if isinstance(location, Path) and (not location.parent.is_dir() or location.is_dir()):
        hint = f"Create {location.parent} first." if not location.is_dir() else "That is a folder."
        raise InvalidRequestError(f"{location} cannot be written", hint=hint)
    frame = _include_index(frame)
    form.check_size(*frame.shape)
    table, options = _to_arrow(frame, form), FileOptions(safe, encoding)
    write_location(location, lambda file: _write(table, file, form, options))
    return location


def export_to_stream(frame: pd.DataFrame, file: BinaryIO, form: Format, *, encoding: Encoding = "utf-8") -> None:
    """Write what `export` writes to an open file, such as a pipe, in which a format may not go back."""
    _check_encoding(encoding, form)
    frame, content = _include_index(frame), BytesIO()
    form.check_size(*frame.shape)
    _write(_to_arrow(frame, form), content, form, FileOptions(encoding=encoding))
    file.write(content.getbuffer())


def write_text(frame: pd.DataFrame, file: BinaryIO, form: Format) -> None:
    """Write a frame to an open file or standard output in a text format."""
    _write(_to_arrow(_include_index(frame), form), file, form, FileOptions(keep_columns=False))


def write_json_array(frame: pd.DataFrame, file: BinaryIO) -> None:
    """Write a frame to an open file as one JSON array, one object per line: every column, null for what is not known."""
    write_text(frame, file, FORMATS[".json"])


@document({"path": PATH_DOC}, raises={})
def read_export(path: str | os.PathLike[str], *, safe: bool | None = None) -> pd.DataFrame:
    """Return the frame that `export` wrote, with the dtypes of the catalog for every column it knows.

    Parameters
    ----------
    safe
        Whether the apostrophes that `export` puts before formulas in CSV are removed; by default, if `export` wrote them: names of
        columns are all in quotes then. Pass True for such a file that a spreadsheet has saved again.

    Returns
    -------
    DataFrame
        One row per row of the exported frame; columns of the catalog have their dtypes, e.g. Int64 and datetime64[us, UTC].
        From Parquet, Feather and Excel files, with `attrs["tinker"]`.

    Raises
    ------
    InvalidRequestError
        For another suffix, or a file that is not in the format of its suffix.
    ArgumentTypeError
        If the path is not one.
    FileNotFoundError
        If there is no such file.
    ImportError
        If an extra that the format or the URL needs is not installed.

    Examples
    --------
    >>> import pandas as pd, tempfile
    >>> path = export(pd.DataFrame({"size_bytes": [2**53 + 1, None]}, dtype="Int64"), tempfile.mkdtemp() + "/sizes.csv")
    >>> int(read_export(path)["size_bytes"][0])
    9007199254740993
    """
    location, form = _find(path, safe)
    import pyarrow as pa

    try:
        table = read_location(location, lambda file: form.read(file, FileOptions(safe)))
    except (pa.ArrowException, UnicodeDecodeError, ValueError, OverflowError) as error:
        problem = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
    else:
        return _to_frame(table)
    raise InvalidRequestError(
        f"{hide_location(location)} cannot be read as {form.suffix}: {problem}", hint="Check that export wrote it."
    )


def _find(path: str | os.PathLike[str], safe: bool | None) -> tuple[Path | str, Format]:
    """Return where a file is, and its format."""
    check_argument("path", path, str | os.PathLike)
    check_argument("safe", safe, bool | None)
    location = parse_location(path)
    return location, find_format(location.name if isinstance(location, Path) else location)


def _check_encoding(encoding: str, form: Format) -> None:
    check_argument("encoding", encoding, str)
    if encoding not in get_args(Encoding):
        raise InvalidRequestError(
            f"encoding={encoding!r} is not known", hint=f"Use one of {', '.join(get_args(Encoding))}."
        )
    if encoding != "utf-8" and not form.takes_bom:
        raise InvalidRequestError(f"{form.suffix} has no encoding to choose", hint="Leave encoding out, or use .csv.")


# ── frame ↔ Arrow ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _to_arrow(frame: pd.DataFrame, form: Format) -> pa.Table:
    """Return the columns of the frame as an Arrow table; a column that no longer fits its declaration keeps its own type.

    Raises
    ------
    InvalidRequestError
        For names of columns, or values, that the format does not hold.
    """
    import pyarrow as pa

    _check_names(frame.columns)
    frame = frame.rename(columns=str)
    fields = [pa.field(name, find_arrow_type(frame[name], find_column(name))) for name in frame.columns]
    table = _build_table(frame, pa.schema(fields))
    check_types(frame, table, form.suffix, form.holds)
    about = frame.attrs.get("tinker")
    noted = {METADATA_KEY: json.dumps(about, default=str).encode()} if about else {}
    return table.replace_schema_metadata(dict(table.schema.metadata or {}) | noted)


def _build_table(frame: pd.DataFrame, schema: pa.Schema) -> pa.Table:
    """Return a frame as a table; what is to be categories and is not yet is encoded afterwards, since older Arrows build no such arrays of objects."""
    import pandas as pd
    import pyarrow as pa
    from pyarrow import types

    plain = {
        field.name: field.type.value_type
        for field in schema
        if types.is_dictionary(field.type) and not isinstance(frame[field.name].dtype, pd.CategoricalDtype)
    }
    fields = [field.with_type(plain.get(field.name, field.type)) for field in schema]
    table = pa.Table.from_pandas(frame, schema=pa.schema(fields), preserve_index=False)
    for name in plain:
        place = table.column_names.index(name)
        table = table.set_column(place, name, table.column(name).dictionary_encode())
    return table


def _check_names(names: pd.Index[Any]) -> None:
    """Raise for names of columns that no file holds."""
    if names.nlevels > 1:
        join = 'frame.columns = ["_".join(map(str, name)) for name in frame.columns]'
        raise InvalidRequestError(f"the columns have {names.nlevels} levels of names", hint=f"Join them: {join}.")
    if not len(names):
        raise InvalidRequestError("the frame has no columns", hint="Select at least one.")
    texts = [str(name) for name in names]
    if twice := [text for text, count in Counter(texts).items() if count > 1]:
        raise InvalidRequestError(f"the column {twice[0]!r} occurs twice", hint="Rename or drop one of them.")
    odd = next((text for text in texts if replace_surrogates(text)[1] is not None), None)
    if odd is not None:
        raise InvalidRequestError(f"the column {odd!r} has a name that is not valid Unicode", hint="Rename it.")


def _write(table: pa.Table, file: BinaryIO, form: Format, options: FileOptions) -> None:
    """Write a table, with an error of ours for what a format refuses although its types are all known."""
    import pyarrow as pa

    try:
        form.write(table, file, options)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError) as error:
        problem = str(error).splitlines()[0][:200]
    else:
        return
    raise InvalidRequestError(f"{form.suffix} cannot hold the frame: {problem}", hint="Use .parquet, or fewer columns.")


def _include_index(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the frame with its named index as columns; one that repeats a column of its name is left out."""
    if frame.columns.nlevels > 1:
        return frame  # refused later
    for name in [str(name) for name in frame.index.names if name is not None]:
        if name in frame.columns:
            if not frame.index.get_level_values(name).equals(frame.set_index(name).index):
                raise InvalidRequestError(f"index and column are both named {name!r}", hint="Rename one of them.")
            frame = frame.reset_index(level=name, drop=True)
    is_named = any(name is not None for name in frame.index.names)
    return frame.reset_index(allow_duplicates=True) if is_named else frame


def _to_frame(table: pa.Table) -> pd.DataFrame:
    """Return the frame of a table, each known column with its declared dtype."""
    import pandas as pd
    import pyarrow as pa

    columns: dict[str, Any] = {}
    declared = {name: column for name in table.column_names if (column := _find_declared(table, name)) is not None}
    others = _read_undeclared(table.select([name for name in table.column_names if name not in declared]))
    for name in table.column_names:
        values, column = table.column(name), declared.get(name)
        data = None
        if column is not None:
            with suppress(pa.ArrowException, ValueError, TypeError):
                data = to_series_data(column, _cast(values, arrow_type(column.kind)))
        if column is None and is_text(values.type):
            data = text_dtype().__from_arrow__(values.cast(pa.large_string()))
        elif column is None:
            data = others[name].array
        columns[name] = values.to_pandas().array if data is None else data
    frame = pd.DataFrame(columns, index=pd.RangeIndex(table.num_rows), copy=False)
    about = (table.schema.metadata or {}).get(METADATA_KEY)
    if about:
        with suppress(ValueError):
            frame.attrs["tinker"] = json.loads(about)
    return frame


def _find_declared(table: pa.Table, name: str) -> Column | None:
    """Return the declaration of a column; None if there is none, or the column has values of another type than text, which may stand for any."""
    column, values, is_stored = find_column(name), table.column(name), b"pandas" in (table.schema.metadata or {})
    is_open = is_text(values.type) and not is_stored
    return column if column is not None and (is_open or fits(values, column)) else None


def _read_undeclared(table: pa.Table) -> pd.DataFrame:
    """Return the columns that the catalog does not know: as pandas noted them in the file, else so that no integer becomes a float."""
    import pandas as pd
    import pyarrow as pa

    nullable: dict[pa.DataType, Any] = {pa.int64(): pd.Int64Dtype(), pa.bool_(): pd.BooleanDtype()}
    is_stored, found = b"pandas" in (table.schema.metadata or {}), pd.DataFrame(table.to_pandas())
    for name, values in zip(table.column_names, table.columns, strict=True):
        if values.null_count and values.type in nullable and (not is_stored or found[name].dtype.kind == "f"):
            found[name] = nullable[values.type].__from_arrow__(values)
    return found


def _cast(values: pa.ChunkedArray, wanted: pa.DataType) -> pa.ChunkedArray:
    import pyarrow as pa

    if pa.types.is_null(values.type) or values.type == wanted:
        return values.cast(wanted)
    if pa.types.is_dictionary(wanted):
        return values.cast(wanted.value_type).dictionary_encode().cast(wanted)
    return values.cast(wanted)
