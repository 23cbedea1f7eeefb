"""The grammar of tinker paths and of the ids in them, and safe URLs made from them; pure.

A path is `tinker://<run>/<segment>/<name>`: three parts, none empty; ModelScope Twinkle's begin with `twinkle://`. Names are free text chosen at save time, so each
part is percent-encoded on its own before it goes into a URL; what a proxy or `requests` could read as another path is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import NamedTuple
from urllib.parse import quote, unquote, urlsplit

from ..errors import InvalidTinkerPathError

SCHEME = "tinker://"
CUT = "…"  # stands in tables for the part of an id that is left out
SCHEMES = (SCHEME, "twinkle://")  # no others: `file://` and `s3://` paths are none of checkpoints

# Segment of a path to the `checkpoint_type` of the rows that have it.
SEGMENTS = {"weights": "training", "sampler_weights": "sampler", "external_weights": "external"}


PARTS = ("training_run_id", "segment", "name")


class TinkerPath(NamedTuple):
    """The three parts of a tinker path, and its scheme."""

    training_run_id: str
    segment: str
    name: str
    scheme: str = SCHEME

    @property
    def checkpoint_id(self) -> str:
        """`<segment>/<name>`, the id under which the official service knows it."""
        return f"{self.segment}/{self.name}"

    @property
    def checkpoint_type(self) -> str | None:
        """`training`, `sampler` or `external`; None for a segment this version does not know."""
        return SEGMENTS.get(self.segment)

    def __str__(self) -> str:
        return f"{self.scheme}{self.training_run_id}/{self.segment}/{self.name}"


# For many texts at once, in Python's and in Arrow's regular expressions; a path's parts are named groups. A name with a slash has its
# run, too, although no request can name it: `parse` refuses it.
CONSOLE = "https://tinker.thinkingmachines.ai"  # of the official service, for people
PATTERN = f"^(?:{'|'.join(SCHEMES)})(?P<training_run_id>[^/]+)/(?P<segment>[^/]+)/(?P<name>(?s:.+))$"
OFFICIAL_ID = "(?s:(.+)):(?:train|sample):[0-9]+"

# Paths that `parse_known` accepts, as most are: printable ASCII, and no part begins with a dot.
_PLAIN_PART = r"[ -\-0-~][ -.0-~]*"
PLAIN_PATTERN = rf"(?:{'|'.join(SCHEMES)}){_PLAIN_PART}/(?:{'|'.join(SEGMENTS)})/{_PLAIN_PART}"

# Paths that have one spelling: nothing in them is encoded, or could be, and no run in upper case.
_PLAIN_NAME = r'(?! )[ !"$&-.0->@-\[\]-~]+(?<! )'
_USUAL = re.compile(rf"{SCHEME}[a-z0-9:._-]+/(?:{'|'.join(SEGMENTS)})/{_PLAIN_NAME}")

# The beginning of a UUID, or of SkyRL's ids.
_SHORT_ID = re.compile("[0-9a-f][0-9a-f-]{3,34}|(?:model|session|sampling)_[0-9a-f]{1,7}")

# What `coerce` puts in the place of a lone surrogate: the name itself cannot be sent.
_REPLACED = re.compile("\ufffdd[89a-f][0-9a-f]{2}")


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
    if not starts_with_scheme(path):
        raise InvalidTinkerPathError(f"{quote_text(path)} does not start with {SCHEME}")
    scheme, _, rest = path.partition("://")
    parts = rest.split("/")
    if len(parts) != 3:
        raise InvalidTinkerPathError(
            f"{quote_text(path)} has {len(parts)} part{'s' * (len(parts) > 1)}, not run, segment and name"
        )
    for part, what in zip(parts, PARTS, strict=True):
        _check(part, what.replace("_", " "), path)
    run, segment, name = parts
    return TinkerPath(run, segment, name, f"{scheme}://")


def starts_with_scheme(text: object) -> bool:
    """Tell whether this is a text that begins like a path of a checkpoint."""
    return isinstance(text, str) and text.startswith(SCHEMES)


def parse_known(path: str) -> TinkerPath:
    """Parse a path that a write is going to name: its segment has to be one this version knows.

    Raises
    ------
    InvalidTinkerPathError
        Also for an unknown segment: what it would delete or publish is not known.
    """
    parts = parse(path)
    if parts.segment not in SEGMENTS:
        raise InvalidTinkerPathError(f"{quote_text(path)} has the unknown segment {parts.segment!r}")
    if _REPLACED.search(path):
        raise InvalidTinkerPathError(f"{quote_text(path)} stands for a name that is not valid Unicode")
    return parts


def run_of(path: str) -> str | None:
    """Return the training run that a path names; None for what is not a tinker path."""
    with suppress(InvalidTinkerPathError):
        return parse(path).training_run_id
    return None


def is_in_run(training_run_id: str, path: str) -> bool:
    """Tell whether a path begins with this training run, also if the rest of it cannot be read."""
    return path.startswith(tuple(f"{scheme}{training_run_id}/" for scheme in SCHEMES))


def is_usual_spelling(path: str) -> bool:
    """Tell whether a path is spelled as those of checkpoints are, so that no other spelling can mean the same one."""
    return _USUAL.fullmatch(path) is not None


def normalize_run(training_run_id: str) -> str:
    """Return a training run id without percent-encoding, query, blanks around it and upper case, to compare spellings.

    Examples
    --------
    >>> normalize_run("5B1F%3Atrain%3A0")
    '5b1f:train:0'
    """
    decoded = unquote(training_run_id)
    while decoded != training_run_id:
        training_run_id, decoded = decoded, unquote(decoded)
    return re.split("[?#]", decoded)[0].strip().casefold()


def normalize_path(text: str) -> TinkerPath | None:
    """Return the path that a text means in whatever spelling, to compare it; None for what names no checkpoint.

    Like a run's id, it is without percent-encoding, blanks around it, a slash at its end and upper case, but for the name; it can also
    be a link of the console.

    Examples
    --------
    >>> str(normalize_path(" TINKER://5B1F%3Atrain%3A0/weights/0001/"))
    'tinker://5b1f:train:0/weights/0001'
    """
    if is_usual_spelling(text):  # as most are: it takes a quarter of the time
        return TinkerPath(*text.removeprefix(SCHEME).split("/"))
    scheme, _, rest = (read_console_link(text) or text).strip().partition("://")
    run, _, rest = rest.partition("/")
    segment, _, name = unquote(rest).strip().rstrip("/").partition("/")
    path = TinkerPath(normalize_run(run), segment.casefold(), name, f"{scheme.casefold()}://")
    return path if path.scheme in SCHEMES and all(path[:3]) else None


def has_plain_run(training_run_id: str) -> bool:
    """Tell whether a training run id can be read, in whatever spelling."""
    return re.fullmatch("[a-z0-9:._-]+", normalize_run(training_run_id)) is not None


def runs_of(paths: Iterable[str]) -> list[str]:
    """Return the distinct training runs that paths name, in their order."""
    folders = dict.fromkeys(path.rpartition("/")[0] for path in paths)  # far fewer than paths
    return list(dict.fromkeys(run for folder in folders if (run := run_of(f"{folder}/name"))))


def session_of(run_or_sampler_id: str) -> str | None:
    """Return the session that an official id, `<session>:train:<n>` or `<session>:sample:<n>`, names; None for other ids."""
    found = re.fullmatch(OFFICIAL_ID, run_or_sampler_id)
    return found[1] if found else None


def may_be_short(text: str) -> bool:
    """Tell whether a text may be the beginning of an id, as servers make them, or an id with `…` in it, and is no whole one."""
    return _SHORT_ID.fullmatch(text) is not None or is_cut(text)


def is_cut(text: str) -> bool:
    """Tell whether a text is an id or a path of which tables show only a part."""
    return CUT in text


def to_pattern(cut: str) -> str:
    """Return the regular expression of the ids and paths that a text with `…` in it can stand for; their scheme may be left out.

    Examples
    --------
    >>> bool(re.fullmatch(to_pattern("5b1f…:0/weights/…1"), "tinker://5b1f0c9e:train:0/weights/0001"))
    True
    """
    scheme = "" if starts_with_scheme(cut) else f"(?:{'|'.join(SCHEMES)})?"
    return scheme + "(?s:.*)".join(map(re.escape, cut.split(CUT)))


def write_console_link(row: Mapping[str, object]) -> str | None:
    """Return the console's page of a row's checkpoint, else of its run, else of its session; None if it names none.

    Examples
    --------
    >>> write_console_link({"tinker_path": "tinker://5b1f:train:0/weights/0001"})
    'https://tinker.thinkingmachines.ai/checkpoints/5b1f%3Atrain%3A0/weights%2F0001'
    """
    for key, kind in (("tinker_path", "checkpoints"), ("training_run_id", "training_runs"), ("session_id", "sessions")):
        value = row.get(key)
        if not isinstance(value, str):
            continue
        found = re.fullmatch(PATTERN, value) if kind == "checkpoints" else None
        if kind == "checkpoints" and found is None:
            continue
        parts = [value] if found is None else [found["training_run_id"], f"{found['segment']}/{found['name']}"]
        return "/".join([CONSOLE, kind, *(quote(part, safe="") for part in parts)])
    return None


def read_console_link(text: str) -> str | None:
    """Return the id or the tinker path that a link of the console is of; None for any other text.

    Examples
    --------
    >>> read_console_link("https://tinker.thinkingmachines.ai/checkpoints/5b1f%3Atrain%3A0/weights%2F0001")
    'tinker://5b1f:train:0/weights/0001'
    """
    try:
        parts = urlsplit(text.strip())
    except ValueError:  # not a URL
        return None
    _, kind, *ids = parts.path.split("/") if parts.scheme in ("http", "https") else ("", "")
    ids = [unquote(part) for part in ids if part]
    if kind == "checkpoints" and len(ids) == 2:
        return f"{SCHEME}{ids[0]}/{ids[1]}"
    return ids[0] if kind in ("sessions", "training_runs") and len(ids) == 1 else None


def bare_name(checkpoint_id: str) -> str:
    """Return a checkpoint id without its segment, as servers that know no segments have it."""
    return checkpoint_id.rpartition("/")[2]


def run_url(training_run_id: str) -> str:
    """Return `/api/v1/training_runs/<run>`."""
    return f"/api/v1/training_runs/{component(training_run_id, 'training run id')}"


def checkpoint_url(training_run_id: str, checkpoint_id: str, action: str = "") -> str:
    """Return the URL of one checkpoint, with the slash of its id literal, as all servers take it.

    `checkpoint_id` is `<segment>/<name>`, or a bare name for servers that know no segments.
    """
    _check_text(checkpoint_id, "checkpoint id")
    parts = checkpoint_id.split("/")
    if len(parts) > 2:
        raise InvalidTinkerPathError(f"{quote_text(checkpoint_id)} is not a checkpoint id: more than one slash")
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


def _check_text(value: object, what: str) -> None:
    if not isinstance(value, str):
        raise InvalidTinkerPathError(f"{quote_text(value)} is not a {what}, which has to be text")


def _check(part: str, what: str, whole: str) -> None:
    """Refuse a part that would make the URL name something else."""
    _check_text(part, what)
    if not part:
        raise InvalidTinkerPathError(f"{quote_text(whole)} has an empty {what}")
    if part in (".", ".."):
        raise InvalidTinkerPathError(
            f"{quote_text(whole)} has {part!r} as its {what}, which a URL would resolve as a folder"
        )
    if "/" in part:
        raise InvalidTinkerPathError(f"{quote_text(whole)} has a slash in its {what}")
    try:
        part.encode()
    except UnicodeEncodeError:
        surrogate = True
    else:
        surrogate = False
    if surrogate:
        raise InvalidTinkerPathError(f"{quote_text(whole)} has a {what} that is not valid Unicode")


def quote_text(path: object) -> str:
    """Return text quoted for a message, escaped and shortened."""
    text = ascii(path)
    return text if len(text) <= 200 else text[:199] + "…'"
