"""`python -m tinker_frames.demo`: serve a demo account until interrupted."""

from __future__ import annotations

import argparse
import signal
import sys
import threading

from .data.generator import DIALECTS
from .server import DemoServer
from .traffic.faults import Faults

PAGED = ("list_sessions", "search_sessions", "list_training_runs", "list_checkpoints", "list_user_checkpoints")


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tinker_frames.demo", description="Serve a demo account.")
    parser.add_argument("--host", default="127.0.0.1", help="where to listen (default: loopback only)")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--runs", type=int, default=60, help="training runs of the account")
    parser.add_argument("--seed", type=int, default=1, help="the same seed gives the same account")
    parser.add_argument("--checkpoints", type=int, default=None, help="checkpoints of the account, in all")
    parser.add_argument("--dialect", choices=DIALECTS, default="official", help="which server to act as")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds that every answer waits")
    parser.add_argument("--page-cap", type=int, default=None, help="largest page of every list")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Serve until SIGINT or SIGTERM."""
    given, halt = _arguments(argv), threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: halt.set())
    caps = {} if given.page_cap is None else dict.fromkeys(PAGED, given.page_cap)
    account = {"checkpoints": given.checkpoints, "dialect": given.dialect, "host": given.host, "port": given.port}
    server = DemoServer(given.runs, given.seed, faults=Faults(latency=given.latency, page_caps=caps), **account)
    with server:
        print(f"READY {server.url}", flush=True)  # noqa: T201 - the one line that callers wait for
        while not halt.wait(1):
            pass
    return 0


if __name__ == "__main__":
    sys.exit(main())
