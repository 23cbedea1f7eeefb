"""The `tinker://` grammar, and safe URLs made from it; pure.

A path is `tinker://<run>/<segment>/<name>`: three parts, none empty. Names are free text chosen at save time, so each
part is percent-encoded on its own before it goes into a URL; what a proxy or `requests` could read as another path is refused.
"""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import quote

from ..errors import InvalidTinkerPathError

SCHEME = "tinker://"

# Segment of a path to the `checkpoint_type` of the rows that have it.
SEGMENTS = {"weights": "training", "sampler_weights": "sampler", "external_weights": "external"}


class TinkerPath(NamedTuple):
    """The three parts of a tinker path."""

    training_run_id: str
    segment: str
    name: str

    @property
    def checkpoint_id(self) -> str:
        """`<segment>/<name>`, the id under which the official service knows it."""
        return f"{self.segment}/{self.name}"

    @property
    def checkpoint_type(self) -> str | None:
        """`training`, `sampler` or `external`; None for a segment this version does not know."""
        return SEGMENTS.get(self.segment)

    def __str__(self) -> str:
        return f"{SCHEME}{self.training_run_id}/{self.segment}/{self.name}"


def parse(path: str) -> TinkerPath:
    """Return the parts of a tinker path.

    Raises
    ------
    InvalidTinkerPathError
        If it is not `tinker://` followed by exactly three non-empty parts, or a part is `.` or `..`.

    Examples
    --------
    >>> parse("tinker://5b1f:train:0/weights/0001").name
    '0001'
    """
    if not isinstance(path, str) or not path.startswith(SCHEME):
        raise InvalidTinkerPathError(f"{_shown(path)} does not start with {SCHEME}")
    parts = path[len(SCHEME) :].split("/")
    if len(parts) != 3:
        raise InvalidTinkerPathError(f"{_shown(path)} has {len(parts)} parts, not run, segment and name")
    for part, what in zip(parts, TinkerPath._fields, strict=True):
        _check(part, what.replace("_", " "), path)
    return TinkerPath(*parts)


def parse_known(path: str) -> TinkerPath:
    """Parse a path that a write is going to name: its segment has to be one this version knows.

    Raises
    ------
    InvalidTinkerPathError
        Also for an unknown segment: what it would delete or publish is not known.
    """
    parts = parse(path)
    if parts.segment not in SEGMENTS:
        raise InvalidTinkerPathError(f"{_shown(path)} has the unknown segment {parts.segment!r}")
    return parts


def run_url(training_run_id: str) -> str:
    """Return `/api/v1/training_runs/<run>`."""
    return f"/api/v1/training_runs/{component(training_run_id, 'training run id')}"


def checkpoint_url(training_run_id: str, checkpoint_id: str, action: str = "") -> str:
    """Return the URL of one checkpoint, with the slash of its id literal, as all servers take it.

    `checkpoint_id` is `<segment>/<name>`, or a bare name for servers that know no segments.
    """
    parts = checkpoint_id.split("/")
    if len(parts) > 2:
        raise InvalidTinkerPathError(f"{_shown(checkpoint_id)} is no checkpoint id: more than one slash")
    encoded = "/".join(component(part, "checkpoint id") for part in parts)
    return f"{run_url(training_run_id)}/checkpoints/{encoded}" + (f"/{action}" if action else "")


def component(text: str, what: str) -> str:
    """Return one URL path component; `:` stays, everything else that is not unreserved is percent-encoded.

    Raises
    ------
    InvalidTinkerPathError
        For an empty part, `.`, `..`, or one that holds a slash.
    """
    _check(text, what, text)
    return quote(text, safe=":")


def _check(part: str, what: str, whole: str) -> None:
    """Refuse a part that would make the URL name something else."""
    if not isinstance(part, str) or not part:
        raise InvalidTinkerPathError(f"{_shown(whole)} has an empty {what}")
    if part in (".", ".."):
        raise InvalidTinkerPathError(f"{_shown(whole)} has {part!r} as its {what}, which URLs read as a folder")
    if "/" in part:
        raise InvalidTinkerPathError(f"{_shown(whole)} has a slash in its {what}")
    try:
        part.encode()
    except UnicodeEncodeError:
        surrogate = True
    else:
        surrogate = False
    if surrogate:
        raise InvalidTinkerPathError(f"{_shown(whole)} has a {what} that is no valid Unicode")


def _shown(path: object) -> str:
    """Quote hostile or very long text for a message."""
    text = ascii(path)
    return text if len(text) <= 200 else text[:199] + "…'"
