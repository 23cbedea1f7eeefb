"""Read the rows of a view, and merge rows that were read again or changed by a write; merging is pure."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from ..errors import InvalidRequestError
from ..schema.catalog import SHORT_NAMES
from ..schema.paths import PATTERN

if TYPE_CHECKING:
    import pandas as pd

    from ..client import Client

LISTING_OF = {"checkpoints": "inventory", "training_runs": "training_runs", "sessions": "sessions"}  # by sort
SORT_OF = {
    "sessions": "sessions",
    "training_runs": "training_runs",
    "checkpoints": "checkpoints",
    "inventory": "checkpoints",
}
LISTINGS = tuple(SORT_OF)
DETAILS = {"training_runs": {"details": True}}  # how listings are read that are shown
CHANGING = ("public", "expires_at", "expires_in_days", "size_bytes", "size_gb")  # what a write changes of a checkpoint


def read_listing(client: Client, listing: str, *, refresh: bool = False) -> pd.DataFrame:
    """Return the frame of a listing by its name; training runs with their details, which people look for."""
    listing = SHORT_NAMES.get(listing, listing)
    if listing not in LISTINGS:
        names = [*LISTINGS, "costs"]
        close = get_close_matches(listing, names, 1)
        meant = f"; did you mean {close[0]}?" if close else ""
        hint = f"Pass a frame, or one of {', '.join(names)}."
        raise InvalidRequestError(f"there is no table {listing!r} to explore{meant}", hint=hint)
    frame: pd.DataFrame = getattr(client, listing)(refresh=refresh, **DETAILS.get(listing, {}))
    return frame


def share_columns(frame: pd.DataFrame, others: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Return a frame that takes equal columns from another frame of the same listing, if there is one, so that memory holds them once.

    Columns that change with the clock, such as `age_days`, differ. No frame changes with another: pandas 3 copies on write, and
    with pandas 2 only Arrow columns are shared, which are immutable.
    """
    import pandas as pd

    about, is_copied = _identify(frame), int(pd.__version__.split(".")[0]) < 3
    other = next((other for other in others if _identify(other) == about and other.index.equals(frame.index)), None)
    if about is None or other is None:
        return frame
    columns = dict(frame.items())
    common = [name for name in columns if name in other.columns and other[name].equals(columns[name])]
    columns |= {name: other[name].copy(deep=is_copied) for name in common}
    shared = pd.DataFrame(columns, index=frame.index, copy=False)
    shared.attrs = frame.attrs
    return shared


def _identify(frame: pd.DataFrame) -> tuple[Any, ...] | None:
    """Return which listing a frame came from; None for one made by hand."""
    about = frame.attrs.get("tinker") or {}
    identity = tuple(about.get(name) for name in ("base_url", "account", "table", "rows", "fetched_at"))
    return None if None in identity else identity


def find_listing(about: dict[str, Any], sort: str) -> str:
    """Return the listing to read a table's rows from: the one that they came from, if it has such rows."""
    table = str(about.get("table"))
    return table if SORT_OF.get(table) == sort else LISTING_OF[sort]


def merge_refreshed(old: pd.DataFrame, new: pd.DataFrame, key: str) -> pd.DataFrame:
    """Return the new rows with the columns of the old frame; columns that only the old frame has are kept, by key.

    A frame that was only a part of the listing keeps its rows, in their order.
    """
    known = [name for name in old.columns if name in new.columns]
    extra = [name for name in old.columns if name not in new.columns]
    if is_whole(old):
        kept = old.drop_duplicates(key).set_index(key)[extra]
        frame = new[known].join(kept, on=key)[list(old.columns)] if extra else new[known]
    else:
        frame = old[old[key].isin(new[key])].reset_index(drop=True)
        now = new.drop_duplicates(key).set_index(key, drop=False)[known].reindex(frame[key])
        frame = frame.assign(**{name: now[name].array for name in known})
    frame.attrs = dict(new.attrs)
    return frame


def is_whole(frame: pd.DataFrame) -> bool:
    """Tell whether a frame has all rows of the listing that it came from, as far as its attrs show."""
    about = frame.attrs.get("tinker") or {}
    table, is_doubted = about.get("table"), any(problem.get("column") is None for problem in about.get("problems", ()))
    if table not in LISTINGS or about.get("rows") != len(frame) or not (about.get("complete", True) or is_doubted):
        return False  # not a listing, filtered, or limited
    return table != "checkpoints" or about.get("total") is not None  # without a total, it may be of some runs only


def merge_written(frame: pd.DataFrame, fresh: pd.DataFrame, runs: Iterable[str], lost: set[str]) -> pd.DataFrame:
    """Return the checkpoints with those of some runs replaced by `fresh`, except for runs that could not be read."""
    labels, about, was_whole = frame.index, dict(frame.attrs), is_whole(frame)
    frame = frame.reset_index(drop=True)
    of = frame["tinker_path"].astype("str").str.extract(PATTERN)["training_run_id"]
    concerned = of.isin(set(runs) - lost)
    kept = frame[~concerned | frame["tinker_path"].isin(fresh["tinker_path"])].copy()
    now = fresh.drop_duplicates("tinker_path").set_index("tinker_path")
    changed = kept.index[concerned[kept.index]]
    for name in CHANGING:
        if name in kept.columns:
            values = now[name].reindex(kept.loc[changed, "tinker_path"])
            kept[name] = _set_values(kept[name], changed, values)
    kept = kept.reset_index(drop=True) if was_whole else kept.set_axis(labels[kept.index])
    kept.attrs = about | ({"tinker": about["tinker"] | {"rows": len(kept)}} if was_whole else {})  # still complete
    return kept


def _set_values(column: pd.Series[Any], places: pd.Index[Any], values: pd.Series[Any]) -> pd.Series[Any]:
    """Return a column with some values replaced; its dtype changes if it cannot hold them."""
    values = values.set_axis(places)
    if str(values.dtype).endswith(", UTC]") and str(column.dtype).startswith("datetime64"):
        values = values.dt.tz_convert(getattr(column.dt, "tz", None))
    for dtype in (column.dtype, values.dtype, "object"):
        with suppress(TypeError, ValueError):
            changed = column.astype(dtype).copy()
            changed.loc[places] = values.astype(dtype)
            return changed
    return column


def read_checkpoints(client: Client, rows: pd.DataFrame, sort: str) -> pd.DataFrame:
    """Return the checkpoints of rows: the rows themselves, or the checkpoints of runs or of sessions' runs."""
    if sort == "checkpoints":
        return rows
    if sort == "training_runs":
        runs = rows["training_run_id"].dropna()
    else:
        listed = client.training_runs()
        listed = client.training_runs(details=True) if listed["session_id"].isna().any() else listed
        runs = listed.loc[listed["session_id"].isin(rows["session_id"].dropna()), "training_run_id"]
    return client.checkpoints(list(dict.fromkeys(runs)))
