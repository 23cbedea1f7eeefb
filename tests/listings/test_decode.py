"""Pages of any JSON become tables: only missing required fields raise, and a malformed value affects only itself."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import Phase, assume, example, given, settings
from hypothesis import strategies as st

from tinker_frames.errors import InvalidTinkerPathError, SchemaError
from tinker_frames.listings.decode import BATCH_ROWS, Decoder
from tinker_frames.listings.records import MOST_UNKNOWN
from tinker_frames.schema import catalog
from tinker_frames.schema.coerce import canonical_json, parse_object
from tinker_frames.schema.columns import Column, Table
from tinker_frames.schema.paths import parse_known

TABLES = (
    catalog.CHECKPOINTS,
    catalog.TRAINING_RUNS,
    catalog.SESSIONS,
    catalog.SESSION_DETAILS,
    catalog.SAMPLERS,
)
Row = dict[str, Any]
# Each example compiles its own records; shrinking would take minutes.
QUICK = settings(max_examples=15, phases=(Phase.explicit, Phase.reuse, Phase.generate))

TEXT = st.text(max_size=6)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)
INT64 = st.sampled_from([2**53 + 1, -(2**63), 2**63 - 1, 0]) | st.integers(-(2**63), 2**63 - 1)
TIME = st.datetimes(timezones=st.just(UTC)).map(lambda when: when.isoformat().replace("+00:00", "Z"))
GOOD: dict[str, Any] = {
    "text": TEXT,
    "category": st.sampled_from(["training", "failed", "new kind", "success", ""]),
    "int": INT64,
    "bool": st.booleans(),
    "time": TIME,
    "json": st.dictionaries(TEXT, TEXT | JSON, max_size=3),
    "texts": st.lists(TEXT, max_size=3),
}
ODD: dict[str, Any] = {
    "text": st.sampled_from([5, [], {}, True, 1.5, "\ud800"]),
    "category": st.sampled_from([5, [], {}, False, "\udfff"]),
    "int": st.sampled_from([1.5, "x", True, [], {}, 10**30, 1e300, float("inf"), "--1", 7.0, "12", 1e16]),
    "bool": st.sampled_from([0, "true", 2, "maybe", [], {}]),
    "time": st.sampled_from(
        [
            "",
            "soon",
            5,
            1795166043,
            [],
            {},
            "2026-11-20T09:14:03",
            "0001-01-01T00:00:00+01:00",
            "9999-12-31T23:59:59-01:00",
            False,
        ]
    ),
    "json": st.sampled_from([5, "x", [1], True, {"a": "\ud800"}, {"\udfff": 1}]),
    "texts": st.sampled_from([5, "x", [1], {}, ["\ud800"], [None, "a"]]),
}
_DECLARED = {table.name: {column.path[0] for column in table.sent} | set(table.aliases) for table in TABLES}


def put(row: Row, path: tuple[str, ...], value: Any) -> None:
    """Set a value at a path in a row, if the objects on the path exist."""
    for part in path[:-1]:
        row = row.setdefault(part, {})
        if not isinstance(row, dict):
            return
    row[path[-1]] = value


def row_of(table: Table) -> st.SearchStrategy[Row]:
    """Rows with good values, some fields missing, some null, some unknown."""
    must: Row = {}
    may: Row = {}
    inner: dict[str, Row] = {}
    for column in table.sent:
        good = st.integers(0, 2**63 - 1) if column.is_size else GOOD[column.kind]
        value = good if column.required else st.none() | good
        if len(column.path) == 1:
            (must if column.required else may)[column.name] = value
        else:
            put(inner, column.path, value)
    for name, fields in inner.items():
        may[name] = st.none() | objects(fields)
    unknown = st.dictionaries(TEXT.filter(lambda name: name not in _DECLARED[table.name]), JSON, max_size=2)
    return st.builds(lambda row, more: row | more, st.fixed_dictionaries(must, optional=may), unknown)


def objects(fields: Row) -> st.SearchStrategy[Row]:
    """Nested objects with some of these fields, and sometimes an unknown one."""
    known = {name: objects(value) if isinstance(value, dict) else value for name, value in fields.items()}
    return st.fixed_dictionaries({}, optional=known | {"new field": JSON})


_ROWS = {
    table.name: st.lists(row_of(table), max_size=4, unique_by=lambda row, key=table.key: row[key]) for table in TABLES
}


def good_rows(table: Table) -> st.SearchStrategy[list[Row]]:
    """Lists of such rows, with different keys."""
    return _ROWS[table.name]


def content(table: Table, rows: list[Any], **rest: Any) -> bytes:
    """Return a page as a server sends it."""
    return json.dumps({table.items: rows} | rest).encode()


def read(table: Table, *pages: list[Any]) -> tuple[list[Row], Decoder]:
    """Decode pages; return the rows as Python values, and the decoder."""
    decoder = Decoder(table)
    for page in pages:
        decoder.feed(content(table, page))
    data = decoder.finish()
    assert data.column_names == [column.name for column in table.stored]
    return data.to_pylist(), decoder


def read_sent(row: Row, column: Column) -> Any:
    """Return the value of a column in a row as it was sent, read in the simplest way."""
    value: Any = row
    for part in column.path:
        if not isinstance(value, dict):
            return None
        value = value.get(part, column.default if len(column.path) == 1 else None)
    return value


def to_shown(column: Column, value: Any) -> Any:
    """Return a valid value as the table should show it."""
    if value is None:
        return None
    if column.kind == "time":
        return datetime.fromisoformat(value)
    return value


def is_same(column: Column, found: Any, value: Any) -> bool:
    """Return whether a column shows a valid value."""
    if column.kind == "json" and value is not None:
        return isinstance(found, str) and json.loads(found) == value
    return bool(found == to_shown(column, value))


def find_unknown(table: Table, row: Row, at: tuple[str, ...] = ()) -> Row:
    """Return the fields of a row that no column declares."""
    paths = [column.path for column in table.sent if column.path[: len(at)] == at]
    known = {path[len(at)]: len(path) > len(at) + 1 for path in paths}
    extra = {name: value for name, value in row.items() if name not in known}
    for name, has_fields in known.items():
        if has_fields and isinstance(row.get(name), dict) and (inner := find_unknown(table, row[name], (*at, name))):
            extra[name] = inner
    return extra


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
@QUICK
@given(data=st.data())
def test_good_values_arrive_as_they_are(table: Table, data: st.DataObject) -> None:
    """Valid values are unchanged, whichever fields around them are missing, null or unknown."""
    rows = data.draw(good_rows(table))
    found, decoder = read(table, rows)
    assert [row[table.key] for row in found] == [row[table.key] for row in rows]
    for got, row in zip(found, rows, strict=True):
        for column in table.sent:
            assert is_same(column, got[column.name], read_sent(row, column)), (column.name, row)
        extra = find_unknown(table, row)
        assert (json.loads(got["extra"]) if got["extra"] else {}) == extra
    said = {problem["problem"].split(" ")[0] for problem in decoder.problems.as_list()}
    assert said <= {"absent", "unknown"}


@pytest.mark.few(3)
@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
@QUICK
@given(data=st.data())
def test_an_odd_value_costs_itself_and_is_listed(table: Table, data: st.DataObject) -> None:
    """A malformed value leaves all others unchanged and is listed in `problems`; what is lost is in `extra`."""
    rows = data.draw(good_rows(table))
    assume(rows)
    plain, _ = read(table, rows)
    column = data.draw(st.sampled_from([column for column in table.sent if column.name != table.key]))
    place = data.draw(st.integers(0, len(rows) - 1))
    spoilt = copy.deepcopy(rows)
    assume(all(isinstance(spoilt[place].get(part, {}), dict) for part in column.path[:-1]))
    odd = data.draw(ODD[column.kind])
    put(spoilt[place], column.path, odd)
    pages = [spoilt] if data.draw(st.booleans()) else [[row] for row in spoilt]
    found, decoder = read(table, *pages)
    derived = {c.name for c in table.stored if c.derive is not None}
    for number, (before, after) in enumerate(zip(plain, found, strict=True)):
        for name, value in before.items():
            if number != place or name not in {column.name, "extra", *derived}:
                assert after[name] == value, name
    spoilt[place] = find_unknown(table, rows[place])
    if found[place][column.name] is None:
        put(spoilt[place], column.path, json.loads(canonical_json(odd)))  # infinite numbers as text
    assert json.loads(found[place]["extra"] or "{}") == spoilt[place]
    assert [p for p in decoder.problems.as_list() if p["column"] == column.name and p["problem"] != "absent"]


@pytest.mark.few(2)
@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
@QUICK
@given(data=st.data())
def test_neither_page_boundaries_nor_neighbours_matter(table: Table, data: st.DataObject) -> None:
    """The same rows give the same table whatever the page boundaries, and beside a row that needs the slow path."""
    rows = data.draw(good_rows(table))
    whole, _ = read(table, rows)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(rows)), max_size=3)))
    edges = [0, *cuts, len(rows)]
    pages = [rows[start:stop] for start, stop in pairwise(edges)]
    assert read(table, *pages)[0] == whole
    odd = {column.path[0]: None for column in table.sent if column.required} | {table.key: "odd one"}
    assume(all(row[table.key] != "odd one" for row in rows))
    at = data.draw(st.integers(0, len(rows)))
    beside, _ = read(table, [*rows[:at], odd, *rows[at:]])
    assert [row for row in beside if row[table.key] != "odd one"] == whole


def any_rows() -> st.SearchStrategy[list[Any]]:
    """Lists of invalid rows: objects with declared names and arbitrary values, and non-objects."""
    names = sorted({part for table in TABLES for column in table.sent for part in column.path})
    odd = JSON | st.just("\ud800") | st.just(10**30) | st.just(float("nan"))
    loose = st.dictionaries(st.sampled_from([*names, "-", "x2d", "\ud800", "", "class"]), odd, max_size=8)
    nested = st.dictionaries(st.sampled_from(names), loose, max_size=3)
    return st.lists(loose | nested | odd, max_size=4)


@pytest.mark.parametrize("table", [*TABLES, catalog.SESSION_IDS], ids=lambda table: table.name)
@QUICK
@given(pages=st.lists(any_rows(), max_size=3), whole=st.booleans())
def test_nothing_but_a_schema_error_is_ever_raised(table: Table, pages: list[list[Any]], whole: bool) -> None:
    """Any list becomes a table or raises an error that names what is missing."""
    if whole:  # then only malformed values are left
        needed = {column.path[0]: None for column in table.sent} | {table.key: "k"}
        pages = [[needed | row if isinstance(row, dict) and not table.bare else row for row in rows] for rows in pages]
        pages = [
            [row | {table.key: "k"} if isinstance(row, dict) and row.get(table.key) is None else row for row in rows]
            for rows in pages
        ]
    try:
        found, _ = read(table, *pages)
    except SchemaError:
        assert not whole
    else:
        assert len(found) <= sum(map(len, pages))


CHECKPOINTS = catalog.CHECKPOINTS


def checkpoint(number: int = 0, **fields: Any) -> Row:
    """Return a plain checkpoint."""
    return {
        "checkpoint_id": f"weights/{number}",
        "checkpoint_type": "training",
        "time": "2026-11-20T09:14:03.361867Z",
        "tinker_path": f"tinker://s:train:0/weights/{number}",
    } | fields


@pytest.mark.parametrize(
    "content", [b"", b"nothing", b"[]", b"null", b"{}", b'{"checkpoints":null}', b'{"checkpoints":{}}', b"\xff"]
)
def test_what_is_no_page_is_a_schema_error(content: bytes) -> None:
    """A response without the list is a SchemaError, not an empty listing."""
    with pytest.raises(SchemaError, match="checkpoints"):
        Decoder(CHECKPOINTS).feed(content)


@QUICK
@given(st.binary(max_size=30), st.sampled_from(["name", "meta", "extra", "nested"]))
def test_bytes_that_are_no_utf8_spoil_only_their_value(noise: bytes, where: str) -> None:
    """Invalid UTF-8 in a text leaves all other values unchanged and is reported."""
    assume(not set(noise) & {0x22, 0x5C} and all(byte >= 0x20 for byte in noise))
    rows = [checkpoint(0, size_bytes=2**53 + 1), checkpoint(1, size_bytes=None)]
    mark = "NOISE"
    field = {"name": "base_model", "meta": "user_metadata", "extra": "new", "nested": "new"}[where]
    rows[1][field] = mark if where in ("name", "extra") else {"a": mark}
    decoder = Decoder(CHECKPOINTS)
    decoder.feed(content(CHECKPOINTS, rows).replace(mark.encode(), noise))
    first, second = decoder.finish().to_pylist()
    assert (first["size_bytes"], second["name"]) == (2**53 + 1, "1")
    column = {"base_model": "base_model", "user_metadata": "user_metadata", "new": "extra"}[field]
    assert second[column] is not None
    try:
        noise.decode()
    except UnicodeDecodeError:
        assert ("not valid Unicode", 1) in [(p["problem"], p["rows"]) for p in decoder.problems.as_list()]
    else:
        assert noise.decode() in (
            second[column] if where == "name" else json.dumps(json.loads(second[column]), ensure_ascii=False)
        )


@pytest.mark.parametrize(
    "raw",
    [
        r'{"name":"résumé","b":"x"}',
        r'{ "name" : "r\u00e9sum\u00e9" , "b" : "x" }',
        '{"name":"résumé",\n\t"b":"x"}',
    ],
)  # fmt: skip
@pytest.mark.parametrize("beside", [None, 5], ids=["quick", "careful"])
def test_metadata_text_is_canonical_and_searchable(raw: str, beside: Any) -> None:
    """Metadata text is the same however the server formats its JSON, and a search for "résumé" finds it."""
    row = json.dumps(checkpoint(0))[:-1] + f', "user_metadata": {raw}}}'
    odd = json.dumps(checkpoint(1, user_metadata=None, base_model=beside))
    decoder = Decoder(CHECKPOINTS)
    decoder.feed(f'{{"checkpoints": [{row}, {odd}]}}'.encode())
    assert decoder.finish()["user_metadata"].to_pylist() == ['{"name":"résumé","b":"x"}', None]


@pytest.mark.parametrize("raw", ['{"a":1.0E5}', '{"a":[1e2,-0]}', '{"a":"b\\/c"}', '{"a":1,"a":2}', "{}", '{"a":null}'])
def test_quick_and_careful_metadata_mean_the_same(raw: str) -> None:
    """The fast and the slow path give metadata of equal meaning, and equal text unless a name is repeated."""
    texts = []
    for model in (None, 5):
        row = json.dumps(checkpoint(0, base_model=model))[:-1] + f', "user_metadata": {raw}}}'
        decoder = Decoder(CHECKPOINTS)
        decoder.feed(f'{{"checkpoints": [{row}]}}'.encode())
        texts.append(decoder.finish()["user_metadata"][0].as_py())
    assert json.loads(texts[0]) == json.loads(texts[1]) == json.loads(raw)
    assert texts[0] == texts[1] or raw.count('"a"') > 1


@pytest.mark.parametrize(
    "form", ["[%s]", '{"a":%s}', '{"]}":[%s,"[{"]}'], ids=["lists", "objects", "with brackets in texts"]
)
@pytest.mark.parametrize("levels", [300, 30_000])
@pytest.mark.parametrize(
    ("field", "column"),
    [
        ("user_metadata", "user_metadata"),
        ("unknown", "extra"),
        ("base_model", "base_model"),
        ("last_checkpoint", "extra"),
    ],
)
def test_what_is_nested_too_deeply_costs_only_itself(form: str, levels: int, field: str, column: str) -> None:
    """A value nested beyond every parser becomes text or NA and is a problem of its row; the rest of the page is kept."""
    before, after = form.split("%s")
    deep = before * levels + "1" + after * levels
    plain = {"base_model": "m", "model_owner": "o", "is_lora": True, "last_request_time": "2026-01-01T00:00:00Z"}
    rows: list[Row] = [plain | {"training_run_id": str(number)} for number in range(3)]
    body = content(catalog.TRAINING_RUNS, [rows[0], rows[1] | {field: "DEEP"}, rows[2]])
    decoder = Decoder(catalog.TRAINING_RUNS)
    assert decoder.feed(body.replace(b'"DEEP"', deep.encode())).rows == 3
    found = decoder.finish().to_pylist()
    assert [row["training_run_id"] for row in found] == ["0", "1", "2"]
    assert [row["is_lora"] for row in found] == [True] * 3
    assert (column, ["1"]) in [(one["column"], one["examples"]) for one in decoder.problems.as_list()]
    assert all(parse_object(row["extra"]) is not None for row in found if row["extra"] is not None)


@pytest.mark.parametrize(
    "content", [b"[" * 100_000, b'{"a":' * 3_000, b'{"a":"' + b"[" * 100_000, b'{"a":"' + b'[\\"' * 100_000]
)
def test_nesting_without_end_is_a_schema_error(content: bytes) -> None:
    """Brackets that are never closed are no page, and are found out in one pass."""
    with pytest.raises(SchemaError):
        Decoder(CHECKPOINTS).feed(content)


def test_an_unknown_checkpoint_type_is_kept_and_reported() -> None:
    """An unknown checkpoint type becomes a category in all pages, and is reported once."""
    pages = [[checkpoint(0)], [checkpoint(1, checkpoint_type="hologram")], [checkpoint(2, checkpoint_type="hologram")]]
    found, decoder = read(CHECKPOINTS, *pages)
    assert [row["checkpoint_type"] for row in found] == ["training", "hologram", "hologram"]
    assert [p["problem"] for p in decoder.problems.as_list()] == ["unknown value 'hologram'"]


def test_what_contradicts_its_row_is_reported() -> None:
    """A negative size is not known, and a type other than the path's is listed as a problem, as the server says it."""
    pages = [
        [checkpoint(0, size_bytes=0), checkpoint(1, size_bytes=-1)],
        [checkpoint(2, size_bytes=5, checkpoint_type="sampler")],
    ]
    found, decoder = read(CHECKPOINTS, *pages)
    assert [row["size_bytes"] is None for row in found] == [False, True, False]
    assert [row["checkpoint_type"] for row in found] == ["training", "training", "sampler"]
    problems = {problem["column"]: problem for problem in decoder.problems.as_list()}
    assert problems["size_bytes"]["problem"] == "a negative size"
    assert problems["checkpoint_type"]["examples"] == [found[2]["tinker_path"]]


