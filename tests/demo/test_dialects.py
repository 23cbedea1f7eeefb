"""The dialects but the official one: each row of the difference matrix."""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from uuid import UUID

import pytest
import requests

from tinker_frames.demo import ENDPOINTS
from tinker_frames.demo.service.app import ROUTERS

from .conftest import build_route


@pytest.fixture
def tuft(serve, browse):
    """Return a client of a TuFT-like server."""
    return browse(serve(runs=20, dialect="tuft"))


@pytest.fixture
def skyrl(serve, browse):
    """Return a client of a SkyRL-like server."""
    return browse(serve(runs=20, dialect="skyrl"), None)


def list_all_checkpoints(web):
    """Return the checkpoints of every run."""
    runs = web.rows("training_runs", "training_runs", 100)
    return [r for run in runs for r in web.json(f"training_runs/{run['training_run_id']}/checkpoints")["checkpoints"]]


def test_every_endpoint_is_served_by_a_dialect():
    """Each entry of ENDPOINTS is a route of at least one dialect, with its method."""
    routes = {
        (route.endpoint.__name__, *route.methods)
        for routers in ROUTERS.values()
        for router in routers
        for route in router.routes
    }
    assert routes == {(name, method) for name, (method, _) in ENDPOINTS.items()}


# TuFT


def test_tuft_authentication(tuft, browse):
    """No key is a 401, a wrong one a 403; capabilities and health are open; config requires a key and a body."""
    nobody, wrong = browse(tuft.server, None), browse(tuft.server, "tml-wrong")
    assert [one.get("training_runs").status_code for one in (nobody, wrong, tuft)] == [401, 403, 200]
    assert "capabilities" in nobody.json("get_server_capabilities")
    assert nobody.json("healthz") == {"status": "ok"}
    assert nobody.post("client/config", json={}).status_code == 401
    assert [tuft.post("client/config", json=body).status_code for body in (None, {})] == [422, 200]


def test_tuft_refuses_its_own_token(tuft, browse):
    """TuFT issues a JWT and then refuses it."""
    jwt = tuft.post("auth/token", json={}).json()["jwt"]
    assert browse(tuft.server, jwt).get("training_runs").status_code == 403


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "training_runs/none"),
        ("GET", "training_runs/none/checkpoints"),
        ("GET", "sessions/none"),
        ("GET", "samplers/none"),
        ("DELETE", "training_runs/none/checkpoints/weights/a"),
        ("POST", "training_runs/none/checkpoints/weights/a/publish"),
    ],
)
def test_tuft_missing_objects_are_a_500(tuft, method, path):
    """A missing object is a 500 in plain text."""
    reply = tuft.request(method, path)
    assert (reply.status_code, reply.text) == (500, "Internal Server Error")
    assert reply.headers["Content-Type"].startswith("text/plain")


def test_tuft_lists(tuft):
    """Sessions are sorted oldest first, the user's list has training checkpoints only, a run's list is paged oldest first."""
    sessions = tuft.rows("sessions", "sessions", 7)
    created = [tuft.server.state.session(one).created_at for one in sessions]
    assert created == sorted(created)
    user = tuft.rows("checkpoints", "checkpoints", 100)
    assert {row["checkpoint_type"] for row in user} == {"training"}
    run = max(tuft.rows("training_runs", "training_runs", 10), key=lambda run: len(list_run(tuft, run)))
    rows = list_run(tuft, run)
    assert {row["checkpoint_type"] for row in rows} == {"training", "sampler"}
    assert [row["time"] for row in rows] == sorted(row["time"] for row in rows)
    page = tuft.json(f"training_runs/{run['training_run_id']}/checkpoints", limit=3, offset=2)
    assert page == {"checkpoints": rows[2:5], "cursor": {"offset": 2, "limit": 3, "total_count": len(rows)}}
    assert tuft.json(f"training_runs/{run['training_run_id']}/checkpoints")["cursor"]["limit"] == 100


def list_run(web, run):
    """Return all rows of a run's list of checkpoints."""
    return web.rows(f"training_runs/{run['training_run_id']}/checkpoints", "checkpoints", 9)


@pytest.mark.parametrize(("path", "cap"), [("sessions", 500), ("training_runs", 500), ("checkpoints", 1000)])
def test_tuft_caps(tuft, path, cap):
    """TuFT refuses a limit above 500, or above 1000 for checkpoints."""
    assert tuft.get(path, params={"limit": cap + 1}).json()["detail"][0]["ctx"] == {"le": cap}


