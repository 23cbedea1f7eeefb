"""The filters that a view offers, and which of them apply to a frame; pure.

To add a filter, add an entry to `CONTROLS`; `filters` turns its values into expressions.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from .messages import FilterKind, TimeRange

if TYPE_CHECKING:
    import pandas as pd

METADATA = ("user_metadata", "run_user_metadata", "session_user_metadata")
PAST: tuple[tuple[str, TimeRange], ...] = (
    ("last 24 h", {"newer_than": 1}),
    ("last 7 d", {"newer_than": 7}),
    ("older than 7 d", {"older_than": 7}),
    ("older than 30 d", {"older_than": 30}),
    ("older than 90 d", {"older_than": 90}),
)
FUTURE: tuple[tuple[str, TimeRange], ...] = (
    ("within 24 h", {"within": 1}),
    ("within 7 d", {"within": 7}),
    ("within 30 d", {"within": 30}),
    ("has an expiry", {"ever": True}),
    ("never expires", {"never": True}),
)


@dataclass(frozen=True)
class Control:
    """One filter: its label, its kind, and the columns it applies to."""

    name: str
    label: str
    kind: FilterKind
    columns: tuple[str, ...]  # the first that the frame has; a search and metadata use all
    age: str = ""  # the column with a time's age in days
    quick: tuple[tuple[str, TimeRange], ...] = ()
    unit: str = ""
    zone: str = "Z"  # the time zone suffix of the column's times; empty for naive ones
    loose: bool = False  # whether the column holds Python objects, whose comparison may return neither true nor false
    depth: int = 0  # nesting depth of the metadata
    named_by: str = ""  # the column with a name for each value
    unknown: str = ""  # the column that tells values that are not known from missing ones; empty where all are known


CONTROLS = (
    Control("text", "Search", "text", ("tinker_path", "name", "training_run_id", "session_id", "display_name", *METADATA)),
    Control("created", "Created", "time", ("time", "created_at"), "age_days", PAST),
    Control("used", "Last used", "time", ("last_request_time", "run_last_request_time"), "idle_days", PAST),
    Control("expires", "Expires", "expiry", ("expires_at",), "expires_in_days", FUTURE, unknown="expiry_unknown"),
    Control("model", "Base model", "options", ("base_model",)),
    Control("type", "Type", "options", ("checkpoint_type",)),
    Control("public", "Public", "options", ("public",)),
    Control("status", "Status", "options", ("status", "session_status")),
    Control("corrupted", "Corrupted", "options", ("corrupted", "run_corrupted")),
    Control("project", "Project", "options", ("project_id",)),
    Control("owner", "Owner", "options", ("owner", "model_owner", "session_owner")),
    Control("session", "Session", "options", ("session_id",), named_by="display_name"),
    Control("run", "Run", "options", ("training_run_id",), named_by="display_name"),
    Control("size", "Size", "number", ("size_gb",), unit="GB"),
    Control("step", "Step", "number", ("step",)),
    Control("count", "Checkpoints", "number", ("checkpoints_count",)),
    Control("metadata", "Metadata", "metadata", METADATA),
    Control("query", "pandas query", "query", ()),
)  # fmt: skip


def controls_of(frame: pd.DataFrame) -> dict[str, Control]:
    """Return the filters that apply to a frame, by name, each with the columns that the frame has."""
    found = {}
    for control in CONTROLS:
        columns = tuple(name for name in control.columns if _fits(frame, name, control.kind))
        if control.kind == "text" and "tinker_path" in columns:  # it contains run, session and name
            columns = tuple(name for name in columns if name not in ("name", "training_run_id", "session_id"))
        if control.name == "count" and "tinker_path" in frame.columns:
            continue  # there it is the session's number
        if columns or control.kind == "query":
            columns = columns if control.kind in ("text", "metadata") else columns[:1]
            dtypes = [str(frame[name].dtype) for name in columns]
            # Of a joined column, as its age has it.
            prefix = columns[0].removesuffix(control.columns[0]) if columns else ""
            ages = (f"{prefix}{control.age}", control.named_by)
            age, named_by = (name if name in frame.columns else "" for name in ages)
            zone = "" if any(re.fullmatch(r"datetime64\[\w+\]", dtype) for dtype in dtypes) else "Z"
            loose, unknown = "object" in dtypes, control.unknown if _has_unknown(frame, control.unknown) else ""
            found[control.name] = replace(
                control, columns=columns, age=age, zone=zone, loose=loose, named_by=named_by, unknown=unknown
            )
    return found


def _has_unknown(frame: pd.DataFrame, name: str) -> bool:
    """Tell whether a column says of any row that a value is, or may be, not known."""
    return name in frame.columns and bool(frame[name].fillna(True).astype(bool).any())


def _fits(frame: pd.DataFrame, name: str, kind: FilterKind) -> bool:
    """Tell whether a frame has a column with a dtype that the filter can use."""
    from pandas.api import types

    if name not in frame.columns:
        return False
    dtype = frame[name].dtype
    if kind in ("text", "metadata"):
        return _is_text(frame[name]) and bool(frame[name].notna().any())
    if kind in ("time", "expiry"):
        return bool(types.is_datetime64_any_dtype(dtype))
    if kind == "number":
        return bool(types.is_numeric_dtype(dtype)) and bool(frame[name].notna().any())
    return bool(types.is_bool_dtype(dtype)) or _is_text(frame[name], "boolean", "empty")


def _is_text(values: pd.Series[Any], *others: str) -> bool:
    """Tell whether values are text, of any dtype; a column of objects may also hold other values."""
    from pandas.api import types

    if str(values.dtype) == "object":
        return types.infer_dtype(values, skipna=True) in ("string", *others)
    is_category = others and str(values.dtype) == "category"
    return bool(types.is_string_dtype(values.cat.categories.dtype if is_category else values.dtype))
