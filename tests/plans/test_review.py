"""Guards are checked again at run, at resume, and for rows sent long after the last read."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import pytest

import tinker_frames as tkf
from tinker_frames import errors
from tinker_frames.demo import Burst, DemoServer
from tinker_frames.demo.data.records import Checkpoint
from tinker_frames.functions import resume
from tinker_frames.plans import review, runner
from tinker_frames.plans.guards import GUARDS

Happen = Callable[[DemoServer, str], None]


def rows_of_one_run(client: tkf.Client, least: int = 4) -> pd.DataFrame:
    """Return the private rows of a run with several, oldest first."""
    frame = client.checkpoints().query("not public").sort_values("time")
    sizes = frame.groupby("training_run_id", observed=True)["tinker_path"].transform("size")
    loaded = client.samplers()["model_path"]
    runs = frame.loc[(sizes >= least) & ~frame["tinker_path"].isin(loaded), "training_run_id"]
    return frame[frame["training_run_id"] == runs.iloc[0]]


def read_always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take every reading of a run and of samplers for too old."""
    for module in (review, runner):
        monkeypatch.setattr(module, "STALE_S", 0.0)
    monkeypatch.setattr(review, "PATIENCE", 0.0)


def load(server: DemoServer, path: str) -> None:
    """Let a sampler of a new session load a checkpoint."""
    server.state.add_sampler(path)


def make_newest(server: DemoServer, path: str) -> None:
    """Delete every later checkpoint of a run."""
    row = server.state.find(path)
    for other in list(row.run.checkpoints.values()):
        if other.time > row.time:
            server.state.delete(other)


@pytest.mark.few(2)
@pytest.mark.parametrize(("guard", "happen"), [("sampler", load), ("newest", make_newest)])
@pytest.mark.parametrize("action", ["delete", "expire"])
def test_between_plan_and_run(server: DemoServer, client: tkf.Client, guard: str, happen: Happen, action: str) -> None:
    """A row that a guard holds by now is skipped with the guard's reason; the others are done, and `allow` lifts it."""
    rows = rows_of_one_run(client)
    paths = rows["tinker_path"].tolist()[:3]
    plan = getattr(rows.head(3).tinker, action)()
    sent = set(plan.frame.query("verdict == 'send'")["tinker_path"])
    assert paths[2] in sent
    happen(server, paths[2])
    outcomes = plan.run(confirm=True).set_index("tinker_path")
    assert outcomes.loc[paths[2], ["outcome", "error"]].tolist() == ["skipped", GUARDS[guard].reason]
    assert set(outcomes.loc[sorted(sent - {paths[2]}), "outcome"]) <= {"done"}
    again = rows.iloc[[2]].tinker.delete().allow(guard)
    assert again.run(confirm=True)["outcome"].tolist() == ["done"]


@pytest.mark.few(2)
@pytest.mark.parametrize(("guard", "happen"), [("sampler", load), ("newest", make_newest)])
def test_between_an_interruption_and_resume(server: DemoServer, client: tkf.Client, guard: str, happen: Happen) -> None:
    """`resume` checks the guards that the plan did not lift against the current state."""
    rows = rows_of_one_run(client)
    plan = rows.head(3).tinker.delete()
    (last,) = plan.frame.loc[plan.frame["verdict"] == "send", "tinker_path"].tolist()[2:]
    plan.run(confirm=True, deadline=0)
    happen(server, last)
    outcomes = resume(plan.id, client=client).set_index("tinker_path")
    assert outcomes.loc[last, ["outcome", "error"]].tolist() == ["skipped", GUARDS[guard].reason]
    assert server.state.find(last) is not None


@pytest.mark.few(2)
@pytest.mark.parametrize(("guard", "happen"), [("sampler", load), ("newest", make_newest)])
def test_for_rows_that_are_sent_long_after_the_last_reading(
    server: DemoServer, client: tkf.Client, monkeypatch: pytest.MonkeyPatch, guard: str, happen: Happen
) -> None:
    """Changes during a run hold the rows sent later than the time limit."""
    read_always(monkeypatch)
    rows = rows_of_one_run(client).head(3)
    plan, paths, delete = rows.tinker.delete(), rows["tinker_path"].tolist(), server.state.delete

    def delete_and_go_on(row: Checkpoint) -> None:
        server.state.delete = delete  # type: ignore[method-assign]
        delete(row)
        happen(server, paths[2])

    server.state.delete = delete_and_go_on  # type: ignore[method-assign]
    outcomes = plan.run(confirm=True, max_workers=1).set_index("tinker_path")
    assert outcomes.loc[paths[0], "outcome"] == "done"
    assert outcomes.loc[paths[2], ["outcome", "error"]].tolist() == ["skipped", GUARDS[guard].reason]


