"""Actions from the selection to the outcome, against a real server: the planned rows are sent, and the outcomes are displayed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import tinker_frames as tkf
from tests.views.headless import HeadlessView, count_writes, get_frame_state, get_server_state, wait_until
from tinker_frames import policies as P  # noqa: N812
from tinker_frames.demo import DemoServer
from tinker_frames.errors import InvalidRequestError
from tinker_frames.frames.files import read_export
from tinker_frames.frames.humanize import format_size
from tinker_frames.plans.guards import GUARDS
from tinker_frames.views.forms import OFFERED, make_fields
from tinker_frames.views.panel_rows import PAGE_ROWS

State = tuple[bool, datetime | None]
ALL = tuple(GUARDS)


def is_due(at: datetime | None, **ahead: int) -> bool:
    return at is not None and abs(at - datetime.now(UTC) - timedelta(**ahead)) < timedelta(minutes=5)


# Each with its arguments, the rows it is applied to, and the expected state on the server.
DONE: dict[str, tuple[str, dict[str, Any], str, Callable[[State | None], bool]]] = {
    "retire": ("retire", {"keep_last": 2, "keep_public": True, "after": "48h"}, "size_gb > 0", lambda row: row is not None and is_due(row[1], days=2)),
    "delete": ("delete", {}, "not public", lambda row: row is None),
    "expire": ("expire", {}, "expires_at.isna()", lambda row: row is not None and is_due(row[1], days=1)),
    "publish": ("publish", {}, "not public", lambda row: row is not None and row[0]),
    "unpublish": ("unpublish", {}, "public", lambda row: row is not None and not row[0]),
    "set_ttl": ("set_ttl", {"ttl": "30d"}, "size_gb > 1", lambda row: row is not None and is_due(row[1], days=30)),
    "never": ("set_ttl", {"ttl": None}, "expires_at.notna()", lambda row: row is not None and row[1] is None),
    "extend": ("extend", {"by": "365d"}, "expires_in_days > 1", lambda row: row is not None and row[1] - datetime.now(UTC) > timedelta(days=365)),
    "retire per session": ("retire", {"keep_last": 1, "per": "session_id, checkpoint_type", "after": "48h"}, "size_gb > 0", lambda row: row is not None and is_due(row[1], days=2)),
    "retire at once": ("retire", {"keep_every": 10**6, "keep_final": True, "used_by_samplers": True, "newer_than": "1h"}, "size_gb > 0", lambda row: row is None),
}  # fmt: skip


@pytest.fixture
def view(client: tkf.Client) -> HeadlessView:
    """A view of all checkpoints."""
    return HeadlessView(client.inventory(), client)


# ── from the filter to the outcome ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.few(2)
@pytest.mark.parametrize("name", DONE)
def test_an_action_writes_the_rows_of_its_plan(server: DemoServer, view: HeadlessView, name: str) -> None:
    """Exactly the rows of the plan are written as requested, all others are unchanged, and the table shows it."""
    act, given, query, is_done = DONE[name]
    view.send("filter", name="query", value=query)
    view.select_matching()
    before, matching = get_server_state(server), set(view.keys)
    plan = view.make_plan(act, **given)
    sent = {group["rows"] for group in plan["groups"] if group["verdict"] == "send"}
    assert sent == {plan["number"]}
    assert 0 < plan["number"] <= len(matching)
    assert count_writes(server) == 0
    outcomes = view.confirm()
    assert count_writes(server) == plan["number"] == (outcomes["outcome"] == "done").sum()
    done, after = set(outcomes.loc[outcomes["outcome"] == "done", "tinker_path"]), get_server_state(server)
    assert done <= matching
    assert all(is_done(after.get(path)) for path in done)
    assert {path: after.get(path) for path in before if path not in done} == {
        p: before[p] for p in before if p not in done
    }
    assert get_frame_state(view.state.rows.frame) == after
    assert view.keys == view.state.rows.frame.query(query)["tinker_path"].tolist()
    assert {count["outcome"]: count["rows"] for count in view.panel["counts"]} == outcomes[
        "outcome"
    ].value_counts().loc[lambda n: n > 0].to_dict()
    assert view.explorer.panel.plan is not None


@pytest.mark.few(1)
@pytest.mark.parametrize(
    ("table", "name"), [("training_runs", "retire"), ("training_runs", "delete"), ("sessions", "publish")]
)
def test_an_action_on_runs_and_sessions_applies_to_their_checkpoints(
    server: DemoServer, client: tkf.Client, table: str, name: str
) -> None:
    """Actions on selected runs or sessions apply to their checkpoints only; the table is then refreshed and keeps the selection."""
    act, given, _, is_done = DONE[name]
    rows, every = getattr(client, table)(), client.checkpoints()
    view = HeadlessView(rows, client)
    key = view.state.sort.key
    largest = every.groupby(key)["size_bytes"].sum().nlargest(2).index
    view.select(*largest)
    plan = view.make_plan(act, **given)
    theirs = set(every.loc[every[key].isin(largest), "tinker_path"])
    before = get_server_state(server)
    paths = set(view.explorer.panel.plan.rows["tinker_path"])
    assert paths == theirs if act != "retire" else 0 < len(paths) < len(theirs) and paths < theirs
    assert plan["target"] == f"2 {view.state.sort.one}s selected"
    outcomes = view.confirm()
    done, after = set(outcomes.loc[outcomes["outcome"] == "done", "tinker_path"]), get_server_state(server)
    assert len(done) == plan["number"] > 0
    assert all(is_done(after.get(path)) for path in done)
    assert {path: after[path] for path in before if path not in done} == {p: before[p] for p in before if p not in done}
    assert set(view.selected) == set(largest)
    same = [column for column in rows.columns if not column.endswith("_days")]
    pd.testing.assert_frame_equal(view.state.rows.frame[same], getattr(client, table)(refresh=True)[same])
    assert not view.note


@pytest.mark.few(3)
@pytest.mark.parametrize("action", [*OFFERED])
def test_without_a_selection_no_action_begins(server: DemoServer, view: HeadlessView, action: str) -> None:
    """No action applies to all matching rows by itself, not even an export: it is refused, with the way to select them."""
    view.send("filter", name="public", value=[False])
    view.send("begin", action=action)
    assert "no row is selected" in view.note.lower()
    assert "`view.selected = view.filtered`" in view.note
    assert (view.panel["stage"], view.explorer.panel.plan, count_writes(server)) == ("", None, 0)
    with pytest.raises(InvalidRequestError, match=r"view\.selected = view\.filtered"):
        view.explorer.begin_action(action)


def test_an_action_applies_to_the_selection(view: HeadlessView) -> None:
    """An action applies to the selected rows, including hidden ones, which is stated; all matching rows are a selection too."""
    path, *_ = view.keys
    view.send("filter", name="public", value=[True])
    view.select_matching()
    plan = view.make_plan("unpublish")
    assert (plan["target"], plan["hidden"]) == (f"{len(view.keys)} checkpoints selected", 0)
    view.select(view.keys[0], path)
    plan = view.make_plan("unpublish")
    assert (plan["target"], plan["hidden"]) == ("2 checkpoints selected", 1)
    assert set(view.explorer.panel.plan.rows["tinker_path"]) == {view.keys[0], path}


def test_no_action_is_possible_while_a_filter_is_invalid(server: DemoServer, view: HeadlessView) -> None:
    """While a query is wrong, no action begins and not all rows can be selected; once it is corrected or removed, both work."""
    view.send("filter", name="query", value="not public")
    view.select_matching()
    before = view.selected
    view.send("filter", name="query", value="not public and")
    for message in ({"do": "begin", "action": "delete"}, {"do": "select", "how": "all"}):
        view.explorer.set_note("")
        view.send(**message)
        assert "'pandas query' is not valid" in view.note
        assert (view.panel["stage"], view.explorer.panel.plan, view.selected) == ("", None, before)
    with pytest.raises(InvalidRequestError, match="not valid"):
        view.explorer.begin_action("expire")
    view.send("reset")
    assert view.make_plan("expire")["target"] == f"{len(before)} checkpoints selected"
    assert count_writes(server) == 0


def change_table(view: HeadlessView) -> None:
    """Open the run of the first row."""
    view.send("open", label="run", place=0, number=view.state.rows.number)


CHANGES: dict[str, tuple[str, Callable[[HeadlessView], Any]]] = {
    "more rows": ("the selection has changed", lambda view: view.send("select", how="all")),
    "another row": ("the selection has changed", lambda view: view.select(*view.keys[1:4])),
    "no row": ("no row is selected", lambda view: view.send("select", how="none")),
    "filters": ("the filters have changed", lambda view: view.send("filter", name="text", value="a")),
    "reset": ("the filters have changed", lambda view: view.send("reset")),
    "wrong query": ("is not valid", lambda view: view.send("filter", name="query", value="public and")),
    "table": ("no row is selected", change_table),
}


@pytest.mark.few(3)
@pytest.mark.parametrize("change", CHANGES)
def test_a_plan_is_out_of_date_when_its_rows_are_not_those_selected(
    server: DemoServer, view: HeadlessView, change: str
) -> None:
    """A plan names its rows and filters; once selection, filters or table have changed, it says so, and cannot be run or widened."""
    view.send("filter", name="query", value="not public and expires_at.isna()")
    view.select(*view.keys[:3])
    plan = view.make_plan("publish")
    assert (plan["target"], plan["obstacle"]) == ("3 checkpoints selected", "")
    assert plan["filters"] == "pandas query: not public and expires_at.isna()"
    reason, do = CHANGES[change]
    do(view)
    shown = view.shown["action_panel"]
    assert "out of date" in shown["obstacle"]
    assert reason in shown["obstacle"]
    assert (shown["number"], shown["target"], shown["filters"]) == (3, plan["target"], plan["filters"])
    for message in ({"do": "confirm", "typed": "3"}, {"do": "allow", "guards": ["newest"]}):
        view.send(**message)
        assert "out of date" in view.note
        assert (view.panel["stage"], view.panel["number"], count_writes(server)) == ("confirm", 3, 0)


def test_a_plan_is_up_to_date_while_its_rows_are_those_selected(server: DemoServer, view: HeadlessView) -> None:
    """Sorting, a refresh, and a change that is taken back leave a plan as it is: its rows are sent."""
    view.send("filter", name="query", value="not public and expires_at.isna()")
    selected = view.keys[:12]
    view.select(*selected)
    view.make_plan("publish")
    view.send("select", how="all")
    view.select(*selected)
    view.send("sort", sort=["-size_gb"])
    change_table(view)
    view.send("back", depth=0)
    view.send("refresh")
    assert view.shown["action_panel"]["obstacle"] == ""
    assert set(view.confirm()["tinker_path"]) == set(selected)
    assert count_writes(server) == 12
    assert set(view.selected) == set(selected), "the selection stays"


def test_a_form_is_for_the_rows_that_are_selected_when_it_is_submitted(view: HeadlessView) -> None:
    """An open form follows the selection, and cannot be submitted without one."""
    view.select(*view.keys[:2])
    view.send("begin", action="set_ttl")
    assert view.panel["target"] == "2 checkpoints selected"
    view.send("select", how="none")
    assert "no row is selected" in view.shown["action_panel"]["obstacle"].lower()
    view.send("answer", given={"ttl": "30d"})
    assert (view.panel["stage"], view.explorer.panel.plan) == ("ask", None)
    view.select(*view.keys[:5])
    shown = view.shown["action_panel"]
    assert (shown["target"], shown["obstacle"]) == ("5 checkpoints selected", "")
    view.send("answer", given={"ttl": "30d"})
    assert set(view.explorer.panel.plan.rows["tinker_path"]) == set(view.keys[:5])


def test_a_plan_from_python_has_rows_of_its_own(view: HeadlessView) -> None:
    """A proposed plan says where its rows are from, and is not affected by the selection."""
    view.explorer.panel.propose(view.state.rows.frame.head(2).tinker.publish(client=view.explorer._client()))
    view.wait()
    view.send("select", how="all")
    assert (view.panel["target"], view.panel["obstacle"]) == ("the rows of a plan from Python", "")


# ── confirmation ─────────────────────────────────────────────────────────────────────────────────────────────


def test_held_rows_can_be_listed_and_guards_lifted(server: DemoServer, view: HeadlessView) -> None:
    """Held rows are counted by guard and listed on request; lifting a guard adds them, and can be reverted."""
    view.select_matching()
    plan = view.make_plan("delete")
    assert {guard["name"]: guard["on"] for guard in plan["guards"]} == dict.fromkeys(
        set(ALL) - {"expiry", "parent"}, False
    )
    (held,) = [group for group in plan["groups"] if group["verdict"] == "held"]
    assert sum(group["rows"] for group in plan["groups"]) == len(view.keys)
    frame = view.explorer.panel.plan.frame
    for guard in plan["guards"]:
        name = GUARDS[guard["name"]]
        assert int(guard["label"].split()[0]) == frame.loc[frame["verdict"] == "held", name.column].fillna(True).sum()
    view.send("list", verdict="held")
    names, *rows = view.panel["listed"]["rows"]
    assert (len(rows), view.panel["listed"]["total"]) == (min(held["rows"], PAGE_ROWS), held["rows"])
    assert all(row[names.index("reason")] for row in rows)
    assert [one["verdict"] for one in view.panel["groups"] if one["open"]] == ["held"]
    view.send("list", verdict="held")
    assert view.panel["listed"] is None
    view.send("allow", guards=list(ALL))
    assert view.panel["number"] == len(view.keys)
    assert [guard["on"] for guard in view.panel["guards"]] == [True] * len(ALL)
    view.send("allow", guards=["sampler"])
    assert plan["number"] < view.panel["number"] < len(view.keys)
    view.send("allow", guards=[])
    assert view.panel["number"] == plan["number"]
    view.send("allow", guards=["everything"])
    assert "no guard 'everything'" in view.note
    assert count_writes(server) == 0


@pytest.mark.parametrize("action", ["delete", "publish"])
def test_a_delete_and_a_large_publish_require_the_row_count(
    server: DemoServer, view: HeadlessView, action: str
) -> None:
    """Nothing is sent unless the exact row count is typed; a thousands separator is allowed."""
    view.send("filter", name="query", value="not public and size_gb > 1")
    view.select_matching()
    plan = view.make_plan(action)
    assert plan["typed"]
    assert plan["number"] > 10
    for typed in ("", "yes", str(plan["number"] + 1), f"{plan['number']}0", "-1", "0"):
        view.send("confirm", typed=typed)
        assert f"Type {plan['number']} to {action}" in view.note
        assert view.panel["stage"] == "confirm"
    assert count_writes(server) == 0
    view.send("confirm", typed=f" {plan['number']:,} ")
    assert view.panel["stage"] == "outcome"
    assert count_writes(server) == plan["number"]


def test_a_plan_without_changes_cannot_be_confirmed(server: DemoServer, view: HeadlessView) -> None:
    """If no row would change, the plan says so, and confirming it is refused."""
    view.send("filter", name="query", value="public")
    view.select_matching()
    plan = view.make_plan("publish")
    assert (plan["number"], {group["verdict"] for group in plan["groups"]}) == (0, {"unchanged"})
    view.send("confirm", typed="0")
    assert "no row of this plan is sent" in view.note
    assert (view.panel["stage"], count_writes(server)) == ("confirm", 0)


def test_the_confirmation_summarizes_the_plan(server: DemoServer, view: HeadlessView) -> None:
    """The confirmation shows rows, bytes, dollars, risks, the rule, and whether it can be undone."""
    view.send("filter", name="query", value="size_gb > 1 and not public")
    view.select_matching()
    plan = view.make_plan("retire", keep_last=1, after="24h")
    sends = view.explorer.panel.plan.frame.query("verdict == 'send'")
    assert plan["lines"][0].startswith(f"{plan['number']} of ")
    assert "a month, will expire in 24 h" in plan["lines"][0]
    assert format_size(sends["size_bytes"].sum()) in plan["lines"][0]
    assert "$" in plan["lines"][0]
    assert (plan["rule"], plan["undo"], plan["typed"]) == ("keep_last(1)", True, False)
    assert view.make_plan("delete")["undo"] is False
    assert "a delete cannot be undone; to be able to, use Expire in 24 h" in view.panel["lines"]
    assert (view.panel["warning"], view.make_plan("publish")["warning"]) == ("", "any Tinker user can load them")


def test_what_stays_can_be_listed_too(view: HeadlessView) -> None:
    """What a keep rule keeps is a group and a part of its own, with the reason of each row."""
    view.select_matching()
    plan = view.make_plan("retire", keep_last=1, after="24h")
    kept = view.explorer.panel.plan.kept
    assert plan["groups"][-1]["verdict"] == "kept"
    assert plan["groups"][-1]["label"] == "kept by keep_last(1)"
    assert plan["groups"][-1]["rows"] == len(kept)
    parts = {part["label"]: part["value"] for part in plan["parts"]}
    assert parts[f"{len(kept):,} kept"] == kept["size_bytes"].sum()
    assert sum(parts.values()) == view.state.rows.frame["size_bytes"].sum()
    view.send("list", verdict="kept")
    names, *rows = view.panel["listed"]["rows"]
    assert [row[0] for row in rows] == kept["tinker_path"].tolist()[:PAGE_ROWS]
    assert {row[names.index("reason")] for row in rows} == {"keep_last(1)"}


def test_every_row_of_a_group_is_reached(view: HeadlessView) -> None:
    """A long group is listed in pages, of which the last has the last row; a page beyond is the last one."""
    view.select_matching()
    plan = view.make_plan("expire")
    frame = view.explorer.panel.plan.frame
    sent = frame.loc[frame["verdict"] == "send", "tinker_path"].tolist()
    assert plan["number"] == len(sent) > PAGE_ROWS - 100
    found: list[str] = []
    while len(found) < len(sent):
        view.send("list", verdict="send", first=len(found))
        found += [row[0] for row in view.panel["listed"]["rows"][1:]]
    assert found == sent
    view.send("list", verdict="send", first=10**6)
    assert view.panel["listed"]["rows"][-1][0] == sent[-1]


def test_a_form_shows_what_it_would_do(server: DemoServer, view: HeadlessView) -> None:
    """A form shows the plan of its values as they are changed and for the rows selected now, or the error in them; a plan can be changed."""
    view.select_matching()
    view.send("begin", action="retire")
    first = view.panel["estimate"]
    view.send("estimate", given={"keep_last": 1})
    second = view.panel["estimate"]
    assert first["lines"][0] != second["lines"][0]
    assert second["parts"][-1]["label"].endswith(" kept")
    view.select(*view.keys[:2])
    view.wait()
    assert (
        " of 2 checkpoints" in view.panel["estimate"]["lines"][0]
        or "no checkpoint" in view.panel["estimate"]["lines"][0]
    )
    view.send("estimate", given={"keep_last": "x"})
    assert "whole number" in view.panel["estimate"]["error"]
    view.send("answer", given={"keep_last": 2})
    assert (view.panel["stage"], view.panel["editable"]) == ("confirm", True)
    view.send("edit")
    assert view.panel["stage"] == "ask"
    assert view.panel["fields"][0]["value"] == 2
    view.send("begin", action="set_ttl")
    assert view.panel["estimate"] is None, "nothing is filled in"
    assert count_writes(server) == 0


@pytest.mark.parametrize("end", ["close", "answer"])
def test_an_estimate_stops_with_its_form(server: DemoServer, view: HeadlessView, end: str) -> None:
    """What is read for an estimate is read no further once its form is closed or submitted, and its result is dropped."""
    view.select_matching()
    server.faults.latency = 0.05
    server.requests.clear()
    view.post("begin", action="retire")
    wait_until(lambda: len(server.requests) > 0)
    view.send(end, **({"given": {"keep_last": 1}} if end == "answer" else {}))
    assert view.explorer.panel.estimator.result is None


# ── forms ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.few(6)
@pytest.mark.parametrize(
    ("act", "given", "problem"),
    [
        ("set_ttl", {}, "needs ttl"), ("set_ttl", {"ttl": ""}, "not a duration"), ("set_ttl", {"ttl": "5m"}, "ttl"),
        ("set_ttl", {"ttl": "1d", "never": True}, "does not take 'never'"), ("retire", {}, "needs keep"),
        ("retire", {"keep_last": 0, "newer_than": "", "keep_final": False}, "keeps nothing"), ("retire", {"keep_last": "x"}, "whole number"),
        ("retire", {"newer_than": "soon"}, "not a duration"), ("retire", {"keep_final": True, "per": "name"}, "without a rule that counts"), ("retire", {"keep_last": 1, "after": "5m"}, "range of TTLs"),
        ("retire", {"keep": "keep_last(1)"}, "is not a keep rule"), ("export", {}, "no file name is given"),
        ("export", {"path": "a.parquet", "format": "x"}, "does not take 'format'"), ("export", {"path": "rows.xls"}, "xls"),
    ],
)  # fmt: skip
def test_an_invalid_form_value_is_explained_in_the_form(
    server: DemoServer, view: HeadlessView, act: str, given: dict[str, Any], problem: str
) -> None:
    """An invalid form value is explained and can be corrected; nothing is planned or sent."""
    view.select_matching()
    view.send("begin", action=act)
    assert view.panel["fields"] == make_fields(OFFERED[act])
    view.send("answer", given=given)
    assert problem in view.note.lower() or problem in view.note
    assert (view.panel["stage"], view.explorer.panel.plan, count_writes(server)) == ("ask", None, 0)


def test_act_takes_all_arguments_at_once(view: HeadlessView) -> None:
    """Arguments can be passed with an action; invalid ones are refused and leave the display unchanged."""
    view.select_matching()
    view.make_plan("publish")
    before = view.panel
    for act, given in (
        ("expire", {"before": "48h"}),
        ("retire", {"keep": P.keep_last(1), "keep_final": True}),
        ("set_ttl", {"tll": "30d"}),
        ("set_ttl", {"ttl": "soon"}),
        ("sell", {}),
        ("publish", {"path": 1}),
    ):
        with pytest.raises(InvalidRequestError):
            view.explorer.begin_action(act, **given)
        assert view.panel == before
    view.explorer.begin_action("retire", keep=P.keep_last(2) | P.keep_public(), after="48h")
    assert view.wait()["rule"] == "keep_last(2) | keep_public()"
    view.explorer.begin_action("set_ttl", ttl=None)
    assert view.wait()["verb"] == "set the expiry of"
    view.explorer.begin_action("retire", keep_last=3)
    assert view.wait()["rule"] == "keep_last(3)"


def test_a_message_at_the_wrong_stage_changes_nothing(view: HeadlessView) -> None:
    """Form values, confirmations and guards at the wrong stage are explained and change nothing."""
    for message in (
        {"do": "answer", "given": {"ttl": "1d"}}, {"do": "confirm"}, {"do": "allow", "guards": []}, {"do": "list", "verdict": "send", "reason": ""},
        {"do": "undo"}, {"do": "retry"}, {"do": "begin", "action": "sell"},
    ):  # fmt: skip
        view.explorer.set_note("")
        view.send(**message)
        assert view.note, message
        assert view.panel["stage"] == ""
    view.send("dismiss")
    view.send("cancel")
    view.send("close")
    assert (view.note, view.panel) == ("", {"stage": "", "note": "", "error": ""})


# ── export ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("table", "suffix"),
    [("inventory", "csv"), ("inventory", "parquet"), ("training_runs", "feather"), ("sessions", "json")],
)
def test_export_writes_the_selected_rows_in_order(client: tkf.Client, tmp_path: Path, suffix: str, table: str) -> None:
    """The file has exactly the selected rows in the view's order, and reads back unchanged."""
    view = HeadlessView(getattr(client, table)(), client)
    view.send("sort", sort=["-size_gb" if table != "training_runs" else "-lora_rank"])
    view.select_matching()
    assert view.send("begin", action="export") is None
    assert view.panel["fields"][0]["value"] == f"{view.state.sort.name}.parquet"
    path = tmp_path / f"rows.{suffix}"
    view.send("answer", given={"path": str(path)})
    assert (view.panel["stage"], view.panel["note"]) == ("outcome", f"wrote {len(view.keys):,} rows to {path}")
    rows = view.state.rows.get_filtered().reset_index(drop=True)
    pd.testing.assert_frame_equal(read_export(path), rows, check_exact=False)
    view.select(*view.keys[3:5])
    view.send("begin", action="export")
    view.send("answer", given={"path": str(path)})
    assert "exists" in view.note
    view.send("answer", given={"path": str(path), "overwrite": True})
    assert read_export(path)[view.state.sort.key].tolist() == view.selected


