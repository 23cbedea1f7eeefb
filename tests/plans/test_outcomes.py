"""Outcomes are correct whatever the server responds, however late its lists are, and whatever else changes."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

import tinker_frames as tkf
from tests.events import HangOnce, StopAfter, set_deadline
from tinker_frames import errors
from tinker_frames.demo import DIALECTS, Burst, DemoServer, Reset
from tinker_frames.demo.data.records import Checkpoint
from tinker_frames.plans import runner
from tinker_frames.plans.guards import GUARDS
from tinker_frames.plans.plan import Plan
from tinker_frames.rest.progress import Progress

Make = Callable[..., tkf.Client]

DELETE, LIST = "delete_checkpoint", "list_checkpoints"


def plan_of(client: tkf.Client, rows: int, call: str = "delete") -> Plan:
    """Return a plan for some private rows of one run that has more of them."""
    frame = client.checkpoints().query("not public and expires_at.isna()")
    run = frame["training_run_id"].value_counts().index[0]
    plan: Plan = getattr(frame[frame["training_run_id"] == run].head(rows).tinker, call)()
    return plan.allow(*GUARDS)


def list_others(server: DemoServer, plan: Plan) -> list[Checkpoint]:
    """Return the checkpoints of the plan's run that it does not act on."""
    mine = set(plan.frame["tinker_path"])
    run = server.state.find(next(iter(mine))).run
    return [row for row in run.checkpoints.values() if row.tinker_path not in mine]


ENDPOINTS = {"delete": DELETE, "publish": "publish_checkpoint", "unpublish": "unpublish_checkpoint", "expire": "set_checkpoint_ttl"}  # fmt: skip
FINAL = (400, 403, 404, 405, 409, 410, 422)


@pytest.mark.few(2)
@pytest.mark.parametrize("call", list(ENDPOINTS))
def test_a_write_that_happened_is_done_whatever_was_answered(server: DemoServer, client: tkf.Client, call: str) -> None:
    """An applied write is done, in a plan and alone, whatever the status of its first and only answer; a delete keeps a 404, which may be of another client's."""
    plan = plan_of(client, len(FINAL), "delete")
    paths = plan.frame["tinker_path"].tolist()
    for path in paths if call == "unpublish" else ():
        server.state.publish(server.state.find(path))
    plan = getattr(client.checkpoints(refresh=True).query("tinker_path in @paths").tinker, call)().allow(*GUARDS)
    server.faults.bursts = [Burst(ENDPOINTS[call], status, times=1, then="apply", detail="no") for status in FINAL]
    outcomes = plan.run(confirm=True, max_workers=1)
    assert outcomes["outcome"].tolist() == ["done"] * len(FINAL)
    assert set(outcomes["status"].dropna()) == ({404, 410} if call == "delete" else set())
    assert outcomes["error"].notna().equals(outcomes["status"].notna())
    assert server.requests.count(ENDPOINTS[call]) == len(FINAL)
    assert set(client.journal()["outcome"]) == {"done"}


@pytest.mark.few(2)
@pytest.mark.parametrize("status", FINAL)
def test_a_single_write_that_happened_raises_nothing(server: DemoServer, client: tkf.Client, status: int) -> None:
    """A write of `client.rest` that took effect returns, whatever the server answered."""
    path = plan_of(client, 1).frame["tinker_path"].iloc[0]
    server.faults.bursts = [Burst(name, status, times=1, then="apply", detail="no") for name in ENDPOINTS.values()]
    client.rest.publish_checkpoint(path)
    client.rest.unpublish_checkpoint(path)
    client.rest.set_checkpoint_ttl_from_tinker_path(path, 7200)
    client.rest.delete_checkpoint(path)
    assert [burst.hits for burst in server.faults.bursts] == [1] * len(ENDPOINTS)
    assert server.state.find(path) is None


UNCLEAR = (429, 408, 409, 425, 500, 502, 503, 504)


