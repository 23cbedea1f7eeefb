"""Send one write until its outcome is known: repeat it, settle unclear answers by reading its run, verify it afterwards.

The rows of a plan (`runner`) and the write methods of `client.rest` are sent by this code.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ..errors import ConflictError, ConnectionFailedError, NotFoundError, NotSupportedError, RateLimitError, TinkerError
from ..listings.claims import NAMES
from ..rest.adapter import get_time_left
from ..rest.config import Settings
from ..rest.progress import RATE_LIMITED, Progress
from ..rest.retry import RATE_LIMIT_RETRY_FACTOR, backoff_s
from ..rest.transport import Transport
from ..schema.paths import run_of, run_url, runs_of
from .actions import Action
from .changes import describe_change
from .contact import Contact
from .jobs import MARGIN, TOLERANCE, Job, Outcome, State

MOST_CONFLICTS = 2  # of one row: it may be busy at first; a second 409 will not change
MAX_FUTILE_ROWS = 3  # rows that failed the same way at every attempt, with none done: the others get one attempt
MOST_REREADINGS = 4  # of lists that do not show a write yet; with the default `retries`, some 4 to 7.5 s together
UNCHANGED_ERROR = "the server reported success, and its list shows the checkpoint as it was"
GONE_ERROR = "it is gone, and the server answered that it does not exist: deleted by this request, or by another client just before"
UNREAD_ERROR = "its run could not be read afterwards"
SHORT_ERROR = (
    "the list of its run lacks it, and also checkpoints that this plan did not delete, so it may be there still"
)
COLLISION = "another type of checkpoint has the same name, and this server does not tell them apart"


@dataclass(frozen=True)
class Read:
    """The present checkpoints of some runs, from complete lists, and the runs that could not be read."""

    states: dict[str, State] = field(default_factory=dict)
    unread: set[str] = field(default_factory=set)
    namesakes: dict[str, list[str]] = field(default_factory=dict)  # as `preview.find_namesakes`
    ids: dict[tuple[str, str], str] = field(default_factory=dict)  # run and checkpoint id, to the path
    held: dict[str, str] = field(default_factory=dict)  # the rows that a guard holds now, and why
    short: set[str] = field(default_factory=set)  # runs whose lists lack rows that should be there

    def find(self, job: Job) -> State | None:
        """Return the present state of a job's checkpoint; None if it is gone, also where another one was saved under its name."""
        state = self.states.get(job.tinker_path)
        is_other = state is not None and job.is_listed and job.before.is_same_object(state) is False
        return None if is_other else state


ReadRuns = Callable[[list[str]], Read]
Review = Callable[[list[Job]], Read]  # reads the runs of some rows, and evaluates the guards again


class SendAgain(Exception):  # noqa: N818  # control flow, not an error
    """The row is to be sent again after some seconds, because of `error`."""

    def __init__(self, wait_s: float, error: TinkerError) -> None:
        self.wait_s, self.error = wait_s, error

    @property
    def limited(self) -> bool:
        """Whether it was a rate limit, which does not count as an attempt."""
        return isinstance(self.error, RateLimitError)