def test_tuft_shapes(tuft):
    """Ids are bare, checkpoints lack metadata, sessions have ids only, access_scope and project_id are ignored."""
    run = next(one for one in tuft.json("training_runs")["training_runs"] if one["last_checkpoint"])
    UUID(run["training_run_id"])
    assert set(run["last_checkpoint"]) == {
        *("checkpoint_id", "checkpoint_type", "time", "tinker_path", "size_bytes", "public", "expires_at")
    }
    assert "/" not in run["last_checkpoint"]["checkpoint_id"]
    session = tuft.json("sessions")["sessions"][0]
    assert set(tuft.json(f"sessions/{session}")) == {"training_run_ids", "sampler_ids"}
    wide = tuft.json("training_runs", limit=500, access_scope="accessible", project_id="nowhere")
    assert wide["cursor"]["total_count"] == 20


def test_tuft_unsupported_endpoints(tuft):
    """TTL, session search and external URLs are a 405; copies, billing and audit a 404; external ids a 400."""
    path = build_route(list_all_checkpoints(tuft)[0]["tinker_path"])
    assert tuft.put(path + "/ttl", json={"ttl_seconds": 7200}).status_code == 405
    assert tuft.post("sessions/search", json={}).status_code == 405
    assert tuft.get(path + "/external_weights_urls").status_code == 405
    for gone in ("billing/usage/events", "audit", "sessions/a/trace_export"):
        assert tuft.get(gone).json() == {"detail": "Not Found"}
    assert tuft.delete("training_runs/a/checkpoints/external_weights/b").status_code == 400


def test_tuft_weights_info_of_a_missing_checkpoint(tuft):
    """Weights info succeeds for a checkpoint that does not exist, but not for an external one."""
    run = tuft.json("training_runs")["training_runs"][0]
    body = {"tinker_path": f"tinker://{run['training_run_id']}/weights/never-saved"}
    assert tuft.post("weights_info", json=body).json()["train_mlp"] is None
    body = {"tinker_path": f"tinker://{run['training_run_id']}/external_weights/a"}
    assert tuft.post("weights_info", json=body).status_code == 500


# SkyRL


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "sessions"),
        ("GET", "sessions/a"),
        ("POST", "sessions/search"),
        ("GET", "checkpoints"),
        ("POST", "auth/token"),
        ("DELETE", "training_runs/a/checkpoints/b"),
        ("POST", "training_runs/a/checkpoints/b/publish"),
        ("DELETE", "training_runs/a/checkpoints/b/publish"),
        ("PUT", "training_runs/a/checkpoints/b/ttl"),
        ("GET", "training_runs/a/checkpoints/b/external_weights_urls"),
        ("GET", "training_runs/a/checkpoints/weights/b/archive"),
        ("POST", "copy_weights"),
    ],
)
def test_skyrl_unsupported_endpoints(skyrl, method, path):
    """Sessions, the user's list and all writes are unknown routes."""
    reply = skyrl.request(method, path)
    assert (reply.status_code, reply.json()) == (404, {"detail": "Not Found"})


def test_skyrl_runs(skyrl):
    """Runs have no cap: a limit of -1 is all, 0 none; the total of an empty page is 0; the newest checkpoints are null."""
    everything = skyrl.json("training_runs", limit=-1)
    assert everything["cursor"] == {"offset": 0, "limit": -1, "total_count": 20}
    assert skyrl.rows("training_runs", "training_runs", 7) == everything["training_runs"]
    assert skyrl.json("training_runs", limit=10**6)["cursor"]["total_count"] == 20
    for query in ({"limit": 0}, {"offset": 999}):
        page = skyrl.json("training_runs", **query)
        assert (page["training_runs"], page["cursor"]["total_count"]) == ([], 0)
    for run in everything["training_runs"]:
        assert run["training_run_id"].startswith("model_")
        assert not run["last_request_time"].endswith("Z")
        assert (run["last_checkpoint"], run["last_sampler_checkpoint"], run["user_metadata"]) == (None, None, None)
        assert run["model_owner"] == "default"


