"""A view without a widget: messages are applied or explained, tables open one another, and rows stay correct."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tinker_frames as tkf
from tests.views.headless import HeadlessView, Make, get_frame_state, get_server_state, wait_until
from tinker_frames.demo import Burst, DemoServer, Hang
from tinker_frames.views.explorer import PARTS
from tinker_frames.views.handlers import HANDLERS, handle
from tinker_frames.views.refresh import is_whole
from tinker_frames.views.table import CHUNK

LISTINGS = ("inventory", "training_runs", "sessions")


@pytest.fixture
def view(shared_client: tkf.Client) -> HeadlessView:
    """A view of all checkpoints of that account."""
    return HeadlessView(shared_client.inventory(), shared_client)


# ── messages ─────────────────────────────────────────────────────────────────────────────────────────────────────────

junk = st.one_of(st.none(), st.booleans(), st.integers(-9, 9), st.text(max_size=3), st.lists(st.integers(0, 3), max_size=2), st.sampled_from(["query", "all", "run", "size_gb", "metadata", "0"]))  # fmt: skip
fields = ("name", "value", "sort", "columns", "id", "width", "how", "first", "last", "number", "label", "place", "depth", "on", "action", "given", "guards", "verdict", "reason", "typed")  # fmt: skip
messages = st.fixed_dictionaries({"do": st.sampled_from(sorted(HANDLERS))}, optional=dict.fromkeys(fields, junk))


@pytest.mark.slow
@settings(max_examples=24, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sent=st.lists(messages, max_size=5))
def test_no_sequence_of_messages_breaks_a_view(view: HeadlessView, sent: list[dict[str, Any]]) -> None:
    """Any sequence of messages is applied or explained; every part can be rendered, and the rows match the query."""
    for message in sent:
        view.send(**message)
    state = view.state
    assert json.dumps([view.explorer.part(name) for name in PARTS], allow_nan=False)
    expected = state.rows.frame.query(state.query) if state.query else state.rows.frame
    assert sorted(view.keys) == sorted(expected[state.sort.key])
    assert len(view.state.rows.order) == state.rows.mask.sum()


@pytest.mark.parametrize(
    "message", [{"do": "fly"}, {"do": []}, None, "filter", {"do": "filter"}, {"do": "filter", "name": "x"}, {"do": "rows"}, {"do": "select", "how": "some"}, {"do": "sort", "sort": 5}]
)  # fmt: skip
def test_an_invalid_message_is_explained(view: HeadlessView, message: Any) -> None:
    """An invalid, unknown or incomplete message becomes a note and changes nothing."""
    before = (view.keys, view.selected, view.state.query)
    assert handle(view.explorer, message) is None
    assert view.note
    assert view.shown["head"]["note"] == view.note
    assert (view.keys, view.selected, view.state.query) == before
    view.send("dismiss")
    assert view.note == ""


def test_a_message_resends_only_the_changed_parts(view: HeadlessView) -> None:
    """A message resends exactly the parts that it may have changed."""

    def parts(do: str, **message: Any) -> set[str]:
        view.updates.clear()
        view.send(do, **message)
        return {name for updates in view.updates for name in updates}

    rearranged = {"head", "filter_bar", "grid", "selection", "facet", "summaries", "charts"}
    assert parts("width", id="name", width=90) == parts("ping") == parts("cancel") == set()
    assert parts("filter", name="text", value="final") == parts("reset") == rearranged
    assert parts("sort", sort=["size_gb"]) == {"grid"}
    assert parts("select", how="all", number=view.state.rows.number) == {"selection"}
    assert parts("columns", columns=["name", "size_gb"]) == {"grid", "facet", "summaries"}
    number = view.shown["summaries"]["number"]
    assert parts("pick", id="size_gb", first=0, last=0, number=number) == rearranged
    assert parts("pick", id="size_gb", first=0, last=0, number=number) == set(), "of rows that are gone"
    picked = {"id": "model", "first": 0, "last": 0}
    assert parts("pick_chart", **picked, number=view.state.rows.mask_number) == rearranged
    assert parts("pick_chart", **picked, number=number) == set(), "of rows that are gone"
    view.send("reset")
    assert parts("facet", name="model") == {"facet"}
    assert parts("charts", on=False) == {"head", "charts"}
    assert view.shown["charts"]["charts"] == []
    for name in PARTS:
        assert view.shown[name] == json.loads(json.dumps(view.explorer.part(name)))


def test_charts_have_the_price_of_storage_once_it_is_known(view: HeadlessView) -> None:
    """Once it is shown, a view reads what storage costs, one time, and sends its charts again."""
    assert "a month" not in json.dumps(view.explorer.part("charts"))
    view.send("ready")
    wait_until(lambda: "a month" in json.dumps(view.explorer.part("charts")))
    sent = view.updates.copy()
    view.send("ready")
    assert sent[0] == ("summaries", "charts")
    assert view.updates[len(sent) :] == [("summaries", "charts")]


def test_chunks_are_sent_for_the_current_order_only(view: HeadlessView) -> None:
    """A chunk of rows has its position and order number; one of an outdated order is not sent."""
    number = view.state.rows.number
    answer = view.send("rows", number=number, place=2)
    assert answer is not None
    assert (answer["chunk"], answer["number"]) == (2, number)
    assert [row[1] for row in answer["rows"]] == view.keys[2 * CHUNK : 3 * CHUNK]
    view.send("sort", sort=["size_gb"])
    assert view.send("rows", number=number, place=2) is None
    assert view.send("rows", number=view.state.rows.number, place=10**6)["rows"] == []


def test_a_message_about_an_outdated_order_is_ignored(view: HeadlessView) -> None:
    """A click, range, select-all or link for outdated rows does nothing; a selection does not outdate the order."""
    number = view.state.rows.number
    for how in ("toggle", "add", "only", "all"):
        view.send("select", how=how, first=0, last=3, number=number)
        assert view.state.rows.number == number
    view.send("select", how="none")
    view.send("filter", name="text", value="0")
    for how in ("toggle", "add", "only", "all"):
        view.send("select", how=how, first=0, last=3, number=number)
    view.send("open", label="run", place=0, number=number)
    assert (view.selected, len(view.explorer.stack)) == ([], 1)


def test_rows_are_selected_by_click(view: HeadlessView) -> None:
    """`toggle` toggles rows, `add` adds a range, `only` replaces the selection, and `all` adds the matching rows."""
    keys, number = view.keys, view.state.rows.number

    def click(how: str, first: int, last: int) -> list[int]:
        view.send("select", how=how, first=first, last=last, number=number)
        return [keys.index(key) for key in view.selected]

    assert click("toggle", 4, 4) == [4]
    assert click("add", 7, 6) == [4, 6, 7]
    assert click("toggle", 3, 6) == [3, 5, 7]
    assert click("only", 1, 2) == [1, 2]
    view.send("filter", name="public", value=[True])
    matching = set(view.keys)
    view.send("select", how="all", number=view.state.rows.number)
    assert set(view.selected) == matching | {keys[1], keys[2]}
    assert (view.shown["selection"]["rows"], view.shown["selection"]["hidden"]) == (
        len(matching | {keys[1], keys[2]}),
        len({keys[1], keys[2]} - matching),
    )
    view.send("select", how="none")
    assert view.selected == []


def test_the_head_describes_the_table(view: HeadlessView) -> None:
    """The head has the count and bytes of matching rows, the age of the data, the actions, and a description."""
    view.send("filter", name="query", value="size_gb > 1")
    view.send("select", how="only", first=0, last=1, number=view.state.rows.number)
    head, rows = view.shown["head"], view.state.rows.get_filtered()
    frame = view.state.rows.frame
    assert (head["count"]["rows"], head["count"]["total"]) == (len(rows), len(frame))
    assert head["age"] == view.state.about["fetched_at"]
    assert [act["name"] for act in head["actions"]] == [
        "expire",
        "set_ttl",
        "extend",
        "publish",
        "unpublish",
        "retire",
        "delete",
        "export",
    ]
    assert (head["trail"], head["opened_by"], head["noun"], head["banner"], head["reading"]) == (
        ["Checkpoints"],
        [""],
        "checkpoint",
        "",
        None,
    )
    summary = view.state.describe()
    assert summary == f"{len(rows):,} of {len(frame):,} checkpoints, {head['count']['size']}, 2 selected"


def test_options_columns_and_keys_are_sent_when_opened(view: HeadlessView) -> None:
    """Options with counts, columns, and metadata keys are sent for the open popover only."""
    view.send("facet", name="type")
    assert view.shown["facet"]["options"] == view.state.options("type")
    view.send("facet", name="type", search="samp")
    assert [option["value"] for option in view.shown["facet"]["options"]] == ["sampler"]
    assert (view.shown["facet"]["total"], view.shown["facet"]["search"]) == (1, "samp")
    names = [column["name"] for column in view.send("names")["names"]]
    assert names[: len(view.state.columns)] == view.state.columns
    columns = [name for name in names if not name.startswith("meta.")]
    assert set(columns) == set(view.state.rows.frame.columns)
    assert {"meta.step", "meta.session.team"} <= set(names) - set(columns)
    view.send("facet", name="type")
    view.send("filter", name="public", value=[True])
    assert sum(option["rows"] for option in view.shown["facet"]["options"]) == len(view.keys)
    view.send("facet", name="columns")
    assert [column["id"] for column in view.shown["facet"]["columns"]] == list(view.state.rows.frame.columns)
    view.send("facet", name="metadata")
    assert view.shown["facet"]["keys"] == view.state.metadata_keys() != []
    for name in ("", "text", "nothing"):
        view.send("facet", name=name)
        assert view.shown["facet"] == {"name": name, "options": []}


# ── from table to table ──────────────────────────────────────────────────────────────────────────────────────────────


def open_table(view: HeadlessView, label: str, key: str) -> pd.DataFrame:
    """Open a linked table of a row, and return its rows."""
    view.send("open", label=label, place=view.keys.index(key), number=view.state.rows.number)
    assert not view.note
    return view.state.rows.get_filtered()


def test_a_session_opens_its_runs_and_a_run_its_checkpoints_and_back(shared_client: tkf.Client) -> None:
    """Each step shows exactly the rows of the row it came from, and going back restores the earlier state."""
    every, runs = shared_client.inventory(), shared_client.training_runs()
    session = runs["session_id"].value_counts().index[0]
    view = HeadlessView(shared_client.sessions(), shared_client)
    view.send("sort", sort=["-size_gb"])
    view.select(session)
    of_session = open_table(view, "runs", session)
    assert sorted(of_session["training_run_id"]) == sorted(runs.loc[runs["session_id"] == session, "training_run_id"])
    view.send("filter", name="query", value="lora_rank > 0")
    run = view.keys[0]
    of_run = open_table(view, "checkpoints", run)
    assert sorted(of_run["tinker_path"]) == sorted(every.loc[every["training_run_id"] == run, "tinker_path"])
    assert view.shown["head"]["trail"] == ["Sessions", "Training runs", "Checkpoints"]
    assert [bool(text) for text in view.shown["head"]["opened_by"]] == [False, True, True]
    assert session[:8] in view.shown["head"]["opened_by"][1]
    again = open_table(view, "session", view.keys[0])
    assert again["session_id"].tolist() == [session]
    view.send("back", depth=1)
    assert (view.state.values["query"], view.shown["head"]["trail"]) == ("lora_rank > 0", ["Sessions", "Training runs"])
    view.send("back", depth=0)
    assert (view.state.sort.name, list(view.state.rows.sort), view.selected) == ("sessions", ["-size_gb"], [session])
    for depth in (0, 1, -1, 5):
        view.send("back", depth=depth)
        assert len(view.explorer.stack) == 1


@pytest.mark.parametrize("name", LISTINGS)
def test_every_link_of_a_row_opens_a_table(shared_client: tkf.Client, name: str) -> None:
    """Every link of a row opens a table filtered by that row, with a way back."""
    view = HeadlessView(getattr(shared_client, name)(), shared_client)
    frame = view.state.rows.frame
    columns = {opening.label: opening.column for opening in view.state.sort.openings}
    full = frame[frame["checkpoints_count"] > 0] if "checkpoints_count" in frame else frame
    key = full[view.state.sort.key].iloc[0]
    assert view.shown["grid"]["openings"] == list(columns)
    for label, column in columns.items():
        rows = open_table(view, label, key)
        assert len(rows) > 0
        assert set(rows[column]) == {full[column].iloc[0]}
        view.send("back", depth=0)


@pytest.mark.parametrize(
    ("label", "place", "problem"),
    [("owner", 0, "no link 'owner'"), ("run", 10**6, "no row 1000000"), ("run", -1, "no row -1")],
)
def test_an_unknown_link_is_explained(view: HeadlessView, label: str, place: int, problem: str) -> None:
    """An unknown link, or one of an unknown row, is explained and opens nothing."""
    view.send("open", label=label, place=place, number=view.state.rows.number)
    assert problem in view.note
    assert len(view.explorer.stack) == 1


def test_a_link_to_an_unknown_session_is_explained(client_of: Make) -> None:
    """On a server without sessions the link to one explains that it is unknown; the link to the run works."""
    with DemoServer(runs=4, dialect="skyrl") as server:
        client = client_of(server)
        view = HeadlessView(client.inventory(), client)
        view.send("open", label="session", place=0, number=view.state.rows.number)
        assert "session_id of this row is not known" in view.note
        assert len(open_table(view, "run", view.keys[0])) == 1


# ── refresh ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_refresh_shows_the_current_rows_and_keeps_the_settings(server: DemoServer, client: tkf.Client) -> None:
    """A refresh shows the current rows and keeps filters, order, columns and the selection by key."""
    view = HeadlessView(client.inventory(), client)
    view.send("filter", name="query", value="not public")
    view.send("sort", sort=["-time"])
    view.send("columns", columns=["tinker_path", "public"])
    view.select(*view.keys[:4])
    selected, age = view.selected, view.shown["head"]["age"]
    server.state.delete(server.state.find(selected[0]))
    server.state.publish(server.state.find(selected[1]))
    new = server.state.add_checkpoint(name="brand-new")
    view.send("refresh")
    assert not view.note
    assert get_frame_state(view.state.rows.frame) == get_server_state(server)
    assert new.tinker_path == view.keys[0]
    assert set(view.selected) == set(selected[1:])
    assert (view.shown["selection"]["rows"], view.shown["selection"]["hidden"]) == (3, 1)
    assert (list(view.state.rows.sort), view.state.columns) == (["-time"], ["tinker_path", "public"])
    assert view.shown["head"]["age"] > age
    assert is_whole(view.state.rows.frame)


def test_a_refresh_keeps_the_rows_of_a_filtered_frame(server: DemoServer, client: tkf.Client) -> None:
    """A frame filtered, sorted and extended by its owner keeps its rows, order and columns when it is refreshed."""
    frame = client.inventory().sort_values("size_gb", ascending=False).head(9).assign(mine=range(9))
    view = HeadlessView(frame, client)
    server.state.publish(server.state.find(view.keys[0]))
    server.state.delete(server.state.find(view.keys[1]))
    server.state.add_rows("list_user_checkpoints", 2)
    view.send("refresh")
    assert not view.note
    assert view.keys == [path for path in frame["tinker_path"] if path != frame["tinker_path"].iloc[1]]
    rows = view.state.rows.frame
    assert rows["mine"].tolist() == [0, 2, 3, 4, 5, 6, 7, 8]
    assert rows["public"].iloc[0]
    few = client.checkpoints(client.training_runs()["training_run_id"].iloc[0])
    view = HeadlessView(few, client)
    view.send("refresh")
    assert set(view.keys) <= set(few["tinker_path"])


def test_a_failed_refresh_leaves_the_rows(server: DemoServer, client_of: Make) -> None:
    """If the server does not respond, or with something else, the rows stay, the reason is shown, and a retry works."""
    client = client_of(server, retries=0)
    view = HeadlessView(client.inventory(), client)
    before = view.keys
    server.faults.bursts.append(Burst("list_user_checkpoints", 500, times=1))
    view.send("refresh")
    assert "500" in view.note
    server.faults.edit = lambda endpoint, content: (
        {"checkpoints": 5} if endpoint == "list_user_checkpoints" else content
    )
    view.send("refresh")
    assert view.note
    assert (view.keys, view.shown["head"]["reading"]) == (before, None)
    server.faults.clear()
    view.send("refresh")
    assert (view.note, view.keys) == ("", before)


def test_a_view_can_be_used_during_a_refresh(server: DemoServer, client: tkf.Client) -> None:
    """During a refresh progress is shown, filters and selection work, a second refresh is refused, and the new rows match the filter."""
    view = HeadlessView(client.inventory(), client)
    server.faults.latency_of["list_user_checkpoints"] = 0.5
    view.post("refresh")
    wait_until(lambda: view.shown["head"]["reading"])
    assert view.shown["head"]["reading"]["what"] == "refreshing"
    view.post("filter", name="public", value=[False])
    view.post("select", how="all", number=view.state.rows.number)
    selected = view.selected
    view.post("refresh")
    assert "already being read" in view.note
    view.wait()
    assert (view.note, view.shown["head"]["reading"]) == ("", None)
    assert view.selected == selected == view.keys
    assert not view.state.rows.get_filtered()["public"].any()


def test_a_reading_can_be_stopped(server: DemoServer, client: tkf.Client) -> None:
    """A refresh counts its rows; when stopped it is discarded at once, the rows stay, and it can be repeated."""
    view = HeadlessView(client.inventory(), client)
    before = view.keys
    server.faults.latency_of["search_sessions"] = 0.7
    view.post("refresh")
    wait_until(lambda: server.requests.count("search_sessions") > 1)
    wait_until(lambda: view.shown["head"]["reading"]["part"] == "sessions")
    task = view.explorer.reading
    assert task is not None
    view.post("stop")
    assert (view.explorer.reading, view.shown["head"]["reading"]) == (None, None)
    assert "was stopped" in view.note
    server.faults.clear()
    gone = server.state.find(before[0])
    assert gone is not None
    server.state.delete(gone)
    view.send("refresh")
    assert (view.note, view.keys) == ("", before[1:])
    assert task.join(20)
    assert (view.note, view.keys) == ("", before[1:])
    view.send("stop")
    assert view.note == ""


def test_rows_that_were_read_before_a_write_are_read_again(server: DemoServer, client: tkf.Client) -> None:
    """A refresh started before a write is repeated, so that the table shows the server's state."""
    view = HeadlessView(client.inventory(), client)
    view.send("filter", name="query", value="not public")
    view.select(*view.keys[:2])
    view.make_plan("publish")
    server.faults.hang.append(Hang("list_training_runs", seconds=2, times=1))  # longer than two writes
    view.post("refresh")
    wait_until(lambda: server.requests.count("list_training_runs") > 1)
    view.post("confirm")
    wait_until(lambda: view.panel["stage"] == "outcome")
    assert view.explorer.reading is not None
    view.wait()
    assert get_frame_state(view.state.rows.frame) == get_server_state(server)
    assert not view.note


