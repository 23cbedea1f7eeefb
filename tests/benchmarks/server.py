"""A demo account served by a separate process, so that it does not hold the interpreter lock of the measured process."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from .setup import CHECKOUT

KEY = "tml-demo"
ROWS_PER_RUN = 500


@contextmanager
def serve_account(rows: int, latency_s: float, runs: int | None = None, dialect: str = "official") -> Iterator[str]:
    """Serve an account with this many checkpoints and this latency; yield its address."""
    runs = runs or max(20, rows // ROWS_PER_RUN)
    asked = {"--runs": runs, "--checkpoints": rows, "--latency": latency_s, "--dialect": dialect}
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
