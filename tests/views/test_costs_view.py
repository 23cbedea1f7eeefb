"""The picture of costs, without a browser: groups, kinds, what is not priced, gaps, and what a notebook keeps."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

import tinker_frames as tkf
from tinker_frames.errors import InvalidRequestError
from tinker_frames.views.cost_picture import MOST_GROUPS, describe_costs

NA = math.nan


def make_costs(**columns: list[object]) -> pd.DataFrame:
    """Return a frame of costs with these columns, one event a row and no price unless they say otherwise."""
    rows = len(next(iter(columns.values())))
    given = {"events": [1] * rows, "cost_usd": [NA] * rows, "unpriced_events": [0] * rows}
    groups = {name: values for name, values in columns.items() if name not in given and not name.endswith("_usd")}
    frame = pd.DataFrame(groups | given | columns)
    frame.attrs["tinker"] = {"table": "costs", "complete": True, "rows": rows}
    return frame


BYS = ["day", ["week", "user"], "session", "run", ["session", "day"], "meta.git", ["base_model", "type"]]


@pytest.mark.parametrize("by", BYS, ids=str)
def test_a_picture_has_the_costs_of_its_frame(shared_client: tkf.Client, by: str | list[str]) -> None:
    """Groups and kinds have the dollars of the frame; events and those without a price are all counted; it is small JSON."""
    costs = shared_client.costs(by, "45d")
    view = tkf.explore(costs)
    assert isinstance(view, tkf.CostsView)
    picture = view._picture
    json.dumps(picture, allow_nan=False)
    assert math.fsum(group["total"] or 0 for group in picture["groups"]) == pytest.approx(costs["cost_usd"].sum())
    for name, column in (("events", "events"), ("unpriced", "unpriced_events")):
        assert sum(group[name] for group in picture["groups"]) == costs[column].sum()
    kinds = {kind["label"]: kind["sum"] for kind in picture["kinds"]}
    assert kinds == {"training": pytest.approx(costs["training_usd"].sum()), "sampling": pytest.approx(costs["sampling_usd"].sum()),
                     "storage": pytest.approx(costs["storage_usd"].sum())}  # fmt: skip
    assert f"${costs['cost_usd'].sum():,.2f} before credits" in repr(view)
    assert tkf.explore(costs.set_index(costs.columns[0]))._picture == picture


def test_usage_is_drawn_by_day(shared_client: tkf.Client) -> None:
    """A frame of billing events is added up by day, also a filtered one, and one without dtypes as from a file."""
    today = datetime.now(UTC).date()
    span = (today - timedelta(days=20), today - timedelta(days=1))  # of which nothing changes any more
    usage = shared_client.usage(*span)
    view = tkf.explore(usage)
    costs = shared_client.costs("day", *span)
    assert isinstance(view, tkf.CostsView)
    assert view.frame["cost_usd"].tolist() == costs["cost_usd"].tolist()
    assert view._picture["groups"] == tkf.explore(costs)._picture["groups"]
    plain = usage.query("event_type == 'training'").astype(str)[["bucket_start", "event_type"]]
    part = tkf.explore(plain.assign(estimated_cost_usd=usage["estimated_cost_usd"]))
    assert part.frame["cost_usd"].sum() == pytest.approx(costs["training_usd"].sum())
    assert "without events" not in repr(part)


def test_a_filtered_frame_says_nothing_of_other_days() -> None:
    """Days that were filtered out are not said to be without events, and have no row; the text says that it is a part."""
    costs = make_costs(day=["2026-02-01", "2026-02-02", "2026-02-04"], cost_usd=[5.0, 1.0, 7.0])
    assert "1 day without events" in describe_costs(costs)["text"]
    for part in (costs[costs["cost_usd"] > 2], costs.assign(a=1).query("cost_usd > 2")):
        picture = describe_costs(part)
        assert [group["label"] for group in picture["groups"]] == ["2026-02-01", "2026-02-04"]
        assert "without events" not in picture["text"]
        assert picture["text"].endswith("of 3 rows of costs, the frame has 2.")


def test_no_events_no_price_and_no_dollars_differ() -> None:
    """A day without events is there with none, one whose events have no price has no dollars, and a free one has zero."""
    costs = make_costs(
        day=["2026-02-27", "2026-02-28", "2026-03-02", "2026-03-03"],
        cost_usd=[2.5, 0.0, NA, 1.0],
        unpriced_events=[0, 0, 1, 1],
        storage_usd=[2.5, 0.0, NA, 1.0],
    )
    picture = describe_costs(costs)
    found = [(group["label"][5:], group["events"], group["unpriced"], group["total"]) for group in picture["groups"]]
    assert found == [("02-27", 1, 0, 2.5), ("02-28", 1, 0, 0.0), ("03-01", 0, 0, None), ("03-02", 1, 1, None), ("03-03", 1, 1, 1.0)]  # fmt: skip
    assert "2 of 4 events have no price, which is not $0; 1 day without events." in picture["text"]


@pytest.mark.parametrize(
    ("group", "first", "last", "expected"),
    [
        ("week", "2025-12-22", "2026-01-05", ["2025-12-22", "2025-12-29", "2026-01-05"]),
        ("month", "2025-12", "2026-02", ["2025-12", "2026-01", "2026-02"]),
        ("year", "2024", "2026", ["2024", "2025", "2026"]),
    ],
)
def test_periods_without_events_have_their_place(group: str, first: str, last: str, expected: list[str]) -> None:
    """Between the first and the last, each week, month and year has its place."""
    picture = describe_costs(make_costs(**{group: [first, last], "cost_usd": [1.0, 2.0]}))
    assert [each["label"] for each in picture["groups"]] == expected


def test_groups_have_names_and_hostile_ones_are_escaped() -> None:
    """A name stands for an id, with the id where two have the same name; NA is said in words; control characters are escaped."""
    costs = make_costs(
        user_id=["urn:a", "urn:b", "urn:c", None],
        user_name=["Ada", "Ada", "Z\u202e<b>", None],
        cost_usd=[3.0, 2.0, 1.0, NA],
    )
    groups = describe_costs(costs)["groups"]
    assert [group["label"] for group in groups] == ["Ada (urn:a)", "Ada (urn:b)", "Z\\u202e<b>", "no user"]
    assert groups[2]["title"] == "urn:c"
    table = tkf.CostsView(costs)._static()
    assert "Z\\u202e&lt;b&gt;" in table
    assert "<b>" not in table


def test_a_picture_is_bounded() -> None:
    """Of thousands of groups the first are sent, which are the largest, and of thousands of days the last; the text says so."""
    days = pd.date_range("2020-01-01", periods=1500).strftime("%Y-%m-%d").tolist()
    for name, last in (("day", days[-1]), ("project_id", days[MOST_GROUPS - 1])):
        picture = describe_costs(make_costs(**{name: days}))
        assert len(picture["groups"]) == MOST_GROUPS
        assert picture["groups"][-1]["label"] == last
        assert "1,000 of 1,500 are shown" in picture["text"]


def test_costs_without_events_and_what_are_no_costs(shared_client: tkf.Client) -> None:
    """A span without events is an empty picture; a frame without costs or groups is refused, as is a query."""
    empty = tkf.CostsView(shared_client.costs("day", "2020-01-01", "2020-01-02"))
    assert "There are no billing events" in repr(empty)
    for frame in (pd.DataFrame({"day": ["2026-01-01"]}), shared_client.costs("day", "2d").drop(columns="day")):
        with pytest.raises(InvalidRequestError):
            tkf.CostsView(frame)
    with pytest.raises(InvalidRequestError, match=r"no 'query'\. Filter the frame"):
        empty.query = "cost_usd > 1"
    joined = shared_client.sessions().merge(
        shared_client.costs("run", "10d")[["session_id", "events", "cost_usd", "unpriced_events"]]
    )
    assert isinstance(tkf.explore(joined.drop_duplicates("session_id"), shared_client), tkf.SessionsView)


@pytest.mark.parametrize(("name", "meant"), [("cost", "costs"), ("chekpoints", "checkpoints")])
def test_a_name_that_is_none_is_answered_with_a_close_one(shared_client: tkf.Client, name: str, meant: str) -> None:
    """The error has the name that may be meant, and all that there are."""
    with pytest.raises(InvalidRequestError, match=rf"did you mean {meant}\?.* inventory, costs\."):
        tkf.explore(name, shared_client)


def test_the_picture_of_an_account(shared_client: tkf.Client) -> None:
    """`explore("costs")` reads the last 30 days by day; a notebook keeps the first rows as a table, or none."""
    view = tkf.explore("costs", shared_client)
    assert len(view.frame) in (30, 31)
    bundle = view._repr_mimebundle_()
    html = bundle[0]["text/html"]
    assert html.count("<tr>") == 21
    assert "<table>" not in tkf.CostsView(view.frame, save_rows=False)._static()
