"""Joins between tables and columns from metadata: no row is lost or multiplied."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinker_frames as tkf
from tinker_frames.demo import Burst, DemoServer
from tinker_frames.listings.joins import fill_sessions, join_inventory, map_members
from tinker_frames.schema import catalog
from tinker_frames.schema.columns import Table, empty_frame, text_dtype

NOW = datetime(2026, 11, 23, tzinfo=UTC)
IDS = st.sampled_from(["a", "b", "c", None])


def make_frame(table: Table, **columns: list[Any]) -> pd.DataFrame:
    """Return a frame of a table with some columns filled."""
    count = len(next(iter(columns.values())))
    frame = empty_frame(table, NOW).reindex(range(count))
    for name, values in columns.items():
        frame[name] = pd.array(values, dtype=text_dtype())
    return frame


@settings(max_examples=15)
@given(
    st.lists(st.tuples(IDS, IDS), max_size=6),
    st.lists(st.sampled_from("abc"), unique=True),
    st.lists(st.sampled_from("abc"), unique=True),
)
def test_the_inventory_has_every_checkpoint_once(rows: list[Any], runs: list[str], sessions: list[str]) -> None:
    """The inventory's rows are the checkpoints in order, each with its run and session, whichever of those are known."""
    paths = [f"tinker://{number}" for number in range(len(rows))]
    checkpoints = make_frame(
        catalog.CHECKPOINTS,
        tinker_path=paths,
        training_run_id=[run for run, _ in rows],
        session_id=[of for _, of in rows],
    )
    frame = join_inventory(
        checkpoints,
        make_frame(catalog.TRAINING_RUNS, training_run_id=runs, base_model=[f"model {run}" for run in runs]),
        make_frame(catalog.SESSIONS, session_id=sessions, display_name=[f"name {of}" for of in sessions]),
    )
    assert list(frame.columns) == catalog.INVENTORY.names
    assert frame["tinker_path"].tolist() == paths
    for (run, of), shown in zip(rows, frame.itertuples(), strict=True):
        assert (shown.base_model == f"model {run}") if run in runs else pd.isna(shown.base_model)
        assert (shown.display_name == f"name {of}") if of in sessions else pd.isna(shown.display_name)


@pytest.mark.parametrize("dialect", list(tkf.demo.DIALECTS))
def test_the_inventory_of_every_server_is_its_checkpoints(dialect: str) -> None:
    """On each kind of server the inventory has the checkpoints' rows and the declared dtypes, and base models of the runs."""
    with tkf.demo.account(runs=12, dialect=dialect, hostile=True) as client:
        checkpoints, frame, runs = client.checkpoints(), client.inventory(), client.training_runs()
        assert frame["tinker_path"].tolist() == checkpoints["tinker_path"].tolist()
        assert len(frame) > 5
        model = runs.set_index("training_run_id")["base_model"]
        assert frame["base_model"].tolist() == model[frame["training_run_id"]].tolist()
        if dialect not in ("official", "tuft"):
            assert frame["session_id"].isna().all()
            assert "sessions" in frame.attrs["tinker"]["lacks"]
        else:
            owner = {run.training_run_id: row.session_id for row in client.server.state.sessions() for run in row.runs}
            assert frame["session_id"].tolist() == [owner[run] for run in frame["training_run_id"]]
        for column in catalog.INVENTORY.columns:
            if column.kind in ("time", "int", "bool", "float"):
                assert frame[column.name].dtype == empty_frame(catalog.INVENTORY, NOW)[column.name].dtype, column.name


def test_sessions_listed_elsewhere_are_remembered() -> None:
    """On servers whose ids do not contain the session, runs and checkpoints have it once the sessions' runs were read."""
    with tkf.demo.account(runs=6, dialect="tuft") as client:
        assert client.training_runs()["session_id"].isna().all()
        client.sessions(details=True)
        assert client.training_runs()["session_id"].notna().all()
        assert client.checkpoints()["session_id"].notna().all()


def test_only_unknown_sessions_are_filled_in() -> None:
    """The session in an id wins; a list only fills NA."""
    frame = make_frame(
        catalog.CHECKPOINTS,
        tinker_path=["x", "y", "z"],
        training_run_id=["r", "s", None],
        session_id=["own", None, None],
    )
    filled = fill_sessions(frame, {"r": "other", "s": "listed"})["session_id"]
    assert filled.fillna("").tolist() == ["own", "listed", ""]
    assert filled.dtype == text_dtype()


def test_members_of_sessions_without_details_are_skipped() -> None:
    """A session without details, or with empty lists, has no members."""
    frame = pd.DataFrame(
        {"session_id": ["s", "t", "u"], "sampler_ids": pd.Series([("a", "b"), (), None], dtype=object)}
    )
    assert map_members(frame, "sampler_ids") == {"a": "s", "b": "s"}


