"""Costs by every group: sums of the server's own JSON to the last digit, and what is not known said so."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import tinker_frames as tkf
from tests.billing.test_usage import USAGE, make_span, read_raw
from tinker_frames import catalog, errors
from tinker_frames.billing.costs import sum_costs
from tinker_frames.billing.spans import Window
from tinker_frames.demo import Burst, DemoServer
from tinker_frames.schema.columns import pandas_dtype

Make = Callable[..., tkf.Client]
SUMS = [column.name for column in catalog.COSTS.columns[:-1]]
KINDS = {"training": "training_usd", "checkpoint": "checkpoint_usd", "storage": "storage_usd"}


@pytest.fixture(scope="module")
def raw_usage(shared_client: tkf.Client) -> tuple[Window, list[dict[str, Any]]]:
    """A span, and its events as the server sends them."""
    span = make_span(45)
    return span, read_raw(shared_client, span)


def read_metadata(client: tkf.Client, key: str) -> dict[str, str | None]:
    """Return a key of the metadata of each session, as text."""
    frame = client.sessions(access_scope="accessible").tinker.expand_metadata(numeric=False, max_keys=None)
    values = frame[f"meta.{key}"].astype("object")
    return dict(zip(frame["session_id"], values.where(values.notna(), None), strict=True))


def find_lone_runs(client: tkf.Client) -> dict[tuple[str, str], str]:
    """Return the training run of each session and model that has just one."""
    runs = defaultdict(list)
    for row in client.training_runs(access_scope="accessible").itertuples():
        runs[row.session_id, row.base_model].append(row.training_run_id)
    return {key: found[0] for key, found in runs.items() if len(found) == 1}


def make_key(client: tkf.Client, by: str) -> Callable[[dict[str, Any]], Any]:
    """Return what tells the group of a raw event."""
    if by.startswith("meta."):
        known = read_metadata(client, by.removeprefix("meta."))
        return lambda event: known.get(event["session_id"])
    if by == "training_run":
        runs = find_lone_runs(client)
        return lambda event: runs.get((event["session_id"], event["base_model"]))
    lengths = {"day": 10, "month": 7, "year": 4}
    if by in lengths:
        return lambda event: event["bucket_start"][: lengths[by]]
    field = {"session": "session_id", "base_model": "base_model", "user": "user_id", "project": "project_id"}
    return lambda event: event["event_info"]["type"] if by == "type" else event[field[by]]


def sum_raw(events: list[dict[str, Any]], keys: list[Callable[[dict[str, Any]], Any]]) -> dict[Any, dict[str, Any]]:
    """Return the sums of the events of each group, dollars as decimals; what has no addend is None."""
    groups: dict[Any, dict[str, Any]] = {}
    for event in events:
        group = groups.setdefault(
            tuple(key(event) for key in keys), dict.fromkeys(SUMS) | {"events": 0, "unpriced_events": 0}
        )
        info, cost = event["event_info"], event["estimated_cost_usd"]
        group["events"] += 1
        group["unpriced_events"] += cost is None
        if "token_count" in info:
            group["tokens"] = (group["tokens"] or 0) + info["token_count"]
        for name in ("cost_usd", KINDS.get(info["type"], "sampling_usd")) if cost is not None else ():
            group[name] = (group[name] or Decimal()) + Decimal(str(cost))
    return groups


BYS: list[list[str]] = [
    *([by] for by in ("session", "training_run", "base_model", "user", "project", "type", "day", "month", "year", "meta.team")),
    ["month", "user"],
    ["project", "base_model", "type"],
    ["meta.team", "training_run"],
]  # fmt: skip


@pytest.mark.parametrize("by", BYS, ids=",".join)
def test_costs_agree_with_the_raw_json_to_the_last_digit(
    shared_client: tkf.Client, raw_usage: tuple[Window, list[dict[str, Any]]], by: list[str]
) -> None:
    """Every group of the server's events is a row, whose dollars are the decimal sum of theirs; NA where nothing was added."""
    span, events = raw_usage
    frame = shared_client.costs(by=by, start=span.start, end=span.end)
    raw = sum_raw(events, [make_key(shared_client, each) for each in by])
    columns = (
        list(frame.columns[: len(by)])
        if "training_run" not in by
        else [*(c for c in frame if c in ("meta.team", "training_run_id"))]
    )
    keys = [
        tuple(None if pd.isna(v) else v for v in row) for row in frame[columns].astype("object").itertuples(index=False)
    ]
    assert len(keys) == len(set(keys)) == len(raw)
    for key, row in zip(keys, frame[SUMS].astype("object").itertuples(index=False), strict=True):
        for name, value, wanted in zip(SUMS, row, raw[key].values(), strict=True):
            assert pd.isna(value) if wanted is None else float(value) == float(wanted), (key, name)
    assert (frame["events"] >= frame["unpriced_events"]).all()


