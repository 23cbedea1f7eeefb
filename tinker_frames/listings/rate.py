"""The server's rate for storage, requested once: the only place that knows it, for frames, plans, views and costs alike."""

from __future__ import annotations

import threading
from typing import Any

from ..errors import TinkerError
from ..rest.transport import Transport
from ..schema.catalog import STORAGE
from ..schema.coerce import coerce_value, parse_object

RATE = "effective_rate_usd_per_gigabyte_month"


class StorageRate:
    """What an account pays for storage, in dollars per gigabyte (10^9 bytes) and month, as its server says.

    It is for organization and billing admins: for others it is not known, which is found out once as well.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport, self._lock = transport, threading.Lock()
        self._known: dict[str, float | None] = {}  # by account

    def read(self) -> float | None:
        """Return the rate; None if the server does not give it to this account."""
        account = self._transport.account
        with self._lock:  # who comes meanwhile waits for the one request
            if account not in self._known:
                self._known[account] = self._request()
            return self._known[account]

    def _request(self) -> float | None:
        try:
            response = self._transport.call("GET", STORAGE.path)
        except TinkerError:
            return None
        return parse_rate(parse_object(response.content) or {})


def parse_rate(body: dict[str, Any]) -> float | None:
    """Return the rate in an answer on the present storage; None for what is no price."""
    rate, _ = coerce_value("float", body.get(RATE))
    return rate if rate is not None and rate >= 0 else None
