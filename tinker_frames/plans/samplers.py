"""Which checkpoints samplers have loaded, and for which that is unknown; pure.

A sampler names what it loaded by a tinker path, on some servers by a path of the server's own disk. A sampler that cannot be
read, or whose path identifies no checkpoint, makes it unknown for the checkpoints of its run, or for all if no run is named. So does a
path in another spelling than checkpoints have (`%3A` for a colon, a query, another scheme or case).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from ..schema.columns import pandas_array
from ..schema.paths import has_plain_run, is_usual_spelling, normalize_run, run_of, runs_of, session_of

LOCAL_PARTS = ("run", "name", "adapter")  # how TuFT's local paths end


@dataclass(frozen=True)
class Loaded:
    """What samplers have loaded, as far as that is known: those whose session may still be active, but for `ended`."""

    paths: frozenset[str] = frozenset()  # tinker paths
    names: frozenset[tuple[str, str]] = frozenset()  # run and name, of either type: a local path does not tell it
    open_runs: frozenset[str] = frozenset()  # a sampler has loaded something of these, and does not say what
    is_complete: bool = True  # whether nothing else may be loaded
    ended: Loaded | None = None  # the same of samplers of ended sessions, as far as they were read
    sessions: frozenset[str] | None = None  # those that were listed; a checkpoint of another shows that not all were

    def flag(self, paths: Iterable[str]) -> Any:
        """Return whether each of these checkpoints is loaded; NA where that is not known."""
        paths = [str(path) for path in paths]
        present = runs_of(paths)
        unlisted, unread = self._find_unlisted(paths, present), self._find_unread(present)
        rest = None if unread else self._rest  # the list lacks a session, and may lack others
        if not (self.names or self.open_runs or unlisted):
            return pandas_array("bool", [path in self.paths or rest for path in paths])
        parts = [_split_path(path) for path in paths]
        unmatched = {run for run, _ in self.names - set(parts)}  # gone, or called otherwise on the disk
        respelled = {_fold(path)[0] for path in unlisted if not is_usual_spelling(path)}
        runs, names = self.open_runs | unmatched, {_fold(path) for path in unlisted}

        def judge(path: str, part: tuple[str, str]) -> bool | None:
            if path in self.paths or part in self.names:
                return True
            is_open = part[0] in runs or (unlisted and ((fold := _fold(path))[0] in respelled or fold in names))
            return None if is_open else rest

        return pandas_array("bool", [judge(path, part) for path, part in zip(paths, parts, strict=True)])

    def _find_unlisted(self, paths: list[str], present: list[str]) -> set[str]:
        """Return what samplers have loaded of the runs of these checkpoints and is none of them: gone, or another spelling of one."""
        runs = {normalize_run(run) for run in present}
        return {path for path in self.paths - set(paths) if _fold(path)[0] in runs}

    def _find_unread(self, present: list[str]) -> set[str]:
        """Return those of these runs whose session was not listed: its samplers were not read, nor perhaps those of others."""
        if self.sessions is None:
            return set()
        owners = {run: session_of(run) for run in present}
        return {run for run, session in owners.items() if session is not None and session not in self.sessions}

    def flag_ended(self, paths: Iterable[str]) -> Any:
        """Return whether samplers of ended sessions had loaded each of these checkpoints, as far as they were read."""
        return (self.ended or Loaded()).flag(paths)

    @property
    def _rest(self) -> bool | None:
        return False if self.is_complete else None


UNKNOWN = Loaded(is_complete=False)


def find_loaded(
    model_paths: Iterable[str], run_ids: Collection[str], *, is_complete: bool, ended: Collection[str] = ()
) -> Loaded:
    """Return what samplers with these model paths have loaded; `run_ids` are the account's runs, to be found in local paths.

    A folder that holds one of them holds runs: another one there is of a run that is gone, or of somebody else. `ended` are the
    model paths of samplers whose session has ended.
    """
    found = {path: run_of(path) for path in model_paths}
    local = {path: parts for path in found if found[path] is None and (parts := _split_local(path)) is not None}
    folders = {folder for folder, run, _ in local.values() if run in run_ids}
    names, open_runs = set(), set()
    is_complete = is_complete and all(run is None or run in run_ids or has_plain_run(run) for run in found.values())
    for path in (path for path, run in found.items() if run is None):
        named = next((part for part in path.split("/") if part in run_ids), None)
        folder, run, name = local.get(path, ("", None, ""))
        if run is not None and folder in folders and named in (run, None):
            names.add((run, name))
        elif named is not None:
            open_runs.add(named)
        else:
            is_complete = False
    paths = frozenset(path for path, run in found.items() if run is not None)
    past = find_loaded(ended, run_ids, is_complete=True) if ended else None
    return Loaded(paths, frozenset(names), frozenset(open_runs), is_complete, past)


def _fold(path: str) -> tuple[str, str]:
    """Return the run and the name of a path, to compare spellings; of a checkpoint of the other type, they are the same."""
    run, name = _split_path(path)
    return normalize_run(run), name.casefold()


def _split_local(path: str) -> tuple[str, str, str] | None:
    """Return the folder of all runs, the run and the name that a local path of TuFT's form holds; None for another path."""
    *folder, run, name, last = ["", "", "", *path.split("/")]
    return ("/".join(folder), run, name) if run and name and last == LOCAL_PARTS[-1] else None


def _split_path(path: str) -> tuple[str, str]:
    """Return the run and the name of a tinker path."""
    parts = path.partition("://")[2].split("/")
    return parts[0], parts[-1]
