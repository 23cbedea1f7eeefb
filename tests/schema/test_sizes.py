"""Parsing of sizes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinker_frames.errors import InvalidRequestError
from tinker_frames.schema.sizes import parse_size


@pytest.mark.parametrize(
    ("written", "meant"),
    [("1GB", 10**9), ("500 mb", 5 * 10**8), ("1.5 GB", 15 * 10**8), (" 2GiB ", 2**31), ("10 B", 10), ("3kB", 3000), ("1PB", 10**15)],
)  # fmt: skip
def test_each_way_to_write_a_size(written: str, meant: int) -> None:
    """A number and a unit are bytes: powers of 1000, or of 1024 with an i."""
    assert parse_size(written) == meant


@pytest.mark.parametrize("written", ["", "1", "GB", "1 ZB", "-1GB", "1G", "1e3MB", "9" * 400 + "GB", "1,5GB", "²GB"])
def test_what_is_no_size_is_refused_with_examples(written: str) -> None:
    """Anything else raises one error that shows valid sizes; a bare number has no unit."""
    with pytest.raises(InvalidRequestError, match=r"not a size.*500MB"):
        parse_size(written)


@given(
    st.text()
    | st.tuples(st.integers(0, 10**6), st.sampled_from(["B", "kB", "MiB"])).map(lambda pair: f"{pair[0]}{pair[1]}")
)
def test_any_text_is_bytes_or_that_one_error(written: str) -> None:
    """Every text is a number of bytes or raises InvalidRequestError."""
    try:
        found = parse_size(written)
    except InvalidRequestError:
        return
    assert found >= 0
