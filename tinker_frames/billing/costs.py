"""Costs of groups of billing events: exact sums of what is priced, and how much is not; pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from decimal import Context, Decimal
from difflib import get_close_matches
from itertools import takewhile
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from ..errors import InvalidRequestError
from ..frames.comparisons import suggest_columns
from ..frames.metadata import list_key_columns, read_key
from ..frames.totals import PERIODS, suggest_list, to_periods
from ..schema.arguments import check_argument
from ..schema.catalog import COSTS
from ..schema.columns import pandas_dtype, text_dtype

METADATA = "meta."
# The groups, and the column that tells each; those of the second line are called as `sum_by` does.
GROUPS = {
    "session": "session_id", "training_run": "training_run_id", "base_model": "base_model", "user": "user_id", "project": "project_id",
    "run": "training_run_id", "model": "base_model", "owner": "user_id", "type": "event_type",
}  # fmt: skip
# What stands beside an id.
BESIDE = {
    "session_id": ("display_name", "user_name", "project_id", "user_metadata"),
    "training_run_id": ("session_id", "display_name"),
    "user_id": ("user_name",),
}
KINDS = {
    "training": "training_usd", "sampling_prefill": "sampling_usd", "sampling_sample": "sampling_usd",
    "checkpoint": "checkpoint_usd", "storage": "storage_usd",
}  # fmt: skip
OTHER = "other_usd"
KIND_COLUMNS = list(dict.fromkeys([*KINDS.values(), OTHER]))
ESTIMATE = "estimated_storage_usd_month"
MOST_DOLLARS = 1e30  # of an event; a million of them fit into the decimals that Arrow adds
_EXACT = Context(prec=60)


def check_groups(by: str | Iterable[str]) -> list[str]:
    """Return the names of groups, each once; an unknown one raises `InvalidRequestError`."""
    names = [by] if isinstance(by, str) else list(dict.fromkeys(by))
    known = [*GROUPS, *PERIODS]
    hint = f"Use {', '.join(known)} or meta.<key>."
    for name in names:
        check_argument("each of by", name, str)
        if name not in known and not (name.startswith(METADATA) and name != METADATA):
            close = get_close_matches(name, known, 1)
            meant = f"; did you mean {close[0]}?" if close else f"; is it a key of the metadata, meta.{name}?"
            meant = "" if "," in name or not name or name.startswith(METADATA) else meant
            raise InvalidRequestError(f"there is no group {name!r} of costs{meant}", hint=suggest_list(name) or hint)
    if not names:
        raise InvalidRequestError("by= names no group", hint=hint)
    return list({GROUPS.get(name, name): name for name in names}.values())


def sum_costs(usage: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Return one row per group of events: the columns of the groups with names beside ids, and those of `COSTS` but for the estimate.

    Groups of time that come first are in their order; the most expensive group is first otherwise, and within each time.
    Dollars are added as the decimals that the server wrote, so that a sum has no error of binary fractions. NA is a group of its own.
    """
    keys = find_keys(usage, by)
    _check_metadata(usage, keys)
    numbers, groups = _number_groups(keys)
    groups = groups.astype({name: usage[name].dtype for name in groups if name in usage})
    beside = {name: key for key in keys for name in BESIDE.get(key, ()) if name in usage and name not in keys}
    firsts = usage[list(beside)].groupby(numbers).first()
    for name, key in beside.items():
        firsts[name] = firsts[name].where(groups[key].notna())
    found = pd.concat([groups, firsts], axis=1)
    found = found[[name for key in keys for name in (key, *(other for other in beside if beside[other] == key))]]
    found = pd.concat([found, _sum_events(usage, numbers, len(groups))], axis=1)
    times = [*takewhile(PERIODS.__contains__, by)]
    ascending = [True] * len(times) + [False, False]
    return found.sort_values([*times, "cost_usd", "events"], ascending=ascending, kind="stable", ignore_index=True)


def _check_metadata(usage: pd.DataFrame, keys: dict[str, pd.Series[Any]]) -> None:
    """Refuse a key that no session of the events has, while others have some: it may be misspelt."""
    for name, values in keys.items():
        if not (name.startswith(METADATA) and values.isna().all()):
            continue
        if (known := list_key_columns(usage[["user_metadata"]].drop_duplicates())) and name not in known:
            meant = suggest_columns([name], known)
            hint = f"The keys of the metadata are {', '.join(known[:20])}{', …' if len(known) > 20 else ''}."
            raise InvalidRequestError(f"there is no group {name!r} of costs{meant}", hint=hint)


def find_keys(rows: pd.DataFrame, by: list[str]) -> dict[str, pd.Series[Any]]:
    """Return the columns that tell the group of each row, by their names."""
    keys: dict[str, pd.Series[Any]] = {}
    for name in by:
        if name in PERIODS:
            codes, hours = pd.factorize(rows["bucket_start"])  # a year has 8,760 of them
            texts = to_periods(pd.Series(hours), PERIODS[name]).astype(text_dtype())
            keys[name] = texts.take(codes).set_axis(rows.index)
        elif name.startswith(METADATA):
            keys[name] = read_key(rows["user_metadata"], name.removeprefix(METADATA))
        else:
            keys[GROUPS[name]] = rows[GROUPS[name]].astype(text_dtype())
    return keys


