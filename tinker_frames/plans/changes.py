"""Changes of checkpoints between two reads: of a planned row, and of the other rows of its run. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from .jobs import State

States = Mapping[str, State]


def describe_change(before: State, now: State | None) -> str:
    """Describe how a checkpoint differs from its earlier state; empty if it does not."""
    if now is None:
        return "it is gone"
    if not before.is_same_object(now):
        return f"another checkpoint has been saved under its name since, at {now.time or 'an unknown time'}"
    if before.public != now.public:
        names = {True: "public", False: "private", None: "of unknown access"}
        return f"it has become {names[now.public]} since"
    if before.is_expiry_known != now.is_expiry_known:
        return f"its expiry {'can no longer be read' if before.is_expiry_known else 'was not known, and now is'}"
    if before.expires_at != now.expires_at:
        return f"its expiry has changed since, to {now.expires_at or 'never'}"
    return ""


def find_other_changes(before: States, after: States, own: Collection[str], now: datetime) -> dict[str, str]:
    """Return the change of each checkpoint that is not one's own: gone, published, another expiry or another object.

    New and expired checkpoints are left out.
    """
    found = {}
    for path, state in before.items():
        has_expired = path not in after and state.expires_at is not None and state.expires_at <= now
        if path not in own and not has_expired and (change := describe_change(state, after.get(path))):
            found[path] = change
    return found


def format_other_changes(changes: Mapping[str, str]) -> str:
    """Return one sentence on what else changed, with an example."""
    path, change = next(iter(changes.items()))
    return (
        f"{len(changes):,} other checkpoints of these runs changed meanwhile, not by this plan; e.g. {path}: {change}"
    )
