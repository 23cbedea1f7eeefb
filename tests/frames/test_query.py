"""Queries keep the rows that pandas keeps, and can do nothing but compare columns."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

import tinker_frames as tkf
from tinker_frames.demo import DemoServer
from tinker_frames.errors import InvalidRequestError
from tinker_frames.frames.query import _check_query, filter_rows, sort_rows


@pytest.fixture(scope="module")
def rows(shared_server: DemoServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[pd.DataFrame]:
    """Checkpoints to query."""
    with tkf.Client(shared_server.key, shared_server.url, cache_dir=tmp_path_factory.mktemp("cache")) as client:
        yield client.checkpoints()


GOOD = [
    "size_gb > 1 and not public",
    "`size_gb` > 1",
    "size_gb>.5 and size_gb < 1.5",
    "expires_at.isna()",
    "time > '2020-01-01T00Z'",
    "name.str.contains('step-0.*0') & ~public",
    "checkpoint_type in ['sampler', \"external\"]",
    "checkpoint_type == 'sampler' or step.between(10, 400)",
    "name == '@x #1; `a`'",
    'name != "it\'s"',
    "time.dt.year >= 2026",
    "name.str.lower().str.startswith('s')",
    "size_bytes > size_bytes.mean()",
]


@pytest.mark.parametrize("query", GOOD)
def test_a_condition_keeps_what_pandas_keeps(query: str, rows: pd.DataFrame) -> None:
    """A query of columns, numbers, quoted text and the usual methods gives the rows that `DataFrame.query` gives."""
    assert_frame_equal(filter_rows(rows, query), rows.query(query))


BAD = ["", " ", "0", "name", "[0, 1]", "size_gb + 1", "size_gb = 5", "1 == 1", "(size_gb > 1", "size_gb > 1 and", "nothing > 1",
       "name > 1", "public.sum()", "'a'", "[x for x in size_gb]", "(lambda: 1)()", "size_gb > 1\npublic", "time > 'soon'"]  # fmt: skip


@pytest.mark.parametrize("query", BAD)
def test_anything_else_is_refused(query: str, rows: pd.DataFrame) -> None:
    """An expression that is not a condition on rows is an error that names the query and shows a valid one."""
    with pytest.raises(InvalidRequestError) as caught:
        filter_rows(rows, query)
    assert "--where" in str(caught.value)
    assert caught.value.hint
    assert "\n" not in str(caught.value)


EVIL = [
    "name.to_csv({file})",
    "name . to_csv({file}).isna()",
    "name.\uff54o_csv({file})",
    "name.str.to_csv({file})",
    "(name).to_json({file})",
    "name.str.cat({file}).to_csv({file})",
    "`name`.to_csv({file})",
    "name['x'].to_csv({file})",
    "5 .to_csv({file})",
    "size_gb1.to_csv({file})",
    "'''x'y `''' .to_csv({file}) '`'",
    '"""x" .to_csv({file}) """"',
    "`it's` .to_csv({file}) == '`'",
    "f'{{name.to_csv({file})}}' == 'a'",
    "rb'{{}}'.to_csv({file})",
    "name.\\\nto_csv({file})",
    "name.\fto_csv({file})",
    "name # '\n.to_csv({file})",
    "@pd.io.common.os.system({shell})",
    "@__import__('os').system({shell})",
    "@__builtins__",
    "__import__('os').system({shell})",
    "eval({shell})",
    "exec({shell})",
    "open({file}, 'w')",
    "breakpoint()",
    "name.__class__.__init__.__globals__['os'].system({shell})",
    "name.map(print)",
    "name.apply('to_csv', path_or_buf={file})",
    "name.pipe(open)",
    "name.agg('to_csv')",
    "name.str.__class__",
    "'{{0.__class__}}'.format(name)",
    "name.values.tofile({file})",
    "name.array.__reduce__()",
]


@pytest.mark.parametrize("query", EVIL)
def test_a_query_runs_nothing(query: str, rows: pd.DataFrame, tmp_path: Path) -> None:
    """A query cannot write a file, reach Python's builtins, or call anything but what compares columns."""
    file = tmp_path / "evil"
    with pytest.raises(InvalidRequestError):
        filter_rows(rows, query.format(file=repr(str(file)), shell=repr(f"touch {file}")))
    assert list(tmp_path.glob("evil*")) == []


