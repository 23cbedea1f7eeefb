"""`Client`: a Tinker account as DataFrames; and the registry of the default client and of clients by account."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterable
from types import MappingProxyType
from typing import Any, NoReturn, TypeVar

import pandas as pd

from .billing.account import Billing
from .billing.methods import BillingMethods
from .errors import ArgumentTypeError, IncompleteListingError, InvalidRequestError, NotSupportedError
from .listings.account import Account, TableFrame
from .listings.tables import By, Options
from .plans.methods import PlanMethods
from .plans.planner import Planner
from .rest import config
from .rest.cache import ClientCache
from .rest.parameters import AccessScope
from .rest.transport import Transport
from .schema import catalog
from .schema.arguments import check_methods
from .schema.columns import Table
from .schema.docstrings import REQUEST_ERRORS, describe_errors, document, format_columns, format_entries

M = TypeVar("M", bound=Callable[..., pd.DataFrame])

TABLE_PARAMETERS = MappingProxyType(
    {
        "refresh": "Bypass the cache; the new listing replaces the cached one.",
        "limit": "Maximum number of rows; None for all, 0 for none (an empty frame with every column).",
        "access_scope": "List only your own objects, or all that you can read.",
        "project_id": "List only the objects of this project.",
        "by": """`"user"` reads the user's list, GET /api/v1/checkpoints. `"run"` reads the list of each training run, in parallel; some servers
leave sampler checkpoints out of the user's list. `"auto"` reads the user's list, and by run if the server has none, or
if it lacks checkpoints that training runs name or sessions count.""",
        "progress": "Show a progress bar. With None, one is shown in a terminal or notebook if reading takes over a second.",
        "require_complete": "Raise `IncompleteListingError` if the listing cannot be proved complete, instead of warning.",
    }
)
TABLE_ERRORS = (InvalidRequestError, NotSupportedError, IncompleteListingError, *REQUEST_ERRORS)


def _document_table(table: Table) -> Callable[[M], M]:
    """Return a decorator that completes the docstring of a table's method: parameters, columns with dtypes, errors."""
    about = f"""{table.row[0].upper()}{table.row[1:]}. Sizes are in bytes, and as `size_gb` in 10^9 bytes; times are in UTC; unknown values are NA.
`frame.attrs["tinker"]` says whether the listing is complete, when it was read and what was malformed. Columns:

{format_columns(table.columns)}"""
    return document(
        TABLE_PARAMETERS, returns=format_entries({"DataFrame": about}), raises=describe_errors(*TABLE_ERRORS)
    )


def _add_tables(cls: type[Client]) -> type[Client]:
    """Add a method for each table of the catalog that has none here: one that an endpoint lists by offset needs no more."""
    for table in catalog.TABLES.values():
        if table.name not in vars(cls):
            setattr(cls, table.name, _make_table_method(table))
    return cls


def _make_table_method(table: Table) -> Callable[..., pd.DataFrame]:
    def read(
        self: Client,
        *,
        refresh: bool = False,
        limit: int | None = None,
        access_scope: AccessScope = "owned",
        project_id: str | None = None,
        progress: bool | None = None,
        require_complete: bool = False,
    ) -> pd.DataFrame:
        options = Options(refresh, limit, access_scope, project_id, progress)
        return self._finish(self._reader.read_paged(table, options), require_complete)

    read.__name__, read.__qualname__ = table.name, f"Client.{table.name}"
    read.__doc__ = f"""Return {table.row}, from every page of {table.source}.

        Examples
        --------
        >>> client.{table.name}(limit=10)
        """
    return _document_table(table)(read)


