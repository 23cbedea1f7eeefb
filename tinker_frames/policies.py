"""Keep rules: which checkpoints stay. Pure functions of a frame of checkpoints, combined with `&`, `|` and `~`.

A function with `@keep_rule` declares a rule; the option of `retire` and the field of the view's form are made from it.

>>> rule = keep_last(3) | keep_public() | keep_named("final")
>>> rule
keep_last(3) | keep_public() | keep_named('final')
"""

from __future__ import annotations

import functools
import inspect
import math
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from .errors import InvalidRequestError
from .schema.coerce import parse_object
from .schema.docstrings import document
from .schema.durations import Duration, parse_duration
from .schema.identity import align_mask, restore_keys

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "Rule",
    "best",
    "expiring",
    "has_metadata",
    "keep_every",
    "keep_final",
    "keep_last",
    "keep_named",
    "keep_public",
    "newer_than",
    "no_ttl",
    "used_by_samplers",
]

Mask = Callable[["pd.DataFrame"], "pd.Series[bool]"]
DAY_S = 86_400


def __dir__() -> list[str]:
    """List the rules, also one that is added without a line in `__all__`, for completion."""
    return sorted({*__all__, *RULES})


class Rule:
    """A condition on checkpoints: call it with a frame for one bool per row; combine rules with `&`, `|` and `~`."""

    def __init__(
        self, text: str, mask: Mask, *, needs: tuple[str, ...] = (), precedence: int = 3, code: str = ""
    ) -> None:
        self._text, self._mask, self._needs, self._precedence = text, mask, needs, precedence
        self._code = code or f"tkf.policies.{text}"

    @property
    def code(self) -> str:
        """The rule as code that runs after `import tinker_frames as tkf`.

        >>> (keep_last(3) & ~keep_public()).code
        'tkf.policies.keep_last(3) & ~tkf.policies.keep_public()'
        """
        return self._code

    def __call__(self, frame: pd.DataFrame) -> pd.Series[bool]:
        """Return a boolean Series with the index of the frame: True for the rows it keeps, False where a value is unknown.

        Raises
        ------
        AttributeError
            If the frame lacks a column that the rule needs.
        InvalidRequestError
            If the mask of a rule of one's own is of other rows; a Series is aligned by its index.
        """
        labels, frame = frame.index, restore_keys(frame).reset_index(drop=True)  # rows may repeat labels
        _require_columns(self, frame, *self._needs)
        mask = align_mask(self._mask(frame), frame.index, f"the mask of {self}")
        return mask.fillna(False).astype(bool).set_axis(labels)

    def reasons(self, frame: pd.DataFrame) -> pd.Series[str]:
        """Return a str Series with the index of the frame: the part of the rule that keeps the row, empty for rows it does not keep."""
        import pandas as pd

        mask = self(frame)
        return pd.Series(str(self), index=frame.index).where(mask, "")

    def __and__(self, other: Rule) -> Rule:
        return Both(self, other)

    def __or__(self, other: Rule) -> Rule:
        return Either(self, other)

    def __invert__(self) -> Rule:
        code = f"~{self.wrap(self.code, 3)}"
        return Rule(f"~{self.wrap(str(self), 3)}", lambda frame: ~self(frame), precedence=3, code=code)

    def __bool__(self) -> bool:
        raise TypeError(f"{self} is a rule, not a truth value; combine rules with & | ~ instead of and, or, not")

    def __repr__(self) -> str:
        return self._text

    def wrap(self, text: str, precedence: int) -> str:
        """Return the rule's text or code, in parentheses if the operator around it binds more tightly."""
        return text if self._precedence >= precedence else f"({text})"


class Both(Rule):
    """A rule that keeps the rows that both of its parts keep."""

    def __init__(self, one: Rule, other: Rule) -> None:
        super().__init__(
            f"{one.wrap(str(one), 2)} & {other.wrap(str(other), 2)}",
            lambda frame: one(frame) & other(frame),
            precedence=2,
            code=f"{one.wrap(one.code, 2)} & {other.wrap(other.code, 2)}",
        )


class Either(Rule):
    """A rule that keeps the rows that either of its parts keeps."""

    def __init__(self, one: Rule, other: Rule) -> None:
        super().__init__(
            f"{one} | {other}",
            lambda frame: one(frame) | other(frame),
            precedence=1,
            code=f"{one.code} | {other.code}",
        )
        self._parts = (one, other)

    def reasons(self, frame: pd.DataFrame) -> pd.Series[str]:
        """Return per row the parts that keep it."""
        one, other = (part.reasons(frame) for part in self._parts)
        both = one.where(other == "", one + "; " + other)
        return both.where(one != "", other)


