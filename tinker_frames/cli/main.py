"""`tinker-frames`: thin twins of the Python calls.

Exit codes: 0 done, 1 usage or error, 2 some rows of a plan failed, 3 a listing that could not be proved complete.
"""

from __future__ import annotations

import io
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import IncompleteListingWarning, TinkerError
from ..version import __version__
from .plans import COMMANDS

if TYPE_CHECKING:
    import pandas as pd

    from ..client import Client

TABLES = ("sessions", "runs", "checkpoints", "samplers", "inventory")
INCOMPLETE = 3

# Which tables an option means something for: elsewhere it would be passed over, and more rows shown than were asked for.
ONLY_FOR = {
    "details": ("sessions",),
    "metadata": ("sessions", "runs", "checkpoints", "inventory"),
    "by": ("checkpoints", "inventory"),
    "run": ("checkpoints",),
    "access_scope": ("sessions", "runs", "samplers", "inventory"),
    "project": ("sessions", "runs", "samplers"),
}


class Commands(click.Group):
    """The commands; a reader that has enough, e.g. head, is no error."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that was asked for."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="tinker-frames")
def cli() -> None:
    """Look at a whole Tinker account as tables, filter it, export it.

    The credential comes from TINKER_API_KEY, TINKER_CREDENTIAL_CMD or ~/.tinker/credentials.json, the server from
    TINKER_BASE_URL or --base-url.
    """


def _listing_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say which rows of which table."""
    options = [
        click.argument("table", type=click.Choice(TABLES)),
        click.option("--where", metavar="QUERY", help="A pandas query, e.g. \"size_gb > 1 and not public\"."),
        click.option("--sort", metavar="COLUMNS", help="Columns to sort by, comma-separated; -column for descending."),
        click.option("--columns", metavar="COLUMNS", help="Columns to keep, comma-separated, or 'all'."),
        click.option("--limit", type=click.IntRange(0), help="At most so many rows, after filter and sort."),
        click.option("--details", is_flag=True, help="sessions: add the ids of their training runs and samplers."),
        click.option("--metadata", is_flag=True, help="Add a meta.<key> column for every key of the metadata."),
        click.option("--by", type=click.Choice(["auto", "user", "run"]), default="auto", show_default=True,
                     help="checkpoints: the user's list, or every run's own."),
        click.option("--run", metavar="ID", help="checkpoints: only this training run's."),
        click.option("--access-scope", type=click.Choice(["owned", "accessible"]), default="owned", show_default=True,
                     help="Only what is yours, or everything that you may see; not for checkpoints."),
        click.option("--project", metavar="ID", help="sessions, runs, samplers: only this project's."),
        click.option("--refresh", is_flag=True, help="Read anew, whatever is cached."),
        click.option("--base-url", metavar="URL", help="The server, instead of TINKER_BASE_URL."),
    ]  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


@cli.command()
@_listing_options
@click.option("--format", "form", type=click.Choice(["table", "json", "csv"]), default="table", show_default=True)
def ls(table: str, form: str, **options: Any) -> int:
    """Print sessions, runs, checkpoints, samplers or the inventory: every page, every row."""
    from ..frames import files, text

    frame, about = _frame(table, options)
    if form == "json":
        files.write_json_array(frame, sys.stdout.buffer)
    elif form == "csv":
        files.write_csv(frame, sys.stdout.buffer)
    else:
        shown = frame if options["columns"] or options["metadata"] else frame[[n for n in _brief(table) if n in frame]]
        _print_table(shown, cut=options["limit"] is None)
    sys.stdout.flush()
    _console(stderr=True).print(text.summarize(frame), soft_wrap=not sys.stderr.isatty())
    return 0 if about["complete"] else INCOMPLETE


@cli.command()
@_listing_options
@click.option("-o", "--output", required=True, type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="Its suffix is the format: .csv, .parquet, .feather or .json (one object a line).")  # fmt: skip
def export(table: str, output: Path, **options: Any) -> int:
    """Write a table to a file: whole, or nothing."""
    from ..frames import files, text

    frame, about = _frame(table, options)
    path = files.export(frame, output)
    click.echo(f"{path}: {text.summarize(frame)}", err=True)
    return 0 if about["complete"] else INCOMPLETE


