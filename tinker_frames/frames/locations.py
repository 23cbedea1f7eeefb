"""File locations: local paths, which are written atomically, and URLs, which fsspec opens."""

from __future__ import annotations

import os
import re
import secrets
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, TypeVar
from urllib.parse import urlsplit
from urllib.request import url2pathname

from ..errors import InvalidRequestError
from ..schema.arguments import expand_home

MISSING_EXTRA = 'URLs need fsspec: pip install "tinker-frames[remote]", or in a checkout pip install -e ".[remote]"'
T = TypeVar("T")


def parse_location(path: str | os.PathLike[str]) -> Path | str:
    """Return a local path, with `~` expanded, or a URL as it is; `file://` is local.

    Raises
    ------
    InvalidRequestError
        For a `Path` that was made of a URL, which loses one of its slashes, and for what no path can hold.
    """
    text = os.fspath(path)
    if isinstance(path, os.PathLike) and re.match(r"[a-z][a-z0-9+.-]+:/(?!/)", text) and not Path(text).parent.is_dir():
        raise InvalidRequestError(f"{text!r} is a URL that lost a slash", hint="Pass URLs as text, not as a Path.")
    if text.startswith("file://"):
        return Path(url2pathname(urlsplit(text).path))
    return text if "://" in text else expand_home(text, "path")


def write_location(location: Path | str, write: Callable[[BinaryIO], object]) -> None:
    """Write a file where a location says: a local one is the old or the new one, whole; a remote one is sent once it is written."""
    if isinstance(location, Path):
        write_atomically(location, write)
        return
    with _local_copy(location) as (system, remote, copy):
        with copy.open("wb") as file:
            write(file)
        reach(location, lambda: system.put_file(str(copy), remote))


def read_location(location: Path | str, read: Callable[[BinaryIO], T]) -> T:
    """Return what `read` makes of the file at a location."""
    if isinstance(location, Path):
        with location.open("rb") as file:
            return read(file)
    with _local_copy(location) as (system, remote, copy):
        reach(location, lambda: system.get_file(remote, str(copy)))
        with copy.open("rb") as file:
            return read(file)


def write_atomically(target: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write a file under a temporary name, and rename it once all of it is on the disk: it is the old or the new one, whole."""
    if target.exists() and not (target.is_file() or target.is_dir()):  # a device or a pipe, which no file may replace
        with target.open("wb") as file:
            write(file)
        return
    temporary = target.with_name(f".{secrets.token_hex(8)}.tmp")  # no longer than the names that a disk takes
    try:
        with temporary.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except OSError as error:
        if error.errno is None or error.filename not in (None, str(temporary)):
            raise
        raise OSError(error.errno, error.strerror, str(target)) from error
    finally:
        with suppress(OSError):
            temporary.unlink()


def exists(location: Path | str) -> bool:
    """Tell whether there is a file at a location."""
    if isinstance(location, Path):
        return location.exists()
    with _local_copy(location) as (system, remote, _):
        return bool(reach(location, lambda: system.exists(remote)))


def open_system(url: str) -> tuple[Any, str]:
    """Return the file system of a URL, and the path in it.

    Raises
    ------
    ImportError
        Without fsspec, or what it needs for URLs of this kind.
    """
    try:
        from fsspec.core import url_to_fs
    except ImportError as error:
        raise ImportError(MISSING_EXTRA) from error
    system, remote = reach(url, lambda: url_to_fs(url))
    return system, str(remote)


@contextmanager
def _local_copy(url: str) -> Iterator[tuple[Any, str, Path]]:
    """Return the file system of a URL, the path in it, and a file of this machine that goes away afterwards."""
    system, remote = open_system(url)
    with tempfile.TemporaryDirectory(prefix="tinker-frames-") as folder:
        yield system, remote, Path(folder) / "file"


def reach(url: str, call: Callable[[], T]) -> T:
    """Call a file system, whose libraries raise errors of their own."""
    try:
        return call()
    except ImportError:
        raise  # what to install
    except OSError as error:
        if (problem := hide_secrets(str(error))) == str(error):
            raise
        raise (FileNotFoundError if isinstance(error, FileNotFoundError) else OSError)(problem) from None
    except Exception as error:
        raise InvalidRequestError(
            f"{hide_secrets(url)} cannot be reached: {hide_secrets(str(error)[:200])}",
            hint="Check the URL, and the credentials of its service.",
        ) from error


def hide_location(location: Path | str) -> str:
    """Return a location as text that may be shown."""
    return str(location) if isinstance(location, Path) else hide_secrets(location)


def hide_secrets(text: str) -> str:
    """Return text without the passwords and signatures that URLs carry."""
    return re.sub(r"(://)[^/\s@]*@", r"\1…@", re.sub(r"\?\S*", "?…", text))
