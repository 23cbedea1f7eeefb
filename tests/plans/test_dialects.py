"""Plans on compatible servers: correct outcomes, and no write that affects another checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pandas as pd
import pytest

import tinker_frames as tkf
from tests.events import StopAfter
from tinker_frames import policies as P  # noqa: N812
from tinker_frames.demo import DemoServer
from tinker_frames.functions import journal, resume, undo
from tinker_frames.plans import runner
from tinker_frames.plans.guards import GUARDS
from tinker_frames.plans.preview import build_jobs

Make = Callable[..., tkf.Client]
ALL = tuple(GUARDS)
WRITES = ("delete_checkpoint", "publish_checkpoint", "unpublish_checkpoint", "set_checkpoint_ttl", "unknown")


@pytest.fixture
def tuft() -> Iterator[DemoServer]:
    with DemoServer(runs=8, dialect="tuft") as server:
        yield server


def writes(server: DemoServer) -> int:
    return sum(server.requests.count(name) for name in WRITES)


def find_unambiguous(client: tkf.Client, rows: int) -> pd.DataFrame:
    """Return private checkpoints whose name is unique within their run."""
    frame = client.checkpoints(by="run").query("not public")
    return frame[~frame.duplicated(["training_run_id", "name"], keep=False)].head(rows)


def test_half_of_a_pair_is_refused_where_types_are_ignored(tuft: DemoServer, client_of: Make) -> None:
    """If the server ignores the type, one of two namesakes is refused by any action, and exactly the others are gone."""
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


@pytest.mark.few(3)
@pytest.mark.parametrize(
    "unreadable",
    [
        *({"tinker_path": path} for path in (5, "", "tinker://other/weights/0001")),
        *({"tinker_path": "{path}" + end} for end in ("?v=1", "/x", " ")),
        *({"checkpoint_id": id_} for id_ in (5, "weights/other", "")),
        None,
    ],
    ids=str,
)
def test_an_unreadable_row_may_be_the_other_half_of_a_pair(
    tuft: DemoServer, client_of: Make, unreadable: dict[str, object] | None
) -> None:
    """Where a half of a pair is malformed in a run's list, by its path or by its id, the other one is not sent."""
    client = client_of(tuft)
    frame = client.checkpoints(by="run")
    pairs = frame[frame.duplicated(["training_run_id", "name"], keep=False)]
    half = pairs[pairs["checkpoint_type"] == "sampler"]["tinker_path"].iloc[0]
    twin = half.replace("/sampler_weights/", "/weights/")

    def spoil(row: dict[str, object]) -> object:
        if row["tinker_path"] != twin or unreadable is None:
            return row if row["tinker_path"] != twin else 5
        return row | {
            key: str(v).replace("{path}", twin) if key == "tinker_path" and v != 5 else v
            for key, v in unreadable.items()
        }

    tuft.faults.edit = lambda name, body: (
        body | {"checkpoints": [spoil(row) for row in body["checkpoints"]]} if name == "list_checkpoints" else body
    )
    client.cache.clear()
    outcomes = frame[frame["tinker_path"] == half].tinker.delete().allow(*ALL).run(confirm=True)
    assert outcomes["outcome"].tolist() == ["skipped"]
    with pytest.raises(tkf.errors.TinkerError):
        client.rest.delete_checkpoint(half)
    assert writes(tuft) == 0
    assert {half, twin} <= {row.tinker_path for row in tuft.state.run_checkpoints(half.split("/")[2])}


def test_a_pair_of_which_both_go_is_deleted_anywhere(tuft: DemoServer, client_of: Make) -> None:
    """Two namesakes are deleted together even if the server ignores the type; if one is held or dropped, neither is."""
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
    """If one of two namesakes changed since the plan was made, the other is not sent either."""
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


