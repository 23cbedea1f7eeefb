"""Records as the JSON that each dialect puts on the wire."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ..data.records import Checkpoint, Run, Session

encode = msgspec.json.encode


def stamp(time: datetime) -> str:
    """Return a time as the official service writes it: UTC, microseconds, `Z`."""
    return time.astimezone(UTC).isoformat(timespec="microseconds")[:-6] + "Z"


def naive_stamp(time: datetime) -> str:
    """Return a time as SkyRL writes it: UTC that does not say so."""
    return stamp(time)[:-1]


def official_checkpoint(row: Checkpoint) -> dict[str, Any]:
    """Return a checkpoint as the official service shows it."""
    return {
        "checkpoint_id": row.key,
        "checkpoint_type": row.kind,
        "time": stamp(row.time),
        "tinker_path": row.tinker_path,
        "size_bytes": row.size_bytes,
        "public": row.public,
        "user_metadata": row.user_metadata,
        "expires_at": row.expires_at and stamp(row.expires_at),
    }


def tuft_checkpoint(row: Checkpoint) -> dict[str, Any]:
    """Return a checkpoint as TuFT shows it: the bare name as id, and no metadata."""
    shown = official_checkpoint(row) | {"checkpoint_id": row.name}
    del shown["user_metadata"]
    return shown


def skyrl_checkpoint(row: Checkpoint) -> dict[str, Any]:
    """Return a checkpoint as SkyRL shows it: four fields."""
    return {
        "checkpoint_id": row.name,
        "checkpoint_type": row.kind,
        "time": naive_stamp(row.time),
        "tinker_path": row.tinker_path,
    }


def run_shown(row: Run, checkpoint: Callable[[Checkpoint], dict[str, Any]]) -> dict[str, Any]:
    """Return a training run with its newest checkpoints."""
    training, sampler = row.newest("training"), row.newest("sampler")
    return {
        "training_run_id": row.training_run_id,
        "base_model": row.base_model,
        "model_owner": row.session.owner.urn,
        "is_lora": row.is_lora,
        "corrupted": row.corrupted,
        "lora_rank": row.lora_rank,
        "last_request_time": stamp(row.last_request_time),
        "last_checkpoint": training and checkpoint(training),
        "last_sampler_checkpoint": sampler and checkpoint(sampler),
        "user_metadata": row.user_metadata,
    }


def skyrl_run(row: Run) -> dict[str, Any]:
    """Return a training run as SkyRL shows it: its beginning instead of its last use, and no checkpoints."""
    return {
        "training_run_id": row.training_run_id,
        "base_model": row.base_model,
        "model_owner": "default",
        "is_lora": row.is_lora,
        "corrupted": row.corrupted,
        "lora_rank": row.lora_rank,
        "last_request_time": naive_stamp(row.session.created_at),
        "last_checkpoint": None,
        "last_sampler_checkpoint": None,
        "user_metadata": None,
    }


def session_shown(row: Session) -> dict[str, Any]:
    """Return one session; the id and the times are not in it."""
    return {
        "training_run_ids": [run.training_run_id for run in row.runs],
        "sampler_ids": [sampler.sampler_id for sampler in row.samplers],
        "user_metadata": row.user_metadata,
        "display_name": row.display_name,
    }


def summary_shown(row: Session) -> dict[str, Any]:
    """Return one session as the session search shows it."""
    return {
        "session_id": row.session_id,
        "created_at": stamp(row.created_at),
        "owner": row.owner.urn,
        "project_id": row.project_id,
        "status": row.status,
        "checkpoints_count": row.checkpoints_count,
        "display_name": row.display_name,
        "user_metadata": row.user_metadata,
        "checkpoint_storage_bytes": row.checkpoint_storage_bytes if row.checkpoints_count else None,
    }


def weights_shown(row: Run) -> dict[str, Any]:
    """Return what a client must know to load weights of this run."""
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


def cursor_of(limit: int, offset: int, total: int) -> dict[str, int]:
    """Return the cursor of a page."""
    return {"offset": offset, "limit": limit, "total_count": total}


def checkpoints_body(
    rows: Iterable[Checkpoint], shown: Callable[[Checkpoint], dict[str, Any]], **rest: object
) -> bytes:
    """Return a page of checkpoints; each row is encoded once for each of its versions."""
    encoded = [_encoded(row, shown) for row in rows]
    tail = b"".join(b"," + encode(name) + b":" + encode(value) for name, value in rest.items())
    return b'{"checkpoints":[' + b",".join(encoded) + b"]" + tail + b"}"


def _encoded(row: Checkpoint, shown: Callable[[Checkpoint], dict[str, Any]]) -> bytes:
    # The version is read first: a change meanwhile leaves an old version here, never old bytes under a new one.
    version, (kept, content) = row.version, row.encoded
    if kept != version:
        content = encode(shown(row))
        row.encoded = version, content
    return content
