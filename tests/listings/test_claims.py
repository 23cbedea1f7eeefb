"""The checkpoints that runs and sessions refer to, compared with the list: another route is taken, or the listing is doubted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import tinker_frames as tkf
from tinker_frames.demo import Burst, DemoServer
from tinker_frames.errors import IncompleteListingWarning, NotSupportedError, ServerError

Make = Callable[..., tkf.Client]
USER_LIST, RUNS, RUN_LIST = "list_user_checkpoints", "list_training_runs", "list_checkpoints"


def get_report(frame: pd.DataFrame) -> dict[str, Any]:
    """Return the report of a frame."""
    found: dict[str, Any] = frame.attrs["tinker"]
    return found


def list_all(server: DemoServer) -> set[str]:
    """Return the path of every checkpoint of the caller."""
    return {row.tinker_path for run in server.state.runs() for row in server.state.run_checkpoints(run.training_run_id)}


def hide(*endpoints: str, kind: str = "sampler", named: bool = True) -> Callable[[str, Any], Any]:
    """Return an edit that leaves one type of checkpoint out of lists, and out of what runs name unless `named`."""

    def edit(endpoint: str, body: Any) -> Any:
        if endpoint in endpoints:
            body["checkpoints"] = [row for row in body["checkpoints"] if row["checkpoint_type"] != kind]
            if body.get("cursor"):
                body["cursor"]["total_count"] = len(body["checkpoints"])
        if endpoint in (RUNS, "get_training_run") and not named:
            for run in body.get("training_runs", [body]):
                run["last_checkpoint"] = run["last_sampler_checkpoint"] = None
        return body

    return edit


@pytest.fixture(scope="module")
def tuft() -> Iterator[DemoServer]:
    """A server whose user list omits sampler checkpoints, and counts without them."""
    with DemoServer(runs=15, seed=3, dialect="tuft") as running:
        yield running


@pytest.mark.parametrize("call", ["checkpoints", "inventory"])
def test_a_list_of_its_own_kind_is_read_by_run(tuft: DemoServer, client_of: Make, call: str) -> None:
    """If runs name checkpoints that the user's list lacks, every run is read; the next call sends no request."""
    client = client_of(tuft)
    tuft.requests.clear()
    frame = getattr(client, call)(require_complete=True)
    assert set(frame["tinker_path"]) == list_all(tuft)
    assert get_report(frame)["complete"]
    assert {"training", "sampler"} <= set(frame["checkpoint_type"].dropna())
    sent = tuft.requests.count()
    assert set(getattr(client, call)()["tinker_path"]) == list_all(tuft)
    assert tuft.requests.count() == sent


def test_the_lists_own_way_is_doubted_if_it_was_asked_for(tuft: DemoServer, client_of: Make) -> None:
    """`by="user"` returns the user's list and reports what it lacks."""
    with pytest.warns(IncompleteListingWarning, match=r"training runs name \d+ checkpoints that the list lacks"):
        frame = client_of(tuft).checkpoints(by="user")
    assert set(frame["tinker_path"]) < list_all(tuft)


@pytest.mark.parametrize("source", ["user list", "sessions", "inventory", "nothing"])
def test_a_run_that_only_others_know_is_kept_by_run(client_of: Make, source: str) -> None:
    """By run, a run that is not listed is found in the cached list of the user, or among the runs that sessions name; else it is not known."""
    with DemoServer(runs=8, seed=3, dialect="official" if source == "user list" else "tuft") as server:
        hidden = server.state.runs()[2].training_run_id
        count = len(server.state.run_checkpoints(hidden))

        def hide_run(endpoint: str, body: Any) -> Any:
            if endpoint != RUNS:
                return body
            is_first = server.requests.to(RUNS)[-1].query["offset"] == "0"
            kept = [row for row in body["training_runs"] if row["training_run_id"] != hidden and is_first]
            return {"training_runs": kept, "cursor": body["cursor"] | {"total_count": 7}}

        server.faults.edit = hide_run
        client = client_of(server)
        if source == "user list":
            client.checkpoints()
        elif source == "sessions":
            with pytest.warns(IncompleteListingWarning):  # of its last column, of checkpoints
                client.sessions(details=True)
        is_found = source != "nothing"
        with (
            pytest.warns(IncompleteListingWarning, match="list of training runs lacks 1") if is_found else nullcontext()
        ):
            frame = client.inventory(by="run") if source == "inventory" else client.checkpoints(by="run")
        assert frame["training_run_id"].eq(hidden).sum() == (count if is_found else 0)
        assert get_report(frame)["complete"] is not is_found


