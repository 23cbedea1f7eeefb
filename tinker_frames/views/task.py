"""Run work in a background thread, with progress and cancellation."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any, Self

from ..errors import TinkerError
from ..rest.interrupts import StoppedError
from ..rest.progress import RATE_LIMITED, Progress, redirect_progress
from ..rest.threads import attempt, start_threads
from .messages import Counts
from .messages import Progress as WorkProgress

TICK_S = 0.1  # a notebook's server drops messages above a thousand a second


class Tally(Progress):
    """A `Progress` that counts: rows done and expected, rows per second, and the wait in progress."""

    def __init__(self, what: str) -> None:
        super().__init__(what, False)
        self.what = what
        self._done, self._total = 0, 0
        self._began = time.monotonic()
        self._waits_until, self._why = 0.0, ""

    def __enter__(self) -> Self:
        self._done, self._began = 0, time.monotonic()
        return self

    def __exit__(self, *_: object) -> None:
        """Keep the counts."""

    def set_total(self, total: int | None) -> None:
        """Set the expected number of rows."""
        self._total = total or 0

    def advance(self, rows: int) -> None:
        """Count rows as done; a rate limit lasts nevertheless, since rows that were under way end during it."""
        with self._lock:
            self._done += rows
            if self._why != RATE_LIMITED:
                self._waits_until = 0.0

    def restart(self) -> None:
        """Reset the count to 0."""
        self._done = 0

    def report_wait(self, seconds: float, why: str) -> None:
        """Record a wait; unless it is a rate limit, it ends at the latest with the next rows."""
        with self._lock:
            until = time.monotonic() + seconds
            if self._why == RATE_LIMITED and time.monotonic() < self._waits_until and until < self._waits_until:
                return
            self._waits_until, self._why = until, why

    def counts(self) -> Counts:
        """Return `done`, `total`, `rate` (rows per second) and `waiting` (text)."""
        seconds = time.monotonic() - self._began
        left = self._waits_until - time.monotonic()
        return {
            "done": self._done,
            "total": self._total,
            "rate": round(self._done / seconds, 1) if seconds > 1 and self._done else 0,
            "waiting": f"waiting {left:.0f} s: {self._why}" if left > 0.5 else "",
        }


class Task(Tally):
    """Work in a background thread.

    Parameters
    ----------
    what
        A description of the work, shown to the user.
    work
        The function to run; it is called with the task, to report progress and to see whether to stop.
    ended
        Called in the thread with the result and the error, one of which is None.
    show
        Called after changes while the task runs, at most ten times a second.
    """

    def __init__(
        self,
        what: str,
        work: Callable[[Task], Any],
        ended: Callable[[Any, BaseException | None], None],
        show: Callable[[], None],
    ) -> None:
        super().__init__(what)
        self._work, self._ended, self._notify = work, ended, show
        self._part: Part | None = None
        self._is_over = threading.Event()
        self._last_message: WorkProgress | None = None

    def start(self) -> Task:
        """Start the thread and return the task."""
        start_threads(self._run, 1, "tinker-frames-task")
        start_threads(self._tick, 1, "tinker-frames-tick")
        return self

    def cancel(self) -> None:
        """Stop after the request in progress."""
        with self._lock:
            self.stop.set()
            if self._part is not None:
                self._part.stop.set()

    def join(self, timeout: float | None = None) -> bool:
        """Wait for the task to finish; return False if `timeout` seconds were not enough."""
        return self._is_over.wait(timeout)

    def to_message(self) -> WorkProgress:
        """Return `what`, `part` (the listing being read), its `Tally.counts`, and `stopping`."""
        part = self._part
        counts = (part or self).counts()
        return {"what": self.what, "part": part.what if part else "", **counts, "stopping": self.stop.is_set()}

    def follow(self, part: Part | None) -> None:
        """Make a part of the work the one whose progress is shown, and stop it with the task; None once it has ended."""
        with self._lock:
            self._part = part
            if part is not None and self.stop.is_set():
                part.stop.set()

    def _run(self) -> None:
        with redirect_progress(lambda what: Part(what, self)):
            result = attempt(partial(self._work, self))
        try:
            self._ended(result.value, result.error)
        finally:
            self._is_over.set()

    def _tick(self) -> None:
        while not self._is_over.wait(TICK_S):
            now = self.to_message()
            if now != self._last_message:
                self._last_message = now
                self._notify()


class Part(Tally):
    """The progress of one listing read by a task: shown while it runs, and stopped with the task."""

    def __init__(self, what: str, of: Task) -> None:
        super().__init__(what)
        self._of = of

    def __enter__(self) -> Self:
        self._of.follow(self)
        return super().__enter__()

    def __exit__(self, *_: object) -> None:
        self._of.follow(None)


def describe_error(error: BaseException) -> str:
    """Return an error as one sentence."""
    if isinstance(error, TinkerError):
        return str(error)
    if isinstance(error, StoppedError):
        return "It was cancelled."
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
