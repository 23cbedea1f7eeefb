"""The methods of a client that finish plans: load, resume, abandon and undo them, and read their journal."""

from __future__ import annotations

import os
from types import MappingProxyType

import pandas as pd

from ..schema.arguments import check_methods
from ..schema.docstrings import document
from .plan import OUTCOMES_DOC, Plan, check_account
from .planner import Planner

PLAN_PARAMETERS = MappingProxyType(
    {
        "path": "The file that `Plan.save` wrote.",
        "progress": "Show a progress bar. With None, one is shown in a terminal or notebook if it takes over a second.",
    }
)


@check_methods
class PlanMethods:
    """What a client can do with plans that were made before, in any process on this machine; each is also a function of the package."""

    planner: Planner

    @document(PLAN_PARAMETERS, raises={"TinkerError": "If the journal cannot be read."})
    def journal(self) -> pd.DataFrame:
        """Return the journal of the account's writes, which is kept on this machine; sends no request.

        Returns
        -------
        DataFrame
            One row per checkpoint and plan, in the order of the plans; times in UTC:

            * `plan` (str): the plan's id
            * `started_at`, `sent_at`, `ended_at` (datetime64[us, UTC]): when the plan was started, the write last sent (by the server's
              clock), its outcome known
            * `action` (str): as of `df.tinker`, or `restore`, which an undo of `expire` and `set_ttl` does
            * `tinker_path` (str)
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
        >>> client.journal().groupby("plan")["outcome"].value_counts()
        """
        return self.planner.build_journal_frame()

    @document(PLAN_PARAMETERS, returns=OUTCOMES_DOC)
    def resume(
        self,
        plan: str | Plan | None = None,
        *,
        confirm: int | bool | None = None,
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
            If nothing is left to resume, only an older plan is, another process is running the plan, or it is of another account.
        ConfirmationNeededError
            Without the confirmation that it needs; nothing is sent then.

        Examples
        --------
        >>> client.resume(plan)["outcome"].value_counts()
        """
        return self.planner.resume(None if plan is None else self._get_id(plan), confirm=confirm, progress=progress)

    @document(PLAN_PARAMETERS, raises={"TinkerError": "If the journal cannot be read or written."})
    def abandon(self, plan: str | Plan) -> None:
        """Close an unfinished plan in the journal, so that it cannot be resumed; sends no request.

        What the plan has done stays, and can be undone.

        Parameters
        ----------
        plan
            The plan, its id, or the beginning of its id.

        Raises
        ------
        InvalidRequestError
            If there is no such plan, it has ended, another process is running it, or it is of another account.

        Examples
        --------
        >>> client.abandon(plan)
        """
        self.planner.abandon(self._get_id(plan))

    @document(PLAN_PARAMETERS, returns=OUTCOMES_DOC)
    def undo(
        self,
        plan: str | Plan | None = None,
        *,
        confirm: int | bool | None = None,
        progress: bool | None = None,
    ) -> pd.DataFrame:
        """Undo a plan, and return an outcome for each of its rows.

        Publishing, unpublishing and expiries can be undone; an expiry is never restored to a later time than it was. Deletes cannot
        be undone. Rows that were changed since, also by a later plan, are skipped. Sends one request per checkpoint, as `Plan.run`.

        Parameters
        ----------
        plan
            The plan, its id, or the beginning of its id; of a plan that was run several times, the last run that is not undone.
            None for the last plan that changed something and is not undone, if it was started in the last 24 hours; a second call
            undoes the plan before.
        confirm
            The number of rows, or True for any number; needed to undo an `unpublish`, which makes checkpoints public again. With
            False, or another number than that of the rows, nothing is sent.

        Raises
        ------
        ConfirmationNeededError
            Without the confirmation that it needs; nothing is sent then.
        InvalidRequestError
            If the plan deleted checkpoints or is undone already, nothing is left to undo, another process is running it, or it is of
            another account.

        Examples
        --------
        >>> client.undo(plan)
        """
        return self.planner.undo(None if plan is None else self._get_id(plan), confirm=confirm, progress=progress)

    @document(PLAN_PARAMETERS)
    def load_plan(self, path: str | os.PathLike[str]) -> Plan:
        """Return the plan that `Plan.save` wrote; sends no write.

        Reads the training runs concerned, GET /api/v1/training_runs/{run}/checkpoints. Rows that changed since the plan was saved are
        skipped when it runs; what was held or refused then stays so.

        Returns
        -------
        Plan
            The plan, with the id that it had.

        Raises
        ------
        InvalidRequestError
            If the file cannot be read, is not a saved plan, or is one of another account.

        Examples
        --------
        >>> client.load_plan("plan.json").run(confirm=True)
        """
        return self.planner.load(path)

    def _get_id(self, plan: str | Plan) -> str:
        """Return the id of a plan of this account."""
        if isinstance(plan, Plan):
            check_account(plan.source.account, plan.source.base_url, self.planner)
            return plan.id
        return plan
