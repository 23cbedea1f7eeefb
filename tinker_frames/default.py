"""The default client, and the functions of the package that use it."""

from __future__ import annotations

import functools
import inspect
import os
import threading
from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

from .client import Client

P = ParamSpec("P")
R = TypeVar("R")

_default: Client | None = None
_default_lock = threading.Lock()


def connect(
    api_key: str | None = None,
    base_url: str | None = None,
    *,
    cache: bool = True,
    cache_dir: str | os.PathLike[str] | None = None,
    cache_ttl: float = 300,
    max_workers: int = 16,
    retries: int = 4,
    timeout: float = 60,
    deadline: float | None = 300,
) -> Client:
    """Make the default client, which the module's functions use from now on, and return it; parameters as for `Client`.

    Examples
    --------
    >>> client = connect("tml-…")  # doctest: +SKIP
    """
    client = Client(
        api_key,
        base_url,
        cache=cache,
        cache_dir=cache_dir,
        cache_ttl=cache_ttl,
        max_workers=max_workers,
        retries=retries,
        timeout=timeout,
        deadline=deadline,
    )
    set_default(client)
    return client


def set_default(client: Client | None) -> None:
    """Have the module's functions use this client; None for one that is made from the environment when it is needed."""
    global _default  # noqa: PLW0603  # the one piece of module state, on purpose: `tkf.sessions()` has no other place for it
    with _default_lock:
        _default = client


def default_client() -> Client:
    """Return the default client, made from the environment at its first use.

    Examples
    --------
    >>> default_client().cache.info()  # doctest: +SKIP
    """
    global _default  # noqa: PLW0603
    with _default_lock:
        if _default is None:
            _default = Client()
        return _default


def _on_default(method: Callable[Concatenate[Client, P], R]) -> Callable[P, R]:
    """Return a client's method as a function of the default client."""

    @functools.wraps(method)
    def function(*args: P.args, **kwargs: P.kwargs) -> R:
        return method(default_client(), *args, **kwargs)

    signature = inspect.signature(method)
    function.__signature__ = signature.replace(parameters=list(signature.parameters.values())[1:])  # type: ignore[attr-defined]
    del function.__wrapped__
    function.__qualname__ = method.__name__
    return function


sessions = _on_default(Client.sessions)
training_runs = _on_default(Client.training_runs)
checkpoints = _on_default(Client.checkpoints)
samplers = _on_default(Client.samplers)
inventory = _on_default(Client.inventory)
