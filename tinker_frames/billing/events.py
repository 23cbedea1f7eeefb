"""Decode answers of the billing endpoints into typed rows, with what stands beside the rows filled in; pure."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from functools import lru_cache
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ..listings.decode import Decoder
from ..listings.listing import Listing, Report
from ..listings.pagination import says_more
from ..listings.rate import RATE, parse_rate
from ..rest.responses import Response
from ..schema.catalog import STORAGE, USAGE
from ..schema.coerce import canonical_json, coerce_value, parse_json, parse_object
from ..schema.columns import Table, arrow_array
from .spans import Window

INVOICED_UNTIL, SESSIONS = "cost_data_through", "sessions"


def decode_usage(response: Response, window: Window) -> tuple[Listing, datetime | None]:
    """Return the events of a window, and the time before which their costs come from invoices; None if that is not known.

    Events of other hours are left out, since the windows that they belong to have them: a server that ignores the bounds would
    have each counted once for every window. That is doubted, unless all of them are of the hour that the window ends at.
    """
    listing, body = _decode(USAGE, response)
    listing = _select_hours(listing, window)
    until, _ = coerce_value("time", body.get(INVOICED_UNTIL))
    data, texts = listing.data, _read_metadata(body.get(SESSIONS))
    metadata = arrow_array("json", [texts.get(key) for key in data["session_id"].to_pylist()])
    data = _fill(_fill(data, "user_metadata", metadata), "invoiced", _compare_hours(data["bucket_start"], until))
    is_storage = pc.equal(pc.cast(data["event_type"], pa.large_string()), "storage")
    free = pc.if_else(pc.and_kleene(is_storage, pc.is_null(data["free"])), False, data["free"])
    return Listing(_fill(data, "free", free), listing.report), until


def _select_hours(listing: Listing, window: Window) -> Listing:
    """Return the events of a window's hours; the report says what is left out."""
    starts = listing.data["bucket_start"]
    first, end = (pa.scalar(bound, starts.type) for bound in (window.start, window.end))
    inside = pc.fill_null(pc.and_(pc.greater_equal(starts, first), pc.less(starts, end)), False)
    if undated := starts.null_count:
        listing.report.doubt("events whose time cannot be read were left out", rows=undated)
    others = pc.sum(pc.or_(pc.less(starts, first), pc.greater(starts, end))).as_py() or 0
    if others:
        listing.report.doubt("the server answered with events of other hours than it was asked for", rows=others)
    return Listing(listing.data.filter(inside), listing.report)


def _read_metadata(sessions: Any) -> dict[str, str | None]:
    """Return the metadata of sessions as JSON text, by session id."""
    known = sessions if isinstance(sessions, dict) else {}
    texts = {key: about if isinstance(about, bytes) else canonical_json(about).encode() for key, about in known.items()}
    return {key: _format_metadata(text) for key, text in texts.items()}


@lru_cache(maxsize=4096)
def _format_metadata(session: bytes) -> str | None:
    """Return the metadata of one session as JSON text; kept, since each window repeats the sessions of those before it."""
    about = parse_object(session) or {}
    metadata = about.get("user_metadata")
    return canonical_json(metadata) if isinstance(metadata, dict) else None


def _compare_hours(starts: Any, until: datetime | None) -> Any:
    """Return whether each hour begins before a time; null without one."""
    return pa.nulls(len(starts), pa.bool_()) if until is None else pc.less(starts, pa.scalar(until, starts.type))


def decode_storage(response: Response) -> Listing:
    """Return the rows of an answer on the present storage, each with the rate of all."""
    listing, body = _decode(STORAGE, response)
    rate = parse_rate(body)
    rates = arrow_array("float", [rate] * listing.data.num_rows)
    return Listing(_fill(listing.data, RATE, rates), listing.report)


def _decode(table: Table, response: Response) -> tuple[Listing, dict[str, Any]]:
    """Return the rows of an answer, and its other fields."""
    decoder = Decoder(table)
    decoder.feed(response.content)
    report = Report(started=response.fetched_at, pages=1)
    data = decoder.finish()
    report.problems, report.lacks = decoder.problems.as_list(), decoder.lacks()
    if decoder.left_out:
        report.doubt("rows that are not objects were left out", rows=decoder.left_out)
    body = _read_beside(response.content, table)
    if says_more(body, data.num_rows + decoder.left_out):
        report.doubt("the answer says that more rows follow, which this version cannot ask for")
    return Listing(data, report), body


def _read_beside(content: bytes, table: Table) -> dict[str, Any]:
    """Return the fields of an answer beside its rows, which are not parsed for that, and nor are its sessions."""
    import msgspec

    with suppress(msgspec.MsgspecError, UnicodeDecodeError):
        parts = msgspec.json.decode(content, type=dict[str, msgspec.Raw])
        sessions = msgspec.json.decode(parts.pop(SESSIONS, b"{}"), type=dict[str, msgspec.Raw])
        parsed = {name: parse_json(bytes(raw)) for name, raw in parts.items() if name != table.items}
        return parsed | {SESSIONS: {key: bytes(raw) for key, raw in sessions.items()}}
    return parse_object(content) or {}


def _fill(data: pa.Table, name: str, values: Any) -> pa.Table:
    return data.set_column(data.column_names.index(name), name, values)