def test_what_becomes_public_meanwhile_is_left_whatever_is_allowed(
    server: DemoServer, client: tkf.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`allow("public")` lifts the guard on rows shown as public; a row published during the run is kept."""
    read_always(monkeypatch)
    rows = rows_of_one_run(client).head(3)
    paths, delete = rows["tinker_path"].tolist(), server.state.delete

    def delete_and_publish(row: Checkpoint) -> None:
        server.state.delete = delete  # type: ignore[method-assign]
        delete(row)
        server.state.publish(server.state.find(paths[2]))

    server.state.delete = delete_and_publish  # type: ignore[method-assign]
    outcomes = rows.tinker.delete().allow(*GUARDS).run(confirm=True, max_workers=1).set_index("tinker_path")
    assert outcomes.loc[paths[2], "outcome"] == "skipped"
    assert "become public" in outcomes.loc[paths[2], "error"]


def test_a_reading_that_fails_on_the_way_leaves_rows_alone(
    server: DemoServer, client: tkf.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows whose guards cannot be checked again are skipped, and the other outcomes are kept."""
    read_always(monkeypatch)
    rows, read = rows_of_one_run(client).head(3), client._reader.read_model_paths
    plan = rows.tinker.delete()

    def read_once(**options: bool) -> object:
        if server.requests.count("delete_checkpoint"):
            raise errors.ConnectionFailedError("the connection was reset")
        return read(**options)

    monkeypatch.setattr(client._reader, "read_model_paths", read_once)
    outcomes = plan.run(confirm=True, max_workers=1)
    assert outcomes["outcome"].tolist() == ["done", "skipped", "skipped"]
    assert set(outcomes["error"].iloc[1:]) == {"its run could not be read"}


@pytest.mark.parametrize(("call", "lifted", "samplers"), [("delete", (), True), ("delete", ("sampler",), False), ("publish", (), False)])  # fmt: skip
def test_samplers_are_read_only_where_they_count(
    server: DemoServer, client: tkf.Client, call: str, lifted: tuple[str, ...], samplers: bool
) -> None:
    """A plan reads each run once before and once after; samplers only if their guard could hold a row."""
    rows = rows_of_one_run(client).head(2)
    plan = getattr(rows.tinker, call)().allow(*lifted)
    server.requests.clear()
    assert set(plan.run(confirm=2)["outcome"]) == {"done"}
    assert server.requests.count("list_checkpoints") == 2
    assert (server.requests.count("search_sessions") > 0) == samplers


def test_rows_are_sent_run_by_run(server: DemoServer, client: tkf.Client) -> None:
    """Rows in any order are sent run by run, so that they share the readings of their run; the outcomes keep the order of the plan."""
    rows = client.checkpoints().query("not public").sample(frac=1, random_state=1).head(12)
    plan = rows.tinker.delete().allow(*GUARDS)
    server.requests.clear()
    assert plan.run(confirm=True, max_workers=1)["tinker_path"].tolist() == rows["tinker_path"].tolist()
    runs = [call.path.split("/")[4] for call in server.requests.to("delete_checkpoint")]
    turns = [run for run, before in zip(runs, ["", *runs], strict=False) if run != before]
    assert len(turns) == len(set(runs)) > 1
    last = server.requests.to("delete_checkpoint")[-1].started
    readings = [call for call in server.requests.to("list_checkpoints") if call.started < last and not call.query]
    assert len(readings) == len(turns)


@pytest.mark.usefixtures("settles_soon")
def test_a_guard_holds_a_row_between_its_attempts(
    server: DemoServer, client: tkf.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row that becomes public while it waits for its next attempt is not sent again, and has failed."""
    read_always(monkeypatch)
    rows = rows_of_one_run(client).head(1)
    path = rows["tinker_path"].iloc[0]
    server.faults.bursts = [Burst("delete_checkpoint", 503, times=1)]
    plan = rows.tinker.delete()

    def publish(endpoint: str, content: object) -> object:
        if endpoint == "list_checkpoints" and server.requests.count("delete_checkpoint"):
            server.faults.edit = None
            server.state.publish(server.state.find(path))
        return content

    server.faults.edit = publish
    outcomes = plan.run(confirm=True)
    assert outcomes["outcome"].tolist() == ["failed"]
    assert "become public" in outcomes["error"].iloc[0]
    assert server.requests.count("delete_checkpoint") == 1
