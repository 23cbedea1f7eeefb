"""A plan before and around its run: verdicts, guards, confirmation, editing, saving."""

from __future__ import annotations

import json
import os
import pty
import re
import stat
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import tinker_frames as tkf
from tests.test_policies import RULE
from tinker_frames import errors
from tinker_frames import policies as P  # noqa: N812
from tinker_frames.demo import DemoServer
from tinker_frames.functions import journal, load_plan, undo
from tinker_frames.plans.guards import GUARDS
from tinker_frames.plans.plan import Plan

Make = Callable[..., tkf.Client]
ALL = tuple(GUARDS)
WRITES = ("delete_checkpoint", "publish_checkpoint", "unpublish_checkpoint", "set_checkpoint_ttl")


def writes(server: DemoServer) -> int:
    return sum(server.requests.count(name) for name in WRITES)


# ── what a plan says ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_making_and_showing_a_plan_sends_no_write(server: DemoServer, client: tkf.Client) -> None:
    """Nothing is sent by making, editing, showing or saving a plan, whatever it plans."""
    frame = client.checkpoints()
    accessor = frame.tinker
    plans = [accessor.publish(), accessor.unpublish(), accessor.set_ttl("30d"), accessor.set_ttl(None)]
    plans += [
        accessor.delete(),
        accessor.expire(),
        accessor.retire(P.keep_last(1)),
        accessor.retire(P.keep_last(1), after="2h"),
    ]
    for plan in plans:
        assert len(plan) > 0
        assert repr(plan.allow(*ALL).drop(plan.frame["tinker_path"].iloc[0])) + plan._repr_html_()
    assert writes(server) == 0


@pytest.mark.parametrize("call", ["publish", "delete", "set_ttl"])
def test_the_frame_of_a_plan_has_one_layout(shared_client: tkf.Client, call: str) -> None:
    """Columns and dtypes are the same for full and empty plans; times are UTC, flags three-valued, sizes whole numbers."""
    frame = shared_client.checkpoints()
    given_ttl = ["30d"] if call == "set_ttl" else []
    full, empty = (getattr(part.tinker, call)(*given_ttl).frame for part in (frame, frame.head(0)))
    assert len(full) == len(frame)
    assert len(empty) == 0
    assert list(full.columns) == list(empty.columns)
    assert list(full.columns[:5]) == ["verdict", "tinker_path", "action", "reason", "warnings"]
    for part in (full, empty):
        for column in ("time", "expires_at", "expires_after"):
            assert str(part[column].dtype) == "datetime64[us, UTC]", column
        for column in ("public", "public_after", "loaded_by_sampler"):
            assert str(part[column].dtype) == "boolean", column
        assert str(part["size_bytes"].dtype) == "Int64"
    assert full["tinker_path"].is_unique
    assert set(full["verdict"]) <= {"send", "held", "unchanged", "refused"}
    assert (full.loc[full["verdict"] != "send", "reason"] != "").all()


def test_the_frame_says_what_it_leads_to(shared_client: tkf.Client) -> None:
    """Public and expiry before and after, for each action."""
    frame = shared_client.checkpoints()
    now = pd.Timestamp.now("UTC")
    delete, publish, ttl = frame.tinker.delete().frame, frame.tinker.publish().frame, frame.tinker.set_ttl("30d").frame
    assert delete[["public_after", "expires_after"]].isna().all(axis=None)
    assert publish["public_after"].all()
    assert publish["expires_after"].equals(publish["expires_at"])
    assert ttl["public_after"].equals(ttl["public"])
    assert ((ttl["expires_after"] - now - timedelta(days=30)).abs() < timedelta(minutes=1)).all()
    assert frame.tinker.set_ttl(None).frame["expires_after"].isna().all()


@pytest.mark.parametrize(
    "query", ["tinker_path.to_csv({file!r}) == 1", "@pd.io.common.os.system('touch {file}')", "size_gb + 1", ""]
)
def test_only_takes_a_condition_and_nothing_else(shared_client: tkf.Client, tmp_path: Path, query: str) -> None:
    """A query that could write a file or call a module, or that is not a condition, is refused as `--where` refuses it."""
    plan = shared_client.checkpoints().tinker.delete()
    file = tmp_path / "written"
    with pytest.raises(errors.InvalidRequestError, match="the query"):
        plan.only(query.format(file=str(file)))
    assert not file.exists()


