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
