"""The commands that write: thin twins of the plans, fit for cron.

Exit codes: 0 all done, 1 usage or error, 2 some rows failed or are not known, 3 the listing could not be proved complete, and
then nothing is removed without --allow-incomplete.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from .errors import IncompleteListingWarning, InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from .client import Client
    from .plans import Plan
    from .policies import Rule

FAILED, INCOMPLETE = 2, 3
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
    """Make checkpoints private again; what others took meanwhile cannot be recalled."""
    return _act(lambda frame: frame.tinker.unpublish, options, removes=False)


@click.command()
@click.argument("length")
@_plan_options
def ttl(length: str, **options: Any) -> int:
    """Let checkpoints expire LENGTH from now (30d, 12h, seconds), or never ("never")."""
    wanted = None if length.lower() in ("never", "none") else int(length) if length.isdigit() else length
    return _act(lambda frame: lambda **of: frame.tinker.set_ttl(wanted, **of), options)


@click.command()
@click.option("--after", metavar="LENGTH", default="24h", show_default=True, help="How long there is a way back.")
@_plan_options
def expire(after: str, **options: Any) -> int:
    """Let the service delete checkpoints after a while; until then `undo` brings back their old expiry."""
    return _act(lambda frame: lambda **of: frame.tinker.expire(after, **of), options)


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
    """Remove every checkpoint that no keep rule keeps: all of the account's, or those of PATHS or --where."""
    rule = _rule(options)
    return _act(lambda frame: lambda **of: frame.tinker.retire(rule, after, **of), options, everything=True)


@click.command()
@click.argument("plan", required=False)
@_client_options
def undo(plan: str | None, form: str, base_url: str | None) -> int:
    """Take back what a plan did, where that can be done: the last plan, or the one named."""
    from .default import undo as take_back

    with _client(base_url) as client:
        return _report(take_back(plan, client=client), form)


@click.command()
@click.argument("plan", required=False)
@_client_options
def resume(plan: str | None, form: str, base_url: str | None) -> int:
    """Finish an interrupted plan: the last one, or the one named. What is done is not done again."""
    from .default import resume as finish

    with _client(base_url) as client:
        return _report(finish(plan, client=client), form)


@click.command()
@click.argument("plan", required=False)
@_client_options
def journal(plan: str | None, form: str, base_url: str | None) -> int:
    """Print what was asked of checkpoints and how it ended: of every plan, or of the one named."""
    from . import files
    from .default import journal as read

    with _client(base_url) as client:
        frame = read(client=client)
    frame = frame if plan is None else frame[frame["plan"].str.startswith(plan)].reset_index(drop=True)
    if form == "json":
        files.write_json_array(frame, sys.stdout.buffer)
        return 0
    counts = frame.groupby(["plan", "begun_at", "action", "state", "outcome"], observed=True, dropna=False).size()
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
    given = _paths(options["paths"], wanted=not options["where"] and not everything)
    with _client(options["base_url"]) as client:
        frame = client.checkpoints(by=options["by"], refresh=True)
        if not frame.attrs["tinker"]["complete"] and removes and not options["allow_incomplete"]:
            click.echo(
                "the listing could not be proved complete, so nothing is removed; --allow-incomplete does it", err=True
            )
            return INCOMPLETE
        plan = plan_of(_chosen(frame, given, options["where"]))(client=client)
        plan = plan.allow(*options["guards"]) if options["guards"] else plan
        if options["dry_run"]:
            return _print_plan(plan, options["form"])
        outcomes = plan.run(confirm=True if options["yes"] else None)
    code = _report(outcomes, options["form"])
    way_back = f"undo with: tinker-frames undo {plan.id}" if plan.action.undo else "a delete cannot be undone"
    if (outcomes["outcome"] == "done").any():
        click.echo(way_back, err=True)
    return code


def _chosen(frame: pd.DataFrame, paths: list[str] | None, where: str | None) -> pd.DataFrame:
    """Return the rows of the given paths, those unknown to the account included, and of the query."""
    import pandas as pd

    from .selection import matching

    about = frame.attrs
    if paths is not None:
        named = pd.DataFrame({HEADER: pd.Series(paths, dtype=frame[HEADER].dtype)})
        frame = named.merge(frame, on=HEADER, how="left")
    frame = matching(frame, where) if where else frame
    frame.attrs = about
    return frame


def _paths(arguments: tuple[str, ...], *, wanted: bool) -> list[str] | None:
    """Return the paths of the arguments, or of standard input (`-`, or nothing else given); None if none were meant."""
    piped = arguments == ("-",) or (wanted and not arguments and not sys.stdin.isatty())
    if piped:
        first = (line.split("\t")[0].strip() for line in sys.stdin)
        return list(dict.fromkeys(path for path in first if path and path != HEADER))
    if arguments:
        return list(dict.fromkeys(arguments))
    if wanted:
        raise click.UsageError("name tinker paths, pipe them in, or choose with --where.")
    return None


def _rule(options: dict[str, Any]) -> Rule:
    """Return the keep rule that the options say, joined by or; takes them out of the options."""
    from . import policies

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
    from . import policies

    column, _, number = text.partition(":")
    if number and not number.isdigit():
        raise InvalidRequestError(f"--best {text!r} has no number after the colon", hint="Write e.g. meta.loss:2.")
    return policies.best(column, n=int(number or 1))


@contextmanager
def _client(base_url: str | None) -> Iterator[Client]:
    """Return a client whose warnings are said by exit codes instead."""
    from .client import Client

    with warnings.catch_warnings(), Client(base_url=base_url) as client:
        warnings.simplefilter("ignore", IncompleteListingWarning)
        yield client


def _print_plan(plan: Plan, form: str) -> int:
    from . import files

    if form == "json":
        files.write_json_array(plan.frame, sys.stdout.buffer)
    else:
        click.echo(repr(plan).replace("plan.run()", "it is run without --dry-run"))
    return 0


def _report(outcomes: pd.DataFrame, form: str) -> int:
    """Print how it ended: the counts, and every row that did not end well; 2 if there is one."""
    from . import files

    bad = outcomes[outcomes["outcome"].isin(["failed", "unknown"])]
    if form == "json":
        files.write_json_array(outcomes, sys.stdout.buffer)
    elif len(bad):
        _print(bad[["tinker_path", "outcome", "error"]])
    counts = outcomes["outcome"].value_counts()
    click.echo(", ".join(f"{count:,} {name}" for name, count in counts.items() if count) or "nothing to do", err=True)
    for reason, count in outcomes.loc[outcomes["outcome"] == "skipped", "error"].value_counts().items():
        click.echo(f"  skipped: {count:,}, {reason}", err=True)
    return FAILED if len(bad) else 0


def _print(frame: pd.DataFrame) -> None:
    from .render import lines

    sys.stdout.write(lines(frame))
