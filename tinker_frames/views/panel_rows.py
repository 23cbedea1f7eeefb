"""The rows of a plan and of its outcomes as the action panel shows them: counted in groups, and listed as cells; pure."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import InvalidRequestError, strip_request
from ..plans.preview import VERDICTS
from . import cells
from .messages import Cell, FailureGroup, Listed, OutcomeCount, PlanGroup

if TYPE_CHECKING:
    import pandas as pd

    from ..plans.actions import Action
    from ..plans.plan import Plan

PAGE_ROWS = 200  # rows of a plan or outcome that are listed at once
MOST_FAILURES = 20  # errors that are named; the rows of all are listed by their outcome
PLAN_COLUMNS = ["tinker_path", "size_bytes", "time", "expires_at", "reason", "warnings"]
OUTCOME_COLUMNS = ["tinker_path", "change", "error", "status", "attempts", "seconds"]
KEPT = "kept"  # the group of the rows that a keep rule keeps, which are not in the frame of its plan


class Group(NamedTuple):
    """Rows that are listed: by verdict or outcome, and reason or error, from `first`."""

    verdict: str
    reason: str = ""
    first: int = 0

    def is_same(self, verdict: str, reason: str) -> bool:
        """Tell whether these are its rows, wherever the list begins."""
        return (self.verdict, self.reason) == (verdict, reason)


def count_groups(plan: Plan, frame: pd.DataFrame, opened: Group | None) -> list[PlanGroup]:
    """Return the number of rows per verdict, those that are sent first, and of those that a rule keeps.

    Rows that are held are one group: the guards that hold them are counted by themselves. Others are told apart by their reason.
    """
    reasons = frame["reason"].fillna("").where(~frame["verdict"].isin(["send", "held"]), "")
    pairs = Counter(zip(frame["verdict"], reasons, strict=True))
    order = list(VERDICTS)
    groups = sorted(pairs.items(), key=lambda item: (order.index(item[0][0]), -item[1]))
    found = [_make_group(verdict, VERDICTS[verdict], reason, rows, opened) for (verdict, reason), rows in groups]
    if plan.kept is not None and len(plan.kept):
        found.append(_make_group(KEPT, f"kept by {plan.rule}", "", len(plan.kept), opened))
    return found


def _make_group(verdict: str, label: str, reason: str, rows: int, opened: Group | None) -> PlanGroup:
    is_open = opened is not None and opened.is_same(verdict, reason)
    return {"verdict": verdict, "label": label, "reason": reason, "rows": rows, "open": is_open}


def list_group(plan: Plan, frame: pd.DataFrame, opened: Group | None) -> Listed | None:
    """Return rows of a plan with a verdict and reason, or rows that its rule keeps."""
    if opened is None:
        return None
    if opened.verdict == KEPT:
        return None if plan.kept is None else _list_rows(plan.kept, PLAN_COLUMNS, opened.first)
    is_in = frame["verdict"] == opened.verdict
    if opened.reason:
        is_in &= frame["reason"].fillna("") == opened.reason
    return _list_rows(frame[is_in], PLAN_COLUMNS, opened.first)


def count_outcomes(outcomes: pd.DataFrame, opened: Group | None) -> list[OutcomeCount]:
    """Return the number of rows per outcome, in the order of its categories."""
    counts = outcomes["outcome"].value_counts(sort=False)
    return [
        {"outcome": str(name), "rows": int(rows), "open": opened is not None and opened.is_same(str(name), "")}
        for name, rows in counts.items()
        if rows
    ]


def list_outcome(outcomes: pd.DataFrame, opened: Group | None) -> Listed | None:
    """Return rows with an outcome, and error if one is given."""
    if opened is None:
        return None
    rows = _shorten_errors(outcomes[outcomes["outcome"] == opened.verdict])
    if opened.reason:
        rows = rows[rows["error"].fillna("") == opened.reason]
    return _list_rows(rows, OUTCOME_COLUMNS, opened.first)


def count_failures(outcomes: pd.DataFrame, opened: Group | None) -> list[FailureGroup]:
    """Return the number of rows that were not done, by outcome and error, the most frequent first."""
    failed = _shorten_errors(outcomes[outcomes["error"].notna() & (outcomes["outcome"] != "done")])
    pairs = Counter(zip(failed["outcome"].astype(str), failed["error"], strict=True))
    return [
        {
            "outcome": outcome,
            "error": error,
            "rows": rows,
            "open": opened is not None and opened.is_same(outcome, error),
        }
        for (outcome, error), rows in pairs.most_common(MOST_FAILURES)
    ]


def find_unfinished(outcomes: pd.DataFrame, action: Action) -> list[str]:
    """Return the paths of the rows that failed, are unknown or were not sent.

    Of an extension, unknown rows are none of them: one that was carried out would be extended twice.
    """
    late = outcomes["error"].fillna("").str.startswith(("not sent", "not done"))
    again = ["failed"] if action.only_later else ["failed", "unknown"]
    return list(outcomes.loc[outcomes["outcome"].isin(again) | late, "tinker_path"])


def require_number(typed: str, number: int, purpose: str) -> None:
    """Raise unless the number of rows was typed."""
    if typed.strip().replace(",", "") != str(number):
        raise InvalidRequestError("that is not the number of rows", hint=f"Type {number} to {purpose}.")


def _list_rows(rows: pd.DataFrame, columns: list[str], first: int) -> Listed:
    """Return a page of rows as cells, below the names of the columns."""
    known = [name for name in columns if name in rows.columns]
    first = max(0, min(first, len(rows) - 1)) // PAGE_ROWS * PAGE_ROWS
    page = rows.iloc[first : first + PAGE_ROWS]
    names: list[Cell] = [*known]
    return {"rows": [names, *cells.format_rows(page, known, datetime.now(UTC))], "first": first, "total": len(rows)}


def _shorten_errors(outcomes: pd.DataFrame) -> pd.DataFrame:
    """Return outcomes whose errors leave out the request, so that equal ones are equal."""
    errors: Any = outcomes["error"]
    return outcomes.assign(error=errors.map(strip_request, na_action="ignore").astype(errors.dtype))
