"""Cells: readable text, nothing that a page or a terminal would interpret, and marks that do not rely on colour."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinker_frames as tkf
from tests.views.sample_frames import NOW, frame_of, tables
from tinker_frames.demo import DemoServer
from tinker_frames.frames.humanize import format_age, format_size
from tinker_frames.views import cells
from tinker_frames.views.cells import LONGEST, describe_column, format_rows, kind_of


def cell(name: str, value: Any, dtype: Any = None) -> Any:
    """Return the one cell of a column with one value."""
    frame = pd.DataFrame({name: pd.Series([value], dtype=dtype)})
    return format_rows(frame, [name], NOW)[0][0]


def texts_of(made: Any) -> list[str]:
    """Return every text of the cells."""
    return [made] if isinstance(made, str) else [text for part in made for text in texts_of(part)]


# ── text ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@settings(max_examples=52)
@given(text=st.text(max_size=20))
def test_text_is_shown_with_everything_unprintable_spelled_out(text: str) -> None:
    """Control characters, bidi marks and invisible characters are escaped; printable text is unchanged."""
    text = text.replace("\u200c", "").replace("\u200d", "")
    made = cell("name", text)
    assert made.isprintable()
    assert made == text or not text.isprintable()
    assert describe_column(pd.DataFrame({text: [1]}), text)["label"].isprintable()


def test_long_text_is_cut_and_hovering_shows_more() -> None:
    """A cell has at most a few hundred characters after escaping; its tooltip has some thousand."""
    assert cell("name", "x" * LONGEST) == "x" * LONGEST
    text, hover = cell("name", "\x1b" + "x" * 5000)
    assert text == "\\x1b" + "x" * (LONGEST - 4) + "…"
    assert hover == ("\\x1b" + "x" * 5000)[: LONGEST * 8]


@settings(max_examples=21)
@given(table=tables)
def test_every_row_has_a_plain_cell_for_each_column(table: list[dict[str, Any]]) -> None:
    """A window of rows has a JSON text for each row and column, whatever the rows hold."""
    frame = frame_of(table)
    made = format_rows(frame, list(frame.columns), NOW)
    assert [len(row) for row in made] == [len(frame.columns)] * len(frame)
    assert json.dumps(made, allow_nan=False)
    assert all(text.isprintable() for text in texts_of(made))
    assert format_rows(frame, [], NOW) == [[] for _ in table]


def test_a_hostile_account_is_only_text(shared_server: DemoServer, client_of: Callable[..., tkf.Client]) -> None:
    """Every cell of a hostile account's tables is printable text that JSON accepts."""
    client = client_of(shared_server)
    for frame in (client.inventory(), client.training_runs(), client.sessions(details=True)):
        made = format_rows(frame, list(frame.columns), datetime.now(UTC))
        assert len(made) == len(frame)
        assert all(text.isprintable() for text in texts_of(made))
        assert json.dumps([describe_column(frame, name) for name in frame.columns], allow_nan=False)


ODD = {
    "lists": pd.Series([[1, "a"], None], dtype="object"),
    "tuples": pd.Series([("a\n", "b"), None], dtype="object"),
    "mixed": pd.Series([1, "a"], dtype="object"),
    "bytes": pd.Series([b"\x1b", None], dtype="object"),
    "length": pd.Series([timedelta(days=1), None]),
    "small": pd.Series([1.5, None], dtype="float32"),
    "masked": pd.Series([1.25, None], dtype="Float64"),
    "huge": pd.Series([1e300, float("inf")]),
    "fine": pd.Series([pd.Timestamp("2026-01-01T00:00:00.123456789Z"), None]),
    "zoneless_expires_at": pd.Series([pd.Timestamp("2026-01-01"), None]),
    "numbers": pd.Series([1, None]).astype("category"),
    "size_gb": pd.Series(["big", None]),
    "size_bytes": pd.Series([float("inf"), -5.0]),
    "public": pd.Series([True, None], dtype="object"),
    "nothing": pd.Series([None, None]),
}


@pytest.mark.parametrize("name", ODD)
def test_columns_that_no_listing_has_are_shown_too(name: str) -> None:
    """Any value of a handmade frame has a printable cell."""
    frame = pd.DataFrame({name: ODD[name]})
    made = format_rows(frame, [name], NOW)
    assert len(made) == 2
    assert texts_of(made)
    assert all(text.isprintable() for text in texts_of(made))
    assert describe_column(frame, name)["kind"] in cells.WIDTHS


