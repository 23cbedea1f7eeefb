"""The methods of a client that say what is used, stored and paid for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

import pandas as pd

from ..errors import IncompleteListingError, InvalidRequestError, NotSupportedError, PermissionDeniedError
from ..listings.account import TableFrame
from ..listings.tables import Options
from ..schema.arguments import check_methods
from ..schema.catalog import COSTS, STORAGE, USAGE
from ..schema.columns import Table
from ..schema.docstrings import REQUEST_ERRORS, describe_errors, document, format_columns, format_entries
from .account import ROLE, Billing
from .costs import check_groups
from .spans import Moment

M = TypeVar("M", bound=Callable[..., pd.DataFrame])

PARAMETERS = {
    "start": """The beginning: a date or text such as "2026-11-01", "2026-11" or "yesterday", in UTC; a time with a time zone; or a duration
such as "30d", for that long ago. It is rounded down to a whole hour.""",
    "end": "The end, not included, in the same forms, rounded up to a whole hour; None for now.",
    "refresh": "Bypass the cache and what is kept for good.",
    "limit": "Maximum number of rows; None for all, 0 for none.",
    "progress": "Show a progress bar. With None, one is shown in a terminal or notebook if reading takes over a second.",
    "require_complete": "Raise `IncompleteListingError` if rows may be missing, instead of warning.",
}


def _document(table: Table) -> Callable[[M], M]:
    """Return a decorator that completes the docstring of a method: parameters, columns with dtypes, errors."""
    about = f"{table.row[0].upper()}{table.row[1:]}. Columns:\n\n{format_columns(table.columns)}"
    errors = describe_errors(InvalidRequestError, NotSupportedError, IncompleteListingError, *REQUEST_ERRORS)
    errors[PermissionDeniedError.__name__] = f"If the account lacks the role: it {ROLE}."
    return document(PARAMETERS, returns=format_entries({"DataFrame": about}), raises=errors)


@check_methods
class BillingMethods:
    """What a client can do with the billing of its organization, for its admins; each is also a function of the package."""

    billing: Billing

    @_document(USAGE)
    def usage(
        self,
        start: Moment = "30d",
        end: Moment | None = None,
        *,
        refresh: bool = False,
        limit: int | None = None,
        progress: bool | None = None,
        require_complete: bool = False,
    ) -> pd.DataFrame:
        """Return one row per billing event of the organization, in the order of time, of any span.

        Reads GET /api/v1/billing/usage/events in windows of at most 14 days, in parallel, and the sessions for their names. Windows with
        events that ended over two days ago, and before the time up to which costs are invoiced, are read once and kept for good. The
        last hours may be incomplete: the service counts with some delay.

        Examples
        --------
        >>> client.usage("2026-11-01").groupby("event_type", observed=True)["token_count"].sum()
        """
        options = Options(refresh, limit, progress=progress)
        return self._finish(self.billing.usage(start, end, options), require_complete)

    @_document(STORAGE)
    def storage(
        self,
        *,
        refresh: bool = False,
        limit: int | None = None,
        progress: bool | None = None,
        require_complete: bool = False,
    ) -> pd.DataFrame:
        """Return what the organization stores now, by project and owner: checkpoints, bytes, projected dollars a month and the rate.

        Reads GET /api/v1/billing/usage/checkpoints/current, which is one or two hours behind.

        Examples
        --------
        >>> client.storage()["estimated_monthly_cost_usd"].sum()
        """
        options = Options(refresh, limit, progress=progress)
        return self._finish(self.billing.storage(options), require_complete)

    @_document(COSTS)
    def costs(
        self,
        by: str | Iterable[str] = "session",
        start: Moment = "30d",
        end: Moment | None = None,
        *,
        refresh: bool = False,
        progress: bool | None = None,
        require_complete: bool = False,
    ) -> pd.DataFrame:
        """Return the costs of the organization by session, training run, model, person, project, time or metadata.

        The largest comes first; where times are the first groups, rows are in the order of time, and the largest comes first in each.

        Reads what `usage` reads, the training runs if they are a group, and what is stored. What is not priced is in no sum:
        `unpriced_events` counts it, and a sum of nothing priced is NA. An event belongs to the training run of its session and
        base model, where there is just one; the others are the group NA, as storage is, which is billed without a session.
        First come the columns of the groups (`session_id` …, `day`, `month`, `meta.<key>`) in the order of `by`, with names beside ids.
        Only groups with events have a row; `attrs["tinker"]` says what the others store, in `problems`, and the `start` and `end` of
        the span.

        Parameters
        ----------
        by
            One or several of session, training_run, base_model, user, project, type, day, week, month, year and meta.<key>.

        Examples
        --------
        >>> client.costs(by=["month", "user"], start="2026-01")
        >>> client.costs(by="meta.team", start="90d")[["meta.team", "cost_usd", "unpriced_events"]]
        """
        options = Options(refresh, progress=progress)
        return self._finish(self.billing.costs(check_groups(by), start, end, options), require_complete)

    def _finish(self, found: TableFrame, require_complete: bool) -> pd.DataFrame:
        raise NotImplementedError
