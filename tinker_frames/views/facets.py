"""Counts and sums over the rows of a view, for the options of filters, summaries and charts; pure."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from ..frames.text import escape_control_characters
from .controls import Control
from .filters import option_label
from .messages import FilterOption, TimeRange

if TYPE_CHECKING:
    from ..frames.query import Mask

MOST_OPTIONS = 60  # of one filter; the most frequent ones, and the selected ones
MOST_KEYS = 100
SIZES = {"size_bytes": 1.0, "checkpoint_storage_bytes": 1.0, "size_gb": 1e9}  # columns of sizes, in bytes
EPOCH, FIRST, LAST = (datetime(year, 1, 1, tzinfo=UTC) for year in (1970, 1, 9999))
STEPS_H = (1, 6, 24, 7 * 24, 30 * 24, 91 * 24, 365 * 24)  # widths of the bars over time


class Facets:
    """Counts and sums over one frame. Each column is encoded once, so that counting under another mask is cheap."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self._frame = frame
        self._coded: dict[str, tuple[Any, list[Any]]] = {}
        self._named: dict[str, dict[Any, str]] = {}
        self._texts: dict[str, list[str]] = {}
        self._sizes: Any = None

    def options(self, control: Control, mask: Mask, selected: list[Any]) -> list[FilterOption]:
        """Return the options of a filter with their number of rows, most frequent first; selected ones also with 0 rows."""
        return self.search_options(control, mask, selected, "")[0]

    def search_options(
        self, control: Control, mask: Mask, selected: list[Any], search: str
    ) -> tuple[list[FilterOption], int]:
        """Return the most frequent options that hold a text, ignoring case, and how many hold it; also those with 0 rows.

        Without a text, they are those of `options`.
        """
        codes, values = self.encode(control.columns[0])
        counts = np.bincount(codes[mask], minlength=len(values))
        words = search.lower().split()
        texts = self._option_texts(control) if words else []
        found = [p for p in range(len(values)) if (all(w in texts[p] for w in words) if words else counts[p])]
        found.sort(key=lambda place: (-counts[place], str(values[place])))
        kept = found[:MOST_OPTIONS]
        if not words:
            most = set(kept)
            kept += [p for p, value in enumerate(values) if p not in most and value in selected]
        options: list[FilterOption] = [
            {
                "value": values[p],
                "label": escape_control_characters(self.label(control, values[p])),
                "rows": int(counts[p]),
            }
            for p in kept
        ]
        return options, len(found)

    def label(self, control: Control, option: Any) -> str:
        """Return the label of an option: the name that its rows have, if any, and its value."""
        text, name = option_label(control, option), self._names(control).get(option)
        return f"{name} ({text})" if name and option is not None else text

    def bytes(self, mask: Mask) -> float | None:
        """Return the total size of some rows in bytes; None if no size is known."""
        sizes = self._all_sizes()
        if sizes is None or (known := sizes[mask & ~np.isnan(sizes)]).size == 0:
            return None
        return float(known.sum())

    def metadata_keys(self, columns: tuple[str, ...]) -> list[str]:
        """Return the keys of the metadata, most frequent first."""
        found: Counter[str] = Counter()
        for name in columns:
            for text, rows in self._frame[name].value_counts().items():
                found.update(dict.fromkeys(_keys(text), int(rows)))
        return [key for key, _ in found.most_common(MOST_KEYS)]

    def depth(self, columns: tuple[str, ...]) -> int:
        """Return the nesting depth of the metadata; 0 if every value is plain."""
        texts = [text for name in columns for text in self._frame[name].dropna().unique()]
        return max((_depth(text) for text in texts if any(mark in text[1:] for mark in "{[")), default=0)

    def encode(self, name: str) -> tuple[Any, list[Any]]:
        """Return the code of each row's value, and the values by code; None stands for NA."""
        if name not in self._coded:
            codes, values = pd.factorize(self._frame[name], use_na_sentinel=False)
            self._coded[name] = codes, [None if pd.isna(value) else _plain(value) for value in values]
        return self._coded[name]

    def _option_texts(self, control: Control) -> list[str]:
        """Return what the options of a filter are searched by, in lower case: label and whole value."""
        column = control.columns[0]
        if column not in self._texts:
            values = self.encode(column)[1]
            self._texts[column] = [f"{self.label(control, value)} {value}".lower() for value in values]
        return self._texts[column]

    def _names(self, control: Control) -> dict[Any, str]:
        """Return the names of a column's values, each from the first row with a name."""
        if not control.named_by:
            return {}
        column = control.columns[0]
        if column not in self._named:
            codes, values = self.encode(column)
            names = self._frame[control.named_by]
            known = np.flatnonzero(names.notna())
            some, first = np.unique(codes[known], return_index=True)
            found = names.iloc[known[first]]
            self._named[column] = {values[code]: str(name) for code, name in zip(some, found, strict=True)}
        return self._named[column]

    def weigh(self, mask: Mask) -> tuple[Any, bool]:
        """Return the bytes of each row of `mask`, 0 where unknown, and true; if no size is known, 1 for each and false."""
        if self.bytes(mask) is None:
            return np.ones(int(mask.sum())), False
        return np.nan_to_num(self._all_sizes()[mask]), True

    def count_unsized(self, mask: Mask) -> int:
        """Return how many rows of `mask` have no known size, among others that have one."""
        return 0 if self.bytes(mask) is None else int(np.isnan(self._all_sizes()[mask]).sum())

    def _all_sizes(self) -> Any:
        """Return the size of every row in bytes, as float64; None if the frame has no sizes."""
        if self._sizes is None:
            names = [name for name in SIZES if name in self._frame.columns and is_numeric_dtype(self._frame[name])]
            if names:
                self._sizes = self._frame[names[0]].to_numpy(dtype="float64", na_value=np.nan) * SIZES[names[0]]
        return self._sizes


def choose_step(low: int, high: int, most: int) -> int:
    """Return the width of the bins, in hours, that gives at most so many between two hours since 1970."""
    step = next((width for width in STEPS_H if high // width - low // width < most), 0)
    return step or STEPS_H[-1] * (1 + (high - low) // STEPS_H[-1] // (most - 1))


def make_range(start: int, end: int, *, by_hours: bool) -> TimeRange:
    """Return the filter value of the times from one hour since 1970 to before another: days, or hours of a day."""
    after, before = format_hour(start), format_hour(end - 1)
    if by_hours:
        return {"after": after[:13].replace(" ", "T"), "before": before[:13].replace(" ", "T")}
    return {"after": after[:10], "before": before[:10]}


def format_hour(hour: int) -> str:
    """Return an hour since 1970 as text, clipped to the years 1 to 9999."""
    first, last = (int((end - EPOCH).total_seconds()) // 3600 for end in (FIRST, LAST))
    return (EPOCH + timedelta(hours=max(first, min(last, hour)))).isoformat(" ")[:16]


def _plain(value: Any) -> Any:
    return bool(value) if isinstance(value, (bool, np.bool_)) else str(value)


def _keys(text: Any) -> list[str]:
    found = _parsed(text)
    return list(found) if isinstance(found, dict) else []


def _depth(text: Any) -> int:
    level, depth = [_parsed(text)], -1
    while inner := [value for value in level if isinstance(value, (dict, list))]:
        depth += 1
        level = [value for holder in inner for value in (holder.values() if isinstance(holder, dict) else holder)]
    return max(depth, 0)


def _parsed(text: Any) -> Any:
    try:
        return json.loads(text)
    except (TypeError, ValueError, RecursionError):
        return None
