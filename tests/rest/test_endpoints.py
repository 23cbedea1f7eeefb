"""One method per endpoint: requests follow the contract, responses are returned, and writes are verified."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pandas as pd
import pytest

import tinker_frames as tkf
from tests.events import HangOnce, run_when
from tinker_frames import errors, policies
from tinker_frames.demo import Burst, DemoServer, RecordedRequest, Reset
from tinker_frames.demo.data.records import Checkpoint
from tinker_frames.schema.durations import check_ttl, parse_ttl
from tinker_frames.schema.paths import run_url

Make = Callable[..., tkf.Client]
API = "/api/v1"
DELETE, PUBLISH, UNPUBLISH, ARCHIVE = (
    "delete_checkpoint",
    "publish_checkpoint",
    "unpublish_checkpoint",
    "get_checkpoint_archive_url",
)


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the waits before retries, which other tests cover."""
    for module in ("rest.retry", "plans.writer"):
        monkeypatch.setattr(f"tinker_frames.{module}.backoff_s", lambda attempt: 0.01)


@pytest.fixture(scope="module")
def rest_server() -> Iterator[DemoServer]:
    with DemoServer(runs=6, seed=4) as running:
        yield running


@pytest.fixture
def rest_client(rest_server: DemoServer, client_of: Make) -> tkf.Client:
    return start_client(client_of(rest_server, cache=False), rest_server)


def start_client(client: tkf.Client, server: DemoServer) -> tkf.Client:
    """Let a client request its config, and clear the server's request log."""
    client.rest.get_server_capabilities()
    server.requests.clear()
    return client


def checkpoint(server: DemoServer, *, public: bool = False, kind: str = "training") -> Checkpoint:
    rows = server.state.checkpoints_page(10_000, 0)[0]
    return next(row for row in rows if row.public is public and row.kind == kind)


def url_of(row: Checkpoint, action: str = "") -> str:
    end = f"/{action}" if action else ""
    return f"{API}/training_runs/{row.run.training_run_id}/checkpoints/{row.key}{end}"


def writes(server: DemoServer) -> list[RecordedRequest]:
    return [call for call in server.requests if call.method in ("DELETE", "PUT") or call.endpoint == PUBLISH]


# ── reads ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


Case = tuple[Callable[[Any, Any], Any], str, dict[str, str], Callable[[Any], Any]]
READS: dict[str, Case] = {
    "list_sessions": (lambda r, s: r.list_sessions(), "/sessions", {"limit": "20", "offset": "0"}, lambda a: len(a["sessions"]) > 0),
    "list_sessions of all": (
        lambda r, s: r.list_sessions(5, 2, "accessible"),
        "/sessions",
        {"limit": "5", "offset": "2", "access_scope": "accessible"},
        lambda a: len(a["sessions"]) > 0,
    ),
    "get_session": (lambda r, s: r.get_session(s["session"]), "/sessions/{session}", {}, lambda a: "training_run_ids" in a),
    "get_session of all": (
        lambda r, s: r.get_session(s["session"], "accessible"),
        "/sessions/{session}",
        {"access_scope": "accessible"},
        lambda a: "sampler_ids" in a,
    ),
    "list_training_runs": (
        lambda r, s: r.list_training_runs(),
        "/training_runs",
        {"limit": "20", "offset": "0"},
        lambda a: a["cursor"]["total_count"] == 6 and len(a["training_runs"]) == 6,
    ),
    "list_training_runs of a project": (
        lambda r, s: r.list_training_runs(3, 1, "owned", "proj/ä"),
        "/training_runs",
        {"limit": "3", "offset": "1", "access_scope": "owned", "project_id": "proj/ä"},
        lambda a: a["training_runs"] == [],
    ),
    "get_training_run": (
        lambda r, s: r.get_training_run(s["run"], "owned"),
        "/training_runs/{run}",
        {"access_scope": "owned"},
        lambda a: a["training_run_id"].endswith(":train:0"),
    ),
    "get_training_run_by_tinker_path": (
        lambda r, s: r.get_training_run_by_tinker_path(s["path"]),
        "/training_runs/{run}",
        {},
        lambda a: "base_model" in a,
    ),
    "list_checkpoints": (lambda r, s: r.list_checkpoints(s["run"]), "/training_runs/{run}/checkpoints", {}, lambda a: a["checkpoints"]),
    "list_user_checkpoints": (
        lambda r, s: r.list_user_checkpoints(),
        "/checkpoints",
        {"limit": "100", "offset": "0"},
        lambda a: a["checkpoints"] and a["cursor"],
    ),
    "list_user_checkpoints further on": (
        lambda r, s: r.list_user_checkpoints(7, 3),
        "/checkpoints",
        {"limit": "7", "offset": "3"},
        lambda a: len(a["checkpoints"]) == 7,
    ),
    "get_sampler": (lambda r, s: r.get_sampler(s["sampler"]), "/samplers/{sampler}", {}, lambda a: a["sampler_id"]),
    "get_server_capabilities": (lambda r, s: r.get_server_capabilities(), "/get_server_capabilities", {}, lambda a: a["supported_models"]),
    "get_current_checkpoint_usage": (
        lambda r, s: r.get_current_checkpoint_usage(),
        "/billing/usage/checkpoints/current",
        {},
        lambda a: a["data"],
    ),
    "get_current_checkpoint_storage_usage, as the SDK calls it": (
        lambda r, s: r.get_current_checkpoint_storage_usage("proj-evals"),
        "/billing/usage/checkpoints/current",
        {"project_id": "proj-evals"},
        lambda a: "data" in a,
    ),
    "get_audit_log": (lambda r, s: r.get_audit_log(), "/audit", {"event_type": "all"}, lambda a: "entries" in a),
    "get_audit_log of a day": (
        lambda r, s: r.get_audit_log("projects", datetime(2026, 1, 2, 23, tzinfo=timezone(timedelta(hours=-2)))),
        "/audit",
        {"event_type": "projects", "day": "2026-01-03"},
        lambda a: a == {"entries": []},
    ),
    "get_api_key_info": (lambda r, s: r.get_api_key_info(), "/auth/apikey/me", {}, lambda a: a["details"]["user_details"]["email"]),
}  # fmt: skip


