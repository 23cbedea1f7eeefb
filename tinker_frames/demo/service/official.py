"""The routes of the official service."""

# No `from __future__ import annotations`: FastAPI evaluates the annotations of the handlers.
import hashlib
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Literal

from fastapi import Query, Request, Response

from ..data.state import ServiceError, State, check_checkpoint_id
from ..data.vocabulary import MODELS
from .dependencies import (
    EndpointRouter,
    Page,
    authenticate_official,
    build_json,
    depend_on,
    depend_on_page,
    get_backend,
)
from .reports import list_audit_entries, report_storage, report_usage
from .request_models import (
    CopyWeights,
    Heartbeat,
    NewSession,
    ProjectChoice,
    SessionSearch,
    TimeToLive,
    WeightsInfo,
)
from .search import build_next_cursor, filter_sessions
from .serializers import (
    build_cursor,
    encode_checkpoints,
    encode_json,
    format_time,
    serialize_checkpoint,
    serialize_run,
    serialize_sampler,
    serialize_session,
    serialize_session_summary,
    serialize_weights_info,
)
from .storage import FILES, compute_url_expiry, format_http_date, sign_document_url, sign_file_url, sign_url

router = EndpointRouter()

caller = depend_on(authenticate_official)
Account = Annotated[State, caller]
Scope = Literal["owned", "accessible"]


# Sessions


@router.serve()
async def list_sessions(
    account: Account, page: Annotated[Page, depend_on_page("list_sessions", 20)], access_scope: Scope = "owned"
) -> Response:
    """List session ids, newest first."""
    return build_json({"sessions": [row.session_id for row in page.slice(account.sessions(access_scope))]})


@router.serve()
async def search_sessions(account: Account, body: SessionSearch) -> Response:
    """Search the sessions of the projects that the caller can list."""
    if not set(body.project_ids or ()) <= set(account.projects):
        raise ServiceError(403, "You do not have access to one of these projects.")
    rows = filter_sessions(account.sessions("accessible"), body.model_dump(), account.me.urn)
    sessions = [serialize_session_summary(row) for row in rows[: body.limit]]
    return build_json({"sessions": sessions, "next_cursor": build_next_cursor(rows, body.limit)})


@router.serve()
async def get_session(account: Account, session: str, access_scope: Scope = "owned") -> Response:
    """Return a session."""
    return build_json(serialize_session(account.session(session, access_scope)))


@router.serve()
async def create_session(account: Account, body: NewSession) -> Response:
    """Start a session."""
    fields = {"display_name": body.display_name, "user_metadata": body.user_metadata}
    row = account.add_session(project_id=body.project_id, **fields)
    return build_json({"type": "create_session", "session_id": row.session_id})


@router.serve()
async def session_heartbeat(account: Account, body: Heartbeat) -> Response:
    """Keep a session active."""
    account.session(body.session_id)
    return build_json({"type": "session_heartbeat"})


@router.serve()
async def finish_session(account: Account, session: str) -> Response:
    """Finish a session."""
    account.session(session).status = {"type": "client_finished", "reason": {"type": "success"}, "detail": None}
    return build_json({})


@router.serve()
async def assign_session_project(account: Account, session: str, body: ProjectChoice) -> Response:
    """Move a session to another project."""
    account.assign_project(session, body.project_id)
    return Response(status_code=204)


@router.serve()
async def export_session_trace(request: Request, account: Account, session: str) -> Response:
    """Start a trace export with the first request, and return its status."""
    backend, row = get_backend(request), account.session(session)
    backend.polls[row.session_id] += 1
    if backend.polls[row.session_id] <= backend.switches.trace_polls:
        return build_json({"status": "pending"})
    return build_json({"status": "ready", "url": sign_url(request, f"/storage/traces/{row.session_id}/trace.pftrace")})


@router.serve()
async def get_sampler(account: Account, sampler: str) -> Response:
    """Return a sampler."""
    return build_json(serialize_sampler(account.sampler(sampler)))


# Training runs and checkpoints


@router.serve()
async def list_training_runs(
    account: Account,
    page: Annotated[Page, depend_on_page("list_training_runs", 20)],
    access_scope: Scope = "owned",
    project_id: str | None = None,
) -> Response:
    """List training runs, most recently used first."""
    rows = account.runs(access_scope, project_id)
    runs = [serialize_run(row) for row in page.slice(rows)]
    return build_json({"training_runs": runs, "cursor": build_cursor(*page, len(rows))})


