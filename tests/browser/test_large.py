"""Large tables in a real page: a hundred thousand rows, and two million."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest

import tinker_frames as tkf

from .view_page import ViewPage

if TYPE_CHECKING:
    from .widget_host import WidgetHost

pytestmark = pytest.mark.browser

MANY = 100_000
HUGE = 2_000_000
MOST_BYTES = 200_000
SWEEP = """grid => {
  for (let pixels = 0; pixels < grid.scrollHeight - 20_000; pixels += 50_000) {
    grid.scrollTop = pixels;
    grid.dispatchEvent(new Event('scroll'));
  }
}"""


@pytest.fixture(scope="module")
def large_inventory(inventory: pd.DataFrame) -> pd.DataFrame:
    """A hundred thousand checkpoints: the demo account repeated, with unique paths."""
    copies = -(-MANY // len(inventory))
    repeated = pd.concat([inventory] * copies, ignore_index=True).head(MANY)
    repeated["tinker_path"] += "-" + repeated.index.astype("str")
    repeated.attrs = {"tinker": inventory.attrs["tinker"] | {"table": None, "rows": MANY, "total": MANY}}
    return repeated


@pytest.fixture(scope="module")
def huge_inventory() -> pd.DataFrame:
    """Two million checkpoints that only have a path."""
    numbers = pa.array(range(HUGE)).cast(pa.string())
    paths = pc.binary_join_element_wise("tinker://run:train:0/weights/", numbers, "")
    return pd.DataFrame({"tinker_path": paths.to_pandas(types_mapper=pd.ArrowDtype).astype("str")})


@pytest.fixture
def large_view(host: WidgetHost, large_inventory: pd.DataFrame, account: tkf.Client) -> ViewPage:
    """A view of the hundred thousand checkpoints."""
    return ViewPage(host, tkf.explore(large_inventory, account))


def test_few_bytes_show_many_rows(large_view: ViewPage) -> None:
    """Rows, filters and charts of a hundred thousand checkpoints take at most 200 kB, including the view's own code."""
    large_view.host.wait_until(lambda: large_view.find(".tkf-bar-row").count() > 3)
    large_view.host.settle()
    assert large_view.counts() == "100,000 of 100,000"
    assert large_view.host.bytes_sent < MOST_BYTES


def test_every_tenth_part_of_many_rows_is_reached(large_view: ViewPage, large_inventory: pd.DataFrame) -> None:
    """At any scroll position the rows have the keys of the frame at that position."""
    for place in [*range(0, MANY, MANY // 10), MANY - 10]:
        large_view.scroll(place * 28)
        large_view.row(place)
        rows = large_view.rows()
        assert [row.key for row in rows] == list(large_inventory["tinker_path"].iloc[[row.place for row in rows]])


@pytest.mark.parametrize("by", ["key", "scrolling"])
def test_the_last_of_two_million_rows_is_reached(
    host: WidgetHost, huge_inventory: pd.DataFrame, account: tkf.Client, by: str
) -> None:
    """The last row can be reached beyond the browser's scroll limit, and rows do not overlap."""
    view = ViewPage(host, tkf.explore(huge_inventory, account))
    if by == "key":
        view.grid.focus()
        view.press("Control+End")
    else:
        view.scroll(10**9)
    view.row(HUGE - 1)
    rows = view.rows()
    assert [row.place for row in rows] == list(range(HUGE - len(rows), HUGE))
    assert rows[-1].key == huge_inventory["tinker_path"].iloc[-1]
    assert [round(low.top - high.top) for high, low in pairwise(rows)] == [28] * (len(rows) - 1)


def test_keys_go_row_by_row_through_two_million(
    host: WidgetHost, huge_inventory: pd.DataFrame, account: tkf.Client
) -> None:
    """In the middle of two million rows an arrow moves by a row, PageDown by a page, and the row is in sight."""
    view = ViewPage(host, tkf.explore(huge_inventory, account))
    view.grid.focus()
    view.scroll(7_000_000)
    view.host.wait_until(lambda: len(view.rows()) > 10)
    middle = view.rows()[3].place
    view.host.click(view.row(middle).locator(".tkf-cell").nth(1))
    for key, step in {"ArrowDown": 1, "PageDown": 16, "ArrowUp": 15, "PageUp": 0}.items():
        view.press(key)
        view.row(middle + step)
        assert middle + step in [row.place for row in view.rows()], key
        at = view.grid.get_attribute("aria-activedescendant") or ""
        assert at.split("-")[2] == str(middle + step)


def test_scrolling_fast_asks_only_for_what_is_seen(large_view: ViewPage) -> None:
    """Rows skipped by fast scrolling are not requested."""
    large_view.host.settle()
    before = len(large_view.host.received)
    large_view.grid.evaluate(SWEEP)
    large_view.host.wait_until(lambda: large_view.rows() and large_view.rows()[0].place > MANY - 3000)
    asked = [message.data["content"] for message in large_view.host.received[before:]]
    assert len([content for content in asked if content["do"] == "rows"]) < 15
