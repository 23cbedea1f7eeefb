"""The adapter below the HTTP sessions: every response ends at a deadline and below a size, however slowly or endlessly it comes.

Secret headers are added as a request is written to its connection: no object of requests, requests-cache or urllib3 holds
them, so none can show or store them, and no redirect or proxy gets them.
"""

from __future__ import annotations

import http.client
import io
import math
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from typing import Any

from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter
from urllib3.connectionpool import HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError
from urllib3.util import wait_for_read

from ..errors import ConnectionFailedError, InvalidRequestError
from .secret import Secret
from .threads import Result, start_thread

MAX_ANSWER_BYTES = 256 * 2**20  # of one answer, decompressed; a page of a thousand rows is half a megabyte
CHUNK_BYTES = 2**16
SILENCE_S = 5.0  # without an answer, before it is said that one is waited for

_ends_at: ContextVar[float] = ContextVar("ends_at", default=math.inf)


@dataclass(frozen=True)
class Protected:
    """The secret headers of a request or the query that signs it, and the hosts that may get them over plain http, by address."""

    headers: tuple[tuple[str, Secret], ...] = ()
    may_reach: Callable[[str], bool] = lambda address: True  # noqa: ARG005
    report_silence: Callable[[], None] = lambda: None  # called once where no answer begins for `SILENCE_S`
    query: Secret | None = None  # of a signed URL


_UNPROTECTED = Protected()
_protected: ContextVar[Protected] = ContextVar("protected", default=_UNPROTECTED)


@contextmanager
def limit_time(seconds: float | None) -> Iterator[None]:
    """End what is sent inside within these seconds, or sooner where an outer limit says so; None adds no limit."""
    ends_at = math.inf if seconds is None else time.monotonic() + seconds
    token = _ends_at.set(min(_ends_at.get(), ends_at))
    try:
        yield
    finally:
        _ends_at.reset(token)


def get_time_left() -> float:
    """Return the seconds until the time limit; infinite without one."""
    return _ends_at.get() - time.monotonic()


@contextmanager
def protect(protected: Protected) -> Iterator[None]:
    """Add secret headers to what is sent inside."""
    token = _protected.set(protected)
    try:
        yield
    finally:
        _protected.reset(token)


