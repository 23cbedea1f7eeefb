"""A demo account served by a process of its own, so that its work does not take the interpreter lock of who is measured."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from .setup import CHECKOUT

KEY = "tml-demo"
ROWS_PER_RUN = 500


@contextmanager
def served(rows: int, latency_s: float) -> Iterator[str]:
    """Serve an account of so many checkpoints, each answer after so many seconds; gives its address."""
    asked = {"--runs": max(20, rows // ROWS_PER_RUN), "--checkpoints": rows, "--latency": latency_s}
    command = [sys.executable, "-m", "tinker_frames.demo", *(str(part) for pair in asked.items() for part in pair)]
    with subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            ready = process.stdout.readline()
            if not ready.startswith("READY "):
                raise RuntimeError(f"the demo server did not start: {ready!r}")
            yield ready.split()[1]
        finally:
            process.terminate()
