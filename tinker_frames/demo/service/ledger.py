"""What an account costs and what was done in it: billing usage, storage usage and audit, all derived from the state."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from itertools import groupby
from typing import TYPE_CHECKING, Any

from .wire import stamp

if TYPE_CHECKING:
    from ..data.records import Run, Session
    from ..data.state import State

GB_MONTH = 0.1
HOUR = timedelta(hours=1)


def usage(state: State, start: datetime, end: datetime) -> dict[str, Any]:
    """Return the usage of every hour in the span, ordered by hour and descending tokens."""
    sessions = state.sessions("accessible")
    events = [event for session in sessions for run in session.runs for event in _training(run, start, end)]
    events += [event for session in sessions for event in _storage(session, start, end)]
    events.sort(key=lambda event: (event["bucket_start"], -event["event_info"].get("token_count", 0)))
    known = {session.session_id: {"user_metadata": session.user_metadata} for session in sessions}
    used = dict.fromkeys(event["session_id"] for event in events if event["session_id"])
    midnight = state.now().replace(hour=0, minute=0, second=0, microsecond=0)
    return {"data": events, "sessions": {key: known[key] for key in used}, "cost_data_through": stamp(midnight)}


def _training(run: Run, start: datetime, end: datetime) -> list[dict[str, Any]]:
    chance = random.Random(run.training_run_id)  # noqa: S311 - the same run always costs the same
    rate = round(chance.uniform(0.1, 3.0), 2)
    first = min((row.time for row in run.checkpoints.values()), default=run.last_request_time)
    hour, events = first.replace(minute=0, second=0, microsecond=0), []
    while hour <= run.last_request_time:
        tokens = chance.randrange(100_000, 3_000_000)
        if start <= hour < end:
            info = {"type": "training", "token_count": tokens}
            # Some hours are not priced yet, which is not the same as free.
            cost = round(rate * tokens / 1e6, 6) if tokens % 9 else None
            events.append(_event(run.session, hour, run.base_model, cost, info, tokens_rate=rate if cost else None))
        hour += HOUR
    return events


def _storage(session: Session, start: datetime, end: datetime) -> list[dict[str, Any]]:
    if not session.checkpoint_storage_bytes:
        return []
    size = session.checkpoint_storage_bytes / 1e9
    born = session.created_at.replace(minute=0, second=0, microsecond=0) + HOUR
    hours, events = max(start, born), []
    while hours < end:
        info = {"type": "storage", "free": False, "gigabyte_hours": round(size, 6)}
        event = _event(session, hours, None, round(size * GB_MONTH / 720, 8), info, storage_rate=GB_MONTH)
        events.append(event | {"session_id": None})
        hours += HOUR * 6
    return events


def _event(
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
        "bucket_start": stamp(hour),
        "bucket_end": stamp(hour + HOUR),
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


def storage(state: State, project_id: str | None) -> dict[str, Any]:
    """Return what is stored now, one row per project and owner."""
    rows = [row for row in state.sessions("accessible") if project_id in {None, row.project_id}]
    rows = sorted((row for row in rows if row.checkpoints_count), key=_payer)
    data = [_stored(list(group)) for _, group in groupby(rows, key=_payer)]
    return {"effective_rate_usd_per_gigabyte_month": GB_MONTH, "data": data}


def _payer(row: Session) -> tuple[str, str]:
    return row.project_id, row.owner.urn


def _stored(rows: list[Session]) -> dict[str, Any]:
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


def audit(state: State, day: datetime) -> list[dict[str, Any]]:
    """Return what was done with own checkpoints on one UTC day, in order of time."""
    rows, _ = state.checkpoints_page(10**9, 0)
    saved = [(row.time, "create", row.tinker_path) for row in rows]
    events = sorted(event for event in saved + state.log if day <= event[0] < day + timedelta(days=1))
    return [_audited(state, *event) for event in events]


def _audited(state: State, when: datetime, action: str, tinker_path: str) -> dict[str, Any]:
    actor = {"type": "user", "urn": state.me.urn, "email": state.me.email}
    details = {"actor": actor, "resource": "checkpoint", "action": {"type": action}, "tinker_path": tinker_path}
    return {
        "timestamp": stamp(when),
        "event": f"checkpoint_{action}",
        "event_details": details,
        "model_id": None,
        "tinker_path": tinker_path,
        "purpose": None,
    }
