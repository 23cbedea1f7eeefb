"""The notebook views; importable without the widget packages, with an error that names the extra to install."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, overload

if TYPE_CHECKING:
    import pandas as pd
    from ipywidgets import Layout

    from ..client import Client
    from .costs_view import CostsView
    from .widget import View


@overload
def explore(
    frame_or_name: Literal["costs"],
    client: Client | None = None,
    *,
    layout: dict[str, Any] | Layout | None = None,
    save_rows: bool = True,
) -> CostsView: ...


@overload
def explore(
    frame_or_name: pd.DataFrame | str = "checkpoints",
    client: Client | None = None,
    *,
    layout: dict[str, Any] | Layout | None = None,
    save_rows: bool = True,
) -> View: ...


def explore(
    frame_or_name: pd.DataFrame | str = "checkpoints",
    client: Client | None = None,
    *,
    layout: dict[str, Any] | Layout | None = None,
    save_rows: bool = True,
) -> View | CostsView:
    """Return a view of a table, with filters, sorting, selection and actions; a notebook shows it.

    Parameters
    ----------
    frame_or_name
        A frame of sessions, training runs or checkpoints, filtered or not; or what to list: `"checkpoints"` (with the columns of
        their runs and sessions, as `inventory()`), `"training_runs"` or `"runs"`, `"sessions"`; `"costs"` for a picture of dollars by
        day, as of any frame of `costs()` or `usage()`. `SessionsView(frame)` is the table of costs by session.
    client
        The account; else the one that the frame came from, else the default one.
    layout
        The CSS layout of the widget, as of every widget of ipywidgets, e.g. `{"width": "900px"}`.
    save_rows
        Whether the first rows are saved with the notebook, as a static table that stands for the view without a kernel. Jupyter's own
        setting to save the state of all widgets, which is off by default, would save the rows besides.

    Returns
    -------
    View
        A `CheckpointsView`, `TrainingRunsView` or `SessionsView`; of costs, a `CostsView`. `view.filtered` and `view.selected` are frames,
        `view.query` is a pandas expression, `view.code()` the lines that reproduce what was clicked.

    Raises
    ------
    ImportError
        Without the extra `lab`.
    InvalidRequestError
        For a frame or name that cannot be explored, or a client of another account.

    Examples
    --------
    >>> view = explore(client.checkpoints())
    >>> view.selected["size_gb"].sum()
    >>> explore(client.costs("day", start="90d"))
    """
    from . import widget

    return widget.view_of(frame_or_name, client, layout, save_rows=save_rows)
