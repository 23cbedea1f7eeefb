"""One method per endpoint of the wire contract, returning the parsed JSON.

Single objects come through the cached session (`refresh=True` reads them anew). Pages are never cached one by one: a listing
made of pages of different ages would be inconsistent. Writes are never cached, and every write invalidates the cache.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, Protocol
from urllib.parse import SplitResult, urljoin, urlsplit

from .. import errors
from ..schema.catalog import CHECKPOINTS, SAMPLERS, SESSION_IDS, SESSIONS, TRAINING_RUNS
from ..schema.durations import check_ttl
from ..schema.paths import checkpoint_url, component, parse, parse_known, run_url
from .progress import Progress
from .retry import parse_http_date
from .session import Answer, Session

AccessScope = Literal["owned", "accessible"]
Json = dict[str, Any]


class Write(Protocol):
    """Sends one write until its outcome is known; raises if it was not carried out."""

    def __call__(self, action: str, training_run_id: str, checkpoint_id: str, ttl_seconds: int | None = None) -> None:
        """Send it."""


class Rest:
    """The REST calls of one client, as `client.rest`.

    Parameters
    ----------
    session
        Sends the reads.
    write
        Sends the writes; it is the one that plans use.
    """

    def __init__(self, session: Session, write: Write) -> None:
        self._session, self._write = session, write

    def __repr__(self) -> str:
        return f"<Rest {self._session.settings.base_url}>"

    # ── reads ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def get_session(self, session_id: str, access_scope: AccessScope | None = None, *, refresh: bool = False) -> Json:
        """GET /api/v1/sessions/{session}: `training_run_ids`, `sampler_ids`, `user_metadata`, `display_name`."""
        path = f"{SESSION_IDS.path}/{component(session_id, 'session id')}"
        return self._get_object(path, {"access_scope": check_scope(access_scope)}, refresh)

    def list_sessions(self, limit: int = 20, offset: int = 0, access_scope: AccessScope | None = None) -> Json:
        """GET /api/v1/sessions: one page, `{"sessions": [id, …]}`."""
        return self._get_page(
            SESSION_IDS.path, {"limit": limit, "offset": offset, "access_scope": check_scope(access_scope)}
        )

    def list_training_runs(
        self, limit: int = 20, offset: int = 0, access_scope: AccessScope | None = None, project_id: str | None = None
    ) -> Json:
        """GET /api/v1/training_runs: one page, `{"training_runs": […], "cursor": …}`."""
        params = {"limit": limit, "offset": offset, "access_scope": check_scope(access_scope), "project_id": project_id}
        return self._get_page(TRAINING_RUNS.path, params)

    def get_training_run(
        self, training_run_id: str, access_scope: AccessScope | None = None, *, refresh: bool = False
    ) -> Json:
        """GET /api/v1/training_runs/{run}."""
        return self._get_object(run_url(training_run_id), {"access_scope": check_scope(access_scope)}, refresh)

    def get_training_run_by_tinker_path(
        self, tinker_path: str, access_scope: AccessScope | None = None, *, refresh: bool = False
    ) -> Json:
        """GET /api/v1/training_runs/{run} of the run that a tinker path names."""
        return self.get_training_run(parse(tinker_path).training_run_id, access_scope, refresh=refresh)

    def list_checkpoints(self, training_run_id: str) -> Json:
        """GET /api/v1/training_runs/{run}/checkpoints: all of a run's, or one page and a `cursor` on servers that page it."""
        return self._get_page(f"{run_url(training_run_id)}/checkpoints", {})

    def list_user_checkpoints(self, limit: int = 100, offset: int = 0) -> Json:
        """GET /api/v1/checkpoints: one page of the caller's own, newest first, `{"checkpoints": […], "cursor": …}`."""
        return self._get_page(CHECKPOINTS.path, {"limit": limit, "offset": offset})

    def get_sampler(self, sampler_id: str, *, refresh: bool = False) -> Json:
        """GET /api/v1/samplers/{sampler}: `sampler_id`, `base_model`, `model_path`."""
        return self._get_object(f"{SAMPLERS.path}/{component(sampler_id, 'sampler id')}", {}, refresh)

    def get_weights_info_by_tinker_path(self, tinker_path: str, *, refresh: bool = False) -> Json:
        """POST /api/v1/weights_info, a read: base model and LoRA shape; also for other people's public checkpoints.

        The path is sent as it is.
        """
        body = {"tinker_path": tinker_path}
        return _parse_object(
            self._session.call("POST", "/api/v1/weights_info", body=body, cached=True, refresh=refresh)
        )

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
        return _parse_object(self._session.call("POST", SESSIONS.path, body=body))

    def get_server_capabilities(self, *, refresh: bool = False) -> Json:
        """GET /api/v1/get_server_capabilities: the models this account may use; 402 where billing is missing."""
        return self._get_object("/api/v1/get_server_capabilities", {}, refresh)

    def get_external_weights_urls(self, tinker_path: str) -> Json:
        """GET …/checkpoints/{ck}/external_weights_urls: `{"urls": {file: signed url}, "expires": …}`; never cached.

        The URLs let anybody read the files: do not print or store them.
        """
        return self._get_page(self._build_checkpoint_url(tinker_path, None, "external_weights_urls"), {})

    def get_billing_usage_events(self, starting_on: datetime | str, ending_before: datetime | str) -> Json:
        """GET /api/v1/billing/usage/events: usage by UTC hour, at most 14 days; for organization and billing admins."""
        return self._get_page(
            "/api/v1/billing/usage/events",
            {"starting_on": _format_bound(starting_on), "ending_before": _format_bound(ending_before)},
        )

    def get_current_checkpoint_usage(self, project_id: str | None = None) -> Json:
        """GET /api/v1/billing/usage/checkpoints/current: stored bytes and their rate, by project and owner."""
        return self._get_page("/api/v1/billing/usage/checkpoints/current", {"project_id": project_id})

    def get_checkpoint_archive_url(
        self,
        path_or_run: str,
        checkpoint_id: str | None = None,
        *,
        max_retries: int = 6,
        retry_delay: float = 30.0,
        progress: Progress | None = None,
    ) -> Json:
        """GET …/checkpoints/{ck}/archive: `{"url", "status", "expires"}`, by path or by run and checkpoint id; never cached.

        An archive that is still being built (503, 409 in progress, 425) is asked for again every `retry_delay` seconds,
        `max_retries` times in all. The URL lets anybody read the archive until it expires: do not print or store it.
        Only https URLs and ones of the server itself are returned.
        """
        path, progress = self._build_checkpoint_url(path_or_run, checkpoint_id, "archive"), progress or Progress()
        for left in range(max(max_retries, 1) - 1, -1, -1):
            try:
                answer = self._session.call("GET", path, repeat=False, redirects=True, progress=progress)
            except errors.TinkerError as error:
                if error.status not in (409, 425, 503) or not left:
                    raise
                progress.report_wait(retry_delay, f"the archive is being built; asking {left} more time(s)")
            else:
                return self._read_archive(answer)
            if progress.stop.wait(retry_delay):
                break
        raise errors.ConflictError("waiting for the archive was given up", url=self._session.settings.base_url + path)

    # ── writes ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def delete_checkpoint(self, path_or_run: str, checkpoint_id: str | None = None) -> None:
        """DELETE …/checkpoints/{ck}, by tinker path or by run and checkpoint id (taken verbatim). It cannot be undone.

        Like every write, it is sent as the rows of a plan are: repeated under one idempotency key, settled by reading the run
        after an unclear answer, and verified by reading it at the end.

        Raises
        ------
        NotFoundError
            If there is no such checkpoint.
        ConflictError
            Before anything is sent, if the server knows checkpoints by bare name and the run has two of that name.
        """
        self._write("delete", *self._parse_ids(path_or_run, checkpoint_id))

    def publish_checkpoint(self, tinker_path: str) -> None:
        """POST …/checkpoints/{ck}/publish: any Tinker user can then load it. One that is public already is not an error.

        Raises
        ------
        ConflictError
            Before anything is sent, if the server knows checkpoints by bare name and the run has two of that name.
        """
        self._write("publish", *self._parse_ids(tinker_path))

    def unpublish_checkpoint(self, tinker_path: str) -> None:
        """DELETE …/checkpoints/{ck}/publish: private again; copies that others made meanwhile stay."""
        self._write("unpublish", *self._parse_ids(tinker_path))

    def set_checkpoint_ttl_from_tinker_path(self, tinker_path: str, ttl_seconds: int | None) -> None:
        """PUT …/checkpoints/{ck}/ttl: it expires that many seconds from now (an hour to ten years); None: never.

        Raises
        ------
        InvalidRequestError
            For a TTL that is out of range, before anything is sent.
        """
        if ttl_seconds is not None:
            check_ttl(ttl_seconds)
        self._write("set_ttl", *self._parse_ids(tinker_path), ttl_seconds)

    # ── how ──────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _get_object(self, path: str, params: Mapping[str, Any], refresh: bool) -> Json:
        return _parse_object(self._session.call("GET", path, params=_drop_none(params), cached=True, refresh=refresh))

    def _get_page(self, path: str, params: Mapping[str, Any]) -> Json:
        return _parse_object(self._session.call("GET", path, params=_drop_none(params)))

    def _build_checkpoint_url(self, path_or_run: str, checkpoint_id: str | None, action: str = "") -> str:
        """Return the URL path of a checkpoint named by tinker path, or by run and checkpoint id."""
        if checkpoint_id is not None:
            return checkpoint_url(path_or_run, checkpoint_id, action)
        parts = parse(path_or_run)
        return checkpoint_url(parts.training_run_id, parts.checkpoint_id, action)

    @staticmethod
    def _parse_ids(path_or_run: str, checkpoint_id: str | None = None) -> tuple[str, str]:
        """Return run and checkpoint id of what a write names."""
        if checkpoint_id is not None:
            return path_or_run, checkpoint_id
        parts = parse_known(path_or_run)
        return parts.training_run_id, parts.checkpoint_id

    def _read_archive(self, answer: Answer) -> Json:
        """Read where the archive is: the Location of a redirect, or the url of a JSON answer."""
        if 300 <= answer.status < 400:
            url, date = answer.headers.get("Location", ""), parse_http_date(answer.headers.get("Expires"))
            expires = _format_utc(date) if date else ""
        else:
            body = _parse_object(answer)
            url, expires = str(body.get("url") or ""), str(body.get("expires") or "")
        base = urlsplit(self._session.settings.base_url)
        target = _resolve_url(url, answer.url)
        if target.scheme != "https" and (target.scheme, target.netloc) != (base.scheme, base.netloc):
            raise errors.NotSupportedError(
                f"the server says that the archive is at a {target.scheme or 'missing'} URL, which cannot be trusted",
                status=answer.status,
                url=errors.strip_query(answer.url),
                hint="Copy it on the server itself, or ask whoever runs it for an https address.",
            )
        return {"url": target.geturl(), "status": answer.status, "expires": expires or _default_archive_expiry()}


