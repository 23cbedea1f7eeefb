"""The guards: reasons to hold back a checkpoint that an action would remove. Pure.

A guard is declared once, as an entry of `GUARDS`: previews, `Plan.allow`, `--allow` and the check boxes of a view are made from it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..policies import keep_last
from ..schema.paths import SEGMENTS
from .samplers import Loaded

if TYPE_CHECKING:
    import pandas as pd  # imported where frames are made: the command line's help reads the guards without it


@dataclass(frozen=True)
class Guard:
    """A reason to hold a checkpoint back that an action would remove."""

    name: str
    column: str  # of the facts: a flag that is true, false or NA
    reason: str
    counted: str  # as in "3 newest of their runs"; the label of its check box
    warning: str = ""  # of one row that is sent nevertheless, as in "newest of its run"
    unknown: str = ""  # the reason where the flag is NA
    is_given: bool = False  # whether the column is one of the frame that a plan is made of; without it, no row is held
    lifted_with: str = ""  # another guard: to lift it lifts this one too, of rows that both hold
    find: Callable[[pd.DataFrame, Loaded], Any] | None = None
    """Return the flag of each row, given all checkpoints of the runs and what samplers have loaded.

    Without it, the column is one of the listing, or is given.
    """

    @property
    def is_found(self) -> bool:
        """Whether the column is found or given when a plan is made, and is none of the listing's."""
        return self.is_given or self.find is not None

    def describe(self, flag: bool | None) -> str:
        """Return why it holds a row with this flag; empty if it does not. What is not known holds as well."""
        if flag is None:
            return self.unknown or f"not known whether it is {self.reason}"
        return self.reason if flag else ""

    def count(self, number: int) -> str:
        """Return e.g. "1 newest of its run" or "3 newest of their runs"."""
        return f"{number:,} {self.warning if number == 1 and self.warning else self.counted}"

    def describe_numbers(self, known: int, unknown: int) -> list[str]:
        """Return how many rows it holds, and of how many it cannot tell, as in "2 possibly newest of their runs"; nothing of none."""
        return [self.count(known)] * bool(known) + [f"{unknown:,} possibly {self.counted}"] * bool(unknown)

    def is_named_in(self, reason: str) -> bool:
        """Tell whether it is one of those that a reason names."""
        return self.describe(True) in reason or self.describe(None) in reason


# In the order in which they are named.
GUARDS = {
    guard.name: guard
    for guard in (
        Guard(
            "public",
            "public",
            "public: others may be using it",
            "public",
            "public",
            "not known whether it is public",
        ),
        Guard(
            "newest",
            "is_newest",
            "the newest of its run",
            "newest of their runs",
            "newest of its run",
            find=lambda listed, _: _flag_newest(listed),
        ),
        Guard(
            "last_training",
            "is_last_training",
            "the last training checkpoint of its run",
            "last training checkpoints of their runs",
            "last training checkpoint of its run",
            lifted_with="newest",
            find=lambda listed, _: _flag_last_training(listed),
        ),
        Guard(
            "sampler",
            "loaded_by_sampler",
            "loaded by a sampler",
            "loaded by a sampler",
            "loaded by a sampler",
            "not known whether a sampler has loaded it",
            find=lambda listed, loaded: loaded.flag(listed["tinker_path"]),
        ),
        Guard(
            "expiry",
            "expiry_unknown",
            "its expiry is not known",
            "with unknown expiry",
            "with unknown expiry",
            "its expiry is not known",
        ),
        Guard(
            "parent",
            "is_parent",
            "a run was started from it, by the training logs",
            "from which runs were started",
            "from which a run was started",
            "not known whether a run was started from it",
            is_given=True,
        ),
    )
}
_BETWEEN = "; "  # from one reason of a row to the next
FLAGS = tuple(guard.column for guard in GUARDS.values())  # the columns of facts that the guards read


def find_hold(flags: Sequence[bool | None], allowed: frozenset[str]) -> str:
    """Return the reasons of the guards that hold a row with these flags; empty if none does."""
    found = {name: guard.describe(flag) for (name, guard), flag in zip(GUARDS.items(), flags, strict=True)}
    holding = {name for name, reason in found.items() if reason}
    lifted = {name for name in holding if {name, GUARDS[name].lifted_with} & allowed & holding}
    return _BETWEEN.join(reason for name, reason in found.items() if name in holding - lifted)


def describe_holds(reasons: pd.Series[Any]) -> list[str]:
    """Return how many rows each guard holds, given their reasons; a row that several guards hold is counted by each."""
    counts = reasons.str.split(_BETWEEN).explode().value_counts()
    found: list[str] = []
    for guard in GUARDS.values():
        known, unknown = guard.describe(True), guard.describe(None)
        doubts = int(counts.get(unknown, 0)) if unknown != known else 0
        found += guard.describe_numbers(int(counts.get(known, 0)), doubts)
    return found


def count_holds(frame: pd.DataFrame, allowed: frozenset[str]) -> dict[str, int]:
    """Return the number of rows of a plan's frame that each guard holds, or held before it was lifted; those without any are left out.

    A row that several guards hold is counted by each of them.
    """
    reasons = frame.loc[frame["verdict"] == "held", "reason"].value_counts()
    found = {}
    for name, guard in GUARDS.items():
        if name in allowed:
            flags = frame.loc[frame["verdict"] == "send", guard.column]
            found[name] = int(flags.fillna(True).astype(bool).sum())
        else:
            found[name] = sum(int(rows) for reason, rows in reasons.items() if guard.is_named_in(str(reason)))
    return {name: rows for name, rows in found.items() if rows or name in allowed}


def _flag_newest(listed: pd.DataFrame) -> pd.Series[Any]:
    """Return which checkpoints are the newest of their run, by the rule that keeps them; NA where that is not known."""
    return keep_last(1, by="training_run_id").judge(listed)


def _flag_last_training(listed: pd.DataFrame) -> pd.Series[Any]:
    """Return which checkpoints are the newest training state of their run; NA where that, or the type, is not known."""
    kinds = listed["checkpoint_type"].astype(object)
    in_path = listed["tinker_path"].str.split("/", n=4).str[3].map(SEGMENTS).astype(object)
    is_known = kinds.isin(list(SEGMENTS.values())) & ((kinds == in_path) | in_path.isna())
    # What a type unknown to this version holds is not known, nor one that the path contradicts.
    kinds = kinds.where(is_known)
    newest = _flag_newest(listed[kinds == "training"]).reindex(listed.index)
    return newest.where((kinds == "training") | kinds.isna(), other=False)
