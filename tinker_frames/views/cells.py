"""Format rows for the grid: the text, tooltip and mark of each cell; pure."""

from __future__ import annotations

import math
from numbers import Integral
from typing import TYPE_CHECKING, Any

from pandas.api import types

from ..frames.text import escape_control_characters
from ..schema.catalog import known_columns
from ..schema.durations import format_duration
from .messages import Cell, Column

if TYPE_CHECKING:
    from datetime import datetime

    import pandas as pd

LONGEST = 240  # characters of a cell; the rest can be copied
SOON_S = 7 * 86_400
WIDEST_NAME = 164  # pixels up to which a column is widened for its name
WIDTHS = {"text": 136, "id": 250, "number": 80, "time": 148, "bool": 94, "category": 96}
SIZES = ("size_gb", "session_size_gb", "size_bytes", "checkpoint_storage_bytes")


def kind_of(frame: pd.DataFrame, name: str) -> str:
    """Return the display kind of a column: text, id, number, time, bool or category."""
    values = frame[name]
    if types.is_bool_dtype(values.dtype):
        return "bool"
    if types.is_numeric_dtype(values.dtype):
        return "number"
    if types.is_datetime64_any_dtype(values.dtype):
        return "time"
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
    return {
        "id": name,
        "label": escape_control_characters(name),
        "kind": kind,
        "align": "right" if kind == "number" else "left",
        "width": _width(name, kind),
        "doc": "" if column is None else f"{column.doc} ({column.dtype})",
    }


def _width(name: str, kind: str) -> int:
    """Return the width in pixels that values of a kind, or the name with its sort mark, need."""
    return max(WIDTHS[kind] + (24 if name.endswith("expires_at") else 0), min(WIDEST_NAME, 8 * len(name) + 44))


def format_rows(frame: pd.DataFrame, columns: list[str], now: datetime) -> list[list[Cell]]:
    """Return the cells of some rows, row by row: text, `[text, tooltip]` or `[text, tooltip, mark]`."""
    columns_of_cells = [_column(frame, name, now) for name in columns]
    return (
        [list(row) for row in zip(*columns_of_cells, strict=True)]
        if columns_of_cells
        else [[] for _ in range(len(frame))]
    )


def format_size(n_bytes: float | None) -> str:
    """Return a size in bytes with a unit (powers of 1000); empty if unknown."""
    if n_bytes is None or math.isnan(n_bytes):
        return ""
    for unit, factor in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if abs(n_bytes) >= factor * 0.9995:
            scaled = n_bytes / factor
            return f"{scaled:,.{0 if scaled >= 99.95 else 1 if scaled >= 9.995 else 2}f} {unit}"
    return f"{n_bytes:.0f} B"


def format_age(seconds: float) -> str:
    """Return how long ago, or how far ahead, a time is, in the largest fitting units."""
    length = abs(seconds)
    days, hours = divmod(int(length // 3600), 24)
    text = (
        f"{days} d {hours} h"
        if 0 < days < 10 and hours
        else f"{days} d"
        if days
        else format_duration(_round_down(length))
    )
    return f"in {text}" if seconds < 0 else f"{text} ago"


def _round_down(length_s: float) -> float:
    return length_s // 3600 * 3600 if length_s >= 3600 else length_s // 60 * 60 if length_s >= 60 else length_s // 1


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
    return [_number(value) if kind == "number" else _text(value) for value in values]


def _size(value: Any, factor: int) -> Cell:
    if value is None:
        return ""
    if isinstance(value, Integral):
        return [
            format_size(int(value) * factor),
            f"{int(value) * factor:,} bytes",
        ]  # a float would round the largest
    return [format_size(float(value) * factor), f"{float(value) * factor:,.0f} bytes"]


_NO_EXPIRY_KNOWN: Cell = ["not known", "it has an expiry that cannot be read", "soon"]


def _time(value: Any, now: datetime, *, is_end: bool) -> Cell:
    if value is None:
        return ["never", "it has no expiry", "muted"] if is_end else ""
    stamp = value.tz_convert("UTC") if value.tzinfo is not None else value.tz_localize("UTC")
    seconds = (now - stamp.to_pydatetime(warn=False)).total_seconds()
    text, hover = f"{stamp:%Y-%m-%d %H:%M}", f"{stamp:%Y-%m-%d %H:%M:%S} UTC, {format_age(seconds)}"
    if not is_end:
        return [text, hover]
    if seconds >= 0:
        return [f"✕ {text}", f"expired: {hover}", "soon"]
    return [f"⚠ {text}", f"expires: {hover}", "soon"] if -seconds <= SOON_S else [text, f"expires: {hover}"]


def _flag(value: Any, name: str) -> Cell:
    if value is None:
        return ["not known", "the server did not say whether it is public", "soon"] if name == "public" else ""
    if name == "public":
        return ["◉ public", "any Tinker user may load it", "public"] if value else ["private", "", "muted"]
    if name in ("corrupted", "run_corrupted"):
        return ["✕ yes", "it failed for good", "soon"] if value else ["no", "", "muted"]
    return "yes" if value else "no"


def _number(value: Any) -> Cell:
    if value is None:
        return ""
    if isinstance(value, Integral):
        return f"{int(value):,}"
    value = float(value)
    if value.is_integer() and abs(value) < 1e15:
        return f"{int(value):,}"
    return [f"{value:,.1f}" if 0.05 <= abs(value) < 1e15 else f"{value:.2g}", repr(value)]


def _text(value: Any) -> Cell:
    if value is None:
        return ""
    text = escape_control_characters(", ".join(map(str, value)) if isinstance(value, tuple) else str(value))
    return text if len(text) <= LONGEST else [text[:LONGEST] + "…", text[: LONGEST * 8]]
