"""Undo a plan: restore the earlier state of rows that have not been changed since."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import fields, replace
from datetime import datetime, timedelta
from typing import Protocol

import pandas as pd

from ..errors import InvalidRequestError
from ..rest.interrupts import keep_interrupts
from ..rest.progress import Progress
from ..schema.catalog import CHECKPOINTS
from ..schema.columns import pandas_array
from ..schema.durations import TTL_RANGE_S
from ..schema.paths import run_of, runs_of
from .actions import ACTIONS, Action
from .changes import describe_change
from .confirmation import require_confirmation
from .guards import GUARDS
from .history import find_action, find_later_changes, find_undoable, is_undone, list_done, name_undoable
from .jobs import MARGIN, Job, RequestedExpiry, State
from .journal import Journal
from .plan import Plan, make_plan_id
from .plan import Source as PlanSource
from .preview import add_expiries
from .records import Entry, Record
from .writer import Read

UNREAD = "its run could not be read"


class Source(PlanSource, Protocol):
    """What the journal's plans need of their account: see `planner.Planner`."""

    def journal(self) -> Journal:
        """Return the account's journal."""

    def read_runs(self, run_ids: list[str]) -> Read:
        """Return the present state of every checkpoint of some runs, past the cache."""


@keep_interrupts()
def undo_plan(
    source: Source,
    plan: str | None = None,
    *,
    confirm: int | bool | None = None,
    progress: bool | Progress | None = None,
) -> pd.DataFrame:
    """Undo a plan as far as possible, and return an outcome for each row.

    An undo that makes checkpoints public requires confirmation. An interrupted plan is closed, and so is an interrupted undo of it.
    """
    journal = source.journal()
    records = journal.read_plans()
    record = find_undoable(records, plan)
    with ExitStack() as locks:
        names = [record.plan, *(each.plan for each in records if each.undoes == record.plan and each.is_unfinished)]
        for base in dict.fromkeys(each.base for each in records if each.plan in names):
            locks.enter_context(journal.lock(base))
        _require_reversible(record, records)
        unread = _record_carried_out(source, journal, [each for each in journal.read_plans() if each.plan in names])
        records = journal.read_plans()  # read after locking them
        record = next(each for each in records if each.plan == record.plan)
        inverse = _build_inverse(source, record, records)
        if inverse.action.public_after or confirm is not None:
            _confirm(inverse, record, confirm)
        outcomes = inverse.run(confirm=True, progress=progress)
        _note_futile(inverse, journal)
        if not outcomes["outcome"].isin(["failed", "unknown"]).any():
            _close(journal, [each for each in records if each.plan in names and not each.ended], unread)
    return outcomes


def plan_undo(source: Source, plan: str | None = None) -> Plan:
    """Return the plan that would undo a plan; sends nothing, and records nothing."""
    records = source.journal().read_plans()
    record = find_undoable(records, plan)
    _require_reversible(record, records)
    return _build_inverse(source, record, records)


def _record_carried_out(source: Source, journal: Journal, records: list[Record]) -> set[str]:
    """Record which rows of interrupted runs were carried out though that is not known yet; return the training runs that cannot be read."""
    rows = [(record, row) for record in records for row in record.open_rows if row.sent_at is not None]
    read = source.read_runs(runs_of(row.tinker_path for _, row in rows))
    for record, row in rows:
        action, state = find_action(record), read.states.get(row.tinker_path)
        if state is not None and row.before.is_same_object(state) and _is_done(row, action, state, source):
            after = state.expires_at if action.sets_expiry else None
            journal.record_outcome(record.plan, row.tinker_path, "done", after=after)
    return read.unread


def _is_done(row: Entry, action: Action, state: State, source: Source) -> bool:
    """Tell whether a row that was sent is as requested."""
    return action.is_done(state, row.stored.expiry, row.sent_at or source.get_time())


def _close(journal: Journal, records: list[Record], unread: set[str]) -> None:
    """Record that the open rows of interrupted runs were not done, and will not be; those of runs that cannot be read stay open."""
    for record in records:
        for row in record.open_rows:
            if row.sent_at is None:
                journal.record_outcome(
                    record.plan, row.tinker_path, "skipped", error="not sent when the plan was undone"
                )
            elif run_of(row.tinker_path) not in unread:
                journal.record_outcome(
                    record.plan, row.tinker_path, "failed", error="not done when the plan was undone"
                )
        if not any(row.sent_at and run_of(row.tinker_path) in unread for row in record.open_rows):
            journal.record_end(record.plan)


def _confirm(inverse: Plan, record: Record, confirm: int | bool | None) -> None:
    """Require confirmation of the rows of an undo, by their number where that is given."""
    frame = inverse.frame
    lines: Callable[[], list[str]] = lambda: [  # noqa: E731
        f"undo of the plan {record.plan}, {find_action(record).name} on {record.started_at:%Y-%m-%d at %H:%M} UTC:",
        *inverse.summarize(frame),
    ]
    hint = f'See plan {record.plan} in tkf.journal(), then tkf.undo("{record.plan}", confirm={{number}}).'
    require_confirmation(inverse.action, frame[frame["verdict"] == "send"], confirm, inverse.effect, lines, hint)


def _require_reversible(record: Record, records: list[Record]) -> None:
    """Raise for a plan whose action cannot be undone."""
    if not find_action(record).undo:
        raise InvalidRequestError(
            f"the plan {record.plan} deleted checkpoints, and that cannot be undone",
            hint=f'To be able to undo, use expire(after="24h"). {name_undoable(records)}',
        )


def _list_undoable(record: Record, records: list[Record]) -> list[Entry]:
    """Return the rows that can be undone; raises if there are none."""
    done = list_done(record, records)
    if not done:
        why = "is undone already" if is_undone(record, records) else "has nothing left to undo"
        raise InvalidRequestError(f"the plan {record.plan} {why}", hint=name_undoable(records))
    return done


