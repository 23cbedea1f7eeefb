"""Typed records of rows, whose fields are those that a listing has, and access to nested fields by path; pure."""

from __future__ import annotations

import keyword
from functools import cache
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from ..schema.coerce import encode_json, parse_json
from ..schema.columns import Table, arrow_array, memory_pool

MISSING = msgspec.UNSET
MISSING_RAW = msgspec.Raw()

_PYTHON: dict[str, Any] = {
    "text": str,
    "category": str,
    "time": str,
    "int": int,
    "float": float,
    "bool": bool,
    "texts": list[str],
}

_TEXT_BY_TEXT = msgspec.json.Decoder(dict[str, str])
# Escapes that are not needed, blanks between tokens, and numbers, which have many forms. A blank inside a text stands beside a
# quote only at the text's own begin; that, or a text such as "a:1", only costs a look.
_NOT_CANONICAL = r'\\[u/]|"[:,]?\s|[:,\[{}\]]\s+["\[{}\]]|[:\[,]\s*[-0-9tfn]'
MOST_UNKNOWN = (
    64  # fields; rows that differ in more are coerced one by one, since each field would cost time in every row
)
_NO_JSON = pa.array(["null", ""], pa.large_string())


class RecordLayout:
    """The fields that the rows of a listing have had so far, and a decoder of pages whose rows have no others.

    Attributes
    ----------
    gone : set of str
        Declared top-level fields that no row has had.
    optional : set of str
        Top-level fields that some rows lack.
    unknown : dict
        The paths of fields that no column declares, in order of appearance; a set that keeps its order.
    decoder : msgspec.json.Decoder
        Decodes a page into records; any other field, or a value of another type, is an error.
    """

    def __init__(self, table: Table) -> None:
        self.table = table
        self.gone: set[str] = set()
        self.optional: set[str] = set()
        self.unknown: dict[tuple[str, ...], None] = {}
        self.decoder = self._compile()

    def learn(self, rows: list[dict[str, Any]], *, first: bool) -> bool:
        """Adapt the records to the fields of these rows, the first of the listing or not; False if that changes nothing."""
        before = (set(self.optional), set(self.gone), list(self.unknown))
        declared = declared_fields(self.table)
        for top in declared[()]:
            have = sum(1 for row in rows if top in row)
            if rows and have == 0 and first:
                self.gone.add(top)
            elif have < len(rows) or top in self.gone:
                self.optional.add(top)
                self.gone.discard(top)
        self._learn_unknown_of(rows, declared)
        if before == (self.optional, self.gone, list(self.unknown)):
            return False
        self.decoder = self._compile()
        return True

    def _learn_unknown_of(self, rows: list[dict[str, Any]], declared: dict[tuple[str, ...], set[str]]) -> None:
        """Learn the unknown fields of these rows, unless they are too many: then those of a page at least are not the next one's."""
        known = dict(self.unknown)
        for row in rows:
            self._learn_unknown(row, (), declared)
            if len(self.unknown) > MOST_UNKNOWN:
                self.unknown = known
                return

    def _learn_unknown(
        self, value: dict[str, Any], path: tuple[str, ...], declared: dict[tuple[str, ...], set[str]]
    ) -> None:
        for name, inner in value.items():
            here = (*path, name)
            if here in declared:
                if isinstance(inner, dict):
                    self._learn_unknown(inner, here, declared)
            elif name not in declared[path] and can_be_field(name):
                self.unknown[here] = None

    def _compile(self) -> msgspec.json.Decoder[Any]:
        row = record_type(self.table, self.optional, self.gone, list(self.unknown))
        page = msgspec.defstruct(
            "Page",
            [("items_", list[row]), ("cursor", msgspec.Raw, MISSING_RAW), ("next_cursor", msgspec.Raw, MISSING_RAW)],  # type: ignore[valid-type]
            rename={"items_": self.table.items},
        )
        return msgspec.json.Decoder(page)


def record_type(table: Table, optional: set[str], gone: set[str], unknown: list[tuple[str, ...]]) -> Any:
    """Return the record type of one row: its declared fields as they occur, and unknown ones as raw JSON; no others."""
    tree: dict[str, Any] = {}
    for column in table.sent:
        if column.path[0] not in gone:
            set_field(tree, column.path, column)
    for path in unknown:
        set_field(tree, path, None)

    def build(name: str, node: dict[str, Any], *, top: bool) -> Any:
        fields: list[Any] = []
        for key, leaf in node.items():
            may_lack = not top or key in optional
            if isinstance(leaf, dict):
                inner = build(f"{name}_{key}", leaf, top=False)
                kind: Any = inner | None
            elif leaf is None or leaf.kind == "json":
                fields.append(
                    (_safe(key), msgspec.Raw, MISSING_RAW) if may_lack or leaf is None else (_safe(key), msgspec.Raw)
                )
                continue
            else:
                kind = _PYTHON[leaf.kind] if leaf.required else _PYTHON[leaf.kind] | None
            fields.append((_safe(key), kind | msgspec.UnsetType, MISSING) if may_lack else (_safe(key), kind))
        rename = {_safe(key): key for key in node}
        return msgspec.defstruct(name, fields, gc=False, kw_only=True, forbid_unknown_fields=True, rename=rename)

    return build("Row", tree, top=True)


