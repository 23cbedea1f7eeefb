"""Pages of checkpoints as the official service sends them, identical in every run."""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from .setup import PAGE_ROWS

ROWS_PER_PAIR = 500  # two runs save alternately, so a page of 1000 contains four runs
NEWEST = datetime(2026, 11, 20, 9, 12, tzinfo=UTC)
SEGMENTS = {"training": "weights", "sampler": "sampler_weights"}


def pages(rows: int, size: int = PAGE_ROWS, seed: int = 1) -> Iterator[bytes]:
    """Yield the pages of an account, newest first; about 308 bytes per row, metadata on every other row."""
    found = _rows(rows, random.Random(seed))
    for offset in range(0, rows, size):
        page = [next(found) for _ in range(min(size, rows - offset))]
        cursor = {"offset": offset, "limit": size, "total_count": rows}
        yield json.dumps({"checkpoints": page, "cursor": cursor}, separators=(",", ":"), ensure_ascii=False).encode()


def _rows(count: int, rng: random.Random) -> Iterator[dict[str, Any]]:
    runs: list[str] = []
    for place in range(count):
        if place % ROWS_PER_PAIR == 0:
            runs = [f"{uuid.UUID(int=rng.getrandbits(128), version=4)}:train:{n}" for n in (0, 1)]
        left = ROWS_PER_PAIR - place % ROWS_PER_PAIR
        yield _row(runs[place % 2], place, left * 20, rng)


def _row(run: str, place: int, step: int, rng: random.Random) -> dict[str, Any]:
    kind = "sampler" if place % 3 == 0 else "training"
    time = NEWEST - timedelta(seconds=97 * place, microseconds=rng.randrange(1, 1_000_000))
    expires = time + timedelta(days=60) if place % 5 == 0 else None
    segment = f"{SEGMENTS[kind]}/step-{step:06d}"
    metadata = {"step": str(step), "loss": f"{rng.random() * 3:.4f}", "run": str(place % 97)}
    metadata["recipe"] = "sft" if place % 20 != 1 else "sft, second try"  # people write blanks, too
    return {
        "checkpoint_id": segment,
        "checkpoint_type": kind,
        "time": _stamp(time),
        "tinker_path": f"tinker://{run}/{segment}",
        "size_bytes": None if place % 37 == 5 else 176_309_912 + rng.randrange(90_000_000),
        "public": place % 50 == 7,
        "user_metadata": metadata if place % 2 else None,
        "expires_at": expires and _stamp(expires),
    }


def _stamp(time: datetime) -> str:
    return time.isoformat(timespec="microseconds")[:-6] + "Z"
