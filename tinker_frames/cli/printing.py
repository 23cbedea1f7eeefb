"""Tables on a terminal, or as lines in a pipe; and the options that say how much of them."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    import pandas as pd

# What the last line of standard error reports of a listing with `--format json`, besides the number of rows that are printed.
REPORTED = ("complete", "total", "fetched_at", "from_cache", "base_url", "start", "end", "problems", "lacks")
HINT = "--full shortens nothing, -q prints only whole ids"

_Command = Callable[..., Any]
_Decorator = Callable[[_Command], _Command]


def add_options(command: _Command, options: Sequence[_Decorator]) -> _Command:
    """Add options to a command, to be shown in their order."""
    for option in reversed(options):
        command = option(command)
    return command


FULL = click.option("--full", is_flag=True, help="On a terminal: every row, and nothing shortened; lines may be longer than the screen.")  # fmt: skip


def add_table_options(command: _Command) -> _Command:
    """Add the options of a command that prints a table of rows with ids."""
    options = (
        FULL,
        click.option("-q", "--quiet", is_flag=True, help="Print only the whole ids, one per line, e.g. for another command."),
    )  # fmt: skip
    return add_options(command, options)


def print_table(
    frame: pd.DataFrame, *, cut: bool = True, full: bool = False, hint: str = HINT, keep: Sequence[str] = ()
) -> None:
    """Print a table to a terminal, or every row as tab-separated lines to a pipe.

    With `cut`, a terminal gets the first rows, and `hint` says how to get more; with `full`, every row, in lines as long as they have to be.
    A narrow terminal leaves out others than the columns to `keep`.
    """
    from ..frames import terminal, text

    if not sys.stdout.isatty():
        sys.stdout.write(text.render_lines(frame))
        return
    if full:
        table, width = terminal.render_full(frame)
        make_console(width=width, soft_wrap=True).print(table, crop=False, overflow="ignore", no_wrap=True)
        return
    console = make_console()
    frame = terminal.put_forward(frame, keep, console.width)
    shown = frame.head(terminal.ROWS_ON_SCREEN) if cut else frame
    console.print(terminal.render_table(shown, width=console.width))
    hidden = [str(name) for name in frame.columns[terminal.count_columns_shown(shown, console.width) :]]
    more = [text.count_nouns(len(frame) - len(shown), "more row")] if len(shown) < len(frame) else []
    if hidden:
        names = text.escape_control_characters(", ".join(hidden))
        more.append(f"{text.count_nouns(len(hidden), 'more column')} ({names})")
    is_part = more or terminal.is_shortened(shown, console.width)
    if is_part and (said := "; ".join(filter(None, [*more, hint]))):
        console.print(f"… {said}")


def print_ids(ids: pd.Series[Any]) -> None:
    """Print ids whole, one per line, each once; control characters are escaped."""
    from ..frames.text import escape_control_characters

    sys.stdout.write("".join(f"{escape_control_characters(str(one))}\n" for one in ids.dropna().drop_duplicates()))


def print_report(rows: int, about: Mapping[str, Any]) -> None:
    """Print what is known of a listing to standard error, as one line of JSON."""
    known = {name: about[name] for name in REPORTED if name in about}  # only billing has a start and an end
    click.echo(json.dumps({"rows": rows, **known}), err=True)


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
