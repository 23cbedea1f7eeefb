"""What the columns of a view hold: a histogram or the most frequent values, and the missing ones, of the rows that match; pure.

Each row falls into one group of its column: a bin, a frequent value, the rest, or NA. A click or brush on groups is turned into the
value of the column's filter here, so that the browser needs no values of its own.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from ..frames.humanize import format_size
from ..frames.text import escape_control_characters
from .cells import SIZES, format_number, kind_of
from .facets import Facets, choose_step, format_hour, make_range
from .messages import Summary

if TYPE_CHECKING:
    import pandas as pd

    from ..frames.query import Mask
    from .controls import Control
    from .messages import FilterValue

MOST_BINS = 20
MOST_VALUES = 4
LONGEST_LABEL = 60
LARGEST = 1e300  # numbers are clipped to this, so that their range is finite
NA = -1  # the group of rows without a value, in a request

Pick = Callable[[int, int, Any], "FilterValue"]  # first and last group, current value of the filter → its new value
Groups = Any  # an array with the group of each row: 0 to size - 1, then the rest, then NA


@dataclass(frozen=True)
class Grouping:
    """The rows of one column in groups."""

    kind: str
    groups: Groups
    size: int
    labels: list[str]
    caption: str
    pick: Pick | None = None


class Summaries:
    """Summaries of the columns of one frame; `key` is its identity column. Each column is converted once, so that another mask is cheap."""

    def __init__(self, frame: pd.DataFrame, facets: Facets, key: str) -> None:
        self._frame, self._facets = frame, facets
        self._arrays: dict[str, Any] = {}
        self._missing: dict[str, list[int]] = {}
        self._key = key if frame[key].is_unique else ""

    def summarize(self, name: str, control: Control | None, mask: Mask, shown: Mask) -> Summary:
        """Return what a column holds in the rows of `mask`, which match the other filters; `shown` are those that match all."""
        grouping = self._group(name, control, mask)
        size = grouping.size
        counts = np.bincount(grouping.groups, minlength=size + 2).tolist()
        summary: Summary = {
            "id": name,
            "kind": "histogram" if grouping.kind == "histogram" else "values",
            "rows": sum(counts),
            "counts": counts[:size],
            "rest": counts[size],
            "na": counts[size + 1],
            "labels": grouping.labels,
            "caption": grouping.caption,
            "picks": grouping.pick is not None,
            "picks_na": grouping.pick is not None and control is not None and _takes_na(control),
        }
        if shown is not mask:
            summary["shown"] = np.bincount(grouping.groups[shown[mask]], minlength=size + 2).tolist()
            if grouping.labels and grouping.kind == "values":
                summary["caption"], summary["top"] = self._find_top(name, control, shown)
        return summary

    def _find_top(self, name: str, control: Control | None, shown: Mask) -> tuple[str, int]:
        """Return the most frequent value of the rows that match the column's own filter too, which may be a rare one, and its rows."""
        codes, values = self._facets.encode(name)
        counts = np.bincount(codes[shown], minlength=len(values))
        counts[self._find_missing(name, values)] = 0
        top = int(counts.argmax())
        return self._caption(control, name, values[top]) if counts[top] else "", int(counts[top])

    def _caption(self, control: Control | None, name: str, value: Any) -> str:
        label = self._label(control, value)
        return label.rsplit("/", 1)[-1] if kind_of(self._frame, name) == "model" else label

    def pick(
        self, name: str, control: Control, mask: Mask, groups: tuple[int, int], current: FilterValue
    ) -> FilterValue:
        """Return the value of the filter after a click or brush on groups, from the first to the last; None to unset it."""
        first, last = sorted(groups)
        if first == NA:
            return _pick_na(control, current) if _takes_na(control) else current
        grouping = self._group(name, control, mask)
        if grouping.pick is None or not 0 <= first <= last < grouping.size:
            return current  # the browser meant earlier groups
        return grouping.pick(first, last, current)

    def _group(self, name: str, control: Control | None, mask: Mask) -> Grouping:
        if name == self._key:
            return self._group_keys(name, mask)
        kind = kind_of(self._frame, name)
        try:
            if kind == "number":
                return group_numbers(self._floats(name)[mask], name, control, is_whole=self._is_whole(name))
            if kind == "time":
                return group_times(self._hours(name)[mask], control)
            return self._group_values(name, control, mask)
        except (TypeError, ValueError):  # e.g. lists, which have no hash
            missing = self._frame[name].isna().to_numpy()[mask]
            return Grouping("values", missing.astype(np.intp), 0, [], "")

    def _group_values(self, name: str, control: Control | None, mask: Mask) -> Grouping:
        codes, values = self._facets.encode(name)
        counts = np.bincount(codes[mask], minlength=len(values))
        missing = self._find_missing(name, values)
        counts[missing] = 0
        top = find_most_frequent(counts)
        groups = np.full(len(values), len(top), dtype=np.intp)
        groups[top], groups[missing] = np.arange(len(top)), len(top) + 1
        options = [values[place] for place in top]
        labels = [self._label(control, option) for option in options]
        caption = self._caption(control, name, options[0]) if labels else _count_values(int(np.count_nonzero(counts)))
        pick = _make_option_pick(options) if control is not None and control.kind == "options" else None
        return Grouping("values", groups[codes[mask]], len(top), labels, caption, pick)

    def _find_missing(self, name: str, values: list[Any]) -> list[int]:
        """Return the codes of NA."""
        if name not in self._missing:
            self._missing[name] = [code for code, value in enumerate(values) if value is None]
        return self._missing[name]

    def _group_keys(self, name: str, mask: Mask) -> Grouping:
        """Return the keys of rows as one group: encoding a value for each row would take longer than all other columns."""
        if name not in self._arrays:
            self._arrays[name] = self._frame[name].isna().to_numpy()
        missing = self._arrays[name][mask]
        return Grouping("values", missing.astype(np.intp), 0, [], _count_values(int((~missing).sum())))

    def _label(self, control: Control | None, option: Any) -> str:
        text = {True: "yes", False: "no"}[option] if isinstance(option, bool) else option
        if control is not None and control.kind == "options":
            text = self._facets.label(control, option)
        text = escape_control_characters(text)
        return text if len(text) <= LONGEST_LABEL else text[:LONGEST_LABEL] + "…"

    def _floats(self, name: str) -> Any:
        if name not in self._arrays:
            values = self._frame[name].to_numpy(dtype="float64", na_value=np.nan)
            self._arrays[name] = np.clip(values, -LARGEST, LARGEST)
        return self._arrays[name]

    def _is_whole(self, name: str) -> bool:
        return "int" in str(self._frame[name].dtype).lower()

    def _hours(self, name: str) -> Any:
        """Return the times as hours since 1970, as float64 with NaN for NaT."""
        if name not in self._arrays:
            times = self._frame[name].to_numpy(dtype="datetime64[s]", na_value=np.datetime64("NaT", "s"))
            hours = np.floor_divide(times.astype("int64"), 3600).astype("float64")
            self._arrays[name] = np.where(np.isnat(times), np.nan, hours)
        return self._arrays[name]


