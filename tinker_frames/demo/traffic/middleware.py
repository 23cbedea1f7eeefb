"""The ASGI middleware around the service: it records every request and injects the faults."""

from __future__ import annotations

import asyncio
import json
import math
import random
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from email.utils import format_datetime
from http import HTTPStatus
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import parse_qsl, urlencode

from ..endpoints import WRITES, find_endpoint
from .asgi import (
    TRANSPORT,
    App,
    BufferedResponse,
    Message,
    Receive,
    Send,
    build_error,
    build_limit_error,
    read_body,
    reset_connection,
    run_app,
    wait_for_disconnect,
)
from .faults import Burst, Fault, Faults, Hang, Reset, matches_endpoint
from .request_log import RecordedRequest, RequestLog

if TYPE_CHECKING:
    from ..data.state import State

F = TypeVar("F", bound=Fault)


class NoResponseError(Exception):
    """The connection is to be closed without a response."""


class FaultMiddleware:
    """An ASGI app around the service: record, inject faults, run the service, inject faults, send."""

    def __init__(self, app: App, faults: Faults, requests: RequestLog, state_of: Callable[[str | None], State]) -> None:
        self.app, self.faults, self.requests, self.state_of = app, faults, requests, state_of
        self._random = random.Random(faults.seed)  # noqa: S311 - repeatable on purpose
        self._writes_in_progress = 0
        self._tokens, self._refilled = 1.0, monotonic()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            return
        request = await _record(scope, receive)
        self.requests.add(request)
        try:
            response = await self._respond(request, scope, receive)
            request.status, request.ended = response.status, monotonic()
            await self._send(response, request, scope, receive, send)
        except NoResponseError:
            request.status, request.ended = 0, monotonic()
            await reset_connection(scope, receive)
        except asyncio.CancelledError:
            # The server is stopping and has closed the connection: there is no client left to respond to.
            request.status = request.status or 0
        finally:
            request.ended = request.ended or monotonic()

    async def _respond(self, request: RecordedRequest, scope: Message, receive: Receive) -> BufferedResponse:
        await asyncio.sleep(self._latency(request.endpoint))
        if refusal := self._apply_rate_limit(request.endpoint):
            return refusal
        faults = [*self.faults.bursts, *self.faults.resets, *self.faults.hang]
        if fault := self._trigger_first(faults, request.endpoint):
            return await self._fail(fault, request, scope, receive)
        return await self._serve(request, scope)

    async def _fail(self, fault: Fault, request: RecordedRequest, scope: Message, receive: Receive) -> BufferedResponse:
        apply = getattr(fault, "then", "answer") == "apply"
        served = await self._serve(request, scope) if apply else None
        if isinstance(fault, Reset):
            raise NoResponseError
        if isinstance(fault, Hang):
            with suppress(TimeoutError):
                await asyncio.wait_for(wait_for_disconnect(receive), fault.seconds)
                raise NoResponseError
            return served or await self._serve(request, scope)
        if not isinstance(fault, Burst):
            raise TypeError(f"unknown fault {fault!r}")
        return _build_burst_response(fault)

    async def _serve(self, request: RecordedRequest, scope: Message) -> BufferedResponse:
        faults, endpoint = self.faults, request.endpoint
        if matches_endpoint(faults.missing, endpoint):
            return build_error(404, "Not Found")
        if endpoint in WRITES:
            return await self._serve_write(request, scope)
        for churn in faults.churn:
            churn.apply(endpoint, self.state_of(request.headers.get("x-api-key")))
        cap = faults.page_caps.get(endpoint)
        if cap is not None and (refusal := self._apply_page_cap(cap, request, scope)):
            return refusal
        if dropped := faults.drop_query.get(endpoint):
            query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
            scope["query_string"] = urlencode([pair for pair in query if pair[0] not in dropped]).encode()
        return self._edit(await run_app(self.app, scope, request.body), endpoint)

    async def _serve_write(self, request: RecordedRequest, scope: Message) -> BufferedResponse:
        faults = self.faults
        if matches_endpoint(faults.ignore_writes, request.endpoint):
            return BufferedResponse(204)
        self._writes_in_progress += 1
        try:
            excess = max(0, self._writes_in_progress - faults.write_capacity)
            await asyncio.sleep(faults.write_latency + faults.write_slowdown * excess)
            return self._edit(await run_app(self.app, scope, request.body), request.endpoint)
        finally:
            self._writes_in_progress -= 1

    def _latency(self, endpoint: str) -> float:
        latency = self.faults.latency_of.get(endpoint, self.faults.latency)
        return latency + (self._random.uniform(0, self.faults.jitter) if self.faults.jitter else 0.0)

    def _apply_rate_limit(self, endpoint: str) -> BufferedResponse | None:
        rate = self.faults.rate_limit
        if rate is None or not matches_endpoint(self.faults.rate_limited, endpoint):
            return None
        now = monotonic()
        self._tokens, self._refilled = min(max(1.0, rate), self._tokens + (now - self._refilled) * rate), now
        if self._tokens >= 1:
            self._tokens -= 1
            return None
        wait = self.faults.rate_limit_retry_after or str(max(1, math.ceil((1 - self._tokens) / rate)))
        return build_error(429, "Rate limit exceeded.", retry_after=wait)

    def _trigger_first(self, faults: list[F], endpoint: str) -> F | None:
        return next((fault for fault in faults if fault.trigger(endpoint, self._random.random)), None)

    def _apply_page_cap(self, cap: int, request: RecordedRequest, scope: Message) -> BufferedResponse | None:
        in_body = request.method == "POST"
        query = _parse_search(request.body) if in_body else request.query
        value = query.get("limit")
        if value is None or not str(value).isdigit() or int(value) <= cap:
            return None
        if self.faults.cap_style == "422":
            return build_error(422, [build_limit_error(cap, value, "body" if in_body else "query")])
        lowered = {**query, "limit": cap}
        if in_body:
            request.body = json.dumps(lowered).encode()
        else:
            scope["query_string"] = urlencode(lowered).encode()
        return None

    def _edit(self, response: BufferedResponse, endpoint: str) -> BufferedResponse:
        drop_cursor = matches_endpoint(self.faults.no_cursor, endpoint)
        if (self.faults.edit is None and not drop_cursor) or response.status != 200 or not response.is_json:
            return response
        content = json.loads(response.body)
        if drop_cursor and isinstance(content, dict):
            content.pop("cursor", None)
        if self.faults.edit is not None:
            content = self.faults.edit(endpoint, content)
        response.body = json.dumps(content).encode()
        return response

    async def _send(
        self, response: BufferedResponse, request: RecordedRequest, scope: Message, receive: Receive, send: Send
    ) -> None:
        self._add_headers(response, request)
        truncate = self._trigger_first(self.faults.truncate, request.endpoint)
        await send({"type": "http.response.start", "status": response.status, "headers": response.headers})
        if truncate is None:
            await send({"type": "http.response.body", "body": response.body})
            return
        part = response.body[: int(len(response.body) * truncate.keep)]
        await send({"type": "http.response.body", "body": part, "more_body": True})
        scope[TRANSPORT].close()
        await wait_for_disconnect(receive)

    def _add_headers(self, response: BufferedResponse, request: RecordedRequest) -> None:
        now = self.state_of(request.headers.get("x-api-key")).now() + timedelta(seconds=self.faults.clock_skew)
        response.set_header("date", format_datetime(now, usegmt=True))
        if response.status != 204:
            response.set_header("content-length", str(len(response.body)))
        for name, value in self.faults.headers.items():
            response.set_header(name, value)


async def _record(scope: Message, receive: Receive) -> RecordedRequest:
    raw_path = scope.get("raw_path", b"").decode("latin-1")
    query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    method, path = scope["method"], scope["path"]
    return RecordedRequest(
        find_endpoint(method, path), method, path, raw_path, query, headers, await read_body(receive)
    )


def _parse_search(body: bytes) -> dict[str, Any]:
    # A body that is not a JSON object is left to the service, which refuses it.
    try:
        query = json.loads(body)
    except ValueError:
        return {}
    return query if isinstance(query, dict) else {}


def _build_burst_response(burst: Burst) -> BufferedResponse:
    response = build_error(burst.status, burst.detail or _get_phrase(burst.status))
    if burst.body is not None:
        response.body = burst.body
    if burst.retry_after is not None:
        response.set_header("retry-after", burst.retry_after)
    for name, value in burst.headers.items():
        response.set_header(name, value)
    return response


def _get_phrase(status: int) -> str:
    try:
        return f"{HTTPStatus(status).phrase}."
    except ValueError:
        return "Error."
