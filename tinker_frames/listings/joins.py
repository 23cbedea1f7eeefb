"""From listings to typed DataFrames, and the joins between tables; pure."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pandas as pd

from ..schema.catalog import INVENTORY, SESSIONS_WITH_DETAILS
from ..schema.columns import Table, add_live, pandas_dtype, text_dtype, to_columns, to_frame
from .listing import Listing, Report

ATTRS = "tinker"
STORAGE_COST = "storage_usd_month"
FINAL = "final"  # the name that the cookbook saves a run's last state under


def build_frame(table: Table, listing: Listing) -> pd.DataFrame:
    """Return the typed frame of a listing; ages are as of now."""
    return to_frame(table, listing.data, datetime.now(UTC))


def build_columns(table: Table, listing: Listing, *names: str) -> pd.DataFrame:
    """Return some stored columns of a listing as a typed frame; for a few rows, each column costs more than its values."""
    return to_columns([table[name] for name in names], listing.data)


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


def add_members(sessions: pd.DataFrame, details: pd.DataFrame) -> pd.DataFrame:
    """Return sessions with the ids of their training runs and samplers, and with the fields that only a session's own answer has."""
    found = details.set_index("session_id").reindex(sessions["session_id"])
    frame = sessions.copy()
    for name in ("training_run_ids", "sampler_ids"):
        frame[name] = found[name].array
    for name in ("display_name", "user_metadata"):
        frame[name] = frame[name].where(frame[name].notna(), pd.Series(found[name].array, index=frame.index))
    return add_columns(SESSIONS_WITH_DETAILS, frame)


def add_last_checkpoint(sessions: pd.DataFrame, checkpoints: pd.DataFrame | None) -> pd.DataFrame:
    """Return sessions with the time of their newest checkpoint, of all the user's checkpoints; NA without these."""
    if checkpoints is None:
        return sessions
    newest = checkpoints.groupby("session_id", observed=True)["time"].max()
    return sessions.assign(last_checkpoint_at=newest.reindex(sessions["session_id"]).array)


def add_session_names(runs: pd.DataFrame, sessions: pd.DataFrame) -> pd.DataFrame:
    """Return runs with the name, state and creation time of their sessions."""
    found = sessions.set_index("session_id").reindex(runs["session_id"])
    return runs.assign(**{name: found[name].array for name in ("display_name", "status", "created_at")})


def add_checkpoint_sums(runs: pd.DataFrame, checkpoints: pd.DataFrame | None, *, are_own: bool) -> pd.DataFrame:
    """Return runs with what all the user's checkpoints say of them; NA without these.

    A run that none of them names has none where all runs `are_own`; else that is not known.
    """
    if checkpoints is None:
        return runs
    groups = checkpoints.assign(has_final=checkpoints["name"] == FINAL).groupby("training_run_id", observed=True)
    sums = {"checkpoints_count": groups.size(), "size_bytes": groups["size_bytes"].sum(min_count=1)}
    sums |= {"last_step": groups["step"].max(), "has_final": groups["has_final"].any()}
    found = pd.DataFrame(sums).reindex(runs["training_run_id"])
    found = found.astype({"checkpoints_count": "Int64", "has_final": "boolean"})
    if are_own:
        found = found.fillna({"checkpoints_count": 0, "has_final": False})
        found.loc[found["checkpoints_count"] == 0, "size_bytes"] = 0
    return runs.assign(**{str(name): found[name].array for name in found})


def add_storage_cost(frame: pd.DataFrame, rate: float | None) -> None:
    """Fill in what storage costs, in dollars a month, where a frame has that column; NaN without a rate."""
    if STORAGE_COST in frame:
        frame[STORAGE_COST] = float("nan") if rate is None else frame["size_gb"] * rate


def add_columns(table: Table, frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame with every column of a table, NA where it lacks one, in their order."""
    frame = frame.copy()
    for column in table.columns:
        if column.live is None and column.name not in frame:
            frame[column.name] = pd.array([None] * len(frame), dtype=pandas_dtype(column))
    return add_live(table, frame, datetime.now(UTC))


def map_members(details: pd.DataFrame, member: str) -> dict[str, str]:
    """Return the session of every training run or sampler that a session lists; `member` names the list's column."""
    pairs = zip(details["session_id"], details[member], strict=True)
    return {key: session for session, keys in pairs if isinstance(keys, tuple) for key in keys if key is not None}


def fill_sessions(frame: pd.DataFrame, session_of: dict[str, str]) -> pd.DataFrame:
    """Fill in the sessions that ids do not name, from the runs that each session lists."""
    if session_of and frame["session_id"].isna().any():
        listed = frame["training_run_id"].map(session_of).astype(text_dtype())
        frame["session_id"] = frame["session_id"].where(frame["session_id"].notna(), listed)
    return frame


def join_inventory(checkpoints: pd.DataFrame, runs: pd.DataFrame, sessions: pd.DataFrame) -> pd.DataFrame:
    """Return checkpoints with the columns of their run and of their session: left joins, so no row is lost or multiplied."""
    runs = runs.drop(columns=["session_id"])
    runs = runs.rename(columns={"base_model": "run_base_model"} | _prefixed("run", runs))
    sessions = sessions.drop(columns=STORAGE_COST).rename(columns=_prefixed("session", sessions))
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