@router.serve()
async def get_training_run(account: Account, run: str, access_scope: Scope = "owned") -> Response:
    """Return a training run."""
    return build_json(serialize_run(account.run(run, access_scope)))


@router.serve()
async def list_checkpoints(account: Account, run: str) -> Response:
    """List all checkpoints of one of the caller's runs in one response, newest first."""
    rows = account.run_checkpoints(account.run(run).training_run_id)
    return build_json(encode_checkpoints(reversed(rows), serialize_checkpoint, cursor=None))


@router.serve()
async def list_user_checkpoints(
    request: Request, account: Account, page: Annotated[Page, depend_on_page("list_user_checkpoints", 100)]
) -> Response:
    """List the checkpoints of all runs of the caller, newest first."""
    external = get_backend(request).switches.user_list_external
    rows, total = account.checkpoints_page(*page, None if external else {"training", "sampler"})
    return build_json(encode_checkpoints(rows, serialize_checkpoint, cursor=build_cursor(*page, total)))


@router.serve()
async def get_weights_info(request: Request, account: Account, body: WeightsInfo) -> Response:
    """Return what is needed to load weights; those of other accounts must be public."""
    others = [state for state in get_backend(request).states.values() if state is not account]
    row = account.find(body.tinker_path)
    row = row or next((row for state in others if (row := state.find(body.tinker_path, public_only=True))), None)
    if row is None:
        raise ServiceError(404, "Checkpoint not found.")
    return build_json(serialize_weights_info(row.run))


@router.serve()
async def publish_checkpoint(request: Request, account: Account, run: str, checkpoint: str) -> Response:
    """Make a checkpoint public."""
    account.publish(account.checkpoint(run, check_checkpoint_id(checkpoint)))
    return _build_write_response(request)


@router.serve()
async def unpublish_checkpoint(request: Request, account: Account, run: str, checkpoint: str) -> Response:
    """Make a checkpoint private."""
    account.unpublish(account.checkpoint(run, check_checkpoint_id(checkpoint)))
    return _build_write_response(request)


@router.serve()
async def set_checkpoint_ttl(
    request: Request, account: Account, run: str, checkpoint: str, body: TimeToLive
) -> Response:
    """Set or remove the expiry of a checkpoint."""
    account.set_ttl(account.checkpoint(run, check_checkpoint_id(checkpoint)), body.ttl_seconds)
    return _build_write_response(request)


@router.serve()
async def get_checkpoint_archive_url(request: Request, account: Account, run: str, checkpoint: str) -> Response:
    """Return a signed URL of the archive of a checkpoint, once it is built."""
    row, backend = account.checkpoint(run, check_checkpoint_id(checkpoint)), get_backend(request)
    backend.polls[row.tinker_path] += 1
    polls, switches = backend.polls[row.tinker_path], backend.switches
    if polls <= switches.archive_busy:
        raise ServiceError(409, f"Archive creation already in progress. Started {polls * 5} seconds ago.")
    if polls <= switches.archive_busy + switches.archive_building:
        raise ServiceError(503, "Archive is being built; try again later.")
    url, expires = sign_file_url(request, row, "archive.tar"), compute_url_expiry(request, account.now())
    if switches.archive == "json":
        return build_json({"url": url, "expires": format_time(expires)})
    return Response(status_code=302, headers={"Location": url, "Expires": format_http_date(expires)})


@router.serve()
async def get_external_weights_urls(request: Request, account: Account, run: str, checkpoint: str) -> Response:
    """Return a signed URL for each file of an external checkpoint."""
    row = account.checkpoint(run, check_checkpoint_id(checkpoint))
    if row.kind != "external":
        raise ServiceError(400, "Only external checkpoints have these URLs.")
    urls = {file: sign_file_url(request, row, file) for file in FILES}
    return build_json({"urls": urls, "expires": format_time(compute_url_expiry(request, account.now()))})


@router.serve()
async def delete_checkpoint(request: Request, account: Account, run: str, checkpoint: str) -> Response:
    """Delete a checkpoint permanently."""
    account.delete(account.checkpoint(run, check_checkpoint_id(checkpoint)))
    return _build_write_response(request)


def _build_write_response(request: Request) -> Response:
    status = get_backend(request).switches.write_status
    return Response(status_code=204) if status == 204 else build_json(None, status)


