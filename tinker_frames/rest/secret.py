"""Secrets: text that no repr, traceback or pickle shows, and its removal from what a server sends back.

The text of a `Secret` leaves it by `reveal`, which is called where a header is sent, and where a hash or the claims are read.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NoReturn

MARK = b"[key]"
LEAST = 10  # shorter keys are words that names in the account may hold as well: they count only where they stand alone
LEAST_ALONE = 4  # and even shorter ones not at all
SHOWN = 4  # characters of a long key that its owner may see
# Extra headers whose values are struck out of answers as the key is; those of others, such as a team's name, may be in the account's
# names as well if they are shorter than so many characters.
SECRET_NAMES = re.compile("auth|key|token|secret|access|pass|cred", re.IGNORECASE)
LEAST_SECRET = 16
_ESCAPE = re.compile(rb"\\(u00[2-7][0-9A-Fa-f]|.)", re.DOTALL)
_ESCAPED_ASCII = re.compile(rb"\\u00[2-7][0-9A-Fa-f]|\\/")
_PLAIN = re.compile(rb"[A-Za-z0-9._~+/=:-]")


class Secret:
    """A key, a token or another text that must not be shown; its repr says nothing of it."""

    __slots__ = ("_escaped", "_pieces", "_text")

    def __init__(self, text: str) -> None:
        self._text = text.strip()
        self._pieces: list[tuple[bytes, int]] | None = None
        self._escaped: re.Pattern[bytes] | None = None

    def reveal(self) -> str:
        """Return the text."""
        return self._text

    def mask(self) -> str:
        """Return what may be shown of it: its kind, and the last four characters of one of 16 or more."""
        kind = next((prefix for prefix in ("tml-", "eyJ") if self._text.startswith(prefix)), "")
        return f"{kind}…{self._text[-SHOWN:]}" if len(self._text) >= 4 * SHOWN else f"{kind}…"

    @property
    def is_jwt(self) -> bool:
        """Whether it is a JWT."""
        return self._text.startswith("eyJ")

    @property
    def is_official(self) -> bool:
        """Whether it has a form that the official service issues."""
        return self._text.startswith(("tml-", "eyJ"))

    @property
    def fits_header(self) -> bool:
        """Whether an HTTP header can carry it."""
        return self._text.isprintable() and self._text.isascii()

    @property
    def is_short(self) -> bool:
        """Whether it could be a word, which counts only where it stands alone."""
        return LEAST_ALONE <= len(self._text) < LEAST

    @property
    def pieces(self) -> list[tuple[bytes, int]]:
        """What must not come back, in small letters, each with the length from which a part of it counts."""
        if self._pieces is None:
            self._pieces = [(piece.lower(), part) for piece, part in _split_pieces(self._text)]
        return self._pieces

    @property
    def escaped(self) -> re.Pattern[bytes]:
        """What matches it where some or all of its characters are percent-encoded."""
        if self._escaped is None:
            codes = self._text.encode("utf-8", "replace")
            forms = (b"(?:%s|%%%02X)" % (re.escape(bytes([code])), code) for code in codes)
            self._escaped = re.compile(b"".join(forms), re.IGNORECASE)
        return self._escaped

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return "<secret>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret cannot be pickled")


def hide(value: Any) -> Any:
    """Return text as a `Secret`, and every value of a mapping; of any other value only the type, which an error can name."""
    if isinstance(value, str):
        return Secret(value)
    if isinstance(value, Mapping):
        return {name: hide(inner) for name, inner in value.items()}
    return value if value is None or isinstance(value, Secret) else type(type(value).__name__, (), {})()


def is_secret_header(name: str, value: Secret) -> bool:
    """Tell whether the value of an extra header is struck out of answers."""
    return SECRET_NAMES.search(name) is not None or len(value.reveal()) >= LEAST_SECRET


def strike_out(content: bytes, secrets: Iterable[Secret], *, is_message: bool = False) -> tuple[bytes, int]:
    """Return an answer without these secrets and without long parts of them, and how many were struck out.

    They are found in capitals and small letters, and with JSON's escapes, percent-encoded, in base64 or in hex. A short secret is struck
    out where it is a whole value of JSON, and in a message, such as an error's, also as a word.
    """
    secrets = list(secrets)
    if b"\\" in content and _ESCAPED_ASCII.search(content):
        content = _ESCAPE.sub(_unescape, content)
    spans = [span for secret in secrets for span in _find_escaped(content, secret)] if b"%" in content else []
    small = content.lower()
    spans += [span for secret in secrets for piece, part in secret.pieces for span in _find_parts(small, piece, part)]
    for word in (secret.reveal() for secret in secrets if secret.is_short):
        if word.encode("utf-8", "replace").lower() in small:  # the pattern takes twenty times as long
            spans += _find_alone(content, word, is_message)
    kept, at, count = [], 0, 0
    for start, stop in sorted(spans):
        if start >= at:
            kept += [content[at:start], MARK]
            count += 1
        at = max(at, stop)
    return (b"".join([*kept, content[at:]]), count) if count else (content, 0)


def strike_out_text(text: str, secrets: Iterable[Secret]) -> str:
    """Return text without these secrets and without long parts of them."""
    return strike_out(text.encode("utf-8", "surrogatepass"), secrets, is_message=True)[0].decode(
        "utf-8", "surrogatepass"
    )


def _split_pieces(text: str) -> Iterator[tuple[bytes, int]]:
    """Yield what is secret in a text. JWTs of one issuer share their header and much of their claims, so these count whole only."""
    whole: list[bytes]
    if text.startswith("eyJ") and text.count(".") == 2:
        _, claims, signature = text.encode().split(b".")
        whole, parts = [claims], [signature]
    else:
        whole, parts = _encode(text.encode()), list({text.encode(), json.dumps(text)[1:-1].encode()})
    yield from ((piece, len(piece)) for piece in whole if len(piece) >= LEAST)
    yield from ((piece, min(16, max(LEAST, len(piece) * 2 // 3))) for piece in parts if len(piece) >= LEAST)


def _encode(text: bytes) -> list[bytes]:
    """Return what base64 and hex make of a text, wherever it begins in what is encoded; without characters that also depend on what is beside it."""
    if len(text) < LEAST:
        return []
    encode = (base64.b64encode, base64.urlsafe_b64encode)
    forms = [(shift, one(b"\0" * shift + text)) for shift in range(3) for one in encode]
    return [text.hex().encode(), *{form[-(-shift * 4 // 3) : (shift + len(text)) * 4 // 3] for shift, form in forms}]


def _find_escaped(content: bytes, secret: Secret) -> Iterator[tuple[int, int]]:
    """Yield where a whole secret stands, as it is or percent-encoded."""
    if len(secret.reveal()) >= LEAST:
        yield from (found.span() for found in secret.escaped.finditer(content))


def _find_parts(content: bytes, piece: bytes, part: int) -> Iterator[tuple[int, int]]:
    """Yield where a piece, or `part` or more characters in a row of it, stands.

    So many characters hold one of the blocks, half as long, that the piece is cut into: only those are searched for.
    """
    size = (part + 1) // 2
    for start in range(0, len(piece) - size + 1, size):
        at = content.find(piece[start : start + size])
        while at >= 0:
            left = _count_equal(content[max(0, at - start) : at][::-1], piece[:start][::-1])
            right = _count_equal(content[at + size : at + len(piece) - start], piece[start + size :])
            if left + size + right >= part:
                yield at - left, at + size + right
            at = content.find(piece[start : start + size], at + 1)


def _find_alone(content: bytes, text: str, is_message: bool) -> Iterator[tuple[int, int]]:
    """Yield where a text is a whole value of JSON, which is no name of a field, or in a message a word."""
    word = re.escape(text.encode("utf-8", "replace"))
    is_value = rb'(?<=")' + word + rb'(?="(?!\s*:))'
    is_word = rb"(?<![\w-])" + word + rb"(?![\w-])(?!\"\s*:)"
    yield from (found.span() for found in re.finditer(is_word if is_message else is_value, content, re.IGNORECASE))


def _count_equal(one: bytes, other: bytes) -> int:
    """Return how many bytes two texts have in common at their beginning."""
    count = 0
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        count += 1
    return count


def _unescape(found: re.Match[bytes]) -> bytes:
    """Return an escaped character of JSON as itself, if it needs no escape."""
    escaped = found[1]
    plain = bytes([int(escaped[3:], 16)]) if len(escaped) == 5 else escaped if escaped == b"/" else b""
    return plain if _PLAIN.fullmatch(plain) else found[0]
