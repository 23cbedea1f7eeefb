"""What samplers have loaded: all that matters, with no more requests than can bring something new."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import tinker_frames as tkf
from tinker_frames import policies
from tinker_frames.demo import Burst, DemoServer
from tinker_frames.demo.data.records import Session

Make = Callable[..., tkf.Client]


def list_loaded(server: DemoServer, *, ended: bool) -> set[str]:
    """Return what samplers of active or of ended sessions have loaded, from the server's own records."""
    sessions = [row for row in server.state.sessions() if is_ended(row) == ended]
    return {row.model_path for session in sessions for row in session.samplers if row.model_path}


def is_ended(session: Session) -> bool:
    """Tell whether a session of the demo account has ended."""
    return (session.status or {}).get("type") not in (None, "active")


def count_reads(server: DemoServer) -> tuple[int, int]:
    """Return how many sessions and samplers were requested since the last call."""
    found = server.requests.count("get_session"), server.requests.count("get_sampler")
    server.requests.clear()
    return found


@pytest.mark.parametrize("dialect", ["official", "tuft"])
@pytest.mark.parametrize("is_known", [False, True])
def test_every_active_sampler_is_found(client_of: Make, dialect: str, is_known: bool) -> None:
    """A sampler that was started a moment ago is found by a live reading, whether or not the others were read before."""
    with DemoServer(runs=12, dialect=dialect) as server:
        client = client_of(server)
        if is_known:
            client.samplers()
        loaded = client.checkpoints(by="run").iloc[0]
        server.state.add_sampler(loaded["tinker_path"])
        found = client._reader.read_model_paths(live=True)
        assert found.report.complete
        assert any(loaded["training_run_id"] in path and loaded["name"] in path for path in found.active)  # local paths
        assert {*found.active, *found.ended} <= set(client.samplers(refresh=True)["model_path"].dropna())


def test_only_active_sessions_and_new_samplers_are_requested(server: DemoServer, client: tkf.Client) -> None:
    """Of ended sessions, and of samplers that are known, nothing is requested; what is known of them is returned."""
    active = [row for row in server.state.sessions() if not is_ended(row)]
    found = client._reader.read_model_paths(live=True)
    assert set(found.active) == list_loaded(server, ended=False)
    assert found.ended == []
    assert count_reads(server) == (len(active), sum(len(row.samplers) for row in active))
    client.samplers()
    assert count_reads(server)[0] == len(server.state.sessions())
    server.state.add_sampler(None, active[0])
    found = client._reader.read_model_paths(live=True)
    assert set(found.ended) == list_loaded(server, ended=True)
    assert count_reads(server) == (len(active), 1)


@pytest.mark.parametrize("dialect", ["official", "tuft"])
def test_a_second_live_reading_finds_what_is_new_and_reads_each_session_once(client_of: Make, dialect: str) -> None:
    """Sessions that were active before are read beside the search, no session twice, and those started since as well."""
    with DemoServer(runs=12, dialect=dialect) as server:
        client = client_of(server)
        first = client._reader.read_model_paths(live=True)
        count_reads(server)
        row = server.state.add_checkpoint(server.state.runs()[0], "sampler", "appeared")
        server.state.add_sampler(row.tinker_path)  # in a new session
        found = client._reader.read_model_paths(live=True)
        expected = len(first.active_sessions) + 1 if dialect == "official" else len(server.state.sessions())
        assert count_reads(server)[0] == expected
        assert len(found.active) == len(first.active) + 1


def test_a_session_that_fails_beside_the_search_is_read_after_it(server: DemoServer, client: tkf.Client) -> None:
    """What could not be read ahead is requested again once the search has named the sessions."""
    first = client._reader.read_model_paths(live=True)
    server.faults.bursts = [Burst("get_session", 404, times=1)]
    found = client._reader.read_model_paths(live=True)
    assert found.report.complete
    assert found.active == first.active