@pytest.mark.slow
@pytest.mark.parametrize("call", ["delete", "publish", "expire"])
@pytest.mark.parametrize("then", ["answer", "apply"])
@pytest.mark.parametrize("fault", ["each once", 429, 500, "reset"])
def test_an_outcome_is_done_exactly_if_the_write_happened(
    server: DemoServer, client_of: Make, call: str, then: Any, fault: Any
) -> None:
    """Whatever was answered, once or always: `done` is what was carried out, and nothing else is, in the frame and in the journal."""
    is_once, name = fault == "each once", ENDPOINTS[call]
    client = client_of(server, retries=4 if is_once else 0)
    plan, times = plan_of(client, len(UNCLEAR) + 2 if is_once else 1, call), 1 if is_once else None
    statuses = UNCLEAR if is_once else [fault] * isinstance(fault, int)
    server.faults.bursts = [Burst(name, status, times=times, then=then, retry_after="0.01") for status in statuses]
    server.faults.resets = [Reset(name, times=times, then=then)] if is_once or fault == "reset" else []
    server.faults.hang = [HangOnce(name, client=client, then=then)] if is_once else []
    outcomes = plan.run(confirm=True, progress=None if is_once else StopAfter(1 if fault == "reset" else 3))
    for path, outcome in zip(outcomes["tinker_path"], outcomes["outcome"], strict=True):
        row = server.state.find(path)
        happened = row is None or (row.public if call == "publish" else row.expires_at is not None)
        assert happened == (is_once or then == "apply")
        assert outcome in ({"done"} if happened else {"failed", "skipped"})
    assert client.journal()["outcome"].isin(["done"]).tolist() == outcomes["outcome"].isin(["done"]).tolist()


@pytest.mark.few(4)
@pytest.mark.parametrize("status", [429, 500])
@pytest.mark.parametrize("stale_s", [0.0, 60.0], ids=["read again", "sent again"])
def test_a_delete_that_its_second_attempt_finds_done_is_done(
    server: DemoServer, client: tkf.Client, monkeypatch: pytest.MonkeyPatch, status: int, stale_s: float
) -> None:
    """A row that an error answer was the end of is done, whether it is read or requested again, and answered by a 404."""
    monkeypatch.setattr(runner, "STALE_S", stale_s)
    plan = plan_of(client, 1)  # of two, one's second attempt may come before the other's first
    server.faults.bursts = [
        Burst(DELETE, status, times=1, then="apply", retry_after="0.05"),
        Burst(DELETE, 404, times=None, detail="Checkpoint not found"),
    ]
    assert plan.run()["outcome"].tolist() == ["done"]
    assert client.journal()["outcome"].tolist() == ["done"]


def test_a_publish_that_happened_is_done_also_after_a_404(server: DemoServer, client: tkf.Client) -> None:
    """A checkpoint that was published and answered as missing is done, and undo makes it private again."""
    plan = plan_of(client, 2, "publish")
    server.faults.bursts = [Burst("publish_checkpoint", 404, times=2, then="apply")]
    assert plan.run(confirm=True)["outcome"].tolist() == ["done"] * 2
    assert tkf.undo(client=client)["outcome"].tolist() == ["done"] * 2


def test_a_list_that_lags_is_read_again(server: DemoServer, client: tkf.Client) -> None:
    """If a list still shows deleted rows for a while, they are done, not failed; also one that the server claims to have refused."""
    server.faults.bursts = [Burst(DELETE, 403, times=1, then="apply", detail="no")]
    plan = plan_of(client, 3)
    old: list[Any] = []
    reads = []

    def lag(endpoint: str, content: Any) -> Any:
        if endpoint != LIST:
            return content
        if not server.requests.count(DELETE):
            old[:] = [content]
        else:
            reads.append(endpoint)
        return old[0] if len(reads) in (1, 2) else content

    server.faults.edit = lag
    assert plan.run()["outcome"].tolist() == ["done"] * 3
    assert len(reads) > 2


@pytest.mark.parametrize(
    ("call", "field", "odd"), [("expire", "expires_at", "later"), ("publish", "public", "perhaps")]
)
def test_what_cannot_be_read_afterwards_is_unknown(
    server: DemoServer, client_of: Make, call: str, field: str, odd: str
) -> None:
    """A row whose expiry or public flag is malformed after its write is unknown."""
    client = client_of(server, retries=0)
    plan = plan_of(client, 2, call)
    paths = set(plan.frame["tinker_path"])

    def garble(endpoint: str, content: Any) -> Any:
        if endpoint == LIST and sum(map(server.requests.count, ("set_checkpoint_ttl", "publish_checkpoint"))):
            for row in content["checkpoints"]:
                row.update({field: odd} if row["tinker_path"] in paths else {})
        return content

    server.faults.edit = garble
    outcomes = plan.run(confirm=True)
    assert outcomes["outcome"].tolist() == ["unknown"] * 2
    assert outcomes["error"].str.contains("cannot be read").all()


