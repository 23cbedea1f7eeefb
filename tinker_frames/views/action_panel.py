"""The action panel: fill in an action's form, preview its plan, run it in the background, and undo it; one action at a time.

Stages: `ask` (the form), `work` (a plan is being made or run), `confirm`, `outcome`; empty without an action.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InvalidRequestError
from ..frames.files import export
from ..frames.text import count_checkpoints
from ..plans.actions import ACTIONS
from ..plans.changes import format_other_changes
from ..plans.confirmation import MAX_UNCONFIRMED
from ..plans.guards import GUARDS
from ..plans.plan import Plan
from ..plans.preview import VERDICTS, build_outcome_frame
from ..plans.summary import Hints
from ..rest.progress import StoppedError
from . import panel_rows
from .forms import EXPORT, OFFERED, get_offered, make_fields, read_arguments, read_file, repeat_arguments
from .messages import AskPanel, ConfirmPanel, OpenPanel, OutcomePanel, PanelState
from .target import Target
from .task import Task, describe_error

if TYPE_CHECKING:
    import pandas as pd

    from ..plans.actions import Action
    from ..plans.planner import Planner

HINTS = Hints(reversible=ACTIONS["expire"].label, undo="Undo")  # the names of buttons


class ActionPanel:
    """The one action that is being prepared or run.

    Parameters
    ----------
    planner
        Returns the account's planner; called at first use.
    find_target
        Returns the rows that are selected now; raises `InvalidRequestError` if there are none, or while a filter is not valid.
    changed
        Called, from any thread, when the state has changed.
    after
        Called in the background thread with the tinker paths that were sent, once the plan has ended.
    """

    def __init__(
        self,
        planner: Callable[[], Planner],
        find_target: Callable[[], Target],
        changed: Callable[[], None],
        after: Callable[[list[str]], None],
    ) -> None:
        self._planner, self._find_target, self._changed, self._after_write = planner, find_target, changed, after
        self.lock = threading.RLock()
        self.stage = ""
        self.plan: Plan | None = None
        self.outcomes: pd.DataFrame | None = None
        self.task: Task | None = None
        self._action = OFFERED["expire"]
        self._previous_stage, self._is_planning = "", False
        self._target: Target | None = None
        self._origin = ""  # of the rows of a plan without a target
        self._preview: pd.DataFrame | None = None
        self._opened_group: tuple[str, str] | None = None
        self._note = self._error = ""
        self._undone = ""  # the plan that was undone
        self._label = ""

    # ── steps ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def begin(self, name: str, given: dict[str, Any] | None = None) -> None:
        """Start an action on the selected rows: show its form, or make its plan if its arguments are given or it takes none."""
        self._require_idle()
        action, target, given = get_offered(name), self._find_target(), given or {}
        is_asked = not given and bool(make_fields(action))
        prepare = None if is_asked else self._read_form(action, target, given)
        self._clear()
        self._action, self._label = action, action.label.rstrip("…")
        if prepare is None:
            self._enter("ask")
        else:
            prepare()

    def answer(self, given: dict[str, Any]) -> None:
        """Submit the form of the action, a value for each field by name; it is for the rows that are selected now."""
        if self.stage != "ask":
            raise InvalidRequestError("no form is open", hint="Select rows and an action.")
        self._read_form(self._action, self._find_target(), given)()

    def _read_form(self, action: Action, target: Target, given: dict[str, Any]) -> Callable[[], None]:
        """Check the values of the form, and return the function that continues with them."""
        if action is EXPORT:
            path, of_checkpoints = read_file(given)
            return lambda: self._export(target, path, of_checkpoints=of_checkpoints)
        arguments = read_arguments(action, given)

        def plan() -> Plan:
            return self._planner().plan(action.name, target.checkpoints(), arguments)

        return lambda: self._prepare(f"reading {target.text}", plan, target)

    def propose(self, plan: Plan) -> None:
        """Show a plan for confirmation."""
        self._require_idle()
        self._clear()
        self._action, self._label = OFFERED.get(plan.action.name, self._action), capitalize(plan.action.verb)
        self._prepare("reading the rows of the plan", lambda: plan, None, "the rows of a plan from Python")

    def allow(self, guards: list[Any]) -> None:
        """Lift these guards of the plan, and no others."""
        plan = replace(self._require_current(), allowed=frozenset()).allow(*guards)
        self._prepare("reading the rows of the plan", lambda: plan, self._target, self._origin)

    def list_rows(self, verdict: str, reason: str = "") -> None:
        """List the rows of the plan with a verdict and reason, or with an outcome; hide the list if it is shown already."""
        if self.stage != "outcome":
            self._require_plan()
        self._opened_group = None if self._opened_group == (verdict, reason) else (verdict, reason)
        self._changed()

    def confirm(self, typed: str = "") -> None:
        """Run the plan; if `_asks_for_number` requires it, `typed` must be the number of its rows."""
        plan, number = self._require_current(), self._count_sends()
        if self._asks_for_number(plan):
            panel_rows.require_number(typed, number, f"{plan.action.verb} them")
        if number == 0:
            raise InvalidRequestError("no row of this plan is sent", hint="Lift a guard, or select other rows.")
        sent = list(self._require_preview()["tinker_path"])
        self._start(
            f"{plan.action.verb} {count_checkpoints(number)}",
            lambda task: self._send(sent, lambda: plan.run(confirm=True, progress=task)),
            self._finish,
        )

    def undo(self, typed: str = "") -> None:
        """Undo the last plan; if that makes rows public, `typed` must be their number."""
        if self.outcomes is None or not self.can_undo:
            raise InvalidRequestError("there is nothing to undo", hint="See tkf.journal().")
        if number := self._count_published_again():
            panel_rows.require_number(typed, number, "publish them again")
        self._undo_plan(self.outcomes, self.outcomes.attrs["tinker"]["plan"])

    def retry(self) -> None:
        """Make a plan of the rows that failed, are unknown or were not sent; after an undo, of those that were not undone."""
        outcomes, plan = self.outcomes, self.plan
        if outcomes is None or plan is None or self.stage != "outcome":
            raise InvalidRequestError("there is nothing to retry", hint="Select rows and an action.")
        if self._undone:
            self._undo_plan(outcomes, self._undone)
            return
        left, given = (
            panel_rows.find_unfinished(outcomes, plan.action),
            repeat_arguments(plan.action, plan.rows),
        )

        def again() -> Plan:
            return self._planner().plan(plan.action.name, left, given).allow(*sorted(plan.allowed))

        self._prepare("reading the rows that failed", again, None, "the rows that were not done")

    def cancel(self) -> None:
        """Cancel the work in progress: a plan being made is dropped, a running one is stopped."""
        with self.lock:
            if self.task is None or self.stage != "work":
                return
            self.task.cancel()
            if self._is_planning:  # without waiting for what is being read
                self.stage = self._previous_stage
                if self.stage not in ("confirm", "outcome"):
                    self._clear()
        self._changed()

    def close(self) -> None:
        """Close the panel, unless work is in progress."""
        self._require_idle()
        self._clear()
        self._changed()

    def release(self) -> None:
        """Release all rows: a plan in preparation is dropped; a running one continues, and its outcomes are kept."""
        if self._is_planning:
            self.cancel()
        with self.lock:
            self._target = None
            if self.stage != "work":
                self._clear()
                self.task = None

    def show_error(self, text: str) -> None:
        """Show an error in the panel, beside what caused it."""
        with self.lock:
            self._error = text
        self._changed()

    def clear_error(self) -> None:
        """Remove the error; the next one is of the request that follows."""
        if self._error:
            self.show_error("")

    @property
    def target(self) -> Target | None:
        """The rows that the plan was made from; None for a plan that was made elsewhere."""
        return self._target if self.plan is not None else None

    @property
    def depends_on_selection(self) -> bool:
        """Whether a form or a plan is shown, which are for the rows that are selected."""
        return self.stage in ("ask", "confirm")

    # ── what is shown ────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def can_undo(self) -> bool:
        """Whether the last plan can be undone."""
        done = self.outcomes is not None and bool((self.outcomes["outcome"] == "done").any())
        return done and not self._undone and self.plan is not None and bool(self.plan.action.undo)

    def _count_published_again(self) -> int:
        """Count the rows that an undo makes public."""
        if (
            self.outcomes is None
            or self.plan is None
            or not self.can_undo
            or not ACTIONS[self.plan.action.undo].public_after
        ):
            return 0
        return int((self.outcomes["outcome"] == "done").sum())

    def to_message(self) -> PanelState:
        """Return the state of the panel, as JSON-compatible values."""
        with self.lock:
            if self.stage == "ask":
                return self._describe_form()
            if self.stage == "work" and self.task is not None:
                return {**self._describe_action(), **self.task.to_message(), "stage": "work"}
            if self.stage == "confirm":
                return self._describe_plan()
            if self.stage == "outcome":
                return self._describe_outcomes()
            return {"stage": "", "note": self._note, "error": self._error}

    def _describe_action(self) -> OpenPanel:
        """Return what every stage has in common."""
        return {
            "note": self._note,
            "error": self._error,
            "action": self._action.name,
            "label": self._label,
            "doc": self._action.doc.replace("`", ""),
            "target": self._target.text if self._target else self._origin,
            "filters": self._target.filters if self._target else "",
            "obstacle": "",
        }

    def _describe_form(self) -> AskPanel:
        opened: OpenPanel = self._describe_action()
        name = "checkpoints"
        try:
            target = self._find_target()
            name, opened["target"], opened["filters"] = target.name, target.text, target.filters
        except InvalidRequestError as error:
            opened["obstacle"] = str(error)
        submit = "Write" if self._action is EXPORT else "Look at the plan"
        return {**opened, "stage": "ask", "fields": make_fields(self._action, name), "submit": submit}

    def _describe_plan(self) -> ConfirmPanel:
        plan, frame = self._require_plan(), self._require_preview()
        lines = plan.summarize(frame, HINTS)
        reasons = frame.loc[frame["verdict"] == "held", "reason"].unique()
        held = [name for name, guard in GUARDS.items() if any(map(guard.is_named_in, reasons))]
        return {
            **self._describe_action(),
            "stage": "confirm",
            "obstacle": self._find_obstacle(),
            "number": self._count_sends(),
            "verb": plan.action.verb,
            "lines": [line for line in lines if not line.startswith(tuple(VERDICTS.values()))],
            "groups": panel_rows.count_groups(frame, self._opened_group),
            "guards": [
                {"name": name, "label": GUARDS[name].counted, "on": name in plan.allowed}
                for name in sorted({*held, *plan.allowed})
            ],
            "rows": panel_rows.list_group(frame, self._opened_group),
            "typed": self._asks_for_number(plan),
            "undo": bool(plan.action.undo),
            "rule": plan.rule,
            "hidden": self._target.hidden if self._target else 0,
        }

    def _describe_outcomes(self) -> OutcomePanel:
        outcomes = build_outcome_frame("", self._action, []) if self.outcomes is None else self.outcomes
        look, number = self._opened_group[0] if self._opened_group else None, self._count_published_again()
        return {
            **self._describe_action(),
            "stage": "outcome",
            "counts": panel_rows.count_outcomes(outcomes, look),
            "failed": panel_rows.list_failed(outcomes),
            "rows": panel_rows.list_outcome(outcomes, look) if look else [],
            "undo": self.can_undo,
            "undo_label": f"Undo: publish {count_checkpoints(number)} again" if number else "Undo",
            "publishes": number,
            "retry": bool(panel_rows.find_unfinished(outcomes, self._action)),
        }

    # ── how ──────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _prepare(self, what: str, made: Callable[[], Plan], target: Target | None, origin: str = "") -> None:
        """Make a plan and its preview in the background, and show it; a plan without a target has an `origin`, in words."""

        def work(_: Task) -> tuple[Plan, pd.DataFrame]:
            plan = made()
            return plan, plan.frame

        def propose(made: tuple[Plan, pd.DataFrame]) -> None:
            self._clear()
            (self.plan, self._preview), self._target, self._origin, self.stage = made, target, origin, "confirm"

        self._start(what, work, propose, is_plan=True)

    def _start(
        self, what: str, work: Callable[[Task], Any], then: Callable[[Any], None], *, is_plan: bool = False
    ) -> None:
        self._require_idle()
        self._previous_stage, self._is_planning, self._note, self._error = self.stage, is_plan, "", ""

        def ended(result: Any, problem: BaseException | None) -> None:
            with self.lock:
                if is_plan and task.stop.is_set():
                    return  # it was cancelled, and other work may have started
                self.stage = self._previous_stage
                if problem is None:
                    then(result)
                elif isinstance(problem, StoppedError):
                    self._note = describe_error(problem)
                else:
                    is_sent = not is_plan and self._action is not EXPORT
                    self._error = describe_error(problem) + (
                        " What was done stands in tkf.journal()." if is_sent else ""
                    )
            self._changed()

        task = self.task = Task(what, work, ended, self._changed)
        self._enter("work")
        task.start()

    def _undo_plan(self, outcomes: pd.DataFrame, plan: str) -> None:
        sent = list(outcomes["tinker_path"])

        def work(task: Task) -> pd.DataFrame:
            return self._send(sent, lambda: self._planner().undo(plan, confirm=True, progress=task))

        def done(outcomes: pd.DataFrame) -> None:
            self._undone, self._label = plan, "Undo"
            self._finish(outcomes)

        self._start("undoing", work, done)

    def _send(self, paths: list[str], send: Callable[[], pd.DataFrame]) -> pd.DataFrame:
        try:
            return send()
        finally:  # a plan that failed halfway has changed rows too
            try:
                self._after_write(paths)
            except Exception as error:  # noqa: BLE001  # the outcome is shown even if the rows cannot be updated
                self._error = f"The rows below may be out of date: {describe_error(error)}"

    def _finish(self, outcomes: pd.DataFrame) -> None:
        self.outcomes, self.stage, self._opened_group = outcomes, "outcome", None
        others = outcomes.attrs.get("tinker", {}).get("other_changes")
        if others:
            self._note = " ".join(filter(None, [self._note, f"{capitalize(format_other_changes(others))}."]))

    def _export(self, target: Target, path: Path | str, *, of_checkpoints: bool) -> None:
        def written(task: Task) -> tuple[Path | str, int]:
            rows = target.checkpoints() if of_checkpoints else target.rows
            if task.stop.is_set():
                raise StoppedError
            return export(rows, path), len(rows)

        def done(written: tuple[Path | str, int]) -> None:
            self._clear()
            place = written[0].resolve() if isinstance(written[0], Path) else written[0]
            self._note, self.stage = f"wrote {written[1]:,} rows to {place}", "outcome"

        self._start(f"writing {path}", written, done)

    def _enter(self, stage: str) -> None:
        self.stage = stage
        self._changed()

    def _clear(self) -> None:
        self.stage, self._note, self._error, self._opened_group = "", "", "", None
        self._undone = self._origin = ""
        self.plan = self.outcomes = self._preview = self._target = None

    def _require_preview(self) -> pd.DataFrame:
        if self._preview is None:
            raise InvalidRequestError("no plan is shown", hint="Select rows and an action.")
        return self._preview

    def _asks_for_number(self, plan: Plan) -> bool:
        """Tell whether the number of rows has to be typed: to delete, and to publish more than ten."""
        return plan.action.removes or (plan.action.public_after is True and self._count_sends() > MAX_UNCONFIRMED)

    def _count_sends(self) -> int:
        return int((self._require_preview()["verdict"] == "send").sum())

    def _require_idle(self) -> None:
        if self.stage == "work":
            raise InvalidRequestError("another action is in progress", hint="Wait for it, or cancel it.")

    def _find_obstacle(self) -> str:
        """Return why the plan cannot be run or changed; empty if it can."""
        try:
            self._require_current()
        except InvalidRequestError as error:
            return str(error)
        return ""

    def _require_current(self) -> Plan:
        """Return the plan; raise if it is out of date, which one whose rows were not selected here is not."""
        plan, change = self._require_plan(), ""
        try:
            change = self._target.find_change(self._find_target()) if self._target else ""
        except InvalidRequestError as error:  # there are no such rows now
            change = error.what
        if change:
            hint = "Begin the action again for the rows that are selected now."
            raise InvalidRequestError(f"this plan is out of date: {change}", hint=hint)
        return plan

    def _require_plan(self) -> Plan:
        if self.plan is None or self.stage != "confirm":
            raise InvalidRequestError("no plan is shown", hint="Select rows and an action.")
        return self.plan


def capitalize(text: str) -> str:
    """Return text with a capital first letter."""
    return text[:1].upper() + text[1:]
