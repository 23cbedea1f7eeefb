"""Every list of the official service, page by page."""

import pytest

from .conftest import call_path

LISTS = [
    ("sessions", "sessions", None),
    ("training_runs", "training_runs", "training_run_id"),
    ("checkpoints", "checkpoints", "tinker_path"),
]
CAPS = [("sessions", 500), ("training_runs", 500), ("checkpoints", 1000)]


@pytest.mark.parametrize(("path", "item", "key"), LISTS)
@pytest.mark.parametrize("limit", [1, 7, 500])
def test_pages_hold_every_row_once(web, path, item, key, limit):
    """Paging with any page size gives every row exactly once, in the same order."""
    rows = web.rows(path, item, limit) if limit > 1 or item != "checkpoints" else web.rows(path, item, 13)
    keys = [row[key] if key else row for row in rows]
    assert len(set(keys)) == len(keys) > 10
    assert keys == [row[key] if key else row for row in web.rows(path, item, 100)]


@pytest.mark.parametrize(("path", "item", "key"), LISTS[1:])
def test_cursor_counts_all_rows_also_past_the_end(web, path, item, key):
    """The cursor echoes the request and counts all rows, past the end as well."""
    total = len(web.rows(path, item, 100))
    page = web.json(path, limit=5, offset=10**6)
    assert page == {item: [], "cursor": {"offset": 10**6, "limit": 5, "total_count": total}}


@pytest.mark.parametrize(("path", "default"), [("sessions", 20), ("training_runs", 20), ("checkpoints", 100)])
def test_default_limits_hide_rows(serve, browse, path, default):
    """Without a limit a page has 20 sessions or runs, or 100 checkpoints, though there are more."""
    page = browse(serve(runs=40)).json(path)
    assert len(page[path]) == default
    assert page.get("cursor", {"limit": default})["limit"] == default


@pytest.mark.parametrize(("path", "cap"), CAPS)
def test_limit_above_the_cap_is_a_422_as_fastapi_words_it(web, path, cap):
    """A limit above the cap is refused with FastAPI's list, which names the cap in ctx.le."""
    reply = web.get(path, params={"limit": cap + 1})
    message = f"Input should be less than or equal to {cap}"
    entry = {"type": "less_than_equal", "loc": ["query", "limit"], "msg": message}
    assert (reply.status_code, reply.json()) == (422, {"detail": [entry | {"input": str(cap + 1), "ctx": {"le": cap}}]})
    assert web.get(path, params={"limit": cap}).status_code == 200


def test_caps_can_be_set_and_changed_on_a_live_server(serve, browse):
    """The caps are a switch of the service, read on every request."""
    server = serve(runs=4, caps={"list_user_checkpoints": 10})
    web = browse(server)
    assert web.get("checkpoints", params={"limit": 11}).json()["detail"][0]["ctx"] == {"le": 10}
    server.switches.caps["list_user_checkpoints"] = 11
    assert web.get("checkpoints", params={"limit": 11}).status_code == 200


@pytest.mark.parametrize("query", [{"limit": 0}, {"limit": -1}, {"offset": -1}, {"limit": "many"}, {"limit": 1.5}])
def test_numbers_that_are_none_are_a_422(web, query):
    """Limits below one, negative offsets and words are refused, saying which parameter."""
    reply = web.get("checkpoints", params=query)
    assert reply.status_code == 422
    assert reply.json()["detail"][0]["loc"] == ["query", next(iter(query))]


def test_checkpoints_come_newest_first(web):
    """The user's checkpoints are sorted by time, newest first."""
    times = [row["time"] for row in web.rows("checkpoints", "checkpoints", 100)]
    assert times == sorted(times, reverse=True)


def test_times_are_utc_with_microseconds(web):
    """Every time ends in Z after six digits."""
    for row in web.rows("checkpoints", "checkpoints", 500):
        for time in filter(None, (row["time"], row["expires_at"])):
            assert len(time) == 27
            assert time.endswith("Z")


