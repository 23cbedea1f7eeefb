"""Resume an interrupted plan from the journal, or abandon it."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from ..rest.interrupts import keep_interrupts
from ..rest.progress import Progress
from .confirmation import require_confirmation
from .history import find_action, find_unfinished
from .jobs import Outcome
from .plan import Plan
from .preview import build_outcome_frame, restore_jobs
from .records import Entry, Record
from .undo import Source, build_job


@keep_interrupts()
def resume_plan(
    source: Source,
    plan: str | None = None,
    *,
    confirm: int | bool | None = None,
    progress: bool | Progress | None = None,
) -> pd.DataFrame:
    """Finish an interrupted plan, and return an outcome for each of its rows; completed rows are not sent again.

    Rows that were sent and whose answer was not received are read first. A plan that is not named is shown and confirmed as `Plan.run` does.
    """
    journal = source.journal()
    record = find_unfinished(journal.read_plans(), plan)
    with journal.lock(record.base):
        record = find_unfinished(journal.read_plans(), record.plan)  # another process may have finished it
        if plan is None or confirm is not None:
            _confirm(source, record, confirm)
        jobs = [build_job(row) for row in _list_rows(record)]
        outcomes = source.make_runner().run(
            record.plan, find_action(record), jobs, allowed=record.allowed, progress=progress
        )
    paths = {job.tinker_path for job in jobs}
    ended = [_build_outcome(row) for row in record.rows.values() if row.tinker_path not in paths]
    return build_outcome_frame(record.plan, find_action(record), outcomes, ended=ended)


def plan_resume(source: Source, plan: str | None = None) -> Plan:
    """Return the plan of the rows that would be sent if a plan is resumed; sends nothing."""
    return _build_rest(source, find_unfinished(source.journal().read_plans(), plan))


def abandon_plan(source: Source, plan: str) -> int:
    """Close an unfinished plan, so that it cannot be resumed, and return how many of its rows are not done."""
    journal = source.journal()
    record = find_unfinished(journal.read_plans(), plan)
    with journal.lock(record.base):
        record = find_unfinished(journal.read_plans(), record.plan)
        journal.record_end(record.plan, abandoned=True)
    return len(record.open_rows)


def _list_rows(record: Record) -> list[Entry]:
    """Return the rows that are open, and those that were sent and have the run and name of one.

    A server that does not tell the two apart may have deleted the one when the other was sent.
    """
    names = {build_job(row).run_and_name for row in record.open_rows} if find_action(record).removes else set()
    is_twin = {
        row.tinker_path: row.sent_at is not None and build_job(row).run_and_name in names
        for row in record.rows.values()
    }
    return [row for row in record.rows.values() if row.state != "ended" or is_twin[row.tinker_path]]


def _confirm(source: Source, record: Record, confirm: int | bool | None) -> None:
    """Require confirmation of the remaining rows of a plan; of the others, only what would be sent again is shown."""
    plan = _build_rest(source, record)
    ended = [row.tinker_path for row in record.rows.values() if row.state == "ended"]
    frame = plan.frame
    frame = frame[(frame["verdict"] == "send") | ~frame["tinker_path"].isin(ended)]
    lines: Callable[[], list[str]] = lambda: [  # noqa: E731
        f"the plan {record.plan}, interrupted on {record.started_at:%Y-%m-%d at %H:%M} UTC:",
        *plan.summarize(frame),
    ]
    hint = f'See plan {record.plan} in tkf.journal(), then tkf.resume(confirm={{number}}), or tkf.abandon("{record.plan}").'
    require_confirmation(plan.action, frame[frame["verdict"] == "send"], confirm, plan.effect, lines, hint)


def _build_rest(source: Source, record: Record) -> Plan:
    """Return the plan of the rows that are left of an interrupted one."""
    jobs = [build_job(row) for row in _list_rows(record)]
    rows = restore_jobs(source.read_facts([job.tinker_path for job in jobs]), jobs)
    return Plan(record.plan, find_action(record), rows, source, record.allowed, record.undoes)


def _build_outcome(row: Entry) -> Outcome:
    return Outcome(row.tinker_path, row.outcome or "unknown", row.status, row.error, row.attempts)
