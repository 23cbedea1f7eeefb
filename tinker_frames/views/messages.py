"""The state of a view that Python sends to the browser: each part is a trait of the widget (`ViewState`).

What the browser sends is in `requests`. `frontend/src/messages.d.ts` is generated from both modules
(`python tinker_frames/views/frontend/generate_types.py`).
"""

from typing import Literal, NotRequired, TypedDict

from .chart_messages import Bar, ChartList, Curve

Cell = str | list[str]  # What a cell shows: its text, or `[text, title]`, or `[text, title, mark]`.
Row = list[bool | Cell]  # One row of a grid: whether it is selected, its key, and its cells.
OptionValue = str | bool | None  # One value of a filter of kind `options`; None stands for NA.


class Limits(TypedDict):
    """Constants that the browser and Python share."""

    chunk_rows: int
    narrowest_px: int
    widest_px: int


class Count(TypedDict):
    """Number and size of the matching rows and of all rows."""

    rows: int
    total: int
    size: str
    total_size: str


class Counts(TypedDict):
    """Rows done so far; `total` is 0 if unknown, `rate` is in rows per second."""

    done: int
    total: int
    rate: float
    waiting: str


class Progress(Counts):
    """Progress of work in the background, and its current part."""

    what: str
    part: str
    stopping: bool


class ActionButton(TypedDict):
    """One action that the view offers."""

    name: str
    label: str
    doc: str
    tone: Literal["", "main", "danger"]


class Head(TypedDict):
    """The header of the view: the tables that were opened, counts, age, notes and the actions; `is_error` is about the note."""

    trail: list[str]
    opened_by: list[str]
    noun: str
    count: Count
    age: str
    banner: str
    note: str
    is_error: bool
    reading: Progress | None
    charts: bool
    actions: list[ActionButton]


class TimeRange(TypedDict, total=False):
    """The value of a filter of times: days, or dates in ISO format (UTC)."""

    older_than: float
    newer_than: float
    within: float
    after: str
    before: str
    ever: bool
    never: bool


class MetadataMatch(TypedDict):
    """The value of the metadata filter; an empty `value` matches any."""

    key: str
    value: str


FilterValue = None | str | list[OptionValue] | list[float | None] | TimeRange | MetadataMatch  # By the kind of filter.


FilterKind = Literal["text", "options", "time", "expiry", "number", "metadata", "query"]  # The kind of a filter.


class QuickPick(TypedDict):
    """A value that a filter of times offers as a button."""

    label: str
    value: TimeRange


class FilterControl(TypedDict):
    """One filter, its value, and the error in that value."""

    name: str
    label: str
    kind: FilterKind
    unit: str
    quick: list[QuickPick]
    value: FilterValue
    text: str
    error: str


class FilterBar(TypedDict):
    """The filters of the table, and their pandas query."""

    controls: list[FilterControl]
    query: str


class Column(TypedDict):
    """One column of the grid; `width` is in pixels."""

    id: str
    label: str
    kind: str
    align: Literal["left", "right"]
    width: int
    doc: str


class ListedColumn(Column):
    """One column of the list in which columns are selected."""

    shown: bool


class Grid(TypedDict):
    """The columns and the order of the rows, with the first chunk of rows.

    `number` changes whenever the order of the rows changes, `moves` whenever the grid has to scroll to the top. `opener` is the
    column whose text opens the details of a row.
    """

    number: int
    moves: int
    rows: int
    columns: list[Column]
    sort: list[str]
    openings: list[str]
    opener: str
    first: list[Row]


class Selection(TypedDict):
    """Number of selected rows, how many of them do not match the filters, and whether all matching rows are selected."""

    rows: int
    hidden: int
    all: bool
    size: str


class FilterOption(TypedDict):
    """One option of a filter, with its number of rows under the other filters."""

    value: OptionValue
    label: str
    rows: int


class Facet(TypedDict):
    """The content of a filter's popover: options, metadata keys, or columns.

    `total` counts all options that hold the text `search`, of which the most frequent are sent.
    """

    name: str
    options: NotRequired[list[FilterOption]]
    total: NotRequired[int]
    search: NotRequired[str]
    keys: NotRequired[list[str]]
    columns: NotRequired[list[ListedColumn]]


class Summary(TypedDict):
    """What a column holds in the rows that match the other filters, in groups: the bins of a histogram or the most frequent values.

    `labels` are those of the values, or of the edges of the bins, one more. `rest` and `na` count the rows with other values and
    without one. `shown` is there while the column's own filter is set: the rows that match it too, by group, then the rest and NA; of
    values, `caption` is then the most frequent of these rows, and `top` its number.
    """

    id: str
    kind: Literal["histogram", "values"]
    rows: int
    counts: list[int]
    rest: int
    na: int
    labels: list[str]
    caption: str
    picks: bool
    picks_na: bool
    shown: NotRequired[list[int]]
    top: NotRequired[int]


