"""Facets: counts of options and sums of bytes over the matching rows of a table."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.views.sample_frames import COLUMN_OF, find_matching, frame_of, objects, tables, to_json_text
from tinker_frames.frames.query import evaluate_condition
from tinker_frames.schema.columns import pandas_array
from tinker_frames.views.controls import CONTROLS, Control, controls_of
from tinker_frames.views.facets import MOST_OPTIONS, Facets
from tinker_frames.views.filters import build_expression

MODEL = Control("model", "Base model", "options", ("base_model",))
CREATED = Control("created", "Created", "time", ("time",))
Table = list[dict[str, Any]]
masks = st.lists(st.booleans(), min_size=7, max_size=7)


def mask_of(bits: list[bool], table: Table) -> np.ndarray:
    """Return one bool per row."""
    return np.array(bits[: len(table)], dtype=bool)


def apply_picks(frame: pd.DataFrame, picks: dict[str, Any]) -> np.ndarray:
    """Return the rows that a click on a bar selects."""
    (name, value), *_ = picks.items()
    control = next(control for control in CONTROLS if control.name == name)
    return evaluate_condition(frame, build_expression(replace(control, columns=control.columns[:1]), value))


# ── options ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@settings(max_examples=28)
@given(table=tables, bits=masks, selected=st.lists(st.none() | st.sampled_from(["", "nan", "nowhere"]), max_size=2))
@pytest.mark.parametrize(("name", "kind"), [("model", "listed"), ("type", "objects"), ("public", "listed")])
def test_each_option_has_its_number_of_rows(
    name: str, kind: str, table: Table, bits: list[bool], selected: list[Any]
) -> None:
    """Each option, unknown included, has its number of rows, the most frequent first; a selected option stays at zero rows."""
    frame, mask = frame_of(table, kind=kind), mask_of(bits, table)
    control = next(control for control in CONTROLS if control.name == name)
    options = Facets(frame).options(control, mask, selected)
    column = [row[COLUMN_OF[name]] for row in table]
    expected = Counter(value for value, is_in in zip(column, mask, strict=True) if is_in)
    assert {option["value"]: option["rows"] for option in options if option["rows"]} == expected
    assert {option["value"] for option in options if not option["rows"]} == (set(selected) & set(column)) - set(
        expected
    )
    assert [option["rows"] for option in options] == sorted((option["rows"] for option in options), reverse=True)
    assert sum(option["rows"] for option in options) == mask.sum()
    assert json.dumps(options)
    assert all(option["label"].isprintable() for option in options)


def test_only_frequent_and_selected_options_are_listed() -> None:
    """Of hundreds of values only the most frequent are listed, and every selected one."""
    values = [f"run {n:03d}" for n in range(300) for _ in range(2 if n < 100 else 1)]
    facets = Facets(pd.DataFrame({"base_model": pandas_array("text", values)}))
    options = facets.options(MODEL, np.ones(len(values), dtype=bool), ["run 299", "elsewhere"])
    assert [option["value"] for option in options] == [f"run {n:03d}" for n in range(MOST_OPTIONS)] + ["run 299"]


def test_options_are_searched_beyond_those_that_are_listed() -> None:
    """A text finds every option whose label or value holds its words, also without matching rows; the number of all is known."""
    values = [f"Run {n:03d}" for n in range(300)]
    facets, mask = Facets(pd.DataFrame({"base_model": pandas_array("text", values)})), np.ones(300, dtype=bool)
    mask[280:] = False
    found = {
        text: facets.search_options(MODEL, mask, ["Run 007"], text) for text in ("", " ", "28", "run 299", "0 nope")
    }
    assert [(len(options), total) for options, total in found.values()] == [
        (MOST_OPTIONS, 280), (MOST_OPTIONS, 280), (13, 13), (1, 1), (0, 0),
    ]  # fmt: skip
    assert found["run 299"][0] == [{"value": "Run 299", "label": "Run 299", "rows": 0}]
    assert [option["rows"] for option in found["28"][0]] == [1, 1, 1] + [0] * 10


# ── sums ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_runs_are_labelled_with_their_names() -> None:
    """Options of runs show the session's name if any row of the run has one, otherwise the id."""
    frame = pd.DataFrame({"training_run_id": ["a", "a", "b", None, "c"], "display_name": [None, "léa", "", "nobody", "<b>\n"], "size_gb": [1.0, 1, 1, 1, 0.5]})  # fmt: skip
    run, facets, mask = controls_of(frame)["run"], Facets(frame), np.ones(5, dtype=bool)
    labels = {option["value"]: option["label"] for option in facets.options(run, mask, [])}
    assert labels == {"a": "léa (a)", "b": "b", None: "not known", "c": "<b>\\n (c)"}


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"size_bytes": [1, None]}, 1), ({"size_bytes": [None, None]}, None), ({"size_gb": [1.5, 0.5]}, 2e9), ({"x": [1, 2]}, None),
        ({"checkpoint_storage_bytes": [3, 4]}, 7), ({"size_bytes": ["1", "2"]}, None), ({"size_bytes": ["?", "?"], "size_gb": [1, None]}, 1e9),
    ],
)  # fmt: skip
def test_bytes_are_summed_from_the_column_that_has_them(columns: dict[str, Any], expected: float | None) -> None:
    """Bytes are summed over the rows that have a size; None if no row has one or the column is not numeric."""
    assert Facets(pd.DataFrame(columns)).bytes(np.ones(2, dtype=bool)) == expected


