"""Background work: its result, its errors, its progress, and cancelling it."""

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
from tinker_frames.rest.interrupts import StoppedError
from tinker_frames.rest.progress import RATE_LIMITED, Progress, is_interactive
from tinker_frames.views.task import TICK_S, Task, describe_error

PATIENCE_S = 20
Ends = list[tuple[Any, BaseException | None]]


def make_task(work: Callable[[Task], Any], show: Callable[[], None] = lambda: None) -> tuple[Task, Ends]:
    """Return a task, and the list that its result or error is appended to."""
    ends: Ends = []
    return Task("works", work, lambda result, problem: ends.append((result, problem)), show), ends


def test_work_runs_in_another_thread() -> None:
    """`start` returns at once; the callback runs in the working thread, before `join` returns."""
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
def test_every_error_reaches_the_callback(error: BaseException) -> None:
    """The callback receives every exception of the thread, also KeyboardInterrupt and SystemExit."""

    def work(_: Task) -> None:
        raise error

    task, ends = make_task(work)
    assert task.start().join(PATIENCE_S)
    assert ends == [(None, error)]


def test_progress_is_shown_as_it_changes() -> None:
    """Changed progress is shown at most ten times a second, and never after the end."""
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


def test_unchanged_progress_is_not_shown_again() -> None:
    """Work that waits for a response does not update the view."""
    seen: list[int] = []
    task, _ = make_task(lambda task: task.stop.wait(TICK_S * 6), lambda: seen.append(1))
    assert task.start().join(PATIENCE_S)
    assert len(seen) <= 1


def test_progress_counts_rows() -> None:
    """Rows add up, a restart counts from zero, and the total may be unknown."""
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


def test_waits_are_reported_while_they_last() -> None:
    """A wait is shown with its reason and remaining seconds, and not once rows come or it is over; a rate limit outlasts rows."""
    task, _ = make_task(lambda _: None)
    assert task.to_message()["waiting"] == ""
    task.report_wait(12, "no answer")
    assert task.to_message()["waiting"] == "waiting 12 s: no answer"
    task.advance(1)
    assert task.to_message()["waiting"] == ""
    task.report_wait(12, RATE_LIMITED)
    task.advance(1)
    task.report_wait(0.3, "another request is repeated")
    assert task.to_message()["waiting"] == f"waiting 12 s: {RATE_LIMITED}"
    over, _ = make_task(lambda _: None)
    over.report_wait(0.3, RATE_LIMITED)
    assert over.to_message()["waiting"] == ""


def test_a_task_can_be_cancelled() -> None:
    """A cancelled task is shown as stopping, its work sees it, and the callback still runs."""
    task, ends = make_task(lambda task: task.stop.wait(PATIENCE_S))
    task.start().cancel()
    assert task.to_message()["stopping"]
    assert task.join(PATIENCE_S)
    assert ends == [(True, None)]


def test_the_thread_draws_no_bar_and_has_the_callers_context() -> None:
    """In the thread no other progress bar is drawn, and the caller's context variables are set."""
    mine = contextvars.ContextVar("mine", default="")
    mine.set("yes")
    task, ends = make_task(lambda _: (is_interactive(), mine.get(), Progress("x")._show))
    assert task.start().join(PATIENCE_S)
    assert ends == [((False, "yes", False), None)]


def test_each_listing_is_shown_as_a_part(shared_server: Any, client_of: Callable[..., tkf.Client]) -> None:
    """Each listing that the work reads is shown by name, counts from zero, and disappears at its end."""
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


def test_cancelling_stops_the_listings_of_a_task(server: DemoServer, client: tkf.Client) -> None:
    """After a cancel, the listing in progress stops and later ones are not started."""
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


def test_a_failed_listing_does_not_cancel_the_task(server: DemoServer, client: tkf.Client) -> None:
    """If a listing fails and the work falls back to another one, that is read."""
    server.faults.missing = ("list_user_checkpoints",)
    task, ends = make_task(lambda task: (len(client.checkpoints()), task.stop.is_set()))
    assert task.start().join(PATIENCE_S)
    assert ends == [((len(server.state.checkpoints_page(10**6, 0)[0]), False), None)]


def test_a_task_is_the_progress_of_a_listing(shared_server: Any, client_of: Callable[..., tkf.Client]) -> None:
    """A task passed as `progress` counts the rows of a real listing."""
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
def test_errors_are_described_as_sentences(error: BaseException, text: str) -> None:
    """A TinkerError is described by its message and hint, any other exception by its type and message."""
    assert describe_error(error).lower() == text.lower()