STATUSES: list[tuple[Any, dict[str, Any]]] = [
    (None, {}),
    ({"type": "active"}, {"status": "active"}),
    ({"type": "cancelled", "detail": "by hand"}, {"status": "cancelled", "status_detail": "by hand"}),
    ({"type": "cancelled", "detail": None}, {"status": "cancelled"}),
    (
        {"type": "client_finished", "reason": {"type": "errored"}, "detail": "KeyError"},
        {"status": "client_finished", "status_reason": "errored", "status_detail": "KeyError"},
    ),
    ({"type": "client_finished", "reason": {"type": "success"}}, {"status": "client_finished", "status_reason": "success"}),
    (
        {"type": "failed", "category": "user", "message": "bad batch", "reason": {"type": "training_run", "training_run_id": "r"}},
        {
            "status": "failed", "status_category": "user", "status_message": "bad batch",
            "status_reason": "training_run", "status_training_run_id": "r",
        },
    ),
    (
        {
            "type": "failed", "category": "internal", "message": "",
            "reason": {"type": "request", "request_id": "q", "request_type": "forward"},
        },
        {
            "status": "failed", "status_category": "internal", "status_message": "", "status_reason": "request",
            "status_request_id": "q", "status_request_type": "forward",
        },
    ),
    (
        {
            "type": "failed", "category": "internal", "message": "m",
            "reason": {"type": "sampling_session", "sampling_session_id": "z"},
        },
        {
            "status": "failed", "status_category": "internal", "status_message": "m",
            "status_reason": "sampling_session", "status_sampling_session_id": "z",
        },
    ),
]  # fmt: skip