@pytest.mark.parametrize("name", READS)
def test_reads_send_what_the_contract_says(rest_server: DemoServer, rest_client: tkf.Client, name: str) -> None:
    """Each read is one GET with its path and query and no body, and returns the parsed JSON."""
    call, path, query, right = READS[name]
    row = rest_server.state.checkpoints_page(1, 0)[0][0]
    session = next(found for found in rest_server.state.sessions() if found.samplers)
    about = {
        "run": row.run.training_run_id,
        "path": row.tinker_path,
        "session": session.session_id,
        "sampler": session.samplers[0].sampler_id,
    }
    answer = call(rest_client.rest, about)
    assert right(answer)
    (seen,) = rest_server.requests
    assert (seen.method, seen.raw_path, seen.query, seen.body) == ("GET", API + path.format(**about), query, b"")


def test_weights_info(rest_server: DemoServer, rest_client: tkf.Client) -> None:
    """The path is sent unchanged, even an invalid one, which is left to the server."""
    row = rest_server.state.checkpoints_page(1, 0)[0][0]
    assert rest_client.rest.get_weights_info_by_tinker_path(row.tinker_path)["base_model"] == row.run.base_model
    with pytest.raises(errors.NotFoundError):
        rest_client.rest.get_weights_info_by_tinker_path("no path at all")
    assert [(call.method, call.raw_path, json.loads(call.body)) for call in rest_server.requests] == [
        ("POST", f"{API}/weights_info", {"tinker_path": row.tinker_path}),
        ("POST", f"{API}/weights_info", {"tinker_path": "no path at all"}),
    ]


def test_search_sessions(rest_server: DemoServer, rest_client: tkf.Client) -> None:
    """Only given arguments are sent; a cursor is unchanged, and empty values are kept."""
    first = rest_client.rest.search_sessions(limit=1)
    rest_client.rest.search_sessions(
        session_id="s",
        display_name="night",
        project_ids=[],
        user_metadata={},
        owner={"type": "accessible"},
        statuses=[{"type": "active"}],
        limit=2,
        cursor=first["next_cursor"],
    )
    bodies = [json.loads(call.body) for call in rest_server.requests]
    assert bodies == [
        {"limit": 1},
        {
            "session_id": "s",
            "display_name": "night",
            "project_ids": [],
            "user_metadata": {},
            "owner": {"type": "accessible"},
            "statuses": [{"type": "active"}],
            "limit": 2,
            "cursor": first["next_cursor"],
        },
    ]
    assert {(call.method, call.raw_path) for call in rest_server.requests} == {("POST", f"{API}/sessions/search")}


@pytest.mark.parametrize(
    "call",
    [
        lambda rest: rest.list_sessions(limit=-1),
        lambda rest: rest.list_training_runs(offset=-1),
        lambda rest: rest.list_user_checkpoints(limit=-5),
        lambda rest: rest.search_sessions(limit=-1),
        lambda rest: rest.list_training_runs(project_id=""),
        lambda rest: rest.get_current_checkpoint_usage(""),
        lambda rest: rest.get_billing_usage_events(datetime.now(), datetime.now(UTC)),  # noqa: DTZ005
        lambda rest: rest.get_billing_usage_events("2026-01-01T00:00:00Z", pd.Timestamp("2026-01-02")),
    ],
)
def test_arguments_out_of_range_are_refused(rest_server: DemoServer, rest_client: tkf.Client, call: Any) -> None:
    """A negative limit or offset, an empty project, and a time that could be local or UTC, raise before anything is sent."""
    sent = rest_server.requests.count()
    with pytest.raises(errors.InvalidRequestError, match=r"is below 0|is empty|has no time zone"):
        call(rest_client.rest)
    assert rest_server.requests.count() == sent


def test_numbers_of_numpy_are_numbers(rest_client: tkf.Client) -> None:
    """An integer of numpy is taken wherever an integer is: in pages, TTLs, durations and keep rules."""
    one = np.int64(1)
    assert len(rest_client.rest.list_sessions(limit=one)["sessions"]) == 1
    assert len(rest_client.rest.search_sessions(limit=np.int32(1))["sessions"]) == 1
    assert len(rest_client.checkpoints(limit=one)) == 1
    assert check_ttl(np.int64(7200)) == parse_ttl(np.int64(7200)) == 7200
    rule = policies.keep_last(np.int64(2)) | policies.keep_every(np.int16(5)) | policies.best("step", n=np.uint8(3))
    assert "np." not in rule.code


