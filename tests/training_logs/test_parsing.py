"""Files of log folders are parsed in whatever state a run left them."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinker_frames.training_logs.parsing import (
    CREDENTIAL,
    JOINED,
    NOT_A_NUMBER,
    NOT_A_STEP,
    NOT_FINITE,
    NOT_JSON,
    TEXT,
    UNFINISHED,
    Metrics,
    Problems,
    add_earlier,
    parse_config,
    parse_metrics,
)

LINES = st.lists(
    st.fixed_dictionaries(
        {"step": st.integers(0, 30)},
        optional={"test/nll": st.floats(width=32), "loss": st.integers(-(2**70), 2**70), "text": st.text(max_size=3)},
    ),
    max_size=12,
)


def parse(content: bytes) -> tuple[Metrics, dict[str, int]]:
    """Return the metrics of a file, and the problems with it."""
    problems = Problems("metrics.jsonl")
    metrics = parse_metrics(content, problems)
    return metrics, {problem.problem: problem.rows for problem in problems}


def find_value(content: bytes, step: int, name: str = "test/nll") -> float:
    """Return a metric at a step."""
    points = parse(content)[0].points.get(name)
    return math.nan if points is None else float(points.find_values(np.array([step]))[0])


def write(lines: list[dict[str, Any]]) -> bytes:
    """Return lines as Python's own JSON, which has NaN and Infinity."""
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


@given(LINES, st.integers(0, 31))
def test_the_last_line_of_the_nearest_step_counts(lines: list[dict[str, Any]], step: int) -> None:
    """A metric at a step is that of the last line with the highest step that is not above it, in any order of steps."""
    known = [(line["step"], place, line["test/nll"]) for place, line in enumerate(lines) if "test/nll" in line]
    expected = max((row for row in known if row[0] <= step), default=(0, 0, math.nan))[2]
    found = find_value(write(lines), step)
    assert found == expected or (math.isnan(found) and math.isnan(expected))


@given(LINES, st.data())
def test_order_repeats_and_truncation_change_nothing_at_a_step(
    lines: list[dict[str, Any]], data: st.DataObject
) -> None:
    """Lines of distinct steps in any order, repeated, and with another that is cut off, give the same metrics."""
    distinct = list({line["step"]: line for line in lines}.values())
    shuffled = data.draw(st.permutations(distinct + distinct[:3]))
    cut = json.dumps({"step": 31, "test/nll": 0.5}).encode()[: data.draw(st.integers(1, 20))]
    same, problems = parse(write(shuffled) + cut)
    whole = parse(write(distinct))[0]
    assert same.points.keys() == whole.points.keys()
    assert all(np.array_equal(same.points[name], whole.points[name], equal_nan=True) for name in whole.points)
    assert problems[UNFINISHED] == 1


@given(LINES, st.integers(1, 200))
def test_a_file_is_the_same_in_blocks(lines: list[dict[str, Any]], block: int) -> None:
    """However many bytes are parsed at a time, the metrics and the counts of problems are the same."""
    content = write(lines) + b'nonsense\n{"step": 3, "test/nll'
    whole, counts = parse(content)
    problems = Problems("metrics.jsonl")
    found = parse_metrics(content, problems, block)
    assert {each.problem: each.rows for each in problems} == counts
    assert found.points.keys() == whole.points.keys()
    for name, points in found.points.items():
        assert np.array_equal(points.steps, whole.points[name].steps)
        assert np.array_equal(points.values, whole.points[name].values, equal_nan=True)


