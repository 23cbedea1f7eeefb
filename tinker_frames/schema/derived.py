"""Columns derived from other columns; pure.

Those that depend on their row alone are made from Arrow columns and stored with it; those that change with the clock are made
from the frame.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC
from typing import TYPE_CHECKING, Any

from .coerce import parse_object
from .columns import Kind, arrow_array, arrow_type, memory_pool
from .paths import OFFICIAL_ID, PATTERN, SCHEMES

if TYPE_CHECKING:
    from datetime import datetime

    import pandas as pd

Columns = dict[str, Any]
BYTES_PER_GB = 1e9
SECONDS_PER_DAY = 86_400

DIGITS = "0123456789"
PARTS_OF_PATH = 5  # at its slashes: scheme, nothing, run, segment and name
MOST_DIGITS = 18  # of a step: 64 bits hold no more


def run_of_path(source: str = "tinker_path") -> Callable[[Columns], Any]:
    """Return the training run id that a tinker path holds; null for what is not a path."""
    return lambda columns: _split_paths(columns, source)[0]


def name_of_path(source: str = "tinker_path") -> Callable[[Columns], Any]:
    """Return the last part of a tinker path."""
    return lambda columns: _split_paths(columns, source)[1]


def session_of_id(source: str) -> Callable[[Columns], Any]:
    """Return the session id that an official run id begins with; null for other ids."""

    def find(columns: Columns) -> Any:
        import pyarrow.compute as pc

        ids = pc.dictionary_encode(columns[source], memory_pool=memory_pool())  # a page has many rows and few runs
        return pc.take(_split_sessions_off(ids.dictionary), ids.indices, memory_pool=memory_pool())

    return find


def step_of_name(columns: Columns) -> Any:
    """Return the number at the end of a name; null if there is none, or one of more digits than 64 bits hold."""
    import pyarrow as pa
    import pyarrow.compute as pc

    names, pool = columns["name"], memory_pool()
    widths = pc.subtract(pc.binary_length(names), pc.binary_length(pc.ascii_rtrim(names, DIGITS, memory_pool=pool)))
    texts = pc.cast(names, pa.large_binary(), memory_pool=pool)
    digits = pa.nulls(len(names), texts.type, memory_pool=pool)
    for width in pc.unique(widths).to_pylist():  # few; to cut as many digits off all names is far faster than a match
        if width and width <= MOST_DIGITS:
            ends = pc.binary_slice(texts, -width, memory_pool=pool)
            digits = pc.if_else(pc.equal(widths, width), ends, digits, memory_pool=pool)
    return pc.cast(pc.cast(digits, names.type, memory_pool=pool), arrow_type("int"), memory_pool=pool)


def is_unread(field: str) -> Callable[[Columns], Any]:
    """Return whether a field was sent with a value that could not be read: such values stand in `extra`."""

    def find(columns: Columns) -> Any:
        import pyarrow.compute as pc

        extra = columns["extra"]
        named = pc.fill_null(pc.match_substring(extra, f'"{field}"', memory_pool=memory_pool()), False)
        if not pc.any(named).as_py():
            return named
        return arrow_array("bool", [field in (parse_object(text) or {}) for text in extra.to_pylist()])

    return find


def leave_empty(kind: Kind) -> Callable[[Columns], Any]:
    """Return nulls, for what a join fills in later; `extra` tells how many rows there are."""

    def find(columns: Columns) -> Any:
        import pyarrow as pa

        return pa.nulls(len(columns["extra"]), arrow_type(kind))

    return find


def gigabytes(source: str) -> Callable[[pd.DataFrame, datetime], Any]:
    """Return bytes as gigabytes (10^9 bytes); NaN if unknown."""
    return lambda frame, _: frame[source].astype("float64") / BYTES_PER_GB


def keep_column(name: str) -> Callable[[pd.DataFrame, datetime], Any]:
    """Return a column as the frame has it, NaN without one: for what is filled in where a frame is handed out."""
    return lambda frame, _: frame[name] if name in frame else float("nan")


def days_since(source: str) -> Callable[[pd.DataFrame, datetime], Any]:
    """Return the days from a time to now."""
    return lambda frame, now: -_days_to(frame[source], now)


def days_until(source: str) -> Callable[[pd.DataFrame, datetime], Any]:
    """Return the days from now to a time; negative once it is past."""
    return lambda frame, now: _days_to(frame[source], now)


def _days_to(times: pd.Series[Any], now: datetime) -> Any:
    """Return the days from now to each time as floats, NaN for none."""
    import numpy as np

    base = np.datetime64(now.astimezone(UTC).replace(tzinfo=None), "us")
    return (times.to_numpy(dtype="datetime64[us]") - base) / np.timedelta64(SECONDS_PER_DAY, "s")


def _split_paths(columns: Columns, source: str) -> tuple[Any, Any]:
    """Return the runs and the names of tinker paths, split once for all columns that are derived from them."""
    shared = f"parts of {source}"
    if shared not in columns:
        columns[shared] = _split_at_slashes(columns[source]) or _match_each(columns[source])
    parts: tuple[Any, Any] = columns[shared]
    return parts


def _split_at_slashes(paths: Any) -> tuple[Any, Any] | None:
    """Cut all paths at their slashes, a third of a match's time; None if any is not a path."""
    import numpy as np
    import pyarrow.compute as pc

    parts = pc.split_pattern(paths, "/", memory_pool=memory_pool())
    begun = pc.or_(*(pc.starts_with(paths, scheme) for scheme in SCHEMES))
    whole = pc.and_(begun, pc.equal(pc.list_value_length(parts), PARTS_OF_PATH))
    if not pc.all(whole, skip_nulls=False).as_py():
        return None
    flat = parts.flatten(memory_pool())
    lengths = pc.binary_length(flat).to_numpy(zero_copy_only=False).reshape(-1, PARTS_OF_PATH)
    if not lengths[:, 2:].all():
        return None
    places = np.arange(0, len(flat), PARTS_OF_PATH)
    return pc.take(flat, places + 2, memory_pool=memory_pool()), pc.take(flat, places + 4, memory_pool=memory_pool())


def _match_each(paths: Any) -> tuple[Any, Any]:
    """Parse every path on its own."""
    import pyarrow.compute as pc

    parts = pc.extract_regex(paths, PATTERN)
    return pc.struct_field(parts, "training_run_id"), pc.struct_field(parts, "name")


def _split_sessions_off(ids: Any) -> Any:
    """Return what official ids begin with; null for other ids."""
    import pyarrow.compute as pc

    parts = pc.split_pattern(ids, ":", max_splits=2, reverse=True, memory_pool=memory_pool())
    is_official = pc.match_substring_regex(ids, f"^{OFFICIAL_ID}$", memory_pool=memory_pool())
    return pc.if_else(is_official, pc.list_element(parts, 0), None, memory_pool=memory_pool())
