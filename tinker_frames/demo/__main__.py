"""Serve a demo account from the command line: `python -m tinker_frames.demo`."""

from __future__ import annotations

import argparse
import signal
import sys
import threading

from .data.dialects import DIALECTS
from .endpoints import PAGED
from .server import DemoServer
from .traffic.faults import Faults


def _parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tinker_frames.demo", description="Serve a demo account.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: loopback)")
    parser.add_argument("--port", type=int, default=0, help="port to listen on; 0 selects a free port")
    parser.add_argument("--runs", type=int, default=60, help="number of training runs")
    parser.add_argument("--seed", type=int, default=1, help="seed of the account")
    parser.add_argument("--checkpoints", type=int, default=None, help="total number of checkpoints")
    parser.add_argument("--dialect", choices=list(DIALECTS), default="official", help="server to emulate")
    parser.add_argument("--latency", type=float, default=0.0, help="delay of every response in seconds")
    parser.add_argument("--page-cap", type=int, default=None, help="largest page of every list")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Run the command until SIGINT or SIGTERM; return its exit code."""
    args, stopping = _parse_arguments(argv), threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: stopping.set())
    caps = {} if args.page_cap is None else dict.fromkeys(PAGED, args.page_cap)
    account = {"checkpoints": args.checkpoints, "dialect": args.dialect, "host": args.host, "port": args.port}
    server = DemoServer(args.runs, args.seed, faults=Faults(latency=args.latency, page_caps=caps), **account)
    with server:
        print(f"READY {server.url}", flush=True)  # noqa: T201 - the line that callers wait for
        while not stopping.wait(1):
            pass
    return 0


if __name__ == "__main__":
    sys.exit(main())
