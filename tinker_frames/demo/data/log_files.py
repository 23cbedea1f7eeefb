"""Training logs of the account's runs, in the format of tinker_cookbook: a folder for each run, with believable curves."""

from __future__ import annotations

import json
import math
import random
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from .records import Checkpoint, Run

LINES = 150  # of the metrics of one run, about
PATHS = {"training": "state_path", "sampler": "sampler_path"}


def write_log_folders(runs: Iterable[Run], folder: Path) -> list[Path]:
    """Write a log folder for each run that has saved checkpoints, but for every seventh, which somebody trained elsewhere.

    Some runs were started from the last training state of an earlier one, one has resumed, and the newest is being written.
    """
    saved = [run for run in runs if any(row.kind in PATHS for row in run.checkpoints.values())]
    written: list[Path] = []
    parents: list[str] = []
    for number, run in enumerate(saved):
        parent = parents[-1] if number % 4 == 3 and parents else None
        if newest := run.newest_checkpoint("training"):
            parents.append(newest.tinker_path)
        if number % 7 == 6:
            continue
        written.append(folder / f"{run.last_request_time:%Y-%m-%d}-{number:03d}-{run.base_model.split('/')[-1]}")
        _write_folder(run, written[-1], number, parent)
    resumed = next((each for each in written if _read_states(each)), None)
    if resumed is not None:
        _leave_traces(resumed, written[-1])
    return written


def _write_folder(run: Run, folder: Path, number: int, parent: str | None) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    rng = random.Random(run.training_run_id)  # noqa: S311 - repeatable
    records = _build_records(run)
    last = max(record["batch"] for record in records)
    rate = rng.choice((1e-5, 5e-5, 1e-4, 3e-4))
    config = {
        "log_path": f"/home/ada/runs/{number:03d}",  # where it was written; the folder has been moved since
        "model_name": run.base_model,
        "load_checkpoint_path": parent,
        "dataset_builder": {"batch_size": rng.choice((64, 128, 256)), "common_config": {"max_length": 32_768}},
        "learning_rate": rate,
        "lr_schedule": "linear",
        "lora_rank": run.lora_rank,
        "eval_every": max(1, last // LINES) * 5,
    }
    (folder / "config.json").write_text(json.dumps(config, indent=2), encoding="utf-8")
    _write_lines(folder / "checkpoints.jsonl", records)
    _write_lines(folder / "metrics.jsonl", _build_metrics(rng, last, rate))


def _build_records(run: Run) -> list[dict[str, Any]]:
    """Return the lines of `checkpoints.jsonl`: training state and sampler weights of the same name are one."""
    found: dict[str, dict[str, Any]] = {}
    rows = [row for row in run.checkpoints.values() if row.kind in PATHS and not row.pending]
    for row in rows:
        record = found.setdefault(row.name, {"name": row.name, "batch": 0})
        record[PATHS[row.kind]] = row.tinker_path
    steps = [_find_step(row) for row in rows]
    for place, (row, step) in enumerate(zip(rows, steps, strict=True)):
        known = [each for each in steps[:place] if each is not None]
        found[row.name]["batch"] = max(known, default=0) + 20 if step is None else step
    return list(found.values())


def _find_step(row: Checkpoint) -> int | None:
    """Return the step of a checkpoint, from its metadata or its name; None for `final` and the like."""
    text = str((row.user_metadata or {}).get("step") or row.name)
    digits = re.findall(r"\d+", text, re.ASCII)
    return int(digits[-1][:9]) if digits else None


def _build_metrics(rng: random.Random, last: int, rate: float) -> list[dict[str, Any]]:
    """Return the lines of `metrics.jsonl`: a loss that falls, and a test loss that rises again where a run trains for long."""
    every = max(1, last // LINES)
    start, floor, half = rng.uniform(1.8, 3.2), rng.uniform(0.5, 1.1), max(last, 1) * rng.uniform(0.1, 0.4)
    turn = rng.uniform(0.5, 1.4)  # of the way, where the test loss is lowest
    lines = []
    for number, step in enumerate(range(0, last + 1, every)):
        loss, done = floor + (start - floor) * math.exp(-step / half), step / max(last, 1)
        line = {
            "step": step,
            "train_mean_nll": round(loss + rng.gauss(0, 0.03), 5),
            "learning_rate": rate * (1 - done),
            "progress": round(done, 4),
            "num_tokens": rng.randrange(60_000, 70_000),
            "time/total": round(rng.uniform(4, 9), 3),
        }
        if number % 5 == 0:
            over = max(0.0, done - turn) * 0.8
            line |= {
                "test/nll": round(loss + 0.12 + over + rng.gauss(0, 0.01), 5),
                "test/accuracy": round(max(0.0, 0.9 - (loss + over) / 5), 4),
            }
        lines.append(line)
    return lines


def _write_lines(file: Path, lines: list[dict[str, Any]]) -> None:
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


def _read_states(folder: Path) -> list[int]:
    """Return the steps of the training states in a log folder."""
    lines = (folder / "checkpoints.jsonl").read_text(encoding="utf-8").splitlines()
    return [record["batch"] for record in map(json.loads, lines) if "state_path" in record]


def _leave_traces(resumed: Path, running: Path) -> None:
    """Leave in one folder what a run does that resumed from its last training state, and in another what one does that is writing a line."""
    at = _read_states(resumed)[-1]
    lines = (resumed / "metrics.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    lost = [json.dumps(json.loads(lines[-1]) | {"step": at + step}) + "\n" for step in range(1, 4)]
    (resumed / f"metrics.jsonl.pre_resume_{at:06d}").write_text("".join([*lines, *lost]), encoding="utf-8")
    with (running / "metrics.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"step": 99')