def test_tables_below_are_read_anew_when_one_comes_back_to_them(server: DemoServer, client: tkf.Client) -> None:
    """After a delete in an opened table, the sessions are refreshed on return; without a write nothing is read."""
    view = HeadlessView(client.sessions(), client)
    largest = client.sessions().nlargest(1, "checkpoints_count").iloc[0]
    open_table(view, "checkpoints", largest["session_id"])
    view.send("back", depth=0)
    asked = server.requests.count("search_sessions")
    open_table(view, "checkpoints", largest["session_id"])
    view.select_matching()
    view.make_plan("delete")
    number = view.panel["number"]
    view.confirm()
    assert number > 0
    asked += 1  # when the plan runs, the guards are checked on freshly read sessions
    assert server.requests.count("search_sessions") == asked
    view.send("close")
    view.send("back", depth=0)
    rows = view.state.rows.frame.set_index("session_id")
    assert rows.loc[largest["session_id"], "checkpoints_count"] == largest["checkpoints_count"] - number
    assert server.requests.count("search_sessions") == asked + 1
    view.send("refresh")
    assert not any(table.is_stale for table in view.explorer.stack)


def test_a_table_that_could_not_be_read_again_is_tried_at_the_next_return(server: DemoServer, client_of: Make) -> None:
    """If refreshing a table fails after a write, this is shown, and the refresh is retried on the next return."""
    client = client_of(server, retries=0)
    view = HeadlessView(client.training_runs(), client)
    open_table(view, "checkpoints", client.checkpoints().query("not public")["training_run_id"].iloc[0])
    view.send("filter", name="public", value=[False])
    view.select_matching()
    view.make_plan("publish")
    view.confirm()
    server.faults.bursts.append(Burst("list_training_runs", 500, times=1))
    view.send("back", depth=0)
    assert "500" in view.note
    assert view.state.is_stale
    open_table(view, "session", view.keys[0])
    view.send("back", depth=0)
    assert (view.note, view.state.is_stale) == ("", False)


