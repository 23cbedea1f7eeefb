"""One table of a view: filters, errors, order, columns and selection, on listings and on handmade rows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pytest
from hypothesis import example, given, settings

import tinker_frames as tkf
from tests.views.sample_frames import dump_state, frame_of, keys, settings_of_filters, tables, to_json_text
from tinker_frames.demo import DemoServer
from tinker_frames.errors import InvalidRequestError
from tinker_frames.views.sorts import MOST_OWN, sort_of
from tinker_frames.views.table import CHUNK, NARROWEST, WIDEST, TableState

Make = Callable[..., tkf.Client]
LISTINGS = ("inventory", "checkpoints", "training_runs", "sessions")


@pytest.fixture
def frame(shared_server: DemoServer, client_of: Make) -> pd.DataFrame:
    """The inventory of an account."""
    return client_of(shared_server).inventory()


# ── filters ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@settings(max_examples=21)
@given(table=tables, values=settings_of_filters)
@example(table=[], values={})
def test_the_rows_match_the_query(table: list[dict[str, Any]], values: dict[str, Any]) -> None:
    """After each filter, set one by one or all at once, the rows are those of `frame.query(state.query)`."""
    rows = frame_of(table)
    state, at_once = TableState(rows), TableState(rows)
    values = {name: value for name, value in values.items() if name in state.controls}
    for name, value in values.items():
        state.set_filter(name, value)
        assert not state.errors
        expected = rows.query(state.query) if state.query else rows
        assert state.rows.get_filtered().index.tolist() == expected.index.tolist()
    at_once.set_filters(values)
    assert (at_once.query, at_once.values) == (state.query, state.values)
    assert dump_state(state)
    for name in values:
        state.set_filter(name, None)
    assert (state.query, state.values, len(state.rows)) == ("", {}, len(rows))


@pytest.mark.parametrize("listing", LISTINGS)
def test_every_control_of_a_listing_works_on_it(shared_server: DemoServer, client_of: Make, listing: str) -> None:
    """Each option leaves the number of rows shown beside it, and every other control narrows the rows."""
    rows = getattr(client_of(shared_server), listing)()
    state = TableState(rows)
    one = str(rows[state.sort.key].iloc[0]).removeprefix("tinker://")[:8]
    examples = {"text": one, "number": [1, None], "time": {"older_than": 20}, "expiry": {"ever": True}}
    for name, control in state.controls.items():
        state.set_filters({})
        for option in state.options(name)[:8] if control.kind == "options" else []:
            state.set_filters({name: [option["value"]]})
            assert len(state.rows) == option["rows"] > 0
        if control.kind in examples:
            state.set_filters({name: examples[control.kind]})
            assert 0 < len(state.rows) < len(rows)
    for key in state.metadata_keys():
        state.set_filters({"metadata": {"key": key}})
        assert 0 < len(state.rows) < len(rows)


def test_options_are_counted_with_the_other_filters_applied(frame: pd.DataFrame) -> None:
    """Options are counted among the rows that match all other filters, whatever the control itself is set to."""
    state = TableState(frame)
    state.set_filters({"type": ["training"], "public": [False], "query": "size_gb > 0.1"})
    others = frame.query("size_gb > 0.1 and not public")
    expected = others["checkpoint_type"].value_counts()
    assert {o["value"]: o["rows"] for o in state.options("type")} == expected[expected > 0].to_dict()
    expected = frame.query("size_gb > 0.1 and not public and checkpoint_type == 'training'")[
        "base_model"
    ].value_counts()
    assert {o["value"]: o["rows"] for o in state.options("model")} == expected.to_dict()


def test_an_invalid_query_keeps_the_last_valid_rows(frame: pd.DataFrame) -> None:
    """An invalid query shows its error and keeps the rows of the last valid one, also with other filters, until it is corrected or removed."""
    state = TableState(frame)
    state.set_filter("type", ["training"])
    state.set_filter("query", "size_gb > 2")
    before = (keys(state), state.query, state.rows.number, state.moves)
    assert 0 < len(before[0]) < len(frame.query("checkpoint_type == 'training'"))
    for wrong in ("size_gb >", "nothing == 1", "size_gb", "name.to_csv('x')", "@pd.io", "size_gb > 'a'"):
        state.set_filter("query", wrong)
        assert wrong in state.errors["query"]
        assert (keys(state), state.query, state.rows.number, state.moves) == before
        with pytest.raises(InvalidRequestError, match="'pandas query' is not valid"):
            state.require_valid_filters()
        bar = {control["name"]: control for control in state.filter_bar()["controls"]}
        assert (bar["query"]["value"], bar["query"]["text"], bar["query"]["error"]) == (
            wrong,
            "",
            state.errors["query"],
        )
        assert bar["type"]["error"] == ""
    state.set_filter("type", ["sampler"])
    state.replace(frame.iloc[::2])
    assert keys(state) == frame.iloc[::2].query("checkpoint_type == 'sampler' and size_gb > 2")["tinker_path"].tolist()
    state.replace(frame)
    assert list(state.errors) == ["query"]
    state.set_filter("query", "size_gb > 1")
    assert not state.errors
    assert keys(state) == frame.query("checkpoint_type == 'sampler' and size_gb > 1")["tinker_path"].tolist()
    state.set_filter("query", "size_gb >")
    state.set_filter("query", "")
    assert (state.errors, list(state.values)) == ({}, ["type"])
    assert keys(state) == frame.query("checkpoint_type == 'sampler'")["tinker_path"].tolist()
    state.require_valid_filters()


def test_an_invalid_value_is_an_error_of_its_control(frame: pd.DataFrame) -> None:
    """An invalid value from the browser is an error of its control, and the rows stay."""
    state = TableState(frame)
    state.set_filter("public", False)
    before = keys(state)
    wrong = {"text": 5, "model": [{}], "size": "x", "created": [1], "expires": {"x": 1}, "metadata": "a", "type": 7}
    for name, value in wrong.items():
        state.set_filter(name, value)
    assert set(state.errors) == set(wrong)
    assert keys(state) == before
    assert dump_state(state)
    state.set_filters({})
    assert (state.errors, state.values, len(state.rows)) == ({}, {}, len(frame))


def test_several_filters_are_set_together_or_not_at_all(frame: pd.DataFrame) -> None:
    """Setting several filters with an invalid or unknown one among them raises an error and changes nothing."""
    state = TableState(frame)
    state.set_filters({"type": ["training"]})
    before = (state.query, state.values, keys(state), state.rows.number, state.moves)
    for wrong in (
        {"query": "size_gb >"},
        {"type": [], "size": [1]},
        {"nothing": 1},
        {"public": True, "query": "x > 1"},
    ):
        with pytest.raises(InvalidRequestError):
            state.set_filters(wrong)
        assert (state.query, state.values, keys(state), state.rows.number, state.moves) == before
    with pytest.raises(InvalidRequestError, match=r"no filter 'nothing' here.*type"):
        state.set_filter("nothing", 1)
    with pytest.raises(InvalidRequestError):
        state.query = "size_gb >"
    assert (state.query, keys(state)) == (before[0], before[2])


def test_a_query_replaces_all_filters(frame: pd.DataFrame) -> None:
    """Setting the query removes every other filter; an empty query shows all rows."""
    state = TableState(frame)
    state.set_filters({"type": ["training"], "public": False})
    state.query = "  size_gb > 1 or public "
    assert state.query == "size_gb > 1 or public"
    assert keys(state) == frame.query("size_gb > 1 or public")["tinker_path"].tolist()
    assert list(state.values) == ["query"]
    for empty in ("", "  "):
        state.query = empty
        assert (state.query, len(state.rows)) == ("", len(frame))


def test_an_age_filter_is_relative_to_the_time_it_was_set(frame: pd.DataFrame) -> None:
    """Without a column of ages, an age filter becomes a fixed time, which is computed again when the rows are refreshed."""
    bare = frame.drop(columns="age_days")
    state = TableState(bare)
    state.set_filter("created", {"older_than": 7})
    query, second = state.query, datetime.now(UTC).second
    while datetime.now(UTC).second == second:
        pass
    assert state.query == query
    assert keys(state) == bare.query(query)["tinker_path"].tolist()
    state.set_filter("public", False)
    assert state.query.startswith(query)
    state.replace(bare)
    assert query < state.query
    assert keys(state) == bare.query(state.query)["tinker_path"].tolist()


def test_nested_metadata_is_not_searched() -> None:
    """A key inside a nested object does not match, even where other rows have it at the top level."""
    entries = [{"step": "1"}, {"o": {"step": "1"}}, {"o": {"p": [{"step": "1"}]}, "step": "1"}]
    rows = pd.DataFrame({"tinker_path": list("abc"), "user_metadata": [to_json_text(entry) for entry in entries]})
    state = TableState(rows)
    state.set_filter("metadata", {"key": "step", "value": "1"})
    assert keys(state) == ["a", "c"]
    assert keys(state) == rows.query(state.query)["tinker_path"].tolist()


# ── order, columns ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_rows_can_be_sorted_by_every_column(frame: pd.DataFrame) -> None:
    """Each column sorts in both directions like a stable `sort_values`; an unknown column is refused."""
    state = TableState(frame)
    for name in frame.columns:
        for sort, up in (([name], True), ([f"-{name}"], False)):
            state.order_by(sort)
            expected = frame.sort_values([name], ascending=[up], kind="stable")["tinker_path"].tolist()
            assert keys(state) == expected
    with pytest.raises(InvalidRequestError, match="no column 'x'"):
        state.order_by(["x"])
    state.rows.frame["odd"] = [1, "a", *[None] * (len(frame) - 2)]
    with pytest.raises(InvalidRequestError, match="cannot be sorted"):
        state.order_by(["odd"])
    assert list(state.rows.sort) == [f"-{frame.columns[-1]}"]


def test_columns_are_selected_ordered_and_sized(frame: pd.DataFrame) -> None:
    """Any columns can be shown in any order, the key if none is given; widths are limited, and unknown columns refused."""
    state = TableState(frame)
    state.show_columns(["size_gb", "name", "size_gb"])
    state.resize("name", 5)
    state.resize("size_gb", 10**9)
    assert [(c["id"], c["width"]) for c in state.grid()["columns"]] == [("size_gb", WIDEST), ("name", NARROWEST)]
    assert [c["id"] for c in state.all_columns() if c["shown"]] == ["name", "size_gb"]
    assert [c["id"] for c in state.all_columns()] == list(frame.columns)
    for change in (
        lambda: state.show_columns(["x"]),
        lambda: state.resize("x", 9),
        lambda: state.resize("name", "wide"),
    ):
        with pytest.raises((InvalidRequestError, ValueError)):
            change()
    assert state.columns == ["size_gb", "name"]
    state.show_columns([])
    assert state.columns == ["tinker_path"]


@pytest.mark.parametrize("listing", LISTINGS)
def test_empty_columns_are_hidden_at_first(shared_server: DemoServer, client_of: Make, listing: str) -> None:
    """A table initially shows the main columns that have values, and always the key; a user's own stand behind the name."""
    rows = getattr(client_of(shared_server), listing)()
    sort = sort_of(rows)
    wanted = [name for name in sort.columns if name in rows.columns]
    assert TableState(rows).columns == [name for name in wanted if rows[name].notna().any()]
    assert TableState(rows.head(0)).columns == wanted
    own = {f"loss_{place}": 0.5 for place in range(MOST_OWN + 1)}
    plain = TableState(rows).columns
    named = int(plain[0] == sort.columns[0])  # the first column is the name, where rows have one
    assert TableState(rows.assign(**own)).columns == [*plain[:named], *[*own][:-1], *plain[named:], [*own][-1]]
    few = rows[["extra", sort.key]].assign(note=None)
    assert TableState(few).columns == list(few.columns)
    emptied = rows.assign(**{sort.columns[1]: None})
    assert TableState(emptied).columns == [name for name in TableState(rows).columns if name != sort.columns[1]]