# ── guards ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def list_loaded(client: tkf.Client) -> set[str]:
    """Return what samplers of sessions that may still be active have loaded, found another way than the package does."""
    sessions, samplers = client.sessions(), client.samplers()
    active = sessions.loc[sessions["status"].isna() | (sessions["status"] == "active"), "session_id"]
    return set(samplers.loc[samplers["session_id"].isin(active), "model_path"].dropna())


def reasons_to_keep(frame: pd.DataFrame, loaded: set[str]) -> pd.Series:
    """Return for each path the guards that should hold it, found another way than the package does."""
    newest = frame.sort_values("time").groupby("training_run_id", observed=True)["tinker_path"].last()
    training = frame[frame["checkpoint_type"] == "training"].sort_values("time")
    last = training.groupby("training_run_id", observed=True)["tinker_path"].last()
    flags = pd.DataFrame(
        {
            "public": frame["public"].fillna(False).astype(bool),
            "newest": frame["tinker_path"].isin(newest),
            "last_training": frame["tinker_path"].isin(last),
            "sampler": frame["tinker_path"].isin(loaded),
        }
    ).set_axis(frame["tinker_path"])
    return flags.apply(lambda row: frozenset(row.index[row]), axis=1)


def test_guards_hold_what_a_delete_would_take_from_somebody(shared_client: tkf.Client) -> None:
    """Public rows, the newest and the last training state of their run and those loaded by a sampler are set aside with each reason, and `allow` lifts each."""
    frame = shared_client.checkpoints()
    expected = reasons_to_keep(frame, list_loaded(shared_client))
    assert {guard for guards in expected for guard in guards} == set(ALL) - {"expiry", "parent"}
    for allowed in ((), ("public",), ("newest", "sampler"), ("last_training",), ALL):
        plan = frame.tinker.delete().allow(*allowed).frame.set_index("tinker_path")
        for path, guards in expected.items():
            lifted = {"last_training"} if {"newest"} <= guards & set(allowed) else set()  # who gives up both means it
            left = guards - set(allowed) - lifted
            assert plan.loc[path, "verdict"] == ("held" if left else "send")
            assert set(plan.loc[path, "reason"].split("; ")) - {""} == {GUARDS[guard].reason for guard in left}
    with pytest.raises(errors.InvalidRequestError, match="no guard 'everything'"):
        frame.tinker.delete().allow("everything")


def test_guards_hold_only_what_shortens_a_life(shared_client: tkf.Client) -> None:
    """Delete, expire and a TTL earlier than today's expiry are guarded; publishing, unpublishing and lengthening are not."""
    frame = shared_client.checkpoints()
    guarded = set(frame.tinker.delete().frame.query("verdict == 'held'")["tinker_path"])
    for plan in (frame.tinker.publish(), frame.tinker.unpublish(), frame.tinker.set_ttl(None)):
        assert not (plan.frame["verdict"] == "held").any()
    month = frame.tinker.set_ttl("30d").frame
    later = month["expires_at"].notna() & (month["expires_at"] < month["expires_after"])
    held = month["verdict"] == "held"
    assert later.any()
    assert not (held & later).any()
    assert set(month.loc[held, "tinker_path"]) == guarded - set(month.loc[later, "tinker_path"])
    day = frame.tinker.expire("24h").frame
    sooner = day["expires_at"] <= day["expires_after"]
    assert set(day.loc[sooner, "verdict"]) == {"unchanged"}
    assert set(day.loc[day["verdict"] == "held", "tinker_path"]) == guarded - set(day.loc[sooner, "tinker_path"])


