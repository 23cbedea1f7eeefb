"""Run jobs in parallel threads, ahead of the caller, which takes their results in order."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TypeVar

from ..rest.progress import Progress
from ..rest.threads import Result, attempt, start_threads

_Job = TypeVar("_Job")
_Result = TypeVar("_Result")


def run_in_order(
    jobs: Iterable[_Job], run: Callable[[_Job], _Result], workers: int, progress: Progress
) -> Iterator[tuple[_Job, _Result]]:
    """Yield each job with its result, in the order of the jobs, running up to `workers` at a time.

    At most two results a worker wait to be taken. The first failure is raised at its place, and nothing more is started.
    When the caller stops taking (an exception, Ctrl-C), `progress.stop` wakes the threads from their waits; set
    from elsewhere, it stops the caller too.
    """
    todo = list(jobs)
    slots: list[queue.SimpleQueue[Result[_Result]]] = [queue.SimpleQueue() for _ in todo]
    room = threading.Semaphore(2 * workers)
    places = iter(range(len(todo)))
    lock = threading.Lock()

    def work() -> None:
        while room.acquire():
            with lock:
                place = next(places, None)
            if place is None:
                return
            slots[place].put(result := attempt(partial(run, todo[place]), progress))
            if result.error is not None:
                return

    start_threads(work, min(workers, len(todo)), "tinker-frames")
    try:
        for job, slot in zip(todo, slots, strict=True):
            result = slot.get()
            room.release()
            yield job, result.get()
    except BaseException:  # GeneratorExit too: the caller takes no more
        progress.stop.set()
        raise
    finally:
        for _ in range(workers):
            room.release()
