"""Running plans in a real page: progress, Cancel, failing servers, and the rows meanwhile."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

import tinker_frames as tkf
from tinker_frames.demo import Burst

from .view_page import ViewPage

if TYPE_CHECKING:
    from tinker_frames.demo import DemoServer

    from .widget_host import WidgetHost

pytestmark = pytest.mark.browser


@pytest.fixture
def own_view(host: WidgetHost, server: DemoServer, client: tkf.Client) -> Iterator[ViewPage]:
    """A view of this test's own account; running work is stopped at the end."""
    view = ViewPage(host, tkf.explore("checkpoints", client))
    yield view
    server.faults.clear()
    view.widget._explorer.panel.cancel()
    assert view.widget.wait(30)


def select(view: ViewPage, rows: int) -> list[str]:
    """Select rows that no guard holds and that do not expire, and return their keys."""
    frame = view.widget.frame
    older = frame.duplicated(["training_run_id", "checkpoint_type"])  # than the newest of their run, which is first
    found = frame[older & frame["expires_at"].isna() & ~frame["public"]].head(rows)
    view.widget.selected = found
    view.wait_for_text(view.selection, f"{rows} selected")
    return list(found["tinker_path"])


def read_progress(view: ViewPage) -> float:
    """Return the filled fraction of the progress bar."""
    return float(view.find(".tkf-progress-fill").evaluate("bar => parseFloat(bar.style.width) / 100 || 0"))


def read_done(view: ViewPage) -> int:
    """Return the row count of the progress bar."""
    return int(view.find(".tkf-progress").get_attribute("aria-valuenow") or 0)


# ---- while it runs


def test_progress_is_seen_as_it_goes(own_view: ViewPage, server: DemoServer) -> None:
    """The bar grows with the finished rows, shows their number and rate, and announces them to screen readers."""
    select(own_view, 40)
    own_view.click_and_wait("expire")
    server.faults.write_latency = 0.25
    own_view.host.click(own_view.panel_control("run"))
    own_view.host.wait_until(lambda: 0 < read_done(own_view) < 40)
    first = read_progress(own_view)
    assert first == pytest.approx(read_done(own_view) / 40, abs=0.2)
    said = own_view.find(".tkf-progress-text")
    own_view.host.wait_until(lambda: read_progress(own_view) > first)
    own_view.host.wait_until(lambda: re.search(r"^\d+ of 40 · [\d.]+ a second$", said.inner_text()))
    assert " of 40 · " in str(own_view.find(".tkf-progress").get_attribute("aria-valuetext"))
    server.faults.clear()
    own_view.wait_until_idle()
    own_view.wait_for_text(own_view.panel, "✓ 40 done")


def test_rows_can_be_looked_at_meanwhile(own_view: ViewPage, server: DemoServer) -> None:
    """Typing, filtering and sorting work while a plan runs; progress and its end do not move the focus."""
    select(own_view, 20)
    own_view.click_and_wait("expire")
    server.faults.write_latency = 0.2
    own_view.host.click(own_view.panel_control("run"))
    own_view.host.wait_until(lambda: read_done(own_view) > 0)
    own_view.type("text", "fin")
    own_view.wait_for(lambda: own_view.widget.filters, {"text": "fin"})
    own_view.host.click(own_view.header("time"))
    own_view.control("text").focus()
    own_view.wait_for(own_view.sorts, {"time": "▲"})
    assert own_view.panel()
    own_view.wait_until_idle()
    own_view.wait_for_text(own_view.panel, "✓ 20 done")
    own_view.type("text", "al")
    assert (own_view.active(), own_view.control("text").input_value()) == ("text", "final")


def test_rows_change_in_place(own_view: ViewPage) -> None:
    """After a plan the rows are updated in place: scroll position, filter, sort and the remaining selection are kept."""
    own_view.widget.query = "not public"
    own_view.widget.sort = ["name"]
    own_view.wait_for(own_view.sorts, {"name": "▲"})
    own_view.scroll(120 * 28)
    own_view.row(125)
    keys = select(own_view, 3)
    before, place = own_view.keys(), own_view.grid.evaluate("grid => grid.scrollTop")
    own_view.widget.act("expire")
    own_view.wait_until_idle()
    own_view.answer_panel("run")
    own_view.wait_for_text(own_view.panel, "✓ 3 done")
    assert own_view.grid.evaluate("grid => grid.scrollTop") == place
    own_view.wait_for(own_view.keys, before)
    assert own_view.sorts() == {"name": "▲"}
    assert list(own_view.widget.selected["tinker_path"]) != []
    assert set(own_view.widget.selected["tinker_path"]) == set(keys)
    own_view.widget.query = f"tinker_path in {keys!r}"
    own_view.wait_for(lambda: {text[0] for text in own_view.column("expires_at")}, {"⚠"})


# ---- what goes wrong


def test_rows_of_an_outcome_are_listed_by_a_click(own_view: ViewPage, server: DemoServer) -> None:
    """The outcome says what changed and why rows failed; a click on a count or an error lists its rows, a second one hides them; the focus stays."""
    keys = select(own_view, 4)
    own_view.click_and_wait("publish")
    server.faults.bursts = [Burst("publish_checkpoint", 403, times=1)]
    own_view.answer_panel("run")
    own_view.wait_for_text(own_view.panel, "✕ 1 failed")
    assert "3: private → public" in own_view.panel()
    failure = own_view.find(".tkf-failure")
    assert failure.inner_text().startswith("1 failed: ")
    assert "403" in failure.inner_text()
    rows = own_view.find(".tkf-listed tbody tr")
    own_view.host.click(failure)
    own_view.wait_for(rows.count, 1)
    failed = rows.first.locator("td").first.inner_text()
    own_view.answer_panel("outcome done")
    own_view.wait_for(rows.count, 3)
    assert {*rows.locator("td:first-child").all_inner_texts(), failed} == {*keys}
    assert own_view.active() == "outcome done"
    own_view.answer_panel("outcome done")
    own_view.wait_for(rows.count, 0)
    assert own_view.selection().startswith("4 selected"), "the selection stays"
