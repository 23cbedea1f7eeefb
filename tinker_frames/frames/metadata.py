"""Metadata as columns: one per key of the JSON text that a frame's metadata columns hold; pure."""

from __future__ import annotations

import math
import re
import warnings
from collections import Counter
from collections.abc import Iterable
from typing import Any, NamedTuple

import pandas as pd

from ..errors import InvalidRequestError, find_caller
from ..schema.arguments import check_arguments
from ..schema.coerce import canonical_json, parse_object, replace_surrogates
from ..schema.columns import text_dtype

MOST_KEYS = 500  # columns; more are rarely meant, and each costs time and memory in every row
# The columns that hold metadata, in a listing and in the inventory, and what the names of their keys' columns begin with.
PREFIXES = {"user_metadata": "meta.", "run_user_metadata": "meta.run.", "session_user_metadata": "meta.session."}
NUMERIC_SHARE = 2 / 3  # of the values of a key: a column of numbers with a few words in it is meant as numbers
MOST_EXAMPLES = 5  # of texts that are not numbers, in a warning and in `problems`
PROBLEM = "not a number"
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_WHOLE = re.compile(r"[+-]?\d+", re.ASCII)
_PADDED = re.compile(r"[+-]?0\d.*", re.ASCII)


class MetadataWarning(UserWarning):
    """Metadata has more keys than a frame should have columns, or a few values among numbers that are none."""


@check_arguments
def expand_metadata(
    frame: pd.DataFrame, column: str | None = None, *, numeric: bool = True, max_keys: int | None = MOST_KEYS
) -> pd.DataFrame:
    """Return the frame with a column for every key that any row's metadata has; with None, of every column in `PREFIXES`.

    Values other than text become JSON text, and with `numeric` numbers, as `read_numbers` says. Text that is not a JSON object adds
    nothing. Of more than `max_keys` keys, the most frequent are kept, with a warning; None keeps all. A key of a run's metadata whose
    column would have the name of one of the checkpoint's own, as `run.lr` beside a run's `lr`, is left out.
    """
    if max_keys is not None and max_keys < 0:
        raise InvalidRequestError(f"max_keys={max_keys} is below 0", hint="Use None for all keys, 0 for none.")
    data: dict[str, Any] = {}
    for name in [name for name in PREFIXES if name in frame.columns] if column is None else [column]:
        data |= {key: texts for key, texts in _split_keys(frame[name], max_keys).items() if key not in data}
    odd: dict[str, Counter[str]] = {}
    if numeric:
        numbers = {name: read_numbers(texts) for name, texts in data.items()}
        data = {name: found.values for name, found in numbers.items()}
        odd = {name: found.odd for name, found in numbers.items() if found.odd}
    kept = frame.drop(columns=[name for name in data if name in frame.columns])
    expanded = pd.concat([kept, pd.DataFrame(data, index=frame.index)], axis=1)
    expanded.attrs = _add_problems(frame.attrs, set(data), odd)
    return expanded


def read_key_columns(frame: pd.DataFrame, names: Iterable[str]) -> dict[str, Any]:
    """Return the columns that `expand_metadata` would make of some keys, e.g. `meta.lr`, `meta.session.team`; of none that no row has."""
    found: dict[str, Any] = {}
    for source, prefix in PREFIXES.items():
        keys = {name.removeprefix(prefix) for name in names if name.startswith(prefix) and name not in found}
        if not keys or source not in frame.columns:
            continue
        rows = [parse_object(text) or {} for text in frame[source]]
        for key in sorted(keys & {key for row in rows for key in row}):
            texts = pd.array([_to_text(row.get(key)) for row in rows], dtype=text_dtype())
            found[prefix + key] = pd.Series(read_numbers(texts).values, index=frame.index)
    return found


def read_key(metadata: pd.Series[Any], key: str) -> pd.Series[Any]:
    """Return one key of each row's metadata as text, NA where it has none; rows of the same metadata are parsed once."""
    codes, texts = pd.factorize(metadata)
    values = [_to_text((parse_object(text) or {}).get(key)) for text in texts]
    return pd.Series(pd.array([*values, None], dtype=text_dtype())[codes], index=metadata.index)


def find_key(frame: pd.DataFrame, name: str) -> pd.Series[Any] | None:
    """Return the column of one key, as `expand_metadata` would name it, as text; None if no row has that key."""
    for source, prefix in PREFIXES.items():
        if source in frame.columns and name.startswith(prefix):
            values = read_key(frame[source], name.removeprefix(prefix))
            if values.notna().any() or name in list_key_columns(frame[[source]]):
                return values
    return None


def list_key_columns(frame: pd.DataFrame) -> list[str]:
    """Return the names of the columns that `expand_metadata` would make."""
    return [
        prefix + key
        for source, prefix in PREFIXES.items()
        if source in frame.columns
        for key in sorted({key for text in frame[source] for key in parse_object(text) or {}})
    ]