@cli.command()
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True)
@click.option("--base-url", metavar="URL", help="The server, instead of TINKER_BASE_URL.")
def doctor(form: str, base_url: str | None) -> int:
    """Say which credential is used, what the server has, its page caps, its latency, and whether the clocks agree."""
    import pandas as pd

    from ..frames import files, text
    from ..rest.config import ClientOptions, resolve
    from ..rest.session import Session
    from .doctor import examine

    session = Session(resolve(ClientOptions(base_url=base_url, retries=1, timeout=20)))
    try:
        findings = list(examine(session))
    finally:
        session.close()
    frame = pd.DataFrame([(f.what, f.verdict, f.detail) for f in findings], columns=["what", "verdict", "detail"])
    if form == "json":
        files.write_json_array(frame, sys.stdout.buffer)
    elif sys.stdout.isatty():
        _console().print(text.render_folded(frame))
    else:
        sys.stdout.write(text.render_lines(frame))
    return 1 if (frame["verdict"] == "wrong").any() else 0


@cli.command()
@click.option("--runs", type=click.IntRange(1), default=60, show_default=True, help="Training runs in the account.")
@click.option("--seed", type=int, default=1, show_default=True, help="Another seed is another account.")
@click.option("--dialect", type=click.Choice(["official", "tuft", "skyrl"]), default="official", show_default=True,
              help="The server that it behaves like.")  # fmt: skip
@click.option("--serve", is_flag=True, help="Keep serving after the tour, until Ctrl-C.")
@click.option("--lab", is_flag=True, help="Instead of the tour: JupyterLab on a copy of the notebooks, until Ctrl-C.")
@click.option("--no-browser", is_flag=True, help="With --lab: print JupyterLab's address instead of opening it.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    help="With --serve: the account's port; with --lab: JupyterLab's; 0 for a free one.",
)
@click.option("-o", "--output", type=click.Path(file_okay=False, path_type=Path), default=Path(), metavar="FOLDER",
              help="Where the inventory's files, or the folder of notebooks, go.  [default: here]")  # fmt: skip
def demo(runs: int, seed: int, dialect: str, serve: bool, lab: bool, no_browser: bool, port: int, output: Path) -> int:
    """Start an embedded demo account, show everything in it, and write its inventory to CSV and Parquet."""
    from ..demo import account
    from .tour import show

    if lab and serve:
        raise click.UsageError(
            "--lab and --serve exclude each other: with --lab the account is there as long as JupyterLab."
        )
    if no_browser and not lab:
        raise click.UsageError("--no-browser is for --lab.")
    if lab:
        return _lab(output, {"runs": runs, "seed": seed, "dialect": dialect}, port=port, browser=not no_browser)
    output.mkdir(parents=True, exist_ok=True)
    with account(runs=runs, seed=seed, dialect=dialect, port=port) as client:
        show(client, _console(), output)
        if serve:
            server = client.server
            _until_interrupted(
                f"serving until Ctrl-C; in another terminal:\n  export TINKER_BASE_URL={server.url} TINKER_API_KEY={server.key}"
            )
    return 0


def _lab(output: Path, find_by_account: dict[str, Any], *, port: int, browser: bool) -> int:
    """Run JupyterLab on the notebooks until it ends or is told to."""
    from ..demo import DemoServer
    from . import lab

    lab.check_installed()
    halt = _halt()
    with DemoServer(**find_by_account) as server:
        notebooks = lab.copy_notebooks(output / lab.FOLDER)
        if notebooks.kept:
            click.echo(f"kept as they are in {notebooks.folder}: {', '.join(notebooks.kept)}")
        click.echo(f"JupyterLab on a demo account, with the notebooks in {notebooks.folder}; Ctrl-C ends both")
        code = lab.run(notebooks, server.url, server.key, halt, port=port, browser=browser)
    click.echo(f"ended; the notebooks are in {notebooks.folder}")
    return _said(f"JupyterLab ended with code {code}", 1) if code else 0


for _command in COMMANDS:
    cli.add_command(_command)


