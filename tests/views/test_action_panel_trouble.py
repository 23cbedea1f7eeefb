"""Undo, cancel, retry and failures of actions: nothing unintended is sent, and every failure is shown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import tinker_frames as tkf
from tests.views.headless import HeadlessView, Make, count_writes, get_frame_state, get_server_state, wait_until
from tinker_frames.demo import Burst, DemoServer, Hang, Reset
from tinker_frames.plans.actions import ACTIONS
from tinker_frames.views.panel_rows import find_unfinished

ROWS = "not public and expires_at.isna()"
Way = Callable[[DemoServer], None]


@pytest.fixture
def view(client: tkf.Client) -> HeadlessView:
    """A view of the private checkpoints without an expiry."""
    view = HeadlessView(client.inventory(), client)
    view.send("filter", name="query", value=ROWS)
    return view


def run_action(view: HeadlessView, act: str, rows: int = 12, **given: Any) -> dict[str, Any]:
    """Select some rows, confirm an action on them, and return its outcome."""
    view.select(*view.keys[-rows:])
    view.make_plan(act, **given)
    view.send("allow", guards=["newest", "public", "sampler"])
    view.confirm()
    return view.panel


def count_outcomes(shown: dict[str, Any]) -> dict[str, int]:
    """Return the number of rows per outcome."""
    return {count["outcome"]: count["rows"] for count in shown["counts"]}


def list_reasons(shown: dict[str, Any]) -> list[str]:
    """Return the reason of each row that was not done."""
    return [group["error"] for group in shown["failed"] for _ in range(group["rows"])]


# ── undo ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.few(1)
@pytest.mark.parametrize(
    ("act", "given", "query"),
    [
        ("publish", {}, "not public"), ("set_ttl", {"ttl": None}, "expires_in_days > 1"), ("retire", {"keep_last": 1, "after": "24h"}, ROWS),
    ],
)  # fmt: skip
def test_undo_restores_every_row(
    server: DemoServer, client: tkf.Client, act: str, given: dict[str, Any], query: str
) -> None:
    """Undo restores every row once, in the table too; then there is nothing left to undo."""
    view = HeadlessView(client.inventory(), client)
    view.send("filter", name="query", value=query)
    before = get_server_state(server)
    view.select(*view.keys[:8])
    view.make_plan(act, **given)
    view.send("allow", guards=["newest", "public", "sampler"])
    view.confirm()
    assert get_server_state(server) != before
    assert view.panel["undo"]
    done = count_outcomes(view.panel)["done"]
    view.send("undo")
    assert (count_outcomes(view.panel), view.panel["label"]) == ({"done": done}, "Undo")
    after = get_server_state(server)
    assert {path: public for path, (public, _) in after.items()} == {
        path: public for path, (public, _) in before.items()
    }
    for path, (_, end) in after.items():
        was = before[path][1]
        assert end == was or abs((end - was).total_seconds()) < 60
    assert get_frame_state(view.state.rows.frame) == after
    assert (view.panel["undo"], view.panel["retry"]) == (False, False)
    sent = count_writes(server)
    view.send("undo")
    assert "nothing to undo" in view.note.lower()
    assert count_writes(server) == sent


def test_an_undo_that_publishes_says_so_and_wants_its_number(server: DemoServer, client: tkf.Client) -> None:
    """The undo of an unpublish is named after what it makes public, and is not sent without that number."""
    view = HeadlessView(client.checkpoints(), client)
    for path in view.keys[:3]:
        server.state.publish(server.state.find(path))
    view = HeadlessView(client.checkpoints(refresh=True), client)
    view.select(*[path for path in view.keys if server.state.find(path).public][:3])
    view.make_plan("unpublish")
    view.confirm()
    assert (view.panel["undo_label"], view.panel["publishes"]) == ("Undo: publish 3 checkpoints again", 3)
    paths = view.selected
    for typed in ({}, {"typed": "2"}, {"typed": ""}):
        view.send("undo", **typed)
        assert "Type 3 to publish them again" in view.panel["error"]
    assert server.requests.count("publish_checkpoint") == 0
    view.send("undo", typed=" 3 ")
    assert count_outcomes(view.panel) == {"done": 3}
    assert all(server.state.find(path).public for path in paths)


def test_a_delete_cannot_be_undone(server: DemoServer, view: HeadlessView) -> None:
    """A delete offers no undo, and requesting one is explained."""
    shown = run_action(view, "delete", 3)
    assert (count_outcomes(shown), shown["undo"]) == ({"done": 3}, False)
    view.send("undo")
    assert "nothing to undo" in view.note.lower()
    assert count_writes(server) == 3


def test_a_failed_undo_can_be_retried(server: DemoServer, view: HeadlessView) -> None:
    """Rows that could not be restored are listed, and a retry restores only those."""
    before = get_server_state(server)
    run_action(view, "publish", 8)
    server.faults.bursts.append(Burst("unpublish_checkpoint", 403, times=5))
    view.send("undo")
    assert count_outcomes(view.panel) == {"done": 3, "failed": 5}
    assert (view.panel["retry"], view.panel["undo"]) == (True, False)
    server.faults.clear()
    view.send("retry")
    assert count_outcomes(view.panel)["done"] == 5
    assert get_server_state(server) == before == get_frame_state(view.state.rows.frame)
    assert server.requests.count("publish_checkpoint") == 8


def test_undo_leaves_rows_that_were_changed_since(server: DemoServer, view: HeadlessView) -> None:
    """Undo leaves a row that was changed since alone, and says why."""
    run_action(view, "expire", 6)
    path = view.selected[0]
    server.state.set_ttl(server.state.find(path), 86_400 * 20)
    theirs = get_server_state(server)[path]
    view.send("undo")
    assert count_outcomes(view.panel) == {"done": 5, "skipped": 1}
    view.send("list", verdict="skipped")
    assert [row[0] for row in view.panel["listed"]["rows"][1:]] == [path]
    assert "changed since" in list_reasons(view.panel)[0]
    assert get_server_state(server)[path] == theirs


def test_the_rows_of_an_outcome_can_be_listed(server: DemoServer, view: HeadlessView) -> None:
    """A click on an outcome lists its rows, a second one hides them; an undo has its own outcomes."""
    server.faults.bursts.append(Burst("publish_checkpoint", 403, times=5))
    shown = run_action(view, "publish")
    assert (shown["listed"], [count["open"] for count in shown["counts"]]) == (None, [False, False])
    outcomes = view.explorer.panel.outcomes
    assert outcomes is not None
    for outcome in ("done", "failed"):
        view.send("list", verdict=outcome)
        names, *rows = view.panel["listed"]["rows"]
        assert names[:3] == ["tinker_path", "change", "error"]
        assert {row[1] for row in rows} == ({"private → public"} if outcome == "done" else {""})
        assert [row[0] for row in rows] == outcomes.loc[outcomes["outcome"] == outcome, "tinker_path"].tolist()
        assert {count["outcome"] for count in view.panel["counts"] if count["open"]} == {outcome}
    assert view.panel["changes"] == ["7: private → public"]
    view.send("list", verdict="failed")
    assert view.panel["listed"] is None
    view.send("list", verdict="done")
    view.send("undo")
    assert (count_outcomes(view.panel), view.panel["listed"]) == ({"done": 7}, None)
    assert view.panel["changes"] == ["7: public → private"]


# ── retry ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_retry_extends_no_row_twice() -> None:
    """A row whose outcome is unknown may have been carried out: it is tried again, but for an extension."""
    rows = [("a", "done", None), ("b", "failed", "500"), ("c", "unknown", "timeout"), ("d", "skipped", "not sent")]
    outcomes = pd.DataFrame(rows, columns=["tinker_path", "outcome", "error"])
    assert find_unfinished(outcomes, ACTIONS["expire"]) == ["b", "c", "d"]
    assert find_unfinished(outcomes, ACTIONS["extend"]) == ["b", "d"]


def test_a_retry_sends_only_failed_rows(server: DemoServer, view: HeadlessView) -> None:
    """Rows that failed with the same reason are one line, which lists them; a retry plans and sends only those, with the same lifted guards."""
    server.faults.bursts.append(Burst("publish_checkpoint", 403, times=5, detail="Not today."))
    shown = run_action(view, "publish")
    assert (count_outcomes(shown), shown["retry"]) == ({"done": 7, "failed": 5}, True)
    (group,) = shown["failed"]
    assert (group["outcome"], group["rows"]) == ("failed", 5)
    assert "Not today." in group["error"]
    view.send("list", verdict="failed", reason=group["error"])
    failed = {row[0] for row in view.panel["listed"]["rows"][1:]}
    assert len(failed) == 5
    assert view.panel["failed"][0]["open"]
    server.faults.clear()
    server.requests.clear()
    view.send("retry")
    assert (view.panel["stage"], view.panel["number"], view.panel["hidden"]) == ("confirm", 5, 0)
    assert [guard["name"] for guard in view.panel["guards"] if guard["on"]] == ["public", "newest", "sampler"]
    assert set(view.confirm()["tinker_path"]) == failed
    assert (count_outcomes(view.panel), count_writes(server), view.panel["retry"]) == ({"done": 5}, 5, False)
    assert get_frame_state(view.state.rows.frame) == get_server_state(server)


def test_a_retry_that_cannot_be_planned_leaves_the_outcome(server: DemoServer, view: HeadlessView) -> None:
    """If the retry's rows cannot be read, the outcome stays, says why, and can be retried later."""
    server.faults.bursts.append(Burst("set_checkpoint_ttl", 403, times=4))
    outcome = run_action(view, "expire")
    server.faults.bursts.append(Burst("*", 401, times=None))
    view.send("retry")
    assert (view.panel["stage"], count_outcomes(view.panel), view.panel["retry"]) == (
        "outcome",
        count_outcomes(outcome),
        True,
    )
    assert "401" in view.panel["error"]
    assert "journal" not in view.panel["error"]
    server.faults.clear()
    view.send("retry")
    assert (view.panel["number"], view.panel["error"]) == (4, "")