def session(number: int, **fields: Any) -> Row:
    """Return a plain session summary."""
    return {
        "session_id": f"s{number}", "owner": "tml:organization_user:u", "project_id": "p",
        "created_at": "2026-11-20T08:00:00.000001Z", "checkpoints_count": 4,
    } | fields  # fmt: skip


@pytest.mark.parametrize("pages", [1, 9])
def test_every_status_union_is_flattened(pages: int) -> None:
    """Each form of a status fills exactly its own columns, alone or with other forms on the page."""
    rows = [session(number, status=status) for number, (status, _) in enumerate(STATUSES)]
    found, decoder = read(catalog.SESSIONS, *([rows] if pages == 1 else [[row] for row in rows]))
    for row, (_, expected) in zip(found, STATUSES, strict=True):
        filled = {name: row[name] for name in row if name.startswith("status") and row[name] is not None}
        assert filled == expected
    assert decoder.problems.as_list() == []


def test_what_is_no_object_is_reported_under_its_place() -> None:
    """A non-object status or last checkpoint is NA and reported."""
    found, decoder = read(
        catalog.SESSIONS, [session(0, status="failed"), session(1, status={"type": "failed", "reason": 5})]
    )
    assert [row["status"] for row in found] == [None, "failed"]
    assert [row["extra"] for row in found] == ['{"status":"failed"}', '{"status":{"reason":5}}']
    said = {(p["column"], p["problem"]) for p in decoder.problems.as_list()}
    assert said == {("status", "not an object"), ("status.reason", "not an object")}


