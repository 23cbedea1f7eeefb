"""Excel workbooks: an Arrow table to a sheet, and the first sheet of a workbook to an Arrow table.

A sheet has no time zones, microseconds, integers of 64 bits or empty text: times are written in UTC, to the millisecond; integers of
more than 15 digits, times before 1900, and numbers of 1e308 or more, as text; other numbers to 15 digits; empty text is read as NA.
"""

from __future__ import annotations

import io
import json
import math
import re
from contextlib import suppress
from datetime import date, datetime, timedelta
from datetime import time as time_of_day
from decimal import Decimal
from typing import TYPE_CHECKING, Any, BinaryIO

from ..errors import InvalidRequestError
from ..schema.catalog import find_column
from ..schema.columns import arrow_type
from .delimited import FileOptions, is_formula

if TYPE_CHECKING:
    import pyarrow as pa

MISSING_EXTRA = (
    'Excel workbooks need openpyxl: pip install "tinker-frames[excel]", or in a checkout pip install -e ".[excel]"'
)
MOST_ROWS, MOST_COLUMNS, MOST_CHARACTERS = 1_048_576, 16_384, 32_767
EXACT_INTEGER = 10**15
BEYOND_SHEETS = 1e308  # no cell holds a number of this size
FIRST_DAY = datetime(1900, 3, 1)  # noqa: DTZ001  # sheets have no time zones; Excel takes 1900 for a leap year
ROWS_A_TIME = 10_000
METADATA_SHEET = "tinker_frames"
NUMBERS = "columns_of_numbers"  # key of the metadata: own columns of numbers some of which are written as text
_HINT = "Use .parquet or .csv, or fewer rows and columns."

# What XML cannot hold, and carriage returns, which it changes, are written as `_x000D_`, as Excel does; so is text that looks like it.
_ESCAPED = re.compile(r"[\x00-\x08\x0b-\x1f\ufffe\uffff]|_(?=x[0-9A-Fa-f]{4}_)")
_ESCAPE = re.compile(r"_x([0-9A-Fa-f]{4})_")


def write_workbook(table: pa.Table, file: BinaryIO, _options: FileOptions) -> None:
    """Write a table as the first sheet of a workbook; text is never a formula, whatever it begins with."""
    openpyxl = _import_openpyxl()
    if "" in table.column_names:
        raise InvalidRequestError("a workbook holds no column whose name is empty", hint="Rename it.")
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("rows")
    sheet.freeze_panes = "A2"
    try:
        _write_rows(sheet, table)
    except BaseException:
        sheet.close()  # it is a generator that waits for more
        raise
    numbers = _list_long_numbers(table)
    own = {NUMBERS.encode(): json.dumps(numbers).encode()} if numbers else {}
    _write_metadata(book, (table.schema.metadata or {}) | own)
    whole = io.BytesIO()  # openpyxl writes to a file again when it is let go of, also where the disk is full
    book.save(whole)
    file.write(whole.getbuffer())


def _write_rows(sheet: Any, table: pa.Table) -> None:
    sheet.append([_make_cell(sheet, name) for name in table.column_names])
    columns = [_to_sheet_times(values) for values in table.columns]
    for start in range(0, table.num_rows, ROWS_A_TIME):
        lists = [values.slice(start, ROWS_A_TIME).to_pylist() for values in columns]
        for row in zip(*lists, strict=True):
            sheet.append([_make_cell(sheet, value) for value in row])


def read_workbook(file: BinaryIO, _options: FileOptions) -> pa.Table:
    """Read the first sheet of a workbook, its first row as names."""
    import pyarrow as pa

    openpyxl = _import_openpyxl()
    try:
        book = openpyxl.load_workbook(file, read_only=True, data_only=True)
        rows = list(book.worksheets[0].iter_rows(values_only=True))
        metadata = _read_metadata(book)
    except Exception as error:  # openpyxl raises whatever a broken archive leads to
        raise ValueError(str(error) or type(error).__name__) from error
    if not rows or not any(name is not None for name in rows[0]):
        raise ValueError("the first sheet is empty")
    names = ["" if name is None else _unescape(str(name)) for name in rows[0]]
    cells = ((row + (None,) * len(names))[: len(names)] for row in rows[1:])
    columns = list(zip(*cells, strict=True)) or [()] * len(names)
    numbers = json.loads((metadata or {}).pop(NUMBERS, "[]"))
    columns = [
        tuple(map(_to_number, values)) if name in numbers else values
        for name, values in zip(names, columns, strict=True)
    ]
    arrays = [_read_column(name, list(values)) for name, values in zip(names, columns, strict=True)]
    return pa.table(arrays, names=names).replace_schema_metadata(metadata)


def _list_long_numbers(table: pa.Table) -> list[str]:
    """Return the user's own columns of numbers some of which are too long for a cell."""
    import pyarrow as pa
    import pyarrow.compute as pc

    found = []
    for name, values in zip(table.column_names, table.columns, strict=True):
        if pa.types.is_dictionary(values.type):
            values = values.cast(values.type.value_type)  # noqa: PLW2901
        is_whole = pa.types.is_integer(values.type)
        if find_column(name) is None and (is_whole or pa.types.is_floating(values.type)):
            ends = pc.min_max(values).as_py().values()
            most = EXACT_INTEGER if is_whole else BEYOND_SHEETS
            found += [name] if any(end is not None and abs(end) >= most for end in ends) else []
    return found


