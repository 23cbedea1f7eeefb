"""The training log of one run, with its metrics over all steps; and which folder it is in, as a frame of checkpoints notes it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from .folders import find_folders, read_files
from .reader import Logs
from .scan import list_metrics, read_metrics

if TYPE_CHECKING:
    import pandas as pd

    from .parsing import Points

LOGS = "logs"  # where the attrs of a frame have its log folders


class FolderByRun(dict[str, str]):
    """The log folder of each training run, as plain JSON. It is never changed, so copies of a frame's attrs share it.

    What a file has in its place is a plain dict, which is not believed: a file must not choose what a view reads.
    """

    def __deepcopy__(self, memo: dict[int, Any]) -> FolderByRun:
        return self


class RunLog:
    """The log folder of one training run.

    Attributes
    ----------
    points
        The values of each metric over their steps.
    """

    def __init__(self, points: dict[str, Points], logs: Logs) -> None:
        self.points, self._logs = points, logs

    def find_marks(self, metric: str, paths: Iterable[str]) -> list[tuple[int, float] | None]:
        """Return the step of each tinker path and the metric there, of its own weights also after a resume; None where the log does not tell."""
        steps = self._logs.checkpoints["step"].fillna(-1).tolist()
        values = self._logs.read_values(metric).tolist()
        rows = self._logs.find_rows(list(paths))
        return [None if row < 0 or steps[row] < 0 else (steps[row], values[row]) for row in rows]


def read_run_log(log_path: str) -> RunLog:
    """Read the log folder with this path.

    Raises
    ------
    FileNotFoundError
        If there is no log in it any more.
    """
    folder = next((each for each in find_folders(log_path)[0] if each.path == log_path), None)
    if folder is None:
        raise FileNotFoundError(f"there is no training log in {log_path}")
    files = next(read_files([folder], list_metrics))
    return RunLog(read_metrics(files, []).points, Logs([folder]))


def note_folders(frame: pd.DataFrame, log_paths: pd.Series[Any]) -> FolderByRun:
    """Return the log folder of each training run, from that of each row; those of logs that were joined before are kept."""
    about = frame.attrs.get("tinker")
    before = about.get(LOGS) if isinstance(about, dict) else None
    found = FolderByRun(before if isinstance(before, FolderByRun) else {})
    if "training_run_id" in frame.columns:
        known = (log_paths.notna() & frame["training_run_id"].notna()).to_numpy(dtype=bool)
        found.update(zip(frame["training_run_id"][known], log_paths[known], strict=True))
    return found
