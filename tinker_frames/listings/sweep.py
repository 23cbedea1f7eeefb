"""Reading whole lists: every page, in parallel, deduplicated, compared with the total, and read again until it is proved."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

import pyarrow as pa

from ..errors import (
    IncompleteListingError,
    InvalidRequestError,
    NotFoundError,
    NotSupportedError,
    PermissionDeniedError,
    SchemaError,
    ServerError,
)
from ..rest.progress import Progress
from ..rest.responses import Response
from ..rest.transport import Transport
from ..schema.catalog import TRAINING_RUNS
from ..schema.coerce import parse_object
from ..schema.columns import Table
from .claims import collect_claims
from .decode import Decoder
from .listing import Listing, Report
from .pagination import (
    FEW_ROWS,
    MOST_FRUITLESS,
    Bounds,
    Coverage,
    Request,
    may_be_full_page,
    parse_page,
    reduce_page_size,
    says_more,
)
from .prefetch import run_in_order
from .proof import Novelty, Sweeps, is_proved
from .run_lists import Pages, read_run_list

IntoRow = Callable[[str, dict[str, Any]], dict[str, Any]]
FAR_BEYOND = 10**6  # an offset that no account has as many training runs as


class Sweeper:
    """Reads whole lists through a transport; remembers the page size that the server accepts for each."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._sizes: dict[str, int] = {}
        self._has_end: bool | None = None  # see `_finds_end`
        self._longest = 0  # rows of the longest list of a run that came at once: a shorter one is not cut at a limit

    def read_by_offset(
        self,
        table: Table,
        params: Mapping[str, Any],
        progress: Progress,
        *,
        limit: int | None = None,
        path: str | None = None,
    ) -> Listing:
        """Read a list that is paged by offset.

        The proof that it is complete is one sweep whose pages all gave the same total, whose distinct rows are as many, and whose
        end was seen. Rows that moved meanwhile are found by sweeping again, up to `MOST_SWEEPS` times; a total that is lower than
        the number of rows is left aside then.
        """
        path, report, done, bounds = path or table.path, Report(started=time.time()), Sweeps(table), self._begin()
        while not done.is_settled:
            progress.restart()
            trusts_total = not done.is_contradicted
            coverage, decoder = self._sweep(table, path, params, progress, limit, bounds, trusts_total=trusts_total)
            data = decoder.finish()
            report.pages += coverage.pages
            report.total = coverage.total
            done.add(data, coverage)
            if is_proved(coverage, data.num_rows, limit):
                report.problems += done.report_total()
                report.cut = limit is not None and data.num_rows >= limit and data.num_rows != report.total
                return _finish(data, report, decoder, limit)
        if table.bare and coverage.ended:  # each of its ids would be read
            raise IncompleteListingError(f"{table.name}: {done.explain()}", hint="Pass limit= for the first rows.")
        data = done.union()
        report.cut = limit is not None and data.num_rows >= limit
        report.doubt(done.explain(), rows=0 if report.total is None else abs(data.num_rows - report.total))
        return _finish(data, report, decoder, limit)

    def read_by_cursor(
        self,
        table: Table,
        fetch: Callable[[int, Any], bytes],
        progress: Progress,
        *,
        limit: int | None = None,
        has_more: Callable[[set[str]], bool] = lambda _: False,
    ) -> Listing:
        """Read a list that is paged by cursor; the last page has none.

        A cursor that leads to no new rows, also when it is followed further, or to new ones forever, ends the reading, and the
        report says so, as it does if the server counts more rows than it gave. An empty page is requested once more. Where the last
        page may be a full one, `has_more` tells whether there is a row beyond these keys.
        """
        decoder, report, bounds = Decoder(table), Report(started=time.time()), self._begin()
        size, cursor, fruitless = self._sizes.get(table.path, table.page_size), None, 0
        total, is_again, keys, longest = 0, False, set[str](), 0
        while limit is None or len(keys) < limit:
            asked = size if limit is None else min(size, limit - len(keys))
            try:
                content = fetch(asked, cursor)
            except InvalidRequestError as error:
                size = self._sizes[table.path] = reduce_page_size(error, asked, table.default_size)
                continue
            page, before = decoder.feed(content), len(keys)
            report.pages += 1
            progress.advance(page.rows)
            keys.update(page.list_keys(table))
            total, is_again = max(total, page.total or 0), not page.rows and not is_again
            if is_again:
                continue
            fruitless = 0 if len(keys) > before else fruitless + 1
            is_same, cursor = page.next_cursor == cursor, page.next_cursor
            if not cursor:
                if cursor is not None:
                    report.doubt(
                        f"the server's cursor is {cursor!r}, which is neither a cursor nor the end of the list"
                    )
                elif (total <= len(keys) and says_more(parse_object(content) or {}, len(keys))) or (
                    _may_be_full(page.rows, asked, longest) and has_more(keys)
                ):
                    report.doubt(f"the list ends after {len(keys)} rows without a cursor, and others follow")
                break
            longest = max(longest, page.rows)
            is_stuck = is_same or fruitless >= MOST_FRUITLESS
            ended = bounds.explain(0 if limit is not None else len(keys), time.monotonic())
            if is_stuck or ended:
                stuck = "the server's cursor leads to nothing new, so what may follow was not read"
                report.doubt(stuck if is_stuck else f"{ended}; {len(keys)} rows were read")
                break
        if cursor is None and total > len(keys):
            report.doubt(f"the server counts {total} rows, and gave {len(keys)}", rows=total - len(keys))
        data = decoder.finish()
        report.cut = bool(cursor) and report.complete
        return _finish(data, report, decoder, limit)

    def read_each(
        self,
        table: Table,
        keys: Iterable[str],
        fetch: Callable[[str], Pages],
        progress: Progress,
        *,
        into_row: IntoRow | None = None,
        owns: Callable[[str, str], bool] = lambda _, __: True,
        tolerate: Callable[[Exception], bool],
        all_may_be_lost: bool = False,
    ) -> Listing:
        """Read the rows of many keys, one or more requests each, in parallel.

        `fetch` returns pages of the table; with `into_row`, single objects that it makes rows of. What `tolerate` accepts
        as the loss of one key is reported, not raised, unless every key was lost and that may not be. So is a key among whose
        rows is one that it does not own.
        """
        decoder, report, todo = Decoder(table), Report(started=time.time()), list(keys)
        lost: list[tuple[str, Exception]] = []
        doubts: list[tuple[str, str]] = []

        def read(key: str) -> Pages | Exception:
            try:
                return fetch(key)
            except Exception as error:
                if tolerate(error):
                    return error
                raise

        for batch in _batches(run_in_order(todo, read, self._transport.settings.max_workers, progress)):
            lost += [(key, found) for key, found in batch if isinstance(found, Exception)]
            good = [(key, found) for key, found in batch if not isinstance(found, Exception)]
            before = decoder.rows
            lost += _feed_objects(decoder, good, into_row) if into_row else self._feed(decoder, good, owns, doubts)
            progress.advance(decoder.rows - before)
            report.pages += sum(len(found.contents) for _, found in good)
            doubts += [(key, found.doubt) for key, found in good if found.doubt]
        if lost and len(lost) == len(todo) and not all_may_be_lost:
            raise next((error for _, error in lost if not isinstance(error, NotSupportedError)), lost[-1][1])
        _report_lost(report, lost, doubts, len(todo))
        return _finish(decoder.finish(), report, decoder, None)

    def _feed(
        self,
        decoder: Decoder,
        found: list[tuple[str, Pages]],
        owns: Callable[[str, str], bool],
        doubts: list[tuple[str, str]],
    ) -> list[tuple[str, Exception]]:
        """Decode the pages of some keys; return the keys whose pages make no rows, and add those with rows that tell too little."""
        lost: list[tuple[str, Exception]] = []
        for key, pages in found:
            left_out, names = decoder.left_out, list[list[str]]()
            try:
                for content in pages.contents:
                    names.append(decoder.feed(content).list_keys(decoder.table))
            except SchemaError as error:
                lost.append((key, error))
            else:
                self._longest = max([self._longest, *map(len, names[:1])])
            if decoder.left_out > left_out:
                doubts.append((key, "have rows that are not objects"))
            elif not all(owns(key, name) for page in names for name in page):
                doubts.append((key, f"have rows whose {decoder.table.key} is not one of theirs"))
        return lost

    def read_run_list(self, path: str, table: Table, progress: Progress) -> Pages:
        """Read the list of one run, as `read_run_list` of `run_lists` says."""
        get = lambda params: self._get(path, params, progress).content  # noqa: E731
        explain = partial(self._explain_repeat, path, progress)
        bounds = self._begin()
        pages = read_run_list(get, table, bounds, longest=self._longest, explain_repeat=explain)
        self._longest = max(self._longest, pages.longest)
        return pages

    def _explain_repeat(self, path: str, progress: Progress, keys: set[str]) -> str | None:
        """Return why the list of a run may be only its first page, if it comes again at every offset; None if it is whole.

        It is not where offsets do not reach the server, or the run itself names a newest checkpoint that the list lacks.
        """
        if not self._finds_end(progress):
            return "lists come again at every offset, and so do other lists: they may be first pages only"
        try:
            unlisted = self.read_named(path.rpartition("/")[0], progress) - keys
        except (NotFoundError, NotSupportedError):  # of another user, or no such route
            return None
        except (PermissionDeniedError, ServerError):
            return "lists come again at every offset, and their training runs could not be read"
        if not unlisted:
            return None
        return f"lists come again at every offset, and their training runs name others, such as {min(unlisted)}"

    def read_named(self, path: str, progress: Progress) -> frozenset[str]:
        """Return the paths that the training run at this path of a URL names as its newest checkpoints."""
        run = Decoder(TRAINING_RUNS)
        run.feed_rows([parse_object(self._get(path, {}, progress).content) or {}])
        return collect_claims(run.finish(), None).named

    def _begin(self) -> Bounds:
        """Return the bounds of a list whose reading begins now."""
        return Bounds.begin(self._transport.settings.deadline, time.monotonic())

    def _finds_end(self, progress: Progress) -> bool:
        """Tell whether a list has an end for this client: no training run is there far beyond the last. Asked once."""
        if self._has_end is None:
            try:
                content = self._get(TRAINING_RUNS.path, {"limit": 1, "offset": FAR_BEYOND}, progress).content
                self._has_end = not parse_page(content, TRAINING_RUNS)[TRAINING_RUNS.items]
            except InvalidRequestError:
                self._has_end = True  # the offset arrived
            except (NotSupportedError, PermissionDeniedError, ServerError):
                return False  # not known
        return self._has_end

    def _sweep(
        self,
        table: Table,
        path: str,
        params: Mapping[str, Any],
        progress: Progress,
        limit: int | None,
        bounds: Bounds,
        *,
        trusts_total: bool,
    ) -> tuple[_Counted, Decoder]:
        """Read every page once; the first one alone, since its total gives the number of pages."""
        decoder = Decoder(table)
        coverage = _Counted(size=self._sizes.get(path, table.page_size), want=limit, trusts_total=trusts_total)
        seen = Novelty(decoder, samples=trusts_total)

        def take(request: Request, content: bytes) -> None:
            if not content:
                coverage.ended = coverage.ended or f"the server refuses pages from row {request.offset:,} on"
                return
            page = decoder.feed(content)
            coverage.record(request, page.rows, page.total, new=seen.count_new(page), limit=page.limit)
            coverage.pages += 1
            progress.set_total(coverage.total)
            progress.advance(page.rows)

        def find_end() -> str:
            return bounds.explain(coverage.top if limit is None else 0, time.monotonic())

        def fetch(request: Request) -> bytes | None:
            if coverage.skips(request) or find_end():
                return None
            return self._get_page(path, params, request, progress)

        take(*self._first(table, path, params, coverage, progress))
        while requests := coverage.missing():
            coverage.ended = find_end()  # then none is sent, and none is missing
            for request, content in run_in_order(requests, fetch, self._transport.settings.max_workers, progress):
                if content is not None:
                    take(request, content)
        if coverage.has_more_than_a_page:
            self._sizes[path] = coverage.size
        return coverage, decoder

    def _get_page(self, path: str, params: Mapping[str, Any], request: Request, progress: Progress) -> bytes:
        """Return a page after the first; empty if the server refuses its offset: it may be past the end, or past what the server allows."""
        try:
            return self._get(path, {**params, "limit": request.limit, "offset": request.offset}, progress).content
        except InvalidRequestError:
            return b""

    def _first(
        self, table: Table, path: str, params: Mapping[str, Any], coverage: Coverage, progress: Progress
    ) -> tuple[Request, bytes]:
        """Read the first page, with a smaller limit each time the server refuses one."""
        while True:
            request = coverage.first()
            try:
                answer = self._get(path, {**params, "limit": request.limit, "offset": 0}, progress)
            except InvalidRequestError as error:
                coverage.size = reduce_page_size(error, request.limit, table.default_size)
                self._sizes[path] = coverage.size
            else:
                return request, answer.content

    def _get(self, path: str, params: Mapping[str, Any], progress: Progress) -> Response:
        given = {name: value for name, value in params.items() if value is not None}
        return self._transport.call("GET", path, params=given, progress=progress)


