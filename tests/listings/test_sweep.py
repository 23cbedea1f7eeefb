"""Every page exactly once against a real server: caps, totals, cursors, churn, failures."""

from __future__ import annotations

import itertools
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from math import ceil
from typing import Any

import pandas as pd
import pytest

import tinker_frames as tkf
from tinker_frames.demo import Burst, Churn, DemoServer, Truncate
from tinker_frames.errors import IncompleteListingError, IncompleteListingWarning, ServerError, TinkerError
from tinker_frames.listings.pagination import MOST_FRUITLESS
from tinker_frames.listings.proof import MOST_SWEEPS
from tinker_frames.listings.tables import TableReader
from tinker_frames.rest.progress import Progress

Make = Callable[..., tkf.Client]
LIST = "list_user_checkpoints"


@pytest.fixture(scope="module")
def shared_large_server() -> Iterator[DemoServer]:
    """A server with more than five pages; each test restores its faults."""
    with DemoServer(runs=30, seed=2, checkpoints=5_300) as running:
        yield running


@pytest.fixture
def large_server(shared_large_server: DemoServer) -> Iterator[DemoServer]:
    """The large server without faults and with an empty request log."""
    shared_large_server.faults.clear()
    shared_large_server.requests.clear()
    yield shared_large_server
    shared_large_server.faults.clear()


def list_paths(server: DemoServer) -> list[str]:
    """Return every tinker path of the user's list, newest first."""
    return [row.tinker_path for row in server.state.checkpoints_page(10**9, 0)[0]]


def get_report(frame: pd.DataFrame) -> dict[str, Any]:
    """Return the report of a frame."""
    found: dict[str, Any] = frame.attrs["tinker"]
    return found


def test_five_thousand_rows_take_as_many_requests_as_pages(large_server: DemoServer, client_of: Make) -> None:
    """A quiet account with a short last page takes ceil(rows / page) requests, all counted, and has every row once, in the server's order."""
    frame = client_of(large_server).checkpoints()
    assert frame["tinker_path"].tolist() == list_paths(large_server)
    assert (
        large_server.requests.count(LIST)
        == ceil(len(frame) / 1000)
        == get_report(frame)["requests"]
        == get_report(frame)["pages"]
    )
    assert get_report(frame)["complete"]
    assert get_report(frame)["total"] == get_report(frame)["rows"] == len(frame) > 5000


@pytest.mark.few(2)
@pytest.mark.parametrize("style", ["422", "silent"])
@pytest.mark.parametrize("cap", [700, 100])
def test_a_smaller_page_size_is_adapted_to_and_remembered(
    large_server: DemoServer, client_of: Make, style: Any, cap: int
) -> None:
    """A refused limit costs one request, a full last page another one, and the next listing starts with the accepted size."""
    large_server.faults.page_caps[LIST], large_server.faults.cap_style = cap, style
    client = client_of(large_server, cache=False)
    frame = client.checkpoints()
    assert frame["tinker_path"].tolist() == list_paths(large_server)
    assert get_report(frame)["complete"]
    pages = ceil(len(frame) / cap) + (len(frame) % cap == 0)
    assert large_server.requests.count(LIST) == pages + (style == "422") == get_report(frame)["requests"]
    large_server.requests.clear()
    client.checkpoints()
    assert large_server.requests.count(LIST) == pages


def test_a_plain_400_halves_the_limit(large_server: DemoServer, client_of: Make) -> None:
    """A limit refused without a named cap is halved."""
    large_server.faults.bursts.append(Burst(LIST, 400, times=2, detail="limit is too large"))
    frame = client_of(large_server).checkpoints()
    assert len(frame) == len(list_paths(large_server))
    assert [call.query["limit"] for call in large_server.requests.to(LIST)][:4] == ["1000", "500", "250", "250"]


def test_an_error_that_is_not_about_the_size_is_raised(large_server: DemoServer, client_of: Make) -> None:
    """A persistent 400 is raised after a few requests."""
    large_server.faults.bursts.append(Burst(LIST, 400, times=None))
    with pytest.raises(tkf.errors.InvalidRequestError):
        client_of(large_server).checkpoints()
    assert large_server.requests.count(LIST) < 8


@pytest.mark.parametrize("style", ["422", "silent"])
def test_a_list_without_any_cursor_is_read_to_its_end(large_server: DemoServer, client_of: Make, style: Any) -> None:
    """Without a total, only an empty page or one without new rows ends the list, even if the limit was lowered."""
    large_server.faults.no_cursor = {LIST}
    large_server.faults.page_caps[LIST], large_server.faults.cap_style = 300, style
    frame = client_of(large_server).checkpoints()
    assert frame["tinker_path"].tolist() == list_paths(large_server)
    assert get_report(frame)["total"] is None
    assert get_report(frame)["complete"]


