"""Identify rows: identity columns in a frame's index, and boolean masks aligned by index; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import InvalidRequestError
from .catalog import TABLES
from .columns import text_dtype
from .paths import write_console_link

if TYPE_CHECKING:
    import pandas as pd

ROWS = "row"  # the name of the index of frames that functions of the user's are called with
KEYS = tuple(dict.fromkeys(table.key for table in TABLES.values()))


def restore_keys(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the frame with the identity columns that stand in its index as columns; one that is a column already stays as it is.

    Examples
    --------
    >>> import pandas as pd
    >>> restore_keys(pd.DataFrame({"tinker_path": ["a"], "step": [1]}).set_index("tinker_path")).columns.tolist()
    ['tinker_path', 'step']
    """
    found = [name for name in frame.index.names if name in KEYS and name not in frame.columns]
    return frame.reset_index(level=found) if found else frame


def find_console_links(frame: pd.DataFrame) -> pd.Series[Any]:
    """Return the page of each row in the service's web console, NA for a row that names none, with the index of the frame."""
    import pandas as pd

    rows = restore_keys(frame)
    columns = [name for name in ("tinker_path", "training_run_id", "session_id") if name in rows.columns]
    if not columns:
        raise AttributeError(
            "this needs a column 'tinker_path', 'training_run_id' or 'session_id', and the frame has none"
        )
    values = zip(*(rows[name] for name in columns), strict=True)
    links = [write_console_link(dict(zip(columns, row, strict=True))) for row in values]
    return pd.Series(links, index=frame.index, dtype=text_dtype(), name="console_url")


def align_mask(mask: Any, index: pd.Index[Any], called: str) -> pd.Series[Any]:
    """Return a mask as `boolean`, NA where it is not known, in the order of an index.

    A Series is aligned by its own index, which has to have the name of the other: one that was reset has the same labels for other
    rows. Anything else has no labels, and only its length can be compared.

    Raises
    ------
    InvalidRequestError
        For a mask of other rows, and for what is not a mask; `called` is what the error calls it.
    """
    import pandas as pd

    if not pd.api.types.is_list_like(mask) or getattr(mask, "ndim", 1) != 1 or isinstance(mask, (dict, set, frozenset)):
        raise InvalidRequestError(
            f"{called} must have True or False for each row, and is a {type(mask).__name__}", hint=_HINT
        )
    flags = mask if isinstance(mask, pd.Series) else pd.Series(list(mask), index=None, dtype="object")
    if len(flags) != len(index):
        raise InvalidRequestError(f"{called} has {len(flags)} values for {len(index)} rows", hint=_HINT)
    if not isinstance(mask, pd.Series):
        flags = flags.set_axis(index)
    elif flags.index.name != index.name:
        raise InvalidRequestError(f"{called} has other rows: its index is not that of the frame", hint=_HINT)
    elif not flags.index.equals(index):
        if not (flags.index.is_unique and index.is_unique and index.isin(flags.index).all()):
            raise InvalidRequestError(f"{called} has other rows: its index has different labels", hint=_HINT)
        flags = flags.reindex(index)
    if flags.empty:  # then any dtype is one
        return pd.Series(dtype="boolean", index=index)
    if not is_flags(flags):
        raise InvalidRequestError(
            f"{called} must have True or False for each row, and has dtype {flags.dtype}", hint=_HINT
        )
    return flags.astype("boolean")


def is_flags(values: pd.Series[Any]) -> bool:
    """Tell whether every value is true, false or not known."""
    from pandas.api.types import infer_dtype, is_bool_dtype

    return is_bool_dtype(values.dtype) or (values.dtype == object and infer_dtype(values) in ("boolean", "empty"))


def name_rows(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame whose rows are numbered by an index with a name, for a function: a mask with an index that it has reset lacks the name."""
    return frame.reset_index(drop=True).rename_axis(index=ROWS)


_HINT = "Make it from the columns of the frame that it is for; plan.only and plan.drop also align a mask indexed by tinker_path."
