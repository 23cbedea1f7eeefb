"""Frames as tables on a terminal: columns that fit its width, ids that still differ, human-readable times and sizes."""

from __future__ import annotations

import re
from io import StringIO
from itertools import accumulate
from typing import TYPE_CHECKING, Any, NamedTuple

from pandas.api.types import is_bool_dtype, is_numeric_dtype

from ..schema.catalog import FOUND, TABLES, known_columns
from ..schema.paths import starts_with_scheme
from .humanize import humanize_column, label_columns, list_short_forms, shorten_ids
from .text import DOLLARS, SUMMED, describe_sum, escape_control_characters, format_cell, list_doubts, summarize

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from rich.table import Table as RichTable

ROWS_ON_SCREEN = 50
BETWEEN = 2  # characters from one column to the next
EDGES = 2  # characters at both ends of a line
SHORT = 16  # free text up to this width is not cut as long as there is room
NARROW = 9  # a column that is cut below it says nothing
MOST_ADDED = 3  # columns that stand before those of the table, behind its first one
_MODEL = "model"
COUNTS = ("unpriced_events", "tokens", "events")  # of costs, which a narrow terminal shows last
NAMED = {"session_id": "display_name", "user_id": "user_name"}  # the columns of names beside ids of groups
LEADING = (
    "verdict",
    "outcome",
    "error",
    "reason",
    "tinker_path",
    "training_run_id",
    "session_id",
)  # of other frames, as outcomes are


class Cells(NamedTuple):
    """A column as text: its name, its cells in forms of which the first is whole, and whether they are numbers or may be cut."""

    label: str
    forms: list[list[str]]
    is_number: bool
    is_cut: bool

    @property
    def widths(self) -> list[int]:
        """The width of each form, which the name needs too."""
        from rich.cells import cell_len

        least = cell_len(self.label)
        return [max([least, *map(cell_len, form)]) for form in self.forms]

    @property
    def least(self) -> int:
        """The width below which rows could look the same, or the column says nothing; a long name is cut first."""
        from rich.cells import cell_len

        if self.is_cut:
            return min(self.widths[-1], NARROW)
        return max([min(cell_len(self.label), NARROW), *map(cell_len, self.forms[-1])])


def render_table(frame: pd.DataFrame, title: str = "", *, width: int) -> RichTable:
    """Format a frame as a table with one line per row; to fit the terminal, ids are shortened first.

    Columns for which there is no room at all are left out from the right; `count_columns_shown` counts the others.
    """
    columns = _list_cells(frame)
    columns = columns[: _count_fitting(columns, width)]
    return _build_table(columns, _allot_widths(columns, width), title)


def render_full(frame: pd.DataFrame) -> tuple[RichTable, int]:
    """Format a frame as a table in which nothing is cut, and return its width."""
    columns = _list_cells(frame)
    rooms = [cells.widths[0] for cells in columns]
    return _build_table(columns, rooms, ""), sum(rooms) + BETWEEN * len(rooms) + EDGES


def render_text(frame: pd.DataFrame, width: int) -> list[str]:
    """Return the lines of `render_table`, without blank ones and blanks at their ends."""
    from rich.console import Console

    with StringIO() as page:
        options = {"force_terminal": False, "color_system": None, "highlight": False, "markup": False, "emoji": False}
        Console(file=page, width=width, **options).print(render_table(frame, width=width))  # type: ignore[arg-type]
        return [line.rstrip() for line in page.getvalue().split("\n") if line.strip()]


def format_frame(frame: pd.DataFrame, width: int | None = None) -> str:
    """Return the first rows of any frame as text: the columns that its table shows first, and what is known of its listing."""
    from shutil import get_terminal_size

    width = width or get_terminal_size().columns
    about = frame.attrs.get("tinker") or {}
    is_cost = set(SUMMED) <= set(frame.columns)
    shown = arrange_costs(frame) if is_cost else frame[_order_columns(frame, str(about.get("table")))]
    sums = [describe_sum(frame)] if is_cost else []
    lines = render_text(shown.head(ROWS_ON_SCREEN), width)
    return "\n".join([*lines, summarize(frame), *sums, *list_doubts(about)])


def arrange_costs(costs: pd.DataFrame) -> pd.DataFrame:
    """Return costs with dollars before counts, NA of the first group in words, and without metadata, ids beside a name and empty columns."""
    first = str(costs.columns[0])
    label = NAMED[first] if first == "user_id" and "user_name" in costs else first
    none = f"no {first.removesuffix('_id').replace('_', ' ')}"
    costs = costs.assign(**{label: costs[label].astype(object).where(costs[first].notna(), none)})
    hidden = {"user_metadata", *(key for key, name in NAMED.items() if name in costs and first != "session_id")}
    known = [name for name in costs if name not in hidden and (costs[name].notna().any() or name == "cost_usd")]
    counts = [name for name in COUNTS if name in known]
    dollars = [name for name in known if str(name).endswith(DOLLARS)]
    return costs[[*(name for name in known if name not in counts and name not in dollars), *dollars, *counts]]


