"""The lifetime of views: closed when replaced, their columns shared between views of one listing; in IPython, without a browser."""

from __future__ import annotations

import builtins
import gc
import sys
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from IPython.core.interactiveshell import InteractiveShell
from ipywidgets import Widget
from traitlets.config import Config

import tinker_frames as tkf
from tests.views.headless import wait_until
from tinker_frames.demo import DemoServer, Faults
from tinker_frames.errors import InvalidRequestError
from tinker_frames.views.lifetime import find_open_widgets, return_memory

RunCell = Callable[[str, str], Any]


class NotebookShell(InteractiveShell):
    """A shell that is told which cell it runs, as a kernel is by JupyterLab."""

    parent_header: dict[str, Any] = {}  # noqa: RUF012


@pytest.fixture
def run_cell(
    shared_server: DemoServer, client_of, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[RunCell]:
    """Run the code of a cell with an id, in a shell with `tkf` and `client`, and return its variables; displays are discarded."""
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])  # IPython replaces it
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    monkeypatch.delattr(builtins, "_", raising=False)  # left there by Python's own prompt, it stops IPython's `_`
    config = Config()
    config.HistoryManager.enabled = config.InteractiveShell.warn_venv = False
    shell = NotebookShell.instance(config=config)
    monkeypatch.setattr("tinker_frames.views.display.in_notebook", lambda: True)
    monkeypatch.setattr(shell.display_pub, "publish", lambda *_, **__: None)
    shell.user_ns |= {"tkf": tkf, "client": client_of(shared_server)}

    def run(cell: str, code: str) -> dict[str, Any]:
        shell.parent_header = {"metadata": {"cellId": cell} if cell else {}}
        shell.run_cell(code, store_history=True).raise_error()
        return shell.user_ns

    yield run
    shell.user_ns.clear()
    NotebookShell.clear_instance()


def count_open() -> int:
    """Return how many views are open, after a garbage collection."""
    gc.collect()
    return sum(1 for _ in find_open_widgets(tkf.CheckpointsView))


def get_buffers(frame: pd.DataFrame, column: str) -> list[int]:
    """Return the addresses of the buffers of a text column."""
    chunks = frame[column].array._pa_array.chunks
    return [buffer.address for chunk in chunks for buffer in chunk.buffers() if buffer is not None]


def test_a_view_without_references_is_closed_at_once(shared_server: DemoServer, client_of) -> None:
    """A view whose variable is replaced is freed with its frame, without a garbage collection, and its comm is closed."""
    gc.collect()
    gc.disable()
    try:
        view = tkf.explore("checkpoints", client_of(shared_server))
        comm, left = view.comm, [weakref.ref(view), weakref.ref(view._explorer.state.rows)]
        view = tkf.explore(view.frame)
        assert [ref() for ref in left] == [None, None]
        assert comm._closed
        assert len(view.frame) > 10
    finally:
        gc.enable()