@dataclass(frozen=True)
class KeepRule:
    """A rule as the command line and the views offer it."""

    name: str
    doc: str  # the first sentence of its docstring
    help: str  # the same for the command line and forms, where a parameter goes by its metavar: N, not `n`
    kind: Literal["flag", "count", "duration", "text"]  # of the value that it takes, from its signature
    make: Callable[[Any], Rule]
    metavar: str
    label: str  # of the field in a view's form; empty for rules that are not in it
    least: int  # the smallest count
    suggested: int | bool | None  # what the field of a form begins with


RULES: dict[str, KeepRule] = {}

Maker = TypeVar("Maker", bound=Callable[..., Rule])


def keep_rule(
    label: str = "",
    *,
    metavar: str = "",
    least: int = 0,
    suggested: int | bool | None = None,
    parse: Callable[[str], tuple[Any, ...]] | None = None,
    example: str = "",
) -> Callable[[Maker], Maker]:
    """Declare a function that makes a rule; `parse` splits a text into several arguments, `example` goes into the docstring."""

    def declare(function: Maker) -> Maker:
        kind = _infer_kind(function)

        def make(value: Any) -> Rule:
            return function() if kind == "flag" else function(*parse(value)) if parse else function(value)

        name, doc = function.__name__, (function.__doc__ or "").split("\n")[0]
        text = re.sub(r"`([a-z])`", lambda found: found[1].upper(), doc).replace("`", "")
        RULES[name] = KeepRule(name, doc, text, kind, make, metavar or _METAVARS[kind], label, least, suggested)
        _document_rule(function, example)
        return function

    return declare


_PARAMETERS = {
    "n": "Number of checkpoints to keep; 0 for none.",
    "k": "A whole number of 1 or more.",
    "pattern": "A regular expression, searched for in `name`.",
    **dict.fromkeys(("age", "within"), 'E.g. "7d" or "12h"; seconds, or a timedelta.'),
    "key": "A key of `user_metadata`.",
    "value": "The value that it must have, compared as text; None for any.",
    "smallest": "Whether smaller values are better.",
    "per": "The column that makes the groups.",
}
_RETURNS = """Rule
    Combine it with `&`, `|` and `~`; call it with a frame of checkpoints for one bool per row. That raises `AttributeError`
    if the frame lacks a column that the rule needs."""


def _document_rule(function: Callable[..., Rule], example: str) -> None:
    raises = {"InvalidRequestError": "For an invalid value."} if inspect.signature(function).parameters else {}
    used = f"Examples\n--------\n>>> ckpts.tinker.retire(keep=tkf.policies.{function.__name__}({example}))  # doctest: +SKIP"
    function.__doc__ = f"{inspect.cleandoc(function.__doc__ or '')}\n\n{used}"
    document(_PARAMETERS, returns=_RETURNS, raises=raises)(function)


_METAVARS = {"flag": "", "count": "N", "duration": "DURATION", "text": "TEXT"}


def _infer_kind(function: Callable[..., Rule]) -> Literal["flag", "count", "duration", "text"]:
    """Return what the first parameter of a function takes; a flag where every call can do without arguments."""
    parameters = list(inspect.signature(function).parameters.values())
    if not parameters:
        return "flag"
    kinds: dict[Any, Literal["count", "duration", "text"]] = {"int": "count", "Duration": "duration"}
    return kinds.get(parameters[0].annotation, "text")


def join_rules(values: Mapping[str, Any]) -> Rule:
    """Return the rule that keeps what any of the declared rules named in `values` keeps.

    A value of None or False leaves a rule out; a list makes a rule of each of its values.

    Raises
    ------
    InvalidRequestError
        If no rule is given, or a name is unknown.

    Examples
    --------
    >>> join_rules({"keep_last": 3, "keep_final": True, "keep_public": False})
    keep_last(3) | keep_final()
    """
    unknown = [name for name in values if name not in RULES]
    if unknown:
        raise InvalidRequestError(f"there is no keep rule {unknown[0]!r}", hint=f"The rules are {', '.join(RULES)}.")
    found = []
    for name, value in values.items():
        given = value if isinstance(value, (list, tuple)) else [value]
        found += [RULES[name].make(each) for each in given if each is not None and each is not False]
    if not found:
        raise InvalidRequestError(
            "the rule keeps nothing", hint="Name a rule; to remove every checkpoint, use expire or delete."
        )
    return functools.reduce(operator.or_, found)


