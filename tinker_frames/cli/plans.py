"""The commands that write, one for each action of `plans.actions.ACTIONS`, and `undo`, `resume`, `abandon` and `journal`.

A command's name, help, argument and options come from the action, `--allow` from the guards, and the options that keep checkpoints
from the keep rules. Exit codes: 0 all done, 1 usage or error, 2 some rows failed or are not known, 3 the listing could not be
proved complete, and then nothing is removed without --allow-incomplete; 130 interrupted. Rows that were named and not acted on
(held by a guard, unknown, changed since) count as failed.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import contextmanager, redirect_stdout
from typing import TYPE_CHECKING, Any

import click

from ..errors import ConfirmationNeededError, InvalidRequestError
from ..frames.comparisons import NO_LOGS
from ..plans.actions import ACTIONS, Action, Arguments, Parameter
from ..plans.guards import GUARDS
from ..policies import RULES, KeepRule, Rule, join_rules
from ..schema.durations import DURATION_FORMS
from ..schema.paths import is_cut, read_console_link
from .completion import complete_columns, complete_query
from .connection import add_server_options, is_demo, open_client
from .logs import LOGS, add_logs
from .piped import HEADER, IDLE_S, check_header, is_stdin_piped, read_stdin
from .printing import add_options, add_table_options, print_ids, print_table
from .reports import make_hints, print_plan, report_outcomes, report_unknown

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from ..client import Client
    from ..plans.plan import Plan

INCOMPLETE, INTERRUPTED = 3, 130
DURATION = "DURATION"
JOURNAL_COLUMNS = (HEADER, "action", "state", "outcome", "error")

DRY_RUN = click.option("--dry-run", is_flag=True, help="Print the plan and send nothing.")

_Command = Callable[..., Any]
_Decorator = Callable[[_Command], _Command]


def _add_client_options(command: _Command) -> _Command:
    options = (
        click.option("--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True),
        add_server_options,
    )
    return add_options(command, options)


def _add_plan_options(command: _Command, action: Action) -> _Command:
    """Add the options that say which checkpoints are meant, and what is allowed."""
    guards = click.option("--allow", "guards", multiple=True, type=click.Choice(list(GUARDS)),
                          help="Lift a guard, i.e. send the rows that it holds; can be given several times.")  # fmt: skip
    options = (
        click.argument("paths", nargs=-1),
        click.option("--where", metavar="QUERY", shell_complete=complete_query, help="A pandas query over checkpoints, e.g. \"size_gb > 1\"."),
        click.option("--by", "listing", type=click.Choice(["auto", "user", "run"]), default="auto", show_default=True,
                     help="Read the user's list of checkpoints, or the list of each run."),
        LOGS,
        *([guards] if action.is_guarded else []),
        DRY_RUN,
        click.option("--yes", is_flag=True, help="Skip the confirmation of the row count."),
        click.option("--allow-incomplete", is_flag=True,
                     help="Accept a listing that may be incomplete, instead of exiting with 3; without this, nothing is then "
                          "deleted or set to expire."),
    )  # fmt: skip
    return add_options(_add_client_options(command), options)


def _make_command(action: Action) -> click.Command:
    """Return the command of an action."""

    def run(**options: Any) -> int:
        return _run_action(action, options)

    own = [option for parameter in action.parameters for option in _own_options(parameter)]
    if _takes_rule(action):
        own.append(click.option("--all", "all_rows", is_flag=True, help="Select from the whole account."))
    return click.command(action.command, help=_help(action))(add_options(_add_plan_options(run, action), own))


def _own_options(parameter: Parameter) -> list[_Decorator]:
    """Return a parameter of an action as an argument, an option, or an option for each keep rule."""
    if parameter.kind == "rule":
        counting = " and ".join(_flag(rule.name) for rule in RULES.values() if rule.counts)
        what = f"Columns that {counting} group by, instead of run and type; comma-separated."
        return [
            *(_rule_option(rule) for rule in RULES.values()),
            click.option("--per", metavar="COLUMNS", shell_complete=complete_columns, help=what),
        ]
    if parameter.is_required:
        return [click.argument(parameter.name, metavar=DURATION)]
    default = parameter.default
    return [
        click.option(_flag(parameter.name), metavar=DURATION, default=default, show_default=True, help=parameter.doc)
    ]


def _rule_option(rule: KeepRule) -> _Decorator:
    """Return the option of a keep rule."""
    text, doc = _flag(rule.name), rule.help
    if rule.kind == "flag":
        return click.option(text, rule.name, is_flag=True, help=doc)
    if rule.kind == "count":
        return click.option(text, rule.name, type=click.IntRange(rule.least), metavar=rule.metavar, help=doc)
    if rule.kind == "duration":
        return click.option(text, rule.name, metavar=rule.metavar, help=doc)
    several = f"{doc.removesuffix('.')}; can be given several times."
    return click.option(text, rule.name, multiple=True, metavar=rule.metavar, help=several)


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _help(action: Action) -> str:
    """Return the help of an action's command."""
    if _takes_rule(action):
        scope = "Selects from PATHS, paths on standard input (one per line), the rows of --where, or with --all the whole account."
        more = "A row is kept if any of several rules keeps it."
    else:
        scope = "Selects PATHS, or paths on standard input (one per line), or the rows of --where; given both, the rows in both."
        more = ""
    takes = [
        f"{DURATION} is e.g. {DURATION_FORMS}, or a number of seconds{_or_none(p)}."
        for p in action.parameters
        if p.is_required
    ]
    durations = takes if not _takes_rule(action) else []
    return "\n\n".join(
        filter(None, [action.doc.replace("tkf.", "").replace("`", ""), " ".join([*durations, scope]), more])
    )