@check_methods
@_add_tables
@config.document_options
class Client(PlanMethods, BillingMethods):
    """A Tinker account as DataFrames.

    Each table is a method, as are `usage`, `storage` and `costs`, and `journal`, `resume`, `abandon`, `undo` and `load_plan`. No request is sent until the first
    call that needs one. Use it as a context manager, or call `close()`, to close its connections.

    Attributes
    ----------
    rest : Rest
        One method per endpoint, each of which returns the parsed JSON.
    cache : ClientCache
        The cached listings of the account.

    Examples
    --------
    >>> with Client() as client:
    ...     client.checkpoints().query("size_gb > 1")
    """

    server: Any = None  # a client of a demo account keeps its DemoServer here

    @config.accept_options(config.ClientOptions)
    def __init__(self, options: config.ClientOptions) -> None:
        self._settings = config.resolve(options)
        self._transport = Transport(self._settings)
        self._reader = Account(self._transport)
        self._closers: list[Callable[[], None]] = []
        self.planner = Planner(self._transport, self._reader)
        self.billing = Billing(self._transport, self._reader)
        self.rest = self.planner.rest
        self.cache = ClientCache(self._settings, lambda: self._transport.cache)

    # ── tables ───────────────────────────────────────────────────────────────────────────────────────────────────────

    @_document_table(catalog.SESSIONS)
    def sessions(
        self,
        *,
        details: bool = False,
        refresh: bool = False,
        limit: int | None = None,
        access_scope: AccessScope = "owned",
        project_id: str | None = None,
        progress: bool | None = None,
        require_complete: bool = False,
    ) -> pd.DataFrame:
        """Return one row per session.

        Reads every page of POST /api/v1/sessions/search. A server without it is read by GET /api/v1/sessions and
        GET /api/v1/sessions/{session}; the columns are the same, NA where these endpoints do not have them.

        Parameters
        ----------
        details
            Add the columns `training_run_ids` and `sampler_ids` (tuples of str), by one request per session, in parallel, and
            `last_checkpoint_at`, by reading the checkpoints; the frame is complete only if both are.

        Raises
        ------
        NotSupportedError
            If the server has no sessions, or cannot list those of one project.

        Examples
        --------
        >>> client.sessions().query("status == 'failed'")
        """
        options = Options(refresh, limit, access_scope, project_id, progress)
        return self._finish(self._reader.sessions(options, details=details), require_complete)

    @_document_table(catalog.TRAINING_RUNS)
    def training_runs(
        self,
        *,
        details: bool = False,
        refresh: bool = False,
        limit: int | None = None,
        access_scope: AccessScope = "owned",
        project_id: str | None = None,
        progress: bool | None = None,
        require_complete: bool = False,
    ) -> pd.DataFrame:
        """Return one row per training run, from every page of GET /api/v1/training_runs.

        `session_id` is parsed from the run's id. On servers whose ids do not contain it, it is NA unless `sessions(details=True)`
        was called before.

        Parameters
        ----------
        details
            Read the sessions and checkpoints too, and add `display_name`, `status` and `created_at` of a run's session, and
            `checkpoints_count`, `size_bytes`, `size_gb`, `last_step` and `has_final` of its checkpoints. The frame is complete only if
            all three are; a column that is not known is NA and named in `frame.attrs["tinker"]["lacks"]`.

        Examples
        --------
        >>> client.training_runs(details=True).nlargest(10, "size_gb")
        """
        options = Options(refresh, limit, access_scope, project_id, progress)
        return self._finish(self._reader.training_runs(options, details=details), require_complete)

    @_document_table(catalog.CHECKPOINTS)
    def checkpoints(
        self,
        training_run_id: str | Iterable[str] | None = None,
        by: By = "auto",
        *,
        refresh: bool = False,
        limit: int | None = None,
        progress: bool | None = None,
        require_complete: bool = False,
    ) -> pd.DataFrame:
        """Return one row per checkpoint: all of the user's, or those of some training runs.

        Reads every page of GET /api/v1/checkpoints, or GET /api/v1/training_runs/{run}/checkpoints of each run. `age_days` and
        `expires_in_days` are as of this call, also for a cached listing.

        Parameters
        ----------
        training_run_id
            List only the checkpoints of this run, or of these runs. An id may be cut to its first characters (four or more) if only
            one run's id begins with them.

        Raises
        ------
        NotFoundError
            If there is no such run.
        InvalidRequestError
            If several runs begin with an id that was cut.
        IncompleteListingError
            If an id was cut and the list of runs cannot be proved complete.
        NotSupportedError
            If the server has no list of the user's checkpoints, with `by="user"`.

        Examples
        --------
        >>> client.checkpoints().query("not public and size_gb > 1 and age_days > 30")
        """
        options = Options(refresh, limit, progress=progress)
        if hasattr(training_run_id, "columns"):  # a frame would be read as the names of its columns
            raise ArgumentTypeError("training_run_id must be one id or several, not a frame; pass its column")
        ids = [training_run_id] if isinstance(training_run_id, str) else training_run_id
        ids = None if ids is None else self._reader.resolve_runs(list(ids), options)
        return self._finish(self._reader.checkpoints(ids, by, options), require_complete)

    @_document_table(catalog.FOUND)
    def find(self, text: str, *, refresh: bool = False, progress: bool | None = None) -> pd.DataFrame:
        """Return the sessions, training runs and checkpoints that a text names, one row each.

        Reads what `sessions`, `training_runs` and `checkpoints` read. A text finds the sessions whose name contains it with their
        runs, what has an id that begins with it (four characters or more), and the checkpoints whose name contains it. A tinker path
        and a link of the web console find what they are of. Upper and lower case are the same in names.

        Parameters
        ----------
        text
            A name or a part of one, the beginning of an id, a tinker path, or a link of the console.

        Raises
        ------
        InvalidRequestError
            If the text is empty.

        Examples
        --------
        >>> client.find("nightly sft")
        >>> client.find("https://tinker.thinkingmachines.ai/sessions/5b1f…")
        """
        return self._finish(self._reader.find(text, Options(refresh, progress=progress)), require_complete=False)

    @_document_table(catalog.SAMPLERS)
    def samplers(
        self,
        *,
        refresh: bool = False,
        limit: int | None = None,
        access_scope: AccessScope = "owned",
        project_id: str | None = None,
        progress: bool | None = None,
        require_complete: bool = False,
    ) -> pd.DataFrame:
        """Return one row per sampler that a session lists.

        Sends one GET /api/v1/samplers/{sampler} per sampler, in parallel, after reading the sessions with their details.

        Examples
        --------
        >>> client.samplers().dropna(subset="model_path")
        """
        options = Options(refresh, limit, access_scope, project_id, progress)
        return self._finish(self._reader.samplers(options), require_complete)

    @_document_table(catalog.INVENTORY)
    def inventory(
        self,
        *,
        by: By = "auto",
        refresh: bool = False,
        limit: int | None = None,
        access_scope: AccessScope = "owned",
        progress: bool | None = None,
        require_complete: bool = False,
    ) -> pd.DataFrame:
        """Return one row per checkpoint, with the columns of its training run and its session.

        Columns of the run and of the session are prefixed `run_` and `session_`, but for `is_lora`, `lora_rank`,
        `display_name`, `project_id` and `base_model`, which is the checkpoint's, else the run's.
        If the ids do not contain the session, the sessions' own lists of runs are read. The joins are left joins: no row is
        lost or duplicated, and missing values are NA. Reads what `checkpoints`, `training_runs` and `sessions` read. With
        `access_scope="accessible"`, the lists of other people's runs are read too; those that the server refuses are named in
        `problems`, and the frame is not complete.

        Examples
        --------
        >>> client.inventory().groupby("display_name")["size_gb"].sum()
        """
        options = Options(refresh, limit, access_scope, progress=progress)
        return self._finish(self._reader.inventory(by, options), require_complete)

    # ── for plans ────────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def transport(self) -> Transport:
        """The HTTP transport of this client."""
        return self._transport

    def read_runs(self, training_run_ids: list[str]) -> tuple[pd.DataFrame, set[str]]:
        """Return the checkpoints of some runs, past the cache, and the runs that could not be read; an unreadable run raises nothing.

        Reads GET /api/v1/training_runs/{run}/checkpoints, in parallel.
        """
        return self._reader.read_runs(training_run_ids)

    # ── life ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def base_url(self) -> str:
        """The server's address."""
        return self._settings.base_url

    @property
    def account(self) -> str:
        """The fingerprint of the account, as in `frame.attrs`; the key cannot be recovered from it."""
        return self._transport.account

    def on_close(self, callback: Callable[[], None]) -> None:
        """Register a callback that is called once, when the client is closed."""
        self._closers.append(callback)

    def close(self) -> None:
        """Close the connections and the cache; calls afterwards raise `TinkerError`."""
        self._transport.close()
        while self._closers:
            self._closers.pop()()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        settings = vars(self).get("_settings")  # a traceback may show a client that could not be made
        made = f"{settings.base_url}, {settings.credential!r}" if settings else "not made"
        return f"<tinker_frames.Client {made}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Client cannot be pickled, since it holds a key; make one in the other process")

    def _finish(self, found: TableFrame, require_complete: bool) -> pd.DataFrame:
        registry.remember(self)
        return self._reader.finish(found, require_complete=require_complete)


