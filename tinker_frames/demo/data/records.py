"""The records of an account: people, sessions, training runs, checkpoints and samplers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import datetime

KINDS = {"weights": "training", "sampler_weights": "sampler", "external_weights": "external"}
SEGMENTS = {kind: segment for segment, kind in KINDS.items()}


@dataclass(frozen=True, slots=True)
class Person:
    """A member of the organisation."""

    urn: str
    name: str
    email: str


@dataclass(slots=True, eq=False)
class Checkpoint:
    """A checkpoint; `encoded` caches its JSON together with the `version` that it was encoded from."""

    run: Run = field(repr=False)
    kind: str
    name: str
    time: datetime
    size_bytes: int | None = None
    public: bool = False
    expires_at: datetime | None = None
    removed_at: datetime | None = None
    user_metadata: dict[str, Any] | None = None
    pending: bool = False
    serial: int = 0
    version: int = 0
    encoded: tuple[int, bytes] = field(default=(-1, b""), repr=False)

    @property
    def key(self) -> str:
        """The checkpoint id with its segment, such as `weights/0001`; unique within the run."""
        return f"{SEGMENTS[self.kind]}/{self.name}"

    @property
    def tinker_path(self) -> str:
        """The tinker path; unique within the account."""
        return f"{self.run.scheme}{self.run.training_run_id}/{self.key}"

    @property
    def sort_key(self) -> tuple[datetime, int]:
        """The sort key of lists of checkpoints, oldest first."""
        return self.time, self.serial


@dataclass(slots=True, eq=False)
class Run:
    """A training run; `checkpoints` is sorted oldest first, `trains` is whether it trains unembed, MLP and attention.

    `removed` are the checkpoints that it had until they expired or were deleted: what was billed for them stays billed.
    """

    training_run_id: str
    session: Session = field(repr=False)
    base_model: str
    last_request_time: datetime
    is_lora: bool = True
    lora_rank: int | None = 32
    corrupted: bool = False
    user_metadata: dict[str, Any] | None = None
    trains: tuple[bool, bool, bool] = (True, True, True)
    optimizer_config: dict[str, Any] = field(default_factory=lambda: {"type": "adamw"})
    checkpoints: dict[str, Checkpoint] = field(default_factory=dict, repr=False)
    removed: list[Checkpoint] = field(default_factory=list, repr=False)
    scheme: str = "tinker://"
    started_at: datetime = field(init=False)

    def __post_init__(self) -> None:
        self.started_at = self.last_request_time

    @property
    def saved(self) -> list[Checkpoint]:
        """Every checkpoint that the run has saved, also those that are gone."""
        return [*self.checkpoints.values(), *self.removed]

    def newest_checkpoint(self, kind: str) -> Checkpoint | None:
        """Return the newest completed checkpoint of a type, or None."""
        rows = reversed(self.checkpoints.values())
        return next((row for row in rows if row.kind == kind and not row.pending), None)


@dataclass(slots=True, eq=False)
class Sampler:
    """A sampling session; without a `model_path` it samples from the base model."""

    sampler_id: str
    session: Session = field(repr=False)
    base_model: str
    model_path: str | None = None


@dataclass(slots=True, eq=False)
class Session:
    """A session with its runs and samplers, and the number and total bytes of their checkpoints."""

    session_id: str
    owner: Person
    project_id: str
    created_at: datetime
    display_name: str | None = None
    user_metadata: dict[str, Any] | None = None
    status: dict[str, Any] | None = None
    runs: list[Run] = field(default_factory=list, repr=False)
    samplers: list[Sampler] = field(default_factory=list, repr=False)
    checkpoints_count: int = 0
    checkpoint_storage_bytes: int = 0

    @property
    def sort_key(self) -> tuple[datetime, str]:
        """The sort key of lists of sessions, oldest first."""
        return self.created_at, self.session_id


@dataclass(slots=True)
class Account:
    """The data behind one API key: the caller, the projects that the caller can list, and all sessions."""

    me: Person
    people: list[Person]
    projects: list[str]
    organization: str
    sessions: list[Session]
