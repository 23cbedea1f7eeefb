"""Every page exactly once: in parallel, deduplicated, compared with the total, repaired or reported."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from .decode import Decoder
from .errors import InvalidRequestError
from .listing import Listing, Report
from .paging import Coverage, Request, smaller_size
from .progress import Progress
from .schema import Table
from .session import Answer, Session
from .workers import in_order

MOST_SWEEPS = 4


class Sweeper:
    """Reads whole tables through a session; remembers the page size that each of the server's lists takes."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._sizes: dict[str, int] = {}

    def by_offset(
        self,
        table: Table,
        params: Mapping[str, Any],
        progress: Progress,
        *,
        limit: int | None = None,
        path: str | None = None,
    ) -> Listing:
        """Read a list that is paged by offset.

        One sweep whose pages all gave the same total, and whose distinct rows are as many, is the proof that it is complete.
        Rows that moved meanwhile are found by sweeping again, up to `MOST_SWEEPS` times.
        """
        path, report = path or table.path, Report(started=time.time())
        sweeps: list[pa.Table] = []
        for _ in range(MOST_SWEEPS):
            progress.restart()
            coverage, decoder = self._sweep(table, path, params, progress, limit)
            data = decoder.finish()
            report.pages += coverage.pages
            report.total = coverage.totals[-1] if coverage.totals else None
            sweeps.append(data)
            if _is_proved(coverage, data.num_rows, limit):
                return _done(data, report, decoder, limit)
        data = _union(sweeps, table.key)
        report.doubt(
            f"the account changed while it was read: {data.num_rows} different rows in {len(sweeps)} sweeps, "
            f"the server counts {report.total}",
            rows=abs(data.num_rows - (report.total or 0)),
        )
        return _done(data, report, decoder, limit)

    def by_cursor(
        self,
        table: Table,
        fetch: Callable[[int, dict[str, Any] | None], bytes],
        progress: Progress,
        *,
        limit: int | None = None,
    ) -> Listing:
        """Read a list that hands out a cursor for the next page; the end is where it hands out none."""
        decoder, report = Decoder(table), Report(started=time.time())
        size, cursor, seen = self._sizes.get(table.path, table.page_size), None, set()
        while limit is None or decoder.rows < limit:
            asked = size if limit is None else min(size, limit - decoder.rows)
            try:
                content = fetch(asked, cursor)
            except InvalidRequestError as error:
                size = self._sizes[table.path] = smaller_size(error, asked, table.default_size)
                continue
            page = decoder.feed(content)
            report.pages += 1
            progress.advance(page.rows)
            cursor = page.next_cursor
            if cursor is None:
                break
            mark = json.dumps(cursor, sort_keys=True)
            if mark in seen:
                report.doubt("the server gave the same cursor twice, so what follows it was not read")
                break
            seen.add(mark)
        data = decoder.finish()
        report.cut = cursor is not None and report.complete
        return _done(data, report, decoder, limit)

    def each(
        self,
        table: Table,
        keys: Iterable[str],
        fetch: Callable[[str], list[bytes]],
        progress: Progress,
        *,
        into_row: Callable[[str, dict[str, Any]], dict[str, Any]] | None = None,
        tolerate: Callable[[Exception], bool],
    ) -> Listing:
        """Read what belongs to many keys, one or more requests each, in parallel.

        `fetch` returns pages of the table; with `into_row`, single objects that it makes rows of. What `tolerate` accepts
        as the loss of one key is reported, not raised, unless every key was lost.
        """
        decoder, report, todo = Decoder(table), Report(started=time.time()), list(keys)
        lost: list[tuple[str, Exception]] = []

        def read(key: str) -> list[bytes] | Exception:
            try:
                return fetch(key)
            except Exception as error:
                if tolerate(error):
                    return error
                raise

        for batch in _batches(in_order(todo, read, self._session.settings.max_workers, progress)):
            lost += [(key, found) for key, found in batch if isinstance(found, Exception)]
            good = [(key, found) for key, found in batch if not isinstance(found, Exception)]
            if into_row is not None:
                rows = [into_row(key, json.loads(content)) for key, found in good for content in found]
                progress.advance(decoder.feed_rows(rows).rows if rows else 0)
            else:
                progress.advance(sum(decoder.feed(content).rows for _, found in good for content in found))
            report.pages += sum(len(found) for _, found in good)
        _say_lost(report, lost, todo)
        return _done(decoder.finish(), report, decoder, None)

    def run_pages(self, path: str, params: Mapping[str, Any], items: str, progress: Progress) -> list[bytes]:
        """Return all pages of a list that most servers give at once: a cursor that counts more rows is followed."""
        answer = self._get(path, params, progress)
        rows, total = _counts(answer, items)
        pages = [answer.content]
        have, size = rows, rows
        while total > have and rows:
            answer = self._get(path, {**params, "limit": size, "offset": have}, progress)
            rows, total = _counts(answer, items)
            have += rows
            pages.append(answer.content)
        return pages

    def _sweep(
        self, table: Table, path: str, params: Mapping[str, Any], progress: Progress, limit: int | None
    ) -> tuple[_Counted, Decoder]:
        """Read every page once; the first alone, since it tells how many there are."""
        decoder = Decoder(table)
        coverage = _Counted(size=self._sizes.get(path, table.page_size), want=limit)
        seen: set[str] | None = None

        def take(request: Request, content: bytes) -> None:
            nonlocal seen
            page = decoder.feed(content)
            new = None
            if page.total is None:
                seen = set() if seen is None else seen
                new = _new_keys(content, table, seen)
            coverage.took(request, page.rows, page.total, new=new)
            coverage.pages += 1
            progress.expect(page.total)
            progress.advance(page.rows)

        take(*self._first(table, path, params, coverage, progress))
        while requests := coverage.missing():
            self._sizes[path] = coverage.size

            def fetch(request: Request) -> bytes:
                paged = {**params, "limit": request.limit, "offset": request.offset}
                return self._get(path, paged, progress).content

            for request, content in in_order(requests, fetch, self._session.settings.max_workers, progress):
                take(request, content)
        return coverage, decoder

    def _first(
        self, table: Table, path: str, params: Mapping[str, Any], coverage: Coverage, progress: Progress
    ) -> tuple[Request, bytes]:
        """Read the first page, with a smaller limit each time the server refuses one."""
        while True:
            request = coverage.first()
            try:
                answer = self._get(path, {**params, "limit": request.limit, "offset": 0}, progress)
            except InvalidRequestError as error:
                coverage.size = smaller_size(error, request.limit, table.default_size)
                self._sizes[path] = coverage.size
            else:
                return request, answer.content

    def _get(self, path: str, params: Mapping[str, Any], progress: Progress) -> Answer:
        given = {name: value for name, value in params.items() if value is not None}
        return self._session.call("GET", path, params=given, watch=progress)