def test_permanent_responses_are_kept_for_other_processes(server: DemoServer, client_of: Make, tmp_path: Path) -> None:
    """A new client on the same cache folder requests no known sampler, also after the cache's lifetime; `clear` forgets them."""
    options = {"cache_dir": tmp_path, "cache_ttl": 0.001}
    before = client_of(server, **options).samplers()
    total = count_reads(server)
    client = client_of(server, **options)
    after = client.samplers()
    active = sum(not is_ended(row) for row in server.state.sessions())
    assert count_reads(server) == (active, 0)
    assert after.equals(before)
    client.cache.clear()
    client.samplers()
    assert count_reads(server) == total


def test_a_write_outdates_nothing_that_is_known_of_samplers(server: DemoServer, client: tkf.Client) -> None:
    """A plan after a write requests neither sessions nor samplers again; its run reads those that may be active."""
    plan = client.checkpoints().head(1).tinker.delete().allow("public", "newest", "last_training", "sampler")
    plan.run(confirm=True, progress=False)
    server.requests.clear()
    plan = client.checkpoints().head(3).tinker.delete()
    assert count_reads(server) == (0, 0)
    plan.allow("newest").run(confirm=True, progress=False)
    assert count_reads(server)[0] > 0


def test_refresh_corrects_what_was_taken_for_permanent(server: DemoServer, client: tkf.Client) -> None:
    """A session that was reopened and a sampler id that was used again are read anew with refresh=True, and kept so."""
    client.samplers()
    session = next(row for row in server.state.sessions() if is_ended(row))
    sampler = next(row for row in client.samplers()["sampler_id"] if not row.startswith(session.session_id))
    path = client.checkpoints()["tinker_path"].iloc[0]
    added = server.state.add_sampler(path, session)
    server.faults.edit = lambda name, body: body | {"model_path": path} if body.get("sampler_id") == sampler else body
    assert added.sampler_id not in set(client.samplers()["sampler_id"])
    for refresh in (True, False):
        samplers = client.samplers(refresh=refresh).set_index("sampler_id")
        assert samplers.loc[[added.sampler_id, sampler], "model_path"].tolist() == [path, path]


@pytest.mark.parametrize("seen_active", [True, False])
def test_a_session_that_was_reopened_is_read_again(server: DemoServer, client: tkf.Client, seen_active: bool) -> None:
    """What a session held when it had ended is not taken for what it holds since it was active again, or ended otherwise."""
    client.samplers()
    session = next(row for row in server.state.sessions() if is_ended(row))
    before = session.status
    path = client.checkpoints()["tinker_path"].iloc[0]
    server.state.add_sampler(path, session)
    if seen_active:
        session.status = {"type": "active"}
        assert path in client._reader.read_model_paths(live=True).active
        session.status = before
    else:
        session.status = {"type": "cancelled", "detail": "by its owner"}
    found = client._reader.read_model_paths(live=True, ended=True)
    assert path in found.ended
    assert set(found.ended) == list_loaded(server, ended=True)


def test_what_cannot_be_read_is_requested_again(server: DemoServer, client: tkf.Client) -> None:
    """A sampler that could not be read is not known: the reading is not complete, and the next one finds it."""
    server.faults.bursts = [Burst("get_sampler", 404, times=1)]
    assert not client._reader.read_model_paths(live=True).report.complete
    found = client._reader.read_model_paths(live=True)
    assert found.report.complete
    assert set(found.active) == list_loaded(server, ended=False)


@pytest.mark.parametrize(("endpoint", "field"), [("get_sampler", "model_path"), ("get_session", "sampler_ids")])
def test_what_a_sampler_names_unreadably_is_not_known(
    server: DemoServer, client: tkf.Client, endpoint: str, field: str
) -> None:
    """Where a value cannot be read, no checkpoint is said to be loaded by no sampler, however often it is requested."""
    server.faults.edit = lambda name, body: body | {field: 7} if name == endpoint else body
    rows = client.checkpoints()
    for _ in range(2):
        loaded = client.planner.read_loaded(live=True)
        assert not loaded.is_complete
        assert (loaded.flag(rows["tinker_path"]) != False).fillna(True).all()  # noqa: E712  # three-valued


