"""The curve of a metric in the details of a checkpoint: what is drawn of a log, and when it is read."""

from __future__ import annotations

import copy
import json
import math
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import tinker_frames as tkf
from tests.training_logs.log_files import save, write_folder
from tinker_frames.training_logs.curves import RunLog
from tinker_frames.training_logs.parsing import Points
from tinker_frames.training_logs.reader import Logs
from tinker_frames.views.curves import MOST_POINTS, choose_metric, describe_curve, thin_out
from tinker_frames.views.details import find_log, find_row
from tinker_frames.views.table import TableState

from .headless import HeadlessView, wait_until

RUN = "5b1f0000-0000-4000-8000-000000000000:train:0"


def make_log(values: list[float], *paths: str) -> RunLog:
    """Return the log of a run with one metric, a value and a checkpoint at each step; other paths are all at step 0."""
    steps = {f"tinker://{RUN}/weights/{step}": step for step in range(len(values))} | dict.fromkeys(paths, 0)
    log = RunLog({"loss": Points(np.arange(len(values)), np.array(values))}, Logs([]))
    log.find_marks = lambda metric, paths: [
        (steps[path], values[steps[path]]) if path in steps else None for path in paths
    ]
    return log


def make_rows(*steps: int) -> pd.DataFrame:
    """Return checkpoints of the run at these steps."""
    paths = [f"tinker://{RUN}/weights/{step}" for step in steps]
    names = [f"step\u202e{step}" for step in steps]
    return pd.DataFrame(
        {"tinker_path": paths, "training_run_id": RUN, "name": names, "public": [s == 2 for s in steps]}
    )


@pytest.mark.parametrize("length", [0, 1, 499, 500, 501, 100_003])
def test_a_long_curve_keeps_its_ends_and_extremes(length: int) -> None:
    """At most some 500 values are sent, in order, with the first, the last, the highest and the lowest of all."""
    values = np.random.default_rng(length).normal(size=length)
    places = thin_out(values)
    assert len(places) <= MOST_POINTS
    assert (np.diff(places) > 0).all()
    if length:
        assert {0, length - 1, int(values.argmin()), int(values.argmax())} <= set(places.tolist())


def test_checkpoints_are_marked_on_the_curve() -> None:
    """A mark for each checkpoint with a value, by its look; values that are not finite are counted, not drawn; names are escaped."""
    curve = describe_curve(
        make_log([4.0, math.inf, 2.0, math.nan, 1.0]),
        "loss",
        ["loss"],
        make_rows(0, 1, 2, 4, 99),
        "",
        datetime.now(UTC),
    )
    assert curve["points"] == [[0, 4], [2, 2], [4, 1]]
    assert (curve["total"], curve["odd"]) == (5, 2)
    assert [(mark["step"], mark["value"], mark["look"]) for mark in curve["marks"]] == [
        (0, 4, "kept"),
        (2, 2, "public"),
        (4, 1, "kept"),
    ]
    assert curve["marks"][0]["name"] == "step\\u202e0"
    assert json.dumps(curve, allow_nan=False).isascii()


def test_of_twins_at_one_step_the_row_that_is_shown_is_marked() -> None:
    """State and sampler weights of one step are one mark, that of the row whose details are open."""
    rows, twin = make_rows(0, 0), f"tinker://{RUN}/sampler_weights/0"
    rows.loc[1, "tinker_path"] = twin
    log = make_log([3.0], twin)
    for key in rows["tinker_path"]:
        assert [
            mark["key"] for mark in describe_curve(log, "loss", ["loss"], rows, key, datetime.now(UTC))["marks"]
        ] == [key]


@pytest.mark.parametrize(
    ("chosen", "sorted_by", "expected"),
    [("", [], "test/nll"), ("progress", ["lr"], "progress"), ("gone", ["lr"], "lr")],
)
def test_which_metric_is_drawn(chosen: str, sorted_by: list[str], expected: str) -> None:
    """The chosen one, also for the next row; else what rows are sorted by; else a loss of a test rather than a learning rate."""
    assert choose_metric(["lr", "progress", "test/accuracy", "test/nll", "train_nll"], chosen, sorted_by) == expected


def test_the_log_is_read_when_a_row_is_opened(tmp_path: Path, shared_client: tkf.Client) -> None:
    """Its folder is known by the frame's attrs, which stay plain JSON and are not copied; no value is sent before, and a refresh keeps it."""
    frame = shared_client.checkpoints().head(40)
    run, name = frame["tinker_path"].iloc[0].split("/")[2::2]
    metrics = [{"step": step, "test/nll": 3.0 - step / 100, "lr": 0.1} for step in range(100)]
    write_folder(tmp_path / "a", metrics, [save(run, name, batch=50)])
    joined = frame.tinker.with_metrics(tmp_path)
    logs = joined.attrs["tinker"]["logs"]
    assert json.loads(json.dumps(logs)) == {run: str(tmp_path / "a")}
    assert copy.deepcopy(logs) is logs is joined.query("step >= 0").attrs["tinker"]["logs"]
    view = HeadlessView(joined, shared_client)
    view.send("detail", key=frame["tinker_path"].iloc[0])
    wait_until(lambda: view.shown["detail"]["curve"])
    curve = view.shown["detail"]["curve"]
    assert (curve["metric"], sorted(curve["metrics"]), curve["total"]) == ("test/nll", ["lr", "test/nll"], 100)
    assert [(mark["step"], mark["value"]) for mark in curve["marks"]] == [(50, 2.5)]
    view.send("curve", metric="lr")
    assert view.shown["detail"]["curve"]["metric"] == "lr"
    state = TableState(joined)
    state.replace(shared_client.checkpoints())
    assert state.about["logs"] == logs


def test_a_log_that_is_gone_is_said(tmp_path: Path, shared_client: tkf.Client) -> None:
    """A folder that was removed since is named as a problem of the details; a run without a log has neither curve nor problem."""
    frame = shared_client.checkpoints()
    run, name = frame["tinker_path"].iloc[0].split("/")[2::2]
    folder = write_folder(tmp_path / "a", [{"step": 1, "loss": 1.0}], [save(run, name, batch=1)])
    view = HeadlessView(frame.tinker.with_metrics(tmp_path), shared_client)
    for file in folder.iterdir():
        file.unlink()
    view.send("detail", key=frame["tinker_path"].iloc[0])
    wait_until(lambda: view.shown["detail"]["problem"])
    assert "no training log in" in view.shown["detail"]["problem"]
    other = next(path for path in frame["tinker_path"] if path.split("/")[2] != run)
    view.send("detail", key=other)
    assert (view.shown["detail"]["curve"], view.shown["detail"]["problem"]) == (None, "")


def test_a_file_does_not_choose_what_is_read(tmp_path: Path, shared_client: tkf.Client) -> None:
    """Log folders that a frame has from a file are not read by its view; joining the logs again notes them anew."""
    frame = shared_client.checkpoints().head(3)
    run, name = frame["tinker_path"].iloc[0].split("/")[2::2]
    write_folder(tmp_path / "a", [{"step": 1, "loss": 1.0}], [save(run, name, batch=1)])
    tkf.export(frame.tinker.with_metrics(tmp_path), tmp_path / "rows.parquet")
    read = tkf.read_export(tmp_path / "rows.parquet")
    assert read.attrs["tinker"]["logs"] == {run: str(tmp_path / "a")}
    for rows, is_read in ((read, False), (read.tinker.with_metrics(tmp_path), True)):
        state = TableState(rows)
        assert bool(find_log(state, find_row(state, rows["tinker_path"].iloc[0]))) is is_read
