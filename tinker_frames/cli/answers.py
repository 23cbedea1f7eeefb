"""The commands that answer a question with one table: what a name names, what groups of checkpoints take up, and what they cost."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from ..frames.formats import TEXT_FORMATS
from ..frames.text import describe_sum
from ..schema import catalog
from .completion import COST_GROUPS, GROUPS, complete_cost_groups, complete_groups, complete_query
from .connection import add_server_options, open_client
from .plans import INCOMPLETE
from .printing import FULL, add_table_options, print_ids, print_report, print_table, summarize

if TYPE_CHECKING:
    import pandas as pd

BAR = 14  # characters of the longest bar
FULL_BLOCK, PARTS = "█", ("", *"▏▎▍▌▋▊▉")


def _take_groups(default: str, groups: Sequence[str], complete: Callable[..., Any]) -> Callable[..., Any]:
    """Return the option that names what to group by."""
    text = f"{', '.join(groups)}, or meta.<key>; several with commas between, or repeated."
    return click.option(
        "--by",
        multiple=True,
        metavar="GROUPS",
        default=[default],
        show_default=True,
        callback=_split_groups,
        shell_complete=complete,
        help=text,
    )


def _split_groups(_: click.Context, __: click.Parameter, given: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names of groups, of which one option may hold several with commas between."""
    return tuple(name.strip() for text in given for name in text.split(","))


@click.command()
@_take_groups("model", (*GROUPS, "a column"), complete_groups)
@click.option(
    "--where",
    metavar="QUERY",
    shell_complete=complete_query,
    help='A pandas query on the inventory, e.g. "age_days > 30".',
)
@click.option("--limit", type=click.IntRange(0), help="Maximum number of groups; the largest come first.")
@click.option("--format", "form", type=click.Choice(["table", *TEXT_FORMATS]), default="table", show_default=True)
@click.option("--refresh", is_flag=True, help="Read from the server, not from the cache.")
@FULL
@add_server_options
def summary(
    by: tuple[str, ...],
    where: str | None,
    limit: int | None,
    form: str,
    refresh: bool,
    base_url: str | None,
    *,
    full: bool,
) -> int:
    """Print checkpoints, gigabytes, percentage and monthly storage cost of the account by model, run, month or another group.

    The cost is shown if the account may read its storage rate. Exit code 3 means that rows may be missing.
    """
    from ..frames import files
    from ..frames.query import filter_rows

    with open_client(base_url) as client:
        frame = client.inventory(refresh=refresh)
        rate = client.planner.read_rate()
    about = frame.attrs["tinker"]
    groups = (frame if where is None else filter_rows(frame, where)).tinker.sum_by(by, rate=rate).head(limit)
    if form in TEXT_FORMATS:
        files.write_text(groups, sys.stdout.buffer, TEXT_FORMATS[form])
    else:
        print_table(groups, full=full, hint="--full shortens nothing")
    sys.stdout.flush()
    click.echo(summarize(frame), err=True)
    if form == "json":
        print_report(len(groups), about)
    return 0 if about["complete"] else INCOMPLETE


