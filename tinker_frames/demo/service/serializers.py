"""Records to the JSON of each dialect."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ..data.records import Checkpoint, Run, Sampler, Session

encode_json = msgspec.json.encode


def format_time(time: datetime) -> str:
    """Format a time as the official service does: UTC, microseconds, `Z`."""
    return time.astimezone(UTC).isoformat(timespec="microseconds")[:-6] + "Z"


def format_naive_time(time: datetime) -> str:
    """Format a time as SkyRL does: UTC without a time zone."""
    return format_time(time)[:-1]


def format_local_time(time: datetime, utc_offset: float) -> str:
    """Format a time as Twinkle does: that of the server's own time zone, `utc_offset` hours ahead of UTC, without saying so."""
    return format_naive_time(time + timedelta(hours=utc_offset))


def serialize_checkpoint(row: Checkpoint) -> dict[str, Any]:
    """Return the official service's JSON of a checkpoint."""
    return {
        "checkpoint_id": row.key,
        "checkpoint_type": row.kind,
        "time": format_time(row.time),
        "tinker_path": row.tinker_path,
        "size_bytes": row.size_bytes,
        "public": row.public,
        "user_metadata": row.user_metadata,
        "expires_at": row.expires_at and format_time(row.expires_at),
    }


def serialize_tuft_checkpoint(row: Checkpoint) -> dict[str, Any]:
    """Return TuFT's JSON of a checkpoint: the id is the bare name, and there is no metadata."""
    content = serialize_checkpoint(row) | {"checkpoint_id": row.name}
    del content["user_metadata"]
    return content


def serialize_skyrl_checkpoint(row: Checkpoint) -> dict[str, Any]:
    """Return SkyRL's JSON of a checkpoint: four fields only."""
    return {
        "checkpoint_id": row.name,
        "checkpoint_type": row.kind,
        "time": format_naive_time(row.time),
        "tinker_path": row.tinker_path,
    }


def serialize_run(row: Run, serialize: Callable[[Checkpoint], dict[str, Any]] = serialize_checkpoint) -> dict[str, Any]:
    """Return the official service's JSON of a training run, with its newest checkpoints."""
    training, sampler = row.newest_checkpoint("training"), row.newest_checkpoint("sampler")
    return {
        "training_run_id": row.training_run_id,
        "base_model": row.base_model,
        "model_owner": row.session.owner.urn,
        "is_lora": row.is_lora,
        "corrupted": row.corrupted,
        "lora_rank": row.lora_rank,
        "last_request_time": format_time(row.last_request_time),
        "last_checkpoint": training and serialize(training),
        "last_sampler_checkpoint": sampler and serialize(sampler),
        "user_metadata": row.user_metadata,
    }


def serialize_tuft_run(row: Run) -> dict[str, Any]:
    """Return TuFT's JSON of a training run: the owner is a user id."""
    return serialize_run(row, serialize_tuft_checkpoint) | {"model_owner": row.session.owner.email.partition("@")[0]}


def serialize_skyrl_run(row: Run) -> dict[str, Any]:
    """Return SkyRL's JSON of a training run: its creation time as the last request, and no checkpoints."""
    return {
        "training_run_id": row.training_run_id,
        "base_model": row.base_model,
        "model_owner": "default",
        "is_lora": row.is_lora,
        "corrupted": row.corrupted,
        "lora_rank": row.lora_rank,
        "last_request_time": format_naive_time(row.session.created_at),
        "last_checkpoint": None,
        "last_sampler_checkpoint": None,
        "user_metadata": None,
    }


def serialize_session(row: Session) -> dict[str, Any]:
    """Return the official service's JSON of a session; it lacks the id, the project and the times."""
    return {
        "training_run_ids": [run.training_run_id for run in row.runs],
        "sampler_ids": [sampler.sampler_id for sampler in row.samplers],
        "user_metadata": row.user_metadata,
        "display_name": row.display_name,
    }


def serialize_session_summary(row: Session) -> dict[str, Any]:
    """Return a session's JSON in a session search."""
    return {
        "session_id": row.session_id,
        "created_at": format_time(row.created_at),
        "owner": row.owner.urn,
        "project_id": row.project_id,
        "status": row.status,
        "checkpoints_count": row.checkpoints_count,
        "display_name": row.display_name,
        "user_metadata": row.user_metadata,
        "checkpoint_storage_bytes": row.checkpoint_storage_bytes if row.checkpoints_count else None,
    }


def serialize_sampler(row: Sampler) -> dict[str, Any]:
    """Return the JSON of a sampler."""
    return {"sampler_id": row.sampler_id, "base_model": row.base_model, "model_path": row.model_path}


def serialize_weights_info(row: Run) -> dict[str, Any]:
    """Return the JSON of weights info, which a client needs to load weights of this run."""
    unembed, mlp, attn = row.trains if row.is_lora else (None, None, None)
    return {
        "base_model": row.base_model,
        "optimizer_config": row.optimizer_config,
        "is_lora": row.is_lora,
        "lora_rank": row.lora_rank,
        "train_unembed": unembed,
        "train_mlp": mlp,
        "train_attn": attn,
    }


def build_cursor(limit: int, offset: int, total: int) -> dict[str, int]:
    """Return the cursor of a page."""
    return {"offset": offset, "limit": limit, "total_count": total}


def encode_checkpoints(
    rows: Iterable[Checkpoint], serialize: Callable[[Checkpoint], dict[str, Any]], **rest: object
) -> bytes:
    """Return the JSON of a page of checkpoints; each version of a row is encoded once."""
    encoded = [_encode_checkpoint(row, serialize) for row in rows]
    tail = b"".join(b"," + encode_json(name) + b":" + encode_json(value) for name, value in rest.items())
    return b'{"checkpoints":[' + b",".join(encoded) + b"]" + tail + b"}"


def _encode_checkpoint(row: Checkpoint, serialize: Callable[[Checkpoint], dict[str, Any]]) -> bytes:
    # The version is read first: if another thread changes the row now, the bytes are stored under the old version.
    version, (cached, content) = row.version, row.encoded
    if cached != version:
        content = encode_json(serialize(row))
        row.encoded = version, content
    return content
