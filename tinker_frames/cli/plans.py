"""The commands that write: thin twins of the plans, fit for cron.

Exit codes: 0 all done, 1 usage or error, 2 some rows failed or are not known, 3 the listing could not be proved complete, and
then nothing is removed without --allow-incomplete; 130 interrupted.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from contextlib import contextmanager, redirect_stdout
from typing import TYPE_CHECKING, Any

import click

from ..errors import ConfirmationNeededError, InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pandas as pd

    from ..client import Client
    from ..plans.plan import Plan
    from ..policies import Rule

FAILED, INCOMPLETE, INTERRUPTED = 2, 3, 130
HEADER = "tinker_path"

_Command = Callable[..., Any]


def _client_options(command: _Command) -> _Command:
    for option in (
        click.option("--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True),
        click.option("--base-url", metavar="URL", help="The server, instead of TINKER_BASE_URL."),
    ):
        command = option(command)
    return command


def _plan_options(command: _Command) -> _Command:
    """Add the options that say which checkpoints, and how sure one is."""
    for option in (
        click.argument("paths", nargs=-1),
        click.option("--where", metavar="QUERY", help="A pandas query over checkpoints, e.g. \"size_gb > 1\"."),
        click.option("--by", type=click.Choice(["auto", "user", "run"]), default="auto", show_default=True,
                     help="The user's list of checkpoints, or every run's own."),
        click.option("--allow", "guards", multiple=True, type=click.Choice(["public", "newest", "sampler"]),
                     help="Lift a guard; can be given several times."),
        click.option("--dry-run", is_flag=True, help="Print the plan and send nothing."),
        click.option("--yes", is_flag=True, help="Do it without being asked for the number of rows."),
        click.option("--allow-incomplete", is_flag=True, help="Remove also where rows may be missing from the listing."),
    ):  # fmt: skip
        command = option(command)
    return _client_options(command)


@click.command()
@_plan_options
def rm(**options: Any) -> int:
    """Delete checkpoints for ever: PATHS, those on standard input (one a line), or --where. `expire` has a way back."""
    return _act(lambda frame: frame.tinker.delete, options)


@click.command()
@_plan_options
def publish(**options: Any) -> int:
    """Make checkpoints public: any Tinker user may then load them."""
    return _act(lambda frame: frame.tinker.publish, options, removes=False)


@click.command()
@_plan_options
def unpublish(**options: Any) -> int:
    """Make checkpoints private again; what others is_done meanwhile cannot be recalled."""
    return _act(lambda frame: frame.tinker.unpublish, options, removes=False)


@click.command()
@click.argument("length")
@_plan_options
def ttl(length: str, **options: Any) -> int:
    """Let checkpoints expire LENGTH from now (30d, 12h, seconds), or never ("never")."""
    wanted = None if length.lower() in ("never", "none") else _length(length)
    return _act(lambda frame: lambda **of: frame.tinker.set_ttl(wanted, **of), options, removes=wanted is not None)


@click.command()
@click.option("--after", metavar="LENGTH", default="24h", show_default=True, help="How long there is a way back.")
@_plan_options
def expire(after: str, **options: Any) -> int:
    """Let the service delete checkpoints after a while; until then `undo` brings back their old expiry."""
    length = _length(after)
    return _act(lambda frame: lambda **of: frame.tinker.expire(length, **of), options)


@click.command()
@click.option("--keep-last", type=click.IntRange(0), metavar="N", help="Keep the newest N of each run.")
@click.option("--keep-every", type=click.IntRange(1), metavar="K", help="Keep steps that are multiples of K.")
@click.option("--keep-final", is_flag=True, help="Keep what is named final or last.")
@click.option("--keep-public", is_flag=True, help="Keep what is public.")
@click.option("--keep-named", multiple=True, metavar="REGEX", help="Keep names that match; can be given several times.")
@click.option("--newer-than", metavar="LENGTH", help="Keep what is younger, e.g. 30d.")
@click.option(
    "--has-metadata", multiple=True, metavar="KEY[=VALUE]", help="Keep what has it; can be given several times."
)
@click.option("--used-by-samplers", is_flag=True, help="Keep what a sampler has loaded.")
@click.option("--no-ttl", is_flag=True, help="Keep what never expires.")
@click.option("--expiring", metavar="LENGTH", help="Keep what expires within this time anyway.")
@click.option("--best", metavar="COLUMN[:N]", help="Keep the N smallest of each run by a column, e.g. meta.loss:1.")
@click.option("--after", metavar="LENGTH", help="Let the rest expire after this time instead of deleting it, e.g. 24h.")
@_plan_options
def retire(after: str | None, **options: Any) -> int:
    """Remove what no keep rule keeps: of the whole account, or of PATHS (- for standard input) or --where.

    Several rules are joined by or. Fit for cron: where nobody watches, it says nothing if all goes well.
    """
    from ..frames.query import check_columns

    column, rule = _best_column(options["best"]), _rule(options)
    length = None if after is None else _length(after)

    def plan_of(frame: pd.DataFrame) -> Callable[..., Plan]:
        check_columns(frame, [column] if column and not column.startswith("meta.") else [])
        return lambda **of: frame.tinker.retire(rule, length, **of)

    return _act(plan_of, options, everything=True)


@click.command()
@click.argument("plan", required=False)
@_client_options
def undo(plan: str | None, form: str, base_url: str | None) -> int:
    """Take back what a plan did, where that can be done: the last plan, or the one named."""
    from ..functions import undo as take_back

    with _client(base_url) as client:
        return _report(take_back(plan, client=client), form)


@click.command()
@click.argument("plan", required=False)
@_client_options
def resume(plan: str | None, form: str, base_url: str | None) -> int:
    """Finish an interrupted plan: the last one, or the one named. What is done is not done again."""
    from ..functions import resume as finish

    with _client(base_url) as client:
        return _report(finish(plan, client=client), form)


@click.command()
@click.argument("plan", required=False)
@_client_options
def journal(plan: str | None, form: str, base_url: str | None) -> int:
    """Print what was asked of checkpoints and how it ended: of every plan, or of the one named."""
    from ..frames import files
    from ..functions import journal as read

    with _client(base_url) as client:
        frame = read(client=client)
    if plan is not None:
        frame = frame[frame["plan"].str.startswith(plan)].reset_index(drop=True)
        if frame.empty:
            raise InvalidRequestError(f"the journal has no plan {plan!r}", hint="Look at tinker-frames journal.")
    if form == "json":
        files.write_json_array(frame, sys.stdout.buffer)
        return 0
    counts = frame.groupby(
        ["plan", "begun_at", "action", "state", "outcome"], observed=True, dropna=False, sort=False
    ).size()
    _print(
        counts.reset_index(name="rows")
        if plan is None
        else frame[["tinker_path", "action", "state", "outcome", "error"]]
    )
    return 0


COMMANDS = (rm, publish, unpublish, ttl, expire, retire, undo, resume, journal)


def _act(
    plan_of: Callable[[pd.DataFrame], Any], options: dict[str, Any], *, removes: bool = True, everything: bool = False
) -> int:
    """Choose the rows, make the plan, and print or run it."""
    given = _paths(options["paths"], wanted=options["where"] is None and not everything)
    with _client(options["base_url"]) as client:
        frame = client.checkpoints(by=options["by"], refresh=True)
        lacking = not frame.attrs["tinker"]["complete"] and not options["allow_incomplete"]
        stops = lacking and removes and not options["dry_run"]
        if lacking:
            then = "nothing is removed; --allow-incomplete does it" if stops else "rows may be missing"
            click.echo(f"the listing could not be proved complete, so {then}", err=True)
        if stops:
            return INCOMPLETE
        plan = plan_of(_chosen(frame, given, options["where"]))(client=client)
        plan = plan.allow(*options["guards"]) if options["guards"] else plan
        code = _show(plan, options["form"]) if options["dry_run"] else _carry_out(plan, options, quiet=everything)
    return code or (INCOMPLETE if lacking else 0)


def _carry_out(plan: Plan, options: dict[str, Any], *, quiet: bool) -> int:
    """Run a plan; what it asks goes to standard error, so that standard output holds only the outcomes."""
    try:
        with redirect_stdout(sys.stderr):
            outcomes = plan.run(confirm=True if options["yes"] else None)
    except ConfirmationNeededError as error:
        needed = error.rows
    else:
        way_back = f"undo with: tinker-frames undo {plan.id}" if plan.action.undo else "a delete cannot be undone"
        return _report(outcomes, options["form"], way_back, quiet=quiet)
    raise InvalidRequestError(
        f"{needed} checkpoints will {plan.effect}; that number was not confirmed, and nothing was sent",
        hint="Look with --dry-run, do it with --yes.",
    )


def _chosen(frame: pd.DataFrame, paths: list[str] | None, where: str | None) -> pd.DataFrame:
    """Return the rows of the given paths, those unknown to the account included, and of the query."""
    import pandas as pd

    from ..frames.query import filter_rows

    about = frame.attrs
    if paths is not None:
        named = pd.DataFrame({HEADER: pd.Series(paths, dtype=frame[HEADER].dtype)})
        frame = named.merge(frame, on=HEADER, how="left")
    frame = frame if where is None else filter_rows(frame, where)
    frame.attrs = about
    return frame


def _paths(arguments: tuple[str, ...], *, wanted: bool) -> list[str] | None:
    """Return the paths of the arguments, or of standard input (`-`, or nothing else given); None if none were meant."""
    if not arguments and not wanted:
        return None
    is_piped = not arguments and sys.stdin is not None and not sys.stdin.isatty()
    sources = ("-",) if is_piped else arguments
    found = [path for source in sources for path in (_piped() if source == "-" else [source])]
    if not found and not arguments:
        raise click.UsageError("name tinker paths, pipe them in, or choose with --where.")
    return list(dict.fromkeys(path for path in found if path != HEADER))


def _piped() -> list[str]:
    """Return the paths on standard input, one a line, or one column of the lines that `ls` prints; its header is one of them."""
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="backslashreplace")  # no path that this account has, but no traceback either
    rows = [line.rstrip("\r\n").split("\t") for line in sys.stdin or () if line.strip()]
    place = rows[0].index(HEADER) if rows and HEADER in rows[0] else 0
    return [row[place].lstrip() for row in rows if len(row) > place]


def _rule(options: dict[str, Any]) -> Rule:
    """Return the keep rule that the options say, joined by or; takes them out of the options."""
    from .. import policies

    makers: dict[str, Callable[[Any], Rule]] = {
        "keep_last": policies.keep_last,
        "keep_every": policies.keep_every,
        "keep_final": lambda _: policies.keep_final(),
        "keep_public": lambda _: policies.keep_public(),
        "newer_than": policies.newer_than,
        "used_by_samplers": lambda _: policies.used_by_samplers(),
        "no_ttl": lambda _: policies.no_ttl(),
        "expiring": policies.expiring,
        "best": _best,
        "keep_named": policies.keep_named,
        "has_metadata": lambda text: policies.has_metadata(*text.split("=", 1)),
    }
    rules = []
    for name, make in makers.items():
        value = options.pop(name)
        values = value if isinstance(value, tuple) else () if value is None or value is False else (value,)
        rules += [make(each) for each in values]
    if not rules:
        raise click.UsageError("say what to keep, e.g. --keep-last 3 --keep-final; see --help.")
    joined = rules[0]
    for rule in rules[1:]:
        joined = joined | rule
    return joined


def _best(text: str) -> Rule:
    from .. import policies

    column = _best_column(text)
    number = text[len(column) + 1 :] if text != column else "1"
    if not number.isdecimal() or len(number) > 9:
        raise InvalidRequestError(f"--best {text!r} has no number after the colon", hint="Write e.g. meta.loss:2.")
    return policies.best(column, n=int(number))


def _best_column(text: str | None) -> str:
    """Return the column of --best; a key of the metadata may hold colons itself, if a number follows."""
    column, colon, number = (text or "").rpartition(":")
    return column if colon else number


def _length(text: str) -> int:
    """Return a TTL in seconds, checked before any request is sent; a bare number is seconds."""
    from ..schema.durations import parse_ttl

    return parse_ttl(int(text) if text.isdecimal() and len(text) < 19 else text)


@contextmanager
def _client(base_url: str | None) -> Iterator[Client]:
    """Return a client whose warnings are said by exit codes instead; an interruption says how to go on."""
    from ..client import Client

    with Client(base_url=base_url) as client:
        diary = client.planner.journal().path
        noted = _size(diary)
        try:
            yield client
        except KeyboardInterrupt:
            if _size(diary) == noted:
                raise  # nothing was sent
            click.echo(
                "tinker-frames: interrupted; `tinker-frames journal` says what was done, `tinker-frames resume` goes on",
                err=True,
            )
            raise click.exceptions.Exit(INTERRUPTED) from None


def _size(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0


def _show(plan: Plan, form: str) -> int:
    """Print a plan; its text names commands where a notebook's names calls."""
    from ..frames import files

    if form == "json":
        files.write_json_array(plan.frame, sys.stdout.buffer)
        return 0
    *text, _ = repr(plan).splitlines()
    called = {'expire(after="24h") can': "tinker-frames expire can", ": plan.frame": ": --format json has all"}
    for call, command in called.items():
        text = [line.removesuffix(call) + command if line.endswith(call) else line for line in text]
    click.echo("\n".join([*text, "Nothing was sent."]))
    return 0


