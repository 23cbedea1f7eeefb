"""The preview of a plan: what is known of its checkpoints, which guard holds a row, what will change; and its outcomes. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ..errors import InvalidTinkerPathError
from ..frames.values import find_zero_times
from ..schema.columns import pandas_array, to_python
from ..schema.paths import PLAIN_PATTERN, parse_known, quote_text
from .actions import Action
from .guards import FLAGS, GUARDS, find_hold
from .jobs import Job, Outcome, Outcomes, RequestedExpiry, State
from .samplers import Loaded
from .writer import COLLISION

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd  # imported where frames are made: the command line's help reads the guards without it


# The verdicts on rows, in words for summaries, the command line and views.
VERDICTS = {"send": "will be sent", "held": "held", "refused": "refused", "unchanged": "unchanged"}
NOT_LISTED = "not among this account's checkpoints (deleted, expired, or of another account)"
OUTCOMES = ["done", "unchanged", "skipped", "failed", "unknown"]
# The columns of a listing that a plan carries along.
LISTED = (
    "training_run_id",
    "session_id",
    "name",
    "step",
    "checkpoint_type",
    "time",
    "size_bytes",
    "size_gb",
    "public",
    "expires_at",
    "expiry_unknown",
    "user_metadata",
)


FACTS = frozenset(
    {"tinker_path", *LISTED, *FLAGS, "verdict", "action", "reason", "warnings"}
)  # of a plan, whatever it is made of


def collect_facts(paths: Iterable[str], listed: pd.DataFrame, loaded: Loaded) -> pd.DataFrame:
    """Return one row per distinct path, in their order, with what the account's listing says of it.

    Parameters
    ----------
    paths
        Tinker paths, as given by the user.
    listed
        Every checkpoint of the runs concerned.
    loaded
        What samplers have loaded.

    Returns
    -------
    DataFrame
        The columns of `LISTED`, NA where not found; `refusal` (why it must not be touched; empty if it may); `namesakes`
        (of how many paths the server cannot tell it apart, itself included; 0 if it can);
        the column of every guard: true, false, or NA where not known; and `loaded_by_ended_sampler` (boolean).
    """
    import pandas as pd

    listed = hide_zero_times(listed)
    rows = pd.DataFrame({"tinker_path": pandas_array("text", dict.fromkeys(map(str, paths)))})
    flags = {guard.column: guard.find(listed, loaded) for guard in GUARDS.values() if guard.find is not None}
    flags["loaded_by_ended_sampler"] = loaded.flag_ended(listed["tinker_path"])
    flags |= {guard.column: False for guard in GUARDS.values() if guard.is_given}
    known = listed[["tinker_path", *LISTED]].assign(**flags, _found=True)
    rows = rows.merge(known, on="tinker_path", how="left", validate="1:1")
    found = rows.pop("_found").notna()
    rows["refusal"] = _find_refusals(rows["tinker_path"], found)
    namesakes = {path: len(paths) for path, paths in find_namesakes(listed).items()}
    rows["namesakes"] = rows["tinker_path"].map(namesakes).fillna(0).astype("int64") if namesakes else 0
    for column in flags:
        rows[column] = rows[column].astype("boolean").where(found, other=False)
    return rows


def hide_zero_times(listed: pd.DataFrame) -> pd.DataFrame:
    """Return a listing in which an expiry at the zero of a clock is not known: a row that is there does not expire before 2000."""
    is_zero = find_zero_times(listed["expires_at"])
    if not is_zero.any():
        return listed
    return listed.assign(
        expires_at=listed["expires_at"].mask(is_zero), expiry_unknown=listed["expiry_unknown"].mask(is_zero, other=True)
    )


def preview_rows(
    rows: pd.DataFrame,
    action: Action,
    allowed: frozenset[str],
    now: datetime,
    note: str = "",
) -> pd.DataFrame:
    """Return the rows with a verdict on each and what it leads to.

    `note` is the reason of those that are sent; `now` is by the server's clock, by which rows expire.
    """
    import pandas as pd

    def compare(*values: Any) -> tuple[bool, bool]:
        known = dict(zip(action.judged_by, values, strict=True))
        expiry = RequestedExpiry(known.pop("ttl_seconds", None), known.pop("until", None))
        state = State(**{"public": None, "expires_at": None} | known)
        return action.is_already(state, expiry, now), action.shortens(state, expiry, now)

    def decide(refusal: str, already: bool, shortens: bool, *flags: bool | None) -> tuple[str, str]:
        if refusal:
            return "refused", refusal
        if already:
            return "unchanged", action.unchanged
        reason = find_hold(flags, allowed) if shortens else ""
        return ("held", reason) if reason else ("send", note)

    already, shortens = _split_pairs(map_distinct([rows[name] for name in action.judged_by], compare), "bool")
    flags = [rows[column] for column in FLAGS]
    verdict, reason = _split_pairs(map_distinct([rows["refusal"], already, shortens, *flags], decide), "object")
    is_half = _find_halves(rows, verdict, action)
    verdict[is_half], reason[is_half] = "refused", COLLISION
    misread = rows["name"].where(rows["name"].isin(_MISREAD_NAMES))
    warnings = map_distinct([shortens, misread, rows["loaded_by_ended_sampler"], *flags], _find_warnings)
    front = {
        "verdict": pandas_array("text", verdict),
        "tinker_path": rows["tinker_path"],
        "action": pandas_array("text", [action.name] * len(rows)),
        "reason": pandas_array("text", reason),
        "warnings": pandas_array("text", warnings),
    }
    shown = {name: rows[name] for name in rows.columns if name not in _NOT_SHOWN}
    after = {
        "shortens": shortens,
        "public_after": _find_public_after(rows["public"], action),
        "expires_after": _find_expires_after(rows, action, now),
    }
    return pd.DataFrame(front | shown | after)


def map_distinct(columns: Sequence[Any], function: Callable[..., Any]) -> np.ndarray[Any, Any]:
    """Return for each row what a function of the values of columns returns, called once for each distinct combination."""
    import numpy as np
    import pandas as pd

    rows = [pd.Series(column).reset_index(drop=True) for column in columns]
    places = np.zeros(len(rows[0]), dtype=np.int64)
    for column in rows:
        part, distinct = pd.factorize(column)
        if len(distinct):  # else all of it is NA
            places = pd.factorize(places * (len(distinct) + 1) + part)[0]
    first = np.zeros(places.max(initial=-1) + 1, dtype=np.int64)
    first[places[::-1]] = np.arange(len(places))[::-1]
    found = np.empty(len(first), dtype="object")
    for place, values in enumerate(zip(*(map(to_python, column.iloc[first]) for column in rows), strict=True)):
        found[place] = function(*values)
    return found[places]


def find_holds(jobs: list[Job], allowed: frozenset[str], listed: pd.DataFrame, loaded: Loaded) -> dict[str, str]:
    """Return the jobs that a guard holds, and why, as `collect_facts` has it of these listings; those not listed are left out."""
    facts = collect_facts([job.tinker_path for job in jobs], listed, loaded)
    columns = [facts[name] for name in ("refusal", *FLAGS)]
    holds = map_distinct(columns, lambda refusal, *flags: refusal or find_hold(flags, allowed))
    is_held = (holds != "") & (facts["refusal"] == "").to_numpy(dtype=bool)
    return dict(zip(facts.loc[is_held, "tinker_path"], holds[is_held], strict=True))


def add_expiries(rows: pd.DataFrame, expiries: list[RequestedExpiry]) -> pd.DataFrame:
    """Return facts with the requested expiry of each row."""
    return rows.assign(
        ttl_seconds=pandas_array("int", [expiry.ttl_seconds for expiry in expiries]),
        until=_to_times([expiry.until for expiry in expiries]),
    )


def restore_jobs(facts: pd.DataFrame, jobs: list[Job]) -> pd.DataFrame:
    """Return facts with the requested expiries of saved jobs, and the state that they were planned for."""
    import pandas as pd

    by_path = {job.tinker_path: job for job in jobs}
    found = [by_path[path] for path in facts["tinker_path"]]
    rows = add_expiries(facts, [job.expiry for job in found])
    present = (rows["refusal"] == "").to_numpy()
    rows["public"] = rows["public"].where(~present, pandas_array("bool", [job.before.public for job in found]))
    rows["expires_at"] = rows["expires_at"].where(~present, _to_times([job.before.expires_at for job in found]))
    rows["time"] = rows["time"].where(~present, _to_times([job.before.time for job in found]))
    unknown = pd.Series(pandas_array("bool", [job.before.expiry_unknown for job in found]))
    rows["expiry_unknown"] = rows["expiry_unknown"].where(~present, unknown)
    sizes = pd.Series(pandas_array("int", [job.before.size_bytes for job in found]))
    rows["size_bytes"] = rows["size_bytes"].where(~present, sizes)
    return rows


def build_jobs(frame: pd.DataFrame) -> list[Job]:
    """Return rows of facts and requested expiries as jobs."""
    columns = (frame[name] for name in ("tinker_path", "ttl_seconds", "until"))
    return [
        Job(path, state, RequestedExpiry(to_python(ttl), to_python(until)))
        for path, ttl, until, state in zip(*columns, build_states(frame), strict=True)
    ]


def build_states(frame: pd.DataFrame) -> list[State]:
    """Return the state of each checkpoint in a frame."""
    columns = (map(to_python, frame[field.name]) for field in fields(State))
    return [State(*values) for values in zip(*columns, strict=True)]


def build_outcome_frame(
    plan: str,
    action: Action,
    outcomes: list[Outcome],
    frame: pd.DataFrame | None = None,
    *,
    ended: Iterable[Outcome] = (),
) -> pd.DataFrame:
    """Return one row per checkpoint of a plan: those that had ended before, those of this run, and those that were not sent.

    `attrs["tinker"]["other_changes"]` says what changed meanwhile, and not by the plan: tinker path to what it was.
    """
    import pandas as pd

    rows = [*ended, *outcomes]
    if frame is not None:
        asides = {"held": "skipped", "refused": "skipped", "unchanged": "unchanged"}
        rest = frame[frame["verdict"] != "send"]
        rows += [
            Outcome(path, asides[verdict], error=reason or None)
            for path, verdict, reason in zip(rest["tinker_path"], rest["verdict"], rest["reason"], strict=True)
        ]
    result = pd.DataFrame(
        {
            # the first columns are what pandas shows of a wide frame
            "outcome": pd.Categorical([row.outcome for row in rows], categories=OUTCOMES),
            "tinker_path": pandas_array("text", [row.tinker_path for row in rows]),
            "error": pandas_array("text", [row.error for row in rows]),
            "action": pandas_array("text", [action.name] * len(rows)),
            "status": pandas_array("int", [row.status for row in rows]),
            "attempts": pandas_array("int", [row.attempts for row in rows]),
            "seconds": pandas_array("float", [row.seconds for row in rows]),
        }
    )
    others = dict(outcomes.other_changes) if isinstance(outcomes, Outcomes) else {}
    result.attrs["tinker"] = {"plan": plan, "action": action.name, "other_changes": others}
    return result


# The columns of facts that a preview turns into its own.
_NOT_SHOWN = {"loaded_by_ended_sampler", "refusal", "namesakes", "ttl_seconds", "until", "user_metadata"}
_MISREAD_NAMES = ("publish", "ttl", "archive")  # the last part of the URLs of actions


def _split_pairs(pairs: np.ndarray[Any, Any], dtype: str) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return the first and the second part of each pair."""
    import numpy as np

    return np.array([one for one, _ in pairs], dtype=dtype), np.array([two for _, two in pairs], dtype=dtype)


