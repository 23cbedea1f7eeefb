"""Selecting rows and columns by text: a pandas query, a sort order, a list of names; pure.

A query is often copied from somewhere, so it may compare and combine columns and do nothing else. `--where`, the query of a
view and `Plan.only` are all evaluated by `evaluate_condition`, which also reads times, sizes and durations as people type them.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..errors import InvalidRequestError
from ..schema.catalog import INVENTORY, TABLES
from .comparisons import (
    UNITS,
    describe_unknown_columns,
    find_close_columns,
    suggest_logs,
    translate_comparisons,
)
from .kinds import QUOTED, evaluate
from .metadata import list_key_columns, read_key_columns
from .query_bounds import bound_query

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    Mask = np.ndarray[Any, np.dtype[np.bool_]]  # one bool per row

# What may stand after a dot in a query. It is often copied from somewhere, and pandas would let it write files
# (`name.to_csv(…)`) or reach any module (`name.__class__…`).
_METHODS = {
    "str", "contains", "startswith", "endswith", "match", "fullmatch", "lower", "upper", "casefold", "strip",
    "lstrip", "rstrip", "len", "slice", "get", "split", "count", "find", "isdigit", "isnumeric", "isalpha",
    "isalnum", "replace", "removeprefix", "removesuffix",
    "dt", "year", "month", "day", "hour", "minute", "second", "date", "dayofweek", "weekday", "day_of_week",
    "dayofyear", "quarter", "floor", "ceil", "normalize", "day_name", "month_name",
    "isna", "isnull", "notna", "notnull", "isin", "between", "eq", "ne", "lt", "le", "gt", "ge", "abs", "round",
    "clip", "fillna",
    "min", "max", "mean", "median", "sum", "std", "quantile", "rank", "any", "all", "duplicated", "nunique", "mode",
}  # fmt: skip
METADATA_PREFIX = "meta."
MOST_LISTED = 8  # columns that an error names
# Before pandas 3 a column of a frame that is queried shares its memory: `fillna(0, inplace=True)` would alter the caller's frame.
_ALTERS = re.compile(r"\b(?:inplace|out)\s*=(?!=)")
# A key of the metadata, as people type it, without backticks.
_KEY = re.compile(rf"""{QUOTED}|`(?P<quoted>meta\.[^`'"\n]*)`|`[^`'"\n]*`|(?<![\w.`])(?P<bare>meta(?:\.[^\W\d]\w*)+)""")
# The name of a column, with or without backticks.
_NAME = re.compile(rf"""{QUOTED}|`(?P<quoted>[^`'"\n]*)`|(?<![\w.`])(?P<bare>[^\W\d]\w*)""")
_QUOTED = re.compile(rf"""(?<!\w)(?:{QUOTED})|`[^`'"\n]*`""")


def select(
    frame: pd.DataFrame, *, where: str | None, sort: str | None, limit: int | None, columns: str | None
) -> pd.DataFrame:
    """Filter, sort, cut and select, in this order; names of columns are comma-separated."""
    if where is not None:
        frame = filter_rows(frame, where)
    order = _split_names(sort)
    names = list(frame.columns) if not columns or columns == "all" else _split_names(columns)
    frame = _add_keys(frame, [*names, *(name.removeprefix("-") for name in order)])
    if order:
        frame = sort_rows(frame, [_find_name(frame, name) for name in order])
    names = list(dict.fromkeys(_find_name(frame, name) for name in names))
    check_columns(frame, names)
    return (frame if limit is None else frame.head(limit))[names].reset_index(drop=True)


def add_used_keys(frame: pd.DataFrame, where: str | None, sort: str | None) -> pd.DataFrame:
    """Return the frame with the columns of the metadata's keys by which its rows are to be sorted or filtered."""
    return _add_keys(name_keys(frame, where or "")[0], [name.removeprefix("-") for name in _split_names(sort)])


def list_used(frame: pd.DataFrame, where: str | None, sort: str | None) -> list[str]:
    """Return the columns of a frame by which its rows were sorted or filtered."""
    query = name_keys(frame, where or "")[1]
    words = filter(None, (match["quoted"] or match["bare"] for match in _NAME.finditer(query)))
    found = [_find_name(frame, name).removeprefix("-") for name in [*_split_names(sort), *words]]
    return list(dict.fromkeys(name for name in found if name in frame.columns))


