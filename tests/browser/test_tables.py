"""Navigating between tables in a real page, two views on one page, and the parts around the rows."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

import tinker_frames as tkf

from .view_page import ViewPage

if TYPE_CHECKING:
    import pandas as pd

    from tinker_frames.demo import DemoServer

    from .widget_host import WidgetHost

pytestmark = pytest.mark.browser


@pytest.fixture
def sessions(host: WidgetHost, account: tkf.Client) -> ViewPage:
    """A view of the account's sessions, sorted by number of checkpoints, descending."""
    widget = tkf.explore("sessions", account)
    widget.sort = ["-checkpoints_count"]
    return ViewPage(host, widget)


def read_trail(view: ViewPage) -> list[str]:
    """Return the breadcrumb of opened tables."""
    return [
        re.split(" of | ?\N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK}", text)[0]
        for text in view.find(".tkf-trail > *").all_inner_texts()
    ]


def open_(view: ViewPage, label: str, place: int = 0) -> None:
    """Click a link to another table."""
    view.host.click(view.row(place).locator(f'[data-open="{label}"]'))
    view.wait_until_idle()


# ---- navigation


def test_back_again_all_is_as_it_was(sessions: ViewPage) -> None:
    """Going back restores filter, order and selection."""
    sessions.widget.query = "checkpoints_count > 5"
    sessions.host.click(sessions.cell(2, "status"))
    sessions.wait_for_text(sessions.selection, "1 selected")
    before = sessions.keys(), sessions.sorts(), sessions.selected(), sessions.counts()
    open_(sessions, "checkpoints", 1)
    sessions.wait_for(lambda: read_trail(sessions), ["Sessions", "Checkpoints"])
    assert sessions.selection().startswith("none selected")
    sessions.click("back 0")
    sessions.wait_for(lambda: read_trail(sessions), ["Sessions"])
    sessions.wait_for(lambda: (sessions.keys(), sessions.sorts(), sessions.selected(), sessions.counts()), before)


def test_keys_open_related_rows(view: ViewPage) -> None:
    """Shift+Enter on a checkpoint opens its run, a link of its details its session; the keyboard keeps working in the new rows."""
    view.grid.focus()
    for keys, table in ((("Shift+Enter",), "Training runs"), (("Enter",), "Sessions")):
        view.press("Control+Home", *keys)
        if keys == ("Enter",):
            view.host.wait_until(lambda: view.active() == "tkf-detail")
            view.control("detail session").focus()
            view.host.press("Enter")
        view.wait_until_idle()
        view.wait_for(lambda: read_trail(view), ["Checkpoints", table])
        assert view.active() == "tkf-grid"
        assert view.counts().startswith("1 of ")
        view.click("back 0")
        view.wait_for(lambda: read_trail(view), ["Checkpoints"])
        assert view.active() in ("tkf-grid", "tkf-detail"), "the link that had the focus is gone"


def start_slow_refresh(host: WidgetHost, server: DemoServer, client: tkf.Client) -> ViewPage:
    """Return a view that is refreshing from a server that takes a second for the sessions."""
    view = ViewPage(host, tkf.explore("checkpoints", client))
    server.faults.latency_of["search_sessions"] = 1
    view.host.click(view.find("[data-name=refresh]"))
    view.wait_for_text(view.note, "sessions")
    return view


def test_a_refresh_that_takes_long_is_counted_and_can_be_cancelled(
    host: WidgetHost, server: DemoServer, client: tkf.Client
) -> None:
    """A slow refresh shows the name and count of what is read, and Cancel keeps the previous rows."""
    view = start_slow_refresh(host, server, client)
    keys = view.keys()
    assert view.note().startswith("Refreshing … ")
    view.host.click(view.find("[data-name=stop]"))
    view.wait_for_text(view.note, "was stopped")
    assert (view.keys(), view.find("[data-name=stop]").is_visible()) == (keys, False)
    server.faults.clear()
    view.click_and_wait("refresh")
    view.wait_for(view.note, "")


def test_a_note_that_goes_leaves_the_keyboard_where_it_can_go_on(
    host: WidgetHost, server: DemoServer, client: tkf.Client
) -> None:
    """The focus moves from Cancel to the note's close button and from there to the rows; it is never lost."""
    view = start_slow_refresh(host, server, client)
    view.host.press("Enter", on=view.find("[data-name=stop]"))
    view.wait_for_text(view.note, "was stopped")
    close = view.find('.tkf-note [aria-label="close this note"]')
    view.wait_for(lambda: close.evaluate("button => document.activeElement === button"), wanted=True)
    view.host.press("Enter", on=close)
    view.wait_for(view.note, "")
    view.wait_for(view.active, "tkf-grid")