@pytest.mark.parametrize("limit", [0, 1, 999, 1000, 1001, "all", "more"])
@pytest.mark.parametrize("cursor", [True, False])
def test_a_limit_gives_the_first_rows_and_asks_for_no_more(
    large_server: DemoServer, client_of: Make, limit: Any, cursor: bool
) -> None:
    """`limit` returns exactly the first rows, 0 sends nothing; a limited frame is not called complete and does not warn.

    Only where the limit is the total, one row past it is asked for: the total may be too low.
    """
    rows = list_paths(large_server)
    wanted = {"all": len(rows), "more": len(rows) + 50}.get(limit, limit)
    large_server.faults.no_cursor = () if cursor else {LIST}
    frame = client_of(large_server).checkpoints(limit=wanted, require_complete=True)
    assert frame["tinker_path"].tolist() == rows[:wanted]
    most = wanted + {"more": 1000, "all": 1}.get(limit, 0)
    assert sum(int(call.query["limit"]) for call in large_server.requests.to(LIST)) <= most
    assert large_server.requests.count(LIST) == 0 if wanted == 0 else True
    if cursor or wanted == 0:
        assert get_report(frame)["complete"] == (wanted >= len(rows))


def test_an_empty_account_is_an_empty_frame(client_of: Make) -> None:
    """No rows is a result: complete, a total of 0, one request per table, every column."""
    with DemoServer(runs=0, seed=1) as server:
        client = client_of(server)
        for name in ("checkpoints", "training_runs", "sessions", "samplers", "inventory"):
            frame = getattr(client, name)()
            assert get_report(frame)["complete"]
            assert len(frame) == 0 or name in ("sessions", "samplers")
        assert get_report(client.checkpoints())["total"] == 0


def test_a_negative_limit_is_refused(client: tkf.Client, server: DemoServer) -> None:
    """A negative limit is an error, and nothing is sent."""
    with pytest.raises(tkf.errors.InvalidRequestError, match="limit"):
        client.checkpoints(limit=-1)
    assert server.requests.count(LIST) == 0


def test_rows_that_appear_and_vanish_for_a_while_are_repaired(large_server: DemoServer, client_of: Make) -> None:
    """A disturbed sweep is repeated until one is proved; then the frame is the current account."""
    large_server.faults.churn.append(Churn(LIST, added_per_page=3, removed_per_page=2, times=4))
    frame = client_of(large_server).checkpoints()
    assert get_report(frame)["complete"]
    assert frame["tinker_path"].tolist() == list_paths(large_server)
    assert 2 <= get_report(frame)["pages"] / ceil(len(frame) / 1000) <= MOST_SWEEPS


def test_a_row_hidden_by_a_deletion_is_found(large_server: DemoServer, client_of: Make) -> None:
    """A row that a deletion shifted between pages is found by the next sweep."""
    client = client_of(large_server, max_workers=1)
    newest = large_server.state.checkpoints_page(1, 0)[0][0]
    hidden = list_paths(large_server)[1000]
    large_server.faults.churn.append(Churn(LIST, before_page={2: lambda state: state.delete(newest)}))
    frame = client.checkpoints()
    assert hidden in set(frame["tinker_path"])
    assert frame["tinker_path"].tolist() == list_paths(large_server)


def test_a_row_that_a_new_one_pushed_is_there_once(large_server: DemoServer, client_of: Make) -> None:
    """A row repeated on the next page because of a new one appears once, and so does the new one."""
    large_server.faults.churn.append(Churn(LIST, before_page={2: lambda state: state.add_checkpoint()}))
    frame = client_of(large_server, max_workers=1).checkpoints()
    assert frame["tinker_path"].is_unique
    assert set(frame["tinker_path"]) == set(list_paths(large_server))


def test_churn_without_end_is_said(large_server: DemoServer, client_of: Make) -> None:
    """A constantly changing account gives the rows found, a warning and the reason; `require_complete` raises instead; nothing is cached."""
    large_server.faults.churn.append(Churn(LIST, added_per_page=1, removed_per_page=1))
    client = client_of(large_server)
    before = set(list_paths(large_server))
    with pytest.warns(IncompleteListingWarning, match="changed while it was read"):
        frame = client.checkpoints()
    assert not get_report(frame)["complete"]
    assert get_report(frame)["problems"][0]["column"] is None
    assert len(before & set(frame["tinker_path"])) > 0.98 * len(before)
    with pytest.raises(IncompleteListingError, match="refresh=True") as caught:
        client.checkpoints(require_complete=True)
    assert caught.value.retryable
    large_server.faults.clear()
    large_server.requests.clear()
    assert get_report(client.checkpoints())["complete"]
    assert large_server.requests.count(LIST) > 0


def test_a_limit_does_not_hide_churn(large_server: DemoServer, client_of: Make) -> None:
    """Possibly missing rows are distinguished from rows cut by the limit."""
    large_server.faults.churn.append(Churn(LIST, added_per_page=2, removed_per_page=1))
    with pytest.warns(IncompleteListingWarning):
        client_of(large_server).checkpoints(limit=3000)


def falsify_total(total: Any) -> Callable[[str, Any], Any]:
    """Return an edit of pages that replaces the total in their cursors by a number or by the result of `total`."""

    def edit(endpoint: str, body: Any) -> Any:
        if endpoint == LIST:
            body["cursor"]["total_count"] = total(body) if callable(total) else total
        return body

    return edit


def fail_once(at: int) -> Callable[[str, Any], Any]:
    """Return an edit that empties the n-th page once."""
    pages = iter(range(10**6))

    def edit(endpoint: str, body: Any) -> Any:
        if endpoint == LIST and next(pages) == at:
            body["checkpoints"] = []
        return body

    return edit


