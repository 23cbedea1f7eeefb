"""Rows as text for the clipboard."""

from __future__ import annotations

from datetime import UTC, datetime

import pandas as pd

from tinker_frames.views.clipboard import copy_rows

ROWS = pd.DataFrame(
    {
        "tinker_path": ["a", "b", None],
        "name": ["=1+1", "two\tlines\nhere", None],
        "time": pd.to_datetime([datetime(2026, 1, 2, 3, tzinfo=UTC), None, None], utc=True),
        "size": [1.5, -2, None],
        "tags": [["x\ty"], None, None],
    }
)


def test_a_table_is_exact_and_safe_to_paste() -> None:
    """Values are whole, NA is nothing, no cell breaks the table, and no text is a formula in a spreadsheet."""
    copied = copy_rows(ROWS, ["name", "time", "size", "tags"], "tinker_path", "rows")
    assert copied["rows"] == 3
    lines = [line.split("\t") for line in copied["copied"].split("\n")]
    assert lines == [
        ["name", "time", "size", "tags"],
        ["'=1+1", "2026-01-02T03:00:00+00:00", "1.5", "['x\\ty']"],
        ["two lines here", "", "-2.0", ""],
        ["", "", "", ""],
    ]


def test_keys_are_one_a_line() -> None:
    """Keys are copied as they are, without those that are NA."""
    assert copy_rows(ROWS, [], "tinker_path", "keys") == {"copied": "a\nb", "rows": 3}
