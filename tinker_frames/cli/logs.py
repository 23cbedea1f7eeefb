"""Training logs on the command line: the option --logs, and `tinker-frames lineage`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

LOGS = click.option(
    "--logs",
    multiple=True,
    metavar="FOLDER",
    help="Training logs of tinker_cookbook, a folder, glob or URL: their metrics become columns, e.g. test/nll; "
    "can be given several times.",
)


def add_logs(frame: pd.DataFrame, logs: Sequence[str]) -> pd.DataFrame:
    """Return checkpoints with the metrics of training logs, and say on standard error how many have none."""
    if not logs:
        return frame
    joined: pd.DataFrame = frame.tinker.with_metrics(list(logs))
    problems = {each["column"]: each for each in joined.attrs["tinker"]["problems"]}
    if "log_path" in problems:
        click.echo(f"{problems['log_path']['rows']:,} of {len(joined):,} checkpoints are in no training log", err=True)
    if "is_parent" in problems:
        click.echo(problems["is_parent"]["problem"], err=True)
    return joined


@click.command()
@click.argument("path")
@click.option(
    "--logs",
    multiple=True,
    required=True,
    metavar="FOLDER",
    help="Training logs: a folder, glob or URL; can be given several times.",
)
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True)
def lineage(path: str, logs: tuple[str, ...], form: str) -> int:
    """Print what a checkpoint comes from and what was started from it, according to training logs; needs no account."""
    from ..frames import files
    from ..training_logs.lineage import lineage as find_lineage

    found = find_lineage(path, logs)
    if form == "json":
        files.write_json_array(found.frame, sys.stdout.buffer)
    else:
        click.echo(str(found))
    return 0
