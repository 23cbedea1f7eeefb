"""Filters in a real page: popovers, the search and query boxes, chips, and the focus."""

from __future__ import annotations

from typing import Any

import pytest

from .view_page import ViewPage

pytestmark = pytest.mark.browser

CARET = "input => input.selectionStart"
COLOUR = "element => getComputedStyle(element).color"
RED = "rgb(193, 39, 45)"  # `--tkf-red` of the light theme
VISIBLE = "all => all.filter(element => element.checkVisibility({ visibilityProperty: true })).map(element => element.dataset.name)"
LABELS = {"created": "Created", "expires": "Expires", "size": "Size", "metadata": "Metadata", "model": "Base model"}


def matches(view: ViewPage, wanted: Any) -> None:
    """Wait until the matching rows are those of a condition, which must be some but not all."""
    keys = list(view.widget.frame.loc[wanted.fillna(False).astype(bool), "tinker_path"])
    assert 0 < len(keys) < len(view.widget.frame)
    view.wait_for(view.counts, f"{len(keys):,} of 582")
    assert list(view.widget.filtered["tinker_path"]) == keys
    assert view.keys() == keys[: len(view.keys())]


# ---- typing


def test_fast_typing_loses_no_letter(view: ViewPage) -> None:
    """Letters typed while earlier requests are pending are kept, and the final text is searched."""
    view.control("text").focus()
    for part in ("st", "ep-", "000", "25", "0"):
        view.page.keyboard.type(part)
        view.page.wait_for_timeout(70)  # longer than the debounce, so that each part is sent
    view.host.pump()
    assert view.control("text").input_value() == "step-000250"
    view.host.settle()
    view.wait_for(lambda: view.widget.filters, {"text": "step-000250"})
    assert view.control("text").input_value() == "step-000250"
    received = [message.data["content"] for message in view.host.received if "content" in message.data]
    assert len([content for content in received if content["do"] == "filter"]) > 1


def test_the_caret_stays_where_one_types(view: ViewPage) -> None:
    """The caret stays behind a letter typed in the middle of a text."""
    view.type("text", "stp")
    view.host.press("ArrowLeft")
    view.type("text", "e")
    view.wait_for(lambda: view.widget.filters, {"text": "step"})
    view.host.settle()
    assert view.control("text").evaluate(CARET) == 3
    assert view.active() == "text"


def test_a_wrong_query_says_so_and_stays(view: ViewPage) -> None:
    """A half typed query shows its error in red below its box, greys out the last valid rows and offers no action; once corrected, it filters."""
    box, error, body = view.control("query"), view.find(".tkf-query > .tkf-error"), view.find(".tkf-body")
    view.widget.query = "public"
    view.widget.selected = view.widget.filtered
    view.wait_for_text(view.selection, "13 selected")
    view.control("query").fill("size_gb >> ")
    view.host.wait_until(error.inner_text)
    assert error.get_attribute("id") == box.get_attribute("aria-describedby")
    assert error.evaluate(COLOUR) == RED
    below, above = error.bounding_box(), box.bounding_box()
    assert below["x"] == above["x"]
    assert 0 <= below["y"] - above["y"] - above["height"] < 8
    assert (box.get_attribute("aria-invalid"), view.counts()) == ("true", "13 of 582")
    assert body.evaluate("body => Number(getComputedStyle(body).opacity)") < 0.6
    assert view.find(".tkf-action").evaluate_all(VISIBLE) == []
    assert view.control("all").count() == 0
    assert (box.input_value(), box.evaluate(CARET), view.active()) == ("size_gb >> ", 11, "query")
    view.host.press("Backspace", "Backspace")
    view.type("query", " 1")
    view.wait_for(error.inner_text, "")
    matches(view, view.widget.frame["size_gb"] > 1)
    assert box.get_attribute("aria-invalid") == "false"
    assert body.evaluate("body => getComputedStyle(body).opacity") == "1"
    assert view.control("expire").is_visible()


def test_what_was_typed_last_does_not_come_back_after_reset(view: ViewPage) -> None:
    """A reset right after typing discards the typed text."""
    view.widget.query = "public"
    view.wait_for(view.counts, "13 of 582")
    view.control("query").press_sequentially(" and size_gb < 0.2")
    view.control("reset").click()
    view.page.wait_for_timeout(300)  # longer than the debounce
    view.host.settle()
    assert (view.counts(), view.widget.query) == ("582 of 582", "")
    assert view.control("query").input_value() == ""


