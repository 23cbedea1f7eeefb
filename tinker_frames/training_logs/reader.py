"""`Logs`: the log folders below a path or URL, as frames of runs, checkpoints, metrics and problems."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ..frames.text import count_nouns
from ..schema.coerce import canonical_json, coerce_value, replace_surrogates
from ..schema.columns import Column, pandas_array, text_dtype
from .folders import CHECKPOINTS, CONFIG, METRICS, PRE_RESUME, Location, LogFolder, find_folders, read_files
from .parsing import Metrics, Problem, Problems, add_earlier, build_metrics, parse_config, parse_lines
from .steps import PATHS, Parent, find_parents, find_run, find_steps, read_path

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

FOLDER = "folder"  # what stands for the file in problems of a folder
RUN_COLUMNS = (
    Column("log_path", "text", "the folder, absolute, or its URL"),
    Column("name", "text", "the folder's own name"),
    Column("training_run_id", "text", "the training run that wrote last, by the paths in `checkpoints.jsonl`"),
    Column("parent_path", "text", "what it was started from: `load_checkpoint_path` of `config.json`"),
    Column("checkpoints", "int", "lines of `checkpoints.jsonl`"),
    Column("last_step", "int", "the highest step in the metrics"),
)
CHECKPOINT_COLUMNS = (
    Column("log_path", "text", "the folder, absolute, or its URL"),
    Column("name", "text", "the checkpoint's name"),
    Column("step", "int", "the step that its metrics are read at"),
    Column("batch", "int", "the batch, within its epoch"),
    Column("epoch", "int", "the epoch, from 0"),
    Column("final", "bool", "whether it was saved at the end"),
    Column("training_run_id", "text", "the run, by its paths"),
    Column("state_path", "text", "the tinker path of its training state"),
    Column("sampler_path", "text", "the tinker path of its weights for samplers"),
    Column("extra", "json", "the other fields of its line"),
)
METRIC_COLUMNS = (
    Column("log_path", "category", "the folder, absolute, or its URL"),
    Column("step", "int", "the step; NA for what was logged without one"),
    Column("metric", "category", "its name"),
    Column("value", "float", "its value, NaN and infinite ones as they were logged"),
)
PROBLEM_COLUMNS = (
    Column("log_path", "text", "the folder"),
    Column("file", "text", "the file, or `folder`"),
    Column("problem", "text", "what could not be read as it is"),
    Column("rows", "int", "how many lines or values"),
    Column("example", "text", "the first of them"),
)


@dataclass
class _Scan:
    """What was read of one log folder."""

    folder: LogFolder
    config: dict[str, Any]
    records: list[dict[str, Any]]
    steps: list[int | None]
    last_step: int | None
    values: dict[str, NDArray[np.float64]]  # of each metric, at or just before each record
    parents: list[Parent]
    problems: list[Problem] = field(default_factory=list)


class Logs:
    """The training logs below some folders; made by `tkf.logs`.

    Attributes
    ----------
    runs : DataFrame
        One row per log folder: `log_path`, `name`, `training_run_id`, `parent_path`, `checkpoints`, `last_step`, and a column for each
        setting of `config.json`, those of nested objects as `outer.inner`.
    checkpoints : DataFrame
        One row per line of `checkpoints.jsonl`: `log_path`, `name`, `step`, `batch`, `epoch`, `final`, `training_run_id`,
        `state_path`, `sampler_path`, and the other fields as JSON in `extra`.
    metrics : DataFrame
        One row per folder, step and metric: `log_path`, `step`, `metric`, `value`. Read when it is first asked for.
    problems : DataFrame
        One row per folder, file and kind of problem, none of which is fatal: `log_path`, `file`, `problem`, `rows`, `example`.

    Examples
    --------
    >>> logs = tkf.logs("~/runs/**")
    >>> logs.metrics.query("metric == 'test/nll'").groupby("log_path", observed=True)["value"].min()
    """

    def __init__(self, folders: list[LogFolder], failed: list[tuple[str, str]] = []) -> None:  # noqa: B006  # never changed
        self._folders = folders
        self._scans = [
            _scan(folder, files) for folder, files in zip(folders, read_files(folders, _list_files), strict=True)
        ]
        self._failed = [(path, Problem(FOLDER, f"cannot be listed: {reason}", 1, "")) for path, reason in failed]

    @cached_property
    def runs(self) -> pd.DataFrame:
        """One row per log folder, with its settings as columns."""
        rows = [_describe_run(scan) for scan in self._scans]
        frame = _build_frame(RUN_COLUMNS, rows)
        names = dict.fromkeys(name for scan in self._scans for name in scan.config)
        own = set(frame.columns)
        settings = {
            f"config.{name}" if name in own else name: _infer_array([scan.config.get(name) for scan in self._scans])
            for name in names
        }
        return _concat_columns(frame, settings)

    @cached_property
    def checkpoints(self) -> pd.DataFrame:
        """One row per line of `checkpoints.jsonl`."""
        rows = [
            _describe_record(scan.folder.path, record, step)
            for scan in self._scans
            for record, step in zip(scan.records, scan.steps, strict=True)
        ]
        return _build_frame(CHECKPOINT_COLUMNS, rows)

    @cached_property
    def metrics(self) -> pd.DataFrame:
        """One row per folder, step and metric, from another reading of the files."""
        return _build_metrics_frame(self._folders)

    @cached_property
    def problems(self) -> pd.DataFrame:
        """One row per folder, file and kind of problem."""
        found = [(scan.folder.path, problem) for scan in self._scans for problem in scan.problems] + self._failed
        rows = [dict(zip(("log_path", *Problem._fields), (path, *problem), strict=True)) for path, problem in found]
        return _build_frame(PROBLEM_COLUMNS, rows)

    @cached_property
    def metric_names(self) -> list[str]:
        """The names of all metrics, sorted."""
        return sorted({name for scan in self._scans for name in scan.values})

    @cached_property
    def rows_by_path(self) -> dict[str, int]:
        """The row of `checkpoints` that names each tinker path, training state or sampler weights.

        Of several log folders that name it, as copies do, the one that goes furthest counts; of several lines, the last.
        """
        starts = np.cumsum([0, *(len(scan.records) for scan in self._scans)])
        order = sorted(range(len(self._scans)), key=lambda place: self._scans[place].last_step or -1)
        return {
            path: int(starts[place]) + row
            for place in order
            for row, record in enumerate(self._scans[place].records)
            for name in PATHS
            if (path := read_path(record, name)) is not None
        }

    @cached_property
    def parents(self) -> dict[str, tuple[str | None, str]]:
        """For each training run, what it was started from, if that is known, and its log folder."""
        order = sorted(self._scans, key=lambda scan: scan.last_step or -1)
        return {each.training_run_id: (each.parent_path, scan.folder.path) for scan in order for each in scan.parents}

    def read_values(self, name: str) -> NDArray[np.float64]:
        """Return a metric at or just before the step of each row of `checkpoints`; NaN where it is not known."""
        missing = [np.full(len(scan.records), math.nan) for scan in self._scans]
        parts = [scan.values.get(name, gap) for scan, gap in zip(self._scans, missing, strict=True)]
        return np.concatenate(parts) if parts else np.array([])

    def __len__(self) -> int:
        return len(self._folders)

    def __repr__(self) -> str:
        odd = f"; {count_nouns(len(self.problems), 'problem')}, see .problems" if len(self.problems) else ""
        saved = count_nouns(sum(len(scan.records) for scan in self._scans), "checkpoint")
        return (
            f"<Logs of {count_nouns(len(self), 'run')}: {saved}, {count_nouns(len(self.metric_names), 'metric')}{odd}>"
        )


def logs(path: Location | Iterable[Location]) -> Logs:
    """Read the training logs below a folder, in the format that tinker_cookbook writes.

    A log folder holds `metrics.jsonl` or `checkpoints.jsonl`; `config.json` beside them has the run's settings. Broken lines, resumed
    runs, values that are not finite and files that cannot be read are listed in `problems`, and never fatal. Needs no account.

    Parameters
    ----------
    path
        A folder, searched with all below it; a glob such as `"~/runs/2026-*"`; an fsspec URL such as `"s3://bucket/runs"` (extra
        `remote`, and the library of its file system); or several of these.

    Returns
    -------
    Logs
        `.runs`, `.checkpoints`, `.metrics` and `.problems`, each a DataFrame.

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    ImportError
        If a URL needs a library that is not installed.
    InvalidRequestError
        If a URL cannot be reached.

    Examples
    --------
    >>> tkf.logs("~/runs/**").runs[["name", "learning_rate", "last_step"]]
    """
    return Logs(*find_folders(path))


def find_logs(given: Logs | Location | Iterable[Location]) -> Logs:
    """Return logs as they are, and those below a location."""
    return given if isinstance(given, Logs) else logs(given)


def _list_files(folder: LogFolder) -> list[str]:
    return sorted(
        name for name in folder.names if name in (METRICS, CHECKPOINTS, CONFIG) or name.startswith(PRE_RESUME)
    )


def _list_metrics(folder: LogFolder) -> list[str]:
    return [name for name in _list_files(folder) if name.startswith(METRICS)]


def _scan(folder: LogFolder, files: dict[str, Any]) -> _Scan:
    """Return what a log folder holds, with its metrics at its checkpoints only."""
    problems: list[Problem] = []
    config = _read_content(files, CONFIG, problems)
    settings = {} if config is None else _collect(CONFIG, config, parse_config, problems)
    lines = _read_content(files, CHECKPOINTS, problems) or b""
    records: list[dict[str, Any]] = _collect(CHECKPOINTS, lines, parse_lines, problems)
    metrics = _read_metrics(files, problems)
    steps = find_steps(records, metrics)
    at = np.array([-1 if step is None else step for step in steps], dtype=np.int64)
    is_known = np.array([step is not None for step in steps], dtype=bool)
    values = {name: np.where(is_known, points.find_values(at), math.nan) for name, points in metrics.points.items()}
    parents = find_parents(records, read_path(settings, "load_checkpoint_path"))
    return _Scan(folder, settings, records, steps, metrics.last_step, values, parents, problems)


def _read_metrics(files: dict[str, Any], problems: list[Problem]) -> Metrics:
    """Return the metrics of a folder, with those that files from before a resume have of earlier steps."""
    content = _read_content(files, METRICS, problems) or b""
    found: Metrics = _collect(METRICS, content, _parse_metrics, problems)
    for name in sorted(files, reverse=True):  # the latest resume first
        step = name.removeprefix(PRE_RESUME)
        if name != step and step.isdecimal() and (old := _read_content(files, name, problems)) is not None:
            found = add_earlier(found, _collect(name, old, _parse_metrics, problems), int(step))
    return found


def _parse_metrics(content: bytes, problems: Problems) -> Metrics:
    return build_metrics(parse_lines(content, problems), problems)


def _read_content(files: dict[str, Any], name: str, problems: list[Problem]) -> bytes | None:
    content = files.get(name)
    if isinstance(content, OSError):
        problems.append(Problem(name, "cannot be read", 1, content.strerror or str(content)))
        return None
    return content


def _collect(name: str, content: bytes, parse: Any, problems: list[Problem]) -> Any:
    """Return what a function makes of a file, and note its problems."""
    own = Problems(name)
    found = parse(content, own)
    problems += own
    return found


def _describe_run(scan: _Scan) -> dict[str, Any]:
    return {
        "log_path": scan.folder.path,
        "name": scan.folder.path.rstrip("/").rpartition("/")[2],
        "training_run_id": scan.parents[-1].training_run_id if scan.parents else None,
        "parent_path": read_path(scan.config, "load_checkpoint_path"),
        "checkpoints": len(scan.records),
        "last_step": scan.last_step,
    }


def _describe_record(log_path: str, record: dict[str, Any], step: int | None) -> dict[str, Any]:
    known = {column.name for column in CHECKPOINT_COLUMNS}
    extra = {name: value for name, value in record.items() if name not in known or name in ("log_path", "extra")}
    return (
        record
        | {
            "log_path": log_path,
            "step": step,
            "training_run_id": find_run(record),
            "extra": extra or None,
        }
        | {name: read_path(record, name) for name in PATHS}
    )


def _build_frame(columns: Iterable[Column], rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Return rows as a typed frame; a value of another kind becomes NA."""
    import pandas as pd

    return pd.DataFrame(
        {c.name: pandas_array(c.kind, [coerce_value(c.kind, row.get(c.name))[0] for row in rows]) for c in columns}
    )


