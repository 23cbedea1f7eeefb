"""The forms of actions: their fields, and the values that were filled in as arguments; pure except for `read_file`.

A view offers the actions of `plans.actions`, and `EXPORT`. The fields follow from an action's parameters, those of a keep rule from
`policies.RULES`; a new action or rule needs no change here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InvalidRequestError
from ..frames.formats import list_suffixes
from ..frames.locations import exists, parse_location
from ..plans.actions import ACTIONS, Action, Parameter
from ..plans.summary import get_common_ttl, has_own_ttls
from ..policies import RULES, KeepRule, join_rules
from .messages import ActionButton, FormField

if TYPE_CHECKING:
    import pandas as pd

# The only action that does not write to checkpoints; it has no plan.
EXPORT = Action("export", "export", "be written to a file", label="Export…", doc="Write the rows to a file.")
OFFERED = {action.name: action for action in (*ACTIONS.values(), EXPORT) if action.is_offered}

GROUPS = "per"  # the field of the columns that keep rules count within

BEST = 2  # how many a form suggests to keep by a metric
TEST_LOSS = re.compile(r"(test|eval|val)[^:]*(nll|loss)[^:]*")

PICKS = ["1d", "7d", "30d", "90d", "365d"]  # durations offered as buttons


def get_offered(name: str) -> Action:
    """Return the action of a name.

    Raises
    ------
    InvalidRequestError
        If there is no such action.
    """
    if name not in OFFERED:
        raise InvalidRequestError(f"there is no action {name!r}", hint=f"The actions are {', '.join(OFFERED)}.")
    return OFFERED[name]


def make_button(action: Action) -> ActionButton:
    """Return the button of an action."""
    return {"name": action.name, "label": action.label, "doc": action.doc.replace("`", ""), "tone": action.tone}


def make_fields(action: Action, table: str = "checkpoints", metric: str = "") -> list[FormField]:
    """Return the fields of an action's form for rows of a table; none if it takes no arguments.

    Where the rows have a metric, the form begins with the best by it instead of the newest.
    """
    if action is EXPORT:
        return _make_file_fields(table)
    fields: list[FormField] = []
    for parameter in action.parameters:
        if not parameter.in_form:
            continue
        if parameter.kind == "rule":
            fields += [*(_make_rule_field(rule, metric) for rule in RULES.values() if rule.label), _make_groups_field()]
        else:
            fields.append(_make_duration_field(parameter))
    return fields


def read_arguments(action: Action, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of the fields as arguments, with keep rules joined into one, checked by `Action.parse`.

    Raises
    ------
    InvalidRequestError
        For unknown or missing arguments, and for invalid values.
    """
    rule = next((parameter.name for parameter in action.parameters if parameter.kind == "rule"), "")
    rules = {name: value for name, value in given.items() if rule and name in RULES}
    arguments = {name: value for name, value in given.items() if name not in rules and (name != GROUPS or not rules)}
    if rules and rule in arguments:
        raise InvalidRequestError(f"give either {rule} or {next(iter(rules))}", hint="Join rules with |.")
    if rules:
        chosen = {name: value for name, value in rules.items() if value not in ("", None, 0)}
        arguments[rule] = join_rules(chosen, given.get(GROUPS) or None)
    action.parse(arguments)
    return arguments


def read_file(given: Mapping[str, Any]) -> tuple[Path | str, bool]:
    """Return the file to write, and whether to write the rows' checkpoints instead of the rows.

    Raises
    ------
    InvalidRequestError
        For unknown fields, without a file name, and for an existing file without `overwrite`.
    """
    known = [field["name"] for field in make_fields(EXPORT, "sessions")]
    if unknown := [name for name in given if name not in known]:
        raise InvalidRequestError(f"export does not take {unknown[0]!r}", hint=f"It takes {', '.join(known)}.")
    named = str(given.get("path") or "").strip()
    path = parse_location(named) if named else Path()
    if path == Path():
        raise InvalidRequestError("no file name is given", hint="Use e.g. checkpoints.parquet.")
    if exists(path) and not given.get("overwrite"):
        raise InvalidRequestError(f"{path} exists", hint="Use another name, or tick overwrite.")
    return path, bool(given.get("checkpoints"))


def format_ttl_argument(ttl_seconds: int) -> str:
    """Return a TTL as an argument of an action."""
    return f"{ttl_seconds // 3600}h" if ttl_seconds % 3600 == 0 else f"{ttl_seconds}s"


def repeat_arguments(action: Action, rows: pd.DataFrame) -> dict[str, Any]:
    """Return the arguments with which an action sets the TTLs of a plan's rows again."""
    if has_own_ttls(rows) and not action.only_later:
        return {"ttl": rows.set_index("tinker_path")["ttl_seconds"]}
    ttl_seconds = get_common_ttl(rows)
    durations = [parameter for parameter in action.parameters if parameter.kind == "duration"]
    if ttl_seconds is None:
        return {parameter.name: None for parameter in durations if parameter.takes_none}
    return {parameter.name: format_ttl_argument(ttl_seconds) for parameter in durations}


def _make_field(name: str, label: str, kind: Any, value: str | int | bool, hint: str = "") -> FormField:
    return {
        "name": name,
        "label": label,
        "kind": kind,
        "value": value,
        "hint": hint,
        "least": 0,
        "picks": [],
        "none": "",
    }


def _make_duration_field(parameter: Parameter) -> FormField:
    """Return the field of a duration, which can be picked, typed or, if the parameter allows it, set to none."""
    value = "" if parameter.is_required or parameter.default is None else str(parameter.default)
    field = _make_field(
        parameter.name, parameter.label or parameter.name, "duration", value, parameter.doc.replace("`", "")
    )
    return {**field, "picks": PICKS, "none": parameter.takes_none}


def _make_rule_field(rule: KeepRule, metric: str) -> FormField:
    """Return the field of a keep rule; one that counts is by the metric, if there is one."""
    value = rule.suggested if rule.suggested is not None else rule.kind != "flag" and ""
    if metric and rule.counts:
        value = f"{metric}:{BEST}" if rule.kind == "text" else ""
    hint = f"{rule.help} E.g. {metric or 'meta.loss'}:{BEST}." if rule.counts and rule.kind == "text" else rule.help
    return {**_make_field(rule.name, rule.label, rule.kind, value, hint), "least": rule.least}


def find_test_loss(frame: pd.DataFrame) -> str:
    """Return the first column with the loss of a test, as training logs have one; empty without one."""
    found = (name for name in frame.columns if isinstance(name, str) and TEST_LOSS.fullmatch(name))
    return next((name for name in found if frame[name].dtype.kind == "f" and frame[name].notna().any()), "")


def _make_groups_field() -> FormField:
    """Return the field of the columns that keep rules count within."""
    hint = "Columns, with commas between; empty for each type in each run."
    return _make_field(GROUPS, "Counted per", "text", "", hint)


def _make_file_fields(table: str) -> list[FormField]:
    """Return the fields of an export; for runs and sessions, their checkpoints can be written instead."""
    hint = f"{list_suffixes()}, beside this notebook"
    fields = [_make_field("path", "file", "text", f"{table}.parquet", hint)]
    if table != "checkpoints":
        fields.append(_make_field("checkpoints", "their checkpoints instead of these rows", "flag", value=False))
    return [*fields, _make_field("overwrite", "overwrite", "flag", value=False)]