@pytest.mark.parametrize("call", ["delete", "retire"])
def test_rows_without_a_path_are_refused_and_counted(client: tkf.Client, call: str) -> None:
    """Rows whose `tinker_path` is NA are one refused row with their number, and the others are planned."""
    frame = client.checkpoints().query("not public").head(5)
    frame.loc[frame.index[:2], "tinker_path"] = None
    plan = frame.tinker.delete() if call == "delete" else frame.tinker.retire(P.keep_every(10**9))
    refused = plan.frame.query("verdict == 'refused'")
    assert refused[["tinker_path", "reason"]].to_numpy().tolist() == [["", "2 rows have no tinker_path"]]
    assert len(plan) == 4
    assert "2 rows have no tinker_path" in repr(plan)
    outcomes = plan.allow(*ALL).run(confirm=3).set_index("tinker_path")
    assert outcomes.loc["", ["outcome", "error"]].tolist() == ["skipped", "2 rows have no tinker_path"]
    assert (outcomes["outcome"] == "done").sum() == 3


@pytest.mark.parametrize("confirm", ["3", 3.0, [3], "yes"])
def test_a_confirmation_of_another_type_is_named(client: tkf.Client, confirm: Any) -> None:
    """`confirm` is a number or a truth value; anything else raises before anything is sent, and numpy's numbers are numbers."""
    plan = client.checkpoints().query("not public").head(3).tinker.publish()
    with pytest.raises(errors.ArgumentTypeError, match="confirm must be"):
        plan.run(confirm=confirm)
    assert plan.run(confirm=np.int64(3))["outcome"].tolist() == ["done"] * 3


def test_refused_rows_are_never_sent(server: DemoServer, client: tkf.Client) -> None:
    """Unknown, unsafe and other people's paths are refused with the reason, in plan and outcome, and only the good row is sent."""
    other = next(
        run for run in server.state.runs("accessible") if run.session.owner is not server.state.me and run.checkpoints
    )
    good = client.checkpoints().query("not public").iloc[0]["tinker_path"]
    run = good.split("/")[2]
    bad = [
        next(iter(other.checkpoints.values())).tinker_path,
        f"tinker://{run}/weights/gone",
        f"tinker://{run}/weights/../..",
        f"tinker://{run}/optimizer/1",
        f"tinker://{run}/weights/a/publish",
        "file:///etc/passwd",
        "",
    ]
    plan = pd.DataFrame({"tinker_path": [*bad, good, None]}).tinker.delete(client=client).allow(*ALL)
    assert plan.frame["verdict"].tolist() == ["refused"] * len(bad) + ["send"]
    outcomes = plan.run(confirm=1)
    assert outcomes.set_index("tinker_path").loc[bad, "outcome"].tolist() == ["skipped"] * len(bad)
    assert outcomes["error"].notna().sum() == len(bad)
    assert writes(server) == 1
    assert server.state.find(good) is None


# ── confirmation ─────────────────────────────────────────────────────────────────────────────────────────────────────


def plan_private_delete(client: tkf.Client, rows: int) -> Plan:
    return client.checkpoints().query("not public").head(rows).tinker.delete().allow(*ALL)


def test_ten_private_rows_need_no_confirmation(server: DemoServer, client: tkf.Client) -> None:
    """Up to ten private rows are changed when asked, whatever is done to them but publishing."""
    assert set(plan_private_delete(client, 10).run()["outcome"]) == {"done"}
    frame = client.checkpoints().query("not public and expires_at.notna()").head(10)
    assert set(frame.tinker.set_ttl(None).run()["outcome"]) == {"done"}


@pytest.mark.few(3)
@pytest.mark.parametrize("action", ["publish", "unpublish", "set_ttl", "expire", "delete"])
def test_every_action_on_many_rows_and_any_publishing_needs_its_number(
    server: DemoServer, client: tkf.Client, action: str
) -> None:
    """More than ten rows of any action need confirmation, and so does one row that becomes public."""
    for row in list(server.state.runs("owned")):
        for checkpoint in row.checkpoints.values():
            checkpoint.public = action == "unpublish"
    rows = client.checkpoints(refresh=True)
    given = {"ttl": None} if action == "set_ttl" else {}
    rows = rows.query("expires_at.notna()" if action == "set_ttl" else "expires_at.isna()").head(11)
    plan = getattr(rows.tinker, action)(**given).allow(*ALL)
    for part in [plan] + [plan.only(plan.frame.index == 1)] * (action == "publish"):
        number = len(part)
        with pytest.raises(
            errors.ConfirmationNeededError, match=f"{number} checkpoints? will .* not confirmed.*confirm={number}"
        ) as refused:
            part.run()
        assert refused.value.rows == number
    assert writes(server) == 0
    assert set(plan.run(confirm=11)["outcome"]) == {"done"}


