"""Join training logs, or a frame of your own, to frames of checkpoints: their metrics, settings and parents as columns. Pure."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
import pandas as pd

from ..errors import InvalidRequestError
from ..frames.measures import NOT_FINITE
from ..frames.metadata import PREFIXES
from ..frames.values import to_flags
from ..schema.arguments import list_texts
from ..schema.catalog import DETAILED, TABLES
from ..schema.coerce import MOST_EXAMPLES, canonical_json, parse_object
from ..schema.columns import pandas_array
from ..schema.paths import normalize_run, run_of
from .curves import LOGS, note_folders
from .reader import Logs, identify_checkpoint

PREFIX = "log."  # of a metric or setting that is called as a column of the account
SETTING = "config."  # of a setting that is called as a metric
STEP = f"{PREFIX}step"  # the step that metrics are read at, beside the account's own, which not every checkpoint's name tells
LINK = "wandb_link"  # the key of the metadata in which the cookbook keeps a run's page
NO_LOG = "no training log names the checkpoint"
NO_ROW = "the joined frame has no row of it"
EARLY = "was logged last before an earlier checkpoint of the run was saved, so it says little about this one"
NOT_TOLD = "not every training log says what its run was started from"
TEST = re.compile(r"test|eval|val")  # the beginning of the names of metrics that say how good a checkpoint is
KEYS = ("tinker_path", "training_run_id", "session_id")
# Columns that mean something to plans and keep rules, which no name in a log may replace.
_RESERVED = {
    *(name for table in (*TABLES.values(), *DETAILED.values()) for name in table.names),
    *(
        "is_parent",
        "parent_path",
        "log_path",
        "loaded_by_sampler",
        "loaded_by_ended_sampler",
        "last_read_at",
        "read_by",
        "reads_known_since",
        *(
            "verdict",
            "reason",
            "action",
            "warnings",
            "refusal",
            "namesakes",
            "shortens",
            "public_after",
            "expires_after",
        ),
        *("is_newest", "is_last_training"),
        LINK,
        NOT_FINITE,
    ),
}
_RESERVED_PREFIXES = (PREFIX, *PREFIXES.values())


def add_metrics(
    frame: pd.DataFrame, logs: Logs, metrics: Iterable[str] | None = None, config: Iterable[str] = ()
) -> pd.DataFrame:
    """Return a frame of checkpoints with the metrics at or just before each one's step, that step, some settings, `parent_path` and `is_parent`.

    Metrics are those whose names match a pattern, by default all that a row has a number of, those of tests first; a setting is a column of
    `logs.runs` or `logs.checkpoints`. Of a row without a log they are NA.
    """
    rows = np.array(logs.find_rows(frame["tinker_path"]), dtype="int64")
    data = _read_metrics(logs, rows, metrics)
    odd, early = _name_not_finite(logs, rows, data), _count_early(frame, logs, rows, data)
    data |= _read_settings(logs, rows, list_texts("config", config))
    data = {rename_column(name) if name != "log_path" else name: values for name, values in data.items()}
    data[STEP] = _take(logs.checkpoints["step"], rows)
    data = _keep_known(frame, data | odd, rows)
    is_without = (rows < 0) & pd.DataFrame(data, index=frame.index).isna().all(axis=1).to_numpy()
    joined = _replace_columns(frame, data | _find_parents(frame, logs) | _read_links(frame))
    problems = [
        _count_rows("log_path", NO_LOG, frame["tinker_path"][is_without].dropna()),
        _count_rows("is_parent", NOT_TOLD, frame["tinker_path"][_find_open(joined, logs)].dropna()),
    ]
    joined.attrs = _add_problems(frame, [*problems, *early])
    if isinstance(about := joined.attrs.get("tinker"), dict):
        log_paths = pd.Series(_take(logs.checkpoints["log_path"], rows), index=frame.index)
        joined.attrs["tinker"] = {**about, LOGS: note_folders(frame, log_paths)}
    return joined


def _find_open(joined: pd.DataFrame, logs: Logs) -> Any:
    """Return which rows may have been what a run was started from whose log does not tell."""
    return ~joined["is_parent"].fillna(value=False).astype(bool) & (sum(logs.count_untold()) > 0)


def merge_frame(frame: pd.DataFrame, other: pd.DataFrame, on: str | None) -> pd.DataFrame:
    """Return a frame with the columns of another, matched by a column that both have.

    Raises
    ------
    InvalidRequestError
        If one of them lacks the column, or the other frame has a value twice.
    """
    key = on or next((name for name in KEYS if name in frame.columns and name in other.columns), None)
    if key is None or key not in frame.columns or key not in other.columns:
        both = f"the same column, one of {', '.join(KEYS)}" if key is None else f"a column {key!r}"
        raise InvalidRequestError(f"both frames need {both}", hint="Pass on= the name of a column of both.")
    if other.columns.has_duplicates:
        name = other.columns[other.columns.duplicated()][0]
        raise InvalidRequestError(f"the frame has two columns {name!r}", hint="Rename one of them.")
    values = other[other[key].notna()]
    if (twice := values[key][values[key].duplicated()]).size:
        raise InvalidRequestError(
            f"the frame has {twice.iloc[0]!r} twice in {key!r}", hint="Keep one row of each, e.g. with drop_duplicates."
        )
    places = frame[key].map(dict(zip(values[key], range(len(values)), strict=True)))
    rows = places.astype("Float64").fillna(-1).to_numpy("int64")
    data = {rename_column(str(name)): _take(values[name], rows) for name in values.columns if name != key}
    joined = _replace_columns(frame, _keep_known(frame, data, rows))
    joined.attrs = _add_problems(frame, [_count_rows(key, NO_ROW, frame[key][rows < 0].dropna())])
    return joined


def rename_column(name: str) -> str:
    """Return the name of a metric as that of a column, with `log.` before what is the name of one of the account's, or is blank."""
    is_taken = name in _RESERVED or name.startswith(_RESERVED_PREFIXES) or not name.strip()
    return f"{PREFIX}{name}" if is_taken else name


