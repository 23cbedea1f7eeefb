"""One Chromium and one JupyterLab for all browser tests; each test has its own page or notebook tab."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tinker_frames import Client, explore
from tinker_frames.demo import DemoServer

from .chromium import launch_browser
from .view_page import ViewPage
from .widget_host import WidgetHost, open_context, open_host, open_host_in

if TYPE_CHECKING:
    import pandas as pd
    from playwright.sync_api import Browser, BrowserContext

    from .lab import Lab


@pytest.fixture(scope="package")
def shared_server() -> Iterator[DemoServer]:
    """A server with many screens of rows; its state does not change."""
    with DemoServer(runs=60, seed=1) as running:
        yield running


# Scoped to the package, not the session: playwright's loop runs in this thread, and other tests need asyncio.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """One Chromium."""
    with launch_browser() as running:
        yield running


@pytest.fixture
def make_host(browser: Browser) -> Iterator[Callable[..., WidgetHost]]:
    """Open widget hosts with options (`width`, `height`, `dark`, …); each fails the test at its end if it had problems."""
    with ExitStack() as stack:
        yield lambda **options: stack.enter_context(open_host(browser, **options))


@pytest.fixture(scope="package")
def shared_context(browser: Browser) -> Iterator[BrowserContext]:
    """One browser context for all tests without special needs; its first page keeps its process alive, so that others open faster."""
    with open_context(browser) as context:
        context.new_page()
        yield context


@pytest.fixture
def host(shared_context: BrowserContext) -> Iterator[WidgetHost]:
    """A blank page for widgets of this process."""
    with open_host_in(shared_context) as opened:
        yield opened


@pytest.fixture(scope="package")
def listing_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder for all read-only tests, so that the account is listed once."""
    return tmp_path_factory.mktemp("listed")


@pytest.fixture
def account(shared_server: DemoServer, client_of: Callable[..., Client], listing_cache: Path) -> Client:
    """A client for read-only tests, with a warm cache."""
    return client_of(shared_server, cache_dir=listing_cache)


@pytest.fixture(scope="package")
def inventory(shared_server: DemoServer, listing_cache: Path) -> pd.DataFrame:
    """All checkpoints of the account; tests copy the frame before changing it."""
    with Client(api_key=shared_server.key, base_url=shared_server.url, cache_dir=listing_cache) as client:
        return client.inventory()


@pytest.fixture
def view(host: WidgetHost, account: Client, inventory: pd.DataFrame) -> ViewPage:
    """A view of the account's checkpoints, on a blank page."""
    return ViewPage(host, explore(inventory, account))


@pytest.fixture(scope="package")
def lab(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """One JupyterLab and its page."""
    from .lab import serve_lab

    with serve_lab(browser, tmp_path_factory.mktemp("lab")) as running:
        yield running