@pytest.mark.parametrize("by", [["session"], ["day"], ["meta.team"]], ids=",".join)
def test_dtypes_and_order(shared_client: tkf.Client, by: list[str]) -> None:
    """The sums have the dtypes of the catalog, also without events; the most expensive group is first, times are in their order."""
    full, empty = shared_client.costs(by, "45d"), shared_client.costs(by, "2020-01-01", "2020-01-02")
    assert len(empty) == 0
    assert list(empty.columns) == list(full.columns)
    assert {name: empty[name].dtype for name in empty} == {name: full[name].dtype for name in full}
    assert {c.name: full[c.name].dtype for c in catalog.COSTS.columns} == {
        c.name: pandas_dtype(c) for c in catalog.COSTS.columns
    }
    pairs = shared_client.costs(["month", *by], "45d")
    keys = [name for name in ("month", "day") if name in pairs]
    pd.testing.assert_frame_equal(
        pairs, pairs.sort_values([*keys, "cost_usd", "events"], ascending=[True] * len(keys) + [False] * 2)
    )
    order = full["day"] if by == ["day"] else -full["cost_usd"].dropna()
    assert order.is_monotonic_increasing
    assert full.attrs["tinker"]["table"] == "costs"


def test_names_stand_beside_ids(shared_client: tkf.Client) -> None:
    """A session has its name, owner, project and metadata beside it; events without a session have none of another's."""
    pairs = shared_client.costs(["user", "month"], "45d")
    assert list(pairs.columns[:4]) == ["user_id", "user_name", "month", "events"]
    frame = shared_client.costs("session", "45d")
    assert list(frame.columns[:5]) == ["session_id", "display_name", "user_name", "project_id", "user_metadata"]
    sessions = shared_client.sessions(access_scope="accessible").set_index("session_id")
    known = frame.dropna(subset="session_id")
    assert (
        known["display_name"].tolist() == sessions["display_name"].reindex(known["session_id"]).tolist()
        or known["display_name"].isna().any()
    )
    (without,) = frame[frame["session_id"].isna()].itertuples()
    assert all(
        pd.isna(value) for value in (without.display_name, without.user_name, without.project_id, without.user_metadata)
    )
    assert without.storage_usd == without.cost_usd
    assert frame.dropna(subset="session_id")["storage_usd"].isna().all()


def test_dollars_have_no_binary_error(server: DemoServer, client_of: Make) -> None:
    """0.1 and 0.2 make 0.3, whatever the order and however many; null is not zero."""

    def spoil(name: str, body: Any) -> Any:
        if name == USAGE:
            for number, event in enumerate(body["data"]):
                event["estimated_cost_usd"] = (0.1, 0.2, None)[number % 3] if event["session_id"] else None
        return body

    server.faults.edit = spoil
    client = client_of(server, cache=False)
    frame, usage = client.costs("year"), client.usage()
    counts = usage["estimated_cost_usd"].value_counts()
    assert frame["cost_usd"].sum() == float(Decimal("0.1") * int(counts[0.1]) + Decimal("0.2") * int(counts[0.2]))
    assert frame["storage_usd"].isna().all()
    assert frame["unpriced_events"].sum() == usage["estimated_cost_usd"].isna().sum()


