"""The command line, run in this process by a user with an account."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from tinker_frames.cli import main
from tinker_frames.demo import DemoServer


class Outcome(NamedTuple):
    """The exit code and output of a command."""

    code: int
    out: str
    err: str


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    """Run a command; without a server, as a user who has no credential; with `columns`, on a terminal of that width."""

    def run(server: DemoServer | None, *arguments: str, columns: int | None = None) -> Outcome:
        monkeypatch.setattr(sys.stdout, "isatty", lambda: columns is not None, raising=False)
        monkeypatch.setenv("COLUMNS", str(columns or 80))
        monkeypatch.setenv("TERM", "xterm")
        if server is not None:
            monkeypatch.setenv("TINKER_BASE_URL", server.url)
            monkeypatch.setenv("TINKER_API_KEY", server.key)
        monkeypatch.setattr(sys, "argv", ["tinker-frames", *arguments])
        with pytest.raises(SystemExit) as ended:
            main.main()
        return Outcome(ended.value.code, *capsys.readouterr())

    return run
