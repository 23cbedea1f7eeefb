"""Bounds of regular expressions: refuse those that could take forever; pure.

Python's engine backtracks: `(a+)+$` takes a second on 25 letters, and a year on 50. RE2, Arrow's engine, takes linear time, and pandas uses
it for columns of Arrow text. So a pattern that could backtrack like this is refused only where Python's engine would match it.
"""

from __future__ import annotations

import ast
import math
import re
from typing import TYPE_CHECKING, Any

from ..errors import InvalidRequestError
from .kinds import get_column

if TYPE_CHECKING:
    import pandas as pd

LONG = 100  # a repetition that may go on for longer counts as one without end
MOST_LONG, MOST_CHOICES = (
    4,
    10,
)  # of these in one pattern, and of all that double the ways to match it, e.g. a group of two alternatives
# Methods whose pattern is a regular expression: unless `regex=False`, or only with `regex=True`.
_METHODS = {"contains": True, "match": True, "fullmatch": True, "count": True, "split": True, "replace": False}
_ONLY_PYTHON = {"flags", "n", "expand"}  # options with which pandas matches by Python's engine
_TOKEN = re.compile(
    r"(?P<skip>\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\(\?#[^)]*\)|\(\?[a-zA-Z]+\)|\(\?P=\w+\))"
    r"|(?P<times>[*+?]|\{(?:\d+(?:,\d*)?|,\d*)\})[?+]?|(?P<open>\((?:\?(?:P<\w+>|[a-zA-Z-]*:|<?[=!]|>))?)|.",
    re.DOTALL,
)


def check_pattern(pattern: str) -> None:
    """Raise `InvalidRequestError` for what is not a regular expression, or could take forever.

    Examples
    --------
    >>> check_pattern("^(step|epoch)-[0-9]+$")
    >>> check_pattern("(a+)+$")
    Traceback (most recent call last):
    ...
    tinker_frames.errors.InvalidRequestError: the regular expression '(a+)+$' could take forever: it repeats a group that holds repetitions or alternatives. Use several simpler ones.
    """
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        problem = str(error)
    else:
        return _refuse_risk(pattern)
    hint = "Escape what is meant literally."
    raise InvalidRequestError(f"{pattern!r} is not a regular expression: {problem}", hint=hint)


def bound_patterns(frame: pd.DataFrame, tree: ast.AST) -> pd.DataFrame:
    """Return the frame on which a query is evaluated: with Arrow text in the columns that are text in objects, if a pattern needs it.

    Raises
    ------
    InvalidRequestError
        For a pattern that could take forever and that only Python's engine matches, and for one that is not quoted text.
    """
    needs_arrow = [pattern for call in ast.walk(tree) if (pattern := _find_risky_pattern(call))]
    if not needs_arrow:
        return frame
    names = set(map(get_column, ast.walk(tree)))
    slow = {name: values for name, values in frame.items() if str(name) in names and not _is_arrow(values.dtype)}
    texts = {name: _convert_text(values) for name, values in slow.items()}
    levels = [frame.index.get_level_values(place) for place in range(frame.index.nlevels)]
    named = [level for level in levels if names & {"index", str(level.name)}]
    if any(text is None for text in texts.values()) or not all(_is_arrow(level.dtype) for level in named):
        _refuse_risk(needs_arrow[0])
    frame = frame.copy(deep=False)
    for name, text in texts.items():
        frame[name] = text
    return frame


def _find_risky_pattern(call: ast.AST) -> str:
    """Return the pattern of a call that only RE2 may match; empty if there is none."""
    name = call.func.attr if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) else ""
    if not isinstance(call, ast.Call) or name not in _METHODS:
        return ""
    options = {keyword.arg: keyword.value for keyword in call.keywords}
    given = call.args[0] if call.args else options.get("pat")
    flag = options.get("regex", ast.Constant(_METHODS[name] or len(call.args) > 2))
    if given is None or (isinstance(flag, ast.Constant) and not flag.value):
        return ""
    if not isinstance(given, ast.Constant):
        raise InvalidRequestError(f"the pattern of {name} is not quoted text", hint="Write it as one quoted text.")
    if not isinstance(given.value, str) or not _find_risk(given.value):
        return ""
    is_plain = not options.keys() & _ONLY_PYTHON and len(call.args) <= 1 + (name in ("replace", "contains"))
    if name == "split" or (name == "replace" and "case" in options) or not is_plain or not _is_linear(given.value):
        _refuse_risk(given.value)
    return given.value


def _refuse_risk(pattern: str) -> None:
    if risk := _find_risk(pattern):
        problem = f"the regular expression {pattern!r} could take forever: {risk}"
        raise InvalidRequestError(problem, hint="Use several simpler ones.")


def _find_risk(pattern: str) -> str:
    """Return how a pattern could backtrack for long; empty if it could not."""
    # Of the groups around: whether they hold a choice so far, and how many alternatives.
    outer: list[tuple[bool, int]] = []
    # The same of the present group, and whether one with a choice has just ended.
    has_choice, options, repeatable = False, 1, False
    long, choices = 0, 0.0
    for token in _TOKEN.finditer(pattern):
        least, most = _read_times(token["times"])
        if repeatable and most > 1:
            return "it repeats a group that holds repetitions or alternatives"
        is_choice, is_alternative = least < most, token[0] == "|"
        choices, long, options = choices + is_choice, long + (is_choice and most > LONG), options + is_alternative
        repeatable = repeatable and (token[0].isspace() or token[0].startswith("(?#"))  # which the flag `x` leaves out
        has_choice = has_choice or is_choice or is_alternative
        if token["open"]:
            outer.append((has_choice, options))
            has_choice, options = False, 1
        elif token[0] == ")" and outer:
            choices += math.log2(options)  # those outside of all groups are tried one after the other, and add up
            repeatable, (had_choice, options) = has_choice, outer.pop()
            has_choice = has_choice or had_choice
    return "it holds too many repetitions" if long > MOST_LONG or choices > MOST_CHOICES else ""


def _read_times(text: str | None) -> tuple[float, float]:
    """Return how often a quantifier repeats, at least and at most; once for what is none."""
    if not text:
        return 1, 1
    if text in "*+?":
        return 0 + (text == "+"), 1 if text == "?" else math.inf
    least, comma, most = text[1:-1].partition(",")
    return float(least or 0), float(most or math.inf) if comma else float(least)


def _is_linear(pattern: str) -> bool:
    """Tell whether RE2 takes a pattern; it has no lookarounds and no backreferences."""
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        pc.match_substring_regex(pa.array([""]), pattern)
    except pa.ArrowInvalid:
        return False
    return True


def _is_arrow(dtype: Any) -> bool:
    """Tell whether a column holds Arrow text, or no text."""
    return getattr(dtype, "kind", "O") in "biufcmM" or getattr(dtype, "storage", "").startswith("pyarrow")


def _convert_text(values: pd.Series) -> Any:
    """Return text as Arrow text, None if some values are something else."""
    from ..schema.columns import pandas_array

    found = values.astype(object)
    texts = [value if isinstance(value, str) else None for value in found]
    if any(text is None and not is_na for text, is_na in zip(texts, found.isna(), strict=True)):
        return None
    return pandas_array("text", texts)
