"""Read columns of any frame as times, numbers and flags, NA for malformed values; and find the first rows by a column. Pure."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

from ..schema.coerce import EPOCH_RANGE_S

DAY_S = 86_400
# What is counted separately: a run needs its training state and its weights.
RUN_AND_TYPE = ("training_run_id", "checkpoint_type")


def are_first(values: pd.Series[Any], keys: pd.DataFrame, n: int, *, smallest: bool) -> Any:
    """Return which rows are among the first `n` of their group by a value, equal ones alike; NA where missing values leave it open.

    So does a missing run or type: every row has one. Of other keys, such as a project, rows without a value are a group.
    """
    import pandas as pd

    missing = values.isna()
    columns = pd.DataFrame({"value": values, "missing": missing})
    groups = columns.groupby([keys[name] for name in keys.columns], dropna=False, observed=True, sort=False)
    best_place = groups["value"].rank(method="min", ascending=smallest)
    is_open = keys[[name for name in keys.columns if name in RUN_AND_TYPE]].isna().any(axis=1) & (n > 0)
    if not missing.any():
        first = (best_place <= n).astype("boolean")
        return first.where(first | ~is_open)
    best_place = best_place.fillna(1)
    worst_place = (best_place + groups["missing"].transform("sum")).mask(missing, groups["missing"].transform("size"))
    first = (worst_place <= n).astype("boolean")
    return first.where(first | ((best_place > n) & ~is_open))


def read_expiries(frame: pd.DataFrame) -> tuple[Any, Any]:
    """Return when rows expire, NaT for never, and where that is not known: also where it is the zero of a clock, which no row expires at."""
    values = frame["expires_at"]
    times = to_times(values)
    times = times.mask(find_zero_times(times))
    unknown = values.notna() & (values.astype("object").map(str).str.strip() != "") & times.isna()
    if "expiry_unknown" in frame.columns:
        unknown |= times.isna() & to_flags(frame["expiry_unknown"]).fillna(True).astype(bool)
    return times, unknown


def find_zero_times(times: pd.Series[Any]) -> Any:
    """Return which times are before the year 2000, as `0001-01-01` of Go and `1970-01-01` of others, which stand for no time."""
    import pandas as pd

    return times < pd.Timestamp(EPOCH_RANGE_S[0], unit="s", tz="UTC")


def compute_age_days(times: Any) -> Any:
    """Return how many days ago times are; below 0 for those to come."""
    return (_now() - times).dt.total_seconds() / DAY_S


def _now() -> pd.Timestamp:
    import pandas as pd

    return pd.Timestamp.now("UTC")


def to_times(values: pd.Series[Any]) -> Any:
    """Return times in UTC, also from text; other text becomes NA."""
    import pandas as pd

    if isinstance(values.dtype, pd.DatetimeTZDtype):
        return values
    times = pd.to_datetime(values.astype("object"), utc=True, errors="coerce", format="ISO8601")
    lost = times.isna() & values.notna()
    if not lost.any():
        return times
    dtype = pd.DatetimeTZDtype("us", "UTC")
    times = times.astype(dtype)
    times[lost.to_numpy()] = pd.array([_to_far_time(value) for value in values[lost]], dtype=dtype)
    return times


def _to_far_time(value: Any) -> datetime | None:
    """Return a time that nanoseconds do not reach, such as the year 2999, which pandas 2 does not read; None for what is none."""
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else value
        if not isinstance(found, datetime):
            return None
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def to_numbers(values: pd.Series[Any]) -> Any:
    """Return finite numbers, also from text; other text becomes NaN."""
    return values.astype("object").map(_to_number).astype("float64")


def _to_number(value: Any) -> float:
    try:
        found = float(value)
    except (TypeError, ValueError, OverflowError):
        return math.nan
    return found if math.isfinite(found) else math.nan


_FLAGS = {"true": True, "1": True, "1.0": True, "yes": True, "false": False, "0": False, "0.0": False, "no": False}


def to_flags(values: pd.Series[Any]) -> Any:
    """Return three-valued flags, also of a frame whose flags are text; other text is NA."""
    return values.astype("object").map(lambda value: _FLAGS.get(str(value).strip().lower())).astype("boolean")