class Writer:
    """Sends writes of one action.

    Parameters
    ----------
    transport
        Sends the requests.
    read_runs
        Returns the present state of every checkpoint of some runs, past the cache.
    action
        What is done to each checkpoint.
    most_tries
        Attempts for one row, unclear answers included; rate limits do not count.
    contact
        Asked whether the server can be reached after a write that was not answered; None to go on anyway.
    """

    def __init__(
        self,
        transport: Transport,
        read_runs: ReadRuns,
        action: Action,
        most_tries: int,
        contact: Contact | None = None,
    ) -> None:
        self._transport, self._read_runs, self._action, self._most_tries = transport, read_runs, action, most_tries
        self._pauses = [backoff_s(attempt) for attempt in range(min(transport.settings.retries, MOST_REREADINGS))]
        self._futile: Counter[int | None] = Counter()  # rows for which every attempt ended with this status
        self._any_done = False
        self._contact = contact
        self.sent: set[str] = set()  # tinker paths
        self._reported: set[str] = set()  # those that the server reported as done
        self.before: dict[str, State] = {}  # all checkpoints of the runs, as first read
        self.after: dict[str, State] = {}  # and as last read

    def send(self, job: Job, progress: Progress) -> Outcome:
        """Send one row once and return its outcome; raises `SendAgain` if it has to be sent again."""
        started = time.monotonic()
        self.sent.add(job.tinker_path)
        try:
            self._transport.call(
                self._action.method,
                job.url(self._action.suffix),
                body=self._action.body(job.expiry, self.get_time()),
                repeat=False,
                key=job.key,
                progress=progress,
            )
        except RateLimitError as error:
            job.was_limited = True
            if not error.retryable:
                return self.outcome(job, "failed", error)
            raise SendAgain(error.retry_after or backoff_s(job.attempts), error) from None
        except TinkerError as error:
            job.seconds += time.monotonic() - started
            if self._contact is not None and isinstance(error, ConnectionFailedError):
                self._contact.check(job.training_run_id, progress)
            return self._settle(job, error)
        job.seconds += time.monotonic() - started
        self._reported.add(job.tinker_path)
        return self.outcome(job, "done")

    def remember(self, read: Read) -> None:
        """Keep what runs held before anything was sent, to find out later what else changed and which lists are not true."""
        self.before = {**read.states, **self.before}

    def read(self, jobs: Iterable[Job]) -> Read:
        """Read the runs of rows after something was sent; a list that also lacks rows that were not sent is not trusted."""
        jobs = list(jobs)
        read = self._read_runs(list_runs(jobs))
        self._transport.invalidate_cache()  # what others have cached since may be as old as this reading
        self.check_lists(read, jobs)
        return read

    def check_lists(self, read: Read, jobs: Iterable[Job]) -> None:
        """Count runs as short whose list lacks rows that are not known to be gone, and as unread if it is empty.

        Known are those that have expired, that were sent by a plan that removes, or of which the server's answer said what the list says.
        So is an empty list that alone would prove a deletion, if the run itself does not confirm it.
        """
        now, jobs = self.get_time(), list(jobs)
        answered = self._reported | {job.tinker_path for job in jobs if job.was_missing}
        lost = self.before.keys() - (self.sent if self._action.removes else answered) - read.states.keys()
        lost -= {path for path in lost if (at := self.before[path].expires_at) is not None and at <= now}
        found = {run_of(path) for path in read.states}
        lacking = {run_of(path) for path in lost}
        read.short.update(run for run in list_runs(jobs) if run in lacking)
        read.unread.update(read.short - found)
        found |= read.unread
        doubtful = [job for job in jobs if job.is_listed and job.tinker_path not in self._reported]
        runs = list_runs(doubtful) if self._action.removes else []
        read.unread.update(run for run in runs if run not in found and not self._confirm_empty(run))

    def is_open(self, job: Job, read: Read) -> bool:
        """Tell whether a reading says nothing of a row."""
        return job.training_run_id in read.unread or self._is_lost(job, read)

    def _is_lost(self, job: Job, read: Read) -> bool:
        """Tell whether a short list lacks a row of which no answer to a delete said that it is gone: then it may be there still."""
        is_absent = job.tinker_path not in read.states and job.training_run_id in read.short
        return is_absent and not (self._action.removes and (job.tinker_path in self._reported or job.was_missing))

    def _confirm_empty(self, training_run_id: str) -> bool:
        """Tell whether a run is gone, or is answered and names no last checkpoint."""
        try:
            answer = self._transport.call("GET", run_url(training_run_id), repeat=False).json()
        except NotFoundError:
            return True
        except (TinkerError, ValueError, RecursionError):
            return False
        is_run = isinstance(answer, dict) and answer.get("training_run_id") == training_run_id
        return is_run and not any(answer.get(name) for name in NAMES)

    def verify(
        self, jobs: Iterable[Job], outcomes: dict[str, Outcome], progress: Progress
    ) -> Iterable[tuple[Outcome, datetime | None]]:
        """Read the runs of all rows that were sent, correct their outcomes, and yield each with the expiry that it was given.

        What the server reported as done and is not so has failed, and what it reported as failed and is so is done. Lists may be
        a few seconds behind: rows that do not show what was reported are read again after a pause.
        """
        left, pauses = [job for job in jobs if job.sent_at and job.tinker_path in outcomes], iter(self._pauses)
        while left:
            read, pause = self.read(left), next(pauses, None)
            self.after.update(read.states)
            is_last = pause is None or progress.stop.is_set() or pause >= get_time_left()
            later = {} if is_last else self._find_lagging(left, outcomes, read)
            for job in left:
                if job.tinker_path not in later:
                    self._correct_outcome(job, outcomes[job.tinker_path], read)
                    yield outcomes[job.tinker_path], self._find_own_expiry(job, read.find(job))
            left = list(later.values())
            if left:
                progress.stop.wait(pause)

    def read_later(self, paths: Iterable[str], progress: Progress) -> dict[str, State]:
        """Return the checkpoints of the runs of some paths, read after a pause; those of a run that cannot be read are left out."""
        if self._pauses:
            progress.stop.wait(self._pauses[0])
        read = self._read_runs(runs_of(paths))
        return {path: state for path, state in read.states.items() if run_of(path) not in read.unread}

    def _find_lagging(self, jobs: list[Job], outcomes: dict[str, Outcome], read: Read) -> dict[str, Job]:
        """Return the rows that do not show their write and may show it a little later; with them, those that were refused."""
        unseen = [job for job in jobs if not self.is_done(job, read.find(job)) or self._is_lost(job, read)]
        may_lag = any(
            job.is_in_doubt or job.was_missing or outcomes[job.tinker_path].outcome in ("done", "unknown")
            for job in unseen
        )
        return {job.tinker_path: job for job in unseen} if may_lag else {}

    def _is_effect(self, job: Job) -> bool:
        """Tell whether a row that is as requested owes it to a request: it existed, and was not so before."""
        never_existed = self._action.removes and not job.is_listed
        return not never_existed and not self.is_done(job, job.before)

    def _correct_outcome(self, job: Job, outcome: Outcome, read: Read) -> None:
        """Correct an outcome by what was read last; a row that was not sent again since it was gone was deleted by another client, if no attempt is in doubt."""
        state, is_unread = read.find(job), self.is_open(job, read)
        may_be_own = job.is_in_doubt or not self._action.removes
        was_carried_out = not is_unread and may_be_own and self._is_effect(job) and self.is_done(job, state)
        if outcome.outcome == "skipped" and not was_carried_out:
            return
        if is_unread:
            if outcome.outcome != "failed" or job.unclear:
                outcome.outcome, outcome.error = "unknown", SHORT_ERROR if self._is_lost(job, read) else UNREAD_ERROR
        elif self.is_done(job, state):
            if outcome.outcome == "failed" and not self._is_effect(job):
                return
            outcome.outcome, outcome.problem = "done", None
            if self._may_be_of_others(job, outcome.status):
                outcome.error = GONE_ERROR
            else:
                outcome.error = outcome.status = None
        elif state is not None and not (self._action.is_readable(state) and self._is_known(job, state)):
            if outcome.outcome != "failed" or job.unclear:
                outcome.outcome, outcome.error = "unknown", "what the server says of it afterwards cannot be read"
        else:
            found = read.states.get(job.tinker_path)
            lost = f"the server reported success, and {describe_change(job.before, found)}" if state is None else ""
            error = self._describe_expiry(job, state) or outcome.error or lost or UNCHANGED_ERROR
            was_gone = state is None and job.was_missing and not job.is_in_doubt
            outcome.outcome, outcome.error = "skipped" if was_gone else "failed", error

    def _is_known(self, job: Job, state: State) -> bool:
        """Tell whether it is known that a checkpoint of a job's name is that of the job."""
        return not job.is_listed or job.before.is_same_object(state) is not None

    def is_done(self, job: Job, state: State | None) -> bool:
        """Tell whether a checkpoint is in the requested state."""
        if state is not None and not self._is_known(job, state):
            return False
        return self._action.is_done(state, job.expiry, job.sent_at or self.get_time())

    def get_time(self) -> datetime:
        """Return the present time by the server's clock."""
        return self._transport.get_time()

    def _describe_expiry(self, job: Job, state: State | None) -> str:
        """Describe an expiry that differs from both the earlier and the requested one; empty if it was not changed."""
        if not self._action.sets_expiry or state is None or state.expires_at == job.before.expires_at:
            return ""
        wanted = job.expiry.resolve(job.sent_at or self.get_time())
        before = _format_expiry(job.before.expires_at)
        return f"it now expires {_format_expiry(state.expires_at)}, not {_format_expiry(wanted)} as requested; before: {before}"

    def _find_own_expiry(self, job: Job, state: State | None) -> datetime | None:
        """Return the expiry that a job gave to its checkpoint: as read if that can be it, else as requested."""
        now = self.get_time()
        first = job.expiry.resolve(job.first_sent_at or now)
        last = job.expiry.resolve(job.answered_at or now)
        if not self._action.sets_expiry or state is None or first is None or last is None:
            return None
        slack = MARGIN if self._transport.clock_offset else TOLERANCE  # without a `Date`, its clock is not known
        slack += MARGIN if job.expiry.until is not None else timedelta(0)  # which is how much earlier it was requested
        found = state.expires_at
        is_own = found is not None and first - slack <= found <= last + slack
        return found if is_own else last

    def outcome(self, job: Job, outcome: str, error: TinkerError | None = None, *, is_read: bool = False) -> Outcome:
        """Return how a row ended."""
        self._any_done = self._any_done or outcome == "done"
        return Outcome(
            job.tinker_path,
            outcome,
            status=None if error is None else error.status,
            error=None if error is None else str(error),
            attempts=job.attempts,
            seconds=round(job.seconds, 3),
            problem=error,
            is_read=is_read,
        )

    def _settle(self, job: Job, error: TinkerError) -> Outcome:
        """Classify an error: final, rejected without being processed, or unclear; after an unclear one, the run is read."""
        if _is_refused_by_gateway(error) and job.attempts < self._most_tries:
            raise SendAgain(_get_wait(job, error), error)
        unclear = is_unclear(error)
        is_final = isinstance(error, NotSupportedError) or not (unclear or isinstance(error, NotFoundError))
        if is_final and not job.unclear:  # else an earlier attempt may have been carried out
            return self.outcome(job, "failed", error)
        job.was_missing = job.was_missing or isinstance(error, NotFoundError)
        read = self.read([job])
        job.unclear = job.unclear or unclear
        if self.is_open(job, read):
            return self.outcome(job, "unknown", error)  # read again at the end
        state = read.find(job)
        if self.is_done(job, state):
            return self._attribute(job, error)
        if state is None:
            return self.outcome(job, "skipped", error)
        if unclear and self._may_try_again(job, error):
            raise SendAgain(_get_wait(job, error), error)
        self._futile[error.status] += unclear
        return self.outcome(job, "failed", error)

    def _attribute(self, job: Job, error: TinkerError) -> Outcome:
        """Return the outcome of a row that is as requested after an error: it was not so before, or it never existed."""
        if self._action.removes and not job.is_listed:
            missing = NotFoundError(f"there is no checkpoint {job.tinker_path}", status=error.status, url=error.url)
            return self.outcome(job, "skipped", missing)
        if isinstance(error, NotFoundError) and not job.is_in_doubt and not self._is_effect(job):
            return self.outcome(job, "skipped", error)
        done = self.outcome(job, "done", is_read=not self._action.removes)  # one list that lacks it is little proof
        if self._may_be_of_others(job, error.status):
            done.status, done.error = error.status, GONE_ERROR
        return done

    def _may_be_of_others(self, job: Job, status: int | None) -> bool:
        """Tell whether a row that is gone may have been deleted by another client, a moment before the only attempt.

        A gateway that repeats a request passes on the 404 of the second one, so it may have been this client as well.
        """
        return self._action.removes and status in (404, 410) and not job.is_in_doubt

    def _may_try_again(self, job: Job, error: TinkerError) -> bool:
        """Tell whether a row that an unclear error left unchanged may be sent once more."""
        job.conflicts += isinstance(error, ConflictError)
        hopeless = self._futile[error.status] >= MAX_FUTILE_ROWS and not self._any_done
        most = 1 if hopeless else self._most_tries
        return error.retryable and job.attempts < most and job.conflicts < MOST_CONFLICTS


