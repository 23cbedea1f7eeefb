"""A server that is gone in the middle of a plan."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

import tinker_frames as tkf
from tinker_frames.demo import DemoServer, Reset
from tinker_frames.plans import runner
from tinker_frames.rest.progress import Progress

Make = Callable[..., tkf.Client]


class Waits(Progress):
    """A progress that keeps the reasons of waits, and calls a function after some rows."""

    def __init__(self, after: int, then: Callable[[], object]) -> None:
        super().__init__()
        self.reasons: list[str] = []
        self._left, self._then = after, then

    def advance(self, rows: int) -> None:
        self._left -= rows
        if self._left == 0:
            self._then()

    def report_wait(self, seconds: float, why: str) -> None:
        self.reasons.append(why)


@pytest.mark.slow
def test_a_plan_stops_when_its_server_is_gone(client_of: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """The wait is reported, then nothing further is sent; each row says what became of it, and the plan can be resumed."""
    monkeypatch.setattr(runner, "LOST_S", 0.2)
    with DemoServer(runs=6, seed=1) as server:
        client = client_of(server, retries=2)
        server.faults.write_latency = 0.02
        plan = client.checkpoints().query("not public").tinker.publish()
        bar = Waits(5, lambda: threading.Thread(target=server.stop).start())
        outcomes = plan.run(confirm=True, progress=bar, max_workers=2)
        requests = len(server.requests)
    late = outcomes["error"].fillna("").str.contains("the server could no longer be reached; tkf.resume")
    assert late.sum() > len(outcomes) / 2
    assert any("no connection" in why for why in bar.reasons)
    assert requests == len(server.requests)


def test_a_server_that_drops_a_write_is_not_gone(server: DemoServer, client: tkf.Client) -> None:
    """A connection that is reset once does not stop a plan: the server answers when it is asked."""
    server.faults.bursts = [Reset("publish_checkpoint", times=2)]
    plan = client.checkpoints().query("not public").head(6).tinker.publish()
    assert set(plan.run(confirm=True)["outcome"]) == {"done"}
