"""The lines that reproduce what was clicked: the frame, the filter, the order, the choice, the plan; pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .source import is_whole

if TYPE_CHECKING:
    from .plans import Plan
    from .view_state import TableState

CALLS = {
    "publish": "publish()",
    "unpublish": "unpublish()",
    "delete": "delete()",
    "expire": "expire(after={ttl})",
    "set_ttl": "set_ttl({ttl})",
}


def script(state: TableState, plan: Plan | None = None, *, client: str = "tkf") -> str:
    """Return Python that gives `frame`, `filtered`, `selected` and, if one is shown, `plan` again.

    `client` is the name of what lists the account: the module, or a client.
    """
    lines = ["import tinker_frames as tkf", "", _frame(state, client)]
    lines.append(f"filtered = frame.query({state.query!r})" if state.query else "filtered = frame")
    if state.rows.sort:
        columns = [name.removeprefix("-") for name in state.rows.sort]
        up = [not name.startswith("-") for name in state.rows.sort]
        lines.append(f'filtered = filtered.sort_values({columns!r}, ascending={up!r}, kind="stable")')
    chosen = _chosen(state)
    lines += [chosen] if chosen else []
    if plan is not None:
        lines += _plan(state, plan, "selected" if chosen else "filtered", client)
    return "\n".join(lines)


def _frame(state: TableState, client: str) -> str:
    frame = state.rows.frame.copy(deep=False)
    frame.attrs["tinker"] = state.about
    if is_whole(frame):
        return f"frame = {client}.{state.about['table']}()"
    return "# frame is the one that was passed to explore()"


def _chosen(state: TableState) -> str:
    """Return the line that chooses the same rows; empty if all that match, or none, are chosen."""
    rows, key = state.rows, state.sort.key
    if not rows.chosen.any():
        return ""
    if (rows.chosen == rows.mask).all():
        return "selected = filtered"
    keys = "".join(f"    {value!r},\n" for value in rows.selected()[key].dropna())
    source = "filtered" if not (rows.chosen & ~rows.mask).any() else "frame"
    return f'selected = {source}[{source}["{key}"].isin([\n{keys}])]'


def _plan(state: TableState, plan: Plan, rows: str, client: str) -> list[str]:
    ttl = plan.rows["ttl_seconds"].dropna()
    if plan.undoes is not None or plan.action.name not in CALLS:
        return []
    lines = []
    if state.sort.name == "training_runs":
        lines.append(f'checkpoints = {client}.checkpoints({rows}["training_run_id"])')
    elif state.sort.name == "sessions":
        lines.append(f"runs = {client}.training_runs()")
        lines.append(f'runs = runs[runs["session_id"].isin({rows}["session_id"])]')
        lines.append(f'checkpoints = {client}.checkpoints(runs["training_run_id"])')
    rows = "checkpoints" if lines else rows
    length = _length(int(ttl.iloc[0])) if len(ttl) else "None"
    if plan.rule:
        rules = sorted(set(re.findall(r"\b([a-z_]+)\(", re.sub(r"'(?:[^'\\]|\\.)*'", "", plan.rule))))
        lines.append(f"from tinker_frames.policies import {', '.join(rules)}")
        after = "" if plan.action.name == "delete" else f", after={length}"
        lines.append(f"plan = {rows}.tinker.retire(keep={plan.rule}{after})")
    else:
        lines.append(f"plan = {rows}.tinker.{CALLS[plan.action.name].format(ttl=length)}")
    if plan.allowed:
        lines.append(f"plan = plan.allow({', '.join(map(repr, sorted(plan.allowed)))})")
    number = int((plan.frame["verdict"] == "send").sum())
    return [*lines, f"# plan.run(confirm={number})"]


def _length(seconds: int) -> str:
    """Return a length of time as code."""
    return f'"{seconds // 3600}h"' if seconds % 3600 == 0 else f'"{seconds}s"'
