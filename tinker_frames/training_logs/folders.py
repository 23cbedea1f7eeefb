"""Find log folders below a path, a glob or an fsspec URL, and read their files."""

from __future__ import annotations

import codecs
import os
import re
import stat
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from ..errors import InvalidRequestError
from ..frames.locations import hide_secrets, open_system, parse_location, reach
from ..schema.arguments import list_texts
from ..schema.coerce import replace_surrogates

METRICS, CHECKPOINTS, CONFIG = "metrics.jsonl", "checkpoints.jsonl", "config.json"
PRE_RESUME = f"{METRICS}.pre_resume_"  # what a resumed run calls the metrics that it had before, with the step that it resumed at
GZ = ".gz"
MARKS = frozenset(
    name + end for name in (METRICS, CHECKPOINTS) for end in ("", GZ)
)  # a folder with one of these is a log folder; a config.json alone may be a model's
READERS = 16  # of a remote file system, at the same time
_GLOB = re.compile(r"[*?\[]")
_FILE = re.compile(rf"(?<=.)/(?:{'|'.join(map(re.escape, (METRICS, CHECKPOINTS, CONFIG)))})(?:\{GZ})?$")
_PRUNED = re.compile(r"\..*|iteration_\d+|wandb|__pycache__")  # a run has thousands of folders with its rollouts

NOT_LISTED = "cannot be listed"
NONE_BELOW = "no log folder is below it"
NOT_FOLLOWED = "a link to a folder that is no log folder: not searched, name it beside the others"

Location = str | os.PathLike[str]


@dataclass(frozen=True)
class LogFolder:
    """A folder that a training run logs to; its files are read when they are asked for."""

    path: str  # absolute, or a URL
    place: str  # the same for one that is reached by another path
    names: frozenset[str]  # of its files
    read: Callable[[str], bytes] = field(repr=False, compare=False)


def find_folders(locations: Location | Iterable[Location]) -> tuple[list[LogFolder], list[tuple[str, str]]]:
    """Return the log folders below some locations, sorted by path, and the folders that are left out, with the reason.

    Raises
    ------
    FileNotFoundError
        If the folder that a location begins with does not exist.
    InvalidRequestError
        If there is no location.
    """
    several = list_texts("path", locations, str | os.PathLike)
    if not several:
        raise InvalidRequestError("no folder of training logs is named", hint="Pass e.g. ~/runs.")
    found: dict[str, LogFolder] = {}
    failed: list[tuple[str, str]] = []
    for location in several:
        parsed = parse_location(location)
        find = _find_local if isinstance(parsed, Path) else _find_remote
        below = list(find(_FILE.sub("", str(parsed)), failed))
        failed += [] if below else [(hide_secrets(str(parsed)), NONE_BELOW)]
        found |= {folder.place: folder for folder in below}
    return sorted(found.values(), key=lambda folder: folder.path), failed


def read_files(folders: Iterable[LogFolder], select: Callable[[LogFolder], Iterable[str]]) -> Iterator[dict[str, Any]]:
    """Return for each folder the content of some of its files by name, or the `OSError` that came instead, in order."""
    jobs = [(folder, name) for folder in folders for name in select(folder)]
    with ThreadPoolExecutor(READERS if any("://" in folder.path for folder, _ in jobs) else 1) as pool:
        ahead = _map_ahead(pool, _read, jobs)
        for folder in folders:
            yield {name: next(ahead) for name in select(folder)}


def _map_ahead(pool: ThreadPoolExecutor, function: Callable[[Any], Any], jobs: list[Any]) -> Iterator[Any]:
    """Return the results in order; only as many are computed ahead as there are threads, so that few files are held in memory."""
    pending = [pool.submit(function, job) for job in jobs[:READERS]]
    for place in range(len(jobs)):
        yield pending.pop(0).result()
        if place + READERS < len(jobs):
            pending.append(pool.submit(function, jobs[place + READERS]))


def _read(job: tuple[LogFolder, str]) -> bytes | OSError:
    folder, name = job
    try:
        return decode_content(folder.read(name if name in folder.names else name + GZ))
    except OSError as error:
        return error


def decode_content(content: bytes) -> bytes:
    """Return the content of a file as UTF-8, also of one that is compressed, as far as it goes, or UTF-16."""
    parts = []
    try:
        while content.startswith(b"\x1f\x8b"):
            inflate = zlib.decompressobj(wbits=31)
            parts.append(inflate.decompress(content))
            content = inflate.unused_data
    except zlib.error as error:
        raise OSError(f"is not valid gzip: {error}") from error
    whole = b"".join(parts) if parts else content
    if whole.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return whole.decode("utf-16", "replace").encode()
    return whole


