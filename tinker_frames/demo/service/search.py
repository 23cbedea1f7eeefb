"""Which sessions a session search finds, and where its next page starts; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .wire import stamp

if TYPE_CHECKING:
    from ..data.records import Session


def found(rows: list[Session], query: dict[str, Any], me: str) -> list[Session]:
    """Return those of the sessions, newest first, that fit every filter and lie behind the cursor."""
    return [row for row in rows if _owned(row, query, me) and _fits(row, query) and _behind(row, query["cursor"])]


def next_cursor(rows: list[Session], limit: int) -> dict[str, str] | None:
    """Return where the page after the first `limit` of these rows starts, or None at the end."""
    if len(rows) <= limit:
        return None
    return {"last_created_at": stamp(rows[limit - 1].created_at), "last_session_id": rows[limit - 1].session_id}


def _owned(row: Session, query: dict[str, Any], me: str) -> bool:
    owner = query["owner"]
    if owner["type"] == "accessible":
        return True
    return row.owner.urn in (owner["owner_urns"] if owner["type"] == "user" else [me])


def _fits(row: Session, query: dict[str, Any]) -> bool:
    projects, pairs = query["project_ids"], query["user_metadata"]
    if projects is not None and row.project_id not in projects:
        return False
    if pairs and not pairs.items() <= (row.user_metadata or {}).items():
        return False
    return _named(row, query["session_id"], query["display_name"]) and _has_status(row, query["statuses"])


def _named(row: Session, session_id: str | None, display_name: str | None) -> bool:
    if session_id is None and display_name is None:
        return True
    words = display_name.casefold().split() if display_name else []
    name = (row.display_name or "").casefold()
    return row.session_id == session_id or (bool(words) and all(word in name for word in words))


def _has_status(row: Session, statuses: list[dict[str, Any]] | None) -> bool:
    if statuses is None:
        return True
    return any(_is_status(row.status, wanted) for wanted in statuses)


def _is_status(status: dict[str, Any] | None, wanted: dict[str, Any]) -> bool:
    if status is None or status["type"] != wanted["type"]:
        return False
    reasons = wanted.get("reasons")
    return reasons is None or status["reason"]["type"] in reasons


def _behind(row: Session, cursor: dict[str, Any] | None) -> bool:
    return cursor is None or row.newness < (cursor["last_created_at"], cursor["last_session_id"])
