"""The default client, and the functions of the package that use it."""

from __future__ import annotations

import copyreg
import functools
import inspect
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

import pandas as pd

from .client import Client, registry
from .errors import AuthenticationError, InvalidRequestError, TinkerError
from .plans.journal import find_owners
from .plans.plan import Plan, restore_plan
from .plans.saved import SavedPlan, dump_plan, parse_saved_plan, read_saved_plan
from .rest import config
from .schema import catalog
from .schema.arguments import bind_arguments, check_argument, expand_home
from .schema.docstrings import document

P = ParamSpec("P")
R = TypeVar("R")


def default_client() -> Client:
    """Return the default client, made from the environment at its first use; sends no request.

    Returns
    -------
    Client
        The client that `connect` made last, else one with default settings.

    Raises
    ------
    AuthenticationError
        If there is no usable credential for the official service.

    Examples
    --------
    >>> default_client().cache.info()
    """
    return registry.default()


def set_default(client: Client | None) -> None:
    """Make a client the default one; with None, the next use makes one from the environment."""
    registry.set_default(client)


def is_default(client: Client) -> bool:
    """Tell whether a client is the default one; makes none to find out."""
    return registry.is_default(client)


def _bind_to_default(method: Callable[Concatenate[Client, P], R]) -> Callable[P, R]:
    """Return a client's method as a function of the default client; wrong arguments are an error before a credential is needed."""
    signature = inspect.signature(method)
    own = signature.replace(parameters=list(signature.parameters.values())[1:])

    @functools.wraps(method)
    def function(*args: P.args, **kwargs: P.kwargs) -> R:
        bind_arguments(method.__name__, own, args, kwargs)
        return method(default_client(), *args, **kwargs)

    return _set_signature(function, method.__name__, own)


def _set_signature(function: Callable[P, R], name: str, signature: inspect.Signature) -> Callable[P, R]:
    """Give a function the name and the signature that `help`, completion and the documentation show."""
    function.__module__, function.__name__, function.__qualname__ = __name__, name, name
    function.__signature__ = signature  # type: ignore[attr-defined]
    vars(function).pop("__wrapped__", None)  # the method, which has a `self`
    return function


def _make_connect(make: Callable[P, Client]) -> Callable[P, Client]:
    """Return `connect`, which takes what makes a client and makes it the default one."""

    @config.document_options
    def connect(*args: P.args, **kwargs: P.kwargs) -> Client:
        """Make a client, which the module's functions use from now on, and return it; sends no request.

        Returns
        -------
        Client
            The new default client; `default_client()` returns it.

        Examples
        --------
        >>> client = connect(cache_ttl=60)
        """
        args, kwargs = config.hide_secrets(args, kwargs)
        client = make(*args, **kwargs)
        set_default(client)
        return client

    return _set_signature(connect, "connect", inspect.signature(make).replace(return_annotation=Client))


connect = _make_connect(Client)
sessions = _bind_to_default(Client.sessions)
training_runs = _bind_to_default(Client.training_runs)
checkpoints = _bind_to_default(Client.checkpoints)
samplers = _bind_to_default(Client.samplers)
inventory = _bind_to_default(Client.inventory)
find = _bind_to_default(Client.find)
usage = _bind_to_default(Client.usage)
storage = _bind_to_default(Client.storage)
costs = _bind_to_default(Client.costs)
# The others of the catalog; a line above gives one its static type.
globals().update({name: _bind_to_default(getattr(Client, name)) for name in catalog.TABLES if name not in globals()})


def find_client(frame: pd.DataFrame, client: Client | None = None) -> Client:
    """Return the client for a frame: the given one, the one that the frame came from, else the default one.

    Raises
    ------
    InvalidRequestError
        If the frame is of another account, or its client no longer exists and there is no default client of its account.
    AuthenticationError
        If the frame names no account, as after a merge, and there is no default client.
    """
    check_argument("client", client, Client | None)
    about = frame.attrs.get("tinker") or {}
    account = about.get("account")
    if account is not None:
        return _find_client_of("frame", account, about.get("base_url"), client)
    try:
        return _choose(client)
    except AuthenticationError as error:
        raise AuthenticationError(
            f"this frame does not say which account it is of, as after merge or concat, and there is no default client ({error.what})",
            hint="Pass client= a client of its account, or keep the attrs, as in merged.attrs = checkpoints.attrs.",
        ) from None


def _find_client_of(what: str, account: str, base_url: str | None, client: Client | None) -> Client:
    """Return the client of an account, for a frame or a plan of it: the given one, an open one, or the default one."""
    owner = f"this {what} is of the account {account} of {base_url}"
    if client is None:
        client = registry.find_by_account(account) or _default_for(what, owner)
    if client.account != account:
        raise InvalidRequestError(
            f"{owner}, and the client is of {client.account} of {client.base_url}",
            hint=f"Pass client= a client of the {what}'s account.",
        )
    return client


