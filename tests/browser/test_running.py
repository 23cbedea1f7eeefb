"""Plans under way in a real page: progress, Cancel, servers that fail, and the rows meanwhile."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

import tinker_frames as tkf
from tinker_frames.demo import Burst

from .shown import Shown

if TYPE_CHECKING:
    from tinker_frames.demo import DemoServer

    from .stage import Stage

pytestmark = pytest.mark.browser


@pytest.fixture
def own(stage: Stage, server: DemoServer, client: tkf.Client) -> Iterator[Shown]:
    """A view of an account of this test's own; what goes on at the end is stopped and waited for."""
    shown = Shown(stage, tkf.explore("checkpoints", client))
    yield shown
    server.faults.clear()
    shown.view._explorer.panel.cancel()
    assert shown.view.wait(30)


def select(shown: Shown, rows: int) -> list[str]:
    """Select rows that no guard holds and that do not expire, and return their keys."""
    frame = shown.view.frame
    older = frame.duplicated(["training_run_id", "checkpoint_type"])  # than the newest of their run, which come first
    found = frame[older & frame["expires_at"].isna() & ~frame["public"]].head(rows)
    shown.view.selected = found
    shown.says(shown.selection, f"{rows} selected")
    return list(found["tinker_path"])


def share(shown: Shown) -> float:
    """Return how much of the progress bar is filled."""
    return float(shown.find(".tkf-progress-fill").evaluate("bar => parseFloat(bar.style.width) / 100 || 0"))


def done(shown: Shown) -> int:
    """Return how many rows the progress bar counts."""
    return int(shown.find(".tkf-progress").get_attribute("aria-valuenow") or 0)


# ---- while it goes on


def test_progress_is_seen_as_it_goes(own: Shown, server: DemoServer) -> None:
    """The bar grows with the rows that have ended, beside their number and how many a second, which is what it says to a screen reader."""
    select(own, 40)
    own.act("expire")
    server.faults.write_latency = 0.25
    own.stage.click(own.inside("run"))
    own.stage.until(lambda: 0 < done(own) < 40)
    first = share(own)
    assert first == pytest.approx(done(own) / 40, abs=0.2)
    said = own.find(".tkf-progress-text")
    own.stage.until(lambda: share(own) > first)
    own.stage.until(lambda: re.search(r"^\d+ of 40 · [\d.]+ a second$", said.inner_text()))
    assert " of 40 · " in str(own.find(".tkf-progress").get_attribute("aria-valuetext"))
    server.faults.clear()
    own.over()
    own.says(own.panel, "✓ 40 done")


def test_cancel_stops_what_was_not_begun(own: Shown, server: DemoServer) -> None:
    """Cancel lets end what is under way; the rest is told as not begun, and Try again does it."""
    keys = select(own, 40)
    own.act("expire")
    server.faults.write_latency = 0.25
    own.stage.click(own.inside("run"))
    own.stage.until(lambda: done(own) > 0)
    assert own.active() == "cancel"
    own.stage.press("Enter")
    own.says(own.panel, "stopping")
    own.over()
    server.faults.clear()
    own.says(own.panel, "not begun")
    ended = sum(server.state.find(key).expires_at is not None for key in keys)
    assert 0 < ended < 40
    own.says(own.panel, f"✓ {ended} done")
    own.answer("retry")
    own.says(own.panel, f"{40 - ended} of {40 - ended} checkpoints")
    own.answer("run")
    own.says(own.panel, f"✓ {40 - ended} done")


def test_waiting_is_told(own: Shown, server: DemoServer) -> None:
    """While the server limits the rate the panel says how long is waited and why, and then it goes on."""
    select(own, 3)
    own.act("expire")
    server.faults.bursts = [Burst("set_checkpoint_ttl", 429, times=1, retry_after="2")]
    own.stage.click(own.inside("run"))
    own.stage.until(lambda: re.search(r"waiting [12] s: .*rate", own.panel()))
    own.over()
    own.says(own.panel, "✓ 3 done")


def test_rows_can_be_looked_at_meanwhile(own: Shown, server: DemoServer) -> None:
    """While a plan goes on one types, filters and sorts; progress and its end do not take the focus away."""
    select(own, 20)
    own.act("expire")
    server.faults.write_latency = 0.2
    own.stage.click(own.inside("run"))
    own.stage.until(lambda: done(own) > 0)
    own.type("text", "fin")
    own.sees(lambda: own.view.filters, {"text": "fin"})
    own.stage.click(own.head("time"))
    own.named("text").focus()
    own.sees(own.sorts, {"time": "▲"})
    assert own.panel()
    own.over()
    own.says(own.panel, "✓ 20 done")
    own.type("text", "al")
    assert (own.active(), own.named("text").input_value()) == ("text", "final")


def test_rows_change_in_place(own: Shown) -> None:
    """After a plan the rows are new where they are: scroll, filter, sort and the rest of the selection stay."""
    own.view.query = "not public"
    own.view.sort = ["name"]
    own.sees(own.sorts, {"name": "▲"})
    own.scroll(120 * 28)
    own.row(125)
    keys = select(own, 3)
    before, place = own.keys(), own.grid.evaluate("grid => grid.scrollTop")
    own.view.act("expire")
    own.over()
    own.answer("run")
    own.says(own.panel, "✓ 3 done")
    assert own.grid.evaluate("grid => grid.scrollTop") == place
    own.sees(own.keys, before)
    assert own.sorts() == {"name": "▲"}
    assert list(own.view.selected["tinker_path"]) != []
    assert set(own.view.selected["tinker_path"]) == set(keys)
    own.view.query = f"tinker_path in {keys!r}"
    own.sees(lambda: {text[0] for text in own.column("expires_at")}, {"⚠"})


# ---- what goes wrong


@pytest.mark.parametrize(("status", "words"), [(400, "not of this account"), (403, "no way")])
def test_failures_are_listed_and_can_be_tried_again(own: Shown, server: DemoServer, status: int, words: str) -> None:
    """Rows that the server refuses are listed with its words; once it does not any longer, Try again does them."""
    select(own, 4)
    own.act("expire")
    server.faults.bursts = [Burst("set_checkpoint_ttl", status, times=2, detail=words)]
    own.answer("run")
    own.says(own.panel, "✕ 2 failed")
    own.says(own.panel, "✓ 2 done")
    rows = own.find(".tkf-listed tbody tr")
    assert rows.count() == 2
    assert words in rows.first.inner_text()
    own.answer("retry")
    own.says(own.panel, "2 of 2 checkpoints")
    own.answer("run")
    own.says(own.panel, "✓ 2 done")
    assert own.inside("retry").count() == 0


def test_rows_of_an_outcome_are_listed_by_a_click(own: Shown, server: DemoServer) -> None:
    """A click on the number of an outcome lists its rows in place of the failures, a second one brings those back; focus stays."""
    keys = select(own, 4)
    own.act("publish")
    server.faults.bursts = [Burst("publish_checkpoint", 403, times=1)]
    own.answer("run")
    own.says(own.panel, "✕ 1 failed")
    rows = own.find(".tkf-listed tbody tr")
    failed = rows.first.locator("td").first.inner_text()
    own.answer("outcome done")
    own.sees(rows.count, 3)
    assert {*rows.locator("td:first-child").all_inner_texts(), failed} == {*keys}
    assert own.active() == "outcome done"
    own.answer("outcome done")
    own.sees(rows.count, 1)
    assert "403" in rows.first.inner_text()