def test_names_of_columns_are_completed(view: ViewPage) -> None:
    """The query box opens by its switch, offers columns for the word at the caret, and takes one by Enter or a click; Escape closes the list first."""
    assert not view.control("query").is_visible()
    view.click("query-switch")
    assert view.active() == "query"
    offered = view.find(".tkf-completed > .tkf-code")
    view.host.settle()
    view.type("query", "siz")
    view.host.wait_until(offered.count)
    assert offered.all_inner_texts()[:2] == ["size_gb", "size_bytes"]
    view.host.press("Enter")
    view.type("query", " > 1 and publ")
    view.host.click(view.find(".tkf-completed").first)
    assert (view.control("query").input_value(), view.active()) == ("size_gb > 1 and public", "query")
    frame = view.widget.frame
    view.wait_for(view.counts, f"{int((frame['size_gb'].gt(1) & frame['public']).sum())} of 582")
    view.type("query", "'")
    view.host.press("Backspace", "Backspace", "Escape")
    assert not view.find(".tkf-completion").is_visible()
    view.host.press("Backspace")
    view.type("query", "ick")
    view.wait_for_text(view.find(".tkf-query-error").inner_text, "did you mean")
    assert len(view.find(".tkf-query-error").inner_text()) < 160


# ---- options


def test_options_have_numbers_and_combine(view: ViewPage) -> None:
    """Each option shows its row count; several are combined with or, and the popover stays open with the same counts."""
    models = view.widget.frame["base_model"].value_counts().to_dict()
    view.click("model")
    view.wait_for(view.options, models)
    view.click("option Qwen/Qwen3-8B", "option openai/gpt-oss-20b")
    matches(view, view.widget.frame["base_model"].isin(["Qwen/Qwen3-8B", "openai/gpt-oss-20b"]))
    assert view.options() == models
    assert view.chips() == ["Base model: Qwen/Qwen3-8B, openai/gpt-oss-20b"]
    view.click("any")
    view.wait_for(view.counts, "582 of 582")
    assert view.control("option Qwen/Qwen3-8B").is_checked() is False


def test_many_options_can_be_searched(view: ViewPage) -> None:
    """The search box finds options by a part of the label, and says so if none matches."""
    view.click("run")
    view.host.wait_until(view.options)
    first = next(iter(view.options()))
    assert view.active() == "find"
    view.type("find", first.split("…", maxsplit=1)[0])
    view.wait_for(
        lambda: {label.split("…", maxsplit=1)[0] for label in view.options()}, {first.split("…", maxsplit=1)[0]}
    )
    view.type("find", "nothing")
    view.wait_for(view.find(".tkf-options").inner_text, "none")
    assert view.active() == "find"


def test_keys_tick_options(view: ViewPage) -> None:
    """Space ticks the focused option, and the focus stays on its box after the list is redrawn."""
    view.click("type")
    view.host.wait_until(view.options)
    assert view.active() == "option training"
    view.host.press("Tab", " ")
    view.wait_for(view.counts, "271 of 582")
    assert view.active() == "option sampler"
    view.host.press("Shift+Tab", " ")
    view.wait_for(view.counts, "574 of 582")
    assert view.active() == "option training"


# ---- dates, ranges, metadata


def test_quick_picks_of_dates(view: ViewPage) -> None:
    """A quick pick filters and looks pressed; another one replaces it; a second press removes it."""
    age = view.widget.frame["age_days"]
    view.click("created", "older than 30 d")
    matches(view, age > 30)
    assert view.control("older than 30 d").get_attribute("aria-pressed") == "true"
    view.click("last 7 d")
    matches(view, age <= 7)
    assert view.chips() == ["Created: last 7 d"]
    view.click("last 7 d")
    view.wait_for(view.counts, "582 of 582")
    assert view.active() == "last 7 d"


def test_ranges_of_numbers(view: ViewPage) -> None:
    """Both ends of a range filter as they are typed, and are removed when they are emptied."""
    size = view.widget.frame["size_gb"]
    view.click("size")
    view.type("at least", "0.5")
    matches(view, size >= 0.5)
    view.type("at most", "4")
    matches(view, (size >= 0.5) & (size <= 4))
    assert view.chips() == ["Size: ≥ 0.5 and ≤ 4 GB"]
    view.host.fill(view.control("at least"), "")
    matches(view, size <= 4)
    view.host.fill(view.control("at most"), "")
    view.wait_for(view.counts, "582 of 582")
    assert view.active() == "at most"


# ---- active filters


def test_chips_and_reset(view: ViewPage) -> None:
    """Every filter has a chip whose cross removes only that filter; Reset removes all, including the search and the query."""
    view.widget.filters = {"public": [False], "size": [1, None], "text": "final", "query": "step != 3"}
    view.wait_for(view.chips, ["Public: private", "Size: ≥ 1 GB"])
    assert (view.control("text").input_value(), view.control("query").input_value()) == ("final", "step != 3")
    view.click("off size")
    view.wait_for(view.chips, ["Public: private"])
    assert set(view.widget.filters) == {"public", "text", "query"}
    assert view.active() == "add", "the cross that had the focus is gone"
    view.host.press("End", "ArrowLeft", "Enter")
    view.wait_for(view.counts, "582 of 582")
    assert (view.widget.filters, view.chips(), view.widget.query) == ({}, [], "")
    assert (view.control("text").input_value(), view.control("query").input_value()) == ("", "")
    assert view.active() == "add"


# ---- popovers


