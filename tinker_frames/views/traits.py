"""The public traits of a view, synced with the browser: `observe`, `link` and `jslink` work, and so does marimo's reactivity."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import pandas as pd
import traitlets

from ..errors import ArgumentTypeError, InvalidRequestError, TinkerError
from ..schema.identity import restore_keys
from ..schema.paths import quote_text
from .display import DisplayedWidget
from .explorer import PARTS, Explorer
from .task import describe_error

if TYPE_CHECKING:
    from .table import TableState

MOST_SYNCED_KEYS = 500  # that the browser is sent; more would be sent again with every row that is selected
# What to observe instead of what is no trait.
OBSERVED = {"selected": "selected_keys", "filtered": "query", "plan": "plan_id", "outcomes": "outcome_counts"}


def _send_keys(keys: list[str], _: Any) -> list[str] | None:
    return keys if len(keys) <= MOST_SYNCED_KEYS else None


def _take_keys(keys: list[str] | None, view: SyncedTraits) -> list[str]:
    return view.selected_keys if keys is None else keys


class SyncedTraits(DisplayedWidget):
    """The traits of a view that its user and other widgets set and observe; base class of `View`."""

    query = traitlets.Unicode().tag(sync=True)
    filters = traitlets.Dict().tag(sync=True)
    sort = traitlets.List(traitlets.Unicode()).tag(sync=True)
    columns = traitlets.List(traitlets.Unicode()).tag(sync=True)
    # Its items are checked where they are looked up.
    selected_keys: traitlets.List[Any] = traitlets.List().tag(sync=True, to_json=_send_keys)
    plan_id = traitlets.Unicode(read_only=True).tag(sync=True)
    outcome_counts = traitlets.Dict(read_only=True).tag(sync=True)

    # Counted up by the browser after the others have changed: marimo runs cells again only for what comes from there.
    _seen = traitlets.Int().tag(sync=True)

    _explorer: Explorer
    _listed_keys: list[str] | None = None  # as Python has set them last

    # Without the decorator of traitlets, which would call `observe` below before there is a view.
    def observe(self, handler: Callable[..., Any], names: Any = traitlets.All, type: str = "change") -> None:  # noqa: A002
        """Call a function whenever a trait changes, as `traitlets.HasTraits.observe`.

        Raises
        ------
        InvalidRequestError
            For a name that is no trait, such as `selected`: nothing would ever be called.
        """
        for name in [names] if isinstance(names, str) else names if isinstance(names, Iterable) else ():
            if isinstance(name, str) and not self.has_trait(name):
                hint = f"Observe {OBSERVED.get(name, ', '.join(sorted(PUBLIC)))}."
                raise InvalidRequestError(f"{name!r} is no trait of a view, so it cannot be observed", hint=hint)
        super().observe(handler, names, type)

    def set_state(self, sync_data: dict[str, Any]) -> None:
        """Take traits that the browser has set; what is refused is shown in the view, and set back."""
        super().set_state({name: value for name, value in sync_data.items() if name not in PUBLIC})
        for name in (
            name for name in sync_data if name in PUBLIC
        ):  # ipywidgets would validate them only after they are set
            try:
                value = sync_data[name]
                setattr(self, name, _take_keys(value, self) if name == "selected_keys" else value)
            except (TinkerError, traitlets.TraitError) as error:
                self._explorer.show_error(describe_error(error))
                self.send_state([name])

    def _update_traits(self, parts: tuple[str, ...]) -> None:
        """Set the traits to the state of the view after these parts of it may have changed."""
        state, panel = self._explorer.state, self._explorer.panel
        if "grid" in parts:
            self.query, self.sort, self.columns = state.query, list(state.rows.sort), list(state.columns)
        if "filter_bar" in parts:
            self.filters = dict(state.values)
        if "selection" in parts:
            self._listed_keys = state.rows.list_selected_keys()
            self.selected_keys = self._listed_keys
        if "action_panel" in parts:
            counts = {} if panel.outcomes is None else panel.outcomes["outcome"].value_counts().to_dict()
            self.set_trait("plan_id", "" if panel.plan is None else panel.plan.id)
            self.set_trait("outcome_counts", {str(outcome): int(rows) for outcome, rows in counts.items()})

    @traitlets.validate("query")
    def _query_given(self, proposal: Any) -> str:
        with self._explorer.lock:
            if proposal.value != self._explorer.state.query:
                self._explorer.set_query(proposal.value)
            return self._explorer.state.query

    @traitlets.validate("filters")
    def _filters_given(self, proposal: Any) -> dict[str, Any]:
        with self._explorer.lock:
            if proposal.value != self._explorer.state.values:
                self._explorer.state.combine_filters(proposal.value)
                self._explorer.changed(*PARTS)
            return dict(self._explorer.state.values)

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

    @traitlets.validate("selected_keys")
    def _keys_given(self, proposal: Any) -> list[str]:
        with self._explorer.lock:
            listed = self._listed_keys
            if listed is not None and proposal.value is listed:
                return listed  # of 100,000 rows, each look at the keys counts
            rows = self._explorer.state.rows
            if list(proposal.value) != rows.list_selected_keys():
                self._explorer.select_keys(list_keys(proposal.value, self._explorer.state))
            return rows.list_selected_keys()


PUBLIC = [
    name
    for name, trait in vars(SyncedTraits).items()
    if isinstance(trait, traitlets.TraitType) and not name.startswith("_")
]


def list_keys(rows: Any, state: TableState) -> list[Any]:
    """Return the keys of the rows to select; raises `ArgumentTypeError` for what is neither a frame nor keys, and for keys of no row."""
    key = state.sort.key
    if isinstance(rows, pd.DataFrame):
        rows = restore_keys(rows)
        if key not in rows.columns:
            raise ArgumentTypeError(
                f"selected was given a frame without a column {key!r}",
                hint=f"Pass rows of view.frame, or a list of {key}s.",
            )
        return _check_keys(list(rows[key].dropna()), state)
    expected = f"selected must be a frame with a column {key!r}, or a list of its values"
    if isinstance(rows, (str, bytes)) or not isinstance(rows, Iterable):
        raise ArgumentTypeError(f"{expected}, not {type(rows).__name__}")
    keys = list(rows)
    odd = [value for value in keys if not isinstance(value, str)]
    if odd and not pd.Series(odd, dtype="object").isin(list(state.rows.frame[key])).all():
        raise ArgumentTypeError(f"{expected}, not of {type(odd[0]).__name__}")
    return _check_keys(keys, state)


def _check_keys(keys: list[Any], state: TableState) -> list[Any]:
    """Return keys, every one of which has to be that of a row of the view."""
    missing = sorted(set(map(str, keys)) - set(state.rows.frame[state.sort.key].dropna().astype(str)))
    if missing:
        more = f" (nor do {len(missing) - 1:,} more)" if len(missing) > 1 else ""
        hint = "Refresh the view, or pass rows of view.frame."
        raise InvalidRequestError(f"selected: {quote_text(missing[0])} names no row of this view{more}", hint=hint)
    return keys
