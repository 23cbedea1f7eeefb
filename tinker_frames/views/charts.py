"""The charts of a view: what the rows that match hold over time, what expires, where it is, and which part of it is what; pure.

Each chart falls into groups: bins of time or of steps, bars, or parts. A click or brush on groups is turned into filter values here,
so that the browser needs no values of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from ..frames.humanize import format_size
from ..frames.text import escape_control_characters
from ..frames.values import read_expiries
from ..policies import FINAL_NAME
from .chart_messages import Bar, BarsChart, Chart, ChartSeries, StepsChart, TimeChart
from .facets import Facets, choose_step, make_range
from .filters import join_expressions, literal
from .messages import FilterValue

if TYPE_CHECKING:
    import pandas as pd

    from ..frames.query import Mask
    from .controls import Control
    from .sorts import Sort

MOST_BARS = 5
MOST_BINS = 40
MOST_LANES = 6  # runs whose checkpoints are drawn along their steps
STEP_BINS = 40
DAYS = 30  # of which the expiries are drawn
HOUR_S, DAY_H = 3600, 24
UNITS = (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3), ("B", 1.0))
# How a checkpoint is drawn along its steps: by the first of these that it is.
LOOKS = ("public", "loaded", "expiring", "other", "kept")
UNKNOWN = "of unknown expiry"  # what is drawn as other
# How the parts of sessions are drawn, by their status; what is not known is drawn as other.
STATUS_LOOKS = {"active": "public", "client_finished": "kept", "cancelled": "expiring", "failed": "failed"}
FINAL_QUERY = f"name.str.contains({literal(FINAL_NAME)})"

Picked = dict[str, FilterValue]  # filter values by the names of filters
Pick = Callable[[int, int], Picked]  # first and last group → the filters to set


@dataclass(frozen=True)
class Drawing:
    """A chart as it is sent, and what a click or brush on its groups filters by; None if nothing does."""

    chart: Chart
    pick: Pick | None = None


@dataclass(frozen=True)
class Charts:
    """The charts of one frame. What does not depend on the filters is computed once.

    Attributes
    ----------
    sort
        The kind of table.
    controls
        The filters that apply to the frame, by name.
    facets
        Its counts and sums.
    """

    frame: pd.DataFrame
    sort: Sort
    controls: dict[str, Control]
    facets: Facets
    _arrays: dict[str, Any] = field(default_factory=dict)

    def draw(self, mask: Mask, now: datetime, *, rate: float | None = None, query: str = "") -> list[Drawing]:
        """Return the charts of the rows of `mask`.

        `rate` is in dollars per gigabyte and month; `query` is the user's own condition, which a click adds to.
        """
        if not mask.any():
            return []
        found = [
            self._draw_steps(mask, now),
            self._draw_storage(mask, now, rate),
            self._draw_expiries(mask, now),
            *(self._draw_ranking(mask, name, title) for name, title in self.sort.charts),
            self._draw_statuses(mask),
            self._draw_finals(mask, query),
        ]
        return [drawing for drawing in found if drawing is not None]

    # ── over time ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _draw_storage(self, mask: Mask, now: datetime, rate: float | None) -> Drawing | None:
        """Return what is kept by the time it was created or last used, added up; today is at the right end."""
        name = next((name for name in ("created", "used") if name in self.controls), "")
        if not name:
            return None
        control, end = self.controls[name], now.timestamp() / HOUR_S
        hours = np.minimum(self._hours(control.columns[0])[mask], end)
        is_known = ~np.isnan(hours)
        if not is_known.any():
            return None
        weights, is_size = self._weigh(mask)
        low = int(hours[is_known].min())
        step = choose_step(low, int(end), MOST_BINS)
        start, size = low // step, int(end) // step - low // step + 1
        bins = np.floor(hours[is_known] / step).astype(np.int64) - start
        splits = self._split_by_expiry(mask)
        sums = [
            np.cumsum(np.bincount(bins, weights=weights[is_known] * part[is_known], minlength=size))
            for _, _, part in splits
        ]
        unit, factor = choose_unit(float(sum(part[-1] for part in sums)), is_size)
        title = f"{'Storage' if is_size else self.sort.title} {'over time' if name == 'created' else 'by last use'}"
        is_recent = hours[is_known] > end - DAYS * DAY_H
        gaps = self._describe_gaps(self.facets.count_unsized(mask), int((~is_known).sum()))
        text = self._describe_storage(weights[is_known], is_recent, rate, is_size=is_size, gaps=gaps)
        chart: TimeChart = {
            "id": "storage",
            "kind": "area",
            "title": title,
            "text": text,
            "unit": unit,
            "start": start * step,
            "step": step,
            "end": round(end, 2),
            "series": [
                make_series(label, look, part / factor)
                for (label, look, _), part in zip(splits, sums, strict=True)
                if part[-1] or len(splits) == 1
            ],
        }

        def pick(first: int, last: int) -> Picked:
            span = (start + first) * step, (start + last + 1) * step
            return {name: make_range(*span, by_hours=step < DAY_H)}

        return Drawing(chart, pick)

    @staticmethod
    def _describe_gaps(unsized: int, undated: int) -> str:
        """Return what sums of sizes leave out, in parentheses; empty if that is nothing."""
        parts = [f"size of {unsized:,} not known"] if unsized else []
        parts += [f"without {undated:,} of unknown time"] if undated else []
        return f" ({', '.join(parts)})" if parts else ""

    def _describe_storage(
        self, weights: Any, is_recent: Any, rate: float | None, *, is_size: bool, gaps: str = ""
    ) -> str:
        total, recent = (self._describe_amount(values.sum(), is_size) for values in (weights, weights[is_recent]))
        money = f", about ${weights.sum() / 1e9 * rate:,.2f} a month" if rate is not None and is_size else ""
        verb = "created" if "created" in self.controls else "last used"
        return f"{total}{' kept' if is_size else ''}{money}{gaps}; {recent} {verb} in the last {DAYS} days."

    def _split_by_expiry(self, mask: Mask) -> list[tuple[str, str, Any]]:
        """Return label, look and rows of the parts that storage is drawn in: what stays, and what expires."""
        if "expires" not in self.controls:
            return [("kept", "kept", np.ones(int(mask.sum())))]
        expires = ~np.isnan(self._hours(self.controls["expires"].columns[0])[mask])
        unknown = self._find_unknown_expiries()[mask]
        return [
            ("without expiry", "kept", ~expires & ~unknown),
            ("will expire", "expiring", expires),
            (UNKNOWN, "other", unknown),
        ]

    def _draw_expiries(self, mask: Mask, now: datetime) -> Drawing | None:
        """Return what expires on each of the next days."""
        if "expires" not in self.controls:
            return None
        hours, end = self._hours(self.controls["expires"].columns[0])[mask], now.timestamp() / HOUR_S
        today = int(end) // DAY_H
        days = np.floor(hours / DAY_H) - today
        is_near = (hours >= end) & (days < DAYS)
        weights, is_size = self._weigh(mask)
        sums = np.bincount(days[is_near].astype(np.int64), weights=weights[is_near], minlength=DAYS)
        unit, factor = choose_unit(float(sums.max(initial=0)), is_size)
        chart: TimeChart = {
            "id": "expiries",
            "kind": "columns",
            "title": f"Expires in the next {DAYS} days",
            "text": self._describe_expiries(hours - end, is_near, weights, is_size=is_size),
            "unit": unit,
            "start": today * DAY_H,
            "step": DAY_H,
            "end": (today + DAYS) * DAY_H,
            "series": [make_series("expires", "expiring", sums / factor)] if is_near.any() else [],
        }

        def pick(first: int, last: int) -> Picked:
            return {"expires": make_range((today + first) * DAY_H, (today + last + 1) * DAY_H, by_hours=False)}

        return Drawing(chart, pick)

    def _describe_expiries(self, hours: Any, is_near: Any, weights: Any, *, is_size: bool) -> str:
        if not is_near.any():
            return f"Nothing expires in the next {DAYS} days."
        amount = f" ({self._describe_amount(weights[is_near].sum(), is_size)})" if is_size else ""
        week = int((is_near & (hours < 7 * DAY_H)).sum())
        return f"{is_near.sum():,} of {len(hours):,} {self.sort.one}s{amount}, {week:,} of them within 7 days."

    # ── by value ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _draw_ranking(self, mask: Mask, name: str, title: str) -> Drawing | None:
        """Return a bar for each of a column's largest values; the others are said in words, since a bar of them would be no value."""
        control = self.controls.get(name)
        if control is None or not self.frame[control.columns[0]].notna().any():
            return None
        sums, is_size, values = self._sum_by(mask, control)
        order = [int(place) for place in np.argsort(-sums, kind="stable") if sums[place] > 0]
        shown, others = order[:MOST_BARS], order[MOST_BARS:]
        bars = [self._make_bar(self.facets.label(control, values[p]), sums[p], is_size, "kept") for p in shown]
        rest = self._describe_amount(sum(sums[p] for p in others), is_size) if others else ""
        what = f"{'Storage' if is_size else self.sort.title} by {title}"
        chart = make_bars(
            name, "bars", what, bars, rest=f"{len(others):,} other{'s' * (len(others) > 1)}: {rest}" if rest else ""
        )
        return Drawing(chart, lambda first, last: {name: [values[p] for p in shown[first : last + 1]]})

    def _draw_statuses(self, mask: Mask) -> Drawing | None:
        """Return the parts that sessions of each status hold, those of failed ones marked."""
        control = self.controls.get("status")
        if control is None or not self.frame[control.columns[0]].notna().any():
            return None
        sums, is_size, values = self._sum_by(mask, control)
        order = [int(place) for place in np.argsort(-sums, kind="stable") if sums[place] > 0]
        bars = [
            self._make_bar(
                self.facets.label(control, values[p]), sums[p], is_size, STATUS_LOOKS.get(values[p], "other")
            )
            for p in order
        ]
        failed = sum(sums[p] for p in order if values[p] == "failed")
        text = f"Failed sessions hold {self._describe_share(failed, sums.sum(), is_size)}."
        what = f"{'Storage' if is_size else self.sort.title} by status"
        chart = make_bars("status", "parts", what, bars, text=text)
        return Drawing(chart, lambda first, last: {"status": [values[p] for p in order[first : last + 1]]})

    def _draw_finals(self, mask: Mask, query: str) -> Drawing | None:
        """Return the parts that checkpoints named final and those of single steps hold."""
        if self.sort.name != "checkpoints" or "name" not in self.frame.columns:
            return None
        is_final = self._find_finals()[mask]
        weights, is_size = self._weigh(mask)
        sums = [float(weights[is_final].sum()), float(weights[~is_final].sum())]
        if not all(sums):
            return None
        labels = (("finals", "public"), ("steps", "kept"))
        bars = [self._make_bar(label, part, is_size, look) for (label, look), part in zip(labels, sums, strict=True)]
        text = f"All but the checkpoints named final hold {self._describe_share(sums[1], sum(sums), is_size)}."
        chart = make_bars("finals", "parts", "Finals against steps", bars, text=text)
        conditions = (FINAL_QUERY, f"not {FINAL_QUERY}")

        def pick(first: int, last: int) -> Picked:
            return {} if first != last else {"query": join_expressions([query, conditions[first]])}

        return Drawing(chart, pick)

    # ── along steps ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _draw_steps(self, mask: Mask, now: datetime) -> Drawing | None:
        """Return the checkpoints of a few runs along their steps, each by what keeps or ends it; None for many runs."""
        if not {"step", "run"} <= set(self.controls) or self.sort.name != "checkpoints":
            return None
        codes, values = self.facets.encode(self.controls["run"].columns[0])
        steps = self._floats("step")
        shown = mask & ~np.isnan(steps)
        runs = np.unique(codes[shown])
        if not 0 < len(runs) <= MOST_LANES:
            return None
        steps, lanes = steps[shown], np.searchsorted(runs, codes[shown])
        low, high = float(steps.min()), float(steps.max())
        bins = np.floor((steps - low) / ((high - low) or 1) * (STEP_BINS - 1)).astype(np.int64)
        looks = find_looks(self.frame[shown], now)
        places, first, counts = np.unique(
            np.stack([bins, lanes, looks], axis=1), axis=0, return_index=True, return_counts=True
        )
        labels = [escape_control_characters(self.facets.label(self.controls["run"], values[run])) for run in runs]
        chart: StepsChart = {
            "id": "steps",
            "kind": "steps",
            "title": "Checkpoints along their steps",
            "text": self._describe_looks(looks),
            "low": low,
            "high": high,
            "bins": STEP_BINS,
            "lanes": labels,
            "looks": list(LOOKS),
            "labels": [label_look(look) for look in LOOKS],
            "note": "" if "loaded_by_sampler" in self.frame.columns else "not known: loaded by a sampler",
            "points": [
                [int(place), float(steps[at]), int(lane), int(look), int(count)]
                for (place, lane, look), at, count in zip(places, first, counts, strict=True)
            ],
        }

        def pick(first: int, last: int) -> Picked:
            inside = steps[(bins >= first) & (bins <= last)]
            ends: list[float | None] = [float(inside.min()), float(inside.max())] if inside.size else []
            return {"step": ends} if ends else {}

        return Drawing(chart, pick)

    def _describe_looks(self, looks: Any) -> str:
        counts = np.bincount(looks, minlength=len(LOOKS))
        parts = [f"{counts[place]:,} {label_look(look)}" for place, look in enumerate(LOOKS) if counts[place]]
        return f"{len(looks):,} checkpoints with a step: {', '.join(parts)}."

    # ── values of rows ───────────────────────────────────────────────────────────────────────────────────────────────

    def _weigh(self, mask: Mask) -> tuple[Any, bool]:
        """Return the bytes of each row, and true; or 1 for each and false if no size is known."""
        return self.facets.weigh(mask)

    def _sum_by(self, mask: Mask, control: Control) -> tuple[Any, bool, list[Any]]:
        codes, values = self.facets.encode(control.columns[0])
        weights, is_size = self._weigh(mask)
        return np.bincount(codes[mask], weights=weights, minlength=len(values)), is_size, values

    def _make_bar(self, label: str, value: float, is_size: bool, look: str) -> Bar:
        text = self._describe_amount(value, is_size, short=True)
        return {"label": escape_control_characters(label), "value": float(value), "text": text, "look": look}

    def _describe_amount(self, value: float, is_size: bool, *, short: bool = False) -> str:
        if is_size:
            return format_size(float(value))
        return f"{int(value):,}" if short else f"{int(value):,} {self.sort.one}{'s' * (int(value) != 1)}"

    def _describe_share(self, part: float, total: float, is_size: bool) -> str:
        share = f" ({100 * part / total:.0f} %)" if part and total else ""
        return f"{self._describe_amount(part, is_size)}{share}" if part else "nothing"

    def _hours(self, name: str) -> Any:
        """Return times as hours since 1970, as float64 with NaN for NaT."""
        key = f"hours {name}"
        if key not in self._arrays:
            times = self.frame[name].to_numpy(dtype="datetime64[s]", na_value=np.datetime64("NaT", "s"))
            self._arrays[key] = np.where(np.isnat(times), np.nan, times.astype("int64") / HOUR_S)
        return self._arrays[key]

    def _floats(self, name: str) -> Any:
        if name not in self._arrays:
            self._arrays[name] = self.frame[name].to_numpy(dtype="float64", na_value=np.nan)
        return self._arrays[name]

    def _find_unknown_expiries(self) -> Any:
        """Return of which rows it is not known whether they expire."""
        if "unknown" not in self._arrays:
            is_any = bool(self.controls["expires"].unknown)
            unknown = read_expiries(self.frame)[1].to_numpy(dtype=bool) if is_any else np.zeros(len(self.frame), bool)
            self._arrays["unknown"] = unknown
        return self._arrays["unknown"]

    def _find_finals(self) -> Any:
        """Return which rows are named final; the rule is applied once to each name."""
        if "finals" not in self._arrays:
            import re

            codes, values = self.facets.encode("name")
            is_final = np.array([bool(re.search(FINAL_NAME, str(value))) for value in values], dtype=bool)
            self._arrays["finals"] = is_final[codes]
        return self._arrays["finals"]


