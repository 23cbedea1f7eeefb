"""A view in a JupyterLab notebook, with the methods of `ViewPage`, counting every click and key press.

>>> with open_view(lab, server) as view:  # doctest: +SKIP
...     view.begin("expire")
...     view.continue_action("run")
...     assert view.user_input.clicks == 2
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from .view_page import ViewPage

if TYPE_CHECKING:
    from playwright.sync_api import Locator

    from tinker_frames.demo import DemoServer
    from tinker_frames.demo.data.records import Checkpoint

    from .lab import Lab, Notebook

CELL = "import tinker_frames as tkf\n\nview = tkf.explore()\nview"


class UserInput:
    """The mouse and keyboard of a notebook, with the same methods as a `WidgetHost`.

    Attributes
    ----------
    clicks, keys
        The number of clicks and key presses.
    """

    def __init__(self, notebook: Notebook) -> None:
        self.page, self.wait_until = notebook.page, notebook.wait_until
        self.clicks = self.keys = 0

    def click(self, target: Locator, **options: Any) -> None:
        """Click an element once it can be clicked."""
        target.click(**options)
        self.clicks += 1

    def press(self, *keys: str, on: Locator | None = None) -> None:
        """Press keys one after another, on an element or on the focused one."""
        if on is not None:
            on.focus()
        for key in keys:
            self.page.keyboard.press(key)
        self.keys += len(keys)

    def write(self, text: str) -> None:
        """Type text into the focused element."""
        self.page.keyboard.type(text)
        self.keys += len(text)

    def pump(self) -> None:
        """Do nothing, since messages are delivered by JupyterLab."""


class NotebookView(ViewPage):
    """The view in the output of a cell."""

    def __init__(self, notebook: Notebook, cell: int = 0, user_input: UserInput | None = None) -> None:
        self.notebook, self.page = notebook, notebook.page
        self.user_input = self.host = user_input or UserInput(notebook)  # type: ignore[assignment]
        self.root = notebook.output(cell).locator(".tkf").last
        self.root.wait_for()
        self.grid = self.root.locator(".tkf-grid")
        notebook.wait_until(lambda: self.rows() or self.find(".tkf-empty").is_visible())

    def control(self, name: str) -> Locator:
        """Return a control by name, outside the action panel."""
        return self.find(f'[data-name="{name}"]').and_(self.find(":not(.tkf-action-panel *)"))

    def panel_control(self, name: str) -> Locator:
        """Return a control of the action panel, such as `run`, `typed` or `close`."""
        return self.find(f'.tkf-action-panel [data-name="{name}"]')

    def type(self, name: str, text: str) -> None:
        """Type into a control key by key."""
        self.control(name).focus()
        self.user_input.write(text)

    def search(self, text: str, rows: int) -> None:
        """Search for a text and wait until this many rows match."""
        self.type("text", text)
        self.wait_for_text(self.counts, f"{rows:,} of ")

    def begin(self, action: str) -> None:
        """Click an action and wait until its plan or form is shown."""
        self._click_and_follow(self.control(action))

    def type_number(self) -> None:
        """Type the number of rows if the plan requires it."""
        if self.panel_control("typed").count():
            self.panel_control("typed").focus()
            self.user_input.write(self.panel_control("run").inner_text().split(":")[0].split()[-1])

    def continue_action(self, name: str) -> None:
        """Click a control of the action panel and wait until the next step is finished."""
        self._click_and_follow(self.panel_control(name))

    def _click_and_follow(self, target: Locator) -> None:
        """Click, wait until the action panel has changed, and wait until it is idle."""
        before = self.find(".tkf-action-panel > *").element_handles()[:1]
        self.user_input.click(target)
        self.user_input.wait_until(
            lambda: not any(element.evaluate("element => element.isConnected") for element in before)
        )
        self.wait_until_idle()

    def wait_until_idle(self, timeout: float = 20) -> None:
        """Wait until the action panel shows a result and no action is being prepared or run."""
        self.user_input.wait_until(lambda: self.panel() and not self.panel_control("cancel").is_visible(), timeout)

    def outcomes(self) -> dict[str, int]:
        """Return the number of rows per outcome."""
        said = [text.split(" ")[1:] for text in self.find(".tkf-outcome").all_inner_texts()]
        return {outcome: int(rows.replace(",", "")) for rows, outcome in said}

    def python(self, code: str) -> str:
        """Return the output of code run in the notebook's kernel."""
        return self.notebook.execute(code).strip()


@contextmanager
def open_view(lab: Lab, server: DemoServer, *more: str, cell: str = CELL, setup: str = "") -> Iterator[NotebookView]:
    """Yield the view of the first cell of a new notebook, with the server's account set in the environment."""
    with lab.notebook([cell, *more], setup=setup, env=environment(server)) as notebook:
        notebook.run(0)
        yield NotebookView(notebook)


def environment(server: DemoServer) -> dict[str, str]:
    """Return the environment of a kernel that uses this account."""
    return {"TINKER_API_KEY": server.key, "TINKER_BASE_URL": server.url}


def checkpoints(server: DemoServer) -> dict[str, Checkpoint]:
    """Return the caller's checkpoints from the server, by tinker path."""
    return {row.tinker_path: row for row in server.state.checkpoints_page(10**6, 0)[0]}


@contextmanager
def resize_window(lab: Lab, **size: int) -> Iterator[None]:
    """Change the window's width or height temporarily."""
    before: Any = lab.page.viewport_size
    lab.page.set_viewport_size(before | size)
    try:
        yield
    finally:
        lab.page.set_viewport_size(before)
