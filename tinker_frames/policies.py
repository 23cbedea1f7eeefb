"""Keep rules: which checkpoints stay. Pure functions of a frame of checkpoints, combined with `&`, `|` and `~`.

What is not known is not no: a row of which a rule cannot tell is kept, by the rule and by its negation.

Examples
--------
>>> rule = keep_last(3) | keep_public() | keep_named("final")
>>> rule
keep_last(3) | keep_public() | keep_named('final')
"""

from __future__ import annotations

import functools
import inspect
import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast

from .errors import InvalidRequestError
from .frames.measures import are_best, find_direction, read_metric, sounds_larger, split_measure
from .frames.patterns import check_pattern
from .frames.rules import Rule
from .frames.values import (
    DAY_S,
    RUN_AND_TYPE,
    are_first,
    compute_age_days,
    read_expiries,
    to_flags,
    to_numbers,
    to_times,
)
from .schema.arguments import check_argument, check_count, check_text
from .schema.coerce import parse_object
from .schema.docstrings import document
from .schema.durations import DURATION_FORMS, explain_ambiguity, parse_duration

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
    "read_within",
    "used_by_samplers",
]

Age = str | timedelta
FINAL_NAME = r"(?i)(?:^|[^a-z])(?:final|last)(?:$|[^a-z])"  # what `keep_final` searches names for


def __dir__() -> list[str]:
    """List the rules, also one that is added without a line in `__all__`, for completion."""
    return sorted({*__all__, *RULES})


@dataclass(frozen=True)
class KeepRule:
    """A rule as the command line and the views offer it."""

    name: str
    doc: str  # the first sentence of its docstring
    help: str  # the same for the command line and forms, where a parameter goes by its metavar: N, not `n`
    kind: Literal["flag", "count", "duration", "text"]  # of the value that it takes, from its signature
    make: Callable[..., Rule]  # of a value, and of the columns to count by where `counts`
    metavar: str
    label: str  # of the field in a view's form; empty for rules that are not in it
    least: int  # the smallest count
    suggested: int | bool | None  # what the field of a form begins with
    counts: bool  # whether it counts within groups
    example: str  # its arguments, as code


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
    """Declare a function that makes a rule, an option of `retire` and a field of the view's form; `parse` splits a text into several arguments."""

    def declare(original: Maker) -> Maker:
        @functools.wraps(original)
        def function(*args: Any, **options: Any) -> Rule:
            return original(*args, **options).made_by(function, args, options)

        kind = _infer_kind(function)
        grouping = [p.name for p in inspect.signature(function).parameters.values() if p.default is RUN_AND_TYPE]

        def make(value: Any, per: Any = RUN_AND_TYPE) -> Rule:
            if kind == "flag":
                _check_flag(function.__name__, value)
                return function()
            return function(*(parse(value) if parse else (value,)), **dict.fromkeys(grouping, per))

        name, doc = function.__name__, (function.__doc__ or "").split("\n")[0]
        text = re.sub(r"`([a-z])`", lambda found: found[1].upper(), doc).replace("`", "")
        RULES[name] = KeepRule(
            name, doc, text, kind, make, metavar or _METAVARS[kind], label, least, suggested, bool(grouping), example
        )
        _document_rule(function, example)
        return cast("Maker", function)

    return declare


def _check_flag(name: str, value: Any) -> None:
    if value is not True:
        raise InvalidRequestError(f"{name} takes True or False, not {value!r}", hint="Leave it out for False.")


_PARAMETERS = {
    "n": "Number of checkpoints to keep; 0 for none.",
    "k": "A whole number of 1 or more.",
    "pattern": "A regular expression, searched for in `name`.",
    **dict.fromkeys(("age", "within"), 'E.g. "7d" or "12h", or a timedelta.'),
    "key": "A key of `user_metadata`.",
    "value": "The value that it must have, compared as text; None for any.",
    "ended": "Whether samplers of ended sessions count as well.",
    "per": "The column that makes the groups, or several.",
}
_RETURNS = """Rule
    Combine it with `&`, `|` and `~`; call it with a frame of checkpoints for one bool per row. That raises `AttributeError`
    if the frame lacks a column that the rule needs."""