@pytest.mark.parametrize("cap", [1000, 100, 233])
def test_a_total_that_counts_one_page_is_left_aside(large_server: DemoServer, client_of: Make, cap: int) -> None:
    """A total that counts only the page does not end the listing, which is complete and names the total in `problems`."""
    large_server.faults.page_caps[LIST], large_server.faults.cap_style = cap, "silent"
    large_server.faults.edit = falsify_total(lambda body: len(body["checkpoints"]))
    frame = client_of(large_server).checkpoints(require_complete=True)
    assert frame["tinker_path"].tolist() == list_paths(large_server)
    assert get_report(frame)["complete"]
    assert get_report(frame)["total"] is None
    assert [problem["column"] for problem in get_report(frame)["problems"]] == ["total_count"]


@pytest.mark.parametrize("cursor", [True, False])
def test_offsets_that_are_refused_cost_the_rows_after_them(
    large_server: DemoServer, client_of: Make, cursor: bool
) -> None:
    """A server that serves no offset past a bound gives the rows before it, and the listing is not complete."""
    large_server.faults.no_cursor = () if cursor else {LIST}
    large_server.faults.page_caps[LIST] = 100
    large_server.faults.bursts.append(Burst(LIST, 422, times=None, after=4))
    with pytest.warns(IncompleteListingWarning, match="refuses pages from row [1-4]00 on"):
        frame = client_of(large_server, max_workers=1).checkpoints(by="user")
    assert 100 <= len(frame) <= 400


@pytest.mark.parametrize(("cap", "says_limit"), [(2, True), (3, False), (13, True), (23, False)])
def test_a_short_page_whose_total_counts_itself_is_no_proof(client_of: Make, cap: int, says_limit: bool) -> None:
    """A server that cuts every list at a few rows, and counts only those, is asked for what follows, also in the list of a run."""
    with DemoServer(runs=2, checkpoints=4) as server:
        run = add_to_run(server, 30)

        def cut(endpoint: str, body: Any) -> Any:
            if endpoint not in (LIST, "list_checkpoints"):
                return body
            query = server.requests.to(endpoint)[-1].query
            at, rows = int(query.get("offset", 0)), body["checkpoints"]
            rows = rows[:cap] if endpoint == LIST else rows[at : at + cap]
            limit = {"limit": int(query.get("limit", 100))} if says_limit else {}
            total = str(len(rows)) if cap == 2 else len(rows)
            return {"checkpoints": rows, "cursor": {"offset": at, "total_count": total, **limit}}

        server.faults.edit = cut
        client = client_of(server)
        assert len(client.checkpoints(by="user", require_complete=True)) == len(list_paths(server))
        assert len(client.checkpoints(run, require_complete=True)) == 30


def test_an_empty_list_of_a_run_is_read_twice(server: DemoServer, client_of: Make) -> None:
    """A list that was wrongly empty once costs no row."""
    seen: list[Any] = []

    def empty(endpoint: str, body: Any) -> Any:
        seen.append(body) if endpoint == "list_checkpoints" and body["checkpoints"] else None
        return body | {"checkpoints": []} if seen[-1:] == [body] and len(seen) == 1 else body

    server.faults.edit = empty
    frame = client_of(server, max_workers=1).checkpoints(by="run")
    assert get_report(frame)["complete"]
    assert set(frame["tinker_path"]) == set(list_paths(server))
    assert len(seen) > 1


def test_one_empty_page_after_a_full_one_whose_total_counts_itself_is_no_proof(client_of: Make) -> None:
    """A page that was wrongly empty once is asked for again where the total may count the page before alone, in every list."""
    with DemoServer(runs=2, checkpoints=4) as server:
        run, empty = add_to_run(server, 70), []

        def cut(endpoint: str, body: Any) -> Any:
            if endpoint not in (LIST, "list_checkpoints"):
                return body
            query = server.requests.to(endpoint)[-1].query
            at, rows = int(query.get("offset", 0)), body["checkpoints"]
            rows = rows[:30] if endpoint == LIST else rows[at : at + 30]
            if at == 30 and endpoint not in empty:
                empty.append(endpoint)
                rows = []
            return {"checkpoints": rows, "cursor": {"offset": at, "total_count": len(rows), "limit": 30}}

        server.faults.edit = cut
        client = client_of(server)
        assert len(client.checkpoints(by="user", require_complete=True)) == len(list_paths(server))
        assert len(client.checkpoints(run, require_complete=True)) == 70
        assert len(empty) == 2


@pytest.mark.few(3)
@pytest.mark.parametrize(
    ("total", "dropped", "most", "words"),
    [
        (10**9, (), 200, "total and its rows disagree"),
        (6000, (), 60, "total and its rows disagree"),
        (10**9, ("offset",), 200, "same rows at every offset"),
        (5300, ("offset",), 120, "same rows at every offset"),
        (5300, ("offset", "limit"), 120, "same rows at every offset"),
        (None, ("offset",), 20, "same rows at every offset"),
    ],
)
def test_pages_that_do_not_hold_what_is_counted_are_doubted(
    large_server: DemoServer, client_of: Make, total: Any, dropped: Any, most: int, words: str
) -> None:
    """A total that is too high, and a gateway that drops the offset, cost few requests and are not reported as a change of the account."""
    large_server.faults.edit = falsify_total(total)
    large_server.faults.drop_query[LIST] = dropped
    with pytest.warns(IncompleteListingWarning, match=words) as caught:
        frame = client_of(large_server).checkpoints()
    assert not get_report(frame)["complete"]
    assert "changed" not in str(caught[0].message)
    assert set(frame["tinker_path"]) <= set(list_paths(large_server))
    assert large_server.requests.count(LIST) <= most


