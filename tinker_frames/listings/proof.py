"""Proof that a listing is complete: what one sweep shows, what several show together, and why it may not be; pure."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ..schema.columns import Table
from .decode import Decoder
from .pagination import Coverage, Page

MOST_SWEEPS = 4
MOVED = "changed while it was read"


class Novelty:
    """Tells how many rows of a page are new.

    Where totals are used, a page is looked at closely only if it holds the first row of an earlier one: that costs next to
    nothing, and finds a server that gives the same rows at every offset.
    """

    def __init__(self, decoder: Decoder, *, samples: bool) -> None:
        self._decoder, self._samples = decoder, samples
        self._keys: set[str] = set()

    def count_new(self, page: Page) -> int | None:
        """Return the number of new rows; None if it was not determined."""
        keys = page.list_keys(self._decoder.table)
        # Without totals, only the rows tell where the list ends.
        self._samples = self._samples and (page.total or 0) > 0
        if not self._samples:
            before = len(self._keys)
            self._keys.update(keys)
            return len(self._keys) - before
        is_known = not self._keys.isdisjoint(keys)
        self._keys.update(keys[:1])
        return self._decoder.count_new(len(keys)) if is_known else None


class Sweeps:
    """The sweeps of one list, none of which proved it complete, and what they show together."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._data: list[pa.Table] = []
        self._coverages: list[Coverage] = []
        self.is_contradicted = False

    def add(self, data: pa.Table, coverage: Coverage) -> None:
        """Add a sweep."""
        self._data.append(data)
        self._coverages.append(coverage)
        self.is_contradicted = self.is_contradicted or coverage.is_contradicted

    @property
    def is_settled(self) -> bool:
        """Whether another sweep would show nothing else: there were enough of them, two gave the same, or one was ended."""
        if self._coverages and self._coverages[-1].ended:
            return True
        if len(self._data) < 2:
            return False
        same = not self._has_changed(-2) and self._coverages[-1].trusts_total == self._coverages[-2].trusts_total
        return len(self._data) >= MOST_SWEEPS or same

    def union(self) -> pa.Table:
        """Return the rows of all sweeps."""
        return union_sweeps(self._data, self._table.key)

    def report_total(self) -> list[dict[str, Any]]:
        """Return the problem of a total that is lower than the number of rows; it does not make the listing doubtful."""
        if not self.is_contradicted:
            return []
        total = max(self._coverages[0].totals)
        problem = f"the server counts {total} rows and has more; its total was left aside"
        return [{"column": "total_count", "problem": problem, "rows": 0, "examples": []}]

    def explain(self) -> str:
        """Return why rows may be missing; only differences between two readings are reported as changes."""
        rows, last = self.union().num_rows, self._coverages[-1]
        count = "does not count them" if last.total is None else f"counts {last.total}"
        if last.ended:
            return f"{last.ended}; {rows} rows were read"
        found = f"{rows} different rows in {len(self._data)} sweeps, the server {count}"
        if last.repeats:
            return f"the server gives the same rows at every offset: {found}"
        if last.is_given_up and last.total in (None, rows):
            return f"the server's pages are empty at offsets where there are rows: {found}"
        varied = any(not coverage.is_quiet and len(set(coverage.totals)) > 1 for coverage in self._coverages)
        other = any(self._has_changed(place) for place in range(len(self._data) - 1))
        if (varied and not self.is_contradicted) or (other and (last.total is None or rows > last.total)):
            return f"the account {MOVED}: {found}"
        return f"the server's {'pages overlap' if last.total is None else 'total and its rows disagree'}: {found}"

    def _has_changed(self, place: int) -> bool:
        """Tell whether a sweep and the next one found different rows or totals."""
        key, one, other = self._table.key, self._data[place], self._data[place + 1]
        if (
            set(self._coverages[place].totals) != set(self._coverages[place + 1].totals)
            or one.num_rows != other.num_rows
        ):
            return True
        return not pc.all(pc.is_in(one[key], value_set=other[key].combine_chunks())).as_py()


def is_proved(coverage: Coverage, rows: int, limit: int | None) -> bool:
    """Tell whether a sweep proves itself complete: nothing moved, its end was seen, and it has as many rows as the server counts."""
    if coverage.repeats or coverage.is_given_up or coverage.is_contradicted or not coverage.is_quiet:
        return False
    expected = rows if coverage.total is None else coverage.total
    return rows == (expected if limit is None else min(limit, expected))


def union_sweeps(sweeps: list[pa.Table], key: str) -> pa.Table:
    """Return the rows of several sweeps, each key once, as the last sweep that had it says."""
    kept, seen = [], pa.array([], pa.large_string())
    for data in reversed(sweeps):
        fresh = data.filter(pc.invert(pc.is_in(data[key], value_set=seen)))
        kept.append(fresh)
        seen = pa.concat_arrays([seen, *fresh[key].chunks])
    return pa.concat_tables(kept).unify_dictionaries().combine_chunks()
