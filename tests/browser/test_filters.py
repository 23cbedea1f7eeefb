"""Filters in a real page: each popover, the search and the query box, chips, and where the focus is meanwhile."""

from __future__ import annotations

from typing import Any

import pytest

from .view_page import ViewPage

pytestmark = pytest.mark.browser

CARET = "input => input.selectionStart"
LABELS = {"created": "Created", "expires": "Expires", "size": "Size", "metadata": "Metadata", "model": "Base model"}


def matches(view: ViewPage, wanted: Any) -> None:
    """Wait until as many rows match as a condition holds for, which are some and not all, and these are the rows."""
    keys = list(view.widget.frame.loc[wanted.fillna(False).astype(bool), "tinker_path"])
    assert 0 < len(keys) < len(view.widget.frame)
    view.wait_for(view.counts, f"{len(keys):,} of 582")
    assert list(view.widget.filtered["tinker_path"]) == keys
    assert view.keys() == keys[: len(view.keys())]


# ---- what is typed


def test_fast_typing_loses_no_letter(view: ViewPage) -> None:
    """Letters that are typed while older ones are still being answered stay, and the last text is what is searched."""
    view.control("text").focus()
    for part in ("st", "ep-", "000", "25", "0"):
        view.page.keyboard.type(part)
        view.page.wait_for_timeout(70)  # longer than what is typed is collected, so that each part is sent
    view.host.pump()
    assert view.control("text").input_value() == "step-000250"
    view.host.settle()
    view.wait_for(lambda: view.widget.filters, {"text": "step-000250"})
    assert view.control("text").input_value() == "step-000250"
    received = [message.data["content"] for message in view.host.received if "content" in message.data]
    assert len([content for content in received if content["do"] == "filter"]) > 1


def test_the_caret_stays_where_one_types(view: ViewPage) -> None:
    """In the middle of a text the caret goes on behind the letter that was typed, and is not put to the end."""
    view.type("text", "stp")
    view.host.press("ArrowLeft")
    view.type("text", "e")
    view.wait_for(lambda: view.widget.filters, {"text": "step"})
    view.host.settle()
    assert view.control("text").evaluate(CARET) == 3
    assert view.active() == "text"


def test_a_wrong_query_says_so_and_stays(view: ViewPage) -> None:
    """While a query does not parse the error stands under it, text and caret stay, rows stay; mended, it filters."""
    box, error = view.control("query"), view.find(".tkf-bar .tkf-error")
    view.type("query", "size_gb >> ")
    view.host.wait_until(error.inner_text)
    assert error.get_attribute("id") == box.get_attribute("aria-describedby")
    assert (box.get_attribute("aria-invalid"), view.counts()) == ("true", "582 of 582")
    assert (box.input_value(), box.evaluate(CARET), view.active()) == ("size_gb >> ", 11, "query")
    view.host.press("Backspace", "Backspace")
    view.type("query", " 1")
    view.wait_for(error.inner_text, "")
    matches(view, view.widget.frame["size_gb"] > 1)
    assert box.get_attribute("aria-invalid") == "false"


def test_what_was_typed_last_does_not_come_back_after_reset(view: ViewPage) -> None:
    """Reset within a moment of typing is the last word."""
    view.widget.query = "public"
    view.wait_for(view.counts, "13 of 582")
    view.control("query").press_sequentially(" and size_gb < 0.2")
    view.control("reset").click()
    view.page.wait_for_timeout(300)  # longer than what is typed is collected
    view.host.settle()
    assert (view.counts(), view.widget.query) == ("582 of 582", "")
    assert view.control("query").input_value() == ""


# ---- options


def test_options_have_numbers_and_combine(view: ViewPage) -> None:
    """Each option says how many rows it has; several are joined by or, and the popover stays open with the same numbers."""
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
    """Among many options the box finds by a part of the label, and says when there is none."""
    view.click("run")
    view.host.wait_until(view.options)
    first = next(iter(view.options()))
    assert view.active() == "find"
    view.type("find", first.split("…", maxsplit=1)[0])
    assert {label.split("…", maxsplit=1)[0] for label in view.options()} == {first.split("…", maxsplit=1)[0]}
    view.type("find", "nothing")
    assert view.options() == {}
    assert view.find(".tkf-options").inner_text() == "none"


