"""Human-readable times, sizes and durations ("3 d ago", "7.5 MB"), and ids that are short but still differ; pure."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ..schema.paths import SCHEMES
from .comparisons import UNITS
from .text import NOTHING, format_cell, format_column, format_dollars

if TYPE_CHECKING:
    import pandas as pd

# The official ids begin with one; its first eight digits nearly always tell rows of one account apart.
_UUID = re.compile(r"([0-9a-f]{8})(-[0-9a-f]{4})(-[0-9a-f]{4})(-[0-9a-f]{4})(-[0-9a-f]{12})")
_PATH = re.compile(f"(?:{'|'.join(SCHEMES)})(.*)")
_SEGMENT = re.compile(r"(?<=…)(?::[a-z]+(:\d+))?/([a-z])[a-z_]*/")  # with the number of the run, if it has one
_SHORTER = (r"\1/\2…/", r"/\2…/")
LABELS = {
    "storage_usd_month": "$/month",
    "estimated_storage_usd_month": "stored $/month",
    "unpriced_events": "unpriced",
}
_FACTORS = {"_bytes": 1.0, "_gb": 1e9, "_days": 86_400.0}


def format_size(n_bytes: float | None, *, short: bool = False) -> str:
    """Return a size in bytes with a unit (powers of 1000), `short` without zeros at its end; empty if unknown."""
    if n_bytes is None or math.isnan(n_bytes):
        return ""
    for unit, factor in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if abs(n_bytes) >= factor * 0.9995:
            scaled = n_bytes / factor
            if short:
                return f"{scaled:,.3g} {unit}" if abs(scaled) < 1000 else f"{scaled:,.0f} {unit}"
            return f"{scaled:,.{0 if scaled >= 99.95 else 1 if scaled >= 9.995 else 2}f} {unit}"
    return f"{n_bytes:.0f} B"


def format_age(seconds: float) -> str:
    """Return how long ago, or how far ahead, a time is, rounded down to the largest unit that fits."""
    text = format_length(abs(seconds))
    return f"in {text}" if seconds < 0 else f"{text} ago"


def format_length(seconds: float) -> str:
    """Return a length of time, rounded down to the largest unit that fits."""
    for unit, length in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{int(seconds // length)} {unit}"
    return f"{int(seconds)} s"


def label_columns(names: Sequence[Any]) -> list[str]:
    """Return what the columns of `humanize_column` are called: `size` for `size_gb`, `age` for `age_days`, as queries have them too.

    Dollars are called by their sign, which is shorter: `training $` for `training_usd`.

    Examples
    --------
    >>> label_columns(["size_gb", "age_days", "name"])
    ['size', 'age', 'name']
    """
    texts = [LABELS.get(str(name), re.sub("_usd$", " $", str(name))) for name in names]
    cut = [next((text.removesuffix(u.suffix) for u in UNITS if text.endswith(u.suffix)), text) for text in texts]
    return [short if short and cut.count(short) == 1 else text for short, text in zip(cut, texts, strict=True)]


def humanize_column(values: pd.Series[Any], now: datetime | None = None) -> list[str]:
    """Return the values of a column as text: times as ages, sizes and days with a unit, all else as by `format_cell`."""
    from pandas.api.types import is_datetime64_any_dtype, is_numeric_dtype

    name = str(values.name)
    unit = next((each for each in UNITS if name.endswith(each.suffix)), None)
    form: Callable[[Any], str] = format_cell
    if is_datetime64_any_dtype(values.dtype):
        moment = now or datetime.now(UTC)
        form = lambda value: format_moment((moment - _to_utc(value)).total_seconds())  # noqa: E731
    elif unit is not None and is_numeric_dtype(values.dtype):
        factor = _FACTORS[unit.suffix]
        form = lambda value: _format_quantity(float(value) * factor, unit.kind)  # noqa: E731
    elif name.endswith("_usd_month") and is_numeric_dtype(values.dtype):
        form = format_dollars
    if form is format_cell:
        return format_column(values)
    return [NOTHING if missing else form(value) for value, missing in zip(values, values.isna(), strict=True)]


def shorten_ids(text: str) -> str:
    """Return text with its ids cut to their first eight digits, which tell rows of one account apart."""
    return _UUID.sub(r"\1…", text)


def list_short_forms(texts: list[str]) -> list[list[str]]:
    """Return a column of ids or paths in ever shorter forms, none of which makes equal what differs; the first is the column itself.

    Each form names the same row wherever an id is taken, as `…` stands there for anything.

    Examples
    --------
    >>> path = "tinker://5b1f0c9e-2d7a-5c44-9f1b-7a3c1e2d4f60:train:0/sampler_weights/step-000400"
    >>> [form[0] for form in list_short_forms([path])][1:]
    ['5b1f0c9e…:train:0/sampler_weights/step-000400', '5b1f0c9e…:0/s…/step-000400', '5b1f0c9e…/s…/step-000400']
    """
    bare = [_PATH.sub(r"\1", text) for text in texts]
    forms = [texts]
    for digits in range(1, 5):
        kept = "".join(rf"\{place}" for place in range(1, digits + 1)) + "…"
        cut = [_UUID.sub(kept, text) for text in bare]
        if cut != texts and _are_distinct(cut, texts):
            forms.append(cut)
            shorter = ([_SEGMENT.sub(kept, text) for text in cut] for kept in _SHORTER)
            return [*forms, *(form for form in shorter if form != cut and _are_distinct(form, texts))]
    return forms


def _are_distinct(short: list[str], texts: list[str]) -> bool:
    return len(set(short)) == len(set(texts))


def format_moment(seconds: float) -> str:
    """Return how long ago a time is; "in 24 h" stays so for half a minute after it was computed."""
    return format_age(seconds if seconds >= 0 else seconds - 30)


def _to_utc(value: Any) -> datetime:
    stamp = value.tz_convert("UTC") if value.tzinfo is not None else value.tz_localize("UTC")
    found: datetime = stamp.to_pydatetime(warn=False)
    return found


def _format_quantity(value: float, kind: str) -> str:
    if kind == "size":
        return format_size(value)
    return f"-{format_length(-value)}" if value < 0 else format_length(value)
