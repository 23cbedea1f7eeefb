"""The output of `tinker-frames demo`: the tables of an account, summaries, and its inventory in files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..client import Client
from ..errors import NotSupportedError
from ..frames import terminal, text
from ..frames.files import export
from ..frames.totals import sum_groups
from ..schema.catalog import CHECKPOINTS, SESSIONS, TRAINING_RUNS

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd
    from rich.console import Console

    from ..schema.columns import Table

LARGEST = 12
FILES = ("tinker-inventory.csv", "tinker-inventory.parquet")

NEXT = """
Try next, against the demo account or, with TINKER_API_KEY set, against your own:

  tinker-frames demo --serve                                  keep this account running in one terminal
  tinker-frames ls checkpoints --where "size_gb > 1" --sort -size_gb
  tinker-frames ls sessions --where "status == 'failed'"
  tinker-frames export inventory -o inventory.parquet
  tinker-frames doctor

In Python:

  import tinker_frames as tkf
  with tkf.demo.account() as client:
      client.inventory().tinker.sum_by("model")
"""


def show_account(client: Client, console: Console, folder: Path) -> None:
    """Read every table, print the three main ones and two summaries, and write the inventory to files."""
    reads: list[tuple[Table, Callable[[], pd.DataFrame]]] = [
        (SESSIONS, client.sessions),
        (TRAINING_RUNS, client.training_runs),
        (CHECKPOINTS, client.checkpoints),
    ]
    for table, read in reads:
        name = table.name.replace("_", " ").capitalize()
        try:
            frame = read()
        except NotSupportedError:
            console.print(f"{name}: this server does not list them", style="bold")
            continue
        _print_table(console, frame[list(table.brief)], f"{name}: {text.summarize(frame)}")
    inventory = client.inventory()
    for group, title in (("run", f"The {LARGEST} largest training runs"), ("model", "By base model")):
        _print_table(console, sum_groups(inventory, group).head(LARGEST), title)
    for name in FILES:
        path = export(inventory, folder / name)
        console.print(f"wrote {len(inventory):,} rows, {len(inventory.columns)} columns to {path}", soft_wrap=True)
    console.print(NEXT, soft_wrap=True)


def _print_table(console: Console, frame: pd.DataFrame, title: str) -> None:
    """Print a table that fits the terminal; to a pipe or file, every cell whole, with tabs in between."""
    if console.is_terminal:
        console.print(terminal.render_table(frame, title, width=console.width))
    else:
        console.file.write(f"{title}\n{text.render_lines(frame)}\n")
