"""Starting and stopping the server, from Python, a notebook and the command line."""

import asyncio
import contextlib
import gc
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest
import requests

from tinker_frames import demo
from tinker_frames.demo import DemoServer, Faults, Hang


def test_start_and_stop_many_times():
    """A server can be started and stopped repeatedly and keeps its port."""
    server = DemoServer(runs=1)
    server.start()
    port = server.port
    assert server.start() is server
    server.stop()
    server.stop()
    with pytest.raises(requests.ConnectionError):
        requests.get(server.url + "/api/v1/healthz", timeout=2)
    for _ in range(3):
        with server:
            assert server.port == port
            assert requests.get(server.url + "/api/v1/healthz", timeout=2).status_code == 200


def test_stop_does_not_wait_for_open_connections(browse):
    """Stopping closes idle connections and a delayed request, which else would take a minute."""
    server = DemoServer(runs=1, faults=Faults(hang=[Hang("list_sessions", seconds=60)])).start()
    browse(server).get("healthz")
    with socket.create_connection(("127.0.0.1", server.port)) as raw:
        raw.sendall(b"GET /api/v1/sessions HTTP/1.1\r\nHost: x\r\nX-API-Key: tml-demo\r\n\r\n")
        while not server.requests.count("list_sessions"):
            time.sleep(0.01)
        server.stop()
        assert raw.recv(10) == b""


@pytest.mark.parametrize("is_busy", [True, False])
def test_stop_closes_a_connection_that_is_being_accepted(is_busy):
    """A client that connects while the server stops is disconnected, and no transport is left to the garbage collector, which would warn."""
    server = DemoServer(runs=1, faults=Faults(hang=[Hang("list_sessions", seconds=60)])).start()
    thread, is_connected = server._thread, threading.Event()
    with contextlib.ExitStack() as stack:
        if is_busy:
            raw = stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
            raw.sendall(b"GET /api/v1/sessions HTTP/1.1\r\nHost: x\r\nX-API-Key: tml-demo\r\n\r\n")
            while not server.requests.count("list_sessions"):
                time.sleep(0.01)
        thread._loop.call_soon_threadsafe(is_connected.wait, 60)
        stopping = threading.Thread(target=server.stop)
        stopping.start()
        late = stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
        while not thread._loop._ready:  # the stop is next
            time.sleep(0.01)
        is_connected.set()
        stopping.join()
        late.settimeout(10)
        with contextlib.suppress(ConnectionError):
            assert late.recv(10) == b""
    del thread, server
    gc.collect()


def test_connections_are_kept_alive(web):
    """A connection serves several requests."""
    with socket.create_connection(("127.0.0.1", web.server.port)) as raw:
        for _ in range(3):
            raw.sendall(b"GET /api/v1/healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            answer = b""
            while b'{"status":"ok"}' not in answer:
                answer += (piece := raw.recv(1000))
                assert piece, answer


def test_a_port_in_use_is_an_error(serve):
    """Starting on a port in use is an OSError, and no socket stays open."""
    taken = serve(runs=0)
    with pytest.raises(OSError, match="in use"):
        DemoServer(runs=0, port=taken.port).start()


def test_an_unknown_switch_is_refused():
    """An unknown switch is a TypeError that names it."""
    with pytest.raises(TypeError, match="archiv"):
        DemoServer(runs=0, archiv="json")


def test_a_server_starts_inside_a_running_event_loop():
    """The server starts and stops inside a running event loop, as in a notebook."""

    async def cell():
        with DemoServer(runs=1) as server:
            return await asyncio.to_thread(requests.get, server.url + "/api/v1/healthz", timeout=2)

    assert asyncio.run(cell()).status_code == 200


@pytest.mark.slow
def test_a_hundred_thousand_checkpoints(serve, browse):
    """An account of 100,000 checkpoints is served like any other."""
    web = browse(serve(checkpoints=100_000))
    page = web.get("checkpoints", params={"limit": 1000, "offset": 50_000}).json()
    assert (len(page["checkpoints"]), page["cursor"]["total_count"]) == (1000, 100_000)


def run_python(code, **options):
    """Run code in a new interpreter."""
    command = [sys.executable, "-W", "error", "-c", code]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False, **options)


