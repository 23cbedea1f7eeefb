"""The listings of the official service."""

import pytest

from .conftest import build_route

LISTS = [
    ("sessions", "sessions", None),
    ("training_runs", "training_runs", "training_run_id"),
    ("checkpoints", "checkpoints", "tinker_path"),
]
CAPS = [("sessions", 500), ("training_runs", 500), ("checkpoints", 1000)]


@pytest.mark.parametrize(("path", "item", "key"), LISTS)
@pytest.mark.parametrize("limit", [1, 7, 500])
def test_pages_hold_every_row_once(web, path, item, key, limit):
    """With any page size every row is listed exactly once, in the same order."""
    rows = web.rows(path, item, limit) if limit > 1 or item != "checkpoints" else web.rows(path, item, 13)
    keys = [row[key] if key else row for row in rows]
    assert len(set(keys)) == len(keys) > 10
    assert keys == [row[key] if key else row for row in web.rows(path, item, 100)]


@pytest.mark.parametrize(("path", "item", "key"), LISTS[1:])
def test_cursor_counts_all_rows_also_past_the_end(web, path, item, key):
    """The cursor echoes the request and counts all rows, even past the end."""
    total = len(web.rows(path, item, 100))
    page = web.json(path, limit=5, offset=10**6)
    assert page == {item: [], "cursor": {"offset": 10**6, "limit": 5, "total_count": total}}


@pytest.mark.parametrize(("path", "default"), [("sessions", 20), ("training_runs", 20), ("checkpoints", 100)])
def test_default_limits_hide_rows(serve, browse, path, default):
    """The default limit is 20 sessions or runs, or 100 checkpoints, even if there are more."""
    page = browse(serve(runs=40)).json(path)
    assert len(page[path]) == default
    assert page.get("cursor", {"limit": default})["limit"] == default


@pytest.mark.parametrize(("path", "cap"), CAPS)
def test_limit_above_the_cap_is_a_422(web, path, cap):
    """A limit above the cap is refused in FastAPI's format, with the cap in ctx.le."""
    reply = web.get(path, params={"limit": cap + 1})
    message = f"Input should be less than or equal to {cap}"
    entry = {"type": "less_than_equal", "loc": ["query", "limit"], "msg": message}
    assert (reply.status_code, reply.json()) == (422, {"detail": [entry | {"input": str(cap + 1), "ctx": {"le": cap}}]})
    assert web.get(path, params={"limit": cap}).status_code == 200


def test_caps_can_be_changed_while_the_server_runs(serve, browse):
    """The caps are switches of the service and take effect at once."""
    server = serve(runs=4, caps={"list_user_checkpoints": 10})
    web = browse(server)
    assert web.get("checkpoints", params={"limit": 11}).json()["detail"][0]["ctx"] == {"le": 10}
    server.switches.caps["list_user_checkpoints"] = 11
    assert web.get("checkpoints", params={"limit": 11}).status_code == 200


@pytest.mark.parametrize("query", [{"limit": 0}, {"limit": -1}, {"offset": -1}, {"limit": "many"}, {"limit": 1.5}])
def test_invalid_limits_and_offsets_are_a_422(web, query):
    """A limit below one, a negative offset or text is refused, with the name of the parameter."""
    reply = web.get("checkpoints", params=query)
    assert reply.status_code == 422
    assert reply.json()["detail"][0]["loc"] == ["query", next(iter(query))]


def test_checkpoints_are_sorted_newest_first(web):
    """The user's checkpoints are sorted by time, newest first."""
    times = [row["time"] for row in web.rows("checkpoints", "checkpoints", 100)]
    assert times == sorted(times, reverse=True)


def test_times_are_utc_with_microseconds(web):
    """Every time has six decimals and ends in Z."""
    for row in web.rows("checkpoints", "checkpoints", 500):
        for time in filter(None, (row["time"], row["expires_at"])):
            assert len(time) == 27
            assert time.endswith("Z")


