"""The outermost layer of the server: it records every request and lets the faults happen."""

from __future__ import annotations

import asyncio
import json
import math
import random
import socket
import struct
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http import HTTPStatus
from time import monotonic
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode

from ..endpoints import WRITES, name_of
from .faults import Burst, Faults, Hang, Reset, Trouble, concerns
from .request_log import RecordedRequest, RequestLog

if TYPE_CHECKING:
    from ..data.state import State

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]


@dataclass
class Answer:
    """A whole response, held back until the faults have had their say."""

    status: int = 500
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytes = b""

    def put(self, name: str, value: str) -> None:
        """Set a header."""
        key = name.lower().encode()
        self.headers = [item for item in self.headers if item[0].lower() != key]
        self.headers.append((key, value.encode("latin-1")))


class CutError(Exception):
    """The connection is to be closed without an answer."""


def said(status: int, detail: object, **headers: str) -> Answer:
    """Return an answer with a JSON body `{"detail": ...}`."""
    answer = Answer(status, [], json.dumps({"detail": detail}).encode())
    answer.put("content-type", "application/json")
    for name, value in headers.items():
        answer.put(name.replace("_", "-"), value)
    return answer


def limit_error(cap: int, value: object, where: str) -> dict[str, object]:
    """Return one entry of a 422 body, as FastAPI words it, for a `limit` above the cap."""
    message = f"Input should be less than or equal to {cap}"
    return {"type": "less_than_equal", "loc": [where, "limit"], "msg": message, "input": value, "ctx": {"le": cap}}


class Traffic:
    """An ASGI app around the service: record, disturb, pass on, disturb, answer."""

    def __init__(self, app: App, faults: Faults, requests: RequestLog, state_of: Callable[[str | None], State]) -> None:
        self.app, self.faults, self.requests, self.state_of = app, faults, requests, state_of
        self._random = random.Random(faults.seed)  # noqa: S311 - repeatable on purpose
        self._writing, self._tokens, self._filled = 0, 1.0, monotonic()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            return
        call = await _recorded(scope, receive)
        self.requests.add(call)
        try:
            answer = await self._answer(call, scope, receive)
            call.status, call.ended = answer.status, monotonic()
            await self._deliver(answer, call, scope, receive, send)
        except CutError:
            call.status, call.ended = 0, monotonic()
            await _cut(scope, receive)
        except asyncio.CancelledError:
            # The server stops and has closed the connection; there is nobody left to tell.
            call.status = call.status or 0
        finally:
            call.ended = call.ended or monotonic()

    async def _answer(self, call: RecordedRequest, scope: Message, receive: Receive) -> Answer:
        await asyncio.sleep(self._latency(call.endpoint))
        if refusal := self._rate_limited(call.endpoint):
            return refusal
        if trouble := self._strike([*self.faults.bursts, *self.faults.resets, *self.faults.hang], call.endpoint):
            return await self._troubled(trouble, call, scope, receive)
        return await self._serve(call, scope)

    async def _troubled(self, trouble: Trouble, call: RecordedRequest, scope: Message, receive: Receive) -> Answer:
        apply = getattr(trouble, "then", "answer") == "apply"
        served = await self._serve(call, scope) if apply else None
        if isinstance(trouble, Reset):
            raise CutError
        if isinstance(trouble, Hang):
            with suppress(TimeoutError):
                await asyncio.wait_for(_gone(receive), trouble.seconds)
                raise CutError
            return served or await self._serve(call, scope)
        if not isinstance(trouble, Burst):
            raise TypeError(f"unknown trouble {trouble!r}")
        return _burst_answer(trouble)

    async def _serve(self, call: RecordedRequest, scope: Message) -> Answer:
        faults, endpoint = self.faults, call.endpoint
        if concerns(faults.missing, endpoint):
            return said(404, "Not Found")
        if endpoint in WRITES:
            return await self._serve_write(call, scope)
        for churn in faults.churn:
            churn.disturb(endpoint, self.state_of(call.headers.get("x-api-key")))
        cap = faults.page_caps.get(endpoint)
        if cap is not None and (refusal := self._capped(cap, call, scope)):
            return refusal
        return self._edited(await _inner(self.app, scope, call.body), endpoint)

    async def _serve_write(self, call: RecordedRequest, scope: Message) -> Answer:
        faults = self.faults
        if concerns(faults.ignore_writes, call.endpoint):
            return Answer(204)
        self._writing += 1
        try:
            excess = max(0, self._writing - faults.write_capacity)
            await asyncio.sleep(faults.write_latency + faults.write_slowdown * excess)
            return self._edited(await _inner(self.app, scope, call.body), call.endpoint)
        finally:
            self._writing -= 1

    def _latency(self, endpoint: str) -> float:
        wait = self.faults.latency_of.get(endpoint, self.faults.latency)
        return wait + (self._random.uniform(0, self.faults.jitter) if self.faults.jitter else 0.0)

    def _rate_limited(self, endpoint: str) -> Answer | None:
        rate = self.faults.rate_limit
        if rate is None or not concerns(self.faults.rate_limited, endpoint):
            return None
        now = monotonic()
        self._tokens, self._filled = min(max(1.0, rate), self._tokens + (now - self._filled) * rate), now
        if self._tokens >= 1:
            self._tokens -= 1
            return None
        wait = self.faults.rate_limit_retry_after or str(max(1, math.ceil((1 - self._tokens) / rate)))
        return said(429, "Rate limit exceeded.", retry_after=wait)

    def _strike(self, troubles: list[Trouble], endpoint: str) -> Trouble | None:
        return next((one for one in troubles if one.strikes(endpoint, self._random.random)), None)

    def _capped(self, cap: int, call: RecordedRequest, scope: Message) -> Answer | None:
        where, query = ("body", _search(call.body)) if call.method == "POST" else ("query", call.query)
        value = query.get("limit")
        if value is None or not str(value).isdigit() or int(value) <= cap:
            return None
        if self.faults.cap_style == "422":
            return said(422, [limit_error(cap, value, where)])
        lowered = {**query, "limit": cap}
        if where == "body":
            call.body = json.dumps(lowered).encode()
        else:
            scope["query_string"] = urlencode(lowered).encode()
        return None

    def _edited(self, answer: Answer, endpoint: str) -> Answer:
        bare = concerns(self.faults.no_cursor, endpoint)
        if (self.faults.edit is None and not bare) or answer.status != 200 or not _is_json(answer):
            return answer
        content = json.loads(answer.body)
        if bare and isinstance(content, dict):
            content.pop("cursor", None)
        if self.faults.edit is not None:
            content = self.faults.edit(endpoint, content)
        answer.body = json.dumps(content).encode()
        return answer

    async def _deliver(
        self, answer: Answer, call: RecordedRequest, scope: Message, receive: Receive, send: Send
    ) -> None:
        now = datetime.now(UTC) + timedelta(seconds=self.faults.clock_skew)
        answer.put("date", format_datetime(now, usegmt=True))
        if answer.status != 204:
            answer.put("content-length", str(len(answer.body)))
        for name, value in self.faults.headers.items():
            answer.put(name, value)
        short = next((one for one in self.faults.truncate if one.strikes(call.endpoint, self._random.random)), None)
        await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
        if short is None:
            await send({"type": "http.response.body", "body": answer.body})
            return
        await send(
            {"type": "http.response.body", "body": answer.body[: int(len(answer.body) * short.keep)], "more_body": True}
        )
        scope["demo.transport"].close()
        await _gone(receive)


