"""The default client, and the functions of the package that use it."""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable
from types import MappingProxyType
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar

import pandas as pd

from .client import Client, registry
from .errors import ArgumentTypeError, InvalidRequestError, TinkerError
from .plans.plan import OUTCOMES_DOC
from .rest import config
from .schema import catalog
from .schema.arguments import check_argument
from .schema.docstrings import document

if TYPE_CHECKING:
    from .plans.plan import Plan

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
        """Make a client, which the module's functions use from now on, and return it; sends no request.

        Returns
        -------
        Client
            The new default client; `default_client()` returns it.

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
        If the frame is of another account, or its client no longer exists and there is no default client of its account.
    """
    check_argument("client", client, Client | None)
    about = frame.attrs.get("tinker") or {}
    account = about.get("account")
    if account is None:
        return _choose(client)
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
    """Return the default client for a frame whose own client no longer exists; without a credential, raise an error that says so."""
    try:
        return default_client()
    except TinkerError as error:
        raise InvalidRequestError(
            f"this frame is of {of_frame}, which has no client in this process: it was closed or garbage-collected, or the frame "
            f"comes from a file; and there is no default client ({error.what})",
            hint="Keep the client in a variable, or pass client= one of the frame's account.",
        ) from None


PLAN_PARAMETERS = MappingProxyType(
    {
        "path": "The file that `Plan.save` wrote.",
        "client": "The client of the account; None for the default client.",
        "progress": "Show a progress bar. With None, one is shown in a terminal or notebook if it takes over a second.",
    }
)


@document(PLAN_PARAMETERS, raises={"AuthenticationError": "If there is no usable credential."})
def journal(*, client: Client | None = None) -> pd.DataFrame:
    """Return the journal of the account's writes, which is kept on this machine; sends no request.

    Returns
    -------
    DataFrame
        One row per checkpoint and plan, in the order of the plans; times in UTC:

        * `plan` (str): the plan's id
        * `started_at`, `sent_at`, `ended_at` (datetime64[us, UTC]): when the plan was started, the write last sent, its outcome known
        * `action`, `tinker_path` (str)
        * `state` (category): `planned` (not sent), `sent` (outcome not known) or `ended`
        * `outcome` (category): as of `Plan.run`; NA unless ended
        * `status` (Int64): the last HTTP status
        * `error` (str): why it was not done
        * `attempts` (Int64): number of requests
        * `public_before` (boolean), `expires_before` (datetime64[us, UTC]): the state before
        * `expiry_unknown_before` (boolean): whether it had an expiry that could not be read; `expires_before` is NA then, as for never
        * `undoes` (str): the id of the plan that it undoes

    Examples
    --------
    >>> journal().groupby("plan")["outcome"].value_counts()  # doctest: +SKIP
    """
    return _choose(client).planner.build_journal_frame()


@document(PLAN_PARAMETERS, returns=OUTCOMES_DOC)
def resume(
    plan: str | Plan | None = None,
    *,
    confirm: int | bool | None = None,
    client: Client | None = None,
    progress: bool | None = None,
) -> pd.DataFrame:
    """Finish an interrupted plan, and return an outcome for each of its rows.

    Rows that have an outcome are not sent again; rows whose answer was not received are read first. Rows that have changed since
    or are held by a guard now are skipped. Sends one request per checkpoint, as `Plan.run`.

    Parameters
    ----------
    plan
        The plan, its id, or the beginning of its id; None for the last unfinished plan, if it was started in the last 24 hours.
    confirm
        As for `Plan.run`: without `plan`, what is left is shown and has to be confirmed in the same cases.

    Raises
    ------
    InvalidRequestError
        If nothing is left to resume, only an older plan is, or another process is running the plan.
    ConfirmationNeededError
        Without the confirmation that it needs; nothing is sent then.

    Examples
    --------
    >>> resume(plan)["outcome"].value_counts()  # doctest: +SKIP
    """
    return _choose(client).planner.resume(_get_id(plan), confirm=confirm, progress=progress)


@document(PLAN_PARAMETERS, raises={"AuthenticationError": "If there is no usable credential."})
def abandon(plan: str | Plan, *, client: Client | None = None) -> None:
    """Close an unfinished plan in the journal, so that it is not resumed any more; sends no request.

    What the plan has done stays, and can be undone.

    Parameters
    ----------
    plan
        The plan, its id, or the beginning of its id.

    Raises
    ------
    InvalidRequestError
        If there is no such plan, it has ended, or another process is running it.

    Examples
    --------
    >>> abandon("20261127-0637")  # doctest: +SKIP
    """
    _choose(client).planner.abandon(_require_id(plan))


@document(PLAN_PARAMETERS, returns=OUTCOMES_DOC)
def undo(
    plan: str | Plan | None = None,
    *,
    confirm: int | bool | None = None,
    client: Client | None = None,
    progress: bool | None = None,
) -> pd.DataFrame:
    """Undo a plan, and return an outcome for each of its rows.

    Publishing, unpublishing and expiries can be undone; an expiry is never restored to a later time than it was. Deletes cannot
    be undone. Rows that were changed since, also by a later plan, are skipped. Sends one request per checkpoint, as `Plan.run`.

    Parameters
    ----------
    plan
        The plan, its id, or the beginning of its id; of a plan that was run several times, the last run that is not undone.
        None for the last plan that is not undone, if it was started in the last 24 hours; a second call undoes the plan before.
    confirm
        The number of rows, or True for any number; needed to undo an `unpublish`, which makes checkpoints public again.

    Raises
    ------
    ConfirmationNeededError
        Without the confirmation that it needs; nothing is sent then.
    InvalidRequestError
        If the plan deleted checkpoints or is undone already, nothing is left to undo, or another process is running it.

    Examples
    --------
    >>> undo(plan)  # doctest: +SKIP
    """
    return _choose(client).planner.undo(_get_id(plan), confirm=confirm, progress=progress)


@document(PLAN_PARAMETERS)
def load_plan(path: str | os.PathLike[str], *, client: Client | None = None) -> Plan:
    """Return the plan that `Plan.save` wrote; sends no write.

    Reads the training runs concerned, GET /api/v1/training_runs/{run}/checkpoints. Rows that changed since the plan was saved are
    skipped when it runs.

    Returns
    -------
    Plan
        The plan, with the id that it had.

    Raises
    ------
    InvalidRequestError
        If the file is not a saved plan, or a plan of another account.
    FileNotFoundError
        If there is no such file.

    Examples
    --------
    >>> load_plan("plan.json").run(confirm=True)  # doctest: +SKIP
    """
    check_argument("path", path, str | os.PathLike)
    return _choose(client).planner.load(path)


def _choose(client: Client | None) -> Client:
    """Return the given client, else the default one."""
    check_argument("client", client, Client | None)
    return default_client() if client is None else client


def _get_id(plan: str | Plan | None) -> str | None:
    return None if plan is None else _require_id(plan)


def _require_id(plan: str | Plan) -> str:
    if not isinstance(plan, str) and not isinstance(getattr(plan, "id", None), str):
        raise ArgumentTypeError(f"plan must be a plan or its id, not {type(plan).__name__}")
    return plan if isinstance(plan, str) else plan.id
