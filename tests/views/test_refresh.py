"""Reading and refreshing the rows of a view: listings, rows read again, and rows updated after a write."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal, assert_series_equal

import tinker_frames as tkf
from tinker_frames.demo import DemoServer
from tinker_frames.errors import InvalidRequestError
from tinker_frames.schema.paths import runs_of
from tinker_frames.views import refresh
from tinker_frames.views.refresh import (
    CHANGING,
    LISTINGS,
    find_listing,
    is_whole,
    merge_refreshed,
    merge_written,
    read_checkpoints,
)

Make = Callable[..., tkf.Client]
KEYS = {
    "inventory": "tinker_path",
    "checkpoints": "tinker_path",
    "training_runs": "training_run_id",
    "sessions": "session_id",
}
AGES = ["age_days", "idle_days", "run_idle_days", "expires_in_days", "session_age_days"]  # they go on by themselves
TOTALS = [
    "session_checkpoints_count",
    "session_checkpoint_storage_bytes",
    "session_size_gb",
]  # of the session, as it was listed


def take_rows(client: tkf.Client) -> pd.DataFrame:
    """Return some rows in an order of their own, with an extra column of the user's."""
    rows = client.inventory().sort_values("size_gb", ascending=False).head(7)
    return rows.assign(mine=range(7), size_gb=0.0)


# ── listings ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_listing_is_read_by_its_name(shared_client: tkf.Client) -> None:
    """Each listing is read from the client's method; an unknown name is refused before any request."""
    for name in LISTINGS:
        assert refresh.read_listing(shared_client, name).attrs["tinker"]["table"] == name
    assert refresh.read_listing(shared_client, "runs").attrs["tinker"]["table"] == "training_runs"
    for wrong in ("samplers", "close", "", "rest"):
        with pytest.raises(InvalidRequestError, match=f"no table '{wrong}'.*inventory"):
            refresh.read_listing(shared_client, wrong)


@pytest.mark.parametrize(("dialect", "is_known"), [("official", True), ("tuft", True), ("skyrl", False)])
def test_runs_get_their_session_ids_from_the_sessions(dialect: str, is_known: bool, client_of: Make) -> None:
    """Runs whose ids do not contain their session get it from the sessions; on servers without sessions it is NA."""
    with DemoServer(runs=6, dialect=dialect) as server:
        runs = refresh.read_listing(client_of(server), "training_runs")
        assert runs["session_id"].notna().all() == is_known
        assert len(runs) == 6


def test_a_table_is_refreshed_from_its_listing() -> None:
    """A table is refreshed from its own listing, or, if it has none of that kind, from the one with the most columns."""
    assert find_listing({"table": "checkpoints"}, "checkpoints") == "checkpoints"
    assert find_listing({"table": "inventory"}, "checkpoints") == "inventory"
    assert find_listing({"table": "training_runs"}, "checkpoints") == "inventory"
    assert [find_listing({}, sort) for sort in refresh.LISTING_OF] == ["inventory", "training_runs", "sessions"]


def test_only_an_unfiltered_listing_is_whole(shared_client: tkf.Client) -> None:
    """A listing is whole, also with added columns; a filtered, limited or handmade frame, or one of some runs, is not."""
    for name in KEYS:
        rows = getattr(shared_client, name)()
        assert is_whole(rows)
        assert is_whole(rows.assign(mine=1))
        assert not is_whole(rows.head(len(rows) - 1))
        assert not is_whole(getattr(shared_client, name)(limit=3))
        assert not is_whole(pd.DataFrame(rows.to_dict("list")))
    run = shared_client.training_runs()["training_run_id"].iloc[0]
    assert not is_whole(shared_client.checkpoints(run))
    assert not is_whole(shared_client.checkpoints([run]))
    assert not is_whole(shared_client.samplers())


