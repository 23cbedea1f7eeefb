"""When to send a request again, and how long to wait before; pure.

What a status means for a repeat depends on the operation, not on the method alone: each call names its `Rule`.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

LONGEST_SERVER_WAIT_S = 60.0
RATE_LIMIT_PATIENCE = 4
_jitter = random.Random()  # noqa: S311  # spreads load, protects nothing; the caller's own random numbers stay as they were seeded


@dataclass(frozen=True)
class Rule:
    """Which outcomes may be repeated."""

    statuses: frozenset[int]
    server_errors: bool  # any 5xx
    lost: bool  # sent, but no complete answer came: the server may have acted


# Every GET, and the reads that are POSTs.
READ = Rule(frozenset({408, 409, 425, 429}), server_errors=True, lost=True)
# Writes with the same end state however often they arrive: set TTL.
REPEATABLE = Rule(frozenset({408, 429}), server_errors=True, lost=True)
# Writes whose unclear outcome only a read can settle: only what surely was not done is repeated.
ONCE = Rule(frozenset({429}), server_errors=False, lost=False)
# Polls that the caller paces itself.
NEVER = Rule(frozenset(), server_errors=False, lost=False)


class Tries:
    """Counts the attempts of one request and says how long to wait before the next, or that there is none.

    A 429 that names its wait is the server at work, not a failure: `RATE_LIMIT_PATIENCE` times as many are allowed.
    """

    def __init__(self, retries: int) -> None:
        self._retries = retries
        self._failed = 0
        self._limited = 0

    def wait_after(self, rule: Rule, status: int, headers: Mapping[str, str]) -> float | None:
        """Return the seconds to wait after an answer that is no success; None to give up."""
        if not may_repeat(rule, status, headers):
            return None
        told = server_wait_s(headers)
        if status == 429 and told is not None:
            self._limited += 1
            return told if self._limited <= self._retries * RATE_LIMIT_PATIENCE else None
        return self._next(told)

    def wait_after_loss(self, rule: Rule, *, unsent: bool) -> float | None:
        """Return the seconds to wait after no answer; a request that surely did not arrive may always be repeated."""
        return self._next(None) if rule is not NEVER and (unsent or rule.lost) else None

    def _next(self, told: float | None) -> float | None:
        self._failed += 1
        if self._failed > self._retries:
            return None
        return backoff_s(self._failed - 1) if told is None else told


def looks_complete(content: bytes) -> bool:
    """Tell whether a body can be a whole JSON object or list: the cheap half of parsing it."""
    return content.rstrip()[-1:] in (b"}", b"]")


def may_repeat(rule: Rule, status: int, headers: Mapping[str, str]) -> bool:
    """Tell whether an answer allows sending the same request again."""
    said = headers.get("x-should-retry", "").lower()
    if rule is READ and said in ("true", "false"):
        return said == "true"
    if status == 400 and headers.get("Content-Length") == "0" and rule is not NEVER:
        return True  # a gateway refused it before the service saw it
    return status in rule.statuses or (status >= 500 and rule.server_errors)


def backoff_s(attempt: int) -> float:
    """Return the wait after failed attempt number `attempt` (from 0): exponential, at most 10 s, with jitter."""
    return min(0.5 * 2.0**attempt, 10.0) * _jitter.uniform(0.75, 1.0)


def server_wait_s(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Return the seconds a server asks for: `retry-after-ms`, or `Retry-After` in (fractions of) seconds or as a date.

    None where it says nothing, nonsense, nothing above 0, or more than a minute.
    """
    wait = _number(headers.get("retry-after-ms"), scale=0.001)
    if wait is None:
        wait = _number(headers.get("Retry-After"))
    if wait is None:
        wait = _until(headers.get("Retry-After"), now or datetime.now(UTC))
    return wait if wait is not None and 0 < wait <= LONGEST_SERVER_WAIT_S else None


def _number(text: str | None, scale: float = 1.0) -> float | None:
    try:
        return float(text) * scale if text is not None else None
    except ValueError:
        return None


def http_date(text: str | None) -> datetime | None:
    """Return the time that an HTTP date header names; None for anything else."""
    try:
        date = parsedate_to_datetime(text) if text else None
    except (ValueError, TypeError, IndexError, OverflowError):  # what the parser raises on hostile text
        return None
    return date.replace(tzinfo=UTC) if date and not date.tzinfo else date


def _until(text: str | None, now: datetime) -> float | None:
    """Return the seconds until an HTTP date."""
    date = http_date(text)
    return None if date is None else date.timestamp() - now.timestamp()
