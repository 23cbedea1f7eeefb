"""The requests that the browser sends to Python, and the replies.

A `Request` changes the state that `messages` declares or gets a `Reply`; `handlers` has a function for each.
"""

from typing import Literal, NotRequired, TypedDict

from .messages import FilterValue, Row


class Command(TypedDict):
    """A request without arguments."""

    do: Literal[
        "ping",
        "ready",
        "reset",
        "refresh",
        "stop",
        "dismiss",
        "code",
        "cancel",
        "retry",
        "edit",
        "close",
        "names",
        "samplers",
    ]


class RowsRequest(TypedDict):
    """Send one chunk of rows."""

    do: Literal["rows"]
    number: int
    place: int


class FilterRequest(TypedDict):
    """Set one filter; None unsets it."""

    do: Literal["filter"]
    name: str
    value: FilterValue


class PickRequest(TypedDict):
    """Filter by the groups of a column's summary, from `first` to `last`; -1 is NA."""

    do: Literal["pick"]
    id: str
    first: int
    last: int
    number: int


class ChartPickRequest(TypedDict):
    """Filter by the groups of a chart, from `first` to `last`; a second time, unset these filters."""

    do: Literal["pick_chart"]
    id: str
    first: int
    last: int
    number: int


class FacetRequest(TypedDict):
    """Send the content of a filter's popover, until another one is opened; of its options those that hold the text `search`."""

    do: Literal["facet"]
    name: str
    search: NotRequired[str]


class SortRequest(TypedDict):
    """Sort by columns, `-` before a name for descending."""

    do: Literal["sort"]
    sort: list[str]


class ColumnsRequest(TypedDict):
    """Show these columns, in this order."""

    do: Literal["columns"]
    columns: list[str]


class WidthRequest(TypedDict):
    """Keep the width of a column, in pixels."""

    do: Literal["width"]
    id: str
    width: int


class SelectRequest(TypedDict):
    """Select rows: those from `first` to `last`, all that match, or none."""

    do: Literal["select"]
    how: Literal["toggle", "add", "only", "all", "none"]
    first: NotRequired[int]
    last: NotRequired[int]
    number: NotRequired[int]


class OpenRequest(TypedDict):
    """Open a table of the rows related to a row; without a place, to the one whose details are shown."""

    do: Literal["open"]
    label: str
    place: NotRequired[int]
    number: NotRequired[int]


class DetailRequest(TypedDict):
    """Show the details of the row with a key; an empty one closes them."""

    do: Literal["detail"]
    key: str


class CurveRequest(TypedDict):
    """Draw a metric of the training log in the details."""

    do: Literal["curve"]
    metric: str


class BackRequest(TypedDict):
    """Go back to a table that was opened before."""

    do: Literal["back"]
    depth: int


class ChartsRequest(TypedDict):
    """Show the charts, or hide them."""

    do: Literal["charts"]
    on: bool


class ActionRequest(TypedDict):
    """Start an action."""

    do: Literal["begin"]
    action: str


class AnswerRequest(TypedDict):
    """Submit the form of the action."""

    do: Literal["answer"]
    given: dict[str, str | float | bool | None]


class AllowRequest(TypedDict):
    """Lift these guards of the plan, and no others."""

    do: Literal["allow"]
    guards: list[str]


class EstimateRequest(TypedDict):
    """Show what the action would do with these values of its form."""

    do: Literal["estimate"]
    given: dict[str, str | float | bool | None]


class ListRequest(TypedDict):
    """List the rows of a plan with a verdict and reason, or with an outcome and error, from `first`; without it, show or hide them."""

    do: Literal["list"]
    verdict: str
    reason: NotRequired[str]
    first: NotRequired[int]


class CopyRequest(TypedDict):
    """Send the selected rows, or the row at `place` if none is selected, as a table or as their keys."""

    do: Literal["copy"]
    what: Literal["rows", "keys"]
    place: int


class ConfirmRequest(TypedDict):
    """Run the plan."""

    do: Literal["confirm"]
    typed: str


class UndoRequest(TypedDict):
    """Undo the last plan; `typed` is the number of rows, where that makes them public."""

    do: Literal["undo"]
    typed: NotRequired[str]


Request = (
    Command | RowsRequest | FilterRequest | PickRequest | ChartPickRequest | FacetRequest | SortRequest | ColumnsRequest
    | WidthRequest | SelectRequest | OpenRequest | DetailRequest | CurveRequest | BackRequest | ChartsRequest | ActionRequest
    | AnswerRequest | EstimateRequest | AllowRequest | ListRequest | CopyRequest | ConfirmRequest
    | UndoRequest
)  # fmt: skip


class RowsReply(TypedDict):
    """One chunk of rows, in the order with this number."""

    chunk: int
    number: int
    rows: list[Row]


class CodeReply(TypedDict):
    """Python code that reproduces the view."""

    code: str


class ColumnName(TypedDict):
    """A column that a query can name, and its description."""

    name: str
    doc: str


class NamesReply(TypedDict):
    """The columns of the table, for completion."""

    names: list[ColumnName]


class CopyReply(TypedDict):
    """Text for the clipboard, with the number of its rows."""

    copied: str
    rows: int


class HeardReply(TypedDict):
    """The reply to a request that needs no other; shows that the kernel is running."""

    heard: str | None


Reply = RowsReply | CodeReply | NamesReply | CopyReply | HeardReply
