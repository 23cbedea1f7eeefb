"""Filters in a real page: each popover, the search and the query box, chips, and where the focus is meanwhile."""

from __future__ import annotations

from typing import Any

import pytest

from .shown import Shown

pytestmark = pytest.mark.browser

CARET = "input => input.selectionStart"
LABELS = {"created": "Created", "expires": "Expires", "size": "Size", "metadata": "Metadata", "model": "Base model"}


def matches(shown: Shown, wanted: Any) -> None:
    """Wait until as many rows match as a condition holds for, which are some and not all, and these are the rows."""
    keys = list(shown.view.frame.loc[wanted.fillna(False).astype(bool), "tinker_path"])
    assert 0 < len(keys) < len(shown.view.frame)
    shown.sees(shown.counts, f"{len(keys):,} of 582")
    assert list(shown.view.filtered["tinker_path"]) == keys
    assert shown.keys() == keys[: len(shown.keys())]


# ---- what is typed


def test_fast_typing_loses_no_letter(shown: Shown) -> None:
    """Letters that are typed while older ones are still being answered stay, and the last text is what is searched."""
    shown.named("text").focus()
    for part in ("st", "ep-", "000", "25", "0"):
        shown.page.keyboard.type(part)
        shown.page.wait_for_timeout(70)  # longer than what is typed is collected, so that each part is sent
    shown.stage.pump()
    assert shown.named("text").input_value() == "step-000250"
    shown.stage.settle()
    shown.sees(lambda: shown.view.filters, {"text": "step-000250"})
    assert shown.named("text").input_value() == "step-000250"
    heard = [message.data["content"] for message in shown.stage.heard if "content" in message.data]
    assert len([content for content in heard if content["do"] == "filter"]) > 1


def test_the_caret_stays_where_one_types(shown: Shown) -> None:
    """In the middle of a text the caret goes on behind the letter that was typed, and is not put to the end."""
    shown.type("text", "stp")
    shown.stage.press("ArrowLeft")
    shown.type("text", "e")
    shown.sees(lambda: shown.view.filters, {"text": "step"})
    shown.stage.settle()
    assert shown.named("text").evaluate(CARET) == 3
    assert shown.active() == "text"


def test_a_wrong_query_says_so_and_stays(shown: Shown) -> None:
    """While a query does not parse the error stands under it, text and caret stay, rows stay; mended, it filters."""
    box, error = shown.named("query"), shown.find(".tkf-bar .tkf-error")
    shown.type("query", "size_gb >> ")
    shown.stage.until(error.inner_text)
    assert error.get_attribute("id") == box.get_attribute("aria-describedby")
    assert (box.get_attribute("aria-invalid"), shown.counts()) == ("true", "582 of 582")
    assert (box.input_value(), box.evaluate(CARET), shown.active()) == ("size_gb >> ", 11, "query")
    shown.stage.press("Backspace", "Backspace")
    shown.type("query", " 1")
    shown.sees(error.inner_text, "")
    matches(shown, shown.view.frame["size_gb"] > 1)
    assert box.get_attribute("aria-invalid") == "false"


def test_what_was_typed_last_does_not_come_back_after_reset(shown: Shown) -> None:
    """Reset within a moment of typing is the last word."""
    shown.view.query = "public"
    shown.sees(shown.counts, "13 of 582")
    shown.named("query").press_sequentially(" and size_gb < 0.2")
    shown.named("reset").click()
    shown.page.wait_for_timeout(300)  # longer than what is typed is collected
    shown.stage.settle()
    assert (shown.counts(), shown.view.query) == ("582 of 582", "")
    assert shown.named("query").input_value() == ""


# ---- options


def test_options_have_numbers_and_combine(shown: Shown) -> None:
    """Each option says how many rows it has; several are joined by or, and the popover stays open with the same numbers."""
    models = shown.view.frame["base_model"].value_counts().to_dict()
    shown.click("model")
    shown.sees(shown.options, models)
    shown.click("option Qwen/Qwen3-8B", "option openai/gpt-oss-20b")
    matches(shown, shown.view.frame["base_model"].isin(["Qwen/Qwen3-8B", "openai/gpt-oss-20b"]))
    assert shown.options() == models
    assert shown.chips() == ["Base model: Qwen/Qwen3-8B, openai/gpt-oss-20b"]
    shown.click("any")
    shown.sees(shown.counts, "582 of 582")
    assert shown.named("option Qwen/Qwen3-8B").is_checked() is False


def test_many_options_can_be_searched(shown: Shown) -> None:
    """Among many options the box finds by a part of the label, and says when there is none."""
    shown.click("run")
    shown.stage.until(shown.options)
    first = next(iter(shown.options()))
    assert shown.active() == "find"
    shown.type("find", first.split("…", maxsplit=1)[0])
    assert {label.split("…", maxsplit=1)[0] for label in shown.options()} == {first.split("…", maxsplit=1)[0]}
    shown.type("find", "nothing")
    assert shown.options() == {}
    assert shown.find(".tkf-options").inner_text() == "none"


def test_keys_tick_options(shown: Shown) -> None:
    """The focus goes into the list, Space ticks, and after the list was drawn again it is still on the same box."""
    shown.click("type")
    shown.stage.until(shown.options)
    assert shown.active() == "option training"
    shown.stage.press("Tab", " ")
    shown.sees(shown.counts, "271 of 582")
    assert shown.active() == "option sampler"
    shown.stage.press("Shift+Tab", " ")
    shown.sees(shown.counts, "574 of 582")
    assert shown.active() == "option training"