# ── refreshed ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", KEYS)
def test_a_refreshed_listing_has_the_current_rows(server: DemoServer, client: tkf.Client, name: str) -> None:
    """New rows are added, deleted ones removed, columns stay in order, and an added column stays beside its rows."""
    old = getattr(client, name)()
    old = old.assign(mine=range(len(old)))[["mine", *old.columns[::-1]]]
    old.attrs = getattr(client, name)().attrs
    endpoint = {"training_runs": "list_training_runs", "sessions": "search_sessions"}.get(name, "")
    server.state.remove_rows(endpoint, 1)
    server.state.add_rows(endpoint, 2)
    new = getattr(client, name)(refresh=True)
    frame = merge_refreshed(old, new, KEYS[name])
    assert list(frame.columns) == list(old.columns)
    assert_frame_equal(frame[new.columns], new, check_like=True)
    assert frame.attrs["tinker"] == new.attrs["tinker"]
    assert is_whole(frame)
    mine = old.set_index(KEYS[name])["mine"]
    kept = frame[frame[KEYS[name]].isin(mine.index)]
    assert kept["mine"].tolist() == mine[kept[KEYS[name]]].tolist()
    assert (len(kept), frame["mine"].isna().sum()) == (len(old) - 1, 2)


def test_a_refreshed_part_keeps_its_rows_and_order(server: DemoServer, client: tkf.Client) -> None:
    """Filtered and sorted rows are updated in place: deleted ones are removed, and none is added."""
    old = take_rows(client)
    paths = old["tinker_path"].tolist()
    server.state.delete(server.state.find(paths[2]))
    server.state.publish(server.state.find(paths[0]))
    server.state.add_rows("list_user_checkpoints", 3)
    new = client.inventory(refresh=True)
    frame = merge_refreshed(old, new, "tinker_path")
    left = [path for path in paths if path != paths[2]]
    assert frame["tinker_path"].tolist() == left
    assert frame["mine"].tolist() == [0, 1, 3, 4, 5, 6]
    assert frame["public"].iloc[0]
    expected = new.set_index("tinker_path").loc[left].reset_index()
    assert_frame_equal(frame[new.columns], expected[new.columns])
    assert frame.index.tolist() == list(range(6))
    assert not is_whole(frame)


def test_duplicate_and_missing_keys_are_refreshed(shared_client: tkf.Client) -> None:
    """Duplicate rows of a checkpoint stay duplicates; rows without a key are removed."""
    new = shared_client.inventory()
    path = new["tinker_path"].iloc[5]
    old = pd.DataFrame(
        {"tinker_path": [path, None, path, "tinker://no/weights/such"], "size_gb": 0, "mine": list("abcd")}
    )
    frame = merge_refreshed(old, new, "tinker_path")
    assert frame["tinker_path"].tolist() == [path, path]
    assert frame["mine"].tolist() == ["a", "c"]
    assert frame["size_gb"].tolist() == [new["size_gb"].iloc[5]] * 2
    assert len(merge_refreshed(old.head(0), new, "tinker_path")) == 0


# ── after a write ────────────────────────────────────────────────────────────────────────────────────────────────────


def change_checkpoints(server: DemoServer, paths: list[str]) -> None:
    """Publish a checkpoint, set and remove the expiry of two others, and delete a fourth."""
    server.state.publish(server.state.find(paths[0]))
    server.state.set_ttl(server.state.find(paths[1]), 7200)
    server.state.set_ttl(server.state.find(paths[2]), None)
    server.state.delete(server.state.find(paths[3]))


def pick_checkpoints(frame: pd.DataFrame) -> list[str]:
    """Return four private checkpoints, two without and two with an expiry, of at least three runs."""
    rows = frame[~frame["public"].fillna(value=False).astype(bool)]
    picked = [rows[rows["expires_at"].isna()].iloc[0], rows[rows["expires_at"].isna()].iloc[-1]]
    picked += [rows[rows["expires_at"].notna()].iloc[0], rows[rows["expires_at"].notna()].iloc[-1]]
    assert len({row["training_run_id"] for row in picked}) >= 3
    return [row["tinker_path"] for row in picked]


