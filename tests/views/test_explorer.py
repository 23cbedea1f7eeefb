"""A view without a widget: every message does what it says or says why not, tables open one from another, and rows stay true."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tinker_frames as tkf
from tests.views.sample_panels import Make, Seat, as_shown, present, until
from tinker_frames.demo import Burst, DemoServer, Hang
from tinker_frames.views.explorer import PARTS
from tinker_frames.views.handlers import HANDLERS, handle
from tinker_frames.views.refresh import is_whole
from tinker_frames.views.table import CHUNK

LISTINGS = ("inventory", "training_runs", "sessions")


@pytest.fixture
def seat(quiet: tkf.Client) -> Seat:
    """A view of all checkpoints of that account."""
    return Seat(quiet.inventory(), quiet)


# ── messages ─────────────────────────────────────────────────────────────────────────────────────────────────────────

junk = st.one_of(st.none(), st.booleans(), st.integers(-9, 9), st.text(max_size=3), st.lists(st.integers(0, 3), max_size=2), st.sampled_from(["query", "all", "run", "size_gb", "metadata", "0"]))  # fmt: skip
fields = ("name", "value", "sort", "columns", "id", "width", "how", "first", "last", "number", "label", "place", "depth", "on", "action", "given", "guards", "verdict", "reason", "typed")  # fmt: skip
messages = st.fixed_dictionaries({"do": st.sampled_from(sorted(HANDLERS))}, optional=dict.fromkeys(fields, junk))


@settings(max_examples=24, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sent=st.lists(messages, max_size=5))
def test_no_message_raises_or_leaves_a_view_that_cannot_be_shown(seat: Seat, sent: list[dict[str, Any]]) -> None:
    """Whatever a page sends, in whatever order, is done or explained; every part can still be shown, and the rows are those of the query."""
    for message in sent:
        seat.send(**message)
    state = seat.state
    assert json.dumps([seat.explorer.part(name) for name in PARTS], allow_nan=False)
    expected = state.rows.frame.query(state.query) if state.query else state.rows.frame
    assert sorted(seat.keys) == sorted(expected[state.sort.key])
    assert len(seat.state.rows.order) == state.rows.mask.sum()


@pytest.mark.parametrize(
    "message", [{"do": "fly"}, {"do": []}, None, "filter", {"do": "filter"}, {"do": "filter", "name": "x"}, {"do": "rows"}, {"do": "select", "how": "some"}, {"do": "sort", "sort": 5}]
)  # fmt: skip
def test_a_message_that_makes_no_sense_is_explained(seat: Seat, message: Any) -> None:
    """What is no message, is unknown, or lacks something becomes a note, and nothing is changed."""
    before = (seat.keys, seat.selected, seat.state.query)
    assert handle(seat.explorer, message) is None
    assert seat.note
    assert seat.shown["head"]["note"] == seat.note
    assert (seat.keys, seat.selected, seat.state.query) == before
    seat.send("dismiss")
    assert seat.note == ""


def test_what_is_sent_back_is_small_and_enough(seat: Seat) -> None:
    """Each message has just those parts sent again that it can have changed, and what is sent is what there is."""

    def parts(do: str, **message: Any) -> set[str]:
        seat.told.clear()
        seat.send(do, **message)
        return {name for told in seat.told for name in told}

    rearranged = {"head", "filter_bar", "grid", "selection", "facet", "charts"}
    assert parts("width", id="name", width=90) == parts("ping") == parts("cancel") == set()
    assert parts("filter", name="text", value="final") == parts("reset") == rearranged
    assert parts("sort", sort=["size_gb"]) == {"grid"}
    assert parts("select", how="all", number=seat.state.rows.number) == {"selection"}
    assert parts("columns", columns=["name"]) == {"grid", "facet"}
    assert parts("facet", name="model") == {"facet"}
    assert parts("charts", on=False) == {"head", "charts"}
    assert seat.shown["charts"] == []
    for name in PARTS:
        assert seat.shown[name] == json.loads(json.dumps(seat.explorer.part(name)))


def test_rows_are_sent_on_asking_and_only_of_the_present_order(seat: Seat) -> None:
    """A chunk of rows has its place and number; one of an order that is gone is not sent."""
    number = seat.state.rows.number
    answer = seat.send("rows", number=number, place=2)
    assert answer is not None
    assert (answer["chunk"], answer["number"]) == (2, number)
    assert [row[1] for row in answer["rows"]] == seat.keys[2 * CHUNK : 3 * CHUNK]
    seat.send("sort", sort=["size_gb"])
    assert seat.send("rows", number=number, place=2) is None
    assert seat.send("rows", number=seat.state.rows.number, place=10**6)["rows"] == []


def test_what_was_said_of_an_order_that_is_gone_is_dropped(seat: Seat) -> None:
    """A click, a range, select-all or an arrow that was meant for other rows does nothing; a selection does not make an order go."""
    number = seat.state.rows.number
    for how in ("toggle", "add", "only", "all"):
        seat.send("select", how=how, first=0, last=3, number=number)
        assert seat.state.rows.number == number
    seat.send("select", how="none")
    seat.send("filter", name="text", value="0")
    for how in ("toggle", "add", "only", "all"):
        seat.send("select", how=how, first=0, last=3, number=number)
    seat.send("open", label="run", place=0, number=number)
    assert (seat.selected, len(seat.explorer.stack)) == ([], 1)


def test_rows_are_selected_as_people_click(seat: Seat) -> None:
    """A click turns one row over, with Shift all between are added, a plain one selects only those; all matching adds to what is selected."""
    keys, number = seat.keys, seat.state.rows.number

    def click(how: str, first: int, last: int) -> list[int]:
        seat.send("select", how=how, first=first, last=last, number=number)
        return [keys.index(key) for key in seat.selected]

    assert click("toggle", 4, 4) == [4]
    assert click("add", 7, 6) == [4, 6, 7]
    assert click("toggle", 3, 6) == [3, 5, 7]
    assert click("only", 1, 2) == [1, 2]
    seat.send("filter", name="public", value=[True])
    matching = set(seat.keys)
    seat.send("select", how="all", number=seat.state.rows.number)
    assert set(seat.selected) == matching | {keys[1], keys[2]}
    assert (seat.shown["selection"]["rows"], seat.shown["selection"]["hidden"]) == (
        len(matching | {keys[1], keys[2]}),
        len({keys[1], keys[2]} - matching),
    )
    seat.send("select", how="none")
    assert seat.selected == []


def test_the_head_says_where_one_is(seat: Seat) -> None:
    """The number and bytes that match, the age of the data, the actions, and a line about it all."""
    seat.send("filter", name="query", value="size_gb > 1")
    seat.send("select", how="only", first=0, last=1, number=seat.state.rows.number)
    head, rows = seat.shown["head"], seat.state.rows.get_filtered()
    frame = seat.state.rows.frame
    assert (head["count"]["rows"], head["count"]["total"]) == (len(rows), len(frame))
    assert head["age"] == seat.state.about["fetched_at"]
    assert [act["name"] for act in head["actions"]] == [
        "expire",
        "set_ttl",
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
    summary = seat.explorer.summary()
    assert summary == f"{len(rows):,} of {len(frame):,} checkpoints, {head['count']['size']}, 2 selected"


def test_options_columns_and_keys_are_told_when_they_are_opened(seat: Seat) -> None:
    """The options of a control with their numbers, the columns, and the keys of metadata are sent for the one that is open."""
    seat.send("facet", name="type")
    assert seat.shown["facet"]["options"] == seat.state.options("type")
    seat.send("filter", name="public", value=[True])
    assert sum(option["rows"] for option in seat.shown["facet"]["options"]) == len(seat.keys)
    seat.send("facet", name="columns")
    assert [column["id"] for column in seat.shown["facet"]["columns"]] == list(seat.state.rows.frame.columns)
    seat.send("facet", name="metadata")
    assert seat.shown["facet"]["keys"] == seat.state.metadata_keys() != []
    for name in ("", "text", "nothing"):
        seat.send("facet", name=name)
        assert seat.shown["facet"] == {"name": name, "options": []}


# ── from table to table ──────────────────────────────────────────────────────────────────────────────────────────────


def opened(seat: Seat, label: str, key: str) -> pd.DataFrame:
    """Open what a row leads to, and return the rows that are shown then."""
    seat.send("open", label=label, place=seat.keys.index(key), number=seat.state.rows.number)
    assert not seat.note
    return seat.state.rows.get_filtered()


def test_a_session_opens_its_runs_and_a_run_its_checkpoints_and_back(quiet: tkf.Client) -> None:
    """Each step shows exactly the rows that belong to the row it came from, says so, and going back finds everything as it was left."""
    every, runs = quiet.inventory(), quiet.training_runs()
    session = runs["session_id"].value_counts().index[0]
    seat = Seat(quiet.sessions(), quiet)
    seat.send("sort", sort=["-size_gb"])
    seat.select(session)
    of_session = opened(seat, "runs", session)
    assert sorted(of_session["training_run_id"]) == sorted(runs.loc[runs["session_id"] == session, "training_run_id"])
    seat.send("filter", name="query", value="lora_rank > 0")
    run = seat.keys[0]
    of_run = opened(seat, "checkpoints", run)
    assert sorted(of_run["tinker_path"]) == sorted(every.loc[every["training_run_id"] == run, "tinker_path"])
    assert seat.shown["head"]["trail"] == ["Sessions", "Training runs", "Checkpoints"]
    assert [bool(text) for text in seat.shown["head"]["opened_by"]] == [False, True, True]
    assert session[:8] in seat.shown["head"]["opened_by"][1]
    again = opened(seat, "session", seat.keys[0])
    assert again["session_id"].tolist() == [session]
    seat.send("back", depth=1)
    assert (seat.state.values["query"], seat.shown["head"]["trail"]) == ("lora_rank > 0", ["Sessions", "Training runs"])
    seat.send("back", depth=0)
    assert (seat.state.sort.name, list(seat.state.rows.sort), seat.selected) == ("sessions", ["-size_gb"], [session])
    for depth in (0, 1, -1, 5):
        seat.send("back", depth=depth)
        assert len(seat.explorer.stack) == 1


@pytest.mark.parametrize("name", LISTINGS)
def test_every_arrow_of_a_row_leads_somewhere(quiet: tkf.Client, name: str) -> None:
    """Whatever a row offers to open is a table with rows, filtered by that row, with a way back."""
    seat = Seat(getattr(quiet, name)(), quiet)
    frame = seat.state.rows.frame
    columns = {opening.label: opening.column for opening in seat.state.sort.openings}
    full = frame[frame["checkpoints_count"] > 0] if "checkpoints_count" in frame else frame
    key = full[seat.state.sort.key].iloc[0]
    assert seat.shown["grid"]["openings"] == list(columns)
    for label, column in columns.items():
        rows = opened(seat, label, key)
        assert len(rows) > 0
        assert set(rows[column]) == {full[column].iloc[0]}
        seat.send("back", depth=0)


@pytest.mark.parametrize(
    ("label", "place", "problem"),
    [("owner", 0, "leads to no 'owner'"), ("run", 10**6, "no row 1000000"), ("run", -1, "no row -1")],
)
def test_what_leads_nowhere_is_explained(seat: Seat, label: str, place: int, problem: str) -> None:
    """An arrow that there is not, or of a row that there is not, says so and opens nothing."""
    seat.send("open", label=label, place=place, number=seat.state.rows.number)
    assert problem in seat.note
    assert len(seat.explorer.stack) == 1


def test_a_row_that_does_not_know_its_session_says_so(client_of: Make) -> None:
    """On a server without sessions the arrow to one explains that it is not known; that to the run works."""
    with DemoServer(runs=4, dialect="skyrl") as server:
        client = client_of(server)
        seat = Seat(client.inventory(), client)
        seat.send("open", label="session", place=0, number=seat.state.rows.number)
        assert "session_id of this row is not known" in seat.note
        assert len(opened(seat, "run", seat.keys[0])) == 1


# ── read anew ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_refresh_shows_what_there_is_now_and_keeps_what_was_set(server: DemoServer, client: tkf.Client) -> None:
    """New rows come, rows that are gone go, changes show; filters, order, columns and the selection by key stay, and the age is new."""
    seat = Seat(client.inventory(), client)
    seat.send("filter", name="query", value="not public")
    seat.send("sort", sort=["-time"])
    seat.send("columns", columns=["tinker_path", "public"])
    seat.select(*seat.keys[:4])
    selected, age = seat.selected, seat.shown["head"]["age"]
    server.state.delete(server.state.find(selected[0]))
    server.state.publish(server.state.find(selected[1]))
    new = server.state.add_checkpoint(name="brand-new")
    seat.send("refresh")
    assert not seat.note
    assert as_shown(seat.state.rows.frame) == present(server)
    assert new.tinker_path == seat.keys[0]
    assert set(seat.selected) == set(selected[1:])
    assert (seat.shown["selection"]["rows"], seat.shown["selection"]["hidden"]) == (3, 1)
    assert (list(seat.state.rows.sort), seat.state.columns) == (["-time"], ["tinker_path", "public"])
    assert seat.shown["head"]["age"] > age
    assert is_whole(seat.state.rows.frame)


def test_rows_that_somebody_picked_stay_those_rows(server: DemoServer, client: tkf.Client) -> None:
    """A frame that was filtered, sorted and widened by its owner is read anew as those rows, in that order, with that column."""
    frame = client.inventory().sort_values("size_gb", ascending=False).head(9).assign(mine=range(9))
    seat = Seat(frame, client)
    server.state.publish(server.state.find(seat.keys[0]))
    server.state.delete(server.state.find(seat.keys[1]))
    server.state.add_rows("list_user_checkpoints", 2)
    seat.send("refresh")
    assert not seat.note
    assert seat.keys == [path for path in frame["tinker_path"] if path != frame["tinker_path"].iloc[1]]
    rows = seat.state.rows.frame
    assert rows["mine"].tolist() == [0, 2, 3, 4, 5, 6, 7, 8]
    assert rows["public"].iloc[0]
    few = client.checkpoints(client.training_runs()["training_run_id"].iloc[0])
    seat = Seat(few, client)
    seat.send("refresh")
    assert set(seat.keys) <= set(few["tinker_path"])


def test_a_refresh_that_fails_says_why_and_leaves_the_rows(server: DemoServer, client_of: Make) -> None:
    """Where the server does not answer, or answers with something else, the rows stay, the reason is shown, and a later try works."""
    client = client_of(server, retries=0)
    seat = Seat(client.inventory(), client)
    before = seat.keys
    server.faults.bursts.append(Burst("list_user_checkpoints", 500, times=1))
    seat.send("refresh")
    assert "500" in seat.note
    server.faults.edit = lambda endpoint, content: (
        {"checkpoints": 5} if endpoint == "list_user_checkpoints" else content
    )
    seat.send("refresh")
    assert seat.note
    assert (seat.keys, seat.shown["head"]["reading"]) == (before, None)
    server.faults.clear()
    seat.send("refresh")
    assert (seat.note, seat.keys) == ("", before)


def test_a_view_can_be_used_while_it_reads(server: DemoServer, client: tkf.Client) -> None:
    """While a table is read, what goes on is shown, filters and the selection work, a second reading is refused, and the rows then fit the filter."""
    seat = Seat(client.inventory(), client)
    server.faults.latency_of["list_user_checkpoints"] = 0.5
    seat.say("refresh")
    until(lambda: seat.shown["head"]["reading"])
    assert seat.shown["head"]["reading"]["what"] == "reading anew"
    seat.say("filter", name="public", value=[False])
    seat.say("select", how="all", number=seat.state.rows.number)
    selected = seat.selected
    seat.say("refresh")
    assert "being read already" in seat.note
    seat.wait()
    assert (seat.note, seat.shown["head"]["reading"]) == ("", None)
    assert seat.selected == selected == seat.keys
    assert not seat.state.rows.get_filtered()["public"].any()


def test_a_reading_can_be_stopped(server: DemoServer, client: tkf.Client) -> None:
    """While a table is read its rows are counted; stopped, it is forgotten at once, the rows stay, and it can be read anew."""
    seat = Seat(client.inventory(), client)
    before = seat.keys
    server.faults.latency_of["search_sessions"] = 0.7
    seat.say("refresh")
    until(lambda: server.requests.count("search_sessions") > 1)
    until(lambda: seat.shown["head"]["reading"]["part"] == "sessions")
    task = seat.explorer.reading
    assert task is not None
    seat.say("stop")
    assert (seat.explorer.reading, seat.shown["head"]["reading"]) == (None, None)
    assert "was stopped" in seat.note
    server.faults.clear()
    gone = server.state.find(before[0])
    assert gone is not None
    server.state.delete(gone)
    seat.send("refresh")
    assert (seat.note, seat.keys) == ("", before[1:])
    assert task.join(20)
    assert (seat.note, seat.keys) == ("", before[1:])
    seat.send("stop")
    assert seat.note == ""


def test_rows_that_were_read_before_a_write_are_read_again(server: DemoServer, client: tkf.Client) -> None:
    """A reading that began before rows were written to is not the last: in the end the table shows what the server has."""
    seat = Seat(client.inventory(), client)
    seat.send("filter", name="query", value="not public")
    seat.select(*seat.keys[:2])
    seat.make_plan("publish")
    server.faults.hang.append(Hang("list_training_runs", seconds=2, times=1))  # longer than two writes take
    seat.say("refresh")
    until(lambda: server.requests.count("list_training_runs") > 1)
    seat.say("confirm")
    until(lambda: seat.panel["stage"] == "outcome")
    assert seat.explorer.reading is not None
    seat.wait()
    assert as_shown(seat.state.rows.frame) == present(server)
    assert not seat.note


def test_tables_below_are_read_anew_when_one_comes_back_to_them(server: DemoServer, client: tkf.Client) -> None:
    """After a delete in an opened table, the sessions that one goes back to have their new sizes and numbers; without a write nothing is read."""
    seat = Seat(client.sessions(), client)
    largest = client.sessions().nlargest(1, "checkpoints_count").iloc[0]
    opened(seat, "checkpoints", largest["session_id"])
    seat.send("back", depth=0)
    asked = server.requests.count("search_sessions")
    opened(seat, "checkpoints", largest["session_id"])
    seat.make_plan("delete")
    number = seat.panel["number"]
    seat.confirm()
    assert number > 0
    asked += 1  # when the plan runs, the guards are judged on sessions read anew
    assert server.requests.count("search_sessions") == asked
    seat.send("close")
    seat.send("back", depth=0)
    rows = seat.state.rows.frame.set_index("session_id")
    assert rows.loc[largest["session_id"], "checkpoints_count"] == largest["checkpoints_count"] - number
    assert server.requests.count("search_sessions") == asked + 1
    seat.send("refresh")
    assert not any(table.is_stale for table in seat.explorer.stack)


def test_a_table_that_could_not_be_read_again_is_tried_at_the_next_return(server: DemoServer, client_of: Make) -> None:
    """Where reading a table fails after a write, that is said, and the table is not taken for true later on."""
    client = client_of(server, retries=0)
    seat = Seat(client.training_runs(), client)
    opened(seat, "checkpoints", client.checkpoints().query("not public")["training_run_id"].iloc[0])
    seat.send("filter", name="public", value=[False])
    seat.make_plan("publish")
    seat.confirm()
    server.faults.bursts.append(Burst("list_training_runs", 500, times=1))
    seat.send("back", depth=0)
    assert "500" in seat.note
    assert seat.state.is_stale
    opened(seat, "session", seat.keys[0])
    seat.send("back", depth=0)
    assert (seat.note, seat.state.is_stale) == ("", False)


def test_what_was_done_is_told_even_if_the_rows_cannot_be_shown_anew(server: DemoServer, client: tkf.Client) -> None:
    """Where the table cannot take over what was written, the outcomes are shown all the same, with a word about the rows."""
    seat = Seat(client.inventory(), client)
    seat.select(*[path for path, (public, _) in present(server).items() if not public][:2])
    seat.make_plan("publish")
    seat.state.rows.frame = pd.DataFrame()  # what nobody foresaw
    seat.send("confirm")
    assert {count["outcome"]: count["rows"] for count in seat.panel["counts"]} == {"done": 2}
    assert "may be out of date" in seat.panel["note"]


def test_an_incomplete_reading_is_said_in_the_banner(server: DemoServer, client_of: Make) -> None:
    """Rows that were read anew and may not be all of them say so above the table, until they are whole again."""
    client = client_of(server, retries=0)
    server.faults.missing = ("list_user_checkpoints",)
    seat = Seat(client.inventory(), client)
    assert seat.shown["head"]["banner"] == ""
    total = len(seat.keys)
    server.faults.bursts.append(Burst("list_checkpoints", 500, times=9))  # some of as many runs have rows
    with pytest.warns(tkf.errors.IncompleteListingWarning):
        seat.send("refresh")
    assert "not proved complete" in seat.shown["head"]["banner"]
    assert len(seat.keys) < total
    seat.send("refresh")
    assert (seat.shown["head"]["banner"], len(seat.keys)) == ("", total)


@pytest.mark.parametrize("do", ["code", "ready", "ping", "dismiss", "cancel", "close", "reset"])
def test_messages_without_anything_to_say_do_no_harm(seat: Seat, do: str) -> None:
    """What needs nothing can be sent at any time; asking for the code answers with it."""
    answer = seat.send(do)
    assert answer is None or list(answer) == ["code"]
    assert (do == "code") == (answer is not None)
    assert (seat.note, len(seat.keys)) == ("", len(seat.state.rows.frame))
