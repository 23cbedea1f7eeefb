"""`tinker-frames info`: every field of one checkpoint, training run or session."""

from __future__ import annotations

import io
import json
import sys
from typing import TYPE_CHECKING, Any

import click

from ..errors import InvalidRequestError, NotFoundError, NotSupportedError
from ..schema.catalog import SESSIONS, TRAINING_RUNS
from ..schema.columns import to_python
from .connection import add_server_options, open_client
from .plans import INCOMPLETE
from .printing import make_console

if TYPE_CHECKING:
    from datetime import datetime

    import pandas as pd

    from ..client import Client

CANDIDATES = 5  # in an error


@click.command()
@click.argument("text", metavar="PATH|RUN|SESSION")
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True)
@click.option("--refresh", is_flag=True, help="Read from the server, not from the cache.")
@add_server_options
def info(text: str, form: str, refresh: bool, base_url: str | None) -> int:
    """Print every field of one checkpoint, training run or session.

    Takes a whole id or path, the beginning of an id, what a table shows of it (with …), a name that only one has, or a link of the
    console. Exit code 3 means that the listing could not be proved complete, so that another one might be meant.
    """
    from ..frames.text import list_doubts

    with open_client(base_url) as client:
        found = client.find(text, refresh=refresh)
        row = _read_row(client, *_choose(found, text))
    if form == "json":
        sys.stdout.write(json.dumps(_to_object(row), indent=2, ensure_ascii=False) + "\n")
    else:
        _print_fields(row)
    for line in list_doubts(found.attrs["tinker"]):
        click.echo(line, err=True)
    return 0 if found.attrs["tinker"]["complete"] else INCOMPLETE


def _choose(found: pd.DataFrame, text: str) -> tuple[str, str]:
    """Return the table and id of the one row that a text names: of a session before its runs, of a run before its checkpoints."""
    exact = found[found["id"] == text.strip()]
    rows = exact if len(exact) else found[found["table"] == found["table"].iloc[0]] if len(found) else found
    if len(rows) == 1:
        return str(rows["table"].iloc[0]), str(rows["id"].iloc[0])
    if rows.empty:
        raise InvalidRequestError(
            f"nothing is named {text!r}", hint="See tinker-frames ls checkpoints, ls runs and ls sessions."
        )
    listed = ", ".join(rows["id"].head(CANDIDATES))
    raise InvalidRequestError(
        f"{len(rows):,} {rows['table'].iloc[0].replace('_', ' ')} are named {text!r}",
        hint=f"Give one of {listed}{', …' if len(rows) > CANDIDATES else ''}; tinker-frames find lists all.",
    )


def _read_row(client: Client, table: str, name: str) -> pd.DataFrame:
    """Return a frame of one row with every column that is known of it, its metadata as columns, and its page in the console."""
    from ..frames.metadata import expand_metadata

    read = {SESSIONS.name: client.sessions, TRAINING_RUNS.name: lambda: client.training_runs(details=True)}
    frame = read.get(table, client.inventory)()
    key = {SESSIONS.name: SESSIONS.key, TRAINING_RUNS.name: TRAINING_RUNS.key}.get(table, "tinker_path")
    row = frame[frame[key] == name].head(1).reset_index(drop=True)
    if row.empty:
        raise NotFoundError(f"{name} is no longer listed", hint="It was deleted since it was found; use --refresh.")
    added: dict[str, Any] = {"console_url": row.tinker.console_url().tolist()}
    if table == SESSIONS.name:
        added |= _list_members(client, name)
    return expand_metadata(row).assign(**added)


def _list_members(client: Client, session: str) -> dict[str, Any]:
    """Return what a session says of its runs and samplers; nothing on a server that does not tell."""
    try:
        answer = client.rest.get_session(session)
    except (NotFoundError, NotSupportedError):
        return {}
    return {name: [tuple(answer.get(name) or ())] for name in ("training_run_ids", "sampler_ids")}


def _to_object(row: pd.DataFrame) -> dict[str, Any]:
    from ..frames import files

    with io.BytesIO() as out:
        files.write_json_array(row, out)
        (found,) = json.loads(out.getvalue())
    return dict(found)


def _print_fields(row: pd.DataFrame) -> None:
    """Print one field per line, with human-readable times and sizes too; a terminal gets the names of unknown fields in one line."""
    import pandas as pd

    from ..frames import terminal, text

    fields = [(text.escape_control_characters(str(name)), _describe(row[name])) for name in row]
    if not sys.stdout.isatty():
        sys.stdout.write("".join(f"{name}\t{value}\n" for name, value in fields))
        return
    known = [field for field in fields if field[1] != text.NOTHING]
    missing = ", ".join(name for name, value in fields if value == text.NOTHING)
    lines = [*known, ("(not set)", missing)] if missing else known
    make_console().print(terminal.render_folded(pd.DataFrame(lines, columns=["field", "value"])))


def _describe(values: pd.Series[Any]) -> str:
    """Return a value as it is, and behind it as an age or a size with a unit."""
    from ..frames.humanize import humanize_column
    from ..frames.text import escape_control_characters, format_cell

    value, (short,) = to_python(values.iloc[0]), humanize_column(values)
    if hasattr(value, "isoformat"):
        return f"{_format_time(value)} ({short})"
    if isinstance(value, int) and str(values.name).endswith("_bytes"):
        return f"{value:,} ({short})"
    return short if isinstance(value, float) else escape_control_characters(format_cell(value))


def _format_time(value: datetime) -> str:
    return f"{value:%Y-%m-%d %H:%M:%S} UTC"
