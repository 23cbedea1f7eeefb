"""Rows of an account by what people have of them: a name, the beginning of an id, a tinker path or a link of the console; pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

import pandas as pd

from ..errors import InvalidRequestError
from ..schema.catalog import CHECKPOINTS, FOUND, SESSIONS, TRAINING_RUNS
from ..schema.coerce import replace_surrogates
from ..schema.columns import pandas_dtype
from ..schema.paths import CUT, is_cut, may_be_short, read_console_link, starts_with_scheme, to_pattern

LEAST_CHARACTERS = 4  # of the beginning of an id: fewer are in too many


def find_rows(text: str, sessions: pd.DataFrame, runs: pd.DataFrame, checkpoints: pd.DataFrame) -> pd.DataFrame:
    """Return the sessions, training runs and checkpoints that a text names, in this order, with the columns of `FOUND`.

    Raises
    ------
    InvalidRequestError
        If the text is empty.
    """
    wanted = replace_surrogates(read_console_link(text) or text.strip())[0]  # as frames hold text
    if not wanted:
        raise InvalidRequestError(
            "there is nothing to find", hint="Pass a name, an id, a tinker path or a console link."
        )
    names = sessions.set_index("session_id")["display_name"]
    is_named = _contains(sessions["display_name"], wanted)
    of_named = runs["session_id"].isin(sessions.loc[is_named, "session_id"])
    found = [
        _to_found(SESSIONS.name, sessions[is_named | _begins(sessions["session_id"], wanted)], "session_id", "created_at"),
        _to_found(TRAINING_RUNS.name, runs[of_named | _begins(runs["training_run_id"], wanted)], "training_run_id", "last_request_time"),
        _to_found(CHECKPOINTS.name, checkpoints[_names_checkpoint(checkpoints, wanted)], "tinker_path", "time"),
    ]  # fmt: skip
    frame = pd.concat(found, ignore_index=True)
    models = runs.set_index("training_run_id")["base_model"]
    for column, by, known in (("display_name", "session_id", names), ("base_model", "training_run_id", models)):
        frame[column] = frame[column].where(frame[column].notna(), frame[by].map(known))
    return frame.astype({column.name: pandas_dtype(column) for column in FOUND.columns})


def resolve_short_ids(ids: Iterable[str], known: Iterable[str]) -> list[str]:
    """Return ids or paths, of which the beginnings of exactly one known id, and those with `…` for a part of one, are completed.

    Raises
    ------
    InvalidRequestError
        If one of them is the beginning of several known ids, or has too few characters beside the `…`.
    """
    known = list(known)
    return [_complete(one, known) if may_be_short(one) and one not in known else one for one in ids]


def _complete(short: str, known: list[str]) -> str:
    pattern = re.compile(to_pattern(short)) if is_cut(short) else None
    if pattern and len("".join(short.split(CUT))) < LEAST_CHARACTERS:
        raise InvalidRequestError(f"{short!r} could be any id", hint="Give what a table shows of it, or the whole id.")
    matches = [one for one in known if (pattern.fullmatch(one) if pattern else one.startswith(short))]
    if len(matches) > 1:
        listed, how = ", ".join(matches[:3]), "can be" if pattern else "begin with"
        raise InvalidRequestError(f"{len(matches)} ids {how} {short!r}", hint=f"Give more of one of {listed} …")
    return matches[0] if matches else short


def _contains(column: pd.Series[str], wanted: str) -> pd.Series[bool]:
    return column.str.contains(wanted, case=False, regex=False).fillna(value=False).astype(bool)


def _begins(column: pd.Series[str], wanted: str) -> pd.Series[bool]:
    """Return which ids a text is the beginning of, or stands for with `…` in it."""
    if is_cut(wanted):
        return column.str.fullmatch(to_pattern(wanted)).fillna(value=False).astype(bool)
    if len(wanted) < LEAST_CHARACTERS:
        return column == wanted
    return column.str.startswith(wanted).fillna(value=False).astype(bool)


def _names_checkpoint(checkpoints: pd.DataFrame, wanted: str) -> pd.Series[bool]:
    if starts_with_scheme(wanted) or is_cut(wanted):
        return _begins(checkpoints["tinker_path"], wanted)
    return _contains(checkpoints["name"], wanted)


def _to_found(table: str, rows: pd.DataFrame, key: str, time: str) -> pd.DataFrame:
    """Return rows of one table with the columns of `FOUND`; NA for those that it lacks."""
    columns = {"table": [table] * len(rows), "id": rows[key].array, "time": rows[time].array}
    others = [column.name for column in FOUND.columns if column.name not in columns]
    columns |= {name: rows[name].array if name in rows else [None] * len(rows) for name in others}
    frame = pd.DataFrame(columns)[FOUND.names]
    return frame.astype({column.name: pandas_dtype(column) for column in FOUND.columns})
