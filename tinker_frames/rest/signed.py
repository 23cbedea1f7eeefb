"""Signed URLs, which anybody can read until they expire: of a checkpoint's archive, and of an answer that lies in a storage.

They are returned or read, and never cached, logged or put into an error. Only https ones and those of the server itself are trusted.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import SplitResult, urljoin, urlsplit

from .. import errors
from .progress import Progress
from .responses import Response, format_utc, parse_object
from .retry import parse_http_date
from .transport import Transport

REFUSALS = (401, 403, 410)  # of a signed URL


def read_archive(transport: Transport, path: str, attempts: int, delay_s: float, progress: Progress) -> dict[str, Any]:
    """Return where an archive is, asked for again while it is being built (503, 425, or 409)."""
    for left in range(max(attempts, 1) - 1, -1, -1):
        try:
            response = transport.call("GET", path, repeat=False, redirects=True, progress=progress)
        except errors.TinkerError as error:
            if error.status not in (409, 425, 503) or not left:
                raise
            progress.report_wait(delay_s, f"the archive is being built; asking {left} more time(s)")
        else:
            return _find_archive(response, transport.settings.base_url)
        if progress.stop.wait(delay_s):
            break
    raise errors.ConflictError("stopped waiting for the archive", url=transport.settings.base_url + path)


def read_redirected(transport: Transport, path: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the object that a GET answers, or that lies at the signed URL which it redirects to.

    A refusal by the storage says nothing of the account: the URL has expired. It is asked for once more, and is a `ServerError` then.
    """
    for _ in range(2):
        response = transport.call("GET", path, params=params, redirects=True)
        if not 300 <= response.status < 400:
            return parse_object(response)
        url = _check_url(response, response.headers.get("Location", ""), transport.settings.base_url, "the answer")
        try:
            return parse_object(transport.read_signed(url, f"the redirect of GET {path}"))
        except errors.TinkerError as error:
            if error.status not in REFUSALS:
                raise
            status, where = error.status, error.url
    raise errors.ServerError(f"the storage refused the signed URL of GET {path}, twice", status=status, url=where)


def _find_archive(response: Response, base_url: str) -> dict[str, Any]:
    """Return where an archive is, from the Location of a redirect or the url of a JSON response."""
    if 300 <= response.status < 400:
        url, date = response.headers.get("Location", ""), parse_http_date(response.headers.get("Expires"))
        expires = format_utc(date) if date else ""
    else:
        body = parse_object(response)
        url, expires = str(body.get("url") or ""), str(body.get("expires") or "")
    found = _check_url(response, url, base_url, "the archive")
    return {"url": found, "status": response.status, "expires": expires or _default_expiry()}


def _check_url(response: Response, url: str, base_url: str, what: str) -> str:
    """Return a URL that a server gave, whole; raise `NotSupportedError` for one that is neither https nor on the server itself.

    One with a user name or a password is refused too: these would be in errors, as part of the host.
    """
    base, target = urlsplit(base_url), _resolve_url(url, response.url)
    is_trusted = target.scheme == "https" or (target.scheme, target.netloc) == (base.scheme, base.netloc)
    if not is_trusted or "@" in target.netloc:
        kind = f"{target.scheme or 'missing'} URL" + (" with a user name" if "@" in target.netloc else "")
        raise errors.NotSupportedError(
            f"the server says that {what} is at a {kind}, which cannot be trusted",
            status=response.status,
            url=errors.strip_query(response.url),
            hint="Copy it on the server itself, or ask its operator for an https address.",
        )
    return target.geturl()


def _resolve_url(url: str, where: str) -> SplitResult:
    """Return the parts of a URL that a server gave, relative to the request's; empty ones if it is not a URL."""
    try:
        return urlsplit(urljoin(where, url) if url else "")
    except ValueError:
        return urlsplit("")


def _default_expiry() -> str:
    return format_utc(datetime.now(UTC) + timedelta(minutes=15))
