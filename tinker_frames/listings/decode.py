"""From the bytes of pages to Arrow columns, page by page; pure.

The quick way decodes a page into typed records whose fields are exactly those that the pages so far had, known or not. A page
that does not fit is looked at: new or missing fields change the records, odd values are coerced one by one. So an odd row costs
its own value, and a server that sends more or fewer fields costs one look.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from ..errors import SchemaError
from ..schema.coerce import Problems, coerce_value, parse_json, parse_times, replace_surrogates
from ..schema.columns import Column, Table, arrow_type, empty_arrow
from .metadata import json_texts
from .page import Page, as_rows, cursors_of, parsed_page
from .records import (
    MISSING,
    MISSING_RAW,
    attributes,
    can_be_field,
    collect_unknown,
    column_values,
    declared_places,
    is_missing,
    put_at,
    record_type,
    value_at,
)

BATCH_ROWS = 4000


class Decoder:
    """Takes pages in order, and gives one Arrow table in the end.

    Parameters
    ----------
    table
        The declaration of the rows.

    Attributes
    ----------
    problems : Problems
        What was odd so far.
    """

    def __init__(self, table: Table) -> None:
        self.table = table
        self.problems = Problems(table.key)
        self.rows = 0
        self._chunks: dict[str, list[pa.Array]] = {column.name: [] for column in table.stored}
        self._sometimes: set[str] = set()  # top-level fields that some rows lack
        self._unknown: dict[tuple[str, ...], None] = {}  # fields that no column declares, in order of appearance
        self._absent: dict[str, int] = {}
        self._gone: set[str] = set()  # declared fields that no row of the last examined page had
        self._waiting: list[Any] = []
        self._hashes: list[Any] = []  # of the keys: eight bytes each tell whether one came twice
        self._decoder = self._compiled()

    def feed(self, content: bytes) -> Page:
        """Take one page as the server sent it.

        Raises
        ------
        SchemaError
            If it is no page of this table, or rows lack required fields; all of them are named.
        """
        content = as_rows(content, self.table) if self.table.bare else content
        return self._quick(content) or self._examined(content)

    def feed_rows(self, rows: list[dict[str, Any]]) -> Page:
        """Take rows that were put together from answers of one object each."""
        return self.feed(json.dumps({self.table.items: rows}).encode())

    def finish(self) -> pa.Table:
        """Return all rows, each key once (the last one read stands), with the stored columns in the table's order."""
        self._flush()
        with _close_to_need():
            columns = {column.name: _combined(self._chunks.pop(column.name), column) for column in self.table.stored}
        self._say_absent()
        self._say_unknown_categories(columns)
        return pa.table(columns if _all_differ(self._hashes) else _once(columns, self.table.key))

    def lacks(self) -> list[str]:
        """Return the columns that no row had."""
        return [c.name for c in self.table.sent if self.rows and self._absent.get(c.path[0], 0) == self.rows]

    # ── the quick way ────────────────────────────────────────────────────────────────────────────────────────────────

    def _quick(self, content: bytes) -> Page | None:
        """Take a page whose rows are as those before; None if they are not."""
        try:
            page = self._decoder.decode(content)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return None
        self.rows += len(page.items_)
        self._waiting += page.items_
        if len(self._waiting) >= BATCH_ROWS:
            self._flush()
        return Page(page.items_, len(page.items_), *cursors_of(bytes(page.cursor), bytes(page.next_cursor)))

    def _compiled(self) -> msgspec.json.Decoder[Any]:
        """Return a decoder of records that have exactly the fields seen so far."""
        row = record_type(self.table, self._sometimes, self._gone, list(self._unknown))
        page = msgspec.defstruct(
            "Page",
            [("items_", list[row]), ("cursor", msgspec.Raw, MISSING_RAW), ("next_cursor", msgspec.Raw, MISSING_RAW)],  # type: ignore[valid-type]
            rename={"items_": self.table.items},
        )
        return msgspec.json.Decoder(page)

    def _flush(self) -> None:
        """Columnise the typed records that wait: some pages at once, since each step costs as much for one row as for many."""
        with _close_to_need():
            self._columnise()

    def _columnise(self) -> None:
        rows, self._waiting = self._waiting, []
        keys = attributes(rows, self.table.key)
        self._note_keys(keys)
        for top in self._gone:
            self._absent[top] = self._absent.get(top, 0) + len(rows)
        for top in self._sometimes:
            self._absent[top] = self._absent.get(top, 0) + sum(map(is_missing, attributes(rows, top)))
        columns: dict[str, pa.Array] = {}
        for column in self.table.sent:
            top = column.path[0]
            if top in self._gone:
                values = [column.default] * len(rows)
            else:
                values = keys if column.name == self.table.key else column_values(rows, column.path)
            if top in self._sometimes:
                values = [column.default if value is MISSING else value for value in values]
            columns[column.name] = self._to_arrow(column, values, rows)
        self._keep(columns | {"extra": self._extras(rows)})

    def _keep(self, columns: dict[str, pa.Array]) -> None:
        """Add one page's columns, and those that are made from them: page by page, so that nothing large is held twice."""
        for column in self.table.stored:
            if column.derive is not None:
                columns[column.name] = column.derive(columns)
            self._chunks[column.name].append(columns[column.name])

    def _note_keys(self, keys: list[str]) -> None:
        self._hashes.append(np.fromiter(map(hash, keys), np.int64, len(keys)))

    def _to_arrow(self, column: Column, values: list[Any], rows: list[Any]) -> pa.Array:
        """Build one Arrow column; where a value does not fit, every value is looked at on its own."""
        try:
            return _build(column, values)
        except (pa.ArrowException, OverflowError, UnicodeEncodeError, ValueError, TypeError):
            keys = [getattr(row, self.table.key, "") for row in rows]
            return self._mended(column, values, keys)

    def _extras(self, rows: list[Any]) -> pa.Array:
        """Return unknown fields as JSON text, null for rows without any."""
        if not self._unknown or not rows:
            return pa.nulls(len(rows), pa.large_string())
        found = [(path, column_values(rows, path)) for path in self._unknown]
        texts: list[str | None] = []
        for place in range(len(rows)):
            tree: dict[str, Any] = {}
            for path, values in found:
                raw = bytes(values[place]) if isinstance(values[place], msgspec.Raw) else b""
                if raw:
                    put_at(tree, path, parse_json(raw))
            texts.append(self._extra(tree, getattr(rows[place], self.table.key, "")))
        return pa.array(texts, pa.large_string())

    def _extra(self, unknown: dict[str, Any], key: str) -> str | None:
        """Return one row's unknown fields as JSON text, sorted by name: the order in which they were met is no fact."""
        text, problem = (
            replace_surrogates(json.dumps(unknown, ensure_ascii=False, separators=(",", ":"), sort_keys=True))
            if unknown
            else (None, None)
        )
        if problem:
            self.problems.add("extra", problem, key)
        return text

    # ── the careful way ──────────────────────────────────────────────────────────────────────────────────────────────

    def _examined(self, content: bytes) -> Page:
        """Look at a page that did not fit: learn its fields and decode again, or mend it value by value."""
        self._flush()
        body = parsed_page(content, self.table)
        rows = [row for row in body[self.table.items] if isinstance(row, dict)]
        strange = len(body[self.table.items]) - len(rows)
        for _ in range(strange):
            self.problems.add(self.table.items, "a row that is no object was left out")
        renamed = self._rename(rows)
        self._require(rows)
        if self._learn(rows) and not strange and not renamed:
            page = self._quick(content)
            if page is not None:
                return page
        self._mend_rows(rows)
        return Page(rows, len(body[self.table.items]), *cursors_of(body.get("cursor"), body.get("next_cursor")))

    def _rename(self, rows: list[dict[str, Any]]) -> bool:
        """Give fields that older servers name otherwise their names."""
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
        key = self.table.key
        missing[key] = sum(1 for row in rows if row.get(key) is None)
        lost = [f"{name} (in {count} of {len(rows)} rows)" for name, count in missing.items() if count]
        if lost:
            raise SchemaError(f"{self.table.name}: required fields are missing: {', '.join(lost)}")

    def _learn(self, rows: list[dict[str, Any]]) -> bool:
        """Adapt the records to the fields of these rows; False if that changes nothing."""
        before = (set(self._sometimes), set(self._gone), list(self._unknown))
        declared = declared_places(self.table)
        for top in declared[()]:
            have = sum(1 for row in rows if top in row)
            if rows and have == 0 and not self.rows:
                self._gone.add(top)
            elif have < len(rows) or top in self._gone:
                self._sometimes.add(top)
                self._gone.discard(top)
        for row in rows:
            self._learn_unknown(row, (), declared)
        if before == (self._sometimes, self._gone, list(self._unknown)):
            return False
        self._decoder = self._compiled()
        return True

    def _learn_unknown(
        self, value: dict[str, Any], path: tuple[str, ...], declared: dict[tuple[str, ...], set[str]]
    ) -> None:
        for name, inner in value.items():
            here = (*path, name)
            if here in declared:
                if isinstance(inner, dict):
                    self._learn_unknown(inner, here, declared)
            elif name not in declared[path] and can_be_field(name):
                self._unknown[here] = None

    def _mend_rows(self, rows: list[dict[str, Any]]) -> None:
        """Columnise parsed rows value by value."""
        self.rows += len(rows)
        keys = [str(row.get(self.table.key)) for row in rows]
        self._note_keys(keys)
        declared = declared_places(self.table)
        for top in declared[()]:
            self._absent[top] = self._absent.get(top, 0) + sum(1 for row in rows if top not in row)
        for place in filter(None, declared):
            self._say_no_objects(place, rows, keys)
        columns: dict[str, pa.Array] = {}
        for column in self.table.sent:
            values = [value_at(row, column.path) for row in rows]
            values = [column.default if value is MISSING else value for value in values]
            columns[column.name] = self._mended(column, values, keys)
        texts = []
        for row, key in zip(rows, keys, strict=True):
            tree: dict[str, Any] = {}
            collect_unknown(row, (), declared, tree)
            texts.append(self._extra(tree, key))
        self._keep(columns | {"extra": pa.array(texts, pa.large_string())})

    def _mended(self, column: Column, values: list[Any], keys: Iterable[str]) -> pa.Array:
        """Return an Arrow column in which every value that does not fit is mended or null, and said to be so."""
        good = []
        for value, key in zip(values, keys, strict=True):
            plain = (parse_json(bytes(value)) if bytes(value) else None) if isinstance(value, msgspec.Raw) else value
            fitting, problem = coerce_value(column.kind, plain)
            if plain is None and column.required:
                problem = "null"
            if problem:
                self.problems.add(column.name, problem, key)
            good.append(fitting)
        if column.kind == "time":
            return pa.array(good, arrow_type("time"))
        return _build(column, good)

    def _say_no_objects(self, place: tuple[str, ...], rows: list[dict[str, Any]], keys: list[str]) -> None:
        """Report what stands where an object with columns of its own belongs."""
        for row, key in zip(rows, keys, strict=True):
            value = value_at(row, place)
            if value is not None and value is not MISSING and not isinstance(value, dict):
                self.problems.add(".".join(place), "not an object", key)

    # ── afterwards ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _say_absent(self) -> None:
        for column in self.table.sent:
            lost = self._absent.get(column.path[0], 0)
            if len(column.path) == 1 and 0 < lost < self.rows:
                self.problems.add(column.name, "absent", count=lost)

    def _say_unknown_categories(self, data: dict[str, Any]) -> None:
        for column in self.table.sent:
            if column.kind == "category":
                values = data[column.name]
                for value in sorted(set(values.dictionary.to_pylist()) - set(column.categories) - {None}):
                    self.problems.add(column.name, f"unknown value {value!r:.80}")


