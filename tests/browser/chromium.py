"""Debian's Chromium through the playwright library, and whether a browser test can run here at all."""

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
    "--process-per-site",  # blank pages share a process: a new one for each test would take longer than most tests
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE localhost , EXCLUDE 127.0.0.1",  # no name leaves the machine
)
OUTSIDE = re.compile(r"^https?://(?!(127\.0\.0\.1|localhost)[:/])")
NEEDED = ("playwright", "anywidget")
NEEDED_IN_LAB = (*NEEDED, "jupyterlab", "ipykernel")


def executable() -> str | None:
    """Return where Chromium is, None where it is not installed."""
    return shutil.which("chromium")


def explain_missing(*, lab: bool = False) -> str:
    """Return why a browser test, or one in JupyterLab, cannot run here; '' if it can."""
    for name in NEEDED_IN_LAB if lab else NEEDED:
        if find_spec(name) is None:
            return f"{name} is not installed (extra browser)"
    return "" if executable() else "there is no chromium on the path (apt install chromium)"


@contextmanager
def launch_browser() -> Iterator[Browser]:
    """Give a headless Chromium with a fresh profile; its home is a folder of its own, gone afterwards.

    While it is up, this thread has a running asyncio loop (that is how playwright's sync library works), so `asyncio.run`
    fails in it; afterwards it works again.
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
    """Abort every request of the context that would leave this machine, and tell its address."""

    def refuse(route: Route) -> None:
        report(route.request.url)
        route.abort()

    context.route(OUTSIDE, refuse)
    context.on("page", lambda page: page.on("websocket", lambda socket: _report_url(socket.url, report)))


def _report_url(url: str, report: Callable[[str], object]) -> None:
    if OUTSIDE.match(url.replace("ws", "http", 1)):
        report(url)