def test_skyrl_checkpoints(skyrl):
    """A run's list has no cursor, and rows have four fields, with bare names and times without a time zone."""
    run = skyrl.json("training_runs", limit=-1)["training_runs"][0]["training_run_id"]
    page = skyrl.json(f"training_runs/{run}/checkpoints")
    assert set(page) == {"checkpoints"}
    assert page == skyrl.json(f"models/{run}/checkpoints")
    rows = list_all_checkpoints(skyrl)
    assert {frozenset(row) for row in rows} == {frozenset(["checkpoint_id", "checkpoint_type", "time", "tinker_path"])}
    assert all(datetime.fromisoformat(row["time"]).tzinfo is None for row in rows)
    assert len({row["tinker_path"] for row in rows}) == len(rows) > len({row["checkpoint_id"] for row in rows})


def test_skyrl_unknown_run(skyrl):
    """An unknown run is a 404, its list of checkpoints is empty, and an id with other characters is a 422."""
    assert skyrl.get("training_runs/model_none").status_code == 404
    assert skyrl.json("training_runs/model_none/checkpoints") == {"checkpoints": []}
    assert skyrl.get("training_runs/a%20b/checkpoints").status_code == 422


def add_pending(web, kind):
    """Add a checkpoint that is still being saved."""
    return web.server.state.add_checkpoint(kind=kind, name=f"pending-{kind}", pending=True)


def test_skyrl_archive(skyrl):
    """The archive of a sampler checkpoint redirects to a download; a pending one is a 425, a missing one a 404."""
    row = next(row for row in list_all_checkpoints(skyrl) if row["checkpoint_type"] == "sampler")
    run = row["tinker_path"].removeprefix("tinker://").partition("/")[0]
    reply = skyrl.get(f"training_runs/{run}/checkpoints/{row['checkpoint_id']}/archive")
    assert reply.status_code == 302
    left = parsedate_to_datetime(reply.headers["Expires"]) - datetime.now(UTC)
    assert timedelta(minutes=118) < left
    assert requests.get(reply.headers["Location"], timeout=5).status_code == 200
    late = add_pending(skyrl, "sampler")
    base = f"training_runs/{late.run.training_run_id}/checkpoints"
    assert skyrl.get(f"{base}/{late.name}/archive").status_code == 425
    assert late.tinker_path not in {row["tinker_path"] for row in skyrl.json(base)["checkpoints"]}
    assert skyrl.get(f"{base}/none/archive").json() == {"detail": "Checkpoint not found"}


def test_skyrl_weights_info(skyrl):
    """Weights info is for training checkpoints: others are a 400, pending ones a 425, missing ones a 404."""
    row = next(row for row in list_all_checkpoints(skyrl) if row["checkpoint_type"] == "training")
    info = skyrl.post("weights_info", json={"tinker_path": row["tinker_path"]}).json()
    assert set(info) == {"base_model", "is_lora", "lora_rank"}
    paths = [row["tinker_path"].replace("/weights/", "/sampler_weights/"), add_pending(skyrl, "training").tinker_path]
    paths += [row["tinker_path"] + "-none", "nonsense"]
    statuses = [skyrl.post("weights_info", json={"tinker_path": path}).status_code for path in paths]
    assert statuses == [400, 425, 404, 400]


def test_skyrl_samplers_and_config(skyrl):
    """Sampler ids have their own prefix, config needs no body, and capabilities have names only."""
    ids = [one.sampler_id for row in skyrl.server.state.sessions() for one in row.samplers]
    assert skyrl.json(f"samplers/{ids[0]}")["sampler_id"] == ids[0]
    assert ids[0].startswith("sampling_")
    assert skyrl.post("client/config").json()["pjwt_auth_enabled"] is False
    assert {frozenset(model) for model in skyrl.json("get_server_capabilities")["supported_models"]} == {
        frozenset(["model_name"])
    }


# SkyRL's later source


@pytest.fixture
def skyrl_main(serve, browse):
    """Return a client of a server like SkyRL's later source."""
    return browse(serve(runs=20, dialect="skyrl-main"), None)


