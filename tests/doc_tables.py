"""Generate the tables of `.docs/pages` between their markers: `python -m tests.doc_tables` writes them."""

from __future__ import annotations

import inspect
import re
import warnings
from collections.abc import Callable
from pathlib import Path

from tinker_frames import demo, policies
from tinker_frames.client import Client
from tinker_frames.demo.endpoints import find_endpoint
from tinker_frames.demo.service.app import ROUTERS
from tinker_frames.errors import IncompleteListingWarning, NotSupportedError
from tinker_frames.frames.formats import FORMATS
from tinker_frames.plans.actions import ACTIONS, Action
from tinker_frames.plans.guards import GUARDS
from tinker_frames.policies import RULES
from tinker_frames.rest.config import describe_settings
from tinker_frames.rest.endpoints import Rest
from tinker_frames.schema.catalog import BILLING, DETAILED, TABLES
from tinker_frames.schema.columns import Table
from tinker_frames.schema.log_tables import LOG_TABLES

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
DOCS = ROOT / ".docs" / "pages"
PAGES = (README, *sorted(DOCS.rglob("*.md")))


def render_tables() -> str:
    """Return the columns of each table that an endpoint has."""
    return "\n".join(_render_table(table) for table in TABLES.values() if table.source)


def _render_table(table: Table) -> str:
    shown = [column for column in table.columns if not column.name.startswith(("last_checkpoint_", "last_sampler_"))]
    lines = [
        f"## `{table.name}()`: {table.row}",
        "",
        *([f"From {table.source}.", ""] if table.source else []),
        "| column | dtype | meaning |",
        "|---|---|---|",
    ]
    lines += [f"| `{column.name}` | {column.dtype} | {column.doc} |" for column in shown]
    if len(shown) < len(table.columns):
        lines.append(
            "| `last_checkpoint_…` | as in `checkpoints()` | the newest training checkpoint: `…_path`, `…_id`, `…_type`, and so on |"
        )
        lines.append(
            "| `last_sampler_checkpoint_…` | as in `checkpoints()` | the same of the newest sampler checkpoint |"
        )
    added = [column for column in DETAILED.get(table.name, table).columns if column.name not in table.names]
    lines += [f"| `{column.name}` | {column.dtype} | with `details=True`: {column.doc} |" for column in added]
    return "\n".join([*lines, ""])


def render_billing() -> str:
    """Return the columns of usage, storage and costs."""
    return "\n".join(_render_table(table) for table in BILLING.values())


def render_logs() -> str:
    """Return the columns of the frames of training logs."""
    lines = ["| attribute | column | dtype | meaning |", "|---|---|---|---|"]
    for table in LOG_TABLES.values():
        lines.append(f"| `logs.{table.name}` | | | {table.row} |")
        lines += [f"| | `{column.name}` | {column.dtype} | {column.doc} |" for column in table.columns]
    return "\n".join([*lines, ""])


def render_settings() -> str:
    """Return the options of `Client` and `connect`."""
    lines = ["| setting | type | default | meaning |", "|---|---|---|---|"]
    for name, parameter, setting in describe_settings():
        kind = inspect.formatannotation(parameter.annotation).replace("|", "or")
        lines.append(f"| `{name}` | {kind} | `{parameter.default!r}` | {setting.doc} |")
    return "\n".join([*lines, ""])


def render_actions() -> str:
    """Return the actions on checkpoints."""
    lines = ["| call | command | meaning | takes | can be undone |", "|---|---|---|---|---|"]
    for action in ACTIONS.values():
        if action.is_offered:
            takes = "; ".join(f"`{parameter.name}`: {_lower(parameter.doc)}" for parameter in action.parameters)
            call = f"{action.name}({', '.join(parameter.name for parameter in action.parameters)})"
            undo = _describe_undo(action)
            lines.append(
                f"| `{call}` | `{action.command}` | {action.doc.removesuffix('.')} | {takes or '-'} | {undo} |"
            )
    return "\n".join([*lines, ""])


def _describe_undo(action: Action) -> str:
    durations = [parameter.name for parameter in action.parameters if parameter.kind == "duration"]
    return "yes" if action.undo else f"with `{durations[0]}`" if durations else "no"


def render_guards() -> str:
    """Return the guards."""
    lines = ["| guard | reason of a row that it holds | where it cannot tell |", "|---|---|---|"]
    lines += [f"| `{guard.name}` | {guard.describe(True)} | {guard.describe(None)} |" for guard in GUARDS.values()]
    return "\n".join([*lines, ""])


