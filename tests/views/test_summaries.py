"""Summaries of columns: their counts are those of pandas, and a click on a group filters to the rows that it counts."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.views.sample_frames import NOW, frame_of, settings_of_filters, tables
from tinker_frames.views.facets import Facets
from tinker_frames.views.summaries import LONGEST_LABEL, MOST_BINS, MOST_VALUES, NA, Summaries, find_bins, find_edges
from tinker_frames.views.table import TableState

if TYPE_CHECKING:
    from tinker_frames.views.messages import Summary

PICKED = ["base_model", "checkpoint_type", "public", "project_id", "size_gb", "step", "time", "expires_at"]
finite = st.floats(-1e15, 1e15) | st.integers(-(2**53), 2**53).map(float)


def summarize(values: Any, name: str = "mine", dtype: Any = None) -> Summary:
    """Return the summary of a column that has no filter."""
    frame = pd.DataFrame(
        {
            name: pd.Series(values, dtype=dtype),
            "key": pd.Series([str(place) for place in range(len(values))], dtype="str"),
        }
    )
    every = np.ones(len(frame), dtype=bool)
    return Summaries(frame, Facets(frame), "key").summarize(name, None, every, every)


def find_summary(state: TableState, column: str) -> Summary:
    """Return the summary of one column of a table."""
    return next(summary for summary in state.summaries()["columns"] if summary["id"] == column)


def count_groups(summary: Summary) -> list[int]:
    """Return the rows of all groups of a summary."""
    return [*summary["counts"], summary["rest"], summary["na"]]


@settings(max_examples=40)
@given(table=tables, filters=settings_of_filters, kind=st.sampled_from(["listed", "objects", "without zone"]))
def test_every_row_is_counted_once(table: list[dict[str, Any]], filters: dict[str, Any], kind: str) -> None:
    """The groups of a column hold the rows that match the other filters, each once; NA and frequent values are counted as pandas does."""
    state = TableState(frame_of(table, kind=kind))
    state.columns = list(state.rows.frame.columns)
    state.set_filters({name: value for name, value in filters.items() if name in state.controls})
    assert json.dumps(state.summaries(), allow_nan=False)
    for summary in state.summaries()["columns"]:
        control = state._control_of(summary["id"])
        rows = state.rows.frame[state.rows.mask_without(control.name) if control else state.rows.mask]
        values = rows[summary["id"]]
        assert sum(count_groups(summary)) == summary["rows"] == len(rows)
        assert summary["na"] == values.isna().sum()
        assert len(summary["labels"]) == len(summary["counts"]) + (
            summary["kind"] == "histogram" and bool(summary["counts"])
        )
        assert all(label.isprintable() for label in [*summary["labels"], summary["caption"]])
        if summary["kind"] == "values" and summary["counts"]:
            assert (
                summary["counts"] == sorted(values.value_counts(), reverse=True)[:MOST_VALUES][: len(summary["counts"])]
            )
        if "shown" in summary:
            assert sum(summary["shown"]) == len(state.rows)


@settings(max_examples=40)
@given(table=tables, column=st.sampled_from(PICKED), ends=st.tuples(st.integers(0, 99), st.integers(0, 99)))
def test_a_pick_filters_to_the_rows_that_its_groups_count(
    table: list[dict[str, Any]], column: str, ends: tuple[int, int]
) -> None:
    """After a click or brush, as many rows match as the groups counted; the same again unsets the filter."""
    state = TableState(frame_of([row | {"step": row["step"] and row["step"] % 2**50} for row in table]))
    state.columns = [column]
    summary = find_summary(state, column) if column in state.rows.frame else None
    if summary is None or not summary["picks"] or not summary["counts"]:
        return
    first, last = sorted(end % len(summary["counts"]) for end in ends)
    last = last if summary["kind"] == "histogram" else first
    state.pick(column, (first, last))
    assert len(state.rows) == sum(summary["counts"][first : last + 1])
    again = find_summary(state, column)
    assert again["counts"] == summary["counts"], "its own filter does not change what the column holds"
    assert sum(again["shown"]) == len(state.rows)
    state.pick(column, (first, last))
    assert state.values == {}


@settings(max_examples=60)
@given(values=st.lists(finite, min_size=1, max_size=30))
@example(values=[-5e-324, 21.0])
@example(values=[5e-324, 0.0])
def test_bins_are_few_with_edges_around_all_values(values: list[float]) -> None:
    """The edges are increasing, enclose all values, and a value is in the bin between its edges."""
    low, high = min(values), max(values)
    edges = find_edges(low, high)
    assert len(edges) <= MOST_BINS + 3
    assert edges[0] <= low <= high <= edges[-1]
    if low == high:
        return
    assert edges == sorted(edges)
    for value, place in zip(values, find_bins(np.array(values), edges), strict=True):
        assert edges[place] <= value <= edges[place + 1]


@pytest.mark.parametrize(
    ("low", "high", "is_whole", "edges"),
    [
        (0, 3, True, [0, 1, 2, 3, 4]), (0.0, 1.0, False, [round(place * 0.05, 2) for place in range(22)]), (5, 5, True, [5, 5]),
        (0, 100, True, list(range(0, 110, 5))),
    ],
)  # fmt: skip
def test_edges_are_round(low: float, high: float, is_whole: bool, edges: list[float]) -> None:
    """Bins begin at multiples of 1, 2 or 5 times a power of ten; those of integers are at least 1 wide."""
    assert find_edges(low, high, is_whole=is_whole) == edges


ODD: dict[str, Any] = {
    "infinite": [float("inf"), -float("inf"), 1.0, None], "huge": [1.7e308, -1.7e308, 5e-324], "equal": [3, 3, None], "tiny": [0.1, 0.1 + 2e-17],
    "nothing": [None, None], "no rows": [], "lists": [[1], [1], None], "tuples": [("a",), ("a",), None], "mixed": [1, "1", True, None],
    "far": pd.to_datetime(["0001-01-01", "9999-12-31"], format="%Y-%m-%d", errors="coerce"), "lengths": [pd.Timedelta(1), None],
}  # fmt: skip


def test_a_rare_value_that_is_filtered_by_is_named() -> None:
    """Under a filter of its own, a column's caption is the most frequent value of the rows that match, with their number."""
    models = ["Qwen/Common"] * 9 + [f"Qwen/Other{place}" for place in range(4) for _ in range(3)] + ["Qwen/Rare"] * 2
    state = TableState(pd.DataFrame({"tinker_path": [f"p{place}" for place in range(23)], "base_model": models}))
    assert find_summary(state, "base_model")["caption"] == "Common"
    for value, found in ((["Qwen/Rare"], ("Rare", 2)), (["Qwen/Rare", "Qwen/Common"], ("Common", 9))):
        state.set_filter("model", value)
        summary = find_summary(state, "base_model")
        assert (summary["caption"], summary["top"], summary["labels"][0]) == (*found, "Qwen/Common")
    state.set_filter("text", "no such row")
    assert (find_summary(state, "base_model")["caption"], find_summary(state, "base_model")["rows"]) == ("", 0)


