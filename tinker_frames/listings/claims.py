"""Compare a list of checkpoints with what training runs and sessions say about them; pure.

A training run names its newest checkpoints, and a session of the official service counts its own. A list that lacks what was
claimed both before and after it was read is incomplete, whatever its total.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.compute as pc

from .listing import Listing

NAMES = ("last_checkpoint", "last_sampler_checkpoint")  # of a training run
LOOKED_AT = 100  # rows: a server names its checkpoints with their segment, or does not


@dataclass(frozen=True)
class Claims:
    """What runs and sessions, and another list, say of checkpoints.

    Attributes
    ----------
    named
        The paths that runs name as their newest checkpoints, and that have not expired.
    counted
        How many checkpoints each session counts.
    listed
        The paths that the user's list has, where the list is that of all runs.
    """

    named: frozenset[str] = frozenset()
    counted: dict[str, int] = field(default_factory=dict)
    listed: frozenset[str] = frozenset()

    def keep_common(self, other: Claims) -> Claims:
        """Return what both say: the paths that both name or list, the lower of two counts."""
        both = {key: min(count, other.counted[key]) for key, count in self.counted.items() if key in other.counted}
        return Claims(self.named & other.named, both, self.listed & other.listed)

    def find_unlisted(self, checkpoints: pa.Table) -> list[str]:
        """Return the paths that are named, or in the other list, and not in this one."""
        return _find_missing(self.named | self.listed, checkpoints)

    def count_unlisted(self, checkpoints: pa.Table) -> int:
        """Return how many checkpoints sessions count beyond those in the list."""
        if not self.counted:
            return 0
        listed = _count(checkpoints)
        return sum(max(0, count - listed.get(session, 0)) for session, count in self.counted.items())

    def explain(self, checkpoints: pa.Table) -> str | None:
        """Return what the list lacks, in words; None if it contradicts nothing."""
        for who, paths in (("training runs name", self.named), ("the user's list has", self.listed)):
            if unlisted := _find_missing(paths, checkpoints):
                return f"{who} {len(unlisted)} checkpoints that the list lacks, e.g. {unlisted[0]}"
        if count := self.count_unlisted(checkpoints):
            return f"the sessions count {count} checkpoints more than the list has"
        return None


def collect_claims(runs: pa.Table | None, sessions: pa.Table | None) -> Claims:
    """Return what these runs and sessions say of their checkpoints."""
    named: set[str] = set()
    if runs is not None:
        named.update(path for name in NAMES for path in _list_named(runs, name))
    if sessions is None or "checkpoints_count" not in sessions.column_names:
        return Claims(frozenset(named))
    counts = zip(sessions["session_id"].to_pylist(), sessions["checkpoints_count"].to_pylist(), strict=True)
    return Claims(frozenset(named), {session: count for session, count in counts if count})


def _find_missing(paths: frozenset[str], checkpoints: pa.Table) -> list[str]:
    """Return those of these paths that the list lacks, sorted."""
    if not paths:
        return []
    wanted = pa.array(sorted(paths), pa.large_string())
    known = pc.is_in(wanted, value_set=checkpoints["tinker_path"].combine_chunks())
    return list(wanted.filter(pc.invert(known)).to_pylist())


def _list_named(runs: pa.Table, name: str) -> list[str]:
    """Return the paths of the checkpoints that runs name, without those that have expired since."""
    expires = runs[f"{name}_expires_at"]
    is_there = pc.fill_null(pc.greater(expires, pa.scalar(datetime.now(UTC), expires.type)), True)
    return list(runs[f"{name}_path"].filter(is_there).drop_null().to_pylist())


def explain_empty(checkpoints: Listing, runs: Listing | None) -> str | None:
    """Return why an empty list is doubted: it has no total, and there are training runs, which do not tell what they have saved."""
    is_bare = not checkpoints.data.num_rows and checkpoints.report.total is None
    if runs is None or not is_bare or not {f"{name}_path" for name in NAMES} & set(runs.report.lacks):
        return None
    return "the list is empty and has no total, and the training runs do not name their checkpoints"


def may_have_another_list(checkpoints: pa.Table) -> bool:
    """Tell whether a user's list may leave kinds of checkpoints out: its ids have no segment, or all are of one type, or there is none."""
    ids = checkpoints["checkpoint_id"].slice(0, LOOKED_AT)
    has_segments = pc.any(pc.match_substring(ids, "/")).as_py()
    return not has_segments or pc.count_distinct(checkpoints["checkpoint_type"].cast(pa.large_string())).as_py() < 2


def _count(checkpoints: pa.Table) -> dict[str, int]:
    """Return the number of rows of each session."""
    values, counts = pc.value_counts(checkpoints["session_id"]).flatten()
    return dict(zip(values.to_pylist(), counts.to_pylist(), strict=True))
