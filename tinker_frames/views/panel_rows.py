"""The rows of a plan and of its outcomes as the action panel shows them: counted in groups, and listed as cells; pure."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ..errors import InvalidRequestError, strip_request
from ..plans.preview import VERDICTS
from . import cells
from .messages import Cell, OutcomeCount, PlanGroup

if TYPE_CHECKING:
    import pandas as pd

    from ..plans.actions import Action

MOST_LISTED = 200  # rows listed in a confirmation or outcome; the frames have all
PLAN_COLUMNS = ["tinker_path", "size_bytes", "time", "expires_at", "reason", "warnings"]
OUTCOME_COLUMNS = ["tinker_path", "error", "status", "attempts", "seconds"]

Group = tuple[str, str]  # a verdict and a reason


def count_groups(frame: pd.DataFrame, opened: Group | None) -> list[PlanGroup]:
    """Return the number of rows per verdict and reason, those that are sent first, then by number."""
    pairs = Counter(zip(frame["verdict"], frame["reason"].fillna(""), strict=True))
    groups = sorted(pairs.items(), key=lambda item: (item[0][0] != "send", -item[1]))
    return [
        {
            "verdict": verdict,
            "label": VERDICTS[verdict],
            "reason": reason,
            "rows": rows,
            "open": opened == (verdict, reason),
        }
        for (verdict, reason), rows in groups
    ]


def list_group(frame: pd.DataFrame, opened: Group | None) -> list[list[Cell]]:
    """Return the rows of a plan with this verdict and reason."""
    if opened is None:
        return []
    verdict, reason = opened
    return _format_rows(frame[(frame["verdict"] == verdict) & (frame["reason"].fillna("") == reason)], PLAN_COLUMNS)


def count_outcomes(outcomes: pd.DataFrame, opened: str | None) -> list[OutcomeCount]:
    """Return the number of rows per outcome, in the order of its categories."""
    counts = outcomes["outcome"].value_counts(sort=False)
    return [{"outcome": str(name), "rows": int(rows), "open": name == opened} for name, rows in counts.items() if rows]


def list_outcome(outcomes: pd.DataFrame, opened: str) -> list[list[Cell]]:
    """Return the rows with this outcome."""
    return _format_rows(_shorten_errors(outcomes[outcomes["outcome"] == opened]), OUTCOME_COLUMNS)


def list_failed(outcomes: pd.DataFrame) -> list[list[Cell]]:
    """Return the rows that were not done, with the reason of each; nothing if there are none."""
    failed = outcomes[outcomes["error"].notna() & (outcomes["outcome"] != "done")].head(MOST_LISTED)
    return _format_rows(_shorten_errors(failed), ["tinker_path", "outcome", "error"]) if len(failed) else []


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


def _format_rows(rows: pd.DataFrame, columns: list[str]) -> list[list[Cell]]:
    """Return the names of the columns, and the rows as cells."""
    known = [name for name in columns if name in rows.columns]
    return [[*known], *cells.format_rows(rows.head(MOST_LISTED), known, datetime.now(UTC))]


def _shorten_errors(outcomes: pd.DataFrame) -> pd.DataFrame:
    """Return outcomes whose errors leave out the request."""
    errors = outcomes["error"]
    return outcomes.assign(error=errors.map(strip_request, na_action="ignore").astype(errors.dtype))