def test_an_open_view_is_known_to_ipywidgets(
    shared_server: DemoServer, client_of, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reloaded page gets the state of an open view, and its messages are answered."""
    view, said = tkf.explore("checkpoints", client_of(shared_server)), []
    assert Widget.get_manager_state()["state"][view.model_id]["state"]["_grid"] == view._grid
    monkeypatch.setattr(view, "send", said.append)
    view.comm.handle_msg({"content": {"data": {"method": "custom", "content": {"do": "ping"}}}, "buffers": []})
    assert said == [{"heard": "ping"}]


def test_memory_is_returned_only_while_arrow_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """When the interpreter exits, its modules are gone before its widgets: a script that made a view ends without a traceback."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    return_memory()


def test_a_closed_view_says_so(shared_server: DemoServer, client_of) -> None:
    """A closed view releases its rows, and its frames raise; closing it again does nothing."""
    view = tkf.explore("checkpoints", client_of(shared_server))
    rows = weakref.ref(view._explorer.state.rows)
    view.close()
    gc.collect()
    assert rows() is None
    assert repr(view) == "<CheckpointsView, closed>"
    for read in (lambda: view.frame, lambda: view.selected, view.code, lambda: view.act("delete")):
        with pytest.raises(InvalidRequestError, match="closed"):
            read()
    assert view.plan is None
    view.close()


def test_a_plan_continues_when_its_view_is_closed(client_of) -> None:
    """Closing a view neither stops its running plan nor hides the outcomes; reads are cancelled."""
    with DemoServer(faults=Faults(write_latency=0.05)) as server:
        view = tkf.explore("checkpoints", client_of(server))
        view.selected = view.frame.query("not public").head(3)
        view.act("publish")
        assert view.wait(20)
        view._handle_custom_msg({"do": "confirm"}, [])
        view.close()
        assert view.wait(20)
        assert list(view.outcomes["outcome"]) == ["done"] * 3
        assert server.requests.count("publish_checkpoint") == 3


def test_a_refresh_ends_with_its_view(client_of) -> None:
    """A view that is closed during a refresh releases its rows and shows no error."""
    faults = Faults(latency=0.05)
    with DemoServer(faults=faults) as server:
        view = tkf.explore("checkpoints", client_of(server))
        view._handle_custom_msg({"do": "refresh"}, [])
        view.selected = view.filtered
        view.act("publish")
        task, rows = view._explorer.reading, weakref.ref(view._explorer.state.rows)
        view.close()
        assert task.join(20)
        del task
        wait_until(lambda: gc.collect() is not None and rows() is None)
        assert view.plan is None


@pytest.mark.few(1)
@pytest.mark.parametrize("code", ["view = tkf.explore('checkpoints', client)", "tkf.explore('checkpoints', client)"])
def test_a_cell_that_is_run_again_keeps_one_view(run_cell: RunCell, code: str) -> None:
    """However often a cell is run, only its last view is open, also where IPython keeps each result."""
    before = count_open()
    for _ in range(3):
        run_cell("a", code)
    assert count_open() == before + 1


@pytest.mark.few(1)
@pytest.mark.parametrize("code", ["tkf.explore('checkpoints', client)", "display(tkf.explore('checkpoints', client))"])
def test_a_displayed_view_without_a_variable_is_kept(run_cell: RunCell, code: str) -> None:
    """A view stays open as long as its cell's output, which other cells do not end; without a cell id, for good."""
    before = count_open()
    run_cell("a", code)
    for number in range(4):
        run_cell("b", f"{number}")
    assert count_open() == before + 1
    run_cell("a", "None")
    assert count_open() == before
    for _ in range(2):
        run_cell("", code)
    assert count_open() == before + 2


def test_a_view_that_is_used_elsewhere_is_kept(run_cell: RunCell) -> None:
    """Running a cell again closes no view that a variable or another cell's output refers to."""
    before = count_open()
    run_cell("a", "kept = tkf.explore('checkpoints', client); kept")
    run_cell("b", "kept")
    names = run_cell("a", "tkf.explore('checkpoints', client)")
    assert len(names["kept"].frame) > 10
    run_cell("c", "del kept")
    assert count_open() == before + 2  # cell b still shows it
    names = run_cell("b", "1")
    assert count_open() == before + 1
    assert names["_"] == 1


@pytest.mark.parametrize("name", ["checkpoints", "training_runs", "sessions"])
def test_views_of_one_listing_share_its_columns(shared_server: DemoServer, client_of, name: str) -> None:
    """Two views of a cached listing hold its text once, also if one was opened from another table; changing one frame leaves the other."""
    client = client_of(shared_server)
    first, other = tkf.explore(name, client), tkf.explore(name, client)
    key = first._explorer.state.sort.key
    assert get_buffers(first.frame, key) == get_buffers(other.frame, key)
    changed, was = other.frame.copy(), first.frame.loc[0, key]
    changed.loc[0, key] = "changed"
    assert first.frame.loc[0, key] == other.frame.loc[0, key] == was
    pd.testing.assert_index_equal(first.frame.columns, other.frame.columns)
    assert other.frame.attrs["tinker"]["table"] == first.frame.attrs["tinker"]["table"]


def test_tables_opened_in_a_view_share_its_columns(shared_server: DemoServer, client_of) -> None:
    """Checkpoints that are opened from a run share the columns of the first table."""
    view = tkf.explore("checkpoints", client_of(shared_server))
    for label in ("run", "checkpoints"):
        view._handle_custom_msg({"do": "open", "label": label, "place": 0, "number": view._grid["number"]}, [])
        assert view.wait(20)
    first, _, last = (table.rows.frame for table in view._explorer.stack)
    assert get_buffers(first, "tinker_path") == get_buffers(last, "tinker_path")
