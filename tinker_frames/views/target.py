"""The rows that an action of a view applies to: those that are selected, with the filters that they were selected by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from ..errors import InvalidRequestError
from .forms import find_test_loss
from .table import TableState


@dataclass(frozen=True)
class Target:
    """The selected rows of a table, as they were when an action began.

    Attributes
    ----------
    table
        The table that they were selected in.
    rows
        The rows, in the order of the view.
    text
        Their number and kind, as in `3 checkpoints selected`.
    values
        The filters that were set.
    filters
        The same in words; empty if there were none.
    hidden
        The number of selected rows that the filters hide.
    checkpoints
        Returns the checkpoints of the rows.
    """

    table: TableState
    rows: pd.DataFrame
    text: str
    values: dict[str, Any]
    filters: str
    hidden: int
    checkpoints: Callable[[], pd.DataFrame]

    @property
    def name(self) -> str:
        """The name of the table: `checkpoints`, `training_runs` or `sessions`."""
        return self.table.sort.name

    @property
    def metric(self) -> str:
        """The column with the loss of a test; empty without one."""
        return find_test_loss(self.rows)

    def find_change(self, now: Target) -> str:
        """Return in words what is not the same any more as in `now`; empty if nothing has changed."""
        if self.table is not now.table:
            return "another table is shown"
        if self.values != now.values:
            return "the filters have changed"
        key = self.table.sort.key
        is_same = len(self.rows) == len(now.rows) and set(self.rows[key].dropna()) == set(now.rows[key].dropna())
        return "" if is_same else "the selection has changed"

    def find_change_now(self, find_now: Callable[[], Target]) -> str:
        """Return the same of the rows that `find_now` returns, or why there are none."""
        try:
            return self.find_change(find_now())
        except InvalidRequestError as error:
            return error.what


def make_target(table: TableState, read: Callable[[pd.DataFrame, str], pd.DataFrame]) -> Target:
    """Return the rows that are selected now; later changes do not affect it.

    `read` returns the checkpoints of rows of a kind of table.
    """
    rows = table.rows.get_selected().copy(deep=False)
    rows.attrs["tinker"] = table.about
    text = f"{len(rows):,} {table.sort.one}{'s' if len(rows) > 1 else ''} selected"
    hidden = int((table.rows.selection & ~table.rows.mask).sum())
    values, filters = dict(table.values), table.describe_filters()
    return Target(table, rows, text, values, filters, hidden, lambda: read(rows, table.sort.name))