class Summaries(TypedDict):
    """The summaries of the columns of the grid; `number` changes whenever the rows that match change."""

    number: int
    columns: list[Summary]


class DetailField(TypedDict):
    """One field of a row in words, with its mark as in the grid."""

    name: str
    text: str
    mark: str
    doc: str


class Snippet(TypedDict):
    """A line of Python, and what it is for."""

    label: str
    text: str


class TimelineEntry(TypedDict):
    """One checkpoint of a run; `look` is how it is marked, and `label` what that means."""

    key: str
    name: str
    type: str
    step: float | None
    size: str
    time: str
    look: str
    label: str


class Detail(TypedDict):
    """The details of one row: in `brief` its main fields, in `fields` the others.

    `metadata` has entries of whose it is, key and value. `timeline` is null where the run's checkpoints are not known, or not yet,
    as is `samplers` before they were read, and `curve` without a training log. `problem` is why something could not be read.
    """

    key: str
    shown_key: str
    title: str
    noun: str
    console: str
    code: list[Snippet]
    brief: list[DetailField]
    fields: list[DetailField]
    unset: list[str]
    metadata: list[list[str]]
    timeline: list[TimelineEntry] | None
    curve: Curve | None
    openings: list[str]
    samplers: list[str] | None
    problem: str


class ClosedPanel(TypedDict):
    """No action; `note` or `error` may give the reason why the last one ended."""

    stage: Literal[""]
    note: str
    error: str


class OpenPanel(TypedDict):
    """The fields that every stage of an action has.

    `target` and `filters` are the rows that it is for, in words; `obstacle` is why it cannot go on: there is no selection, or the
    plan is out of date.
    """

    note: str
    error: str
    action: str
    label: str
    doc: str
    target: str
    filters: str
    obstacle: str


class FormField(TypedDict):
    """One field of a form: `value` is its initial value, `picks` are offered as buttons, `none` is the meaning of null, if allowed."""

    name: str
    label: str
    kind: Literal["flag", "count", "duration", "text"]
    value: str | float | bool
    hint: str
    least: int
    picks: list[str]
    none: str


class Estimate(TypedDict):
    """What the action of a form would do: its plan in words and as parts of a whole; or why there is none."""

    lines: list[str]
    parts: list[Bar]
    error: str
    working: bool


class AskPanel(OpenPanel):
    """The form of an action."""

    stage: Literal["ask"]
    fields: list[FormField]
    submit: str
    estimate: Estimate | None


class WorkPanel(OpenPanel, Progress):
    """Work in progress."""

    stage: Literal["work"]


class PlanGroup(TypedDict):
    """The rows of a plan with the same verdict, or that its rule keeps; those that are not held, with the same reason."""

    verdict: str
    label: str
    reason: str
    rows: int
    open: bool


class GuardTick(TypedDict):
    """A guard that holds rows of the plan, in words with their number, and whether it is lifted."""

    name: str
    label: str
    on: bool


class Listed(TypedDict):
    """Some rows of a plan or outcome, from `first` of `total`; the first of `rows` holds the names of the columns."""

    rows: list[list[Cell]]
    first: int
    total: int


class PlanFigures(TypedDict):
    """What a plan does, and how it is confirmed: by a click, or by typing its number of rows; `parts` are sizes of what goes and what stays."""

    number: int
    verb: str
    lines: list[str]
    parts: list[Bar]
    guards: list[GuardTick]
    warning: str
    typed: bool
    undo: bool
    rule: str


class ConfirmPanel(OpenPanel, PlanFigures):
    """A plan to be confirmed."""

    stage: Literal["confirm"]
    groups: list[PlanGroup]
    listed: Listed | None
    hidden: int
    editable: bool


class OutcomeCount(TypedDict):
    """The number of rows with an outcome."""

    outcome: str
    rows: int
    open: bool


class FailureGroup(TypedDict):
    """The number of rows that failed with the same error."""

    outcome: str
    error: str
    rows: int
    open: bool


class OutcomePanel(OpenPanel):
    """The outcome of a plan: what changed in words, and the rows that failed by their error."""

    stage: Literal["outcome"]
    counts: list[OutcomeCount]
    changes: list[str]
    failed: list[FailureGroup]
    listed: Listed | None
    undo: bool
    undo_label: str
    publishes: int  # how many rows an undo makes public, which has to be typed
    retry: bool


PanelState = ClosedPanel | AskPanel | WorkPanel | ConfirmPanel | OutcomePanel


class ViewState(TypedDict):
    """The traits of the widget that the browser reads."""

    _limits: Limits
    _head: Head
    _filter_bar: FilterBar
    _grid: Grid
    _selection: Selection
    _facet: Facet | None
    _charts: ChartList | None
    _summaries: Summaries | None
    _detail: Detail | None
    _action_panel: PanelState
    _static_id: str
    _seen: int
    query: str
    filters: dict[str, FilterValue]
    sort: list[str]
    columns: list[str]
    selected_keys: list[str] | None
    plan_id: str
    outcome_counts: dict[str, int]
