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
STEP = r"(?:^|[^0-9])(?P<step>[0-9]{1,18})$"  # more digits than 64 bits hold are no step


def run_of_path(source: str = "tinker_path") -> Callable[[Columns], Any]:
    """Return the training run id that a tinker path holds; null for what is no path."""
    return lambda columns: _path_part(columns, source, "run", 2)


def name_of_path(source: str = "tinker_path") -> Callable[[Columns], Any]:
    """Return the name that a tinker path ends with."""
    return lambda columns: _path_part(columns, source, "name", 4)


def session_of_id(source: str) -> Callable[[Columns], Any]:
    """Return the session id that an id of the form `<session>:train:<n>` begins with; null for other forms."""

    def derive(columns: Columns) -> Any:
        import pyarrow as pa

        coded = columns[source].dictionary_encode()  # a page has many rows and few runs
        sessions = [None if run is None else session_of(run) for run in coded.dictionary.to_pylist()]
        return pa.array(sessions, pa.large_string()).take(coded.indices)

    return derive


@lru_cache(maxsize=65_536)
def session_of(run_or_sampler_id: str) -> str | None:
    """Return the session id that an official run or sampler id begins with; None for ids of other servers."""
    match = re.match(r"(.+):(?:train|sample):[0-9]+$", run_or_sampler_id, re.DOTALL)
    return match[1] if match else None


def step_of_name(columns: Columns) -> Any:
    """Return the number that a name ends with; null where it ends with none."""
    import pyarrow as pa
    import pyarrow.compute as pc

    coded = columns["name"].dictionary_encode()  # runs save under the same names
    return pc.cast(_part(coded.dictionary, STEP, "step"), pa.int64()).take(coded.indices)


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


def _path_part(columns: Columns, source: str, group: str, place: int) -> Any:
    """Return one part of tinker paths: by splitting where all are well formed, which takes a third of the time."""
    import pyarrow.compute as pc

    shared = f"parts of {source}"  # run and name come from one split
    if shared not in columns:
        parts = pc.split_pattern(columns[source], "/")
        columns[shared] = parts if _well_formed(columns[source], parts) else None
    if columns[shared] is not None:
        return pc.list_element(columns[shared], place)
    return _part(columns[source], PATH, group)


def _well_formed(paths: Any, parts: Any) -> bool:
    """Tell whether every path is `tinker://` and three parts that are not empty; a null is not."""
    import pyarrow.compute as pc

    five = pc.and_(pc.equal(pc.list_value_length(parts), 5), pc.starts_with(paths, "tinker://"))
    if not pc.all(five, skip_nulls=False).as_py():
        return False
    return bool(pc.sum(pc.equal(parts.flatten(), "")).as_py() == len(paths))  # the one between the first two slashes


def _part(values: Any, pattern: str, group: str) -> Any:
    """Return one named group of a pattern, null where it does not match."""
    import pyarrow.compute as pc

    return pc.struct_field(pc.extract_regex(values, pattern), group)
