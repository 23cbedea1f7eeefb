"""What is known about the checkpoints of a plan."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pytest

from tinker_frames.plans.actions import ACTIONS
from tinker_frames.plans.guards import GUARDS
from tinker_frames.plans.jobs import RequestedExpiry
from tinker_frames.plans.preview import LISTED, add_expiries, collect_facts, preview_rows
from tinker_frames.plans.samplers import UNKNOWN, Loaded, find_loaded
from tinker_frames.schema.catalog import CHECKPOINTS
from tinker_frames.schema.columns import empty_frame, pandas_array

TIME = datetime(2026, 11, 1, tzinfo=UTC)


def make_listing(*rows: tuple[str, int], bare: bool = False) -> pd.DataFrame:
    """Return a listing of these paths, saved on these days."""
    empty = empty_frame(CHECKPOINTS, TIME)
    columns: dict[str, Any] = {name: [None] * len(rows) for name in ("tinker_path", "checkpoint_id", *LISTED)}
    kinds = {"weights": "training", "sampler_weights": "sampler", "external_weights": "external"}
    for place, (path, day) in enumerate(rows):
        run, segment, name = path.removeprefix("tinker://").split("/")
        columns["tinker_path"][place], columns["training_run_id"][place], columns["name"][place] = path, run, name
        columns["checkpoint_id"][place] = name if bare else f"{segment}/{name}"
        columns["checkpoint_type"][place], columns["time"][place] = kinds[segment], TIME.replace(day=day)
        columns["public"][place] = columns["expiry_unknown"][place] = False
    frame = pd.DataFrame({name: pd.Series(values, dtype="object") for name, values in columns.items()})
    return frame.astype({name: empty[name].dtype for name in columns if name != "checkpoint_type"})


def test_one_row_per_distinct_path_in_their_order() -> None:
    """Duplicate paths are one row, in the order of their first occurrence, with the listing's columns and dtypes."""
    table = make_listing(("tinker://r/weights/a", 1), ("tinker://r/weights/b", 2))
    rows = collect_facts(["tinker://r/weights/b", "tinker://r/weights/a", "tinker://r/weights/b"], table, Loaded())
    assert rows["tinker_path"].tolist() == ["tinker://r/weights/b", "tinker://r/weights/a"]
    assert list(rows["refusal"]) == ["", ""]
    for name in ("time", "public", "expires_at", "size_bytes"):
        assert rows[name].dtype == table[name].dtype


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("tinker://r/weights/gone", "not among this account's"),
        ("tinker://other/weights/a", "not among this account's"),
        ("tinker://r/optimizer/a", "unknown segment"),
        ("tinker://r/weights/..", "folder"),
        ("tinker://r/weights/a/b", "4 parts"),
        ("tinker://r/weights/", "empty"),
        ("https://r/weights/a", "does not start"),
        ("nan", "does not start"),
    ],
)
def test_what_is_unknown_or_unsafe_is_refused_with_the_reason(path: str, why: str) -> None:
    """Invalid paths, and paths of others' checkpoints, have a reason and no other values."""
    rows = collect_facts([path, "tinker://r/weights/a"], make_listing(("tinker://r/weights/a", 1)), Loaded())
    assert why in rows["refusal"].iloc[0]
    assert rows["refusal"].iloc[1] == ""
    assert rows[list(LISTED)].iloc[0].isna().all()
    assert not rows["is_newest"].iloc[0]


def test_newest_and_last_training_are_judged_by_all_of_the_run() -> None:
    """The newest is that of the entire run, not of the given rows, including ties; the last training checkpoint is a separate flag."""
    table = make_listing(
        ("tinker://r/weights/1", 1),
        ("tinker://r/weights/2", 2),
        ("tinker://r/sampler_weights/3", 3),
        ("tinker://r/sampler_weights/4", 3),
        ("tinker://q/weights/1", 1),
    )
    rows = collect_facts(table["tinker_path"], table, UNKNOWN).set_index("tinker_path")
    assert rows.index[rows["is_newest"]].tolist() == [
        "tinker://r/sampler_weights/3",
        "tinker://r/sampler_weights/4",
        "tinker://q/weights/1",
    ]
    assert rows.index[rows["is_last_training"]].tolist() == ["tinker://r/weights/2", "tinker://q/weights/1"]
    alone = collect_facts(["tinker://r/weights/1"], table, UNKNOWN)
    assert not alone["is_newest"].iloc[0]
    assert not alone["is_last_training"].iloc[0]


