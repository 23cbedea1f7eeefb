"""Find log folders below a path, a glob or an fsspec URL, and read their files."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from ..errors import InvalidRequestError
from ..frames.locations import hide_secrets, open_system, parse_location, reach
from ..schema.arguments import list_texts

METRICS, CHECKPOINTS, CONFIG = "metrics.jsonl", "checkpoints.jsonl", "config.json"
PRE_RESUME = f"{METRICS}.pre_resume_"  # what a resumed run calls the metrics that it had before, with the step that it resumed at
MARKS = (METRICS, CHECKPOINTS)  # a folder with one of these is a log folder; a config.json alone may be a model's
READERS = 16  # of a remote file system, at the same time
_GLOB = re.compile(r"[*?\[]")
_PRUNED = re.compile(r"\..*|iteration_\d+|wandb|__pycache__")  # a run has thousands of folders with its rollouts

Location = str | os.PathLike[str]


@dataclass(frozen=True)
class LogFolder:
    """A folder that a training run logs to; its files are read when they are asked for."""

    path: str  # absolute, or a URL
    names: frozenset[str]  # of its files
    read: Callable[[str], bytes] = field(repr=False, compare=False)


def find_folders(locations: Location | Iterable[Location]) -> tuple[list[LogFolder], list[tuple[str, str]]]:
    """Return the log folders below some locations, sorted by path, and the folders that cannot be listed, with the reason.

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
        found |= {folder.path: folder for folder in find(str(parsed), failed)}
    return [found[path] for path in sorted(found)], failed


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
        return folder.read(name)
    except OSError as error:
        return error


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
        raise FileNotFoundError(f"there is no folder {root}")

    def note(error: OSError) -> None:
        failed.append((str(error.filename), error.strerror or type(error).__name__))

    for folder, below, names in os.walk(root, onerror=note):
        below[:] = [name for name in below if not _PRUNED.fullmatch(name)]
        if _is_match(folder, pattern) and not set(names).isdisjoint(MARKS):
            yield LogFolder(folder, frozenset(names), lambda name, at=folder: Path(at, name).read_bytes())  # type: ignore[misc]


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
        if _is_match(path, pattern) and not names[folder].isdisjoint(MARKS):
            yield LogFolder(
                hide_secrets(path),
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
