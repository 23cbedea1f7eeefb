"""Sends the writes of a plan: journaled, at the pace that the server bears, each unclear answer settled by reading."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple

from .actions import Action, State, Wish
from .diary import Journal
from .errors import ConflictError, NotFoundError, NotSupportedError, RateLimitError, TinkerError
from .pace import Pace
from .paths import parse
from .progress import Progress
from .retry import NEVER, backoff_s
from .session import Session, StoppedError

MOST_TRIES = 5  # of one row, unclear answers included; rate limits do not count
MOST_CONFLICTS = 2  # of one row: busy at first, perhaps; twice says the same
ENOUGH_IN_VAIN = 3  # rows that failed the same way at every try, and none was done: the others get one try
SAME_BURST_S = 0.5  # rate limits that ask for about the same moment are one
GRACE_S = 5.0  # after Ctrl-C: how long requests under way may take to end


class Read(NamedTuple):
    """The present state of the checkpoints of some runs, and the runs that could not be read."""

    states: dict[str, State]
    unread: set[str]


ReadRuns = Callable[[list[str]], Read]


@dataclass
class Job:
    """One row to be written."""

    tinker_path: str
    before: State
    wish: Wish
    key: str = ""  # of idempotency, the same on every attempt
    attempts: int = 0
    not_before: float = 0.0
    sent_at: datetime | None = None
    conflicts: int = 0
    doubtful: bool = False  # an earlier attempt, perhaps of an interrupted plan, may have been carried out
    seconds: float = 0.0


@dataclass
class Outcome:
    """How one row ended."""

    tinker_path: str
    outcome: str  # done, unchanged, skipped, failed, unknown
    status: int | None = None
    error: str | None = None
    attempts: int = 0
    seconds: float = 0.0

    @property
    def is_well(self) -> bool:
        """Whether the server was up to it, whatever it said."""
        return self.outcome in ("done", "skipped", "unchanged") or (self.status is not None and self.status < 500)


class _Again(Exception):  # noqa: N818  # no error, but a turn of events
    """The row is to be sent again after some seconds."""

    def __init__(self, wait_s: float, *, limited: bool) -> None:
        self.wait_s, self.limited = wait_s, limited


@dataclass
class Runner:
    """Carries out plans of one account.

    Parameters
    ----------
    session
        Sends.
    read_runs
        Returns the present state of every checkpoint of some runs, read anew.
    journal
        Takes note before and after every request.
    """

    session: Session
    read_runs: ReadRuns
    journal: Journal
    plan: str = ""
    action: Action = field(default=None)  # type: ignore[assignment]  # set by run()
    pace: Callable[[int], Pace] = Pace  # the number of writes at once, given the most
    _in_vain: Counter[int | None] = field(default_factory=Counter)  # rows whose every try had this status
    _any_done: bool = False

    def run(
        self,
        plan: str,
        action: Action,
        jobs: list[Job],
        *,
        progress: bool | None = None,
        max_workers: int | None = None,
        deadline: float | None = None,
    ) -> list[Outcome]:
        """Carry out the jobs of a plan that the journal knows, and return an outcome for each.

        1. The runs are read; rows that are gone or not as planned are skipped, rows that are already so are left alone.
        2. The rest is sent, several at a time. Ctrl-C stops sending; what was under way is read and noted, then it is raised.
        3. The runs are read again, and what did not take is `failed`.
        """
        self.plan, self.action = plan, action
        self._in_vain, self._any_done = Counter(), False
        ended: dict[str, Outcome] = {}
        with Progress(f"{action.name} checkpoints", progress) as bar:
            bar.expect(len(jobs))
            todo = self._still_as_planned(jobs, ended, bar)
            interrupted = self._send_all(todo, ended, bar, max_workers or self.session.settings.max_workers, deadline)
            self._verify(todo, ended)
        if interrupted:
            raise KeyboardInterrupt(f"stopped; every row's state is in the journal, and tkf.resume({plan!r}) goes on")
        if len(ended) == len(jobs) and all(outcome.outcome != "unknown" for outcome in ended.values()):
            self.journal.finished(plan)
        return [ended.get(job.tinker_path) or self._late(job) for job in jobs]

    # ── before ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _still_as_planned(self, jobs: list[Job], ended: dict[str, Outcome], bar: Progress) -> list[Job]:
        """Return the jobs whose checkpoint is as it was when the plan was made; the others end here."""
        read = self.read_runs(_runs(jobs))
        todo = []
        for job in jobs:
            outcome = self._before_sending(job, read)
            if outcome is None:
                todo.append(job)
            else:
                self._end(ended, outcome, bar)
        return todo

    def _before_sending(self, job: Job, read: Read) -> Outcome | None:
        """Return how a job ends without being sent; None if it has to be sent."""
        state = read.states.get(job.tinker_path)
        if _run_of(job) in read.unread:
            return Outcome(job.tinker_path, "unknown" if job.doubtful else "skipped", error="its run could not be read")
        if job.doubtful and self._took(job, state):
            return Outcome(job.tinker_path, "done", attempts=job.attempts)
        problem = _changed(job.before, state)
        if problem or state is None:
            return Outcome(job.tinker_path, "skipped", error=problem)
        already = self.action.is_already(state, job.wish, datetime.now(UTC))
        return Outcome(job.tinker_path, "unchanged") if already else None

    def _took(self, job: Job, state: State | None) -> bool:
        return self.action.took(state, job.wish, job.sent_at or datetime.now(UTC))

    # ── sending ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _send_all(
        self, jobs: list[Job], ended: dict[str, Outcome], bar: Progress, most: int, deadline: float | None
    ) -> bool:
        """Send every job with as many threads as the pace allows; True if it was interrupted."""
        crew = _Crew(self._attempt, jobs, self.pace(most), bar, deadline, self.session.settings.deadline)
        crew.start()
        try:
            for outcome in crew.outcomes():
                self._end(ended, outcome, bar)
        except KeyboardInterrupt:
            crew.stop()
            bar.stop.set()  # what waits for its turn is not sent any more
            for outcome in crew.outcomes(within_s=GRACE_S):
                self._end(ended, outcome, bar)
            self._settle_open([job for job in jobs if job.sent_at and job.tinker_path not in ended], ended, bar)
            return True
        return False

    def _attempt(self, job: Job, bar: Progress) -> Outcome:
        """Send one job once; raises `_Again` if it has to be sent again."""
        job.attempts += 1
        job.sent_at = datetime.now(UTC)
        self.journal.sending(self.plan, job.tinker_path, job.attempts)
        begun = time.monotonic()
        try:
            body = self.action.body(job.wish)
            self.session.call(
                self.action.method, self.action.url(job.tinker_path), body=body, rule=NEVER, key=job.key, watch=bar
            )
        except RateLimitError as error:
            raise _Again(error.retry_after or backoff_s(job.attempts), limited=True) from None
        except TinkerError as error:
            job.seconds += time.monotonic() - begun
            return self._after_error(job, error)
        job.seconds += time.monotonic() - begun
        return self._outcome(job, "done")

    def _after_error(self, job: Job, error: TinkerError) -> Outcome:
        """Decide what an error means: final, or unclear, and then the row is read."""
        unclear = error.status is None or error.status in (408, 409) or error.status >= 500
        if isinstance(error, NotSupportedError) or not (unclear or isinstance(error, NotFoundError)):
            return self._outcome(job, "failed", error)
        read = self.read_runs([_run_of(job)])
        job.doubtful = job.doubtful or unclear
        if read.unread:
            return self._outcome(job, "unknown", error)  # read again at the end
        state = read.states.get(job.tinker_path)
        if self._took(job, state):
            # A 404 at the first try says that somebody else was quicker; after an unclear answer it was us.
            mine = not isinstance(error, NotFoundError) or job.doubtful
            return self._outcome(job, "done") if mine else self._outcome(job, "skipped", error)
        if state is None:
            return self._outcome(job, "skipped", error)
        if unclear and self._may_try_again(job, error):
            raise _Again(backoff_s(job.attempts - 1), limited=False)
        self._in_vain[error.status] += unclear
        return self._outcome(job, "failed", error)

    def _may_try_again(self, job: Job, error: TinkerError) -> bool:
        """Tell whether a row may be sent once more that an unclear error left undone."""
        if isinstance(error, ConflictError):
            job.conflicts += 1
        hopeless = self._in_vain[error.status] >= ENOUGH_IN_VAIN and not self._any_done
        return job.attempts < (1 if hopeless else MOST_TRIES) and job.conflicts < MOST_CONFLICTS

    # ── afterwards ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _verify(self, jobs: list[Job], ended: dict[str, Outcome]) -> None:
        """Read the runs again; what was answered as done and is not so has failed."""
        claimed = [
            job for job in jobs if job.tinker_path in ended and ended[job.tinker_path].outcome in ("done", "unknown")
        ]
        if not claimed:
            return
        read = self.read_runs(_runs(claimed))
        for job in claimed:
            outcome, state = ended[job.tinker_path], read.states.get(job.tinker_path)
            if _run_of(job) in read.unread:
                self._correct(outcome, "unknown", "its run could not be read afterwards")
            elif not (self._took(job, state) or self._has_moved(job, state)):
                self._correct(outcome, "failed", outcome.error or "the server said yes and did nothing")
            elif outcome.outcome == "unknown" or self.action.changes_expiry:
                self._correct(outcome, "done", None, state)

    def _has_moved(self, job: Job, state: State | None) -> bool:
        """Tell whether the expiry is another one than before: a server whose clock differs from ours counts from its own."""
        return self.action.changes_expiry and state is not None and state.expires_at != job.before.expires_at

    def _settle_open(self, jobs: list[Job], ended: dict[str, Outcome], bar: Progress) -> None:
        """After an interruption: find out by reading how the rows ended that were sent, and whose end was not taken note of."""
        if not jobs:
            return
        read = self.read_runs(_runs(jobs))
        for job in jobs:
            if _run_of(job) in read.unread:
                self._end(ended, self._outcome(job, "unknown"), bar)
            elif self._took(job, read.states.get(job.tinker_path)):
                self._end(ended, self._outcome(job, "done"), bar)

    def _end(self, ended: dict[str, Outcome], outcome: Outcome, bar: Progress) -> None:
        self.journal.ended(self.plan, outcome.tinker_path, outcome.outcome, outcome.status, outcome.error)
        ended[outcome.tinker_path] = outcome
        bar.advance(1)

    def _correct(self, outcome: Outcome, now: str, error: str | None, state: State | None = None) -> None:
        outcome.outcome, outcome.error = now, error
        outcome.status = None if now == "done" else outcome.status
        after = state.expires_at.isoformat() if state is not None and state.expires_at is not None else None
        self.journal.ended(self.plan, outcome.tinker_path, now, outcome.status, error, after)

    def _outcome(self, job: Job, outcome: str, error: TinkerError | None = None) -> Outcome:
        self._any_done = self._any_done or outcome == "done"
        return Outcome(
            job.tinker_path,
            outcome,
            status=None if error is None else error.status,
            error=None if error is None else str(error),
            attempts=job.attempts,
            seconds=round(job.seconds, 3),
        )

    @staticmethod
    def _late(job: Job) -> Outcome:
        begun = "not done" if job.attempts else "not begun"
        error = f"{begun} when the deadline was reached; tkf.resume() goes on"
        return Outcome(job.tinker_path, "skipped", error=error, attempts=job.attempts, seconds=round(job.seconds, 3))


class _Crew:
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
        self._any_well = False
        self._working: dict[str, Job] = {}
        self._open = len(jobs)
        self._room = threading.Condition()
        self._stopped = False
        self._ends_at = None if deadline is None else time.monotonic() + deadline
        self._patience = patience  # with a server that answers nothing but rate limits
        self._heard_at = time.monotonic()
        self._pause_until = 0.0
        self._results: SimpleQueue[Outcome | BaseException] = SimpleQueue()

    def start(self) -> None:
        """Begin to work."""
        for number in range(min(self._pace.most, len(self._fresh))):
            threading.Thread(target=self._work, name=f"tinker-frames-plan-{number}", daemon=True).start()

    def stop(self) -> None:
        """Begin nothing further."""
        with self._room:
            self._stopped = True
            self._room.notify_all()

    def outcomes(self, within_s: float | None = None) -> Any:
        """Yield outcomes as they come, until none is to be expected, or for so long."""
        until = None if within_s is None else time.monotonic() + within_s
        while True:
            with self._room:
                if not self._working and (self._stopped or not self._open or self._is_late()) and self._results.empty():
                    return
            try:
                result = self._results.get(timeout=0.05)
            except Empty:
                if until is not None and time.monotonic() > until:
                    return
                continue
            if isinstance(result, BaseException):
                self.stop()
                raise result
            yield result

    def _work(self) -> None:
        while (job := self._take()) is not None:
            try:
                end: Outcome | _Again | BaseException = self._attempt(job, self._bar)
            except BaseException as error:  # noqa: BLE001  # raised again in the caller's thread
                end = error
            with self._room:
                self._working.pop(job.tinker_path, None)
                if isinstance(end, _Again):
                    self._put_back(job, end)
                elif not isinstance(end, StoppedError):
                    self._finish(job, end)
                self._room.notify_all()

    def _take(self) -> Job | None:
        """Wait for room and for a job that may be sent now; None if there is nothing left to begin."""
        with self._room:
            while not (self._stopped or self._is_late()):
                now = time.monotonic()
                if len(self._working) < self._pace.limit and now >= self._pause_until:
                    ready = self._next(now)
                    if ready is not None:
                        self._working[ready.tinker_path] = ready
                        return ready
                if not self._open:
                    break
                self._room.wait(self._until_next(now))
            return None

    def _next(self, now: float) -> Job | None:
        """Return a job whose wait is over, else a fresh one; none of those while the first few are in doubt and none went well."""
        due = next((job for job in self._again if job.not_before <= now), None)
        if due is not None:
            self._again.remove(due)
            return due
        is_open = self._any_well or len(self._in_doubt) < ENOUGH_IN_VAIN
        return self._fresh.popleft() if self._fresh and is_open else None

    def _until_next(self, now: float) -> float:
        """Return how long nothing can begin, at most half a second."""
        times = [self._pause_until, *(job.not_before for job in self._again)]
        later = [at - now for at in times if at > now]
        return min([0.5, *later]) if later else 0.5

    def _put_back(self, job: Job, again: _Again) -> None:
        now = time.monotonic()
        job.not_before = now + again.wait_s
        if not again.limited:
            self._heard_at = now
            self._in_doubt.add(job.tinker_path)
            self._pace.finished(now, well=False)
        else:
            job.attempts -= 1
            if job.not_before > self._pause_until + SAME_BURST_S:
                self._bar.waiting(again.wait_s, "rate limited (429)")
                self._pace.limited()
            self._pause_until = max(self._pause_until, job.not_before)
        self._again.append(job)

    def _finish(self, job: Job, end: Outcome | BaseException) -> None:
        self._heard_at = time.monotonic()
        is_well = isinstance(end, Outcome) and end.is_well
        self._any_well = self._any_well or is_well
        self._in_doubt.discard(job.tinker_path)
        self._open -= 1
        self._results.put(end)
        self._pace.finished(self._heard_at, well=is_well)

    def _is_late(self) -> bool:
        now = time.monotonic()
        unheard = self._patience is not None and now - self._heard_at > self._patience and not self._working
        return unheard or (self._ends_at is not None and now > self._ends_at)


def _run_of(job: Job) -> str:
    return parse(job.tinker_path).training_run_id


def _runs(jobs: list[Job]) -> list[str]:
    return list(dict.fromkeys(map(_run_of, jobs)))


def _changed(before: State, now: State | None) -> str:
    """Say what is not as it was planned; empty if nothing."""
    if now is None:
        return "it is gone"
    if before.public != now.public:
        return f"it has become {'public' if now.public else 'private'} since"
    if before.expires_at != now.expires_at:
        return f"its expiry has changed since, to {now.expires_at or 'never'}"
    return ""
