"""Where the rows of each table come from, and what to do on servers that lack the usual place. Reads; builds no frame."""

from __future__ import annotations

from typing import Any

from ..errors import NotFoundError, NotSupportedError, ServerError, TinkerError
from ..rest.endpoints import AccessScope, check_scope
from ..rest.progress import Progress
from ..rest.session import Session
from ..schema.catalog import (
    CHECKPOINTS,
    RUN_CHECKPOINTS,
    SAMPLERS,
    SESSION_DETAILS,
    SESSION_IDS,
    SESSIONS,
    TRAINING_RUNS,
)
from ..schema.paths import component, run_url
from .listing import Listing, together
from .sweep import Pages, Sweeper


class TableReader:
    """Reads the tables of one account; remembers what the server turned out to lack."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._sweeper = Sweeper(session)
        self._lacks: dict[str, NotSupportedError] = {}

    def training_runs(
        self, progress: Progress, *, limit: int | None, access_scope: AccessScope, project_id: str | None
    ) -> Listing:
        """Read GET /api/v1/training_runs."""
        params = {"access_scope": check_scope(access_scope), "project_id": project_id}
        return self._sweeper.by_offset(TRAINING_RUNS, params, progress, limit=limit)

    def user_checkpoints(self, progress: Progress, *, limit: int | None) -> Listing:
        """Read GET /api/v1/checkpoints: the caller's own, from all runs."""
        self._unless_lacking("user_checkpoints")
        try:
            return self._sweeper.by_offset(CHECKPOINTS, {}, progress, limit=limit)
        except NotSupportedError as error:
            raise self._noted("user_checkpoints", error) from None

    def run_checkpoints(self, run_ids: list[str], progress: Progress, *, keep_going: bool = False) -> Listing:
        """Read GET /api/v1/training_runs/{run}/checkpoints of every given run, in parallel.

        With `keep_going`, no run that cannot be read stops the others; the report names them.
        """

        def fetch(run_id: str) -> Pages:
            return self._sweeper.run_pages(f"{run_url(run_id)}/checkpoints", {}, RUN_CHECKPOINTS, progress)

        tolerate = _is_lost if keep_going else _is_one_lost
        return self._sweeper.each(
            RUN_CHECKPOINTS, run_ids, fetch, progress, tolerate=tolerate, all_may_be_lost=keep_going
        )

    def found_sessions(
        self, progress: Progress, *, limit: int | None, access_scope: AccessScope, project_id: str | None
    ) -> Listing:
        """Read POST /api/v1/sessions/search."""
        self._unless_lacking("search_sessions")
        owner = {"type": "accessible" if check_scope(access_scope) == "accessible" else "own"}
        asked: dict[str, Any] = {"owner": owner} | ({"project_ids": [project_id]} if project_id is not None else {})

        def fetch(size: int, cursor: dict[str, Any] | None) -> bytes:
            body = asked | {"limit": size} | ({"cursor": cursor} if cursor is not None else {})
            return self._session.call("POST", SESSIONS.path, body=body, watch=progress).content

        try:
            return self._sweeper.by_cursor(SESSIONS, fetch, progress, limit=limit)
        except NotSupportedError as error:
            raise self._noted("search_sessions", error) from None

    def session_ids(self, progress: Progress, *, limit: int | None, access_scope: AccessScope) -> Listing:
        """Read GET /api/v1/sessions: bare ids, without a total."""
        self._unless_lacking("sessions")
        params = {"access_scope": check_scope(access_scope)}
        try:
            return self._sweeper.by_offset(SESSION_IDS, params, progress, limit=limit)
        except NotSupportedError as error:
            raise self._noted("sessions", error) from None

    def session_details(self, ids: list[str], progress: Progress, *, access_scope: AccessScope) -> Listing:
        """Read GET /api/v1/sessions/{session} for every given id, in parallel."""
        params = {"access_scope": check_scope(access_scope)}

        def fetch(session_id: str) -> Pages:
            path = f"{SESSION_DETAILS.path}/{component(session_id, 'session id')}"
            return Pages([self._session.call("GET", path, params=params, watch=progress).content])

        def into_row(session_id: str, answer: dict[str, Any]) -> dict[str, Any]:
            return answer | {"session_id": session_id}

        return self._sweeper.each(SESSION_DETAILS, ids, fetch, progress, into_row=into_row, tolerate=_is_one_lost)

    def listed_sessions(self, progress: Progress, *, limit: int | None, access_scope: AccessScope) -> Listing:
        """Read the list of ids, then every session: the way of servers without a search."""
        ids = self.session_ids(progress, limit=limit, access_scope=access_scope)
        details = self.session_details(ids.data["session_id"].to_pylist(), progress, access_scope=access_scope)
        report = together([details.report, ids.report])
        report.cut = ids.report.cut
        report.lacks += [
            c.name for c in SESSIONS.sent if c.name not in SESSION_DETAILS.names and c.name not in report.lacks
        ]
        return Listing(details.data, report)

    def samplers(self, session_of: dict[str, str], progress: Progress) -> Listing:
        """Read GET /api/v1/samplers/{sampler} for every given sampler id, in parallel."""

        def fetch(sampler_id: str) -> Pages:
            path = f"{SAMPLERS.path}/{component(sampler_id, 'sampler id')}"
            return Pages([self._session.call("GET", path, watch=progress).content])

        def into_row(sampler_id: str, answer: dict[str, Any]) -> dict[str, Any]:
            return {"sampler_id": sampler_id} | answer | {"session_id": session_of[sampler_id]}

        return self._sweeper.each(SAMPLERS, list(session_of), fetch, progress, into_row=into_row, tolerate=_is_one_lost)

    def _unless_lacking(self, what: str) -> None:
        """Do not ask again for what the server is known not to have."""
        if what in self._lacks:
            error = self._lacks[what]
            raise NotSupportedError(error.what, status=error.status, url=error.url, hint=error.hint)

    def _noted(self, what: str, error: NotSupportedError) -> NotSupportedError:
        self._lacks[what] = error
        return error


def _is_lost(error: Exception) -> bool:
    """Tell whether reading failed in any way of the service or the network."""
    return isinstance(error, TinkerError)


def _is_one_lost(error: Exception) -> bool:
    """Tell whether only this object could not be read: gone since it was listed, or a server that fails on it."""
    return isinstance(error, (NotFoundError, ServerError)) and not isinstance(error, NotSupportedError)
