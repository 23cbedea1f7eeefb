"""Selecting rows in a real page: with the mouse and the keyboard, all that match, and what is said of those that are hidden."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import tinker_frames as tkf

from .shown import MARKED, Shown

if TYPE_CHECKING:
    from .stage import Stage

pytestmark = pytest.mark.browser

CLIPBOARD = "navigator.clipboard.readText()"


def click(shown: Shown, place: int, *modifiers: str) -> None:
    """Click a row on its second column."""
    shown.stage.click(shown.cell(place, shown.columns()[1]), modifiers=list(modifiers))


def test_a_click_selects_and_another_takes_back(shown: Shown) -> None:
    """A click on a row adds it to the selection, also the very first one on the page; a second click takes it out."""
    for place, selected in ((2, [2]), (5, [2, 5]), (2, [5])):
        click(shown, place)
        shown.sees(shown.selected, selected)
    assert list(shown.view.selected["tinker_path"]) == [shown.rows()[5].key]
    shown.says(shown.selection, "1 selected, 3.60 GB")


def test_shift_click_selects_what_lies_between(shown: Shown) -> None:
    """From a click to a Shift+click far below, rows that were never loaded are selected as well."""
    click(shown, 3)
    shown.scroll(400 * 28)
    click(shown, 405, "Shift")
    shown.says(shown.selection, "403 selected")
    assert shown.page.evaluate(MARKED) == "", "no text was marked on the way"
    frame = shown.view.frame
    assert list(shown.view.selected["tinker_path"]) == list(frame["tinker_path"].iloc[3:406])
    for place in (200, 0):
        shown.scroll(place * 28)
        shown.row(place)
        shown.sees(shown.selected, [row.place for row in shown.rows() if 3 <= row.place <= 405])


def test_space_and_shift_arrows_select(shown: Shown) -> None:
    """Space selects the row of the cursor, Shift and an arrow extend it, Shift+Space goes up to the cursor."""
    shown.grid.focus()
    shown.press("ArrowDown", " ")
    shown.sees(shown.selected, [1])
    shown.press("Shift+ArrowDown", "Shift+ArrowDown")
    shown.sees(shown.selected, [1, 2, 3])
    shown.press("ArrowDown", "ArrowDown", "Shift+ ")
    shown.sees(shown.selected, [1, 2, 3, 4, 5])


def test_shift_with_page_and_end_selects_far(shown: Shown) -> None:
    """Ctrl+Shift+End selects from the cursor to the last row, Shift+PageDown a window."""
    shown.grid.focus()
    shown.press("Shift+PageDown")
    shown.says(shown.selection, "16 selected")
    shown.press("Escape")
    shown.says(shown.selection, "none selected")
    shown.press("ArrowDown", "Control+Shift+End")
    shown.says(shown.selection, "566 selected")


def test_ctrl_a_and_escape(shown: Shown) -> None:
    """Ctrl+A selects all that match, Escape nothing."""
    shown.grid.focus()
    shown.press("Control+a")
    shown.says(shown.selection, "582 selected, 1.82 TB")
    assert shown.selected() == [row.place for row in shown.rows()]
    shown.press("Escape")
    shown.sees(shown.selected, [])
    assert shown.selection() == "none selected: actions are for all that match"


def test_rows_seen_before_are_selected_too(shown: Shown) -> None:
    """Rows that were loaded before all were selected are shown as selected when one scrolls back to them."""
    shown.scroll(300 * 28)
    shown.row(300)
    shown.scroll(0)
    shown.row(0)
    shown.grid.focus()
    shown.press("Control+a")
    shown.says(shown.selection, "582 selected")
    shown.scroll(300 * 28)
    shown.row(300)
    shown.sees(lambda: len(shown.selected()), len(shown.rows()))


def test_the_box_in_the_header_selects_all_or_none(shown: Shown) -> None:
    """The box is empty, half or full with the selection; a click on it selects all that match, and none if all are."""
    box = shown.find(".tkf-header .tkf-check")
    assert box.inner_text() == "☐"
    click(shown, 0)
    shown.sees(box.inner_text, "◪")
    for mark, said in (("☑", "582 selected"), ("☐", "none selected")):
        shown.stage.click(box)
        shown.says(shown.selection, said)
        shown.sees(box.inner_text, mark)


def test_buttons_select_all_that_match_or_clear(shown: Shown) -> None:
    """The button names the number that match and is gone once they are selected; Clear selects nothing; focus is not lost."""
    shown.view.query = "checkpoint_type == 'sampler'"
    shown.sees(lambda: shown.named("all").inner_text(), "Select all 271 matching")
    shown.click("all")
    shown.says(shown.selection, "271 selected")
    assert shown.named("all").count() == 0
    assert shown.active() == "none"
    shown.stage.press("Enter")
    shown.says(shown.selection, "none selected")
    assert shown.active() == "all"
    assert list(shown.view.selected["tinker_path"]) == []


def test_marked_text_is_not_a_click(shown: Shown) -> None:
    """Dragging over a cell marks its text, selects nothing, and Ctrl+C copies what was marked."""
    box = shown.cell(4, "name").bounding_box()
    assert box is not None
    shown.page.mouse.move(box["x"] + 11, box["y"] + 14)
    shown.page.mouse.down()
    shown.page.mouse.move(box["x"] + 60, box["y"] + 14, steps=5)
    shown.page.mouse.up()
    shown.stage.settle()
    marked = shown.page.evaluate(MARKED)
    assert marked
    assert marked in shown.cell(4, "name").inner_text()
    assert shown.selection().startswith("none selected")
    shown.press("Control+c")
    shown.sees(lambda: shown.page.evaluate(CLIPBOARD), marked)


@pytest.mark.parametrize("how", ["button", "keys"])
def test_the_path_is_copied(shown: Shown, how: str) -> None:
    """The button of a row, and Ctrl+C on it, copy its whole path, say so, and select nothing."""
    if how == "button":
        shown.stage.click(shown.row(3).locator("[data-copy]"))
    else:
        shown.grid.focus()
        shown.press(*["ArrowDown"] * 3, "Control+c")
    path = shown.rows()[3].key
    shown.sees(lambda: shown.page.evaluate(CLIPBOARD), path)
    shown.sees(shown.note, f"copied {path}")
    assert shown.selection().startswith("none selected")
    assert shown.active() == "tkf-grid", "keys go on from there"


def test_a_cell_is_copied_whole(stage: Stage, account: tkf.Client) -> None:
    """Ctrl+C on a cell copies its text, also what had to be cut to be shown."""
    frame = account.inventory().head(3)
    frame["user_metadata"] = "x" * 500
    view = tkf.explore(frame, account)
    view.columns = ["name", "user_metadata"]
    shown = Shown(stage, view)
    shown.grid.focus()
    for text in (frame["name"].iloc[0], "x" * 500):
        shown.press("ArrowRight", "Control+c")
        shown.sees(lambda text=text: shown.page.evaluate(CLIPBOARD), text)
    assert shown.cell(0, "user_metadata").inner_text().endswith("…")
