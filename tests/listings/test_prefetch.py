"""Threads that prefetch results: in order, with a bounded lead, and stopped when the caller stops."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tinker_frames.demo import DemoServer
from tinker_frames.listings.prefetch import run_in_order
from tinker_frames.rest.interrupts import StoppedError
from tinker_frames.rest.progress import Progress


def wait_for_end(threads: list[threading.Thread]) -> bool:
    """Wait for threads and return whether they ended."""
    for thread in threads:
        thread.join(10)
    return not any(thread.is_alive() for thread in threads)


def list_threads() -> list[threading.Thread]:
    """Return the live threads of `in_order`."""
    return [thread for thread in threading.enumerate() if thread.name.startswith("tinker-frames-")]


@pytest.mark.parametrize("workers", [1, 2, 16])
@pytest.mark.parametrize("count", [0, 1, 50])
def test_results_come_in_the_order_of_the_jobs(workers: int, count: int) -> None:
    """Each job is yielded with its own result, in order, whichever thread finished first."""

    def run(number: int) -> int:
        time.sleep((number * 7 % 5) / 2000)
        return number * 10

    found = list(run_in_order(range(count), run, workers, Progress()))
    assert found == [(number, number * 10) for number in range(count)]
    assert wait_for_end(list_threads())


def test_no_more_is_begun_than_the_caller_can_take() -> None:
    """At most two results per worker are pending; further jobs start as the caller consumes them."""
    started: list[int] = []
    results = run_in_order(range(100), started.append, 4, Progress())
    next(results)
    deadline = time.monotonic() + 0.3
    while time.monotonic() < deadline:
        time.sleep(0.02)
    assert len(started) <= 2 * 4 + 1
    results.close()
    assert wait_for_end(list_threads())


def test_up_to_so_many_run_at_a_time() -> None:
    """All workers run in parallel, and never more."""
    meet = threading.Barrier(3, timeout=10)
    level, most, lock = 0, 0, threading.Lock()

    def run(_: int) -> None:
        nonlocal level, most
        with lock:
            level += 1
            most = max(most, level)
        meet.wait()
        with lock:
            level -= 1

    assert len(list(run_in_order(range(9), run, 3, Progress()))) == 9
    assert most == 3


def test_the_first_failure_is_raised_at_its_place() -> None:
    """Results before a failure are yielded, then the failure is raised and the threads end."""

    def run(number: int) -> int:
        if number >= 5:
            raise LookupError(number)
        return number

    progress, taken = Progress(), []
    with pytest.raises(LookupError, match="5"):  # noqa: PT012
        for job, _ in run_in_order(range(40), run, 4, progress):
            taken.append(job)
    assert taken == [0, 1, 2, 3, 4]
    assert progress.stop.is_set()
    assert wait_for_end(list_threads())


@pytest.mark.parametrize("how", ["close", "raise"])
def test_a_caller_that_stops_taking_stops_the_threads(how: str) -> None:
    """Closing the generator, or an exception in the caller's loop, wakes waiting threads and ends them."""
    progress = Progress()

    def run(number: int) -> int:
        if number and progress.stop.wait(30):
            raise StoppedError
        return number

    results = run_in_order(range(40), run, 4, progress)
    if how == "close":
        next(results)
        results.close()
    else:
        with pytest.raises(ZeroDivisionError):  # noqa: PT012
            for _ in results:
                1 / 0  # noqa: B018
        results.close()
    assert wait_for_end(list_threads())


@pytest.mark.parametrize("workers", [1, 3, 16])
def test_work_that_somebody_else_stops_ends_for_its_caller(workers: int) -> None:
    """Stopping the progress ends running work, starts no more, and raises in the caller."""
    progress, started = Progress(), list[int]()

    def run(number: int) -> int:
        started.append(number)
        if number == 5:
            progress.stop.set()
        return number

    taken = []
    with pytest.raises(StoppedError):
        taken += [job for job, _ in run_in_order(range(500), run, workers, progress)]
    assert 5 in started
    assert len(started) <= 6 + workers
    assert wait_for_end(list_threads())


def test_a_finished_piece_of_work_is_not_stopped() -> None:
    """The progress can be reused after all results were consumed."""
    progress = Progress()
    for _ in range(2):
        assert [result for _, result in run_in_order(range(5), str, 2, progress)] == list("01234")
    assert not progress.stop.is_set()


INTERRUPTED = """
import os, sys, threading
import tinker_frames as tkf
client = tkf.Client("tml-demo", sys.argv[1], cache_dir=sys.argv[2], max_workers=4)
print("GO", flush=True)
try:
    client.checkpoints()
except KeyboardInterrupt:
    print("INTERRUPTED", flush=True)
if sys.argv[3] == "again":
    sys.stdin.readline()
    print(len(client.checkpoints()), flush=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize("then", ["end", "again"])
@pytest.mark.parametrize("page", [0, 3])
def test_ctrl_c_ends_a_slow_sweep_at_once(tmp_path: Path, then: str, page: int) -> None:
    """SIGINT during a slow listing raises KeyboardInterrupt before the server responds, leaves nothing half done, and the process can continue."""
    with DemoServer(runs=10, seed=1, checkpoints=900) as server:
        server.faults.page_caps["list_user_checkpoints"] = 50
        server.faults.latency_of["list_user_checkpoints"] = 0.05 if page else 30
        script = [sys.executable, "-c", INTERRUPTED, server.url, str(tmp_path / "cache"), then]
        process = subprocess.Popen(script, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "GO\n"
        limit = time.monotonic() + 30
        while server.requests.count("list_user_checkpoints") <= page and time.monotonic() < limit:
            time.sleep(0.01)
        server.faults.latency_of["list_user_checkpoints"] = 30
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "INTERRUPTED\n"
        server.faults.clear()
        if then == "again":
            process.stdin.write("\n")
            process.stdin.flush()
            assert process.stdout.readline() == f"{server.state.checkpoints_page(1, 0)[1]}\n"
        process.stdin.close()
        assert process.wait(25) == 0  # before the server responds
        process.stdout.close()
    assert [path for path in tmp_path.rglob("*") if path.suffix in (".tmp", ".part")] == []
