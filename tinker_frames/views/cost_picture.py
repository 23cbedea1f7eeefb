"""The picture of a frame of costs: dollars of each day or other group, stacked by kind, and what of it is not priced; pure."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from ..billing.costs import BESIDE, GROUPS, KINDS, METADATA, OTHER, sum_costs
from ..errors import InvalidRequestError
from ..frames.humanize import shorten_ids
from ..frames.query import check_columns
from ..frames.text import count_nouns, escape_control_characters, format_dollars
from ..frames.totals import PERIODS
from .chart_messages import CostGroup, CostKind, CostPicture
from .sorts import SORTS

NEEDED = ("events", "cost_usd", "unpriced_events")
EVENT = ("bucket_start", "event_type", "estimated_cost_usd")  # columns that only billing events have
GROUPED = {*GROUPS.values(), *PERIODS, *(name for names in BESIDE.values() for name in names)}
MOST_GROUPS = 1000  # that are sent; the largest, or the latest
LONGEST = 200  # characters of a group's label
NAMES = ("display_name", "user_name")  # what stands beside ids and names them
# The columns of dollars by kind, in the order in which they are stacked.
PARTS = tuple(dict.fromkeys([*KINDS.values(), OTHER]))


def is_costs(frame: pd.DataFrame) -> bool:
    """Tell whether a frame is one of costs or usage, and not of a table that columns of costs were joined to."""
    if is_usage(frame):
        return True
    if not set(NEEDED) <= set(frame.columns):
        return False
    names = _list_groups(restore_groups(frame))
    keys = {sort.key for sort in SORTS.values()}
    return not keys & set(names[:1]) or all(name in GROUPED or name.startswith(METADATA) for name in names)


def is_usage(frame: pd.DataFrame) -> bool:
    """Tell whether a frame has billing events."""
    return set(EVENT) <= set(restore_groups(frame).columns)


def sum_usage(usage: pd.DataFrame) -> pd.DataFrame:
    """Return the costs by day of billing events."""
    about, is_part = usage.attrs.get("tinker") or {}, not is_whole(usage)
    usage = restore_groups(usage)
    tokens = usage["token_count"] if "token_count" in usage else pd.Series(pd.NA, usage.index, "Int64")
    times, types = pd.to_datetime(usage["bucket_start"], utc=True), usage["event_type"].astype("category")
    costs = sum_costs(usage.assign(bucket_start=times, event_type=types, token_count=tokens), ["day"])
    costs.attrs["tinker"] = {**about, "table": "costs", "rows": len(costs), "complete": not is_part}
    return costs


def is_whole(frame: pd.DataFrame) -> bool:
    """Tell whether a frame is known to have all rows that were read, and these to be all."""
    about = frame.attrs.get("tinker") or {}
    return about.get("complete") is True and about.get("rows") == len(frame)


def restore_groups(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame with the groups that stand in its index as columns, which come first."""
    names = [name for name in frame.index.names if name is not None and name not in frame.columns]
    return frame.reset_index(level=names) if names else frame


def _list_groups(frame: pd.DataFrame) -> list[str]:
    return [str(name) for name in frame.columns[: list(frame.columns).index("events")]]


def describe_costs(frame: pd.DataFrame) -> CostPicture:
    """Return the picture of a frame of costs; of several groups, of which the first is a time, the others are added up.

    Raises
    ------
    InvalidRequestError
        If the frame lacks a column of costs, or those of its groups.
    """
    check_columns(frame, list(NEEDED))
    frame = restore_groups(frame)
    names = _list_groups(frame)
    if not names:
        raise InvalidRequestError("these costs have no group", hint="Keep the columns before `events`.")
    group, is_time = names[0], names[0] in PERIODS
    columns = [name for name in PARTS if name in frame.columns and frame[name].notna().any()]
    is_gapless = is_time and is_whole(frame)
    rows = _sum_periods(frame, group, columns, fill=is_gapless) if is_time else frame
    shown = rows.tail(MOST_GROUPS) if is_time else rows.head(MOST_GROUPS)
    labels, whole = [shown[group].tolist()] * 2 if is_time else _label_groups(shown, names)
    return {
        "title": f"Dollars by {describe_group(group)}",
        "text": "; ".join([*_describe_sums(rows, len(shown), group, is_time=is_time), *_describe_part(frame)]) + ".",
        "group": describe_group(group),
        "is_time": is_time,
        "kinds": [_describe_kind(frame, name) for name in columns],
        "groups": [
            _describe_row(row, label, title, columns)
            for row, label, title in zip(shown.to_dict("records"), labels, whole, strict=True)
        ],
    }


def describe_group(name: str) -> str:
    """Return a column of groups in words: `training run` for `training_run_id`."""
    words = name if name.startswith(METADATA) else name.removesuffix("_id").replace("_", " ")
    return escape_control_characters(words)


