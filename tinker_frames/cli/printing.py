"""Tables on a terminal, or as lines in a pipe."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


def print_table(frame: pd.DataFrame, *, cut: bool) -> None:
    """Print a table to a terminal, or every row as tab-separated lines to a pipe."""
    from ..frames import text

    if not sys.stdout.isatty():
        sys.stdout.write(text.render_lines(frame))
        return
    shown = frame.head(text.ROWS_ON_SCREEN) if cut else frame
    console = make_console()
    console.print(text.render_table(shown, width=console.width))
    if text.is_shortened(shown, console.width):
        console.print("long cells are shortened: use a wider terminal, a pipe, --format or --columns")
    if hidden := [str(name) for name in frame.columns[text.count_columns_shown(shown, console.width) :]]:
        console.print(
            f"… {text.count_nouns(len(hidden), 'more column')}: {text.escape_control_characters(', '.join(hidden))}"
        )
    if len(shown) < len(frame):
        console.print(
            f"… {text.count_nouns(len(frame) - len(shown), 'more row')}: --limit {len(frame)} shows all, or use a pipe, --format or export"
        )


def make_console(**options: Any) -> Any:
    """Return a console of rich that prints text as it is, and ends where a pipe is closed."""
    from rich.console import Console

    class Plain(Console):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError

    return Plain(highlight=False, emoji=False, markup=False, **options)


def summarize(frame: pd.DataFrame) -> str:
    """Return how many rows there are, and why some may be missing, a line each."""
    from ..frames import text

    return "\n".join([text.summarize(frame), *text.list_doubts(frame.attrs["tinker"])])
