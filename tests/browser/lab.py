"""A JupyterLab on loopback with isolated settings, and notebooks in tabs of one page.

>>> with serve_lab(browser, folder) as lab, lab.notebook(["1 + 1"]) as notebook:  # doctest: +SKIP
...     notebook.run(0)
...     assert notebook.text(0) == "2"

User input goes through the keyboard and the mouse of the page; setup and inspection go through JupyterLab's own objects,
which `--expose-app-in-browser` makes accessible.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .chromium import block_external

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, WebSocket

CHECKOUT = Path(__file__).parents[2]  # kernels import the same package as this process
OPTIONS = (
    "--no-browser",
    "--allow-root",
    "--expose-app-in-browser",
    "--IdentityProvider.token=",
    "--ServerApp.ip=127.0.0.1",
    "--ServerApp.port=0",
    "--ServerApp.terminals_enabled=False",
    "--LabApp.news_url=None",
    "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    "--LabApp.extension_manager=readonly",
)
SETTINGS = {
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    "docmanager-extension/plugin": {"autosave": False},
}
KERNEL = "this"
# Messages of JupyterLab itself, each with the reason why it is ignored.
NOISE = (
    # It requests a subshell for each widget, and a restarting kernel does not reply.
    re.compile(
        r"^error in the page: Error: Canceled future for create_subshell_request message before replies were done"
    ),
    # Its server polls kernels and has no last activity for one that is just starting (2.21).
    re.compile(r"^console error: .* status of 500 .*/api/kernels\?\d+\)$"),
    # A notebook opened without the kernel of its widgets; `Notebook.problems` checks for this where it matters.
    re.compile(r"^console error: Error: widget model not found\s+at .*/@jupyter-widgets/jupyterlab-manager/static/"),
)
LOST = "Error displaying widget"

OPEN = f"""async path => {{
  const panel = await jupyterapp.commands.execute(
    'docmanager:open', {{ path, factory: 'Notebook', kernel: {{ name: '{KERNEL}' }} }});
  await panel.context.ready;
  await panel.sessionContext.ready;
  await panel.sessionContext.session.kernel.info;
  await panel.revealed;
  return panel;
}}"""
SELECT = """(panel, index) => {
  jupyterapp.shell.activateById(panel.id);
  panel.content.activeCellIndex = index;
  panel.content.deselectAll();
  panel.content.mode = 'command';
  panel.content.activate();
  panel.content.activeCell.node.focus(); // also when the focus was within the cell, in an output
  panel.content.activeCell.model.executionCount = null;
}"""
FOCUSED = "([panel]) => panel.content.activeCell.node.contains(document.activeElement)"
RAN = """([panel, index]) => panel.content.widgets[index].model.executionCount !== null
  && panel.sessionContext.session.kernel.status === 'idle'"""
EXECUTE = """async (panel, code) => {
  const future = panel.sessionContext.session.kernel.requestExecute({ code, store_history: false });
  const printed = [];
  future.onIOPub = message => {
    if (message.header.msg_type === 'stream') printed.push(message.content.text);
    if (message.header.msg_type === 'error') printed.push(message.content.traceback.join('\\n'));
  };
  const reply = await future.done;
  return [reply.content.status, printed.join('')];
}"""
# A promise that never settles would hang the test, because playwright's `evaluate` has no timeout.
LIMITED = """([panel, given, seconds]) => Promise.race([
  (%s)(panel, given),
  new Promise((_, refuse) => setTimeout(() => refuse(new Error(`no answer in ${seconds} s`)), 1000 * seconds)),
])"""
CLOSE = """async (panel, shutdown) => {
  if (shutdown) await panel.sessionContext.shutdown();
  panel.context.model.dirty = false;
  panel.dispose();
}"""


class Lab:
    """A running JupyterLab and its page.

    Attributes
    ----------
    page, folder
        The playwright page, and the folder of the notebooks.
    problems
        Errors on the console or in the page, and requests to other machines, except for known messages of JupyterLab.
    received
        Bytes received by websocket, by kernel.
    """

    def __init__(self, page: Page, url: str, folder: Path) -> None:
        self.page, self.folder = page, folder
        self.problems, self.received = list[str](), Counter[str]()
        self._numbers = count(1)
        page.on("console", self._console)
        page.on("pageerror", lambda error: self._problem(f"error in the page: {error.stack or error}"))
        page.on("websocket", self._socket)
        block_external(page.context, lambda address: self._problem(f"the page asked for {address}"))
        page.goto(f"{url}lab")
        page.wait_for_function("window.jupyterapp?.restored.then(() => true)", timeout=60_000)
        page.evaluate("jupyterapp.shell.collapseLeft()")

    @contextmanager
    def notebook(
        self, code_cells: Sequence[str], *, setup: str = "", env: Mapping[str, str] | None = None
    ) -> Iterator[Notebook]:
        """Yield a new notebook in its own tab with a new kernel; both are closed afterwards.

        Parameters
        ----------
        code_cells
            The source of each cell.
        setup
            Code that the kernel runs first, outside any cell.
        env
            Environment variables of the kernel, set before `setup` (`TINKER_API_KEY`, `TINKER_BASE_URL`, …).
        """
        path = self.folder / f"notebook-{next(self._numbers)}.ipynb"
        path.write_text(json.dumps(_notebook(code_cells)), "utf-8")
        opened = Notebook(self, path, dict(env or {}))
        try:
            opened.execute(setup)
            yield opened
            opened.check()
        finally:
            opened.close()

    @contextmanager
    def dark(self) -> Iterator[None]:
        """Use JupyterLab's dark theme temporarily."""
        self._theme("JupyterLab Dark", light=False)
        try:
            yield
        finally:
            self._theme("JupyterLab Light", light=True)

    def _theme(self, name: str, *, light: bool) -> None:
        self.page.evaluate("theme => jupyterapp.commands.execute('apputils:change-theme', { theme })", name)
        self.page.wait_for_function("light => document.body.dataset.jpThemeLight === light", arg=str(light).lower())

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self._problem(f"console error: {message.text} ({message.location.get('url')})")

    def _problem(self, said: str) -> None:
        if not any(pattern.search(said) for pattern in NOISE):
            self.problems.append(said)

    def _socket(self, socket: WebSocket) -> None:
        if found := re.search(r"/api/kernels/([^/]+)/channels", socket.url):
            kernel = found[1]
            socket.on("framereceived", lambda frame: self.received.update({kernel: len(_bytes(frame))}))


