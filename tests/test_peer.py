"""The official SDK and our frames agree on the same account, before and after writes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from numbers import Integral
from typing import Any

import pandas as pd
import pytest

import tinker_frames as tkf
from tinker_frames.demo import DemoServer
from tinker_frames.schema.catalog import CHECKPOINTS, SAMPLERS, SESSIONS, SESSIONS_WITH_DETAILS, TRAINING_RUNS
from tinker_frames.schema.columns import Column, Table

from .demo.test_sdk import Sdk

pytestmark = [pytest.mark.peer, pytest.mark.xdist_group("sdk")]  # one process starts the SDK

RUNS = 120
OURS = ("publish_checkpoint", "unpublish_checkpoint", "set_checkpoint_ttl_from_tinker_path", "delete_checkpoint")
THEIRS = tuple(f"{name.removesuffix('_from_tinker_path')}_from_tinker_path" for name in OURS)


@pytest.fixture(scope="module", params=[False, True], ids=["key", "jwt"])
def server(request: pytest.FixtureRequest) -> Iterator[DemoServer]:
    """An account with more runs than a page of the SDK, with API keys and with the token exchange."""
    with DemoServer(
        runs=RUNS, seed=3, checkpoints=900, pjwt_auth_enabled=request.param, require_jwt=request.param
    ) as server:
        yield server


@pytest.fixture(scope="module")
def sdk(server: DemoServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sdk]:
    """The SDK in a separate process."""
    sdk = Sdk(server, tmp_path_factory.mktemp("home"))
    yield sdk
    sdk.close()


@pytest.fixture(scope="module")
def client(server: DemoServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tkf.Client]:
    """Our client of the same account."""
    with tkf.Client(server.key, server.url, cache_dir=tmp_path_factory.mktemp("cache")) as client:
        yield client


def pages(sdk: Sdk, method: str, items: str, size: int) -> list[Any]:
    """Return all rows of a list as the SDK pages it."""
    rows: list[Any] = []
    while page := sdk(method, limit=size, offset=len(rows))[items]:
        rows += page
    return rows


def search_sessions(sdk: Sdk) -> list[dict[str, Any]]:
    """Return all sessions as the SDK searches them."""
    rows: list[dict[str, Any]] = []
    cursor = None
    while True:
        page = sdk("search_sessions", limit=20, cursor=cursor)
        rows += page["sessions"]
        cursor = page["next_cursor"]
        if cursor is None:
            return rows


def at(row: dict[str, Any], path: tuple[str, ...]) -> Any:
    """Return the value at a path in the SDK's row, or None."""
    value: Any = row
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def to_plain(cell: Any, column: Column) -> Any:
    """Return a cell as plain data."""
    if column.kind == "texts":
        return list(cell)
    if cell is None or pd.isna(cell):
        return None
    if column.kind == "int":
        assert isinstance(cell, Integral)
    return json.loads(cell) if column.kind == "json" else cell


def get_sdk_value(row: dict[str, Any], column: Column) -> Any:
    """Return the SDK's value of a column as plain data."""
    value = at(row, column.path)
    if value is None:
        return column.default
    return pd.Timestamp(value) if column.kind == "time" else value


def assert_equal_rows(frame: pd.DataFrame, rows: list[dict[str, Any]], table: Table) -> None:
    """Compare a frame with the SDK's rows: the same rows, a column for each field, and equal values."""
    ours = frame.set_index(table.key, drop=False)
    assert sorted(ours.index) == sorted(row[table.key] for row in rows)
    known = {column.path[0] for column in table.sent}
    for row in rows:
        assert set(row) <= known
    for column in table.sent:
        cells = ours[column.name]
        said = {row[table.key]: get_sdk_value(row, column) for row in rows}
        assert {key: to_plain(cell, column) for key, cell in cells.items()} == said, column.name


def test_sessions(sdk: Sdk, client: tkf.Client) -> None:
    """Sessions equal the SDK's list, its search, and its responses for each one."""
    frame = client.sessions(details=True, refresh=True)
    assert sorted(frame["session_id"]) == sorted(pages(sdk, "list_sessions", "sessions", 20))
    found = search_sessions(sdk)
    assert len(found) > 20
    assert_equal_rows(client.sessions(), found, SESSIONS)
    single = [sdk("get_session", session_id=row["session_id"]) | row for row in found]
    sent = tuple(column for column in SESSIONS_WITH_DETAILS.columns if column.name != "last_checkpoint_at")
    assert_equal_rows(frame, single, replace(SESSIONS_WITH_DETAILS, columns=sent))
    newest = client.checkpoints(refresh=True).groupby("session_id")["time"].max()
    assert frame.set_index("session_id")["last_checkpoint_at"].dropna().to_dict() == newest.to_dict()


def test_training_runs(sdk: Sdk, client: tkf.Client) -> None:
    """Training runs equal the SDK's pages, including nested checkpoints."""
    rows = pages(sdk, "list_training_runs", "training_runs", 100)
    assert len(rows) == RUNS
    frame = client.training_runs(refresh=True)
    assert_equal_rows(frame, rows, TRAINING_RUNS)
    assert frame["last_checkpoint_path"].notna().any()
    one = rows[-1]["training_run_id"]
    assert sdk("get_training_run", training_run_id=one) == rows[-1]


