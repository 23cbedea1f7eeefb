"""The journal of writes: an append-only file of JSON lines per account, in the user's state folder.

A line is written before each request and after its outcome is known, so that the state of every row is known after a kill at
any moment: not begun, begun, or ended. The files hold paths and states, never a key or a signed URL, and only their owner can read them.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..errors import TinkerError


@dataclass
class Entry:
    """One row of a plan, as recorded in the journal."""

    tinker_path: str
    before: dict[str, Any]
    expiry: dict[str, Any]
    key: str = ""  # of idempotency: an interrupted row is sent again under the same one
    sent_at: str | None = None
    attempts: int = 0
    outcome: str | None = None
    status: int | None = None
    error: str | None = None
    ended_at: str | None = None
    after: str | None = None  # the expiry that was read afterwards, where the action changes it

    @property
    def state(self) -> str:
        """`not begun`, `begun` (sent, and how it ended is not known), or `ended`."""
        if self.outcome is not None and self.outcome != "unknown":
            return "ended"
        return "begun" if self.sent_at is not None else "not begun"


@dataclass
class Record:
    """One plan, as recorded in the journal."""

    plan: str
    account: str
    base_url: str
    action: str
    begun_at: str
    ended: bool = False
    undoes: str | None = None
    allowed: frozenset[str] = frozenset()  # the guards that were lifted
    rows: dict[str, Entry] = field(default_factory=dict)

    @property
    def open_rows(self) -> list[Entry]:
        """The rows whose outcome is not known, or that were not begun."""
        return [row for row in self.rows.values() if row.state != "ended"]


class Journal:
    """The journal of one account."""

    def __init__(self, account: str, folder: Path | None = None) -> None:
        self.path = (folder or find_journal_folder()) / f"{account}.jsonl"
        self._account = account
        self._lock = threading.Lock()

    def record_plan(
        self,
        plan: str,
        base_url: str,
        action: str,
        rows: list[dict[str, Any]],
        undoes: str | None = None,
        allowed: Iterable[str] = (),
    ) -> None:
        """Record a plan with all its rows before its first request; this line is forced to the disk.

        A row holds `tinker_path`, `before` (`public`, `expires_at`) and `expiry` (`ttl_seconds`, `until`).
        """
        self._append(
            {
                "event": "plan",
                "plan": plan,
                "account": self._account,
                "base_url": base_url,
                "action": action,
                "undoes": undoes,
                "allowed": list(allowed),
                "rows": rows,
            },
            force=True,
        )

    def record_attempt(self, plan: str, tinker_path: str, attempt: int) -> None:
        """Record that a request is about to be sent."""
        self._append({"event": "send", "plan": plan, "tinker_path": tinker_path, "attempt": attempt})

    def record_outcome(
        self,
        plan: str,
        tinker_path: str,
        outcome: str,
        status: int | None = None,
        error: str | None = None,
        after: str | None = None,
    ) -> None:
        """Record the outcome of a row; a later line for the same row replaces an earlier one.

        `after` is the expiry that was read afterwards; `undo` compares it to find out whether it was changed since.
        """
        self._append(
            {
                "event": "outcome",
                "plan": plan,
                "tinker_path": tinker_path,
                "outcome": outcome,
                "status": status,
                "error": error,
                **({} if after is None else {"after": after}),
            }
        )

    def record_end(self, plan: str) -> None:
        """Record that every row of a plan has ended."""
        self._append({"event": "end", "plan": plan}, force=True)

    def read_plans(self) -> list[Record]:
        """Return the plans, in the order in which they were started."""
        records: dict[str, Record] = {}
        for line in self._read_lines():
            _apply_line(records, line)
        return list(records.values())

    def record(self, plan: str) -> Record | None:
        """Return one plan, by its id or the beginning of it."""
        found = [record for record in self.read_plans() if record.plan.startswith(plan)]
        return found[-1] if found else None

    def _append(self, line: dict[str, Any], *, force: bool = False) -> None:
        """Write one line with one call, so that lines of several threads and processes do not mix."""
        text = json.dumps({"at": _format_now(), **line}, ensure_ascii=False, separators=(",", ":")) + "\n"
        with self._lock:
            try:
                self._write(text.encode("utf-8", "replace"), force)
            except OSError as error:
                problem = error.strerror or type(error).__name__
            else:
                return
        raise self._build_error("written", problem)

    def _build_error(self, what: str, problem: str) -> TinkerError:
        return TinkerError(
            f"the journal at {self.path} cannot be {what} ({problem}), and without it nothing is sent",
            hint="Make room, or set XDG_STATE_HOME to a folder that can be written.",
        )

    def _write(self, content: bytes, force: bool) -> None:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
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

    def _read_lines(self) -> Iterator[dict[str, Any]]:
        """Yield the lines; malformed ones, such as one cut short by a kill, are skipped."""
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return
        except OSError as error:
            raise self._build_error("read", error.strerror or type(error).__name__) from None
        for raw in content.split(b"\n"):
            try:
                line = json.loads(raw)
            except ValueError:
                continue
            if isinstance(line, dict):
                yield line


def find_journal_folder() -> Path:
    """Return where this system keeps a user's state."""
    import platformdirs

    return platformdirs.user_state_path("tinker-frames") / "journal"


def _apply_line(records: dict[str, Record], line: dict[str, Any]) -> None:
    """Apply one line to the records."""
    plan = str(line.get("plan"))
    if line.get("event") == "plan":
        rows = {
            row["tinker_path"]: Entry(
                row["tinker_path"], row.get("before") or {}, row.get("expiry") or {}, row.get("key") or ""
            )
            for row in line.get("rows") or []
        }
        fields = {name: line.get(name) for name in ("account", "base_url", "action", "undoes")}
        allowed = frozenset(line.get("allowed") or ())
        records[plan] = Record(plan=plan, begun_at=str(line.get("at")), rows=rows, allowed=allowed, **fields)  # type: ignore[arg-type]
        return
    record = records.get(plan)
    if record is None:
        return
    if line.get("event") == "end":
        record.ended = True
        return
    row = record.rows.get(str(line.get("tinker_path")))
    if row is None:
        return
    if line.get("event") == "send":
        row.sent_at, row.attempts, row.outcome = line.get("at"), int(line.get("attempt") or 1), None
    elif line.get("event") == "outcome":
        row.outcome, row.status, row.error = line.get("outcome"), line.get("status"), line.get("error")
        row.ended_at, row.after = line.get("at"), line.get("after")


def _format_now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
