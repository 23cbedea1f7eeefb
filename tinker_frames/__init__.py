"""A whole Tinker account as pandas DataFrames, and actions on the rows you filtered.

>>> import tinker_frames as tkf
>>> with tkf.demo.account() as client:  # doctest: +SKIP
...     old = client.checkpoints().query("not public and size_gb > 1 and age_days > 30")

The public names are those of `__init__.pyi`. Each is imported at its first use, so that `import tinker_frames` loads none of
pandas, pyarrow and requests.
"""

import lazy_loader

from . import pandas_hook as _pandas_hook

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

_pandas_hook.install()
