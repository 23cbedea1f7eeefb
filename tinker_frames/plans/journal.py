"""The journal of writes: an append-only file of JSON lines for each run of a plan, in a folder per account.

A line is written before each request and after its outcome is known, so that the state of every row is known after a kill at
any moment: planned, sent, or ended. The files hold paths and states, never a key or a signed URL, and only their owner can
read them. While a plan runs, its lock file is held, so that no other process runs, resumes or undoes it; a dead process holds none.
"""

from __future__ import annotations

import json
import os
import threading
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from ..errors import InvalidRequestError, InvalidTinkerPathError, JournalWarning, TinkerError
from ..schema.paths import parse
from .actions import Job, RequestedExpiry, State

MOST_PLANS, MOST_BYTES = 1000, 100_000_000  # what is kept; beyond, the oldest files go
KEPT = timedelta(days=30)  # but none that is younger
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


class _Line(msgspec.Struct, tag_field="event", kw_only=True):
    at: Time


class _PlanLine(_Line, tag="plan"):
    plan: str
    account: str
    base_url: str
    action: str
    rows: list[Any]
    undoes: str | None = None
    repeats: str | None = None
    allowed: list[str] = []


class _SendLine(_Line, tag="send"):
    tinker_path: str
    attempt: int = 1


class _OutcomeLine(_Line, tag="outcome"):
    tinker_path: str
    outcome: Literal["done", "unchanged", "skipped", "failed", "unknown"]
    status: int | None = None
    error: str | None = None
    after: Time | None = None


class _EndLine(_Line, tag="end"):
    abandoned: bool = False


_DECODER = msgspec.json.Decoder(_PlanLine | _SendLine | _OutcomeLine | _EndLine)


@dataclass
class Entry:
    """One row of a plan, as recorded in the journal."""

    stored: StoredJob
    sent_at: datetime | None = None
    attempts: int = 0
    outcome: str | None = None
    status: int | None = None
    error: str | None = None
    ended_at: datetime | None = None
    after: datetime | None = None  # the expiry that was read afterwards, where the action changes it

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


@dataclass
class Record:
    """One run of a plan, as recorded in the journal."""

    plan: str  # its own name: another than the plan's where the plan had run before
    account: str
    base_url: str
    action: str
    begun_at: datetime
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