def _sum_periods(frame: pd.DataFrame, group: str, columns: list[str], *, fill: bool) -> pd.DataFrame:
    """Return one row for each period; with `fill`, from the first to the last, without dollars where there is no event."""
    known = frame[frame[group].notna()]
    sums = known.groupby(known[group].astype(str))[[*NEEDED, *columns]].sum(min_count=1)
    if sums.empty or not fill:
        return sums.rename_axis(group).reset_index()
    formats = {"month": "%Y-%m", "year": "%Y"}
    unit = PERIODS[group]
    periods = pd.period_range(pd.Period(sums.index[0], freq=unit), pd.Period(sums.index[-1], freq=unit), freq=unit)
    texts = (periods.start_time if group == "week" else periods).strftime(formats.get(group, "%Y-%m-%d"))
    return sums.reindex(pd.Index(texts, name=group)).reset_index()


def _label_groups(frame: pd.DataFrame, names: list[str]) -> tuple[list[str], list[str]]:
    """Return the label of each row, with names instead of ids, and its ids in full; of rows with the same names also with ids."""
    beside = {
        other
        for key in names
        for other in BESIDE.get(key, ())
        if other in names and names.index(other) > names.index(key)
    }
    keys = [name for name in names if name not in beside]
    whole = _join_texts([frame[key] for key in keys])
    labels = _join_texts([_name_values(frame, key) for key in keys])
    twice = pd.Series(labels).duplicated(keep=False)
    return [
        f"{label} ({shorten_ids(ids)})" if odd else label for label, ids, odd in zip(labels, whole, twice, strict=True)
    ], whole


def _name_values(frame: pd.DataFrame, key: str) -> pd.Series[Any]:
    """Return the values of a group's column: the names that stand beside them, else short ids."""
    short = frame[key].map(lambda value: shorten_ids(str(value)), na_action="ignore").astype(object)
    name = next((name for name in NAMES if name in BESIDE.get(key, ()) and name in frame.columns), None)
    named = short if name is None else frame[name].astype(object).where(frame[name].notna(), short)
    return named.rename(key)


def _join_texts(columns: list[pd.Series[Any]]) -> list[str]:
    """Return the values of each row as one text; storage, for example, has no session."""
    texts = [
        [f"no {describe_group(str(column.name))}" if pd.isna(value) else str(value) for value in column]
        for column in columns
    ]
    return [" · ".join(parts) for parts in zip(*texts, strict=True)]


def _describe_kind(frame: pd.DataFrame, name: str) -> CostKind:
    label = name.removesuffix("_usd")
    return {"label": label, "look": label, "sum": math.fsum(frame[name].dropna())}


def _describe_row(row: dict[Any, Any], label: str, title: str, columns: list[str]) -> CostGroup:
    events, unpriced = (0 if pd.isna(row[name]) else int(row[name]) for name in ("events", "unpriced_events"))
    return {
        "label": escape_control_characters(label[:LONGEST]),
        "title": escape_control_characters(title[:LONGEST]) if title != label else "",
        "events": events,
        "unpriced": unpriced,
        "total": _round(row["cost_usd"]),
        "parts": [_round(row[name]) for name in columns],
    }


def _round(value: Any) -> float | None:
    """Return dollars with eight digits; None for NA."""
    return None if pd.isna(value) else float(f"{value:.8g}")


def _describe_sums(rows: pd.DataFrame, shown: int, group: str, *, is_time: bool) -> list[str]:
    """Return what the costs come to, how much is not priced, and what is not shown."""
    if rows.empty:
        return ["There are no billing events in this time"]
    dollars, unpriced, events = (rows[name].dropna() for name in ("cost_usd", "unpriced_events", "events"))
    total = (
        f"{format_dollars(math.fsum(dollars))} before credits, an estimate and no invoice"
        if len(dollars)
        else "Nothing is priced"
    )
    odd = f"{int(unpriced.sum()):,} of {count_nouns(int(events.sum()), 'event')} have no price, which is not $0"
    gaps = int(rows["events"].isna().sum())
    parts = [total, odd if unpriced.sum() else "", f"{count_nouns(gaps, group)} without events" if gaps else ""]
    if shown < len(rows):
        parts.append(f"the {'last' if is_time else 'first'} {shown:,} of {len(rows):,} are shown")
    return [*filter(None, parts)]


def _describe_part(frame: pd.DataFrame) -> list[str]:
    """Return how many of the rows that were read a filtered frame has."""
    listed = (frame.attrs.get("tinker") or {}).get("rows")
    if not isinstance(listed, int) or len(frame) >= listed:
        return []
    return [f"of {count_nouns(listed, 'row')} of costs, the frame has {len(frame):,}"]