def test_one_runs_checkpoints_come_at_once(web):
    """A run's checkpoints come in one answer whatever the limit, with a null cursor; all runs make up the user list."""
    runs = [row["training_run_id"] for row in web.rows("training_runs", "training_runs", 100)]
    pages = [web.json(f"training_runs/{run}/checkpoints", limit=1) for run in runs]
    assert all(page["cursor"] is None for page in pages)
    rows = [row for page in pages for row in page["checkpoints"]]
    by_path = {row["tinker_path"]: row for row in rows}
    assert by_path == {row["tinker_path"]: row for row in web.rows("checkpoints", "checkpoints", 1000)}


def test_runs_show_their_newest_checkpoints(web):
    """A run shows its newest training and sampler checkpoint, or null."""
    for run in web.rows("training_runs", "training_runs", 100):
        rows = web.json(f"training_runs/{run['training_run_id']}/checkpoints")["checkpoints"]
        for field, kind in (("last_checkpoint", "training"), ("last_sampler_checkpoint", "sampler")):
            assert run[field] == next((row for row in rows if row["checkpoint_type"] == kind), None)


def test_runs_come_most_recently_used_first(web):
    """Runs are sorted by their last request, newest first."""
    times = [row["last_request_time"] for row in web.rows("training_runs", "training_runs", 100)]
    assert times == sorted(times, reverse=True)


def test_accessible_adds_colleagues_rows_but_no_private_ones(web):
    """`access_scope=accessible` adds sessions and runs of colleagues in projects that the caller can list."""
    me, state = web.server.state.me, web.server.state
    own, seen = (set(web.rows("sessions", "sessions", 100, access_scope=s)) for s in ("owned", "accessible"))
    assert own < seen
    assert own == {row.session_id for row in state.sessions()}
    owners = {row["model_owner"] for row in web.rows("training_runs", "training_runs", 50, access_scope="accessible")}
    assert {me.urn} < owners
    assert {row["model_owner"] for row in web.rows("training_runs", "training_runs", 50)} == {me.urn}


def test_project_id_filters_runs(web):
    """`project_id` keeps the runs of that project's sessions; all projects together give all runs."""
    every = {row["training_run_id"] for row in web.rows("training_runs", "training_runs", 50)}
    parts = [
        {row["training_run_id"] for row in web.rows("training_runs", "training_runs", 50, project_id=project)}
        for project in web.server.state.projects
    ]
    assert sum(map(len, parts)) == len(every)
    assert set().union(*parts) == every


def test_unknown_access_scope_is_a_422(web):
    """Only `owned` and `accessible` are scopes."""
    assert web.get("sessions", params={"access_scope": "mine"}).json()["detail"][0]["type"] == "literal_error"


def test_an_empty_account_has_empty_lists(serve, browse):
    """An account without runs answers every list with none and a total of 0."""
    web = browse(serve(runs=0))
    assert web.json("sessions") == {"sessions": []}
    for path in ("training_runs", "checkpoints"):
        page = web.json(path, limit=3)
        assert page == {path: [], "cursor": {"offset": 0, "limit": 3, "total_count": 0}}
    assert web.post("sessions/search", json={}).json() == {"sessions": [], "next_cursor": None}


def test_external_checkpoints_can_be_left_out_of_the_user_list(serve, browse):
    """Whether the user list has external checkpoints is a switch."""
    web = browse(serve(runs=20))
    assert "external" in {row["checkpoint_type"] for row in web.rows("checkpoints", "checkpoints", 1000)}
    web.server.switches.user_list_external = False
    rows = web.rows("checkpoints", "checkpoints", 1000)
    assert {row["checkpoint_type"] for row in rows} == {"training", "sampler"}
    assert web.json("checkpoints")["cursor"]["total_count"] == len(rows)


def test_the_path_of_every_checkpoint_reaches_it(web):
    """Names with spaces, percent signs, question marks and unicode are reached by their encoded path."""
    rows = web.rows("checkpoints", "checkpoints", 1000)
    odd = [row for row in rows if not row["tinker_path"].rpartition("/")[2].replace("-", "").isalnum()]
    assert len(odd) > 20
    for row in odd[:60]:
        reply = web.put(call_path(row["tinker_path"], "/ttl"), json={"ttl_seconds": None})
        assert reply.status_code == 204, row["tinker_path"]
