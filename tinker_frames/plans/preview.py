"""The rows of a plan: facts and wishes, the verdict on each, as jobs to be sent, and as outcomes afterwards; pure."""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Any

import pandas as pd

from ..schema.columns import typed
from .actions import Action, State, Wish
from .job import Job, Outcome

GUARDS = {
    "public": "public: others may be using it",
    "newest": "the newest of its run",
    "sampler": "loaded by a sampler",
}
JUDGED_BY = ("refusal", "is_newest", "loaded_by_sampler")
WARNED_OF = ("shortens", "public", "is_newest", "is_last_training", "loaded_by_sampler", "name")
OUTCOMES = ["done", "unchanged", "skipped", "failed", "unknown"]


def judged(rows: pd.DataFrame, action: Action, allowed: frozenset[str], now: datetime, note: str = "") -> pd.DataFrame:
    """Return the rows with a verdict on each, and what it would lead to; `note` is the reason of those that are sent."""
    frame = rows.copy()
    jobs = jobs_of(rows)
    frame["shortens"] = pd.Series([action.shortens(job.before, job.wish, now) for job in jobs], dtype="bool")
    judgements = [
        _verdict(row, job, action, allowed, now) for row, job in zip(_records(rows, JUDGED_BY), jobs, strict=True)
    ]
    frame["action"] = typed("text", [action.name] * len(frame))
    frame["verdict"] = typed("text", [verdict for verdict, _ in judgements])
    frame["reason"] = typed("text", [note if verdict == "send" else reason for verdict, reason in judgements])
    frame["public_after"] = _public_after(frame["public"], action)
    expiries = [job.wish.expiry(now) if action.changes_expiry else None for job in jobs]
    frame["expires_after"] = _times(expiries) if action.changes_expiry else _kept_expiry(frame["expires_at"], action)
    frame["warnings"] = typed("text", [_warnings(row) for row in _records(frame, WARNED_OF)])
    front = ["tinker_path", "action", "verdict", "reason", "warnings"]
    hidden = ["refusal", "ttl_seconds", "until", "user_metadata"]
    return frame[front + [name for name in frame.columns if name not in (*front, *hidden)]]


def with_wishes(rows: pd.DataFrame, wishes: list[Wish]) -> pd.DataFrame:
    """Return facts with what is wished for each row."""
    return rows.assign(
        ttl_seconds=typed("int", [wish.ttl_seconds for wish in wishes]),
        until=_times([w.until for w in wishes]),
    )


def with_jobs(facts: pd.DataFrame, jobs: list[Job]) -> pd.DataFrame:
    """Return facts with the wishes of saved jobs, and with the state that they were planned for."""
    by_path = {job.tinker_path: job for job in jobs}
    found = [by_path[path] for path in facts["tinker_path"]]
    rows = with_wishes(facts, [job.wish for job in found])
    present = (rows["refusal"] == "").to_numpy()
    rows["public"] = rows["public"].where(~present, typed("bool", [job.before.public for job in found]))
    rows["expires_at"] = rows["expires_at"].where(~present, _times([job.before.expires_at for job in found]))
    return rows


def jobs_of(frame: pd.DataFrame) -> list[Job]:
    """Return rows of facts and wishes as jobs."""
    columns = (frame[name] for name in ("tinker_path", "public", "expires_at", "ttl_seconds", "until"))
    return [
        Job(path, State(_bool(public), _time(expires)), Wish(_int(ttl), _time(until)), key=secrets.token_hex(16))
        for path, public, expires, ttl, until in zip(*columns, strict=True)
    ]


def job_as_json(job: Job) -> dict[str, Any]:
    """Return a job as plain values."""
    return {
        "tinker_path": job.tinker_path,
        "before": {"public": job.before.public, "expires_at": _stamp(job.before.expires_at)},
        "wish": {"ttl_seconds": job.wish.ttl_seconds, "until": _stamp(job.wish.until)},
        "key": job.key,
    }


