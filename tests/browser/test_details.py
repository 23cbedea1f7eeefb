"""The details of a row in a real page: how they open and close, what they show, and the focus."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import tinker_frames as tkf

from .view_page import ViewPage

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from tinker_frames.demo import DemoServer

    from .widget_host import WidgetHost

pytestmark = pytest.mark.browser

HOSTILE = "<img src=x onerror=window.ran=1>\u202e"


def test_details_open_by_a_click_on_the_name_and_close_by_escape(view: ViewPage) -> None:
    """A click on a name opens the details without selecting the row, and takes the focus; Escape closes them and returns it."""
    panel = view.find(".tkf-detail")
    assert not panel.is_visible()
    view.host.click(view.row(4).locator(".tkf-opener"))
    view.host.wait_until(panel.is_visible)
    key = view.row(4).get_attribute("data-key")
    assert panel.locator("header code").inner_text() == key
    assert (view.active(), view.selected()) == ("tkf-detail", [])
    assert view.find(".tkf-row.tkf-open").get_attribute("data-key") == key
    run = view.widget.frame.set_index("tinker_path").loc[key, "training_run_id"]
    entries = panel.locator(".tkf-entry")
    assert entries.count() == int((view.widget.frame["training_run_id"] == run).sum())
    assert panel.locator('[aria-current="true"]').count() == 1
    view.click("copy key")
    view.wait_for(lambda: view.page.evaluate("navigator.clipboard.readText()"), key)
    view.host.click(entries.first)
    view.host.wait_until(lambda: panel.locator("header code").inner_text() != key)
    view.host.press("Escape")
    view.wait_for(panel.is_visible, False)
    assert view.active() == "tkf-grid"
    view.press("ArrowDown", "Enter")
    view.host.wait_until(panel.is_visible)
    view.click("close-detail")
    view.wait_for(panel.is_visible, False)
    assert view.find(".tkf-row.tkf-open").count() == 0


def test_details_are_text(host: WidgetHost, account: tkf.Client, inventory: pd.DataFrame) -> None:
    """Hostile names, fields and metadata are shown as text, with bidirectional overrides escaped."""
    frame = inventory.head(3).copy()
    frame["name"] = frame["display_name"] = HOSTILE
    frame["user_metadata"] = '{"<b>k</b>": "<img src=x onerror=window.ran=2>"}'
    view = ViewPage(host, tkf.explore(frame, account))
    view.press("Enter")
    panel = view.find(".tkf-detail")
    view.host.wait_until(panel.is_visible)
    text = panel.inner_text()
    assert "<b>k</b>" in text
    assert "onerror=window.ran=1>\\u202e" in text
    assert view.page.evaluate("window.ran") is None
    assert panel.locator("img, b").count() == 0


def test_a_curve_shows_steps_and_values(
    host: WidgetHost, account: tkf.Client, shared_server: DemoServer, inventory: pd.DataFrame, tmp_path: Path
) -> None:
    """With training logs, a metric of the run is drawn: hover and arrow keys say step and value, Enter opens the checkpoint there."""
    frame = inventory.tinker.with_metrics(shared_server.write_logs(tmp_path))
    view = ViewPage(host, tkf.explore(frame[frame["test/nll"].notna()], account))
    assert view.widget._detail is None
    view.press("Enter")
    picture = view.find(".tkf-curve svg")
    view.host.wait_until(lambda: picture.count() == 1)
    said = view.find(".tkf-detail .tkf-chart-text")
    assert said.inner_text().startswith("test/nll: ")
    curve = view.widget._detail["curve"]
    box = picture.bounding_box()
    assert box is not None
    view.page.mouse.move(box["x"] + 200, box["y"] + 50)
    assert said.inner_text().startswith("step ")
    view.host.press("Home", "ArrowRight", on=picture)
    first = curve["marks"][0]
    assert f"step {int(first['step']):,}: test/nll " in said.inner_text()
    assert said.inner_text().endswith(f"checkpoint {first['name']} ({first['label']})")
    view.host.press("Enter", on=picture)
    view.host.wait_until(lambda: view.find(".tkf-detail header code").inner_text() == first["key"])
    view.host.wait_until(lambda: picture.count() == 1)
    metric = view.find('.tkf-detail [data-name="metric"]')
    metric.focus()
    metric.select_option("learning_rate")
    view.host.wait_until(lambda: said.inner_text().startswith("learning_rate: "))
    assert view.active() == "metric"
