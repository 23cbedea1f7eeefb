"""The details of one row of a view: its fields, its metadata, the checkpoints of its run, and the samplers that have loaded it."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..errors import InvalidRequestError
from ..frames.humanize import format_size
from ..frames.text import escape_control_characters
from ..rest.threads import attempt, start_threads
from ..schema.paths import write_console_link
from ..training_logs.curves import LOGS, FolderByRun, RunLog, read_run_log
from . import cells, refresh
from .chart_messages import Curve
from .charts import LOOKS, find_looks, label_look
from .controls import METADATA
from .curves import choose_metric, describe_curve, list_metrics
from .filters import literal
from .messages import Detail, DetailField, Snippet, TimelineEntry
from .task import describe_error

if TYPE_CHECKING:
    from ..client import Client
    from .table import TableState

MOST_ENTRIES = 200  # of a timeline; those around the row
OF_METADATA = {"user_metadata": "", "run_user_metadata": "run", "session_user_metadata": "session"}


@dataclass
class Found:
    """What was read for one row; None until then, and `problem` is why not all of it could be."""

    checkpoints: pd.DataFrame | None = None  # of a training run; those of a checkpoint's run are in its table
    log: RunLog | None = None  # of a checkpoint's run, where the frame says in which folder it is
    samplers: list[str] | None = None
    problem: str = ""


class Details:
    """The row of a table whose details are shown, and what was read for them in the background.

    Attributes
    ----------
    key
        The key of the row; empty while none is shown.
    """

    def __init__(self, client: Callable[[], Client], changed: Callable[[], None]) -> None:
        self.key = ""
        self._client, self._changed = client, changed
        self._found = Found()
        self._metric = ""  # that was chosen to be drawn, also for rows that are opened later
        self._last_log: tuple[str, RunLog] | None = None  # that was read last, with its folder

    def open(self, state: TableState, key: str) -> None:
        """Show the details of a row; no key closes them."""
        self.key, self._found = key, Found()
        row = find_row(state, key)
        if state.sort.name == "training_runs" and row is not None:
            self._read(lambda found: self._read_checkpoints(found, row))
        if folder := find_log(state, row):
            self._read(lambda found: self._read_log(found, folder))
        self._changed()

    def draw_metric(self, name: str) -> None:
        """Draw this metric of training logs from now on."""
        self._metric = name
        self._changed()

    def reload(self, state: TableState) -> None:
        """Read again what belongs to the row that is shown, after its table was."""
        if find_row(state, self.key) is not None:
            self.open(state, self.key)

    def find_samplers(self, state: TableState) -> None:
        """Read in the background which samplers have loaded the row that is shown."""
        key, column = self.key, "model_path" if state.sort.name == "checkpoints" else state.sort.key
        self._read(lambda found: self._read_samplers(found, key, column))

    def get_row(self, state: TableState) -> pd.Series[Any]:
        """Return the row that is shown.

        Raises
        ------
        InvalidRequestError
            If there is none.
        """
        row = find_row(state, self.key)
        if row is None:
            raise InvalidRequestError("the details of no row are shown", hint="Open a row first.")
        return row.iloc[0]

    def to_message(self, state: TableState) -> Detail | None:
        """Return what is shown of the row; None if it is closed, or if there is no such row any more."""
        row, found = find_row(state, self.key), self._found
        if row is None:
            return None
        return {
            **describe_row(state, row, found.checkpoints),
            "curve": None if found.log is None else self._describe_curve(state, found.log),
            "samplers": found.samplers,
            "problem": found.problem,
        }

    def _describe_curve(self, state: TableState, log: RunLog) -> Curve | None:
        """Return the curve of a metric that the frame has as a column; None without one."""
        frame, row = state.rows.frame, self.get_row(state)
        metrics = list_metrics(log, list(frame.columns))
        if not metrics:
            return None
        sorted_by = list_metrics(log, [name.removeprefix("-") for name in state.rows.sort])
        metric = choose_metric(metrics, self._metric, sorted_by)
        run = frame[frame["training_run_id"].eq(row["training_run_id"]).fillna(False)]
        return describe_curve(log, metric, metrics, run, self.key, datetime.now(UTC))

    def _read(self, read: Callable[[Found], None]) -> None:
        """Read something of the row in a background thread."""
        found = self._found  # another row has one of its own

        def work() -> None:
            error = attempt(lambda: read(found)).error
            if error is not None:
                found.problem = describe_error(error)
            if found is self._found:
                self._changed()

        start_threads(work, 1, "tinker-frames-details")

    def _read_checkpoints(self, found: Found, row: pd.DataFrame) -> None:
        found.checkpoints = refresh.read_checkpoints(self._client(), row, "training_runs")

    def _read_log(self, found: Found, folder: str) -> None:
        last = self._last_log
        found.log = last[1] if last is not None and last[0] == folder else read_run_log(folder)
        self._last_log = folder, found.log

    def _read_samplers(self, found: Found, key: str, column: str) -> None:
        frame = self._client().samplers()
        about = frame.attrs["tinker"]
        is_known = about["complete"] and not any(problem.get("column") == column for problem in about["problems"])
        found.problem = "" if is_known else "Not all samplers could be read: others may have loaded it."
        found.samplers = [str(name) for name in frame.loc[frame[column] == key, "sampler_id"]]


def find_row(state: TableState, key: str) -> pd.DataFrame | None:
    """Return the row with a key as a frame of one row; None if there is none."""
    frame = state.rows.frame
    found: Any = np.flatnonzero(frame[state.sort.key].eq(key).fillna(False)) if key else []
    return frame.iloc[[int(found[0])]] if len(found) else None


def find_log(state: TableState, row: pd.DataFrame | None) -> str | None:
    """Return the folder with the training log of a checkpoint's run, where its frame was joined with logs."""
    folders = state.about.get(LOGS)
    if (
        row is None
        or state.sort.name != "checkpoints"
        or "training_run_id" not in row
        or not isinstance(folders, FolderByRun)
    ):
        return None
    return folders.get(_to_text(row["training_run_id"].iloc[0]) or "")


