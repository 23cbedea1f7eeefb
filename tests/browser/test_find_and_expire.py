"""Finding the old checkpoints of a failed model and letting them expire: in few clicks, and never of more rows than were meant."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

import tinker_frames as tkf

from .notebook_view import checkpoints
from .view_page import ViewPage

if TYPE_CHECKING:
    import pandas as pd

    from tinker_frames.demo import DemoServer

    from .widget_host import WidgetHost

pytestmark = pytest.mark.browser

MOST_CLICKS = 8


class CountingView(ViewPage):
    """A view on which every click is counted."""

    clicks = 0

    def press_on(self, selector: str) -> None:
        """Click an element, count it, and wait until the view is idle."""
        self.host.click(self.find(selector))
        self.clicks += 1
        self.wait_until_idle()


@pytest.fixture
def own_view(host: WidgetHost, client: tkf.Client) -> CountingView:
    """A view of this test's own account."""
    return CountingView(host, tkf.explore("checkpoints", client))


def find_old_failed(view: ViewPage) -> pd.DataFrame:
    """Return the old checkpoints of failed sessions."""
    return view.widget.frame.query("session_status == 'failed' and age_days > 30")


def choose_model(view: ViewPage) -> str:
    """Return the model with most of them."""
    return str(find_old_failed(view)["base_model"].mode()[0])


def filter_and_select(view: CountingView, model: str) -> None:
    """Filter by the charts and the popovers, and select all that match."""
    view.press_on('[data-name="chart status"] .tkf-bar-row:has-text("failed")')
    view.press_on(f'[data-name="chart model"] .tkf-bar-row:has-text("{model}")')
    view.press_on('[data-name="add"]')
    view.press_on('[data-name="add created"]')
    view.press_on('[data-name="older than 30 d"]')
    view.press_on('[data-name="all"]')


def test_old_checkpoints_of_a_failed_model_expire_in_eight_clicks(own_view: CountingView, server: DemoServer) -> None:
    """Two bars, one filter, all that match, the action and its confirmation: exactly the rows that are meant expire."""
    model = choose_model(own_view)
    meant = set(find_old_failed(own_view).query("base_model == @model")["tinker_path"])
    before = {path: row.expires_at for path, row in checkpoints(server).items()}
    filter_and_select(own_view, model)
    assert set(own_view.widget.selected["tinker_path"]) == meant
    own_view.press_on('.tkf-actions [data-name="expire"]')
    assert own_view.widget.plan is not None
    sends = own_view.widget.plan.frame.query("verdict == 'send'")
    own_view.press_on('.tkf-action-panel [data-name="run"]')
    changed = {path for path, row in checkpoints(server).items() if row.expires_at != before[path]}
    assert changed == set(sends["tinker_path"]) <= meant
    assert changed
    soon = server.state.now() + timedelta(hours=25)
    assert all((expiry := checkpoints(server)[path].expires_at) is not None and expiry < soon for path in changed)
    assert own_view.clicks <= MOST_CLICKS


@pytest.mark.parametrize("slip", ["a filter removed", "all filters reset", "a row more", "a wrong query"])
def test_a_slip_does_not_widen_a_plan(own_view: CountingView, server: DemoServer, slip: str) -> None:
    """Whatever is changed while a plan is shown, it cannot be run on other rows: it is out of date, or Enter does nothing."""
    filter_and_select(own_view, choose_model(own_view))
    own_view.press_on('.tkf-actions [data-name="expire"]')
    if slip == "a filter removed":
        own_view.press_on('[data-name="off status"]')
    elif slip == "all filters reset":
        own_view.press_on('[data-name="reset"]')
    elif slip == "a row more":
        own_view.host.click(own_view.check(0))
    else:
        own_view.click("query-switch")
        own_view.type("query", "size_gb >")
    own_view.wait_until_idle()
    own_view.host.wait_until(lambda: own_view.find(".tkf-action-panel.tkf-outdated, .tkf-action-panel[hidden]").count())
    assert not own_view.panel_control("run").count()
    own_view.host.press("Enter", "Escape", "Enter")
    own_view.wait_until_idle()
    assert not server.requests.count("set_checkpoint_ttl")
