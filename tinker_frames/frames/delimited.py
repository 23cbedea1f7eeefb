"""CSV: an Arrow table to text that spreadsheets do not run, and back with the types that the catalog declares."""

from __future__ import annotations

import csv
import io
import json
import re
from codecs import BOM_UTF8
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

from ..schema.catalog import find_column
from ..schema.columns import arrow_type, is_text

if TYPE_CHECKING:
    import pyarrow as pa

LARGEST_BLOCK = 2**30
Encoding = Literal["utf-8", "utf-8-sig"]

# A spreadsheet runs a cell that begins with one of these signs, also full-width ones (East Asian input methods make them), and some
# programs drop what is invisible before them. An apostrophe in front makes it text, and one more marks a real apostrophe.
_INVISIBLE = "\x00-\x20\x7f-\xa0\u00ad\u1680\u180e\u2000-\u200f\u2028-\u202f\u205f-\u2064\u3000\ufeff"
_RUN = rf"'*(?:[\t\r\n]|[{_INVISIBLE}]*[=+\-@＝＋－＠﹢﹣﹦﹫])"  # noqa: RUF001  # the signs meant
_DANGEROUS = rf"^({_RUN})"
_GUARDED = rf"^'({_RUN})"
_QUOTE = '"'
_CELL = re.compile(rb'("[^"]*(?:""[^"]*)*"|[^,\r\n]*)(,|\r\n|\n|\r|\Z)')


@dataclass(frozen=True)
class FileOptions:
    """How a table is written and read, where the format leaves a choice."""

    safe: bool | None = True  # no cell is a formula; None: as the file says
    encoding: Encoding = "utf-8"  # with or without a byte order mark
    keep_columns: bool = True  # also of a table without rows


def is_formula(text: str) -> bool:
    """Tell whether a spreadsheet may run a cell of this text."""
    return re.match(_DANGEROUS, text) is not None


def write_csv(table: pa.Table, file: BinaryIO, options: FileOptions) -> None:
    """Write a table as CSV, times in ISO form, lists as JSON; with `safe`, no cell is a formula in a spreadsheet."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.csv
    from pyarrow import types

    columns = []
    for values in table.columns:
        if types.is_dictionary(values.type):
            values = values.cast(values.type.value_type)  # noqa: PLW2901
        if types.is_float32(values.type):
            values = values.cast(pa.float64())  # whose digits are those of the value  # noqa: PLW2901
        if types.is_list(values.type) or types.is_large_list(values.type):
            values = _to_json_cells(values)  # noqa: PLW2901
        if options.safe and is_text(values.type):
            values = pc.replace_substring_regex(values, _DANGEROUS, r"'\1")  # noqa: PLW2901
        columns.append(values)
    names = [re.sub(_DANGEROUS, r"'\1", name) if options.safe else name for name in table.column_names]
    file.write(
        (BOM_UTF8 if options.encoding == "utf-8-sig" else b"") + _format_header(names, guarded=bool(options.safe))
    )
    pyarrow.csv.write_csv(pa.table(columns, names=names), file, pyarrow.csv.WriteOptions(include_header=False))


def read_csv(file: BinaryIO, options: FileOptions) -> pa.Table:
    """Read CSV, with or without a byte order mark."""
    import pyarrow as pa
    import pyarrow.compute as pc

    content = file.read().removeprefix(BOM_UTF8)
    table = _read_typed(content)
    is_guarded = _is_guarded(content) if options.safe is None else options.safe
    columns = []
    for name, values in zip(table.column_names, table.columns, strict=True):
        column = find_column(name)
        if is_guarded and is_text(values.type):
            values = pc.replace_substring_regex(values, _GUARDED, r"\1")  # noqa: PLW2901
        if column is not None and column.kind == "texts":
            values = pa.chunked_array([_parse_lists(values.to_pylist())])  # noqa: PLW2901
        columns.append(values)
    names = [re.sub(_GUARDED, r"\1", name) if is_guarded else name for name in table.column_names]
    return pa.table(columns, names=names)


def _read_typed(content: bytes) -> pa.Table:
    """Read cells as the types that the names of their columns declare; where one does not fit, those that are not text as found."""
    import pyarrow as pa
    from pyarrow import types

    header = next(csv.reader(io.TextIOWrapper(io.BytesIO(content), encoding="utf-8", newline="")), [])
    kinds = {name: kind for name in header if (kind := _csv_type(name)) is not None}
    try:
        table = _read_cells(content, kinds)
    except pa.ArrowInvalid:  # a column holds something other than its name says
        kinds = {name: kind for name, kind in kinds.items() if types.is_large_string(kind)}
        table = _read_cells(content, kinds)
    quoted = dict.fromkeys(_find_quoted(content, table, kinds), pa.large_string())
    return _read_cells(content, kinds | quoted) if quoted else table


def _format_header(names: list[str], *, guarded: bool) -> bytes:
    """Return the line of names; they are all in quotes where cells are guarded, which is how `read_csv` knows."""
    cells = (
        f'"{name.replace(_QUOTE, _QUOTE * 2)}"' if guarded or re.search(r'[",\r\n]|^$', name) else name
        for name in names
    )
    return (",".join(cells) + "\n").encode()


def _is_guarded(content: bytes) -> bool:
    """Tell whether every name of the header is in quotes."""
    for cell in _CELL.finditer(content):
        if not cell[1].startswith(b'"') or cell[2] != b",":
            return cell[1].startswith(b'"')
    return False


def _find_quoted(content: bytes, table: pa.Table, declared: Container[str]) -> Iterator[str]:
    """Yield the undeclared columns that look like numbers, truth values or times, but whose first value is in quotes: it is text."""
    import pyarrow.compute as pc
    from pyarrow import types

    firsts: dict[tuple[int, int], str] = {}
    for place, (name, values) in enumerate(zip(table.column_names, table.columns, strict=True)):
        if name not in declared and not is_text(values.type) and not types.is_null(values.type):
            firsts[pc.index(pc.is_valid(values), True).as_py(), place] = name
    row, place = -1, 0  # the header is no row
    for cell in _CELL.finditer(content) if firsts else ():
        name = firsts.pop((row, place), None)
        if name is not None and cell[1].startswith(b'"'):
            yield name
        if not firsts:
            return
        row, place = (row, place + 1) if cell[2] == b"," else (row + 1, 0)


def _read_cells(content: bytes, kinds: dict[str, pa.DataType]) -> pa.Table:
    """Read cells; a line without anything is a row of one empty cell, and one cell may be as large as the file."""
    import pyarrow as pa
    import pyarrow.csv

    return pyarrow.csv.read_csv(
        pa.BufferReader(content),
        read_options=pyarrow.csv.ReadOptions(block_size=min(max(len(content), 1), LARGEST_BLOCK)),
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
        return None
    return pa.large_string() if column.kind in ("category", "texts") else arrow_type(column.kind)


def _to_json_cells(values: Iterable[Any]) -> pa.ChunkedArray:
    import pyarrow as pa

    texts = [None if v.as_py() is None else json.dumps(v.as_py(), ensure_ascii=False) for v in values]
    return pa.chunked_array([pa.array(texts, pa.large_string())])


def _parse_lists(texts: list[str | None]) -> pa.Array:
    import pyarrow as pa

    return pa.array([None if text is None else json.loads(text) for text in texts], arrow_type("texts"))
