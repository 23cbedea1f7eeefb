"""Checkpoints saved again under a planned name are never changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import tinker_frames as tkf
from tests.events import StopAfter
from tinker_frames.demo import Burst, DemoServer
from tinker_frames.functions import load_plan, resume, undo
from tinker_frames.plans.guards import GUARDS
from tinker_frames.plans.jobs import State
from tinker_frames.plans.plan import Plan

Make = Callable[..., tkf.Client]
ALL = tuple(GUARDS)
WORDS = "another checkpoint has been saved under its name since"


def save_again(server: DemoServer, tinker_path: str, *, size_bytes: int = 1000, same_time: bool = False) -> None:
    """Delete a checkpoint and save another one with the same name."""
    row = server.state.find(tinker_path)
    server.state.delete(row)
    when = {"time": row.time} if same_time else {}
    server.state.add_checkpoint(row.run, row.kind, row.name, size_bytes=size_bytes, **when)


@pytest.mark.few(3)
@pytest.mark.parametrize("from_file", [False, True])
@pytest.mark.parametrize("call", ["delete", "expire", "publish"])
def test_between_plan_and_run(
    server: DemoServer, client: tkf.Client, tmp_path: Path, call: str, from_file: bool
) -> None:
    """A checkpoint saved again, later or with another size, is skipped with the reason; the others are done."""
    frame = client.checkpoints().query("not public and expires_at.isna()").head(4)
    paths = frame["tinker_path"].tolist()
    plan: Plan = getattr(frame.tinker, call)().allow(*ALL)
    saved = plan.save(tmp_path / "plan.json")
    save_again(server, paths[0])
    save_again(server, paths[1], same_time=True)
    client.cache.clear()
    plan = load_plan(saved, client=client) if from_file else plan
    outcomes = plan.run(confirm=True).set_index("tinker_path").loc[paths]
    assert outcomes["outcome"].tolist() == ["skipped", "skipped", "done", "done"]
    assert outcomes["error"].str.contains(WORDS).tolist()[:2] == [True, True]
    for path in paths[:2]:
        row = server.state.find(path)
        assert (row.public, row.expires_at) == (False, None)


@pytest.mark.parametrize("call", ["delete", "retire"])
def test_between_listing_and_plan(server: DemoServer, client: tkf.Client, call: str) -> None:
    """A checkpoint saved again after its frame was read is refused with the reason, even if the frame's times were changed."""
    frame = client.checkpoints().query("not public").head(4)
    path = frame["tinker_path"].iloc[0]
    save_again(server, path)
    client.cache.clear()
    for rows in (frame, frame.assign(time=frame["time"].dt.floor("D"))):
        given = {"keep": tkf.policies.keep_named("no such name")} if call == "retire" else {}
        plan = getattr(rows.tinker, call)(**given).allow(*ALL)
        verdicts = plan.frame.set_index("tinker_path")[["verdict", "reason"]]
        assert verdicts.loc[path].tolist() == ["refused", f"{WORDS} the frame was read"]
        assert (verdicts["verdict"].drop(path) == "send").all()


@pytest.mark.parametrize("rows", ["frame", "paths", "merged"])
def test_a_plan_knows_no_less_than_its_frame(server: DemoServer, client: tkf.Client, rows: str) -> None:
    """A plan is not made of lists that were cached before its frame was read, nor, for rows that do not say when, of any."""
    frame = client.checkpoints()
    path = frame.query("not public")["tinker_path"].iloc[0]
    assert client.checkpoints(path.split("/")[2])["tinker_path"].eq(path).any()  # which caches its run's list
    server.state.publish(server.state.find(path))
    frame = client.checkpoints(refresh=True).query("tinker_path == @path")
    if rows != "frame":
        frame = pd.DataFrame({"tinker_path": [path]})
    frame = frame.merge(pd.DataFrame({"tinker_path": [path], "note": ["mine"]})) if rows == "merged" else frame
    assert frame.tinker.unpublish(client=client).frame["verdict"].tolist() == ["send"]


