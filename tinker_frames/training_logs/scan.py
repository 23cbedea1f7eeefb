"""Read the files of one log folder: its checkpoints with the metrics at their steps, its settings, and what its runs were started from."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from .folders import CHECKPOINTS, CONFIG, GZ, METRICS, PRE_RESUME, LogFolder
from .parsing import Metrics, Problem, Problems, add_earlier, parse_config, parse_lines, parse_metrics
from .steps import LOST, NO_METRICS, Parent, find_attempts, find_parents, find_resumes, find_steps, read_path

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
    early: dict[str, NDArray[np.bool_]]  # likewise: which were logged last before an earlier checkpoint was saved
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
    by_resume = read_resumes(files, problems)
    metrics = by_resume[None]
    steps: list[int | None] = _collect(CHECKPOINTS, records, lambda rows, own: find_steps(rows, metrics, own), problems)
    attempts = find_attempts(records, steps)
    last_steps = {step: found.last_step for step, found in by_resume.items()}
    resumes = find_resumes(records, steps, attempts, last_steps)
    lost = [record.get("name") for record, resume in zip(records, resumes, strict=True) if resume == LOST]
    problems += [Problem(CHECKPOINTS, NO_METRICS, len(lost), str(lost[0]))] if lost else []
    values, not_finite, early = _find_values(by_resume, steps, resumes)
    parents = find_parents(attempts, records, loaded)
    found = (settings, records, steps, metrics.last_step, values, not_finite, early, parents, loaded, is_known)
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
    by_resume: dict[int | None, Metrics], steps: list[int | None], resumes: list[int | None]
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Return each metric at or just before some steps, NaN where there is none; and which values are not finite in the log, and which early."""
    at = np.array([-1 if step is None else step for step in steps], dtype=np.int64)
    ordered = np.unique(np.append(at, -1))
    before = ordered[np.maximum(np.searchsorted(ordered, at) - 1, 0)]  # the step of the checkpoint before each
    values, not_finite, early = dict[str, Any](), dict[str, Any](), dict[str, Any]()
    for resume, metrics in by_resume.items():
        is_read = (at >= 0) & np.array([each == resume for each in resumes], dtype=bool)
        for name, points in metrics.points.items():
            values[name] = np.where(is_read, points.find_values(at), values.get(name, math.nan))
            is_known = is_read & (at >= points.steps[0])
            for flags, flag in ((not_finite, ~np.isfinite(values[name])), (early, points.find_steps(at) <= before)):
                if (is_known & flag).any():
                    flags[name] = (is_known & flag) | flags.get(name, False)
    return values, not_finite, early


def read_metrics(files: dict[str, Any], problems: list[Problem]) -> Metrics:
    """Return the metrics of a folder, with those that files from before a resume have of earlier steps."""
    return read_resumes(files, problems)[None]


def read_resumes(files: dict[str, Any], problems: list[Problem]) -> dict[int | None, Metrics]:
    """Return the metrics of a folder as they were before each resume, by its step, and under None as they are now.

    Each has those from before the resume before it, of the steps up to that.
    """
    odd = [name for name in files if name.startswith(PRE_RESUME) and not name.removeprefix(PRE_RESUME).isdecimal()]
    problems += [Problem(name, NO_RESUME, 1, "") for name in odd]
    found: dict[int | None, Metrics] = {}
    before: tuple[int, Metrics] | None = None
    for step, name in [*sorted(_find_resumes(files)), (None, METRICS)]:
        content = _read_content(files, name, problems)
        if content is None and step is not None:
            continue
        metrics: Metrics = _collect(name, content or b"", parse_metrics, problems)
        found[step] = metrics if before is None else add_earlier(metrics, before[1], before[0])
        before = (step, found[step]) if step is not None else None
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
