"""Log folders in the format of tinker_cookbook, for tests."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def write_folder(
    folder: Path,
    metrics: Iterable[Any] = (),
    checkpoints: Iterable[Any] = (),
    config: dict[str, Any] | str | None = None,
) -> Path:
    """Write a log folder; a line that is text already is written as it is."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "metrics.jsonl").write_text(_join(metrics), encoding="utf-8", errors="surrogateescape")
    (folder / "checkpoints.jsonl").write_text(_join(checkpoints), encoding="utf-8")
    if config is not None:
        text = config if isinstance(config, str) else json.dumps(config)
        (folder / "config.json").write_text(text, encoding="utf-8")
    return folder


def _join(lines: Iterable[Any]) -> str:
    return "".join(line if isinstance(line, str) else json.dumps(line) + "\n" for line in lines)


def save(run: str, name: str, **fields: Any) -> dict[str, Any]:
    """Return a line of `checkpoints.jsonl` of a checkpoint with both of its paths."""
    paths = {"state_path": f"tinker://{run}/weights/{name}", "sampler_path": f"tinker://{run}/sampler_weights/{name}"}
    return {"name": name, **fields, **paths}