def _infer_array(values: list[Any]) -> Any:
    """Return a column of settings: truth values, whole numbers, numbers, or else text."""
    kinds = {type(value) for value in values if value is not None}
    if kinds == {bool}:
        return pandas_array("bool", values)
    if kinds == {int} and all(value is None or abs(value) < 2**63 for value in values):
        return pandas_array("int", values)
    if kinds and kinds <= {int, float}:
        return np.array([math.nan if value is None else coerce_value("float", value)[0] for value in values], "float64")
    return pandas_array("text", [None if value is None else _to_text(value) for value in values])


def _to_text(value: Any) -> str:
    return replace_surrogates(value)[0] if isinstance(value, str) else canonical_json(value)


def _concat_columns(frame: pd.DataFrame, columns: dict[str, Any]) -> pd.DataFrame:
    import pandas as pd

    return pd.concat([frame, pd.DataFrame(columns, index=frame.index)], axis=1)


def _build_metrics_frame(folders: list[LogFolder]) -> pd.DataFrame:
    """Return every metric of some folders as a long frame, its texts as categories."""
    import pandas as pd

    parts = list(_split_metrics(folders))
    names = sorted({name for _, name, _, _ in parts})
    places = {name: place for place, name in enumerate(names)}
    counts = [len(values) for *_, values in parts]
    steps = [steps for _, _, steps, _ in parts]
    return pd.DataFrame(
        {
            "log_path": _make_category([place for place, *_ in parts], counts, [folder.path for folder in folders]),
            "step": pd.arrays.IntegerArray(
                _concat([each.filled(0) for each in steps], "int64"),
                _concat([np.ma.getmaskarray(s) for s in steps], "bool"),
            ),
            "metric": _make_category([places[name] for _, name, *_ in parts], counts, names),
            "value": _concat([values for *_, values in parts], "float64"),
        }
    )


def _split_metrics(folders: list[LogFolder]) -> Iterator[tuple[int, str, Any, Any]]:
    """Return for each folder and metric the number of the folder, the name, the steps, masked where there is none, and the values."""
    for place, files in enumerate(read_files(folders, _list_metrics)):
        metrics = _read_metrics(files, [])
        for name, points in metrics.points.items():
            yield place, name, np.ma.array(points.steps), points.values
        for name, value in metrics.unstepped.items():
            yield place, name, np.ma.array([0], mask=[True]), np.array([value])


def _make_category(codes: list[int], counts: list[int], names: list[str]) -> Any:
    import pandas as pd

    dtype = pd.CategoricalDtype(pd.Index(names, dtype=text_dtype()))
    return pd.Categorical.from_codes(np.repeat(np.array(codes, dtype="int64"), counts), dtype=dtype)


def _concat(parts: list[Any], dtype: str) -> Any:
    return np.concatenate(parts).astype(dtype, copy=False) if parts else np.array([], dtype=dtype)
