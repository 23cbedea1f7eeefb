"""Logs and frames of one's own, joined to checkpoints; the plans and rules that follow from them."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pandas as pd
import pytest

import tinker_frames as tkf
from tinker_frames import policies as P  # noqa: N812
from tinker_frames.demo import DemoServer
from tinker_frames.errors import InvalidRequestError
from tinker_frames.frames.terminal import format_frame
from tinker_frames.schema.columns import text_dtype
from tinker_frames.views.table import TableState

from .log_files import save, write_folder

RUNS = ("one", "two")


def frame_of(*names: str, runs: tuple[str, ...] = RUNS) -> pd.DataFrame:
    """Return a frame of checkpoints of both types in each run."""
    kinds = {"weights": "training", "sampler_weights": "sampler"}
    rows = [(f"tinker://{run}/{kind}/{name}", run, kinds[kind]) for run in runs for name in names for kind in kinds]
    frame = pd.DataFrame(
        rows, columns=["tinker_path", "training_run_id", "checkpoint_type"], index=range(7, 7 + len(rows))
    )
    return frame.astype(text_dtype())


def test_metrics_are_those_at_or_just_before_the_checkpoint(tmp_path: Path) -> None:
    """Both paths of a record get its metrics; rows keep their order and index; settings are added on request; the rest is NA and counted."""
    lines = [
        {"step": 0, "test/nll": 3.0, "loss": 9},
        {"step": 10, "loss": 8},
        {"step": 20, "test/nll": 2.0},
        {"step": 15, "loss": math.inf},
    ]
    saved = [save("one", "000010", batch=10), save("one", "000020", batch=20)]
    config = {"learning_rate": 1e-4, "load_checkpoint_path": "tinker://two/weights/000010", "rank": 8}
    write_folder(tmp_path / "a", lines, saved, config)
    frame = frame_of("000010", "000020")
    frame.attrs["tinker"] = {"account": "x", "problems": []}
    found = frame.tinker.with_metrics(tmp_path, config=["log_path", "learning_rate", "batch", "rank"])
    assert found.index.equals(frame.index)
    assert found["test/nll"].tolist()[:4] == [3.0, 3.0, 2.0, 2.0]
    assert found["loss"].tolist()[:4] == [8.0, 8.0, math.inf, math.inf]
    assert found["log_path"].dropna().unique().tolist() == [str(tmp_path / "a")]
    assert found["learning_rate"].isna().tolist() == [False] * 4 + [True] * 4
    assert found[["batch", "rank"]].dtypes.astype(str).tolist() == ["Int64", "Int64"]
    assert found["parent_path"].dropna().tolist() == ["tinker://two/weights/000010"] * 4
    both = ["tinker://two/weights/000010", "tinker://two/sampler_weights/000010"]
    assert found.loc[found["is_parent"], "tinker_path"].tolist() == both
    assert [(each["problem"], each["rows"]) for each in found.attrs["tinker"]["problems"]] == [
        ("no training log names the checkpoint", 4)
    ]
    again = found.tinker.with_metrics(tmp_path, config=["log_path", "learning_rate", "batch", "rank"])
    pd.testing.assert_frame_equal(again, found)
    assert "loss" not in frame.tinker.with_metrics(tmp_path, metrics=["test/*"])


@pytest.mark.parametrize(
    "parent",
    [
        "tinker://u:train:0/weights/a",
        "tinker://u:train:0/sampler_weights/a",
        " TINKER://U:train:0/weights/a/ ",
        "tinker://u%3Atrain%3A0/Weights/a",
        "https://tinker.thinkingmachines.ai/checkpoints/u%3Atrain%3A0/weights%2Fa",
    ],
)
def test_parents_are_compared_by_what_paths_mean(tmp_path: Path, parent: str) -> None:
    """A path in another spelling, and that of the twin, means the checkpoint, also if the run has saved nothing or another log differs."""
    frame = frame_of("a", "b", runs=("u:train:0",))
    expected = [True, True, False, False]
    write_folder(tmp_path / "one", [{"step": 1}], config={"load_checkpoint_path": parent})
    assert frame.tinker.with_metrics(tmp_path)["is_parent"].tolist() == expected
    assert len(tkf.lineage(frame["tinker_path"].iloc[0], tmp_path).frame) == 2
    for name, loaded in (("one", parent), ("two", "tinker://other/weights/x")):
        write_folder(tmp_path / name, [{"step": 1}], [save("child", "1", batch=1)], {"load_checkpoint_path": loaded})
    found = frame.tinker.with_metrics(tmp_path)
    assert found["is_parent"].tolist() == expected
    elsewhere = write_folder(tmp_path / "x", [{"step": 1, "a": 2}], config={})
    assert found.tinker.with_metrics(elsewhere)["is_parent"].tolist() == expected, "what is known stays known"


@pytest.mark.parametrize(
    ("config", "flag", "counted"),
    [
        ("{", pd.NA, 1),
        ({"load_checkpoint_path": "runs/a"}, pd.NA, 1),
        (None, False, 1),
        ({"load_checkpoint_path": ""}, False, 0),
        ({}, False, 0),
    ],
)
def test_a_log_that_does_not_tell_its_parent_is_not_silent(
    tmp_path: Path, config: dict | str | None, flag: bool, counted: int
) -> None:
    """Where a log says wrongly what its run was started from, that may be any row; without any config.json it is counted."""
    write_folder(tmp_path / "one", [{"step": 1}], [save("child", "1", batch=1)], config)
    frame = frame_of("a", runs=("one",))
    frame.attrs["tinker"] = {"problems": [{"column": "is_parent", "problem": "other", "rows": 1}]}
    found = frame.tinker.with_metrics(tmp_path)
    assert found["is_parent"].tolist() == [flag] * 2
    problems = found.tinker.with_metrics(tmp_path).attrs["tinker"]["problems"]
    assert len([each for each in problems if each["column"] == "is_parent"]) == 1 + counted
    assert tkf.logs(tmp_path).problems["problem"].str.contains("started from|JSON").sum() == counted
    (tmp_path / "one/checkpoints.jsonl").unlink()
    (tmp_path / "one/checkpoints.jsonl").symlink_to(tmp_path / "nowhere")
    assert frame.tinker.with_metrics(tmp_path)["is_parent"].isna().all(), "nor is it known what it resumed from"


def test_a_metric_from_before_an_earlier_checkpoint_is_a_problem(tmp_path: Path) -> None:
    """Rows whose metric was logged last before an earlier checkpoint was saved are counted, for each metric; at its own step it is not."""
    lines = [{"step": 0, "test/nll": 1.0, "loss": 1.0}, {"step": 25, "loss": 0.5}, {"step": 30, "test/nll": 0.5}]
    saved = [save("one", name, batch=batch) for name, batch in (("a", 10), ("b", 20), ("c", 30), ("d", 30))]
    write_folder(tmp_path, lines, saved, {})
    frame = frame_of("a", "b", "c", "d", runs=("one",))
    frame.attrs["tinker"] = {"problems": []}
    found = frame.tinker.with_metrics(tmp_path).attrs["tinker"]["problems"]
    assert [(each["column"], each["rows"]) for each in found] == [("test/nll", 2), ("loss", 2)]
    assert found[0]["examples"] == ["tinker://one/weights/b", "tinker://one/sampler_weights/b"]


def test_logs_are_joined_one_after_the_other(tmp_path: Path) -> None:
    """Rows that the second logs do not name keep the metrics of the first; rows that neither names are counted; so do own frames."""
    one = write_folder(tmp_path / "a", [{"step": 1, "nll": 1.0}], [save("one", "a", batch=1)], {})
    two = write_folder(tmp_path / "b", [{"step": 1, "nll": 2}], [save("TWO", "a", batch=1)], {})
    frame = frame_of("a", runs=("one", "two", "three"))
    frame.attrs["tinker"] = {"problems": []}
    found = frame.tinker.with_metrics(one).tinker.with_metrics(two)
    assert found["nll"].fillna(0).tolist() == [1, 1, 2, 2, 0, 0]
    assert [each["rows"] for each in found.attrs["tinker"]["problems"]] == [2]
    own = pd.DataFrame({"training_run_id": ["three", "four"], "nll": [3, 4]})
    joined = found.tinker.with_metrics(own)
    assert joined["nll"].tolist() == [1, 1, 2, 2, 3, 3]
    assert [each["rows"] for each in joined.attrs["tinker"]["problems"]] == [2, 4]


def test_a_diverged_run_is_told_from_one_without_a_log(tmp_path: Path) -> None:
    """The metrics that the log has as NaN or infinite are named in a column; `best` of finite values keeps only the others."""
    lines = [
        {"step": 1, "nll": 1.0, "public": math.inf},
        {"step": 2, "nll": math.nan},
        {"step": 2, "kl": 2, "public": 0},
    ]
    write_folder(tmp_path / "a", lines, [save("one", str(step), batch=step) for step in (0, 1, 2)], {})
    found = frame_of("0", "1", "2", "3", runs=("one",)).tinker.with_metrics(tmp_path)
    assert found["not_finite"].fillna("").tolist()[::2] == ["", '["log.public"]', '["nll"]', ""]
    assert found.loc[P.best("nll")(found), "tinker_path"].str[-1].tolist()[::2] == ["0", "1", "2", "3"]
    assert found.loc[P.best("nll", finite=True)(found), "tinker_path"].str[-1].tolist()[::2] == ["0", "1", "3"]
    assert "not_finite" not in found.drop(columns="not_finite").tinker.with_metrics(tmp_path, metrics=["kl"])


def test_a_setting_that_is_called_as_a_metric_is_a_column_of_its_own(tmp_path: Path) -> None:
    """The setting gets the prefix `config.`, and the metric keeps its name, in one call or in two."""
    lines = [{"step": 1, "learning_rate": 0.0}]
    write_folder(tmp_path, lines, [save("one", "000010", batch=10)], {"learning_rate": 1e-5, "rank": 8})
    found = frame_of("000010").tinker.with_metrics(tmp_path, config=["learning_rate", "rank"])
    assert found[["learning_rate", "config.learning_rate", "rank"]].iloc[0].tolist() == [0.0, 1e-5, 8]
    again = found.tinker.with_metrics(tmp_path, metrics=[], config=["learning_rate"])
    assert again[["learning_rate", "config.learning_rate"]].iloc[0].tolist() == [0.0, 1e-5]


def test_the_step_of_a_final_checkpoint_is_that_of_its_log(tmp_path: Path) -> None:
    """`log.step` is the step that the metrics are of, also where the name has none; the account's own column is left as it is."""
    saved = [save("one", "000010", batch=10), save("one", "final", final=True)]
    write_folder(tmp_path, [{"step": 10, "nll": 2.0}, {"step": 19, "nll": 1.0}], saved)
    frame = frame_of("000010", "final", "else", runs=("one",)).assign(step=pd.array([10, 10, None, None, None, None]))
    found = frame.tinker.with_metrics(tmp_path)
    assert found["log.step"].dtype == "Int64"
    assert found["log.step"].fillna(-1).tolist() == [10, 10, 20, 20, -1, -1]
    pd.testing.assert_series_equal(found["step"], frame["step"])


