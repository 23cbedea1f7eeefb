"""Publish, unpublish, TTL, delete, copy, and writes to sessions of the official service."""

from datetime import datetime, timedelta

import pytest

from .conftest import build_route, find_path


def find_row(web, path):
    """Return the row of a path in the list of its run, or None."""
    run = path.removeprefix("tinker://").partition("/")[0]
    rows = web.json(f"training_runs/{run}/checkpoints")["checkpoints"]
    return next((row for row in rows if row["tinker_path"] == path), None)


def test_publish_and_unpublish(web):
    """Publishing is visible in every list, repeating it is a 409, and unpublishing reverts it."""
    path = find_path(web, "sampler", public=False)
    assert web.post(build_route(path, "/publish")).status_code == 204
    assert find_row(web, path)["public"] is True
    assert path in {row["tinker_path"] for row in web.rows("checkpoints", "checkpoints", 1000) if row["public"]}
    again = web.post(build_route(path, "/publish"), json={})
    assert (again.status_code, again.json()) == (409, {"detail": "Checkpoint is already public."})
    assert web.delete(build_route(path, "/publish")).status_code == 204
    assert find_row(web, path)["public"] is False
    assert web.delete(build_route(path, "/publish")).status_code == 409


def test_delete_removes_the_row_everywhere(web):
    """A deleted checkpoint is in no list and in no run, and a second delete is a 404."""
    run = next(r for r in web.rows("training_runs", "training_runs", 100) if r["last_checkpoint"])
    path = run["last_checkpoint"]["tinker_path"]
    total = web.json("checkpoints")["cursor"]["total_count"]
    assert web.delete(build_route(path)).status_code == 204
    assert find_row(web, path) is None
    assert web.json("checkpoints")["cursor"]["total_count"] == total - 1
    last = web.json(f"training_runs/{run['training_run_id']}")["last_checkpoint"]
    assert (last or {}).get("tinker_path") != path
    assert web.delete(build_route(path)).status_code == 404


def test_delete_removes_one_type_only(web):
    """Deleting a training checkpoint keeps the sampler checkpoint of the same name."""
    rows = web.rows("checkpoints", "checkpoints", 1000)
    paths = {row["tinker_path"] for row in rows}
    twin = next(path for path in paths if path.replace("/weights/", "/sampler_weights/") in paths - {path})
    assert web.delete(build_route(twin)).status_code == 204
    assert find_row(web, twin.replace("/weights/", "/sampler_weights/"))


def test_ttl_counts_from_now_and_null_removes_it(web):
    """A TTL counts from the server's current time; null removes the expiry."""
    path = find_path(web)
    before = web.server.state.now()
    assert web.put(build_route(path, "/ttl"), json={"ttl_seconds": 86400}).status_code == 204
    left = datetime.fromisoformat(find_row(web, path)["expires_at"]) - before
    assert timedelta(days=1) <= left < timedelta(days=1, seconds=5)
    assert web.put(build_route(path, "/ttl"), json={"ttl_seconds": None}).status_code == 204
    assert find_row(web, path)["expires_at"] is None


@pytest.mark.parametrize(
    ("seconds", "status"), [(3599, 400), (3600, 204), (315_360_000, 204), (315_360_001, 400), (-1, 400)]
)
def test_ttl_bounds(web, seconds, status):
    """A TTL is between one hour and ten years."""
    reply = web.put(build_route(find_path(web), "/ttl"), json={"ttl_seconds": seconds})
    assert reply.status_code == status


@pytest.mark.parametrize("body", [{}, {"ttl_seconds": "soon"}, {"ttl_seconds": 3600.5}])
def test_ttl_must_be_present_and_an_integer(web, body):
    """ttl_seconds must be present, even if it is null, and an integer."""
    assert web.put(build_route(find_path(web), "/ttl"), json=body).status_code == 422


def test_expired_checkpoints_are_removed(web):
    """An expired checkpoint is in no list."""
    path = find_path(web)
    web.put(build_route(path, "/ttl"), json={"ttl_seconds": 3600})
    web.server.state.advance(minutes=59)
    assert find_row(web, path)
    web.server.state.advance(minutes=2)
    assert find_row(web, path) is None
    assert web.delete(build_route(path)).status_code == 404


@pytest.mark.parametrize("bad", ["0001", "weight/0001", "weights/a/b"])
@pytest.mark.parametrize(("method", "suffix"), [("POST", "/publish"), ("DELETE", "/publish"), ("DELETE", "")])
def test_invalid_checkpoint_ids_are_a_400(web, bad, method, suffix):
    """A checkpoint id without a known segment and a single name is a 400."""
    run = web.json("training_runs", limit=1)["training_runs"][0]["training_run_id"]
    assert web.request(method, f"training_runs/{run}/checkpoints/{bad}{suffix}").status_code == 400


def test_an_encoded_slash_is_accepted(web):
    """`weights%2F<name>` addresses the same checkpoint as a literal slash."""
    path = find_path(web)
    run, _, key = build_route(path).removeprefix("training_runs/").partition("/checkpoints/")
    assert web.delete(f"training_runs/{run}/checkpoints/{key.replace('/', '%2F')}").status_code == 204
    assert find_row(web, path) is None


def test_success_status_is_a_switch(serve, browse):
    """Writes can respond 200 with null instead of an empty 204."""
    web = browse(serve(runs=1, write_status=200))
    reply = web.post(build_route(find_path(web), "/publish"))
    assert (reply.status_code, reply.json()) == (200, None)


def test_names_equal_to_a_route_can_be_published(web):
    """A checkpoint named `ttl` is addressed like any other."""
    row = web.server.state.add_checkpoint(name="ttl")
    assert web.post(build_route(row.tinker_path, "/publish")).status_code == 204
    assert row.public


def test_copy_weights_once_per_idempotency_key(web):
    """A copy is a new run in the project; a repeated idempotency key returns the first copy."""
    body = {"source_path": find_path(web, "sampler"), "destination_project_id": "proj-evals"}
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


def test_create_and_finish_a_session(web):
    """A new session is active and first in the list; finishing it changes its status."""
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
