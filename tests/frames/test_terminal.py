"""Frames as tables on a terminal: no line wider than it, rows that differ, and sizes and times as people read them."""

from __future__ import annotations

import io
import re
import unicodedata
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from tests.frames.test_text import frames, is_harmless
from tinker_frames.frames import terminal
from tinker_frames.frames.humanize import humanize_column, label_columns, list_short_forms
from tinker_frames.schema.paths import to_pattern


def print_lines(shown: Any, width: int) -> list[str]:
    """Return the lines printed to a terminal of this width."""
    out = io.StringIO()
    Console(file=out, width=width, force_terminal=False, highlight=False, markup=False, emoji=False).print(shown)
    return out.getvalue().split("\n")[:-1]


@settings(max_examples=70)
@given(frame=frames(), width=st.integers(40, 240))
def test_a_table_is_never_wider_than_the_terminal(frame: pd.DataFrame, width: int) -> None:
    """Any table has one line per row, none wider than the terminal or with a control character."""
    lines = print_lines(terminal.render_table(frame, width=width), width)
    assert max(map(cell_len, lines)) <= width
    assert all(map(is_harmless, lines))
    rule = max(place for place in (1, 2) if set(lines[place].strip()) == {"─"})  # a column can be named so, too
    assert len(frame) <= len(lines) - rule - 1 <= len(frame) + 1


@settings(max_examples=21)
@given(text=st.text("名前検証한국日本語", min_size=1, max_size=200), width=st.integers(40, 120))
def test_wide_characters_count_twice(text: str, width: int) -> None:
    """Wide characters count as two columns."""
    frame = pd.DataFrame({"name": [text, "😀" * 100], "size": [1.5, 2.5]})
    for line in print_lines(terminal.render_table(frame, width=width), width):
        assert sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in line) <= width


@settings(max_examples=35)
@given(frame=frames(), width=st.integers(60, 240))
def test_folded_loses_nothing(frame: pd.DataFrame, width: int) -> None:
    """Folded cells fit the terminal, and single words are not broken."""
    frame = frame.iloc[:, :3]
    lines = print_lines(terminal.render_folded(frame), width)
    assert all(cell_len(line) <= width and is_harmless(line) for line in lines)


def test_folded_text_can_be_put_together() -> None:
    """Text that is too long for a line continues on the next one, and nothing is cut."""
    text = "x" * 300
    lines = print_lines(terminal.render_folded(pd.DataFrame({"what": ["latency"], "detail": [text]})), 60)
    assert "".join(lines).replace(" ", "").removeprefix("latency") == text


@pytest.mark.parametrize("width", [40, 80, 120, 200])
def test_columns_without_room_are_left_out(shared_client: Any, width: int) -> None:
    """A narrow terminal shows as many of the first columns as are readable, and the number of the others."""
    frame = shared_client.inventory().head(20)
    lines = print_lines(terminal.render_table(frame, width=width), width)
    count = terminal.count_columns_shown(frame, width)
    assert max(map(cell_len, lines)) <= width
    assert len(lines) <= 20 + 5
    assert 1 <= count < len(frame.columns)
    heads = lines[1].split()
    assert len(heads) == count
    for head, name in zip(heads, label_columns(list(frame.columns)), strict=False):
        assert head == name or len(head) >= terminal.NARROW
        assert head.split("…")[0] == name[: len(head.split("…")[0])]


def test_short_columns_are_whole() -> None:
    """When space is short, short columns stay complete and long texts are shortened in the middle."""
    long = "tinker://5b1f0c9e-2d7a-5c44-9f1b-7a3c1e2d4f60:train:0/sampler_weights/step-000400"
    frame = pd.DataFrame({"tinker_path": [long], "size_gb": [1.5], "public": [True]})
    (row,) = print_lines(terminal.render_table(frame, width=60), 60)[3:4]
    assert "/step-000400" in row
    assert "…" in row
    assert row.split()[-3:] == ["1.50", "GB", "yes"]
    assert terminal.is_shortened(frame, 60)
    wide = print_lines(terminal.render_table(frame, width=200), 200)
    assert any(long in line for line in wide)
    assert not terminal.is_shortened(frame, 200)


