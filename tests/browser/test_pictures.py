"""The pictures beside the rows in a real page: what they tell, and that a click on them filters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import pytest

import tinker_frames as tkf
from tinker_frames.frames.text import shorten_ids
from tinker_frames.views.cells import size

from .shown import Shown

if TYPE_CHECKING:
    from .stage import Stage

pytestmark = pytest.mark.browser

BARS = """figure => [...figure.querySelectorAll('.tkf-bar-row')].map(
  row => [row.querySelector('.tkf-bar-label').textContent, row.querySelector('.tkf-bar-said').textContent])"""


def bars(shown: Shown, title: str) -> dict[str, str]:
    """Return the bars of a picture with what is said of them, once it is drawn."""
    figure = shown.find(f'figure:has(figcaption:text-is("{title}"))')
    shown.stage.until(lambda: figure.count() == 1)
    return dict(figure.evaluate(BARS))


def columns(shown: Shown) -> dict[str, int]:
    """Return the rows of each column over time, by its label."""
    labels = shown.find(".tkf-column").evaluate_all("all => all.map(column => column.getAttribute('aria-label'))")
    return {text.rsplit(": ", 1)[0]: int(text.rsplit(": ", 1)[1].replace(",", "")) for text in labels}


def test_bars_say_what_pandas_says(shown: Shown) -> None:
    """Storage by model is that of the frame, the largest first, and the others together."""
    sizes = shown.view.frame.groupby("base_model")["size_gb"].sum().sort_values(ascending=False)
    found = bars(shown, "Storage by model")
    assert list(found)[:5] == list(sizes.index[:5])
    assert found[sizes.index[0]] == f"{sizes.iloc[0] / 1000:.2f} TB"
    assert found["5 others"] == f"{sizes.iloc[5:].sum():.0f} GB"


def test_bars_of_runs_are_called_by_their_names(shown: Shown) -> None:
    """Beside its id a run's bar has the name of its session, where it has one; and so have its choice and its chip."""
    sizes = shown.view.frame.groupby("training_run_id")["size_gb"].sum()
    names = shown.view.frame.groupby("training_run_id")["display_name"].first()
    largest = sizes.idxmax()
    label, said = next(iter(bars(shown, "Storage by run").items()))
    assert (label, said) == (f"{names[largest]} ({shorten_ids(largest)})", size(sizes[largest] * 1e9))
    shown.click("run")
    shown.stage.until(shown.options)
    assert label in shown.options()
    shown.click(f"option {label}")
    shown.sees(shown.chips, [f"Run: {label}"])


def test_columns_count_every_row(shown: Shown) -> None:
    """The columns over time hold every row once."""
    shown.stage.until(lambda: columns(shown))
    assert sum(columns(shown).values()) == 582


def test_pictures_follow_the_filter(shown: Shown) -> None:
    """What is drawn is what matches."""
    bars(shown, "Storage by run")
    shown.view.query = "public"
    shown.sees(lambda: sum(columns(shown).values()), 13)
    public = shown.view.filtered["base_model"].dropna().unique()
    assert set(bars(shown, "Storage by model")) - {"2 others"} < set(public)


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


def test_a_column_of_hours_filters_what_it_says(stage: Stage, account: tkf.Client) -> None:
    """Where columns are narrower than a day a click shows the rows of that column, and not those of the day."""
    frame = account.inventory().head(40)
    frame["time"] = pd.Timestamp("2026-03-01T00:30", tz="UTC") + pd.to_timedelta(frame.index % 10, unit="h")
    frame["age_days"] = (pd.Timestamp.now("UTC") - frame["time"]) / pd.Timedelta(days=1)
    shown = Shown(stage, tkf.explore(frame, account))
    shown.stage.until(lambda: columns(shown))
    assert columns(shown) == {f"2026-03-01 {hour:02}:00": 4 for hour in range(10)}
    shown.stage.click(shown.named("Checkpoints over time 2026-03-01 03:00"))
    shown.sees(shown.counts, "4 of 40")


def test_other_tables_have_pictures_of_their_own(stage: Stage, account: tkf.Client) -> None:
    """Sessions are drawn by their storage, runs by their number where no size is known."""
    sessions = Shown(stage, tkf.explore("sessions", account))
    assert len(bars(sessions, "Storage by project")) == account.sessions()["project_id"].nunique()
    runs = Shown(stage, tkf.explore("training_runs", account))
    models = account.training_runs()["base_model"].value_counts()
    assert bars(runs, "Training runs by model")[models.index[0]] == str(models.iloc[0])
