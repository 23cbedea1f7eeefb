"""What an account holds, as data: tables and columns, derived columns, coercion, paths, durations; pure."""

import lazy_loader

# `tinker_frames.catalog` is found here.
__getattr__, __dir__, __all__ = lazy_loader.attach(__name__, submodules=["catalog"])
