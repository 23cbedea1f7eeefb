"""A plan as people read it: how much, what is at stake, what was set aside, and the rows that matter; pure."""

from __future__ import annotations

from html import escape
from typing import Any

import pandas as pd

from ..frames.text import escape_control_characters, format_cell
from .actions import Action

ROWS_SHOWN = 8
COLUMNS = ("tinker_path", "verdict", "size_gb", "public", "expires_at", "expires_after", "reason", "warnings")


def facts_lines(action: Action, frame: pd.DataFrame, rows: pd.DataFrame, rate: float | None) -> list[str]:
    """Return what a plan comes to, in lines."""
    sends = frame[frame["verdict"] == "send"]
    size = sends["size_bytes"].sum() / 1e9
    money = ""
    if rate is not None and action.name in ("delete", "expire"):
        money = f", about ${size * rate:,.2f} a month"
    unknown = int(sends["size_bytes"].isna().sum())
    known = f" (size of {unknown} not known)" if unknown else ""
    lines = [f"would {action.verb} {len(sends):,} of {len(frame):,} checkpoints, {size:,.1f} GB{known}{money}"]
    counts = {
        "public": (sends["public"] == True).sum(),  # noqa: E712  # three-valued
        "newest of their run": sends["is_newest"].sum(),
        "last training checkpoint of a run": sends["is_last_training"].sum(),
        "loaded by a sampler": (sends["loaded_by_sampler"] == True).sum(),  # noqa: E712
        "without expiry": sends["expires_at"].isna().sum(),
    }
    lines.append("among them: " + ", ".join(f"{int(count):,} {what}" for what, count in counts.items()))
    for verdict in ("held", "refused", "unchanged"):
        aside = frame[frame["verdict"] == verdict]
        for reason, count in aside["reason"].value_counts().items():
            lines.append(f"{verdict}: {count:,}, {reason}")
    if (rows["loaded_by_sampler"].isna() & (rows["refusal"] == "")).any():
        lines.append("this server does not tell what samplers have loaded")
    if action.name == "delete":
        lines.append('a delete cannot be undone; expire(after="24h") can')
    return lines


def shown_rows(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the first and the largest rows."""
    half = ROWS_SHOWN // 2
    picked = pd.concat([frame.head(half), frame.sort_values("size_bytes", ascending=False).head(half)])
    picked = picked[~picked["tinker_path"].duplicated()]
    return picked[[name for name in COLUMNS if name in picked and not _is_empty(picked[name])]]


def as_text(action: Action, frame: pd.DataFrame, rows: pd.DataFrame, rate: float | None) -> str:
    """Return a plan as text."""
    shown = shown_rows(frame)
    table = [[escape_control_characters(name) for name in shown.columns]]
    table += [[format_cell(value) for value in row] for row in shown.itertuples(index=False, name=None)]
    widths = [max(len(row[place]) for row in table) for place in range(len(shown.columns))]
    text = [
        "  " + "  ".join(value.ljust(width) for value, width in zip(row, widths, strict=True)).rstrip() for row in table
    ]
    more = [f"  … and {len(frame) - len(shown):,} more: plan.frame"] if len(frame) > len(shown) else []
    head = [
        f"Plan: {line}" if not place else f"  {line}"
        for place, line in enumerate(facts_lines(action, frame, rows, rate))
    ]
    return "\n".join([*head, *text, *more, "Nothing is sent until plan.run()."])


def as_html(action: Action, frame: pd.DataFrame, rows: pd.DataFrame, rate: float | None) -> str:
    """Return a plan as HTML; everything that came from the service is escaped."""
    lines = facts_lines(action, frame, rows, rate)
    shown = shown_rows(frame)
    head = "".join(f"<th>{escape(name)}</th>" for name in shown.columns)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(format_cell(value))}</td>" for value in row) + "</tr>"
        for row in shown.itertuples(index=False, name=None)
    )
    notes = "".join(f"<li>{escape(escape_control_characters(line))}</li>" for line in lines[1:])
    return (
        f"<div><b>Plan: {escape(lines[0])}</b><ul>{notes}</ul><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        f"<p>{len(shown):,} of {len(frame):,} rows shown. Nothing is sent until <code>plan.run()</code>.</p></div>"
    )


def _is_empty(values: pd.Series[Any]) -> bool:
    return bool((values.isna() | (values.astype("object") == "")).all())
