"""The SQLite file behind the cached session: every wait is bounded, and its errors never reach the caller.

requests-cache's own SQLite backend waits forever for a lock, also on a read-only or full disk. This one, written against
its documented extension point, waits `WAIT_S`, then reports once to `on_error` and acts as an empty store.

Every key is stored with the account that the file is named by: a file that was copied or renamed serves nothing. Every value is
stored with a checksum of it and its key: what a power failure or a disk has altered counts as absent.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from requests_cache.backends.base import BaseCache, BaseStorage, DictStorage
from requests_cache.models.response import CachedResponse
from requests_cache.serializers import CattrStage, SerializerPipeline, Stage

WAIT_S = 2.0
CHECKSUM_BYTES = 4
MOST_FREED = 1024  # pages given back at a time, 64 MiB: a store never waits long for its file to shrink
_T = TypeVar("_T")

# MessagePack cannot run code when it is read, and keeps bodies as bytes: no base64, no pickle.
SERIALIZER = SerializerPipeline(
    [CattrStage(), Stage(dumps=msgspec.msgpack.encode, loads=msgspec.msgpack.decode)], name="msgpack", is_binary=True
)

_CREATE = """
CREATE TABLE IF NOT EXISTS responses (key TEXT PRIMARY KEY, value BLOB, expires INTEGER) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS permanent (kind TEXT, id TEXT, value BLOB, PRIMARY KEY (kind, id)) WITHOUT ROWID;
"""

# Waits for nobody: what another process still reads is given back the next time.
_SHRINK = f"""
PRAGMA incremental_vacuum({MOST_FREED});
PRAGMA busy_timeout = 0;
PRAGMA wal_checkpoint(TRUNCATE);
PRAGMA busy_timeout = {WAIT_S * 1000:.0f};
"""


class SQLiteStore(BaseStorage[str, Any]):
    """Key to stored response, in one SQLite file in WAL mode that only its owner can read."""

    def __init__(self, path: Path, on_error: Callable[[str], None]) -> None:
        super().__init__(serializer=SERIALIZER)
        self.path = path
        self._account = path.stem
        self._on_error = on_error
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._pid = 0
        self.off = False

    def __getitem__(self, key: str) -> Any:
        select = "SELECT value FROM responses WHERE key = ?"
        row = self._try(lambda db: db.execute(select, (self._name(key),)).fetchone(), None)
        if row is None:
            raise KeyError(key)
        try:
            found = self.deserialize(key, _check(self._name(key), row[0]))
        except Exception:  # noqa: BLE001  # an entry written by another program can fail in any way
            found = None
        if found is None:
            raise KeyError(key)
        return found

    def __setitem__(self, key: str, value: Any) -> None:
        name = self._name(key)
        row = (name, _seal(name, self.serialize(value)), getattr(value, "expires_unix", None))
        self._write("INSERT OR REPLACE INTO responses VALUES (?, ?, ?)", row)

    def __delitem__(self, key: str) -> None:
        if not self._write("DELETE FROM responses WHERE key = ?", (self._name(key),)):
            raise KeyError(key)

    def __iter__(self) -> Iterator[str]:
        own = self._name("")
        rows: list[tuple[str]] = self._try(lambda db: db.execute("SELECT key FROM responses").fetchall(), [])
        return iter([key.removeprefix(own) for (key,) in rows if key.startswith(own)])

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def clear(self) -> None:
        """Delete every entry, and give the space back."""
        self._write("DELETE FROM responses", ())
        self._write("DELETE FROM permanent", ())
        self._try(lambda db: db.executescript("VACUUM; PRAGMA wal_checkpoint(TRUNCATE);"), None)

    def drop_expired(self) -> None:
        """Delete expired entries, and give their space back, so that the file does not grow with every kind of call."""
        if self._write("DELETE FROM responses WHERE expires <= ?", (int(time.time()),)) > 0:
            self._try(lambda db: db.executescript(_SHRINK), None)

    def read_permanent(self, kind: str) -> dict[str, bytes]:
        """Return the permanent responses of a kind, by id."""
        select = "SELECT id, value FROM permanent WHERE kind = ?"
        rows: list[tuple[str, bytes]] = self._try(lambda db: db.execute(select, (kind,)).fetchall(), [])
        checked = {key: _check(key, value) for key, value in rows if isinstance(key, str)}
        return {key: value for key, value in checked.items() if value is not None}

    def add_permanent(self, kind: str, responses: Mapping[str, bytes]) -> None:
        """Store permanent responses of a kind, in place of those with the same id."""
        rows = [(kind, key, _seal(key, value)) for key, value in responses.items()]

        def insert(db: sqlite3.Connection) -> None:
            with db:
                db.executemany("INSERT OR REPLACE INTO permanent VALUES (?, ?, ?)", rows)

        self._try(insert, None)

    def discard_permanent(self, kind: str, ids: Iterable[str]) -> None:
        """Delete permanent responses of a kind."""
        rows = [(kind, key) for key in ids]

        def delete(db: sqlite3.Connection) -> None:
            with db:
                db.executemany("DELETE FROM permanent WHERE kind = ? AND id = ?", rows)

        self._try(delete, None)

    def close(self) -> None:
        """Close the connection; the next use opens it again."""
        with self._lock:
            if self._connection is not None and self._pid == os.getpid():
                with suppress(sqlite3.Error):
                    self._connection.close()
            self._connection = None

    def __del__(self) -> None:
        with suppress(Exception):
            self.close()

    def _name(self, key: str) -> str:
        return f"{self._account}/{key}"

    def _write(self, statement: str, values: tuple[Any, ...]) -> int:
        def act(db: sqlite3.Connection) -> int:
            with db:
                return db.execute(statement, values).rowcount

        return self._try(act, 0)

    def _try(self, act: Callable[[sqlite3.Connection], _T], otherwise: _T) -> _T:
        """Run a database operation; on an error, report once and act as an empty store from then on."""
        if self.off:
            return otherwise
        with self._lock:
            try:
                return act(self._connect())
            except (sqlite3.Error, OSError) as fault:
                if _is_corrupt(fault) and self._set_aside():
                    with suppress(sqlite3.Error, OSError):
                        return act(self._connect())
                self.off = True
                self._on_error(f"the cache at {self.path} cannot be used ({fault}); going on without it")
                return otherwise

    def _connect(self) -> sqlite3.Connection:
        if self._connection is None or self._pid != os.getpid():  # a connection must not be used after a fork
            self._connection = _open(self.path)
            self._pid = os.getpid()
        with suppress(OSError):
            os.utime(self.path)  # in use: see `cache_files.delete_unused_files`
        return self._connection

    def _set_aside(self) -> bool:
        """Move a corrupt file out of the way; False if that fails."""
        self.close()
        try:
            self.path.replace(self.path.with_suffix(".corrupt"))
            for side in ("-wal", "-shm"):
                Path(f"{self.path}{side}").unlink(missing_ok=True)
        except OSError:
            return False
        self._on_error(f"the cache at {self.path} was corrupt; it was set aside and is being rebuilt")
        return True


class StoredCache(BaseCache):
    """What requests-cache's session expects: responses in a store; redirects are never followed, so none are kept."""

    def __init__(self, store: SQLiteStore, is_storable: Callable[[Any], bool]) -> None:
        super().__init__(cache_name=str(store.path))
        self.responses = store
        self._is_storable = is_storable
        self.redirects = DictStorage()  # type: ignore[no-untyped-call]

    def save_response(self, response: Any, cache_key: str | None = None, expires: datetime | None = None) -> None:
        """Store the body of a response that may be kept, and no header of either side: those are where secrets travel."""
        if cache_key is not None and self._is_storable(response):
            kept = CachedResponse(status_code=response.status_code, url=response.url, expires=expires)
            kept._content = response.content  # noqa: SLF001  # requests keeps a body there; there is no other way to give one
            self.responses[cache_key] = kept


