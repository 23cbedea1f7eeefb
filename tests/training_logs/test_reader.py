"""Log folders below a path or URL become frames."""

from __future__ import annotations

import gzip
import json
import math
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pandas as pd
import pytest

import tinker_frames as tkf
from tinker_frames.schema.columns import text_dtype
from tinker_frames.schema.log_tables import LOG_TABLES

from .log_files import save, write_folder

NLL = [{"step": step, "test/nll": 3 - step / 100} for step in range(0, 101, 10)]


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Two log folders, one of them nested and of another recipe, and folders that are none."""
    saved = [save("one", "000020", batch=20, epoch=0), save("one", "final", batch=0, epoch=1, loss=0.5)]
    config = {
        "learning_rate": 1e-4,
        "log_path": "/old",
        "data": {"seed": 1},
        "load_checkpoint_path": "tinker://z/weights/a",
    }
    write_folder(tmp_path / "runs/a", NLL, saved, config)
    write_folder(
        tmp_path / "runs/sweep/b", [{"step": 3, "reward": 1}], [save("two", "000003", batch=3)], {"data": {"seed": "x"}}
    )
    write_folder(tmp_path / "runs/a/iteration_000001", NLL)
    (tmp_path / "runs/model").mkdir()
    (tmp_path / "runs/model/config.json").write_text("{}")
    return tmp_path / "runs"


def test_a_folder_becomes_frames(runs: Path) -> None:
    """Each log folder is a row with its settings as columns; checkpoints and metrics are typed, and named by the folder as it is now."""
    logs = tkf.logs(runs)
    assert logs.runs["name"].tolist() == ["a", "b"]
    assert logs.runs["log_path"].tolist() == [str(runs / "a"), str(runs / "sweep/b")]
    assert logs.runs["config.log_path"].tolist()[0] == "/old"
    assert logs.runs["data.seed"].tolist() == ["1", "x"]
    assert logs.runs["learning_rate"].dtype == "float64"
    assert logs.runs["parent_path"].tolist()[0] == "tinker://z/weights/a"
    assert logs.runs["training_run_id"].tolist() == ["one", "two"]
    assert logs.checkpoints["step"].tolist() == [20, 101, 3], "final is saved after the last step"
    assert logs.checkpoints["extra"].tolist()[1] == '{"loss":0.5}'
    assert str(logs.checkpoints["step"].dtype) == "Int64"
    for name, table in LOG_TABLES.items():
        declared = [(column.name, column.dtype) for column in table.columns]
        assert [(each, str(dtype)) for each, dtype in getattr(logs, name).dtypes.items()][: len(declared)] == [
            (each, str(text_dtype()) if dtype.startswith("str") else dtype) for each, dtype in declared
        ]
    assert logs.metrics.groupby("metric", observed=True)["value"].sum().to_dict() == {"reward": 1.0, "test/nll": 27.5}
    assert logs.metrics["metric"].cat.categories.dtype == text_dtype()
    assert logs.problems.empty
    assert logs.started_from == {("z", "a")}
    assert repr(logs) == "<Logs of 2 runs: 3 checkpoints, 2 metrics>"


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("", "ab"),
        ("/**", "ab"),
        ("/*", "ab"),
        ("/a", "a"),
        ("/s*", "b"),
        ("/*/b", "b"),
        ("/**/[ab]", "ab"),
        ("/x*", ""),
    ],
)
def test_a_location_is_a_folder_or_a_glob(runs: Path, pattern: str, names: str) -> None:
    """A folder is searched with all below it; a glob selects log folders, or folders above them."""
    assert tkf.logs(f"{runs}{pattern}").runs["name"].tolist() == list(names)


def test_a_missing_folder_is_an_error_and_an_empty_one_is_not(tmp_path: Path) -> None:
    """A folder that does not exist raises; one without logs gives empty frames with the same columns."""
    (tmp_path / "env.sh").write_text("")
    with pytest.raises(FileNotFoundError, match=r"there is no folder .*env\.sh: it is a file"):
        tkf.logs(tmp_path / "env.sh")
    with pytest.raises(tkf.errors.ArgumentTypeError, match="several of these, not NoneType"):
        tkf.logs(None)  # type: ignore[arg-type]
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        tkf.logs(tmp_path / "rnus")
    empty = tkf.logs([tmp_path])
    assert len(empty) == 0
    assert empty.metrics.dtypes.astype(str).tolist() == ["category", "Int64", "category", "float64"]
    assert empty.checkpoints.columns.tolist()[:3] == ["log_path", "name", "step"]
    assert len(empty.runs) == 0
    assert empty.problems["problem"].tolist() == ["no log folder is below it"]


def test_what_cannot_be_read_is_a_problem(runs: Path) -> None:
    """Files that are broken, folders in their place and folders that cannot be listed are named, and all else is read."""
    (runs / "a/config.json").write_text("{")
    (runs / "sweep/b/checkpoints.jsonl").unlink()
    (runs / "sweep/b/checkpoints.jsonl").symlink_to(runs / "nowhere")
    closed = runs / "closed"
    closed.mkdir()
    closed.chmod(0)
    logs = tkf.logs(runs)
    found = logs.problems[["file", "problem"]].apply(tuple, axis=1).tolist()
    expected = [("config.json", "not a JSON object"), ("checkpoints.jsonl", "cannot be read")]
    assert found == expected + ([("folder", "cannot be listed: Permission denied")] if os.geteuid() else [])
    assert logs.problems["log_path"].tolist()[:2] == logs.runs["log_path"].tolist()
    assert logs.runs["last_step"].tolist() == [100, 3]
    (runs / "a/metrics.jsonl").unlink()
    assert len(logs.metrics) == 1
    assert logs.problems["file"].tolist()[-1] == "metrics.jsonl", "what is gone when metrics are read is no silence"
    assert len(logs.problems) == len(expected) + 1 + bool(os.geteuid())


def test_files_are_read_in_any_encoding(tmp_path: Path) -> None:
    """Compressed files, also cut off ones, and UTF-16 are read; what is not a file, such as a pipe, is a problem."""
    folder = write_folder(tmp_path / "run", NLL, [save("one", "000020", batch=20)], {"rank": 8})
    lines = (folder / "metrics.jsonl").read_bytes()
    for name in ("metrics.jsonl", "checkpoints.jsonl"):
        whole = gzip.compress((folder / name).read_bytes()[:-1]) + gzip.compress(b"\n")
        (folder / f"{name}.gz").write_bytes(whole)
        (folder / name).unlink()
    (folder / "config.json").write_bytes('{"rank": 8}'.encode("utf-16"))
    logs = tkf.logs(tmp_path)
    assert logs.read_values("test/nll").tolist() == [2.8]
    assert logs.runs["rank"].tolist() == [8]
    assert logs.problems.empty
    (folder / "metrics.jsonl").write_bytes(lines.decode().encode("utf-16"))
    assert len(tkf.logs(folder / "metrics.jsonl").metrics) == len(NLL)
    (folder / "metrics.jsonl").write_bytes(gzip.compress(lines)[:60])
    assert len(tkf.logs(f"{tmp_path}/*/metrics.jsonl").metrics) > 0
    (folder / "metrics.jsonl").write_bytes(b"\x1f\x8bnonsense" * 9)
    (folder / "checkpoints.jsonl").mkdir()
    (folder / "config.json").unlink()
    os.mkfifo(folder / "config.json")
    assert tkf.logs(tmp_path).problems["example"].str[:13].tolist() == ["is not a file", "is not valid "]


def test_links_are_followed_to_log_folders(tmp_path: Path, runs: Path) -> None:
    """A link leads to a log folder elsewhere, once; one to a folder that is none is named, and one back to its own folder ends nothing."""
    (tmp_path / "here").mkdir()
    for name, target in (("a", runs / "a"), ("again", runs / "a"), ("rest", runs), ("loop", tmp_path / "here")):
        (tmp_path / "here" / name).symlink_to(target)
    logs = tkf.logs(tmp_path / "here")
    assert len(logs.runs) == 1
    assert logs.problems[["log_path", "file"]].values.tolist() == [[f"{tmp_path}/here/rest", "folder"]]
    assert len(tkf.logs([runs / "a", f"{runs}/../runs/a", runs / "a" / "metrics.jsonl"])) == 1


def test_a_folder_whose_name_is_not_unicode_is_read(tmp_path: Path) -> None:
    """Its path in frames has the same marks as other text that is not Unicode."""
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff"))
    try:
        write_folder(folder, NLL[:1], [save("one", "1", batch=1)], {})
    except OSError:
        pytest.skip("the disk takes no such names")
    logs = tkf.logs(tmp_path)
    assert logs.metrics["log_path"].tolist() == logs.runs["log_path"].tolist() == [f"{tmp_path}/\ufffddcff"]


@pytest.mark.parametrize(
    ("records", "metrics", "steps"),
    [
        ([{"name": "000120", "epoch": 1, "batch": 20}], NLL, [120]),
        ([{"name": "000120", "epoch": 1, "batch": 20}, {"name": "final", "epoch": 3, "batch": 0}], NLL, [120, 300]),
        ([{"name": "mine", "epoch": 2, "batch": 5}], [{"step": 9, "epoch": 0}, {"step": 10, "epoch": 1}], [25]),
        ([{"name": "mine", "epoch": 2, "batch": 5}], NLL, [None]),
        ([{"name": "final", "final": True}, {"name": "000007"}, {"name": "7"}], NLL, [101, 7, None]),
        ([{"name": "final"}, {"name": "x", "step": 4, "batch": 9}], [], [None, 4]),
        ([{"name": 5, "batch": -1}, {"name": None, "batch": "x"}, {}], NLL, [None, None, None]),
        ([{"batch": 20.0}, {"batch": "30"}, {"batch": 5, "epoch": "x"}, {"final": "true"}], NLL, [20, 30, None, 101]),
        ([{"name": "000120", "epoch": "1", "batch": "20"}, {"epoch": 2.0, "batch": 7}], NLL, [120, 207]),
        ([{"epoch": 2, "batch": 5}], [{"step": 0, "epoch": 1}, {"step": 10, "epoch": 2}], [None]),
    ],
)
def test_the_step_of_a_checkpoint(tmp_path: Path, records: list, metrics: list, steps: list) -> None:
    """A batch counts within its epoch; its length follows from names of checkpoints or from the metric `epoch`."""
    write_folder(tmp_path / "run", metrics, records)
    assert [None if pd.isna(step) else step for step in tkf.logs(tmp_path).checkpoints["step"]] == steps


def test_a_checkpoint_without_metrics_says_why(tmp_path: Path) -> None:
    """A batch that is no whole number, a step that is not known and a line that names no path are problems of checkpoints.jsonl."""
    odd = [save("one", "a", batch=1.5), save("one", "b"), {"name": "c", "batch": 3, "path": "tinker://one/weights/c"}]
    write_folder(tmp_path / "run", NLL, [*odd, save("one", "000010", batch="10")], {})
    problems = tkf.logs(tmp_path).problems
    assert problems["problem"].str[:24].tolist() == [
        "a step, batch or epoch t",
        "its step is not known, s",
        "names no tinker path",
    ]
    assert problems["rows"].tolist() == [1, 2, 1]


def test_a_changed_copy_is_a_problem(tmp_path: Path) -> None:
    """Of two folders with other values for a checkpoint, the one that does not count is named, with the other; an equal copy is not."""
    saved = [save("one", "000010", batch=10)]
    for name, loss in (("a", 1.0), ("b", 2.0), ("c", 2.0)):
        write_folder(tmp_path / name, [{"step": 1, "nll": loss}], saved, {})
    found = tkf.logs(tmp_path).problems
    assert found[["log_path", "rows", "example"]].values.tolist() == [[f"{tmp_path}/a", 2, f"{tmp_path}/b"]]


def test_a_resumed_run_has_metrics_of_both_parts(tmp_path: Path) -> None:
    """Metrics before a resume are read up to its step, what was logged twice counts as it was logged last."""
    write_folder(tmp_path, [*NLL[:3], {"step": 30, "test/nll": 9.0}], [save("one", "000040", batch=40)])
    (tmp_path / "metrics.jsonl.pre_resume_000040").write_text(
        '{"step": 40, "test/nll": 8.0}\n{"step": 50, "test/nll": 0}\n'
    )
    (tmp_path / "metrics.jsonl.pre_resume_latest").write_text('{"step": 1, "test/nll": 8.0}\n')
    logs = tkf.logs(tmp_path)
    assert logs.problems["file"].tolist() == ["config.json", "metrics.jsonl.pre_resume_latest"]
    assert logs.metrics["step"].tolist() == [0, 10, 20, 30, 40]
    assert logs.read_values("test/nll").tolist() == [8.0]


def save_sampler(run: str, name: str, **fields: Any) -> dict[str, Any]:
    """Return a line of `checkpoints.jsonl` of sampler weights alone, which no run resumes from."""
    return {name: value for name, value in save(run, name, **fields).items() if name != "state_path"}


OLD, NEW = ([{"step": step, "test/nll": step + added} for step in (0, 10, 20, 30)] for added in (0.0, 100.0))
FROM_10 = [OLD[0], *NEW[1:]]  # what a resume at step 10 leaves, and logs


@pytest.mark.parametrize(
    ("records", "resume", "values"),
    [
        # The old run's samplers are of its own weights; the new run has what it has logged.
        ([save("a", "000010"), save_sampler("a", "000020"), save("b", "000020"), save("b", "000030")], 10, [110, 20, 120, 130]),
        # The new run has saved nothing yet.
        ([save("a", "000010"), save_sampler("a", "000020")], 10, [110, 20]),
        # Nobody knows where the metrics from before are, or when the resume was.
        ([save("a", "000010"), save_sampler("a", "000020"), save("b", "000030")], None, [110, None, 130]),
        ([save("a", "000010"), save_sampler("a", "000020"), save("a", "000030")], 10, [110, None, 130]),
        ([save("a", "000005"), save("a", "000020")], 10, [0, None]),
        # A run that began again has not resumed from a later step, and one in another spelling is the same.
        ([save("a", "000020"), save("b", "000010")], None, [None, 110]),
        ([save("a:train:0", "000010"), save("a%3Atrain%3A0", "000020")], None, [110, 120]),
    ],
)  # fmt: skip
def test_checkpoints_from_before_a_resume_have_metrics_of_their_own_weights(
    tmp_path: Path, records: list, resume: int | None, values: list
) -> None:
    """What was saved behind the step that a later run resumed at has the metrics from before that resume, or none; a problem says so."""
    write_folder(tmp_path, FROM_10, records, {})
    if resume is not None:
        write_folder(tmp_path / "old", OLD)
        (tmp_path / "old" / "metrics.jsonl").rename(tmp_path / f"metrics.jsonl.pre_resume_{resume:06d}")
        shutil.rmtree(tmp_path / "old")
    logs = tkf.logs(tmp_path)
    assert [None if math.isnan(value) else value for value in logs.read_values("test/nll").tolist()] == values
    lost = logs.problems[logs.problems["problem"].str.startswith("saved before a resume")]
    assert lost["rows"].sum() == values.count(None)
    runs = {record["sampler_path"].split("/")[2].replace("%3A", ":") for record in records}
    assert {parent.training_run_id for parent, _ in logs.parents} == runs


def test_several_resumes(tmp_path: Path) -> None:
    """Each of several runs that resumed one from another has the metrics of its own weights."""
    records = [
        save("a", "000010"),
        save_sampler("a", "000020"),
        save("b", "000015"),
        save_sampler("b", "000030"),
        save("c", "000030"),
    ]
    logged = {"metrics.jsonl.pre_resume_000010": OLD, "metrics.jsonl.pre_resume_000015": FROM_10}
    last = [OLD[0], NEW[1], {"step": 20, "test/nll": 220.0}, {"step": 30, "test/nll": 230.0}]
    write_folder(tmp_path, last, records, {})
    for name, lines in logged.items():
        (tmp_path / name).write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert tkf.logs(tmp_path).read_values("test/nll").tolist() == [110, 20, 110, 130, 230]


@pytest.fixture
def memory() -> Iterator[str]:
    """An empty folder in fsspec's memory."""
    system = fsspec.filesystem("memory")
    yield "memory://bucket/runs"
    system.rm("/bucket", recursive=True)


def test_logs_are_read_from_urls(memory: str, runs: Path) -> None:
    """A URL is listed once, and gives the same frames, with URLs as log paths."""
    fsspec.filesystem("memory").put(f"{runs}/", "/bucket/runs/", recursive=True)
    here, there = tkf.logs(runs), tkf.logs(f"{memory}/**")
    assert there.runs["log_path"].tolist() == [f"{memory}/a", f"{memory}/sweep/b"]
    assert tkf.logs(f"{memory}/s*").runs["name"].tolist() == ["b"]
    for name in ("checkpoints", "metrics"):
        pd.testing.assert_frame_equal(
            getattr(here, name).drop(columns="log_path"), getattr(there, name).drop(columns="log_path")
        )
    with pytest.raises(FileNotFoundError, match="nothing at memory://bucket/none"):
        tkf.logs("memory://bucket/none")
