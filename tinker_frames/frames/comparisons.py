"""Text that a query compares columns with, as values of the columns: times, sizes, durations and numbers; pure.

People type `time > '2026-11-01'`, `size > '1GB'` and `age < '2 weeks'`. pandas compares neither, or takes no row in silence; what it is
given instead is `time > '2026-11-01T00:00:00+00:00'`, `size_bytes > 1000000000` and `age_days < 14.0`.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import InvalidRequestError
from ..schema.coerce import TRUTH_WORDS
from ..schema.durations import DURATION_FORMS, parse_duration
from ..schema.sizes import SIZE_FORMS, parse_size

if TYPE_CHECKING:
    import pandas as pd

TIME_FORMS = "2026-01-31, '2026-01-31 15:00' or 2026-01-31T15:00+01:00; without an offset it is UTC"
NUMBER_FORMS = "0.5 or 1e-4"
NO_LOGS = "metrics of training logs are columns after df.tinker.with_metrics(logs)"
MOST_CLOSE = 3  # columns that an error names for one that is unknown


class Unit(NamedTuple):
    """What text a column is compared with, by the end of its name."""

    suffix: str
    kind: str
    forms: str
    parse: Callable[[str], float]


# In the order in which `size` looks for a column.
UNITS = (
    Unit("_bytes", "size", SIZE_FORMS, parse_size),
    Unit("_gb", "size", SIZE_FORMS, lambda text: parse_size(text) / 1e9),
    Unit("_days", "duration", DURATION_FORMS, lambda text: parse_duration(text) / 86_400),
)
QUOTED = r"""'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*\""""
_OPERATOR = r"\s*(?:[<>]=?|[!=]=)\s*"
_EQUALITY = {"==": "eq", "!=": "ne"}
_COMPARISON = re.compile(
    rf"""
    (?:(?P<left>{QUOTED})(?P<before>{_OPERATOR}))?
    (?P<name>`[^`'"\n]*`|(?<![\w.`])[^\W\d]\w*(?!\w|\s*[.(\[]))
    (?:(?P<after>{_OPERATOR})(?P<right>{QUOTED}))?
    |{QUOTED}
    """,
    re.VERBOSE,
)


def translate_comparisons(frame: pd.DataFrame, query: str) -> str:
    """Return a query in which text is a value that pandas compares with the column beside it; all else is as it was.

    * Times are UTC unless they have an offset; a day is its midnight.
    * `…_bytes` and `…_gb` are compared with sizes, `…_days` with durations, also by their names without these endings: `size`, `age`.
    * Other numbers are compared with numbers, and truth values with 'true', 'yes', 'false' or 'no'.

    Raises
    ------
    InvalidRequestError
        For text that is no value of the column; the error names the forms that it can have.

    Examples
    --------
    >>> import pandas as pd
    >>> translate_comparisons(pd.DataFrame({"size_bytes": [1], "name": ["a"]}), "size > '1kB' and name != '1kB'")
    "size_bytes > 1000 and name != '1kB'"
    """

    def replace(found: re.Match[str]) -> str:
        if found["left"] is None and found["right"] is None:
            return found[0]
        name, parse = _find_parser(frame, found["name"])
        if parse is None:
            return found[0]
        left, right = (text and parse(ast.literal_eval(text)) for text in (found["left"], found["right"]))
        method = _EQUALITY.get((found["before"] or found["after"]).strip())
        if parse.func is _read_time and method and not (left and right):  # pandas looks for the text among the times
            return f"{name}.{method}({left or right})"
        return f"{left or ''}{found['before'] or ''}{name}{found['after'] or ''}{right or ''}"

    return _COMPARISON.sub(replace, query)


def _find_parser(frame: pd.DataFrame, written: str) -> tuple[str, partial[str] | None]:
    """Return the column that a name means, as it is written in a query, and how to read the text beside it; None to leave it."""
    from pandas.api.types import is_bool_dtype, is_numeric_dtype

    name = written.strip("`")
    unit = next((each for each in UNITS if name.endswith(each.suffix)), None)
    if name not in frame.columns:
        unit = next((each for each in UNITS if name + each.suffix in frame.columns), None)
        return (name + unit.suffix, partial(_read_unit, unit, name)) if unit is not None else (written, None)
    if list(frame.columns).count(name) > 1:
        return written, None
    dtype: Any = frame[name].dtype
    if getattr(dtype, "tz", None) is not None:
        return written, partial(_read_time, name)
    if is_bool_dtype(dtype):
        return written, partial(_read_flag, name)
    if not is_numeric_dtype(dtype):
        return written, None
    return written, partial(_read_unit, unit or Unit("", "number", NUMBER_FORMS, _parse_number), name)