@pytest.mark.few(3)
@pytest.mark.parametrize("cursor", [True, False])
@pytest.mark.parametrize("at", [0, 1, 5])
def test_a_page_that_is_empty_once_costs_no_row(
    large_server: DemoServer, client_of: Make, cursor: bool, at: int
) -> None:
    """An unexpectedly empty page is requested again, with and without a total, at any position."""
    large_server.faults.no_cursor = () if cursor else {LIST}
    large_server.faults.edit = fail_once(at)
    frame = client_of(large_server).checkpoints()
    assert set(frame["tinker_path"]) == set(list_paths(large_server))
    assert get_report(frame)["complete"]


def test_an_empty_list_beside_a_total_is_doubted(server: DemoServer, client_of: Make) -> None:
    """Empty pages with a total of 250 are not an empty account."""
    server.faults.edit = lambda endpoint, body: (
        {"checkpoints": [], "cursor": {"offset": 0, "limit": 9, "total_count": 250}} if endpoint == LIST else body
    )
    with pytest.warns(IncompleteListingWarning, match="counts 250"):
        frame = client_of(server).checkpoints(by="user")
    assert (len(frame), get_report(frame)["complete"], get_report(frame)["total"]) == (0, False, 250)


def test_a_total_of_one_page_that_comes_at_every_offset_is_doubted(large_server: DemoServer, client_of: Make) -> None:
    """A page-sized total from a gateway that drops the offset matches the rows and proves nothing."""
    large_server.faults.edit = falsify_total(lambda body: len(body["checkpoints"]))
    large_server.faults.drop_query[LIST] = ("offset",)
    with pytest.warns(IncompleteListingWarning, match="same rows at every offset"):
        client_of(large_server).checkpoints(by="user")


def test_a_short_list_that_comes_at_every_offset_is_whole(client_of: Make) -> None:
    """A simple server that gives its whole list whatever the offset, beside its true total, is not doubted for it."""
    with DemoServer(runs=3, checkpoints=4) as server:
        server.faults.drop_query["list_training_runs"] = ("offset", "limit")
        assert len(client_of(server).training_runs(require_complete=True)) == 3


@pytest.mark.parametrize("cursor", ["none", "counts the page", "says 0"])
def test_a_runs_list_that_is_cut_without_a_word_is_read_on(server: DemoServer, client_of: Make, cursor: str) -> None:
    """A run's list with a full page of rows is followed further, whatever its cursor says."""
    run = server.state.runs()[0]
    for number in range(230):
        server.state.add_checkpoint(run, name=f"step-{number:04d}", size_bytes=1)
    every = [row.tinker_path for row in server.state.run_checkpoints(run.training_run_id)]
    asked: list[int] = []

    def cut(endpoint: str, body: Any) -> Any:
        if endpoint != "list_checkpoints" or f"/{run.training_run_id}/" not in body["checkpoints"][0]["tinker_path"]:
            return body
        at = int(server.requests.to("list_checkpoints")[-1].query.get("offset", 0))
        asked.append(at)
        rows = body["checkpoints"][at : at + 100]
        said = {"none": None, "says 0": 0, "counts the page": 100}[cursor]
        return {
            "checkpoints": rows,
            "cursor": None if said is None else {"offset": at, "limit": 100, "total_count": said},
        }

    server.faults.edit = cut
    frame = client_of(server).checkpoints(run.training_run_id)
    assert set(frame["tinker_path"]) == set(every)
    assert get_report(frame)["complete"]
    assert asked[:3] == [0, 100, 200]


def test_a_limit_without_a_total_does_not_prove_the_end(large_server: DemoServer, client_of: Make) -> None:
    """The requested number of rows, from a list without a total, is not called complete."""
    large_server.faults.no_cursor = {LIST}
    frame = client_of(large_server).checkpoints(limit=1000, require_complete=True)
    assert (len(frame), get_report(frame)["complete"]) == (1000, False)


def test_a_limit_that_a_total_equals_is_not_complete_if_the_total_is_too_low(client_of: Make) -> None:
    """As many rows as the server counts, by chance the limit, are not all if one more follows."""
    with DemoServer(runs=4, checkpoints=12) as server:
        server.faults.edit = lambda endpoint, body: (
            body | {"cursor": body["cursor"] | {"total_count": 5}} if endpoint == LIST else body
        )
        frame = client_of(server).checkpoints(limit=5)
        assert (len(frame), get_report(frame)["complete"]) == (5, False)


