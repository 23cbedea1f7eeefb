"""DuckDB and polars read the frames as they are."""

from __future__ import annotations

import duckdb
import pandas as pd
import polars as pl
import pytest

import tinker_frames as tkf

TABLES = ["sessions", "training_runs", "checkpoints", "samplers", "inventory"]


def list_values(values: pd.Series) -> list[object]:
    """Return a column's values as Python's own, times in UTC, None for NA."""
    from tinker_frames.schema.columns import to_python

    return [to_python(value) for value in values]


@pytest.mark.parametrize("table", TABLES)
def test_duckdb_reads_every_table(table: str, shared_client: tkf.Client) -> None:
    """`duckdb.sql("… from frame")` has every column and row, exact integers, and NULL for NA."""
    frame = getattr(shared_client, table)()
    found = duckdb.sql("select * from frame")
    assert found.columns == list(frame.columns)
    rows = found.pl()
    assert len(rows) == len(frame)
    for name in frame.columns:
        assert rows[name].to_list() == list_values(frame[name]), name


@pytest.mark.parametrize("table", TABLES)
def test_polars_reads_every_table(table: str, shared_client: tkf.Client) -> None:
    """`pl.from_dataframe(frame)` has every column with its type, exact integers, and null for NA."""
    frame = getattr(shared_client, table)()
    found = pl.from_dataframe(frame)
    assert found.columns == list(frame.columns)
    for name in frame.columns:
        assert found[name].to_list() == list_values(frame[name]), name


def test_the_example_of_the_readme(shared_client: tkf.Client) -> None:
    """A query of DuckDB gives the same totals as `sum_by`."""
    frame = shared_client.inventory()
    sums = dict(duckdb.sql("select base_model, sum(size_bytes)::double from frame group by 1").fetchall())
    ours = frame.tinker.sum_by("model")
    assert {name: size / 1e9 for name, size in sums.items()} == pytest.approx(
        dict(zip(ours["model"], ours["size_gb"], strict=True))
    )
