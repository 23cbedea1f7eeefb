"""Large tables in a real page: a hundred thousand rows, and two million."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest

import tinker_frames as tkf

from .shown import Shown

if TYPE_CHECKING:
    from .stage import Stage

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
def many(inventory: pd.DataFrame) -> pd.DataFrame:
    """An account of a hundred thousand checkpoints: the demo account over and over, each path once."""
    copies = -(-MANY // len(inventory))
    large = pd.concat([inventory] * copies, ignore_index=True).head(MANY)
    large["tinker_path"] += "-" + large.index.astype("str")
    large.attrs = {"tinker": inventory.attrs["tinker"] | {"table": None, "rows": MANY, "total": MANY}}
    return large


@pytest.fixture(scope="module")
def huge() -> pd.DataFrame:
    """Two million checkpoints that only have a path."""
    numbers = pa.array(range(HUGE)).cast(pa.string())
    paths = pc.binary_join_element_wise("tinker://run:train:0/weights/", numbers, "")
    return pd.DataFrame({"tinker_path": paths.to_pandas(types_mapper=pd.ArrowDtype).astype("str")})


@pytest.fixture
def large(stage: Stage, many: pd.DataFrame, account: tkf.Client) -> Shown:
    """A view of the hundred thousand."""
    return Shown(stage, tkf.explore(many, account))


def test_few_bytes_show_many_rows(large: Shown) -> None:
    """Rows, filters and pictures of a hundred thousand checkpoints come as 200 kB at most, the view's own code included."""
    large.stage.until(lambda: large.find(".tkf-bar-row").count() > 3)
    large.stage.settle()
    assert large.counts() == "100,000 of 100,000"
    assert large.stage.bytes_sent < MOST_BYTES


def test_every_tenth_part_of_many_rows_is_reached(large: Shown, many: pd.DataFrame) -> None:
    """Wherever one scrolls to, the rows that are there have the keys that the frame has there."""
    for place in [*range(0, MANY, MANY // 10), MANY - 10]:
        large.scroll(place * 28)
        large.row(place)
        rows = large.rows()
        assert [row.key for row in rows] == list(many["tinker_path"].iloc[[row.place for row in rows]])


@pytest.mark.parametrize("by", ["key", "scrolling"])
def test_the_last_of_two_million_rows_is_reached(
    stage: Stage, huge: pd.DataFrame, account: tkf.Client, by: str
) -> None:
    """Far beyond what a browser can scroll the last row is in sight at the end, and rows lie one below the other."""
    shown = Shown(stage, tkf.explore(huge, account))
    if by == "key":
        shown.grid.focus()
        shown.press("Control+End")
    else:
        shown.scroll(10**9)
    shown.row(HUGE - 1)
    rows = shown.rows()
    assert [row.place for row in rows] == list(range(HUGE - len(rows), HUGE))
    assert rows[-1].key == huge["tinker_path"].iloc[-1]
    assert [round(low.top - high.top) for high, low in pairwise(rows)] == [28] * (len(rows) - 1)


def test_keys_go_row_by_row_through_two_million(stage: Stage, huge: pd.DataFrame, account: tkf.Client) -> None:
    """In the middle of two million rows each arrow goes one row on, PageDown a window, and the row is in sight."""
    shown = Shown(stage, tkf.explore(huge, account))
    shown.grid.focus()
    shown.scroll(7_000_000)
    shown.stage.until(lambda: len(shown.rows()) > 10)
    middle = shown.rows()[3].place
    shown.stage.click(shown.row(middle).locator(".tkf-cell").nth(1))
    for key, step in {"ArrowDown": 1, "PageDown": 16, "ArrowUp": 15, "PageUp": 0}.items():
        shown.press(key)
        shown.row(middle + step)
        assert middle + step in [row.place for row in shown.rows()], key
        at = shown.grid.get_attribute("aria-activedescendant") or ""
        assert at.split("-")[2] == str(middle + step)


def test_scrolling_fast_asks_only_for_what_is_seen(large: Shown) -> None:
    """Scrolled over in one go, rows in between are not asked for."""
    large.stage.settle()
    before = len(large.stage.heard)
    large.grid.evaluate(SWEEP)
    large.stage.until(lambda: large.rows() and large.rows()[0].place > MANY - 3000)
    asked = [message.data["content"] for message in large.stage.heard[before:]]
    assert len([content for content in asked if content["do"] == "rows"]) < 15
