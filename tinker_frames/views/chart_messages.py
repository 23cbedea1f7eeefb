"""The charts that Python sends to the browser; part of `messages`."""

from typing import Literal, TypedDict


class ChartSeries(TypedDict):
    """One value for each bin of a chart over time, in the unit of the chart; `look` is how it is drawn."""

    label: str
    look: str
    values: list[float]


class TimeChart(TypedDict):
    """A chart over time in bins of `step` hours, from `start` to `end` in hours since 1970; its series are stacked."""

    id: str
    kind: Literal["area", "columns"]
    title: str
    text: str
    unit: str
    start: int
    step: int
    end: float
    series: list[ChartSeries]


class Bar(TypedDict):
    """One bar, or one part of a whole."""

    label: str
    value: float
    text: str
    look: str


class BarsChart(TypedDict):
    """Bars of the largest values, or the parts of a whole; `rest` is what the other values hold, in words."""

    id: str
    kind: Literal["bars", "parts"]
    title: str
    text: str
    bars: list[Bar]
    rest: str


class StepsChart(TypedDict):
    """Checkpoints along their steps, a lane for each run.

    A point is `[bin, step, lane, look, rows]`; there are `bins` of equal width between the steps `low` and `high`. `labels` say
    what the looks mean, `note` which of them is not known.
    """

    id: str
    kind: Literal["steps"]
    title: str
    text: str
    low: float
    high: float
    bins: int
    lanes: list[str]
    looks: list[str]
    labels: list[str]
    note: str
    points: list[list[float]]


Chart = TimeChart | BarsChart | StepsChart  # A chart of the rows that match; `text` says in a sentence what it shows.


class ChartList(TypedDict):
    """The charts; `number` changes whenever the rows that match change."""

    number: int
    charts: list[Chart]


class CostKind(TypedDict):
    """One kind of costs in a picture: its sum in dollars, and how it is drawn."""

    label: str
    look: str
    sum: float


class CostGroup(TypedDict):
    """One group of billing events, or a time without any, whose `events` is 0.

    `total` is in dollars, and `parts` are those of each kind; null where nothing of it is priced. `title` is what `label` stands for,
    where that is more.
    """

    label: str
    title: str
    events: int
    unpriced: int
    total: float | None
    parts: list[float | None]


class CostPicture(TypedDict):
    """The costs of a frame: its groups by kind; those of a time are in its order, each in its place."""

    title: str
    text: str
    group: str
    is_time: bool
    kinds: list[CostKind]
    groups: list[CostGroup]


class CurveMark(TypedDict):
    """One checkpoint on the curve of a metric; `look` is how it is marked, and `label` what that means."""

    key: str
    name: str
    step: float
    value: float
    look: str
    label: str


class Curve(TypedDict):
    """A metric of a run's training log over its steps, as `[step, value]`, with the run's checkpoints on it.

    `metrics` are all that can be drawn. Of `total` values some hundred are sent, the extremes among them; `odd` ones are not finite.
    """

    metric: str
    metrics: list[str]
    points: list[list[float]]
    total: int
    odd: int
    marks: list[CurveMark]
