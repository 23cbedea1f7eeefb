"""Charts: what the rows that match hold over time, what expires, and what a click or brush filters by."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinker_frames.schema.columns import pandas_array
from tinker_frames.views.charts import DAYS, LOOKS, MOST_BARS, MOST_BINS, STEP_BINS, choose_unit
from tinker_frames.views.table import TableState

NOW = datetime.now(UTC)
NAMES = ("step-000100", "step-000200", "final", "last_one", "finally")
RATE = 0.1


def make_frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Return checkpoints with the columns that charts read; what a row lacks is NA, but for its key."""
    kinds = {"name": "text", "base_model": "text", "training_run_id": "text", "session_status": "text", "size_bytes": "int", "step": "int", "time": "time", "expires_at": "time", "public": "bool"}  # fmt: skip
    columns = {name: pandas_array(kind, [row.get(name) for row in rows]) for name, kind in kinds.items()}
    paths = [f"tinker://{row.get('training_run_id', 'r')}/weights/{place}" for place, row in enumerate(rows)]
    return pd.DataFrame({"tinker_path": pandas_array("text", paths), **columns})


def ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


def charts_of(state: TableState) -> dict[str, Any]:
    """Return the charts by their id."""
    found = state.charts(RATE)["charts"]
    assert json.dumps(found, allow_nan=False)
    return {chart["id"]: chart for chart in found}


rows_of_charts = st.lists(
    st.fixed_dictionaries(
        {
            "name": st.sampled_from(NAMES),
            "base_model": st.sampled_from("abcdefgh"),
            "training_run_id": st.sampled_from(["r1", "r2"]),
            "session_status": st.sampled_from(["failed", "active", None]),
            "size_bytes": st.sampled_from([None, 10**9, 3 * 10**9]),
            "step": st.none() | st.integers(0, 9000),
            "time": st.none() | st.floats(-1, 900).map(ago),
            "expires_at": st.none() | st.floats(-45, 2).map(ago),
            "public": st.sampled_from([True, False, None]),
        }
    ),
    min_size=1,
    max_size=12,
)


@settings(max_examples=40)
@given(rows=rows_of_charts)
def test_charts_add_up_to_the_rows_that_match(rows: list[dict[str, Any]]) -> None:
    """Each chart adds up to what its rows hold; today is the end of the storage chart, and days begin today."""
    state = TableState(make_frame(rows))
    found = charts_of(state)
    sizes = [row["size_bytes"] for row in rows if row["size_bytes"]]
    total = sum(sizes) if sizes else len(rows)
    assert sum(bar["value"] for bar in found["status"]["bars"]) == total if "status" in found else True
    assert len(found["model"]["bars"]) <= MOST_BARS
    known = [row for row in rows if row["time"] is not None]
    assert ("storage" in found) == bool(known)
    if known:
        chart = found["storage"]
        kept = sum((row["size_bytes"] or 0) if sizes else 1 for row in known)
        factor = {"TB": 1e12, "GB": 1e9, "MB": 1e6, "B": 1, "": 1}[chart["unit"]]
        assert sum(series["values"][-1] for series in chart["series"]) * factor == pytest.approx(kept, rel=1e-3)
        assert chart["end"] * 3600 == pytest.approx(NOW.timestamp(), abs=600)
        assert all(len(series["values"]) <= MOST_BINS for series in chart["series"])
    assert found["expiries"]["start"] == int(NOW.timestamp()) // 86_400 * 24
    if "steps" in found:
        points = found["steps"]["points"]
        assert sum(point[4] for point in points) == sum(row["step"] is not None for row in rows)
        assert all(0 <= point[0] < STEP_BINS for point in points)


@settings(max_examples=40)
@given(rows=rows_of_charts, data=st.data())
def test_a_pick_filters_by_what_the_group_holds(rows: list[dict[str, Any]], data: st.DataObject) -> None:
    """A click on a bar or part leaves as many bytes as it says, and a second click unsets the filter again."""
    state = TableState(make_frame(rows))
    found = [chart for chart in charts_of(state).values() if chart.get("bars")]
    chart = data.draw(st.sampled_from(found))
    place = data.draw(st.integers(0, len(chart["bars"]) - 1))
    sizes = any(row["size_bytes"] for row in rows)
    state.pick_chart(chart["id"], (place, place))
    held = (state.facets.bytes(state.rows.mask) or 0) if sizes else len(state.rows)
    assert (held, state.errors) == (chart["bars"][place]["value"], {})
    if chart["id"] != "finals":
        state.pick_chart(chart["id"], (0, 0))
        assert state.values == {}


def test_a_brush_over_time_and_steps_filters() -> None:
    """A brush filters by creation, by day of expiry, or by step; a group that is not there filters nothing."""
    rows = [{"time": ago(day), "expires_at": ago(-day), "step": day * 100, "training_run_id": "r"} for day in range(20)]
    state = TableState(make_frame(rows))
    bins = len(charts_of(state)["storage"]["series"][0]["values"])
    state.pick_chart("storage", (bins - 1, bins - 1))
    assert state.values["created"]["after"] == f"{NOW:%Y-%m-%d}"
    assert len(state.rows) == 1
    state.set_filters({})
    state.pick_chart("expiries", (4, 2))
    assert state.rows.get_filtered()["step"].tolist() == [200, 300, 400]
    state.set_filters({})
    state.pick_chart("steps", (0, 0))
    assert state.values == {"step": [0, 0]}
    for name, group in (("steps", 7), ("nothing", 0)):
        before = dict(state.values)
        state.pick_chart(name, (group, group))
        assert state.values == before


