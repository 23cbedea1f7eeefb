"""ASGI building blocks: a buffered response, running an app against it, and closing connections early."""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

TRANSPORT = "demo.transport"  # where a request's scope has the transport of its connection


@dataclass
class BufferedResponse:
    """A complete response, not sent yet."""

    status: int = 500
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytes = b""

    def set_header(self, name: str, value: str) -> None:
        """Set a header, replacing one of the same name."""
        key = name.lower().encode()
        self.headers = [item for item in self.headers if item[0].lower() != key]
        self.headers.append((key, value.encode("latin-1")))

    @property
    def is_json(self) -> bool:
        """Whether the content type is JSON."""
        types = [value for name, value in self.headers if name.lower() == b"content-type"]
        return bool(types) and types[0].startswith(b"application/json")


def build_error(status: int, detail: object, **headers: str) -> BufferedResponse:
    """Return a response with the JSON body `{"detail": ...}`."""
    response = BufferedResponse(status, [], json.dumps({"detail": detail}).encode())
    response.set_header("content-type", "application/json")
    for name, value in headers.items():
        response.set_header(name.replace("_", "-"), value)
    return response


def build_limit_error(cap: int, value: object, location: str) -> dict[str, object]:
    """Return the entry of a 422 body for a `limit` above the cap, in FastAPI's format."""
    message = f"Input should be less than or equal to {cap}"
    return {"type": "less_than_equal", "loc": [location, "limit"], "msg": message, "input": value, "ctx": {"le": cap}}


async def run_app(app: App, scope: Message, body: bytes) -> BufferedResponse:
    """Run an ASGI app with this request body and return its response."""
    response, parts = BufferedResponse(), list[bytes]()

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            response.status, response.headers = message["status"], list(message.get("headers", ()))
        else:
            parts.append(message.get("body", b""))

    await app(scope, receive, send)
    response.body = b"".join(parts)
    return response


async def read_body(receive: Receive) -> bytes:
    """Read the whole body of a request."""
    parts, more = [], True
    while more:
        message = await receive()
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(parts)


async def wait_for_disconnect(receive: Receive) -> None:
    """Wait until the connection is closed."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def reset_connection(scope: Message, receive: Receive) -> None:
    """Reset the connection of a request."""
    transport = scope[TRANSPORT]
    if not transport.is_closing():
        # Without lingering, closing the socket sends RST, as a crashed gateway does.
        raw = transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    await wait_for_disconnect(receive)


class TransportProtocol(H11Protocol):
    """uvicorn's HTTP/1.1 protocol that adds the connection's transport to the scope, so that it can be closed early."""

    def connection_made(self, transport: Any) -> None:
        """Wrap the app for this connection."""
        super().connection_made(transport)
        app = self.app

        async def add_transport(scope: Any, receive: Any, send: Any) -> None:
            scope[TRANSPORT] = transport
            await app(scope, receive, send)

        self.app = add_transport
