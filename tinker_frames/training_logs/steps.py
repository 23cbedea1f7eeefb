"""The step of training at which each line of `checkpoints.jsonl` was saved, and the runs that the lines belong to. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..schema.coerce import EXACT_FLOAT, coerce_value, replace_surrogates
from ..schema.paths import normalize_path, normalize_run, run_of
from .parsing import Metrics, Problems

STEP_DIGITS = 6  # of the names that the cookbook gives: `000120` is the checkpoint of step 120
PATHS = ("state_path", "sampler_path")
COUNTS = ("step", "batch", "epoch")
NOT_A_COUNT = "a step, batch or epoch that is not a whole number"
NO_PATH = "names no tinker path"
NO_STEP = "its step is not known, so it has no metrics"
NO_METRICS = "saved before a resume from an earlier step, and the metrics from before it are not known"
LOST = -1  # the resume of a checkpoint with that problem


class Attempt(NamedTuple):
    """A training run of a log folder."""

    training_run_id: str
    begins: int  # the place of its first checkpoint among the records
    resumed: int | None  # that of the training state that it resumed from; None if it resumed from none of them


class Parent(NamedTuple):
    """What a training run was started from."""

    training_run_id: str | None  # None for one that has saved nothing yet
    parent_path: str | None


def find_steps(records: Sequence[dict[str, Any]], metrics: Metrics, problems: Problems) -> list[int | None]:
    """Return the step of each checkpoint; None where the log does not tell.

    A record holds the batch within its epoch. The number of batches of an epoch follows from the names of other checkpoints,
    or from the step at which the metric `epoch` becomes 1. A final checkpoint is saved after the last step.
    """
    per_epoch, last = _find_batches_per_epoch(records, metrics), metrics.last_step
    steps = [_find_step(record, per_epoch, None if last is None else last + 1) for record in records]
    for record, step in zip(records, steps, strict=True):
        _note_problems(record, step, problems, has_metrics=last is not None)
    return steps


def _note_problems(record: dict[str, Any], step: int | None, problems: Problems, *, has_metrics: bool) -> None:
    for name in COUNTS:
        if _is_odd(record.get(name)):
            problems.add(NOT_A_COUNT, f"{name}: {record[name]!r}")
    if find_run(record) is None:
        problems.add(NO_PATH, record.get("name"))
    elif step is None and has_metrics:
        problems.add(NO_STEP, record.get("name"))


def _find_step(record: dict[str, Any], per_epoch: int | None, end: int | None) -> int | None:
    batch, epoch, named = (_read_count(record.get("batch")), _read_count(record.get("epoch")), _read_name(record))
    if (step := _read_count(record.get("step"))) is not None:
        return step
    if batch is not None and not epoch and not _is_odd(record.get("epoch")):
        return batch
    if named is not None:
        return named
    if batch is not None and epoch and per_epoch:
        return epoch * per_epoch + batch
    return end if is_final(record) else None


def is_final(record: dict[str, Any]) -> bool:
    """Tell whether a record is of the checkpoint saved at the end of training."""
    return coerce_value("bool", record.get("final"))[0] is True or record.get("name") == "final"


def _find_batches_per_epoch(records: Iterable[dict[str, Any]], metrics: Metrics) -> int | None:
    for record in records:
        batch, epoch, step = _read_count(record.get("batch")), _read_count(record.get("epoch")), _read_name(record)
        if batch is not None and epoch and step is not None and step > batch and (step - batch) % epoch == 0:
            return (step - batch) // epoch
    points = metrics.points.get("epoch")
    if points is None:
        return None
    steps, epochs = points.steps, np.floor(points.values)  # which may count from 1, or have gaps
    begins = np.flatnonzero((epochs[:-1] == 0) & (epochs[1:] == 1) & (steps[1:] == steps[:-1] + 1))
    return int(steps[begins[0] + 1]) if len(begins) else None


def _read_name(record: dict[str, Any]) -> int | None:
    """Return the step that the cookbook's name of a checkpoint is."""
    name = record.get("name")
    is_step = isinstance(name, str) and name.isascii() and name.isdecimal() and STEP_DIGITS <= len(name) <= 18
    return int(str(name)) if is_step else None


