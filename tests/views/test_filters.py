"""Filters: the value of each control as a pandas expression that selects exactly the rows it describes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.views.sample_frames import (
    KEYS,
    NOW,
    WORDS,
    find_matching,
    frame_of,
    matches,
    objects,
    settings_of_filters,
    tables,
    to_json_text,
)
from tinker_frames.errors import InvalidRequestError
from tinker_frames.frames.query import evaluate_condition
from tinker_frames.views.controls import CONTROLS, FUTURE, PAST, controls_of
from tinker_frames.views.facets import Facets
from tinker_frames.views.filters import build_expression, clean_value, describe_value, join_expressions, literal
from tinker_frames.views.rows import Rows

Row = dict[str, Any]
ROW = {"tinker_path": "tinker://a/b/c", "base_model": "m", "project_id": "p", "checkpoint_type": "training", "public": True, "time": NOW, "expires_at": NOW, "size_gb": 1.0, "size_bytes": 1, "step": 1, "user_metadata": "{}"}  # fmt: skip
# Two more rows with every kind of value, so that every control is there.
ROWS = [ROW, dict.fromkeys(ROW)]


def build_expressions(frame: pd.DataFrame, values: Row) -> dict[str, str]:
    """Return the expression of each filter that a frame offers."""
    controls = controls_of(frame)
    if "metadata" in controls:
        depth = Facets(frame).depth(controls["metadata"].columns)
        controls["metadata"] = replace(controls["metadata"], depth=depth)
    return {name: build_expression(controls[name], value, NOW) for name, value in values.items() if name in controls}


def filter_rows(table: list[Row], values: Row, **options: Any) -> list[int]:
    """Return the positions of the rows of a frame that match the filters."""
    frame = frame_of(table, **options)
    return np.flatnonzero(
        evaluate_condition(frame, join_expressions([*build_expressions(frame, values).values(), "index >= 0"]))
    ).tolist()


# ── any combination ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.few(1)
@pytest.mark.parametrize("kind", ["objects", "without zone"])
@settings(max_examples=24)
@given(table=tables, values=settings_of_filters, ages=st.booleans())
def test_any_combination_selects_what_its_values_describe(kind: str, table: list[Row], values: Row, ages: bool) -> None:
    """The view, `frame.query(…)` and a reference implementation in plain Python select the same rows, for any values."""
    frame = frame_of([*ROWS, *table], ages=ages, kind=kind)
    found, rows = build_expressions(frame, values), Rows(frame, "tinker_path")
    rows.filter(found)
    expected = find_matching([*ROWS, *table], values)
    assert np.flatnonzero(rows.mask).tolist() == expected
    query = join_expressions(list(found.values()))
    assert rows.get_filtered().index.tolist() == (frame.query(query) if query else frame).index.tolist() == expected


@settings(max_examples=28)
@given(table=tables, values=settings_of_filters)
def test_filters_that_a_frame_offers_can_be_evaluated_on_it(table: list[Row], values: Row) -> None:
    """Every filter that a frame offers can be evaluated on it, whatever its columns and rows."""
    frame = frame_of(table)
    for found in build_expressions(frame, values).values():
        assert not found or evaluate_condition(frame, found).shape == (len(frame),)


# ── text ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@settings(max_examples=42)
@given(text=st.text(max_size=12), other=st.text(max_size=3))
@example(text="'", other='"')
@example(text="\\", other="\\\\")
@example(text="`@x # y`", other="@x")
@example(text="a\nb\r\u2028", other="'''")
@example(text='"""', other="''")
def test_a_literal_is_the_text_and_nothing_else(text: str, other: str) -> None:
    """Any text, as a literal in a query, is accepted, evaluates to itself, and equals no other text."""
    frame = pd.DataFrame({"name": pd.array([text, other, None, text + other], dtype=frame_of([])["base_model"].dtype)})
    expected = [value == text for value in (text, other, None, text + other)]
    assert evaluate_condition(frame, f"name == {literal(text)}").tolist() == expected
    assert evaluate_condition(frame, f"name in [{literal(text)}, 'x{'y' * 40}']").tolist() == expected
    assert eval(literal(text), {}) == text


