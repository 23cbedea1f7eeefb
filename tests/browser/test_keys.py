"""Only the keyboard in a real page: every control is reached, none is a trap, and a notebook's own keys stay out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import tinker_frames as tkf

from .shown import Shown

if TYPE_CHECKING:
    import pandas as pd

    from .stage import Stage

pytestmark = pytest.mark.browser

SUPPRESSED = "() => document.activeElement.dataset.lmSuppressShortcuts === 'true'"
BEFORE = "document.body.insertBefore(document.createElement('button'), document.body.firstChild).focus()"
HAS_FOCUS = "part => part.contains(document.activeElement)"
FIRST = "button:enabled, input:enabled"
UNREACHED = """root => [...root.querySelectorAll('button, input, [tabindex]')].filter(element =>
  element.checkVisibility() && !element.disabled && element.tabIndex >= 0 && !element.dataset.lmSuppressShortcuts
).map(element => element.outerHTML.slice(0, 90))"""


def tab_to(shown: Shown, name: str, key: str = "Tab") -> None:
    """Press Tab until a control has the focus."""
    for _ in range(60):
        if shown.active() == name:
            return
        shown.stage.press(key)
    raise AssertionError(f"{key} does not lead to {name}, but to {shown.active()}")


def tab_through(shown: Shown) -> int:
    """Press Tab through the whole view, and return how many stops it has; each keeps the notebook's keys out."""
    shown.page.evaluate(BEFORE)
    stops = 0
    shown.stage.press("Tab")
    while shown.active():
        assert shown.page.evaluate(SUPPRESSED), shown.active()
        stops += 1
        assert stops < 120, "there is no way out"
        shown.stage.press("Tab")
    return stops


def stops_of(shown: Shown, part: str) -> None:
    """Press Tab from the first control of a part to its last; each is reached and keeps the notebook's keys out."""
    root = shown.find(part)
    shown.stage.until(lambda: root.evaluate(HAS_FOCUS))
    root.locator(FIRST).first.focus()
    unreached = root.evaluate(UNREACHED)
    while root.is_visible() and root.evaluate(HAS_FOCUS):
        assert shown.page.evaluate(SUPPRESSED), shown.active()
        unreached = root.evaluate(UNREACHED)
        shown.stage.press("Tab")
    assert unreached == []


def test_every_stop_keeps_the_notebooks_keys_out(shown: Shown) -> None:
    """Tab passes every control that is seen and leaves the view again; no stop is without the mark that JupyterLab heeds."""
    shown.view.filters = {"size": [0, None]}
    shown.sees(shown.chips, ["Size: ≥ 0 GB"])
    shown.stage.until(lambda: shown.find(".tkf-column").count())
    assert tab_through(shown) > 40
    assert shown.root.evaluate(UNREACHED) == []


def test_every_stop_of_the_panel_keeps_them_out(stage: Stage, inventory: pd.DataFrame, account: tkf.Client) -> None:
    """The same with forms and plans open, rows of the plan listed."""
    shown = Shown(stage, tkf.explore(inventory.tail(5), account))
    shown.click("pictures")
    for name in ("retire", "set_ttl", "export", "delete"):
        shown.act(name)
        if name == "delete":
            shown.stage.click(shown.find(".tkf-action-panel .tkf-group").first)
            shown.stage.until(lambda: shown.find(".tkf-listed").count())
        stops_of(shown, ".tkf-action-panel")
        shown.answer("close")


@pytest.mark.parametrize("name", ["model", "created", "metadata", "columns"])
def test_every_stop_of_a_popover_keeps_them_out(shown: Shown, name: str) -> None:
    """The same within popovers: each of their controls is reached by Tab from where the focus goes first."""
    shown.view.columns = ["name", "tinker_path"]
    shown.click(name)
    stops_of(shown, ".tkf-popover")


def test_keys_do_not_leave_the_view(shown: Shown) -> None:
    """No key that is pressed in the view reaches the page around it, where a notebook would listen."""
    shown.page.evaluate("window.leaked = []; document.addEventListener('keydown', event => leaked.push(event.key))")
    shown.grid.focus()
    shown.stage.press("d", "d", "ArrowDown", "a", "Enter", "x", "Escape")
    shown.named("text").focus()
    shown.stage.press("d", "d", "Enter", "Escape")
    shown.named("expire").focus()
    shown.stage.press("d", "d", "Control+s")
    assert shown.page.evaluate("leaked") == []


def test_focus_is_never_nowhere(shown: Shown) -> None:
    """After a button that takes itself away the focus is still in the view."""
    shown.view.filters = {"size": [0, None], "public": [False]}
    shown.sees(lambda: len(shown.chips()), 2)
    for name in ("off size", "off public", "all", "none"):
        shown.named(name).focus()
        shown.stage.press("Enter")
        shown.sees(shown.named(name).count, 0)
        assert shown.active() not in ("", name)
    shown.view.query = "size_gb < 0"
    shown.stage.until(lambda: shown.find(".tkf-empty").is_visible())
    shown.named("reset-empty").focus()
    shown.stage.press("Enter")
    shown.sees(shown.counts, "582 of 582")
    assert shown.active() == "tkf-grid"