def _or_none(parameter: Parameter) -> str:
    return f', or "{parameter.takes_none}"' if parameter.takes_none else ""


def _takes_rule(action: Action) -> bool:
    """Tell whether an action selects its rows by a keep rule, and so may be given the whole account."""
    return any(parameter.kind == "rule" for parameter in action.parameters)


def _finish_plan(finish: Callable[..., pd.DataFrame], plan: str | None, yes: bool, form: str, what_to_do: str) -> int:
    """Undo or resume a plan, and report its outcomes; a confirmation that is missing names what to do instead."""
    try:
        with redirect_stdout(sys.stderr):
            outcomes = finish(plan, confirm=True if yes else None)
    except ConfirmationNeededError as error:
        problem = error.what
    else:
        return report_outcomes(outcomes, form)
    raise InvalidRequestError(problem, hint=f"Inspect it with tinker-frames journal, then {what_to_do}.")


@click.command()
@click.argument("plan", required=False)
@click.option(
    "--yes", is_flag=True, help="Skip the confirmation of the row count, which undoing an unpublish requires."
)
@DRY_RUN
@_add_client_options
def undo(plan: str | None, yes: bool, dry_run: bool, form: str, base_url: str | None) -> int:
    """Undo a plan: the last one of the last 24 hours, or the one named."""
    with _open_client(base_url) as client:
        if dry_run:
            return print_plan(client.planner.preview_undo(plan), form)
        return _finish_plan(client.planner.undo, plan, yes, form, "undo it with --yes")


@click.command()
@click.argument("plan", required=False)
@click.option("--yes", is_flag=True, help="Skip the confirmation of the row count.")
@DRY_RUN
@_add_client_options
def resume(plan: str | None, yes: bool, dry_run: bool, form: str, base_url: str | None) -> int:
    """Finish an interrupted plan: the last one of the last 24 hours, or the one named.

    Completed rows are not sent again. Without a name, the plan is shown and needs confirmation as in its first run.
    """
    with _open_client(base_url) as client:
        if dry_run:
            return print_plan(client.planner.preview_resume(plan), form)
        return _finish_plan(client.planner.resume, plan, yes, form, "resume it by name or with --yes, or abandon it")


@click.command()
@click.argument("plan")
@add_server_options
def abandon(plan: str, base_url: str | None) -> int:
    """Close an unfinished plan, so that it cannot be resumed.

    Rows that it has changed stay so, and can be undone.
    """
    from ..frames.text import count_nouns

    with _open_client(base_url) as client:
        left = client.planner.abandon(plan)
    click.echo(f"abandoned, with {count_nouns(left, 'row')} not done", err=True)
    return 0


@click.command()
@click.argument("plan", required=False)
@add_table_options
@_add_client_options
def journal(plan: str | None, form: str, base_url: str | None, *, full: bool, quiet: bool) -> int:
    """Print the actions and outcomes of every plan, or the rows of the one named by its id or the beginning of it.

    An undo of expire or ttl is listed with the action restore. With -q: the ids of the plans, or the paths of the rows.
    """
    from ..frames import files

    with _open_client(base_url) as client:
        frame = client.planner.build_journal_frame(plan)
    if form == "json":
        files.write_json_array(frame, sys.stdout.buffer)
        return 0
    if quiet:
        print_ids(frame["plan" if plan is None else HEADER])
    elif frame.empty and sys.stdout.isatty():
        click.echo("the journal of this account has no plan yet", err=True)
    else:
        print_table(_count_outcomes(frame) if plan is None else frame[list(JOURNAL_COLUMNS)], full=full)
    return 0


