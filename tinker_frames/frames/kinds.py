"""Parse queries, and find what the values of an expression are: text, numbers, times, truth values; pure."""

from __future__ import annotations

import ast
import re
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

TEXT, NUMBER, TIME, FLAG = "text", "a number", "a time", "true or false"
NAIVE, DAY, OBJECT, NOTHING = "a time without zone", "a day", "a time in a column of objects", "None"
QUOTED = r"""'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*\""""
TRIES = 3  # Pythons before 3.11.8 miscount how deep they are while two threads parse, and raise SystemError for nothing
_TOKEN = re.compile(rf"{QUOTED}|`(?P<column>[^`'\"\n]*)`|(?P<operator>[&|])")
_OPERATORS = {"&": " and ", "|": " or "}  # as pandas reads them, whatever their precedence in Python
_OBJECTS = {
    "string": TEXT, "boolean": FLAG, "integer": NUMBER, "floating": NUMBER, "mixed-integer-float": NUMBER, "decimal": NUMBER,
    "date": DAY, "datetime": OBJECT, "datetime64": OBJECT,
}  # fmt: skip


def parse_query(query: str) -> ast.Module:
    """Return a query as a tree in which a column in backticks is a name with its backticks.

    Raises
    ------
    SyntaxError, ValueError, MemoryError, RecursionError
        For what Python cannot read.
    """
    names: dict[str, str] = {}

    def replace(found: re.Match[str]) -> str:
        if found["column"] is None:
            return _OPERATORS.get(found[0], found[0])
        name = f"_column_{len(names)}_"
        while name in query:
            name += "_"
        names[name] = f"`{found['column']}`"
        return name

    tree = ast.parse(_TOKEN.sub(replace, query).strip())
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            node.id = names.get(node.id, node.id)
    return tree


def get_column(node: ast.AST) -> str:
    """Return the name of a column in a tree, without its backticks; empty for anything else than a name."""
    return node.id.strip("`") if isinstance(node, ast.Name) else ""


def evaluate(frame: pd.DataFrame, query: str) -> Any:
    """Return what pandas evaluates a checked query to."""
    for _ in range(TRIES):
        with suppress(SystemError):
            return frame.eval(query, engine="python", local_dict={}, global_dict={})
    return frame.eval(query, engine="python", local_dict={}, global_dict={})


def find_kind(frame: pd.DataFrame, node: ast.expr) -> str:
    """Return what the values of an expression on a frame's columns are; empty if they can be anything, or it cannot be evaluated."""
    if isinstance(node, ast.Constant):
        return NOTHING if node.value is None else _find_kind_of(node.value)
    if isinstance(node, (ast.Compare, ast.BoolOp)):
        return FLAG
    if list(frame.columns).count(name := get_column(node)) == 1:
        return _find_kind_of(frame[name])
    try:
        return _find_kind_of(evaluate(frame, ast.unparse(node)))
    except Exception:  # noqa: BLE001  # evaluating the whole query says what is wrong with it
        return ""


def _find_kind_of(values: Any) -> str:
    from pandas.api.types import infer_dtype, is_bool_dtype, is_numeric_dtype, is_object_dtype, is_string_dtype

    dtype = getattr(values, "dtype", None)
    if isinstance(values, datetime):
        return "" if values != values else TIME if values.tzinfo else NAIVE  # noqa: PLR0124  # NaT is not equal to itself
    if dtype is None:
        return _OBJECTS.get(infer_dtype([values]), "")
    if getattr(dtype, "categories", None) is not None:
        values, dtype = dtype.categories, dtype.categories.dtype
    kind = getattr(dtype, "kind", "O")
    if kind == "M":
        return TIME if getattr(dtype, "tz", None) is not None else NAIVE
    if is_object_dtype(dtype):
        return _OBJECTS.get(infer_dtype(values, skipna=True), "")
    if is_bool_dtype(dtype):
        return FLAG
    return NUMBER if is_numeric_dtype(dtype) else TEXT if is_string_dtype(dtype) else ""