class ClientRegistry:
    """The client to use without `client=`: the one that a frame came from, else the default one.

    Clients that made frames are held weakly: a client without other references is garbage-collected, with its connections and its key.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._default: Client | None = None
        self._by_account: dict[str, list[weakref.ref[Client]]] = {}  # in the order in which they made frames

    def default(self) -> Client:
        """Return the default client, made from the environment at its first use."""
        with self._lock:
            if self._default is None:
                self._default = Client()
            return self._default

    def set_default(self, client: Client | None) -> None:
        """Make a client the default one; with None, the next use makes one from the environment."""
        with self._lock:
            self._default = client

    def is_default(self, client: Client) -> bool:
        """Tell whether a client is the default one; does not make one."""
        return client is self._default

    def remember(self, client: Client) -> None:
        """Note that a client made a frame of its account."""
        account = client.account
        with self._lock:
            others = [ref for ref in self._by_account.get(account, []) if ref() not in (None, client)]
            self._by_account[account] = [*others, weakref.ref(client)]

    def find_by_account(self, account: str) -> Client | None:
        """Return the client that made a frame of an account last, of those that still exist and are open."""
        clients = (ref() for ref in reversed(self._by_account.get(account, [])))
        return next((client for client in clients if client is not None and not client.transport.is_closed), None)


# The one piece of state at module level: `tkf.sessions()` and `frame.tinker` have no other place for it.
registry = ClientRegistry()
