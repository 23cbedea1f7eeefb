"""The rows in a real page: which are there, what order they have, and which columns they show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import tinker_frames as tkf

from .view_page import ViewPage

if TYPE_CHECKING:
    from playwright.sync_api import Locator

    from .widget_host import WidgetHost

pytestmark = pytest.mark.browser

WIDTHS = "grid => grid.style.getPropertyValue('--tkf-columns').split(' ').map(parseFloat)"


def get_expected_keys(view: ViewPage) -> list[str]:
    """Return the keys that Python has where rows are in sight."""
    places = [row.place for row in view.rows()]
    return list(view.widget.filtered["tinker_path"].iloc[places])


def width(view: ViewPage, column: str) -> float:
    """Return how wide a column is, in pixels."""
    return view.grid.evaluate(WIDTHS)[view.columns().index(column) + 1]


# ---- rows


def test_the_first_rows_are_there_at_once(view: ViewPage) -> None:
    """The first rows of the frame are in sight in its order, from the first on, and the grid knows how many there are."""
    assert [row.place for row in view.rows()] == list(range(len(view.rows())))
    assert len(view.rows()) > 10
    assert view.keys() == get_expected_keys(view)
    assert view.grid.get_attribute("aria-rowcount") == str(len(view.widget.frame) + 1)


def test_the_first_rows_need_no_answer_of_the_kernel(host: WidgetHost, account: tkf.Client) -> None:
    """Rows are drawn from the first state alone, before anything was asked for."""
    widget = tkf.explore("checkpoints", account)
    host.pump = lambda: None  # type: ignore[method-assign]
    root = host.mount(widget)
    assert root.locator(".tkf-row:not(.tkf-absent)").count() > 10
    del host.pump


def test_every_row_is_reached_by_scrolling(view: ViewPage) -> None:
    """In a grid that was made taller, scrolled down window by window, every key of the frame is seen once, in order."""
    seen: dict[int, str] = {}
    view.grid.evaluate("grid => { grid.style.height = '1500px' }")
    view.row(45)
    total, window = len(view.widget.frame), len(view.rows())
    assert window > 45
    for place in range(0, total, window):
        view.scroll(place * 28)
        view.row(min(place + window - 1, total - 1))
        view.row(min(place, total - window))
        seen |= {row.place: row.key for row in view.rows()}
    assert [seen[place] for place in sorted(seen)] == list(view.widget.frame["tinker_path"])


def test_keys_move_through_the_rows(view: ViewPage) -> None:
    """Arrows go one row on, PageDown a window, Ctrl+End to the last row and Ctrl+Home back; the row is always in sight."""
    last = len(view.widget.frame) - 1

    def cursor() -> int:
        at = view.grid.get_attribute("aria-activedescendant") or ""
        view.row(int(at.split("-")[2]))
        assert int(at.split("-")[2]) in [row.place for row in view.rows()]
        return int(at.split("-")[2])

    view.grid.focus()
    moves = {"ArrowDown": 1, "PageDown": cursor() + 1 + 15, "Control+End": last, "PageUp": last - 15, "Control+Home": 0}
    for key, place in moves.items():
        view.press(key)
        assert cursor() == place, key


def test_public_and_expiring_rows_are_marked_by_more_than_colour(view: ViewPage) -> None:
    """A sign stands before what is public and before what expires within days."""
    view.widget.query = "public"
    view.wait_for(lambda: set(view.column("public")), {"◉ public"})
    view.widget.query = "expires_in_days < 7"
    view.wait_for(lambda: {text[0] for text in view.column("expires_at")}, {"⚠"})


# ---- order


def test_a_click_sorts_another_turns_it_round_a_third_ends_it(view: ViewPage) -> None:
    """Three clicks on a header sort upwards, downwards and not at all, and rows follow."""
    for sort, mark, aria in ((["size_gb"], "▲", "ascending"), (["-size_gb"], "▼", "descending"), ([], "", "none")):
        view.host.click(view.header("size_gb"))
        view.wait_for(view.sorts, {"size_gb": mark} if mark else {})
        assert view.widget.sort == sort
        view.wait_for(view.keys, get_expected_keys(view))
        assert view.header("size_gb").get_attribute("aria-sort") == aria


def test_shift_click_sorts_by_several(view: ViewPage) -> None:
    """With Shift a header is added, turned round and taken out; numbers say which counts first."""
    view.host.click(view.header("public"))
    steps: list[dict[str, str]] = [
        {"public": "▲1", "size_gb": "▲2"},
        {"public": "▲1", "size_gb": "▼2"},
        {"public": "▲"},
    ]
    for marks in steps:
        view.host.click(view.header("size_gb"), modifiers=["Shift"])
        view.wait_for(view.sorts, marks)
        view.wait_for(view.keys, get_expected_keys(view))


def test_keys_sort_in_the_header(view: ViewPage) -> None:
    """From the first row one step up is the header: Enter sorts, again turns round, and the cursor stays there."""
    view.grid.focus()
    view.press("ArrowUp", "ArrowRight")
    for mark in ("▲", "▼"):
        view.press("Enter")
        view.wait_for(view.sorts, {"name": mark})
    view.press("ArrowRight", "Shift+Enter")
    view.wait_for(view.sorts, {"name": "▼1", "display_name": "▲2"})


def test_sorting_begins_at_the_top_again(view: ViewPage) -> None:
    """After a sort the first row is in sight, and the cursor is not left far below."""
    view.grid.focus()
    view.press("Control+End")
    view.row(581)
    view.host.click(view.header("name"))
    view.wait_for(view.sorts, {"name": "▲"})
    view.wait_for(lambda: view.rows()[0].place, 0)
    view.press("ArrowDown")
    assert view.rows()[0].place == 0


# ---- columns


def test_columns_are_selected_and_hidden_in_a_list(view: ViewPage) -> None:
    """Ticks in the list of columns show and hide them; the list stays open, and the cells follow."""
    before = view.columns()
    view.click("columns", "column step", "column name")
    view.wait_for(view.columns, [*before[1:], "step"])
    assert view.widget.columns == [*before[1:], "step"]
    assert view.control("column step").is_checked()
    assert view.find(".tkf-popover").is_visible()


def test_columns_change_places_in_a_list(view: ViewPage) -> None:
    """The arrows of the list move a column, more than once, and the focus stays on the arrow."""
    before = view.columns()
    view.click("columns", "down name")
    view.wait_for(view.columns, [before[1], "name", *before[2:]])
    view.host.press("Enter")
    view.wait_for(view.columns, [*before[1:3], "name", *before[3:]])
    assert view.active() == "down name"
    view.click("up name", "up name")
    view.wait_for(view.columns, before)


def drag(view: ViewPage, what: Locator, onto: Locator) -> None:
    """Drag something with the mouse onto something else."""
    what.hover()
    view.page.mouse.down()
    for _ in range(2):  # the first move begins it, the second one is over the target
        onto.hover()
    view.page.mouse.up()
    view.host.pump()


def test_a_dragged_header_moves_its_column(view: ViewPage) -> None:
    """A header that is dropped on another one takes its place."""
    before = view.columns()
    drag(view, view.header("size_gb"), view.header("name"))
    view.wait_for(view.columns, ["size_gb", *[name for name in before if name != "size_gb"]])
    view.wait_for(view.keys, get_expected_keys(view))


def test_keys_move_columns(view: ViewPage) -> None:
    """Alt+Shift and an arrow in the header move the column and the cursor with it."""
    before = view.columns()
    view.grid.focus()
    view.press("ArrowUp", "ArrowRight", "Alt+Shift+ArrowRight", "Alt+Shift+ArrowRight")
    view.wait_for(view.columns, [*before[1:3], "name", *before[3:]])
    view.press("Alt+Shift+ArrowLeft")
    view.wait_for(view.columns, [before[1], "name", *before[2:]])


def drag_handle(view: ViewPage, column: str, by: int) -> None:
    """Take the edge of a column with the mouse and carry it so far."""
    box: Any = view.header(column).locator(".tkf-handle").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    view.page.mouse.move(x, y)
    view.page.mouse.down()
    for step in range(1, 6):
        view.page.mouse.move(x + by * step / 5, y)
    view.page.mouse.up()
    view.host.settle()


@pytest.mark.parametrize("by", [60, -50])
def test_a_dragged_edge_sizes_its_column(view: ViewPage, by: int) -> None:
    """A column follows the mouse that drags its edge, is not sorted by it, and keeps its width; so does no other column."""
    before, other = width(view, "name"), width(view, "time")
    drag_handle(view, "name", by)
    assert (width(view, "name"), width(view, "time")) == (before + by, other)
    view.page.mouse.move(500, 400)
    view.host.click(view.header("time"))
    view.wait_for(view.sorts, {"time": "▲"})
    assert width(view, "name") == before + by


def test_a_double_click_fits_a_column(view: ViewPage) -> None:
    """A double-click on the edge makes a column as wide as its widest text in sight."""
    clipped = "cells => cells.filter(cell => cell.scrollWidth > cell.clientWidth).length"
    cells = view.find(".tkf-row > .tkf-cell:nth-child(3)")
    assert cells.evaluate_all(clipped) > 0
    view.header("display_name").locator(".tkf-handle").dblclick()
    view.host.settle()
    assert cells.evaluate_all(clipped) == 0
    assert 60 < width(view, "display_name") < 400


def test_keys_size_columns(view: ViewPage) -> None:
    """Alt and an arrow in the header make the column wider or narrower, but never too narrow to be seen."""
    before = width(view, "name")
    view.grid.focus()
    view.press("ArrowUp", "ArrowRight", "Alt+ArrowRight")
    assert width(view, "name") == before + 20
    view.press(*["Alt+ArrowLeft"] * 8)
    assert width(view, "name") == 40


def test_narrow_windows_scroll_to_the_column_of_the_cursor(view: ViewPage) -> None:
    """Arrows to the right bring the column into sight, beside the one that stays; arrows to the left bring the first back."""
    view.page.set_viewport_size({"width": 640, "height": 700})
    hidden = """grid => {
      const [cell, last] = ['.tkf-cursor', '.tkf-row .tkf-openings'].map(name => grid.querySelector(name).getBoundingClientRect());
      return cell.right > last.left + 1 || cell.left < grid.getBoundingClientRect().left;
    }"""
    view.grid.focus()
    for key in ["ArrowRight"] * 6 + ["ArrowLeft"] * 5:
        view.press(key)
        assert not view.grid.evaluate(hidden), key
