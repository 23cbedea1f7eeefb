"""Journal, resume and undo: a kill loses no row, and undo restores the earlier state exactly."""

from __future__ import annotations

import multiprocessing
import random
import re
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import tinker_frames as tkf
from tests.events import StopAfter
from tinker_frames import errors
from tinker_frames.demo import Burst, DemoServer, Faults
from tinker_frames.functions import journal, resume, undo
from tinker_frames.plans import confirmation, history
from tinker_frames.plans.guards import GUARDS
from tinker_frames.plans.journal import Journal
from tinker_frames.plans.plan import Plan
from tinker_frames.plans.planner import Planner

Make = Callable[..., tkf.Client]
ALL = tuple(GUARDS)
WRITES = {"delete": "delete_checkpoint", "expire": "set_checkpoint_ttl", "publish": "publish_checkpoint"}
KILLS = 50


# ── a kill ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def run_plan(url: str, key: str, folder: str, action: str, paths: list[str]) -> None:
    """Run a plan in a separate process that will be killed."""
    with tkf.Client(key, url, cache_dir=Path(folder) / "cache") as client:
        planner = Planner(client.transport, client._reader, Path(folder) / "journal")
        plan = planner.plan(action, paths, {"after": "24h"} if action == "expire" else {})
        plan.allow(*ALL).run(confirm=True, progress=False)


def is_applied(server: DemoServer, action: str, tinker_path: str, before: dict[str, Any]) -> bool:
    row = server.state.find(tinker_path)
    if action == "delete":
        return row is None
    return row.public if action == "publish" else row.expires_at != before[tinker_path]


def kill_and_resume(number: int, folder: Path) -> Counter[str]:
    """Kill a process during a plan, then resume; return the state of the rows after the kill."""
    chance, action = random.Random(number), list(WRITES)[number % 3]
    with DemoServer(runs=6, checkpoints=60, seed=number) as server:
        context = multiprocessing.get_context("forkserver")
        with tkf.Client(server.key, server.url, cache=False) as client:
            frame = client.checkpoints(progress=False)
            frame = frame[~frame["public"] & frame["expires_at"].isna()]
            paths, before = frame["tinker_path"].tolist(), dict.fromkeys(frame["tinker_path"])
            server.faults.write_latency = 0.01
            victim = context.Process(target=run_plan, args=(server.url, server.key, str(folder), action, paths))
            victim.start()
            patience, enough = time.monotonic() + 30, chance.randrange(len(paths))
            while server.requests.count(WRITES[action]) < enough and victim.is_alive() and time.monotonic() < patience:
                time.sleep(0.001)
            time.sleep(chance.uniform(0, 0.02))
            victim.kill()
            victim.join()
            time.sleep(0.1)  # lets requests in flight arrive
            planner = Planner(client.transport, client._reader, folder / "journal")
            told = planner.build_journal_frame()
            changed = {path for path in paths if is_applied(server, action, path, before)}
            sent = server.requests.count(WRITES[action])
            if told.empty:  # it was killed before it started
                assert not sent
                return Counter(["no plan"])
            assert set(told["tinker_path"]) == set(paths)
            states = dict(zip(told["tinker_path"], told["state"], strict=True))
            assert {path for path in paths if states[path] == "ended"} <= changed
            assert changed <= {path for path in paths if states[path] != "planned"}
            stood = Counter(states.values())
            if stood["ended"] < len(paths):
                assert (planner.resume(confirm=True, progress=False)["outcome"] == "done").all()
            told = planner.build_journal_frame()
            assert (told["outcome"] == "done").all()
            assert all(is_applied(server, action, path, before) for path in paths)
            answers = Counter(call.status for call in server.requests.to(WRITES[action]))
            assert not {404, 409} & set(answers)  # the responses to writes that were done already
            return stood


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_fifty_kills_lose_no_row(tmp_path: Path) -> None:
    """After SIGKILL at a random moment each row is planned, sent or done as on the server, and resume finishes exactly the rest."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.plans.test_undo", "tinker_frames.plans.planner", "tinker_frames.plans.plan"])
    folders = [tmp_path / str(number) for number in range(KILLS)]
    with ThreadPoolExecutor(4) as pool:
        stood = sum(pool.map(kill_and_resume, range(KILLS), folders), Counter())
    assert stood["sent"] > 10
    assert stood["planned"] > 100
    assert stood["ended"] > 100


# ── the journal as a frame ───────────────────────────────────────────────────────────────────────────────────────────


def test_the_journal_is_a_typed_frame(client: tkf.Client) -> None:
    """One row per checkpoint and plan, in order, with the earlier state; the same columns and dtypes when it is empty."""
    empty = journal(client=client)
    assert len(empty) == 0
    frame = client.checkpoints().query("not public").head(3)
    first = frame.tinker.publish()
    first.run(confirm=True)
    second = frame.head(1).tinker.set_ttl("30d").allow(*ALL)
    second.run(confirm=1)
    told = journal(client=client)
    assert told.dtypes.drop(["state", "outcome"]).equals(empty.dtypes.drop(["state", "outcome"]))
    assert told["plan"].tolist() == [first.id] * 3 + [second.id]
    assert told["action"].tolist() == ["publish"] * 3 + ["set_ttl"]
    assert told["tinker_path"].tolist() == [*frame["tinker_path"], frame["tinker_path"].iloc[0]]
    assert told["public_before"].tolist() == [False] * 3 + [True]
    assert told["expires_before"].isna().tolist() == [*frame["expires_at"].isna(), frame["expires_at"].isna().iloc[0]]
    assert told["expiry_unknown_before"].tolist() == [False] * 4
    assert set(told["state"]) == {"ended"}
    assert set(told["outcome"]) == {"done"}
    for column in ("started_at", "sent_at", "ended_at", "expires_before"):
        assert str(told[column].dtype) == "datetime64[us, UTC]"
    assert (told["sent_at"] <= told["ended_at"]).all()


def test_each_account_has_its_own_journal(client_of: Make) -> None:
    """Another key of the same server sees none of the first one's plans, and has nothing to resume or undo."""
    with DemoServer(runs=4, keys={"tml-one": 1, "tml-two": 2}) as server:
        one, two = client_of(server, api_key="tml-one"), client_of(server, api_key="tml-two")
        one.checkpoints().head(2).tinker.set_ttl("30d").allow(*ALL).run(confirm=2)
        assert len(journal(client=one)) == 2
        assert len(journal(client=two)) == 0
        for call in (resume, undo):
            with pytest.raises(errors.InvalidRequestError, match="journal"):
                call(client=two)


