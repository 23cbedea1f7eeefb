"""Generate an account from a seed: the same seed gives the same account, with times relative to `now`.

Sessions of earlier days, and all that happened in them, are dated from the midnight before `now`: accounts generated at
different times of a day agree on every day that is over. Sessions of today and expiries are dated from `now`.
"""

from __future__ import annotations

import math
import random
import uuid
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from .dialects import get_dialect
from .records import Account, Checkpoint, Person, Run, Sampler, Session
from .vocabulary import (
    BELIEVABLE,
    CHECKPOINT_NAMES,
    HOSTILE,
    MODELS,
    PEOPLE,
    PRIVATE_PROJECT,
    PROJECTS,
    RANKS,
    Texts,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Value = TypeVar("Value")


@dataclass(frozen=True)
class RunProfile:
    """A kind of training run: which checkpoints it saves and what they look like."""

    kinds: tuple[str, ...] = ("training", "sampler")
    naming: str = "step"
    saves: tuple[int, int] = (4, 14)
    metadata: str = "loss"
    expiry: str = "never"
    is_lora: bool = True
    ranked: bool = True
    corrupted: bool = False
    public: bool = False


BOTH_KINDS = ("training", "sampler")

# Runs cycle through these profiles, so an account with that many runs contains every case.
RUN_PROFILES = [
    RunProfile(expiry="mixed"),
    RunProfile(("training",), "number", expiry="mixed"),
    RunProfile((), saves=(0, 0)),
    RunProfile(("sampler",), public=True),
    RunProfile(BOTH_KINDS, "hostile", (34, 40), "note"),
    RunProfile(BOTH_KINDS, "epoch", expiry="soon"),
    RunProfile(BOTH_KINDS, "french", metadata="various"),
    RunProfile(("training", "training", "sampler", "external"), metadata="none"),
    RunProfile(("training",), is_lora=False, ranked=False, saves=(2, 4), metadata="empty"),
    RunProfile(corrupted=True, saves=(1, 3)),
    RunProfile(BOTH_KINDS, "chinese", metadata="various", expiry="mixed", public=True),
    RunProfile(BOTH_KINDS, "percent", metadata="none", expiry="mixed"),
    RunProfile(ranked=False, metadata="empty"),
    RunProfile(BOTH_KINDS, "bare", saves=(12, 30)),
]

EXPIRIES: dict[str, list[timedelta | None]] = {
    "never": [None],
    "soon": [timedelta(hours=h) for h in (1.1, 2, 5, 11, 26)],
    "mixed": [None, *(timedelta(days=d) for d in (0.9, 3, 7, 21, 45, 90, 200))],
}

MODELS_BY_NAME = {model.name: model for model in MODELS}

RECENT = timedelta(hours=8)  # the age of the oldest session of today
RUNS_PER_SESSION = (1, 2, 1, 0, 1, 3, 1, 1, 0, 2)


class IdGenerator:
    """Generates ids in the format of a dialect."""

    def __init__(self, rng: random.Random, dialect: str) -> None:
        self._rng, self._form = rng, get_dialect(dialect).ids

    def _new(self, prefix: str) -> str:
        if self._form == "prefixed":
            return f"{prefix}_{self._rng.getrandbits(32):08x}"
        return str(uuid.UUID(int=self._rng.getrandbits(128), version=4))

    def new_session(self) -> str:
        """Return a session id."""
        return self._new("session")

    def new_run(self, session: Session, number: int) -> str:
        """Return the id of the session's run with this number."""
        if self._form == "dated":
            return f"{session.created_at:%Y%m%d_%H%M%S}-{self._rng.getrandbits(32):08x}"
        return f"{session.session_id}:train:{number}" if self._form == "nested" else self._new("model")

    def new_sampler(self, session: Session, number: int) -> str:
        """Return the id of the session's sampler with this number."""
        return f"{session.session_id}:sample:{number}" if self._form == "nested" else self._new("sampling")


class RecordGenerator:
    """Generates sessions, runs, checkpoints and samplers from a seeded random number generator."""

    def __init__(self, seed: int, now: datetime, dialect: str, texts: Texts) -> None:
        self.texts = texts
        self.rng, self.now, self.dialect = random.Random(seed), now, get_dialect(dialect)  # noqa: S311 - repeatable
        self.midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        self.ids = IdGenerator(self.rng, dialect)

    def generate_people(self) -> list[Person]:
        """Return the members of the organisation, the caller first."""
        return [self._generate_person(name, login) for name, login in PEOPLE]

    def _generate_person(self, name: str, login: str) -> Person:
        urn = f"tml:organization_user:{uuid.UUID(int=self.rng.getrandbits(128), version=4)}"
        return Person(urn, name, f"{login}@example.org")

    def generate_session(self, number: int, owner: Person, project_id: str) -> Session:
        """Return a session without runs and without a status, which depends on the runs."""
        created = self._pick_creation(number)
        name, metadata = _take(self.texts.display_names, number), _take(self.texts.session_metadata, number)
        return Session(self.ids.new_session(), owner, project_id, created, name or None, metadata and dict(metadata))

    def _pick_creation(self, number: int) -> datetime:
        """Return when a session began: one in ten today, within the last eight hours, the others in the last four months."""
        if number % 10:
            return self.midnight - timedelta(days=self.rng.uniform(1, 120))
        longest = min(RECENT, max(self.now - self.midnight, timedelta(seconds=1)))
        return self.now - longest * self.rng.uniform(0.04, 0.99)

    def _get_end(self, session: Session) -> datetime:
        """Return when everything that happens in a session has happened."""
        return self.now if session.created_at >= self.midnight else self.midnight

    def add_run(self, session: Session, number: int, profile: RunProfile) -> Run:
        """Add a run without checkpoints to the session, and return it."""
        model = MODELS[(number * 5 + len(session.runs)) % len(MODELS)] if profile.is_lora else MODELS[2]
        run = Run(
            self.ids.new_run(session, len(session.runs)),
            session,
            model.name,
            session.created_at + (self._get_end(session) - session.created_at) * self.rng.uniform(0.05, 0.3),
            is_lora=profile.is_lora,
            lora_rank=RANKS[number % len(RANKS)] if profile.ranked else None,
            corrupted=profile.corrupted,
            user_metadata={"run": str(number), "recipe": "sft"} if number % 3 else None,
            trains=(number % 4 != 1, True, number % 7 != 3),
            scheme=self.dialect.scheme,
        )
        if number % 11 == 5:
            run.optimizer_config = {"type": "dimuon", "version": 1}
        session.runs.append(run)
        return run

    def add_checkpoints(self, run: Run, profile: RunProfile, count: int) -> None:
        """Add `count` checkpoints to the run, spread over some hours of training."""
        kinds = self._select_kinds(profile)
        if not count or not kinds:
            return
        start, every, end = run.last_request_time, self.rng.choice((20, 50, 100, 400)), self._get_end(run.session)
        gap = min(timedelta(hours=self.rng.uniform(2, 14)), (end - start) * 0.9) / count
        sequence = [kinds[index % len(kinds)] for index in range(count)]
        remaining, saved = Counter(sequence), Counter[str]()
        for index, kind in enumerate(sequence):
            remaining[kind] -= 1
            name = self._pick_name(profile, saved[kind], (saved[kind] + 1) * every, last=not remaining[kind])
            saved[kind] += 1
            time = start + gap * (index + self.rng.random() * 0.8)
            row = Checkpoint(run, kind, name, time)
            self._fill(row, profile, index, saved[kind] * every, last=not remaining[kind])
            run.checkpoints[row.key] = row
        run.last_request_time = time + min(timedelta(minutes=9), (end - time) * 0.5)
        if self.dialect.has_pending:
            row.pending = self.rng.random() < 0.3

    def _fill(self, row: Checkpoint, profile: RunProfile, index: int, step: int, *, last: bool) -> None:
        row.size_bytes = self._compute_size(row) if index % 37 != 5 else None
        row.expires_at = self._pick_expiry(profile, row, last=last)
        row.user_metadata = self._generate_metadata(profile, index, step)
        row.public = profile.public and last

    def _select_kinds(self, profile: RunProfile) -> tuple[str, ...]:
        return tuple(kind for kind in profile.kinds if kind != "external" or self.dialect.has_external)

    def _pick_name(self, profile: RunProfile, number: int, step: int, *, last: bool) -> str:
        is_plain = profile.naming in {"step", "number", "bare"} or not self.dialect.plain_names
        naming = profile.naming if is_plain and profile.naming in self.texts.namings else "step"
        return CHECKPOINT_NAMES[naming](number, step, last)

    def _compute_size(self, row: Checkpoint) -> int:
        run, model = row.run, MODELS_BY_NAME[row.run.base_model]
        weights = model.bytes_per_rank * (run.lora_rank or 32) if run.is_lora else int(model.billions * 2e9)
        factor = {"training": 1.5, "sampler": 1.0, "external": 1.02}[row.kind]
        return int(weights * factor) + self.rng.randrange(4096)

    def _pick_expiry(self, profile: RunProfile, row: Checkpoint, *, last: bool) -> datetime | None:
        lifetime = None if last and profile.expiry != "soon" else self.rng.choice(EXPIRIES[profile.expiry])
        return None if lifetime is None else self.now + lifetime + timedelta(microseconds=row.time.microsecond)

    def _generate_metadata(self, profile: RunProfile, index: int, step: int) -> dict[str, Any] | None:
        if profile.metadata == "loss":
            return {"step": str(step), "loss": f"{0.6 + 2.3 * math.exp(-step / 900) + self.rng.random() * 0.1:.3f}"}
        if profile.metadata == "note":
            return {"note": _take(self.texts.notes, index), "step": str(step)}
        if profile.metadata == "various":
            return dict(_take(self.texts.various, index))
        return {} if profile.metadata == "empty" else None

    def add_samplers(self, session: Session) -> None:
        """Add samplers of the newest sampler checkpoints to the session, and sometimes one of a base model."""
        newest = [(run.base_model, row) for run in session.runs if (row := run.newest_checkpoint("sampler"))]
        sources: list[tuple[str, str | None]] = [(model, row.tinker_path) for model, row in newest]
        if not session.runs or self.rng.random() < 0.4:
            sources.append((self.rng.choice(MODELS).name, None))
        for number, (model, path) in enumerate(sources):
            session.samplers.append(Sampler(self.ids.new_sampler(session, number), session, model, path))


def _take(values: Sequence[Value], number: int) -> Value:
    """Return values in turn."""
    return values[number % len(values)]


def _pick_status(session: Session, number: int) -> dict[str, Any] | None:
    run = session.runs[0].training_run_id if session.runs else f"{session.session_id}:train:0"
    sampler = session.samplers[0].sampler_id if session.samplers else f"{session.session_id}:sample:0"
    failed: dict[str, Any] = {"type": "failed", "category": "user"}
    request = {"type": "request", "request_id": f"req-{number:05d}", "request_type": "forward_backward"}
    choices: list[dict[str, Any] | None] = [
        {"type": "active"},
        {"type": "client_finished", "reason": {"type": "success"}, "detail": None},
        None,
        failed | {"reason": {"type": "training_run", "training_run_id": run}, "message": "bad batch: <empty>"},
        {"type": "client_finished", "reason": {"type": "errored"}, "detail": "KeyError: 'réponse'"},
        {"type": "cancelled", "detail": None},
        failed | {"category": "internal", "reason": request, "message": "worker lost"},
        {"type": "client_finished", "reason": {"type": "interrupted"}},
        failed | {"reason": {"type": "sampling_session", "sampling_session_id": sampler}, "message": "prompt too long"},
        {"type": "cancelled", "detail": "stopped from the console"},
    ]
    return choices[number % len(choices)]


def _distribute_checkpoints(rng: random.Random, profiles: list[RunProfile], total: int | None) -> list[int]:
    """Return the number of checkpoints of each run; a total is spread evenly over the runs that save any."""
    if total is None:
        return [rng.randint(*profile.saves) for profile in profiles]
    saving = [index for index, profile in enumerate(profiles) if profile.kinds]
    share, rest = divmod(total, len(saving)) if saving else (0, 0)
    counts = [share if profile.kinds else 0 for profile in profiles]
    for index in saving[:rest]:
        counts[index] += 1
    return counts


def _generate_empty_runs(
    generator: RecordGenerator, owners: list[Person], projects: list[str], profiles: list[RunProfile]
) -> Iterator[Session]:
    remaining, number = len(profiles), 0
    while remaining:
        owner, project = owners[number % len(owners)], projects[number % len(projects)]
        session = generator.generate_session(number, owner, project)
        for _ in range(min(RUNS_PER_SESSION[number % len(RUNS_PER_SESSION)], remaining)):
            generator.add_run(session, len(profiles) - remaining, profiles[len(profiles) - remaining])
            remaining -= 1
        number += 1
        yield session


def _generate_sessions(
    generator: RecordGenerator, owners: list[Person], projects: list[str], count: int, total: int | None
) -> list[Session]:
    profiles = [RUN_PROFILES[number % len(RUN_PROFILES)] for number in range(count)]
    sessions = list(_generate_empty_runs(generator, owners, projects, profiles))
    runs = [run for session in sessions for run in session.runs]
    counts = _distribute_checkpoints(generator.rng, profiles, total)
    for run, profile, checkpoint_count in zip(runs, profiles, counts, strict=True):
        generator.add_checkpoints(run, profile, checkpoint_count)
    for number, session in enumerate(sessions):
        generator.add_samplers(session)
        session.status = _pick_status(session, number)
    return sessions


def generate_account(
    runs: int = 60,
    seed: int = 1,
    *,
    now: datetime,
    checkpoints: int | None = None,
    dialect: str = "official",
    hostile: bool = True,
) -> Account:
    """Return an account in which the caller owns exactly `runs` runs (and `checkpoints` checkpoints, if given).

    With `hostile`, some texts are HTML, spreadsheet formulas, terminal escapes and the like, else all are believable; all else is equal.
    """
    generator = RecordGenerator(seed, now, dialect, HOSTILE if hostile else BELIEVABLE)
    people = generator.generate_people()
    organization = str(uuid.UUID(int=generator.rng.getrandbits(128), version=4))
    sessions = _generate_sessions(generator, people[:1], PROJECTS, runs, checkpoints)
    others = 0 if generator.dialect.has_one_owner else -(-runs // 5)
    sessions += _generate_sessions(generator, people[1:], [*PROJECTS, PRIVATE_PROJECT], others, None)
    return Account(people[0], people, list(PROJECTS), organization, sessions)