class _Counted(Coverage):
    """Coverage that also counts the pages."""

    pages = 0


def _may_be_full(rows: int, asked: int, longest: int) -> bool:
    """Tell whether the last page of a list may be as long as the server lets pages be."""
    return rows in (asked, longest) or (rows >= FEW_ROWS and may_be_full_page(rows, None))


def _feed_objects(decoder: Decoder, found: list[tuple[str, Pages]], into_row: IntoRow) -> list[tuple[str, Exception]]:
    """Decode rows made of the single objects of some keys; return the keys whose answers make no rows."""
    try:
        rows = [into_row(key, _parse_answer(c, decoder.table)) for key, pages in found for c in pages.contents]
        decoder.feed_rows(rows)
    except SchemaError as error:
        if len(found) == 1:
            return [(found[0][0], error)]
        return [lost for one in found for lost in _feed_objects(decoder, [one], into_row)]  # which hide no others
    return []


def _report_lost(report: Report, lost: list[tuple[str, Exception]], doubts: list[tuple[str, str]], total: int) -> None:
    """Report the keys that could not be read, and those whose pages are not proved to be all."""
    report.lost = [key for key, _ in lost] + [key for key, _ in doubts]
    report.gone = [key for key, error in lost if isinstance(error, NotFoundError)]
    for kind in sorted({type(error).__name__ for _, error in lost}):
        keys = [key for key, error in lost if type(error).__name__ == kind]
        report.doubt(f"{len(keys)} of {total} could not be read ({kind}), e.g. {keys[0]}", rows=len(keys))
    for problem in dict.fromkeys(problem for _, problem in doubts):
        keys = [key for key, found in doubts if found == problem]
        report.doubt(f"{len(keys)} of {total} {problem}, e.g. {keys[0]}", rows=len(keys))