@pytest.mark.parametrize("answer", ["unreadable", "gone"])
def test_a_run_that_only_sessions_name_is_missing_if_it_cannot_be_read(client_of: Make, answer: str) -> None:
    """By run, a run that sessions name and nobody lists may have checkpoints if it cannot be read; if it does not exist, it has none."""
    with DemoServer(runs=4, seed=3) as server:
        unlisted = "gone-run" if answer == "gone" else server.state.runs()[2].training_run_id

        def edit(endpoint: str, body: Any) -> Any:
            if endpoint == "get_session":
                return body | {"training_run_ids": [*body["training_run_ids"], unlisted]}
            if endpoint == RUN_LIST and unlisted in str(body):
                return {"checkpoints": 5}
            if endpoint != RUNS:
                return body
            rows = [row for row in body["training_runs"] if row["training_run_id"] != unlisted]
            return {"training_runs": rows, "cursor": body["cursor"] | {"total_count": len(rows)}}

        server.faults.edit = edit
        client = client_of(server)
        is_unread = answer == "unreadable"
        said = pytest.warns(IncompleteListingWarning, match="sessions name and that could not be read")
        client.sessions(details=True)  # which reads the list of the user
        client.cache.clear()
        with said if is_unread else nullcontext():
            assert get_report(client.checkpoints(by="run"))["complete"] is not is_unread


@pytest.mark.parametrize("dialect", ["skyrl", "skyrl-main"])
def test_an_empty_list_of_a_run_that_does_not_exist_is_not_found(client_of: Make, dialect: str) -> None:
    """Where a server answers an empty list for any id, the run itself is read: one that is not there is an error, or named among others."""
    with DemoServer(runs=3, dialect=dialect) as server:
        client = client_of(server, cache=False)
        with pytest.raises(tkf.errors.NotFoundError):
            client.checkpoints("model_00000000")
        with pytest.warns(IncompleteListingWarning, match=r"1 of 2 could not be read \(NotFoundError\)"):
            client.checkpoints(["model_00000000", server.state.runs()[0].training_run_id])
        assert client.checkpoints(server.state.add_run().training_run_id, require_complete=True).empty
        server.faults.missing = {"get_training_run"}
        with pytest.warns(IncompleteListingWarning, match="does not say whether their runs exist"):
            assert client.checkpoints("model_00000000").empty


@pytest.mark.parametrize("shown", ["nothing", "the others"])
@pytest.mark.parametrize("lasts", [True, False])
def test_the_list_of_one_run_is_held_against_what_the_run_names(client_of: Make, shown: str, lasts: bool) -> None:
    """A list that lacks the newest checkpoint of its run, as the run or the cached list of runs says, is read again, and doubted if it lasts."""
    with DemoServer(runs=4, seed=3) as server:
        run = max(server.state.runs(), key=lambda run: len(run.checkpoints))
        rows = server.state.run_checkpoints(run.training_run_id)
        newest = {row.tinker_path for row in rows if row in (max(rows, key=lambda r: r.time), rows[0])}

        def hide_newest(endpoint: str, body: Any) -> Any:
            if endpoint == RUN_LIST and (lasts or server.requests.count(RUN_LIST) == 1):
                kept = [row for row in body["checkpoints"] if shown != "nothing" and row["tinker_path"] not in newest]
                body["checkpoints"] = kept
            return body

        server.faults.edit = hide_newest
        client = client_of(server)
        if shown != "nothing":
            client.training_runs()
        with pytest.warns(IncompleteListingWarning, match="name") if lasts else nullcontext():
            frame = client.checkpoints(run.training_run_id)
        assert get_report(frame)["complete"] is not lasts
        assert (set(frame["tinker_path"]) == {row.tinker_path for row in rows}) is not lasts


@pytest.mark.parametrize("readable", [True, False])
@pytest.mark.parametrize("call", ["checkpoints", "inventory"])
def test_rows_of_runs_that_the_list_of_runs_lacks_are_kept(client_of: Make, call: str, readable: bool) -> None:
    """By run, what the user's list has is kept, with the samplers of a run that is not listed; the listing is not complete."""
    with DemoServer(runs=8, seed=3, dialect="tuft") as server:
        hidden = max(server.state.runs(), key=lambda run: len(run.checkpoints))
        rows = server.state.run_checkpoints(hidden.training_run_id)

        def hide_run(endpoint: str, body: Any) -> Any:
            if endpoint == RUNS:
                kept = [row for row in body["training_runs"] if row["training_run_id"] != hidden.training_run_id]
                body |= {"training_runs": kept, "cursor": body["cursor"] | {"total_count": 7}}
            if endpoint == RUN_LIST and not readable:
                body["checkpoints"] = [
                    row for row in body["checkpoints"] if hidden.training_run_id not in row["tinker_path"]
                ]
                body["cursor"]["total_count"] = len(body["checkpoints"])
            return body

        server.faults.edit = hide_run
        with pytest.warns(IncompleteListingWarning, match="the list of training runs lacks 1"):
            frame = getattr(client_of(server), call)()
        lost = {row.tinker_path for row in rows if row.kind != "training" and not readable}
        assert set(frame["tinker_path"]) == list_all(server) - lost
        assert not get_report(frame)["complete"]


