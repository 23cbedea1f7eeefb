"""Pagination: what one page holds, and which pages to request next; pure.

A list by offset is a range of rows to be covered. Pages may come back shorter than requested (a server that silently lowers the
limit), totals may change while pages are read or be wrong, and some servers give no total at all. `Coverage` knows what is still
missing, and what the end of the list is known from.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from operator import attrgetter
from typing import Any

from ..errors import InvalidRequestError, SchemaError, TinkerError
from ..schema.coerce import parse_json, parse_object
from ..schema.columns import Table

MOST_AT_ONCE = 1024  # requests planned ahead: a total far beyond the truth must not become as many requests
PAGE_SIZES = 5  # the sizes of pages are multiples of it
LEAST_POWER = 32  # or powers of two from here on
FEW_ROWS = 20  # of a list that came in one page, beside a total of as many: asking once more costs little, and shows a page that was cut
MOST_ROWS = 2_000_000  # of one list without a limit: more than any account has
MOST_WRONG = 8  # further empty pages at the end of a list without a total, if as many were empty where there are rows
MOST_FRUITLESS = 3  # pages in a row without a new row, or empty answers at one place, after which a reading is given up


# Fields by which answers say that they are not whole.
MORE_FIELDS = ("next_cursor", "next_page", "next_page_token", "next", "has_more", "truncated")


def says_more(body: Mapping[str, Any], rows: int) -> bool:
    """Tell whether an answer of some rows, from an endpoint that is known to have no pages, says that more follow."""
    cursor = body.get("cursor")
    totals = [cursor.get("total_count") if isinstance(cursor, dict) else None, body.get("total_count")]
    beyond = any(isinstance(total, int) and total > rows for total in totals)
    return beyond or (isinstance(cursor, str) and cursor != "") or any(body.get(name) for name in MORE_FIELDS)


@dataclass(frozen=True)
class Page:
    """One page of a listing: its rows as they were decoded, and its cursors."""

    items: list[Any]  # typed records, or objects
    rows: int
    total: int | None = None  # of a cursor, where there is one
    next_cursor: Any = None  # of any type; it is sent back unchanged
    limit: int | None = None  # of the cursor
    has_cursor: bool = False  # an offset cursor, of whatever form

    def list_keys(self, table: Table) -> list[str]:
        """Return the keys of its rows, in their order."""
        if self.items and isinstance(self.items[0], dict):
            return [str(row[table.key]) for row in self.items]
        return list(map(attrgetter(table.key), self.items))


@dataclass(frozen=True)
class Bounds:
    """Where the reading of a list ends that has new rows forever, or whose total grows with each page.

    Attributes
    ----------
    seconds
        How long it may take; None for no limit.
    ends_at
        When that is over, in monotonic seconds.
    """

    seconds: float | None
    ends_at: float

    @classmethod
    def begin(cls, seconds: float | None, now: float) -> Bounds:
        """Return the bounds of a reading that begins now."""
        return cls(seconds, math.inf if seconds is None else now + seconds)

    def explain(self, rows: int, now: float) -> str:
        """Return why the reading ends here; empty if it may go on."""
        if now > self.ends_at:
            return f"the list did not end within {self.seconds:g} s (deadline=)"
        return f"the list did not end within {MOST_ROWS:,} rows" if rows > MOST_ROWS else ""


@dataclass(frozen=True)
class Request:
    """One page to ask for."""

    offset: int
    limit: int


@dataclass
class Coverage:
    """Which offsets of a list have been read, and which still have to be.

    A total is a claim, which may count a single page: the end is known where the rows agree with it, and a page that cannot be
    a full one or a request past the end does too. Without a total, the end is known where pages are empty there and beyond, and a
    page that begins with the last row brings nothing else: to a server that takes offsets for page numbers, that place is empty.

    Attributes
    ----------
    size
        The page size to ask for.
    want
        The most rows that are wanted; None for all.
    trusts_total
        Whether totals are used. They are not once they were found to be lower than the number of rows.
    totals
        Every total that pages gave, without the zero that some servers give beyond the end.
    moved
        Whether a page held some rows of an earlier page besides new ones.
    repeats
        Pages in a row that held rows, but none that was new.
    ended
        Why the reading was ended before the list was; empty if it was not.
    """

    size: int
    want: int | None = None
    trusts_total: bool = True
    totals: list[int] = field(default_factory=list)
    moved: bool = False
    repeats: int = 0
    ended: str = ""
    _none: bool = False  # the first page reported no rows
    _read: list[tuple[int, int]] = field(default_factory=list)  # covered ranges, sorted, disjoint
    _empty: Counter[int] = field(default_factory=Counter)  # offset → empty pages there
    _tails: Counter[int] = field(default_factory=Counter)  # end → pages of the last row before it, and none after it
    _longest: int = 0  # rows of the longest page
    _wrong: int = 0  # empty pages at places where there are rows
    _short_ends: set[int] = field(default_factory=set)  # ends of pages that were shorter than the server can give
    _likely_ends: set[int] = field(default_factory=set)  # of pages that may have been cut
    _wave: int = 1

    def first(self) -> Request:
        """Return the page to begin with."""
        return Request(0, self.size if self.want is None else min(self.size, self.want))

    def record(
        self, request: Request, rows: int, total: int | None, *, new: int | None = None, limit: int | None = None
    ) -> None:
        """Record a page: its number of rows, its total and limit if it has them, and the number of new rows if known."""
        if total is not None and total > 0:
            self.totals.append(total)
        self._none = self._none or (total == 0 and not rows and request.offset == 0)
        if not rows:
            self._empty[request.offset] += 1
        elif new == 0 and request.offset in self._likely_ends and request.offset == self._claim:
            self._short_ends.add(request.offset)  # a server that gives its lists at once, whatever the offset
        elif new == 0 and request.offset == self.top - 1 and self._empty[self.top]:
            self._tails[self.top] += 1
            self._wrong += self._empty.pop(request.offset, 0)
        elif new == 0:
            self.repeats += 1
        else:
            self._cover(request, rows, new, limit)
            if rows < request.limit and request.offset == 0 and (self._claim is None or self._claim > rows):
                self.size = min(self.size, rows)  # the server lowered the limit silently

    def _cover(self, request: Request, rows: int, new: int | None, limit: int | None) -> None:
        """Note the places of a page with new rows."""
        before, end = self._length(), request.offset + rows
        self._read = _merge_ranges([*self._read, (request.offset, end)])
        self.repeats = 0
        self._wrong += self._empty.pop(request.offset, 0)
        self.moved = self.moved or (new is not None and new < self._length() - before)
        if rows < request.limit and (request.limit <= self._longest or not may_be_full_page(rows, limit)):
            is_open = request.offset == 0 and (rows <= FEW_ROWS or limit is None)
            (self._likely_ends if is_open else self._short_ends).add(end)
        self._longest = max(self._longest, rows)

    @property
    def total(self) -> int | None:
        """The server's latest count of rows; None if it gives none, or one that is too low."""
        return (self.totals[-1] if self.totals else (0 if self._none else None)) if self.trusts_total else None

    @property
    def is_quiet(self) -> bool:
        """Whether every page gave the same total: nothing came or went as far as one can see."""
        return (len(set(self.totals)) <= 1 or not self.trusts_total) and not self.moved

    @property
    def is_contradicted(self) -> bool:
        """Whether there are more rows than any total says."""
        return self._claim is not None and self.top > self._claim

    @property
    def is_given_up(self) -> bool:
        """Whether reading on is useless: pages bring nothing new, or expected rows are missing; or it was ended."""
        end = max(self.top, self._claim or 0)
        unanswered = max((times for at, times in self._empty.items() if at < end), default=0)
        return bool(self.ended) or max(self.repeats, unanswered) >= MOST_FRUITLESS

    @property
    def has_more_than_a_page(self) -> bool:
        """Whether rows were found beyond the first page, which shows that its length is the server's limit."""
        return self.top > self.size

    def skips(self, request: Request) -> bool:
        """Tell whether a planned page can be skipped: an earlier one was empty, or reading was abandoned."""
        return self.is_given_up or (self._claim is not None and any(at < request.offset for at in self._empty))

    def missing(self) -> list[Request]:
        """Return the pages to ask for next; none if all is covered, or the reading is of no use."""
        if self.is_given_up or self.is_contradicted:
            return []
        end = max(self.top, self._claim or 0)
        gaps = self._gaps(end)
        if not gaps:
            return self._beyond(self._covered())
        if self._claim is None:
            return gaps
        if any(at < end for at in self._empty):
            return gaps[:1]  # the total may be too high
        is_full = self.want is None and gaps[-1].offset + self.size == end  # then no short page will show the end
        return [*gaps, Request(end, self.size)] if is_full else gaps

    def _gaps(self, end: int) -> list[Request]:
        """Return what is not covered before the end, cut into pages."""
        end = end if self.want is None else min(end, self.want)

        def cut() -> Iterator[Request]:
            at = 0
            for start, stop in [*self._read, (end, end)]:
                for offset in range(at, min(start, end), self.size):
                    yield Request(offset, self.size if self.want is None else min(self.size, start - offset))
                at = max(at, stop)

        return list(islice(cut(), MOST_AT_ONCE))

    def _beyond(self, at: int) -> list[Request]:
        """Return pages from the last row on; none if the end is known."""
        if self._is_end(at):
            return []
        last = max(at - 1, 0)
        start = last if self._empty[at] else at
        if at == self.want == self._claim:
            return [Request(start, at + 1 - start)]  # a limit that leaves nothing out, if the total is true
        if self._claim is not None or self._none:
            offsets = [start]
        elif self._empty[at] or self.repeats:
            offsets = [last, at + self.size]
        else:
            offsets = [at + place * self.size for place in range(self._wave)]
            self._wave = min(self._wave * 2, 16)
        if self.want is None:
            return [Request(offset, self.size) for offset in offsets]
        return [Request(offset, min(self.size, self.want - offset)) for offset in offsets if offset < self.want]

    def _is_end(self, at: int) -> bool:
        """Tell whether the list is known to end at an offset."""
        if self._claim is not None:
            is_empty = any(offset >= at for offset in self._empty)
            # the total may count the only page
            is_one_page = FEW_ROWS <= self._claim <= self._longest and at not in self._likely_ends
            is_shown = is_empty and (not is_one_page or self._tails[at] > 0)
            return at in self._short_ends or self.repeats > 0 or is_shown
        asked_beyond = self._none or any(offset > at for offset in self._empty)
        shown = self._empty[at] + self._tails[at] if self._tails[at] or not at else 0
        return shown >= (2 if asked_beyond else MOST_FRUITLESS) + min(self._wrong, MOST_WRONG)

    @property
    def _claim(self) -> int | None:
        """The highest total, where totals are used."""
        return max(self.totals) if self.totals and self.trusts_total else None

    def _length(self) -> int:
        """Return how many places have been read."""
        return sum(stop - start for start, stop in self._read)

    @property
    def top(self) -> int:
        """The place after the last row that was read."""
        return self._read[-1][1] if self._read else 0

    def _covered(self) -> int:
        """Return up to where rows have been read without a gap."""
        return self._read[0][1] if self._read and self._read[0][0] == 0 else 0


