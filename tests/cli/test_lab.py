"""`tinker-frames demo --lab`: a real JupyterLab on a real demo account, asked as its page asks it."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from threading import Event, Thread
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
import requests

import tinker_frames as tkf
from tinker_frames.cli import lab
from tinker_frames.demo import DemoServer

COMMAND = [sys.executable, "-m", "tinker_frames.cli", "demo", "--lab"]
NOTEBOOKS = sorted(path.name for path in (Path(tkf.__file__).parents[1] / "notebooks").glob("*.ipynb"))
RUNS, SEED = 7, 3
PATIENCE_S = 60

# Where browser tests are required, a JupyterLab that is missing fails them instead.
needs_jupyterlab = pytest.mark.skipif(
    find_spec("jupyterlab") is None and not os.environ.get("TINKER_FRAMES_REQUIRE_BROWSER"),
    reason="JupyterLab is not installed (extra lab)",
)


def environment_of_a_user(home: Path) -> dict[str, str]:
    """Return the environment of somebody who has an account, and another Python as the kernel of that name."""
    kernel = home / "jupyter" / "kernels" / "python3"
    kernel.mkdir(parents=True)
    kernel.joinpath("kernel.json").write_text(
        '{"argv": ["/no/such/python"], "display_name": "other", "language": "python"}'
    )
    folders = {f"XDG_{name.upper()}_HOME": str(home / name) for name in ("cache", "state", "config", "data")}
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("JUPYTER", "PYTEST", "TINKER_FRAMES"))
    }
    return kept | folders | {
        "HOME": str(home),
        "PYTHONPATH": str(Path(tkf.__file__).parents[1]),
        "JUPYTER_PATH": str(home / "jupyter"),
        "TINKER_API_KEY": "tml-of-the-user",
        "TINKER_BASE_URL": "https://example.org",
        "TINKER_CREDENTIAL_CMD": "echo tml-of-the-user",
        "TINKER_PROJECT_ID": "project-of-the-user",
        "CLOUDFLARE_ACCESS_CLIENT_ID": "id-of-the-user",
        "CLOUDFLARE_ACCESS_CLIENT_SECRET": "secret-of-the-user",
    }  # fmt: skip


class Lab:
    """The command in a process of its own, and the JupyterLab that it runs."""

    def __init__(self, folder: Path) -> None:
        home = folder / "home"
        home.mkdir(parents=True)
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.asked_port = free.getsockname()[1]
        options = ["--no-browser", "--runs", str(RUNS), "--seed", str(SEED), "--port", str(self.asked_port)]
        self.process = subprocess.Popen(
            [*COMMAND, *options, "-o", str(folder)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            env=environment_of_a_user(home),
            cwd=home,
            start_new_session=True,
        )
        self.lines: list[str] = []
        self._address, self._started, self._answers = "", Event(), False
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def address(self) -> str:
        """The address that JupyterLab prints, once somebody answers there."""
        assert self._started.wait(PATIENCE_S), self.said
        assert self._address, self.said
        while not self._answers and self.process.poll() is None:  # it is printed a moment before it is listened to
            with suppress(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", urlsplit(self._address).port)).close()
                self._answers = True
        return self._address

    @property
    def said(self) -> str:
        """What the command and JupyterLab printed so far."""
        return "".join(self.lines)

    @property
    def token(self) -> str:
        """The token in the address."""
        return self.address.partition("?token=")[2]

    def ask(self, method: str, path: str, **options: Any) -> requests.Response:
        """Ask JupyterLab's own API."""
        url = f"http://{urlsplit(self.address).netloc}/api/{path}"
        headers = {"Authorization": f"token {self.token}"}
        answer = requests.request(method, url, headers=headers, timeout=PATIENCE_S, **options)
        answer.raise_for_status()
        return answer

    def end(self, number: int | None = None) -> int:
        """Send a signal, if any, and return the code that the command ends with."""
        if number:
            self.process.send_signal(number)
        code = self.process.wait(PATIENCE_S)
        self._reader.join(PATIENCE_S)
        return code

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as out:
            for line in out:
                self.lines.append(line)
                if found := re.search(r"^\s+(http://\S+\?token=\w+)$", line):
                    self._address = found[1]
                    self._started.set()
        self._started.set()