def main() -> None:
    """Run the command line, with errors as one sentence and the exit codes that the module's docstring names."""
    warnings.simplefilter("ignore", IncompleteListingWarning)  # summaries and exit codes say it; the process is our own
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # names are any text, which not every terminal can show
    try:
        code = cli.main(prog_name="tinker-frames", standalone_mode=False)
    except click.exceptions.Abort:
        code = _said("interrupted; nothing was changed", 130)
    except click.ClickException as error:
        error.show()
        code = 1
    except (TinkerError, ImportError, OSError) as error:
        code = _said(str(error), 1)
    sys.exit(code if isinstance(code, int) else 0)


def _said(message: str, code: int) -> int:
    from ..frames.text import escape_control_characters

    click.echo(f"tinker-frames: {escape_control_characters(message)}", err=True)
    return code


def _frame(table: str, options: dict[str, Any]) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Return the rows that were asked for, and the attrs of the listing that they are from."""
    from ..client import Client
    from ..frames.query import select

    _check_options(table, options)
    with Client(base_url=options["base_url"]) as client:
        frame = _read(client, table, options)
    about = frame.attrs["tinker"]
    if options["metadata"]:
        frame = frame.tinker.expand_metadata()
    frame = select(frame, **{name: options[name] for name in ("where", "sort", "limit", "columns")})
    frame.attrs["tinker"] = about
    return frame, about


def _read(client: Client, table: str, options: dict[str, Any]) -> pd.DataFrame:
    common = {"refresh": options["refresh"]}
    scoped = common | {"access_scope": options["access_scope"], "project_id": options["project"]}
    if table == "sessions":
        return client.sessions(details=options["details"], **scoped)
    if table == "runs":
        return client.training_runs(**scoped)
    if table == "samplers":
        return client.samplers(**scoped)
    if table == "checkpoints":
        return client.checkpoints(options["run"], by=options["by"], **common)
    return client.inventory(by=options["by"], access_scope=options["access_scope"], **common)


def _check_options(table: str, options: dict[str, Any]) -> None:
    """Refuse an option that means nothing for a table."""
    quiet = (None, False, "auto", "owned")
    for name, tables in ONLY_FOR.items():
        if options[name] not in quiet and table not in tables:
            raise click.UsageError(f"--{name.replace('_', '-')} is for {', '.join(tables)}, not for {table}.")


def _brief(table: str) -> tuple[str, ...]:
    from ..schema.catalog import TABLES as DECLARED

    return DECLARED["training_runs" if table == "runs" else table].brief


def _print_table(frame: pd.DataFrame, *, cut: bool) -> None:
    """Print a table to a terminal, or every row as tab-separated lines to a pipe."""
    from ..frames import text

    if not sys.stdout.isatty():
        sys.stdout.write(text.render_lines(frame))
        return
    shown = frame.head(text.ROWS_ON_SCREEN) if cut else frame
    console = _console()
    console.print(text.render_table(shown, width=console.width))
    if text.is_shortened(shown, console.width):
        console.print("what does not fit is shortened: use a wider terminal, a pipe, --format or --columns")
    if hidden := [str(name) for name in frame.columns[text.count_columns_shown(shown, console.width) :]]:
        console.print(f"… {len(hidden)} more columns: {text.escape_control_characters(', '.join(hidden))}")
    if len(shown) < len(frame):
        console.print(
            f"… {len(frame) - len(shown):,} more rows: --limit {len(frame)} shows all, or use a pipe, --format or export"
        )


def _console(**options: Any) -> Any:
    from rich.console import Console

    class Plain(Console):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError

    return Plain(highlight=False, emoji=False, markup=False, **options)


def _until_interrupted(message: str) -> None:
    """Say something and wait for Ctrl-C or a termination signal, also one that comes as soon as the message is out."""
    halt = _halt()
    click.echo(message)
    while not halt.wait(1):
        pass


def _halt() -> threading.Event:
    """Return an event that Ctrl-C, a termination signal or a terminal that closes sets, unless `nohup` keeps us from that."""
    halt = threading.Event()
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)  # Windows has no SIGHUP
        if number and (name != "SIGHUP" or signal.getsignal(number) != signal.SIG_IGN):
            signal.signal(number, lambda _number, _frame: halt.set())
    return halt