async def _recorded(scope: Message, receive: Receive) -> RecordedRequest:
    raw = scope.get("raw_path", b"").decode("latin-1")
    query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    endpoint, method, path = name_of(scope["method"], scope["path"]), scope["method"], scope["path"]
    return RecordedRequest(endpoint, method, path, raw, query, headers, await _body(receive))


async def _body(receive: Receive) -> bytes:
    parts, more = [], True
    while more:
        message = await receive()
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(parts)


def _search(body: bytes) -> dict[str, Any]:
    # A body that is not an object is for the service to refuse.
    try:
        query = json.loads(body)
    except ValueError:
        return {}
    return query if isinstance(query, dict) else {}


async def _inner(app: App, scope: Message, body: bytes) -> Answer:
    answer, parts = Answer(), list[bytes]()

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            answer.status, answer.headers = message["status"], list(message.get("headers", ()))
        else:
            parts.append(message.get("body", b""))

    await app(scope, receive, send)
    answer.body = b"".join(parts)
    return answer


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _cut(scope: Message, receive: Receive) -> None:
    transport = scope["demo.transport"]
    if not transport.is_closing():
        # Without lingering the close is a reset, as from a gateway that died.
        raw = transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    await _gone(receive)


def _burst_answer(burst: Burst) -> Answer:
    answer = said(burst.status, burst.detail or _phrase(burst.status))
    if burst.body is not None:
        answer.body = burst.body
    if burst.retry_after is not None:
        answer.put("retry-after", burst.retry_after)
    for name, value in burst.headers.items():
        answer.put(name, value)
    return answer


def _phrase(status: int) -> str:
    try:
        return f"{HTTPStatus(status).phrase}."
    except ValueError:
        return "Error."


def _is_json(answer: Answer) -> bool:
    kinds = [value for name, value in answer.headers if name.lower() == b"content-type"]
    return bool(kinds) and kinds[0].startswith(b"application/json")
