"""Training logs on the command line: the option --logs, and `tinker-frames lineage`."""

from __future__ import annotations

import sys
import tempfile
from typing import TYPE_CHECKING

import click

from ..errors import InvalidRequestError
from ..schema.paths import read_console_link
from .connection import RUNS, SEED, add_demo_option, is_demo

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from ..training_logs.reader import Logs

LOGS = click.option(
    "--logs",
    multiple=True,
    metavar="FOLDER",
    help="Training logs of tinker_cookbook, a folder, glob or URL: their metrics become columns, e.g. test/nll; "
    "can be given several times.",
)

MARKS_HINT = "A log folder holds metrics.jsonl or checkpoints.jsonl."


def add_logs(frame: pd.DataFrame, logs: Sequence[str], per: str | None = None) -> pd.DataFrame:
    """Return checkpoints with the metrics of training logs, and those of the columns `per` that are settings of the logs.

    Standard error says how many checkpoints have no log.
    """
    from ..training_logs.join import EARLY, TEST
    from ..training_logs.reader import logs as read_logs

    if not logs:
        return frame
    read = read_logs(list(logs))
    if not len(read):
        raise InvalidRequestError(f"there are no training logs in {', '.join(logs)}", hint=MARKS_HINT)
    names = [name.strip() for name in per.split(",")] if per else []
    settings = [name for name in names if name in read.runs.columns and name not in frame.columns]
    joined: pd.DataFrame = frame.tinker.with_metrics(read, config=settings)
    problems = {each["column"]: each for each in joined.attrs["tinker"]["problems"]}
    for name, each in problems.items():
        if each["problem"] == EARLY and TEST.match(name):
            click.echo(f"{name} of {each['rows']:,} checkpoints {EARLY}", err=True)
    if "log_path" in problems:
        click.echo(f"{problems['log_path']['rows']:,} of {len(joined):,} checkpoints are in no training log", err=True)
    if "is_parent" in problems:
        click.echo(problems["is_parent"]["problem"], err=True)
    return joined


@click.command()
@click.argument("text", metavar="PATH|RUN")
@click.option(
    "--logs",
    multiple=True,
    metavar="FOLDER",
    help="Training logs: a folder, glob or URL; can be given several times. Not needed with --demo.",
)
@add_demo_option("Use the training logs of the account of `tinker-frames demo`, which `--demo` shows elsewhere.")
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True)
def lineage(text: str, logs: tuple[str, ...], form: str) -> int:
    """Print what a checkpoint comes from and what was started from it, according to training logs; needs no account.

    Takes a tinker path, the id of a training run, the beginning of one, what a table shows of either (with …), or a link of the
    console. Exit code 1 means that no log is of its run or was started from it.
    """
    from ..frames import files
    from ..training_logs.lineage import NO_LOG
    from ..training_logs.lineage import lineage as find_lineage

    if not (logs or is_demo()):
        raise click.UsageError("name the training logs with --logs, or use --demo.")
    read = _read_logs(logs)
    path = _complete_path(text, read)
    found = find_lineage(path, read)
    if not found.is_known:
        raise InvalidRequestError(f"{path}: {NO_LOG}", hint="Name the folder of its run, too, with --logs.")
    if form == "json":
        files.write_json_array(found.frame, sys.stdout.buffer)
    else:
        click.echo(str(found))
    if not logs:
        click.echo(
            "these logs are gone now; to keep those of a demo account: tinker-frames demo --logs FOLDER", err=True
        )
    return 0


def _complete_path(text: str, logs: Logs) -> str:
    """Return the path or id of a run that a text means, completed by those that the logs name."""
    from ..listings.find import resolve_short_ids

    runs = [str(each.training_run_id) for each, _ in logs.parents_by_run.values()]
    (path,) = resolve_short_ids([read_console_link(text) or text.strip()], [*runs, *logs.rows_by_path])
    return path


def _read_logs(logs: Sequence[str]) -> Logs:
    """Return training logs; without a location those of the demo account, from a folder that exists as long as they are read."""
    from ..demo import DemoServer
    from ..training_logs.reader import logs as read_logs

    if logs:
        return read_logs(logs)
    with tempfile.TemporaryDirectory() as folder:
        return read_logs(DemoServer(runs=RUNS, seed=SEED, hostile=False).write_logs(folder))
