"""Totals of rows by what they have in common: rows, gigabytes, percentage and storage cost of each group; pure."""

from __future__ import annotations

import math
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

import pandas as pd

from ..errors import InvalidRequestError
from ..schema.arguments import check_argument
from .comparisons import find_close_columns
from .metadata import find_key, list_key_columns
from .values import to_times

# Short names of groups, each with the columns that tell it: the first that the frame has.
GROUPS = {
    "run": ("training_run_id",),
    "training_run": ("training_run_id",),
    "session": ("session_id",),
    "name": ("display_name",),
    "model": ("base_model",),
    "type": ("checkpoint_type",),
    "status": ("session_status", "status"),
    "owner": ("session_owner", "owner", "model_owner"),
    "project": ("project_id",),
}
OTHER_WORDS = {"user": "owner"}  # of groups of costs
PERIODS = {"day": "D", "week": "W", "month": "M", "year": "Y"}
TIMES = ("time", "created_at")
METADATA = "meta."
COST = "storage_usd_month"
TOTALS = {"rows", "size_gb", "size_unknown", "percent", COST}  # the names of the other columns


def sum_groups(frame: pd.DataFrame, by: str | Iterable[str], rate: float | None = None) -> pd.DataFrame:
    """Return one row per group of a frame's rows, the largest first.

    A group is a column, a short name of `GROUPS`, a period of `PERIODS` in UTC, or `meta.<key>`. NA is a group of its own. `percent` is of
    the known gigabytes of all rows; the cost is gigabytes times `rate`, where one is given, else the sum of the frame's own column.

    Raises
    ------
    InvalidRequestError
        For a group that the frame does not have, and a frame without `size_gb`.
    """
    names = [by] if isinstance(by, str) else list(dict.fromkeys(by))
    for name in names:
        check_argument("each of by", name, str)
    if rate is not None and not 0 <= rate < math.inf:
        raise InvalidRequestError(f"rate={rate!r} is no price", hint="Give dollars per gigabyte and month.")
    if not names:
        raise InvalidRequestError("by= names no group", hint=_list_groups(frame))
    if "size_gb" not in frame.columns:
        is_dollars = {"cost_usd", "estimated_cost_usd"} & set(frame.columns)
        hint = "Sum dollars with costs(by=…)." if is_dollars else "Use checkpoints(), inventory() or sessions()."
        raise InvalidRequestError("this frame has no column 'size_gb'", hint=hint)
    if taken := sorted(TOTALS & set(names)):
        raise InvalidRequestError(f"{taken[0]!r} is a total, not a group", hint=_list_groups(frame))
    keys = {name: _find_group(frame, name) for name in names}
    sums = frame[[name for name in ("size_gb", COST) if name in frame.columns]].astype("float64")
    grouped = sums.groupby(list(keys.values()), dropna=False, observed=True, sort=False)
    groups = grouped["size_gb"]
    found = pd.DataFrame(
        {"rows": groups.size(), "size_gb": groups.sum(min_count=1), "size_unknown": groups.size() - groups.count()}
    )
    found["percent"] = 100 * found["size_gb"] / found["size_gb"].sum()
    if rate is not None:
        found[COST] = found["size_gb"] * rate
    elif COST in frame.columns and frame[COST].notna().any():
        found[COST] = grouped[COST].sum(min_count=1)
    found = found.sort_values(["size_gb", "rows"], ascending=False, kind="stable", na_position="last")
    return found.rename_axis(index=names).reset_index()


def _find_group(frame: pd.DataFrame, name: str) -> pd.Series[Any]:
    """Return what tells the group of each row."""
    if name in PERIODS:
        times = next((frame[column] for column in TIMES if column in frame.columns), None)
        if times is not None:
            return to_periods(times, PERIODS[name])
    if name.startswith(METADATA) and name not in frame.columns and (values := find_key(frame, name)) is not None:
        return values
    column = next((column for column in (name, *GROUPS.get(name, ())) if column in frame.columns), None)
    if column is None:
        hint = suggest_list(name) or _list_groups(frame)
        raise InvalidRequestError(f"there is no group {name!r} in this frame{_suggest_group(frame, name)}", hint=hint)
    return frame[column]


def suggest_list(name: str) -> str:
    """Return how to pass several groups, for a text that names them with commas; empty without one."""
    names = [part.strip() for part in name.split(",")]
    return f"Pass several groups as a list: {names}." if len(names) > 1 else ""


def _suggest_group(frame: pd.DataFrame, name: str) -> str:
    """Return the group, and the keys of the metadata, that a name could mean, to stand at the end of an error."""
    if "," in name:
        return ""
    known = [*GROUPS, *PERIODS, *map(str, frame.columns)]
    keys = find_close_columns([name.removeprefix(METADATA)], list_key_columns(frame))
    close = [*get_close_matches(OTHER_WORDS.get(name, name), known, 1), *keys]
    return f"; did you mean {' or '.join(dict.fromkeys(close))}?" if close else ""


def to_periods(times: pd.Series[Any], unit: str) -> pd.Series[Any]:
    """Return the UTC day, week, month or year of each time as text: a week by its first day."""
    if not pd.api.types.is_datetime64_any_dtype(times.dtype):  # text, as `pd.read_csv` leaves it
        times = to_times(times)
    if getattr(times.dt, "tz", None) is not None:
        times = times.dt.tz_convert("UTC").dt.tz_localize(None)
    periods = times.dt.to_period(unit)
    starts = periods.dt.start_time if unit == "W" else times
    formats = {"D": "%Y-%m-%d", "W": "%Y-%m-%d", "M": "%Y-%m", "Y": "%Y"}
    texts: pd.Series[Any] = starts.dt.strftime(formats[unit])
    return texts


def _list_groups(frame: pd.DataFrame) -> str:
    known = [name for name, columns in GROUPS.items() if set(columns) & set(frame.columns)]
    known += PERIODS if set(TIMES) & set(frame.columns) else []
    return f"Use a column, {', '.join(known)} or meta.<key>."
