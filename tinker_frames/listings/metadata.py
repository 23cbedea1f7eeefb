"""Metadata as canonical JSON text, a column at a time; pure. One value at a time is `coerce_value`'s."""

from __future__ import annotations

from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from ..schema.coerce import canonical_json, parse_json


def json_texts(values: list[Any]) -> pa.Array:
    """Return canonical JSON texts of raw or already canonical values; only texts with escapes, blanks or numbers are redone.

    Raises where one is no object, or no valid Unicode.
    """
    if not values or not isinstance(values[0], msgspec.Raw):
        return pa.array(values, pa.large_string())
    # All texts as one: raw JSON lends its bytes, so no object is made of any, and no JSON holds the separator.
    joined = pa.array([b"\0".join(values)], pa.large_binary()).cast(pa.large_string())
    texts = pc.split_pattern(joined, "\0").flatten()
    texts = pc.if_else(pc.is_in(texts, value_set=_NO_JSON), None, texts)
    if not pc.all(pc.starts_with(texts, "{")).as_py():
        raise ValueError("metadata that is no object")
    odd = pc.fill_null(pc.match_substring_regex(texts, _NOT_CANONICAL), False)
    redone = [_redone(text) for text in texts.filter(odd).to_pylist()]
    if not redone:
        return texts
    return pc.replace_with_mask(texts, odd, pa.array(redone, pa.large_string()))


def _redone(text: str) -> str:
    """Return the canonical form of one JSON text; of text by text, as the contract has it, in a tenth of the time."""
    try:
        return msgspec.json.encode(_TEXT_BY_TEXT.decode(text)).decode()
    except msgspec.MsgspecError:
        return canonical_json(parse_json(text.encode()))


_TEXT_BY_TEXT = msgspec.json.Decoder(dict[str, str])
# Escapes that are not needed, blanks between tokens, and numbers, which have many forms. A blank inside a text stands beside a
# quote only at the text's own begin; that, or a text such as "a:1", only costs a look.
_NOT_CANONICAL = r'\\[u/]|"[:,]?\s|[:,\[{}\]]\s+["\[{}\]]|[:\[,]\s*[-0-9tfn]'
_NO_JSON = pa.array(["null", ""], pa.large_string())
