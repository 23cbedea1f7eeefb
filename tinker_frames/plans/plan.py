"""A plan of writes: which checkpoints, what changes, what is set aside and why. Nothing is sent until `run()`.

A plan never changes: `only`, `drop` and `allow` return another one.
"""

from __future__ import annotations

import json
import os
import secrets
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, Protocol

import pandas as pd

from ..errors import ConfirmationNeededError, InvalidRequestError
from ..frames.files import write_atomically
from ..frames.query import evaluate_condition
from ..policies import Rule
from ..rest.progress import Progress, in_notebook
from ..schema.columns import typed
from .actions import ACTIONS, Action, Wish
from .preview import GUARDS, job_as_json, job_from_json, jobs_of, judged, outcome_frame, with_jobs, with_wishes
from .runner import Runner
from .summary import as_html, as_text

Guard = Literal["public", "newest", "sampler"]
UNASKED = 10  # so many private rows may be removed without a confirmation
FORMAT = 1


class Holder(Protocol):
    """What a plan needs of a client."""

    @property
    def account(self) -> str:
        """The account's fingerprint."""

    @property
    def base_url(self) -> str:
        """The server's address."""

    def facts(self, paths: list[str]) -> pd.DataFrame:
        """Return what is known of checkpoints now, as `facts.facts_of`."""

    def runner(self) -> Runner:
        """Return what carries plans out."""

    def loaded(self) -> set[str] | None:
        """Return the tinker paths that samplers have loaded; None where that cannot be known."""

    def rate(self) -> float | None:
        """Return dollars per gigabyte and month, if that is known."""


