"""A whole Tinker account as pandas DataFrames, and actions on the rows you filtered.

>>> import tinker_frames as tkf
>>> with tkf.demo.account() as client:
...     old = client.checkpoints().query("not public and size_gb > 1 and age_days > 30")

The public names are those of `__init__.pyi` and the tables of the catalog. Each is imported at its first use, so that
`import tinker_frames` loads none of pandas, pyarrow and requests.
"""

import sys

import lazy_loader

from . import pandas_hook as _pandas_hook

_get_declared, _list_declared, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name: str) -> object:
    try:
        return _get_declared(name)
    except AttributeError:
        from .schema.catalog import TABLES

        if name not in TABLES:  # with its name, Python suggests the closest one
            raise AttributeError(
                f"module {__name__!r} has no attribute {name!r}", name=name, obj=sys.modules[__name__]
            ) from None
        from . import functions

        return getattr(functions, name)


def __dir__() -> list[str]:
    from .schema.catalog import TABLES

    return sorted({*_list_declared(), *TABLES})


_pandas_hook.install()