def _find_halves(rows: pd.DataFrame, verdict: np.ndarray[Any, Any], action: Action) -> np.ndarray[Any, Any]:
    """Return which rows the server could take for another of their name; a delete of all of that name is none to refuse."""
    import numpy as np

    has_namesakes = (rows["namesakes"] > 0).to_numpy(dtype=bool)
    if not action.removes:
        return np.asarray(has_namesakes & (verdict != "refused"))
    is_sent = np.asarray(has_namesakes & (verdict == "send"))
    names = list(zip(rows.loc[is_sent, "training_run_id"], rows.loc[is_sent, "name"], strict=True))
    counts = Counter(names)
    is_sent[is_sent] = [
        counts[name] != count for name, count in zip(names, rows.loc[is_sent, "namesakes"], strict=True)
    ]
    return is_sent


def _find_warnings(shortens: bool, misread: str | None, was_loaded: bool | None, *flags: bool | None) -> str:
    """Return what to consider before a row is changed."""
    found: list[str] = []
    if shortens:
        for guard, flag in zip(GUARDS.values(), flags, strict=True):
            found += filter(None, [guard.warning if flag else guard.describe(flag)])
        found += ["a sampler of a session that has ended had loaded it"] if was_loaded else []
    if misread is not None:
        found.append(f"it is named {misread!r}, which a server could read as an action")
    return "; ".join(found)


