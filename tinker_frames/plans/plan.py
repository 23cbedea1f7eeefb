"""Plans of writes: which checkpoints, what changes, what is held back and why. Nothing is sent until `run()`.

A plan never changes: `only`, `drop` and `allow` return another one.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pandas as pd

from ..errors import InvalidRequestError
from ..frames.locations import write_atomically
from ..frames.query import evaluate_condition
from ..frames.text import count_checkpoints
from ..rest.interrupts import keep_interrupts
from ..rest.progress import Progress
from ..schema.arguments import check_argument, expand_home
from ..schema.catalog import CHECKPOINTS
from ..schema.columns import pandas_array
from ..schema.docstrings import document
from ..schema.paths import starts_with_scheme
from .actions import ACTIONS, Action, Arguments
from .confirmation import require_confirmation
from .expiries import request_expiries
from .given import mark_given
from .guards import GUARDS
from .preview import build_jobs, build_outcome_frame, preview_rows, restore_jobs
from .runner import Runner
from .samplers import Loaded
from .saved import SavedPlan, dump_plan, read_saved_plan
from .selection import find_paths
from .summary import PYTHON, Hints, describe_effect, format_plan_html, format_plan_text, summarize_plan

if TYPE_CHECKING:
    from ..listings.reads import Reads

# What running, resuming and undoing a plan return.
OUTCOMES_DOC = """DataFrame
    One row per checkpoint of the plan:

    * `outcome` (category): `done` (as requested, and not so just before), `unchanged` (already in that state), `skipped` (not sent, or gone before it
      was written, or before an unclear answer could be settled), `failed`, or `unknown` (sent, and its effect could not be read)
    * `tinker_path` (str)
    * `error` (str): why it was not done; of a `done` delete that the server answered with 404 or 410, that another client may have done it
    * `action` (str): the name of the action
    * `status` (Int64): the last HTTP status; NA where nothing was sent or no answer came
    * `attempts` (Int64): number of requests
    * `seconds` (float64): time they took

    `attrs["tinker"]["plan"]` is the plan's id in the journal; `attrs["tinker"]["other_changes"]` what others changed meanwhile in
    the same training runs: tinker path to what it was."""


class Source(Protocol):
    """What a plan needs of its account: see `planner.Planner`."""

    @property
    def account(self) -> str:
        """The account's fingerprint."""

    @property
    def base_url(self) -> str:
        """The server's address."""

    def get_time(self) -> datetime:
        """Return the present time by the server's clock, as far as it is known."""

    def read_facts(self, paths: list[str], since: datetime | None = None) -> pd.DataFrame:
        """Return what is known of checkpoints, as `preview.collect_facts`, by a reading that is not from before `since`."""

    def make_runner(self) -> Runner:
        """Return a runner of this account's plans."""

    def read_loaded(self, *, ended: bool = False) -> Loaded:
        """Return what samplers have loaded, as far as that is known; with `ended`, also those of all ended sessions."""

    def read_reads(self, within_s: float) -> Reads:
        """Return when checkpoints were last read, of the last seconds, as far as the audit log tells."""

    def read_rate(self) -> float | None:
        """Return dollars per gigabyte and month, if that is known."""

    def describe_run(self, plan: str) -> str:
        """Return when a plan ran and was undone last, and how its rows ended, as sentences; empty if it has not run."""


