"""`python -m tinker_frames.cli`: the command line without its entry point on PATH."""

from .main import main

if __name__ == "__main__":
    main()
