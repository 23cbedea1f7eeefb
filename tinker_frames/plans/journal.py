"""The journal of writes: an append-only file of JSON lines for each run of a plan, in a folder per account.

A line is written before each request and after its outcome is known, so that the state of every row is known after a kill at
any moment: planned, sent, or ended. The files hold paths and states, never a key or a signed URL, and only their owner can
read them. While a plan runs, its lock file is held, so that no other process runs, resumes or undoes it; a dead process holds none.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from ..errors import InvalidRequestError, TinkerError
from ..rest.config import find_folder
from .jobs import Job
from .records import EndLine, Line, OutcomeLine, PlanLine, Record, RecordReader, SendLine, dump_job, get_run_name

MOST_PLANS, MOST_BYTES = 1000, 100_000_000  # what is kept; beyond, the oldest files go
KEPT = timedelta(days=30)  # but none that is younger


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
        line = PlanLine(
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

    def record_attempt(self, plan: str, tinker_path: str, attempt: int, at: datetime) -> None:
        """Record that a request is about to be sent, at a time by the server's clock."""
        self._append(plan, SendLine(at=at, tinker_path=tinker_path, attempt=attempt))

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

        `after` is the expiry that the plan gave it; `undo` compares it to find out whether it was changed since.
        """
        line = OutcomeLine(
            at=datetime.now(UTC),
            tinker_path=tinker_path,
            outcome=outcome,
            status=status,
            error=error,
            after=after,
        )
        self._append(plan, line)

    def record_end(self, plan: str, *, abandoned: bool = False) -> None:
        """Record that every row of a plan has ended, or that the rest is not to be done."""
        self._append(plan, EndLine(at=datetime.now(UTC), abandoned=abandoned), force=True)

    def read_plans(self) -> list[Record]:
        """Return what was run, in the order in which it was started; what cannot be read is skipped with one warning."""
        reader = RecordReader()
        records = [reader.read(path) for path in self._list_files().values()]
        reader.warn()
        return [record for record in records if record is not None]

    def read_plan(self, name: str) -> Record | None:
        """Return one run of a plan, by its name; None if there is none."""
        path, reader = self._list_files().get(name), RecordReader()
        return None if path is None else reader.read(path)

    def read_runs(self, plan: str) -> list[Record]:
        """Return the runs of one plan, the first one first, by its whole id."""
        reader = RecordReader()
        records = [reader.read(path) for name, path in self._list_files().items() if name.startswith(plan)]
        return [record for record in records if record is not None and record.base == plan]

    def read_undos(self, runs: list[Record]) -> list[Record]:
        """Return the undos of some runs, in the order in which they were started."""
        names, reader = [run.plan for run in runs], RecordReader()
        files = self._list_files()
        first = min((files[name].name for name in names if name in files), default="")
        records = [reader.read(path) for path in files.values() if names and path.name > first]
        return [record for record in records if record is not None and record.undoes in names]

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
                f"the plan {plan} is running in another process or thread",
                hint="Wait until it has ended; tkf.journal() shows its progress.",
            ) from None
        except OSError as error:
            raise self._build_error("written", error) from None
        try:
            yield
        finally:
            lock.release()

    def _append(self, plan: str, line: Line, *, force: bool = False) -> None:
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
        return {get_run_name(name): self.folder / name for name in names}

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
            hint="Free disk space, or set XDG_STATE_HOME to a folder that can be written.",
        )


def find_owners(plan: str) -> dict[str, str]:
    """Return the accounts whose journal has a plan of this id, or else plans whose ids begin so, with the addresses of their servers."""
    names = {path: get_run_name(path.name) for path in find_journal_folder().glob("*/*.jsonl")}
    exact = [path for path, name in names.items() if name == plan]
    paths = exact or [path for path, name in names.items() if plan and name.startswith(plan)]
    records = [RecordReader().read(path) for path in paths]
    return {record.account: record.base_url for record in records if record is not None}


def find_journal_folder() -> Path:
    """Return where this system keeps a user's state."""
    return find_folder("state") / "journal"


def _measure(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _format_stamp(time: datetime) -> str:
    """Return a time as the beginning of a file's name, which sorts by it."""
    return f"{time:%Y%m%dT%H%M%S%f}"
