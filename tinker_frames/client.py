"""`Client`: a Tinker account as DataFrames; and which client is used where none is named."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterable
from typing import Any, NoReturn

import pandas as pd

from .listings.account import Account, Found
from .listings.tables import By, Options
from .rest import config
from .rest.cache import CacheView
from .rest.endpoints import AccessScope, Rest
from .rest.session import Session


@config.document_options
class Client:
    """A Tinker account as DataFrames.

    Nothing is sent until the first call that needs it.

    Raises
    ------
    AuthenticationError
        If the official service is meant and there is no usable credential.
    InvalidRequestError
        If an argument is out of range, or a key would travel over plain http.

    Examples
    --------
    >>> with Client() as client:  # doctest: +SKIP
    ...     client.checkpoints().query("size_gb > 1")
    """

    server: Any = None  # the clients of a demo account have its server here

    @config.accept_options(config.ClientOptions)
    def __init__(self, options: config.ClientOptions) -> None:
        self._settings = config.resolve(options)
        self._session = Session(self._settings)
        self._reader = Account(self._session)
        self._closers: list[Callable[[], None]] = []
        self.rest = Rest(self._session)
        self.cache = CacheView(self._settings, lambda: self._session.cache)

    # ── tables ───────────────────────────────────────────────────────────────────────────────────────────────────────

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

        From POST /api/v1/sessions/search, every page. A server without it is asked for its list of ids and then for each
        session (GET /api/v1/sessions, GET /api/v1/sessions/{session}): the same columns, NA where that way cannot know.

        Parameters
        ----------
        details
            Add `training_run_ids` and `sampler_ids` (tuples of text): one request per session, in parallel.
        refresh
            Read anew, whatever is cached.
        limit
            At most so many rows; None for all, 0 for none.
        access_scope
            `"owned"`, or `"accessible"` for everything that you may see.
        project_id
            Only the sessions of this project.
        progress
            A progress bar: True, False, or None for one when it takes longer than a second and somebody is watching.
        require_complete
            Raise where the listing cannot be proved complete; otherwise that is a warning.

        Returns
        -------
        DataFrame
            Sizes in bytes, times in UTC. `frame.attrs["tinker"]` says how complete and how old it is.

        Raises
        ------
        NotSupportedError
            If the server has no sessions at all, or cannot list those of one project.
        IncompleteListingError
            With `require_complete`.

        Examples
        --------
        >>> client.sessions().query("status == 'failed'")  # doctest: +SKIP
        """
        options = Options(refresh, limit, access_scope, project_id, progress)
        return self._finish(self._reader.sessions(options, details=details), require_complete)

    def training_runs(
        self,
        *,
        refresh: bool = False,
        limit: int | None = None,
        access_scope: AccessScope = "owned",
        project_id: str | None = None,
        progress: bool | None = None,
        require_complete: bool = False,
    ) -> pd.DataFrame:
        """Return one row per training run, from GET /api/v1/training_runs, every page.

        `session_id` is read from the run's id; on servers whose ids do not tell, from the sessions' own lists if
        `sessions(details=True)` was called before. Parameters, attrs and errors as in `sessions`.

        Examples
        --------
        >>> client.training_runs().groupby("base_model").size()  # doctest: +SKIP
        """
        options = Options(refresh, limit, access_scope, project_id, progress)
        return self._finish(self._reader.training_runs(options), require_complete)

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
        """Return one row per checkpoint: all of the user's, or those of one run.

        Parameters
        ----------
        training_run_id
            Only this run's, or those of several, from GET /api/v1/training_runs/{run}/checkpoints.
        by
            `"user"`: GET /api/v1/checkpoints, every page. `"run"`: every run's own list, in parallel; some servers leave
            sampler checkpoints out of the user's list. `"auto"`: the user's list, by run where the server has none.
        refresh, limit, progress, require_complete
            As in `sessions`.

        Returns
        -------
        DataFrame
            `size_bytes` in bytes, `size_gb` in 10^9 bytes, times in UTC, `age_days` and `expires_in_days` as of now.

        Raises
        ------
        NotFoundError
            If there is no such run.
        NotSupportedError
            For `by="user"` on a server without that list.
        IncompleteListingError
            With `require_complete`.

        Examples
        --------
        >>> client.checkpoints().query("not public and size_gb > 1 and age_days > 30")  # doctest: +SKIP
        """
        options = Options(refresh, limit, progress=progress)
        return self._finish(self._reader.checkpoints(training_run_id, by, options), require_complete)

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
        """Return one row per sampler: found through the sessions, then GET /api/v1/samplers/{sampler} each, in parallel.

        Parameters, attrs and errors as in `sessions`.

        Examples
        --------
        >>> client.samplers().dropna(subset="model_path")  # doctest: +SKIP
        """
        options = Options(refresh, limit, access_scope, project_id, progress)
        return self._finish(self._reader.samplers(options), require_complete)

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

        Columns that two tables have are prefixed `run_` or `session_`; `base_model` is the checkpoint's own, else the run's.
        Where ids do not tell the session, the sessions are asked which runs they own. Left joins: no row is lost or
        multiplied, and what is not known is NA. Parameters, attrs and errors as in `checkpoints`.

        Examples
        --------
        >>> client.inventory().groupby("display_name")["size_gb"].sum()  # doctest: +SKIP
        """
        options = Options(refresh, limit, access_scope, progress=progress)
        return self._finish(self._reader.inventory(by, options), require_complete)

    # ── for plans ────────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def session(self) -> Session:
        """What sends this client's requests."""
        return self._session

    def read_runs(self, training_run_ids: list[str]) -> tuple[pd.DataFrame, set[str]]:
        """Return the checkpoints of some runs, read anew, and the runs that could not be read; raises for neither.

        From GET /api/v1/training_runs/{run}/checkpoints, in parallel.
        """
        return self._reader.read_runs(training_run_ids)

    # ── life ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def base_url(self) -> str:
        """The server's address."""
        return self._settings.base_url

    @property
    def account(self) -> str:
        """The account's fingerprint, as frames carry it; no key can be had from it."""
        return self._session.account

    def on_close(self, callback: Callable[[], None]) -> None:
        """Have something called once when the client is closed."""
        self._closers.append(callback)

    def close(self) -> None:
        """Close connections and cache; the client must not be used afterwards."""
        self._session.close()
        while self._closers:
            self._closers.pop()()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<tinker_frames.Client {self.base_url}, {self._settings.credential!r}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Client cannot be pickled, since it holds a key; make one in the other process")

    def _finish(self, found: Found, require_complete: bool) -> pd.DataFrame:
        unnamed.remember(self)
        return self._reader.finish(found, require_complete=require_complete)


class UnnamedClient:
    """The client that is used where none is named: for a frame the one that it came from, else the default one.

    Clients that made frames are held weakly: a client that nobody holds any more is closed with its connections and its key.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._default: Client | None = None
        self._by_account: weakref.WeakValueDictionary[str, Client] = weakref.WeakValueDictionary()

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
        """Tell whether a client is the default one; makes none to find out."""
        return client is self._default

    def remember(self, client: Client) -> None:
        """Note that a client made a frame of its account."""
        self._by_account[client.account] = client

    def of_account(self, account: str) -> Client | None:
        """Return the client that made a frame of an account last, if it still exists."""
        return self._by_account.get(account)


# The one piece of state at module level: `tkf.sessions()` and `frame.tinker` have no other place for it.
unnamed = UnnamedClient()
