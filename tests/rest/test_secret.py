"""Secrets are masked, and removed from what a server echoes."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinker_frames.rest.secret import Secret, strike_out, strike_out_text

KEY = "tml-Qx7fL2mPz9RtKw4vBn8sYd3hGc6jAe1u"
JWT = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZGFAbGFiIiwiaWF0IjoxfQ.s1gnatureS1gnature"


@pytest.mark.parametrize(
    ("text", "shown"),
    [("", "…"), ("abc", "…"), ("tml-short", "tml-…"), ("0123456789abcde", "…"), (KEY, "tml-…Ae1u"[:5] + KEY[-4:])],
)
def test_mask_shows_four_characters_of_a_long_key_only(text: str, shown: str) -> None:
    """The last four characters of 16 or more are shown, and none of a shorter key."""
    assert Secret(text).mask() == shown
    assert repr(Secret(text)) == f"{Secret(text)}" == "<secret>"


@pytest.mark.parametrize(
    "sent",
    [
        KEY,
        KEY[4:],
        KEY[:-4],
        KEY[5:21],
        f"k={KEY}&{KEY}",
        "".join(f"\\u{ord(c):04x}" for c in KEY),
        "".join(f"\\u{ord(c):04X}" if c.isdigit() else c for c in KEY),
        KEY.upper(),
        KEY[5:21].lower(),
        "".join(f"%{ord(c):02x}" for c in KEY),
        KEY.replace("-", "%2D").replace("Q", "%51").swapcase(),
        KEY.encode().hex().upper(),
        *(base64.b64encode(f"{before}:{KEY}".encode()).decode() for before in ("", "u", "me")),
    ],
)
def test_keys_and_long_parts_are_struck_out(sent: str) -> None:
    """A key or a long part of it, also in capitals, with JSON escapes, percent-encoded, in base64 or in hex, is removed from a response, which stays valid JSON."""
    content = b'{"owner": "a' + sent.encode() + b'b", "path": "C:\\\\u0041", "n": 1}'
    struck, count = strike_out(content, [Secret("tml-another-key-0123456789"), Secret(KEY)])
    found = json.loads(struck)
    assert count == max(1, sent.count(KEY))
    assert found["owner"].startswith("a")
    assert "[key]" in found["owner"]
    assert not [part for part in (KEY[at : at + 8] for at in range(len(KEY) - 7)) if part in found["owner"]]
    assert (found["path"], found["n"]) == ("C:\\u0041", 1)


@pytest.mark.parametrize(
    ("secret", "sent"),
    [(KEY, KEY[3:14]), ("alice", "alice-2 alice"), ("abc", "abc"), (JWT, JWT.partition(".")[0]), ("", "x")],
)
def test_short_parts_and_words_stay(secret: str, sent: str) -> None:
    """A few characters, a part that is a common word, and the header shared by all JWTs reveal nothing, so they stay."""
    content = json.dumps({"name": sent}).encode()
    assert strike_out(content, [Secret(secret)]) == (content, 0)


def test_a_short_key_is_struck_out_where_it_stands_alone() -> None:
    """A key of 4 to 9 characters is removed as a whole value, and as a word of a message; fields and longer words stay."""
    content = (
        b'{"alice": "alice", "n": [ "alice" ], "path": "tinker://alice/weights/alice-2", "detail": "no alice here"}'
    )
    struck, count = strike_out(content, [Secret("alice")])
    assert struck == content.replace(b': "alice"', b': "[key]"').replace(b'[ "alice"', b'[ "[key]"')
    assert count == 2
    assert json.loads(strike_out(content, [Secret("alice")], is_message=True)[0])["detail"] == "no [key] here"
    assert strike_out_text("no alice, alice2 or malice", [Secret("alice")]) == "no [key], alice2 or malice"
    assert strike_out(b'{"n": 1234, "v": "1234"}', [Secret("1234")])[0] == b'{"n": 1234, "v": "[key]"}'


@pytest.mark.parametrize("sent", [JWT, JWT.split(".")[1], JWT.split(".")[2]])
def test_tokens_are_struck_out(sent: str) -> None:
    """A JWT, its claims and its signature are removed."""
    assert sent not in strike_out_text(f"token {sent} is old", [Secret(JWT)])


@given(before=st.text(max_size=20), after=st.text(max_size=20), start=st.integers(0, 20), length=st.integers(16, 36))
def test_no_long_part_survives(before: str, after: str, start: int, length: int) -> None:
    """16 or more consecutive characters of a key are removed, and the text around them is kept."""
    part = KEY[start : start + length]
    text = f"{before}|{part}|{after}"
    struck = strike_out_text(text, [Secret(KEY)])
    assert struck == (f"{before}|[key]|{after}" if len(part) >= 16 else text)
