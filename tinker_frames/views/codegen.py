"""Python code that reproduces a view: its frame, filters, order, selection and plan; pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..frames.comparisons import translate_comparisons
from ..frames.query import name_keys
from ..schema.catalog import DETAILED, TABLES
from ..schema.paths import runs_of, session_of
from .forms import repeat_arguments
from .refresh import is_whole

if TYPE_CHECKING:
    import pandas as pd

    from ..plans.plan import Plan
    from .table import TableState


def write_script(
    state: TableState, plan: Plan | None = None, of: pd.DataFrame | None = None, *, client: str = "tkf"
) -> str:
    """Return Python code that makes `frame`, `filtered`, `selected` and, if one is shown, `plan`.

    `of` are the rows of this table that the plan was made from, if any; `client` is the name of the client, or of the module.
    """
    lines = ["import tinker_frames as tkf", "", *_frame(state, client)]
    lines.append(f"filtered = {_filter(state)}")
    lines += [f"filtered = filtered{_sort(state)}"] if state.rows.sort else []
    selected = _select(state)
    lines += [selected] if selected else []
    if plan is not None and plan.undoes is None and plan.action.is_offered:
        lines += _plan(state, plan, of, client)
    if client != "tkf" and any(re.search(rf"\b{client}\b", line) for line in lines):
        lines.insert(2, f"# {client} is the client that the view was opened with")
    return "\n".join(lines)


def _frame(state: TableState, client: str) -> list[str]:
    frame = state.rows.frame.copy(deep=False)
    frame.attrs["tinker"] = state.about
    calls = {(name, *table.names): f"{name}()" for name, table in TABLES.items()}
    calls |= {(name, *table.names): f"{name}(details=True)" for name, table in DETAILED.items()}
    call = calls.get((str(state.about.get("table")), *frame.columns))
    if call is None or not is_whole(frame) or not state.keeps_order:
        return ["# frame is the one that was passed to explore()"]
    is_plain = call == "training_runs()"
    runs = frame.loc[frame["session_id"].notna(), "training_run_id"] if is_plain else ()
    return [*_sessions(runs, client), f"frame = {client}.{call}"]


def _sessions(runs: Iterable[str], client: str) -> list[str]:
    """Return the line that reads which session owns each run; none if the ids contain it."""
    is_told = all(session_of(run) is not None for run in runs)
    return [] if is_told else [f"{client}.sessions(details=True)  # with the runs that they own"]


def _filter(state: TableState) -> str:
    """Return the matching rows as code: pandas reads no sizes, durations or bare dates, and knows no keys of the metadata."""
    if not state.query:
        return "frame"
    frame, query = name_keys(state.rows.frame, state.query)
    query = translate_comparisons(frame, query)
    if frame is state.rows.frame:
        return f"frame.query({query!r})"
    return f"frame[frame.tinker.expand_metadata().eval({query!r})]"


def _sort(state: TableState) -> str:
    columns = [name.removeprefix("-") for name in state.rows.sort]
    up = [not name.startswith("-") for name in state.rows.sort]
    return f'.sort_values({columns!r}, ascending={up!r}, kind="stable")'


def _select(state: TableState) -> str:
    """Return the line that selects the same rows; empty if all matching rows, or none, are selected."""
    rows, key = state.rows, state.sort.key
    if not rows.selection.any():
        return ""
    if (rows.selection == rows.mask).all():
        return "selected = filtered"
    keys = list(rows.get_selected()[key].dropna())
    if not (rows.frame[key].isin(keys) == rows.selection).all():  # missing or duplicate keys
        return f"selected = frame.iloc[{rows.get_selected_places().tolist()!r}]"
    source, order = (
        ("frame", _sort(state) if rows.sort else "") if (rows.selection & ~rows.mask).any() else ("filtered", "")
    )
    listed = "".join(f"    {value!r},\n" for value in keys)
    return f'selected = {source}[{source}["{key}"].isin([\n{listed}])]{order}'


def _plan(state: TableState, plan: Plan, of: pd.DataFrame | None, client: str) -> list[str]:
    """Return the lines that make the plan: from the selected rows if it is of those, else from a list of paths."""
    key, present = state.sort.key, state.rows.get_selected()
    is_of_present = of is not None and set(of[key].dropna()) == set(present[key].dropna())
    paths = list(plan.rows["tinker_path"])
    lines = _checkpoints(state, runs_of(paths), client) if is_of_present else _name_rows(paths)
    name = "checkpoints" if lines else "selected"
    whose = "" if client == "tkf" or (is_of_present and "account" in state.about) else f"client={client}"
    call = plan.code if plan.code and (is_of_present or not plan.rule) else _call_without_rule(plan)
    call = call.removesuffix(")") + (", " if whose and not call.endswith("()") else "") + whose + ")"
    if "pd.Series" in call and "import pandas as pd" not in lines:
        lines.append("import pandas as pd")
    lines.append(f"plan = {name}.tinker.{call}")
    if plan.allowed:
        lines.append(f"plan = plan.allow({', '.join(map(repr, sorted(plan.allowed)))})")
    number = int((plan.frame["verdict"] == "send").sum())
    return [*lines, f"# plan.run(confirm={number})"]


def _checkpoints(state: TableState, runs: Iterable[str], client: str) -> list[str]:
    """Return the lines that list the checkpoints of the selected rows; none if those are checkpoints."""
    if state.sort.name == "training_runs":
        return [f'checkpoints = {client}.checkpoints(selected["training_run_id"])']
    if state.sort.name == "sessions":
        return [
            *_sessions(runs, client),
            f"runs = {client}.training_runs()",
            'runs = runs[runs["session_id"].isin(selected["session_id"])]',
            f'checkpoints = {client}.checkpoints(runs["training_run_id"])',
        ]
    return []


def _name_rows(paths: list[str]) -> list[str]:
    listed = "".join(f"    {path!r},\n" for path in paths)
    return ["import pandas as pd", f'checkpoints = pd.DataFrame({{"tinker_path": [\n{listed}]}})']


def _call_without_rule(plan: Plan) -> str:
    """Return the call that makes a plan from a list of paths, or the plan that was read from a file."""
    given = repeat_arguments(plan.action, plan.rows)
    ttls = given.get("ttl")
    if ttls is not None and not isinstance(ttls, str):  # a Series: each row has its own
        return f'{plan.action.name}(pd.Series({ttls.dropna().to_dict()}).rename_axis("tinker_path"))'
    return plan.action.parse(given).code
