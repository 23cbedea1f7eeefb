"""Totals of groups of rows: each row is in one group, and the sums are those of the rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinker_frames as tkf
from tinker_frames.demo import DemoServer
from tinker_frames.errors import InvalidRequestError
from tinker_frames.frames.totals import GROUPS, PERIODS, sum_groups

Make = Callable[..., tkf.Client]
SIZES = st.one_of(st.none(), st.integers(0, 1000).map(float))
ROWS = st.lists(st.tuples(st.sampled_from(["a", "b", None]), st.booleans(), SIZES), max_size=12)


@settings(max_examples=40)
@given(ROWS)
def test_groups_hold_every_row_once(rows: list[Any]) -> None:
    """Rows, known gigabytes and rows without a size add up to those of the frame, and the largest group is first."""
    frame = pd.DataFrame(rows, columns=["base_model", "public", "size_gb"]).astype({"size_gb": "float64"})
    found = sum_groups(frame, ["model", "public"], rate=2.0)
    assert found["rows"].sum() == len(frame)
    assert found["size_gb"].sum() == pytest.approx(frame["size_gb"].sum())
    assert found["size_unknown"].sum() == frame["size_gb"].isna().sum()
    assert found["size_gb"].dropna().is_monotonic_decreasing
    assert (found["storage_usd_month"].dropna() == 2 * found["size_gb"].dropna()).all()
    assert not found.duplicated(["model", "public"]).any()
    if frame["size_gb"].sum() > 0:
        assert found["percent"].sum() == pytest.approx(100)


@pytest.mark.few(10)
@pytest.mark.parametrize("group", [*GROUPS, *PERIODS, "checkpoint_type", "meta.recipe"])
@pytest.mark.parametrize("table", ["inventory", "checkpoints", "sessions"])
def test_every_short_name_is_a_group(shared_server: DemoServer, client_of: Make, table: str, group: str) -> None:
    """Each short name, period and metadata key groups the tables that have it, and is refused for others with what there is."""
    frame = getattr(client_of(shared_server), table)()
    columns = {*frame.columns, *frame.tinker.expand_metadata().columns}
    if group in PERIODS or {group, *GROUPS.get(group, ())} & columns:
        assert frame.tinker.sum_by(group)["rows"].sum() == len(frame)
    else:
        with pytest.raises(InvalidRequestError, match=r"Use a column, .*month"):
            frame.tinker.sum_by(group)


def test_one_key_among_very_many() -> None:
    """A key of metadata is a group also where every row has a key of its own, which as columns would be millions of values."""
    rows = 6_000
    texts = [f'{{"k{row}": 1, "team": "t{row % 3}", "none": null}}' for row in range(rows)]
    frame = pd.DataFrame({"user_metadata": texts, "size_gb": 1.0})
    assert sum_groups(frame, "meta.team")["rows"].tolist() == [rows // 3] * 3
    assert sum_groups(frame.assign(session_user_metadata=texts), "meta.session.team")["rows"].sum() == rows
    assert sum_groups(frame.head(9), "meta.none")["rows"].tolist() == [9]
    with pytest.raises(InvalidRequestError, match="no group 'meta"):
        sum_groups(frame.head(9), "meta.tea")


def test_periods_are_those_of_utc() -> None:
    """A time belongs to its UTC day, week (named by its Monday), month and year, whatever zone the frame is in, and where it is text."""
    times = pd.to_datetime(["2026-10-31T23:30:00-05:00", None], utc=True).tz_convert("America/Lima")
    frame = pd.DataFrame({"time": times, "size_gb": [1.0, 2.0]})
    text = frame.assign(time=frame["time"].astype(str))
    found, read = ({name: sum_groups(each, name).dropna()[name].tolist() for name in PERIODS} for each in (frame, text))
    assert found == read == {"day": ["2026-11-01"], "week": ["2026-10-26"], "month": ["2026-11"], "year": ["2026"]}


@pytest.mark.parametrize(
    ("frame", "by"),
    [({"a": [1]}, "a"), ({"size_gb": [1.0]}, []), ({"size_gb": [1.0]}, "month"), ({"size_gb": [1.0]}, "size_gb")],
)
def test_what_cannot_be_grouped_is_refused(frame: dict[str, Any], by: Any) -> None:
    """A frame without sizes, no group, a period without a time and the name of a total are errors that say what can be used."""
    with pytest.raises(InvalidRequestError):
        sum_groups(pd.DataFrame(frame), by)
