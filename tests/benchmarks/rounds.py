"""Rounds in turn, their medians, and the refusal to compare what is not equal."""

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
    """Two ways gave different rows, so their times cannot be compared."""


@dataclass(frozen=True)
class Result:
    """What a line measured; `low` and `high` are of single rounds, the note says what the number is made of."""

    value: float
    low: float | None = None
    high: float | None = None
    note: str = ""

    @property
    def told(self) -> str:
        """The note and the extremes in words."""
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
    """Run every way once a round, and return their seconds; the collector runs before each, and is on as users have it."""
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
    """Return how many times longer one way takes than the other: of the medians, with the extremes of single rounds."""
    single = [a / b for a, b in zip(times[above], times[below], strict=True)]
    told = f"{median(times[above]):.3g} s / {median(times[below]):.3g} s"
    return Result(
        median(times[above]) / median(times[below]), min(single), max(single), f"{told}; {note}" if note else told
    )


def require_equal(ours: pd.DataFrame, peer: pd.DataFrame, what: str) -> None:
    """Refuse to go on where row count, sum of sizes or the set of keys differ."""
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
