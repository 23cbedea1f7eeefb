"""Checkpoints of runs that crash and resume, as tinker_cookbook does, have the metrics of their own weights."""

from __future__ import annotations

import json
import math
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

import tinker_frames as tkf

from .log_files import save, write_folder


class Training:
    """A training run that logs a metric at each step and saves at some; the metric tells the attempt and the step."""

    def __init__(self, state_every: int, sampler_every: int) -> None:
        self.every = {"state_path": state_every, "sampler_path": sampler_every}
        self.lines: list[dict[str, Any]] = []
        self.records: list[dict[str, Any]] = []
        self.old: dict[str, list[dict[str, Any]]] = {}
        self.truth: list[float] = []
        self.attempt = 0

    def run(self, steps: int, *, is_cut: bool) -> None:
        """Resume from the last training state, if there is one, and train some steps until it crashes; `is_cut`, before the last line."""
        states = [record["batch"] for record in self.records if "state_path" in record]
        start = states[-1] if states else 0
        if states and any(line["step"] >= start for line in self.lines):
            self.old[f"metrics.jsonl.pre_resume_{start:06d}"] = self.lines
            self.lines = [line for line in self.lines if line["step"] < start]
        if not states:  # it begins again, in an empty folder
            self.lines, self.records, self.truth = [], [], []
        self.attempt += 1
        for step in range(start, start + steps):
            is_logged = not (is_cut and step == start + steps - 1)
            if step > start:
                self._save(step, self.attempt + (step if is_logged else step - 1) / 1000)
            self.lines = [*self.lines, *([{"step": step, "test/nll": self.attempt + step / 1000}] if is_logged else [])]

    def _save(self, step: int, metric: float) -> None:
        paths = {kind for kind, every in self.every.items() if step % every == 0}
        record = save(f"r{self.attempt}:train:0", f"{step:06d}", batch=step)
        if paths:
            self.records.append({name: value for name, value in record.items() if name in paths | {"name", "batch"}})
            self.truth.append(metric)

    def write(self, folder: Path) -> None:
        """Write the log folder."""
        write_folder(folder, self.lines, self.records, {})
        for name, lines in self.old.items():
            (folder / name).write_text("".join(json.dumps(line) + "\n" for line in lines))


CRASHES = st.lists(st.tuples(st.integers(1, 25), st.booleans()), min_size=1, max_size=6)


@given(st.integers(2, 9), st.integers(1, 7), CRASHES)
def test_metrics_are_those_of_the_weights(
    state_every: int, sampler_every: int, crashes: list[tuple[int, bool]]
) -> None:
    """Each checkpoint has the metric of its own attempt, or none; a state may have that of the attempt that went on from it."""
    training = Training(state_every, sampler_every)
    for steps, is_cut in crashes:
        training.run(steps, is_cut=is_cut)
    with tempfile.TemporaryDirectory() as folder:
        training.write(Path(folder))
        logs = tkf.logs(folder)
    values, steps = logs.read_values("test/nll").tolist(), logs.checkpoints["step"].tolist()
    states = logs.checkpoints["state_path"].notna().tolist()
    for value, step, truth, is_state in zip(values, steps, training.truth, states, strict=True):
        later = {attempt + step / 1000 for attempt in range(1, training.attempt + 1)} if is_state else set()
        assert math.isnan(value) or value in {truth} | later
    assert len(crashes) > 1 or not any(map(math.isnan, values))
