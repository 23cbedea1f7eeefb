"""What samplers have loaded: those whose session may still be active, and those of ended sessions that are known.

Only own sessions are read. Colleagues' take a request each, their samplers are not promised to be readable, and one that is not
would leave every checkpoint of the account open.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from functools import partial
from typing import Any

import pandas as pd

from ..rest.progress import Progress
from ..rest.threads import run_beside
from ..schema.catalog import SAMPLERS, SESSION_DETAILS, SESSIONS
from .joins import build_columns, map_members
from .listing import Listing, Report, merge_reports
from .tables import Options, Tables

STATUS = tuple(name for name in SESSIONS.names if name.startswith("status"))
ENDED = ("cancelled", "client_finished", "failed")  # statuses of sessions that start no more samplers


@dataclass(frozen=True)
class ModelPaths:
    """The model paths of an account's samplers, and how they were read."""

    active: list[str]  # of samplers whose session may still be active
    ended: list[str]  # of those samplers of ended sessions that were read
    session_of: dict[str, str]  # run to session, of the sessions that were read
    sessions: list[str]  # all that were listed
    active_sessions: list[str]  # to be read again the next time; none where the list of sessions reads each already
    report: Report


def find_ended(sessions: pd.DataFrame) -> dict[str, str]:
    """Return the sessions that have ended, and a name of this end: one that was reopened and ended otherwise has another.

    A status that is not known is no end.
    """
    rows = sessions[sessions["status"].isin(ENDED)]
    ends = zip(*(rows[name].tolist() for name in STATUS), strict=True)
    digests = (hashlib.sha256(repr(end).encode()).hexdigest()[:16] for end in ends)
    return {key: f"{key} {digest}" for key, digest in zip(rows["session_id"], digests, strict=True)}


def read_model_paths(
    tables: Tables, options: Options, *, ended: bool = False, expected: Collection[str] = ()
) -> ModelPaths:
    """Read what samplers have loaded; with `ended`, also of all sessions that have ended.

    A sampler lives as long as its session. Of ended sessions, only what is known without a request is read otherwise. Where the
    server does not tell statuses, each session is read. The sessions that are `expected` to be active are read while the server is
    asked which there are.
    """
    listing, ahead = _list_sessions(tables, options, expected)
    sessions, reports = build_columns(SESSIONS, listing, "session_id", *STATUS), [listing.report]
    over = find_ended(sessions)
    is_searched = "sampler_ids" not in listing.data.column_names  # else each session was read already
    if is_searched:
        left_out = set() if ended else over.keys() - set(tables.find_permanent(SESSION_DETAILS, over))
        ids = [session_id for session_id in sessions["session_id"] if session_id not in left_out]
        listing = tables.session_details(ids, options, ended=over, ahead=ahead)
    members = build_columns(SESSION_DETAILS, listing, "session_id", "training_run_ids", "sampler_ids")
    reports.append(listing.report)
    is_active = ~members["session_id"].isin(over)
    session_of = map_members(members, "sampler_ids") | map_members(members[is_active], "sampler_ids")
    if not ended:
        known = set(tables.find_permanent(SAMPLERS, {key: key for key in session_of}))
        session_of = {key: session for key, session in session_of.items() if session not in over or key in known}
    listing = tables.samplers(session_of, options)
    samplers = build_columns(SAMPLERS, listing, "session_id", "model_path")
    is_over = samplers["session_id"].isin(over)
    report = merge_reports([*reports, listing.report])
    paths = samplers["model_path"]
    return ModelPaths(
        _list_paths(paths[~is_over]),
        _list_paths(paths[is_over]),
        map_members(members, "training_run_ids"),
        list(sessions["session_id"]),
        list(members.loc[is_active, "session_id"]) if is_searched else [],
        report,
    )


def _list_sessions(tables: Tables, options: Options, expected: Collection[str]) -> tuple[Listing, Listing | None]:
    """Return the sessions, and the details of those that were expected, read at the same time."""
    if not (options.live and expected):
        return tables.sessions(options, ignore_writes=True), None
    read_ahead = partial(tables.read_ahead, list(expected))
    with Progress("session details", None) as bar, run_beside(read_ahead, bar, "tinker-frames-ahead") as ahead:
        return tables.sessions(options, ignore_writes=True), ahead.result().value  # what failed is read again later


def _list_paths(paths: pd.Series[Any]) -> list[str]:
    """Return the distinct paths."""
    return sorted(paths.dropna().unique())
