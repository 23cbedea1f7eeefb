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
    """Has pandas found the usual way, and the accessor registered when its module has run; then it goes."""

    def __init__(self) -> None:
        self._asking = False

    def find_spec(self, name: str, *_: object) -> ModuleSpec | None:
        if name != "pandas" or self._asking:
            return None
        from importlib.util import find_spec

        self._asking = True  # the usual finders are asked through the same list, which we stand in
        try:
            spec = find_spec(name)
        finally:
            self._asking = False
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader, self)  # type: ignore[assignment]  # all that imports ask of a loader
        return spec


class _Loader:
    """A module's own loader, with one step after it."""

    def __init__(self, loader: Any, waiter: _Waiter) -> None:
        self._loader = loader
        self._waiter = waiter

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        module: ModuleType | None = self._loader.create_module(spec)
        return module

    def exec_module(self, module: ModuleType) -> None:
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        module.__loader__ = self._loader
        self._loader.exec_module(module)
        if self._waiter in sys.meta_path:  # a failed import leaves it there for the next try
            sys.meta_path.remove(self._waiter)
        register()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)