def test_skyrl_main_deletes_by_type(skyrl_main):
    """A delete needs the type, by the segment or in the query, and takes no namesake; pending is a 425, missing a 404."""
    state = skyrl_main.server.state
    run = state.runs()[0]
    rows = [state.add_checkpoint(run, kind, "both") for kind in ("training", "sampler")]
    late = add_pending(skyrl_main, "training")
    base = f"training_runs/{run.training_run_id}/checkpoints"
    asked = [f"{base}/both", f"{base}/external_weights/both", f"{base}/weights/both?checkpoint_type=sampler"]
    asked += [f"{base}/weights/a/b", f"{base}/weights/none", f"{base}/weights/both/publish"]
    asked += [build_route(late.tinker_path)]
    assert [skyrl_main.delete(path).status_code for path in asked] == [400, 400, 400, 422, 404, 422, 425]
    assert "'weights/<name>'" in skyrl_main.delete(f"{base}/both").json()["detail"]
    reply = skyrl_main.delete(f"{base}/sampler_weights/both")
    assert (reply.status_code, reply.content) == (204, b"")
    assert [state.find(row.tinker_path) for row in rows] == [rows[0], None]
    assert skyrl_main.delete(f"{base}/both?checkpoint_type=training").status_code == 204
    assert skyrl_main.post(f"{base}/weights/both/publish").status_code == 405
    assert skyrl_main.put(f"{base}/weights/both/ttl", json={"ttl_seconds": None}).status_code == 405


def test_skyrl_main_lists_as_before(skyrl_main):
    """The lists are those of SkyRL 0.3.0: bare ids, four fields, neither sessions nor a user list."""
    rows = list_all_checkpoints(skyrl_main)
    assert {frozenset(row) for row in rows} == {frozenset(["checkpoint_id", "checkpoint_type", "time", "tinker_path"])}
    assert not any("/" in row["checkpoint_id"] for row in rows)
    assert [skyrl_main.get(path).status_code for path in ("sessions", "checkpoints")] == [404, 404]


# Twinkle


@pytest.fixture
def twinkle(serve, browse):
    """Return a client of a Twinkle-like server."""
    return browse(serve(runs=20, dialect="twinkle"))


def test_twinkle_runs(twinkle):
    """Runs have no cap, name the caller's key as their owner, and give local times without a zone."""
    page = twinkle.json("training_runs", limit=10**6)
    assert page["cursor"] == {"offset": 0, "limit": 10**6, "total_count": 20}
    for shown in page["training_runs"]:
        row = twinkle.server.state.run(shown["training_run_id"])
        assert shown["model_owner"] == twinkle.server.key
        local = datetime.fromisoformat(shown["last_request_time"])
        assert local == row.last_request_time.replace(tzinfo=None) + timedelta(hours=8)


def test_twinkle_checkpoints(twinkle):
    """A run's list has a null cursor, ids with segments, paths of its own scheme, and no expiry."""
    rows = list_all_checkpoints(twinkle)
    assert {row["tinker_path"].split("/")[3] for row in rows} == {"weights", "sampler_weights"}
    for row in rows:
        assert row["tinker_path"].startswith("twinkle://")
        assert row["tinker_path"].endswith(f"/{row['checkpoint_id']}")
        assert "expires_at" not in row
        assert row["public"] is False
    run = twinkle.json("training_runs")["training_runs"][0]["training_run_id"]
    assert twinkle.json(f"training_runs/{run}/checkpoints")["cursor"] is None
    assert twinkle.get("training_runs/none/checkpoints").status_code == 404


def test_twinkle_writes(twinkle):
    """A publish is a 204 that leaves the checkpoint private, a delete a 200 with a null; an unpublish finds nothing, a TTL is a 405."""
    path = list_all_checkpoints(twinkle)[0]["tinker_path"]
    route = build_route(path.replace("twinkle://", "tinker://"))
    assert twinkle.post(route + "/publish").status_code == 204
    assert not twinkle.server.state.find(path).public
    assert twinkle.delete(route + "/publish").status_code == 404
    assert twinkle.put(route + "/ttl", json={"ttl_seconds": 7200}).status_code == 405
    reply = twinkle.delete(route)
    assert (reply.status_code, reply.json()) == (200, None)
    assert twinkle.delete(route).status_code == 404


@pytest.mark.parametrize("path", ["sessions", "checkpoints", "samplers/a", "billing/usage/events", "audit"])
def test_twinkle_lacks(twinkle, path):
    """Sessions, samplers, the user's list and reports are unknown routes."""
    assert twinkle.get(path).json() == {"detail": "Not Found"}


def test_twinkle_authentication(serve, browse):
    """A wrong key is a 401; where its own headers are required, a request without them is refused."""
    server = serve(runs=1, dialect="twinkle", require_authorization=True)
    web = browse(server)
    assert web.get("training_runs").status_code == 400
    web.headers["X-Ray-Serve-Request-Id"] = "sticky"
    assert web.get("training_runs").status_code == 401
    web.headers["Authorization"] = f"Bearer {server.key}"
    assert web.get("training_runs").status_code == 200