def test_a_search_finds_every_word_anywhere() -> None:
    """A search matches rows that contain every word in path or metadata, in any order and case; dots and stars are literal."""
    first = ROW | {"tinker_path": "tinker://R1/weights/Step-10", "user_metadata": '{"note":"a.b*"}'}
    table = [first, ROW | {"tinker_path": "tinker://r2/weights/step-10", "user_metadata": None}]
    assert filter_rows(table, {"text": "STEP-10"}) == [0, 1]
    assert filter_rows(table, {"text": "a.b* r1"}) == [0]
    assert filter_rows(table, {"text": "a?b"}) == []
    assert filter_rows(table, {"text": " \t"}) == [0, 1]


# ── metadata ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@settings(max_examples=52)
@given(entries=st.lists(objects, min_size=1, max_size=6), key=st.sampled_from(KEYS), data=st.data())
def test_metadata_is_matched_by_top_level_key_and_value(entries: list[Row], key: str, data: st.DataObject) -> None:
    """A metadata filter selects exactly the rows with this top-level key and value, not nested ones or text that resembles them."""
    present = [
        value if isinstance(value, str) else to_json_text(value) for entry in entries for value in entry.values()
    ]
    wanted = data.draw(st.sampled_from([*present, *WORDS, '1,"step":12', '12"', "{}"]))
    table = [ROW | {"user_metadata": to_json_text(entry)} for entry in entries]
    value = {"key": key, "value": wanted}
    assert filter_rows(table, {"metadata": value}) == [
        n for n, row in enumerate(table) if matches("metadata", value, row)
    ]


@pytest.mark.parametrize(
    ("entry", "value", "is_found"),
    [
        ({"step": "12"}, {"key": "step", "value": "12"}, True),
        ({"step": 12}, {"key": "step", "value": "12"}, True),
        ({"step": 12}, {"key": "step", "value": 12}, True),
        ({"step": None}, {"key": "step"}, True),
        ({"a": 1, "step": 12, "b": 1}, {"key": "step", "value": '12,"b":1'}, False),
        ({"o": {"step": "12"}}, {"key": "step", "value": "12"}, False),
        ({"o": [{"step": "12"}]}, {"key": "step", "value": ""}, False),
        ({"o": {"p": {"q": [1]}}, "step": "12"}, {"key": "step", "value": "12"}, True),
        ({"o": '{"step":"12"}'}, {"key": "step", "value": "12"}, False),
        ({"a": "x,", ":": 1}, {"key": ",", "value": ""}, False),
        ({"step": "123"}, {"key": "step", "value": "12"}, False),
        ({"step": "1.2"}, {"key": "step", "value": "1?2"}, False),
        ({"Step": "12"}, {"key": "step", "value": "12"}, False),
        ({"step": '"12"'}, {"key": "step", "value": "12"}, False),
        ({"step": "12"}, {"key": "step", "value": '"12"'}, False),
        ({"step": {"a": 1}}, {"key": "step", "value": {"a": 1}}, True),
    ],
)
def test_metadata_cases(entry: Row, value: Row, is_found: bool) -> None:
    """A value matches as text or as JSON, only whole, and only under a top-level key."""
    assert filter_rows([ROW | {"user_metadata": to_json_text(entry)}], {"metadata": value}) == [0] * is_found


# ── options, numbers, times ──────────────────────────────────────────────────────────────────────────────────────────


def test_64_bit_integers_are_compared_exactly() -> None:
    """A range that starts at 2**53 + 1 excludes 2**53, whether it is given as a number or as text."""
    table = [ROW | {"step": step} for step in (2**53, 2**53 + 1, 2**63 - 1)]
    for end in (2**53 + 1, str(2**53 + 1), np.int64(2**53 + 1)):
        assert filter_rows(table, {"step": [end, None]}) == [1, 2]
        assert filter_rows(table, {"step": [None, end]}) == [0, 1]
    assert filter_rows(table, {"step": [2**63 - 1, 1e300]}) == [2]


@pytest.mark.parametrize("ages", [True, False])
def test_days_are_whole_days_in_utc(ages: bool) -> None:
    """A range of days includes all of its first and of its last day in UTC."""
    moments = ["2026-01-01T23:59:59.999999", "2026-01-02T00:00", "2026-01-03T23:59:59.999999", "2026-01-04T00:00"]
    table = [ROW | {"time": datetime.fromisoformat(text).replace(tzinfo=UTC)} for text in moments]
    assert filter_rows(table, {"created": {"after": "2026-01-02", "before": "2026-01-03"}}, ages=ages) == [1, 2]
    assert filter_rows(table, {"created": {"after": date(2026, 1, 2), "before": None}}, ages=ages) == [1, 2, 3]


