"""The output of `tinker-frames demo`: what a demo account holds and costs, what of it could go, its inventory in files, and what to try next."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from .. import policies
from ..client import Client
from ..errors import NotSupportedError
from ..frames import terminal, text
from ..frames.files import export
from ..frames.humanize import format_size
from ..frames.totals import sum_groups

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console

LARGEST = 4  # rows of each table: all of it is on one screen
FILES = ("tinker-inventory.csv", "tinker-inventory.parquet")
SHOWN = {"model": "By base model", "run": "The largest training runs"}

NEXT = """
Try next; with TINKER_API_KEY set, the same without --demo is about your own account:
  tinker-frames ls checkpoints --demo --where "size > '1GB'" --sort -size_gb
  tinker-frames summary --demo --by month
  tinker-frames find nightly --demo
  tinker-frames retire --demo --all --keep-last 3 --keep-final --dry-run
  tinker-frames demo --lab      in JupyterLab: filter, select and act on rows
  tinker-frames demo --serve    keep this account running for a client of your own
In Python: import tinker_frames as tkf; tkf.demo.account().inventory().tinker.sum_by("model")
"""


def show_account(client: Client, console: Console, folder: Path) -> None:
    """Print what an account holds in some 30 lines, and write its inventory to files."""
    inventory, rate = client.inventory(), client.planner.read_rate()
    for name in FILES:  # before anything is printed, which `| head` may end
        export(inventory, folder / name)
    _print_line(console, _describe_account(client, inventory))
    for group, title in SHOWN.items():
        groups = sum_groups(inventory, group, rate)
        more = f", {LARGEST} of {len(groups):,}" if len(groups) > LARGEST else ""
        _print_table(console, _select_columns(groups).head(LARGEST), f"{title}{more}")
    _print_line(console, _describe_savings(inventory))
    where = f"{' and '.join(FILES)} in {folder.resolve()}"
    console.print(f"wrote {text.count_nouns(len(inventory), 'row')} to {where}", soft_wrap=True)
    console.print(NEXT, soft_wrap=True, end="")


def _describe_account(client: Client, inventory: pd.DataFrame) -> str:
    """Return how many sessions, runs and checkpoints there are, and how it is known that these are all."""
    try:
        sessions = text.count_nouns(len(client.sessions()), "session")
    except NotSupportedError:
        sessions = "no sessions (this server does not list them)"
    runs = text.count_nouns(len(client.training_runs()), "training run")
    size = (
        format_size(float(inventory["size_bytes"].sum()))
        if inventory["size_bytes"].notna().any()
        else "sizes not known"
    )
    proof = "complete" if inventory.attrs["tinker"]["complete"] else "not proved complete"
    return f"A demo account: {sessions}, {runs}, {text.count_checkpoints(len(inventory))}, {size}, {proof}"


def _describe_savings(inventory: pd.DataFrame) -> str:
    """Return what a keep rule would free; public checkpoints and unknown sizes are left out of it."""
    rule = policies.keep_last(3) | policies.keep_final() | policies.keep_public()
    rest = inventory[~rule(inventory)]
    size = format_size(float(rest["size_bytes"].sum())) or "nothing"
    known = size if rest["size_bytes"].notna().any() else "of unknown size"
    return f"Not among the last 3 of their run, final or public: {text.count_checkpoints(len(rest))}, {known}"


def _select_columns(groups: pd.DataFrame) -> pd.DataFrame:
    return groups.drop(columns=["size_unknown"]).dropna(axis="columns", how="all")


def _print_line(console: Console, line: str) -> None:
    console.print(line, soft_wrap=not console.is_terminal)


def _print_table(console: Console, frame: pd.DataFrame, title: str) -> None:
    """Print a table that fits the terminal; to a pipe or file, every cell whole, with tabs in between."""
    if not console.is_terminal:
        console.file.write(f"{title}\n{text.render_lines(frame)}")
        return
    console.print(f"\n{title}", style="bold")
    console.print("\n".join(terminal.render_text(frame, console.width)), soft_wrap=True)