def render_rules() -> str:
    """Return the keep rules."""
    lines = ["| rule | option of `tinker-frames retire` | meaning |", "|---|---|---|"]
    for rule in RULES.values():
        parameters = inspect.signature(getattr(policies, rule.name)).parameters.values()
        call = ", ".join(_render_parameter(parameter) for parameter in parameters)
        option = f"--{rule.name.replace('_', '-')} {rule.metavar}".strip()
        lines.append(f"| `{rule.name}({call})` | `{option}` | {rule.doc.removesuffix('.')} |")
    return "\n".join([*lines, ""])


def _render_parameter(parameter: inspect.Parameter) -> str:
    if parameter.default is parameter.empty:
        return parameter.name
    return f"{parameter.name}={'…' if isinstance(parameter.default, tuple) else repr(parameter.default)}"


def render_formats() -> str:
    """Return the file formats."""
    lines = ['| suffix | format | `ls --format` | keeps `attrs["tinker"]` |', "|---|---|---|---|"]
    for form in FORMATS.values():
        printed = f"`{form.name}`" if form.is_text else "-"
        lines.append(f"| `{form.suffix}` | {form.doc} | {printed} | {'yes' if form.keeps_metadata else 'no'} |")
    return "\n".join([*lines, ""])


def render_servers() -> str:
    """Return the endpoints of each server that the demo account emulates."""
    routes = {
        name: {(method, route.path) for router in routers for route in router.routes for method in route.methods}
        for name, routers in ROUTERS.items()
    }
    documented = "\n".join(inspect.getdoc(method) or "" for name, method in vars(Rest).items() if name[0] != "_")
    endpoints = dict.fromkeys(re.findall(r"(GET|POST|PUT|DELETE) /api/v1(/[^\s,;.`]*)", documented))
    lines = [f"| endpoint, after `/api/v1` | {' | '.join(routes)} |", "|---|" + "---|" * len(routes)]
    for method, path in endpoints:
        route = demo.ENDPOINTS[find_endpoint(method, f"/api/v1{path}")]
        there = ("yes" if route in routes[server] else "-" for server in routes)
        lines.append(f"| `{method} {path}` | {' | '.join(there)} |")
    return "\n".join([*lines, ""])


def render_server_columns() -> str:
    """Return what the tables of each server lack, from a demo account of each."""
    lines = ["| dialect | server | tables that it lacks | columns that it does not fill |", "|---|---|---|---|"]
    for name, dialect in demo.DIALECTS.items():
        with demo.account(dialect=name) as client, warnings.catch_warnings():
            warnings.simplefilter("ignore", IncompleteListingWarning)
            lacks = {table: _find_lacks(client, table) for table in TABLES if TABLES[table].source}
        tables = ", ".join(f"`{table}`" for table, columns in lacks.items() if columns is None)
        columns = "; ".join(
            f"{table}: {', '.join(map('`{}`'.format, columns))}" for table, columns in lacks.items() if columns
        )
        lines.append(f"| `{name}` | {dialect.server} | {tables or '-'} | {columns or '-'} |")
    return "\n".join([*lines, ""])


def _find_lacks(client: Client, table: str) -> list[str] | None:
    """Return the columns that a server does not fill; None if it does not have the table."""
    try:
        return getattr(client, table)().attrs["tinker"]["lacks"]
    except NotSupportedError:
        return None


def _lower(text: str) -> str:
    """Return a sentence with a lowercase start, for use within another."""
    return text[0].lower() + text[1:].removesuffix(".")


SECTIONS: dict[str, Callable[[], str]] = {
    "tables": render_tables,
    "billing": render_billing,
    "logs": render_logs,
    "actions": render_actions,
    "guards": render_guards,
    "rules": render_rules,
    "settings": render_settings,
    "formats": render_formats,
    "servers": render_servers,
    "server-columns": render_server_columns,
}


def fill_in(text: str) -> str:
    """Return a page's text with its generated parts up to date."""
    for name in re.findall(r"^<!-- ([\w-]+): begin -->$", text, re.MULTILINE):
        begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
        head, _, rest = text.partition(begin)
        _, _, tail = rest.partition(end)
        text = f"{head}{begin}\n\n{SECTIONS[name]()}\n{end}{tail}"
    return text


if __name__ == "__main__":
    for page in PAGES:
        page.write_text(fill_in(page.read_text(encoding="utf-8")), encoding="utf-8")
