"""The code of a view reproduces its frame, rows, selection and plan."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinker_frames as tkf
from tests.views.headless import HeadlessView, Make
from tests.views.sample_frames import ROW_COLUMNS, frame_of, settings_of_filters, tables
from tinker_frames.demo import Burst, DemoServer
from tinker_frames.functions import set_default
from tinker_frames.plans.plan import Plan
from tinker_frames.views.codegen import write_script
from tinker_frames.views.refresh import read_listing
from tinker_frames.views.table import TableState

AGES = ["age_days", "idle_days", "run_idle_days", "expires_in_days", "session_age_days"]  # they change with time


def run(code: str, **known: Any) -> dict[str, Any]:
    """Run code like a notebook cell, and return its variables."""
    exec(compile(code, "<cell>", "exec"), known)
    return known


def assert_same(one: pd.DataFrame, other: pd.DataFrame) -> None:
    """Compare frames with order and labels, except for ages, which change."""
    columns = [name for name in one.columns if name not in AGES]
    pd.testing.assert_frame_equal(one[columns], other[columns])
    assert list(one.columns) == list(other.columns)


def assert_same_plan(one: Plan, other: Plan) -> None:
    """Compare the checkpoints, changes and lifted guards of two plans."""
    assert (one.action.name, one.allowed) == (other.action.name, other.allowed)
    columns = ["tinker_path", "ttl_seconds"]
    pd.testing.assert_frame_equal(sorted_rows(one.rows[columns]), sorted_rows(other.rows[columns]))
    assert get_sent_paths(one) == get_sent_paths(other)


def sorted_rows(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.sort_values("tinker_path").reset_index(drop=True)


def get_sent_paths(plan: Plan) -> set[str]:
    return set(plan.frame.query("verdict == 'send'")["tinker_path"])


def run_view_code(view: HeadlessView, client: tkf.Client, **known: Any) -> dict[str, Any]:
    """Run the code of a view, and compare its results with the view."""
    code, rows = view.explorer.code(), view.state.rows
    made = run(code, client=client, **known)
    assert_same(made["frame"], rows.frame)
    assert_same(made["filtered"], rows.get_filtered())
    assert ("selected" in made) == bool(rows.selection.any())
    if "selected" in made:
        assert_same(made["selected"], rows.get_selected())
    plan = view.explorer.panel.plan
    assert ("plan" in made) == (plan is not None)
    if plan is not None:
        assert_same_plan(made["plan"], plan)
        assert f"# plan.run(confirm={len(get_sent_paths(plan))})" in code
    return made


# ── rows ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def views(view: HeadlessView) -> list[Callable[[], Any]]:
    """Yield typical states of a table."""
    key, column = view.state.sort.key, view.state.columns[1]
    return [
        lambda: None,
        lambda: view.send("filter", name="query", value=f"{key} > '7' or {column}.isna()"),
        lambda: view.send("sort", sort=[f"-{column}", key]),
        lambda: view.select(*view.keys[3:6]),
        lambda: view.send("filter", name="text", value="a"),
        lambda: view.send("filter", name="query", value=f"{key} < '5'"),
        lambda: view.send("select", how="all", number=view.state.rows.number),
        lambda: view.send("reset"),
        lambda: view.send("select", how="none"),
        lambda: view.send("select", how="all"),
        lambda: view.send("sort", sort=[]),
    ]


@pytest.mark.few(1)
@pytest.mark.parametrize("name", ["inventory", "sessions"])
def test_the_code_gives_the_rows_at_every_step(shared_client: tkf.Client, name: str) -> None:
    """The code lists the table again and gives the same frames, whatever filter, order, selection and columns are set."""
    view = HeadlessView(getattr(shared_client, name)(), shared_client)
    for do in views(view):
        do()
        assert not view.note
        assert f"frame = client.{name}()" in view.explorer.code()
        run_view_code(view, shared_client)


@settings(max_examples=21)
@given(table=tables, values=settings_of_filters, data=st.data())
def test_the_code_gives_the_rows_of_any_frame(
    table: list[dict[str, Any]], values: dict[str, Any], data: st.DataObject
) -> None:
    """The code reproduces handmade rows with any values, missing or duplicate keys, and any filters, order and selection."""
    frame = frame_of(table)
    state = TableState(frame)
    state.set_filters({name: value for name, value in values.items() if name in state.controls})
    names = data.draw(st.lists(st.sampled_from(ROW_COLUMNS), max_size=2, unique=True))
    state.order_by([data.draw(st.sampled_from(["", "-"])) + name for name in names])
    for place in data.draw(st.lists(st.integers(0, 6), max_size=4)):
        state.rows.select(place, place)
    if data.draw(st.booleans()):
        state.set_filters({})
    code = write_script(state)
    assert "# frame is the one that was passed to explore()" in code
    made = run(code, frame=frame)
    pd.testing.assert_frame_equal(made["filtered"], state.rows.get_filtered())
    assert ("selected" in made) == bool(state.rows.selection.any())
    if "selected" in made:
        pd.testing.assert_frame_equal(made["selected"], state.rows.get_selected())


def test_the_code_for_the_default_client_uses_functions(shared_client: tkf.Client) -> None:
    """The code for the default client's account uses the module's functions, without a client."""
    view = HeadlessView(shared_client.inventory(), shared_client)
    assert "client.inventory()" in view.explorer.code()
    set_default(shared_client)
    view.send("filter", name="public", value=[False])
    view.select(*view.keys[:4])
    view.make_plan("set_ttl", ttl="36h")
    code = view.explorer.code()
    assert "frame = tkf.inventory()" in code
    assert "client" not in code
    assert_same_plan(run(code)["plan"], view.explorer.panel.plan)


def test_a_partial_listing_is_used_as_the_given_frame(shared_client: tkf.Client) -> None:
    """A filtered, sorted, extended or limited frame is not treated as a listing; the rest of the code applies to it."""
    whole = shared_client.inventory()
    run_id = shared_client.training_runs()["training_run_id"].iloc[0]
    parts = [
        whole.query("not public"), whole.assign(mine=1), shared_client.inventory(limit=9), shared_client.checkpoints(run_id), pd.DataFrame({"tinker_path": whole["tinker_path"], "public": whole["public"]}),
    ]  # fmt: skip
    for frame in parts:
        view = HeadlessView(frame, shared_client)
        view.send("filter", name="public", value=[False])
        view.select(*view.keys[:2])
        view.make_plan("publish")
        assert "# frame is the one that was passed to explore()" in view.explorer.code()
        run_view_code(view, shared_client, frame=frame)


def test_rows_without_an_account_have_code_too() -> None:
    """A view of handmade rows without an account has code too."""
    from tinker_frames.views.explorer import Explorer

    frame = pd.DataFrame({"tinker_path": ["a", "b"], "step": [1, 2]})
    explorer = Explorer(TableState(frame), tkf.Client, lambda parts: None)
    explorer.state.query = "step > 1"
    assert run(explorer.code(), frame=frame)["filtered"].index.tolist() == [1]


# ── plans ────────────────────────────────────────────────────────────────────────────────────────────────────────────

PLANS: dict[str, tuple[str, dict[str, Any]]] = {
    "retire": ("retire", {"keep_last": 1, "keep_final": True, "after": "36h"}), "expire": ("expire", {}), "set_ttl": ("set_ttl", {"ttl": "90m"}),
    "publish": ("publish", {}), "unpublish": ("unpublish", {}), "delete": ("delete", {}),
    "never": ("set_ttl", {"ttl": None}), "extend": ("extend", {"by": "2 weeks"}),
    "retire at once": ("retire", {"keep_last": 2, "keep_public": True, "used_by_samplers": True, "newer_than": "2d"}),
}  # fmt: skip


@pytest.mark.few(2)
@pytest.mark.parametrize(
    ("name", "which"),
    [*(("inventory", which) for which in PLANS), ("training_runs", "retire"), ("sessions", "never")],
)
def test_the_code_gives_the_plan(shared_client: tkf.Client, name: str, which: str) -> None:
    """The code reproduces plans of some and of all matching rows, with lifted guards, rule and duration."""
    act, given = PLANS[which]
    view = HeadlessView(getattr(shared_client, name)(), shared_client)
    view.send("filter", name="query", value=f"{view.state.sort.key} > '4'")
    view.select_matching()
    view.make_plan(act, **given)
    made = run_view_code(view, shared_client)
    assert made["plan"].rule == view.panel["rule"]
    view.send("sort", sort=[view.state.columns[1]])
    view.select(*view.keys[1:4])
    view.send("reset")
    view.make_plan(act, **given)
    view.send("allow", guards=["newest"])
    run_view_code(view, shared_client)
    assert not view.note


@pytest.mark.few(1)
@pytest.mark.parametrize(
    ("name", "which"), [("inventory", "expire"), ("training_runs", "retire"), ("sessions", "never")]
)
def test_a_plan_of_other_rows_than_shown_lists_its_paths(shared_client: tkf.Client, name: str, which: str) -> None:
    """After filter, selection or table have changed, the code still gives the displayed plan."""
    act, given = PLANS[which]
    view = HeadlessView(getattr(shared_client, name)(), shared_client)
    view.select(*view.keys[:3])
    view.make_plan(act, **given)
    paths = set(view.explorer.panel.plan.rows["tinker_path"])
    view.send("select", how="none")
    assert set(run_view_code(view, shared_client)["plan"].rows["tinker_path"]) == paths
    label, kept = view.state.sort.openings[0].label, view.explorer.panel.plan
    view.send("open", label=label, place=0, number=view.state.rows.number)
    assert len(view.explorer.stack) == 2
    assert view.explorer.panel.plan is kept
    assert set(run_view_code(view, shared_client)["plan"].rows["tinker_path"]) == paths


def test_a_proposed_plan_lists_its_paths(shared_client: tkf.Client) -> None:
    """A proposed plan is reproduced by its rows, not by those that the view shows."""
    frame = shared_client.inventory()
    view = HeadlessView(frame, shared_client)
    view.explorer.panel.propose(frame.query("size_gb > 1").head(3).tinker.delete(client=shared_client).allow("public"))
    view.wait()
    assert len(run_view_code(view, shared_client)["plan"]) == 3
    bare = frame[["tinker_path"]].copy()
    bare.attrs.clear()
    view = HeadlessView(bare, shared_client)
    view.explorer.panel.propose(bare.head(2).tinker.publish(client=shared_client))
    view.wait()
    assert "client=client" in view.explorer.code()
    assert len(run_view_code(view, shared_client, frame=bare)["plan"]) == 2


def test_code_after_a_write_lists_the_current_rows(server: DemoServer, client: tkf.Client) -> None:
    """After a delete the code lists the current account; for a retry it names the failed rows."""
    view = HeadlessView(client.inventory(), client)
    view.send("filter", name="query", value="not public")
    view.select(*view.keys[:20])
    view.make_plan("delete")
    server.faults.bursts.append(Burst("delete_checkpoint", 403, times=2))
    assert (view.confirm()["outcome"] == "failed").sum() == 2
    server.faults.clear()
    code = view.explorer.code()
    assert "frame = client.inventory()" in code
    made = run(code, client=client)
    assert made["filtered"]["tinker_path"].tolist() == view.keys
    view.send("retry")
    assert view.panel["number"] == 2
    assert len(run(view.explorer.code(), client=client)["plan"]) == 2
    view.send("close")
    assert "plan" not in view.explorer.code()


@pytest.mark.few(1)
@pytest.mark.parametrize("table", ["training_runs", "sessions"])
def test_code_for_servers_whose_run_ids_lack_the_session(table: str, client_of: Make) -> None:
    """If run ids do not contain the session, the code reads the runs' details or sessions, and gives the same with a new client."""
    with DemoServer(runs=6, dialect="tuft") as server:
        client, fresh = client_of(server), client_of(server, cache=False)
        view = HeadlessView(read_listing(client, table), client)
        view.select(view.keys[0])
        view.make_plan("publish")
        assert "(details=True)" in view.explorer.code()
        made = run(view.explorer.code(), client=fresh)
        assert_same(made["frame"], view.state.rows.frame)
        assert_same_plan(made["plan"], view.explorer.panel.plan)


