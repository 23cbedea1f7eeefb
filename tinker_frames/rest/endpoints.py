"""One method per endpoint of the wire contract, returning the parsed JSON.

Single objects come through the cached session (`refresh=True` bypasses the cache). Pages are never cached one by one: a listing
made of pages of different ages would be inconsistent. Writes are never cached, and every write invalidates the cache.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from ..schema.arguments import check_argument, check_methods
from ..schema.catalog import CHECKPOINTS, SAMPLERS, SESSION_IDS, SESSIONS, TRAINING_RUNS
from ..schema.durations import check_ttl
from ..schema.paths import checkpoint_url, component, parse, run_url
from .endpoint_docs import document_endpoints
from .parameters import (
    AccessScope,
    EventType,
    Json,
    Write,
    check_event_type,
    check_page,
    check_scope,
    drop_none,
    format_bound,
    format_day,
    parse_ids,
)
from .progress import Progress
from .responses import parse_object
from .signed import read_archive, read_redirected
from .transport import Transport


@check_methods
@document_endpoints
class Rest:
    """The REST calls of one client, as `client.rest`: one method per endpoint.

    Parameters
    ----------
    transport
        Sends the reads.
    write
        Sends the writes; it is the one that plans use.
    """

    def __init__(self, transport: Transport, write: Write) -> None:
        self._transport, self._write = transport, write

    def __repr__(self) -> str:
        return f"<Rest {self._transport.settings.base_url}>"

    # ── reads ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def get_session(self, session_id: str, access_scope: AccessScope | None = None, *, refresh: bool = False) -> Json:
        """Return one session: `training_run_ids`, `sampler_ids`, `user_metadata`, `display_name`.

        Sends GET /api/v1/sessions/{session}; cached.

        Examples
        --------
        >>> client.rest.get_session(session_id)["training_run_ids"]
        """
        path = f"{SESSION_IDS.path}/{component(session_id, 'session id')}"
        return self._get_object(path, {"access_scope": check_scope(access_scope)}, refresh)

    def list_sessions(self, limit: int = 20, offset: int = 0, access_scope: AccessScope | None = None) -> Json:
        """Return one page of session ids: `{"sessions": [id, …]}`.

        Sends GET /api/v1/sessions; never cached. `client.sessions()` reads every page.

        Examples
        --------
        >>> client.rest.list_sessions(limit=5)["sessions"]
        """
        return self._get_page(
            SESSION_IDS.path, {"limit": limit, "offset": offset, "access_scope": check_scope(access_scope)}
        )

    def list_training_runs(
        self, limit: int = 20, offset: int = 0, access_scope: AccessScope | None = None, project_id: str | None = None
    ) -> Json:
        """Return one page of training runs: `{"training_runs": […], "cursor": …}`.

        Sends GET /api/v1/training_runs; never cached. `client.training_runs()` reads every page.

        Examples
        --------
        >>> client.rest.list_training_runs(limit=5)["training_runs"]
        """
        params = {"limit": limit, "offset": offset, "access_scope": check_scope(access_scope), "project_id": project_id}
        return self._get_page(TRAINING_RUNS.path, params)

    def get_training_run(
        self, training_run_id: str, access_scope: AccessScope | None = None, *, refresh: bool = False
    ) -> Json:
        """Return one training run: `training_run_id`, `base_model`, `is_lora`, `last_checkpoint` and so on.

        Sends GET /api/v1/training_runs/{run}; cached.

        Examples
        --------
        >>> client.rest.get_training_run(run_id)["base_model"]
        """
        return self._get_object(run_url(training_run_id), {"access_scope": check_scope(access_scope)}, refresh)

    def get_training_run_by_tinker_path(
        self, tinker_path: str, access_scope: AccessScope | None = None, *, refresh: bool = False
    ) -> Json:
        """Return the training run that a tinker path names, as `get_training_run` does.

        Sends GET /api/v1/training_runs/{run}; cached.

        Examples
        --------
        >>> client.rest.get_training_run_by_tinker_path(tinker_path)
        """
        return self.get_training_run(parse(tinker_path).training_run_id, access_scope, refresh=refresh)

    def list_checkpoints(self, training_run_id: str) -> Json:
        """Return a training run's checkpoints: all of them, or one page and a `cursor` on servers that page this list.

        Sends GET /api/v1/training_runs/{run}/checkpoints; never cached. `client.checkpoints(run_id)` reads every page.

        Examples
        --------
        >>> client.rest.list_checkpoints(run_id)["checkpoints"]
        """
        return self._get_page(f"{run_url(training_run_id)}/checkpoints", {})

    def list_user_checkpoints(self, limit: int = 100, offset: int = 0) -> Json:
        """Return one page of your checkpoints, newest first: `{"checkpoints": […], "cursor": …}`; sizes in bytes, times in UTC.

        Sends GET /api/v1/checkpoints; never cached. `client.checkpoints()` reads every page.

        Raises
        ------
        NotSupportedError
            If the server has no such list.

        Examples
        --------
        >>> client.rest.list_user_checkpoints(limit=5)["checkpoints"]
        """
        return self._get_page(CHECKPOINTS.path, {"limit": limit, "offset": offset})

    def get_sampler(self, sampler_id: str, *, refresh: bool = False) -> Json:
        """Return one sampler: `sampler_id`, `base_model`, `model_path`.

        Sends GET /api/v1/samplers/{sampler}; cached.

        Examples
        --------
        >>> client.rest.get_sampler(sampler_id)["model_path"]
        """
        return self._get_object(f"{SAMPLERS.path}/{component(sampler_id, 'sampler id')}", {}, refresh)

    def get_weights_info_by_tinker_path(self, tinker_path: str, *, refresh: bool = False) -> Json:
        """Return a checkpoint's base model and LoRA shape; also of other users' public checkpoints.

        Sends POST /api/v1/weights_info, which only reads, with the path as it is; cached.

        Examples
        --------
        >>> client.rest.get_weights_info_by_tinker_path(tinker_path)["lora_rank"]
        """
        body = {"tinker_path": tinker_path}
        return parse_object(
            self._transport.call("POST", "/api/v1/weights_info", body=body, cached=True, refresh=refresh)
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
        """Return one page of the sessions that match, newest first: `{"sessions": […], "next_cursor": …}`.

        Sends POST /api/v1/sessions/search, which only reads; never cached. `client.sessions()` reads every page.

        Parameters
        ----------
        session_id
            Only the session of this id.
        display_name
            Only the sessions of this name.
        project_ids
            Only the sessions of these projects.
        user_metadata
            Only the sessions whose metadata has these values.
        owner
            Whose sessions, e.g. `{"type": "own"}` or `{"type": "accessible"}`.
        statuses
            Only the sessions in one of these states, e.g. `[{"type": "active"}]`.

        Raises
        ------
        NotSupportedError
            If the server has no search.

        Examples
        --------
        >>> client.rest.search_sessions(statuses=[{"type": "active"}])["sessions"]
        """
        for status in statuses or ():
            check_argument("each of statuses", status, Mapping[str, Any])
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
        return parse_object(self._transport.call("POST", SESSIONS.path, body=check_page(drop_none(given))))

    def get_server_capabilities(self, *, refresh: bool = False) -> Json:
        """Return what the server offers this account, such as the models it may use.

        Sends GET /api/v1/get_server_capabilities; cached.

        Raises
        ------
        BillingError
            If billing is not set up for the organization.

        Examples
        --------
        >>> client.rest.get_server_capabilities()["supported_models"]
        """
        return self._get_object("/api/v1/get_server_capabilities", {}, refresh)

    def get_external_weights_urls(self, tinker_path: str) -> Json:
        """Return the signed URLs of an external export: `{"urls": {file: URL}, "expires": time in UTC}`.

        Sends GET /api/v1/training_runs/{run}/checkpoints/{ck}/external_weights_urls; never cached. Anybody can read the files with
        these URLs until they expire: do not print or store them.

        Examples
        --------
        >>> urls = client.rest.get_external_weights_urls(external_path)["urls"]
        """
        return self._get_page(self._build_checkpoint_url(tinker_path, None, "external_weights_urls"), {})

    def get_billing_usage_events(self, starting_on: datetime | str, ending_before: datetime | str) -> Json:
        """Return the usage of each UTC hour, for at most 14 days; for organization and billing admins.

        Sends GET /api/v1/billing/usage/events; never cached.

        Parameters
        ----------
        starting_on
            The first time, as text in ISO 8601 or a datetime with a time zone: `datetime.now(UTC)`, not `datetime.now()`.
        ending_before
            The time at which it ends, not included; in the same form.

        Raises
        ------
        InvalidRequestError
            If the server refuses the interval, e.g. as longer than 14 days; for a datetime without a time zone, before anything is sent.

        Examples
        --------
        >>> client.rest.get_billing_usage_events("2026-01-01T00:00:00Z", "2026-01-08T00:00:00Z")
        """
        return self._get_page(
            "/api/v1/billing/usage/events",
            {
                "starting_on": format_bound("starting_on", starting_on),
                "ending_before": format_bound("ending_before", ending_before),
            },
        )

    def get_current_checkpoint_usage(self, project_id: str | None = None) -> Json:
        """Return the bytes stored now and the rate in dollars per gigabyte and month, by project and owner.

        Sends GET /api/v1/billing/usage/checkpoints/current; never cached.

        Examples
        --------
        >>> client.rest.get_current_checkpoint_usage()["effective_rate_usd_per_gigabyte_month"]
        """
        return self._get_page("/api/v1/billing/usage/checkpoints/current", {"project_id": project_id})

    def get_audit_log(self, event_type: EventType = "all", day: date | str | None = None) -> Json:
        """Return the events of a UTC day, in the order of time: `{"entries": […]}`; for administrators.

        Sends GET /api/v1/audit; never cached. Where the answer is a redirect to a signed URL, it is read from there, without the key.

        Parameters
        ----------
        event_type
            Only the events of this kind.
        day
            The day, as a date, an ISO text or a time with a time zone; None for today.

        Raises
        ------
        InvalidRequestError
            For an unknown kind of events, and for what is not a day; then before anything is sent.
        NotSupportedError
            If the server has no audit log, or answers with an address that cannot be trusted.

        Examples
        --------
        >>> client.rest.get_audit_log("checkpoints", "2026-11-20")["entries"]
        """
        params = {"event_type": check_event_type(event_type), "day": format_day(day)}
        return read_redirected(self._transport, "/api/v1/audit", drop_none(params))

    def get_api_key_info(self) -> Json:
        """Return whose key it is: `key_id`, `name`, `note`, and `details` of the organization and the user; not the key.

        Sends GET /api/v1/auth/apikey/me; never cached.

        Examples
        --------
        >>> client.rest.get_api_key_info()["details"]["user_details"]["email"]
        """
        return self._get_page("/api/v1/auth/apikey/me", {})

    # as the official SDK's AdminClient calls them
    get_billing_usage = get_billing_usage_events
    get_current_checkpoint_storage_usage = get_current_checkpoint_usage

    def get_checkpoint_archive_url(
        self,
        path_or_run: str,
        checkpoint_id: str | None = None,
        *,
        max_retries: int = 6,
        retry_delay: float = 30.0,
        progress: Progress | None = None,
    ) -> Json:
        """Return the signed URL of a checkpoint's archive: `{"url": …, "status": HTTP status, "expires": time in UTC}`.

        Sends GET /api/v1/training_runs/{run}/checkpoints/{ck}/archive; never cached. While the archive is being built (503, 425, or 409),
        it is requested again. Anybody can read the archive with the URL until it expires: do not print or store it. Only https URLs and
        URLs of the server itself are returned.

        Parameters
        ----------
        max_retries
            Number of requests while the archive is being built.
        retry_delay
            Seconds between these requests.

        Raises
        ------
        NotSupportedError
            If the server answers with an address that cannot be trusted.
        ConflictError
            If the wait was cancelled, or the archive is still being built.

        Examples
        --------
        >>> url = client.rest.get_checkpoint_archive_url(tinker_path)["url"]
        """
        path = self._build_checkpoint_url(path_or_run, checkpoint_id, "archive")
        return read_archive(self._transport, path, max_retries, retry_delay, progress or Progress())

    # ── writes ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def delete_checkpoint(self, path_or_run: str, checkpoint_id: str | None = None) -> None:
        """Delete a checkpoint for good; this cannot be undone.

        Sends DELETE /api/v1/training_runs/{run}/checkpoints/{ck}. Like every write, it is sent as the rows of a plan are: repeated under
        one idempotency key, settled by reading the run after an unclear answer, and verified by reading it at the end.

        Examples
        --------
        >>> client.rest.delete_checkpoint(tinker_path)
        """
        self._write("delete", *parse_ids(path_or_run, checkpoint_id))

    def publish_checkpoint(self, tinker_path: str) -> None:
        """Make a checkpoint public: any Tinker user can then load it. One that is public already is not an error.

        Sends POST /api/v1/training_runs/{run}/checkpoints/{ck}/publish, as a plan does.

        Examples
        --------
        >>> client.rest.publish_checkpoint(tinker_path)
        """
        self._write("publish", *parse_ids(tinker_path))

    def unpublish_checkpoint(self, tinker_path: str) -> None:
        """Make a checkpoint private again; copies that others have made are not affected.

        Sends DELETE /api/v1/training_runs/{run}/checkpoints/{ck}/publish, as a plan does.

        Examples
        --------
        >>> client.rest.unpublish_checkpoint(tinker_path)
        """
        self._write("unpublish", *parse_ids(tinker_path))

    def set_checkpoint_ttl_from_tinker_path(self, tinker_path: str, ttl_seconds: int | None) -> None:
        """Set when a checkpoint expires, counted from now.

        Sends PUT /api/v1/training_runs/{run}/checkpoints/{ck}/ttl, as a plan does.

        Parameters
        ----------
        ttl_seconds
            Seconds from now, from an hour to ten years; None for never.

        Raises
        ------
        InvalidRequestError
            If the TTL is out of range; nothing is sent then.

        Examples
        --------
        >>> client.rest.set_checkpoint_ttl_from_tinker_path(tinker_path, 86_400)
        """
        if ttl_seconds is not None:
            ttl_seconds = check_ttl(ttl_seconds)
        self._write("set_ttl", *parse_ids(tinker_path), ttl_seconds)

    # ── how ──────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _get_object(self, path: str, params: Mapping[str, Any], refresh: bool) -> Json:
        return parse_object(self._transport.call("GET", path, params=drop_none(params), cached=True, refresh=refresh))

    def _get_page(self, path: str, params: Mapping[str, Any]) -> Json:
        return parse_object(self._transport.call("GET", path, params=check_page(drop_none(params))))

    def _build_checkpoint_url(self, path_or_run: str, checkpoint_id: str | None, action: str = "") -> str:
        """Return the URL path of a checkpoint named by tinker path, or by run and checkpoint id."""
        if checkpoint_id is not None:
            return checkpoint_url(path_or_run, checkpoint_id, action)
        parts = parse(path_or_run)
        return checkpoint_url(parts.training_run_id, parts.checkpoint_id, action)
