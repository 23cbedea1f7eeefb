"""The SQLite file of the cached session: private, with bounded waits, and never running code."""

from __future__ import annotations

import os
import pickle
import shutil
import sqlite3
import stat
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from requests.structures import CaseInsensitiveDict
from requests_cache.models.response import CachedResponse

from tinker_frames.rest.store import SQLiteStore


def response(body: bytes = b"{}", expires_in_s: float = 300) -> CachedResponse:
    made = CachedResponse(
        status_code=200,
        url="https://h/x",
        headers=CaseInsensitiveDict({"A": "b"}),
        expires=datetime.now().astimezone() + timedelta(seconds=expires_in_s),
    )
    made._content = body
    return made


class Reports(list[str]):
    """Collects the reports of a store."""


@pytest.fixture
def reports() -> Reports:
    return Reports()


@pytest.fixture
def store(tmp_path: Path, reports: Reports) -> Iterator[SQLiteStore]:
    made = SQLiteStore(tmp_path / "cache" / "a.sqlite", reports.append)
    yield made
    made.close()


def test_what_was_altered_counts_as_absent(store: SQLiteStore, tmp_path: Path, reports: Reports) -> None:
    """A value with another bit, without its end, or under another key is not served, and costs none of the others."""
    for key in ("good", "flipped", "cut", "moved"):
        store[key] = response(b"1" * 100)
    store.add_permanent("kind", {"good": b"{}", "flipped": b"{ }", "moved": b"[]"})
    with sqlite3.connect(tmp_path / "cache" / "a.sqlite") as db:
        for table, column in (("responses", "key"), ("permanent", "id")):
            (value,) = db.execute(f"SELECT value FROM {table} WHERE {column} LIKE '%flipped'").fetchone()
            flipped = value[:-1] + bytes([value[-1] ^ 1])
            db.execute(f"UPDATE {table} SET value = ? WHERE {column} LIKE '%flipped'", (flipped,))
            db.execute(f"UPDATE {table} SET {column} = 'a/else' WHERE {column} LIKE '%moved'")
        db.execute("UPDATE responses SET value = substr(value, 1, 3) WHERE key LIKE '%cut'")
    db.close()
    assert {key for key in ("good", "flipped", "cut", "else") if key in store} == {"good"}
    assert store.read_permanent("kind") == {"good": b"{}"}
    assert not reports


def test_what_is_put_comes_back(store: SQLiteStore, reports: Reports) -> None:
    """Any bytes are returned unchanged, with status, URL and headers."""
    body = bytes(range(256)) * 10_000
    store["k"] = response(body)
    found = store["k"]
    assert (found.content, found.status_code, found.url, found.headers["A"]) == (body, 200, "https://h/x", "b")
    assert list(store) == ["k"]
    assert len(store) == 1
    del store["k"]
    assert "k" not in store
    with pytest.raises(KeyError):
        del store["k"]
    assert reports == []