def test_the_estimate_is_bytes_times_the_rate(shared_client: tkf.Client) -> None:
    """What a session, run, person or project stores now is priced at the server's rate, beside what was billed; times store nothing."""
    rate = shared_client.rest.get_current_checkpoint_usage()["effective_rate_usd_per_gigabyte_month"]
    sessions = shared_client.sessions(access_scope="accessible")
    for by, key, source in (
        ("session", "session_id", "session_id"),
        ("user", "user_id", "owner"),
        ("project", "project_id", "project_id"),
    ):
        frame = shared_client.costs(by, "45d").dropna(subset=key).set_index(key)["estimated_storage_usd_month"]
        stored = sessions.groupby(source)["checkpoint_storage_bytes"].sum().reindex(frame.index)
        assert frame.to_numpy(float, na_value=0) == pytest.approx(
            (stored.astype(float) / 1e9 * rate).fillna(0).to_numpy()
        ), by
    runs = shared_client.costs("training_run", "45d").dropna(subset="training_run_id").set_index("training_run_id")
    sizes = shared_client.checkpoints().groupby("training_run_id")["size_bytes"].sum(min_count=1).reindex(runs.index)
    wanted = sizes.astype("float64") / 1e9 * rate
    pd.testing.assert_series_equal(runs["estimated_storage_usd_month"], wanted, check_names=False)
    days = shared_client.costs(["day", "session"])
    assert days["estimated_storage_usd_month"].isna().all()
    assert days.attrs["tinker"]["lacks"] == []


def test_what_groups_without_events_store_is_said(shared_client: tkf.Client) -> None:
    """The estimates of rows and those of groups that have none, which the last line and a problem name, are all that is stored."""
    frame = shared_client.costs("session", "2d")
    rate = shared_client.rest.get_current_checkpoint_usage()["effective_rate_usd_per_gigabyte_month"]
    stored = shared_client.sessions(access_scope="accessible")["checkpoint_storage_bytes"].sum() / 1e9 * rate
    rest = stored - frame["estimated_storage_usd_month"].sum()
    assert rest > 1
    said = frame.attrs["tinker"]["problems"][-1]["problem"]
    assert said == f"groups without events in this time store another ${rest:,.2f} a month"
    assert said in str(frame.tinker)
    assert said not in str(frame.head(1).tinker)
    assert "no session" in str(frame.tinker)


def test_a_frame_says_its_span_and_its_sum(shared_client: tkf.Client) -> None:
    """`attrs` have the first hour and the one after the last; the last line of the text has them and the dollars."""
    frame = shared_client.costs("type", "2026-01-02", "2026-02-01T12:30")
    about = frame.attrs["tinker"]
    assert (about["start"], about["end"]) == ("2026-01-02T00:00:00Z", "2026-02-01T13:00:00Z")
    last = str(frame.tinker).splitlines()[-1]
    assert "in all from 2026-01-02 to 2026-02-01 13:00 UTC, before credits" in last or "nothing is priced from" in last
    assert shared_client.usage("2026-01-02", "2026-01-03").attrs["tinker"]["start"] == "2026-01-02T00:00:00Z"


def test_what_people_and_projects_store_is_the_servers_own(server: DemoServer, client_of: Make) -> None:
    """Their estimate has what the organization stores also in sessions that cannot be listed; that of sessions lacks then."""
    server.faults.bursts.append(Burst({"search_sessions", "list_sessions"}, 403, times=None))
    client = client_of(server, cache=False)
    stored, rate = client.storage(), client.planner.read_rate()
    for by, key in (("user", "org_user_urn"), ("project", "project_id")):
        frame = client.costs(by, "3d")
        frame = frame[frame.iloc[:, 0].notna()]
        wanted = stored.groupby(key)["size_bytes"].sum().reindex(frame.iloc[:, 0]) / 1e9 * rate
        assert frame["estimated_storage_usd_month"].tolist() == pytest.approx(wanted.tolist(), nan_ok=True), by
        assert frame.attrs["tinker"]["lacks"] == []
    assert "estimated_storage_usd_month" in client.costs("session", "3d").attrs["tinker"]["lacks"]


def test_any_dollars_are_added_as_decimals() -> None:
    """Sums are those of the shortest decimals of each float, also of ones that are too large or too fine for columns of decimals."""
    rng = random.Random(13)
    amounts = [0.1, 0.2, -0.3, 1e22, -1e22, 3.0000000000000004e-10, *(rng.randrange(10**7) * 4e-7 for _ in range(60))]
    for odd in ([], [5e-324], [1e300], [float("nan")]):
        usage = pd.DataFrame({"estimated_cost_usd": [*amounts, *odd]})
        usage["event_type"] = pd.Categorical(["training", "dreaming", None] * 22 + ["storage"] * len(odd))
        usage["token_count"] = pd.array([1] * len(usage), dtype="Int64")
        usage["user_id"] = ["ada", "bob"] * 33 + ["ada"] * len(odd)
        (ada, bob) = sum_costs(usage, ["user"]).sort_values("user_id").to_dict("records")
        for found, own in ((ada, usage["user_id"] == "ada"), (bob, usage["user_id"] == "bob")):
            priced = usage[own & usage["estimated_cost_usd"].notna()]
            dollars = [Fraction(repr(float(cost))) for cost in priced["estimated_cost_usd"]]
            assert found["cost_usd"] == float(sum(dollars))
            trained = [one for one, kind in zip(dollars, priced["event_type"], strict=True) if kind == "training"]
            assert found["training_usd"] == float(sum(trained))
            assert found["unpriced_events"] == own.sum() - len(priced)


