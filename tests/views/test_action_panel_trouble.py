"""Actions that are taken back, cancelled, tried again, or go wrong: nothing is sent that was not meant, and nothing is passed over."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import tinker_frames as tkf
from tests.views.sample_panels import Make, Seat, as_shown, present, until, writes
from tinker_frames.demo import Burst, DemoServer, Hang, Reset

ROWS = "not public and expires_at.isna()"
Way = Callable[[DemoServer], None]


@pytest.fixture
def seat(client: tkf.Client) -> Seat:
    """A view of the checkpoints that are private and never expire."""
    seat = Seat(client.inventory(), client)
    seat.send("filter", name="query", value=ROWS)
    return seat


def run_action(seat: Seat, act: str, rows: int = 12, **given: Any) -> dict[str, Any]:
    """Select some rows, confirm an action on them, and return the outcome that is shown."""
    seat.select(*seat.keys[-rows:])
    seat.make_plan(act, **given)
    seat.send("allow", guards=["newest", "public", "sampler"])
    seat.confirm()
    return seat.panel


def count_outcomes(shown: dict[str, Any]) -> dict[str, int]:
    """Return how many rows had each outcome."""
    return {count["outcome"]: count["rows"] for count in shown["counts"]}


def reasons(shown: dict[str, Any]) -> list[str]:
    """Return why each row that is listed was not done, in full."""
    return [row[2] if isinstance(row[2], str) else row[2][1] for row in shown["failed"][1:]]


# ── undo ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("act", "given", "query"),
    [
        ("publish", {}, "not public"), ("set_ttl", {"ttl": None}, "expires_in_days > 1"), ("retire", {"keep_last": 1, "after": "24h"}, ROWS),
    ],
)  # fmt: skip
def test_what_was_done_is_taken_back(
    server: DemoServer, client: tkf.Client, act: str, given: dict[str, Any], query: str
) -> None:
    """Undo gives every row back what it had before, in the table too, once; then there is nothing left to undo."""
    seat = Seat(client.inventory(), client)
    seat.send("filter", name="query", value=query)
    before = present(server)
    seat.select(*seat.keys[:8])
    seat.make_plan(act, **given)
    seat.send("allow", guards=["newest", "public", "sampler"])
    seat.confirm()
    assert present(server) != before
    assert seat.panel["undo"]
    done = count_outcomes(seat.panel)["done"]
    seat.send("undo")
    assert (count_outcomes(seat.panel), seat.panel["label"]) == ({"done": done}, "Undo")
    after = present(server)
    assert {path: public for path, (public, _) in after.items()} == {
        path: public for path, (public, _) in before.items()
    }
    for path, (_, end) in after.items():
        was = before[path][1]
        assert end == was or abs((end - was).total_seconds()) < 60
    assert as_shown(seat.state.rows.frame) == after
    assert (seat.panel["undo"], seat.panel["retry"]) == (False, False)
    sent = writes(server)
    seat.send("undo")
    assert "nothing to undo" in seat.note.lower()
    assert writes(server) == sent


def test_a_delete_cannot_be_taken_back(server: DemoServer, seat: Seat) -> None:
    """After a delete no undo is offered, and asking for it is explained."""
    shown = run_action(seat, "delete", 3)
    assert (count_outcomes(shown), shown["undo"]) == ({"done": 3}, False)
    seat.send("undo")
    assert "nothing to undo" in seat.note.lower()
    assert writes(server) == 3


def test_an_undo_that_fails_can_be_tried_again(server: DemoServer, seat: Seat) -> None:
    """Rows that could not be given back are told, and trying again gives back those, and does not do again what was undone."""
    before = present(server)
    run_action(seat, "publish", 8)
    server.faults.bursts.append(Burst("unpublish_checkpoint", 403, times=5))
    seat.send("undo")
    assert count_outcomes(seat.panel) == {"done": 3, "failed": 5}
    assert (seat.panel["retry"], seat.panel["undo"]) == (True, False)
    server.faults.clear()
    seat.send("retry")
    assert count_outcomes(seat.panel)["done"] == 5
    assert present(server) == before == as_shown(seat.state.rows.frame)
    assert server.requests.count("publish_checkpoint") == 8


def test_what_somebody_changed_meanwhile_is_not_taken_back(server: DemoServer, seat: Seat) -> None:
    """Undo leaves a row alone that was changed since, and says why."""
    run_action(seat, "expire", 6)
    path = seat.selected[0]
    server.state.set_ttl(server.state.find(path), 86_400 * 20)
    theirs = present(server)[path]
    seat.send("undo")
    assert count_outcomes(seat.panel) == {"done": 5, "skipped": 1}
    assert [row[0] for row in seat.panel["failed"][1:]] == [path]
    assert "changed since" in reasons(seat.panel)[0]
    assert present(server)[path] == theirs


def test_rows_of_an_outcome_can_be_looked_at(server: DemoServer, seat: Seat) -> None:
    """A click on an outcome lists its rows, a second one puts them away; what is undone has outcomes of its own."""
    server.faults.bursts.append(Burst("publish_checkpoint", 403, times=5))
    shown = run_action(seat, "publish")
    assert (shown["rows"], [count["open"] for count in shown["counts"]]) == ([], [False, False])
    outcomes = seat.explorer.panel.outcomes
    assert outcomes is not None
    for outcome in ("done", "failed"):
        seat.send("list", verdict=outcome)
        names, *rows = seat.panel["rows"]
        assert names[:2] == ["tinker_path", "error"]
        assert [row[0] for row in rows] == outcomes.loc[outcomes["outcome"] == outcome, "tinker_path"].tolist()
        assert {count["outcome"] for count in seat.panel["counts"] if count["open"]} == {outcome}
    seat.send("list", verdict="failed")
    assert seat.panel["rows"] == []
    seat.send("list", verdict="done")
    seat.send("undo")
    assert (count_outcomes(seat.panel), seat.panel["rows"]) == ({"done": 7}, [])


# ── again ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_failed_is_tried_again_and_nothing_else(server: DemoServer, seat: Seat) -> None:
    """Failed rows are shown with their reason; trying again is a plan of those rows, lifted guards included, and sends those only."""
    server.faults.bursts.append(Burst("publish_checkpoint", 403, times=5, detail="Not today."))
    shown = run_action(seat, "publish")
    assert (count_outcomes(shown), shown["retry"]) == ({"done": 7, "failed": 5}, True)
    assert [row[1] for row in shown["failed"][1:]] == ["failed"] * 5
    assert all("Not today." in why for why in reasons(shown))
    failed = {row[0] for row in shown["failed"][1:]}
    server.faults.clear()
    server.requests.clear()
    seat.send("retry")
    assert (seat.panel["stage"], seat.panel["number"], seat.panel["hidden"]) == ("confirm", 5, 0)
    assert [guard["name"] for guard in seat.panel["guards"] if guard["on"]] == ["newest", "public", "sampler"]
    assert set(seat.confirm()["tinker_path"]) == failed
    assert (count_outcomes(seat.panel), writes(server), seat.panel["retry"]) == ({"done": 5}, 5, False)
    assert as_shown(seat.state.rows.frame) == present(server)


def test_a_plan_of_what_failed_that_cannot_be_made_leaves_the_outcome(server: DemoServer, seat: Seat) -> None:
    """While the server does not even let rows be looked at, the outcome stays, says why, and can be tried again later."""
    server.faults.bursts.append(Burst("set_checkpoint_ttl", 403, times=4))
    outcome = run_action(seat, "expire")
    server.faults.bursts.append(Burst("*", 401, times=None))
    seat.send("retry")
    assert (seat.panel["stage"], count_outcomes(seat.panel), seat.panel["retry"]) == (
        "outcome",
        count_outcomes(outcome),
        True,
    )
    assert "401" in seat.panel["note"]
    assert "journal" not in seat.panel["note"]
    server.faults.clear()
    seat.send("retry")
    assert (seat.panel["number"], seat.panel["note"]) == (4, "")


# ── cancel ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_cancelling_a_plan_that_is_being_made_is_at_once(server: DemoServer, seat: Seat) -> None:
    """Whoever cancels while rows are looked at does not wait for it: another action can begin, and the first never turns up."""
    server.faults.hang.append(Hang("list_checkpoints", seconds=0.7, times=1))
    server.requests.clear()
    seat.say("begin", action="delete")
    until(lambda: server.requests.count("list_checkpoints"))
    assert seat.panel["stage"] == "work"
    slow = seat.explorer.panel.task
    seat.say("cancel")
    assert (seat.panel["stage"], seat.explorer.panel.plan) == ("", None)
    seat.select(seat.keys[0])
    assert seat.make_plan("publish")["number"] == 1
    assert slow is not None
    assert slow.join(20)
    assert (seat.panel["verb"], seat.panel["number"], writes(server)) == ("publish", 1, 0)


def test_a_plan_tells_what_is_read_for_it_and_cancelling_stops_that(server: DemoServer, seat: Seat) -> None:
    """While rows are looked at, what is read is shown by name; after Cancel nothing that would follow is asked for."""
    server.faults.latency_of["list_checkpoints"] = 0.2
    seat.say("begin", action="expire")
    until(lambda: seat.panel.get("part") == "checkpoints")
    slow = seat.explorer.panel.task
    assert slow is not None
    seat.say("cancel")
    assert slow.join(20)
    assert not server.requests.count("get_sampler")
    seat.make_plan("expire")
    assert server.requests.count("get_sampler")


def test_an_export_that_is_cancelled_writes_nothing(server: DemoServer, client: tkf.Client, tmp_path: Path) -> None:
    """Cancel while checkpoints of runs are read for a file: it says so, and there is no file."""
    seat = Seat(client.training_runs(), client)
    server.faults.latency_of["list_checkpoints"] = 0.3
    seat.say("begin", action="export")
    seat.say("answer", given={"path": str(tmp_path / "x.parquet"), "checkpoints": True})
    until(lambda: seat.panel.get("part"))
    seat.send("cancel")
    assert seat.panel["note"] == "It was cancelled."
    assert not (tmp_path / "x.parquet").exists()


def test_cancelling_what_is_asked_for_again_leaves_the_outcome(server: DemoServer, seat: Seat) -> None:
    """Cancelling while failed rows are looked at goes back to the outcome, from which they can be tried again."""
    server.faults.bursts.append(Burst("publish_checkpoint", 403, times=2))
    outcome = run_action(seat, "publish", 4)
    server.faults.hang.append(Hang("list_checkpoints", seconds=0.3, times=1))
    seat.say("retry")
    seat.say("cancel")
    assert (seat.panel["stage"], count_outcomes(seat.panel)) == ("outcome", count_outcomes(outcome))
    seat.wait()
    assert seat.panel["stage"] == "outcome"
    seat.send("retry")
    assert seat.panel["number"] == 2


def test_cancelling_what_is_being_sent(server: DemoServer, seat: Seat) -> None:
    """After a cancel nothing further is sent; each row says whether it was done, the table shows it, and the rest can be done later."""
    server.faults.write_latency = 0.05
    before = present(server)
    seat.make_plan("publish")
    number, server.faults.write_capacity = seat.panel["number"], 2
    seat.say("confirm", typed=str(seat.panel["number"]))
    until(lambda: writes(server) >= 3)
    assert (seat.panel["stage"], seat.panel["total"], seat.panel["stopping"]) == ("work", number, False)
    for refused in (
        {"do": "begin", "action": "delete"},
        {"do": "close"},
        {"do": "confirm"},
        {"do": "undo"},
        {"do": "retry"},
        {"do": "allow", "guards": []},
    ):
        seat.explorer.say("")
        seat.say(**refused)
        assert seat.note, refused
        assert seat.panel["stage"] == "work"
    seat.say("cancel")
    assert seat.panel["stopping"]
    seat.wait()
    sent, after = writes(server), present(server)
    changed = {path for path in before if before[path] != after[path]}
    outcomes = seat.explorer.panel.outcomes.set_index("tinker_path")["outcome"]
    assert 0 < len(changed) == (outcomes == "done").sum() <= sent < number
    assert set(outcomes.index[outcomes == "done"]) == changed
    assert as_shown(seat.state.rows.frame) == after
    late = [why for why in reasons(seat.panel) if "when it was cancelled" in why]
    assert len(late) == number - len(changed)
    assert (seat.panel["undo"], seat.panel["retry"]) == (True, True)
    server.faults.clear()
    assert writes(server) == sent
    seat.send("retry")
    assert seat.panel["number"] == number - len(changed)
    seat.confirm()
    assert all(present(server)[path][0] for path in outcomes.index)


def test_what_goes_on_is_shown_and_waits_are_said(server: DemoServer, seat: Seat) -> None:
    """While rows are sent, their number and rate are shown; where the server asks to wait, for how long and why."""
    seat.select(*seat.keys[:20])
    seat.make_plan("publish")
    server.faults.bursts.append(Burst("publish_checkpoint", 429, times=1, after=6, retry_after="1"))
    seat.say("confirm", typed=str(seat.panel["number"]))
    until(lambda: seat.panel.get("waiting"))
    assert seat.panel["waiting"] == "waiting 1 s: rate limited (429)"
    assert seat.panel["what"] == "publish 20 checkpoints"
    assert (seat.panel["stage"], seat.panel["total"]) == ("work", 20)
    until(lambda: 0 < seat.panel["done"] < 20)
    seat.wait()
    assert count_outcomes(seat.panel) == {"done": 20}
    assert any(part == ("action_panel",) for part in seat.told)


# ── what goes wrong ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_server_that_refuses_every_write(server: DemoServer, seat: Seat) -> None:
    """Where every write fails, each row says so with its status, nothing is shown as changed, and nothing can be undone."""
    before = present(server)
    server.faults.bursts.append(Burst("set_checkpoint_ttl", 403, times=None))
    shown = run_action(seat, "expire", 5)
    assert (count_outcomes(shown), shown["undo"], shown["retry"]) == ({"failed": 5}, False, True)
    assert all("403" in why for why in reasons(shown))
    assert present(server) == before == as_shown(seat.state.rows.frame)


BROKEN: dict[str, Way] = {
    "401": lambda server: server.faults.bursts.append(Burst("*", 401, times=None)),
    "gone": lambda server: server.stop(),
    "resets": lambda server: server.faults.resets.append(Reset("*", times=None)),
}


@pytest.mark.parametrize(("act", "how"), [*(("expire", how) for how in BROKEN), ("retire", "gone")])
def test_a_plan_that_cannot_be_made_says_why(server: DemoServer, client_of: Make, how: str, act: str) -> None:
    """Where the rows cannot be looked at, there is no plan but the reason, on the panel, and the table stays."""
    client = client_of(server, retries=0, timeout=5)
    seat = Seat(client.inventory(), client)
    seat.select(seat.keys[0])
    BROKEN[how](server)
    seat.send("begin", action=act)
    if act == "retire":
        seat.send("answer", given={"keep_last": 1})
    assert (seat.panel["stage"], seat.explorer.panel.plan) == ("ask" if act == "retire" else "", None)
    assert len(seat.panel["note"]) > 20
    assert len(seat.keys) == len(seat.state.rows.frame)


@pytest.mark.parametrize("how", BROKEN)
def test_a_server_that_breaks_after_the_confirmation(server: DemoServer, client_of: Make, how: str) -> None:
    """Where nothing can be read or sent any more, that is said of every row or of the whole, and no row is shown as changed."""
    client = client_of(server, retries=0, timeout=5)
    seat = Seat(client.inventory(), client)
    seat.select(*[path for path, (public, _) in present(server).items() if not public][:1])
    seat.make_plan("publish")
    before = as_shown(seat.state.rows.frame)
    BROKEN[how](server)
    seat.send("confirm")
    assert seat.panel["stage"] in ("confirm", "outcome")
    assert seat.panel["note"] or len(seat.panel["failed"]) == 2
    assert as_shown(seat.state.rows.frame) == before


# ── other servers, other views ───────────────────────────────────────────────────────────────────────────────────────


def test_a_table_of_sessions_on_a_server_that_knows_their_runs_only_from_them(client_of: Make) -> None:
    """Selected sessions mean the checkpoints of their own runs also where ids of runs tell no session."""
    with DemoServer(runs=6, dialect="tuft") as server:
        client = client_of(server)
        seat = Seat(client.sessions(), client)
        seat.select(seat.keys[0])
        seat.make_plan("publish")
        theirs = {run.training_run_id for run in server.state.session(seat.keys[0]).runs}
        every = client.checkpoints()
        expected = every.loc[every["training_run_id"].isin(theirs), "tinker_path"]
        assert sorted(seat.explorer.panel.plan.rows["tinker_path"]) == sorted(expected)
        assert len(expected) > 0


def test_two_views_act_at_the_same_time(server: DemoServer, client_of: Make) -> None:
    """Two views of one account carry out their plans at once, each its own rows, and neither loses its place."""
    seats = [Seat(client.inventory(), client) for client in (client_of(server), client_of(server))]
    private = [path for path, (public, end) in present(server).items() if not public and end is None]
    server.faults.write_latency = 0.02
    for seat, paths, act in zip(seats, (private[:15], private[15:30]), ("publish", "set_ttl"), strict=True):
        seat.send("filter", name="query", value=ROWS)
        seat.select(*paths)
        seat.make_plan(act, **({"ttl": "30d"} if act == "set_ttl" else {}))
        seat.send("allow", guards=["newest", "last_training", "sampler"])
        assert seat.panel["number"] == 15
    for seat in seats:
        seat.say("confirm", typed=str(seat.panel["number"]))
    assert [count_outcomes(seat.wait()) for seat in seats] == [{"done": 15}, {"done": 15}]
    after = present(server)
    assert all(after[path][0] for path in private[:15])
    assert all(after[path][1] is not None for path in private[15:30])
    assert [set(seat.selected) for seat in seats] == [set(private[:15]), set(private[15:30])]
    assert not set(seats[0].keys) & set(private[:15])
    assert not set(seats[1].keys) & set(private[15:30])
