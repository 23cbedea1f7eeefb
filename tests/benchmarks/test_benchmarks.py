"""The benchmarks run and are honest; that anything is quick is not tested here, since it would say more of the machine."""

from __future__ import annotations

import math
import os
import re
import subprocess
import sys
from contextlib import nullcontext
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from tests.benchmarks import browser, building, listing
from tests.benchmarks.__main__ import BENCHMARKS, measured
from tests.benchmarks.pages import pages
from tests.benchmarks.peers import official_sdk
from tests.benchmarks.rounds import CPU, Result, Skipped, UnequalError, in_turn, ratio, require_equal
from tests.benchmarks.setup import CHECKOUT, SMALL, Peer, Setup
from tests.benchmarks.table import LINES, Line, printed
from tests.browser.chromium import missing

TINY = Setup(**SMALL | {"rows": 500})
WRONG = {
    "a row less": lambda frame: frame.iloc[1:],
    "another size": lambda frame: frame.assign(size_bytes=frame["size_bytes"].fillna(0) + 1),
    "another key": lambda frame: frame.assign(tinker_path=frame["tinker_path"].str.upper()),
}


def our_own_frame(contents: Any) -> pd.DataFrame:
    """A right peer without the SDK: our own frame."""
    return building.our_frame(contents)


@pytest.mark.slow
@pytest.mark.timeout(400)  # some four minutes with the SDK, Chromium and another process beside it
def test_the_small_run_prints_every_line_with_a_number_or_a_reason(tmp_path: Path) -> None:
    """`python -m tests.benchmarks --small` prints all lines, each with a finite number and a verdict, or why it was skipped."""
    environment = os.environ | {"XDG_CACHE_HOME": str(tmp_path), "PYTHONWARNINGS": "default"}
    command = [sys.executable, "-m", "tests.benchmarks", "--small"]
    said = subprocess.run(
        command, cwd=CHECKOUT, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert said.returncode == 0, said.stderr
    rows = [[cell.strip() for cell in line.split("|")] for line in said.stdout.splitlines() if line.count("|") == 4]
    words = {"rows": SMALL["rows"], "near": SMALL["near_s"] * 1000, "far": SMALL["far_s"] * 1000}
    assert rows[0] == ["what", "at least", "aim", "measured", "verdict"]
    assert [row[0] for row in rows[2:]] == [line.what.format(**words) for line in LINES.values()]
    for what, *_, value, verdict in rows[2:]:
        if verdict.startswith("skipped: needs the peers extra"):
            assert find_spec("tinker") is None, what
            assert value == "-", what
        elif verdict.startswith("skipped: needs the browser extra"):
            assert missing(lab=True) or find_spec("quak") is None, what
            assert value == "-", what
        else:
            assert math.isfinite(float(value.split()[0])), what
            assert verdict in ("aim", "reached", "NOT reached", "-"), what
    assert "Python 3." in said.stdout
    assert re.search(r"pandas \d", said.stdout)


@pytest.mark.slow
def test_without_the_sdk_its_lines_are_skipped_and_the_rest_is_measured() -> None:
    """A missing SDK costs the lines that need it, and each says so; nothing else changes."""
    outcomes = building.frames(TINY) | listing.near(TINY) | listing.far(TINY)
    skipped = {name for name, outcome in outcomes.items() if isinstance(outcome, Skipped)}
    assert skipped == {"build_sdk", "cold_near", "warm", "cold_far"}
    assert printed(outcomes, TINY).count("skipped: needs the peers extra") == len(skipped)
    assert all(math.isfinite(outcomes[name].value) for name in ("build_floor", "waves"))


def test_without_a_browser_its_lines_are_skipped_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no browser test can run, every line of the view says why, and nothing is started."""
    monkeypatch.setenv("PATH", "")
    outcomes = browser.view(TINY)
    assert set(outcomes) == {name for name in LINES if name.startswith("view")}
    assert printed(outcomes, TINY).count("skipped: needs the browser extra: ") == len(outcomes)


@pytest.mark.parametrize(("name", "asked"), [("quak", 3), ("ours", 1)])
def test_a_peer_that_does_not_show_is_asked_again_and_ours_is_not(name: str, asked: int) -> None:
    """A peer's showing that fails is repeated and told beside its time; one of ours ends the benchmark."""
    showing = browser.Showing(SimpleNamespace(lab=SimpleNamespace(problems=[])))
    tries = iter([browser.UnseenError(), browser.UnseenError(), 0.5])

    def show(*_: Any) -> float:
        found = next(tries)
        if isinstance(found, Exception):
            raise found
        return found

    showing._show = show
    with nullcontext() if name == "quak" else pytest.raises(browser.UnseenError):
        assert showing._shown(0, name) == 0.5
        assert "failed 2 times" in showing.beside({"ours": [0.1], name: [0.5]}, name, "").note
    assert 3 - len(list(tries)) == asked


@pytest.mark.parametrize("change", WRONG.values(), ids=WRONG)
def test_a_peer_that_builds_other_rows_is_refused(change: Any) -> None:
    """A peer with a row less, another size or another key stops the benchmark before anything is timed."""
    wrong = Peer(lambda contents: change(our_own_frame(contents)), lambda url, key: pd.DataFrame())
    with pytest.raises(UnequalError, match="nothing was timed"):
        building.frames(replace(TINY, sdk=wrong))


@pytest.mark.slow
def test_a_peer_that_lists_other_rows_is_refused() -> None:
    """Over the wire, too, a peer whose rows are not the server's stops the benchmark, near or far."""
    wrong = Peer(our_own_frame, lambda url, key: our_own_frame(pages(TINY.rows)))
    for benchmark in (listing.near, listing.far, listing.local):
        with pytest.raises(UnequalError, match=r"the (set of keys|sum of sizes) of ours"):
            benchmark(replace(TINY, sdk=wrong))


def test_a_listing_that_is_not_what_it_is_said_to_be_is_refused() -> None:
    """A warm listing that was not cached, or one that lacks rows, is not timed as if it were whole and warm."""
    with listing.served(TINY.rows, 0) as url, listing.our_ways(url) as (cold, warm, uncached):
        for way, cached in ((cold, True), (warm, False), (uncached, True)):
            with pytest.raises(UnequalError, match="from_cache"):
                listing.checked(way, TINY, cached=cached)
        with pytest.raises(UnequalError, match="500 rows of 501"):
            listing.checked(cold, replace(TINY, rows=501))
        assert len(listing.checked(warm, TINY, cached=True)) == TINY.rows


@pytest.mark.peer
def test_the_official_sdk_builds_the_same_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK's models make of our pages what we make of them."""
    monkeypatch.setenv("TINKER_TELEMETRY", "0")  # what `official_sdk` sets does not outlive the test
    sdk = official_sdk()
    assert sdk is not None  # the mark has seen to it; an SDK that is there and cannot be used must not go unseen
    contents = list(pages(300))
    require_equal(building.our_frame(contents), sdk.frame_of(contents), "building")


def test_the_pages_are_as_believable_as_said() -> None:
    """Rows are some 308 bytes, newest first, of few runs a page, and every other one has metadata; all keys differ."""
    contents = list(pages(3_000))
    frame = building.our_frame(contents)
    assert len(frame) == 3_000 == frame["tinker_path"].nunique()
    assert sum(map(len, contents)) / 3_000 == pytest.approx(308, abs=5)
    assert frame["time"].is_monotonic_decreasing
    assert frame["user_metadata"].notna().mean() == 0.5
    assert frame["training_run_id"].iloc[:1_000].nunique() == 4
    assert contents == list(pages(3_000))


def test_ways_run_in_turn_and_warm_ups_do_not_count() -> None:
    """Every round runs every way once, one after another, and the first rounds are run but left out."""
    ran: list[str] = []
    ways = {name: (lambda name=name: ran.append(name)) for name in ("peer", "ours")}
    times = in_turn(ways, rounds=2, warm_ups=1, clock=CPU)
    assert ran == ["peer", "ours"] * 3
    assert {name: len(found) for name, found in times.items()} == {"peer": 2, "ours": 2}


def test_a_ratio_is_of_medians() -> None:
    """One slow round changes the extremes that are told, not the ratio."""
    found = ratio({"peer": [4.0, 4.0, 4.0], "ours": [2.0, 2.0, 40.0]}, "peer", "ours")
    assert (found.value, found.low, found.high) == (2.0, 0.1, 2.0)


@pytest.mark.parametrize(
    ("line", "value", "verdict"),
    [
        (Line("", 12, 20), 20, "aim"),
        (Line("", 12, 20), 12, "reached"),
        (Line("", 12, 20), 11.9, "NOT reached"),
        (Line("", 2.5, 1.8, at_most=True), 1.8, "aim"),
        (Line("", 2.5, 1.8, at_most=True), 2.5, "reached"),
        (Line("", 2.5, 1.8, at_most=True), 2.51, "NOT reached"),
        (Line("", 30, at_most=True), 5, "reached"),
        (Line(""), 5, "-"),
    ],
)
def test_a_verdict_says_how_far_a_number_gets(line: Line, value: float, verdict: str) -> None:
    """The bounds belong to the better verdict, and a line without bounds has none."""
    assert line.verdict(Result(value)) == verdict


def test_every_line_has_one_benchmark_and_can_be_asked_for_alone() -> None:
    """Each line of the table is measured by exactly one benchmark, and only what was asked for is run."""
    names = [name for lines in BENCHMARKS.values() for name in lines]
    assert sorted(names) == sorted(LINES)
    assert set(measured(TINY, ["build_floor"])) == {"build_sdk", "build_floor"}
