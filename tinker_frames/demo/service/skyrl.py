"""The routes of SkyRL 0.3.0, without authentication, sessions and writes; and of its later source, which can delete."""

# No `from __future__ import annotations`: FastAPI evaluates the annotations of the handlers.
import re
from datetime import timedelta
from typing import Annotated, Literal

from fastapi import Path, Query, Request, Response

from ..data.records import KINDS, SEGMENTS, Checkpoint, Run
from ..data.state import ServiceError, State
from ..data.vocabulary import MODELS
from .client_routes import CLIENT_CONFIG
from .dependencies import EndpointRouter, build_json, depend_on, select_skyrl_account
from .request_models import WeightsInfo
from .serializers import (
    build_cursor,
    encode_checkpoints,
    serialize_sampler,
    serialize_skyrl_checkpoint,
    serialize_skyrl_run,
)
from .storage import build_archive, format_http_date

router, main_router = EndpointRouter(), EndpointRouter()

Account = Annotated[State, depend_on(select_skyrl_account)]
ID_PATTERN, ID_LENGTH = r"^[a-zA-Z0-9_-]+$", 255
PATH_KINDS = {segment: kind for segment, kind in KINDS.items() if kind != "external"}
Id = Annotated[str, Path(pattern=ID_PATTERN, max_length=ID_LENGTH)]
Kind = Literal["training", "sampler"]
CHECKPOINT = "/api/v1/training_runs/{run}/checkpoints/{checkpoint}"  # SkyRL matches no id with a segment


@router.serve()
async def list_training_runs(
    account: Account, limit: Annotated[int, Query()] = 20, offset: Annotated[int, Query()] = 0
) -> Response:
    """List training runs; a limit of -1 means all, and the total of an empty page is 0."""
    rows = sorted(account.runs("accessible"), key=lambda row: row.training_run_id)
    page = rows[max(0, offset) :]
    page = page if limit < 0 else page[:limit]
    cursor = build_cursor(limit, offset, len(rows) if page else 0)
    return build_json({"training_runs": [serialize_skyrl_run(row) for row in page], "cursor": cursor})


@router.serve()
async def get_training_run(account: Account, run: str) -> Response:
    """Return a training run."""
    return build_json(serialize_skyrl_run(account.run(run, "accessible")))


@router.serve()
async def list_checkpoints(account: Account, run: Id) -> Response:
    """List the completed checkpoints of a run in one response; none if there is no such run."""
    return build_json(encode_checkpoints(account.run_checkpoints(run), serialize_skyrl_checkpoint))


@router.serve()
async def list_model_checkpoints(account: Account, run: Id) -> Response:
    """List the completed checkpoints of a run by SkyRL's other path."""
    return build_json(encode_checkpoints(account.run_checkpoints(run), serialize_skyrl_checkpoint))


@router.serve()
async def get_sampler(account: Account, sampler: str) -> Response:
    """Return a sampler."""
    return build_json(serialize_sampler(account.sampler(sampler)))


@router.serve()
async def get_weights_info(account: Account, body: WeightsInfo) -> Response:
    """Return what is needed to load the weights of a training checkpoint."""
    run_id, _, key = body.tinker_path.removeprefix("tinker://").partition("/")
    if not body.tinker_path.startswith("tinker://") or not key.startswith("weights/"):
        raise ServiceError(400, "Invalid model path format")
    run = account.run(run_id, "accessible")
    _require_completed(run.checkpoints.get(key))
    return build_json({"base_model": run.base_model, "is_lora": run.is_lora, "lora_rank": run.lora_rank})


@router.serve(CHECKPOINT + "/archive")
async def get_checkpoint_archive_url(request: Request, account: Account, run: Id, checkpoint: Id) -> Response:
    """Redirect to the download of a sampler checkpoint."""
    _require_completed(_find_sampler_checkpoint(account.run(run, "accessible"), checkpoint))
    location = f"{str(request.base_url).rstrip('/')}/api/v1/training_runs/{run}/checkpoints/{checkpoint}/download"
    expires = format_http_date(account.now() + timedelta(minutes=120))
    return Response(status_code=302, headers={"Location": location, "Expires": expires})


@router.serve(CHECKPOINT + "/download")
async def download_checkpoint(account: Account, run: Id, checkpoint: Id) -> Response:
    """Return the archive of a sampler checkpoint."""
    _require_completed(_find_sampler_checkpoint(account.run(run, "accessible"), checkpoint))
    return Response(build_archive(), media_type="application/octet-stream")


# It takes the `/publish` of an unpublish as a part of the name, which may have no slash.
@main_router.serve()
async def delete_checkpoint(
    account: Account, run: Id, checkpoint: str, checkpoint_type: Annotated[Kind | None, Query()] = None
) -> Response:
    """Delete a checkpoint permanently, of the type given by its id or the query; the types are distinguished."""
    row = account.checkpoint(run, _find_key(checkpoint, checkpoint_type))
    _require_completed(row)
    account.delete(row)
    return Response(status_code=204)


@router.serve()
async def get_server_capabilities() -> Response:
    """List the names of the base models."""
    return build_json({"supported_models": [{"model_name": model.name} for model in MODELS]})


@router.serve()
async def get_client_config() -> Response:
    """Return the configuration of clients; the request body is optional."""
    return build_json(CLIENT_CONFIG)


def _find_key(checkpoint: str, kind: Kind | None) -> str:
    """Return a checkpoint id with its segment, which a bare name has by the type in the query."""
    segment, slash, name = checkpoint.partition("/")
    if not slash:
        segment, name = SEGMENTS[kind] if kind else "", checkpoint
    elif segment not in PATH_KINDS:
        raise ServiceError(400, f"Invalid checkpoint path: {checkpoint}")
    elif kind not in {None, PATH_KINDS[segment]}:
        raise ServiceError(400, "checkpoint_type does not match checkpoint path")
    if not re.fullmatch(ID_PATTERN, name) or len(name) > ID_LENGTH:
        raise ServiceError(422, "Invalid checkpoint_id")
    if not segment:
        raise ServiceError(400, "Invalid checkpoint identifier. Expected format 'weights/<name>'")
    return f"{segment}/{name}"


def _find_sampler_checkpoint(run: Run, name: str) -> Checkpoint | None:
    return run.checkpoints.get(f"sampler_weights/{name}")


def _require_completed(row: Checkpoint | None) -> None:
    if row is None:
        raise ServiceError(404, "Checkpoint not found")
    if row.pending:
        raise ServiceError(425, "Checkpoint is still being created")