def find_looks(frame: pd.DataFrame, now: datetime) -> Any:
    """Return the place in `LOOKS` of each checkpoint: how it is drawn along the steps of its run."""
    looks = np.full(len(frame), LOOKS.index("kept"), dtype=np.int64)
    if "expires_at" in frame.columns:
        times, unknown = read_expiries(frame)
        looks[(times > now).to_numpy(dtype=bool)] = LOOKS.index("expiring")
        looks[unknown.to_numpy(dtype=bool)] = LOOKS.index("other")
    for column, look in (("loaded_by_sampler", "loaded"), ("public", "public")):
        if column in frame.columns:
            flags = frame[column].eq(True).fillna(False).to_numpy(dtype=bool)  # NA and text are not
            looks[flags] = LOOKS.index(look)
    return looks


def label_look(look: str) -> str:
    """Return what a mark along the steps means."""
    return UNKNOWN if look == "other" else look


def make_series(label: str, look: str, values: Any) -> ChartSeries:
    """Return a series of a chart, its values with four digits."""
    return {"label": label, "look": look, "values": [float(f"{value:.4g}") for value in values]}


def make_bars(name: str, kind: Any, title: str, bars: list[Bar], *, text: str = "", rest: str = "") -> BarsChart:
    """Return a chart of bars or parts."""
    return {"id": name, "kind": kind, "title": title, "text": text, "bars": bars, "rest": rest}


def choose_unit(largest: float, is_size: bool) -> tuple[str, float]:
    """Return the unit that an axis up to a value has, and its factor; rows have none."""
    if not is_size:
        return "", 1.0
    return next(((unit, factor) for unit, factor in UNITS if largest >= factor), UNITS[-1])
