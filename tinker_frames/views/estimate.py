"""Make the plan of a form in the background while the form is filled in, so that it shows at once what it would do."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import NamedTuple

from ..errors import InvalidRequestError
from ..plans.plan import Plan
from ..rest.progress import Progress, redirect_progress
from ..rest.threads import attempt, start_threads
from .preview import Preview, preview_plan
from .task import describe_error

MakePlan = Callable[[], Plan]


class Estimated(NamedTuple):
    """The plan of the values of a form, or the error in them."""

    preview: Preview | None = None
    error: str = ""


class Estimator:
    """The plan of the newest values of a form; earlier values that have not begun are dropped.

    `changed` is called, from a thread, when there is a new result.
    """

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._lock = threading.Lock()
        self._wanted: MakePlan | None = None
        self._stop = threading.Event()  # what is being read for the present form
        self._is_idle = threading.Event()
        self._is_idle.set()
        self.is_working = False
        self.result: Estimated | None = None

    def request(self, make: MakePlan) -> None:
        """Make a plan, after the one in progress."""
        with self._lock:
            self._wanted = make
            if not self.is_working:
                self.is_working = True
                self._is_idle.clear()
                start_threads(self._run, 1, "tinker-frames-estimate")

    def refuse(self, error: InvalidRequestError | None) -> None:
        """Show the error in the values, or nothing, instead of a plan; a plan in progress is stopped."""
        with self._lock:
            self._stop.set()
            self._wanted, self._stop = None, threading.Event()
            self.result = Estimated(error=describe_error(error)) if error is not None else None

    def clear(self) -> None:
        """Forget the form."""
        self.refuse(None)

    def join(self, timeout: float | None = None) -> bool:
        """Wait until no plan is being made; return False if `timeout` seconds were not enough."""
        return self._is_idle.wait(timeout)

    def _run(self) -> None:
        while True:
            with self._lock:
                wanted, stop, self._wanted = self._wanted, self._stop, None
                self.is_working = wanted is not None
            if wanted is None:
                break
            result = _make_estimate(wanted, stop)
            with self._lock:
                if not stop.is_set():
                    self.result = result
        self._changed()
        with self._lock:
            if not self.is_working:  # nothing was requested in the meantime
                self._is_idle.set()


def _make_estimate(make: MakePlan, stop: threading.Event) -> Estimated:
    def work() -> Estimated:
        return Estimated(preview_plan(make()))

    def start_progress(what: str) -> Progress:
        progress = Progress(what, show=False)
        progress.stop = stop
        return progress

    with redirect_progress(start_progress):
        result = attempt(work)
    if result.value is not None:
        return result.value
    return Estimated(error=describe_error(result.error) if result.error else "")
