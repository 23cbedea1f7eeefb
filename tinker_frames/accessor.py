"""`df.tinker`: what can be done with a frame, whether it came from a client, a file, or was made by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


class TinkerAccessor:
    """Calls on a frame of Tinker rows, as `df.tinker`.

    Each call says which column it needs, if the frame lacks it.
    """

    def __init__(self, frame: pd.DataFrame) -> None:
        self._frame = frame

    def expand_metadata(self, column: str = "user_metadata", *, numeric: bool = False) -> pd.DataFrame:
        """Return the frame with a `meta.<key>` column for every key of its metadata.

        Parameters
        ----------
        column
            The column with the metadata as JSON text.
        numeric
            Make float64 columns of those whose every value is a number; otherwise all are text, as the service keeps them.

        Raises
        ------
        AttributeError
            If the frame has no such column.

        Examples
        --------
        >>> import pandas as pd
        >>> frame = pd.DataFrame({"user_metadata": ['{"loss":"1.5"}', None]})
        >>> frame.tinker.expand_metadata(numeric=True)["meta.loss"].tolist()
        [1.5, nan]
        """
        from .frames import expanded_metadata

        self._need(column)
        return expanded_metadata(self._frame, column, numeric=numeric)

    def _need(self, column: str) -> None:
        if column not in self._frame.columns:
            raise AttributeError(
                f"this needs a column {column!r}, and the frame has none; keep it when you select columns"
            )

    def __repr__(self) -> str:
        return f"<df.tinker of {len(self._frame)} rows: {', '.join(name for name in dir(self) if not name.startswith('_'))}>"
