"""Run jobs in parallel threads, ahead of the caller, which takes their results in order."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from ..rest.progress import Progress, StoppedError

_Job = TypeVar("_Job")
_Result = TypeVar("_Result")


def run_in_order(
    jobs: Iterable[_Job], run: Callable[[_Job], _Result], workers: int, progress: Progress
) -> Iterator[tuple[_Job, _Result]]:
    """Yield each job with its result, in the order of the jobs, running up to `workers` at a time.

    At most two results a worker wait to be taken. The first failure is raised at its place, and nothing more is begun.
    When the caller stops taking (an exception, Ctrl-C), `progress.stop` wakes the threads from their waits; they are
    daemon threads, so that a slow server does not keep the interpreter from exiting. Set from elsewhere, it stops the caller too.
    """
    todo = list(jobs)
    slots: list[queue.SimpleQueue[tuple[bool, Any]]] = [queue.SimpleQueue() for _ in todo]
    room = threading.Semaphore(2 * workers)
    places = iter(range(len(todo)))
    lock = threading.Lock()

    def work() -> None:
        while room.acquire():
            with lock:
                place = next(places, None)
            if place is None:
                return
            slots[place].put(tried := _try_job(run, todo[place], progress))
            if not tried[0]:
                return

    for number in range(min(workers, len(todo))):
        threading.Thread(target=work, name=f"tinker-frames-{number}", daemon=True).start()
    try:
        for job, slot in zip(todo, slots, strict=True):
            good, result = slot.get()
            room.release()
            if not good:
                raise result
            yield job, result
    except BaseException:  # GeneratorExit too: the caller takes no more
        progress.stop.set()
        raise
    finally:
        for _ in range(workers):
            room.release()


def _try_job(run: Callable[[_Job], _Result], job: _Job, progress: Progress) -> tuple[bool, Any]:
    """Return True and the result of a job, or False and the exception to raise in the caller's thread."""
    try:
        if progress.stop.is_set():
            raise StoppedError
        return True, run(job)
    except BaseException as error:  # noqa: BLE001
        return False, error