@pytest.mark.parametrize("form", ["frame", "csv", "plain csv", "xlsx"])
def test_frames_of_another_clock_or_from_files(
    server: DemoServer, client: tkf.Client, tmp_path: Path, form: str
) -> None:
    """Also a frame from a file, or read by a clock that is ahead, tells a checkpoint saved again by its time or its size; a rounded time does not."""
    frame = client.checkpoints().query("not public and size_bytes.notna()").head(4)
    paths = frame["tinker_path"].tolist()
    if form == "frame":
        frame.attrs["tinker"]["fetched_at"] = pd.Timestamp.now("UTC") + pd.Timedelta("1h")
    else:
        file = tkf.export(frame, tmp_path / f"rows.{form.rsplit(maxsplit=1)[-1]}")
        frame = pd.read_csv(file) if form == "plain csv" else tkf.read_export(file)
        frame.attrs.clear()
    save_again(server, paths[0])
    save_again(server, paths[1], same_time=True)
    client.cache.clear()
    plan = tkf.tinker(frame).delete(client=client).allow(*ALL)
    verdicts = plan.frame.set_index("tinker_path").loc[paths]
    assert verdicts["verdict"].tolist() == ["refused", "refused", "send", "send"]
    assert verdicts["reason"].str.contains(WORDS).tolist()[:2] == [True, True]
    if form == "csv":
        rounded = frame.assign(time=frame["time"].dt.floor("h"), size_bytes=None)
        assert set(tkf.tinker(rounded.tail(2)).delete(client=client).allow(*ALL).frame["verdict"]) == {"send"}


@pytest.mark.few(5)
@pytest.mark.parametrize("call", ["delete", "publish", "expire"])
@pytest.mark.parametrize("is_resumed", [False, True], ids=["run", "resume"])
def test_paths_alone_mean_what_the_plan_has_read(
    server: DemoServer, client: tkf.Client, call: str, is_resumed: bool
) -> None:
    """Of rows that hold a path and nothing else, what the plan reads first identifies the checkpoint, at run and at resume."""
    paths = client.checkpoints().query("not public and expires_at.isna()")["tinker_path"].head(12).tolist()
    client.cache.clear()
    plan: Plan = getattr(pd.DataFrame({"tinker_path": paths}).tinker, call)(client=client).allow(*ALL)
    if is_resumed:
        plan.run(confirm=True, max_workers=1, progress=StopAfter(3))
    save_again(server, paths[-1])
    outcomes = (resume(plan.id, client=client) if is_resumed else plan.run(confirm=True)).set_index("tinker_path")
    assert outcomes.loc[paths[-1], "outcome"] == "skipped"
    assert WORDS in outcomes.loc[paths[-1], "error"]
    assert (outcomes["outcome"].drop(paths[-1]) == "done").all()
    row = server.state.find(paths[-1])
    assert (row.public, row.expires_at) == (False, None)


def test_between_an_interruption_and_resume(server: DemoServer, client: tkf.Client) -> None:
    """`resume` and `undo` skip checkpoints that were saved again meanwhile."""
    frame = client.checkpoints().query("not public and expires_at.isna()").head(12)
    plan = frame.tinker.expire().allow(*ALL)
    outcomes = plan.run(confirm=True, max_workers=1, progress=StopAfter(3))
    left = outcomes.loc[outcomes["outcome"] == "skipped", "tinker_path"].tolist()
    done = outcomes.loc[outcomes["outcome"] == "done", "tinker_path"].tolist()
    save_again(server, left[0])
    finished = resume(plan.id, client=client).set_index("tinker_path")
    assert finished.loc[left[0], "outcome"] == "skipped"
    assert WORDS in finished.loc[left[0], "error"]
    assert server.state.find(left[0]).expires_at is None
    save_again(server, done[0])
    server.state.set_ttl(server.state.find(done[0]), 86_400)
    back = undo(plan, client=client).set_index("tinker_path")
    assert (back.loc[done[0], "outcome"], WORDS in back.loc[done[0], "error"]) == ("skipped", True)
    assert server.state.find(done[0]).expires_at is not None


