"""Format rows for the grid: the text, tooltip and mark of each cell; pure."""

from __future__ import annotations

from numbers import Integral
from typing import TYPE_CHECKING, Any

from pandas.api import types

from ..frames.humanize import LABELS, format_moment, format_size
from ..frames.text import DOLLARS, escape_control_characters, format_dollars
from ..schema.catalog import known_columns
from .messages import Cell, Column

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    import pandas as pd

NOTHING = "–"  # what stands for NA; the browser has the same
LONGEST = 240  # characters of a cell; the rest can be copied
SOON_S = 7 * 86_400
WIDEST_NAME = 152  # pixels up to which a column is widened for its name
WIDTHS = {"text": 120, "id": 210, "model": 150, "number": 84, "time": 100, "bool": 84, "category": 96}
MARKED = {"corrupted": 112, "status": 130, "session_status": 130}  # wide enough for "✕ corrupted" and "client_finished"
SIZES = ("size_gb", "session_size_gb", "size_bytes", "checkpoint_storage_bytes")


def kind_of(frame: pd.DataFrame, name: str) -> str:
    """Return the display kind of a column: text, id, model, number, time, bool or category."""
    values = frame[name]
    if types.is_bool_dtype(values.dtype):
        return "bool"
    if types.is_numeric_dtype(values.dtype):
        return "number"
    if types.is_datetime64_any_dtype(values.dtype):
        return "time"
    if name.endswith("base_model"):
        return "model"
    if isinstance(values.dtype, pd_categorical()):
        return "category"
    return "id" if name.endswith(("_path", "_id")) and name != "project_id" else "text"


def pd_categorical() -> type:
    """Return the dtype of categories; pandas is imported when it is needed."""
    import pandas as pd

    return pd.CategoricalDtype


def describe_column(frame: pd.DataFrame, name: str) -> Column:
    """Return how a column is shown: kind, alignment, width in pixels and description."""
    kind = kind_of(frame, name)
    column = known_columns().get(name.removeprefix("last_checkpoint_")) or known_columns().get(name)
    named = f"{name}: " if name in LABELS else ""
    return {
        "id": name,
        "label": LABELS.get(name) or escape_control_characters(name),
        "kind": kind,
        "align": "right" if kind == "number" else "left",
        "width": _width(name, kind),
        "doc": "" if column is None else f"{named}{column.doc} ({column.dtype})",
    }


def _width(name: str, kind: str) -> int:
    """Return the width in pixels that values of a kind, or the name with its sort mark, need."""
    extra = 34 if name.endswith("expires_at") else 14 if name in SIZES else 0
    return max(WIDTHS[kind] + extra, MARKED.get(name, 0), min(WIDEST_NAME, 7 * len(LABELS.get(name, name)) + 32))


def format_rows(frame: pd.DataFrame, columns: list[str], now: datetime) -> list[list[Cell]]:
    """Return the cells of some rows, row by row: text, `[text, tooltip]` or `[text, tooltip, mark]`."""
    columns_of_cells = [_column(frame, name, now) for name in columns]
    return (
        [list(row) for row in zip(*columns_of_cells, strict=True)]
        if columns_of_cells
        else [[] for _ in range(len(frame))]
    )


def _column(frame: pd.DataFrame, name: str, now: datetime) -> list[Cell]:
    kind = kind_of(frame, name)
    values = [None if missing else value for value, missing in zip(frame[name], frame[name].isna(), strict=True)]
    if name in SIZES and kind == "number":
        factor = 10**9 if name.endswith("_gb") else 1
        return [_size(value, factor) for value in values]
    if kind == "time":
        cells = [_time(value, now, is_end=name.endswith("expires_at")) for value in values]
        if name != "expires_at" or "expiry_unknown" not in frame:
            return cells
        unknown = frame["expires_at"].isna() & frame["expiry_unknown"].fillna(True).astype(bool)
        return [_NO_EXPIRY_KNOWN if odd else cell for cell, odd in zip(cells, unknown, strict=True)]
    if kind == "bool":
        return [_flag(value, name) for value in values]
    if kind == "number":
        form = format_number if name in known_columns() else format_measure
        return [_dollars(value) if name.endswith(DOLLARS) else _number(value, form) for value in values]
    return [_FAILED if value == "failed" and name in ("status", "session_status") else _text(value) for value in values]


