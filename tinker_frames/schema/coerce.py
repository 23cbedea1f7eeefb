"""Coerce values to the kind of their column, reporting malformed ones, and parse JSON as servers send it; pure."""

from __future__ import annotations

import json
import math
import re
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from .columns import Kind, arrow_array, arrow_type, memory_pool

if TYPE_CHECKING:
    import pyarrow as pa

MOST_EXAMPLES = 5
MOST_DEPTH = 100  # of nested JSON; Python's own parser, and every walk through a value, ends at some hundreds
INT64 = (-(2**63), 2**63 - 1)
EXACT_FLOAT = 2**53
TRUTH_WORDS = {"true": True, "1": True, "false": False, "0": False}
# The years 2000 to 2199 in Unix seconds: a number in this range is seconds, one a thousand times as large milliseconds.
EPOCH_RANGE_S = (946_684_800, 7_258_118_400)


# A text, also one without end, so that what is in it is not read as brackets; or a bracket.
_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?\Z)|[\[{\]}]', re.DOTALL)
_DECIMAL = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_SURROGATE = re.compile("[\ud800-\udfff]")


class Problems:
    """Malformed values of a listing, counted by column and problem, with the keys of the first rows concerned."""

    def __init__(self, key: str) -> None:
        self._key = key
        self._found: dict[tuple[str, str], dict[str, Any]] = {}

    def add(self, column: str, problem: str, key: str | None = None, *, count: int = 1) -> None:
        """Count a problem."""
        entry = self._found.setdefault(
            (column, problem), {"column": column, "problem": problem, "rows": 0, "examples": []}
        )
        entry["rows"] += count
        if key is not None and self._key and len(entry["examples"]) < MOST_EXAMPLES:
            entry["examples"].append(str(key)[:300])

    def as_list(self) -> list[dict[str, Any]]:
        """Return the problems as plain dicts: column, problem, rows, examples."""
        return [dict(entry) for entry in self._found.values()]


def parse_json(content: bytes | str) -> Any:
    """Parse JSON leniently, so that `encode_json` can report what is malformed.

    Invalid UTF-8 becomes lone surrogates, endless integers become floats, and what is nested too deeply becomes its JSON text.
    """
    text = content.decode("utf-8", "surrogateescape") if isinstance(content, bytes) else content
    text = text.removeprefix("\ufeff")  # a byte order mark
    pieces = _split_at_depth(text) if text.count("[") + text.count("{") > MOST_DEPTH else [text]
    deep = pieces[1::2]
    if deep:
        text = "".join(json.dumps(piece) if place % 2 else piece for place, piece in enumerate(pieces))
    value = json.loads(text, parse_int=_parse_int, parse_float=_parse_float)
    return _mark_deep(value, set(deep)) if deep else value


def _split_at_depth(text: str) -> list[str]:
    """Return JSON text in pieces, of which every other is a value that is nested too deeply."""
    pieces, depth, start = [], 0, 0
    for token in _TOKEN.finditer(text):
        opens, closes = token[0] in "[{", token[0] in "]}"
        depth += opens - closes
        if (opens and depth == MOST_DEPTH + 1) or (closes and depth == MOST_DEPTH):
            end = token.start() if opens else token.end()
            pieces.append(text[start:end])
            start = end
    if depth > MOST_DEPTH:
        raise ValueError("the JSON is truncated")
    return [*pieces, text[start:]]


def _mark_deep(value: Any, texts: set[str]) -> Any:
    """Return a value in which these texts, which stand for values that were nested too deeply, are `_DeepText`."""
    if isinstance(value, dict):
        return {key: _mark_deep(inner, texts) for key, inner in value.items()}
    if isinstance(value, list):
        return [_mark_deep(inner, texts) for inner in value]
    return _DeepText(value) if isinstance(value, str) and value in texts else value


def _has_deep(value: Any) -> bool:
    """Tell whether a value holds something that was nested too deeply."""
    if isinstance(value, (dict, list)):
        return any(map(_has_deep, value.values() if isinstance(value, dict) else value))
    return isinstance(value, _DeepText)


def parse_object(content: Any) -> dict[str, Any] | None:
    """Return the JSON object that text or bytes hold; None for anything else."""
    if not isinstance(content, (bytes, str)):
        return None
    try:
        found = parse_json(content)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def canonical_json(value: Any) -> str:
    """Return JSON text in the one form that frames hold: compact, not escaped beyond need, so that it can be searched."""
    return encode_json(value)[0]


