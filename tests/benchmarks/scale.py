"""Ten times the account: how CPU time and peak memory grow, of the user's list, run by run, and of sessions without a search.

Each listing is read once in a new process, `python -m tests.benchmarks.scale WAY URL`, which prints its rows, the seconds of CPU
that it took (the server has a process of its own, which would share a clock's seconds with it on a small machine), and the bytes by which it raised the peak of resident memory.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import tinker_frames as tkf

from .peak import measure_peak
from .rounds import CPU, Outcome, Result, UnequalError
from .server import KEY, serve_account
from .setup import CHECKOUT, Setup

if TYPE_CHECKING:
    import pandas as pd

TIMES = 10
ROWS_PER_RUN = 50
SESSIONS_PER_ROW = 0.005


class Reading(NamedTuple):
    """What one process measured."""

    rows: int
    seconds: float  # of CPU
    peak_bytes: int


WAYS: dict[str, Callable[[tkf.Client], pd.DataFrame]] = {
    "user": lambda client: client.checkpoints(progress=False),
    "run": lambda client: client.checkpoints(by="run", progress=False),
    "sessions": lambda client: client.sessions(progress=False),
}


def grow(setup: Setup) -> dict[str, Outcome]:
    """Measure the user's list and the lists of runs of an account and of one ten times as large, and sessions one by one."""
    sizes = (setup.grow_rows, setup.grow_rows * TIMES)
    found: dict[str, list[Reading]] = {way: [] for way in WAYS}
    for rows in sizes:
        with serve_account(rows, 0, runs=max(20, rows // ROWS_PER_RUN)) as url:
            found["user"].append(_read("user", url, rows))
            found["run"].append(_read("run", url, rows))
        sessions = max(20, int(rows * SESSIONS_PER_ROW))  # the generator makes some more of them than runs
        with serve_account(sessions, 0, runs=sessions, dialect="tuft") as url:
            found["sessions"].append(_read("sessions", url))
    return {
        "grow_time": _ratio(found["user"], "seconds"),
        "grow_memory": _ratio(found["user"], "peak_bytes"),
        "grow_runs": _ratio(found["run"], "seconds"),
        "grow_sessions": _ratio(found["sessions"], "seconds"),
    }


def _read(way: str, url: str, expected: int | None = None) -> Reading:
    command = [sys.executable, "-m", "tests.benchmarks.scale", way, url]
    printed = subprocess.run(command, cwd=CHECKOUT, check=True, capture_output=True, text=True, timeout=900).stdout
    rows, seconds, peak_bytes = printed.split()
    if expected not in {None, int(rows)}:
        raise UnequalError(f"scale: {rows} rows were read out of {expected}")
    return Reading(int(rows), float(seconds), int(peak_bytes))


def _ratio(readings: list[Reading], fact: str) -> Result:
    """Return how much more the large account took, for ten times the rows."""
    small, large = readings
    ratio = getattr(large, fact) / getattr(small, fact) * TIMES * small.rows / large.rows
    unit, scale = ("s", 1.0) if fact == "seconds" else ("MB", 1e6)
    note = " / ".join(f"{getattr(r, fact) / scale:.3g} {unit} of {r.rows:,} rows" for r in (large, small))
    return Result(ratio, note=note)


def main(way: str, url: str) -> None:
    """Read one listing and print its rows, seconds and peak."""
    with tempfile.TemporaryDirectory() as folder, tkf.Client(KEY, url, cache_dir=folder) as client:
        client.checkpoints(limit=1, progress=False)  # imports, and the first connection
        start = CPU()
        frame, peak_bytes = measure_peak(lambda: WAYS[way](client))
        print(len(frame), CPU() - start, peak_bytes)


if __name__ == "__main__":
    main(*sys.argv[1:])
