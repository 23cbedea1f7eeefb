"""The dialects: the servers that the demo server can emulate, and what the ids, paths and records of each look like.

A dialect is declared once, as an entry of `DIALECTS`; its routes are those of `service.app.ROUTERS`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal


@dataclass(frozen=True)
class Dialect:
    """What an account holds on one kind of server."""

    server: str  #: the server that it emulates
    ids: Literal["nested", "uuid", "prefixed", "dated"] = "uuid"  #: the form of the ids of sessions and runs
    scheme: str = "tinker://"  #: the scheme of the paths of checkpoints
    has_external: bool = False  #: whether runs save checkpoints of the type `external`
    has_pending: bool = False  #: whether some checkpoints are still being saved
    has_one_owner: bool = False  #: whether all runs are of one user
    plain_names: bool = False  #: whether names consist of letters, digits, hyphens and underscores


_SKYRL = Dialect("SkyRL 0.3.0", ids="prefixed", has_pending=True, has_one_owner=True, plain_names=True)

DIALECTS: dict[str, Dialect] = {
    "official": Dialect("the official service", ids="nested", has_external=True),
    "tuft": Dialect("TuFT 0.2.2"),
    "skyrl": _SKYRL,
    "skyrl-main": replace(_SKYRL, server="SkyRL's source of August 2026, which can delete"),
    "twinkle": Dialect("ModelScope Twinkle", ids="dated", scheme="twinkle://", plain_names=True),
}


def get_dialect(name: str) -> Dialect:
    """Return the dialect of this name; raises ValueError, which lists the names, for an unknown one."""
    if name not in DIALECTS:
        raise ValueError(f"dialect must be one of {', '.join(DIALECTS)}, not {name!r}")
    return DIALECTS[name]