class Kernel:
    """A kernel of a JupyterLab, spoken to over the socket that a notebook's page uses."""

    def __init__(self, of: Lab) -> None:
        import websocket

        self.name = of.ask("POST", "kernels", json={"name": "python3"}).json()["id"]
        address = f"ws://{urlsplit(of.address).netloc}/api/kernels/{self.name}/channels?token={of.token}"
        self._socket = websocket.create_connection(address, timeout=PATIENCE_S)

    def begin(self, code: str) -> None:
        """Have code run, and return once it does."""
        self._until(self._send(code, {}), "execute_input")

    def values(self, code: str, **expressions: str) -> dict[str, str]:
        """Run code, and return what the expressions are then."""
        content = self._until(self._send(code, expressions), "execute_reply")
        assert content["status"] == "ok", content
        return {name: content["user_expressions"][name]["data"]["text/plain"] for name in expressions}

    def _send(self, code: str, expressions: dict[str, str]) -> str:
        content = {"code": code, "silent": False, "user_expressions": expressions}
        header = {
            "msg_id": uuid4().hex,
            "msg_type": "execute_request",
            "session": "s",
            "username": "",
            "version": "5.4",
        }
        message = {"channel": "shell", "header": header, "parent_header": {}, "metadata": {}, "content": content}
        self._socket.send(json.dumps(message))
        return header["msg_id"]

    def _until(self, asked: str, kind: str) -> dict[str, Any]:
        """Return the content of the first answer of a kind to a message; kinds come in any order."""
        while True:
            answer = json.loads(self._socket.recv())
            if answer["parent_header"].get("msg_id") == asked and answer["header"]["msg_type"] == kind:
                return answer["content"]

    def close(self) -> None:
        """Leave it; the kernel stays."""
        self._socket.close()


def start(folder: Path) -> Iterator[Lab]:
    """Start the command, and end it afterwards, however the test ended."""
    running = Lab(folder)
    yield running
    if running.process.poll() is None:
        running.end(signal.SIGTERM)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """One JupyterLab for the tests that leave it running, in whose folder one notebook was edited before."""
    folder = tmp_path_factory.mktemp("shared")
    (folder / lab.FOLDER).mkdir()
    (folder / lab.FOLDER / NOTEBOOKS[0]).write_text("edited", encoding="utf-8")
    yield from start(folder)


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Lab]:
    """A JupyterLab that the test ends."""
    yield from start(tmp_path)


@pytest.fixture(scope="module")
def kernel(shared: Lab) -> Iterator[Kernel]:
    """A kernel of the shared JupyterLab."""
    made = Kernel(shared)
    yield made
    made.close()


def family(process: subprocess.Popen[str]) -> list[Any]:
    """Return every process that a command has started, and what those have started."""
    import psutil  # ipykernel needs it

    return psutil.Process(process.pid).children(recursive=True)


def left_of(processes: list[Any]) -> list[Any]:
    """Return those that still run after a moment's grace."""
    import psutil

    return psutil.wait_procs(processes, timeout=10)[1]


# ── what it shows ────────────────────────────────────────────────────────────────────────────────────────────────────────


@needs_jupyterlab
def test_the_notebooks_are_there(shared: Lab) -> None:
    """JupyterLab lists every notebook of the project, on this machine only, and its address opens one of them."""
    listed = shared.ask("GET", "contents").json()["content"]
    address = urlsplit(shared.address)
    assert sorted(row["name"] for row in listed) == NOTEBOOKS
    assert (address.hostname, address.port) == ("127.0.0.1", shared.asked_port)
    assert address.path.removeprefix("/lab/tree/") in NOTEBOOKS


@needs_jupyterlab
def test_a_token_is_needed(shared: Lab) -> None:
    """Without its token JupyterLab shows nobody the notebooks."""
    answer = requests.get(f"http://{urlsplit(shared.address).netloc}/api/contents", timeout=PATIENCE_S)
    assert answer.status_code == 403


@needs_jupyterlab
def test_a_notebook_finds_the_demo_account(shared: Lab, kernel: Kernel) -> None:
    """In a new notebook the package's functions show the demo account that was asked for, without a line of set-up."""
    with DemoServer(runs=RUNS, seed=SEED) as same:
        expected = len(same.state.checkpoints_page(1000, 0)[0])
    found = kernel.values("import tinker_frames as tkf", checkpoints="len(tkf.checkpoints())")
    assert int(found["checkpoints"]) == expected > 0


