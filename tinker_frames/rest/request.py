"""One logical request, the same on every attempt: what is sent, and which answers are a success or are asked for again; pure."""

from __future__ import annotations

import json
import operator
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from .. import errors
from .responses import Response
from .retry import RetryBudget, is_complete_json
from .secret import Secret


@dataclass(frozen=True)
class Request:
    """One logical request.

    `signature` is the query of a signed URL, which is not in `url`; such a request carries no credential.
    """

    method: str
    url: str
    params: Mapping[str, Any] | None = None
    body: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)
    cached: bool = False
    refresh: bool = False
    redirects: bool = False
    wants_json: bool = True
    yields_token: bool = False
    signature: Secret | None = None
    name: str = ""

    @property
    def what(self) -> str:
        """The method and path, or the name, as errors have it."""
        return self.name or f"{self.method} {urlsplit(self.url).path}"


def split_signature(url: str) -> tuple[str, Secret]:
    """Return a signed URL without its query, and the query; what cannot be sent as it is raises `NotSupportedError`."""
    parts = urlsplit(url)
    query = Secret(parts.query)
    address = parts._replace(query="", fragment="").geturl()
    if " " in parts.query or not query.fits_header:
        raise errors.NotSupportedError("the server answered with a signed URL that is not valid", url=address)
    return address, query


def encode_body(body: Any) -> bytes | None:
    """Return a body as JSON, also with numpy's whole numbers; what is none is refused before anything is sent."""
    try:
        return None if body is None else json.dumps(body, allow_nan=False, default=operator.index).encode()
    except (TypeError, ValueError, RecursionError) as error:
        problem = str(error)
    raise errors.InvalidRequestError(f"an argument cannot be sent as JSON: {problem}")


def wait_after(outcome: Response | errors.TinkerError, tries: RetryBudget) -> float | None:
    """Return the seconds to wait before a repeat, None for no repeat; a 2xx that is not good was cut short on its way."""
    if isinstance(outcome, errors.TinkerError):
        return tries.wait_after_loss() if outcome.retryable else None
    if 200 <= outcome.status < 300:
        return tries.wait_after_loss()
    return tries.wait_after(outcome.status, outcome.headers)


def is_expected(response: Response, request: Request) -> bool:
    """Tell whether the answer is a success; the body of a read must be complete JSON, and not a part (206) of what was asked for."""
    if 300 <= response.status < 400:
        return request.redirects
    if not 200 <= response.status < 300:
        return False
    return not request.wants_json or (response.status != 206 and is_complete_json(response.content))


def is_invalid_token(response: Response) -> bool:
    """Tell whether a token was refused that another one may replace."""
    return response.status == 401 and 'error="invalid_token"' in response.headers.get("WWW-Authenticate", "")
