"""The widgets: show an `Explorer` in a notebook and pass messages between it and the browser."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from ..client import Client
from ..frames.text import escape_control_characters
from ..functions import default_client, find_client
from ..plans.plan import Plan
from ..schema.arguments import check_argument
from ..schema.docstrings import join_sections, split_sections
from . import lifetime, refresh
from .cost_picture import is_costs
from .costs_view import CostsView
from .explorer import Explorer
from .handlers import handle
from .requests import HeardReply
from .sorts import SORTS, sort_of
from .static_table import MISSING_EXTRA, format_static_table
from .table import LIMITS, TableState

try:
    import traitlets
    from ipywidgets import Layout

    from .traits import SyncedTraits, list_keys
except ImportError as error:
    raise ImportError(MISSING_EXTRA) from error

STATIC = Path(__file__).parent / "static"  # bundled from frontend/
AT_FIRST = ("head", "filter_bar", "grid", "selection", "action_panel")  # the other parts follow after the first rows


class View(SyncedTraits):
    """A table of an account in a notebook, with filters, sorting, selection and actions; base class of the views.

    Parameters
    ----------
    frame
        A frame of the table; None lists it.
    client
        The account; else the one that the frame came from, else the default one.
    layout
        The CSS layout of the widget, as of every widget of ipywidgets, e.g. `{"width": "900px"}`.
    save_rows
        Whether the first rows are saved with the notebook, as a static table that stands for the view without a kernel.

    Attributes
    ----------
    query : str
        The pandas expression of all filters; setting it replaces all filters.
    filters : dict
        The value of each filter that is set, by its name. Setting it replaces all filters but the pandas query: what `query` had before
        goes on filtering, unless `"query"` is given.
    sort : list of str
        The columns that rows are sorted by, the first one first; `-` before a name for descending.
    columns : list of str
        The columns that are shown, in order.
    selected_keys : list of str
        The keys of the selected rows, e.g. tinker paths, in the order of the view; the browser is sent at most 500.
    plan_id : str
        The id of `plan`; empty if there is none. Read-only.
    outcome_counts : dict
        The number of rows of `outcomes` by outcome. Read-only.

    Raises
    ------
    InvalidRequestError
        For a frame that cannot be explored, or a client of another account.
    TinkerError
        As `Client.inventory`, `Client.training_runs` or `Client.sessions`, if the view lists the table.

    Examples
    --------
    >>> view = tkf.CheckpointsView(client=client)
    >>> view.query = "size_gb > 1 and not public"
    >>> view.filtered["size_gb"].sum()
    """

    _esm = (STATIC / "view.js").read_text(encoding="utf-8")
    _css = (STATIC / "view.css").read_text(encoding="utf-8")

    _limits = traitlets.Any(LIMITS).tag(sync=True)
    _head = traitlets.Any().tag(sync=True)
    _filter_bar = traitlets.Any().tag(sync=True)
    _grid = traitlets.Any().tag(sync=True)
    _selection = traitlets.Any().tag(sync=True)
    _facet = traitlets.Any().tag(sync=True)
    _summaries = traitlets.Any().tag(sync=True)
    _charts = traitlets.Any().tag(sync=True)
    _detail = traitlets.Any().tag(sync=True)
    _action_panel = traitlets.Any().tag(sync=True)

    _table = ""

    def __init__(
        self,
        frame: pd.DataFrame | None = None,
        client: Client | None = None,
        *,
        layout: dict[str, Any] | Layout | None = None,
        save_rows: bool = True,
    ) -> None:
        check_argument("save_rows", save_rows, bool)
        if frame is None:
            client = client or default_client()
            frame = read_table(client, self._table)
        state = TableState(frame, SORTS.get(self._table))
        about = pd.DataFrame()
        about.attrs["tinker"] = state.about
        if client is not None:
            find_client(about, client)
        self._save_rows = save_rows
        changed = lifetime.bind_weakly(self._changed)
        self._explorer = Explorer(state, lambda: find_client(about, client), changed, find_frames)
        first = {f"_{name}": self._explorer.part(name) for name in AT_FIRST}
        first |= {} if layout is None else {"layout": layout}
        super().__init__(columns=state.columns, **first)
        self.on_msg(lifetime.bind_weakly(self._receive))

    def close(self) -> None:
        """Close the view, also in the notebook, and release its rows; a running plan continues.

        Afterwards, its frames raise `InvalidRequestError`. A view is closed by itself once no variable refers to it and no output of
        a cell shows it, e.g. because the cell was run again.

        Examples
        --------
        >>> view.close()
        """
        explorer: Explorer | None = vars(self).get("_explorer")  # None if its frame was refused
        if explorer is not None and not explorer.is_closed:
            explorer.close()
            lifetime.return_memory()
        super().close()

    # ── frames and code ──────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def frame(self) -> pd.DataFrame:
        """All rows of the current table: a DataFrame with one row per checkpoint, training run or session; dtypes as of its listing."""
        return self._with_attrs(self._explorer.state.rows.frame)

    @property
    def filtered(self) -> pd.DataFrame:
        """The rows of `frame` that match the filters, in the order of the view."""
        return self._with_attrs(self._explorer.state.rows.get_filtered())

    @property
    def selected(self) -> pd.DataFrame:
        """The selected rows of `frame`, also those that the filters hide; set it to a frame or to keys (e.g. tinker paths) of its rows."""
        return self._with_attrs(self._explorer.state.rows.get_selected())

    @selected.setter
    def selected(self, rows: pd.DataFrame | Iterable[str]) -> None:
        with self._explorer.lock:
            self._explorer.select_keys(list_keys(rows, self._explorer.state))

    @property
    def plan(self) -> Plan | None:
        """The plan that is shown for confirmation or was run last; None before the first, and until `act` has made it: see `wait`."""
        return self._explorer.panel.plan

    @property
    def outcomes(self) -> pd.DataFrame | None:
        """The outcomes of the plan that was run last, one row per checkpoint, as `Plan.run` returns them; None before the first."""
        return self._explorer.panel.outcomes

    def code(self) -> str:
        """Return Python code that reproduces the frame, filters, selection and plan."""
        with self._explorer.lock:
            return self._explorer.code()

    def act(self, action: str, **given: Any) -> None:
        """Show the plan of an action on the selected rows; no write is sent until it is confirmed.

        The plan is made in the background: `view.wait()` waits until `view.plan` has it.

        Parameters
        ----------
        action
            An action of `df.tinker`, e.g. `"expire"` or `"delete"`; or `"export"`, which writes a file at once.
        **given
            The arguments of the action, as of `df.tinker`; a keep rule can also be given by its name, as in `keep_last=3`. Without
            the arguments that it needs, the action shows its form. Export takes `path`, `overwrite` and, for runs and sessions,
            `checkpoints=True` to write their checkpoints.

        Raises
        ------
        InvalidRequestError
            For an unknown action, invalid arguments, without a selection, or while another action is in progress.

        Examples
        --------
        >>> view.selected = view.filtered
        >>> view.act("retire", keep_last=3, after="24h")  # or e.g. "set_ttl", ttl="30d"
        """
        with self._explorer.lock:
            self._explorer.begin_action(action, **given)

    def propose(self, plan: Plan) -> None:
        """Show a plan for confirmation, e.g. one made with `df.tinker`; no write is sent until it is confirmed.

        Raises
        ------
        InvalidRequestError
            While another action is in progress.

        Examples
        --------
        >>> view.propose(view.filtered.tinker.delete())
        """
        with self._explorer.lock:
            self._explorer.panel.propose(plan)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for work in the background, such as reading rows or running a plan.

        Parameters
        ----------
        timeout
            Maximum number of seconds to wait; None for no limit.

        Returns
        -------
        bool
            False if the work is still in progress after `timeout`.

        Examples
        --------
        >>> view.wait(60)
        """
        return self._explorer.wait(timeout)

    # ── messages ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _receive(self, _: Any, content: dict[str, Any], __: Any) -> None:
        # Every message gets a reply, also one that changes nothing: without a reply, the browser reports a missing kernel.
        heard: HeardReply = {"heard": content.get("do")}
        self.send(handle(self._explorer, content) or heard)

    def _changed(self, parts: tuple[str, ...]) -> None:
        """Send parts of the state in one message."""
        with self._explorer.lock, self.hold_sync():
            if self._explorer.is_closed:
                return
            for name in parts:
                setattr(self, f"_{name}", self._explorer.part(name))
            self._update_traits(parts)

    # ── display ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def __repr__(self) -> str:
        if self._explorer.is_closed:
            return f"<{type(self).__name__}, closed>"
        return f"<{type(self).__name__} of {escape_control_characters(self._explorer.state.describe())}>"

    def _static(self) -> str:
        return format_static_table(self._explorer.state, self._static_id, save_rows=self._save_rows)

    def _with_attrs(self, frame: pd.DataFrame) -> pd.DataFrame:
        frame = frame.copy(deep=False)
        frame.attrs["tinker"] = dict(self._explorer.state.about)
        return frame


