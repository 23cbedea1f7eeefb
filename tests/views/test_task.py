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
from tinker_frames.rest.progress import Progress, StoppedError, is_interactive, open_progress
from tinker_frames.views.task import TICK_S, Task, describe_error

PATIENCE_S = 20
Ends = list[tuple[Any, BaseException | None]]


def make_task(work: Callable[[Task], Any], show: Callable[[], None] = lambda: None) -> tuple[Task, Ends]:
    """Return a task and the list that its end is put into."""
    ends: Ends = []
    return Task("works", work, lambda result, problem: ends.append((result, problem)), show), ends


def test_work_is_done_elsewhere_and_its_result_is_told() -> None:
    """The caller goes on at once; the end is told in the thread that worked, before anybody who waits goes on."""
    threads, free = [threading.current_thread()], threading.Event()

    def work(_: Task) -> int:
        threads.append(threading.current_thread())
        free.wait(PATIENCE_S)
        return 5

    task, ends = make_task(work)
    assert task.start() is task
    assert not task.join(0)
    assert not ends
    free.set()
    assert task.join(PATIENCE_S)
    assert ends == [(5, None)]
    assert threads[0] is not threads[1]


@pytest.mark.parametrize("error", [ValueError("no"), NotFoundError("gone"), KeyboardInterrupt(), SystemExit(3)])
def test_whatever_goes_wrong_is_told(error: BaseException) -> None:
    """No error gets lost in the thread, not even one that ends programs."""

    def work(_: Task) -> None:
        raise error

    task, ends = make_task(work)
    assert task.start().join(PATIENCE_S)
    assert ends == [(None, error)]


def test_how_far_it_is_is_shown_as_it_changes() -> None:
    """Whoever watches is told of changes, ten times a second at most, and never once it is over."""
    seen: list[tuple[float, int]] = []

    def steps(task: Task) -> None:
        with task as bar:
            bar.set_total(50)
            until = time.monotonic() + PATIENCE_S
            while len(seen) < 4 and time.monotonic() < until:
                bar.advance(1)
                task.stop.wait(0.005)

    task, _ = make_task(steps, lambda: seen.append((time.monotonic(), task.to_message()["done"])))
    assert task.start().join(PATIENCE_S)
    told_at = [at for at, _ in seen]
    assert len(seen) >= 4
    assert all(later - earlier >= TICK_S * 0.9 for earlier, later in pairwise(told_at))
    done = [rows for _, rows in seen]
    assert done == sorted(set(done))
    assert task.to_message()["total"] == 50


def test_nothing_is_told_while_nothing_changes() -> None:
    """Work that waits for an answer does not have its view sent again and again."""
    seen: list[int] = []
    task, _ = make_task(lambda task: task.stop.wait(TICK_S * 6), lambda: seen.append(1))
    assert task.start().join(PATIENCE_S)
    assert len(seen) <= 1


def test_progress_is_counted_as_a_bar_counts() -> None:
    """Rows add up, a second sweep begins from nothing, and a total that nobody knows is none."""
    task, _ = make_task(lambda _: None)
    with task as bar:
        bar.set_total(10)
        bar.advance(3)
        bar.advance(4)
        assert {name: task.to_message()[name] for name in ("what", "done", "total", "stopping")} == {
            "what": "works", "done": 7, "total": 10, "stopping": False,
        }  # fmt: skip
        bar.restart()
        bar.set_total(None)
    assert (task.to_message()["done"], task.to_message()["total"]) == (0, 0)
    task.advance(8)
    task._began -= 4
    assert task.to_message()["rate"] == pytest.approx(2, abs=0.1)


def test_waits_are_said_as_long_as_they_last() -> None:
    """A wait is said with its reason and the seconds that are left; one that is over is not."""
    task, _ = make_task(lambda _: None)
    assert task.to_message()["waiting"] == ""
    task.report_wait(12, "rate limited (429)")
    assert task.to_message()["waiting"] == "waiting 12 s: rate limited (429)"
    task.report_wait(0.3, "rate limited (429)")
    assert task.to_message()["waiting"] == ""


def test_it_can_be_asked_to_stop() -> None:
    """Cancelling is seen by whoever works, and by whoever looks; the end is told as ever."""
    task, ends = make_task(lambda task: task.stop.wait(PATIENCE_S))
    task.start().cancel()
    assert task.to_message()["stopping"]
    assert task.join(PATIENCE_S)
    assert ends == [(True, None)]


def test_nobody_draws_a_bar_meanwhile_and_the_callers_context_holds() -> None:
    """On the thread no progress bar is drawn but this one, and what the caller set for its context is set there too."""
    mine = contextvars.ContextVar("mine", default="")
    mine.set("yes")
    task, ends = make_task(
        lambda task: (is_interactive(), mine.get(), open_progress("x", task) is task, Progress("x")._show)
    )
    assert task.start().join(PATIENCE_S)
    assert ends == [((False, "yes", True, False), None)]


def test_each_reading_is_a_part_of_it(shared_server: Any, client_of: Callable[..., tkf.Client]) -> None:
    """What is read on its thread is shown by name, each from nothing, and is over when it ends."""
    client = client_of(shared_server)
    seen: list[tuple[str, int]] = []

    def work(task: Task) -> int:
        follow = task.follow
        task.follow = lambda part: (seen.append((task.to_message()["part"], task.to_message()["done"])), follow(part))[
            1
        ]  # type: ignore[method-assign, func-returns-value]
        return len(client.checkpoints()) + len(client.training_runs(progress=False))

    task, ends = make_task(work)
    assert task.start().join(PATIENCE_S)
    assert seen == [("", 0), ("checkpoints", len(client.checkpoints()))]
    assert (task.to_message()["part"], task.to_message()["done"]) == ("", 0)
    assert ends == [(len(client.checkpoints()) + len(client.training_runs()), None)]


def test_stopping_it_stops_what_it_reads(server: DemoServer, client: tkf.Client) -> None:
    """A reading that waits for a slow server, and those that would follow it, end when the work is cancelled."""
    server.faults.latency_of["list_training_runs"] = 0.2

    def work(task: Task) -> None:
        try:
            client.checkpoints(by="run")
        finally:
            client.sessions()

    task, ends = make_task(work)
    task.start()
    while not server.requests.count("list_checkpoints"):
        assert not task.join(0.005)
    task.cancel()
    assert task.join(PATIENCE_S)
    assert [type(problem) for _, problem in ends] == [StoppedError]
    assert describe_error(ends[0][1] or ValueError()) == "It was cancelled."
    assert not server.requests.count("search_sessions")


def test_a_reading_that_fails_stops_nothing_else(server: DemoServer, client: tkf.Client) -> None:
    """Where one reading fails and somebody goes on without it, the work is not cancelled, and the next one is read."""
    server.faults.missing = ("list_user_checkpoints",)
    task, ends = make_task(lambda task: (len(client.checkpoints()), task.stop.is_set()))
    assert task.start().join(PATIENCE_S)
    assert ends == [((len(server.state.checkpoints_page(10**6, 0)[0]), False), None)]


def test_it_watches_a_real_listing(shared_server: Any, client_of: Callable[..., tkf.Client]) -> None:
    """Given to what reads or writes as its progress, it is what they count on."""
    client = client_of(shared_server)
    task, ends = make_task(lambda task: TableReader(client.transport).user_checkpoints(task, limit=None))
    assert task.start().join(PATIENCE_S)
    assert task.to_message()["done"] == ends[0][0].data.num_rows > 0


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
    assert describe_error(error).lower() == text.lower()
