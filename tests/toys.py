"""A copy of the package with a line added, for tests that one line is enough."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import tinker_frames

TESTS = Path(__file__).parent


@dataclass(frozen=True)
class Toy:
    """Text to insert into a file of the package, before a unique text."""

    file: str
    before: str
    text: str


def copy_with(folder: Path, *toys: Toy) -> Path:
    """Copy the package into a folder, with the toys added, and return the folder."""
    package = folder / "tinker_frames"
    shutil.copytree(Path(tinker_frames.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    for toy in toys:
        path = package / toy.file
        source = path.read_text(encoding="utf-8")
        assert source.count(toy.before) == 1, f"{toy.file} has {toy.before!r} {source.count(toy.before)} times"
        path.write_text(source.replace(toy.before, toy.text + toy.before), encoding="utf-8")
    return folder


def run_with(folder: Path, code: str) -> None:
    """Run Python on a copy of the package with the tests' modules; fail with its standard error."""
    path = os.pathsep.join([str(folder), str(TESTS.parent)])
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": path},
    )
    assert done.returncode == 0, done.stderr
