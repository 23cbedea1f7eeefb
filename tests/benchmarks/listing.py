"""Complete listings over HTTP: cold and warm against the SDK's loop, cold against the lower bound, and the cost of caching."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tinker_frames as tkf

from .rounds import NO_SDK, Outcome, Result, UnequalError, in_turn, ratio, require_equal
from .server import KEY, serve_account
from .setup import Setup

if TYPE_CHECKING:
    import pandas as pd

WORKERS = 16
Way = Callable[[], "pd.DataFrame"]


def measure_near(setup: Setup) -> dict[str, Outcome]:
    """Measure a nearby server: the SDK's loop, a cold cached listing, and the same listing read from the cache."""
    if setup.sdk is None:
        return dict.fromkeys(("cold_near", "warm"), NO_SDK)
    sdk = setup.sdk
    with serve_account(setup.rows, setup.near_s) as url, our_ways(url) as (cold, warm, _, _):
        ways = {"sdk": lambda: sdk.listing(url, KEY), "cold": cold, "warm": warm}
        frame = check_listing(cold, setup)
        require_equal(frame, ways["sdk"](), "cold listing")
        require_equal(frame, check_listing(warm, setup, cached=True), "warm listing")
        del frame
        times = in_turn(ways, setup.rounds, setup.warm_ups)
    return {"cold_near": ratio(times, "sdk", "cold"), "warm": ratio(times, "sdk", "warm")}


def measure_local(setup: Setup) -> dict[str, Outcome]:
    """Measure a server without latency: with and without the cache in many rounds, and the SDK's loop in a few."""
    with serve_account(setup.rows, 0) as url, our_ways(url) as (cold, _, uncached, _):
        require_equal(check_listing(cold, setup), check_listing(uncached, setup), "caching")
        times = in_turn({"cold": cold, "uncached": uncached}, 3 * setup.rounds, setup.warm_ups)
        found = ratio(times, "cold", "uncached")
        added = Result(*(100 * (n - 1) for n in (found.value, found.low, found.high)), note=found.note)
        return {"caching": added, "cold_local": _beside_sdk(setup, url, cold, setup.rounds)}


def measure_far(setup: Setup) -> dict[str, Outcome]:
    """Measure a distant server against the least time this many threads need, and one round of the SDK's loop."""
    floor = (1 + math.ceil((setup.pages - 1) / WORKERS)) * setup.far_s
    with serve_account(setup.rows, setup.far_s) as url, our_ways(url) as (first, _, _, again):
        check_listing(first, setup)
        with connect(url, cache=False) as client:
            ways = {"new": again, "first": first, "same": lambda: client.checkpoints(refresh=True, progress=False)}
            for way in ways.values():
                check_listing(way, setup)
            times = in_turn(ways, setup.rounds, setup.warm_ups) | {"floor": [floor] * setup.rounds}
        return {
            "waves": ratio(times, "new", "floor", "its config was read by an earlier client"),
            "waves_first": ratio(times, "first", "floor", "config alone makes 1.125 of 100 pages"),
            "waves_again": ratio(times, "same", "floor"),
            "cold_far": _beside_sdk(setup, url, first, 1),
        }


def _beside_sdk(setup: Setup, url: str, cold: Way, rounds: int) -> Outcome:
    if setup.sdk is None:
        return NO_SDK
    sdk = setup.sdk
    ways = {"sdk": lambda: sdk.listing(url, KEY), "cold": cold}
    require_equal(cold(), ways["sdk"](), "cold listing")
    return ratio(in_turn(ways, rounds, 0), "sdk", "cold")


@contextmanager
def our_ways(url: str) -> Iterator[tuple[Way, Way, Way, Way]]:
    """Return four ways to list the account with a new client: cold with a new cache, warm, without a cache, and cold with a known one."""
    with tempfile.TemporaryDirectory() as folder:
        numbers = count()

        def list_checkpoints(cache_dir: Path, *, cache: bool = True, refresh: bool = False) -> pd.DataFrame:
            with connect(url, cache=cache, cache_dir=cache_dir) as client:
                return client.checkpoints(refresh=refresh, progress=False)

        warm_dir = Path(folder) / "warm"
        list_checkpoints(warm_dir)
        yield (
            lambda: list_checkpoints(Path(folder) / f"cold-{next(numbers)}"),
            lambda: list_checkpoints(warm_dir),
            lambda: list_checkpoints(Path(folder) / "none", cache=False),
            lambda: list_checkpoints(warm_dir, refresh=True),
        )


def connect(url: str, **options: Any) -> tkf.Client:
    """Return a new client of the account."""
    return tkf.Client(KEY, url, cache_ttl=3600, max_workers=WORKERS, **options)


def check_listing(way: Way, setup: Setup, *, cached: bool = False) -> pd.DataFrame:
    """Return the frame after checking that it is complete and came from the expected source."""
    frame = way()
    about = frame.attrs["tinker"]
    if len(frame) != setup.rows or not about["complete"] or about["from_cache"] != cached:
        raise UnequalError(f"{len(frame)} rows of {setup.rows}, and its attrs say {about}")
    return frame