def test_rows_that_are_no_objects_are_left_out_and_counted() -> None:
    """Non-objects in a list are left out and counted; the other rows are kept."""
    found, decoder = read(CHECKPOINTS, [5, checkpoint(0), None, "x", checkpoint(1)])
    assert [row["name"] for row in found] == ["0", "1"]
    assert ("checkpoints", 3) in [(p["column"], p["rows"]) for p in decoder.problems.as_list()]


def test_a_naive_time_is_reported_and_taken_as_utc() -> None:
    """Times without a zone, as SkyRL sends them, are taken as UTC and reported."""
    found, decoder = read(CHECKPOINTS, [checkpoint(0, time="2026-11-20T09:12:00.000412")])
    assert found[0]["time"] == datetime(2026, 11, 20, 9, 12, 0, 412, tzinfo=UTC)
    assert [p["problem"] for p in decoder.problems.as_list()] == ["a time without zone, taken as UTC"]


def test_the_older_name_of_a_run_id_is_taken() -> None:
    """`id` is read as `training_run_id`, even when a page uses both."""
    run = {"base_model": "m", "model_owner": "o", "is_lora": True, "last_request_time": "2026-11-20T09:12:00Z"}
    found, decoder = read(
        catalog.TRAINING_RUNS, [run | {"id": "a"}, run | {"training_run_id": "b"}], [run | {"id": "c"}]
    )
    assert [(row["training_run_id"], row["extra"]) for row in found] == [("a", None), ("b", None), ("c", None)]
    assert "training_run_id" not in decoder.lacks()