@pytest.mark.parametrize("cursor", ["200", 200, ["a"], {"b": 1}])
def test_a_cursor_of_any_type_is_sent_back_as_it_came(server: DemoServer, client_of: Make, cursor: Any) -> None:
    """A cursor may be text, a number, a list or an object; an empty page with a cursor is asked for once more, then followed."""
    every = [row.session_id for row in server.state.sessions()]
    pages = iter([every[:8], [], [], every[8:]])
    marks = iter([cursor, [cursor], [cursor], None])
    template: list[Any] = []

    def cut(endpoint: str, body: Any) -> Any:
        if endpoint != "search_sessions":
            return body
        template.extend(body["sessions"])
        rows, mark = next(pages), next(marks)
        return {"sessions": [row for row in template[: len(every)] if row["session_id"] in rows], "next_cursor": mark}

    server.faults.edit = cut
    sent: list[Any] = []
    client = client_of(server)
    call = client.transport.call

    def accept(method: str, path: str, *, body: Any = None, **given: Any) -> Any:
        if path.endswith("/search"):
            sent.append(body.pop("cursor", None))  # the demo service only accepts its own cursors
        return call(method, path, body=body, **given)

    client.transport.call = accept  # type: ignore[method-assign]
    frame = client.sessions()
    assert sent == [None, cursor, cursor, [cursor]]
    assert set(frame["session_id"]) == set(every)
    assert get_report(frame)["complete"]


def test_ids_without_a_total_that_move_are_read_again(server: DemoServer, client_of: Make) -> None:
    """A list of bare ids also notices rows that appear during the listing, and is read again."""
    server.faults.missing = {"search_sessions"}
    server.faults.page_caps["list_sessions"], server.faults.cap_style = 5, "silent"
    server.faults.churn.append(Churn("list_sessions", before_page={2: lambda state: state.add_session()}))
    frame = client_of(server, max_workers=1).sessions()
    assert set(frame["session_id"]) == {row.session_id for row in server.state.sessions()}
    assert get_report(frame)["complete"]


@pytest.mark.parametrize("after", [0, 2])
def test_a_page_that_fails_for_ever_is_an_error_and_leaves_no_thread(
    large_server: DemoServer, client_of: Make, after: int
) -> None:
    """The first failing page is raised after its retries, and the threads end."""
    before = set(threading.enumerate())  # other tests may have left threads waiting for a fault
    large_server.faults.bursts.append(Burst(LIST, 500, times=None, after=after))
    client = client_of(large_server, retries=1)
    with pytest.raises(ServerError):
        client.checkpoints()
    for thread in set(threading.enumerate()) - before:
        if thread.name.startswith("tinker-frames"):
            thread.join(5)
            assert not thread.is_alive()
    assert large_server.requests.count(LIST) <= after + 2 * 16
    large_server.faults.clear()
    assert get_report(client.checkpoints())["complete"]


def test_repeats_are_counted_as_requests(large_server: DemoServer, client_of: Make) -> None:
    """Repeated requests count in `requests`, not in `pages`, and lose no row."""
    large_server.faults.bursts.append(Burst(LIST, 500, times=1, after=1))
    large_server.faults.truncate.append(Truncate(LIST, times=1, after=2))
    frame = client_of(large_server).checkpoints()
    pages = ceil(len(frame) / 1000)
    assert (get_report(frame)["pages"], get_report(frame)["requests"]) == (pages, pages + 2)
    assert large_server.requests.count(LIST) == pages + 2
    assert frame["tinker_path"].tolist() == list_paths(large_server)


def test_every_way_to_the_checkpoints_gives_the_same_rows(shared_server: DemoServer, client_of: Make) -> None:
    """The user's list and the runs' lists have equal rows; `auto` is the user's list; by run takes one request per run, and one more where it is empty or may be cut."""
    client = client_of(shared_server, cache=False)
    by_user, auto = client.checkpoints(by="user"), client.checkpoints()
    shared_server.requests.clear()
    by_run = client.checkpoints(by="run")
    stable = [name for name in by_user if not name.endswith("_days")]
    sort = {"by": "tinker_path", "ignore_index": True}
    pd.testing.assert_frame_equal(by_run.sort_values(**sort)[stable], by_user.sort_values(**sort)[stable])
    pd.testing.assert_frame_equal(auto[stable], by_user[stable])
    lengths = by_run.groupby("training_run_id").size()
    runs = len(shared_server.state.runs()) + ((lengths >= 20) & (lengths % 5 == 0)).sum()
    runs += sum(not run.checkpoints for run in shared_server.state.runs())
    assert shared_server.requests.count("list_checkpoints") == runs
    assert get_report(by_run)["requests"] == runs + shared_server.requests.count("list_training_runs")
    with pytest.raises(tkf.errors.InvalidRequestError, match="by="):
        client.checkpoints(by="all")  # type: ignore[arg-type]


def test_one_run_is_read_alone(shared_server: DemoServer, client_of: Make) -> None:
    """One run's checkpoints take one request; an unknown run is an error."""
    client = client_of(shared_server)
    run = max(shared_server.state.runs(), key=lambda row: len(row.checkpoints))
    shared_server.requests.clear()
    frame = client.checkpoints(run.training_run_id)
    assert set(frame["tinker_path"]) == {row.tinker_path for row in run.checkpoints.values() if not row.pending}
    assert shared_server.requests.count("list_checkpoints") == 1
    assert len(client.checkpoints(run.training_run_id, limit=1)) == 1
    with pytest.raises(tkf.errors.NotFoundError):
        client.checkpoints("no-such-run:train:0")