def find_most_frequent(counts: Any) -> list[int]:
    """Return the places of the largest counts, first of equals first; none if every value is on one row only."""
    if counts.size == 0 or (counts.max() <= 1 and np.count_nonzero(counts) > MOST_VALUES):
        return []
    least = np.partition(counts, -MOST_VALUES)[-MOST_VALUES] if counts.size > MOST_VALUES else 1
    places = np.flatnonzero(counts >= max(least, 1))
    order = places[np.argsort(-counts[places], kind="stable")]
    return [int(place) for place in order[:MOST_VALUES]]


def group_numbers(values: Any, name: str, control: Control | None, *, is_whole: bool) -> Grouping:
    """Return numbers in bins with round edges; the last bin includes its upper edge."""
    missing = np.isnan(values)
    known = values[~missing]
    if known.size == 0:
        return _group_nothing(values.size)
    low, high = float(known.min()), float(known.max())
    edges = find_edges(low, high, is_whole=is_whole)
    size = len(edges) - 1
    groups = np.full(values.size, size + 1, dtype=np.intp)
    groups[~missing] = find_bins(known, edges)
    labels = [_format_edge(edge, name) for edge in edges]
    start, end = _format_edge(low, name), _format_edge(high, name)
    caption = start if start == end else f"≤ {end}" if name in SIZES else f"{start}–{end}"

    def pick(first: int, last: int, current: Any) -> FilterValue:
        below = known[known < edges[last + 1]]
        end = float(below.max()) if (known == edges[last + 1]).any() and below.size else edges[last + 1]
        wanted = [edges[first] if first or size == last + 1 else None, end if last + 1 < size else None]
        wanted = [low, high] if (first, last) == (0, size - 1) else wanted
        return None if wanted == current else wanted

    return Grouping("histogram", groups, size, labels, caption, None if control is None else pick)