@pytest.mark.parametrize("pages", [1, 3])
def test_missing_fields_are_counted_or_said_to_be_lacking(pages: int) -> None:
    """A field that some rows lack is a problem with a count; one that all rows lack is listed under `lacks`."""
    rows = [checkpoint(0, size_bytes=1), checkpoint(1), checkpoint(2)]
    found, decoder = read(CHECKPOINTS, *([rows] if pages == 1 else [[row] for row in rows]))
    assert [row["size_bytes"] for row in found] == [1, None, None]
    assert [row["public"] for row in found] == [False] * 3
    assert [(p["column"], p["problem"], p["rows"]) for p in decoder.problems.as_list()] == [("size_bytes", "absent", 2)]
    assert set(decoder.lacks()) == {"public", "expires_at", "base_model", "user_metadata"}


def test_nothing_is_lacking_where_there_are_no_rows() -> None:
    """An empty listing lists nothing under `lacks`."""
    found, decoder = read(CHECKPOINTS, [])
    assert (found, decoder.lacks(), decoder.problems.as_list()) == ([], [], [])


@QUICK
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 99)), max_size=12), st.integers(1, 5))
@example([(0, 1), (0, 2), (1, 3), (0, 4)], 2)
def test_each_key_once_in_first_order_as_last_read(pairs: list[tuple[int, int]], size: int) -> None:
    """A key repeated by pages is one row, at its first position and with its last values."""
    rows = [checkpoint(key, size_bytes=value) for key, value in pairs]
    found, _ = read(CHECKPOINTS, *[rows[at : at + size] for at in range(0, len(rows), size)])
    assert [(row["step"], row["size_bytes"]) for row in found] == list(dict(pairs).items())