def _note_futile(inverse: Plan, journal: Journal) -> None:
    """Record an undo that sends nothing, for reasons that last: the next one without a name goes on to the plan before."""
    frame = inverse.frame
    if (frame["verdict"] == "send").any() or (frame["reason"] == UNREAD).any():
        return
    name = journal.record_plan(inverse.id, inverse.source.base_url, inverse.action.name, [], inverse.undoes)
    journal.record_end(name)


def _build_inverse(source: Source, record: Record, records: list[Record]) -> Plan:
    """Return the plan that restores the earlier state of rows; rows that were changed since are refused."""
    done, action, later = _list_undoable(record, records), find_action(record), find_later_changes(record, records)
    undone = _list_undone(record, records)
    inverse, now = ACTIONS[action.undo], source.get_time()
    read = source.read_runs(runs_of(row.tinker_path for row in done))
    rows = source.read_facts([row.tinker_path for row in done])
    expiries, refusals = [], []
    for row, refusal in zip(done, rows["refusal"], strict=True):
        before, state = row.before.expires_at, read.states.get(row.tinker_path)
        after = row.after or (None if state is None else state.expires_at)
        until = None if before is None else before - _find_clock_offset(row, after)
        expiries.append(RequestedExpiry(until=until) if inverse.sets_expiry else RequestedExpiry())
        is_unread = run_of(row.tinker_path) in read.unread
        undo_refusal = (
            UNREAD
            if is_unread
            else refusal or _find_undo_refusal(row, action, state, until, now, source, _find_own_expiries(row, undone))
        )
        refusals.append(undo_refusal or later.get(row.tinker_path, ""))
    rows = add_expiries(rows, expiries).assign(refusal=pandas_array("text", refusals))
    current = [read.states.get(path, State(None, None)) for path in rows["tinker_path"]]
    for name in (each.name for each in fields(State)):
        rows[name] = pandas_array(CHECKPOINTS[name].kind, [getattr(state, name) for state in current])
    guards = frozenset(GUARDS)
    return Plan(make_plan_id(), inverse, rows, source, guards, undoes=record.plan)


def _list_undone(record: Record, records: list[Record]) -> list[tuple[Record, Record]]:
    """Return the later plans that were undone, each with its undo, in the order of the undos."""
    later = {each.plan: each for each in records[[each.plan for each in records].index(record.plan) + 1 :]}
    return [(later[undo.undoes], undo) for undo in later.values() if undo.undoes in later]


def _find_own_expiries(row: Entry, undone: list[tuple[Record, Record]]) -> set[datetime | None]:
    """Return the expiry that a plan gave a row, and those that the undos of later plans gave back for it."""
    own, path = {row.after}, row.tinker_path
    for other, undo in undone:
        if path in other.rows and path in undo.rows and other.rows[path].before.expires_at in own:
            own.add(undo.rows[path].after)
    return own


def _find_undo_refusal(
    row: Entry,
    action: Action,
    state: State | None,
    until: datetime | None,
    now: datetime,
    source: Source,
    own: set[datetime | None],
) -> str:
    """Return why a row cannot be restored; empty if it can."""
    if state is None:
        return "it is gone"
    before = row.before
    if not before.is_same_object(state):
        return describe_change(before, state)
    if unknown := _describe_unknown(before, state, action):
        return unknown
    is_own = _is_done(row, action, state, source) if row.after is None else state.expires_at in own - {None}
    if not is_own and not _may_be_of_another_attempt(row, state):
        return "it was changed since" if row.outcome == "done" else "it was never done, or changed since"
    if action.sets_expiry and until is not None and until - MARGIN - now < timedelta(seconds=TTL_RANGE_S[0]):
        return "its old expiry is less than an hour away, and the service accepts no shorter TTL"
    return ""


def _may_be_of_another_attempt(row: Entry, state: State) -> bool:
    """Tell whether an expiry is one that another attempt of the same row led to: a list that was behind may have shown the one before."""
    if row.after is None or state.expires_at is None or row.attempts < 2 or row.sent_at is None:
        return False
    expiry, found = row.stored.expiry, state.expires_at
    first, last = expiry.resolve(row.first_sent_at or row.sent_at), expiry.resolve(row.sent_at)
    if found is None or first is None or last is None:
        return False
    return first - MARGIN - (MARGIN if expiry.until is not None else timedelta(0)) <= found <= last + MARGIN


def _describe_unknown(before: State, now: State, action: Action) -> str:
    """Return what is unknown of the state that an undo would restore or compare; empty if nothing is."""
    if action.sets_expiry and not (before.is_expiry_known and now.is_expiry_known):
        return f"the expiry that it {'has now' if before.is_expiry_known else 'had before'} is not known"
    if action.public_after is not None and (before.public is None or now.public is None):
        return f"whether it {'was public before' if before.public is None else 'is public now'} is not known"
    return ""


def _find_clock_offset(row: Entry, after: datetime | None) -> timedelta:
    """Return by how much the service's clock is ahead of the time of a request, as the expiry shows that it gave: `after`, or never."""
    expiry = row.stored.expiry
    asked = None if row.sent_at is None else expiry.resolve(row.sent_at)
    if asked is not None and expiry.until is not None:
        asked -= MARGIN  # which is what was sent
    return timedelta(0) if after is None or asked is None else after - asked


def build_job(row: Entry) -> Job:
    """Return the remaining job of a journaled row."""
    sent = row.sent_at is not None
    return replace(row.stored.to_job(), unclear=sent, first_sent_at=row.first_sent_at, sent_at=row.sent_at)