def test_a_session_that_does_not_say_its_samplers_leaves_the_table_incomplete(
    server: DemoServer, client: tkf.Client
) -> None:
    """Samplers of a session whose list is null may be missing, and the table says so."""
    server.faults.edit = lambda name, body: body | {"sampler_ids": None} if name == "get_session" else body
    with pytest.warns(UserWarning, match="do not say which samplers"):
        frame = client.samplers()
    assert not frame.attrs["tinker"]["complete"]


@pytest.mark.parametrize("odd", [5, None, {"id": "a"}])
def test_a_list_of_samplers_that_holds_no_text_leaves_the_table_incomplete(
    server: DemoServer, client: tkf.Client, odd: Any
) -> None:
    """Ids of samplers that are no text are samplers that are not listed."""
    server.faults.edit = lambda endpoint, body: (
        body | {"sampler_ids": [odd, *body["sampler_ids"]]} if endpoint == "get_session" else body
    )
    with pytest.warns(tkf.errors.IncompleteListingWarning, match="do not say which samplers they have"):
        assert not client.samplers().attrs["tinker"]["complete"]


def test_the_guard_holds_for_active_sessions_and_notes_ended_ones(server: DemoServer, client: tkf.Client) -> None:
    """A checkpoint that only samplers of ended sessions had loaded is sent with a warning; `used_by_samplers` keeps it if asked."""
    sessions = server.state.sessions()
    loaded = list_loaded(server, ended=False) | list_loaded(server, ended=True)
    rows = [path for path in client.checkpoints().query("not public")["tinker_path"] if path not in loaded][:2]
    for path, ended in zip(rows, (False, True), strict=True):
        server.state.add_sampler(path, next(row for row in sessions if is_ended(row) == ended))
    frame = client.checkpoints()
    client.samplers()
    plan = frame.tinker.delete().allow("newest", "last_training").frame.set_index("tinker_path")
    assert plan.loc[rows[0], "verdict"] == "held"
    assert plan.loc[rows[1], "verdict"] == "send"
    assert "a session that has ended" in plan.loc[rows[1], "warnings"]
    for ended in (False, True):
        kept = frame.tinker.retire(policies.used_by_samplers(ended=ended)).kept
        assert set(kept["tinker_path"]) == set(frame["tinker_path"]) & (
            list_loaded(server, ended=False) | (list_loaded(server, ended=True) if ended else set())
        )


def test_a_session_that_the_search_lacks_leaves_open_what_is_loaded(server: DemoServer, client: tkf.Client) -> None:
    """If a checkpoint's session was not listed, its samplers and those of others may be left out: guard and keep rule hold all."""
    lost = client.checkpoints()["session_id"].iloc[0]

    def leave_out(endpoint: str, body: Any) -> Any:
        rows = [row for row in body["sessions"] if row["session_id"] != lost] if endpoint == "search_sessions" else []
        return body | {"sessions": rows} if rows else body

    server.faults.edit = leave_out
    frame = client.checkpoints()
    plan = frame.tinker.delete().allow("newest", "last_training", "public", "expiry").frame
    assert set(plan["verdict"]) == {"held"}
    assert plan["reason"].str.contains("not known whether a sampler").any()
    assert len(frame.tinker.retire(policies.used_by_samplers()).kept) == len(frame)


@pytest.mark.parametrize(
    ("end", "problem"),
    [
        (None, r"training runs and checkpoints name \d+ sessions that the list lacks"),
        ({}, r"cursor is \{\}"),
        ("", "''"),
    ],
)
def test_a_search_that_ends_early_is_not_complete(
    server: DemoServer, client_of: Make, end: object, problem: str
) -> None:
    """If runs that were read name sessions that the search lacks, or its cursor is an odd one, tables and guard say that some may be missing."""
    client = client_of(server, cache=False)
    server.faults.edit = lambda name, body: (
        body | {"sessions": body["sessions"][:1], "next_cursor": end} if name == "search_sessions" else body
    )
    row = client.checkpoints(client.training_runs()["training_run_id"].iloc[0]).tail(1)
    for read in (client.sessions, client.samplers, client.inventory):
        with pytest.warns(tkf.errors.IncompleteListingWarning, match=problem):
            assert not read().attrs["tinker"]["complete"]
    plan = row.tinker.delete(client=client).allow("newest", "last_training", "public", "expiry").frame
    assert plan["reason"].tolist() == ["not known whether a sampler has loaded it"]


