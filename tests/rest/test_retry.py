"""Retry rules: whether a request is sent again, and after how long."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from requests.structures import CaseInsensitiveDict

from tinker_frames.rest.retry import (
    MAX_SERVER_WAIT_S,
    RATE_LIMIT_RETRY_FACTOR,
    RetryBudget,
    backoff_s,
    is_complete_json,
    is_retryable,
    read_server_wait,
)

NOW = datetime(2026, 11, 20, 9, 0, 0, tzinfo=UTC)


def headers(**given: str) -> CaseInsensitiveDict[str]:
    return CaseInsensitiveDict({name.replace("_", "-"): value for name, value in given.items()})


@pytest.mark.parametrize(
    ("sent", "wait"),
    [
        ({"retry_after": "2"}, 2.0),
        ({"retry_after": "1.5"}, 1.5),
        ({"retry_after": "60"}, 60.0),
        ({"retry_after": "60.1"}, 60.1),
        ({"retry_after": "100000"}, 100000.0),
        ({"retry_after": "0"}, None),
        ({"retry_after": "-3"}, None),
        ({"retry_after": "soon"}, None),
        ({"retry_after": ""}, None),
        ({"retry_after": "nan"}, None),
        ({"retry_after": "inf"}, MAX_SERVER_WAIT_S),
        ({"retry_after": format_datetime(NOW + timedelta(seconds=30), usegmt=True)}, 30.0),
        ({"retry_after": "Fri, 20 Nov 2026 09:00:30 -0000"}, 30.0),
        ({"retry_after": format_datetime(NOW - timedelta(seconds=30), usegmt=True)}, None),
        ({"retry_after": format_datetime(NOW + timedelta(hours=1), usegmt=True)}, 3600.0),
        ({"retry_after": "1e9"}, 1e9),
        ({"retry_after": "1e12"}, MAX_SERVER_WAIT_S),
        ({"retry_after": "99999999999999999999"}, MAX_SERVER_WAIT_S),
        ({"retry_after": "Fri, 31 Dec 9999 23:59:59 GMT"}, MAX_SERVER_WAIT_S),
        ({"retry_after_ms": "99999999999999"}, MAX_SERVER_WAIT_S),
        ({"retry_after": "Friday, 20-Nov-26 09:00:30 GMT"}, 30.0),
        ({"retry_after": "Fri Nov 20 09:00:30 2026"}, 30.0),
        ({"retry_after": "2026-11-20T10:00:30+01:00"}, 30.0),
        ({"retry_after": "Fri, 20 Nov 2026 09:00:30"}, 30.0),
        ({"retry_after": "Fri, 20 Nov 99999999999999999999 09:00:30 GMT"}, None),
        ({"retry_after_ms": "250"}, 0.25),
        ({"retry_after_ms": "250", "retry_after": "9"}, 0.25),
        ({"retry_after_ms": "soon", "retry_after": "9"}, 9.0),
        ({"retry_after_ms": "61000"}, 61.0),
        ({}, None),
    ],
)
def test_server_wait(sent: dict[str, str], wait: float | None) -> None:
    """`retry-after-ms`, else `Retry-After` in seconds, fractions or as a date; above 0, and three centuries for all that is longer."""
    assert read_server_wait(headers(**sent), NOW) == wait


@given(
    text=st.text(max_size=40) | st.from_regex(r"\A[A-Z][a-z]{2}, \d+ [A-Z][a-z]{2} \d+ \d+:\d+(:\d+)? [-+A-Z0-9]*\Z")
)
def test_no_header_breaks_it(text: str) -> None:
    """Any header gives a bounded wait or none."""
    for name in ("retry_after", "retry_after_ms"):
        wait = read_server_wait(headers(**{name: text}), NOW)
        assert wait is None or 0 < wait <= MAX_SERVER_WAIT_S


@given(attempt=st.integers(0, 40))
def test_backoff_bounds(attempt: int) -> None:
    """The n-th wait is up to a quarter below half a second doubled n times, and at most ten seconds."""
    full = min(0.5 * 2**attempt, 10)
    assert 0.75 * full <= backoff_s(attempt) <= full


@pytest.mark.parametrize("status", [302, 400, 401, 402, 403, 404, 405, 408, 409, 422, 425, 429, 500, 503])
def test_statuses_after_which_a_read_is_repeated(status: int) -> None:
    """A read is repeated if the server was busy or failed, not if it refused."""
    assert is_retryable(status, headers()) is (status in {408, 409, 425, 429, 500, 503})


@pytest.mark.parametrize(
    ("said", "status", "repeat"), [("true", 400, True), ("false", 500, False), ("maybe", 500, True)]
)
def test_should_retry_decides(said: str, status: int, repeat: bool) -> None:
    """`x-should-retry` of exactly true or false decides."""
    assert is_retryable(status, headers(x_should_retry=said)) is repeat


def test_gateway_refusal_is_repeated() -> None:
    """A 400 with an empty body comes from a gateway and never reached the service."""
    assert is_retryable(400, headers(content_length="0"))
    assert not is_retryable(400, headers(content_length="20"))


@given(retries=st.integers(0, 8))
def test_tries_end(retries: int) -> None:
    """There are at most `retries` repeats, for responses and for connections."""
    tries = RetryBudget(retries)
    waits = [tries.wait_after(500, headers()) for _ in range(retries + 1)]
    assert waits[-1] is None
    assert None not in waits[:-1]
    lost = RetryBudget(retries)
    assert [lost.wait_after_loss() is None for _ in range(retries + 1)] == [False] * retries + [True]


@given(retries=st.integers(0, 5))
def test_named_rate_limits_get_more_patience(retries: int) -> None:
    """A 429 with a wait may be repeated `RATE_LIMIT_RETRY_FACTOR` times as often, and does not count as another retry."""
    tries = RetryBudget(retries)
    waits = [tries.wait_after(429, headers(retry_after="2")) for _ in range(retries * RATE_LIMIT_RETRY_FACTOR + 1)]
    assert waits == [2.0] * (retries * RATE_LIMIT_RETRY_FACTOR) + [None]
    if retries:
        assert tries.wait_after(500, headers()) is not None


@given(
    body=st.recursive(st.none() | st.integers() | st.text(), st.lists).map(lambda value: {"a": value}),
    cut=st.integers(1, 50),
)
def test_whole_objects_look_complete(body: dict[str, object], cut: int) -> None:
    """Every complete JSON object passes the cheap check; an empty or truncated body does not."""
    import json

    text = json.dumps(body).encode()
    assert is_complete_json(text)
    assert is_complete_json(text + b" \n")
    assert not is_complete_json(b"")
    assert not is_complete_json(text[: min(cut, 4)])
