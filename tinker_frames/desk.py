"""Where actions on rows are prepared, looked at, confirmed, watched and taken back; one at a time, on a thread.

The stages: `ask` (an action wants something said), `work` (a plan is made, or carried out), `confirm`, `outcome`; none is empty.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import cells, policies
from .deed import Deed, told
from .durations import seconds
from .errors import InvalidRequestError
from .files import export
from .plan_text import facts_lines
from .plans import Plan, make, retirement
from .recovery import undo
from .rest import check_ttl
from .verdicts import GUARDS

if TYPE_CHECKING:
    import pandas as pd

    from .holder import Holder
    from .policies import Rule

MOST_LISTED = 200  # rows that are listed in a confirmation or an outcome; all are in the frames
LISTED = ["tinker_path", "size_bytes", "time", "expires_at", "reason", "warnings"]


@dataclass(frozen=True)
class Act:
    """One action as a view offers it."""

    name: str
    label: str
    doc: str
    asks: str = ""  # what has to be said before: `ttl`, `rule` or `path`
    tone: str = ""


ACTS = {
    act.name: act
    for act in (
        Act("expire", "Expire in 24 h", "the service deletes them tomorrow; until then it can be undone", tone="main"),
        Act("set_ttl", "Set TTL…", "they expire so long from now, or never", "ttl"),
        Act("publish", "Publish", "any Tinker user may then load them"),
        Act("unpublish", "Unpublish", "private again"),
        Act("retire", "Retire…", "removes what a keep rule does not keep", "rule"),
        Act("delete", "Delete…", "gone at once, for ever", tone="danger"),
        Act("export", "Export…", "write the rows to a file", "path"),
    )
}


@dataclass
class Target:
    """What an action is about: a few words, and how its checkpoints are found out."""

    said: str
    name: str
    rows: pd.DataFrame
    checkpoints: Callable[[], pd.DataFrame]
    hidden: int = 0


class Desk:
    """The one action that is prepared or carried out.

    Parameters
    ----------
    holder
        The account, made when it is needed.
    changed
        Called when what is shown has changed, from any thread.
    after
        Called in the thread with the tinker paths that were sent, when they have ended.
    """

    def __init__(
        self, holder: Callable[[], Holder], changed: Callable[[], None], after: Callable[[list[str]], None]
    ) -> None:
        self._holder, self._changed, self._after = holder, changed, after
        self.lock = threading.RLock()
        self.stage = ""
        self.plan: Plan | None = None
        self.outcomes: pd.DataFrame | None = None
        self.deed: Deed | None = None
        self._act = ACTS["expire"]
        self._target: Target | None = None
        self._judged: pd.DataFrame | None = None
        self._look: tuple[str, str] | None = None
        self._note = ""
        self._undone = False
        self._label = ""

    # ── steps ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def begin(self, name: str, target: Target) -> None:
        """Begin an action on rows: ask what it needs, or make its plan."""
        self._must_be_idle()
        if name not in ACTS:
            raise InvalidRequestError(f"there is no action {name!r}", hint=f"The actions are {', '.join(ACTS)}.")
        self._clear()
        self._act, self._target = ACTS[name], target
        self._label = self._act.label.rstrip("…")
        if self._act.asks:
            self._go("ask")
        else:
            self.answer({})

    def answer(self, given: dict[str, Any]) -> None:
        """Go on with what was asked for: `ttl`, `rule` and `after`, or `path`."""
        target, name = self._must_have_target(), self._act.name
        if name == "export":
            self._export(target, Path(str(given.get("path") or "")), overwrite=bool(given.get("overwrite")))
            return
        ttl = _ttl_of(name, given)
        rule = rule_of(given) if name == "retire" else None

        def plan() -> Plan:
            found = target.checkpoints()
            if rule is not None:
                return retirement(found, rule, self._holder(), ttl)
            return make(name, found["tinker_path"].dropna(), self._holder(), ttl_seconds=ttl)

        self._plan(f"looking at {target.said}", plan)

    def propose(self, plan: Plan) -> None:
        """Show a plan, whoever made it, for confirmation."""
        self._must_be_idle()
        self._clear()
        self._label, self._target = capital(plan.action.verb), None
        self._plan("looking at the plan", lambda: plan)

    def allow(self, guards: list[Any]) -> None:
        """Lift guards of the plan, those and no others."""
        plan = replace(self._must_have_plan(), allowed=frozenset()).allow(*guards)
        self._plan("looking at the plan", lambda: plan)

    def look(self, verdict: str, reason: str) -> None:
        """List the rows of the plan with a verdict and a reason."""
        self._must_have_plan()
        self._look = None if self._look == (verdict, reason) else (verdict, reason)
        self._changed()

    def confirm(self, typed: str = "") -> None:
        """Carry out the plan that is shown; a delete wants the number of its rows typed."""
        plan, number = self._must_have_plan(), self._number()
        if plan.action.name == "delete" and typed.strip().replace(",", "") != str(number):
            raise InvalidRequestError("that is not the number of rows", hint=f"Type {number} to delete them.")
        if number == 0:
            raise InvalidRequestError("no row of this plan is sent", hint="Lift a guard, or choose other rows.")
        sent = list(self._frame()["tinker_path"])
        self._work(
            f"{plan.action.verb} {number:,} checkpoints",
            lambda deed: self._carried_out(sent, plan.run(confirm=True, progress=deed)),
            self._finish,
        )

    def undo(self) -> None:
        """Take back what the last plan did."""
        outcomes = self.outcomes
        if outcomes is None or not self.can_undo:
            raise InvalidRequestError("there is nothing to undo", hint="See tkf.journal().")
        plan, sent = outcomes.attrs["tinker"]["plan"], list(outcomes["tinker_path"])

        def work(deed: Deed) -> pd.DataFrame:
            return self._carried_out(sent, undo(self._holder(), plan, progress=deed))

        self._undone, self._label = True, "Undo"
        self._work("taking it back", work, self._finish)

    def retry(self) -> None:
        """Make a plan of the rows that failed, that nobody knows of, and that were not begun."""
        outcomes, plan = self.outcomes, self.plan
        if outcomes is None or plan is None:
            raise InvalidRequestError("there is nothing to do again", hint="Choose rows and an action.")
        again = plan.only(self._frame()["tinker_path"].isin(self._left(outcomes)).to_numpy())
        names, name, ttl = list(again.rows["tinker_path"]), plan.action.name, _ttl_of_plan(plan)
        self._clear()
        self._plan(
            "looking at what failed",
            lambda: make(name, names, self._holder(), ttl_seconds=ttl).allow(*sorted(plan.allowed)),
        )

    def cancel(self) -> None:
        """Stop what goes on: a plan that is made is forgotten, one that is carried out is stopped."""
        if self.deed is not None and self.stage == "work":
            self.deed.cancel()
            self._changed()

    def close(self) -> None:
        """Put away what is shown; what goes on cannot be put away."""
        self._must_be_idle()
        self._clear()
        self._changed()

    # ── what is shown ────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def can_undo(self) -> bool:
        """Whether the last plan can be taken back."""
        done = self.outcomes is not None and bool((self.outcomes["outcome"] == "done").any())
        return done and not self._undone and self.plan is not None and bool(self.plan.action.undo)

    def shown(self) -> dict[str, Any]:
        """Return what a view shows of it; plain values only."""
        with self.lock:
            shown: dict[str, Any] = {"stage": self.stage, "note": self._note}
            if self.stage:
                shown |= {"act": self._act.name, "label": self._label, "doc": self._act.doc}
                shown |= {"asks": self._act.asks, "target": self._target.said if self._target else ""}
                shown |= {"path": f"{self._target.name}.parquet" if self._target else ""}
            if self.stage == "work" and self.deed is not None:
                shown |= self.deed.shown()
            if self.stage == "confirm":
                shown |= self._confirmation()
            if self.stage == "outcome":
                shown |= self._result()
            return shown

    def _confirmation(self) -> dict[str, Any]:
        plan, frame = self._must_have_plan(), self._frame()
        lines = facts_lines(plan.action, frame, plan.rows, plan.rate)
        groups = [
            {"verdict": verdict, "reason": reason, "rows": rows, "open": self._look == (verdict, reason)}
            for (verdict, reason), rows in _grouped(frame)
        ]
        reasons = frame.loc[frame["verdict"] == "held", "reason"].fillna("")
        held = [guard for guard, text in GUARDS.items() if reasons.str.contains(text, regex=False).any()]
        return {
            "number": self._number(),
            "verb": plan.action.verb,
            "lines": [line for line in lines if not line.startswith(("held", "refused", "unchanged"))],
            "groups": groups,
            "guards": [{"name": name, "on": name in plan.allowed} for name in sorted({*held, *plan.allowed})],
            "rows": self._listed(frame),
            "typed": plan.action.name == "delete",
            "undo": bool(plan.action.undo),
            "rule": plan.rule,
            "hidden": self._target.hidden if self._target else 0,
        }

    def _result(self) -> dict[str, Any]:
        outcomes = self.outcomes
        if outcomes is None:
            return {"counts": [], "failed": [], "undo": False, "retry": False}
        counts = outcomes["outcome"].value_counts()
        bad = outcomes[outcomes["error"].notna() & (outcomes["outcome"] != "done")].head(MOST_LISTED)
        return {
            "counts": [{"outcome": name, "rows": int(rows)} for name, rows in counts.items() if rows],
            "failed": cells.window(bad, ["tinker_path", "outcome", "error"], datetime.now(UTC)),
            "plan": outcomes.attrs["tinker"]["plan"],
            "undo": self.can_undo,
            "retry": bool(self._left(outcomes)) and not self._undone,
        }

    def _listed(self, frame: pd.DataFrame) -> list[list[Any]]:
        """Return the rows that somebody looks at, as cells under the names of their columns."""
        if self._look is None:
            return []
        rows = frame[(frame["verdict"] == self._look[0]) & (frame["reason"].fillna("") == self._look[1])]
        columns = [name for name in LISTED if name in rows.columns]
        return [columns, *cells.window(rows.head(MOST_LISTED), columns, datetime.now(UTC))]

    # ── how ──────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _plan(self, what: str, made: Callable[[], Plan]) -> None:
        """Make a plan and judge its rows, on the thread, and show it."""

        def work(_: Deed) -> tuple[Plan, pd.DataFrame]:
            plan = made()
            return plan, plan.frame

        self._work(what, work, self._propose, is_plan=True)

    def _work(
        self, what: str, work: Callable[[Deed], Any], then: Callable[[Any], None], *, is_plan: bool = False
    ) -> None:
        self._must_be_idle()
        back = self.stage

        def ended(result: Any, problem: BaseException | None) -> None:
            with self.lock:
                self.stage, cancelled = back, self.deed is not None and self.deed.stop.is_set()
                if problem is not None:
                    self._note = told(problem)
                elif cancelled and is_plan:
                    self._clear()
                else:
                    then(result)
            self._changed()

        self._note = ""
        self.deed = Deed(what, work, ended, self._changed)
        self._go("work")
        self.deed.start()

    def _propose(self, made: tuple[Plan, pd.DataFrame]) -> None:
        (self.plan, self._judged), self.stage, self._look = made, "confirm", None

    def _carried_out(self, paths: list[str], outcomes: pd.DataFrame) -> pd.DataFrame:
        self._after(paths)
        return outcomes

    def _finish(self, outcomes: pd.DataFrame) -> None:
        self.outcomes, self.stage = outcomes, "outcome"

    def _export(self, target: Target, path: Path, *, overwrite: bool) -> None:
        path = path.expanduser()
        if not path.name:
            raise InvalidRequestError("no file is named", hint="Write a name such as checkpoints.parquet.")
        if path.exists() and not overwrite:
            raise InvalidRequestError(f"{path} exists", hint="Choose another name, or tick overwrite.")

        def done(written: Path) -> None:
            self._clear()
            self._note, self.stage = f"wrote {len(target.rows):,} rows to {written.resolve()}", "outcome"

        self._work(f"writing {path}", lambda _: export(target.rows, path), done)

    def _go(self, stage: str) -> None:
        self.stage = stage
        self._changed()

    def _clear(self) -> None:
        self.stage, self._note, self._look, self._undone = "", "", None, False
        self.plan = self.outcomes = self._judged = None

    def _frame(self) -> pd.DataFrame:
        if self._judged is None:
            raise InvalidRequestError("no plan is shown", hint="Choose rows and an action.")
        return self._judged

    def _number(self) -> int:
        return int((self._frame()["verdict"] == "send").sum())

    @staticmethod
    def _left(outcomes: pd.DataFrame) -> set[str]:
        late = outcomes["error"].fillna("").str.startswith(("not begun", "not done"))
        return set(outcomes.loc[outcomes["outcome"].isin(["failed", "unknown"]) | late, "tinker_path"])

    def _must_be_idle(self) -> None:
        if self.stage == "work":
            raise InvalidRequestError("something is still going on", hint="Wait for it, or cancel it.")

    def _must_have_plan(self) -> Plan:
        if self.plan is None or self.stage != "confirm":
            raise InvalidRequestError("no plan is shown", hint="Choose rows and an action.")
        return self.plan

    def _must_have_target(self) -> Target:
        if self._target is None or self.stage not in ("", "ask"):
            raise InvalidRequestError("nothing was chosen", hint="Choose rows and an action.")
        return self._target


def _grouped(frame: pd.DataFrame) -> list[tuple[tuple[str, str], int]]:
    """Return how many rows of a plan have each verdict and reason, those that are sent first, then the most."""
    pairs = Counter(zip(frame["verdict"], frame["reason"].fillna(""), strict=True))
    return sorted(pairs.items(), key=lambda item: (item[0][0] != "send", -item[1]))


def capital(text: str) -> str:
    """Return text with a capital first letter."""
    return text[:1].upper() + text[1:]


def rule_of(given: dict[str, Any]) -> Rule:
    """Return the keep rule that a form describes: `rule` itself, or `last`, `every`, `final`, `public`, `sampled`, `newer`."""
    if isinstance(given.get("rule"), policies.Rule):
        ready: Rule = given["rule"]
        return ready
    parts = [
        policies.keep_last(int(given["last"])) if given.get("last") else None,
        policies.keep_every(int(given["every"])) if given.get("every") else None,
        policies.keep_final() if given.get("final") else None,
        policies.keep_public() if given.get("public") else None,
        policies.used_by_samplers() if given.get("sampled") else None,
        policies.newer_than(str(given["newer"])) if given.get("newer") else None,
    ]
    rules = [part for part in parts if part is not None]
    if not rules:
        raise InvalidRequestError(
            "the rule keeps nothing", hint="Say what to keep; to remove all, use Expire or Delete."
        )
    rule = rules[0]
    for part in rules[1:]:
        rule = rule | part
    return rule


def _ttl_of(name: str, given: dict[str, Any]) -> int | None:
    """Return the seconds until rows expire that an action was given; None for a delete, and for never."""
    length = given.get("ttl") if name == "set_ttl" else given.get("after") if name == "retire" else "24h"
    if name == "set_ttl" and not length and not given.get("never"):
        raise InvalidRequestError("no length of time is given", hint='Write e.g. "30d" or "12h", or choose never.')
    if name not in ("expire", "set_ttl", "retire") or not length:
        return None
    found = seconds(length)
    check_ttl(found)
    return found


def _ttl_of_plan(plan: Plan) -> int | None:
    found = plan.rows["ttl_seconds"].dropna()
    return int(found.iloc[0]) if len(found) else None
