"""The demo account: an embedded, Tinker-compatible server on loopback with generated data, for trial and tests.

>>> from tinker_frames.demo import DemoServer
>>> with DemoServer(runs=3, seed=1) as server:
...     print(server.key)
tml-demo

The public names are those of `__init__.pyi`. Each is imported at its first use, so that `import tinker_frames.demo` loads
none of FastAPI, uvicorn and pandas.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
