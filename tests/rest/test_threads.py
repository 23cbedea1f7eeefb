"""Daemon threads: context variables and errors of their work."""

from __future__ import annotations

import threading
from contextvars import ContextVar
from queue import SimpleQueue

import pytest

from tinker_frames.rest.interrupts import StoppedError
from tinker_frames.rest.progress import Progress
from tinker_frames.rest.threads import attempt, start_threads

place: ContextVar[str] = ContextVar("place", default="nowhere")


def test_threads_are_daemons_in_a_copy_of_the_callers_context() -> None:
    """Each thread sees the caller's context variables, has its own copy, and does not keep the interpreter from exiting."""
    seen: SimpleQueue[tuple[str, bool]] = SimpleQueue()

    def work() -> None:
        seen.put((place.get(), threading.current_thread().daemon))
        place.set("elsewhere")

    token = place.set("here")
    try:
        start_threads(work, 3, "toy")
        assert [seen.get(timeout=20) for _ in range(3)] == [("here", True)] * 3
        assert place.get() == "here"
    finally:
        place.reset(token)


@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt, SystemExit])
def test_an_error_is_raised_where_the_result_is_taken(kind: type[BaseException]) -> None:
    """Any exception of the work, including SystemExit, is raised by `get`."""

    def fail() -> None:
        raise kind("no")

    result = attempt(fail)
    with pytest.raises(kind, match="no"):
        result.get()
    assert attempt(lambda: 7).get() == 7


def test_nothing_is_run_once_stopped() -> None:
    """Work whose progress is stopped is not started, and its result says so."""
    progress, ran = Progress(), []
    progress.stop.set()
    with pytest.raises(StoppedError):
        attempt(lambda: ran.append(1), progress).get()
    assert not ran
