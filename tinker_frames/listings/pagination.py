"""Pagination: what one page holds, and which pages to request next; pure.

A list by offset is a range of rows to be covered. Pages may come back shorter than requested (a server that silently lowers the
limit), totals may change while pages are read, and some servers give no total at all. `Coverage` knows what is still missing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from ..errors import InvalidRequestError, SchemaError, TinkerError
from ..schema.coerce import parse_json, parse_object
from ..schema.columns import Table

MOST_AT_ONCE = 1024  # requests planned ahead: a total far beyond the truth must not become as many requests


@dataclass(frozen=True)
class Page:
    """One page of a listing: its rows as they were decoded, and its cursors."""

    items: list[Any]  # typed records, or objects
    rows: int
    total: int | None = None  # of a cursor, where there is one
    next_cursor: dict[str, Any] | None = None

    def keys(self, table: Table) -> set[str]:
        """Return the keys of its rows."""
        name = table.key
        return {str(row[name] if isinstance(row, dict) else getattr(row, name)) for row in self.items}


@dataclass(frozen=True)
class Request:
    """One page to ask for."""

    offset: int
    limit: int


@dataclass
class Coverage:
    """Which offsets of a list have been read, and which still have to be.

    Attributes
    ----------
    size
        The page size to ask for.
    want
        The most rows that are wanted; None for all.
    totals
        Every total that pages gave, without the zero that some servers give beyond the end.
    moved
        Whether a page held some rows of an earlier page besides new ones: rows came or went between the two.
    """

    size: int
    want: int | None = None
    totals: list[int] = field(default_factory=list)
    moved: bool = False
    _none: bool = False  # the first page said that there is nothing
    _read: list[tuple[int, int]] = field(default_factory=list)  # covered ranges, sorted, disjoint
    _end: int | None = None  # an empty page proved that nothing is here or beyond
    _fruitless: bool = False  # a page gave nothing new
    _wave: int = 1

    def first(self) -> Request:
        """Return the page to begin with."""
        return Request(0, self.size if self.want is None else min(self.size, self.want))

    def record(self, request: Request, rows: int, total: int | None, *, new: int | None = None) -> None:
        """Note what a page gave: its number of rows, its total if it said one, and how many rows were new."""
        if rows:
            before = self._length()
            self._read = _merge_ranges([*self._read, (request.offset, request.offset + rows)])
            if new is not None:
                self._compare(new, self._length() - before)
            if rows < request.limit and request.offset == 0 and (total is None or total > rows):
                self.size = min(self.size, rows)  # the server lowered the limit silently
        else:
            self._end = request.offset if self._end is None else min(self._end, request.offset)
        if total is not None and total > 0 and rows:
            self.totals.append(total)
        self._none = self._none or (total == 0 and not rows and request.offset == 0)

    def _compare(self, new: int, fresh: int) -> None:
        """Compare how many rows of a page were new with how many of its places were: the same ones again show nothing."""
        if new == 0 and fresh:
            self._fruitless = True
        elif new < fresh:
            self.moved = True

    @property
    def has_total(self) -> bool:
        """Whether the server says how many rows there are."""
        return bool(self.totals)

    @property
    def total(self) -> int | None:
        """How many rows there are, as the server said it last; None where it does not say."""
        return self.totals[-1] if self.totals else (0 if self._none else None)

    @property
    def is_quiet(self) -> bool:
        """Whether every page gave the same total: nothing came or went as far as one can see."""
        return len(set(self.totals)) <= 1 and not self.moved

    def missing(self) -> list[Request]:
        """Return the pages to ask for next; none if all is covered."""
        if self.has_total:
            return self._gaps(max(self.totals))
        if self._fruitless:
            return []
        gaps = self._gaps(self._read[-1][1] if self._read else 0)
        if gaps or (self._end is not None and self._end <= self._covered()):
            return gaps
        return self._beyond()

    def _gaps(self, end: int) -> list[Request]:
        """Return what is not covered before the end, cut into pages."""
        end = min(limit for limit in (end, self._end, self.want) if limit is not None)

        def cut() -> Iterator[Request]:
            at = 0
            for start, stop in [*self._read, (end, end)]:
                for offset in range(at, min(start, end), self.size):
                    yield Request(offset, self.size if self.want is None else min(self.size, start - offset))
                at = max(at, stop)

        return list(islice(cut(), MOST_AT_ONCE))

    def _beyond(self) -> list[Request]:
        """Return pages after the last row, twice as many each time: without a total, only an empty page proves the end."""
        start = self._covered()
        requests = [Request(start + place * self.size, self.size) for place in range(self._wave)]
        self._wave = min(self._wave * 2, 16)
        if self.want is None:
            return requests
        return [Request(r.offset, min(r.limit, self.want - r.offset)) for r in requests if r.offset < self.want]

    def _length(self) -> int:
        """Return how many places have been read."""
        return sum(stop - start for start, stop in self._read)

    def _covered(self) -> int:
        """Return up to where rows have been read without a gap."""
        return self._read[0][1] if self._read and self._read[0][0] == 0 else 0


def reduce_page_size(error: TinkerError, asked: int, default: int) -> int:
    """Return the page size to try after a server refused one: the cap that it names, else half, but not below its default.

    Raises
    ------
    InvalidRequestError
        The given one, if the size is not what was wrong.
    """
    if not isinstance(error, InvalidRequestError) or error.status not in (400, 422) or asked <= 1:
        raise error
    if error.cap is not None and 0 < error.cap < asked:
        return error.cap
    if asked <= default:
        raise error
    return max(asked // 2, default)


def _merge_ranges(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, stop in sorted(ranges):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(stop, merged[-1][1]))
        else:
            merged.append((start, stop))
    return merged


def parse_page(content: bytes, table: Table) -> dict[str, Any]:
    """Parse a page leniently; raises where it holds no list of rows."""
    body = parse_object(content)
    if body is None or not isinstance(body.get(table.items), list):
        raise SchemaError(f"{table.name}: the answer has no list named {table.items!r}")
    return body


def expand_bare_page(content: bytes, table: Table) -> bytes:
    """Return a page of bare ids as a page of rows that have nothing but their key."""
    body = parse_page(content, table)
    body[table.items] = [{table.key: row} if isinstance(row, str) else row for row in body[table.items]]
    return json.dumps(body).encode()


def read_cursors(cursor: Any, next_cursor: Any) -> tuple[int | None, dict[str, Any] | None]:
    """Return the total of an offset cursor and a keyset cursor, from parsed or raw JSON; None for what is not there."""
    offset, keyset = (parse_json(c) if isinstance(c, bytes) and c else c or None for c in (cursor, next_cursor))
    total = offset.get("total_count") if isinstance(offset, dict) else None
    return (
        total if isinstance(total, int) and not isinstance(total, bool) else None,
        keyset if isinstance(keyset, dict) and keyset else None,
    )