def test_between_an_unclear_answer_and_its_repetition(server: DemoServer, client: tkf.Client) -> None:
    """A delete whose response was lost, of a name that was saved again at once, is done and not sent again."""
    plan = client.checkpoints().query("not public").head(1).tinker.delete().allow(*ALL)
    path = plan.frame["tinker_path"].iloc[0]
    delete = server.state.delete

    def delete_and_save_again(row: object) -> None:
        server.state.delete = delete  # type: ignore[method-assign]
        save_again(server, path)

    server.state.delete = delete_and_save_again  # type: ignore[method-assign,assignment]
    server.faults.bursts = [Burst("delete_checkpoint", 500, times=1, then="apply")]
    assert plan.run()["outcome"].tolist() == ["done"]
    assert server.requests.count("delete_checkpoint") == 1
    assert server.state.find(path) is not None


def test_a_size_that_is_filled_in_later_is_no_other_checkpoint() -> None:
    """An unknown size matches any size; another known size or time does not."""
    state = State(public=False, expires_at=None, size_bytes=None)
    assert state.is_same_object(replace(state, size_bytes=5))
    assert not replace(state, size_bytes=4).is_same_object(replace(state, size_bytes=5))


@pytest.mark.parametrize(("call", "ignored"), [("publish", False), ("expire", False), ("delete", True)])
def test_what_loses_its_time_is_not_known(server: DemoServer, client_of: Make, call: str, ignored: bool) -> None:
    """A checkpoint whose time can no longer be read is neither the planned one nor another: not sent, and unknown once it was."""
    client = client_of(server, retries=0)
    frame = client.checkpoints().query("not public and expires_at.isna()").head(2)
    plan: Plan = getattr(frame.tinker, call)().allow(*ALL)
    server.faults.ignore_writes = ignored

    def garble(endpoint: str, content: Any) -> Any:
        if endpoint == "list_checkpoints" and (
            is_early
            or any(
                call.method in ("PUT", "POST", "DELETE") and "/checkpoints/" in call.path for call in server.requests
            )
        ):
            for row in content["checkpoints"]:
                row["time"] = "yesterday"
        return content

    server.faults.edit = garble
    is_early = True
    outcomes = plan.run(confirm=True)
    assert outcomes["outcome"].tolist() == ["skipped"] * 2
    assert outcomes["error"].str.contains("not known: its time can no longer be read").all()
    is_early = False
    outcomes = plan.run(confirm=True)
    assert outcomes["outcome"].tolist() == ["unknown"] * 2
    assert outcomes["error"].str.contains("cannot be read").all()


@pytest.mark.parametrize("is_saved_again", [False, True])
def test_what_is_lost_after_its_write_is_said(server: DemoServer, client_of: Make, is_saved_again: bool) -> None:
    """A published checkpoint that is gone afterwards, or replaced, has failed, and its error does not say that it is as it was."""
    client = client_of(server, retries=0)
    plan = client.checkpoints().query("not public").head(1).tinker.publish()
    path = plan.frame["tinker_path"].iloc[0]

    def lose(endpoint: str, content: Any) -> Any:
        if endpoint == "list_checkpoints" and server.requests.count("publish_checkpoint"):
            content["checkpoints"] = [
                row | {"time": "2026-11-27T00:00:00Z", "public": False} if row["tinker_path"] == path else row
                for row in content["checkpoints"]
                if is_saved_again or row["tinker_path"] != path
            ]
        return content

    server.faults.edit = lose
    outcomes = plan.run(confirm=True)
    assert outcomes["outcome"].tolist() == ["failed"]
    assert (WORDS if is_saved_again else "it is gone") in outcomes["error"].iloc[0]
