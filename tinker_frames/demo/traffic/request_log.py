"""The log of the requests that the server received, for tests to inspect."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(slots=True)
class RecordedRequest:
    """One request; `status` is None while it is in progress and 0 if the connection was closed without a response."""

    endpoint: str
    method: str
    path: str
    raw_path: str
    query: dict[str, str]
    headers: dict[str, str] = field(repr=False)
    body: bytes = b""
    status: int | None = None
    started: float = field(default_factory=monotonic)
    ended: float | None = None


class RequestLog:
    """The requests in order of arrival; can be read while the server runs."""

    def __init__(self) -> None:
        self._lock, self._requests = threading.Lock(), list[RecordedRequest]()

    def __iter__(self) -> Iterator[RecordedRequest]:
        with self._lock:
            return iter(list(self._requests))

    def __len__(self) -> int:
        return len(self._requests)

    def __getitem__(self, index: int) -> RecordedRequest:
        return self._requests[index]

    def add(self, request: RecordedRequest) -> None:
        """Append a request."""
        with self._lock:
            self._requests.append(request)

    def clear(self) -> None:
        """Remove all requests."""
        with self._lock:
            self._requests.clear()

    def to(self, endpoint: str) -> list[RecordedRequest]:
        """Return the requests to one endpoint."""
        return [request for request in self if request.endpoint == endpoint]

    def count(self, endpoint: str | None = None) -> int:
        """Return the number of requests, to all endpoints or to one."""
        return len(self) if endpoint is None else len(self.to(endpoint))

    def max_concurrent(self, endpoint: str | None = None) -> int:
        """Return the largest number of requests that were in progress at the same time."""
        requests = list(self) if endpoint is None else self.to(endpoint)
        events = [(request.started, 1) for request in requests]
        events += [(request.ended, -1) for request in requests if request.ended]
        current = highest = 0
        for _, step in sorted(events):
            current += step
            highest = max(highest, current)
        return highest