# ── metadata ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@settings(max_examples=28)
@given(entries=st.lists(st.none() | objects, max_size=6))
def test_metadata_keys_are_top_level_keys_by_frequency(entries: list[dict[str, Any] | None]) -> None:
    """Every top-level key of the metadata is listed, the most frequent first."""
    frame = pd.DataFrame(
        {"user_metadata": pandas_array("json", [None if entry is None else to_json_text(entry) for entry in entries])}
    )
    expected = Counter(key for entry in entries for key in entry or {})
    found = Facets(frame).metadata_keys(("user_metadata",))
    assert sorted(found) == sorted(expected)
    assert [expected[key] for key in found] == sorted(expected.values(), reverse=True)


def test_only_json_objects_have_keys() -> None:
    """Invalid JSON, and JSON other than an object, adds no keys, however deeply it is nested."""
    texts = ["", "{", "5", '"a"', '["b"]', "[" * 100_000, None, '{"k":1}']
    facets = Facets(pd.DataFrame({"user_metadata": pandas_array("json", texts)}))
    assert facets.metadata_keys(("user_metadata",)) == ["k"]


@pytest.mark.parametrize(
    ("entry", "depth"),
    [({}, 0), ({"a": "{[", "b": 1}, 0), ({"a": {}}, 1), ({"a": [1]}, 1), ({"a": {"b": [{"c": 1}]}}, 3)],
)
def test_depth_is_how_far_objects_nest(entry: dict[str, Any], depth: int) -> None:
    """Depth counts nested objects and lists alike, and ignores brackets within text."""
    frame = pd.DataFrame({"user_metadata": [to_json_text(entry), '{"x":1}', None]})
    assert Facets(frame).depth(("user_metadata",)) == depth


@settings(max_examples=15)
@given(table=tables, value=st.sampled_from([["training"], ["sampler", None]]))
def test_counts_are_the_rows_that_an_option_selects(table: Table, value: list[Any]) -> None:
    """The number beside an option is the number of rows that selecting it leaves."""
    frame = frame_of(table)
    control = next(control for control in CONTROLS if control.name == "type")
    options = Facets(frame).options(control, np.ones(len(table), dtype=bool), value)
    counted = sum(option["rows"] for option in options if option["value"] in value)
    assert counted == len(find_matching(table, {"type": value}))
