"""Cache files of accounts that are not used any more are deleted, and no others."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tinker_frames.rest.cache import AccountCache

OLD, OWN, NEW = "0123456789abcdef", "fedcba9876543210", "00000000aaaaaaaa"
SUFFIXES = (".sqlite", ".sqlite-wal", ".sqlite-shm", ".written", ".corrupt")


def make_files(folder: Path, account: str, days: float, suffixes: tuple[str, ...] = SUFFIXES) -> set[str]:
    """Make the files of an account that was used some days ago, and return their names."""
    cache = AccountCache(folder, account, 300)
    cache.put("k", b"[1]", time.time())
    cache.invalidate()
    cache.close()
    for suffix in suffixes:
        (folder / f"{account}{suffix}").touch()
    for path in folder.glob(f"{account}*"):
        os.utime(path, (time.time() - days * 86_400,) * 2)
    return {path.name for path in folder.glob(f"{account}*")}


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_files_of_unused_accounts_are_deleted(tmp_path: Path) -> None:
    """All files of an account not used for 30 days go when another cache is opened; an account in use keeps all of its own."""
    made = make_files(tmp_path, OLD, 31)
    assert {name.removeprefix(OLD) for name in made} == set(SUFFIXES)
    kept = make_files(tmp_path, OWN, 0) | make_files(tmp_path, NEW, 29)
    make_files(tmp_path, OLD, 31)
    for path in tmp_path.glob(f"{OWN}*"):
        os.utime(path, (1, 1))
    AccountCache(tmp_path, OWN, 300).close()
    assert names(tmp_path) == kept


def test_one_recent_file_keeps_an_account(tmp_path: Path) -> None:
    """The log or the marker of a recent use, or one dated in the future, keeps all files of the account."""
    kept = make_files(tmp_path, OLD, 31)
    for recent, days in ((".sqlite-wal", 1), (".written", -400)):
        os.utime(tmp_path / f"{OLD}{recent}", (time.time() - days * 86_400,) * 2)
        AccountCache(tmp_path, OWN, 300).close()
        assert names(tmp_path) == kept
        os.utime(tmp_path / f"{OLD}{recent}", (1, 1))


def test_other_files_are_left_alone(tmp_path: Path) -> None:
    """Files of other names, folders, links, and databases of other programs stay, however old they are."""
    foreign = "1111111111111111.sqlite"
    for name in (
        "notes.txt",
        f"{OLD}.txt",
        "0123.sqlite",
        f"{OLD}0.sqlite",
        f"x{OLD}.sqlite",
        f"{OLD.upper()}.sqlite",
        foreign,
    ):
        (tmp_path / name).write_text("theirs")
    (tmp_path / "2222222222222222.sqlite").mkdir()
    (tmp_path / "3333333333333333.sqlite").symlink_to(tmp_path / "notes.txt")
    for path in tmp_path.iterdir():
        os.utime(path, (1, 1), follow_symlinks=False)
    before = names(tmp_path)
    AccountCache(tmp_path, OWN, 300).close()
    assert names(tmp_path) == before


HOLD = """
import sys, pathlib
from tinker_frames.rest.cache import AccountCache
cache = AccountCache(pathlib.Path(sys.argv[1]), sys.argv[2], 300)
print(cache.info()["entries"], flush=True)
sys.stdin.readline()
"""


@pytest.mark.parametrize("where", ["here", "in another process"])
def test_open_files_are_left_alone(tmp_path: Path, where: str) -> None:
    """A cache that is open is kept, however old its files seem; it is deleted once it is closed."""
    make_files(tmp_path, OLD, 31, ())
    if where == "here":
        held = AccountCache(tmp_path, OLD, 300)
        assert held.info()["entries"] == 1
        release = held.close
    else:
        command = [sys.executable, "-c", HOLD, str(tmp_path), OLD]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert process.stdout is not None
        assert process.stdout.readline() == b"1\n"
        release = lambda: process.communicate(b"\n", 30)  # noqa: E731
    for is_open in (True, False):
        for path in tmp_path.glob(f"{OLD}*"):
            os.utime(path, (1, 1))
        AccountCache(tmp_path, OWN, 300).close()
        assert (tmp_path / f"{OLD}.sqlite").exists() is is_open
        if is_open:
            release()


def test_missing_and_unusable_folders_raise_nothing(tmp_path: Path) -> None:
    """A cache can be made in a folder that is not there yet, or is a file."""
    AccountCache(tmp_path / "not there", OWN, 300).close()
    (tmp_path / "file").write_text("")
    AccountCache(tmp_path / "file", OWN, 300).close()
    shutil.rmtree(tmp_path)
    AccountCache(tmp_path, OWN, 300).close()
