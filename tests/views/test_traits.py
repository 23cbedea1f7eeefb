"""The public traits of a view: what follows them, what they follow, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
import traitlets

import tinker_frames as tkf
from tinker_frames.demo import DemoServer
from tinker_frames.errors import InvalidRequestError
from tinker_frames.views import traits

PATH = "tinker_path"


@pytest.fixture
def view(shared_server: DemoServer, client_of) -> tkf.CheckpointsView:
    """A view of every checkpoint of an account that does not change."""
    return tkf.explore("checkpoints", client_of(shared_server), layout={"width": "900px"})


def test_every_public_trait_is_synced(view: tkf.CheckpointsView) -> None:
    """The browser is sent every public trait, the layout is taken, and an unknown option is refused."""
    assert set(traits.PUBLIC) <= set(view.get_state())
    assert view.layout.width == "900px"
    assert view.frame.tinker.explore(layout={"width": "9px"}).layout.width == "9px"


def test_what_happens_in_the_browser_is_observed(view: tkf.CheckpointsView) -> None:
    """Filters, selection, plan and outcomes notify observers with their new values."""
    heard: dict[str, Any] = {}
    view.observe(lambda change: heard.update({change["name"]: change["new"]}), ["filters", "selected_keys", "plan_id"])
    view._handle_custom_msg({"do": "filter", "name": "public", "value": [False]}, [])
    view._handle_custom_msg({"do": "select", "how": "add", "first": 0, "last": 1}, [])
    assert heard == {"filters": {"public": [False]}, "selected_keys": list(view.filtered[PATH].head(2))}
    assert heard["selected_keys"] == list(view.selected[PATH])
    view.act("expire")
    assert view.wait(30)
    assert view.plan is not None
    assert heard["plan_id"] == view.plan_id == view.plan.id
    assert view.outcome_counts == {}


def test_two_views_can_be_linked(view: tkf.CheckpointsView, shared_server: DemoServer, client_of) -> None:
    """Linked traits of two views have the same rows, whichever is set; a link of a frame is refused."""
    other = tkf.explore("checkpoints", client_of(shared_server))
    for name in ("filters", "sort", "selected_keys"):
        traitlets.link((view, name), (other, name))
    view.filters, other.sort = {"type": ["training"]}, ["-size_gb"]
    other.selected_keys = list(view.filtered[PATH].head(3))
    assert list(other.filtered[PATH]) == list(view.filtered[PATH])
    assert list(view.selected[PATH]) == other.selected_keys
    with pytest.raises((InvalidRequestError, TypeError)):
        traitlets.link((view, "selected"), (other, "selected"))


@pytest.mark.parametrize(("name", "instead"), [("selected", "selected_keys"), ("plan", "plan_id"), ("nope", "query")])
def test_what_is_no_trait_cannot_be_observed(view: tkf.CheckpointsView, name: str, instead: str) -> None:
    """Observing what would never be called raises an error that names what to observe."""
    for names in (name, ["query", name]):
        with pytest.raises(InvalidRequestError, match=f"{name!r} is no trait.*{instead}"):
            view.observe(print, names)


def test_what_the_browser_sets_is_taken_or_set_back(view: tkf.CheckpointsView) -> None:
    """A trait that a link in the browser sets is applied; what is refused is said in the view, which keeps its state."""
    view.set_state({"query": "public"})
    assert bool(view.filtered["public"].all())
    for refused in ({"query": "nonsense >"}, {"selected_keys": ["nope"]}, {"filters": {"nope": 1}}, {"plan_id": "x"}):
        view.set_state(refused)
        assert view._head["is_error"], refused
        view._handle_custom_msg({"do": "dismiss"}, [])
    with pytest.raises(traitlets.TraitError):
        view.plan_id = "x"
    assert (view.query, view.filters, view.selected_keys, view.plan_id) == ("public", {"query": "public"}, [], "")


def test_many_keys_stay_in_python(view: tkf.CheckpointsView, monkeypatch: pytest.MonkeyPatch) -> None:
    """A large selection is observed in Python, and not sent to the browser; nothing from there replaces it."""
    monkeypatch.setattr(traits, "MOST_SYNCED_KEYS", 100)
    view.selected = view.frame
    assert len(view.selected_keys) == len(view.frame) > 100
    assert view.get_state("selected_keys") == {"selected_keys": None}
    view.set_state({"selected_keys": None})
    assert len(view.selected_keys) == len(view.frame)
