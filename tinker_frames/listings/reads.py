"""When checkpoints were last read, and by whom: from the organization's audit log, a request for each day.

A day that ended more than two days ago changes no more: its reads are kept for good, as what samplers have loaded is, unless it
had no entries at all.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, NamedTuple

import pandas as pd

from ..errors import (
    AuthenticationError,
    ConnectionFailedError,
    InvalidRequestError,
    PermissionDeniedError,
    TinkerError,
)
from ..rest.progress import open_progress
from ..rest.signed import read_redirected
from ..rest.transport import Transport
from ..schema.coerce import coerce_value, parse_object, replace_surrogates
from ..schema.columns import pandas_array
from ..schema.paths import is_usual_spelling, normalize_run, starts_with_scheme
from .pagination import says_more
from .prefetch import run_in_order

KIND = "audit_reads"  # of the permanent responses
SETTLED_AFTER = timedelta(days=2)
MOST_DAYS = 3660  # each is a request
READ = "checkpoint_read"
COLUMNS = ("last_read_at", "read_by", "reads_known_since")

Day = dict[str, tuple[str, str | None]]  # for each path, the last time and who it was


class Reads(NamedTuple):
    """The last read of each checkpoint, as far back as the audit log is known."""

    last: Mapping[str, tuple[datetime, str | None]]
    since: datetime | None  # all later reads are known; None if none are
    problem: str = ""  # why none, or not all, are known


def read_reads(transport: Transport, within_s: float, *, progress: bool | None = None, refresh: bool = False) -> Reads:
    """Return the reads of the last seconds, in whole days; without the role, or where there is no audit log, none are known."""
    if within_s > timedelta(days=MOST_DAYS).total_seconds():
        raise InvalidRequestError("reads of more than ten years are not looked up", hint="Use e.g. 60d.")
    for _ in range(2):  # the first answer shows the server's clock, by which it may be another day
        now = transport.get_time()
        first = (now - timedelta(seconds=within_s)).date()
        days = [first + timedelta(days=place) for place in range((now.date() - first).days + 1)][::-1]
        found, problem = _read_days(transport, days, progress=progress, refresh=refresh)
        if transport.get_time().date() == now.date():
            break
    known: list[date] = []
    for day in days:  # from today on back, up to the first that is not known
        if day not in found:
            break
        known.append(day)
    since = datetime.combine(known[-1], time(), UTC) if known else None
    return Reads(_merge_days(found[day] for day in reversed(known)), since, problem)


def _read_days(
    transport: Transport, days: list[date], *, progress: bool | None, refresh: bool
) -> tuple[dict[date, Day], str]:
    """Return the reads of each day that is known, and the problem with the first of the others."""
    account, kept = transport.account, {} if refresh else transport.permanent.get(KIND)
    found: dict[date, Day] = {day: parse_object(kept[str(day)]) or {} for day in days if str(day) in kept}
    missing, problem, final = [day for day in days if day not in found], "", {}
    for batch in (missing[:1], missing[1:]):  # without the role, one request shows it
        if problem:
            break
        with open_progress("audit log", progress) as bar:
            for day, answer in run_in_order(batch, lambda day: _request(transport, day), _workers(transport), bar):
                reads = _describe_error(answer) if isinstance(answer, TinkerError) else find_reads(answer, day)
                if isinstance(reads, str):
                    problem = problem or reads
                    continue
                found[day] = reads
                settled = datetime.combine(day, time(), UTC) + timedelta(days=1) + SETTLED_AFTER
                is_settled = settled <= transport.get_time()
                has_entries = not isinstance(answer, TinkerError) and bool(answer["entries"])
                if is_settled and has_entries:  # an empty answer may be a mistake of the server's
                    final[str(day)] = json.dumps(reads).encode()
    if transport.account == account:
        transport.permanent.add(KIND, final)
    return found, problem


def _describe_error(error: TinkerError) -> str:
    return "the audit log needs org admin" if isinstance(error, PermissionDeniedError) else str(error)


def _workers(transport: Transport) -> int:
    return transport.settings.max_workers


def _request(transport: Transport, day: date) -> dict[str, Any] | TinkerError:
    params = {"event_type": "checkpoints", "day": day.isoformat()}
    try:
        return read_redirected(transport, "/api/v1/audit", params)
    except (AuthenticationError, ConnectionFailedError):
        raise
    except TinkerError as error:
        return error


def find_reads(answer: Mapping[str, Any], day: date) -> Day | str:
    """Return the last read of each checkpoint in the audit log of a day; or why that does not tell what was read on the day.

    It does not if more entries follow, if it has a read of which the checkpoint is not known, or if it has entries of another UTC day,
    as a gateway that drops the day gives. A read whose time cannot be read counts as one at the end of the day.
    """
    entries = answer.get("entries")
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        return f"the audit log of {day} is not a list of entries"
    if says_more(answer, len(entries)):
        return f"the audit log of {day} says that more entries follow, which this version cannot ask for"
    found: Day = {}
    for entry in entries:
        when = coerce_value("time", entry.get("timestamp"))[0] or datetime.combine(day, time.max, UTC)
        if when.date() != day:
            return f"the audit log was answered with entries of {when.date()} for {day}"
        if not _may_be_read(entry):
            continue
        paths = _list_paths(entry)
        if not paths:
            return f"the audit log of {day} has a read that names no checkpoint"
        text, actor = when.isoformat(), _name_actor(_get_object(_get_object(entry, "event_details"), "actor"))
        found |= {path: (text, actor) for path in paths if path not in found or found[path][0] <= text}
    return found


def _may_be_read(entry: Mapping[str, Any]) -> bool:
    """Tell whether an entry is of a read, or does not say of what it is."""
    kinds = (entry.get("event"), _get_object(_get_object(entry, "event_details"), "action").get("type"))
    names = [kind.lower() for kind in kinds if isinstance(kind, str)]
    return not names or READ in names or READ.rpartition("_")[2] in names


def _list_paths(entry: Mapping[str, Any]) -> set[str]:
    """Return the paths of checkpoints that an entry names; none if any of them names no training run."""
    named = (_get_object(entry, "event_details").get("tinker_path"), entry.get("tinker_path"))
    paths = {replace_surrogates(path)[0] for path in named if isinstance(path, str)}
    return (
        paths
        if all(starts_with_scheme(path.strip().lower()) and _fold_run(_get_run(path)) for path in paths)
        else set()
    )


def _get_object(holder: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return an object of another; empty if it has none of that name."""
    found = holder.get(name)
    return found if isinstance(found, dict) else {}


