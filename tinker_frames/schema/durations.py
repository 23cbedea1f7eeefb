"""Durations as people write them ("30d", "2 weeks", seconds, timedeltas), and the range that the service takes as a TTL; pure."""

from __future__ import annotations

import math
import re
from datetime import timedelta
from numbers import Integral, Real

from ..errors import InvalidRequestError

# The names of each unit in seconds; those of two letters or more may end in s.
_NAMES = {
    1: ("s", "sec", "second"),
    60: ("m", "min", "minute"),
    3600: ("h", "hr", "hour"),
    86_400: ("d", "day"),
    604_800: ("w", "wk", "week"),
    30 * 86_400: ("mo", "month"),
    365 * 86_400: ("y", "yr", "year"),
}
_UNITS = {
    name: size for size, names in _NAMES.items() for name in (*names, *(f"{name}s" for name in names if len(name) > 1))
}
DURATION_FORMS = "30d, 12h, 90m, 2 weeks, 3 months (30 days each) or 1y (365 days)"
# Minutes to some and months to others; a plan must not take one for the other.
_AMBIGUOUS = re.compile(r"\d\s*M(?![A-Za-z])")

TTL_RANGE_S = (3600, 315_360_000)

Duration = str | float | timedelta


def parse_duration(duration: Duration) -> int:
    """Return a duration in whole seconds.

    Text is a number and a unit, or several: `s`, `m`, `h`, `d`, `w`, `mo`, `y`, or their words, in small letters or capitals, with
    or without blanks. A month is 30 days, a year 365.

    Raises
    ------
    InvalidRequestError
        For anything that is not a duration; also for a capital `M`, which could be minutes or months.

    Examples
    --------
    >>> parse_duration("30d"), parse_duration("1.5h"), parse_duration("1d12h"), parse_duration("2 Weeks")
    (2592000, 5400, 129600, 1209600)
    """
    if isinstance(duration, timedelta):
        return round(duration.total_seconds())
    found = _to_seconds(duration)
    if math.isfinite(found):
        return round(found)
    raise InvalidRequestError(
        f"{duration!r} is not a duration{explain_ambiguity(duration)}",
        hint=f"Use e.g. {DURATION_FORMS}, a number of seconds, or a timedelta.",
    )


def explain_ambiguity(duration: object) -> str:
    """Return why a text with a capital `M` is no duration, to stand behind it; empty for anything else."""
    is_ambiguous = isinstance(duration, str) and _AMBIGUOUS.search(duration)
    return ": M could be minutes (m) or months (mo)" if is_ambiguous else ""


def parse_ttl(duration: Duration) -> int:
    """Return a duration in seconds that the service accepts as a TTL.

    Raises
    ------
    InvalidRequestError
        For anything that is not a duration, or a TTL out of range.
    """
    ttl_seconds = parse_duration(duration)
    if not TTL_RANGE_S[0] <= ttl_seconds <= TTL_RANGE_S[1]:
        given = f"{duration} s" if isinstance(duration, Real) else repr(duration)
        raise InvalidRequestError(
            f"{given} is out of the range of TTLs, an hour to ten years", hint="Use e.g. 24h or 30d."
        )
    return ttl_seconds


def check_ttl(ttl_seconds: int) -> int:
    """Return a TTL in seconds as Python's own number; refuse one that the service does not accept, before it is sent."""
    low, high = TTL_RANGE_S
    if isinstance(ttl_seconds, bool) or not isinstance(ttl_seconds, Integral) or not low <= ttl_seconds <= high:
        raise InvalidRequestError(
            f"ttl_seconds={ttl_seconds!r} is not a whole number from {low} (an hour) to {high} (ten years)",
            hint="Pass seconds in that range, or None to remove the expiry.",
        )
    return int(ttl_seconds)


def format_duration(seconds: float) -> str:
    """Format seconds in the largest unit that fits."""
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:g} {unit}" if seconds % size == 0 else f"{seconds / size:.1f} {unit}"
    return f"{seconds:g} s"


def _to_seconds(duration: Duration) -> float:
    """Return seconds as a number; infinite for what is not a duration, or too large to be one."""
    if isinstance(duration, Real) and not isinstance(duration, bool):  # numpy's numbers too
        return duration if isinstance(duration, int) and abs(duration) < 2**62 else _float(duration)
    text = "".join(str(duration).split()).lower()
    parts = re.findall(r"(\d+(?:\.\d+)?)([a-z]+)", text)
    is_whole = "".join(number + unit for number, unit in parts) == text and all(unit in _UNITS for _, unit in parts)
    if not parts or not is_whole or _AMBIGUOUS.search(str(duration)):
        return math.inf
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def _float(number: Real) -> float:
    try:
        return float(number)
    except OverflowError:
        return math.inf
