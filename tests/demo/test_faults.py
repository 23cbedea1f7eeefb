"""Every fault, and its effect on a plain client."""

import json
import time
from email.utils import parsedate_to_datetime

import pytest
import requests

from tinker_frames.demo import Burst, Churn, Faults, Hang, Reset

from .conftest import build_route, find_path


@pytest.fixture
def faults(web):
    """Return the faults of the server of `web`."""
    return web.server.faults


def get_statuses(web, times, path="checkpoints"):
    """Send this many requests and return the statuses."""
    return [web.get(path).status_code for _ in range(times)]


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


def test_burst_with_probability_is_repeatable(serve, browse):
    """With a probability some requests fail, the same ones for the same seed."""
    hits = [
        get_statuses(browse(serve(runs=1, faults=Faults(bursts=[Burst(status=503, times=None, probability=0.5)]))), 20)
        for _ in range(2)
    ]
    assert hits[0] == hits[1]
    assert set(hits[0]) == {200, 503}


def test_nonstandard_status(web, faults):
    """A status without a phrase, as some proxies send, is possible."""
    faults.bursts = [Burst(status=529)]
    assert web.get("sessions").status_code == 529


def test_reset_may_apply_first(web, faults):
    """With `then="apply"` the write is executed before the reset."""
    path = find_path(web)
    faults.resets = [Reset("delete_checkpoint", times=1, then="apply")]
    with pytest.raises(requests.ConnectionError):
        web.delete(build_route(path))
    assert web.delete(build_route(path)).status_code == 404


def test_hang_may_apply_first(web, faults):
    """With `then="apply"` the write is executed before the delay."""
    path = find_path(web)
    faults.hang = [Hang("delete_checkpoint", times=1, seconds=30, then="apply")]
    with pytest.raises(requests.ReadTimeout):
        web.delete(build_route(path), timeout=0.2)
    assert web.delete(build_route(path)).status_code == 404


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
