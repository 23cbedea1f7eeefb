"""Rows with difficult values, as plain values and as frames, and a reference implementation of each filter."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
from hypothesis import strategies as st

from tinker_frames.schema.catalog import CHECKPOINT_TYPES
from tinker_frames.schema.columns import pandas_array
from tinker_frames.views.table import TableState

NOW = datetime(2026, 6, 15, 12, 0, tzinfo=UTC)
KINDS = {
    "tinker_path": "text", "base_model": "text", "project_id": "text", "public": "bool",
    "time": "time", "expires_at": "time", "size_gb": "float", "size_bytes": "int", "step": "int", "user_metadata": "json",
}  # fmt: skip
# Quotes, comments, escapes, regular expressions, JSON, control characters, bidi marks, accents: anything that could break a query.
HOSTILE = "'\"`#@\\\n\r\t\x00\x1b\u202e\u200f\u200b\u2028 .*+?^$|()[]{},:;&%!~-=<>/_é日😀aB1"
WORDS = (
    "",
    "nan",
    "None",
    "True",
    "and",
    "or 1 == 1",
    "'; drop",
    "a b",
    "it's",
    'say "hi"',
    "x,y",
    "@pd",
    "#",
    "é",
    "日本",
    "\\",
    "\\n",
)
KEYS = ("step", ",", ":", "},", '"', "a b", "é", "it's", "\\", "k")
INTS = (0, -1, 7, 2**53, 2**53 + 1, 2**63 - 1, -(2**63))

texts = st.one_of(st.sampled_from(WORDS), st.text(HOSTILE, max_size=6))
plain_json = st.one_of(
    texts, st.integers(-20, 20), st.booleans(), st.none(), st.sampled_from(["12", "1.5", "null", "true", "{}", "[1]"])
)
nested_json = st.recursive(
    plain_json,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=2),
    max_leaves=4,
)
objects = st.dictionaries(st.sampled_from(KEYS), nested_json, max_size=3)
# Whole hours from now, so that the float of an age equals the number in a filter.
times = st.integers(-24 * 400, 24 * 400).map(lambda hours: NOW + timedelta(hours=hours))


def with_none(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Return the values, and None for an unknown one."""
    return st.none() | values


