"""Usage, storage and costs of one account as frames, joined to its sessions and training runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import TypeVar

import pandas as pd

from ..errors import PermissionDeniedError
from ..frames.totals import PERIODS
from ..listings.account import Account, TableFrame
from ..listings.joins import build_frame
from ..listings.listing import Listing, Report, merge_reports
from ..listings.tables import Options
from ..rest.transport import Transport
from ..schema.catalog import COSTS, STORAGE, USAGE
from .costs import ESTIMATE, add_estimate, find_runs, sum_costs
from .events import decode_storage
from .reader import UsageReader
from .spans import Moment, Window, parse_span

T = TypeVar("T")

ROLE = "needs org admin or billing admin"
# Groups of which only the user's own checkpoints tell what is stored.
OWN = {"training_run", "run", "base_model", "model"}


class Billing:
    """Reads what one account has used, stores and costs."""

    def __init__(self, transport: Transport, account: Account) -> None:
        self._transport, self._account = transport, account
        self._reader = UsageReader(transport)

    def usage(self, start: Moment, end: Moment | None, options: Options) -> TableFrame:
        """Read billing events, with the names and metadata of their sessions."""
        span, listing = self._read_span(start, end, options)
        again = parse_span(start, end, self._now())
        if again != span:  # the first answer has shown the server's clock
            _, listing = self._read_span(start, end, options)
        frame, report = build_frame(USAGE, listing), replace(listing.report)
        sessions = self._account.read_all_sessions(options) if len(frame) else None
        if sessions is None:
            report.lacks = [*report.lacks, "display_name"]
            return TableFrame(frame, USAGE, report)
        found = sessions.frame.set_index("session_id").reindex(frame["session_id"])
        for name in ("display_name", "user_metadata"):
            frame[name] = frame[name].where(frame[name].notna(), pd.Series(found[name].array, index=frame.index))
        return TableFrame(frame, USAGE, _join_report(report, sessions.report))

    def _now(self) -> datetime:
        """Return the time by the server's clock, as far as it is known."""
        return datetime.now(UTC) + self._transport.clock_offset

    def _read_span(self, start: Moment, end: Moment | None, options: Options) -> tuple[Window, Listing]:
        span = parse_span(start, end, self._now())
        return span, explain_role("usage", lambda: self._reader.read(span, options))

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
            frame, report = (
                frame.assign(training_run_id=find_runs(frame, runs.frame)),
                _join_report(report, runs.report),
            )
        held, rate = self._read_held(by, options), self._account.read_rate()
        costs = add_estimate(sum_costs(frame, by), held, by, rate)
        report.lacks = [ESTIMATE] if rate is None else []
        return TableFrame(costs, COSTS, report)

    def _read_held(self, by: list[str], options: Options) -> pd.DataFrame | None:
        """Return the sizes of what is stored now with the columns of groups; None if that is not known, or means nothing for them."""
        if {*PERIODS, "type"} & set(by):
            return None
        if not OWN & set(by):
            sessions = self._account.read_all_sessions(options)
            names = {"owner": "user_id", "checkpoint_storage_bytes": "size_bytes"}
            return None if sessions is None or sessions.report.doubted else sessions.frame.rename(columns=names)
        found = self._account.inventory("auto", Options(refresh=options.refresh, progress=options.progress))
        names = {"session_owner": "user_id", "session_user_metadata": "user_metadata"}
        return None if found.report.doubted else found.frame.drop(columns="user_metadata").rename(columns=names)


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


def _join_report(usage: Report, other: Report) -> Report:
    """Return the report of events that another listing gave names to; it cannot make events complete or incomplete."""
    report = merge_reports([usage, replace(other, problems=[], lacks=[], complete=True)])
    if other.doubted:
        problem = "some sessions or runs could not be read, and their events have no name"
        report.problems = [*report.problems, {"column": "display_name", "problem": problem, "rows": 0, "examples": []}]
    return report
