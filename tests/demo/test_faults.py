"""Every fault, and its effect on a plain client."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from email.utils import parsedate_to_datetime

import pytest
import requests

from tinker_frames.demo import Burst, Churn, Faults, Hang, Reset, Truncate

from .conftest import build_route, find_path


@pytest.fixture
def faults(web):
    """Return the faults of the server of `web`."""
    return web.server.faults


def get_statuses(web, times, path="checkpoints"):
    """Send this many requests and return the statuses."""
    return [web.get(path).status_code for _ in range(times)]


def test_latency_and_jitter(web, faults):
    """Every response is delayed, an endpoint can have its own delay, and clear() removes them."""
    faults.latency, faults.latency_of["list_sessions"] = 0.5, 0.0
    start = time.monotonic()
    web.get("sessions")
    assert time.monotonic() - start < 0.45
    web.get("checkpoints")
    assert time.monotonic() - start >= 0.5
    faults.clear()
    start = time.monotonic()
    faults.jitter = 0.05
    get_statuses(web, 3)
    assert time.monotonic() - start < 1.5


def test_latency_of_parallel_requests_overlaps(web, faults):
    """The delays of 64 parallel requests overlap, and max_concurrent() counts them."""
    faults.latency = 0.3
    with ThreadPoolExecutor(64) as pool:
        replies = list(pool.map(lambda _: requests.get(web.server.url + "/api/v1/healthz", timeout=30), range(64)))
    assert {reply.status_code for reply in replies} == {200}
    assert web.server.requests.max_concurrent("health_check") > 20


@pytest.mark.parametrize(
    ("endpoint", "path"), [("list_user_checkpoints", "checkpoints"), ("list_sessions", "sessions")]
)
def test_page_caps_refuse(web, faults, endpoint, path):
    """A page cap of style `422` refuses a larger limit as FastAPI does."""
    faults.page_caps[endpoint] = 7
    reply = web.get(path, params={"limit": 8})
    assert reply.status_code == 422
    assert reply.json()["detail"][0]["ctx"] == {"le": 7}
    assert web.get(path, params={"limit": 7}).status_code == 200


def test_page_caps_lower_silently(web, faults):
    """A page cap of style `silent` lowers the limit, which only the cursor shows."""
    faults.page_caps.update(list_user_checkpoints=7, search_sessions=3, list_sessions=2)
    faults.cap_style = "silent"
    page = web.json("checkpoints", limit=100, offset=3)
    assert len(page["checkpoints"]) == 7
    assert (page["cursor"]["limit"], page["cursor"]["offset"]) == (7, 3)
    assert len(web.json("sessions", limit=100)["sessions"]) == 2
    assert len(web.post("sessions/search", json={"limit": 50}).json()["sessions"]) == 3


def test_page_cap_of_the_search_refuses(web, faults):
    """The session search, whose limit is in the body, has a cap too; an invalid body is left to the service."""
    faults.page_caps["search_sessions"] = 3
    reply = web.post("sessions/search", json={"limit": 4})
    assert (reply.status_code, reply.json()["detail"][0]["loc"]) == (422, ["body", "limit"])
    assert web.post("sessions/search", data="{").status_code == 422


def test_burst_counts_down(web, faults):
    """A burst fails a number of requests to its endpoint, after some that succeed, with its headers."""
    faults.bursts = [
        Burst("list_user_checkpoints", 429, times=2, after=1, retry_after="1.5", headers={"x-should-retry": "true"})
    ]
    assert web.get("sessions").status_code == 200
    assert get_statuses(web, 2) == [200, 429]
    reply = web.get("checkpoints")
    assert (reply.headers["Retry-After"], reply.headers["x-should-retry"]) == ("1.5", "true")
    assert reply.json() == {"detail": "Too Many Requests."}
    assert get_statuses(web, 1) == [200]
    assert faults.bursts[0].hits == 2


def test_burst_on_every_endpoint(web, faults):
    """With `times=None` and `*` every endpoint fails until the burst is removed."""
    faults.bursts = [Burst(status=500, times=None, body=b"oops")]
    assert [web.get(path).status_code for path in ("sessions", "checkpoints", "healthz")] == [500] * 3
    assert web.get("sessions").text == "oops"
    faults.bursts.clear()
    assert get_statuses(web, 1) == [200]


def test_burst_with_probability_is_repeatable(serve, browse):
    """With a probability some requests fail, the same ones for the same seed."""
    hits = [
        get_statuses(browse(serve(runs=1, faults=Faults(bursts=[Burst(status=503, times=None, probability=0.5)]))), 20)
        for _ in range(2)
    ]
    assert hits[0] == hits[1]
    assert set(hits[0]) == {200, 503}


def test_burst_may_apply_first(web, faults):
    """With `then="apply"` the write is executed although the response is an error."""
    path = find_path(web)
    faults.bursts = [Burst("delete_checkpoint", 500, times=1, then="apply")]
    assert web.delete(build_route(path)).status_code == 500
    assert web.delete(build_route(path)).status_code == 404


def test_plain_burst_does_not_apply(web, faults):
    """By default a write that fails is not executed."""
    path = find_path(web)
    faults.bursts = [Burst("delete_checkpoint", 503, times=1)]
    assert [web.delete(build_route(path)).status_code for _ in range(2)] == [503, 204]


def test_nonstandard_status(web, faults):
    """A status without a phrase, as some proxies send, is possible."""
    faults.bursts = [Burst(status=529)]
    assert web.get("sessions").status_code == 529


def test_reset_is_a_connection_error(web, faults):
    """A reset closes the connection without a response; the next request succeeds."""
    faults.resets = [Reset("list_user_checkpoints", times=2)]
    for _ in range(2):
        with pytest.raises(requests.ConnectionError):
            web.get("checkpoints")
    assert get_statuses(web, 1) == [200]
    assert [call.status for call in web.server.requests.to("list_user_checkpoints")] == [0, 0, 200]


def test_reset_may_apply_first(web, faults):
    """With `then="apply"` the write is executed before the reset."""
    path = find_path(web)
    faults.resets = [Reset("delete_checkpoint", times=1, then="apply")]
    with pytest.raises(requests.ConnectionError):
        web.delete(build_route(path))
    assert web.delete(build_route(path)).status_code == 404


def test_truncated_body_is_an_error(web, faults):
    """A truncated body is shorter than its Content-Length, which requests reports as an error."""
    faults.truncate = [Truncate("list_user_checkpoints", times=1)]
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        web.get("checkpoints")
    assert get_statuses(web, 1) == [200]


def test_hang_is_a_timeout(web, faults):
    """A delayed response exceeds a short timeout of the client, and arrives within a long one."""
    faults.hang = [Hang("list_user_checkpoints", times=1, seconds=30)]
    with pytest.raises(requests.ReadTimeout):
        web.get("checkpoints", timeout=0.2)
    faults.hang = [Hang("list_user_checkpoints", times=1, seconds=0.2)]
    assert web.get("checkpoints").status_code == 200


def test_hang_may_apply_first(web, faults):
    """With `then="apply"` the write is executed before the delay."""
    path = find_path(web)
    faults.hang = [Hang("delete_checkpoint", times=1, seconds=30, then="apply")]
    with pytest.raises(requests.ReadTimeout):
        web.delete(build_route(path), timeout=0.2)
    assert web.delete(build_route(path)).status_code == 404


def test_missing_endpoints_are_unknown_routes(web, faults):
    """A missing endpoint responds 404 Not Found; the others are unaffected."""
    faults.missing = {"search_sessions"}
    reply = web.post("sessions/search", json={})
    assert (reply.status_code, reply.json()) == (404, {"detail": "Not Found"})
    assert web.get("sessions").status_code == 200


@pytest.mark.parametrize("selector", [True, {"delete_checkpoint"}])
def test_ignored_writes(web, faults, selector):
    """An ignored write responds 204 and changes nothing."""
    path, faults.ignore_writes = find_path(web), selector
    assert [web.delete(build_route(path)).status_code for _ in range(2)] == [204, 204]
    faults.ignore_writes = False
    assert web.delete(build_route(path)).status_code == 204


def test_churn_adds_rows_between_pages(web, faults):
    """Rows added between pages make a later page repeat a row."""
    faults.churn = [Churn(added_per_page=1, times=4)]
    keys = [row["tinker_path"] for row in web.rows("checkpoints", "checkpoints", 50)]
    assert len(set(keys)) < len(keys)


def test_churn_removes_rows_between_pages(web, faults):
    """Rows removed between pages make later pages skip rows that still exist."""
    faults.churn = [Churn(removed_per_page=3)]
    keys = {row["tinker_path"] for row in web.rows("checkpoints", "checkpoints", 20)}
    faults.clear()
    assert {row["tinker_path"] for row in web.rows("checkpoints", "checkpoints", 1000)} - keys


@pytest.mark.parametrize(("endpoint", "path"), [("list_sessions", "sessions"), ("list_training_runs", "training_runs")])
def test_churn_of_sessions_and_runs(web, faults, endpoint, path):
    """Sessions and runs are added and removed as well, for the given number of pages."""
    before = len(web.rows(path, path, 100))
    faults.churn = [Churn(endpoint, added_per_page=2, removed_per_page=1, times=1)]
    for _ in range(4):
        web.get(path)
    assert len(web.rows(path, path, 100)) == before + 1


def test_churn_before_a_page(web, faults):
    """A function can change the account before the n-th page."""
    faults.churn = [Churn(before_page={2: lambda state: state.advance(days=4000)})]
    with_expiry = [row for row in web.json("checkpoints", limit=1000)["checkpoints"] if row["expires_at"]]
    assert with_expiry
    assert not [row for row in web.json("checkpoints", limit=1000)["checkpoints"] if row["expires_at"]]


def test_edit_changes_the_response(web, faults):
    """An edit can send unexpected types, naive times and unknown fields."""

    def odd(endpoint, body):
        if endpoint == "list_user_checkpoints":
            body["checkpoints"][0] |= {"size_bytes": 1.5, "time": "2026-01-01T00:00:00", "colour": "blue"}
        return body

    faults.edit = odd
    row = web.json("checkpoints")["checkpoints"][0]
    assert (row["size_bytes"], row["time"], row["colour"]) == (1.5, "2026-01-01T00:00:00", "blue")
    assert web.get("checkpoints", params={"limit": 0}).status_code == 422


def test_no_cursor(web, faults):
    """Pages can lack their cursor."""
    faults.no_cursor = {"list_user_checkpoints"}
    assert set(web.json("checkpoints")) == {"checkpoints"}
    assert "cursor" in web.json("training_runs")


def test_write_slowdown(web, faults):
    """Concurrent writes above the capacity are slowed down; those within it are not."""
    paths = [find_path(web)] * 8
    faults.write_slowdown, faults.write_capacity, faults.write_latency = 0.1, 2, 0.05

    def publish(path):
        headers = {"X-API-Key": web.server.key}
        url = f"{web.server.url}/api/v1/{build_route(path, '/publish')}"
        return requests.post(url, headers=headers, timeout=5).elapsed.total_seconds()

    assert publish(paths[0]) < 0.3
    with ThreadPoolExecutor(8) as pool:
        assert max(pool.map(publish, paths)) > 0.3


def test_rate_limit(web, faults):
    """Requests above the rate are a 429 with the actual wait in Retry-After, and succeed afterwards."""
    faults.rate_limit, faults.rate_limited = 2, "list_user_checkpoints"
    replies = [web.get("checkpoints") for _ in range(12)]
    refused = [reply for reply in replies if reply.status_code == 429]
    assert 0 < len(refused) < 12
    assert {reply.headers["Retry-After"] for reply in refused} == {"1"}
    assert web.get("sessions").status_code == 200
    time.sleep(0.6)
    assert web.get("checkpoints").status_code == 200
    faults.rate_limit_retry_after = "0.2"
    assert "0.2" in {web.get("checkpoints").headers.get("Retry-After") for _ in range(6)}


def test_headers_and_clock_skew(web, faults):
    """Headers can be added to every response, and its Date can be wrong."""
    right = parsedate_to_datetime(web.get("healthz").headers["Date"])
    faults.headers, faults.clock_skew = {"x-deprecation-note": "move on"}, -3600
    reply = web.get("healthz")
    assert reply.headers["x-deprecation-note"] == "move on"
    assert 3590 < (right - parsedate_to_datetime(reply.headers["Date"])).total_seconds() < 3610


def test_request_log(web):
    """The request log has the endpoint, raw path, query, headers, body, status and times of each request."""
    path = build_route(find_path(web), "/ttl")
    web.server.requests.clear()
    web.put(path, json={"ttl_seconds": None}, params={"a": "b"}, headers={"X-Idempotency-Key": "k"})
    request = web.server.requests[0]
    assert (request.endpoint, request.method, request.query, request.status) == (
        "set_checkpoint_ttl",
        "PUT",
        {"a": "b"},
        204,
    )
    assert request.raw_path == f"/api/v1/{path}"
    assert (request.headers["x-api-key"], request.headers["x-idempotency-key"]) == ("tml-demo", "k")
    assert json.loads(request.body) == {"ttl_seconds": None}
    assert request.ended >= request.started
    log = web.server.requests
    assert log.count() == log.count("set_checkpoint_ttl") == len(log) == 1
    assert web.get("nowhere").status_code == 404
    assert [request.endpoint for request in log] == ["set_checkpoint_ttl", "unknown"]
