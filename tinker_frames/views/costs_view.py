"""The picture of costs as a widget: dollars of each day or other group, stacked by kind, with a table beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from ..client import Client
from ..errors import InvalidRequestError
from ..functions import default_client
from ..schema.arguments import check_argument
from .cells import format_amount
from .cost_picture import describe_costs, is_usage, sum_usage
from .static_table import MISSING_EXTRA, ROWS, WITHOUT_ROWS, format_table, wrap_static

try:
    import traitlets
    from ipywidgets import Layout

    from .display import DisplayedWidget
except ImportError as error:
    raise ImportError(MISSING_EXTRA) from error

STATIC = Path(__file__).parent / "static"  # bundled from frontend/


class CostsView(DisplayedWidget):
    """A picture of costs in a notebook: dollars by day or another group, stacked by kind, with a table beside it.

    A day without events has no mark, one that cost nothing has a line, and what is not priced is hatched: its height is not known.
    Days that a filtered frame lacks are not drawn. The picture has no filters, selection, actions or `code()`, which are those of
    views of tables: filter the frame instead.

    Parameters
    ----------
    frame
        A frame of `costs()`, by day, week, month, year or any other groups, or of `usage()`, which is added up by day; None for the
        last 30 days by day.
    client
        The account, if no frame is given; None for the default client.
    layout
        The CSS layout of the widget, as of every widget of ipywidgets, e.g. `{"width": "900px"}`.
    save_rows
        Whether the first rows are saved with the notebook, as a static table that stands for the view without a kernel.

    Attributes
    ----------
    frame : DataFrame
        The costs.

    Raises
    ------
    InvalidRequestError
        For a frame that is not of costs or usage, and where `query` is set.
    TinkerError
        As `Client.costs`, if the view reads them.

    Examples
    --------
    >>> tkf.CostsView(client.costs("day", start="90d"))
    """

    _esm = (STATIC / "costs_view.js").read_text(encoding="utf-8")
    _css = (STATIC / "costs_view.css").read_text(encoding="utf-8")

    _picture = traitlets.Any().tag(sync=True)

    def __init__(
        self,
        frame: pd.DataFrame | None = None,
        client: Client | None = None,
        *,
        layout: dict[str, Any] | Layout | None = None,
        save_rows: bool = True,
    ) -> None:
        check_argument("frame", frame, pd.DataFrame | None)
        check_argument("client", client, Client | None)
        check_argument("save_rows", save_rows, bool)
        frame = (client or default_client()).costs("day") if frame is None else frame
        self.frame = sum_usage(frame) if is_usage(frame) else frame
        self._save_rows = save_rows
        super().__init__(_picture=describe_costs(self.frame), **({} if layout is None else {"layout": layout}))

    def __setattr__(self, name: str, value: Any) -> None:
        """Set an attribute; refuse those by which a view of a table is filtered."""
        if name in ("query", "filtered", "selected"):
            hint = 'Filter the frame: tkf.explore(view.frame.query("cost_usd > 1")).'
            raise InvalidRequestError(f"a picture of costs has no {name!r}", hint=hint)
        super().__setattr__(name, value)

    def __repr__(self) -> str:
        return f"<CostsView of {self._picture['title'].lower()}: {self._picture['text']}>"

    def _static(self) -> str:
        """Return the first groups as an HTML table."""
        picture = self._picture
        names = ["dollars", *(kind["label"] for kind in picture["kinds"]), "not priced"]
        columns = [(picture["group"], "left"), *((name, "right") for name in names)]
        rows = [
            [group["label"], *map(format_amount, (group["total"], *group["parts"])), f"{group['unpriced']:,}"]
            for group in picture["groups"][:ROWS]
        ]
        table = format_table(columns, rows, f"{picture['title']}: {picture['text']}")
        return wrap_static(table if self._save_rows else f"<p>{WITHOUT_ROWS}</p>", self._static_id)
