"""The pictures beside the rows in a real page: what they tell, and that a click on them filters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tinker_frames.frames.text import shorten_ids
from tinker_frames.views.cells import format_size

from .shown import Shown

if TYPE_CHECKING:
    pass

pytestmark = pytest.mark.browser

BARS = """figure => [...figure.querySelectorAll('.tkf-bar-row')].map(
  row => [row.querySelector('.tkf-bar-label').textContent, row.querySelector('.tkf-bar-text').textContent])"""


def bars(shown: Shown, title: str) -> dict[str, str]:
    """Return the bars of a picture with what is said of them, once it is drawn."""
    figure = shown.find(f'figure:has(figcaption:text-is("{title}"))')
    shown.stage.until(lambda: figure.count() == 1)
    return dict(figure.evaluate(BARS))


def columns(shown: Shown) -> dict[str, int]:
    """Return the rows of each column over time, by its label."""
    labels = shown.find(".tkf-column").evaluate_all("all => all.map(column => column.getAttribute('aria-label'))")
    return {text.rsplit(": ", 1)[0]: int(text.rsplit(": ", 1)[1].replace(",", "")) for text in labels}


def test_bars_of_runs_are_called_by_their_names(shown: Shown) -> None:
    """Beside its id a run's bar has the name of its session, where it has one; and so have its option and its chip."""
    sizes = shown.view.frame.groupby("training_run_id")["size_gb"].sum()
    names = shown.view.frame.groupby("training_run_id")["display_name"].first()
    largest = sizes.idxmax()
    label, said = next(iter(bars(shown, "Storage by run").items()))
    assert (label, said) == (f"{names[largest]} ({shorten_ids(largest)})", format_size(sizes[largest] * 1e9))
    shown.click("run")
    shown.stage.until(shown.options)
    assert label in shown.options()
    shown.click(f"option {label}")
    shown.sees(shown.chips, [f"Run: {label}"])


@pytest.mark.parametrize("how", ["click", "Enter"])
def test_a_bar_filters(shown: Shown, how: str) -> None:
    """A click on a bar, or Enter, shows the rows that it stands for; what is not one value cannot be clicked."""
    model = next(iter(bars(shown, "Storage by model")))
    bar = shown.named(f"Storage by model {model}")
    shown.stage.click(bar) if how == "click" else shown.stage.press("Enter", on=bar)
    shown.sees(lambda: shown.view.filters, {"model": [model]})
    assert set(shown.view.filtered["base_model"]) == {model}
    assert list(bars(shown, "Storage by model")) == [model]
    assert shown.named("Storage by run 50 others").count() == 0


def test_the_others_are_no_button(shown: Shown) -> None:
    """The bar of all others together cannot be clicked, since it is no one value."""
    bars(shown, "Storage by run")
    assert shown.named("Storage by run 50 others").is_disabled()


@pytest.mark.parametrize("how", ["click", "Enter", " "])
def test_a_column_filters(shown: Shown, how: str) -> None:
    """A click on a column, Enter or Space show as many rows as it said."""
    shown.stage.until(lambda: columns(shown))
    label, rows = max(columns(shown).items(), key=lambda item: item[1])
    column = shown.named(f"Checkpoints over time {label}")
    shown.stage.click(column) if how == "click" else shown.stage.press(how, on=column)
    shown.sees(shown.counts, f"{rows} of 582")
    assert shown.chips()[0].startswith("Created: from ")