def _report(outcomes: pd.DataFrame, form: str, way_back: str = "", *, quiet: bool = False) -> int:
    """Print how it ended: the counts, and every row that did not end well; 2 if there is one.

    `quiet` leaves the counts out where all is well and nobody watches.
    """
    from ..frames import files
    from ..frames.text import escape_control_characters

    bad = outcomes[outcomes["outcome"].isin(["failed", "unknown"])]
    if form == "json":
        files.write_json_array(outcomes, sys.stdout.buffer)
    elif len(bad):
        _print(bad[["tinker_path", "outcome", "error"]])
    if quiet and bad.empty and not sys.stderr.isatty():
        return 0
    counts = outcomes["outcome"].value_counts()
    click.echo(", ".join(f"{count:,} {name}" for name, count in counts.items() if count) or "nothing to do", err=True)
    for reason, count in outcomes.loc[outcomes["outcome"] == "skipped", "error"].value_counts().items():
        click.echo(f"  skipped: {count:,}, {escape_control_characters(str(reason))}", err=True)
    if way_back and counts.get("done", 0):
        click.echo(way_back, err=True)
    return FAILED if len(bad) else 0


def _print(frame: pd.DataFrame) -> None:
    from ..frames.text import render_lines

    sys.stdout.write(render_lines(frame))
