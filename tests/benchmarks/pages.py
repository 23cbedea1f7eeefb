"""Pages of checkpoints as the official service sends them, identical in every run.

In the plain account two runs save alternately, under names that other runs use as well; in the realistic one many runs go on
at a time, and most names occur once.
"""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from .setup import PAGE_ROWS

ROWS_PER_PAIR = 500  # two runs save alternately, so a page of 1000 contains four runs
RUNS_AT_A_TIME = 20  # of the realistic account, which save in turn
ROWS_PER_RUN = 33
NEWEST = datetime(2026, 11, 20, 9, 12, tzinfo=UTC)
SEGMENTS = {"training": "weights", "sampler": "sampler_weights"}


def pages(rows: int, size: int = PAGE_ROWS, seed: int = 1, *, realistic: bool = False) -> Iterator[bytes]:
    """Yield the pages of an account, newest first; about 308 bytes per row, metadata on every other row."""
    rng = random.Random(seed)
    found = _realistic_rows(rows, rng) if realistic else _rows(rows, rng)
    for offset in range(0, rows, size):
        page = [next(found) for _ in range(min(size, rows - offset))]
        cursor = {"offset": offset, "limit": size, "total_count": rows}
        yield json.dumps({"checkpoints": page, "cursor": cursor}, separators=(",", ":"), ensure_ascii=False).encode()


def _rows(count: int, rng: random.Random) -> Iterator[dict[str, Any]]:
    runs: list[str] = []
    for place in range(count):
        if place % ROWS_PER_PAIR == 0:
            runs = [_run_id(rng, n) for n in (0, 1)]
        step = (ROWS_PER_PAIR - place % ROWS_PER_PAIR) * 20
        yield _row(runs[place % 2], f"step-{step:06d}", place, step, rng)


def _realistic_rows(count: int, rng: random.Random) -> Iterator[dict[str, Any]]:
    going_on = [(_run_id(rng, 0), rng.randrange(ROWS_PER_RUN)) for _ in range(RUNS_AT_A_TIME)]
    for place in range(count):
        number = rng.randrange(RUNS_AT_A_TIME)
        run, left = going_on[number]
        going_on[number] = (run, left - 1) if left else (_run_id(rng, 0), ROWS_PER_RUN - 1)
        yield _row(run, f"{run[:4]}-lr{rng.randrange(100):02d}-step-{left * 20:06d}", place, left * 20, rng)


def _run_id(rng: random.Random, number: int) -> str:
    return f"{uuid.UUID(int=rng.getrandbits(128), version=4)}:train:{number}"


def _row(run: str, name: str, place: int, step: int, rng: random.Random) -> dict[str, Any]:
    kind = "sampler" if place % 3 == 0 else "training"
    time = NEWEST - timedelta(seconds=97 * place, microseconds=rng.randrange(1, 1_000_000))
    expires = time + timedelta(days=60) if place % 5 == 0 else None
    segment = f"{SEGMENTS[kind]}/{name}"
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
