"""Confirmation of a plan by its number of rows: which plans need it, and the question that asks a person for it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pandas as pd

from ..errors import ConfirmationNeededError
from ..frames.text import count_checkpoints, escape_control_characters
from ..rest.progress import in_notebook
from ..schema.columns import to_python
from .actions import Action

MAX_UNCONFIRMED = 10  # rows that can be changed without confirmation, if none is public


def needs_confirmation(action: Action, sends: pd.DataFrame) -> bool:
    """Tell whether the rows that will be sent have to be confirmed by their number.

    More than ten always have to; any number does if it makes something public, or shortens the life of a row that is, or may be, public.
    """
    if len(sends) > MAX_UNCONFIRMED:
        return True
    return bool(action.public_after and len(sends)) or count_public(sends) > 0


def count_public(sends: pd.DataFrame) -> int:
    """Count the rows that are public, or may be, and will be gone earlier than before."""
    return int(sends.loc[sends["shortens"], "public"].fillna(True).sum())


def require_confirmation(
    action: Action,
    sends: pd.DataFrame,
    confirm: int | bool | None,
    effect: str,
    lines: Callable[[], list[str]],
    hint: str = "Look at plan.frame, then plan.run(confirm={number}).",
) -> None:
    """Return if the rows may be sent; where a person watches, ask for their number, below the plan's first lines.

    Raises
    ------
    ConfirmationNeededError
        Without the right number; always for `confirm=False`.
    """
    number, confirm = len(sends), to_python(confirm)  # numpy's numbers too
    is_number = confirm is not None and not isinstance(confirm, bool)
    is_needed = is_number or confirm is False or needs_confirmation(action, sends)
    if confirm is True or (is_number and confirm == number) or not is_needed:
        return
    typed = _ask(number, lines()) if confirm is None else None
    if typed != str(number):
        public = ", public ones among them" if count_public(sends) else ""
        what = f"{count_checkpoints(number)} will {effect}{public}; {_explain(confirm, typed)}, and nothing was sent"
        error = ConfirmationNeededError(what, hint=hint.format(number=number))
        error.rows = number
        raise error


def _explain(confirm: Any, typed: str | None) -> str:
    """Return why a plan is not run; the hint says how to confirm it, which depends on who asks."""
    if typed is not None:
        return "a different number was typed"
    return "that number was not confirmed" + ("" if confirm is None else f" by confirm={confirm!r}")


def _ask(number: int, lines: list[str]) -> str | None:
    """Return what the user types; None without a terminal or notebook."""
    if not (in_notebook() or (sys.stdin is not None and sys.stdin.isatty())):
        return None
    shown = [escape_control_characters(line) for line in lines]
    try:
        return input("\n  ".join(shown) + f"\nType {number} to confirm: ").strip()
    except (EOFError, NotImplementedError):  # a closed terminal; a notebook run without a front end
        return None
