"""Alternating rounds, their medians, and the check that only equal results are compared."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

CPU = time.process_time
WALL = time.perf_counter


class UnequalError(Exception):
    """Two implementations returned different rows, so their times cannot be compared."""


@dataclass(frozen=True)
class Result:
    """The measurement of a line; `low` and `high` are from single rounds, the note explains the value."""

    value: float
    low: float | None = None
    high: float | None = None
    note: str = ""

    @property
    def describe_measurement(self) -> str:
        """The note and the extremes as text."""
        return self.note if self.low is None else f"{self.note} (single rounds {self.low:.3g} to {self.high:.3g})"


@dataclass(frozen=True)
class Skipped:
    """A line that could not be measured, and why."""

    reason: str


NO_SDK = Skipped("needs the peers extra")

Outcome = Result | Skipped
Times = dict[str, list[float]]


def in_turn(
    ways: Mapping[str, Callable[[], Any]], rounds: int, warm_ups: int, clock: Callable[[], float] = WALL
) -> Times:
    """Run each implementation once per round and return the seconds; the garbage collector runs before each."""
    times: Times = {name: [] for name in ways}
    for number in range(warm_ups + rounds):
        for name, way in ways.items():
            gc.collect()
            start = clock()
            result = way()
            seconds = clock() - start
            del result
            if number >= warm_ups:
                times[name].append(seconds)
    return times


def ratio(times: Times, above: str, below: str, note: str = "") -> Result:
    """Return the ratio of two medians, with the extremes of single rounds."""
    single = [a / b for a, b in zip(times[above], times[below], strict=True)]
    describe_measurement = f"{median(times[above]):.3g} s / {median(times[below]):.3g} s"
    return Result(
        median(times[above]) / median(times[below]),
        min(single),
        max(single),
        f"{describe_measurement}; {note}" if note else describe_measurement,
    )


def require_equal(ours: pd.DataFrame, peer: pd.DataFrame, what: str) -> None:
    """Raise if the row count, the sum of sizes or the set of keys differ."""
    for fact, of in FACTS.items():
        have, other = of(ours), of(peer)
        if have != other:
            shown = "" if isinstance(have, frozenset) else f": {have} and {other}"
            raise UnequalError(f"{what}: the {fact} of ours and of the peer differ{shown}; nothing was timed")


FACTS: dict[str, Callable[[pd.DataFrame], Any]] = {
    "row count": len,
    "sum of sizes": lambda frame: int(frame["size_bytes"].sum()),
    "set of keys": lambda frame: frozenset(frame["tinker_path"]),
}
