"""Output of the commands that write: plans and their outcomes."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from ..plans.actions import ACTIONS
from .piped import HEADER
from .printing import make_console, print_table

if TYPE_CHECKING:
    import pandas as pd

    from ..plans.plan import Plan
    from ..plans.summary import Hints

FAILED = 2  # the exit code


def print_plan(plan: Plan, form: str) -> int:
    """Print a plan; its text names commands where Python's names calls."""
    from ..frames import files
    from ..plans.summary import format_plan_text

    if form == "json":
        files.write_json_array(plan.frame, sys.stdout.buffer)
        return 0
    frame, hints = plan.frame, make_hints()
    width = make_console().width if sys.stdout.isatty() else None
    click.echo(format_plan_text(plan.summarize(frame, hints), frame, hints, width))
    return 0


def make_hints() -> Hints:
    """Return the hints of a plan's text as commands."""
    from ..plans.summary import Hints

    reversible = f"tinker-frames {ACTIONS['expire'].command}"
    return Hints(reversible, "tinker-frames undo", all_rows="--format json has all", last_line="Nothing was sent.")


def report_outcomes(outcomes: pd.DataFrame, form: str, undo_hint: str = "", *, named: Sequence[str] = ()) -> int:
    """Print the number of rows per outcome, and every row that failed or is unknown; return 2 if there is one.

    Also return 2 if a named row was skipped. The counts come first, since standard output may be closed by now.
    """
    failed = outcomes[outcomes["outcome"].isin(["failed", "unknown"])]
    skipped = outcomes[outcomes["outcome"] == "skipped"]
    is_well = failed.empty and not skipped[HEADER].isin(list(named)).any()
    _print_counts(outcomes, skipped, undo_hint)
    try:
        _print_outcomes(outcomes, failed, form)
    except (OSError, ValueError, AttributeError):  # it is closed, or there is none
        click.echo("standard output is closed; `tinker-frames journal` has every outcome", err=True)
    return 0 if is_well else FAILED


def _print_counts(outcomes: pd.DataFrame, skipped: pd.DataFrame, undo_hint: str) -> None:
    """Print the number of rows of each outcome, why rows were skipped, and how to undo the rest, to standard error."""
    from ..frames.text import escape_control_characters
    from ..plans.summary import count_reasons

    counts = outcomes["outcome"].value_counts()
    click.echo(", ".join(f"{count:,} {name}" for name, count in counts.items() if count) or "nothing to do", err=True)
    for name, rows in (("skipped", skipped), ("done", outcomes[outcomes["outcome"] == "done"])):
        for reason, count in count_reasons(rows["error"].dropna()):
            click.echo(f"  {name}: {count:,}, {escape_control_characters(reason)}", err=True)
    if undo_hint and counts.get("done", 0):
        click.echo(undo_hint, err=True)


def _print_outcomes(outcomes: pd.DataFrame, failed: pd.DataFrame, form: str) -> None:
    """Print all outcomes as JSON, or the rows that failed or are not known as lines."""
    from ..frames import files

    if form == "json":
        files.write_json_array(outcomes, sys.stdout.buffer)
    elif len(failed):
        print_table(failed[["tinker_path", "outcome", "error"]], cut=False, hint="")
    if form == "json" or len(failed):
        sys.stdout.flush()


def report_unknown(paths: Sequence[str], known: pd.Series[Any]) -> int:
    """Print how many of the named paths this account does not have, and return the exit code for it."""
    from ..frames.text import escape_control_characters

    there = set(known)
    unknown = [path for path in paths if path not in there]
    if not unknown:
        return 0
    example = escape_control_characters(unknown[0])
    click.echo(f"  not among this account's checkpoints: {len(unknown):,}, e.g. {example}", err=True)
    return FAILED
