"""What a plan takes from the frame that it is made of: rows that it refuses, flags for guards, numbers that a keep rule compared. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ..frames.values import to_flags
from .guards import GUARDS

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd  # imported where frames are made: the command line's help reads the guards without it
    from numpy.typing import NDArray

# Microseconds of the roundings of a time, the coarsest first: a day, an hour, a minute, a second, a millisecond, none.
_ROUNDINGS_US = [86_400_000_000, 3_600_000_000, 60_000_000, 1_000_000, 1_000, 1]
REPLACED = "another checkpoint has been saved under its name since the frame was read"


def refuse_replaced(rows: pd.DataFrame, frame: pd.DataFrame) -> pd.DataFrame:
    """Return facts in which a checkpoint is refused that was saved again under its name since the frame was read.

    It has another time or size than in the frame, also in one from a file; a time that the caller rounded is no other time.
    """
    shown = frame.drop_duplicates("tinker_path").set_index("tinker_path").reindex(rows["tinker_path"])
    is_other = _has_other_time(rows, shown, find_reading(frame))
    is_other |= _has_other_size(rows, shown)
    is_replaced = (rows["refusal"] == "") & is_other
    return rows.assign(refusal=rows["refusal"].where(~is_replaced, REPLACED))


def add_given(rows: pd.DataFrame, frame: pd.DataFrame) -> pd.DataFrame:
    """Return facts with the flags that the frame has for guards; of a checkpoint in several rows, one that is true or not known counts."""
    columns = [guard.column for guard in GUARDS.values() if guard.is_given and guard.column in frame.columns]
    flags = {name: to_flags(frame[name]) for name in columns}
    true = {name: frame["tinker_path"][flag.fillna(value=False).astype(bool)] for name, flag in flags.items()}
    unknown = {name: frame["tinker_path"][flag.isna()] for name, flag in flags.items()}
    return mark_given(mark_given(rows, unknown, None), true, True)


def mark_given(rows: pd.DataFrame, paths: Mapping[str, Iterable[str]], flag: bool | None) -> pd.DataFrame:
    """Return facts with a flag in some columns, of the rows with these paths."""
    import pandas as pd

    found = {name: rows["tinker_path"].isin(list(those)) for name, those in paths.items()}
    return rows.assign(
        **{name: rows[name].mask(those, pd.NA if flag is None else flag) for name, those in found.items()}
    )


def add_measures(rows: pd.DataFrame, paths: pd.Series[Any], measures: Mapping[str, pd.Series[Any]]) -> pd.DataFrame:
    """Return facts with the numbers that a keep rule compared, those of the rows with these paths, beside the columns that are there."""
    found = {
        name: dict(zip(paths, values, strict=True)) for name, values in measures.items() if name not in rows.columns
    }
    return rows.assign(**{name: rows["tinker_path"].map(by_path).astype("float64") for name, by_path in found.items()})


def find_reading(frame: pd.DataFrame) -> datetime | None:
    """Return when a frame was read, by its attributes; None if they do not say."""
    import pandas as pd

    about = frame.attrs.get("tinker")
    found = about.get("fetched_at") if isinstance(about, dict) else None
    time = pd.to_datetime(found, utc=True, errors="coerce") if isinstance(found, (str, datetime)) else None
    return time.to_pydatetime() if isinstance(time, pd.Timestamp) else None


def _has_other_time(rows: pd.DataFrame, shown: pd.DataFrame, fetched_at: datetime | None) -> NDArray[np.bool_]:
    """Return which checkpoints are of another time than shown; a time without a zone tells nothing."""
    import numpy as np
    import pandas as pd

    times = shown.get("time", pd.Series(pd.NaT, index=shown.index))
    if pd.api.types.is_string_dtype(times):
        times = pd.to_datetime(times, utc=True, errors="coerce", format="ISO8601")
    if not isinstance(times.dtype, pd.DatetimeTZDtype):
        return np.zeros(len(rows), dtype=bool)
    now, then = (series.to_numpy("datetime64[us]") for series in (rows["time"], times))
    now_us, then_us = now.astype("int64"), then.astype("int64")
    is_other: NDArray[np.bool_] = ~np.isnat(now) & ~np.isnat(then)
    is_other &= abs(now_us - then_us) >= np.maximum(_find_rounding_us(now_us), _find_rounding_us(then_us))
    if fetched_at is None:
        return is_other
    is_other |= (rows["time"] > pd.Timestamp(fetched_at)).to_numpy(dtype=bool) & (now != then)
    return is_other


def _find_rounding_us(times_us: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the coarsest unit that each time may have been rounded to, in microseconds."""
    import numpy as np

    return np.select([times_us % step == 0 for step in _ROUNDINGS_US], _ROUNDINGS_US)


def _has_other_size(rows: pd.DataFrame, shown: pd.DataFrame) -> NDArray[np.bool_]:
    """Return which checkpoints are of another size than shown; one that is not known may have been filled in since."""
    import pandas as pd

    given = shown.get("size_bytes", pd.Series(pd.NA, index=shown.index))
    sizes = pd.Series(pd.to_numeric(given, errors="coerce").array, index=rows.index, dtype="Float64")
    return (rows["size_bytes"].astype("Float64") != sizes).fillna(value=False).to_numpy(dtype=bool)


def refuse_unnamed(rows: pd.DataFrame, frame: pd.DataFrame) -> pd.DataFrame:
    """Return facts in which the row without a path, which stands for all of the frame that have none, is refused with their number."""
    count = int(frame["tinker_path"].isna().sum())
    if not count:
        return rows
    reason = "a row has no tinker_path" if count == 1 else f"{count:,} rows have no tinker_path"
    return rows.assign(refusal=rows["refusal"].mask(rows["tinker_path"] == "", reason))
