"""Plans on servers that are not the official one: honest outcomes, and nothing sent that hits another checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pandas as pd
import pytest

import tinker_frames as tkf
from tinker_frames import policies as P  # noqa: N812
from tinker_frames.demo import DemoServer
from tinker_frames.functions import undo
from tinker_frames.plans.preview import GUARDS

Make = Callable[..., tkf.Client]
ALL = tuple(GUARDS)
WRITES = ("delete_checkpoint", "publish_checkpoint", "unpublish_checkpoint", "set_checkpoint_ttl", "unknown")


@pytest.fixture
def tuft() -> Iterator[DemoServer]:
    with DemoServer(runs=8, dialect="tuft") as server:
        yield server


@pytest.fixture
def skyrl() -> Iterator[DemoServer]:
    with DemoServer(runs=8, dialect="skyrl") as server:
        yield server


def writes(server: DemoServer) -> int:
    return sum(server.requests.count(name) for name in WRITES)


def clear_of_collisions(client: tkf.Client, rows: int) -> pd.DataFrame:
    """Return private checkpoints whose name no other type of their run has."""
    frame = client.checkpoints(by="run").query("not public")
    return frame[~frame.duplicated(["training_run_id", "name"], keep=False)].head(rows)


def test_half_of_a_pair_is_refused_where_types_are_ignored(tuft: DemoServer, client_of: Make) -> None:
    """Where the server ignores the type, one of two namesakes is refused, of any action, and exactly the others are gone afterwards."""
    client = client_of(tuft)
    frame = client.checkpoints(by="run")
    pairs = frame[frame.duplicated(["training_run_id", "name"], keep=False)]
    half = set(pairs.drop_duplicates(["training_run_id", "name"])["tinker_path"])
    assert 0 < len(pairs) < len(frame)
    assert set(pairs.tinker.publish().frame["verdict"]) == {"refused"}
    rest = frame[~frame["tinker_path"].isin(set(pairs["tinker_path"]) - half)]
    plan = rest.tinker.delete().allow(*ALL)
    assert set(plan.frame.query("verdict == 'refused'")["tinker_path"]) == half
    outcomes = plan.run(confirm=True).set_index("tinker_path")
    assert set(outcomes.loc[sorted(half), "outcome"]) == {"skipped"}
    assert set(outcomes.drop(list(half))["outcome"]) == {"done"}
    assert set(client.checkpoints(by="run")["tinker_path"]) == set(pairs["tinker_path"])


def test_a_pair_of_which_both_go_is_deleted_anywhere(tuft: DemoServer, client_of: Make) -> None:
    """Two namesakes are deleted together also where the server ignores the type; if one is held, or gone from the plan, neither is."""
    client = client_of(tuft)
    frame = client.checkpoints(by="run")
    pairs = frame[frame.duplicated(["training_run_id", "name"], keep=False)]
    plan = pairs.tinker.delete().allow(*ALL)
    assert set(plan.frame["verdict"]) == {"send"}
    one = plan.frame["tinker_path"].iloc[0]
    assert (plan.drop(one).frame["verdict"] == "refused").sum() == 1
    assert set(plan.run(confirm=True)["outcome"]) == {"done"}
    assert set(client.checkpoints(by="run")["tinker_path"]) == set(frame["tinker_path"]) - set(pairs["tinker_path"])


def test_a_pair_is_judged_again_when_it_is_sent(tuft: DemoServer, client_of: Make) -> None:
    """If one of two namesakes has changed since the plan was made, the other is not sent either."""
    client = client_of(tuft)
    frame = client.checkpoints(by="run").query("not public")
    pairs = frame[frame.duplicated(["training_run_id", "name"], keep=False)].head(2)
    assert pairs["name"].nunique() == 1
    plan = pairs.tinker.delete().allow(*ALL)
    changed = tuft.state.find(pairs["tinker_path"].iloc[0])
    assert changed is not None
    tuft.state.publish(changed)
    outcomes = plan.run(confirm=True)
    assert set(outcomes["outcome"]) == {"skipped"}
    assert writes(tuft) == 0


def test_half_of_a_pair_may_go_where_the_server_distinguishes_types(skyrl: DemoServer, client_of: Make) -> None:
    """A server that lists bare ids and refuses to describe a sampler's weights reads the type: one of two namesakes is not refused."""
    frame = client_of(skyrl).checkpoints(by="run")
    pairs = frame[frame.duplicated(["training_run_id", "name"], keep=False)]
    assert not frame["checkpoint_id"].str.contains("/").any()
    assert len(pairs) > 2
    plan = pairs[pairs["checkpoint_type"] == "training"].tinker.delete().allow(*ALL)
    assert set(plan.frame["verdict"]) == {"send"}
    assert skyrl.requests.count("get_weights_info") == 2


