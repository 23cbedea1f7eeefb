"""Which page to request next, against simulated lists: every row, finitely many requests, none too many."""

from __future__ import annotations

from math import ceil

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tinker_frames.errors import InvalidRequestError, ServerError, TinkerError
from tinker_frames.listings.pagination import (
    FEW_ROWS,
    MOST_AT_ONCE,
    MOST_FRUITLESS,
    Coverage,
    Request,
    reduce_page_size,
)

PLENTY = 2000  # pages; a listing that needs more is considered endless


def sweep(
    coverage: Coverage, size: int, caps: list[int], totals: str, *, says_limit: bool = False
) -> tuple[set[int], list[Request]]:
    """Read a list of `size` rows from a server that silently lowers the limit of its n-th page to `caps[n]`, or says the limit."""
    found: set[int] = set()
    asked: list[Request] = []

    def answer(request: Request) -> None:
        cap = caps[min(len(asked), len(caps) - 1)] if caps else request.limit
        asked.append(request)
        assert len(asked) < PLENTY
        assert request.limit > 0
        rows = set(range(request.offset, min(size, request.offset + min(request.limit, cap))))
        total = {"always": size, "zero past the end": size if rows else 0, "none": None, "zero": 0}[totals]
        new = None if total else len(rows - found)
        found.update(rows)
        coverage.record(request, len(rows), total, new=new, limit=request.limit if says_limit else None)

    answer(coverage.first())
    while requests := coverage.missing():
        for request in requests:
            if not coverage.skips(request):
                answer(request)
    return found, asked


@settings(max_examples=105)
@given(
    size=st.integers(0, 60),
    page=st.integers(1, 25),
    caps=st.lists(st.integers(1, 25), max_size=6),
    totals=st.sampled_from(["always", "zero past the end", "none", "zero"]),
)
@example(size=40, page=10, caps=[10, 10, 5, 10], totals="none")
@example(size=40, page=10, caps=[10, 5, 10], totals="none")
@example(size=0, page=10, caps=[], totals="zero past the end")
def test_every_row_is_read_and_the_reading_ends(size: int, page: int, caps: list[int], totals: str) -> None:
    """Whatever the size, the caps and the total, all rows are read in finitely many requests."""
    coverage = Coverage(size=page)
    found, _ = sweep(coverage, size, caps, totals)
    assert found == set(range(size))
    assert not coverage.moved


@settings(max_examples=70)
@given(size=st.integers(1, 40), page=st.integers(1, 60), after=st.integers(1, 4), has_totals=st.booleans())
@example(size=3, page=100, after=1, has_totals=True)
@example(size=3, page=100, after=1, has_totals=False)
def test_a_reading_ends_if_a_row_is_added_in_front_meanwhile(
    size: int, page: int, after: int, has_totals: bool
) -> None:
    """A row that was read and comes again one place later, since another one was added before it, is not asked for without end."""
    coverage, rows, found, requests = Coverage(size=page), list(range(size)), set[int](), 0
    planned = [coverage.first()]
    while planned:
        for request in planned:
            given_rows = set(rows[request.offset : request.offset + request.limit])
            total = len(rows) if has_totals else None
            coverage.record(request, len(given_rows), total, new=len(given_rows - found), limit=request.limit)
            found |= given_rows
            requests += 1
            if requests == after:
                rows = [-1, *rows]
        assert requests < PLENTY
        planned = coverage.missing()
    assert found >= set(range(size)) or coverage.is_given_up or not coverage.is_quiet


