"""One account's tables as typed DataFrames: each read from its listings, joined where a table needs another, and described."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import pandas as pd

from ..errors import (
    IncompleteListingError,
    IncompleteListingWarning,
    InvalidRequestError,
    NotFoundError,
    NotSupportedError,
    PermissionDeniedError,
    ServerError,
    TinkerError,
    find_caller,
)
from ..rest.responses import Response
from ..rest.transport import Transport
from ..schema.catalog import (
    CHECKPOINTS,
    FOUND,
    INVENTORY,
    RUNS_WITH_DETAILS,
    SAMPLERS,
    SESSION_DETAILS,
    SESSIONS,
    SESSIONS_WITH_DETAILS,
    TRAINING_RUNS,
)
from ..schema.columns import Table, empty_frame
from ..schema.paths import may_be_short, quote_text, run_url, runs_of, starts_with_scheme
from .find import find_rows, resolve_short_ids
from .joins import (
    ATTRS,
    STORAGE_COST,
    add_checkpoint_sums,
    add_columns,
    add_last_checkpoint,
    add_members,
    add_session_names,
    add_storage_cost,
    build_frame,
    describe_frame,
    fill_sessions,
    join_inventory,
    map_members,
    merge_lacks,
)
from .listing import Listing, Report, apply_limit, join_listings, merge_reports
from .rate import StorageRate
from .samplers import ModelPaths, find_ended, read_model_paths
from .tables import By, Options, Tables, check_way

MOST_ASKED = 3  # runs that are asked for whether they exist, if a list lacks them: each is a request
MANY_RUNS = 200  # above this, the user's list is expected to take fewer requests than each run's own


@dataclass(frozen=True)
class TableFrame:
    """A table's frame, with the report of how it was read, and what else its `attrs` say."""

    frame: pd.DataFrame
    table: Table
    report: Report
    about: dict[str, str] = field(default_factory=dict)


