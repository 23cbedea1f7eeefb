"""Weights info and archive URLs of many checkpoints, one request each, in parallel."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

import pandas as pd

from ..errors import TinkerError
from ..rest.endpoints import Rest
from ..rest.progress import Progress
from ..schema.columns import pandas_array
from .prefetch import run_in_order

R = TypeVar("R")


def weights_info(rest: Rest, paths: list[str], workers: int, progress: bool | None) -> pd.DataFrame:
    """Return one row per path with what POST /api/v1/weights_info answers; `error` says why a row has nothing."""
    answers = _request_each(
        paths, lambda path, _: rest.get_weights_info_by_tinker_path(path), workers, "weights", progress
    )
    rows = [answer if isinstance(answer, dict) else {} for answer in answers]
    columns: dict[str, Any] = {
        "tinker_path": pandas_array("text", paths),
        "base_model": pandas_array("text", [row.get("base_model") for row in rows]),
        "is_lora": pandas_array("bool", [row.get("is_lora") for row in rows]),
        "lora_rank": pandas_array("int", [row.get("lora_rank") for row in rows]),
    }
    for name in ("train_unembed", "train_mlp", "train_attn"):
        columns[name] = pandas_array("bool", [row.get(name) for row in rows])
    columns["optimizer"] = pandas_array("text", [_optimizer(row) if row else None for row in rows])
    columns["error"] = pandas_array(
        "text", [str(answer) if isinstance(answer, TinkerError) else None for answer in answers]
    )
    return pd.DataFrame(columns)


def archive_urls(rest: Rest, paths: list[str], workers: int, progress: bool | None) -> dict[str, str | TinkerError]:
    """Return the signed URL of each path's archive (GET …/archive), or the error that there was instead."""
    paths = list(dict.fromkeys(paths))

    def url(path: str, bar: Progress) -> str:
        return str(rest.get_checkpoint_archive_url(path, progress=bar)["url"])

    return dict(zip(paths, _request_each(paths, url, workers, "archives", progress), strict=True))


def _optimizer(row: dict[str, Any]) -> str:
    """Return the optimizer's name; AdamW where none is named."""
    config = row.get("optimizer_config")
    return str(config.get("type", "adamw")) if isinstance(config, dict) else "adamw"


def _request_each(
    paths: list[str], request: Callable[[str, Progress], R], workers: int, what: str, progress: bool | None
) -> list[R | TinkerError]:
    """Return the answer for every path, requested in parallel; an error is the answer for its row."""
    with Progress(what, progress) as bar:
        bar.set_total(len(paths))

        def answer_of(path: str) -> R | TinkerError:
            try:
                return request(path, bar)
            except TinkerError as error:
                return error

        answers = []
        for _, answer in run_in_order(paths, answer_of, workers, bar):
            answers.append(answer)
            bar.advance(1)
        return answers


class ArchiveUrls(Mapping[str, str]):
    """Tinker path to signed URL; shows how many there are, never the URLs.

    Attributes
    ----------
    errors : dict
        Tinker path to the error for archives that are not available; these paths are not among the keys.
    """

    def __init__(self, answers: dict[str, str | TinkerError]) -> None:
        self._urls = {path: answer for path, answer in answers.items() if isinstance(answer, str)}
        self.errors = {path: answer for path, answer in answers.items() if not isinstance(answer, str)}

    def __getitem__(self, tinker_path: str) -> str:
        if tinker_path in self.errors:
            raise KeyError(f"no archive of {tinker_path}: {self.errors[tinker_path]}")
        return self._urls[tinker_path]

    def __iter__(self) -> Iterator[str]:
        return iter(self._urls)

    def __len__(self) -> int:
        return len(self._urls)

    def __repr__(self) -> str:
        failed = f", {len(self.errors)} not available (see .errors)" if self.errors else ""
        return (
            f"<ArchiveUrls of {len(self)} checkpoints{failed}; the URLs are secrets, take one with urls[tinker_path]>"
        )
