"""Folders that the logging code of tinker_cookbook writes are read as it meant them.

It is installed without what it needs for training: `pip install --no-deps tinker-cookbook chz`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import tinker_frames as tkf

pytestmark = pytest.mark.peer

FOLDERS = {"state": "weights", "sampler": "sampler_weights"}


@dataclass
class Dataset:
    """A nested setting."""

    batch_size: int = 64
    names: tuple[str, ...] = ("a", "b")


@dataclass
class Config:
    """The settings of a run."""

    log_path: str
    learning_rate: float = 1e-4
    load_checkpoint_path: str | None = "tinker://parent/weights/final"
    dataset_builder: Dataset = field(default_factory=Dataset)
    renderer: Any = print


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_folder_of_the_cookbook_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Metrics of a run that resumed, settings, summaries without a step and checkpoints, written by its own loggers."""
    ml_log = pytest.importorskip("tinker_cookbook.utils.ml_log")
    monkeypatch.setattr(ml_log, "code_state", lambda: "")  # which runs git
    folder = tmp_path / "run"
    logger = ml_log.JsonLogger(folder)
    logger.log_hparams(Config(str(folder)))
    for step in range(30):
        logger.log_metrics(
            {"train_mean_nll": 3 - step / 50, "epoch": step // 10} | ({"test/nll": 2.5} if step == 0 else {}), step
        )
    logger.log_metrics({"test/nll": math.nan, "state_path": "tinker://run/weights/000030"}, 30)
    logger.log_summary({"cost/total_usd": 1.25})

    def write_checkpoint(run: str, name: str, epoch: int, batch: int, *kinds: str) -> None:
        paths = {f"{kind}_path": f"tinker://{run}/{folder}/{name}" for kind, folder in FOLDERS.items() if kind in kinds}
        logger.store.write_checkpoint({"name": name, "epoch": epoch, "batch": batch, "elapsed_tokens": 5} | paths)

    for name, epoch, batch, *kinds in (
        ("000012", 1, 2, *FOLDERS),
        ("000020", 2, 0, *FOLDERS),
        ("000025", 2, 5, "sampler"),
    ):
        write_checkpoint("run", name, epoch, batch, *kinds)
    assert logger.store.truncate_metrics(20) == 11
    for step in range(20, 26):
        logger.log_metrics({"train_mean_nll": 0.5, "epoch": 2}, step)
    write_checkpoint("again", "final", 3, 0, *FOLDERS)

    logs = tkf.logs(tmp_path)
    assert logs.checkpoints["step"].tolist() == [12, 20, 25, 30]
    assert logs.read_values("train_mean_nll").tolist() == [3 - 12 / 50, 0.5, 3 - 25 / 50, 0.5]
    assert logs.read_values("test/nll").tolist() == [2.5] * 4, "what it logged after the resume's step is gone"
    assert [parent.parent_path for parent, _ in logs.parents] == [
        "tinker://parent/weights/final",
        "tinker://run/weights/000020",
    ]
    assert logs.runs["dataset_builder.batch_size"].tolist() == [64]
    assert logs.runs["dataset_builder.names"].tolist() == ['["a","b"]']
    assert logs.runs["parent_path"].tolist() == ["tinker://parent/weights/final"]
    assert logs.metrics.query("step.isna()")["value"].tolist() == [1.25]
    assert logs.problems["problem"].tolist() == ["not a finite number"]