# ── cancel ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_planning_can_be_cancelled_at_once(server: DemoServer, view: HeadlessView) -> None:
    """Cancelling during planning is immediate: another action can start, and the first never appears."""
    server.faults.hang.append(Hang("get_session", seconds=0.7, times=1))
    server.requests.clear()
    view.select_matching()
    view.post("begin", action="delete")
    wait_until(lambda: server.requests.count("get_session"))
    assert view.panel["stage"] == "work"
    slow = view.explorer.panel.task
    view.post("cancel")
    assert (view.panel["stage"], view.explorer.panel.plan) == ("", None)
    view.select(view.keys[0])
    assert view.make_plan("publish")["number"] == 1
    assert slow is not None
    assert slow.join(20)
    assert (view.panel["verb"], view.panel["number"], count_writes(server)) == ("publish", 1, 0)


def test_planning_shows_what_is_read_and_stops_after_a_cancel(server: DemoServer, view: HeadlessView) -> None:
    """Planning shows what is being read; after Cancel nothing more is requested."""
    server.faults.latency_of["get_session"] = 0.2
    view.select_matching()
    view.post("begin", action="expire")
    wait_until(lambda: view.panel.get("part") == "session details")
    slow = view.explorer.panel.task
    assert slow is not None
    view.post("cancel")
    assert slow.join(20)
    assert not server.requests.count("get_sampler")
    view.make_plan("expire")
    assert server.requests.count("get_sampler")