@pytest.mark.few(3)
@pytest.mark.parametrize("outcome", [None, "done", "failed"])
def test_a_kill_between_the_halves_of_a_pair(tuft: DemoServer, client_of: Make, outcome: str | None) -> None:
    """Where the server took the other half of a pair for the one that was sent, resume deletes the rest, and both are done."""
    client = client_of(tuft)
    frame = client.checkpoints(by="run")
    pairs = frame[frame.duplicated(["training_run_id", "name"], keep=False)].sort_values(["name", "tinker_path"])
    plan = pairs.head(2).tinker.delete().allow(*ALL)
    sampler, training = plan.frame["tinker_path"]
    kept = client.planner.journal()
    kept.record_plan(plan.id, tuft.url, "delete", build_jobs(plan.rows), None, ALL)
    kept.record_attempt(plan.id, sampler, 1, datetime.now(UTC))
    if outcome:
        kept.record_outcome(plan.id, sampler, outcome)
    tuft.state.delete(tuft.state.find(training))
    assert resume(plan.id, client=client).set_index("tinker_path")["outcome"].to_dict() == dict.fromkeys((sampler, training), "done")  # fmt: skip
    assert set(journal(client=client)["outcome"]) == {"done"}
    assert not {sampler, training} & set(client.checkpoints(by="run")["tinker_path"])


def test_an_interruption_between_the_halves_of_a_pair(tuft: DemoServer, client_of: Make) -> None:
    """The half that the server deletes first is the one that is sent first, so that the outcomes of a run that was stopped in between are true."""
    client = client_of(tuft)
    frame = client.checkpoints(by="run")
    pairs = frame[frame.duplicated(["training_run_id", "name"], keep=False)].sort_values(["name", "tinker_path"])
    plan = pairs.head(2).tinker.delete().allow(*ALL)
    outcomes = plan.run(confirm=True, max_workers=1, progress=StopAfter(1))
    assert dict(zip(outcomes["tinker_path"], outcomes["outcome"], strict=True)) == {
        path: "skipped" if tuft.state.find(path) else "done" for path in plan.frame["tinker_path"]
    }
    assert sorted(outcomes["outcome"]) == ["done", "skipped"]
    assert not outcomes.attrs["tinker"]["other_changes"]
    assert set(resume(plan.id, client=client)["outcome"]) == {"done"}