@contextmanager
def _close_to_need() -> Iterator[None]:
    """Have Arrow take its memory from the system meanwhile: its own allocator keeps nearly as much again for later."""
    with _POOL:
        before = pa.default_memory_pool()
        pa.set_memory_pool(pa.system_memory_pool())
        try:
            yield
        finally:
            pa.set_memory_pool(before)


_POOL = threading.RLock()


def _build(column: Column, values: list[Any]) -> pa.Array:
    """Build an Arrow column from values that fit; raises where one does not."""
    if column.kind == "json":
        return json_texts(values)
    if column.kind == "time":
        return parse_times(values)
    if column.kind == "category":
        return pa.array(values, arrow_type("category"))
    return pa.array(values, arrow_type(column.kind))


def _combined(chunks: list[pa.Array], column: Column) -> pa.Array:
    """Return the chunks as one array, and let go of them."""
    if not chunks:
        return empty_arrow(column)
    if column.kind == "category":
        return pa.chunked_array(chunks).unify_dictionaries().combine_chunks() if len(chunks) > 1 else chunks[0]
    if column.kind in ("text", "json"):
        kept = pa.chunked_array(chunks)  # text stays in pieces: to join it would hold it twice
        chunks.clear()
        return kept
    array = pa.concat_arrays(chunks) if len(chunks) > 1 else chunks[0]
    chunks.clear()
    return array


def _all_differ(hashes: list[Any]) -> bool:
    """Tell whether no key came twice; two keys of one hash only cost the exact look."""
    ordered = np.sort(np.concatenate(hashes)) if hashes else np.array([], np.int64)
    return bool((ordered[1:] != ordered[:-1]).all())


def _once(columns: dict[str, Any], key: str) -> dict[str, Any]:
    """Return the columns with each key once, in order of first appearance, as it was read last."""
    keys = columns[key]
    last = {value: place for place, value in enumerate(keys.to_pylist())}
    places = pa.array(list(last.values()), pa.int64())
    return {name: values.take(places) for name, values in columns.items()}
