"""One value at a time: make it fit its column's kind, or say why it cannot; pure."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

    from .schema import Kind

MOST_EXAMPLES = 5
INT64 = (-(2**63), 2**63 - 1)
EXACT_FLOAT = 2**53


class Problems:
    """What was odd in a listing: counted by column and kind of oddity, with the keys of the first rows concerned."""

    def __init__(self, key: str) -> None:
        self._key = key
        self._found: dict[tuple[str, str], dict[str, Any]] = {}

    def add(self, column: str, problem: str, key: str | None = None, *, count: int = 1) -> None:
        """Count an oddity."""
        entry = self._found.setdefault(
            (column, problem), {"column": column, "problem": problem, "rows": 0, "examples": []}
        )
        entry["rows"] += count
        if key is not None and len(entry["examples"]) < MOST_EXAMPLES:
            entry["examples"].append(str(key)[:300])

    def as_list(self) -> list[dict[str, Any]]:
        """Return them as plain dicts: column, problem, rows, examples."""
        return [dict(entry) for entry in self._found.values()]


def canonical(value: Any) -> str:
    """Return JSON text in the one form that frames hold: compact, not escaped beyond need, so that it can be searched."""
    return _sound(json.dumps(value, ensure_ascii=False, separators=(",", ":")))


def mend(kind: Kind, value: Any) -> tuple[Any, str | None]:
    """Return the value as its kind wants it, and what was wrong with it; (None, …) where nothing can be saved.

    Times come back as datetimes in UTC.
    """
    if value is None:
        return None, None
    return _MENDERS[kind](value)


def quick_times(values: list[Any]) -> pa.Array:
    """Build a column of times at once; raises where one is not RFC 3339 with a zone."""
    import pyarrow as pa

    return pa.array(values, pa.large_string()).cast(pa.timestamp("us", "UTC"))


def _text(value: Any) -> tuple[Any, str | None]:
    if isinstance(value, str):
        sound = _sound(value)
        return sound, None if sound == value else "not valid Unicode"
    return canonical(value), "not a text"


def _int(value: Any) -> tuple[Any, str | None]:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None, "not a whole number"
    if isinstance(value, str):
        text = value.strip()
        return (
            (int(text), "a number sent as text")
            if text.isascii() and text.lstrip("-").isdigit() and len(text) < 19
            else (None, "not a whole number")
        )
    if isinstance(value, float):
        if not math.isfinite(value) or value != int(value) or abs(value) > EXACT_FLOAT:
            return None, "not a whole number"
        return int(value), "a whole number sent as a float"
    return (value, None) if INT64[0] <= value <= INT64[1] else (None, "beyond 64 bits")


def _float(value: Any) -> tuple[Any, str | None]:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None, "not a number"
    return float(value), None


def _bool(value: Any) -> tuple[Any, str | None]:
    return (value, None) if isinstance(value, bool) else (None, "neither true nor false")


def _time(value: Any) -> tuple[Any, str | None]:
    if isinstance(value, datetime):
        return value, None
    if not isinstance(value, str) or not value.strip():
        return None, "not a time"
    try:
        when = datetime.fromisoformat(value.strip())
        if when.tzinfo is None:
            return when.replace(tzinfo=UTC), "a time without zone, taken as UTC"
        return when.astimezone(UTC), None
    except (ValueError, OverflowError):
        return None, "not a time"


def _json(value: Any) -> tuple[Any, str | None]:
    return canonical(value), None if isinstance(value, dict) else "not an object"


def _texts(value: Any) -> tuple[Any, str | None]:
    if not isinstance(value, list):
        return None, "not a list"
    texts = [_sound(item) for item in value if isinstance(item, str)]
    return texts, None if len(texts) == len(value) else "a list with something other than text"


def _sound(text: str) -> str:
    """Return text without lone surrogates, which no file format takes."""
    return text.encode("utf-8", "replace").decode("utf-8")


_MENDERS = {
    "text": _text,
    "category": _text,
    "int": _int,
    "float": _float,
    "bool": _bool,
    "time": _time,
    "json": _json,
    "texts": _texts,
}
