"""An embedded, Tinker-compatible server on loopback with a believable account, for trying things and for tests.

>>> from tinker_frames.demo import DemoServer  # doctest: +SKIP
>>> with DemoServer(runs=60, seed=1) as server:  # doctest: +SKIP
...     print(server.url, server.key)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .endpoints import ENDPOINTS
    from .faults import Burst, Churn, Faults, Hang, Reset, Truncate
    from .seen import Call, Seen
    from .server import DemoServer, account
    from .state import State
    from .switches import Switches

_HOMES = {
    "ENDPOINTS": "endpoints",
    "Burst": "faults",
    "Call": "seen",
    "Churn": "faults",
    "DemoServer": "server",
    "Faults": "faults",
    "Hang": "faults",
    "Reset": "faults",
    "Seen": "seen",
    "State": "state",
    "Switches": "switches",
    "Truncate": "faults",
    "account": "server",
}

__all__ = [
    "ENDPOINTS",
    "Burst",
    "Call",
    "Churn",
    "DemoServer",
    "Faults",
    "Hang",
    "Reset",
    "Seen",
    "State",
    "Switches",
    "Truncate",
    "account",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