def write_one(writer: Writer, job: Job, settings: Settings) -> None:
    """Send one row until its outcome is known, and verify it.

    Raises
    ------
    TinkerError
        The server's error, if the write was not carried out; one that says so, if that cannot be known.
    """
    outcome = _send_until_settled(writer, job, settings)
    if not outcome.is_read:
        list(writer.verify([job], {job.tinker_path: outcome}, Progress()))
    if outcome.outcome != "done":
        raise _build_error(outcome, settings.base_url + job.url(""))


def _send_until_settled(writer: Writer, job: Job, settings: Settings) -> Outcome:
    """Send one row until there is an outcome, waiting between the attempts in this thread."""
    progress, limits = Progress(), 0
    while True:
        job.attempts += 1
        job.sent_at = writer.get_time()
        try:
            return writer.send(job, progress)
        except SendAgain as again:
            turn = again
        job.attempts -= turn.limited
        limits += turn.limited
        most = settings.retries * (RATE_LIMIT_RETRY_FACTOR if turn.error.retry_after else 1)
        if turn.wait_s >= get_time_left() or limits > most:
            return writer.outcome(job, "failed", turn.error)
        progress.report_wait(turn.wait_s, RATE_LIMITED if turn.limited else str(turn.error.what))
        time.sleep(turn.wait_s)


