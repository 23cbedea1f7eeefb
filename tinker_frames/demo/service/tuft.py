"""TuFT 0.2.2 as observed: what is missing is a 500, the segment of a checkpoint is ignored, unpublish never works."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from ..data.records import Checkpoint, Run
from ..data.state import RefusedError, State
from ..data.vocabulary import MODELS
from .bodies import WeightsInfo
from .context import Page, asynchronous, paged, reply, service_of, tuft_caller
from .storage import http_date
from .wire import checkpoints_body, cursor_of, run_shown, tuft_checkpoint, weights_shown

router = APIRouter(prefix="/api/v1")

caller = asynchronous(tuft_caller)
Account = Annotated[State, caller]
CHECKPOINT = "/training_runs/{run}/checkpoints/{checkpoint:path}"


@router.get("/sessions")
async def list_sessions(account: Account, page: Annotated[Page, Depends(paged("list_sessions", 20))]) -> Response:
    """Page through session ids, oldest first."""
    return reply({"sessions": [row.session_id for row in page.of(account.sessions()[::-1])]})


@router.get("/sessions/{session}")
async def get_session(account: Account, session: str) -> Response:
    """Show one session: its runs and samplers, nothing more."""
    row = account.session(session)
    samplers = [sampler.sampler_id for sampler in row.samplers]
    return reply({"training_run_ids": [run.training_run_id for run in row.runs], "sampler_ids": samplers})


@router.get("/training_runs")
async def list_training_runs(
    account: Account, page: Annotated[Page, Depends(paged("list_training_runs", 20))]
) -> Response:
    """Page through training runs, the most recently used first."""
    rows = account.runs()
    shown = [_run_shown(row) for row in page.of(rows)]
    return reply({"training_runs": shown, "cursor": cursor_of(*page, len(rows))})


@router.get("/training_runs/{run}")
async def get_training_run(account: Account, run: str) -> Response:
    """Show one training run."""
    return reply(_run_shown(account.run(run)))


@router.get("/training_runs/{run}/checkpoints")
async def list_checkpoints(
    account: Account, run: str, page: Annotated[Page, Depends(paged("list_checkpoints", 100))]
) -> Response:
    """Page through the checkpoints of a run, oldest first."""
    rows = account.run_checkpoints(account.run(run).training_run_id)
    return reply(checkpoints_body(page.of(rows), tuft_checkpoint, cursor=cursor_of(*page, len(rows))))


@router.get("/checkpoints")
async def list_user_checkpoints(
    account: Account, page: Annotated[Page, Depends(paged("list_user_checkpoints", 100))]
) -> Response:
    """Page through the training checkpoints of all runs, newest first; sampler checkpoints are left out."""
    rows, total = account.checkpoints_page(*page, {"training"})
    return reply(checkpoints_body(rows, tuft_checkpoint, cursor=cursor_of(*page, total)))


@router.get("/samplers/{sampler}")
async def get_sampler(account: Account, sampler: str) -> Response:
    """Show one sampler."""
    row = account.sampler(sampler)
    return reply({"sampler_id": row.sampler_id, "base_model": row.base_model, "model_path": row.model_path})


@router.post("/weights_info")
async def get_weights_info(account: Account, body: WeightsInfo) -> Response:
    """Tell about the run of a path, whether or not the checkpoint is there."""
    parts = body.tinker_path.removeprefix("tinker://").split("/")
    if len(parts) != 3 or parts[1] == "external_weights":
        raise RefusedError(404, "not a known path")
    silent = {"train_unembed": None, "train_mlp": None, "train_attn": None}
    return reply(weights_shown(account.run(parts[0])) | silent)


@router.post(CHECKPOINT + "/publish")
async def publish_checkpoint(account: Account, run: str, checkpoint: str) -> Response:
    """Make a checkpoint public, as often as one likes."""
    row = _row(account, run, checkpoint)
    if not row.public:
        account.publish(row)
    return _empty()


@router.get(CHECKPOINT + "/archive")
async def get_checkpoint_archive_url(account: Account, run: str, checkpoint: str) -> Response:
    """Name the place of a checkpoint on the server's own disk."""
    row = _row(account, run, checkpoint)
    place = f"file:///var/lib/tuft/checkpoints/{row.run.training_run_id}/{row.name}.tar.gz"
    expires = http_date(account.now() + timedelta(minutes=15))
    return Response(status_code=302, headers={"Location": place, "Expires": expires})


# There is no route to unpublish: `.../publish` is taken for the end of a name here, which is then missing.
@router.delete(CHECKPOINT)
async def delete_checkpoint(account: Account, run: str, checkpoint: str) -> Response:
    """Delete a checkpoint for ever."""
    account.delete(_row(account, run, checkpoint))
    return _empty()


@router.get("/get_server_capabilities")
async def get_server_capabilities() -> Response:
    """List the base models; open to all."""
    models = [{"model_name": model.name, "max_context_length": model.context} for model in MODELS]
    return reply({"supported_models": models, "capabilities": {"lora": True, "backend": "demo"}})


@router.get("/healthz")
async def health_check() -> Response:
    """Say that the server is up; open to all."""
    return reply({"status": "ok"})


@router.post("/client/config", dependencies=[caller])
async def get_client_config(_body: dict[str, object]) -> Response:
    """Tell how clients are to behave: never to exchange the key."""
    return reply({"pjwt_auth_enabled": False, "credential_default_source": "api_key"})


@router.post("/auth/token")
async def get_auth_token(request: Request, account: Account) -> Response:
    """Mint a JWT that no other route accepts."""
    return reply({"jwt": service_of(request).tokens.mint(3600, sub=account.me.urn)})


@router.post("/create_session")
async def create_session(account: Account) -> Response:
    """Begin a session."""
    return reply({"type": "create_session", "session_id": account.add_session().session_id})


@router.post("/session_heartbeat", dependencies=[caller])
async def session_heartbeat() -> Response:
    """Keep a session alive."""
    return reply({"type": "session_heartbeat"})


@router.post("/telemetry", dependencies=[caller])
async def send_telemetry() -> Response:
    """Take telemetry and forget it."""
    return reply({"status": "accepted"})


def _run_shown(row: Run) -> dict[str, object]:
    return run_shown(row, tuft_checkpoint) | {"model_owner": row.session.owner.email.partition("@")[0]}


def _row(account: State, run: str, checkpoint: str) -> Checkpoint:
    segment, slash, rest = checkpoint.partition("/")
    if segment == "external_weights":
        raise RefusedError(400, "Unsupported checkpoint type")
    name = rest if slash and segment in {"weights", "sampler_weights"} else checkpoint
    own = {row.key: row for row in account.run_checkpoints(account.run(run).training_run_id)}
    row = own.get(f"weights/{name}") or own.get(f"sampler_weights/{name}")
    if row is None:
        raise RefusedError(404, "Checkpoint not found")
    return row


def _empty() -> Response:
    return Response(status_code=204, media_type="application/json", headers={"Content-Type": "application/json"})
