"""Sends the writes of a plan: journaled, at the pace that the server bears, each unclear answer settled by reading."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple

from ..errors import ConflictError, NotFoundError, NotSupportedError, RateLimitError, TinkerError
from ..rest.progress import Progress, watching
from ..rest.retry import NEVER, backoff_s
from ..rest.session import Session
from ..schema.paths import parse
from .actions import Action, State
from .job import Job, Outcome
from .journal import Journal
from .pace import Pace
from .workers import ENOUGH_IN_VAIN, Again, Crew

MOST_TRIES = 5  # of one row, unclear answers included; rate limits do not count
MOST_CONFLICTS = 2  # of one row: busy at first, perhaps; twice says the same
GRACE_S = 5.0  # after Ctrl-C: how long requests under way may take to end


class Read(NamedTuple):
    """The present state of the checkpoints of some runs, and the runs that could not be read."""

    states: dict[str, State]
    unread: set[str]


ReadRuns = Callable[[list[str]], Read]


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
        progress: bool | Progress | None = None,
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
        with watching(f"{action.name} checkpoints", progress) as bar:
            bar.expect(len(jobs))
            todo = self._still_as_planned(jobs, ended, bar)
            interrupted = self._send_all(todo, ended, bar, max_workers or self.session.settings.max_workers, deadline)
            self._verify(todo, ended)
        if interrupted:
            raise KeyboardInterrupt(f"stopped; every row's state is in the journal, and tkf.resume({plan!r}) goes on")
        if len(ended) == len(jobs) and all(outcome.outcome != "unknown" for outcome in ended.values()):
            self.journal.finished(plan)
        why = "it was cancelled" if bar.stop.is_set() else "the deadline was reached"
        return [ended.get(job.tinker_path) or self._late(job, why) for job in jobs]

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
        crew = Crew(self._carry_out, jobs, self.pace(most), bar, deadline, self.session.settings.deadline)
        crew.start()
        try:
            for outcome in crew.outcomes():
                self._count(ended, outcome, bar)
        except KeyboardInterrupt:
            bar.stop.set()
            self._wind_up(crew, jobs, ended, bar)
            return True
        if bar.stop.is_set():  # cancelled by whoever watches
            self._wind_up(crew, jobs, ended, bar)
        return False

    def _wind_up(self, crew: Crew, jobs: list[Job], ended: dict[str, Outcome], bar: Progress) -> None:
        """Send nothing further, and find out how the rows ended that are under way."""
        crew.stop()
        for outcome in crew.outcomes(within_s=GRACE_S):
            self._count(ended, outcome, bar)
        self._settle_open([job for job in jobs if job.sent_at and job.tinker_path not in ended], ended, bar)

    def _carry_out(self, job: Job, bar: Progress) -> Outcome:
        """Send one job, and note how it ended before its thread takes another."""
        outcome = self._attempt(job, bar)
        self._note(outcome)
        return outcome

    def _attempt(self, job: Job, bar: Progress) -> Outcome:
        """Send one job once; raises `Again` if it has to be sent again."""
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
            raise Again(error.retry_after or backoff_s(job.attempts), limited=True) from None
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
            raise Again(backoff_s(job.attempts - 1), limited=False)
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
        self._note(outcome)
        self._count(ended, outcome, bar)

    def _note(self, outcome: Outcome) -> None:
        self.journal.ended(self.plan, outcome.tinker_path, outcome.outcome, outcome.status, outcome.error)

    @staticmethod
    def _count(ended: dict[str, Outcome], outcome: Outcome, bar: Progress) -> None:
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
    def _late(job: Job, why: str) -> Outcome:
        begun = "not done" if job.attempts else "not begun"
        error = f"{begun} when {why}; tkf.resume() or `tinker-frames resume` goes on"
        return Outcome(job.tinker_path, "skipped", error=error, attempts=job.attempts, seconds=round(job.seconds, 3))


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
