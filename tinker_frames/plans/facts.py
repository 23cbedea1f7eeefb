"""What is known of the checkpoints that a plan is about: found or not, newest of their run, loaded, colliding; pure."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from ..errors import InvalidTinkerPathError
from ..schema.columns import typed
from ..schema.paths import parse_known

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
    "user_metadata",
)


def facts_of(paths: Iterable[str], listed: pd.DataFrame, loaded: set[str] | None) -> pd.DataFrame:
    """Return one row per distinct path, in their order, with what the account's listing says of it.

    Parameters
    ----------
    paths
        Tinker paths, as somebody gave them.
    listed
        Every checkpoint of the runs concerned.
    loaded
        The paths that samplers have loaded; None where the server does not tell.

    Returns
    -------
    DataFrame
        The columns of `LISTED`, NA where not found, and `refusal` (why it must not be touched; empty if it may), `is_newest`,
        `is_last_training`, `loaded_by_sampler` (NA where not known).
    """
    rows = pd.DataFrame({"tinker_path": typed("text", dict.fromkeys(map(str, paths)))})
    rows = rows.merge(
        listed[["tinker_path", *LISTED]].assign(_found=True), on="tinker_path", how="left", validate="1:1"
    )
    found = rows.pop("_found").notna()
    rows["refusal"] = [_refusal(path, here) for path, here in zip(rows["tinker_path"], found, strict=True)]
    colliding = _colliding(listed)
    rows.loc[(rows["refusal"] == "") & rows["tinker_path"].isin(colliding), "refusal"] = (
        "another type of checkpoint has the same name, and this server does not tell them apart"
    )
    training = listed[listed["checkpoint_type"] == "training"]
    rows["is_newest"] = rows["tinker_path"].isin(_newest(listed))
    rows["is_last_training"] = rows["tinker_path"].isin(_newest(training))
    known = typed("bool", [None if loaded is None else path in loaded for path in rows["tinker_path"]])
    rows["loaded_by_sampler"] = known
    return rows


def _newest(listed: pd.DataFrame) -> set[str]:
    """Return the newest checkpoint of every run; all of those that share the newest time."""
    latest = listed.groupby("training_run_id", observed=True)["time"].transform("max")
    return set(listed.loc[listed["time"] == latest, "tinker_path"])


def _colliding(listed: pd.DataFrame) -> set[str]:
    """Return the paths whose name another type of the same run has too, on servers whose ids do not tell the type.

    Such a server takes the first of them that it finds, whatever the request says.
    """
    bare = listed[~listed["checkpoint_id"].astype(str).str.contains("/", regex=False)]
    twice = bare.duplicated(["training_run_id", "name"], keep=False)
    return set(bare.loc[twice, "tinker_path"])


def _refusal(path: str, found: bool) -> str:
    try:
        parse_known(path)
    except InvalidTinkerPathError as error:
        return str(error.what)
    return "" if found else "not among this account's checkpoints (deleted, expired, or somebody else's)"
