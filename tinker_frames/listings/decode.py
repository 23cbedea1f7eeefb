"""Decoding: pages of JSON into one Arrow table, page by page; pure.

The fast path decodes a page into typed records whose fields are exactly those that the pages so far had, known or not. A page
that does not fit is examined: new or missing fields change the records, malformed values are coerced one by one. A malformed
value becomes null and is kept in `extra`, with the rest of its row; a server that sends more or fewer fields costs one extra pass.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..errors import SchemaError
from ..schema.coerce import Problems, coerce_value, encode_json, parse_json, parse_times
from ..schema.columns import Column, Table, arrow_array, empty_arrow, memory_pool
from ..schema.paths import SEGMENTS
from .pagination import Page, expand_bare_page, parse_page, read_cursors
from .records import (
    MISSING,
    RecordLayout,
    canonical_column,
    collect_unknown,
    declared_fields,
    get_field,
    is_missing,
    read_attribute,
    read_field,
    set_field,
)

BATCH_ROWS = 4000


class Decoder:
    """Decodes the pages of a listing in order, into one Arrow table.

    Parameters
    ----------
    table
        The declaration of the rows.

    Attributes
    ----------
    problems : Problems
        The malformed values so far.
    """

    def __init__(self, table: Table) -> None:
        self.table = table
        self.problems = Problems(table.key)
        self.rows = 0
        self._chunks: dict[str, list[pa.Array]] = {column.name: [] for column in table.stored}
        self._layout = RecordLayout(table)
        self._absent: dict[str, int] = {}  # top-level field → rows that lack it
        self._waiting: list[Any] = []  # records that are not yet columns
        self._unread: list[
            tuple[int, tuple[str, ...], Any]
        ] = []  # of a batch: place, path and value of what became null
        self.left_out = 0  # rows that are not objects
        self.unidentified = (
            0  # rows of a table with a key whose key is empty or not a text: two of them may be one, or not
        )
        self._hashes: list[Any] = []  # of the keys: eight bytes each tell whether one came twice

    def feed(self, content: bytes) -> Page:
        """Decode one page as the server sent it.

        Raises
        ------
        SchemaError
            If it is not a page of this table, or rows lack required fields; all of them are named.
        """
        content = expand_bare_page(content, self.table) if self.table.bare else content
        return self._decode(content) or self._examine(content)

    def feed_rows(self, rows: list[dict[str, Any]]) -> Page:
        """Decode rows that were put together from answers of one object each."""
        return self.feed(json.dumps({self.table.items: rows}).encode())

    def finish(self) -> pa.Table:
        """Return all rows, each key once (the last one read stands), with the stored columns in the table's order."""
        self._flush()
        columns = {column.name: _combine(self._chunks.pop(column.name), column) for column in self.table.stored}
        self._report_absent()
        self._report_unknown_categories(columns)
        if "checkpoint_type" in columns and "tinker_path" in columns:
            self._report_contradicted_types(columns["tinker_path"], columns["checkpoint_type"])
        if not _are_distinct(self._hashes):
            self._void_disputed(columns)
            columns = _drop_duplicates(columns, self.table.key)
        return pa.table(columns)

    def lacks(self) -> list[str]:
        """Return the columns that no row had."""
        return [c.name for c in self.table.sent if self.rows and self._absent.get(c.path[0], 0) == self.rows]

    def count_new(self, last: int) -> int:
        """Return how many different keys the last rows have that no row before them had."""
        self._flush()
        hashes = np.concatenate(self._hashes) if self._hashes else np.array([], np.int64)
        before = max(0, len(hashes) - last)
        return len(np.unique(hashes)) - len(np.unique(hashes[:before]))

    # ── the fast path ────────────────────────────────────────────────────────────────────────────────────────────────

    def _decode(self, content: bytes) -> Page | None:
        """Decode a page whose rows have the same fields as earlier rows; None if they differ."""
        try:
            page = self._layout.decoder.decode(content)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return None
        self.rows += len(page.items_)
        self._waiting += page.items_
        if len(self._waiting) >= BATCH_ROWS:
            self._flush()
        return Page(page.items_, len(page.items_), *read_cursors(bytes(page.cursor), bytes(page.next_cursor)))

    def _flush(self) -> None:
        """Build columns of the records that wait: of some pages at once, since each step costs as much for one row as for many."""
        rows, self._waiting = self._waiting, []
        keys = read_attribute(rows, self.table.key) if self.table.key else [""] * len(rows)
        self._note_keys(keys)
        for top in self._layout.gone:
            self._count_absent(top, len(rows))
        for top in self._layout.optional:
            self._count_absent(top, sum(map(is_missing, read_attribute(rows, top))))
        columns: dict[str, pa.Array] = {}
        for column in self.table.sent:
            values = keys if column.name == self.table.key else self._values_of(column, rows)
            columns[column.name] = self._build_column(column, values, rows)
        self._keep(columns | {"extra": self._extras(rows)})

    def _values_of(self, column: Column, rows: list[Any]) -> list[Any]:
        """Return a column's values in these records, its default where a record lacks the field."""
        top = column.path[0]
        if top in self._layout.gone:
            return [column.default] * len(rows)
        values = read_field(rows, column.path)
        return [column.default if v is MISSING else v for v in values] if top in self._layout.optional else values

    def _keep(self, columns: dict[str, pa.Array]) -> None:
        """Add one batch of columns, and those derived from them: batch by batch, so that nothing large is held twice."""
        for column in self.table.stored:
            if column.derive is not None:
                columns[column.name] = column.derive(columns)
            self._chunks[column.name].append(columns[column.name])

    def _note_keys(self, keys: list[str]) -> None:
        if not self.table.key:
            return
        self.unidentified += keys.count("")
        self._hashes.append(np.fromiter(map(hash, keys), np.int64, len(keys)))

    def _count_absent(self, top: str, rows: int) -> None:
        self._absent[top] = self._absent.get(top, 0) + rows

    def _build_column(self, column: Column, values: list[Any], rows: list[Any]) -> pa.Array:
        """Return one Arrow column; where a value does not fit, every value is coerced on its own."""
        try:
            return _build(column, values)
        except (pa.ArrowException, OverflowError, UnicodeEncodeError, ValueError, TypeError):
            keys = [getattr(row, self.table.key, "") for row in rows]
            return self._coerce_column(column, values, keys)

    def _extras(self, rows: list[Any]) -> pa.Array:
        """Return unknown fields, and values that could not be read, as JSON text; null for rows without any."""
        if not (self._layout.unknown or self._unread) or not rows:
            return pa.nulls(len(rows), pa.large_string())
        unread = self._take_unread()
        fields = [(path, read_field(rows, path)) for path in self._layout.unknown]
        texts: list[str | None] = []
        for place in range(len(rows)):
            tree = unread.get(place, {})
            for path, values in fields:
                raw = bytes(values[place]) if isinstance(values[place], msgspec.Raw) else b""
                if raw:
                    set_field(tree, path, parse_json(raw))
            texts.append(self._extra(tree, getattr(rows[place], self.table.key, "")))
        return arrow_array("json", texts)

    def _take_unread(self) -> dict[int, dict[str, Any]]:
        """Return the values of this batch that could not be read, by place of the row, as they stood in it."""
        found: dict[int, dict[str, Any]] = {}
        for place, path, value in self._unread:
            set_field(found.setdefault(place, {}), path, value)
        self._unread = []
        return found

    def _extra(self, unknown: dict[str, Any], key: str) -> str | None:
        """Return one row's unknown fields as JSON text, sorted by name, whatever order they came in."""
        if not unknown:
            return None
        text, problem = encode_json(_sort_keys(unknown))
        if problem:
            self.problems.add("extra", problem, key)
        return text

    # ── value by value ─────────────────────────────────────────────────────────────────────────────────────────────

    def _examine(self, content: bytes) -> Page:
        """Decode a page that did not fit: learn its fields and try again, or coerce it value by value."""
        self._flush()
        body = parse_page(content, self.table)
        rows = [row for row in body[self.table.items] if isinstance(row, dict)]
        strange = len(body[self.table.items]) - len(rows)
        self.left_out += strange
        for _ in range(strange):
            self.problems.add(self.table.items, "a row that is not an object was left out")
        renamed = self._rename(rows)
        self._require(rows)
        if self._layout.learn(rows, first=not self.rows) and not strange and not renamed:
            page = self._decode(content)
            if page is not None:
                return page
        self._coerce_rows(rows)
        return Page(rows, len(body[self.table.items]), *read_cursors(body.get("cursor"), body.get("next_cursor")))

    def _rename(self, rows: list[dict[str, Any]]) -> bool:
        """Rename fields that older servers call otherwise; True if there were any."""
        renamed = False
        for old, name in self.table.aliases.items():
            for row in rows:
                if name not in row and old in row:
                    row[name] = row.pop(old)
                    renamed = True
        return renamed

    def _require(self, rows: list[dict[str, Any]]) -> None:
        """Refuse rows that lack required fields, naming all of them at once."""
        missing = {
            column.path[0]: sum(1 for row in rows if column.path[0] not in row)
            for column in self.table.sent
            if column.required
        }
        if key := self.table.key:
            missing[key] = sum(1 for row in rows if row.get(key) is None)
        lost = [f"{name} (in {count} of {len(rows)} rows)" for name, count in missing.items() if count]
        if lost:
            raise SchemaError(f"{self.table.name}: required fields are missing: {', '.join(lost)}")

    def _coerce_rows(self, rows: list[dict[str, Any]]) -> None:
        """Build columns of parsed rows, value by value."""
        self.rows += len(rows)
        keys = [str(row.get(self.table.key, "")) for row in rows]
        self.unidentified += sum(not isinstance(row.get(self.table.key, ""), str) for row in rows)
        self._note_keys(keys)
        declared = declared_fields(self.table)
        for top in declared[()]:
            self._count_absent(top, sum(1 for row in rows if top not in row))
        for place in filter(None, declared):
            self._report_non_objects(place, rows, keys)
        columns: dict[str, pa.Array] = {}
        for column in self.table.sent:
            values = [get_field(row, column.path) for row in rows]
            values = [column.default if value is MISSING else value for value in values]
            columns[column.name] = self._coerce_column(column, values, keys)
        texts, unread = [], self._take_unread()
        for number, (row, key) in enumerate(zip(rows, keys, strict=True)):
            tree = unread.get(number, {})
            collect_unknown(row, (), declared, tree)
            texts.append(self._extra(tree, key))
        self._keep(columns | {"extra": arrow_array("json", texts)})

    def _coerce_column(self, column: Column, values: list[Any], keys: Iterable[str]) -> pa.Array:
        """Return an Arrow column in which every value that does not fit is coerced or null, and counted in `problems`."""
        good = []
        for place, (value, key) in enumerate(zip(values, keys, strict=True)):
            plain = (parse_json(bytes(value)) if bytes(value) else None) if isinstance(value, msgspec.Raw) else value
            fitting, problem = coerce_value(column.kind, plain)
            if column.is_size and fitting is not None and fitting < 0:
                fitting, problem = None, "a negative size"
            if plain is None and column.required:
                problem = "null"
            if problem:
                self.problems.add(column.name, problem, key)
            if fitting is None and plain is not None:
                self._unread.append((place, column.path, plain))
            good.append(fitting)
        return arrow_array(column.kind, good)

    def _report_non_objects(self, place: tuple[str, ...], rows: list[dict[str, Any]], keys: list[str]) -> None:
        """Report values in the place of a nested object."""
        for number, (row, key) in enumerate(zip(rows, keys, strict=True)):
            value = get_field(row, place)
            if value is not None and value is not MISSING and not isinstance(value, dict):
                self.problems.add(".".join(place), "not an object", key)
                self._unread.append((number, place, value))

    # ── afterwards ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _report_absent(self) -> None:
        for column in self.table.sent:
            lost = self._absent.get(column.path[0], 0)
            if len(column.path) == 1 and 0 < lost < self.rows:
                self.problems.add(column.name, "absent", count=lost)

    def _void_disputed(self, columns: dict[str, Any]) -> None:
        """Set to null what rows of one key contradict each other in, where the later one is not to be believed."""
        keys = columns[self.table.key].to_pylist()
        for column in (column for column in self.table.sent if column.disputable):
            pairs = set(zip(keys, columns[column.name].to_pylist(), strict=True))
            disputed = {key for key, count in Counter(key for key, _ in pairs).items() if count > 1}
            for key in sorted(disputed):
                self.problems.add(column.name, "a row was listed twice, with different values", key)
            if disputed:
                places = arrow_array("int", [None if key in disputed else place for place, key in enumerate(keys)])
                columns[column.name] = pc.take(columns[column.name], places, memory_pool=memory_pool())

    def _report_unknown_categories(self, data: dict[str, Any]) -> None:
        for column in self.table.sent:
            if column.kind == "category":
                values = data[column.name]
                for value in sorted(set(values.dictionary.to_pylist()) - set(column.categories) - {None}):
                    self.problems.add(column.name, f"unknown value {value!r:.80}")

    def _report_contradicted_types(self, paths: Any, types: Any) -> None:
        """Report rows whose path names another type than their own."""
        texts, place = types.cast(pa.large_string()), "^[a-z]+://[^/]+/(?:{})/"
        for segment, kind in SEGMENTS.items():  # one search of each path; nearly all name their own type
            own = paths.filter(pc.equal(texts, kind))
            odd = own.filter(pc.invert(pc.match_substring_regex(own, place.format(segment))))
            others = "|".join(SEGMENTS.keys() - {segment})
            for path in odd.filter(pc.match_substring_regex(odd, place.format(others))).to_pylist():
                self.problems.add("checkpoint_type", "another type than its path names", path)