def _safe(key: str) -> str:
    """Return an attribute name for a field: unknown ones can be any text, and no two may share a name."""
    fine = key.isascii() and key.isidentifier() and not key.startswith(("_", "x")) and not keyword.iskeyword(key)
    return key if fine else f"x{key.encode().hex()}"


def can_be_field(key: str) -> bool:
    """Tell whether records can have a field of this name; rows with any other are always coerced value by value."""
    return not any(c in '"\\' or c < " " or "\ud800" <= c <= "\udfff" for c in key)


def read_field(rows: list[Any], path: tuple[str, ...]) -> list[Any]:
    """Return one field of every record; of a nested one, null where a record on the way is null or missing."""
    if len(path) == 1:
        return read_attribute(rows, path[0])
    names = [_safe(part) for part in path]
    try:
        values: list[Any] = _attribute_reader(".".join(names))(rows)
    except AttributeError:  # one on the way is null or missing
        values = rows
        for name in names:
            values = [None if value is None or value is MISSING else getattr(value, name) for value in values]
    return [None if value is MISSING else value for value in values]


def read_attribute(rows: list[Any], field: str) -> list[Any]:
    """Return one top-level field of every record."""
    values: list[Any] = _attribute_reader(_safe(field))(rows)
    return values


@cache
def _attribute_reader(name: str) -> Any:
    """Return a function that reads one attribute, or `one.of_another`, of many records: spelled out, it takes two thirds of attrgetter's time."""
    return eval(f"lambda rows: [row.{name} for row in rows]")  # noqa: S307  # each name has been made an identifier


def is_missing(value: Any) -> bool:
    """Tell whether a record's field was not in the answer."""
    return value is MISSING or value is MISSING_RAW


def declared_fields(table: Table) -> dict[tuple[str, ...], set[str]]:
    """Return the names of the declared fields by the path of the object that holds them."""
    places: dict[tuple[str, ...], set[str]] = {(): set()}
    for column in table.sent:
        for depth in range(len(column.path)):
            places.setdefault(column.path[:depth], set()).add(column.path[depth])
    return places


def collect_unknown(
    value: dict[str, Any], path: tuple[str, ...], declared: dict[tuple[str, ...], set[str]], into: dict[str, Any]
) -> None:
    """Collect the fields that no column declares, each at its path."""
    for name, inner in value.items():
        here = (*path, name)
        if here in declared:
            if isinstance(inner, dict):
                collect_unknown(inner, here, declared, into)
        elif name not in declared[path]:
            set_field(into, here, inner)


def get_field(row: dict[str, Any], path: tuple[str, ...]) -> Any:
    """Return the value at a path; MISSING if its first part is absent, null if a later one is."""
    value: Any = row.get(path[0], MISSING)
    for part in path[1:]:
        if value is MISSING:
            return None
        value = value.get(part) if isinstance(value, dict) else None
    return value


def set_field(tree: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    """Set the value at a path, making the objects on the way."""
    for part in path[:-1]:
        tree = tree.setdefault(part, {})
    tree[path[-1]] = value


def canonical_column(values: list[Any]) -> pa.Array:
    """Return metadata as a column of canonical JSON; of raw values, only those with escapes, blanks or numbers are rewritten.

    Raises where one is not an object, or not valid Unicode.
    """
    if not values or not isinstance(values[0], msgspec.Raw):
        return arrow_array("json", values)
    # All texts as one: raw JSON lends its bytes, so no object is made of any, and no JSON holds the separator.
    pool = memory_pool()
    joined = pc.cast(
        pa.array([b"\0".join(values)], pa.large_binary(), memory_pool=pool), pa.large_string(), memory_pool=pool
    )
    texts = pc.split_pattern(joined, "\0", memory_pool=pool).flatten(pool)
    texts = pc.if_else(pc.is_in(texts, value_set=_NO_JSON), None, texts, memory_pool=pool)
    if not pc.all(pc.starts_with(texts, "{")).as_py():
        raise ValueError("metadata that is not an object")
    if not pc.match_substring_regex(joined, _NOT_CANONICAL)[0].as_py():
        return texts  # one look at all of them takes half the time of one at each
    odd = pc.fill_null(pc.match_substring_regex(texts, _NOT_CANONICAL), False)
    rewritten = [_canonical_text(text) for text in texts.filter(odd).to_pylist()]
    return pc.replace_with_mask(texts, odd, pa.array(rewritten, pa.large_string()), memory_pool=pool)


def _canonical_text(text: str) -> str:
    """Return the canonical form of one JSON text; of text by text, as the contract has it, in a tenth of the time."""
    try:
        return msgspec.json.encode(_TEXT_BY_TEXT.decode(text)).decode()
    except msgspec.MsgspecError:
        canonical, problem = encode_json(parse_json(text.encode()))
    if problem:
        raise ValueError(problem)
    return canonical
