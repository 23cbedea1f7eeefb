"""`Plan.only` and `Plan.drop` select the named rows, or raise for what names none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest

import tinker_frames as tkf
from tinker_frames import policies as P  # noqa: N812
from tinker_frames.demo import DemoServer
from tinker_frames.errors import InvalidRequestError
from tinker_frames.plans.plan import Plan

ROWS = 12
LABELS = range(1, ROWS + 1)


@pytest.fixture(scope="module")
def account(shared_server: DemoServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[pd.DataFrame, Plan]]:
    """A complete listing, and a plan of some of its rows."""
    with tkf.Client(shared_server.key, shared_server.url, cache_dir=tmp_path_factory.mktemp("cache")) as client:
        frame = client.checkpoints()
        yield frame, frame.iloc[5 : 5 + ROWS].tinker.delete(client=client)


NAMED: dict[str, Callable[[pd.DataFrame], Any]] = {
    "one path": lambda some: some["tinker_path"].iloc[0],
    "a list": lambda some: some["tinker_path"].tolist(),
    "a set": lambda some: set(some["tinker_path"]),
    "an iterator": lambda some: iter(some["tinker_path"].tolist()),
    "a column": lambda some: some["tinker_path"],
    "a frame": lambda some: some,
    "a frame indexed by path": lambda some: some.set_index("tinker_path"),
    "an index of paths": lambda some: some.set_index("tinker_path").index,
    "an index of several": lambda some: some.set_index(["name", "tinker_path"]).index,
    "a mask": lambda some: pd.Series([i in some.index for i in LABELS], LABELS),
    "a mask in another order": lambda some: pd.Series([i in some.index for i in LABELS], LABELS).iloc[::-1],
    "a mask of objects": lambda some: pd.Series([i in some.index for i in LABELS], LABELS, dtype="object"),
    "an array": lambda some: np.array([i in some.index for i in LABELS]),
    "a list of flags": lambda some: [i in some.index for i in LABELS],
    "a function": lambda some: lambda frame: frame["tinker_path"].isin(some["tinker_path"]),
    "a function of another order": lambda some: lambda frame: frame.iloc[::-1]["tinker_path"].isin(some["tinker_path"]),
    "a function of labels": lambda some: lambda frame: frame.index.isin(some.index),
    "no paths": lambda some: some["tinker_path"].tolist()[:0],
}


@pytest.mark.parametrize("how", NAMED)
def test_rows_are_named_in_many_ways(account: tuple[pd.DataFrame, Plan], how: str) -> None:
    """`only` keeps exactly the named rows, and `drop` the others, in whichever way they are named."""
    _, plan = account
    some = plan.frame.iloc[[1, 4, 5]] if how != "one path" else plan.frame.iloc[[4]]
    wanted = set() if how == "no paths" else set(some["tinker_path"])
    assert set(plan.only(NAMED[how](some)).frame["tinker_path"]) == wanted
    assert set(plan.drop(NAMED[how](some)).frame["tinker_path"]) == set(plan.frame["tinker_path"]) - wanted


def test_a_mask_indexed_by_path_may_be_of_more_rows(account: tuple[pd.DataFrame, Plan]) -> None:
    """A mask of the complete listing is aligned by path, and refused with a numeric index."""
    frame, plan = account
    middle = plan.frame["size_gb"].median()
    big = frame.set_index("tinker_path")["size_gb"] > middle
    wanted = set(plan.frame.loc[plan.frame["size_gb"] > middle, "tinker_path"])
    assert 0 < len(wanted) < ROWS
    assert set(plan.only(big).frame["tinker_path"]) == wanted
    with pytest.raises(InvalidRequestError, match=r"the mask of plan\.only"):
        plan.only(frame["size_gb"] > middle)


def test_a_row_of_which_a_mask_does_not_tell_is_not_acted_on(account: tuple[pd.DataFrame, Plan]) -> None:
    """Where a mask is NA, `only` leaves the row out and `drop` drops it."""
    _, plan = account
    mask = pd.Series([True, False, None] * (ROWS // 3), LABELS, dtype="boolean")
    assert len(plan.only(mask)) == ROWS // 3
    assert len(plan.drop(mask)) == ROWS // 3


def test_a_keep_rule_selects_rows(account: tuple[pd.DataFrame, Plan]) -> None:
    """A keep rule selects rows like any function of the frame."""
    _, plan = account
    assert len(plan.only(P.keep_last(0))) == 0


WRONG: dict[str, Callable[[pd.DataFrame, pd.DataFrame], Any]] = {
    "an unknown path": lambda *_: ["tinker://oops/weights/x"],
    "text that is no path": lambda *_: "nonsense",
    "a frame of other rows": lambda frame, _: frame.tail(3),
    "a frame whose paths are missing": lambda _, own: own.assign(tinker_path=None),
    "a frame without paths": lambda frame, _: frame[["name"]],
    "a mask of other labels": lambda frame, _: frame.iloc[5 : 5 + ROWS]["step"] > 1,
    "a mask of another frame with the same labels": lambda frame, _: (
        frame.head(ROWS).reset_index(drop=True)["step"] > 1
    ),
    "a mask of another plan": lambda frame, _: frame.head(ROWS).tinker.publish().frame["step"] > 1,
    "a mask of the plan's own rows, sorted and numbered anew": lambda _, own: (
        own.sort_values("size_gb", ignore_index=True)["step"] > 1
    ),
    "a mask that was numbered elsewhere": lambda *_: pd.Series([True, False] * (ROWS // 2)),
    "a mask of fewer rows": lambda _, own: (own["step"] > 1).iloc[:5],
    "a mask of no rows": lambda _, own: (own["step"] > 1).iloc[:0],
    "a mask by path of fewer rows": lambda _, own: own.set_index("tinker_path")["step"].iloc[:5] > 1,
    "an array of another length": lambda *_: np.ones(ROWS + 1, dtype=bool),
    "positions": lambda *_: [0, 1],
    "labels": lambda _, own: own.index[:2],
    "flags and paths": lambda _, own: [True, own["tinker_path"].iloc[0]],
    "a nested list": lambda _, own: [own["tinker_path"].tolist()],
    "nothing": lambda *_: None,
    "Nones": lambda *_: [None] * ROWS,
    "a number": lambda *_: 3,
    "true": lambda *_: True,
    "bytes": lambda *_: b"tinker://a/weights/b",
    "a dict": lambda _, own: dict.fromkeys(own["tinker_path"], True),
    "a function of nothing": lambda *_: lambda frame: None,
    "a function that resets": lambda *_: lambda frame: frame.sort_values("size_gb").reset_index(drop=True)["step"] > 1,
    "a function that merges": lambda *_: (
        lambda frame: frame.merge(frame[["tinker_path"]].iloc[::-1], how="right")["step"] > 1
    ),
    "a function of fewer rows": lambda *_: lambda frame: frame.head(5)["step"] > 1,
    "a function of a Series of its own": lambda *_: lambda frame: pd.Series([True] * len(frame)),
    "a table of flags": lambda *_: np.ones((ROWS, 2), dtype=bool),
}


@pytest.mark.parametrize("how", WRONG)
def test_what_names_no_row_is_refused(account: tuple[pd.DataFrame, Plan], how: str) -> None:
    """A selection that matches no row of the plan, or is ambiguous, raises an error."""
    frame, plan = account
    for edit in (plan.only, plan.drop):
        with pytest.raises(InvalidRequestError) as caught:
            edit(WRONG[how](frame, plan.frame))
        assert caught.value.hint
        assert len(str(caught.value)) < 700
    assert len(plan) == ROWS


@pytest.mark.parametrize(
    ("query", "plain"),
    [
        ("age > '30d'", "age_days > 30"),
        ("age_days > 30", "age_days > 30"),
        ("expires_in < '2 weeks'", "expires_in_days < 14"),
        ("size > '1GB' and age < '1y'", "size_bytes > 1e9 and age_days < 365"),
        ("time > '2026-11-01'", "time > '2026-11-01T00:00:00Z'"),
    ],
)
def test_a_query_of_a_plan_knows_ages_sizes_and_times(shared_client: tkf.Client, query: str, plain: str) -> None:
    """`plan.only` takes the same words as `--where`, also the ages that a plan's frame does not show."""
    frame = shared_client.checkpoints()
    plan = frame.tinker.delete().only(query)
    assert set(plan.frame["tinker_path"]) == set(frame.query(plain)["tinker_path"])
    assert "age_days" not in plan.frame