@pytest.mark.parametrize(("status", "outcome"), [(302, "unknown"), (303, "unknown"), (403, "failed")])
def test_a_redirect_of_a_write_is_no_refusal(server: DemoServer, client_of: Make, status: int, outcome: str) -> None:
    """Some answer what they have carried out with a redirect: if the run cannot be read afterwards, the outcome is not known."""
    client = client_of(server, retries=0)
    plan = plan_of(client, 1)
    server.faults.bursts = [Burst(DELETE, status, times=None, then="apply", detail="no")]
    server.faults.edit = lambda endpoint, content: (
        {"checkpoints": None} if endpoint == LIST and server.requests.count(DELETE) else content
    )
    assert plan.run()["outcome"].tolist() == [outcome]


@pytest.mark.parametrize("status", [500, 204])
def test_an_empty_list_is_no_proof_that_everything_is_gone(server: DemoServer, client_of: Make, status: int) -> None:
    """A list that also lacks rows nobody deleted is not trusted: the outcome is unknown, and resume finds out."""
    client = client_of(server, retries=0)
    plan = plan_of(client, 2)
    server.faults.bursts = [Burst(DELETE, 500, times=None)] if status == 500 else []
    server.faults.edit = lambda endpoint, content: (
        {"checkpoints": []} if endpoint == LIST and server.requests.count(DELETE) else content
    )
    outcomes = plan.run()
    assert outcomes["outcome"].tolist() == ["unknown"] * 2
    with pytest.raises(errors.TinkerError):
        client.rest.delete_checkpoint(plan.frame["tinker_path"].iloc[0])
    server.faults.clear()
    assert tkf.resume(outcomes.attrs["tinker"]["plan"], client=client)["outcome"].tolist() == ["done"] * 2


@pytest.mark.parametrize("keep", [1, 2])
def test_a_truncated_list_is_no_proof_that_its_other_rows_are_gone(
    server: DemoServer, client_of: Make, keep: int
) -> None:
    """After a 5xx, a list that lacks the row and others too proves nothing, in a plan and alone; what others delete meanwhile is no obstacle to a 404."""
    client = client_of(server, retries=0)
    plan = plan_of(client, 1)
    path, others = plan.frame["tinker_path"].iloc[0], {row.tinker_path for row in list_others(server, plan)}
    kept = sorted(others)[: len(others) - keep]
    server.faults.bursts = [Burst(DELETE, 500, times=2)]
    server.faults.edit = lambda endpoint, content: (
        content | {"checkpoints": [row for row in content["checkpoints"] if row["tinker_path"] in kept]}
        if endpoint == LIST and server.requests.count(DELETE)
        else content
    )
    outcomes = plan.run()
    assert outcomes["outcome"].tolist() == ["unknown"]
    assert outcomes["error"].str.contains("may be there still").all()
    server.requests.clear()
    with pytest.raises(errors.ServerError, match="read"):
        client.rest.delete_checkpoint(path)
    server.faults.bursts = [Burst(DELETE, 404, times=1, then="apply", detail="Checkpoint not found")]
    server.requests.clear()
    assert plan_of(client, 1).run()["outcome"].tolist() == ["done"]


@pytest.mark.parametrize("status", [404, 204])
def test_a_truncated_list_says_nothing_of_what_was_published(server: DemoServer, client_of: Make, status: int) -> None:
    """Whatever a publish was answered, a list that lacks the row and others too does not tell how it ended, and resume finds out."""
    client = client_of(server, retries=0)
    plan = plan_of(client, 1, "publish")
    lost = [*plan.frame["tinker_path"], list_others(server, plan)[0].tinker_path]
    server.faults.bursts = [Burst("publish_checkpoint", status, times=1, then="apply", detail="no such checkpoint")]
    server.faults.edit = lambda endpoint, content: (
        content | {"checkpoints": [row for row in content["checkpoints"] if row["tinker_path"] not in lost]}
        if endpoint == LIST and server.requests.count("publish_checkpoint")
        else content
    )
    assert plan.run(confirm=True)["outcome"].tolist() == ["unknown"]
    server.faults.clear()
    assert tkf.resume(plan.id, client=client)["outcome"].tolist() == ["done"]


@pytest.mark.few(3)
@pytest.mark.parametrize(("then", "run", "outcome"), [("answer", 200, "unknown"), ("answer", 500, "unknown"), ("answer", 0, "unknown"), ("apply", 200, "done"), ("apply", 404, "done")])  # fmt: skip
def test_a_run_that_is_deleted_whole_is_confirmed_by_the_run(
    server: DemoServer, client_of: Make, then: Any, run: int, outcome: str
) -> None:
    """After a 5xx, an empty list proves the deletion of all rows of a run only if the run is gone too, or names no last checkpoint.

    An answer that is no training run proves nothing.
    """
    client = client_of(server, retries=0)
    frame = client.checkpoints()
    rows = frame[frame["training_run_id"] == frame["training_run_id"].iloc[0]]
    plan = rows.tinker.delete().allow(*GUARDS)
    server.faults.bursts = [Burst(DELETE, 500, times=None, then=then)]
    server.faults.bursts += [Burst("get_training_run", run, times=None)] if run >= 400 else []
    edits: dict[str, Any] = {LIST: {"checkpoints": []}} | ({} if run else {"get_training_run": {"status": "ok"}})
    server.faults.edit = lambda endpoint, content: (
        edits.get(endpoint, content) if server.requests.count(DELETE) else content
    )
    assert set(plan.run(confirm=True)["outcome"]) == {outcome}


