"""A process that builds one frame and tells its peak of resident memory: `python -m tests.benchmarks.peak FILE`."""

from __future__ import annotations

import resource
import sys
from itertools import islice
from pathlib import Path

from .building import our_frame


def main(path: Path) -> None:
    """Print the rows of the frame, and the bytes by which building it raised the peak."""
    with path.open("rb") as lines:
        our_frame(islice(lines, 1))
    reset = _reset()
    before = _status("VmRSS") if reset else _peak()
    with path.open("rb") as lines:
        frame = our_frame(lines)
    after = _status("VmHWM") if reset else _peak()
    print(len(frame), after - before)


def _reset() -> bool:
    """Make the kernel count the peak anew; False where it cannot, and then the peak so far is what is compared with."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return False
    return True


def _status(field: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) * 1024


def _peak() -> int:
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


if __name__ == "__main__":
    main(Path(sys.argv[1]))
