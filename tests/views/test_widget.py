"""The widget without a browser: its Python interface, and its replies to messages."""

from __future__ import annotations

import json
import subprocess
import sys
from types import SimpleNamespace

import pandas as pd
import pytest
from ipywidgets.embed import embed_data

import tinker_frames as tkf
from tinker_frames.demo import DemoServer
from tinker_frames.errors import InvalidRequestError

PATH = "tinker_path"


@pytest.fixture
def view(shared_server: DemoServer, client_of) -> tkf.CheckpointsView:
    """A view of every checkpoint of an account that does not change."""
    return tkf.explore("checkpoints", client_of(shared_server))


def send_message(view: tkf.CheckpointsView, **message: object) -> None:
    """Pass a message to the view as the browser does."""
    view._handle_custom_msg(message, [])


def test_explore_by_name_and_by_frame(shared_server: DemoServer, client_of) -> None:
    """`explore` opens the right view for a table's name and for a frame of it."""
    client = client_of(shared_server)
    kinds = {"checkpoints": tkf.CheckpointsView, "inventory": tkf.CheckpointsView, "sessions": tkf.SessionsView}
    for name, kind in {**kinds, "training_runs": tkf.TrainingRunsView}.items():
        assert isinstance(tkf.explore(name, client), kind)
        assert isinstance(tkf.explore(getattr(client, name)(), client), kind)
        assert isinstance(getattr(client, name)().tinker.explore(client=client), kind)


@pytest.mark.parametrize("kind", [tkf.CheckpointsView, tkf.TrainingRunsView, tkf.SessionsView])
def test_a_view_without_a_frame_lists_its_table(kind: type, shared_server: DemoServer, client_of) -> None:
    """A view without a frame reads its table from the client."""
    assert len(kind(client=client_of(shared_server)).frame) > 10


def test_what_cannot_be_explored_is_refused(shared_server: DemoServer, server: DemoServer, client_of, tmp_path) -> None:
    """A frame of samplers, an unknown name, a frame of another account and an unknown option raise an error with the reason."""
    client = client_of(shared_server)
    with pytest.raises(InvalidRequestError, match="not of a table that can be explored"):
        tkf.explore(client.samplers(), client)
    with pytest.raises(InvalidRequestError, match="'nonsense'"):
        tkf.explore("nonsense", client)
    other = client_of(server, cache_dir=tmp_path / "other")
    with pytest.raises(InvalidRequestError, match="account"):
        tkf.explore(client.checkpoints(), other)
    with pytest.raises(TypeError, match="colour"):
        tkf.CheckpointsView(client.checkpoints(), client, colour="red")


def test_the_query_is_synchronized(view: tkf.CheckpointsView) -> None:
    """Setting the query filters the rows; filters set in the browser change the query and notify observers."""
    heard: list[str] = []
    view.observe(lambda change: heard.append(change.new), "query")
    view.query = "size_gb > 1 and not public"
    pd.testing.assert_frame_equal(view.filtered, view.frame.query("size_gb > 1 and not public"))
    send_message(view, do="filter", name="public", value=[True])
    assert "public" in view.query.rsplit(" and ", 1)[-1] or "public" in view.query
    assert heard[0] == "size_gb > 1 and not public"
    assert heard[-1] == view.query
    send_message(view, do="reset")
    assert view.query == ""
    assert len(view.filtered) == len(view.frame)


def test_an_invalid_query_changes_nothing(view: tkf.CheckpointsView) -> None:
    """An invalid query raises, and query and rows stay."""
    view.query = "public"
    shown = list(view.filtered[PATH])
    with pytest.raises(InvalidRequestError, match="nonsense"):
        view.query = "nonsense > 1"
    assert view.query == "public"
    assert list(view.filtered[PATH]) == shown


def test_sort_columns_and_filters_are_synchronized(view: tkf.CheckpointsView) -> None:
    """Order, columns and filters can be set from Python, and reflect what is set in the browser."""
    view.sort = ["-size_gb", "name"]
    expected = view.frame.sort_values(["size_gb", "name"], ascending=[False, True], kind="stable")
    pd.testing.assert_frame_equal(view.filtered, expected)
    send_message(view, do="sort", sort=["time"])
    assert view.sort == ["time"]
    view.columns = ["name", "size_gb"]
    assert [column["id"] for column in view._grid["columns"]] == ["name", "size_gb"]
    send_message(view, do="columns", columns=["size_gb"])
    assert view.columns == ["size_gb"]
    view.filters = {"public": [True]}
    assert view.filters == {"public": [True]}
    assert bool(view.filtered["public"].all())


