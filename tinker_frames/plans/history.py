"""The journal as a frame, and the choice of the plan to resume or undo; pure."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pandas as pd

from ..errors import InvalidRequestError
from ..frames.text import count_checkpoints, count_nouns
from ..schema.columns import pandas_array
from .actions import ACTIONS, Action
from .preview import OUTCOMES
from .records import Entry, Record

RECENT = timedelta(days=1)  # an older plan has to be named to be resumed or undone
NAMED = 3  # plans in a hint, and runs of a plan in its text
LOOK = "Look at the journal: tkf.journal(), or `tinker-frames journal`."


def build_journal_frame(records: list[Record]) -> pd.DataFrame:
    """Return one row per checkpoint and plan, in the order of the plans."""
    pairs = [(record, row) for record in records for row in record.rows.values()]
    return pd.DataFrame(
        {
            "plan": pandas_array("text", [record.plan for record, _ in pairs]),
            "started_at": pandas_array("time", [record.started_at for record, _ in pairs]),
            "action": pandas_array("text", [record.action for record, _ in pairs]),
            "tinker_path": pandas_array("text", [row.tinker_path for _, row in pairs]),
            "state": pd.Categorical([row.state for _, row in pairs], categories=["planned", "sent", "ended"]),
            "outcome": pd.Categorical([row.outcome for _, row in pairs], categories=OUTCOMES),
            "status": pandas_array("int", [row.status for _, row in pairs]),
            "error": pandas_array("text", [row.error for _, row in pairs]),
            "attempts": pandas_array("int", [row.attempts for _, row in pairs]),
            "sent_at": pandas_array("time", [row.sent_at for _, row in pairs]),
            "ended_at": pandas_array("time", [row.ended_at for _, row in pairs]),
            "public_before": pandas_array("bool", [row.before.public for _, row in pairs]),
            "expires_before": pandas_array("time", [row.before.expires_at for _, row in pairs]),
            "expiry_unknown_before": pandas_array("bool", [row.before.expiry_unknown for _, row in pairs]),
            "undoes": pandas_array("text", [record.undoes for record, _ in pairs]),
        }
    )


def find_action(record: Record) -> Action:
    """Return the action of a plan.

    Raises
    ------
    InvalidRequestError
        If this version has no such action.
    """
    action = ACTIONS.get(record.action)
    if action is None or not action.method:
        raise InvalidRequestError(
            f"the plan {record.plan} has an action {record.action!r} that this version does not know",
            hint="Use the version that ran it.",
        )
    return action


def find_unfinished(records: list[Record], plan: str | None) -> Record:
    """Return the plan to be resumed: the last unfinished run of the named one, else the last of all, if it is recent.

    Raises
    ------
    InvalidRequestError
        If there is none, or only older ones and none is named.
    """
    if plan is not None:
        runs = find_runs(records, plan)
        return next((run for run in reversed(runs) if run.is_unfinished), None) or _refuse_finished(runs[-1])
    undone = {record.undoes for record in records if has_changed(record)}
    known = (record for record in records if record.action in ACTIONS and record.plan not in undone)
    left = [record for record in known if record.is_unfinished]
    if not left:
        raise InvalidRequestError("the journal has no interrupted plan", hint=LOOK)
    if _is_old(left[-1]):
        listed = ", ".join(
            f"{each.plan} ({each.action}, {count_nouns(len(each.open_rows), 'row')} left)" for each in left[-5:]
        )
        raise InvalidRequestError(
            f"the last unfinished plan is of {left[-1].started_at:%Y-%m-%d %H:%M} UTC, and a plan older than 24 hours is resumed only by name",
            hint=f"Name one of {listed} to resume it, or close it with tkf.abandon() or `tinker-frames abandon`.",
        )
    return left[-1]


def find_undoable(records: list[Record], plan: str | None) -> Record:
    """Return the plan to be undone: the last run, of the named one or of all, that changed something which is not undone yet.

    Raises
    ------
    InvalidRequestError
        If there is none, if the named one is an undo itself, or if the last one is old and not named.
    """
    if plan is not None:
        runs = find_runs(records, plan)
        if runs[-1].undoes is not None:
            raise InvalidRequestError(
                f"the plan {runs[-1].plan} is the undo of {runs[-1].undoes}, and an undo cannot be undone",
                hint="Make the original plan again.",
            )
        return _find_last_done(runs, records)
    changed = [record for record in records if record.undoes is None and has_changed(record)]
    if not changed:
        raise InvalidRequestError("the journal has no plan that changed something", hint=LOOK)
    last = _find_last_done(changed, records)
    if _is_old(last):
        raise InvalidRequestError(
            f"the last plan that is not undone is {last.plan}, and a plan older than 24 hours is undone only by name",
            hint=name_undoable(records),
        )
    return last


def _find_last_done(candidates: list[Record], records: list[Record]) -> Record:
    """Return the last one with rows that are not taken back, before those of which an undo has left only rows that were changed since."""
    left = [record for record in reversed(candidates) if list_done(record, records)]
    tried = {undo.undoes for undo in records if undo.undoes and all(map(_is_settled, undo.rows.values()))}
    return next((record for record in left if record.plan not in tried), left[0] if left else candidates[-1])


def _is_settled(row: Entry) -> bool:
    return row.outcome in ("done", "unchanged", "skipped")


def name_undoable(records: list[Record]) -> str:
    """Return which plans can be undone, the last first, as the hint of an error."""
    can = [
        each for each in reversed(records) if each.undoes is None and _is_reversible(each) and list_done(each, records)
    ]
    if not can:
        return f"No plan in the journal can be undone. {LOOK}"
    named = (f"{each.plan} ({each.action}, {count_checkpoints(len(list_done(each, records)))})" for each in can[:NAMED])
    return f"Name a plan that can be undone: {', '.join(named)}{', …' if len(can) > NAMED else ''}."


def _is_reversible(record: Record) -> bool:
    action = ACTIONS.get(record.action)
    return action is not None and bool(action.undo)


def find_runs(records: list[Record], plan: str) -> list[Record]:
    """Return the runs of a plan, by its id, the name of one run, or the beginning of either; that of several plans names none.

    Raises
    ------
    InvalidRequestError
        If there is none, or more than one.
    """
    exact = [record for record in records if plan in (record.plan, record.base)]
    found = exact or [record for record in records if plan and record.plan.startswith(plan)]
    plans = list(dict.fromkeys(record.base for record in found))
    if len(plans) > 1:
        several = ", ".join(plans[-5:])
        raise InvalidRequestError(f"{plan!r} matches several plans", hint=f"Use a longer prefix of one of {several}.")
    if not plans:
        raise InvalidRequestError(f"the journal has no plan {plan!r}", hint=f"{LOOK} Each account has its own.")
    return found


def has_changed(record: Record) -> bool:
    """Tell whether a run of a plan changed something, or may have."""
    return any(row.is_changed for row in record.rows.values())


def list_done(record: Record, records: list[Record]) -> list[Entry]:
    """Return the rows that a plan changed, or may have, and that no undo has taken back."""
    back = {
        row.tinker_path
        for other in records
        if other.undoes == record.plan
        for row in other.rows.values()
        if row.outcome in ("done", "unchanged")
    }
    return [row for row in record.rows.values() if row.is_changed and row.tinker_path not in back]


def is_undone(record: Record, records: list[Record]) -> bool:
    """Tell whether all that a plan did was taken back."""
    return has_changed(record) and not list_done(record, records)


def find_later_changes(record: Record, records: list[Record]) -> dict[str, str]:
    """Return the rows whose same property was changed by a later plan that is not undone, and say so of each."""
    action = find_action(record)
    later = records[[each.plan for each in records].index(record.plan) + 1 :]
    return {
        row.tinker_path: f"the plan {other.plan} has changed it since"
        for other in later
        if other.undoes is None and _concern_the_same(action, ACTIONS.get(other.action))
        for row in list_done(other, records)
    }


def _concern_the_same(one: Action, other: Action | None) -> bool:
    """Tell whether both change the expiry, or both whether a checkpoint is public."""
    if other is None:
        return True
    is_publishing = one.public_after is not None and other.public_after is not None
    return is_publishing or (one.sets_expiry and other.sets_expiry)


def _refuse_finished(record: Record) -> Record:
    """Raise for a plan of which nothing is left to be resumed."""
    if record.abandoned:
        raise InvalidRequestError(
            f"the plan {record.plan} was abandoned, with {count_nouns(len(record.open_rows), 'row')} not done",
            hint="Make a new plan of the remaining rows.",
        )
    raise InvalidRequestError(
        f"the plan {record.plan} has ended ({_count_outcomes(record)}), and nothing is left to resume", hint=LOOK
    )


def describe_runs(runs: list[Record], undos: list[Record]) -> str:
    """Return when the last runs of a plan, and their undos, were and how their rows ended, as sentences; empty without a run."""
    if not runs:
        return ""
    last = runs[-1]
    then = f"It ran at {_list_times(runs)}"
    if last.is_unfinished:
        then += ". It was interrupted; tkf.resume(plan) continues it."
    else:
        then += ", and the rest was abandoned." if last.abandoned else "."
    undos = [undo for undo in undos if undo.rows]  # one that has none could restore nothing
    return f"{then} It was undone at {_list_times(undos)}." if undos else then


def _list_times(runs: list[Record]) -> str:
    """Return when the last of some runs were, and how their rows ended."""
    return "; at ".join(f"{run.started_at:%Y-%m-%d %H:%M} UTC: {_count_outcomes(run)}" for run in runs[-NAMED:])


def _count_outcomes(record: Record) -> str:
    """Return the number of rows of each outcome, as in "12 done, 1 failed"."""
    counts = Counter(row.outcome or "not done" for row in record.rows.values())
    return ", ".join(f"{count:,} {outcome}" for outcome, count in counts.items())


def _is_old(record: Record) -> bool:
    return datetime.now(UTC) - record.started_at > RECENT
