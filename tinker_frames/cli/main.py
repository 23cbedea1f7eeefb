"""The command `tinker-frames`: list and export tables, check a server, run a demo account; `cli.plans` adds the writes.

Exit codes: 0 done, 1 usage or error, 2 some rows of a plan failed, 3 a listing that could not be proved complete.
"""

from __future__ import annotations

import contextlib
import inspect
import io
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from ..demo import DIALECTS
from ..errors import AuthenticationError, IncompleteListingWarning, TinkerError
from ..frames.delimited import Encoding
from ..frames.formats import FORMATS, TEXT_FORMATS, find_format, list_suffixes
from ..schema import catalog
from ..version import __version__
from . import answers, info
from .completion import CompletedCommand, complete_columns, complete_query
from .connection import RUNS, SEED, add_server_options, open_client
from .logs import LOGS, add_logs, lineage
from .plans import COMMANDS, INCOMPLETE
from .printing import add_options, add_table_options, make_console, print_ids, print_report, print_table, summarize
from .suggestions import suggest_option, suggest_table
from .wording import translate

if TYPE_CHECKING:
    import pandas as pd

    from ..client import Client

# By their names on the command line: `ls runs` lists the training runs.
TABLES = catalog.SHORT_NAMES

# Options that are passed to the client's method of a table, by its parameters.
PARAMETERS = {
    "details": "details",
    "by": "by",
    "run": "training_run_id",
    "access_scope": "access_scope",
    "project": "project_id",
}


if TYPE_CHECKING:
    _Choice = click.Choice[str]
else:  # the oldest click that is allowed has no type parameter
    _Choice = click.Choice


class TableName(_Choice):
    """The name of a table: as the command line has it, or as Python does."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the name on the command line."""
        own = {full: short for short, full in TABLES.items()}
        name = own.get(str(value).replace("-", "_"), value)
        if name not in TABLES:
            meant = suggest_table(str(name)) or f"; the tables are {', '.join(TABLES)}."
            raise click.UsageError(f"there is no table {name!r}{meant}", ctx)
        return super().convert(name, param, ctx)


class Commands(click.Group):
    """The commands; a closed pipe, e.g. to head, is not an error."""

    command_class = CompletedCommand

    def add_command(self, cmd: click.Command, name: str | None = None) -> None:
        """Add a command, listed with the whole first paragraph of its help, which click would cut off."""
        cmd.short_help = cmd.short_help or " ".join((cmd.help or "").split("\n\n")[0].split())
        super().add_command(cmd, name)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="tinker-frames")
def cli() -> None:
    """List, filter and export a whole Tinker account, and change its checkpoints.

    The credential comes from TINKER_API_KEY, TINKER_CREDENTIAL_CMD or ~/.tinker/credentials.json, the server from
    TINKER_BASE_URL or --base-url.
    """


