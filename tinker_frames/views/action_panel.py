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
from ..plans.changes import format_other_changes
from ..plans.plan import Plan
from ..rest.interrupts import StoppedError
from . import panel_states
from .estimate import Estimator
from .forms import EXPORT, OFFERED, get_offered, make_fields, read_arguments, read_file, repeat_arguments
from .messages import AskPanel, ConfirmPanel, OpenPanel, OutcomePanel, PanelState
from .panel_rows import Group, find_unfinished, require_number
from .preview import Preview, preview_plan
from .target import Target
from .task import Task, describe_error

if TYPE_CHECKING:
    import pandas as pd

    from ..plans.actions import Action
    from ..plans.planner import Planner


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
        self._preview: Preview | None = None
        self._opened_group: Group | None = None
        self._given: dict[str, Any] = {}  # the values of the form that the plan was made of
        self.estimator = Estimator(changed)
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
            self._show_form({field["name"]: field["value"] for field in make_fields(action, metric=target.metric)})
        else:
            prepare()

    def answer(self, given: dict[str, Any]) -> None:
        """Submit the form of the action, a value for each field by name; it is for the rows that are selected now."""
        if self.stage != "ask":
            raise InvalidRequestError("no form is open", hint="Select rows and an action.")
        self._read_form(self._action, self._find_target(), given)()

    def estimate(self, given: dict[str, Any]) -> None:
        """Make the plan of a form that is being filled in, in the background, to show what it would do."""
        if self.stage == "ask":
            self._request_estimate(given)
            self._changed()

    def _request_estimate(self, given: dict[str, Any]) -> None:
        if self._action is EXPORT:
            return
        self._given = given
        try:
            filled = {name: value for name, value in given.items() if value != ""}  # without a duration, its default
            target, arguments = self._find_target(), read_arguments(self._action, filled)
        except InvalidRequestError as error:
            is_incomplete = not any(value not in ("", None, False, 0) for value in given.values())
            self.estimator.refuse(None if is_incomplete else error)
            return
        action = self._action
        self.estimator.request(lambda: self._planner().plan(action.name, target.checkpoints(), arguments))

    def follow_selection(self) -> None:
        """Make the plan of an open form again, for the rows that are selected now; the caller sends the panel."""
        if self.stage == "ask":
            self._request_estimate(self._given)

    def edit(self) -> None:
        """Go back from a plan to the form that it was made of."""
        self._require_current()
        given = self._given
        self._clear()
        self._show_form(given)

    def _show_form(self, given: dict[str, Any]) -> None:
        self.stage = "ask"
        self._request_estimate(given)
        self._changed()

    def _read_form(self, action: Action, target: Target, given: dict[str, Any]) -> Callable[[], None]:
        """Check the values of the form, and return the function that continues with them."""
        if action is EXPORT:
            path, of_checkpoints = read_file(given)
            return lambda: self._export(target, path, of_checkpoints=of_checkpoints)
        arguments = read_arguments(action, given)

        def plan() -> Plan:
            return self._planner().plan(action.name, target.checkpoints(), arguments)

        return lambda: self._prepare(f"reading {target.text}", plan, target, given=given)

    def propose(self, plan: Plan) -> None:
        """Show a plan for confirmation."""
        self._require_idle()
        self._clear()
        self._action, self._label = OFFERED.get(plan.action.name, self._action), capitalize(plan.action.verb)
        self._prepare("reading the rows of the plan", lambda: plan, None, "the rows of a plan from Python")

    def allow(self, guards: list[Any]) -> None:
        """Lift these guards of the plan, and no others."""
        plan = replace(self._require_current(), allowed=frozenset()).allow(*guards)
        self._prepare("reading the rows of the plan", lambda: plan, self._target, self._origin, self._given)

    def list_rows(self, verdict: str, reason: str = "", first: int | None = None) -> None:
        """List rows of the plan with a verdict and reason, or with an outcome and error, from `first`; without it, show or hide them."""
        if self.stage != "outcome":
            self._require_plan()
        is_open = self._opened_group is not None and self._opened_group.is_same(verdict, reason)
        self._opened_group = None if is_open and first is None else Group(verdict, reason, first or 0)
        self._changed()

    def confirm(self, typed: str = "") -> None:
        """Run the plan; if `needs_number`, `typed` must be the number of its rows."""
        plan, preview = self._require_current(), self._require_preview()
        number = preview.figures["number"]
        if preview.figures["typed"]:
            require_number(typed, number, f"{plan.action.verb} them")
        if number == 0:
            raise InvalidRequestError("no row of this plan is sent", hint="Lift a guard, or select other rows.")
        sent = list(preview.frame["tinker_path"])
        self._start(
            f"{plan.action.verb} {count_checkpoints(number)}",
            lambda task: self._send(sent, lambda: plan.run(confirm=True, progress=task)),
            self._finish,
        )

    def undo(self, typed: str = "") -> None:
        """Undo the last plan; if that makes rows public, `typed` must be their number."""
        if self.outcomes is None or not self.can_undo:
            raise InvalidRequestError("there is nothing to undo", hint="See tkf.journal().")
        if self.plan is not None and (number := panel_states.count_published_again(self.plan, self.outcomes)):
            require_number(typed, number, "publish them again")
        self._undo_plan(self.outcomes, self.outcomes.attrs["tinker"]["plan"])

    def retry(self) -> None:
        """Make a plan of the rows that failed, are unknown or were not sent; after an undo, of those that were not undone."""
        outcomes, plan = self.outcomes, self.plan
        if outcomes is None or plan is None or self.stage != "outcome":
            raise InvalidRequestError("there is nothing to retry", hint="Select rows and an action.")
        if self._undone:
            self._undo_plan(outcomes, self._undone)
            return
        left, given = find_unfinished(outcomes, plan.action), repeat_arguments(plan.action, plan.rows)

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
        fields = make_fields(self._action)
        try:
            target = self._find_target()
            fields = make_fields(self._action, target.name, target.metric)
            opened["target"], opened["filters"] = target.text, target.filters
        except InvalidRequestError as error:
            opened["obstacle"] = str(error)
        estimate = panel_states.describe_estimate(self.estimator.result, is_working=self.estimator.is_working)
        return panel_states.describe_form(opened, self._action, fields, self._given, estimate)

    def _describe_plan(self) -> ConfirmPanel:
        opened: OpenPanel = {**self._describe_action(), "obstacle": self._find_obstacle()}
        hidden = self._target.hidden if self._target else 0
        state = panel_states.describe_plan(opened, self._require_preview(), self._opened_group, hidden=hidden)
        return {**state, "editable": bool(self._target) and bool(self._given)}

    def _describe_outcomes(self) -> OutcomePanel:
        opened, outcomes = self._describe_action(), self.outcomes
        frame = self._preview.frame if self._preview else None
        state = panel_states.describe_outcomes(
            opened, self.plan, frame, outcomes, self._opened_group, is_undone=bool(self._undone)
        )
        is_unfinished = outcomes is not None and bool(find_unfinished(outcomes, self._action))
        return {**state, "undo": self.can_undo, "retry": is_unfinished}

    # ── how ──────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _prepare(
        self,
        what: str,
        made: Callable[[], Plan],
        target: Target | None,
        origin: str = "",
        given: dict[str, Any] | None = None,
    ) -> None:
        """Make a plan and its preview in the background, and show it; a plan without a target has an `origin`, in words."""

        def propose(preview: Preview) -> None:
            self._clear()
            self.plan, self._preview = preview.plan, preview
            self._target, self._origin, self.stage = target, origin, "confirm"
            self._given = given or {}

        self._start(what, lambda _: preview_plan(made()), propose, is_plan=True)

    def _start(
        self, what: str, work: Callable[[Task], Any], then: Callable[[Any], None], *, is_plan: bool = False
    ) -> None:
        self._require_idle()
        self.estimator.clear()  # it would read the same at the same time
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
        self._given = {}
        self.estimator.clear()
        self.plan = self.outcomes = self._preview = self._target = None

    def _require_preview(self) -> Preview:
        if self._preview is None:
            raise InvalidRequestError("no plan is shown", hint="Select rows and an action.")
        return self._preview

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
        plan = self._require_plan()
        change = self._target.find_change_now(self._find_target) if self._target else ""
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