def _order_columns(frame: pd.DataFrame, table: str) -> list[str]:
    """Return the columns that matter of a frame: of a table, those that it shows, and what was added, e.g. metrics; else all."""
    known = (TABLES | {FOUND.name: FOUND}).get(table)
    brief = [name for name in (known.brief if known else LEADING) if name in frame.columns]
    if known is None:
        return list(dict.fromkeys([*brief, *frame.columns]))
    added = [name for name in frame.columns if name not in known_columns() and not str(name).startswith("meta.")]
    return [*brief[:1], *added[:MOST_ADDED], *brief[1:], *added[MOST_ADDED:]]


def count_columns_shown(frame: pd.DataFrame, width: int) -> int:
    """Return how many columns `render_table` has room for at this width; the first one always has."""
    return _count_fitting(_list_cells(frame), width)


def put_forward(frame: pd.DataFrame, keep: Sequence[str], width: int) -> pd.DataFrame:
    """Return the frame with columns to keep behind the first one, if `render_table` had no room for them where they are."""
    names = list(frame.columns)
    if not set(keep) - set(names[: count_columns_shown(frame.head(ROWS_ON_SCREEN), width)]):
        return frame
    return frame[list(dict.fromkeys([names[0], *keep, *names]))]


def is_shortened(frame: pd.DataFrame, width: int) -> bool:
    """Tell whether `render_table` cannot show every cell whole at this width."""
    widest = [cells.widths[0] for cells in _list_cells(frame)]
    return sum(widest) + BETWEEN * len(widest) + EDGES > width


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


def _list_cells(frame: pd.DataFrame) -> list[Cells]:
    labels = [escape_control_characters(label) for label in label_columns(list(frame.columns))]
    return [_to_cells(label, frame.iloc[:, place]) for place, label in enumerate(labels)]


def _to_cells(label: str, values: pd.Series[Any]) -> Cells:
    texts = humanize_column(values)
    is_free = values.dtype == object or not (is_numeric_dtype(values.dtype) or values.dtype.kind == "M")
    if any(starts_with_scheme(text) or shorten_ids(text) != text for text in texts[:100]):
        return Cells(label, list_short_forms(texts), is_number=False, is_cut=False)
    forms = [texts]
    if label.endswith(_MODEL):  # what tells models apart is behind their organization
        forms.append([re.sub(r"^[^/]+/(?=.)", "…/", text) for text in texts])
    return Cells(label, forms, _is_number(values), is_cut=bool(is_free and label))  # bars have no label


def _is_number(values: pd.Series[Any]) -> bool:
    return bool(is_numeric_dtype(values) and not is_bool_dtype(values))


def _count_fitting(columns: list[Cells], width: int) -> int:
    needed = accumulate(cells.least + BETWEEN for cells in columns)
    return max(1, sum(1 for end in needed if end + EDGES <= width))


def _allot_widths(columns: list[Cells], width: int) -> list[int]:
    """Return the width of each column: all get the least, then short texts, ids and long texts what they need, in this order."""
    rooms = [cells.least for cells in columns]
    left = width - EDGES - BETWEEN * len(columns) - sum(rooms)
    for limit, is_cut in ((SHORT, True), (width, False), (width, True)):
        for place, cells in enumerate(columns):
            wanted = [min(each, limit) for each in cells.widths] if cells.is_cut == is_cut else []
            room = max([rooms[place], *(each for each in wanted if each - rooms[place] <= left)])
            if is_cut and wanted:  # text may be cut anywhere
                room = max(room, min(wanted[0], rooms[place] + max(left, 0)))
            left, rooms[place] = left - (room - rooms[place]), room
    return [max(1, min(room, width - EDGES - BETWEEN)) for room in rooms]


def _build_table(columns: list[Cells], rooms: list[int], title: str) -> RichTable:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    shown = Table(
        title=title or None, box=box.SIMPLE_HEAD, title_justify="left", padding=(0, 1, 0, 0), title_style="bold"
    )
    for cells, room in zip(columns, rooms, strict=True):
        side = "right" if cells.is_number else "left"
        shown.add_column(Text(cells.label), justify=side, no_wrap=True, overflow="ellipsis", width=room)  # type: ignore[arg-type]
    texts = [_pick_form(cells, room) for cells, room in zip(columns, rooms, strict=True)]
    for row in zip(*texts, strict=True):
        shown.add_row(*(Text(text) for text in row))
    return shown


def _pick_form(cells: Cells, room: int) -> list[str]:
    """Return the longest form of the cells that fits, else the shortest, cut: ids in the middle, models at their beginning, other text at its end."""
    form = next((f for f, width in zip(cells.forms, cells.widths, strict=True) if width <= room), cells.forms[-1])
    if not cells.is_cut:
        return [_cut(text, room) for text in form]
    return [f"…{text[1 - room :]}" if len(text) > room else text for text in form] if len(cells.forms) > 1 else form


def _cut(text: str, room: int) -> str:
    """Cut text in the middle: ids differ at their ends, where the name of a checkpoint stands."""
    if len(text) <= room or room < 8:
        return text
    end = room * 2 // 3
    return f"{text[: room - end - 1]}…{text[-end:]}"
