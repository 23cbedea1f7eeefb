"""Responses of the server: their status, headers and body, the JSON object in one, and times as it writes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from .. import errors
from ..schema.coerce import parse_json


@dataclass(frozen=True)
class Response:
    """An HTTP response: status, headers, body, and when it was read (Unix seconds)."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    content: bytes = field(repr=False)
    url: str
    fetched_at: float
    from_cache: bool = False

    def json(self) -> Any:
        """Return the parsed body; an empty one is None."""
        return parse_json(self.content) if self.content.strip() else None


def parse_object(response: Response) -> dict[str, Any]:
    """Return the object in a response."""
    try:
        body = response.json()
    except (ValueError, RecursionError):
        body = None
    if isinstance(body, dict):
        return body
    raise errors.SchemaError(
        "the answer is not a JSON object", status=response.status, url=errors.strip_query(response.url)
    )


def format_utc(date: datetime) -> str:
    """Return a time of a server in ISO 8601, in UTC; one without a time zone is taken as UTC."""
    return (date if date.tzinfo else date.replace(tzinfo=UTC)).astimezone(UTC).isoformat().replace("+00:00", "Z")
