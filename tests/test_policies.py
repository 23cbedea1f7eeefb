"""Keep rules: pure functions of any frame and a boolean algebra."""

from __future__ import annotations

import inspect
import json
import math
import pickle
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tinker_frames as tkf
from tinker_frames import policies as P  # noqa: N812
from tinker_frames.errors import InvalidRequestError
from tinker_frames.frames import values

NOW = pd.Timestamp.now("UTC").as_unit("us")


def frame_of(**columns: list[Any]) -> pd.DataFrame:
    """Return a frame of checkpoints with these columns and typical others."""
    rows = len(next(iter(columns.values())))
    usual: dict[str, Any] = {
        "tinker_path": [f"tinker://r/weights/{number}" for number in range(rows)],
        "training_run_id": ["r"] * rows,
        "checkpoint_type": ["training"] * rows,
        "time": [NOW - timedelta(days=rows - number) for number in range(rows)],
        "name": [str(number) for number in range(rows)],
        "step": pd.array(range(rows), dtype="Int64"),
        "public": pd.array([False] * rows, dtype="boolean"),
        "expires_at": pd.Series([pd.NaT] * rows, dtype="datetime64[us, UTC]"),
        "user_metadata": [None] * rows,
        "loaded_by_sampler": pd.array([False] * rows, dtype="boolean"),
    }
    return pd.DataFrame(usual | columns)


def list_kept(rule: P.Rule, frame: pd.DataFrame) -> list[int]:
    """Return the positions of the rows that a rule keeps."""
    return np.flatnonzero(rule(frame)).tolist()


# ── examples of each ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_keep_last_keeps_the_newest_of_each_run() -> None:
    """The n newest per run and type, or per other columns, including ties; zero keeps none."""
    frame = frame_of(
        training_run_id=["a", "b", "a", "b", "a"],
        checkpoint_type=["training", "training", "sampler", "sampler", "training"],
    )
    assert list_kept(P.keep_last(1), frame) == [1, 2, 3, 4]
    assert list_kept(P.keep_last(1, by="training_run_id"), frame) == [3, 4]
    assert list_kept(P.keep_last(2, by="training_run_id"), frame) == [1, 2, 3, 4]
    assert list_kept(P.keep_last(0), frame) == []
    assert list_kept(P.keep_last(1, by="checkpoint_type"), frame) == [3, 4]
    assert list_kept(P.keep_last(1, by=("training_run_id", "checkpoint_type")), frame) == [1, 2, 3, 4]
    assert list_kept(P.keep_last(1, by="training_run_id, checkpoint_type"), frame) == [1, 2, 3, 4]
    twins = frame_of(time=[NOW - timedelta(days=1), NOW, NOW])
    assert list_kept(P.keep_last(1), twins) == [1, 2]


def test_what_may_be_among_the_newest_is_kept() -> None:
    """A checkpoint without a time is kept along with the newest of the others; older ones are not."""
    frame = frame_of(time=[NOW, pd.NaT, NOW - timedelta(days=1)])
    assert (
        list_kept(P.keep_last(1), frame)
        == list_kept(P.keep_last(1) & ~P.keep_last(1) | P.keep_last(1), frame)
        == [0, 1]
    )
    assert list_kept(P.keep_last(2), frame) == list_kept(P.keep_last(3), frame) == [0, 1, 2]
    assert list_kept(~P.keep_last(1), frame) == [0, 1, 2]
    assert list_kept(~P.keep_last(2), frame) == [1, 2]
    assert list_kept(~P.keep_last(3), frame) == []


@pytest.mark.parametrize("name", ["training_run_id", "checkpoint_type"])
def test_what_may_be_among_the_newest_of_its_run_is_kept(name: str) -> None:
    """A checkpoint of unknown run or type is kept, since it may be the newest there; without a project, all are counted as one group."""
    frame = frame_of(time=[NOW, NOW - timedelta(days=1), NOW - timedelta(days=2)], project=[None, None, None])
    unknown = frame.assign(**{name: ["a", None, None]})
    assert list_kept(P.keep_last(1), unknown) == list_kept(~P.keep_last(1) | P.keep_last(1), unknown) == [0, 1, 2]
    assert P.keep_last(1).judge(unknown).isna().tolist() == [False, False, True]
    assert list_kept(P.best("step"), unknown.assign(step=[1, 2, 3])) == [0, 1, 2]
    assert list_kept(P.keep_last(1, by="project"), frame) == [0]