@pytest.mark.parametrize("name", LABELS)
def test_a_popover_takes_the_focus_and_gives_it_back(view: ViewPage, name: str) -> None:
    """A popover is a named dialog that takes the focus, and Escape closes it and returns the focus."""
    view.control("add").focus()
    view.host.press("Enter")
    popover = view.find(".tkf-popover")
    while view.active() != f"add {name}":
        view.host.press("ArrowDown")
    view.host.press("Enter")
    view.host.wait_until(lambda: popover.evaluate("popover => popover.contains(document.activeElement)"))
    assert popover.get_attribute("aria-label") == LABELS[name]
    assert view.control("add").get_attribute("aria-expanded") == "true"
    view.host.press("Escape")
    assert not popover.is_visible()
    assert (view.active(), view.control("add").get_attribute("aria-expanded")) == ("add", "false")


def test_popovers_close_by_a_click_elsewhere(view: ViewPage) -> None:
    """A click outside, a second click on the button or a chip closes it, and the click still has its effect; a chip opens its filter."""
    popover = view.find(".tkf-popover")
    view.click("model")
    view.host.click(view.header("size_gb"), position={"x": 5, "y": 5})
    view.wait_for(view.sorts, {"size_gb": "▲"})
    assert not popover.is_visible()
    view.click("model", "add")
    assert not popover.is_visible()
    view.widget.filters = {"size": [1, None]}
    view.wait_for(view.chips, ["Size: ≥ 1 GB"])
    view.click("model", "size")
    assert popover.get_attribute("aria-label") == "Size"
    assert view.control("at least").input_value() == "1"
    view.click("size")
    assert not popover.is_visible()


def test_a_popover_closes_when_the_focus_leaves_it(view: ViewPage) -> None:
    """Tabbing out of a popover closes it, so that it does not cover the focused element."""
    view.click("size")
    view.host.press("Tab", "Shift+Tab", "Shift+Tab", "Shift+Tab")
    assert not view.find(".tkf-popover").is_visible()


def test_a_press_on_text_in_a_cell_that_takes_the_focus(view: ViewPage) -> None:
    """In a cell that takes the focus, as those of notebooks do, a press on a label's text or beside it leaves the popover open, with the focus."""
    view.page.evaluate("document.querySelector('main').tabIndex = 0")
    view.click("public")
    view.host.wait_until(view.options)
    view.host.click(view.find(".tkf-popover"), position={"x": 4, "y": 4})
    view.click("option private")
    view.wait_for(view.chips, ["Public: private"])
    assert view.find(".tkf-popover").is_visible()
    assert view.active() == "option private"
    view.host.press("Escape")
    view.click("columns")
    view.host.wait_until(lambda: view.control("column name").count())
    view.click("column name")
    view.host.wait_until(lambda: "name" not in view.columns())


def test_popovers_follow_their_button(view: ViewPage) -> None:
    """A popover stays at its button while the page is scrolled, and is above it where there is no room below."""
    view.page.set_viewport_size({"width": 1000, "height": 420})
    gap = """root => {
      const [inner, opener] = ['.tkf-popover', '[data-name=add]'].map(name => root.querySelector(name).getBoundingClientRect());
      return [inner.top - opener.bottom, opener.top - inner.bottom].map(Math.round);
    }"""
    view.click("created")
    assert view.root.evaluate(gap)[0] == 4
    view.page.evaluate("scrollBy(0, 60)")
    view.host.settle()
    assert view.root.evaluate(gap)[0] == 4
    view.page.evaluate(
        "document.querySelector('main').style.marginTop = '300px'; scrollTo(0, 0); dispatchEvent(new Event('resize'))"
    )
    assert view.root.evaluate(gap)[1] == 4


def test_popovers_stay_inside_of_the_view(view: ViewPage) -> None:
    """Every popover stays within the width of the view, including those of the last buttons in a line."""
    outside = """root => {
      const [inner, outer] = [root.querySelector('.tkf-popover'), root.querySelector('.tkf')].map(box => box.getBoundingClientRect());
      return inner.left < outer.left || inner.right > outer.right;
    }"""
    for name in ("created", "metadata", "step", "columns"):
        view.click(name)
        view.host.settle()
        assert not view.root.evaluate(outside), name
        view.host.press("Escape")


def test_focus_stays_when_parts_are_drawn_again(view: ViewPage) -> None:
    """The focus survives a change from Python that redraws buttons, chips and lists."""
    view.widget.filters = {"public": [False]}
    view.wait_for(view.chips, ["Public: private"])
    view.widget.selected = view.widget.frame.head(2)
    view.wait_for_text(view.selection, "2 selected")
    for name in ("expire", "refresh", "columns", "charts", "off public", "public", "add", "all"):
        view.control(name).focus()
        view.widget.filters = {"public": [False], "size": [float(len(name)) / 1000, None]}
        view.wait_for_text(lambda: " ".join(view.chips()), f"{len(name) / 1000:g} GB")
        assert view.active() == name
