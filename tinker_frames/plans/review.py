"""Review the rows of a plan before they are sent: read their current state, and evaluate the guards again."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from .actions import Action
from .guards import GUARDS
from .jobs import Job
from .preview import build_states, find_holds, find_namesakes, hide_zero_times
from .runner import STALE_S
from .samplers import Loaded
from .writer import Read, list_runs

if TYPE_CHECKING:
    import pandas as pd

PATIENCE = 3  # with large accounts, where reading the samplers takes long: at most a third of the time goes into it


class Review:
    """Reads the training runs of rows and evaluates the guards again, during one run of a plan.

    Samplers are read again after `STALE_S` seconds, or after `PATIENCE` times as long as the reading took, if that is longer.

    Parameters
    ----------
    read_frame
        Returns the present checkpoints of some runs, past the cache, and the runs that could not be read.
    read_loaded
        Returns what samplers have loaded, past the cache.
    get_time
        Returns the present time by the server's clock, which is known once it has answered.
    action
        The action on the rows; guards hold only rows that will be gone earlier.
    allowed
        The guards that are lifted.
    """

    def __init__(
        self,
        read_frame: Callable[[list[str]], tuple[pd.DataFrame, set[str]]],
        read_loaded: Callable[[], Loaded],
        get_time: Callable[[], datetime],
        action: Action,
        allowed: frozenset[str],
    ) -> None:
        self._read_frame, self._read_loaded, self._get_time = read_frame, read_loaded, get_time
        self._action, self._allowed = action, allowed
        self._lock = threading.Lock()
        self._loaded = Loaded()
        self._loaded_until = -math.inf  # until when that counts, in monotonic seconds

    def __call__(self, jobs: list[Job]) -> Read:
        """Return the present state of the runs of some rows, and which of the rows a guard holds."""
        frame, unread = self._read_frame(list_runs(jobs))
        read, guarded = build_read(frame, unread), self._list_guarded(jobs)
        loaded = self._find_loaded() if guarded and "sampler" not in self._allowed else Loaded()
        if guarded and set(GUARDS) - self._allowed:
            read.held.update(find_holds(guarded, self._allowed, frame, loaded))
        return read

    def _list_guarded(self, jobs: list[Job]) -> list[Job]:
        """Return the rows that will be gone earlier."""
        now = self._get_time()
        return [job for job in jobs if self._action.shortens(job.before, job.expiry, now)]

    def _find_loaded(self) -> Loaded:
        with self._lock:
            started = time.monotonic()
            if started > self._loaded_until:
                self._loaded = self._read_loaded()
                self._loaded_until = started + max(STALE_S, PATIENCE * (time.monotonic() - started))
            return self._loaded


def build_read(frame: pd.DataFrame, unread: set[str]) -> Read:
    """Return the state of the checkpoints in a frame."""
    frame = hide_zero_times(frame)
    states = dict(zip(frame["tinker_path"], build_states(frame), strict=True))
    ids = dict(zip(zip(frame["training_run_id"], frame["checkpoint_id"], strict=True), states, strict=True))
    return Read(states, unread, find_namesakes(frame), ids)
