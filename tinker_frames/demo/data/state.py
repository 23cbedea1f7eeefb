"""The mutable state of one account: listings, lookups and writes, without HTTP."""

from __future__ import annotations

import heapq
import random
import threading
from bisect import bisect_left, insort
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import TYPE_CHECKING, Any, TypeVar

from .dialects import get_dialect
from .generator import IdGenerator
from .records import KINDS, SEGMENTS, Account, Checkpoint, Run, Sampler, Session

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

T = TypeVar("T")

TTL_BOUNDS = (3600, 315_360_000)  # seconds
SORT_KEY = attrgetter("sort_key")


class ServiceError(Exception):
    """A request that the service refuses, with the status and the `detail` of the response."""

    def __init__(self, status: int, detail: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers = status, detail, headers


class State:
    """One account; thread-safe. Checkpoints that have expired are removed before every operation."""

    def __init__(self, account: Account, *, now: datetime | None = None, dialect: str = "official") -> None:
        self.me, self.people, self.organization = account.me, account.people, account.organization
        self.projects = list(account.projects)
        self.log: list[tuple[datetime, str, str]] = []
        self._clock_offset = timedelta(0) if now is None else now - datetime.now(UTC)
        self._lock, self._rng = threading.RLock(), random.Random(0)  # noqa: S311 - repeatable on purpose
        self._scheme = get_dialect(dialect).scheme
        self._ids = IdGenerator(random.Random(self._rng.getrandbits(32)), dialect)  # noqa: S311 - repeatable on purpose
        self._sessions: dict[str, Session] = {}
        self._runs: dict[str, Run] = {}
        self._samplers: dict[str, Sampler] = {}
        self._own: list[Checkpoint] = []  # of the caller's runs, oldest first
        self._expiries: list[tuple[datetime, int, Checkpoint]] = []
        self._serial = 0
        for session in account.sessions:
            self._index_session(session)
        self._own.sort(key=SORT_KEY)

    def now(self) -> datetime:
        """Return the service's time, UTC; it starts at the `now` of the constructor."""
        return datetime.now(UTC) + self._clock_offset

    def advance(self, **span: float) -> None:
        """Move the clock forward, as in `advance(hours=2)`."""
        with self._lock:
            self._clock_offset += timedelta(**span)

    # Listings

    def sessions(self, scope: str = "owned") -> list[Session]:
        """Return sessions, newest first."""
        with self._lock_and_expire():
            rows = [row for row in self._sessions.values() if self._is_visible(row, scope)]
        return sorted(rows, key=lambda row: row.sort_key, reverse=True)

    def runs(self, scope: str = "owned", project_id: str | None = None) -> list[Run]:
        """Return runs, most recently used first."""
        with self._lock_and_expire():
            rows = [row for row in self._runs.values() if self._is_visible(row.session, scope)]
        rows = [row for row in rows if project_id is None or row.session.project_id == project_id]
        return sorted(rows, key=lambda row: (row.last_request_time, row.training_run_id), reverse=True)

    def checkpoints_page(
        self, limit: int, offset: int, kinds: Collection[str] | None = None
    ) -> tuple[list[Checkpoint], int]:
        """Return a slice of the caller's checkpoints, newest first, and their total number."""
        with self._lock_and_expire():
            rows = self._own if kinds is None else [row for row in self._own if row.kind in kinds]
            end = max(0, len(rows) - offset)
            return rows[max(0, end - limit) : end][::-1], len(rows)

    def run_checkpoints(self, training_run_id: str) -> list[Checkpoint]:
        """Return the completed checkpoints of one of the caller's runs, oldest first; none if there is no such run."""
        with self._lock_and_expire():
            run = self._runs.get(training_run_id)
            if run is None or run.session.owner is not self.me:
                return []
            return [row for row in run.checkpoints.values() if not row.pending]

    # Lookups

    def session(self, session_id: str, scope: str = "owned") -> Session:
        """Return a session."""
        with self._lock_and_expire():
            row = self._sessions.get(session_id)
            return _require(row if row and self._is_visible(row, scope) else None, "Session not found.")

    def run(self, training_run_id: str, scope: str = "owned") -> Run:
        """Return a training run."""
        with self._lock_and_expire():
            row = self._runs.get(training_run_id)
            return _require(row if row and self._is_visible(row.session, scope) else None, "Model not found.")

    def sampler(self, sampler_id: str) -> Sampler:
        """Return a sampler of a session that is visible to the caller."""
        with self._lock_and_expire():
            row = self._samplers.get(sampler_id)
            return _require(row if row and self._is_visible(row.session, "accessible") else None, "Sampler not found.")

    def checkpoint(self, training_run_id: str, checkpoint_id: str) -> Checkpoint:
        """Return a checkpoint of one of the caller's runs by its id with segment."""
        with self._lock_and_expire():
            run = self._runs.get(training_run_id)
            own = run if run and run.session.owner is self.me else None
            return _require(own.checkpoints.get(checkpoint_id) if own else None, "Checkpoint not found.")

    def find(self, tinker_path: str, *, public_only: bool = False) -> Checkpoint | None:
        """Return a checkpoint by tinker path if the caller can read it: own, visible or public."""
        run_id, _, key = tinker_path.partition("://")[2].partition("/")
        with self._lock_and_expire():
            run = self._runs.get(run_id)
            row = run.checkpoints.get(key) if run else None
            if row is None or row.public:
                return row
            return row if not public_only and self._is_visible(row.run.session, "accessible") else None

    # Writes

    def publish(self, row: Checkpoint) -> None:
        """Make a checkpoint public."""
        self._set_public(row, public=True)

    def unpublish(self, row: Checkpoint) -> None:
        """Make a checkpoint private again."""
        self._set_public(row, public=False)

    def set_ttl(self, row: Checkpoint, seconds: int | None) -> None:
        """Set a checkpoint to expire in this many seconds; None removes the expiry."""
        if seconds is not None and not TTL_BOUNDS[0] <= seconds <= TTL_BOUNDS[1]:
            raise ServiceError(400, f"ttl_seconds must be between {TTL_BOUNDS[0]} and {TTL_BOUNDS[1]}.")
        with self._lock_and_expire():
            self._update(row, expires_at=None if seconds is None else self.now() + timedelta(seconds=seconds))
            if row.expires_at:
                heapq.heappush(self._expiries, (row.expires_at, row.serial, row))
            self._log_action("ttl_set", row)

    def delete(self, row: Checkpoint) -> None:
        """Delete a checkpoint permanently."""
        with self._lock_and_expire():
            _require(row.run.checkpoints.get(row.key), "Checkpoint not found.")
            self._remove_checkpoint(row)
            self._log_action("delete", row)

    def copy(self, source: Checkpoint, project_id: str, ttl_seconds: int | None = None) -> Checkpoint:
        """Copy a readable checkpoint into a new session of the caller."""
        self._check_project(project_id)
        with self._lock_and_expire():
            session = self.add_session(project_id=project_id, display_name="copied weights")
            run = self.add_run(session, base_model=source.run.base_model, lora_rank=source.run.lora_rank)
            row = self.add_checkpoint(run, source.kind, source.name, size_bytes=source.size_bytes)
            if ttl_seconds is not None:
                self.set_ttl(row, ttl_seconds)
            return row

    def assign_project(self, session_id: str, project_id: str) -> None:
        """Move a session, with its runs and samplers, to another project."""
        self._check_project(project_id)
        self.session(session_id).project_id = project_id

    # Changes by other clients of the account

    def add_session(self, *, project_id: str | None = None, **fields: Any) -> Session:
        """Start a session of the caller now."""
        with self._lock_and_expire():
            fields.setdefault("status", {"type": "active"})
            session_id, project = self._ids.new_session(), project_id or self.projects[0]
            session = Session(session_id, fields.pop("owner", self.me), project, self.now(), **fields)
            self._index_session(session)
            return session

    def add_run(self, session: Session | None = None, *, base_model: str = "Qwen/Qwen3-8B", **fields: Any) -> Run:
        """Start a training run of the caller now; without a session, in a new one."""
        with self._lock_and_expire():
            session = session or self.add_session(display_name="appeared")
            run_id = self._ids.new_run(session, len(session.runs))
            run = Run(run_id, session, base_model, self.now(), scheme=self._scheme, **fields)
            session.runs.append(run)
            self._runs[run.training_run_id] = run
            return run

    def add_checkpoint(
        self, run: Run | None = None, kind: str = "training", name: str | None = None, **fields: Any
    ) -> Checkpoint:
        """Save a checkpoint now; without a run, in the most recently used one."""
        with self._lock_and_expire():
            run = run or next(iter(self.runs()), None) or self.add_run()
            row = Checkpoint(
                run, kind, name or f"appeared-{self._serial:06d}", fields.pop("time", self.now()), **fields
            )
            if row.key in run.checkpoints:
                raise ServiceError(409, "A checkpoint of this name exists.")
            self._index_checkpoint(row)
            if run.session.owner is self.me:
                insort(self._own, row, key=SORT_KEY)
            run.checkpoints = dict(sorted(run.checkpoints.items(), key=lambda item: item[1].sort_key))
            run.last_request_time = max(run.last_request_time, row.time)
            return row

    def add_sampler(self, tinker_path: str | None, session: Session | None = None) -> Sampler:
        """Start a sampler of a checkpoint, or of the base model; without a session, in a new one."""
        with self._lock_and_expire():
            session = session or self.add_session(display_name="appeared")
            name = self._ids.new_sampler(session, len(session.samplers))
            row = Sampler(name, session, "Qwen/Qwen3-8B", tinker_path)
            session.samplers.append(row)
            self._samplers[name] = row
            return row

    def add_rows(self, endpoint: str, count: int = 1) -> None:
        """Add rows to the list of an endpoint."""
        add: dict[str, Callable[[], object]] = {
            "list_sessions": self.add_session,
            "search_sessions": self.add_session,
            "list_training_runs": self.add_run,
        }
        for _ in range(count):
            add.get(endpoint, self.add_checkpoint)()

    def remove_run(self, run: Run) -> None:
        """Remove a training run with its checkpoints."""
        with self._lock_and_expire():
            self._remove_run(run)

    def remove_rows(self, endpoint: str, count: int = 1) -> None:
        """Remove random rows from the list of an endpoint."""
        with self._lock_and_expire():
            for _ in range(count):
                if endpoint in {"list_sessions", "search_sessions"}:
                    self._remove_random(self.sessions(), self._remove_session)
                elif endpoint == "list_training_runs":
                    self._remove_random(self.runs(), self._remove_run)
                else:
                    self._remove_random(self._own, self._remove_checkpoint)

    def _remove_random(self, rows: list[Any], remove: Callable[[Any], None]) -> None:
        if rows:
            remove(self._rng.choice(rows))

    # Internals

    @contextmanager
    def _lock_and_expire(self) -> Iterator[None]:
        with self._lock:
            now = self.now()
            while self._expiries and self._expiries[0][0] <= now:
                when, _, row = heapq.heappop(self._expiries)
                # An entry of the queue is stale if the expiry has changed or the row was deleted since.
                if row.expires_at == when and row.run.checkpoints.get(row.key) is row:
                    self._remove_checkpoint(row)
            yield

    def _is_visible(self, session: Session, scope: str) -> bool:
        return session.owner is self.me or (scope == "accessible" and session.project_id in self.projects)

    def _check_project(self, project_id: str) -> None:
        if project_id not in self.projects:
            raise ServiceError(403, "You do not have access to this project.")

    def _index_session(self, session: Session) -> None:
        self._sessions[session.session_id] = session
        self._samplers.update((row.sampler_id, row) for row in session.samplers)
        for run in session.runs:
            self._runs[run.training_run_id] = run
            for row in run.checkpoints.values():
                self._index_checkpoint(row)
            if session.owner is self.me:
                self._own.extend(run.checkpoints.values())

    def _index_checkpoint(self, row: Checkpoint) -> None:
        self._serial += 1
        row.serial = self._serial
        row.run.checkpoints[row.key] = row
        row.run.session.checkpoints_count += 1
        row.run.session.checkpoint_storage_bytes += row.size_bytes or 0
        if row.expires_at:
            heapq.heappush(self._expiries, (row.expires_at, row.serial, row))

    def _remove_checkpoint(self, row: Checkpoint) -> None:
        now = self.now()
        row.removed_at = min(row.expires_at or now, now)
        row.run.removed.append(row)
        del row.run.checkpoints[row.key]
        row.run.session.checkpoints_count -= 1
        row.run.session.checkpoint_storage_bytes -= row.size_bytes or 0
        if row.run.session.owner is self.me:
            del self._own[bisect_left(self._own, row.sort_key, key=SORT_KEY)]

    def _remove_run(self, run: Run) -> None:
        for row in list(run.checkpoints.values()):
            self._remove_checkpoint(row)
        run.session.runs.remove(run)
        del self._runs[run.training_run_id]

    def _remove_session(self, session: Session) -> None:
        for run in list(session.runs):
            self._remove_run(run)
        for sampler in session.samplers:
            del self._samplers[sampler.sampler_id]
        del self._sessions[session.session_id]

    def _set_public(self, row: Checkpoint, *, public: bool) -> None:
        with self._lock_and_expire():
            if row.public is public:
                raise ServiceError(409, f"Checkpoint is already {'public' if public else 'private'}.")
            self._update(row, public=public)
            self._log_action("publish" if public else "unpublish", row)

    def _update(self, row: Checkpoint, **fields: Any) -> None:
        _require(row.run.checkpoints.get(row.key), "Checkpoint not found.")
        for name, value in fields.items():
            setattr(row, name, value)
        row.version += 1

    def _log_action(self, action: str, row: Checkpoint) -> None:
        self.log.append((self.now(), action, row.tinker_path))


def _require(row: T | None, detail: str) -> T:
    if row is None:
        raise ServiceError(404, detail)
    return row


def check_checkpoint_id(checkpoint_id: str) -> str:
    """Return a checkpoint id if it consists of a known segment and a name; the official service accepts no other."""
    segment, _, name = checkpoint_id.partition("/")
    if segment not in KINDS or not name or "/" in name:
        raise ServiceError(400, f"Invalid checkpoint id; expected one of {', '.join(SEGMENTS.values())} and a name.")
    return checkpoint_id
