"""The journal as a frame, and what it makes possible: resume an interrupted plan, and undo one."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Protocol

import pandas as pd

from ..errors import InvalidRequestError
from ..rest.progress import Progress
from ..schema.catalog import CHECKPOINTS
from ..schema.columns import pandas_array
from ..schema.durations import TTL_RANGE_S
from ..schema.paths import parse
from .actions import ACTIONS, MARGIN, Action, Job, Outcome, RequestedExpiry, State
from .journal import Entry, Journal, Record
from .plan import Plan, make_plan_id
from .plan import Source as PlanSource
from .preview import GUARDS, OUTCOMES, add_expiries, build_outcome_frame
from .writer import Read


class Source(PlanSource, Protocol):
    """What the journal's plans need of their account: see `planner.Planner`."""

    def journal(self) -> Journal:
        """Return the account's journal."""

    def read_runs(self, run_ids: list[str]) -> Read:
        """Return the present state of every checkpoint of some runs, past the cache."""


def build_journal_frame(journal: Journal) -> pd.DataFrame:
    """Return one row per checkpoint and plan, in the order of the plans."""
    pairs = [(record, row) for record in journal.read_plans() for row in record.rows.values()]
    return pd.DataFrame(
        {
            "plan": pandas_array("text", [record.plan for record, _ in pairs]),
            "begun_at": pandas_array("time", [record.begun_at for record, _ in pairs]),
            "action": pandas_array("text", [record.action for record, _ in pairs]),
            "tinker_path": pandas_array("text", [row.tinker_path for _, row in pairs]),
            "state": pd.Categorical([row.state for _, row in pairs], categories=["not begun", "begun", "ended"]),
            "outcome": pd.Categorical([row.outcome for _, row in pairs], categories=OUTCOMES),
            "status": pandas_array("int", [row.status for _, row in pairs]),
            "error": pandas_array("text", [row.error for _, row in pairs]),
            "attempts": pandas_array("int", [row.attempts for _, row in pairs]),
            "sent_at": pandas_array("time", [row.sent_at for _, row in pairs]),
            "ended_at": pandas_array("time", [row.ended_at for _, row in pairs]),
            "public_before": pandas_array("bool", [row.before.public for _, row in pairs]),
            "expires_before": pandas_array("time", [row.before.expires_at for _, row in pairs]),
            "undoes": pandas_array("text", [record.undoes for record, _ in pairs]),
        }
    )


def resume_plan(source: Source, plan: str | None = None, *, progress: bool | Progress | None = None) -> pd.DataFrame:
    """Finish an interrupted plan, and return an outcome for each of its rows; what is done is not done again.

    Rows that were sent and whose answer was not received are read first.
    """
    journal = source.journal()
    record = _find_interrupted(journal, plan)
    action = ACTIONS[record.action]
    jobs = [_build_job(row) for row in record.open_rows]
    ended = [_build_outcome(row) for row in record.rows.values() if row.state == "ended"]
    outcomes = source.runner().run(record.plan, action, jobs, allowed=record.allowed, progress=progress) if jobs else []
    if not jobs:
        journal.record_end(record.plan)
    return build_outcome_frame(record.plan, action, ended + outcomes)


def undo_plan(source: Source, plan: str | None = None, *, progress: bool | Progress | None = None) -> pd.DataFrame:
    """Take back what a plan did, where that can be done, and return an outcome for each row."""
    record = _find_undoable(source.journal(), plan)
    action = ACTIONS[record.action]
    if not action.undo:
        raise InvalidRequestError(
            f"the plan {record.plan} deleted checkpoints, and that cannot be undone",
            hint='Next time use expire(after="24h"), which can be undone until then.',
        )
    done = [row for row in record.rows.values() if row.outcome == "done" or row.state == "begun"]
    if not done:
        raise InvalidRequestError(
            f"nothing that the plan {record.plan} did is left to undo",
            hint="Look at the journal: tkf.journal(), or `tinker-frames journal`.",
        )
    back = _build_inverse(source, record, action, done)
    return back.run(confirm=True, progress=progress)


