"""Building frames from pages in memory: CPU time compared with the SDK and with bare decoding, and peak memory."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from .pages import pages
from .peers import bare_decoding
from .rounds import CPU, NO_SDK, Outcome, Result, UnequalError, in_turn, ratio, require_equal
from .setup import CHECKOUT, Setup

if TYPE_CHECKING:
    import pandas as pd


def our_frame(contents: Iterable[bytes]) -> pd.DataFrame:
    """Return the typed frame of pages."""
    from tinker_frames.listings.decode import Decoder
    from tinker_frames.schema.catalog import CHECKPOINTS
    from tinker_frames.schema.columns import to_frame

    decoder = Decoder(CHECKPOINTS)
    for content in contents:
        decoder.feed(content)
    return to_frame(CHECKPOINTS, decoder.finish(), datetime.now(UTC))


def frames(setup: Setup) -> dict[str, Outcome]:
    """Measure building: ours, bare decoding, and the SDK if it is installed."""
    return _measure(list(pages(setup.rows)), setup, "build_sdk", "build_floor")


def realistic_frames(setup: Setup) -> dict[str, Outcome]:
    """Measure the same of an account in which nearly every row has a run and a name of its own among its neighbours."""
    return _measure(list(pages(setup.rows, realistic=True)), setup, "build_runs_sdk", "build_runs_floor")


def _measure(contents: list[bytes], setup: Setup, by_sdk: str, by_floor: str) -> dict[str, Outcome]:
    ours = our_frame(contents)
    if bare_decoding(contents) != len(ours) or len(ours) != setup.rows:
        raise UnequalError("building: bare decoding and ours saw different numbers of rows")
    ways = {"ours": lambda: our_frame(contents), "floor": lambda: bare_decoding(contents)}
    if setup.sdk is not None:
        sdk = setup.sdk
        require_equal(ours, sdk.frame_of(contents), "building")
        ways = {"sdk": lambda: sdk.frame_of(contents)} | ways
    del ours
    times = in_turn(ways, setup.rounds, setup.warm_ups, CPU)
    size = sum(map(len, contents)) / setup.rows
    return {
        by_sdk: NO_SDK if setup.sdk is None else ratio(times, "sdk", "ours"),
        by_floor: ratio(times, "ours", "floor", f"{size:.0f} bytes a row"),
    }


def memory(setup: Setup) -> dict[str, Outcome]:
    """Measure peak memory while a separate process builds the frame from a file, one page at a time.

    This is the resident memory of the process, including Python, Arrow, pandas and memory kept by allocators, minus its
    value after all imports and one page.
    """
    with tempfile.TemporaryDirectory() as folder:
        path, size = Path(folder) / "pages.jsonl", 0
        with path.open("wb") as file:
            for content in pages(setup.rows):
                size += len(content)
                file.write(content + b"\n")
        command = [sys.executable, "-m", "tests.benchmarks.peak", str(path)]
        said = subprocess.run(command, cwd=CHECKOUT, check=True, capture_output=True, text=True, timeout=120)
    rows, peak = map(int, said.stdout.split())
    if rows != setup.rows:
        raise UnequalError(f"memory: {rows} rows were built out of {setup.rows}")
    return {"memory": Result(peak / size, note=f"{peak / 1e6:.0f} MB resident / {size / 1e6:.0f} MB")}