def test_metrics_of_tests_stand_first(tmp_path: Path) -> None:
    """They are what rows are compared by; a frame of a table prints them behind its first column."""
    write_folder(tmp_path, [{"step": 1, "loss": 3.0, "test/nll": 1.25}], [save("one", "000010", batch=10)])
    frame = frame_of("000010").assign(public=False)
    frame.attrs["tinker"] = {"table": "checkpoints", "problems": []}
    found = frame.tinker.with_metrics(tmp_path)
    assert [name for name in found if name not in frame][:3] == ["test/nll", "loss", "log.step"]
    assert format_frame(found, 100).split()[:5] == ["tinker_path", "test/nll", "loss", "log.step", "public"]


def test_no_name_in_a_log_replaces_a_column_of_the_account(tmp_path: Path) -> None:
    """A metric that is called as a column that plans and rules read is named `log.<name>`."""
    names = (
        "",
        "public",
        "step",
        "size_gb",
        "is_parent",
        "loaded_by_sampler",
        "meta.loss",
        "tinker_path",
        "log.public",
    )
    write_folder(tmp_path, [{"step": 1, **dict.fromkeys(names, 1.0), "final": 2}], [save("one", "000010", batch=10)])
    frame = frame_of("000010").assign(public=False)
    found = frame.tinker.with_metrics(tmp_path)
    added = [name for name in found if name not in frame]
    assert sorted(name for name in added if name.startswith("log.")) == sorted(f"log.{name}" for name in names)
    assert {name for name in added if not name.startswith("log.")} == {"final", "parent_path", "is_parent"}
    assert not found["public"].any()