class Notebook:
    """A notebook in its tab; cells are counted from 0."""

    def __init__(self, lab: Lab, path: Path, env: dict[str, str]) -> None:
        self.lab, self.page, self.path, self._env = lab, lab.page, path, env
        self._before, self._lost = len(lab.problems), 0
        self._open()

    @property
    def root(self) -> Locator:
        """The element of the notebook."""
        return self.page.locator(f"#{self.ask('panel => panel.id')}")

    @property
    def cells(self) -> int:
        """The number of cells."""
        return int(self.ask("panel => panel.content.model.cells.length"))

    @property
    def received(self) -> int:
        """The number of bytes received from the kernel by websocket since the notebook was opened."""
        return self.lab.received[self.ask("panel => panel.sessionContext.session.kernel.id")]

    @property
    def problems(self) -> list[str]:
        """What fails the test: problems of the lab since the notebook was opened, open dialogs, and widgets without a model."""
        dialogs = [f"a dialog: {text}" for text in self.page.locator(".jp-Dialog").all_inner_texts()]
        lost = 0 if self._lost else self.root.get_by_text(LOST).count()
        return [*self.lab.problems[self._before :], *dialogs, *["a widget that the kernel does not have"] * lost]

    def ask(self, script: str, given: Any = None, *, timeout: float = 30) -> Any:
        """Return the result of a JavaScript function called with this notebook's panel and an optional argument."""
        return self.page.evaluate(LIMITED % script, [self._panel, given, timeout])

    def cell(self, index: int) -> Locator:
        """Return a cell."""
        return self.root.locator(".jp-Notebook .jp-Cell").nth(index)

    def output(self, index: int) -> Locator:
        """Return the output area of a cell."""
        return self.cell(index).locator(".jp-Cell-outputArea")

    def select(self, index: int) -> None:
        """Make a cell active, in command mode and with the focus, as if it had never run."""
        self.ask(SELECT, index)
        self.page.wait_for_function(FOCUSED, arg=[self._panel])

    def run(self, index: int, *, keys: str = "Control+Enter", timeout: float = 30) -> None:
        """Run a cell by keyboard and wait until the kernel is idle; an exception in the cell fails the test."""
        self.select(index)
        self.page.keyboard.press(keys)
        self.page.wait_for_function(RAN, arg=[self._panel, index], timeout=timeout * 1000)
        raised = [output for output in self.outputs(index) if output["output_type"] == "error"]
        assert not raised, "\n".join(raised[0]["traceback"])

    def execute(self, code: str) -> str:
        """Run code in the kernel outside any cell and return its output; an exception in it fails the test."""
        status, printed = self.ask(EXECUTE, code)
        assert status == "ok", printed
        return str(printed)

    def outputs(self, index: int) -> list[dict[str, Any]]:
        """Return a cell's outputs as they are stored in the notebook file."""
        return list(self.ask("(panel, index) => panel.content.widgets[index].model.outputs.toJSON()", index))

    def text(self, index: int) -> str:
        """Return a cell's outputs as plain text."""
        found = [output.get("text") or output.get("data", {}).get("text/plain", "") for output in self.outputs(index)]
        return "".join(part if isinstance(part, str) else "".join(part) for part in found)

    def press(self, *keys: str) -> None:
        """Press keys one after another on the focused element."""
        for key in keys:
            self.page.keyboard.press(key)

    def restart(self) -> None:
        """Restart the kernel; its state is lost, but its environment is kept."""
        self.ask("async panel => { await panel.sessionContext.restartKernel(); }")
        self._prepare()

    def save(self) -> dict[str, Any]:
        """Save the notebook and return the contents of the file."""
        self.ask("async panel => { await panel.context.save(); }")
        return dict(json.loads(self.path.read_text("utf-8")))

    def reopen(self, *, same_kernel: bool = False) -> None:
        """Save the notebook, close its tab and reopen it, by default with a new kernel."""
        self.save()
        self._leave(shutdown=not same_kernel)
        self._lost += not same_kernel
        self._open()

    def wait_until(self, condition: Callable[[], Any], timeout: float = 10) -> Any:
        """Wait until a condition holds and return its value, for conditions that playwright's locators cannot express."""
        deadline = time.monotonic() + timeout
        while not (found := condition()):
            assert time.monotonic() < deadline, f"not within {timeout:g} s: {condition}"
            self.page.wait_for_timeout(10)
        return found

    def check(self) -> None:
        """Fail if there were problems."""
        found = self.problems
        assert not found, "\n".join(found)

    def close(self) -> None:
        """Close the tab without saving, despite any open dialog, and shut the kernel down."""
        if self.page.locator(".jp-Dialog").count():
            self.page.keyboard.press("Escape")
        self._leave(shutdown=True)

    def _open(self) -> None:
        self._panel = self.page.evaluate_handle(OPEN, self.path.name)
        self._prepare()

    def _prepare(self) -> None:
        self.execute(f"import os; os.environ.update({self._env!r}); del os")

    def _leave(self, *, shutdown: bool) -> None:
        self.ask(CLOSE, shutdown)
        self._panel.dispose()