class Account:
    """Reads one account's tables as frames; `finish` sets `attrs` and warns about listings that are not proved complete."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._rate = StorageRate(transport)
        self._tables = Tables(transport, self._request_rate)
        self._session_of: dict[str, str] = {}  # run → session, from the sessions that were read with details
        self._own_runs: set[str] = set()  # those of own sessions
        self._active_sessions: list[str] = []  # when samplers were read the last time

    def _request_rate(self, table: Table | None) -> None:
        """Request the rate beside the pages of a whole table with a cost of storage; None for a table of which only a part is read."""
        if table is not None and STORAGE_COST in table.names:
            self._rate.begin()

    @property
    def known_runs(self) -> Collection[str]:
        """The training runs that sessions have named so far."""
        return self._session_of.keys()

    def sessions(self, options: Options, *, details: bool) -> TableFrame:
        """Read sessions; with `details`, each one's own answer and the checkpoints too."""
        found = self._read_sessions(self._tables.sessions(options), options, details=details)
        if not details:
            return found
        checkpoints, report = self._read_all_checkpoints(options)
        frame = add_last_checkpoint(found.frame, checkpoints)
        return _finish_details(TableFrame(frame, found.table, found.report), SESSIONS, report)

    def _check_runs(self, listing: Listing, options: Options) -> Listing:
        """Return the list of runs, read again if it lacks runs that own sessions or cached checkpoints name; its report says if they exist."""
        if listing.report.cut or listing.report.doubted or options.project_id is not None:
            return listing
        checkpoints = self._tables.find_cached(CHECKPOINTS)
        named = {*self._own_runs, *(runs_of(checkpoints.data["tinker_path"].to_pylist()) if checkpoints else ())}
        if not named.difference(listing.data["training_run_id"].to_pylist()):
            return listing
        again = self._tables.read_paged(TRAINING_RUNS, replace(options, refresh=True))
        missing = sorted(named.difference(again.data["training_run_id"].to_pylist()))
        if unlisted := [run for run in missing[:MOST_ASKED] if self._may_exist(run)]:
            listing.report.doubt(f"it lacks {len(missing)} that sessions or checkpoints name, e.g. {unlisted[0]}")
            return listing
        return again

    def _may_exist(self, training_run_id: str) -> bool:
        """Tell whether a run exists, as far as the server says."""
        try:
            self._transport.call("GET", run_url(training_run_id))
        except NotFoundError:
            return False
        except TinkerError:
            return True
        return True

    def _read_sessions(self, listing: Listing, options: Options, *, details: bool) -> TableFrame:
        """Return listed sessions; with `details`, with the training runs and samplers that each one's own answer names."""
        frame, report = build_frame(SESSIONS, listing), listing.report
        if not details:
            return TableFrame(frame, SESSIONS, report)
        if "training_run_ids" not in listing.data.column_names:  # otherwise each session was read already
            ids = listing.data["session_id"].to_pylist()
            listing = self._tables.session_details(ids, options, ended=find_ended(frame))
            report = merge_reports([report, listing.report])
        frame = add_members(frame, build_frame(SESSION_DETAILS, listing))
        session_of = map_members(frame, "training_run_ids")
        self._session_of |= session_of
        self._own_runs.update(session_of if options.access_scope == "owned" else ())
        return TableFrame(frame, SESSIONS_WITH_DETAILS, report)

    def _read_all_checkpoints(self, options: Options) -> tuple[pd.DataFrame | None, Report]:
        """Return all of the user's checkpoints, None if they are not proved to be all; and how they were read."""
        own = Options(refresh=options.refresh, progress=options.progress)
        listing = self._tables.checkpoints(None, "auto", own, named=self._own_runs)
        frame = fill_sessions(build_frame(CHECKPOINTS, listing), self._session_of)
        return frame if listing.report.complete else None, listing.report

    def read_paged(self, table: Table, options: Options) -> TableFrame:
        """Read a table that one endpoint lists by offset and that needs no other table."""
        listing = self._tables.read_paged(table, options)
        return TableFrame(build_frame(table, listing), table, listing.report)

    def training_runs(self, options: Options, *, details: bool = False) -> TableFrame:
        """Read training runs; with `details`, join what their sessions and checkpoints say of them."""
        listing = self._tables.read_paged(TRAINING_RUNS, options)
        if not details:
            listing = self._check_runs(listing, options)
        frame = fill_sessions(build_frame(TRAINING_RUNS, listing), self._session_of)
        if not details:
            return TableFrame(frame, TRAINING_RUNS, listing.report)
        every, reports = replace(options, limit=None, project_id=None), []
        sessions = self._list_sessions(every)
        if sessions is not None:
            members = bool(frame["session_id"].isna().any())
            found = self._read_sessions(sessions, every, details=members)
            frame = add_session_names(fill_sessions(frame, self._session_of), found.frame)
            reports.append(found.report)
        checkpoints, report = self._read_all_checkpoints(options)
        if self._check_runs(listing, options) is not listing:
            listing.report.doubt("runs were added while their sessions and checkpoints were read")
        frame = add_checkpoint_sums(frame, checkpoints, are_own=options.access_scope == "owned")
        return _finish_details(TableFrame(frame, RUNS_WITH_DETAILS, listing.report), TRAINING_RUNS, *reports, report)

    def checkpoints(self, training_run_id: str | Iterable[str] | None, by: By, options: Options) -> TableFrame:
        """Read checkpoints: of one run, of several, or all of the user's."""
        run_ids = [training_run_id] if isinstance(training_run_id, str) else training_run_id
        ids = None if run_ids is None else list(run_ids)
        listing = self._tables.checkpoints(ids, by, options, named=self._own_runs)
        return TableFrame(
            fill_sessions(build_frame(CHECKPOINTS, listing), self._session_of), CHECKPOINTS, listing.report
        )

    def read_listed(self, run_ids: list[str], since: datetime | None = None) -> pd.DataFrame:
        """Return the checkpoints of some runs, from the cache if it has them, but not from before `since`.

        Those of many runs come from the user's list, which takes fewer requests, where that is proved complete.
        """
        frame, started = self._read_listed(run_ids, Options())
        if since is not None and datetime.fromtimestamp(started, UTC) < since:
            frame, _ = self._read_listed(run_ids, Options(refresh=True))
        return frame

    def _read_listed(self, run_ids: list[str], options: Options) -> tuple[pd.DataFrame, float]:
        """Return the checkpoints of some runs, and when the reading began, in Unix seconds."""
        are_few = len(run_ids) <= MANY_RUNS and (len(run_ids) == 1 or self._tables.find_cached(CHECKPOINTS) is None)
        found = None if are_few else self._read_proved_list(options)
        if found is None:
            found = self.checkpoints(run_ids, "auto", options)
            return found.frame, found.report.started
        rows = found.frame[found.frame["training_run_id"].isin(run_ids)].reset_index(drop=True)
        rest = sorted(set(run_ids) - set(rows["training_run_id"].unique()))
        if not rest:
            return rows, found.report.started
        listing = self._tables.read_others(rest, options)
        others = fill_sessions(build_frame(CHECKPOINTS, listing), self._session_of)  # or runs of others, which are lost
        return pd.concat([rows, others], ignore_index=True), min(found.report.started, listing.report.started)

    def _read_proved_list(self, options: Options) -> TableFrame | None:
        """Return the user's list of checkpoints; None if there is none that is proved complete."""
        try:
            found = self.checkpoints(None, "user", options)
        except NotSupportedError:
            return None
        return None if found.report.doubted else found

    def find(self, text: str, options: Options) -> TableFrame:
        """Find sessions, training runs and checkpoints by a name, an id, a path or a link."""
        sessions, runs = self._list_sessions(options), self.training_runs(options)
        listed = self.checkpoints(None, "auto", options)
        named = empty_frame(SESSIONS, datetime.now(UTC)) if sessions is None else build_frame(SESSIONS, sessions)
        reports = [listed.report, runs.report, *([] if sessions is None else [sessions.report])]
        report = replace(merge_reports(reports), lacks=[], total=None)
        return TableFrame(find_rows(text, named, runs.frame, listed.frame), FOUND, report)

    def resolve_runs(self, ids: list[str], options: Options) -> list[str]:
        """Return training run ids with short ones completed, by the list of runs, which is read only if there are any."""
        if path := next((one for one in ids if isinstance(one, str) and starts_with_scheme(one)), None):
            raise InvalidRequestError(
                f"{quote_text(path)} is a tinker path, not the id of a training run",
                hint="Pass its training_run_id, or select its row from checkpoints().",
            )
        if not all(isinstance(one, str) for one in ids) or not any(map(may_be_short, ids)):
            return ids  # others are refused where they are read
        runs = self._tables.read_paged(TRAINING_RUNS, Options(refresh=options.refresh, progress=options.progress))
        if runs.report.doubted:
            raise IncompleteListingError(
                "the list of training runs cannot be proved complete, and another run's id may begin as this one does",
                url=self._transport.settings.base_url,
                hint="Give the whole id.",
            )
        return resolve_short_ids(ids, runs.data["training_run_id"].to_pylist())

    def samplers(self, options: Options) -> TableFrame:
        """Read the samplers that the sessions list."""
        every = replace(options, limit=0 if options.limit == 0 else None)
        sessions = self._read_sessions(self._tables.sessions(every, ignore_writes=True), every, details=True)
        listing = self._tables.samplers(map_members(sessions.frame, "sampler_ids"), options)
        report = merge_reports([listing.report, replace(sessions.report, lacks=[])])
        odd = sum(problem["rows"] for problem in sessions.report.problems if problem["column"] == "sampler_ids")
        if silent := max(odd, int(sessions.frame["sampler_ids"].isna().sum())):
            report.doubt(f"{silent:,} of {len(sessions.frame):,} sessions do not say which samplers they have", silent)
        return TableFrame(build_frame(SAMPLERS, listing), SAMPLERS, report)

    def read_model_paths(self, *, live: bool, ended: bool = False) -> ModelPaths:
        """Return what samplers have loaded; with `live`, read past the cache, and with `ended`, also of all ended sessions."""
        found = read_model_paths(self._tables, Options(live=live), ended=ended, expected=self._active_sessions)
        self._session_of |= found.session_of
        self._own_runs.update(found.session_of)
        self._active_sessions = found.active_sessions
        return found

    def inventory(self, by: By, options: Options) -> TableFrame:
        """Read checkpoints, and join their training runs and sessions; a limit is of the checkpoints."""
        check_way(by)
        account, every = self._transport.account, replace(options, limit=None)
        runs, sessions = self._tables.read_paged(TRAINING_RUNS, every), self._list_sessions(every)
        checkpoints = self._list_accessible(by, options, runs, sessions)
        if options.project_id is None:
            runs = self._tables.find_runs(checkpoints, runs, every)
        rows, run_rows = build_frame(CHECKPOINTS, checkpoints), build_frame(TRAINING_RUNS, runs)
        known = rows["session_id"].notna().all() and run_rows["session_id"].notna().all()
        if sessions is None:
            report = Report(lacks=["sessions"], started=runs.report.started, from_cache=True)
            found = TableFrame(empty_frame(SESSIONS, datetime.now(UTC)), SESSIONS, report)
        else:
            found = self._read_sessions(sessions, every, details=not known)
            if not known:
                named = map_members(found.frame, "training_run_ids")
                checkpoints = self._tables.add_unlisted(checkpoints, runs, named, every)
                rows = build_frame(CHECKPOINTS, checkpoints)
        reports = [checkpoints.report, runs.report, found.report]
        rows, run_rows = (fill_sessions(part, self._session_of) for part in (rows, run_rows))
        report = merge_reports(reports)
        report.lacks = merge_lacks(*(part.lacks for part in reports))
        if self._transport.account != account:
            report.doubt("the credential command began to answer for another account while it was read")
        return TableFrame(join_inventory(rows, run_rows, found.frame), INVENTORY, report)

    def _list_sessions(self, options: Options) -> Listing | None:
        """Return the sessions; None where the server has none."""
        try:
            return self._tables.sessions(options)
        except NotSupportedError:
            return None

    def _list_accessible(self, by: By, options: Options, runs: Listing, sessions: Listing | None) -> Listing:
        """Return the user's checkpoints; with access_scope="accessible", those of the other runs too, as far as they are listed."""
        own = replace(options, access_scope="owned")
        if options.access_scope == "owned":
            return self._tables.checkpoints(None, by, own, runs=runs, sessions=sessions, named=self._own_runs)
        owned = self._tables.read_paged(TRAINING_RUNS, replace(own, limit=None))
        checkpoints = self._tables.checkpoints(None, by, own, runs=owned, named=self._own_runs)
        mine = set(owned.data["training_run_id"].to_pylist())
        others = [run for run in runs.data["training_run_id"].to_pylist() if run not in mine]
        if not others or checkpoints.report.cut:
            return checkpoints
        return apply_limit(join_listings(checkpoints, self._tables.read_others(others, own)), options.limit)

    def read_runs(self, training_run_ids: list[str]) -> tuple[pd.DataFrame, set[str]]:
        """Return the checkpoints of some runs, past the cache, and the runs that could not be read; an unreadable run does not raise.

        From GET /api/v1/training_runs/{run}/checkpoints, in parallel.
        """
        listing = self._tables.read_runs(training_run_ids)
        return build_frame(CHECKPOINTS, listing), set(listing.report.lost)

    def read_rate(self) -> float | None:
        """Return dollars per gigabyte and month, if the server gives it to this account; requested once."""
        return self._rate.read()

    def read_answer(self, table: Table, options: Options, decode: Callable[[Response], Listing]) -> Listing:
        """Read a table that is one answer, e.g. GET /api/v1/billing/usage/checkpoints/current."""
        every = Options(options.refresh, 0 if options.limit == 0 else None, progress=options.progress)
        read = lambda bar: decode(self._transport.call("GET", table.path, progress=bar))  # noqa: E731
        return apply_limit(self._tables.read(table, every, read), options.limit)

    def read_all_sessions(self, options: Options) -> TableFrame | None:
        """Return the sessions that can be read, also those of others; None where the server lists none."""
        every = Options(refresh=options.refresh, progress=options.progress, access_scope="accessible")
        try:
            listing = self._tables.sessions(every)
        except (NotSupportedError, PermissionDeniedError, ServerError):
            return None
        return TableFrame(build_frame(SESSIONS, listing), SESSIONS, listing.report)

    def finish(self, found: TableFrame, *, require_complete: bool) -> pd.DataFrame:
        """Set the frame's `attrs`, and warn or raise if rows may be missing other than by `limit`."""
        frame, table, report = found.frame, found.table, found.report
        if not report.from_cache and report.requests:
            self._request_rate(table)  # of some runs only: for a whole table it is under way already
        add_storage_cost(frame, self._rate.get())
        base_url = self._transport.settings.base_url
        describe_frame(frame, table, report, base_url=base_url, account=self._transport.account)
        frame.attrs[ATTRS] |= found.about
        if not report.doubted:
            return frame
        why = "; ".join(p["problem"] for p in report.problems if p["column"] is None)
        message = f"{table.name}: the listing cannot be proved complete ({why})"
        if require_complete:
            raise IncompleteListingError(message, url=base_url)
        warnings.warn(f'{message}. See frame.attrs["tinker"].', IncompleteListingWarning, stacklevel=find_caller())
        return frame


def _finish_details(found: TableFrame, plain: Table, *others: Report) -> TableFrame:
    """Return a frame with all columns; its report is that of all readings, and names those columns beyond the plain table that no row has."""
    frame, report = add_columns(found.table, found.frame), found.report
    added = [name for name in found.table.names if name not in plain.names]
    lacks = [name for name in added if len(frame) and frame[name].isna().all()]
    merged = merge_reports([report, *others])
    return replace(found, frame=frame, report=replace(merged, lacks=list(dict.fromkeys([*report.lacks, *lacks]))))
