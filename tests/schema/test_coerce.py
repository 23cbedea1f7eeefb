"""Coercion of single values: valid ones are kept, others are repaired or become null, and losses are reported."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from typing import Any, get_args

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tinker_frames.schema.coerce import (
    Problems,
    canonical_json,
    coerce_value,
    encode_json,
    parse_json,
    parse_object,
    parse_times,
    replace_surrogates,
)
from tinker_frames.schema.columns import Kind

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
TYPES: dict[str, Any] = {
    "text": str, "category": str, "json": str, "int": int, "float": float, "bool": bool, "time": datetime, "texts": list,
}  # fmt: skip


@settings(max_examples=105)
@given(st.sampled_from(get_args(Kind)), JSON)
@example("time", "0001-01-01T00:00:00+05:00")
@example("int", math.inf)
@example("int", "٣")
@example("text", "\ud800")
@example("json", {"\ud800": "\udfff"})
@example("texts", ["\ud800", 1])
def test_whatever_comes_fits_its_kind_or_is_null_and_is_said(kind: Kind, value: Any) -> None:
    """Any JSON value becomes a value of its kind or null; a loss is always reported."""
    found, problem = coerce_value(kind, value)
    assert found is None or type(found) is TYPES[kind]
    if found is None and value is not None:
        assert problem
    if isinstance(found, str):
        found.encode()


@pytest.mark.parametrize(
    ("kind", "value", "found", "problem"),
    [
        ("int", 2**53 + 1, 2**53 + 1, None),
        ("int", 2**63, None, "beyond 64 bits"),
        ("int", -(2**63), -(2**63), None),
        ("int", 5.0, 5, "a whole number sent as a float"),
        ("int", 1.5, None, "not a whole number"),
        ("int", float(2**60), None, "not a whole number"),
        ("int", " 12 ", 12, "a number sent as text"),
        ("int", "--1", None, "not a whole number"),
        ("int", "1" * 30, None, "not a whole number"),
        ("int", True, None, "not a whole number"),
        ("float", 1, 1.0, None),
        ("float", " -1.5e-3 ", -0.0015, "a number sent as text"),
        ("float", "1e400", None, "not a finite number"),
        ("float", "1,5", None, "not a number"),
        ("bool", False, False, None),
        ("bool", 1, True, "a truth value sent as a number"),
        ("bool", 0.0, False, "a truth value sent as a number"),
        ("bool", "True", True, "a truth value sent as text"),
        ("bool", " false ", False, "a truth value sent as text"),
        ("bool", "0", False, "a truth value sent as text"),
        ("bool", 2, None, "neither true nor false"),
        ("bool", math.nan, None, "neither true nor false"),
        ("bool", "yes", None, "neither true nor false"),
        ("bool", "", None, "neither true nor false"),
        ("text", "", "", None),
        ("text", 5, "5", "not a text"),
        ("text", "a\ud800", "a\ufffdd800", "not valid Unicode"),
        ("time", "2026-11-20T09:14:03", datetime(2026, 11, 20, 9, 14, 3, tzinfo=UTC), "a time without zone, taken as UTC"),
        ("time", "2026-11-20T09:14:03+05:30", datetime(2026, 11, 20, 3, 44, 3, tzinfo=UTC), None),
        ("time", "soon", None, "not a time"),
        ("time", "", None, "not a time"),
        ("time", "2026-11-20t09:14:03z", datetime(2026, 11, 20, 9, 14, 3, tzinfo=UTC), None),
        ("time", 1795166043, datetime(2026, 11, 20, 9, 14, 3, tzinfo=UTC), "Unix time, in seconds"),
        ("time", 1795166043.25, datetime(2026, 11, 20, 9, 14, 3, 250_000, tzinfo=UTC), "Unix time, in seconds"),
        ("time", 1795166043250, datetime(2026, 11, 20, 9, 14, 3, 250_000, tzinfo=UTC), "Unix time, in milliseconds"),
        ("time", "1795166043", datetime(2026, 11, 20, 9, 14, 3, tzinfo=UTC), "Unix time as text, in seconds"),
        ("time", "Fri, 20 Nov 2026 09:14:03 GMT", datetime(2026, 11, 20, 9, 14, 3, tzinfo=UTC), "an HTTP date"),
        ("time", "Fri Nov 20 09:14:03 2026", None, "not a time"),
        ("time", 0, None, "not a time"),
        ("time", 20_261_120, None, "not a time"),
        ("time", 10**400, None, "not a time"),
        ("time", math.inf, None, "not a time"),
        ("time", True, None, "not a time"),
        ("json", {"é": "résumé"}, '{"é":"résumé"}', None),
        ("json", [1], "[1]", "not an object"),
        ("json", {"a": "\ud800"}, '{"a":"\ufffdd800"}', "not valid Unicode"),
        ("texts", ["a", 1, "b"], ["a", "b"], "a list with something other than text"),
        ("texts", ["\ud800"], ["\ufffdd800"], "not valid Unicode"),
        ("texts", "a", None, "not a list"),
    ],
)  # fmt: skip
def test_what_becomes_of_odd_values(kind: Kind, value: Any, found: Any, problem: str | None) -> None:
    """Each malformed value has one outcome and one problem name."""
    assert coerce_value(kind, value) == (found, problem)


@given(st.datetimes(timezones=st.just(UTC)))
def test_quick_and_careful_times_are_the_same(when: datetime) -> None:
    """The fast and the slow path read times with a zone exactly, to the microsecond, in every year Python supports."""
    for text in (when.isoformat(), when.isoformat().replace("+00:00", "Z")):
        assert parse_times([text]).to_pylist() == [when]
        assert coerce_value("time", text) == (when, None)


@pytest.mark.parametrize(
    "text", ["2026-11-20T09:14:03", "soon", "", "9999-12-31T23:59:59-05:00", "0001-01-01T00:00:00+05:00"]
)
def test_the_quick_way_refuses_what_the_careful_way_reports(text: str) -> None:
    """The fast path accepts no malformed time."""
    assert coerce_value("time", text)[1]
    with pytest.raises((ValueError, OverflowError)):
        parse_times(["2026-11-20T09:14:03Z", text])


@given(st.dictionaries(st.text(max_size=5), JSON, max_size=4))
def test_canonical_text_reads_back_and_is_stable(value: dict[str, Any]) -> None:
    """Canonical JSON parses to the original value and is stable."""
    text = canonical_json(value)
    assert canonical_json(json.loads(text)) == text
    if encode_json(value)[1] is None:
        assert json.loads(text, parse_constant=pytest.fail) == value


@pytest.mark.parametrize(
    ("content", "value"),
    [
        (b'{"a":' + b"9" * 5000 + b"}", {"a": math.inf}),
        (b'{"a":' + b"9" * 4000 + b"}", {"a": int("9" * 4000)}),
        (b'{"a":"x\xffy"}', {"a": "x\udcffy"}),
        ('{"a":"é"}'.encode(), {"a": "é"}),
    ],
    ids=["endless", "long", "no utf-8", "utf-8"],
)
def test_json_is_parsed_leniently(content: bytes, value: Any) -> None:
    """Huge integers and invalid UTF-8 affect only themselves."""
    assert parse_json(content) == value


def test_sound_text_is_said_to_be_sound() -> None:
    """Only changed text is reported."""
    assert replace_surrogates("naïve 😀") == ("naïve 😀", None)
    assert replace_surrogates("\udcff") == ("\ufffddcff", "not valid Unicode")


def test_problems_are_counted_with_a_few_examples() -> None:
    """Problems of one kind are one entry with the row count and the first keys, shortened."""
    problems = Problems("key")
    for number in range(9):
        problems.add("time", "not a time", f"{number}" * 400)
    problems.add("time", "absent", count=3)
    first, second = problems.as_list()
    assert (first["column"], first["problem"], first["rows"]) == ("time", "not a time", 9)
    assert first["examples"] == [f"{number}" * 300 for number in range(5)]
    assert second == {"column": "time", "problem": "absent", "rows": 3, "examples": []}


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ('{"a": 1}', {"a": 1}),
        (b'{"a": "\xff"}', {"a": "\udcff"}),
        ("{}", {}),
        ("[1]", None),
        ("{", None),
        ("", None),
        (None, None),
        (float("nan"), None),
        ("[" * 100_000, None),
    ],
)
def test_only_an_object_is_an_object(content: object, found: object) -> None:
    """Text or bytes with a JSON object return it; anything else, including NA and deep nesting, returns None."""
    assert parse_object(content) == found


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e400", "-1e400", "9" * 5000])
def test_numbers_that_json_does_not_have_are_kept_as_text(number: str) -> None:
    """What no strict reader takes is kept as the text that was sent, and reported; what it takes is unchanged."""
    text, problem = encode_json(parse_json(f'{{"a":[{number}],"b":1.5,"c":{10**30}}}'))
    assert json.loads(text, parse_constant=pytest.fail) == {"a": [number], "b": 1.5, "c": 10**30}
    assert problem == "a number that JSON does not have, kept as text"
    assert coerce_value("float", parse_json(number)) == (None, "not a finite number")