def test_billing_usage(rest_server: DemoServer, rest_client: tkf.Client) -> None:
    """Times are sent in UTC, whether given as text or as datetimes of another time zone."""
    end = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    rest_client.rest.get_billing_usage_events(end - timedelta(days=1), end.strftime("%Y-%m-%dT%H:00:00Z"))
    want = {
        "starting_on": f"{end - timedelta(days=1):%Y-%m-%dT%H:00:00Z}",
        "ending_before": f"{end:%Y-%m-%dT%H:00:00Z}",
    }
    assert rest_server.requests[0].query == want


def test_external_weights(rest_server: DemoServer, rest_client: tkf.Client) -> None:
    """The signed URLs of an external checkpoint's files are requested anew each time."""
    row = rest_server.state.add_checkpoint(kind="external", name="hf")
    for _ in range(2):
        assert rest_client.rest.get_external_weights_urls(row.tinker_path)["urls"]["adapter_config.json"].startswith(
            "http"
        )
    assert [call.raw_path for call in rest_server.requests] == [url_of(row, "external_weights_urls")] * 2


@pytest.mark.parametrize("scope", ["", "Owned"])
def test_unknown_scope_is_refused_here(rest_server: DemoServer, rest_client: tkf.Client, scope: Any) -> None:
    """An unknown scope is not sent."""
    for call in (
        lambda: rest_client.rest.list_sessions(access_scope=scope),
        lambda: rest_client.rest.get_session("s", scope),
        lambda: rest_client.rest.list_training_runs(access_scope=scope),
        lambda: rest_client.rest.get_training_run("r", scope),
    ):
        with pytest.raises(errors.InvalidRequestError, match="access_scope"):
            call()
    assert rest_server.requests.count() == 0


def test_answers_that_are_no_object(server: DemoServer, client_of: Make) -> None:
    """A list or invalid JSON instead of an object is a schema error."""
    client = start_client(client_of(server, retries=0), server)
    for body in (b"[1]", b"{oops}", b"[" * 99_999 + b"]"):
        server.faults.bursts.append(Burst("list_training_runs", 200, times=1, body=body))
        with pytest.raises(errors.SchemaError):
            client.rest.list_training_runs()


# ── the audit log ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("day", ["2026-11-31", "yesterday", ""])
def test_what_is_not_a_day_is_refused(rest_client: tkf.Client, day: str) -> None:
    """A day that cannot be, an unknown kind of events, and a time that could be local or UTC raise before anything is sent."""
    with pytest.raises(errors.InvalidRequestError, match="is not a day"):
        rest_client.rest.get_audit_log(day=day)
    with pytest.raises(errors.InvalidRequestError, match="is unknown"):
        rest_client.rest.get_audit_log("everything")  # type: ignore[arg-type]
    with pytest.raises(errors.InvalidRequestError, match="no time zone"):
        rest_client.rest.get_audit_log(day=datetime.now())  # noqa: DTZ005


def test_an_audit_log_behind_a_signed_url(
    server: DemoServer, client_of: Make, caplog: pytest.LogCaptureFixture
) -> None:
    """It is read from there, each time anew, without the key; nothing that logs, not even urllib3, has seen the signature."""
    client = start_client(client_of(server, headers={"X-Team": "secret-team-of-ours"}), server)
    today = date.fromisoformat(f"{server.state.now():%Y-%m-%d}")
    plain = client.rest.get_audit_log(day=today)
    server.switches.audit = "redirect"
    with caplog.at_level("DEBUG"):
        assert client.rest.get_audit_log(day=today) == client.rest.get_audit_log(day=today) == plain
    calls = server.requests.to("get_storage")
    assert len(calls) == 2
    assert all("X-Sig" in call.query and not {"x-api-key", "x-team"} & set(call.headers) for call in calls)
    logged = "".join(record.getMessage() for record in caplog.records if not record.name.startswith("uvicorn"))
    assert "/storage/audit" in logged
    assert "X-Sig" not in logged


@pytest.mark.parametrize("trouble", ["status", "reset", "page", "redirect", "list"])
def test_trouble_behind_a_signed_url(server: DemoServer, client_of: Make, trouble: str) -> None:
    """An error of the storage names the endpoint, and neither the signature nor what the storage says of it."""
    client = start_client(client_of(server, retries=1), server)
    server.switches.audit = "redirect"
    secret = b"<Error><SignatureProvided>oops</SignatureProvided></Error>"
    bursts = {
        "status": Burst("get_storage", 403, times=None, body=secret),
        "page": Burst("get_storage", 200, times=None, body=secret),
        "list": Burst("get_storage", 200, times=None, body=b"[1]"),
        "redirect": Burst("get_storage", 302, times=None, headers={"location": "https://x.example/?X-Sig=1"}),
    }
    if trouble == "reset":
        server.faults.resets.append(Reset("get_storage", times=None))
    else:
        server.faults.bursts.append(bursts[trouble])
    with pytest.raises(errors.TinkerError) as caught:
        client.rest.get_audit_log()
    said = repr(caught.value) + str(caught.value) + str(vars(caught.value))
    assert "X-Sig" not in said
    assert "oops" not in said
    assert caught.value.__cause__ is None or "X-Sig" not in repr(caught.value.__cause__)