def _add_listing_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that select a table and its rows."""
    options: list[Callable[..., Any]] = [
        click.argument("table", type=TableName(list(TABLES))),
        click.option("--where", metavar="QUERY", shell_complete=complete_query, help="A pandas query, e.g. \"size_gb > 1 and not public\"."),
        click.option("--sort", metavar="COLUMNS", shell_complete=complete_columns, help="Columns to sort by, comma-separated; -column for descending."),
        click.option("--columns", metavar="COLUMNS", shell_complete=complete_columns, help="Columns to keep, comma-separated, or 'all'."),
        click.option("--limit", type=click.IntRange(0), help="Maximum number of rows, after filter and sort."),
        click.option("--details", is_flag=True, help="sessions: add the ids of their runs and samplers; runs: add names, sizes and steps."),
        click.option("--metadata", is_flag=True, help="Add a meta.<key> column for every key of the metadata."),
        LOGS,
        click.option("--by", type=click.Choice(["auto", "user", "run"]), default="auto", show_default=True,
                     help="checkpoints: read the user's list, or the list of each run."),
        click.option("--run", metavar="ID", help="checkpoints: only those of this training run."),
        click.option("--access-scope", type=click.Choice(["owned", "accessible"]), default="owned", show_default=True,
                     help="Only your own rows, or all that you can access; not for checkpoints."),
        click.option("--project", metavar="ID", help="sessions, runs, samplers: only those of this project."),
        click.option("--refresh", is_flag=True, help="Read from the server, not from the cache."),
        add_server_options,
    ]  # fmt: skip
    return add_options(command, options)


@cli.command()
@_add_listing_options
@click.option("--format", "form", type=click.Choice(["table", *TEXT_FORMATS]), default="table", show_default=True)
@add_table_options
def ls(table: str, form: str, *, full: bool, quiet: bool, **options: Any) -> int:
    """Print a table of the account: every page, every row.

    Standard error says how many rows there are and whether the listing is complete; with --format json its last line is an
    object with `complete`, `total`, `problems` and more. Exit code 3 means that rows may be missing.
    """
    from ..frames import files
    from ..frames.query import list_used

    is_table = not quiet and form not in TEXT_FORMATS
    frame, about = _read_rows(table, options | ({"columns": None} if quiet else {}), with_used=is_table)
    brief = (catalog.TABLES | (catalog.DETAILED if options["details"] else {}))[TABLES[table]].brief
    if quiet:
        print_ids(frame[catalog.TABLES[TABLES[table]].key])
    elif form in TEXT_FORMATS:
        files.write_text(frame, sys.stdout.buffer, TEXT_FORMATS[form])
    else:
        known = catalog.TABLES[TABLES[table]].names
        keys = [name for name in frame if name not in known] if options["metadata"] or options["logs"] else []
        used = list_used(frame, options["where"], options["sort"])
        names = dict.fromkeys([*(name for name in brief if name in frame), *keys, *used])
        shown = frame if options["columns"] else frame[list(names)]
        print_table(shown, cut=options["limit"] is None, full=full, keep=used)
    sys.stdout.flush()
    make_console(stderr=True).print(summarize(frame), soft_wrap=not sys.stderr.isatty())
    if form == "json":
        print_report(len(frame), about)
    return 0 if about["complete"] else INCOMPLETE


@cli.command()
@_add_listing_options
@click.option("-o", "--output", required=True, type=click.Path(dir_okay=False, allow_dash=True), metavar="FILE",
              help=f"A file, or a URL such as s3://…; its suffix is the format: {list_suffixes()}. - is standard output.")  # fmt: skip
@click.option("--format", "form", type=click.Choice([form.name for form in FORMATS.values()]),
              help="The format of standard output; that of a file is its suffix.")  # fmt: skip
@click.option("--encoding", type=click.Choice(get_args(Encoding)), default="utf-8", show_default=True,
              help="Encoding of CSV; Excel needs utf-8-sig.")  # fmt: skip
def export(table: str, output: str, form: str | None, encoding: Encoding, **options: Any) -> int:
    """Write a table to a file, completely or not at all, or to standard output."""
    from ..frames import files
    from ..frames.locations import hide_location
    from ..frames.text import escape_control_characters

    _check_output(output, form)
    frame, about = _read_rows(table, options)
    if output == "-":
        files.export_to_stream(frame, sys.stdout.buffer, FORMATS[f".{form}"], encoding=encoding)
        sys.stdout.flush()
    else:
        output = escape_control_characters(hide_location(files.export(frame, output, encoding=encoding)))
    click.echo(f"{'' if output == '-' else f'{output}: '}{summarize(frame)}", err=True)
    return 0 if about["complete"] else INCOMPLETE


@cli.command()
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True)
@add_server_options
def doctor(form: str, base_url: str | None) -> int:
    """Check the credential and whose it is, the server's routes, page caps and latency, the clocks and the cache.

    Changes nothing: the routes that plans need are checked with OPTIONS requests. Without a credential, only the checks that need none
    are made.
    """
    import pandas as pd

    from ..frames import files, terminal, text
    from .doctor import examine, open_without_credential

    options = {"retries": 1, "timeout": 20}
    with contextlib.ExitStack() as stack:
        try:
            transport, problem = stack.enter_context(open_client(base_url, **options)).transport, ""
        except AuthenticationError as error:
            transport, problem = open_without_credential(base_url, **options), translate(str(error))
            stack.callback(transport.close)
        findings = list(examine(transport, problem))
    frame = pd.DataFrame(
        [(f.what, f.verdict, translate(f.detail)) for f in findings], columns=["what", "verdict", "detail"]
    )
    if form == "json":
        files.write_json_array(frame, sys.stdout.buffer)
    elif sys.stdout.isatty():
        make_console().print(terminal.render_folded(frame))
    else:
        sys.stdout.write(text.render_lines(frame))
    return 1 if (frame["verdict"] == "wrong").any() else 0


@cli.command()
@click.option("--runs", type=click.IntRange(1), default=RUNS, show_default=True, help="Training runs in the account.")
@click.option("--seed", type=int, default=SEED, show_default=True, help="Seed of the generated account.")
@click.option("--dialect", type=click.Choice(list(DIALECTS)), default="official", show_default=True,
              help="The server to imitate.")  # fmt: skip
@click.option("--serve", is_flag=True, help="Keep serving after the tour, until Ctrl-C.")
@click.option("--lab", is_flag=True, help="Instead of the tour: JupyterLab on a copy of the notebooks, until Ctrl-C.")
@click.option("--logs", type=click.Path(file_okay=False, path_type=Path), metavar="FOLDER",
              help="Also write the training logs of its runs, for `--demo --logs FOLDER` with other commands.")  # fmt: skip
@click.option("--no-browser", is_flag=True, help="With --lab: print JupyterLab's address instead of opening it.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    help="With --serve: the account's port; with --lab: JupyterLab's; 0 for a free one.",
)
@click.option("-o", "--output", type=click.Path(file_okay=False, path_type=Path), default=Path(), metavar="FOLDER",
              help="Folder for the inventory's files or the notebooks.  [default: here]")  # fmt: skip
def demo(
    runs: int,
    seed: int,
    dialect: str,
    serve: bool,
    lab: bool,
    logs: Path | None,
    no_browser: bool,
    port: int,
    output: Path,
) -> int:
    """Show an embedded demo account, and write its inventory to CSV and Parquet."""
    from ..demo import account
    from .tour import show_account

    if lab and serve:
        raise click.UsageError(
            "--lab and --serve exclude each other: with --lab, the account is served as long as JupyterLab runs."
        )
    if no_browser and not lab:
        raise click.UsageError("--no-browser requires --lab.")
    if port and not (lab or serve):
        raise click.UsageError("--port requires --serve or --lab.")
    if lab:
        return _run_lab(output, {"runs": runs, "seed": seed, "dialect": dialect}, port=port, browser=not no_browser)
    output.mkdir(parents=True, exist_ok=True)
    with account(runs=runs, seed=seed, dialect=dialect, port=port) as client:
        folder = None if logs is None else client.server.write_logs(logs).resolve()
        show_account(client, make_console(), output)
        if folder is not None:
            click.echo(f"training logs of its runs are in {folder}")
        if serve:
            server = client.server
            _wait_for_interrupt(
                f"serving until Ctrl-C; in another terminal:\n  export TINKER_BASE_URL={server.url} TINKER_API_KEY={server.key}"
            )
    return 0


def _run_lab(output: Path, find_by_account: dict[str, Any], *, port: int, browser: bool) -> int:
    """Run JupyterLab on a copy of the notebooks until it ends or is interrupted."""
    from ..demo import DemoServer
    from . import lab

    lab.check_installed()
    stop = _make_stop_event()
    with DemoServer(**find_by_account, hostile=False) as server:
        notebooks = lab.copy_notebooks(output / lab.FOLDER)
        if notebooks.kept:
            click.echo(f"kept as they are in {notebooks.folder}: {', '.join(notebooks.kept)}")
        click.echo(f"JupyterLab on a demo account, with the notebooks in {notebooks.folder}; Ctrl-C ends both")
        code = lab.run(notebooks, server.url, server.key, stop, port=port, browser=browser)
    click.echo(f"ended; the notebooks are in {notebooks.folder}")
    return _print_error(f"JupyterLab ended with code {code}", 1) if code else 0


for _command in (*COMMANDS, lineage, answers.find, answers.summary, answers.cost, info.info):
    cli.add_command(_command)


def main() -> None:
    """Run the command line, with errors as one sentence and the exit codes that the module's docstring names."""
    _open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # names are any text, which not every terminal can show
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", IncompleteListingWarning)  # summaries and exit codes say it
        warnings.filterwarnings("ignore", ".*has match groups")  # what pandas says of `name.str.contains('(a|b)')`
        warnings.showwarning = _print_warning
        code = _run_command()
    sys.exit(code if isinstance(code, int) else 0)


