"""`df.tinker` for plans, weights and archives: which frames it takes, which client it uses, and what it never shows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import tinker_frames as tkf
from tinker_frames import errors
from tinker_frames import policies as P  # noqa: N812
from tinker_frames.demo import Burst, DemoServer
from tinker_frames.functions import set_default

Make = Callable[..., tkf.Client]
CALLS = {
    "publish": lambda frame, **options: frame.tinker.publish(**options),
    "unpublish": lambda frame, **options: frame.tinker.unpublish(**options),
    "set_ttl": lambda frame, **options: frame.tinker.set_ttl("30d", **options),
    "delete": lambda frame, **options: frame.tinker.delete(**options),
    "expire": lambda frame, **options: frame.tinker.expire(**options),
    "retire": lambda frame, **options: frame.tinker.retire(P.keep_named("zzz"), **options),
    "weights_info": lambda frame, **options: frame.tinker.weights_info(**options),
    "archive_urls": lambda frame, **options: frame.tinker.archive_urls(**options),
}


def paths_of(found: Any) -> list[str]:
    """Return the paths that an answer is about: a plan's, a frame's, or a mapping's."""
    rows = getattr(found, "rows", found)
    return list(rows["tinker_path"]) if isinstance(rows, pd.DataFrame) else list(rows)


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_frame_without_paths_is_refused_by_name(call: Callable[..., object]) -> None:
    """Without the column every call is an AttributeError that names it, and asks no client for anything."""
    with pytest.raises(AttributeError, match="'tinker_path'"):
        call(pd.DataFrame({"path": ["x"]}))


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_every_call_finds_the_client_that_the_frame_came_from(client_of: Make, call: Callable[..., object]) -> None:
    """With two accounts alive and another default, a frame, also filtered, goes to its own account; another client is refused."""
    with DemoServer(runs=6, keys={"tml-one": 1, "tml-two": 2}) as server:
        one, two = client_of(server, api_key="tml-one"), client_of(server, api_key="tml-two")
        frames = {client: client.checkpoints().query("checkpoint_type == 'training'").head(2) for client in (one, two)}
        set_default(two)
        for client, frame in frames.items():
            found = call(frame)
            assert set(paths_of(found)) == set(frame["tinker_path"])
            if hasattr(found, "frame"):
                assert "refused" not in set(found.frame["verdict"])
                assert found.holder.account == client.account
        with pytest.raises(errors.InvalidRequestError, match=f"{one.account}.*{two.account}"):
            call(frames[one], client=two)


@pytest.mark.parametrize("kind", ["csv", "parquet", "by hand"])
def test_frames_without_an_account_use_the_default_or_the_named_client(
    server: DemoServer, client: tkf.Client, tmp_path: Path, kind: str
) -> None:
    """A frame read back from a file or made by hand works with `client=`, and with the default client; then it runs."""
    frame = client.checkpoints().query("not public").head(3)
    if kind == "csv":
        frame.to_csv(tmp_path / "x.csv", index=False)
        back = pd.read_csv(tmp_path / "x.csv")
    elif kind == "parquet":
        frame.to_parquet(tmp_path / "x.parquet")
        back = pd.read_parquet(tmp_path / "x.parquet")
        back.attrs.clear()
    else:
        back = pd.DataFrame({"tinker_path": frame["tinker_path"].tolist()}, index=[7, 7, 7])
    assert len(back.tinker.publish(client=client)) == 3
    set_default(client)
    assert set(back.tinker.publish().run()["outcome"]) == {"done"}
    assert all(server.state.find(path).public for path in frame["tinker_path"])


def test_a_parquet_file_that_kept_its_account_is_guarded_by_it(client_of: Make, tmp_path: Path) -> None:
    """Attributes survive Parquet, so that a frame of one account is refused to another after reading it back, too."""
    with DemoServer(runs=4, keys={"tml-one": 1, "tml-two": 2}) as server:
        one, two = client_of(server, api_key="tml-one"), client_of(server, api_key="tml-two")
        one.checkpoints().head(2).to_parquet(tmp_path / "x.parquet")
        back = pd.read_parquet(tmp_path / "x.parquet")
        assert len(back.tinker.delete()) == 2
        with pytest.raises(errors.InvalidRequestError, match="account"):
            back.tinker.delete(client=two)