# ── numbers and sizes ────────────────────────────────────────────────────────────────────────────────────────────────


@settings(max_examples=70)
@given(n_bytes=st.integers(0, 10**16))
def test_sizes_are_short_and_right_to_half_a_percent(n_bytes: int) -> None:
    """A size has at most four digits and a unit, is accurate to half a percent, and its tooltip has every byte."""
    text, hover = cell("size_bytes", n_bytes, "Int64")
    number, unit = text.split(" ")
    factor = {"B": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12}[unit]
    assert abs(float(number.replace(",", "")) * factor - n_bytes) <= 0.0051 * n_bytes
    assert len(number) <= 6
    assert hover == f"{n_bytes:,} bytes"


@pytest.mark.parametrize(
    ("n_bytes", "text"),
    [
        (0, "0 B"), (999, "999 B"), (1000, "1.00 kB"), (999_499, "999 kB"), (999_500, "1.00 MB"), (9_994_000, "9.99 MB"), (9_996_000, "10.0 MB"),
        (99_960_000, "100 MB"), (1_500_000_000, "1.50 GB"), (2.5e15, "2,500 TB"), (None, ""), (float("nan"), ""),
    ],
)  # fmt: skip
def test_sizes_one_by_one(n_bytes: float | None, text: str) -> None:
    """Sizes use powers of 1000 and the unit that leaves one to three integer digits; unknown ones are empty."""
    assert format_size(n_bytes) == text


def test_gigabytes_are_shown_as_the_bytes_are() -> None:
    """A column of gigabytes is formatted like one of bytes; unknown is empty, not zero."""
    assert cell("size_gb", 1.5) == ["1.50 GB", "1,500,000,000 bytes"]
    assert cell("session_size_gb", 2, "Int64") == ["2.00 GB", "2,000,000,000 bytes"]
    assert cell("size_bytes", 2**63 - 1, "Int64") == ["9,223,372 TB", "9,223,372,036,854,775,807 bytes"]
    assert cell("size_gb", None, "float64") == cell("checkpoint_storage_bytes", None, "Int64") == ""


@settings(max_examples=35)
@given(value=st.floats(allow_nan=False))
def test_numbers_are_short_and_hovering_is_exact(value: float) -> None:
    """A fraction is shown with one decimal and exactly in the tooltip; integers are shown in full."""
    made = cell("age_days", value)
    if isinstance(made, list):
        assert float(made[1]) == value
        assert len(made[0]) <= 22
    else:
        assert int(made.replace(",", "")) == value


@pytest.mark.parametrize(
    ("usd", "text"), [(0.0, "$0.00"), (0.004, "<$0.01"), (3.6, "$3.60"), (1234.567, "$1,234.57"), (None, "")]
)
def test_dollars_have_cents(usd: float | None, text: str) -> None:
    """The cost of storage is shown in dollars and cents, under a heading with its unit; what is not known is empty."""
    frame = pd.DataFrame({"storage_usd_month": pd.array([usd], dtype="float64")})
    (((shown, *_),),) = [
        [cell if isinstance(cell, list) else [cell] for cell in row] for row in format_rows(frame, list(frame), NOW)
    ]
    assert shown == text
    assert describe_column(frame, "storage_usd_month")["label"] == "$/month"


@pytest.mark.parametrize("dtype", ["int64", "Int64", "float64", "float32", "Float64"])
def test_numbers_of_every_dtype_read_alike(dtype: str) -> None:
    """Integers have separators and no point, 64 bits are exact, and fractions are not truncated to integers."""
    assert cell("step", 1234567, dtype) == "1,234,567"
    if "int" in dtype.lower():
        assert cell("step", 2**53 + 1, dtype) == "9,007,199,254,740,993"
    else:
        assert cell("step", 1.5, dtype) == ["1.5", "1.5"]
        assert cell("step", 0.001953125, dtype) == ["0.002", "0.001953125"]


# ── times ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s ago"), (59.9, "59 s ago"), (60, "1 min ago"), (3599, "59 min ago"), (3600, "1 h ago"), (7300, "2 h ago"), (86_400, "1 d ago"),
        (90_000, "1 d ago"), (864_000, "10 d ago"), (867_600, "10 d ago"), (-3600, "in 1 h"), (-180_000, "in 2 d"),
    ],
)  # fmt: skip
def test_ages_are_said_in_the_largest_fitting_units(seconds: float, text: str) -> None:
    """An age is rounded down to seconds, minutes, hours or days."""
    assert format_age(seconds) == text