def _read_count(value: Any) -> int | None:
    """Return a whole number, also one that is a float or text; None for anything else."""
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) <= 18:
        value = int(value)
    if isinstance(value, float) and value.is_integer() and value < EXACT_FLOAT:
        value = int(value)
    return value if type(value) is int and 0 <= value < 2**63 else None


def _is_odd(value: Any) -> bool:
    return value is not None and _read_count(value) is None


def read_path(record: dict[str, Any], name: str) -> str | None:
    """Return a tinker path of a record, in the usual spelling if it is none as it stands; None for what is none."""
    value = record.get(name)
    if not isinstance(value, str):
        return None
    value = replace_surrogates(value)[0]  # as paths of an account have them
    return value if run_of(value) is not None else str(normalize_path(value) or "") or None


def find_run(record: dict[str, Any]) -> str | None:
    """Return the id of the training run that saved a checkpoint."""
    return next((run_of(path) for name in PATHS if (path := read_path(record, name))), None)


def find_attempts(records: Sequence[dict[str, Any]], steps: Sequence[int | None]) -> list[Attempt]:
    """Return the training runs of a log, in order.

    One that resumed is a run of its own, and went on from the last training state before; from a later step than its own it cannot have.
    """
    found: dict[str, Attempt] = {}
    state: int | None = None  # the place of the last training state so far
    for place, (record, step) in enumerate(zip(records, steps, strict=True)):
        run = find_run(record)
        if run is not None and (key := normalize_run(run)) not in found:
            at = None if state is None else steps[state]
            found[key] = Attempt(run, place, None if at is not None and step is not None and at > step else state)
        state = place if read_path(record, "state_path") else state
    return list(found.values())


def find_parents(attempts: Sequence[Attempt], records: Sequence[dict[str, Any]], loaded: str | None) -> list[Parent]:
    """Return the training runs of a log in order, each with the checkpoint that it was started from: the state it resumed from, else `loaded`."""
    states = [None if each.resumed is None else read_path(records[each.resumed], "state_path") for each in attempts]
    found = [Parent(each.training_run_id, state or loaded) for each, state in zip(attempts, states, strict=True)]
    return found or ([Parent(None, loaded)] if loaded else [])


def find_resumes(
    records: Sequence[dict[str, Any]],
    steps: Sequence[int | None],
    attempts: Sequence[Attempt],
    last_steps: Mapping[int | None, int | None],
) -> list[int | None]:
    """Return for each checkpoint the step of the resume that went back behind it; None for those that what followed went on from.

    The metrics of its weights are in the file from before that resume; of `LOST` ones no file is known. `last_steps` has the last step of
    each file, and under None of the metrics as they are now. Of several resumes at one step, the file is from before the last.
    """
    found: list[int | None] = [None] * len(records)
    states = [place for place, record in enumerate(records) if read_path(record, "state_path")]

    def mark(places: range, at: int, resume: int) -> None:
        for place in places:
            step = steps[place]
            if found[place] is None and step is not None and step > at:
                # The file is of a later attempt, which came less far.
                is_short = resume != LOST and (last_steps[resume] or 0) < step
                found[place] = LOST if is_short else resume

    begins = {each.begins: 0 if each.resumed is None else steps[each.resumed] for each in attempts[1:]}
    last_of = {step: place for place, step in begins.items()}
    for place, step in begins.items():
        if step is None:
            continue
        # A run that has saved no state may have been followed by one that resumed at the same step, and saved nothing yet.
        furthest = max((each or 0 for each in steps[place:]), default=0)
        is_open = not any(state >= place for state in states) and (last_steps[None] or 0) < furthest
        is_kept = step in last_steps and place == last_of[step] and not is_open
        mark(range(len(records) if is_open and step in last_steps else place), step, step if is_kept else LOST)
    for step in sorted({each for each in last_steps if each is not None} - last_of.keys()):
        last = max((number for number, place in enumerate(states) if steps[place] == step), default=None)
        if last is None or last == len(states) - 1:  # what resumed there has saved nothing yet
            mark(range(len(records)), step, LOST if last is None else step)
        else:  # the next state was saved after the resume; what is between may have been saved before or after
            mark(range(states[last], states[last + 1]), step, LOST)
    return found
