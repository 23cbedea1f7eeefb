"""The server's rate for storage, requested once: the only place that knows it, for frames, plans, views and costs alike."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import Any

from ..rest.threads import Result, start_thread
from ..rest.transport import Transport
from ..schema.catalog import STORAGE
from ..schema.coerce import coerce_value, parse_object

RATE = "effective_rate_usd_per_gigabyte_month"
LONGEST_WAIT_S = 1.0  # of a listing that is read already


class StorageRate:
    """What an account pays for storage, in dollars per gigabyte (10^9 bytes) and month, as its server says.

    It is for organization and billing admins; that others do not get it is found out once as well. An answer is kept with the
    account's permanent responses, for listings that the cache answers; the next client that sends requests asks again.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport, self._lock = transport, threading.Lock()
        self._found: dict[str, Future[Result[float | None]]] = {}  # by account

    def begin(self) -> None:
        """Request the rate in the background, unless that was done."""
        account = self._transport.account
        with self._lock:
            if account not in self._found:
                self._found[account] = start_thread(self._request, "tinker-frames-rate")

    def read(self) -> float | None:
        """Return the rate, requested if it was not; None if the server does not give it to this account."""
        self.begin()
        return (
            self._found[self._transport.account].result().value
        )  # none of a failure, which costs no more than the rate

    def get(self) -> float | None:
        """Return the rate as far as it is known: what was requested, if its answer is near, else what an earlier client was told."""
        future = self._found.get(self._transport.account)
        try:
            return _parse_kept(self._transport) if future is None else future.result(LONGEST_WAIT_S).value
        except TimeoutError:
            return _parse_kept(self._transport)

    def _request(self) -> float | None:
        """Return the rate by one request, which is not repeated."""
        content = self._transport.call("GET", STORAGE.path, repeat=False).content
        self._transport.permanent.add(STORAGE.name, {RATE: content})
        return parse_rate(parse_object(content) or {})


def parse_rate(body: dict[str, Any]) -> float | None:
    """Return the rate in an answer on the present storage; None for what is no price."""
    rate, _ = coerce_value("float", body.get(RATE))
    return rate if rate is not None and rate >= 0 else None


def _parse_kept(transport: Transport) -> float | None:
    """Return the rate that an earlier client of the account was told."""
    kept = transport.permanent.get(STORAGE.name).get(RATE)
    return None if kept is None else parse_rate(parse_object(kept) or {})
