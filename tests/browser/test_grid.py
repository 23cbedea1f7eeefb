"""The rows in a real page: which are there, what order they have, and which columns they show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import tinker_frames as tkf

from .shown import Shown

if TYPE_CHECKING:
    from playwright.sync_api import Locator

    from .stage import Stage

pytestmark = pytest.mark.browser

WIDTHS = "grid => grid.style.getPropertyValue('--tkf-columns').split(' ').map(parseFloat)"


def expected(shown: Shown) -> list[str]:
    """Return the keys that Python has where rows are in sight."""
    places = [row.place for row in shown.rows()]
    return list(shown.view.filtered["tinker_path"].iloc[places])


def width(shown: Shown, column: str) -> float:
    """Return how wide a column is, in pixels."""
    return shown.grid.evaluate(WIDTHS)[shown.columns().index(column) + 1]


# ---- rows


def test_the_first_rows_are_there_at_once(shown: Shown) -> None:
    """The first rows of the frame are in sight in its order, from the first on, and the grid knows how many there are."""
    assert [row.place for row in shown.rows()] == list(range(len(shown.rows())))
    assert len(shown.rows()) > 10
    assert shown.keys() == expected(shown)
    assert shown.grid.get_attribute("aria-rowcount") == str(len(shown.view.frame) + 1)


def test_the_first_rows_need_no_answer_of_the_kernel(stage: Stage, account: tkf.Client) -> None:
    """Rows are drawn from the first state alone, before anything was asked for."""
    view = tkf.explore("checkpoints", account)
    stage.pump = lambda: None  # type: ignore[method-assign]
    root = stage.mount(view)
    assert root.locator(".tkf-row:not(.tkf-absent)").count() > 10
    del stage.pump


def test_every_row_is_reached_by_scrolling(shown: Shown) -> None:
    """In a grid that was made taller, scrolled down window by window, every key of the frame is seen once, in order."""
    seen: dict[int, str] = {}
    shown.grid.evaluate("grid => { grid.style.height = '1500px' }")
    shown.row(45)
    total, window = len(shown.view.frame), len(shown.rows())
    assert window > 45
    for place in range(0, total, window):
        shown.scroll(place * 28)
        shown.row(min(place + window - 1, total - 1))
        shown.row(min(place, total - window))
        seen |= {row.place: row.key for row in shown.rows()}
    assert [seen[place] for place in sorted(seen)] == list(shown.view.frame["tinker_path"])


def test_keys_move_through_the_rows(shown: Shown) -> None:
    """Arrows go one row on, PageDown a window, Ctrl+End to the last row and Ctrl+Home back; the row is always in sight."""
    last = len(shown.view.frame) - 1

    def cursor() -> int:
        at = shown.grid.get_attribute("aria-activedescendant") or ""
        shown.row(int(at.split("-")[2]))
        assert int(at.split("-")[2]) in [row.place for row in shown.rows()]
        return int(at.split("-")[2])

    shown.grid.focus()
    moves = {"ArrowDown": 1, "PageDown": cursor() + 1 + 15, "Control+End": last, "PageUp": last - 15, "Control+Home": 0}
    for key, place in moves.items():
        shown.press(key)
        assert cursor() == place, key


def test_public_and_expiring_rows_are_marked_by_more_than_colour(shown: Shown) -> None:
    """A sign stands before what is public and before what expires within days."""
    shown.view.query = "public"
    shown.sees(lambda: set(shown.column("public")), {"◉ public"})
    shown.view.query = "expires_in_days < 7"
    shown.sees(lambda: {text[0] for text in shown.column("expires_at")}, {"⚠"})


# ---- order


def test_a_click_sorts_another_turns_it_round_a_third_ends_it(shown: Shown) -> None:
    """Three clicks on a header sort upwards, downwards and not at all, and rows follow."""
    for sort, mark, aria in ((["size_gb"], "▲", "ascending"), (["-size_gb"], "▼", "descending"), ([], "", "none")):
        shown.stage.click(shown.head("size_gb"))
        shown.sees(shown.sorts, {"size_gb": mark} if mark else {})
        assert shown.view.sort == sort
        shown.sees(shown.keys, expected(shown))
        assert shown.head("size_gb").get_attribute("aria-sort") == aria


def test_shift_click_sorts_by_several(shown: Shown) -> None:
    """With Shift a header is added, turned round and taken out; numbers say which counts first."""
    shown.stage.click(shown.head("public"))
    steps: list[dict[str, str]] = [
        {"public": "▲1", "size_gb": "▲2"},
        {"public": "▲1", "size_gb": "▼2"},
        {"public": "▲"},
    ]
    for marks in steps:
        shown.stage.click(shown.head("size_gb"), modifiers=["Shift"])
        shown.sees(shown.sorts, marks)
        shown.sees(shown.keys, expected(shown))


def test_keys_sort_in_the_header(shown: Shown) -> None:
    """From the first row one step up is the header: Enter sorts, again turns round, and the cursor stays there."""
    shown.grid.focus()
    shown.press("ArrowUp", "ArrowRight")
    for mark in ("▲", "▼"):
        shown.press("Enter")
        shown.sees(shown.sorts, {"name": mark})
    shown.press("ArrowRight", "Shift+Enter")
    shown.sees(shown.sorts, {"name": "▼1", "display_name": "▲2"})


def test_sorting_begins_at_the_top_again(shown: Shown) -> None:
    """After a sort the first row is in sight, and the cursor is not left far below."""
    shown.grid.focus()
    shown.press("Control+End")
    shown.row(581)
    shown.stage.click(shown.head("name"))
    shown.sees(shown.sorts, {"name": "▲"})
    shown.sees(lambda: shown.rows()[0].place, 0)
    shown.press("ArrowDown")
    assert shown.rows()[0].place == 0


# ---- columns


def test_columns_are_selected_and_hidden_in_a_list(shown: Shown) -> None:
    """Ticks in the list of columns show and hide them; the list stays open, and the cells follow."""
    before = shown.columns()
    shown.click("columns", "column step", "column name")
    shown.sees(shown.columns, [*before[1:], "step"])
    assert shown.view.columns == [*before[1:], "step"]
    assert shown.named("column step").is_checked()
    assert shown.find(".tkf-popover").is_visible()


def test_columns_change_places_in_a_list(shown: Shown) -> None:
    """The arrows of the list move a column, more than once, and the focus stays on the arrow."""
    before = shown.columns()
    shown.click("columns", "down name")
    shown.sees(shown.columns, [before[1], "name", *before[2:]])
    shown.stage.press("Enter")
    shown.sees(shown.columns, [*before[1:3], "name", *before[3:]])
    assert shown.active() == "down name"
    shown.click("up name", "up name")
    shown.sees(shown.columns, before)


def drag(shown: Shown, what: Locator, onto: Locator) -> None:
    """Drag something with the mouse onto something else."""
    what.hover()
    shown.page.mouse.down()
    for _ in range(2):  # the first move begins it, the second one is over the target
        onto.hover()
    shown.page.mouse.up()
    shown.stage.pump()


def test_a_dragged_header_moves_its_column(shown: Shown) -> None:
    """A header that is dropped on another one takes its place."""
    before = shown.columns()
    drag(shown, shown.head("size_gb"), shown.head("name"))
    shown.sees(shown.columns, ["size_gb", *[name for name in before if name != "size_gb"]])
    shown.sees(shown.keys, expected(shown))


def test_keys_move_columns(shown: Shown) -> None:
    """Alt+Shift and an arrow in the header move the column and the cursor with it."""
    before = shown.columns()
    shown.grid.focus()
    shown.press("ArrowUp", "ArrowRight", "Alt+Shift+ArrowRight", "Alt+Shift+ArrowRight")
    shown.sees(shown.columns, [*before[1:3], "name", *before[3:]])
    shown.press("Alt+Shift+ArrowLeft")
    shown.sees(shown.columns, [before[1], "name", *before[2:]])


def drag_handle(shown: Shown, column: str, by: int) -> None:
    """Take the edge of a column with the mouse and carry it so far."""
    box: Any = shown.head(column).locator(".tkf-handle").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    shown.page.mouse.move(x, y)
    shown.page.mouse.down()
    for step in range(1, 6):
        shown.page.mouse.move(x + by * step / 5, y)
    shown.page.mouse.up()
    shown.stage.settle()


@pytest.mark.parametrize("by", [60, -50])
def test_a_dragged_edge_sizes_its_column(shown: Shown, by: int) -> None:
    """A column follows the mouse that drags its edge, is not sorted by it, and keeps its width; so does no other column."""
    before, other = width(shown, "name"), width(shown, "time")
    drag_handle(shown, "name", by)
    assert (width(shown, "name"), width(shown, "time")) == (before + by, other)
    shown.page.mouse.move(500, 400)
    shown.stage.click(shown.head("time"))
    shown.sees(shown.sorts, {"time": "▲"})
    assert width(shown, "name") == before + by


def test_a_double_click_fits_a_column(shown: Shown) -> None:
    """A double-click on the edge makes a column as wide as its widest text in sight."""
    clipped = "cells => cells.filter(cell => cell.scrollWidth > cell.clientWidth).length"
    cells = shown.find(".tkf-row > .tkf-cell:nth-child(3)")
    assert cells.evaluate_all(clipped) > 0
    shown.head("display_name").locator(".tkf-handle").dblclick()
    shown.stage.settle()
    assert cells.evaluate_all(clipped) == 0
    assert 60 < width(shown, "display_name") < 400


def test_keys_size_columns(shown: Shown) -> None:
    """Alt and an arrow in the header make the column wider or narrower, but never too narrow to be seen."""
    before = width(shown, "name")
    shown.grid.focus()
    shown.press("ArrowUp", "ArrowRight", "Alt+ArrowRight")
    assert width(shown, "name") == before + 20
    shown.press(*["Alt+ArrowLeft"] * 8)
    assert width(shown, "name") == 40


def test_narrow_windows_scroll_to_the_column_of_the_cursor(shown: Shown) -> None:
    """Arrows to the right bring the column into sight, beside the one that stays; arrows to the left bring the first back."""
    shown.page.set_viewport_size({"width": 640, "height": 700})
    hidden = """grid => {
      const [cell, last] = ['.tkf-cursor', '.tkf-row .tkf-openings'].map(name => grid.querySelector(name).getBoundingClientRect());
      return cell.right > last.left + 1 || cell.left < grid.getBoundingClientRect().left;
    }"""
    shown.grid.focus()
    for key in ["ArrowRight"] * 6 + ["ArrowLeft"] * 5:
        shown.press(key)
        assert not shown.grid.evaluate(hidden), key