def _count_outcomes(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the number of rows of each plan's outcomes."""
    groups = ["plan", "started_at", "action", "state", "outcome"]
    return frame.groupby(groups, observed=True, dropna=False, sort=False).size().reset_index(name="rows")


COMMANDS = (
    *(_make_command(action) for action in ACTIONS.values() if action.is_offered),
    undo,
    resume,
    abandon,
    journal,
)


def _run_action(action: Action, options: dict[str, Any]) -> int:
    """Select the rows, make the plan, and print or run it."""
    given = _arguments(action, options)
    removes, by_rule = action.ends_life(_check(action, given)), _takes_rule(action)
    paths = None if _takes_all(options) else _read_paths(options["paths"], options["where"], by_rule=by_rule)
    with _open_client(options["base_url"]) as client:
        frame = add_logs(client.checkpoints(by=options["listing"], refresh=True), options["logs"], options.get("per"))
        incomplete = not frame.attrs["tinker"]["complete"] and not options["allow_incomplete"]
        refused = incomplete and removes and not options["dry_run"]
        if incomplete:
            then = (
                "nothing is removed; to remove rows anyway, use --allow-incomplete"
                if refused
                else "rows may be missing"
            )
            click.echo(f"the listing could not be proved complete, so {then}", err=True)
        if refused:
            return INCOMPLETE
        paths = _complete_paths(paths, frame)
        plan = _make_plan(client, action, _select_rows(frame, paths, options["where"]), given).allow(
            *options.get("guards", ())
        )
        named = [] if paths is None else _find_required(plan, paths, by_rule=by_rule)
        code = print_plan(plan, options["form"]) if options["dry_run"] else _run_plan(plan, options, named)
        if by_rule or options["where"] is not None:  # else the plan refuses them
            code = code or report_unknown(paths or (), frame[HEADER])
    return code or (INCOMPLETE if incomplete else 0)


def _takes_all(options: dict[str, Any]) -> bool:
    """Tell whether --all selects the whole account."""
    if options.get("all_rows") and options["paths"]:
        raise click.UsageError("--all selects the entire account: pass either paths or --all.")
    return bool(options.get("all_rows"))


def _find_required(plan: Plan, paths: list[str], *, by_rule: bool) -> list[str]:
    """Return which of the paths that were named have to be acted on; with a keep rule, those that exist may be kept."""
    if not by_rule:
        return paths
    frame = plan.frame
    return list(frame.loc[frame["verdict"] == "refused", HEADER])


def _arguments(action: Action, options: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of an action, from the options of its command."""
    return {
        parameter.name: _keep_rule(options)
        if parameter.kind == "rule"
        else _to_duration(options[parameter.name], parameter)
        for parameter in action.parameters
    }


def _check(action: Action, given: dict[str, Any]) -> Arguments:
    """Return the parsed arguments of an action; an invalid duration is reported before any request is sent."""
    try:
        return action.parse(given)
    except InvalidRequestError as error:
        problem = error.what
    raise InvalidRequestError(
        problem,
        hint=f"A duration is e.g. {DURATION_FORMS}, or a number of seconds, from an hour to ten years"
        f"{''.join(_or_none(parameter) for parameter in action.parameters)}.",
    )


def _make_plan(client: Client, action: Action, frame: pd.DataFrame, given: dict[str, Any]) -> Plan:
    try:
        return client.planner.plan(action.name, frame, given)
    except AttributeError as error:  # a keep rule by a column that checkpoints do not have
        problem = str(error)
    see = "See the columns with tinker-frames ls checkpoints --columns all --limit 0."
    raise InvalidRequestError(problem, hint="" if NO_LOGS in problem else see)


def _run_plan(plan: Plan, options: dict[str, Any], named: list[str]) -> int:
    """Run a plan; its question goes to standard error, so that standard output holds only the outcomes."""
    from ..plans.confirmation import require_confirmation

    frame = plan.frame
    sends = frame[frame["verdict"] == "send"]
    try:
        with redirect_stdout(sys.stderr):
            if not options["yes"]:
                require_confirmation(plan.action, sends, None, plan.effect, lambda: plan.summarize(frame, make_hints()))
            outcomes = plan.run(confirm=True if options["yes"] else len(sends))
    except ConfirmationNeededError as error:
        problem = error.what
    else:
        undo_hint = (
            f"undo with: tinker-frames undo {plan.id}" if plan.action.undo else f"a {plan.action.name} cannot be undone"
        )
        undo_hint = "the demo account ends with this command" if is_demo() else undo_hint
        return report_outcomes(outcomes, options["form"], undo_hint, named=named)
    raise InvalidRequestError(problem, hint="Print the plan with --dry-run, run it with --yes.")


def _complete_paths(paths: list[str] | None, frame: pd.DataFrame) -> list[str] | None:
    """Return whole paths for those that tables show with `…` in them, and for links of the console."""
    if paths is None:
        return None
    paths = [read_console_link(path) or path for path in paths]
    if not frame.attrs["tinker"]["complete"] and (cut := [path for path in paths if is_cut(path)]):
        raise InvalidRequestError(
            f"{cut[0]!r} could be another checkpoint, since the listing could not be proved complete",
            hint="Give the whole path, as -q prints it.",
        )
    from ..listings.find import resolve_short_ids

    return list(dict.fromkeys(resolve_short_ids(paths, frame[HEADER])))


def _select_rows(frame: pd.DataFrame, paths: list[str] | None, where: str | None) -> pd.DataFrame:
    """Return the rows of the given paths, those unknown to the account included, and of the query."""
    import pandas as pd

    from ..frames.query import filter_rows

    if paths is not None:
        named = pd.DataFrame({HEADER: pd.Series(paths, dtype=frame[HEADER].dtype)})
        about, frame = frame.attrs, named.merge(frame, on=HEADER, how="left")
        frame.attrs = about  # when it was read
    return frame if where is None else filter_rows(frame, where)


def _read_paths(arguments: tuple[str, ...], where: str | None, *, by_rule: bool) -> list[str] | None:
    """Return the paths of the arguments (`-`: those on standard input), or of a pipe; None where only --where selects."""
    if quoted := [path for path in arguments if path.startswith('"')]:
        hint = "pass $(tinker-frames ls checkpoints --columns tinker_path), or pipe it in"
        raise click.UsageError(f"{quoted[0]} is quoted, as --format csv prints it: {hint}.")
    # With bytes that are not text escaped.
    arguments = tuple(path.encode("utf-8", "backslashreplace").decode() for path in arguments)
    check_header(arguments)
    is_piped = not arguments and is_stdin_piped()
    sources = ("-",) if is_piped else arguments
    found = [path for source in sources for path in _read_source(source, is_piped=is_piped)]
    if is_piped and not found:
        raise click.UsageError("standard input is empty, so no checkpoint is selected; use < /dev/null to ignore it.")
    if not sources and where is None:
        whole = ", or the whole account with --all" if by_rule else ""
        raise click.UsageError(f"pass tinker paths, pipe them in, or select rows with --where{whole}.")
    return list(dict.fromkeys(path for path in found if path != HEADER)) if sources else None


def _read_source(source: str, *, is_piped: bool) -> list[str]:
    """Return an argument, or for `-` the paths on standard input; a pipe that was not named by `-` may stay silent forever."""
    return [source] if source != "-" else read_stdin(IDLE_S if is_piped else None)


def _keep_rule(options: dict[str, Any]) -> Rule:
    """Return the keep rule that the options name, joined by or, in the order in which they were given."""
    values = {name: value for name, value in options.items() if name in RULES}
    if all(value is None or value is False or value == () for value in values.values()):
        raise click.UsageError(f"name a keep rule, e.g. {_flag(next(iter(RULES)))}; see --help.")
    return join_rules(values, options["per"])


def _to_duration(text: str | None, parameter: Parameter) -> int | str | None:
    """Return a duration for an action: a bare number is seconds, and a required one may be none in words."""
    if text is None or (
        parameter.is_required and parameter.takes_none and text.lower() in (parameter.takes_none, "none")
    ):
        return None
    return int(text) if text.isdecimal() and len(text) < 19 else text


@contextmanager
def _open_client(base_url: str | None) -> Iterator[Client]:
    """Yield a client; after an interruption that leaves a plan unfinished, print how to continue."""
    with open_client(base_url) as client:
        journal = client.planner.journal()
        size_before = journal.measure_size()
        try:
            yield client
        except KeyboardInterrupt:
            if journal.measure_size() == size_before:
                raise  # nothing was sent
            click.echo(
                "tinker-frames: interrupted; `tinker-frames journal` shows what was done, `tinker-frames resume` continues",
                err=True,
            )
            raise click.exceptions.Exit(INTERRUPTED) from None
