"""The views in marimo, Notebook 7 and Voilà: rows, a filter, selection, an action, and cells that react."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tinker_frames.demo import DemoServer

from .chromium import block_external
from .notebook_view import checkpoints, environment

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

CHECKOUT = Path(__file__).parents[2]  # kernels import the same package as this process
IN_MARIMO = """
import marimo

app = marimo.App(width="full")


@app.cell
def _():
    import marimo as mo
    import tinker_frames as tkf
    return mo, tkf


@app.cell
def _(mo, tkf):
    shown = mo.ui.anywidget(tkf.explore())
    shown
    return (shown,)


@app.cell
def _(mo, shown):
    mo.md(f"chosen: {len(shown.value['selected_keys'])}, last outcome: {shown.value['outcome_counts'].get('done', 0)} done")
    return


if __name__ == "__main__":
    app.run()
"""
KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}
IN_CELLS = ["import tinker_frames as tkf\nview = tkf.explore()\nview", "import ipywidgets\nlabel = ipywidgets.Label()",
            "def describe(change=None):\n"
            "    done = view.outcome_counts.get('done', 0)\n"
            "    label.value = f'chosen: {len(view.selected_keys)}, last outcome: {done} done'\n"
            "view.observe(describe, ['selected_keys', 'outcome_counts'])\ndescribe()\nlabel"]  # fmt: skip


def find_port() -> int:
    """Return a free port."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


def write_marimo(folder: Path, port: int) -> list[str]:
    """Write an app for marimo, and return the command that serves it."""
    path = folder / "app.py"
    path.write_text(IN_MARIMO, encoding="utf-8")
    options = ["--headless", "--no-token", "--host", "127.0.0.1", "--port", str(port)]
    return ["marimo", "-q", "-y", "run", *options, str(path)]


def write_notebook(folder: Path) -> Path:
    """Write the cells as a notebook."""
    cells = [{"cell_type": "code", "source": source, "metadata": {}, "outputs": [], "execution_count": None} for source in IN_CELLS]  # fmt: skip
    path = folder / "app.ipynb"
    path.write_text(
        json.dumps({"cells": cells, "metadata": {"kernelspec": KERNEL}, "nbformat": 4, "nbformat_minor": 4}),
        encoding="utf-8",
    )
    return path


def write_voila(folder: Path, port: int) -> list[str]:
    """Write a notebook for Voilà, and return the command that serves it."""
    return ["voila", "--no-browser", "--Voila.ip=127.0.0.1", f"--port={port}", str(write_notebook(folder))]


def write_for_notebook(folder: Path, port: int) -> list[str]:
    """Write a notebook, and return the command of Notebook 7."""
    write_notebook(folder)
    options = [f"--ServerApp.root_dir={folder}", "--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}", "--IdentityProvider.token="]  # fmt: skip
    return ["notebook", "--no-browser", "--allow-root", *options]


PLACES: dict[str, Callable[[Path, int], list[str]]] = {
    "marimo": write_marimo, "notebook": write_for_notebook, "voila": write_voila,
}  # fmt: skip


@contextmanager
def serve(place: str, folder: Path, server: DemoServer) -> Iterator[str]:
    """Serve an app that shows a view of a server's account, and yield its address."""
    port = find_port()
    name, *options = PLACES[place](folder, port)
    paths = os.pathsep.join(filter(None, (str(CHECKOUT), os.environ.get("PYTHONPATH"))))
    given = {**os.environ, **environment(server), "HOME": str(folder), "PYTHONPATH": paths}
    log, url = folder / "log", f"http://127.0.0.1:{port}/"
    with log.open("w") as output:
        process = subprocess.Popen([sys.executable, "-m", name, *options], cwd=folder, env=given, stdout=output, stderr=subprocess.STDOUT)  # fmt: skip
    try:
        wait_for_port(process, port, log)
        yield url
    finally:
        process.terminate()
        process.wait(30)


def wait_for_port(process: subprocess.Popen[bytes], port: int, log: Path, patience: float = 60) -> None:
    """Wait until a process listens."""
    deadline = time.monotonic() + patience
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"it did not start:\n{log.read_text()[-4000:]}") from None
            time.sleep(0.1)
        else:
            return


@pytest.mark.parametrize("place", PLACES)
def test_a_row_is_found_selected_and_published(place: str, browser: Browser, tmp_path: Path) -> None:
    """Clicks on the text of a filter and on a row's box are taken, other cells follow, and the action is sent; nothing is loaded from elsewhere."""
    pytest.importorskip(place)
    asked: list[str] = []
    with (
        DemoServer(runs=6, hostile=False) as server,
        serve(place, tmp_path, server) as url,
        browser.new_context(viewport={"width": 1300, "height": 1000}) as context,
    ):
        block_external(context, asked.append)
        page = context.new_page()
        page.set_default_timeout(25_000)
        open_page(page, url, place)
        page.locator(".tkf-row").first.wait_for()
        filter_by_type(page)
        before = {path: row.public for path, row in checkpoints(server).items()}
        key = next(key for key in list_keys(page) if not before[key])
        page.locator(f'.tkf-row[data-key="{key}"]   .tkf-check').click()
        page.get_by_text("chosen: 1, last outcome: 0 done").first.wait_for()
        page.locator('.tkf [data-name="publish"]').first.click()
        page.locator('.tkf-action-panel [data-name="run"]').click()
        page.get_by_text("chosen: 1, last outcome: 1 done").first.wait_for()
        changed = {path for path, row in checkpoints(server).items() if row.public != before[path]}
        assert changed == {key}
    assert not [address for address in asked if re.search("tinker|tkf|anywidget", address)]


def open_page(page: Page, url: str, place: str) -> None:
    """Open the app; in Notebook 7, run its cells."""
    page.goto(f"{url}notebooks/app.ipynb" if place == "notebook" else url)
    if place == "notebook":
        page.locator(".jp-Notebook .jp-Cell .cm-content").first.click()
        page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").wait_for()
        for _ in IN_CELLS:
            page.keyboard.press("Shift+Enter")


def filter_by_type(page: Page) -> None:
    """Choose the first type of checkpoints by a click on its text."""
    page.locator('.tkf [data-name="add"]').click()
    page.locator('[data-name="add type"]').click()
    page.locator(".tkf-option-label").first.click()
    page.locator(".tkf-chip-text").wait_for()
    page.keyboard.press("Escape")


def list_keys(page: Page) -> list[str]:
    """Return the keys of the rendered rows."""
    rows = page.locator(".tkf-row:not(.tkf-absent)").all()
    return [key for row in rows if (key := row.get_attribute("data-key"))]