def test_what_is_not_known_is_kept_by_a_rule_and_by_its_negation() -> None:
    """Both a rule and its negation keep a row with unknown values, and the reason says so."""
    frame = frame_of(
        time=[pd.NaT, NOW],
        public=pd.array([None, False], dtype="boolean"),
        loaded_by_sampler=pd.array([None, False], dtype="boolean"),
        expiry_unknown=pd.array([True, False], dtype="boolean"),
    )
    for rule in (P.keep_public(), P.used_by_samplers(), P.newer_than("1d"), P.no_ttl(), P.expiring("7d")):
        for either in (rule, ~rule, ~~rule):
            assert 0 in list_kept(either, frame)
            assert either.reasons(frame).iloc[0] == f"not known: {either}"
        assert list_kept(rule & ~rule, frame) == [0]
        assert list_kept(rule | ~rule, frame) == [0, 1]
    assert list_kept(P.keep_public() & P.keep_named("7"), frame) == []  # known not to be both
    assert list_kept(P.no_ttl(), frame.drop(columns="expiry_unknown").assign(expires_at=["later", ""])) == [0, 1]
    assert list_kept(P.expiring("7d"), frame.drop(columns="expiry_unknown").assign(expires_at=["later", ""])) == [0]


def test_keep_every_keeps_steps_that_are_multiples() -> None:
    """Steps divisible by k, including 0, are kept; rows without a step are not."""
    frame = frame_of(step=pd.array([0, 100, 150, 200, None], dtype="Int64"))
    assert list_kept(P.keep_every(100), frame) == [0, 1, 3]
    assert list_kept(P.keep_every(1), frame) == [0, 1, 2, 3]


def test_keep_final_knows_the_names_of_last_checkpoints() -> None:
    """`final` and `last` match as words in any case, not as parts of words."""
    names = ["final", "Final", "step-400-final", "final_2", "last", "finally", "semifinal", "blast", "0001", None]
    assert list_kept(P.keep_final(), frame_of(name=names)) == [0, 1, 2, 3, 4]


def test_keep_public_keeps_what_may_be_public() -> None:
    """Public and unknown are kept, private is not."""
    frame = frame_of(public=pd.array([True, False, None], dtype="boolean"))
    assert list_kept(P.keep_public(), frame) == [0, 2]


def test_keep_named_searches_a_regular_expression() -> None:
    """The expression may match anywhere; an invalid one raises when the rule is made."""
    frame = frame_of(name=["best-a", "a-best", "x", None, "BEST"])
    assert list_kept(P.keep_named("best"), frame) == [0, 1]
    assert list_kept(P.keep_named("^best"), frame) == [0]
    assert list_kept(P.keep_named("(?i)best"), frame) == [0, 1, 4]
    names = "|".join(f"best-{number}" for number in range(50))  # many names are no risk, unlike many groups of them
    assert list_kept(P.keep_named(names), frame) == list_kept(P.keep_named(f"^({names})$"), frame) == []
    with pytest.raises(InvalidRequestError, match="not a regular expression"):
        P.keep_named("(")


def test_newer_than_keeps_the_young_and_the_undated() -> None:
    """Checkpoints created within the duration, or at an unknown time, are kept."""
    frame = frame_of(time=[NOW - timedelta(days=40), NOW - timedelta(days=29), pd.NaT])
    assert list_kept(P.newer_than("30d"), frame) == [1, 2]
    assert list_kept(P.newer_than(timedelta(days=50)), frame) == [0, 1, 2]


