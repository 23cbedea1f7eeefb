"""One checkpoint of a plan: its state, the expiry that is requested, the job of changing it, and its outcome; pure.

All times are by the server's clock, as the expiries in its lists are: ours may differ, and be set while a plan waits.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ..errors import TinkerError
from ..schema.paths import bare_name, checkpoint_url, parse, parse_known

# Tolerated difference between the requested and the resulting expiry: the service uses its own clock.
TOLERANCE = timedelta(minutes=5)
# Subtracted from an expiry that must not be later than a given time, since the request takes time to arrive.
MARGIN = timedelta(seconds=10)


@dataclass(frozen=True)
class State:
    """What a listing says of a checkpoint that exists."""

    public: bool | None
    expires_at: datetime | None
    time: datetime | None = None  # when it was saved: with the size, it tells this checkpoint from a later one
    size_bytes: int | None = None
    expiry_unknown: bool | None = False  # whether it has an expiry that cannot be read, None if even that is not known

    @property
    def is_expiry_known(self) -> bool:
        """Whether `expires_at` says when it expires, None being never."""
        return self.expires_at is not None or self.expiry_unknown is False

    def is_same_object(self, other: State) -> bool | None:
        """Tell whether both are of one checkpoint, and not of two that were saved under one name; sizes may be filled in later.

        None where only one of the times is known, and so nothing tells.
        """
        sizes = {self.size_bytes, other.size_bytes} - {None}
        if len(sizes) == 2 or None not in (self.time, other.time):
            return self.time == other.time and len(sizes) < 2
        return True if self.time == other.time else None


@dataclass(frozen=True)
class RequestedExpiry:
    """The requested expiry: a TTL counted from the request, or a time; neither means never.

    With both, as `extend` has them, the time counts, and the TTL is what was added to the earlier expiry.
    """

    ttl_seconds: int | None = None
    until: datetime | None = None

    def resolve(self, now: datetime) -> datetime | None:
        """Return the expiry that a request sent now leads to."""
        if self.until is not None:
            return self.until
        return None if self.ttl_seconds is None else now + timedelta(seconds=self.ttl_seconds)

    def seconds(self, now: datetime) -> int | None:
        """Return the TTL to send now; one for a fixed time ends a little before it, never after."""
        return int((self.until - MARGIN - now).total_seconds()) if self.until is not None else self.ttl_seconds


@dataclass
class Job:
    """One checkpoint to be written."""

    tinker_path: str
    before: State
    expiry: RequestedExpiry
    key: str = field(default_factory=lambda: str(uuid.uuid4()))  # idempotency key, the same on every attempt
    checkpoint: tuple[str, str] | None = None  # run and checkpoint id, if they differ from those of the path
    is_listed: bool = True  # whether its run's list had it before
    attempts: int = 0
    not_before: float = 0.0
    first_sent_at: datetime | None = None
    sent_at: datetime | None = None  # last
    answered_at: datetime | None = None  # or found out by reading
    conflicts: int = 0
    unclear: bool = False  # an earlier attempt, perhaps of an interrupted plan, may have been carried out
    was_limited: bool = False  # an earlier attempt was answered with a rate limit, which should mean that it was not
    was_missing: bool = False  # an attempt was answered with: there is no such checkpoint
    seconds: float = 0.0

    @property
    def training_run_id(self) -> str:
        """The run that it belongs to."""
        return self.checkpoint[0] if self.checkpoint is not None else parse(self.tinker_path).training_run_id

    @property
    def is_in_doubt(self) -> bool:
        """Whether an earlier attempt may have been carried out, whatever its answer."""
        return self.unclear or self.was_limited

    @property
    def run_and_name(self) -> tuple[str, str]:
        """Its run and its name without the type, by which some servers find a checkpoint."""
        return self.training_run_id, bare_name(self.tinker_path)

    def url(self, suffix: str) -> str:
        """Return the URL path of a write to it."""
        if self.checkpoint is not None:
            return checkpoint_url(*self.checkpoint, suffix)
        path = parse_known(self.tinker_path)
        return checkpoint_url(path.training_run_id, path.checkpoint_id, suffix)


@dataclass
class Outcome:
    """How the write of one checkpoint ended."""

    tinker_path: str
    outcome: str  # done, unchanged, skipped, failed, unknown
    status: int | None = None
    error: str | None = None
    attempts: int = 0
    seconds: float = 0.0
    problem: TinkerError | None = field(default=None, repr=False, compare=False)  # the error behind `error`
    is_read: bool = field(default=False, repr=False, compare=False)  # it was read from the server, not only reported

    @property
    def server_coped(self) -> bool:
        """Whether the server coped with the request, whatever it answered."""
        return self.outcome in ("done", "skipped", "unchanged") or (self.status is not None and self.status < 500)


class Outcomes(list[Outcome]):
    """The outcomes of a run of a plan, and the changes of other checkpoints of the same training runs since."""

    other_changes: Mapping[str, str] = {}  # tinker path, to what changed
