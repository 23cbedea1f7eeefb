"""Session search: filters and the keyset cursor."""

import pytest


def search(web, **body):
    """Return one page of the search."""
    reply = web.post("sessions/search", json=body)
    assert reply.status_code == 200, reply.text
    return reply.json()


def search_all(web, **body):
    """Return all pages of the search."""
    rows, cursor = [], {}
    while True:
        page = search(web, **body, **cursor)
        rows += page["sessions"]
        if page["next_cursor"] is None:
            return rows
        cursor = {"cursor": page["next_cursor"]}


ACCESSIBLE = {"owner": {"type": "accessible"}}


@pytest.mark.parametrize("limit", [1, 7, 200])
def test_pages_hold_every_session_once_newest_first(web, limit):
    """Following the cursor lists every session of the caller once, newest first."""
    rows = search_all(web, limit=limit)
    assert sorted(row["session_id"] for row in rows) == sorted(web.rows("sessions", "sessions", 100))
    assert [row["created_at"] for row in rows] == sorted((row["created_at"] for row in rows), reverse=True)


def test_default_limit_is_50(serve, browse):
    """The default limit is 50 sessions."""
    page = search(browse(serve(runs=80)))
    assert len(page["sessions"]) == 50
    assert set(page["next_cursor"]) == {"last_created_at", "last_session_id"}


@pytest.mark.parametrize(
    "body",
    [
        {"limit": 201},
        {"limit": 0},
        {"display_name": ""},
        {"statuses": []},
        {"statuses": [{"type": "asleep"}]},
        {"statuses": [{"type": "client_finished", "reasons": []}]},
        {"owner": {"type": "user", "owner_urns": []}},
        {"owner": {"type": "user", "owner_urns": ["x"] * 11}},
        {"cursor": {"last_created_at": "2026-01-01T00:00:00", "last_session_id": "a"}},
        {"unknown": 1},
    ],
)
def test_invalid_bodies_are_a_422(web, body):
    """A body that the contract does not allow is refused with a list of errors."""
    reply = web.post("sessions/search", json=body)
    assert reply.status_code == 422
    assert reply.json()["detail"][0]["loc"][0] == "body"


def test_owners(web):
    """The default owner is the caller; `accessible` adds colleagues; `user` selects by URN."""
    everyone = search_all(web, **ACCESSIBLE)
    mine, urns = web.server.state.me.urn, {row["owner"] for row in everyone}
    assert {row["owner"] for row in search_all(web)} == {mine} < urns
    other = next(iter(urns - {mine}))
    rows = search_all(web, owner={"type": "user", "owner_urns": [other]})
    assert rows == [row for row in everyone if row["owner"] == other]


def test_every_status_and_reason_occurs_and_can_be_searched(web):
    """Every status, finish reason and kind of failure occurs, and each filter returns exactly its sessions."""
    rows = search_all(web, **ACCESSIBLE)
    kinds = {row["status"] and row["status"]["type"] for row in rows}
    assert kinds == {None, "active", "cancelled", "failed", "client_finished"}
    failures = [row["status"] for row in rows if row["status"] and row["status"]["type"] == "failed"]
    assert {one["reason"]["type"] for one in failures} == {"request", "training_run", "sampling_session"}
    assert {one["category"] for one in failures} == {"user", "internal"}
    for kind in kinds - {None}:
        hits = search_all(web, statuses=[{"type": kind}], **ACCESSIBLE)
        assert hits == [row for row in rows if row["status"] and row["status"]["type"] == kind]
    for reason in ("success", "errored", "interrupted"):
        hits = search_all(web, statuses=[{"type": "client_finished", "reasons": [reason]}], **ACCESSIBLE)
        assert {row["status"]["reason"]["type"] for row in hits} == {reason}
    both = search_all(web, statuses=[{"type": "failed"}, {"type": "cancelled"}], **ACCESSIBLE)
    assert {row["status"]["type"] for row in both} == {"failed", "cancelled"}


def test_names_match_every_word_in_any_case(web):
    """Each word must occur in the display name, ignoring case."""
    rows = [row["display_name"] for row in search_all(web, display_name="SFT nightly")]
    assert set(rows) == {"nightly sft", "Nightly SFT, second try"}


def test_id_or_name(web):
    """A session id and a display name together match either."""
    rows = search_all(web)
    unnamed = next(row for row in rows if row["display_name"] is None)
    hits = search_all(web, session_id=unnamed["session_id"], display_name="sweep")
    assert {row["display_name"] for row in hits} == {None, "GSM8K RL sweep"}


def test_metadata_pairs_must_all_match(web):
    """All pairs of user_metadata must match exactly."""
    assert all(row["user_metadata"]["team"] == "math-rl" for row in search_all(web, user_metadata={"team": "math-rl"}))
    assert search_all(web, user_metadata={"team": "math-rl", "owner": "Zoë"})
    assert not search_all(web, user_metadata={"team": "math-rl", "owner": "Ada"})


def test_projects(web):
    """`project_ids` selects the sessions of these projects; a project that the caller cannot list is a 403."""
    rows = search_all(web, project_ids=["proj-evals"])
    assert {row["project_id"] for row in rows} == {"proj-evals"}
    reply = web.post("sessions/search", json={"project_ids": ["proj-evals", "proj-board-only"]})
    assert reply.status_code == 403
    assert "proj-board-only" not in {row["project_id"] for row in search_all(web, **ACCESSIBLE)}


def test_counts_and_bytes_agree_with_the_checkpoints(web):
    """A session has the number and the bytes of its checkpoints."""
    rows = web.rows("checkpoints", "checkpoints", 1000)
    for session in search_all(web):
        own = [row for row in rows if session["session_id"] in row["tinker_path"]]
        assert session["checkpoints_count"] == len(own)
        assert (session["checkpoint_storage_bytes"] or 0) == sum(row["size_bytes"] or 0 for row in own)