def test_a_signed_url_that_has_expired(server: DemoServer, client_of: Make) -> None:
    """A new one is asked for, once; a storage that refuses that too is at fault, not the credential or the role."""
    client = start_client(client_of(server, retries=0), server)
    server.switches.audit = "redirect"
    server.faults.bursts.append(Burst("get_storage", 403, times=1))
    assert "entries" in client.rest.get_audit_log()
    server.faults.bursts.append(Burst("get_storage", 401, times=2))
    with pytest.raises(errors.ServerError, match=r"the storage refused the signed URL of GET /api/v1/audit, twice"):
        client.rest.get_audit_log()
    assert len(server.requests.to("get_audit_log")) == 4


@pytest.mark.parametrize(
    "url",
    [
        "http://x.example/a?X-Sig=1",
        "file:///etc/passwd",
        "",
        "//[",
        "https://x.example/?a b",
        "https://ada:X-Sig@x.example/a",
    ],
)
def test_a_signed_url_that_is_not_trusted(server: DemoServer, client: tkf.Client, url: str) -> None:
    """An address that is neither https nor the server's own, or cannot be sent as it is, is not requested."""
    server.faults.bursts.append(Burst("get_audit_log", 302, times=None, headers={"location": url}))
    with pytest.raises(errors.NotSupportedError, match=r"cannot be trusted|is not valid") as caught:
        client.rest.get_audit_log()
    assert "X-Sig" not in str(caught.value)


# ── the archive ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("kind", "by_ids"), [("redirect", True), ("json", False)])
def test_archive(server: DemoServer, client: tkf.Client, kind: Any, by_ids: bool) -> None:
    """A 302 and a 200 give the same result: url, status and expiry as RFC 3339; by path and by ids; never cached."""
    server.switches.archive = kind
    row = checkpoint(server)
    names = (row.run.training_run_id, row.key) if by_ids else (row.tinker_path,)
    for _ in range(2):
        answer = client.rest.get_checkpoint_archive_url(*names)
        assert set(answer) == {"url", "status", "expires"}
        assert answer["status"] == (302 if kind == "redirect" else 200)
        assert answer["url"].startswith(f"{server.url}/storage/")
        left = datetime.fromisoformat(answer["expires"]) - datetime.now(UTC)
        assert timedelta(minutes=14) < left <= timedelta(minutes=15)
    calls = server.requests.to(ARCHIVE)
    assert [call.raw_path for call in calls] == [url_of(row, "archive")] * 2
    assert calls[0].headers["accept"] == "application/json"


@pytest.mark.parametrize("switch", ["archive_building", "archive_busy"])
def test_archive_that_is_being_built(server: DemoServer, client: tkf.Client, switch: str) -> None:
    """503 and 409 mean that the archive is being built: it is requested again after the delay."""
    setattr(server.switches, switch, 2)
    row = checkpoint(server)
    assert client.rest.get_checkpoint_archive_url(row.tinker_path, retry_delay=0.05)["url"]
    calls = server.requests.to(ARCHIVE)
    assert len(calls) == 3
    assert all(later.started - (earlier.ended or 0) >= 0.04 for earlier, later in itertools.pairwise(calls))


@pytest.mark.parametrize(("max_retries", "requests"), [(3, 3), (0, 1)])
def test_archive_attempts(server: DemoServer, client: tkf.Client, max_retries: int, requests: int) -> None:
    """`max_retries` is the total number of requests, without the general retries on top."""
    server.switches.archive_building = 99
    with pytest.raises(errors.ServerError) as caught:
        client.rest.get_checkpoint_archive_url(checkpoint(server).tinker_path, max_retries=max_retries, retry_delay=0)
    assert caught.value.status == 503
    assert server.requests.count(ARCHIVE) == requests


@pytest.mark.parametrize("status", [404, 500])
def test_other_failures_of_the_archive_are_final(server: DemoServer, client: tkf.Client, status: int) -> None:
    """Other statuses are not polled."""
    server.faults.bursts.append(Burst(ARCHIVE, status, times=None))
    with pytest.raises(errors.TinkerError):
        client.rest.get_checkpoint_archive_url(checkpoint(server).tinker_path, retry_delay=0)
    assert server.requests.count(ARCHIVE) == 1


def test_archive_waits_are_said_and_can_be_given_up(server: DemoServer, client: tkf.Client) -> None:
    """The progress shows the wait and can stop it."""
    from tinker_frames.rest.progress import Progress

    said: list[str] = []

    class WaitRecorder(Progress):
        def report_wait(self, seconds: float, why: str) -> None:
            said.append(f"{seconds:g} {why}")
            threading.Timer(0.1, self.stop.set).start()

    server.switches.archive_building = 99
    with pytest.raises(errors.ConflictError, match="stopped waiting"):
        client.rest.get_checkpoint_archive_url(checkpoint(server).tinker_path, progress=WaitRecorder())
    assert said == ["30 the archive is being built; asking 5 more time(s)"]


