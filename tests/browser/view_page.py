"""A view on a stage, with the words in which tests say what a person does there and sees.

>>> view = ViewPage(host, tkf.explore("checkpoints", client))  # doctest: +SKIP
>>> view.click("model")
>>> view.wait_for(view.counts, "113 of 582")
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Locator

    from tinker_frames.views.widget import View

    from .widget_host import WidgetHost

T = TypeVar("T")

ROWS = """root => {
  const grid = root.querySelector('.tkf-grid');
  const { top, bottom } = grid.getBoundingClientRect();
  const head = grid.querySelector('.tkf-header').offsetHeight;
  return [...root.querySelectorAll('.tkf-row')].map(row => {
    const box = row.getBoundingClientRect();
    return {
      place: Number(row.dataset.place), key: row.dataset.key, selected: row.getAttribute('aria-selected') === 'true',
      cells: [...row.querySelectorAll('.tkf-cell')].map(cell => cell.textContent), top: box.top - top - head,
      there: !row.classList.contains('tkf-absent'), in_sight: box.top >= top + head - 1 && box.bottom <= bottom + 1,
    };
  }).sort((one, other) => one.place - other.place);
}"""
ACTIVE = "root => root.contains(document.activeElement) ? document.activeElement.dataset.name ?? document.activeElement.className : ''"
MARKED = "() => getSelection().toString()"


class Row(NamedTuple):
    """A row as it is drawn: where in the order, its key, its cells, how far below the header, and whether in sight."""

    place: int
    key: str
    selected: bool
    cells: list[str]
    top: float
    there: bool
    in_sight: bool


class ViewPage:
    """One display of a view.

    Attributes
    ----------
    root, grid
        Its element, and the one with the rows.
    """

    def __init__(self, host: WidgetHost, widget: View) -> None:
        self.host, self.page, self.widget = host, host.page, widget
        self.root = host.mount(widget)
        self.grid = self.root.locator(".tkf-grid")
        host.wait_until(lambda: self.rows() or self.find(".tkf-empty").is_visible())

    # ---- what a person does

    def find(self, target: str) -> Locator:
        """Return the locator of a selector inside this view."""
        return self.root.locator(target)

    def control(self, name: str) -> Locator:
        """Return the control that has a name of its own, such as `reset` or `option Qwen/Qwen3-8B`."""
        return self.root.locator(f'[data-name="{name}"]')

    def click(self, *names: str, **options: Any) -> None:
        """Click controls by their names, one after another."""
        for name in names:
            self.host.click(self.control(name), **options)

    def click_and_wait(self, *names: str) -> None:
        """Click controls outside of the panel, and wait each time until what goes on is over."""
        for name in names:
            self.host.click(self.find(f'[data-name="{name}"]:not(.tkf-action-panel *)'))
            self.wait_until_idle()

    def answer_panel(self, *names: str) -> None:
        """Click controls of the panel, and wait each time until what goes on is over."""
        for name in names:
            self.host.click(self.panel_control(name))
            self.wait_until_idle()

    def panel_control(self, name: str) -> Locator:
        """Return a control of the panel by its name."""
        return self.find(f'.tkf-action-panel [data-name="{name}"]')

    def row(self, place: int) -> Locator:
        """Return a row by its place in the order, once it is there."""
        found = self.find(f'.tkf-row[data-place="{place}"]:not(.tkf-absent)')
        self.host.wait_until(lambda: found.count() == 1)
        return found

    def cell(self, place: int, column: str) -> Locator:
        """Return a cell by its row's place and its column."""
        return self.row(place).locator(".tkf-cell").nth(self.columns().index(column) + 1)

    def header(self, column: str) -> Locator:
        """Return the header of a column."""
        return self.find(f'.tkf-head-cell[data-column="{column}"]')

    def press(self, *keys: str) -> None:
        """Press keys on the grid."""
        self.host.press(*keys, on=self.grid)

    def scroll(self, pixels: int) -> None:
        """Scroll the rows so far from the top."""
        self.grid.evaluate("(grid, pixels) => { grid.scrollTop = pixels }", pixels)

    def type(self, name: str, text: str) -> None:
        """Type into a control letter by letter."""
        self.control(name).press_sequentially(text)
        self.host.pump()

    def wait_until_idle(self, timeout: float = 20) -> None:
        """Wait until nothing goes on in the kernel, and what came of it is shown."""
        explorer = self.widget._explorer
        self.host.settle()  # what was asked for last has come to the kernel
        self.host.wait_until(lambda: explorer.wait(0), timeout)
        self.host.settle()

    # ---- what a person sees

    def rows(self) -> list[Row]:
        """Return the rows that are in sight and there, from the top down."""
        return [row for row in self.drawn_rows() if row.there and row.in_sight]

    def drawn_rows(self) -> list[Row]:
        """Return all rows that are drawn, those above and below the window included."""
        return [Row(**row) for row in self.root.evaluate(ROWS)]

    def keys(self) -> list[str]:
        """Return the keys of the rows in sight."""
        return [row.key for row in self.rows()]

    def selected(self) -> list[int]:
        """Return the places of the rows in sight that are selected."""
        return [row.place for row in self.rows() if row.selected]

    def columns(self) -> list[str]:
        """Return the columns that are shown, from the left."""
        return self.find(".tkf-head-cell[data-column]").evaluate_all("cells => cells.map(cell => cell.dataset.column)")

    def column(self, name: str) -> list[str]:
        """Return the texts of a column, of the rows in sight."""
        at = self.columns().index(name) + 1
        return [row.cells[at] for row in self.rows()]

    def sorts(self) -> dict[str, str]:
        """Return the marks of the columns that rows are sorted by."""
        pairs = self.find(".tkf-head-cell[data-column]").evaluate_all(
            "cells => cells.map(cell => [cell.dataset.column, cell.querySelector('.tkf-sort').textContent])"
        )
        return {column: mark for column, mark in pairs if mark}

    def counts(self) -> str:
        """Return how many rows match of how many, without their bytes."""
        return self.find(".tkf-count").inner_text().split(" · ")[0]

    def selection(self) -> str:
        """Return what is said of the selection."""
        return self.find(".tkf-selected-count > span").inner_text()

    def note(self) -> str:
        """Return what is said at the top; empty if nothing."""
        note = self.find(".tkf-note").first
        return note.inner_text().removesuffix("\N{MULTIPLICATION SIGN}").strip() if note.is_visible() else ""

    def chips(self) -> list[str]:
        """Return what the filters are set to."""
        return self.find(".tkf-chip-text").all_inner_texts()

    def options(self) -> dict[str, int]:
        """Return the options of the popover with their numbers of rows."""
        labels, rows = (self.find(f".tkf-option-{what}").all_inner_texts() for what in ("label", "rows"))
        return {label: int(number.replace(",", "")) for label, number in zip(labels, rows, strict=True)}

    def panel(self) -> str:
        """Return the text of the place where actions are prepared; empty if it is closed."""
        panel = self.find(".tkf-action-panel")
        return panel.inner_text() if panel.is_visible() else ""

    def active(self) -> str:
        """Return what has the focus, by its name or class; empty if it is nothing of this view."""
        return self.root.evaluate(ACTIVE)

    def wait_for(self, look: Callable[[], T], wanted: T) -> None:
        """Wait until what one looks at is what is wanted; fail with what it is instead."""
        try:
            self.host.wait_until(lambda: look() == wanted)
        except AssertionError:
            assert look() == wanted

    def wait_for_text(self, look: Callable[[], str], part: str) -> None:
        """Wait until a text has a part; fail with what it is instead."""
        try:
            self.host.wait_until(lambda: part in look())
        except AssertionError:
            assert part in look()
