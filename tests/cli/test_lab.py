"""`tinker-frames demo --lab`: a real JupyterLab on a real demo account, and the checks and copies before it starts."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from threading import Event
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

import tinker_frames as tkf
from tinker_frames.cli import lab
from tinker_frames.demo import DemoServer

COMMAND = [sys.executable, "-m", "tinker_frames.cli", "demo", "--lab"]
FOLDER = Path(__file__).parents[2] / "notebooks"  # beside the tests, also where the package is installed elsewhere
NOTEBOOKS = sorted(path.name for path in FOLDER.glob("*.ipynb"))
RUNS, SEED = 7, 3
PATIENCE_S = 60


def environment_of_a_user(home: Path) -> dict[str, str]:
    """Return the environment of a user with an account, whose default kernel is another Python."""
    kernel = home / "jupyter" / "kernels" / "python3"
    kernel.mkdir(parents=True)
    kernel.joinpath("kernel.json").write_text(
        '{"argv": ["/no/such/python"], "display_name": "other", "language": "python"}'
    )
    secrets = ("TINKER_API_KEY", "TINKER_CREDENTIAL_CMD", "TINKER_PROJECT_ID", *lab.CLOUDFLARE_HEADERS.values())
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("JUPYTER", "PYTEST"))}
    return kept | dict.fromkeys(secrets, "tml-of-the-user") | {
        "HOME": str(home),
        "PYTHONPATH": str(Path(tkf.__file__).parents[1]),
        "JUPYTER_PATH": str(home / "jupyter"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "TINKER_BASE_URL": "https://example.org",
    }  # fmt: skip


class Lab:
    """The command in a separate process, and the JupyterLab it runs."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.home = folder, folder / "home"
        self.home.mkdir()
        self.printed = folder / "printed.txt"
        with self.printed.open("wb") as out:
            self.process = subprocess.Popen(
                [*COMMAND, "--no-browser", "--runs", str(RUNS), "--seed", str(SEED), "-o", str(folder)],
                stdout=out, stderr=subprocess.STDOUT, env=environment_of_a_user(self.home), cwd=self.home, start_new_session=True,
            )  # fmt: skip

    @property
    def output(self) -> str:
        """The output of the command and JupyterLab so far."""
        return self.printed.read_text(encoding="utf-8")

    def wait_for(self, pattern: str) -> str:
        """Wait until a line matches, and return the first group."""
        while not (found := re.search(pattern, self.output, re.MULTILINE)):
            assert self.process.poll() is None, self.output
            Event().wait(0.05)
        return found[1]

    def wait_for_address(self) -> str:
        """Return the address printed by JupyterLab, once it accepts connections."""
        address = self.wait_for(r"^\s+(http://\S+\?token=\w+)$")
        while self.process.poll() is None:
            with suppress(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", urlsplit(address).port)).close()
                break
        return address

    def request(self, method: str, path: str, **options: Any) -> requests.Response:
        """Call JupyterLab's API."""
        address, _, token = self.wait_for_address().partition("?token=")
        headers, url = {"Authorization": f"token {token}"}, f"http://{urlsplit(address).netloc}/api/{path}"
        answer = requests.request(method, url, headers=headers, timeout=PATIENCE_S, **options)
        answer.raise_for_status()
        return answer

    def start_kernel(self) -> Any:
        """Start a kernel like a notebook does, and return a connected client of it."""
        from jupyter_client.blocking import BlockingKernelClient

        name = self.request("POST", "kernels", json={"name": "python3"}).json()["id"]
        kernel = BlockingKernelClient()
        kernel.load_connection_file(str(self.home / "runtime" / f"kernel-{name}.json"))
        kernel.start_channels(hb=False)  # a busy machine misses heartbeats
        kernel.wait_for_ready(timeout=PATIENCE_S)
        return kernel

    def children(self) -> list[Any]:
        """Return all descendant processes of the command."""
        import psutil  # ipykernel needs it

        return psutil.Process(self.process.pid).children(recursive=True)


def evaluate(kernel: Any, code: str, **expressions: str) -> dict[str, str]:
    """Run code in a kernel, and return the values of the expressions."""
    reply = kernel.execute(code, reply=True, timeout=PATIENCE_S, user_expressions=expressions)["content"]
    assert reply["status"] == "ok", reply
    return {name: reply["user_expressions"][name]["data"]["text/plain"] for name in expressions}


def list_running(processes: list[Any]) -> list[Any]:
    """Return the processes that are still running after a short grace period."""
    import psutil

    return psutil.wait_procs(processes, timeout=10)[1]


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Lab]:
    """JupyterLab in a folder with one edited notebook; stopped after the test."""
    (tmp_path / lab.FOLDER).mkdir()
    (tmp_path / lab.FOLDER / NOTEBOOKS[0]).write_text("edited", encoding="utf-8")
    started = Lab(tmp_path)
    yield started
    if started.process.poll() is None:
        started.process.terminate()
        started.process.wait(PATIENCE_S)


