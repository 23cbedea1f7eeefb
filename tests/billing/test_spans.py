"""Spans and windows: what people type becomes whole UTC hours, and windows cover them exactly once."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinker_frames.billing.spans import HOUR, LONGEST_WINDOW, Moment, Window, parse_span, split_span
from tinker_frames.errors import InvalidRequestError

NOW = datetime(2026, 11, 27, 20, 46, 13, tzinfo=UTC)
HOURS = st.integers(0, 24 * 365 * 3).map(lambda hours: datetime(2024, 1, 1, tzinfo=UTC) + hours * HOUR)


@given(HOURS, st.integers(1, 24 * 400), HOURS)
def test_windows_cover_a_span_exactly_once(start: datetime, hours: int, settled: datetime) -> None:
    """Windows follow one another in whole UTC hours, are at most 14 days long, and have every hour of the span once."""
    span = Window(start, start + hours * HOUR)
    windows = list(split_span(span, settled))
    assert windows[0].start <= span.start < windows[0].end
    assert windows[-1].start < span.end <= windows[-1].end
    assert [one.end for one in windows[:-1]] == [one.start for one in windows[1:]]
    for one in windows:
        assert timedelta(0) < one.end - one.start <= LONGEST_WINDOW
        assert (one.start - datetime(1970, 1, 1, tzinfo=UTC)) % HOUR == timedelta(0)
        beyond = not (span.start <= one.start and one.end <= span.end)
        assert not beyond or one.end <= settled  # only what is kept for good is read beyond the span


@given(HOURS, HOURS, st.integers(1, 24 * 100), st.integers(1, 24 * 100))
def test_settled_windows_are_the_same_for_every_span(one: datetime, other: datetime, hours: int, more: int) -> None:
    """Two spans have the same settled windows where they overlap, so that what one has read serves the other."""
    settled = datetime(2030, 1, 1, tzinfo=UTC)
    first = set(split_span(Window(one, one + hours * HOUR), settled))
    second = set(split_span(Window(other, other + more * HOUR), settled))
    assert all(a == b or a.end <= b.start or b.end <= a.start for a in first for b in second)


@pytest.mark.parametrize(
    ("start", "hour"),
    [
        ("2026-11-01", "2026-11-01T00"),
        ("2026-11", "2026-11-01T00"),
        (" 2026 ", "2026-01-01T00"),
        ("2026-11-01T05:59", "2026-11-01T05"),
        ("2026-11-01T05:30+02:00", "2026-11-01T03"),
        ("30d", "2026-10-28T20"),
        ("90 minutes ago", "2026-11-27T19"),
        ("Yesterday", "2026-11-26T00"),
        ("today", "2026-11-27T00"),
        (date(2026, 11, 1), "2026-11-01T00"),
        (timedelta(hours=2), "2026-11-27T18"),
        (datetime(2026, 11, 1, 1, 30, tzinfo=timezone(timedelta(hours=3))), "2026-10-31T22"),
    ],
)
def test_what_people_type(start: Moment, hour: str) -> None:
    """A start is rounded down to its hour in UTC, and without an end the span has the present hour."""
    span = parse_span(start, None, NOW)
    assert span == Window(datetime.fromisoformat(f"{hour}:00+00:00"), datetime(2026, 11, 27, 21, tzinfo=UTC))


def test_an_end_is_rounded_up_and_not_beyond_now() -> None:
    """An end is not included, its hour is if it has begun; what is to come is left out."""
    assert parse_span("7d", "2026-11-25T10:00", NOW).end == datetime(2026, 11, 25, 10, tzinfo=UTC)
    assert parse_span("7d", "2026-11-25T10:01", NOW).end == datetime(2026, 11, 25, 11, tzinfo=UTC)
    assert parse_span("7d", datetime.max.replace(tzinfo=UTC), NOW).end == datetime(2026, 11, 27, 21, tzinfo=UTC)
    assert parse_span("7d", "2027-01-01", NOW).end == datetime(2026, 11, 27, 21, tzinfo=UTC)


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("soon", None),
        ("", None),
        ("2026-13-01", None),
        ("9999999999y", None),
        ("5M", None),
        ("30d", "never"),
        ("2026-11-02", "2026-11-01"),
        ("2026-11-01", "2026-11-01"),
        ("2027-01-01", "2027-02-01"),
        ("2027-01-01", None),
        ("1999", None),
        (datetime(2026, 11, 1), None),  # noqa: DTZ001
        (datetime.min.replace(tzinfo=timezone(timedelta(hours=5))), None),
    ],
)
def test_what_is_no_span_is_refused(start: Moment, end: Moment | None) -> None:
    """What is not a time, a local time, an empty span, one to come and one over ten years raise `InvalidRequestError`."""
    with pytest.raises(
        InvalidRequestError, match=r"is not a time|has no time zone|no hour in the past|it would begin at|ten years"
    ):
        parse_span(start, end, NOW)