def encode_json(value: Any) -> tuple[str, str | None]:
    """Return strictly valid JSON text, and what had to be altered for it."""
    problem = None
    try:
        text = _dump(value)
    except ValueError:  # NaN, or a number beyond every float
        text, problem = _dump(_name_numbers(value)), "a number that JSON does not have, kept as text"
    if text.count("[") + text.count("{") > MOST_DEPTH // 2 and _has_deep(value):
        problem = "nested too deeply, in part kept as text"
    clean, surrogates = replace_surrogates(text)
    return clean, problem or surrogates


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _name_numbers(value: Any) -> Any:
    """Return a value with every number that JSON does not have as the text that the server sent."""
    if isinstance(value, dict):
        return {key: _name_numbers(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_name_numbers(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        named = {math.inf: "Infinity", -math.inf: "-Infinity"}.get(value, "NaN")
        return getattr(value, "text", named)
    return value


def coerce_value(kind: Kind, value: Any) -> tuple[Any, str | None]:
    """Return the value in the form of its kind, and the problem with it, if any; None if it cannot be coerced.

    Times come back as datetimes in UTC.
    """
    if value is None:
        return None, None
    return _COERCERS[kind](value)


def parse_times(values: list[Any]) -> pa.Array:
    """Return a column of times, parsed all at once; raises where one is not RFC 3339 with a zone, or beyond the years 1 to 9999."""
    import pyarrow.compute as pc

    times = pc.cast(arrow_array("text", values), arrow_type("time"), memory_pool=memory_pool())
    pc.min_max(times).as_py()  # Python's own datetimes end there, and other readers with them
    return times


def _coerce_text(value: Any) -> tuple[Any, str | None]:
    if isinstance(value, str):
        return replace_surrogates(value)
    return encode_json(value)[0], "not a text"


def _coerce_int(value: Any) -> tuple[Any, str | None]:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None, "not a whole number"
    if isinstance(value, str):
        digits = re.fullmatch(r"\s*(-?[0-9]{1,18})\s*", value)
        return (int(digits[1]), "a number sent as text") if digits else (None, "not a whole number")
    if isinstance(value, float):
        if not math.isfinite(value) or value != int(value) or abs(value) > EXACT_FLOAT:
            return None, "not a whole number"
        return int(value), "a whole number sent as a float"
    return (value, None) if INT64[0] <= value <= INT64[1] else (None, "beyond 64 bits")


def _coerce_float(value: Any) -> tuple[Any, str | None]:
    if isinstance(value, str) and _DECIMAL.fullmatch(value.strip()):
        number, problem = _coerce_float(float(value))
        return number, problem or "a number sent as text"
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None, "not a number"
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    return (number, None) if math.isfinite(number) else (None, "not a finite number")


def _coerce_bool(value: Any) -> tuple[Any, str | None]:
    if isinstance(value, bool):
        return value, None
    if isinstance(value, (int, float)) and value in (0, 1):
        return bool(value), "a truth value sent as a number"
    if isinstance(value, str) and (word := value.strip().lower()) in TRUTH_WORDS:
        return TRUTH_WORDS[word], "a truth value sent as text"
    return None, "neither true nor false"


def _coerce_time(value: Any) -> tuple[Any, str | None]:
    if isinstance(value, datetime):
        return value, None
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return _read_epoch(value, "Unix time")
    return _parse_time(value) if isinstance(value, str) else (None, "not a time")


def _parse_time(value: str) -> tuple[Any, str | None]:
    """Return the time of a text in any form that is known."""
    text = value.strip().upper()  # RFC 3339 takes `t` and `z` as well, Python does not
    if re.fullmatch(r"[0-9]{9,14}(\.[0-9]+)?", text):
        return _read_epoch(float(text), "Unix time as text")
    try:
        when = datetime.fromisoformat(text)
        if when.tzinfo is None:
            return when.replace(tzinfo=UTC), "a time without zone, taken as UTC"
        return when.astimezone(UTC), None
    except (ValueError, OverflowError):
        return _read_http_date(value)


def _read_epoch(value: float, form: str) -> tuple[Any, str | None]:
    """Return the time of a number of seconds or milliseconds since 1970, if it is clear which."""
    low, high = EPOCH_RANGE_S
    for unit, per_second in (("seconds", 1), ("milliseconds", 1000)):
        if low * per_second <= value < high * per_second:
            return datetime.fromtimestamp(value / per_second, UTC), f"{form}, in {unit}"
    return None, "not a time"


def _read_http_date(text: str) -> tuple[Any, str | None]:
    """Return the time of an HTTP date, e.g. `Sun, 20 Dec 2026 00:00:00 GMT`."""
    with suppress(ValueError, TypeError, IndexError, OverflowError):
        when = parsedate_to_datetime(text)
        if when.tzinfo is not None:
            return when.astimezone(UTC), "an HTTP date"
    return None, "not a time"


def _coerce_json(value: Any) -> tuple[Any, str | None]:
    text, problem = encode_json(value)
    return text, problem if isinstance(value, dict) else "not an object"


def _coerce_texts(value: Any) -> tuple[Any, str | None]:
    if not isinstance(value, list):
        return None, "not a list"
    texts = [replace_surrogates(item) for item in value if isinstance(item, str)]
    problem = next((problem for _, problem in texts if problem), None)
    return [text for text, _ in texts], problem if len(texts) == len(value) else "a list with something other than text"


def replace_surrogates(text: str) -> tuple[str, str | None]:
    """Return text without lone surrogates, which no file format takes, and what was wrong with it.

    Each becomes U+FFFD and its number, so that different names stay different; `paths` refuses to act on them.
    """
    clean = _SURROGATE.sub(lambda found: f"\ufffd{ord(found[0]):04x}", text)
    return clean, None if clean == text else "not valid Unicode"


class _DeepText(str):
    """The JSON text of a value that was nested too deeply."""

    __slots__ = ()


class _Unbounded(float):
    """A number beyond every float, and the text that it was sent as."""

    text = ""


def _parse_int(digits: str) -> int | float:
    """Return an integer, or an infinite float if it has more digits than Python parses."""
    try:
        return int(digits)
    except ValueError:
        return _parse_float(digits)


def _parse_float(digits: str) -> float:
    number = float(digits)
    if math.isfinite(number):
        return number
    number = _Unbounded(number)
    number.text = digits
    return number


_COERCERS = {
    "text": _coerce_text,
    "category": _coerce_text,
    "int": _coerce_int,
    "float": _coerce_float,
    "bool": _coerce_bool,
    "time": _coerce_time,
    "json": _coerce_json,
    "texts": _coerce_texts,
}