def may_be_full_page(rows: int, limit: int | None) -> bool:
    """Tell whether a page may have been cut by the server's own limit: the one in its cursor, a round number, or a power of two."""
    is_round = rows % PAGE_SIZES == 0 or (rows >= LEAST_POWER and rows.bit_count() == 1)
    return is_round or (limit is not None and limit <= rows)


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
    """Parse a page leniently; raises if it has no list of rows."""
    body = parse_object(content)
    if body is None or not isinstance(body.get(table.items), list):
        raise SchemaError(f"{table.name}: the response has no list named {table.items!r}")
    return body


def expand_bare_page(content: bytes, table: Table) -> bytes:
    """Return a page of bare ids as a page of rows with only their key."""
    body = parse_page(content, table)
    body[table.items] = [{table.key: row} if isinstance(row, str) else row for row in body[table.items]]
    return json.dumps(body).encode()


def read_cursors(cursor: Any, next_cursor: Any) -> tuple[int | None, Any, int | None, bool]:
    """Return the total of an offset cursor, a cursor of the next page, the offset cursor's limit, and whether there is one; None for what is not there.

    A cursor of the next page that is empty, such as `{}` or `0`, is returned as it is: it is none, and not the end either.
    """
    offset, following = (parse_json(c) if isinstance(c, bytes) and c else c for c in (cursor or None, next_cursor))
    total, limit = (_get_count(offset, name) for name in ("total_count", "limit"))
    return total, None if following == b"" else following, limit, offset is not None


def _get_count(cursor: Any, name: str) -> int | None:
    found = cursor.get(name) if isinstance(cursor, dict) else None
    return found if isinstance(found, int) and not isinstance(found, bool) else None
