"""uvicorn's HTTP protocol, with the connection at hand, so that faults can cut it."""

from __future__ import annotations

from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol


class CuttableProtocol(H11Protocol):
    """An HTTP/1.1 connection whose transport stands in the scope as `demo.transport`."""

    def connection_made(self, transport: Any) -> None:
        """Wrap the app for this connection."""
        super().connection_made(transport)
        app = self.app

        async def with_transport(scope: Any, receive: Any, send: Any) -> None:
            scope["demo.transport"] = transport
            await app(scope, receive, send)

        self.app = with_transport
