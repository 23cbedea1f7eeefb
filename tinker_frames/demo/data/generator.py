"""Tell the demo account: the same seed gives the same account, apart from times, which hang on `now`."""

from __future__ import annotations

import math
import random
import uuid
from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from .records import Account, Checkpoint, Person, Run, Sampler, Session
from .vocabulary import (
    DISPLAY_NAMES,
    HOSTILE,
    MODELS,
    NAMES,
    PEOPLE,
    PRIVATE_PROJECT,
    PROJECTS,
    RANKS,
    SESSION_METADATA,
    UNICODE_METADATA,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

DIALECTS = ("official", "tuft", "skyrl")


@dataclass(frozen=True)
class Plot:
    """What sort of training run it is: which checkpoints it saved and how they look."""

    kinds: tuple[str, ...] = ("training", "sampler")
    naming: str = "step"
    saves: tuple[int, int] = (4, 14)
    metadata: str = "loss"
    expiry: str = "never"
    is_lora: bool = True
    ranked: bool = True
    corrupted: bool = False
    public: bool = False


BOTH = ("training", "sampler")

# Runs take these in turn, so that an account of as many runs shows every case.
PLOTS = [
    Plot(expiry="mixed"),
    Plot(("training",), "number", expiry="mixed"),
    Plot((), saves=(0, 0)),
    Plot(("sampler",), public=True),
    Plot(BOTH, "hostile", (34, 40), "hostile"),
    Plot(BOTH, "epoch", expiry="soon"),
    Plot(BOTH, "french", metadata="unicode"),
    Plot(("training", "training", "sampler", "external"), metadata="none"),
    Plot(("training",), is_lora=False, ranked=False, saves=(2, 4), metadata="empty"),
    Plot(corrupted=True, saves=(1, 3)),
    Plot(BOTH, "chinese", metadata="unicode", expiry="mixed", public=True),
    Plot(BOTH, "percent", metadata="none", expiry="mixed"),
    Plot(ranked=False, metadata="empty"),
    Plot(BOTH, "bare", saves=(12, 30)),
]

EXPIRIES: dict[str, list[timedelta | None]] = {
    "never": [None],
    "soon": [timedelta(hours=h) for h in (1.1, 2, 5, 11, 26)],
    "mixed": [None, *(timedelta(days=d) for d in (0.9, 3, 7, 21, 45, 90, 200))],
}

MODELS_BY_NAME = {model.name: model for model in MODELS}

RUNS_PER_SESSION = (1, 2, 1, 0, 1, 3, 1, 1, 0, 2)


class _Ids:
    """Ids in the style of one dialect."""

    def __init__(self, rng: random.Random, dialect: str) -> None:
        self._rng, self._dialect = rng, dialect

    def _new(self, prefix: str) -> str:
        if self._dialect == "skyrl":
            return f"{prefix}_{self._rng.getrandbits(32):08x}"
        return str(uuid.UUID(int=self._rng.getrandbits(128), version=4))

    def session(self) -> str:
        return self._new("session")

    def run(self, session: Session, number: int) -> str:
        return f"{session.session_id}:train:{number}" if self._dialect == "official" else self._new("model")

    def sampler(self, session: Session, number: int) -> str:
        return f"{session.session_id}:sample:{number}" if self._dialect == "official" else self._new("sampling")


class Teller:
    """Makes sessions, runs, checkpoints and samplers out of a seeded source of chance."""

    def __init__(self, seed: int, now: datetime, dialect: str = "official") -> None:
        self.rng, self.now, self.dialect = random.Random(seed), now, dialect  # noqa: S311 - repeatable on purpose
        self.ids = _Ids(self.rng, dialect)

    def people(self) -> list[Person]:
        """Return the members of the organisation, the caller first."""
        return [self._person(name, login) for name, login in PEOPLE]

    def _person(self, name: str, login: str) -> Person:
        urn = f"tml:organization_user:{uuid.UUID(int=self.rng.getrandbits(128), version=4)}"
        return Person(urn, name, f"{login}@example.org")

    def session(self, number: int, owner: Person, project_id: str, age: timedelta) -> Session:
        """Return a session without runs; its status is set once its runs are known."""
        name, metadata = DISPLAY_NAMES[number % len(DISPLAY_NAMES)], SESSION_METADATA[number % len(SESSION_METADATA)]
        return Session(self.ids.session(), owner, project_id, self.now - age, name or None, metadata and dict(metadata))

    def run(self, session: Session, number: int, plot: Plot) -> Run:
        """Return a run of the session without checkpoints, and add it there."""
        model = MODELS[(number * 5 + len(session.runs)) % len(MODELS)] if plot.is_lora else MODELS[2]
        run = Run(
            self.ids.run(session, len(session.runs)),
            session,
            model.name,
            session.created_at + (self.now - session.created_at) * self.rng.uniform(0.05, 0.3),
            is_lora=plot.is_lora,
            lora_rank=RANKS[number % len(RANKS)] if plot.ranked else None,
            corrupted=plot.corrupted,
            user_metadata={"run": str(number), "recipe": "sft"} if number % 3 else None,
            trains=(number % 4 != 1, True, number % 7 != 3),
        )
        if number % 11 == 5:
            run.optimizer_config = {"type": "dimuon", "version": 1}
        session.runs.append(run)
        return run

    def checkpoints(self, run: Run, plot: Plot, count: int) -> None:
        """Save `count` checkpoints of the run, spread over a training of some hours."""
        kinds = self._kinds(plot)
        if not count or not kinds:
            return
        start, every = run.last_request_time, self.rng.choice((20, 50, 100, 400))
        gap = min(timedelta(hours=self.rng.uniform(2, 14)), (self.now - start) * 0.9) / count
        sequence = [kinds[index % len(kinds)] for index in range(count)]
        left, saved = Counter(sequence), Counter[str]()
        for index, kind in enumerate(sequence):
            left[kind] -= 1
            name = self._name(plot, saved[kind], (saved[kind] + 1) * every, last=not left[kind])
            saved[kind] += 1
            time = start + gap * (index + self.rng.random() * 0.8)
            row = Checkpoint(run, kind, name, time)
            self._fill(row, plot, index, saved[kind] * every, last=not left[kind])
            run.checkpoints[row.key] = row
        run.last_request_time = time + min(timedelta(minutes=9), (self.now - time) * 0.5)
        if self.dialect == "skyrl":
            row.pending = self.rng.random() < 0.3

    def _fill(self, row: Checkpoint, plot: Plot, index: int, step: int, *, last: bool) -> None:
        row.size_bytes = self._size(row) if index % 37 != 5 else None
        row.expires_at = self._expiry(plot, row, last=last)
        row.user_metadata = self._metadata(plot, index, step)
        row.public = plot.public and last

    def _kinds(self, plot: Plot) -> tuple[str, ...]:
        return tuple(kind for kind in plot.kinds if kind != "external" or self.dialect == "official")

    def _name(self, plot: Plot, number: int, step: int, *, last: bool) -> str:
        plain = plot.naming in {"step", "number", "bare"}
        # SkyRL takes letters, digits, hyphens and underscores only.
        return NAMES[plot.naming if plain or self.dialect != "skyrl" else "step"](number, step, last)

    def _size(self, row: Checkpoint) -> int:
        run, model = row.run, MODELS_BY_NAME[row.run.base_model]
        weights = model.bytes_per_rank * (run.lora_rank or 32) if run.is_lora else int(model.billions * 2e9)
        factor = {"training": 1.5, "sampler": 1.0, "external": 1.02}[row.kind]
        return int(weights * factor) + self.rng.randrange(4096)

    def _expiry(self, plot: Plot, row: Checkpoint, *, last: bool) -> datetime | None:
        left = None if last and plot.expiry != "soon" else self.rng.choice(EXPIRIES[plot.expiry])
        return None if left is None else self.now + left + timedelta(microseconds=row.time.microsecond)

    def _metadata(self, plot: Plot, index: int, step: int) -> dict[str, Any] | None:
        if plot.metadata == "loss":
            return {"step": str(step), "loss": f"{0.6 + 2.3 * math.exp(-step / 900) + self.rng.random() * 0.1:.3f}"}
        if plot.metadata == "hostile":
            return {"note": HOSTILE[index % len(HOSTILE)], "step": str(step)}
        if plot.metadata == "unicode":
            return dict(UNICODE_METADATA[index % len(UNICODE_METADATA)])
        return {} if plot.metadata == "empty" else None

    def samplers(self, session: Session) -> None:
        """Give the session samplers of its sampler checkpoints, and one on a plain base model now and then."""
        paths = [(run.base_model, row) for run in session.runs if (row := run.newest("sampler"))]
        sources: list[tuple[str, str | None]] = [(model, row.tinker_path) for model, row in paths]
        if not session.runs or self.rng.random() < 0.4:
            sources.append((self.rng.choice(MODELS).name, None))
        for number, (model, path) in enumerate(sources):
            session.samplers.append(Sampler(self.ids.sampler(session, number), session, model, path))


def _statuses(session: Session, number: int) -> dict[str, Any] | None:
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


def _quotas(rng: random.Random, plots: list[Plot], total: int | None) -> list[int]:
    """Return how many checkpoints each run saves; a total is spread evenly over the runs that save any."""
    if total is None:
        return [rng.randint(*plot.saves) for plot in plots]
    saving = [index for index, plot in enumerate(plots) if plot.kinds]
    share, rest = divmod(total, len(saving)) if saving else (0, 0)
    quotas = [share if plot.kinds else 0 for plot in plots]
    for index in saving[:rest]:
        quotas[index] += 1
    return quotas


def _age(rng: random.Random, number: int) -> timedelta:
    # A tenth of the sessions is of today; the rest reaches back four months.
    return timedelta(hours=rng.uniform(0.3, 8)) if number % 10 == 0 else timedelta(days=rng.uniform(1, 120))


def _tell_sessions(teller: Teller, owners: list[Person], projects: list[str], plots: list[Plot]) -> Iterator[Session]:
    left, number = len(plots), 0
    while left:
        owner, project = owners[number % len(owners)], projects[number % len(projects)]
        session = teller.session(number, owner, project, _age(teller.rng, number))
        for _ in range(min(RUNS_PER_SESSION[number % len(RUNS_PER_SESSION)], left)):
            teller.run(session, len(plots) - left, plots[len(plots) - left])
            left -= 1
        number += 1
        yield session


def _sessions(
    teller: Teller, owners: list[Person], projects: list[str], count: int, total: int | None
) -> list[Session]:
    plots = [replace(PLOTS[number % len(PLOTS)]) for number in range(count)]
    sessions = list(_tell_sessions(teller, owners, projects, plots))
    runs = [run for session in sessions for run in session.runs]
    for run, plot, quota in zip(runs, plots, _quotas(teller.rng, plots, total), strict=True):
        teller.checkpoints(run, plot, quota)
    for number, session in enumerate(sessions):
        teller.samplers(session)
        session.status = _statuses(session, number)
    return sessions


def tell(
    runs: int = 60, seed: int = 1, *, now: datetime, checkpoints: int | None = None, dialect: str = "official"
) -> Account:
    """Return an account in which the caller owns exactly `runs` runs (and `checkpoints` checkpoints, if given)."""
    if dialect not in DIALECTS:
        raise ValueError(f"dialect must be one of {', '.join(DIALECTS)}, not {dialect!r}")
    teller = Teller(seed, now, dialect)
    people = teller.people()
    organization = str(uuid.UUID(int=teller.rng.getrandbits(128), version=4))
    sessions = _sessions(teller, people[:1], PROJECTS, runs, checkpoints)
    # SkyRL knows one owner only.
    colleagues = 0 if dialect == "skyrl" else -(-runs // 5)
    sessions += _sessions(teller, people[1:], [*PROJECTS, PRIVATE_PROJECT], colleagues, None)
    return Account(people[0], people, list(PROJECTS), organization, sessions)
