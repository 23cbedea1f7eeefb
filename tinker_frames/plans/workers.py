"""The threads that send the rows of a plan, as many at once as the pace allows."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any

from ..rest.interrupts import StoppedError, is_interrupted
from ..rest.progress import RATE_LIMITED, Progress
from ..rest.threads import Result, attempt, start_threads
from .jobs import Job, Outcome
from .pace import Pace
from .writer import MAX_FUTILE_ROWS, SendAgain

SAME_BURST_S = 0.5  # rate limits that ask for about the same moment are one


class Workers:
    """Threads that take jobs as long as the pace has room."""

    def __init__(
        self,
        attempt: Callable[[Job, Progress], Outcome],
        jobs: list[Job],
        pace: Pace,
        bar: Progress,
        deadline: float | None,
        patience: float | None,
    ) -> None:
        self._attempt, self._pace, self._bar = attempt, pace, bar
        self._fresh: deque[Job] = deque(jobs)
        self._again: list[Job] = []  # to be sent again, each after its wait
        self._in_doubt: set[str] = set()  # the rows that an error left undone
        self._any_succeeded = False
        self._working: dict[str, Job] = {}
        self._open = len(jobs)
        self._room = threading.Condition()
        self._stopped = False
        self._ends_at = None if deadline is None else time.monotonic() + deadline
        self._patience = patience  # with a server that answers nothing but rate limits
        self._responded_at = time.monotonic()
        self._pause_until = 0.0
        self._results: SimpleQueue[Result[Outcome]] = SimpleQueue()

    def start(self) -> None:
        """Start the threads."""
        start_threads(self._work, min(self._pace.most, len(self._fresh)), "tinker-frames-plan")

    def stop(self) -> None:
        """Send no further jobs."""
        with self._room:
            self._stopped = True
            self._room.notify_all()

    def outcomes(self, within_s: float | None = None, is_over: Callable[[], bool] = lambda: False) -> Any:
        """Yield outcomes as they come, until none is to be expected, the time or something else is over, or the progress is cancelled."""
        until = None if within_s is None else time.monotonic() + within_s
        while True:
            if within_s is None and (self._bar.stop.is_set() or is_interrupted() or is_over()):
                return
            with self._room:
                if not self._working and (self._stopped or not self._open or self._is_late()) and self._results.empty():
                    return
            try:
                result = self._results.get(timeout=0.05)
            except Empty:
                if until is not None and time.monotonic() > until:
                    return
                continue
            if result.error is not None:
                self.stop()
            yield result.get()

    def _work(self) -> None:
        while (job := self._wait_for_job()) is not None:
            result = attempt(partial(self._attempt, job, self._bar), self._bar)
            with self._room:
                self._working.pop(job.tinker_path, None)
                if isinstance(result.error, SendAgain):
                    self._requeue(job, result.error)
                elif not isinstance(result.error, StoppedError):
                    self._finish(job, result)
                self._room.notify_all()

    def _wait_for_job(self) -> Job | None:
        """Wait for room and for a job that may be sent now; None if there is nothing left to begin."""
        with self._room:
            while not (self._stopped or self._is_late()):
                now = time.monotonic()
                if len(self._working) < self._pace.limit and now >= self._pause_until:
                    ready = self._pop_job(now)
                    if ready is not None:
                        self._working[ready.tinker_path] = ready
                        return ready
                if not self._open:
                    break
                self._room.wait(self._time_to_next(now))
            return None

    def _pop_job(self, now: float) -> Job | None:
        """Return a job whose wait is over, else a fresh one; none of those while the first few are in doubt and none went well."""
        due = next((job for job in self._again if job.not_before <= now), None)
        if due is not None:
            self._again.remove(due)
            return due
        is_open = self._any_succeeded or len(self._in_doubt) < MAX_FUTILE_ROWS
        return self._fresh.popleft() if self._fresh and is_open else None

    def _time_to_next(self, now: float) -> float:
        """Return how long nothing can begin, at most half a second."""
        times = [self._pause_until, *(job.not_before for job in self._again)]
        later = [at - now for at in times if at > now]
        return min([0.5, *later]) if later else 0.5

    def _requeue(self, job: Job, again: SendAgain) -> None:
        now = time.monotonic()
        job.not_before = now + again.wait_s
        if not again.limited:
            self._responded_at = now
            self._in_doubt.add(job.tinker_path)
            self._pace.record_outcome(now, well=False)
        else:
            job.attempts -= 1
            if job.not_before > self._pause_until + SAME_BURST_S:
                self._bar.report_wait(again.wait_s, RATE_LIMITED)
                self._pace.record_rate_limit()
            self._pause_until = max(self._pause_until, job.not_before)
        self._again.append(job)

    def _finish(self, job: Job, result: Result[Outcome]) -> None:
        self._responded_at = time.monotonic()
        server_coped = result.value is not None and result.value.server_coped
        self._any_succeeded = self._any_succeeded or server_coped
        self._in_doubt.discard(job.tinker_path)
        self._open -= 1
        self._results.put(result)
        self._pace.record_outcome(self._responded_at, well=server_coped)

    def _is_late(self) -> bool:
        now = time.monotonic()
        unheard = self._patience is not None and now - self._responded_at > self._patience and not self._working
        return unheard or (self._ends_at is not None and now > self._ends_at)