def test_one_failing_run_of_many_is_said(server: DemoServer, client_of: Make) -> None:
    """A run whose list fails loses only its rows; the frame says how many runs failed, and which."""
    server.faults.bursts.append(Burst("list_checkpoints", 500, times=1, after=3))
    client = client_of(server, retries=0)
    with pytest.warns(IncompleteListingWarning, match=r"1 of \d+ could not be read \(ServerError\)"):
        frame = client.checkpoints(by="run")
    lost = {row.tinker_path for row in server.state.checkpoints_page(10**9, 0)[0]} - set(frame["tinker_path"])
    failed = next(call for call in server.requests.to("list_checkpoints") if call.status == 500).path.split("/")[4]
    assert {path.split("/")[2] for path in lost} <= {failed}
    assert failed in get_report(frame)["problems"][0]["problem"]
    server.faults.bursts.append(Burst("list_checkpoints", 500, times=1))
    with pytest.warns(IncompleteListingWarning, match="could not be read"):
        client.checkpoints(by="run", limit=2, refresh=True)


def test_runs_that_all_fail_are_an_error(server: DemoServer, client_of: Make) -> None:
    """If no run's list can be read, the error is raised."""
    server.faults.bursts.append(Burst("list_checkpoints", 500, times=None))
    with pytest.raises(ServerError):
        client_of(server, retries=0).checkpoints(by="run")


def test_a_paged_list_of_one_run_is_followed_and_repaired(client_of: Make) -> None:
    """All pages of a run's list on TuFT are read, and a row hidden by a deletion is found."""
    with DemoServer(runs=2, seed=1, dialect="tuft", checkpoints=4) as server:
        run = server.state.runs()[0]
        for number in range(250):
            server.state.add_checkpoint(run, name=f"step-{number:04d}", size_bytes=1)
        client = client_of(server, cache=False)
        every = {row.tinker_path for row in server.state.run_checkpoints(run.training_run_id)}
        assert set(client.checkpoints(run.training_run_id)["tinker_path"]) == every
        oldest = server.state.run_checkpoints(run.training_run_id)[0]
        hidden = server.state.run_checkpoints(run.training_run_id)[100].tinker_path
        server.faults.churn.append(Churn("list_checkpoints", before_page={2: lambda state: state.delete(oldest)}))
        frame = client.checkpoints(run.training_run_id)
        assert hidden in set(frame["tinker_path"])
        assert set(frame["tinker_path"]) == every - {oldest.tinker_path}
        assert get_report(frame)["complete"]
        server.faults.churn[:] = [Churn("list_checkpoints", added_per_page=1)]
        with pytest.warns(IncompleteListingWarning, match="lists changed"):
            client.checkpoints(run.training_run_id)


def add_to_run(server: DemoServer, rows: int) -> str:
    """Save checkpoints until a run has so many; return its id."""
    run = server.state.add_run()
    for number in range(rows):
        server.state.add_checkpoint(run, "training" if number % 2 else "sampler", f"step-{number:04d}")
    return run.training_run_id


@pytest.mark.parametrize("cursor", [True, False])
@pytest.mark.parametrize("others", [True, False])
@pytest.mark.parametrize("rows", [100, 120])
def test_a_page_that_comes_again_is_no_end(client_of: Make, cursor: bool, others: bool, rows: int) -> None:
    """Where a gateway drops the query of a run's list, its first page is not taken for all: other lists or the run itself show it."""
    with DemoServer(runs=2, dialect="tuft", checkpoints=4) as server:
        run = add_to_run(server, rows)
        server.faults.no_cursor = () if cursor else {"list_checkpoints"}
        dropped = ["list_checkpoints", "list_training_runs"] if others else ["list_checkpoints"]
        server.faults.drop_query = dict.fromkeys(dropped, ("limit", "offset"))
        is_whole = rows == 100 and not others
        with nullcontext() if is_whole else pytest.warns(IncompleteListingWarning, match="come again|do not hold"):
            frame = client_of(server, cache=False).checkpoints(run)
        assert len(frame) == 100
        assert get_report(frame)["complete"] == is_whole


@pytest.mark.parametrize("reads", ["offset once dropped", "page number"])
def test_the_last_row_must_come_again_where_a_runs_list_ends(server: DemoServer, client_of: Make, reads: str) -> None:
    """The page that begins with the last row shows what follows it, if an offset got lost on the way, or that offsets are misread."""
    run, asked = add_to_run(server, 60), list[int]()

    def cut(endpoint: str, body: Any) -> Any:
        if endpoint != "list_checkpoints":
            return body
        asked.append(int(server.requests.to(endpoint)[-1].query.get("offset", 0)))
        at = asked[-1] * 20 if reads == "page number" else asked[-1] * (len(asked) != 2)
        return {"checkpoints": body["checkpoints"][at : at + 20], "cursor": None}

    server.faults.edit = cut
    is_whole = reads == "offset once dropped"
    with nullcontext() if is_whole else pytest.warns(IncompleteListingWarning, match="empty at offsets where"):
        frame = client_of(server, cache=False).checkpoints(run)
    assert (len(frame), get_report(frame)["complete"]) == ((60, True) if is_whole else (20, False))