def _to_number(value: Any) -> Any:
    """Return a number that was written as text, and anything else as it is, also what somebody has typed since."""
    with suppress(ValueError):
        return value if not isinstance(value, str) else int(value) if value.lstrip("-").isdecimal() else float(value)
    return value


def _import_openpyxl() -> Any:
    try:
        import openpyxl
    except ImportError as error:
        raise ImportError(MISSING_EXTRA) from error
    return openpyxl


def check_size(rows: int, columns: int) -> None:
    """Refuse more rows or columns than a sheet holds."""
    for count, most, what in ((rows + 1, MOST_ROWS, "rows, header included"), (columns, MOST_COLUMNS, "columns")):
        if count > most:
            raise InvalidRequestError(
                f"a sheet holds at most {most:,} {what}, and this frame needs {count:,}", hint=_HINT
            )


def _to_sheet_times(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return times to the millisecond and without time zone, in UTC; other columns as they are."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pa.types.is_timestamp(values.type):
        return values
    in_utc = values.cast(pa.timestamp("us", values.type.tz), safe=False).cast(pa.timestamp("us"))
    return pc.round_temporal(in_utc, unit="millisecond")  # of a time with an offset, older Arrows look up its name


def _make_cell(sheet: Any, value: Any) -> Any:
    """Return what openpyxl is to write for a value."""
    if isinstance(value, datetime) and value < FIRST_DAY:
        value = _to_text(value)
    if isinstance(value, (list, tuple, dict)):
        value = json.dumps(value, ensure_ascii=False, default=str)
    if isinstance(value, str):
        return _make_text(sheet, value)
    if isinstance(value, int) and abs(value) >= EXACT_INTEGER:
        return str(value)
    if isinstance(value, (float, Decimal)) and not abs(float(value)) < BEYOND_SHEETS:
        return None if math.isnan(value) else str(value)
    if value is None or isinstance(value, (bool, int, float, Decimal, datetime, date, time_of_day, timedelta)):
        return value
    raise InvalidRequestError(f"a workbook cannot hold a value of type {type(value).__name__}", hint="Drop its column.")


def _make_text(sheet: Any, text: str) -> Any:
    """Return a cell of text, which stays text also after it is edited in Excel."""
    from openpyxl.cell import WriteOnlyCell

    text = _ESCAPED.sub(lambda found: f"_x{ord(found[0]):04X}_", text)
    if len(text) * 2 > MOST_CHARACTERS and (length := len(text.encode("utf-16-le")) // 2) > MOST_CHARACTERS:
        raise InvalidRequestError(
            f"a cell of a workbook holds at most {MOST_CHARACTERS:,} characters, and a text has {length:,}", hint=_HINT
        )
    if not text.startswith("#") and not is_formula(text):
        return text
    cell = WriteOnlyCell(sheet, text)
    cell.data_type, cell.quotePrefix = "s", True  # openpyxl takes `=…` for formulas and `#N/A` for errors
    return cell


def _write_metadata(book: Any, metadata: dict[bytes, bytes]) -> None:
    """Write what the table says of itself to a sheet of its own: a key, and its value in as many cells as it needs."""
    texts = {key.decode(): value.decode() for key, value in metadata.items() if key != b"pandas"}
    if not texts:
        return
    sheet = book.create_sheet(METADATA_SHEET)
    for key, text in texts.items():
        parts = [text[start : start + MOST_CHARACTERS // 8] for start in range(0, len(text), MOST_CHARACTERS // 8)]
        sheet.append([_make_cell(sheet, part) for part in (key, *parts)])


def _read_metadata(book: Any) -> dict[str, str] | None:
    if METADATA_SHEET not in book.sheetnames:
        return None
    rows = book[METADATA_SHEET].iter_rows(values_only=True)
    return {str(row[0]): _unescape("".join(str(part) for part in row[1:] if part is not None)) for row in rows if row}


def _read_column(name: str, values: list[Any]) -> pa.Array:
    """Return a column's cells as an Arrow array of the type that they have; text where they differ."""
    import pyarrow as pa

    plain = [_unescape(value) if isinstance(value, str) else value for value in values]
    column = find_column(name)
    if column is not None and column.kind == "texts":
        return pa.array([None if value is None else json.loads(value) for value in plain], arrow_type("texts"))
    kinds = {type(value) for value in plain} - {type(None)}
    if (len(kinds) > 1 and kinds != {int, float}) or kinds == {str}:
        return pa.array([_to_text(value) for value in plain], pa.large_string())
    if kinds == {datetime} and column is not None:
        return pa.array(plain, pa.timestamp("us")).cast(arrow_type("time"))
    return pa.array(plain)


def _to_text(value: Any) -> str | None:
    """Return the value of a cell as text that Arrow reads back."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        return f"{value.isoformat()}Z"
    return None if value is None else str(value)


def _unescape(text: str) -> str:
    return _ESCAPE.sub(lambda found: chr(int(found[1], 16)), text)
