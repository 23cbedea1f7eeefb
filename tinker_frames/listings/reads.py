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

from ..errors import AuthenticationError, ConnectionFailedError, PermissionDeniedError, TinkerError
from ..rest.progress import open_progress
from ..rest.signed import read_redirected
from ..rest.transport import Transport
from ..schema.coerce import coerce_value, parse_object, replace_surrogates
from ..schema.columns import pandas_array
from ..schema.paths import is_usual_spelling, normalize_run
from .prefetch import run_in_order

KIND = "audit_reads"  # of the permanent responses
SETTLED_AFTER = timedelta(days=2)
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
    now = datetime.now(UTC) + transport.clock_offset
    first = (now - timedelta(seconds=within_s)).date()
    days = [first + timedelta(days=place) for place in range((now.date() - first).days + 1)][::-1]
    found, problem = _read_days(transport, days, now, progress=progress, refresh=refresh)
    known: list[date] = []
    for day in days:  # from today on back, up to the first that is not known
        if day not in found:
            break
        known.append(day)
    since = datetime.combine(known[-1], time(), UTC) if known else None
    return Reads(_merge_days(found[day] for day in reversed(known)), since, problem)


def _read_days(
    transport: Transport, days: list[date], now: datetime, *, progress: bool | None, refresh: bool
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
                reads = None if isinstance(answer, TinkerError) else find_reads(answer, day)
                if reads is None:
                    problem = problem or _describe_problem(answer)
                    continue
                found[day] = reads
                is_settled = datetime.combine(day, time(), UTC) + timedelta(days=1) + SETTLED_AFTER <= now
                if (
                    is_settled and not isinstance(answer, TinkerError) and answer["entries"]
                ):  # an empty answer may be a mistake of the server's
                    final[str(day)] = json.dumps(reads).encode()
    if transport.account == account:
        transport.permanent.add(KIND, final)
    return found, problem


def _describe_problem(answer: Mapping[str, Any] | TinkerError) -> str:
    if isinstance(answer, PermissionDeniedError):
        return "the audit log needs org admin"
    return str(answer) if isinstance(answer, TinkerError) else "the audit log names no checkpoint in an entry"


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


def find_reads(answer: Mapping[str, Any], day: date) -> Day | None:
    """Return the last read of each checkpoint in the audit log of a day; None if the log of the day is not known by that.

    It is not if it has a read of which the checkpoint is not known, or entries of other days, as a gateway that drops the day gives.
    A read whose time cannot be read counts as one at the end of the day.
    """
    entries = answer.get("entries")
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        return None
    end, found = datetime.combine(day, time.max, UTC), dict[str, tuple[str, str | None]]()
    for entry in entries:
        details, when = _get_object(entry, "event_details"), coerce_value("time", entry.get("timestamp"))[0] or end
        if abs((when - end).days) > 1:  # a zone away from ours at most
            return None
        if entry.get("event") != READ and _get_object(details, "action").get("type") != "read":
            continue
        path = details.get("tinker_path") or entry.get("tinker_path")
        if not isinstance(path, str):
            return None
        text, path = when.isoformat(), replace_surrogates(path)[0]
        if path not in found or found[path][0] <= text:
            found[path] = text, _name_actor(_get_object(details, "actor"))
    return found


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
    since = [None if respelled and _fold_run(str(path)) in respelled else reads.since for path in paths]
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
    return {_fold_run(path) for path in reads.last.keys() - set(paths) if not is_usual_spelling(path)}


def _fold_run(path: str) -> str:
    """Return the run of a path, to compare spellings."""
    return normalize_run(path.partition("://")[2].partition("/")[0]).partition("/")[0]
