"""One method per endpoint of the wire contract, returning the parsed JSON; the layer for whoever wants no frame.

Single objects come through the cached session (`refresh=True` reads them anew). Pages are never cached one by one: a listing
put together from pages of different ages is torn. Writes are never cached, and every write outdates what is cached.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from urllib.parse import SplitResult, urljoin, urlsplit

from .. import errors
from ..schema.catalog import CHECKPOINTS, SAMPLERS, SESSION_IDS, SESSIONS, TRAINING_RUNS
from ..schema.durations import check_ttl
from ..schema.paths import checkpoint_url, component, parse, parse_known, run_url
from .retry import NEVER, ONCE, REPEATABLE, backoff_s, http_date
from .session import Answer, Session, Watch

AccessScope = Literal["owned", "accessible"]
Json = dict[str, Any]


class Rest:
    """The REST calls of one client, as `client.rest`."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._knows_segments = False  # whether this server was seen to tell `weights/x` from `sampler_weights/x`

    def __repr__(self) -> str:
        return f"<Rest {self._session.settings.base_url}>"

    # ── reads ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def get_session(self, session_id: str, access_scope: AccessScope | None = None, *, refresh: bool = False) -> Json:
        """GET /api/v1/sessions/{session}: `training_run_ids`, `sampler_ids`, `user_metadata`, `display_name`."""
        path = f"{SESSION_IDS.path}/{component(session_id, 'session id')}"
        return self._object(path, {"access_scope": check_scope(access_scope)}, refresh)

    def list_sessions(self, limit: int = 20, offset: int = 0, access_scope: AccessScope | None = None) -> Json:
        """GET /api/v1/sessions: one page, `{"sessions": [id, …]}`."""
        return self._page(
            SESSION_IDS.path, {"limit": limit, "offset": offset, "access_scope": check_scope(access_scope)}
        )

    def list_training_runs(
        self, limit: int = 20, offset: int = 0, access_scope: AccessScope | None = None, project_id: str | None = None
    ) -> Json:
        """GET /api/v1/training_runs: one page, `{"training_runs": […], "cursor": …}`."""
        params = {"limit": limit, "offset": offset, "access_scope": check_scope(access_scope), "project_id": project_id}
        return self._page(TRAINING_RUNS.path, params)

    def get_training_run(
        self, training_run_id: str, access_scope: AccessScope | None = None, *, refresh: bool = False
    ) -> Json:
        """GET /api/v1/training_runs/{run}."""
        return self._object(run_url(training_run_id), {"access_scope": check_scope(access_scope)}, refresh)

    def get_training_run_by_tinker_path(
        self, tinker_path: str, access_scope: AccessScope | None = None, *, refresh: bool = False
    ) -> Json:
        """GET /api/v1/training_runs/{run} of the run that a tinker path names."""
        return self.get_training_run(parse(tinker_path).training_run_id, access_scope, refresh=refresh)

    def list_checkpoints(self, training_run_id: str) -> Json:
        """GET /api/v1/training_runs/{run}/checkpoints: all of a run's, or one page and a `cursor` on servers that page it."""
        return self._page(f"{run_url(training_run_id)}/checkpoints", {})

    def list_user_checkpoints(self, limit: int = 100, offset: int = 0) -> Json:
        """GET /api/v1/checkpoints: one page of the caller's own, newest first, `{"checkpoints": […], "cursor": …}`."""
        return self._page(CHECKPOINTS.path, {"limit": limit, "offset": offset})

    def get_sampler(self, sampler_id: str, *, refresh: bool = False) -> Json:
        """GET /api/v1/samplers/{sampler}: `sampler_id`, `base_model`, `model_path`."""
        return self._object(f"{SAMPLERS.path}/{component(sampler_id, 'sampler id')}", {}, refresh)

    def get_weights_info_by_tinker_path(self, tinker_path: str, *, refresh: bool = False) -> Json:
        """POST /api/v1/weights_info, a read: base model and LoRA shape; also for other people's public checkpoints.

        The path is sent as it is.
        """
        body = {"tinker_path": tinker_path}
        return _json(self._session.call("POST", "/api/v1/weights_info", body=body, cached=True, refresh=refresh))

    def search_sessions(
        self,
        *,
        session_id: str | None = None,
        display_name: str | None = None,
        project_ids: list[str] | None = None,
        user_metadata: Mapping[str, str] | None = None,
        owner: Mapping[str, Any] | None = None,
        statuses: list[Mapping[str, Any]] | None = None,
        limit: int = 50,
        cursor: Mapping[str, Any] | None = None,
    ) -> Json:
        """POST /api/v1/sessions/search, a read: one page, `{"sessions": […], "next_cursor": …}`, newest first."""
        given = {
            "session_id": session_id,
            "display_name": display_name,
            "project_ids": project_ids,
            "user_metadata": dict(user_metadata) if user_metadata is not None else None,
            "owner": dict(owner) if owner is not None else None,
            "statuses": [dict(status) for status in statuses] if statuses is not None else None,
            "limit": limit,
            "cursor": dict(cursor) if cursor is not None else None,
        }
        body = {name: value for name, value in given.items() if value is not None}
        return _json(self._session.call("POST", SESSIONS.path, body=body))

    def get_server_capabilities(self, *, refresh: bool = False) -> Json:
        """GET /api/v1/get_server_capabilities: the models this account may use; 402 where billing is missing."""
        return self._object("/api/v1/get_server_capabilities", {}, refresh)

    def get_external_weights_urls(self, tinker_path: str) -> Json:
        """GET …/checkpoints/{ck}/external_weights_urls: `{"urls": {file: signed url}, "expires": …}`; never cached.

        The URLs let anybody read the files: do not print or store them.
        """
        return self._page(self._checkpoint(tinker_path, None, "external_weights_urls"), {})

    def get_billing_usage_events(self, starting_on: datetime | str, ending_before: datetime | str) -> Json:
        """GET /api/v1/billing/usage/events: usage by UTC hour, at most 14 days; for organization and billing admins."""
        return self._page(
            "/api/v1/billing/usage/events", {"starting_on": _stamp(starting_on), "ending_before": _stamp(ending_before)}
        )

    def get_current_checkpoint_usage(self, project_id: str | None = None) -> Json:
        """GET /api/v1/billing/usage/checkpoints/current: stored bytes and their rate, by project and owner."""
        return self._page("/api/v1/billing/usage/checkpoints/current", {"project_id": project_id})

    def get_checkpoint_archive_url(
        self,
        path_or_run: str,
        checkpoint_id: str | None = None,
        *,
        max_retries: int = 6,
        retry_delay: float = 30.0,
        watch: Watch | None = None,
    ) -> Json:
        """GET …/checkpoints/{ck}/archive: `{"url", "status", "expires"}`, by path or by run and checkpoint id; never cached.

        An archive that is still being built (503, 409 in progress, 425) is asked for again every `retry_delay` seconds,
        `max_retries` times in all. The URL lets anybody read the archive until it expires: do not print or store it.
        Only https URLs and ones of the server itself are returned.
        """
        path, watch = self._checkpoint(path_or_run, checkpoint_id, "archive"), watch or Watch()
        for left in range(max(max_retries, 1) - 1, -1, -1):
            try:
                answer = self._session.call("GET", path, rule=NEVER, redirects=True, watch=watch)
            except errors.TinkerError as error:
                if error.status not in (409, 425, 503) or not left:
                    raise
                watch.waiting(retry_delay, f"the archive is being built; asking {left} more time(s)")
            else:
                return self._archive(answer)
            if watch.stop.wait(retry_delay):
                break
        raise errors.ConflictError("waiting for the archive was given up", url=self._session.settings.base_url + path)

    # ── writes ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def delete_checkpoint(self, path_or_run: str, checkpoint_id: str | None = None) -> None:
        """DELETE …/checkpoints/{ck}, by tinker path or by run and checkpoint id (taken verbatim). It cannot be undone.

        After an unclear answer the run is listed: gone is done, otherwise it is tried again.

        Raises
        ------
        ConflictError
            Before anything is deleted, if the server knows checkpoints by bare name and the run has two of that name.
        """
        path = self._checkpoint(path_or_run, checkpoint_id, write=True)
        run, name = self._parts(path_or_run, checkpoint_id)
        self._refuse_namesakes(run, name)

        def gone() -> bool:
            return not any(_is(row, run, name) for row in self._rows(run))

        self._settle("DELETE", path, gone, is_done_by_404=True)

    def publish_checkpoint(self, tinker_path: str) -> None:
        """POST …/checkpoints/{ck}/publish: any Tinker user may then load it. Already public is done, not an error.

        Raises
        ------
        ConflictError
            Before anything is published, if the server knows checkpoints by bare name and the run has two of that name.
        """
        path = self._checkpoint(tinker_path, None, "publish", write=True)
        self._refuse_namesakes(*self._parts(tinker_path, None))
        self._settle("POST", path, self._is_public(tinker_path, want=True))

    def unpublish_checkpoint(self, tinker_path: str) -> None:
        """DELETE …/checkpoints/{ck}/publish: private again; what others took meanwhile cannot be recalled."""
        self._settle(
            "DELETE",
            self._checkpoint(tinker_path, None, "publish", write=True),
            self._is_public(tinker_path, want=False),
        )

    def set_checkpoint_ttl_from_tinker_path(self, tinker_path: str, ttl_seconds: int | None) -> None:
        """PUT …/checkpoints/{ck}/ttl: it expires that many seconds from now (an hour to ten years); None: never.

        Raises
        ------
        InvalidRequestError
            For a TTL that is out of range, before anything is sent.
        """
        if ttl_seconds is not None:
            check_ttl(ttl_seconds)
        path = self._checkpoint(tinker_path, None, "ttl", write=True)
        self._session.call("PUT", path, body={"ttl_seconds": ttl_seconds}, rule=REPEATABLE)

    # ── how ──────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _object(self, path: str, params: Mapping[str, Any], refresh: bool) -> Json:
        return _json(self._session.call("GET", path, params=_given(params), cached=True, refresh=refresh))

    def _page(self, path: str, params: Mapping[str, Any]) -> Json:
        return _json(self._session.call("GET", path, params=_given(params)))

    def _checkpoint(self, path_or_run: str, checkpoint_id: str | None, action: str = "", *, write: bool = False) -> str:
        """Return the URL path of a checkpoint named by tinker path, or by run and checkpoint id."""
        if checkpoint_id is not None:
            return checkpoint_url(path_or_run, checkpoint_id, action)
        parts = parse_known(path_or_run) if write else parse(path_or_run)
        return checkpoint_url(parts.training_run_id, parts.checkpoint_id, action)

    def _parts(self, path_or_run: str, checkpoint_id: str | None) -> tuple[str, str]:
        if checkpoint_id is not None:
            return path_or_run, checkpoint_id
        parts = parse(path_or_run)
        return parts.training_run_id, parts.checkpoint_id

    def _rows(self, run: str) -> list[Json]:
        """Return all checkpoints of a run as the server has them now, also where it pages them."""
        page = self.list_checkpoints(run)
        rows = list(page.get("checkpoints") or [])
        while page.get("checkpoints") and _total(page) > len(rows):
            params = {"limit": len(page["checkpoints"]), "offset": len(rows)}
            page = self._page(f"{run_url(run)}/checkpoints", params)
            rows += page.get("checkpoints") or []
        return rows

    def _refuse_namesakes(self, run: str, checkpoint_id: str) -> None:
        """Refuse a write that could befall another checkpoint: some servers drop the segment of an id.

        The run is listed first, until a listing has shown that this server's ids have segments.
        """
        if self._knows_segments:
            return
        rows = self._rows(run)
        self._knows_segments = any("/" in str(row.get("checkpoint_id")) for row in rows)
        name = checkpoint_id.rpartition("/")[2]
        if not self._knows_segments and sum(row.get("checkpoint_id") == name for row in rows) > 1:
            raise errors.ConflictError(
                f"this server knows checkpoints by bare name, and {run} has several called {name!r}: which one is meant is open",
                url=f"{self._session.settings.base_url}{run_url(run)}",
                hint="Do it on the server itself, or save one of them under another name first.",
                retryable=False,
            )

    def _is_public(self, tinker_path: str, *, want: bool) -> Callable[[], bool]:
        run = parse(tinker_path).training_run_id

        def settled() -> bool:
            found = next((row for row in self._rows(run) if row.get("tinker_path") == tinker_path), None)
            return found is not None and bool(found.get("public")) is want

        return settled

    def _settle(self, method: str, path: str, is_done: Callable[[], bool], *, is_done_by_404: bool = False) -> None:
        """Send a write that must not be repeated blindly; after a 409 or an unclear answer, a read decides.

        409 means already so, or busy; 5xx and lost answers mean anything. Only what is read to be undone is sent again.
        With `is_done_by_404`, a 404 after an unclear answer says that the earlier one was at work after all.
        """
        retries = self._session.settings.retries
        for left in range(retries, -1, -1):
            try:
                self._session.call(method, path, rule=ONCE)
            except errors.TinkerError as error:
                if is_done_by_404 and left < retries and type(error) is errors.NotFoundError:
                    return
                if not _is_unclear(error):
                    raise
                if self._read_says_done(is_done, error):
                    return
                if error.status == 409 or not left:
                    raise
            else:
                return
            time.sleep(backoff_s(retries - left))

    def _read_says_done(self, is_done: Callable[[], bool], error: errors.TinkerError) -> bool:
        """Ask the server for the state that an unclear write left; if even that fails, say that it is not known."""
        try:
            return is_done()
        except errors.TinkerError:
            hint = "Whether it was done is not known, since reading the state failed too: list the run before you repeat it."
        raise type(error)(error.what, status=error.status, url=error.url, hint=hint, retryable=False)

    def _archive(self, answer: Answer) -> Json:
        """Read where the archive is: the Location of a redirect, or the url of a JSON answer."""
        if 300 <= answer.status < 400:
            url, date = answer.headers.get("Location", ""), http_date(answer.headers.get("Expires"))
            expires = _iso(date) if date else ""
        else:
            body = _json(answer)
            url, expires = str(body.get("url") or ""), str(body.get("expires") or "")
        base = urlsplit(self._session.settings.base_url)
        target = _absolute(url, answer.url)
        if target.scheme != "https" and (target.scheme, target.netloc) != (base.scheme, base.netloc):
            raise errors.NotSupportedError(
                f"the server says that the archive is at a {target.scheme or 'missing'} URL, which cannot be trusted",
                status=answer.status,
                url=errors.without_query(answer.url),
                hint="Copy it on the server itself, or ask whoever runs it for an https address.",
            )
        return {"url": target.geturl(), "status": answer.status, "expires": expires or _in_a_quarter_of_an_hour()}