def test_has_metadata_looks_into_the_json() -> None:
    """A key, or a key with a value as text, matches; text that is not a JSON object does not."""
    texts = ['{"team":"evals"}', '{"team":"rl","n":3}', "{}", None, "not json", "[1]", '{"team":null}']
    frame = frame_of(user_metadata=texts)
    assert list_kept(P.has_metadata("team"), frame) == [0, 1, 6]
    assert list_kept(P.has_metadata("team", "rl"), frame) == [1]
    assert list_kept(P.has_metadata("n", 3), frame) == list_kept(P.has_metadata("n", "3"), frame) == [1]


def test_used_by_samplers_keeps_what_may_be_loaded() -> None:
    """Loaded and unknown are kept; without the column the rule says what it needs."""
    frame = frame_of(loaded_by_sampler=pd.array([True, False, None], dtype="boolean"))
    assert list_kept(P.used_by_samplers(), frame) == [0, 2]
    with pytest.raises(AttributeError, match=r"used_by_samplers\(\) needs the column 'loaded_by_sampler'"):
        P.used_by_samplers()(frame.drop(columns="loaded_by_sampler"))


def test_no_ttl_and_expiring_look_at_the_expiry() -> None:
    """A missing expiry, or one within the duration, including past ones, matches."""
    frame = frame_of(expires_at=[pd.NaT, NOW + timedelta(days=3), NOW + timedelta(days=30), NOW - timedelta(days=1)])
    assert list_kept(P.no_ttl(), frame) == [0]
    assert list_kept(P.expiring("7d"), frame) == [1, 3]
    assert list_kept(P.no_ttl() | P.expiring("60d"), frame) == [0, 1, 2, 3]


def test_best_by_metadata_and_by_column() -> None:
    """The best n of each run by a metadata key or a column, smallest or largest; non-finite values are never best."""
    losses = ["2.0", "1.0", "x", 0.5, None, "nan", "-inf", [1], True]
    texts = [json.dumps({"loss": loss}) for loss in losses]
    frame = frame_of(user_metadata=texts, training_run_id=["a", "a", "a", "b", "b", "b", "b", "b", "a"])
    assert list_kept(P.best(), frame) == [1, 3, 8]
    assert list_kept(P.best(n=3), frame) == [0, 1, 3, 8]
    assert list_kept(P.best(smallest=False), frame) == [0, 3]
    for rule in (P.best(by="meta.other"), P.best(by="name")):
        with pytest.raises(InvalidRequestError, match="would keep nothing"):
            rule(frame.assign(name="x"))
    assert list_kept(P.best(by="meta.other"), frame.head(0)) == []
    assert list_kept(P.best(), frame_of(user_metadata=['{"loss":1}', '{"loss":1}', '{"loss":2}'])) == [0, 1]
    by_column = frame_of(eval=["3", None, "1", "2"])
    assert list_kept(P.best(by="eval"), by_column) == [1, 2], "of a column, what is not known may be the best"
    assert list_kept(P.best(by="eval", n=2, smallest=False), by_column) == [0, 1, 3]
    assert list_kept(~P.best(by="eval"), by_column) == [0, 1, 2, 3]
    expanded = frame_of(**{"meta.loss": [0.1, 0.2, 0.3]}).drop(columns="user_metadata")
    assert list_kept(P.best(), expanded) == [0]