def test_a_list_that_nothing_contradicts_costs_one_page_of_runs(client_of: Make) -> None:
    """On a server with bare ids one request checks the list against the runs, and none if the runs were read before."""
    with DemoServer(runs=15, seed=3, dialect="tuft") as server:
        server.faults.edit = lambda endpoint, body: body
        for run in server.state.runs():
            for row in [row for row in run.checkpoints.values() if row.kind != "training"]:
                server.state.delete(row)
        client = client_of(server)
        assert set(client.checkpoints(require_complete=True)["tinker_path"]) == list_all(server)
        asked = {call.endpoint for call in server.requests}
        assert RUN_LIST not in asked
        assert len({call.query["offset"] for call in server.requests.to(RUNS)} - {"15"}) == 1
        client.training_runs()
        server.requests.clear()
        client.checkpoints(refresh=True)
        assert server.requests.count(RUNS) == 0


def test_the_official_list_is_checked_without_a_request(server: DemoServer, client_of: Make) -> None:
    """Ids with a segment need no page of runs; runs and sessions that were read anyway are compared with the list."""
    client = client_of(server)
    client.checkpoints()
    assert {call.endpoint for call in server.requests} <= {
        USER_LIST,
        "get_client_config",
        "get_current_checkpoint_storage_usage",
    }
    server.requests.clear()
    inventory = client_of(server, cache=False).inventory(require_complete=True)
    assert set(inventory["tinker_path"]) == list_all(server)
    assert server.requests.count(RUN_LIST) == 0


@pytest.mark.parametrize(("kind", "named"), [("sampler", True), ("sampler", False), ("external", False)])
def test_the_official_list_that_lacks_rows_is_found_out(
    server: DemoServer, client_of: Make, kind: str, named: bool
) -> None:
    """A missing row is detected from a run that names it, or from a session's count alone."""
    server.faults.edit = hide(USER_LIST, kind=kind, named=named)
    client = client_of(server)
    frame = client.inventory(require_complete=True)
    assert set(frame["tinker_path"]) == list_all(server)
    assert set(client.checkpoints(require_complete=True)["tinker_path"]) == list_all(server)


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("by", ["auto", "run"])
def test_what_no_list_holds_is_said(server: DemoServer, client_of: Make, named: bool, by: Any) -> None:
    """If every list lacks checkpoints that runs name or sessions count, the frame is incomplete and says why."""
    server.faults.edit = hide(USER_LIST, RUN_LIST, named=named)
    words = "training runs name" if named else "the sessions count"
    with pytest.warns(IncompleteListingWarning, match=words):
        frame = client_of(server).inventory(by=by)
    assert not get_report(frame)["complete"]
    assert set(frame["tinker_path"]) < list_all(server)


@pytest.mark.parametrize("change", ["delete", "save"])
def test_a_change_between_two_readings_is_no_contradiction(server: DemoServer, client_of: Make, change: str) -> None:
    """A checkpoint deleted after the runs were read, or saved after the list was, does not make the listing incomplete."""
    client = client_of(server)
    run = max(server.state.runs(), key=lambda row: len(row.checkpoints))
    if change == "delete":
        client.training_runs()
        server.state.delete(run.newest_checkpoint("training"))
        frame = client.checkpoints(refresh=True, require_complete=True)
    else:
        client.checkpoints()
        server.state.add_checkpoint(run)
        frame = client.inventory(require_complete=True)
    assert set(frame["tinker_path"]) == list_all(server)
    assert server.requests.count(RUN_LIST) == 0