def test_a_cached_list_of_sessions_is_read_again_for_one_that_began_since(
    server: DemoServer, client_of: Make, tmp_path: Path
) -> None:
    """A session that runs name and an older cached list lacks is looked for once more before the list is doubted."""
    client_of(server, cache_dir=tmp_path).sessions()
    client = client_of(server, cache_dir=tmp_path)
    session = server.state.add_run().session
    client.training_runs()
    server.requests.clear()
    frame = client.sessions()
    assert session.session_id in set(frame["session_id"])
    assert frame.attrs["tinker"]["complete"]
    assert server.requests.count("search_sessions") == 1


@pytest.mark.parametrize("row", [None, 5, "x", []])
def test_a_session_that_cannot_be_read_leaves_open_what_is_loaded(
    server: DemoServer, client: tkf.Client, row: object
) -> None:
    """A row of the session search that is not an object makes the listing incomplete, and every checkpoint of a plan is held."""
    server.faults.edit = lambda name, body: (
        body | {"sessions": [row, *body["sessions"][1:]]} if name == "search_sessions" else body
    )
    with pytest.raises(tkf.errors.IncompleteListingError, match="not objects"):
        client.sessions(require_complete=True)
    plan = client.checkpoints().query("not public").tinker.delete().frame
    assert (plan["verdict"] == "held").all()
    assert plan["reason"].str.contains("sampler").all()


@pytest.mark.parametrize("is_first", [True, False])
def test_a_session_with_two_statuses_may_be_active(server: DemoServer, client: tkf.Client, is_first: bool) -> None:
    """A session that two pages list, active on one and ended on the other, holds its samplers' checkpoints, and is named."""
    session = next(row for row in server.state.sessions() if is_ended(row))
    path = client.checkpoints().query("not public")["tinker_path"].iloc[0]
    server.state.add_sampler(path, session)

    def contradict(name: str, body: dict[str, Any]) -> dict[str, Any]:
        if name == "search_sessions":
            twin = next((row for row in body["sessions"] if row["session_id"] == session.session_id), None)
            again = [twin | {"status": {"type": "active"}}] if twin else []
            body["sessions"] = [*again, *body["sessions"]] if is_first else [*body["sessions"], *again]
        return body

    server.faults.edit = contradict
    assert path in client._reader.read_model_paths(live=True).active
    frame = client.sessions()
    assert pd.isna(frame.set_index("session_id").loc[session.session_id, "status"])
    problems = frame.attrs["tinker"]["problems"]
    assert [row["examples"] for row in problems if row["column"] == "status"] == [[session.session_id]]


def test_a_sampler_that_answers_for_another_is_not_known(server: DemoServer, client: tkf.Client) -> None:
    """If every sampler answers with one id, none is taken for another: what is loaded is not known."""
    server.faults.edit = lambda name, body: body | {"sampler_id": "s:sample:0"} if name == "get_sampler" else body
    assert not client.planner.read_loaded().is_complete


@pytest.mark.parametrize("is_first", [True, False])
def test_a_sampler_that_two_sessions_list_is_as_active_as_either(
    server: DemoServer, client: tkf.Client, is_first: bool
) -> None:
    """A sampler listed by an ended and by an active session holds its checkpoint, whatever was read before."""
    sessions = sorted(server.state.sessions(), key=is_ended, reverse=is_first)
    path = client.checkpoints().query("not public")["tinker_path"].iloc[0]
    added = server.state.add_sampler(path, sessions[-1])
    sessions[0].samplers.append(added)
    for _ in range(2):
        assert path in client._reader.read_model_paths(live=True).active
        client.samplers(refresh=True)


def test_a_sampler_without_the_field_is_read_again(server: DemoServer, client: tkf.Client) -> None:
    """A response that lacks `model_path` is not kept for good."""
    server.faults.edit = lambda name, body: (
        {key: value for key, value in body.items() if key != "model_path"} if name == "get_sampler" else body
    )
    client.samplers()
    server.faults.edit = None
    assert set(client._reader.read_model_paths(live=True).active) == list_loaded(server, ended=False)
