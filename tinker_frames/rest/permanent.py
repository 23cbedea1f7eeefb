"""Responses that never change, such as what a sampler has loaded: kept without expiry, by kind and id.

They are in the account's cache file, or in memory where the cache is off. Writes do not invalidate them; `cache.clear()`
deletes them, and reading with `refresh=True` replaces them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Protocol

from ..schema.coerce import parse_object


class PermanentStore(Protocol):
    """Where permanent responses are stored: see `store.SQLiteStore`."""

    def read_permanent(self, kind: str) -> dict[str, bytes]:
        """Return the responses of a kind, by id."""

    def add_permanent(self, kind: str, responses: Mapping[str, bytes]) -> None:
        """Store responses of a kind; an id that is there already gets the new one."""

    def discard_permanent(self, kind: str, ids: Iterable[str]) -> None:
        """Delete responses of a kind."""


class Permanent:
    """One account's permanent responses.

    Parameters
    ----------
    store
        Where they are stored; None keeps them in memory only.
    account
        The account's fingerprint; what another account has stored is not read.
    """

    def __init__(self, store: PermanentStore | None = None, account: str = "") -> None:
        self._store, self._account = store, account
        self._lock = threading.Lock()
        self._known: dict[str, dict[str, bytes]] = {}  # by kind and id

    def get(self, kind: str, is_valid: Callable[[bytes], bool] | None = None) -> Mapping[str, bytes]:
        """Return the responses of a kind, by id; what was stored is read at the first use, without what is not valid.

        Responses are JSON objects, unless `is_valid` says otherwise; it counts at the first use of a kind.
        """
        with self._lock:
            return self._load(kind, is_valid)

    def add(self, kind: str, responses: Mapping[str, bytes]) -> None:
        """Keep responses of a kind."""
        if not responses:
            return
        with self._lock:
            # A copy: readers may be iterating over the present one.
            self._known[kind] = {**self._load(kind), **responses}
            if self._store is not None:
                self._store.add_permanent(self._name(kind), responses)

    def discard(self, kind: str, ids: Collection[str]) -> None:
        """Forget responses of a kind that turned out to have changed."""
        if not ids:
            return
        with self._lock:
            self._known[kind] = {key: content for key, content in self._load(kind).items() if key not in ids}
            if self._store is not None:
                self._store.discard_permanent(self._name(kind), ids)

    def clear(self) -> None:
        """Forget the responses of this process; `SQLiteStore.clear` deletes the stored ones."""
        with self._lock:
            self._known.clear()

    def _load(self, kind: str, is_valid: Callable[[bytes], bool] | None = None) -> dict[str, bytes]:
        if kind not in self._known:
            stored = {} if self._store is None else self._store.read_permanent(self._name(kind))
            self._known[kind] = {key: content for key, content in stored.items() if (is_valid or _is_object)(content)}
        return self._known[kind]

    def _name(self, kind: str) -> str:
        return f"{self._account}/{kind}"


def _is_object(content: bytes) -> bool:
    return parse_object(content) is not None
