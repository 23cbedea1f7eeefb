"""The sorts of table that a view can show, and which of them a frame is: by its identity column, never as rows of another kind; pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import InvalidRequestError
from ..frames.humanize import shorten_ids
from ..schema.catalog import (
    CHECKPOINTS,
    RUNS_WITH_DETAILS,
    SAMPLERS,
    SESSIONS_WITH_DETAILS,
    TRAINING_RUNS,
    known_columns,
)
from ..schema.identity import restore_keys

if TYPE_CHECKING:
    from typing import Any

    import pandas as pd

FEW_COLUMNS = 8  # up to which all are shown
MOST_OWN = 6  # of the user's own columns that come before the others


@dataclass(frozen=True)
class Opening:
    """A link from a row to another table, filtered by one of the row's values."""

    label: str
    sort: str
    column: str
    control: str


@dataclass(frozen=True)
class Sort:
    """A kind of table: its name, its key, the columns shown first, and the links of its rows."""

    name: str
    title: str
    one: str
    key: str
    columns: tuple[str, ...]
    openings: tuple[Opening, ...]
    charts: tuple[tuple[str, str], ...]  # the name of a filter, and the title of its chart


_SESSION = Opening("session", "sessions", "session_id", "session")
_RUN = Opening("run", "training_runs", "training_run_id", "run")
_RUNS = Opening("runs", "training_runs", "session_id", "session")
_OF_RUN = Opening("checkpoints", "checkpoints", "training_run_id", "run")
_OF_SESSION = Opening("checkpoints", "checkpoints", "session_id", "session")

SORTS = {
    sort.name: sort
    for sort in (
        Sort(
            "checkpoints", "Checkpoints", "checkpoint", "tinker_path",
            ("name", "display_name", "base_model", "checkpoint_type", "size_gb", "time", "expires_at", "public", "session_status", "status", "run_corrupted", "corrupted", "training_run_id", "tinker_path"),
            (_RUN, _SESSION), (("run", "run"), ("model", "model")),
        ),
        Sort(
            "training_runs", "Training runs", "training run", "training_run_id",
            ("display_name", "base_model", "status", "checkpoints_count", "size_gb", "storage_usd_month", "last_step", "corrupted", "last_request_time", "training_run_id", "session_id", "user_metadata"),
            (_OF_RUN, _SESSION), (("model", "model"), ("session", "session")),
        ),
        Sort(
            "sessions", "Sessions", "session", "session_id",
            ("display_name", "status", "checkpoints_count", "size_gb", "storage_usd_month", "created_at", "project_id", "owner", "session_id", "user_metadata"),
            (_RUNS, _OF_SESSION), (("session", "session"), ("project", "project")),
        ),
    )
}  # fmt: skip


def sort_of(frame: pd.DataFrame) -> Sort:
    """Return the kind of table that a frame is, by its columns.

    Raises
    ------
    InvalidRequestError
        If the frame cannot be explored.
    """
    frame = restore_keys(frame)
    for sort in SORTS.values():
        if sort.key in frame.columns and "sampler_id" not in frame.columns:
            return sort
    keys = ", ".join(sort.key for sort in SORTS.values())
    raise InvalidRequestError(
        "this frame is not of a table that can be explored",
        hint=f"Keep its key, one of the columns {keys}; usage() and costs() have a chart, storage() has none.",
    )


_OF_SESSIONS, _OF_RUNS = set(SESSIONS_WITH_DETAILS.names), set(RUNS_WITH_DETAILS.names)
# Of which rows a column is a sign; the common ones are a sign only in a frame that a listing of such rows was made into.
_SIGNS = {
    "checkpoint": {column.name for column in CHECKPOINTS.columns} - _OF_SESSIONS - _OF_RUNS,
    "sampler": {"sampler_id", "model_path"},
    "training run": _OF_RUNS - _OF_SESSIONS - set(CHECKPOINTS.names),
}
_KEY_OF = {"checkpoint": CHECKPOINTS.key, "sampler": SAMPLERS.key, "training run": TRAINING_RUNS.key}
_COMMON = {"name", "step", "time", "public", "base_model"}
_LISTED_IN = {"checkpoint": ("checkpoints", "inventory"), "sampler": ("samplers",), "training run": ("training_runs",)}


def check_kind(frame: pd.DataFrame, sort: Sort, table: str) -> None:
    """Refuse rows of another kind than they would be shown as: an action on one would reach checkpoints that no row shows."""
    if sort.name == "checkpoints":
        return
    for kind, signs in _SIGNS.items():
        found = signs - (set() if table in _LISTED_IN[kind] else _COMMON)
        if kind != sort.one and found.intersection(frame.columns):
            raise InvalidRequestError(
                f"these are rows of {kind}s, not of {sort.name}",
                hint=f"Use explore(), and keep the column {_KEY_OF[kind]} when you select columns.",
            )
        if kind == sort.one:
            break
    keys = frame[sort.key].dropna()
    if keys.duplicated().any():
        raise InvalidRequestError(
            f"several rows have the same {sort.key}, so they are not one {sort.one} each",
            hint=f"Keep the column that tells them apart, or use drop_duplicates({sort.key!r}).",
        )


def choose_columns(frame: pd.DataFrame, sort: Sort) -> list[str]:
    """Return the columns that are shown at first: the name, the user's own, then those that matter; all of a few.

    Columns that say nothing are hidden; the list of columns has them.
    """
    if len(frame.columns) <= FEW_COLUMNS:
        return list(frame.columns)
    known = [name for name in sort.columns if name in frame.columns]
    own = [name for name in frame.columns if name not in known_columns() and not name.startswith("meta.")]
    metadata = [name for name in frame.columns if name.startswith("meta.")]
    shown = [name for name in known if frame.empty or name == sort.key or _says_something(frame[name])]
    first = [name for name in shown if name == sort.columns[0]]
    return list(dict.fromkeys([*first, *own[:MOST_OWN], *shown, *own[MOST_OWN:], *metadata]))


def _says_something(values: pd.Series[Any]) -> bool:
    """Tell whether a column has a value, and one of exceptions has one."""
    return bool(
        values.notna().any() and (values.name not in ("corrupted", "run_corrupted") or values.isin([True]).any())
    )


def label_origin(row: pd.Series[Any], value: str) -> str:
    """Return the label of a table that was opened from a row: the name of the row, if it has one, and its id."""
    name = row.get("display_name")
    return f"of {name} ({shorten_ids(value)})" if isinstance(name, str) and name else f"of {shorten_ids(value)}"