def _read_metrics(logs: Logs, rows: np.ndarray[Any, Any], wanted: Iterable[str] | None) -> dict[str, Any]:
    known = sorted(logs.metric_names, key=lambda name: not TEST.match(name))
    names = known if wanted is None else _match_names(wanted, known)
    values = {name: _take(pd.Series(logs.read_values(name)), rows) for name in names}
    places = rows[rows >= 0]
    return {
        name: found
        for name, found in values.items()
        if wanted is not None or not np.isnan(found).all() or logs.read_not_finite(name)[places].any()
    }


def _name_not_finite(logs: Logs, rows: np.ndarray[Any, Any], names: Iterable[str]) -> dict[str, Any]:
    """Return the column with the names of the metrics that the log has as NaN or infinite, if it has any at some row."""
    flags = {
        rename_column(name): logs.read_not_finite(name)[rows] & (rows >= 0) for name in names if len(logs.checkpoints)
    }
    odd = {name: flag for name, flag in flags.items() if flag.any()}
    lists = [[name for name, flag in odd.items() if flag[place]] for place in range(len(rows))] if odd else []
    return {NOT_FINITE: pandas_array("json", [canonical_json(each) if each else None for each in lists])} if odd else {}


def _count_early(
    frame: pd.DataFrame, logs: Logs, rows: np.ndarray[Any, Any], names: Iterable[str]
) -> list[dict[str, Any]]:
    """Return a problem for each metric that some rows have from before an earlier checkpoint."""
    paths = frame["tinker_path"]
    flags = {name: logs.read_early(name)[rows] & (rows >= 0) for name in names if len(logs.checkpoints)}
    return [_count_rows(rename_column(name), EARLY, paths[flag].dropna()) for name, flag in flags.items()]


def _match_names(wanted: Iterable[str], names: list[str]) -> list[str]:
    """Return the metrics that names or patterns are of."""
    found: dict[str, None] = {}
    for pattern in list_texts("metrics", wanted):
        matched = [name for name in names if name == pattern] or [name for name in names if fnmatchcase(name, pattern)]
        if not matched:
            raise InvalidRequestError(
                f"no log has the metric {pattern!r}", hint=_suggest(pattern, names, "`metric_names`")
            )
        found |= dict.fromkeys(matched)
    return list(found)


def _suggest(name: str, names: Iterable[str], where: str) -> str:
    close = difflib.get_close_matches(name, list(names), 3)
    return f"Did you mean {' or '.join(close)}?" if close else f"See {where} of tkf.logs(…)."


def _read_settings(logs: Logs, rows: np.ndarray[Any, Any], names: Iterable[str]) -> dict[str, Any]:
    """Return settings of each row's run, with `config.` before what is also the name of a metric."""
    metrics = set(logs.metric_names)
    return {f"{SETTING}{name}" if name in metrics else name: _take(_find_setting(logs, name), rows) for name in names}


def _find_setting(logs: Logs, name: str) -> pd.Series[Any]:
    """Return a column of the runs or checkpoints, one value for each row of `logs.checkpoints`."""
    if name in logs.checkpoints.columns:
        return logs.checkpoints[name]
    if name not in logs.runs.columns:
        raise InvalidRequestError(
            f"no log has the setting {name!r}", hint=_suggest(name, logs.runs.columns, "the columns of `runs`")
        )
    places = logs.checkpoints["log_path"].map(dict(zip(logs.runs["log_path"], range(len(logs.runs)), strict=True)))
    return pd.Series(_take(logs.runs[name], places.to_numpy("int64")))


