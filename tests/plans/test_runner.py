"""Running plans: the true state of every row is known at the end, and nothing is sent twice without need."""

from __future__ import annotations

import os
import signal
import time
from collections import defaultdict
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import tinker_frames as tkf
from tests.events import CtrlCWhileWaiting, Watch, set_deadline
from tinker_frames import errors
from tinker_frames.demo import Burst, DemoServer, Hang, RecordedRequest, Reset, Truncate
from tinker_frames.functions import journal, resume
from tinker_frames.plans.guards import GUARDS
from tinker_frames.plans.plan import Plan

Make = Callable[..., tkf.Client]
ALL = tuple(GUARDS)
DELETE, LIST = "delete_checkpoint", "list_checkpoints"


def path_of(call: RecordedRequest) -> str:
    """Return the tinker path of the checkpoint that a request wrote to."""
    run, _, checkpoint = call.path.removeprefix("/api/v1/training_runs/").partition("/checkpoints/")
    for suffix in ("/publish", "/ttl"):
        checkpoint = checkpoint.removesuffix(suffix)
    return f"tinker://{run}/{checkpoint}"


def is_there(server: DemoServer, tinker_path: str) -> bool:
    return server.state.find(tinker_path) is not None


def plan_delete(client: tkf.Client, rows: int) -> Plan:
    """Return a plan to delete this many checkpoints, with all guards lifted."""
    return client.checkpoints().head(rows).tinker.delete().allow(*ALL)


def assert_known(server: DemoServer, outcomes: pd.DataFrame) -> None:
    """Assert that no outcome is unknown, and that exactly the rows that are done are gone."""
    assert (outcomes["outcome"] != "unknown").all(), outcomes
    for row in outcomes.itertuples():
        assert is_there(server, row.tinker_path) == (row.outcome != "done"), row


def assert_no_needless_repeat(server: DemoServer) -> None:
    """Assert that a row was sent again only after a 429, or after a read that still listed it."""
    reads = [call for call in server.requests.to(LIST) if call.status == 200]
    sent: dict[str, list[RecordedRequest]] = defaultdict(list)
    for call in server.requests.to(DELETE):
        sent[path_of(call)].append(call)
    for path, calls in sent.items():
        run = path.split("/")[2]
        for first, second in pairwise(calls):
            between = [
                read
                for read in reads
                if run in read.path and read.started >= first.started and read.ended <= second.started
            ]
            assert first.status == 429 or between, path
    assert not [call for call in server.requests.to(DELETE) if call.status == 404], (
        "a row was sent that was gone already"
    )
    deleted = [path for _, action, path in server.state.log if action == "delete"]
    assert len(deleted) == len(set(deleted))


# Each befalls some of the requests; together about an eighth. None of them is left out by chance in one run of a thousand.
WAYS: list[Any] = [
    Burst(DELETE, 429, times=None, probability=0.01, retry_after="0.1"),
    Burst(DELETE, 429, times=None, probability=0.01),
    *(
        Burst(DELETE, status, times=None, probability=0.01, then=then)
        for status in (500, 502, 503)
        for then in ("answer", "apply")
    ),
    Burst(DELETE, 409, times=1, probability=0.01),  # a row that meets a second conflict has failed
    Reset(DELETE, probability=0.01),
    Reset(DELETE, probability=0.01, then="apply"),
    Hang(DELETE, probability=0.01, seconds=30),
    Hang(DELETE, probability=0.01, seconds=30, then="apply"),
]


