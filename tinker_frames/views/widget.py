"""The views: ipywidgets that show an `Explorer` in a notebook and hand its messages on; no rules, no requests."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd

from ..client import Client
from ..frames.text import escape_control_characters
from ..functions import default_client, find_client
from ..plans.plan import Plan
from ..rest.progress import in_notebook
from . import refresh
from .explorer import PARTS, Explorer
from .handlers import handle
from .requests import HeardReply
from .table import LIMITS, SORTS, TableState, sort_of

MISSING_EXTRA = 'The views need ipywidgets and anywidget: pip install "tinker-frames[lab]"'

try:
    import anywidget
    import traitlets
except ImportError as error:
    raise ImportError(MISSING_EXTRA) from error

STATIC = Path(__file__).parent / "static"  # bundled from frontend/
STATIC_ROWS = 20
STATIC_COLUMNS = 8
AT_FIRST = ("head", "filter_bar", "grid", "selection", "action_panel")  # the rest when the first rows are there


class View(anywidget.AnyWidget):
    """A table of an account in which to filter, sort, select and act.

    Parameters
    ----------
    frame
        A frame of the table; None lists it.
    client
        The account; else the one that the frame came from, else the default one.

    Attributes
    ----------
    query : str
        The pandas expression of all filters; setting it filters by it and nothing else.
    sort : list of str
        The columns that rows are sorted by, the first counting most; `-` before a name for descending.
    columns : list of str
        The columns that are shown, in order.
    """

    _esm = (STATIC / "view.js").read_text(encoding="utf-8")
    _css = (STATIC / "view.css").read_text(encoding="utf-8")

    _limits = traitlets.Any(LIMITS).tag(sync=True)
    _head = traitlets.Any().tag(sync=True)
    _filter_bar = traitlets.Any().tag(sync=True)
    _grid = traitlets.Any().tag(sync=True)
    _selection = traitlets.Any().tag(sync=True)
    _facet = traitlets.Any().tag(sync=True)
    _charts = traitlets.Any().tag(sync=True)
    _action_panel = traitlets.Any().tag(sync=True)
    _static_id = traitlets.Unicode().tag(sync=True)  # of the table that stands for the view where it is not alive

    query = traitlets.Unicode()
    sort = traitlets.List(traitlets.Unicode())
    columns = traitlets.List(traitlets.Unicode())

    _table = ""

    def __init__(self, frame: pd.DataFrame | None = None, client: Client | None = None) -> None:
        if frame is None:
            client = client or default_client()
            frame = refresh.read_listing(client, refresh.LISTING_OF[self._table])
        state = TableState(frame, SORTS.get(self._table))
        about = pd.DataFrame()
        about.attrs["tinker"] = state.about
        if client is not None:
            find_client(about, client)
        self._explorer = Explorer(state, lambda: find_client(about, client), self._changed)
        first = {f"_{name}": self._explorer.part(name) for name in AT_FIRST}
        super().__init__(columns=state.columns, _static_id=secrets.token_hex(8), **first)
        self.on_msg(self._receive)

    # ── what was clicked, as frames and code ─────────────────────────────────────────────────────────────────────────

    @property
    def frame(self) -> pd.DataFrame:
        """All rows of the table that is shown."""
        return self._with_attrs(self._explorer.state.rows.frame)

    @property
    def filtered(self) -> pd.DataFrame:
        """The rows that match, in the order of the view."""
        return self._with_attrs(self._explorer.state.rows.get_filtered())

    @property
    def selected(self) -> pd.DataFrame:
        """The rows that are selected, those that the filters hide included; set it to a frame or to keys."""
        return self._with_attrs(self._explorer.state.rows.get_selected())

    @selected.setter
    def selected(self, rows: pd.DataFrame | Iterable[str]) -> None:
        key = self._explorer.state.sort.key
        with self._explorer.lock:
            self._explorer.select_keys(list(rows[key] if isinstance(rows, pd.DataFrame) else rows))

    @property
    def filters(self) -> dict[str, Any]:
        """What each filter is set to, by its name; set it to filter by these and nothing else."""
        return dict(self._explorer.state.values)

    @filters.setter
    def filters(self, values: dict[str, Any]) -> None:
        with self._explorer.lock:
            self._explorer.state.set_filters(values)
            self._explorer.changed(*PARTS)

    @property
    def plan(self) -> Plan | None:
        """The plan that is shown for confirmation, or was carried out last."""
        return self._explorer.panel.plan

    @property
    def outcomes(self) -> pd.DataFrame | None:
        """One row per checkpoint of the plan that was carried out last."""
        return self._explorer.panel.outcomes

    def code(self) -> str:
        """Return the lines of Python that reproduce the frame, the filters, the selection and the plan."""
        with self._explorer.lock:
            return self._explorer.code()

    def act(self, action: str, **given: Any) -> None:
        """Show the plan of an action on what is selected, else on all that match; nothing is sent until it is confirmed.

        The actions and their arguments are those of `df.tinker`: `act("set_ttl", ttl="30d")`, `act("retire", keep=rule, after="24h")`.
        A keep rule can also be named: `act("retire", keep_last=3)`. `act("export", path="rows.parquet")` writes a file instead;
        `checkpoints=True` writes the checkpoints of runs or sessions. Without its arguments, an action shows its form.
        """
        with self._explorer.lock:
            self._explorer.begin_action(action, **given)

    def propose(self, plan: Plan) -> None:
        """Show a plan for confirmation that was made elsewhere."""
        with self._explorer.lock:
            self._explorer.panel.propose(plan)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until what goes on in the background is over; False if it is not, after so many seconds."""
        return self._explorer.wait(timeout)

    # ── traits ───────────────────────────────────────────────────────────────────────────────────────────────────────

    @traitlets.validate("query")
    def _query_given(self, proposal: Any) -> str:
        with self._explorer.lock:
            if proposal.value != self._explorer.state.query:
                self._explorer.set_query(proposal.value)
            return self._explorer.state.query

    @traitlets.validate("sort")
    def _sort_given(self, proposal: Any) -> list[str]:
        with self._explorer.lock:
            if tuple(proposal.value) != self._explorer.state.rows.sort:
                self._explorer.order_by(proposal.value)
            return list(self._explorer.state.rows.sort)

    @traitlets.validate("columns")
    def _columns_given(self, proposal: Any) -> list[str]:
        with self._explorer.lock:
            if list(proposal.value) != self._explorer.state.columns:
                self._explorer.show_columns(proposal.value)
            return list(self._explorer.state.columns)

    # ── to and from the browser ──────────────────────────────────────────────────────────────────────────────────────

    def _receive(self, _: Any, content: dict[str, Any], __: Any) -> None:
        # Every message is answered, also one that changes nothing: a browser that hears nothing says that the kernel is gone.
        heard: HeardReply = {"heard": content.get("do")}
        self.send(handle(self._explorer, content) or heard)

    def _changed(self, parts: tuple[str, ...]) -> None:
        """Send parts of what is shown, as one message."""
        with self._explorer.lock, self.hold_sync():
            for name in parts:
                setattr(self, f"_{name}", self._explorer.part(name))
            if "grid" in parts:
                state = self._explorer.state
                self.query, self.sort, self.columns = state.query, list(state.rows.sort), list(state.columns)

    # ── shown elsewhere ──────────────────────────────────────────────────────────────────────────────────────────────

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {escape_control_characters(self._explorer.summary())}>"

    def _ipython_display_(self, **_: Any) -> None:
        """Show a static table, which the view hides as long as it is alive, and then the view.

        A notebook that is opened again without its kernel, or exported, has the static table to show.
        """
        if not in_notebook():
            raise NotImplementedError  # a terminal shows the repr
        from IPython.display import publish_display_data

        publish: Any = publish_display_data  # it has no types
        publish({"text/html": self._static(), "text/plain": repr(self)})
        live = super()._repr_mimebundle_()
        publish(*(live if isinstance(live, tuple) else (live,)))  # with its metadata, which Colab needs

    def _repr_mimebundle_(self, **options: Any) -> Any:
        """Return the view, and a static table for where no widget can be shown."""
        bundle = super()._repr_mimebundle_(**options)
        data = bundle[0] if isinstance(bundle, tuple) else bundle
        if data is not None:
            data["text/html"] = self._static()
        return bundle

    def _static(self) -> str:
        """Return the first rows as HTML; everything that came from the service is escaped."""
        state = self._explorer.state
        shown = state.chunk(0)[:STATIC_ROWS]
        left = 'style="text-align: left"'
        head = "".join(
            f"<th {left}>{escape(escape_control_characters(name))}</th>" for name in state.columns[:STATIC_COLUMNS]
        )
        rows = (
            "".join(f"<td {left}>{escape(_text(cell))}</td>" for cell in row[2 : 2 + STATIC_COLUMNS]) for row in shown
        )
        body = "".join(f"<tr>{cells}</tr>" for cells in rows)
        return (
            f'<div data-tkf-static="{self._static_id}" style="animation: tkf-late 0s 1s backwards">'
            "<style>@keyframes tkf-late {from {display: none; visibility: hidden}}</style>"
            f"<p>{escape(escape_control_characters(self._explorer.summary()))}; the first {len(shown)} rows as they were. Run the cell for the view.</p>"
            f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
        )

    def _with_attrs(self, frame: pd.DataFrame) -> pd.DataFrame:
        frame = frame.copy(deep=False)
        frame.attrs["tinker"] = dict(self._explorer.state.about)
        return frame


class CheckpointsView(View):
    """Checkpoints in which to filter, select, publish, expire and delete: `CheckpointsView(frame=None, client=None)`."""

    _table = "checkpoints"


class TrainingRunsView(View):
    """Training runs in which to filter, select, and act on their checkpoints: `TrainingRunsView(frame=None, client=None)`."""

    _table = "training_runs"


class SessionsView(View):
    """Sessions in which to filter, select, and act on their checkpoints: `SessionsView(frame=None, client=None)`."""

    _table = "sessions"


VIEWS = {view._table: view for view in (CheckpointsView, TrainingRunsView, SessionsView)}  # noqa: SLF001


def view_of(frame_or_name: pd.DataFrame | str, client: Client | None) -> View:
    """Return the view of a frame, or of what is listed under a name."""
    if isinstance(frame_or_name, pd.DataFrame):
        return VIEWS[sort_of(frame_or_name).name](frame_or_name, client)
    name = "checkpoints" if frame_or_name == "inventory" else frame_or_name
    client = client or default_client()
    listing = refresh.LISTING_OF.get(name, name)
    return view_of(refresh.read_listing(client, listing), client)


def _text(cell: Any) -> str:
    return str(cell[0] if isinstance(cell, list) else cell)
