"""The state of one table of a view: filters, sort order, selection and columns, and what is shown of them.

It has no widget and sends no request: `widget` shows it, `explorer` holds a stack of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pandas as pd

from ..errors import InvalidRequestError
from ..frames.humanize import format_size
from ..frames.metadata import PREFIXES
from ..frames.query import check_columns
from ..frames.text import escape_control_characters
from ..schema.identity import restore_keys
from ..training_logs.curves import LOGS
from . import cells, filters
from .chart_messages import ChartList
from .charts import Charts, Drawing
from .clipboard import copy_rows
from .controls import CONTROLS, Control, controls_of
from .facets import Facets
from .messages import (
    Column,
    Count,
    FilterBar,
    FilterControl,
    FilterOption,
    Grid,
    Limits,
    ListedColumn,
    Row,
    Selection,
    Summary,
)
from .messages import Summaries as SummariesMessage
from .requests import ColumnName, CopyReply
from .rows import Rows
from .sorts import Sort, check_kind, choose_columns, sort_of
from .summaries import Summaries

CHUNK = 40  # rows that are sent at once, more than a window shows
NARROWEST, WIDEST = 40, 1200  # pixels of a column
LIMITS: Limits = {"chunk_rows": CHUNK, "narrowest_px": NARROWEST, "widest_px": WIDEST}  # sent to the browser


class TableState:
    """One frame with its filters, order, selection and columns.

    Attributes
    ----------
    rows
        The rows, with filter, sort order and selection.
    values
        The value of each filter that is set, by its name.
    errors
        The error in each invalid value, by the name of the filter; while there is one, the rows are those of the last valid value.
    columns
        The columns that are shown, in order.
    moves
        Incremented whenever the view has to scroll to the top.
    opened_by
        The label of the row that it was opened from; empty for the first table.
    keeps_order
        Whether the rows came in the order of their listing, as far as the frame shows.
    is_stale
        Whether a plan has changed rows since they were read.
    """

    def __init__(self, frame: pd.DataFrame, sort: Sort | None = None) -> None:
        self.keeps_order = frame.index.equals(pd.RangeIndex(len(frame)))
        frame = restore_keys(frame)
        self.sort = sort or sort_of(frame)
        _check_names(frame)
        check_columns(frame, [self.sort.key])
        self.about: dict[str, Any] = dict(frame.attrs.get("tinker") or {})
        check_kind(frame, self.sort, str(self.about.get("table")))
        self.is_stale = False
        self.rows = Rows(frame, self.sort.key)
        self.controls = controls_of(frame)
        self.values: dict[str, Any] = {}
        self.errors: dict[str, str] = {}
        self._conditions: dict[str, str] = {}  # of the valid values, as of when they were set
        self.widths: dict[str, int] = {}
        self.moves = 0
        self.opened_by = ""
        self.columns = choose_columns(frame, self.sort)
        self._facets: Facets | None = None
        self._summaries: Summaries | None = None
        self._charts: Charts | None = None

    # ── filters ──────────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def query(self) -> str:
        """The pandas expression of all filters, joined by and; empty if there are none."""
        return filters.join_expressions([self._conditions[name] for name in self.controls if name in self._conditions])

    @query.setter
    def query(self, text: str) -> None:
        self.set_filters({"query": text})

    def set_filter(self, name: str, value: Any) -> None:
        """Set one filter; a value that filters nothing unsets it.

        An invalid value, such as a query that is half typed, is reported in `errors`; the rows stay those of the last valid one.
        """
        self._check_filters([name])
        before = self.values.pop(name, None)
        self.errors.pop(name, None)
        try:
            value = filters.clean_value(self.controls[name], value)
            others = {other: text for other, text in self._conditions.items() if other != name}
            conditions = others | self._build_conditions({name: value})
            self.rows.filter(conditions)
        except InvalidRequestError as error:
            self.errors[name] = str(error)
        else:
            self._conditions = conditions
            self.moves += before != value
        self.values |= {} if value is None else {name: value}

    def pick(self, column: str, groups: tuple[int, int]) -> None:
        """Set the filter of a column to groups of its summary, from the first to the last; a second time, unset it."""
        control = self._control_of(column)
        if control is None:
            return
        current = self.values.get(control.name)
        mask = self.rows.mask_without(control.name)
        self.set_filter(control.name, self._summarizer.pick(column, control, mask, groups, current))

    def pick_chart(self, name: str, groups: tuple[int, int]) -> None:
        """Set the filters of groups of a chart, from the first to the last; a second time, unset them."""
        drawing = next((drawing for drawing in self._draw_charts() if drawing.chart["id"] == name), None)
        if drawing is None or drawing.pick is None:
            return
        first, last = sorted(groups)
        for filter_name, value in drawing.pick(first, last).items():
            is_set = self.values.get(filter_name) == filters.clean_value(self.controls[filter_name], value)
            self.set_filter(filter_name, None if is_set else value)

    def require_valid_filters(self) -> None:
        """Raise the error of an invalid filter, if there is one: the rows that are shown do not match the filters then.

        Raises
        ------
        InvalidRequestError
            If a value is in `errors`.
        """
        if self.errors:
            name, problem = next(iter(self.errors.items()))
            label = self.controls[name].label
            raise InvalidRequestError(
                f"the filter {label!r} is not valid: {problem}", hint="Correct or reset it first."
            )

    def set_filters(self, values: dict[str, Any]) -> None:
        """Set these filters and unset all others.

        Raises
        ------
        InvalidRequestError
            For a value that cannot be evaluated; nothing is changed then.
        """
        self._check_filters(values)
        plain = {name: filters.clean_value(self.controls[name], value) for name, value in values.items()}
        conditions = self._build_conditions(plain)
        self.rows.filter(conditions)
        self.values = {name: value for name, value in plain.items() if value is not None}
        self.errors, self._conditions = {}, conditions
        self.moves += 1

    def combine_filters(self, values: dict[str, Any]) -> None:
        """Set these filters and unset all others but the query, which goes on filtering unless `values` has one."""
        query = self._conditions.get("query")
        self.set_filters(({"query": query} if query else {}) | values)

    def _check_filters(self, names: Iterable[str]) -> None:
        unknown = [name for name in names if name not in self.controls]
        if unknown:
            known = ", ".join(self.controls)
            raise InvalidRequestError(f"there is no filter {unknown[0]!r} here", hint=f"The filters are {known}.")

    def _build_conditions(self, values: dict[str, Any]) -> dict[str, str]:
        """Return the conditions for these values, as of now."""
        if values.get("metadata"):
            control = self.controls["metadata"]
            self.controls["metadata"] = replace(control, depth=self.facets.depth(control.columns))
        found = {name: filters.build_expression(self.controls[name], value) for name, value in values.items()}
        return {name: text for name, text in found.items() if text}

    # ── order, columns ───────────────────────────────────────────────────────────────────────────────────────────────

    def order_by(self, names: Iterable[str]) -> None:
        """Sort by columns; `-` before a name for descending."""
        try:
            self.rows.order_by(names)
        except TypeError as error:
            raise _explain_order(error) from None
        self.moves += 1

    def show_columns(self, names: Iterable[str]) -> None:
        """Show these columns, in this order."""
        names = list(dict.fromkeys(names))
        check_columns(self.rows.frame, names)
        self.columns = names or [self.sort.key]

    def resize(self, name: str, width: int) -> None:
        """Set the width of a column in pixels."""
        check_columns(self.rows.frame, [name])
        self.widths[name] = max(NARROWEST, min(WIDEST, int(width)))

    # ── data ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def replace(self, frame: pd.DataFrame) -> None:
        """Replace the rows; filters, order, columns, widths and selection are kept.

        Raises
        ------
        InvalidRequestError
            If these rows cannot be filtered or sorted in this way; nothing is changed then.
        """
        new = TableState(frame, self.sort)
        kept = {name: control for name, control in self.controls.items() if name in self.values}
        both = kept | new.controls
        new.controls = {control.name: both[control.name] for control in CONTROLS if control.name in both}
        valid = {name: value for name, value in self.values.items() if name not in self.errors}
        conditions = {name: text for name, text in self._conditions.items() if name in self.errors}
        conditions |= new._build_conditions(valid)
        try:
            self.rows.replace(new.rows.frame, conditions)
        except TypeError as error:
            raise _explain_order(error) from None
        logs = {LOGS: self.about[LOGS]} if LOGS in self.about else {}  # which a listing knows nothing of
        self.about, self.controls, self._conditions = logs | (new.about or self.about), new.controls, conditions
        self._facets, self._summaries, self._charts, self.is_stale = None, None, None, False
        self.columns = [name for name in self.columns if name in frame.columns] or [self.sort.key]

    @property
    def facets(self) -> Facets:
        """Counts and sums over the frame, computed at first use."""
        if self._facets is None:
            self._facets = Facets(self.rows.frame)
        return self._facets

    @property
    def _summarizer(self) -> Summaries:
        if self._summaries is None:
            self._summaries = Summaries(self.rows.frame, self.facets, self.sort.key)
        return self._summaries

    def _control_of(self, column: str) -> Control | None:
        """Return the filter of a column's values; None without one."""
        return next(
            (
                control
                for control in self.controls.values()
                if control.columns[:1] == (column,) and control.kind in ("options", "number", "time", "expiry")
            ),
            None,
        )

    # ── what is shown ────────────────────────────────────────────────────────────────────────────────────────────────

    def chunk(self, place: int, columns: list[str] | None = None) -> list[Row]:
        """Return the rows of one chunk, each as `[is selected, key, cells …]`, with the columns that are shown or these."""
        places = self.rows.order[place * CHUNK : (place + 1) * CHUNK]
        rows = self.rows.frame.iloc[places]
        made = cells.format_rows(rows, columns or self.columns, datetime.now(UTC))
        keys = [str(key) for key in rows[self.sort.key].fillna("")]
        selected = self.rows.selection[places].tolist()
        return [[on, key, *row] for on, key, row in zip(selected, keys, made, strict=True)]

    def copy_rows(self, what: str, place: int) -> CopyReply:
        """Return the selected rows, or the one at a place if none is selected, as a table for a spreadsheet, or as their keys."""
        rows = self.rows.get_selected()
        if rows.empty and 0 <= place < len(self.rows):
            rows = self.rows.frame.iloc[self.rows.order[[place]]]
        return copy_rows(rows, self.columns, self.sort.key, what)

    def grid(self) -> Grid:
        """Return the columns and the order, with the first chunk of rows."""
        return {
            "number": self.rows.number,
            "moves": self.moves,
            "rows": len(self.rows),
            "columns": [self._column(name) for name in self.columns],
            "sort": list(self.rows.sort),
            "openings": [opening.label for opening in self.sort.openings if opening.column in self.rows.frame.columns],
            "opener": next((name for name in self.sort.columns if name in self.columns), self.columns[0]),
            "first": self.chunk(0),
        }

    def describe(self) -> str:
        """Return the number of rows, their size and the number of those that are selected in one line."""
        total, selected = format_size(self.facets.bytes(self.rows.mask)), int(self.rows.selection.sum())
        parts = [
            f"{len(self.rows):,} of {len(self.rows.frame):,} {self.sort.one}s",
            total,
            f"{selected:,} selected" if selected else "",
        ]
        return ", ".join(filter(None, parts))

    def selection(self) -> Selection:
        """Return the number of selected rows, how many of them do not match the filters, and their total size."""
        rows = self.rows
        count, shown = int(rows.selection.sum()), int((rows.selection & rows.mask).sum())
        return {
            "rows": count,
            "hidden": count - shown,
            "all": bool(len(rows)) and shown == len(rows),
            "size": format_size(self.facets.bytes(rows.selection)) if count else "",
        }

    def count(self) -> Count:
        """Return the number and size of the matching rows and of all rows."""
        rows, facets = self.rows, self.facets
        every = rows.mask | True
        return {
            "rows": len(rows),
            "total": len(rows.frame),
            "size": format_size(facets.bytes(rows.mask)),
            "total_size": format_size(facets.bytes(every)),
        }

    def filter_bar(self) -> FilterBar:
        """Return the filters with their values and errors."""
        return {"controls": [self._control(control) for control in self.controls.values()], "query": self.query}

    def describe_filters(self) -> str:
        """Return the filters that are set in words; empty if there are none."""
        controls = (self._control(control) for control in self.controls.values())
        return "; ".join(f"{control['label']}: {control['text']}" for control in controls if control["text"])

    def options(self, name: str) -> list[FilterOption]:
        """Return the options of a filter, each with the number of rows that match the other filters."""
        return self.search_options(name, "")[0]

    def search_options(self, name: str, search: str) -> tuple[list[FilterOption], int]:
        """Return the most frequent options of a filter that hold a text, as `options` does, and how many hold it."""
        mask, selected = self.rows.mask_without(name), self.values.get(name) or []
        return self.facets.search_options(self.controls[name], mask, selected, search)

    def metadata_keys(self) -> list[str]:
        """Return the metadata keys of the rows."""
        return self.facets.metadata_keys(self.controls["metadata"].columns) if "metadata" in self.controls else []

    def charts(self, rate: float | None = None) -> ChartList:
        """Return the charts of the matching rows; `rate` is in dollars per gigabyte and month."""
        drawings = self._draw_charts(rate)
        return {"number": self.rows.mask_number, "charts": [drawing.chart for drawing in drawings]}

    def _draw_charts(self, rate: float | None = None) -> list[Drawing]:
        if self._charts is None:
            self._charts = Charts(self.rows.frame, self.sort, self.controls, self.facets)
        query = self._conditions.get("query", "")
        return self._charts.draw(self.rows.mask, datetime.now(UTC), rate=rate, query=query)

    def summaries(self) -> SummariesMessage:
        """Return what the shown columns hold, each in the rows that match the filters of the others."""
        return {"number": self.rows.mask_number, "columns": [self._summary(name) for name in self.columns]}

    def _summary(self, name: str) -> Summary:
        control = self._control_of(name)
        mask = self.rows.mask if control is None else self.rows.mask_without(control.name)
        return self._summarizer.summarize(name, control, mask, self.rows.mask)

    def all_columns(self) -> list[ListedColumn]:
        """Return every column of the frame, with its description and whether it is shown."""
        frame = self.rows.frame
        return [
            {**cells.describe_column(frame, name), "shown": name in self.columns} for name in map(str, frame.columns)
        ]

    def names(self) -> list[ColumnName]:
        """Return what a query can name, with descriptions: the columns, those that are shown first, and the keys of the metadata."""
        frame = self.rows.frame
        ordered = dict.fromkeys([*self.columns, *map(str, frame.columns)])
        columns: list[ColumnName] = [
            {"name": name, "doc": cells.describe_column(frame, name)["doc"]} for name in ordered
        ]
        keys = [name for name in self._list_key_columns() if name not in ordered]
        return columns + [{"name": name, "doc": "a key of the metadata"} for name in keys]

    def _list_key_columns(self) -> list[str]:
        """Return the keys of the metadata as a query names them, the most frequent of each column first."""
        found = self.controls["metadata"].columns if "metadata" in self.controls else ()
        return [PREFIXES[name] + key for name in found for key in self.facets.metadata_keys((name,))]

    def banner(self) -> str:
        """Return a warning about an incomplete or limited frame; empty for a complete one."""
        if self.about.get("complete", True):
            return ""
        total = self.about.get("total")
        of = f" of {total:,}" if isinstance(total, int) else ""
        read = f"{self.about.get('rows', len(self.rows.frame)):,}{of} rows were read"
        if not any(problem.get("column") is None for problem in self.about.get("problems", ())):
            return f"This listing was limited: {read}."
        return f"This listing is not proved complete: {read}. Refresh reads it again."

    def _column(self, name: str) -> Column:
        shown = cells.describe_column(self.rows.frame, name)
        return {**shown, "width": self.widths.get(name, shown["width"])}

    def _control(self, control: Control) -> FilterControl:
        name = control.name
        text = filters.describe_value(control, self.values[name], self.facets.label) if self._is_valid(name) else ""
        return {
            "name": name,
            "label": control.label,
            "kind": control.kind,
            "unit": control.unit,
            "quick": [{"label": label, "value": value} for label, value in control.quick],
            "value": self.values.get(name),
            "text": escape_control_characters(text),
            "error": self.errors.get(name, ""),
        }

    def _is_valid(self, name: str) -> bool:
        return name in self._conditions and name not in self.errors


def _check_names(frame: pd.DataFrame) -> None:
    """Raise for a frame with duplicate column names or names that are not text."""
    odd = [name for name in frame.columns if not isinstance(name, str)] + list(
        frame.columns[frame.columns.duplicated()]
    )
    if odd:
        raise InvalidRequestError(
            f"the column {odd[0]!r} occurs twice, or its name is not text",
            hint="Rename the columns, or leave some out.",
        )


def _explain_order(error: TypeError) -> InvalidRequestError:
    return InvalidRequestError(f"these values cannot be sorted: {error}", hint="Sort by another column.")
