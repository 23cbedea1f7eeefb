"""The cached requests session of one account, and whole listings in it; a write invalidates both.

Single objects are kept as requests-cache keeps them. A listing is one entry: its rows as an Arrow stream in the body of one
stored response, so that it is all cached or all fresh. One file per account, named by a fingerprint of server and credential.

A write touches a marker file beside the cache. What was read before the marker is not served again, in any process, also
where the database itself is locked and nothing in it can be deleted.
"""

from __future__ import annotations

import sys
import threading
import time
import warnings
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .cache_files import delete_unused_files, touch_marker
from .permanent import Permanent
from .retry import is_complete_json

if TYPE_CHECKING:
    from requests import Response
    from requests_cache import CachedSession

    from .config import Settings
    from .store import SQLiteStore

STARTED = "X-Read-Started"


class CacheWarning(UserWarning):
    """The cache cannot be used; requests are sent without it."""


class AccountCache:
    """One account's cached session and listings.

    Parameters
    ----------
    folder
        Where the file goes; made readable by its owner only.
    account
        The fingerprint that names the file.
    ttl_s
        How long an entry is served, in seconds.
    """

    def __init__(self, folder: Path, account: str, ttl_s: float) -> None:
        _import_requests_cache()
        from requests_cache import CachedSession

        from .store import SQLiteStore, StoredCache

        delete_unused_files(folder, account)
        self.path = folder / f"{account}.sqlite"
        self.ttl_s = ttl_s
        self._marker = folder / f"{account}.written"
        self._written_ns = 0  # the marker of this process, for folders that take no file
        self._warned = False
        self._lock = threading.Lock()
        self._read_started = threading.local()
        self._store: SQLiteStore = SQLiteStore(self.path, self._warn_once)
        self.permanent = Permanent(self._store, account)
        self.session: CachedSession = CachedSession(
            backend=StoredCache(self._store, self._is_storable),
            expire_after=timedelta(seconds=ttl_s),
            allowable_codes=(200,),
            allowable_methods=("GET", "POST"),  # reads only come here, and some of them are POSTs
        )

    def start_read(self) -> float:
        """Record that this thread starts a read through the session, and return the time (Unix seconds)."""
        self._read_started.at = time.time()
        return float(self._read_started.at)

    def _is_storable(self, response: Response) -> bool:
        """Tell whether a response that this thread read may be stored: it is complete, and no write came since."""
        return is_complete_json(response.content) and not self.is_outdated(getattr(self._read_started, "at", 0.0))

    def get(self, key: str, *, ignore_writes: bool = False) -> tuple[bytes, float] | None:
        """Return a listing's stored bytes and the time its reading began (Unix seconds); None if absent, old or outdated.

        With `ignore_writes`, for listings that no write of ours changes, only its age counts.
        """
        found = self._store.get(key)
        if found is None or found.is_expired:
            return None
        started = _parse_number(found.headers.get(STARTED))
        if started is None or (not ignore_writes and self.is_outdated(started)):
            return None
        return found.content, started

    def put(self, key: str, body: bytes, started: float) -> None:
        """Store a listing as one response with one age and one expiry, unless a write came since its reading began."""
        from requests.structures import CaseInsensitiveDict
        from requests_cache.models.response import CachedResponse

        if self.is_outdated(started):
            return
        expires = datetime.fromtimestamp(started, UTC) + timedelta(seconds=self.ttl_s)
        headers = CaseInsensitiveDict({STARTED: repr(started)})
        response = CachedResponse(status_code=200, url=f"listing:{key}", headers=headers, expires=expires)
        response._content = body  # noqa: SLF001  # requests keeps a body there; there is no other way to give one
        self._store[key] = response
        self._store.drop_expired()

    def is_outdated(self, started: float) -> bool:
        """Tell whether a read of this time (Unix seconds) must not be served: it expired, or a write came later.

        So is one of the future: the clock has been set back, and its age cannot be known.
        """
        now = time.time()
        return not now - self.ttl_s < started <= now or started * 1e9 <= self._last_write_ns()

    def invalidate(self) -> None:
        """Invalidate everything read so far, in every process."""
        self._written_ns = touch_marker(self._marker.parent, self._marker.stem)

    def clear(self) -> None:
        """Delete everything cached for this account."""
        self.invalidate()
        self._store.clear()
        self.permanent.clear()

    def info(self) -> dict[str, Any]:
        """Return path, number of entries, bytes on disk, lifetime in seconds, and whether the cache works."""
        entries = len(self._store)
        size = sum(_size(Path(f"{self.path}{side}")) for side in ("", "-wal"))
        return {
            "enabled": not self._store.off,
            "path": str(self.path),
            "entries": entries,
            "size_bytes": size,
            "ttl_s": self.ttl_s,
        }

    def close(self) -> None:
        """Close the file."""
        self.session.close()  # type: ignore[no-untyped-call]
        self._store.close()

    def _last_write_ns(self) -> int:
        """Return when the account was last written to; a time of the future, as after the clock was set back, becomes the present one."""
        try:
            last = max(self._written_ns, self._marker.stat().st_mtime_ns)
        except OSError:
            last = self._written_ns
        if last > time.time_ns():
            self.invalidate()
            last = self._written_ns
        return last

    def _warn_once(self, message: str) -> None:
        """Warn once that the cache cannot be used."""
        with self._lock:
            if self._warned:
                return
            self._warned = True
        warnings.warn(message, CacheWarning, stacklevel=2)


class ClientCache:
    """The cache of a client's account, as `client.cache`.

    Parameters
    ----------
    settings
        Whether, where and for how long responses are cached.
    open_cache
        Returns the account's cache, None if it is off; opened at first use, since its name depends on the credential.
    """

    def __init__(self, settings: Settings, open_cache: Callable[[], AccountCache | None]) -> None:
        self._settings = settings
        self._open = open_cache

    def info(self) -> dict[str, Any]:
        """Return what the cache of the account holds; sends no request.

        Returns
        -------
        dict
            `enabled`, `path` (the file), `entries` (their number), `size_bytes` (on disk) and `ttl_s` (life of an entry in seconds).

        Examples
        --------
        >>> client.cache.info()["size_bytes"]
        """
        cache = self._open()
        if cache is None:
            return {"enabled": False, "path": None, "entries": 0, "size_bytes": 0, "ttl_s": 0.0}
        return cache.info()

    def clear(self) -> None:
        """Delete the cache of this account; other accounts' caches are kept. Sends no request.

        Examples
        --------
        >>> client.cache.clear()
        """
        cache = self._open()
        if cache is not None:
            cache.clear()

    def __repr__(self) -> str:
        if not self._settings.cache:
            return "<Cache off>"
        return f"<Cache of {self._settings.cache_ttl:g} s in {self._settings.cache_dir}>"


def _import_requests_cache() -> None:
    """Import requests-cache, the first time in a thread.

    It keeps the errors of imports that are optional, and with them every frame that is active then: the client would never be
    garbage-collected, nor what its caller's variables hold.
    """
    if "requests_cache" not in sys.modules:
        loader = threading.Thread(target=import_module, args=("requests_cache",))
        loader.start()
        loader.join()


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _parse_number(text: str | None) -> float | None:
    try:
        return float(text or "")
    except ValueError:
        return None