def job_from_json(entry: dict[str, Any]) -> Job:
    """Return the job that plain values stand for."""
    before, wish = entry["before"], entry["wish"]
    return Job(
        entry["tinker_path"],
        State(before["public"], _parsed(before["expires_at"])),
        Wish(wish["ttl_seconds"], _parsed(wish["until"])),
        key=entry.get("key") or secrets.token_hex(16),
    )


def outcome_frame(
    plan: str, action: Action, outcomes: list[Outcome], frame: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Return one row per checkpoint of a plan, those that were not sent included."""
    rows = list(outcomes)
    if frame is not None:
        asides = {"held": "skipped", "refused": "skipped", "unchanged": "unchanged"}
        rest = frame[frame["verdict"] != "send"]
        rows += [
            Outcome(path, asides[verdict], error=reason or None)
            for path, verdict, reason in zip(rest["tinker_path"], rest["verdict"], rest["reason"], strict=True)
        ]
    result = pd.DataFrame(
        {
            "tinker_path": typed("text", [row.tinker_path for row in rows]),
            "action": typed("text", [action.name] * len(rows)),
            "outcome": pd.Categorical([row.outcome for row in rows], categories=OUTCOMES),
            "status": typed("int", [row.status for row in rows]),
            "error": typed("text", [row.error for row in rows]),
            "attempts": typed("int", [row.attempts for row in rows]),
            "seconds": typed("float", [row.seconds for row in rows]),
        }
    )
    result.attrs["tinker"] = {"plan": plan, "action": action.name}
    return result


def _verdict(row: dict[Any, Any], job: Job, action: Action, allowed: frozenset[str], now: datetime) -> tuple[str, str]:
    """Judge one row: refused, already so, held by a guard, or to be sent."""
    if row["refusal"]:
        return "refused", row["refusal"]
    if action.is_already(job.before, job.wish, now):
        return "unchanged", "already so" if action.name != "expire" else "it expires sooner anyway"
    if action.shortens(job.before, job.wish, now):
        flags = {"public": job.before.public, "newest": row["is_newest"], "sampler": row["loaded_by_sampler"]}
        held = [GUARDS[guard] for guard, flag in flags.items() if guard not in allowed and _bool(flag)]
        if held:
            return "held", "; ".join(held)
    return "send", ""


def _records(frame: pd.DataFrame, names: tuple[str, ...]) -> list[dict[Any, Any]]:
    """Return rows as dicts of what is looked at: to make objects of all columns takes longer than all the rest."""
    return frame[[name for name in names if name in frame.columns]].to_dict("records")


def _warnings(row: dict[Any, Any]) -> str:
    """Say what to think of before this row is changed."""
    said = []
    if row["shortens"]:
        said += ["public"] * (_bool(row["public"]) is True)
        said += ["newest of its run"] * bool(row["is_newest"])
        said += ["last training checkpoint of its run"] * bool(row["is_last_training"])
        said += ["loaded by a sampler"] * (_bool(row["loaded_by_sampler"]) is True)
        said += ["not known whether a sampler has loaded it"] * (_bool(row["loaded_by_sampler"]) is None)
    if str(row.get("name")) in ("publish", "ttl", "archive"):
        said.append(f"it is named {row['name']!r}, which a server could read as an action")
    return "; ".join(said)


def _public_after(public: pd.Series[Any], action: Action) -> Any:
    fixed = {"publish": True, "unpublish": False, "delete": pd.NA}
    if action.name not in fixed:
        return public
    return typed("bool", [fixed[action.name]] * len(public))


def _kept_expiry(expires_at: pd.Series[Any], action: Action) -> Any:
    """Return the expiry after an action that sets none; what is deleted has none."""
    return typed("time", [None] * len(expires_at)) if action.name == "delete" else expires_at


def _times(values: list[datetime | None]) -> pd.Series[Any]:
    return pd.Series(typed("time", values))


def _bool(value: Any) -> bool | None:
    return None if value is None or pd.isna(value) else bool(value)


def _int(value: Any) -> int | None:
    return None if value is None or pd.isna(value) else int(value)


def _time(value: Any) -> datetime | None:
    return None if value is None or pd.isna(value) else value.to_pydatetime()


def _stamp(value: datetime | None) -> str | None:
    return None if value is None else value.isoformat()


def _parsed(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