def test_what_was_done_is_told_even_if_the_rows_cannot_be_shown_anew(server: DemoServer, client: tkf.Client) -> None:
    """If the table cannot apply the writes, the outcomes are still shown, with a note about the rows."""
    view = HeadlessView(client.inventory(), client)
    view.select(*[path for path, (public, _) in get_server_state(server).items() if not public][:2])
    view.make_plan("publish")
    server.faults.write_latency = 0.2
    view.post("confirm")
    view.state.rows.frame = pd.DataFrame()  # an unforeseen state
    view.wait()
    assert {count["outcome"]: count["rows"] for count in view.panel["counts"]} == {"done": 2}
    assert "may be out of date" in view.panel["error"]


def test_an_incomplete_reading_is_said_in_the_banner(server: DemoServer, client_of: Make) -> None:
    """A refresh that may be incomplete shows a banner until a complete one."""
    client = client_of(server, retries=0)
    server.faults.missing = ("list_user_checkpoints",)
    view = HeadlessView(client.inventory(), client)
    assert view.shown["head"]["banner"] == ""
    total = len(view.keys)
    server.faults.bursts.append(Burst("list_checkpoints", 500, times=9))  # some of as many runs have rows
    with pytest.warns(tkf.errors.IncompleteListingWarning):
        view.send("refresh")
    assert "not proved complete" in view.shown["head"]["banner"]
    assert len(view.keys) < total
    view.send("refresh")
    assert (view.shown["head"]["banner"], len(view.keys)) == ("", total)


@pytest.mark.parametrize("do", ["code", "ready", "ping", "dismiss", "cancel", "close", "reset"])
def test_messages_without_anything_to_say_do_no_harm(view: HeadlessView, do: str) -> None:
    """Messages without arguments can be sent at any time; requesting the code returns it."""
    answer = view.send(do)
    assert answer is None or list(answer) == ["code"]
    assert (do == "code") == (answer is not None)
    assert (view.note, len(view.keys)) == ("", len(view.state.rows.frame))
