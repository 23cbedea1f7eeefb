"""SkyRL 0.3.0 as observed: no keys, no sessions, no writes; runs, their checkpoints, and archives of samplers."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from ..data.records import Checkpoint, Run
from ..data.state import RefusedError, State
from ..data.vocabulary import MODELS
from .bodies import WeightsInfo
from .context import any_caller, asynchronous, reply
from .storage import archive, http_date
from .wire import checkpoints_body, cursor_of, skyrl_checkpoint, skyrl_run

router = APIRouter(prefix="/api/v1")

Account = Annotated[State, asynchronous(any_caller)]
Id = Annotated[str, Path(pattern=r"^[a-zA-Z0-9_-]+$", max_length=255)]
ARCHIVE = "/training_runs/{run}/checkpoints/{checkpoint}"


@router.get("/training_runs")
async def list_training_runs(
    account: Account, limit: Annotated[int, Query()] = 20, offset: Annotated[int, Query()] = 0
) -> Response:
    """Page through training runs; -1 means all, and the total of an empty page is 0."""
    rows = sorted(account.runs("accessible"), key=lambda row: row.training_run_id)
    page = rows[max(0, offset) :]
    page = page if limit < 0 else page[:limit]
    total = len(rows) if page else 0
    return reply({"training_runs": [skyrl_run(row) for row in page], "cursor": cursor_of(limit, offset, total)})


@router.get("/training_runs/{run}")
async def get_training_run(account: Account, run: str) -> Response:
    """Show one training run."""
    return reply(skyrl_run(account.run(run, "accessible")))


@router.get("/training_runs/{run}/checkpoints")
async def list_checkpoints(account: Account, run: Id) -> Response:
    """List the finished checkpoints of a run at once; none if there is no such run."""
    return reply(checkpoints_body(account.run_checkpoints(run), skyrl_checkpoint))


@router.get("/models/{run}/checkpoints")
async def list_model_checkpoints(account: Account, run: Id) -> Response:
    """List the same under the other name of a run."""
    return reply(checkpoints_body(account.run_checkpoints(run), skyrl_checkpoint))


@router.get("/samplers/{sampler}")
async def get_sampler(account: Account, sampler: str) -> Response:
    """Show one sampler."""
    row = account.sampler(sampler)
    return reply({"sampler_id": row.sampler_id, "base_model": row.base_model, "model_path": row.model_path})


@router.post("/weights_info")
async def get_weights_info(account: Account, body: WeightsInfo) -> Response:
    """Tell about training weights."""
    run_id, _, key = body.tinker_path.removeprefix("tinker://").partition("/")
    if not body.tinker_path.startswith("tinker://") or not key.startswith("weights/"):
        raise RefusedError(400, "Invalid model path format")
    run = account.run(run_id, "accessible")
    _finished(run.checkpoints.get(key))
    return reply({"base_model": run.base_model, "is_lora": run.is_lora, "lora_rank": run.lora_rank})


@router.get(ARCHIVE + "/archive")
async def get_checkpoint_archive_url(request: Request, account: Account, run: Id, checkpoint: Id) -> Response:
    """Send a client on to the download of a sampler checkpoint."""
    _finished(_sampler(account.run(run, "accessible"), checkpoint))
    place = f"{str(request.base_url).rstrip('/')}/api/v1/training_runs/{run}/checkpoints/{checkpoint}/download"
    expires = http_date(account.now() + timedelta(minutes=120))
    return Response(status_code=302, headers={"Location": place, "Expires": expires})


@router.get(ARCHIVE + "/download")
async def download_checkpoint(account: Account, run: Id, checkpoint: Id) -> Response:
    """Serve the archive of a sampler checkpoint."""
    _finished(_sampler(account.run(run, "accessible"), checkpoint))
    return Response(archive(), media_type="application/octet-stream")


@router.get("/get_server_capabilities")
async def get_server_capabilities() -> Response:
    """List the names of the base models."""
    return reply({"supported_models": [{"model_name": model.name} for model in MODELS]})


@router.get("/healthz")
async def health_check() -> Response:
    """Say that the server is up."""
    return reply({"status": "ok"})


@router.post("/client/config")
async def get_client_config() -> Response:
    """Tell how clients are to behave; a body is welcome and not needed."""
    return reply({"pjwt_auth_enabled": False, "credential_default_source": "api_key"})


@router.post("/create_session")
async def create_session(account: Account) -> Response:
    """Begin a session."""
    return reply({"type": "create_session", "session_id": account.add_session().session_id})


@router.post("/session_heartbeat")
async def session_heartbeat() -> Response:
    """Keep a session alive."""
    return reply({"type": "session_heartbeat"})


@router.post("/telemetry")
async def send_telemetry() -> Response:
    """Take telemetry and forget it."""
    return reply({"status": "accepted"})


def _sampler(run: Run, name: str) -> Checkpoint | None:
    return run.checkpoints.get(f"sampler_weights/{name}")


def _finished(row: Checkpoint | None) -> Checkpoint:
    if row is None:
        raise RefusedError(404, "Checkpoint not found")
    if row.pending:
        raise RefusedError(425, "Checkpoint is still being created")
    return row