def test_after_nothing_matched_the_keys_begin_with_the_first_row(view: ViewPage) -> None:
    """When rows return after an empty result the cursor is on the first row, not in the header."""
    view.widget.query = "size_gb < 0"
    view.host.wait_until(lambda: view.find(".tkf-empty").is_visible())
    view.widget.query = ""
    view.wait_for(view.counts, "582 of 582")
    view.grid.focus()
    view.press(" ")
    view.wait_for(view.selected, [0])


def test_an_empty_account_says_what_to_do(host: WidgetHost, inventory: pd.DataFrame, account: tkf.Client) -> None:
    """A view without any rows says so and what to do; it does not offer to reset filters that there are not."""
    view = ViewPage(host, tkf.explore(inventory.head(0), account))
    assert "Save one from a training run" in view.find(".tkf-empty").inner_text()
    assert view.control("reset-empty").count() == 0


# ---- several views


def test_ids_of_two_views_are_their_own(host: WidgetHost, account: tkf.Client) -> None:
    """Element ids are unique on a page with two views and a second display of one."""
    widget = tkf.explore("checkpoints", account)
    for view in (widget, tkf.explore("checkpoints", account), widget):
        ViewPage(host, view).click("metadata")
    host.settle()
    ids = host.page.evaluate("[...document.querySelectorAll('[id]')].map(element => element.id)")
    assert len(ids) == len(set(ids)) > 100


def test_a_view_that_is_gone_leaves_nothing_behind(view: ViewPage) -> None:
    """A closed view leaves no listener that would fail at the next click or key."""
    view.click("model")
    view.widget.close()
    view.host.wait_until(lambda: view.root.count() == 0)
    view.page.mouse.click(5, 5)
    view.page.keyboard.press("Escape")
    view.host.settle()


def test_marimo_is_told_what_has_changed(host: WidgetHost, account: tkf.Client, inventory: pd.DataFrame) -> None:
    """In an element of marimo, which runs cells again only for changes from the browser, each change of a trait is followed by one; elsewhere none."""
    host.page.evaluate("window.host.within = 'marimo-anywidget'")
    view = ViewPage(host, tkf.explore(inventory.head(5), account))
    view.host.click(view.check(1))
    host.wait_until(lambda: view.widget._seen == 1)
    assert view.widget.selected_keys == [inventory["tinker_path"].iloc[1]]
    view.widget.filters = {"text": "nothing has it"}
    host.wait_until(lambda: view.widget._seen == 2)
    host.page.evaluate("window.host.within = ''")
    plain = ViewPage(host, tkf.explore(inventory.head(5), account))
    plain.widget.selected = plain.widget.frame
    host.page.wait_for_timeout(120)
    host.settle()
    assert plain.widget._seen == 0


# ---- around the rows


def test_the_code_is_copied(view: ViewPage) -> None:
    """Copy code copies the code that reproduces the rows, and shows a note."""
    view.widget.query = "public"
    view.click("code")
    view.wait_for(view.note, "copied the code of this view")
    copied = view.page.evaluate("navigator.clipboard.readText()")
    assert copied == view.widget.code()
    assert "frame.query('public')" in copied


def test_pictures_can_be_put_away(view: ViewPage) -> None:
    """The button hides the charts, gives the space beside the rows to these, and shows them again."""
    view.page.set_viewport_size({"width": 1700, "height": 900})
    view.host.wait_until(lambda: view.find(".tkf-chart").count() == 6)
    before = view.grid.evaluate("grid => grid.clientWidth")
    view.click("charts")
    view.wait_for(lambda: view.find(".tkf-charts").is_visible(), False)
    assert view.control("charts").get_attribute("aria-pressed") == "false"
    assert view.grid.evaluate("grid => grid.clientWidth") > before + 200
    view.click("charts")
    view.wait_for(lambda: view.find(".tkf-chart").count(), 6)


def test_a_kernel_that_is_silent_is_told(view: ViewPage) -> None:
    """If the kernel does not respond for a while the view says so, and clears the note on the next response."""
    view.host.settle()
    view.page.clock.install()
    view.grid.evaluate("grid => grid.dispatchEvent(new KeyboardEvent('keydown', { key: 'Escape' }))")
    view.page.clock.fast_forward(7_000)
    assert view.note() == ""
    view.page.clock.fast_forward(3_000)
    assert "No answer from the kernel" in view.note()
    view.host.pump()
    assert view.note() == ""
    view.grid.evaluate("grid => grid.dispatchEvent(new KeyboardEvent('keydown', { key: 'Escape' }))")
    view.host.pump()
    view.page.clock.fast_forward(20_000)
    assert view.note() == "", "what changes nothing is answered as well"