@needs_jupyterlab
def test_a_kernel_is_this_python(kernel: Kernel) -> None:
    """A kernel is the Python that runs the command, also where the user has another one of that name."""
    found = kernel.values("import sys, tinker_frames", python="sys.executable", package="tinker_frames.__file__")
    assert found == {"python": repr(sys.executable), "package": repr(tkf.__file__)}


@needs_jupyterlab
def test_nothing_of_the_user_reaches_a_kernel(kernel: Kernel) -> None:
    """A kernel's environment names the demo account, and holds neither key, command, project nor access header of the user."""
    found = kernel.values("import os", all="dict(os.environ)", names="sorted(n for n in os.environ if 'TINKER' in n)")
    assert "of-the-user" not in found["all"]
    assert found["names"] == "['TINKER_API_KEY', 'TINKER_BASE_URL']"
    assert "'TINKER_BASE_URL': 'http://127.0.0.1:" in found["all"]


@needs_jupyterlab
def test_there_is_no_tour(shared: Lab) -> None:
    """Nothing but the folder of notebooks is written where the user is, and no table is printed."""
    folder = Path(shared.process.args[-1])
    assert shared.address
    assert sorted(path.name for path in folder.iterdir()) == ["home", lab.FOLDER]
    assert "Try next" not in shared.said
    assert "─" not in shared.said


@needs_jupyterlab
def test_edited_notebooks_are_kept(shared: Lab) -> None:
    """A notebook that is there already stays as the user left it, and the command says which that are."""
    folder = Path(shared.process.args[-1]) / lab.FOLDER
    assert shared.address
    assert (folder / NOTEBOOKS[0]).read_text(encoding="utf-8") == "edited"
    assert f"kept as they are in {folder}: {NOTEBOOKS[0]}\n" in shared.said


# ── how it ends ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@needs_jupyterlab
def test_ctrl_c_ends_everything(own: Lab) -> None:
    """Ctrl-C ends JupyterLab, a busy kernel and the demo account, with 0 and a last line that says where the notebooks are."""
    kernel = Kernel(own)
    url = kernel.values("import os", url="os.environ['TINKER_BASE_URL']")["url"].strip("'")
    kernel.begin("import time; time.sleep(600)")
    kernel.close()
    started = family(own.process)
    assert len(started) >= 2
    os.killpg(own.process.pid, signal.SIGINT)  # as a terminal does
    assert own.end() == 0
    assert left_of(started) == []
    assert own.lines[-1] == f"ended; the notebooks are in {Path(own.process.args[-1]) / lab.FOLDER}\n"
    assert str(Path(lab.__file__).parent) not in own.said  # no traceback of ours; a kernel may print one of its own
    with pytest.raises(requests.ConnectionError):
        requests.get(url, timeout=5)


@needs_jupyterlab
def test_a_termination_signal_while_it_starts(own: Lab) -> None:
    """A termination signal that comes before JupyterLab is up ends all the same, with 0."""
    while not own.lines and own.process.poll() is None:
        own._started.wait(0.02)
    started = family(own.process)
    assert own.end(signal.SIGTERM) == 0
    assert left_of(started) == []
    assert own.lines[-1].startswith("ended; the notebooks are in ")


@needs_jupyterlab
def test_shut_down_from_its_menu(own: Lab) -> None:
    """If JupyterLab is shut down from its own menu, the command ends too, with 0."""
    own.ask("POST", "shutdown")
    assert own.end() == 0
    assert own.lines[-1].startswith("ended; the notebooks are in ")


def test_a_jupyterlab_that_cannot_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What JupyterLab ends with by itself is what is returned."""
    monkeypatch.setattr(lab, "_command", lambda notebooks, **options: [sys.executable, "-c", "raise SystemExit(5)"])
    monkeypatch.setattr(lab, "_write_kernel", lambda folder: None)
    assert lab.run(lab.Notebooks(tmp_path, [], []), "http://127.0.0.1:1", "tml-x", Event()) == 5


def test_a_jupyterlab_that_does_not_listen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A JupyterLab that passes over the signal to end is ended without being asked."""
    ready = tmp_path / "ready"
    code = f"import signal, pathlib; signal.signal(15, signal.SIG_IGN); pathlib.Path({str(ready)!r}).touch(); signal.pause()"
    monkeypatch.setattr(lab, "_command", lambda notebooks, **options: [sys.executable, "-c", code])
    monkeypatch.setattr(lab, "_write_kernel", lambda folder: None)
    monkeypatch.setattr(lab, "PATIENCE_S", 0.2)

    class WhenReady(Event):
        def wait(self, timeout: float | None = None) -> bool:
            return ready.exists() or super().wait(timeout)

    assert lab.run(lab.Notebooks(tmp_path, [], []), "http://127.0.0.1:1", "tml-x", WhenReady()) == 0


