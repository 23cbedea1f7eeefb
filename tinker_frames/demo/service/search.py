"""Session search: filters and the cursor of the next page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .serializers import format_time

if TYPE_CHECKING:
    from ..data.records import Session


def filter_sessions(rows: list[Session], query: dict[str, Any], me: str) -> list[Session]:
    """Return the sessions that match every filter and come after the cursor; `rows` are newest first."""
    return [
        row
        for row in rows
        if _has_owner(row, query["owner"], me) and _matches_filters(row, query) and _is_after(row, query["cursor"])
    ]


def build_next_cursor(rows: list[Session], limit: int) -> dict[str, str] | None:
    """Return the cursor of the page after the first `limit` rows, or None if there is none."""
    if len(rows) <= limit:
        return None
    return {"last_created_at": format_time(rows[limit - 1].created_at), "last_session_id": rows[limit - 1].session_id}


def _has_owner(row: Session, owner: dict[str, Any], me: str) -> bool:
    if owner["type"] == "accessible":
        return True
    return row.owner.urn in (owner["owner_urns"] if owner["type"] == "user" else [me])


def _matches_filters(row: Session, query: dict[str, Any]) -> bool:
    projects, pairs = query["project_ids"], query["user_metadata"]
    if projects is not None and row.project_id not in projects:
        return False
    if pairs and not pairs.items() <= (row.user_metadata or {}).items():
        return False
    return _matches_name(row, query["session_id"], query["display_name"]) and _has_status(row, query["statuses"])


def _matches_name(row: Session, session_id: str | None, display_name: str | None) -> bool:
    if session_id is None and display_name is None:
        return True
    words = display_name.casefold().split() if display_name else []
    name = (row.display_name or "").casefold()
    return row.session_id == session_id or (bool(words) and all(word in name for word in words))


def _has_status(row: Session, statuses: list[dict[str, Any]] | None) -> bool:
    if statuses is None:
        return True
    return any(_matches_status(row.status, wanted) for wanted in statuses)


def _matches_status(status: dict[str, Any] | None, wanted: dict[str, Any]) -> bool:
    if status is None or status["type"] != wanted["type"]:
        return False
    reasons = wanted.get("reasons")
    return reasons is None or status["reason"]["type"] in reasons


def _is_after(row: Session, cursor: dict[str, Any] | None) -> bool:
    return cursor is None or row.sort_key < (cursor["last_created_at"], cursor["last_session_id"])
