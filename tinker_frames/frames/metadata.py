"""Metadata as columns: one per key of the JSON text that a frame's metadata column holds; pure."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from ..schema.coerce import canonical_json, parse_object, replace_surrogates
from ..schema.columns import text_dtype


def expand_metadata(
    frame: pd.DataFrame, column: str = "user_metadata", prefix: str = "meta.", *, numeric: bool = False
) -> pd.DataFrame:
    """Return the frame with one `meta.<key>` text column for every key that any row's metadata has.

    Values other than text become JSON text. Text that is not a JSON object adds nothing. With `numeric`, columns whose every
    value is a number become float64.
    """
    entries = [parse_object(text) or {} for text in frame[column]]
    keys = sorted({key for entry in entries for key in entry if replace_surrogates(key)[1] is None})
    data = {prefix + key: pd.array([_to_text(entry.get(key)) for entry in entries], dtype=text_dtype()) for key in keys}
    if numeric:
        data = {name: _to_numbers(values) for name, values in data.items()}
    kept = frame.drop(columns=[name for name in data if name in frame.columns])
    expanded = pd.concat([kept, pd.DataFrame(data, index=frame.index)], axis=1)
    expanded.attrs = dict(frame.attrs)
    return expanded


def _to_text(value: Any) -> str | None:
    """Return a value of the metadata as text, in JSON if it is not text; None for null and for an integer without end."""
    if value is None or value in (
        math.inf,
        -math.inf,
    ):  # `parse_json` reads an integer of thousands of digits as infinite
        return None
    return replace_surrogates(value if isinstance(value, str) else canonical_json(value))[0]


def _to_numbers(values: Any) -> Any:
    """Return texts as float64 if every one of them is a number, else unchanged."""
    numbers = pd.to_numeric(pd.Series(values, dtype="object"), errors="coerce").astype("float64")
    return numbers.array if numbers.notna().equals(pd.Series(values).notna()) else values
