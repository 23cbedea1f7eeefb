"""One page of a listing as parsed JSON: its rows, its keys and its cursors; pure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from ..errors import SchemaError
from ..schema.coerce import parse_json
from ..schema.columns import Table


@dataclass(frozen=True)
class Page:
    """What one page said, besides its rows."""

    items: list[Any]  # the rows as they were decoded, records or objects
    rows: int
    total: int | None = None  # of a cursor, where there is one
    next_cursor: dict[str, Any] | None = None

    def keys(self, table: Table) -> set[str]:
        """Return the keys of its rows."""
        name = table.key
        return {str(row[name] if isinstance(row, dict) else getattr(row, name)) for row in self.items}


def parsed_page(content: bytes, table: Table) -> dict[str, Any]:
    """Parse a page leniently; raises where it holds no list of rows."""
    try:
        body = parse_json(content)
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict) or not isinstance(body.get(table.items), list):
        raise SchemaError(f"{table.name}: the answer holds no list named {table.items!r}")
    return body


def as_rows(content: bytes, table: Table) -> bytes:
    """Return a page of bare ids as a page of rows that have nothing but their key."""
    body = parsed_page(content, table)
    body[table.items] = [{table.key: row} if isinstance(row, str) else row for row in body[table.items]]
    return json.dumps(body).encode()


def cursors_of(cursor: Any, next_cursor: Any) -> tuple[int | None, dict[str, Any] | None]:
    """Return the total of an offset cursor and a keyset cursor, from parsed or raw JSON; None for what is not there."""
    offset, keyset = (parse_json(c) if isinstance(c, bytes) and c else c or None for c in (cursor, next_cursor))
    total = offset.get("total_count") if isinstance(offset, dict) else None
    return (
        total if isinstance(total, int) and not isinstance(total, bool) else None,
        keyset if isinstance(keyset, dict) and keyset else None,
    )
