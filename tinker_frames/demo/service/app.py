"""The FastAPI app of each dialect, with its error responses."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from fastapi import FastAPI, Request, Response
from fastapi.responses import PlainTextResponse

from ..data.state import ServiceError
from . import official, skyrl, storage, tuft, twinkle
from .client_routes import build_client_router
from .dependencies import BACKEND, authenticate_tuft, authenticate_twinkle, build_json, depend_on, select_skyrl_account

if TYPE_CHECKING:
    from fastapi import APIRouter

    from ..traffic.asgi import App, Message, Receive, Send
    from .backend import Backend

_SKYRL: list[APIRouter] = [skyrl.router, build_client_router(depend_on(select_skyrl_account))]
ROUTERS: dict[str, list[APIRouter]] = {
    "official": [official.router, storage.router],
    "tuft": [tuft.router, build_client_router(depend_on(authenticate_tuft), is_private=True)],
    "skyrl": _SKYRL,
    "skyrl-main": [*_SKYRL, skyrl.main_router],
    "twinkle": [twinkle.router, build_client_router(depend_on(authenticate_twinkle))],
}


def build_app(backend: Backend) -> App:
    """Return the ASGI app that serves a backend."""
    app = _build_dialect(backend.dialect)

    async def serve(scope: Message, receive: Receive, send: Send) -> None:
        await app({**scope, BACKEND: backend}, receive, send)

    return serve


@cache
def _build_dialect(dialect: str) -> FastAPI:
    # Cached, since FastAPI prepares the routes at the first request, which takes longer than most tests.
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    for router in ROUTERS[dialect]:
        app.include_router(router)
    app.add_exception_handler(ServiceError, _respond_tuft_error if dialect == "tuft" else _respond_error)
    return app


async def _respond_error(_request: Request, error: Exception) -> Response:
    if not isinstance(error, ServiceError):
        raise error
    return build_json({"detail": error.detail}, error.status, **error.headers or {})


async def _respond_tuft_error(request: Request, error: Exception) -> Response:
    # TuFT does not handle missing objects itself: its framework responds with a plain 500.
    if isinstance(error, ServiceError) and error.status == 404:
        return PlainTextResponse("Internal Server Error", 500)
    return await _respond_error(request, error)