def test_false_never_runs(server: DemoServer, client: tkf.Client) -> None:
    """`confirm=False` sends nothing, also where no confirmation is needed."""
    with pytest.raises(errors.ConfirmationNeededError, match=r"by confirm=False.*confirm=1\b"):
        plan_private_delete(client, 1).run(confirm=False)
    assert writes(server) == 0


@pytest.mark.parametrize("confirm", [None, False, 10])
def test_eleven_rows_need_their_number(server: DemoServer, client: tkf.Client, confirm: Any) -> None:
    """Without the right number nothing is sent or journaled, and the error has the number; with the number or True the plan runs."""
    plan = plan_private_delete(client, 11)
    with pytest.raises(
        errors.InvalidRequestError, match=r"11 checkpoints will be deleted.*nothing was sent.*confirm=11"
    ):
        plan.run(confirm=confirm)
    assert writes(server) == 0
    assert len(journal(client=client)) == 0
    assert set(plan.run(confirm=11 if confirm else True)["outcome"]) == {"done"}


def test_a_wrong_number_is_refused_even_where_none_is_needed(server: DemoServer, client: tkf.Client) -> None:
    """A plan of three rows does not run with `confirm=5`."""
    for plan in (plan_private_delete(client, 3), client.checkpoints().query("not public").head(3).tinker.publish()):
        with pytest.raises(errors.InvalidRequestError, match="confirm=3"):
            plan.run(confirm=5)
    assert writes(server) == 0


def test_one_public_row_needs_its_number(server: DemoServer, client: tkf.Client) -> None:
    """Deleting or expiring a public row, or shortening its TTL, needs confirmation; unpublishing it does not."""
    rows = client.checkpoints().query("public").head(1)
    for plan in (rows.tinker.delete(), rows.tinker.expire(), rows.tinker.set_ttl("2h")):
        with pytest.raises(errors.InvalidRequestError, match="public ones among them"):
            plan.allow(*ALL).run()
    assert writes(server) == 0
    assert rows.tinker.unpublish().run()["outcome"].tolist() == ["done"]


@pytest.mark.parametrize(("typed", "runs"), [(" 11 ", True), ("10", False), ("", False)])
def test_a_person_at_a_terminal_is_asked_for_the_number(
    server: DemoServer,
    client: tkf.Client,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    typed: str,
    runs: bool,
) -> None:
    """On a terminal the row count is asked for below the plan's summary, and only that number runs it."""
    plan = plan_private_delete(client, 11)
    master, slave = pty.openpty()
    with os.fdopen(slave, "r") as terminal:
        monkeypatch.setattr(sys, "stdin", terminal)
        os.write(master, f"{typed}\n".encode())
        capsys.readouterr()
        if runs:
            assert set(plan.run()["outcome"]) == {"done"}
        else:
            with pytest.raises(errors.InvalidRequestError, match="nothing was sent"):
                plan.run()
    os.close(master)
    question = capsys.readouterr().out
    assert question.startswith("11 of 11 checkpoints, ")
    assert 'a delete cannot be undone; to be able to, use expire(after="24h")' in question
    assert "Type 11 to confirm: " in question
    assert writes(server) == (11 if runs else 0)