def _open_closed_streams() -> None:
    """Open the null device for output that the shell has closed (`>&-`), before another file gets its number."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123  # until the process ends


def _run_command() -> Any:
    """Run the command that the arguments name; return its exit code."""
    try:
        return cli.main(prog_name="tinker-frames", standalone_mode=False)
    except click.exceptions.Abort:
        return _print_error("interrupted; nothing was changed", 130)
    except click.UsageError as error:
        return _print_usage_error(error)
    except click.ClickException as error:
        return _print_error(error.format_message(), 1)
    except (TinkerError, ImportError, OSError) as error:
        return _print_error(str(error), 1)


def _print_usage_error(error: click.UsageError) -> int:
    """Print how the command is used and what is wrong, in the form of every other error."""
    if isinstance(error, getattr(click.exceptions, "NoArgsIsHelpError", ())):  # click 8.1 has none
        error.show()
        return 1
    if error.ctx is not None:
        help_line = f"Try '{error.ctx.command_path} --help' for help."
        click.echo(f"{error.ctx.get_usage()}\n{help_line}\n", err=True)
    message = suggest_option(error, cli) if isinstance(error, click.NoSuchOption) else error.format_message()
    return _print_error(" ".join(message.split()), 1)


def _print_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    """Print a warning as a sentence, without the line of source that it came from."""
    _print_error(f"warning: {message}", 0)


def _print_error(message: str, code: int) -> int:
    from ..frames.text import escape_control_characters

    click.echo(f"tinker-frames: {escape_control_characters(translate(message))}", err=True)
    return code


def _read_rows(table: str, options: dict[str, Any], *, with_used: bool = False) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Return the selected rows, also with the keys of the metadata that select them, and what is known of the listing that they are from."""
    from ..frames.query import add_used_keys, select

    _check_options(table, options)
    with open_client(options["base_url"]) as client:
        frame = _read_table(client, table, options)
    if options["metadata"]:
        frame = frame.tinker.expand_metadata()
    frame = add_logs(frame, options["logs"])
    frame = add_used_keys(frame, options["where"], options["sort"]) if with_used else frame
    about = frame.attrs["tinker"]
    frame = select(frame, **{name: options[name] for name in ("where", "sort", "limit", "columns")})
    frame.attrs["tinker"] = about
    return frame, about


