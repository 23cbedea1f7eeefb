"""FastAPI building blocks of the routers: routes by endpoint name, authentication, paging, and JSON responses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, TypeVar

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.exceptions import RequestValidationError

from ..data.state import ServiceError, State
from ..endpoints import ENDPOINTS
from ..traffic.asgi import build_limit_error
from .serializers import encode_json

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .backend import Backend

BACKEND = "tinker_frames.backend"  # where a request's scope has the backend: all servers of a dialect share one app

Handler = TypeVar("Handler", bound="Callable[..., Awaitable[Response]]")


class EndpointRouter(APIRouter):
    """A router whose handlers bear the name of the endpoint that they serve; `ENDPOINTS` has its method and path."""

    def serve(self, path: str | None = None, **options: Any) -> Callable[[Handler], Handler]:
        """Return a decorator that registers a handler; `path` replaces that of `ENDPOINTS`."""

        def register(handler: Handler) -> Handler:
            method, default = ENDPOINTS[handler.__name__]
            self.add_api_route(path or default, handler, methods=[method], **options)
            return handler

        return register


class Page(NamedTuple):
    """The requested slice of a list."""

    limit: int
    offset: int

    def slice(self, rows: list[Any]) -> list[Any]:
        """Return this slice of the rows."""
        return rows[self.offset : self.offset + self.limit]


def get_backend(request: Request) -> Backend:
    """Return the backend of the server that received the request."""
    backend: Backend = request.scope[BACKEND]
    return backend


def authenticate_official(request: Request) -> State:
    """Return the caller's account; 401 if the credential is missing or invalid."""
    backend, credential = get_backend(request), request.headers.get("x-api-key", "")
    key = backend.find_key(credential)
    if key is None and credential.count(".") == 2:
        challenge = 'Bearer error="invalid_token", error_description="The token is expired or revoked"'
        raise ServiceError(401, "Invalid or expired token.", {"WWW-Authenticate": challenge})
    if key is None:
        raise ServiceError(401, "Invalid API key." if credential else "Missing API key.")
    accepts_keys = request.url.path.startswith(("/api/v1/client/", "/api/v1/auth/"))
    if backend.switches.require_jwt and key == credential and not accepts_keys:
        raise ServiceError(401, "API keys are not accepted here; exchange the key for a token.")
    return backend.states[key]


def authenticate_tuft(request: Request) -> State:
    """Return the caller's account as TuFT does: 401 without a key, 403 with a wrong one."""
    key, states = request.headers.get("x-api-key"), get_backend(request).states
    if not key:
        raise ServiceError(401, "Missing API key")
    if key not in states:
        raise ServiceError(403, "Invalid API key")
    return states[key]


def select_skyrl_account(request: Request) -> State:
    """Return the account as SkyRL does, without authentication; a valid key selects one of several accounts."""
    return get_backend(request).find_state(request.headers.get("x-api-key"))


def authenticate_twinkle(request: Request) -> State:
    """Return the caller's account as Twinkle does: 401 without a known key."""
    backend, key = get_backend(request), read_twinkle_key(request)
    if backend.switches.require_authorization and not request.headers.get("x-ray-serve-request-id"):
        raise ServiceError(400, "Missing request id header")
    if key not in backend.states:
        raise ServiceError(401, "Invalid token")
    return backend.states[key]


def read_twinkle_key(request: Request) -> str:
    """Return the key of a request: that of `Authorization`, and of `X-API-Key` unless the former is required."""
    authorization = request.headers.get("authorization", "").removeprefix("Bearer ")
    is_enough = not get_backend(request).switches.require_authorization
    return authorization or (request.headers.get("x-api-key", "") if is_enough else "")


def depend_on(caller: Callable[[Request], State]) -> Any:
    """Return a dependency that runs on the event loop, where it does not wait for a thread."""

    async def get_state(request: Request) -> State:
        return caller(request)

    return Depends(get_state)


def depend_on_page(endpoint: str, default: int) -> Any:
    """Return a dependency that reads `limit` and `offset`, with this default limit and the endpoint's cap."""

    async def get_page(
        request: Request,
        limit: Annotated[int, Query(ge=1)] = default,
        offset: Annotated[int, Query(ge=0)] = 0,
    ) -> Page:
        cap = get_backend(request).get_cap(endpoint)
        if limit > cap:
            raise RequestValidationError([build_limit_error(cap, request.query_params["limit"], "query")])
        return Page(limit, offset)

    return Depends(get_page)


def build_json(content: object, status: int = 200, **headers: str) -> Response:
    """Return a JSON response; bytes are sent as they are, other content is encoded."""
    body = content if isinstance(content, bytes) else encode_json(content)
    return Response(body, status, headers, "application/json")
