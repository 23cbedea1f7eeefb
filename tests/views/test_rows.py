"""Rows of a view: filtered and sorted as by pandas, and selected by position, with a selection that follows the keys."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.views.sample_frames import KINDS, frame_of, tables
from tinker_frames.errors import InvalidRequestError
from tinker_frames.frames.query import evaluate_condition
from tinker_frames.schema.columns import pandas_array
from tinker_frames.views.rows import KEPT, Rows

STEPS = ["step > 1", "step < 5", "name.str.contains('a')", ""]


def make_rows(steps: list[int | None], first: int = 0) -> pd.DataFrame:
    """Return rows with keys k0, k1, … and a step each."""
    keys = pandas_array("text", [f"k{n}" for n in range(first, first + len(steps))])
    frame = pd.DataFrame({"key": keys, "step": pandas_array("int", steps)})
    return frame.assign(name=frame["key"].str.replace("k1", "a"))


def list_matching(rows: Rows) -> list[str]:
    """Return the keys of the matching rows, in order."""
    return rows.get_filtered()["key"].tolist()


def list_selected(rows: Rows) -> set[str]:
    """Return the selected keys."""
    return set(rows.get_selected()["key"])


# ── order ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@settings(max_examples=28)
@given(table=tables, names=st.lists(st.sampled_from([*KINDS, "checkpoint_type"]), max_size=3), data=st.data())
def test_rows_are_sorted_as_pandas_sorts_them(
    table: list[dict[str, Any]], names: list[str], data: st.DataObject
) -> None:
    """Any columns in any direction sort like a stable `sort_values`, NA last; a filter keeps the order."""
    frame = frame_of(table)
    names = list(dict.fromkeys(names))
    up = [data.draw(st.booleans()) for _ in names]
    rows = Rows(frame, "tinker_path")
    rows.order_by([name if is_up else f"-{name}" for name, is_up in zip(names, up, strict=True)])
    expected = frame.sort_values(names, ascending=up, kind="stable") if names else frame
    assert rows.get_filtered().index.tolist() == expected.index.tolist()
    rows.filter({"a": "size_gb > 0.2", "b": "not public"})
    mask = evaluate_condition(frame, "size_gb > 0.2 and not public")
    assert rows.get_filtered().index.tolist() == [place for place in expected.index if mask[place]]
    assert len(rows) == mask.sum()


def test_an_invalid_order_changes_nothing() -> None:
    """An unknown column, or values that cannot be compared, raise an error, and the order stays."""
    rows = Rows(make_rows([3, 1, 2]).assign(odd=[1, "a", None]), "key")
    rows.order_by(["step"])
    before = rows.number
    with pytest.raises(InvalidRequestError, match="no column 'nothing'"):
        rows.order_by(["nothing"])
    with pytest.raises(TypeError):
        rows.order_by(["odd"])
    assert (rows.sort, rows.number, list_matching(rows)) == (("step",), before, ["k1", "k2", "k0"])


def test_a_repeated_sort_column_counts_once() -> None:
    """A column named twice sorts as it does the first time; a leading `-` means descending."""
    rows = Rows(make_rows([3, 1, None, 2]), "key")
    rows.order_by(["-step", "-step"])
    assert rows.sort == ("-step",)
    assert list_matching(rows) == ["k0", "k3", "k1", "k2"]


# ── what matches ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_condition_that_cannot_be_evaluated_changes_nothing() -> None:
    """If one of several conditions is invalid, an error is raised and the rows stay."""
    rows = Rows(make_rows([1, 2, 3]), "key")
    rows.filter({"a": "step > 1"})
    before = rows.number
    for wrong in ("step >", "nothing > 1", "step", "name.to_csv('x')"):
        with pytest.raises(InvalidRequestError):
            rows.filter({"a": "step > 2", "b": wrong})
    assert (list_matching(rows), rows.number) == (["k1", "k2"], before)
    assert rows.mask_without("a").tolist() == [True, True, True]


def test_the_mask_without_one_condition() -> None:
    """`mask_without` ignores the named condition only, whether or not it is set."""
    rows = Rows(make_rows([1, 2, 3, 4]), "key")
    rows.filter({"a": "step > 1", "b": "step < 4", "c": ""})
    assert rows.mask_without("a").tolist() == [True, True, True, False]
    assert rows.mask_without("b").tolist() == [False, True, True, True]
    assert rows.mask_without("c").tolist() == rows.mask_without("x").tolist() == rows.mask.tolist()


def test_conditions_are_evaluated_once() -> None:
    """A known condition is not evaluated again, and the number of cached results is bounded."""
    rows = Rows(make_rows(list(range(20))), "key")
    rows.filter({"typed": "step >= 1"})
    found = rows._masks["step >= 1"]
    for end in range(KEPT * 2):
        rows.filter({"typed": f"step >= {end}", "other": "step < 15"})
        assert list_matching(rows) == [f"k{n}" for n in range(end, 15)]
        assert end != 1 or rows._masks["step >= 1"] is found
        assert len(rows._masks) <= KEPT


# ── what is selected ───────────────────────────────────────────────────────────────────────────────────────────────────

places = st.integers(-3, 9)
selection_steps = st.lists(
    st.one_of(
        st.tuples(st.just("range"), places, places, st.sampled_from([True, False, None])),
        st.tuples(st.just("all")),
        st.tuples(st.just("none")),
        st.tuples(st.just("keys"), st.lists(st.sampled_from(["k0", "k3", "k9", "gone"]))),
        st.tuples(st.just("filter"), st.sampled_from(STEPS)),
        st.tuples(st.just("sort"), st.sampled_from([[], ["step"], ["-step", "key"]])),
        st.tuples(st.just("replace"), st.integers(0, 3), st.lists(st.none() | st.integers(0, 7), max_size=7)),
    ),
    max_size=8,
)


def apply_step(rows: Rows, expected: set[str], step: tuple[Any, ...]) -> set[str]:
    """Apply one step to the rows, and return the keys that should be selected afterwards."""
    what, *given_ = step
    present = list_matching(rows)
    if what == "range":
        first, last, on = given_
        rows.select(first, last, on=on)
        low, high = sorted((first, last))
        reached = {key for place, key in enumerate(present) if low <= place <= high}
        return expected ^ reached if on is None else expected | reached if on else expected - reached
    if what in ("all", "none"):
        rows.select_all() if what == "all" else rows.clear_selection()
        return expected | set(present) if what == "all" else set()
    if what == "keys":
        rows.select_keys(given_[0])
        return set(given_[0]) & set(rows.frame["key"])
    if what == "replace":
        rows.replace(make_rows(given_[1], first=given_[0]))
        return expected & set(rows.frame["key"])
    rows.filter({"x": given_[0]}) if what == "filter" else rows.order_by(given_[0])
    return expected


@settings(max_examples=52)
@given(steps=st.lists(st.none() | st.integers(0, 7), max_size=7), todo=selection_steps)
def test_the_selection_follows_the_keys(steps: list[int | None], todo: list[tuple[Any, ...]]) -> None:
    """Any sequence of ranges, filters, sorts and new rows leaves the right keys selected; filters, sorts and new rows change the order number."""
    rows, expected = Rows(make_rows(steps), "key"), set[str]()
    for step in todo:
        number = rows.number
        expected = apply_step(rows, expected, step)
        assert list_selected(rows) == expected
        assert (rows.number > number) == (step[0] in ("filter", "sort", "replace"))
        assert set(list_matching(rows)) == set(rows.frame["key"][rows.mask])
        assert sorted(rows.order) == sorted(set(rows.order))
        in_order = [key for key in rows.frame.iloc[rows._sorted]["key"] if key in expected]
        assert rows.get_selected()["key"].tolist() == in_order


def test_rows_with_missing_or_duplicate_keys_are_selected_by_position() -> None:
    """A click selects only the clicked row, even if other rows have the same key or none; a key selects all its rows."""
    frame = pd.DataFrame({"key": ["a", "a", None, None, "b"]})
    rows = Rows(frame, "key")
    rows.select(1, 2, on=True)
    assert rows.get_selected().index.tolist() == [1, 2]
    rows.select_keys(["a", "nowhere"])
    assert rows.get_selected().index.tolist() == [0, 1]
    rows.select(3, 4, on=True)
    rows.replace(frame.iloc[::-1])
    assert rows.get_selected()["key"].tolist() == ["b", "a", "a"]


def test_rows_that_cannot_be_filtered_or_sorted_are_refused() -> None:
    """New rows without the column of a filter or of the sort order raise an error, and everything stays."""
    rows = Rows(make_rows([3, 1, 2]), "key")
    rows.filter({"a": "step > 1"})
    rows.order_by(["-step"])
    rows.select(0, 0, on=True)
    for wrong in (make_rows([1]).drop(columns="step"), make_rows([1]).assign(step=["x"])):
        with pytest.raises(InvalidRequestError):
            rows.replace(wrong)
    assert (list_matching(rows), list_selected(rows), rows.number) == (["k0", "k2"], {"k0"}, 2)


def test_rows_keep_their_labels() -> None:
    """A frame with duplicate or named labels is filtered, sorted and selected like any other, and keeps its labels."""
    frame = make_rows([1, 2, 3]).set_index(pd.Index([7, 7, 7], name="step_"))
    rows = Rows(frame, "key")
    rows.filter({"a": "step > 1"})
    rows.order_by(["-step"])
    rows.select(0, 0)
    pd.testing.assert_frame_equal(rows.get_filtered(), frame.query("step > 1").iloc[::-1])
    pd.testing.assert_frame_equal(rows.get_selected(), frame.iloc[[2]])
    pd.testing.assert_frame_equal(rows.frame, frame)


def test_an_empty_frame() -> None:
    """A frame without rows can be filtered, sorted and selected from."""
    rows = Rows(make_rows([]), "key")
    rows.filter({"a": "step > 1"})
    rows.order_by(["step"])
    rows.select(0, 5)
    rows.select_all()
    assert (len(rows), list_matching(rows), list_selected(rows)) == (0, [], set())


def test_a_race_in_the_parser_is_retried() -> None:
    """Before Python 3.11.8, parsing in another thread can raise SystemError for a valid query: it is retried; a lasting one is reported."""

    class RacingFrame(pd.DataFrame):
        left = 0

        def eval(self, *args: Any, **kwargs: Any) -> Any:
            if RacingFrame.left:
                RacingFrame.left -= 1
                raise SystemError("AST constructor recursion depth mismatch")
            return super().eval(*args, **kwargs)

    frame = RacingFrame({"a": [1, 2, 3]})
    for RacingFrame.left in range(4):
        assert evaluate_condition(frame, "a > 1").tolist() == [False, True, True]
    RacingFrame.left = 9
    with pytest.raises(InvalidRequestError, match="recursion depth"):
        evaluate_condition(frame, "a > 1")
