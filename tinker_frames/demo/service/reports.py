"""Billing usage, storage usage and audit log, derived from the state of the account."""

from __future__ import annotations

import random
from collections import Counter
from datetime import datetime, timedelta
from itertools import groupby
from typing import TYPE_CHECKING, Any

from .serializers import format_time

if TYPE_CHECKING:
    from ..data.records import Run, Sampler, Session
    from ..data.state import State

GB_MONTH = 0.1
HOUR = timedelta(hours=1)
# Kinds of sampling, in dollars per million tokens.
SAMPLING_RATES: list[tuple[dict[str, Any], float]] = [
    ({"type": "sampling_sample"}, 0.6),
    ({"type": "sampling_prefill", "cached": False}, 0.2),
    ({"type": "sampling_prefill", "cached": True}, 0.05),
]


def report_usage(state: State, start: datetime, end: datetime) -> dict[str, Any]:
    """Return the usage of every hour in the interval, sorted by hour and descending token count."""
    sessions = state.sessions("accessible")
    events = [event for session in sessions for run in session.runs for event in _list_training_events(run, start, end)]
    events += [event for session in sessions for run in session.runs for event in _list_save_events(run, start, end)]
    for group in _group_sessions(sessions):
        events += _list_storage_events(group, start, end)
    for session in sessions:
        events += [event for sampler in session.samplers for event in _list_sampling_events(sampler, start, end)]
    events.sort(key=lambda event: (event["bucket_start"], -event["event_info"].get("token_count", 0)))
    known = {session.session_id: {"user_metadata": session.user_metadata} for session in sessions}
    used = dict.fromkeys(event["session_id"] for event in events if event["session_id"])
    midnight = state.now().replace(hour=0, minute=0, second=0, microsecond=0)
    return {"data": events, "sessions": {key: known[key] for key in used}, "cost_data_through": format_time(midnight)}


def _list_training_events(run: Run, start: datetime, end: datetime) -> list[dict[str, Any]]:
    rng = random.Random(run.training_run_id)  # noqa: S311 - the same run always costs the same
    rate = round(rng.uniform(0.1, 3.0), 2)
    hour, events = _floor(run.started_at), []
    while hour <= run.last_request_time:
        tokens = rng.randrange(100_000, 3_000_000)
        if start <= hour < end:
            info = {"type": "training", "token_count": tokens}
            # Some hours are not priced yet: their cost is null, not zero.
            cost = round(rate * tokens / 1e6, 6) if tokens % 9 else None
            events.append(
                _build_event(run.session, hour, run.base_model, cost, info, tokens_rate=rate if cost else None)
            )
        hour += HOUR
    return events


def _list_save_events(run: Run, start: datetime, end: datetime) -> list[dict[str, Any]]:
    """Return how many checkpoints the run saved in each hour, which is not priced."""
    saved = Counter(_floor(row.time) for row in run.saved)
    hours = sorted(hour for hour in saved if start <= hour < end)
    infos = [{"type": "checkpoint", "count": saved[hour]} for hour in hours]
    return [
        _build_event(run.session, hour, run.base_model, None, info) for hour, info in zip(hours, infos, strict=True)
    ]


def _list_sampling_events(sampler: Sampler, start: datetime, end: datetime) -> list[dict[str, Any]]:
    """Return the tokens that the sampler read, from its cache or not, and wrote in its first hours."""
    rng = random.Random(sampler.sampler_id)  # noqa: S311 - the same sampler always costs the same
    first, events = _floor(sampler.session.created_at), []
    for hour in (first + HOUR * number for number in range(1, 4)):
        for kind, rate in SAMPLING_RATES:
            info = kind | {"token_count": rng.randrange(10_000, 900_000)}
            cost = round(rate * info["token_count"] / 1e6, 6)
            if start <= hour < end:
                events.append(_build_event(sampler.session, hour, sampler.base_model, cost, info, tokens_rate=rate))
    return events


def _list_storage_events(sessions: list[Session], start: datetime, end: datetime) -> list[dict[str, Any]]:
    """Return what sessions of one project and owner stored in each hour: what had been saved before it and was not yet gone."""
    changes = Counter[datetime]()  # of bytes, by hour
    for row in (row for session in sessions for run in session.runs for row in run.saved):
        changes[_floor(row.time) + HOUR] += row.size_bytes or 0
        if row.removed_at is not None:
            changes[_floor(row.removed_at) + HOUR] -= row.size_bytes or 0
    stored, hour, events = sum(change for when, change in changes.items() if when < start), start, []
    while hour < end:
        stored += changes[hour]
        if stored:
            events.append(_build_storage_event(sessions[0], hour, stored / 1e9))
        hour += HOUR
    return events