def test_a_terminal_that_is_closed_is_no_confirmation(
    server: DemoServer, client: tkf.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """End of input instead of a number is refused like a script without one."""
    plan = plan_private_delete(client, 11)
    master, slave = pty.openpty()
    with os.fdopen(slave, "r") as terminal:
        monkeypatch.setattr(sys, "stdin", terminal)
        os.write(master, b"\x04")
        with pytest.raises(errors.InvalidRequestError, match="confirm=11"):
            plan.run()
    os.close(master)
    assert writes(server) == 0


# ── what changed since ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("saved", [False, True])
def test_rows_that_changed_since_are_not_touched(
    server: DemoServer, client: tkf.Client, tmp_path: Path, saved: bool
) -> None:
    """Published, given another expiry, or deleted since the plan was made or saved: skipped with what happened; the rest is done."""
    frame = client.checkpoints().query("not public and expires_at.isna()").head(6)
    plan = frame.tinker.delete().allow(*ALL)
    plan.save(tmp_path / "plan.json")
    published, limited, deleted = (server.state.find(path) for path in frame["tinker_path"].iloc[:3])
    server.state.publish(published)
    server.state.set_ttl(limited, 86_400)
    server.state.delete(deleted)
    client.cache.clear()
    again = load_plan(tmp_path / "plan.json", client=client) if saved else plan
    outcomes = again.run().set_index("tinker_path").loc[frame["tinker_path"]]
    assert outcomes["outcome"].tolist() == ["skipped"] * 3 + ["done"] * 3
    words = (
        ["become public", "expiry has changed", "gone"]
        if not saved
        else ["become public", "expiry has changed", "not among"]
    )
    for word, error in zip(words, outcomes["error"].iloc[:3], strict=True):
        assert word in error
    assert writes(server) == 3
    assert server.state.find(published.tinker_path)
    assert server.state.find(limited.tinker_path)


def test_what_is_already_so_is_unchanged_and_not_sent(server: DemoServer, client: tkf.Client) -> None:
    """A row that became as wished by itself ends as unchanged."""
    frame = client.checkpoints()
    plan = frame[frame["public"]].head(2).tinker.publish()
    assert set(plan.frame["verdict"]) == {"unchanged"}
    assert set(plan.run()["outcome"]) == {"unchanged"}
    assert writes(server) == 0


def test_a_plan_that_ran_can_run_again_and_its_first_run_stays_known(server: DemoServer, client: tkf.Client) -> None:
    """A second run is a plan of its own in the journal, touches nothing that is done, and the first can still be undone."""
    frame = client.checkpoints().query("not public and expires_at.isna()").head(3)
    plan = frame.tinker.expire().allow(*ALL)
    assert "It ran at" not in repr(plan)
    plan.run()
    assert re.search(r"^Plan that has run: .*\nIt ran at [-\d]+ [\d:]+ UTC: 3 done\.$", repr(plan), re.DOTALL)
    assert "UTC: 3 done." in plan._repr_html_()
    second = plan.run()
    assert re.search(r"It ran at [-\d]+ [\d:]+ UTC: 3 done; at [-\d]+ [\d:]+ UTC: 3 \w+\.$", repr(plan))
    assert set(second["outcome"]) <= {"skipped", "unchanged"}
    assert second.attrs["tinker"]["plan"] != plan.id
    assert set(journal(client=client).query("plan == @plan.id")["outcome"]) == {"done"}
    assert set(undo(plan, client=client)["outcome"]) == {"done"}
    assert re.search(r"UTC: 3 \w+\. It was undone at [-\d]+ [\d:]+ UTC: 3 done\.$", repr(plan))
    assert client.checkpoints().query("tinker_path in @frame.tinker_path")["expires_at"].isna().all()


def test_a_plan_is_shown_without_its_journal(shared_client: tkf.Client) -> None:
    """Where the journal cannot be read, a plan is shown as one that has not run."""
    folder = shared_client.planner.journal().folder
    folder.parent.mkdir(parents=True)
    folder.write_text("no folder")
    assert repr(shared_client.checkpoints().head(1).tinker.expire()).endswith("Nothing is sent until plan.run().")


# ── editing ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_editing_returns_new_plans_and_leaves_the_old(shared_client: tkf.Client) -> None:
    """`only` and `drop` by mask, function and query, and `allow`, give other plans of the right rows; the first is as it was."""
    plan = shared_client.checkpoints().head(40).tinker.delete()
    before = plan.frame
    mask = before["size_gb"] > before["size_gb"].median()
    wanted = before.loc[mask, "tinker_path"].tolist()
    edited = [plan.only(mask), plan.only(lambda frame: frame["size_gb"] > frame["size_gb"].median())]
    edited += [plan.only(f"size_gb > {before['size_gb'].median()}"), plan.drop(before.loc[~mask, "tinker_path"])]
    edited += [plan.drop(f"size_gb <= {before['size_gb'].median()} or size_gb.isna()")]
    for other in edited:
        assert other.frame["tinker_path"].tolist() == wanted
        assert other.id != plan.id
    assert len(plan.drop(wanted[0])) == 39
    assert plan.allow("public").allowed == {"public"}
    assert plan.allowed == frozenset()
    pd.testing.assert_frame_equal(plan.frame.drop(columns="expires_after"), before.drop(columns="expires_after"))
    assert len(plan) == 40


# ── saving ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_saved_plan_comes_back_as_it_was(
    shared_server: DemoServer, shared_client: tkf.Client, tmp_path: Path
) -> None:
    """Action, rows, requests, guards and reasons survive the file, which holds no key; what was a file before is replaced whole."""
    target = tmp_path / "plan.json"
    target.write_text("something else")
    plan = shared_client.checkpoints().head(30).tinker.retire(P.keep_last(1), after="36h").allow("newest")
    assert plan.save(target) == target
    back = load_plan(target, client=shared_client)
    assert (back.id, back.action, back.allowed, back.rule) == (plan.id, plan.action, plan.allowed, plan.rule)
    columns = ["tinker_path", "verdict", "reason", "warnings", "expires_at"]
    pd.testing.assert_frame_equal(back.frame[columns], plan.frame[columns])
    assert shared_server.key not in target.read_text()
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["plan.json"]
    assert stat.S_ISREG(target.stat().st_mode)


