"""Ctrl-C during requests: Python drops a `KeyboardInterrupt` that is raised in a callback of its import system or of a weak reference.

So it is also noted, nothing more is sent once it is, and it is raised again where the work would go on.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import FrameType


class StoppedError(Exception):
    """The work that a request belonged to was cancelled; never leaves the package."""


class _Noted:
    error: BaseException | None = None  # what the handler of Ctrl-C raised


_noted: ContextVar[_Noted | None] = ContextVar("noted", default=None)  # threads carry it along


@contextmanager
def keep_interrupts() -> Iterator[None]:
    """Raise a Ctrl-C that comes inside, at the next request or at the end where it was dropped before.

    In the main thread only, and only where Ctrl-C raises something: the handler that is installed is called, and restored at the end.
    """
    noted, previous = _noted.get(), signal.getsignal(signal.SIGINT)
    is_outer = noted is None and threading.current_thread() is threading.main_thread() and callable(previous)
    noted = noted or _Noted()

    def handle(number: int, frame: FrameType | None) -> None:
        try:
            previous(number, frame)  # type: ignore[misc, operator]  # callable, as tested above
        except BaseException as error:
            noted.error = error
            raise

    token = _noted.set(noted)
    try:
        if is_outer:
            signal.signal(signal.SIGINT, handle)
        yield
    except StoppedError:
        if noted.error is None:
            raise
    finally:
        _noted.reset(token)
        if is_outer and signal.getsignal(signal.SIGINT) is handle:
            signal.signal(signal.SIGINT, previous)
    if (error := noted.error) is not None:
        if threading.current_thread() is threading.main_thread():  # what another thread raises may be ignored
            noted.error = None
        raise error.with_traceback(None)


def is_interrupted() -> bool:
    """Tell whether Ctrl-C has come."""
    noted = _noted.get()
    return noted is not None and noted.error is not None


def take_interrupt() -> bool:
    """Return whether Ctrl-C has come, and forget it: for work that ends in order, and then raises it itself."""
    noted, found = _noted.get(), is_interrupted()
    if noted is not None:
        noted.error = None
    return found
