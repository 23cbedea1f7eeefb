"""Last reads of checkpoints from the audit log: whose days are kept, and what is not known without it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pandas as pd
import pytest

import tinker_frames as tkf
from tinker_frames.demo import Burst, DemoServer
from tinker_frames.errors import InvalidRequestError
from tinker_frames.listings.reads import Reads, add_reads, find_reads
from tinker_frames.policies import keep_public, read_within

DAY = date(2026, 11, 20)
PATH = "tinker://run/weights/a"


def entry(when: Any = "2026-11-20T10:00:00Z", path: Any = PATH, **details: Any) -> dict[str, Any]:
    """Return an entry of the audit log."""
    return {"timestamp": when, "event": "checkpoint_read", "event_details": {"tinker_path": path, **details}}


@pytest.mark.parametrize(
    ("entries", "found"),
    [
        ([], {}),
        (
            [entry(actor={"email": "ada@x"}), entry("2026-11-20T11:00:00Z", actor={"session_id": "s"})],
            ("11:00:00", "s"),
        ),
        ([entry("2026-11-20T11:00:00Z"), entry()], ("11:00:00", None)),
        ([entry("yesterday", actor="x")], ("23:59:59.999999", None)),
        ([entry() | {"event": "checkpoint_create"}], {}),
        ([{"timestamp": "2026-11-20T10:00:00Z", "event": "checkpoint_read", "tinker_path": PATH}], ("10:00:00", None)),
        ([entry() | {"event": "CHECKPOINT_READ"}], ("10:00:00", None)),
        ([entry(), entry(path="tinker://run/weights/b") | {"tinker_path": PATH}], ("10:00:00", None)),
        ([{"timestamp": "2026-11-20T10:00:00Z", "tinker_path": PATH}], ("10:00:00", None)),
        ([entry(path=None)], "names no checkpoint"),
        *(
            ([entry(path=path)], "names no checkpoint")
            for path in ("", "run/weights/a", "https://x/run", "tinker:///run/weights/a")
        ),
        ([entry("2026-11-21T08:00:00Z")], "entries of 2026-11-21 for 2026-11-20"),
        ([entry("2026-11-19T23:59:59Z"), entry()], "entries of 2026-11-19"),
        ([entry("2026-10-25T10:00:00Z") | {"event": "checkpoint_create"}], "entries of 2026-10-25"),
        ([entry(action={"type": "read"}) | {"event": "checkpoint.loaded"}], ("10:00:00", None)),
        ([3], "not a list of entries"),
        ("nonsense", "not a list of entries"),
    ],
)
def test_the_last_read_of_a_day(entries: Any, found: Any) -> None:
    """The last read of each checkpoint counts, without a time at the end of the day; what leaves the day unknown is said."""
    reads = find_reads({"entries": entries}, DAY)
    if isinstance(found, tuple):
        assert isinstance(reads, dict)
        assert reads[PATH] == (f"2026-11-20T{found[0]}+00:00", found[1])
    elif isinstance(found, str):
        assert found in reads
    else:
        assert reads == found


@pytest.mark.parametrize("more", [{"next_cursor": "b"}, {"has_more": True}, {"total_count": 2}])
def test_a_part_of_a_day_is_not_the_day(more: dict[str, Any]) -> None:
    """An answer that says that more entries follow leaves the day unknown: the others may be reads."""
    assert "more entries follow" in find_reads({"entries": [entry()], **more}, DAY)


def count(server: DemoServer) -> int:
    """Return the number of requests of the audit log."""
    return len(server.requests.to("get_audit_log"))


def test_reads_are_those_of_the_audit_log_and_days_are_kept(server: DemoServer, client: tkf.Client) -> None:
    """Each day with entries is requested once, but for the last three, which may still change; the frame says who read a checkpoint last."""
    frame = client.checkpoints().tinker.with_reads("60d", client=client)
    assert count(server) == 61
    today = datetime.now(UTC).date()
    days = [str(today - timedelta(days=place)) for place in range(61)]
    answers = [client.rest.get_audit_log("checkpoints", day)["entries"] for day in days]
    entries = [each for answer in answers for each in answer]
    assert any(answers[3:]), "else no day is kept"
    reads = [
        each
        for each in entries
        if each["event"] == "checkpoint_read" and each["tinker_path"] in set(frame["tinker_path"])
    ]
    assert frame["last_read_at"].notna().sum() == len({each["tinker_path"] for each in reads}) > 0
    assert set(frame["read_by"].dropna()) <= {each["event_details"]["actor"]["session_id"] for each in reads}
    before = count(server)
    again = client.checkpoints().tinker.with_reads("60d")
    assert count(server) - before == 3 + answers[3:].count([])
    pd.testing.assert_frame_equal(again[["last_read_at", "read_by"]], frame[["last_read_at", "read_by"]])


def test_read_within_keeps_what_was_read_and_what_is_not_known(
    server: DemoServer, client_of: Callable[..., tkf.Client]
) -> None:
    """`retire` reads as many days as the rule needs; of a day that cannot be read, and of those before it, nothing is known."""
    frame = client_of(server, retries=0).checkpoints()
    plan = frame.tinker.retire(keep=read_within("5d") | keep_public(), after="24h")
    read = set(frame.tinker.with_reads("5d").dropna(subset="last_read_at")["tinker_path"])
    assert plan.kept is not None
    assert set(plan.kept.loc[plan.kept["reason"].str.contains("read_within"), "tinker_path"]) == read
    server.faults.bursts.append(Burst("get_audit_log", 500, times=None))
    rule = read_within("5d")
    assert rule(frame.tinker.with_reads("5d", refresh=True)).all()
    server.faults.bursts.clear()
    known = frame.tinker.with_reads("3d")
    assert rule(known).all(), "of the days before nothing is known"
    assert not read_within("2d")(known).all()


def test_retire_reads_the_log_again_for_a_frame_of_an_earlier_day(server: DemoServer, client: tkf.Client) -> None:
    """What was read since a frame was made is kept by `read_within`, also if the frame says when its rows were read until then."""
    frame = client.checkpoints().tinker.with_reads("5d")
    read = set(frame.dropna(subset="last_read_at")["tinker_path"])
    assert read
    old = frame.assign(last_read_at=pd.Series(pd.NaT, frame.index, frame["last_read_at"].dtype))
    plan = old.tinker.retire(keep=read_within("5d"), after="24h")
    assert not read & set(plan.frame["tinker_path"])


@pytest.mark.parametrize(
    "path",
    [
        "tinker://RUN%3Atrain%3A0/weights/a",
        "tinker://run:train:0%2Fweights%2Fa",
        "Tinker://run:train:0/weights/A",
        "tinker://r-un:train:0/weights/a",
        "tinker://run:train:0/weights/a/",
    ],
)
def test_a_read_in_another_spelling_leaves_its_run_unknown(path: str) -> None:
    """What was read of a run is not known if the log names one of its checkpoints as none is spelled; other runs are."""
    paths = [f"tinker://{run}:train:0/weights/a" for run in ("run", "other")]
    now = datetime.now(UTC)
    found = add_reads(pd.DataFrame({"tinker_path": paths}), Reads({path: (now, None)}, now - timedelta(days=9)))
    assert found["reads_known_since"].isna().tolist() == [True, False]


def test_a_time_that_cannot_be_read_is_not_never() -> None:
    """A last read that is no time leaves the row unknown, which `read_within` keeps; an empty one is known."""
    columns = {"last_read_at": ["soon", None], "reads_known_since": [datetime.now(UTC) - timedelta(days=9)] * 2}
    assert read_within("5d")(pd.DataFrame(columns)).tolist() == [True, False]


def test_reads_of_an_age_are_refused(server: DemoServer, client: tkf.Client) -> None:
    """More than ten years would be a request for each of their days; nothing is sent."""
    frame = client.checkpoints()
    for within in ("11y", "9999y"):
        with pytest.raises(InvalidRequestError, match="more than ten years"):
            frame.tinker.with_reads(within, client=client)
    assert count(server) == 0


def test_today_is_the_servers(server: DemoServer, client: tkf.Client) -> None:
    """Where the clock of a new client is days behind, the days up to the server's present one are read all the same."""
    frame, today = client.checkpoints(), str(datetime.now(UTC).date())
    client.transport.clock_offset = timedelta(days=-3)
    frame.tinker.with_reads("1d", client=client)
    assert max(call.query["day"] for call in server.requests.to("get_audit_log")) >= today


@pytest.mark.parametrize("options", [{"admin": False}, {"dialect": "tuft"}])
def test_without_the_role_nothing_is_known(client_of: Callable[..., tkf.Client], options: dict[str, Any]) -> None:
    """Without the role or an audit log, one request shows it, everything is kept as not known, and the plan says why."""
    with DemoServer(runs=3, **options) as server:
        frame = client_of(server).checkpoints()
        plan = frame.tinker.retire(keep=read_within("60d"), after="24h")
        assert count(server) <= 1
        assert len(plan) == 0
        assert any("not known when checkpoints were read: " in line for line in plan.summarize(plan.frame))
        problems = frame.tinker.with_reads().attrs["tinker"]["problems"]
        assert [each["rows"] for each in problems if each["column"] == "last_read_at"] == [len(frame)]
