"""DuckDB, polars and marimo take the frames as they are."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import duckdb
import pandas as pd
import polars as pl
import pytest

import tinker_frames as tkf
from tests.doc_tables import DOCS, ROOT
from tinker_frames.demo import DemoServer

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


@pytest.mark.slow
def test_the_example_for_marimo(shared_server: DemoServer, shared_client: tkf.Client, tmp_path: Path) -> None:
    """A marimo notebook of the page's example, and of a plan, runs as a script: its table and view have the account's rows."""
    pytest.importorskip("marimo")
    (example,) = re.findall(
        r"^```py\n(.*?)^```", (DOCS / "views.md").read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )
    cells = [f"{example}table", "view", "inventory", "plan = inventory.tinker.expire()\nplan"]
    lines = ["import marimo", "app = marimo.App()"]
    for cell in cells:
        lines += ["@app.cell", "def _():", *(f"    {line}" for line in cell.splitlines())]
    lines += [
        "_, names = app.run()",
        "print(len(names['table'].data), len(names['view'].widget.frame), len(names['plan']))",
    ]
    notebook = tmp_path / "notebook.py"
    notebook.write_text("\n".join(lines), encoding="utf-8")
    env = os.environ | {
        "TINKER_API_KEY": shared_server.key,
        "TINKER_BASE_URL": shared_server.url,
        "PYTHONPATH": str(ROOT),
    }
    done = subprocess.run(
        [sys.executable, str(notebook)], env=env, timeout=60, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(len(shared_client.inventory()))] * 3