@router.serve()
async def copy_weights(request: Request, account: Account, body: CopyWeights) -> Response:
    """Copy weights to a project; a repeated idempotency key returns the first copy."""
    backend, key = get_backend(request), request.headers.get("x-idempotency-key", "")
    if key and key in backend.copies:
        return build_json({"tinker_path": backend.copies[key]})
    source = account.find(body.source_path)
    if source is None:
        raise ServiceError(403, "You do not have access to these weights.")
    row = account.copy(source, body.destination_project_id, body.ttl_seconds)
    backend.copies[key] = row.tinker_path
    return build_json({"tinker_path": row.tinker_path})


# Server, configuration and credentials


@router.serve(dependencies=[caller])
async def get_server_capabilities() -> Response:
    """List the base models."""
    models = [
        {"model_name": model.name, "max_context_length": model.context, "trainable": True, "sampleable": True}
        for model in MODELS
    ]
    return build_json({"supported_models": models})


@router.serve()
async def health_check() -> Response:
    """Report that the server is up."""
    return build_json({"status": "ok"})


@router.serve(dependencies=[caller])
async def get_client_config(request: Request) -> Response:
    """Return the configuration of clients."""
    switches = get_backend(request).switches
    return build_json(
        {
            "pjwt_auth_enabled": switches.pjwt_auth_enabled,
            "credential_default_source": switches.credential_default_source,
            "use_pyqwest_transport": True,
            "sample_max_concurrent_requests": 2000,
        }
    )


@router.serve(dependencies=[caller])
async def get_client_dynamic_config() -> Response:
    """Return the configuration that clients refresh."""
    return build_json({"refresh_interval_sec": 300, "sample_cancel_enabled": False})


@router.serve()
async def get_auth_token(request: Request, account: Account) -> Response:
    """Exchange a credential for a JWT."""
    backend, me = get_backend(request), account.me
    claims = {"iss": "passport-demo", "sub": me.urn, "org_id": account.organization, "email": me.email}
    return build_json({"jwt": backend.tokens.issue(backend.switches.jwt_lifetime, **claims)})


@router.serve()
async def get_api_key(request: Request, account: Account) -> Response:
    """Describe the API key of the request."""
    key = get_backend(request).find_key(request.headers.get("x-api-key", "")) or ""
    details = {"org_details": {"name": "Demo Lab"}, "user_details": {"email": account.me.email}}
    number = int(hashlib.sha256(key.encode()).hexdigest()[:6], 16)
    return build_json({"key_id": number, "name": "demo", "note": "", "details": details})


@router.serve(dependencies=[caller])
async def send_telemetry() -> Response:
    """Accept telemetry and discard it."""
    return build_json({"status": "accepted"})


# Billing and audit


@router.serve()
async def get_billing_usage(
    request: Request, account: Account, starting_on: datetime, ending_before: datetime
) -> Response:
    """Return the usage per hour."""
    _require_admin(request)
    start, end = (bound.replace(tzinfo=bound.tzinfo or UTC) for bound in (starting_on, ending_before))
    _check_interval(start, end, account.now())
    return build_json(report_usage(account, start, end))


def _check_interval(start: datetime, end: datetime, now: datetime) -> None:
    if any(bound.minute or bound.second or bound.microsecond for bound in (start, end)):
        raise ServiceError(400, "starting_on and ending_before must be on an hour boundary (UTC).")
    if start > now:
        raise ServiceError(400, "starting_on must not be in the future.")
    if not timedelta(0) < end - start <= timedelta(days=14):
        raise ServiceError(400, "ending_before must be later than starting_on, by at most 14 days.")


@router.serve()
async def get_current_checkpoint_storage_usage(
    request: Request, account: Account, project_id: str | None = None
) -> Response:
    """Return the current storage usage by project and session owner."""
    _require_admin(request)
    return build_json(report_storage(account, project_id))


@router.serve()
async def get_audit_log(
    request: Request,
    account: Account,
    event_type: Literal["all", "checkpoints", "projects", "teams", "organizations"] = "all",
    day: Annotated[date | None, Query()] = None,
) -> Response:
    """Return the audit log of a day."""
    _require_admin(request)
    start = datetime.combine(day or account.now().date(), time(), UTC)
    entries = list_audit_entries(account, start) if event_type in {"all", "checkpoints"} else []
    if get_backend(request).switches.audit == "json":
        return build_json({"entries": entries})
    url = sign_document_url(request, f"/storage/audit/{event_type}/{start:%Y-%m-%d}", encode_json({"entries": entries}))
    return Response(status_code=302, headers={"Location": url})


def _require_admin(request: Request) -> None:
    if not get_backend(request).switches.admin:
        raise ServiceError(403, "This requires the administrator role.")