def _build_inverse(source: Source, record: Record, action: Action, done: list[Entry]) -> Plan:
    """Return the plan that gives rows back what they had; rows that were changed since are refused."""
    inverse, now = ACTIONS[action.undo], datetime.now(UTC)
    states = source.read_runs(list(dict.fromkeys(parse(row.tinker_path).training_run_id for row in done))).states
    rows = source.facts([row.tinker_path for row in done])
    expiries, refusals = [], []
    for row, refusal in zip(done, rows["refusal"], strict=True):
        before = row.before.expires_at
        until = None if before is None else before - _measure_clock_offset(row)
        expiries.append(RequestedExpiry(until=until) if inverse.sets_expiry else RequestedExpiry())
        refusals.append(refusal or _find_undo_refusal(row, action, states.get(row.tinker_path), until, now))
    rows = add_expiries(rows, expiries).assign(refusal=pandas_array("text", refusals))
    current = [states.get(path, State(None, None)) for path in rows["tinker_path"]]
    for name in (each.name for each in fields(State)):
        rows[name] = pandas_array(CHECKPOINTS[name].kind, [getattr(state, name) for state in current])
    guards = frozenset(GUARDS)
    return Plan(make_plan_id(), inverse, rows, source, guards, undoes=record.plan)


def _find_undo_refusal(row: Entry, action: Action, state: State | None, until: datetime | None, now: datetime) -> str:
    """Return why a row cannot be restored; empty if it can."""
    if state is None:
        return "it is gone"
    if not row.before.is_same_object(state):
        return "another checkpoint has been saved under its name since"
    if row.after is not None:
        is_ours = state.expires_at == row.after
    else:
        is_ours = action.is_done(state, row.stored.expiry, row.sent_at or now)
    if not is_ours:
        return "it was changed since" if row.outcome == "done" else "it was never done, or changed since"
    if action.sets_expiry and until is not None and until - MARGIN - now < timedelta(seconds=TTL_RANGE_S[0]):
        return "less than an hour of its old life is left, and the service takes no shorter one"
    return ""


def _measure_clock_offset(row: Entry) -> timedelta:
    """Return by how much the service's clock is ahead of ours, as the expiry shows that it gave."""
    asked = None if row.sent_at is None else row.stored.expiry.resolve(row.sent_at)
    return timedelta(0) if row.after is None or asked is None else row.after - asked


def _find_interrupted(journal: Journal, plan: str | None) -> Record:
    """Return the plan that is to be finished: the named one, else the last that has open rows."""
    if plan is not None:
        return _find_record(journal, plan)
    records = journal.read_plans()
    undone = {record.undoes for record in records}
    left = [record for record in records if record.open_rows and record.plan not in undone]
    if left:
        return left[-1]
    raise InvalidRequestError(
        "no interrupted plan is in the journal", hint="Look at the journal: tkf.journal(), or `tinker-frames journal`."
    )


def _find_undoable(journal: Journal, plan: str | None) -> Record:
    """Return the plan to be taken back: the named one, else the last that is not an undo itself, so that undoing twice is harmless."""
    if plan is None:
        forward = [record for record in journal.read_plans() if record.undoes is None]
        return forward[-1] if forward else _find_record(journal, None)
    record = _find_record(journal, plan)
    if record.undoes is not None:
        raise InvalidRequestError(
            f"the plan {record.plan} is the undo of {record.undoes}, and an undo cannot be undone",
            hint="Make the plan that it undid again.",
        )
    return record


def _find_record(journal: Journal, plan: str | None) -> Record:
    """Return the last plan, or the one that a name or the beginning of one means; a beginning of several means none."""
    records = [record for record in journal.read_plans() if plan is None or record.plan.startswith(plan)]
    exact = [record for record in records if record.plan == plan]
    if plan is not None and len(records) > 1 and not exact:
        several = ", ".join(record.plan for record in records[-5:])
        raise InvalidRequestError(f"{plan!r} is the beginning of several plans", hint=f"Give more of one of {several}.")
    if records:
        return (exact or records)[-1]
    what = "the journal is empty" if plan is None else f"the journal has no plan {plan!r}"
    raise InvalidRequestError(what, hint=f"It is {journal.folder}; each account has its own.")


def _build_job(row: Entry) -> Job:
    """Return what is left to do of a journaled row."""
    return replace(row.stored.to_job(), unclear=row.sent_at is not None, sent_at=row.sent_at)


def _build_outcome(row: Entry) -> Outcome:
    return Outcome(row.tinker_path, row.outcome or "unknown", row.status, row.error, row.attempts)
