"""The listings of one account: from the cache if they are there and fresh, else read and kept."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import pyarrow as pa

from ..errors import InvalidRequestError, NotSupportedError
from ..rest.cache import AccountCache
from ..rest.endpoints import AccessScope, check_scope
from ..rest.progress import Progress, watching
from ..rest.session import Session
from ..schema.catalog import CHECKPOINTS, SAMPLERS, SESSION_DETAILS, SESSIONS, TRAINING_RUNS
from ..schema.columns import Table, empty_arrow
from .listing import Listing, Report
from .tables import TableReader

By = Literal["auto", "user", "run"]


@dataclass(frozen=True)
class Options:
    """What every listing can be asked for."""

    refresh: bool = False
    limit: int | None = None
    access_scope: AccessScope = "owned"
    project_id: str | None = None
    progress: bool | None = None

    def __post_init__(self) -> None:
        check_scope(self.access_scope)
        if self.limit is not None and self.limit < 0:
            raise InvalidRequestError(f"limit={self.limit} is below 0", hint="Use None for all rows, 0 for none.")


Found = tuple[Listing, bool]  # and whether it came from the cache


class Account:
    """Reads listings of one account; each method returns a listing and whether it came from the cache."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._reader = TableReader(session)

    def sessions(self, options: Options) -> Found:
        """Return the sessions: searched for, or listed and read one by one where the server has no search.

        The second way also has `training_run_ids` and `sampler_ids` among its columns.
        """
        scope, project, limit = options.access_scope, options.project_id, options.limit

        def read(bar: Progress) -> Listing:
            try:
                return self._reader.found_sessions(bar, limit=limit, access_scope=scope, project_id=project)
            except NotSupportedError as error:
                if project is not None:
                    message = "this server cannot list the sessions of one project"
                    raise NotSupportedError(message, status=error.status, url=error.url) from None
            return self._reader.listed_sessions(bar, limit=limit, access_scope=scope)

        return self._listing(SESSIONS, options, read)

    def session_details(self, ids: list[str], options: Options) -> Found:
        """Return what each of these sessions says of itself."""
        return self._listing(
            SESSION_DETAILS,
            options,
            lambda bar: self._reader.session_details(ids, bar, access_scope=options.access_scope),
            of=ids,
        )

    def training_runs(self, options: Options) -> Found:
        """Return the training runs."""
        scope, project, limit = options.access_scope, options.project_id, options.limit
        return self._listing(
            TRAINING_RUNS,
            options,
            lambda bar: self._reader.training_runs(bar, limit=limit, access_scope=scope, project_id=project),
        )

    def checkpoints(self, run_ids: list[str] | None, by: By, options: Options) -> Found:
        """Return the checkpoints of some runs, or all of the user's: from the user's list, or run by run."""
        if by not in ("auto", "user", "run"):
            raise InvalidRequestError(f"by={by!r} is unknown", hint='Use "auto", "user" or "run".')
        if run_ids is not None:
            listing, cached = self._of_runs(run_ids, options)
            return cut(listing, options.limit), cached
        if by != "run":
            try:
                return self._listing(
                    CHECKPOINTS, options, lambda bar: self._reader.user_checkpoints(bar, limit=options.limit)
                )
            except NotSupportedError:
                if by == "user":
                    raise
        return self._by_run(options)

    def samplers(self, session_of: dict[str, str], options: Options) -> Found:
        """Return the samplers with these ids, each with the session that lists it."""
        wanted = dict(list(session_of.items())[: options.limit])

        def read(bar: Progress) -> Listing:
            return self._reader.samplers(wanted, bar)

        listing, cached = self._listing(SAMPLERS, options, read, of=list(wanted))
        if len(wanted) < len(session_of):
            listing.report.cut, listing.report.complete = True, False
        return listing, cached

    def read_runs(self, run_ids: list[str]) -> Listing:
        """Return the checkpoints of some runs, past the cache; `report.lost` names those that could not be read."""
        with Progress("reading back", None) as bar:
            return self._reader.run_checkpoints(run_ids, bar, keep_going=True)

    def _by_run(self, options: Options) -> Found:
        """Return every run's checkpoints; as complete as the list of runs is."""
        every = Options(refresh=options.refresh, progress=options.progress, limit=0 if options.limit == 0 else None)
        runs, runs_cached = self.training_runs(every)
        listing, cached = self._of_runs(runs.data["training_run_id"].to_pylist(), options)
        listing.report.requests += runs.report.requests
        listing.report.started = min(listing.report.started, runs.report.started)
        if not runs.report.complete and options.limit != 0:
            listing.report.doubt("the list of training runs is not complete")
        return cut(listing, options.limit), cached and runs_cached

    def _of_runs(self, ids: list[str], options: Options) -> Found:
        every = Options(refresh=options.refresh, progress=options.progress)
        return self._listing(CHECKPOINTS, every, lambda bar: self._reader.run_checkpoints(ids, bar), of=ids)

    def _listing(
        self, table: Table, options: Options, read: Callable[[Progress], Listing], *, of: list[str] | None = None
    ) -> Found:
        """Return a listing from the cache, or read it and keep it unless rows may be missing that nobody left out."""
        if options.limit == 0:
            return cut(Listing(_no_rows(table), Report(started=time.time())), 0), False
        cache, key = self._session.cache, _key(table, options, of)
        if cache is not None and not options.refresh and (found := cache.get(key)) is not None:
            listing = Listing.from_bytes(found[0])
            if listing is not None:
                listing.report.requests = 0  # for this call
                return listing, True
        with watching(table.name.replace("_", " "), options.progress) as bar:
            listing = read(bar)
            listing.report.requests = bar.requests
        if cache is not None and not listing.report.doubted:
            cache.put(key, listing.to_bytes(), listing.report.started)
        return listing, False


class CacheView:
    """What a client keeps of its account, as `client.cache`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def info(self) -> dict[str, Any]:
        """Return `enabled`, `path`, `entries`, `size_bytes` (on disk) and `ttl_s` (life of an entry in seconds)."""
        cache = self._cache
        if cache is None:
            return {"enabled": False, "path": None, "entries": 0, "size_bytes": 0, "ttl_s": 0.0}
        return cache.info()

    def clear(self) -> None:
        """Delete everything kept of this account; other accounts keep theirs."""
        if self._cache is not None:
            self._cache.clear()

    @property
    def _cache(self) -> AccountCache | None:
        return self._session.cache

    def __repr__(self) -> str:
        if not self._session.settings.cache:
            return "<Cache off>"
        return f"<Cache of {self._session.settings.cache_ttl:g} s in {self._session.settings.cache_dir}>"


def cut(listing: Listing, limit: int | None) -> Listing:
    """Return at most `limit` rows, and say so if that left some out."""
    if limit is None or (limit and listing.data.num_rows <= limit):
        return listing
    listing.report.cut, listing.report.complete = True, False
    return Listing(listing.data.slice(0, limit), listing.report)


def _key(table: Table, options: Options, of: list[str] | None) -> str:
    """Return the cache key of a listing; another layout of its columns is another key."""
    layout = [(column.name, column.kind) for column in table.stored]
    asked = [options.limit, options.access_scope, options.project_id, of, layout]
    return f"{table.name}:{hashlib.sha256(json.dumps(asked).encode()).hexdigest()[:24]}"


def _no_rows(table: Table) -> pa.Table:
    return pa.table({column.name: empty_arrow(column) for column in table.stored})