def _split_keys(entries: pd.Series[Any], max_keys: int | None) -> dict[str, Any]:
    """Return a text column for each key of a metadata column."""
    prefix, rows = PREFIXES.get(str(entries.name), "meta."), [parse_object(text) or {} for text in entries]
    keys = Counter(key for row in rows for key in row if replace_surrogates(key)[1] is None)
    return {
        prefix + key: pd.array([_to_text(row.get(key)) for row in rows], dtype=text_dtype())
        for key in _select_keys(keys, max_keys)
    }


def _select_keys(rows_of: Counter[str], most: int | None) -> list[str]:
    """Return the keys to make columns of, sorted: of too many, those of the most rows."""
    if most is None or len(rows_of) <= most:
        return sorted(rows_of)
    kept = sorted(rows_of, key=lambda key: (-rows_of[key], key))[:most]
    rarest = f"; the others are in {rows_of[kept[-1]]} rows or fewer each" if kept else ""
    _warn(
        f"the metadata has {len(rows_of):,} keys, of which the {most:,} most frequent became columns{rarest}; "
        "pass max_keys=None for all"
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


class Numbers(NamedTuple):
    """A column of metadata, as numbers if that is what it holds."""

    values: Any
    odd: Counter[str]  # the texts that are not numbers and became NA, each with its number of rows


def read_numbers(texts: Any) -> Numbers:
    """Return a column of texts as numbers, if that is what at least two thirds of its values are; else unchanged.

    * Whole numbers become Int64 if all are whole, else float64; blank text becomes NA.
    * The other texts become NA, and are counted: words, and `nan` and `inf`, which are no finite numbers.
    * A column stays text if any number in it has leading zeros (`007`), as identifiers have, or more digits than 64 bits hold exactly.

    Examples
    --------
    >>> read_numbers(["9600", "13600", "diverged", None]).values.tolist()
    [9600, 13600, <NA>, <NA>]
    """
    rows_of = Counter(text for text in texts if not pd.isna(text) and text.strip())
    numbers = {text: text.strip() for text in rows_of if _is_number(text.strip())}
    count = sum(rows_of[text] for text in numbers)
    is_whole = all(_WHOLE.fullmatch(number) for number in numbers.values())
    if not count or count < NUMERIC_SHARE * rows_of.total() or not _are_exact(numbers.values(), is_whole=is_whole):
        return Numbers(texts, Counter())
    parse = int if is_whole else float
    known = {text: parse(number) for text, number in numbers.items()}
    values = pd.array(
        [None if pd.isna(text) else known.get(text) for text in texts], dtype="Int64" if is_whole else "Float64"
    )
    odd = Counter({text: rows for text, rows in rows_of.items() if text not in numbers})
    return Numbers(values if is_whole else values.to_numpy("float64", na_value=math.nan), odd)


def _is_number(text: str) -> bool:
    return _NUMBER.fullmatch(text) is not None and math.isfinite(float(text))


def _are_exact(numbers: Any, *, is_whole: bool) -> bool:
    """Tell whether numbers keep all of their text's digits: no leading zeros, and no integer that the dtype rounds."""
    largest = 2**63 - 1 if is_whole else 2**53
    return not any(
        _PADDED.fullmatch(number) or (_WHOLE.fullmatch(number) and abs(int(number)) > largest) for number in numbers
    )


def _add_problems(attrs: Any, columns: set[str], odd: dict[str, Counter[str]]) -> dict[Any, Any]:
    """Return a frame's attrs in which the values that are not numbers are listed, and warn of them."""
    about = attrs.get("tinker") or {}
    before = about.get("problems") or []
    others = [each for each in before if not (each["column"] in columns and each["problem"] == PROBLEM)]
    found = [
        {"column": name, "problem": PROBLEM, "rows": texts.total(), "examples": _list_examples(texts)}
        for name, texts in odd.items()
    ]
    if odd:
        name, texts = next(iter(odd.items()))
        more = f" (as has {', '.join(list(odd)[1:MOST_EXAMPLES])})" if len(odd) > 1 else ""
        _warn(
            f"{name} has values that are not numbers, which became NA: {', '.join(map(repr, _list_examples(texts)))}"
            f'{more}; all are in attrs["tinker"]["problems"], and numeric=False keeps text'
        )
    if [*others, *found] == before:
        return dict(attrs)
    return {**attrs, "tinker": {**about, "problems": [*others, *found]}}


def _list_examples(texts: Counter[str]) -> list[str]:
    return [text[:300] for text, _ in texts.most_common(MOST_EXAMPLES)]


def _warn(message: str) -> None:
    warnings.warn(message, MetadataWarning, stacklevel=find_caller())