def test_nothing_to_resume_is_said(client: tkf.Client) -> None:
    """Resuming a finished or unknown plan, or without an unfinished one, is an error."""
    plan = client.checkpoints().query("not public").head(2).tinker.publish()
    plan.run(confirm=True)
    with pytest.raises(errors.InvalidRequestError, match="no interrupted plan"):
        resume(client=client)
    with pytest.raises(errors.InvalidRequestError, match="no plan 'zzz'"):
        resume("zzz", client=client)
    with pytest.raises(errors.InvalidRequestError, match=rf"{plan.id} has ended \(2 done\), and nothing is left"):
        resume(plan, client=client)


Interrupt = Callable[..., Plan]


@pytest.fixture
def interrupt(server: DemoServer, client: tkf.Client) -> Interrupt:
    """Make plans to delete rows that were interrupted after a few of them."""

    def run(rows: int = 14, sent: int = 2) -> Plan:
        plan = client.checkpoints().query("not public").head(rows).tinker.delete().allow(*GUARDS)
        plan.run(confirm=True, max_workers=1, progress=StopAfter(sent))
        assert server.requests.count("delete_checkpoint") == sent
        server.requests.clear()
        return plan

    return run


@pytest.mark.parametrize("sent", [1, 2], ids=["its namesake is left", "both namesakes are done"])
def test_a_nameless_resume_is_shown_and_confirmed(
    server: DemoServer, client: tkf.Client, interrupt: Interrupt, monkeypatch: pytest.MonkeyPatch, sent: int
) -> None:
    """Without a name the last unfinished plan requires confirmation again, and shows what is left."""
    plan = interrupt(sent=sent)
    client.checkpoints().query("not public").tail(1).tinker.set_ttl("30d").allow(*GUARDS).run(confirm=1)
    left = len(Journal(client.account).read_plan(plan.id).open_rows)
    assert left == len(plan) - sent
    for confirm in (None, False, left + 1):
        with pytest.raises(errors.ConfirmationNeededError, match=rf"{left} checkpoints.*resume\(confirm={left}\)"):
            resume(confirm=confirm, client=client)
    assert server.requests.count("delete_checkpoint") == 0
    shown: list[str] = []
    monkeypatch.setattr(confirmation, "in_notebook", lambda: True)
    monkeypatch.setattr("builtins.input", lambda question: shown.append(question) or str(left))
    assert set(resume(client=client)["outcome"]) == {"done"}
    assert shown[0].startswith(f"the plan {plan.id}, interrupted on")
    assert f"{left} of {left} checkpoints, " in shown[0]
    assert "refused" not in shown[0]


