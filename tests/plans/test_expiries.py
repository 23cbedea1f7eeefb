"""The expiry that plans request for each row: extended from its own, or the same TTL for all."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinker_frames as tkf
from tinker_frames.demo import DemoServer
from tinker_frames.errors import InvalidRequestError
from tinker_frames.plans.actions import ACTIONS, Arguments
from tinker_frames.plans.changes import describe_effects
from tinker_frames.plans.expiries import TOO_LATE, TOO_SOON, UNKNOWN, _extend
from tinker_frames.plans.guards import GUARDS
from tinker_frames.plans.jobs import MARGIN, State

Make = Callable[..., tkf.Client]
DAY = timedelta(days=1)
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def read_expiries(server: DemoServer, paths: list[str]) -> list[datetime | None]:
    """Return what the server has."""
    return [server.state.find(path).expires_at for path in paths]


@pytest.mark.few(1)
@pytest.mark.parametrize("ahead", [0, 7200, -7200])
def test_extending_adds_to_each_rows_own_expiry(client_of: Make, ahead: int) -> None:
    """Rows that expire get exactly that much more, whatever the clocks; those that never do are unchanged; undo restores all."""
    with DemoServer(runs=4, checkpoints=12, seed=5, now=datetime.now(UTC) + timedelta(seconds=ahead)) as server:
        client = client_of(server)
        paths = list(client.checkpoints()["tinker_path"])[:4]
        for path, ttl in zip(paths, (90_000, 5 * 86_400, 400 * 86_400, None), strict=True):
            server.state.set_ttl(server.state.find(path), ttl)
        frame = client.checkpoints(refresh=True).query("tinker_path in @paths")
        before = read_expiries(server, paths)
        plan = frame.tinker.extend(by="2 weeks", client=client)
        assert re.search(r"3 of 4 checkpoints, [\d.]+ [kMG]?B.*, will expire 14 d later", str(plan))
        found = plan.frame.set_index("tinker_path").loc[paths]
        assert found["verdict"].tolist() == ["send"] * 3 + ["unchanged"]
        assert found["reason"].iloc[-1] == "never expires"
        outcomes = plan.run(confirm=True).set_index("tinker_path").loc[paths]
        assert outcomes["outcome"].tolist() == ["done"] * 3 + ["unchanged"]
        after = read_expiries(server, paths)
        assert after[3] is None
        for old, new in zip(before[:3], after[:3], strict=True):
            assert timedelta(0) <= old + 14 * DAY - new <= 4 * MARGIN
        undone = client.undo()
        assert set(undone["outcome"]) == {"done"}, undone["error"].tolist()
        for old, restored in zip(before[:3], read_expiries(server, paths)[:3], strict=True):
            assert timedelta(0) <= old - restored <= 4 * MARGIN


@pytest.mark.parametrize("ahead", [5, -5])
@pytest.mark.parametrize("left", [20, 28])
def test_an_expiry_is_brought_forward_by_the_servers_clock(client_of: Make, ahead: int, left: int) -> None:
    """With the server's clock hours off, `expire` never postpones, and a guard holds a row that will be gone earlier."""
    with DemoServer(runs=4, checkpoints=12, seed=5, now=datetime.now(UTC) + timedelta(hours=ahead)) as server:
        client = client_of(server)
        row = server.state.find(client.checkpoints().query("not public")["tinker_path"].iloc[-1])
        server.state.set_ttl(row, left * 3600)
        server.state.publish(row)
        before = row.expires_at
        frame = client.checkpoints(refresh=True)
        plan = frame[frame["tinker_path"] == row.tinker_path].tinker.expire(after="24h")
        is_sooner = left > 24
        shown = plan.frame.iloc[0]
        assert shown["verdict"] == ("held" if is_sooner else "unchanged")
        assert abs(shown["expires_after"] - server.state.now() - DAY) < timedelta(minutes=1)
        assert plan.allow(*GUARDS).run(confirm=True)["outcome"].tolist() == ["done" if is_sooner else "unchanged"]
        assert (row.expires_at < before) == is_sooner
        assert (row.expires_at == before) != is_sooner