def test_what_a_saved_plan_does_not_send_is_not_sent(server: DemoServer, client: tkf.Client, tmp_path: Path) -> None:
    """What was held or refused when a plan was saved stays so, though no guard would hold it now, and nothing refuse it."""
    first, far, replaced = (list(run.checkpoints.values()) for run in server.state.runs()[:3])
    rows = [max((row for row in first if row.kind == "training"), key=lambda row: row.time), far[0], replaced[0]]
    newest = server.state.add_checkpoint(rows[0].run, "sampler")
    server.state.set_ttl(rows[1], 3650 * 86_400 - 60)
    paths = [row.tinker_path for row in rows]
    frame = client.checkpoints().query("tinker_path in @paths")
    server.state.delete(rows[2])
    server.state.add_checkpoint(rows[2].run, rows[2].kind, rows[2].name)
    client.cache.clear()
    plans = [
        frame.tinker.delete().only(paths[::2]).allow("public", "newest", "sampler"),
        frame.tinker.extend("30d").only([paths[1]]),
    ]
    assert [verdict for plan in plans for verdict in plan.frame["verdict"]] == ["held", "refused", "refused"]
    server.state.delete(newest)
    client.cache.clear()
    for plan in plans:
        back = load_plan(plan.save(tmp_path / "plan.json"), client=client)
        assert back.frame["reason"].tolist() == plan.frame["reason"].tolist()
        assert back.run(confirm=True)["outcome"].eq("skipped").all()


@pytest.mark.parametrize("content", ["", "no json", "[]", "{}", '{"tinker_frames_plan": 99}', '{"tinker_frames_plan": 1, "action": "destroy"}'])  # fmt: skip
def test_what_is_no_plan_is_refused(shared_client: tkf.Client, tmp_path: Path, content: str) -> None:
    """Other files are an error with the path, not a plan of something."""
    target = tmp_path / "x.json"
    target.write_text(content)
    with pytest.raises(errors.InvalidRequestError, match=r"x\.json is not a saved plan"):
        load_plan(target, client=shared_client)


def test_a_damaged_plan_is_refused(shared_client: tkf.Client, tmp_path: Path) -> None:
    """A plan that lacks a part is refused like a file that is none."""
    target = shared_client.checkpoints().head(3).tinker.delete().save(tmp_path / "x.json")
    content = json.loads(target.read_text())
    for name in ("id", "account", "base_url", "rows", "allowed"):
        target.write_text(json.dumps({key: value for key, value in content.items() if key != name}))
        with pytest.raises(errors.InvalidRequestError, match="is not a saved plan"):
            load_plan(target, client=shared_client)


