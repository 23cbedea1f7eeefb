"""Metadata as columns: one per key of the JSON text that a frame's metadata column holds; pure."""

from __future__ import annotations

import math
import warnings
from collections import Counter
from typing import Any

import pandas as pd

from ..errors import InvalidRequestError, find_caller
from ..schema.arguments import check_arguments
from ..schema.coerce import canonical_json, parse_object, replace_surrogates
from ..schema.columns import text_dtype

MOST_KEYS = 500  # columns; more are rarely meant, and each costs time and memory in every row


class MetadataWarning(UserWarning):
    """Metadata has more keys than a frame should have columns, and the rarest were left out."""


@check_arguments
def expand_metadata(
    frame: pd.DataFrame,
    column: str = "user_metadata",
    prefix: str = "meta.",
    *,
    numeric: bool = False,
    max_keys: int | None = MOST_KEYS,
) -> pd.DataFrame:
    """Return the frame with one `meta.<key>` text column for every key that any row's metadata has.

    Values other than text become JSON text. Text that is not a JSON object adds nothing. With `numeric`, columns whose every
    value is a number become float64. Of more than `max_keys` keys, the most frequent are kept, with a warning; None keeps all.
    """
    if max_keys is not None and max_keys < 0:
        raise InvalidRequestError(f"max_keys={max_keys} is below 0", hint="Use None for all keys, 0 for none.")
    entries = [parse_object(text) or {} for text in frame[column]]
    keys = _select_keys(
        Counter(key for entry in entries for key in entry if replace_surrogates(key)[1] is None), max_keys
    )
    data = {prefix + key: pd.array([_to_text(entry.get(key)) for entry in entries], dtype=text_dtype()) for key in keys}
    if numeric:
        data = {name: _to_numbers(values) for name, values in data.items()}
    kept = frame.drop(columns=[name for name in data if name in frame.columns])
    expanded = pd.concat([kept, pd.DataFrame(data, index=frame.index)], axis=1)
    expanded.attrs = dict(frame.attrs)
    return expanded


def _select_keys(rows_of: Counter[str], most: int | None) -> list[str]:
    """Return the keys to make columns of, sorted: of too many, those of the most rows."""
    if most is None or len(rows_of) <= most:
        return sorted(rows_of)
    kept = sorted(rows_of, key=lambda key: (-rows_of[key], key))[:most]
    rarest = f"; the others are in {rows_of[kept[-1]]} rows or fewer each" if kept else ""
    warnings.warn(
        f"the metadata has {len(rows_of):,} keys, of which the {most:,} most frequent became columns{rarest}; "
        "pass max_keys=None for all",
        MetadataWarning,
        stacklevel=find_caller(),
    )
    return sorted(kept)


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
