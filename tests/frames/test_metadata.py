"""Metadata as columns of a frame."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinker_frames.frames.metadata import MOST_KEYS, MetadataWarning, expand_metadata, read_numbers
from tinker_frames.schema.columns import text_dtype


@settings(max_examples=21)
@given(
    st.lists(
        st.none()
        | st.text(max_size=5)
        | st.dictionaries(
            st.text(max_size=4),
            st.none() | st.text(max_size=4) | st.integers() | st.lists(st.integers(), max_size=2),
            max_size=3,
        ),
        max_size=5,
    )
)
def test_metadata_becomes_columns_whatever_it_holds(entries: list[Any]) -> None:
    """Every key of every row is a column; text stays text, other values become JSON, missing ones NA; non-objects add nothing."""
    column = [json.dumps(entry, ensure_ascii=False) if isinstance(entry, dict) else entry for entry in entries]
    frame = pd.DataFrame({"user_metadata": pd.array(column, dtype=text_dtype())})
    expanded = expand_metadata(frame, numeric=False)
    keys = sorted({key for entry in entries if isinstance(entry, dict) for key in entry})
    assert list(expanded.columns) == ["user_metadata", *(f"meta.{key}" for key in keys)]
    for number, entry in enumerate(entries):
        for key in keys:
            value = entry.get(key) if isinstance(entry, dict) else None
            shown = expanded[f"meta.{key}"][number]
            if value is None:
                assert pd.isna(shown)
            else:
                assert shown == value if isinstance(value, str) else json.loads(shown) == value


@pytest.mark.slow
def test_of_too_many_keys_the_most_frequent_are_kept() -> None:
    """With fifty thousand keys the most frequent are kept with a warning, unless all are requested."""
    rows = [json.dumps({"step": str(row), f"only.{row}": "1", "loss": "0.5"}) for row in range(5000)]
    rows[0] = json.dumps(dict.fromkeys((f"key{number}" for number in range(45_000)), "x"))
    frame = pd.DataFrame({"user_metadata": pd.array(rows, dtype=text_dtype())})
    with pytest.warns(MetadataWarning, match=r"49,999|50,001") as warned:
        expanded = expand_metadata(frame)
    assert warned[0].filename == __file__
    assert expanded.shape == (5000, 1 + MOST_KEYS)
    assert {"meta.step", "meta.loss"} < set(expanded.columns)
    few = frame.iloc[1:5]
    assert expand_metadata(few, max_keys=None).shape == (4, 1 + 6)
    with pytest.warns(MetadataWarning, match="max_keys=None"):
        assert list(expand_metadata(few, max_keys=1)) == ["user_metadata", "meta.loss"]


def expand(*values: object, column: str = "user_metadata") -> pd.DataFrame:
    """Return the frame of one key, `x`, with these values."""
    entries = [json.dumps({} if value is None else {"x": value}) for value in values]
    return expand_metadata(pd.DataFrame({column: pd.array(entries, dtype=text_dtype())}))


@pytest.mark.parametrize(
    ("values", "dtype", "numbers"),
    [
        (["9600", "13600", None], "Int64", [9600, 13600, None]),
        ([9600, " 13600 ", "-5", ""], "Int64", [9600, 13600, -5, None]),
        (["1e-4", "2", ".5", 3], "float64", [1e-4, 2, 0.5, 3]),
        ([str(2**63 - 1), "0"], "Int64", [2**63 - 1, 0]),
    ],
)
def test_numbers_are_numbers(values: list[object], dtype: str, numbers: list[float | None]) -> None:
    """Whole numbers are Int64, others float64; missing and blank values are NA."""
    found = expand(*values)["meta.x"]
    assert found.dtype == dtype
    assert [None if pd.isna(value) else value for value in found] == numbers


@pytest.mark.parametrize(
    "values",
    [
        ["evals", "infra"],
        ["1", "a", "b"],
        ["007", "8", "9"],
        [str(2**63), "1"],
        [2**53 + 1, "0.5"],
        ["1_000", "0x10", "\u0661"],
        ["true", True],
        ["nan", "inf"],
        ["", " "],
        ["1.5.2", "1,5"],
    ],
)
def test_other_columns_stay_text(values: list[object]) -> None:
    """Words, identifiers with leading zeros, integers that a dtype would round, and mostly other texts stay text."""
    assert expand(*values)["meta.x"].dtype == text_dtype()


def test_a_few_values_that_are_no_numbers_become_na_and_are_listed() -> None:
    """Words among numbers are NA, and named in a warning and in `problems`; sorting is by number; expanding again lists them once."""
    with pytest.warns(MetadataWarning, match=r"meta\.x .*'diverged', 'nan'.*numeric=False") as warned:
        found = expand("9600", "13600", "diverged", "200", "nan", "1e999", *map(str, range(6)))
    assert warned[0].filename == __file__
    assert found["meta.x"].dtype == "Int64"
    assert found.sort_values("meta.x", ascending=False)["meta.x"].tolist()[:3] == [13600, 9600, 200]
    assert found["meta.x"].isna().sum() == 3
    problems = [{"column": "meta.x", "problem": "not a number", "rows": 3, "examples": ["diverged", "nan", "1e999"]}]
    assert found.attrs["tinker"]["problems"] == problems
    with pytest.warns(MetadataWarning):
        assert expand_metadata(found).attrs["tinker"]["problems"] == problems
    assert expand_metadata(found, numeric=False).attrs["tinker"]["problems"] == []


def test_metadata_of_runs_and_sessions_has_columns_of_its_own() -> None:
    """An inventory's three metadata columns become `meta.`, `meta.run.` and `meta.session.` columns; the checkpoint's come first."""
    frame = pd.DataFrame(
        {
            "user_metadata": ['{"lr":"1","run.team":"own"}'],
            "run_user_metadata": ['{"lr":"0.5","team":"theirs"}'],
            "session_user_metadata": ['{"team":"evals"}'],
        }
    )
    found = expand_metadata(frame).filter(like="meta.").iloc[0].to_dict()
    assert found == {"meta.lr": 1, "meta.run.team": "own", "meta.run.lr": 0.5, "meta.session.team": "evals"}
    assert "meta.x" not in expand("1", column="run_user_metadata")
    assert list(expand_metadata(frame, "session_user_metadata").filter(like="meta.")) == ["meta.session.team"]


@settings(max_examples=60)
@given(
    st.lists(
        st.none() | st.integers() | st.floats() | st.sampled_from(["a", "nan", "", "007", "1e5", "-3"]), max_size=9
    )
)
@pytest.mark.filterwarnings("ignore::tinker_frames.frames.metadata.MetadataWarning")
def test_no_number_is_altered_whatever_is_beside_it(values: list[object]) -> None:
    """Every value of a numeric column is the number of its text, exactly, or was no number; `problems` counts all that became NA."""
    texts = [None if value is None else str(value) for value in values]
    found = read_numbers(texts)
    if found.values is texts:
        assert not found.odd
        return
    lost = 0
    for text, number in zip(texts, found.values, strict=True):
        if pd.isna(number):
            lost += text is not None and text != ""
        else:
            assert number == (int(text) if text.lstrip("-").isdigit() else float(text))
    assert lost == found.odd.total() <= len(texts) / 3