def _split_names(text: str | None) -> list[str]:
    return [name.strip() for name in text.split(",")] if text else []


def _find_name(frame: pd.DataFrame, name: str) -> str:
    """Return the column that a name means: `size` and `age` are those with a unit at their end, as in queries."""
    bare = name.removeprefix("-")
    if bare in frame.columns:
        return name
    return name + next((unit.suffix for unit in UNITS if bare + unit.suffix in frame.columns), "")


def _add_keys(frame: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Return the frame with the columns of the metadata's keys that are named and that it does not have yet."""
    missing = {str(name) for name in names if str(name).startswith(METADATA_PREFIX)} - set(frame.columns)
    return frame.assign(**read_key_columns(frame, missing)) if missing else frame


def sort_rows(frame: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Return the rows in the order of some columns, the first counting most; a `-` before the name is for descending.

    Metadata that is a number is sorted as one.
    """
    columns = [name.removeprefix("-") for name in names]
    check_columns(frame, columns)
    if not columns:
        return frame
    ascending = [not name.startswith("-") for name in names]
    return frame.sort_values(columns, ascending=ascending, kind="stable", key=_rank_metadata)


def _rank_metadata(values: pd.Series) -> pd.Series:
    """Return what to sort a column by: metadata, which the service keeps as text, by its numbers and then by its other texts."""
    import pandas as pd

    if not str(values.name).startswith(METADATA_PREFIX) or pd.api.types.is_numeric_dtype(values):
        return values
    numbers = pd.to_numeric(values.astype(object), errors="coerce").astype("float64")
    texts = values.astype(object).where(numbers.isna())
    return numbers.rank(method="dense").fillna(texts.rank(method="dense") + numbers.nunique())


def filter_rows(frame: pd.DataFrame, query: str, called: str = "--where") -> pd.DataFrame:
    """Return the rows that a pandas query keeps; errors as in `evaluate_condition`."""
    return frame[evaluate_condition(frame, query, called)]


def evaluate_condition(frame: pd.DataFrame, query: str, called: str = "--where", *, unknown: bool = False) -> Mask:
    """Return for each row whether a pandas query keeps it, `unknown` where it is NA; `called` is what an error calls it.

    Text beside a column is read as by `translate_comparisons`: `time > '2026-11-01'`, `size > '1GB'`, `age > '30d'`.

    Raises
    ------
    InvalidRequestError
        For what is not a condition on the frame's rows, could do more than compare, or could take forever to compute.
    """
    import pandas as pd
    from pandas.api.types import is_bool_dtype
    from pandas.errors import UndefinedVariableError

    frame, query = name_keys(frame, query)
    _check_query(query, called)
    hint = "Write it as for DataFrame.query, e.g. size_gb > 1 and not public."
    try:
        bounded = bound_query(frame, query)
        mask = evaluate(bounded, translate_comparisons(bounded, query))
    except UndefinedVariableError as error:
        names = _list_unknown(query, frame) or str(error).split("'")[1:2]
        problem, hint = describe_unknown_columns(names, frame.columns), _list_columns(names, frame)
    except InvalidRequestError as error:
        problem, hint = error.what, error.hint
    except Exception as error:  # noqa: BLE001  # pandas raises whatever the expression leads to
        problem = _describe_error(error)
    else:
        if getattr(mask, "shape", None) == (len(frame),) and is_bool_dtype(mask):
            kept: Mask = pd.Series(mask).fillna(value=unknown).to_numpy(dtype=bool)  # of labels it is a bare array
            return kept
        problem = "it is not true or false for every row"
    raise InvalidRequestError(f"{called} {query!r} cannot be evaluated: {problem}", hint=hint)


def _list_unknown(query: str, frame: pd.DataFrame) -> list[str]:
    """Return the names in backticks that are no columns, as typed: pandas' error has them with words instead of signs."""
    quoted = [text[1:-1] for text in _QUOTED.findall(query) if text.startswith("`")]
    return [name for name in dict.fromkeys(quoted) if not name.isidentifier() and name not in frame.columns]


def name_keys(frame: pd.DataFrame, query: str) -> tuple[pd.DataFrame, str]:
    """Return a frame with a column for each key of the metadata that a query names, and the query with their names in backticks.

    `meta.name.str.len()` is the key `name` and what is asked of it, unless there is a key `name.str`.
    """
    found = [match["quoted"] or match["bare"] for match in _KEY.finditer(query)]
    names = dict.fromkeys(name for name in found if name)
    if not names:
        return frame, query
    parts = {name: [name.rsplit(".", cut)[0] for cut in range(name.count("."))] for name in names}
    frame = _add_keys(frame, [each for name in names for each in parts[name]])

    def replace(match: re.Match[str]) -> str:
        if not (name := match["bare"]):
            return match[0]
        column = next((each for each in parts[name] if each in frame.columns), None)
        if column is None:
            raise _refuse_key(frame, name)
        return f"`{column}`{name[len(column) :]}"

    return frame, _KEY.sub(replace, query)


def _refuse_key(frame: pd.DataFrame, name: str) -> InvalidRequestError:
    known = list_key_columns(frame)
    hint = f"The keys of the metadata are {', '.join(known[:20])}{', …' if len(known) > 20 else ''}." if known else ""
    return InvalidRequestError(describe_unknown_columns([name], known), hint=hint)


def _describe_error(error: Exception) -> str:
    """Return what pandas or Python says of an expression, in one line."""
    if isinstance(error, SyntaxError) and error.msg:
        return str(error.msg)  # without the file and line, which are Python's own
    return str(error).splitlines()[0][:200] if str(error) else type(error).__name__


def _check_query(query: str, called: str = "--where") -> None:
    """Refuse a query that could do more than compare columns."""
    if not query.strip():
        raise InvalidRequestError(f"{called} {query!r} is empty", hint="Leave it out to take every row.")
    bare = _QUOTED.sub(" _ ", query)
    odd = [mark for mark in "@#;`'\"\\\n\r" if mark in bare] + [mark for mark in ("'''", '"""') if mark in query]
    problem = f"it holds {odd[0]!r} where only columns can stand" if odd else ""
    if _ALTERS.search(unicodedata.normalize("NFKC", bare)):  # names are normalized where Python reads them
        problem = problem or "'inplace' and 'out' would alter the frame"
    for after in re.findall(r"(?<![0-9])\.\s*(\w*)|\.\s*([^\W0-9]\w*)", bare):
        name = "".join(after)
        if name not in _METHODS and not name.isdigit():
            problem = problem or f"{name!r} is not allowed in queries"
    if problem:
        raise InvalidRequestError(
            f"{called} {query!r} is refused: {problem}",
            hint="Compare columns with numbers and quoted text, or use str, dt, isna(), isin() and the like.",
        )


def check_columns(frame: pd.DataFrame, names: list[str]) -> None:
    """Refuse names of columns that a frame does not have."""
    unknown = [name for name in names if name not in frame.columns]
    if keys := [name for name in unknown if name.startswith(METADATA_PREFIX)]:
        raise _refuse_key(frame, keys[0])
    if unknown:
        problem = describe_unknown_columns(unknown, frame.columns)
        raise InvalidRequestError(problem, hint=_list_columns(unknown, frame))


def _list_columns(unknown: list[str], frame: pd.DataFrame) -> str:
    """Return a hint with the first columns of a frame; none if one of them is close to an unknown name."""
    if find_close_columns(unknown, frame.columns):
        return ""
    if hint := suggest_logs(unknown, frame.columns):
        return f"{hint[0].upper()}{hint[1:]}."
    if len(unknown) == 1 and (hint := _name_tables(unknown[0])):
        return hint
    first, others = list(map(str, frame.columns[:MOST_LISTED])), len(frame.columns) - MOST_LISTED
    return f"The columns are {', '.join(first)}{f' and {others} more' if others > 0 else ''}."


def _name_tables(name: str) -> str:
    """Return a hint with the tables that have a column, and what it is called in an inventory; empty if none has it."""
    tables = " and ".join(table.name for table in TABLES.values() if name in table.names)
    joined = " and ".join(column for column in (f"run_{name}", f"session_{name}") if column in INVENTORY.names)
    return f"It is a column of {tables}{f'; an inventory has {joined}' if joined else ''}." if tables else ""
