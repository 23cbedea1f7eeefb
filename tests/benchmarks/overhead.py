"""The number of requests of a listing, and the time until an error from a server that always fails."""

from __future__ import annotations

import tempfile

import tinker_frames as tkf
from tinker_frames.demo import Burst, DemoServer, Faults

from .rounds import WALL, Outcome, Result, UnequalError
from .setup import Setup


def requests(setup: Setup) -> dict[str, Outcome]:
    """Count the requests of a listing beyond one per page, the config, the rate of storage, and one past the end, which proves the total."""
    with DemoServer(checkpoints=setup.rows) as server, tempfile.TemporaryDirectory() as folder:
        with tkf.Client(server.key, server.url, cache_dir=folder) as client:
            rows = len(client.checkpoints(progress=False))
        pages, others = server.requests.count("list_user_checkpoints"), server.requests.count()
    if rows != setup.rows:
        raise UnequalError(f"requests: {rows} rows of {setup.rows}")
    note = f"{others} requests for {setup.pages} pages, of them {pages} for pages"
    return {"requests": Result(others - setup.pages - 3, note=note)}


def failing(setup: Setup) -> dict[str, Outcome]:
    """Measure the seconds until the error, with default settings, on a server that always responds with a 500."""
    faults = Faults(bursts=[Burst("*", 500, times=None)])
    with DemoServer(runs=1, faults=faults) as server, tempfile.TemporaryDirectory() as folder:
        start = WALL()
        with tkf.Client(server.key, server.url, cache_dir=folder) as client:
            try:
                client.checkpoints(progress=False)
            except tkf.errors.ServerError:
                seconds = WALL() - start
            else:
                raise UnequalError("failing: a server that only fails gave a frame")
        return {"failing": Result(seconds, note=f"{server.requests.count()} requests")}