def test_what_samplers_have_loaded_may_not_be_known() -> None:
    """The flag is true, false, or NA if the server does not report it."""
    table = make_listing(("tinker://r/sampler_weights/1", 1), ("tinker://r/sampler_weights/2", 2))
    known = collect_facts(table["tinker_path"], table, Loaded(frozenset({"tinker://r/sampler_weights/2"})))
    assert known["loaded_by_sampler"].tolist() == [False, True]
    unknown = collect_facts(table["tinker_path"], table, UNKNOWN)
    assert unknown["loaded_by_sampler"].isna().all()
    assert known["loaded_by_sampler"].dtype == unknown["loaded_by_sampler"].dtype == pandas_array("bool", [True]).dtype


def test_half_of_a_name_of_two_types_is_refused_only_where_ids_do_not_tell() -> None:
    """Namesakes of another type count where ids are bare, even if only one was chosen; not with segments, nor in another run."""
    pair = (("tinker://r/weights/1", 1), ("tinker://r/sampler_weights/1", 2), ("tinker://q/weights/1", 1))
    bare = collect_facts([path for path, _ in pair], make_listing(*pair, bare=True), UNKNOWN)
    assert bare["namesakes"].tolist() == [2, 2, 0]
    one = collect_facts([pair[0][0]], make_listing(*pair, bare=True), UNKNOWN)
    assert one["namesakes"].tolist() == [2]
    full = collect_facts([path for path, _ in pair], make_listing(*pair), UNKNOWN)
    assert full["namesakes"].tolist() == [0, 0, 0]
    nothing = [RequestedExpiry()] * 3
    for rows, action, refused in (
        (bare, "publish", [True, True, False]),
        (bare, "delete", [False, False, False]),
        (one, "delete", [True]),
        (full, "publish", [False, False, False]),
    ):
        frame = preview_rows(add_expiries(rows, nothing[: len(rows)]), ACTIONS[action], frozenset(GUARDS), TIME)
        assert (frame["verdict"] == "refused").tolist() == refused
        assert frame["reason"].str.contains("does not tell them apart").tolist() == refused


def test_nothing_is_known_of_nothing() -> None:
    """No paths give no rows with all columns; an empty listing refuses every path."""
    none = collect_facts([], make_listing(("tinker://r/weights/1", 1)), Loaded())
    assert len(none) == 0
    rows = collect_facts(["tinker://r/weights/1"], empty_frame(CHECKPOINTS, TIME), Loaded())
    assert list(rows.columns) == list(none.columns)
    assert rows["refusal"].str.contains("not among").all()


RUN = "5b1f0c9e-2d7a-4c44-9f1b-7a3c1e2d4f60"
ROWS = (
    f"tinker://{RUN}/weights/a",
    f"tinker://{RUN}/sampler_weights/a",
    f"tinker://{RUN}/weights/b",
    "tinker://other/weights/a",
)


