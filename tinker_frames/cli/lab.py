"""Run JupyterLab on a copy of the project's notebooks, with the credential and server of a given account in its environment."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple

from ..rest.credentials import CLOUDFLARE_HEADERS

if TYPE_CHECKING:
    from threading import Event

NEEDED = ("jupyterlab", "ipykernel", "ipywidgets", "anywidget")
MISSING_EXTRA = (
    'JupyterLab, or a package that the notebooks need, is not installed: pip install "tinker-frames[lab]", '
    'or in a checkout pip install -e ".[lab]"'
)
FOLDER = "tinker-notebooks"
OPENED = "03_views.ipynb"

# Variables that name another account than the given one, or hold a secret for another server.
REMOVED_VARIABLES = ("TINKER_CREDENTIAL_CMD", "TINKER_PROJECT_ID", *CLOUDFLARE_HEADERS.values())

# JupyterLab waits 5 s for a busy kernel before it kills it.
STOP_TIMEOUT_S = 20
POLL_INTERVAL_S = 0.2


class Notebooks(NamedTuple):
    """A folder of notebooks, and which of them were there before."""

    folder: Path
    copied: list[str]
    kept: list[str]

    @property
    def opened(self) -> str:
        """The notebook to begin with."""
        names = sorted(self.copied + self.kept)
        return OPENED if OPENED in names else names[0]


def check_installed() -> None:
    """Raise an ImportError that names the extra where JupyterLab is not installed."""
    try:
        found = [find_spec(name) for name in NEEDED]
    except ImportError as error:
        raise ImportError(MISSING_EXTRA) from error
    if None in found:
        raise ImportError(MISSING_EXTRA)


def copy_notebooks(folder: Path) -> Notebooks:
    """Copy the project's notebooks into a folder; what exists there stays as it is."""
    sources = _find_notebooks()
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    copied, kept = list[str](), list[str]()
    for source in sources:
        text = source.read_bytes()
        try:
            with (folder / source.name).open("xb") as target:
                target.write(text)
        except FileExistsError:
            kept.append(source.name)
        else:
            copied.append(source.name)
    return Notebooks(folder, copied, kept)


def run(notebooks: Notebooks, url: str, key: str, stop: Event, *, port: int = 0, browser: bool = True) -> int:
    """Run JupyterLab until it ends or `stop` is set, and return its exit code; 0 if it was stopped.

    Parameters
    ----------
    notebooks
        Its root folder, and what it opens first.
    url, key
        The account that its kernels and terminals find in their environment.
    stop
        Set it, e.g. in a signal handler, to end JupyterLab and its kernels.
    port, browser
        Where it listens, 0 for the first free one from its usual 8888 on; and whether it opens a browser.
    """
    with TemporaryDirectory(prefix="tinker-lab-") as jupyter_path:
        _write_kernel(Path(jupyter_path))
        process = subprocess.Popen(  # noqa: S603 - our own Python, and arguments that no shell reads
            _build_command(notebooks, port=port, browser=browser),
            env=_build_environment(url, key, jupyter_path),
            # Ctrl-C in a terminal is for us alone: JupyterLab would ask whether we are sure.
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            while process.poll() is None and not stop.wait(POLL_INTERVAL_S):
                pass
        finally:
            code = _stop(process)
    return code


def _find_notebooks() -> list[Path]:
    """Return the folder of the project's notebooks: inside the package in a wheel, next to it in a checkout."""
    package = Path(__file__).parents[1]
    for folder in (package / "notebooks", package.parent / "notebooks"):
        if found := sorted(folder.glob("*.ipynb")):
            return found
    raise FileNotFoundError(f"the notebooks are not in {package}: reinstall tinker-frames")


def _build_command(notebooks: Notebooks, *, port: int, browser: bool) -> list[str]:
    command = [sys.executable, "-P", "-m", "jupyterlab"]  # -P: a random.py in the user's folder is not ours to import
    command += ["--ServerApp.ip=127.0.0.1", f"--ServerApp.root_dir={notebooks.folder}"]
    command += [f"--LabApp.default_url=/lab/tree/{notebooks.opened}"]
    command += [f"--ServerApp.port={port}"] if port else []
    command += [] if browser else ["--no-browser"]
    # Root is usual in containers, and JupyterLab refuses it; here it listens to this machine only.
    return command + (["--allow-root"] if getattr(os, "geteuid", lambda: 1)() == 0 else [])


def _build_environment(url: str, key: str, jupyter_path: str) -> dict[str, str]:
    """Return the environment of JupyterLab: the present one, with the given account instead of the user's own."""
    kept = {name: value for name, value in os.environ.items() if name not in REMOVED_VARIABLES}
    paths = [jupyter_path, *filter(None, [kept.get("JUPYTER_PATH")])]
    return kept | {"TINKER_API_KEY": key, "TINKER_BASE_URL": url, "JUPYTER_PATH": os.pathsep.join(paths)}


def _write_kernel(jupyter_path: Path) -> None:
    """Write a kernel `python3` for this interpreter; the one in the user's folders may be for another."""
    kernelspec = import_module("ipykernel.kernelspec")  # not `import`: it is there only with the extra
    kernelspec.write_kernel_spec(jupyter_path / "kernels" / "python3")


def _stop(process: subprocess.Popen[bytes]) -> int:
    """Stop JupyterLab and its kernels; return its exit code if it had ended by itself, else 0."""
    if process.poll() is not None:
        return process.returncode
    process.terminate()  # as Ctrl-C, without the question
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()  # kernels exit when their server has exited
        process.wait()
    return 0
