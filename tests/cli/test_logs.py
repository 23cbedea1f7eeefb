"""Training logs on the command line: metrics as columns, plans by them, lineage."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import tinker_frames as tkf
from tinker_frames.cli import tour
from tinker_frames.cli.logs import add_logs
from tinker_frames.demo import DemoServer
from tinker_frames.schema.paths import write_console_link


@pytest.fixture
def runs(shared_server: DemoServer, tmp_path: Path) -> Path:
    """The training logs of the account."""
    return shared_server.write_logs(tmp_path / "runs")


def test_retire_keeps_the_best_by_a_metric_of_the_logs(
    command: Callable[..., Any], shared_server: DemoServer, runs: Path
) -> None:
    """One command keeps the two best by test loss of each run, what is public and what was read in 60 days, with the metric of each row."""
    rules = ("--best", "test/nll:2:min", "--keep-public", "--read-within", "60d")
    call = ("retire", "--all", "--logs", str(runs), *rules, "--after", "24h", "--dry-run")
    text = command(shared_server, *call)
    assert text.code == 0
    words = " ".join(text.out.split())
    assert "by best('test/nll', n=2) | keep_public() | read_within('60d')" in words
    assert "from which" in words
    assert "are in no training log" in text.err
    rows = json.loads(command(shared_server, *call, "--format", "json", "--allow", "parent").out)
    assert all(row["test/nll"] is not None for row in rows)
    assert not any("was started" in row["reason"] for row in rows)
    typo = command(shared_server, *call[:4], "--best", "test/nl", "--after", "24h", "--dry-run")
    assert (typo.code, "did you mean" in typo.err) == (1, True)


def test_listings_have_the_metrics_as_columns(
    command: Callable[..., Any], shared_server: DemoServer, runs: Path
) -> None:
    """`ls` and `export` filter and sort by metrics; other tables refuse --logs, and a missing folder is an error."""
    call = ("ls", "checkpoints", "--logs", str(runs), "--where", "`test/nll` < 1.2", "--sort", "test/nll")
    found = command(shared_server, *call, "--columns", "tinker_path,test/nll", "--format", "json")
    losses = [row["test/nll"] for row in json.loads(found.out)]
    assert losses == sorted(losses)
    assert losses
    assert "test/nll" in command(shared_server, *call, "--limit", "1").out.splitlines()[0]
    typo = command(shared_server, *call[:4], "--where", "`test/nl` < 1.2")
    assert "there is no column 'test/nl'; did you mean test/nll" in typo.err
    assert (
        "--logs is for checkpoints, inventory, not for runs" in command(shared_server, "ls", "runs", "--logs", ".").err
    )
    assert "there is no folder" in command(shared_server, "ls", "checkpoints", "--logs", str(runs / "x")).err


@pytest.mark.parametrize(
    "arguments",
    [
        ("ls", "checkpoints", "--sort", "test/nll"),
        ("ls", "checkpoints", "--where", "`test/nll` < 1"),
        ("retire", "--all", "--best", "test/nll:2", "--dry-run"),
    ],
)
def test_a_metric_without_logs_names_their_option(
    command: Callable[..., Any], shared_server: DemoServer, arguments: tuple[str, ...]
) -> None:
    """A column like a metric, of checkpoints that were joined to no log, is an error that names --logs and lists no columns."""
    done = command(shared_server, *arguments)
    assert (done.code, "training logs are columns with --logs FOLDER" in done.err) == (1, True)
    assert "columns are" not in done.err.replace("logs are columns", "")
    assert "See the columns" not in done.err


def test_lineage_needs_no_account(command: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, runs: Path) -> None:
    """The lineage of a checkpoint is printed as a tree, or as JSON; with --demo, by the logs of that account."""
    config = next(text for file in runs.glob("*/config.json") if '"tinker://' in (text := file.read_text()))
    path = json.loads(config)["load_checkpoint_path"]
    assert "└─ " in command(None, "lineage", path, "--logs", str(runs)).out
    rows = json.loads(command(None, "lineage", path, "--logs", str(runs), "--format", "json").out)
    assert path in [row["parent_path"] for row in rows]
    assert "name the training logs" in command(None, "lineage", path).err
    monkeypatch.setattr("tinker_frames.cli.logs.RUNS", 1)
    path = DemoServer(runs=1, hostile=False).state.runs()[0].newest_checkpoint("training").tinker_path
    done = command(None, "lineage", "--demo", path, "--format", "json")
    assert [row["log_path"] is not None for row in json.loads(done.out)] == [True]
    assert "these logs are gone now" in done.err
    assert "no log names this checkpoint" not in command(None, "lineage", "--demo", path).out


def test_lineage_takes_what_info_takes(command: Callable[..., Any], runs: Path) -> None:
    """A link and what tables show of a path are as good as the path; what no log names is an error."""
    configs = sorted(runs.glob("*/config.json"))
    config = next(text for file in configs if '"tinker://' in (text := file.read_text()))
    path = json.loads(config)["load_checkpoint_path"]
    run, _, name = path.removeprefix("tinker://").partition("/")
    whole = command(None, "lineage", path, "--logs", str(runs)).out.splitlines()
    link = write_console_link({"tinker_path": path})
    for text in (link, f"{run[:13]}…{run[-2:]}/{name[:1]}…/{name.partition('/')[2]}"):
        lines = command(None, "lineage", text, "--logs", str(runs)).out.splitlines()
        assert lines[1 : len(whole)] == whole[1:]
    assert ", whose run has the *" in whole[0]
    unknown = command(None, "lineage", "tinker://nosuch:train:0/weights/final", "--logs", str(runs))
    assert (unknown.code, unknown.out, "no training log is of its run" in unknown.err) == (1, "", True)


def test_a_folder_without_logs_is_an_error(
    command: Callable[..., Any], shared_server: DemoServer, tmp_path: Path
) -> None:
    """A folder in which there is no log would leave every metric unknown: it is an error that says what a log folder holds."""
    done = command(shared_server, "ls", "checkpoints", "--logs", str(tmp_path))
    assert (done.code, "holds metrics.jsonl" in done.err) == (1, True)


def test_rules_count_per_setting_of_the_logs(shared_client: tkf.Client, runs: Path) -> None:
    """Settings that --per names are columns, so that a run that resumed can be counted by its log folder; other columns stay as they are."""
    frame = shared_client.checkpoints()
    folder = min(runs.iterdir())
    joined = add_logs(frame, [str(folder)], "log_path,checkpoint_type")
    assert joined["log_path"].dropna().unique().tolist() == [str(folder)]
    assert joined["checkpoint_type"].tolist() == frame["checkpoint_type"].tolist()


def test_the_demo_writes_logs(command: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`demo --logs` writes the logs of the account that `--demo` has, and the inventory, before it prints, and says where they are."""
    seen: list[set[str]] = []
    monkeypatch.setattr(tour, "_print_line", lambda *_: seen.append({path.name for path in tmp_path.iterdir()}))
    done = command(None, "demo", "--runs", "2", "-o", str(tmp_path), "--logs", str(tmp_path / "runs"))
    assert f"training logs of its runs are in {tmp_path / 'runs'}" in done.out
    assert list(tmp_path.glob("runs/*/checkpoints.jsonl"))
    assert seen[0] == {"runs", *tour.FILES}, "a pipe to head ends what is printed, and no file"
