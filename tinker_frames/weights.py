"""What each checkpoint is asked for one by one: its weights' shape, and where its archive is."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import pandas as pd

from .errors import TinkerError
from .listings.prefetch import in_order
from .rest.progress import Progress
from .schema.columns import typed

if TYPE_CHECKING:
    from .client import Client

R = TypeVar("R")


def weights_info(client: Client, paths: list[str], progress: bool | None) -> pd.DataFrame:
    """Return one row per path with what POST /api/v1/weights_info says of it."""
    answers = _each(
        client, paths, lambda path, _: client.rest.get_weights_info_by_tinker_path(path), "weights", progress
    )
    rows = [answer if isinstance(answer, dict) else {} for answer in answers]
    optimizers = [_optimizer(row) if row else None for row in rows]
    columns: dict[str, Any] = {
        "tinker_path": typed("text", paths),
        "base_model": typed("text", [row.get("base_model") for row in rows]),
        "is_lora": typed("bool", [row.get("is_lora") for row in rows]),
        "lora_rank": typed("int", [row.get("lora_rank") for row in rows]),
    }
    for name in ("train_unembed", "train_mlp", "train_attn"):
        columns[name] = typed("bool", [row.get(name) for row in rows])
    columns["optimizer"] = typed("text", optimizers)
    errors = [str(answer) if isinstance(answer, TinkerError) else None for answer in answers]
    return pd.DataFrame(columns | {"error": typed("text", errors)})


def archive_urls(client: Client, paths: list[str], progress: bool | None) -> dict[str, str | TinkerError]:
    """Return the signed URL of each path's archive, or why there is none."""
    paths = list(dict.fromkeys(paths))

    def url(path: str, bar: Progress) -> str:
        return str(client.rest.get_checkpoint_archive_url(path, watch=bar)["url"])

    return dict(zip(paths, _each(client, paths, url, "archives", progress), strict=True))


def _optimizer(row: dict[str, Any]) -> str:
    """Return the optimizer's name; one that is not named is AdamW."""
    config = row.get("optimizer_config")
    return str(config.get("type", "adamw")) if isinstance(config, dict) else "adamw"


def _each(
    client: Client, paths: list[str], ask: Callable[[str, Progress], R], what: str, progress: bool | None
) -> list[R | TinkerError]:
    """Ask for every path in parallel; an error is the answer for its row."""
    with Progress(what, progress) as bar:
        bar.expect(len(paths))

        def one(path: str) -> R | TinkerError:
            try:
                return ask(path, bar)
            except TinkerError as error:
                return error

        answers = []
        for _, answer in in_order(paths, one, client.session.settings.max_workers, bar):
            answers.append(answer)
            bar.advance(1)
        return answers