def _split_pattern(text: str) -> tuple[str, str]:
    """Return the folder to search from, and the pattern that log folders or those above them match; empty for any."""
    text = re.sub(r"(?<=.)(/+\*+)*/*$", "", text) or text
    match = _GLOB.search(text)
    if match is None:
        return text, ""
    return text[: match.start()].rpartition("/")[0] or "/", re.sub(r"\*\*/?", "*", text)


def _is_match(folder: str, pattern: str) -> bool:
    return not pattern or fnmatchcase(folder, pattern) or fnmatchcase(folder, f"{pattern}/*")


def _find_local(text: str, failed: list[tuple[str, str]]) -> Iterator[LogFolder]:
    whole = str(Path(text).absolute())
    root, pattern = (whole, "") if Path(whole).is_dir() else _split_pattern(whole)  # a name may hold brackets
    if not Path(root).is_dir():
        what = "is a file, not a folder of training logs" if Path(root).is_file() else "does not exist"
        raise FileNotFoundError(f"there is no folder {root}: it {what}")

    def note(error: OSError) -> None:
        failed.append((replace_surrogates(str(error.filename))[0], f"{NOT_LISTED}: {error.strerror or error}"))

    for folder, below, names in os.walk(root, onerror=note):
        below[:] = [name for name in below if not _PRUNED.fullmatch(name)]
        if _is_match(folder, pattern) and not MARKS.isdisjoint(names):
            yield _make_local(folder, names)
        links = [path for name in below if (path := Path(folder, name)).is_symlink() and _is_match(str(path), pattern)]
        yield from _follow_links(links, root, failed)


def _follow_links(links: list[Path], root: str, failed: list[tuple[str, str]]) -> Iterator[LogFolder]:
    """Return the log folders that links lead to; other folders are not searched through them, since they may hold anything."""
    for link in links:
        if link.resolve().is_relative_to(Path(root).resolve()):
            continue  # which is found without it
        try:
            names = [path.name for path in link.iterdir()]
        except OSError as error:
            failed.append((replace_surrogates(str(link))[0], f"{NOT_LISTED}: {error.strerror or error}"))
            continue
        if MARKS.isdisjoint(names):
            failed.append((replace_surrogates(str(link))[0], NOT_FOLLOWED))
        else:
            yield _make_local(str(link), names)


def _make_local(folder: str, names: Iterable[str]) -> LogFolder:
    shown, place = replace_surrogates(folder)[0], os.path.realpath(folder)
    return LogFolder(shown, place, frozenset(names), lambda name: _read_local(Path(folder, name)))


def _read_local(path: Path) -> bytes:
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError("is not a file")  # of a pipe, reading would not end
    return path.read_bytes()


def _find_remote(url: str, failed: list[tuple[str, str]]) -> Iterator[LogFolder]:
    """Return the log folders of a URL, from one listing of all files below it."""
    del failed  # it can be listed, or not
    root, pattern = _split_pattern(url)
    if "://" not in root or root.endswith(":/"):
        raise InvalidRequestError(f"{hide_secrets(url)} names no bucket", hint="Begin with one, e.g. s3://bucket/runs.")
    system, remote = open_system(root)
    names: dict[str, set[str]] = {}
    for file in reach(root, lambda: system.find(remote)):
        folder, _, name = str(file).rpartition("/")
        names.setdefault(folder, set()).add(name)
    if not names and not reach(root, lambda: system.exists(remote)):
        raise FileNotFoundError(f"there is nothing at {hide_secrets(root)}")
    shown = _name_folders(names, remote, root)
    for folder, path in shown.items():
        if _is_match(path, pattern) and not MARKS.isdisjoint(names[folder]):
            yield LogFolder(
                hide_secrets(path),
                path,
                frozenset(names[folder]),
                lambda name, at=folder: _read_remote(system, f"{at}/{name}"),  # type: ignore[misc]
            )


def _name_folders(folders: Mapping[str, Any], remote: str, root: str) -> dict[str, str]:
    """Return the URL of each folder that is not to be left out, by its path in the file system."""
    below = {folder: folder.removeprefix(remote.rstrip("/")).strip("/") for folder in folders}
    return {
        folder: f"{root.rstrip('/')}/{rest}".rstrip("/")
        for folder, rest in below.items()
        if not any(_PRUNED.fullmatch(part) for part in rest.split("/") if part)
    }


def _read_remote(system: Any, path: str) -> bytes:
    try:
        return bytes(system.cat_file(path))
    except OSError:
        raise
    except Exception as error:  # of the libraries of a file system, which have no common class
        raise OSError(hide_secrets(str(error)[:200])) from error
