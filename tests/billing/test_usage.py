"""Usage and storage: every event of any span as a typed row, equal to the server's own JSON, read once where it cannot change."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pytest

import tinker_frames as tkf
from tinker_frames import catalog, errors
from tinker_frames.billing.events import decode_usage
from tinker_frames.billing.spans import Window, split_span
from tinker_frames.demo import Burst, DemoServer
from tinker_frames.rest.responses import Response
from tinker_frames.schema.columns import pandas_dtype

Make = Callable[..., tkf.Client]
USAGE, STORAGE = "get_billing_usage", "get_current_checkpoint_storage_usage"


def make_span(days: int) -> Window:
    """Return the last days up to the present hour, so that no test depends on when the hour ends."""
    end = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    return Window(end - timedelta(days=days), end)


def read_raw(client: tkf.Client, span: Window) -> list[dict[str, Any]]:
    """Return the events of a span, window by window, as the server sends them."""
    windows = split_span(span, datetime(1970, 1, 1, tzinfo=UTC))
    return [event for one in windows for event in client.rest.get_billing_usage(one.start, one.end)["data"]]


def test_usage_is_what_the_server_says(shared_client: tkf.Client) -> None:
    """Each event is a row, in the server's order, with its fields flattened and its session's name and metadata beside it."""
    span = make_span(40)
    frame, raw = shared_client.usage(span.start, span.end), read_raw(shared_client, span)
    assert list(frame.columns) == catalog.USAGE.names
    assert len(frame) == len(raw) > 500
    for name in ("base_model", "user_id", "user_name", "project_id", "session_id", "estimated_cost_usd"):
        found = frame[name].astype("object").where(frame[name].notna(), None).tolist()
        assert found == [event[name] for event in raw], name
    for name in ("type", "token_count", "cached", "count", "gigabyte_hours", "free"):
        values = frame["event_type" if name == "type" else name].astype("object")
        assert values.where(values.notna(), None).tolist() == [event["event_info"].get(name) for event in raw], name
    sessions = shared_client.sessions(access_scope="accessible").set_index("session_id")
    used = frame.dropna(subset="session_id")
    for name in ("display_name", "user_metadata"):
        pd.testing.assert_series_equal(
            used[name].reset_index(drop=True), sessions[name].reindex(used["session_id"]).reset_index(drop=True)
        )
    about = frame.attrs["tinker"]
    assert (about["complete"], about["problems"], about["lacks"]) == (True, [], [])


def test_dtypes_are_those_of_the_catalog(shared_client: tkf.Client) -> None:
    """Full and empty frames of usage and storage have the dtypes of the catalog."""
    for table, read in ((catalog.USAGE, shared_client.usage), (catalog.STORAGE, shared_client.storage)):
        for frame in (read(), read(limit=0)):
            assert {name: frame[name].dtype for name in frame} == {c.name: pandas_dtype(c) for c in table.columns}


def test_storage_is_what_the_server_says(shared_client: tkf.Client) -> None:
    """Each row of the answer is a row, with the rate of all beside it."""
    raw = shared_client.rest.get_current_checkpoint_usage()
    frame = shared_client.storage()
    for wire, name in {
        "size_gigabytes": "size_gb",
        "checkpoint_count": "checkpoint_count",
        "user_email": "user_email",
    }.items():
        assert frame[name].tolist() == [row[wire] for row in raw["data"]]
    assert set(frame["effective_rate_usd_per_gigabyte_month"]) == {raw["effective_rate_usd_per_gigabyte_month"]}
    assert shared_client.storage(limit=1).attrs["tinker"]["complete"] is False


def test_what_is_final_is_requested_once(server: DemoServer, client_of: Make) -> None:
    """Settled windows are requested once in the life of a cache; later ones again once the cache is outdated, or with `refresh=True`."""
    with client_of(server, cache_ttl=0.01) as client:
        first = client.usage("60d")
        asked = server.requests.count(USAGE)
        assert asked in (5, 6)
    with client_of(server, cache_ttl=0.01) as client:
        pd.testing.assert_frame_equal(client.usage("60d"), first)
        assert 1 <= server.requests.count(USAGE) - asked <= 2
        asked = server.requests.count(USAGE)
        client.usage("59d")
        assert 1 <= server.requests.count(USAGE) - asked <= 2  # a span that begins elsewhere has the same windows
    with client_of(server) as client:
        asked = server.requests.count(USAGE)
        pd.testing.assert_frame_equal(client.usage("60d", refresh=True), first)
        assert server.requests.count(USAGE) - asked >= 5
        assert client.usage("60d").attrs["tinker"]["from_cache"]


def test_what_is_not_invoiced_is_not_final(server: DemoServer, client_of: Make) -> None:
    """Hours after `cost_data_through`, and all where it is not known, are cached as everything else, and `invoiced` says so."""
    server.faults.edit = lambda name, body: body | {"cost_data_through": None} if name == USAGE else body
    with client_of(server, cache_ttl=0.01) as client:
        assert client.usage("60d")["invoiced"].isna().all()
        asked = server.requests.count(USAGE)
        client.usage("60d")
        assert server.requests.count(USAGE) == 2 * asked
    server.faults.edit = None
    with client_of(server, cache=False) as client:
        frame = client.usage("60d")
    midnight = pd.Timestamp(datetime.now(UTC).date(), tz="UTC")
    assert (frame["invoiced"] == (frame["bucket_start"] < midnight)).all()


def test_windows_are_read_in_parallel(server: DemoServer, client_of: Make) -> None:
    """A year is 27 or 28 windows, of which as many are requested at a time as there are threads."""
    server.faults.latency_of = {USAGE: 0.1}
    client = client_of(server)
    client.usage("1y")
    calls = server.requests.to(USAGE)
    assert 27 <= len(calls) <= 28
    assert max(sum(one.started <= call.started < (one.ended or 0) for one in calls) for call in calls) > 8


def test_odd_values_become_na_and_are_listed(server: DemoServer, client_of: Make) -> None:
    """A malformed value is NA and in `problems` once for all windows, an unknown kind and an unknown field are kept."""

    def spoil(name: str, body: Any) -> Any:
        if name == USAGE:
            for event in body["data"]:
                event["surprise"] = {"b": 1}
                event["estimated_cost_usd"] = "free of charge"
                event["event_info"] |= {"type": "dreaming"}
        return body

    server.faults.edit = spoil
    frame = client_of(server, cache=False).usage("60d", limit=5)
    problems = {(one["column"], one["problem"]) for one in frame.attrs["tinker"]["problems"]}
    assert problems == {("estimated_cost_usd", "not a number"), ("event_type", "unknown value 'dreaming'")}
    assert frame["estimated_cost_usd"].isna().all()
    assert set(frame["event_type"]) == {"dreaming"}
    assert json.loads(frame["extra"][0]) == {"estimated_cost_usd": "free of charge", "surprise": {"b": 1}}
    assert frame.attrs["tinker"]["complete"] is False


@pytest.mark.parametrize("call", ["usage", "storage", "costs"])
def test_without_the_role(call: str, tmp_path: Any) -> None:
    """A 403 says in one line which role it needs; a server without billing says that it has none."""
    with DemoServer(runs=2, admin=False) as server, tkf.Client(server.key, server.url, cache_dir=tmp_path) as client:
        with pytest.raises(
            errors.PermissionDeniedError,
            match=f"^{'usage' if call == 'costs' else call} needs org admin or billing admin",
        ):
            getattr(client, call)()
        assert len(client.checkpoints()) > 0
    with (
        DemoServer(runs=2, dialect="tuft") as server,
        tkf.Client(server.key, server.url, cache=False) as client,
        pytest.raises(errors.NotSupportedError),
    ):
        getattr(client, call)()


def test_names_that_cannot_be_read_cost_no_event(server: DemoServer, client_of: Make) -> None:
    """Where sessions cannot be listed, events have no name, and the metadata that came with them; they are complete nevertheless."""
    server.faults.bursts.append(Burst({"search_sessions", "list_sessions"}, 403, times=None))
    frame = client_of(server, cache=False).usage()
    about = frame.attrs["tinker"]
    assert (about["complete"], about["lacks"]) == (True, ["display_name"])
    assert frame["display_name"].isna().all()
    assert frame["user_metadata"].notna().any()


def test_a_window_that_fails_is_an_error(server: DemoServer, client_of: Make) -> None:
    """A span is never returned in part: a window that cannot be read raises."""
    server.faults.bursts.append(Burst(USAGE, 500, times=None, after=2))
    with pytest.raises(errors.ServerError):
        client_of(server, retries=0).usage("60d")


def test_rows_that_are_no_events_are_said(server: DemoServer, client_of: Make) -> None:
    """Rows that are not objects are left out with a warning, and such an answer is not kept; numbers that JSON lacks cost nothing else."""
    start = datetime.now(UTC) - timedelta(hours=1)
    hour = start.strftime("%Y-%m-%dT%H:00:00Z")
    event = {"bucket_start": hour, "event_info": {"type": "storage"}, "estimated_cost_usd": float("nan")}
    body = json.dumps({"data": [5, event], "sessions": [], "cost_data_through": "soon"}).encode()
    server.faults.bursts.append(Burst(USAGE, 200, times=None, body=body))
    client = client_of(server)
    for _ in range(2):
        with pytest.warns(errors.IncompleteListingWarning, match="rows that are not objects"):
            frame = client.usage(start)
    assert server.requests.count(USAGE) >= 2
    assert frame["free"].tolist() == [False]
    assert frame[["estimated_cost_usd", "invoiced", "user_metadata"]].isna().all(axis=None)


WINDOW = Window(datetime(2026, 11, 5, tzinfo=UTC), datetime(2026, 11, 19, tzinfo=UTC))
INSIDE = {"bucket_start": "2026-11-18T23:00:00Z"}


@pytest.mark.parametrize(
    ("body", "doubt"),
    [
        ({"data": [INSIDE, {"bucket_start": "2026-11-19T00:00:00Z"}]}, None),
        ({"data": [INSIDE, {"bucket_start": "2026-11-19T01:00:00Z"}]}, "events of other hours"),
        ({"data": [{"bucket_start": "2026-11-04T23:00:00Z"}, INSIDE]}, "events of other hours"),
        ({"data": [{"bucket_start": "soon"}, INSIDE]}, "time cannot be read"),
        ({"data": [INSIDE], "next_page": "b"}, "more rows follow"),
        ({"data": [INSIDE], "has_more": True}, "more rows follow"),
        ({"data": [INSIDE], "cursor": {"offset": 0, "limit": 1, "total_count": 2}}, "more rows follow"),
        ({"data": [INSIDE], "has_more": False, "next_cursor": None, "cursor": {"total_count": 1}}, None),
    ],
)
def test_a_window_has_its_own_hours_and_all_of_them(body: dict[str, Any], doubt: str | None) -> None:
    """Events of other hours, which other windows have too, are left out; that, and an answer that says it is not whole, is doubted."""
    listing, _ = decode_usage(Response(200, {}, json.dumps(body).encode(), "", 0.0), WINDOW)
    assert listing.data["bucket_start"].to_pylist() == [datetime(2026, 11, 18, 23, tzinfo=UTC)]
    doubts = [problem["problem"] for problem in listing.report.problems if problem["column"] is None]
    assert [doubt in one for one in doubts] == [True] if doubt else not doubts


def test_what_was_kept_too_early_is_read_again(server: DemoServer, client_of: Make) -> None:
    """Windows without events are not kept for good, nor are those that later answers say to be not yet invoiced."""
    answer: dict[str, Any] = {"data": []}
    server.faults.edit = lambda name, body: body | answer if name == USAGE else body
    span = make_span(30)
    with client_of(server, cache_ttl=0.01) as client:
        assert client.usage(span.start, span.end).empty
        answer.clear()
        frame = client.usage(span.start, span.end)
        assert frame["invoiced"].any()
        answer["cost_data_through"] = "2020-01-01T00:00:00Z"
        assert not client.usage(span.start, span.end)["invoiced"].any()


def test_a_span_ends_at_the_servers_present_hour(server: DemoServer, client_of: Make) -> None:
    """A new client learns the server's clock by its first answer, and reads the span again where ours is wrong."""
    with client_of(server, cache=False) as client:
        client.transport.clock_offset = timedelta(hours=-30)
        client.usage("1d", limit=1)
    ends = max(call.query["ending_before"] for call in server.requests.to(USAGE))
    assert datetime.fromisoformat(ends) >= make_span(1).end


def test_names_from_an_incomplete_list_are_said(server: DemoServer, client_of: Make) -> None:
    """Where the list of sessions may lack some, events are complete, and a problem says that they may have no name."""
    server.faults.edit = lambda name, body: body | {"next_cursor": {}} if name == "search_sessions" else body
    frame = client_of(server, cache=False).usage()
    about = frame.attrs["tinker"]
    assert about["complete"]
    assert [one["column"] for one in about["problems"]] == ["display_name"]
    assert client_of(server, cache=False).costs("session")["estimated_storage_usd_month"].isna().all()
