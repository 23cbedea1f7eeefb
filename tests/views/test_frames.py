"""Frames that a view can show: whole and partial listings, rows from files, handmade rows, and replacement rows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import tinker_frames as tkf
from tests.views.sample_frames import dump_state, keys
from tinker_frames import errors
from tinker_frames.demo import Burst, DemoServer
from tinker_frames.errors import InvalidRequestError
from tinker_frames.frames.files import export, read_export
from tinker_frames.views.sorts import SORTS, sort_of
from tinker_frames.views.table import TableState

Make = Callable[..., tkf.Client]
LISTINGS = ("inventory", "checkpoints", "training_runs", "sessions")


@pytest.fixture
def frame(shared_client: tkf.Client) -> pd.DataFrame:
    """The inventory of an account."""
    return shared_client.inventory()


# ── rows that people make ────────────────────────────────────────────────────────────────────────────────────────────


def use_table(rows: pd.DataFrame) -> TableState:
    """Make a table, set every filter, sort by every shown column, select all rows, and render everything."""
    state = TableState(rows)
    examples = {
        "text": "a",
        "number": [0, None],
        "time": {"newer_than": 5000},
        "expiry": {"never": True},
        "metadata": {"key": "k"},
        "query": "index == index",
    }
    for name, control in state.controls.items():
        state.set_filter(
            name, [o["value"] for o in state.options(name)] if control.kind == "options" else examples[control.kind]
        )
        assert not state.errors
        assert dump_state(state)
    for name in state.columns:
        if not any(isinstance(value, dict) for value in state.rows.frame[name]):
            state.order_by([f"-{name}"])  # dictionaries have no order
    state.set_filters({})
    state.rows.select_all()
    assert state.selection()["rows"] == state.count()["rows"] == len(rows)
    assert dump_state(state)
    return state


@pytest.mark.few(3)
@pytest.mark.parametrize(
    ("listing", "form"),
    [
        ("inventory", "csv"), ("checkpoints", "parquet"), ("training_runs", "feather"), ("sessions", "json"),
        ("inventory", "pandas csv"), ("sessions", "pandas pickle"),
    ],
)  # fmt: skip
def test_rows_from_files_can_be_explored(shared_client: tkf.Client, tmp_path: Path, listing: str, form: str) -> None:
    """Rows from our export files, CSV and pickle can be filtered, sorted, selected and shown."""
    rows = getattr(shared_client, listing)().head(60)
    if form == "pandas csv":
        rows.to_csv(tmp_path / "rows.csv", index=False)
        back = pd.read_csv(tmp_path / "rows.csv")
    elif form == "pandas pickle":
        rows.to_pickle(tmp_path / "rows.pkl")
        back = pd.read_pickle(tmp_path / "rows.pkl")
    else:
        back = read_export(export(rows, tmp_path / f"rows.{form}"))
    state = use_table(back)
    if form != "pandas csv":
        assert list(state.controls) == list(TableState(rows).controls)
        assert state.columns == TableState(rows).columns


MADE = {
    "one column": pd.DataFrame({"tinker_path": ["a", "b"]}),
    "no rows": pd.DataFrame({"tinker_path": []}),
    "no rows of a run": pd.DataFrame({"training_run_id": [], "base_model": []}),
    "keys twice": pd.DataFrame({"tinker_path": ["a", "a", "b"], "time": pd.to_datetime(["2026-01-01"] * 3)}),
    "keys missing": pd.DataFrame({"tinker_path": ["a", None, None], "size_gb": [1, 2, None]}),
    "no keys": pd.DataFrame({"tinker_path": [None, None]}),
    "numbers as keys": pd.DataFrame({"tinker_path": [1, 2]}),
    "labels": pd.DataFrame(
        {"tinker_path": ["a", "b"], "time": pd.to_datetime(["2026", None], utc=True)}, index=["x", "x"]
    ),
    "levels": pd.DataFrame({"tinker_path": ["a", "b"]}, index=pd.MultiIndex.from_tuples([(1, "a"), (2, "b")])),
    "index of that name": pd.DataFrame(
        {"tinker_path": ["a", "b"], "step": [2, 1]}, index=pd.Index([1, 0], name="step")
    ),
    "odd dtypes": pd.DataFrame(
        {
            "tinker_path": ["a"],
            "public": [1],
            "time": ["2026"],
            "size_bytes": ["1"],
            "status": [5],
            "user_metadata": [{}],
        }
    ),
    "odd names": pd.DataFrame({"tinker_path": ["a"], "a b": [1], "<b>": [2], "": [3], "\x1b": [4], "class": [5]}),
    "unhashable": pd.DataFrame({"tinker_path": ["a", "b"], "base_model": [["x"], ["y"]], "user_metadata": [{}, {}]}),
}


@pytest.mark.parametrize("name", MADE)
def test_handmade_rows_can_be_explored(name: str) -> None:
    """A frame with only the key column, with any index and values, can be shown and is not modified."""
    before = MADE[name].copy()
    state = use_table(MADE[name])
    assert state.banner() == ""
    pd.testing.assert_frame_equal(MADE[name], before)


def test_unsuitable_frames_are_refused(shared_server: DemoServer, client_of: Make) -> None:
    """Frames of samplers, without a key, with a duplicate column or with column names other than text are refused with the reason."""
    client = client_of(shared_server)
    for wrong in (client.samplers(), pd.DataFrame({"x": [1]}), pd.DataFrame()):
        with pytest.raises(InvalidRequestError, match=r"not of a table that can be explored.*tinker_path"):
            TableState(wrong)
    with pytest.raises(InvalidRequestError, match="no column 'tinker_path'"):
        TableState(client.sessions(), SORTS["checkpoints"])
    twice = pd.DataFrame([["a", 1, 2]], columns=["tinker_path", "x", "x"])
    for wrong in (twice, pd.DataFrame({"tinker_path": ["a"], 5: [1]})):
        with pytest.raises(InvalidRequestError, match="occurs twice, or its name is not text"):
            TableState(wrong)


def test_a_key_in_the_index_is_a_key(shared_server: DemoServer, client_of: Make) -> None:
    """A frame with its identity column in the index opens with all its rows."""
    checkpoints = client_of(shared_server).checkpoints()
    for labels in ("tinker_path", ["training_run_id", "tinker_path"]):
        state = TableState(checkpoints.set_index(labels))
        assert (state.sort.name, len(state.rows), state.keeps_order) == ("checkpoints", len(checkpoints), False)
    with pytest.raises(InvalidRequestError, match="not of a table that can be explored"):
        TableState(client_of(shared_server).samplers().set_index("sampler_id"))


def test_rows_of_another_kind_are_refused(shared_server: DemoServer, client_of: Make) -> None:
    """Rows without their own identity column, or with duplicate keys, are not shown as the runs or sessions that own them."""
    client = client_of(shared_server)
    checkpoints, runs = client.checkpoints(), client.training_runs()
    without = checkpoints.drop(columns="tinker_path")
    for wrong, kind in (
        (without, "checkpoints"),
        (without.head(1), "checkpoints"),
        (without[["training_run_id", "name", "size_gb"]].head(1), "checkpoints"),
        (client.samplers().drop(columns="sampler_id"), "samplers"),
        (runs.drop(columns="training_run_id"), "training runs"),
    ):
        with pytest.raises(InvalidRequestError, match=f"these are rows of {kind}"):
            TableState(wrong)
    with pytest.raises(InvalidRequestError, match="these are rows of checkpoints"):
        TableState(checkpoints, SORTS["training_runs"])
    with pytest.raises(InvalidRequestError, match="several rows have the same training_run_id"):
        TableState(pd.concat([runs, runs.head(1)]))
    counted = checkpoints.groupby("training_run_id", observed=True).agg(checkpoints=("tinker_path", "size"))
    assert TableState(counted).sort.name == "training_runs"


def test_a_frame_is_the_table_of_its_most_specific_key(shared_server: DemoServer, client_of: Make) -> None:
    """A frame with the columns of several tables is shown as checkpoints, else as runs, else as sessions."""
    client = client_of(shared_server)
    assert {name: sort_of(getattr(client, name)()).name for name in LISTINGS} == {
        "inventory": "checkpoints", "checkpoints": "checkpoints", "training_runs": "training_runs", "sessions": "sessions",
    }  # fmt: skip
    assert sort_of(client.inventory().head(20).tinker.expire(client=client).frame).name == "checkpoints"


# ── data ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_refresh_keeps_the_settings(frame: pd.DataFrame) -> None:
    """Filters, sort order, columns, widths and the selection by key survive new rows; columns that they lack are removed."""
    state = TableState(frame)
    state.set_filters({"public": False})
    state.set_filter("query", "wrong >")
    state.order_by(["-size_gb"])
    state.show_columns(["name", "size_gb", "tinker_path"])
    state.resize("name", 300)
    state.rows.select(0, 9)
    selected = set(keys(state)[:10])
    fewer = frame[~frame["tinker_path"].isin(list(selected)[:3])].iloc[::-1].drop(columns="name")
    state.replace(fewer)
    expected = fewer.query("not public").sort_values("size_gb", ascending=False, kind="stable")["tinker_path"]
    assert keys(state) == expected.tolist()
    assert set(state.rows.get_selected()["tinker_path"]) == selected & set(fewer["tinker_path"])
    assert (state.columns, state.widths["name"], list(state.errors)) == (["size_gb", "tinker_path"], 300, ["query"])
    assert state.facets.bytes(np.ones(len(fewer), dtype=bool)) == fewer["size_bytes"].sum()


def test_rows_that_do_not_fit_the_filters_are_refused(frame: pd.DataFrame) -> None:
    """Rows on which a filter or the sort order cannot be evaluated raise an error, and the displayed rows stay."""
    state = TableState(frame)
    state.set_filters({"query": "size_gb > 1"})
    state.order_by(["step"])
    before = (keys(state), state.query, state.rows.number, list(state.controls))
    for wrong in (
        frame.drop(columns="size_gb"),
        frame.drop(columns="step"),
        frame.assign(step=[1, "a", *[None] * (len(frame) - 2)]),
    ):
        with pytest.raises(InvalidRequestError):
            state.replace(wrong)
        assert (keys(state), state.query, state.rows.number, list(state.controls)) == before


def test_controls_appear_with_their_columns(frame: pd.DataFrame) -> None:
    """A table that was empty offers its filters once it has rows."""
    state = TableState(frame.head(0))
    assert "text" not in state.controls
    state.replace(frame)
    assert list(state.controls) == list(TableState(frame).controls)
    state.set_filter("text", "final")
    assert 0 < len(state.rows) < len(frame)
    state.replace(frame.head(0))
    assert (len(state.rows), state.values) == (0, {"text": "final"})
    state.replace(frame)
    assert len(state.rows) == len(frame.query(state.query)) > 0


# ── what is not whole ────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_incomplete_listing_has_a_banner(server: DemoServer, client_of: Make) -> None:
    """A listing that is not proved complete has a banner with its number of rows, also when filtered; a complete one has none."""
    client = client_of(server, retries=0)
    assert TableState(client.checkpoints()).banner() == ""
    server.faults.bursts.append(Burst("list_checkpoints", 500, times=1, after=3))
    with pytest.warns(errors.IncompleteListingWarning):
        rows = client.checkpoints(by="run", refresh=True)
    banner = TableState(rows).banner()
    assert banner == TableState(rows.query("not public")).banner()
    assert banner == f"This listing is not proved complete: {len(rows):,} rows were read. Refresh reads it again."


def test_a_limited_listing_has_a_banner(shared_server: DemoServer, client_of: Make) -> None:
    """The banner of a limited listing says how many of how many rows were read."""
    client = client_of(shared_server)
    total = len(client.checkpoints())
    assert (
        TableState(client.checkpoints(limit=5)).banner() == f"This listing was limited: 5 of {total:,} rows were read."
    )