@pytest.mark.parametrize(
    ("rule", "column"),
    [
        (P.keep_last(1), "time"),
        (P.keep_last(1, by="project"), "project"),
        (P.keep_every(2), "step"),
        (P.keep_public(), "public"),
        (P.best(), "user_metadata"),
        (P.best(by="eval"), "eval"),
        (P.keep_named("x") | ~P.no_ttl(), "expires_at"),
    ],
    ids=str,
)
def test_a_missing_column_is_named_with_its_rule(rule: P.Rule, column: str) -> None:
    """A missing column is an AttributeError that names the column and the rule."""
    frame = frame_of(name=["x"]).drop(columns=column, errors="ignore")
    with pytest.raises(AttributeError, match=rf"needs the column '{column}'"):
        rule(frame)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("meta.loss", "best('meta.loss')"),
        ("loss:2", "best('loss', n=2)"),
        ("accuracy:max", "best('accuracy', smallest=False)"),
        ("meta.a:b:3:min", "best('meta.a:b', n=3)"),
        ("meta.a:b:1:max", "best('meta.a:b', smallest=False)"),
        ("loss:2:min:finite", "best('loss', n=2, finite=True)"),
        ("reward:finite:max", "best('reward', smallest=False, finite=True)"),
        ("test/accuracy:min", "best('test/accuracy', smallest=True)"),
        ("reward_loss", "best('reward_loss')"),
    ],
)
def test_best_as_text(text: str, rule: str) -> None:
    """`--best METRIC[:N][:max][:finite]` names a metric, how many are kept, whether larger values are better, and what NaN means."""
    made = P.join_rules({"best": text})
    assert str(made) == rule
    assert str(eval(made.code, {"tkf": tkf})) == rule


@pytest.mark.parametrize(
    "text", ["test/accuracy", "env/all/reward/total:2", "pass@1:finite", "loss:max:min", "loss:x:max"]
)
def test_a_direction_is_not_guessed(text: str) -> None:
    """Of a metric whose larger values are usually better, the worst would be kept: the direction has to be said, and one only."""
    with pytest.raises(InvalidRequestError, match=r"larger values of|both max and min|neither a number"):
        P.join_rules({"best": text})


def test_the_best_can_be_finite() -> None:
    """What is infinite, or NaN in its log, is not known and kept; with `finite` it is worse than every number. Without a log it stays unknown."""
    odd = [pd.NA, '["eval"]', pd.NA, '["other"]', pd.NA]
    frame = frame_of(eval=[2.0, math.nan, math.inf, math.nan, 1.0], not_finite=odd)
    assert list_kept(P.best("eval"), frame) == [1, 2, 3, 4]
    assert list_kept(P.best("eval", finite=True), frame) == [3, 4]
    assert list_kept(P.best("eval", n=2, finite=True), frame) == [0, 3, 4]
    assert list_kept(P.best("eval", finite=True), frame.iloc[1:3]) == []
    with pytest.raises(InvalidRequestError, match="every eval is NaN or infinite"):
        P.best("eval")(frame.iloc[1:4])


@pytest.mark.parametrize("by", ["los", "meta.los"])
def test_a_misspelt_metric_is_named_with_the_closest(by: str) -> None:
    """A metric that is no column and no key of the metadata is an error that names the closest key."""
    frame = frame_of(user_metadata=['{"loss":1,"step":2}'])
    with pytest.raises((AttributeError, InvalidRequestError), match=rf"; did you mean {by}s\?"):
        P.best(by)(frame)


def test_best_takes_a_key_without_its_prefix() -> None:
    """A metric that is no column is a key of the metadata if a row has it; a column of that name comes first."""
    frame = frame_of(user_metadata=['{"loss":2}', '{"loss":1}'])
    assert list_kept(P.best("loss"), frame) == [1]
    assert list_kept(P.best("loss"), frame.assign(loss=[1, 2])) == [0]


@pytest.mark.parametrize("n", [-1, 1.5, "3", True, None])
def test_a_count_has_to_be_a_count(n: Any) -> None:
    """A count that is not a non-negative integer raises when the rule is made."""
    for make in (P.keep_last, lambda count: P.best(n=count)):
        with pytest.raises(InvalidRequestError, match="not a whole number"):
            make(n)
    with pytest.raises(InvalidRequestError, match="not a whole number of 1 or more"):
        P.best(n=0)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: P.newer_than(30), "30 is not a duration with a unit"),
        (lambda: P.newer_than("30"), "not a duration"),
        (lambda: P.newer_than(timedelta(days=-1)), "not a duration with a unit"),
        (lambda: P.expiring(7), "7 is not a duration with a unit"),
        (lambda: P.keep_named(3), "3 is not a regular expression"),
        (lambda: P.has_metadata(""), "'' is not a key"),
        (lambda: P.best(3), "3 is not a column"),
        (lambda: P.keep_last(1, by=[]), "no column"),
        (lambda: P.keep_last(1, by=[3]), "3 is not the name of a column"),
        (lambda: P.best(per=""), "'' is not the name of a column"),
    ],
)
def test_a_value_that_means_nothing_is_refused_when_the_rule_is_made(make: Any, said: str) -> None:
    """A bare number for a duration, or an empty key, raises an error that names the value."""
    with pytest.raises(InvalidRequestError, match=said):
        make()


