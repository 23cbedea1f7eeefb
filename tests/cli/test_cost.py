"""`cost`: the groups and sums of `client.costs`, as a table, a format or lines, and what is not priced said."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

import tinker_frames as tkf
from tests.cli.conftest import Outcome
from tinker_frames.billing.costs import GROUPS
from tinker_frames.cli.completion import COST_GROUPS
from tinker_frames.demo import DemoServer
from tinker_frames.frames.totals import PERIODS

Run = Callable[..., Outcome]


def test_cost_prints_what_costs_returns(shared_server: DemoServer, shared_client: tkf.Client, command: Run) -> None:
    """Each format has the rows of `client.costs`; standard error has the sum and the number of events without a price."""
    today = datetime.now(UTC).date()
    since, until = (str(today - timedelta(days=days)) for days in (45, 1))  # of which nothing changes any more
    options = ("cost", "--by", "month,user", "--since", since, "--until", until)
    frame = shared_client.costs(["month", "user"], since, until)
    done = command(shared_server, *options, "--format", "json")
    assert done.code == 0
    report = json.loads(done.err.splitlines()[-1])
    assert (report["rows"], report["complete"], report["start"][:10]) == (len(frame), True, since)
    assert [row["cost_usd"] for row in json.loads(done.out)] == frame["cost_usd"].tolist()
    found = pd.read_csv(io.StringIO(command(shared_server, *options, "--limit", "2", "--format", "csv").out))
    assert found["user_name"].tolist() == frame["user_name"].tolist()[:2]
    assert f"${frame['cost_usd'].sum():,.2f} in all from {since} to {until} UTC" in done.err
    assert f"{frame['unpriced_events'].sum()} events of {frame['events'].sum():,} without a price" in done.err


def test_cost_shows_what_is_known(shared_server: DemoServer, command: Run) -> None:
    """The table has names instead of ids where a group is not a session, dollars with cents before counts, and no empty column."""
    lines = command(shared_server, "cost", "--by", "user", "--until", "now").out.splitlines()
    header, first = (line.split("\t") for line in lines[:2])
    assert header[:2] + header[-1:] == ["user_name", "cost_usd", "events"]
    assert "other_usd" not in header
    assert first[1] == f"{float(first[1].replace(',', '')):,.2f}"
    assert command(shared_server, "cost", "--by", "session", "--full", columns=100).out.count("display_name") == 1
    narrow = command(shared_server, "cost", "--by", "user", columns=80).out
    assert all(label in narrow for label in ("cost $", "training $", "sampling $", "storage $", "unpriced"))


def test_a_terminal_gets_bars_of_days(shared_server: DemoServer, shared_client: tkf.Client, command: Run) -> None:
    """By day, a bar stands beside the dollars, the longest for the largest, and `?` for events without a price; a pipe gets none."""
    today = datetime.now(UTC).date()
    since, until = (str(today - timedelta(days=days)) for days in (20, 1))  # of which nothing changes any more
    span = ("--since", since, "--until", until)
    costs = shared_client.costs("day", since, until)
    lines = command(shared_server, "cost", "--by", "day", *span, "--full", columns=100).out.splitlines()
    cells = {line.split()[0]: line for line in lines if line.strip()[:2] == "20"}
    largest = costs.loc[costs["cost_usd"].idxmax()]
    assert cells[largest["day"]].count("█") == 14 == max(line.count("█") for line in cells.values())
    assert {day for day, line in cells.items() if "?" in line} == set(costs.query("unpriced_events > 0")["day"])
    assert "█" not in command(shared_server, "cost", "--by", "day", *span).out
    assert "█" not in command(shared_server, "cost", "--by", "user", *span, columns=100).out


def test_a_limit_and_groups_of_nothing_are_said(
    shared_server: DemoServer, shared_client: tkf.Client, command: Run
) -> None:
    """With a limit, the summary counts what is left out; of times the latest are printed; events of no model are called that."""
    today = datetime.now(UTC).date()
    since, until = (str(today - timedelta(days=days)) for days in (20, 1))  # of which nothing changes any more
    span = ("--since", since, "--until", until)
    days = shared_client.costs("day", since, until)["day"].tolist()
    done = command(shared_server, "cost", "--by", "day", *span, "--limit", "2")
    assert [line.split("\t")[0] for line in done.out.splitlines()[1:]] == days[-2:]
    assert f"2 of {len(days)} rows" in done.err
    done = command(shared_server, "cost", "--by", "model", *span)
    assert "no base model" in [line.split("\t")[0] for line in done.out.splitlines()]
    none = command(shared_server, "cost", "--by", "model", *span, "--limit", "0")
    assert none.out.splitlines() == done.out.splitlines()[:1]


def test_cost_without_events(shared_server: DemoServer, command: Run) -> None:
    """A span without events has no row, and no sum."""
    done = command(shared_server, "cost", "--since", "2020-01-01", "--until", "2020-01-02")
    assert done.code == 0
    assert "nothing is priced" in done.err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--by", "sesion"), "did you mean session"),
        (("--by", "team"), "meta.team"),
        (("--since", "1M"), "minutes (m) or months (mo)"),
        (("--since", "soon"), "is not a time"),
        (("--since", "2030-01-01"), "no hour in the past"),
    ],
)
def test_cost_refuses_what_it_does_not_know(
    shared_server: DemoServer, command: Run, options: tuple[str, ...], said: str
) -> None:
    """An unknown group and a span that cannot be end with 1 and one line."""
    done = command(shared_server, "cost", *options)
    assert done.code == 1
    assert said in done.err


def test_cost_needs_a_role(command: Run) -> None:
    """Without the role, one line says which one it needs."""
    with DemoServer(runs=2, admin=False) as server:
        done = command(server, "cost")
    assert (done.code, done.out) == (1, "")
    assert "needs org admin or billing admin" in done.err


def test_groups_are_completed() -> None:
    """Completion offers the groups that there are, under their full names."""
    assert {*COST_GROUPS, "run", "model", "owner"} == {*GROUPS, *PERIODS}