def estimate_storage(held: pd.DataFrame, by: list[str], rate: float) -> pd.DataFrame:
    """Return the dollars a month for what each group holds now: its bytes, as far as they are known, times the rate.

    `held` has `size_bytes` and the columns that tell the groups. The estimate is NA where none of a group's bytes are known.
    """
    numbers, groups = _number_groups(find_keys(held, by))
    sizes = held["size_bytes"].groupby(numbers).sum(min_count=1)
    groups[ESTIMATE] = sizes.astype("float64") / 1e9 * rate
    return groups


def find_idle(costs: pd.DataFrame, estimate: pd.DataFrame) -> pd.Series[Any]:
    """Return the estimates of the groups that store something but have no row of costs."""
    keys = [name for name in estimate if name != ESTIMATE]
    is_idle = estimate.merge(costs[keys], how="left", indicator=True, validate="1:1")["_merge"] == "left_only"
    return estimate.loc[is_idle.to_numpy() & (estimate[ESTIMATE] > 0), ESTIMATE]


def find_runs(usage: pd.DataFrame, runs: pd.DataFrame) -> pd.Series[Any]:
    """Return the training run of each event: the one of its session and base model, if there is just one; else NA."""
    pair = ["session_id", "base_model"]
    alone = runs.dropna(subset="session_id").drop_duplicates(pair, keep=False)[[*pair, "training_run_id"]]
    found = usage[pair].merge(alone, on=pair, how="left", validate="m:1")["training_run_id"]
    return found.where(usage["session_id"].notna().to_numpy()).set_axis(usage.index)


def _number_groups(keys: dict[str, pd.Series[Any]]) -> tuple[np.ndarray[Any, Any], pd.DataFrame]:
    """Return the number of each row's group, in order of appearance, and the groups by number."""
    frame = pd.DataFrame(keys)
    groups = frame.drop_duplicates(ignore_index=True)
    numbers = np.zeros(len(frame), np.int64)
    for name in frame:  # NA is a value here, which not every pandas counts as one in a group
        numbers = numbers * (len(frame) + 1) + pd.factorize(frame[name])[0] + 1
        numbers = pd.factorize(numbers)[0]
    return numbers, groups


def _sum_events(usage: pd.DataFrame, numbers: np.ndarray[Any, Any], groups: int) -> pd.DataFrame:
    """Return the columns of `COSTS` but for the estimate, of groups by number."""
    costs, kinds = usage["estimated_cost_usd"].to_numpy(), _number_kinds(usage["event_type"])
    found: dict[str, Any] = {
        "events": np.bincount(numbers, minlength=groups),
        "cost_usd": _sum_dollars(costs, numbers, groups),
        "unpriced_events": np.bincount(numbers[np.isnan(costs)], minlength=groups),
        "tokens": usage["token_count"].groupby(numbers).sum(min_count=1).array,
    }
    by_kind = _sum_dollars(costs, numbers * len(KIND_COLUMNS) + kinds, groups * len(KIND_COLUMNS))
    found |= zip(KIND_COLUMNS, by_kind.reshape(groups, len(KIND_COLUMNS)).T, strict=True)
    return pd.DataFrame({name: pd.array(values, dtype=pandas_dtype(COSTS[name])) for name, values in found.items()})


def _number_kinds(types: pd.Series[Any]) -> np.ndarray[Any, Any]:
    """Return the place in `KIND_COLUMNS` of each event's type."""
    columns = [KINDS.get(name, OTHER) for name in types.cat.categories] + [OTHER]
    return np.array([KIND_COLUMNS.index(name) for name in columns])[types.cat.codes]  # of NA it is -1, the last


def _sum_dollars(costs: np.ndarray[Any, Any], places: np.ndarray[Any, Any], size: int) -> np.ndarray[Any, Any]:
    """Return the sum of what is priced at each of `size` places; NaN for a place without a price."""
    sums, is_priced = np.full(size, np.nan), ~np.isnan(costs)
    costs, places = costs[is_priced], places[is_priced]
    try:
        found = _add_columns(costs, places)
    except pa.ArrowInvalid:
        found = _add_each(costs, places)
    sums[found[0]] = found[1]
    return sums


def _add_columns(costs: np.ndarray[Any, Any], places: np.ndarray[Any, Any]) -> tuple[Any, Any]:
    """Return places and the sums at them, of decimals with 40 digits after the point; raises `ArrowInvalid` where these are too few."""
    if len(costs) and np.abs(costs).max() > MOST_DOLLARS:
        raise pa.ArrowInvalid("larger than any decimal")
    decimals = pc.cast(pc.cast(pa.array(costs), pa.string()), pa.decimal256(76, 40))
    found = pa.table({"place": places, "dollars": decimals}).group_by("place").aggregate([("dollars", "sum")])
    sums = pc.cast(pc.cast(found["dollars_sum"], pa.string()), pa.float64())  # through text, each is the nearest float
    return found["place"].to_numpy(), sums.to_numpy()


def _add_each(costs: np.ndarray[Any, Any], places: np.ndarray[Any, Any]) -> tuple[Any, Any]:
    """Return places and the sums at them, of decimals of any size."""
    sums: dict[int, Decimal] = defaultdict(Decimal)
    for place, cost in zip(places.tolist(), costs.tolist(), strict=True):
        sums[place] = _EXACT.add(sums[place], Decimal(repr(cost)))
    return list(sums), list(map(float, sums.values()))