@pytest.mark.parametrize(("table", "key"), [("training_runs", "training_run_id"), ("sessions", "session_id")])
def test_export_can_write_the_checkpoints_of_runs_and_sessions(
    client: tkf.Client, tmp_path: Path, table: str, key: str
) -> None:
    """For runs and sessions the file can have their checkpoints instead; a table of checkpoints does not offer this."""
    inventory, view = client.inventory(), HeadlessView(getattr(client, table)(), client)
    selected = inventory[key].value_counts().index[:2].tolist()
    view.select(*selected)
    view.send("begin", action="export")
    assert [field["name"] for field in view.panel["fields"]] == ["path", "checkpoints", "overwrite"]
    view.send("answer", given={"path": str(tmp_path / "theirs.parquet"), "checkpoints": True})
    written, theirs = read_export(tmp_path / "theirs.parquet"), inventory[inventory[key].isin(selected)]
    assert sorted(written["tinker_path"]) == sorted(theirs["tinker_path"])
    assert f"wrote {len(theirs):,} rows" in view.panel["note"]
    view = HeadlessView(inventory, client)
    view.select(view.keys[0])
    view.send("begin", action="export")
    assert [field["name"] for field in view.panel["fields"]] == ["path", "overwrite"]


def test_a_file_that_cannot_be_written_is_explained(view: HeadlessView, tmp_path: Path) -> None:
    """A missing folder or an unknown suffix is explained and can be corrected."""
    view.select(view.keys[0])
    view.send("begin", action="export")
    for path in (tmp_path / "no" / "rows.csv", tmp_path / "rows"):
        view.send("answer", given={"path": str(path)})
        assert view.panel["stage"] == "ask"
        assert view.panel["error"]
        assert "journal" not in view.panel["error"]
    view.send("close")
    assert view.panel["stage"] == ""


def test_a_form_suggests_the_best_by_the_loss_of_a_test(view: HeadlessView) -> None:
    """Where rows have such a column, retire begins with the two best by it and not with the newest; else as before."""
    assert {field["name"]: field["value"] for field in make_fields(OFFERED["retire"])}["keep_last"] == 3
    rows = view.state.rows
    for column in ({"test/accuracy": 0.5, "val:loss": 1.0, "test/nll": float("nan")}, {"eval/mean_nll": 1.0}):
        rows.frame = rows.frame.assign(**column)
    view.select_matching()
    view.send("begin", action="retire")
    fields = {field["name"]: field for field in view.panel["fields"]}
    assert (fields["best"]["value"], fields["keep_last"]["value"]) == ("eval/mean_nll:2", "")
    assert "E.g. eval/mean_nll:2." in fields["best"]["hint"]
    assert view.wait()["estimate"]["error"] == ""