@pytest.mark.slow
def test_a_thousand_deletes_with_a_tenth_failing(client_of: Make) -> None:
    """With rate limits, errors before and after the delete, resets, timeouts and truncated responses, every outcome is known and no request is repeated needlessly."""
    with DemoServer(runs=30, checkpoints=1000, write_status=200) as server:
        client = client_of(server, timeout=2.0, retries=4)  # with 2, one row in eight such runs would meet only faults
        plan = plan_delete(client, 1000)
        server.requests.clear()
        faults = server.faults
        faults.bursts = [trouble for trouble in WAYS if isinstance(trouble, Burst)]
        faults.resets = [trouble for trouble in WAYS if isinstance(trouble, Reset)]
        faults.hang = [trouble for trouble in WAYS if isinstance(trouble, Hang)]
        faults.truncate = [Truncate((DELETE, LIST), probability=0.01)]
        outcomes = plan.run(confirm=1000, progress=False)
        troubles = [*faults.bursts, *faults.resets, *faults.hang, *faults.truncate]
        assert all(trouble.hits for trouble in troubles)
        assert len(outcomes) == 1000
        assert_known(server, outcomes)
        assert_no_needless_repeat(server)
        assert (outcomes["outcome"] == "done").all(), outcomes[outcomes["outcome"] != "done"].to_dict("records")
        recorded = journal(client=client)
        assert recorded.set_index("tinker_path")["outcome"].equals(outcomes.set_index("tinker_path")["outcome"])
        faults.clear()
        assert len(client.checkpoints()) == len(client.checkpoints(refresh=True)) == 0


@pytest.mark.usefixtures("settles_soon")
@pytest.mark.few(5)
@pytest.mark.parametrize(
    ("fault", "outcome", "sent"),
    [
        (Burst(DELETE, 500, times=1, then="apply"), "done", 1),
        (Burst(DELETE, 409, times=1), "done", 2),
        (Burst(DELETE, 409, times=None), "failed", 2),
        (Burst(DELETE, 403, times=None), "failed", 1),
        (Burst(DELETE, 422, times=1), "failed", 1),
        (Burst(DELETE, 302, times=1, headers={"location": "https://elsewhere.example/"}), "failed", 1),
        (Reset(DELETE, times=1, then="apply"), "done", 1),
        (Reset(DELETE, times=1), "done", 2),
    ],
    ids=lambda value: (
        f"{getattr(value, 'status', '')}-{getattr(value, 'then', '')}" if hasattr(value, "then") else None
    ),
)
def test_each_response_has_its_outcome(
    server: DemoServer, client: tkf.Client, fault: Any, outcome: str, sent: int
) -> None:
    """An unclear response is settled by reading, a clear one is final, and a row is sent no more often than necessary."""
    plan = plan_delete(client, 1)
    fault.hits = fault.passed = 0
    (server.faults.resets if isinstance(fault, Reset) else server.faults.bursts).append(fault)
    server.requests.clear()
    row = plan.run().iloc[0]
    assert (row["outcome"], server.requests.count(DELETE), row["attempts"]) == (outcome, sent, sent)
    assert is_there(server, row["tinker_path"]) == (outcome == "failed")
    assert pd.isna(row["error"]) == (outcome == "done")


def test_a_404_after_an_unclear_response_is_done(server: DemoServer, client: tkf.Client) -> None:
    """If a delete takes effect only after the settling read, the retry's 404 counts as done."""
    plan = plan_delete(client, 1)
    path = plan.frame["tinker_path"].iloc[0]
    server.faults.bursts = [Burst(DELETE, 504, times=1)]
    server.requests.clear()

    def late(endpoint: str, content: Any) -> Any:
        if endpoint == LIST and server.requests.count(DELETE) == 1 and is_there(server, path):
            server.state.delete(server.state.find(path))  # after this read was answered
        return content

    server.faults.edit = late
    row = plan.run().iloc[0]
    assert (row["outcome"], row["attempts"]) == ("done", 2)
    assert [call.status for call in server.requests.to(DELETE)] == [504, 404]