def describe_row(state: TableState, row: pd.DataFrame, checkpoints: pd.DataFrame | None = None) -> Detail:
    """Return the details of a row; `checkpoints` are those of the training run that it is, if they were read."""
    frame, now = state.rows.frame, datetime.now(UTC)
    values = {name: _to_text(row[name].iloc[0]) for name in map(str, row.columns)}
    key = str(values[state.sort.key])
    if state.sort.name == "checkpoints" and values.get("training_run_id"):
        checkpoints = frame[frame["training_run_id"].eq(values["training_run_id"] or "").fillna(False)]
    names = [str(name) for name in row.columns if name not in (*METADATA, state.sort.key)]
    known = [name for name in names if row[name].notna().iloc[0]]
    brief = [name for name in state.sort.columns if name in known or (name == "expires_at" and name in names)]
    return {
        "key": key,
        "title": escape_control_characters(values.get("name") or values.get("display_name") or key),
        "shown_key": escape_control_characters(key),
        "noun": state.sort.one,
        "console": write_console_link(values) or "",
        "code": list_snippets(state.sort.name, key, values.get("checkpoint_type")),
        "brief": list_fields(row, brief, now),
        "fields": list_fields(row, [name for name in known if name not in brief], now),
        "unset": [escape_control_characters(name) for name in names if name not in {*known, *brief}],
        "metadata": list_metadata(values),
        "timeline": list_timeline(checkpoints, key, now),
        "curve": None,
        "openings": [opening.label for opening in state.sort.openings if values.get(opening.column)],
        "samplers": None,
        "problem": "",
    }


def list_fields(row: pd.DataFrame, names: list[str], now: datetime) -> list[DetailField]:
    """Return the fields of a row in words: nothing is cut, and times are exact."""
    found: list[DetailField] = []
    for name, cell in zip(names, cells.format_rows(row, names, now)[0], strict=True):
        text, title, mark = [*cell, "", ""][:3] if isinstance(cell, list) else (cell, "", "")
        column = cells.describe_column(row, name)
        if column["kind"] == "time" and title[:1].isdigit():
            text = f"{title} ({text})"
        elif text.endswith("…"):
            text = title
        found.append(
            {"name": escape_control_characters(column["id"]), "text": text, "mark": mark, "doc": column["doc"]}
        )
    return found


def list_metadata(values: dict[str, str | None]) -> list[list[str]]:
    """Return whose it is, key and value of each entry of the metadata."""
    found: list[list[str]] = []
    for column, source in OF_METADATA.items():
        entries: Any = None
        with suppress(ValueError, TypeError, RecursionError):
            entries = json.loads(values.get(column) or "")
        if not isinstance(entries, dict):
            entries = {"": values[column]} if values.get(column) else {}
        found += [
            [source, key, value if isinstance(value, str) else json.dumps(value)] for key, value in entries.items()
        ]
    return [[escape_control_characters(text) for text in entry] for entry in found]


def list_timeline(checkpoints: pd.DataFrame | None, key: str, now: datetime) -> list[TimelineEntry] | None:
    """Return the checkpoints of a run in the order of their steps and times, those around one; None if they are not known."""
    if checkpoints is None:
        return None
    by = [name for name in ("step", "time", "tinker_path") if name in checkpoints.columns]
    with suppress(TypeError):  # values of a frame made by hand may have no order
        checkpoints = checkpoints.sort_values(by, kind="stable")
    paths = checkpoints["tinker_path"].astype(object).tolist()
    at = paths.index(key) if key in paths else len(paths)
    start = max(0, min(at - MOST_ENTRIES // 2, len(paths) - MOST_ENTRIES))
    shown = checkpoints.iloc[start : start + MOST_ENTRIES]
    looks = [LOOKS[place] for place in find_looks(shown, now)]
    return [_make_entry(row, look) for (_, row), look in zip(shown.iterrows(), looks, strict=True)]


def _make_entry(row: pd.Series[Any], look: str) -> TimelineEntry:
    step, size, time = (row.get(name) for name in ("step", "size_bytes", "time"))
    return {
        "key": str(row["tinker_path"]),
        "name": escape_control_characters(str(row.get("name", row["tinker_path"]))),
        "type": _to_text(row.get("checkpoint_type")) or "",
        "step": None if pd.isna(step) else float(step),
        "size": "" if pd.isna(size) else format_size(float(size)),
        "time": "" if pd.isna(time) else f"{time.day} {time:%b %H:%M}",
        "look": look,
        "label": label_look(look),
    }


def list_snippets(table: str, key: str, kind: str | None) -> list[Snippet]:
    """Return lines of Python about a row, each with what it is for."""
    text = literal(key)
    if table == "sessions":
        return [{"label": "its runs", "text": f"tkf.training_runs().query({f'session_id == {text}'!r})"}]
    if table == "training_runs":
        return [{"label": "its checkpoints", "text": f"tkf.checkpoints({text})"}]
    load = {
        "training": f"service_client.create_training_client_from_state({text})",
        "sampler": f"service_client.create_sampling_client(model_path={text})",
    }.get(kind or "")
    row: Snippet = {"label": "its row", "text": f"tkf.checkpoints().query({f'tinker_path == {text}'!r})"}
    return [*([Snippet(label="load it", text=load)] if load else []), row]


def _to_text(value: Any) -> str | None:
    if isinstance(value, (tuple, list)):
        return ", ".join(map(str, value))
    return None if pd.isna(value) else str(value)