def test_a_page_with_a_byte_order_mark_is_read() -> None:
    """JSON that begins with UTF-8's byte order mark is read as without."""
    page = Decoder(CHECKPOINTS).feed(b"\xef\xbb\xbf" + content(CHECKPOINTS, [checkpoint(0)]))
    assert page.rows == 1


@pytest.mark.parametrize(
    ("rest", "total", "next_cursor"),
    [
        ({}, None, None),
        ({"cursor": None}, None, None),
        ({"cursor": {"offset": 0, "limit": 9, "total_count": 225}}, 225, None),
        ({"cursor": {"total_count": True}}, None, None),
        ({"cursor": {"total_count": "9"}}, None, None),
        ({"cursor": [1]}, None, None),
        ({"cursor": 5, "next_cursor": "x"}, None, "x"),
        ({"next_cursor": 200}, None, 200),
        ({"next_cursor": ["a", {"b": None}]}, None, ["a", {"b": None}]),
        ({"next_cursor": ""}, None, ""),
        ({"next_cursor": {"last_session_id": "é\ud800"}}, None, {"last_session_id": "é\ud800"}),
        ({"next_cursor": {}}, None, {}),
        ({"next_cursor": None}, None, None),
    ],
)
@pytest.mark.parametrize(
    "rows", [[checkpoint(0)], [checkpoint(0, size_bytes="odd")], []], ids=["quick", "careful", "empty"]
)
def test_cursors_are_read_either_way(rows: list[Row], rest: Row, total: int | None, next_cursor: Any) -> None:
    """A page's cursor is read whether or not its rows are malformed; a malformed offset cursor has no total, and a next cursor may be of any type."""
    page = Decoder(CHECKPOINTS).feed(content(CHECKPOINTS, rows, **rest))
    assert (page.rows, page.total) == (len(rows), total)
    assert page.next_cursor == next_cursor
    assert page.list_keys(CHECKPOINTS) == [row["tinker_path"] for row in rows]


