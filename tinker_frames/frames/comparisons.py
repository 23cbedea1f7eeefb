"""Text that a query compares columns with, as values of the columns: times, sizes, durations and numbers; pure.

People type `time > '2026-11-01'`, `size > '1GB'` and `age < '2 weeks'`. pandas compares neither, or takes no row in silence; what it is
given instead is `time > '2026-11-01T00:00:00+00:00'`, `size_bytes > 1000000000` and `age_days < 14.0`.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from ..errors import InvalidRequestError
from ..schema.catalog import find_column
from ..schema.coerce import TRUTH_WORDS
from ..schema.durations import DURATION_FORMS, parse_duration
from ..schema.sizes import SIZE_FORMS, parse_size
from .kinds import DAY, FLAG, NAIVE, NOTHING, NUMBER, OBJECT, TEXT, TIME, find_kind, get_column, parse_query

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
_EQUALITIES: dict[str, type[ast.cmpop]] = {"eq": ast.Eq, "ne": ast.NotEq}
_METHODS = {op: method for method, op in _EQUALITIES.items()}
_LISTS = (ast.List, ast.Tuple, ast.Set)
_VALUES = ("int", "float", "time")  # kinds of columns whose order is not that of their text
_HINT = "Compare columns with numbers and quoted text."
_HINTS = {DAY: "Use dt.normalize() for dt.date.", OBJECT: "Make times of it with pd.to_datetime."}


def translate_comparisons(frame: pd.DataFrame, query: str) -> str:
    """Return a query in which text is a value that pandas compares with what is beside it; as it was if there is no such text.

    * Times are UTC unless they have an offset; a day is its midnight.
    * `…_bytes` and `…_gb` are compared with sizes, `…_days` with durations, also by their names without these endings: `size`, `age`.
    * Other numbers are compared with numbers, and truth values with 'true', 'yes', 'false' or 'no'.

    Raises
    ------
    InvalidRequestError
        For text that is no value of the column, with the forms that it can have, and for what no row can meet, e.g. `name == 5`.

    Examples
    --------
    >>> import pandas as pd
    >>> translate_comparisons(pd.DataFrame({"size_bytes": [1], "name": ["a"]}), "size > '1kB' and name != '1kB'")
    "size_bytes > 1000 and name != '1kB'"
    """
    try:
        statement = parse_query(query).body[0]
    except (SyntaxError, ValueError, MemoryError, RecursionError, IndexError):
        return query  # pandas says what is wrong with it
    translation = _Translation(frame)
    translated = translation.visit(statement.value) if isinstance(statement, ast.Expr) else statement
    return _write_condition(translated) if translation.is_altered else query


def _write_condition(node: ast.AST) -> str:
    """Return a condition as text; `ast.unparse` would put the third of those that are joined in parentheses."""
    if not isinstance(node, ast.BoolOp):
        return _write(node)
    parts = [f"({_write_condition(part)})" if isinstance(part, ast.BoolOp) else _write(part) for part in node.values]
    return (" and " if isinstance(node.op, ast.And) else " or ").join(parts)


class _Translation(ast.NodeTransformer):
    """Makes values of the text in comparisons, and refuses those that every row or none would meet."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self._frame, self.is_altered = frame, False

    def visit_Compare(self, node: ast.Compare) -> ast.expr:
        """Return a comparison, or of a chain those that it joins."""
        sides = [node.left, *node.comparators]
        parts: list[ast.expr] = [
            self._compare(one, op, other) for (one, other), op in zip(pairwise(sides), node.ops, strict=True)
        ]
        return parts[0] if len(parts) == 1 else ast.BoolOp(ast.And(), parts)

    def visit_Call(self, node: ast.Call) -> ast.expr:
        """Return a call; of `eq`, `ne` and `isin` as of the operators that they stand for."""
        method = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        if isinstance(node.func, ast.Attribute) and len(node.args) == 1 and not node.keywords:
            if method in _EQUALITIES:
                made = self._compare(node.func.value, _EQUALITIES[method](), node.args[0])
                if isinstance(made, ast.Compare):  # which pandas evaluates in another way for missing text
                    return ast.Call(ast.Attribute(made.left, method), made.comparators, [])
                return made
            if method == "isin":
                self._check(node.func.value, ast.In(), node.args[0])
        self.generic_visit(node)
        return node

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.expr:
        """Return conditions joined by `and` or `or`, which pandas would also join if they were numbers."""
        self.generic_visit(node)
        for value in node.values:
            self._require_flag(value)
        return node

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.expr:
        """Return what is negated; of a number, `~` is another one."""
        self.generic_visit(node)
        if isinstance(node.op, (ast.Not, ast.Invert)):
            self._require_flag(node.operand)
        return node

    def _require_flag(self, node: ast.expr) -> None:
        if (kind := find_kind(self._frame, node)) not in ("", FLAG):
            raise InvalidRequestError(f"{_write(node)} is {kind}, where a condition is needed", hint=_HINT)

    def _compare(self, one: ast.expr, op: ast.cmpop, other: ast.expr) -> ast.Compare | ast.Call:
        one, other = self.visit(one), self.visit(other)
        if isinstance(op, (ast.In, ast.NotIn)) or not (_is_text(one) or _is_text(other)):
            self._check(one, op, other)
        elif _is_text(other):
            one, other = self._read(one, other)
        else:
            other, one = self._read(other, one)
        for column, text in ((one, other), (other, one)):
            if type(op) in _METHODS and _is_text(text) and find_kind(self._frame, column) in (TIME, NAIVE):
                return ast.Call(ast.Attribute(column, _METHODS[type(op)]), [text], [])  # `==` would look for the text
        return ast.Compare(one, [op], [other])

    def _read(self, column: ast.expr, text: ast.expr) -> tuple[ast.expr, ast.expr]:
        """Return an expression and the value of the text beside it."""
        column, unit = self._find_unit(column)
        kind, name = find_kind(self._frame, column), _write(column).strip("`")
        value = ast.literal_eval(text)
        if kind == NUMBER:
            value = _read_unit(unit or Unit("", "number", NUMBER_FORMS, _parse_number), name, value)
        elif kind in (TIME, NAIVE):
            value = _read_time(name, value, has_zone=kind == TIME)
        elif kind == FLAG:
            value = _read_flag(name, value)
        else:
            self._check(column, ast.Eq(), text)
            declared = find_column(name)
            if kind == TEXT and (unit or (declared is not None and declared.kind in _VALUES)):
                hint = "Make numbers or times of it, with pd.to_numeric or pd.to_datetime."
                raise InvalidRequestError(f"{name} is text in this frame, which has another order", hint=hint)
            return column, text
        self.is_altered = True
        return column, ast.Constant(value)

    def _find_unit(self, column: ast.expr) -> tuple[ast.expr, Unit | None]:
        """Return a column, also one that is named without its unit, and the unit."""
        name, names = get_column(column), self._frame.columns
        if not name or name in names:
            return column, next((each for each in UNITS if name.endswith(each.suffix)), None)
        unit = next((each for each in UNITS if name + each.suffix in names), None)
        whole = name if unit is None else name + unit.suffix
        return ast.Name(whole if whole.isidentifier() else f"`{whole}`"), unit

    def _check(self, one: ast.expr, op: ast.cmpop, other: ast.expr) -> None:
        """Refuse a comparison of what is never equal."""
        if isinstance(op, (ast.In, ast.NotIn)) and isinstance(one, ast.Constant):
            hint = f"To search in text, write {_write(other)}.str.contains({one.value!r})."
            raise InvalidRequestError(f"{_write(one)} is looked for in whole values", hint=hint)
        if isinstance(one, _LISTS):
            one, other = other, one
        kind = find_kind(self._frame, one)
        for value in other.elts if isinstance(other, _LISTS) else [other]:
            found = find_kind(self._frame, value)
            if (
                kind
                and found
                and kind != found
                and not _is_truth(kind, one, value)
                and not _is_truth(found, value, one)
            ):
                known = ", where isna() is meant" if found == NOTHING else f", which is {found}"
                what = _write(value) + (known if found == NOTHING or not isinstance(value, ast.Constant) else "")
                hint = next((_HINTS[each] for each in (kind, found) if each in _HINTS), _HINT)
                raise InvalidRequestError(f"{_write(one).strip('`')} is {kind}, and is compared with {what}", hint=hint)


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _is_truth(kind: str, one: ast.expr, value: ast.expr) -> bool:
    """Tell whether an expression is a condition, and is compared with 0 or 1."""
    return (
        kind == FLAG and not isinstance(one, ast.Constant) and isinstance(value, ast.Constant) and value.value in (0, 1)
    )


def _write(node: ast.AST) -> str:
    return ast.unparse(ast.fix_missing_locations(node))


def _read_unit(unit: Unit, name: str, text: str) -> float:
    try:
        return unit.parse(text)
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


def _read_flag(name: str, text: str) -> bool:
    words = TRUTH_WORDS | {"yes": True, "no": False}  # as tables show them
    if text.strip().lower() not in words:
        raise _refuse(name, text, "truth value", f"{name}, not {name} or {name} == 'yes'")
    return words[text.strip().lower()]


def _read_time(name: str, text: str, *, has_zone: bool) -> str:
    """Return a time in the form that pandas compares with times that have a zone, or have none."""
    import pandas as pd

    try:
        time = pd.to_datetime(text.strip(), format="ISO8601")
        if time.tzinfo is None and has_zone:
            time = time.tz_localize("UTC")
        if (time.tzinfo is None) == has_zone or not text.strip()[0].isdigit():  # pandas' `today` is a local time
            raise ValueError(text)
    except ValueError:
        raise _refuse(name, text, "time" if has_zone else "time without zone", TIME_FORMS) from None
    return str(time.isoformat())


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