def test_another_spelling_is_of_a_row_only_if_no_row_has_it(tmp_path: Path) -> None:
    """A path in a log is that of the row with the same spelling, else of one that means the same."""
    saved = [save("ONE", "a%20b", batch=1), save("two", "c", batch=1)]
    write_folder(tmp_path, [{"step": 1, "nll": 1.0}], saved, {})
    for names, found in ((("a b",), [1.0] * 2), (("a b", "a%20b"), [1.0] * 2 + [1.0] * 2)):
        assert frame_of(*names, runs=("one",)).tinker.with_metrics(tmp_path)["nll"].tolist() == found
    mixed = frame_of("a b", "a%20b", runs=("ONE",)).tinker.with_metrics(tmp_path)
    assert mixed["nll"].isna().tolist() == [True, True, False, False]
    assert frame_of("c", runs=("TWO",)).tinker.with_metrics(tmp_path)["nll"].tolist() == [1.0, 1.0]


def test_a_name_that_is_not_unicode_is_that_of_the_account(tmp_path: Path) -> None:
    """A path with a lone surrogate is matched as frames of the account have it, and can be a parent."""
    write_folder(tmp_path, [{"step": 1, "nll": 1}], [save("one", "\ud800", batch=1), save("two", "b", batch=2)], {})
    found = frame_of("\ufffdd800", "b").tinker.with_metrics(tmp_path)
    assert found["nll"].isna().tolist() == [False, False, True, True, True, True, False, False]
    assert found["parent_path"].tolist()[-1] == "tinker://one/weights/\ufffdd800"
    assert found["is_parent"].tolist()[:3] == [True, True, False]