class Journal:
    """The journal of one account.

    Parameters
    ----------
    account
        The account's fingerprint, which names the folder of its files.
    folder
        Where that folder goes; else in the user's state folder.
    """

    def __init__(self, account: str, folder: Path | None = None) -> None:
        self.folder = (folder or find_journal_folder()) / account
        self._account = account
        self._paths: dict[str, Path] = {}
        self._lock = threading.Lock()

    def record_plan(
        self,
        plan: str,
        base_url: str,
        action: str,
        jobs: Iterable[Job],
        undoes: str | None = None,
        allowed: Iterable[str] = (),
    ) -> str:
        """Record that a plan runs, with all its rows, before its first request; this line is forced to the disk.

        Returns the name of this run: the plan's, or one made from it if it has run before.
        """
        files = self._list_files()
        name, number = plan, 1
        while name in files:
            number += 1
            name = f"{plan}-{number}"
        self._delete_oldest(files)
        self._paths[name] = self.folder / f"{_format_stamp(datetime.now(UTC))}_{name}.jsonl"
        line = _PlanLine(
            at=datetime.now(UTC),
            plan=name,
            account=self._account,
            base_url=base_url,
            action=action,
            rows=[dump_job(job) for job in jobs],
            undoes=undoes,
            repeats=plan if number > 1 else None,
            allowed=sorted(allowed),
        )
        self._append(name, line, force=True)
        return name

    def record_attempt(self, plan: str, tinker_path: str, attempt: int) -> None:
        """Record that a request is about to be sent."""
        self._append(plan, _SendLine(at=datetime.now(UTC), tinker_path=tinker_path, attempt=attempt))

    def record_outcome(
        self,
        plan: str,
        tinker_path: str,
        outcome: Any,
        status: int | None = None,
        error: str | None = None,
        after: datetime | None = None,
    ) -> None:
        """Record the outcome of a row; a later line for the same row replaces an earlier one.

        `after` is the expiry that was read afterwards; `undo` compares it to find out whether it was changed since.
        """
        line = _OutcomeLine(
            at=datetime.now(UTC), tinker_path=tinker_path, outcome=outcome, status=status, error=error, after=after
        )
        self._append(plan, line)

    def record_end(self, plan: str, *, abandoned: bool = False) -> None:
        """Record that every row of a plan has ended, or that the rest is not to be done."""
        self._append(plan, _EndLine(at=datetime.now(UTC), abandoned=abandoned), force=True)

    def read_plans(self) -> list[Record]:
        """Return what was run, in the order in which it was begun; what cannot be read is skipped with one warning."""
        reader = _Reader()
        records = [reader.read(path) for path in self._list_files().values()]
        reader.warn()
        return [record for record in records if record is not None]

    def read_plan(self, name: str) -> Record | None:
        """Return one run of a plan, by its name; None if there is none."""
        path, reader = self._list_files().get(name), _Reader()
        return None if path is None else reader.read(path)

    def find_path(self, plan: str) -> Path:
        """Return the file of one run of a plan."""
        if plan not in self._paths:
            self._paths[plan] = self._list_files()[plan]
        return self._paths[plan]

    def measure_size(self) -> int:
        """Return the bytes of all files; it grows with everything that is recorded."""
        return sum(_measure(path) for path in self._list_files().values())

    @contextmanager
    def lock(self, plan: str) -> Iterator[None]:
        """Lock a plan, so that no other process or thread runs, resumes, undoes or abandons it.

        Raises
        ------
        InvalidRequestError
            If another one does.
        """
        from filelock import FileLock, Timeout

        lock = FileLock(self.folder / f"{plan}.lock", timeout=0, mode=0o600)
        try:
            self._make_folder()
            lock.acquire()
        except Timeout:
            raise InvalidRequestError(
                f"the plan {plan} is being run elsewhere just now, in another process or thread",
                hint="Wait until it has ended; tkf.journal() shows how far it is.",
            ) from None
        except OSError as error:
            raise self._build_error("written", error) from None
        try:
            yield
        finally:
            lock.release()

    def _append(self, plan: str, line: _Line, *, force: bool = False) -> None:
        """Write one line with one call, so that lines of several threads do not mix."""
        text = json.dumps(msgspec.to_builtins(line), ensure_ascii=False, separators=(",", ":")) + "\n"
        with self._lock:
            try:
                self._write(self.find_path(plan), text.encode("utf-8", "replace"), force)
            except OSError as error:
                problem = error
            else:
                return
        raise self._build_error("written", problem)

    def _write(self, path: Path, content: bytes, force: bool) -> None:
        self._make_folder()
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            size = os.fstat(descriptor).st_size
            if size and os.pread(descriptor, 1, size - 1) != b"\n":
                content = b"\n" + content  # the line before was cut short by a kill
            while content:
                content = content[os.write(descriptor, content) :]
            if force:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _make_folder(self) -> None:
        self.folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder.mkdir(mode=0o700, exist_ok=True)

    def _list_files(self) -> dict[str, Path]:
        """Return the file of each run of a plan by its name, oldest first."""
        try:
            names = sorted(name for name in os.listdir(self.folder) if name.endswith(".jsonl"))  # noqa: PTH208  # globbing hides errors
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise self._build_error("read", error) from None
        return {_get_name(name): self.folder / name for name in names}

    def _delete_oldest(self, files: dict[str, Path]) -> None:
        """Delete the oldest files if there are too many or they are too large."""
        sizes = {name: _measure(path) for name, path in files.items()}
        number, size, limit = len(sizes), sum(sizes.values()), _format_stamp(datetime.now(UTC) - KEPT)
        for name, path in files.items():
            if path.name >= limit or (number < MOST_PLANS and size < MOST_BYTES):
                return
            number, size = number - 1, size - sizes[name]
            for stale in (path, self.folder / f"{name}.lock"):
                with suppress(OSError):
                    stale.unlink()

    def _build_error(self, what: str, error: OSError) -> TinkerError:
        problem = error.strerror or type(error).__name__
        return TinkerError(
            f"the journal at {self.folder} cannot be {what} ({problem}), and without it nothing is sent",
            hint="Make room, or set XDG_STATE_HOME to a folder that can be written.",
        )


class _Reader:
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
        name, record = _get_name(path.name), None
        for number, raw in enumerate(content.split(b"\n"), 1):
            try:
                record = self._apply(record, _DECODER.decode(raw), name)
            except (ValueError, InvalidTinkerPathError):
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

    def _apply(self, record: Record | None, line: _Line, name: str) -> Record:
        """Return the record with one line applied; raises ValueError for one that belongs to nothing."""
        if isinstance(line, _PlanLine) and record is None:
            return self._begin(line, name)
        if record is None or isinstance(line, _PlanLine):
            raise ValueError("a line before its plan, or a second plan")
        if isinstance(line, _EndLine):
            record.ended, record.abandoned = True, line.abandoned
        elif isinstance(line, (_SendLine, _OutcomeLine)):
            row = record.rows.get(line.tinker_path)
            if row is None:
                raise ValueError("no row of this plan")
            _apply_to_row(row, line)
        return record

    def _begin(self, line: _PlanLine, name: str) -> Record:
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
            except (ValueError, InvalidTinkerPathError):
                self._skipped.append(f"a row of the plan {name}")
            else:
                record.rows[stored.tinker_path] = Entry(stored)
        return record


def dump_job(job: Job) -> dict[str, Any]:
    """Return a job as plain values."""
    plain: dict[str, Any] = msgspec.to_builtins(StoredJob(job.tinker_path, job.before, job.expiry, job.key))
    return plain


def find_journal_folder() -> Path:
    """Return where this system keeps a user's state."""
    import platformdirs

    return platformdirs.user_state_path("tinker-frames") / "journal"


def _apply_to_row(row: Entry, line: _SendLine | _OutcomeLine) -> None:
    if isinstance(line, _SendLine):
        row.sent_at, row.attempts, row.outcome = line.at, line.attempt, None
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


def _measure(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _get_name(file: str) -> str:
    """Return the name of the run that a file is of."""
    return file.removesuffix(".jsonl").partition("_")[2]


def _format_stamp(time: datetime) -> str:
    """Return a time as the beginning of a file's name, which sorts by it."""
    return f"{time:%Y%m%dT%H%M%S%f}"