@pytest.mark.parametrize(
    "location",
    [
        "file:///var/lib/x.tar.gz",
        "http://storage.example/x?X-Sig=abc",
        "http://[bad/x",
        "",
        "//evil.example/x",
    ],
)
def test_untrusted_archive_addresses(server: DemoServer, client: tkf.Client, location: str) -> None:
    """Only https URLs, or URLs of the server itself, are returned; the error quotes no URL."""
    server.faults.bursts.append(Burst(ARCHIVE, 302, times=None, headers={"location": location}))
    with pytest.raises(errors.NotSupportedError) as caught:
        client.rest.get_checkpoint_archive_url(checkpoint(server).tinker_path)
    assert "X-Sig" not in str(caught.value)
    assert not location or location not in str(caught.value)


def test_archive_address_without_a_host(server: DemoServer, client: tkf.Client) -> None:
    """A relative Location is resolved against the server; without an expiry, a quarter of an hour is assumed."""
    for expires in ({}, {"expires": "soon"}, {"expires": "Fri, 20 Nov 99999999999999999999 09:00:30 GMT"}):
        burst = Burst(ARCHIVE, 302, times=1, headers={"location": "/storage/x?X-Sig=1", **expires})
        server.faults.bursts.append(burst)
        answer = client.rest.get_checkpoint_archive_url(checkpoint(server).tinker_path)
        assert answer["url"] == f"{server.url}/storage/x?X-Sig=1"
        left = datetime.fromisoformat(answer["expires"]) - datetime.now(UTC)
        assert timedelta(minutes=14) < left <= timedelta(minutes=15)


# ── writes ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("status", [200, 204])
def test_writes_send_what_the_contract_says(server: DemoServer, client: tkf.Client, status: int) -> None:
    """Publish, unpublish, TTL and delete send the contract's method, path and body; any 2xx is success; nothing is returned."""
    server.switches.write_status = status
    row, rest = checkpoint(server), client.rest
    rest.publish_checkpoint(row.tinker_path)
    assert row.public
    rest.unpublish_checkpoint(row.tinker_path)
    assert not row.public
    rest.set_checkpoint_ttl_from_tinker_path(row.tinker_path, 86400)
    assert row.expires_at is not None
    rest.set_checkpoint_ttl_from_tinker_path(row.tinker_path, None)
    assert row.expires_at is None
    rest.delete_checkpoint(row.tinker_path)
    assert server.state.find(row.tinker_path) is None
    sent = [(call.method, call.raw_path, call.query, call.body and json.loads(call.body)) for call in writes(server)]
    assert sent == [
        ("POST", url_of(row, "publish"), {}, b""),
        ("DELETE", url_of(row, "publish"), {}, b""),
        ("PUT", url_of(row, "ttl"), {}, {"ttl_seconds": 86400}),
        ("PUT", url_of(row, "ttl"), {}, {"ttl_seconds": None}),
        ("DELETE", url_of(row), {}, b""),
    ]
    assert len({call.headers["x-idempotency-key"] for call in writes(server)}) == 5


def test_delete_by_ids(server: DemoServer, client: tkf.Client) -> None:
    """With run and checkpoint id, the id is used unchanged."""
    row = checkpoint(server)
    client.rest.delete_checkpoint(row.run.training_run_id, row.key)
    assert server.state.find(row.tinker_path) is None
    with pytest.raises(errors.InvalidRequestError):
        client.rest.delete_checkpoint(row.run.training_run_id, "bare-name")
    assert writes(server)[-1].raw_path.endswith("/checkpoints/bare-name")


@pytest.mark.parametrize("seconds", [3599, 315_360_001, 3600.0, True, "3600"])
def test_ttl_out_of_range_is_not_sent(server: DemoServer, client: tkf.Client, seconds: Any) -> None:
    """A TTL below an hour, above ten years, or not a whole number of seconds is refused."""
    with pytest.raises(errors.InvalidRequestError, match="ttl_seconds"):
        client.rest.set_checkpoint_ttl_from_tinker_path(checkpoint(server).tinker_path, seconds)
    assert server.requests.count() == 0


@pytest.mark.parametrize("public", [True, False])
def test_conflict_is_settled_by_a_read(server: DemoServer, client: tkf.Client, public: bool) -> None:
    """409 `already` is not an error: one write, and one read that confirms the state."""
    row = checkpoint(server, public=public)
    (client.rest.publish_checkpoint if public else client.rest.unpublish_checkpoint)(row.tinker_path)
    assert [call.status for call in writes(server)] == [409]
    assert server.requests[-1].endpoint == "list_checkpoints"
    assert row.public is public


def test_conflict_that_is_not_so(server: DemoServer, client: tkf.Client) -> None:
    """Another 409 is raised after the read and one repeat, since the server may have been busy."""
    server.faults.bursts.append(Burst(PUBLISH, 409, times=None, detail="busy"))
    with pytest.raises(errors.ConflictError, match="busy"):
        client.rest.publish_checkpoint(checkpoint(server).tinker_path)
    assert len(writes(server)) == 2


UNCLEAR = {
    "answered 500": lambda _, endpoint, then: ("bursts", Burst(endpoint, 500, times=1, then=then)),
    "answered 408": lambda _, endpoint, then: ("bursts", Burst(endpoint, 408, times=1, then=then)),
    "reset": lambda _, endpoint, then: ("resets", Reset(endpoint, times=1, then=then)),
    "hung": lambda client, endpoint, then: ("hang", HangOnce(endpoint, client=client, then=then)),
}