def test_what_is_not_known_of_sessions_is_said(server: DemoServer, client_of: Make) -> None:
    """Newer metadata of a session stands beside its older events; sizes that are not known are counted, and runs that may be others said."""

    def spoil(name: str, body: Any) -> Any:
        if name == "search_sessions":
            for place, session in enumerate(body["sessions"]):
                session["user_metadata"] = {"team": "new", "none": None}
                session["checkpoint_storage_bytes"] = place or None
        if name == "list_training_runs":
            body["cursor"]["total_count"] += 5
        return body

    server.faults.edit = spoil
    client = client_of(server, cache=False)
    frame = client.costs("meta.team")
    assert set(frame["meta.team"].dropna()) == {"new"}
    sizes = client.sessions(access_scope="accessible")
    unknown = int((sizes["checkpoint_storage_bytes"].isna() & (sizes["checkpoints_count"] > 0)).sum())
    problem, *others = frame.attrs["tinker"]["problems"]
    assert (problem["column"], problem["rows"]) == ("estimated_storage_usd_month", unknown)
    assert all("groups without events" in other["problem"] for other in others)
    assert client.costs("meta.none")["meta.none"].isna().all()
    about = client.costs("run").attrs["tinker"]
    assert "training_run_id" in [one["column"] for one in about["problems"]]
    assert about["lacks"] == ["estimated_storage_usd_month"]


def test_without_a_rate_there_is_no_estimate(server: DemoServer, client_of: Make) -> None:
    """Where the rate cannot be read, costs are there without the estimate."""
    server.faults.bursts.append(Burst("get_current_checkpoint_storage_usage", 403, times=None))
    frame = client_of(server, cache=False).costs("session")
    assert frame["cost_usd"].notna().any()
    assert frame.attrs["tinker"]["lacks"] == ["estimated_storage_usd_month"]


@pytest.mark.parametrize(
    ("by", "said"),
    [
        ("sesion", "did you mean session"),
        ([], "names no group"),
        ("meta.", "no group 'meta.'"),
        ("cost_usd", "no group"),
        ("month,user", r"no group 'month,user' of costs\. Pass several groups as a list: \['month', 'user'\]"),
        (["day", "meta.tem"], r"no group 'meta\.tem' of costs; did you mean meta\.team\?.* The keys .* meta\.team"),
    ],
)
def test_unknown_groups_are_refused(shared_client: tkf.Client, by: Any, said: str) -> None:
    """A group that costs do not have is named, with what may be meant: before anything is read, or a key that no session has."""
    with pytest.raises(errors.InvalidRequestError, match=said):
        shared_client.costs(by)


def test_costs_are_not_summed_by_size(shared_client: tkf.Client) -> None:
    """`sum_by` on costs says how dollars are summed, and on other frames how several groups are passed."""
    with pytest.raises(errors.InvalidRequestError, match=r"costs\(by=…\)"):
        shared_client.costs("user").tinker.sum_by("user_name")
    with pytest.raises(errors.InvalidRequestError, match="as a list"):
        shared_client.checkpoints().tinker.sum_by("run,month")


@pytest.mark.parametrize("name", ["frame.parquet", "frame.csv", "frame.xlsx"])
def test_a_file_keeps_dtypes_and_values(shared_client: tkf.Client, tmp_path: Path, name: str) -> None:
    """Usage and costs come back from a file as they were, dollars to the last digit."""
    for frame in (shared_client.costs(["session", "type"]), shared_client.usage("3d")):
        pd.testing.assert_frame_equal(
            tkf.read_export(tkf.export(frame, tmp_path / name)), frame, check_categorical=False
        )


def test_short_names_are_the_same_groups(shared_client: tkf.Client) -> None:
    """`run`, `model` and `owner`, as `sum_by` has them, are training_run, base_model and user."""
    pd.testing.assert_frame_equal(shared_client.costs(["model", "owner"]), shared_client.costs(["base_model", "user"]))