def _find_public_after(public: pd.Series[Any], action: Action) -> Any:
    if action.removes:
        return pandas_array("bool", [None] * len(public))
    return public if action.public_after is None else pandas_array("bool", [action.public_after] * len(public))


def _find_expires_after(rows: pd.DataFrame, action: Action, now: datetime) -> Any:
    """Return the expiry that each row will have, by the server's clock; a removed checkpoint has none."""
    import pandas as pd

    if action.removes:
        return pandas_array("time", [None] * len(rows))
    if not action.sets_expiry:
        return rows["expires_at"]
    by_ttl = pd.Timestamp(now) + pd.to_timedelta(rows["ttl_seconds"].astype("Float64"), unit="s")
    return rows["until"].where(rows["until"].notna(), by_ttl.astype(rows["until"].dtype))


def _to_times(values: list[datetime | None]) -> pd.Series[Any]:
    import pandas as pd

    return pd.Series(pandas_array("time", values))


def find_namesakes(listed: pd.DataFrame) -> dict[str, list[str]]:
    """Return the paths that a server without types in its ids may take for another, each with all paths of its run and name.

    Such a server takes the first of them that it finds, whatever the request says.
    """
    import pandas as pd

    ids, paths = listed["checkpoint_id"].astype(str), listed["tinker_path"].astype(str)
    is_bare = ~ids.str.contains("/", regex=False)
    if not is_bare.any():
        return {}
    runs = paths.str.split("://").str[-1].str.split("/").str[0]  # also of a path that cannot be read otherwise
    names = [values.str.rpartition("/")[2] for values in (paths, ids)]  # of both: one may be malformed
    parts = [pd.DataFrame({"run": runs, "name": name, "path": paths, "is_bare": is_bare}) for name in names]
    rows = pd.concat(parts).drop_duplicates(["run", "name", "path"])
    rows = rows[rows.duplicated(["run", "name"], keep=False)]
    found: dict[str, list[str]] = {}
    for _, group in rows.groupby(["run", "name"], observed=True):
        if group["is_bare"].any():
            for path in group["path"]:
                found[path] = list(dict.fromkeys([*found.get(path, ()), *group["path"]]))
    return found


def _find_refusals(paths: pd.Series[Any], found: pd.Series[bool]) -> list[str]:
    """Return why each path must not be touched; empty if it may."""
    # Parsed one by one, 100,000 paths take longer than all else.
    is_plain = paths.str.fullmatch(PLAIN_PATTERN).to_numpy(dtype=bool)
    plain = (NOT_LISTED, "")
    return [
        plain[here] if is_known else _find_refusal(path, here)
        for path, here, is_known in zip(paths, found, is_plain, strict=True)
    ]


def _find_refusal(path: str, found: bool) -> str:
    try:
        parse_known(path)
    except InvalidTinkerPathError as error:
        return str(error.what).replace(quote_text(path), "its path", 1)  # rows with the same fault have the same reason
    return "" if found else NOT_LISTED
