"""Shell completion of names of columns, and of the values that a column can have, from the catalog; nothing is read for it."""

from __future__ import annotations

import re
from collections.abc import Iterable

import click
from click.shell_completion import CompletionItem

from ..schema import catalog
from ..schema.columns import Column

# Groups of `summary --by`, besides columns; a test compares them with those of `frames.totals`, which takes pandas to import.
GROUPS = (
    "run",
    "training_run",
    "session",
    "name",
    "model",
    "type",
    "status",
    "owner",
    "project",
    "day",
    "week",
    "month",
    "year",
)
COST_GROUPS = (
    "session",
    "training_run",
    "base_model",
    "user",
    "project",
    "type",
    "day",
    "week",
    "month",
    "year",
)  # of `cost --by`, tested alike
LAST = "tinker_frames.last_argument"
_COMPARISON = re.compile(r"(?P<before>.*?)(?P<name>\w+)\s*(?P<operator>[=!]=)\s*['\"]?(?P<value>[^'\"]*)$")
_WORD = re.compile(r"(?P<before>.*[\s(,])?(?P<word>[\w.]*)$")


class CompletedCommand(click.Command):
    """A command that also completes a value with a `-` before it, as in `--sort -si`, which click takes for an option."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments; the last one is kept, which click forgets if it is an option without its value."""
        ctx.meta[LAST] = args[-1] if args else ""
        return super().parse_args(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete the value of the option before, if it takes one."""
        last = ctx.meta[LAST]
        option = next((one for one in self.params if isinstance(one, click.Option) and last in one.opts), None)
        if option is None or option.is_flag or option.count:
            return super().shell_complete(ctx, incomplete)
        return option.shell_complete(ctx, incomplete)


def complete_columns(context: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete the last of several names of columns with commas between, with `-` before it for a descending sort."""
    before, comma, last = incomplete.rpartition(",")
    sign = "-" if last.startswith("-") else ""
    return _complete_names(before + comma + sign, last.removeprefix("-"), _list_columns(context))


def complete_query(context: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete the name of a column in a query, or after `==` a value that the column can have."""
    columns = _list_columns(context)
    if found := _COMPARISON.match(incomplete):
        values = next((column.categories or () for column in columns if column.name == found["name"]), ())
        start = f"{found['before']}{found['name']} {found['operator']} "
        return [CompletionItem(f"{start}'{value}'") for value in values if value.startswith(found["value"])]
    word = _WORD.match(incomplete)
    return [] if word is None else _complete_names(word["before"] or "", word["word"], columns)


def complete_groups(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete a group of `summary --by`."""
    groups = [Column(name, "text", "a group") for name in GROUPS]
    return _complete_names("", incomplete, [*groups, *catalog.INVENTORY.columns])


def complete_cost_groups(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete a group of `cost --by`."""
    return _complete_names("", incomplete, [Column(name, "text", "a group") for name in COST_GROUPS])


def _list_columns(context: click.Context) -> list[Column]:
    """Return the columns of the table that the command line names so far; of an inventory for `summary`, else of checkpoints."""
    default = "inventory" if context.info_name == "summary" else "checkpoints"
    # before an option without its value, click parses no argument
    words = [str(context.params.get("table")), *context.args]
    name = next((catalog.SHORT_NAMES.get(w, w) for w in words if w in {*catalog.SHORT_NAMES, *catalog.TABLES}), default)
    tables = catalog.TABLES | (catalog.DETAILED if context.params.get("details") or "--details" in context.args else {})
    return list(tables[name].columns)


def _complete_names(before: str, start: str, columns: Iterable[Column]) -> list[CompletionItem]:
    return [CompletionItem(before + each.name, help=each.doc) for each in columns if each.name.startswith(start)]
