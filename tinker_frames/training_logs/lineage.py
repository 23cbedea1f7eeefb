"""Lineage of checkpoints: which training runs were started from which checkpoint, as a frame and as a tree. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..errors import InvalidRequestError
from ..frames.text import escape_control_characters
from ..schema.arguments import check_arguments
from ..schema.columns import pandas_array
from ..schema.paths import normalize_path, normalize_run, read_console_link, run_of
from .reader import Logs, find_logs
from .steps import Parent

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd

    from .folders import Location


NO_LOG = "no training log is of its run, and none was started from it"
MOST_INDENT = 20  # levels of a printed tree
Entry = tuple[Parent, str]  # a training run with what it was started from, and its log folder


@dataclass(frozen=True)
class Lineage:
    """The training runs that a checkpoint comes from, and those that were started from it; printed as a tree.

    Attributes
    ----------
    path : str
        The checkpoint.
    frame : DataFrame
        One row per training run, from the first ancestor on: `depth` (Int64, 0 for the run of the checkpoint, negative for those that
        it comes from), `training_run_id` (NA for a run that has saved nothing yet), `parent_path` (what it was started from; NA for a base model or what no log tells) and
        `log_path` (str).
    is_known : bool
        Whether a training log is of its run, or of one that was started from it.
    is_named : bool
        Whether a training log names the checkpoint: as one that it saved, or that another run was started from.
    """

    path: str
    frame: pd.DataFrame = field(repr=False)
    is_named: bool = True

    def __repr__(self) -> str:
        rows = zip(*(self.frame[name] for name in ("depth", "training_run_id", "parent_path", "log_path")), strict=True)
        first = int(self.frame["depth"].min())
        lines = [_format_row(int(depth) - first, *texts, is_own=depth == 0) for depth, *texts in rows]
        return "\n".join([f"Lineage of {escape_control_characters(self.path)}{self._describe()}", *lines])

    @property
    def is_known(self) -> bool:
        """Whether a training log is of its run, or of one that was started from it."""
        return len(self.frame) > 1 or bool(self.frame["log_path"].notna().any())

    def _describe(self) -> str:
        """Return what is known of it, to stand behind its path."""
        if not self.is_known:
            return f": {NO_LOG}"
        known = ", whose run has the *" if len(self.frame) > 1 else ": no parent and no child is known"
        return known if self.is_named else f"{known}; no log names this checkpoint"


@check_arguments
def lineage(path: str, logs: Logs | Location | Iterable[Location]) -> Lineage:
    """Return what a checkpoint comes from and what was started from it, as far as training logs tell.

    A run was started from the `load_checkpoint_path` of its `config.json`; one that resumed, from the last training state before.

    Parameters
    ----------
    path
        A tinker path, or its link of the console; its twin, saved together with it, counts as the same. Or the id of a training run
        that a log is of: then all that was started from any of its checkpoints is in the tree.
    logs
        What `tkf.logs` returned, or what it takes.

    Returns
    -------
    Lineage
        Printed as a tree; `.frame` has one row per training run.

    Raises
    ------
    InvalidRequestError
        If the path is no tinker path, and no run that a log is of.

    Examples
    --------
    >>> tkf.lineage(tinker_path, logs="~/runs")
    """
    found = find_logs(logs)
    run, name = _read_run_and_name(path, found)
    ancestors = list(_find_ancestors(run, found))
    children = _find_children(found)
    started = [each for each in children.get(run, []) if name in (None, _name_parent(each)) and _key(each) != run]
    below = list(_find_descendants(started, children, {run, *ancestors}, 1))
    entries = [_find_entry(each, found) for each in [*reversed(ancestors), run]]
    if entries[-1][0].training_run_id == run:  # no log has it: as it was given
        entries[-1] = Parent(run_of(path) or entries[-1][0].training_run_id, entries[-1][0].parent_path), entries[-1][1]
    rows = [(place - len(ancestors), *entry) for place, entry in enumerate(entries)] + below
    return Lineage(path, _build_frame(rows), name is None or bool(started) or found.find_rows([path])[0] >= 0)


def _read_run_and_name(text: str, logs: Logs) -> tuple[str, str | None]:
    """Return the normalized run and the checkpoint's name that a text means; of a run without a name."""
    if own := normalize_path(text):
        return own.training_run_id, own.name
    run = normalize_run(read_console_link(text) or text)
    if run in logs.parents_by_run:
        return run, None
    raise InvalidRequestError(
        f"{text!r} is not a tinker path, and no training log is of a run with this id",
        hint="Pass e.g. tinker://<run>/weights/<name>.",
    )


def _find_entry(run: str, logs: Logs) -> Entry:
    return logs.parents_by_run.get(run, (Parent(run, None), ""))


def _find_ancestors(run: str, logs: Logs) -> Iterator[str]:
    """Return the runs that a run comes from, the nearest first; a circle, which broken logs can have, is gone round once."""
    seen = {run}
    while (parent := _find_entry(run, logs)[0].parent_path) is not None and (meant := normalize_path(parent)):
        run = meant.training_run_id
        if run in seen:
            return
        seen.add(run)
        yield run


def _find_children(logs: Logs) -> dict[str, list[Entry]]:
    """Return the runs that were started from any checkpoint of each run."""
    children: dict[str, list[Entry]] = {}
    for entry in logs.parents:
        if entry[0].parent_path is not None and (meant := normalize_path(entry[0].parent_path)):
            children.setdefault(meant.training_run_id, []).append(entry)
    return children


def _find_descendants(
    entries: list[Entry], children: dict[str, list[Entry]], seen: set[str], depth: int
) -> Iterator[tuple[int, Parent, str]]:
    """Return the runs, each followed by those that were started from any of its checkpoints."""
    pending = [(depth, entry) for entry in reversed(entries)]
    while pending:
        depth, entry = pending.pop()
        if (key := _key(entry)) not in seen:
            seen.add(key)
            yield depth, *entry
            pending += [(depth + 1, child) for child in reversed(children.get(key, []))]


def _key(entry: Entry) -> str:
    """Return the normalized id of a run; of one that has saved nothing yet, its folder, which no id is."""
    run = entry[0].training_run_id
    return f"{entry[1]}/" if run is None else normalize_run(run)


def _name_parent(entry: Entry) -> str | None:
    """Return the name of the checkpoint that a run was started from."""
    meant = normalize_path(entry[0].parent_path or "")
    return meant.name if meant else None


def _build_frame(rows: list[tuple[int, Parent, str]]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(
        {
            "depth": pandas_array("int", [depth for depth, *_ in rows]),
            "training_run_id": pandas_array("text", [each.training_run_id for _, each, _ in rows]),
            "parent_path": pandas_array("text", [each.parent_path for _, each, _ in rows]),
            "log_path": pandas_array("text", [path or None for *_, path in rows]),
        }
    )


def _format_row(indent: int, run: Any, parent: Any, log_path: Any, *, is_own: bool) -> str:
    """Return a run as a line of the tree, with the name of the checkpoint that it was started from."""
    cut = f"({indent}) " if indent > MOST_INDENT else ""  # the depth, of what would be too far to the right
    branch = "   " * (min(indent, MOST_INDENT) - 1) + f"{cut}└─ " if indent else ""
    text = f"{'*' if is_own else ''}{run if isinstance(run, str) else 'a run that has saved nothing yet'}"
    text += f", from {parent.partition('://')[2].partition('/')[2]}" if isinstance(parent, str) else ""
    text += f"  ({log_path})" if isinstance(log_path, str) else ""
    return branch + escape_control_characters(text)