def test_an_export_that_is_cancelled_writes_nothing(server: DemoServer, client: tkf.Client, tmp_path: Path) -> None:
    """Cancelling an export while its checkpoints are read shows a note and writes no file."""
    view = HeadlessView(client.training_runs(), client)
    server.faults.latency_of["list_checkpoints"] = 0.3
    view.select_matching()
    view.post("begin", action="export")
    view.post("answer", given={"path": str(tmp_path / "x.parquet"), "checkpoints": True})
    wait_until(lambda: view.panel.get("part"))
    view.send("cancel")
    assert view.panel["note"] == "It was cancelled."
    assert not (tmp_path / "x.parquet").exists()


def test_cancelling_a_retry_leaves_the_outcome(server: DemoServer, view: HeadlessView) -> None:
    """Cancelling the planning of a retry returns to the outcome, which can be retried."""
    server.faults.bursts.append(Burst("publish_checkpoint", 403, times=2))
    outcome = run_action(view, "publish", 4)
    server.faults.hang.append(Hang("list_checkpoints", seconds=0.3, times=1))
    view.post("retry")
    view.post("cancel")
    assert (view.panel["stage"], count_outcomes(view.panel)) == ("outcome", count_outcomes(outcome))
    view.wait()
    assert view.panel["stage"] == "outcome"
    view.send("retry")
    assert view.panel["number"] == 2


