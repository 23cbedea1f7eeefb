"""The parameters of endpoints, checked and in the form in which they are sent; pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from .. import errors
from .responses import format_utc

AccessScope = Literal["owned", "accessible"]
Json = dict[str, Any]


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


def check_page(params: Mapping[str, Any]) -> Json:
    """Return the parameters of a page, its numbers as Python's own; refuse a negative one."""
    checked = dict(params)
    for name in ("limit", "offset"):
        if name in checked:
            checked[name] = int(checked[name])
            if checked[name] < 0:
                raise errors.InvalidRequestError(f"{name}={checked[name]} is below 0", hint=f"Pass {name}=0 or more.")
    return checked
