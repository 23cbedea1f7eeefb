"""What samplers have loaded, read past the cache, and no more of it than can have changed since it was read last."""

from __future__ import annotations

import pandas as pd

from ..schema.catalog import SAMPLERS, SESSION_DETAILS, SESSIONS
from .joins import build_frame, map_members
from .listing import Report, merge_reports
from .tables import Options, Tables

FINISHED = ("cancelled", "client_finished", "failed")  # statuses of sessions that start no more samplers


class ModelPaths:
    """The model paths of an account's samplers.

    What a sampler has loaded never changes, nor which samplers a finished session had; both are kept once they were read.

    Parameters
    ----------
    tables
        Reads the listings.
    session_of
        Run to session; what sessions name is added.
    """

    def __init__(self, tables: Tables, session_of: dict[str, str]) -> None:
        self._tables, self._session_of = tables, session_of
        self._finished: dict[str, dict[str, str]] = {}  # session → its samplers, each with the session
        self._paths: dict[str, str | None] = {}  # sampler → what it has loaded; None for the plain base model

    def remember_sessions(self, sessions: pd.DataFrame, members: pd.DataFrame) -> None:
        """Keep the samplers of finished sessions; `members` are the sessions' own answers, read after they had finished."""
        finished = set(sessions.loc[sessions["status"].isin(FINISHED), "session_id"])
        for session_id, ids in zip(members["session_id"], members["sampler_ids"], strict=True):
            if session_id in finished and isinstance(ids, tuple):
                self._finished[session_id] = dict.fromkeys(ids, session_id)

    def remember_samplers(self, samplers: pd.DataFrame) -> None:
        """Keep what samplers have loaded, but of those that name it in a way that cannot be read."""
        unread = samplers["extra"].fillna("").str.contains('"model_path"', regex=False)
        samplers = samplers[~unread.astype(bool)]
        paths = samplers["model_path"].astype("object").where(samplers["model_path"].notna(), None)
        self._paths.update(zip(samplers["sampler_id"], paths, strict=True))

    def read(self) -> tuple[list[str], Report]:
        """Return the distinct model paths of all samplers that sessions list now, and a report of how they were read."""
        options = Options(refresh=True)
        listing = self._tables.sessions(options)
        sessions, reports = build_frame(SESSIONS, listing), [listing.report]
        if "sampler_ids" not in listing.data.column_names:  # else each session was asked already
            listed = sessions["session_id"]
            listing = self._tables.session_details(listed[~listed.isin(list(self._finished))].to_list(), options)
            reports.append(listing.report)
        members = build_frame(SESSION_DETAILS, listing)
        self.remember_sessions(sessions, members)
        self._session_of.update(map_members(members, "training_run_ids"))
        session_of = map_members(members, "sampler_ids")
        for session_id in sessions["session_id"]:
            session_of |= self._finished.get(session_id, {})
        reports.append(self._read_new({key: session_of[key] for key in session_of if key not in self._paths}))
        found = {self._paths.get(sampler_id) for sampler_id in session_of} - {None}
        return sorted(path for path in found if path is not None), merge_reports(reports)

    def _read_new(self, session_of: dict[str, str]) -> Report:
        """Read samplers that are not known yet."""
        if not session_of:
            return Report()
        listing = self._tables.samplers(session_of, Options(refresh=True))
        self.remember_samplers(build_frame(SAMPLERS, listing))
        return listing.report
