"""Read usage in windows: each from the permanent responses, the cache or the server, several at a time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ..listings.listing import Listing, Report, apply_limit, merge_reports
from ..listings.prefetch import run_in_order
from ..listings.tables import Options, build_key
from ..rest.progress import Progress, open_progress
from ..rest.responses import Response
from ..rest.transport import Transport
from ..schema.catalog import USAGE
from ..schema.columns import empty_arrow
from .events import decode_usage
from .spans import SETTLED_AFTER, Window, split_span


class UsageReader:
    """Reads billing events of one account.

    What has ended more than two days ago, and before the time up to which costs are invoiced, changes no more: it is read once,
    unless it had no events at all, or that time turns out to be an earlier one.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def read(self, span: Window, options: Options) -> Listing:
        """Return the events of a span, in the order of time; a write of ours changes none of them."""
        self._transport.check_open()
        if options.limit == 0:
            return apply_limit(_make_empty(), 0)
        account, windows = self._transport.account, list(split_span(span, self._find_settled()))
        kept = {} if options.refresh else self._find_kept(windows)
        found = kept if options.refresh else kept | self._find_cached([one for one in windows if one not in kept])
        missing = [window for window in windows if window not in found]
        with open_progress("usage", options.progress) as bar:
            read, until = self._request_all(missing, bar)
            if not_final := [] if until is None else [window for window in kept if window.end > until]:
                self._transport.permanent.discard(USAGE.name, list(map(_key, not_final)))
                read |= self._request_all(not_final, bar)[0]
            found |= read
            merged = merge_windows([found[window] for window in windows], span)
            merged.report.requests, merged.report.from_cache = bar.requests, not missing
            merged.report.note_struck(bar.struck)
        if self._transport.account != account:
            merged.report.doubt("the credential command began to answer for another account while it was read")
        return apply_limit(merged, options.limit)

    def _find_settled(self) -> datetime:
        """Return the time until which all usage has come in, by the server's clock as far as it is known."""
        return self._transport.get_time() - SETTLED_AFTER

    def _request_all(self, windows: list[Window], bar: Progress) -> tuple[dict[Window, Listing], datetime | None]:
        """Request some windows and keep their events; also return the earliest time up to which an answer says that costs are invoiced."""
        account, read, invoiced = self._transport.account, dict[Window, Listing](), list[datetime]()
        for window, response in run_in_order(windows, lambda one: self._request(one, bar), self._workers, bar):
            read[window], until = decode_usage(response, window)
            bar.advance(read[window].data.num_rows)
            invoiced += [] if until is None else [until]
            if self._transport.account == account:
                is_final = until is not None and window.end <= min(until, self._find_settled())
                self._keep(window, read[window], is_final=is_final)
        return read, min(invoiced, default=None)

    @property
    def _workers(self) -> int:
        return self._transport.settings.max_workers

    def _request(self, window: Window, progress: Progress) -> Response:
        start, end = window.key
        params = {"starting_on": start, "ending_before": end}
        return self._transport.call("GET", USAGE.path, params=params, progress=progress)

    def _find_kept(self, windows: list[Window]) -> dict[Window, Listing]:
        """Return the events of windows that are kept for good."""
        kept, found = self._transport.permanent.get(USAGE.name, is_valid=bool), dict[Window, Listing]()
        for window in windows:
            listing = Listing.from_bytes(kept[_key(window)]) if _key(window) in kept else None
            if listing is not None:
                listing.report.started = datetime.now(UTC).timestamp()  # it cannot have changed
                found[window] = listing
        return found

    def _find_cached(self, windows: list[Window]) -> dict[Window, Listing]:
        """Return the events of windows that are cached."""
        if (cache := self._transport.cache) is None:
            return {}
        stored = {window: cache.get(_key(window), ignore_writes=True) for window in windows}
        read = {window: Listing.from_bytes(found[0]) for window, found in stored.items() if found is not None}
        return {window: listing for window, listing in read.items() if listing is not None}

    def _keep(self, window: Window, listing: Listing, *, is_final: bool) -> None:
        """Keep the events of a window: for good if they are final and there are any, else as every listing."""
        cache = self._transport.cache
        if listing.report.doubted:
            return
        if is_final and listing.data.num_rows:  # an empty answer may be a mistake of the server's
            self._transport.permanent.add(USAGE.name, {_key(window): listing.to_bytes()})
        elif cache is not None:
            cache.put(_key(window), listing.to_bytes(), listing.report.started)


def merge_windows(windows: list[Listing], span: Window) -> Listing:
    """Return the events of windows that follow one another, those within the span, under one report."""
    report = merge_reports([replace(window.report, problems=[]) for window in windows])
    report.problems = _merge_problems(problem for window in windows for problem in window.report.problems)
    filled = [window for window in windows if window.data.num_rows]
    report.lacks = [name for name in report.lacks if all(name in window.report.lacks for window in filled)]
    parts = [_select_span(window.data, span) for window in windows]
    return Listing(pa.concat_tables(parts).unify_dictionaries().combine_chunks(), report)


def _select_span(data: pa.Table, span: Window) -> pa.Table:
    """Return the events of a window that are within a span: all but in the first one and the last."""
    starts = data["bucket_start"]
    found = pc.min_max(starts).as_py()
    if not data.num_rows or (span.start <= found["min"] and found["max"] < span.end):
        return data
    bounds = [pa.scalar(bound, starts.type) for bound in (span.start, span.end)]
    return data.filter(pc.and_(pc.greater_equal(starts, bounds[0]), pc.less(starts, bounds[1])))


def _merge_problems(problems: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return problems with those of one kind as one."""
    merged: dict[tuple[Any, Any], dict[str, Any]] = {}
    for problem in problems:
        kind = (problem["column"], problem["problem"])
        rows = merged[kind]["rows"] if kind in merged else 0
        merged[kind] = problem | {"rows": rows + problem["rows"]}
    return list(merged.values())


def _key(window: Window) -> str:
    return build_key(USAGE, Options(), window.key)


def _make_empty() -> Listing:
    data = pa.table({column.name: empty_arrow(column) for column in USAGE.stored})
    return Listing(data, Report(started=datetime.now(UTC).timestamp()))
