"""Bounds of queries: refuse constants, texts and patterns that are so large or intricate that computing them never ends; pure.

`10**10**10 > 1` or `'a' * 10**10 == name` take a few characters to type, and all of the memory to compute. Comparing columns needs neither.
"""

from __future__ import annotations

import ast
import math
import re
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from ..errors import InvalidRequestError
from .patterns import bound_patterns

if TYPE_CHECKING:
    import pandas as pd

MOST_EXPONENT = 64
MOST_GROWTH = 1000  # of a text by all replacements in a query
BACKTICKED = re.compile(r"`([^`'\"\n]*)`")
# Methods whose result is a number or a truth value, whatever they are called on.
_MEASURES = {
    "len", "count", "find", "contains", "startswith", "endswith", "match", "fullmatch", "isdigit", "isnumeric", "isalpha", "isalnum",
    "isna", "isnull", "notna", "notnull", "isin", "between", "eq", "ne", "lt", "le", "gt", "ge", "rank", "duplicated", "nunique",
}  # fmt: skip
_EQUALITIES = {"isin", "eq", "ne"}


def bound_query(frame: pd.DataFrame, query: str) -> pd.DataFrame:
    """Return the frame to evaluate a query on; raises `InvalidRequestError` if its constants, texts or patterns have no bounds.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = bound_query(pd.DataFrame({"size_bytes": [1]}), "size_bytes > 2**30")
    >>> bound_query(pd.DataFrame({"size_bytes": [1]}), "size_bytes > 10**10**10")
    Traceback (most recent call last):
    ...
    tinker_frames.errors.InvalidRequestError: a power has an exponent that is not a number up to 64. Compare columns with numbers and quoted text.
    """
    quoted: list[str] = []
    try:
        tree = ast.parse(BACKTICKED.sub(lambda found: _note(quoted, found[1]), query).strip())
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        if not re.search(r"[*%]|\bstr\b", query):
            return frame  # pandas says what is wrong with it
        problem = "it cannot be read"
    else:
        texts = _find_texts(frame, quoted)
        problem = next(filter(None, (_find_problem(node, texts) for node in ast.walk(tree))), "") or _find_growth(tree)
        names = {f"_quoted_{place}": name for place, name in enumerate(quoted)}
        if not problem and not (problem := _find_clash(frame, tree, names)):
            return bound_patterns(frame, tree, names)
    raise InvalidRequestError(problem, hint="Compare columns with numbers and quoted text.")


def _note(quoted: list[str], name: str) -> str:
    """Return a plain name for a column in backticks."""
    quoted.append(name)
    return f"_quoted_{len(quoted) - 1}"


def _find_texts(frame: pd.DataFrame, quoted: list[str]) -> set[str]:
    """Return the names, as they stand in the query, of columns that are not numbers, times or truth values."""
    dtypes = zip(map(str, frame.columns), frame.dtypes, strict=True)
    texts = {name for name, dtype in dtypes if getattr(dtype, "kind", "O") not in "biufcmM"}
    return texts | {f"_quoted_{place}" for place, name in enumerate(quoted) if name in texts}


def _find_problem(node: ast.AST, texts: set[str]) -> str:
    """Return what could grow without bounds in one operation; empty if nothing could."""
    match node:
        case ast.BinOp(op=ast.LShift() | ast.RShift() | ast.MatMult()):
            return "shifts are not allowed in queries"
        case ast.BinOp(op=ast.Pow(), left=left) if _has_power(left):
            return "a power of a power is not allowed in queries"
        case ast.BinOp(op=ast.Pow(), right=right) if not _read_number(right) <= MOST_EXPONENT:
            return f"a power has an exponent that is not a number up to {MOST_EXPONENT}"
        case ast.BinOp(op=ast.Mult(), left=left, right=right) if _is_text(left, texts) or _is_text(right, texts):
            return "text and lists cannot be multiplied"
        case ast.BinOp(op=ast.Mod(), left=left) if _is_text(left, texts):
            return "text cannot be formatted by %"
    return ""


