"""What the server saw: one small record of every request, for tests to look at."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(slots=True)
class RecordedRequest:
    """One request; `status` is None while it is under way and 0 if the connection was cut instead."""

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
    """The records, in the order in which the requests came; safe to read while the server works."""

    def __init__(self) -> None:
        self._lock, self._calls = threading.Lock(), list[RecordedRequest]()

    def __iter__(self) -> Iterator[RecordedRequest]:
        with self._lock:
            return iter(list(self._calls))

    def __len__(self) -> int:
        return len(self._calls)

    def __getitem__(self, index: int) -> RecordedRequest:
        return self._calls[index]

    def add(self, call: RecordedRequest) -> None:
        """Keep a record."""
        with self._lock:
            self._calls.append(call)

    def clear(self) -> None:
        """Forget all records."""
        with self._lock:
            self._calls.clear()

    def to(self, endpoint: str) -> list[RecordedRequest]:
        """Return the records of one endpoint."""
        return [call for call in self if call.endpoint == endpoint]

    def count(self, endpoint: str | None = None) -> int:
        """Return how many requests there were, in all or to one endpoint."""
        return len(self) if endpoint is None else len(self.to(endpoint))

    def max_concurrent(self, endpoint: str | None = None) -> int:
        """Return how many requests were under way at once, at most."""
        calls = list(self) if endpoint is None else self.to(endpoint)
        moments = [(call.started, 1) for call in calls] + [(call.ended, -1) for call in calls if call.ended]
        level = most = 0
        for _, step in sorted(moments):
            level += step
            most = max(most, level)
        return most
