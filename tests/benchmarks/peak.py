"""Build one frame in this process and print its peak resident memory: `python -m tests.benchmarks.peak FILE`."""

from __future__ import annotations

import resource
import sys
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from .building import our_frame

if TYPE_CHECKING:
    import pandas as pd


def main(path: Path) -> None:
    """Print the number of rows and the bytes by which building the frame raised the peak."""
    with path.open("rb") as lines:
        our_frame(islice(lines, 1))
    with path.open("rb") as lines:
        frame, peak_bytes = measure_peak(lambda: our_frame(lines))
    print(len(frame), peak_bytes)


def measure_peak(build: Callable[[], pd.DataFrame]) -> tuple[pd.DataFrame, int]:
    """Return a frame, and the bytes by which building it raised the peak of this process's resident memory."""
    reset = _reset()
    before = read_status("VmRSS") if reset else _peak()
    frame = build()
    return frame, (read_status("VmHWM") if reset else _peak()) - before


def _reset() -> bool:
    """Reset the kernel's peak counter; return False where that is not supported, so the current peak is the baseline."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return False
    return True


def read_status(field: str) -> int:
    """Return a field of this process's status in bytes, e.g. `VmRSS`, its resident memory."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) * 1024


def _peak() -> int:
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


if __name__ == "__main__":
    main(Path(sys.argv[1]))