def test_an_extension_is_saved_with_the_times_it_leads_to(
    server: DemoServer, client: tkf.Client, tmp_path: Path
) -> None:
    """A saved plan extends to the same times, and one that was edited to an earlier expiry is refused."""
    path = client.checkpoints()["tinker_path"].iloc[0]
    server.state.set_ttl(server.state.find(path), 5 * 86_400)
    plan = client.checkpoints(refresh=True).head(1).tinker.extend("30d")
    file = plan.save(tmp_path / "plan.json")
    assert client.load_plan(file).frame["expires_after"].equals(plan.frame["expires_after"])
    until = plan.rows["until"].iloc[0].isoformat().replace("+00:00", "Z")
    file.write_text(file.read_text().replace(until, datetime.now(UTC).isoformat()))
    with pytest.raises(InvalidRequestError, match="only takes a later expiry"):
        client.load_plan(file)


@given(
    st.none() | st.timedeltas(timedelta(days=-3), timedelta(days=5000)),
    st.integers(3600, 315_360_000),
    st.sampled_from([False, True, None]),
)
def test_an_extension_never_brings_an_expiry_forward(left: timedelta | None, by: int, unknown: bool | None) -> None:
    """Any expiry is postponed by the duration, kept as never, or refused with the reason."""
    state = State(False, None if left is None else NOW + left, expiry_unknown=unknown)
    expiry, problem = _extend(state, by, NOW)
    if expiry.until is None:
        assert problem in (UNKNOWN, TOO_SOON, TOO_LATE) or (left is None and unknown is False)
        assert expiry.resolve(NOW) is None
    else:
        assert not problem
        assert expiry.until == state.expires_at + timedelta(seconds=by)
        assert 3600 <= expiry.seconds(NOW) <= 315_360_000


def test_rows_of_unknown_expiry_are_refused_also_if_the_guard_is_lifted(server: DemoServer, client: tkf.Client) -> None:
    """Without an expiry that can be read there is nothing to add to."""
    plan = client.checkpoints().head(1).tinker.extend("30d")
    rows = plan.rows.assign(expires_at=pd.NaT, expiry_unknown=True, refusal="")
    from tinker_frames.plans.expiries import request_expiries

    found = request_expiries(rows, ACTIONS["extend"], Arguments(86_400), datetime.now(UTC))
    assert found["refusal"].tolist() == [UNKNOWN]


@pytest.mark.parametrize("by", ["soon", "59m", 0, -3600, None, "11 years"])
def test_what_is_no_extension_is_refused_before_anything_is_read(client: tkf.Client, by: object) -> None:
    """It is a duration of an hour to ten years."""
    with pytest.raises(InvalidRequestError):
        client.checkpoints().tinker.extend(by)


@pytest.mark.few(1)
@pytest.mark.parametrize("zero", ["0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z", 0])
def test_the_zero_of_a_clock_is_no_expiry(server: DemoServer, client: tkf.Client, zero: object) -> None:
    """An expiry at the zero of a clock is not known: the row is held, not extended, kept by rules, and skipped if that comes up at the run."""
    frame = client.checkpoints().query("not public and expires_at.isna()")
    frame = frame[frame.duplicated(["training_run_id", "checkpoint_type"])].head(1)
    path = frame["tinker_path"].iloc[0]
    planned = frame.tinker.delete()
    assert planned.frame["verdict"].tolist() == ["send"]

    def edit(_: str, content: Any) -> Any:
        for row in content.get("checkpoints", ()) if isinstance(content, dict) else ():
            row.update({"expires_at": zero} if row["tinker_path"] == path else {})
        return content

    server.faults.edit = edit
    assert planned.run()["outcome"].tolist() == ["skipped"]
    frame = client.checkpoints(refresh=True).query("tinker_path == @path")
    assert frame.tinker.delete().frame["reason"].tolist() == ["its expiry is not known"]
    assert frame.tinker.extend("30d").frame["verdict"].tolist() == ["refused"]
    lent = frame.tinker.set_ttl("30d").allow("expiry")
    assert describe_effects(lent.frame, lent.action)[0].startswith("expiry not known → expires ")
    assert (tkf.policies.no_ttl() & tkf.policies.expiring())(frame).all()
    assert server.state.find(path) is not None