def test_import_is_light():
    """Importing the package and generating an account imports neither FastAPI nor pandas."""
    code = (
        "import sys, tinker_frames.demo as d; d.DemoServer(runs=2)\n"
        "print([m for m in ('fastapi', 'uvicorn', 'pydantic', 'pandas', 'starlette') if m in sys.modules])"
    )
    reply = run_python(code)
    assert (reply.stdout.strip(), reply.stderr) == ("[]", "")


def test_a_missing_extra_says_what_to_install():
    """Without FastAPI, starting is an ImportError with the pip command."""
    code = "import sys; sys.modules['fastapi'] = None\nfrom tinker_frames.demo import DemoServer\nDemoServer(runs=0).start()"
    reply = run_python(code)
    assert 'ImportError: The demo account needs FastAPI and uvicorn: pip install "tinker-frames[demo]"' in reply.stderr


@pytest.mark.slow
def test_a_script_need_not_stop_the_server():
    """A script that does not stop its server exits at once and without output."""
    reply = run_python(
        "import requests, time; from tinker_frames.demo import DemoServer\n"
        "s = DemoServer(runs=1).start(); print(requests.get(s.url + '/api/v1/healthz', timeout=5).status_code)\n"
        "print(time.monotonic())"
    )
    exited = time.monotonic()
    status, ending = reply.stdout.split()
    assert (status, reply.stderr, reply.returncode) == ("200", "", 0)
    assert exited - float(ending) < 4  # the clock is the same in both processes; a stop that hangs takes 5 s


def test_public_names():
    """Every name of `__all__` can be imported, and other names are an AttributeError."""
    assert all(getattr(demo, name) is not None for name in demo.__all__)
    assert dir(demo) == sorted(demo.__all__)
    with pytest.raises(AttributeError, match="nonsense"):
        _ = demo.nonsense


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_command_line(number):
    """The command prints one READY line when it accepts connections, and exits with 0 on a signal."""
    command = [
        sys.executable,
        "-W",
        "error",
        "-m",
        "tinker_frames.demo",
        "--runs",
        "4",
        "--seed",
        "2",
        "--page-cap",
        "3",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        ready, _, _ = select.select([process.stdout], [], [], 20)
        assert ready
        word, url = process.stdout.readline().split()
        assert (word, url.rpartition(":")[0]) == ("READY", "http://127.0.0.1")
        with requests.Session() as session:
            session.headers["X-API-Key"] = "tml-demo"
            assert len(session.get(f"{url}/api/v1/training_runs?limit=3", timeout=5).json()["training_runs"]) == 3
            assert session.get(f"{url}/api/v1/training_runs?limit=4", timeout=5).status_code == 422
            os.kill(process.pid, number)
            out, err = process.communicate(timeout=10)
    assert (out, err, process.returncode) == ("", "", 0)


def test_client_of_an_account(tmp_path):
    """`account()` returns a client of a running server; closing it stops the server and removes its cache folder."""
    client_module = pytest.importorskip("tinker_frames.client", reason="the client is not there yet")
    with demo.account(runs=3, retries=0) as client:
        assert isinstance(client, client_module.Client)
        assert len(client.rest.list_sessions()["sessions"]) == len(client.server.state.sessions())
        url = client.server.url
    with pytest.raises(requests.ConnectionError):
        requests.get(url + "/api/v1/healthz", timeout=2)
    with demo.account(runs=1, cache_dir=tmp_path):
        pass
    assert tmp_path.exists()


def test_options_of_an_account_are_those_of_server_and_client():
    """`account()` names every option of the server, its switches and the client for type checkers, and refuses any other."""
    import inspect

    from tinker_frames import Client
    from tinker_frames.demo.server import AccountOptions

    own = inspect.signature(demo.account).parameters
    named = [name for call in (DemoServer, demo.Switches, Client) for name in inspect.signature(call).parameters]
    expected = set(named) - set(own) - {"switches", "api_key", "base_url"}
    assert set(AccountOptions.__annotations__) == expected
    with pytest.raises(TypeError, match=r"account\(\) got an unexpected keyword argument 'foo'"):
        demo.account(foo=1)
