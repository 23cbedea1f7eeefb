"""The file formats, declared once: each is a suffix, what it is, and functions between an Arrow table and an open file.

`export`, `read_export`, `ls --format`, the export form of a view and the documentation take what `FORMATS` holds.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from types import NoneType
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from ..errors import InvalidRequestError
from ..schema.catalog import find_column
from .arrow_types import holds_cells, holds_plain, holds_stored
from .delimited import FileOptions, read_csv, write_csv
from .spreadsheet import ROWS_A_TIME, check_size, read_workbook, write_workbook

if TYPE_CHECKING:
    import pyarrow as pa

Reader = Callable[[BinaryIO, FileOptions], Any]
Writer = Callable[[Any, BinaryIO, FileOptions], None]


def _take_any_size(_rows: int, _columns: int) -> None:
    """Refuse no number of rows and columns."""


_COLUMNS_OF_NO_ROWS = "tinker_frames:columns"


@dataclass(frozen=True)
class Format:
    """One file format, by the suffix that names it."""

    suffix: str
    doc: str
    read: Reader
    write: Writer
    is_text: bool = False  # `ls --format` prints it, too
    takes_bom: bool = False
    keeps_metadata: bool = False  # `attrs["tinker"]` comes back with the frame
    holds: Callable[[Any], bool] = holds_plain  # the types of Arrow that come back unchanged, or as the docs say
    check_size: Callable[[int, int], None] = _take_any_size  # raises for more rows or columns than it holds

    @property
    def name(self) -> str:
        """The suffix without its dot."""
        return self.suffix.removeprefix(".")


def _write_parquet(table: pa.Table, file: BinaryIO, _options: FileOptions) -> None:
    import pyarrow.parquet as pq

    pq.write_table(table, file, compression="zstd")


def _read_parquet(file: BinaryIO, _options: FileOptions) -> pa.Table:
    import pyarrow.parquet as pq

    return pq.ParquetFile(file).read()


def _write_feather(table: pa.Table, file: BinaryIO, _options: FileOptions) -> None:
    from pyarrow import feather

    feather.write_feather(table, file, compression="zstd")


def _read_feather(file: BinaryIO, _options: FileOptions) -> pa.Table:
    from pyarrow import feather

    return feather.read_table(file, memory_map=False)


def _encode_rows(table: pa.Table) -> Iterator[bytes]:
    """Yield each row as a JSON object: every column, null for what is not known or no number."""
    import msgspec
    import pyarrow as pa

    table = pa.table([_shorten_times(values) for values in table.columns], names=table.column_names)
    for batch in table.to_batches(max_chunksize=ROWS_A_TIME):
        yield from map(msgspec.json.Encoder().encode, batch.to_pylist())


def _shorten_times(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return times that Python has; those with nanoseconds as text."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pa.types.is_timestamp(values.type) or values.type.unit != "ns":
        return values
    try:
        return values.cast(pa.timestamp("us", values.type.tz))
    except pa.ArrowInvalid:
        in_utc = values if values.type.tz is None else values.cast(pa.timestamp("ns", "UTC"))
        return pc.replace_substring(in_utc.cast(pa.large_string()), " ", "T", max_replacements=1)


def _write_json_lines(table: pa.Table, file: BinaryIO, options: FileOptions) -> None:
    if not table.num_rows and options.keep_columns:
        file.write(_encode_columns(table) + b"\n")
    for row in _encode_rows(table):  # noqa: FURB122  # a captured standard output may copy only what is written by `write`
        file.write(row + b"\n")


def _write_json_array(table: pa.Table, file: BinaryIO, options: FileOptions) -> None:
    if not table.num_rows:
        file.write((_encode_columns(table) if options.keep_columns else b"[]") + b"\n")
        return
    for number, row in enumerate(_encode_rows(table)):  # noqa: FURB122  # likewise
        file.write((b",\n" if number else b"[\n") + row)
    file.write(b"\n]\n")


def _encode_columns(table: pa.Table) -> bytes:
    """Return what stands for a table without rows, which would lose its columns."""
    import msgspec

    return msgspec.json.encode({_COLUMNS_OF_NO_ROWS: table.column_names})


def _read_json(file: BinaryIO, _options: FileOptions) -> pa.Table:
    """Read an array of objects, or one object per line."""
    import msgspec
    import pyarrow as pa

    content = file.read()
    try:
        if content.lstrip().startswith(b"["):
            rows = msgspec.json.decode(content, type=list[dict[str, Any]])
        else:
            rows = msgspec.json.Decoder(dict[str, Any]).decode_lines(content)
    except msgspec.MsgspecError as error:  # no ValueError in older releases
        raise ValueError(str(error)) from error
    if not rows:
        raise ValueError("the file is empty")
    if len(rows) == 1 and list(rows[0]) == [_COLUMNS_OF_NO_ROWS]:
        return pa.table({name: pa.nulls(0) for name in rows[0][_COLUMNS_OF_NO_ROWS]})
    names = list(dict.fromkeys(name for row in rows for name in row))
    return pa.table({name: _to_array(name, [row.get(name) for row in rows]) for name in names})


def _to_array(name: str, values: list[Any]) -> pa.Array:
    import pyarrow as pa

    column = find_column(name)
    is_text = (
        column is not None
        and column.kind in ("time", "category")
        and all(isinstance(v, (str, NoneType)) for v in values)
    )
    return pa.array(values, pa.large_string() if is_text else None)


def _write_gzip(write: Writer, table: pa.Table, file: BinaryIO, options: FileOptions) -> None:
    """Write another format, compressed; the same table gives the same bytes."""
    with gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=file, mtime=0) as compressed:
        write(table, cast(BinaryIO, compressed), options)


def _read_gzip(read: Reader, file: BinaryIO, options: FileOptions) -> pa.Table:
    try:
        with gzip.GzipFile(fileobj=file) as compressed:
            return read(cast(BinaryIO, compressed), options)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ValueError(str(error)) from error


_ALL = (
    Format(".csv", "CSV in UTF-8, for spreadsheets with `encoding=\"utf-8-sig\"`", read_csv, write_csv, is_text=True, takes_bom=True),
    Format(".csv.gz", "CSV, compressed", partial(_read_gzip, read_csv), partial(_write_gzip, write_csv), takes_bom=True),
    Format(".parquet", "Parquet", _read_parquet, _write_parquet, keeps_metadata=True, holds=holds_stored),
    Format(".feather", "Feather (Arrow)", _read_feather, _write_feather, keeps_metadata=True, holds=holds_stored),
    Format(".json", "a JSON array of objects", _read_json, _write_json_array, is_text=True),
    Format(".jsonl", "JSON, one object per line", _read_json, _write_json_lines, is_text=True),
    Format(".ndjson", "the same as `.jsonl`", _read_json, _write_json_lines, is_text=True),
    Format(".xlsx", "an Excel workbook; needs `tinker-frames[excel]`", read_workbook, write_workbook, keeps_metadata=True, check_size=check_size, holds=holds_cells),
)  # fmt: skip
FORMATS: dict[str, Format] = {form.suffix: form for form in _ALL}
TEXT_FORMATS = {form.name: form for form in _ALL if form.is_text}


def list_suffixes() -> str:
    """Return the suffixes in words: `.csv, .parquet or .xlsx`."""
    *first, end = FORMATS
    return f"{', '.join(first)} or {end}"


def find_format(name: str) -> Format:
    """Return the format that the suffix of a file's name declares.

    Raises
    ------
    InvalidRequestError
        If it names none.
    """
    base = re.split(r"[/\\]", name.partition("?")[0] if "://" in name else name)[-1]  # of a URL without its signature
    found = [suffix for suffix in FORMATS if base.lower().endswith(suffix) and len(base) > len(suffix)]
    if not found:
        raise InvalidRequestError(f"{base!r} has a suffix of no known format", hint=f"Use one of {', '.join(FORMATS)}.")
    return FORMATS[max(found, key=len)]
