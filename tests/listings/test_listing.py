"""Listings with their reports: doubts, merged reports, and the serialized form."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinker_frames.listings.listing import REPORT_KEY, Listing, Report, merge_reports


def listing() -> Listing:
    """Return a listing with every kind of column."""
    data = pa.table(
        {
            "text": pa.array(["é", None], pa.large_string()),
            "kind": pa.array(["a", None]).dictionary_encode(),
            "n": pa.array([2**53 + 1, None]),
            "ids": pa.array([["x"], None], pa.large_list(pa.large_string())),
            "time": pa.array([1, None], pa.timestamp("us", "UTC")),
        }
    )
    report = Report(total=2, pages=1, requests=3, started=5.25, lacks=["public"])
    report.doubt("moved é", rows=1)
    return Listing(data, report)


def test_the_stored_form_gives_the_same_listing() -> None:
    """Rows, dtypes and report survive serialization."""
    found = Listing.from_bytes(listing().to_bytes())
    assert found == listing()


@settings(max_examples=28)
@given(st.binary(max_size=60) | st.integers(0, 5000).map(lambda keep: listing().to_bytes()[:keep]))
def test_bytes_that_are_no_listing_are_none(content: bytes) -> None:
    """A damaged or foreign entry is treated as missing and never raises."""
    found = Listing.from_bytes(content)
    assert found is None or found == listing()


def test_an_entry_that_was_cut_is_none() -> None:
    """A truncated stream, even between two messages, is not a listing with fewer rows."""
    content = listing().to_bytes()
    found = [Listing.from_bytes(content[:keep]) for keep in range(0, len(content), 8)]
    assert all(cut is None or cut == listing() for cut in found)


@pytest.mark.parametrize("said", [None, b"{}extra", b"[]", b"1", b'{"rows": 2, "unknown": 1}'])
def test_a_listing_of_another_version_is_none(said: bytes | None) -> None:
    """A stream without our report, or with other fields, is read again from the server."""
    data = listing().data.replace_schema_metadata({REPORT_KEY: said} if said else None)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, data.schema) as writer:
        writer.write_table(data)
    assert Listing.from_bytes(bytes(sink.getvalue())) is None


def test_only_a_doubt_is_a_reason_to_warn() -> None:
    """Malformed values and the caller's limit are no reason to warn; possibly missing rows are."""
    odd = Report(
        problems=[{"column": "time", "problem": "not a time", "rows": 1, "examples": []}], cut=True, complete=False
    )
    assert not odd.doubted
    odd.doubt("moved")
    assert odd.doubted
    assert not odd.complete


def test_joined_reports_are_as_bad_as_the_worst() -> None:
    """A merged report is complete only if all parts are, adds requests and pages, has the oldest age, every problem, and each lack once."""
    first = Report(total=5, pages=1, requests=2, started=9.0, lacks=["a"])
    second = Report(total=7, pages=3, requests=4, started=8.0, lacks=["a", "b"], cut=True)
    second.doubt("moved")
    both = merge_reports([first, second])
    assert (both.complete, both.total, both.pages, both.requests, both.started) == (False, 5, 4, 6, 8.0)
    assert (both.lacks, both.cut, both.doubted) == (["a", "b"], True, True)
    assert first == Report(total=5, pages=1, requests=2, started=9.0, lacks=["a"])
    assert merge_reports([first]).complete