def test_what_others_changed_meanwhile_is_said(
    server: DemoServer, client: tkf.Client, caplog: pytest.LogCaptureFixture
) -> None:
    """Rows of the same runs that others deleted or published during a run are in its attributes and in the log."""
    plan = plan_of(client, 2)
    gone, published = [row for row in list_others(server, plan) if not row.public][:2]

    def meddle(_: str, content: Any) -> Any:
        if server.requests.count(DELETE) and server.state.find(gone.tinker_path):
            server.state.delete(gone)
            server.state.publish(published)
        return content

    server.faults.bursts = [Burst(DELETE, 500, times=1)]
    server.faults.edit = meddle
    with caplog.at_level(logging.WARNING, "tinker_frames"):
        outcomes = plan.run()
    assert outcomes["outcome"].tolist() == ["done"] * 2
    changes = outcomes.attrs["tinker"]["other_changes"]
    assert set(changes) == {gone.tinker_path, published.tinker_path}
    assert "gone" in changes[gone.tinker_path]
    assert "public" in changes[published.tinker_path]
    assert "2 other checkpoints of these runs changed meanwhile" in caplog.text


def test_a_list_that_lags_once_says_nothing_of_others(
    server: DemoServer, client: tkf.Client, caplog: pytest.LogCaptureFixture
) -> None:
    """A row that one last reading lacks is not called gone before it was looked for again."""
    plan = plan_of(client, 2)
    hidden = list_others(server, plan)[0].tinker_path
    lags: list[str] = []

    def lag(endpoint: str, content: Any) -> Any:
        if endpoint != LIST or not server.requests.count(DELETE) or lags or hidden not in str(content):
            return content
        lags.append(hidden)
        return content | {"checkpoints": [row for row in content["checkpoints"] if row["tinker_path"] != hidden]}

    server.faults.edit = lag
    with caplog.at_level(logging.WARNING, "tinker_frames"):
        outcomes = plan.run()
    assert lags == [hidden]
    assert outcomes["outcome"].tolist() == ["done"] * 2
    assert outcomes.attrs["tinker"]["other_changes"] == {}
    assert "meanwhile" not in caplog.text


@pytest.mark.parametrize("method", ["advance", "report_wait", "set_total", "count_request"])
def test_progress_that_fails_costs_no_outcome(server: DemoServer, client: tkf.Client, method: str) -> None:
    """If a progress raises, in any thread, every row is still sent and its outcome returned."""

    def fail(*_: object) -> None:
        raise AttributeError("'NoneType' object has no attribute 'comm'")

    progress = type("Broken", (Progress,), {method: fail})()
    server.faults.bursts = [Burst(DELETE, 429, times=1, retry_after="0.1")]
    assert plan_of(client, 3).run(progress=progress)["outcome"].tolist() == ["done"] * 3


class GoneBar:
    """A bar whose notebook or stream is closed: drawing always fails."""

    total = None

    def __init__(self, **_: object) -> None:
        pass

    def update(self, *_: object, **__: object) -> None:
        raise AttributeError("'NoneType' object has no attribute 'comm'")

    write = close = update