class BoundedAdapter(HTTPAdapter):
    """A requests adapter that reads each answer whole, within the time limit and `MAX_ANSWER_BYTES`."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make the pools, of bounded connections."""
        super().init_poolmanager(*args, **kwargs)
        _bind_pools(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        """Make the pools of a proxy, of bounded connections."""
        is_new = proxy not in self.proxy_manager
        manager = super().proxy_manager_for(proxy, **kwargs)
        if is_new:
            _bind_pools(manager)
        return manager

    def send(self, request: PreparedRequest, *args: Any, **kwargs: Any) -> Response:
        """Send a request, and read the whole answer."""
        response = super().send(request, *args, **kwargs)
        try:
            response._content = _read_body(response)  # noqa: SLF001  # requests keeps a body there
        except BaseException:
            response.close()
            raise
        response._content_consumed = True  # type: ignore[attr-defined]  # noqa: SLF001
        return response


def _read_body(response: Response) -> bytes:
    """Return the decompressed body; raises if it is too large or compressed more than once."""
    chunks, size = [], 0
    too_large = "," in response.headers.get("Content-Encoding", "")
    for chunk in () if too_large else response.iter_content(CHUNK_BYTES):
        size += len(chunk)
        too_large = size > MAX_ANSWER_BYTES
        if too_large:
            break
        chunks.append(chunk)
    if too_large:
        raise ConnectionFailedError(
            f"the answer is larger than {MAX_ANSWER_BYTES // 2**20} MiB, and was not read to its end",
            url=(response.url or "").partition("?")[0],
            retryable=False,
            hint="Check TINKER_BASE_URL: a Tinker server splits such responses into pages.",
        )
    return b"".join(chunks)


class _BoundedReader(io.RawIOBase):
    """A socket's input; each read waits at most for the rest of the time limit."""

    def __init__(self, raw: io.RawIOBase, sock: Any) -> None:
        self._raw, self._sock, self._patience_s = raw, sock, sock.gettimeout()
        self.ends_at = _ends_at.get()

    @property
    def patience_s(self) -> float:
        """Seconds to wait for the next byte."""
        return math.inf if self._patience_s is None else float(self._patience_s)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self.ends_at - time.monotonic()
        if left <= 0:
            raise TimeoutError("the time limit was exceeded")
        wait = min(self.patience_s, left)
        self._sock.settimeout(None if wait == math.inf else wait)
        read: int | None = self._raw.readinto(buffer)
        return read

    def close(self) -> None:
        self._raw.close()
        super().close()


class _BoundedResponse(http.client.HTTPResponse):
    """A response that raises unless its headers arrive within the timeout and its body within the time limit."""

    def __init__(self, sock: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self._sock = sock
        self._reader = _BoundedReader(self.fp.detach(), sock)
        self.fp: Any = io.BufferedReader(self._reader, CHUNK_BYTES)

    def begin(self) -> None:
        self._reader.ends_at = min(_ends_at.get(), time.monotonic() + self._reader.patience_s)
        if self._reader.ends_at - time.monotonic() > SILENCE_S and not wait_for_read(self._sock, SILENCE_S):
            _protected.get().report_silence()
        super().begin()
        self._reader.ends_at = _ends_at.get()


class _BoundedConnection:
    """What is put over a connection of urllib3: bounded responses, secret headers, and where these may go."""

    response_class = _BoundedResponse
    default_port: int
    sock: Any

    def _new_conn(self) -> Any:
        """Resolve the host's name and connect to it, within the time limit; a resolver that takes longer is left to its thread."""
        left = get_time_left()
        future = start_thread(super()._new_conn, "tinker-connect")  # type: ignore[misc]
        try:
            result = future.result(timeout=None if left == math.inf else max(left, 0))
        except BaseException as error:  # also Ctrl-C: nobody uses the connection any more
            future.add_done_callback(_close_connection)
            if not isinstance(error, TimeoutError):
                raise
        else:
            return result.get()
        raise ConnectTimeoutError(self, "the time limit was exceeded while connecting")

    def connect(self) -> None:
        super().connect()  # type: ignore[misc]
        protected = _protected.get()
        if self.default_port == 80 and (protected.headers or protected.query):
            address = str(self.sock.getpeername()[0])
            if not protected.may_reach(address):
                self.close()  # type: ignore[attr-defined]
                raise InvalidRequestError(
                    f"the host's address is {address}, to which a key must not be sent unencrypted",
                    hint="Use an https:// base URL; allow_http=True permits plain http within private networks.",
                )

    def putrequest(self, method: str, url: str, *args: Any, **kwargs: Any) -> None:
        query = _protected.get().query
        super().putrequest(method, f"{url}?{query.reveal()}" if query else url, *args, **kwargs)  # type: ignore[misc]

    def endheaders(self, *args: Any, **kwargs: Any) -> None:
        for name, secret in _protected.get().headers:
            self.putheader(name, secret.reveal())  # type: ignore[attr-defined]
        super().endheaders(*args, **kwargs)  # type: ignore[misc]


def _close_connection(future: Future[Result[Any]]) -> None:
    """Close a connection that was made too late."""
    sock = future.result().value
    if sock is not None:
        sock.close()


def _validate(_: Any, connection: Any) -> None:
    """Connect; without a warning for each host where certificates are not verified, since the client has given one."""
    if connection.is_closed:
        connection.connect()


def _bind_pools(manager: Any) -> None:
    """Have a manager make pools of bounded connections; proxies of SOCKS have classes of their own."""
    classes = manager.pool_classes_by_scheme
    manager.pool_classes_by_scheme = {scheme: _bind_pool(pool) for scheme, pool in classes.items()}


@cache
def _bind_pool(pool: Any) -> Any:
    connection = type("BoundedConnection", (_BoundedConnection, pool.ConnectionCls), {})
    own = {"_validate_conn": _validate} if issubclass(pool, HTTPSConnectionPool) else {}
    return type("BoundedPool", (pool,), {"ConnectionCls": connection, **own})