def _build_error(outcome: Outcome, url: str) -> TinkerError:
    """Return the error of a write that is not known to be done."""
    error = outcome.problem
    if outcome.outcome != "unknown":
        return error or TinkerError(f"{outcome.tinker_path}: {outcome.error}", url=url)
    if error is None:
        return TinkerError(
            f"{outcome.tinker_path}: the server reported success, and its run could not be read to verify it",
            url=url,
            hint="List the run before you repeat it.",
        )
    hint = "Whether it was done is not known, since reading the state failed too: list the run before you repeat it."
    return type(error)(error.what, status=error.status, url=error.url, hint=hint, retryable=False)


def list_runs(jobs: Iterable[Job]) -> list[str]:
    """Return the distinct runs of some rows."""
    return list(dict.fromkeys(job.training_run_id for job in jobs))


def is_unclear(error: TinkerError) -> bool:
    """Tell whether a write that failed with this error may have been carried out anyway."""
    if error.status is None:
        return isinstance(error, ConnectionFailedError)
    is_redirect = 300 <= error.status < 400  # as some answer what they have carried out
    return error.retryable or is_redirect or error.status in (408, 409, 425) or error.status >= 500


def _get_wait(job: Job, error: TinkerError) -> float:
    """Return the seconds to wait before the next attempt: as many as the server asks for, else more after each."""
    return error.retry_after or backoff_s(job.attempts - 1)


def _is_refused_by_gateway(error: TinkerError) -> bool:
    """Tell whether a gateway refused the request before the service saw it."""
    return error.status == 400 and error.retryable


def _format_expiry(at: datetime | None) -> str:
    return "never" if at is None else f"{at:%Y-%m-%d %H:%M} UTC"
