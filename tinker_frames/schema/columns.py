"""`Column` and `Table`, and the Arrow type and pandas dtype that follow from a column's kind; pure.

The kind of a column decides its Arrow type, its pandas dtype and how a malformed value is coerced. `catalog` holds the declarations.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from datetime import datetime

    import pandas as pd
    import pyarrow as pa

Kind = Literal["text", "category", "int", "float", "bool", "time", "json", "texts"]

# What a kind is called in a frame; the tables of the documentation are printed from it.
DTYPE_NAMES: dict[Kind, str] = {
    "text": "str",
    "category": "category",
    "int": "Int64",
    "float": "float64",
    "bool": "boolean",
    "time": "datetime64[us, UTC]",
    "json": "str (JSON)",
    "texts": "object (tuple of str)",
}


@dataclass(frozen=True)
class Column:
    """One column: its name and kind, where it comes from, and what it means."""

    name: str
    kind: Kind
    doc: str
    source: str = ""  # dotted place in a row of the answer; the name itself where empty
    required: bool = False  # a row without it is an error
    default: Any = None  # what an absent value means
    disputable: bool = False  # not known where one listing has a row twice, with different values
    categories: tuple[str, ...] = ()
    derive: Callable[[dict[str, Any]], Any] | None = None  # Arrow columns so far → Arrow column; stored
    live: Callable[[pd.DataFrame, datetime], Any] | None = None  # frame so far, time → column; changes with the clock

    @property
    def is_size(self) -> bool:
        """Whether it is a number of bytes, which is never negative."""
        return self.kind == "int" and self.name.endswith("_bytes")

    @property
    def path(self) -> tuple[str, ...]:
        """The place in a row of the answer, as keys."""
        return tuple((self.source or self.name).split("."))

    @property
    def is_sent(self) -> bool:
        """Whether the server sends it; other columns are derived."""
        return self.derive is None and self.live is None and self.name != "extra"

    @property
    def dtype(self) -> str:
        """The readable name of the dtype."""
        return DTYPE_NAMES[self.kind]


@dataclass(frozen=True)
class Table:
    """One table: where its rows come from, how they are paged, and its columns in order."""

    name: str
    row: str  # what a row is
    key: str  # the column that identifies rows; empty for rows that are no objects of their own
    columns: tuple[Column, ...]
    source: str = ""  # the endpoints that its rows come from, in words
    path: str = ""  # of the endpoint; empty for a table that is joined from others
    items: str = ""  # the key of the rows in an answer
    page_size: int = 1000  # the largest that is tried
    default_size: int = 100  # the one that every server takes
    bare: bool = False  # rows are bare keys, not objects
    brief: tuple[str, ...] = ()  # the columns to show if space is limited
    facts: tuple[str, ...] = ()  # fields that a response must have, readable, to be kept as one that never changes
    aliases: dict[str, str] = field(default_factory=dict, hash=False)  # older name of a field → its name

    def __getitem__(self, name: str) -> Column:
        return next(column for column in self.columns if column.name == name)

    @property
    def names(self) -> list[str]:
        """The column names, in order."""
        return [column.name for column in self.columns]

    @property
    def sent(self) -> tuple[Column, ...]:
        """The columns that the server sends."""
        return tuple(column for column in self.columns if column.is_sent)

    @property
    def stored(self) -> tuple[Column, ...]:
        """The columns that a cached listing holds: all but those that change by themselves."""
        return tuple(column for column in self.columns if column.live is None)


@cache
def arrow_type(kind: Kind) -> pa.DataType:
    """Return the Arrow type of a kind; large strings, since that is what pandas takes without a copy."""
    import pyarrow as pa

    types: dict[Kind, pa.DataType] = {
        "text": pa.large_string(),
        "json": pa.large_string(),
        "category": pa.dictionary(pa.int32(), pa.large_string()),
        "int": pa.int64(),
        "float": pa.float64(),
        "bool": pa.bool_(),
        "time": pa.timestamp("us", "UTC"),
        "texts": pa.large_list(pa.large_string()),
    }
    return types[kind]


def is_text(kind: pa.DataType) -> bool:
    """Tell whether an Arrow type is text."""
    from pyarrow import types

    return bool(types.is_string(kind) or types.is_large_string(kind))


@cache
def memory_pool() -> pa.MemoryPool:
    """Return the pool that columns are built in: the system's, since Arrow's own keeps nearly as much again for later."""
    import pyarrow as pa

    return pa.system_memory_pool()


def arrow_array(kind: Kind, values: list[Any]) -> pa.Array:
    """Return an Arrow array of plain values that fit their kind; raises where one does not."""
    import pyarrow as pa

    if kind == "category":  # Arrow before 25 makes no dictionary of large strings from Python values
        import pyarrow.compute as pc

        return pc.dictionary_encode(arrow_array("text", values), memory_pool=memory_pool())
    return pa.array(values, arrow_type(kind), memory_pool=memory_pool())


@cache
def text_dtype() -> Any:
    """Return the dtype of text: `str` on pandas 3, `string` on pandas 2."""
    import numpy as np
    import pandas as pd

    if int(pd.__version__.split(".")[0]) >= 3:
        return pd.StringDtype("pyarrow", na_value=np.nan)
    return pd.StringDtype("pyarrow")


def pandas_dtype(column: Column) -> Any:
    """Return the pandas dtype of a column."""
    import pandas as pd

    if column.kind in ("text", "json"):
        return text_dtype()
    if column.kind == "category":
        return pd.CategoricalDtype(pd.Index(column.categories, dtype=text_dtype()))
    dtypes = {
        "int": pd.Int64Dtype(),
        "float": "float64",
        "bool": pd.BooleanDtype(),
        "time": pd.DatetimeTZDtype("us", "UTC"),
        "texts": "object",
    }
    return dtypes[column.kind]


def pandas_array(kind: Kind, values: Iterable[Any]) -> Any:
    """Return plain values (None for what is not known) as the pandas array of a kind."""
    import pandas as pd

    dtype: Any = pandas_dtype(Column("", kind, ""))
    return pd.array(list(values), dtype=dtype)


def to_python(value: Any) -> Any:
    """Return a value of a frame as plain Python: None for NA, a datetime for a timestamp, Python's own for numpy's scalars."""
    import numpy as np
    import pandas as pd

    if value is None or isinstance(value, (str, tuple, list, dict)):
        return value
    if pd.isna(value):
        return None
    if isinstance(value, pd.Timestamp):
        return value.to_pydatetime(warn=False)
    return value.item() if isinstance(value, np.generic) else value


def to_series_data(column: Column, values: pa.ChunkedArray) -> Any:
    """Return the pandas array of an Arrow column, without a copy if possible."""
    import pandas as pd

    if column.kind == "category":
        return _to_category(column, values)
    if column.kind == "texts":
        return pd.Series([None if v is None else tuple(v) for v in values.to_pylist()], dtype="object").array
    if column.kind == "float":
        return values.to_numpy(zero_copy_only=False)
    return pandas_dtype(column).__from_arrow__(values)


def _to_category(column: Column, values: pa.ChunkedArray) -> Any:
    """Return a categorical with the declared categories first, then other values that the server sent."""
    import pandas as pd
    import pyarrow as pa
    import pyarrow.compute as pc

    texts = pc.cast(values, pa.large_string())
    seen = [value for value in pc.unique(texts).to_pylist() if value is not None]
    names = [*column.categories, *sorted(set(seen) - set(column.categories))]
    codes = pc.index_in(texts, value_set=pa.array(names, pa.large_string()))
    filled = pc.fill_null(codes, -1).to_numpy(zero_copy_only=False)
    dtype = pd.CategoricalDtype(pd.Index(names, dtype=text_dtype()))
    return pd.Categorical.from_codes(filled, dtype=dtype)


def empty_arrow(column: Column, rows: int = 0) -> pa.Array:
    """Return an Arrow column of nulls."""
    import pyarrow as pa

    return pa.nulls(rows, arrow_type(column.kind))


def to_frame(table: Table, data: pa.Table, now: datetime) -> pd.DataFrame:
    """Return the typed frame of a listing; columns that change with the clock are computed for `now`.

    An empty listing gives the same columns and dtypes as a full one.
    """
    return add_live(table, to_columns(table.stored, data), now)


def to_columns(columns: Sequence[Column], data: pa.Table) -> pd.DataFrame:
    """Return some columns of a listing as a typed frame; one that the listing lacks is NA."""
    import pandas as pd
    import pyarrow as pa

    have, rows = set(data.column_names), data.num_rows
    arrays = {
        column.name: data.column(column.name) if column.name in have else pa.chunked_array([empty_arrow(column, rows)])
        for column in columns
    }
    found = {column.name: to_series_data(column, arrays[column.name]) for column in columns}
    return pd.DataFrame(found, index=pd.RangeIndex(rows), copy=False)


def add_live(table: Table, frame: pd.DataFrame, now: datetime) -> pd.DataFrame:
    """Return a frame of all other columns with those that change with the clock, in the table's order."""
    for place, column in enumerate(table.columns):
        if column.live is not None and column.name in frame:
            frame[column.name] = column.live(frame, now)
        elif column.live is not None:
            frame.insert(place, column.name, column.live(frame, now))
    return frame[table.names] if list(frame.columns) != table.names else frame


def empty_frame(table: Table, now: datetime) -> pd.DataFrame:
    """Return a frame without rows, with every column and dtype of the table."""
    import pyarrow as pa

    return to_frame(table, pa.table({column.name: empty_arrow(column) for column in table.stored}), now)
