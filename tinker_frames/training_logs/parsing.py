"""Parse the files of a log folder, in whatever state a run left them: lines of JSON, metrics by step, settings. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import numpy as np

from ..schema.coerce import INT64, canonical_json, parse_json, parse_object, replace_surrogates

if TYPE_CHECKING:
    from numpy.typing import NDArray

UNFINISHED = "the last line is unfinished: the run is writing it, or ended in the middle of it"
NOT_JSON = "not a JSON object"
JOINED = "the line begins with another one that is unfinished"
NOT_FINITE = "not a finite number"
NOT_A_STEP = "a step that is not a whole number"
NOT_A_NUMBER = "neither a number nor text"
CREDENTIAL = "left out, as its name is that of a credential"
_DECODER = msgspec.json.Decoder(dict[str, Any])
_OBJECT = re.compile(rb'\{\s*"')
_CREDENTIAL = re.compile(r"(?i)(^|_)(api_?key|secret|password|credentials?|access_token|auth_token)($|_)")
_NUMBERS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}  # as text: what some loggers make of them


class Problem(NamedTuple):
    """Something in a file that could not be read as it is, and how often."""

    file: str
    problem: str
    rows: int  # lines, or values
    example: str


class Problems:
    """The problems of one file, counted."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._found: dict[str, tuple[int, str]] = {}

    def add(self, problem: str, example: object) -> None:
        """Count a problem; of each, the first example is kept."""
        count, first = self._found.get(problem, (0, str(example)[:200]))
        self._found[problem] = count + 1, first

    def __iter__(self) -> Iterator[Problem]:
        for problem, (count, example) in self._found.items():
            yield Problem(self._file, problem, count, replace_surrogates(example)[0])


