"""Metadata as columns of a frame."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinker_frames.frames.metadata import MOST_KEYS, MetadataWarning, expand_metadata
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
    expanded = expand_metadata(frame)
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
