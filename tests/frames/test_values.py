"""Columns of any frame read as times, numbers and flags."""

from __future__ import annotations

from datetime import UTC, datetime

import pandas as pd
import pytest

from tinker_frames.frames.values import to_times

FAR, NEAR = datetime(2999, 1, 1, tzinfo=UTC), datetime(2026, 11, 27, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "values",
    [
        [FAR, None, NEAR],
        ["2999-01-01T00:00:00Z", None, "2026-11-27T12:00:00Z"],
        ["2999-01-01", "no time", "2026-11-27 14:00:00+02:00"],
        [pd.Timestamp("2999-01-01", tz="UTC"), pd.NaT, pd.Timestamp(NEAR)],
    ],
)
def test_times_that_nanoseconds_do_not_reach_are_read(values: list[object]) -> None:
    """The year 2999 is read with every pandas, from times and text, whatever the labels of the rows; what is no time is NA."""
    times = to_times(pd.Series(values, index=[7, 7, 7], dtype="object"))
    assert times.tolist() == [FAR, pd.NaT, NEAR]
    assert times.index.tolist() == [7, 7, 7]
