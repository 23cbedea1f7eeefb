"""The official service: what a client reads and writes of sessions, runs, checkpoints and samplers."""

# Annotations are evaluated here, since FastAPI reads them.
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request, Response

from ..data.state import RefusedError, State, split_id
from .bodies import SessionSearch, TimeToLive, WeightsInfo
from .context import Page, asynchronous, official_caller, paged, reply, service_of
from .search import found, next_cursor
from .storage import FILES, http_date, signed_url, url_expiry
from .wire import (
    checkpoints_body,
    cursor_of,
    official_checkpoint,
    run_shown,
    session_shown,
    stamp,
    summary_shown,
    weights_shown,
)

router = APIRouter(prefix="/api/v1")

Account = Annotated[State, asynchronous(official_caller)]
Scope = Literal["owned", "accessible"]
CHECKPOINT = "/training_runs/{run}/checkpoints/{checkpoint:path}"


@router.get("/sessions")
async def list_sessions(
    account: Account, page: Annotated[Page, Depends(paged("list_sessions", 20))], access_scope: Scope = "owned"
) -> Response:
    """Page through session ids."""
    return reply({"sessions": [row.session_id for row in page.of(account.sessions(access_scope))]})


@router.post("/sessions/search")
async def search_sessions(account: Account, body: SessionSearch) -> Response:
    """Search sessions of the projects that the caller can list."""
    if not set(body.project_ids or ()) <= set(account.projects):
        raise RefusedError(403, "You do not have access to one of these projects.")
    rows = found(account.sessions("accessible"), body.model_dump(), account.me.urn)
    shown = [summary_shown(row) for row in rows[: body.limit]]
    return reply({"sessions": shown, "next_cursor": next_cursor(rows, body.limit)})


@router.get("/sessions/{session}")
async def get_session(account: Account, session: str, access_scope: Scope = "owned") -> Response:
    """Show one session."""
    return reply(session_shown(account.session(session, access_scope)))


@router.get("/training_runs")
async def list_training_runs(
    account: Account,
    page: Annotated[Page, Depends(paged("list_training_runs", 20))],
    access_scope: Scope = "owned",
    project_id: str | None = None,
) -> Response:
    """Page through training runs."""
    rows = account.runs(access_scope, project_id)
    shown = [run_shown(row, official_checkpoint) for row in page.of(rows)]
    return reply({"training_runs": shown, "cursor": cursor_of(*page, len(rows))})


@router.get("/training_runs/{run}")
async def get_training_run(account: Account, run: str, access_scope: Scope = "owned") -> Response:
    """Show one training run."""
    return reply(run_shown(account.run(run, access_scope), official_checkpoint))


@router.get("/training_runs/{run}/checkpoints")
async def list_checkpoints(account: Account, run: str) -> Response:
    """List all checkpoints of an own run at once, newest first."""
    rows = account.run_checkpoints(account.run(run).training_run_id)
    return reply(checkpoints_body(reversed(rows), official_checkpoint, cursor=None))


@router.get("/checkpoints")
async def list_user_checkpoints(
    request: Request, account: Account, page: Annotated[Page, Depends(paged("list_user_checkpoints", 100))]
) -> Response:
    """Page through the checkpoints of all own runs, newest first."""
    external = service_of(request).switches.user_list_external
    rows, total = account.checkpoints_page(*page, None if external else {"training", "sampler"})
    return reply(checkpoints_body(rows, official_checkpoint, cursor=cursor_of(*page, total)))


@router.get("/samplers/{sampler}")
async def get_sampler(account: Account, sampler: str) -> Response:
    """Show one sampler."""
    row = account.sampler(sampler)
    return reply({"sampler_id": row.sampler_id, "base_model": row.base_model, "model_path": row.model_path})


@router.post("/weights_info")
async def get_weights_info(request: Request, account: Account, body: WeightsInfo) -> Response:
    """Tell what is needed to load weights, also other people's if they are public."""
    others = [state for state in service_of(request).states.values() if state is not account]
    row = account.find(body.tinker_path)
    row = row or next((row for state in others if (row := state.find(body.tinker_path, public_only=True))), None)
    if row is None:
        raise RefusedError(404, "Checkpoint not found.")
    return reply(weights_shown(row.run))


@router.post(CHECKPOINT + "/publish")
async def publish_checkpoint(request: Request, account: Account, run: str, checkpoint: str) -> Response:
    """Make a checkpoint public."""
    account.publish(account.checkpoint(run, split_id(checkpoint)))
    return _done(request)


@router.delete(CHECKPOINT + "/publish")
async def unpublish_checkpoint(request: Request, account: Account, run: str, checkpoint: str) -> Response:
    """Make a checkpoint private."""
    account.unpublish(account.checkpoint(run, split_id(checkpoint)))
    return _done(request)


@router.put(CHECKPOINT + "/ttl")
async def set_checkpoint_ttl(
    request: Request, account: Account, run: str, checkpoint: str, body: TimeToLive
) -> Response:
    """Let a checkpoint expire, or never."""
    account.set_ttl(account.checkpoint(run, split_id(checkpoint)), body.ttl_seconds)
    return _done(request)


@router.get(CHECKPOINT + "/archive")
async def get_checkpoint_archive_url(request: Request, account: Account, run: str, checkpoint: str) -> Response:
    """Sign a URL of the archive of a checkpoint, once it is built."""
    row, service = account.checkpoint(run, split_id(checkpoint)), service_of(request)
    service.asked[row.tinker_path] += 1
    asked, switches = service.asked[row.tinker_path], service.switches
    if asked <= switches.archive_busy:
        words = f"Archive creation already in progress. Started {asked * 5} seconds ago."
        raise RefusedError(409, words)
    if asked <= switches.archive_busy + switches.archive_building:
        raise RefusedError(503, "Archive is being built; try again later.")
    url, expires = signed_url(request, row, "archive.tar"), url_expiry(request, account.now())
    if switches.archive == "json":
        return reply({"url": url, "expires": stamp(expires)})
    return Response(status_code=302, headers={"Location": url, "Expires": http_date(expires)})


@router.get(CHECKPOINT + "/external_weights_urls")
async def get_external_weights_urls(request: Request, account: Account, run: str, checkpoint: str) -> Response:
    """Sign a URL of every file of an external checkpoint."""
    row = account.checkpoint(run, split_id(checkpoint))
    if row.kind != "external":
        raise RefusedError(400, "Only external checkpoints have these URLs.")
    urls = {file: signed_url(request, row, file) for file in FILES}
    return reply({"urls": urls, "expires": stamp(url_expiry(request, account.now()))})


@router.delete(CHECKPOINT)
async def delete_checkpoint(request: Request, account: Account, run: str, checkpoint: str) -> Response:
    """Delete a checkpoint for ever."""
    account.delete(account.checkpoint(run, split_id(checkpoint)))
    return _done(request)


def _done(request: Request) -> Response:
    status = service_of(request).switches.write_status
    return Response(status_code=204) if status == 204 else reply(None, status)