def _sort_keys(value: Any) -> Any:
    """Return JSON with its objects' names in order."""
    if isinstance(value, dict):
        return {name: _sort_keys(value[name]) for name in sorted(value)}
    return [_sort_keys(item) for item in value] if isinstance(value, list) else value


def _build(column: Column, values: list[Any]) -> pa.Array:
    """Return an Arrow column of values that fit; raises where one does not."""
    if column.kind == "json":
        return canonical_column(values)
    array = parse_times(values) if column.kind == "time" else arrow_array(column.kind, values)
    if column.is_size and (pc.min(array).as_py() or 0) < 0:
        raise ValueError("a negative size")
    return array


def _combine(chunks: list[pa.Array], column: Column) -> pa.Array:
    """Return the chunks as one array, and let go of them."""
    if not chunks:
        return empty_arrow(column)
    if column.kind == "category":
        unified = pa.chunked_array(chunks).unify_dictionaries(memory_pool())
        return unified.combine_chunks(memory_pool()) if len(chunks) > 1 else chunks[0]
    if column.kind in ("text", "json"):
        kept = pa.chunked_array(chunks)  # text stays in pieces: to join it would hold it twice
        chunks.clear()
        return kept
    array = pa.concat_arrays(chunks, memory_pool()) if len(chunks) > 1 else chunks[0]
    chunks.clear()
    return array


def _are_distinct(hashes: list[Any]) -> bool:
    """Tell whether no key came twice; two keys of one hash only cost the exact comparison."""
    ordered = np.sort(np.concatenate(hashes)) if hashes else np.array([], np.int64)
    return bool((ordered[1:] != ordered[:-1]).all())


def _drop_duplicates(columns: dict[str, Any], key: str) -> dict[str, Any]:
    """Return the columns with each key once, in order of first appearance, as it was read last."""
    last = {value: place for place, value in enumerate(columns[key].to_pylist())}
    places = arrow_array("int", list(last.values()))
    return {name: pc.take(values, places, memory_pool=memory_pool()) for name, values in columns.items()}