class Points(NamedTuple):
    """The values of one metric, one for each step, by ascending step."""

    steps: NDArray[np.int64]
    values: NDArray[np.float64]

    def find_values(self, steps: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the value at or just before each of some steps; NaN before the first."""
        places = np.searchsorted(self.steps, steps, side="right") - 1
        return np.where(places >= 0, self.values[np.maximum(places, 0)], math.nan)


class Metrics(NamedTuple):
    """The metrics of one log folder."""

    points: dict[str, Points]
    unstepped: dict[str, float]  # the last value of what was logged without a step, such as totals

    @property
    def last_step(self) -> int | None:
        """The highest step."""
        return max((int(points.steps[-1]) for points in self.points.values()), default=None)


def parse_lines(content: bytes, problems: Problems) -> list[dict[str, Any]]:
    """Return the objects of a file of JSON lines; broken lines are left out, and counted."""
    try:
        return _DECODER.decode_lines(content)
    except (msgspec.MsgspecError, ValueError, RecursionError):  # NaN, which JSON does not have, or a broken line
        return list(_parse_each(content, problems))


def _parse_each(content: bytes, problems: Problems) -> Iterator[dict[str, Any]]:
    *lines, last = content.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    for line in lines:
        yield from _parse_line(line.strip(b" \t\r\0"), problems, NOT_JSON)
    yield from _parse_line(last.strip(b" \t\r\0"), problems, UNFINISHED)


def _parse_line(line: bytes, problems: Problems, problem: str) -> Iterator[dict[str, Any]]:
    if not line:
        return
    try:
        yield _DECODER.decode(line)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        found = parse_object(line)
        if found is None and (found := _find_last_object(line)) is not None:
            problem = JOINED
            problems.add(problem, line[:200].decode("utf-8", "replace"))
        elif found is None:
            problems.add(problem, line[:200].decode("utf-8", "replace"))
        if found is not None:
            yield found


def _find_last_object(line: bytes) -> dict[str, Any] | None:
    """Return the object at the end of a line whose beginning was cut off: a run that resumed went on in the line where it had crashed."""
    starts = [match.start() for match in _OBJECT.finditer(line)][1:]
    return next((found for start in starts[:20] if (found := parse_object(line[start:])) is not None), None)


def build_metrics(rows: Iterable[dict[str, Any]], problems: Problems) -> Metrics:
    """Return the metrics of the lines of a file; of several values at a step, the last line's counts."""
    found: dict[str, tuple[list[int], list[float]]] = {}
    unstepped: dict[str, float] = {}
    for row in rows:
        step = _read_step(row.pop("step", None), problems)
        for name, value in row.items():
            number = value if type(value) is float else _read_number(name, value, problems)
            if number is None:
                continue
            if number - number != 0:  # NaN or infinite, and quicker than math.isfinite
                problems.add(NOT_FINITE, name)
            if step is None:
                unstepped[name] = number
                continue
            steps, values = found.get(name) or found.setdefault(name, ([], []))
            steps.append(step)
            values.append(number)
    return Metrics(_sort_points(found), {replace_surrogates(name)[0]: number for name, number in unstepped.items()})


def _read_step(value: Any, problems: Problems) -> int | None:
    if type(value) is int and INT64[0] <= value <= INT64[1]:
        return value
    if type(value) is float and value.is_integer() and abs(value) < 2**53:
        return int(value)
    if value is not None:
        problems.add(NOT_A_STEP, value)
    return None


def _read_number(name: str, value: Any, problems: Problems) -> float | None:
    """Return a value that is no float as one; None for null and text, which some recipes log as well."""
    if value is None or isinstance(value, str):
        return _NUMBERS.get(value or "")
    if isinstance(value, (int, float)):
        return _to_float(value)
    problems.add(NOT_A_NUMBER, name)
    return None


def _sort_points(found: Mapping[str, tuple[list[int], list[float]]]) -> dict[str, Points]:
    sorted_points: dict[str, Points] = {}
    for name, (steps, values) in found.items():
        order = np.array(steps, dtype=np.int64)
        numbers = np.array(values, dtype=np.float64)
        if len(order) > 1 and not (order[1:] > order[:-1]).all():
            place = np.argsort(order, kind="stable")
            order, numbers = order[place], numbers[place]
            is_last = np.append(order[1:] != order[:-1], True)  # of each step
            order, numbers = order[is_last], numbers[is_last]
        sorted_points[replace_surrogates(name)[0]] = Points(order, numbers)
    return sorted_points


def _to_float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:  # an integer beyond every float
        return math.inf if value > 0 else -math.inf


def add_earlier(metrics: Metrics, earlier: Metrics, resumed_at: int) -> Metrics:
    """Return metrics with those from before a resume, up to the step that it began at; what was logged since replaces them."""
    points = dict(metrics.points)
    for name, old in earlier.points.items():
        new = points.get(name)
        known = new.steps if new is not None else np.array([], dtype=np.int64)
        is_added = (old.steps <= resumed_at) & ~np.isin(old.steps, known)
        if is_added.any():
            steps = np.concatenate([old.steps[is_added], known])
            values = np.concatenate([old.values[is_added], new.values if new is not None else np.array([])])
            order = np.argsort(steps, kind="stable")
            points[name] = Points(steps[order], values[order])
    return Metrics(points, earlier.unstepped | metrics.unstepped)


def parse_config(content: bytes, problems: Problems) -> dict[str, Any]:
    """Return the settings of a run, those of nested objects as `outer.inner`; lists are JSON text, and credentials left out."""
    try:
        found = parse_json(content)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        problems.add(NOT_JSON, content[:200].decode("utf-8", "replace"))
        return {}
    return dict(_flatten(found, "", problems))


def _flatten(value: dict[str, Any], prefix: str, problems: Problems) -> Iterator[tuple[str, Any]]:
    for key, inner in value.items():
        name = prefix + replace_surrogates(key)[0]
        if _CREDENTIAL.search(key) and inner is not None:
            problems.add(CREDENTIAL, name)
        elif isinstance(inner, dict) and inner:
            yield from _flatten(inner, f"{name}.", problems)
        elif isinstance(inner, (list, dict)):
            yield name, canonical_json(inner)
        else:
            yield name, replace_surrogates(inner)[0] if isinstance(inner, str) else inner
