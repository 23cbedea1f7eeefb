"""Select rows of a plan by paths, by a frame, or by a mask, function or query of `plan.frame`; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd
from pandas.api.types import is_bool_dtype

from ..errors import InvalidRequestError
from ..schema.identity import ROWS, align_mask, is_flags, restore_keys
from ..schema.paths import quote_text

KEY = "tinker_path"
_HINT = f"Pass tinker paths, a frame with a column {KEY!r}, or a mask made from plan.frame."

_INTERSECT = (
    f"For the rows that both have, pass plan.frame[{KEY!r}].isin(rows), rows being your paths or the frame's column."
)


def find_paths(frame: pd.DataFrame, rows: Any, called: str, *, unknown: bool) -> set[str]:
    """Return the tinker paths of the rows that are meant.

    The rows of the plan's frame are numbered from 1, so a mask of any frame that was numbered anew, from 0, has other labels. One of
    another frame of this package is refused also where labels agree: it says whose it is by its `attrs`. An array or a list only has a length.

    Parameters
    ----------
    frame
        The plan's frame.
    rows
        A frame, a mask, a path, paths, or a function of the plan's frame that returns one of them.
    called
        The call that an error names.
    unknown
        Whether a row of which a mask does not tell is meant.

    Raises
    ------
    InvalidRequestError
        For a path that names no row of the plan, a mask of other rows, and anything else.
    """
    if callable(rows):
        frame = frame.rename_axis(index=ROWS)  # with its labels, which the function may know
        rows = rows(frame)
    if isinstance(rows, pd.DataFrame):
        return _check_paths(frame, _get_paths(rows, called), called)
    values = _to_series(rows, called)
    if is_bool_dtype(values.dtype) or (is_flags(values) and values.notna().any()):
        mask = _align(frame, values if isinstance(rows, pd.Series) else values.array, called)
        return set(frame.loc[mask.fillna(unknown).to_numpy(dtype=bool), KEY])
    return _check_paths(frame, _drop_missing(values, called) if isinstance(rows, pd.Series) else list(values), called)


def _get_paths(rows: pd.DataFrame, called: str) -> list[Any]:
    rows = restore_keys(rows)
    if KEY not in rows.columns:
        raise InvalidRequestError(f"{called} was given a frame without a column {KEY!r}", hint=_HINT)
    return _drop_missing(rows[KEY], called)


def _drop_missing(values: pd.Series[Any], called: str) -> list[Any]:
    """Return the values that are there; rows that all lack a path name no row."""
    found = list(values.dropna())
    if len(values) and not found:
        raise InvalidRequestError(f"{called} was given {len(values):,} rows, and none has a {KEY!r}", hint=_HINT)
    return found


def _to_series(rows: Any, called: str) -> pd.Series[Any]:
    """Return masks and paths as a Series; refuse everything else."""
    if isinstance(rows, pd.Series):
        return rows
    if isinstance(rows, str):
        rows = [rows]
    if isinstance(rows, pd.MultiIndex) and KEY in rows.names:
        rows = rows.get_level_values(KEY)
    if not isinstance(rows, Iterable) or isinstance(rows, (bytes, Mapping)):
        raise InvalidRequestError(f"{called} was given {_describe(rows)}, which names no rows", hint=_HINT)
    return pd.Series(list(rows), dtype="object")


def _align(frame: pd.DataFrame, mask: Any, called: str) -> pd.Series[Any]:
    """Return a mask in the order of the plan's rows; one that is labelled by path may be of more rows."""
    called = f"the mask of {called}"
    if not isinstance(mask, pd.Series) or mask.index.name != KEY:
        _check_origin(frame, mask, called)
        return align_mask(mask, frame.index, called)
    return align_mask(mask[mask.index.isin(frame[KEY])], pd.Index(frame[KEY]), called)


def _check_origin(frame: pd.DataFrame, mask: Any, called: str) -> None:
    """Refuse a mask that was made from another frame than the plan's, as its `attrs` say."""
    origin, own = (getattr(each, "attrs", {}).get("tinker") or {} for each in (mask, frame))
    if origin and origin.get("plan") != own["plan"]:
        what = (
            f"the plan {quote_text(origin['plan'])}"
            if "plan" in origin
            else f"a frame of {origin.get('table', 'rows')}"
        )
        hint = f"Pass the rows themselves, frame[mask], or a mask of a frame that is indexed by {KEY}."
        raise InvalidRequestError(f"{called} was made from {what}, whose rows may be others", hint=hint)


def _check_paths(frame: pd.DataFrame, paths: list[Any], called: str) -> set[str]:
    """Return these paths, every one of which has to name a row of the plan."""
    odd = [path for path in paths if not isinstance(path, str)]
    if odd:
        raise InvalidRequestError(f"{called} was given {_describe(odd[0])}, which is not a tinker path", hint=_HINT)
    found = set(paths)
    missing = sorted(found - set(frame[KEY]))
    if missing:
        more = f" (nor do {len(missing) - 1} more)" if len(missing) > 1 else ""
        what = f"{called}: {quote_text(missing[0])} names no row of this plan{more}"
        raise InvalidRequestError(what, hint=_INTERSECT if set(paths) & set(frame[KEY]) else _HINT)
    return found


def _describe(value: object) -> str:
    is_short = value is None or isinstance(value, (str, bytes, int, float))
    return quote_text(value) if is_short else f"a {type(value).__name__}"
