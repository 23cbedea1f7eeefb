"""From listings to typed DataFrames, and the joins between tables; pure."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pandas as pd

from ..schema.catalog import INVENTORY, WITH_DETAILS
from ..schema.columns import Table, pandas_dtype, text_dtype, to_frame
from .listing import Listing, Report

ATTRS = "tinker"


def build_frame(table: Table, listing: Listing) -> pd.DataFrame:
    """Return the typed frame of a listing; ages are as of now."""
    return to_frame(table, listing.data, datetime.now(UTC))


def describe_frame(frame: pd.DataFrame, table: Table, report: Report, *, base_url: str, account: str) -> pd.DataFrame:
    """Put into `frame.attrs["tinker"]` how the frame was read: plain values only, since some file formats keep them."""
    frame.attrs[ATTRS] = {
        "table": table.name,
        "complete": report.complete,
        "total": report.total,
        "rows": len(frame),
        "pages": report.pages,
        "requests": report.requests,
        "fetched_at": datetime.fromtimestamp(report.started, UTC)
        .isoformat(timespec="milliseconds")
        .replace("+00:00", "Z"),
        "age_s": round(max(0.0, time.time() - report.started), 3),
        "from_cache": report.from_cache,
        "base_url": base_url,
        "account": account,
        "problems": report.problems,
        "lacks": report.lacks,
    }
    return frame


def add_details(sessions: pd.DataFrame, details: pd.DataFrame) -> pd.DataFrame:
    """Return sessions with the ids of their training runs and samplers, and with the fields that only a session's own answer has."""
    found = details.set_index("session_id").reindex(sessions["session_id"])
    frame = sessions.copy()
    for name in ("training_run_ids", "sampler_ids"):
        frame[name] = found[name].array
    for name in ("display_name", "user_metadata"):
        frame[name] = frame[name].where(frame[name].notna(), pd.Series(found[name].array, index=frame.index))
    return frame[WITH_DETAILS.names]


def map_members(details: pd.DataFrame, member: str) -> dict[str, str]:
    """Return the session of every training run or sampler that a session lists; `member` names the list's column."""
    pairs = details[["session_id", member]].explode(member).dropna()
    return dict(zip(pairs[member], pairs["session_id"], strict=True))


def fill_sessions(frame: pd.DataFrame, session_of: dict[str, str]) -> pd.DataFrame:
    """Fill in the sessions that ids do not name, from the runs that each session lists."""
    if session_of and frame["session_id"].isna().any():
        listed = frame["training_run_id"].map(session_of).astype(text_dtype())
        frame["session_id"] = frame["session_id"].where(frame["session_id"].notna(), listed)
    return frame


def join_inventory(checkpoints: pd.DataFrame, runs: pd.DataFrame, sessions: pd.DataFrame) -> pd.DataFrame:
    """Return checkpoints with the columns of their run and of their session: left joins, so no row is lost or multiplied."""
    runs = runs.drop(columns=["session_id"]).rename(columns={"base_model": "run_base_model"})
    runs = runs.rename(columns=_prefixed("run", runs))
    sessions = sessions.rename(columns=_prefixed("session", sessions))
    frame = checkpoints.merge(runs, on="training_run_id", how="left", validate="m:1")
    frame = frame.merge(sessions, on="session_id", how="left", validate="m:1")
    frame["base_model"] = frame["base_model"].where(frame["base_model"].notna(), frame["run_base_model"])
    for column in INVENTORY.columns:
        if column.name not in frame.columns:
            frame[column.name] = pd.Series(pd.NA, index=frame.index, dtype="object").astype(pandas_dtype(column))
    return frame[INVENTORY.names]


def merge_lacks(checkpoints: list[str], runs: list[str], sessions: list[str]) -> list[str]:
    """Return what the inventory lacks, by the names that the columns of its parts have there; the runs tell the base model."""
    names = [name for name in checkpoints if name != "base_model"]
    for prefix, lacks in (("run", runs), ("session", sessions)):
        own = [f"{prefix}_{name}" if f"{prefix}_{name}" in INVENTORY.names else name for name in lacks]
        names += [name for name in own if name in INVENTORY.names or name == "sessions"]
    return names


def _prefixed(prefix: str, frame: pd.DataFrame) -> dict[str, str]:
    """Return new names for columns that the inventory has under a prefix."""
    return {name: f"{prefix}_{name}" for name in frame.columns if f"{prefix}_{name}" in INVENTORY.names}
