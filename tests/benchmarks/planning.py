"""Plans of a few rows and of all: round trips, requests, and times beside a cold listing.

The account has five sessions for every six training runs, a fifth of them without an end, and three samplers for every two sessions.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median
from typing import TYPE_CHECKING, Any

import tinker_frames as tkf

from .rounds import WALL, Outcome, Result, UnequalError, in_turn, ratio
from .server import KEY, serve_account
from .setup import Setup

if TYPE_CHECKING:
    import pandas as pd

ROWS_PER_RUN = 33
FEW = 3


def few(setup: Setup) -> dict[str, Outcome]:
    """Measure a plan of three rows at 50 ms: made first, run, and made again after that write."""
    rounds = [_plan_few(setup) for _ in range(max(1, setup.rounds // 2))]
    return {
        name: Result(
            median(times[name] for times in rounds), min(t[name] for t in rounds), max(t[name] for t in rounds), note
        )
        for name, note in (
            ("plan_first", "a new client on an empty cache, which has listed the checkpoints"),
            ("plan_run", "it reads samplers and runs again before and after"),
            ("plan_again", "after the write of that run"),
            ("plan_requests", "requests of the plan after a write"),
        )
    }


def whole(setup: Setup) -> dict[str, Outcome]:
    """Measure a plan of all rows and its repr beside a cold listing, and the samplers again after a write, at 0 ms."""
    with _account(setup, 0) as (url, folder):
        numbers = iter(range(10**6))
        client = tkf.Client(KEY, url, cache_dir=f"{folder}/kept", cache_ttl=3600)
        frame = client.checkpoints(progress=False)
        plans = [frame.tinker.delete()]

        def list_cold() -> pd.DataFrame:
            with tkf.Client(KEY, url, cache_dir=f"{folder}/{next(numbers)}") as new:
                return new.checkpoints(progress=False)

        def make_plan() -> int:
            plans.append(frame.tinker.delete())
            return len(plans.pop(0).frame)

        if make_plan() != setup.rows:
            raise UnequalError("plan: it does not have every row")
        ways = {"cold": list_cold, "plan": make_plan, "repr": lambda: repr(frame_plan(plans[0]))}
        times = in_turn(ways, setup.rounds, setup.warm_ups)
        first = _time(lambda: client.samplers(refresh=True))
        client.rest.publish_checkpoint(frame["tinker_path"].iloc[0])
        again = _time(client.samplers)
        client.close()
    samplers = Result(again / first, note=f"{again:.3g} s / {first:.3g} s; a write came between")
    return {
        "plan_all": ratio(times, "plan", "cold"),
        "plan_repr": ratio(times, "repr", "cold", "of a plan that was made, and not looked at before"),
        "samplers_again": samplers,
    }


def frame_plan(plan: Any) -> Any:
    """Return an equal plan whose rows are not judged yet."""
    return plan.allow()


def _plan_few(setup: Setup) -> dict[str, float]:
    with _account(setup, setup.near_s) as (url, folder), tkf.Client(KEY, url, cache_dir=folder) as client:
        frame = client.checkpoints(progress=False).query("not public").head(FEW)
        first = _time(frame.tinker.publish)
        plan = client.checkpoints(progress=False).tinker.delete()
        plan = plan.only(plan.frame.query("verdict == 'send'")["tinker_path"].head(FEW))
        run = _time(lambda: plan.run(confirm=FEW, progress=False))
        rest = client.checkpoints(progress=False).query("not public").head(FEW)
        seen = _Count(client)
        again = _time(rest.tinker.delete)
        return {
            "plan_first": first / setup.near_s,
            "plan_run": run / setup.near_s,
            "plan_again": again / setup.near_s,
            "plan_requests": float(seen.requests),
        }


class _Count:
    """Counts the requests that a client sends from now on."""

    def __init__(self, client: tkf.Client) -> None:
        self.requests, call = 0, client.transport.call

        def count(*args: Any, **kwargs: Any) -> Any:
            self.requests += 1
            return call(*args, **kwargs)

        client.transport.call = count  # type: ignore[method-assign]


@contextmanager
def _account(setup: Setup, latency_s: float) -> Iterator[tuple[str, str]]:
    with (
        serve_account(setup.rows, latency_s, runs=setup.rows // ROWS_PER_RUN) as url,
        tempfile.TemporaryDirectory() as folder,
    ):
        yield url, folder


def _time(call: Callable[[], Any]) -> float:
    start = WALL()
    call()
    return WALL() - start