def test_bare_ids_are_rows() -> None:
    """A list of ids is a table of one column; non-ids are left out and reported."""
    found, decoder = read(catalog.SESSION_IDS, ["a", "é", 5], ["b", "a"])
    assert [row["session_id"] for row in found] == ["a", "é", "b"]
    assert [p["rows"] for p in decoder.problems.as_list()] == [1]


def test_rows_put_together_by_hand_are_read_like_pages() -> None:
    """Rows collected from single responses may contain any JSON."""
    decoder = Decoder(catalog.SAMPLERS)
    rows = [
        {"sampler_id": "a", "base_model": "m\ud800", "n": 10**30},
        {"sampler_id": "b", "base_model": "m", "n": float("inf")},
    ]
    decoder.feed_rows(rows)
    data = decoder.finish()
    assert data["base_model"].to_pylist() == ["m\ufffdd800", "m"]
    assert [json.loads(text)["n"] for text in data["extra"].to_pylist()] == [10**30, "Infinity"]


def test_many_pages_are_batched_and_stay_in_order() -> None:
    """More rows than one batch holds keep their order and values, despite a malformed one among them."""
    count = 2 * BATCH_ROWS + 7
    rows = [checkpoint(number, size_bytes=None if number % 5 == 0 else 2**53 + number) for number in range(count)]
    rows[BATCH_ROWS]["size_bytes"] = 1.5
    data_pages = [rows[at : at + 1000] for at in range(0, count, 1000)]
    decoder = Decoder(CHECKPOINTS)
    for page in data_pages:
        decoder.feed(content(CHECKPOINTS, page))
    data: pa.Table = decoder.finish()
    assert data["step"].to_pylist() == list(range(count))
    expected = [None if number % 5 == 0 or number == BATCH_ROWS else 2**53 + number for number in range(count)]
    assert data["size_bytes"].to_pylist() == expected
    assert [(p["problem"], p["rows"]) for p in decoder.problems.as_list()] == [("not a whole number", 1)]


