"""Every notebook runs from top to bottom on the demo account."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent.parent / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A kernel of this Python, whatever kernels are installed."""
    from jupyter_client.kernelspec import KernelSpecManager

    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    spec = tmp_path / "jupyter" / "kernels" / "this"
    spec.mkdir(parents=True)
    spec.joinpath("kernel.json").write_text(
        f'{{"argv": ["{sys.executable}", "-m", "ipykernel_launcher", "-f", "{{connection_file}}"], "display_name": "this", "language": "python"}}'
    )
    assert "this" in KernelSpecManager().find_kernel_specs()
    return "this"


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
@pytest.mark.filterwarnings("default")  # warnings from the kernel's libraries are ignored
def test_notebook_runs(path: Path, kernel: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The notebook runs without an error, and its last cell has an output."""
    import nbformat  # here, since both take a second to import, in every process of the tests
    from nbclient import NotebookClient

    monkeypatch.setenv("PYTHONPATH", str(FOLDER.parent))
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=60, kernel_name=kernel, resources={"metadata": {"path": str(tmp_path)}}).execute()
    assert [cell for cell in notebook.cells if cell.cell_type == "code"][-1].outputs


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_is_stored_without_outputs(path: Path) -> None:
    """Notebooks are stored without outputs and execution counts, for readable diffs."""
    cells = [cell for cell in json.loads(path.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]
    assert cells
    assert all(not cell["outputs"] and cell["execution_count"] is None for cell in cells)


def test_there_are_notebooks() -> None:
    """The folder has notebooks, so that the tests above test something."""
    assert "01_first_look" in {path.stem for path in NOTEBOOKS}