def change(content: dict[str, Any], **values: Any) -> None:
    content.update(values)


def change_row(content: dict[str, Any], name: str, **values: Any) -> None:
    content["rows"][0][name].update(values)


EDITS: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "account null": (lambda plan: change(plan, account=None), "account"),
    "allowed as text": (lambda plan: change(plan, allowed="public"), "allowed"),
    "unknown guard": (lambda plan: change(plan, allowed=["everything"]), "no guard 'everything'"),
    "action as a list": (lambda plan: change(plan, action=["delete"]), "action"),
    "choosing action": (lambda plan: change(plan, action="retire"), "no action 'retire'"),
    "id as a path": (lambda plan: change(plan, id="../../x"), "not the id of a plan"),
    "undoes as a path": (lambda plan: change(plan, undoes="../x"), "not the id of a plan"),
    "rows twice": (lambda plan: plan["rows"].append(plan["rows"][0]), "occurs in it twice"),
    "rows null": (lambda plan: change(plan, rows=None), "rows"),
    "row without path": (lambda plan: plan["rows"][0].pop("tinker_path"), "tinker_path"),
    "row without state": (lambda plan: plan["rows"][0].pop("before"), "before"),
    "TTL too short": (lambda plan: change_row(plan, "expiry", ttl_seconds=5), "an hour to ten years"),
    "TTL too long": (lambda plan: change_row(plan, "expiry", ttl_seconds=10**12), "an hour to ten years"),
    "TTL as text": (lambda plan: change_row(plan, "expiry", ttl_seconds="1d"), "ttl_seconds"),
    "TTL true": (lambda plan: change_row(plan, "expiry", ttl_seconds=True), "ttl_seconds"),
    "TTL null": (lambda plan: change_row(plan, "expiry", ttl_seconds=None), "None|TTL|duration"),
    "no TTL": (lambda plan: change(plan["rows"][0], expiry={}), "lacks 'ttl_seconds'"),
    "misspelt TTL": (lambda plan: change(plan["rows"][0], expiry={"ttl": 86400, "until": None}), "'ttl'|'ttl_seconds'"),
    "misspelt guards": (lambda plan: change(plan, allow=["public"]), "unknown field 'allow'"),
    "state without access": (lambda plan: plan["rows"][0]["before"].pop("public"), "public"),
    "TTL of a delete": (lambda plan: change(plan, action="delete"), "takes no TTL"),
    "time of expiry": (lambda plan: change_row(plan, "expiry", until="2036-01-01T00:00:00Z"), "no time of expiry"),
    "public as text": (lambda plan: change_row(plan, "before", public="no"), "public"),
    "odd expiry": (lambda plan: change_row(plan, "before", expires_at="soon"), "expires_at"),
    "no time zone": (lambda plan: change_row(plan, "before", expires_at="2026-12-01T00:00:00"), "no time zone"),
}


@pytest.mark.parametrize(("edit", "words"), EDITS.values(), ids=EDITS)
def test_an_edited_plan_is_checked_as_arguments_are(
    shared_client: tkf.Client, saved_plan: Path, tmp_path: Path, edit: Callable[[dict[str, Any]], Any], words: str
) -> None:
    """What no call could have made is refused with the file and what is wrong with it."""
    content = json.loads(saved_plan.read_text())
    edit(content)
    target = tmp_path / "edited.json"
    target.write_text(json.dumps(content))
    with pytest.raises(errors.InvalidRequestError, match=rf"edited\.json is not a saved plan.*({words})"):
        load_plan(target, client=shared_client)


