"""The routes of ModelScope Twinkle: no sessions, no user list, no TTL; publishing copies a checkpoint to a hub and leaves it private.

Times are local ones without a time zone, and a training run names the caller's own key as its owner.
"""

# No `from __future__ import annotations`: FastAPI evaluates the annotations of the handlers.
from typing import Annotated, Any

from fastapi import Query, Request, Response

from ..data.records import Checkpoint, Run
from ..data.state import ServiceError, State
from ..data.vocabulary import MODELS
from .dependencies import EndpointRouter, authenticate_twinkle, build_json, depend_on, get_backend, read_twinkle_key
from .request_models import WeightsInfo
from .serializers import build_cursor, format_local_time, serialize_checkpoint, serialize_run

router = EndpointRouter()

Account = Annotated[State, depend_on(authenticate_twinkle)]


@router.serve()
async def list_training_runs(
    request: Request, account: Account, limit: Annotated[int, Query()] = 20, offset: Annotated[int, Query()] = 0
) -> Response:
    """List the caller's training runs, most recently used first; there is no largest page."""
    rows = account.runs()
    runs = [_serialize_run(request, row) for row in rows[offset : offset + limit]]
    return build_json({"training_runs": runs, "cursor": build_cursor(limit, offset, len(rows))})


@router.serve()
async def get_training_run(request: Request, account: Account, run: str) -> Response:
    """Return a training run."""
    return build_json(_serialize_run(request, account.run(run)))


@router.serve()
async def list_checkpoints(request: Request, account: Account, run: str) -> Response:
    """List all checkpoints of a run in one response, oldest first, with a null cursor."""
    rows = account.run_checkpoints(account.run(run).training_run_id)
    return build_json({"checkpoints": [_serialize_checkpoint(request, row) for row in rows], "cursor": None})


@router.serve()
async def get_weights_info(account: Account, body: WeightsInfo) -> Response:
    """Return what is needed to load the weights of a checkpoint of either type."""
    row = account.find(body.tinker_path)
    if row is None or row.tinker_path != body.tinker_path:
        raise ServiceError(404, f"Weights at {body.tinker_path} not found")
    run = row.run
    return build_json({"base_model": run.base_model, "is_lora": run.is_lora, "lora_rank": run.lora_rank})


@router.serve()
async def publish_checkpoint(account: Account, run: str, checkpoint: str) -> Response:
    """Push a checkpoint to the caller's private repository on a hub; it stays private here, however often this is done."""
    _find_checkpoint(account, run, checkpoint)
    return Response(status_code=204)


# It takes the `/publish` of an unpublish as a part of the name, which does not exist.
@router.serve()
async def delete_checkpoint(account: Account, run: str, checkpoint: str) -> Response:
    """Delete a checkpoint permanently; the response is a 200 with a null."""
    account.delete(_find_checkpoint(account, run, checkpoint))
    return build_json(None)


@router.serve()
async def get_server_capabilities() -> Response:
    """List the base models."""
    return build_json({"supported_models": [{"model_name": model.name} for model in MODELS]})


def _find_checkpoint(account: State, run: str, checkpoint: str) -> Checkpoint:
    own = {row.key: row for row in account.run_checkpoints(account.run(run).training_run_id)}
    if checkpoint not in own:
        raise ServiceError(404, f"Checkpoint {checkpoint} not found for run {run}")
    return own[checkpoint]


def _serialize_run(request: Request, row: Run) -> dict[str, Any]:
    """Return Twinkle's JSON of a training run: its owner is the caller's key."""
    run = serialize_run(row, lambda checkpoint: _serialize_checkpoint(request, checkpoint))
    last_used = format_local_time(row.last_request_time, get_backend(request).switches.utc_offset)
    return run | {"model_owner": read_twinkle_key(request), "last_request_time": last_used}


def _serialize_checkpoint(request: Request, row: Checkpoint) -> dict[str, Any]:
    """Return Twinkle's JSON of a checkpoint: without an expiry, and never public."""
    content = serialize_checkpoint(row)
    del content["expires_at"]
    return content | {
        "time": format_local_time(row.time, get_backend(request).switches.utc_offset),
        "public": False,
        "user_metadata": row.run.user_metadata,
    }
