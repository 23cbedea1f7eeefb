"""Queries keep the rows that pandas keeps, and can do nothing but compare columns."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

import tinker_frames as tkf
from tinker_frames.demo import DemoServer
from tinker_frames.errors import InvalidRequestError
from tinker_frames.frames.query import _check_query, evaluate_condition, filter_rows, list_used, select, sort_rows


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
    "size_bytes > 2**30 and `size_gb` * 2 < 10**1.5",
    "name.str.len() * 2 > 10 and step % 2 == 0",
    "name.str.replace('step', 's') == name",
    "abs(size_gb) * 2 > 1",
]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("public != 'maybe'", "not a truth value"),
        ("public in ['yes']", "public is true or false"),
        ("name != 5", "name is text, and is compared with 5"),
        ("`name` not in [5]", "name is text"),
        ("checkpoint_type.isin([1])", "checkpoint_type is text"),
        ("size_bytes not in ['1GB']", "size_bytes is a number, and is compared with '1GB'"),
        ("time.isin(['2026-11-01'])", "time is a time"),
        ("expires_at != None", "isna\\(\\) is meant"),
        ("time.dt.date != '2026-11-01'", r"time\.dt\.date is a day.*dt\.normalize\(\)"),
        ("not size_gb.round() == '1GB'", "not a number"),
        ("time.dt.hour not in ['3']", "time.dt.hour is a number"),
        ("size_bytes.ne('a lot')", "not a size"),
        ("name != step", "name is text, and is compared with step, which is a number"),
        ("name.str.lower() != 5", r"name\.str\.lower\(\) is text"),
        ("public != 2", "public is true or false"),
        ("step != True", "step is a number"),
        ("time != 2026", "time is a time"),
        ("not 'fin' in name", r"name\.str\.contains\('fin'\)"),
        ("step & public", "step is a number, where a condition is needed"),
        ("~step == 1", "step is a number, where a condition is needed"),
        (" ", "is empty"),
    ],
)
def test_a_comparison_that_no_row_can_meet_is_refused(query: str, words: str, rows: pd.DataFrame) -> None:
    """pandas would take no row in silence, or with `!=` every row."""
    with pytest.raises(InvalidRequestError, match=words):
        evaluate_condition(rows, query)


@pytest.mark.parametrize("query", ["time > '2026-11-01 15:00'", "time != '2026-11-01'", "size > '1GB'", "step > '99'"])
@pytest.mark.parametrize("dtype", ["string", "object"])
def test_values_in_another_form_are_not_compared_as_text(query: str, dtype: str, rows: pd.DataFrame) -> None:
    """Of a frame whose times and numbers are text or objects, a query takes the same rows or is refused."""
    text = rows.astype(dtype)
    try:
        found = evaluate_condition(text, query).tolist()
    except InvalidRequestError as error:
        assert error.hint.startswith("Make ")  # noqa: PT017
    else:
        assert found == evaluate_condition(rows, query).tolist()
    assert evaluate_condition(text, "time.notna() and name == 'final'").any()


def test_times_are_compared_with_each_other(rows: pd.DataFrame) -> None:
    """One time of a column, such as its maximum, is compared with the column; where none is known, no row is later."""
    assert evaluate_condition(rows, "time == time.max()").any()
    assert not evaluate_condition(
        rows.assign(never=pd.to_datetime([None] * len(rows), utc=True)), "time > never.max()"
    ).any()


def test_truth_values_are_compared_with_words(rows: pd.DataFrame) -> None:
    """A flag can be compared with the words that tables show."""
    for query in ("public == 'yes'", "'true' == public", "not public != 'Yes'"):
        assert evaluate_condition(rows, query).tolist() == rows["public"].fillna(False).tolist()


EVIL = "(?:a+)+$"
TEXTS = pd.DataFrame(
    {"text": pd.Series(["a" * 40 + "!", None], dtype=object), "mixed": pd.Series(["a" * 40 + "!", 1], dtype=object)}
)
LINEAR = {
    f"text.str.contains('{EVIL}')": 0,
    f"`text`.str.contains('{EVIL}', case=False, na=False)": 0,
    f"not text.str.contains('{EVIL}') and text.notna()": 1,
    f"text.str.lower().str.match('{EVIL}')": 0,
    f"text.str.replace('{EVIL}', '', regex=True) == text": 1,
    f"mixed.str.contains('{EVIL}', regex=False, na=False)": 0,
    r"mixed.str.contains('^a[(a+)+!]{2}\\(?(?:x+)?(?:a|b)', na=False)": 1,
}
BACKTRACKING = [
    f"mixed.str.contains('{EVIL}')",
    f"text.str.split('{EVIL}').str.len() > 1",
    f"text.str.contains('{EVIL}', flags=2)",
    "text.str.contains('(?=a)(?:a+)+$')",
    "text.str.contains('(?x)(?:a|aa) + (?=!)')",
    f"text.str.contains('{'a?' * 25}(?!a)')",
    "mixed.str.count('.*.*.*.*.*x') > 0",
    "mixed.str.match('(?:a{1,9}){2}')",
    "text.str.contains('(?:a' + '+)+$')",
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


ENDLESS = [
    "10**10**10 > 1",
    "size_gb > 9**9**9",
    "(10**10)**(10**9) > size_gb",
    "((2**64)**64)**64 > size_gb",
    "10**name.nunique()**9 > size_gb",
    "size_gb > -(10**(10**10))",
    "size_gb > 10 ** -(-10**9)",
    "size_gb > 1 << 10**10",
    "name == 'a' * 10**10",
    "name == 10**10 * ('a' + 'b')",
    "name * 10**9 == 'a'",
    "`name` * 10**9 == 'a'",
    "checkpoint_type * 10**9 == 'a'",
    "name.str.lower() * 10**9 == 'a'",
    "name.str[0:2] * 10**9 == 'a'",
    "name.isin(['a'] * 10**10)",
    "name == '%1000000000000d' % 5",
    "name.str.replace('', '" + "b" * 100 + "').str.replace('b', '" + "c" * 100 + "') == 'a'",
    "x = 10**10**10",
    "10**10**10 = 1",
]


@pytest.mark.parametrize("query", ENDLESS)
def test_a_query_computes_nothing_without_bounds(query: str, rows: pd.DataFrame) -> None:
    """Powers with large exponents, repeated text and lists, and texts that replacements multiply are refused before they are computed."""
    with pytest.raises(InvalidRequestError, match="--where"):
        filter_rows(rows, query)


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


TYPED = [
    ("time > '2026-11-01'", "time > '2026-11-01T00Z'"),
    ("time>'2026-11-01 15:00'", "time > '2026-11-01T15Z'"),
    ("'2026-10' <= time < \"2026-11-02\"", "time >= '2026-10-01T00Z' and time < '2026-11-02T00Z'"),
    ("time > '2026-11-01T01:00+01:00'", "time > '2026-11-01T00Z'"),
    ("size > '1GB'", "size_bytes > 1_000_000_000"),
    ("not size <= '1 gib'", "not size_bytes <= 1_073_741_824"),
    ("size_gb < '500 MB'", "size_gb < 0.5"),
    ("'500MB' < size < '2GB' and public", "500_000_000 < size_bytes < 2_000_000_000 and public"),
    ("age > '30d' & ~public", "age_days > 30 and not public"),
    ("time == '2026-11-01'", "time >= '2026-11-01T00Z' and time < '2026-11-01T00:00:01Z'"),
    ("'2026-11-01' != time", "not (time >= '2026-11-01T00Z' and time < '2026-11-01T00:00:01Z')"),
    ("age_days >= '2 weeks'", "age_days >= 14"),
    ("`expires_in` < '1 week'", "expires_in_days < 7"),
    ("`meta.loss` < '0.25'", "`meta.loss` < 0.25"),
    ("size_bytes == '0 B' or name == '1GB'", "size_bytes == 0 or name == '1GB'"),
    ("name == 'size > \"1GB\"'", "name == 'size > \"1GB\"'"),
    ("time.dt.year > 2025", "time.dt.year > 2025"),
    ("time.dt.normalize() == '2026-11-01'", "time.dt.floor('D') == time.dt.floor('D').mode()[0]"),
    ("time.dt.day == '1'", "time.dt.day == 1"),
    ("(size_gb) == '1GB' or not (public) == 'yes'", "size_gb == 1 or not public"),
    ("size_bytes.eq('1GB') or `name`.eq('a')", "size_bytes == 10**9 or name == 'a'"),
    ("(size_gb > 1) == 'yes'", "size_gb > 1"),
]


@pytest.fixture(scope="module")
def typed() -> pd.DataFrame:
    """Checkpoints around the values of `TYPED`."""
    times = [
        "2026-09-30T23:59Z",
        "2026-10-01T00Z",
        "2026-11-01T00Z",
        "2026-11-01T00:00:01Z",
        "2026-11-01T15:00:01Z",
        None,
    ]
    sizes = pd.array([0, 499_999_999, 10**9, 10**9 + 1, 1_073_741_825, None], dtype="Int64")
    return pd.DataFrame(
        {
            "time": pd.to_datetime(times, utc=True, format="ISO8601"),
            "size_bytes": sizes,
            "size_gb": sizes.astype("float64") / 1e9,
            "age_days": [30, 30.01, 14, 13.9, 0, None],
            "expires_in_days": [None, 7, 6.9, -2, 400, None],
            "meta.loss": [0.1, 0.25, 0.3, None, 0.2, 0.5],
            "public": [True, False, True, True, False, True],
            "name": ["1GB", "a", "b", "c", 'size > "1GB"', "d"],
        }
    )


@pytest.mark.parametrize(("written", "meant"), TYPED)
def test_text_beside_a_column_is_a_value_of_it(written: str, meant: str, typed: pd.DataFrame) -> None:
    """Dates without an offset are UTC; sizes, durations and numbers are compared as numbers, text as text."""
    found = filter_rows(typed, written)
    assert_frame_equal(found, typed.query(meant))
    assert 0 < len(found) < len(typed)


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("time > 'soon'", "'soon', which is not a time. Use e.g. 2026-01-31"),
        ("time > 'today'", "'today', which is not a time"),
        ("'01/02/2026' > time", "not a time.*UTC"),
        ("size > '1 zb'", "'1 zb', which is not a size. Use e.g. 500MB"),
        ("size_gb > '1'", "not a size"),
        ("age > '3M'", "'3M', which is not a duration. Use e.g. 30d.*months"),
        ("`meta.loss` < 'diverged'", "'diverged', which is not a number"),
        ("`meta.loss` < 'nan'", "not a number"),
        ("sizegb > 1", "no column 'sizegb'; did you mean size_gb"),
        ("size > 1", "no column 'size'; did you mean size_gb"),
        ("idle > '3d'", "no column 'idle'. The columns are "),
        ("status == 'failed'", r"no column 'status'\. It is a column of sessions; an inventory has session_status\."),
        ("`meta.loss` < 1 and `test/nl` < 1", "no column 'test/nl'"),
        ("size_gb >", r"invalid syntax\. Write it as"),
    ],
)
def test_text_that_is_no_value_of_the_column_is_an_error_with_its_forms(
    query: str, problem: str, typed: pd.DataFrame
) -> None:
    """The error names the query, the text and the forms that it takes; a misspelt column is named with the closest."""
    with pytest.raises(InvalidRequestError, match=f"--where.*{problem}"):
        filter_rows(typed, query)


@pytest.mark.parametrize(
    ("query", "kept"),
    [
        ("meta.loss < 1", [0, 3]),
        ("meta.loss >= '1' or meta.session.team == 'evals'", [1, 3]),
        ("`meta.loss` < 1 and meta.note.str.contains('meta.loss')", [3]),
        ("meta.run.lr < 1e-3 and size > '1GB'", [0]),
        ("meta.run.lr.isna()", [1, 2, 3]),
        ("meta.a.b == 'x'", [2]),
    ],
)
def test_keys_of_the_metadata_are_columns_of_a_query(query: str, kept: list[int]) -> None:
    """A query names keys without backticks, of the row, its run and its session; numbers are numbers, and words among them are NA."""
    frame = pd.DataFrame(
        {
            "size_bytes": [2 * 10**9] * 4,
            "user_metadata": ['{"loss": 0.5}', '{"loss": "10"}', '{"loss": "diverged", "a.b": "x"}', '{"loss": "0.9", "note": "meta.loss"}'],
            "run_user_metadata": ['{"lr": "1e-4"}', None, None, "{}"],
            "session_user_metadata": [None, None, None, '{"team": "evals"}'],
        }
    )  # fmt: skip
    before = frame.copy()
    assert evaluate_condition(frame, query).nonzero()[0].tolist() == kept
    pd.testing.assert_frame_equal(frame, before)
    sorted_rows = select(frame, where=None, sort="-meta.loss", limit=2, columns="meta.loss,size")
    assert list(sorted_rows.columns) == ["meta.loss", "size_bytes"]
    assert sorted_rows["meta.loss"].tolist() == [10, 0.9]
    for columns in ("", "all", None):
        assert list(select(frame, where=None, sort="", limit=None, columns=columns).columns) == list(frame.columns)


def test_a_misspelt_key_is_named_with_the_closest() -> None:
    """A key that no row has is an error that names the closest one, and the keys that there are."""
    frame = pd.DataFrame({"user_metadata": ['{"loss": 0.5, "step": 1}']})
    calls = (
        lambda: filter_rows(frame, "meta.los < 1"),
        lambda: select(frame, where=None, sort="meta.los", limit=None, columns=None),
        lambda: select(frame, where=None, sort=None, limit=None, columns="meta.los"),
    )
    for call in calls:
        with pytest.raises(InvalidRequestError, match=r"no column 'meta\.los'; did you mean meta\.loss\? .*meta\.step"):
            call()


def test_a_misspelt_column_to_sort_by_is_named_with_the_closest(typed: pd.DataFrame) -> None:
    """Sorting and selecting columns name the closest column too."""
    with pytest.raises(InvalidRequestError, match="no column 'sizegb'; did you mean size_gb"):
        sort_rows(typed, ["-sizegb"])


def test_an_unknown_column_is_answered_with_a_few_not_with_all() -> None:
    """The error names at most three close columns, also by a word of theirs, or else the first ones and how many more there are."""
    frame = pd.DataFrame({f"column_{n}": [n] for n in range(50)} | {"base_model": [1], "model_owner": [1]})
    with pytest.raises(InvalidRequestError, match=r"'modl'; did you mean base_model or model_owner\?$"):
        filter_rows(frame, "modl > 1")
    with pytest.raises(InvalidRequestError, match=r"'xyz'\. The columns are column_0, .*column_7 and 44 more\.$"):
        filter_rows(frame, "xyz > 1")


@given(st.datetimes(*map(datetime.fromisoformat, ("2000-01-01", "2100-01-01"))))
def test_any_time_as_text_is_that_time_in_utc(time: datetime) -> None:
    """A row of a time equals the time's text without an offset, whatever the local time zone is."""
    frame = pd.DataFrame({"time": pd.to_datetime([time], utc=True)})
    assert len(filter_rows(frame, f"time == '{time.isoformat()}'")) == 1


@pytest.mark.parametrize("query", LINEAR)
def test_a_pattern_that_backtracks_is_matched_in_linear_time(query: str) -> None:
    """A pattern that Python's engine would take years for is matched by Arrow's, also in a column of objects."""
    assert evaluate_condition(TEXTS, query).sum() == LINEAR[query]


@pytest.mark.parametrize("query", BACKTRACKING)
def test_a_pattern_that_only_a_backtracking_engine_matches_is_refused(query: str) -> None:
    """What could take forever and goes to Python's engine is refused before it is matched."""
    with pytest.raises(InvalidRequestError, match=r"could take forever|not quoted text"):
        evaluate_condition(TEXTS, query)


def test_the_columns_that_rows_are_sorted_or_filtered_by_are_known() -> None:
    """They are named as in the frame, each once, whatever stands in quotes or after a dot."""
    frame = pd.DataFrame(columns=["size_gb", "test/nll", "name", "public", "str"])
    query = "`test/nll` < 1.2 and size > '1GB' and name.str.contains('public') and name != \"size_gb\""
    assert list_used(frame, query, "-test/nll,name") == ["test/nll", "name", "size_gb"]
    assert list_used(frame, None, None) == []