def _build_storage_event(session: Session, hour: datetime, size: float) -> dict[str, Any]:
    info = {"type": "storage", "free": False, "gigabyte_hours": round(size, 6)}
    event = _build_event(session, hour, None, round(size * GB_MONTH / 720, 8), info, storage_rate=GB_MONTH)
    return event | {"session_id": None}


def _floor(when: datetime) -> datetime:
    return when.replace(minute=0, second=0, microsecond=0)


def _build_event(
    session: Session,
    hour: datetime,
    base_model: str | None,
    cost: float | None,
    info: dict[str, Any],
    *,
    tokens_rate: float | None = None,
    storage_rate: float | None = None,
) -> dict[str, Any]:
    return {
        "bucket_start": format_time(hour),
        "bucket_end": format_time(hour + HOUR),
        "base_model": base_model,
        "user_id": session.owner.urn,
        "user_name": session.owner.name,
        "session_id": session.session_id,
        "project_id": session.project_id,
        "estimated_cost_usd": cost,
        "effective_rate_usd_per_million_tokens": tokens_rate,
        "effective_rate_usd_per_gigabyte_month": storage_rate,
        "event_info": info,
    }


def report_storage(state: State, project_id: str | None) -> dict[str, Any]:
    """Return the current storage usage, one row per project and session owner."""
    rows = [row for row in state.sessions("accessible") if project_id in {None, row.project_id}]
    data = [_sum_storage(group) for group in _group_sessions([row for row in rows if row.checkpoints_count])]
    return {"effective_rate_usd_per_gigabyte_month": GB_MONTH, "data": data}


def _group_sessions(rows: list[Session]) -> list[list[Session]]:
    """Return the sessions of each project and owner."""
    return [list(group) for _, group in groupby(sorted(rows, key=_get_project_and_owner), key=_get_project_and_owner)]


def _get_project_and_owner(row: Session) -> tuple[str, str]:
    return row.project_id, row.owner.urn


def _sum_storage(rows: list[Session]) -> dict[str, Any]:
    size, owner = sum(row.checkpoint_storage_bytes for row in rows), rows[0].owner
    return {
        "project_id": rows[0].project_id,
        "org_user_urn": owner.urn,
        "user_email": owner.email,
        "user_name": owner.name,
        "checkpoint_count": sum(row.checkpoints_count for row in rows),
        "size_bytes": size,
        "size_gigabytes": size / 1e9,
        "estimated_monthly_cost_usd": round(size / 1e9 * GB_MONTH, 2),
    }


def list_audit_entries(state: State, day: datetime) -> list[dict[str, Any]]:
    """Return the events of the organisation's checkpoints on a UTC day, sorted by time: what the caller did, and what samplers read."""
    rows, _ = state.checkpoints_page(10**9, 0)
    mine = [(row.time, "create", row.tinker_path, None) for row in rows] + [(*event, None) for event in state.log]
    events = (event for event in mine + _list_reads(state) if day <= event[0] < day + timedelta(days=1))
    return [_build_audit_entry(state, *event) for event in sorted(events, key=lambda event: event[:3])]


def _list_reads(state: State) -> list[tuple[datetime, str, str, str | None]]:
    """Return when each sampler read the checkpoint that it loaded: as its session began, or once the checkpoint was there."""
    sessions, now = state.sessions("accessible"), state.now()
    saved = {row.tinker_path: row.time for one in sessions for run in one.runs for row in run.checkpoints.values()}
    return [
        (
            min(now, max(one.created_at, saved.get(path, one.created_at)) + timedelta(minutes=1)),
            "read",
            path,
            one.session_id,
        )
        for one in sessions
        for path in (sampler.model_path for sampler in one.samplers)
        if path is not None
    ]


def _build_audit_entry(
    state: State, when: datetime, action: str, tinker_path: str, session_id: str | None
) -> dict[str, Any]:
    actor = {"type": "user", "urn": state.me.urn, "email": state.me.email}
    purpose = None if session_id is None else "sampling"
    details = {
        "actor": actor if session_id is None else {"type": "session", "session_id": session_id},
        "resource": "checkpoint",
        "action": {"type": action} | ({} if purpose is None else {"purpose": purpose}),
        "tinker_path": tinker_path,
    }
    return {
        "timestamp": format_time(when),
        "event": f"checkpoint_{action}",
        "event_details": details,
        "model_id": None,
        "tinker_path": tinker_path,
        "purpose": purpose,
    }
