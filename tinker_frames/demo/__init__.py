"""The demo account: an embedded, Tinker-compatible server on loopback with generated data, for trial and tests.

>>> from tinker_frames.demo import DemoServer  # doctest: +SKIP
>>> with DemoServer(runs=60, seed=1) as server:  # doctest: +SKIP
...     print(server.url, server.key)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .data.state import State
    from .endpoints import ENDPOINTS
    from .server import DemoServer, account
    from .service.backend import Switches
    from .traffic.faults import Burst, Churn, Faults, Hang, Reset, Truncate
    from .traffic.request_log import RecordedRequest, RequestLog

_HOMES = {
    "ENDPOINTS": "endpoints",
    "Burst": "traffic.faults",
    "RecordedRequest": "traffic.request_log",
    "Churn": "traffic.faults",
    "DemoServer": "server",
    "Faults": "traffic.faults",
    "Hang": "traffic.faults",
    "Reset": "traffic.faults",
    "RequestLog": "traffic.request_log",
    "State": "data.state",
    "Switches": "service.backend",
    "Truncate": "traffic.faults",
    "account": "server",
}

__all__ = [
    "ENDPOINTS",
    "Burst",
    "Churn",
    "DemoServer",
    "Faults",
    "Hang",
    "RecordedRequest",
    "RequestLog",
    "Reset",
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
