"""`tinker-frames info`: every field of one checkpoint, training run or session."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import requests

import tinker_frames as tkf
from tinker_frames.demo import DemoServer
from tinker_frames.schema import catalog
from tinker_frames.schema.paths import write_console_link


@pytest.fixture(scope="module")
def newest(shared_server: DemoServer) -> dict[str, Any]:
    """The newest checkpoint, as the server's own JSON has it."""
    answer = requests.get(
        f"{shared_server.url}/api/v1/checkpoints", headers={"X-API-Key": shared_server.key}, timeout=10
    )
    found: dict[str, Any] = answer.json()["checkpoints"][0]
    return found


def list_names(path: str) -> dict[str, list[str]]:
    """Return what people have of a checkpoint, of its run and of its session."""
    run = path.split("/")[2]
    links = [
        write_console_link({key: value})
        for key, value in (("tinker_path", path), ("training_run_id", run), ("session_id", run.split(":")[0]))
    ]
    return {
        "inventory": [path, f"{path[9:17]}…{path[-15:]}", str(links[0])],
        "training_runs": [run, f"{run[:8]}…:train:0", str(links[1])],
        "sessions": [run.split(":")[0], run[:8], str(links[2])],
    }


@pytest.mark.parametrize("table", ["inventory", "training_runs", "sessions"])
def test_every_name_gives_the_same_fields(
    table: str, shared_server: DemoServer, newest: dict[str, Any], command: Callable[..., Any]
) -> None:
    """An id, a short one and a link give one JSON object with every column of the table, and the values that the server sent."""
    found = [
        command(shared_server, "info", name, "--format", "json") for name in list_names(newest["tinker_path"])[table]
    ]
    assert [done.code for done in found] == [0, 0, 0]
    rows = [json.loads(done.out) for done in found]
    names = (catalog.DETAILED | {"inventory": catalog.INVENTORY})[table].names
    for row in rows:
        assert set(names) - {"last_checkpoint_at"} <= set(row)
        assert row["session_id"] == newest["tinker_path"][9:].split(":")[0]
    if table == "inventory":
        assert rows[0]["size_bytes"] == newest["size_bytes"]
        assert rows[0]["tinker_path"] == newest["tinker_path"]


def test_people_get_ages_and_sizes(
    shared_server: DemoServer, newest: dict[str, Any], command: Callable[..., Any]
) -> None:
    """Lines have a field's name, its exact value, and behind it an age or a size with a unit."""
    fields = dict(line.split("\t") for line in command(shared_server, "info", newest["tinker_path"]).out.splitlines())
    assert fields["size_bytes"].startswith(f"{newest['size_bytes']:,} (")
    assert fields["time"].endswith(" ago)")
    assert fields["console_url"] == write_console_link(newest)


@pytest.mark.parametrize(("text", "said"), [("nightly", "tinker-frames find"), ("no such thing", "nothing is named")])
def test_a_name_of_none_or_several(
    text: str, said: str, shared_server: DemoServer, command: Callable[..., Any]
) -> None:
    """What names nothing, or several sessions, is an error that says so and what to do."""
    done = command(shared_server, "info", text)
    assert (done.code, done.out) == (1, "")
    assert said in done.err


@pytest.mark.parametrize("dialect", ["skyrl", "tuft"])
def test_a_run_of_another_server(dialect: str, command: Callable[..., Any]) -> None:
    """On a server without sessions or their details, a run is shown with what is known."""
    with DemoServer(runs=3, dialect=dialect) as server:
        run = server.state.runs()[0].training_run_id
        assert json.loads(command(server, "info", run, "--format", "json").out)["training_run_id"] == run


def test_an_incomplete_listing(server: DemoServer, client: tkf.Client, command: Callable[..., Any]) -> None:
    """Where another row might be meant, the row is shown, and the command ends with 3."""
    server.faults.edit = lambda _, body: (
        body | {"cursor": body["cursor"] | {"total_count": 10_000}} if "training_runs" in body else body
    )
    session = server.state.sessions()[0].session_id
    done = command(server, "info", session[:8])
    assert (done.code, session in done.out, "10000" in done.err.replace(",", "")) == (3, True, True)
