"""Derived columns: paths, steps, sessions, sizes and ages."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tinker_frames.schema import derived
from tinker_frames.schema.paths import parse

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
PART = st.text(st.characters(exclude_characters="/", exclude_categories=["Cs"]), min_size=1, max_size=8)
WELL = st.builds("tinker://{}/{}/{}".format, PART, PART, PART)
ANY = st.one_of(
    WELL,
    st.none(),
    st.text(st.sampled_from("tinker:/a\n1"), max_size=14),
    st.lists(st.sampled_from(["tinker:", "", "a", "b:train:0", "\n"]), max_size=6).map("/".join),
)


def columns(**lists: list[str | None]) -> dict[str, pa.Array]:
    """Return Arrow columns of text."""
    return {name: pa.array(values, pa.large_string()) for name, values in lists.items()}


def parts(path: str | None) -> tuple[str | None, str | None]:
    """Return run and name of a path, parsed in the simplest way."""
    pieces = (path or "").split("/", 4)
    good = len(pieces) == 5 and pieces[:2] == ["tinker:", ""] and all(pieces[2:])
    return (pieces[2], pieces[4]) if good else (None, None)


@settings(max_examples=70)
@given(st.lists(ANY, max_size=5))
@example(["tinker:////x"])
@example(["tinker:///weights/x", "tinker://r/weights/x"])
@example(["tinker://r/weights/"])
@example(["tinker://r/weights/x\n"])
@example(["tinker://r/weights/x", None])
@example(["tinker://r/weights/a/b\n/", "tinker://r/weights//"])
def test_run_and_name_are_those_of_the_grammar_whatever_stands_beside(paths: list[str | None]) -> None:
    """Run and name depend on the row's path alone, and an invalid path has neither."""
    data = columns(tinker_path=paths)
    runs, names = derived.run_of_path()(data).to_pylist(), derived.name_of_path()(data).to_pylist()
    assert list(zip(runs, names, strict=True)) == [parts(path) for path in paths]


@given(st.sampled_from(["weights", "sampler_weights", "external_weights"]), st.integers(0, 99))
def test_run_and_name_agree_with_the_path_module(segment: str, number: int) -> None:
    """The derived run and name agree with `paths.parse`."""
    path = f"tinker://5b1f0c9e:train:{number}/{segment}/step {number}"
    data, known = columns(tinker_path=[path]), parse(path)
    assert derived.run_of_path()(data).to_pylist() == [known.training_run_id]
    assert derived.name_of_path()(data).to_pylist() == [known.name]


@settings(max_examples=70)
@given(st.lists(st.one_of(st.none(), st.text(st.sampled_from("ab-_0159.\n٣"), max_size=24)), max_size=5))
@example(["step-99999999999999999999", "1" * 18, "1" * 19, "007", "7", "", "a٣7", None])
def test_the_step_is_the_whole_number_at_the_end(names: list[str | None]) -> None:
    """A step is the integer at the end of a name, or NA if it is missing or too large, whatever names stand beside it."""
    digits = [re.search(r"[0-9]*\Z", name or "")[0] for name in names]  # type: ignore[index]  # it always matches
    expected = [int(text) if 0 < len(text) <= 18 else None for text in digits]
    assert derived.step_of_name(columns(name=names)).to_pylist() == expected


@pytest.mark.parametrize(
    ("run", "session"),
    [
        ("5b1f:train:0", "5b1f"),
        ("5b1f:sample:12", "5b1f"),
        ("a:b:train:1", "a:b"),
        ("a\nb:train:1", "a\nb"),
        ("a:train:1\n", None),
        ("run_4b1374f9", None),
        ("model_1", None),
        ("5b1f:train:", None),
        (":train:0", None),
        ("5b1f:train:0x", None),
        ("5b1f:other:0", None),
        ("", None),
        (None, None),
    ],
)
def test_only_official_ids_tell_their_session(run: str | None, session: str | None) -> None:
    """Only ids of the form `<session>:train:<n>` or `:sample:<n>` contain their session."""
    assert derived.session_of_id("id")(columns(id=[run, "x:train:0"])).to_pylist() == [session, "x"]


def test_gigabytes_are_decimal_and_unknown_stays_unknown() -> None:
    """A size in GB is bytes / 10^9, and NaN where bytes are NA."""
    frame = pd.DataFrame({"n": pd.array([1_500_000_000, 0, None], dtype="Int64")})
    sizes = derived.gigabytes("n")(frame, NOW)
    assert sizes.dtype == "float64"
    assert sizes.tolist()[:2] == [1.5, 0.0]
    assert pd.isna(sizes[2])


def test_ages_and_expiries_are_days_from_now_with_their_sign() -> None:
    """Ages and expiries are signed days from now; a missing time is NaN; the time zone of now does not matter."""
    stamps = [NOW - timedelta(days=2), NOW + timedelta(hours=12), None]
    frame = pd.DataFrame({"t": pd.array(stamps, dtype="datetime64[us, UTC]")})
    for now in (NOW, NOW.astimezone(timezone(timedelta(hours=5)))):
        since, until = derived.days_since("t")(frame, now), derived.days_until("t")(frame, now)
        assert [since[0], since[1], until[0], until[1]] == [2.0, -0.5, -2.0, 0.5]
        assert pd.isna(since[2])
        assert pd.isna(until[2])