@pytest.mark.parametrize("more", [{"has_more": True}, {"next": "/page/2"}, {"total_count": 99}])
@pytest.mark.parametrize("table", ["checkpoints", "sessions"])
def test_an_answer_that_says_that_more_follow_is_not_whole(
    server: DemoServer, client_of: Make, more: dict[str, Any], table: str
) -> None:
    """A run's list of few rows, or the last page of a search, that says in any field that others follow is doubted."""
    endpoints = {"checkpoints": "list_checkpoints", "sessions": "search_sessions"}
    server.faults.edit = lambda endpoint, body: {**body, **more} if endpoint == endpoints[table] else body
    client = client_of(server, cache=False)
    with pytest.warns(IncompleteListingWarning, match="follow"):
        frame = client.sessions() if table == "sessions" else client.checkpoints(server.state.runs()[0].training_run_id)
    assert not get_report(frame)["complete"]


@pytest.mark.parametrize("dialect", ["official", "skyrl-main", "twinkle"])
@pytest.mark.parametrize("rows", [20, 100, 128])
def test_a_list_that_comes_at_once_is_whole(client_of: Make, dialect: str, rows: int) -> None:
    """A run's list that comes again since its server does not page it is complete, also if it is as long as a page could be."""
    with DemoServer(runs=2, dialect=dialect) as server:
        runs = [add_to_run(server, rows) for _ in range(2)]
        client = client_of(server, cache=False)
        server.requests.clear()
        frame = client.checkpoints(runs, require_complete=True)
        assert len(frame) == 2 * rows
        assert server.requests.count("list_training_runs") <= 2  # asked once, or by both threads at the same time


def test_a_list_shorter_than_another_costs_one_request(client_of: Make) -> None:
    """A server that gave 130 rows of one run at once has not cut another run's list at 100, and is not asked for what follows."""
    with DemoServer(runs=2) as server:
        longest, *others = [add_to_run(server, rows) for rows in (130, 100, 40, 20)]
        client = client_of(server, cache=False)
        client.checkpoints(longest)
        server.requests.clear()
        frame = client.checkpoints(others, require_complete=True)
        assert len(frame) == 160
        assert server.requests.count("list_checkpoints") == len(others)


@pytest.mark.parametrize(
    ("faults", "complete"),
    [
        ({"missing": {"get_training_run"}}, True),
        ({"missing": {"list_training_runs"}}, False),
        ({"bursts": [Burst("list_training_runs", 422, times=None)]}, True),
        ({"bursts": [Burst("list_training_runs", 500, times=None)]}, False),
        ({"bursts": [Burst("list_training_runs", 403, times=None)]}, False),
        ({"bursts": [Burst("get_training_run", 500, times=None)]}, False),
    ],
)
def test_what_the_end_of_a_list_is_told_from(client_of: Make, faults: dict[str, Any], complete: bool) -> None:
    """Without a list of runs a list that comes again is doubted, a refused offset has arrived, and what fails is no proof and no error."""
    with DemoServer(runs=2) as server:
        run = add_to_run(server, 20)
        vars(server.faults).update(faults)
        client = client_of(server, cache=False, retries=0)
        with nullcontext() if complete else pytest.warns(IncompleteListingWarning, match="come again"):
            assert get_report(client.checkpoints(run))["complete"] == complete


@pytest.mark.parametrize("again", ["same", "fresh"])
def test_a_search_that_runs_in_a_circle_is_said(server: DemoServer, client_of: Make, again: str) -> None:
    """A cursor that leads back to known rows ends the search, and the frame says so."""
    pages = iter(range(1000))
    first: dict[str, Any] = {}

    def circle(endpoint: str, body: Any) -> Any:
        if endpoint != "search_sessions":
            return body
        mark = 0 if again == "same" else next(pages)
        first.setdefault("rows", body["sessions"])
        return {
            "sessions": first["rows"],
            "next_cursor": {"last_created_at": "2026-01-01T00:00:00Z", "last_session_id": f"{mark}"},
        }

    server.faults.edit = circle
    with pytest.warns(IncompleteListingWarning, match="cursor"):
        frame = client_of(server).sessions()
    assert frame["session_id"].is_unique
    assert server.requests.count("search_sessions") == (2 if again == "same" else 1 + MOST_FRUITLESS)


@pytest.mark.parametrize("lie", ["counts more", "empty once"])
def test_the_end_of_a_search_is_doubted_or_asked_for_again(server: DemoServer, client_of: Make, lie: str) -> None:
    """A search that counts more rows than it gave is not complete; a page that is empty once costs no row."""
    pages = iter(range(1000))

    def edit(endpoint: str, body: Any) -> Any:
        if endpoint != "search_sessions":
            return body
        if lie == "counts more":
            return body | {"cursor": {"offset": 0, "limit": 50, "total_count": len(body["sessions"]) + 5}}
        return body | ({"sessions": []} if next(pages) == 0 else {})

    server.faults.edit = edit
    is_lie = lie == "counts more"
    with pytest.warns(IncompleteListingWarning, match="the server counts") if is_lie else nullcontext():
        frame = client_of(server).sessions()
    assert frame["session_id"].tolist() == [row.session_id for row in server.state.sessions()]


