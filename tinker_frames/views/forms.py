"""What a view can do with rows, and what each action has to be told before.

To add an action, add an entry to `ACTS`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from operator import or_
from pathlib import Path
from typing import Any, Literal

from .. import policies
from ..errors import InvalidRequestError
from ..policies import Rule
from ..schema.durations import parse_ttl
from .messages import ActionButton


@dataclass(frozen=True)
class Act:
    """One action as a view offers it."""

    name: str
    label: str
    doc: str
    asks: str = ""  # what has to be said before: one of `ASKED`
    tone: Literal["", "main", "danger"] = ""

    def button(self) -> ActionButton:
        """Return what the browser needs for the action's button."""
        return {"name": self.name, "label": self.label, "doc": self.doc, "asks": self.asks, "tone": self.tone}


ACTS = {
    act.name: act
    for act in (
        Act("expire", "Expire in 24 h", "the service deletes them tomorrow; until then it can be undone", tone="main"),
        Act("set_ttl", "Set TTL…", "they expire so long from now, or never", "ttl"),
        Act("publish", "Publish", "any Tinker user may then load them"),
        Act("unpublish", "Unpublish", "private again"),
        Act("retire", "Retire…", "removes what a keep rule does not keep", "rule"),
        Act("delete", "Delete…", "gone at once, for ever", tone="danger"),
        Act("export", "Export…", "write the rows to a file", "path"),
    )
}

ASKED = {
    "": (),
    "ttl": ("ttl", "never"),
    "rule": ("rule", "last", "every", "final", "public", "sampled", "newer", "after"),
    "path": ("path", "overwrite", "checkpoints"),
}


@dataclass(frozen=True)
class Terms:
    """What an action was told: the seconds until rows expire (None: never, or at once), a keep rule, a file.

    `of_checkpoints`: the file is of the checkpoints that belong to the rows, instead of the rows.
    """

    ttl_seconds: int | None = None
    rule: Rule | None = None
    path: Path | None = None
    of_checkpoints: bool = False


def act_of(name: str) -> Act:
    """Return the action of a name.

    Raises
    ------
    InvalidRequestError
        If there is none.
    """
    if name not in ACTS:
        raise InvalidRequestError(f"there is no action {name!r}", hint=f"The actions are {', '.join(ACTS)}.")
    return ACTS[name]


def terms_of(act: Act, given: dict[str, Any]) -> Terms:
    """Return what an action was told, checked.

    Raises
    ------
    InvalidRequestError
        For what it does not ask, and for what cannot be.
    """
    asked = ASKED[act.asks]
    unknown = [name for name in given if name not in asked]
    if unknown:
        hint = f"It takes {', '.join(asked)}." if asked else "It takes nothing."
        raise InvalidRequestError(f"{act.name} does not take {unknown[0]!r}", hint=hint)
    if act.asks == "path":
        return Terms(path=_file(given), of_checkpoints=bool(given.get("checkpoints")))
    return Terms(_ttl(act, given), rule_of(given) if act.asks == "rule" else None)


def rule_of(given: dict[str, Any]) -> Rule:
    """Return the keep rule that a form describes: `rule` itself, or `last`, `every`, `final`, `public`, `sampled`, `newer`."""
    ready = given.get("rule")
    if isinstance(ready, Rule):
        return ready
    parts = [
        policies.keep_last(int(given["last"])) if given.get("last") else None,
        policies.keep_every(int(given["every"])) if given.get("every") else None,
        policies.keep_final() if given.get("final") else None,
        policies.keep_public() if given.get("public") else None,
        policies.used_by_samplers() if given.get("sampled") else None,
        policies.newer_than(str(given["newer"])) if given.get("newer") else None,
    ]
    rules = [part for part in parts if part is not None]
    if ready is not None or not rules:
        problem = "the rule keeps nothing" if ready is None else f"{ready!r} is no keep rule"
        raise InvalidRequestError(problem, hint="Say what to keep; to remove all, use Expire or Delete.")
    return reduce(or_, rules)


def _ttl(act: Act, given: dict[str, Any]) -> int | None:
    """Return the seconds until rows expire; None for an action that sets no expiry, for never, and to remove at once."""
    length = {"expire": "24h", "set_ttl": given.get("ttl"), "retire": given.get("after")}.get(act.name)
    if act.name == "set_ttl" and bool(length) == bool(given.get("never")):
        raise InvalidRequestError("give either a duration or never", hint='Write e.g. "30d" or "12h".')
    return parse_ttl(length) if length else None


def _file(given: dict[str, Any]) -> Path:
    """Return the file to write, which is not there yet, or may be overwritten."""
    path = Path(str(given.get("path") or "")).expanduser()
    if not path.name:
        raise InvalidRequestError("no file is named", hint="Write a name such as checkpoints.parquet.")
    if path.exists() and not given.get("overwrite"):
        raise InvalidRequestError(f"{path} exists", hint="Choose another name, or tick overwrite.")
    return path