def _open(path: Path) -> sqlite3.Connection:
    """Open or make the file, readable by its owner only; SQLite gives the side files the same mode."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with suppress(FileExistsError):  # to open and close one that exists would drop the locks of this process on it
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    connection = sqlite3.connect(path, timeout=WAIT_S, check_same_thread=False)
    try:
        connection.execute("PRAGMA page_size=65536")  # values are megabytes
        connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=OFF")  # a cache lost with the power is only read again
        connection.executescript(_CREATE)
        connection.commit()
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _seal(key: str, value: bytes) -> bytes:
    """Return a value behind its checksum."""
    return _sum(key, value) + value


def _check(key: str, sealed: Any) -> bytes | None:
    """Return the value behind a checksum that is right; None for what was altered."""
    value = bytes(sealed[CHECKSUM_BYTES:]) if isinstance(sealed, bytes) else b""
    return value if isinstance(sealed, bytes) and sealed[:CHECKSUM_BYTES] == _sum(key, value) else None


def _sum(key: str, value: bytes) -> bytes:
    """Return the checksum of a value and its key."""
    return zlib.crc32(value, zlib.crc32(key.encode())).to_bytes(CHECKSUM_BYTES, "big")


def _is_corrupt(fault: Exception) -> bool:
    """Tell a broken file from a busy, full or read-only one: those are OperationalErrors."""
    return isinstance(fault, sqlite3.DatabaseError) and not isinstance(
        fault, (sqlite3.OperationalError, sqlite3.IntegrityError, sqlite3.ProgrammingError, sqlite3.DataError)
    )