def test_a_row_that_another_client_may_have_deleted_says_so(server: DemoServer, client: tkf.Client) -> None:
    """A row that was there just before its only request, which was answered with a 404, is done, and its error names the other possibility."""
    plan = plan_delete(client, 2)
    path = plan.frame["tinker_path"].iloc[0]

    def vanish(endpoint: str, content: Any) -> Any:
        if endpoint == LIST and is_there(server, path):
            server.state.delete(server.state.find(path))
        return content

    server.faults.edit = vanish
    outcomes = plan.run().set_index("tinker_path")
    assert outcomes.loc[path, "outcome"] == "done"
    assert outcomes.loc[path, "status"] == 404
    assert "by this request, or by another client" in outcomes.loc[path, "error"]
    assert outcomes.drop(path)["outcome"].tolist() == ["done"]


@pytest.mark.parametrize("retry_after", ["1.2"])
def test_retry_after_pauses_every_write(server: DemoServer, client: tkf.Client, retry_after: str) -> None:
    """After a 429 no thread sends a write until Retry-After has passed; the refused attempt is not counted."""
    plan = plan_delete(client, 40)
    server.faults.write_latency = 0.02
    server.faults.bursts = [Burst(DELETE, 429, times=1, after=10, retry_after=retry_after)]
    outcomes = plan.run(confirm=40)
    assert (outcomes["outcome"] == "done").all()
    assert (outcomes["attempts"] == 1).all()
    calls = server.requests.to(DELETE)
    refused = next(call for call in calls if call.status == 429)
    later = [call.started - refused.ended for call in calls if call.started > refused.ended + 0.6]
    assert min(later) >= float(retry_after) - 0.05
    assert sum(call.started > refused.ended for call in calls) - len(later) <= 16  # what was on its way already


def test_endless_rate_limits_end_at_the_deadline(server: DemoServer, client_of: Make) -> None:
    """If every response is a 429, the plan ends at the client's deadline, and its rows can be resumed."""
    client = client_of(server)
    plan = plan_delete(client, 5)
    set_deadline(client, 1.0)
    server.faults.bursts = [Burst(DELETE, 429, times=None, retry_after="0.3")]
    outcomes = plan.run()
    assert outcomes["outcome"].tolist() == ["skipped"] * 5
    assert outcomes["error"].str.contains("deadline").all()
    server.faults.clear()
    set_deadline(client, 60)
    assert resume(confirm=True, client=client)["outcome"].tolist() == ["done"] * 5


def test_rows_left_at_the_deadline_can_be_resumed(server: DemoServer, client: tkf.Client) -> None:
    """At the deadline nothing further is sent, unsent rows are skipped with a hint, and `resume` sends exactly those."""
    plan = plan_delete(client, 60)
    server.faults.write_latency = 0.1
    outcomes = plan.run(confirm=60, max_workers=2, deadline=0.5)
    done = outcomes["outcome"] == "done"
    assert 0 < done.sum() < 60
    assert set(outcomes.loc[~done, "outcome"]) == {"skipped"}
    assert outcomes.loc[~done, "error"].str.contains("resume").all()
    assert_known(server, outcomes)
    server.faults.clear()
    server.requests.clear()
    finished = resume(confirm=True, client=client)
    assert (finished["outcome"] == "done").all()
    assert len(finished) == 60
    assert {path_of(call) for call in server.requests.to(DELETE)} == set(outcomes.loc[~done, "tinker_path"])


def test_max_workers_bounds_concurrent_writes(server: DemoServer, client: tkf.Client) -> None:
    """`max_workers` bounds the concurrent writes; their number starts low and grows while the server keeps up."""
    plan = plan_delete(client, 100)
    server.faults.write_latency = 0.03
    first, rest = plan.drop(plan.frame["tinker_path"].iloc[30:]), plan.drop(plan.frame["tinker_path"].iloc[:30])
    assert (first.run(confirm=True, max_workers=3)["outcome"] == "done").all()
    assert server.requests.max_concurrent(DELETE) <= 3
    server.requests.clear()
    assert (rest.run(confirm=True)["outcome"] == "done").all()
    assert 4 < server.requests.max_concurrent(DELETE) <= 16
    with pytest.raises(errors.InvalidRequestError, match="max_workers=0"):
        rest.run(confirm=True, max_workers=0)