def test_expanded_metadata_columns_are_shown_and_queried(frame: pd.DataFrame) -> None:
    """Columns of expanded metadata are shown initially, and a query can name them in backticks."""
    expanded = frame.tinker.expand_metadata("session_user_metadata")
    state = TableState(expanded)
    assert [name for name in state.columns if name.startswith("meta.")] == [
        n for n in expanded.columns if n.startswith("meta.")
    ]
    state.set_filter("query", "`meta.session.team` == 'evals'")
    assert not state.errors
    assert 0 < len(state.rows) == (expanded["meta.session.team"] == "evals").sum()


# ── what is shown ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_chunks_have_every_row_once_with_its_key_and_selection(frame: pd.DataFrame) -> None:
    """The chunks contain every matching row once, in order, with its key and whether it is selected; past the end they are empty."""
    state = TableState(frame)
    state.order_by(["size_gb"])
    state.set_filter("public", False)
    state.rows.select(3, 5)
    chunks = [state.chunk(place) for place in range(len(state.rows) // CHUNK + 2)]
    rows = [row for chunk in chunks for row in chunk]
    assert [row[1] for row in rows] == keys(state)
    assert [place for place, row in enumerate(rows) if row[0]] == [3, 4, 5]
    assert {len(row) for row in rows} == {2 + len(state.columns)}
    assert (len(chunks[0]), chunks[-1]) == (CHUNK, [])
    assert state.grid()["first"] == chunks[0]


def test_the_selection_counts_hidden_rows_and_bytes(frame: pd.DataFrame) -> None:
    """The selection counts its rows and bytes, including rows that the filters hide."""
    state = TableState(frame)
    assert state.selection() == {"rows": 0, "hidden": 0, "all": False, "size": ""}
    state.rows.select_all()
    assert state.selection()["all"]
    state.set_filter("public", True)
    count = state.count()
    assert (count["rows"], count["total"]) == (frame["public"].sum(), len(frame))
    assert state.selection() == {
        "rows": len(frame),
        "hidden": len(frame) - count["rows"],
        "all": True,
        "size": count["total_size"],
    }
    state.rows.clear_selection()
    state.rows.select(0, 0)
    state.set_filter("public", False)
    assert {name: state.selection()[name] for name in ("rows", "hidden", "all")} == {
        "rows": 1,
        "hidden": 1,
        "all": False,
    }


def test_charts_show_the_matching_rows(frame: pd.DataFrame) -> None:
    """Charts cover the matching rows."""
    state = TableState(frame)
    state.set_filter("type", ["sampler"])
    rows = frame.query("checkpoint_type == 'sampler'")
    by_status = next(chart for chart in state.charts()["charts"] if chart["id"] == "status")
    assert sum(bar["value"] for bar in by_status["bars"]) == rows["size_bytes"].sum()


def test_a_new_filter_or_order_scrolls_to_the_top(frame: pd.DataFrame) -> None:
    """A changed filter or order scrolls to the top; an equal filter, new rows, a selection or a width does not."""
    state = TableState(frame)
    state.set_filter("public", False)
    state.order_by(["size_gb"])
    moves = state.moves
    assert moves == 2
    state.set_filter("public", [False])
    state.replace(frame)
    state.rows.select_all()
    state.resize("name", 99)
    assert state.moves == moves
