"""Parse the files of a log folder, in whatever state a run left them: lines of JSON, metrics by step, settings. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import numpy as np

from ..schema.coerce import INT64, canonical_json, parse_json, parse_object, replace_surrogates
from .credentials import remove_credentials, strike_out

if TYPE_CHECKING:
    from numpy.typing import NDArray

UNFINISHED = "the last line is unfinished: the run is writing it, or ended in the middle of it"
NOT_JSON = "not a JSON object"
JOINED = "the line begins with another one that is unfinished"
NOT_FINITE = "not a finite number"
NOT_A_STEP = "a step that is not a whole number"
NOT_A_NUMBER = "neither a number nor text"
TEXT = "text, where other lines have a number"
CREDENTIAL = "a credential, left out"
FEW = 32  # lines with the same names; below that, a column of its own costs more than it saves
_DECODER = msgspec.json.Decoder(dict[str, Any])
_OBJECT = re.compile(rb'\{\s*"')
BLOCK = 2**23  # bytes of lines that are parsed at a time
MOST_DIGITS = 40  # of a number that is logged as text


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

    def add(self, problem: str, example: object, *, count: int = 1) -> None:
        """Count a problem; of each, the first example is kept."""
        known, first = self._found.get(problem, (0, strike_out(str(example)[:200])))
        self._found[problem] = known + count, first

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

    def find_steps(self, steps: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the step at or just before each of some steps; -1 before the first."""
        places = np.searchsorted(self.steps, steps, side="right") - 1
        return np.where(places >= 0, self.steps[np.maximum(places, 0)], -1)


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


def parse_metrics(content: bytes, problems: Problems, block: int = BLOCK) -> Metrics:
    """Return the metrics of the lines of a file, of which about `block` bytes are parsed at a time: values take far less than lines."""
    return build_metrics((parse_lines(part, problems) for part in _split_blocks(content, block)), problems)


def _split_blocks(content: bytes, size: int) -> Iterator[bytes]:
    """Return a file in parts that end with a line."""
    start = 0
    while start < len(content):
        end = content.find(b"\n", start + size) + 1 or len(content)
        yield content[start:end]
        start = end


def build_metrics(blocks: Iterable[list[dict[str, Any]]], problems: Problems) -> Metrics:
    """Return the metrics of lines; of several values at a step, the last line's counts."""
    lines = [(np.array([], dtype=np.int64), np.array([], dtype=bool))]
    parts: dict[str, list[_Part]] = {}
    count = 0
    for rows in blocks:
        lines.append(_read_steps([row.get("step") for row in rows], problems))
        for places, columns in _split_columns(rows):
            for name, column in columns.items():
                if name != "step":
                    part = _read_part(name, column, np.array(places) + count, problems)
                    parts.setdefault(replace_surrogates(name)[0], []).append(part)
        count += len(rows)
    for name, several in parts.items():
        if (texts := sum(part.texts for part in several)) and any(len(part.values) for part in several):
            problems.add(TEXT, name, count=texts)
    steps, has_step = (np.concatenate(several) for several in zip(*lines, strict=True))
    found = {name: _sort_parts(several, steps, has_step) for name, several in parts.items()}
    points = {name: one for name, (one, _) in found.items() if len(one.steps)}
    return Metrics(points, {name: last for name, (_, last) in found.items() if last is not None})


class _Part(NamedTuple):
    """Values of a metric in some lines, and the places of these lines."""

    places: NDArray[np.int64]
    values: NDArray[np.float64]
    texts: int  # how many other lines have text that is no number


def _split_columns(rows: list[dict[str, Any]]) -> Iterator[tuple[list[int], dict[str, Sequence[Any]]]]:
    """Return the values by name and the places of their lines: together for lines with the same names, as most have, else by name."""
    groups: dict[tuple[str, ...], tuple[list[int], list[Any]]] = {}
    for place, row in enumerate(rows):
        places, values = groups.get(names := tuple(row)) or groups.setdefault(names, ([], []))
        places.append(place)
        values.append(row.values())
    rest: dict[str, tuple[list[int], list[Any]]] = {}
    for names, (places, values) in groups.items():
        if len(places) >= FEW:
            yield places, dict(zip(names, zip(*values, strict=True), strict=True))
            continue
        for place, row_values in zip(places, values, strict=True):
            for name, value in zip(names, row_values, strict=True):
                known = rest.get(name) or rest.setdefault(name, ([], []))
                known[0].append(place)
                known[1].append(value)
    for name, (places, values) in rest.items():
        yield places, {name: values}


