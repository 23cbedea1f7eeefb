"""File formats: an Arrow table to an open file, and a file to an Arrow table.

Each is a pair of functions in `FORMATS`; `files` turns frames into tables and back.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from ..errors import InvalidRequestError
from ..schema.catalog import known_columns
from ..schema.columns import Column, arrow_type

if TYPE_CHECKING:
    import pyarrow as pa

ROWS_A_TIME = 10_000
LARGEST_BLOCK = 2**30
_COLUMNS_OF_NO_ROWS = "tinker_frames:columns"

# A spreadsheet runs a cell that begins like this; an apostrophe in front makes it text, and one more marks a real apostrophe.
_DANGEROUS = r"^('*[=+\-@\t\r])"
_GUARDED = r"^'('*[=+\-@\t\r])"


def is_text(kind: pa.DataType) -> bool:
    """Tell whether an Arrow type is text."""
    from pyarrow import types

    return bool(types.is_string(kind) or types.is_large_string(kind))


def find_column(name: str) -> Column | None:
    """Return the declaration of a column by its name; None for one that the catalog does not know."""
    if name.startswith("meta."):
        return None
    return known_columns().get(name)


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

    try:
        rows = msgspec.json.Decoder(dict[str, Any]).decode_lines(path.read_bytes())
    except msgspec.MsgspecError as error:  # no ValueError in older releases
        raise ValueError(str(error)) from error
    if not rows:
        raise ValueError("the file is empty")
    if len(rows) == 1 and list(rows[0]) == [_COLUMNS_OF_NO_ROWS]:
        return pa.table({name: pa.nulls(0) for name in rows[0][_COLUMNS_OF_NO_ROWS]})
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = {}
    for name in names:
        values, column = [row.get(name) for row in rows], find_column(name)
        kind = pa.large_string() if column is not None and column.kind in ("time", "category") else None
        columns[name] = pa.array(values, kind)
    return pa.table(columns)


def write_csv(table: pa.Table, file: BinaryIO, safe: bool) -> None:
    """Write a table as CSV, times in ISO form, lists as JSON; with `safe`, no cell is a formula in a spreadsheet."""
    import pyarrow.compute as pc
    import pyarrow.csv
    from pyarrow import types

    columns = []
    for values in table.columns:
        if types.is_dictionary(values.type):
            values = values.cast(values.type.value_type)  # noqa: PLW2901
        if types.is_list(values.type) or types.is_large_list(values.type):
            values = _to_json_cells(values)  # noqa: PLW2901
        if safe and is_text(values.type):
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
        column = find_column(name)
        if safe and is_text(values.type):
            values = pc.replace_substring_regex(values, _GUARDED, r"\1")  # noqa: PLW2901
        if column is not None and column.kind == "texts":
            values = pa.chunked_array([_parse_lists(values.to_pylist())])  # noqa: PLW2901
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

    column = find_column(name)
    if column is None:
        return pa.large_string() if name.startswith("meta.") else None
    return pa.large_string() if column.kind in ("category", "texts") else arrow_type(column.kind)


def _to_json_cells(values: Iterable[Any]) -> pa.ChunkedArray:
    import pyarrow as pa

    texts = [None if v.as_py() is None else json.dumps(v.as_py(), ensure_ascii=False) for v in values]
    return pa.chunked_array([pa.array(texts, pa.large_string())])


def _parse_lists(texts: list[str | None]) -> pa.Array:
    import pyarrow as pa

    return pa.array([None if text is None else json.loads(text) for text in texts], arrow_type("texts"))


_Reader = Callable[[Path, bool], Any]
_Writer = Callable[[Any, BinaryIO, bool], None]
FORMATS: dict[str, tuple[_Reader, _Writer]] = {
    ".csv": (_read_csv, write_csv),
    ".parquet": (_read_parquet, _write_parquet),
    ".feather": (_read_feather, _write_feather),
    ".json": (_read_json, _write_json),
}


def format_of(path: Path) -> tuple[_Reader, _Writer]:
    """Return the reader and the writer that a file's suffix names."""
    found = FORMATS.get(path.suffix.lower())
    if found is None:
        raise InvalidRequestError(
            f"{path.name!r} has a suffix that names no format", hint=f"Use one of {', '.join(FORMATS)}."
        )
    return found
