"""The charts beside the rows in a real page: their contents, and filtering by a click."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from tinker_frames.frames.humanize import format_size, shorten_ids

from .view_page import ViewPage

if TYPE_CHECKING:
    from playwright.sync_api import Locator

pytestmark = pytest.mark.browser

BARS = """figure => [...figure.querySelectorAll('.tkf-bar-row')].map(
  row => [row.querySelector('.tkf-bar-label').textContent, row.querySelector('.tkf-bar-text').textContent])"""


def bars(view: ViewPage, title: str) -> dict[str, str]:
    """Return the bars of a chart with their descriptions, once it is drawn."""
    figure = view.find(f'figure:has(figcaption:text-is("{title}"))')
    view.host.wait_until(lambda: figure.count() == 1)
    return dict(figure.evaluate(BARS))


def find_picture(view: ViewPage, name: str) -> Locator:
    """Return the picture of a chart, once it is drawn."""
    picture = view.control(f"picture {name}")
    view.host.wait_until(lambda: picture.count() == 1)
    picture.scroll_into_view_if_needed()
    return picture


def drag(view: ViewPage, picture: Locator, start: float, end: float) -> None:
    """Drag over a picture, between two shares of its width."""
    box = picture.bounding_box()
    assert box
    view.page.mouse.move(box["x"] + start * box["width"], box["y"] + 60)
    view.page.mouse.down()
    view.page.mouse.move(box["x"] + end * box["width"], box["y"] + 50, steps=3)
    view.page.mouse.up()
    view.host.settle()


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
    """A click or Enter on a bar shows its rows; a second click shows all rows again."""
    model = next(iter(bars(view, "Storage by model")))
    bar = view.control(f"Storage by model {model}")
    view.host.click(bar) if how == "click" else view.host.press("Enter", on=bar)
    view.wait_for(lambda: view.widget.filters, {"model": [model]})
    assert set(view.widget.filtered["base_model"]) == {model}
    assert list(bars(view, "Storage by model")) == [model]
    view.host.press("Enter", on=view.control(f"Storage by model {model}"))
    view.wait_for(lambda: view.widget.filters, {})


def test_the_others_are_said_in_words(view: ViewPage) -> None:
    """What all other values hold is no bar like the rest."""
    assert len(bars(view, "Storage by run")) == 5
    assert view.find('[data-name="chart run"] .tkf-bars-rest').inner_text().startswith("50 others: ")


def test_a_brush_over_time_filters(view: ViewPage) -> None:
    """Dragging over the end of the storage chart leaves what was created then, as the text said while dragging."""
    picture = find_picture(view, "storage")
    assert picture.locator(".tkf-ticks text").all_text_contents()[-1] == "today"
    drag(view, picture, 0.8, 0.99)
    created = view.widget.filters["created"]
    assert created["before"] >= created["after"] > f"{view.widget.frame['time'].min():%Y-%m-%d}"
    assert 0 < len(view.widget.filtered) < len(view.widget.frame)


def test_keys_filter_a_day_of_expiry(view: ViewPage) -> None:
    """In a picture, arrow keys move over its days, Shift extends, the text says what is there, and Enter filters."""
    picture = find_picture(view, "expiries")
    for key in ("Home", "Shift+ArrowRight", "Shift+ArrowRight"):
        view.host.press(key, on=picture)
    today = datetime.now(UTC)
    text = view.find('[data-name="chart expiries"] .tkf-chart-text').inner_text()
    assert text.startswith(f"{today:%Y-%m-%d} to {today + timedelta(days=2):%Y-%m-%d}: ")
    view.host.press("Enter", on=picture)
    view.wait_for(lambda: set(view.widget.filters), {"expires"})
    assert view.active() == "picture expiries"


def test_a_run_is_drawn_along_its_steps(view: ViewPage) -> None:
    """The checkpoints of a few runs are drawn along their steps, those that expire with another shape; a drag filters by step."""
    frame = view.widget.frame
    run = frame[frame["expires_at"].notna() & (frame["step"] > 0)]["training_run_id"].iloc[0]
    view.widget.filters = {"run": [run]}
    picture = find_picture(view, "steps")
    shapes = picture.locator(".tkf-mark").evaluate_all("all => all.map(mark => mark.getAttribute('d'))")
    looks = picture.locator(".tkf-mark").evaluate_all("all => all.map(mark => mark.getAttribute('class'))")
    assert len(set(shapes)) == len(set(looks))
    drag(view, picture, 0.0, 0.99)
    steps = frame[frame["training_run_id"] == run]["step"].dropna()
    assert view.widget.filters["step"] == [steps.min(), steps.max()]
