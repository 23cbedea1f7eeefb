"""`df.tinker` on every DataFrame, whichever of pandas and tinker_frames is imported first, and pandas only if somebody wants it."""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any


def install() -> None:
    """Register the accessor: now if pandas is there, else at the end of its import."""
    pandas = sys.modules.get("pandas")
    if pandas is not None and hasattr(pandas, "DataFrame"):
        register()
    elif not any(isinstance(finder, _Waiter) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Waiter())


def register() -> None:
    """Register `df.tinker` with pandas, once."""
    import pandas as pd

    from .accessor import TinkerAccessor

    if "tinker" not in pd.DataFrame.__dict__:
        pd.api.extensions.register_dataframe_accessor("tinker")(TinkerAccessor)


class _Waiter:
    """Finds pandas the usual way, and registers the accessor when its module has run."""

    def find_spec(self, name: str, *_: object) -> ModuleSpec | None:
        if name != "pandas":
            return None
        sys.meta_path.remove(self)
        from importlib.util import find_spec

        spec = find_spec(name)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader)  # type: ignore[assignment]  # all that imports ask of a loader
        return spec


class _Loader:
    """A module's own loader, with one step after it."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        module: ModuleType | None = self._loader.create_module(spec)
        return module

    def exec_module(self, module: ModuleType) -> None:
        spec = module.__spec__
        if spec is not None:
            spec.loader = self._loader
        module.__loader__ = self._loader
        self._loader.exec_module(module)
        register()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)