# ---- dates, ranges, metadata


def test_quick_picks_of_dates(shown: Shown) -> None:
    """A quick pick filters and is pressed; another takes its place; pressed again it is taken back."""
    age = shown.view.frame["age_days"]
    shown.click("created", "older than 30 d")
    matches(shown, age > 30)
    assert shown.named("older than 30 d").get_attribute("aria-pressed") == "true"
    shown.click("last 7 d")
    matches(shown, age <= 7)
    assert shown.chips() == ["Created: last 7 d"]
    shown.click("last 7 d")
    shown.sees(shown.counts, "582 of 582")
    assert shown.active() == "last 7 d"


def test_ranges_of_numbers(shown: Shown) -> None:
    """Both ends of a range hold, follow what is typed, and are taken back when they are emptied."""
    size = shown.view.frame["size_gb"]
    shown.click("size")
    shown.type("at least", "0.5")
    matches(shown, size >= 0.5)
    shown.type("at most", "4")
    matches(shown, (size >= 0.5) & (size <= 4))
    assert shown.chips() == ["Size: ≥ 0.5 and ≤ 4 GB"]
    shown.stage.fill(shown.named("at least"), "")
    matches(shown, size <= 4)
    shown.stage.fill(shown.named("at most"), "")
    shown.sees(shown.counts, "582 of 582")
    assert shown.active() == "at most"


# ---- what is set


def test_chips_and_reset(shown: Shown) -> None:
    """Every filter has a chip with a cross that takes it back alone; Reset takes all back, the search and the query as well."""
    shown.view.filters = {"public": [False], "size": [1, None], "text": "final", "query": "step != 3"}
    shown.sees(shown.chips, ["Public: private", "Size: ≥ 1 GB"])
    assert (shown.named("text").input_value(), shown.named("query").input_value()) == ("final", "step != 3")
    shown.click("off size")
    shown.sees(shown.chips, ["Public: private"])
    assert set(shown.view.filters) == {"public", "text", "query"}
    assert shown.active() == "reset", "the cross that had the focus is gone"
    shown.stage.press("Enter")
    shown.sees(shown.counts, "582 of 582")
    assert (shown.view.filters, shown.chips(), shown.view.query) == ({}, [], "")
    assert (shown.named("text").input_value(), shown.named("query").input_value()) == ("", "")
    assert shown.active() == "tkf-grid"


# ---- popovers


@pytest.mark.parametrize("name", LABELS)
def test_a_popover_takes_the_focus_and_gives_it_back(shown: Shown, name: str) -> None:
    """A popover is a dialog with a name, takes the focus when it opens, and Escape closes it and gives the focus back."""
    shown.named(name).focus()
    shown.stage.press("Enter")
    popover = shown.find(".tkf-popover")
    shown.stage.until(lambda: popover.evaluate("popover => popover.contains(document.activeElement)"))
    assert popover.get_attribute("aria-label") == LABELS[name]
    assert shown.named(name).get_attribute("aria-expanded") == "true"
    shown.stage.press("Escape")
    assert not popover.is_visible()
    assert (shown.active(), shown.named(name).get_attribute("aria-expanded")) == (name, "false")


def test_popovers_close_by_a_click_elsewhere(shown: Shown) -> None:
    """A click outside, a second click on the button, and another popover close it; the click does what it would have done."""
    popover = shown.find(".tkf-popover")
    shown.click("model")
    shown.stage.click(shown.head("size_gb"), position={"x": 5, "y": 5})
    shown.sees(shown.sorts, {"size_gb": "▲"})
    assert not popover.is_visible()
    shown.click("model", "model")
    assert not popover.is_visible()
    shown.click("model", "size")
    assert popover.get_attribute("aria-label") == "Size"
    assert shown.named("at least").is_visible()


def test_a_popover_closes_when_the_focus_leaves_it(shown: Shown) -> None:
    """Tab out of a popover closes it, so that it does not stand in the way of what has the focus."""
    shown.click("size")
    shown.stage.press("Tab", "Shift+Tab", "Shift+Tab")
    assert not shown.find(".tkf-popover").is_visible()


def test_popovers_stay_inside_of_the_view(shown: Shown) -> None:
    """Every popover lies within the width of the view, also of the last buttons of a line."""
    outside = """root => {
      const [inner, outer] = [root.querySelector('.tkf-popover'), root.querySelector('.tkf')].map(box => box.getBoundingClientRect());
      return inner.left < outer.left || inner.right > outer.right;
    }"""
    for name in ("created", "metadata", "step", "columns"):
        shown.click(name)
        shown.stage.settle()
        assert not shown.root.evaluate(outside), name
        shown.stage.press("Escape")


def test_focus_stays_when_parts_are_drawn_again(shown: Shown) -> None:
    """A change from elsewhere redraws buttons, chips and lists, and what had the focus has it still."""
    shown.view.filters = {"public": [False]}
    shown.sees(shown.chips, ["Public: private"])
    for name in ("expire", "refresh", "columns", "pictures", "off public", "model", "all"):
        shown.named(name).focus()
        shown.view.filters = {"public": [False], "size": [float(len(name)) / 1000, None]}
        shown.says(lambda: " ".join(shown.chips()), f"{len(name) / 1000:g} GB")
        assert shown.active() == name
