"""The account that a command is for: the user's own, one on another server, or the embedded demo account."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from .printing import add_options

if TYPE_CHECKING:
    from ..client import Client

DEMO = "tinker_frames.demo"  # what is set in a command's context if the demo account is asked for
RUNS, SEED = 60, 1  # of the account that `demo` shows, so that `--demo` has the same one


def add_server_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say which account a command is for."""
    options = (
        click.option("--base-url", metavar="URL", help="The server, instead of TINKER_BASE_URL."),
        add_demo_option("Use the account of `tinker-frames demo`; changes to it are lost when the command ends."),
    )
    return add_options(command, options)


def add_demo_option(help_text: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return a decorator that adds --demo, which `is_demo` tells."""
    return click.option("--demo", is_flag=True, expose_value=False, callback=_remember_demo, help=help_text)


def _remember_demo(context: click.Context, _: click.Parameter, value: bool) -> None:
    context.meta[DEMO] = value


@contextmanager
def open_client(base_url: str | None, **options: Any) -> Iterator[Client]:
    """Yield a client of the account that the command's options name; it is closed in the end."""
    if is_demo():
        from ..demo import account

        if base_url is not None:
            raise click.UsageError("--demo and --base-url exclude each other.")
        client = account(RUNS, SEED, **options)
    else:
        from ..client import Client

        client = Client(base_url=base_url, **options)
    with client:
        yield client


def is_demo() -> bool:
    """Tell whether the command that runs is for the demo account."""
    return bool(click.get_current_context().meta.get(DEMO))