def test_samplers_are_all_found_with_their_session_and_run(shared_server: DemoServer, client_of: Any) -> None:
    """Every sampler listed by a session is a row, with that session and the run whose weights it loaded."""
    frame = client_of(shared_server).samplers().set_index("sampler_id")
    every = {row.sampler_id: row for session in shared_server.state.sessions() for row in session.samplers}
    assert set(frame.index) == set(every)
    for key, row in every.items():
        shown = frame.loc[key]
        assert (shown["session_id"], shown["base_model"]) == (row.session.session_id, row.base_model)
        if row.model_path is None:
            assert pd.isna(shown["model_path"])
            assert pd.isna(shown["training_run_id"])
        else:
            assert shown["training_run_id"] == row.model_path.split("/")[2]


def test_an_inventory_of_two_accounts_is_not_complete(client: tkf.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the credential begins to be another account's between the parts of an inventory, it says so and is not complete."""
    tables = client._reader._tables
    read = tables.read_paged

    def read_and_switch(*arguments: Any) -> Any:
        listing = read(*arguments)
        client.transport.auth._identity = "another"
        return listing

    monkeypatch.setattr(tables, "read_paged", read_and_switch)
    with pytest.warns(tkf.errors.IncompleteListingWarning, match="another account"):
        frame = client.inventory()
    assert not frame.attrs["tinker"]["complete"]


@pytest.mark.parametrize("dialect", list(tkf.demo.DIALECTS))
def test_details_of_runs_are_what_the_server_has(dialect: str) -> None:
    """The columns that details add to a run equal what its checkpoints and its session are on the server; others are lacking."""
    with DemoServer(runs=8, dialect=dialect) as server, tkf.Client("tml-demo", server.url, cache=False) as client:
        frame = client.training_runs(details=True).set_index("training_run_id")
        lacks = frame.attrs["tinker"]["lacks"]
        for run in server.state.runs():
            rows = server.state.run_checkpoints(run.training_run_id)
            shown = frame.loc[run.training_run_id]
            assert shown["checkpoints_count"] == len(rows)
            assert shown["has_final"] == any(row.name == "final" for row in rows)
            if dialect.startswith("skyrl") and rows:  # it sends no sizes
                assert pd.isna(shown["size_bytes"])
            else:
                assert shown["size_bytes"] == sum(row.size_bytes or 0 for row in rows)
            if "display_name" not in lacks:
                assert shown["display_name"] == run.session.display_name or pd.isna(shown["display_name"])
                assert pd.isna(shown["created_at"]) or shown["created_at"].date() == run.session.created_at.date()
        assert ("display_name" in lacks) == (dialect != "official")


def test_details_of_sessions_have_their_newest_checkpoint(server: DemoServer, client: tkf.Client) -> None:
    """`last_checkpoint_at` is the time of a session's newest checkpoint, NA for one without any."""
    newest = client.checkpoints().groupby("session_id")["time"].max()
    frame = client.sessions(details=True).set_index("session_id")["last_checkpoint_at"]
    assert frame.dropna().to_dict() == newest.to_dict()
    assert frame.isna().any()


def test_details_of_runs_are_not_known_from_an_incomplete_list(server: DemoServer, client: tkf.Client) -> None:
    """Where the checkpoints cannot be proved complete, neither is the frame: counts are NA and lacking, and names are there."""

    def count_too_many(_endpoint: str, body: Any) -> Any:
        return body | {"cursor": body["cursor"] | {"total_count": 10_000}} if "checkpoints" in body else body

    server.faults.bursts = [Burst("list_checkpoints", 403, times=None)]
    server.faults.edit = count_too_many
    with pytest.warns(tkf.errors.IncompleteListingWarning, match="10000|10,000"):
        frame = client.training_runs(details=True)
    with pytest.raises(tkf.errors.IncompleteListingError):
        client.training_runs(details=True, refresh=True, require_complete=True)
    assert frame["checkpoints_count"].isna().all()
    assert {"checkpoints_count", "has_final"} <= set(frame.attrs["tinker"]["lacks"])
    assert frame["display_name"].notna().any()


@pytest.mark.parametrize("call", ["sessions", "training_runs"])
def test_details_have_every_column_of_an_empty_account(client_of: Any, call: str) -> None:
    """A table with details has the same columns and dtypes with and without rows."""
    with DemoServer(runs=0) as empty, DemoServer(runs=4) as full:
        nothing, some = (getattr(client_of(server), call)(details=True) for server in (empty, full))
    assert list(nothing.columns) == catalog.DETAILED[call].names
    assert nothing.dtypes.astype(str).tolist() == some.dtypes.astype(str).tolist()