def test_a_running_plan_can_be_cancelled(server: DemoServer, view: HeadlessView) -> None:
    """After a cancel nothing further is sent; each row shows its outcome, and the rest can be done later."""
    server.faults.write_latency = 0.05
    before = get_server_state(server)
    view.select_matching()
    view.make_plan("publish")
    number, server.faults.write_capacity = view.panel["number"], 2
    view.post("confirm", typed=str(view.panel["number"]))
    wait_until(lambda: count_writes(server) >= 3)
    assert (view.panel["stage"], view.panel["total"], view.panel["stopping"]) == ("work", number, False)
    for refused in (
        {"do": "begin", "action": "delete"},
        {"do": "close"},
        {"do": "confirm"},
        {"do": "undo"},
        {"do": "retry"},
        {"do": "allow", "guards": []},
    ):
        view.explorer.set_note("")
        view.post(**refused)
        assert view.note, refused
        assert view.panel["stage"] == "work"
    view.post("cancel")
    assert view.panel["stopping"]
    view.wait()
    sent, after = count_writes(server), get_server_state(server)
    changed = {path for path in before if before[path] != after[path]}
    outcomes = view.explorer.panel.outcomes.set_index("tinker_path")["outcome"]
    assert 0 < len(changed) == (outcomes == "done").sum() <= sent < number
    assert set(outcomes.index[outcomes == "done"]) == changed
    assert get_frame_state(view.state.rows.frame) == after
    late = [why for why in list_reasons(view.panel) if "when it was cancelled" in why]
    assert len(late) == number - len(changed)
    assert (view.panel["undo"], view.panel["retry"]) == (True, True)
    server.faults.clear()
    assert count_writes(server) == sent
    view.send("retry")
    assert view.panel["number"] == number - len(changed)
    view.confirm()
    assert all(get_server_state(server)[path][0] for path in outcomes.index)


def test_progress_and_waits_are_shown(server: DemoServer, client: tkf.Client, view: HeadlessView) -> None:
    """While rows are sent, count and rate are shown, and for a wait its length and reason."""
    view.select(*view.keys[:20])
    view.make_plan("publish")
    transport = client.transport  # with one worker, no other row ends during the wait, which would end the notice of it
    transport.settings = replace(transport.settings, max_workers=1)
    server.faults.latency_of = {"publish_checkpoint": 0.03}
    server.faults.bursts.append(Burst("publish_checkpoint", 429, times=1, retry_after="1.4"))
    view.post("confirm", typed=str(view.panel["number"]))
    wait_until(lambda: view.panel.get("waiting") == "waiting 1 s: rate limited (429)")
    assert view.panel["what"] == "publish 20 checkpoints"
    assert (view.panel["stage"], view.panel["total"]) == ("work", 20)
    wait_until(lambda: 0 < view.panel["done"] < 20)
    view.wait()
    assert count_outcomes(view.panel) == {"done": 20}
    assert any(part == ("action_panel",) for part in view.updates)


# ── failures ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_server_that_refuses_every_write(server: DemoServer, view: HeadlessView) -> None:
    """If every write fails, each row shows its status, no row is shown as changed, and nothing can be undone."""
    before = get_server_state(server)
    server.faults.bursts.append(Burst("set_checkpoint_ttl", 403, times=None))
    shown = run_action(view, "expire", 5)
    assert (count_outcomes(shown), shown["undo"], shown["retry"]) == ({"failed": 5}, False, True)
    assert all("403" in why for why in list_reasons(shown))
    assert get_server_state(server) == before == get_frame_state(view.state.rows.frame)


