"""Rows as text for the clipboard: a table that spreadsheets take, or keys, one per line; pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pandas.api.types import is_datetime64_any_dtype

from ..frames.delimited import is_formula
from .requests import CopyReply

if TYPE_CHECKING:
    import pandas as pd


def copy_rows(rows: pd.DataFrame, columns: list[str], key: str, what: str) -> CopyReply:
    """Return rows as text: `rows` are their columns with tabs between, `keys` the values of their key."""
    text = "\n".join(map(str, rows[key].dropna())) if what == "keys" else format_table(rows[columns])
    return {"copied": text, "rows": len(rows)}


def format_table(rows: pd.DataFrame) -> str:
    """Return a table with tabs between cells and the names of the columns first.

    Values are whole: times in ISO form, NA as nothing. Tabs and line ends within text become blanks, and text that a spreadsheet
    would run as a formula gets an apostrophe.
    """
    cells = [_format_column(rows[name]) for name in rows.columns]
    head = [_format_text(str(name)) for name in rows.columns]
    lines = [head, *(list(line) for line in zip(*cells, strict=True))]
    return "\n".join("\t".join(line) for line in lines)


def _format_column(values: pd.Series[Any]) -> list[str]:
    if is_datetime64_any_dtype(values.dtype):
        values = values.map(lambda time: time.isoformat(), na_action="ignore")
    present = zip(values, values.isna(), strict=True)
    return ["" if missing else _format_value(value) for value, missing in present]


def _format_value(value: Any) -> str:
    return _format_text(value) if isinstance(value, str) else re.sub(r"[\t\r\n]+", " ", str(value))


def _format_text(text: str) -> str:
    flat = re.sub(r"[\t\r\n]+", " ", text)
    return f"'{flat}" if is_formula(flat) else flat
