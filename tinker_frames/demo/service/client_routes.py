"""Routes that clients need besides the account's objects, which the self-hosted servers share."""

# No `from __future__ import annotations`: FastAPI evaluates the annotations of the handlers.
from typing import Annotated, Any

from fastapi import Response

from ..data.state import State
from .dependencies import EndpointRouter, build_json

CLIENT_CONFIG = {"pjwt_auth_enabled": False, "credential_default_source": "api_key"}  # the key is not to be exchanged


def build_client_router(caller: Any, *, is_private: bool = False) -> EndpointRouter:
    """Return a router with these routes.

    Parameters
    ----------
    caller
        The dependency that returns the caller's account.
    is_private
        Whether heartbeats and telemetry need a valid key too.
    """
    router = EndpointRouter()
    needs_key = [caller] if is_private else []

    @router.serve()
    async def health_check() -> Response:
        """Report that the server is up, without authentication."""
        return build_json({"status": "ok"})

    @router.serve()
    async def create_session(account: Annotated[State, caller]) -> Response:
        """Start a session."""
        return build_json({"type": "create_session", "session_id": account.add_session().session_id})

    @router.serve(dependencies=needs_key)
    async def session_heartbeat() -> Response:
        """Keep a session active."""
        return build_json({"type": "session_heartbeat"})

    @router.serve(dependencies=needs_key)
    async def send_telemetry() -> Response:
        """Accept telemetry and discard it."""
        return build_json({"status": "accepted"})

    return router
