"""The default client, and the functions of the package that use it."""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar

import pandas as pd

from .client import Client, registry
from .errors import InvalidRequestError, TinkerError
from .rest import config
from .schema import catalog

if TYPE_CHECKING:
    from .plans.plan import Plan

P = ParamSpec("P")
R = TypeVar("R")


def default_client() -> Client:
    """Return the default client, made from the environment at its first use.

    Examples
    --------
    >>> default_client().cache.info()  # doctest: +SKIP
    """
    return registry.default()


def set_default(client: Client | None) -> None:
    """Make a client the default one; with None, the next use makes one from the environment."""
    registry.set_default(client)


def is_default(client: Client) -> bool:
    """Tell whether a client is the default one; makes none to find out."""
    return registry.is_default(client)


def _bind_to_default(method: Callable[Concatenate[Client, P], R]) -> Callable[P, R]:
    """Return a client's method as a function of the default client."""

    @functools.wraps(method)
    def function(*args: P.args, **kwargs: P.kwargs) -> R:
        return method(default_client(), *args, **kwargs)

    signature = inspect.signature(method)
    own = signature.replace(parameters=list(signature.parameters.values())[1:])
    return _set_signature(function, method.__name__, own)


def _set_signature(function: Callable[P, R], name: str, signature: inspect.Signature) -> Callable[P, R]:
    """Give a function the name and the signature that `help` and completion show."""
    function.__name__ = function.__qualname__ = name
    function.__signature__ = signature  # type: ignore[attr-defined]
    return function


def _make_connect(make: Callable[P, Client]) -> Callable[P, Client]:
    """Return `connect`, which takes what makes a client and makes it the default one."""

    @config.document_options
    def connect(*args: P.args, **kwargs: P.kwargs) -> Client:
        """Make a client the default one, which the module's functions use from now on, and return it.

        Raises
        ------
        AuthenticationError, InvalidRequestError
            As `Client` does.

        Examples
        --------
        >>> client = connect("tml-…")  # doctest: +SKIP
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
# The others of the catalog; a line above gives one its static type.
globals().update({name: _bind_to_default(getattr(Client, name)) for name in catalog.TABLES if name not in globals()})


def find_client(frame: pd.DataFrame, client: Client | None = None) -> Client:
    """Return the client for a frame: the given one, the one that the frame came from, else the default one.

    Raises
    ------
    InvalidRequestError
        If the frame is of another account, or its client is gone and there is no default client of its account.
    """
    about = frame.attrs.get("tinker") or {}
    account = about.get("account")
    if account is None:
        return client or default_client()
    of_frame = f"the account {account} of {about.get('base_url')}"
    if client is None:
        client = registry.find_by_account(account) or _default_for_frame(of_frame)
    if client.account != account:
        raise InvalidRequestError(
            f"this frame is of {of_frame}, and the client is of {client.account} of {client.base_url}",
            hint="Pass client= a client of the frame's account.",
        )
    return client


def _default_for_frame(of_frame: str) -> Client:
    """Return the default client for a frame whose own client is gone; without a credential, say that it is gone."""
    try:
        return default_client()
    except TinkerError as error:
        raise InvalidRequestError(
            f"this frame is of {of_frame}, of which no client exists in this process: it was closed or garbage-collected, or the frame "
            f"comes from a file; and there is no default client ({error.what})",
            hint="Keep the client in a variable, or pass client= one of the frame's account.",
        ) from None


def journal(*, client: Client | None = None) -> pd.DataFrame:
    """Return the journal of the account's writes: one row per checkpoint and plan.

    Columns: `plan`, `begun_at`, `action`, `tinker_path`, `state` (`not begun`, `begun`, `ended`), `outcome`, `status`, `error`,
    `attempts`, `sent_at`, `ended_at`, `public_before`, `expires_before`, `undoes`; times in UTC.

    Examples
    --------
    >>> journal().groupby("plan")["outcome"].value_counts()  # doctest: +SKIP
    """
    return (client or default_client()).planner.build_journal_frame()


def resume(
    plan: str | Plan | None = None,
    *,
    confirm: int | bool | None = None,
    client: Client | None = None,
    progress: bool | None = None,
) -> pd.DataFrame:
    """Finish an interrupted plan and return an outcome for each of its rows.

    Completed rows are not repeated; rows whose answer was not received are read first. Rows that changed meanwhile, or that a
    guard holds now, are skipped.

    Parameters
    ----------
    plan
        The plan, its id, or the beginning of its id. Without it, the last unfinished plan, if it was begun in the last 24 hours.
    confirm
        As for `Plan.run`: without `plan`, what is left is shown and has to be confirmed in the same cases.
    client
        The account; else the default client's.
    progress
        Whether to show a progress bar.

    Raises
    ------
    InvalidRequestError
        If nothing is left to resume, if only an older plan is, or if another process runs the plan.
    ConfirmationNeededError
        Without the confirmation that it needs; nothing was sent then.

    Examples
    --------
    >>> resume(plan)["outcome"].value_counts()  # doctest: +SKIP
    """
    return (client or default_client()).planner.resume(_get_id(plan), confirm=confirm, progress=progress)


def abandon(plan: str | Plan, *, client: Client | None = None) -> None:
    """Close an unfinished plan, so that it is not resumed any more; what it has done stays, and can be undone.

    Raises
    ------
    InvalidRequestError
        If there is no such plan, if it has ended, or if another process runs it.

    Examples
    --------
    >>> abandon("20261127-0637")  # doctest: +SKIP
    """
    (client or default_client()).planner.abandon(plan if isinstance(plan, str) else plan.id)


def undo(plan: str | Plan | None = None, *, client: Client | None = None, progress: bool | None = None) -> pd.DataFrame:
    """Undo a plan, and return an outcome for each row.

    Publishing, unpublishing and expiries can be undone; an expiry is never restored to a later time than it was. A delete cannot be
    undone. A row that somebody changed since, or that a later plan did, is skipped.

    Parameters
    ----------
    plan
        The plan, its id, or the beginning of its id; of a plan that was run several times, the last run that is not undone.
        Without it, the last plan that is not undone, if it was begun in the last 24 hours: calling it again goes on to the plan before.
    client
        The account; else the default client's.
    progress
        Whether to show a progress bar.

    Raises
    ------
    InvalidRequestError
        For a delete, if there is nothing to undo, if the plan is undone already, or if another process runs it.

    Examples
    --------
    >>> undo(plan)  # doctest: +SKIP
    """
    return (client or default_client()).planner.undo(_get_id(plan), progress=progress)


def load_plan(path: str | os.PathLike[str], *, client: Client | None = None) -> Plan:
    """Return the plan that `Plan.save` wrote; rows that changed since will be skipped when it runs.

    Examples
    --------
    >>> load_plan("plan.json").run(confirm=True)  # doctest: +SKIP
    """
    return (client or default_client()).planner.load(path)


def _get_id(plan: str | Plan | None) -> str | None:
    return plan if plan is None or isinstance(plan, str) else plan.id
