"""Lineage of checkpoints: which training runs were started from which checkpoint, as a frame and as a tree. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..errors import InvalidRequestError
from ..frames.text import escape_control_characters
from ..schema.arguments import check_arguments
from ..schema.columns import pandas_array
from ..schema.paths import run_of
from .reader import Logs, find_logs
from .steps import PATHS

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd

    from .folders import Location


@dataclass(frozen=True)
class Lineage:
    """The training runs that a checkpoint comes from, and those that were started from it; printed as a tree.

    Attributes
    ----------
    path : str
        The checkpoint.
    frame : DataFrame
        One row per training run, from the first ancestor on: `depth` (Int64, 0 for the run of the checkpoint, negative for those that
        it comes from), `training_run_id`, `parent_path` (what it was started from; NA for a base model or what no log tells) and
        `log_path` (str).
    """

    path: str
    frame: pd.DataFrame = field(repr=False)

    def __repr__(self) -> str:
        rows = zip(*(self.frame[name] for name in ("depth", "training_run_id", "parent_path", "log_path")), strict=True)
        first = int(self.frame["depth"].min())
        lines = [_format_row(int(depth) - first, *texts, is_own=depth == 0) for depth, *texts in rows]
        return "\n".join([f"Lineage of {escape_control_characters(self.path)}", *lines])


@check_arguments
def lineage(path: str, logs: Logs | Location | Iterable[Location]) -> Lineage:
    """Return what a checkpoint comes from and what was started from it, as far as training logs tell.

    A run was started from the `load_checkpoint_path` of its `config.json`; one that resumed, from the last training state before.

    Parameters
    ----------
    path
        A tinker path. Its twin, saved together with it, counts as the same.
    logs
        What `tkf.logs` returned, or what it takes.

    Returns
    -------
    Lineage
        Printed as a tree; `.frame` has one row per training run.

    Raises
    ------
    InvalidRequestError
        If the path is no tinker path.

    Examples
    --------
    >>> tkf.lineage(tinker_path, logs="~/runs")
    """
    run = run_of(path)
    if run is None:
        raise InvalidRequestError(f"{path!r} is not a tinker path", hint="Pass e.g. tinker://<run>/weights/<name>.")
    found = find_logs(logs)
    ancestors = list(_find_ancestors(run, found))
    own = [(0, run)]
    twins = _find_twins(path, found)
    started = [each for each, (parent, _) in found.parents.items() if parent in twins and each != run]
    below = list(_find_descendants(started, found, {run, *ancestors}, 1))
    rows = [(-len(ancestors) + place, each) for place, each in enumerate(reversed(ancestors))] + own + below
    return Lineage(path, _build_frame(rows, found))


def _find_ancestors(run: str, logs: Logs) -> Iterator[str]:
    """Return the runs that a run comes from, the nearest first; a circle, which broken logs can have, is gone round once."""
    seen = {run}
    while (parent := logs.parents.get(run, (None, ""))[0]) is not None:
        run = str(run_of(parent))
        if run in seen:
            return
        seen.add(run)
        yield run


def _find_descendants(runs: list[str], logs: Logs, seen: set[str], depth: int) -> Iterator[tuple[int, str]]:
    """Return the runs, each followed by those that were started from any of its checkpoints."""
    children: dict[str, list[str]] = {}
    for child, (parent, _) in logs.parents.items():
        if parent is not None:
            children.setdefault(str(run_of(parent)), []).append(child)
    pending = [(depth, run) for run in reversed(runs)]
    while pending:
        depth, run = pending.pop()
        if run not in seen:
            seen.add(run)
            yield depth, run
            pending += [(depth + 1, child) for child in reversed(children.get(run, []))]


def _find_twins(path: str, logs: Logs) -> set[str]:
    """Return a path and the one that was saved together with it."""
    place = logs.rows_by_path.get(path)
    if place is None:
        return {path}
    return {path, *(str(logs.checkpoints[name].iloc[place]) for name in PATHS)}


def _build_frame(rows: list[tuple[int, str]], logs: Logs) -> pd.DataFrame:
    import pandas as pd

    known = [logs.parents.get(run, (None, None)) for _, run in rows]
    return pd.DataFrame(
        {
            "depth": pandas_array("int", [depth for depth, _ in rows]),
            "training_run_id": pandas_array("text", [run for _, run in rows]),
            "parent_path": pandas_array("text", [parent for parent, _ in known]),
            "log_path": pandas_array("text", [path for _, path in known]),
        }
    )


def _format_row(indent: int, run: str, parent: Any, log_path: Any, *, is_own: bool) -> str:
    """Return a run as a line of the tree, with the name of the checkpoint that it was started from."""
    branch = "   " * (indent - 1) + "└─ " if indent else ""
    text = f"{'*' if is_own else ''}{run}"
    text += f", from {parent.partition('://')[2].partition('/')[2]}" if isinstance(parent, str) else ""
    text += f"  ({log_path})" if isinstance(log_path, str) else ""
    return branch + escape_control_characters(text)
