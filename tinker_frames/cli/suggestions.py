"""What a name that the command line does not have could mean: options by other words, and what is no table."""

from __future__ import annotations

import click

from ..frames.comparisons import suggest_columns
from ..schema import catalog

# Options by the names that they have elsewhere; the first that the command has is meant.
OPTIONS = {
    "--start": ("--since",),
    "--from": ("--since",),
    "--days": ("--since",),
    "--end": ("--until",),
    "--to": ("--until",),
    "--group": ("--by",),
    "--group-by": ("--by",),
    "--keep-read": ("--read-within",),
    "--query": ("--where",),
    "--filter": ("--where",),
    "--order-by": ("--sort",),
}
COSTS = "; what is used and paid is printed by tinker-frames cost --format csv"
# What is no table of rows, and the command that prints it.
ANSWERS = {
    "cost": COSTS,
    "costs": COSTS,
    "usage": COSTS,
    "billing": COSTS,
    "storage": "; what is stored is printed by tinker-frames summary --format csv",
}
MOST_COMMANDS = 3  # that an error names for an option that is theirs


def suggest_table(name: str) -> str:
    """Return what could be meant by the name of a table that there is not, to stand at the end of an error; empty if nothing is close.

    Examples
    --------
    >>> suggest_table("checkpoint")
    '; did you mean checkpoints?'
    """
    return ANSWERS.get(name) or suggest_columns([name], catalog.SHORT_NAMES)


def suggest_option(error: click.NoSuchOption, group: click.Group) -> str:
    """Return the message for an unknown option: with the option that is meant, or else the commands that have one of this name."""
    own = set() if error.ctx is None else _list_options(error.ctx.command)
    if meant := [name for name in OPTIONS.get(error.option_name, ()) if name in own]:
        return f"{error.message.rstrip('.')}. Did you mean {meant[0]}?"
    others = [name for name, command in group.commands.items() if error.option_name in _list_options(command)]
    if 0 < len(others) <= MOST_COMMANDS:
        return f"{error.message.rstrip('.')}. It is an option of {', '.join(others)}."
    return error.format_message()


def _list_options(command: click.Command) -> set[str]:
    """Return the names of a command's options."""
    return {name for option in command.params if isinstance(option, click.Option) for name in option.opts}
