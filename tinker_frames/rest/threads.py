"""Daemon threads for parallel and background work: they carry the caller's context and hand their errors back to it."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from .interrupts import StoppedError
from .progress import Progress

T = TypeVar("T")


@dataclass(frozen=True)
class Result(Generic[T]):
    """How a piece of work ended: with a value, or with an error to raise in the thread that waits for it."""

    value: T | None = None
    error: BaseException | None = None

    def get(self) -> Any:
        """Return the value, or raise the error."""
        if self.error is not None:
            raise self.error
        return self.value


def start_threads(work: Callable[[], None], count: int, name: str) -> None:
    """Run work in `count` daemon threads, so that a slow server does not keep the interpreter from exiting."""
    for number in range(count):
        context = contextvars.copy_context()  # one each: a context can be entered only once at a time
        threading.Thread(target=context.run, args=(work,), name=f"{name}-{number}", daemon=True).start()


def start_thread(work: Callable[[], T], name: str) -> Future[Result[T]]:
    """Run work in a daemon thread; the future has how it ended, and never an error of its own."""
    future: Future[Result[T]] = Future()
    start_threads(lambda: future.set_result(attempt(work)), 1, name)
    return future


@contextmanager
def run_beside(work: Callable[[Progress], T], progress: Progress, name: str) -> Iterator[Future[Result[T]]]:
    """Run work in a daemon thread while the block runs; `progress` is stopped when the block ends without waiting for it."""
    try:
        yield start_thread(lambda: work(progress), name)
    finally:
        progress.stop.set()


def attempt(work: Callable[[], T], progress: Progress | None = None) -> Result[T]:
    """Run work in this thread and return how it ended, also by `SystemExit`; nothing is run once `progress` is stopped."""
    try:
        if progress is not None and progress.stop.is_set():
            raise StoppedError
        return Result(work())
    except BaseException as error:  # noqa: BLE001  # raised by `Result.get`
        return Result(error=error)
