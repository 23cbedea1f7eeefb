"""Put the routes of a dialect together and word its refusals."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from fastapi import FastAPI, Request, Response
from fastapi.responses import PlainTextResponse

from ..data.state import RefusedError
from . import official, official_admin, skyrl, storage, tuft
from .context import SERVICE, Service, reply

if TYPE_CHECKING:
    from fastapi import APIRouter

    from ..traffic.middleware import App, Message, Receive, Send

ROUTERS: dict[str, list[APIRouter]] = {
    "official": [official.router, official_admin.router, storage.router],
    "tuft": [tuft.router],
    "skyrl": [skyrl.router],
}


def build(service: Service) -> App:
    """Return the app of the service."""
    app = _app(service.dialect)

    async def serve(scope: Message, receive: Receive, send: Send) -> None:
        await app({**scope, SERVICE: service}, receive, send)

    return serve


@cache
def _app(dialect: str) -> FastAPI:
    """Return the routes of a dialect: what FastAPI makes of them at the first request takes longer than a test."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    for router in ROUTERS[dialect]:
        app.include_router(router)
    app.add_exception_handler(RefusedError, _tuft_refused if dialect == "tuft" else _refused)
    return app


async def _refused(_request: Request, error: Exception) -> Response:
    if not isinstance(error, RefusedError):
        raise error
    return reply({"detail": error.detail}, error.status, **error.headers or {})


async def _tuft_refused(request: Request, error: Exception) -> Response:
    # TuFT does not catch what is missing: its framework answers instead.
    if isinstance(error, RefusedError) and error.status == 404:
        return PlainTextResponse("Internal Server Error", 500)
    return await _refused(request, error)
