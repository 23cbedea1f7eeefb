"""The checkpoints that samplers loaded, read past the cache: complete, with no unnecessary requests."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import tinker_frames as tkf
from tinker_frames.demo import Burst, DemoServer

Make = Callable[..., tkf.Client]


def list_loaded(server: DemoServer) -> set[str]:
    """Return the checkpoints loaded by the account's samplers, from the server's records."""
    return {row.model_path for session in server.state.sessions() for row in session.samplers if row.model_path}


@pytest.mark.parametrize("dialect", ["official", "tuft"])
@pytest.mark.parametrize("is_known", [False, True])
def test_every_sampler_is_found(client_of: Make, dialect: str, is_known: bool) -> None:
    """A just started sampler is found, whether or not the others were read before."""
    with DemoServer(runs=12, dialect=dialect) as server:
        client = client_of(server)
        if is_known:
            client.samplers()
        loaded = client.checkpoints(by="run").iloc[0]
        server.state.add_sampler(loaded["tinker_path"])
        paths, report = client._reader.read_model_paths(refresh=True)
        assert report.complete
        assert any(loaded["training_run_id"] in path and loaded["name"] in path for path in paths)  # TuFT's are local
        assert set(paths) >= set(client.samplers(refresh=True)["model_path"].dropna())


def test_only_live_sessions_and_new_samplers_are_asked_for(server: DemoServer, client: tkf.Client) -> None:
    """Sessions that had finished, and known samplers, are not requested again."""
    client.samplers()
    live = [row for row in server.state.sessions() if (row.status or {}).get("type") in (None, "active")]
    server.state.add_sampler(None, live[0])
    server.requests.clear()
    paths, _ = client._reader.read_model_paths(refresh=True)
    assert set(paths) == list_loaded(server)
    assert server.requests.count("get_session") == len(live) < len(server.state.sessions())
    assert server.requests.count("get_sampler") == 1


def test_what_cannot_be_read_is_asked_for_again(server: DemoServer, client: tkf.Client) -> None:
    """A sampler that failed to load makes the result incomplete and is requested again next time."""
    server.faults.bursts = [Burst("get_sampler", 404, times=1)]
    _, report = client._reader.read_model_paths(refresh=True)
    assert not report.complete
    paths, report = client._reader.read_model_paths(refresh=True)
    assert report.complete
    assert set(paths) == list_loaded(server)


@pytest.mark.parametrize(("endpoint", "field"), [("get_sampler", "model_path"), ("get_session", "sampler_ids")])
def test_what_a_sampler_names_unreadably_is_not_known(
    server: DemoServer, client: tkf.Client, endpoint: str, field: str
) -> None:
    """If a sampler's checkpoint cannot be read, no checkpoint is reported as unused, however often it is requested."""
    server.faults.edit = lambda name, body: body | {field: 7} if name == endpoint else body
    rows = client.checkpoints()
    for _ in range(2):
        loaded = client.planner.read_loaded(refresh=True)
        assert not loaded.is_complete
        assert (loaded.flag(rows["tinker_path"]) != False).fillna(True).all()  # noqa: E712  # three-valued
