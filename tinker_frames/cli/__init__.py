"""The command line: `tinker-frames`."""