@pytest.mark.parametrize(
    ("how", "endpoint"),
    [("answered 500", DELETE), ("answered 408", PUBLISH), ("reset", UNPUBLISH), ("hung", DELETE)],
)
@pytest.mark.parametrize("applied", [True, False])
def test_unclear_writes(server: DemoServer, client_of: Make, how: str, endpoint: str, applied: bool) -> None:
    """After an unclear outcome the state is read: an applied write is not sent again, another is, once."""
    client = start_client(client_of(server), server)
    row = checkpoint(server, public=endpoint == UNPUBLISH)
    faults, trouble = UNCLEAR[how](client, endpoint, "apply" if applied else "answer")
    getattr(server.faults, faults).append(trouble)
    getattr(client.rest, endpoint)(row.tinker_path)
    if endpoint == DELETE:
        assert server.state.find(row.tinker_path) is None
    else:
        assert row.public is (endpoint == PUBLISH)
    assert len(writes(server)) == (1 if applied else 2)


def test_missing_checkpoint_is_said(server: DemoServer, client: tkf.Client) -> None:
    """A 404 at the first attempt of a delete is an error, not a success."""
    run = server.state.runs()[0].training_run_id
    with pytest.raises(errors.NotFoundError):
        client.rest.delete_checkpoint(f"tinker://{run}/weights/never-was")
    assert len(writes(server)) == 1


def fail_later_lists(server: DemoServer) -> Callable[[str, Any], Any]:
    """Return an edit of responses after which every list but the first fails."""

    def edit(endpoint: str, content: Any) -> Any:
        if endpoint == "list_checkpoints":
            server.faults.bursts.append(Burst("list_checkpoints", 502, times=None))
        return content

    return edit


def test_unread_run_stops_a_write(server: DemoServer, client_of: Make) -> None:
    """If the run cannot be read before a write, the error is raised and nothing is sent."""
    client, row = start_client(client_of(server, retries=0), server), checkpoint(server)
    server.faults.bursts.append(Burst("list_checkpoints", 502, times=None))
    for call in (client.rest.delete_checkpoint, client.rest.publish_checkpoint):
        with pytest.raises(errors.ServerError) as caught:
            call(row.tinker_path)
        assert caught.value.status == 502
    assert writes(server) == []


def test_success_that_cannot_be_verified_is_said(server: DemoServer, client_of: Make) -> None:
    """If the server reports success and the run cannot be read afterwards, the error says so and names the checkpoint's URL."""
    client, row = start_client(client_of(server, retries=0), server), checkpoint(server)
    server.faults.edit = fail_later_lists(server)
    with pytest.raises(errors.TinkerError, match=r"reported success.*could not be read") as caught:
        client.rest.delete_checkpoint(row.tinker_path)
    assert caught.value.url == f"{server.url}{url_of(row)}"


@pytest.mark.parametrize("ttl", [None, 30 * 86_400])
def test_ttl_that_is_ignored_is_an_error(server: DemoServer, client: tkf.Client, ttl: int | None) -> None:
    """A TTL that the server accepts but ignores is detected, even if the checkpoint has an expiry."""
    row = checkpoint(server)
    client.rest.set_checkpoint_ttl_from_tinker_path(row.tinker_path, 7200)
    before = row.expires_at
    server.faults.bursts.append(Burst("set_checkpoint_ttl", 204, times=None))
    with pytest.raises(errors.TinkerError, match="as it was"):
        client.rest.set_checkpoint_ttl_from_tinker_path(row.tinker_path, ttl)
    assert row.expires_at == before


@pytest.mark.parametrize("status", [503, 409])
def test_unclear_delete_of_what_never_existed(server: DemoServer, client: tkf.Client, status: int) -> None:
    """A checkpoint that was never listed is not found, not deleted by an unclear outcome."""
    run = server.state.runs()[0].training_run_id
    server.faults.bursts.append(Burst(DELETE, status, times=1))
    with pytest.raises(errors.NotFoundError):
        client.rest.delete_checkpoint(f"tinker://{run}/weights/never-was")


def test_refusal_after_an_unclear_delete_is_settled(server: DemoServer, client: tkf.Client) -> None:
    """A definite refusal of the repeat does not hide that the first attempt was applied late."""
    row = checkpoint(server)

    def late(endpoint: str, content: Any) -> Any:
        if endpoint == "list_checkpoints" and len(writes(server)) == 1 and server.state.find(row.tinker_path):
            server.state.delete(row)
            server.faults.bursts.append(Burst(DELETE, 410, times=1))
        return content

    server.faults.edit = late
    server.faults.bursts.append(Burst(DELETE, 500, times=1))
    client.rest.delete_checkpoint(row.tinker_path)
    assert [call.status for call in writes(server)] == [500, 410]


def test_unclear_and_unreadable_is_said(server: DemoServer, client_of: Make) -> None:
    """If neither the write nor the verifying read got a response, the error says that the outcome is unknown."""
    client = start_client(client_of(server, retries=0), server)
    row = checkpoint(server)
    server.faults.bursts.append(Burst(DELETE, 502, times=None))
    server.faults.edit = fail_later_lists(server)
    with pytest.raises(errors.ServerError, match="is not known") as caught:
        client.rest.delete_checkpoint(row.tinker_path)
    assert not caught.value.retryable
    assert caught.value.status == 502
    assert len(writes(server)) == 1