def _document_rule(function: Callable[..., Rule], example: str) -> None:
    raises = {"InvalidRequestError": "For an invalid value."} if inspect.signature(function).parameters else {}
    used = f"Examples\n--------\n>>> ckpts.tinker.retire(keep=tkf.policies.{function.__name__}({example}))"
    function.__doc__ = f"{inspect.cleandoc(function.__doc__ or '')}\n\n{used}"
    document(_PARAMETERS, returns=_RETURNS, raises=raises)(function)


_METAVARS = {"flag": "", "count": "N", "duration": "DURATION", "text": "TEXT"}


def _infer_kind(function: Callable[..., Rule]) -> Literal["flag", "count", "duration", "text"]:
    """Return what the first parameter of a function takes; a flag where every call can do without arguments."""
    parameters = list(inspect.signature(function).parameters.values())
    if all(parameter.kind is parameter.KEYWORD_ONLY for parameter in parameters):
        return "flag"
    kinds: dict[Any, Literal["count", "duration", "text"]] = {"int": "count", "Age": "duration"}
    return kinds.get(parameters[0].annotation, "text")


def check_rule(value: Any) -> Rule:
    """Return a keep rule; raise `InvalidRequestError` for anything else, which says how to make one."""
    if isinstance(value, Rule):
        return value
    name = getattr(value, "__name__", "")
    if name in RULES and value is globals().get(name):
        raise InvalidRequestError(
            f"the keep rule {name} was not called", hint=f"Call it: tkf.policies.{name}({RULES[name].example})."
        )
    what = f"a {type(value).__name__}" if callable(value) or inspect.ismodule(value) else repr(value)
    own = (
        f'; a function of your own is one by tkf.policies.Rule("{name or "mine"}", function)' if callable(value) else ""
    )
    raise InvalidRequestError(f"{what} is not a keep rule", hint=f"Make one with tkf.policies, e.g. keep_last(3){own}.")


def join_rules(values: Mapping[str, Any], per: str | Sequence[str] | None = None) -> Rule:
    """Return the rule that keeps what any of the declared rules named in `values` keeps.

    A value of None or False leaves a rule out; a list makes a rule of each of its values. `per` names the columns that rules
    which count do it by, instead of run and type; it is an error without such a rule.

    Raises
    ------
    InvalidRequestError
        If no rule is given, a name is unknown, or a value is not one that its rule takes.

    Examples
    --------
    >>> join_rules({"keep_last": 3, "keep_final": True, "keep_public": False})
    keep_last(3) | keep_final()
    """
    unknown = [name for name in values if name not in RULES]
    if unknown:
        raise InvalidRequestError(f"there is no keep rule {unknown[0]!r}", hint=f"The rules are {', '.join(RULES)}.")
    groups = {"per": per} if per else {}
    found = []
    for name, value in values.items():
        given = value if isinstance(value, (list, tuple)) else [value]
        options = groups if RULES[name].counts else {}
        found += [RULES[name].make(each, **options) for each in given if each is not None and each is not False]
    if per and not any(RULES[name].counts and _is_given(value) for name, value in values.items()):
        counting = ", ".join(name for name, rule in RULES.items() if rule.counts)
        raise InvalidRequestError(f"per={per!r} is given without a rule that counts", hint=f"These are {counting}.")
    if not found:
        raise InvalidRequestError(
            "the rule keeps nothing", hint="Name a rule; to remove every checkpoint, use expire or delete."
        )
    return functools.reduce(operator.or_, found)


def _is_given(value: Any) -> bool:
    """Tell whether a value of `join_rules` makes a rule."""
    return any(
        each is not None and each is not False for each in (value if isinstance(value, (list, tuple)) else [value])
    )


@keep_rule("Newest of each run", suggested=3, example="3")
def keep_last(n: int, by: str | Sequence[str] = RUN_AND_TYPE) -> Rule:
    """Keep the newest `n` of each type in each training run, or of each value of other columns.

    Of equally new ones all are kept, and so is what may be among the newest since its time, run or type is unknown.

    Parameters
    ----------
    by
        The column that makes the groups, or a list of columns.
    """
    n = check_count(n, 0)
    groups = _list_columns(by)

    def mask(frame: pd.DataFrame) -> Any:
        return are_first(to_times(frame["time"]), frame[groups], n, smallest=False)

    text = f"keep_last({n})" if groups == list(RUN_AND_TYPE) else f"keep_last({n}, by={_format_columns(groups)})"
    return Rule(text, mask, needs=("time", *groups))