def test_times_are_ages_with_the_exact_time_on_hover() -> None:
    """Times of any zone or precision are shown as ages; the tooltip has the time in UTC, which is also what is read later."""
    there = NOW.astimezone(timezone(timedelta(hours=5, minutes=30)))
    expected = ["0 s ago", "2026-06-15 12:00:00 UTC"]
    assert cell("time", NOW) == cell("time", there) == cell("time", NOW.replace(tzinfo=None)) == expected
    assert cell("time", pd.Timestamp(NOW) - pd.Timedelta(1, "ns"))[1] == "2026-06-15 11:59:59 UTC"
    assert cells.exact_text(expected, "time") == expected[1]
    assert [cells.exact_text(made, "time") for made in (["never", "it has no expiry", "muted"], "")] == ["never", "–"]
    assert cells.exact_text(["1.50 GB", "1,500,000,000 bytes"], "number") == "1.50 GB"
    assert cell("time", None, "datetime64[us, UTC]") == ""


def test_what_expires_is_marked_by_more_than_colour() -> None:
    """Never, later, within a week, and expired each have their own words or sign."""

    def end(**ahead: int) -> Any:
        return cell("expires_at", NOW + timedelta(**ahead))

    assert cell("expires_at", None, "datetime64[us, UTC]") == ["never", "it has no expiry", "muted"]
    assert end(days=8) == ["in 8 d", "2026-06-23 12:00:00 UTC"]
    assert end(days=7) == ["⚠ soon, in 7 d", "2026-06-22 12:00:00 UTC", "soon"]
    assert end(hours=-1) == ["✕ expired 1 h ago", "2026-06-15 11:00:00 UTC", "failed"]
    odd = pd.DataFrame({"expires_at": pd.Series([None] * 3, dtype="datetime64[us, UTC]"),
                        "expiry_unknown": pd.Series([True, False, None], dtype="boolean")})  # fmt: skip
    assert [row[0][0] for row in format_rows(odd, ["expires_at"], NOW)] == ["not known", "never", "not known"]
    assert cell("last_checkpoint_expires_at", NOW)[0] == "✕ expired 0 s ago"


def test_flags_are_words() -> None:
    """Flags are words; unknown ones are empty, except for `public`, which guards depend on."""
    for dtype in ("bool", "boolean"):
        assert cell("public", True, dtype) == ["◉ public", "any Tinker user may load it", "public"]
        assert cell("public", False, dtype) == ["private", "", "muted"]
        assert cell("corrupted", True, dtype)[::2] == ["✕ corrupted", "failed"]
        assert cell("is_lora", np.bool_(True), dtype) == "yes"
    assert cell("public", None, "boolean")[0] == "not known"
    assert cell("is_lora", None, "boolean") == ""
    assert cell("status", "failed", "category") == ["✕ failed", "", "failed"]
    assert cell("status", "active") == "active"


# ── columns ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_columns_say_what_they_are(shared_server: DemoServer, client_of: Callable[..., tkf.Client]) -> None:
    """Numbers are right-aligned, ids are wide, times and flags are recognized by dtype, and known columns have a description."""
    frame = client_of(shared_server).inventory()
    kinds = {name: kind_of(frame, name) for name in frame.columns}
    assert {kinds[name] for name in ("tinker_path", "training_run_id", "session_id")} == {"id"}
    assert {kinds[name] for name in ("size_gb", "step", "age_days")} == {"number"}
    assert (kinds["public"], kinds["time"], kinds["session_status"], kinds["project_id"]) == (
        "bool",
        "time",
        "category",
        "text",
    )
    columns = [describe_column(frame, name) for name in frame.columns]
    assert all((column["align"] == "right") == (column["kind"] == "number") for column in columns)
    assert all(re.search(r"\w{3}", column["doc"]) for column in columns)
    assert describe_column(client_of(shared_server).training_runs(), "last_checkpoint_time")["doc"]
    assert describe_column(pd.DataFrame({"mine": [1]}), "mine")["doc"] == ""


def test_numbers_of_the_users_own_have_four_digits() -> None:
    """Metrics that differ in their third decimal look different; ages and other columns of the account stay short."""
    frame = pd.DataFrame({"test/nll": [1.30392, 1.30192, 0.00001, 12345.678], "age_days": [1.30392, 2.0, 3.0, 4.0]})
    rows = format_rows(frame, ["test/nll", "age_days"], datetime.now(UTC))
    assert [row[0][0] for row in rows] == ["1.304", "1.302", "1e-05", "12,345.7"]
    assert rows[0][1][0] == "1.3"