BROKEN: dict[str, Way] = {
    "401": lambda server: server.faults.bursts.append(Burst("*", 401, times=None)),
    "gone": lambda server: server.stop(),
    "resets": lambda server: server.faults.resets.append(Reset("*", times=None)),
}


@pytest.mark.parametrize(("act", "how"), [*(("expire", how) for how in BROKEN), ("retire", "gone")])
def test_a_plan_that_cannot_be_made_shows_the_reason(server: DemoServer, client_of: Make, how: str, act: str) -> None:
    """If the rows cannot be read, the panel shows the reason instead of a plan, and the table stays."""
    client = client_of(server, retries=0, timeout=5)
    view = HeadlessView(client.inventory(), client)
    view.select(view.keys[0])
    BROKEN[how](server)
    view.send("begin", action=act)
    if act == "retire":
        view.send("answer", given={"keep_last": 1})
    assert (view.panel["stage"], view.explorer.panel.plan) == ("ask" if act == "retire" else "", None)
    assert len(view.panel["error"]) > 20
    assert len(view.keys) == len(view.state.rows.frame)


@pytest.mark.few(2)
@pytest.mark.parametrize("how", BROKEN)
def test_a_server_that_breaks_after_the_confirmation(server: DemoServer, client_of: Make, how: str) -> None:
    """If nothing can be read or sent any longer, this is shown for each row or for the plan, and no row is shown as changed."""
    client = client_of(server, retries=0, timeout=5)
    view = HeadlessView(client.inventory(), client)
    view.select(*[path for path, (public, _) in get_server_state(server).items() if not public][:1])
    view.make_plan("publish")
    before = get_frame_state(view.state.rows.frame)
    BROKEN[how](server)
    view.send("confirm")
    assert view.panel["stage"] in ("confirm", "outcome")
    assert view.panel["error"] or [group["rows"] for group in view.panel["failed"]] == [1]
    assert get_frame_state(view.state.rows.frame) == before


# ── other servers, other views ───────────────────────────────────────────────────────────────────────────────────────


def test_sessions_whose_runs_are_known_only_from_them(client_of: Make) -> None:
    """Selected sessions stand for the checkpoints of their runs, even if run ids do not contain the session."""
    with DemoServer(runs=6, dialect="tuft") as server:
        client = client_of(server)
        view = HeadlessView(client.sessions(), client)
        view.select(view.keys[0])
        view.make_plan("publish")
        theirs = {run.training_run_id for run in server.state.session(view.keys[0]).runs}
        every = client.checkpoints()
        expected = every.loc[every["training_run_id"].isin(theirs), "tinker_path"]
        assert sorted(view.explorer.panel.plan.rows["tinker_path"]) == sorted(expected)
        assert len(expected) > 0


def test_two_views_act_at_the_same_time(server: DemoServer, client_of: Make) -> None:
    """Two views of one account run their plans at the same time, each on its own rows."""
    seats = [HeadlessView(client.inventory(), client) for client in (client_of(server), client_of(server))]
    private = [path for path, (public, end) in get_server_state(server).items() if not public and end is None]
    server.faults.write_latency = 0.02
    for view, paths, act in zip(seats, (private[:15], private[15:30]), ("publish", "set_ttl"), strict=True):
        view.send("filter", name="query", value=ROWS)
        view.select(*paths)
        view.make_plan(act, **({"ttl": "30d"} if act == "set_ttl" else {}))
        view.send("allow", guards=["newest", "last_training", "sampler"])
        assert view.panel["number"] == 15
    for view in seats:
        view.post("confirm", typed=str(view.panel["number"]))
    assert [count_outcomes(view.wait()) for view in seats] == [{"done": 15}, {"done": 15}]
    after = get_server_state(server)
    assert all(after[path][0] for path in private[:15])
    assert all(after[path][1] is not None for path in private[15:30])
    assert [set(view.selected) for view in seats] == [set(private[:15]), set(private[15:30])]
    assert not set(seats[0].keys) & set(private[:15])
    assert not set(seats[1].keys) & set(private[15:30])
