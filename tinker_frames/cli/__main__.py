"""The command `tinker-frames`, also as `python -m tinker_frames.cli`: an early Ctrl-C is an exit code too."""

import sys

from ..rest.interrupts import keep_interrupts


def start() -> None:
    """Import the command line and run it; Ctrl-C ends it with exit code 130, whenever it comes."""
    try:
        with keep_interrupts():
            from .main import main

            main()
    except KeyboardInterrupt:
        sys.stderr.write("tinker-frames: interrupted; nothing was changed\n")
        sys.exit(130)


if __name__ == "__main__":
    start()