def test_a_query_in_words_is_code_that_pandas_reads(shared_client: tkf.Client) -> None:
    """Dates, sizes and ages of a view's query are written as the values that `DataFrame.query` compares."""
    state = TableState(shared_client.checkpoints())
    state.set_filter("query", "time > '2026-01-01' and size > '1MB' and age > '1d'")
    code = write_script(state)
    assert "time > '2026-01-01T00:00:00+00:00' and size_bytes > 1000000 and age_days > 1.0" in code
    assert not state.errors
    assert len(state.rows) > 0


def test_keys_of_the_metadata_and_own_ttls_are_code_that_runs(shared_client: tkf.Client) -> None:
    """A query of metadata, and a plan in which each row has a TTL of its own, are reproduced by the code."""
    frame = shared_client.inventory()
    view = HeadlessView(frame, shared_client)
    view.send("filter", name="query", value="meta.loss < 1 and size > '1MB'")
    rows = frame.head(3)
    view.explorer.panel.propose(
        rows.tinker.set_ttl(pd.Series(["2h", "30d", "9d"], index=rows.index), client=shared_client)
    )
    view.wait()
    made = run_view_code(view, shared_client)
    assert 0 < len(made["filtered"]) < len(frame)
    assert sorted(made["plan"].rows["ttl_seconds"]) == [7200, 777600, 2592000]


def test_code_is_what_a_person_would_write(shared_client: tkf.Client) -> None:
    """The lines are short, in a natural order, and all needed."""
    view = HeadlessView(shared_client.inventory(), shared_client)
    which = "# client is the client that the view was opened with"
    assert (
        view.explorer.code() == f"import tinker_frames as tkf\n\n{which}\nframe = client.inventory()\nfiltered = frame"
    )
    view.send("filter", name="created", value={"older_than": 7})
    view.send("sort", sort=["-size_gb", "name"])
    view.select_matching()
    view.make_plan("retire", keep_last=1, after="24h")
    number = view.panel["number"]
    assert view.explorer.code().splitlines()[2:] == [
        which,
        "frame = client.inventory()",
        "filtered = frame.query('age_days > 7')",
        "filtered = filtered.sort_values(['size_gb', 'name'], ascending=[False, True], kind=\"stable\")",
        "selected = filtered",
        'plan = selected.tinker.retire(keep=tkf.policies.keep_last(1), after="24h")',
        f"# plan.run(confirm={number})",
    ]