def test_a_bar_that_fails_is_dropped(client: tkf.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bar that cannot be drawn does not stop the work."""
    monkeypatch.setattr("tinker_frames.rest.progress._find_bar_class", lambda: GoneBar)
    for call in ("update", "report_wait", "close"):
        with Progress("rows", show=True) as bar:
            bar.advance(1) if call == "update" else bar.report_wait(0, "busy") if call == "report_wait" else None
    assert plan_of(client, 1).run(progress=True)["outcome"].tolist() == ["done"]


@pytest.mark.few(2)
@pytest.mark.parametrize(
    ("burst", "outcome", "sent"),
    [
        (Burst(DELETE, 503, times=1, retry_after="0.4"), "done", 2),
        (Burst(DELETE, 500, times=None, headers={"x-should-retry": "false"}), "failed", 1),
        (Burst(DELETE, 429, times=None, headers={"x-should-retry": "false"}), "failed", 1),
        (Burst(DELETE, 403, times=1, headers={"x-should-retry": "true"}), "done", 2),
        (Burst(DELETE, 425, times=1), "done", 2),
    ],
    ids=["retry-after", "500 final", "429 final", "403 again", "425"],
)
def test_what_the_server_says_of_repeating_is_done(
    server: DemoServer, client_of: Make, burst: Burst, outcome: str, sent: int
) -> None:
    """A write is repeated exactly if the server says so, in a plan and alone; a 425 is repeated."""
    client = client_of(server, retries=1)
    for is_plan in (True, False):
        plan = plan_of(client, 1)
        burst.hits = burst.passed = 0
        server.faults.bursts = [burst]
        server.requests.clear()
        if is_plan:
            assert plan.run()["outcome"].tolist() == [outcome]
        elif outcome == "done":
            client.rest.delete_checkpoint(plan.frame["tinker_path"].iloc[0])
        else:
            with pytest.raises(errors.TinkerError):
                client.rest.delete_checkpoint(plan.frame["tinker_path"].iloc[0])
        calls = server.requests.to(DELETE)
        assert len(calls) == sent
        if burst.retry_after:
            assert calls[1].started - calls[0].ended >= 0.39


def test_a_rate_limit_of_one_write_holds_other_threads(server: DemoServer, client: tkf.Client) -> None:
    """After a 429 to a single write the client sends nothing until the named time is over."""
    path = plan_of(client, 1).frame["tinker_path"].iloc[0]
    server.faults.bursts = [Burst(DELETE, 429, times=1, retry_after="1")]
    thread = threading.Thread(target=client.rest.delete_checkpoint, args=(path,))
    thread.start()
    while not [call for call in server.requests.to(DELETE) if call.ended]:
        time.sleep(0.005)
    limited = server.requests.to(DELETE)[0].ended
    while not client.transport._not_before:  # the answer arrives
        time.sleep(0.005)
    client.rest.list_sessions()
    thread.join()
    assert server.requests.to("list_sessions")[-1].started - limited >= 0.9


def test_one_deadline_for_the_whole_write(server: DemoServer, client_of: Make) -> None:
    """Resolving, sending, settling and verifying share one deadline."""
    client = client_of(server, retries=4)
    path = plan_of(client, 1).frame["tinker_path"].iloc[0]
    set_deadline(client, 1.0)
    server.faults.latency_of = {LIST: 0.4}
    server.faults.bursts = [Burst(DELETE, 500, times=None)]
    started = time.monotonic()
    with pytest.raises(errors.TinkerError):
        client.rest.delete_checkpoint(path)
    assert time.monotonic() - started < 8  # its phases one by one would take far more: it is there, and lists are slow


def test_endless_rate_limits_end_without_a_deadline(
    server: DemoServer, client_of: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With `deadline=None` a server that always responds with a 429 is given up after a while."""
    monkeypatch.setattr(runner, "DEFAULT_PATIENCE_S", 0.5)
    client = client_of(server, deadline=None)
    server.faults.bursts = [Burst(DELETE, 429, times=None, retry_after="0.2")]
    assert plan_of(client, 2).run()["outcome"].tolist() == ["skipped"] * 2


@pytest.mark.parametrize("checkpoint", [123, b"weights/0001", ["weights/0001"], 1.5])
def test_what_is_not_text_is_an_error_in_words(client: tkf.Client, checkpoint: Any) -> None:
    """A checkpoint id or path that is not text raises an error that names it before anything is sent."""
    with pytest.raises(errors.TinkerError, match="checkpoint_id must be str"):
        client.rest.delete_checkpoint("run", checkpoint)
    with pytest.raises(errors.TinkerError, match="must be str"):
        client.rest.delete_checkpoint(checkpoint)


@pytest.mark.parametrize("dialect", list(DIALECTS))
def test_what_never_existed_is_not_found(client_of: Make, dialect: str) -> None:
    """Deleting a checkpoint or run that never existed is a not-found error, whatever the server's status."""
    with DemoServer(runs=4, dialect=dialect) as server:
        client = client_of(server, retries=1)
        run = next(iter(server.state.runs("owned"))).training_run_id
        for path in (f"tinker://{run}/weights/never", "tinker://11111111-1111-4111-8111-111111111111/weights/never"):
            with pytest.raises((errors.NotFoundError, errors.NotSupportedError)):
                client.rest.delete_checkpoint(path)
        with pytest.raises((errors.NotFoundError, errors.NotSupportedError, errors.InvalidRequestError)):
            client.rest.delete_checkpoint(run, "never")