def _check_output(output: str, form: str | None) -> None:
    """Raise for a format that is missing or is not that of the file, before anything is read."""
    if output == "-":
        if form is None:
            raise click.UsageError("standard output has no suffix: name its --format, e.g. --format csv.")
        if not FORMATS[f".{form}"].is_text and sys.stdout.isatty():
            raise click.UsageError(f"{form} is not for a terminal: redirect standard output, or name a file.")
    elif form is not None and find_format(output).name != form:
        raise click.UsageError(f"--format {form} is not the suffix of {output}; leave it out, or write to -.")


def _read_table(client: Client, table: str, options: dict[str, Any]) -> pd.DataFrame:
    given = {parameter: options[name] for name, parameter in PARAMETERS.items() if _takes(table, name)}
    frame: pd.DataFrame = getattr(client, TABLES[table])(refresh=options["refresh"], **given)
    return frame


def _takes(table: str, option: str) -> bool:
    """Tell whether an option means something for a table: its method has the parameter, its rows have metadata, or are checkpoints."""
    from ..client import Client

    if option == "logs":
        return catalog.TABLES[TABLES[table]].key == "tinker_path"
    if option == "metadata":
        return any(column.name == "user_metadata" for column in catalog.TABLES[TABLES[table]].columns)
    return PARAMETERS[option] in inspect.signature(getattr(Client, TABLES[table])).parameters


def _check_options(table: str, options: dict[str, Any]) -> None:
    """Raise for an option that a table does not have: ignored, it would give more rows than requested."""
    defaults = (None, False, (), "auto", "owned")
    for name in ("metadata", "logs", *PARAMETERS):
        if options[name] not in defaults and not _takes(table, name):
            tables = [each for each in TABLES if _takes(each, name)]
            raise click.UsageError(f"--{name.replace('_', '-')} is for {', '.join(tables)}, not for {table}.")


def _wait_for_interrupt(message: str) -> None:
    """Print a message and wait for Ctrl-C or a termination signal, also one that comes as soon as it is printed."""
    stop = _make_stop_event()
    click.echo(message)
    while not stop.wait(1):
        pass


def _make_stop_event() -> threading.Event:
    """Return an event that Ctrl-C, a termination signal or a closing terminal (except under `nohup`) sets."""
    stop = threading.Event()
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)  # Windows has no SIGHUP
        if number and (name != "SIGHUP" or signal.getsignal(number) != signal.SIG_IGN):
            signal.signal(number, lambda _number, _frame: stop.set())
    return stop
