"""The summaries below the header in a real page: what a column holds, and filtering by a click or brush."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

import tinker_frames as tkf

from .view_page import ViewPage

if TYPE_CHECKING:
    from .widget_host import WidgetHost

pytestmark = pytest.mark.browser

HOSTILE = "<img src=x onerror=alert(1)>\u202e"


def get_summary(view: ViewPage, column: str) -> Any:
    """Return the locator of a column's summary, once it is there."""
    found = view.find(f'[data-summary="{column}"]')
    view.host.wait_until(lambda: found.count() == 1)
    return found


def test_columns_say_what_is_in_them(view: ViewPage) -> None:
    """Each column has a summary below its header, named in words; the histogram of sizes counts the rows of the frame."""
    view.host.wait_until(lambda: view.find("[data-summary]").count() == len(view.columns()))
    frame = view.widget.frame
    assert "no value (NA)" in (get_summary(view, "size_gb").get_attribute("aria-label") or "")
    model = get_summary(view, "base_model")
    name, rows = next(iter(frame["base_model"].value_counts().items()))
    assert f"{name}: {rows} rows" in (model.get_attribute("aria-label") or "")
    for column in ("name", "time"):
        heads = [
            locator.evaluate("cell => cell.getBoundingClientRect().left")
            for locator in (view.header(column), get_summary(view, column))
        ]
        assert heads[0] == heads[1]


def test_a_click_on_a_value_filters_and_another_undoes_it(view: ViewPage) -> None:
    """A click on a frequent value sets the column's filter; the summary keeps the other values, and a second click unsets it."""
    most = view.widget.frame["base_model"].value_counts()
    get_summary(view, "base_model")
    view.click(f"pick {most.index[0]}")
    view.wait_for(view.counts, f"{most.iloc[0]} of {len(view.widget.frame)}")
    assert view.widget.filters == {"model": [most.index[0]]}
    view.click(f"pick {most.index[1]}")
    view.wait_for(view.counts, f"{most.iloc[0] + most.iloc[1]} of {len(view.widget.frame)}")
    view.click(f"pick {most.index[0]}", f"pick {most.index[1]}")
    view.wait_for(lambda: view.widget.filters, {})


def test_a_brush_on_a_histogram_filters(view: ViewPage) -> None:
    """A drag over bins sets the filter to their range, and a click to one bin; as many rows match as the bins counted."""
    plot = get_summary(view, "time").locator("svg")
    summary = next(summary for summary in view.widget._summaries["columns"] if summary["id"] == "time")
    counts, box = summary["counts"], plot.bounding_box()
    room, y = box["width"] / len(counts), box["y"] + box["height"] / 2
    view.page.mouse.move(box["x"] + room * 0.5, y)
    view.page.mouse.down()
    view.page.mouse.move(box["x"] + room * 2.5, y, steps=3)
    view.page.mouse.up()
    view.wait_for(view.counts, f"{sum(counts[:3])} of {len(view.widget.frame)}")
    assert set(view.widget.filters["created"]) == {"after", "before"}
    assert view.widget.sort == [], "a click here does not sort"


def test_hostile_values_are_text(host: WidgetHost, inventory: pd.DataFrame, account: tkf.Client) -> None:
    """A name that is HTML is shown as text in a summary, also on hover."""
    view = ViewPage(host, tkf.explore(inventory.assign(name=HOSTILE), account))
    assert "<img src=x" in get_summary(view, "name").inner_text()
    assert get_summary(view, "name").locator("img").count() == 0


def test_the_columns_that_matter_are_whole_at_1200_pixels(view: ViewPage) -> None:
    """Name, session name, model, type, size, created, expires and public are in sight with all their values."""
    view.page.set_viewport_size({"width": 1200, "height": 900})
    view.host.settle()
    names = ["name", "display_name", "base_model", "checkpoint_type", "size_gb", "time", "expires_at", "public"]
    assert view.columns()[:8] == names
    left = view.grid.evaluate("grid => grid.getBoundingClientRect().left")
    room = 978  # of the rows in JupyterLab at this width, beside a scroll bar
    assert view.header("public").evaluate("cell => cell.getBoundingClientRect().right") - left <= room
    for column in names[3:]:
        cut = view.find(f".tkf-row > :nth-child({view.columns().index(column) + 2})").evaluate_all(
            "cells => cells.filter(cell => cell.scrollWidth > cell.clientWidth).map(cell => cell.textContent)"
        )
        assert cut == [], column


def test_the_links_of_a_row_appear_when_it_is_pointed_at_or_has_the_cursor(view: ViewPage) -> None:
    """Links are not a column: they are seen on the row under the pointer and the row of the cursor only."""

    def find_opaque() -> list[int]:
        return view.find(".tkf-row").evaluate_all(
            "rows => rows.filter(row => getComputedStyle(row.querySelector('.tkf-openings')).opacity === '1').map(row => Number(row.dataset.place))"
        )

    view.page.mouse.move(1, 1)
    assert find_opaque() == []
    view.row(2).hover()
    assert find_opaque() == [2]
    view.page.mouse.move(1, 1)
    view.grid.focus()
    view.press("ArrowDown")
    assert find_opaque() == [1]


def test_an_organization_gives_way_before_the_name_of_a_model(view: ViewPage) -> None:
    """In a narrow column the model's name is seen without its organization; a wide one has both."""
    seen = """cell => { const box = cell.getBoundingClientRect(); return [...cell.children].filter(part => {
        const own = part.getBoundingClientRect(); return own.top < box.bottom - 1 && own.width; }).map(part => part.textContent).join('') }"""
    cell = view.cell(0, "base_model")
    name = view.widget.frame["base_model"].iloc[0]
    assert (cell.text_content(), cell.evaluate(seen)) == (name, name.split("/")[1])
    view.header("base_model").locator(".tkf-handle").dblclick()
    view.host.settle()
    assert view.cell(0, "base_model").evaluate(seen) == name


def test_summaries_are_reached_by_keys(view: ViewPage) -> None:
    """After the rows, Tab stops once at the summaries; arrows move between columns and groups, and Enter filters by a group."""
    models = view.widget.frame["base_model"].value_counts()
    view.host.wait_until(lambda: view.find("[data-summary=base_model] .tkf-share").count())
    view.grid.focus()
    view.host.press("Tab", "ArrowRight", "ArrowRight")
    assert view.active() == "summary base_model"
    label = view.find("[data-summary=base_model]").get_attribute("aria-label")
    assert label == f"base_model: {models.index[0]}: {models.iloc[0]} rows, {models.iloc[0] / 5.82:.0f} %"
    view.host.press("ArrowDown", "Enter")
    view.wait_for(view.counts, f"{models.iloc[1]} of 582")
    assert view.active() == "summary base_model"
