"""What all routes share: the accounts behind the keys, the switches of the service, paging, and replies."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from fastapi import Depends, Query, Request, Response
from fastapi.exceptions import RequestValidationError

from ..data.state import RefusedError, State
from ..traffic.middleware import limit_error
from .tokens import Tokens
from .wire import encode

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .switches import Switches

CAPS = {"list_sessions": 500, "list_training_runs": 500, "list_user_checkpoints": 1000, "list_checkpoints": 1000}


@dataclass
class Service:
    """One server's accounts by key, its switches, and what it has promised so far."""

    states: dict[str, State]
    switches: Switches
    tokens: Tokens = field(default_factory=Tokens)
    dialect: str = "official"
    asked: Counter[str] = field(default_factory=Counter)
    copies: dict[str, str] = field(default_factory=dict)

    def state_of(self, credential: str | None) -> State:
        """Return the account of a key or a JWT; without a valid one, the first account."""
        key = self.key_of(credential or "")
        return self.states[key] if key in self.states else next(iter(self.states.values()))

    def key_of(self, credential: str) -> str | None:
        """Return the key that a credential stands for, if it is valid."""
        if credential in self.states:
            return credential
        claims = self.tokens.claims(credential) if credential.count(".") == 2 else None
        if claims is None:
            return None
        return next((key for key, state in self.states.items() if state.me.urn == claims["sub"]), None)

    def cap(self, endpoint: str) -> int:
        """Return the largest `limit` that an endpoint takes."""
        return (CAPS | self.switches.caps)[endpoint]


SERVICE = "tinker_frames.service"  # where a request has it: one app stands for all services of a dialect


class Page(NamedTuple):
    """The slice of a list that was asked for."""

    limit: int
    offset: int

    def of(self, rows: list[Any]) -> list[Any]:
        """Return this slice of the rows."""
        return rows[self.offset : self.offset + self.limit]


def service_of(request: Request) -> Service:
    """Return the service that the app stands for."""
    service: Service = request.scope[SERVICE]
    return service


def official_caller(request: Request) -> State:
    """Return the caller's account; 401 if the credential is missing or bad."""
    service, credential = service_of(request), request.headers.get("x-api-key", "")
    key = service.key_of(credential)
    if key is None and credential.count(".") == 2:
        words = 'Bearer error="invalid_token", error_description="The token is expired or revoked"'
        raise RefusedError(401, "Invalid or expired token.", {"WWW-Authenticate": words})
    if key is None:
        raise RefusedError(401, "Invalid API key." if credential else "Missing API key.")
    open_to_keys = request.url.path.startswith(("/api/v1/client/", "/api/v1/auth/"))
    if service.switches.require_jwt and key == credential and not open_to_keys:
        raise RefusedError(401, "API keys are not accepted here; exchange it for a token.")
    return service.states[key]


def tuft_caller(request: Request) -> State:
    """Return the caller's account as TuFT does: 401 without a key, 403 with a wrong one."""
    key, states = request.headers.get("x-api-key"), service_of(request).states
    if not key:
        raise RefusedError(401, "Missing API key")
    if key not in states:
        raise RefusedError(403, "Invalid API key")
    return states[key]


def any_caller(request: Request) -> State:
    """Return the account as SkyRL does: whoever asks; a key only picks among several accounts."""
    return service_of(request).state_of(request.headers.get("x-api-key"))


def paged(endpoint: str, default: int) -> Callable[..., Awaitable[Page]]:
    """Return a dependency that reads `limit` and `offset`, with this default and the endpoint's cap."""

    async def page(
        request: Request,
        limit: Annotated[int, Query(ge=1)] = default,
        offset: Annotated[int, Query(ge=0)] = 0,
    ) -> Page:
        cap = service_of(request).cap(endpoint)
        if limit > cap:
            raise RequestValidationError([limit_error(cap, request.query_params["limit"], "query")])
        return Page(limit, offset)

    return page


def reply(content: object, status: int = 200, **headers: str) -> Response:
    """Return JSON: bytes as they are, anything else encoded."""
    body = content if isinstance(content, bytes) else encode(content)
    return Response(body, status, headers, "application/json")


def asynchronous(caller: Callable[[Request], State]) -> Any:
    """Return the caller as a dependency that stays on the event loop, where nothing waits for a thread."""

    async def account(request: Request) -> State:
        return caller(request)

    return Depends(account)
