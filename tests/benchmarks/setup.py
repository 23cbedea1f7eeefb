"""What one run of the benchmarks is given: how many rows, how many rounds, which latencies, and the official SDK if it is there."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

CHECKOUT = Path(__file__).parents[2]  # other processes start here, so that they import what this one does
PAGE_ROWS = 1000


@dataclass(frozen=True)
class Peer:
    """What a user writes today: pages to a frame, and a server's whole list to a frame."""

    frame_of: Callable[[Iterable[bytes]], pd.DataFrame]
    listing: Callable[[str, str], pd.DataFrame]


@dataclass(frozen=True)
class Setup:
    """The sizes of one run.

    Attributes
    ----------
    rows
        Checkpoints of the account.
    rounds
        Rounds that count; `warm_ups` are run before and dropped.
    writes
        Checkpoints that a plan deletes.
    near_s, far_s
        The latency of a near server (50 ms) and of a far one (250 ms).
    sdk
        The official SDK, None where it is not installed.
    """

    rows: int = 100_000
    writes: int = 600
    rounds: int = 5
    warm_ups: int = 1
    near_s: float = 0.05
    far_s: float = 0.25
    sdk: Peer | None = None

    @property
    def pages(self) -> int:
        """How many pages the list has."""
        return math.ceil(self.rows / PAGE_ROWS)


SMALL = {"rows": 3_000, "writes": 40, "rounds": 1, "warm_ups": 0, "near_s": 0.005, "far_s": 0.02}
