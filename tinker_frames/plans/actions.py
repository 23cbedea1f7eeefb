"""What can be done to a checkpoint: for each action its request, and how to tell that it took; data and pure functions.

To add an action, add an entry to `ACTIONS`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from ..schema.paths import checkpoint_url, parse_known

# How far an expiry may be from the one that was asked for: the service counts from its own now.
TOLERANCE = timedelta(minutes=5)
# So much less than asked is sent where an expiry has to be no later than a given time: the request takes time to arrive.
MARGIN = timedelta(seconds=10)


class State(NamedTuple):
    """What a listing says of a checkpoint that is there."""

    public: bool | None
    expires_at: datetime | None


class Wish(NamedTuple):
    """When a checkpoint shall expire: so long after the request, or at a time; neither means never."""

    ttl_seconds: int | None = None
    until: datetime | None = None

    def expiry(self, now: datetime) -> datetime | None:
        """Return the expiry that a request sent now leads to."""
        if self.until is not None:
            return self.until
        return None if self.ttl_seconds is None else now + timedelta(seconds=self.ttl_seconds)

    def seconds(self, now: datetime) -> int | None:
        """Return the TTL to send now; one that has to end by a time ends a little before it, never after."""
        return int((self.until - MARGIN - now).total_seconds()) if self.until is not None else self.ttl_seconds


@dataclass(frozen=True)
class Action:
    """One kind of write."""

    name: str
    verb: str  # as in "this would … 12 checkpoints"
    method: str
    suffix: str
    took: Callable[[State | None, Wish, datetime], bool]  # whether the state is what a request sent then leads to
    undo: str  # the action that takes it back; empty if there is none

    @property
    def changes_expiry(self) -> bool:
        """Whether it sets or removes an expiry."""
        return self.suffix == "ttl"

    def url(self, tinker_path: str) -> str:
        """Return the path of its request."""
        path = parse_known(tinker_path)
        return checkpoint_url(path.training_run_id, path.checkpoint_id, self.suffix)

    def body(self, wish: Wish) -> dict[str, Any] | None:
        """Return the body of its request."""
        return {"ttl_seconds": wish.seconds(datetime.now(UTC))} if self.changes_expiry else None

    def is_already(self, state: State, wish: Wish, now: datetime) -> bool:
        """Tell whether there is nothing to do. An expiry is only ever brought forward by `expire`, never put off."""
        if self.name == "delete":
            return False
        if not self.changes_expiry:
            return self.took(state, wish, now)
        wanted = wish.expiry(now)
        if self.name == "expire":
            return state.expires_at is not None and wanted is not None and state.expires_at <= wanted
        if wanted is None or state.expires_at is None:
            return wanted is None and state.expires_at is None
        return wish.until is not None and timedelta(0) <= wanted - state.expires_at <= 2 * MARGIN

    def shortens(self, state: State, wish: Wish, now: datetime) -> bool:
        """Tell whether it ends the checkpoint's life, or ends it earlier than it would."""
        if self.name == "delete":
            return True
        wanted = wish.expiry(now) if self.changes_expiry else None
        return wanted is not None and (state.expires_at is None or wanted < state.expires_at)


def _public(state: State | None, *_: Any) -> bool:
    return state is not None and state.public is True


def _private(state: State | None, *_: Any) -> bool:
    return state is not None and state.public is False


def _gone(state: State | None, *_: Any) -> bool:
    return state is None


def _expires(state: State | None, wish: Wish, sent: datetime) -> bool:
    """Tell whether the expiry is the one that a request sent then asked for, give or take a few minutes."""
    if state is None:
        return False
    wanted = wish.expiry(sent)
    if wanted is None or state.expires_at is None:
        return wanted is None and state.expires_at is None
    return abs(state.expires_at - wanted) <= TOLERANCE


ACTIONS = {
    action.name: action
    for action in (
        Action("publish", "publish", "POST", "publish", _public, "unpublish"),
        Action("unpublish", "unpublish", "DELETE", "publish", _private, "publish"),
        Action("set_ttl", "set the expiry of", "PUT", "ttl", _expires, "restore"),
        Action("expire", "let expire", "PUT", "ttl", _expires, "restore"),
        Action("restore", "give back the expiry of", "PUT", "ttl", _expires, "restore"),
        Action("delete", "delete", "DELETE", "", _gone, ""),
    )
}
