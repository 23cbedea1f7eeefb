"""Run a plan: journal every write, send as many at once as the server copes with, and verify all of them at the end."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from ..errors import TinkerError
from ..rest.adapter import limit_time
from ..rest.interrupts import take_interrupt
from ..rest.progress import Progress, SafeProgress, open_progress
from ..rest.transport import Transport
from ..schema.paths import run_of
from .actions import Action
from .changes import describe_change, find_other_changes, format_other_changes
from .contact import Contact
from .jobs import Job, Outcome, Outcomes, State
from .journal import Journal
from .pace import Pace
from .workers import Workers
from .writer import COLLISION, Read, ReadRuns, Review, Writer, list_runs

MAX_ATTEMPTS = 5  # of one row, unclear answers included; rate limits do not count
STALE_S = 5.0  # a row that is sent later than this after its run was read has it read again first
GRACE_S = 5.0  # after Ctrl-C: how long requests under way may take to end
LOST_S = 2.0  # once the server could not be reached: how long reading may take
INTERRUPTED_S = 10.0  # after Ctrl-C: how long reading what they did may take
DEFAULT_PATIENCE_S = 300.0  # with a server that answers nothing but rate limits, where the client has no deadline

logger = logging.getLogger("tinker_frames")


@dataclass(frozen=True)
class Runner:
    """Runs plans of one account.

    Parameters
    ----------
    transport
        Sends the requests.
    read_runs
        Returns the present state of every checkpoint of some runs, past the cache.
    journal
        Records every row before and after its request.
    review
        Makes a `Review`, given the action and the lifted guards.
    pace
        Makes the pace of the writes, given the most that may be under way.
    """

    transport: Transport
    read_runs: ReadRuns
    journal: Journal
    review: Callable[[Action, frozenset[str]], Review]
    pace: Callable[[int], Pace] = Pace

    def run(
        self,
        plan: str,
        action: Action,
        jobs: list[Job],
        *,
        allowed: frozenset[str] = frozenset(),
        progress: bool | Progress | None = None,
        max_workers: int | None = None,
        deadline: float | None = None,
    ) -> Outcomes:
        """Carry out the jobs of a plan that the journal knows, and return an outcome for each.

        1. The runs are read; rows that are gone, not as planned or held by a guard that is not `allowed` are skipped, rows that
           are already so are left alone. A run whose reading is older than `STALE_S` seconds is read again before a row of it is sent;
           rows are sent run by run, so that they share its readings.
        2. The rest is sent, several at a time. Ctrl-C stops sending; the state of requests in flight is read and recorded, then it is raised.
        3. The runs are read again, and what did not take effect is `failed`; what else changed in them is logged and returned.
        """
        contact = Contact(self.transport)
        writer = Writer(self.transport, self.read_runs, action, MAX_ATTEMPTS, contact)
        with open_progress(f"{action.name} checkpoints", progress) as shown:
            bar = SafeProgress(shown)
            bar.set_total(len(jobs))
            checks = _Checks(self.review(action, allowed), writer, action, jobs)
            work = _Run(plan, action, writer, self.journal, bar, checks, contact)
            todo = [job for group in _group_by_run(work.check(jobs)).values() for job in _order_pairs(group)]
            workers = self._workers(work, todo, max_workers, deadline)
            is_interrupted = self._send(workers, work)
            with limit_time(LOST_S if contact.is_lost else INTERRUPTED_S):
                work.settle([job for job in todo if job.sent_at and job.tinker_path not in work.ended])
            with limit_time(LOST_S if contact.is_lost else INTERRUPTED_S if is_interrupted else None):
                work.verify(todo)
            if is_interrupted:
                raise KeyboardInterrupt(
                    f"stopped; every row's state is in the journal, and tkf.resume({plan!r}) continues"
                )
        if len(work.ended) == len(jobs) and all(outcome.outcome != "unknown" for outcome in work.ended.values()):
            self.journal.record_end(plan)
        why = "it was cancelled" if bar.stop.is_set() else "the deadline was reached"
        why = "the server could no longer be reached" if contact.is_lost else why
        found = Outcomes(work.ended.get(job.tinker_path) or _build_unfinished(job, plan, why) for job in jobs)
        found.other_changes = work.find_other_changes()
        return found

    def _workers(self, work: _Run, jobs: list[Job], max_workers: int | None, deadline: float | None) -> Workers:
        settings = self.transport.settings
        pace = self.pace(max_workers or settings.max_workers)
        return Workers(work.send, jobs, pace, work.bar, deadline, settings.deadline or DEFAULT_PATIENCE_S)

    def _send(self, workers: Workers, work: _Run) -> bool:
        """Send every job with as many threads as the pace allows; True if it was interrupted."""
        workers.start()
        was_raised = False
        try:
            for outcome in workers.outcomes(is_over=lambda: work.contact.is_lost):
                work.count(outcome)
        except KeyboardInterrupt:
            was_raised = True
        is_interrupted = take_interrupt() or was_raised
        if is_interrupted:
            work.bar.stop.set()
        if work.bar.stop.is_set() or work.contact.is_lost:  # also after a cancellation by `progress`
            self._stop(workers, work)
        return is_interrupted

    def _stop(self, workers: Workers, work: _Run) -> None:
        """Send nothing further, and give the requests under way a few seconds to end."""
        workers.stop()
        for outcome in workers.outcomes(within_s=GRACE_S):
            work.count(outcome)


class _Run:
    """The state of one run: what ended how, in the journal and on the progress bar."""

    def __init__(
        self,
        plan: str,
        action: Action,
        writer: Writer,
        journal: Journal,
        bar: Progress,
        checks: _Checks,
        contact: Contact,
    ) -> None:
        self.bar, self.contact = bar, contact
        self.ended: dict[str, Outcome] = {}
        self._plan, self._action, self._writer, self._journal, self._checks = plan, action, writer, journal, checks

    def check(self, jobs: list[Job]) -> list[Job]:
        """Return the jobs whose checkpoint has not changed since the plan was made; record an outcome for the others."""
        self._checks.read(list_runs(jobs))
        todo = []
        for job in jobs:
            outcome = self._checks.check(job)
            if outcome is None:
                todo.append(job)
            else:
                self._finish_row(outcome)
        return todo

    def send(self, job: Job, bar: Progress) -> Outcome:
        """Send one job and record how it ended, before its thread takes another; raises `SendAgain`."""
        self.contact.require()
        outcome = self._checks.check_again(job)
        if outcome is None:
            self.contact.require()  # reading may have taken a while
            job.attempts += 1
            job.sent_at = self._writer.get_time()
            job.first_sent_at = job.first_sent_at or job.sent_at
            self._journal.record_attempt(self._plan, job.tinker_path, job.attempts, job.sent_at)
            outcome = self._writer.send(job, bar)
            job.answered_at = self._writer.get_time()
        self._record(outcome)
        return outcome

    def count(self, outcome: Outcome) -> None:
        """Count a row whose outcome is already in the journal."""
        self.ended[outcome.tinker_path] = outcome
        self.bar.advance(1)

    def settle(self, jobs: list[Job]) -> None:
        """Record the outcome of rows that were sent and have none: their answer was not received, or they were to be sent again."""
        read = self._writer.read(jobs) if jobs else Read()
        for job in jobs:
            if self._writer.is_open(job, read) and job.attempts:
                self._finish_row(self._writer.outcome(job, "unknown"))
            elif self._writer.is_done(job, read.find(job)):
                self._finish_row(self._writer.outcome(job, "done"))

    def verify(self, jobs: list[Job]) -> None:
        """Read the runs again, and record every outcome that this corrects or completes."""
        before = {path: outcome.outcome for path, outcome in self.ended.items()}
        for outcome, after in self._writer.verify(jobs, self.ended, self.bar):
            is_news = outcome.outcome != before[outcome.tinker_path] or outcome.outcome != "done"
            if is_news or self._action.sets_expiry:
                self._record(outcome, after)

    def find_other_changes(self) -> dict[str, str]:
        """Return what changed between the first and the last reading, and not by this plan; what changed is read twice."""
        changes = self._compare(self._writer.after)
        if changes:  # one list that lags must not report what is not so
            again = self._compare(self._writer.read_later(list(changes), self.bar))
            changes = {path: again[path] for path in changes if path in again}
        if changes:
            logger.warning("%s", format_other_changes(changes))
        return changes

    def _compare(self, after: Mapping[str, State]) -> dict[str, str]:
        """Return what a last reading shows as changed by others, in the runs that it has."""
        writer = self._writer
        read = {run_of(path) for path in after}
        before = {path: state for path, state in writer.before.items() if run_of(path) in read}
        return find_other_changes(before, after, writer.sent, writer.get_time())

    def _finish_row(self, outcome: Outcome) -> None:
        self._record(outcome)
        self.count(outcome)

    def _record(self, outcome: Outcome, after: datetime | None = None) -> None:
        self._journal.record_outcome(
            self._plan, outcome.tinker_path, outcome.outcome, outcome.status, outcome.error, after
        )


class _Checks:
    """Whether rows may still be sent, by the last reading of their runs; an old reading is taken again."""

    def __init__(self, review: Review, writer: Writer, action: Action, jobs: list[Job]) -> None:
        self._review, self._writer, self._action = review, writer, action
        self._jobs = _group_by_run(jobs)
        self._locks = {run: threading.Lock() for run in self._jobs}
        self._reads: dict[str, tuple[float, Read]] = {}  # of each run, and when it began (monotonic seconds)

    def read(self, run_ids: Iterable[str]) -> None:
        """Read some runs, for all their jobs."""
        started = time.monotonic()
        read = self._review([job for run_id in run_ids for job in self._jobs[run_id]])
        self._reads.update(dict.fromkeys(run_ids, (started, read)))
        self._writer.remember(read)
        self._writer.check_lists(read, [job for run_id in run_ids for job in self._jobs[run_id] if job.is_in_doubt])

    def check_again(self, job: Job) -> Outcome | None:
        """Return how a job that is about to be sent ends without it, its run read again if that was some seconds ago."""
        run_id = job.training_run_id
        with self._locks[run_id]:
            if time.monotonic() - self._reads[run_id][0] > STALE_S:
                self._read_again(run_id)
        outcome = self.check(job)
        if outcome is not None and outcome.outcome == "skipped" and job.attempts and job.unclear:
            # The last reading says whether it was done.
            return replace(outcome, outcome="failed", attempts=job.attempts)
        return outcome

    def _read_again(self, run_id: str) -> None:
        """Read a run while the plan runs: where that fails, its rows are left alone, and the others go on."""
        try:
            self.read([run_id])
        except TinkerError:
            self._reads[run_id] = time.monotonic(), Read(unread={run_id})

    def check(self, job: Job) -> Outcome | None:
        """Return how a job ends without being sent; None if it has to be sent."""
        outcome = self._check_row(job)
        if outcome is None and self._is_mistakable(job):
            return Outcome(job.tinker_path, "skipped", error=COLLISION)
        return outcome

    def _is_mistakable(self, job: Job) -> bool:
        """Tell whether the server could take the row for another of its name that is not deleted as well."""
        _, read = self._reads[job.training_run_id]
        others = [path for path in read.namesakes.get(job.tinker_path, ()) if path != job.tinker_path]
        if not others or not self._action.removes:
            return bool(others)
        jobs = {each.tinker_path: each for each in self._jobs[job.training_run_id]}
        return any(path not in jobs or self._check_row(jobs[path]) is not None for path in others)

    def _is_swapped(self, job: Job, read: Read) -> bool:
        """Tell whether the server has taken a row for the namesake whose request was sent, which is there still: one more is due."""
        others = (each for each in self._jobs[job.training_run_id] if each is not job and each.sent_at is not None)
        return self._action.removes and any(
            other.run_and_name == job.run_and_name and read.find(other) is not None for other in others
        )

    def _check_row(self, job: Job) -> Outcome | None:
        """Return how a job ends by itself, whatever other checkpoints have its name."""
        _, read = self._reads[job.training_run_id]
        state = read.states.get(job.tinker_path)
        if self._writer.is_open(job, read):
            return Outcome(
                job.tinker_path, "unknown" if job.is_in_doubt else "skipped", error="its run could not be read"
            )
        if job.is_in_doubt and self._writer.is_done(job, read.find(job)):
            return Outcome(job.tinker_path, "done", attempts=job.attempts)
        if state is None and self._is_swapped(job, read):
            job.unclear = True
            return None
        problem = describe_change(job.before, state)
        if problem or state is None:
            return Outcome(job.tinker_path, "skipped", error=problem)
        if self._action.is_already(state, job.expiry, self._writer.get_time()):
            return Outcome(job.tinker_path, "unchanged")
        hold = read.held.get(job.tinker_path)
        return Outcome(job.tinker_path, "skipped", error=hold) if hold else None


def _group_by_run(jobs: list[Job]) -> dict[str, list[Job]]:
    groups: dict[str, list[Job]] = {}
    for job in jobs:
        groups.setdefault(job.training_run_id, []).append(job)
    return groups


def _order_pairs(jobs: list[Job]) -> list[Job]:
    """Return jobs with those of one name together, training states first: a server that ignores the type takes these first, too."""
    places: dict[tuple[str, str], int] = {}
    for job in jobs:
        places.setdefault(job.run_and_name, len(places))
    return sorted(jobs, key=lambda job: (places[job.run_and_name], "/weights/" not in job.tinker_path))


def _build_unfinished(job: Job, plan: str, why: str) -> Outcome:
    what = "not done" if job.attempts else "not sent"
    error = f"{what} when {why}; tkf.resume({plan!r}) or `tinker-frames resume {plan}` continues"
    return Outcome(job.tinker_path, "skipped", error=error, attempts=job.attempts, seconds=round(job.seconds, 3))
