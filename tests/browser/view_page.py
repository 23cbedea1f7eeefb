"""A view on a page, with methods for what a user does and sees.

>>> view = ViewPage(host, tkf.explore("checkpoints", client))  # doctest: +SKIP
>>> view.click("model")
>>> view.wait_for(view.counts, "113 of 582")
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from tinker_frames.views.controls import CONTROLS

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Locator

    from tinker_frames.views.widget import View

    from .widget_host import WidgetHost

T = TypeVar("T")
FILTERS = {control.name for control in CONTROLS if control.kind not in ("text", "query")}

ROWS = """root => {
  const grid = root.querySelector('.tkf-grid');
  const { top, bottom } = grid.getBoundingClientRect();
  const head = grid.querySelector('.tkf-head').offsetHeight;
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
    """A rendered row: its position, key, selection and cells, its offset below the header, and whether it is loaded and in sight."""

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
        The element of the view, and the grid of rows in it.
    """

    def __init__(self, host: WidgetHost, widget: View) -> None:
        self.host, self.page, self.widget = host, host.page, widget
        self.root = host.mount(widget)
        self.grid = self.root.locator(".tkf-grid")
        host.wait_until(lambda: self.rows() or self.find(".tkf-empty").is_visible())

    # ---- what a user does

    def find(self, target: str) -> Locator:
        """Return the locator of a selector inside this view."""
        return self.root.locator(target)

    def control(self, name: str) -> Locator:
        """Return the control with a name, such as `reset` or `option Qwen/Qwen3-8B`."""
        return self.root.locator(f'[data-name="{name}"]')

    def click(self, *names: str, **options: Any) -> None:
        """Click controls by name, one after another; a box that has a label, on the text of the label, as people do.

        The control of a filter that is not set is reached by "+ Filter".
        """
        for name in names:
            is_unset = name in FILTERS and not self.control(name).count()
            for step in ("add", f"add {name}") if is_unset else (name,):
                self.host.click(self.face(step), **options)

    def face(self, name: str) -> Locator:
        """Return what people click of a control: the text of a label, else the control itself."""
        text = self.find(f'label:has([data-name="{name}"]) > .tkf-option-label')
        return text if name.startswith(("option ", "column ")) else self.control(name)

    def click_and_wait(self, *names: str) -> None:
        """Click controls outside the panel, waiting after each until the view is idle."""
        for name in names:
            self.host.click(self.find(f'[data-name="{name}"]:not(.tkf-action-panel *)'))
            self.wait_until_idle()

    def answer_panel(self, *names: str) -> None:
        """Click controls of the panel, waiting after each until the view is idle."""
        for name in names:
            self.host.click(self.panel_control(name))
            self.wait_until_idle()

    def panel_control(self, name: str) -> Locator:
        """Return a control of the panel by name."""
        return self.find(f'.tkf-action-panel [data-name="{name}"]')

    def select_matching(self) -> None:
        """Select all matching rows by their button."""
        self.click("all")
        self.host.wait_until(lambda: self.control("all").count() == 0)

    def row(self, place: int) -> Locator:
        """Return a row by its position, once it is loaded."""
        found = self.find(f'.tkf-row[data-place="{place}"]:not(.tkf-absent)')
        self.host.wait_until(lambda: found.count() == 1)
        return found

    def cell(self, place: int, column: str) -> Locator:
        """Return a cell by the position of its row and by its column."""
        return self.row(place).locator(".tkf-cell").nth(self.columns().index(column) + 1)

    def check(self, place: int) -> Locator:
        """Return the check mark of a row, a click on which selects it."""
        return self.row(place).locator(".tkf-check")

    def header(self, column: str) -> Locator:
        """Return the header of a column."""
        return self.find(f'.tkf-head-cell[data-column="{column}"]')

    def press(self, *keys: str) -> None:
        """Press keys on the grid."""
        self.host.press(*keys, on=self.grid)

    def scroll(self, pixels: int) -> None:
        """Scroll the rows to this many pixels from the top."""
        self.grid.evaluate("(grid, pixels) => { grid.scrollTop = pixels }", pixels)

    def type(self, name: str, text: str) -> None:
        """Type into a control key by key."""
        self.control(name).press_sequentially(text)
        self.host.pump()

    def wait_until_idle(self, timeout: float = 20) -> None:
        """Wait until the kernel has no work left and the result is displayed."""
        explorer = self.widget._explorer
        self.host.settle()  # the last request has reached the kernel
        self.host.wait_until(lambda: explorer.wait(0), timeout)
        self.host.settle()

    # ---- what a user sees

    def rows(self) -> list[Row]:
        """Return the loaded rows that are in sight, from top to bottom."""
        return [row for row in self.drawn_rows() if row.there and row.in_sight]

    def drawn_rows(self) -> list[Row]:
        """Return all rendered rows, including those above and below the visible part."""
        return [Row(**row) for row in self.root.evaluate(ROWS)]

    def keys(self) -> list[str]:
        """Return the keys of the rows in sight."""
        return [row.key for row in self.rows()]

    def selected(self) -> list[int]:
        """Return the positions of the selected rows in sight."""
        return [row.place for row in self.rows() if row.selected]

    def columns(self) -> list[str]:
        """Return the visible columns from left to right."""
        return self.find(".tkf-head-cell[data-column]").evaluate_all("cells => cells.map(cell => cell.dataset.column)")

    def column(self, name: str) -> list[str]:
        """Return the texts of a column for the rows in sight."""
        at = self.columns().index(name) + 1
        return [row.cells[at] for row in self.rows()]

    def sorts(self) -> dict[str, str]:
        """Return the sort marks of the sorted columns."""
        pairs = self.find(".tkf-head-cell[data-column]").evaluate_all(
            "cells => cells.map(cell => [cell.dataset.column, cell.querySelector('.tkf-sort').textContent])"
        )
        return {column: mark for column, mark in pairs if mark}

    def counts(self) -> str:
        """Return the counts of matching and all rows, without their bytes."""
        return self.find(".tkf-count").inner_text().split(" · ")[0]

    def selection(self) -> str:
        """Return the text about the selection."""
        return self.find(".tkf-selected-count > span").inner_text()

    def note(self) -> str:
        """Return the note at the top, or an empty string."""
        note = self.find(".tkf-note").first
        return note.inner_text().removesuffix("\N{MULTIPLICATION SIGN}").strip() if note.is_visible() else ""

    def chips(self) -> list[str]:
        """Return the text of each filter chip."""
        return self.find(".tkf-chip-text").all_inner_texts()

    def options(self) -> dict[str, int]:
        """Return the options of the popover with their row counts."""
        labels, rows = (self.find(f".tkf-option-{what}").all_inner_texts() for what in ("label", "rows"))
        return {label: int(number.replace(",", "")) for label, number in zip(labels, rows, strict=True)}

    def panel(self) -> str:
        """Return the text of the action panel; empty if it is closed."""
        panel = self.find(".tkf-action-panel")
        return panel.inner_text() if panel.is_visible() else ""

    def active(self) -> str:
        """Return the name or class of the focused element; empty if it is outside this view."""
        return self.root.evaluate(ACTIVE)

    def wait_for(self, look: Callable[[], T], wanted: T) -> None:
        """Wait until `look()` equals the wanted value; fail with the actual value."""
        try:
            self.host.wait_until(lambda: look() == wanted)
        except AssertionError:
            found = look()
            assert found == wanted, f"{found!r}, not {wanted!r}"

    def wait_for_text(self, look: Callable[[], str], part: str) -> None:
        """Wait until `look()` contains a text; fail with the actual text."""
        try:
            self.host.wait_until(lambda: part in look())
        except AssertionError:
            assert part in look()
