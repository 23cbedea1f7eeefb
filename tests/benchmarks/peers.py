"""The peers: the official SDK, used as its own command line uses it, and bare decoding."""

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
    """Return the official SDK, or None if it is not installed."""
    if find_spec("tinker") is None:
        return None
    os.environ["TINKER_TELEMETRY"] = "0"  # telemetry would slow it down
    return Peer(sdk_frame, sdk_listing)


def sdk_frame(pages: Iterable[bytes]) -> pd.DataFrame:
    """Return the frame of pages, each parsed into the SDK's response model by the two steps of its client."""
    from tinker.types import CheckpointsListResponse

    found: list[Any] = []
    for content in pages:
        found += CheckpointsListResponse.model_validate(json.loads(content)).checkpoints
    return _frame(found)


def sdk_listing(url: str, key: str) -> pd.DataFrame:
    """Return the frame of an entire account, page by page as `tinker checkpoint list` requests them.

    The SDK keeps its connections until the process ends, so only the first listing pays for its startup.
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
    """Decode and discard every page, a lower bound for anything that reads the rows; return the number of rows."""
    import orjson

    return sum(len(orjson.loads(content)["checkpoints"]) for content in pages)


def _frame(checkpoints: list[Any]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame([checkpoint.model_dump() for checkpoint in checkpoints])
