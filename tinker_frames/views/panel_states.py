"""The stages of the action panel as they are sent: a form, its plan, the outcome; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..frames.text import count_checkpoints
from ..plans.actions import ACTIONS
from ..plans.changes import count_effects, describe_effects
from . import panel_rows
from .estimate import Estimated
from .forms import EXPORT
from .messages import AskPanel, ConfirmPanel, Estimate, FormField, OpenPanel, OutcomePanel
from .panel_rows import Group
from .preview import Preview

if TYPE_CHECKING:
    import pandas as pd

    from ..plans.actions import Action
    from ..plans.plan import Plan


def describe_estimate(found: Estimated | None, *, is_working: bool) -> Estimate | None:
    """Return what the values of a form would do; None before there are any."""
    if found is None or found.preview is None:
        error = found.error if found is not None else ""
        return {"lines": [], "parts": [], "error": error, "working": is_working} if error or is_working else None
    figures = found.preview.figures
    lines = [line for line in figures["lines"] if not line.startswith("can")]
    return {"lines": lines, "parts": figures["parts"], "error": "", "working": is_working}


def describe_form(
    opened: OpenPanel, action: Action, fields: list[FormField], given: dict[str, Any], estimate: Estimate | None
) -> AskPanel:
    """Return the form of an action, filled in with the values that it had before."""
    for field in fields:
        field["value"] = field["value"] if given.get(field["name"]) is None else given[field["name"]]
    submit = "Write" if action is EXPORT else "Look at the plan"
    return {**opened, "stage": "ask", "fields": fields, "submit": submit, "estimate": estimate}


def describe_plan(opened: OpenPanel, preview: Preview, group: Group | None, *, hidden: int) -> ConfirmPanel:
    """Return a plan to be confirmed."""
    plan, frame = preview.plan, preview.frame
    return {
        **opened,
        **preview.figures,
        "stage": "confirm",
        "groups": panel_rows.count_groups(plan, frame, group),
        "listed": panel_rows.list_group(plan, frame, group),
        "hidden": hidden,
        "editable": False,
    }


def describe_outcomes(
    opened: OpenPanel,
    plan: Plan | None,
    frame: pd.DataFrame | None,
    outcomes: pd.DataFrame | None,
    group: Group | None,
    *,
    is_undone: bool,
) -> OutcomePanel:
    """Return the outcome of a plan, of which `frame` is the preview; without outcomes, only a note is shown."""
    named: list[str] = []
    state: OutcomePanel = {
        **opened,
        "stage": "outcome",
        "counts": [],
        "changes": [],
        "failed": [],
        "listed": None,
        "undo": False,
        "undo_label": "",
        "publishes": 0,
        "retry": False,
    }
    if outcomes is None:
        return state
    if plan is not None and frame is not None:
        effects = dict(
            zip(frame["tinker_path"], describe_effects(frame, plan.action, is_undone=is_undone), strict=True)
        )
        done = outcomes["outcome"] == "done"
        changes = outcomes["tinker_path"].map(effects).where(done)
        outcomes = outcomes.assign(change=changes)
        named = count_effects([str(change) for change in changes[done].dropna()])
    # what the plan itself left out is in its count, and no failure
    asides: Any = [] if frame is None else frame.loc[frame["verdict"] != "send", "tinker_path"]
    number = 0 if plan is None or is_undone else count_published_again(plan, outcomes)
    return {
        **state,
        "undo_label": f"Undo: publish {count_checkpoints(number)} again" if number else "Undo",
        "publishes": number,
        "counts": panel_rows.count_outcomes(outcomes, group),
        "changes": named,
        "failed": panel_rows.count_failures(outcomes[~outcomes["tinker_path"].isin(asides)], group),
        "listed": panel_rows.list_outcome(outcomes, group),
    }


def count_published_again(plan: Plan, outcomes: pd.DataFrame) -> int:
    """Count the rows that an undo makes public."""
    undo = ACTIONS.get(plan.action.undo)
    return int((outcomes["outcome"] == "done").sum()) if undo is not None and undo.public_after else 0