@pytest.fixture(scope="module")
def saved_plan(shared_server: DemoServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved plan to let three checkpoints expire."""
    folder = tmp_path_factory.mktemp("saved")
    with tkf.Client(shared_server.key, shared_server.url, cache_dir=folder) as client:
        return client.checkpoints().head(3).tinker.expire().save(folder / "plan.json")


def test_a_saved_plan_finds_the_open_client_of_its_account(client: tkf.Client, tmp_path: Path) -> None:
    """Without `client=` or a default client, a file is loaded by the client that is open for its account."""
    plan = client.checkpoints().head(2).tinker.expire()
    assert load_plan(plan.save(tmp_path / "plan.json")).id == plan.id


def test_rows_of_different_ttls_are_described_as_such(shared_client: tkf.Client, tmp_path: Path) -> None:
    """A file in which one row shall never expire is no plan of one TTL for all."""
    target = shared_client.checkpoints().head(3).tinker.set_ttl("30d").save(tmp_path / "plan.json")
    content = json.loads(target.read_text())
    change_row(content, "expiry", ttl_seconds=None)
    target.write_text(json.dumps(content))
    assert "expire at their own time" in str(load_plan(target, client=shared_client))


def test_a_file_that_cannot_be_read_is_said(shared_client: tkf.Client, tmp_path: Path) -> None:
    """A missing file and a folder are errors of ours, with words."""
    for path in (tmp_path / "nowhere.json", tmp_path):
        with pytest.raises(errors.InvalidRequestError, match=f"{path} cannot be read"):
            load_plan(path, client=shared_client)


def test_a_plan_of_another_account_is_refused(client_of: Make, tmp_path: Path) -> None:
    """Loading with a client of another account names both accounts and reads nothing of them."""
    with DemoServer(runs=4, keys={"tml-one": 1, "tml-two": 2}) as server:
        one, two = client_of(server, api_key="tml-one"), client_of(server, api_key="tml-two")
        target = one.checkpoints().head(3).tinker.delete().save(tmp_path / "plan.json")
        with pytest.raises(errors.InvalidRequestError, match=f"{one.account}.*{two.account}"):
            load_plan(target, client=two)


# ── retire ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def account_to_retire() -> Any:
    with tkf.demo.account(runs=14, seed=3, hostile=True) as client:
        yield client, client.checkpoints()


@pytest.mark.slow
@settings(max_examples=15, suppress_health_check=list(HealthCheck))
@given(rule=RULE, data=st.data())
def test_a_kept_row_never_appears_in_the_plan(account_to_retire: Any, rule: P.Rule, data: st.DataObject) -> None:
    """For any rule and any part of an account, with rows given twice: kept and retired are a partition, each with its reason."""
    client, frame = account_to_retire
    places = data.draw(st.lists(st.integers(0, len(frame) - 1), max_size=40))
    part = frame.iloc[places]
    try:
        plan = part.tinker.retire(keep=rule, client=client)
    except errors.InvalidRequestError as error:  # `best` of rows none of which has the number
        assume("would keep nothing" not in str(error))
        raise
    kept, retired = set(plan.kept["tinker_path"]), set(plan.rows["tinker_path"])
    assert not kept & retired
    assert kept | retired == set(part["tinker_path"])
    assert (plan.kept["reason"] != "").all()
    assert (plan.frame["reason"] != "").all()
    with_flag = part.assign(loaded_by_sampler=part["tinker_path"].isin(list_loaded(client)))
    distinct = with_flag.drop_duplicates("tinker_path")
    assert set(distinct.loc[rule(distinct), "tinker_path"]) <= kept


def test_retire_runs_and_keeps_what_the_rule_keeps(server: DemoServer, client: tkf.Client) -> None:
    """After retiring, exactly the kept and the guarded rows are there; with `after` all are, and the rest expires."""
    frame = client.checkpoints()
    rule = P.keep_last(2) | P.keep_named("final")
    soft = frame.tinker.retire(keep=rule, after="24h")
    soft.run(confirm=True)
    now = client.checkpoints()
    assert len(now) == len(frame)
    sent = soft.frame.query("verdict == 'send'")["tinker_path"]
    hard = frame.tinker.retire(keep=rule)
    assert set(hard.frame.query("verdict == 'send'")["reason"]) == {f"not kept by {rule}"}
    hard.run(confirm=True)
    left = set(client.checkpoints()["tinker_path"])
    held = set(hard.frame.query("verdict == 'held'")["tinker_path"])
    assert left == set(hard.kept["tinker_path"]) | held
    assert not left & set(sent)