ALTERING = [
    "size_gb.fillna(0, inplace=True)",
    "size_gb.clip(0, 1, inplace = True)",
    "size_gb.clip(0, 1, out=size_gb)",
    "public.replace(True, False, inplace=size_gb > 0)",
    "`public`.replace(True, False,\t\uff49\uff4e\uff50\uff4c\uff41\uff43\uff45=True)",
    "public and public.fillna(False, inplace=True).isna()",
    "size_gb += 1",
    "size_gb.replace(to_replace=[1], value=2, inplace=public)",
    "public = False",
]


@pytest.mark.parametrize("query", ALTERING)
def test_a_refused_query_alters_nothing(query: str, rows: pd.DataFrame) -> None:
    """A query with side effects is refused before it is evaluated, and the frame is unchanged."""
    frame = rows.copy()
    with pytest.raises(InvalidRequestError):
        filter_rows(frame, query)
    assert_frame_equal(frame, rows)


WORDS = ["name", "size_gb", "public", "`name`", ".", "str", "to_csv", "__class__", "map", "(", ")", "[", "]", "'", '"', "`", "@", "#",
         ";", ">", "==", " ", "1", ".5", "f", "and", "not", "~", "\\", "\n", "'made'", "open", "isna", "contains", ",", "=", "'''", "ﬁ"]  # fmt: skip


@settings(max_examples=52, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(query=st.lists(st.sampled_from(WORDS), max_size=14).map("".join))
def test_any_text_is_a_condition_or_refused(query: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Any text selects a subset of the rows or raises one kind of error, and writes no file."""
    monkeypatch.chdir(tmp_path)
    frame = pd.DataFrame({"name": ["a", "b"], "size_gb": [0.5, 2.0], "public": [True, False]})
    try:
        kept = filter_rows(frame, query)
    except InvalidRequestError:
        pass
    else:
        assert set(kept.index) <= set(frame.index)
        assert list(kept.columns) == list(frame.columns)
    assert list(tmp_path.iterdir()) == []


def test_a_query_allows_no_method_that_writes_or_calls() -> None:
    """No method of a column that writes, imports, or takes a function is allowed."""
    text = pd.Series(["a"])
    offered = {*dir(text), *dir(text.str), *dir(pd.Series(pd.to_datetime(["2026-01-01"])).dt)}
    risky = {n for n in offered if n.startswith(("_", "to_", "plot", "hist"))} | {
        "map", "apply", "transform", "agg", "aggregate", "pipe", "combine", "groupby", "rolling", "attrs", "array", "values", "where",
        "mask", "filter", "update", "pop", "insert", "loc", "iloc", "at", "iat", "sparse", "list", "struct", "encode", "decode",
    }  # fmt: skip
    assert len(risky) > 60
    for name in risky:
        with pytest.raises(InvalidRequestError):
            _check_query(f"name.{name}")


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("meta.step", ["200", "9600", "13600", "1e6", "diverged", "none", None]),
        ("-meta.step", ["none", "diverged", "1e6", "13600", "9600", "200", None]),
    ],
)
def test_metadata_is_sorted_by_its_numbers(sort: str, expected: list[str | None]) -> None:
    """Numeric metadata is sorted by number, before other text; missing values come last."""
    frame = pd.DataFrame({"meta.step": ["9600", None, "diverged", "13600", "none", "200", "1e6"], "n": range(7)})
    for typed in (frame, frame.convert_dtypes()):
        found = sort_rows(typed, [sort, "n"])["meta.step"]
        assert [None if pd.isna(value) else value for value in found] == expected
