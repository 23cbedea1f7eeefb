"""Read listings from the server: every page, or every object, of one table."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pyarrow.compute as pc

from ..errors import (
    AuthenticationError,
    BillingError,
    ConnectionFailedError,
    NotSupportedError,
    RateLimitError,
    SchemaError,
    TinkerError,
)
from ..rest.parameters import AccessScope, check_scope
from ..rest.progress import Progress
from ..rest.transport import Transport
from ..schema.catalog import CHECKPOINTS, RUN_CHECKPOINTS, SAMPLERS, SESSION_DETAILS, SESSION_IDS, SESSIONS
from ..schema.columns import Table
from ..schema.paths import component, is_in_run, run_url
from .listing import Listing, merge_reports
from .pagination import parse_page
from .run_lists import Pages
from .sweep import Sweeper

_KEY = f'"{RUN_CHECKPOINTS.key}"'.encode()
MOST_UNREACHABLE = 3  # failed connections within one listing after which the server counts as unreachable


class TableReader:
    """Reads listings from the server, past the cache; remembers which endpoints it lacks."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._sweeper = Sweeper(transport)
        self._lacks: dict[str, NotSupportedError] = {}

    def read_paged(
        self,
        table: Table,
        progress: Progress,
        *,
        limit: int | None,
        access_scope: AccessScope,
        project_id: str | None,
    ) -> Listing:
        """Read a table's own endpoint, every page, e.g. GET /api/v1/training_runs."""
        params = {"access_scope": check_scope(access_scope), "project_id": project_id}
        return self._sweeper.read_by_offset(table, params, progress, limit=limit)

    def user_checkpoints(self, progress: Progress, *, limit: int | None) -> Listing:
        """Read GET /api/v1/checkpoints: the caller's own, from all runs."""
        self._check_available("user_checkpoints")
        try:
            return self._sweeper.read_by_offset(CHECKPOINTS, {}, progress, limit=limit)
        except NotSupportedError as error:
            raise self._remember_missing("user_checkpoints", error) from None

    def run_checkpoints(
        self, run_ids: list[str], progress: Progress, *, keep_going: bool = False, are_listed: bool = True
    ) -> Listing:
        """Read GET /api/v1/training_runs/{run}/checkpoints of every given run, in parallel.

        With `keep_going`, a run that cannot be read does not stop the others; the report names it. Runs that are not listed may not
        exist: one whose list is empty is read itself, since some servers answer an empty list for any id.
        """

        def fetch(run_id: str) -> Pages:
            path = f"{run_url(run_id)}/checkpoints"
            pages = self._sweeper.read_run_list(path, RUN_CHECKPOINTS, progress)
            may_exist = are_listed or any(_KEY in content for content in pages.contents)
            return pages if may_exist else self._check_run(run_id, pages, progress)

        tolerate = (lambda error: isinstance(error, TinkerError)) if keep_going else _tolerate_ones()
        return self._sweeper.read_each(
            RUN_CHECKPOINTS, run_ids, fetch, progress, owns=is_in_run, tolerate=tolerate, all_may_be_lost=keep_going
        )

    def _check_run(self, run_id: str, pages: Pages, progress: Progress) -> Pages:
        """Return the list of a run that exists and had none, read again if it should not be empty; raises if it does not exist.

        It is doubted where it is still empty, or the server does not say whether there is such a run.
        """
        try:
            named = self._sweeper.read_named(run_url(run_id), progress)
        except NotSupportedError:
            doubt = "lists are empty, and the server does not say whether their runs exist"
        except SchemaError:
            doubt = "lists are empty, and their training runs cannot be read"
        else:
            if not named:
                return pages
            pages = self._sweeper.read_run_list(f"{run_url(run_id)}/checkpoints", RUN_CHECKPOINTS, progress)
            if any(_KEY in content for content in pages.contents):
                return pages
            doubt = f"lists are empty, and their training runs name checkpoints, such as {min(named)}"
        return replace(pages, doubt=pages.doubt or doubt)

    def search_sessions(
        self, progress: Progress, *, limit: int | None, access_scope: AccessScope, project_id: str | None
    ) -> Listing:
        """Read POST /api/v1/sessions/search."""
        self._check_available("search_sessions")
        owner = {"type": "accessible" if check_scope(access_scope) == "accessible" else "own"}
        asked: dict[str, Any] = {"owner": owner} | ({"project_ids": [project_id]} if project_id is not None else {})

        def fetch(size: int, cursor: Any) -> bytes:
            body = asked | {"limit": size} | ({"cursor": cursor} if cursor is not None else {})
            return self._transport.call("POST", SESSIONS.path, body=body, progress=progress).content

        def has_more(found: set[str]) -> bool:
            """Tell whether the list of ids, which some servers have as well, goes on where the search ends; it is of all projects."""
            if project_id is not None:
                return False  # not known
            params = {"limit": 1, "offset": len(found), "access_scope": access_scope}
            try:
                content = self._transport.call("GET", SESSION_IDS.path, params=params, progress=progress).content
                return not found.issuperset(map(str, parse_page(content, SESSION_IDS)[SESSION_IDS.items]))
            except TinkerError:
                return False  # not known

        try:
            listing = self._sweeper.read_by_cursor(SESSIONS, fetch, progress, limit=limit, has_more=has_more)
        except NotSupportedError as error:
            raise self._remember_missing("search_sessions", error) from None
        return listing

    def session_ids(self, progress: Progress, *, limit: int | None, access_scope: AccessScope) -> Listing:
        """Read GET /api/v1/sessions: bare ids, without a total."""
        self._check_available("sessions")
        params = {"access_scope": check_scope(access_scope)}
        try:
            return self._sweeper.read_by_offset(SESSION_IDS, params, progress, limit=limit)
        except NotSupportedError as error:
            raise self._remember_missing("sessions", error) from None

    def session_details(
        self,
        ids: list[str],
        progress: Progress,
        *,
        access_scope: AccessScope,
        ended: Mapping[str, str] = MappingProxyType({}),
        refresh: bool = False,
    ) -> Listing:
        """Read GET /api/v1/sessions/{session} for every given id, in parallel.

        Those that have `ended` are read once for each name that their end has there: see `samplers.find_ended`.
        """
        params = {"access_scope": check_scope(access_scope)}

        def fetch(session_id: str) -> bytes:
            path = f"{SESSION_DETAILS.path}/{component(session_id, 'session id')}"
            return self._transport.call("GET", path, params=params, progress=progress).content

        def into_row(session_id: str, response: dict[str, Any]) -> dict[str, Any]:
            return response | {"session_id": session_id}

        return self._read_once(SESSION_DETAILS, ids, fetch, into_row, progress, ended, refresh=refresh)

    def list_sessions(self, progress: Progress, *, limit: int | None, access_scope: AccessScope) -> Listing:
        """Read the list of ids, then every session: for servers without a search."""
        ids = self.session_ids(progress, limit=limit, access_scope=access_scope)
        details = self.session_details(ids.data["session_id"].to_pylist(), progress, access_scope=access_scope)
        report = merge_reports([details.report, ids.report])
        report.cut = ids.report.cut
        report.lacks += [
            c.name for c in SESSIONS.sent if c.name not in SESSION_DETAILS.names and c.name not in report.lacks
        ]
        return Listing(details.data, report)

    def samplers(self, session_of: dict[str, str], progress: Progress, *, refresh: bool = False) -> Listing:
        """Read GET /api/v1/samplers/{sampler} for every given sampler id, in parallel, once and for good."""

        def fetch(sampler_id: str) -> bytes:
            path = f"{SAMPLERS.path}/{component(sampler_id, 'sampler id')}"
            return self._transport.call("GET", path, progress=progress).content

        def into_row(sampler_id: str, response: dict[str, Any]) -> dict[str, Any]:
            if response.get("sampler_id") not in (None, sampler_id):
                raise SchemaError(f"samplers: the response for {sampler_id!r} is of another sampler")
            return response | {"sampler_id": sampler_id, "session_id": session_of[sampler_id]}

        names = {key: key for key in session_of}
        return self._read_once(SAMPLERS, list(session_of), fetch, into_row, progress, names, refresh=refresh)

    def _read_once(
        self,
        table: Table,
        ids: list[str],
        fetch: Callable[[str], bytes],
        into_row: Callable[[str, dict[str, Any]], dict[str, Any]],
        progress: Progress,
        names: Mapping[str, str],
        *,
        refresh: bool,
    ) -> Listing:
        """Read single objects, those that have `names` only if their response is not kept under it yet; with `refresh`, all of them.

        What is kept of the others, or under another name, is of an earlier state of theirs, and is forgotten.
        """
        store = self._transport.permanent
        known, new = {} if refresh else store.get(table.name), dict[str, bytes]()

        def read(key: str) -> Pages:
            content = known.get(names[key]) if key in names else None
            if content is None:
                content = new[key] = fetch(key)
            return Pages([content])

        listing = self._sweeper.read_each(table, ids, read, progress, into_row=into_row, tolerate=_tolerate_ones())
        unsound = _find_unsound(table, listing)
        store.discard(table.name, _list_outdated(store.get(table.name), ids, names))
        sound = (key for key in new if key in names and key not in unsound)
        store.add(table.name, {names[key]: new[key] for key in sound if _has_facts(table, new[key])})
        return listing

    def _check_available(self, what: str) -> None:
        """Raise at once for an endpoint that the server is known to lack."""
        if what in self._lacks:
            error = self._lacks[what]
            raise NotSupportedError(error.what, status=error.status, url=error.url, hint=error.hint)

    def _remember_missing(self, what: str, error: NotSupportedError) -> NotSupportedError:
        self._lacks[what] = error
        return error


