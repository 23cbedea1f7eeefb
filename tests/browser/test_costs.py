"""The picture of costs in a real page: values under the pointer and by keys, the table beside it, contrast, narrow windows."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import pandas as pd
import pytest

import tinker_frames as tkf

from .test_looks import CONTRASTS

if TYPE_CHECKING:
    from .widget_host import WidgetHost

pytestmark = pytest.mark.browser

KINDS = ("training_usd", "sampling_usd", "checkpoint_usd", "storage_usd", "other_usd")


def make_year() -> pd.DataFrame:
    """Return a year of days with every kind: in the tenth no events, in the twentieth no dollars, in the thirtieth no prices."""
    days = pd.date_range("2025-11-28", periods=365).strftime("%Y-%m-%d")
    frame = pd.DataFrame({"day": days, "events": 24, "cost_usd": 25.0, "unpriced_events": 0})
    frame = frame.assign(**{name: 3.0 + place for place, name in enumerate(KINDS)})
    frame.loc[19, ["cost_usd", *KINDS]] = 0.0
    frame.loc[29, ["cost_usd", *KINDS]] = math.nan
    frame.loc[29, "unpriced_events"] = 24
    frame = frame.drop(index=9)
    frame.attrs["tinker"] = {
        "table": "costs",
        "rows": len(frame),
        "complete": True,
    }  # without it, a gap may be what was filtered out
    return frame


def find_days(host: WidgetHost, *days: int) -> list[str]:
    """Return what is said of some days of a year under the pointer."""
    box = host.find(".tkf-picture svg").bounding_box()
    assert box is not None
    width, said = (box["width"] - 52 - 8) / 365, []
    for day in days:
        host.page.mouse.move(box["x"] + 52 + (day - 0.5) * width, box["y"] + 100)
        said.append(host.text(".tkf-chart-text"))
    return said


def test_a_year_is_drawn_and_read(host: WidgetHost) -> None:
    """Each day says its dollars by kind; one without events, one without dollars and one without prices differ, drawn and said."""
    host.mount(tkf.CostsView(make_year()))
    first, gap, free, unpriced = find_days(host, 1, 10, 20, 30)
    assert first == "2025-11-28: $25.00 (training $3.00, sampling $4.00, checkpoint $5.00, storage $6.00, other $7.00)"
    assert gap == "2025-12-07: no events"
    assert free.startswith("2025-12-17: $0.00 (training $0.00")
    assert unpriced == "2025-12-27: nothing is priced; 24 of 24 events not priced"
    boxes = "path => path.getAttribute('d').split('Z').length - 1"
    assert [host.find(f".tkf-{name}").evaluate(boxes) for name in ("look-training.tkf-fill", "free", "unpriced")] == [362, 1, 1]  # fmt: skip
    assert host.page.locator(".tkf-picture svg *").count() < 80
    host.page.mouse.move(0, 0)
    assert host.text(".tkf-chart-text").endswith(
        "24 of 8,736 events have no price, which is not $0; 1 day without events."
    )


def test_days_are_read_by_keys_and_shown_in_the_table(host: WidgetHost) -> None:
    """Arrow keys move from the last day, Shift adds days up, Enter marks their rows in the table, of which the last day is the first."""
    host.mount(tkf.CostsView(make_year()))
    rows = host.find(".tkf-cost-table tbody")
    assert rows.locator("tr").first.inner_text().split() == ["2026-11-27", "$25.00", "$3.00", "$4.00", "$5.00", "$6.00", "$7.00"]  # fmt: skip
    assert "no events" in rows.locator("tr", has_text="2025-12-07").inner_text()
    host.press("Home", "Shift+ArrowRight", "Enter", on=".tkf-picture svg")
    assert host.text(".tkf-chart-text").startswith("2025-11-28 to 2025-11-29: $50.00 (training $6.00")
    assert host.page.locator("tr.tkf-selected").count() == 2
    assert host.page.evaluate("document.querySelector('.tkf-cost-table').scrollTop") > 1000


def test_hundreds_of_groups_are_a_table_with_bars(host: WidgetHost) -> None:
    """Other groups than times are rows with stacked bars; hostile names are text."""
    names = ["<img src=x onerror=window.ran=1>\u202e", *(f"project {number}" for number in range(400))]
    costs = pd.DataFrame({"project_id": names, "events": 2, "cost_usd": 3.0, "unpriced_events": 1})
    host.mount(tkf.CostsView(costs.assign(training_usd=2.0, storage_usd=1.0)))
    first = host.find("tbody tr").first
    assert first.inner_text().split("\t")[0] == "<img src=x onerror=window.ran=1>\\u202e"
    assert host.page.locator("tbody tr").count() == 401
    assert first.locator(".tkf-cost-whole > span").count() == 3
    assert host.page.evaluate("window.ran") is None


def test_every_text_has_contrast_and_fits(make_host: Callable[..., WidgetHost]) -> None:
    """In light and dark, and from 360 to 1700 pixels, texts have a contrast of 4.5 and nothing is wider than the page."""
    for dark in (False, True):
        host = make_host(dark=dark)
        root = host.mount(tkf.CostsView(make_year()))
        low = [text for text in root.evaluate(CONTRASTS) if text[2] < 4.5]
        assert not low
        for width in (360, 700, 1200, 1700):
            host.page.set_viewport_size({"width": width, "height": 800})
            host.settle()
            assert host.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            picture = host.find(".tkf-picture svg").bounding_box()
            assert picture is not None
            assert picture["width"] > 250
