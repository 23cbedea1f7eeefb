"""Parsing and formatting of durations."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinker_frames.errors import InvalidRequestError
from tinker_frames.schema.durations import format_duration, parse_duration, parse_ttl


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("30d", 2_592_000),
        ("12h", 43_200),
        ("45m", 2_700),
        ("90s", 90),
        ("2w", 1_209_600),
        ("1.5h", 5_400),
        ("1d12h", 129_600),
        (" 1 D 12 H ", 129_600),
        ("2 weeks", 1_209_600),
        ("1 week 1 day", 691_200),
        ("3 Months", 7_776_000),
        ("1mo", 2_592_000),
        ("1y", 31_536_000),
        ("10 YEARS", 315_360_000),
        ("90 min", 5_400),
        ("36 hrs", 129_600),
        ("1\u00a0day", 86_400),
        (3600, 3600),
        (3600.4, 3600),
        (np.int64(7200), 7200),
        (np.float64(7200), 7200),
        (timedelta(days=2), 172_800),
        (pd.Timedelta("3h"), 10_800),
    ],
)
def test_each_way_to_write_a_length(written: object, meant: int) -> None:
    """Text with units, numbers (including numpy's) of seconds, and timedeltas become integer seconds."""
    assert parse_duration(written) == meant
    assert type(parse_duration(written)) is int


@pytest.mark.parametrize(
    "written",
    ["", "30", "d", "30 dayz", "3M", "90 M", "1 fortnight", "two weeks", "1d-2h", "-1d", "1e3s", "30dd", None, True, float("nan"), float("inf"), 10**400, "9" * 400 + "d", [], "5h!"],
)  # fmt: skip
def test_what_is_no_length_is_refused_with_examples(written: object) -> None:
    """Anything else raises one error that shows valid durations."""
    with pytest.raises(InvalidRequestError, match=r"not a duration.*30d"):
        parse_duration(written)


def test_a_capital_m_is_refused_as_ambiguous() -> None:
    """A capital M, which is months to pandas and was minutes here, is neither, and the error names both spellings."""
    with pytest.raises(InvalidRequestError, match=r"minutes \(m\) or months \(mo\)"):
        parse_duration("3M")


@given(
    st.integers(1, 9), st.sampled_from(["s", "mins", "Hour", "d", "WEEKS", "mo", "years"]), st.sampled_from(["", " "])
)
def test_a_count_of_any_unit_is_that_many_of_one(count: int, unit: str, blank: str) -> None:
    """A number of a unit lasts as long as that many of one."""
    assert parse_duration(f"{count}{blank}{unit}") == count * parse_duration(f"1{unit}")


@given(st.one_of(st.text(), st.integers(), st.floats(), st.none(), st.booleans(), st.timedeltas()))
def test_whatever_is_given_is_seconds_or_that_one_error(written: object) -> None:
    """Every input returns an int or raises InvalidRequestError."""
    try:
        found = parse_duration(written)
    except InvalidRequestError:
        return
    assert isinstance(found, int)


@given(st.integers(0, 10**9))
def test_a_shown_length_names_about_the_same_time(length: int) -> None:
    """A duration is formatted in its largest fitting unit, within 5 % of its value."""
    number, unit = format_duration(length).split()
    size = {"s": 1, "min": 60, "h": 3600, "d": 86_400}[unit]
    assert abs(float(number) * size - length) <= 0.06 * size
    assert length < 60 or float(number) >= 1


def test_shown_as_people_say_it() -> None:
    """Integers of a unit have no fraction, others one digit."""
    assert [format_duration(value) for value in (86_400, 5_400, 90, 7, 129_600)] == [
        "1 d",
        "1.5 h",
        "1.5 min",
        "7 s",
        "1.5 d",
    ]


@pytest.mark.parametrize("written", ["1h", 3600, "3650d", timedelta(days=30)])
def test_a_ttl_is_a_duration_that_the_service_takes(written: object) -> None:
    """A TTL from an hour to ten years, in any form, becomes the seconds that the service accepts."""
    assert parse_ttl(written) == parse_duration(written)


@pytest.mark.parametrize(("written", "said"), [(30, "^30 s is out"), ("30m", "^'30m' is out")])
def test_a_ttl_that_is_refused_is_named_with_its_unit(written: object, said: str) -> None:
    """A bare number is named as seconds: days may have been meant."""
    with pytest.raises(InvalidRequestError, match=said):
        parse_ttl(written)


@pytest.mark.parametrize("written", ["59m", 0, "3651d", "soon", None, True])
def test_a_ttl_out_of_range_is_refused(written: object) -> None:
    """Any other TTL is refused before it is sent."""
    with pytest.raises(InvalidRequestError, match=r"an hour to ten years|not a duration"):
        parse_ttl(written)
