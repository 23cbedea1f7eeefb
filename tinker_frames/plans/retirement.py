"""The plan of `retire`: what a keep rule does not keep is deleted, or expires after a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ..errors import InvalidRequestError
from ..listings.reads import COLUMNS as READ_COLUMNS
from ..listings.reads import add_reads
from .actions import ACTIONS, Arguments
from .given import add_measures
from .plan import Plan, Source, make_plan
from .preview import FACTS

if TYPE_CHECKING:
    import pandas as pd

    from ..frames.rules import Rule


def make_retirement(frame: pd.DataFrame, arguments: Arguments, source: Source, since: datetime) -> Plan:
    """Return the plan that removes what a rule does not keep; `kept` is the rest, with the reason for each row."""
    keep = arguments.keep
    if keep is None:
        raise InvalidRequestError("retire needs a keep rule", hint="Make one with tkf.policies.")
    unnamed = [""] if frame["tinker_path"].isna().any() else []
    frame = frame[frame["tinker_path"].notna()]
    frame = _add_reads(_add_loaded(frame, keep, source), keep, source)
    reasons = keep.reasons(frame)
    paths = frame["tinker_path"]
    stay = set(paths[reasons != ""])  # a checkpoint in several rows is kept if one of them is
    if paths.duplicated().any():
        distinct = frame.drop_duplicates("tinker_path")  # and no row of another is counted in its place
        stay |= set(distinct.loc[keep(distinct), "tinker_path"])
    mask = paths.isin(stay)
    measures = {name: values for name, values in keep.measure(frame).items() if name not in FACTS}
    reason = reasons[mask].where(reasons[mask] != "", str(keep))
    kept = frame[mask].assign(reason=reason, **{name: values[mask] for name, values in measures.items()})
    action = ACTIONS["delete" if arguments.ttl_seconds is None else "expire"]
    plan = make_plan(action, [*paths[~mask], *unnamed], source, arguments, since)
    rows = add_measures(plan.rows, paths, measures)
    notes = (*_describe_idle(keep, reasons), *_describe_kept(kept, rows, measures), *_describe_reads(frame, keep))
    return replace(plan, rows=rows, kept=kept, rule=str(keep), notes=notes, metrics=tuple(measures))


def _describe_idle(keep: Rule, reasons: pd.Series[Any]) -> list[str]:
    """Return a line for each of several rules joined by or that keeps no row: its name or value may be mistyped."""
    seen = list(reasons.unique())
    idle = [str(part) for part in keep.alternatives if not any(str(part) in reason for reason in seen)]
    return [f"check the rule {text}: it keeps no checkpoint" for text in idle]


def _describe_kept(kept: pd.DataFrame, rest: pd.DataFrame, metrics: Iterable[str]) -> Iterator[str]:
    """Return how many rows are kept since the rule cannot tell, and the range of what it compared, of those kept and of the others."""
    unknown = int(kept["reason"].str.startswith("not known: ").sum())
    if unknown:
        yield f"not known: {unknown:,} of these, which are kept because the rule cannot tell"
    for name in metrics:
        ranges = [(_format_range(rows[name]), what) for rows, what in ((kept, "kept"), (rest, "of the others"))]
        if any(text for text, _ in ranges):
            yield f"{name}: {', '.join(f'{text} {what}' for text, what in ranges if text)}"


def _describe_reads(frame: pd.DataFrame, keep: Rule) -> list[str]:
    """Return why it is not known when checkpoints were read, if the rule needs it."""
    problems = (frame.attrs.get("tinker") or {}).get("problems") or []
    found = [each["problem"] for each in problems if each["column"] == READ_COLUMNS[0]] if keep.lookback_s else []
    return [f"not known when checkpoints were read: {problem}" for problem in found]


def _format_range(values: pd.Series[Any]) -> str:
    low, high = f"{values.min():.6g}", f"{values.max():.6g}"  # NaN of none
    return "" if values.isna().all() else low if low == high else f"{low} to {high}"


def _add_loaded(frame: pd.DataFrame, keep: Rule, source: Source) -> pd.DataFrame:
    """Return the frame with the columns that say what samplers have loaded; those that it has already are kept."""
    names = {"loaded_by_sampler", *({"loaded_by_ended_sampler"} & keep.columns)} - set(frame.columns)
    if not names:
        return frame
    loaded = source.read_loaded(ended="loaded_by_ended_sampler" in names)
    flags = {"loaded_by_sampler": loaded.flag, "loaded_by_ended_sampler": loaded.flag_ended}
    return frame.assign(**{name: flags[name](frame["tinker_path"]) for name in names})


def _add_reads(frame: pd.DataFrame, keep: Rule, source: Source) -> pd.DataFrame:
    """Return the frame with when checkpoints were last read, if a rule needs it, as the log has it now: a frame may be of an earlier day."""
    return add_reads(frame, source.read_reads(keep.lookback_s)) if keep.lookback_s else frame
