"""The lines of the table with their minimum and target, and the printed table."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from .rounds import Outcome, Result, Skipped

if TYPE_CHECKING:
    from .setup import Setup


@dataclass(frozen=True)
class Line:
    """One line: its description, minimum and target; neither for lines that are informative only."""

    what: str
    least: float | None = None
    aim: float | None = None
    at_most: bool = False  # smaller is better
    unit: str = ""

    def verdict(self, outcome: Outcome) -> str:
        """Return how the outcome compares with the minimum and the target."""
        if isinstance(outcome, Skipped):
            return f"skipped: {outcome.reason}"
        if self.least is None:
            return "-"
        sign = -1 if self.at_most else 1
        if self.aim is not None and sign * outcome.value >= sign * self.aim:
            return "aim"
        return "reached" if sign * outcome.value >= sign * self.least else "NOT reached"

    def bound(self, number: float | None) -> str:
        """Return the minimum or the target as text."""
        return "-" if number is None else f"{'<= ' if self.at_most else ''}{number:g}{self.unit}"


LINES = {
    "build_sdk": Line("build {rows:,} checkpoints: SDK way / ours (CPU)", 12, 20),
    "build_floor": Line("same: ours / bare orjson.loads (CPU)", 2.5, 1.8, at_most=True),
    "build_runs_sdk": Line("build {rows:,}, twenty runs at a time, own names: SDK way / ours (CPU)", 12, 16),
    "build_runs_floor": Line("same: ours / bare orjson.loads (CPU)", 2.0, 1.7, at_most=True),
    "memory": Line("peak memory of building / JSON bytes", 1.8, 1.2, at_most=True),
    "cold_near": Line("cold listing at {near:g} ms, cached: SDK loop / ours", 14, 16),
    "waves": Line("cold at {far:g} ms, 16 threads, new client: time / wave floor", 1.10, 1.05, at_most=True),
    "waves_first": Line("same, by the first client of this account"),
    "waves_again": Line("same, by a client that has read before, uncached"),
    "warm": Line("warm listing: SDK loop at {near:g} ms / ours", 200, 400),
    "caching": Line("what caching adds to a cold listing at 0 ms", 25, 10, at_most=True, unit=" %"),
    "import": Line("import tinker_frames / bare Python (CPU)", 2, 1.5, at_most=True),
    "requests": Line("requests for a quiet account above ceil(rows/page)+3", 0, 0, at_most=True),
    "failing": Line("a server that answers 500 for ever: seconds to the error", 30, at_most=True, unit=" s"),
    "plan_first": Line("plan of 3 rows at {near:g} ms, first: round trips", 110, 60, at_most=True),
    "plan_run": Line("its run, with all guards: round trips", 60, 40, at_most=True),
    "plan_again": Line("plan of 3 rows after a write: round trips", 12, 6, at_most=True),
    "plan_requests": Line("same: requests", 12, 6, at_most=True),
    "plan_all": Line("plan of all {rows:,} at 0 ms / cold listing", 4, 2, at_most=True),
    "plan_repr": Line("its repr, with the verdicts / cold listing", 0.3, 0.1, at_most=True),
    "samplers_again": Line("samplers() after a write / first time", 0.05, 0.02, at_most=True),
    "pace": Line("deletes, slowed by parallel ones: pace / best fixed number", 1.2, 1.1, at_most=True),
    "pace_scales": Line("same, on a server that scales", 1.2, 1.1, at_most=True),
    "pace_limited": Line("same, on a server that rate-limits", 1.2, 1.1, at_most=True),
    "view": Line("first rows of {rows:,} in JupyterLab: ours / quak", 0.333, 0.2, at_most=True),
    "view_narrow": Line("same, quak with only the columns that ours shows"),
    "view_filter": Line("one more letter in the filter, until it is seen", 0.3, at_most=True, unit=" s"),
    "view_sort": Line("a click on a column, until it is sorted", 0.3, at_most=True, unit=" s"),
    "view_bytes": Line("sent to the browser until the rows are there", 0.2, at_most=True, unit=" MB"),
    "view_errors": Line("errors in the browser meanwhile", 0, 0, at_most=True),
    "view_kept": Line("ten runs of a cell with a view of {rows:,} rows: kept", 150, 90, at_most=True, unit=" MB"),
    "grow_time": Line("ten times {grow:,} checkpoints: user's list (CPU)", 11, 10, at_most=True),
    "grow_memory": Line("same: peak memory above the base", 11, 10, at_most=True),
    "grow_runs": Line("same, run by run, of 50 checkpoints each (CPU)", 11, 10, at_most=True),
    "grow_sessions": Line("ten times as many sessions, without a search (CPU)", 11, 10, at_most=True),
    "usage_year": Line(
        "a year of {rows:,} billing events at {near:g} ms: listed / one request of 14 days", 10, 5, at_most=True
    ),
    "costs_year": Line("its costs by session and month, cached / building {rows:,} checkpoints", 4, 2, at_most=True),
    "cold_local": Line("cold listing at 0 ms: SDK loop / ours"),
    "cold_far": Line("cold listing at {far:g} ms: SDK loop / ours"),
}
HEADS = ("what", "at least", "aim", "measured", "verdict")
SHOWN = (
    "tinker_frames", "tinker", "pandas", "pyarrow", "msgspec", "orjson", "requests", "requests-cache", "fastapi", "quak",
)  # fmt: skip


def render_table(outcomes: Mapping[str, Outcome], setup: Setup) -> str:
    """Return the table in the order of `LINES`, followed by a note for each value."""
    found = {name: outcomes[name] for name in LINES if name in outcomes}
    cells = [HEADS, *(_cells(LINES[name], outcome, setup.words) for name, outcome in found.items())]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    rows = [" | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
    rows.insert(1, "-|-".join("-" * width for width in widths))
    describe_measurement = [
        f"{name}: {outcome.describe_measurement}" for name, outcome in found.items() if isinstance(outcome, Result)
    ]
    return "\n".join([*rows, "", *describe_measurement, "", machine()])


def _cells(line: Line, outcome: Outcome, words: Mapping[str, float]) -> tuple[str, ...]:
    measure = "-" if isinstance(outcome, Skipped) else f"{outcome.value:.3g}{line.unit}"
    return line.what.format(**words), line.bound(line.least), line.bound(line.aim), measure, line.verdict(outcome)


def machine() -> str:
    """Return a paragraph on the machine and the versions."""
    versions = ", ".join(f"{name} {_version(name)}" for name in SHOWN)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    load = "/".join(f"{number:.1f}" for number in os.getloadavg())
    return f"{platform.platform()}, {cores} cores, load {load}, Python {platform.python_version()}\n{versions}"


def _version(name: str) -> str:
    import tinker_frames

    try:
        return tinker_frames.__version__ if name == "tinker_frames" else version(name)
    except PackageNotFoundError:
        return "absent"
