"""What is measured beside ours: the official SDK as its own command line uses it, and bare decoding."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from .setup import PAGE_ROWS, Peer

if TYPE_CHECKING:
    import pandas as pd


def official_sdk() -> Peer | None:
    """Return the official SDK, None where it is not installed."""
    if find_spec("tinker") is None:
        return None
    os.environ["TINKER_TELEMETRY"] = "0"  # its reports would cost it time that no listing needs
    return Peer(sdk_frame, sdk_listing)


def sdk_frame(pages: Iterable[bytes]) -> pd.DataFrame:
    """Return the frame of pages: each made into the SDK's response model by the two steps that its client takes."""
    from tinker.types import CheckpointsListResponse

    found: list[Any] = []
    for content in pages:
        found += CheckpointsListResponse.model_validate(json.loads(content)).checkpoints
    return _frame(found)


def sdk_listing(url: str, key: str) -> pd.DataFrame:
    """Return the frame of a whole account: one page after another, as `tinker checkpoint list` asks for them.

    The SDK keeps its connections for the life of the process, so only its first listing pays for its start.
    """
    import tinker

    client = tinker.RestClient(base_url=url, api_key=key)
    found: list[Any] = []
    while True:
        page = client.list_user_checkpoints(limit=PAGE_ROWS, offset=len(found)).result()
        found += page.checkpoints
        if not page.checkpoints or len(found) >= page.cursor.total_count:
            return _frame(found)


def bare_decoding(pages: Iterable[bytes]) -> int:
    """Decode every page and drop it: what nothing that looks at the rows can be quicker than. Returns the rows seen."""
    import orjson

    return sum(len(orjson.loads(content)["checkpoints"]) for content in pages)


def _frame(checkpoints: list[Any]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame([checkpoint.model_dump() for checkpoint in checkpoints])