@pytest.mark.browser
def test_notebooks_open_on_the_demo_account_until_ctrl_c(running: Lab) -> None:
    """The notebooks are listed with the token, a kernel finds the demo account and nothing of the user, and Ctrl-C stops everything."""
    address = urlsplit(running.wait_for_address())
    assert address.hostname == "127.0.0.1"
    assert address.path.removeprefix("/lab/tree/") in NOTEBOOKS
    assert requests.get(f"http://{address.netloc}/api/contents", timeout=PATIENCE_S).status_code == 403
    assert sorted(row["name"] for row in running.request("GET", "contents").json()["content"]) == NOTEBOOKS

    kernel = running.start_kernel()
    found = evaluate(
        kernel, "import os, sys, tinker_frames as tkf",
        checkpoints="len(tkf.checkpoints())", python="sys.executable", package="tkf.__file__", environment="dict(os.environ)",
        names="sorted(name for name in os.environ if 'TINKER' in name)",
    )  # fmt: skip
    with DemoServer(runs=RUNS, seed=SEED) as same:
        assert int(found["checkpoints"]) == len(same.state.checkpoints_page(1000, 0)[0]) > 0
    assert (found["python"], found["package"]) == (repr(sys.executable), repr(tkf.__file__))
    assert found["names"] == "['TINKER_API_KEY', 'TINKER_BASE_URL']"
    assert "of-the-user" not in found["environment"]

    kernel.execute("import time; time.sleep(600)")
    started, folder = running.children(), running.folder / lab.FOLDER
    assert len(started) >= 2
    os.killpg(running.process.pid, signal.SIGINT)  # as a terminal does
    assert running.process.wait(PATIENCE_S) == 0
    kernel.stop_channels()
    assert list_running(started) == []
    assert running.output.endswith(f"ended; the notebooks are in {folder}\n")
    assert str(Path(lab.__file__).parent) not in running.output, (
        "no traceback of ours; a kernel may print one of its own"
    )
    assert f"kept as they are in {folder}: {NOTEBOOKS[0]}\n" in running.output
    assert (folder / NOTEBOOKS[0]).read_text(encoding="utf-8") == "edited"
    assert "Try next" not in running.output, "no tour"
    assert sorted(path.name for path in running.folder.iterdir()) == ["home", "printed.txt", lab.FOLDER]


@pytest.mark.browser
def test_a_termination_signal_while_it_starts(running: Lab) -> None:
    """A termination signal before JupyterLab is up stops everything, with exit code 0."""
    running.wait_for(r"(\S)")
    started = running.children()
    running.process.terminate()
    assert running.process.wait(PATIENCE_S) == 0
    assert list_running(started) == []


def test_the_exit_code_of_jupyterlab_is_returned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """JupyterLab's own exit code is returned."""
    monkeypatch.setattr(
        lab, "_build_command", lambda notebooks, **options: [sys.executable, "-c", "raise SystemExit(5)"]
    )
    monkeypatch.setattr(lab, "_write_kernel", lambda folder: None)
    assert lab.run(lab.Notebooks(tmp_path, [], []), "http://127.0.0.1:1", "tml-x", Event()) == 5


