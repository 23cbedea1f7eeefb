"""Excel workbooks: text is text, what a sheet cannot hold is said, and frames come back with their dtypes."""

from __future__ import annotations

import errno
import gc
import io
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import openpyxl
import pandas as pd
import pyarrow as pa
import pytest
from pandas.testing import assert_frame_equal

import tinker_frames as tkf
from tinker_frames.demo import DemoServer
from tinker_frames.errors import InvalidRequestError
from tinker_frames.frames import spreadsheet
from tinker_frames.frames.delimited import FileOptions
from tinker_frames.frames.locations import write_atomically
from tinker_frames.schema.columns import text_dtype

HOSTILE = [
    "=1+1", "+1", "-1", "@x", "#N/A", "#REF!", "'x", "\n=1", "a\r\nb", "x\x00y", "\x1b[31m", "_x0041_", "_x005F_x0041_", "\ufffe", "\uffff",
    " x ", "é😀", "NA", "0012", "1.0", "true", "2026-01-01", "x" * 32_767, None,
]  # fmt: skip


@pytest.mark.parametrize("table", ["sessions", "training_runs", "checkpoints", "samplers", "inventory"])
def test_every_table_comes_back(shared_server: DemoServer, table: str, tmp_path: Path) -> None:
    """Full, filtered and empty tables come back with equal dtypes, values and attributes: times to the millisecond."""
    with tkf.Client(shared_server.key, shared_server.url, cache=False) as client:
        frame = getattr(client, table)()
    for number, part in enumerate((frame, frame[frame.index % 3 == 1], frame.head(0))):
        found = tkf.read_export(tkf.export(part, tmp_path / f"{number}.xlsx"))
        rounded = part.reset_index(drop=True)
        for name, dtype in rounded.dtypes.items():
            if isinstance(dtype, pd.DatetimeTZDtype):
                up = (rounded[name] + pd.Timedelta("500us")).dt.floor("ms")  # `round` is to even
                rounded[name] = up.astype(dtype)
        assert_frame_equal(found, rounded, rtol=1e-14)
        assert found.attrs["tinker"] == frame.attrs["tinker"]


def test_hostile_text_is_text(tmp_path: Path) -> None:
    """Formulas, error names, control characters and Excel's own escapes come back as they were, and no cell is a formula."""
    frame = pd.DataFrame(
        {"display_name": pd.array(HOSTILE, dtype=text_dtype()), "=cmd": pd.array(HOSTILE, dtype=text_dtype())}
    )
    path = tmp_path / "a.xlsx"
    assert_frame_equal(tkf.read_export(tkf.export(frame, path)), frame)
    cells = [
        cell for row in openpyxl.load_workbook(path).worksheets[0].iter_rows() for cell in row if cell.value is not None
    ]
    assert {cell.data_type for cell in cells} == {"s"}
    assert all(cell.quotePrefix for cell in cells if cell.value.startswith(("=", "+", "-", "@", "#")))


def test_numbers_and_times_that_excel_lacks_are_kept(tmp_path: Path) -> None:
    """Large integers, infinite and the largest numbers, and times before 1900 or in another zone come back."""
    frame = pd.DataFrame(
        {
            "size_bytes": pd.array([2**53 + 1, 2**63 - 1, -(2**63), 5, None], dtype="Int64"),
            "size_gb": [1.5, float("inf"), float("-inf"), 0, None],
            "time": pd.Series(
                [datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC), None, None, None]
            ).astype("datetime64[us, UTC]"),
            "public": pd.array([True, False, None, None, True], dtype="boolean"),
            "zoned": pd.Series(pd.to_datetime(["2026-07-01T12:00+02:00"] * 5)),
            "mine": [1, 2, 3, 4, 5],
            "largest": [sys.float_info.max, -sys.float_info.max, 5e-324, float("nan"), 1.5],
            "huge": [1.7e308, float("-inf")] * 2 + [None],
            "whole": [2**60, -(2**63), 1, 2, 3],
            "text": ["1152921504606846976", "inf", "1.7e308", "1", "x"],
        }
    )
    found = tkf.read_export(tkf.export(frame, tmp_path / "a.xlsx"))
    assert_frame_equal(found.drop(columns=["zoned", "text"]), frame.drop(columns=["zoned", "text"]))
    assert found["text"].tolist() == frame["text"].tolist()
    assert set(found["zoned"]) == {pd.Timestamp("2026-07-01T10:00")}


def test_what_a_sheet_cannot_hold_is_refused(tmp_path: Path) -> None:
    """Too many rows or columns, too long a text and values of no type that Excel has are named, and no file is left."""
    rows = pa.table({"a": pa.nulls(spreadsheet.MOST_ROWS)}).to_pandas()
    columns = pd.DataFrame([range(spreadsheet.MOST_COLUMNS + 1)])
    for frame, named in (
        (rows, "1,048,576 rows"), (columns, "16,384 columns"),
        (pd.DataFrame({"a": ["😀" * 16_384]}), "32,768"), (pd.DataFrame({"a": [b"x"]}), "bytes"),
    ):  # fmt: skip
        with pytest.raises(InvalidRequestError, match=named):
            tkf.export(frame, tmp_path / "a.xlsx")
    assert list(tmp_path.iterdir()) == []


def test_a_sheet_that_somebody_edited_is_read(tmp_path: Path) -> None:
    """Cells of another type in a known column keep their values; rows may be shorter than the header."""
    book = openpyxl.Workbook()
    for row in (
        ["display_name", "size_bytes", "public", "extra column"],
        [12, 1.5, "x"],
        [],
        [True, 2, None, datetime(2026, 1, 1, tzinfo=UTC).replace(tzinfo=None)],
    ):
        book.active.append(row)
    book.save(tmp_path / "a.xlsx")
    found = tkf.read_export(tmp_path / "a.xlsx")
    assert found["display_name"].dropna().tolist() == ["12", "true"]
    assert found["size_bytes"].dropna().tolist() == [1.5, 2.0]
    assert len(found) == 3


@pytest.mark.parametrize(
    "content", [b"", b"no archive", b"PK\x05\x06" + b"\x00" * 18], ids=["empty", "junk", "no sheets"]
)
def test_a_file_that_is_no_workbook_is_refused(content: bytes, tmp_path: Path) -> None:
    """What is no workbook is an error with its name."""
    (tmp_path / "a.xlsx").write_bytes(content)
    with pytest.raises(InvalidRequestError, match=r"cannot be read as \.xlsx"):
        tkf.read_export(tmp_path / "a.xlsx")


def test_the_missing_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without openpyxl or fsspec, the error says what to install."""
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    for path, extra in ((tmp_path / "a.xlsx", "excel"), ("memory://a.csv", "remote")):
        with pytest.raises(ImportError, match=rf"tinker-frames\[{extra}\]"):
            tkf.export(pd.DataFrame({"a": [1]}), path)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_nothing_that_writes_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a workbook cannot be written, openpyxl does not write to the closed file afterwards, which would print a traceback."""

    class FullFile(io.BytesIO):
        def write(self, _: Any) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    def write(file: BinaryIO) -> None:
        del file
        with FullFile() as full:
            spreadsheet.write_workbook(pa.table({"name": ["a"] * 2000}), full, FileOptions())

    printed: list[object] = []
    monkeypatch.setattr("sys.unraisablehook", printed.append)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(tmp_path / "a.xlsx", write)
    gc.collect()
    assert list(tmp_path.iterdir()) == []
    assert not printed
