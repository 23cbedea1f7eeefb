"""The official SDK as an independent client of the demo server."""

import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from tinker_frames.demo import DemoServer

pytestmark = [pytest.mark.peer, pytest.mark.xdist_group("sdk")]  # one process starts the SDK

DRIVER = Path(__file__).with_name("sdk_driver.py")


def build_environment(home, **more):
    """Return an environment in which the SDK finds no credentials and sends no telemetry."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TINKER_")}
    return kept | {"HOME": str(home), "TINKER_TELEMETRY": "0", "NO_PROXY": "127.0.0.1"} | more


class Sdk:
    """The SDK in a process of its own, since it closes its connections only at exit."""

    def __init__(self, server, home):
        command = [sys.executable, str(DRIVER), server.url, server.key]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=build_environment(home))

    def call(self, name, **arguments):
        """Call a method and return its outcome."""
        self.process.stdin.write(json.dumps([name, arguments]) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def __call__(self, name, **arguments):
        return self.call(name, **arguments)["answer"]

    def close(self):
        """Stop the process."""
        with suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()


@pytest.fixture(scope="module", params=[False, True], ids=["key", "jwt"])
def server(request):
    """Return a server that accepts keys, and one that requires the exchange for a JWT."""
    with DemoServer(runs=20, pjwt_auth_enabled=request.param, require_jwt=request.param) as server:
        yield server


@pytest.fixture(scope="module")
def sdk(server, tmp_path_factory):
    """Return the SDK as a client of the server."""
    sdk = Sdk(server, tmp_path_factory.mktemp("home"))
    yield sdk
    sdk.close()


def test_single_objects(sdk, server):
    """The SDK reads a run, its checkpoints, a session, a sampler, weights info and the capabilities."""
    row = next(row for row in server.state.checkpoints_page(1000, 0)[0] if row.name == "final")
    run = row.run.training_run_id
    assert sdk("get_training_run", training_run_id=run)["base_model"] == row.run.base_model
    assert sdk("get_training_run_by_tinker_path", tinker_path=row.tinker_path)["training_run_id"] == run
    content = sdk("list_checkpoints", training_run_id=run)["checkpoints"]
    assert {one["tinker_path"] for one in content} == {one.tinker_path for one in row.run.checkpoints.values()}
    session = sdk("get_session", session_id=row.run.session.session_id)
    assert run in session["training_run_ids"]
    sampler = next(one for other in server.state.sessions() for one in other.samplers)
    assert sdk("get_sampler", sampler_id=sampler.sampler_id)["model_path"] == sampler.model_path
    assert sdk("get_weights_info_by_tinker_path", tinker_path=row.tinker_path)["lora_rank"] == row.run.lora_rank
    assert sdk("get_server_capabilities")["supported_models"]


def test_external_urls_and_storage_usage(sdk, server):
    """The SDK reads the URLs of an external checkpoint and the storage usage."""
    row = next(row for row in server.state.checkpoints_page(1000, 0)[0] if row.kind == "external")
    answer = sdk("get_external_weights_urls", tinker_path=row.tinker_path)
    assert "adapter_config.json" in answer["urls"]
    assert sdk("get_current_checkpoint_storage_usage")["data"]


def test_errors_are_the_sdks_own(sdk):
    """A missing run is the SDK's 404 with the server's detail."""
    reply = sdk.call("get_training_run", training_run_id="none")
    assert (reply["status"], reply["body"]["detail"]) == (404, "Model not found.")


def test_every_requested_route_exists(sdk, server):
    """The SDK requested no route that the server lacks."""
    assert [call.path for call in server.requests if call.endpoint == "unknown"] == []


def test_command_line(server, tmp_path):
    """The official command line lists all checkpoints."""
    command = [sys.executable, "-m", "tinker.cli", "-f", "json", "checkpoint", "list", "--limit", "0"]
    more = {"TINKER_BASE_URL": server.url, "TINKER_API_KEY": server.key}
    reply = subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=True, env=build_environment(tmp_path, **more)
    )
    content = json.loads(reply.stdout)["checkpoints"]
    assert [row["tinker_path"] for row in content] == [r.tinker_path for r in server.state.checkpoints_page(1000, 0)[0]]