# ── before it starts ─────────────────────────────────────────────────────────────────────────────────────────────────────

BLOCKER = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == {name!r}:
            raise ModuleNotFoundError(f"No module named {{name}}", name=name)

sys.meta_path.insert(0, Blocker())
sys.argv = ["tinker-frames", *{arguments!r}]
from tinker_frames.cli import main
main.main()
"""


@pytest.mark.parametrize("name", lab.NEEDED)
def test_without_the_extra(name: str, tmp_path: Path) -> None:
    """Without JupyterLab, or what the notebooks need in it, one sentence names the extra, and nothing is copied."""
    code = BLOCKER.format(name=name, arguments=["demo", "--lab", "--no-browser", "-o", str(tmp_path / "out")])
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=PATIENCE_S, check=False, cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(Path(tkf.__file__).parents[1])},
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (1, "")
    assert 'pip install "tinker-frames[lab]"' in done.stderr
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_spec_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """A module that is simply not found is missing too."""
    monkeypatch.setattr(lab, "NEEDED", ("no_such_module",))
    with pytest.raises(ImportError, match=re.escape("tinker-frames[lab]")):
        lab.check_installed()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["--lab", "--serve"], "--lab and --serve"), (["--no-browser"], "--no-browser is for --lab")],
)
def test_options_that_do_not_go_together(
    arguments: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """--lab with --serve, and --no-browser without --lab, are usage errors, and leave nothing behind."""
    from tinker_frames.cli import main

    monkeypatch.setattr(sys, "argv", ["tinker-frames", "demo", *arguments, "-o", str(tmp_path / "out")])
    with pytest.raises(SystemExit) as ended:
        main.main()
    assert ended.value.code == 1
    assert said in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


# ── the copies ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_copies_are_the_projects(tmp_path: Path) -> None:
    """Every notebook is copied as it is; a second time every one is kept, also one that is a link to nowhere."""
    folder = tmp_path / "made" / "here"
    assert lab.copy_notebooks(folder) == (folder, NOTEBOOKS, [])
    for name in NOTEBOOKS:
        assert (folder / name).read_bytes() == (Path(tkf.__file__).parents[1] / "notebooks" / name).read_bytes()
    (folder / NOTEBOOKS[0]).unlink()
    (folder / NOTEBOOKS[0]).symlink_to(tmp_path / "nowhere")
    assert lab.copy_notebooks(folder) == (folder, [], NOTEBOOKS)
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize(("names", "opened"), [(["02_b.ipynb", "01_a.ipynb"], "01_a.ipynb"), (["01_a.ipynb", lab.OPENED], lab.OPENED)])  # fmt: skip
def test_the_notebook_to_begin_with(names: list[str], opened: str, tmp_path: Path) -> None:
    """The views are opened if there is a notebook of them, else the first one, whether copied or kept."""
    assert lab.Notebooks(tmp_path, names, []).opened == opened
    assert lab.Notebooks(tmp_path, names[:1], names[1:]).opened == opened


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Put the package elsewhere, with notebooks in the folders that are named, relative to it."""

    def installed(*folders: str) -> Path:
        package = tmp_path / "site-packages" / "tinker_frames"
        package.mkdir(parents=True)
        for folder in folders:
            (package / folder).mkdir(parents=True)
            (package / folder / "01_here.ipynb").touch()
        monkeypatch.setattr(lab, "__file__", str(package / "cli" / "lab.py"))
        return package

    return installed


def test_notebooks_of_an_installed_package(installed: Callable[..., Path]) -> None:
    """The notebooks inside the package are used, before a folder of that name beside it."""
    package = installed("notebooks", "../notebooks")
    assert lab._sources() == [package / "notebooks" / "01_here.ipynb"]


def test_no_notebooks_at_all(installed: Callable[..., Path], tmp_path: Path) -> None:
    """An installation without notebooks is an error that names the place, and no folder is made."""
    package = installed()
    with pytest.raises(FileNotFoundError, match=re.escape(str(package))):
        lab.copy_notebooks(tmp_path / "out")
    assert not (tmp_path / "out").exists()
