"""The parameters of one run of the benchmarks: rows, rounds, latencies, and the official SDK if it is installed."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

CHECKOUT = Path(__file__).parents[2]  # the working directory of other processes, so that they import the same package
PAGE_ROWS = 1000


@dataclass(frozen=True)
class Peer:
    """What a user writes today: pages to a frame, and a complete listing to a frame."""

    frame_of: Callable[[Iterable[bytes]], pd.DataFrame]
    listing: Callable[[str, str], pd.DataFrame]


@dataclass(frozen=True)
class Setup:
    """The parameters of one run.

    Attributes
    ----------
    rows
        Checkpoints of the account.
    grow_rows
        Checkpoints of the smaller of two accounts, of which the other has ten times as many.
    rounds
        Rounds that count; `warm_ups` are run first and discarded.
    writes
        Checkpoints that a plan deletes.
    near_s, far_s
        The latency of a near server (50 ms) and of a far one (250 ms).
    sdk
        The official SDK, or None if it is not installed.
    """

    rows: int = 100_000
    grow_rows: int = 100_000
    writes: int = 600
    rounds: int = 5
    warm_ups: int = 1
    near_s: float = 0.05
    far_s: float = 0.25
    sdk: Peer | None = None

    @property
    def pages(self) -> int:
        """The number of pages of the list."""
        return math.ceil(self.rows / PAGE_ROWS)

    @property
    def words(self) -> dict[str, float]:
        """What the lines of the table name in their text: rows, and latencies in milliseconds."""
        return {"rows": self.rows, "grow": self.grow_rows, "near": self.near_s * 1000, "far": self.far_s * 1000}


SMALL = {"rows": 3_000, "grow_rows": 400, "writes": 40, "rounds": 1, "warm_ups": 0, "near_s": 0.005, "far_s": 0.02}
