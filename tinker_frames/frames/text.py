"""Frames as lines of text: readable values, no control characters, and what is known of a listing in one line."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ..schema.columns import to_python

if TYPE_CHECKING:
    import pandas as pd

NOTHING = "-"
UNITS = ("_gb", "_days", "percent", "seconds")  # how the names of numbers end that have one decimal
SUMMED = ("cost_usd", "events", "unpriced_events")  # the columns of costs that one line sums up
DOLLARS = ("_usd", "_usd_month")  # how those end that have cents

# A joiner between letters that are written with it, as in Persian, or between emoji; beside a Latin letter it would only hide.
_JOINED = re.compile("(?<=[\u0590-\U0010ffff])(?<![\u2000-\u206f])[\u200c\u200d](?=[\u0590-\u1fff\u2070-\U0010ffff])")


def escape_control_characters(text: str) -> str:
    """Return text with everything that is not printable as an escape, so that no control code reaches the terminal.

    Joiners stay between letters of scripts that are written with them, such as Persian, and between emoji.
    """
    if text.isprintable():
        return text
    joined = {match.start() for match in _JOINED.finditer(text)}
    return "".join(
        c if c.isprintable() or place in joined else c.encode("unicode_escape").decode() for place, c in enumerate(text)
    )


def count_nouns(number: int, noun: str) -> str:
    """Return a number of things: `1 row`, `1,200 rows`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def count_checkpoints(number: int) -> str:
    """Return a number of checkpoints: `1 checkpoint`, `1,200 checkpoints`."""
    return count_nouns(number, "checkpoint")


def format_dollars(amount: float) -> str:
    """Return dollars and cents, with the sign of a negative amount before the `$`."""
    return f"{amount:,.2f}".replace("-", "-$") if amount <= -0.005 else f"${abs(amount):,.2f}"


def format_cell(value: Any) -> str:
    """Return one value as readable text: times to the minute (UTC), floats to one decimal, yes and no."""
    value = to_python(value)
    if value is None:
        return NOTHING
    if isinstance(value, tuple):
        return escape_control_characters(", ".join(value))
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M")
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,.1f}" if isinstance(value, float) else escape_control_characters(str(value))


def format_column(values: pd.Series[Any]) -> list[str]:
    """Return the cells of a column; dollars have cents, and numbers without a unit, such as losses and rates, up to six digits."""
    name, kind = str(values.name), values.dtype.kind
    if kind in "iuf" and name.endswith(DOLLARS):
        return [NOTHING if missing else f"{value:,.2f}" for value, missing in zip(values, values.isna(), strict=True)]
    if kind == "f" and not name.endswith(UNITS):
        return [NOTHING if missing else f"{value:.6g}" for value, missing in zip(values, values.isna(), strict=True)]
    return [format_cell(value) for value in values]


def render_lines(frame: pd.DataFrame) -> str:
    """Return a frame as tab-separated lines with a header, for pipes: every row, nothing cut."""
    rows = [[escape_control_characters(str(name)) for name in frame.columns]]
    columns = [format_column(frame.iloc[:, place]) for place in range(frame.shape[1])]
    rows += [list(row) for row in zip(*columns, strict=True)]
    return "".join("\t".join(row) + "\n" for row in rows)


def summarize(frame: pd.DataFrame) -> str:
    """Return one line: how many rows of how many, gigabytes, whether the listing they are from is complete, and how old."""
    about = frame.attrs.get("tinker") or {}
    is_listing = "complete" in about  # and not the rows or outcomes of a plan
    listed = max(about.get("rows", 0), about.get("total") or 0)
    is_part = bool(about) and len(frame) < listed
    parts = [f"{len(frame):,} of {count_nouns(listed, 'row')}" if is_part else count_nouns(len(frame), "row")]
    if "size_gb" in frame.columns and (frame.empty or frame["size_gb"].notna().any()):  # not known is not zero
        parts.append(f"{frame['size_gb'].sum():,.1f} GB")
    if is_listing:
        parts.append(f"listing {_describe_proof(about)}" if is_part else _describe_proof(about))
        parts.append(f"read {about['age_s']:.0f} s ago from the cache" if about["from_cache"] else "read now")
        missing = [name for name in about["lacks"] if name not in ("base_model", "sessions")]
        parts += ["this server has no sessions"] if "sessions" in about["lacks"] else []
        parts += [f"this server does not fill {', '.join(missing)}"] if missing else []
    return ", ".join(parts)


def list_doubts(about: dict[str, Any]) -> list[str]:
    """Return why rows may be missing from a listing, of what its frame says of itself."""
    return [escape_control_characters(p["problem"]) for p in about.get("problems", ()) if p["column"] is None]


def describe_sum(costs: pd.DataFrame) -> str:
    """Return the dollars of a frame of costs, its span, how many events have no price, and what is stored without a row."""
    about = costs.attrs.get("tinker") or {}
    dollars, events, unpriced = (costs[name].dropna() for name in SUMMED)
    price = f"{format_dollars(dollars.sum())} in all" if len(dollars) else "nothing is priced"
    span = f" from {_format_hour(about['start'])} to {_format_hour(about['end'])} UTC" if "end" in about else ""
    odd = f"{count_nouns(int(unpriced.sum()), 'event')} of {int(events.sum()):,} without a price"
    parts = [f"{price}{span}, before credits", odd]
    if about.get("rows") == len(costs):
        parts += [p["problem"] for p in about.get("problems", ()) if p["column"] == "estimated_storage_usd_month"]
    return escape_control_characters("; ".join(parts))


def _format_hour(time: str) -> str:
    """Return an hour in UTC without what is zero: `2026-11-01`, `2026-11-01 13:00`."""
    return time.replace("T", " ").removesuffix(":00Z").removesuffix(" 00:00")


def _describe_proof(about: dict[str, Any]) -> str:
    """Return whether every row is there, may be missing, or was left out by a limit."""
    if about["complete"]:
        return "complete"
    return "limited" if "problems" in about and not list_doubts(about) else "NOT PROVED COMPLETE"
