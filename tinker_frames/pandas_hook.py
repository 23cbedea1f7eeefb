"""Registration of `df.tinker` with pandas, whichever of pandas and tinker_frames is imported first.

This module is part of `import tinker_frames`, so it imports neither pandas nor the accessor, and not even `typing`, which takes
half as long as starting Python does.
"""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec
from types import ModuleType

TYPE_CHECKING = False  # as type checkers know it
if TYPE_CHECKING:
    from typing import Any


def install() -> None:
    """Register the accessor: now if pandas is there, else at the end of its import."""
    pandas = sys.modules.get("pandas")
    if pandas is not None and hasattr(pandas, "DataFrame"):
        register()
    elif not any(isinstance(finder, _PandasFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _PandasFinder())


def register() -> None:
    """Register `df.tinker` with pandas, once."""
    import pandas as pd

    from .accessor import TinkerAccessor

    if "tinker" not in pd.DataFrame.__dict__:
        pd.api.extensions.register_dataframe_accessor("tinker")(TinkerAccessor)


class _PandasFinder:
    """A meta path finder that lets the others find pandas, wraps its loader, and removes itself once pandas is imported."""

    def __init__(self) -> None:
        self._asking = False

    def find_spec(self, name: str, *_: object) -> ModuleSpec | None:
        if name != "pandas" or self._asking:
            return None
        from importlib.util import find_spec

        self._asking = True  # find_spec below comes back here: this finder is in the list that it goes through
        try:
            spec = find_spec(name)
        finally:
            self._asking = False
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader, self)  # type: ignore[assignment]  # it has all that the import system uses of a loader
        return spec


class _Loader:
    """The loader of pandas, which also registers the accessor once the module is executed."""

    def __init__(self, loader: Any, finder: _PandasFinder) -> None:
        self._loader = loader
        self._finder = finder

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        module: ModuleType | None = self._loader.create_module(spec)
        return module

    def exec_module(self, module: ModuleType) -> None:
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        module.__loader__ = self._loader
        self._loader.exec_module(module)
        if self._finder in sys.meta_path:  # after a failed import it stays, for the next attempt
            sys.meta_path.remove(self._finder)
        register()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)
