"""The list of one run's checkpoints: most servers return it in one response, some in pages, and few say which."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import InvalidRequestError
from ..schema.coerce import parse_object
from ..schema.columns import Table
from .decode import Decoder
from .pagination import FEW_ROWS, MORE_FIELDS, MOST_FRUITLESS, Bounds, may_be_full_page, says_more
from .proof import MOST_SWEEPS, MOVED

# A list that has one of these may be paged, or say that it is not whole.
_FIELDS = "|".join(("cursor", "total_count", *MORE_FIELDS)).encode()
_CURSOR = re.compile(rb'"(?:' + _FIELDS + rb')"\s*:\s*(?!\s|null|false)')

Get = Callable[[Mapping[str, Any]], bytes]
Explain = Callable[[set[str]], str | None]


@dataclass(frozen=True)
class Pages:
    """The pages of a short list, why some may be missing, and how many rows came at once, if that is known."""

    contents: list[bytes]
    doubt: str | None = None
    longest: int = 0


def read_run_list(
    get: Get,
    table: Table,
    bounds: Bounds,
    *,
    longest: int = 0,
    explain_repeat: Explain = lambda _: None,
) -> Pages:
    """Return the pages of the list of one run; it is read again while pages and totals do not agree.

    A list without a total, or with one that counts a single page, may be the first page of a longer one: where it is as long as
    a page could be, or has a cursor and `FEW_ROWS` or fewer or a cursor without a limit, the rows beyond are asked for, unless it
    is shorter than the `longest` list that this server gave at once. They are also where it says that more follow. After a page
    that brings nothing, the next one begins with the last row, which must come again.
    An empty list is read twice.

    Servers that give the list at once give it again at any offset, and so does a gateway that drops the query:
    `explain_repeat` returns why rows may be missing then, given the keys; None if none are.
    """
    readings: list[_Reading] = []
    for _ in range(MOST_SWEEPS):
        content = get({})
        rows = content.count(f'"{table.key}"'.encode())  # or more
        if rows and not _CURSOR.search(content) and (rows < longest or not _may_be_cut(rows, None)):
            return Pages([content])
        reading = _read_once(content, get, _Reading(table, longest), bounds)
        why = explain_repeat(reading.keys) if reading.repeats else None
        if reading.is_proved and why is None:
            return Pages(reading.contents, longest=reading.rows if len(reading.contents) == 1 else 0)
        readings.append(reading)
        why = reading.ended or why
        if reading.ended or (len(readings) > 1 and not _has_changed(readings[-2:])):
            break
    contents = [content for reading in readings for content in reading.contents]
    why = why or (f"lists {MOVED}" if _has_changed(readings) else readings[-1].explain())
    return Pages(contents, why)


@dataclass
class _Reading:
    """One reading of a list, page by page."""

    table: Table
    longest: int = 0  # rows of the longest list that came at once
    contents: list[bytes] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)
    totals: list[int] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)  # of the pages that have a total
    rows: int = 0  # of the pages that brought something new
    overlaps: bool = False
    limit: int | None = None  # of the first page, as its cursor says
    has_cursor: bool = False
    fruitless: int = 0  # pages in a row without a new row
    repeats: bool = False  # whether a page held rows, and none that was new
    says_more: bool = False  # whether the latest page does
    is_misread: bool = False  # whether the page that begins with the last row was empty
    ended: str | None = None  # why it was ended before the list was

    def add(self, content: bytes, known: int = 0) -> None:
        """Note a page, which should begin with so many rows that are known."""
        page = Decoder(self.table).feed(content)
        keys = set(page.list_keys(self.table))
        new = keys - self.keys
        self.totals += [page.total] if page.total else []
        self.lengths += [page.rows] if page.total else []
        self.limit = self.limit if self.contents else page.limit
        self.has_cursor = self.has_cursor or page.has_cursor
        self.fruitless = 0 if new else self.fruitless + 1
        self.repeats = self.repeats or (page.rows > known and not new)
        self.is_misread = known > page.rows
        if new or not self.contents:
            self.contents.append(content)
            self.overlaps = self.overlaps or len(new) < page.rows - known
            self.rows += page.rows - known
            self.keys |= new
        self.says_more = says_more(parse_object(content) or {}, len(self.keys))

    @property
    def claim(self) -> int:
        """The highest total; 0 if there is none."""
        return max(self.totals, default=0)

    def goes_on(self) -> bool:
        """Tell whether to ask for what follows: rows are missing, or may be."""
        if self.claim > len(self.keys):
            return self.fruitless < MOST_FRUITLESS
        if len(self.contents) > 1 or not self.keys:
            is_open = self.claim != len(self.keys) or not self.keys
            return is_open and self.fruitless < MOST_FRUITLESS - 1
        is_wrong = 0 < self.claim < len(self.keys)
        is_few = self.rows <= FEW_ROWS or self.limit is None
        may_be_page = self.has_cursor and self.longest <= self.rows and is_few
        is_cut = _may_be_cut(self.rows, self.limit)
        most = 2 if is_cut else 1  # one empty page proves little after one that may be full
        return self.fruitless < most and (is_wrong or may_be_page or is_cut or self.says_more)

    @property
    def is_proved(self) -> bool:
        """Whether no row is missing as far as the pages tell."""
        is_quiet = len(set(self.totals)) <= 1 or self.totals == self.lengths  # which count a page each
        is_whole = not self.overlaps and not self.is_misread and not self.says_more
        return not self.ended and is_whole and self.claim <= len(self.keys) and is_quiet

    def explain(self) -> str:
        """Return why rows may be missing, of a list that did not change."""
        if self.is_misread:
            return "lists are empty at offsets where they have rows"
        return (
            "lists say that more rows follow"
            if self.says_more and not self.claim
            else "lists do not hold what they count"
        )


def _read_once(content: bytes, get: Get, reading: _Reading, bounds: Bounds) -> _Reading:
    """Read a list from its first page on, to its end or that of its bounds."""
    reading.add(content)
    first = reading.rows
    while reading.goes_on():
        if bounds.explain(len(reading.keys), time.monotonic()):
            reading.ended = "lists did not end within deadline=, or have over two million rows"
            break
        try:
            known = min(reading.fruitless, reading.rows, 1)
            reading.add(get({"limit": first, "offset": reading.rows - known} if reading.rows else {}), known)
        except InvalidRequestError:  # it is not paged; or it is, and has a last offset
            reading.ended = "lists are refused from some offset on" if len(reading.contents) > 1 else None
            break
    return reading


def _may_be_cut(rows: int, limit: int | None) -> bool:
    return rows >= min(FEW_ROWS, limit or FEW_ROWS) and may_be_full_page(rows, limit)


def _has_changed(readings: list[_Reading]) -> bool:
    """Tell whether rows or totals differ between readings, or totals within one."""
    return len({(frozenset(reading.keys), frozenset(reading.totals)) for reading in readings}) > 1 or any(
        len(set(reading.totals)) > 1 for reading in readings
    )