@pytest.mark.parametrize(
    ("model_paths", "flags"),
    [
        ([], [False, False, False, False]),
        ([ROWS[0]], [True, False, False, False]),
        (["tinker://elsewhere/weights/x"], [False, False, False, False]),
        ([f"/srv/checkpoints/{RUN}/a/adapter"], [True, True, False, False]),  # both types share a directory
        ([f"/srv/checkpoints/{RUN}/a/adapter", ROWS[3]], [True, True, False, True]),
        ([f"/srv/checkpoints/{RUN}/gone/adapter"], [None, None, None, False]),  # no such name: called otherwise on the disk?
        ([f"/srv/{RUN}/sampler_weights/a"], [None, None, None, False]),  # another layout
        ([f"/srv/checkpoints/{RUN}/gone/adapter", ROWS[0]], [True, None, None, False]),
        (["/srv/checkpoints/x/a/adapter"], [None, None, None, None]),
        (["/srv/checkpoints/x/a/adapter", ROWS[0]], [True, None, None, None]),
        # A folder that holds a run of the account holds runs, also those that are gone.
        ([f"/srv/checkpoints/{RUN}/a/adapter", "/srv/checkpoints/x/a/adapter"], [True, True, False, False]),
        ([f"/srv/checkpoints/{RUN}/a/adapter", "/mnt/x/a/adapter"], [True, True, None, None]),
        ([f"/srv/checkpoints/{RUN}/a/adapter", f"/srv/checkpoints/x/{RUN}/adapter"], [True, True, None, False]),
        (["twinkle://elsewhere/weights/x"], [False, False, False, False]),
        (["s3://other/weights/a"], [False, False, False, None]),
        # Another spelling than checkpoints have may be of any of its run; one in the usual spelling is of a checkpoint that is gone.
        ([f"tinker://{RUN}/weights/gone"], [False, False, False, False]),
        ([ROWS[0].replace(RUN, RUN.upper())], [None, None, None, False]),
        ([ROWS[0].replace(RUN, "%25" + f"{ord(RUN[0]):x}" + RUN[1:])], [None, None, None, False]),
        ([ROWS[0] + "?v=1"], [None, None, None, False]),
        ([ROWS[0] + "?v=1", ROWS[1]], [None, True, None, False]),
        ([ROWS[0] + "#a"], [None, None, None, False]),
        ([ROWS[0] + " "], [None, None, None, False]),
        ([ROWS[0].replace("/weights/", "/Weights/")], [None, None, None, False]),
        ([ROWS[2].replace("/weights/", "/sampler_weights/")], [False, False, None, False]),
        ([ROWS[2][:-1] + "B"], [False, False, None, False]),
        ([ROWS[0].replace("tinker:", "twinkle:")], [None, None, None, False]),
        ([ROWS[0].replace("tinker:", "Tinker:")], [None, None, None, False]),
        (["tinker://a%20b/weights/a"], [None, None, None, None]),
        (["tinker://r/a"], [None, None, None, None]),
        ([""], [None, None, None, None]),
    ],
)  # fmt: skip
def test_a_path_that_does_not_tell_what_is_loaded_is_not_a_no(model_paths: list[str], flags: list[bool | None]) -> None:
    """A sampler's unknown path makes its run unknown if it names one, else every checkpoint."""
    loaded = find_loaded(model_paths, {RUN, "other"}, is_complete=True)
    assert [None if flag is pd.NA else flag for flag in loaded.flag(ROWS)] == flags
    doubtful = find_loaded(model_paths, {RUN, "other"}, is_complete=False)
    assert [None if flag is pd.NA else flag for flag in doubtful.flag(ROWS)] == [flag or None for flag in flags]


def test_a_time_or_a_type_that_is_not_known_leaves_open_what_is_the_newest() -> None:
    """Next to a checkpoint without a time or type, none is known to be the newest or the last."""
    table = make_listing(("tinker://r/weights/1", 1), ("tinker://r/weights/2", 2), ("tinker://r/weights/3", 3))
    table.loc[0, "time"] = pd.NaT
    rows = collect_facts(table["tinker_path"], table, Loaded())
    for column in ("is_newest", "is_last_training"):
        assert rows[column].isna().tolist() == [True, False, True]
        assert rows[column].fillna(True).tolist() == [True, False, True]
    for kind in (None, "", "Training", "new kind", "sampler"):  # the last is not what the path says
        table = make_listing(("tinker://r/weights/1", 1), ("tinker://r/weights/2", 2)).assign(
            checkpoint_type=[kind, "training"]
        )
        rows = collect_facts(table["tinker_path"], table, Loaded())
        assert [None if flag is pd.NA else flag for flag in rows["is_last_training"]] == [None, True]
