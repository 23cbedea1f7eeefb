"""The shape of one row: the typed record that the quick decoding wants, and places in rows by path; pure."""

from __future__ import annotations

import keyword
from functools import cache
from typing import Any

import msgspec

from ..schema.columns import Table

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


def record_type(table: Table, sometimes: set[str], gone: set[str], unknown: list[tuple[str, ...]]) -> Any:
    """Return the type of one row: its declared fields as they occur, and unknown ones as raw JSON; anything else is an error."""
    tree: dict[str, Any] = {}
    for column in table.sent:
        if column.path[0] not in gone:
            put_at(tree, column.path, column)
    for path in unknown:
        put_at(tree, path, None)

    def build(name: str, node: dict[str, Any], *, top: bool) -> Any:
        fields: list[Any] = []
        for key, leaf in node.items():
            optional = not top or key in sometimes
            if isinstance(leaf, dict):
                inner = build(f"{name}_{key}", leaf, top=False)
                kind: Any = inner | None
            elif leaf is None or leaf.kind == "json":
                fields.append(
                    (_safe(key), msgspec.Raw, MISSING_RAW) if optional or leaf is None else (_safe(key), msgspec.Raw)
                )
                continue
            else:
                kind = _PYTHON[leaf.kind] if leaf.required else _PYTHON[leaf.kind] | None
            fields.append((_safe(key), kind | msgspec.UnsetType, MISSING) if optional else (_safe(key), kind))
        rename = {_safe(key): key for key in node}
        return msgspec.defstruct(name, fields, gc=False, kw_only=True, forbid_unknown_fields=True, rename=rename)

    return build("Row", tree, top=True)


def _safe(key: str) -> str:
    """Return an attribute name for a field: unknown ones can be any text, and no two may share a name."""
    fine = key.isascii() and key.isidentifier() and not key.startswith(("_", "x")) and not keyword.iskeyword(key)
    return key if fine else f"x{key.encode().hex()}"


def can_be_field(key: str) -> bool:
    """Tell whether records can have a field of this name; rows with any other are always taken the careful way."""
    return not any(c in '"\\' or c < " " or "\ud800" <= c <= "\udfff" for c in key)


def column_values(rows: list[Any], path: tuple[str, ...]) -> list[Any]:
    """Return one field of every record, null where a record on the way is null or missing."""
    if len(path) == 1:
        return attributes(rows, path[0])
    values: list[Any] = rows
    for part in path:
        name = _safe(part)
        values = [None if value is None or value is MISSING else getattr(value, name) for value in values]
    return [None if value is MISSING else value for value in values]


def attributes(rows: list[Any], field: str) -> list[Any]:
    """Return one top-level field of every record."""
    values: list[Any] = _reader(_safe(field))(rows)
    return values


@cache
def _reader(name: str) -> Any:
    """Return a function that reads one attribute of many records: spelled out, it takes two thirds of attrgetter's time."""
    return eval(f"lambda rows: [row.{name} for row in rows]")  # noqa: S307  # the name has been made an identifier


def is_missing(value: Any) -> bool:
    """Tell whether a record's field was not in the answer."""
    return value is MISSING or value is MISSING_RAW


def declared_places(table: Table) -> dict[tuple[str, ...], set[str]]:
    """Return, for each place in a row that has declared fields, their names."""
    places: dict[tuple[str, ...], set[str]] = {(): set()}
    for column in table.sent:
        for depth in range(len(column.path)):
            places.setdefault(column.path[:depth], set()).add(column.path[depth])
    return places


def collect_unknown(
    value: dict[str, Any], path: tuple[str, ...], declared: dict[tuple[str, ...], set[str]], into: dict[str, Any]
) -> None:
    """Gather the fields that no column declares, at their places."""
    for name, inner in value.items():
        here = (*path, name)
        if here in declared:
            if isinstance(inner, dict):
                collect_unknown(inner, here, declared, into)
        elif name not in declared[path]:
            put_at(into, here, inner)


def value_at(row: dict[str, Any], path: tuple[str, ...]) -> Any:
    """Return the value at a place; MISSING if its first part is absent, null if a later one is."""
    value: Any = row.get(path[0], MISSING)
    for part in path[1:]:
        if value is MISSING:
            return None
        value = value.get(part) if isinstance(value, dict) else None
    return value


def put_at(tree: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    """Set the value at a place, making the objects on the way."""
    for part in path[:-1]:
        tree = tree.setdefault(part, {})
    tree[path[-1]] = value
