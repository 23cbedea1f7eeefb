"""Read the files of one log folder: its checkpoints with the metrics at their steps, its settings, and what its runs were started from."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from .folders import CHECKPOINTS, CONFIG, GZ, METRICS, PRE_RESUME, LogFolder
from .parsing import Metrics, Problem, Problems, add_earlier, parse_config, parse_lines, parse_metrics
from .steps import Parent, find_parents, find_steps, read_path

if TYPE_CHECKING:
    from numpy.typing import NDArray

LOADED = "load_checkpoint_path"  # the setting of what a run is started from
NO_CONFIG = "missing: what the run was started from is not known"
NO_RESUME = "not read: its name does not end with the step that the run resumed at"
NO_PARENT = f"{LOADED} is not a tinker path: what the run was started from is not known"


@dataclass
class Scan:
    """What was read of one log folder."""

    folder: LogFolder
    config: dict[str, Any]
    records: list[dict[str, Any]]
    steps: list[int | None]
    last_step: int | None
    values: dict[str, NDArray[np.float64]]  # of each metric, at or just before each record
    not_finite: dict[str, NDArray[np.bool_]]  # of metrics that have such values: which records are at one
    parents: list[Parent]
    loaded: str | None  # what the first run was started from
    is_loaded_known: bool | None  # whether `loaded` is what config.json says; None if there is no such file
    problems: list[Problem] = field(default_factory=list)

    @property
    def progress(self) -> int:
        """How far it goes: of several folders with the same checkpoint, the furthest counts."""
        return -1 if self.last_step is None else self.last_step


def list_files(folder: LogFolder) -> list[str]:
    """Return the files of a folder that are read, without the suffix of those that are compressed."""
    names = {name.removesuffix(GZ) for name in folder.names}
    return sorted(name for name in names if name in (METRICS, CHECKPOINTS, CONFIG) or name.startswith(PRE_RESUME))


def list_metrics(folder: LogFolder) -> list[str]:
    """Return the files of a folder that hold metrics."""
    return [name for name in list_files(folder) if name.startswith(METRICS)]


def scan_folder(folder: LogFolder, files: dict[str, Any]) -> Scan:
    """Return what a log folder holds, with its metrics at its checkpoints only."""
    problems: list[Problem] = []
    lines = _read_content(files, CHECKPOINTS, problems) or b""
    records: list[dict[str, Any]] = _collect(CHECKPOINTS, lines, parse_lines, problems)
    settings, loaded, is_known = _read_config(files, bool(records), problems)
    if isinstance(files.get(CHECKPOINTS), OSError):
        is_known = False  # nor is it known what it resumed from
    metrics = read_metrics(files, problems)
    steps: list[int | None] = _collect(CHECKPOINTS, records, lambda rows, own: find_steps(rows, metrics, own), problems)
    values, not_finite = _find_values(metrics, steps)
    parents = find_parents(records, loaded)
    found = (settings, records, steps, metrics.last_step, values, not_finite, parents, loaded, is_known)
    return Scan(folder, *found, problems)


def _read_config(
    files: dict[str, Any], has_runs: bool, problems: list[Problem]
) -> tuple[dict[str, Any], str | None, bool | None]:
    """Return the settings, what the run was started from, and whether that is known."""
    if CONFIG not in files:
        problems += [Problem(CONFIG, NO_CONFIG, 1, "")] * has_runs
        return {}, None, None
    content = _read_content(files, CONFIG, problems)
    settings = None if content is None else _collect(CONFIG, content, parse_config, problems)
    if settings is None:
        return {}, None, False
    value, loaded = settings.get(LOADED), read_path(settings, LOADED)
    is_known = loaded is not None or value in (None, "")
    problems += [] if is_known else [Problem(CONFIG, NO_PARENT, 1, str(value)[:200])]
    return settings, loaded, is_known


def _find_values(
    metrics: Metrics, steps: list[int | None]
) -> tuple[dict[str, NDArray[np.float64]], dict[str, NDArray[np.bool_]]]:
    """Return each metric at or just before some steps, NaN where there is none; and which of these values are not finite in the log."""
    at = np.array([-1 if step is None else step for step in steps], dtype=np.int64)
    is_known = np.array([step is not None for step in steps], dtype=bool)
    values, not_finite = {}, {}
    for name, points in metrics.points.items():
        values[name] = np.where(is_known, points.find_values(at), math.nan)
        is_odd = is_known & (at >= points.steps[0]) & ~np.isfinite(values[name])
        if is_odd.any():
            not_finite[name] = is_odd
    return values, not_finite


def read_metrics(files: dict[str, Any], problems: list[Problem]) -> Metrics:
    """Return the metrics of a folder, with those that files from before a resume have of earlier steps."""
    content = _read_content(files, METRICS, problems) or b""
    found: Metrics = _collect(METRICS, content, parse_metrics, problems)
    odd = [name for name in files if name.startswith(PRE_RESUME) and not name.removeprefix(PRE_RESUME).isdecimal()]
    problems += [Problem(name, NO_RESUME, 1, "") for name in odd]
    for step, name in sorted(_find_resumes(files), reverse=True):  # the latest resume first
        if (old := _read_content(files, name, problems)) is not None:
            found = add_earlier(found, _collect(name, old, parse_metrics, problems), step)
    return found


def _find_resumes(files: Iterable[str]) -> Iterator[tuple[int, str]]:
    """Return the step of each resume, and the file of the metrics from before it."""
    for name in files:
        step = name.removeprefix(PRE_RESUME)
        if step != name and step.isdecimal():
            yield int(step), name


def _read_content(files: dict[str, Any], name: str, problems: list[Problem]) -> bytes | None:
    content = files.get(name)
    if isinstance(content, OSError):
        problems.append(Problem(name, "cannot be read", 1, content.strerror or str(content)))
        return None
    return content


def _collect(name: str, content: Any, parse: Any, problems: list[Problem]) -> Any:
    """Return what a function makes of a file, and note its problems."""
    own = Problems(name)
    found = parse(content, own)
    problems += own
    return found