def test_filters_combine_with_the_query(view: tkf.CheckpointsView) -> None:
    """Setting filters keeps the query, also the last valid one of a box that is half typed; it is replaced or removed by name."""
    view.query = "size_gb > 1"
    view.filters = {"public": [False]}
    assert view.filters == {"public": [False], "query": "size_gb > 1"}
    pd.testing.assert_frame_equal(view.filtered, view.frame.query("size_gb > 1 and not public"))
    send_message(view, do="filter", name="query", value="size_gb >")
    view.filters = {"type": ["training"]}
    assert view.filters == {"type": ["training"], "query": "size_gb > 1"}
    view.filters = {"type": ["training"], "query": "step > 0"}
    assert view.filters == {"type": ["training"], "query": "step > 0"}
    view.filters = {"query": None}
    assert (view.filters, view.query) == ({}, "")


def test_selected_can_be_set_by_frame_and_by_keys(view: tkf.CheckpointsView) -> None:
    """`selected` accepts a frame or keys and nothing else, and returns a frame with the account in its `attrs`."""
    largest = view.frame.nlargest(5, "size_gb")
    view.selected = largest
    assert set(view.selected[PATH]) == set(largest[PATH])
    view.selected = list(largest[PATH])[:2]
    assert set(view.selected[PATH]) == set(largest[PATH][:2])
    assert view.selected.attrs["tinker"]["account"] == view.frame.attrs["tinker"]["account"]
    assert view._selection["rows"] == 2
    for wrong in ([1], largest["public"], None, 5, largest[PATH].iloc[0]):
        with pytest.raises(TypeError, match="a frame with a column 'tinker_path', or a list of its values, not"):
            view.selected = wrong
    for unknown in (["nope"], [largest[PATH].iloc[0], "nope"], largest.assign(**{PATH: "nope"})):
        with pytest.raises(tkf.errors.InvalidRequestError, match="'nope' names no row of this view"):
            view.selected = unknown
    assert view._selection["rows"] == 2


