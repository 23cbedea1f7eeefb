"""A plan as text and HTML: how many rows and bytes, what is held back and why, and the first and largest rows. Pure."""

from __future__ import annotations

import re
import textwrap
from html import escape
from itertools import accumulate
from typing import Any, NamedTuple

import pandas as pd

from ..frames.humanize import format_size
from ..frames.terminal import render_text
from ..frames.text import NOTHING, count_checkpoints, escape_control_characters, format_cell
from .actions import Action
from .guards import GUARDS, describe_holds
from .preview import VERDICTS

ROWS_SHOWN = 8
REASONS_SHOWN = 8  # of the rows of one verdict
WIDTH = 100
_UNIT, _JOINER = (
    re.compile(r"(?<=\d) (?=(?:s|min|h|d|B|kB|MB|GB|TB)\b)"),
    "\0",
)  # which no line holds, as they are escaped
COLUMNS = ("verdict", "size_gb", "tinker_path", "public", "expires_at", "expires_after", "reason", "warnings")


class Hints(NamedTuple):
    """How a summary names what to do next: as Python calls, or as commands."""

    reversible: str = 'expire(after="24h")'  # what to do instead of a delete
    undo: str = "tkf.undo()"
    all_rows: str = "plan.frame"  # what has every row
    last_line: str = "Nothing is sent until plan.run()."
    title: str = "Plan"


PYTHON = Hints()


def summarize_plan(
    action: Action,
    frame: pd.DataFrame,
    rows: pd.DataFrame,
    rate: float | None,
    notes: list[str],
    hints: Hints = PYTHON,
    kept: int = 0,
) -> list[str]:
    """Return a summary of a plan, as lines; `rate` is in dollars per gigabyte and month, `kept` the number of rows that a keep rule keeps."""
    sends = frame[frame["verdict"] == "send"]
    lines = [_format_headline(action, frame, sends, rows, rate, kept)]
    if counts := _format_counts(sends):
        lines.append("among them: " + ", ".join(counts))
    lines += notes
    for verdict in [name for name in VERDICTS if name != "send"]:
        lines += _describe_asides(verdict, frame.loc[frame["verdict"] == verdict, "reason"])
    if action.removes and len(sends):
        lines.append(f"a {action.name} cannot be undone; to be able to, use {hints.reversible}")
    elif action.undo and len(sends):
        lines.append(f"can be undone with {hints.undo}" + (f", {action.undo_limit}" if action.undo_limit else ""))
    return lines


def _describe_asides(verdict: str, reasons: pd.Series[Any]) -> list[str]:
    """Return how many rows are not sent, and why; of several guards, each is counted once and not with every other."""
    if verdict == "held" and reasons.nunique() > 1:
        return [f"{VERDICTS[verdict]}: {len(reasons):,} ({', '.join(describe_holds(reasons))})"]
    return [f"{VERDICTS[verdict]}: {count:,}, {reason}" for reason, count in count_reasons(reasons)]


def count_reasons(reasons: pd.Series[Any]) -> list[tuple[str, int]]:
    """Return the most frequent reasons, each with its number of rows, and the number of the others together."""
    counts = [(str(reason), int(count)) for reason, count in reasons.value_counts().items()]
    if len(counts) == REASONS_SHOWN + 1:  # the last one takes no more room than "for other reasons"
        return counts
    others = sum(count for _, count in counts[REASONS_SHOWN:])
    return counts[:REASONS_SHOWN] + ([("for other reasons", others)] if others else [])


def _format_headline(
    action: Action, frame: pd.DataFrame, sends: pd.DataFrame, rows: pd.DataFrame, rate: float | None, kept: int
) -> str:
    """Return how many rows, how large they are and what they cost, and what will happen to them."""
    effect = describe_effect(action, rows)
    if frame.empty:
        return f"no checkpoint will {effect}"
    size = float(sends["size_bytes"].sum())
    unknown = int(sends["size_bytes"].isna().sum())
    known = f" (size of {unknown} not known)" if unknown else ""
    is_gone = action.removes or action.only_sooner
    money = f", about ${size / 1e9 * rate:,.2f} a month" if rate is not None and is_gone and size else ""
    return f"{len(sends):,} of {count_checkpoints(len(frame) + kept)}, {format_size(size)}{known}{money}, will {effect}"


def _format_counts(sends: pd.DataFrame) -> list[str]:
    """Return how many of the rows that are sent are, or may be, what guards hold; nothing of what none is."""
    found: list[str] = []
    for guard in GUARDS.values():
        flags = sends[guard.column]
        found += guard.describe_numbers(int(flags.sum()), int(flags.isna().sum()))
    never = sends["expires_at"].isna() & ~sends["expiry_unknown"].fillna(True)
    return [*found, f"{never.sum():,} without expiry"] if never.any() else found