def test_an_old_plan_is_resumed_or_undone_only_by_its_name(
    client: tkf.Client, interrupt: Interrupt, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A plan older than a day is resumed or undone only by name, and the error lists the candidates."""
    done = client.checkpoints().query("not public").tail(1).tinker.publish()
    done.run(confirm=1)
    plan = interrupt(rows=4)
    monkeypatch.setattr(history, "RECENT", timedelta(0))
    with pytest.raises(errors.InvalidRequestError, match=rf"resumed only by name.*{plan.id} \(delete, 2 rows left\)"):
        resume(confirm=True, client=client)
    with pytest.raises(errors.InvalidRequestError, match="undone only by name"):
        undo(client=client)
    assert set(resume(plan.id, client=client)["outcome"]) == {"done"}
    assert set(undo(done, client=client)["outcome"]) == {"done"}


def test_an_abandoned_plan_is_not_resumed(server: DemoServer, client: tkf.Client, interrupt: Interrupt) -> None:
    """`abandon` closes an unfinished plan for good, and a finished plan cannot be abandoned."""
    plan = interrupt()
    assert repr(plan).endswith("2 done, 12 not done. It was interrupted; tkf.resume(plan) continues it.")
    tkf.abandon(plan, client=client)
    assert repr(plan).endswith("2 done, 12 not done, and the rest was abandoned.")
    with pytest.raises(errors.InvalidRequestError, match="no interrupted plan"):
        resume(confirm=True, client=client)
    for call in (resume, tkf.abandon):
        with pytest.raises(errors.InvalidRequestError, match=rf"{plan.id} was abandoned, with 12 rows not done"):
            call(plan.id, client=client)
    assert server.requests.count("delete_checkpoint") == 0


def test_a_plan_of_another_version_stops_nothing(client: tkf.Client, interrupt: Interrupt) -> None:
    """An unknown recorded action is skipped without a name, and is an error with one."""
    plan = interrupt(rows=3)
    file = Journal(client.account).find_path(plan.id)
    file.write_text(file.read_text().replace('"action":"delete"', '"action":"archive"'))
    assert set(journal(client=client)["action"]) == {"archive"}
    with pytest.raises(errors.InvalidRequestError, match="no interrupted plan"):
        resume(confirm=True, client=client)
    for call in (resume, undo):
        with pytest.raises(errors.InvalidRequestError, match="an action 'archive' that this version does not know"):
            call(plan.id, client=client)


@pytest.mark.parametrize("call", [resume, undo, tkf.abandon])
def test_a_plan_that_runs_elsewhere_is_left_alone(
    server: DemoServer, client: tkf.Client, interrupt: Interrupt, call: Callable[..., Any]
) -> None:
    """A plan that another process or thread is running cannot be resumed, undone or abandoned."""
    plan = interrupt(rows=3)
    with (
        Journal(client.account).lock(plan.id),
        pytest.raises(errors.InvalidRequestError, match=f"{plan.id} is running in another"),
    ):
        call(plan.id, client=client)
    assert server.requests.count("delete_checkpoint") == 0


def test_resume_does_not_touch_what_changed_meanwhile(server: DemoServer, client: tkf.Client) -> None:
    """A row published between the interruption and resume is skipped, and the next frame is correct."""
    plan = client.checkpoints().query("not public").head(40).tinker.delete().allow(*ALL)
    outcomes = plan.run(confirm=40, max_workers=1, progress=StopAfter(3))
    left = outcomes.loc[outcomes["outcome"] == "skipped", "tinker_path"].tolist()
    assert len(left) == 37
    server.state.publish(server.state.find(left[0]))
    server.state.delete(server.state.find(left[1]))
    finished = resume(plan.id, client=client).set_index("tinker_path")
    assert finished.loc[left[:2], "outcome"].tolist() == ["skipped", "skipped"]
    assert set(finished.loc[left[2:], "outcome"]) == {"done"}
    assert set(client.checkpoints()["tinker_path"]) & set(plan.frame["tinker_path"]) == {left[0]}


# ── undo ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def expiries(server: DemoServer, paths: list[str]) -> dict[str, datetime | None]:
    return {path: server.state.find(path).expires_at for path in paths}


def test_expire_and_undo_restore_every_expiry(server: DemoServer, client: tkf.Client) -> None:
    """Undo restores each expiry, never later and at most a few seconds earlier, and no expiry where there was none."""
    frame = client.checkpoints()
    plan = frame.tinker.expire(after="24h").allow(*ALL)
    sent = plan.frame.query("verdict == 'send'")["tinker_path"].tolist()
    before = expiries(server, sent)
    assert {None} < set(before.values())
    assert (plan.run(confirm=True)["outcome"].isin(["done", "unchanged"])).all()
    soon = server.state.now() + timedelta(hours=24, minutes=1)
    assert all(expiry is not None and expiry < soon for expiry in expiries(server, sent).values())
    back = undo(plan, client=client)
    assert (back["outcome"] == "done").all()
    assert len(back) == len(sent)
    for path, expiry in expiries(server, sent).items():
        if before[path] is None:
            assert expiry is None
        else:
            assert timedelta(0) <= before[path] - expiry <= timedelta(seconds=30)
    now = client.checkpoints().set_index("tinker_path")["expires_at"]
    assert now[sent].isna().tolist() == [before[path] is None for path in sent]


@pytest.mark.few(3)
@pytest.mark.parametrize(
    ("ahead", "verified"), [(-900.0, True), (40.0, True), (40.0, False), (-40.0, True), (900.0, False)]
)
def test_a_clock_that_differs_from_the_services_changes_nothing(client_of: Make, ahead: float, verified: bool) -> None:
    """With the service's clock minutes off, expiring is done, and undo restores the old expiry, never a later one.

    Nor does the undo of a plan that was killed before it read the expiry that it gave.
    """
    with DemoServer(runs=6, now=datetime.now(UTC) + timedelta(seconds=ahead)) as server:
        client = client_of(server)
        frame = client.checkpoints().query("expires_in_days > 2").head(6)
        before = expiries(server, frame["tinker_path"].tolist())
        plan = frame.tinker.expire(after="24h").allow(*ALL)
        assert (plan.run()["outcome"] == "done").all()
        if not verified:
            file = Journal(client.account).find_path(plan.id)
            file.write_text("\n".join(line for line in file.read_text().splitlines() if '"after":"' not in line))
        assert (undo(client=client)["outcome"] == "done").all()
        for path, expiry in expiries(server, list(before)).items():
            assert timedelta(0) <= before[path] - expiry <= timedelta(seconds=30)


@pytest.mark.few(1)
@pytest.mark.parametrize("call", ["extend", "set_ttl"])
@pytest.mark.parametrize("ahead", [-900, 86_400])
def test_our_clock_may_be_set_between_the_steps(
    server: DemoServer, client_of: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, call: str, ahead: int
) -> None:
    """An extension and an undo lead to the same expiry whether our clock was set meanwhile or not, as they go by the server's."""
    frame = client_of(server).checkpoints().query("expires_in_days > 2").head(3)
    before = expiries(server, frame["tinker_path"].tolist())
    file = getattr(frame.tinker, call)("30d").allow(*ALL).save(tmp_path / "plan.json")

    class Ahead(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return datetime.now(tz) + timedelta(seconds=ahead)

    with monkeypatch.context() as patch:
        patch.setattr("tinker_frames.rest.transport.datetime", Ahead)
        assert (client_of(server).load_plan(file).run(confirm=True)["outcome"] == "done").all()
    if call == "extend":
        for path, expiry in expiries(server, list(before)).items():
            assert timedelta(0) <= before[path] + timedelta(days=30) - expiry <= timedelta(seconds=30)
    assert (undo(client=client_of(server))["outcome"] == "done").all()
    for path, expiry in expiries(server, list(before)).items():
        assert timedelta(0) <= before[path] - expiry <= timedelta(seconds=60)


def test_less_than_an_hour_of_old_life_is_said_and_left(server: DemoServer, client: tkf.Client) -> None:
    """An expiry too near to be set again is left with a reason; the other rows are restored."""
    frame = client.checkpoints().query("not public and expires_at.isna()").head(3)
    paths = frame["tinker_path"].tolist()
    frame.tinker.set_ttl(3660).allow(*ALL).run()
    plan = client.checkpoints().query("tinker_path in @paths").tinker.set_ttl(None)
    other = client.checkpoints().query("not public and expires_at.isna() and tinker_path not in @paths").head(2)
    both = (
        pd.concat([client.checkpoints().query("tinker_path in @paths"), other])
        .tinker.set_ttl("30d", client=client)
        .allow(*ALL)
    )
    assert (both.run()["outcome"] == "done").all()
    row = server.state.find(paths[0])
    old = Journal(client.account).read_plan(both.id).rows[paths[0]].before.expires_at
    assert old - datetime.now(UTC) < timedelta(seconds=3660)
    assert row.expires_at > server.state.now() + timedelta(days=29)
    soon = (datetime.now(UTC) + timedelta(minutes=40)).isoformat()
    file = Journal(client.account).find_path(both.id)
    text = file.read_text().replace(old.isoformat().replace("+00:00", "Z"), soon)
    assert soon in text
    file.write_text(text)  # as if twenty minutes had passed
    outcomes = undo(both, client=client).set_index("tinker_path")
    assert outcomes.loc[paths[0], "outcome"] == "skipped"
    assert "less than an hour" in outcomes.loc[paths[0], "error"]
    assert set(outcomes.loc[other["tinker_path"], "outcome"]) == {"done"}
    assert all(expiry is None for expiry in expiries(server, other["tinker_path"].tolist()).values())
    assert len(plan) == 3


@pytest.mark.few(2)
@pytest.mark.parametrize(("call", "publics"), [("publish", False), ("unpublish", True)])
def test_publishing_is_taken_back(server: DemoServer, client: tkf.Client, call: str, publics: bool) -> None:
    """Undo of publish unpublishes and vice versa, only for changed rows; a wrong number or False sends nothing, and to make rows public again needs it."""
    frame = client.checkpoints()
    picked = pd.concat([frame[frame["public"] == publics].head(2), frame[frame["public"] != publics].head(2)])
    plan = getattr(picked.tinker, call)(client=client)
    assert sorted(plan.run(confirm=True)["outcome"]) == ["done", "done", "unchanged", "unchanged"]
    if publics:
        server.requests.clear()
        with pytest.raises(errors.ConfirmationNeededError, match="2 checkpoints will become public"):
            undo(client=client)
        assert not server.requests.count("publish_checkpoint")
    for confirm in (False, 3):
        with pytest.raises(errors.ConfirmationNeededError, match="2 checkpoints will become"):
            undo(client=client, confirm=confirm)
    assert undo(client=client, confirm=2 if publics else None)["outcome"].tolist() == ["done", "done"]
    after = client.checkpoints().set_index("tinker_path")["public"]
    assert after[picked["tinker_path"]].tolist() == picked["public"].tolist()


def test_undo_twice_is_harmless(server: DemoServer, client: tkf.Client) -> None:
    """Undoing again raises and sends nothing; an undo itself cannot be undone."""
    frame = client.checkpoints().query("not public and expires_at.isna()").head(4)
    plan = frame.tinker.expire().allow(*ALL)
    plan.run()
    first = undo(client=client)
    server.requests.clear()
    for again in (None, plan, plan.id):
        with pytest.raises(errors.InvalidRequestError, match=f"{plan.id} is undone already"):
            undo(again, client=client)
    assert server.requests.count("set_checkpoint_ttl") == 0
    with pytest.raises(errors.InvalidRequestError, match="cannot be undone"):
        undo(first.attrs["tinker"]["plan"], client=client)
    assert set(expiries(server, frame["tinker_path"].tolist()).values()) == {None}


def test_undo_goes_on_to_the_plan_before(server: DemoServer, client: tkf.Client) -> None:
    """A second undo without a name undoes the plan before; a third raises."""
    frame = client.checkpoints().query("not public")
    for part in (frame.head(3), frame.tail(2)):
        part.tinker.publish().run(confirm=len(part))
    published = [server.state.find(path) for path in pd.concat([frame.head(3), frame.tail(2)])["tinker_path"]]
    assert [len(undo(client=client)) for _ in range(2)] == [2, 3]
    assert not any(row.public for row in published)
    with pytest.raises(errors.InvalidRequestError, match="is undone already"):
        undo(client=client)


@pytest.mark.parametrize("again", ["rerun", "undo"])
def test_undo_passes_over_what_changed_nothing(server: DemoServer, client: tkf.Client, again: str) -> None:
    """A run in which every row was skipped is not what `undo` without a name means, and an undo that did nothing undid nothing."""
    private = client.checkpoints().query("not public")
    plan, other = private.head(2).tinker.publish(), private.tail(1).tinker.publish()
    plan.run(confirm=2)
    if again == "rerun":
        server.state.publish(server.state.find(other.frame["tinker_path"].iloc[0]))
        assert other.run(confirm=1)["outcome"].tolist() == ["skipped"]
        assert client.journal()["plan"].nunique() == 2
    else:
        server.faults.bursts = [Burst("unpublish_checkpoint", 403, times=None)]
        assert client.undo()["outcome"].tolist() == ["failed"] * 2
        server.faults.clear()
    assert client.undo()["outcome"].tolist() == ["done"] * 2
    assert client.journal()["undoes"].dropna().unique().tolist() == [plan.id]


def test_undo_of_a_plan_that_ran_twice_undoes_the_last_run_first(server: DemoServer, client: tkf.Client) -> None:
    """`undo(plan)` after a second run undoes that run, then the first one."""
    frame = client.checkpoints().query("not public").head(3)
    paths = frame["tinker_path"].tolist()
    plan = frame.tinker.publish()
    first = plan.run(confirm=3)
    server.state.unpublish(server.state.find(paths[0]))
    second = plan.run(confirm=3)
    names = [outcomes.attrs["tinker"]["plan"] for outcomes in (first, second)]
    assert names == [plan.id, f"{plan.id}-2"]
    assert undo(plan, client=client)["tinker_path"].tolist() == [paths[0]]
    assert [server.state.find(path).public for path in paths] == [False, True, True]
    assert undo(plan, client=client).set_index("tinker_path").loc[paths, "outcome"].tolist() == [
        "skipped",
        "done",
        "done",
    ]
    assert undo(plan, client=client)["outcome"].tolist() == ["skipped"]  # the row that somebody unpublished


@pytest.mark.parametrize("is_touched", [False, True], ids=["only plans", "somebody else between them"])
def test_undo_twice_takes_back_two_plans_of_the_same_rows(
    server: DemoServer, client: tkf.Client, is_touched: bool
) -> None:
    """An expiry that the undo of a later plan gave back is still the earlier plan's; one that somebody else set is not."""
    row = client.checkpoints().query("expires_at.isna() and step < 200 and not public").head(1)
    path, first = row["tinker_path"].iloc[0], row.tinker.expire("24h").allow(*GUARDS)
    first.run(confirm=1)
    if is_touched:
        client.rest.set_checkpoint_ttl_from_tinker_path(path, 4 * 86_400)
    rows = client.checkpoints(refresh=True).query("tinker_path == @path")
    assert rows.tinker.extend(by="30d").run(confirm=1)["outcome"].tolist() == ["done"]
    assert client.undo()["outcome"].tolist() == ["done"]
    assert client.undo(first)["outcome"].tolist() == ["skipped" if is_touched else "done"]
    assert (server.state.find(path).expires_at is None) is not is_touched


def test_undo_goes_on_to_the_plan_before_past_rows_that_were_changed(server: DemoServer, client: tkf.Client) -> None:
    """A row that somebody changed stays with its plan, and does not keep a second `undo()` from the plan before."""
    rows = client.checkpoints().query("expires_at.isna() and step < 200 and not public").head(2)
    paths = rows["tinker_path"].tolist()
    rows.tinker.expire("24h").allow(*GUARDS).run(confirm=2)
    again = client.checkpoints(refresh=True).query("tinker_path in @paths")
    again.tinker.extend(by="30d").run(confirm=2)
    client.rest.set_checkpoint_ttl_from_tinker_path(paths[0], 5 * 86_400)
    for _ in range(2):
        outcomes = client.undo().set_index("tinker_path")["outcome"]
        assert outcomes.loc[paths].tolist() == ["skipped", "done"]
    assert server.state.find(paths[1]).expires_at is None
    assert client.undo()["outcome"].tolist() == ["skipped"]  # what is left was changed by somebody


def test_undo_goes_on_past_a_plan_of_which_nothing_can_be_restored(server: DemoServer, client_of: Make) -> None:
    """If nothing of the last plan can be restored, a second `undo()` undoes the plan before; not if its runs just cannot be read."""
    client = client_of(server, retries=0)
    one, other = (
        client.checkpoints().query("expires_at.isna() and step < 200 and not public")["tinker_path"].iloc[[0, -1]]
    )
    for path in (one, other):
        frame = client.checkpoints(refresh=True)
        frame[frame["tinker_path"] == path].tinker.expire("24h").allow(*GUARDS).run(confirm=1)
    server.faults.bursts = [Burst("list_checkpoints", 500, times=None)]
    assert client.undo()["error"].tolist() == ["its run could not be read"]
    server.faults.clear()
    client.rest.set_checkpoint_ttl_from_tinker_path(other, 5 * 86_400)
    assert client.undo()["outcome"].tolist() == ["skipped"]
    assert client.undo().set_index("tinker_path")["outcome"].to_dict() == {one: "done"}
    assert client.undo()["outcome"].tolist() == ["skipped"]


def test_undo_leaves_what_a_later_plan_did(server: DemoServer, client: tkf.Client) -> None:
    """A row unpublished and published again by later plans stays public; other properties do not matter."""
    frame = client.checkpoints().query("not public").head(2)
    paths = frame["tinker_path"].tolist()
    plan = frame.tinker.publish()
    plan.run(confirm=2)
    client.checkpoints().query("tinker_path == @paths[0]").tinker.unpublish().run()
    client.checkpoints().query("tinker_path == @paths[0]").tinker.publish().run(confirm=1)
    client.checkpoints().query("tinker_path == @paths[1]").tinker.set_ttl("30d").allow(*GUARDS).run(confirm=1)
    outcomes = undo(plan, client=client).set_index("tinker_path").loc[paths]
    assert outcomes["outcome"].tolist() == ["skipped", "done"]
    assert re.search("the plan .* has changed it since", outcomes["error"].iloc[0])
    assert [server.state.find(path).public for path in paths] == [True, False]


def test_a_name_that_several_plans_begin_with_is_refused(server: DemoServer, client: tkf.Client) -> None:
    """A unique prefix, or a complete id, selects a plan; an ambiguous prefix raises and sends nothing."""
    private = client.checkpoints().query("not public").head(2)
    first, second = (private.iloc[[place]].tinker.publish() for place in (0, 1))
    first.run(confirm=True)
    second.run(confirm=True)
    shared = first.id[:3]
    server.requests.clear()
    with pytest.raises(errors.InvalidRequestError, match="several plans"):
        undo(shared, client=client)
    assert not server.requests.count("unpublish_checkpoint")
    assert undo(first.id, client=client)["outcome"].tolist() == ["done"]


def test_a_delete_cannot_be_undone_and_offers_expire(client: tkf.Client) -> None:
    """Undo of a delete explains why not and suggests expire."""
    client.checkpoints().query("not public").head(1).tinker.delete().allow(*ALL).run()
    with pytest.raises(errors.InvalidRequestError, match=r"cannot be undone.*expire\(after"):
        undo(client=client)


def test_undo_knows_the_effect_of_both_attempts(server: DemoServer, client: tkf.Client) -> None:
    """A write that was sent twice is undone also if the last list still showed the effect of the first."""
    plan = client.checkpoints().query("not public and expires_at.isna()").head(1).tinker.expire(after="24h").allow(*ALL)
    listed: dict[int, Any] = {}

    def lag(endpoint: str, content: Any) -> Any:
        sent = server.requests.count("set_checkpoint_ttl")
        if endpoint == "list_checkpoints":
            listed[sent] = content
        return listed.get(sent - 1, content) if endpoint == "list_checkpoints" else content

    server.faults.edit, server.faults.bursts = lag, [Burst("set_checkpoint_ttl", 500, times=1, then="apply")]
    assert plan.run()["outcome"].tolist() == ["done"]
    assert sorted(listed) == [0, 1, 2]
    server.faults.clear()
    path = plan.frame["tinker_path"].iloc[0]
    assert undo(client=client)["outcome"].tolist() == ["done"]
    assert server.state.find(path).expires_at is None


def test_undo_leaves_rows_that_somebody_changed_meanwhile(server: DemoServer, client: tkf.Client) -> None:
    """A row whose expiry was set again, even to nearly the same time, or that is gone, is left alone; the others are restored."""
    frame = client.checkpoints().query("not public and expires_at.isna()").head(4)
    paths = frame["tinker_path"].tolist()
    plan = frame.tinker.expire(after="24h").allow(*ALL)
    plan.run()
    state = server.state
    state.set_ttl(state.find(paths[0]), 86_400)
    state.set_ttl(state.find(paths[1]), None)
    state.delete(state.find(paths[2]))
    outcomes = undo(plan, client=client).set_index("tinker_path")
    assert outcomes.loc[paths, "outcome"].tolist() == ["skipped", "skipped", "skipped", "done"]
    assert state.find(paths[0]).expires_at is not None
    assert state.find(paths[3]).expires_at is None


def test_undo_of_an_interrupted_plan_takes_back_what_was_done(server: DemoServer, client: tkf.Client) -> None:
    """Rows not sent are unchanged, rows sent without a recorded outcome are undone, and resume does not redo them."""
    frame = client.checkpoints().query("not public and expires_at.isna()").head(12)
    plan = frame.tinker.expire(after="24h").allow(*ALL)
    outcomes = plan.run(confirm=True, max_workers=1, progress=StopAfter(4))
    done = set(outcomes.loc[outcomes["outcome"] == "done", "tinker_path"])
    assert len(done) == 4
    path = Journal(client.account).find_path(plan.id)
    lines = path.read_text().splitlines(keepends=True)
    lost = next(iter(done))
    path.write_text(
        "".join(line for line in lines if not ('"outcome"' in line and lost in line and "send" not in line))
    )
    back = undo(client=client)
    assert set(back["tinker_path"]) == done
    assert set(back["outcome"]) == {"done"}
    assert set(expiries(server, frame["tinker_path"].tolist()).values()) == {None}
    with pytest.raises(errors.InvalidRequestError, match="no interrupted plan"):
        resume(client=client)


def test_undo_goes_through_the_same_faults(server: DemoServer, client: tkf.Client) -> None:
    """An undo with unclear responses ends with every row restored and known."""
    frame = client.checkpoints().query("not public and expires_at.isna()").head(8)
    plan = frame.tinker.expire().allow(*ALL)
    plan.run()
    server.faults.bursts = [
        Burst("set_checkpoint_ttl", 500, times=2, then="apply"),
        Burst("set_checkpoint_ttl", 502, times=2, after=3),
    ]
    assert set(undo(client=client)["outcome"]) == {"done"}
    assert set(expiries(server, frame["tinker_path"].tolist()).values()) == {None}


@pytest.mark.slow
def test_undo_sends_nothing_that_was_never_done(client_of: Make) -> None:
    """A plan whose every row failed has nothing to undo, which raises."""
    with DemoServer(runs=4, faults=Faults(ignore_writes=True)) as server:
        client = client_of(server)
        plan = client.checkpoints().query("not public and expires_at.isna()").head(2).tinker.expire().allow(*ALL)
        assert set(plan.run()["outcome"]) == {"failed"}
        with pytest.raises(errors.InvalidRequestError, match="nothing"):
            undo(plan, client=client)


@pytest.mark.slow
@pytest.mark.parametrize("given", [2 * 3600, 30 * 86_400 + 60, None])
@pytest.mark.parametrize("skew", [0, 3600])
def test_undo_leaves_an_expiry_that_the_plan_did_not_set(
    server: DemoServer, client: tkf.Client, given: int | None, skew: int
) -> None:
    """A row that got another expiry between its write and the last reading is not this plan's to take back, even if it is a minute off."""
    server.state.advance(seconds=skew)
    rows = client.checkpoints().query("not public and expires_at.isna()").head(3)
    changed, *others = map(server.state.find, rows["tinker_path"])
    plan = rows.tinker.set_ttl("30d").allow(*ALL)

    set_ttl, written = server.state.set_ttl, []

    def meddle(row: Any, ttl_seconds: int | None) -> None:
        set_ttl(row, ttl_seconds)
        written.append(row)
        if len(written) == 3:
            set_ttl(changed, given)

    server.state.set_ttl = meddle  # type: ignore[method-assign]
    outcomes = plan.run(confirm=True).set_index("tinker_path")["outcome"]
    server.state.set_ttl = set_ttl  # type: ignore[method-assign]
    assert outcomes.tolist() == ["done" if given == 30 * 86_400 + 60 else "failed", "done", "done"]
    left = changed.expires_at
    back = undo(plan.id, client=client).set_index("tinker_path")["outcome"]
    assert back.reindex(rows["tinker_path"], fill_value="skipped").tolist() == ["skipped", "done", "done"]
    assert changed.expires_at == left
    assert [row.expires_at for row in others] == [None, None]


@pytest.mark.parametrize("is_undo", [False, True], ids=["plan", "undo"])
def test_undo_settles_what_a_kill_left_open(server: DemoServer, client: tkf.Client, is_undo: bool) -> None:
    """After a kill, undo records the end of every row of the plan and of an undo that was interrupted, and nothing is left to resume."""
    rows = client.checkpoints().query("not public and expires_at.isna()").head(3)
    plan = rows.tinker.expire(after="24h").allow(*ALL)
    plan.run(confirm=True)
    if is_undo:
        undo(plan)
    journal = Journal(client.account)
    file = journal.find_path(client.journal()["plan"].iloc[-1])
    lines = file.read_text().splitlines(keepends=True)
    lost = rows["tinker_path"].tolist()  # the first is done, of the second the outcome is lost, the third was not sent
    kept = [
        line
        for line in lines
        if '"end"' not in line
        and not ('"outcome"' in line and lost[1] in line)
        and not ('"plan"' not in line and lost[2] in line)
    ]
    file.write_text("".join(kept))
    third = server.state.find(lost[2])
    server.state.set_ttl(third, 86_400 if is_undo else None)
    assert sorted(client.journal().query("plan == plan.iloc[-1]")["state"]) == ["ended", "planned", "sent"]
    outcomes = undo(plan.id)
    assert outcomes["outcome"].tolist() == (["skipped"] if is_undo else ["done"] * 2)
    assert set(client.journal()["state"]) == {"ended"}
    with pytest.raises(errors.InvalidRequestError, match="no interrupted plan"):
        client.resume()