@pytest.mark.parametrize(
    "other", ["x", None, True, 3, len, pd.Series([True])], ids=["text", "none", "bool", "number", "function", "mask"]
)
def test_a_rule_is_combined_with_rules_only(other: Any) -> None:
    """Combining a rule with another type raises, on either side."""
    rule = P.keep_public()
    for combine in (lambda: rule | other, lambda: rule & other, lambda: other | rule, lambda: other & rule):
        with pytest.raises(TypeError, match=r"keep_public\(\) can be combined with a keep rule only"):
            combine()


def test_what_is_counted_by_can_be_said_once_for_several_rules() -> None:
    """`per` is passed to the counting rules only."""
    rule = P.join_rules({"keep_last": 3, "best": ["meta.loss"], "keep_final": True}, per="training_run_id")
    assert str(rule) == "keep_last(3, by='training_run_id') | best('meta.loss', per='training_run_id') | keep_final()"
    assert {name for name, rule in P.RULES.items() if rule.counts} == {"keep_last", "best"}
    others: list[dict[str, Any]] = [{"keep_final": True}, {"keep_final": True, "keep_last": None, "best": []}]
    for other in others:
        with pytest.raises(InvalidRequestError, match="without a rule that counts"):
            P.join_rules(other, per="name")


def test_rules_are_pickled() -> None:
    """Rules and their combinations are pickled by the calls that made them, and keep the same rows."""
    frame = frame_of(name=["final", "a", "b", "c"], user_metadata=['{"loss":1}', '{"loss":3}', '{"loss":2}', "{}"])
    for rule in (
        P.keep_final(),
        ~P.keep_named("a") & P.best(n=2),
        P.keep_final() | P.keep_named("b"),
        P.newer_than("7d"),
    ):
        again = pickle.loads(pickle.dumps(rule))
        assert (str(again), again.code, again.columns) == (str(rule), rule.code, rule.columns)
        assert list_kept(again, frame) == list_kept(rule, frame)


def test_rules_read_as_they_were_written() -> None:
    """The text of a rule is the call that made it, with needed parentheses, and is valid code."""
    one, two, three = P.keep_last(3), P.keep_public(), P.expiring("7d")
    for rule in (
        one & ~three | two,
        one & (two | three),
        ~(one & two),
        ~~one,
        P.best(n=2, smallest=False, per="project"),
        P.newer_than(timedelta(days=30)) | P.expiring(timedelta(hours=36)),
        P.has_metadata("a", "b(c)") & P.keep_named("keep_last"),
        P.best("loss", per=["project", "team"]),
        P.keep_last(2, by=["project", "team"]),
    ):
        assert repr(eval(repr(rule), vars(P))) == repr(rule)
        assert repr(eval(rule.code, {"tkf": tkf})) == repr(rule)
    assert repr(one & (two | ~three)) == "keep_last(3) & (keep_public() | ~expiring('7d'))"


def test_the_mask_of_a_rule_of_ones_own_is_aligned() -> None:
    """A custom rule's Series is aligned with the rows; other rows, or a non-mask, raise an error that names the rule."""
    frame = pd.DataFrame({"step": [3, 1, 2]}, index=[7, 7, 8])
    asked = {
        "sorted": lambda rows: rows.sort_values("step")["step"] > 1,
        "array": lambda rows: (rows["step"] > 1).to_numpy(),
    }
    for name, mask in asked.items():
        assert P.Rule(name, mask)(frame).tolist() == [True, False, True]
    wrong = {
        "fewer": lambda rows: rows[rows["step"] > 1]["step"] > 1,
        "others": lambda rows: (rows["step"] > 1).set_axis([5, 6, 7]),
        "numbers": lambda rows: rows["step"],
        "one": lambda rows: True,
        "frame": lambda rows: rows > 1,
        "a set": lambda rows: {True, False},
        "reset": lambda rows: rows.sort_values("step").reset_index(drop=True)["step"] > 1,
        "made anew": lambda rows: pd.Series([True, False, True]),
    }
    for name, mask in wrong.items():
        with pytest.raises(InvalidRequestError, match=f"the mask of {name} "):
            P.Rule(name, mask)(frame)