def _read_unit(unit: Unit, name: str, text: str) -> str:
    try:
        return repr(unit.parse(text))
    except (InvalidRequestError, ValueError):
        raise _refuse(name, text, unit.kind, unit.forms) from None


def _parse_number(text: str) -> float:
    """Return a finite number; integers stay exact."""
    try:
        return int(text)
    except ValueError:
        number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


def _read_flag(name: str, text: str) -> str:
    words = TRUTH_WORDS | {"yes": True, "no": False}  # as tables show them
    if text.strip().lower() not in words:
        raise _refuse(name, text, "truth value", f"{name}, not {name} or {name} == 'yes'")
    return repr(words[text.strip().lower()])


def _read_time(name: str, text: str) -> str:
    import pandas as pd

    try:
        time = pd.to_datetime(text.strip(), format="ISO8601")
        return repr(text.strip() if time.tzinfo else time.tz_localize("UTC").isoformat())
    except ValueError:
        raise _refuse(name, text, "time", TIME_FORMS) from None


def _refuse(name: str, text: str, kind: str, forms: str) -> InvalidRequestError:
    return InvalidRequestError(f"{name} is compared with {text!r}, which is not a {kind}", hint=f"Use e.g. {forms}.")


def describe_unknown_columns(names: list[str], columns: Iterable[object]) -> str:
    """Return that there are no columns of these names, and which could have been meant.

    Examples
    --------
    >>> describe_unknown_columns(["sizegb"], ["size_gb", "name"])
    "there is no column 'sizegb'; did you mean size_gb?"
    """
    return f"there is no column {', '.join(map(repr, names))}{suggest_columns(names, columns)}"


def suggest_columns(names: list[str], columns: Iterable[object]) -> str:
    """Return which columns names could mean, to stand at the end of an error; empty if none is close.

    Examples
    --------
    >>> suggest_columns(["meta.los"], ["meta.loss", "meta.step"])
    '; did you mean meta.loss?'
    """
    close = find_close_columns(names, columns)
    return f"; did you mean {' or '.join(close)}?" if close else ""


def suggest_logs(names: list[str], columns: Iterable[object]) -> str:
    """Return where the metrics of training logs come from, if a name looks like one and the frame has not been joined to logs; else empty.

    Examples
    --------
    >>> suggest_logs(["test/nll"], ["tinker_path", "name"])
    'metrics of training logs are columns after df.tinker.with_metrics(logs)'
    """
    known = set(columns)
    is_like_one = any("/" in name or name == "log_path" for name in names)
    return NO_LOGS if is_like_one and "tinker_path" in known and "is_parent" not in known else ""


def find_close_columns(names: list[str], columns: Iterable[object]) -> list[str]:
    """Return the columns that names which are none could mean: at most three for each, the closest first.

    Examples
    --------
    >>> find_close_columns(["model"], ["model_owner", "base_model", "name"])
    ['base_model', 'model_owner']
    """
    texts = [str(column) for column in columns]
    return list(dict.fromkeys(match for name in names for match in _find_close(name, texts)[:MOST_CLOSE]))


def _find_close(name: str, columns: list[str]) -> list[str]:
    """Return the columns that look like a name, that contain it, or of which a word looks like it; of a key, keys with its prefix."""
    prefix, dot, key = name.rpartition(".")
    if dot:
        keys = [column.removeprefix(prefix + dot) for column in columns if column.startswith(prefix + dot)]
        return [prefix + dot + each for each in _find_close(key, [each for each in keys if "." not in each])]
    words = {column: column.lower().split("_") for column in columns}
    holding = [column for column in columns if name.lower() in column.lower()]
    alike = [column for column in columns if get_close_matches(name.lower(), words[column], 1, 0.75)]
    return list(dict.fromkeys([*get_close_matches(name, columns, MOST_CLOSE), *holding, *alike]))