def test_write_that_always_fails(server: DemoServer, client_of: Make) -> None:
    """A delete that always fails raises after `retries` repeats, each preceded by a read."""
    client = start_client(client_of(server, retries=1), server)
    row = checkpoint(server)
    server.faults.bursts.append(Burst(DELETE, 500, times=None))
    with pytest.raises(errors.ServerError):
        client.rest.delete_checkpoint(row.tinker_path)
    assert len(writes(server)) == 2
    assert server.state.find(row.tinker_path) is row


@pytest.mark.parametrize("endpoint", [DELETE, PUBLISH, "set_checkpoint_ttl"])
def test_a_write_that_changed_nothing_is_an_error(server: DemoServer, client: tkf.Client, endpoint: str) -> None:
    """A server that reports success without effect is detected by the verifying read."""
    row = checkpoint(server)
    server.faults.bursts.append(Burst(endpoint, 200, times=None))
    call = {DELETE: client.rest.delete_checkpoint, PUBLISH: client.rest.publish_checkpoint}.get(
        endpoint, lambda path: client.rest.set_checkpoint_ttl_from_tinker_path(path, 7200)
    )
    with pytest.raises(errors.TinkerError, match="as it was"):
        call(row.tinker_path)
    assert server.state.find(row.tinker_path) is row


def test_a_gateway_refusal_is_sent_again(server: DemoServer, client: tkf.Client) -> None:
    """A 400 with an empty body comes from a gateway: the write is sent again without a read."""
    row = checkpoint(server)
    server.faults.bursts.append(Burst(DELETE, 400, times=1, headers={"content-length": "0"}, body=b""))
    client.rest.delete_checkpoint(row.tinker_path)
    assert server.state.find(row.tinker_path) is None