@settings(max_examples=70)
@given(size=st.integers(0, 500), page=st.integers(1, 60))
@example(size=32, page=33)
def test_a_quiet_list_with_totals_takes_no_request_too_many(size: int, page: int) -> None:
    """With a total and an accepted page size, ceil(rows / page) requests are sent, and one past the end only if the last page may be full, or is the only one and short; two if it is the only one and may be full."""
    coverage = Coverage(size=page)
    _, asked = sweep(coverage, size, [], "always", says_limit=True)
    may_be_cut = size <= FEW_ROWS or size % 5 == 0 or size == 32  # few rows, a round number, or a power of two
    is_shown = size % page > 0 and (size > page or not may_be_cut)
    is_doubtful = FEW_ROWS <= size <= page and not is_shown
    assert len(asked) == ceil(size / page) + (not is_shown) + (size == 0) + is_doubtful
    assert len(set(asked)) == len(asked) - (size == 0)
    assert coverage.total == size
    assert coverage.is_quiet


@settings(max_examples=35)
@given(
    size=st.integers(0, 80),
    page=st.integers(1, 30),
    want=st.integers(1, 100),
    totals=st.sampled_from(["always", "none"]),
)
def test_no_more_rows_are_asked_for_than_are_wanted(size: int, page: int, want: int, totals: str) -> None:
    """With a limit exactly the first rows are read, and no request asks for more, but for one row past a total that equals the limit."""
    found, asked = sweep(Coverage(size=page, want=want), size, [], totals)
    assert found == set(range(min(size, want)))
    past = 1 if totals == "always" and want == size else 0
    assert all(request.offset + request.limit <= want + past for request in asked)


@given(cap=st.integers(1, 30), size=st.integers(1, 200))
def test_a_silently_lowered_limit_is_learnt_from_the_first_page(cap: int, size: int) -> None:
    """After a short first page no later page is requested to be longer."""
    coverage = Coverage(size=50)
    _, asked = sweep(coverage, size, [cap], "always")
    assert {request.limit for request in asked[1:] if request.offset < size - 1} <= {cap}
    assert len(asked) <= 2 + ceil(size / cap)


def test_a_server_that_ignores_the_offset_ends_the_reading() -> None:
    """Without a total, a page of known rows is requested once more, and the next one too; then the listing stops."""
    for total in (None, 0):
        coverage = Coverage(size=10)
        coverage.record(coverage.first(), 10, total, new=10)
        asked = 0
        while requests := coverage.missing():
            for request in requests:
                asked += 1
                coverage.record(request, 10, total, new=0)
        assert asked == MOST_FRUITLESS
        assert coverage.is_given_up


def test_a_page_of_known_rows_or_an_empty_one_may_be_an_accident() -> None:
    """Rows that appear when a page is requested again are added, and the listing continues."""
    for rows, new in ((10, 0), (0, 0)):
        coverage = Coverage(size=10)
        coverage.record(coverage.first(), 10, None, new=10)
        coverage.record(Request(10, 10), rows, None, new=new)
        assert coverage.missing() == [Request(9, 10), Request(20, 10)]
        coverage.record(Request(9, 10), rows, None, new=new)
        coverage.record(Request(20, 10), 10, None, new=10)
        assert coverage.missing() == [Request(10, 10)]
        assert not coverage.is_given_up


@pytest.mark.parametrize("total", [None, 0, 20])
def test_offsets_that_are_taken_for_page_numbers_show_no_end(total: int | None) -> None:
    """A server on which the place of the last row is empty does not read offsets as such: nothing past the first page is proved."""
    coverage, asked = Coverage(size=20), 1
    coverage.record(coverage.first(), 20, total, new=20)
    while requests := coverage.missing():
        asked += len(requests)
        for request in requests:
            coverage.record(request, 0, total and 0, new=0)
    assert coverage.is_given_up
    assert asked < 10


def test_rows_that_moved_between_two_pages_are_noticed() -> None:
    """Without a total, repeated rows show that the list changed."""
    coverage = Coverage(size=10)
    coverage.record(coverage.first(), 10, None, new=10)
    assert coverage.is_quiet
    coverage.record(Request(10, 10), 10, None, new=9)
    assert not coverage.is_quiet


def test_different_totals_are_not_quiet() -> None:
    """A total that changes between two pages shows that the list changed."""
    coverage = Coverage(size=10)
    coverage.record(coverage.first(), 10, 20)
    coverage.record(Request(10, 10), 10, 21)
    assert not coverage.is_quiet
    assert coverage.total == 21
    assert coverage.missing() == [Request(20, 10)]


