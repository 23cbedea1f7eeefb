"""Single objects of the official service, and missing ones."""

import pytest

from .conftest import build_route, find_path


def test_session_lists_its_runs_and_samplers(web):
    """A session has the ids of its runs and samplers, but neither its own id nor times."""
    run_ids = set()
    for session in web.rows("sessions", "sessions", 100):
        content = web.json(f"sessions/{session}")
        assert set(content) == {"training_run_ids", "sampler_ids", "user_metadata", "display_name"}
        assert all(one.startswith(f"{session}:train:") for one in content["training_run_ids"])
        assert all(one.startswith(f"{session}:sample:") for one in content["sampler_ids"])
        run_ids.update(content["training_run_ids"])
    assert run_ids == {row["training_run_id"] for row in web.rows("training_runs", "training_runs", 100)}


def test_samplers_load_a_checkpoint_or_the_base_model(web):
    """A sampler has the path of an existing sampler checkpoint, or null for the base model; its id can be encoded."""
    paths = {row["tinker_path"] for row in web.rows("checkpoints", "checkpoints", 1000)}
    loaded = set()
    for session in web.rows("sessions", "sessions", 100):
        for sampler in web.json(f"sessions/{session}")["sampler_ids"]:
            content = web.json(f"samplers/{sampler}")
            assert content == web.json(f"samplers/{sampler.replace(':', '%3A')}")
            assert set(content) == {"sampler_id", "base_model", "model_path"}
            loaded.add(content["model_path"])
    assert None in loaded
    assert len(loaded) > 3
    assert loaded - {None} <= paths


def test_run_is_the_same_alone_and_in_the_list(web):
    """A run equals its row of the list."""
    for run in web.rows("training_runs", "training_runs", 100):
        assert web.json(f"training_runs/{run['training_run_id']}") == run


def test_weights_info(web):
    """Weights info has the base model and the rank of the run."""
    run = web.json("training_runs", limit=1)["training_runs"][0]
    path = web.json(f"training_runs/{run['training_run_id']}/checkpoints")["checkpoints"][0]["tinker_path"]
    info = web.post("weights_info", json={"tinker_path": path}).json()
    assert set(info) >= {"base_model", "is_lora", "lora_rank", "train_unembed", "train_mlp", "train_attn"}
    assert (info["base_model"], info["lora_rank"]) == (run["base_model"], run["lora_rank"])


def test_weights_info_of_others_needs_a_public_checkpoint(serve, browse):
    """Weights info of another account's checkpoint succeeds if it is public, and is a 404 otherwise."""
    server = serve(runs=3, keys={"tml-demo": 1, "tml-other": 2})
    mine, other = browse(server), browse(server, "tml-other")
    path = find_path(other, public=False)
    assert mine.post("weights_info", json={"tinker_path": path}).status_code == 404
    other.post(build_route(path, "/publish"))
    assert mine.post("weights_info", json={"tinker_path": path}).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "detail"),
    [
        ("GET", "sessions/none", "Session not found."),
        ("GET", "training_runs/none", "Model not found."),
        ("GET", "training_runs/none/checkpoints", "Model not found."),
        ("GET", "samplers/none", "Sampler not found."),
        ("DELETE", "training_runs/none/checkpoints/weights/a", "Checkpoint not found."),
        ("GET", "training_runs/none/checkpoints/weights/a/archive", "Checkpoint not found."),
        ("GET", "nothing/here", "Not Found"),
        ("GET", "nothing", "Not Found"),
    ],
)
def test_missing_objects_and_routes_are_a_404(web, method, path, detail):
    """A missing object's 404 names the kind of object; that of an unknown route is Not Found."""
    reply = web.request(method, path)
    assert (reply.status_code, reply.json()) == (404, {"detail": detail})


def test_a_known_route_with_another_method_is_a_405(web):
    """Another method of a known route is a 405: the key cannot be revoked here."""
    reply = web.delete("auth/apikey/me")
    assert (reply.status_code, reply.json()) == (405, {"detail": "Method Not Allowed"})


def test_objects_of_colleagues_need_the_accessible_scope(web):
    """A colleague's run is a 404 without `accessible`, and its checkpoints cannot be changed."""
    runs = web.rows("training_runs", "training_runs", 100, access_scope="accessible")
    run = next(r for r in runs if r["model_owner"] != web.server.state.me.urn and r["last_checkpoint"])
    assert web.get(f"training_runs/{run['training_run_id']}").status_code == 404
    assert web.json(f"training_runs/{run['training_run_id']}", access_scope="accessible") == run
    assert web.delete(build_route(run["last_checkpoint"]["tinker_path"])).status_code == 404


def test_capabilities_and_health(web):
    """Capabilities list models with their context length; health needs no key."""
    models = web.json("get_server_capabilities")["supported_models"]
    assert {"model_name", "max_context_length", "trainable", "sampleable"} == set(models[0])
    del web.headers["X-API-Key"]
    assert web.json("healthz") == {"status": "ok"}