def test_presets_select_what_their_labels_say() -> None:
    """Each preset of `created` and `expires` selects the rows that its label describes."""
    hours = {"1 h": 1, "3 d": 72, "20 d": 480, "60 d": 1440, "100 d": 2400}
    past = [ROW | {"time": NOW - timedelta(hours=h)} for h in hours.values()]
    picks = dict(PAST)
    assert [filter_rows(past, {"created": picks[name]}) for name in ("last 24 h", "last 7 d")] == [[0], [0, 1]]
    older = [filter_rows(past, {"created": picks[f"older than {d} d"]}) for d in (7, 30, 90)]
    assert older == [[2, 3, 4], [3, 4], [4]]
    future = [ROW | {"expires_at": NOW + timedelta(hours=h)} for h in hours.values()] + [ROW | {"expires_at": None}]
    picks = dict(FUTURE)
    assert [filter_rows(future, {"expires": picks[f"within {w}"]}) for w in ("24 h", "7 d", "30 d")] == [
        [0],
        [0, 1],
        [0, 1, 2],
    ]
    assert filter_rows(future, {"expires": picks["has an expiry"]}) == [0, 1, 2, 3, 4]
    assert filter_rows(future, {"expires": picks["never expires"]}) == [5]


def test_a_single_option_needs_no_list() -> None:
    """A single text, True or False is accepted as a list of one option; False is an option, not an empty value."""
    table = [ROW, ROW | {"public": False}, ROW | {"public": None, "base_model": "n"}]
    assert filter_rows(table, {"public": False}) == [1]
    assert filter_rows(table, {"public": np.bool_(True)}) == filter_rows(table, {"public": [np.bool_(True)]}) == [0]
    assert filter_rows(table, {"model": "n"}) == [2]
    assert filter_rows(table, {"public": [None]}) == [2]


# ── what is no value ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("text", 5), ("text", ["a"]), ("query", {"a": 1}), ("model", 5), ("model", [5]), ("model", [["a"]]), ("model", [{}]),
        ("public", [1]), ("size", 5), ("size", [1]), ("size", [1, 2, 3]), ("size", ["x", None]), ("size", [float("nan"), 1]),
        ("size", [None, float("inf")]), ("size", {"low": 1}), ("step", [[1], None]), ("step", [10**400, None]),
        ("created", "30 d"), ("created", ["older_than"]), ("created", {"older": 30}), ("created", {"older_than": "x"}),
        ("created", {"within": 3}), ("created", {"after": "yesterday"}), ("created", {"before": "9999-12-31"}),
        ("created", {"older_than": 1e300}), ("created", {"older_than": float("nan")}), ("expires", {"older_than": 1}),
        ("expires", {"after": 5}), ("metadata", "a=b"), ("metadata", {"k": "v"}), ("metadata", {"key": 5}),
        ("metadata", {"key": ["a"]}), ("metadata", ["key"]), ("metadata", {"key": "k", "value": {1, 2}}),
    ],
)  # fmt: skip
def test_an_invalid_value_is_refused(name: str, value: Any) -> None:
    """An invalid value raises InvalidRequestError with the name of the control, never an error of pandas or Python."""
    control = controls_of(frame_of(ROWS))[name]
    with pytest.raises(InvalidRequestError, match=f"is not a value of the filter '{control.label}': .+Use "):
        build_expression(control, value, NOW)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("text", [None, "", " \n"]), ("query", [None, "", "  "]), ("model", [None, [], ()]), ("size", [None, [None, None], ["", ""]]),
        ("created", [None, {}, {"after": "", "older_than": None}, {"before": None}]),
        ("expires", [None, {}, {"ever": False, "never": None}]), ("metadata", [None, {}, {"key": ""}, {"key": None, "value": "x"}]),
    ],
)  # fmt: skip
def test_empty_values_filter_nothing(name: str, values: list[Any]) -> None:
    """An empty value is normalized to None and has an empty expression."""
    control = controls_of(frame_of(ROWS))[name]
    assert {clean_value(control, value) for value in values} == {None}
    assert {build_expression(control, value, NOW) for value in values} == {""}


