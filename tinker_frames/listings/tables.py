"""Where the rows of each table come from: the account's cache, or the server's endpoints, with a fallback where it lacks one."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal, get_args

import pyarrow as pa
import pyarrow.compute as pc

from ..errors import (
    InvalidRequestError,
    NotFoundError,
    NotSupportedError,
    PermissionDeniedError,
    ServerError,
    TinkerError,
)
from ..rest.parameters import AccessScope, check_scope
from ..rest.progress import Progress, open_progress
from ..rest.transport import Transport
from ..schema.arguments import check_argument
from ..schema.catalog import (
    CHECKPOINTS,
    SAMPLERS,
    SESSION_DETAILS,
    SESSIONS,
    TRAINING_RUNS,
)
from ..schema.columns import Table, empty_arrow
from ..schema.paths import runs_of
from .claims import Claims, collect_claims, explain_empty, may_have_another_list
from .listing import Listing, Report, apply_limit, join_listings
from .proof import union_sweeps
from .reader import TableReader

By = Literal["auto", "user", "run"]


def check_way(by: By) -> None:
    """Refuse an unknown way of listing checkpoints."""
    if by not in get_args(By):
        raise InvalidRequestError(f"by={by!r} is unknown", hint='Use "auto", "user" or "run".')


@dataclass(frozen=True)
class Options:
    """Options that every listing takes.

    `live` reads past the cache, but for responses that never change; `refresh` reads those again, too.
    """

    refresh: bool = False
    limit: int | None = None
    access_scope: AccessScope = "owned"
    project_id: str | None = None
    progress: bool | Progress | None = None
    live: bool = False

    def __post_init__(self) -> None:
        check_argument("access_scope", self.access_scope, str)
        check_scope(self.access_scope)
        if self.project_id == "":
            raise InvalidRequestError("project_id is empty", hint="Use None for all projects.")
        if self.limit is not None:
            object.__setattr__(self, "limit", int(self.limit))  # numpy's integers are none of JSON's
        if self.limit is not None and self.limit < 0:
            raise InvalidRequestError(f"limit={self.limit} is below 0", hint="Use None for all rows, 0 for none.")


@dataclass(frozen=True)
class _Known:
    """What was read before the checkpoints: training runs, sessions and the runs that they name, and the user's list before the lists of runs."""

    runs: Listing | None = None
    sessions: Listing | None = None
    listed: Listing | None = None
    named: Collection[str] = ()

    def collect(self) -> Claims:
        """Return what they say of their checkpoints."""
        claims = collect_claims(*(None if part is None else part.data for part in (self.runs, self.sessions)))
        if self.listed is None:
            return claims
        return replace(claims, listed=frozenset(self.listed.data[CHECKPOINTS.key].to_pylist()))

    def find_unknown_runs(self, paths: Iterable[str]) -> list[str]:
        """Return the runs of some paths that the list of runs lacks."""
        known = set() if self.runs is None else set(self.runs.data[TRAINING_RUNS.key].to_pylist())
        return [run for run in runs_of(paths) if run not in known]