def test_a_copied_or_renamed_folder_counts_once(tmp_path: Path) -> None:
    """Of two folders that name a checkpoint, the one that goes furthest counts, whatever it is called now."""
    saved = [save("one", "000010", batch=10)]
    write_folder(tmp_path / "z-backup", [{"step": 1, "test/nll": 9.0}], saved)
    write_folder(tmp_path / "a-renamed", [{"step": step, "test/nll": 2.0} for step in (1, 10, 30)], saved)
    found = frame_of("000010").tinker.with_metrics(tmp_path, config=["log_path"])
    assert found["test/nll"].dropna().tolist() == [2.0, 2.0]
    assert found["log_path"].dropna().unique().tolist() == [str(tmp_path / "a-renamed")]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"metrics": ["test/nl"]}, r"no log has the metric 'test/nl'\. Did you mean test/nll"),
        ({"config": ["learning"]}, r"no log has the setting 'learning'\. Did you mean learning_rate"),
        ({"on": "tinker_path"}, "on= is for a frame of your own"),
    ],
)
def test_what_no_log_has_is_an_error(tmp_path: Path, options: dict, said: str) -> None:
    """A metric or setting that no log has is an error that names similar ones."""
    write_folder(tmp_path, [{"step": 1, "test/nll": 9.0}], config={"learning_rate": 1})
    with pytest.raises(InvalidRequestError, match=said):
        frame_of("000010").tinker.with_metrics(tmp_path, **options)


def test_a_frame_of_ones_own_is_merged_by_a_column() -> None:
    """Each row gets the columns of the row with the same path or run; repeated and missing keys are errors."""
    frame = frame_of("a")
    own = pd.DataFrame({"training_run_id": ["two", "zero"], "eval/acc": [0.5, 0.1], "steps": [3, 4], "public": [1, 0]})
    found = frame.tinker.with_metrics(own)
    assert found["eval/acc"].fillna(0).tolist() == [0, 0, 0.5, 0.5]
    assert found["steps"].dtype == "Int64"
    assert "log.public" in found
    assert "public" not in found
    renamed = own.rename(columns={"training_run_id": "run"})
    assert frame.assign(run=frame["training_run_id"]).tinker.with_metrics(renamed, on="run")["steps"].sum() == 6
    for other, on, said in (
        (own, "run", "both frames need a column 'run'"),
        (renamed, None, "one of tinker_path, training_run_id"),
        (pd.concat([own, own]), None, "has 'two' twice"),
        (pd.concat([own, own[["steps"]]], axis=1), None, "two columns 'steps'"),
    ):
        with pytest.raises(InvalidRequestError, match=said):
            frame.tinker.with_metrics(other, on)


