"""Leave credentials out of what logs hold, by their names and by what they look like. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

MARK = "…"  # in the place of what is left out
_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[^A-Za-z0-9]+")
_NAME = re.compile(
    r"(?:^|_)(?:api_?key|secret|password|passwd|credentials?|private_key|access_key|authorization|bearer|cookie|(?:access|auth|hf|wandb|"
    r"api|refresh|id)_token)(?:$|_)"
)
_MAYBE = re.compile(r"(?:^|_)(?:token|key|auth)$")  # a credential if it looks like one: a token can be one of text
_OPAQUE = re.compile(r"[A-Za-z0-9_\-.=+/]{20,}")
_VALUE = re.compile(
    r"\b(?:tml-[\w-]{8,}|sk-[\w-]{16,}|hf_\w{16,}|gh[pousr]_\w{16,}|github_pat_\w{16,}|xox[a-z]-[\w-]{8,}|AKIA[0-9A-Z]{12,}|"
    r"eyJ[\w-]{8,}\.[\w-]+(?:\.[\w-]*)?)|(?<=://)[^/\s@]+(?=@)|(?<=[Bb]earer )\S+"
)
_ASSIGNED = re.compile(
    r"""(?i)((?:api[_-]?key|secret|password|passwd|[_-]token|credentials?|authorization)["']?\s*[=:]\s*["']?)[^\s"',;&}]+"""
)


def is_credential(name: str, value: Any) -> bool:
    """Tell whether a setting is a credential, by its name, and where that can mean something else, by its value."""
    plain = "_".join(filter(None, _WORDS.split(name))).lower()
    looks_secret = isinstance(value, str) and _OPAQUE.fullmatch(value) is not None and any(map(str.isdigit, value))
    return _NAME.search(plain) is not None or (looks_secret and _MAYBE.search(plain) is not None)


def strike_out(text: str) -> str:
    """Return text without what looks like a credential.

    Examples
    --------
    >>> strike_out("WANDB_API_KEY=abc https://me:pw@example.org")
    'WANDB_API_KEY=… https://…@example.org'
    """
    return _ASSIGNED.sub(rf"\1{MARK}", _VALUE.sub(MARK, text))


def remove_credentials(value: Any, note: Callable[[str], object] = str, name: str = "") -> Any:
    """Return a JSON value without the credentials in it; `note` gets the name of each that is left out."""
    if isinstance(value, dict):
        kept = {key: inner for key, inner in value.items() if inner is None or not is_credential(key, inner)}
        for key in value.keys() - kept.keys():
            note(f"{name}{key}")
        return {key: remove_credentials(inner, note, f"{name}{key}.") for key, inner in kept.items()}
    if isinstance(value, list):
        return [remove_credentials(inner, note, name) for inner in value]
    if isinstance(value, str) and (clean := strike_out(value)) != value:
        note(name.rstrip("."))
        return clean
    return value