@pytest.mark.parametrize(
    ("keep", "said"),
    [
        (P.keep_last, r"the keep rule keep_last was not called. Call it: tkf\.policies\.keep_last\(3\)\."),
        (P.keep_public, r"Call it: tkf\.policies\.keep_public\(\)\."),
        (lambda frame: frame["step"] > 1, r"a function is not a keep rule.*tkf\.policies\.Rule\("),
        (P, "a module is not a keep rule"),
        ("keep_last(3)", "'keep_last\\(3\\)' is not a keep rule"),
    ],
)
def test_what_is_no_rule_says_how_to_make_one(shared_client: tkf.Client, keep: Any, said: str) -> None:
    """A rule that was not called, and anything else, is refused by name and not by an address in memory."""
    with pytest.raises(InvalidRequestError, match=said) as caught:
        shared_client.checkpoints().tinker.retire(keep=keep)
    assert " at 0x" not in str(caught.value)


def test_a_rule_finds_its_columns_in_the_index() -> None:
    """A rule reads identity columns from the index, and its mask has the frame's index."""
    frame = pd.DataFrame(
        {
            "tinker_path": ["a", "b", "c"],
            "training_run_id": ["r", "r", "s"],
            "checkpoint_type": "training",
            "time": ["2026-01-01", "2026-01-02", "2026-01-01"],
        }
    )
    for labels in ("tinker_path", ["training_run_id", "tinker_path"]):
        kept = P.keep_last(1)(frame.set_index(labels))
        assert kept.index.equals(frame.set_index(labels).index)
        assert kept.tolist() == [False, True, True]


def test_rules_are_not_truth_values() -> None:
    """`and`, `or` and `not` would silently drop a rule, so they raise."""
    for combine in (lambda a, b: a and b, lambda a, b: a or b, lambda a, b: not a):
        with pytest.raises(TypeError, match=r"with & \| ~"):
            combine(P.keep_public(), P.no_ttl())