def _name_actor(actor: Mapping[str, Any]) -> str | None:
    """Return who it was: a user's address, or the id of a session."""
    names = (actor.get(name) for name in ("email", "urn", "session_id"))
    return next((replace_surrogates(name)[0] for name in names if isinstance(name, str) and name), None)


def _merge_days(days: Iterable[Day]) -> dict[str, tuple[datetime, str | None]]:
    """Return the last read of each checkpoint, of days in their order."""
    last: Day = {}
    for day in days:
        last |= day
    return {path: (datetime.fromisoformat(when), who) for path, (when, who) in last.items()}


def add_reads(frame: pd.DataFrame, reads: Reads) -> pd.DataFrame:
    """Return a frame of checkpoints with when each was last read, by whom, and from when on reads are known.

    They are not of runs of which the log names a checkpoint in another spelling than checkpoints have: it may be any of them.
    """
    paths = list(frame["tinker_path"])
    found = [reads.last.get(path, (None, None)) for path in paths]
    respelled = _find_respelled(reads, paths)
    since = [None if respelled and _fold_run(_get_run(str(path))) in respelled else reads.since for path in paths]
    columns = {
        "last_read_at": pandas_array("time", [when for when, _ in found]),
        "read_by": pandas_array("text", [who for _, who in found]),
        "reads_known_since": pandas_array("time", since),
    }
    added = frame.assign(**columns)
    added.attrs = dict(frame.attrs)
    about = frame.attrs.get("tinker")
    if reads.problem and isinstance(about, dict):
        problem = {"column": COLUMNS[0], "problem": reads.problem[:300], "rows": len(frame), "examples": []}
        others = [each for each in about.get("problems") or [] if each["column"] != COLUMNS[0]]
        added.attrs["tinker"] = {**about, "problems": [*others, problem]}
    return added


def _find_respelled(reads: Reads, paths: Iterable[str]) -> set[str]:
    """Return the runs of which a path that was read is none of these, and in another spelling than theirs."""
    own = {path for path in paths if isinstance(path, str)}
    unknown, runs = reads.last.keys() - own, set(map(_get_run, own))
    folded = {run: _fold_run(run) for run in {*runs, *map(_get_run, unknown)}}
    own_folded = {folded[run] for run in runs}
    respelled = {run for run in folded.keys() - runs if folded[run] in own_folded}
    return {folded[_get_run(path)] for path in unknown if not is_usual_spelling(path) or _get_run(path) in respelled}


def _get_run(path: str) -> str:
    return path.partition("://")[2].partition("/")[0]


def _fold_run(run: str) -> str:
    """Return a run in a form to compare spellings by."""
    return normalize_run(run).partition("/")[0].replace("-", "")
