"""A year of billing events: listed, against the time of its largest answer, and summed, against a listing of as many checkpoints."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from tinker_frames.billing.spans import LONGEST_WINDOW

from .building import our_frame
from .listing import connect
from .pages import pages
from .rounds import Outcome, UnequalError, in_turn, ratio
from .setup import CHECKOUT, Setup


def year(setup: Setup) -> dict[str, Outcome]:
    """Measure `usage` of a year against one request of 14 days, and what `costs` adds against building as many checkpoints."""
    with serve_events(setup) as url, tempfile.TemporaryDirectory() as folder:
        numbers = count()

        def list_year() -> int:
            with connect(url, cache_dir=Path(folder) / f"cold-{next(numbers)}") as client:
                return len(client.usage("365d", progress=False))

        with connect(url, cache_dir=Path(folder) / "warm") as client:
            usage = client.usage("365d", progress=False)
            if not setup.rows * 0.5 < len(usage) < setup.rows * 3:
                raise UnequalError(f"costs: {len(usage)} events of some {setup.rows}")
            start = usage["bucket_start"].iloc[0].to_pydatetime()
            one = lambda: client.rest.get_billing_usage_events(start, start + LONGEST_WINDOW)  # noqa: E731
            contents = list(pages(setup.rows))
            ways = {
                "one": one,
                "year": list_year,
                "costs": lambda: client.costs(["session", "month"], "365d", progress=False),
                "build": lambda: our_frame(contents),
            }
            for way in ways.values():
                way()
            times = in_turn(ways, setup.rounds, setup.warm_ups)
    note = f"{len(usage):,} events"
    return {"usage_year": ratio(times, "year", "one", note), "costs_year": ratio(times, "costs", "build", note)}


@contextmanager
def serve_events(setup: Setup) -> Iterator[str]:
    """Serve a year of events from another process; yield the address."""
    command = [sys.executable, "-m", "tests.benchmarks.billing_server", str(setup.rows), str(setup.near_s)]
    with subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().split()[1]
        finally:
            process.terminate()