def test_a_link_in_the_metadata_becomes_a_column(tmp_path: Path) -> None:
    """`wandb_link` of the checkpoint, its run or its session becomes a column, if it is a link."""
    links = [{"wandb_link": "https://wandb.ai/x"}, {"wandb_link": "javascript:alert(1)"}, {"wandb_link": 3}, {}]
    frame = frame_of("a").assign(session_user_metadata=[json.dumps(each) for each in links])
    found = frame.tinker.with_metrics(tkf.logs(tmp_path))
    assert found["wandb_link"].fillna("").tolist() == ["https://wandb.ai/x", "", "", ""]
    assert "wandb_link" not in frame_of("a").tinker.with_metrics(tkf.logs(tmp_path))


def test_best_holds_what_it_does_not_know(tmp_path: Path) -> None:
    """By a column, a row without a number may be among the best, and is kept as not known; the plan says how many."""
    frame = frame_of("a", "b", "c").assign(**{"test/nll": [3.0, 1, 2, 2, 1, math.nan, *[math.nan] * 6]})
    rule = P.best("test/nll")
    assert rule.judge(frame).tolist()[:6] == [False, pd.NA, False, False, True, pd.NA]
    assert rule(frame).tolist()[6:] == [True] * 6
    assert list(rule.measure(frame)) == list((P.keep_last(1) | ~rule).measure(frame)) == ["test/nll"]


@pytest.fixture
def logged(server: DemoServer, client: tkf.Client, tmp_path: Path) -> pd.DataFrame:
    """The checkpoints of the demo account with the metrics of its logs."""
    return client.checkpoints().tinker.with_metrics(server.write_logs(tmp_path / "runs"))


def test_a_plan_shows_the_metric_of_what_it_keeps_and_removes(logged: pd.DataFrame) -> None:
    """The two best of each run and what is public are kept; each row of the plan has its metric, and the text its range."""
    plan = logged.tinker.retire(keep=P.best("test/nll", n=2) | P.keep_public(), after="24h")
    by_path = logged.set_index("tinker_path")["test/nll"]
    assert plan.kept is not None
    for rows in (plan.frame, plan.kept):
        assert rows["test/nll"].tolist() == pytest.approx(by_path[rows["tinker_path"]].tolist(), nan_ok=True)
    groups = logged.groupby(["training_run_id", "checkpoint_type"], observed=True)["test/nll"]
    is_best = (groups.rank(method="min") <= 2) | logged["public"].astype(bool)
    assert set(plan.kept["tinker_path"]) == set(logged.loc[is_best | logged["test/nll"].isna(), "tinker_path"])
    assert plan.frame["test/nll"].notna().all()
    lines = plan.summarize(plan.frame)
    assert any("cannot tell" in line for line in lines)
    assert any(line.startswith("test/nll: ") and "of the others" in line for line in lines)
    assert "test/nll" in repr(plan)
    assert "test/nll" in plan._repr_html_()


def test_a_view_has_metrics_as_columns(logged: pd.DataFrame) -> None:
    """A view shows the metrics before its own columns, each with its histogram."""
    state = TableState(logged.drop(columns=["num_tokens", "progress", "time/total"]))
    assert "test/nll" in state.columns[:4]
    summary = next(each for each in state.summaries()["columns"] if each["id"] == "test/nll")
    assert (summary["kind"], summary["na"]) == ("histogram", int(logged["test/nll"].isna().sum()))


def test_a_checkpoint_that_runs_were_started_from_is_held(
    logged: pd.DataFrame, client: tkf.Client, tmp_path: Path
) -> None:
    """The guard `parent` holds it where logs are given, also in a plan from a file; `allow` lifts it; without logs it holds nothing."""
    parents = set(logged.loc[logged["is_parent"], "tinker_path"])
    rest = ("public", "newest", "last_training", "sampler", "expiry")
    plan = logged.tinker.delete().allow(*rest)
    assert set(plan.frame.query("verdict == 'held'")["tinker_path"]) == parents
    assert len(parents) > 1
    assert not (plan.allow("parent").frame["verdict"] == "held").any()
    plan.save(tmp_path / "plan.json")
    again = tkf.load_plan(tmp_path / "plan.json", client=client)
    assert set(again.frame.query("verdict == 'held'")["tinker_path"]) == parents
    assert not (client.checkpoints().tinker.delete().allow(*rest).frame["verdict"] == "held").any()
    unknown = logged.assign(is_parent=pd.NA).head(1).tinker.delete().allow(*rest)
    unknown.save(tmp_path / "plan.json")
    for each in (unknown, tkf.load_plan(tmp_path / "plan.json", client=client)):
        assert each.frame["reason"].tolist() == ["not known whether a run was started from it"]