def extend_for_ever(server: DemoServer, endpoint: str, *, total: bool) -> None:
    """Make a list have new rows on every page, and a cursor or a total that always names more."""
    count = itertools.count()

    def renew(row: Any) -> Any:
        if isinstance(row, str):
            return f"{row}-{next(count)}"
        key = next(name for name in ("tinker_path", "training_run_id", "session_id") if name in row)
        return row | {key: f"{row[key]}-{next(count)}"}

    def edit(name: str, body: Any) -> Any:
        if name != endpoint:
            return body
        items = next(name for name in ("checkpoints", "training_runs", "sessions") if name in body)
        kept = kept_rows.setdefault(items, body[items][:20])
        rows = {items: [renew(row) for row in kept]}
        if "next_cursor" in body:
            return rows | {
                "next_cursor": {"last_created_at": "2026-01-01T00:00:00Z", "last_session_id": f"{next(count)}"}
            }
        return rows | ({"cursor": {"offset": 0, "limit": 20, "total_count": next(count) + 1000}} if total else {})

    kept_rows: dict[str, Any] = {}
    server.faults.edit = edit


@pytest.mark.parametrize(
    ("endpoint", "total"),
    [
        ("search_sessions", False),
        ("list_user_checkpoints", True),
        ("list_user_checkpoints", False),
        ("list_training_runs", False),
        ("list_checkpoints", True),
    ],
)
def test_a_list_that_never_ends_is_ended(
    server: DemoServer, client_of: Make, endpoint: str, total: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A list with ever new rows, cursors or totals ends at a number of rows, also without a deadline, and is not complete."""
    monkeypatch.setattr("tinker_frames.listings.pagination.MOST_ROWS", 300)
    extend_for_ever(server, endpoint, total=total)
    client = client_of(server, deadline=None)
    calls: dict[str, Callable[[], pd.DataFrame]] = {
        "search_sessions": client.sessions,
        "list_user_checkpoints": lambda: client.checkpoints(by="user"),
        "list_training_runs": client.training_runs,
        "list_checkpoints": lambda: client.checkpoints(server.state.runs()[0].training_run_id),
    }
    with pytest.warns(IncompleteListingWarning, match=r"did not end within .*(300|million) rows"):
        frame = calls[endpoint]()
    assert 300 < len(frame) < 1000


def test_a_list_that_never_ends_is_ended_by_the_deadline(server: DemoServer, client_of: Make) -> None:
    """No page is requested after the deadline; a list of bare ids is an error then, since each of them would be read."""
    extend_for_ever(server, "search_sessions", total=False)
    client = client_of(server, deadline=1)
    with pytest.warns(IncompleteListingWarning, match=r"did not end within 1 s \(deadline=\)"):
        assert len(client.sessions()) > 20
    server.faults.missing = {"search_sessions"}
    extend_for_ever(server, "list_sessions", total=False)
    with pytest.raises(IncompleteListingError, match=r"did not end within 1 s.*Pass limit="):
        client.sessions(refresh=True)


def test_the_search_is_followed_to_its_end(server: DemoServer, client_of: Make) -> None:
    """Every page of a search is read, even if its limit is refused; a limit cuts it exactly."""
    for _ in range(25):
        server.state.add_session()
    server.faults.page_caps["search_sessions"] = 7
    client = client_of(server, cache=False)
    rows = [row.session_id for row in server.state.sessions()]
    assert client.sessions()["session_id"].tolist() == rows
    for limit in (1, 7, 8, len(rows), len(rows) + 1):
        frame = client.sessions(limit=limit)
        assert frame["session_id"].tolist() == rows[:limit]
        assert get_report(frame)["complete"] == (limit >= len(rows))


def test_an_answer_that_is_no_list_is_an_error_and_no_empty_frame(server: DemoServer, client_of: Make) -> None:
    """A list or text instead of a page raises a SchemaError on every route."""
    server.faults.edit = lambda endpoint, body: body if endpoint.startswith("get_client") else ["odd"]
    client = client_of(server, retries=0)
    calls: list[Callable[[], pd.DataFrame]] = [client.checkpoints, client.training_runs, client.sessions]
    for call in calls:
        with pytest.raises(TinkerError):
            call()
    server.faults.edit = lambda endpoint, body: (
        ["odd"] if endpoint in ("list_checkpoints", "get_session", "get_sampler") else body
    )
    for again in (lambda: client.checkpoints(by="run"), lambda: client.sessions(details=True), client.samplers):
        with pytest.raises(tkf.errors.SchemaError):
            again()


def test_no_warning_of_a_complete_listing(large_server: DemoServer, client_of: Make) -> None:
    """A proved listing does not warn."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        client_of(large_server).checkpoints()


def test_slow_answers_are_counted_as_they_come(large_server: DemoServer, client_of: Make) -> None:
    """When many runs are read from a slow server, progress counts rows before all are there."""
    counted: list[int] = []

    class Counting(Progress):
        def advance(self, rows: int) -> None:
            counted.append(rows)

    reader = TableReader(client_of(large_server, max_workers=2).transport)
    runs = [run.training_run_id for run in large_server.state.runs()][:8]
    for latency in (0.0, 0.4):
        large_server.faults.latency_of["list_checkpoints"] = latency
        counted.clear()
        found = reader.run_checkpoints(runs, Counting("x"))
        assert sum(counted) == found.data.num_rows > 0
        assert len(counted) > 1 or not latency