def test_user_checkpoints(sdk: Sdk, client: tkf.Client) -> None:
    """The user's checkpoints equal the SDK's pages and the lists of their runs."""
    rows = pages(sdk, "list_user_checkpoints", "checkpoints", 100)
    assert len(rows) > 800
    frame = client.checkpoints(refresh=True)
    assert_equal_rows(frame, rows, CHECKPOINTS)
    assert frame["tinker_path"].tolist() == [row["tinker_path"] for row in rows]
    assert_equal_rows(client.checkpoints(by="run", refresh=True), rows, CHECKPOINTS)


def test_one_runs_checkpoints(sdk: Sdk, client: tkf.Client) -> None:
    """One run's checkpoints equal the SDK's list of them."""
    counts = client.checkpoints().groupby("training_run_id").size()
    for run in [counts.idxmax(), counts.idxmin()]:
        assert_equal_rows(
            client.checkpoints(run), sdk("list_checkpoints", training_run_id=run)["checkpoints"], CHECKPOINTS
        )


def test_samplers(sdk: Sdk, client: tkf.Client) -> None:
    """Samplers equal the SDK's response for each id in its sessions."""
    rows = []
    for session in pages(sdk, "list_sessions", "sessions", 100):
        ids = sdk("get_session", session_id=session)["sampler_ids"]
        rows += [sdk("get_sampler", sampler_id=one) | {"session_id": session} for one in ids]
    frame = client.samplers(refresh=True)
    assert_equal_rows(frame, rows, SAMPLERS)
    assert frame["model_path"].isna().any()


def test_weights_info(sdk: Sdk, client: tkf.Client) -> None:
    """Weights info of each type of checkpoint is the same for both."""
    for path in client.checkpoints().groupby("checkpoint_type", observed=True)["tinker_path"].first():
        ours, said = (
            client.rest.get_weights_info_by_tinker_path(path),
            sdk("get_weights_info_by_tinker_path", tinker_path=path),
        )
        assert said
        assert {name: ours.get(name) for name in said} == said


class TwoClients:
    """A checkpoint that one client writes and the other reads."""

    def __init__(self, sdk: Sdk, client: tkf.Client, path: str) -> None:
        self.sdk, self.client, self.path = sdk, client, path
        self.run = path.removeprefix("tinker://").split("/")[0]

    def write(self, who: str, what: int, **arguments: Any) -> None:
        """Perform the n-th write with one of the two clients."""
        if who == "sdk":
            self.sdk(THEIRS[what], tinker_path=self.path, **arguments)
        else:
            getattr(self.client.rest, OURS[what])(self.path, **arguments)

    def read(self, who: str) -> dict[str, Any] | None:
        """Return public flag and expiry as seen by the other client; None if the checkpoint is deleted."""
        if who == "sdk":
            frame = self.client.checkpoints(refresh=True).set_index("tinker_path")
            if self.path not in frame.index:
                return None
            row = frame.loc[self.path]
            return {
                "public": bool(row["public"]),
                "expires_at": None if pd.isna(row["expires_at"]) else row["expires_at"],
            }
        rows = self.sdk("list_checkpoints", training_run_id=self.run)["checkpoints"]
        for row in rows:
            if row["tinker_path"] == self.path:
                return {"public": row["public"], "expires_at": row["expires_at"] and pd.Timestamp(row["expires_at"])}
        return None


@pytest.mark.parametrize("who", ["sdk", "us"])
def test_what_one_writes_the_other_sees(who: str, sdk: Sdk, client: tkf.Client) -> None:
    """Publish, unpublish, TTL, no TTL and delete by one client are visible to the other, both ways."""
    frame = client.checkpoints(refresh=True).query("not public and expires_at.isna() and checkpoint_type != 'external'")
    odd = frame[frame["name"].str.contains(r"[^\x00-\x7f]| ", regex=True)]
    assert len(odd)
    for path in (frame["tinker_path"].iloc[-1], odd["tinker_path"].iloc[0]):
        both = TwoClients(sdk, client, path)
        both.write(who, 0)
        assert both.read(who) == {"public": True, "expires_at": None}
        both.write(who, 1)
        assert both.read(who) == {"public": False, "expires_at": None}
        before = pd.Timestamp.now("UTC")
        both.write(who, 2, ttl_seconds=86_400)
        expires = both.read(who)["expires_at"]
        assert abs((expires - before).total_seconds() - 86_400) < 60
        both.write(who, 2, ttl_seconds=None)
        assert both.read(who) == {"public": False, "expires_at": None}
        both.write(who, 3)
        assert both.read(who) is None


def test_our_own_next_frame_is_fresh(sdk: Sdk, client: tkf.Client) -> None:
    """After our own write the next frame agrees with the SDK without `refresh`."""
    path = client.checkpoints().query("not public")["tinker_path"].iloc[0]
    client.rest.publish_checkpoint(path)
    frame = client.checkpoints()
    assert not frame.attrs["tinker"]["from_cache"]
    assert_equal_rows(frame, pages(sdk, "list_user_checkpoints", "checkpoints", 1000), CHECKPOINTS)


def test_the_exchange_was_used_where_asked(sdk: Sdk, client: tkf.Client, server: DemoServer) -> None:
    """Both clients send a JWT where the server requires it, and the key otherwise."""
    client.training_runs(refresh=True)
    sdk("list_sessions", limit=1)
    sent = {
        call.headers["x-api-key"][:3]
        for call in server.requests
        if call.endpoint in ("list_training_runs", "list_sessions")
    }
    assert sent == ({"eyJ"} if server.switches.require_jwt else {"tml"})
    agents = {
        call.headers.get("user-agent", "").split("/")[0]
        for call in server.requests
        if call.endpoint in ("list_training_runs", "list_sessions")
    }
    assert len(agents) == 2
