"""Plans of one account: make them from rows, load, resume and undo them, and send the single writes of `client.rest`."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from .. import errors
from ..listings.account import Account, TableFrame
from ..listings.reads import Reads, read_reads
from ..listings.tables import Options
from ..rest.adapter import limit_time
from ..rest.endpoints import Rest
from ..rest.progress import Progress
from ..rest.transport import Transport
from ..schema.catalog import CHECKPOINTS, SAMPLERS, SESSION_DETAILS
from ..schema.columns import empty_frame
from ..schema.paths import SCHEME, SCHEMES, bare_name, run_url, runs_of
from .actions import ACTIONS, Arguments, get_action
from .expiries import list_paths, read_ttls
from .given import add_given, find_reading, refuse_replaced, refuse_unnamed
from .history import build_journal_frame, describe_runs, find_runs
from .jobs import Job, RequestedExpiry, State
from .journal import Journal
from .plan import Plan, load_plan, make_plan
from .preview import collect_facts, find_namesakes
from .resume import abandon_plan, plan_resume, resume_plan
from .retirement import make_retirement
from .review import Review, build_read
from .runner import Runner
from .samplers import UNKNOWN, Loaded, find_loaded
from .undo import plan_undo, undo_plan
from .writer import Read, Writer, write_one

_FACTS = {*SESSION_DETAILS.facts, *SAMPLERS.facts}


class Planner:
    """Makes, runs and finishes the plans of one account.

    Parameters
    ----------
    transport
        Sends the writes.
    tables
        Reads what the account holds.
    journal_folder
        Folder of the journal; None for the user's state folder.
    """

    def __init__(self, transport: Transport, tables: Account, journal_folder: Path | None = None) -> None:
        self._transport, self._tables, self._journal_folder = transport, tables, journal_folder
        self.rest = Rest(transport, self.write)
        self._distinguished: list[bool] = []  # whether the server distinguishes namesakes, once it was requested

    @property
    def account(self) -> str:
        """The account's fingerprint."""
        return self._transport.account

    @property
    def base_url(self) -> str:
        """The server's address."""
        return self._transport.settings.base_url

    def get_time(self) -> datetime:
        """Return the present time by the server's clock, as far as it is known."""
        return self._transport.get_time()

    # ── plans ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def plan(self, action: str, rows: pd.DataFrame | Iterable[str], given: Mapping[str, Any] | None = None) -> Plan:
        """Return a plan of an offered action for rows with a `tinker_path`, or for paths; sends no write.

        Raises
        ------
        InvalidRequestError
            For an unknown action, and for arguments that it does not take or that cannot be.
        """
        declared = get_action(action)
        given = given or {}
        if not isinstance(rows, pd.DataFrame):
            rows = list(rows)
        by_row = next((given.get(each.name) for each in declared.parameters if each.by_row), None)
        ttls = read_ttls(rows, by_row)
        # without code where each row has a TTL: the column or Series may be gone where the code runs
        arguments = declared.parse(given) if ttls is None else Arguments(ttls=ttls)
        since = (find_reading(rows) if isinstance(rows, pd.DataFrame) else None) or datetime.now(UTC)
        if arguments.keep is not None:
            if not isinstance(rows, pd.DataFrame):
                raise TypeError(f"{action} needs a frame: a keep rule is evaluated on its columns")
            plan = make_retirement(rows, arguments, self, since)
        else:
            paths = list_paths(rows["tinker_path"]) if isinstance(rows, pd.DataFrame) else map(str, rows)
            plan = make_plan(declared, paths, self, arguments, since)
        if isinstance(rows, pd.DataFrame):
            facts = add_given(refuse_replaced(plan.rows, rows), rows)
            plan = replace(plan, rows=refuse_unnamed(facts, rows))
        return plan

    def load(self, path: str | os.PathLike[str]) -> Plan:
        """Return the plan that `Plan.save` wrote."""
        return load_plan(path, self)

    def resume(
        self,
        plan: str | None = None,
        *,
        confirm: int | bool | None = None,
        progress: bool | Progress | None = None,
    ) -> pd.DataFrame:
        """Finish an interrupted plan, and return an outcome for each of its rows."""
        return resume_plan(self, plan, confirm=confirm, progress=progress)

    def abandon(self, plan: str) -> int:
        """Close an unfinished plan, and return how many of its rows are not done."""
        return abandon_plan(self, plan)

    def undo(
        self,
        plan: str | None = None,
        *,
        confirm: int | bool | None = None,
        progress: bool | Progress | None = None,
    ) -> pd.DataFrame:
        """Undo a plan where that can be done, and return an outcome for each row."""
        return undo_plan(self, plan, confirm=confirm, progress=progress)

    def preview_undo(self, plan: str | None = None) -> Plan:
        """Return the plan that `undo` would run; sends nothing."""
        return plan_undo(self, plan)

    def preview_resume(self, plan: str | None = None) -> Plan:
        """Return the plan of the rows that `resume` would send; sends nothing."""
        return plan_resume(self, plan)

    def build_journal_frame(self, plan: str | None = None) -> pd.DataFrame:
        """Return one row per checkpoint and plan: of all plans, or of the runs of one, named as for `find_runs`."""
        records = self.journal().read_plans()
        return build_journal_frame(records if plan is None else find_runs(records, plan))

    # ── what plans need ──────────────────────────────────────────────────────────────────────────────────────────────

    def read_facts(self, paths: list[str], since: datetime | None = None) -> pd.DataFrame:
        """Return what is known of these checkpoints, their runs' lists not from before `since`: these, and what samplers have loaded."""
        return collect_facts(paths, self.read_listed(paths, since), self.read_loaded())

    def read_listed(self, paths: Iterable[str], since: datetime | None = None) -> pd.DataFrame:
        """Return every checkpoint of the runs that these paths name; a run that cannot be read has none."""
        try:  # what is missing is refused, row by row
            return self._complete_ids(self._tables.read_listed(runs_of(paths), since))
        except (errors.NotFoundError, errors.ServerError):
            return empty_frame(CHECKPOINTS, datetime.now(UTC))

    def read_loaded(self, *, live: bool = False, ended: bool = False) -> Loaded:
        """Return what samplers have loaded; what cannot be read of them leaves open what else they have.

        With `live`, it is read past the cache, and with `ended`, also of all sessions that have ended.
        """
        try:
            found = self._tables.read_model_paths(live=live, ended=ended)
        except (errors.AuthenticationError, errors.ConnectionFailedError):
            raise
        except errors.TinkerError:
            return UNKNOWN
        unread = any(problem["column"] in _FACTS for problem in found.report.problems)
        is_complete = found.report.complete and not unread
        loaded = find_loaded(found.active, self._tables.known_runs, is_complete=is_complete, ended=found.ended)
        return replace(loaded, sessions=frozenset(found.sessions))

    def read_reads(self, within_s: float) -> Reads:
        """Return when checkpoints were last read, of the last seconds, as far as the audit log tells."""
        return read_reads(self._transport, within_s)

    def read_rate(self) -> float | None:
        """Return dollars per gigabyte and month, if the server gives it to this account; requested once."""
        return self._tables.read_rate()

    def describe_run(self, plan: str) -> str:
        """Return when a plan ran and was undone last, and how its rows ended, as sentences; empty if it has not run."""
        try:
            journal = self.journal()
            runs = journal.read_runs(plan)
            return describe_runs(runs, journal.read_undos(runs))
        except errors.TinkerError:  # the journal cannot be read, which must not keep a plan from being shown
            return ""

    def make_runner(self) -> Runner:
        """Return a runner of this account's plans."""
        review = partial(Review, self._read_frame, partial(self.read_loaded, live=True), self.get_time)
        return Runner(self._transport, self.read_runs, self.journal(), review)

    def journal(self) -> Journal:
        """Return the account's journal."""
        return Journal(self.account, self._journal_folder)

    def read_runs(self, run_ids: list[str]) -> Read:
        """Return the present state of every checkpoint of some runs, past the cache."""
        return build_read(*self._read_frame(run_ids))

    def _read_frame(self, run_ids: list[str]) -> tuple[pd.DataFrame, set[str]]:
        """Return the checkpoints of some runs, past the cache, and the runs that could not be read."""
        if run_ids:
            try:
                frame, failed = self._tables.read_runs(run_ids)
                return self._complete_ids(frame), failed
            except errors.SchemaError:  # of one of them, which must not hide the others
                if len(run_ids) > 1:
                    frames, unread = zip(*(self._read_frame([run_id]) for run_id in run_ids), strict=True)
                    return pd.concat(frames, ignore_index=True), set().union(*unread)
        return empty_frame(CHECKPOINTS, datetime.now(UTC)), set(run_ids)

    def _complete_ids(self, listed: pd.DataFrame) -> pd.DataFrame:
        """Return checkpoints with the type in the ids of namesakes, on a server that lists them without and distinguishes them."""
        namesakes = find_namesakes(listed)
        if not namesakes or not self._distinguishes_types(namesakes):
            return listed
        full = listed["tinker_path"].str.split("/").str[-2:].str.join("/")
        return listed.assign(checkpoint_id=listed["checkpoint_id"].where(~listed["tinker_path"].isin(namesakes), full))

    def _distinguishes_types(self, namesakes: dict[str, list[str]]) -> bool:
        """Tell whether the server reads the type in a path, by asking for the weights of two namesakes; requested once.

        A server that does has weights to describe of training checkpoints only, and refuses the sampler's path; the others describe both.
        """
        pair = next((p for p in map(sorted, namesakes.values()) if len(p) == 2 and _is_pair(p)), None)
        if not self._distinguished and pair is not None:
            statuses = [self._fetch_weights_status(path) for path in pair]
            if None in statuses:
                return False  # not known now
            self._distinguished.append(statuses == [400, 200])
        return self._distinguished == [True]

    def _fetch_weights_status(self, path: str) -> int | None:
        """Return 200 or 400 as the server answers for a path; None for anything else, which proves nothing."""
        try:
            self.rest.get_weights_info_by_tinker_path(path, refresh=True)
        except errors.TinkerError as error:
            return 400 if error.status == 400 else None
        return 200

    # ── single writes ────────────────────────────────────────────────────────────────────────────────────────────────

    def write(self, action: str, training_run_id: str, checkpoint_id: str, ttl_seconds: int | None = None) -> None:
        """Send one write of `client.rest` until its outcome is known, as a plan does it.

        Raises
        ------
        TinkerError
            The error that the server gave, if the write was not carried out or that cannot be known.
        """
        settings, ids = self._transport.settings, (training_run_id, checkpoint_id)
        path, nothing = f"{SCHEME}{training_run_id}/{checkpoint_id}", State(None, None)
        job = Job(path, nothing, RequestedExpiry(ttl_seconds), checkpoint=ids, is_listed=False)
        job.url(ACTIONS[action].suffix)  # raises here if the id cannot be a part of a URL
        writer = Writer(self._transport, self.read_runs, ACTIONS[action], settings.retries + 1)
        with limit_time(settings.deadline):  # one for resolving, sending, settling and verifying
            read = self._read_before(training_run_id)
            writer.remember(read)
            self._resolve(job, ids, read)
            write_one(writer, job, settings)

    def _read_before(self, training_run_id: str) -> Read:
        """Return the checkpoints of a run before a write; raises if they cannot be read or proved complete."""
        try:
            found = self._tables.checkpoints([training_run_id], "auto", Options(refresh=True))
        except errors.ServerError as error:  # which is how some servers answer for a run that they do not have
            if self._is_known(training_run_id):
                raise
            status = error.status
        else:
            return self._build_complete_read(training_run_id, found)
        raise errors.NotFoundError(
            f"this account has no training run {training_run_id!r}",
            status=status,
            url=self.base_url + run_url(training_run_id),
        )

    def _is_known(self, training_run_id: str) -> bool:
        """Tell whether the list of training runs has this one, or is not proved complete."""
        runs = self._tables.training_runs(Options(refresh=True))
        return runs.report.doubted or training_run_id in set(runs.frame["training_run_id"])

    def _build_complete_read(self, training_run_id: str, found: TableFrame) -> Read:
        """Return the state of the checkpoints of a listing that is proved complete; raises for another."""
        if found.report.doubted:
            raise errors.IncompleteListingError(
                f"the checkpoints of {training_run_id} cannot be proved complete, and nothing was sent",
                url=self.base_url + run_url(training_run_id),
            )
        return build_read(self._complete_ids(found.frame), set())

    def _resolve(self, job: Job, ids: tuple[str, str], read: Read) -> None:
        """Find a row named by its ids, and refuse a write that could change another checkpoint.

        Some servers drop the type from an id, and take the first checkpoint of that name.
        """
        run_id, checkpoint_id = ids
        paths = (f"{scheme}{run_id}/{checkpoint_id}" for scheme in SCHEMES)
        job.tinker_path = read.ids.get(ids) or next((path for path in paths if path in read.states), job.tinker_path)
        if job.tinker_path in read.states:
            job.before, job.is_listed = read.states[job.tinker_path], True
        url = self.base_url + run_url(run_id)
        if not job.is_listed and read.ids and not any("/" in str(listed) for _, listed in read.ids):
            raise errors.NotFoundError(f"{run_id} has no checkpoint {checkpoint_id!r}", url=url)
        if job.tinker_path in read.namesakes:
            raise errors.ConflictError(
                f"this server identifies checkpoints by name only, and {run_id} has several named"
                f" {bare_name(checkpoint_id)!r}: it cannot distinguish them",
                url=url,
                hint="Do it on the server itself, or save one of them under another name first.",
                retryable=False,
            )


def _is_pair(paths: list[str]) -> bool:
    """Tell whether two sorted paths are those of a sampler's weights and of a training state."""
    return [path.split("/")[-2] for path in paths] == ["sampler_weights", "weights"]
