"""`python -m tests.benchmarks`: run all or some of the benchmarks and print one table."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable
from dataclasses import replace

from . import browser, building, costs, listing, overhead, pace, planning, scale, starting, views
from .peers import official_sdk
from .rounds import Outcome, UnequalError
from .setup import SMALL, Setup
from .table import LINES, render_table

# Each one measures several lines together because they share a peer or a server.
BENCHMARKS: dict[Callable[[Setup], dict[str, Outcome]], tuple[str, ...]] = {
    building.frames: ("build_sdk", "build_floor"),
    building.realistic_frames: ("build_runs_sdk", "build_runs_floor"),
    building.memory: ("memory",),
    listing.measure_near: ("cold_near", "warm"),
    listing.measure_far: ("waves", "waves_first", "waves_again", "cold_far"),
    listing.measure_local: ("caching", "cold_local"),
    starting.imports: ("import",),
    overhead.requests: ("requests",),
    overhead.failing: ("failing",),
    planning.few: ("plan_first", "plan_run", "plan_again", "plan_requests"),
    planning.whole: ("plan_all", "plan_repr", "samplers_again"),
    costs.year: ("usage_year", "costs_year"),
    pace.paces: ("pace", "pace_scales", "pace_limited"),
    browser.view: browser.NAMES,
    views.kept: ("view_kept",),
    scale.grow: ("grow_time", "grow_memory", "grow_runs", "grow_sessions"),
}


def measure(setup: Setup, only: Iterable[str] = ()) -> dict[str, Outcome]:
    """Run all benchmarks, or those that measure the named lines, and return the outcome of each line."""
    wanted = set(only) or set(LINES)
    outcomes: dict[str, Outcome] = {}
    for benchmark, names in BENCHMARKS.items():
        if wanted & set(names):
            print(f"measuring {', '.join(names)} …", file=sys.stderr, flush=True)
            outcomes |= benchmark(setup)
    return outcomes


def main(argv: list[str] | None = None) -> int:
    """Print the table; return 1 if two implementations returned different rows and cannot be compared."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--rows", type=int, help="checkpoints of the account (default: 100000)")
    parser.add_argument("--rounds", type=int, help="rounds that count (default: 5)")
    parser.add_argument(
        "--small", action="store_true", help="few rows, one round, low latencies: to see that all works"
    )
    parser.add_argument("--only", action="append", choices=LINES, default=[], help="a line; may be given again")
    given = parser.parse_args(argv)
    sizes = (SMALL if given.small else {}) | {
        name: value for name in ("rows", "rounds") if (value := getattr(given, name)) is not None
    }
    setup = replace(Setup(sdk=official_sdk()), **sizes)
    try:
        print(render_table(measure(setup, given.only), setup))
    except UnequalError as error:
        print(f"refused: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
