"""The column tables of the README, printed from the catalog: `python -m tests.readme_tables` puts them in place."""

from __future__ import annotations

from pathlib import Path

from tinker_frames.schema.catalog import CHECKPOINTS, SAMPLERS, SESSIONS, TRAINING_RUNS
from tinker_frames.schema.columns import Table

README = Path(__file__).parent.parent / "README.md"
BEGIN, END = "<!-- tables: begin -->", "<!-- tables: end -->"
ENDPOINTS = {
    "sessions": "POST /api/v1/sessions/search, else GET /api/v1/sessions and each session",
    "training_runs": "GET /api/v1/training_runs",
    "checkpoints": "GET /api/v1/checkpoints, else each run's GET …/checkpoints",
    "samplers": "GET /api/v1/samplers/{sampler} for every sampler that a session lists",
}


def rendered() -> str:
    """Return the Markdown of all tables."""
    return "\n".join(_table(table) for table in (SESSIONS, TRAINING_RUNS, CHECKPOINTS, SAMPLERS))


def _table(table: Table) -> str:
    shown = [column for column in table.columns if not column.name.startswith(("last_checkpoint_", "last_sampler_"))]
    lines = [
        f"### `{table.name}()`: {table.row}",
        "",
        f"From {ENDPOINTS[table.name]}.",
        "",
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
    return "\n".join([*lines, ""])


def with_tables(text: str) -> str:
    """Return the README's text with the tables as they should be."""
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return f"{head}{BEGIN}\n\n{rendered()}\n{END}{tail}"


if __name__ == "__main__":
    README.write_text(with_tables(README.read_text(encoding="utf-8")), encoding="utf-8")
