"""Responses of the server, and what is read from them: JSON objects, and the URL of a checkpoint's archive."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import SplitResult, urljoin, urlsplit

from .. import errors
from ..schema.coerce import parse_json
from .retry import parse_http_date


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


def read_archive(response: Response, base_url: str) -> dict[str, Any]:
    """Return where an archive is, from the Location of a redirect or the url of a JSON response.

    Raises
    ------
    NotSupportedError
        If it is neither at an https address nor on the server itself.
    """
    if 300 <= response.status < 400:
        url, date = response.headers.get("Location", ""), parse_http_date(response.headers.get("Expires"))
        expires = format_utc(date) if date else ""
    else:
        body = parse_object(response)
        url, expires = str(body.get("url") or ""), str(body.get("expires") or "")
    base, target = urlsplit(base_url), _resolve_url(url, response.url)
    if target.scheme != "https" and (target.scheme, target.netloc) != (base.scheme, base.netloc):
        raise errors.NotSupportedError(
            f"the server says that the archive is at a {target.scheme or 'missing'} URL, which cannot be trusted",
            status=response.status,
            url=errors.strip_query(response.url),
            hint="Copy it on the server itself, or ask its operator for an https address.",
        )
    return {"url": target.geturl(), "status": response.status, "expires": expires or _default_archive_expiry()}


def format_utc(date: datetime) -> str:
    """Return a time of a server in ISO 8601, in UTC; one without a time zone is taken as UTC."""
    return (date if date.tzinfo else date.replace(tzinfo=UTC)).astimezone(UTC).isoformat().replace("+00:00", "Z")


def _resolve_url(url: str, where: str) -> SplitResult:
    """Return the parts of a URL that a server gave, relative to the request's; empty ones if it is not a URL."""
    try:
        return urlsplit(urljoin(where, url) if url else "")
    except ValueError:
        return urlsplit("")


def _default_archive_expiry() -> str:
    return format_utc(datetime.now(UTC) + timedelta(minutes=15))
