"""The Arrow type that a column of a frame is written as, and which types a file format holds without changing a value; pure."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ..errors import InvalidRequestError
from ..schema.columns import Column, arrow_type, is_text

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

LARGEST_INTEGER = 2**63 - 1


def find_arrow_type(series: pd.Series[Any], column: Column | None) -> pa.DataType:
    """Return the declared type if every value fits it unchanged, else the inferred type.

    Raises
    ------
    InvalidRequestError
        For values that no file holds: of several types, or of one that Arrow does not have.
    """
    import pyarrow as pa
    from pyarrow import types

    try:
        values = pa.array(series, from_pandas=True)
    except (pa.ArrowException, ValueError, TypeError, OverflowError) as error:
        problem = str(error).splitlines()[0][:200]
    else:
        if types.is_nested(values.type) and (kind := _find_unordered(series)):
            raise _refuse(series, f"no file format holds values of type {kind}", may_store=False)
        return arrow_type(column.kind) if column is not None and fits(values, column) else values.type
    raise InvalidRequestError(
        f"the column {series.name!r} cannot be written: {problem}", hint="Make its values all of one kind, or drop it."
    )


def fits(values: pa.Array | pa.ChunkedArray, column: Column) -> bool:
    """Tell whether values can be of a column's type without being changed."""
    import pyarrow as pa
    from pyarrow import types

    kind, wanted = values.type, arrow_type(column.kind)
    kind = kind.value_type if types.is_dictionary(kind) else kind
    text = is_text(kind)
    alike = {
        "text": text, "json": text, "category": text, "bool": types.is_boolean(kind), "time": types.is_timestamp(kind) and kind.tz is not None,
        "texts": types.is_list(kind) or types.is_large_list(kind),
    }.get(column.kind, types.is_integer(kind) or types.is_floating(kind))  # fmt: skip
    if types.is_null(kind) or not alike:
        return bool(types.is_null(kind))
    if column.kind == "category":
        return True
    with suppress(pa.ArrowException):
        values.cast(wanted)
        return True
    return False


def check_types(frame: pd.DataFrame, table: pa.Table, form: str, holds: Callable[[pa.DataType], bool]) -> None:
    """Raise for a column of a type that a format does not hold.

    Raises
    ------
    InvalidRequestError
        It names the column, the format, and what to do.
    """
    for name, values in zip(table.column_names, table.columns, strict=True):
        if not holds(values.type):
            kind = _name_type(frame[name])
            raise _refuse(frame[name], f"{form} holds no values of type {kind}", may_store=holds is not holds_stored)
        if holds is not holds_stored and _is_too_large(values):
            raise _refuse(frame[name], f"{form} holds no integers above 2**63 - 1")


def holds_plain(kind: pa.DataType) -> bool:
    """Tell whether a type comes back from text: texts, numbers, truth values, times, days, and lists of these."""
    from pyarrow import types

    if types.is_dictionary(kind) or types.is_list(kind) or types.is_large_list(kind):
        return holds_plain(kind.value_type)
    is_number = types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind)
    return bool(is_number or is_text(kind) or types.is_null(kind) or types.is_timestamp(kind) or types.is_date32(kind))


def holds_cells(kind: pa.DataType) -> bool:
    """Tell whether a workbook has cells for a type: also for durations and times of day."""
    from pyarrow import types

    return holds_plain(kind) or bool(types.is_duration(kind) or types.is_time(kind))


def holds_stored(kind: pa.DataType) -> bool:
    """Tell whether a type comes back from a file that stores Arrow's types: all do but categories of intervals."""
    from pyarrow import types

    return not types.is_dictionary(kind) or holds_plain(kind.value_type)


def _is_too_large(values: pa.ChunkedArray) -> bool:
    """Tell whether values are integers of more than 63 bits."""
    import pyarrow.compute as pc
    from pyarrow import types

    return types.is_uint64(values.type) and (pc.max(values).as_py() or 0) > LARGEST_INTEGER


def _find_unordered(series: pd.Series[Any]) -> str:
    """Return the type of values that Arrow takes for records or lists, and would give back as others; empty if there are none."""
    return next((type(value).__name__ for value in series if isinstance(value, (dict, set, frozenset))), "")


def _name_type(series: pd.Series[Any]) -> str:
    """Return the type of a column's values: of Python's objects their class, else the dtype."""
    first = next(iter(series.dropna()), None)
    return type(first).__name__ if series.dtype in (object, "category") else str(series.dtype)


def _refuse(series: pd.Series[Any], problem: str, *, may_store: bool = True) -> InvalidRequestError:
    """Return the error for a column; `may_store` is of one that Parquet and Feather hold."""
    text = "map(json.dumps)" if problem.endswith("dict") else "astype(str)"
    other = "use .parquet or .feather, " if may_store else ""
    return InvalidRequestError(
        f"the column {series.name!r} cannot be written: {problem}",
        hint=f"Make text of it with frame[{series.name!r}].{text}, {other}or drop it.",
    )
