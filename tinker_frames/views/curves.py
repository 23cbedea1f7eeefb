"""The curve of a metric in the details of a checkpoint: values of its run's training log over their steps, and its checkpoints on it; pure."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from ..frames.text import escape_control_characters
from ..training_logs.join import TEST, rename_column
from .chart_messages import Curve, CurveMark
from .charts import LOOKS, find_looks, label_look

if TYPE_CHECKING:
    import pandas as pd

    from ..training_logs.curves import RunLog

MOST_POINTS = 500  # of a curve
_LOSS = re.compile(r"nll|loss")


def list_metrics(log: RunLog, columns: list[str]) -> list[str]:
    """Return the metrics of a log that a frame has as columns, in the order of these."""
    by_column = {rename_column(name): name for name in log.points}
    return [by_column[column] for column in columns if column in by_column]


def choose_metric(metrics: list[str], chosen: str, sorted_by: list[str]) -> str:
    """Return which metric is drawn: the chosen one, else one that rows are sorted by, else a loss of a test, else the first."""
    if chosen in metrics:
        return chosen
    return sorted_by[0] if sorted_by else min(metrics, key=lambda name: (not TEST.match(name), not _LOSS.search(name)))


def describe_curve(
    log: RunLog, metric: str, metrics: list[str], checkpoints: pd.DataFrame, key: str, now: datetime
) -> Curve:
    """Return the curve of a metric with the checkpoints of its run; the row with this key stands for others at its step."""
    points = log.points[metric]
    is_finite = np.isfinite(points.values)
    steps, values = points.steps[is_finite], points.values[is_finite]
    places = thin_out(values)
    return {
        "metric": metric,
        "metrics": metrics,
        "points": [[float(step), _round(value)] for step, value in zip(steps[places], values[places], strict=True)],
        "total": len(points.values),
        "odd": int((~is_finite).sum()),
        "marks": list_marks(log, metric, checkpoints, key, now),
    }


def thin_out(values: np.ndarray[Any, Any], most: int = MOST_POINTS) -> np.ndarray[Any, Any]:
    """Return the places of at most so many values: all of them, or the first, the last, and the extremes of parts of equal length."""
    if len(values) <= most:
        return np.arange(len(values))
    parts = np.array_split(np.arange(len(values)), (most - 2) // 2)
    extremes = [part[place] for part in parts for place in (np.argmin(values[part]), np.argmax(values[part]))]
    return np.unique([0, *extremes, len(values) - 1])


def list_marks(log: RunLog, metric: str, checkpoints: pd.DataFrame, key: str, now: datetime) -> list[CurveMark]:
    """Return the checkpoints whose step the log knows, one for each step and look."""
    marks = log.find_marks(metric, checkpoints["tinker_path"])
    known = checkpoints[np.array([mark is not None for mark in marks], dtype=bool)]
    looks = find_looks(known, now)
    found: dict[tuple[int, int], CurveMark] = {}
    for place, (path, (step, value)) in enumerate(zip(known["tinker_path"], filter(None, marks), strict=True)):
        same = step, int(looks[place])
        if np.isfinite(value) and (same not in found or path == key):
            name = str(known["name"].iloc[place]) if "name" in known else str(path)
            found[same] = {
                "key": str(path),
                "name": escape_control_characters(name),
                "step": float(step),
                "value": _round(value),
                "look": LOOKS[looks[place]],
                "label": label_look(LOOKS[looks[place]]),
            }
    return [found[same] for same in sorted(found)]


def _round(value: float) -> float:
    return float(f"{value:.8g}")