@pytest.mark.parametrize("name", ODD)
def test_columns_that_no_listing_has_are_summarized_too(name: str) -> None:
    """Any column of a handmade frame has a summary of all its rows, as JSON."""
    summary = summarize(ODD[name])
    assert sum(count_groups(summary)) == summary["rows"] == len(ODD[name])
    assert summary["na"] == pd.Series(ODD[name], dtype="object").isna().sum()
    assert json.dumps(summary, allow_nan=False)


def test_hostile_values_are_short_printable_labels() -> None:
    """Labels have no control characters and a bounded length."""
    summary = summarize(["<img src=x onerror=alert(1)>\u202e\x1b", "x" * 5000, "x" * 5000], dtype="str")
    assert summary["labels"][0] == "x" * LONGEST_LABEL + "…"
    assert all(label.isprintable() for label in summary["labels"])


def test_values_that_occur_once_are_only_counted() -> None:
    """Texts that are all different, and the keys of rows, have a number of values and no bars."""
    assert summarize([f"text {place}" for place in range(9)])["caption"] == "9 values"
    state = TableState(pd.DataFrame({"tinker_path": ["a", "b", None], "name": ["x", "x", "y"]}))
    key, name = state.summaries()["columns"]
    assert (key["caption"], key["counts"], key["rest"], key["na"]) == ("2 values", [], 2, 1)
    assert (name["labels"], name["counts"]) == (["x", "y"], [2, 1])


def test_missing_values_are_picked_where_the_filter_can() -> None:
    """A click on NA adds it to the options, or asks for rows that never expire; not where an expiry may be unknown."""
    days = pd.Series([NOW, None, None], dtype="datetime64[us, UTC]")
    frame = pd.DataFrame({"tinker_path": ["a", "b", "c"], "base_model": ["m", None, "n"], "expires_at": days})
    state = TableState(frame)
    for column, picked in (("base_model", {"model": [None]}), ("expires_at", {"expires": {"never": True}})):
        assert find_summary(state, column)["picks_na"]
        state.pick(column, (NA, NA))
        assert state.values == picked
        state.pick(column, (NA, NA))
        assert state.values == {}
    unknown = TableState(frame.assign(expiry_unknown=True))
    unknown.pick("expires_at", (NA, NA))
    assert unknown.values == {}
    assert not find_summary(unknown, "expires_at")["picks_na"]


def test_captions_say_what_is_there() -> None:
    """A caption has the range of numbers, sizes and times, or the most frequent value; a model is without its organization."""
    hours = [pd.Timestamp("2026-01-05T03:00Z"), pd.Timestamp("2026-01-05T09:30Z")]
    captions = [
        summarize([0, 8500], "step")["caption"], summarize([0, 6.5e10], "size_bytes")["caption"], summarize([1.5, 2.5], "size_gb")["caption"],
        summarize(hours)["caption"], summarize([hours[0], pd.Timestamp("2026-03-09", tz="UTC")])["caption"],
        summarize([hours[0], pd.Timestamp("2027-03-09", tz="UTC")])["caption"], summarize([hours[0], hours[0] + pd.Timedelta(hours=40)])["caption"],
        summarize(["Qwen/Qwen3-8B"] * 2, "base_model")["caption"], summarize([True, True, False], "is_lora")["caption"],
    ]  # fmt: skip
    assert captions == [
        "0–8,500",
        "≤ 65 GB",
        "≤ 2.5 GB",
        "5 Jan, 3–10 h",
        "5 Jan–9 Mar",
        "Jan 2026–Mar 2027",
        "5 Jan–6 Jan",
        "Qwen3-8B",
        "yes",
    ]