def test_keys_tick_options(view: ViewPage) -> None:
    """The focus goes into the list, Space ticks, and after the list was drawn again it is still on the same box."""
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
    """A quick pick filters and is pressed; another takes its place; pressed again it is taken back."""
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
    """Both ends of a range hold, follow what is typed, and are taken back when they are emptied."""
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


# ---- what is set


def test_chips_and_reset(view: ViewPage) -> None:
    """Every filter has a chip with a cross that takes it back alone; Reset takes all back, the search and the query as well."""
    view.widget.filters = {"public": [False], "size": [1, None], "text": "final", "query": "step != 3"}
    view.wait_for(view.chips, ["Public: private", "Size: ≥ 1 GB"])
    assert (view.control("text").input_value(), view.control("query").input_value()) == ("final", "step != 3")
    view.click("off size")
    view.wait_for(view.chips, ["Public: private"])
    assert set(view.widget.filters) == {"public", "text", "query"}
    assert view.active() == "reset", "the cross that had the focus is gone"
    view.host.press("Enter")
    view.wait_for(view.counts, "582 of 582")
    assert (view.widget.filters, view.chips(), view.widget.query) == ({}, [], "")
    assert (view.control("text").input_value(), view.control("query").input_value()) == ("", "")
    assert view.active() == "tkf-grid"


# ---- popovers


@pytest.mark.parametrize("name", LABELS)
def test_a_popover_takes_the_focus_and_gives_it_back(view: ViewPage, name: str) -> None:
    """A popover is a dialog with a name, takes the focus when it opens, and Escape closes it and gives the focus back."""
    view.control(name).focus()
    view.host.press("Enter")
    popover = view.find(".tkf-popover")
    view.host.wait_until(lambda: popover.evaluate("popover => popover.contains(document.activeElement)"))
    assert popover.get_attribute("aria-label") == LABELS[name]
    assert view.control(name).get_attribute("aria-expanded") == "true"
    view.host.press("Escape")
    assert not popover.is_visible()
    assert (view.active(), view.control(name).get_attribute("aria-expanded")) == (name, "false")


def test_popovers_close_by_a_click_elsewhere(view: ViewPage) -> None:
    """A click outside, a second click on the button, and another popover close it; the click does what it would have done."""
    popover = view.find(".tkf-popover")
    view.click("model")
    view.host.click(view.header("size_gb"), position={"x": 5, "y": 5})
    view.wait_for(view.sorts, {"size_gb": "▲"})
    assert not popover.is_visible()
    view.click("model", "model")
    assert not popover.is_visible()
    view.click("model", "size")
    assert popover.get_attribute("aria-label") == "Size"
    assert view.control("at least").is_visible()


def test_a_popover_closes_when_the_focus_leaves_it(view: ViewPage) -> None:
    """Tab out of a popover closes it, so that it does not stand in the way of what has the focus."""
    view.click("size")
    view.host.press("Tab", "Shift+Tab", "Shift+Tab")
    assert not view.find(".tkf-popover").is_visible()


def test_popovers_stay_inside_of_the_view(view: ViewPage) -> None:
    """Every popover lies within the width of the view, also of the last buttons of a line."""
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
    """A change from elsewhere redraws buttons, chips and lists, and what had the focus has it still."""
    view.widget.filters = {"public": [False]}
    view.wait_for(view.chips, ["Public: private"])
    for name in ("expire", "refresh", "columns", "pictures", "off public", "model", "all"):
        view.control(name).focus()
        view.widget.filters = {"public": [False], "size": [float(len(name)) / 1000, None]}
        view.wait_for_text(lambda: " ".join(view.chips()), f"{len(name) / 1000:g} GB")
        assert view.active() == name
