"""`Logs`: the log folders below a path or URL, as frames of runs, checkpoints, metrics and problems."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ..frames.text import count_nouns
from ..schema.coerce import canonical_json, coerce_value, replace_surrogates
from ..schema.columns import Column, pandas_array, text_dtype
from ..schema.log_tables import LOG_CHECKPOINTS, LOG_PROBLEMS, LOG_RUNS
from ..schema.paths import is_usual_spelling, normalize_path, normalize_run
from .credentials import remove_credentials
from .folders import NOT_LISTED, Location, LogFolder, find_folders, read_files
from .parsing import Problem
from .scan import LOADED, Scan, list_files, list_metrics, read_metrics, scan_folder
from .steps import PATHS, Parent, find_run, read_path

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

FOLDER = "folder"  # what stands for the file in problems of a folder
OTHER_VALUES = "another folder has other values for its checkpoints, and counts, as it goes further"


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
            scan_folder(folder, files) for folder, files in zip(folders, read_files(folders, list_files), strict=True)
        ]
        self._failed = [(path, Problem(FOLDER, reason, 1, "")) for path, reason in failed]

    @cached_property
    def runs(self) -> pd.DataFrame:
        """One row per log folder, with its settings as columns."""
        rows = [_describe_run(scan) for scan in self._scans]
        frame = _build_frame(LOG_RUNS.columns, rows)
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
        return _build_frame(LOG_CHECKPOINTS.columns, rows)

    @cached_property
    def metrics(self) -> pd.DataFrame:
        """One row per folder, step and metric, from another reading of the files: what can no longer be read is in `problems`."""
        found, lost = _build_metrics_frame(self._folders)
        self._failed += [each for each in lost if each not in self._list_problems()]
        self.__dict__.pop("problems", None)
        return found

    @cached_property
    def problems(self) -> pd.DataFrame:
        """One row per folder, file and kind of problem."""
        found = [*self._list_problems(), *find_other_copies(self._scans), *self._failed]
        rows = [dict(zip(("log_path", *Problem._fields), (path, *problem), strict=True)) for path, problem in found]
        return _build_frame(LOG_PROBLEMS.columns, rows)

    def _list_problems(self) -> list[tuple[str, Problem]]:
        return [(scan.folder.path, problem) for scan in self._scans for problem in scan.problems]

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
        places = {id(scan): int(start) for scan, start in zip(self._scans, starts, strict=False)}
        return {path: places[id(scan)] + row for scan in _sort_scans(self._scans) for path, row in list_paths(scan)}

    def find_rows(self, paths: Iterable[Any]) -> list[int]:
        """Return the row of `checkpoints` that names each path, also in a spelling that none of the paths has; -1 for none."""
        known = {path: self.rows_by_path.get(path, -1) for path in paths if isinstance(path, str)}
        has_unusual = not all(map(is_usual_spelling, self.rows_by_path))
        if left := [path for path, row in known.items() if row < 0 and (has_unusual or not is_usual_spelling(path))]:
            meant = {normalize_path(path): row for path, row in self.rows_by_path.items() if path not in known}
            known |= {path: meant.get(normalize_path(path), -1) for path in left}
        return [known.get(path, -1) if isinstance(path, str) else -1 for path in paths]

    @cached_property
    def parents(self) -> list[tuple[Parent, str]]:
        """Each training run with what it was started from, if that is known, and its log folder.

        A run of several log folders is in it once, by the one that goes furthest of those that tell its parent.
        """
        found: dict[str, tuple[Parent, str]] = {}
        for scan in _sort_scans(self._scans):
            for each in scan.parents:
                key = f"{scan.folder.path}/" if each.training_run_id is None else normalize_run(each.training_run_id)
                if each.parent_path is not None or key not in found:
                    found[key] = each, scan.folder.path
        return list(found.values())

    @cached_property
    def parents_by_run(self) -> dict[str, tuple[Parent, str]]:
        """The entries of `parents` of runs that have saved something, by their normalized ids."""
        return {normalize_run(each[0].training_run_id): each for each in self.parents if each[0].training_run_id}

    @cached_property
    def started_from(self) -> set[tuple[str, str]]:
        """The run and name of every checkpoint that some run was started from, by any log folder."""
        paths = {each.parent_path for scan in self._scans for each in scan.parents} | {s.loaded for s in self._scans}
        return {meant for path in paths if path is not None and (meant := identify_checkpoint(path)) is not None}

    def count_untold(self) -> tuple[int, int]:
        """Return how many folders say what their runs were started from in a way that cannot be read, and how many not at all."""
        told = [scan.is_loaded_known for scan in self._scans if scan.records or scan.is_loaded_known is False]
        unlisted = sum(problem.problem.startswith(NOT_LISTED) for _, problem in self._failed)
        return told.count(False), told.count(None) + unlisted

    def read_values(self, name: str) -> NDArray[np.float64]:
        """Return a metric at or just before the step of each row of `checkpoints`; NaN where it is not known."""
        missing = [np.full(len(scan.records), math.nan) for scan in self._scans]
        parts = [scan.values.get(name, gap) for scan, gap in zip(self._scans, missing, strict=True)]
        return np.concatenate(parts) if parts else np.array([])

    def read_not_finite(self, name: str) -> NDArray[np.bool_]:
        """Return for each row of `checkpoints` whether what the log has of a metric at its step is NaN or infinite."""
        return self._concat_flags(scan.not_finite.get(name) for scan in self._scans)

    def read_early(self, name: str) -> NDArray[np.bool_]:
        """Return for each row of `checkpoints` whether a metric was logged last before an earlier checkpoint was saved."""
        return self._concat_flags(scan.early.get(name) for scan in self._scans)

    def _concat_flags(self, found: Iterable[NDArray[np.bool_] | None]) -> NDArray[np.bool_]:
        missing = [np.zeros(len(scan.records), dtype=bool) for scan in self._scans]
        parts = [none if flags is None else flags for flags, none in zip(found, missing, strict=True)]
        return np.concatenate(parts) if parts else np.array([], dtype=bool)

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


def identify_checkpoint(path: str) -> tuple[str, str] | None:
    """Return the run and name that a path means: the same for a training state and the sampler weights saved with it."""
    meant = normalize_path(path)
    return None if meant is None else (meant.training_run_id, meant.name)


def list_paths(scan: Scan) -> Iterator[tuple[str, int]]:
    """Return the tinker paths that a log names, each with the number of its line."""
    for row, record in enumerate(scan.records):
        for name in PATHS:
            if (path := read_path(record, name)) is not None:
                yield path, row


def _sort_scans(scans: list[Scan]) -> list[Scan]:
    """Return the log folders with the one that goes furthest last."""
    return sorted(scans, key=lambda scan: scan.progress)


def find_other_copies(scans: list[Scan]) -> Iterator[tuple[str, Problem]]:
    """Return the folders with checkpoints of which another folder, which goes further, has other values: copies that were changed."""
    known: dict[str, tuple[Scan, int]] = {}
    found: dict[tuple[str, str], int] = {}
    for scan in _sort_scans(scans):
        for path, row in dict(list_paths(scan)).items():
            other, other_row = known.get(path, (scan, row))
            if other is not scan and _have_other_values(other, other_row, scan, row):
                pair = other.folder.path, scan.folder.path
                found[pair] = found.get(pair, 0) + 1
            known[path] = scan, row
    for (path, winner), count in found.items():
        yield path, Problem(FOLDER, OTHER_VALUES, count, winner)


def _have_other_values(one: Scan, row: int, other: Scan, other_row: int) -> bool:
    pairs = [(one.values[name][row], other.values[name][other_row]) for name in one.values.keys() & other.values]
    return not all(first == second or (math.isnan(first) and math.isnan(second)) for first, second in pairs)


def _describe_run(scan: Scan) -> dict[str, Any]:
    return {
        "log_path": scan.folder.path,
        "name": scan.folder.path.rstrip("/").rpartition("/")[2],
        "training_run_id": scan.parents[-1].training_run_id if scan.parents else None,
        "parent_path": read_path(scan.config, LOADED),
        "checkpoints": len(scan.records),
        "last_step": scan.last_step,
    }


def _describe_record(log_path: str, record: dict[str, Any], step: int | None) -> dict[str, Any]:
    known = set(LOG_CHECKPOINTS.names)
    extra = {name: value for name, value in record.items() if name not in known or name in ("log_path", "extra")}
    return (
        record
        | {
            "log_path": log_path,
            "step": step,
            "training_run_id": find_run(record),
            "extra": remove_credentials(extra) or None,
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


def _build_metrics_frame(folders: list[LogFolder]) -> tuple[pd.DataFrame, list[tuple[str, Problem]]]:
    """Return every metric of some folders as a long frame, its texts as categories, and the problems with their files."""
    import pandas as pd

    problems: list[tuple[str, Problem]] = []
    parts = list(_split_metrics(folders, problems))
    names = sorted({name for _, name, _, _ in parts})
    places = {name: place for place, name in enumerate(names)}
    counts = [len(values) for *_, values in parts]
    steps = [steps for _, _, steps, _ in parts]
    frame = pd.DataFrame(
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
    return frame, problems


def _split_metrics(
    folders: list[LogFolder], problems: list[tuple[str, Problem]]
) -> Iterator[tuple[int, str, Any, Any]]:
    """Return for each folder and metric the number of the folder, the name, the steps, masked where there is none, and the values."""
    for place, files in enumerate(read_files(folders, list_metrics)):
        own: list[Problem] = []
        metrics = read_metrics(files, own)
        problems += [(folders[place].path, problem) for problem in own]
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
