"""What checkpoints are ranked by: a column or a key of the metadata, its direction, and what a log has as NaN. Pure."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

from ..errors import InvalidRequestError
from ..schema.coerce import parse_json, parse_object
from .comparisons import suggest_columns
from .rules import Rule, require_columns
from .values import are_first, to_numbers

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

NOT_FINITE = "not_finite"  # the column with what a log has as NaN or infinite: a JSON list of metrics; NA for none
_METADATA, _PREFIX = "user_metadata", "meta."
_SMALLER = re.compile(r"(?i)(?:^|[^a-z])(?:loss|nll|error|kl|perplexity|ppl)(?:$|[^a-z])")
_LARGER = re.compile(
    r"(?i)(?:^|[^a-z])(?:acc|accuracy|au(?:ro)?c|bleu|rouge|f1|precision|recall|rewards?|returns?|scores?|pass@?\d*|"
    r"correct|solved|success|win_?rate)(?:$|[^a-z])"
)


def split_measure(text: str) -> tuple[str, int, bool | None, bool]:
    """Return the parts of `METRIC[:N][:max|min][:finite]`: column, number, direction and whether only finite values count.

    A key of the metadata may hold colons itself.
    """
    metric, words = text, set()
    while (parts := metric.rpartition(":"))[1] and parts[2] in ("max", "min", "finite"):
        metric, _, word = parts
        words.add(word)
    if {"max", "min"} <= words:
        raise InvalidRequestError(f"{text!r} has both max and min", hint="Write one of them.")
    smallest = "min" in words or (None if "max" not in words else False)
    before, colon, number = metric.rpartition(":")
    if colon and not (number.isdecimal() and len(number) <= 9 and int(number)):
        raise InvalidRequestError(
            f"{metric!r} has neither a number of 1 or more nor max or min after the colon",
            hint="Write e.g. loss:2 or accuracy:max.",
        )
    return (before, int(number), smallest, "finite" in words) if colon else (metric, 1, smallest, "finite" in words)


def find_direction(by: str, smallest: bool | None) -> bool:
    """Return whether smaller values of a metric are better: as given, else they are, but for names that say otherwise.

    Raises
    ------
    InvalidRequestError
        If nothing is given and the name is e.g. that of an accuracy: the worst ones would be kept.
    """
    if smallest is None and sounds_larger(by):
        raise InvalidRequestError(
            f"it is not clear whether larger values of {by!r} are better",
            hint="Pass smallest=False if they are, else smallest=True.",
        )
    return smallest is not False


def sounds_larger(by: str) -> bool:
    """Tell whether a metric's name is one of which larger values are usually better."""
    return _LARGER.search(by) is not None and _SMALLER.search(by) is None


def read_metric(rule: Rule, frame: pd.DataFrame, by: str) -> Any:
    """Return a column, or a key of the metadata as one: `meta.loss`, or `loss` where some row has it and no column is called so."""
    key = by.removeprefix(_PREFIX)
    if by not in frame.columns and _METADATA in frame.columns:
        values = frame[_METADATA].map(lambda text: (parse_object(text) or {}).get(key))
        if by.startswith(_PREFIX) or values.notna().any():
            return values
    if by not in frame.columns:
        keys = [name.removeprefix(_PREFIX) for name in list_keys(frame)]
        require_columns(rule, frame, _METADATA if by.startswith(_PREFIX) else by, others=keys)
    return frame[by]


def list_keys(frame: pd.DataFrame) -> list[str]:
    """Return the keys of a frame's metadata, as `meta.<key>`."""
    texts = frame[_METADATA] if _METADATA in frame.columns else ()
    return sorted({f"{_PREFIX}{key}" for text in texts for key in parse_object(text) or {}})


def are_best(
    rule: Rule, frame: pd.DataFrame, by: str, groups: Sequence[str], n: int, *, smallest: bool, finite: bool
) -> Any:
    """Return which rows are among the best `n` of their group; of a column, NA where a missing number leaves it open.

    With `finite`, a row of which the value is infinite, or NaN in its log, is not among them, and leaves nothing open.

    Raises
    ------
    InvalidRequestError
        If no row has a number: the name is probably wrong.
    """
    values = to_numbers(read_metric(rule, frame, by))
    is_odd = _are_not_finite(frame, by) & values.isna()
    if len(frame) and values.isna().all() and not (finite and is_odd.any()):
        if is_odd.any():
            raise InvalidRequestError(f"every {by} is NaN or infinite", hint="Pass finite=True if none is to be kept.")
        problem = f"no row has a number as {by}{suggest_columns([by], list_keys(frame))}"
        raise InvalidRequestError(f"{rule} would keep nothing: {problem}", hint="Check its name, or leave it out.")
    is_column = by in frame.columns and not by.startswith(_PREFIX)
    is_ranked = ~is_odd if is_column and finite else values.notna() | is_column
    first = are_first(values[is_ranked], frame.loc[is_ranked, list(groups)], n, smallest=smallest)
    return first.reindex(frame.index, fill_value=False)


def _are_not_finite(frame: pd.DataFrame, by: str) -> pd.Series[bool]:
    """Return which values of a column are infinite, or not finite in the log that they come from."""
    import pandas as pd

    values = frame[by] if by in frame.columns else pd.Series(index=frame.index, dtype="float64")
    is_odd = values.astype("object").map(_is_infinite).astype(bool)
    return (
        is_odd | frame[NOT_FINITE].map(lambda text: by in _read_names(text)).astype(bool)
        if NOT_FINITE in frame
        else is_odd
    )


def _is_infinite(value: Any) -> bool:
    try:
        return math.isinf(float(value))
    except OverflowError:  # an integer beyond every float
        return True
    except (TypeError, ValueError):
        return False


def _read_names(text: Any) -> Any:
    """Return the names in a JSON list; none for anything else."""
    try:
        found = parse_json(text) if isinstance(text, str) else ()
    except ValueError:
        found = ()
    return found if isinstance(found, list) else ()
