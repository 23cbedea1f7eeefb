"""The state of a view, without a widget: a stack of tables, refreshing them, and the action panel.

`handlers` calls a method here for each request of the browser; `changed` names the parts of the state to send again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from ..errors import InvalidRequestError, TinkerError
from ..frames.text import escape_control_characters
from ..functions import is_default
from ..rest.threads import attempt, start_threads
from ..schema.paths import runs_of
from . import refresh
from .action_panel import ActionPanel
from .chart_messages import ChartList
from .codegen import write_script
from .details import Details
from .forms import OFFERED, make_button
from .messages import Facet, Head
from .sorts import SORTS, label_origin
from .table import TableState
from .target import Target, make_target
from .task import Task, describe_error

if TYPE_CHECKING:
    import pandas as pd

    from ..client import Client

PARTS = ("head", "filter_bar", "grid", "selection", "facet", "summaries", "charts", "detail", "action_panel")


class Explorer:
    """A stack of tables, of which the last is shown, and one panel.

    Parameters
    ----------
    state
        The first table.
    client
        Returns the client; called at first use.
    changed
        Called, from any thread, with the names of `PARTS` that may have changed.
    find_frames
        Returns the frames of the open views; a table that is read shares its columns with those of the same listing.
    """

    def __init__(
        self,
        state: TableState,
        client: Callable[[], Client],
        changed: Callable[[tuple[str, ...]], None],
        find_frames: Callable[[], Iterable[pd.DataFrame]] | None = None,
    ) -> None:
        self.lock = threading.RLock()
        self.stack = [state]
        self.note, self.is_error = "", False
        self.with_charts = True
        self._client, self._notify = client, changed
        self._find_frames = find_frames or self.get_frames
        self._facet, self._facet_search = "", ""
        self._rates = list[float | None]()  # dollars per gigabyte and month, requested once
        self._writes = 0  # how often rows were written to
        self.reading: Task | None = None
        self.details = Details(client, lambda: self.changed("detail"))
        self.panel = ActionPanel(lambda: client().planner, self.target, self._panel_changed, self._after_write)

    @property
    def state(self) -> TableState:
        """The table that is shown.

        Raises
        ------
        InvalidRequestError
            If the view was closed.
        """
        if not self.stack:
            raise InvalidRequestError("this view was closed, and its rows were released", hint="Run its cell again.")
        return self.stack[-1]

    @property
    def is_closed(self) -> bool:
        """Whether the view was closed."""
        return not self.stack

    def get_frames(self) -> list[pd.DataFrame]:
        """Return the frames of all tables of the stack."""
        return [table.rows.frame for table in self.stack]

    def close(self) -> None:
        """Release all tables, and stop reading; a running plan continues, and its outcomes are kept."""
        with self.lock:  # not while its parts are being sent
            task, self.reading = self.reading, None
            self.stack.clear()
        if task is not None:
            task.cancel()
        self.panel.release()

    # ── filters, order, selection ───────────────────────────────────────────────────────────────────────────────────────

    def set_filter(self, name: str, value: Any) -> None:
        """Set one filter of the current table."""
        self.state.set_filter(name, value)
        self._rearranged()

    def pick(self, column: str, groups: tuple[int, int], number: int) -> None:
        """Filter by groups of a column's summary, unless the rows that match have changed since it was made."""
        if number == self.state.rows.mask_number:
            self.state.pick(column, groups)
            self._rearranged()

    def pick_chart(self, name: str, groups: tuple[int, int], number: int) -> None:
        """Filter by groups of a chart, unless the rows that match have changed since it was drawn."""
        if number == self.state.rows.mask_number:
            self.state.pick_chart(name, groups)
            self._rearranged()

    def set_query(self, text: str) -> None:
        """Filter by a pandas expression alone; other filters are cleared."""
        self.state.query = text
        self._rearranged()

    def reset(self) -> None:
        """Clear all filters."""
        self.state.set_filters({})
        self._rearranged()

    def order_by(self, names: list[str]) -> None:
        """Sort the current table by columns."""
        self.state.order_by(names)
        self.clear_note()
        self.changed("grid")

    def show_columns(self, names: list[str]) -> None:
        """Show these columns of the current table, in this order."""
        self.state.show_columns(names)
        self.changed("grid", "facet", "summaries")

    def select(self, how: str, first: int = 0, last: int = 0, number: int | None = None) -> None:
        """Change the selection: `toggle`, `add` or `only` a range of rows, `all` matching rows, or `none`."""
        rows = self.state.rows
        if number is not None and number != rows.number:
            return  # the browser meant an earlier order, in which other rows had these places
        if how not in ("toggle", "add", "only", "all", "none"):
            raise InvalidRequestError(f"rows cannot be selected by {how!r}", hint="Use toggle, add, only, all or none.")
        if how in ("none", "only"):
            rows.clear_selection()
        if how == "all":
            self.state.require_valid_filters()
            rows.select_all()
        elif how != "none":
            rows.select(first, last, on=None if how == "toggle" else True)
        self.changed("selection")

    def select_keys(self, keys: list[str]) -> None:
        """Select the rows with these keys."""
        self.state.rows.select_keys(keys)
        self.changed("selection")

    # ── tables ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def open(self, label: str, place: int | None) -> None:
        """Open a table of the rows related to a row, e.g. the checkpoints of a run; None is the row whose details are shown."""
        state = self.state
        found = [opening for opening in state.sort.openings if opening.label == label]
        if not found:
            links = ", ".join(opening.label for opening in state.sort.openings)
            raise InvalidRequestError(f"a {state.sort.one} has no link {label!r}", hint=f"Its links are {links}.")
        if place is None:
            row = self.details.get_row(state)
        elif 0 <= place < len(state.rows):
            row = state.rows.frame.iloc[state.rows.order[place]]
        else:
            raise InvalidRequestError(f"there is no row {place}", hint=f"There are {len(state.rows)}.")
        value = row[found[0].column]
        if not isinstance(value, str):
            raise InvalidRequestError(f"the {found[0].column} of this row is not known", hint="Open another row.")
        opening, listing = found[0], refresh.LISTING_OF[found[0].sort]

        def opened(frame: pd.DataFrame) -> None:
            table = TableState(frame, SORTS[opening.sort])
            table.set_filters({opening.control: [value]})
            table.opened_by = label_origin(row, value)
            self.stack.append(table)
            self._table_changed()

        self._start_reading(
            f"reading {SORTS[opening.sort].title.lower()}", lambda c: refresh.read_listing(c, listing), opened
        )

    def back(self, depth: int) -> None:
        """Go back to the table at this depth of the stack; 0 is the first."""
        if not 0 <= depth < len(self.stack) - 1:
            return
        del self.stack[depth + 1 :]
        self._table_changed()
        self._renew_stale()

    def refresh(self) -> None:
        """Read the current table again; filters, order and selection are kept."""
        state = self.state
        old = state.rows.frame.copy(deep=False)
        old.attrs["tinker"] = state.about
        listing = refresh.find_listing(state.about, state.sort.name)

        def renewed(client: Client) -> pd.DataFrame:
            new = refresh.read_listing(client, listing, refresh=True)
            return refresh.merge_refreshed(old, new, state.sort.key)

        def replaced(frame: pd.DataFrame) -> None:
            state.replace(frame)
            self._table_changed()
            self.details.reload(state)

        self._start_reading("refreshing", renewed, replaced)

    def stop_reading(self) -> None:
        """Stop reading a table; the rows shown before are kept, with a note."""
        with self.lock:
            task, self.reading = self.reading, None
        if task is not None:
            task.cancel()
            self.set_note("Reading was stopped: the rows below are those from before.")

    # ── actions ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def target(self) -> Target:
        """Return the rows that an action applies to: the selected ones, as they are now.

        Raises
        ------
        InvalidRequestError
            If no row is selected, since matching the filters is not enough, or while a filter is not valid.
        """
        state = self.state
        state.require_valid_filters()
        if not state.rows.selection.any():
            raise InvalidRequestError(
                "no row is selected",
                hint="Select rows first; all that match by `Select all`, or in Python by `view.selected = view.filtered`.",
            )
        return make_target(state, lambda rows, name: refresh.read_checkpoints(self._client(), rows, name))

    def begin_action(self, name: str, **given: Any) -> None:
        """Start an action on the selected rows; its arguments may be given."""
        self.panel.begin(name, given)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for work in the background to finish; return False if `timeout` seconds were not enough."""
        ends = None if timeout is None else time.monotonic() + timeout
        while going := [
            task
            for task in (self.panel.task, self.reading, self.panel.estimator)
            if task is not None and not task.join(0)
        ]:
            if not going[0].join(None if ends is None else max(0.0, ends - time.monotonic())):
                return False
        return True

    def code(self, client: str = "") -> str:
        """Return Python code that reproduces the frame, filters, selection and plan."""
        target = self.panel.target
        of = target.rows if target is not None and target.name == self.state.sort.name else None
        return write_script(self.state, self.panel.plan, of, client=client or self._client_name())

    # ── what is shown ────────────────────────────────────────────────────────────────────────────────────────────────

    def part(self, name: str) -> Any:
        """Return the state of one of `PARTS`, as JSON-compatible values."""
        with self.lock:
            made: dict[str, Callable[[], Any]] = {
                "head": self._head_message,
                "filter_bar": self.state.filter_bar,
                "grid": self.state.grid,
                "selection": self.state.selection,
                "facet": self._facet_message,
                "summaries": self.state.summaries,
                "charts": self._charts_message,
                "detail": lambda: self.details.to_message(self.state),
                "action_panel": self.panel.to_message,
            }
            return made[name]()

    def _head_message(self) -> Head:
        state = self.state
        return {
            "trail": [table.sort.title for table in self.stack],
            "opened_by": [escape_control_characters(table.opened_by) for table in self.stack],
            "noun": state.sort.one,
            "count": state.count(),
            "age": state.about.get("fetched_at", ""),
            "banner": escape_control_characters(state.banner()),
            "note": escape_control_characters(self.note),
            "is_error": self.is_error,
            "reading": self.reading.to_message() if self.reading is not None else None,
            "charts": self.with_charts,
            "actions": [make_button(action) for action in OFFERED.values()],
        }

    def _charts_message(self) -> ChartList:
        rate = self._rates[0] if self._rates else None
        return self.state.charts(rate) if self.with_charts else {"number": self.state.rows.mask_number, "charts": []}

    def _facet_message(self) -> Facet:
        name = self._facet
        if name == "columns":
            return {"name": name, "columns": self.state.all_columns()}
        if name == "metadata":
            return {"name": name, "keys": self.state.metadata_keys()}
        control = self.state.controls.get(name)
        if control is None or control.kind != "options":
            return {"name": name, "options": []}
        options, total = self.state.search_options(name, self._facet_search)
        return {"name": name, "options": options, "total": total, "search": self._facet_search}

    # ── how ──────────────────────────────────────────────────────────────────────────────────────────────────────────

    def changed(self, *parts: str) -> None:
        """Send these parts to the browser, unless the view was closed; a panel that is open depends on the selection."""
        if self.is_closed:
            return
        is_panel_concerned = "selection" in parts and "action_panel" not in parts and self.panel.depends_on_selection
        if is_panel_concerned:
            self.panel.follow_selection()
        self._notify((*parts, "action_panel") if is_panel_concerned else parts)

    def set_note(self, note: str) -> None:
        """Show a note."""
        self.note, self.is_error = note, False
        self.changed("head")

    def show_error(self, text: str) -> None:
        """Show an error as the note."""
        self.note, self.is_error = text, True
        self.changed("head")

    def clear_note(self) -> None:
        """Remove the note."""
        if self.note:
            self.set_note("")

    def open_facet(self, name: str, search: str = "") -> None:
        """Send the options of a filter that hold a text, until those of another are requested."""
        self._facet, self._facet_search = name, search
        self.changed("facet")

    def send_summaries(self) -> None:
        """Send summaries and charts, and read the price of storage for these, once."""
        self.changed("summaries", "charts")
        if not self._rates:
            self._rates.append(None)
            start_threads(self._read_rate, 1, "tinker-frames-rate")

    def _read_rate(self) -> None:
        """Read dollars per gigabyte and month; charts go without if that fails."""
        rate = attempt(lambda: self._client().planner.read_rate()).value  # noqa: PLW0108  # the client may have to be made
        if rate is not None:
            with self.lock:
                self._rates[0] = rate
            self.changed("charts")

    def show_charts(self, on: bool) -> None:
        """Show or hide the charts beside the table."""
        self.with_charts = on
        self.changed("head", "charts")

    def _rearranged(self) -> None:
        self.clear_note()
        self._send_rows()

    def _table_changed(self) -> None:
        if self.details.key:
            self.changed("detail")
        self._send_rows()

    def _send_rows(self) -> None:
        """Send what depends on the filters, which the details of a row do not."""
        self.changed("head", "filter_bar", "grid", "selection", "facet")
        self.changed("summaries", "charts")  # later, so that the rows are there sooner

    def _panel_changed(self) -> None:
        self.changed("action_panel")

    def _start_reading(
        self, what: str, read: Callable[[Client], pd.DataFrame], then: Callable[[pd.DataFrame], None]
    ) -> None:
        """Read a frame in a background thread, and pass it on."""
        if self.reading is not None:
            raise InvalidRequestError("rows are already being read", hint="Wait for it, or cancel it.")

        writes = self._writes

        def ended(frame: pd.DataFrame | None, problem: BaseException | None) -> None:
            with self.lock:
                if self.reading is not task:
                    return  # it was cancelled, and another read may have started
                self.reading, self.note = None, "" if problem is None else describe_error(problem)
                self.is_error = problem is not None
                try:
                    if frame is not None:
                        then(frame)
                        self.state.is_stale = self.state.is_stale or writes != self._writes
                        self._renew_stale()
                except Exception as error:  # noqa: BLE001  # shown as a note; the rows are kept
                    self.note, self.is_error = describe_error(error), True
            self.changed("head")

        def work(_: Task) -> pd.DataFrame:
            return refresh.share_columns(read(self._client()), self._find_frames())

        task = self.reading = Task(what, work, ended, lambda: self.changed("head"))
        self.changed("head")
        task.start()

    def _after_write(self, paths: list[str]) -> None:
        """Update the rows that a plan changed in place; tables of runs and sessions are read again."""
        with self.lock:
            self._writes += 1
            for table in self.stack:
                table.is_stale = True
        if self.is_closed:
            return
        runs = runs_of(paths)
        fresh, lost = self._client().read_runs(runs)
        with self.lock:
            if self.is_closed:
                return
            state = self.state
            if state.sort.name == "checkpoints":
                old = state.rows.frame.copy(deep=False)
                old.attrs["tinker"] = state.about
                state.replace(refresh.merge_written(old, fresh, runs, lost))
                self._table_changed()
            self._renew_stale()

    def _renew_stale(self) -> None:
        """Read the current table again if a plan has changed its rows since."""
        if self.state.is_stale and self.reading is None:
            self.refresh()

    def _client_name(self) -> str:
        try:
            return "tkf" if is_default(self._client()) else "client"
        except TinkerError:  # there is no client, e.g. for rows made by hand
            return "tkf"