@pytest.mark.parametrize("width", [60, 80, 120])
def test_rows_of_different_checkpoints_differ(shared_client: Any, width: int) -> None:
    """However narrow a terminal is, no two checkpoints have the same text, and each text stands for the path that it was made of."""
    paths = shared_client.checkpoints()["tinker_path"]
    lines = print_lines(terminal.render_table(paths.to_frame(), width=width), width)[3:-1]
    assert len({line.strip() for line in lines}) == len(paths)
    for line, path in zip(lines, paths, strict=True):
        assert re.fullmatch(to_pattern(line.strip()), path)


def test_short_forms_keep_runs_apart() -> None:
    """Two runs of one session, and two ids that begin with the same digits, keep the part in which they differ."""
    uuid = "5b1f0c9e-2d7a-5c44-9f1b-7a3c1e2d4f60"
    runs = [f"tinker://{uuid}:train:{n}/weights/final" for n in (0, 1)]
    assert list_short_forms(runs)[-1] == [f"5b1f0c9e…:{n}/w…/final" for n in (0, 1)]
    assert list_short_forms([uuid, uuid.replace("2d7a", "2d7b")])[-1] == ["5b1f0c9e-2d7a…", "5b1f0c9e-2d7b…"]
    assert list_short_forms(["model_1a2b", "model_1a2c"]) == [["model_1a2b", "model_1a2c"]]


def test_values_as_people_read_them() -> None:
    """Times are ages, sizes and days have a unit, and their columns are called as in queries; without a unit a name stays."""
    now = datetime.now(UTC)
    frame = pd.DataFrame(
        {
            "time": pd.to_datetime([now - timedelta(days=3, hours=1), None]),
            "expires_at": pd.to_datetime([now + timedelta(hours=5, minutes=1), None]),
            "size_gb": [0.0075, float("nan")],
            "size_bytes": pd.array([7_500_000, None], dtype="Int64"),
            "age_days": [3.04, float("nan")],
            "expires_in_days": [-0.5, float("nan")],
            "storage_usd_month": [1234.5, float("nan")],
        }
    )
    cells = {name: humanize_column(frame[name], now) for name in frame}
    assert {row[1] for row in cells.values()} == {"-"}
    assert [row[0] for row in cells.values()] == [
        "3 d ago",
        "in 5 h",
        "7.50 MB",
        "7.50 MB",
        "3 d",
        "-12 h",
        "$1,234.50",
    ]
    assert label_columns(list(frame))[2:5] == ["size_gb", "size_bytes", "age"]
    assert label_columns(list(frame))[-1] == "$/month"
    day = pd.Series(pd.to_datetime([now + timedelta(days=1) - timedelta(seconds=9)]))
    assert humanize_column(day, now) == ["in 1 d"], "a time that was a day ahead when it was computed still is"


def test_columns_to_keep_are_put_forward_only_where_there_is_no_room() -> None:
    """A narrow table has them behind its first column; a wide one is as it was."""
    frame = pd.DataFrame({name: ["some text"] for name in ("first", "second", "third", "test/nll")})
    assert list(terminal.put_forward(frame, ["test/nll"], 200)) == list(frame)
    assert list(terminal.put_forward(frame, ["test/nll"], 30)) == ["first", "test/nll", "second", "third"]
    assert list(terminal.put_forward(frame, [], 30)) == list(frame)


def test_the_accessor_prints_a_table(shared_client: Any) -> None:
    """`print(df.tinker)` shows what matters first of any frame, in lines that fit, with what is known of its listing."""
    for frame in (shared_client.checkpoints(), shared_client.training_runs(), shared_client.find("nightly")):
        lines = terminal.format_frame(frame, 80).splitlines()
        assert max(map(cell_len, lines[:-1])) <= 80
        assert lines[0].split()[0] in ("tinker_path", "training_run_id", "table")
        assert f"{len(frame):,} rows" in lines[-1] or f"{len(frame)} of" in lines[-1]
    outcomes = pd.DataFrame({"tinker_path": ["tinker://a/weights/b"], "attempts": [1], "outcome": ["failed"]})
    assert str(outcomes.tinker).split()[:3] == ["outcome", "tinker_path", "attempts"]
    plan = shared_client.checkpoints().head(3).tinker.expire()
    assert str(plan.frame.tinker).split()[:2] == ["verdict", "reason"]
    assert str(plan.frame.tinker).splitlines()[-1].startswith("3 rows")