@dataclass(frozen=True)
class Plan:
    """An action on a set of checkpoints; `run()` carries it out.

    Attributes
    ----------
    id : str
        The plan's name in the journal.
    action : Action
        What it does.
    frame : DataFrame
        One row per checkpoint, with a verdict on each.

    Examples
    --------
    >>> plan = client.checkpoints().query("age_days > 90").tinker.expire(after="24h")
    >>> plan.only("size_gb > 1").run(confirm=True)["outcome"].value_counts()
    """

    id: str
    action: Action
    rows: pd.DataFrame = field(repr=False)  # facts, and the requested expiry of each row
    source: Source = field(repr=False)
    allowed: frozenset[str] = frozenset()
    undoes: str | None = None
    kept: pd.DataFrame | None = field(default=None, repr=False)
    rule: str = ""
    notes: tuple[str, ...] = ()  # on the rule, as lines of the summary
    metrics: tuple[str, ...] = ()  # columns of the numbers that the rule compared
    rate: float | None = None  # dollars per gigabyte and month
    code: str = ""  # the call that made it, to be put after `frame.tinker.`

    @property
    def frame(self) -> pd.DataFrame:
        """One row per checkpoint: what will happen to it, and why.

        Columns, besides those of `client.checkpoints()` that describe the checkpoint:

        * `verdict` (str): `send`, `held` (by a guard; `allow` lifts it), `unchanged` (already in that state) or `refused` (cannot be
          written)
        * `tinker_path` (str): unique; one refused row without it stands for all rows that have none
        * `action` (str): the name of the action
        * `reason` (str): the reason for the verdict
        * `warnings` (str): what to check before running the plan
        * `shortens` (bool): whether the checkpoint will be gone earlier than without the plan
        * `public_after` (boolean) and `expires_after` (datetime64[us, UTC]): the state that the plan leads to; NA for a delete

        `size_bytes` is in bytes, `size_gb` in 10^9 bytes; times are in UTC. Rows are numbered from 1, so that `only` and `drop` know a mask
        of a frame that was sorted and numbered anew, from 0.

        Examples
        --------
        >>> plan.frame.query("verdict == 'held'")["reason"].value_counts()
        """
        frame = self._preview.copy()
        frame.index = pd.RangeIndex(1, len(frame) + 1)  # one that is sorted and numbered anew begins at 0
        return frame

    @cached_property
    def _preview(self) -> pd.DataFrame:
        """The frame, made once: what is shown is what is confirmed and run."""
        note = f"not kept by {self.rule}" if self.rule else ""
        frame = preview_rows(self.rows, self.action, self.allowed, self.source.get_time(), note)
        cost = float("nan") if self.rate is None else frame["size_gb"].astype("float64") * self.rate
        frame.insert(list(frame.columns).index("size_gb") + 1, "storage_usd_month", cost)
        frame.attrs["tinker"] = {"plan": self.id, "action": self.action.name, "metrics": list(self.metrics)}
        return frame

    @property
    def effect(self) -> str:
        """What will happen, as in "12 checkpoints will …"."""
        return describe_effect(self.action, self.rows)

    def summarize(self, frame: pd.DataFrame, hints: Hints = PYTHON) -> list[str]:
        """Return a summary of the plan, as lines; `frame` is the plan's own."""
        check_argument("frame", frame, pd.DataFrame)
        number = 0 if self.kept is None else len(self.kept)
        kept = [] if self.kept is None else [f"kept: {count_checkpoints(number)}, by {self.rule}"]
        return summarize_plan(self.action, frame, self.rows, self.rate, [*kept, *self.notes], hints, number)

    def only(self, rows: Any) -> Plan:
        """Return a plan of some of the rows and no others; sends nothing.

        Parameters
        ----------
        rows
            A pandas query, which also knows `age_days`, `expires_in_days` and `meta.<key>`, or a mask of `plan.frame`, a function of it, a frame
            with a `tinker_path` column, or tinker paths. A mask is aligned by its index, which has to be that of `plan.frame` or be named `tinker_path`; where it is NA, the row is left out.
            One made from another table or plan is refused. An array or a list has no labels: it has to have one value for each row
            of `plan.frame`, and is taken in their order, as pandas does.

        Raises
        ------
        InvalidRequestError
            For a path that names no row of the plan, a mask of other rows, and a query that is not a condition on the columns.

        Examples
        --------
        >>> plan.only("size_gb > 1")
        """
        return self._select(self._find_paths(rows, "plan.only", unknown=False))

    def drop(self, rows: Any) -> Plan:
        """Return a plan without some of the rows; sends nothing.

        Parameters
        ----------
        rows
            As for `only`. Where a mask or a query is NA, the row is dropped; a comparison with a missing number, as of `size_gb`,
            is not NA but false, so add `or size_gb.isna()` to drop those too.

        Raises
        ------
        InvalidRequestError
            For a path that names no row of the plan, a mask of other rows, and a query that is not a condition on the columns.

        Examples
        --------
        >>> plan.drop("name == 'final'")
        """
        gone = self._find_paths(rows, "plan.drop", unknown=True)
        return self._select(set(self.rows["tinker_path"]) - gone)

    def allow(self, *guards: str) -> Plan:
        """Return a plan that also sends the rows that these guards hold back; sends nothing.

        A guard also holds a row of which it cannot tell. `"newest"` lifts `"last_training"` too, for rows that both hold.

        Parameters
        ----------
        *guards
            `"public"` (public checkpoints), `"newest"` (the newest of a run), `"last_training"` (the last training checkpoint of
            a run), `"sampler"` (loaded by a sampler of a session of yours; those of colleagues are not read), `"expiry"` (of an
            expiry that could not be read), `"parent"` (a run was started from it, by the logs that `with_metrics` was given).

        Raises
        ------
        InvalidRequestError
            For a guard that does not exist.

        Examples
        --------
        >>> plan.allow("newest", "sampler").run(confirm=True)
        """
        unknown = [guard for guard in guards if not isinstance(guard, str) or guard not in GUARDS]
        if unknown:
            raise InvalidRequestError(
                f"there is no guard {', '.join(map(repr, unknown))}",
                hint=f"The guards are {', '.join(GUARDS)}.",
            )
        return replace(self, allowed=self.allowed | set(guards))

    @document({}, returns=OUTCOMES_DOC)
    @keep_interrupts()
    def run(
        self,
        confirm: int | bool | None = None,
        progress: bool | Progress | None = None,
        max_workers: int | None = None,
        deadline: float | None = None,
    ) -> pd.DataFrame:
        """Carry out the plan and return an outcome for each row: one request per checkpoint that is sent.

        The training runs and what samplers have loaded are read again first; rows that are gone, have changed since the plan was
        made or are held by a guard now are skipped. Rows are sent run by run, and a run is read again before a row of it is sent if its
        last reading is over 5 seconds old: a change by others within these seconds, or while the request is under way, is not
        noticed before the row is written. Of what samplers have loaded, a reading counts for 5 seconds too, or for three times as
        long as it took, if that is longer. An unclear answer is
        settled by reading the run. At the end the runs are listed again: a write that had no effect is `failed`, one that was answered
        with an error and had its effect is `done`, and `attrs["tinker"]["other_changes"]` and the log name what others changed in
        these runs meanwhile. An error of a single row is in its outcome and does not stop the others.

        Parameters
        ----------
        confirm
            The number of rows that are sent, or True for any number. Scripts need it for more than ten rows, for making any
            public, and for ending or shortening the life of a public one; in a terminal or notebook, the number is asked for.
            With False nothing is sent.
        progress
            A progress bar, as for listings; or a `Progress` that receives the progress and can cancel the run.
        max_workers
            Maximum number of writes in parallel; the actual number adapts to how the server copes.
        deadline
            Seconds after which no further request is sent; `tkf.resume()` continues.

        Raises
        ------
        ConfirmationNeededError
            Without the confirmation that it needs; nothing is sent then.
        InvalidRequestError
            If `max_workers` is below 1 or `deadline` below 0, or another process is running this plan; nothing is sent then.

        Examples
        --------
        >>> outcomes = plan.run(confirm=len(plan))
        >>> outcomes.query("outcome == 'failed'")["error"]
        """
        check_argument("confirm", confirm, int | bool | None)
        check_argument("progress", progress, bool | Progress | None)
        check_argument("max_workers", max_workers, int | None)
        check_argument("deadline", deadline, float | None)
        if max_workers is not None and max_workers < 1:
            raise InvalidRequestError(f"max_workers={max_workers} is below 1", hint="Leave it out, or pass 1 or more.")
        if deadline is not None and not deadline >= 0:  # nor a NaN
            raise InvalidRequestError(f"deadline={deadline} is not 0 or more", hint="Leave it out, or pass seconds.")
        frame = self._preview
        is_sent = (frame["verdict"] == "send").to_numpy()
        require_confirmation(self.action, frame[is_sent], confirm, self.effect, lambda: self.summarize(frame))
        runner, jobs = self.source.make_runner(), build_jobs(self.rows[is_sent])
        if not jobs:  # nothing to note: `undo` means the last that did something
            return build_outcome_frame(self.id, self.action, [], frame)
        journal, allowed = runner.journal, self.allowed
        with journal.lock(self.id):
            name = journal.record_plan(self.id, self.source.base_url, self.action.name, jobs, self.undoes, allowed)
            outcomes = runner.run(
                name, self.action, jobs, allowed=allowed, progress=progress, max_workers=max_workers, deadline=deadline
            )
        return build_outcome_frame(name, self.action, outcomes, frame)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the plan to a file, from which `tkf.load_plan` restores it; the file holds no key.

        Parameters
        ----------
        path
            The file; an existing one is replaced, whole or not at all.

        Returns
        -------
        Path
            The file that was written.

        Raises
        ------
        OSError
            If the file cannot be written.
        InvalidRequestError
            If the path names no file.

        Examples
        --------
        >>> plan.save("plan.json")
        """
        check_argument("path", path, str | os.PathLike)
        target = expand_home(path, "path")
        if not target.name:
            raise InvalidRequestError(f"{str(path)!r} names no file", hint="Pass e.g. plan.json.")
        text = dump_plan(self)
        write_atomically(target, lambda file: file.write(text))
        return target

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        return format_plan_text(self.summarize(self._preview), self._preview, self._make_hints())

    def _repr_html_(self) -> str:
        return format_plan_html(self.summarize(self._preview), self._preview, self._make_hints())

    def _make_hints(self) -> Hints:
        """Return the hints of its text; those of a plan that has run say when, and how its rows ended."""
        run = self.source.describe_run(self.id)
        return PYTHON._replace(title="Plan that has run", last_line=run) if run else PYTHON

    def _find_paths(self, rows: Any, called: str, *, unknown: bool) -> set[str]:
        """Return the tinker paths of some rows, which a query can name too."""
        frame = self.frame
        if isinstance(rows, str) and not starts_with_scheme(rows):
            queried = _add_ages(frame).assign(user_metadata=self.rows["user_metadata"])
            rows = evaluate_condition(queried, rows, "the query", unknown=unknown)
        return find_paths(frame, rows, called, unknown=unknown)

    def _select(self, paths: set[str]) -> Plan:
        rows = self.rows[self.rows["tinker_path"].isin(paths)].reset_index(drop=True)
        return replace(self, rows=rows, id=make_plan_id() if len(rows) < len(self.rows) else self.id)


def make_plan(action: Action, paths: Iterable[str], source: Source, arguments: Arguments, since: datetime) -> Plan:
    """Return a plan for these tinker paths, whose present state is not from before `since`."""
    rows = source.read_facts(list(paths), since)
    rows = request_expiries(rows, action, arguments, source.get_time())
    rate = _find_rate(action, source)
    return Plan(make_plan_id(), action, rows, source, rate=rate, code=arguments.code)


def _find_rate(action: Action, source: Source) -> float | None:
    """Return dollars per gigabyte and month, for actions that save storage."""
    return source.read_rate() if action.removes or action.only_sooner else None


def _add_ages(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a plan's frame with the columns of a listing that change with the clock, for a query."""
    now = datetime.now(UTC)
    return frame.assign(**{column.name: column.live(frame, now) for column in CHECKPOINTS.columns if column.live})


