"""Columns derived from other columns; pure.

Those that depend on their row alone are made from Arrow columns and stored with it; those that change with the clock are made
from the frame.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from .coerce import parse_object
from .columns import Kind, arrow_array, memory_pool
from .paths import PATTERN, run_of_folder, session_of

if TYPE_CHECKING:
    from datetime import datetime

    import pandas as pd

Columns = dict[str, Any]
BYTES_PER_GB = 1e9
SECONDS_PER_DAY = 86_400

STEP = re.compile(r"(?:^|[^0-9])([0-9]{1,18})\Z")  # more digits than 64 bits hold are not a step


def run_of_path(source: str = "tinker_path") -> Callable[[Columns], Any]:
    """Return the training run id that a tinker path holds; null for what is not a path."""
    return lambda columns: _split_paths(columns, source)[0]


def name_of_path(source: str = "tinker_path") -> Callable[[Columns], Any]:
    """Return the last part of a tinker path."""
    return lambda columns: _split_paths(columns, source)[1]


def session_of_id(source: str) -> Callable[[Columns], Any]:
    """Return the session id that an official run id begins with; null for other ids."""
    return lambda columns: _map_distinct(columns[source], session_of, "text")  # a page has many rows and few runs


def step_of_name(columns: Columns) -> Any:
    """Return the number at the end of a name; null if there is none."""
    return _map_distinct(columns["name"], _step_of, "int")  # runs save under the same names


@lru_cache(maxsize=65_536)
def _step_of(name: str) -> int | None:
    match = STEP.search(name)
    return int(match[1]) if match else None


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


def gigabytes(source: str) -> Callable[[pd.DataFrame, datetime], Any]:
    """Return bytes as gigabytes (10^9 bytes); NaN if unknown."""
    return lambda frame, _: frame[source].astype("float64") / BYTES_PER_GB


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
        columns[shared] = _split_by_folder(columns[source]) or _split_each(columns[source])
    parts: tuple[Any, Any] = columns[shared]
    return parts


def _split_by_folder(paths: Any) -> tuple[Any, Any] | None:
    """Cut the names off and parse each distinct rest once; None if any is not a path."""
    import pyarrow.compute as pc

    halves = pc.split_pattern(paths, "/", max_splits=1, reverse=True, memory_pool=memory_pool())
    if not pc.all(pc.equal(pc.list_value_length(halves), 2), skip_nulls=False).as_py():
        return None
    runs = _map_distinct(pc.list_element(halves, 0, memory_pool=memory_pool()), run_of_folder, "text")
    names = pc.list_element(halves, 1, memory_pool=memory_pool())
    return None if runs.null_count or pc.any(pc.equal(names, "")).as_py() else (runs, names)


def _split_each(paths: Any) -> tuple[Any, Any]:
    """Parse every path on its own."""
    import pyarrow.compute as pc

    parts = pc.extract_regex(paths, PATTERN)
    return pc.struct_field(parts, "training_run_id"), pc.struct_field(parts, "name")


def _map_distinct(texts: Any, make: Callable[[str], Any], kind: Kind) -> Any:
    """Return what is made of each text, made once for equal ones; null for null."""
    import pyarrow.compute as pc

    coded = pc.dictionary_encode(texts, memory_pool=memory_pool())
    made = arrow_array(kind, [None if text is None else make(text) for text in coded.dictionary.to_pylist()])
    return pc.take(made, coded.indices, memory_pool=memory_pool())
