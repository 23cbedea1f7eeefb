"""From table to table in a real page, two views beside one another, and the parts around the rows."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

import tinker_frames as tkf

from .shown import Shown

if TYPE_CHECKING:
    from tinker_frames.demo import DemoServer

    from .stage import Stage

pytestmark = pytest.mark.browser


@pytest.fixture
def sessions(stage: Stage, account: tkf.Client) -> Shown:
    """A view of the account's sessions, the one with most checkpoints first."""
    view = tkf.explore("sessions", account)
    view.sort = ["-checkpoints_count"]
    return Shown(stage, view)


def trail(shown: Shown) -> list[str]:
    """Return the tables that were opened, the last one being shown."""
    return [
        re.split(" of | ?\N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK}", text)[0]
        for text in shown.find(".tkf-trail > *").all_inner_texts()
    ]


def open_(shown: Shown, label: str, place: int = 0) -> None:
    """Click what opens another table."""
    shown.stage.click(shown.row(place).locator(f'[data-open="{label}"]'))
    shown.over()


# ---- from row to row


def test_back_again_all_is_as_it_was(sessions: Shown) -> None:
    """The way back leads to the same filter, order and selection."""
    sessions.view.query = "checkpoints_count > 5"
    sessions.stage.click(sessions.cell(2, "status"))
    sessions.says(sessions.selection, "1 selected")
    before = sessions.keys(), sessions.sorts(), sessions.selected(), sessions.counts()
    open_(sessions, "checkpoints", 1)
    sessions.sees(lambda: trail(sessions), ["Sessions", "Checkpoints"])
    assert sessions.selection().startswith("none selected")
    sessions.click("back 0")
    sessions.sees(lambda: trail(sessions), ["Sessions"])
    sessions.sees(lambda: (sessions.keys(), sessions.sorts(), sessions.selected(), sessions.counts()), before)


def test_enter_and_shift_enter_open(shown: Shown) -> None:
    """Enter on a checkpoint opens its run, Shift+Enter its session; the keys go on working in the new rows."""
    shown.grid.focus()
    for key, table in (("Enter", "Training runs"), ("Shift+Enter", "Sessions")):
        shown.press("Control+Home", key)
        shown.over()
        shown.sees(lambda: trail(shown), ["Checkpoints", table])
        assert shown.active() == "tkf-grid"
        assert shown.counts().startswith("1 of ")
        shown.click("back 0")
        shown.sees(lambda: trail(shown), ["Checkpoints"])
        assert shown.active() == "tkf-grid", "the link that had the focus is gone"


def slowly_refreshed(stage: Stage, server: DemoServer, client: tkf.Client) -> Shown:
    """Return a view that is being read anew from a server that takes a second for the sessions."""
    shown = Shown(stage, tkf.explore("checkpoints", client))
    server.faults.latency_of["search_sessions"] = 1
    shown.stage.click(shown.find("[data-name=refresh]"))
    shown.says(shown.note, "sessions")
    return shown


def test_a_refresh_that_takes_long_is_counted_and_can_be_cancelled(
    stage: Stage, server: DemoServer, client: tkf.Client
) -> None:
    """What is read is shown beside its name and number, with Cancel, which leaves the rows that were there."""
    shown = slowly_refreshed(stage, server, client)
    keys = shown.keys()
    assert shown.note().startswith("Reading anew … ")
    shown.stage.click(shown.find("[data-name=stop]"))
    shown.says(shown.note, "was stopped")
    assert (shown.keys(), shown.find("[data-name=stop]").is_visible()) == (keys, False)
    server.faults.clear()
    shown.act("refresh")
    shown.sees(shown.note, "")


def test_a_note_that_goes_leaves_the_keyboard_where_it_can_go_on(
    stage: Stage, server: DemoServer, client: tkf.Client
) -> None:
    """From Cancel the focus goes to what closes the note, and from there to the rows; it is never lost."""
    shown = slowly_refreshed(stage, server, client)
    shown.stage.press("Enter", on=shown.find("[data-name=stop]"))
    shown.says(shown.note, "was stopped")
    close = shown.find('.tkf-note [aria-label="close this note"]')
    shown.sees(lambda: close.evaluate("button => document.activeElement === button"), wanted=True)
    shown.stage.press("Enter", on=close)
    shown.sees(shown.note, "")
    shown.sees(shown.active, "tkf-grid")


def test_after_nothing_matched_the_keys_begin_with_the_first_row(shown: Shown) -> None:
    """When rows come back after an empty result the cursor is on the first of them, not in the header."""
    shown.view.query = "size_gb < 0"
    shown.stage.until(lambda: shown.find(".tkf-empty").is_visible())
    shown.view.query = ""
    shown.sees(shown.counts, "582 of 582")
    shown.grid.focus()
    shown.press(" ")
    shown.sees(shown.selected, [0])


# ---- several at once


def test_ids_of_two_views_are_their_own(stage: Stage, account: tkf.Client) -> None:
    """No id stands twice on a page with two views and a second display of one of them."""
    view = tkf.explore("checkpoints", account)
    for shown in (view, tkf.explore("checkpoints", account), view):
        Shown(stage, shown).click("metadata")
    stage.settle()
    ids = stage.page.evaluate("[...document.querySelectorAll('[id]')].map(element => element.id)")
    assert len(ids) == len(set(ids)) > 100


def test_a_view_that_is_gone_leaves_nothing_behind(shown: Shown) -> None:
    """When a view is closed no listener of it is left that would fail at the next click or key."""
    shown.click("model")
    shown.view.close()
    shown.stage.until(lambda: shown.root.count() == 0)
    shown.page.mouse.click(5, 5)
    shown.page.keyboard.press("Escape")
    shown.stage.settle()


# ---- what stands around the rows


def test_the_code_is_copied(shown: Shown) -> None:
    """Copy code puts the lines that give the same rows on the clipboard, and says so."""
    shown.view.query = "public"
    shown.click("code")
    shown.sees(shown.note, "copied the code of this view")
    copied = shown.page.evaluate("navigator.clipboard.readText()")
    assert copied == shown.view.code()
    assert "frame.query('public')" in copied


def test_pictures_can_be_put_away(shown: Shown) -> None:
    """The button hides the pictures, which gives their room to the rows, and brings them back."""
    shown.stage.until(lambda: shown.find(".tkf-chart").count() == 3)
    before = shown.grid.evaluate("grid => grid.clientWidth")
    shown.click("pictures")
    shown.sees(lambda: shown.find(".tkf-charts").is_visible(), False)
    assert shown.named("pictures").get_attribute("aria-pressed") == "false"
    assert shown.grid.evaluate("grid => grid.clientWidth") > before + 200
    shown.click("pictures")
    shown.sees(lambda: shown.find(".tkf-chart").count(), 3)


def test_a_kernel_that_is_silent_is_told(shown: Shown) -> None:
    """If no answer comes for a while the view says so, and takes it back with the next answer."""
    shown.stage.settle()
    shown.page.clock.install()
    shown.grid.evaluate("grid => grid.dispatchEvent(new KeyboardEvent('keydown', { key: 'Escape' }))")
    shown.page.clock.fast_forward(7_000)
    assert shown.note() == ""
    shown.page.clock.fast_forward(3_000)
    assert "No answer from the kernel" in shown.note()
    shown.stage.pump()
    assert shown.note() == ""
    shown.grid.evaluate("grid => grid.dispatchEvent(new KeyboardEvent('keydown', { key: 'Escape' }))")
    shown.stage.pump()
    shown.page.clock.fast_forward(20_000)
    assert shown.note() == "", "what changes nothing is answered as well"