@keep_rule("Newest of each run", suggested=3, example="3")
def keep_last(n: int, by: str = "training_run_id") -> Rule:
    """Keep the newest `n` of each training run (or of each value of another column, or of several in a list).

    Parameters
    ----------
    by
        The column that makes the groups, or a list of columns.
    """
    _check_count(n, 0)
    groups = [by] if isinstance(by, str) else list(by)

    def mask(frame: pd.DataFrame) -> Any:
        rows = frame[list(dict.fromkeys(["tinker_path", *groups]))].assign(_time=_to_times(frame["time"]))
        newest_first = rows.sort_values(["_time", "tinker_path"], ascending=False, kind="stable", na_position="first")
        rank = newest_first.groupby(groups, dropna=False, observed=True, sort=False).cumcount()
        return (rank < n).reindex(frame.index)

    text = f"keep_last({n})" if by == "training_run_id" else f"keep_last({n}, by={by!r})"
    return Rule(text, mask, needs=("tinker_path", "time", *groups))


@keep_rule("Steps that are multiples of", metavar="K", least=1, example="1000")
def keep_every(k: int) -> Rule:
    """Keep checkpoints whose step is a multiple of `k`; those without a step are not kept by this rule."""
    _check_count(k, 1)
    return Rule(f"keep_every({k})", lambda frame: _to_numbers(frame["step"]) % k == 0, needs=("step",))


@keep_rule("Named final or last", suggested=True)
def keep_final() -> Rule:
    """Keep checkpoints named final (also `final-…`, `…-final`, `last`)."""
    final = _compile_matcher(r"(?i)(?:^|[^a-z])(?:final|last)(?:$|[^a-z])")
    return Rule("keep_final()", lambda frame: frame["name"].map(final), needs=("name",))


@keep_rule("Public", suggested=True)
def keep_public() -> Rule:
    """Keep public checkpoints, and those of which the server does not say whether they are public."""
    return Rule("keep_public()", lambda frame: ~_is_known_false(frame["public"]), needs=("public",))


@keep_rule(metavar="REGEX", example="'^eval-'")
def keep_named(pattern: str) -> Rule:
    """Keep checkpoints whose name contains a match of the regular expression."""
    try:
        re.compile(pattern)
    except re.error as error:
        problem = str(error)
    else:
        return Rule(
            f"keep_named({pattern!r})", lambda frame: frame["name"].map(_compile_matcher(pattern)), needs=("name",)
        )
    raise InvalidRequestError(
        f"{pattern!r} is not a regular expression: {problem}", hint="Escape what is meant literally."
    )


@keep_rule("Younger than", example="'7d'")
def newer_than(age: Duration) -> Rule:
    """Keep checkpoints younger than this, and those whose time is unknown."""
    days = parse_duration(age) / DAY_S
    return Rule(
        f"newer_than({_format_duration(age)})", lambda frame: ~(_compute_age_days(frame) > days), needs=("time",)
    )


@keep_rule(metavar="KEY[=VALUE]", parse=lambda text: tuple(text.split("=", 1)), example="'project', 'alpha'")
def has_metadata(key: str, value: Any = None) -> Rule:
    """Keep checkpoints whose metadata has this key, and this value if one is given."""

    def has(text: Any) -> bool:
        found = parse_object(text) or {}
        return key in found and (value is None or str(found[key]) == str(value))

    text = f"has_metadata({key!r})" if value is None else f"has_metadata({key!r}, {value!r})"
    return Rule(text, lambda frame: frame["user_metadata"].map(has), needs=("user_metadata",))


@keep_rule("Loaded by a sampler", suggested=True)
def used_by_samplers() -> Rule:
    """Keep checkpoints that a sampler has loaded or may have loaded: `loaded_by_sampler` is true or unknown; `retire` adds that column."""
    return Rule(
        "used_by_samplers()", lambda frame: ~_is_known_false(frame["loaded_by_sampler"]), needs=("loaded_by_sampler",)
    )


@keep_rule()
def no_ttl() -> Rule:
    """Keep checkpoints that never expire."""
    return Rule("no_ttl()", lambda frame: _to_times(frame["expires_at"]).isna(), needs=("expires_at",))