def _finish(data: pa.Table, report: Report, decoder: Decoder, limit: int | None) -> Listing:
    """Return the listing with its report completed: malformed values, columns lacking, rows beyond the limit."""
    report.problems += decoder.problems.as_list()
    report.lacks = decoder.lacks()
    if decoder.left_out and not report.doubted:
        report.doubt("rows that are not objects were left out", rows=decoder.left_out)
    if decoder.unidentified and not report.doubted:
        report.doubt(f"rows have no readable {decoder.table.key}, and may be different ones", rows=decoder.unidentified)
    if limit is not None and data.num_rows > limit:
        data = data.slice(0, limit)
    if report.cut:
        report.complete = False
    return Listing(data, report)


def _parse_answer(content: bytes, table: Table) -> dict[str, Any]:
    """Return the object that an answer holds."""
    found = parse_object(content)
    if found is None:
        raise SchemaError(f"{table.name}: the response is not an object")
    return found


def _batches(results: Iterable[Any], size: int = 200, seconds: float = 0.5) -> Iterable[list[Any]]:
    """Cut results into lists, so that many small answers are decoded together; sooner if they are slow, so that progress shows."""
    batch: list[Any] = []
    started = time.monotonic()
    for result in results:
        batch.append(result)
        if len(batch) >= size or time.monotonic() - started >= seconds:
            yield batch
            batch, started = [], time.monotonic()
    if batch:
        yield batch