@pytest.mark.parametrize(
    ("content", "value", "problems"),
    [
        (b'{"step": 1, "test/nll": 2.0}\n{"step": 2, "test/', 2.0, {UNFINISHED: 1}),
        (b'{"step": 1, "test/nll": 2.0}\n{"step": 2, "te{"step": 2, "test/nll": 1.5}\n', 1.5, {JOINED: 1}),
        (b'nonsense\n[1]\n\n\0\0\n{"step": 1, "test/nll": 2}\r\n', 2.0, {NOT_JSON: 2}),
        (b'{"step": 1, "test/nll": NaN}', math.nan, {NOT_FINITE: 1}),
        (b'{"step": 1, "test/nll": 2}\n{"step": 2, "test/nll": "NaN"}', math.nan, {NOT_FINITE: 1}),
        (b'{"step": 1, "test/nll": -Infinity, "\xff": 1}\n', -math.inf, {NOT_FINITE: 1}),
        (b'{"step": 1, "test/nll": 1' + b"0" * 400 + b"}\n", math.inf, {NOT_FINITE: 1}),
        (b'{"step": 1.0, "test/nll": true, "path": "tinker://x", "none": null}\n', 1.0, {}),
        (b'{"step": 1, "test/nll": 2}\n{"step": 1, "other": 3}\n', 2.0, {}),
        (
            b'{"step": "x", "test/nll": 1}\n{"step": 1, "test/nll": 2, "a": [1]}\n',
            2.0,
            {NOT_A_STEP: 1, NOT_A_NUMBER: 1},
        ),
        (b'\xef\xbb\xbf{"step": 1, "test/nll": 2}\n{"test/nll": 7}', 2.0, {}),
        (b"", math.nan, {}),
        (b'{"step": "1", "test/nll": "2.5"}\n{"step": 2, "path": "tinker://x/weights/1"}\n', 2.5, {}),
        (b'{"step": 1, "test/nll": 2}\n{"step": 2, "test/nll": "n/a"}\n', 2.0, {TEXT: 1}),
        (b'{"step": 1, "test/nll": 2}\n{"step": 2, "test/nll": "-inf"}\n', -math.inf, {NOT_FINITE: 1}),
    ],
)
def test_a_file_is_read_in_any_state(content: bytes, value: float, problems: dict[str, int]) -> None:
    """Broken lines, values that are not finite and other types are counted, and all else is read."""
    metrics, found = parse(content)
    assert found == problems
    assert find_value(content, 5) == value or math.isnan(value)
    assert all(name.isprintable() for name in metrics.points)


def test_metrics_from_before_a_resume_count_up_to_its_step() -> None:
    """Of the metrics before a resume, those up to the step that it began at count, where they were not logged again."""
    before = parse(b'{"step": 1, "a": 1}\n{"step": 5, "a": 5, "b": 5}\n{"step": 6, "a": 6}\n')[0]
    after = parse(b'{"step": 1, "a": 10}\n{"step": 9, "a": 9}\n')[0]
    points = add_earlier(after, before, 5).points
    assert points["a"].steps.tolist() == [1, 5, 9]
    assert points["a"].values.tolist() == [10, 5, 9]
    assert points["b"].values.tolist() == [5]


def test_settings_are_flattened_without_credentials() -> None:
    """Nested settings have dotted names, lists are JSON, and what is called as a credential is left out and named."""
    problems = Problems("config.json")
    config = {
        "lr": 1e-4,
        "data": {"size": 4, "names": ["a", "b"], "none": {}},
        "wandb_api_key": "s3cr3t",
        "max_tokens": 5,
    }
    found = parse_config(json.dumps(config).encode(), problems)
    assert found == {"lr": 1e-4, "data.size": 4, "data.names": '["a","b"]', "data.none": "{}", "max_tokens": 5}
    assert [(each.problem, each.example) for each in problems] == [(CREDENTIAL, "wandb_api_key")]
    assert parse_config(b"[1]", problems) is parse_config(b"{", problems) is None


SECRET = "Zx9" * 9


@pytest.mark.parametrize(
    "setting",
    [
        {"hf_token": SECRET},
        {"wandbApiKey": SECRET},
        {"headers": {"X-API-Key": SECRET, "Authorization": f"Bearer {SECRET}"}},
        {"env": [f"TINKER_API_KEY={SECRET}", f'{{"password": "{SECRET}"}}']},
        {"list": [{"secret": SECRET}]},
        {"tinker": f"tml-{SECRET}"},
        {"url": f"https://me:{SECRET}@example.org/x"},
        {"token": SECRET, "key": SECRET},
        {"text": f"key eyJ{SECRET}.{SECRET}.{SECRET} here"},
    ],
)
def test_no_credential_comes_from_a_config(setting: dict[str, Any]) -> None:
    """What is named like a credential or looks like one is in no setting and no problem, also if the file is broken."""
    problems = Problems("config.json")
    assert SECRET not in str(parse_config(json.dumps(setting).encode(), problems))
    assert problems
    parse_config(json.dumps(setting).encode()[:-1], problems)
    assert SECRET not in str(list(problems))


def test_settings_of_tokens_are_no_credentials() -> None:
    """Settings that have to do with tokens of text, or are long, stay as they are."""
    names = {
        "max_tokens": 5,
        "eos_token": "<|end|>",
        "tokenizer": "x" * 40,
        "key": "test/nll",
        "prompt": "Each token: one word.",
    }
    assert parse_config(json.dumps(names).encode(), Problems("config.json")) == names