@contextmanager
def serve_lab(browser: Browser, folder: Path, *, width: int = 1280, height: int = 900) -> Iterator[Lab]:
    """Yield a JupyterLab that stores everything in one folder, and its page."""
    with _server(folder) as url, closing(browser.new_context(viewport={"width": width, "height": height})) as context:
        context.set_default_timeout(20_000)
        yield Lab(context.new_page(), url, folder / "notebooks")


@contextmanager
def _server(folder: Path, patience: float = 60) -> Iterator[str]:
    command = [sys.executable, "-m", "jupyterlab", *OPTIONS, f"--ServerApp.root_dir={folder / 'notebooks'}"]
    environment, log = _prepare_folder(folder), folder / "log"
    with log.open("w") as output:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT)
    try:
        deadline = time.monotonic() + patience
        while not (url := _read_url(folder / "runtime")):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"JupyterLab did not start:\n{log.read_text()[-4000:]}")
            time.sleep(0.05)
        yield url
    finally:
        process.terminate()
        process.wait(30)


def _read_url(folder: Path) -> str:
    """Return the server's address from the file it writes; empty until the file is complete."""
    for path in folder.glob("jpserver-*.json"):
        with suppress(ValueError):
            return str(json.loads(path.read_text())["url"])
    return ""


def _prepare_folder(folder: Path) -> dict[str, str]:
    """Write the kernel spec and the settings, and return the environment of the server."""
    for name, values in SETTINGS.items():
        file = folder / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(values), "utf-8")
    path = os.pathsep.join(filter(None, (str(CHECKOUT), os.environ.get("PYTHONPATH"))))
    argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    kernel = {"argv": argv, "display_name": KERNEL, "language": "python", "env": {"PYTHONPATH": path}}
    for name in (f"data/kernels/{KERNEL}", "notebooks", "runtime"):
        (folder / name).mkdir(parents=True)
    (folder / "data" / "kernels" / KERNEL / "kernel.json").write_text(json.dumps(kernel), "utf-8")
    homes = {"HOME": "", "IPYTHONDIR": "ipython", "XDG_CACHE_HOME": "cache", "XDG_STATE_HOME": "state"}
    homes |= {f"JUPYTER_{name.upper()}_DIR": name for name in ("config", "data", "runtime")}
    homes |= {f"JUPYTERLAB_{name.upper()}_DIR": name for name in ("settings", "workspaces")}
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TINKER_", "JUPYTER"))}
    return kept | {name: str(folder / place) for name, place in homes.items()}


def _notebook(code_cells: Sequence[str]) -> dict[str, Any]:
    empty: dict[str, Any] = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None}
    cells = [empty | {"id": f"cell-{index}", "source": source} for index, source in enumerate(code_cells)]
    spec = {"name": KERNEL, "display_name": KERNEL, "language": "python"}
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": spec}, "cells": cells}


def _bytes(frame: str | bytes) -> bytes:
    return frame.encode() if isinstance(frame, str) else frame
