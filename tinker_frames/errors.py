"""Exceptions: what happened, where, and what to do next.

Every `TinkerError` carries `status`, `url`, `retryable` and `hint`, so that callers branch on fields and not on text.
Messages are shown to people and written to logs: they never hold a key or the query of a signed URL.
"""

from __future__ import annotations

import inspect
import json
import re
from typing import Any

__all__ = [
    "ArgumentTypeError",
    "AuthenticationError",
    "BillingError",
    "ConfirmationNeededError",
    "ConflictError",
    "ConnectionFailedError",
    "IncompleteListingError",
    "IncompleteListingWarning",
    "InvalidRequestError",
    "InvalidTinkerPathError",
    "NotFoundError",
    "NotSupportedError",
    "PermissionDeniedError",
    "RateLimitError",
    "SchemaError",
    "ServerError",
    "TinkerError",
]


def __dir__() -> list[str]:
    """List the exceptions, for completion."""
    return __all__


class TinkerError(Exception):
    """Anything that went wrong with a Tinker account.

    Attributes
    ----------
    status : int or None
        The HTTP status; None if there was no response.
    url : str or None
        The request, without any query that could sign it.
    retryable : bool
        Whether the same call may succeed later.
    hint : str or None
        What to do next.
    retry_after : float or None
        The seconds that the server asks to wait before the request is repeated, if it does.
    """

    retryable = False
    retry_after: float | None = None
    hint: str | None = None

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        url: str | None = None,
        hint: str | None = None,
        retryable: bool | None = None,
    ) -> None:
        self.status = status
        self.url = url
        self.hint = hint if hint is not None else type(self).hint
        self.retryable = type(self).retryable if retryable is None else retryable
        self.what = message
        super().__init__(
            " ".join(part for part in (_end_sentence(message), _format_request(status, url), self.hint) if part)
        )

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by fields, so that an error crosses process boundaries unharmed."""
        return _rebuild, (type(self), str(self), self.what), self.__dict__


class AuthenticationError(TinkerError):
    """The credential is missing, malformed, expired or refused (401)."""

    hint = "Set TINKER_API_KEY to a key from the Tinker console, or pass api_key=; `tinker-frames doctor` shows which one is used."


class PermissionDeniedError(TinkerError):
    """The credential is valid but not permitted to do this (403)."""

    hint = "Ask the owner or an admin of your organization, or use another key; some servers respond with a 403 to an invalid key."


class BillingError(TinkerError):
    """Billing is not set up for this organization (402)."""

    hint = "Set up billing in the Tinker console, then try again."


class NotFoundError(TinkerError):
    """The object does not exist or belongs to another account (404)."""

    hint = "Check the id; the object may be deleted, expired, or owned by another account."


class NotSupportedError(TinkerError):
    """The server does not have this route (404 `Not Found`, or 405).

    Attributes
    ----------
    allowed : str
        The methods that the route has instead, of a 405; empty if the server does not say.
    """

    allowed: str = ""
    hint = "This server does not support the feature; `tinker-frames doctor` lists what it supports."


class ConflictError(TinkerError):
    """The object is already in that state, or busy (409)."""

    hint = "Read the object again; it may already be in the desired state."


class InvalidRequestError(TinkerError):
    """The request is malformed or out of range (400, 422).

    Attributes
    ----------
    cap : int or None
        The largest page size that the server accepts; None if it does not say.
    """

    cap: int | None = None
    hint = "Correct it and try again."


class ArgumentTypeError(InvalidRequestError, TypeError):
    """An argument has the wrong type; nothing was sent."""


class ConfirmationNeededError(InvalidRequestError):
    """The plan requires confirmation of its row count.

    It does for more than ten rows, for making any public, and for ending or shortening the life of a public one.

    Attributes
    ----------
    rows : int
        The number that would be sent, to be confirmed.
    """

    rows: int = 0
    hint = "Review plan.frame, then pass the number of rows to plan.run(confirm=…)."


class RateLimitError(TinkerError):
    """Too many requests, even after waiting (429)."""

    retryable = True
    hint = "Try again later, or lower max_workers."


class ServerError(TinkerError):
    """The server failed, even after retries (5xx)."""

    retryable = True
    hint = "Try again later; if it persists, report it to the operator of the server."


class ConnectionFailedError(TinkerError):
    """No complete response arrived: the connection was refused, reset, cut short, or timed out."""

    retryable = True
    hint = "Check the network and TINKER_BASE_URL; `tinker-frames doctor` measures the connection."


class IncompleteListingError(TinkerError):
    """A listing could not be proved complete, and `require_complete=True` asked for proof."""

    retryable = True
    hint = "Call again with refresh=True when the account is quiet, or accept an incomplete listing with require_complete=False."


class SchemaError(TinkerError):
    """The response lacks required fields, all of which are listed."""

    hint = "The server speaks another version of the protocol: upgrade tinker-frames, or check TINKER_BASE_URL."


class InvalidTinkerPathError(TinkerError, ValueError):
    """A text is not a `tinker://<run>/<segment>/<name>` path, or not a safe one."""

    hint = "Use a tinker_path of tkf.checkpoints(), e.g. tinker://<run>/weights/0001."


class IncompleteListingWarning(UserWarning):
    """A listing could not be proved complete; the frame's `attrs["tinker"]["problems"]` says why."""