@pytest.mark.parametrize("name", ["inventory", "checkpoints"])
def test_rows_after_a_write_equal_a_new_listing(server: DemoServer, client: tkf.Client, name: str) -> None:
    """Changed rows have the server's state, deleted ones are gone, and other rows, order and dtypes are unchanged."""
    old = getattr(client, name)()
    paths = pick_checkpoints(old)
    change_checkpoints(server, paths)
    fresh, lost = client.read_runs(runs_of(paths))
    frame = merge_written(old, fresh, runs_of(paths), lost)
    new = getattr(client, name)(refresh=True)
    same = [column for column in new.columns if column not in AGES + TOTALS]
    assert_frame_equal(frame[same].reset_index(drop=True), new[same])
    assert frame.dtypes.to_dict() == old.dtypes.to_dict()
    assert (frame["expires_in_days"].isna() == frame["expires_at"].isna()).all()
    assert frame.loc[frame["tinker_path"] == paths[1], "expires_in_days"].iloc[0] == pytest.approx(2 / 24, abs=0.01)
    assert is_whole(frame)
    assert paths[3] in set(old["tinker_path"])


def test_a_run_that_could_not_be_read_is_unchanged(server: DemoServer, client: tkf.Client) -> None:
    """No row of a run whose list could not be read is changed or taken for deleted."""
    old = client.checkpoints()
    paths = pick_checkpoints(old)
    change_checkpoints(server, paths)
    fresh, _ = client.read_runs(runs_of(paths))
    lost = {runs_of(paths[3:])[0]}
    fresh = fresh[~fresh["training_run_id"].isin(lost)]
    frame = merge_written(old, fresh, runs_of(paths), lost)
    assert paths[3] in set(frame["tinker_path"])
    untouched = old["training_run_id"].isin(lost)
    assert_frame_equal(frame[untouched], old[untouched])
    assert frame.loc[frame["tinker_path"] == paths[0], "public"].iloc[0]


MADE = {
    "bools and floats": lambda frame: frame.astype({"public": "bool", "size_bytes": "float64"}),
    "objects": lambda frame: frame.astype({"public": "object", "expires_at": "object", "size_bytes": "object"}),
    "text": lambda frame: frame.astype({"expires_at": "str", "public": "str"}),
    "without zone": lambda frame: frame.assign(expires_at=frame["expires_at"].dt.tz_localize(None)),
    "another zone": lambda frame: frame.assign(expires_at=frame["expires_at"].dt.tz_convert("Asia/Kolkata")),
    "fine times": lambda frame: frame.assign(expires_at=frame["expires_at"].astype("datetime64[ns, UTC]")),
    "whole numbers": lambda frame: frame.assign(size_bytes=frame["size_bytes"].fillna(0).astype("int64")),
    "few columns": lambda frame: frame[["tinker_path", "public"]],
    "missing keys": lambda frame: pd.concat([frame.head(1).assign(tinker_path=None), frame], ignore_index=True),
    "twice": lambda frame: pd.concat([frame, frame], ignore_index=True),
}


@pytest.mark.few(4)
@pytest.mark.parametrize("how", MADE)
@pytest.mark.filterwarnings("ignore:The behavior of DataFrame concatenation")
def test_rows_of_any_dtype_are_updated(server: DemoServer, client: tkf.Client, how: str) -> None:
    """Handmade rows show the new state, in their own dtype if it can hold it, else in the listing's."""
    old = MADE[how](client.checkpoints()).reset_index(drop=True)
    paths = pick_checkpoints(client.checkpoints())
    change_checkpoints(server, paths)
    fresh, lost = client.read_runs(runs_of(paths))
    frame = merge_written(old, fresh, runs_of(paths), lost)
    assert set(frame["tinker_path"].dropna()) == set(old["tinker_path"].dropna()) - {paths[3]}
    assert frame["tinker_path"].isna().sum() == old["tinker_path"].isna().sum()
    rows = frame[frame["tinker_path"] == paths[0]]
    assert {str(value) for value in rows["public"]} == {"True"}
    if "expires_at" in frame.columns:
        ends = pd.to_datetime(frame.loc[frame["tinker_path"] == paths[1], "expires_at"], utc=True)
        assert (ends - pd.Timestamp.now("UTC")).dt.total_seconds().between(7000, 7200).all()
        assert frame.loc[frame["tinker_path"] == paths[2], "expires_at"].isna().all()
    if how not in ("text", "objects", "whole numbers"):
        assert frame.dtypes.to_dict() == old.dtypes.to_dict()