@click.command()
@_take_groups("session", COST_GROUPS, complete_cost_groups)
@click.option(
    "--since",
    metavar="TIME",
    default="30d",
    show_default=True,
    help="A date, 2026-11, yesterday, or a duration such as 30d; UTC.",
)
@click.option("--until", metavar="TIME", help="The end, not included, in the same forms.  [default: now]")
@click.option("--limit", type=click.IntRange(0), help="Maximum number of groups: the largest, or of times the latest.")
@click.option("--format", "form", type=click.Choice(["table", *TEXT_FORMATS]), default="table", show_default=True)
@click.option("--refresh", is_flag=True, help="Read from the server, not from the cache.")
@FULL
@add_server_options
def cost(
    by: tuple[str, ...],
    since: str,
    until: str | None,
    limit: int | None,
    form: str,
    refresh: bool,
    base_url: str | None,
    *,
    full: bool,
) -> int:
    """Print what the organization pays: by session, training run, model, person, project, time or metadata, the largest first.

    Needs org admin or billing admin. Events without a price are in no sum; unpriced_events counts them. By day, week, month or year, a
    terminal also gets bars, which end in ? where events have no price. Exit code 3 means that rows may be
    missing.
    """
    from ..frames import files
    from ..frames.terminal import arrange_costs
    from ..frames.totals import PERIODS

    with open_client(base_url) as client:
        frame = client.costs(by, since, until, refresh=refresh)
    is_time = len(by) == 1 and by[0] in PERIODS
    rows = frame if limit is None else frame.tail(limit) if is_time else frame.head(limit)
    if form in TEXT_FORMATS:
        files.write_text(rows, sys.stdout.buffer, TEXT_FORMATS[form])
    else:
        shown = arrange_costs(frame).loc[rows.index]
        is_drawn = sys.stdout.isatty() and is_time
        print_table(_add_bars(shown) if is_drawn else shown, full=full, hint="--full shortens nothing")
    sys.stdout.flush()
    click.echo(f"{summarize(rows)}\n{describe_sum(frame)}", err=True)
    if form == "json":
        print_report(len(rows), frame.attrs["tinker"])
    return 0 if frame.attrs["tinker"]["complete"] else INCOMPLETE


def _add_bars(costs: pd.DataFrame) -> pd.DataFrame:
    """Return costs with their dollars as bars beside them; a `?` at the end of a bar is for events without a price."""
    most = costs["cost_usd"].max()
    eighths = (costs["cost_usd"] / (most if most > 0 else 1) * BAR * 8).fillna(0).clip(lower=0).round().astype(int)
    bars = [FULL_BLOCK * (length // 8) + PARTS[length % 8] for length in eighths]
    marks = ["?" if unpriced else "" for unpriced in costs["unpriced_events"]]
    shown = costs.copy(deep=False)
    shown.insert(
        list(shown.columns).index("cost_usd") + 1, "", [bar + mark for bar, mark in zip(bars, marks, strict=True)]
    )
    return shown


@click.command()
@click.argument("text")
@click.option("--format", "form", type=click.Choice(["table", *TEXT_FORMATS]), default="table", show_default=True)
@click.option("--metadata", is_flag=True, help="Add a meta.<key> column for every key of the metadata.")
@click.option("--refresh", is_flag=True, help="Read from the server, not from the cache.")
@add_table_options
@add_server_options
def find(text: str, form: str, metadata: bool, refresh: bool, base_url: str | None, *, full: bool, quiet: bool) -> int:
    """Find sessions, runs and checkpoints by a name, the beginning of an id, a tinker path or a console link.

    Exit code 1 means that nothing was found.
    """
    from ..frames import files
    from ..frames.metadata import expand_metadata, list_key_columns
    from ..frames.text import list_doubts

    with open_client(base_url) as client:
        frame = client.find(text, refresh=refresh)
    keys = list_key_columns(frame) if metadata else []
    frame = expand_metadata(frame) if metadata else frame
    if quiet:
        print_ids(frame["id"])
    elif form in TEXT_FORMATS:
        files.write_text(frame, sys.stdout.buffer, TEXT_FORMATS[form])
    elif len(frame):
        short = {full: short for short, full in catalog.SHORT_NAMES.items()}
        print_table(frame.assign(table=frame["table"].map(short))[[*catalog.FOUND.brief, *keys]], full=full)
    sys.stdout.flush()
    if frame.empty:
        click.echo(f"nothing is named {text!r}", err=True)
    for line in list_doubts(frame.attrs["tinker"]):
        click.echo(line, err=True)
    if not frame.attrs["tinker"]["complete"]:
        return INCOMPLETE
    return 0 if len(frame) else 1