def test_the_outcome_of_a_plan_is_a_frame_to_go_on_with(server: DemoServer, client: tkf.Client) -> None:
    """Outcomes have the seven columns with fixed dtypes, name their plan, and are themselves a frame for another plan."""
    frame = client.checkpoints().query("not public").head(4)
    server.faults.bursts = [Burst("publish_checkpoint", 403, times=1)]
    plan = frame.tinker.publish()
    outcomes = plan.run()
    assert list(outcomes.columns) == ["tinker_path", "action", "outcome", "status", "error", "attempts", "seconds"]
    assert list(outcomes["outcome"].cat.categories) == ["done", "unchanged", "skipped", "failed", "unknown"]
    assert str(outcomes["status"].dtype) == str(outcomes["attempts"].dtype) == "Int64"
    assert outcomes.attrs["tinker"]["plan"] == plan.id
    again = outcomes.query("outcome == 'failed'").tinker.publish(client=client)
    assert again.run()["outcome"].tolist() == ["done"]
    empty = frame.head(0).tinker.publish().run()
    assert empty.dtypes.equals(outcomes.dtypes)


@pytest.mark.parametrize("ttl", ["30m", 59, "11000d", "soon", -1, 0, float("nan")])
def test_a_ttl_out_of_range_is_refused_when_the_plan_is_made(
    server: DemoServer, client: tkf.Client, ttl: object
) -> None:
    """Less than an hour, more than ten years, or what is not a duration is an error before anything is planned."""
    frame = client.checkpoints().head(1)
    with pytest.raises(errors.InvalidRequestError):
        frame.tinker.set_ttl(ttl)
    with pytest.raises(errors.InvalidRequestError):
        frame.tinker.expire(after=ttl)


# ── weights and archives ─────────────────────────────────────────────────────────────────────────────────────────────


def test_weights_info_is_one_typed_row_a_checkpoint(server: DemoServer, client: tkf.Client) -> None:
    """One row per row, in order, as the service tells it; what cannot be told carries its error and costs nothing else."""
    frame = client.checkpoints().head(4)
    gone = frame["tinker_path"].iloc[1]
    server.state.delete(server.state.find(gone))
    info = frame.tinker.weights_info()
    assert info["tinker_path"].tolist() == frame["tinker_path"].tolist()
    assert info["error"].isna().tolist() == [True, False, True, True]
    assert info.loc[1].drop(["tinker_path", "error"]).isna().all()
    for row in info.drop(1).itertuples():
        run = server.state.find(row.tinker_path).run
        assert (row.base_model, row.is_lora) == (run.base_model, run.is_lora)
        assert (None if pd.isna(row.lora_rank) else row.lora_rank) == run.lora_rank
        assert sorted((row.train_unembed, row.train_mlp, row.train_attn)) == sorted(run.trains)
    assert info.dtypes.equals(frame.head(0).tinker.weights_info().dtypes)
    assert str(info["lora_rank"].dtype) == "Int64"
    assert str(info["is_lora"].dtype) == "boolean"


def test_archive_urls_hide_themselves_and_fail_by_row(server: DemoServer, client: tkf.Client) -> None:
    """A mapping of path to signed URL whose text hides the URLs; a row without one is no key, and asking for it says why."""
    frame = client.checkpoints().head(3)
    gone = frame["tinker_path"].iloc[0]
    server.state.delete(server.state.find(gone))
    urls = pd.concat([frame, frame]).tinker.archive_urls(client=client)
    assert list(urls) == frame["tinker_path"].tolist()[1:]
    assert len(urls) == 2
    for path, url in urls.items():
        assert url.startswith(("http://", "https://"))
        assert "?" in url
        assert path in urls
    assert gone not in urls
    assert list(urls.errors) == [gone]
    assert isinstance(urls.errors[gone], errors.NotFoundError)
    assert urls.get(gone) is None
    with pytest.raises(KeyError, match="not found"):
        urls[gone]
    with pytest.raises(KeyError):
        urls["tinker://no/such/path"]
    for text in (repr(urls), str(urls), f"{urls}", repr(urls.errors)):
        assert not any(url in text for url in urls.values())
    assert "1 could not be had" in repr(urls)
    assert server.requests.count("get_checkpoint_archive_url") == 3
