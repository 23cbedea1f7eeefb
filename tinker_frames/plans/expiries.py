"""The expiry that a plan requests for each of its rows: the same TTL for all, one for each, or its own expiry and a duration; pure."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from ..errors import InvalidRequestError
from ..frames.comparisons import suggest_columns
from ..schema.columns import pandas_array, to_python
from ..schema.durations import TTL_RANGE_S, parse_ttl
from .actions import Action, Arguments
from .jobs import MARGIN, RequestedExpiry, State
from .preview import add_expiries, build_states

if TYPE_CHECKING:
    import pandas as pd

KEY = "tinker_path"
UNKNOWN = "its expiry is not known, so it cannot be extended"
TOO_SOON = "it would expire in less than an hour, and the service accepts no shorter TTL"
TOO_LATE = "it would expire in more than ten years, and the service accepts no longer TTL"


def list_paths(values: pd.Series[Any]) -> list[str]:
    """Return the path of each row as text; empty for a row without one, which a plan refuses."""
    return [str(path) for path in values.astype("object").fillna("")]


def read_ttls(rows: pd.DataFrame | Sequence[str], value: Any) -> dict[str, int] | None:
    """Return the TTL of each path in seconds, if `value` is the name of a column of the rows, or a Series; else None.

    A Series is of the rows of the frame, by its index, or of paths, if its index is called `tinker_path`. Its values are durations:
    text, numbers of seconds, or timedeltas.

    Raises
    ------
    InvalidRequestError
        If the Series has other rows than the frame, or a row has no TTL, one out of range, or two.
    """
    import pandas as pd

    frame = rows if isinstance(rows, pd.DataFrame) else pd.DataFrame({KEY: list(rows)})
    if isinstance(value, str) and value in frame.columns:
        value = frame[value]
    elif isinstance(value, str) and not _is_ttl(value) and (meant := suggest_columns([value], frame.columns)):
        raise InvalidRequestError(f"{value!r} is neither a duration nor a column of the frame{meant}", hint="")
    if not isinstance(value, pd.Series):
        return None
    if value.index.equals(frame.index):
        paths = list_paths(frame[KEY])
    elif value.index.name == KEY:
        paths = list_paths(value.index.to_series())
    else:
        raise InvalidRequestError(
            "the Series of TTLs has other rows than the frame", hint=f"Make it of this frame, or index it by {KEY}."
        )
    found: dict[str, int] = {}
    for path, given in zip(paths, value, strict=True):
        if not path:
            continue
        ttl = _read_ttl(path, given)
        if found.setdefault(path, ttl) != ttl:
            raise InvalidRequestError(f"{path} is given two TTLs", hint="Drop one of its rows.")
    if missing := [path for path in list_paths(frame[KEY]) if path and path not in found]:
        raise _refuse_missing(missing[0])
    return found


def _is_ttl(value: str) -> bool:
    with suppress(InvalidRequestError):
        parse_ttl(value)
        return True
    return False


def _read_ttl(path: Any, value: Any) -> int:
    duration = to_python(value)
    if duration is None:
        raise _refuse_missing(path)
    try:
        return parse_ttl(duration)
    except InvalidRequestError as error:
        problem, hint = f"{path}: {error.what}", error.hint
    raise InvalidRequestError(problem, hint=hint)


def _refuse_missing(path: Any) -> InvalidRequestError:
    return InvalidRequestError(f"no TTL is given for {path}", hint="Drop the rows without one, or fill it in.")


def request_expiries(rows: pd.DataFrame, action: Action, arguments: Arguments, now: datetime) -> pd.DataFrame:
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
        The present time by the server's clock, by which rows expire.
    """
    if arguments.ttls is not None:
        ttls = [arguments.ttls[path] if path else None for path in rows[KEY]]
        return add_expiries(rows, [RequestedExpiry(ttl) for ttl in ttls])
    if not action.only_later or arguments.ttl_seconds is None:
        return add_expiries(rows, [RequestedExpiry(arguments.ttl_seconds)] * len(rows))
    by = arguments.ttl_seconds
    expiries, refusals = [], []
    for state, refusal in zip(build_states(rows), rows["refusal"], strict=True):
        expiry, problem = _extend(state, by, now)
        expiries.append(expiry)
        refusals.append(refusal or problem)
    return add_expiries(rows, expiries).assign(refusal=pandas_array("text", refusals))


def _extend(state: State, by: int, now: datetime) -> tuple[RequestedExpiry, str]:
    """Return a later expiry, and why it cannot be requested; one of never stays never."""
    if not state.is_expiry_known:
        return RequestedExpiry(), UNKNOWN
    expires_at = state.expires_at
    if expires_at is None:
        return RequestedExpiry(), ""
    ttl_seconds = (expires_at - now - MARGIN).total_seconds() + by
    if not TTL_RANGE_S[0] <= ttl_seconds <= TTL_RANGE_S[1]:
        return RequestedExpiry(), TOO_SOON if ttl_seconds < TTL_RANGE_S[0] else TOO_LATE
    return RequestedExpiry(by, expires_at + timedelta(seconds=by)), ""
