"""Memory that a process keeps after one cell with a view was run ten times: `python -m tests.benchmarks.views ROWS`.

The cells run in an IPython shell, in a process of their own. The demo account is served by another process.
"""

from __future__ import annotations

import gc
import subprocess
import sys
import tempfile

from .peak import read_status
from .rounds import Outcome, Result, UnequalError
from .server import KEY, serve_account
from .setup import CHECKOUT, Setup

RUNS = 10
SETUP = "import tinker_frames as tkf; client = tkf.connect({key!r}, {url!r}, cache_dir={folder!r}); rows = [len(client.inventory()) for _ in range(2)]"
CELL = "view = tkf.explore()"


def kept(setup: Setup) -> dict[str, Outcome]:
    """Measure the resident memory after ten runs of the cell, minus its value after a listing that was dropped."""
    command = [sys.executable, "-m", "tests.benchmarks.views", str(setup.rows)]
    said = subprocess.run(command, cwd=CHECKOUT, check=True, capture_output=True, text=True, timeout=300)
    rows, before, after = map(int, said.stdout.split()[-3:])
    if rows != setup.rows:
        raise UnequalError(f"view_kept: the view shows {rows} rows of {setup.rows}")
    note = f"{before / 1e6:.0f} MB before, {after / 1e6:.0f} MB after {RUNS} runs"
    return {"view_kept": Result((after - before) / 1e6, note=note)}


def main(rows: int) -> None:
    """Print the rows of the last view, and the resident bytes before the first and after the last run of the cell."""
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell.instance()
    with serve_account(rows, 0) as url, tempfile.TemporaryDirectory() as folder:
        shell.run_cell(SETUP.format(key=KEY, url=url, folder=folder)).raise_error()
        before = measure_resident()
        for _ in range(RUNS):
            shell.run_cell(CELL).raise_error()
        after = measure_resident()
        print(len(shell.user_ns["view"].frame), before, after)


def measure_resident() -> int:
    """Return the resident bytes of this process, without garbage and without what Arrow keeps of freed columns."""
    import pyarrow as pa

    gc.collect()
    pa.default_memory_pool().release_unused()
    return read_status("VmRSS")


if __name__ == "__main__":
    main(int(sys.argv[1]))