@pytest.mark.parametrize("status", [403, 404, 405, 410, 422, 500, "no time"])
def test_a_runs_list_that_fails_in_any_way_costs_that_run(server: DemoServer, client_of: Make, status: Any) -> None:
    """A run whose list fails is named in `problems`, and the rows of all other runs are there."""
    run = max(server.state.runs(), key=lambda row: len(row.checkpoints)).training_run_id

    def spoil(endpoint: str, body: Any) -> Any:
        if endpoint == RUN_LIST and body["checkpoints"] and f"/{run}/" in body["checkpoints"][0]["tinker_path"]:
            del body["checkpoints"][-1]["time"]
        return body

    if status == "no time":
        server.faults.edit = spoil
    else:
        runs = server.state.runs()
        place = [row.training_run_id for row in runs].index(run)
        place += sum(not row.checkpoints for row in runs[:place])  # an empty list is read twice
        server.faults.bursts = [
            Burst(RUN_LIST, status, times=1, after=place, detail="Not Found" if status == 404 else None)
        ]
    client = client_of(server, retries=0, max_workers=1)
    with pytest.warns(IncompleteListingWarning, match=f"1 of 20 could not be read .*{run}"):
        frame = client.checkpoints(by="run")
    assert set(frame["tinker_path"]) == {path for path in list_all(server) if path.split("/")[2] != run}
    assert not get_report(frame)["complete"]


def test_a_route_is_missing_only_if_every_run_says_so(server: DemoServer, client_of: Make) -> None:
    """If all lists of runs are unknown routes, the table is not supported; any other failure is raised."""
    client = client_of(server, retries=0, max_workers=1)
    server.faults.bursts = [Burst(RUN_LIST, 404, times=None, detail="Not Found")]
    with pytest.raises(NotSupportedError):
        client.checkpoints(by="run")
    server.faults.bursts = [Burst(RUN_LIST, 500, times=1), Burst(RUN_LIST, 404, times=None, detail="Not Found")]
    with pytest.raises(ServerError):
        client.checkpoints(by="run")


def test_a_server_that_is_gone_is_not_asked_for_every_run(server: DemoServer, client_of: Make) -> None:
    """The error is raised after a few lost connections, not after trying every run."""
    client = client_of(server, retries=0, max_workers=1)
    runs = client.training_runs()
    server.faults.resets = [tkf.demo.Reset(RUN_LIST, times=None)]
    with pytest.raises(tkf.errors.ConnectionFailedError):
        client.checkpoints(by="run")
    assert server.requests.count(RUN_LIST) < len(runs)


def test_an_empty_list_without_a_total_is_no_proof_beside_runs(server: DemoServer, client_of: Make) -> None:
    """Where runs do not name what they have saved, an empty user's list is read by run, or is not complete; without runs it is."""

    def spoil(endpoint: str, body: Any) -> Any:
        if endpoint == USER_LIST:
            return {"checkpoints": []}
        rows = [{name: run[name] for name in run if not name.endswith("_checkpoint")} for run in body["training_runs"]]
        return body | {"training_runs": rows} if has_runs else {"training_runs": [], "cursor": {"total_count": 0}}

    server.faults.edit = lambda endpoint, body: spoil(endpoint, body) if endpoint in (USER_LIST, RUNS) else body
    has_runs = True
    assert set(client_of(server).checkpoints(require_complete=True)["tinker_path"]) == list_all(server)
    with pytest.raises(tkf.errors.IncompleteListingError, match="the list is empty and has no total"):
        client_of(server).checkpoints(by="user", require_complete=True)
    has_runs = False
    assert client_of(server).checkpoints(require_complete=True, refresh=True).empty


def test_an_inventory_of_what_is_accessible_says_what_it_cannot_list(server: DemoServer, client_of: Make) -> None:
    """The service does not list other users' checkpoints: their runs are named, and all own rows are there."""
    owned = {run.training_run_id for run in server.state.runs()}
    others = {run.training_run_id for run in server.state.runs("accessible")} - owned
    assert others
    with pytest.warns(IncompleteListingWarning, match=f"{len(others)} of {len(others)} could not be read"):
        frame = client_of(server).inventory(access_scope="accessible")
    assert set(frame["tinker_path"]) == list_all(server)
    assert not get_report(frame)["complete"]


@pytest.mark.parametrize("value", ["", 5])
@pytest.mark.parametrize(
    ("endpoint", "rows", "key", "call"),
    [
        (RUN_LIST, "checkpoints", "tinker_path", "checkpoints"),
        (RUNS, "training_runs", "training_run_id", "training_runs"),
        (RUNS, "training_runs", "training_run_id", "checkpoints"),
    ],
)
def test_rows_without_a_readable_id_are_doubted(
    client_of: Make, endpoint: str, rows: str, key: str, call: str, value: Any
) -> None:
    """Rows whose id is empty or not a text may be several or one: without a total, a listing that has them is not complete."""

    def spoil(name: str, body: Any) -> Any:
        if name == endpoint:
            body.pop("cursor", None)
            body[rows] = [row | {key: value} if place in (1, 2) else row for place, row in enumerate(body[rows])]
        return body

    with DemoServer(runs=6, dialect="skyrl") as server:
        server.faults.edit = spoil
        with pytest.warns(IncompleteListingWarning):
            frame = getattr(client_of(server, retries=0), call)()
        assert not get_report(frame)["complete"]


