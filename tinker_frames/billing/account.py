"""Usage, storage and costs of one account as frames, joined to its sessions and training runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import TypeVar

import numpy as np
import pandas as pd

from ..errors import NotSupportedError, PermissionDeniedError, ServerError
from ..frames.totals import PERIODS
from ..listings.account import Account, TableFrame
from ..listings.joins import build_frame
from ..listings.listing import Listing, Report, merge_reports
from ..listings.tables import Options
from ..rest.progress import Progress
from ..rest.threads import run_beside
from ..rest.transport import Transport
from ..schema.catalog import COSTS, STORAGE, USAGE
from .costs import ESTIMATE, estimate_storage, find_idle, find_runs, sum_costs
from .events import decode_storage
from .reader import UsageReader
from .spans import Moment, Window, parse_span

T = TypeVar("T")

ROLE = "needs org admin or billing admin"
# Groups of which only the user's own checkpoints tell what is stored.
OWN = {"training_run", "run", "base_model", "model"}
# Groups of which the server itself tells what is stored, also in sessions that cannot be listed.
STORED_BY = {"user", "owner", "project"}
# Groups of which nothing is stored.
STORE_NOTHING = {*PERIODS, "type"}
BESIDE_SESSION = ("display_name", "user_metadata")
# Problems of frames whose sessions or runs are not proved to be all: the column concerned, and what is wrong with it.
UNNAMED = ("display_name", "some sessions could not be read, and their events have no name")
UNASSIGNED = (
    "training_run_id",
    "some runs could not be read, and their events may be assigned to another run or to none",
)


class Billing:
    """Reads what one account has used, stores and costs."""

    def __init__(self, transport: Transport, account: Account) -> None:
        self._transport, self._account = transport, account
        self._reader = UsageReader(transport)

    def usage(self, start: Moment, end: Moment | None, options: Options) -> TableFrame:
        """Read billing events, with the names and metadata of their sessions."""
        span = parse_span(start, end, self._now())
        with run_beside(partial(self._read_sessions, options), Progress(), "tinker-frames-sessions") as beside:
            listing = self._read_span(span, options)
            again = parse_span(start, end, self._now())
            if again != span:  # the first answer has shown the server's clock
                span, listing = again, self._read_span(again, options)
            sessions = beside.result().get() if listing.data.num_rows else None
        about = dict(zip(("start", "end"), span.key, strict=True))
        frame, report = build_frame(USAGE, listing), replace(listing.report)
        if sessions is None:
            report.lacks = [*report.lacks, *(name for name in BESIDE_SESSION if frame[name].isna().all())]
            return TableFrame(frame, USAGE, report, about)
        found = sessions.frame[["session_id", *BESIDE_SESSION]].set_index("session_id").reindex(frame["session_id"])
        for name in BESIDE_SESSION:  # the session's own list is newer than events that are kept
            own = pd.Series(found[name].array, index=frame.index)
            frame[name] = own.where(own.notna(), frame[name])
        return TableFrame(frame, USAGE, _join_report(report, sessions.report, *UNNAMED), about)

    def _read_sessions(self, options: Options, progress: Progress) -> TableFrame | None:
        """Read the sessions that events are joined to, if there can be any; None where they cannot be read."""
        return None if options.limit == 0 else self._account.read_all_sessions(replace(options, progress=progress))

    def _now(self) -> datetime:
        """Return the time by the server's clock, as far as it is known."""
        return self._transport.get_time()

    def _read_span(self, span: Window, options: Options) -> Listing:
        return explain_role("usage", lambda: self._reader.read(span, options))

    def storage(self, options: Options) -> TableFrame:
        """Read what is stored now, by project and owner."""
        listing = explain_role("storage", lambda: self._account.read_answer(STORAGE, options, decode_storage))
        return TableFrame(build_frame(STORAGE, listing), STORAGE, listing.report)

    def costs(self, by: list[str], start: Moment, end: Moment | None, options: Options) -> TableFrame:
        """Sum the costs of billing events by groups, and estimate what these groups store."""
        usage = self.usage(start, end, options)
        frame, report = usage.frame, usage.report
        if {"training_run", "run"} & set(by):
            runs = self._account.training_runs(replace(options, access_scope="accessible"))
            frame = frame.assign(training_run_id=find_runs(frame, runs.frame))
            report = _join_report(report, runs.report, *UNASSIGNED)
        costs = self._add_estimate(sum_costs(frame, by), by, report, options)
        return TableFrame(costs, COSTS, report, usage.about)

    def _add_estimate(self, costs: pd.DataFrame, by: list[str], report: Report, options: Options) -> pd.DataFrame:
        """Return costs with what their groups store now, estimated; the report says what that lacks."""
        held, rate = self._read_held(by, options), self._account.read_rate()
        is_unknown = rate is None or (held is None and not STORE_NOTHING & set(by))
        report.lacks = [*(name for name in report.lacks if name in costs), *([ESTIMATE] if is_unknown else [])]
        if held is None or rate is None:
            return costs.assign(**{ESTIMATE: np.nan})
        if unknown := int(held["size_bytes"].isna().sum()):
            report.note(ESTIMATE, "what has no known size is not in the estimate", rows=unknown)
        estimate = estimate_storage(held, by, rate)
        if len(idle := find_idle(costs, estimate)):
            report.note(
                ESTIMATE, f"groups without events in this time store another ${idle.sum():,.2f} a month", len(idle)
            )
        return costs.merge(estimate, how="left", validate="1:1")

    def _read_held(self, by: list[str], options: Options) -> pd.DataFrame | None:
        """Return the sizes of what is stored now with the columns of groups; None if that is not known, or means nothing for them."""
        if STORE_NOTHING & set(by):
            return None
        if set(by) <= STORED_BY and (stored := self._read_stored(options)) is not None:
            return stored
        if not OWN & set(by):
            sessions = self._account.read_all_sessions(options)
            if sessions is None or sessions.report.doubted:
                return None
            frame, sizes = sessions.frame, sessions.frame["checkpoint_storage_bytes"]
            sizes = sizes.mask(sizes.isna() & (frame["checkpoints_count"] == 0), 0)
            return frame.rename(columns={"owner": "user_id"}).assign(size_bytes=sizes)
        found = self._account.inventory("auto", Options(refresh=options.refresh, progress=options.progress))
        names = {"session_owner": "user_id", "session_user_metadata": "user_metadata"}
        return None if found.report.doubted else found.frame.drop(columns="user_metadata").rename(columns=names)

    def _read_stored(self, options: Options) -> pd.DataFrame | None:
        """Return what the server says to be stored by project and owner; None if it does not say it all."""
        try:
            found = self.storage(Options(refresh=options.refresh, progress=options.progress))
        except (NotSupportedError, PermissionDeniedError, ServerError):
            return None
        if found.report.doubted or {"org_user_urn", "project_id"} & set(found.report.lacks):
            return None
        return found.frame.rename(columns={"org_user_urn": "user_id"})


def explain_role(what: str, read: Callable[[], T]) -> T:
    """Return what is read; where the account may not, raise the error that says which role it needs."""
    try:
        return read()
    except PermissionDeniedError as error:
        status, url = error.status, error.url
    raise PermissionDeniedError(
        f"{what} {ROLE}",
        status=status,
        url=url,
        hint="Ask an admin of your organization for that role, or use another key.",
    )


def _join_report(usage: Report, other: Report, column: str, problem: str) -> Report:
    """Return the report of events that another listing is joined to; it cannot make events complete, but have a problem of its column."""
    report = merge_reports([usage, replace(other, problems=[], lacks=[], complete=True)])
    if other.doubted:
        report.note(column, problem)
    return report
