"""What plans need of an account: facts about checkpoints, their state read anew, and what carries plans out."""

from __future__ import annotations

import warnings
import weakref
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from . import errors
from .plans.actions import State
from .plans.facts import facts_of
from .plans.journal import Journal
from .plans.runner import Read, Runner
from .schema.catalog import CHECKPOINTS
from .schema.columns import empty_frame
from .schema.paths import run_of

if TYPE_CHECKING:
    from .client import Client


_rates: weakref.WeakKeyDictionary[Client, float | None] = weakref.WeakKeyDictionary()


class Holder:
    """One client's account, as plans see it."""

    def __init__(self, client: Client, journal_folder: Path | None = None) -> None:
        self.client = client
        self._journal_folder = journal_folder

    @property
    def account(self) -> str:
        """The account's fingerprint."""
        return self.client.account

    @property
    def base_url(self) -> str:
        """The server's address."""
        return self.client.base_url

    def facts(self, paths: list[str]) -> pd.DataFrame:
        """Return what is known of these checkpoints: their runs' lists, and what samplers have loaded."""
        return facts_of(paths, self.listed(paths), self.loaded())

    def listed(self, paths: Iterable[str]) -> pd.DataFrame:
        """Return every checkpoint of the runs that these paths name; a run that cannot be read has none."""
        runs = list(dict.fromkeys(run for path in paths if (run := run_of(path))))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", errors.IncompleteListingWarning)  # what is missing is refused, row by row
            try:
                return self.client.checkpoints(runs)
            except (errors.NotFoundError, errors.ServerError):
                return empty_frame(CHECKPOINTS, datetime.now(UTC))

    def loaded(self) -> set[str] | None:
        """Return the tinker paths that samplers have loaded; None where the server does not tell."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", errors.IncompleteListingWarning)
            try:
                samplers = self.client.samplers()
            except (errors.NotSupportedError, errors.NotFoundError, errors.ServerError):
                return None
        complete = samplers.attrs["tinker"]["complete"]
        return set(samplers["model_path"].dropna()) if complete else None

    def rate(self) -> float | None:
        """Return dollars per gigabyte and month, if the server tells this account; each client asks once."""
        if self.client not in _rates:
            try:
                answer = self.client.rest.get_current_checkpoint_usage()
                found = answer.get("effective_rate_usd_per_gigabyte_month")
            except errors.TinkerError:
                found = None
            _rates[self.client] = float(found) if isinstance(found, (int, float)) else None
        return _rates[self.client]

    def runner(self) -> Runner:
        """Return what carries out this account's plans."""
        return Runner(self.client.session, self.read_runs, self.journal())

    def journal(self) -> Journal:
        """Return the account's journal."""
        return Journal(self.account, self._journal_folder)

    def read_runs(self, run_ids: list[str]) -> Read:
        """Return the present state of every checkpoint of some runs, read anew."""
        if not run_ids:
            return Read({}, set())
        frame, lost = self.client.read_runs(run_ids)
        columns = (frame[name] for name in ("tinker_path", "public", "expires_at"))
        return Read({path: State(_bool(public), _time(at)) for path, public, at in zip(*columns, strict=True)}, lost)


def _bool(value: Any) -> bool | None:
    return None if pd.isna(value) else bool(value)


def _time(value: Any) -> Any:
    return None if pd.isna(value) else value.to_pydatetime()