def _find_clash(frame: pd.DataFrame, tree: ast.AST, names: dict[str, str]) -> str:
    """Return which column is compared with what none of its values can be, so that no row or every row is taken; empty if none is."""
    kinds = {str(name): _find_kind(dtype) for name, dtype in zip(frame.columns, frame.dtypes, strict=True)}
    pairs: list[tuple[ast.expr, ast.expr]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            pairs += [*pairwise(sides), *pairwise(reversed(sides))]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _EQUALITIES:
            pairs += [(node.func.value, value) for value in node.args]
    for column, value in pairs:
        name = names.get(column.id, column.id) if isinstance(column, ast.Name) else ""
        in_list = isinstance(value, (ast.List, ast.Tuple, ast.Set))
        values = value.elts if isinstance(value, (ast.List, ast.Tuple, ast.Set)) else [value]
        for one in values:
            if kinds.get(name) and isinstance(one, ast.Constant) and _clashes(kinds[name], one.value, in_list=in_list):
                what = "None, where isna() is meant" if one.value is None else repr(one.value)
                return f"{name} is {kinds[name]}, and is compared with {what}"
    return ""


def _find_kind(dtype: Any) -> str:
    """Return what the values of a column are; empty if they can be anything."""
    from pandas.api.types import is_bool_dtype, is_numeric_dtype

    if getattr(dtype, "kind", "O") in "mM":
        return "a time"
    if is_bool_dtype(dtype):
        return "true or false"
    text = getattr(getattr(dtype, "categories", None), "dtype", dtype)  # of a categorical, that of its values
    return "a number" if is_numeric_dtype(dtype) else "text" if getattr(text, "storage", "") else ""


def _clashes(kind: str, value: Any, *, in_list: bool) -> bool:
    """Tell whether no value of a kind can be this one; text beside a time or number has been read before, but not in lists."""
    if value is None:
        return True
    return isinstance(value, (int, float)) if kind == "text" else in_list and isinstance(value, str)


def _has_power(node: ast.expr) -> bool:
    return any(isinstance(one, ast.Pow) for one in ast.walk(node))


def _read_number(node: ast.expr) -> float:
    """Return the size of a number as it is written; infinite for anything else."""
    if isinstance(node, ast.UnaryOp):
        return _read_number(node.operand)
    is_number = isinstance(node, ast.Constant) and isinstance(node.value, (int, float))
    return min(abs(node.value), math.inf) if is_number else math.inf  # type: ignore[attr-defined]


def _is_text(node: ast.expr, texts: set[str]) -> bool:
    """Tell whether an expression may be text, or a list."""
    match node:
        case ast.Constant(value=value):
            is_text = isinstance(value, (str, bytes))
        case ast.Name(id=name):
            is_text = name in texts
        case ast.Call(func=ast.Attribute(value=value, attr=name)) | ast.Attribute(value=value, attr=name):
            is_text = name not in _MEASURES and (name == "day_name" or _is_text(value, texts))
        case ast.BinOp(left=left, right=right):
            is_text = _is_text(left, texts) or _is_text(right, texts)
        case ast.Subscript(value=inner) | ast.UnaryOp(operand=inner):
            is_text = _is_text(inner, texts)
        case _:
            is_text = isinstance(node, (ast.List, ast.Tuple, ast.Set, ast.JoinedStr))
    return is_text


def _find_growth(tree: ast.AST) -> str:
    """Return that a text would be replaced by far longer ones; each replacement can multiply what the others made."""
    calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute))
    replacements = (node for node in calls if node.func.attr == "replace")  # type: ignore[attr-defined]
    growth = math.prod(max(1, *map(_measure, _list_arguments(node))) for node in replacements)
    return "" if growth <= MOST_GROWTH else "its replacements could make text far too long"


def _list_arguments(call: ast.Call) -> list[ast.expr]:
    return [*call.args[1:], *(keyword.value for keyword in call.keywords), ast.Constant("")]


def _measure(node: ast.expr) -> int:
    """Return the length of the texts in an expression."""
    return sum(len(one.value) for one in ast.walk(node) if isinstance(one, ast.Constant) and isinstance(one.value, str))
