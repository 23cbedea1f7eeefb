"""Selecting rows in a real page: with the mouse, the keyboard, all matching rows, and the count of hidden ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import tinker_frames as tkf

from .view_page import MARKED, ViewPage

if TYPE_CHECKING:
    from .widget_host import WidgetHost

pytestmark = pytest.mark.browser

CLIPBOARD = "navigator.clipboard.readText()"


def click(view: ViewPage, place: int, *modifiers: str) -> None:
    """Click a row on its second column."""
    view.host.click(view.cell(place, view.columns()[1]), modifiers=list(modifiers))


def test_a_click_selects_and_another_takes_back(view: ViewPage) -> None:
    """A click on a row, including the very first click on the page, adds it to the selection; a second click removes it."""
    for place, selected in ((2, [2]), (5, [2, 5]), (2, [5])):
        click(view, place)
        view.wait_for(view.selected, selected)
    assert list(view.widget.selected["tinker_path"]) == [view.rows()[5].key]
    view.wait_for_text(view.selection, "1 selected, 3.60 GB")


def test_shift_click_selects_what_lies_between(view: ViewPage) -> None:
    """Shift+click selects all rows in between, including rows that were never loaded."""
    click(view, 3)
    view.scroll(400 * 28)
    click(view, 405, "Shift")
    view.wait_for_text(view.selection, "403 selected")
    assert view.page.evaluate(MARKED) == "", "no text was marked on the way"
    frame = view.widget.frame
    assert list(view.widget.selected["tinker_path"]) == list(frame["tinker_path"].iloc[3:406])
    for place in (200, 0):
        view.scroll(place * 28)
        view.row(place)
        view.wait_for(view.selected, [row.place for row in view.rows() if 3 <= row.place <= 405])


def test_space_and_shift_arrows_select(view: ViewPage) -> None:
    """Space selects the row of the cursor, Shift+arrow extends the selection, Shift+Space selects up to the cursor."""
    view.grid.focus()
    view.press("ArrowDown", " ")
    view.wait_for(view.selected, [1])
    view.press("Shift+ArrowDown", "Shift+ArrowDown")
    view.wait_for(view.selected, [1, 2, 3])
    view.press("ArrowDown", "ArrowDown", "Shift+ ")
    view.wait_for(view.selected, [1, 2, 3, 4, 5])


def test_shift_with_page_and_end_selects_far(view: ViewPage) -> None:
    """Ctrl+Shift+End selects from the cursor to the last row, Shift+PageDown a page."""
    view.grid.focus()
    view.press("Shift+PageDown")
    view.wait_for_text(view.selection, "16 selected")
    view.press("Escape")
    view.wait_for_text(view.selection, "none selected")
    view.press("ArrowDown", "Control+Shift+End")
    view.wait_for_text(view.selection, "566 selected")


def test_ctrl_a_and_escape(view: ViewPage) -> None:
    """Ctrl+A selects all matching rows, Escape clears the selection."""
    view.grid.focus()
    view.press("Control+a")
    view.wait_for_text(view.selection, "582 selected, 1.82 TB")
    assert view.selected() == [row.place for row in view.rows()]
    view.press("Escape")
    view.wait_for(view.selected, [])
    assert view.selection() == "none selected"


def test_rows_seen_before_are_selected_too(view: ViewPage) -> None:
    """Rows loaded before all were selected are shown as selected after scrolling back."""
    view.scroll(300 * 28)
    view.row(300)
    view.scroll(0)
    view.row(0)
    view.grid.focus()
    view.press("Control+a")
    view.wait_for_text(view.selection, "582 selected")
    view.scroll(300 * 28)
    view.row(300)
    view.wait_for(lambda: len(view.selected()), len(view.rows()))


def test_the_box_in_the_header_selects_all_or_none(view: ViewPage) -> None:
    """The header box is empty, mixed or checked; a click selects all matching rows, or none if all are selected."""
    box = view.find(".tkf-header .tkf-check")
    assert box.inner_text() == "☐"
    click(view, 0)
    view.wait_for(box.inner_text, "◪")
    for mark, said in (("☑", "582 selected"), ("☐", "none selected")):
        view.host.click(box)
        view.wait_for_text(view.selection, said)
        view.wait_for(box.inner_text, mark)


def test_buttons_select_all_that_match_or_clear(view: ViewPage) -> None:
    """The button shows the number of matching rows and disappears once they are selected; Clear selects none, with which the actions go; the focus is kept."""
    view.widget.query = "checkpoint_type == 'sampler'"
    assert not view.control("expire").is_visible(), "no action without a selection"
    view.wait_for(lambda: view.control("all").inner_text(), "Select all 271 matching")
    view.click("all")
    view.wait_for_text(view.selection, "271 selected")
    assert view.control("all").count() == 0
    assert view.active() == "none"
    assert view.control("expire").is_visible()
    view.host.press("Enter")
    view.wait_for_text(view.selection, "none selected")
    assert not view.find(".tkf-action").first.is_visible()
    assert view.active() == "all"
    assert list(view.widget.selected["tinker_path"]) == []


def test_marked_text_is_not_a_click(view: ViewPage) -> None:
    """Dragging over a cell marks its text without selecting the row, and Ctrl+C copies the marked text."""
    box = view.cell(4, "name").bounding_box()
    assert box is not None
    view.page.mouse.move(box["x"] + 11, box["y"] + 14)
    view.page.mouse.down()
    view.page.mouse.move(box["x"] + 60, box["y"] + 14, steps=5)
    view.page.mouse.up()
    view.host.settle()
    marked = view.page.evaluate(MARKED)
    assert marked
    assert marked in view.cell(4, "name").inner_text()
    assert view.selection().startswith("none selected")
    view.press("Control+c")
    view.wait_for(lambda: view.page.evaluate(CLIPBOARD), marked)


@pytest.mark.parametrize("how", ["button", "keys"])
def test_the_path_is_copied(view: ViewPage, how: str) -> None:
    """The copy button of a row, and Ctrl+C on it, copy its full path, show a note, and select nothing."""
    if how == "button":
        view.host.click(view.row(3).locator("[data-copy]"))
    else:
        view.grid.focus()
        view.press(*["ArrowDown"] * 3, "Control+c")
    path = view.rows()[3].key
    view.wait_for(lambda: view.page.evaluate(CLIPBOARD), path)
    view.wait_for(view.note, f"copied {path}")
    assert view.selection().startswith("none selected")
    assert view.active() == "tkf-grid", "keys go on from there"


def test_a_cell_is_copied_whole(host: WidgetHost, account: tkf.Client) -> None:
    """Ctrl+C on a cell copies its full text, even if it is truncated on screen."""
    frame = account.inventory().head(3)
    frame["user_metadata"] = "x" * 500
    widget = tkf.explore(frame, account)
    widget.columns = ["name", "user_metadata"]
    view = ViewPage(host, widget)
    view.grid.focus()
    for text in (frame["name"].iloc[0], "x" * 500):
        view.press("ArrowRight", "Control+c")
        view.wait_for(lambda text=text: view.page.evaluate(CLIPBOARD), text)
    assert view.cell(0, "user_metadata").inner_text().endswith("…")


@pytest.mark.parametrize("width", [900, 1200, 1700])
def test_rows_stay_where_they_are_when_one_is_selected(view: ViewPage, width: int) -> None:
    """The first selection, which brings the actions, does not move the rows under the pointer."""
    view.page.set_viewport_size({"width": width, "height": 800})
    view.host.settle()
    before = view.row(2).bounding_box()["y"]
    view.host.click(view.check(2))
    view.wait_for_text(view.selection, "1 selected")
    assert view.row(2).bounding_box()["y"] == before