def test_checkpoints_of_a_run_are_not_paged(web):
    """A run's checkpoints are one response whatever the limit, with a null cursor; together the runs have the user's list."""
    runs = [row["training_run_id"] for row in web.rows("training_runs", "training_runs", 100)]
    pages = [web.json(f"training_runs/{run}/checkpoints", limit=1) for run in runs]
    assert all(page["cursor"] is None for page in pages)
    rows = [row for page in pages for row in page["checkpoints"]]
    by_path = {row["tinker_path"]: row for row in rows}
    assert by_path == {row["tinker_path"]: row for row in web.rows("checkpoints", "checkpoints", 1000)}


def test_runs_have_their_newest_checkpoints(web):
    """A run has its newest training and sampler checkpoint, or null."""
    for run in web.rows("training_runs", "training_runs", 100):
        rows = web.json(f"training_runs/{run['training_run_id']}/checkpoints")["checkpoints"]
        for field, kind in (("last_checkpoint", "training"), ("last_sampler_checkpoint", "sampler")):
            assert run[field] == next((row for row in rows if row["checkpoint_type"] == kind), None)


def test_runs_are_sorted_by_last_request(web):
    """Runs are sorted by their last request, newest first."""
    times = [row["last_request_time"] for row in web.rows("training_runs", "training_runs", 100)]
    assert times == sorted(times, reverse=True)


def test_accessible_scope_adds_rows_of_colleagues(web):
    """`access_scope=accessible` adds sessions and runs of colleagues in projects that the caller can list."""
    me, state = web.server.state.me, web.server.state
    own, accessible = (set(web.rows("sessions", "sessions", 100, access_scope=s)) for s in ("owned", "accessible"))
    assert own < accessible
    assert own == {row.session_id for row in state.sessions()}
    owners = {row["model_owner"] for row in web.rows("training_runs", "training_runs", 50, access_scope="accessible")}
    assert {me.urn} < owners
    assert {row["model_owner"] for row in web.rows("training_runs", "training_runs", 50)} == {me.urn}


def test_project_id_filters_runs(web):
    """`project_id` selects the runs of that project's sessions; all projects together have all runs."""
    every = {row["training_run_id"] for row in web.rows("training_runs", "training_runs", 50)}
    parts = [
        {row["training_run_id"] for row in web.rows("training_runs", "training_runs", 50, project_id=project)}
        for project in web.server.state.projects
    ]
    assert sum(map(len, parts)) == len(every)
    assert set().union(*parts) == every


def test_unknown_access_scope_is_a_422(web):
    """An access scope other than `owned` and `accessible` is a 422."""
    assert web.get("sessions", params={"access_scope": "mine"}).json()["detail"][0]["type"] == "literal_error"


def test_an_empty_account_has_empty_lists(serve, browse):
    """The lists of an account without runs are empty, with a total of 0."""
    web = browse(serve(runs=0))
    assert web.json("sessions") == {"sessions": []}
    for path in ("training_runs", "checkpoints"):
        page = web.json(path, limit=3)
        assert page == {path: [], "cursor": {"offset": 0, "limit": 3, "total_count": 0}}
    assert web.post("sessions/search", json={}).json() == {"sessions": [], "next_cursor": None}


def test_external_checkpoints_can_be_left_out_of_the_user_list(serve, browse):
    """A switch decides whether the user's list has external checkpoints."""
    web = browse(serve(runs=20))
    assert "external" in {row["checkpoint_type"] for row in web.rows("checkpoints", "checkpoints", 1000)}
    web.server.switches.user_list_external = False
    rows = web.rows("checkpoints", "checkpoints", 1000)
    assert {row["checkpoint_type"] for row in rows} == {"training", "sampler"}
    assert web.json("checkpoints")["cursor"]["total_count"] == len(rows)


def test_encoded_paths_address_their_checkpoint(web):
    """Names with spaces, percent signs, question marks and Unicode are addressed by their encoded path."""
    rows = web.rows("checkpoints", "checkpoints", 1000)
    odd = [row for row in rows if not row["tinker_path"].rpartition("/")[2].replace("-", "").isalnum()]
    assert len(odd) > 20
    for row in odd[:60]:
        reply = web.put(build_route(row["tinker_path"], "/ttl"), json={"ttl_seconds": None})
        assert reply.status_code == 204, row["tinker_path"]
