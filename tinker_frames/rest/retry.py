"""Retry rules of reads: when to send one again, and how long to wait before. Pure.

Writes are not repeated here: what an unclear answer to a write means is settled by reading (`plans.writer`).
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

MAX_SERVER_WAIT_S = 1e10  # three centuries; a longer one, also beyond every date, counts as this
LONGEST_WAIT_S = 366 * 86_400.0  # a longer one is said, but not waited for, whatever the deadline
RATE_LIMIT_RETRY_FACTOR = 4
_jitter = random.Random()  # noqa: S311  # spreads load, protects nothing; the caller's own random numbers stay as they were seeded


# Statuses after which a read is sent again; a read changes nothing, however often it arrives.
RETRYABLE_STATUSES = frozenset({408, 409, 425, 429})


class RetryBudget:
    """Count the attempts of one read, and return the wait before the next, if there is one.

    A 429 that names its wait is not counted as a failure: `RATE_LIMIT_RETRY_FACTOR` times as many are allowed.
    """

    def __init__(self, retries: int) -> None:
        self._retries = retries
        self._failed = 0
        self._limited = 0
        self.left = retries  # repeats at most, counting the one that the last wait is for

    def wait_after(self, status: int, headers: Mapping[str, str]) -> float | None:
        """Return the seconds to wait after an unsuccessful answer; None to give up."""
        if not is_retryable(status, headers):
            return None
        wait = read_server_wait(headers)
        if status == 429 and wait is not None:
            self._limited += 1
            self.left = self._retries * RATE_LIMIT_RETRY_FACTOR - self._limited + 1
            return wait if self.left > 0 else None
        return self._next(wait)

    def wait_after_loss(self) -> float | None:
        """Return the seconds to wait after a lost or incomplete answer; None to give up."""
        return self._next(None)

    def _next(self, wait: float | None) -> float | None:
        self._failed += 1
        self.left = self._retries - self._failed + 1
        if self.left <= 0:
            return None
        return backoff_s(self._failed - 1) if wait is None else wait


def is_complete_json(content: bytes) -> bool:
    """Tell whether a body can be a whole JSON object or list: the cheap half of parsing it."""
    return content.rstrip()[-1:] in (b"}", b"]")


def is_retryable(status: int, headers: Mapping[str, str]) -> bool:
    """Tell whether an answer allows sending the same read again."""
    advice = read_retry_advice(headers)
    if advice is not None:
        return advice
    return is_gateway_refusal(status, headers) or status in RETRYABLE_STATUSES or status >= 500


def read_retry_advice(headers: Mapping[str, str]) -> bool | None:
    """Return whether the server advises to send the request again (`x-should-retry`), whatever the status; None if it says nothing."""
    return {"true": True, "false": False}.get(headers.get("x-should-retry", "").lower())


def is_gateway_refusal(status: int, headers: Mapping[str, str]) -> bool:
    """Tell whether a gateway refused the request before the service saw it, so that any request may be sent again."""
    return status == 400 and headers.get("Content-Length") == "0"


def backoff_s(attempt: int) -> float:
    """Return the wait after failed attempt number `attempt` (from 0): exponential, at most 10 s, with jitter."""
    return min(0.5 * 2.0**attempt, 10.0) * _jitter.uniform(0.75, 1.0)


def read_server_wait(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Return the seconds a server asks for: `retry-after-ms`, or `Retry-After` in (fractions of) seconds or as a date.

    None if the header is missing or malformed, or not above 0. A wait of years is one: whether to wait so long is the deadline's
    matter. It is at most `MAX_SERVER_WAIT_S`.
    """
    wait = _parse_number(headers.get("retry-after-ms"), scale=0.001)
    if wait is None:
        wait = _parse_number(headers.get("Retry-After"))
    if wait is None:
        wait = _seconds_until(headers.get("Retry-After"), now or datetime.now(UTC))
    return min(wait, MAX_SERVER_WAIT_S) if wait is not None and wait > 0 else None


def _parse_number(text: str | None, scale: float = 1.0) -> float | None:
    try:
        return float(text) * scale if text is not None else None
    except ValueError:
        return None


def parse_http_date(text: str | None) -> datetime | None:
    """Return the time that an HTTP date header names, in any of HTTP's forms or in ISO 8601; None for anything else."""
    for parse in (parsedate_to_datetime, datetime.fromisoformat):
        with suppress(ValueError, TypeError, IndexError, OverflowError):  # what the parsers raise on hostile text
            date = parse((text or "").strip())
            return date if date.tzinfo else date.replace(tzinfo=UTC)
    return None


def _seconds_until(text: str | None, now: datetime) -> float | None:
    """Return the seconds until an HTTP date."""
    date = parse_http_date(text)
    return None if date is None else date.timestamp() - now.timestamp()
