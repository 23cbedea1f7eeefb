"""Keyboard access in a real page: every control can be reached and left, and the notebook's shortcuts are off."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import tinker_frames as tkf

from .view_page import ViewPage

if TYPE_CHECKING:
    import pandas as pd

    from .widget_host import WidgetHost

pytestmark = pytest.mark.browser

SUPPRESSED = "() => document.activeElement.dataset.lmSuppressShortcuts === 'true'"
BEFORE = "document.body.insertBefore(document.createElement('button'), document.body.firstChild).focus()"
HAS_FOCUS = "part => part.contains(document.activeElement)"
FIRST = "button:enabled, input:enabled"
UNREACHED = """root => [...root.querySelectorAll('button, input, [tabindex]')].filter(element =>
  element.checkVisibility({ visibilityProperty: true }) && !element.disabled && element.tabIndex >= 0 && !element.dataset.lmSuppressShortcuts
).map(element => element.outerHTML.slice(0, 90))"""


def tab_to(view: ViewPage, name: str, key: str = "Tab") -> None:
    """Press Tab until a control has the focus."""
    for _ in range(60):
        if view.active() == name:
            return
        view.host.press(key)
    raise AssertionError(f"{key} does not lead to {name}, but to {view.active()}")


def tab_through(view: ViewPage) -> int:
    """Tab through the entire view and return the number of stops before the rows; each suppresses the notebook's shortcuts."""
    view.page.evaluate(BEFORE)
    stops = before = 0
    view.host.press("Tab")
    while view.active():
        assert view.page.evaluate(SUPPRESSED), view.active()
        stops += 1
        before = stops if view.active() == "tkf-grid" else before
        assert stops < 120, "there is no way out"
        view.host.press("Tab")
    return before


def stops_of(view: ViewPage, part: str) -> None:
    """Tab from the first control of a part to its last; each is reached and suppresses the notebook's shortcuts."""
    root = view.find(part)
    view.host.wait_until(lambda: root.evaluate(HAS_FOCUS))
    root.locator(FIRST).first.focus()
    unreached = root.evaluate(UNREACHED)
    while root.is_visible() and root.evaluate(HAS_FOCUS):
        assert view.page.evaluate(SUPPRESSED), view.active()
        unreached = root.evaluate(UNREACHED)
        view.host.press("Tab")
    assert unreached == []


def test_every_stop_keeps_the_notebooks_keys_out(view: ViewPage) -> None:
    """Tab visits every toolbar and box and leaves the view, with fewer than ten stops before the rows; every stop has the marker that JupyterLab respects."""
    view.widget.filters = {"size": [0, None]}
    view.wait_for(view.chips, ["Size: ≥ 0 GB"])
    view.select_matching()
    view.host.wait_until(lambda: view.find(".tkf-picture svg").count())
    assert tab_through(view) < 10
    assert view.root.evaluate(UNREACHED) == []


def test_arrow_keys_move_in_toolbars(view: ViewPage) -> None:
    """The arrow keys reach every button of a toolbar, and Tab comes back to the last one; each suppresses the notebook's shortcuts."""
    view.widget.filters = {"size": [0, None]}
    view.wait_for(view.chips, ["Size: ≥ 0 GB"])
    view.select_matching()
    for bar in view.find('[role="toolbar"]').all():
        names = bar.locator("button").evaluate_all("all => all.map(button => button.dataset.name)")
        bar.locator('[tabindex="0"]').focus()
        for name in names:
            assert (view.active(), view.page.evaluate(SUPPRESSED)) == (name, True)
            view.host.press("ArrowRight")
        view.host.press("End", "Tab", "Shift+Tab")
        assert view.active() == names[-1]


def test_every_stop_of_the_panel_keeps_them_out(host: WidgetHost, inventory: pd.DataFrame, account: tkf.Client) -> None:
    """The same holds for open forms and plans with their rows listed."""
    view = ViewPage(host, tkf.explore(inventory.tail(5), account))
    view.click("charts")
    view.select_matching()
    for name in ("retire", "set_ttl", "export", "delete"):
        view.click_and_wait(name)
        if name == "delete":
            view.host.click(view.find(".tkf-action-panel .tkf-group").first)
            view.host.wait_until(lambda: view.find(".tkf-listed").count())
        stops_of(view, ".tkf-action-panel")
        view.answer_panel("close")


@pytest.mark.parametrize("name", ["model", "created", "metadata", "columns"])
def test_every_stop_of_a_popover_keeps_them_out(view: ViewPage, name: str) -> None:
    """Every control of a popover is reached by Tab from its initial focus and suppresses the notebook's shortcuts."""
    view.widget.columns = ["name", "tinker_path"]
    view.click(name)
    stops_of(view, ".tkf-popover")


def test_keys_do_not_leave_the_view(view: ViewPage) -> None:
    """No key pressed in the view reaches the surrounding page, where a notebook would listen."""
    view.page.evaluate("window.leaked = []; document.addEventListener('keydown', event => leaked.push(event.key))")
    view.grid.focus()
    view.host.press("d", "d", "ArrowDown", "a", "Enter", "x", "Escape")
    view.control("text").focus()
    view.host.press("d", "d", "Enter", "Escape")
    view.control("expire").focus()
    view.host.press("d", "d", "Control+s")
    assert view.page.evaluate("leaked") == []


def test_focus_is_never_nowhere(view: ViewPage) -> None:
    """After a button that removes itself the focus is still in the view."""
    view.widget.filters = {"size": [0, None], "public": [False]}
    view.wait_for(lambda: len(view.chips()), 2)
    for name in ("off size", "off public", "all", "none"):
        view.control(name).focus()
        view.host.press("Enter")
        view.wait_for(view.control(name).count, 0)
        assert view.active() not in ("", name)
    view.widget.query = "size_gb < 0"
    view.host.wait_until(lambda: view.find(".tkf-empty").is_visible())
    view.control("reset-empty").focus()
    view.host.press("Enter")
    view.wait_for(view.counts, "582 of 582")
    assert view.active() == "tkf-grid"
