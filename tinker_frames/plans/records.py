"""Records of the journal: a line per event in a file, read back as the record of a run with an entry for each row."""

from __future__ import annotations

import json
import warnings
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from ..errors import InvalidTinkerPathError, JournalWarning
from ..schema.paths import parse
from .jobs import Job, RequestedExpiry, State

BEGINNING = b'{"event"'  # of every line

Time = Annotated[datetime, msgspec.Meta(tz=True)]


class StoredJob(msgspec.Struct):
    """One row of a plan as it is stored, in the journal and in saved plans."""

    tinker_path: str
    before: State
    expiry: RequestedExpiry
    key: str = ""  # of idempotency: an interrupted row is sent again under the same one

    def __post_init__(self) -> None:
        for time in (self.before.expires_at, self.before.time, self.expiry.until):
            if time is not None and time.tzinfo is None:
                raise ValueError(f"{time} has no time zone")

    def to_job(self) -> Job:
        """Return the job that it stands for; without a key, one with a new key."""
        job = Job(self.tinker_path, self.before, self.expiry)
        return replace(job, key=self.key) if self.key else job


class Line(msgspec.Struct, tag_field="event", kw_only=True):
    """A line of a file: an event, and when it was."""

    at: Time


class PlanLine(Line, tag="plan"):
    """A plan begins to run; its rows as they were planned."""

    plan: str
    account: str
    base_url: str
    action: str
    rows: list[Any]
    undoes: str | None = None
    repeats: str | None = None
    allowed: list[str] = []


class SendLine(Line, tag="send"):
    """A request is about to be sent."""

    tinker_path: str
    attempt: int = 1


class OutcomeLine(Line, tag="outcome"):
    """How a row ended, or that this is not known."""

    tinker_path: str
    outcome: Literal["done", "unchanged", "skipped", "failed", "unknown"]
    status: int | None = None
    error: str | None = None
    after: Time | None = None


class EndLine(Line, tag="end"):
    """Every row has ended, or the rest is not to be done."""

    abandoned: bool = False


_DECODER = msgspec.json.Decoder(PlanLine | SendLine | OutcomeLine | EndLine)


@dataclass
class Entry:
    """One row of a plan, as recorded in the journal."""

    stored: StoredJob
    first_sent_at: datetime | None = None
    sent_at: datetime | None = None  # last
    attempts: int = 0
    outcome: str | None = None
    status: int | None = None
    error: str | None = None
    ended_at: datetime | None = None
    after: datetime | None = None  # the expiry that the plan gave it, as the server has it

    @property
    def tinker_path(self) -> str:
        """The checkpoint."""
        return self.stored.tinker_path

    @property
    def before(self) -> State:
        """The state that it was planned for."""
        return self.stored.before

    @property
    def state(self) -> str:
        """`planned` (not sent), `sent` (outcome not known) or `ended`."""
        if self.outcome is not None and self.outcome != "unknown":
            return "ended"
        return "sent" if self.sent_at is not None else "planned"

    @property
    def is_changed(self) -> bool:
        """Whether the plan changed it, or may have: its outcome is `done` or not known."""
        return self.outcome == "done" or self.state == "sent"


@dataclass
class Record:
    """One run of a plan, as recorded in the journal."""

    plan: str  # its own name: another than the plan's where the plan had run before
    account: str
    base_url: str
    action: str
    started_at: datetime
    ended: bool = False
    abandoned: bool = False
    undoes: str | None = None
    repeats: str | None = None  # the plan, if it was run before
    allowed: frozenset[str] = frozenset()  # the guards that were lifted
    rows: dict[str, Entry] = field(default_factory=dict)

    @property
    def base(self) -> str:
        """The plan that was run."""
        return self.repeats or self.plan

    @property
    def open_rows(self) -> list[Entry]:
        """The rows that were not sent, or whose outcome is not known."""
        return [row for row in self.rows.values() if row.state != "ended"]

    @property
    def is_unfinished(self) -> bool:
        """Whether it was interrupted and not abandoned."""
        return bool(self.open_rows) and not self.ended


class RecordReader:
    """Reads files of the journal, and counts the lines that it skips: of a newer version, or edited."""

    def __init__(self) -> None:
        self._skipped: list[str] = []

    def read(self, path: Path) -> Record | None:
        """Return what a file says; None if it cannot be read, or is of no plan."""
        try:
            content = path.read_bytes()
        except OSError as error:
            self._skipped.append(f"{path} ({error.strerror or type(error).__name__})")
            return None
        name, record = get_run_name(path.name), None
        for number, raw in enumerate(content.split(b"\n"), 1):
            try:
                record = self._apply(record, _DECODER.decode(raw), name)
            except (ValueError, msgspec.MsgspecError, InvalidTinkerPathError):  # no ValueError before msgspec 0.19
                if raw.strip() and not _is_torn(raw):
                    self._skipped.append(f"line {number} of {path}")
        return record

    def warn(self) -> None:
        """Warn of what was skipped, if anything was."""
        if self._skipped:
            warnings.warn(
                f"the journal cannot be read in {len(self._skipped):,} places, which were skipped: {self._skipped[0]}",
                JournalWarning,
                stacklevel=4,
            )

    def _apply(self, record: Record | None, line: Line, name: str) -> Record:
        """Return the record with one line applied; raises ValueError for one that belongs to nothing."""
        if isinstance(line, PlanLine) and record is None:
            return self._begin(line, name)
        if record is None or isinstance(line, PlanLine):
            raise ValueError("a line before its plan, or a second plan")
        if isinstance(line, EndLine):
            record.ended, record.abandoned = True, line.abandoned
        elif isinstance(line, (SendLine, OutcomeLine)):
            row = record.rows.get(line.tinker_path)
            if row is None:
                raise ValueError("no row of this plan")
            _apply_to_row(row, line)
        return record

    def _begin(self, line: PlanLine, name: str) -> Record:
        """Return the record of a plan before any row was sent."""
        record = Record(
            name,
            line.account,
            line.base_url,
            line.action,
            line.at,
            undoes=line.undoes,
            repeats=line.repeats,
            allowed=frozenset(line.allowed),
        )
        for row in line.rows:
            try:
                stored = msgspec.convert(row, StoredJob)
                parse(stored.tinker_path)
            except (ValueError, msgspec.MsgspecError, InvalidTinkerPathError):  # no ValueError before msgspec 0.19
                self._skipped.append(f"a row of the plan {name}")
            else:
                record.rows[stored.tinker_path] = Entry(stored)
        return record


def dump_job(job: Job) -> dict[str, Any]:
    """Return a job as plain values."""
    plain: dict[str, Any] = msgspec.to_builtins(StoredJob(job.tinker_path, job.before, job.expiry, job.key))
    return plain


def _apply_to_row(row: Entry, line: SendLine | OutcomeLine) -> None:
    if isinstance(line, SendLine):
        row.sent_at, row.attempts, row.outcome = line.at, line.attempt, None
        row.first_sent_at = row.first_sent_at or line.at
    else:
        row.outcome, row.status, row.error = line.outcome, line.status, line.error
        row.ended_at, row.after = line.at, line.after


def _is_torn(raw: bytes) -> bool:
    """Tell whether a line is the beginning of one, cut short by a kill."""
    if not (raw.startswith(BEGINNING) or BEGINNING.startswith(raw)):
        return False
    try:
        json.loads(raw)
    except ValueError:
        return True
    return False


def get_run_name(file: str) -> str:
    """Return the name of the run that a file is of."""
    return file.removesuffix(".jsonl").partition("_")[2]
