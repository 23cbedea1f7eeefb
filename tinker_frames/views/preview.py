"""A plan as the action panel shows it: what goes, what stays, what guards hold; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..frames.humanize import format_size
from ..plans.actions import ACTIONS
from ..plans.confirmation import MAX_UNCONFIRMED
from ..plans.guards import GUARDS, count_holds
from ..plans.preview import VERDICTS
from ..plans.summary import Hints
from .chart_messages import Bar
from .messages import PlanFigures
from .panel_rows import KEPT

if TYPE_CHECKING:
    import pandas as pd

    from ..plans.plan import Plan

# How the parts of a plan are drawn: what goes, what stays.
_LOOKS = {"send": "expiring", "held": "public", "unchanged": "other", "refused": "failed", KEPT: "kept"}
_HINTS = Hints(reversible=ACTIONS["expire"].label, undo="Undo")  # the names of buttons


class Preview(NamedTuple):
    """A plan, its frame, and what is shown of them.

    They are made together, in the background: of 100,000 rows the figures take longer than a message may.
    """

    plan: Plan
    frame: pd.DataFrame
    figures: PlanFigures


def preview_plan(plan: Plan) -> Preview:
    """Return a plan as it is shown."""
    frame = plan.frame
    number = int((frame["verdict"] == "send").sum())
    figures: PlanFigures = {
        "number": number,
        "verb": plan.action.verb,
        "lines": _summarize(plan, frame),
        "parts": _measure_parts(plan, frame),
        "guards": [
            {"name": name, "label": GUARDS[name].count(rows), "on": name in plan.allowed}
            for name, rows in count_holds(frame, plan.allowed).items()
        ],
        "warning": "any Tinker user can load them" if plan.action.public_after is True else "",
        "typed": _needs_number(plan, number),
        "undo": bool(plan.action.undo),
        "rule": plan.rule,
    }
    return Preview(plan, frame, figures)


def _needs_number(plan: Plan, number: int) -> bool:
    """Tell whether the number of rows has to be typed: to delete, and to publish more than ten."""
    return plan.action.removes or (plan.action.public_after is True and number > MAX_UNCONFIRMED)


def _summarize(plan: Plan, frame: pd.DataFrame) -> list[str]:
    """Return a plan in words, without the verdicts and what its rule keeps, which are counted beside it."""
    asides = (*VERDICTS.values(), "kept: ")
    return [line for line in plan.summarize(frame, _HINTS) if not line.startswith(asides)]


def _measure_parts(plan: Plan, frame: pd.DataFrame) -> list[Bar]:
    """Return what a plan removes, holds and leaves, in bytes, or in rows where no size is known; nothing unless it saves storage."""
    if not (plan.action.removes or plan.action.only_sooner):
        return []
    parts = [(verdict, label, frame[frame["verdict"] == verdict]) for verdict, label in VERDICTS.items()]
    parts += [(KEPT, KEPT, plan.kept)] if plan.kept is not None else []
    is_size = any(rows["size_bytes"].notna().any() for _, _, rows in parts)
    return [
        _make_part(name, f"will {plan.effect}" if name == "send" else label, rows, is_size=is_size)
        for name, label, rows in parts
        if len(rows)
    ]


def _make_part(name: str, label: str, rows: pd.DataFrame, *, is_size: bool) -> Bar:
    value = float(rows["size_bytes"].sum()) if is_size else float(len(rows))
    unknown = int(rows["size_bytes"].isna().sum())
    known = f" (size of {unknown:,} not known)" if unknown else ""
    text = f"{format_size(value)}{known}" if is_size else ""
    return {"label": f"{len(rows):,} {label}", "value": value, "text": text, "look": _LOOKS[name]}
