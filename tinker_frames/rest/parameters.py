"""The parameters of endpoints, checked and in the form in which they are sent; pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any, Literal, Protocol, get_args

from .. import errors
from ..schema.paths import parse_known
from .responses import format_utc

AccessScope = Literal["owned", "accessible"]
EventType = Literal["all", "checkpoints", "projects", "teams", "organizations"]
Json = dict[str, Any]


class Write(Protocol):
    """Sends one write until its outcome is known; raises if it was not carried out."""

    def __call__(self, action: str, training_run_id: str, checkpoint_id: str, ttl_seconds: int | None = None) -> None:
        """Send it."""


def drop_none(params: Mapping[str, Any]) -> Json:
    """Return the parameters that are given."""
    return {name: value for name, value in params.items() if value is not None}


def check_scope(access_scope: str | None) -> str | None:
    """Return a valid scope; an unknown one raises."""
    if access_scope not in (None, "owned", "accessible"):
        raise errors.InvalidRequestError(
            f"access_scope={access_scope!r} is unknown", hint='Use "owned" or "accessible".'
        )
    return access_scope


def format_bound(name: str, when: datetime | str) -> str:
    """Return a time as text in UTC; refuse one without a time zone, which could be local or UTC."""
    if isinstance(when, str):
        return when
    if when.tzinfo is None:
        raise errors.InvalidRequestError(
            f"{name}={when.isoformat()} has no time zone",
            hint="Pass e.g. datetime.now(UTC) or pd.Timestamp.now(tz='UTC').",
        )
    return format_utc(when)


def check_event_type(event_type: str) -> str:
    """Return a valid kind of audit events; an unknown one raises."""
    if event_type not in get_args(EventType):
        kinds = ", ".join(map(repr, get_args(EventType)))
        raise errors.InvalidRequestError(f"event_type={event_type!r} is unknown", hint=f"Use one of {kinds}.")
    return event_type


def format_day(day: date | str | None) -> str | None:
    """Return a UTC day as text: of a date, of a time with a zone, or of text in ISO 8601; None stays None."""
    if day is None:
        return None
    if isinstance(day, datetime):
        format_bound("day", day)
        return day.astimezone(UTC).date().isoformat()
    try:
        return (date.fromisoformat(day) if isinstance(day, str) else day).isoformat()
    except ValueError:
        pass
    raise errors.InvalidRequestError(f"day={day!r} is not a day", hint="Use a date, or text such as 2026-11-20.")


def check_page(params: Mapping[str, Any]) -> Json:
    """Return the parameters of a page, its numbers as Python's own; refuse a negative one, and a project without a name."""
    checked = dict(params)
    if checked.get("project_id") == "":
        raise errors.InvalidRequestError("project_id is empty", hint="Use None for all projects.")
    for name in ("limit", "offset"):
        if name in checked:
            checked[name] = int(checked[name])
            if checked[name] < 0:
                raise errors.InvalidRequestError(f"{name}={checked[name]} is below 0", hint=f"Pass {name}=0 or more.")
    return checked


def parse_ids(path_or_run: str, checkpoint_id: str | None = None) -> tuple[str, str]:
    """Return run and checkpoint id of what a write names: by tinker path, or by run and checkpoint id."""
    if checkpoint_id is not None:
        return path_or_run, checkpoint_id
    parts = parse_known(path_or_run)
    return parts.training_run_id, parts.checkpoint_id
