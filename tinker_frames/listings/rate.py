"""The server's rate for storage, requested once: the only place that knows it, for frames, plans, views and costs alike."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future
from typing import Any

from ..errors import ConnectionFailedError, RateLimitError, ServerError
from ..rest.threads import Result, start_thread
from ..rest.transport import Transport
from ..schema.catalog import STORAGE
from ..schema.coerce import coerce_value, parse_object

RATE = "effective_rate_usd_per_gigabyte_month"
LONGEST_WAIT_S = 1.0  # of a listing that is read already
PAUSE_S = 5.0  # between two requests of which the first failed
PASSING = (ConnectionFailedError, RateLimitError, ServerError)


class StorageRate:
    """What an account pays for storage, in dollars per gigabyte (10^9 bytes) and month, as its server says.

    It is for organization and billing admins; that others do not get it is found out once as well. A server that fails is asked again
    by a listing some seconds later. An answer is kept with the account's permanent responses, for listings that the cache answers and while the
    server fails; the next client that sends requests asks again.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport, self._lock = transport, threading.Lock()
        self._found: dict[str, Future[Result[float | None]]] = {}  # by account
        self._asked = 0.0  # when the last request was begun

    def begin(self) -> None:
        """Request the rate in the background, unless that was done; again if the server failed some seconds ago."""
        account = self._transport.account
        with self._lock:
            future = self._found.get(account)
            is_due = time.monotonic() >= self._asked + PAUSE_S
            if future is None or (is_due and future.done() and _has_failed(future)):
                self._found[account], self._asked = start_thread(self._request, "tinker-frames-rate"), time.monotonic()

    def read(self) -> float | None:
        """Return the rate, requested if it was not; None if the server does not give it to this account."""
        self.begin()
        future = self._found[self._transport.account]
        return _parse_kept(self._transport) if _has_failed(future) else future.result().value

    def get(self) -> float | None:
        """Return the rate as far as it is known: what was requested, if its answer is near, else what an earlier client was told."""
        future = self._found.get(self._transport.account)
        try:
            if future is not None and not _has_failed(future, LONGEST_WAIT_S):
                return future.result().value  # None of a refusal
        except TimeoutError:
            pass
        return _parse_kept(self._transport)

    def _request(self) -> float | None:
        """Return the rate by one request, which is not repeated."""
        content = self._transport.call("GET", STORAGE.path, repeat=False).content
        self._transport.permanent.add(STORAGE.name, {RATE: content})
        return parse_rate(parse_object(content) or {})


def _has_failed(future: Future[Result[float | None]], timeout: float | None = None) -> bool:
    """Tell whether the server failed, which may pass, rather than refused; waits for its answer."""
    return isinstance(future.result(timeout).error, PASSING)


def parse_rate(body: dict[str, Any]) -> float | None:
    """Return the rate in an answer on the present storage; None for what is no price."""
    rate, _ = coerce_value("float", body.get(RATE))
    return rate if rate is not None and rate >= 0 else None


def _parse_kept(transport: Transport) -> float | None:
    """Return the rate that an earlier client of the account was told."""
    kept = transport.permanent.get(STORAGE.name).get(RATE)
    return None if kept is None else parse_rate(parse_object(kept) or {})
