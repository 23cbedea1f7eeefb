"""The duration of a plan with the adaptive pace, compared with the best fixed number of parallel writes."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import tinker_frames as tkf
from tinker_frames.demo import DemoServer, Faults
from tinker_frames.plans.guards import GUARDS
from tinker_frames.plans.pace import Pace
from tinker_frames.plans.planner import Planner
from tinker_frames.plans.runner import Runner

from .rounds import Outcome, Result, UnequalError
from .setup import Setup

NUMBERS = (2, 4, 8, 16)
DELETE = "delete_checkpoint"
RATE = 60  # deletes a second


class Fixed(Pace):
    """A pace that never changes."""

    def record_outcome(self, now: float, *, well: bool) -> None:
        """Do nothing."""

    def record_rate_limit(self) -> None:
        """Do nothing; the wait that the server requested is still observed."""


class FixedPlanner(Planner):
    """A planner whose plans send a fixed number of parallel writes; 0 selects the adaptive pace."""

    number = 0

    def make_runner(self) -> Runner:
        """Return a runner with this number of parallel writes."""
        runner = super().make_runner()
        return replace(runner, pace=lambda most: Fixed(most, self.number)) if self.number else runner


def paces(setup: Setup) -> dict[str, Outcome]:
    """Compare on a server that slows down under parallel writes, on one that scales, and on one that rate-limits."""
    rows, seconds = setup.writes, setup.near_s
    servers: dict[str, Callable[[], Faults]] = {
        "pace": lambda: Faults(write_latency=seconds, write_slowdown=seconds),
        "pace_scales": lambda: Faults(write_latency=seconds),
        "pace_limited": lambda: Faults(write_latency=seconds, rate_limit=RATE, rate_limited=DELETE),
    }
    return {name: compare_paces(faults, rows) for name, faults in servers.items()}


def compare_paces(faults: Callable[[], Faults], rows: int) -> Result:
    """Return the duration relative to the best fixed number."""
    fixed = {number: writing_s(faults(), rows, number) for number in NUMBERS}
    best = min(fixed, key=fixed.__getitem__)
    ours = min(writing_s(faults(), rows, 0) for _ in range(2))  # the better of two runs, as other processes interfere
    fixed[best] = min(fixed[best], writing_s(faults(), rows, best))
    timings = ", ".join(f"{number}: {seconds:.3g} s" for number, seconds in fixed.items())
    return Result(ours / fixed[best], note=f"{ours:.3g} s for {rows} deletes; fixed numbers {timings}")


def writing_s(faults: Faults, rows: int, number: int) -> float:
    """Return the seconds from the first delete to the end of the last, as seen by the server."""
    with DemoServer(runs=20, checkpoints=rows, faults=faults) as server, tempfile.TemporaryDirectory() as folder:
        with tkf.Client(server.key, server.url, cache_dir=folder) as client:
            planner = FixedPlanner(client.transport, client._reader, Path(folder) / "journal")
            planner.number = number
            plan = planner.plan("delete", client.checkpoints(progress=False))
            outcomes = plan.allow(*GUARDS).run(confirm=rows, progress=False)
        if not (outcomes["outcome"] == "done").all() or len(outcomes) != rows:
            raise UnequalError(f"pace: not every one of {rows} rows was deleted")
        calls = server.requests.to(DELETE)
        return max(call.ended or 0.0 for call in calls) - min(call.started for call in calls)