def _parse_object(answer: Answer) -> Json:
    """Return the object in an answer."""
    try:
        body = answer.json()
    except (ValueError, RecursionError):
        body = None
    if isinstance(body, dict):
        return body
    raise errors.SchemaError(
        "the answer is not a JSON object", status=answer.status, url=errors.strip_query(answer.url)
    )


def _resolve_url(url: str, where: str) -> SplitResult:
    """Return the parts of an address that a server gave, joined to where it was asked; empty ones if it is not a URL."""
    try:
        return urlsplit(urljoin(where, url) if url else "")
    except ValueError:
        return urlsplit("")


def _drop_none(params: Mapping[str, Any]) -> Json:
    return {name: value for name, value in params.items() if value is not None}


def check_scope(access_scope: str | None) -> str | None:
    """Return a valid scope; an unknown one raises."""
    if access_scope not in (None, "owned", "accessible"):
        raise errors.InvalidRequestError(
            f"access_scope={access_scope!r} is unknown", hint='Use "owned" or "accessible".'
        )
    return access_scope


def _default_archive_expiry() -> str:
    return _format_utc(datetime.now(UTC) + timedelta(minutes=15))


def _format_utc(date: datetime) -> str:
    return (date if date.tzinfo else date.replace(tzinfo=UTC)).astimezone(UTC).isoformat().replace("+00:00", "Z")


def _format_bound(when: datetime | str) -> str:
    return when if isinstance(when, str) else _format_utc(when)