def _take(values: pd.Series[Any], rows: np.ndarray[Any, Any]) -> Any:
    """Return the values at some places; NA for -1."""
    if isinstance(values.dtype, np.dtype) and values.dtype.kind in "ib" and (rows < 0).any():
        values = values.astype("boolean" if values.dtype.kind == "b" else "Int64")
    return values.reset_index(drop=True).reindex(rows).array


def _find_parents(frame: pd.DataFrame, logs: Logs) -> dict[str, Any]:
    """Return what each row's run was started from, and whether others were started from the row, as far as these and earlier logs tell.

    It is not known where a log says wrongly what its run was started from: that may be any row.
    """
    runs = {run: normalize_run(run) for path in frame["tinker_path"] if (run := _read_run(path))}
    parents = {run: logs.parents_by_run[key][0].parent_path for run, key in runs.items() if key in logs.parents_by_run}
    wrong, _ = logs.count_untold()
    others = None if wrong else False
    flags = [True if _is_in(path, logs.started_from) else others for path in frame["tinker_path"]]
    found = [parents.get(_read_run(path) or "") for path in frame["tinker_path"]]
    rows = np.array([-1 if parent is None else 0 for parent in found], dtype="int64")
    is_parent = pd.Series(pandas_array("bool", flags), index=frame.index)
    if "is_parent" in frame.columns:
        is_parent |= to_flags(frame["is_parent"])
    return _keep_known(frame, {"parent_path": pandas_array("text", found)}, rows) | {"is_parent": is_parent.array}


def _read_run(path: Any) -> str | None:
    return run_of(path) if isinstance(path, str) else None


def _is_in(path: Any, identities: set[tuple[str, str]]) -> bool:
    return bool(identities) and isinstance(path, str) and identify_checkpoint(path) in identities


def _read_links(frame: pd.DataFrame) -> dict[str, Any]:
    """Return the page of each row's run in W&B, if some row's metadata has one: the checkpoint's, its run's or its session's."""
    columns = [frame[name] for name in PREFIXES if name in frame.columns]
    cache: dict[Any, str | None] = {}
    links = [
        next(filter(None, (_read_link(text, cache) for text in texts)), None) for texts in zip(*columns, strict=True)
    ]
    return {LINK: pandas_array("text", links)} if any(links) else {}


def _read_link(text: Any, cache: dict[Any, str | None]) -> str | None:
    if not isinstance(text, str):
        return None
    if text not in cache:
        link = (parse_object(text) or {}).get(LINK)
        is_link = isinstance(link, str) and link.startswith(("https://", "http://")) and link.isprintable()
        cache[text] = str(link) if is_link else None
    return cache[text]


def _replace_columns(frame: pd.DataFrame, columns: Mapping[str, Any]) -> pd.DataFrame:
    kept = frame.drop(columns=[name for name in columns if name in frame.columns])
    added = pd.DataFrame({name: pd.Series(values).array for name, values in columns.items()}, index=frame.index)
    return pd.concat([kept, added], axis=1)


def _keep_known(frame: pd.DataFrame, columns: Mapping[str, Any], rows: np.ndarray[Any, Any]) -> dict[str, Any]:
    """Return columns in which the rows that are not matched keep the values that they had, from logs or frames joined before."""
    index = pd.RangeIndex(len(frame))
    is_new = rows >= 0

    def combine(name: str, values: Any) -> Any:
        if name not in frame.columns or is_new.all():
            return values
        old = pd.Series(frame[name].array, index=index)[~is_new]
        new = pd.Series(values, index=index)
        return pd.concat([new[is_new], old]).sort_index().array if old.notna().any() else new.array

    return {name: combine(name, values) for name, values in columns.items()}


def _count_rows(column: str, problem: str, keys: pd.Series[Any]) -> dict[str, Any]:
    """Return a problem of some rows, named by their keys."""
    examples = [str(key)[:300] for key in keys[:MOST_EXAMPLES]]
    return {"column": column, "problem": problem, "rows": len(keys), "examples": examples}


def _add_problems(frame: pd.DataFrame, found: list[dict[str, Any]]) -> dict[Any, Any]:
    """Return a frame's attrs with these problems, instead of what was found before; those of no row are left out."""
    about = frame.attrs.get("tinker")
    if not isinstance(about, dict):
        return dict(frame.attrs)
    renewed = {(each["column"], each["problem"]) for each in found}
    others = [each for each in about.get("problems") or [] if (each["column"], each["problem"]) not in renewed]
    return {**frame.attrs, "tinker": {**about, "problems": others + [each for each in found if each["rows"]]}}