@pytest.mark.parametrize("value", ["", 5, None])
def test_a_session_without_a_readable_id_is_doubted(server: DemoServer, client_of: Make, value: Any) -> None:
    """Sessions of one unusable id are not taken for one session, and samplers are then not known to be all."""
    server.faults.edit = lambda name, body: (
        body | {"sessions": [row | {"session_id": value} if n < 2 else row for n, row in enumerate(body["sessions"])]}
        if name == "search_sessions"
        else body
    )
    client = client_of(server)
    assert client.planner.read_loaded().is_complete is False
    with pytest.warns(IncompleteListingWarning) if value is not None else pytest.raises(tkf.errors.SchemaError):
        client.sessions()


def test_an_inventory_names_runs_that_the_list_of_runs_lacks(
    server: DemoServer, client_of: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """If a checkpoint's run is not listed, the inventory lacks its columns and is not complete; a list that is only older is read again."""
    list_runs = server.state.runs
    lost = next(run for run in list_runs() if run.checkpoints)
    with monkeypatch.context() as patch:
        patch.setattr(server.state, "runs", lambda *given: [run for run in list_runs(*given) if run is not lost])
        with pytest.warns(IncompleteListingWarning, match=f"list of training runs lacks 1 .*{lost.training_run_id}"):
            assert not client_of(server).inventory().attrs["tinker"]["complete"]
        client = client_of(server, cache_dir=tmp_path / "other")
        client.training_runs()
    assert client.inventory()["run_corrupted"].notna().all()


@pytest.mark.parametrize("source", ["checkpoints", "sessions", "details"])
@pytest.mark.parametrize("state", ["hidden", "late", "gone"])
def test_the_list_of_runs_is_held_against_what_names_runs(
    client_of: Make, monkeypatch: pytest.MonkeyPatch, source: str, state: str
) -> None:
    """A list that lacks a run of cached checkpoints or own sessions is read again, and doubted as long as the run exists."""
    with DemoServer(runs=6, seed=3) as server:
        list_runs = server.state.runs
        lost = next(run for run in list_runs() if run.checkpoints)
        client = client_of(server)
        if source == "checkpoints":
            client.checkpoints()
        elif source == "sessions":
            client.samplers()
        is_out = lambda: state != "late" or server.requests.count(RUNS) <= 2  # noqa: E731  # a page, and one past it
        monkeypatch.setattr(
            server.state, "runs", lambda *given: [run for run in list_runs(*given) if run is not lost or not is_out()]
        )
        server.faults.bursts = [Burst("get_training_run", 404, times=None, detail="Model not found.")] * (
            state == "gone"
        )
        is_doubted = state == "hidden" or source == "details"  # whose checkpoints, which are there, name it
        with pytest.warns(IncompleteListingWarning) if is_doubted else nullcontext():
            frame = client.training_runs(details=source == "details")
        assert get_report(frame)["complete"] is not is_doubted
        if source != "details":
            assert frame["training_run_id"].eq(lost.training_run_id).any() == (state == "late")


@pytest.mark.parametrize("cap", [20, 200])
def test_a_search_that_ends_early_is_held_against_the_list_of_ids(client_of: Make, cap: int) -> None:
    """Where the last page of a search may be a full one, one id past its end is asked for; one that the search lacks is a doubt, but not one of another project."""
    with DemoServer(runs=96, seed=3) as server:
        every = len(server.state.sessions())
        assert every > 20
        server.faults.edit = lambda endpoint, body: (
            {"sessions": body["sessions"][:cap], "next_cursor": None} if endpoint == "search_sessions" else body
        )
        with pytest.warns(IncompleteListingWarning, match="others follow") if cap < every else nullcontext():
            frame = client_of(server).sessions()
        assert get_report(frame)["complete"] is (cap >= every)
        assert server.requests.count("list_sessions") <= 1
        server.faults.edit = None
        project = frame["project_id"].iloc[0]
        assert len(client_of(server).sessions(project_id=project, require_complete=True)) == 20


def test_a_list_of_one_type_may_leave_the_other_out(client_of: Make) -> None:
    """A user's list whose rows are all of one type is held against a page of runs, also where its ids have segments."""
    with DemoServer(runs=6, seed=3) as server:
        server.faults.edit = hide(USER_LIST)
        frame = client_of(server).checkpoints(require_complete=True)
        assert set(frame["tinker_path"]) == list_all(server)