@keep_rule("Steps that are multiples of", metavar="K", least=1, example="1000")
def keep_every(k: int) -> Rule:
    """Keep checkpoints whose step is a multiple of `k`; those without a step are not kept by this rule."""
    k = check_count(k, 1)
    return Rule(f"keep_every({k})", lambda frame: to_numbers(frame["step"]) % k == 0, needs=("step",))


@keep_rule("Named final or last", suggested=True)
def keep_final() -> Rule:
    """Keep checkpoints named final (also `final-…`, `…-final`, `last`)."""
    final = _compile_matcher(FINAL_NAME)
    return Rule("keep_final()", lambda frame: frame["name"].map(final), needs=("name",))


@keep_rule("Public", suggested=True)
def keep_public() -> Rule:
    """Keep public checkpoints, and those of which the server does not say whether they are public."""
    return Rule("keep_public()", lambda frame: to_flags(frame["public"]), needs=("public",))


@keep_rule(metavar="REGEX", example="'^eval-'")
def keep_named(pattern: str) -> Rule:
    """Keep checkpoints whose name contains a match of the regular expression."""
    check_text(pattern, "a regular expression")
    check_pattern(pattern)
    return Rule(f"keep_named({pattern!r})", lambda frame: frame["name"].map(_compile_matcher(pattern)), needs=("name",))


@keep_rule("Younger than", example="'7d'")
def newer_than(age: Age) -> Rule:
    """Keep checkpoints younger than this, and those whose time is unknown."""
    days = _parse_days(age)

    def mask(frame: pd.DataFrame) -> Any:
        ages = compute_age_days(to_times(frame["time"]))
        return (ages <= days).astype("boolean").where(ages.notna())

    return Rule(f"newer_than({_format_duration(age)})", mask, needs=("time",))


@keep_rule(metavar="KEY[=VALUE]", parse=lambda text: tuple(text.split("=", 1)), example="'project', 'alpha'")
def has_metadata(key: str, value: Any = None) -> Rule:
    """Keep checkpoints whose metadata has this key, and this value if one is given."""
    check_text(key, "a key of the metadata")

    def has(text: Any) -> bool:
        found = parse_object(text) or {}
        return key in found and (value is None or str(found[key]) == str(value))

    text = f"has_metadata({key!r})" if value is None else f"has_metadata({key!r}, {value!r})"
    return Rule(text, lambda frame: frame["user_metadata"].map(has), needs=("user_metadata",))


@keep_rule("Loaded by a sampler", suggested=True)
def used_by_samplers(*, ended: bool = False) -> Rule:
    """Keep checkpoints that a sampler has loaded or may have loaded: `loaded_by_sampler` is true or unknown; `retire` adds that column.

    A sampler lives as long as its session. Keep with `ended` also what only samplers of ended sessions had loaded:
    `loaded_by_ended_sampler`. That reads each of these sessions once, and again if it was seen active or ended otherwise since.
    """
    check_argument("ended", ended, bool)
    if ended:
        needs = ("loaded_by_sampler", "loaded_by_ended_sampler")
        return Rule(
            "used_by_samplers(ended=True)",
            lambda frame: to_flags(frame[needs[0]]) | to_flags(frame[needs[1]]),
            needs=needs,
        )
    return Rule("used_by_samplers()", lambda frame: to_flags(frame["loaded_by_sampler"]), needs=("loaded_by_sampler",))


@keep_rule()
def no_ttl() -> Rule:
    """Keep checkpoints that never expire, and those whose expiry is not known."""

    def mask(frame: pd.DataFrame) -> Any:
        times, unknown = read_expiries(frame)
        return times.isna().astype("boolean").mask(unknown)

    return Rule("no_ttl()", mask, needs=("expires_at",))


@keep_rule(example="'7d'")
def expiring(within: Age = "7d") -> Rule:
    """Keep checkpoints that expire within this time anyway, and those whose expiry is not known."""
    days = _parse_days(within)

    def mask(frame: pd.DataFrame) -> Any:
        times, unknown = read_expiries(frame)
        return (-compute_age_days(times) <= days).astype("boolean").mask(unknown)

    return Rule(f"expiring({_format_duration(within)})", mask, needs=("expires_at",))


