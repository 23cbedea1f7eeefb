"""Rows by what people have of them: a name, the beginning of an id, a tinker path or a link of the console."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

import tinker_frames as tkf
from tinker_frames.demo import DemoServer
from tinker_frames.errors import IncompleteListingError, InvalidRequestError
from tinker_frames.schema import catalog

Make = Callable[..., tkf.Client]
CONSOLE = "https://tinker.thinkingmachines.ai"


def list_found(frame: Any) -> set[tuple[str, str]]:
    """Return the table and the id of each row."""
    return set(zip(frame["table"].astype(str), frame["id"], strict=True))


def test_a_name_finds_sessions_with_their_runs(shared_server: DemoServer, client_of: Make) -> None:
    """A part of a display name, in either case, finds each session that has it, and the runs of these sessions."""
    sessions = [row for row in shared_server.state.sessions() if "nightly" in (row.display_name or "").lower()]
    expected = {("sessions", row.session_id) for row in sessions}
    expected |= {("training_runs", run.training_run_id) for row in sessions for run in row.runs}
    frame = client_of(shared_server).find("NIGHTLY")
    assert len(sessions) > 0
    assert list_found(frame[frame["table"] != "checkpoints"]) == expected
    assert frame["display_name"].str.lower().str.contains("nightly").all()
    assert list(frame.columns) == catalog.FOUND.names


@pytest.mark.parametrize("kind", ["id", "beginning", "link"])
def test_an_id_finds_its_row(shared_server: DemoServer, client_of: Make, kind: str) -> None:
    """A whole id, its first eight characters and its link in the console find the session."""
    session = next(row for row in shared_server.state.sessions() if row.runs)
    text = {
        "id": session.session_id,
        "beginning": session.session_id[:8],
        "link": f"{CONSOLE}/sessions/{session.session_id}",
    }
    frame = client_of(shared_server).find(text[kind])
    expected = {("sessions", session.session_id), *(("training_runs", run.training_run_id) for run in session.runs)}
    assert list_found(frame) == expected


@pytest.mark.parametrize("is_link", [False, True])
def test_a_path_or_its_link_finds_one_checkpoint(shared_server: DemoServer, client_of: Make, is_link: bool) -> None:
    """A tinker path, and its link in the console, find that checkpoint, with its run, session and base model."""
    client = client_of(shared_server)
    row = client.checkpoints().sort_values("size_bytes").iloc[-1]
    link = f"{CONSOLE}/checkpoints/{quote(row['training_run_id'], safe='')}/{quote(row['checkpoint_id'], safe='')}"
    frame = client.find(link if is_link else row["tinker_path"])
    assert list_found(frame) == {("checkpoints", row["tinker_path"])}
    assert frame.loc[0, "training_run_id"] == row["training_run_id"]
    assert frame["base_model"].notna().all()


@pytest.mark.parametrize(
    "text", ["nothing has this name", "ab", ".*", "\x00", "tinker://", "https://elsewhere/x/y", "http://[::1", "\ud800"]
)
def test_other_text_finds_nothing(shared_server: DemoServer, client_of: Make, text: str) -> None:
    """Text that names nothing, also a pattern or a beginning of an id that is too short, gives an empty frame with every column."""
    frame = client_of(shared_server).find(text)
    found = frame[frame["table"] != "checkpoints"]
    assert found.empty or found["display_name"].str.contains(text, regex=False).all()
    assert list(frame.columns) == catalog.FOUND.names


def test_an_empty_text_is_refused(shared_server: DemoServer, client_of: Make) -> None:
    """Nothing to find is an error that says what to pass."""
    with pytest.raises(InvalidRequestError, match="nothing to find"):
        client_of(shared_server).find(" ")


@pytest.mark.parametrize("dialect", list(tkf.demo.DIALECTS))
def test_find_works_on_every_server(client_of: Make, dialect: str) -> None:
    """A training run is found by its id on servers with and without sessions."""
    with DemoServer(runs=4, dialect=dialect) as server:
        run = server.state.runs()[0].training_run_id
        assert ("training_runs", run) in list_found(client_of(server).find(run))


def test_a_short_run_id_is_completed(shared_server: DemoServer, client_of: Make) -> None:
    """Checkpoints of a run are listed by the first characters of its id; an ambiguous beginning names the candidates."""
    client = client_of(shared_server)
    runs = client.training_runs()["training_run_id"]
    alone = next(run for run in runs if runs.str.startswith(run[:8]).sum() == 1)
    assert client.checkpoints(alone[:8])["tinker_path"].tolist() == client.checkpoints(alone)["tinker_path"].tolist()
    several = next((run[:8] for run in runs if runs.str.startswith(run[:8]).sum() > 1), None)
    assert several is not None
    with pytest.raises(InvalidRequestError, match="ids begin with"):
        client.checkpoints(several)


def test_an_id_with_a_part_left_out(shared_server: DemoServer, client_of: Make) -> None:
    """What a table shows of an id, with `…` in it, is completed where one id fits, and found as one row; too little of it is refused."""
    client = client_of(shared_server)
    row = client.checkpoints().iloc[0]
    run = row["training_run_id"]
    assert (
        client.checkpoints(f"{run[:8]}…{run[-8:]}")["tinker_path"].tolist()
        == client.checkpoints(run)["tinker_path"].tolist()
    )
    assert list_found(client.find(f"{run[:8]}…/{row['checkpoint_id']}")) == {("checkpoints", row["tinker_path"])}
    with pytest.raises(InvalidRequestError, match="could be any id"):
        client.checkpoints("…0")


def test_a_short_id_is_not_completed_from_an_incomplete_list(server: DemoServer, client: tkf.Client) -> None:
    """Where the list of runs may lack some, another id may begin in the same way: the whole one is asked for."""
    run = server.state.runs()[0].training_run_id
    server.faults.edit = lambda _, body: (
        body | {"cursor": body["cursor"] | {"total_count": 10_000}} if "training_runs" in body else body
    )
    with pytest.raises(IncompleteListingError, match="begin as this one"):
        client.checkpoints(run[:8])
    assert len(client.checkpoints(run)) > 0


def test_a_whole_id_costs_no_list_of_runs(server: DemoServer, client: tkf.Client) -> None:
    """Only an id that may be short is looked up."""
    client.checkpoints(server.state.runs()[0].training_run_id)
    assert server.requests.count("list_training_runs") == 0