@dataclass(frozen=True)
class Plan:
    """What would be done to which checkpoints; `run()` does it.

    Attributes
    ----------
    id
        Names the plan in the journal.
    action
        What it does.
    frame
        One row per checkpoint: see `Plan.frame`.
    """

    id: str
    action: Action
    rows: pd.DataFrame = field(repr=False)  # facts, and the wish of each row
    holder: Holder = field(repr=False)
    allowed: frozenset[str] = frozenset()
    undoes: str | None = None
    kept: pd.DataFrame | None = field(default=None, repr=False)
    rule: str = ""
    rate: float | None = None  # dollars per gigabyte and month

    @property
    def frame(self) -> pd.DataFrame:
        """One row per checkpoint, with what will change and the verdict on it.

        `verdict` is `send`, `held` (a guard has set it aside; `allow` lifts it), `unchanged` (already so) or `refused` (it must not
        be touched), and `reason` says why. `public_after` and `expires_after` (UTC) are what it leads to; for a delete they are NA.
        Sizes in bytes and 10^9 bytes, times in UTC. `warnings` names what to think of before.
        """
        note = f"not kept by {self.rule}" if self.rule else ""
        return judged(self.rows, self.action, self.allowed, datetime.now(UTC), note)

    def only(self, mask: Any) -> Plan:
        """Return the plan of the rows that a mask, a function of `frame`, or a pandas query keeps.

        Raises
        ------
        InvalidRequestError
            For a query that is not a condition on the columns, or could do more than compare them.
        """
        frame = self.frame
        if isinstance(mask, str):
            mask = evaluate_condition(frame, mask, "the query")
        elif callable(mask):
            mask = mask(frame)
        return self._of(set(frame[mask]["tinker_path"]))

    def drop(self, paths: str | Iterable[str]) -> Plan:
        """Return the plan without these tinker paths."""
        gone = {paths} if isinstance(paths, str) else set(paths)
        return self._of(set(self.rows["tinker_path"]) - gone)

    def allow(self, *guards: Guard | str) -> Plan:
        """Return the plan with guards lifted: `public`, `newest`, `sampler`."""
        unknown = set(guards) - set(GUARDS)
        if unknown:
            raise InvalidRequestError(
                f"there is no guard {sorted(unknown)}", hint=f"The guards are {', '.join(GUARDS)}."
            )
        return replace(self, allowed=self.allowed | set(guards))

    def run(
        self,
        confirm: int | bool | None = None,
        progress: bool | Progress | None = None,
        max_workers: int | None = None,
        deadline: float | None = None,
    ) -> pd.DataFrame:
        """Do it, and return one row per checkpoint: `tinker_path, action, outcome, status, error, attempts, seconds`.

        The runs concerned are read again first, and rows that are gone or no longer as planned are skipped. An unclear answer
        is settled by reading. At the end the runs are listed again, and what did not take is `failed`.

        Parameters
        ----------
        confirm
            The number of rows that are sent, or True: needed by scripts for ending the life of more than ten checkpoints, or of
            any public one. Where a person watches, the number is asked for.
        progress
            A progress bar, as for listings; or what is told of the progress instead, which can also stop it.
        max_workers
            The most writes at once; how many there really are follows from how the server bears them.
        deadline
            Seconds after which nothing further is begun; `tkf.resume()` goes on.

        Returns
        -------
        DataFrame
            `outcome` is `done`, `unchanged`, `skipped`, `failed` or `unknown`; `attrs["tinker"]["plan"]` is the plan's id.

        Raises
        ------
        InvalidRequestError
            Without the confirmation that it needs; nothing was sent then.
        """
        if max_workers is not None and max_workers < 1:
            raise InvalidRequestError(f"max_workers={max_workers} is below 1", hint="Leave it out, or pass 1 or more.")
        frame = self.frame
        self._confirmed(frame, confirm)
        runner, jobs = self.holder.runner(), jobs_of(self.rows[(frame["verdict"] == "send").to_numpy()])
        if not jobs:
            return outcome_frame(
                self.id, self.action, [], frame
            )  # nothing to note: `undo` means the last that did something
        described = [job_as_json(job) for job in jobs]
        again = any(record.plan == self.id for record in runner.journal.records())
        name = new_id() if again else self.id  # what the first run did stays in the journal, and can be undone
        runner.journal.begin(name, self.holder.base_url, self.action.name, described, self.undoes)
        outcomes = runner.run(name, self.action, jobs, progress=progress, max_workers=max_workers, deadline=deadline)
        return outcome_frame(name, self.action, outcomes, frame)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the plan to a file, to be run later from `load_plan`; it holds no key."""
        target = Path(path).expanduser()
        content = {
            "tinker_frames_plan": FORMAT,
            "id": self.id,
            "account": self.holder.account,
            "base_url": self.holder.base_url,
            "action": self.action.name,
            "allowed": sorted(self.allowed),
            "undoes": self.undoes,
            "rule": self.rule,
            "rows": [job_as_json(job) for job in jobs_of(self.rows)],
        }
        text = json.dumps(content, ensure_ascii=False, indent=1)
        write_atomically(target, lambda file: file.write(text.encode()))
        return target

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        return as_text(self.action, self.frame, self.rows, self.rate)

    def _repr_html_(self) -> str:
        return as_html(self.action, self.frame, self.rows, self.rate)

    def _of(self, paths: set[str]) -> Plan:
        rows = self.rows[self.rows["tinker_path"].isin(paths)].reset_index(drop=True)
        return replace(self, rows=rows, id=new_id() if len(rows) < len(self.rows) else self.id)

    def _confirmed(self, frame: pd.DataFrame, confirm: int | bool | None) -> None:
        """See to it that somebody meant this many rows."""
        sends = frame[frame["verdict"] == "send"]
        shortening = sends[sends["shortens"]]
        public = bool(shortening["public"].fillna(False).any())
        needed = len(shortening) > UNASKED or public
        number = len(sends)
        is_number = confirm is not None and not isinstance(confirm, bool)
        if confirm is True or (is_number and confirm == number) or not (needed or is_number):
            return
        what = f"this would {self.action.verb} {number} checkpoints" + (", public ones among them" if public else "")
        typed_in = _asked(f"{what}. Type {number} to do it: ") if confirm is None else None
        if typed_in == str(number):
            return
        given = "" if confirm is None else f" and not confirm={confirm!r}"
        why = f"that needs confirm={number}{given}" if typed_in is None else "another number was typed"
        error = ConfirmationNeededError(
            f"{what}; {why}, and nothing was sent", hint=f"Look at plan.frame, then plan.run(confirm={number})."
        )
        error.rows = number
        raise error


def make(
    action: str, paths: Iterable[str], holder: Holder, *, ttl_seconds: int | None = None, undoes: str | None = None
) -> Plan:
    """Return a plan for these tinker paths."""
    rows = holder.facts(list(paths))
    wishes = [Wish(ttl_seconds)] * len(rows)
    rate = holder.rate() if action in ("delete", "expire") else None
    return Plan(new_id(), ACTIONS[action], with_wishes(rows, wishes), holder, undoes=undoes, rate=rate)


def retirement(frame: pd.DataFrame, keep: Rule, holder: Holder, ttl_seconds: int | None) -> Plan:
    """Return the plan that removes what a rule does not keep; `kept` is the rest, with the reason for each row."""
    frame = frame[frame["tinker_path"].notna()]
    if "loaded_by_sampler" not in frame.columns:
        loaded = holder.loaded()
        flags = [None if loaded is None else path in loaded for path in frame["tinker_path"]]
        frame = frame.assign(loaded_by_sampler=typed("bool", flags))
    reasons = keep.reasons(frame)
    paths = frame["tinker_path"]
    stay = set(paths[reasons != ""])  # a checkpoint that stands in several rows stays if one of them does
    if paths.duplicated().any():
        distinct = frame.drop_duplicates("tinker_path")  # and no row of another is counted in its place
        stay |= set(distinct.loc[keep(distinct), "tinker_path"])
    mask = paths.isin(stay)
    kept = frame[mask].assign(reason=reasons[mask].where(reasons[mask] != "", str(keep)))
    action = "delete" if ttl_seconds is None else "expire"
    plan = make(action, paths[~mask], holder, ttl_seconds=ttl_seconds)
    return replace(plan, kept=kept, rule=str(keep))


def load_plan(path: str | os.PathLike[str], holder: Holder) -> Plan:
    """Return the plan that a file holds; rows that changed since it was saved will be skipped.

    Raises
    ------
    InvalidRequestError
        If the file holds no plan, or one of another account.
    """
    source = Path(path).expanduser()
    try:
        content: Any = json.loads(source.read_text(encoding="utf-8"))
        fits = content["tinker_frames_plan"] == FORMAT
        name, action, allowed = content["id"], ACTIONS[content["action"]], frozenset(content["allowed"])
        account, base_url, rule = content["account"], content["base_url"], content.get("rule", "")
        jobs = [job_from_json(entry) for entry in content["rows"]]
    except (ValueError, TypeError, KeyError):
        fits = False
    if not fits:
        raise InvalidRequestError(f"{source} holds no plan of this version", hint="Use a file that Plan.save wrote.")
    check_account(account, base_url, holder)
    rows = with_jobs(holder.facts([job.tinker_path for job in jobs]), jobs)
    return Plan(name, action, rows, holder, allowed, content.get("undoes"), rule=rule)


def check_account(account: str | None, base_url: str, holder: Holder) -> None:
    """Refuse what belongs to another account."""
    if account is not None and account != holder.account:
        raise InvalidRequestError(
            f"this belongs to the account {account} of {base_url}, and the client is of {holder.account} of {holder.base_url}",
            hint="Pass client= a client of that account.",
        )


def new_id() -> str:
    """Return a name for a plan: sortable by time, different from every other."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"


def _asked(question: str) -> str | None:
    """Return what a person types; None where nobody can be asked."""
    if not (in_notebook() or (sys.stdin is not None and sys.stdin.isatty())):
        return None
    try:
        return input(question).strip()
    except (EOFError, NotImplementedError):  # a closed terminal; a notebook that nobody watches
        return None
