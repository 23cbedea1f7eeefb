"""Debian's Chromium through playwright, and whether browser tests can run here."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Route

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--process-per-site",  # blank pages share a process: starting one for each test would take longer than most tests
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE localhost , EXCLUDE 127.0.0.1",  # no host name is resolved outside this machine
)
OUTSIDE = re.compile(r"^https?://(?!(127\.0\.0\.1|localhost)[:/])")
NEEDED = ("playwright", "anywidget")
NEEDED_IN_LAB = (*NEEDED, "jupyterlab", "ipykernel")


def executable() -> str | None:
    """Return the path of Chromium, or None if it is not installed."""
    return shutil.which("chromium")


def explain_missing(*, lab: bool = False) -> str:
    """Return why a browser test, or one in JupyterLab, cannot run here; '' if it can."""
    for name in NEEDED_IN_LAB if lab else NEEDED:
        if find_spec(name) is None:
            return f"{name} is not installed (extra browser)"
    return "" if executable() else "there is no chromium on the path (apt install chromium)"


@contextmanager
def launch_browser() -> Iterator[Browser]:
    """Yield a headless Chromium with a fresh profile in a temporary home folder.

    While it runs, this thread has a running asyncio loop (which playwright's sync API needs), so `asyncio.run` fails in it.
    """
    from playwright.sync_api import sync_playwright

    with (
        tempfile.TemporaryDirectory(prefix="tkf-chromium-", ignore_cleanup_errors=True) as home,
        sync_playwright() as library,
    ):
        environment: dict[str, str | float | bool] = {**os.environ, "HOME": home, "XDG_CONFIG_HOME": home}
        browser = library.chromium.launch(executable_path=executable(), args=list(FLAGS), env=environment)
        try:
            yield browser
        finally:
            browser.close()


def block_external(context: BrowserContext, report: Callable[[str], object]) -> None:
    """Abort and report every request of the context to another machine."""

    def refuse(route: Route) -> None:
        report(route.request.url)
        route.abort()

    context.route(OUTSIDE, refuse)
    context.on("page", lambda page: page.on("websocket", lambda socket: _report_url(socket.url, report)))


def _report_url(url: str, report: Callable[[str], object]) -> None:
    if OUTSIDE.match(url.replace("ws", "http", 1)):
        report(url)
