"""Work on a thread of its own: its result, its errors, how far it is, and a way to stop it."""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

import tinker_frames as tkf
from tinker_frames.demo import DemoServer
from tinker_frames.errors import InvalidRequestError, NotFoundError
from tinker_frames.listings.tables import TableReader
from tinker_frames.rest.progress import Progress, StoppedError, is_watched, open_progress
from tinker_frames.views.task import TICK_S, Deed, told

PATIENCE_S = 20
Ends = list[tuple[Any, BaseException | None]]


def deed_of(work: Callable[[Deed], Any], show: Callable[[], None] = lambda: None) -> tuple[Deed, Ends]:
    """Return a deed and the list that its end is put into."""
    ends: Ends = []
    return Deed("works", work, lambda result, problem: ends.append((result, problem)), show), ends


def test_work_is_done_elsewhere_and_its_result_is_told() -> None:
    """The caller goes on at once; the end is told in the thread that worked, before anybody who waits goes on."""
    threads, free = [threading.current_thread()], threading.Event()

    def work(_: Deed) -> int:
        threads.append(threading.current_thread())
        free.wait(PATIENCE_S)
        return 5

    deed, ends = deed_of(work)
    assert deed.start() is deed
    assert not deed.join(0)
    assert not ends
    free.set()
    assert deed.join(PATIENCE_S)
    assert ends == [(5, None)]
    assert threads[0] is not threads[1]


@pytest.mark.parametrize("error", [ValueError("no"), NotFoundError("gone"), KeyboardInterrupt(), SystemExit(3)])
def test_whatever_goes_wrong_is_told(error: BaseException) -> None:
    """No error gets lost in the thread, not even one that ends programs."""

    def work(_: Deed) -> None:
        raise error

    deed, ends = deed_of(work)
    assert deed.start().join(PATIENCE_S)
    assert ends == [(None, error)]


def test_how_far_it_is_is_shown_as_it_changes() -> None:
    """Whoever watches is told of changes, ten times a second at most, and never once it is over."""
    seen: list[tuple[float, int]] = []

    def steps(deed: Deed) -> None:
        with deed as bar:
            bar.expect(50)
            until = time.monotonic() + PATIENCE_S
            while len(seen) < 4 and time.monotonic() < until:
                bar.advance(1)
                deed.stop.wait(0.005)

    deed, _ = deed_of(steps, lambda: seen.append((time.monotonic(), deed.shown()["done"])))
    assert deed.start().join(PATIENCE_S)
    told_at = [at for at, _ in seen]
    assert len(seen) >= 4
    assert all(later - earlier >= TICK_S * 0.9 for earlier, later in pairwise(told_at))
    done = [rows for _, rows in seen]
    assert done == sorted(set(done))
    assert deed.shown()["total"] == 50


def test_nothing_is_told_while_nothing_changes() -> None:
    """Work that waits for an answer does not have its view sent again and again."""
    seen: list[int] = []
    deed, _ = deed_of(lambda deed: deed.stop.wait(TICK_S * 6), lambda: seen.append(1))
    assert deed.start().join(PATIENCE_S)
    assert len(seen) <= 1


def test_progress_is_counted_as_a_bar_counts() -> None:
    """Rows add up, a second sweep begins from nothing, and a total that nobody knows is none."""
    deed, _ = deed_of(lambda _: None)
    with deed as bar:
        bar.expect(10)
        bar.advance(3)
        bar.advance(4)
        assert {name: deed.shown()[name] for name in ("what", "done", "total", "stopping")} == {
            "what": "works", "done": 7, "total": 10, "stopping": False,
        }  # fmt: skip
        bar.restart()
        bar.expect(None)
    assert (deed.shown()["done"], deed.shown()["total"]) == (0, 0)
    deed.advance(8)
    deed._began -= 4
    assert deed.shown()["rate"] == pytest.approx(2, abs=0.1)


def test_waits_are_said_as_long_as_they_last() -> None:
    """A wait is said with its reason and the seconds that are left; one that is over is not."""
    deed, _ = deed_of(lambda _: None)
    assert deed.shown()["waiting"] == ""
    deed.waiting(12, "rate limited (429)")
    assert deed.shown()["waiting"] == "waiting 12 s: rate limited (429)"
    deed.waiting(0.3, "rate limited (429)")
    assert deed.shown()["waiting"] == ""


