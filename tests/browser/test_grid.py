"""The grid in a real page: its rows, their order, and the columns."""

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
    """Return the keys of the frame at the positions in sight."""
    places = [row.place for row in view.rows()]
    return list(view.widget.filtered["tinker_path"].iloc[places])


def width(view: ViewPage, column: str) -> float:
    """Return the width of a column in pixels."""
    return view.grid.evaluate(WIDTHS)[view.columns().index(column) + 1]


# ---- rows


def test_the_first_rows_are_there_at_once(view: ViewPage) -> None:
    """The first rows are in sight in the frame's order, and the grid knows the row count."""
    assert [row.place for row in view.rows()] == list(range(len(view.rows())))
    assert len(view.rows()) > 10
    assert view.keys() == get_expected_keys(view)
    assert view.grid.get_attribute("aria-rowcount") == str(len(view.widget.frame) + 1)


def test_the_first_rows_need_no_answer_of_the_kernel(host: WidgetHost, account: tkf.Client) -> None:
    """The initial state alone renders rows, before the first request."""
    widget = tkf.explore("checkpoints", account)
    host.pump = lambda: None  # type: ignore[method-assign]
    root = host.mount(widget)
    assert root.locator(".tkf-row:not(.tkf-absent)").count() > 10
    del host.pump


def test_every_row_is_reached_by_scrolling(view: ViewPage) -> None:
    """Scrolling down a taller grid page by page shows every key of the frame once, in order."""
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
    """Arrows move by a row, PageDown by a page, Ctrl+End and Ctrl+Home to the last and first row, which stays in sight."""
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
    """Public checkpoints and those that expire within days are marked with a sign."""
    view.widget.query = "public"
    view.wait_for(lambda: set(view.column("public")), {"◉ public"})
    view.widget.query = "expires_in_days < 7"
    view.wait_for(lambda: {text[0] for text in view.column("expires_at")}, {"⚠"})


# ---- order


def test_a_click_sorts_another_turns_it_round_a_third_ends_it(view: ViewPage) -> None:
    """Clicks on a header sort ascending, descending, and not at all."""
    for sort, mark, aria in ((["size_gb"], "▲", "ascending"), (["-size_gb"], "▼", "descending"), ([], "", "none")):
        view.host.click(view.header("size_gb"))
        view.wait_for(view.sorts, {"size_gb": mark} if mark else {})
        assert view.widget.sort == sort
        view.wait_for(view.keys, get_expected_keys(view))
        assert view.header("size_gb").get_attribute("aria-sort") == aria


def test_shift_click_sorts_by_several(view: ViewPage) -> None:
    """Shift+click adds a sort column, reverses it and removes it; numbers show the priority."""
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
    """The header is one step above the first row; Enter sorts by a column, a second Enter reverses it, and the cursor stays there."""
    view.grid.focus()
    view.press("ArrowUp", "ArrowRight")
    for mark in ("▲", "▼"):
        view.press("Enter")
        view.wait_for(view.sorts, {"name": mark})
    view.press("ArrowRight", "Shift+Enter")
    view.wait_for(view.sorts, {"name": "▼1", "display_name": "▲2"})


def test_sorting_begins_at_the_top_again(view: ViewPage) -> None:
    """Sorting scrolls to the first row and moves the cursor there."""
    view.grid.focus()
    view.press("Control+End")
    view.row(581)
    view.host.click(view.header("name"))
    view.wait_for(view.sorts, {"name": "▲"})
    view.wait_for(lambda: view.rows()[0].place, 0)
    view.press("ArrowDown")
    assert view.rows()[0].place == 0


def test_columns_of_selected_rows_stand_below_their_headers(view: ViewPage) -> None:
    """Every cell begins where its header does, in rows that are selected too."""
    view.host.click(view.check(1))
    view.wait_for(view.selected, [1])
    for column in ("name", "size_gb", "expires_at"):
        edges = [view.cell(place, column).bounding_box()["x"] for place in (0, 1)]
        assert edges == [view.header(column).bounding_box()["x"]] * 2


# ---- columns


def test_columns_are_selected_and_hidden_in_a_list(view: ViewPage) -> None:
    """Ticks in the list of columns show and hide them; the list stays open, and the cells follow."""
    before = view.columns()
    view.click("columns", "column step", "column name")
    view.wait_for(view.columns, [*before[1:], "step"])
    assert view.widget.columns == [*before[1:], "step"]
    assert view.control("column step").is_checked()
    view.type("find", "created")
    labels = view.find(".tkf-options .tkf-option-label")
    view.host.wait_until(lambda: 0 < labels.count() < 9)
    assert all("created" in label for label in labels.all_inner_texts())
    assert view.find(".tkf-popover").is_visible()


def test_columns_change_places_in_a_list(view: ViewPage) -> None:
    """The arrows of the list move a column repeatedly, and the focus stays on the arrow."""
    before = view.columns()
    view.click("columns", "down name")
    view.wait_for(view.columns, [before[1], "name", *before[2:]])
    view.host.press("Enter")
    view.wait_for(view.columns, [*before[1:3], "name", *before[3:]])
    assert view.active() == "down name"
    view.click("up name", "up name")
    view.wait_for(view.columns, before)


def drag(view: ViewPage, what: Locator, onto: Locator) -> None:
    """Drag one element onto another with the mouse."""
    what.hover()
    view.page.mouse.down()
    for _ in range(2):  # the first move starts the drag, the second one is over the target
        onto.hover()
    view.page.mouse.up()
    view.host.pump()


def test_a_dragged_header_moves_its_column(view: ViewPage) -> None:
    """A header dropped on another one takes its position."""
    before = view.columns()
    drag(view, view.header("size_gb"), view.header("name"))
    view.wait_for(view.columns, ["size_gb", *[name for name in before if name != "size_gb"]])
    view.wait_for(view.keys, get_expected_keys(view))


def test_keys_move_columns(view: ViewPage) -> None:
    """Alt+Shift+arrow in the header moves the column and the cursor with it."""
    before = view.columns()
    view.grid.focus()
    view.press("ArrowUp", "ArrowRight", "Alt+Shift+ArrowRight", "Alt+Shift+ArrowRight")
    view.wait_for(view.columns, [*before[1:3], "name", *before[3:]])
    view.press("Alt+Shift+ArrowLeft")
    view.wait_for(view.columns, [before[1], "name", *before[2:]])


def drag_handle(view: ViewPage, column: str, by: int) -> None:
    """Drag the edge of a column by this many pixels."""
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
    """Dragging an edge resizes only its column, permanently and without sorting by it."""
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
    """Alt+arrow in the header resizes the column, but never below a visible width."""
    before = width(view, "name")
    view.grid.focus()
    view.press("ArrowUp", "ArrowRight", "Alt+ArrowRight")
    assert width(view, "name") == before + 20
    view.press(*["Alt+ArrowLeft"] * 8)
    assert width(view, "name") == 40


def test_narrow_windows_scroll_to_the_column_of_the_cursor(view: ViewPage) -> None:
    """Arrow keys scroll the column of the cursor into sight, beside the sticky one."""
    view.page.set_viewport_size({"width": 640, "height": 700})
    hidden = """grid => {
      const [cell, last] = ['.tkf-cursor', '.tkf-row .tkf-openings'].map(name => grid.querySelector(name).getBoundingClientRect());
      return cell.right > last.left + 1 || cell.left < grid.getBoundingClientRect().left;
    }"""
    view.grid.focus()
    for key in ["ArrowRight"] * 6 + ["ArrowLeft"] * 5:
        view.press(key)
        assert not view.grid.evaluate(hidden), key
