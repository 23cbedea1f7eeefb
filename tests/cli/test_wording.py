"""Errors in the words of the command line."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from tinker_frames.demo import DemoServer

PYTHON = re.compile(r"tkf\.|\bplan\.(?=\w)|\w+=(?:True|False|None)\b|\bapi_key\b|\w+\(\)|attrs\[|timedelta|DataFrame")


@pytest.mark.parametrize(
    "arguments",
    [
        "undo", "undo nosuch", "resume", "resume nosuch", "abandon nosuch", "journal nosuch", "ttl nope --where public",
        "ttl 10 --where public", "expire --where public --after 1s", "retire --all --best nope --dry-run", "retire --all",
        "ls checkpoints --where size_gb=", "ls checkpoints --where nope>1", "ls checkpoints --columns nope", "summary --by nope",
        "rm no-path --dry-run", "rm --where public=='x'", "info nope", "ls runs --limit -1", "ls checkpoints --base-url http://example.org",
        "ls runs --base-url ftp://x", "cost --since 30", "cost --until soon", "retire --all --best test/accuracy --dry-run", "export runs -o -", "rm --where public --allow nope", "ls checkpoints --run nope",
    ],
)  # fmt: skip
def test_errors_name_commands_and_options(
    arguments: str, shared_server: DemoServer, command: Callable[..., Any]
) -> None:
    """No error of a command names a call, a keyword argument or an attribute of Python."""
    done = command(shared_server, *arguments.split())
    assert not PYTHON.search(done.out + done.err), done.err


def test_without_a_credential(command: Callable[..., Any]) -> None:
    """Without a credential one line names the variables, and the demo account as a command."""
    done = command(None, "ls", "runs")
    assert (done.code, done.err.count("\n"), "tinker-frames demo" in done.err) == (1, 1, True)
    assert not PYTHON.search(done.err)


def test_a_ttl_can_be_never(shared_server: DemoServer, command: Callable[..., Any]) -> None:
    """What is no duration is an error that names `never` too."""
    assert 'or "never"' in command(shared_server, "ttl", "nope", "--where", "public").err


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        ("cost --start 30d", "Did you mean --since?"),
        ("cost --group user", "Did you mean --by?"),
        ("retire --all --keep-read 60d", "Did you mean --read-within?"),
        ("ls checkpoints --read-within 60d", "It is an option of retire."),
        ("ls checkpoints --nosuchoption", "--nosuchoption"),
        ("cost --since 30", "--since '30' is not a time"),
        ("cost --since lastmonth", "--since 2026-10 --until 2026-11"),
        ("retire --all --best test/accuracy", "Add :max if they are"),
        ("retire --all --best test/nll:0", "a number of 1 or more"),
        ("ls usage", "tinker-frames cost --format csv"),
        ("export storage -o x.csv", "tinker-frames summary --format csv"),
        ("ls checkpoint", "did you mean checkpoints?"),
    ],
)
def test_errors_hint_at_options_and_commands(
    arguments: str, hint: str, shared_server: DemoServer, command: Callable[..., Any]
) -> None:
    """An option or a table that is called otherwise here, or a value of another form, is an error that names what is meant."""
    done = command(shared_server, *arguments.split())
    assert (done.code, hint in done.err) == (1, True), done.err