@settings(max_examples=28)
@given(values=settings_of_filters)
@example(values={"model": [""], "project": [" ", None]})
def test_the_normal_form_is_equivalent_json(values: Row) -> None:
    """The normal form of a value is JSON, is its own normal form, selects the same rows, and has a description."""
    controls = controls_of(frame_of(ROWS))
    for name, value in values.items():
        found = clean_value(controls[name], value)
        assert clean_value(controls[name], found) == found
        assert build_expression(controls[name], found, NOW) == build_expression(controls[name], value, NOW)
        if found is not None:
            assert to_json_text(found)
            assert describe_value(controls[name], found)


# ── in words ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_every_control_has_a_short_description() -> None:
    """A filter's description names at most two options, and has numbers, days and keys."""
    controls = {control.name: control for control in CONTROLS}

    def words(name: str, value: Any) -> str:
        return describe_value(controls[name], clean_value(controls[name], value))

    assert words("model", ["a", "b", "c"]) == "a, b and 1 more"
    assert words("public", [True, False, None]) == "public, private and 1 more"
    assert words("corrupted", [True, None]) == "yes, not known"
    assert words("size", ["1.5", None]) == "≥ 1.5 GB"
    assert words("step", [1234567, 2**53 + 1]) == "≥ 1234567 and ≤ 9007199254740993"
    assert words("step", [5, 5]) == "≥ 5 and ≤ 5"
    assert words("created", {"older_than": 30}) == "older than 30 d"
    assert words("created", {"older_than": "12.5", "before": "2026-01-02"}) == "older than 12.5 d, to 2026-01-02"
    assert words("expires", {"never": True}) == "never expires"
    assert words("expires", {"within": 3, "never": True}) == "within 3 d, never"
    assert words("metadata", {"key": "step", "value": 12}) == "step = 12"
    assert words("metadata", {"key": "step"}) == "has step"
    assert words("query", "a > 1") == "a > 1"
    assert words("run", [f"{'0123abcd-1111-2222-3333-444455556666'}:train:0"]) == "0123abcd…:train:0"


@pytest.mark.parametrize(
    ("parts", "whole"),
    [
        ([], ""),
        (["", "a > 1"], "a > 1"),
        (["a > 1", "b.isna() or c"], "a > 1 and (b.isna() or c)"),
        (["a & b", "c"], "(a & b) and c"),
        (["x == 'this or that'", "y"], "x == 'this or that' and y"),
        (['x == "it\'s or"', "y"], '(x == "it\'s or") and y'),
        (["not public", "y"], "not public and y"),
    ],
)
def test_expressions_are_joined_with_and(parts: list[str], whole: str) -> None:
    """Expressions are joined with `and`, in parentheses only where precedence requires them."""
    assert join_expressions(parts) == whole


def test_expressions_are_short_pandas(shared_server: Any, client_of: Any) -> None:
    """The expression of a simple value is short pandas that a person would write."""
    controls = controls_of(client_of(shared_server).inventory())

    def text(name: str, value: Any) -> str:
        return build_expression(controls[name], value, NOW)

    assert text("created", {"older_than": 30}) == "age_days > 30"
    assert text("used", {"newer_than": 7}) == "run_idle_days <= 7"
    assert text("expires", {"never": True}) == "expires_at.isna()"
    odd = pd.DataFrame(
        {"expires_at": pd.to_datetime([None, None, NOW], utc=True), "expiry_unknown": [True, False, False]}
    )
    expression = build_expression(controls_of(odd)["expires"], {"never": True}, NOW)
    assert list(odd.index[evaluate_condition(odd, expression)]) == [1]
    assert text("size", [1, None]) == "size_gb >= 1"
    assert text("public", [False]) == "not public"
    assert text("model", ["Qwen/Qwen3-8B"]) == "base_model == 'Qwen/Qwen3-8B'"
    assert text("type", ["training", "sampler"]) == "checkpoint_type in ['training', 'sampler']"
    assert text("created", {"after": "2026-01-02"}) == "time >= '2026-01-02T00Z'"
    assert "tinker_path.str.contains('final', case=False, regex=False)" in text("text", "final")