def test_ctrl_c_leaves_every_row_known(server: DemoServer, client: tkf.Client) -> None:
    """After Ctrl-C nothing further is sent, the journal has every row's true state, and `resume` finishes the plan."""
    plan = plan_delete(client, 90)
    server.faults.write_latency = 0.05

    def interrupt() -> None:
        server.faults.write_latency = 0.5  # of what is sent until the signal is handled
        os.kill(os.getpid(), signal.SIGINT)

    server.faults.bursts = [Watch(DELETE, after=24, times=1, look=interrupt)]
    with pytest.raises(KeyboardInterrupt, match="resume"):
        plan.run(confirm=90)
    sent = server.requests.count(DELETE)
    assert sent < 90
    time.sleep(0.3)
    assert server.requests.count(DELETE) == sent
    recorded = journal(client=client)
    assert len(recorded) == 90
    for row in recorded.itertuples():
        assert is_there(server, row.tinker_path) == (row.outcome != "done"), row
    left = [path for path in recorded["tinker_path"] if is_there(server, path)]
    assert len(left) == 90 - sent
    server.faults.clear()
    server.requests.clear()
    assert (resume(confirm=True, client=client)["outcome"] == "done").all()
    assert sorted(path_of(call) for call in server.requests.to(DELETE)) == sorted(left)


def test_ctrl_c_ends_a_long_wait(server: DemoServer, client: tkf.Client) -> None:
    """Ctrl-C during a Retry-After of half a minute ends the plan at once."""
    plan = plan_delete(client, 20)
    server.faults.bursts = [Burst(DELETE, 429, times=None, retry_after="30")]
    with pytest.raises(KeyboardInterrupt):
        plan.run(confirm=20, progress=CtrlCWhileWaiting())
    assert server.requests.count(DELETE) <= 16  # none was sent again after the wait
    assert all(is_there(server, path) for path in plan.frame["tinker_path"])


@pytest.mark.slow
@pytest.mark.parametrize("call", ["publish", "delete", "set_ttl"])
def test_a_success_without_effect_has_failed(server: DemoServer, client: tkf.Client, call: str) -> None:
    """A 204 without effect is detected by the final read; the row has failed and its error says so."""
    frame = client.checkpoints().query("not public and expires_at.isna()").head(4)
    plan = getattr(frame.tinker, call)(*(["30d"] if call == "set_ttl" else [])).allow(*ALL)
    server.faults.ignore_writes = True
    outcomes = plan.run(confirm=True)
    assert outcomes["outcome"].tolist() == ["failed"] * 4
    assert outcomes["error"].str.contains("as it was").all()
    assert set(journal(client=client)["outcome"]) == {"failed"}


@pytest.mark.slow
def test_a_different_expiry_than_requested_has_failed(server: DemoServer, client: tkf.Client) -> None:
    """A 204 that sets a different expiry is detected, in plans and in single writes, and the error has both times."""
    frame = client.checkpoints().query("not public and expires_at.isna()").head(3)
    set_ttl = server.state.set_ttl
    server.state.set_ttl = lambda row, seconds: set_ttl(row, 3600)  # type: ignore[method-assign]
    outcomes = frame.iloc[:2].tinker.set_ttl("30d").allow(*ALL).run()
    assert outcomes["outcome"].tolist() == ["failed"] * 2
    assert outcomes["error"].str.match(r"it now expires .* UTC, not .* UTC as requested").all()
    with pytest.raises(errors.TinkerError, match="as requested"):
        client.rest.set_checkpoint_ttl_from_tinker_path(frame["tinker_path"].iloc[2], 7200)


def test_a_missing_route_has_failed(server: DemoServer, client: tkf.Client) -> None:
    """A 404 for a missing route does not count as a deleted checkpoint."""
    plan = plan_delete(client, 3)
    server.faults.missing = (DELETE,)
    outcomes = plan.run()
    assert outcomes["outcome"].tolist() == ["failed"] * 3
    assert set(outcomes["status"]) == {404}
    assert all(is_there(server, path) for path in outcomes["tinker_path"])


