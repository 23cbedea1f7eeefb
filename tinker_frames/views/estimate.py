"""Make the plan of a form in the background while the form is filled in, so that it shows at once what it would do."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, NamedTuple

from ..errors import InvalidRequestError
from ..plans.plan import Plan
from ..rest.progress import Progress, redirect_progress
from ..rest.threads import attempt, start_threads
from .task import describe_error

MakePlan = Callable[[], Plan]


class Estimated(NamedTuple):
    """The values of a form, and their plan or the error in them."""

    given: dict[str, Any]
    plan: Plan | None = None
    frame: Any = None
    error: str = ""


class Estimator:
    """The plan of the newest values of a form; earlier values that have not begun are dropped.

    `changed` is called, from a thread, when there is a new result.
    """

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._lock = threading.Lock()
        self._wanted: tuple[dict[str, Any], MakePlan] | None = None
        self._is_idle = threading.Event()
        self._is_idle.set()
        self._number = 0  # of the form: a result of an earlier one is dropped
        self.result: Estimated | None = None

    @property
    def is_working(self) -> bool:
        """Whether a plan is being made."""
        return not self._is_idle.is_set()

    def request(self, given: dict[str, Any], make: MakePlan) -> None:
        """Make a plan of these values, after the one in progress."""
        with self._lock:
            self._wanted = given, make
            if self._is_idle.is_set():
                self._is_idle.clear()
                start_threads(self._run, 1, "tinker-frames-estimate")

    def refuse(self, given: dict[str, Any], error: InvalidRequestError | None) -> None:
        """Show the error in these values, or nothing, instead of a plan."""
        with self._lock:
            self._wanted, self._number = None, self._number + 1
            self.result = Estimated(given, error=describe_error(error)) if error is not None else None

    def clear(self) -> None:
        """Forget the form."""
        self.refuse({}, None)

    def join(self, timeout: float | None = None) -> bool:
        """Wait until no plan is being made; return False if `timeout` seconds were not enough."""
        return self._is_idle.wait(timeout)

    def _run(self) -> None:
        while True:
            with self._lock:
                wanted, number, self._wanted = self._wanted, self._number, None
                if wanted is None:
                    self._is_idle.set()
                    break
            result = self._make(*wanted)
            with self._lock:
                if number == self._number:
                    self.result = result
        self._changed()

    def _make(self, given: dict[str, Any], make: MakePlan) -> Estimated:
        def work() -> Estimated:
            plan = make()
            return Estimated(given, plan, plan.frame)

        with redirect_progress(lambda what: Progress(what, show=False)):
            result = attempt(work)
        if result.value is not None:
            return result.value
        return Estimated(given, error=describe_error(result.error) if result.error else "")
