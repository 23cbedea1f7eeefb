"""The same calls on the official service, TuFT and SkyRL: what each supports, and how missing features are reported."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext

import pandas as pd
import pytest

import tinker_frames as tkf
from tinker_frames.demo import DIALECTS, DemoServer
from tinker_frames.errors import IncompleteListingWarning, NotSupportedError
from tinker_frames.schema import catalog
from tinker_frames.schema.columns import pandas_dtype

KEY = "tml-0123456789abcdef"
NAMES = ["sessions", "training_runs", "checkpoints", "samplers", "inventory"]
NO_SESSIONS = {"sessions", "samplers"}
MISSING = {"official": set(), "tuft": set(), "skyrl": NO_SESSIONS, "skyrl-main": NO_SESSIONS, "twinkle": NO_SESSIONS}
SKYRL_LACKS = {"base_model", "user_metadata", "size_bytes", "public", "expires_at"}
BARE_IDS = {"tuft", "skyrl", "skyrl-main"}
CHECKPOINT_LACKS = {
    "official": {"base_model"},
    "tuft": {"base_model", "user_metadata"},
    "skyrl": SKYRL_LACKS,
    "skyrl-main": SKYRL_LACKS,
    "twinkle": {"base_model", "expires_at"},
}


@pytest.fixture(scope="module", params=list(DIALECTS))
def server(request: pytest.FixtureRequest) -> Iterator[DemoServer]:
    """One read-only server of each kind."""
    with DemoServer(runs=15, seed=3, dialect=request.param, key=KEY) as running:
        yield running


@pytest.fixture(scope="module")
def client(server: DemoServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tkf.Client]:
    """A client of the server."""
    with tkf.Client(server.key, server.url, cache_dir=tmp_path_factory.mktemp("cache"), retries=0) as made:
        yield made


@pytest.mark.parametrize("name", NAMES)
def test_a_table_is_there_with_all_columns_or_not_supported(server: DemoServer, client: tkf.Client, name: str) -> None:
    """Each call returns the complete table with its dtypes or raises NotSupportedError."""
    if name in MISSING[server.dialect]:
        with pytest.raises(NotSupportedError) as caught:
            getattr(client, name)()
        assert caught.value.hint
        assert caught.value.status in (404, 405)
        return
    frame, table = getattr(client, name)(), catalog.TABLES[name]
    assert list(frame.columns) == table.names
    assert len(frame) > 0
    assert frame.attrs["tinker"]["complete"]
    for column in table.columns:
        assert frame[column.name].dtype == pandas_dtype(column) or column.kind == "category", column.name


@pytest.mark.parametrize("name", NAMES)
def test_what_is_lacking_is_na_and_listed(server: DemoServer, client: tkf.Client, name: str) -> None:
    """A column under `lacks` has only its default; any other all-NA column was sent as null."""
    if name in MISSING[server.dialect]:
        pytest.skip("no such table here")
    frame, table = getattr(client, name)(), catalog.TABLES[name]
    lacks = frame.attrs["tinker"]["lacks"]
    assert set(lacks) <= {*table.names, "sessions"}
    for column in set(lacks) & set(table.names):
        assert frame[column].isna().all() or (frame[column] == table[column].default).all(), column


def test_checkpoints_say_what_the_server_lacks(server: DemoServer, client: tkf.Client) -> None:
    """`lacks` has exactly the columns of the difference matrix."""
    frame = client.checkpoints()
    assert set(frame.attrs["tinker"]["lacks"]) == CHECKPOINT_LACKS[server.dialect]
    for column in CHECKPOINT_LACKS[server.dialect] - {"public"}:
        assert frame[column].isna().all()


def test_runs_list_every_checkpoint(server: DemoServer, client: tkf.Client) -> None:
    """By run, every server lists training and sampler checkpoints of all own runs; TuFT's user list omits samplers, which is reported."""
    state = server.state
    everything = {row.tinker_path for run in state.runs() for row in state.run_checkpoints(run.training_run_id)}
    by_run = client.checkpoints(by="run")
    assert set(by_run["tinker_path"]) == everything
    assert by_run["tinker_path"].is_unique
    if MISSING[server.dialect]:  # then there is no user list either
        with pytest.raises(NotSupportedError):
            client.checkpoints(by="user")
        assert set(client.checkpoints()["tinker_path"]) == everything
    else:
        assert set(client.checkpoints()["tinker_path"]) == everything
        with (
            pytest.warns(IncompleteListingWarning, match="training runs name")
            if server.dialect == "tuft"
            else nullcontext()
        ):
            types = set(client.checkpoints(by="user")["checkpoint_type"].dropna())
        assert ("sampler" in types) == (server.dialect == "official")


