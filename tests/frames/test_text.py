"""Frames as text: no control characters, and no line wider than the terminal."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinker_frames.frames import text as frame_text

WILD = st.text(
    st.one_of(
        st.characters(),
        st.characters(categories=("Cc", "Cf", "Cs", "Zl", "Zp")),
        st.sampled_from("名前検証한국می😀👩🏽e\u0301\u200c\u200d\u202e\u2066[]/\\:…─│ \x1b\x9b"),
    ),
    max_size=60,
)
CONTROL = {*map(chr, range(0x20)), *map(chr, range(0x7F, 0xA0)), *map(chr, range(0x200B, 0x2010)), *map(chr, range(0x2028, 0x202F)),
           *map(chr, range(0x2060, 0x2070)), "\ufeff", "\u061c"}  # fmt: skip
CELLS = st.one_of(WILD, st.none(), st.booleans(), st.integers(), st.floats(), st.tuples(WILD, WILD))


def is_harmless(text: str) -> bool:
    """Return whether text has only printable characters and joiners, which `escape_control_characters` keeps in some scripts."""
    return text.replace("\u200c", "").replace("\u200d", "").isprintable()


@settings(max_examples=105)
@given(text=WILD)
def test_visible_holds_nothing_that_a_terminal_obeys(text: str) -> None:
    """Rendered text is printable and encodable, and printable text is unchanged."""
    text = text.replace("\u200c", "").replace("\u200d", "")
    shown = frame_text.escape_control_characters(text)
    assert shown.isprintable()
    assert not CONTROL & set(shown)
    shown.encode("utf-8")
    assert (shown == text) == text.isprintable()
    assert frame_text.escape_control_characters(shown) == shown


def test_joiners_are_kept_where_scripts_and_emoji_need_them() -> None:
    """Persian words and emoji of several parts are shown as they are; a joiner elsewhere, and every other invisible character, is escaped."""
    for kept in (
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
        "\U0001f469\u200d\U0001f52c",
        "\u2764\ufe0f\u200d\U0001f525",
    ):
        assert frame_text.escape_control_characters(f"run {kept} 1") == f"run {kept} 1"
    for hidden in (
        "fin\u200dal",
        "\u200d\u0645",
        "\u0645\u200c",
        "\u0645\u200c\u200c\u0645",
        "\u0645\u202e\u0645",
        "\u0645\u200b\u0645",
    ):
        assert "\\u20" in frame_text.escape_control_characters(hidden), ascii(hidden)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("plain", "plain"), ("", ""), ("\x1b[31m", r"\x1b[31m"), ("a\nb", r"a\nb"), ("\u202e", r"\u202e"), ("\ud800", r"\ud800"),
        ("名前", "名前"), ("[red]", "[red]"), (None, "-"), (pd.NA, "-"), (pd.NaT, "-"), (float("nan"), "-"), (np.nan, "-"),
        (True, "yes"), (False, "no"), (np.bool_(True), "yes"), (np.False_, "no"),
        (pd.Timestamp("2026-01-02T03:04:59.9Z"), "2026-01-02 03:04"), (1234.56, "1,234.6"), (-0.04, "-0.0"), (np.float64(1e6), "1,000,000.0"),
        (float("inf"), "inf"), (5, "5"), (2**63 - 1, "9223372036854775807"), (np.int64(7), "7"), (("a", "b\n"), r"a, b\n"), ((), ""),
    ],
)  # fmt: skip
def test_a_cell_of_every_kind(value: Any, shown: str) -> None:
    """Times are rounded to the minute, floats to one decimal, integers are exact, booleans yes and no, lists comma-separated, NA a dash."""
    assert frame_text.format_cell(value) == shown


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ([1234.5, None], ["1,234.50", "-"]),
        ([3, 4], ["3.00", "4.00"]),
        (["x", None], ["x", "-"]),
        ([True, False], ["yes", "no"]),
    ],
)
@pytest.mark.parametrize("name", ["_usd", "meta.cost_usd", "storage_usd_month"])
def test_dollars_have_cents_and_anything_else_in_their_column_is_shown(
    name: str, values: list[Any], shown: list[str]
) -> None:
    """A column that is named for dollars shows numbers with cents, and other values, such as those of metadata, as they are."""
    assert frame_text.format_column(pd.Series(values, name=name)) == shown


def test_the_sign_of_a_credit_is_before_its_dollars() -> None:
    """Negative dollars are `-$1.50`, and less than half a cent is zero without a sign."""
    assert [frame_text.format_dollars(amount) for amount in (1234.5, -1.5, -0.001)] == ["$1,234.50", "-$1.50", "$0.00"]


def test_a_frame_of_every_kind(shared_client: Any) -> None:
    """Cells of real frames never show nan, <NA>, NaT, None or True."""
    for frame in (shared_client.sessions(details=True), shared_client.checkpoints(), shared_client.training_runs()):
        words = {cell for line in frame_text.render_lines(frame).split("\n")[1:] for cell in line.split("\t")}
        assert not words & {"nan", "<NA>", "NaT", "None", "True", "False"}


@st.composite
def frames(draw: st.DrawFn) -> pd.DataFrame:
    """Frames of up to eight columns and a few rows with arbitrary values."""
    names = draw(st.lists(WILD, min_size=1, max_size=8, unique=True))
    rows = draw(st.integers(0, 4))
    columns = {name: draw(st.lists(CELLS, min_size=rows, max_size=rows)) for name in names}
    frame = pd.DataFrame({place: pd.Series(values, dtype="object") for place, values in enumerate(columns.values())})
    frame.columns = pd.Index(names, dtype="object")
    return frame


@settings(max_examples=35)
@given(frame=frames())
def test_lines_keep_every_row_and_cell(frame: pd.DataFrame) -> None:
    """Tab-separated output has a header and a line per row with a cell for every column."""
    lines = frame_text.render_lines(frame).split("\n")
    assert lines.pop() == ""
    assert len(lines) == len(frame) + 1
    for line in lines:
        cells = line.split("\t")
        assert len(cells) == len(frame.columns)
        assert all(map(is_harmless, cells))


def describe_frame(frame: pd.DataFrame, **about: Any) -> str:
    """Return the summary of a frame with this report."""
    frame.attrs["tinker"] = {"complete": True, "from_cache": False, "age_s": 0.2, "lacks": []} | about
    return frame_text.summarize(frame)


def test_the_summary_says_what_is_known() -> None:
    """The summary has rows and gigabytes, and says whether the listing is complete, where it is from, and what is missing."""
    frame = pd.DataFrame({"size_gb": [1.0, float("nan"), 1233.5]})
    assert describe_frame(frame) == "3 rows, 1,234.5 GB, complete, read now"
    assert describe_frame(frame, complete=False).endswith("NOT PROVED COMPLETE, read now")
    assert describe_frame(frame, rows=575).startswith("3 of 575 rows, 1,234.5 GB, listing complete")
    assert describe_frame(frame, complete=False, problems=[], rows=3, total=575).startswith("3 of 575 rows")
    assert "listing limited" in describe_frame(frame, complete=False, problems=[], total=575)
    assert describe_frame(frame, from_cache=True, age_s=61.7).endswith("read 62 s ago from the cache")
    assert describe_frame(frame, lacks=["public", "base_model"]).endswith("this server does not fill public")
    assert describe_frame(frame.iloc[:0]).startswith("0 rows")


def test_the_summary_does_not_take_unknown_for_zero() -> None:
    """Without known sizes the summary names no size; a frame of unknown origin only has its row count."""
    assert describe_frame(pd.DataFrame({"size_gb": [float("nan")] * 2})) == "2 rows, complete, read now"
    assert frame_text.summarize(pd.DataFrame({"a": range(1500)})) == "1,500 rows"


def test_the_summary_of_a_limited_listing(shared_client: Any) -> None:
    """A limited, a cached and a complete listing each say so."""
    assert "complete, read now" in frame_text.summarize(shared_client.training_runs(refresh=True))
    assert "from the cache" in frame_text.summarize(shared_client.training_runs())