def test_an_unknown_size_becomes_na_in_an_integer_column() -> None:
    """An integer column that receives an unknown value becomes nullable; the value is NA."""
    old = pd.DataFrame({"tinker_path": ["tinker://r/weights/a", "tinker://q/weights/b"], "size_bytes": [5, 6]})
    fresh = pd.DataFrame({"tinker_path": ["tinker://r/weights/a"], "size_bytes": pd.array([None], dtype="Int64")})
    for name in CHANGING:
        fresh[name] = fresh.get(name)
    frame = merge_written(old, fresh, ["r"], set())
    assert frame["size_bytes"].isna().tolist() == [True, False]
    assert frame["size_bytes"].iloc[1] == 6
    assert old["size_bytes"].tolist() == [5, 6]


# ── checkpoints of rows ──────────────────────────────────────────────────────────────────────────────────────────────


def test_the_checkpoints_of_runs_and_sessions(shared_client: tkf.Client) -> None:
    """Rows of runs or sessions stand for all their checkpoints, each once; rows of checkpoints for themselves."""
    every, runs, sessions = shared_client.checkpoints(), shared_client.training_runs(), shared_client.sessions()
    assert read_checkpoints(shared_client, every.head(3), "checkpoints").equals(every.head(3))
    for rows, sort, key in (
        (runs.iloc[3:9], "training_runs", "training_run_id"),
        (sessions.iloc[2:5], "sessions", "session_id"),
    ):
        found = read_checkpoints(shared_client, pd.concat([rows, rows]), sort)
        expected = every.loc[every[key].isin(rows[key]), "tinker_path"]
        assert sorted(found["tinker_path"]) == sorted(expected)
        assert len(expected) > 1


@pytest.mark.parametrize("sort", ["training_runs", "sessions"])
def test_rows_without_an_id_have_no_checkpoints(sort: str, client_of: Make) -> None:
    """A row without an id stands for no checkpoint, not for those whose run or session is unknown."""
    key = {"training_runs": "training_run_id", "sessions": "session_id"}[sort]
    with DemoServer(runs=4, dialect="skyrl") as server:
        client = client_of(server)
        assert client.checkpoints()["session_id"].isna().all()
        for rows in (pd.DataFrame({key: [None, pd.NA]}), pd.DataFrame({key: []})):
            assert len(read_checkpoints(client, rows, sort)) == 0


@pytest.mark.parametrize(
    ("paths", "runs"),
    [
        ([], []), (["tinker://a/weights/1", "tinker://a/weights/2", "tinker://b:train:0/sampler_weights/x"], ["a", "b:train:0"]),
        (["junk", "", "tinker://", "tinker://a/b", "tinker://./weights/1"], []),
    ],
)  # fmt: skip
def test_the_runs_of_paths(paths: list[str], runs: list[str]) -> None:
    """Each run is listed once, in order; invalid paths are ignored."""
    assert runs_of(paths) == runs


def test_two_readings_differ_in_ages_only(shared_client: tkf.Client) -> None:
    """Two readings of an unchanged account differ only in the columns of ages."""
    one, other = shared_client.inventory(), shared_client.inventory(refresh=True)
    for name in one.columns.difference(AGES):
        assert_series_equal(one[name], other[name])
    values: Any = other["age_days"] - one["age_days"]
    assert values.dropna().between(0, 0.01).all()