def _read_steps(column: list[Any], problems: Problems) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return the steps of lines, and which lines have one."""
    steps = [_read_step(value, problems) for value in column]
    has_step = np.array([step is not None for step in steps], dtype=bool)
    return np.array([step or 0 for step in steps], dtype=np.int64), has_step


def _read_step(value: Any, problems: Problems) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) <= 18:
        return int(value)
    if type(value) is int and INT64[0] <= value <= INT64[1]:
        return value
    if type(value) is float and value.is_integer() and abs(value) < 2**53:
        return int(value)
    if value is not None:
        problems.add(NOT_A_STEP, value)
    return None


def _read_part(name: str, column: Sequence[Any], places: NDArray[np.int64], problems: Problems) -> _Part:
    """Return the numbers of a column, with the places of the lines that have one."""
    if set(map(type, column)) == {float}:
        numbers, texts = np.array(column, dtype=np.float64), 0
    else:
        found = [_read_number(name, value, problems) for value in column]
        texts = sum(isinstance(value, str) for value, number in zip(column, found, strict=True) if number is None)
        places = places[np.array([value is not None for value in found], dtype=bool)]
        numbers = np.array([value for value in found if value is not None], dtype=np.float64)
    if odd := len(numbers) - int(np.isfinite(numbers).sum()):
        problems.add(NOT_FINITE, name, count=odd)
    return _Part(places, numbers, texts)


def _read_number(name: str, value: Any, problems: Problems) -> float | None:
    """Return a value as a float, also of a number as text; None for null and other text, which some recipes log as well."""
    if isinstance(value, str):
        return _parse_number(value)
    if value is None:
        return None
    if isinstance(value, (int, float)):
        return _to_float(value)
    problems.add(NOT_A_NUMBER, name)
    return None


def _parse_number(text: str) -> float | None:
    if not text.isascii() or "_" in text or len(text) > MOST_DIGITS:
        return None
    try:
        return float(text)
    except ValueError:
        return None


def _sort_parts(
    parts: list[_Part], steps: NDArray[np.int64], has_step: NDArray[np.bool_]
) -> tuple[Points, float | None]:
    """Return a metric by ascending step, of each step the last line's value; and the last value without a step."""
    places = np.concatenate([part.places for part in parts])
    values = np.concatenate([part.values for part in parts])
    loose = np.flatnonzero(~has_step[places])
    last = float(values[loose[np.argmax(places[loose])]]) if len(loose) else None
    if len(loose):
        places, values = places[has_step[places]], values[has_step[places]]
    at = steps[places]
    if len(at) > 1 and not (at[1:] > at[:-1]).all():
        order = np.lexsort((places, at))
        at, values = at[order], values[order]
        is_last = np.append(at[1:] != at[:-1], True)  # of each step
        at, values = at[is_last], values[is_last]
    return Points(at, values), last


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


def parse_config(content: bytes, problems: Problems) -> dict[str, Any] | None:
    """Return the settings of a run, those of nested objects as `outer.inner`, lists as JSON text, without credentials; None if broken."""
    try:
        found = parse_json(content)
    except (ValueError, RecursionError) as error:
        problems.add(NOT_JSON, error)  # without the content, which may hold credentials
        return None
    if not isinstance(found, dict):
        problems.add(NOT_JSON, f"a {type(found).__name__}")
        return None
    clean = remove_credentials(found, lambda name: problems.add(CREDENTIAL, name))
    return dict(_flatten(clean, ""))


def _flatten(value: dict[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for key, inner in value.items():
        name = prefix + replace_surrogates(key)[0]
        if isinstance(inner, dict) and inner:
            yield from _flatten(inner, f"{name}.")
        elif isinstance(inner, (list, dict)):
            yield name, canonical_json(inner)
        else:
            yield name, replace_surrogates(inner)[0] if isinstance(inner, str) else inner