@keep_rule(example="'7d'")
def expiring(within: Duration = "7d") -> Rule:
    """Keep checkpoints that expire within this time anyway."""
    days = parse_duration(within) / DAY_S
    text = f"expiring({_format_duration(within)})"
    return Rule(text, lambda frame: -_compute_age_days(frame, "expires_at") <= days, needs=("expires_at",))


def _split_best(text: str) -> tuple[str, int]:
    """Return the column and the number of `COLUMN[:N]`; a key of the metadata may hold colons itself."""
    column, colon, number = text.rpartition(":")
    if not colon:
        return text, 1
    if not number.isdecimal() or len(number) > 9:
        raise InvalidRequestError(f"{text!r} has no number after the colon", hint="Write e.g. meta.loss:2.")
    return column, int(number)


@keep_rule(metavar="COLUMN[:N]", parse=_split_best, example="'meta.loss', n=2")
def best(by: str = "meta.loss", n: int = 1, smallest: bool = True, per: str = "training_run_id") -> Rule:
    """Keep the best `n` of each training run by a column, or by a metadata key as `meta.<key>`.

    Parameters
    ----------
    by
        A column with numbers, or `meta.<key>` for a key of `user_metadata`; rows without a number are not kept.
    """
    _check_count(n, 0)

    def mask(frame: pd.DataFrame) -> Any:
        is_key = by.startswith("meta.") and by not in frame.columns
        _require_columns(rule, frame, "user_metadata" if is_key else by)
        key = by.removeprefix("meta.")
        values = _to_numbers(
            frame["user_metadata"].map(lambda text: (parse_object(text) or {}).get(key)) if is_key else frame[by]
        )
        known = values[values.notna()].sort_values(ascending=smallest, kind="stable")
        rank = known.groupby(frame[per].reindex(known.index), dropna=False, observed=True, sort=False).cumcount()
        return (rank < n).reindex(frame.index)

    options = [repr(by)] + ([f"n={n}"] if n != 1 else []) + ([] if smallest else ["smallest=False"])
    options += [] if per == "training_run_id" else [f"per={per!r}"]
    rule = Rule(f"best({', '.join(options)})", mask, needs=(per,))
    return rule


def _format_duration(value: Duration) -> str:
    """Return a duration as code that needs no import."""
    return repr(f"{parse_duration(value)}s" if isinstance(value, timedelta) else value)


def _compute_age_days(frame: pd.DataFrame, column: str = "time") -> Any:
    return (_now() - _to_times(frame[column])).dt.total_seconds() / DAY_S


def _now() -> pd.Timestamp:
    import pandas as pd

    return pd.Timestamp.now("UTC")


def _to_times(values: pd.Series[Any]) -> Any:
    """Return times in UTC, also from text; other text becomes NA."""
    import pandas as pd

    if isinstance(values.dtype, pd.DatetimeTZDtype):
        return values
    return pd.to_datetime(values.astype("object"), utc=True, errors="coerce", format="ISO8601")


def _to_numbers(values: pd.Series[Any]) -> Any:
    """Return finite numbers, also from text; other text becomes NaN."""
    return values.astype("object").map(_to_number).astype("float64")


def _to_number(value: Any) -> float:
    try:
        found = float(value)
    except (TypeError, ValueError, OverflowError):
        return math.nan
    return found if math.isfinite(found) else math.nan


def _is_known_false(values: pd.Series[Any]) -> Any:
    """Return the mask of values known to be false, also of flags that are text."""
    return (
        values.astype("object")
        .map(lambda value: str(value).strip().lower() in ("false", "0", "0.0", "no"))
        .astype(bool)
    )


def _require_columns(rule: Rule, frame: pd.DataFrame, *columns: str) -> None:
    missing = [name for name in columns if name not in frame.columns]
    if missing:
        raise AttributeError(f"{rule} needs the column {', '.join(map(repr, missing))}, and the frame has none")


def _compile_matcher(pattern: str) -> Callable[[Any], bool]:
    compiled = re.compile(pattern)
    return lambda name: isinstance(name, str) and compiled.search(name) is not None


def _check_count(n: int, least: int) -> None:
    if isinstance(n, bool) or not isinstance(n, int) or n < least:
        raise InvalidRequestError(f"{n!r} is not a whole number of {least} or more", hint="Pass a count.")