class _Counted(Coverage):
    """Coverage that also counts the pages."""

    pages = 0


def _say_lost(report: Report, lost: list[tuple[str, Exception]], todo: list[str]) -> None:
    """Report the keys that could not be read; raise if there was nothing else."""
    if lost and len(lost) == len(todo):
        raise lost[-1][1]
    for kind in sorted({type(error).__name__ for _, error in lost}):
        keys = [key for key, error in lost if type(error).__name__ == kind]
        report.doubt(f"{len(keys)} of {len(todo)} could not be read ({kind}), e.g. {keys[0]}", rows=len(keys))


def _is_proved(coverage: Coverage, rows: int, limit: int | None) -> bool:
    """Tell whether a sweep proves itself complete: nothing moved, and as many distinct rows as the server counts."""
    if not coverage.has_total:
        return True  # an empty page, or one with nothing new, ended it
    expected = coverage.totals[0] if limit is None else min(limit, coverage.totals[0])
    return coverage.is_quiet and rows == expected


def _done(data: pa.Table, report: Report, decoder: Decoder, limit: int | None) -> Listing:
    """Put the last touches to a listing: what was odd, what was lacking, what a limit left out."""
    report.problems += decoder.problems.as_list()
    report.lacks = decoder.lacks()
    if limit is not None and data.num_rows > limit:
        data = data.slice(0, limit)
    if limit is not None and report.total is not None and data.num_rows < report.total:
        report.cut = True
    if report.cut:
        report.complete = False
    return Listing(data, report)


def _union(sweeps: list[pa.Table], key: str) -> pa.Table:
    """Return the rows of several sweeps, each key once, as the last sweep that had it says."""
    kept, seen = [], pa.array([], pa.large_string())
    for data in reversed(sweeps):
        fresh = data.filter(pc.invert(pc.is_in(data[key], value_set=seen)))
        kept.append(fresh)
        seen = pa.concat_arrays([seen, *fresh[key].chunks])
    return pa.concat_tables(kept).unify_dictionaries().combine_chunks()


def _new_keys(content: bytes, table: Table, seen: set[str]) -> int:
    """Count a page's keys that were not seen before; only for lists without a total, which need it to find their end."""
    rows = json.loads(content).get(table.items) or []
    keys = {str(row.get(table.key)) if isinstance(row, dict) else str(row) for row in rows}
    new = len(keys - seen)
    seen |= keys
    return new


def _counts(answer: Answer, items: str) -> tuple[int, int]:
    """Return the rows and the total of one page; the total is 0 where there is no cursor."""
    body = json.loads(answer.content)
    rows, cursor = (body.get(items) or []), (body.get("cursor") or {}) if isinstance(body, dict) else {}
    total = cursor.get("total_count")
    return len(rows), total if isinstance(total, int) else 0


def _batches(results: Iterable[Any], size: int = 200) -> Iterable[list[Any]]:
    """Cut results into lists, so that many small answers are columnised together."""
    batch: list[Any] = []
    for result in results:
        batch.append(result)
        if len(batch) >= size:
            yield batch
            batch = []
    if batch:
        yield batch
