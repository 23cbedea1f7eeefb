"""The expiry that a plan requests for each of its rows: the same TTL for all, or each row's own expiry and a duration; pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from ..schema.columns import pandas_array
from ..schema.durations import TTL_RANGE_S
from .actions import Action, Arguments
from .jobs import MARGIN, RequestedExpiry, State
from .preview import add_expiries, build_states

if TYPE_CHECKING:
    import pandas as pd

UNKNOWN = "its expiry is not known, so it cannot be extended"
TOO_SOON = "it would expire in less than an hour, and the service accepts no shorter TTL"
TOO_LATE = "it would expire in more than ten years, and the service accepts no longer TTL"


def request_expiries(
    rows: pd.DataFrame, action: Action, arguments: Arguments, now: datetime, clock_offset: timedelta
) -> pd.DataFrame:
    """Return facts with the requested expiry of each row; a row for which none can be requested is refused.

    Parameters
    ----------
    rows
        Facts, as `preview.collect_facts` returns them.
    action
        What is done to them.
    arguments
        What it was called with.
    now
        The present time, by our clock.
    clock_offset
        By how much the server's clock, by which rows expire, is ahead of ours.
    """
    if not action.only_later or arguments.ttl_seconds is None:
        return add_expiries(rows, [RequestedExpiry(arguments.ttl_seconds)] * len(rows))
    by = arguments.ttl_seconds
    expiries, refusals = [], []
    for state, refusal in zip(build_states(rows), rows["refusal"], strict=True):
        expiry, problem = _extend(state, by, now, clock_offset)
        expiries.append(expiry)
        refusals.append(refusal or problem)
    return add_expiries(rows, expiries).assign(refusal=pandas_array("text", refusals))


def _extend(state: State, by: int, now: datetime, clock_offset: timedelta) -> tuple[RequestedExpiry, str]:
    """Return a later expiry by our clock, and why it cannot be requested; one of never stays never."""
    if not state.is_expiry_known:
        return RequestedExpiry(), UNKNOWN
    if state.expires_at is None:
        return RequestedExpiry(), ""
    ttl_seconds = (state.expires_at - clock_offset - MARGIN - now).total_seconds() + by
    if not TTL_RANGE_S[0] <= ttl_seconds <= TTL_RANGE_S[1]:
        return RequestedExpiry(), TOO_SOON if ttl_seconds < TTL_RANGE_S[0] else TOO_LATE
    return RequestedExpiry(by, state.expires_at - clock_offset + timedelta(seconds=by)), ""