@keep_rule("Read within", example="'60d'")
def read_within(within: Age) -> Rule:
    """Keep checkpoints that were read within this time, and those of which that is not known.

    Reads are in the audit log, which only admins of an organization can read; `retire` adds the columns that it needs, as does
    `df.tinker.with_reads`.
    """
    seconds = _parse_days(within) * DAY_S

    def mask(frame: pd.DataFrame) -> Any:
        ages = compute_age_days(to_times(frame["last_read_at"])) * DAY_S
        is_known = compute_age_days(to_times(frame["reads_known_since"])) * DAY_S >= seconds
        is_known &= ages.notna() | frame["last_read_at"].isna()  # what cannot be read is no time, and not "never"
        return (ages <= seconds).astype("boolean").mask(~(ages <= seconds) & ~is_known)

    needs = ("last_read_at", "reads_known_since")
    return Rule(f"read_within({_format_duration(within)})", mask, needs=needs, lookback_s=seconds)


@keep_rule("Best by", metavar="METRIC[:N][:max][:finite]", parse=split_measure, example="'meta.loss', n=2")
def best(
    by: str = "meta.loss",
    n: int = 1,
    smallest: bool | None = None,
    finite: bool = False,
    per: str | Sequence[str] = RUN_AND_TYPE,
) -> Rule:
    """Keep the best `n` of each type in each training run by a column, or by a metadata key as `meta.<key>`.

    Of equally good ones all are kept. Where no row has a number, the rule raises when it is called: its name is probably wrong.

    Parameters
    ----------
    by
        A column with numbers, e.g. of `df.tinker.with_metrics`; it is not known how good a row without one is. Or `meta.<key>` for a
        key of `user_metadata` (`<key>` alone if no column is called so); rows without a number are not kept then.
    n
        Number of checkpoints to keep, 1 or more.
    smallest
        Whether smaller values are better; None if so, but an error for names that say otherwise, such as accuracy.
    finite
        Whether a checkpoint of which the log has NaN or an infinite value, as those of diverged runs have, is not kept. Otherwise it
        is not known how good it is, as of one without a log.
    """
    n = check_count(n, 1)
    check_text(by, "a column")
    check_argument("smallest", smallest, bool | None)
    check_argument("finite", finite, bool)
    groups, is_smaller_better = _list_columns(per), find_direction(by, smallest)

    def read(frame: pd.DataFrame) -> Any:
        return to_numbers(read_metric(rule, frame, by))

    def mask(frame: pd.DataFrame) -> Any:
        return are_best(rule, frame, by, groups, n, smallest=is_smaller_better, finite=finite)

    options = [repr(by)] + ([f"n={n}"] if n != 1 else [])
    options += [f"smallest={is_smaller_better}"] if sounds_larger(by) or not is_smaller_better else []
    options += ["finite=True"] if finite else []
    options += [] if groups == list(RUN_AND_TYPE) else [f"per={_format_columns(groups)}"]
    rule = Rule(f"best({', '.join(options)})", mask, needs=tuple(groups), measures={by: read})
    return rule


def _format_duration(value: Age) -> str:
    """Return a duration as code that needs no import."""
    return repr(f"{parse_duration(value)}s" if isinstance(value, timedelta) else value)


def _compile_matcher(pattern: str) -> Callable[[Any], bool]:
    compiled = re.compile(pattern)
    return lambda name: isinstance(name, str) and compiled.search(name) is not None


def _parse_days(age: Age) -> float:
    """Return a duration in days; a bare number has no unit that people agree on."""
    seconds = 0
    with suppress(InvalidRequestError):
        seconds = parse_duration(age) if isinstance(age, (str, timedelta)) else 0
    if seconds > 0:
        return seconds / DAY_S
    raise InvalidRequestError(
        f"{age!r} is not a duration with a unit{explain_ambiguity(age)}",
        hint=f"Use e.g. {DURATION_FORMS}, or a timedelta.",
    )


def _list_columns(names: str | Sequence[str]) -> list[str]:
    """Return the columns to count by; text is one column, on the command line and in forms several with commas between."""
    if not isinstance(names, (str, Iterable)):
        raise InvalidRequestError(f"{names!r} names no columns to count by", hint="Pass one as text, or a list.")
    found = names.split(",") if isinstance(names, str) else list(names)
    if not found:
        raise InvalidRequestError("no column is named to count by", hint="Name one, e.g. training_run_id.")
    found = [name.strip() if isinstance(name, str) else name for name in found]
    for name in found:
        check_text(name, "the name of a column")
    return list(dict.fromkeys(found))


def _format_columns(names: list[str]) -> str:
    return repr(names[0] if len(names) == 1 else names)
