"""Faults and interruptions that come at an event, not after a time, so that no test depends on how busy the machine is."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import tinker_frames as tkf
from tinker_frames.demo import Burst, Hang
from tinker_frames.rest.progress import Progress

SHORT_S, LONG_S = 0.5, 60.0


def run_when(condition: Callable[[], Any], action: Callable[[], object]) -> None:
    """Run an action in a thread, as soon as a condition holds."""

    def wait() -> None:
        until = time.monotonic() + LONG_S
        while not condition() and time.monotonic() < until:
            time.sleep(0.002)
        action()

    threading.Thread(target=wait, daemon=True).start()


def set_deadline(client: tkf.Client, seconds: float) -> None:
    """Give a client another deadline, which what it has sent before did not have to keep."""
    client.transport.settings = replace(client.transport.settings, deadline=seconds)


class StopAfter(Progress):
    """Cancels a plan after some requests, in the thread that sends them; of one worker, no more are sent."""

    def __init__(self, requests: int) -> None:
        super().__init__()
        self.left = requests

    def count_request(self) -> None:
        """Count a request, and cancel after the last one."""
        super().count_request()
        self.left -= 1
        if not self.left:
            self.stop.set()


class StopWhileWaiting(Progress):
    """Cancels what waits for a repeat, during the wait."""

    def report_wait(self, seconds: float, why: str) -> None:
        """Cancel as soon as the wait has begun."""
        del seconds, why
        threading.Timer(0.1, self.stop.set).start()


class CtrlCWhileWaiting(Progress):
    """Sends Ctrl-C to this process, once, while a plan waits for a rate limit."""

    sent = False

    def report_wait(self, seconds: float, why: str) -> None:
        """Send it as soon as the wait has begun."""
        del seconds, why
        if not self.sent:
            self.sent = True
            threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()


@dataclass
class Watch(Burst):
    """Calls a function as a request arrives, before it is answered; it harms none."""

    times: int | None = field(default=None, kw_only=True)
    look: Callable[[], object] = field(kw_only=True)

    def trigger(self, endpoint: str, random: Callable[[], float]) -> bool:
        """Call the function if this is such a request; it does not fail."""
        if super().trigger(endpoint, random):
            self.look()
        return False


@dataclass
class HangOnce(Hang):
    """Hangs for one request, until its client gives it up; what is sent later has a long timeout again."""

    times: int | None = field(default=1, kw_only=True)
    client: tkf.Client = field(kw_only=True)

    def __post_init__(self) -> None:
        self._set_timeout(SHORT_S)

    def trigger(self, endpoint: str, random: Callable[[], float]) -> bool:
        """Return whether this request hangs; those that are sent after it have time."""
        is_due = super().trigger(endpoint, random)
        if is_due:
            self._set_timeout(LONG_S)
        return is_due

    def _set_timeout(self, seconds: float) -> None:
        transport = self.client.transport
        transport.settings = replace(transport.settings, timeout=seconds)