def describe_effect(action: Action, rows: pd.DataFrame) -> str:
    """Return what will happen to checkpoints, as in "12 checkpoints will …"; without rows, when is not known."""
    if rows.empty and action.sets_expiry:
        return "be changed"
    return action.describe(get_common_ttl(rows), varies=has_own_ttls(rows))


def has_own_ttls(rows: pd.DataFrame) -> bool:
    """Tell whether the rows have different TTLs."""
    return int(rows["ttl_seconds"].nunique(dropna=False)) > 1  # without one, it means never


def get_common_ttl(rows: pd.DataFrame) -> int | None:
    """Return the requested TTL in seconds; None if there is none."""
    found = rows["ttl_seconds"].dropna()
    return int(found.iloc[0]) if len(found) else None


def pick_rows(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the first and the largest rows."""
    half = ROWS_SHOWN // 2
    picked = pd.concat([frame.head(half), frame.sort_values("size_bytes", ascending=False).head(half)])
    picked = picked[~picked["tinker_path"].duplicated()]
    metrics = frame.attrs.get("tinker", {}).get("metrics", [])
    picked = picked.assign(**{name: [_format_metric(value) for value in picked[name]] for name in metrics})
    names = [*COLUMNS[:2], *metrics, *COLUMNS[2:]]
    return picked[
        [name for name in names if name in picked and (name == "tinker_path" or not _says_nothing(picked[name]))]
    ]


def _format_metric(value: float) -> str:
    return NOTHING if pd.isna(value) else f"{value:.6g}"


def format_plan_text(lines: list[str], frame: pd.DataFrame, hints: Hints = PYTHON, width: int | None = None) -> str:
    """Return a plan as text: its summary, and some of its rows; for a terminal of a width, with shorter paths where it is narrow."""
    picked, room = pick_rows(frame), width or WIDTH
    head = [
        _wrap(f"{hints.title}: {lines[0]}", room),
        *(_wrap(f"  {escape_control_characters(line)}", room) for line in lines[1:]),
    ]
    more = [f"  … and {len(frame) - len(picked):,} more: {hints.all_rows}"] if len(frame) > len(picked) else []
    rows = _format_rows(picked) if width is None else render_text(picked, width) if len(picked) else []
    return "\n".join([*head, *rows, *more, hints.last_line])


def _wrap(line: str, width: int) -> str:
    """Return a line in lines of at most this width; a number and its unit stay together."""
    options = {"break_long_words": False, "break_on_hyphens": False, "subsequent_indent": "    "}
    return textwrap.fill(_UNIT.sub(_JOINER, line), width, **options).replace(_JOINER, " ")  # type: ignore[arg-type]


def _format_rows(picked: pd.DataFrame) -> list[str]:
    """Return rows as lines of at most `WIDTH` characters: paths whole, and the columns that there is room for."""
    if picked.empty:
        return []
    table = [[escape_control_characters(name) for name in picked.columns]]
    table += [[format_cell(value) for value in row] for row in picked.itertuples(index=False, name=None)]
    widths = [max(len(row[place]) for row in table) for place in range(len(picked.columns))]
    shown = max(
        1 + list(picked.columns).index("tinker_path"),
        sum(end <= WIDTH for end in accumulate(width + 2 for width in widths)),
    )
    lines = ["  ".join(map(str.ljust, row[:shown], widths)) for row in table]
    return [f"  {line}".rstrip() for line in lines]


def format_plan_html(lines: list[str], frame: pd.DataFrame, hints: Hints = PYTHON) -> str:
    """Return a plan as HTML: its summary, and some of its rows; everything that came from the service is escaped."""
    picked = pick_rows(frame)
    head = "".join(f"<th>{escape(name)}</th>" for name in picked.columns)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(format_cell(value))}</td>" for value in row) + "</tr>"
        for row in picked.itertuples(index=False, name=None)
    )
    notes = "".join(f"<li>{escape(escape_control_characters(line))}</li>" for line in lines[1:])
    return (
        f"<div><b>{hints.title}: {escape(lines[0])}</b><ul>{notes}</ul><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        f"<p>{len(picked):,} of {len(frame):,} rows shown. {escape(hints.last_line)}</p></div>"
    )


def _says_nothing(values: pd.Series[Any]) -> bool:
    """Tell whether every row is without a value, or, in a column of flags, false."""
    absent = values.isna() | values.astype("object").isin(["", None])
    return bool(absent.all() or (values.dtype == "boolean" and (values == False).fillna(False).all()))  # noqa: E712
