"""Copies, projects, traces, billing, storage cost and audit."""

from datetime import UTC, datetime, timedelta

import pytest
import requests

from .conftest import call_path, some_path


def test_copy_weights_once_per_idempotency_key(web):
    """A copy is a new run in the project; the same idempotency key gives the same copy again."""
    body = {"source_path": some_path(web, "sampler"), "destination_project_id": "proj-evals"}
    first, again, other = (
        web.post("copy_weights", json=body, headers={"X-Idempotency-Key": key}).json()["tinker_path"]
        for key in ("a", "a", "b")
    )
    assert first == again != other
    assert first in {row["tinker_path"] for row in web.json("checkpoints", limit=5)["checkpoints"]}
    refused = web.post("copy_weights", json=body | {"destination_project_id": "proj-board-only"})
    assert refused.status_code == 403
    assert web.post("copy_weights", json=body | {"source_path": "tinker://x/weights/y"}).status_code == 403


def test_project_of_a_session(web):
    """A session moves with its runs; a project without access is a 403, a missing session a 404."""
    run = web.json("training_runs", limit=1)["training_runs"][0]["training_run_id"]
    session = run.partition(":")[0]
    for project in ("proj-evals", "proj-math-rl"):
        assert web.put(f"sessions/{session}/project", json={"project_id": project}).status_code == 204
        runs = web.json("training_runs", project_id=project, limit=100)["training_runs"]
        assert run in {row["training_run_id"] for row in runs}
    assert web.put(f"sessions/{session}/project", json={"project_id": "proj-board-only"}).status_code == 403
    assert web.put("sessions/none/project", json={"project_id": "proj-evals"}).status_code == 404


def test_trace_export_is_pending_first(serve, browse):
    """The first calls say pending; then a signed URL is there."""
    web = browse(serve(runs=1, trace_polls=2))
    session = web.json("sessions")["sessions"][0]
    polls = [web.json(f"sessions/{session}/trace_export") for _ in range(3)]
    assert [poll["status"] for poll in polls] == ["pending", "pending", "ready"]
    assert requests.get(polls[2]["url"], timeout=5).status_code == 200


def usage(web, start, end):
    """Ask for billing events."""
    return web.get("billing/usage/events", params={"starting_on": start.isoformat(), "ending_before": end.isoformat()})


HOUR = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)


def test_billing_usage_adds_up(serve, browse):
    """Usage comes by hour; costs equal rate times quantity; some are unknown, which is null."""
    reply = usage(browse(serve()), HOUR - timedelta(days=14), HOUR).json()
    events = reply["data"]
    assert {event["event_info"]["type"] for event in events} == {"training", "storage"}
    assert [e["bucket_start"] for e in events] == sorted(e["bucket_start"] for e in events)
    assert None in {event["estimated_cost_usd"] for event in events}
    for event in events:
        rate, cost = event["effective_rate_usd_per_million_tokens"], event["estimated_cost_usd"]
        if rate is not None:
            assert cost == pytest.approx(rate * event["event_info"]["token_count"] / 1e6, abs=1e-5)
    assert {e["session_id"] for e in events} - {None} == set(reply["sessions"])


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (HOUR - timedelta(days=15), HOUR),
        (HOUR + timedelta(hours=2), HOUR + timedelta(hours=3)),
        (HOUR, HOUR),
        (HOUR - timedelta(minutes=30), HOUR),
    ],
)
def test_billing_usage_bounds(web, start, end):
    """Spans over 14 days, in the future, empty, or off the hour are refused."""
    assert usage(web, start, end).status_code == 400


def test_storage_usage_adds_up(web):
    """Storage rows by project and owner add up to what the sessions hold."""
    reply = web.json("billing/usage/checkpoints/current")
    mine = [row for row in reply["data"] if row["org_user_urn"] == web.server.state.me.urn]
    rows = web.rows("checkpoints", "checkpoints", 1000)
    assert sum(row["checkpoint_count"] for row in mine) == len(rows)
    assert sum(row["size_bytes"] for row in mine) == sum(row["size_bytes"] or 0 for row in rows)
    one = web.json("billing/usage/checkpoints/current", project_id="proj-evals")["data"]
    assert one == [row for row in reply["data"] if row["project_id"] == "proj-evals"]


def test_audit_tells_what_was_done_today(web):
    """The audit log of today has the publish and the delete, in order of time."""
    path = some_path(web)
    web.post(call_path(path, "/publish"))
    web.delete(call_path(path))
    entries = web.json("audit", event_type="checkpoints")["entries"]
    done = [entry["event"] for entry in entries if entry["tinker_path"] == path]
    assert done[-2:] == ["checkpoint_publish", "checkpoint_delete"]
    assert [e["timestamp"] for e in entries] == sorted(e["timestamp"] for e in entries)
    assert web.json("audit", event_type="projects") == {"entries": []}


def test_billing_and_audit_need_the_role(serve, browse):
    """Without the role of an administrator they are a 403."""
    web = browse(serve(runs=1, admin=False))
    assert usage(web, HOUR - timedelta(days=1), HOUR).status_code == 403
    assert web.get("billing/usage/checkpoints/current").status_code == 403
    assert web.get("audit").status_code == 403


def test_sessions_come_and_go(web):
    """A new session is active and listed first; finishing it changes its status."""
    body = {"tags": [], "user_metadata": {"a": "b"}, "sdk_version": "x", "display_name": "brand new"}
    session = web.post("create_session", json=body).json()["session_id"]
    assert web.json("sessions", limit=1)["sessions"] == [session]
    assert web.post("session_heartbeat", json={"session_id": session}).status_code == 200
    assert web.post("session_heartbeat", json={"session_id": "none"}).status_code == 404
    found = {"session_id": session}
    assert web.post("sessions/search", json=found).json()["sessions"][0]["status"] == {"type": "active"}
    assert web.post(f"sessions/{session}/finish", json={}).status_code == 200
    status = web.post("sessions/search", json=found).json()["sessions"][0]["status"]
    assert status["reason"] == {"type": "success"}
