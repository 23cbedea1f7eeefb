"""A listing: all rows of one table as read at one time, with a report of how they were read; and its stored form.

The stored form is an Arrow stream: reading it runs no code, keeps every dtype, and copies next to nothing.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any

import pyarrow as pa

REPORT_KEY = b"tinker_frames"


@dataclass
class Report:
    """How a listing was read.

    Attributes
    ----------
    complete
        Whether it is proved that no row is missing.
    total
        Number of rows by the server's count; None if it gives none.
    pages, requests
        Pages used, and HTTP requests sent for them, repeats included.
    started
        When the reading began, Unix seconds.
    problems
        Malformed values and doubts: dicts with `column`, `problem`, `rows` and `examples`.
    lacks
        Columns that this server did not fill in any row.
    cut
        Whether a limit that the caller gave left rows out.
    lost
        The keys (runs, sessions …) whose rows could not be read.
    gone
        Those of them that do not exist, as the server says.
    from_cache
        Whether all of it came from the account's cache.
    """

    complete: bool = True
    total: int | None = None
    pages: int = 0
    requests: int = 0
    started: float = 0.0
    problems: list[dict[str, Any]] = field(default_factory=list)
    lacks: list[str] = field(default_factory=list)
    cut: bool = False
    lost: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    from_cache: bool = False

    @property
    def doubted(self) -> bool:
        """Whether rows may be missing other than by `limit`."""
        return any(problem["column"] is None for problem in self.problems)

    def doubt(self, problem: str, rows: int = 0) -> None:
        """Note why it is not proved complete."""
        self.complete = False
        self.note(None, problem, rows)

    def note(self, column: str | None, problem: str, rows: int = 0) -> None:
        """Note a problem with a column."""
        self.problems = [*self.problems, {"column": column, "problem": problem, "rows": rows, "examples": []}]

    def note_struck(self, times: int) -> None:
        """Note that the server sent the credential back, which was struck out of its answers."""
        if times:
            self.note("*", "the server sent the credential back; it was replaced by [key]", times)


def merge_reports(reports: list[Report]) -> Report:
    """Return one report for rows joined from several listings: as complete and as old as the worst of them."""
    first, *others = reports
    merged = Report(**asdict(first))
    for report in others:
        merged.complete = merged.complete and report.complete
        merged.pages += report.pages
        merged.requests += report.requests
        merged.started = min(merged.started, report.started)
        merged.problems += report.problems
        merged.lacks = list(dict.fromkeys([*merged.lacks, *report.lacks]))
        merged.cut = merged.cut or report.cut
        merged.from_cache = merged.from_cache and report.from_cache
    return merged


@dataclass
class Listing:
    """Rows as Arrow columns, with their report."""

    data: pa.Table
    report: Report

    def to_bytes(self) -> bytes:
        """Return the stored form."""
        # With the number of rows, since a stream that is cut between messages reads as a shorter one.
        about = asdict(self.report) | {"rows": self.data.num_rows}
        data = self.data.replace_schema_metadata({REPORT_KEY: json.dumps(about).encode()})
        sink = pa.BufferOutputStream()
        options = pa.ipc.IpcWriteOptions(compression="lz4")
        with pa.ipc.new_stream(sink, data.schema, options=options) as writer:
            writer.write_table(data)
        return bytes(sink.getvalue())

    @classmethod
    def from_bytes(cls, content: bytes) -> Listing | None:
        """Return the listing that was stored; None for other bytes, or a part of one."""
        try:
            with pa.ipc.open_stream(pa.py_buffer(content)) as reader:
                data = reader.read_all()
            about = json.loads((data.schema.metadata or {})[REPORT_KEY])
            rows = about.pop("rows")
            report = Report(**about)
        except (pa.ArrowException, OSError, AttributeError, KeyError, TypeError, ValueError):
            return None
        return cls(data.replace_schema_metadata(None), report) if rows == data.num_rows else None


def join_listings(first: Listing, other: Listing) -> Listing:
    """Return the rows of two listings of one table, which have none in common, under one report."""
    report = merge_reports([first.report, other.report])
    report.lacks = [name for name in first.report.lacks if name in other.report.lacks or not other.data.num_rows]
    if first.report.total is not None:
        report.total = None if other.report.doubted else first.report.total + other.data.num_rows
    return Listing(pa.concat_tables([first.data, other.data]).unify_dictionaries().combine_chunks(), report)


def apply_limit(listing: Listing, limit: int | None) -> Listing:
    """Return at most `limit` rows; the report says whether that left some out."""
    if limit is None or (limit and listing.data.num_rows <= limit):
        return listing
    listing.report.cut, listing.report.complete = True, False
    return Listing(listing.data.slice(0, limit), listing.report)