def _default_for(what: str, owner: str) -> Client:
    """Return the default client for a frame or plan whose client is gone; without a credential, raise an error that says so."""
    try:
        return default_client()
    except TinkerError as error:
        origin = {"frame": "comes from a file", "plan": "was made in another process"}[what]
        raise InvalidRequestError(
            f"{owner}, which has no client in this process: it was closed or garbage-collected, or the {what} {origin}; "
            f"and there is no default client ({error.what})",
            hint=f"Keep the client in a variable, or pass client= one of the {what}'s account.",
        ) from None


def find_client_of_plan(plan: str | Plan | None, client: Client | None = None) -> Client:
    """Return the client for a plan or its id: the given one, an open one of the plan's account, else the default one.

    An id that this machine's journal does not have is left to the default client.

    Raises
    ------
    InvalidRequestError
        If a plan is of another account than the given client, or its account has no open client and is not the default client's.
    """
    check_argument("client", client, Client | None)
    check_argument("plan", plan, str | Plan | None)
    if isinstance(plan, Plan):
        return _find_client_of("plan", plan.source.account, plan.source.base_url, client)
    if client is not None or not plan:
        return _choose(client)
    owners = find_owners(plan)
    if len(owners) != 1:
        return default_client()
    return _find_client_of("plan", *owners.popitem(), None)


def _bind_to_plan(
    method: Callable[Concatenate[Client, P], R], call: Callable[..., R] | None = None
) -> Callable[..., R]:
    """Return a client's method on plans as a function of the account of `plan`, or of `client`; `call` does it for one without a `plan`."""
    signature = inspect.signature(method)
    client = inspect.Parameter("client", inspect.Parameter.KEYWORD_ONLY, default=None, annotation="Client | None")
    own = signature.replace(parameters=[*list(signature.parameters.values())[1:], client])

    @functools.wraps(method)
    def function(*args: Any, **kwargs: Any) -> R:
        given = bind_arguments(method.__name__, own, args, kwargs)
        if call is not None:
            return call(**given)
        found = find_client_of_plan(given.get("plan"), given.pop("client", None))
        return method(found, **given)  # type: ignore[call-arg]  # `own` is the method's signature

    described = {"client": "The client of the account; None for one of the plan's account, else the default client."}
    return document(described, raises={})(_set_signature(function, method.__name__, own))


def _load_plan(path: str | os.PathLike[str], client: Client | None = None) -> Plan:
    """Return the plan of a file that `Plan.save` wrote, which is read once, also to find the client of its account."""
    check_argument("path", path, str | os.PathLike)
    check_argument("client", client, Client | None)
    return _restore_plan(read_saved_plan(expand_home(path, "path")), client)


def _unpickle_plan(text: bytes) -> Plan:
    return _restore_plan(parse_saved_plan(text))


def _restore_plan(saved: SavedPlan, client: Client | None = None) -> Plan:
    """Return a saved plan with the given client, else with that of its account in this process."""
    found = _find_client_of("plan", saved.account, saved.base_url, client)
    return restore_plan(saved, found.planner)


if TYPE_CHECKING:  # their types, which no checker can derive; a test compares them

    def journal(*, client: Client | None = None) -> pd.DataFrame: ...  # noqa: D103
    def resume(  # noqa: D103
        plan: str | Plan | None = None,
        *,
        confirm: int | bool | None = None,
        progress: bool | None = None,
        client: Client | None = None,
    ) -> pd.DataFrame: ...
    def abandon(plan: str | Plan, *, client: Client | None = None) -> None: ...  # noqa: D103
    def undo(  # noqa: D103
        plan: str | Plan | None = None,
        *,
        confirm: int | bool | None = None,
        progress: bool | None = None,
        client: Client | None = None,
    ) -> pd.DataFrame: ...
    def load_plan(path: str | os.PathLike[str], *, client: Client | None = None) -> Plan: ...  # noqa: D103

else:
    journal = _bind_to_plan(Client.journal)
    resume = _bind_to_plan(Client.resume)
    abandon = _bind_to_plan(Client.abandon)
    undo = _bind_to_plan(Client.undo)
    load_plan = _bind_to_plan(Client.load_plan, _load_plan)


def _choose(client: Client | None) -> Client:
    """Return the given client, else the default one."""
    check_argument("client", client, Client | None)
    return default_client() if client is None else client


copyreg.pickle(Plan, lambda plan: (_unpickle_plan, (dump_plan(plan),)))  # without the key that its source holds
