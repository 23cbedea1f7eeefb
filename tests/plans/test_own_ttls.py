"""`set_ttl` with a TTL for each row, and plans that go to another process."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pytest

import tinker_frames as tkf
from tinker_frames.demo import DemoServer
from tinker_frames.errors import InvalidRequestError
from tinker_frames.functions import set_default

GUARDS = ("public", "newest", "last_training", "sampler", "expiry")
TTLS = ["30d", "2 weeks", 7200]


@pytest.fixture
def few(client: tkf.Client) -> pd.DataFrame:
    """Three checkpoints, not in the order of their labels."""
    return client.checkpoints().sort_values("size_bytes").head(3)


@pytest.mark.parametrize("kind", ["series", "column", "paths", "timedeltas"])
def test_each_row_gets_its_own_ttl(kind: str, few: pd.DataFrame, client: tkf.Client) -> None:
    """A Series of the rows or of paths, and the name of a column, give each row its TTL; the plan says so, and runs."""
    ttls = pd.Series(TTLS, index=few.index, dtype="object")
    given: Any = {
        "series": ttls,
        "column": "keep_for",
        "paths": ttls.set_axis(few["tinker_path"])[::-1],
        "timedeltas": pd.to_timedelta(["30D", "14D", "2h"]).to_series(index=few.index),
    }[kind]
    plan = few.assign(keep_for=ttls).tinker.set_ttl(given).allow(*GUARDS)
    assert "will each expire at their own time" in str(plan)
    assert plan.run(confirm=True)["outcome"].tolist() == ["done"] * 3
    now = client.checkpoints(refresh=True).set_index("tinker_path")
    for path, days in zip(few["tinker_path"], (30, 14, 2 / 24), strict=True):
        assert now.loc[path, "expires_in_days"] == pytest.approx(days, abs=0.01)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda frame: pd.Series(["30d", None, "1d"], index=frame.index), "no TTL is given for tinker://"),
        (lambda frame: pd.Series(["30d", "1 min", "1d"], index=frame.index), "out of the range of TTLs"),
        (lambda frame: pd.Series(["30d"] * 3, index=[7, 8, 9]), "other rows"),
        (lambda frame: pd.Series(["30d"], index=pd.Index(frame["tinker_path"].head(1), name="tinker_path")), "no TTL is given"),
        (lambda frame: "no such column", "is not a duration"),
        (lambda frame: "size_bits", "'size_bits' is neither a duration nor a column of the frame; did you mean size_bytes"),
    ],
)  # fmt: skip
def test_a_row_without_a_ttl_is_refused(make: Callable[[pd.DataFrame], Any], said: str, few: pd.DataFrame) -> None:
    """A row without a TTL, one out of range, and a Series of other rows are errors: nothing stands for never."""
    with pytest.raises(InvalidRequestError, match=said):
        few.tinker.set_ttl(make(few))


@pytest.mark.parametrize("is_indexed", [False, True])
def test_a_row_without_a_path_needs_no_ttl(is_indexed: bool, few: pd.DataFrame, client: tkf.Client) -> None:
    """It is one refused row, as in every plan, and the others get their TTLs."""
    frame = few.assign(tinker_path=[None, *few["tinker_path"].tail(2)])
    ttls = pd.Series([None, *TTLS[1:]], index=frame["tinker_path"] if is_indexed else frame.index)
    found = frame.tinker.set_ttl(ttls, client=client).allow(*GUARDS).frame
    assert dict(zip(found["tinker_path"], found["verdict"], strict=True)) == {
        "": "refused", **dict.fromkeys(few["tinker_path"].tail(2), "send")
    }  # fmt: skip
    assert found["expires_after"].nunique() == 2


def test_a_plan_is_pickled_without_its_client(few: pd.DataFrame, client: tkf.Client, server: DemoServer) -> None:
    """A pickled plan holds no key, and asks for the same when it is read, by the client of its account or the default one."""
    plan = few.tinker.set_ttl(pd.Series(TTLS, index=few.index)).allow(*GUARDS)
    text = pickle.dumps(plan)
    assert server.key.encode() not in text
    again = pickle.loads(text)
    assert (again.id, again.allowed, again.effect) == (plan.id, plan.allowed, plan.effect)
    pd.testing.assert_series_equal(again.rows["ttl_seconds"], plan.rows["ttl_seconds"])
    assert again.run(confirm=True)["outcome"].tolist() == ["done"] * 3


def test_a_plan_without_a_client_in_the_process(few: pd.DataFrame, client: tkf.Client) -> None:
    """Where neither an open client nor a default one is of the plan's account, reading it is an error that says so."""
    text = pickle.dumps(few.tinker.delete())
    client.close()
    with DemoServer(runs=1) as other, tkf.Client(other.key, other.url, cache=False) as default:
        set_default(default)
        with pytest.raises(InvalidRequestError, match="this plan is of the account"):
            pickle.loads(text)


def test_times_of_their_own_survive_a_file(few: pd.DataFrame, client: tkf.Client, tmp_path: Any) -> None:
    """A saved plan has each row's TTL."""
    ends = few.tinker.set_ttl(pd.Series(TTLS, index=few.index)).save(tmp_path / "plan.json")
    after = client.load_plan(ends).frame["expires_after"]
    assert after.max() - datetime.now(UTC) > timedelta(days=29)
    assert after.nunique() == 3