def exact_text(cell: Any, kind: str) -> str:
    """Return the text of a cell that is read later or elsewhere: a time as it was, not how long ago it was."""
    text, title = cell[:2] if isinstance(cell, list) else (str(cell), "")
    return title if kind == "time" and title[:1].isdigit() else text or NOTHING


def _size(value: Any, factor: int) -> Cell:
    if value is None:
        return ""
    if isinstance(value, Integral):  # a float would round the largest
        return [format_size(int(value) * factor), f"{int(value) * factor:,} bytes"]
    return [format_size(float(value) * factor), f"{float(value) * factor:,.0f} bytes"]


_FAILED: Cell = ["✕ failed", "", "failed"]
_NO_EXPIRY_KNOWN: Cell = ["not known", "it has an expiry that cannot be read", "soon"]


def _time(value: Any, now: datetime, *, is_end: bool) -> Cell:
    if value is None:
        return ["never", "it has no expiry", "muted"] if is_end else ""
    stamp = value.tz_convert("UTC") if value.tzinfo is not None else value.tz_localize("UTC")
    seconds = (now - stamp.to_pydatetime(warn=False)).total_seconds()
    text, exact = format_moment(seconds), f"{stamp:%Y-%m-%d %H:%M:%S} UTC"
    if is_end and seconds >= 0:
        return [f"✕ expired {text}", exact, "failed"]
    if is_end and -seconds <= SOON_S:
        return [f"⚠ soon, {text}", exact, "soon"]
    return [text, exact]


def _flag(value: Any, name: str) -> Cell:
    if value is None:
        return ["not known", "the server did not say whether it is public", "soon"] if name == "public" else ""
    if name == "public":
        return ["◉ public", "any Tinker user may load it", "public"] if value else ["private", "", "muted"]
    if name in ("corrupted", "run_corrupted"):
        return ["✕ corrupted", "it failed for good", "failed"] if value else ["no", "", "muted"]
    return "yes" if value else ["no", "", "muted"]


def _number(value: Any, form: Callable[[float], str]) -> Cell:
    if value is None:
        return ""
    if isinstance(value, Integral):
        return f"{int(value):,}"
    text = form(float(value))
    return text if float(value).is_integer() and abs(value) < 1e15 else [text, repr(float(value))]


def _dollars(value: Any) -> Cell:
    """Return dollars and cents, and how many they are exactly."""
    if value is None:
        return ""
    amount = float(value)
    return [format_amount(amount), f"{'-' if amount < 0 else ''}${abs(amount)!r}"]


def format_amount(amount: float | None) -> str:
    """Return dollars and cents; what is not priced is not zero."""
    if amount is None:
        return NOTHING
    return "<$0.01" if 0 < amount < 0.005 else format_dollars(amount)


def format_number(value: float) -> str:
    """Return a number as short text: a whole one in full, another with one decimal."""
    if value.is_integer() and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:,.1f}" if 0.05 <= abs(value) < 1e15 else f"{value:.2g}"


def format_measure(value: float) -> str:
    """Return a number of the user's own, such as a metric, as short text: with four digits that count, as losses differ in the last ones."""
    return format_number(value) if value.is_integer() or abs(value) >= 1000 else f"{value:.4g}"


def _text(value: Any) -> Cell:
    if value is None:
        return ""
    text = escape_control_characters(", ".join(map(str, value)) if isinstance(value, tuple) else str(value))
    return text if len(text) <= LONGEST else [text[:LONGEST] + "…", text[: LONGEST * 8]]