def find_edges(low: float, high: float, *, is_whole: bool = False) -> list[float]:
    """Return the edges of at most some twenty bins, at multiples of 1, 2 or 5 times a power of ten."""
    if low == high:
        return [low, low]
    if (high - low) / MOST_BINS < sys.float_info.min:  # too close together for any step
        return [low, high]
    exponent = math.floor(math.log10((high - low) / MOST_BINS))
    if is_whole:
        exponent = max(exponent, 0)
    factor, exponent = next(
        (factor, power)
        for power in (exponent, exponent + 1)
        for factor in (1, 2, 5)
        if float(f"{factor}e{power}") >= (high - low) / MOST_BINS
    )
    step = float(f"{factor}e{exponent}")
    first, last = math.floor(low / step), math.floor(high / step)
    first -= first * step > low  # a value so small that its quotient is zero
    return [float(f"{factor * place}e{exponent}") for place in range(first, last + 2)]


def find_bins(values: Any, edges: list[float]) -> Groups:
    """Return the bin of each value between edges of equal distance; several times faster than a search."""
    last, bounds = len(edges) - 2, np.array(edges)
    if edges[0] == edges[-1]:
        return np.zeros(values.size, dtype=np.intp)
    guess = (values - edges[0]) / (edges[-1] - edges[0]) * (last + 1)
    bins = np.clip(guess, 0, last).astype(np.intp)
    bins -= (values < bounds[bins]) & (bins > 0)  # what rounding has put into a neighbour
    bins += (values >= bounds[bins + 1]) & (bins < last)
    return bins


def group_times(hours: Any, control: Control | None) -> Grouping:
    """Return times, as hours since 1970, in bins of hours, days, weeks or longer."""
    missing = np.isnan(hours)
    known = hours[~missing]
    if known.size == 0:
        return _group_nothing(hours.size)
    low, high = int(known.min()), int(known.max())
    step = choose_step(low, high, MOST_BINS)
    start, size = low // step, high // step - low // step + 1
    groups = np.full(hours.size, size + 1, dtype=np.intp)
    groups[~missing] = np.floor(known / step) - start
    labels = [format_hour((start + place) * step)[: 16 if step < 24 else 10] for place in range(size + 1)]

    def pick(first: int, last: int, current: Any) -> FilterValue:
        wanted = make_range((start + first) * step, (start + last + 1) * step, by_hours=step < 24)
        return None if wanted == current else wanted

    return Grouping(
        "histogram",
        groups,
        size,
        labels,
        _describe_times(format_hour(low), format_hour(high)),
        None if control is None else pick,
    )


def _group_nothing(rows: int) -> Grouping:
    return Grouping("histogram", np.ones(rows, dtype=np.intp), 0, [], "")


def _takes_na(control: Control) -> bool:
    return control.kind == "options" or (control.kind == "expiry" and not control.unknown)


def _pick_na(control: Control, current: Any) -> FilterValue:
    if control.kind == "options":
        return _toggle(current, None)
    return None if current == {"never": True} else {"never": True}


def _toggle(current: Any, option: Any) -> FilterValue:
    options = list(current or [])
    return [kept for kept in options if kept != option] if option in options else [*options, option]


def _make_option_pick(options: list[Any]) -> Pick:
    return lambda first, _, current: _toggle(current, options[first])


def _count_values(number: int) -> str:
    return f"{number:,} value{'s' * (number > 1)}" if number else ""


def _format_edge(edge: float, name: str) -> str:
    if name in SIZES:
        return format_size(edge * (1e9 if name.endswith("_gb") else 1), short=True)
    return format_number(edge)


def _describe_times(first: str, last: str) -> str:
    start, end = (datetime.fromisoformat(text) for text in (first, last))
    if start.year != end.year:
        return f"{start:%b %Y}–{end:%b %Y}"
    if start.date() != end.date():
        return f"{start.day} {start:%b}–{end.day} {end:%b}"
    return f"{start.day} {start:%b}, {start.hour}–{end.hour + 1} h"
