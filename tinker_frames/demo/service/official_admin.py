"""The official service: who is asking, sessions coming and going, copies, billing, storage cost and audit."""

import hashlib
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response

from ..data.state import RefusedError, State
from ..data.vocabulary import MODELS
from . import ledger
from .bodies import CopyWeights, Heartbeat, NewSession, ProjectChoice
from .context import asynchronous, official_caller, reply, service_of

router = APIRouter(prefix="/api/v1")

caller = asynchronous(official_caller)
Account = Annotated[State, caller]


@router.get("/get_server_capabilities", dependencies=[caller])
async def get_server_capabilities() -> Response:
    """List the base models."""
    models = [
        {"model_name": model.name, "max_context_length": model.context, "trainable": True, "sampleable": True}
        for model in MODELS
    ]
    return reply({"supported_models": models})


@router.get("/healthz")
async def health_check() -> Response:
    """Say that the server is up."""
    return reply({"status": "ok"})


@router.post("/client/config", dependencies=[caller])
async def get_client_config(request: Request) -> Response:
    """Tell how clients are to behave."""
    switches = service_of(request).switches
    return reply(
        {
            "pjwt_auth_enabled": switches.pjwt_auth_enabled,
            "credential_default_source": switches.credential_default_source,
            "use_pyqwest_transport": True,
            "sample_max_concurrent_requests": 2000,
        }
    )


@router.post("/client/dynamic_config", dependencies=[caller])
async def get_client_dynamic_config() -> Response:
    """Tell what may change while a client lives."""
    return reply({"refresh_interval_sec": 300, "sample_cancel_enabled": False})


@router.post("/auth/token")
async def get_auth_token(request: Request, account: Account) -> Response:
    """Exchange a credential for a JWT."""
    service, me = service_of(request), account.me
    claims = {"iss": "passport-demo", "sub": me.urn, "org_id": account.organization, "email": me.email}
    return reply({"jwt": service.tokens.mint(service.switches.jwt_lifetime, **claims)})


@router.get("/auth/apikey/me")
async def get_api_key(request: Request, account: Account) -> Response:
    """Tell about the key that was presented."""
    key = service_of(request).key_of(request.headers.get("x-api-key", "")) or ""
    details = {"org_details": {"name": "Demo Lab"}, "user_details": {"email": account.me.email}}
    number = int(hashlib.sha256(key.encode()).hexdigest()[:6], 16)
    return reply({"key_id": number, "name": "demo", "note": "", "details": details})


@router.post("/create_session")
async def create_session(account: Account, body: NewSession) -> Response:
    """Begin a session."""
    named = {"display_name": body.display_name, "user_metadata": body.user_metadata}
    row = account.add_session(project_id=body.project_id, **named)
    return reply({"type": "create_session", "session_id": row.session_id})


@router.post("/session_heartbeat")
async def session_heartbeat(account: Account, body: Heartbeat) -> Response:
    """Keep a session alive."""
    account.session(body.session_id)
    return reply({"type": "session_heartbeat"})


@router.post("/sessions/{session}/finish")
async def finish_session(account: Account, session: str) -> Response:
    """End a session as its client wishes."""
    account.session(session).status = {"type": "client_finished", "reason": {"type": "success"}, "detail": None}
    return reply({})


@router.post("/telemetry", dependencies=[caller])
async def send_telemetry() -> Response:
    """Take telemetry and forget it."""
    return reply({"status": "accepted"})


@router.put("/sessions/{session}/project")
async def assign_session_project(account: Account, session: str, body: ProjectChoice) -> Response:
    """Move a session to another project."""
    account.assign_project(session, body.project_id)
    return Response(status_code=204)


@router.get("/sessions/{session}/trace_export")
async def export_session_trace(request: Request, account: Account, session: str) -> Response:
    """Start the export of a trace at the first call, and tell of it at the later ones."""
    service, row = service_of(request), account.session(session)
    service.asked[row.session_id] += 1
    if service.asked[row.session_id] <= service.switches.trace_polls:
        return reply({"status": "pending"})
    path = f"/storage/traces/{row.session_id}/trace.pftrace"
    url = f"{str(request.base_url).rstrip('/')}{path}?X-Sig={service.tokens.sign(path)}"
    return reply({"status": "ready", "url": url})


@router.post("/copy_weights")
async def copy_weights(request: Request, account: Account, body: CopyWeights) -> Response:
    """Copy weights to a project; the same idempotency key gives the same copy."""
    service, key = service_of(request), request.headers.get("x-idempotency-key", "")
    if key and key in service.copies:
        return reply({"tinker_path": service.copies[key]})
    source = account.find(body.source_path)
    if source is None:
        raise RefusedError(403, "You do not have access to these weights.")
    row = account.copy(source, body.destination_project_id, body.ttl_seconds)
    service.copies[key] = row.tinker_path
    return reply({"tinker_path": row.tinker_path})


@router.get("/billing/usage/events")
async def get_billing_usage(
    request: Request, account: Account, starting_on: datetime, ending_before: datetime
) -> Response:
    """Tell the usage of each hour."""
    _administer(request)
    start, end = (moment.replace(tzinfo=moment.tzinfo or UTC) for moment in (starting_on, ending_before))
    if any(moment.minute or moment.second or moment.microsecond for moment in (start, end)):
        raise RefusedError(400, "starting_on and ending_before must be on an hour boundary (UTC).")
    if start > account.now():
        raise RefusedError(400, "starting_on must not be in the future.")
    if not timedelta(0) < end - start <= timedelta(days=14):
        raise RefusedError(400, "The span must be longer than nothing and at most 14 days.")
    return reply(ledger.usage(account, start, end))


@router.get("/billing/usage/checkpoints/current")
async def get_current_checkpoint_storage_usage(
    request: Request, account: Account, project_id: str | None = None
) -> Response:
    """Tell what is stored now, by project and owner."""
    _administer(request)
    return reply(ledger.storage(account, project_id))


@router.get("/audit")
async def get_audit_log(
    request: Request,
    account: Account,
    event_type: Literal["all", "checkpoints", "projects", "teams", "organizations"] = "all",
    day: Annotated[date | None, Query()] = None,
) -> Response:
    """Tell what was done on one day."""
    _administer(request)
    start = datetime.combine(day or account.now().date(), time(), UTC)
    entries = ledger.audit(account, start) if event_type in {"all", "checkpoints"} else []
    return reply({"entries": entries})


def _administer(request: Request) -> None:
    if not service_of(request).switches.admin:
        raise RefusedError(403, "This needs the role of an administrator.")