class JournalWarning(UserWarning):
    """Some lines of the journal of writes could not be read, and were skipped: of a newer version, or edited."""


_BY_STATUS: dict[int, type[TinkerError]] = {
    400: InvalidRequestError,
    401: AuthenticationError,
    402: BillingError,
    403: PermissionDeniedError,
    404: NotFoundError,
    405: NotSupportedError,
    409: ConflictError,
    422: InvalidRequestError,
    429: RateLimitError,
}


def build_error(status: int, body: Any, url: str, *, what: str, hint: str | None = None) -> TinkerError:
    """Build the exception for an HTTP response; pure.

    `body` is the parsed JSON where there is some, else the text; `what` names the request, e.g. `GET …/sessions`; `hint` replaces
    the one of the error's class. The text is cut last: the query of an address that was cut in two would not be found any more.
    """
    detail = _shorten(scrub(_read_detail(body)))
    kind = _BY_STATUS.get(status)
    if status == 404 and detail == "Not Found":
        kind = NotSupportedError
    if kind is None:
        kind = ServerError if status >= 500 else TinkerError
    if kind is TinkerError:
        hint = "This version does not know the server's response; check TINKER_BASE_URL."
    retryable = status in (408, 409, 425) or None
    message = f"{what} failed: {detail}" if detail else f"{what} failed"
    error = kind(message, status=status, url=strip_query(url), hint=hint, retryable=retryable)
    if isinstance(error, InvalidRequestError):
        error.cap = _read_cap(body)
    return error


def _read_cap(body: Any) -> int | None:
    """Return the bound that a validation list gives for `limit`."""
    entries = body.get("detail") if isinstance(body, dict) else None
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict) and "limit" in _read_location(entry):
            context = entry.get("ctx")
            bound = context.get("le") if isinstance(context, dict) else None
            return bound if isinstance(bound, int) and not isinstance(bound, bool) else None
    return None


def strip_query(url: str) -> str:
    """Return the URL up to its query and fragment: what comes after may sign it."""
    return re.split(r"[?#]", url, maxsplit=1)[0]


def scrub(text: str) -> str:
    """Return text without what may sign an address in it: its query and fragment."""
    return re.sub(r'[^\s"<>]+', _strip_signature, text)


def _strip_signature(word: re.Match[str]) -> str:
    """Return a word without what may sign it, if it is an address; `and/or?` and `#5` are not."""
    address = strip_query(word[0])
    rest = word[0][len(address) :]
    if "://" in address:
        address = re.sub(r"://[^/@]*@", "://", address)
        return f"{address}?[signature]" if rest else address
    return f"{address}?[signature]" if "=" in rest else word[0]


def _read_detail(body: Any) -> str:
    """Return the text of an error from a server's answer: `detail` (text or list), `message`, `error`, then the text itself."""
    for key in ("detail", "message", "error"):
        found = body.get(key) if isinstance(body, dict) else None
        if isinstance(found, dict):
            return _read_detail(found)
        if isinstance(found, list) and found:
            return "; ".join(_format_entry(item) for item in found[:5])
        if found:
            return str(found)
    if isinstance(body, str):
        return body
    return json.dumps(body, ensure_ascii=False) if body else ""


def _format_entry(item: Any) -> str:
    """Render one entry of a validation list as `query.limit: message`."""
    if not isinstance(item, dict):
        return str(item)
    place = ".".join(str(part) for part in _read_location(item))
    return f"{place}: {item.get('msg', '')}" if place else str(item.get("msg", item))


def _read_location(item: dict[str, Any]) -> list[Any]:
    """Return where the fault is, as a validation list says it."""
    place = item.get("loc")
    return place if isinstance(place, list) else [] if place is None else [place]


def _shorten(text: str, most: int = 1000) -> str:
    """Shorten a server's text, on one line and without control characters."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= most else line[: most - 1] + "…"


def _end_sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?", "…")) else text + "."


def _format_request(status: int | None, url: str | None) -> str:
    """Render status and address, as far as they are known."""
    known = ([f"HTTP {status}"] if status is not None else []) + ([url] if url else [])
    return f"({', '.join(known)})" if known else ""


def strip_request(text: str) -> str:
    """Return an error's text without the request that failed, for places that name the request and row already."""
    return re.sub(r"^[A-Z]+ \S+ failed: |(?<=\(HTTP \d{3}), https?://[^\s)]+(?=\))", "", text)


def find_caller() -> int:
    """Return the stack level of the first frame outside this package, as `stacklevel` of warnings."""
    package = __name__.partition(".")[0]
    frame, level = inspect.currentframe(), 0
    while frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] == package:
        frame, level = frame.f_back, level + 1
    return level


def _rebuild(kind: type[TinkerError], text: str, what: str) -> TinkerError:
    """Make an error with exactly this text; its fields follow as state."""
    error = kind(what)
    error.args = (text,)
    return error