def test_frames_read_back_as_text_give_the_same_masks(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a CSV without dtypes every rule keeps the same rows at the same time."""
    monkeypatch.setattr(values, "_now", lambda: NOW)
    with tkf.demo.account(runs=14, seed=2, hostile=True) as client:
        frame = client.checkpoints()
    frame["loaded_by_sampler"] = frame["public"]
    path = pd.io.common.StringIO(frame.to_csv(index=False))
    for options in ({}, {"dtype": "object"}, {"dtype": "str"}):
        path.seek(0)
        back = pd.read_csv(path, **options)
        for rule in RULES:
            assert rule(back).tolist() == rule(frame).tolist(), (rule, options)


# ── for any frame ────────────────────────────────────────────────────────────────────────────────────────────────────

RULES = [
    P.keep_last(1),
    P.keep_last(3),
    P.keep_every(3),
    P.keep_final(),
    P.keep_public(),
    P.keep_named("a|1"),
    P.newer_than("30d"),
    P.has_metadata("loss"),
    P.has_metadata("loss", "1"),
    P.used_by_samplers(),
    P.no_ttl(),
    P.expiring("7d"),
    P.best(),
    P.best(n=2, smallest=False),
]
TIMES = st.one_of(st.none(), st.integers(-500, 500).map(lambda days: NOW + timedelta(days=days)))
FLAGS = st.sampled_from([True, False, None])
TEXTS = st.one_of(st.none(), st.sampled_from(["final", "a", "1", "0001", "", "é"]), st.text(max_size=4))
NUMBERS = st.one_of(st.none(), st.integers(0, 1000))
METADATA = st.one_of(
    st.none(),
    st.text(max_size=5),
    st.dictionaries(
        st.sampled_from(["loss", "x"]), st.one_of(st.none(), st.integers(), st.floats(), st.text(max_size=3), st.lists(st.integers(), max_size=2)), max_size=2
    ).map(json.dumps),
)  # fmt: skip
COLUMNS = {
    "training_run_id": st.sampled_from(["a", "b", None]),
    "checkpoint_type": st.sampled_from(["training", "sampler", None]),
    "time": TIMES,
    "name": TEXTS,
    "step": NUMBERS,
    "public": FLAGS,
    "expires_at": TIMES,
    "user_metadata": METADATA,
    "loaded_by_sampler": FLAGS,
}
ROW = st.fixed_dictionaries(COLUMNS)


@st.composite
def frames(draw: Any) -> pd.DataFrame:
    """Any frame of checkpoints: NA, typical or unusual dtypes, and any index."""
    rows = draw(st.lists(ROW, max_size=12))
    if rows:
        rows[0]["user_metadata"] = '{"loss":1}'  # without any number, `best` is refused
    columns = {name: [row[name] for row in rows] for name in COLUMNS}
    odd = draw(st.booleans())
    frame = pd.DataFrame({name: pd.Series(values, dtype="object") for name, values in columns.items()})
    if not odd:
        frame["time"], frame["expires_at"] = (
            pd.to_datetime(frame[name], utc=True).astype("datetime64[us, UTC]") for name in ("time", "expires_at")
        )
        frame["step"], frame["training_run_id"] = (
            frame["step"].astype("Int64"),
            frame["training_run_id"].astype("category"),
        )
        for name in ("public", "loaded_by_sampler"):
            frame[name] = frame[name].astype("boolean")
    frame.insert(
        0, "tinker_path", pd.Series([f"tinker://r/weights/{number}" for number in range(len(rows))], dtype="object")
    )
    labels = draw(st.sampled_from(["range", "same", "text", "missing"]))
    if labels != "range":
        label: Any = {"same": 7, "text": "x", "missing": np.nan}[labels]
        frame.index = pd.Index([label] * len(rows), dtype="object")
    return frame


RULE = st.recursive(
    st.sampled_from(RULES),
    lambda rules: st.one_of(
        rules.map(lambda rule: ~rule),
        st.tuples(rules, rules).map(lambda two: two[0] & two[1]),
        st.tuples(rules, rules).map(lambda two: two[0] | two[1]),
    ),
    max_leaves=4,
)
FEW = settings(max_examples=21, suppress_health_check=[HealthCheck.too_slow])


@FEW
@given(frames(), RULE)
def test_any_rule_on_any_frame_gives_one_bool_a_row_and_changes_nothing(frame: pd.DataFrame, rule: P.Rule) -> None:
    """The mask is bool without NA, has the frame's index and is stable; the frame is unchanged; kept rows have reasons."""
    before = frame.copy(deep=True)
    mask, reasons = rule(frame), rule.reasons(frame)
    pd.testing.assert_frame_equal(frame, before)
    assert mask.dtype == bool
    assert mask.index.equals(frame.index)
    assert rule(frame).tolist() == mask.tolist()
    assert [bool(reason) for reason in reasons] == mask.tolist()
    assert reasons.index.equals(frame.index)


@pytest.mark.slow
@FEW
@given(frames(), RULE, RULE)
def test_rules_are_a_boolean_algebra(frame: pd.DataFrame, one: P.Rule, other: P.Rule) -> None:
    """Combined rules follow three-valued logic row by row; unknown rows are kept."""
    a, b = one.judge(frame), other.judge(frame)
    assert (one & other)(frame).tolist() == (a & b).fillna(True).tolist()
    assert (one | other)(frame).tolist() == (a | b).fillna(True).tolist()
    assert (~one)(frame).tolist() == (~a).fillna(True).tolist()
    assert (~(one | other))(frame).tolist() == (~one & ~other)(frame).tolist()
    assert (one & ~one)(frame).tolist() == a.isna().tolist()


@FEW
@given(frames(), st.integers(0, 6))
def test_keep_last_keeps_so_many_of_every_run(frame: pd.DataFrame, n: int) -> None:
    """Each run keeps at least min(n, its size) rows, and each dropped row has n newer ones; rows without a run are kept by any n but 0."""
    mask = P.keep_last(n, by="training_run_id")(frame).to_numpy()
    runs = frame["training_run_id"].astype("object").map(lambda run: "none" if pd.isna(run) else run).to_numpy()
    times = np.array([np.inf if pd.isna(time) else time.timestamp() for time in frame["time"]])
    assert mask[runs == "none"].all() or n == 0
    for run in {*runs} - {"none"}:
        of_run = runs == run
        assert mask[of_run].sum() >= min(n, of_run.sum())
        known = times[of_run & np.isfinite(times)]
        for gone in times[of_run & ~mask]:
            assert (known > gone).sum() >= n
        for stay in times[of_run & mask & np.isfinite(times)]:
            assert (known > stay).sum() < n


@FEW
@given(frames(), RULE, st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(frame: pd.DataFrame, rule: P.Rule, chance: Any) -> None:
    """A shuffled frame keeps the same checkpoints, unless there are ties."""
    frame = frame.assign(time=[NOW - timedelta(hours=number) for number in range(len(frame))])
    frame["user_metadata"] = [json.dumps({"loss": number}) for number in range(len(frame))]
    order = list(range(len(frame)))
    chance.shuffle(order)
    mixed = frame.iloc[order]
    assert set(mixed.loc[rule(mixed).to_numpy(), "tinker_path"]) == set(
        frame.loc[rule(frame).to_numpy(), "tinker_path"]
    )


def test_every_keep_rule_is_declared_once() -> None:
    """The rules of the command line and the views are the functions of this module."""
    public = {name for name, value in vars(P).items() if inspect.isfunction(value) and value.__module__ == P.__name__}
    makers = {name for name in public if inspect.signature(getattr(P, name)).return_annotation == "Rule"}
    assert set(P.RULES) == makers - {"join_rules", "check_rule"}
    kinds = {name: rule.kind for name, rule in P.RULES.items()}
    assert kinds == {
        "keep_last": "count",
        "keep_every": "count",
        "keep_final": "flag",
        "keep_public": "flag",
        "keep_named": "text",
        "newer_than": "duration",
        "has_metadata": "text",
        "used_by_samplers": "flag",
        "no_ttl": "flag",
        "read_within": "duration",
        "expiring": "duration",
        "best": "text",
    }


@pytest.mark.parametrize(
    ("values", "rule"),
    [
        ({"keep_last": 3, "keep_final": True, "keep_public": False}, "keep_last(3) | keep_final()"),
        ({"keep_named": ["a", "b"], "newer_than": None}, "keep_named('a') | keep_named('b')"),
        ({"has_metadata": ["team=x=y", "seed"]}, "has_metadata('team', 'x=y') | has_metadata('seed')"),
        ({"best": "meta.loss:2"}, "best('meta.loss', n=2)"),
        ({"best": "meta.a:b"}, None),
        ({"keep_last": 0}, "keep_last(0)"),
        ({"keep_last": None}, None),
        ({"keep_last": ""}, None),
        ({"keep_last": True}, None),
        ({"keep_final": 0}, None),
        ({"keep_final": ""}, None),
        ({"keep_final": "no"}, None),
        ({"keep_named": ""}, None),
        ({"best": "meta.loss:0"}, None),
        ({"newer_than": 30}, None),
        ({"keep_least": 1}, None),
        ({}, None),
    ],
)
def test_several_named_values_make_one_rule(values: dict[str, Any], rule: str | None) -> None:
    """Named values are combined with or; unknown names, and a rule that keeps nothing, raise."""
    if rule is None:
        with pytest.raises(InvalidRequestError):
            P.join_rules(values)
    else:
        assert str(P.join_rules(values)) == rule