@pytest.mark.parametrize("total", [10**15, 2**63])
@pytest.mark.parametrize("answer", ["empty", "the same rows"])
def test_an_absurd_total_does_not_become_as_many_requests(total: int, answer: str) -> None:
    """An absurdly large total is approached in portions, and given up when pages bring nothing new."""
    coverage = Coverage(size=10)
    coverage.record(coverage.first(), 10, total)
    requests, asked = coverage.missing(), 0
    assert len(requests) == MOST_AT_ONCE
    while requests:
        for request in requests:
            if not coverage.skips(request):
                asked += 1
                coverage.record(request, 0 if answer == "empty" else 10, total, new=0)
        requests = coverage.missing()
    assert asked <= MOST_FRUITLESS + 1
    assert coverage.is_given_up


@pytest.mark.parametrize("total", [-1, 0])
def test_a_total_that_counts_nothing_is_no_total(total: int) -> None:
    """A total of 0 or less on a page with rows is ignored."""
    coverage = Coverage(size=10)
    coverage.record(coverage.first(), 10, total, new=10)
    assert coverage.total is None
    assert coverage.missing() == [Request(10, 10)]


def test_a_total_that_is_too_low_is_contradicted_by_rows_beyond() -> None:
    """A total that counts one page is reported as contradicted; without it the list is read to its end."""
    coverage = Coverage(size=10)
    coverage.record(coverage.first(), 10, 10)
    assert coverage.missing() == [Request(10, 10)]
    coverage.record(Request(10, 10), 10, 10)
    assert coverage.is_contradicted
    assert coverage.missing() == []
    coverage = Coverage(size=10, trusts_total=False)
    coverage.record(coverage.first(), 10, 10, new=10)
    coverage.record(Request(10, 10), 7, 7, new=7)
    assert coverage.missing()
    assert coverage.total is None
    assert coverage.is_quiet


def test_an_empty_first_page_is_asked_for_again() -> None:
    """No rows and a total of 0 twice is an empty list; a larger total is a contradiction, and without a total nothing is proved."""
    for said, total, most in ((0, 0, 1), (None, None, 2), (250, 250, MOST_FRUITLESS - 1)):
        coverage, asked = Coverage(size=10), 0
        coverage.record(coverage.first(), 0, said)
        while requests := coverage.missing():
            for request in requests:
                asked += 1
                coverage.record(request, 0, said)
        assert (coverage.total, asked) == (total, most)
        assert coverage.is_given_up == (said == 250)


def refusal(status: int = 422, cap: int | None = None) -> InvalidRequestError:
    """Return a refusal of a page size."""
    error = InvalidRequestError("limit", status=status)
    error.cap = cap
    return error


@pytest.mark.parametrize(
    ("error", "asked", "size"),
    [
        (refusal(cap=500), 1000, 500),
        (refusal(cap=7), 1000, 7),
        (refusal(), 1000, 500),
        (refusal(status=400), 150, 100),
        (refusal(cap=0), 1000, 500),
        (refusal(cap=2000), 1000, 500),
        (refusal(cap=50), 100, 50),
    ],
)
def test_a_refused_page_size_becomes_the_cap_or_the_half(error: InvalidRequestError, asked: int, size: int) -> None:
    """A named cap is used at once; otherwise the size is halved, down to one that every server accepts."""
    assert reduce_page_size(error, asked, 100) == size


@pytest.mark.parametrize(
    ("error", "asked"),
    [(refusal(), 100), (refusal(), 1), (refusal(status=409), 1000), (ServerError("no", status=500), 1000)],
)
def test_what_no_page_size_can_mend_is_raised(error: TinkerError, asked: int) -> None:
    """An error that is not about the page size, or persists at the default, is raised."""
    with pytest.raises(type(error)):
        reduce_page_size(error, asked, 100)
