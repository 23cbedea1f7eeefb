"""Clients and their frames: reports, warnings at the caller's line, and the default client."""

from __future__ import annotations

import ast
import gc
import inspect
import json
import pickle
import threading
import time
import warnings
import weakref
from collections.abc import Callable
from datetime import UTC, datetime
from math import ceil
from typing import Any

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

import tinker_frames as tkf
from tinker_frames import client as tkf_client
from tinker_frames import functions
from tinker_frames.demo import Burst, Churn, DemoServer
from tinker_frames.errors import (
    AuthenticationError,
    IncompleteListingError,
    IncompleteListingWarning,
    InvalidRequestError,
    TinkerError,
)
from tinker_frames.plans.methods import PlanMethods
from tinker_frames.schema import catalog
from tinker_frames.schema.columns import pandas_dtype

Make = Callable[..., tkf.Client]
PANDAS_2 = pd.__version__.startswith("2.")
NAMES = list(catalog.TABLES)
ABOUT = {
    "table", "complete", "total", "rows", "pages", "requests", "fetched_at", "age_s", "from_cache", "base_url",
    "account", "problems", "lacks",
}  # fmt: skip


def drop_ages(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the columns that do not change with the clock."""
    return frame[[name for name in frame if not name.endswith("_days")]]


@pytest.mark.parametrize("name", NAMES)
def test_every_frame_has_the_columns_and_dtypes_of_its_table(
    shared_server: DemoServer, client_of: Make, name: str
) -> None:
    """Columns, order, dtypes and key are those of the catalog, also for `limit=0`."""
    client, table = client_of(shared_server), catalog.TABLES[name]
    for frame in (getattr(client, name)(), getattr(client, name)(limit=0)):
        assert list(frame.columns) == table.names
        for column in table.columns:
            assert frame[column.name].dtype == pandas_dtype(column) or column.kind == "category", column.name
        assert frame[table.key].is_unique
        assert frame[table.key].notna().all()
    assert len(getattr(client, name)()) > 5


@pytest.mark.parametrize("name", NAMES)
def test_attrs_say_how_a_frame_came_to_be(shared_server: DemoServer, client_of: Make, name: str) -> None:
    """`attrs["tinker"]` has exactly the documented fields as plain JSON values, and they are correct."""
    shared_server.requests.clear()
    before = datetime.now(UTC)
    frame = getattr(client_of(shared_server), name)()
    about = frame.attrs["tinker"]
    assert set(about) == ABOUT
    assert json.loads(json.dumps(about)) == about
    assert (about["table"], about["rows"], about["complete"], about["from_cache"]) == (name, len(frame), True, False)
    beside = ("get_client_config", "get_current_checkpoint_storage_usage")  # of the client, not of a listing
    assert about["requests"] == len(shared_server.requests) - sum(map(shared_server.requests.count, beside))
    assert before.timestamp() - 0.01 <= datetime.fromisoformat(about["fetched_at"]).timestamp() <= time.time()
    assert about["fetched_at"].endswith("Z")
    assert about["base_url"] == shared_server.url
    assert shared_server.key not in about["account"]
    assert about["problems"] == []


@pytest.mark.parametrize("name", NAMES)
def test_the_second_time_comes_from_the_cache_with_its_age(
    shared_server: DemoServer, client_of: Make, name: str
) -> None:
    """A cached frame is equal, sends nothing, and is marked; its age grows; `refresh` reads it again."""
    client = client_of(shared_server)
    first = getattr(client, name)()
    shared_server.requests.clear()
    second = getattr(client, name)()
    time.sleep(0.02)
    third = getattr(client, name)()
    assert len(shared_server.requests) == 0
    assert_frame_equal(drop_ages(second), drop_ages(first))
    about = second.attrs["tinker"]
    assert (about["from_cache"], about["requests"]) == (True, 0)
    assert about["fetched_at"] == first.attrs["tinker"]["fetched_at"]
    assert third.attrs["tinker"]["age_s"] > about["age_s"] > 0
    fresh = getattr(client, name)(refresh=True)
    assert not fresh.attrs["tinker"]["from_cache"]
    assert fresh.attrs["tinker"]["requests"] == len(shared_server.requests) > 0


def test_a_user_without_a_home_directory_reads_but_writes_nothing(
    server: DemoServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no home directory is known, as in a container, listings are read without a cache, a plan is refused, and a `~` is named."""

    def fail(*_: object) -> None:
        raise KeyError("no such user")

    for name in ("HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(name)
    monkeypatch.setattr("pwd.getpwuid", fail)
    with tkf.Client(server.key, server.url) as client:
        with pytest.warns(UserWarning, match="going on without it"):
            frame = client.checkpoints()
        with pytest.raises(tkf.errors.TinkerError, match="XDG_STATE_HOME"):
            frame.query("not public").head(1).tinker.publish(client=client).run(confirm=True)
        with pytest.raises(tkf.errors.InvalidRequestError, match=r"path: the home directory of '~/a.csv' is not known"):
            tkf.export(frame, "~/a.csv")
    assert tkf.Client(None, server.url, cache=False)
    with pytest.raises(tkf.errors.InvalidRequestError, match="cache_dir: the home directory"):
        tkf.Client(server.key, server.url, cache_dir="~/a")


def test_a_partly_cached_frame_counts_only_what_it_sent(shared_server: DemoServer, client_of: Make) -> None:
    """A frame joined from cached and fresh listings is not marked as cached, and counts this call's requests."""
    client = client_of(shared_server)
    client.sessions()
    shared_server.requests.clear()
    about = client.sessions(details=True).attrs["tinker"]
    assert not about["from_cache"]
    assert about["requests"] == len(shared_server.requests)


def test_frames_agree_with_the_raw_pages(shared_server: DemoServer, client_of: Make) -> None:
    """Every value equals that of the server's pages."""
    client = client_of(shared_server)
    pages: dict[str, Any] = {
        "checkpoints": client.rest.list_user_checkpoints(limit=1000)["checkpoints"],
        "training_runs": client.rest.list_training_runs(limit=500)["training_runs"],
        "sessions": client.rest.search_sessions(limit=200)["sessions"],
    }
    for name, rows in pages.items():
        frame, table = getattr(client, name)(), catalog.TABLES[name]
        assert len(frame) == len(rows)
        for (_, shown), row in zip(frame.iterrows(), rows, strict=True):
            for column in table.sent:
                value: Any = row
                for part in column.path:
                    value = value.get(part, column.default) if value is not None else None
                if value is None:
                    assert pd.isna(shown[column.name])
                elif column.kind == "json":
                    assert json.loads(shown[column.name]) == value
                else:
                    assert shown[column.name] == (pd.Timestamp(value) if column.kind == "time" else value)


def test_ages_and_expiries_are_as_of_now(server: DemoServer, client: tkf.Client) -> None:
    """Ages and expiries are relative to now, also in a cached frame."""
    row = server.state.checkpoints_page(1, 0)[0][0]
    server.state.set_ttl(row, 86_400)
    frame = client.checkpoints().set_index("tinker_path")
    assert 0.99 < frame.loc[row.tinker_path, "expires_in_days"] <= 1
    age = (datetime.now(UTC) - row.time).total_seconds() / 86_400
    assert abs(frame.loc[row.tinker_path, "age_days"] - age) < 0.001
    assert frame["expires_in_days"].isna().equals(frame["expires_at"].isna())
    again = client.checkpoints().set_index("tinker_path")
    assert again.attrs["tinker"]["from_cache"]
    assert (again["age_days"] > frame["age_days"]).all()


def test_the_warning_points_at_the_callers_line(server: DemoServer, client: tkf.Client) -> None:
    """An incomplete listing warns once, at the caller's line, from a method and from a module function."""
    server.faults.churn.append(Churn("list_user_checkpoints", added_per_page=1, removed_per_page=1))
    server.faults.page_caps["list_user_checkpoints"] = 20
    from tinker_frames.functions import set_default

    set_default(client)
    calls: list[Callable[[], pd.DataFrame]] = [client.checkpoints, client.inventory, tkf.checkpoints]
    for call in calls:
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            line = inspect.currentframe().f_lineno + 1  # type: ignore[union-attr]
            frame = call()
        assert [(w.category, w.filename, w.lineno) for w in said] == [(IncompleteListingWarning, __file__, line)]
        assert not frame.attrs["tinker"]["complete"]
    for strict in (client.checkpoints, client.inventory):
        with pytest.raises(IncompleteListingError):
            strict(require_complete=True)


@pytest.mark.parametrize("name", NAMES)
def test_module_functions_use_the_default_client(shared_server: DemoServer, tmp_path: Any, name: str) -> None:
    """`tkf.<table>()` is the default client's method, with the same rows, parameters and docs."""
    client = tkf.connect(shared_server.key, shared_server.url, cache_dir=tmp_path)
    try:
        assert tkf.default_client() is client
        function, method = getattr(tkf, name), getattr(tkf.Client, name)
        assert_frame_equal(drop_ages(function()), drop_ages(getattr(client, name)()))
        mine = list(inspect.signature(function).parameters.values())
        assert mine == list(inspect.signature(method).parameters.values())[1:]
        assert function.__doc__ == method.__doc__
        assert function.__name__ == name
    finally:
        client.close()


def test_functions_on_plans_are_methods_of_a_client() -> None:
    """`tkf.undo` and its like are the client's methods with a `client=` more, and their static types say the same."""
    typed = next(
        node for node in ast.parse(inspect.getsource(functions)).body if isinstance(node, ast.If) and node.orelse
    )
    found = {node.name: node for node in ast.walk(typed) if isinstance(node, ast.FunctionDef)}
    assert set(found) == {name for name in vars(PlanMethods) if not name.startswith("_")} - {"planner"}
    for name, node in found.items():
        method, function = getattr(tkf.Client, name), getattr(tkf, name)
        *own, client = inspect.signature(function).parameters.values()
        assert own == list(inspect.signature(method).parameters.values())[1:]
        assert (client.name, client.default) == ("client", None)
        assert str(inspect.signature(function)).replace(
            "'", ""
        ) == f"({ast.unparse(node.args)}) -> {ast.unparse(node.returns)}".replace("=", " = ")


def test_a_plan_finds_the_client_of_its_account(client_of: Make) -> None:
    """`tkf.undo` finds the open client of a plan's or an id's account, and names the account if there is none."""
    with DemoServer(runs=4, keys={"tml-one": 1, "tml-two": 2}) as server:
        one, two = (client_of(server, api_key=key) for key in ("tml-one", "tml-two"))
        for find in (lambda plan: plan, lambda plan: plan.id):
            plan = one.checkpoints().query("not public").head(1).tinker.publish()
            assert plan.run(confirm=1)["outcome"].tolist() == ["done"]
            assert tkf.undo(find(plan))["outcome"].tolist() == ["done"]
        with pytest.raises(InvalidRequestError, match=f"the account {one.account}"):
            two.undo(plan)
        one.close()
        for given in (plan, plan.id):
            with pytest.raises(
                InvalidRequestError, match=f"of the account {one.account} of {server.url}, which has no client"
            ) as caught:
                tkf.undo(given)
            assert "pass client=" in str(caught.value)
        tkf.connect("tml-two", server.url)
        with pytest.raises(InvalidRequestError, match=f"and the client is of {two.account}"):
            tkf.undo(plan.id)
        with pytest.raises(InvalidRequestError, match="no plan 'zzz'"):
            tkf.undo("zzz")
        tkf.default_client().close()


def test_wrong_arguments_of_functions_need_no_credential(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """A keyword that a function does not take is named, also where no credential is set."""
    monkeypatch.delenv("TINKER_API_KEY", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(TypeError, match=r"costs\(\): .*'begin'"):
        tkf.costs(begin="30d")  # type: ignore[call-arg]


def test_the_default_client_is_made_from_the_environment(
    shared_server: DemoServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without `connect`, the first call makes a client from the environment and keeps it."""
    monkeypatch.setenv("TINKER_API_KEY", shared_server.key)
    monkeypatch.setenv("TINKER_BASE_URL", shared_server.url)
    try:
        assert len(tkf.training_runs(limit=3)) == 3
        assert tkf.default_client() is tkf.default_client()
        assert tkf.default_client().base_url == shared_server.url
    finally:
        tkf.default_client().close()


def test_connect_takes_what_a_client_takes() -> None:
    """`connect` and `Client` have the same parameters with the same defaults."""
    assert inspect.signature(tkf.connect).parameters == inspect.signature(tkf.Client).parameters


def test_dir_is_the_public_names() -> None:
    """`dir(tkf)` lists exactly the importable public names; others raise AttributeError."""
    assert dir(tkf) == tkf.__all__
    for name in tkf.__all__:
        assert getattr(tkf, name) is not None
    with pytest.raises(AttributeError, match="no_such_name"):
        tkf.no_such_name  # noqa: B018


def test_other_peoples_rows_are_shown_when_asked_for(shared_server: DemoServer, client_of: Make) -> None:
    """`access_scope="accessible"` adds colleagues' rows in every table that supports it; another scope is refused."""
    client, state = client_of(shared_server), shared_server.state
    for name, key, rows in (
        ("sessions", "session_id", state.sessions),
        ("training_runs", "training_run_id", state.runs),
    ):
        owned, everyone = getattr(client, name)(), getattr(client, name)(access_scope="accessible")
        assert set(owned[key]) == {getattr(row, key) for row in rows("owned")}
        assert set(everyone[key]) == {getattr(row, key) for row in rows("accessible")}
        assert len(everyone) > len(owned)
    assert client.sessions(access_scope="accessible")["owner"].nunique() > 1
    samplers = client.samplers(access_scope="accessible")
    assert set(samplers["sampler_id"]) == {s.sampler_id for row in state.sessions("accessible") for s in row.samplers}
    with pytest.raises(InvalidRequestError, match="access_scope"):
        client.sessions(access_scope="all")  # type: ignore[arg-type]


def test_one_project_can_be_asked_for(shared_server: DemoServer, client_of: Make) -> None:
    """`project_id` selects that project's sessions, runs and samplers, cached separately from the complete list."""
    client, state = client_of(shared_server), shared_server.state
    client.sessions()
    project = state.sessions()[0].project_id
    expected = {row.session_id for row in state.sessions() if row.project_id == project}
    assert set(client.sessions(project_id=project)["session_id"]) == expected
    assert set(client.training_runs(project_id=project)["session_id"]) <= expected
    assert set(client.samplers(project_id=project)["session_id"]) <= expected
    with pytest.raises(tkf.errors.TinkerError):
        client.sessions(project_id="nobody's")


def test_details_add_what_only_the_session_knows(shared_server: DemoServer, client_of: Make) -> None:
    """`details=True` adds the ids of runs and samplers with one request per session."""
    client = client_of(shared_server)
    plain, detailed = client.sessions(), client.sessions(details=True)
    assert list(detailed.columns) == catalog.SESSIONS_WITH_DETAILS.names
    assert_frame_equal(drop_ages(detailed)[drop_ages(plain).columns], drop_ages(plain))
    sessions = {row.session_id: row for row in shared_server.state.sessions()}
    for row in detailed.itertuples():
        assert row.training_run_ids == tuple(run.training_run_id for run in sessions[row.session_id].runs)
        assert row.sampler_ids == tuple(sampler.sampler_id for sampler in sessions[row.session_id].samplers)


def test_sessions_have_the_same_columns_without_a_search(server: DemoServer, client_of: Make) -> None:
    """A server without the search gives the same columns and dtypes; unknown values are NA, and it is asked once."""
    searched = client_of(server, cache=False).sessions()
    server.faults.missing = {"search_sessions"}
    client = client_of(server, cache=False)
    listed = client.sessions()
    assert (listed.dtypes.astype(str) == searched.dtypes.astype(str)).all()
    keep = ["session_id", "display_name", "user_metadata"]
    order = {"by": "session_id", "ignore_index": True}
    assert_frame_equal(listed[keep].sort_values(**order), searched[keep].sort_values(**order))
    assert listed[["status", "owner", "project_id", "created_at", "size_gb"]].isna().all(axis=None)
    assert {"owner", "project_id", "created_at"} <= set(listed.attrs["tinker"]["lacks"])
    assert listed.attrs["tinker"]["complete"]
    client.sessions(details=True)
    assert server.requests.count("search_sessions") == 2
    with pytest.raises(tkf.errors.NotSupportedError, match="project"):
        client.sessions(project_id="p")


def test_a_session_that_vanishes_meanwhile_costs_its_details_only(server: DemoServer, client_of: Make) -> None:
    """A session deleted before its details are read stays in the frame with NA, and is reported."""
    server.faults.bursts.append(Burst("get_session", 404, times=1, detail="Session not found."))
    with pytest.warns(IncompleteListingWarning, match=r"could not be read \(NotFoundError\)"):
        frame = client_of(server).sessions(details=True)
    assert len(frame) == len(server.state.sessions())
    assert frame["training_run_ids"].isna().sum() == 1


def test_a_bar_is_drawn_only_if_wanted(server: DemoServer, client_of: Make, capsys: pytest.CaptureFixture[str]) -> None:
    """`progress=True` draws a bar on standard error; `False`, and `None` without a terminal, draw nothing."""
    server.faults.page_caps["list_user_checkpoints"] = ceil(server.state.checkpoints_page(1, 0)[1] / 5)
    server.faults.latency_of["list_user_checkpoints"] = 0.01
    client = client_of(server, cache=False, max_workers=1)
    for wanted in (False, None):
        client.checkpoints(progress=wanted)
        assert capsys.readouterr().err == ""
    server.faults.latency_of["list_user_checkpoints"] = 0.3
    client.checkpoints(progress=True)
    assert "checkpoints" in capsys.readouterr().err


def test_two_clients_in_threads_keep_to_themselves(client_of: Make) -> None:
    """Clients of two accounts in parallel threads each see their own rows, cached or not."""
    with DemoServer(keys={"tml-one": 1, "tml-two": 2}, runs=15) as server:
        clients = {key: client_of(server, api_key=key) for key in server.states}
        wrong: list[str] = []

        def work(key: str) -> None:
            expected = {row.tinker_path for row in server.states[key].checkpoints_page(10**9, 0)[0]}
            for number in range(6):
                found = set(clients[key].checkpoints(refresh=number % 2 == 0)["tinker_path"])
                wrong.extend(found ^ expected)

        threads = [threading.Thread(target=work, args=(key,)) for key in clients for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert wrong == []
        assert len({client.account for client in clients.values()}) == 2


@pytest.mark.skipif(PANDAS_2, reason="pandas 2 itself changes the filters, e.g. when it takes rows of a frame")
def test_inventories_in_threads_leave_the_warnings_as_they_were(server: DemoServer, client_of: Make) -> None:
    """No call changes the process's warning filters, so no warning of another thread is lost."""
    client = client_of(server, cache=False)
    before = list(warnings.filters)
    threads = [threading.Thread(target=client.inventory) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert list(warnings.filters) == before


def test_a_client_is_not_pickled_and_its_cache_can_be_looked_at(shared_server: DemoServer, client_of: Make) -> None:
    """A client cannot be pickled, since it holds a key; `cache.info()` and `clear()` work even if the cache is off."""
    client = client_of(shared_server)
    with pytest.raises(TypeError, match="pickled"):
        pickle.dumps(client)
    assert shared_server.key not in repr(client) + repr(client.cache) + repr(client.rest)
    client.checkpoints()
    assert client.cache.info()["entries"] == 1
    assert client.cache.info()["size_bytes"] > 0
    client.cache.clear()
    assert client.cache.info()["entries"] == 0
    assert not client.checkpoints().attrs["tinker"]["from_cache"]
    off = client_of(shared_server, cache=False)
    off.cache.clear()
    assert off.cache.info() == {"enabled": False, "path": None, "entries": 0, "size_bytes": 0, "ttl_s": 0.0}
    assert repr(off.cache) == "<Cache off>"


def test_closing_calls_what_was_asked_for_once(shared_server: DemoServer, tmp_path: Any) -> None:
    """`on_close` callbacks run once, at the first close."""
    called: list[int] = []
    with tkf.Client(shared_server.key, shared_server.url, cache_dir=tmp_path) as client:
        client.on_close(lambda: called.append(1))
    client.close()
    assert called == [1]


def test_a_closed_client_says_so_at_once(shared_server: DemoServer, tmp_path: Any) -> None:
    """After `close` every call raises without sending anything, even for cached results."""
    client = tkf.Client(shared_server.key, shared_server.url, cache_dir=tmp_path)
    frame = client.checkpoints()
    client.close()
    sent = len(shared_server.requests)
    path = frame["tinker_path"].iloc[0]
    for call in (client.checkpoints, client.rest.list_training_runs, lambda: client.rest.delete_checkpoint(path)):
        with pytest.raises(TinkerError, match="this client is closed"):
            call()
    assert len(shared_server.requests) == sent


def test_a_frame_whose_client_is_gone_says_so(
    server: DemoServer, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Frames do not keep clients alive: a plan then uses a default client of the account, or says what is missing."""
    frame = tkf.Client(server.key, server.url, cache_dir=tmp_path).checkpoints()
    gc.collect()
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(
        InvalidRequestError, match=r"no client in this process.*closed or garbage-collected.*no credential.*client="
    ) as caught:
        frame.tinker.publish()
    assert frame.attrs["tinker"]["account"] in str(caught.value)
    with tkf.Client(server.key, server.url, cache_dir=tmp_path) as another:
        assert len(frame.tinker.publish(client=another)) == len(frame)
    del another
    gc.collect()
    monkeypatch.setenv("TINKER_API_KEY", server.key)
    monkeypatch.setenv("TINKER_BASE_URL", server.url)
    assert len(frame.tinker.publish()) == len(frame)
    tkf.default_client().close()


def test_the_default_client_is_the_only_state_of_the_module() -> None:
    """The default client is the only client held by a public module."""
    holders = [
        f"{module.__name__}.{name}"
        for module in (tkf, tkf_client, functions)
        for name, value in vars(module).items()
        if isinstance(
            value, (tkf_client.Client, tkf_client.ClientRegistry, weakref.WeakValueDictionary, dict, list, set)
        )
        and not name.startswith("__")
    ]
    assert sorted(holders) == ["tinker_frames.client.registry", "tinker_frames.functions.registry"]


def test_checkpoints_takes_ids_of_runs_only(shared_client: tkf.Client) -> None:
    """A tinker path and a frame are refused by what they are, without a request."""
    rows = shared_client.checkpoints()
    with pytest.raises(tkf.errors.InvalidRequestError, match="is a tinker path, not the id of a training run"):
        shared_client.checkpoints(rows["tinker_path"].iloc[0])
    with pytest.raises(tkf.errors.ArgumentTypeError, match="not a frame; pass its column"):
        shared_client.checkpoints(rows)  # type: ignore[arg-type]


def test_a_frame_without_an_account_says_that_it_has_lost_it(
    shared_client: tkf.Client, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a merge, without a default client, the error says what the frame lacks and how to name a client; attrs bring it back."""
    monkeypatch.setenv("HOME", str(tmp_path))
    frame = shared_client.checkpoints().head(2)
    merged = frame.copy()
    merged.attrs = {}
    with pytest.raises(AuthenticationError, match=r"does not say which account.*merge.*no credential.*client="):
        merged.tinker.publish()
    merged.attrs = frame.attrs
    assert len(merged.tinker.publish()) == 2