def load_plan(path: str | os.PathLike[str], source: Source) -> Plan:
    """Return the plan that a file holds; rows that changed since it was saved will be skipped.

    Raises
    ------
    InvalidRequestError
        If the file is not a saved plan, was edited to something that a plan could not be, or is of another account.
    """
    return restore_plan(read_saved_plan(expand_home(path, "path")), source)


def restore_plan(saved: SavedPlan, source: Source) -> Plan:
    """Return the plan that was saved; raises for one of another account."""
    check_account(saved.account, saved.base_url, source)
    action, jobs = ACTIONS[saved.action], [row.to_job() for row in saved.rows]
    rows = restore_jobs(source.read_facts([job.tinker_path for job in jobs]), jobs)
    pairs = zip(rows["refusal"], rows["tinker_path"], strict=True)
    rows["refusal"] = pandas_array("text", [now or saved.refused.get(path, "") for now, path in pairs])
    held = [path for given in (saved.given, saved.unknown) for paths in given.values() for path in paths]
    found = {name: held for name, guard in GUARDS.items() if guard.is_found}
    for given, flag in ((found, False), (saved.given, True), (saved.unknown, None)):
        rows = mark_given(rows, {GUARDS[name].column: paths for name, paths in given.items()}, flag)
    return Plan(
        saved.id,
        action,
        rows,
        source,
        frozenset(saved.allowed),
        saved.undoes,
        rule=saved.rule,
        rate=_find_rate(action, source),
        code=saved.code,
    )


def check_account(account: str, base_url: str, source: Source) -> None:
    """Raise for a plan of another account."""
    if account != source.account:
        raise InvalidRequestError(
            f"this belongs to the account {account} of {base_url}, and the client is of {source.account} of {source.base_url}",
            hint="Pass a client of that account as client=.",
        )


def make_plan_id() -> str:
    """Return a name for a plan: sortable by time, different from every other."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"
