"""A whole Tinker account as pandas DataFrames, and actions on the rows you filtered.

>>> import tinker_frames as tkf
>>> with tkf.demo.account() as client:  # doctest: +SKIP
...     old = client.checkpoints().query("not public and size_gb > 1 and age_days > 30")

Names are loaded when they are first used, so that importing this costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from . import pandas_hook as _pandas_hook
from .version import __version__ as __version__

if TYPE_CHECKING:
    from . import demo, errors, policies
    from .client import Client
    from .frames.files import export, read_export
    from .functions import (
        checkpoints,
        connect,
        default_client,
        inventory,
        journal,
        load_plan,
        resume,
        samplers,
        sessions,
        training_runs,
        undo,
    )
    from .plans.plan import Plan
    from .schema import catalog
    from .views import explore
    from .views.widget import CheckpointsView, SessionsView, TrainingRunsView

__all__ = [
    "CheckpointsView",
    "Client",
    "Plan",
    "SessionsView",
    "TrainingRunsView",
    "catalog",
    "checkpoints",
    "connect",
    "default_client",
    "demo",
    "errors",
    "explore",
    "export",
    "inventory",
    "journal",
    "load_plan",
    "policies",
    "read_export",
    "resume",
    "samplers",
    "sessions",
    "training_runs",
    "undo",
]

_MODULES = {"catalog": "schema.catalog", "demo": "demo", "errors": "errors", "policies": "policies"}
_HOMES = {
    "client": ("Client",),
    "functions": (
        "checkpoints",
        "connect",
        "default_client",
        "inventory",
        "journal",
        "load_plan",
        "resume",
        "samplers",
        "sessions",
        "training_runs",
        "undo",
    ),
    "views": ("explore",),
    "plans.plan": ("Plan",),
    "views.widget": ("CheckpointsView", "SessionsView", "TrainingRunsView"),
    "frames.files": ("export", "read_export"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f"{__name__}.{_MODULES[name]}")
    if name in _HOME_OF:
        value = globals()[name] = getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*__all__, "__version__"})


_pandas_hook.install()