def test_it_can_be_asked_to_stop() -> None:
    """Cancelling is seen by whoever works, and by whoever looks; the end is told as ever."""
    deed, ends = deed_of(lambda deed: deed.stop.wait(PATIENCE_S))
    deed.start().cancel()
    assert deed.shown()["stopping"]
    assert deed.join(PATIENCE_S)
    assert ends == [(True, None)]


def test_nobody_draws_a_bar_meanwhile_and_the_callers_context_holds() -> None:
    """On the thread no progress bar is drawn but this one, and what the caller set for its context is set there too."""
    mine = contextvars.ContextVar("mine", default="")
    mine.set("yes")
    deed, ends = deed_of(lambda deed: (is_watched(), mine.get(), open_progress("x", deed) is deed, Progress("x")._show))
    assert deed.start().join(PATIENCE_S)
    assert ends == [((False, "yes", True, False), None)]


def test_each_reading_is_a_part_of_it(quiet_server: Any, client_of: Callable[..., tkf.Client]) -> None:
    """What is read on its thread is shown by name, each from nothing, and is over when it ends."""
    client = client_of(quiet_server)
    seen: list[tuple[str, int]] = []

    def work(deed: Deed) -> int:
        go_on_with = deed.go_on_with
        deed.go_on_with = lambda part: (seen.append((deed.shown()["part"], deed.shown()["done"])), go_on_with(part))[1]  # type: ignore[method-assign, func-returns-value]
        return len(client.checkpoints()) + len(client.training_runs(progress=False))

    deed, ends = deed_of(work)
    assert deed.start().join(PATIENCE_S)
    assert seen == [("", 0), ("checkpoints", len(client.checkpoints()))]
    assert (deed.shown()["part"], deed.shown()["done"]) == ("", 0)
    assert ends == [(len(client.checkpoints()) + len(client.training_runs()), None)]


def test_stopping_it_stops_what_it_reads(server: DemoServer, client: tkf.Client) -> None:
    """A reading that waits for a slow server, and those that would follow it, end when the work is cancelled."""
    server.faults.latency_of["list_training_runs"] = 0.2

    def work(deed: Deed) -> None:
        try:
            client.checkpoints(by="run")
        finally:
            client.sessions()

    deed, ends = deed_of(work)
    deed.start()
    while not server.requests.count("list_checkpoints"):
        assert not deed.join(0.005)
    deed.cancel()
    assert deed.join(PATIENCE_S)
    assert [type(problem) for _, problem in ends] == [StoppedError]
    assert told(ends[0][1] or ValueError()) == "It was cancelled."
    assert not server.requests.count("search_sessions")


def test_a_reading_that_fails_stops_nothing_else(server: DemoServer, client: tkf.Client) -> None:
    """Where one reading fails and somebody goes on without it, the work is not cancelled, and the next one is read."""
    server.faults.missing = ("list_user_checkpoints",)
    deed, ends = deed_of(lambda deed: (len(client.checkpoints()), deed.stop.is_set()))
    assert deed.start().join(PATIENCE_S)
    assert ends == [((len(server.state.checkpoints_page(10**6, 0)[0]), False), None)]


def test_it_watches_a_real_listing(quiet_server: Any, client_of: Callable[..., tkf.Client]) -> None:
    """Given to what reads or writes as its progress, it is what they count on."""
    client = client_of(quiet_server)
    deed, ends = deed_of(lambda deed: TableReader(client.session).user_checkpoints(deed, limit=None))
    assert deed.start().join(PATIENCE_S)
    assert deed.shown()["done"] == ends[0][0].data.num_rows > 0


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (InvalidRequestError("this is odd", hint="Do that."), "This is odd. Do that."),
        (ValueError("bad"), "ValueError: bad"),
        (KeyError("do"), "KeyError: 'do'"),
        (RuntimeError(), "RuntimeError"),
    ],
)
def test_errors_are_told_as_sentences(error: BaseException, text: str) -> None:
    """Our own errors say what to do; others are named."""
    assert told(error).lower() == text.lower()
