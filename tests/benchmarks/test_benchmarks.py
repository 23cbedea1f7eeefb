"""The benchmarks run and compare equal results; speed itself is not tested, since it depends on the machine."""

from __future__ import annotations

import math
import os
import re
import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.benchmarks import building
from tests.benchmarks.__main__ import BENCHMARKS, measure
from tests.benchmarks.pages import pages
from tests.benchmarks.peers import official_sdk
from tests.benchmarks.rounds import UnequalError, require_equal
from tests.benchmarks.setup import CHECKOUT, SMALL, Peer, Setup
from tests.benchmarks.table import LINES
from tests.browser.chromium import explain_missing

TINY = Setup(**SMALL | {"rows": 500})
WRONG = {
    "a row less": lambda frame: frame.iloc[1:],
    "another size": lambda frame: frame.assign(size_bytes=frame["size_bytes"].fillna(0) + 1),
    "another key": lambda frame: frame.assign(tinker_path=frame["tinker_path"].str.upper()),
}


def our_own_frame(contents: Any) -> pd.DataFrame:
    """A correct peer without the SDK: our own frame."""
    return building.our_frame(contents)


@pytest.mark.slow
@pytest.mark.timeout(400)  # about four minutes with the SDK, Chromium and another busy process
def test_the_small_run_prints_every_line_with_a_number_or_a_reason(tmp_path: Path) -> None:
    """`python -m tests.benchmarks --small` prints all lines, each with a finite number and a verdict, or the reason why it was skipped."""
    environment = os.environ | {"XDG_CACHE_HOME": str(tmp_path), "PYTHONWARNINGS": "default"}
    command = [sys.executable, "-m", "tests.benchmarks", "--small"]
    said = subprocess.run(
        command, cwd=CHECKOUT, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert said.returncode == 0, said.stderr
    rows = [[cell.strip() for cell in line.split("|")] for line in said.stdout.splitlines() if line.count("|") == 4]
    words = replace(Setup(), **SMALL).words
    assert rows[0] == ["what", "at least", "aim", "measured", "verdict"]
    assert [row[0] for row in rows[2:]] == [line.what.format(**words) for line in LINES.values()]
    for what, *_, value, verdict in rows[2:]:
        if verdict.startswith("skipped: needs the peers extra"):
            assert find_spec("tinker") is None, what
            assert value == "-", what
        elif verdict.startswith("skipped: needs the browser extra"):
            assert explain_missing(lab=True) or find_spec("quak") is None, what
            assert value == "-", what
        else:
            assert math.isfinite(float(value.split()[0])), what
            assert verdict in ("aim", "reached", "NOT reached", "-"), what
    assert "Python 3." in said.stdout
    assert re.search(r"pandas \d", said.stdout)


@pytest.mark.parametrize("change", WRONG.values(), ids=WRONG)
def test_a_peer_that_builds_other_rows_is_refused(change: Any) -> None:
    """A peer with a missing row, another size or another key stops the benchmark before anything is timed."""
    wrong = Peer(lambda contents: change(our_own_frame(contents)), lambda url, key: pd.DataFrame())
    with pytest.raises(UnequalError, match="nothing was timed"):
        building.frames(replace(TINY, sdk=wrong))


@pytest.mark.peer
def test_the_official_sdk_builds_the_same_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK's models give the same rows for our pages."""
    monkeypatch.setenv("TINKER_TELEMETRY", "0")  # undone after the test, unlike what `official_sdk` sets
    sdk = official_sdk()
    assert sdk is not None  # guaranteed by the marker; an installed SDK that cannot be used must fail the test
    contents = list(pages(300))
    require_equal(building.our_frame(contents), sdk.frame_of(contents), "building")


def test_every_line_has_one_benchmark_and_can_be_asked_for_alone() -> None:
    """Each line is measured by exactly one benchmark, and only the requested benchmarks run."""
    names = [name for lines in BENCHMARKS.values() for name in lines]
    assert sorted(names) == sorted(LINES)
    assert set(measure(TINY, ["build_floor"])) == {"build_sdk", "build_floor"}
