"""Fixtures for every test: a real server on loopback, its clients, and an isolated environment."""

from __future__ import annotations

import os
import signal
import socket
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

import tinker_frames as tkf
from tinker_frames.demo import DemoServer

_connect = socket.socket.connect

# No test fails because the machine is busy; speed is measured in tests/benchmarks. CI tests the same examples every time, so that
# a failure there is one of the change; new examples are searched for wherever else the tests run.
settings.register_profile(
    "untimed",
    deadline=None,
    max_examples=40,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize="CI" in os.environ,
)
settings.load_profile("untimed")


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Run three processes more than there are cores: many tests wait for a server or a clock."""
    del config
    return (os.cpu_count() or 1) + 3


def pytest_configure() -> None:
    """Restore Ctrl-C, which tests send to themselves and to child processes; background processes may ignore it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(tryfirst=True)  # before those marked slow are left out
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark all but the first cases of a test that is marked `few` as slow."""
    seen = Counter[tuple[Path, str]]()
    for item in items:
        mark = item.get_closest_marker("few")
        if mark is not None and isinstance(item, pytest.Function):
            test = (item.path, item.originalname)
            seen[test] += 1
            if seen[test] > mark.args[0]:
                item.add_marker(pytest.mark.slow)


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Credentials, addresses and caches of the developer are not used."""
    for name in ("TINKER_API_KEY", "TINKER_BASE_URL", "TINKER_CREDENTIAL_CMD", "TINKER_PROJECT_ID"):
        monkeypatch.delenv(name, raising=False)
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "cache"))
    monkeypatch.setenv("XDG_STATE_HOME", str(home / "state"))


@pytest.fixture(autouse=True)
def _loopback_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection to another machine fails the test."""

    def connect(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in ("127.0.0.1", "::1", "localhost"):
            raise AssertionError(f"a test tried to reach {address}")
        _connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", connect)


@pytest.fixture(autouse=True)
def _no_default_client() -> Iterator[None]:
    """The default client is reset after each test."""
    yield
    from tinker_frames.functions import set_default

    set_default(None)


@pytest.fixture
def settles_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lists that do not show a write are read again once, instead of for up to 7 seconds."""
    monkeypatch.setattr("tinker_frames.plans.writer.MOST_REREADINGS", 1)


@pytest.fixture
def server() -> Iterator[DemoServer]:
    """A server for tests that change its state or its faults."""
    with DemoServer(runs=20, seed=1) as running:
        yield running


@pytest.fixture(scope="session")
def shared_server() -> Iterator[DemoServer]:
    """One server for all read-only tests; its state and faults do not change."""
    with DemoServer(runs=24, seed=1) as running:
        yield running


@pytest.fixture(scope="session")
def shared_client(shared_server: DemoServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tkf.Client]:
    """A client of that server with cached listings."""
    with tkf.Client(shared_server.key, shared_server.url, cache_dir=tmp_path_factory.mktemp("shared")) as client:
        yield client


@pytest.fixture
def client_of(tmp_path: Path) -> Iterator[Callable[..., tkf.Client]]:
    """Make clients of a server and close them afterwards; their cache is in the test's folder by default."""
    made: list[tkf.Client] = []

    def make(server: DemoServer, **options: Any) -> tkf.Client:
        given = {"api_key": server.key, "base_url": server.url, "cache_dir": tmp_path / "cache"} | options
        made.append(tkf.Client(**given))
        return made[-1]

    yield make
    for client in made:
        client.close()


@pytest.fixture
def client(server: DemoServer, client_of: Callable[..., tkf.Client]) -> tkf.Client:
    """A client of the test's own server."""
    return client_of(server)