def _list_outdated(kept: Iterable[str], ids: Iterable[str], names: Mapping[str, str]) -> list[str]:
    """Return the cached names of these ids that are no longer theirs."""
    current, concerned = set(names.values()), set(ids)
    return [name for name in kept if name not in current and name.rpartition(" ")[0] in concerned]


def _has_facts(table: Table, content: bytes) -> bool:
    """Tell whether a response has every field that is worth keeping."""
    return all(f'"{name}"'.encode() in content for name in table.facts)


def _find_unsound(table: Table, listing: Listing) -> set[str]:
    """Return the keys whose response could not be read, wholly or in a fact: another reading may bring more."""
    odd = pc.match_substring_regex(listing.data["extra"], f'"({"|".join(table.facts)})"')
    return {*listing.report.lost, *listing.data[table.key].filter(pc.fill_null(odd, False)).to_pylist()}


def _tolerate_ones() -> Callable[[Exception], bool]:
    """Return what tells whether only one object could not be read, in whatever way, and not the server or the account.

    A few lost connections and rate limits may be of single objects; more of them are the server's.
    """
    left = itertools.count(MOST_UNREACHABLE, -1)

    def tolerate(error: Exception) -> bool:
        if isinstance(error, (AuthenticationError, BillingError)):
            return False
        if isinstance(error, (ConnectionFailedError, RateLimitError)):
            return next(left) > 0
        return isinstance(error, TinkerError)

    return tolerate