def test_a_jupyterlab_that_does_not_listen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A JupyterLab that ignores the termination signal is killed."""
    ready = tmp_path / "ready"
    code = f"import signal, pathlib; signal.signal(15, signal.SIG_IGN); pathlib.Path({str(ready)!r}).touch(); signal.pause()"
    monkeypatch.setattr(lab, "_build_command", lambda notebooks, **options: [sys.executable, "-c", code])
    monkeypatch.setattr(lab, "_write_kernel", lambda folder: None)
    monkeypatch.setattr(lab, "STOP_TIMEOUT_S", 0.2)

    class WhenReady(Event):
        def wait(self, timeout: float | None = None) -> bool:
            return ready.exists() or super().wait(timeout)

    assert lab.run(lab.Notebooks(tmp_path, [], []), "http://127.0.0.1:1", "tml-x", WhenReady()) == 0


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


@pytest.mark.slow
@pytest.mark.parametrize("name", lab.NEEDED)
def test_without_the_extra(name: str, tmp_path: Path) -> None:
    """Without JupyterLab, or a package the notebooks need, the error names the extra, and nothing is copied."""
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
    """A module whose spec is None counts as missing."""
    monkeypatch.setattr(lab, "NEEDED", ("no_such_module",))
    with pytest.raises(ImportError, match=re.escape("tinker-frames[lab]")):
        lab.check_installed()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["--lab", "--serve"], "--lab and --serve"), (["--no-browser"], "--no-browser requires --lab")],
)
def test_options_that_do_not_go_together(
    arguments: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """--lab with --serve, and --no-browser without --lab, are usage errors without side effects."""
    from tinker_frames.cli import main

    monkeypatch.setattr(sys, "argv", ["tinker-frames", "demo", *arguments, "-o", str(tmp_path / "out")])
    with pytest.raises(SystemExit) as ended:
        main.main()
    assert ended.value.code == 1
    assert said in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_copies_are_the_projects(tmp_path: Path) -> None:
    """Every notebook is copied unchanged; a second time all are kept, including a dangling link."""
    folder = tmp_path / "made" / "here"
    assert lab.copy_notebooks(folder) == (folder, NOTEBOOKS, [])
    for name in NOTEBOOKS:
        assert (folder / name).read_bytes() == (FOLDER / name).read_bytes()
    (folder / NOTEBOOKS[0]).unlink()
    (folder / NOTEBOOKS[0]).symlink_to(tmp_path / "nowhere")
    assert lab.copy_notebooks(folder) == (folder, [], NOTEBOOKS)
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize(("names", "opened"), [(["02_b.ipynb", "01_a.ipynb"], "01_a.ipynb"), (["01_a.ipynb", lab.OPENED], lab.OPENED)])  # fmt: skip
def test_the_notebook_to_begin_with(names: list[str], opened: str, tmp_path: Path) -> None:
    """The notebook of the views is opened if there is one, else the first one, whether copied or kept."""
    assert lab.Notebooks(tmp_path, names, []).opened == opened
    assert lab.Notebooks(tmp_path, names[:1], names[1:]).opened == opened


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Install the package elsewhere, with notebooks in the given folders."""

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
    """Notebooks inside the package take precedence over a folder beside it."""
    package = installed("notebooks", "../notebooks")
    assert lab._find_notebooks() == [package / "notebooks" / "01_here.ipynb"]


def test_no_notebooks_at_all(installed: Callable[..., Path], tmp_path: Path) -> None:
    """An installation without notebooks is an error that names the folder, and no folder is created."""
    package = installed()
    with pytest.raises(FileNotFoundError, match=re.escape(str(package))):
        lab.copy_notebooks(tmp_path / "out")
    assert not (tmp_path / "out").exists()