def _json(answer: Answer) -> Json:
    """Return the object in an answer."""
    try:
        body = answer.json()
    except (ValueError, RecursionError):
        body = None
    if isinstance(body, dict):
        return body
    raise errors.SchemaError("the answer is no JSON object", status=answer.status, url=errors.without_query(answer.url))


def _total(page: Json) -> int:
    """Return how many rows a page's cursor counts; 0 where there is none."""
    cursor = page.get("cursor")
    total = cursor.get("total_count") if isinstance(cursor, dict) else None
    return total if isinstance(total, int) else 0


def _is_unclear(error: errors.TinkerError) -> bool:
    """Tell whether a write that failed so may have been done nevertheless."""
    if error.status is None:
        return isinstance(error, errors.ConnectionFailedError)
    return error.status in (408, 409) or error.status >= 500


def _absolute(url: str, where: str) -> SplitResult:
    """Return the parts of an address that a server gave, joined to where it was asked; empty ones for what is none."""
    try:
        return urlsplit(urljoin(where, url) if url else "")
    except ValueError:
        return urlsplit("")


def _given(params: Mapping[str, Any]) -> Json:
    return {name: value for name, value in params.items() if value is not None}


def check_scope(access_scope: str | None) -> str | None:
    """Return the scope, or raise for one that no server knows."""
    if access_scope not in (None, "owned", "accessible"):
        raise errors.InvalidRequestError(
            f"access_scope={access_scope!r} is unknown", hint='Use "owned" or "accessible".'
        )
    return access_scope


def _is(row: Json, run: str, checkpoint_id: str) -> bool:
    """Tell whether a listed row is the checkpoint of this run and id; servers write the id with or without its segment."""
    ids = {row.get("checkpoint_id"), str(row.get("tinker_path", "")).removeprefix(f"tinker://{run}/")}
    return checkpoint_id in ids


def _in_a_quarter_of_an_hour() -> str:
    return _iso(datetime.now(UTC) + timedelta(minutes=15))


def _iso(date: datetime) -> str:
    return (date if date.tzinfo else date.replace(tzinfo=UTC)).astimezone(UTC).isoformat().replace("+00:00", "Z")


def _stamp(when: datetime | str) -> str:
    return when if isinstance(when, str) else _iso(when)