def test_local_failures_of_a_write_send_nothing(
    server: DemoServer, client_of: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    """A missing credential for a write is raised as such, not as an unknown outcome."""
    monkeypatch.setenv("TINKER_CREDENTIAL_CMD", "exit 3")
    client = client_of(server, api_key=None, cache=False)
    for call in (client.rest.delete_checkpoint, client.rest.unpublish_checkpoint):
        with pytest.raises(errors.AuthenticationError, match="ended with code 3") as caught:
            call(checkpoint(server).tinker_path)
        assert "not known" not in str(caught.value)
    assert server.requests.count() == 0


# ── the other dialects ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def tuft() -> Iterator[DemoServer]:
    with DemoServer(runs=4, seed=2, dialect="tuft") as running:
        yield running


@pytest.fixture
def skyrl() -> Iterator[DemoServer]:
    with DemoServer(runs=4, seed=2, dialect="skyrl") as running:
        yield running


def test_tuft_reads(tuft: DemoServer, client_of: Make) -> None:
    """TuFT's endpoints are read; the missing search is not supported; a missing object is its 500."""
    rest = client_of(tuft, retries=0).rest
    run = tuft.state.runs()[0].training_run_id
    assert rest.get_training_run(run)["training_run_id"] == run
    assert rest.list_checkpoints(run)["cursor"]["limit"] == 100
    with pytest.raises(errors.NotSupportedError):
        rest.search_sessions()
    with pytest.raises(errors.ServerError, match="Internal Server Error"):
        rest.get_training_run("missing")


@pytest.mark.parametrize("name", ["plain", "模型", "a b", "100%", "a\u202eb"])
def test_tuft_archive_is_on_its_own_disk(tuft: DemoServer, client_of: Make, name: str) -> None:
    """A file:// URL is refused and not shown, whatever the checkpoint's name."""
    row = tuft.state.add_checkpoint(kind="training", name=name)
    with pytest.raises(errors.NotSupportedError, match="file URL") as caught:
        client_of(tuft, retries=0).rest.get_checkpoint_archive_url(row.tinker_path)
    assert caught.value.status == 302
    assert "/var/lib" not in str(caught.value)


@pytest.mark.parametrize("location", ["file:///srv/模型.tar.gz", "C:\\tuft\\a", "", "file:a"])
def test_an_archive_at_a_local_path_is_refused(tuft: DemoServer, client_of: Make, location: str) -> None:
    """A Location on the server's disk, empty, or with non-ASCII bytes is refused."""
    tuft.faults.bursts.append(Burst(ARCHIVE, 302, headers={"Location": location.encode().decode("latin-1")}))
    with pytest.raises(errors.NotSupportedError, match="cannot be trusted") as caught:
        client_of(tuft, retries=0).rest.get_checkpoint_archive_url(checkpoint(tuft).tinker_path)
    assert "srv" not in str(caught.value)


def test_tuft_writes(tuft: DemoServer, client_of: Make) -> None:
    """Publish and delete work; unpublish fails and leaves the checkpoint public; a TTL is not supported."""
    rest = client_of(tuft, retries=0).rest
    row = tuft.state.add_checkpoint(kind="training", name="alone")
    for _ in range(2):
        rest.publish_checkpoint(row.tinker_path)
    assert row.public
    with pytest.raises(errors.ServerError):
        rest.unpublish_checkpoint(row.tinker_path)
    assert row.public
    with pytest.raises(errors.NotSupportedError):
        rest.set_checkpoint_ttl_from_tinker_path(row.tinker_path, 7200)
    rest.delete_checkpoint(row.tinker_path)
    assert tuft.state.find(row.tinker_path) is None


@pytest.mark.parametrize("endpoint", [DELETE, PUBLISH])
def test_tuft_twins_are_safe_while_the_list_fails(tuft: DemoServer, client_of: Make, endpoint: str) -> None:
    """While the run cannot be read, nothing is sent that could change a namesake."""
    run = tuft.state.runs()[0]
    training = tuft.state.add_checkpoint(run, "training", "twin")
    sampler = tuft.state.add_checkpoint(run, "sampler", "twin")
    tuft.faults.bursts.append(Burst("list_checkpoints", 403, times=1))
    with pytest.raises(errors.PermissionDeniedError):
        getattr(client_of(tuft, retries=0).rest, endpoint)(sampler.tinker_path)
    assert writes(tuft) == []
    assert tuft.state.find(training.tinker_path) is training


@pytest.mark.parametrize("endpoint", [DELETE, PUBLISH])
def test_tuft_would_take_another_of_the_same_name(tuft: DemoServer, client_of: Make, endpoint: str) -> None:
    """TuFT ignores the segment: of two checkpoints with one name in a run, neither is changed."""
    run = tuft.state.runs()[0]
    training = tuft.state.add_checkpoint(run, "training", "twin")
    sampler = tuft.state.add_checkpoint(run, "sampler", "twin")
    rest = client_of(tuft).rest
    for row in (training, sampler):
        with pytest.raises(errors.ConflictError, match="by name only") as caught:
            getattr(rest, endpoint)(row.tinker_path)
        assert not caught.value.retryable
    assert writes(tuft) == []
    assert not training.public
    assert tuft.state.find(sampler.tinker_path) is sampler


def test_tuft_delete_settled_by_a_proved_reading(tuft: DemoServer, client_of: Make) -> None:
    """A row that moves between the pages of the settling read is not taken for deleted.

    The run has 150 checkpoints; the delete answers 500 and does nothing; between the two pages that are read then, another row
    vanishes, so that the row in question moves from the second page to the first, which was read already.
    """
    run = tuft.state.runs()[0]
    for number in range(150):
        tuft.state.add_checkpoint(run, "training", f"many-{number}")
    client = client_of(tuft)
    path = f"{run_url(run.training_run_id)}/checkpoints"
    first, second = (client.rest._get_page(path, {"limit": 100, "offset": at})["checkpoints"] for at in (0, 100))
    target, other = second[0]["tinker_path"], first[0]["tinker_path"]
    settling: list[int] = []

    def vanish(endpoint: str, content: Any) -> Any:
        if endpoint == "list_checkpoints" and writes(tuft):
            settling.append(len(content["checkpoints"]))
            if len(settling) == 1:
                tuft.state.delete(tuft.state.find(other))
        return content

    tuft.faults.edit = vanish
    tuft.faults.bursts.append(Burst(DELETE, 500, times=1))
    client.rest.delete_checkpoint(target)
    assert settling[0] == 100
    assert tuft.state.find(target) is None
    assert len(writes(tuft)) == 2


def test_tuft_delete_of_what_never_existed(tuft: DemoServer, client_of: Make) -> None:
    """TuFT responds with a 500 to a delete of a missing checkpoint; this is reported before anything is sent."""
    run = tuft.state.runs()[0].training_run_id
    with pytest.raises(errors.NotFoundError, match="never-was"):
        client_of(tuft).rest.delete_checkpoint(f"tinker://{run}/weights/never-was")
    assert writes(tuft) == []


def test_skyrl(skyrl: DemoServer, client_of: Make) -> None:
    """SkyRL's endpoints are read; it has no sessions, user list or writes; its archives use bare sampler names."""
    rest = client_of(skyrl, api_key=None).rest
    sampler = skyrl.state.add_checkpoint(kind="sampler", name="alone")
    run = sampler.run.training_run_id
    assert rest.get_training_run(run)["model_owner"] == "default"
    assert "cursor" not in rest.list_checkpoints(run)
    answer = rest.get_checkpoint_archive_url(run, sampler.name)
    assert answer["url"] == f"{skyrl.url}{API}/training_runs/{run}/checkpoints/{sampler.name}/download"
    for call in (
        rest.list_sessions,
        rest.list_user_checkpoints,
        rest.search_sessions,
        lambda: rest.delete_checkpoint(sampler.tinker_path),
        lambda: rest.publish_checkpoint(sampler.tinker_path),
        lambda: rest.unpublish_checkpoint(sampler.tinker_path),
        lambda: rest.set_checkpoint_ttl_from_tinker_path(sampler.tinker_path, None),
        lambda: rest.get_checkpoint_archive_url(sampler.tinker_path),
    ):
        with pytest.raises(errors.NotSupportedError):
            call()


def test_skyrl_archive_that_is_being_built(skyrl: DemoServer, client_of: Make) -> None:
    """SkyRL's 425 is polled like a 503."""
    run = skyrl.state.runs()[0]
    row = skyrl.state.add_checkpoint(run, "sampler", "fresh", pending=True)
    run_when(
        lambda: 425 in {call.status for call in skyrl.requests.to(ARCHIVE)}, lambda: setattr(row, "pending", False)
    )
    answer = client_of(skyrl).rest.get_checkpoint_archive_url(
        run.training_run_id, "fresh", max_retries=200, retry_delay=0.05
    )
    assert answer["status"] == 302
    assert {call.status for call in skyrl.requests.to(ARCHIVE)} == {425, 302}