class CheckpointsView(View):
    """A view of checkpoints, one row each, with the columns of their training runs and sessions if it lists them itself."""

    _table = "checkpoints"


class TrainingRunsView(View):
    """A view of training runs, one row each; its actions apply to their checkpoints."""

    _table = "training_runs"


class SessionsView(View):
    """A view of sessions, one row each; its actions apply to their checkpoints."""

    _table = "sessions"


VIEWS = {view._table: view for view in (CheckpointsView, TrainingRunsView, SessionsView)}  # noqa: SLF001
for _view in VIEWS.values():  # their constructor, traits and errors are those of `View`
    _view.__doc__ = join_sections(split_sections(View.__doc__ or "") | split_sections(_view.__doc__ or ""))


def view_of(
    frame_or_name: pd.DataFrame | str,
    client: Client | None,
    layout: dict[str, Any] | Layout | None = None,
    *,
    save_rows: bool = True,
) -> View | CostsView:
    """Return the view of a frame, or of the listing with this name."""
    check_argument("frame_or_name", frame_or_name, pd.DataFrame | str)
    check_argument("client", client, Client | None)
    check_argument("layout", layout, dict[str, Any] | Layout | None)
    check_argument("save_rows", save_rows, bool)
    if isinstance(frame_or_name, pd.DataFrame):
        if is_costs(frame_or_name):
            return CostsView(frame_or_name, client, layout=layout, save_rows=save_rows)
        return VIEWS[sort_of(frame_or_name).name](frame_or_name, client, layout=layout, save_rows=save_rows)
    name = "checkpoints" if frame_or_name == "inventory" else frame_or_name
    client = client or default_client()
    if name == "costs":
        return CostsView(client=client, layout=layout, save_rows=save_rows)
    return view_of(read_table(client, name), client, layout, save_rows=save_rows)


def read_table(client: Client, name: str) -> pd.DataFrame:
    """Return the frame of a table; it shares its columns with open views of the same listing."""
    return refresh.share_columns(refresh.read_listing(client, refresh.LISTING_OF.get(name, name)), find_frames())


def find_frames() -> list[pd.DataFrame]:
    """Return the frames of all open views."""
    return [frame for view in lifetime.find_open_widgets(View) for frame in view._explorer.get_frames()]  # noqa: SLF001
