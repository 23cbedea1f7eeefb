"""Filter, sort and select the rows of a frame without moving them; pure.

Rows are identified by their position in the frame; callers name them by their place in the current order. The order has a number, so
that a request about an earlier order is recognised.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..frames.query import check_columns, evaluate_condition, sort_rows

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd

    from ..frames.query import Mask

Places = np.ndarray[Any, np.dtype[np.intp]]
KEPT = 64  # conditions whose masks are cached; each letter typed makes a new one


class Rows:
    """A frame with a filter, an order and a selection.

    Attributes
    ----------
    frame
        The rows, with the index that they came with.
    order
        The positions of the matching rows, in sort order.
    number
        Changes whenever `order` may have changed; not with the selection.
    mask_number
        Changes whenever the rows that match may have changed; not with the sort order.
    """

    def __init__(self, frame: pd.DataFrame, key: str) -> None:
        self.key = key
        self.number = self.mask_number = 0
        self.sort: tuple[str, ...] = ()
        self._masks: dict[str, Mask] = {}
        self._sorted: Places
        self._conditions: dict[str, str] = {}
        self._take(frame)
        self.selection: Mask = np.zeros(len(frame), dtype=bool)
        self.order: Places = self._sorted
        self.mask: Mask = np.ones(len(frame), dtype=bool)

    def __len__(self) -> int:
        return len(self.order)

    # ── filter, sort ─────────────────────────────────────────────────────────────────────────────────────────────────

    def filter(self, conditions: dict[str, str]) -> None:
        """Show the rows that meet all of these named conditions.

        Raises
        ------
        InvalidRequestError
            If one cannot be evaluated; nothing is changed then.
        """
        conditions = {name: text for name, text in conditions.items() if text}
        for text in conditions.values():
            self._mask_of(text)
        self._conditions = conditions
        self.mask_number += 1
        self._arrange()

    def mask_without(self, name: str) -> Mask:
        """Return the mask of the rows that meet every condition except one; `mask` itself if there is no such condition."""
        if name not in self._conditions:
            return self.mask
        return self._all(text for other, text in self._conditions.items() if other != name)

    def order_by(self, sort: Iterable[str]) -> None:
        """Sort by columns, the first one first; `-` before a name for descending; NA is always last.

        Raises
        ------
        InvalidRequestError
            If there is no such column.
        TypeError
            If the values of one cannot be compared.
        """
        sort = tuple(dict.fromkeys(sort))
        self._sorted, self.sort = self._sorted_by(sort), sort
        self._arrange()

    # ── selection ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def select(self, first: int, last: int, *, on: bool | None = None) -> None:
        """Select the rows between two places of the current order, inclusive; None toggles each."""
        low, high = sorted((first, last))
        places = self.order[max(low, 0) : max(high + 1, 0)]
        self.selection[places] = ~self.selection[places] if on is None else on

    def select_all(self) -> None:
        """Add all matching rows to the selection."""
        self.selection |= self.mask

    def clear_selection(self) -> None:
        """Clear the selection."""
        self.selection[:] = False

    def select_keys(self, keys: Iterable[str]) -> None:
        """Select the rows with these keys, and no others."""
        # A copy: pandas may return a read-only array.
        self.selection = np.array(self.frame[self.key].isin(set(keys)), dtype=bool)

    # ── new rows ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def replace(self, frame: pd.DataFrame, conditions: dict[str, str] | None = None) -> None:
        """Replace the rows; sort order, filters (or new conditions) and the selection are kept, the latter by key.

        Raises
        ------
        InvalidRequestError, TypeError
            If these rows cannot be filtered or sorted in this way; nothing is changed then.
        """
        new = Rows(frame, self.key)
        new.filter(self._conditions if conditions is None else conditions)
        new.order_by(self.sort)
        new.select_keys(set(self.frame.loc[self.selection, self.key].dropna()))
        new.number, new.mask_number = self.number + 1, self.mask_number + 1
        self.__dict__.update(new.__dict__)

    def get_selected_places(self) -> Places:
        """Return the places of the selected rows, in sort order."""
        return self._sorted[self.selection[self._sorted]]

    def list_selected_keys(self) -> list[str]:
        """Return the keys of the selected rows, in sort order."""
        places = self.get_selected_places()
        keys: list[str] = self.frame[self.key].iloc[places].dropna().astype(object).tolist() if len(places) else []
        return keys

    # ── as frames ────────────────────────────────────────────────────────────────────────────────────────────────────

    def get_filtered(self) -> pd.DataFrame:
        """Return the matching rows, in order."""
        return self.frame.iloc[self.order]

    def get_selected(self) -> pd.DataFrame:
        """Return the selected rows in sort order, including those that do not match."""
        return self.frame.iloc[self.get_selected_places()]

    # ── how ──────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _take(self, frame: pd.DataFrame) -> None:
        self.frame = frame.copy(deep=False)
        self._sorted = np.arange(len(frame), dtype=np.intp)

    def _arrange(self) -> None:
        self.mask = self._all(self._conditions.values())
        self.order = self._sorted[self.mask[self._sorted]]
        self.number += 1

    def _all(self, conditions: Iterable[str]) -> Mask:
        mask = np.ones(len(self.frame), dtype=bool)
        for text in conditions:
            mask &= self._mask_of(text)
        return mask

    def _mask_of(self, text: str) -> Mask:
        """Return the mask of a condition; evaluated once."""
        if text not in self._masks:
            mask = evaluate_condition(self.frame, text, called="the query")
            while len(self._masks) >= KEPT:
                del self._masks[next(iter(self._masks))]
            self._masks[text] = mask
        return self._masks[text]

    def _sorted_by(self, sort: tuple[str, ...]) -> Places:
        check_columns(self.frame, columns := list(dict.fromkeys(name.removeprefix("-") for name in sort)))
        numbered = self.frame[columns].reset_index(drop=True)
        places: Places = sort_rows(numbered, sort).index.to_numpy(dtype=np.intp)
        return places