@pytest.mark.slow
def test_the_halves_of_a_pair_that_are_sent_long_after_another(
    tuft: DemoServer, client_of: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A half that a new reading shows as gone, since the server took it for the other, leaves neither behind."""
    monkeypatch.setattr(runner, "STALE_S", 0.0)
    frame = client_of(tuft).checkpoints(by="run")
    pairs = frame[frame.duplicated(["training_run_id", "name"], keep=False)].sort_values("tinker_path")
    plan = pairs.tinker.delete().allow(*ALL)
    assert set(plan.run(confirm=True, max_workers=1)["outcome"]) == {"done"}
    assert not any(map(tuft.state.find, pairs["tinker_path"]))


@pytest.mark.few(3)
@pytest.mark.parametrize("kind", ["training", "sampler"])
@pytest.mark.parametrize(("dialect", "requests"), [("skyrl-main", 2), ("twinkle", 0), ("official", 0)])
def test_half_of_a_pair_goes_where_the_server_distinguishes_types(
    dialect: str, requests: int, kind: str, client_of: Make
) -> None:
    """Exactly the planned one of two namesakes is deleted, even with bare ids."""
    with DemoServer(runs=5, dialect=dialect) as server:
        client = client_of(server)
        frame = client.checkpoints(by="run")
        pairs = frame[frame.duplicated(["training_run_id", "name"], keep=False)]
        half = pairs[pairs["checkpoint_type"] == kind]
        assert 1 < len(half) < len(pairs)
        server.requests.clear()
        plan = half.tinker.delete().allow(*ALL)
        assert set(plan.frame["verdict"]) == {"send"}
        assert server.requests.count("get_weights_info") == requests
        assert set(plan.run(confirm=True)["outcome"]) == {"done"}
        assert set(client.checkpoints(by="run")["tinker_path"]) == set(frame["tinker_path"]) - set(half["tinker_path"])


@pytest.mark.parametrize("kind", ["training", "sampler"])
@pytest.mark.parametrize(("call", "given"), [("publish", ()), ("set_ttl", ("30d",))])
def test_one_half_is_changed_and_the_other_is_not(
    kind: str, call: str, given: tuple[str, ...], client_of: Make
) -> None:
    """Publishing and setting a TTL reach exactly the planned half of namesakes, in both directions."""
    with DemoServer(runs=5) as server:
        client = client_of(server)
        frame = client.checkpoints(by="run").query("not public and expires_at.isna()")
        pairs = frame[frame.duplicated(["training_run_id", "name"], keep=False)]
        half = pairs[pairs["checkpoint_type"] == kind].head(3)
        assert set(getattr(half.tinker, call)(*given).allow(*ALL).run(confirm=True)["outcome"]) == {"done"}
        after = client.checkpoints(by="run").set_index("tinker_path").loc[frame["tinker_path"]]
        assert set(after.index[after["public"] | after["expires_at"].notna()]) == set(half["tinker_path"])


def test_one_half_is_deleted_by_its_path_alone(client_of: Make) -> None:
    """`rest.delete_checkpoint` deletes the namesake of the path; a bare id is refused by the server and deletes none."""
    with DemoServer(runs=5, dialect="skyrl-main") as server:
        client = client_of(server)
        frame = client.checkpoints(by="run")
        pair = frame[frame.duplicated(["training_run_id", "name"], keep=False)].sort_values("tinker_path").head(2)
        with pytest.raises(tkf.errors.InvalidRequestError, match="Expected format"):
            client.rest.delete_checkpoint(pair["training_run_id"].iloc[0], pair["name"].iloc[0])
        client.rest.delete_checkpoint(pair["tinker_path"].iloc[0])
        found = [server.state.find(path) is None for path in pair["tinker_path"]]
        assert found == [True, False]


@pytest.mark.parametrize(("dialect", "statuses"), [("skyrl-main", {405}), ("twinkle", {405}), ("skyrl", {404})])
def test_half_of_a_pair_is_asked_for_what_the_server_lacks(dialect: str, statuses: set[int], client_of: Make) -> None:
    """If types are distinguished, a TTL of one namesake is not a collision: it fails because the server lacks it."""
    with DemoServer(runs=5, dialect=dialect) as server:
        client = client_of(server, retries=0)
        frame = client.checkpoints(by="run")
        pairs = frame[frame.duplicated(["training_run_id", "name"], keep=False)]
        outcomes = pairs.drop_duplicates("training_run_id").tinker.set_ttl("30d").allow(*ALL).run(confirm=True)
        assert set(outcomes["outcome"]) == {"failed"}
        assert set(outcomes["status"]) == statuses
        assert outcomes["error"].str.contains("does not support").all()
        assert set(client.checkpoints(by="run", refresh=True)["tinker_path"]) == set(frame["tinker_path"])


@pytest.mark.slow
def test_tuft_publishes_and_says_that_it_cannot_unpublish(tuft: DemoServer, client_of: Make) -> None:
    """Publishing is done; unpublishing fails with its status, and hundreds of rows do not take seconds each."""
    client = client_of(tuft, retries=1)
    frame = find_unambiguous(client, 20)
    assert len(frame) > 10
    assert set(frame.tinker.publish().run(confirm=True)["outcome"]) == {"done"}
    tuft.requests.clear()
    outcomes = undo(client=client)
    assert set(outcomes["outcome"]) == {"failed"}
    assert set(outcomes["status"]) == {500}
    assert writes(tuft) <= len(frame) + 6 * 4
    after = client.checkpoints(by="run").set_index("tinker_path")
    assert after.loc[frame["tinker_path"], "public"].all()


@pytest.mark.few(2)
@pytest.mark.parametrize("dialect", ["tuft", "skyrl", "skyrl-main", "twinkle"])
def test_a_server_without_expiry_says_so(dialect: str, client_of: Make) -> None:
    """TTL, expire and retire with `after` fail on every row with an explanation, and change nothing."""
    with DemoServer(runs=8, dialect=dialect) as server:
        client = client_of(server)
        frame = find_unambiguous(client, 4)
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
    """A row deleted between reading and sending is not sent five times, and is not reported as failed."""
    client = client_of(tuft)
    frame = find_unambiguous(client, 3)
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


@pytest.mark.few(2)
@pytest.mark.parametrize("call", ["publish", "unpublish"])
@pytest.mark.parametrize("dialect", ["skyrl", "skyrl-main", "twinkle"])
def test_what_is_never_public_says_so(dialect: str, client_of: Make, call: str) -> None:
    """Publishing fails on each row at the first attempt, even if the server reports success; there is nothing to unpublish."""
    with DemoServer(runs=8, dialect=dialect) as server:
        client = client_of(server, retries=0)
        frame = find_unambiguous(client, 6)
        outcomes = getattr(frame.tinker, call)().allow(*ALL).run(confirm=True)
        if call == "unpublish":  # it shows nothing as public
            assert set(outcomes["outcome"]) == {"unchanged"}
            return
        assert set(outcomes["outcome"]) == {"failed"}
        assert set(outcomes["attempts"]) == {1}
        assert outcomes["error"].str.contains("as it was" if dialect == "twinkle" else "does not support").all()
        after = client.checkpoints(by="run", refresh=True).set_index("tinker_path")
        assert not after.loc[frame["tinker_path"], "public"].any()
        with pytest.raises(tkf.errors.InvalidRequestError):  # nothing was done
            undo(client=client)


def test_single_writes_of_twinkle_paths_end_as_plans_do(client_of: Make) -> None:
    """`client.rest` accepts `twinkle://` paths: a delete is done, and unsupported writes raise."""
    with DemoServer(runs=5, dialect="twinkle") as server:
        client = client_of(server, retries=0)
        path = client.checkpoints()["tinker_path"].iloc[0]
        assert client.rest.get_weights_info_by_tinker_path(path)["base_model"]
        with pytest.raises(tkf.errors.TinkerError, match="as it was"):
            client.rest.publish_checkpoint(path)
        with pytest.raises(tkf.errors.NotFoundError):
            client.rest.unpublish_checkpoint(path)
        with pytest.raises(tkf.errors.NotSupportedError):
            client.rest.set_checkpoint_ttl_from_tinker_path(path, 86_400)
        with pytest.raises(tkf.errors.NotSupportedError):
            client.rest.get_checkpoint_archive_url(path)
        client.rest.delete_checkpoint(path)
        assert server.state.find(path) is None


@pytest.mark.parametrize("dialect", ["skyrl", "skyrl-main", "twinkle"])
def test_where_samplers_are_not_told_the_plan_says_so(dialect: str, client_of: Make) -> None:
    """If the loaded checkpoints are unknown, every row is held for that reason until it is allowed; `used_by_samplers` keeps all."""
    with DemoServer(runs=8, dialect=dialect) as server:
        _check_held_for_samplers(client_of(server))


def _check_held_for_samplers(client: tkf.Client) -> None:
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
    assert f"{number} possibly loaded by a sampler" in " ".join(repr(allowed).split())
    assert len(frame.tinker.retire(keep=P.used_by_samplers())) == 0


def test_a_sampler_of_a_run_that_is_gone_holds_nothing_else(tuft: DemoServer, client_of: Make) -> None:
    """Where samplers name folders, one of a run that the account no longer has leaves the others as they are, also in a new process."""
    before = client_of(tuft).checkpoints(by="run").tinker.delete().frame.set_index("tinker_path")["loaded_by_sampler"]
    gone = tuft.state.add_run()
    tuft.state.add_sampler(tuft.state.add_checkpoint(gone, "sampler", "final").tinker_path)
    tuft.state.remove_run(gone)
    client = client_of(tuft, cache=False)
    after = client.checkpoints(by="run").tinker.delete().frame.set_index("tinker_path")["loaded_by_sampler"]
    assert before.notna().all()
    assert after.to_dict() == before.to_dict()


def test_a_path_of_the_servers_disk_tells_what_a_sampler_has_loaded(tuft: DemoServer, client_of: Make) -> None:
    """TuFT's samplers name a folder; checkpoints of that run and name are held, also in a later run of the plan."""
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
