"""Work on a thread of its own, so that a notebook goes on meanwhile: how far it is, what it waits for, and a way to stop it."""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Callable
from typing import Any

from .errors import TinkerError
from .progress import Progress, elsewhere
from .session import StoppedError

TICK_S = 0.1  # a notebook's server drops messages above a thousand a second


class Deed(Progress):
    """One piece of work.

    Parameters
    ----------
    what
        What it does, for people.
    work
        Does it; it is given the deed, to be told of progress and to see whether to stop.
    ended
        Called in the thread with the result and the error, one of which is None.
    show
        Called ten times a second at most while it goes on and something has changed.
    """

    def __init__(
        self,
        what: str,
        work: Callable[[Deed], Any],
        ended: Callable[[Any, BaseException | None], None],
        show: Callable[[], None],
    ) -> None:
        super().__init__(what, False)
        self.what = what
        self._work, self._ended, self._tell = work, ended, show
        self._done, self._total = 0, 0
        self._part: Part | None = None
        self._began = time.monotonic()
        self._waits_until, self._why = 0.0, ""
        self._over = threading.Event()
        self._told: dict[str, Any] = {}

    def start(self) -> Deed:
        """Begin."""
        context = contextvars.copy_context()
        threading.Thread(target=context.run, args=(self._run,), name="tinker-frames-deed", daemon=True).start()
        threading.Thread(target=self._tick, name="tinker-frames-deed-tick", daemon=True).start()
        return self

    def cancel(self) -> None:
        """Stop as soon as what is under way has ended."""
        with self._lock:
            self.stop.set()
            if self._part is not None:
                self._part.stop.set()

    def part(self, what: str) -> Part:
        """Return the progress of a part of the work, which is shown until it ends."""
        return Part(self, what)

    def join(self, timeout: float | None = None) -> bool:
        """Wait until it is over; False if it is not, after so many seconds."""
        return self._over.wait(timeout)

    def shown(self) -> dict[str, Any]:
        """Return how far it is: `what, part, done, total, rate` (rows per second), `waiting` (text), `stopping`."""
        seconds = time.monotonic() - self._began
        left = self._waits_until - time.monotonic()
        return {
            "what": self.what,
            "part": self._part.what if self._part is not None else "",
            "done": self._done,
            "total": self._total,
            "rate": round(self._done / seconds, 1) if seconds > 1 and self._done else 0,
            "waiting": f"waiting {left:.0f} s: {self._why}" if left > 0.5 else "",
            "stopping": self.stop.is_set(),
        }

    # ── what those who work tell ─────────────────────────────────────────────────────────────────────────────────────

    def __enter__(self) -> Deed:
        self._done, self._began = 0, time.monotonic()
        return self

    def __exit__(self, *_: object) -> None:
        """Leave it to the thread to say when it is over."""

    def expect(self, total: int | None) -> None:
        """Say how many rows there will be."""
        self._total = total or 0

    def advance(self, rows: int) -> None:
        """Count rows that have ended."""
        with self._lock:
            self._done += rows

    def restart(self) -> None:
        """Begin to count from 0 again."""
        self._done = 0

    def waiting(self, seconds: float, why: str) -> None:
        """Say that nothing is sent for a while."""
        self._waits_until, self._why = time.monotonic() + seconds, why

    def begin(self, part: Part | None) -> None:
        """Count anew, for a part of the work; None where one has ended."""
        with self._lock:
            self._part, self._done, self._total, self._began = part, 0, 0, time.monotonic()
            if part is not None and self.stop.is_set():
                part.stop.set()

    # ── threads ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _run(self) -> None:
        result, problem = None, None
        try:
            with elsewhere(self.part):
                result = self._work(self)
        except BaseException as error:  # noqa: BLE001  # whoever asked for the work is told
            problem = error
        try:
            self._ended(result, problem)
        finally:
            self._over.set()

    def _tick(self) -> None:
        while not self._over.wait(TICK_S):
            now = self.shown()
            if now != self._told:
                self._told = now
                self._tell()


class Part(Progress):
    """One reading among the work: it is shown as the work's own progress, and stops with it, or alone where it fails."""

    def __init__(self, of: Deed, what: str) -> None:
        super().__init__(what, False)
        self.what, self._of = what, of

    def __enter__(self) -> Part:
        self._of.begin(self)
        return self

    def __exit__(self, *_: object) -> None:
        self._of.begin(None)

    def expect(self, total: int | None) -> None:
        """Say how many rows there will be."""
        self._of.expect(total)

    def advance(self, rows: int) -> None:
        """Count rows that have come."""
        self._of.advance(rows)

    def restart(self) -> None:
        """Begin to count from 0 again."""
        self._of.restart()

    def waiting(self, seconds: float, why: str) -> None:
        """Say that nothing is sent for a while."""
        self._of.waiting(seconds, why)


def told(error: BaseException) -> str:
    """Return an error as one sentence for people."""
    if isinstance(error, TinkerError):
        return str(error)
    if isinstance(error, StoppedError):
        return "It was cancelled."
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
