"""Columns made from other columns; pure.

Those that stay true as long as their row does work on Arrow columns and are stored with it; those that change with the clock
work on the frame.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import datetime

    import pandas as pd

Columns = dict[str, Any]
BYTES_PER_GB = 1e9
SECONDS_PER_DAY = 86_400

PATH = r"^tinker://(?P<run>[^/]+)/[^/]+/(?P<name>[^/]+)$"
STEP = re.compile(r"(?:^|[^0-9])([0-9]{1,18})\Z")  # more digits than 64 bits hold are no step


def run_of_path(source: str = "tinker_path") -> Callable[[Columns], Any]:
    """Return the training run id that a tinker path holds; null for what is no path."""
    return lambda columns: _parts_of(columns, source)[0]


def name_of_path(source: str = "tinker_path") -> Callable[[Columns], Any]:
    """Return the name that a tinker path ends with."""
    return lambda columns: _parts_of(columns, source)[1]


def session_of_id(source: str) -> Callable[[Columns], Any]:
    """Return the session id that an id of the form `<session>:train:<n>` begins with; null for other forms."""

    def derive(columns: Columns) -> Any:
        import pyarrow as pa

        return _of_distinct(columns[source], session_of, pa.large_string())  # a page has many rows and few runs

    return derive


@lru_cache(maxsize=65_536)
def session_of(run_or_sampler_id: str) -> str | None:
    """Return the session id that an official run or sampler id begins with; None for ids of other servers."""
    match = re.match(r"(.+):(?:train|sample):[0-9]+$", run_or_sampler_id, re.DOTALL)
    return match[1] if match else None


def step_of_name(columns: Columns) -> Any:
    """Return the number that a name ends with; null where it ends with none."""
    import pyarrow as pa

    return _of_distinct(columns["name"], _step_of, pa.int64())  # runs save under the same names


@lru_cache(maxsize=65_536)
def _step_of(name: str) -> int | None:
    match = STEP.search(name)
    return int(match[1]) if match else None


def gigabytes(source: str) -> Callable[[pd.DataFrame, datetime], Any]:
    """Return bytes as gigabytes (10^9), NaN where they are not known."""
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


def _parts_of(columns: Columns, source: str) -> tuple[Any, Any]:
    """Return the runs and the names of tinker paths: both from one look at them."""
    shared = f"parts of {source}"
    if shared not in columns:
        columns[shared] = _quick_parts(columns[source]) or _careful_parts(columns[source])
    parts: tuple[Any, Any] = columns[shared]
    return parts


def _quick_parts(paths: Any) -> tuple[Any, Any] | None:
    """Cut names off; of what is left, which is the same for many rows, each is looked at once. None if any is no path."""
    import pyarrow as pa
    import pyarrow.compute as pc

    halves = pc.split_pattern(paths, "/", max_splits=1, reverse=True)
    if not pc.all(pc.equal(pc.list_value_length(halves), 2), skip_nulls=False).as_py():
        return None
    runs, names = _of_distinct(pc.list_element(halves, 0), _run_of, pa.large_string()), pc.list_element(halves, 1)
    return None if runs.null_count or pc.any(pc.equal(names, "")).as_py() else (runs, names)


@lru_cache(maxsize=65_536)
def _run_of(folder: str) -> str | None:
    """Return the run of a path without its name; None for what is the beginning of no path."""
    parts = folder.split("/")
    is_begun = len(parts) == 4 and parts[:2] == ["tinker:", ""] and all(parts[2:])
    return parts[2] if is_begun else None


def _careful_parts(paths: Any) -> tuple[Any, Any]:
    """Look at every path on its own."""
    import pyarrow.compute as pc

    parts = pc.extract_regex(paths, PATH)
    return pc.struct_field(parts, "run"), pc.struct_field(parts, "name")


def _of_distinct(texts: Any, make: Callable[[str], Any], kind: Any) -> Any:
    """Return what is made of each text, made once for those that are the same; null for null."""
    import pyarrow as pa

    coded = texts.dictionary_encode()
    made = [None if text is None else make(text) for text in coded.dictionary.to_pylist()]
    return pa.array(made, kind).take(coded.indices)