def test_tuft_publishes_and_says_that_it_cannot_unpublish(tuft: DemoServer, client_of: Make) -> None:
    """Publishing is done; unpublishing fails with its status, the rows stay public, and hundreds do not take seconds each."""
    client = client_of(tuft, retries=1)
    frame = clear_of_collisions(client, 20)
    assert len(frame) > 10
    assert set(frame.tinker.publish().run(confirm=True)["outcome"]) == {"done"}
    tuft.requests.clear()
    outcomes = undo(client=client)
    assert set(outcomes["outcome"]) == {"failed"}
    assert set(outcomes["status"]) == {500}
    assert writes(tuft) <= len(frame) + 6 * 4
    after = client.checkpoints(by="run").set_index("tinker_path")
    assert after.loc[frame["tinker_path"], "public"].all()


@pytest.mark.parametrize("dialect", ["tuft", "skyrl"])
def test_a_server_without_expiry_says_so(dialect: str, client_of: Make) -> None:
    """TTL, expire and retire with `after` fail on every row, with words, and change nothing."""
    with DemoServer(runs=8, dialect=dialect) as server:
        client = client_of(server)
        frame = clear_of_collisions(client, 4)
        before = len(client.checkpoints(by="run"))
        for plan in (
            frame.tinker.set_ttl("30d"),
            frame.tinker.expire(),
            frame.tinker.retire(P.keep_last(0), after="24h"),
        ):
            outcomes = plan.allow(*ALL).run(confirm=True)
            assert set(outcomes["outcome"]) == {"failed"}
            assert outcomes["error"].notna().all()
        assert len(client.checkpoints(by="run")) == before


def test_tuft_says_500_for_what_is_gone(tuft: DemoServer, client_of: Make) -> None:
    """A row that somebody deleted between reading and sending is not sent five times, and is not claimed as failed."""
    client = client_of(tuft)
    frame = clear_of_collisions(client, 3)
    plan = frame.tinker.delete().allow(*ALL)
    path = frame["tinker_path"].iloc[0]

    def vanish(endpoint: str, content: object) -> object:
        if endpoint == "list_checkpoints" and tuft.state.find(path) is not None:
            tuft.state.delete(tuft.state.find(path))
        return content

    tuft.faults.edit = vanish
    outcomes = plan.run().set_index("tinker_path")
    assert outcomes["attempts"].tolist() == [1, 1, 1]
    assert outcomes.loc[path, "outcome"] in ("done", "skipped")
    assert set(outcomes.drop(path)["outcome"]) == {"done"}


@pytest.mark.parametrize("call", ["publish", "unpublish"])
def test_skyrl_has_no_writes_and_says_so(skyrl: DemoServer, client_of: Make, call: str) -> None:
    """On a server without write routes every row fails at its first try, with the hint that the server lacks it, and is still there."""
    client = client_of(skyrl)
    frame = clear_of_collisions(client, 6)
    plan = getattr(frame.tinker, call)().allow(*ALL)
    outcomes = plan.run(confirm=True)
    if call == "unpublish":  # it shows nothing as public
        assert set(outcomes["outcome"]) == {"unchanged"}
        return
    assert set(outcomes["outcome"]) == {"failed"}
    assert set(outcomes["attempts"]) == {1}
    assert outcomes["error"].str.contains("lacks").all()
    assert set(frame["tinker_path"]) <= set(client.checkpoints(by="run")["tinker_path"])


def test_where_samplers_are_not_told_the_plan_says_so(skyrl: DemoServer, client_of: Make) -> None:
    """Without a way to know what samplers loaded, every row is held and says so, until that is allowed; `used_by_samplers` keeps all."""
    client = client_of(skyrl)
    frame = client.checkpoints(by="run")
    plan = frame.tinker.delete()
    assert plan.frame["loaded_by_sampler"].isna().all()
    assert plan.frame["warnings"].str.contains("not known whether a sampler").all()
    rows = plan.frame.query("verdict != 'refused'")
    assert (rows["verdict"] == "held").all()
    assert rows["reason"].str.contains("not known whether a sampler has loaded it").all()
    assert " 0 loaded by a sampler" not in repr(plan)
    allowed = plan.allow(*ALL)
    number = (allowed.frame["verdict"] == "send").sum()
    assert f"{number} perhaps loaded by a sampler" in " ".join(repr(allowed).split())
    assert len(frame.tinker.retire(keep=P.used_by_samplers())) == 0


def test_a_path_of_the_servers_disk_tells_what_a_sampler_has_loaded(tuft: DemoServer, client_of: Make) -> None:
    """TuFT's samplers name a folder; checkpoints of that run and name are held, also where a plan runs later."""
    client = client_of(tuft)
    folders = client.samplers()["model_path"].dropna()
    assert len(folders) > 0
    assert folders.str.endswith("/adapter").all()
    frame = client.checkpoints(by="run")
    plan = frame.tinker.delete().frame
    named = (plan["training_run_id"] + "/" + plan["name"]).isin(
        [path.split("checkpoints/")[1][:-8] for path in folders]
    )
    assert named.any()
    assert plan.loc[named, "loaded_by_sampler"].all()
    assert (plan.loc[named, "verdict"] != "send").all()
