"""One row of a plan on its way: what is to be done, and how it ended; data."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from .actions import State, Wish


@dataclass
class Job:
    """One row to be written."""

    tinker_path: str
    before: State
    wish: Wish
    key: str = ""  # of idempotency, the same on every attempt
    attempts: int = 0
    not_before: float = 0.0
    sent_at: datetime | None = None
    conflicts: int = 0
    doubtful: bool = False  # an earlier attempt, perhaps of an interrupted plan, may have been carried out
    seconds: float = 0.0


@dataclass
class Outcome:
    """How one row ended."""

    tinker_path: str
    outcome: str  # done, unchanged, skipped, failed, unknown
    status: int | None = None
    error: str | None = None
    attempts: int = 0
    seconds: float = 0.0

    @property
    def is_well(self) -> bool:
        """Whether the server was up to it, whatever it said."""
        return self.outcome in ("done", "skipped", "unchanged") or (self.status is not None and self.status < 500)
