"""The progress bar: shown on request, reporting waits, and silent otherwise."""

from __future__ import annotations

import logging
import subprocess
import sys

import pytest

from tinker_frames.rest.progress import DELAY_S, Progress, in_notebook, is_interactive


@pytest.mark.slow
def test_nobody_watches_a_pipe() -> None:
    """Without a terminal and outside a notebook no bar is drawn by default."""
    assert not in_notebook()
    code = "from tinker_frames.rest.progress import is_interactive; print(is_interactive())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


@pytest.mark.slow
def test_a_terminal_is_watched() -> None:
    """With a terminal on standard error the bar is on by default."""
    code = "import pty,os,sys; from tinker_frames.rest.progress import is_interactive; _, end = pty.openpty(); os.dup2(end, 2); print(is_interactive())"
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True)
    assert done.stdout == "True\n"


@pytest.mark.parametrize("show", [False, None])
def test_without_a_bar_everything_is_silent(show: bool | None, capsys: pytest.CaptureFixture[str]) -> None:
    """Counting without a bar writes nothing and does not fail."""
    assert not is_interactive()
    with Progress("rows", show) as bar:
        bar.set_total(10)
        bar.advance(5)
        bar.restart()
        bar.count_request()
    assert bar.requests == 1
    assert capsys.readouterr() == ("", "")


def test_quick_work_draws_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """A requested bar appears only after its delay."""
    assert DELAY_S == 1
    with Progress("rows", show=True) as bar:
        bar.advance(5)
    assert "5" not in capsys.readouterr().err


def test_a_wait_is_said_on_the_bar(capsys: pytest.CaptureFixture[str]) -> None:
    """The bar shows the length and reason of a wait."""
    with Progress("rows", show=True) as bar:
        bar.report_wait(7.0, "the server limits the rate")
    assert "waiting 7 s: the server limits the rate" in capsys.readouterr().err


def test_a_wait_is_logged_where_there_is_no_bar(caplog: pytest.LogCaptureFixture) -> None:
    """Without a bar, a wait of a second or more is logged, a shorter one is not."""
    with caplog.at_level(logging.WARNING, "tinker_frames"), Progress("rows", show=False) as bar:
        bar.report_wait(0.2, "a hiccup")
        bar.report_wait(7.0, "the server limits the rate")
    assert [record.getMessage() for record in caplog.records] == ["waiting 7 s: the server limits the rate"]
