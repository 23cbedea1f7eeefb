"""The mutable account behind the server: lists, single objects and writes, in plain Python without HTTP."""

from __future__ import annotations

import heapq
import random
import threading
from bisect import bisect_left, insort
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from .generator import Teller
from .records import KINDS, SEGMENTS, Account, Checkpoint, Run, Sampler, Session

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

T = TypeVar("T")

TTL_BOUNDS = (3600, 315_360_000)


class RefusedError(Exception):
    """A request that the service turns down, with its status and its words."""

    def __init__(self, status: int, detail: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers = status, detail, headers


class State:
    """One account, safe to use from several threads; what is due to expire is gone before anything is answered."""

    def __init__(self, account: Account, *, now: datetime | None = None, dialect: str = "official") -> None:
        self.me, self.people, self.organization = account.me, account.people, account.organization
        self.projects = list(account.projects)
        self.log: list[tuple[datetime, str, str]] = []
        self._ahead = timedelta(0) if now is None else now - datetime.now(UTC)
        self._lock, self._rng = threading.RLock(), random.Random(0)  # noqa: S311 - repeatable on purpose
        self._ids = Teller(self._rng.getrandbits(32), self.now(), dialect).ids
        self._sessions: dict[str, Session] = {}
        self._runs: dict[str, Run] = {}
        self._samplers: dict[str, Sampler] = {}
        self._mine: list[Checkpoint] = []  # of the caller's own runs, oldest first
        self._due: list[tuple[datetime, int, Checkpoint]] = []
        self._serial = 0
        for session in account.sessions:
            self._enter_session(session)
        self._mine.sort(key=_age_rank)

    def now(self) -> datetime:
        """Return the service's time: it starts at `now` and runs on."""
        return datetime.now(UTC) + self._ahead

    def advance(self, **span: float) -> None:
        """Put the clock forward, as in `advance(hours=2)`; what is due by then expires."""
        with self._lock:
            self._ahead += timedelta(**span)

    # Lists

    def sessions(self, scope: str = "owned") -> list[Session]:
        """Return sessions, newest first."""
        with self._settled():
            rows = [row for row in self._sessions.values() if self._visible(row, scope)]
        return sorted(rows, key=lambda row: row.newness, reverse=True)

    def runs(self, scope: str = "owned", project_id: str | None = None) -> list[Run]:
        """Return runs, the most recently used first."""
        with self._settled():
            rows = [row for row in self._runs.values() if self._visible(row.session, scope)]
        rows = [row for row in rows if project_id is None or row.session.project_id == project_id]
        return sorted(rows, key=lambda row: (row.last_request_time, row.training_run_id), reverse=True)

    def checkpoints_page(
        self, limit: int, offset: int, kinds: Collection[str] | None = None
    ) -> tuple[list[Checkpoint], int]:
        """Return a slice of the caller's own checkpoints, newest first, and how many there are."""
        with self._settled():
            rows = self._mine if kinds is None else [row for row in self._mine if row.kind in kinds]
            end = max(0, len(rows) - offset)
            return rows[max(0, end - limit) : end][::-1], len(rows)

    def run_checkpoints(self, training_run_id: str) -> list[Checkpoint]:
        """Return the finished checkpoints of one own run, oldest first; none if there is no such run."""
        with self._settled():
            run = self._runs.get(training_run_id)
            if run is None or run.session.owner is not self.me:
                return []
            return [row for row in run.checkpoints.values() if not row.pending]

    # Single objects

    def session(self, session_id: str, scope: str = "owned") -> Session:
        """Return one session."""
        with self._settled():
            row = self._sessions.get(session_id)
            return _present(row if row and self._visible(row, scope) else None, "Session not found.")

    def run(self, training_run_id: str, scope: str = "owned") -> Run:
        """Return one training run."""
        with self._settled():
            row = self._runs.get(training_run_id)
            return _present(row if row and self._visible(row.session, scope) else None, "Model not found.")

    def sampler(self, sampler_id: str) -> Sampler:
        """Return one sampler of a session that the caller can see."""
        with self._settled():
            row = self._samplers.get(sampler_id)
            return _present(row if row and self._visible(row.session, "accessible") else None, "Sampler not found.")

    def checkpoint(self, training_run_id: str, checkpoint_id: str) -> Checkpoint:
        """Return one checkpoint of an own run by its id with segment."""
        with self._settled():
            run = self._runs.get(training_run_id)
            own = run if run and run.session.owner is self.me else None
            return _present(own.checkpoints.get(checkpoint_id) if own else None, "Checkpoint not found.")

    def find(self, tinker_path: str, *, public_only: bool = False) -> Checkpoint | None:
        """Return any readable checkpoint by tinker path: own, visible or public."""
        run_id, _, key = tinker_path.removeprefix("tinker://").partition("/")
        with self._settled():
            run = self._runs.get(run_id)
            row = run.checkpoints.get(key) if run else None
            if row is None or row.public:
                return row
            return row if not public_only and self._visible(row.run.session, "accessible") else None

    # Writes

    def publish(self, row: Checkpoint) -> None:
        """Make a checkpoint public."""
        self._set_public(row, public=True)

    def unpublish(self, row: Checkpoint) -> None:
        """Make a checkpoint private again."""
        self._set_public(row, public=False)

    def set_ttl(self, row: Checkpoint, seconds: int | None) -> None:
        """Let a checkpoint expire so many seconds from now, or never."""
        if seconds is not None and not TTL_BOUNDS[0] <= seconds <= TTL_BOUNDS[1]:
            raise RefusedError(400, f"ttl_seconds must be between {TTL_BOUNDS[0]} and {TTL_BOUNDS[1]}.")
        with self._settled():
            self._change(row, expires_at=None if seconds is None else self.now() + timedelta(seconds=seconds))
            if row.expires_at:
                heapq.heappush(self._due, (row.expires_at, row.serial, row))
            self._note("ttl_set", row)

    def delete(self, row: Checkpoint) -> None:
        """Delete a checkpoint for ever."""
        with self._settled():
            _present(row.run.checkpoints.get(row.key), "Checkpoint not found.")
            self._leave(row)
            self._note("delete", row)

    def copy(self, source: Checkpoint, project_id: str, ttl_seconds: int | None = None) -> Checkpoint:
        """Copy a readable checkpoint into a new session of the caller's, where it can be sampled but not trained."""
        self._listable(project_id)
        with self._settled():
            session = self.add_session(project_id=project_id, display_name="copied weights")
            run = self.add_run(session, base_model=source.run.base_model, lora_rank=source.run.lora_rank)
            row = self.add_checkpoint(run, source.kind, source.name, size_bytes=source.size_bytes)
            if ttl_seconds is not None:
                self.set_ttl(row, ttl_seconds)
            return row

    def assign_project(self, session_id: str, project_id: str) -> None:
        """Move a session with all that is in it to another project."""
        self._listable(project_id)
        self.session(session_id).project_id = project_id

    # Growth and decay, as a busy account has them

    def add_session(self, *, project_id: str | None = None, **fields: Any) -> Session:
        """Begin a session of the caller's, now."""
        with self._settled():
            fields.setdefault("status", {"type": "active"})
            session_id, project = self._ids.session(), project_id or self.projects[0]
            session = Session(session_id, fields.pop("owner", self.me), project, self.now(), **fields)
            self._enter_session(session)
            return session

    def add_run(self, session: Session | None = None, *, base_model: str = "Qwen/Qwen3-8B", **fields: Any) -> Run:
        """Begin a run of the caller's, now; without a session, in a new one."""
        with self._settled():
            session = session or self.add_session(display_name="appeared")
            run = Run(self._ids.run(session, len(session.runs)), session, base_model, self.now(), **fields)
            session.runs.append(run)
            self._runs[run.training_run_id] = run
            return run

    def add_checkpoint(
        self, run: Run | None = None, kind: str = "training", name: str | None = None, **fields: Any
    ) -> Checkpoint:
        """Save a checkpoint, now; without a run, in the one used last."""
        with self._settled():
            run = run or next(iter(self.runs()), None) or self.add_run()
            row = Checkpoint(
                run, kind, name or f"appeared-{self._serial:06d}", fields.pop("time", self.now()), **fields
            )
            if row.key in run.checkpoints:
                raise RefusedError(409, "A checkpoint of this name exists.")
            self._enter(row)
            if run.session.owner is self.me:
                insort(self._mine, row, key=_age_rank)
            run.checkpoints = dict(sorted(run.checkpoints.items(), key=lambda item: item[1].age_rank))
            run.last_request_time = max(run.last_request_time, row.time)
            return row

    def appear(self, endpoint: str, count: int = 1) -> None:
        """Add rows to the list that an endpoint serves."""
        grow: dict[str, Callable[[], object]] = {
            "list_sessions": self.add_session,
            "search_sessions": self.add_session,
            "list_training_runs": self.add_run,
        }
        for _ in range(count):
            grow.get(endpoint, self.add_checkpoint)()

    def vanish(self, endpoint: str, count: int = 1) -> None:
        """Take rows, picked by chance, out of the list that an endpoint serves."""
        with self._settled():
            for _ in range(count):
                if endpoint in {"list_sessions", "search_sessions"}:
                    self._pick(self.sessions(), self._remove_session)
                elif endpoint == "list_training_runs":
                    self._pick(self.runs(), self._remove_run)
                else:
                    self._pick(self._mine, self._leave)

    def _pick(self, rows: list[Any], remove: Callable[[Any], None]) -> None:
        if rows:
            remove(self._rng.choice(rows))

    # Inner workings

    @contextmanager
    def _settled(self) -> Iterator[None]:
        with self._lock:
            now = self.now()
            while self._due and self._due[0][0] <= now:
                when, _, row = heapq.heappop(self._due)
                # An entry of the queue is stale once the expiry was changed or the row deleted.
                if row.expires_at == when and row.run.checkpoints.get(row.key) is row:
                    self._leave(row)
            yield

    def _visible(self, session: Session, scope: str) -> bool:
        return session.owner is self.me or (scope == "accessible" and session.project_id in self.projects)

    def _listable(self, project_id: str) -> None:
        if project_id not in self.projects:
            raise RefusedError(403, "You do not have access to this project.")

    def _enter_session(self, session: Session) -> None:
        self._sessions[session.session_id] = session
        self._samplers.update((row.sampler_id, row) for row in session.samplers)
        for run in session.runs:
            self._runs[run.training_run_id] = run
            for row in run.checkpoints.values():
                self._enter(row)
            if session.owner is self.me:
                self._mine.extend(run.checkpoints.values())

    def _enter(self, row: Checkpoint) -> None:
        self._serial += 1
        row.serial = self._serial
        row.run.checkpoints[row.key] = row
        row.run.session.checkpoints_count += 1
        row.run.session.checkpoint_storage_bytes += row.size_bytes or 0
        if row.expires_at:
            heapq.heappush(self._due, (row.expires_at, row.serial, row))

    def _leave(self, row: Checkpoint) -> None:
        del row.run.checkpoints[row.key]
        row.run.session.checkpoints_count -= 1
        row.run.session.checkpoint_storage_bytes -= row.size_bytes or 0
        if row.run.session.owner is self.me:
            del self._mine[bisect_left(self._mine, row.age_rank, key=_age_rank)]

    def _remove_run(self, run: Run) -> None:
        for row in list(run.checkpoints.values()):
            self._leave(row)
        run.session.runs.remove(run)
        del self._runs[run.training_run_id]

    def _remove_session(self, session: Session) -> None:
        for run in list(session.runs):
            self._remove_run(run)
        for sampler in session.samplers:
            del self._samplers[sampler.sampler_id]
        del self._sessions[session.session_id]

    def _set_public(self, row: Checkpoint, *, public: bool) -> None:
        with self._settled():
            if row.public is public:
                raise RefusedError(409, f"Checkpoint is already {'public' if public else 'private'}.")
            self._change(row, public=public)
            self._note("publish" if public else "unpublish", row)

    def _change(self, row: Checkpoint, **fields: Any) -> None:
        _present(row.run.checkpoints.get(row.key), "Checkpoint not found.")
        for name, value in fields.items():
            setattr(row, name, value)
        row.version += 1

    def _note(self, action: str, row: Checkpoint) -> None:
        self.log.append((self.now(), action, row.tinker_path))


def _age_rank(row: Checkpoint) -> tuple[datetime, int]:
    return row.age_rank


def _present(row: T | None, detail: str) -> T:
    if row is None:
        raise RefusedError(404, detail)
    return row


def split_id(checkpoint_id: str) -> str:
    """Return a checkpoint id if it has a known segment and a name; official routes take no other."""
    segment, _, name = checkpoint_id.partition("/")
    if segment not in KINDS or not name or "/" in name:
        raise RefusedError(400, f"Invalid checkpoint id; expected one of {', '.join(SEGMENTS.values())} and a name.")
    return checkpoint_id
