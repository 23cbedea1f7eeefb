"""Saved plans: their file format, and the checks of a file, which may have been edited."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import msgspec

from ..errors import InvalidRequestError
from ..schema.durations import parse_ttl
from .actions import ACTIONS, Action
from .guards import GUARDS
from .jobs import TOLERANCE, RequestedExpiry, State
from .preview import build_jobs
from .records import StoredJob

FORMAT = 1
PLAN_ID = re.compile(r"[A-Za-z0-9][\w.-]{0,99}", re.ASCII)  # it becomes the name of a file of the journal


class SavedPlan(msgspec.Struct):
    """A plan as it is stored in a file."""

    tinker_frames_plan: int
    id: str
    account: str
    base_url: str
    action: str
    allowed: list[str]
    rows: list[StoredJob]
    refused: dict[str, str]  # the paths that were refused when it was saved, and why: they stay so
    given: dict[str, list[str]]  # the paths that a guard held when it was saved: as it was shown then, they stay held
    unknown: dict[str, list[str]]  # those of which it did not know
    undoes: str | None = None
    rule: str = ""
    code: str = ""

    def to_json(self) -> bytes:
        """Return the content of the file."""
        return json.dumps(msgspec.to_builtins(self), ensure_ascii=False, indent=1).encode()


def dump_plan(plan: Any) -> bytes:
    """Return the content of the file of a `Plan`."""
    jobs = build_jobs(plan.rows)  # each run has keys of its own
    rows = [StoredJob(job.tinker_path, job.before, job.expiry) for job in jobs]
    owner, allowed, frame = plan.source, sorted(plan.allowed), plan.frame
    refused = frame[frame["verdict"] == "refused"].set_index("tinker_path")["reason"].to_dict()
    flags = {guard.name: plan.rows[guard.column] for guard in GUARDS.values() if guard.is_found}
    paths = plan.rows["tinker_path"]
    given = {name: [str(path) for path in paths[flag.fillna(value=False)]] for name, flag in flags.items()}
    unknown = {name: [str(path) for path in paths[flag.isna()]] for name, flag in flags.items()}
    saved = SavedPlan(
        FORMAT,
        plan.id,
        owner.account,
        owner.base_url,
        plan.action.name,
        allowed,
        rows,
        refused,
        given,
        unknown,
        plan.undoes,
        plan.rule,
        plan.code,
    )
    return saved.to_json()


def read_saved_plan(file: Path) -> SavedPlan:
    """Return the plan that a file holds, checked as the arguments of an action are.

    Raises
    ------
    InvalidRequestError
        If the file cannot be read, is not a saved plan, or has a value that a plan could not have.
    """
    try:
        saved = parse_saved_plan(file.read_bytes())
    except OSError as error:
        problem = f"{file} cannot be read ({error.strerror or type(error).__name__})"
    except (ValueError, msgspec.MsgspecError, RecursionError) as error:  # no ValueError before msgspec 0.19
        problem = f"{file} is not a saved plan of this version: {error}"
    except InvalidRequestError as error:
        problem = f"{file} is not a saved plan of this version: {error.what}"
    else:
        return saved
    raise InvalidRequestError(problem, hint="Use a file that Plan.save wrote.")


def parse_saved_plan(text: bytes) -> SavedPlan:
    """Return the plan that the content of a file is; raises ValueError, `InvalidRequestError` or msgspec's error if it is none."""
    content = msgspec.json.decode(text)
    saved = msgspec.convert(content, SavedPlan)
    _check_fields(content)
    check_saved_plan(saved)
    return saved


def _check_fields(content: dict[str, Any]) -> None:
    """Raise ValueError for a field that is missing or misspelt: without a TTL, an expiry would mean never."""
    places: list[tuple[str, dict[str, Any], type]] = [("the plan", content, SavedPlan)]
    for row in content["rows"]:
        path = row["tinker_path"]
        places += [(f"the row {path}", row, StoredJob), (f"`before` of {path}", row["before"], State)]
        places += [(f"`expiry` of {path}", row["expiry"], RequestedExpiry)]
    for place, found, kind in places:
        names = {field.name for field in msgspec.inspect.type_info(kind).fields}  # type: ignore[attr-defined]
        if odd := sorted(names ^ found.keys()):
            raise ValueError(f"{place} {'lacks' if odd[0] in names else 'has an unknown field'} {odd[0]!r}")


def check_saved_plan(saved: SavedPlan) -> None:
    """Raise ValueError or InvalidRequestError for values that a plan could not have."""
    if saved.tinker_frames_plan != FORMAT:
        raise ValueError(f"it has format {saved.tinker_frames_plan}, but this version reads {FORMAT}")
    for name in (saved.id, saved.undoes):
        if name is not None and not PLAN_ID.fullmatch(name):
            raise ValueError(f"{name!r} is not the id of a plan")
    action = ACTIONS.get(saved.action)
    if action is None or not action.method:
        raise ValueError(f"there is no action {saved.action!r}")
    if unknown := [guard for guard in saved.allowed if guard not in GUARDS]:
        raise ValueError(f"there is no guard {unknown[0]!r}; the guards are {', '.join(GUARDS)}")
    if unknown := [name for name in [*saved.given, *saved.unknown] if name not in GUARDS or not GUARDS[name].is_found]:
        raise ValueError(f"there is no guard {unknown[0]!r} that is saved")
    paths: set[str] = set()
    for row in saved.rows:
        if row.tinker_path in paths:
            raise ValueError(f"{row.tinker_path} occurs in it twice")
        paths.add(row.tinker_path)
        if row.tinker_path not in saved.refused:
            _check_expiry(action, row)


def _check_expiry(action: Action, row: StoredJob) -> None:
    """Check a row's requested expiry: in the range of TTLs, and of the kind that the action sets."""
    expiry = row.expiry
    if action.only_later:
        _check_extension(action, row)
        return
    parameter: Any = next((each for each in action.parameters if each.kind == "duration"), None)
    if parameter is not None:
        parameter.parse(expiry.ttl_seconds)
    elif expiry.ttl_seconds is not None:
        raise ValueError(f"{action.name} takes no TTL")
    if expiry.until is not None and (action.is_offered or not action.sets_expiry):
        raise ValueError(f"{action.name} takes no time of expiry")


def _check_extension(action: Action, row: StoredJob) -> None:
    """Check that a row gets a later expiry than it had, or keeps none."""
    before, expiry = row.before.expires_at, row.expiry
    if expiry == RequestedExpiry() and before is None and row.before.is_expiry_known:
        return
    if expiry.ttl_seconds is None or expiry.until is None or before is None or expiry.until < before - TOLERANCE:
        raise ValueError(f"{action.name} only takes a later expiry than a row has")
    parse_ttl(expiry.ttl_seconds)
