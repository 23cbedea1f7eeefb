"""The cost of `import tinker_frames` compared with a bare interpreter."""

from __future__ import annotations

import contextlib
import os
import resource
import sys

from .rounds import Outcome, in_turn, ratio
from .setup import CHECKOUT, Setup

# The user's site-packages and environment are ignored, but not the working directory, from which the checkout is imported.
FLAGS = ["-E", "-s"]


def imports(setup: Setup) -> dict[str, Outcome]:
    """Measure the CPU time of processes that import the package and of processes that do nothing."""
    ways = {name: (lambda code=code: _run(code)) for name, code in CODES.items()}
    with contextlib.chdir(CHECKOUT):
        times = in_turn(ways, 4 * setup.rounds, 1, clock=_children)
    return {"import": ratio(times, "ours", "bare")}


CODES = {"bare": "pass", "ours": "import tinker_frames"}


def _run(code: str) -> None:
    arguments = [sys.executable, *FLAGS, "-c", code]
    process = os.posix_spawn(sys.executable, arguments, os.environ)
    _, status = os.waitpid(process, 0)
    if status:
        raise RuntimeError(f"python -c {code!r} failed")


def _children() -> float:
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime
