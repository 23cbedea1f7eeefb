"""The charts beside the rows in a real page: their contents, and filtering by a click."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tinker_frames.frames.humanize import format_size, shorten_ids

from .view_page import ViewPage

if TYPE_CHECKING:
    pass

pytestmark = pytest.mark.browser

BARS = """figure => [...figure.querySelectorAll('.tkf-bar-row')].map(
  row => [row.querySelector('.tkf-bar-label').textContent, row.querySelector('.tkf-bar-text').textContent])"""


def bars(view: ViewPage, title: str) -> dict[str, str]:
    """Return the bars of a chart with their descriptions, once it is drawn."""
    figure = view.find(f'figure:has(figcaption:text-is("{title}"))')
    view.host.wait_until(lambda: figure.count() == 1)
    return dict(figure.evaluate(BARS))


def columns(view: ViewPage) -> dict[str, int]:
    """Return the row count of each column over time, by label."""
    labels = view.find(".tkf-column").evaluate_all("all => all.map(column => column.getAttribute('aria-label'))")
    return {text.rsplit(": ", 1)[0]: int(text.rsplit(": ", 1)[1].replace(",", "")) for text in labels}


def test_bars_of_runs_are_called_by_their_names(view: ViewPage) -> None:
    """The bar, option and chip of a run show the name of its session, if any, beside its id."""
    sizes = view.widget.frame.groupby("training_run_id")["size_gb"].sum()
    names = view.widget.frame.groupby("training_run_id")["display_name"].first()
    largest = sizes.idxmax()
    label, said = next(iter(bars(view, "Storage by run").items()))
    assert (label, said) == (f"{names[largest]} ({shorten_ids(largest)})", format_size(sizes[largest] * 1e9))
    view.click("run")
    view.host.wait_until(view.options)
    assert label in view.options()
    view.click(f"option {label}")
    view.wait_for(view.chips, [f"Run: {label}"])


@pytest.mark.parametrize("how", ["click", "Enter"])
def test_a_bar_filters(view: ViewPage, how: str) -> None:
    """A click or Enter on a bar shows its rows; a bar that is not one value cannot be clicked."""
    model = next(iter(bars(view, "Storage by model")))
    bar = view.control(f"Storage by model {model}")
    view.host.click(bar) if how == "click" else view.host.press("Enter", on=bar)
    view.wait_for(lambda: view.widget.filters, {"model": [model]})
    assert set(view.widget.filtered["base_model"]) == {model}
    assert list(bars(view, "Storage by model")) == [model]
    assert view.control("Storage by run 50 others").count() == 0


def test_the_others_are_no_button(view: ViewPage) -> None:
    """The bar for all other values cannot be clicked."""
    bars(view, "Storage by run")
    assert view.control("Storage by run 50 others").is_disabled()


@pytest.mark.parametrize("how", ["click", "Enter", " "])
def test_a_column_filters(view: ViewPage, how: str) -> None:
    """A click, Enter or Space on a column shows as many rows as its label says."""
    view.host.wait_until(lambda: columns(view))
    label, rows = max(columns(view).items(), key=lambda item: item[1])
    column = view.control(f"Checkpoints over time {label}")
    view.host.click(column) if how == "click" else view.host.press(how, on=column)
    view.wait_for(view.counts, f"{rows} of 582")
    assert view.chips()[0].startswith("Created: from ")