def to_json_text(value: Any) -> str:
    """Return JSON text in the form used in frames."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


rows = st.fixed_dictionaries(
    {
        "tinker_path": with_none(texts),
        "base_model": with_none(st.sampled_from(WORDS)),
        "project_id": with_none(st.sampled_from(WORDS[:4])),
        "checkpoint_type": with_none(st.sampled_from(CHECKPOINT_TYPES)),
        "public": with_none(st.booleans()),
        "time": with_none(times),
        "expires_at": with_none(times),
        "size_gb": with_none(st.sampled_from([0.0, 0.1, 0.3, 1.5, 1e-9, 1e9, -2.0])),
        "size_bytes": with_none(st.sampled_from(INTS)),
        "step": with_none(st.sampled_from(INTS)),
        "user_metadata": with_none(objects.map(to_json_text)),
    }
)
tables = st.lists(rows, max_size=7)


def frame_of(table: list[dict[str, Any]], *, ages: bool = True, kind: str = "listed") -> pd.DataFrame:
    """Return rows as a frame with the dtypes of a listing, as plain objects, or with naive times."""
    columns = {name: pandas_array(of, [row[name] for row in table]) for name, of in KINDS.items()}
    frame = pd.DataFrame(columns, index=pd.RangeIndex(len(table)))
    frame["checkpoint_type"] = pd.Categorical([row["checkpoint_type"] for row in table], list(CHECKPOINT_TYPES))
    if ages:
        frame["age_days"] = -_days(frame["time"])
        frame["expires_in_days"] = _days(frame["expires_at"])
    if kind == "objects":
        for name in ("tinker_path", "base_model", "project_id", "public", "user_metadata"):
            frame[name] = pd.Series([row[name] for row in table], dtype="object")
        return frame
    if kind == "without zone":
        return frame.assign(**{name: frame[name].dt.tz_localize(None) for name in ("time", "expires_at")})
    return frame


def _days(values: pd.Series[Any]) -> pd.Series[Any]:
    return (values - NOW).dt.total_seconds() / 86_400


# ── filters and their meaning ─────────────────────────────────────────────────────────────────────────────

days = st.sampled_from([0, 0.5, 1, 7, 30, 400])
dates = st.integers(-400, 400).map(lambda day: f"{NOW + timedelta(days=day):%Y-%m-%d}")
ages = st.fixed_dictionaries({}, optional={"older_than": days, "newer_than": days, "after": dates, "before": dates})
expiries = st.fixed_dictionaries(
    {}, optional={"within": days, "after": dates, "before": dates, "ever": st.just(True), "never": st.just(True)}
)
ends = with_none(st.sampled_from([0, 0.1, 1.5, 7, 2**53 + 1, 2**63 - 1, -(2**63), 1e300]))
FILTERS = {
    "text": texts,
    "model": st.lists(with_none(st.sampled_from(WORDS)), max_size=3),
    "project": st.lists(with_none(st.sampled_from(WORDS[:4])), max_size=3),
    "type": st.lists(with_none(st.sampled_from(["training", "sampler", "external", "other"])), max_size=3),
    "public": st.lists(with_none(st.booleans()), max_size=3),
    "created": ages,
    "expires": expiries,
    "size": st.tuples(ends, ends).map(list),
    "step": st.tuples(ends, ends).map(list),
    "metadata": st.fixed_dictionaries(
        {"key": st.sampled_from(KEYS), "value": st.one_of(texts, plain_json.map(to_json_text))}
    ),
}
settings_of_filters = st.fixed_dictionaries({}, optional=FILTERS)
ROW_COLUMNS = [*KINDS, "checkpoint_type"]
COLUMN_OF = {"model": "base_model", "project": "project_id", "type": "checkpoint_type", "public": "public", "created": "time", "expires": "expires_at", "size": "size_gb", "step": "step"}  # fmt: skip


def matches(name: str, value: Any, row: dict[str, Any]) -> bool:
    """Return whether a row matches a filter's value; an empty value matches all rows."""
    if name == "text":
        found = [(row[column] or "").lower() for column in ("tinker_path", "user_metadata")]
        return all(any(word.lower() in text for text in found) for word in value.split())
    if name == "metadata":
        return _has(row["user_metadata"], value["key"], value["value"])
    known = row[COLUMN_OF[name]]
    if name in ("created", "expires"):
        return _is_within(known, value, NOW)
    if name in ("size", "step"):
        low, high = value
        return (low is None and high is None) or (
            known is not None and (low is None or known >= low) and (high is None or known <= high)
        )
    return not value or known in value


def _has(text: str | None, key: str, wanted: str) -> bool:
    found = {} if text is None else json.loads(text)
    if key not in found or not wanted:
        return key in found
    return wanted == (found[key] if isinstance(found[key], str) else to_json_text(found[key]))


def _is_within(known: datetime | None, value: dict[str, Any], now: datetime) -> bool:
    if known is None:
        return not value or bool(value.get("never"))
    age = (now - known).total_seconds() / 86_400
    parts = [
        "older_than" not in value or age > value["older_than"],
        "newer_than" not in value or age <= value["newer_than"],
        "within" not in value or -age <= value["within"],
        "after" not in value or f"{known:%Y-%m-%d}" >= value["after"],
        "before" not in value or f"{known:%Y-%m-%d}" <= value["before"],
        set(value) != {"never"},
    ]
    return all(parts)


def find_matching(table: list[dict[str, Any]], values: dict[str, Any]) -> list[int]:
    """Return the positions of the rows that match every filter."""
    return [place for place, row in enumerate(table) if all(matches(*item, row) for item in values.items())]


# ── the displayed state ───────────────────────────────────────────────────────────────────────────────────────────────


def keys(state: TableState) -> list[Any]:
    """Return the keys of the matching rows, in order."""
    return state.rows.get_filtered()[state.sort.key].tolist()


def dump_state(state: TableState) -> str:
    """Return the entire displayed state as JSON."""
    options = {name: state.options(name) for name, control in state.controls.items() if control.kind == "options"}
    shown = [state.filter_bar(), state.grid(), state.selection(), state.count(), state.charts(), state.all_columns()]
    return json.dumps([*shown, options, state.metadata_keys(), state.banner(), state.chunk(3)], allow_nan=False)