def test_ids_with_and_without_segment_are_told_apart_by_path(server: DemoServer, client: tkf.Client) -> None:
    """Names, runs and types come from the path, whatever the form of the id; paths are unique where ids are not."""
    frame = client.checkpoints(by="run")
    assert frame["name"].notna().all()
    segmented = frame["checkpoint_id"].str.contains("/")
    assert not segmented.any() if server.dialect in BARE_IDS else segmented.all()
    for row in frame.itertuples():
        assert row.tinker_path.endswith(f"/{row.name}")
        assert row.tinker_path.split("/")[2] == row.training_run_id


def test_naive_times_are_utc_and_reported(server: DemoServer, client: tkf.Client) -> None:
    """SkyRL's times without a zone are taken as UTC and reported; those of the other servers are not."""
    ahead = pd.Timedelta(hours=server.switches.utc_offset if server.dialect == "twinkle" else 0)
    frame = client.checkpoints(by="run")
    rows = {row.tinker_path: row for run in server.state.runs() for row in run.checkpoints.values()}
    for path, shown in zip(frame["tinker_path"], frame["time"], strict=True):
        assert shown == pd.Timestamp(rows[path].time) + ahead
    odd = [p for p in frame.attrs["tinker"]["problems"] if p["column"] == "time"]
    assert [p["rows"] for p in odd] == ([len(frame)] if server.dialect in ("skyrl", "skyrl-main", "twinkle") else [])


@pytest.mark.few(2)
def test_what_is_not_there_is_asked_for_once(server: DemoServer, client: tkf.Client) -> None:
    """After one `Not Found` the client does not request that route again."""
    with tkf.Client(server.key, server.url, cache=False) as fresh:
        for _ in range(3):
            fresh.inventory()
        server_calls = [call.endpoint for call in server.requests if call.status in (404, 405)]
    assert client is not fresh
    server.requests.clear()
    assert len(server_calls) <= 12
    with tkf.Client(server.key, server.url, cache=False) as fresh:
        for _ in range(3):
            fresh.inventory()
    refused = [(call.method, call.path) for call in server.requests if call.status in (404, 405)]
    assert len(refused) == len(set(refused))


def test_any_key_will_do_where_keys_are_ignored(server: DemoServer, tmp_path: object) -> None:
    """SkyRL accepts any key; the others refuse a wrong one with the matching error."""
    with tkf.Client("tml-wrong", server.url, cache=False, retries=0) as stranger:
        if server.dialect.startswith("skyrl"):
            assert len(stranger.training_runs()) > 0
        else:
            expected = tkf.errors.PermissionDeniedError if server.dialect == "tuft" else tkf.errors.AuthenticationError
            with pytest.raises(expected):
                stranger.training_runs()


def test_a_key_that_is_sent_back_is_struck_out(server: DemoServer, client: tkf.Client) -> None:
    """Twinkle names the caller's key as the owner of every run: it is in no frame, and that is said."""
    runs = client.training_runs()
    struck = [p["rows"] for p in runs.attrs["tinker"]["problems"] if "credential" in p["problem"]]
    assert struck == ([len(runs)] if server.dialect == "twinkle" else [])
    assert KEY not in runs.to_csv() + client.inventory().to_csv() + str(runs.attrs)


def test_twinkle_may_want_headers_of_its_own(client_of: Callable[..., tkf.Client]) -> None:
    """Where Twinkle wants `Authorization` and a request id, they can be given, and their key is struck out as well."""
    with DemoServer(runs=3, dialect="twinkle", key=KEY, require_authorization=True) as server:
        with pytest.raises(tkf.errors.InvalidRequestError, match="request id"):
            client_of(server, retries=0).training_runs()
        headers = {"Authorization": f"Bearer {KEY}", "X-Ray-Serve-Request-Id": "sticky"}
        runs = client_of(server, api_key="tml-another-key-0001", headers=headers).training_runs()
        assert len(runs) == 3
        assert KEY not in runs.to_csv()