def test_a_run_that_cannot_be_read_is_not_changed(server: DemoServer, client_of: Make) -> None:
    """If a row's current state cannot be read, nothing is sent, and its error says so."""
    client = client_of(server, retries=0)
    plan = plan_delete(client, 5)
    server.faults.bursts = [Burst(LIST, 500, times=None)]
    server.requests.clear()
    outcomes = plan.run()
    assert outcomes["outcome"].tolist() == ["skipped"] * 5
    assert outcomes["error"].str.contains("could not be read").all()
    assert server.requests.count(DELETE) == 0


def test_rows_that_cannot_be_verified_are_unknown_until_resumed(server: DemoServer, client_of: Make) -> None:
    """If reads fail after the writes, the outcomes are unknown; `resume` reads them and repeats none that is done."""
    client = client_of(server, retries=0)
    plan = plan_delete(client, 6)
    server.requests.clear()
    reads = len(set(plan.rows["training_run_id"]))
    server.faults.bursts = [Burst(LIST, 500, times=None, after=reads), Burst(DELETE, 500, times=3, then="apply")]
    outcomes = plan.run()
    assert set(outcomes["outcome"]) == {"unknown"}
    server.faults.clear()
    sent = server.requests.count(DELETE)
    finished = resume(confirm=True, client=client)
    assert (finished["outcome"] == "done").all()
    assert server.requests.count(DELETE) == sent


@pytest.mark.slow
def test_a_lasting_error_is_not_retried_for_every_row(server: DemoServer, client_of: Make) -> None:
    """After a few rows have failed all their attempts and none is done, each remaining row gets one attempt."""
    client = client_of(server, retries=1)
    plan = client.checkpoints().query("public == False").head(25).tinker.publish()
    server.faults.bursts = [Burst("publish_checkpoint", 500, times=None)]
    server.requests.clear()
    outcomes = plan.run(confirm=25)
    assert (outcomes["outcome"] == "failed").all()
    assert set(outcomes["status"]) == {500}
    tries = pd.Series([path_of(call) for call in server.requests.to("publish_checkpoint")]).value_counts()
    assert len(tries) == 25
    assert (tries > 1).sum() <= 8


def test_each_row_has_one_idempotency_key(server: DemoServer, client: tkf.Client) -> None:
    """All attempts at a row carry the same idempotency key, and no two rows share one."""
    plan = plan_delete(client, 4)
    server.faults.bursts = [Burst(DELETE, 500, times=4)]
    plan.run()
    keys = defaultdict(set)
    for call in server.requests.to(DELETE):
        keys[path_of(call)].add(call.headers["x-idempotency-key"])
    assert server.requests.count(DELETE) == 8
    assert all(len(found) == 1 for found in keys.values())
    assert len(set.union(*keys.values())) == 4


@pytest.mark.parametrize("cache", [True, False])
def test_the_next_frame_after_a_write_is_current(
    server: DemoServer, client_of: Make, tmp_path: Path, cache: bool
) -> None:
    """Right after `run()`, also a failed one, this client and another one of the account list the current rows without `refresh`."""
    client, other = client_of(server, cache=cache), client_of(server)
    for one in (client, other):
        one.checkpoints(), one.inventory(), one.training_runs()
    plan = plan_delete(client, 10)
    server.faults.bursts = [Burst(DELETE, 500, times=2, then="apply"), Burst(DELETE, 403, times=2, after=4)]
    outcomes = plan.run()
    gone = set(outcomes.loc[outcomes["outcome"] == "done", "tinker_path"])
    assert len(gone) == 8
    for one in (client, other):
        left = set(one.checkpoints()["tinker_path"])
        assert not gone & left
        assert set(plan.frame["tinker_path"]) - gone <= left
        assert not gone & set(one.inventory()["tinker_path"])
        runs = list(dict.fromkeys(plan.rows["training_run_id"]))
        assert not gone & set(one.checkpoints(runs)["tinker_path"])
