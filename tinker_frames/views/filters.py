"""Filter values of a view: their normal form, and the pandas expression of each; pure."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from numbers import Integral
from typing import Any

from ..errors import InvalidRequestError
from ..frames.humanize import shorten_ids
from ..schema.coerce import EXACT_FLOAT, INT64, canonical_json
from .controls import Control
from .messages import FilterKind

PLAIN = frozenset(" _-./:,+=()[]{}<>*^$|?!&%~;")  # not escaped in a literal, like letters and digits

# The form of a value, as in "Use …".
FORMS: dict[FilterKind, str] = {
    "text": "text",
    "options": "one of the options or a list of them, None for unknown values",
    "time": '{"older_than": 30} or {"newer_than": 7} in days, {"after": "2026-01-31", "before": "2026-02-28"}, or several of these',
    "expiry": '{"within": 7} in days, {"ever": True}, {"never": True}, {"after": "2026-01-31"}, or several of these',
    "number": "[1, 10] for a range, with None for an open end",
    "metadata": '{"key": "step"}, or {"key": "step", "value": "100"}',
    "query": "a pandas query as text",
}

FLAGS = ("bool", "bool_")  # the types of True and False, numpy's too


def clean_value(control: Control, value: Any) -> Any:
    """Return a value in its normal form, in which it is stored, sent and compared; None for one that filters nothing.

    Raises
    ------
    InvalidRequestError
        If the filter does not take such a value.
    """
    return None if value is None else _explain_errors(control, value, lambda: _PLAIN[control.kind](control, value))


def build_expression(control: Control, value: Any, now: datetime | None = None) -> str:
    """Return the pandas expression of a filter's value; empty for a value that filters nothing.

    Raises
    ------
    InvalidRequestError
        If the filter does not take such a value.
    """
    found = clean_value(control, value)
    at = now or datetime.now(UTC)
    return (
        "" if found is None else _explain_errors(control, value, lambda: _EXPRESSIONS[control.kind](control, found, at))
    )


def _explain_errors(control: Control, value: Any, made: Callable[[], Any]) -> Any:
    try:
        return made()
    except (TypeError, ValueError, AttributeError, KeyError, OverflowError) as error:
        problem = str(error)
    raise InvalidRequestError(
        f"{value!r} is not a value of the filter {control.label!r}: {problem}", hint=f"Use {FORMS[control.kind]}."
    )


def join_expressions(expressions: list[str]) -> str:
    """Return the conjunction of several expressions."""
    parts = [part for part in expressions if part]
    return parts[0] if len(parts) == 1 else " and ".join(map(_bound, parts))


def option_label(control: Control, option: Any) -> str:
    """Return the label of an option."""
    if option is None:
        return "not known"
    if isinstance(option, bool):
        return {"public": ("private", "public")}.get(control.columns[0], ("no", "yes"))[option]
    return shorten_ids(option) if option.strip() else f'"{option}"'


def describe_value(control: Control, value: Any, label: Callable[[Control, Any], str] = option_label) -> str:
    """Return a short description of a value in normal form; `label` names an option."""
    if control.kind == "options":
        names = [label(control, option) for option in value]
        return ", ".join(names[:2]) + (f" and {len(names) - 2} more" if len(names) > 2 else "")
    if control.kind in ("time", "expiry"):
        return next((label for label, quick in control.quick if quick == value), "") or _describe_time(value)
    if control.kind == "number":
        ends = [f"{sign} {_format_number(end)}" for sign, end in zip("≥≤", value, strict=True) if end is not None]
        return f"{' and '.join(ends)} {control.unit}".strip()
    if control.kind == "metadata":
        return f"{value['key']} = {value['value']}" if value["value"] else f"has {value['key']}"
    return str(value)


def literal(text: str) -> str:
    """Return text as a literal, escaped so that neither pandas nor the check of queries misreads it."""
    return "'" + "".join(c if c.isalnum() or c in PLAIN else _escape(c) for c in text) + "'"


def _escape(character: str) -> str:
    code = ord(character)
    if character == "\\":
        return "\\\\"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _bound(part: str) -> str:
    """Return an expression as an operand of `and`, in parentheses if it needs them."""
    bare = re.sub(r"'(?:[^'\\]|\\.)*'", "", part)
    simple = not re.search(r"\b(?:or|if|lambda)\b|[|&\"]", bare) and "#" not in bare
    return part if simple else f"({part})"


def _text(control: Control, value: str, _: datetime) -> str:
    """Return the condition that every word occurs in one of the columns, ignoring case."""
    known = ", na=False" if control.loose else ""
    found = [
        " or ".join(f"{name}.str.contains({literal(word)}, case=False{known}, regex=False)" for name in control.columns)
        for word in value.split()
    ]
    return join_expressions(found)


def _options(control: Control, value: list[Any], _: datetime) -> str:
    column, wanted = control.columns[0], [option for option in value if option is not None]
    parts = []
    if wanted and all(isinstance(option, bool) for option in wanted):
        flags = ("not {}", "{}") if not control.loose else ("{} == False", "{} == True")
        parts = [flags[option].format(column) for option in sorted(wanted, reverse=True)]
    elif len(wanted) == 1:
        parts = [f"{column} == {literal(str(wanted[0]))}"]
    elif wanted:
        parts = [f"{column} in [{', '.join(literal(str(option)) for option in wanted)}]"]
    return " or ".join(parts + ([f"{column}.isna()"] if None in value else []))


def _time(control: Control, value: dict[str, Any], now: datetime) -> str:
    column, parts = control.columns[0], []
    for name, sign, opposite in (("older_than", ">", "<"), ("newer_than", "<=", ">=")):
        if (days := value.get(name)) is not None:
            at = _stamp(now - timedelta(days=days), control)
            parts.append(f"{control.age} {sign} {_format_number(days)}" if control.age else f"{column} {opposite} {at}")
    return join_expressions([*parts, *_between(control, value)])


def _expiry(control: Control, value: dict[str, Any], now: datetime) -> str:
    column, parts = control.columns[0], _between(control, value)
    if (days := value.get("within")) is not None:
        at = _stamp(now + timedelta(days=days), control)
        parts.append(f"{control.age} <= {_format_number(days)}" if control.age else f"{column} <= {at}")
    if value.get("ever"):
        parts.append(f"{column}.notna()")
    dated = join_expressions(parts)
    never = f"{column}.isna()" if value.get("never") else ""
    if never and control.unknown:
        never = f"({never} and not {control.unknown})"
    return " or ".join(filter(None, (_bound(dated), never)))


def _between(control: Control, value: dict[str, Any]) -> list[str]:
    """Return the conditions that a column lies between two days, or hours of a day, inclusive (UTC)."""
    column, zone, parts = control.columns[0], control.zone, []
    if "after" in value:
        parts.append(f"{column} >= '{_hour(value['after'])}{zone}'")
    if "before" in value:
        length = timedelta(hours=1) if "T" in value["before"] else timedelta(days=1)
        parts.append(f"{column} < '{_hour(value['before'], length)}{zone}'")
    return parts


def _hour(text: str, later: timedelta = timedelta(0)) -> str:
    return (datetime.fromisoformat(text) + later).isoformat(timespec="hours")


def _stamp(at: datetime, control: Control) -> str:
    return f"'{at:%Y-%m-%dT%H:%M:%S}{control.zone}'"


def _range(control: Control, value: list[float | None], _: datetime) -> str:
    ends = zip((">=", "<="), value, strict=True)
    return join_expressions(
        [f"{control.columns[0]} {sign} {_format_number(end)}" for sign, end in ends if end is not None]
    )


def _metadata(control: Control, value: dict[str, str], _: datetime) -> str:
    """Return the condition that a top-level key of the JSON text has a value, or exists."""
    pattern = _before_key(control.depth) + re.escape(canonical_json(value["key"])) + ":"
    if value["value"]:
        forms = [canonical_json(value["value"]), *_json_of(value["value"])]
        pattern += f"(?:{'|'.join(map(re.escape, forms))})[,}}]"
    known = ", na=False" if control.loose else ""
    return " or ".join(f"{name}.str.contains({literal(pattern)}{known})" for name in control.columns)


def _before_key(depth: int) -> str:
    """Return the pattern of the JSON text before a top-level key, for values that nest no deeper than `depth`."""
    flat = found = r'"(?:[^"\\]|\\.)*"|[^"{}\[\]]'
    for _ in range(depth):
        found = rf"{flat}|[{{\[](?:{found})*[}}\]]"
    return rf"^\{{(?:(?:{found})*,)?"


def _json_of(text: str) -> list[str]:
    """Return the text unchanged if it is the JSON of a value other than text."""
    with suppress(ValueError, RecursionError):
        found = json.loads(text)
        return [text] if not isinstance(found, str) and canonical_json(found) == text else []
    return []


def _query(_: Control, value: str, __: datetime) -> str:
    return value.strip()


_EXPRESSIONS: dict[FilterKind, Callable[[Control, Any, datetime], str]] = {
    "text": _text,
    "options": _options,
    "time": _time,
    "expiry": _expiry,
    "number": _range,
    "metadata": _metadata,
    "query": _query,
}


# ── normal form ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _plain_text(_: Control, value: Any) -> str | None:
    if not isinstance(value, str):
        raise TypeError("it is not text")
    return value if value.strip() else None


def _plain_options(_: Control, value: Any) -> list[Any] | None:
    is_one = isinstance(value, str) or type(value).__name__ in FLAGS
    found = [bool(option) if type(option).__name__ in FLAGS else option for option in ([value] if is_one else value)]
    if not all(option is None or isinstance(option, (str, bool)) for option in found):
        raise TypeError("options are text, True, False, or None for unknown values")
    return list(dict.fromkeys(found)) or None


def _plain_time(control: Control, value: Any) -> dict[str, Any] | None:
    days, flags = (("within",), ("ever", "never")) if control.kind == "expiry" else (("older_than", "newer_than"), ())
    _refuse_others(value, (*days, "after", "before", *flags))
    found: dict[str, Any] = {name: _number(value[name]) for name in value if name in days}
    found |= {name: _plain_day(value[name]) for name in ("after", "before") if value.get(name)}
    found |= {name: True for name in flags if value.get(name)}
    return {name: kept for name, kept in found.items() if kept is not None} or None


def _plain_day(value: Any) -> str:
    """Return a day, or an hour of a day, as text."""
    text = str(value)
    found = datetime.strptime(text, "%Y-%m-%dT%H") if "T" in text else date.fromisoformat(text)  # noqa: DTZ007  # UTC
    return found.isoformat()[:13]


def _plain_range(_: Control, value: Any) -> list[float | None] | None:
    low, high = map(_number, value)
    return None if low is None and high is None else [low, high]


def _plain_metadata(_: Control, value: Any) -> dict[str, str] | None:
    _refuse_others(value, ("key", "value"))
    key, wanted = value.get("key") or "", value.get("value")
    if not isinstance(key, str):
        raise TypeError("the key is not text")
    wanted = "" if wanted is None else wanted if isinstance(wanted, str) else canonical_json(wanted)
    return {"key": key, "value": wanted} if key else None


def _refuse_others(value: dict[str, Any], known: tuple[str, ...]) -> None:
    unknown = [name for name in value if name not in known]
    if unknown:
        raise ValueError(f"{unknown[0]!r} is not one of {', '.join(known)}")


_PLAIN: dict[FilterKind, Callable[[Control, Any], Any]] = {
    "text": _plain_text,
    "options": _plain_options,
    "time": _plain_time,
    "expiry": _plain_time,
    "number": _plain_range,
    "metadata": _plain_metadata,
    "query": _plain_text,
}


def _number(value: Any) -> float | None:
    """Return a number; integers stay integers, since a float cannot hold 64 bits."""
    if value is None or value == "":
        return None
    with suppress(ValueError):
        if isinstance(value, (str, Integral)):
            return int(value)
    found = float(value)
    if not math.isfinite(found):
        raise ValueError("not a number")
    return found


def _format_number(number: float) -> str:
    """Return the shortest exact text of a number."""
    low, high = INT64 if isinstance(number, int) else (-EXACT_FLOAT, EXACT_FLOAT)
    return str(int(number)) if number == int(number) and low <= number <= high else repr(float(number))


def _describe_time(value: dict[str, Any]) -> str:
    words = {"older_than": "older than {} d", "newer_than": "last {} d", "within": "within {} d"}
    parts = [text.format(_format_number(value[name])) for name, text in words.items() if value.get(name) is not None]
    ends = {
        name: value[name].replace("T", " ") + (minutes if "T" in value[name] else "")
        for name, minutes in (("after", ":00"), ("before", ":59"))
        if value.get(name)
    }
    parts += [f"{'from' if name == 'after' else 'to'} {text}" for name, text in ends.items()]
    return ", ".join(
        parts + [{"ever": "has one", "never": "never"}[name] for name in ("ever", "never") if value.get(name)]
    )
