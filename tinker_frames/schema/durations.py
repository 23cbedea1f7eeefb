"""Lengths of time as people write them: "30d", "12h", seconds, timedeltas; pure."""

from __future__ import annotations

import math
import re
from datetime import timedelta
from numbers import Real

from ..errors import InvalidRequestError

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}

Duration = str | float | timedelta


def seconds(length: Duration) -> int:
    """Return a length of time in whole seconds.

    Raises
    ------
    InvalidRequestError
        For what is no length of time.

    Examples
    --------
    >>> seconds("30d"), seconds("1.5h"), seconds("1d12h")
    (2592000, 5400, 129600)
    """
    if isinstance(length, timedelta):
        return round(length.total_seconds())
    found = _number(length)
    if math.isfinite(found):
        return round(found)
    raise InvalidRequestError(
        f"{length!r} is no length of time", hint='Write e.g. "30d", "12h", "45m", seconds as a number, or a timedelta.'
    )


def _number(length: Duration) -> float:
    """Return seconds as a number; infinite for what is none, or too large to be one."""
    if isinstance(length, Real) and not isinstance(length, bool):  # numpy's numbers too
        return length if isinstance(length, int) and abs(length) < 2**62 else _float(length)
    text = str(length).replace(" ", "").lower()
    parts = re.findall(r"(\d+(?:\.\d+)?)([smhdw])", text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        return math.inf
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def _float(number: Real) -> float:
    try:
        return float(number)
    except OverflowError:
        return math.inf


def shown(length_s: float) -> str:
    """Return seconds as people say them: the largest fitting unit."""
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if length_s >= size:
            return f"{length_s / size:g} {unit}" if length_s % size == 0 else f"{length_s / size:.1f} {unit}"
    return f"{length_s:g} s"
