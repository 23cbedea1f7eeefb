"""Every command on a terminal: lines that fit, rows that differ, and how to see more."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from rich.cells import cell_len

import tinker_frames as tkf
from tinker_frames.demo import DemoServer

COMMANDS = [
    "ls sessions", "ls runs", "ls runs --details --limit 5", "ls checkpoints --metadata", "ls inventory", "ls samplers",
    "find nightly", "summary --by run", "rm --where public --dry-run", "doctor", "journal",
]  # fmt: skip
STYLE = re.compile(r"\x1b\[[0-9;]*m")


@pytest.mark.few(5)
@pytest.mark.parametrize("line", COMMANDS)
def test_no_line_is_wider_than_the_terminal(line: str, shared_server: DemoServer, command: Callable[..., Any]) -> None:
    """Tables, plans and findings fit a narrow and a wide terminal; at most 50 rows are shown."""
    for columns in (60, 130):
        done = command(shared_server, *line.split(), columns=columns)
        shown = STYLE.sub("", done.out).split("\n")
        assert done.code == 0
        assert max(map(cell_len, shown), default=0) <= columns
        assert len(shown) < 75


def test_every_checkpoint_can_be_told_apart(
    shared_server: DemoServer, command: Callable[..., Any], shared_client: tkf.Client
) -> None:
    """At 80 columns the rows of an inventory have different paths, and each is taken for the row that it is shown for."""
    shown = STYLE.sub("", command(shared_server, "ls", "inventory", columns=80).out).split("\n")[3:53]
    short = [re.split(r"\s{2,}", line.strip())[0] for line in shown]
    assert len(set(short)) == 50
    paths = shared_client.inventory()["tinker_path"].head(50)
    for text, path in list(zip(short, paths, strict=True))[::9]:
        assert path in command(shared_server, "find", text, "-q").out.splitlines()


def test_full_shortens_nothing(
    shared_server: DemoServer, command: Callable[..., Any], shared_client: tkf.Client
) -> None:
    """`--full` prints every row with its whole path, and says how there is more otherwise."""
    paths = shared_client.checkpoints()["tinker_path"].tolist()
    cut = command(shared_server, "ls", "checkpoints", columns=80).out
    assert f"… {len(paths) - 50} more rows" in cut
    assert "--full shortens nothing" in cut
    full = command(shared_server, "ls", "checkpoints", "--full", columns=80).out
    assert "…" not in full
    assert re.findall(r"tinker://\S+", full) == [path.split()[0] for path in paths]


def test_fields_on_a_terminal(
    shared_server: DemoServer, command: Callable[..., Any], shared_client: tkf.Client
) -> None:
    """`info` on a terminal has the known fields, and the names of the others in one line."""
    path = shared_client.checkpoints()["tinker_path"].iloc[0]
    shown = command(shared_server, "info", path, columns=100).out
    assert shown.startswith("tinker_path")
    assert "(not set)" in shown


def test_an_empty_journal_and_a_name_of_nothing(server: DemoServer, command: Callable[..., Any]) -> None:
    """A terminal is told that there is nothing to show."""
    assert "no plan yet" in command(server, "journal", columns=80).err
    assert "nothing is named" in command(server, "find", "no such name", columns=80).err
