"""Standard input as tinker paths, in any form that `ls` and `export` write: lines with tabs, CSV, or JSON."""

from __future__ import annotations

import csv
import io
import json
import os
import queue
import stat
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

import click

from ..schema.catalog import find_column

HEADER = "tinker_path"
PATIENCE_S = 10.0  # with a silent pipe, until a message says what is read: longer than `ls` before it usually takes
IDLE_S = 30.0  # how long a pipe may stay silent that was not named by `-`, before that is an error
CHUNK = 65_536


def is_stdin_piped() -> bool:
    """Tell whether standard input is a pipe, a socket or a file; a terminal or /dev/null selects nothing."""
    try:
        mode = os.fstat(sys.stdin.fileno()).st_mode
    except (AttributeError, OSError, ValueError):  # it was closed, or is not a file
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or stat.S_ISREG(mode)


def read_stdin(idle_s: float | None = None) -> list[str]:
    """Return the paths on standard input; a header is one of them.

    Raises
    ------
    click.UsageError
        If nothing was written for `idle_s` seconds, as to the open pipe that cron or ssh may leave.
    """
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="backslashreplace")  # no path that this account has, but no traceback either
    with _announce_wait():
        if idle_s is not None:
            return parse_paths(_read_pipe(sys.stdin.fileno(), idle_s).decode("utf-8", "backslashreplace"))
        return parse_paths(sys.stdin.read() if sys.stdin else "")


def _read_pipe(descriptor: int, idle_s: float) -> bytes:
    """Return what is written to a pipe until it is closed; a thread reads it, since no timeout ends a read everywhere."""
    chunks: queue.Queue[bytes] = queue.Queue()

    def read() -> None:
        with suppress(OSError):  # what cannot be read to its end selects nothing
            while chunk := os.read(descriptor, CHUNK):
                chunks.put(chunk)
            chunks.put(b"")

    threading.Thread(target=read, daemon=True).start()
    found = b""
    try:
        while chunk := chunks.get(timeout=idle_s):
            found += chunk
    except queue.Empty:
        problem = f"nothing was written to standard input for {idle_s:g} s, so no checkpoint is selected"
    else:
        return found
    raise click.UsageError(f"{problem}; use < /dev/null to ignore it, or pass - to wait without a limit.")


@contextmanager
def _announce_wait() -> Iterator[None]:
    """Say on standard error what is waited for, if it takes a while: an open pipe may never be written to."""
    message = "reading tinker paths from standard input until it ends; without a pipe, pass paths as arguments or use < /dev/null"
    timer = threading.Timer(PATIENCE_S, click.echo, [message], {"err": True})
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def parse_paths(text: str) -> list[str]:
    """Return the paths that a text names: one per line, or those of its column `tinker_path`."""
    text = text.removeprefix("\ufeff")
    if "\0" in text:
        raise click.UsageError("standard input is no text in UTF-8: pipe lines, CSV or JSON, as ls prints them.")
    if text.lstrip().startswith(("[", "{")):
        return _parse_json(text)
    lines = [line for line in text.splitlines() if line.strip()]
    rows = [line.split("\t") for line in lines]
    if lines and HEADER not in rows[0] and HEADER in next(csv.reader(lines[:1])):
        rows = list(csv.reader(io.StringIO(text, newline="")))
    check_header([*rows[0], *next(csv.reader(lines[:1]))] if rows else [])
    place = rows[0].index(HEADER) if rows and HEADER in rows[0] else 0
    return [row[place].lstrip() for row in rows if len(row) > place]


def check_header(cells: Sequence[str]) -> None:
    """Raise for the names of columns without that of the paths: they are of another table."""
    names = [cell for cell in cells if find_column(cell) is not None]
    if names and HEADER not in names:
        raise click.UsageError(
            f"{', '.join(names[:3])}{', …' if len(names) > 3 else ''}: a table without the column {HEADER!r}, which names checkpoints; "
            "use that of ls checkpoints or ls inventory."
        )


def _parse_json(text: str) -> list[str]:
    """Return the paths of an array of objects, or of one object per line."""
    try:
        is_array = text.lstrip().startswith("[")
        # Lines end with "\n" only: JSON has other separators as they are.
        rows = json.loads(text) if is_array else [json.loads(line) for line in text.split("\n") if line.strip()]
        paths = [row[HEADER] for row in rows]
    except (ValueError, KeyError, TypeError, RecursionError):
        paths = [None]
    if not all(isinstance(path, str) for path in paths):
        raise click.UsageError(f"standard input looks like JSON, but is not a list of objects with {HEADER!r}.")
    return [HEADER, *paths]
