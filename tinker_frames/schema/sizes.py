"""Sizes as people write them ("1GB", "500 MB", "2 GiB"), in bytes; pure."""

from __future__ import annotations

import math
import re

from ..errors import InvalidRequestError

_PREFIXES = "kmgtp"
_UNITS = {
    "b": 1,
    **{f"{prefix}b": 1000**power for power, prefix in enumerate(_PREFIXES, 1)},
    **{f"{prefix}ib": 1024**power for power, prefix in enumerate(_PREFIXES, 1)},
}
SIZE_FORMS = "500MB, 1.5GB or 2GiB"
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]+)", re.ASCII)


def parse_size(text: str) -> int:
    """Return a size in bytes.

    Text is a number and a unit, in small letters or capitals: powers of 1000 as the columns have them (`kB`, `MB`, `GB`, `TB`,
    `PB`), or of 1024 (`KiB`, `MiB`, …).

    Raises
    ------
    InvalidRequestError
        For anything that is not a size.

    Examples
    --------
    >>> parse_size("1.5 GB"), parse_size("2gib"), parse_size("10 B")
    (1500000000, 2147483648, 10)
    """
    found = _SIZE.fullmatch(text.strip().lower()) if isinstance(text, str) else None
    if found is not None and found[2] in _UNITS:
        n_bytes: float = float(found[1]) * _UNITS[found[2]]
        if math.isfinite(n_bytes):
            return round(n_bytes)
    raise InvalidRequestError(f"{text!r} is not a size", hint=f"Use e.g. {SIZE_FORMS}.")