class Tables:
    """Reads listings of one account; `report.from_cache` says which came from the cache."""

    def __init__(self, transport: Transport, before_reading: Callable[[Table | None], None] = lambda _: None) -> None:
        self._transport, self._before_reading = transport, before_reading
        self._reader = TableReader(transport)
        self._named: dict[str, set[str]] = {}  # account → the sessions that its own runs and checkpoints name

    def sessions(self, options: Options, *, ignore_writes: bool = False) -> Listing:
        """Return the sessions: searched for, or listed and read one by one where the server has no search.

        The second way also has `training_run_ids` and `sampler_ids` among its columns. With `ignore_writes`, a cached listing is
        returned also if a write of ours came later: it changes counts and sizes, not which sessions there are.

        They are held against the sessions that the user's own runs and checkpoints name, as far as these were read or are cached.
        """
        scope, project, limit = options.access_scope, options.project_id, options.limit

        def read(bar: Progress) -> Listing:
            try:
                return self._reader.search_sessions(bar, limit=limit, access_scope=scope, project_id=project)
            except NotSupportedError as error:
                if project is not None:
                    message = "this server cannot list the sessions of one project"
                    raise NotSupportedError(message, status=error.status, url=error.url) from None
            return self._reader.list_sessions(bar, limit=limit, access_scope=scope)

        named = self._find_named_sessions()  # before the request: sessions that begin meanwhile may not be listed
        listing = self.read(SESSIONS, options, read, ignore_writes=ignore_writes)
        if _find_unlisted(named, listing, options) and listing.report.from_cache:
            listing = self.read(SESSIONS, replace(options, refresh=True), read)
        if unlisted := _find_unlisted(named, listing, options):
            listing.report.doubt(
                f"training runs and checkpoints name {len(unlisted)} sessions that the list lacks, e.g. {unlisted[0]}"
            )
        return listing

    def _find_named_sessions(self) -> frozenset[str]:
        """Return the sessions that the user's own runs and checkpoints name, of those lists that were read or are cached."""
        account = self._transport.account
        if account not in self._named:
            for table in (TRAINING_RUNS, CHECKPOINTS):
                if (listing := self.find_cached(table)) is not None:
                    self._note_sessions(listing)
        return frozenset(self._named.get(account, ()))

    def _note_sessions(self, listing: Listing) -> None:
        """Remember the sessions that a list of the user's own runs or checkpoints names."""
        found = pc.unique(listing.data["session_id"]).to_pylist()
        self._named.setdefault(self._transport.account, set()).update(key for key in found if key is not None)

    def session_details(
        self,
        ids: list[str],
        options: Options,
        *,
        ended: Mapping[str, str] = MappingProxyType({}),
        ahead: Listing | None = None,
    ) -> Listing:
        """Return the details of these sessions, with the ids of their training runs and samplers.

        The details of those that have `ended` change no more, as long as their end has the same name. No write of ours changes the
        others. What `read_ahead` read of them is not read again.
        """

        def read(bar: Progress) -> Listing:
            have = set() if ahead is None else set(ahead.data["session_id"].to_pylist())
            rest = [session_id for session_id in ids if session_id not in have]
            scope, refresh = options.access_scope, options.refresh
            listing = self._reader.session_details(rest, bar, access_scope=scope, ended=ended, refresh=refresh)
            return listing if ahead is None else join_listings(ahead, listing)

        return self.read(SESSION_DETAILS, options, read, of=ids, ignore_writes=True)

    def read_ahead(self, ids: list[str], progress: Progress) -> Listing | None:
        """Return the present details of own sessions that are likely to be asked for; None if any cannot be read."""
        listing = self._reader.session_details(ids, progress, access_scope="owned")
        return listing if listing.report.complete else None

    def read_paged(self, table: Table, options: Options) -> Listing:
        """Return a table that one endpoint lists by offset, as the catalog says."""
        scope, project, limit = options.access_scope, options.project_id, options.limit
        return self.read(
            table,
            options,
            lambda bar: self._reader.read_paged(table, bar, limit=limit, access_scope=scope, project_id=project),
        )

    def checkpoints(
        self,
        run_ids: list[str] | None,
        by: By,
        options: Options,
        *,
        runs: Listing | None = None,
        sessions: Listing | None = None,
        named: Collection[str] = (),
    ) -> Listing:
        """Return the checkpoints of some runs, or all of the user's: from the user's list, or run by run.

        The user's list is held against what training runs and sessions say, as far as they were read (`runs`, `sessions`, or
        the cache), and against a page of runs where it may be a list of its own kind. `auto` reads by run where they contradict it.
        What is read run by run is held against the user's list or, of some runs, the list of runs, if the cache has it, and the runs
        that sessions have `named`.
        """
        check_way(by)
        if run_ids is not None:
            listing = self._of_runs(run_ids, options, are_listed=False)
            return apply_limit(self._check_of_runs(listing, run_ids, options), options.limit)
        known = _Known(runs, sessions, named=named)
        if by == "run":
            listed = None if options.refresh else self.find_cached(CHECKPOINTS)
            return self._by_run(options, replace(known, listed=listed))
        try:
            listing = self._user_list(options)
        except NotSupportedError:
            if by == "user":
                raise
            return self._by_run(options, known)
        listing, problem = self._check_user_list(listing, by, options, known)
        other = (
            self._try_by_run(options, replace(known, listed=listing)) if problem is not None and by == "auto" else None
        )
        if problem is not None and other is None:
            listing.report.doubt(problem)
        return other or listing

    def samplers(self, session_of: dict[str, str], options: Options) -> Listing:
        """Return the samplers with these ids, each with the session that lists it. A sampler never changes."""
        wanted = dict(list(session_of.items())[: options.limit])
        read = lambda bar: self._reader.samplers(wanted, bar, refresh=options.refresh)  # noqa: E731
        listing = self.read(SAMPLERS, options, read, of=list(wanted), ignore_writes=True)
        if len(wanted) < len(session_of):
            listing.report.cut, listing.report.complete = True, False
        return listing

    def read_runs(self, run_ids: list[str]) -> Listing:
        """Return the checkpoints of some runs, past the cache; `report.lost` names those that could not be read."""
        with Progress("reading back", None) as bar:
            return self._reader.run_checkpoints(run_ids, bar, keep_going=True)

    def read_others(self, run_ids: list[str], options: Options) -> Listing:
        """Return the checkpoints of runs of other users, as far as the server lists them; the report names the other runs."""
        read = lambda bar: self._reader.run_checkpoints(run_ids, bar, keep_going=True)  # noqa: E731
        return self.read(CHECKPOINTS, Options(refresh=options.refresh, progress=options.progress), read, of=run_ids)

    def _user_list(self, options: Options) -> Listing:
        asked = Options(options.refresh, options.limit, progress=options.progress)
        return self.read(CHECKPOINTS, asked, lambda bar: self._reader.user_checkpoints(bar, limit=options.limit))

    def _check_user_list(self, listing: Listing, by: By, options: Options, known: _Known) -> tuple[Listing, str | None]:
        """Return the user's list, and what contradicts it.

        What contradicts it is read again with the list, since checkpoints come and go; not where another way is open that shows
        the truth anyway.
        """
        if listing.report.cut or listing.report.doubted:
            return listing, None
        is_other = may_have_another_list(listing.data)
        try:
            known = self._find_known(known, options, read_runs=is_other)
        except NotSupportedError:
            return listing, None
        except TinkerError as error:
            return listing, f"the training runs, which name their newest checkpoints, could not be read: {error.what}"
        claims = known.collect()
        problem = claims.explain(listing.data) or explain_empty(listing, known.runs)
        if problem is None or (is_other and by == "auto"):
            return listing, problem
        listing = self._user_list(replace(options, refresh=True))
        again = self._read_again(known, options)
        return listing, claims.keep_common(again.collect()).explain(listing.data) or explain_empty(listing, again.runs)

    def _find_known(self, known: _Known, options: Options, *, read_runs: bool) -> _Known:
        """Return the runs and sessions that were read already; with `read_runs`, else the first page of runs."""
        runs = known.runs or self.find_cached(TRAINING_RUNS)
        if runs is None and read_runs:
            first = Options(refresh=options.refresh, limit=TRAINING_RUNS.page_size, progress=options.progress)
            runs = self.read_paged(TRAINING_RUNS, first)
        return replace(known, runs=runs, sessions=known.sessions or self.find_cached(SESSIONS))

    def _read_again(self, known: _Known, options: Options) -> _Known:
        """Return the runs and sessions as they are now, those of them that are known."""
        every = Options(refresh=True, progress=options.progress)
        runs = None if known.runs is None else self.read_paged(TRAINING_RUNS, every)
        sessions = None if known.sessions is None else self.sessions(every)
        return replace(
            known, runs=runs, sessions=sessions, listed=None if known.listed is None else self._user_list(every)
        )

    def _try_by_run(self, options: Options, known: _Known) -> Listing | None:
        """Return every run's checkpoints; None if that cannot be read."""
        try:
            return self._by_run(options, known)
        except (NotSupportedError, NotFoundError, ServerError, PermissionDeniedError):
            return None

    def _by_run(self, options: Options, known: _Known) -> Listing:
        """Return every run's checkpoints; as complete as the list of runs is, and what runs and sessions say."""
        every = Options(refresh=options.refresh, progress=options.progress, limit=0 if options.limit == 0 else None)
        runs = known.runs or self.read_paged(TRAINING_RUNS, every)
        listing = self._of_runs(runs.data["training_run_id"].to_pylist(), options)
        report = listing.report
        report.requests += runs.report.requests
        report.started = min(report.started, runs.report.started)
        report.from_cache = report.from_cache and runs.report.from_cache
        if options.limit != 0:
            if not runs.report.complete:
                report.doubt("the list of training runs is not complete")
            known = replace(known, runs=runs, sessions=known.sessions or self.find_cached(SESSIONS))
            listing = self.add_unlisted(self._check_by_run(listing, known, options), runs, known.named, options)
        return apply_limit(listing, options.limit)

    def add_unlisted(self, listing: Listing, runs: Listing, named: Collection[str], options: Options) -> Listing:
        """Return checkpoints with those of the runs that sessions name and the list of runs lacks; the report says if there are any.

        Runs that do not exist any more have none; of those that cannot be read, that is not known.
        """
        missing = sorted(set(named) - set(runs.data[TRAINING_RUNS.key].to_pylist()))
        if not missing or listing.report.cut or runs.report.cut or options.project_id is not None:
            return listing
        others = self.read_others(missing, options)
        if unread := sorted(set(others.report.lost) - set(others.report.gone)):
            which = f"{len(unread)} that sessions name and that could not be read, e.g. {unread[0]}"
            listing.report.doubt(f"the list of training runs lacks {which}")
        if not others.data.num_rows:
            return listing
        listing.report.doubt(_describe_unlisted_runs(runs_of(others.data[CHECKPOINTS.key].to_pylist())))
        return Listing(union_sweeps([others.data, listing.data], CHECKPOINTS.key), listing.report)

    def find_runs(self, listing: Listing, runs: Listing, options: Options) -> Listing:
        """Return the list of runs, read again if it lacks runs of these checkpoints; the checkpoints' report says if it still does."""
        paths = listing.data[CHECKPOINTS.key].to_pylist()
        if listing.report.doubted or runs.report.doubted or not _Known(runs).find_unknown_runs(paths):
            return runs
        runs = self.read_paged(TRAINING_RUNS, replace(options, refresh=True))
        if unknown := _Known(runs).find_unknown_runs(paths):
            listing.report.doubt(_describe_unlisted_runs(unknown))
        return runs

    def _check_by_run(self, listing: Listing, known: _Known, options: Options) -> Listing:
        """Return the runs' lists with what they lacked at first, or the user's list has; the report says what they still lack."""
        claims, report, data = known.collect(), listing.report, listing.data
        if claims.explain(data) is None:
            return listing
        if not report.doubted:
            known = self._read_again(known, options)
            claims = claims.keep_common(known.collect())
            missing = claims.find_unlisted(data)
            if runs := runs_of(missing):
                data = union_sweeps([data, self.read_runs(runs).data], CHECKPOINTS.key)
            if unknown := known.find_unknown_runs(missing):
                report.doubt(_describe_unlisted_runs(unknown))
            if (problem := claims.explain(data)) is not None:
                report.doubt(problem)
        if known.listed is not None:
            data = union_sweeps([known.listed.data, data], CHECKPOINTS.key)
        return Listing(data, report)

    def _check_of_runs(self, listing: Listing, ids: list[str], options: Options) -> Listing:
        """Return the lists of some runs, held against what the list of all runs names, where that is cached."""
        runs = self.find_cached(TRAINING_RUNS)
        if runs is None:
            return listing
        meant = runs.data.filter(pc.is_in(runs.data[TRAINING_RUNS.key], value_set=pa.array(ids, pa.large_string())))
        return self._check_by_run(listing, _Known(Listing(meant, runs.report)), options)

    def _of_runs(self, ids: list[str], options: Options, *, are_listed: bool = True) -> Listing:
        every = Options(refresh=options.refresh, progress=options.progress)
        read = lambda bar: self._reader.run_checkpoints(ids, bar, are_listed=are_listed)  # noqa: E731
        return self.read(CHECKPOINTS, every, read, of=ids)

    def find_cached(self, table: Table) -> Listing | None:
        """Return the whole of an own table if the cache has it."""
        cache = self._transport.cache
        found = None if cache is None else cache.get(build_key(table, Options(), None))
        return None if found is None else Listing.from_bytes(found[0])

    def find_permanent(self, table: Table, names: Mapping[str, str]) -> list[str]:
        """Return those of these sessions or samplers whose response is kept under their name."""
        known = self._transport.permanent.get(table.name)
        return [key for key, name in names.items() if name in known]

    def read(
        self,
        table: Table,
        options: Options,
        read: Callable[[Progress], Listing],
        *,
        of: list[str] | None = None,
        ignore_writes: bool = False,
    ) -> Listing:
        """Return a listing from the cache, or read it, and cache it unless rows may be missing."""
        self._transport.check_open()
        if options.limit == 0:
            return apply_limit(Listing(_no_rows(table), Report(started=time.time())), 0)
        cache, key = self._transport.cache, build_key(table, options, of)
        if cache is not None and not (options.refresh or options.live):
            found = cache.get(key, ignore_writes=ignore_writes)
            listing = None if found is None else Listing.from_bytes(found[0])
            if listing is not None:
                listing.report.requests, listing.report.from_cache = 0, True  # for this call
                return self._note_own(table, options, of, listing)
        self._before_reading(table if of is None else None)
        with open_progress(table.name.replace("_", " "), options.progress) as bar:
            listing = self._read_one_account(read, bar)
            listing.report.requests = bar.requests
            listing.report.note_struck(bar.struck)
        cache = self._transport.cache
        if cache is not None and not listing.report.doubted:
            cache.put(key, listing.to_bytes(), listing.report.started)
        return self._note_own(table, options, of, listing)

    def _note_own(self, table: Table, options: Options, of: list[str] | None, listing: Listing) -> Listing:
        """Return a listing, after its sessions were noted if it is one of the user's own runs or checkpoints."""
        if table in (TRAINING_RUNS, CHECKPOINTS) and of is None and options.access_scope == "owned":
            self._note_sessions(listing)
        return listing

    def _read_one_account(self, read: Callable[[Progress], Listing], progress: Progress) -> Listing:
        """Read a listing; again if the credential command switched to another account during the read."""
        for _ in range(2):
            account = self._transport.account
            listing = read(progress)
            if account == self._transport.account:
                return listing
            progress.restart()
        listing.report.doubt("the credential command answers for another account each time")
        return listing


def _find_unlisted(named: Collection[str], sessions: Listing, options: Options) -> list[str]:
    """Return the named sessions that a list of all sessions lacks; none where it is known to be a part."""
    if not named or sessions.report.cut or sessions.report.doubted or options.project_id is not None:
        return []
    return sorted(set(named).difference(sessions.data["session_id"].to_pylist()))


def _describe_unlisted_runs(run_ids: list[str]) -> str:
    return f"the list of training runs lacks {len(run_ids)} that have checkpoints, e.g. {run_ids[0]}"


def build_key(table: Table, options: Options, of: list[str] | None) -> str:
    """Return the cache key of a listing; another layout of its columns is another key."""
    layout = [(column.name, column.kind) for column in table.stored]
    asked = [options.limit, options.access_scope, options.project_id, of, layout]
    return f"{table.name}:{hashlib.sha256(json.dumps(asked).encode()).hexdigest()[:24]}"


def _no_rows(table: Table) -> pa.Table:
    return pa.table({column.name: empty_arrow(column) for column in table.stored})
