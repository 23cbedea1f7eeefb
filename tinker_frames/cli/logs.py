"""Training logs on the command line: the option --logs, and `tinker-frames lineage`."""

from __future__ import annotations

import sys
import tempfile
from typing import TYPE_CHECKING

import click

from .connection import RUNS, SEED, add_demo_option, is_demo

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from ..training_logs.lineage import Lineage

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
    metavar="FOLDER",
    help="Training logs: a folder, glob or URL; can be given several times. Not needed with --demo.",
)
@add_demo_option("Use the training logs of the account of `tinker-frames demo`, which `--demo` shows elsewhere.")
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True)
def lineage(path: str, logs: tuple[str, ...], form: str) -> int:
    """Print what a checkpoint comes from and what was started from it, according to training logs; needs no account."""
    from ..frames import files
    from ..training_logs.lineage import lineage as find_lineage

    if not (logs or is_demo()):
        raise click.UsageError("name the training logs with --logs, or use --demo.")
    found = _find_demo_lineage(path) if is_demo() and not logs else find_lineage(path, logs)
    if form == "json":
        files.write_json_array(found.frame, sys.stdout.buffer)
    else:
        click.echo(str(found))
    return 0


def _find_demo_lineage(path: str) -> Lineage:
    """Return the lineage by the logs of the demo account, which are written to a folder for as long as they are read."""
    from ..demo import DemoServer
    from ..training_logs.lineage import lineage as find_lineage

    with tempfile.TemporaryDirectory() as folder:
        return find_lineage(path, DemoServer(runs=RUNS, seed=SEED).write_logs(folder))
