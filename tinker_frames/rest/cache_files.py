"""Files in the cache folder: the marker of an account's last write, and the removal of files of unused accounts.

Everything here is named `<fingerprint>.<suffix>`; other files of the folder are never touched.
"""

from __future__ import annotations

import os
import re
import sqlite3
import time
from contextlib import closing, suppress
from pathlib import Path

UNUSED_DAYS = 30
_NAME = re.compile(r"([0-9a-f]{16})\.(sqlite|sqlite-wal|sqlite-shm|written|corrupt)")


def touch_marker(folder: Path, account: str) -> int:
    """Touch the account's marker file and return its new time, in Unix nanoseconds."""
    now = time.time_ns()
    marker = folder / f"{account}.written"
    with suppress(OSError):  # a folder that takes no marker took no cache either
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(marker, os.O_WRONLY | os.O_CREAT, 0o600))
        os.utime(marker, ns=(now, now))
    return now


def delete_unused_files(folder: Path, own: str) -> None:
    """Delete the files of accounts that no process has used for 30 days, nor has open; `own` is kept. Raises nothing."""
    before = time.time() - UNUSED_DAYS * 86_400
    for account, paths in _find_files(folder).items():
        with suppress(OSError, sqlite3.Error):
            if account != own and max(path.lstat().st_mtime for path in paths) < before:
                _delete(folder / f"{account}.sqlite", paths)


def _find_files(folder: Path) -> dict[str, list[Path]]:
    """Return the files of each account."""
    found: dict[str, list[Path]] = {}
    with suppress(OSError):
        for path in folder.iterdir():
            name = _NAME.fullmatch(path.name)
            if name and path.is_file() and not path.is_symlink():
                found.setdefault(name[1], []).append(path)
    return found


def _delete(database: Path, paths: list[Path]) -> None:
    """Delete an account's files, its database first; raises where that is open in another process, or not one of ours."""
    if database in paths:
        with closing(sqlite3.connect(database, timeout=0, isolation_level=None)) as connection:
            connection.execute("SELECT 1 FROM permanent, responses LIMIT 1")
            connection.execute("PRAGMA journal_mode=DELETE")  # fails if any other connection is open
            connection.execute("BEGIN EXCLUSIVE")
            database.unlink()
    for path in paths:
        path.unlink(missing_ok=True)
