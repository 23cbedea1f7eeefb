"""Changes of checkpoints between two reads: of a planned row, and of the other rows of its run. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from .jobs import State

if TYPE_CHECKING:
    import pandas as pd

    from .actions import Action

States = Mapping[str, State]
MOST_EFFECTS = 4  # distinct ones that are named


def describe_change(before: State, now: State | None) -> str:
    """Describe how a checkpoint differs from its earlier state; empty if it does not."""
    if now is None:
        return "it is gone"
    if not before.is_same_object(now):
        return _describe_identity(before, now)
    if before.public != now.public:
        names = {True: "public", False: "private", None: "of unknown access"}
        return f"it has become {names[now.public]} since"
    if before.is_expiry_known != now.is_expiry_known:
        return f"its expiry {'can no longer be read' if before.is_expiry_known else 'was not known, and now is'}"
    if before.expires_at != now.expires_at:
        return f"its expiry has changed since, to {now.expires_at or 'never'}"
    return ""


def describe_effects(frame: pd.DataFrame, action: Action, *, is_undone: bool = False) -> list[str]:
    """Return for each row of a plan's frame what it is before and after, as in `no expiry → expires 2026-11-28 12:00`.

    With `is_undone`, it is what an undo leads back to.
    """
    if action.removes:
        return ["deleted"] * len(frame)
    before, after = _list_expiries(frame) if action.sets_expiry else _list_access(frame)
    pairs = zip(after, before, strict=True) if is_undone else zip(before, after, strict=True)
    return [f"{one} → {other}" for one, other in pairs]


def count_effects(effects: list[str]) -> list[str]:
    """Return the most frequent changes, each with its number of checkpoints, and the number of the others."""
    counts = Counter(effects).most_common()
    others = sum(rows for _, rows in counts[MOST_EFFECTS:])
    named = [f"{rows:,}: {effect}" for effect, rows in counts[:MOST_EFFECTS]]
    return [*named, f"{others:,}: other changes"] if others else named


def _list_expiries(frame: pd.DataFrame) -> tuple[list[str], list[str]]:
    """Return the expiry of each row before and after the plan."""
    is_unknown = frame["expires_at"].isna() & frame["expiry_unknown"].fillna(True).astype(bool)
    before = [
        "expiry not known" if unknown else _format_expiry(value)
        for value, unknown in zip(frame["expires_at"], is_unknown, strict=True)
    ]
    return before, [_format_expiry(value) for value in frame["expires_after"]]


def _list_access(frame: pd.DataFrame) -> tuple[list[str], list[str]]:
    """Return whether each row is public before and after the plan."""
    return [_format_access(value) for value in frame["public"]], [
        _format_access(value) for value in frame["public_after"]
    ]


def _format_expiry(value: Any) -> str:
    return "no expiry" if value != value or value is None else f"expires {value:%Y-%m-%d %H:%M} UTC"  # noqa: PLR0124  # NaT


def _format_access(value: Any) -> str:
    return {True: "public", False: "private"}.get(value, "unknown access") if value == value else "unknown access"  # noqa: PLR0124


def _describe_identity(before: State, now: State) -> str:
    """Describe that another checkpoint has the name of one, or may have."""
    if before.is_same_object(now) is False:
        return f"another checkpoint has been saved under its name since, at {now.time or 'an unknown time'}"
    why = "its time can no longer be read" if now.time is None else "its time was not known before"
    return f"whether it is the same checkpoint is not known: {why}"


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
