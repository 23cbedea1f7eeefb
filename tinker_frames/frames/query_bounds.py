"""Bounds of queries: refuse constants, texts and patterns that are so large or intricate that computing them never ends; pure.

`10**10**10 > 1` or `'a' * 10**10 == name` take a few characters to type, and all of the memory to compute. Comparing columns needs neither.
"""

from __future__ import annotations

import ast
import math
import re
from typing import TYPE_CHECKING

from ..errors import InvalidRequestError
from .kinds import get_column, parse_query
from .patterns import bound_patterns

if TYPE_CHECKING:
    import pandas as pd

MOST_EXPONENT = 64
MOST_GROWTH = 1000  # of a text by all replacements in a query
# Methods whose result is a number or a truth value, whatever they are called on.
_MEASURES = {
    "len", "count", "find", "contains", "startswith", "endswith", "match", "fullmatch", "isdigit", "isnumeric", "isalpha", "isalnum",
    "isna", "isnull", "notna", "notnull", "isin", "between", "eq", "ne", "lt", "le", "gt", "ge", "rank", "duplicated", "nunique",
}  # fmt: skip


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
    try:
        tree = parse_query(query)
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        if not re.search(r"[*%]|\bstr\b", query):
            return frame  # pandas says what is wrong with it
        problem = "it cannot be read"
    else:
        texts = _find_texts(frame)
        problem = next(filter(None, (_find_problem(node, texts) for node in ast.walk(tree))), "") or _find_growth(tree)
        if not problem:
            return bound_patterns(frame, tree)
    raise InvalidRequestError(problem, hint="Compare columns with numbers and quoted text.")


def _find_texts(frame: pd.DataFrame) -> set[str]:
    """Return the names of columns that are not numbers, times or truth values."""
    dtypes = zip(map(str, frame.columns), frame.dtypes, strict=True)
    return {name for name, dtype in dtypes if getattr(dtype, "kind", "O") not in "biufcmM"}


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
        case ast.Name():
            is_text = get_column(node) in texts
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
