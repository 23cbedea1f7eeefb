"""Kinds, dtypes and empty frames."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import get_args

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from tinker_frames.schema import catalog
from tinker_frames.schema.columns import (
    DTYPE_NAMES,
    Column,
    Kind,
    Table,
    arrow_type,
    empty_arrow,
    empty_frame,
    pandas_dtype,
    text_dtype,
    to_frame,
    to_python,
    to_series_data,
)

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
EVERY_KIND = Table(
    name="kinds",
    row="one row",
    key="text",
    columns=tuple(Column(kind, kind, f"a {kind}", categories=("a", "b")) for kind in get_args(Kind)),
)
MEASURED = {
    "int": "Int64",
    "float": "float64",
    "bool": "boolean",
    "time": "datetime64[us, UTC]",
    "category": "category",
    "texts": "object",
}


@pytest.mark.parametrize("kind", get_args(Kind))
def test_every_kind_has_a_name_an_arrow_type_and_a_dtype(kind: Kind) -> None:
    """Every kind has its documented name, Arrow type and pandas dtype."""
    assert kind in DTYPE_NAMES
    assert isinstance(arrow_type(kind), pa.DataType)
    dtype = pandas_dtype(EVERY_KIND[kind])
    if kind in MEASURED:
        assert str(dtype) == MEASURED[kind]
    else:
        assert isinstance(dtype, pd.StringDtype)


def test_text_is_what_this_pandas_calls_text() -> None:
    """Text is `str` on pandas 3 and `string` on pandas 2."""
    assert str(text_dtype()) == ("str" if pd.__version__.split(".")[0] >= "3" else "string")


@pytest.mark.parametrize("kind", get_args(Kind))
def test_an_empty_column_has_the_dtype_of_a_full_one(kind: Kind) -> None:
    """Empty, all-null and filled columns have the same dtype."""
    full = {
        "text": "x", "json": "{}", "category": "a", "int": 2**53 + 1, "float": 0.5, "bool": True,
        "time": NOW, "texts": ["x"],
    }[kind]  # fmt: skip
    column = EVERY_KIND[kind]
    values = (
        pa.array([full], pa.large_string()).dictionary_encode()
        if kind == "category"
        else pa.array([full], arrow_type(kind))
    )
    arrays = [values, empty_arrow(column), empty_arrow(column, 3)]
    dtypes = [pd.Series(to_series_data(column, pa.chunked_array([array]))).dtype for array in arrays]
    assert dtypes == [pandas_dtype(column)] * 3


def test_integers_next_to_nulls_stay_exact() -> None:
    """2**53 + 1 next to a null is not rounded, and the null is NA."""
    column = EVERY_KIND["int"]
    series = pd.Series(to_series_data(column, pa.chunked_array([pa.array([2**53 + 1, None, -(2**63), 2**63 - 1])])))
    assert series[0] == 2**53 + 1
    assert series[1] is pd.NA
    assert [series[2], series[3]] == [-(2**63), 2**63 - 1]


def test_unknown_categories_follow_the_declared_ones() -> None:
    """Declared categories always come first; new ones follow, sorted."""
    values = pa.chunked_array([pa.array(["z", "b", None]).dictionary_encode(), pa.array(["y"]).dictionary_encode()])
    series = pd.Series(to_series_data(EVERY_KIND["category"], values))
    assert list(series.cat.categories) == ["a", "b", "y", "z"]
    assert series.tolist()[:2] == ["z", "b"]
    assert series.isna().tolist() == [False, False, True, False]


def test_lists_of_text_are_tuples() -> None:
    """A list of ids is a hashable tuple; null is None."""
    values = pa.chunked_array([pa.array([["a", "b"], [], None], arrow_type("texts"))])
    assert list(to_series_data(EVERY_KIND["texts"], values)) == [("a", "b"), (), None]


def test_columns_that_the_data_lacks_are_na() -> None:
    """Columns missing from a listing are NA in its frame."""
    frame = to_frame(catalog.CHECKPOINTS, pa.table({"tinker_path": pa.array(["p"], pa.large_string())}), NOW)
    assert list(frame.columns) == catalog.CHECKPOINTS.names
    assert frame.drop(columns="tinker_path").isna().all(axis=None)


def test_live_columns_are_of_the_given_time() -> None:
    """Ages and remaining times follow the clock, not the listing."""
    data = pa.table({"tinker_path": ["p"], "time": pa.array([NOW], arrow_type("time"))})
    ages = [to_frame(catalog.CHECKPOINTS, data, NOW.replace(day=day))["age_days"][0] for day in (23, 24, 30)]
    assert ages == [0.0, 1.0, 7.0]


def test_a_column_is_found_by_name_and_a_wrong_name_is_an_error() -> None:
    """`table[name]` is the declaration of that column, and an unknown name raises."""
    assert catalog.CHECKPOINTS["size_bytes"].kind == "int"
    with pytest.raises(StopIteration):
        catalog.CHECKPOINTS["nothing"]


def test_an_empty_frame_has_no_rows_and_a_plain_index() -> None:
    """An empty frame has a RangeIndex and every column."""
    frame = empty_frame(catalog.SESSIONS, NOW)
    assert isinstance(frame.index, pd.RangeIndex)
    assert frame.shape == (0, len(catalog.SESSIONS.columns))


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (None, None), (pd.NA, None), (pd.NaT, None), (np.nan, None), (np.float64("nan"), None),
        (np.int64(2**53 + 1), 2**53 + 1), (np.bool_(False), False), (np.float64(1.5), 1.5), ("NA", "NA"), ("", ""), (("a",), ("a",)),
        (pd.Timestamp("2026-11-23T12:00:00.000000001Z"), NOW),
    ],
)  # fmt: skip
def test_a_value_of_a_frame_is_plain_python(value: object, plain: object) -> None:
    """NA of every dtype becomes None, timestamps datetimes, and numpy scalars equal Python values."""
    found = to_python(value)
    assert found == plain
    assert type(found) is type(plain)