def test_every_message_is_answered(view: tkf.CheckpointsView, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every message, also an invalid one, gets a reply; an error becomes a note, not an exception."""
    said: list[object] = []
    monkeypatch.setattr(view, "send", said.append)
    messages = [{"do": "ping"}, {"do": "nonsense"}, {}, {"do": "sort", "sort": ["no such column"]}, {"do": "select"}]
    for message in messages:
        view._handle_custom_msg(message, [])
    assert len(said) == len(messages)
    assert view._head["note"]
    send_message(view, do="rows", number=view._grid["number"], place=0)
    assert len(said[-1]["rows"]) == len(view._grid["first"])


def test_an_action_waits_for_its_confirmation(server: DemoServer, client: tkf.Client) -> None:
    """`act` shows a plan and sends nothing; once confirmed it runs, and the rows change in place."""
    view = tkf.explore("checkpoints", client)
    view.query = "not public"
    view.selected = view.filtered.head(3)
    view.act("publish")
    assert view.wait(20)
    assert len(view.plan) == 3
    assert server.requests.count("publish_checkpoint") == 0
    send_message(view, do="confirm")
    assert view.wait(20)
    assert list(view.outcomes["outcome"]) == ["done"] * 3
    assert bool(view.selected["public"].all())
    send_message(view, do="undo")
    assert view.wait(20)
    assert not view.selected["public"].any()


def test_a_proposed_plan_waits_for_its_confirmation(server: DemoServer, client: tkf.Client) -> None:
    """`propose` shows a plan made by `df.tinker`, and sends nothing."""
    frame = client.checkpoints()
    view = tkf.explore(frame, client)
    view.propose(frame.query("not public").head(2).tinker.publish())
    assert view.wait(20)
    assert len(view.plan) == 2
    assert server.requests.count("publish_checkpoint") == 0


def test_a_frame_without_an_account_is_shown() -> None:
    """Rows that do not come from a listing can be shown without a client."""
    view = tkf.explore(pd.DataFrame({PATH: ["tinker://run/weights/1", "tinker://run/weights/2"]}))
    view.query = "tinker_path.str.endswith('2')"
    assert list(view.filtered[PATH]) == ["tinker://run/weights/2"]


def test_the_static_table_is_escaped(view: tkf.CheckpointsView) -> None:
    """The static table, shown where widgets are not, has the first rows, with their text escaped."""
    hostile = view.frame.copy()
    hostile["name"] = "<img src=x onerror=alert(1)>"
    bundle = tkf.explore(hostile, view._explorer._client())._repr_mimebundle_()
    data = bundle[0] if isinstance(bundle, tuple) else bundle
    assert "<img" not in data["text/html"]
    assert "&lt;img src=x onerror=alert(1)&gt;" in data["text/html"]
    assert data["text/html"].count("<tr>") == 21
    assert 'text-align: right">size_gb</th>' in data["text/html"]
    assert 'text-align: left">tinker_path</th></tr>' in data["text/html"], "paths are the last column"
    assert "application/vnd.jupyter.widget-view+json" in data


def test_a_view_that_saves_no_rows_says_so(view: tkf.CheckpointsView) -> None:
    """With `save_rows=False` the static form has no row, only what to do."""
    bundle = tkf.explore(view.frame, view._explorer._client(), save_rows=False)._repr_mimebundle_()
    text = (bundle[0] if isinstance(bundle, tuple) else bundle)["text/html"]
    assert "not saved" in text
    assert "<t" not in text
    assert view.frame["tinker_path"].iloc[0] not in text


def test_an_embedded_view_has_its_program_and_its_first_rows(view: tkf.CheckpointsView) -> None:
    """What `ipywidgets.embed` writes of a view, of which it drops defaults, is enough to show it without a kernel."""
    state = embed_data(views=[view])["manager_state"]["state"][view.model_id]["state"]
    assert "export" in state["_esm"]
    assert state["_css"]
    assert view.frame["name"].iloc[0] in json.dumps(state["_grid"])


def test_colab_gets_the_metadata_of_its_widget_manager(
    view: tkf.CheckpointsView, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In Colab the view carries the widget manager's URL, and the static table is displayed before it."""
    widgets = SimpleNamespace(_installed_url="https://widgets.example/manager.js")
    colab = SimpleNamespace(enable_custom_widget_manager=lambda: None, _widgets=widgets)
    monkeypatch.setitem(sys.modules, "google.colab.output", colab)
    monkeypatch.setattr("tinker_frames.views.display.in_notebook", lambda: True)
    published: list[tuple[dict, ...]] = []
    monkeypatch.setattr("IPython.display.publish_display_data", lambda *bundle: published.append(bundle))
    view._ipython_display_()
    (static,), (live, metadata) = published
    assert "text/html" in static
    kind = "application/vnd.jupyter.widget-view+json"
    assert live[kind]["model_id"] == view.model_id
    assert metadata[kind]["colab"]["custom_widget_manager"]["url"] == widgets._installed_url


def test_repr_says_what_is_shown(view: tkf.CheckpointsView) -> None:
    """The repr has the number of rows and of selected rows, and no key."""
    view.query = "public"
    view.selected = view.filtered.head(2)
    text = repr(view)
    assert f"{len(view.filtered):,} of {len(view.frame):,} checkpoints" in text
    assert "2 selected" in text
    assert "tml-" not in text


@pytest.mark.slow
def test_without_anywidget_only_views_fail() -> None:
    """Without anywidget, `explore` raises an ImportError that names the extra; listings work."""
    code = """
import sys
sys.modules["anywidget"] = None
import tinker_frames as tkf
with tkf.demo.account(runs=2) as client:
    print(len(client.training_runs()))
    try:
        tkf.explore("checkpoints", client)
    except ImportError as error:
        print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert done.splitlines()[0] == "2"
    assert 'pip install "tinker-frames[lab]"' in done


def test_importing_the_package_loads_no_widgets() -> None:
    """Importing the package does not import ipywidgets or anywidget."""
    code = (
        "import sys, tinker_frames as tkf; tkf.Client; print('ipywidgets' in sys.modules, 'anywidget' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert done.split() == ["False", "False"]
