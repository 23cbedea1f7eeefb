"""The routes of TuFT 0.2.2: missing objects are a 500, the segment of a checkpoint is ignored, unpublish fails."""

# No `from __future__ import annotations`: FastAPI evaluates the annotations of the handlers.
from datetime import timedelta
from typing import Annotated
from urllib.parse import quote

from fastapi import Request, Response

from ..data.records import Checkpoint
from ..data.state import ServiceError, State
from ..data.vocabulary import MODELS
from .client_routes import CLIENT_CONFIG
from .dependencies import (
    EndpointRouter,
    Page,
    authenticate_tuft,
    build_json,
    depend_on,
    depend_on_page,
    get_backend,
)
from .request_models import WeightsInfo
from .serializers import (
    build_cursor,
    encode_checkpoints,
    serialize_sampler,
    serialize_tuft_checkpoint,
    serialize_tuft_run,
    serialize_weights_info,
)
from .storage import format_http_date

router = EndpointRouter()
FOLDER = "/var/lib/tuft/checkpoints"  # on the server's disk

caller = depend_on(authenticate_tuft)
Account = Annotated[State, caller]


@router.serve()
async def list_sessions(account: Account, page: Annotated[Page, depend_on_page("list_sessions", 20)]) -> Response:
    """List session ids, oldest first."""
    return build_json({"sessions": [row.session_id for row in page.slice(account.sessions()[::-1])]})


@router.serve()
async def get_session(account: Account, session: str) -> Response:
    """Return the runs and samplers of a session, and nothing else."""
    row = account.session(session)
    samplers = [sampler.sampler_id for sampler in row.samplers]
    return build_json({"training_run_ids": [run.training_run_id for run in row.runs], "sampler_ids": samplers})


@router.serve()
async def list_training_runs(
    account: Account, page: Annotated[Page, depend_on_page("list_training_runs", 20)]
) -> Response:
    """List training runs, most recently used first."""
    rows = account.runs()
    runs = [serialize_tuft_run(row) for row in page.slice(rows)]
    return build_json({"training_runs": runs, "cursor": build_cursor(*page, len(rows))})


@router.serve()
async def get_training_run(account: Account, run: str) -> Response:
    """Return a training run."""
    return build_json(serialize_tuft_run(account.run(run)))


@router.serve()
async def list_checkpoints(
    account: Account, run: str, page: Annotated[Page, depend_on_page("list_checkpoints", 100)]
) -> Response:
    """List the checkpoints of a run in pages, oldest first."""
    rows = account.run_checkpoints(account.run(run).training_run_id)
    cursor = build_cursor(*page, len(rows))
    return build_json(encode_checkpoints(page.slice(rows), serialize_tuft_checkpoint, cursor=cursor))


@router.serve()
async def list_user_checkpoints(
    account: Account, page: Annotated[Page, depend_on_page("list_user_checkpoints", 100)]
) -> Response:
    """List the training checkpoints of all runs, newest first; sampler checkpoints are omitted."""
    rows, total = account.checkpoints_page(*page, {"training"})
    return build_json(encode_checkpoints(rows, serialize_tuft_checkpoint, cursor=build_cursor(*page, total)))


@router.serve()
async def get_sampler(account: Account, sampler: str) -> Response:
    """Return a sampler, with a path on the server's disk instead of a tinker path."""
    row = serialize_sampler(account.sampler(sampler))
    return build_json(row | {"model_path": _find_local_path(row["model_path"])})


@router.serve()
async def get_weights_info(account: Account, body: WeightsInfo) -> Response:
    """Return what is needed to load weights of a run, whether or not the checkpoint exists."""
    parts = body.tinker_path.removeprefix("tinker://").split("/")
    if len(parts) != 3 or parts[1] == "external_weights":
        raise ServiceError(404, "not a known path")
    nulls = {"train_unembed": None, "train_mlp": None, "train_attn": None}
    return build_json(serialize_weights_info(account.run(parts[0])) | nulls)


@router.serve()
async def publish_checkpoint(account: Account, run: str, checkpoint: str) -> Response:
    """Make a checkpoint public; repeating it is not an error."""
    row = _find_checkpoint(account, run, checkpoint)
    if not row.public:
        account.publish(row)
    return _build_empty_response()


@router.serve()
async def get_checkpoint_archive_url(account: Account, run: str, checkpoint: str) -> Response:
    """Redirect to a path on the server's disk, percent-encoded since a header takes no other characters."""
    row = _find_checkpoint(account, run, checkpoint)
    location = f"file://{FOLDER}/{row.run.training_run_id}/{quote(row.name, safe='')}.tar.gz"
    expires = format_http_date(account.now() + timedelta(minutes=15))
    return Response(status_code=302, headers={"Location": location, "Expires": expires})


# The route of unpublish is shadowed by this one: it takes `/publish` as part of the name, which does not exist.
@router.serve()
async def delete_checkpoint(account: Account, run: str, checkpoint: str) -> Response:
    """Delete a checkpoint permanently."""
    account.delete(_find_checkpoint(account, run, checkpoint))
    return _build_empty_response()


@router.serve()
async def get_server_capabilities() -> Response:
    """List the base models, without authentication."""
    models = [{"model_name": model.name, "max_context_length": model.context} for model in MODELS]
    return build_json({"supported_models": models, "capabilities": {"lora": True, "backend": "demo"}})


@router.serve(dependencies=[caller])
async def get_client_config(_body: dict[str, object]) -> Response:
    """Return the configuration of clients: the key is not to be exchanged."""
    return build_json(CLIENT_CONFIG)


@router.serve()
async def get_auth_token(request: Request, account: Account) -> Response:
    """Issue a JWT that no other route accepts."""
    return build_json({"jwt": get_backend(request).tokens.issue(3600, sub=account.me.urn)})


def _find_local_path(tinker_path: str | None) -> str | None:
    """Return where the weights of a checkpoint are on the server's disk; both types of a name share the folder."""
    if tinker_path is None:
        return None
    run, _, name = tinker_path.removeprefix("tinker://").split("/")
    return f"{FOLDER}/{run}/{name}/adapter"


def _find_checkpoint(account: State, run: str, checkpoint: str) -> Checkpoint:
    segment, slash, rest = checkpoint.partition("/")
    if segment == "external_weights":
        raise ServiceError(400, "Unsupported checkpoint type")
    name = rest if slash and segment in {"weights", "sampler_weights"} else checkpoint
    own = {row.key: row for row in account.run_checkpoints(account.run(run).training_run_id)}
    row = own.get(f"weights/{name}") or own.get(f"sampler_weights/{name}")
    if row is None:
        raise ServiceError(404, "Checkpoint not found")
    return row


def _build_empty_response() -> Response:
    return Response(status_code=204, media_type="application/json", headers={"Content-Type": "application/json"})
