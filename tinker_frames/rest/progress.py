"""Progress of long-running work: counts requests and rows, reports waits, draws a bar, and can be cancelled."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import Any

from .interrupts import keep_interrupts

logger = logging.getLogger("tinker_frames")

DELAY_S = 1.0
REPORT_WAITS_FROM_S = 1.0
RATE_LIMITED = "rate limited (429)"  # the reason of a wait that the server asks all requests for
_redirection: ContextVar[Callable[[str], Progress] | None] = ContextVar("redirection", default=None)


class Progress:
    """One piece of work: how many requests it sent, how many rows came, and whether to stop.

    Parameters
    ----------
    what
        What is counted, e.g. `checkpoints`.
    show
        Whether to draw a bar when it takes longer than a second; None: if standard error is a terminal or this is a notebook.
    """

    def __init__(self, what: str = "", show: bool | None = False) -> None:
        self.requests = 0
        self.struck = 0  # times that the credential was struck out of an answer
        self.stop = threading.Event()
        self._lock = threading.Lock()
        self._what = what
        self._show = is_interactive() if show is None else show
        self._bar: Any = None

    def count_request(self) -> None:
        """Count one request."""
        with self._lock:
            self.requests += 1

    def count_struck(self, times: int) -> None:
        """Count how often the credential was struck out of an answer."""
        with self._lock:
            self.struck += times

    def __enter__(self) -> Progress:
        if self._show:
            with self._survive():
                options = {"desc": self._what, "unit": " rows", "delay": DELAY_S, "leave": False, "dynamic_ncols": True}
                self._bar = _find_bar_class()(**options)
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            with self._survive():
                self._bar.close()

    @contextmanager
    def _survive(self) -> Iterator[None]:
        """Go on without a bar where drawing it fails: a notebook was closed, or standard error is gone."""
        try:
            yield
        except Exception:  # noqa: BLE001  # whatever a bar may raise
            self._bar = None

    def set_total(self, total: int | None) -> None:
        """Set the expected number of rows."""
        if self._bar is not None and total is not None and total != self._bar.total:
            with self._survive():
                self._bar.total = total  # not drawn: the delay is not over
                if hasattr(self._bar, "container"):
                    self._bar.container.children[1].max = total

    def advance(self, rows: int) -> None:
        """Count rows that have been read."""
        if self._bar is not None:
            with self._survive():
                self._bar.update(rows)

    def restart(self) -> None:
        """Count from 0 again, for another sweep of the same listing."""
        if self._bar is not None:
            self._bar.n = 0

    def report_wait(self, seconds: float, why: str) -> None:
        """Report a wait on the progress bar, or in the log without one."""
        if self._bar is not None:
            with self._survive():
                self._bar.write(f"waiting {seconds:.0f} s: {why}", file=sys.stderr)
        elif seconds >= REPORT_WAITS_FROM_S:
            logger.warning("waiting %.0f s: %s", seconds, why)


class SafeProgress(Progress):
    """A progress for work that must not end because its display fails: what another one raises is logged once, and it is left alone.

    Parameters
    ----------
    inner
        Receives everything, until it raises; its `stop` is this one's.
    """

    def __init__(self, inner: Progress) -> None:
        super().__init__()
        self.stop, self._inner, self._is_broken = inner.stop, inner, False

    def __getattribute__(self, name: str) -> Any:
        if name not in _FORWARDED:
            return super().__getattribute__(name)
        return partial(self._forward, name)

    def _forward(self, name: str, *args: Any) -> None:
        if self._is_broken:
            return
        try:
            getattr(self._inner, name)(*args)
        except Exception as error:  # noqa: BLE001  # whatever a display may raise
            self._is_broken = True
            logger.warning("progress is shown no further: %s: %s", type(error).__name__, error)


_FORWARDED = frozenset({"count_request", "count_struck", "set_total", "advance", "restart", "report_wait"})


@contextmanager
def open_progress(what: str, progress: bool | Progress | None) -> Iterator[Progress]:
    """Yield the progress that the caller passed, else a bar shown as the caller says, or where `redirect_progress` sends it.

    Ctrl-C inside is raised even where Python drops it; see `keep_interrupts`.
    """
    make = _redirection.get() if progress is None else None
    if not isinstance(progress, Progress):
        progress = Progress(what, progress) if make is None else make(what)
    with keep_interrupts(), progress:
        yield progress


@contextmanager
def redirect_progress(make: Callable[[str], Progress]) -> Iterator[None]:
    """Have work of this thread report to what `make` returns instead of drawing bars, unless its caller says otherwise."""
    token = _redirection.set(make)
    try:
        yield
    finally:
        _redirection.reset(token)


def is_interactive() -> bool:
    """Tell whether a person sees the output: it is a terminal or a notebook."""
    if _redirection.get() is not None:
        return False
    return in_notebook() or bool(sys.stderr is not None and sys.stderr.isatty())


def in_notebook() -> bool:
    """Tell whether this is a Jupyter kernel; imports nothing to find out."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell is not None and "IPKernelApp" in getattr(shell, "config", {})


def _find_bar_class() -> Any:
    """Return a notebook progress bar if ipywidgets is installed, else a text one."""
    if in_notebook():
        try:
            import ipywidgets  # noqa: F401
        except ImportError:
            pass
        else:
            from tqdm.notebook import tqdm as notebook_bar

            return notebook_bar
    from tqdm import tqdm

    return tqdm
