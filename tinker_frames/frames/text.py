"""Frames as text for a terminal: columns that fit its width, readable numbers, no control characters."""

from __future__ import annotations

import re
from datetime import datetime
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from pandas.api.types import is_bool_dtype, is_numeric_dtype

from ..schema.columns import to_python

if TYPE_CHECKING:
    import pandas as pd
    from rich.table import Table as RichTable

ROWS_ON_SCREEN = 50
NOTHING = "-"
BETWEEN = 3  # characters from one column to the next
SHORT = 16  # columns up to this width are not cut as long as there is room
NARROW = 9  # the width of a shortened id; a column that is cut below it says nothing

# The official ids begin with one; its first eight digits tell rows of one account apart.
_UUID = re.compile(r"([0-9a-f]{8})-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def shorten_ids(text: str) -> str:
    """Return text with its ids cut to their first eight digits, which tell rows of one account apart."""
    return _UUID.sub(r"\1…", text)


def escape_control_characters(text: str) -> str:
    """Return text with everything that is not printable as an escape, so that no control code reaches the terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def count_nouns(number: int, noun: str) -> str:
    """Return a number of things: `1 row`, `1,200 rows`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def count_checkpoints(number: int) -> str:
    """Return a number of checkpoints: `1 checkpoint`, `1,200 checkpoints`."""
    return count_nouns(number, "checkpoint")


def format_cell(value: Any) -> str:
    """Return one value as people read it: times to the minute (UTC), floats to one decimal, yes and no."""
    value = to_python(value)
    if value is None:
        return NOTHING
    if isinstance(value, tuple):
        return escape_control_characters(", ".join(value))
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M")
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,.1f}" if isinstance(value, float) else escape_control_characters(str(value))


def render_table(frame: pd.DataFrame, title: str = "", *, width: int) -> RichTable:
    """Format a frame as a table with one line per row; to fit the terminal, ids are shortened first.

    Columns for which there is no room at all are left out from the right; `count_columns_shown` counts the others.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    frame = frame.iloc[:, : count_columns_shown(frame, width)]
    names = [escape_control_characters(str(name)) for name in frame.columns]
    rows = [[format_cell(value) for value in row] for row in frame.itertuples(index=False, name=None)]
    if not _fits(names, rows, width):
        rows = [[shorten_ids(text) for text in row] for row in rows]
    widths = _allot_widths(_measure_widths(names, rows), width)
    shown = Table(title=title or None, box=box.SIMPLE_HEAD, title_justify="left", pad_edge=False, title_style="bold")
    for name, original, room in zip(names, frame.columns, widths, strict=True):
        number = is_numeric_dtype(frame[original]) and not is_bool_dtype(frame[original])
        shown.add_column(
            Text(name), justify="right" if number else "left", no_wrap=True, overflow="ellipsis", width=room
        )
    for row in rows:
        shown.add_row(*(Text(_cut(text, room)) for text, room in zip(row, widths, strict=True)))
    return shown


def count_columns_shown(frame: pd.DataFrame, width: int) -> int:
    """Return how many columns `render_table` has room for at this width; the first one always has."""
    rows = [[format_cell(value) for value in row] for row in frame.itertuples(index=False, name=None)]
    needed = accumulate(
        min(room, NARROW) + BETWEEN
        for room in _measure_widths([escape_control_characters(str(n)) for n in frame.columns], rows)
    )
    return max(1, sum(1 for end in needed if end <= width))


def render_folded(frame: pd.DataFrame) -> RichTable:
    """Format a frame as a table; cells wider than their column are wrapped."""
    from rich.table import Table
    from rich.text import Text

    shown = Table.grid(padding=(0, 2))
    for _ in frame.columns:
        shown.add_column(overflow="fold")
    for row in frame.itertuples(index=False, name=None):
        shown.add_row(*(Text(format_cell(value)) for value in row))
    return shown


def is_shortened(frame: pd.DataFrame, width: int) -> bool:
    """Tell whether `render_table` cannot show ids whole at this width."""
    rows = [[format_cell(value) for value in row] for row in frame.itertuples(index=False, name=None)]
    return not _fits([str(name) for name in frame.columns], rows, width)


def render_lines(frame: pd.DataFrame) -> str:
    """Return a frame as tab-separated lines with a header, for pipes: every row, nothing cut."""
    rows = [[escape_control_characters(str(name)) for name in frame.columns]]
    rows += [[format_cell(value) for value in row] for row in frame.itertuples(index=False, name=None)]
    return "".join("\t".join(row) + "\n" for row in rows)


def summarize(frame: pd.DataFrame) -> str:
    """Return one line: how many rows of how many, gigabytes, whether the listing they are from is complete, and how old."""
    about = frame.attrs.get("tinker", {})
    listed = max(about.get("rows", 0), about.get("total") or 0)
    is_part = bool(about) and len(frame) < listed
    parts = [f"{len(frame):,} of {count_nouns(listed, 'row')}" if is_part else count_nouns(len(frame), "row")]
    if "size_gb" in frame.columns and (frame.empty or frame["size_gb"].notna().any()):  # not known is not zero
        parts.append(f"{frame['size_gb'].sum():,.1f} GB")
    if about:
        parts.append(f"listing {_describe_proof(about)}" if is_part else _describe_proof(about))
        parts.append(f"read {about['age_s']:.0f} s ago from the cache" if about["from_cache"] else "read now")
        missing = [name for name in about["lacks"] if name not in ("base_model", "sessions")]
        parts += ["this server has no sessions"] if "sessions" in about["lacks"] else []
        parts += [f"this server does not fill {', '.join(missing)}"] if missing else []
    return ", ".join(parts)


def list_doubts(about: dict[str, Any]) -> list[str]:
    """Return why rows may be missing from a listing, of what its frame says of itself."""
    return [escape_control_characters(p["problem"]) for p in about.get("problems", ()) if p["column"] is None]


def _describe_proof(about: dict[str, Any]) -> str:
    """Return whether every row is there, may be missing, or was left out by a limit."""
    if about["complete"]:
        return "complete"
    return "limited" if "problems" in about and not list_doubts(about) else "NOT PROVED COMPLETE"


def _cut(text: str, room: int) -> str:
    """Cut text in the middle: ids differ at their ends, where the name of a checkpoint stands."""
    if len(text) <= room or room < 8:
        return text
    end = room * 2 // 3
    return f"{text[: room - end - 1]}…{text[-end:]}"


def _fits(names: list[str], rows: list[list[str]], width: int) -> bool:
    """Tell whether every cell can be shown whole."""
    widest = _measure_widths(names, rows)
    return sum(widest) + BETWEEN * len(widest) <= width


def _measure_widths(names: list[str], rows: list[list[str]]) -> list[int]:
    from rich.cells import cell_len

    return [max(cell_len(row[place]) for row in [names, *rows]) for place in range(len(names))]


def _allot_widths(widest: list[int], width: int) -> list[int]:
    """Return the width of each column: short ones get what they need, long ones share the rest."""
    given = dict.fromkeys(range(len(widest)), 1)
    left, waiting = width - BETWEEN * len(widest), sorted(range(len(widest)), key=widest.__getitem__)
    for turn, place in enumerate(waiting):
        later = sum(min(widest[other], NARROW) for other in waiting[turn + 1 :])
        fair = max(left // (len(widest) - turn), min(SHORT, left - later))
        given[place] = max(1, min(widest[place], fair))
        left -= given[place]
    return [given[place] for place in range(len(widest))]