def test_expired_entries_can_be_dropped(store: SQLiteStore) -> None:
    """Expired entries are dropped, others stay."""
    store["old"], store["new"] = response(expires_in_s=-5), response()
    store.drop_expired()
    assert list(store) == ["new"]


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
def test_folder_and_files_are_private(tmp_path: Path, reports: Reports, mask: int) -> None:
    """The folder is 0700, the file and its side files 0600, whatever the umask."""
    old = os.umask(mask)
    try:
        made = SQLiteStore(tmp_path / "deep" / "cache" / "a.sqlite", reports.append)
        made["k"] = response(b"x" * 100_000)
    finally:
        os.umask(old)
    files = list(made.path.parent.iterdir())
    assert {path.name for path in files} >= {"a.sqlite", "a.sqlite-wal"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert stat.S_IMODE(made.path.parent.stat().st_mode) == 0o700
    made.close()


class Exploding:
    """Runs code when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self._mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self._mark),)


@pytest.mark.parametrize("kind", ["pickle", "garbage", "text", "null", "empty", "other msgpack", "half", "number"])
def test_doctored_values_are_no_entries(store: SQLiteStore, reports: Reports, tmp_path: Path, kind: str) -> None:
    """A tampered value counts as absent: none of its code runs, nothing is raised, and other entries still work."""
    store["good"] = response(b"[1]")
    mark = tmp_path / "ran"
    half = store.serialize(response(b"[1]"))
    value: Any = {
        "pickle": pickle.dumps(Exploding(mark)),
        "garbage": os.urandom(200),
        "text": "text",
        "null": None,
        "empty": b"",
        "other msgpack": msgspec.msgpack.encode({"status_code": {"a": []}, "headers": 7}),
        "half": half[: len(half) // 2],
        "number": 5,
    }[kind]
    with sqlite3.connect(store.path) as other:
        other.execute("INSERT INTO responses VALUES ('a/bad', ?, NULL)", (value,))
    other.close()
    with pytest.raises(KeyError):
        store["bad"]
    assert not mark.exists()
    assert store["good"].content == b"[1]"
    assert reports == []


@pytest.mark.parametrize("content", [b"no database at all" * 100, b"SQLite format 3\x00" + b"\x01" * 5000])
def test_corrupt_file_is_set_aside(tmp_path: Path, reports: Reports, content: bytes) -> None:
    """A file that is not a database is moved away and rebuilt, with one report."""
    path = tmp_path / "a.sqlite"
    path.write_bytes(content)
    made = SQLiteStore(path, reports.append)
    made["k"] = response(b"[1]")
    assert made["k"].content == b"[1]"
    assert not made.off
    assert path.with_suffix(".corrupt").read_bytes() == content
    assert len(reports) == 1
    assert "corrupt" in reports[0]
    made.close()


def test_truncated_file_is_set_aside(tmp_path: Path, reports: Reports) -> None:
    """A truncated database is rebuilt, too."""
    path = tmp_path / "a.sqlite"
    first = SQLiteStore(path, reports.append)
    for number in range(20):
        first[str(number)] = response(os.urandom(60_000))
    first.close()
    with path.open("r+b") as file:
        file.truncate(65536 + 1000)
    second = SQLiteStore(path, reports.append)
    for number in range(20):
        second.get(str(number))
    second["k"] = response(b"[1]")
    assert second["k"].content == b"[1]"
    assert len(reports) == 1
    second.close()


@pytest.mark.parametrize("place", ["file", "folder"])
def test_unusable_place(tmp_path: Path, reports: Reports, place: str) -> None:
    """Where no file can be created, the store is empty, does not raise, and reports once."""
    path = tmp_path / "cache" / "a.sqlite"
    if place == "file":
        path.mkdir(parents=True)
    else:
        path.parent.write_text("in the way")
    made = SQLiteStore(path, reports.append)
    made["k"] = response()
    assert made.get("k") is None
    assert len(made) == 0
    assert list(made) == []
    made.clear()
    made.drop_expired()
    assert made.off
    assert len(reports) == 1
    assert "going on without it" in reports[0]


def test_foreign_database(tmp_path: Path, reports: Reports) -> None:
    """Another program's database is left alone, and the store works without it."""
    path = tmp_path / "a.sqlite"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE responses (a)")
    other.close()
    made = SQLiteStore(path, reports.append)
    made["k"] = response()
    assert made.get("k") is None
    assert made.off
    assert len(reports) == 1
    made.close()
    with sqlite3.connect(path) as other:
        assert other.execute("SELECT count(*) FROM responses").fetchone() == (0,)
    other.close()


def test_full_disk(store: SQLiteStore, reports: Reports) -> None:
    """When the disk is full, the store is not used, with one report."""
    store["k"] = response(b"[1]")
    connection = store._connect()
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count={pages}").fetchall()
    store["big"] = response(b"x" * 1_000_000)
    store["big"] = response(b"x" * 1_000_000)
    assert store.get("big") is None
    assert len(reports) == 1
    assert "full" in reports[0]


def test_locked_database_is_waited_for_with_a_bound(store: SQLiteStore, reports: Reports) -> None:
    """While another process holds the lock, a write gives up after a bounded wait, with one report and no further wait."""
    store["k"] = response(b"[1]")
    other = sqlite3.connect(store.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    for number in range(5):
        store[str(number)] = response()
    assert store.off
    assert len(reports) == 1
    assert "locked" in reports[0]
    other.execute("ROLLBACK")
    other.close()


def test_threads_share_one_store(store: SQLiteStore, reports: Reports) -> None:
    """Many threads may read and write at once."""

    def work(number: int) -> None:
        for turn in range(20):
            store[f"{number}-{turn}"] = response(str(number).encode())
            assert store[f"{number}-{turn}"].content == str(number).encode()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store) == 160
    assert reports == []


def test_store_works_after_a_fork(store: SQLiteStore, reports: Reports) -> None:
    """A forked child uses its own connection and leaves the parent's alone."""
    store["parent"] = response(b"[1]")
    child = os.fork()
    if not child:
        good = False
        try:
            good = store["parent"].content == b"[1]"
            store["child"] = response(b"[2]")
            store.close()
        finally:
            os._exit(0 if good and not reports else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert store["child"].content == b"[2]"
    store["after"] = response(b"[3]")
    assert store["after"].content == b"[3]"
    assert reports == []


def test_expired_entries_give_their_space_back(store: SQLiteStore, reports: Reports) -> None:
    """Once expired entries are dropped, the file and its log are hardly larger than what is left, also beside a reader."""
    reader = sqlite3.connect(store.path.parent.mkdir() or store.path, isolation_level=None)
    for number in range(20):
        store[str(number)] = response(os.urandom(500_000), expires_in_s=-5)
    store["new"] = response(os.urandom(500_000))
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM responses").fetchall()
    store.drop_expired()
    reader.close()
    store["other"] = response(expires_in_s=-5)
    store.drop_expired()
    sizes = [Path(f"{store.path}{side}").stat().st_size for side in ("", "-wal")]
    assert sum(sizes) < 1_500_000
    assert list(store) == ["new"]
    assert reports == []


@pytest.mark.parametrize("how", ["copied", "renamed"])
def test_file_of_another_account_serves_nothing(tmp_path: Path, reports: Reports, how: str) -> None:
    """What a file holds for one account is not served under another account's name."""
    mine = SQLiteStore(tmp_path / "a.sqlite", reports.append)
    mine["k"] = response(b"[1]")
    mine.close()
    other = tmp_path / "b.sqlite"
    shutil.copy(mine.path, other) if how == "copied" else mine.path.rename(other)
    theirs = SQLiteStore(other, reports.append)
    assert theirs.get("k") is None
    assert list(theirs) == []
    theirs["k"] = response(b"[2]")
    assert theirs["k"].content == b"[2]"
    theirs.close()
    assert reports == []


def test_clear_gives_the_space_back(store: SQLiteStore) -> None:
    """Clearing leaves no entry and frees the space."""
    store["k"] = response(b"SECRET-LOOKING-ROW" * 10_000)
    store.close()  # moves it from the log to the main file
    full = store.path.stat().st_size
    store.clear()
    assert store.path.stat().st_size < full
    assert len(store) == 0
    store.close()
    held = b"".join(path.read_bytes() for path in store.path.parent.iterdir())
    assert b"SECRET-LOOKING-ROW" not in held