def test_a_click_on_finals_keeps_the_users_query() -> None:
    """Finals and steps are told apart by the names that `keep_final` keeps, in addition to the user's own query."""
    rows = [{"name": name, "size_bytes": 10**9, "time": NOW} for name in NAMES]
    state = TableState(make_frame(rows))
    state.query = "size_bytes > 1"
    assert [bar["text"] for bar in charts_of(state)["finals"]["bars"]] == ["2.00 GB", "3.00 GB"]
    state.pick_chart("finals", (0, 0))
    assert state.rows.get_filtered()["name"].tolist() == ["final", "last_one"]
    assert state.query.startswith("size_bytes > 1 and ")
    state.query = "size_bytes > 1"
    state.pick_chart("finals", (0, 1))
    assert state.query == "size_bytes > 1"


def test_dollars_say_what_they_leave_out() -> None:
    """The sum of what is stored names the rows whose size or time is not known, which it leaves out."""
    sizes = [(ago(40), 10**12), (ago(1), None), (None, 10**12), (None, None)]
    rows = [{"training_run_id": "r", "time": time, "size_bytes": size} for time, size in sizes]
    text = charts_of(TableState(make_frame(rows)))["storage"]["text"]
    assert "about $100.00 a month (size of 2 not known, without 2 of unknown time); " in text


def test_charts_say_what_they_show() -> None:
    """Each chart has its answer in words: dollars where the rate is known, days, shares, and what the other values hold."""
    rows = [
        {"time": ago(40), "size_bytes": 10**12, "session_status": "failed", "base_model": "a", "public": True, "step": 1},
        *({"time": ago(1), "expires_at": ago(-3.5 - place), "size_bytes": 10**11, "session_status": "active", "base_model": f"m{place}", "step": 2} for place in range(6)),
    ]  # fmt: skip
    found = charts_of(TableState(make_frame([{"training_run_id": "r"} | row for row in rows])))
    assert found["storage"]["text"] == "1.60 TB kept, about $160.00 a month; 600 GB created in the last 30 days."
    assert found["expiries"]["text"] == "6 of 7 checkpoints (600 GB), 4 of them within 7 days."
    assert found["status"]["text"] == "Failed sessions hold 1.00 TB (62 %)."
    assert [bar["look"] for bar in found["status"]["bars"]] == ["failed", "public"]
    assert found["model"]["rest"] == "2 others: 200 GB"
    assert found["steps"]["text"] == "7 checkpoints with a step: 1 public, 6 expiring."
    assert {LOOKS[point[3]] for point in found["steps"]["points"]} == {"public", "expiring"}


def test_charts_without_sizes_count_rows() -> None:
    """Without sizes, charts count checkpoints; without expiries, the strip of days says so; many runs have no steps chart."""
    rows = [{"time": ago(1), "training_run_id": f"r{place}", "step": 1} for place in range(9)]
    found = charts_of(TableState(make_frame(rows)))
    assert (found["storage"]["title"], found["storage"]["unit"]) == ("Checkpoints over time", "")
    assert found["storage"]["text"] == "9 checkpoints; 9 checkpoints created in the last 30 days."
    assert found["expiries"]["text"] == f"Nothing expires in the next {DAYS} days."
    assert found["run"]["rest"] == "4 others: 4 checkpoints"
    assert "steps" not in found
    assert TableState(pd.DataFrame({"tinker_path": ["a"]})).charts()["charts"] == []


def test_checkpoints_that_samplers_loaded_are_marked() -> None:
    """A frame that says what samplers have loaded has these marked along the steps."""
    frame = make_frame([{"training_run_id": "r", "step": step, "time": NOW} for step in (1, 2)])
    found = charts_of(TableState(frame.assign(loaded_by_sampler=pandas_array("bool", [True, None]))))
    assert [LOOKS[point[3]] for point in found["steps"]["points"]] == ["loaded", "kept"]


def test_an_expiry_that_is_not_known_is_none_that_is_not_there() -> None:
    """A checkpoint of which it is not known whether it expires is neither kept nor expiring, in any chart."""
    rows = [{"training_run_id": "r", "step": step, "time": NOW, "expires_at": ago(-1) if step == 1 else None} for step in range(4)]  # fmt: skip
    unknown = pandas_array("bool", [False, False, True, None])
    found = charts_of(TableState(make_frame(rows).assign(expiry_unknown=unknown)))
    assert {series["label"]: series["values"][-1] for series in found["storage"]["series"]} == {
        "without expiry": 1, "will expire": 1, "of unknown expiry": 2,
    }  # fmt: skip
    assert [LOOKS[point[3]] for point in found["steps"]["points"]] == ["kept", "expiring", "other", "other"]
    assert found["steps"]["text"] == "4 checkpoints with a step: 1 expiring, 2 of unknown expiry, 1 kept."


@pytest.mark.parametrize(("largest", "unit"), [(0, "B"), (5e6, "MB"), (2e13, "TB")])
def test_units_fit_the_largest_value(largest: float, unit: str) -> None:
    """An axis has the largest unit that its values reach."""
    assert choose_unit(largest, is_size=True)[0] == unit
    assert np.isfinite(choose_unit(largest, is_size=True)[1])
