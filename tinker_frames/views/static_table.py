"""The first rows of a view as a static HTML table, which a notebook keeps for where the view is not alive; pure."""

from __future__ import annotations

from html import escape

from ..frames.text import escape_control_characters
from .cells import describe_column, exact_text
from .table import TableState

ROWS = 20
COLUMNS = 8
MISSING_EXTRA = 'The views need ipywidgets and anywidget: pip install "tinker-frames[lab]", or in a checkout pip install -e ".[lab]"'
WITHOUT_ROWS = "The rows of this view are not saved with the notebook. Run the cell to show it."
# It is shown a second late, so that it is not seen before the view hides it. Where the view below it cannot be shown, JupyterLab puts
# the text of an error in its place, which has no element.
_STYLE = """<style>@keyframes tkf-late {{from {{display: none; visibility: hidden}}}}
.jp-OutputArea-child:has([data-tkf-static="{id}"]) + .jp-OutputArea-child:has(> .jupyter-widgets:not(:has(*))) {{display: none}}</style>"""


def format_static_table(state: TableState, static_id: str, *, save_rows: bool) -> str:
    """Return the first rows as HTML, with every value escaped; without `save_rows`, what to do instead.

    Numbers are aligned to the right, and the key of the rows, e.g. their tinker paths, is the last column.
    """
    return wrap_static(_format_rows(state) if save_rows else f"<p>{WITHOUT_ROWS}</p>", static_id)


def wrap_static(content: str, static_id: str) -> str:
    """Return the static form of a view with this id, which the view hides."""
    style = _STYLE.format(id=static_id)
    return f'<div data-tkf-static="{static_id}" style="animation: tkf-late 0s 1s backwards">{style}{content}</div>'


def format_table(columns: list[tuple[str, str]], rows: list[list[str]], text: str) -> str:
    """Return a text and a table as HTML, with every value escaped; a column is its name and its alignment."""
    head = "".join(_format_cell("th", name, align) for name, align in columns)
    body = "".join(
        f"<tr>{''.join(_format_cell('td', value, align) for value, (_, align) in zip(row, columns, strict=True))}</tr>"
        for row in rows
    )
    return f"<p>{escape(text)}</p><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _format_rows(state: TableState) -> str:
    names = [name for name in state.columns if name != state.sort.key][: COLUMNS - 1]
    columns = [describe_column(state.rows.frame, name) for name in (*names, state.sort.key)]
    rows = state.chunk(0, [column["id"] for column in columns])[:ROWS]
    shown = [[exact_text(cell, column["kind"]) for cell, column in zip(row[2:], columns, strict=True)] for row in rows]
    described = escape_control_characters(state.describe())
    text = f"{described}; the first {len(rows)} rows as of the last run. Run the cell to show the view."
    return format_table([(column["label"], column["align"]) for column in columns], shown, text)


def _format_cell(tag: str, text: str, align: str) -> str:
    return f'<{tag} style="text-align: {align}">{escape(text)}</{tag}>'
