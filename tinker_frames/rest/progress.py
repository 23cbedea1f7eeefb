"""One progress bar for long work: shown when it takes longer than a second and somebody is watching."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from .session import Watch

logger = logging.getLogger("tinker_frames")

DELAY_S = 1.0
_elsewhere: ContextVar[Callable[[str], Progress] | None] = ContextVar("elsewhere", default=None)


class Progress(Watch):
    """A watch that draws a bar, and says on it when the server makes us wait.

    Parameters
    ----------
    what
        What is counted, e.g. `checkpoints`.
    show
        True, False, or None: show it if standard error is a terminal or this is a notebook.
    """

    def __init__(self, what: str, show: bool | None = None) -> None:
        super().__init__()
        self._what = what
        self._show = is_watched() if show is None else show
        self._bar: Any = None

    def __enter__(self) -> Progress:
        if self._show:
            self._bar = _bar_class()(desc=self._what, unit=" rows", delay=DELAY_S, leave=False, dynamic_ncols=True)
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def expect(self, total: int | None) -> None:
        """Say how many rows there will be."""
        if self._bar is not None and total is not None and total != self._bar.total:
            self._bar.total = total  # not drawn: the delay is not over
            if hasattr(self._bar, "container"):
                self._bar.container.children[1].max = total

    def advance(self, rows: int) -> None:
        """Count rows that have come."""
        if self._bar is not None:
            self._bar.update(rows)

    def restart(self) -> None:
        """Begin to count from 0 again, for another sweep of the same listing."""
        if self._bar is not None:
            self._bar.n = 0

    def waiting(self, seconds: float, why: str) -> None:
        """Say on the bar, or in the log where there is none, that nothing is sent for a while."""
        if self._bar is not None:
            self._bar.write(f"waiting {seconds:.0f} s: {why}", file=sys.stderr)
        else:
            super().waiting(seconds, why)


def watching(what: str, progress: bool | Progress | None) -> Progress:
    """Return the progress that somebody passed, or a bar, shown as they said; or what shows it in another way."""
    if isinstance(progress, Progress):
        return progress
    make = _elsewhere.get() if progress is None else None
    return Progress(what, progress) if make is None else make(what)


@contextmanager
def elsewhere(make: Callable[[str], Progress]) -> Iterator[None]:
    """Draw no bars in this thread meanwhile, where nobody asked for one: what `make` gives is told how far each reading is."""
    token = _elsewhere.set(make)
    try:
        yield
    finally:
        _elsewhere.reset(token)


def is_watched() -> bool:
    """Tell whether a person sees what is drawn: a terminal, or a notebook's kernel."""
    if _elsewhere.get() is not None:
        return False
    return in_notebook() or bool(sys.stderr is not None and sys.stderr.isatty())


def in_notebook() -> bool:
    """Tell whether this is a Jupyter kernel; imports nothing to find out."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell is not None and "IPKernelApp" in getattr(shell, "config", {})


def _bar_class() -> Any:
    """Return the bar of the notebook if its widgets are there, else the one of text."""
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
