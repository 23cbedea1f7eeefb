"""Publish, unpublish, TTL and delete on the official service."""

from datetime import datetime, timedelta

import pytest

from .conftest import call_path, some_path


def row_of(web, path):
    """Return the row of a path in the list of its run, or None."""
    run = path.removeprefix("tinker://").partition("/")[0]
    rows = web.json(f"training_runs/{run}/checkpoints")["checkpoints"]
    return next((row for row in rows if row["tinker_path"] == path), None)


def test_publish_and_unpublish(web):
    """Publishing shows in every list; doing it again is a 409; unpublishing takes it back."""
    path = some_path(web, "sampler", public=False)
    assert web.post(call_path(path, "/publish")).status_code == 204
    assert row_of(web, path)["public"] is True
    assert path in {row["tinker_path"] for row in web.rows("checkpoints", "checkpoints", 1000) if row["public"]}
    again = web.post(call_path(path, "/publish"), json={})
    assert (again.status_code, again.json()) == (409, {"detail": "Checkpoint is already public."})
    assert web.delete(call_path(path, "/publish")).status_code == 204
    assert row_of(web, path)["public"] is False
    assert web.delete(call_path(path, "/publish")).status_code == 409


def test_delete_removes_the_row_everywhere(web):
    """A deleted checkpoint is in no list, its run and session follow, and a second delete is a 404."""
    run = next(r for r in web.rows("training_runs", "training_runs", 100) if r["last_checkpoint"])
    path = run["last_checkpoint"]["tinker_path"]
    total = web.json("checkpoints")["cursor"]["total_count"]
    assert web.delete(call_path(path)).status_code == 204
    assert row_of(web, path) is None
    assert web.json("checkpoints")["cursor"]["total_count"] == total - 1
    last = web.json(f"training_runs/{run['training_run_id']}")["last_checkpoint"]
    assert (last or {}).get("tinker_path") != path
    assert web.delete(call_path(path)).status_code == 404


def test_delete_touches_one_type_only(web):
    """A training and a sampler checkpoint of one name are two."""
    rows = web.rows("checkpoints", "checkpoints", 1000)
    paths = {row["tinker_path"] for row in rows}
    twin = next(path for path in paths if path.replace("/weights/", "/sampler_weights/") in paths - {path})
    assert web.delete(call_path(twin)).status_code == 204
    assert row_of(web, twin.replace("/weights/", "/sampler_weights/"))


def test_ttl_counts_from_now_and_null_removes_it(web):
    """A TTL is counted from the server's now; null removes the expiry."""
    path = some_path(web)
    before = web.server.state.now()
    assert web.put(call_path(path, "/ttl"), json={"ttl_seconds": 86400}).status_code == 204
    left = datetime.fromisoformat(row_of(web, path)["expires_at"]) - before
    assert timedelta(days=1) <= left < timedelta(days=1, seconds=5)
    assert web.put(call_path(path, "/ttl"), json={"ttl_seconds": None}).status_code == 204
    assert row_of(web, path)["expires_at"] is None


@pytest.mark.parametrize(
    ("seconds", "status"), [(3599, 400), (3600, 204), (315_360_000, 204), (315_360_001, 400), (-1, 400)]
)
def test_ttl_bounds(web, seconds, status):
    """A TTL lies between an hour and ten years."""
    reply = web.put(call_path(some_path(web), "/ttl"), json={"ttl_seconds": seconds})
    assert reply.status_code == status


@pytest.mark.parametrize("body", [{}, {"ttl_seconds": "soon"}, {"ttl_seconds": 3600.5}])
def test_ttl_must_be_there_and_whole(web, body):
    """The field must be present, also when it is null, and must be a whole number."""
    assert web.put(call_path(some_path(web), "/ttl"), json=body).status_code == 422


def test_expired_checkpoints_vanish(web):
    """When its time is over a checkpoint is gone from every list."""
    path = some_path(web)
    web.put(call_path(path, "/ttl"), json={"ttl_seconds": 3600})
    web.server.state.advance(minutes=59)
    assert row_of(web, path)
    web.server.state.advance(minutes=2)
    assert row_of(web, path) is None
    assert web.delete(call_path(path)).status_code == 404


@pytest.mark.parametrize("bad", ["0001", "weight/0001", "weights/a/b"])
@pytest.mark.parametrize(("method", "suffix"), [("POST", "/publish"), ("DELETE", "/publish"), ("DELETE", "")])
def test_bad_checkpoint_ids_are_a_400(web, bad, method, suffix):
    """An id without a known segment and one name is refused."""
    run = web.json("training_runs", limit=1)["training_runs"][0]["training_run_id"]
    assert web.request(method, f"training_runs/{run}/checkpoints/{bad}{suffix}").status_code == 400


def test_an_encoded_slash_is_taken_too(web):
    """`weights%2F<name>` reaches the same checkpoint as the literal slash."""
    path = some_path(web)
    run, _, key = call_path(path).removeprefix("training_runs/").partition("/checkpoints/")
    assert web.delete(f"training_runs/{run}/checkpoints/{key.replace('/', '%2F')}").status_code == 204
    assert row_of(web, path) is None


def test_success_status_is_a_switch(serve, browse):
    """Writes may answer 200 with a body of null instead of an empty 204."""
    web = browse(serve(runs=1, write_status=200))
    reply = web.post(call_path(some_path(web), "/publish"))
    assert (reply.status_code, reply.json()) == (200, None)


def test_names_that_are_words_of_the_api_can_be_published(web):
    """A checkpoint named `ttl` is reached like any other."""
    row = web.server.state.add_checkpoint(name="ttl")
    assert web.post(call_path(row.tinker_path, "/publish")).status_code == 204
    assert row.public
