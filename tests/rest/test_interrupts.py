"""Ctrl-C is not lost, also where Python drops the exception that it raises."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

import tinker_frames as tkf
from tests.events import Watch
from tinker_frames.demo import DemoServer
from tinker_frames.rest.interrupts import is_interrupted, keep_interrupts
from tinker_frames.rest.progress import Progress
from tinker_frames.rest.threads import start_thread


def lose_ctrl_c() -> None:
    """Press Ctrl-C in a callback that Python calls, and of which it drops what is raised."""

    class Thing:
        pass

    thing, hook = Thing(), sys.unraisablehook
    reference = weakref.ref(thing, lambda _: signal.raise_signal(signal.SIGINT))
    sys.unraisablehook = lambda _: None
    try:
        del thing
    finally:
        sys.unraisablehook = hook
    assert reference() is None


class LoseAt(Progress):
    """Loses a Ctrl-C at one of its methods, once."""

    def __init__(self, method: str) -> None:
        super().__init__()
        self.method: str | None = method
        self.is_lost = threading.Event()

    def _reach(self, method: str) -> None:
        if method == self.method:
            self.method = None
            lose_ctrl_c()
            self.is_lost.set()

    def set_total(self, total: int | None) -> None:
        del total
        self._reach("set_total")

    def advance(self, rows: int) -> None:
        del rows
        self._reach("advance")


@pytest.mark.parametrize(("method", "sent"), [("set_total", {0}), ("advance", {1, 2})])
def test_a_run_stops_after_a_lost_ctrl_c(server: DemoServer, client: tkf.Client, method: str, sent: set[int]) -> None:
    """Nothing is sent after a Ctrl-C that Python dropped, and `resume` continues."""
    plan = client.checkpoints().head(12).tinker.set_ttl("30d").allow("public", "newest", "last_training", "sampler")
    progress = LoseAt(method)
    wait: Callable[[], object] = lambda: progress.is_lost.wait(60)  # noqa: E731  # the second write, while the first is counted
    server.faults.bursts = [Watch("set_checkpoint_ttl", after=1, look=wait)]
    with pytest.raises(KeyboardInterrupt):
        plan.run(confirm=True, progress=progress, max_workers=1)
    assert server.requests.count("set_checkpoint_ttl") in sent
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert client.resume(plan.id)["outcome"].isin(["done", "unchanged"]).all()


def test_a_listing_stops_after_a_lost_ctrl_c(server: DemoServer, client: tkf.Client) -> None:
    """A listing sends no further request after a Ctrl-C that Python dropped, and raises it."""
    with keep_interrupts():
        lose_ctrl_c()
        with pytest.raises(KeyboardInterrupt):
            client.checkpoints()
    assert server.requests.count() == 0


@pytest.mark.parametrize("nested", [False, True])
def test_a_lost_ctrl_c_is_raised_at_the_end(nested: bool) -> None:
    """What was dropped is raised where the work ends, once."""
    with keep_interrupts() if nested else nullcontext():
        with pytest.raises(KeyboardInterrupt), keep_interrupts():
            lose_ctrl_c()
        assert not is_interrupted()


def test_another_thread_does_not_take_a_lost_ctrl_c() -> None:
    """What a thread beside the main one raises may be ignored, so the main one raises it too."""

    def take() -> None:
        with keep_interrupts():
            pass

    @keep_interrupts()
    def work() -> None:
        lose_ctrl_c()
        assert isinstance(start_thread(take, "beside").result(10).error, KeyboardInterrupt)

    with pytest.raises(KeyboardInterrupt):
        work()


@pytest.mark.parametrize("handler", [signal.SIG_IGN, lambda *_: None])
def test_a_handler_that_ignores_ctrl_c_is_left_to_it(client: tkf.Client, handler: Any) -> None:
    """Where the program goes on after Ctrl-C, so does the work, and its handler is there afterwards."""
    before = signal.signal(signal.SIGINT, handler)
    try:
        with keep_interrupts():
            signal.raise_signal(signal.SIGINT)
            assert len(client.checkpoints())
        assert signal.getsignal(signal.SIGINT) is handler
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.few(1)
@pytest.mark.parametrize("module", ["tinker_frames.cli.main", "pandas"])
def test_ctrl_c_while_the_command_is_imported(tmp_path: Path, module: str) -> None:
    """A Ctrl-C during an import ends the command with one line and exit code 130."""
    code = f"""
import signal, sys
class Press:
    def find_spec(self, name, *_):
        if name == {module!r}:
            sys.meta_path.remove(self)
            signal.raise_signal(signal.SIGINT)
sys.meta_path.insert(0, Press())
sys.argv = ["tinker-frames", "ls", "checkpoints", "--demo"]
from tinker_frames.cli.__main__ import start
start()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr.strip() == "tinker-frames: interrupted; nothing was changed"
