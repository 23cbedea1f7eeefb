"""Contracts of every table: what a declaration promises holds for decoded rows."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pytest

from tinker_frames.errors import SchemaError
from tinker_frames.listings.decode import Decoder
from tinker_frames.schema import catalog
from tinker_frames.schema.columns import Column, Table, empty_frame, pandas_dtype, to_frame

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
READ = (
    catalog.CHECKPOINTS,
    catalog.RUN_CHECKPOINTS,
    catalog.TRAINING_RUNS,
    catalog.SESSIONS,
    catalog.SESSION_DETAILS,
    catalog.SAMPLERS,
    catalog.USAGE,
    catalog.STORAGE,
)
ALL = (catalog.INVENTORY, *READ, catalog.COSTS, *catalog.DETAILED.values(), catalog.SESSION_IDS)
SAMPLE: dict[str, Any] = {
    "text": "tinker://s:train:0/weights/0001", "category": "training", "int": 2**53 + 1, "float": 0.5, "bool": True,
    "time": "2026-11-20T09:14:03.361867Z", "json": {"a": "b"}, "texts": ["x"],
}  # fmt: skip

# Every field of wire.md 3, by table, and the column that holds it.
WIRE = {
    "checkpoints": {
        "checkpoint_id", "checkpoint_type", "time", "tinker_path", "size_bytes", "public", "expires_at", "user_metadata",
        "base_model",
    },
    "training_runs": {
        "training_run_id", "base_model", "model_owner", "is_lora", "corrupted", "lora_rank", "last_request_time",
        "user_metadata",
        *(
            f"{last}.{field}"
            for last in ("last_checkpoint", "last_sampler_checkpoint")
            for field in (
                "checkpoint_id", "checkpoint_type", "time", "tinker_path", "size_bytes", "public", "expires_at",
                "user_metadata", "base_model",
            )
        ),
    },
    "sessions": {
        "session_id", "owner", "project_id", "created_at", "checkpoints_count", "display_name", "user_metadata",
        "checkpoint_storage_bytes", "status.type", "status.detail", "status.category", "status.message",
        "status.reason.type", "status.reason.request_id", "status.reason.request_type",
        "status.reason.training_run_id", "status.reason.sampling_session_id",
    },
    "session_details": {"training_run_ids", "sampler_ids", "user_metadata", "display_name"},
    "samplers": {"sampler_id", "base_model", "model_path"},
    "usage": {
        "bucket_start", "bucket_end", "base_model", "user_id", "user_name", "session_id", "project_id", "estimated_cost_usd",
        "effective_rate_usd_per_million_tokens", "effective_rate_usd_per_gigabyte_month", "event_info.type", "event_info.token_count",
        "event_info.cached", "event_info.count", "event_info.gigabyte_hours", "event_info.free",
    },
    "storage": {
        "project_id", "org_user_urn", "user_email", "user_name", "checkpoint_count", "size_bytes", "size_gigabytes",
        "estimated_monthly_cost_usd",
    },
}  # fmt: skip


def row(table: Table, *, optional: bool = True) -> dict[str, Any]:
    """Return a row as a server sends it, with all fields or only the required ones."""
    made: dict[str, Any] = {}
    for column in table.sent:
        if optional or column.required:
            place = made
            for part in column.path[:-1]:
                place = place.setdefault(part, {})
            place[column.path[-1]] = SAMPLE[column.kind]
    return made


def frame_of(table: Table, *rows: dict[str, Any]) -> tuple[pd.DataFrame, Decoder]:
    """Return the frame of rows, and its decoder."""
    decoder = Decoder(table)
    decoder.feed(json.dumps({table.items: list(rows)}).encode())
    return to_frame(table, decoder.finish(), NOW), decoder


def every_column() -> list[tuple[str, Column]]:
    """Return every column of every table with the name of its table."""
    return [(table.name, column) for table in ALL for column in table.columns]


@pytest.mark.parametrize("table", READ, ids=lambda table: table.name)
def test_an_empty_frame_has_the_columns_and_dtypes_of_a_full_one(table: Table) -> None:
    """An empty listing has the columns and dtypes of a full one, except for new categories."""
    full, _ = frame_of(table, row(table))
    empty, _ = frame_of(table)
    made = empty_frame(table, NOW)
    assert list(full.columns) == list(empty.columns) == list(made.columns) == table.names
    for name in table.names:
        assert empty[name].dtype == made[name].dtype == pandas_dtype(table[name])
        if table[name].kind == "category":
            declared = list(empty[name].cat.categories)
            assert list(full[name].cat.categories)[: len(declared)] == declared
        else:
            assert full[name].dtype == empty[name].dtype, name


@pytest.mark.parametrize("table", READ, ids=lambda table: table.name)
def test_a_full_row_arrives_value_by_value(table: Table) -> None:
    """Every column shows the value that was sent, and only the unknown category is reported."""
    frame, decoder = frame_of(table, row(table))
    for column in table.sent:
        value, sent = frame[column.name][0], SAMPLE[column.kind]
        if column.kind == "json":
            assert json.loads(value) == sent
        elif column.kind == "time":
            assert value == pd.Timestamp(sent)
        elif column.kind == "texts":
            assert value == tuple(sent)
        else:
            assert value == sent, column.name
    assert all(problem["problem"].startswith("unknown value") for problem in decoder.problems.as_list())
    assert decoder.lacks() == []


@pytest.mark.parametrize("table", READ, ids=lambda table: table.name)
def test_a_row_without_its_optional_fields_is_na_or_its_default(table: Table) -> None:
    """A missing optional field is NA or its default; the dtypes stay the same."""
    frame, decoder = frame_of(table, row(table, optional=False))
    for column in table.sent:
        if column.required:
            assert frame[column.name].notna().all()
        elif column.default is None:
            assert frame[column.name].isna().all(), column.name
        else:
            assert frame[column.name][0] == column.default
        assert frame[column.name].dtype == pandas_dtype(column) or column.kind == "category"
    assert set(decoder.lacks()) == {column.name for column in table.sent if not column.required}


@pytest.mark.parametrize("table", READ, ids=lambda table: table.name)
def test_missing_required_fields_are_all_listed(table: Table) -> None:
    """Missing required fields raise one SchemaError that names exactly them."""
    required = [column.name for column in table.sent if column.required]
    with pytest.raises(SchemaError) as caught:
        frame_of(table, {}, row(table))
    for column in table.sent:
        assert (f"{column.name} (in 1 of 2 rows)" in str(caught.value)) == (column.name in required), column.name


@pytest.mark.parametrize("table", [table for table in READ if table.key], ids=lambda table: table.name)
def test_rows_are_told_apart_by_the_key(table: Table) -> None:
    """The key is a required text column, and a repeated key is one row with the last values, NA in what guards need and it contradicts."""
    assert table[table.key].kind == "text"
    assert table[table.key].required
    first, second = row(table, optional=False), row(table)
    frame, _ = frame_of(table, first, second, row(table) | {table.key: "another"})
    assert frame[table.key].tolist() == [second[table.key], "another"]
    for column in table.sent:
        assert frame[column.name].notna().tolist() == [not column.disputable, True], column.name


@pytest.mark.parametrize("table", [table for table in READ if not table.key], ids=lambda table: table.name)
def test_rows_without_a_key_are_all_kept(table: Table) -> None:
    """Rows that nothing identifies, such as billing events, are never taken for one, and a malformed value names no example."""
    odd = row(table) | {"project_id": 5}
    frame, decoder = frame_of(table, row(table), row(table), odd)
    assert len(frame) == 3
    assert decoder.unidentified == 0
    assert all(problem["examples"] == [] for problem in decoder.problems.as_list())


@pytest.mark.parametrize("name", WIRE)
def test_every_field_of_the_wire_has_a_column(name: str) -> None:
    """Each field of wire.md 3 is the source of exactly one column, and no column has an unknown source."""
    table = next(table for table in READ if table.name == name)
    sources = [".".join(column.path) for column in table.sent]
    added = {"session_id"} if name in ("session_details", "samplers") else set()
    assert sorted(sources) == sorted(WIRE[name] | added)


@pytest.mark.parametrize("table", ALL, ids=lambda table: table.name)
def test_column_names_are_unique(table: Table) -> None:
    """Column names are unique within a table."""
    assert len(set(table.names)) == len(table.names)


@pytest.mark.parametrize("table", catalog.TABLES.values(), ids=lambda table: table.name)
def test_the_key_is_a_column_of_its_table(table: Table) -> None:
    """Rows of every public table are identified by a column, not by position."""
    assert table.key in table.names


def test_every_column_says_what_it_means() -> None:
    """Every column has a one-line description, without the pipe that would break a table."""
    for table, column in every_column():
        assert len(column.doc) > 5, (table, column.name)
        assert "\n" not in column.doc
        assert "|" not in column.doc


def test_every_time_says_utc() -> None:
    """The description of every time names its time zone."""
    times = [(table, column) for table, column in every_column() if column.kind == "time"]
    assert times
    for table, column in times:
        assert "UTC" in column.doc, (table, column.name)


def test_every_size_names_its_unit() -> None:
    """The description of every size, age and duration names the unit."""
    units = {"_bytes": "byte", "_gb": "10^9 bytes", "_days": "days"}
    for table, column in every_column():
        for ending, unit in units.items():
            if column.name.endswith(ending):
                assert unit in column.doc, (table, column.name)


def test_a_name_means_one_kind_everywhere() -> None:
    """A column name has the same kind in every table, so that a file can be read without knowing its table."""
    kinds: dict[str, set[str]] = {}
    for _, column in every_column():
        kinds.setdefault(column.name, set()).add(column.kind)
    assert {name: kind for name, kind in kinds.items() if len(kind) > 1} == {}
    assert {name: column.kind for name, column in catalog.known_columns().items()}.items() <= {
        name: next(iter(kind)) for name, kind in kinds.items()
    }.items()


def test_every_public_table_keeps_unknown_fields() -> None:
    """Every table from a server ends with `extra`."""
    for table in READ:
        assert table.names[-1] == "extra"


def test_the_inventory_has_every_column_of_its_parts() -> None:
    """Each column of checkpoints, runs and sessions is in the inventory, under its name or its prefix."""
    names = set(catalog.INVENTORY.names)
    assert names >= set(catalog.CHECKPOINTS.names)
    for table, prefix in ((catalog.TRAINING_RUNS, "run"), (catalog.SESSIONS, "session")):
        for name in table.names:
            if not name.startswith(("last_checkpoint", "last_sampler")) and name != "base_model":
                assert name in names or f"{prefix}_{name}" in names, name