def test_arrows_default_pool_is_not_swapped() -> None:
    """A listing is built in its own memory pool; the process's default pool is unchanged and nearly unused."""
    default, seen = pa.default_memory_pool(), set[str]()

    def note_pool(columns: dict[str, Any]) -> Any:
        seen.add(pa.default_memory_pool().backend_name)
        return columns["tinker_path"]

    table = replace(
        catalog.CHECKPOINTS, columns=(*catalog.CHECKPOINTS.columns, Column("noted", "text", "", derive=note_pool))
    )
    before, decoder = default.bytes_allocated(), Decoder(table)
    for page in range(5):
        decoder.feed(content(table, [checkpoint(number) for number in range(page * 1000, page * 1000 + 1000)]))
    data = decoder.finish()
    assert seen == {default.backend_name}
    assert default.backend_name == "system" or default.bytes_allocated() - before < data.nbytes / 10


def test_unknown_fields_that_differ_in_every_row_cost_linear_time() -> None:
    """Rows with different unknown fields are all kept, and no record type grows with them."""
    decoder = Decoder(catalog.SAMPLERS)
    for page in range(30):
        rows = [
            {
                "sampler_id": f"{page}:{row}",
                "base_model": "m",
                "model_path": None,
                "session_id": "s",
                f"key{page}.{row}": row,
            }
            for row in range(100)
        ]
        decoder.feed_rows(rows)
    found = decoder.finish()
    assert len(decoder._layout.unknown) <= MOST_UNKNOWN
    assert found["extra"].to_pylist() == [f'{{"key{page}.{row}":{row}}}' for page in range(30) for row in range(100)]


@pytest.mark.parametrize("field", ["user_metadata", "unknown", "size_bytes"])
@pytest.mark.parametrize("value", ["NaN", "1e400", "-Infinity", "9" * 5000])
def test_metadata_and_extra_are_strictly_valid_json(field: str, value: str) -> None:
    """Numbers that JSON does not have cost no row; the columns of JSON stay valid, and the alteration is listed in `problems`."""
    row = '{"checkpoint_id":"weights/a","checkpoint_type":"training","time":"2026-01-01T00:00:00Z","tinker_path":"tinker://r/weights/a"'
    sent = f'{{"a":{value}}}' if field == "user_metadata" else value
    decoder = Decoder(catalog.CHECKPOINTS)
    decoder.feed(f'{{"checkpoints":[{row},"{field}":{sent}}}]}}'.encode())
    column = "user_metadata" if field == "user_metadata" else "extra"
    (text,) = decoder.finish().column(column).to_pylist()
    assert value in json.loads(text, parse_constant=pytest.fail).values()
    assert "a number that JSON does not have, kept as text" in [one["problem"] for one in decoder.problems.as_list()]


def test_names_that_are_not_unicode_keep_their_rows_apart() -> None:
    """Names that differ in lone surrogates alone stay two rows of their run; no write can name them."""
    paths = [f"tinker://r/weights/a\\ud80{number}" for number in (0, 1)]
    rows = [
        f'{{"checkpoint_id":"a","checkpoint_type":"training","time":"2026-01-01T00:00:00Z","tinker_path":"{path}"}}'
        for path in paths
    ]
    decoder = Decoder(catalog.CHECKPOINTS)
    decoder.feed(f'{{"checkpoints":[{",".join(rows)}]}}'.encode())
    data = decoder.finish()
    assert data.column("training_run_id").to_pylist() == ["r", "r"]
    assert len(set(data.column("tinker_path").to_pylist())) == 2
    for path in data.column("tinker_path").to_pylist():
        with pytest.raises(InvalidTinkerPathError, match="not valid Unicode"):
            parse_known(path)
