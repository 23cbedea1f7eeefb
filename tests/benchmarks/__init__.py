"""Benchmarks of tables against what users write today and against lower bounds; run `python -m tests.benchmarks`.

Only ratios are printed, each against a peer measured in alternating rounds of the same run. Both sides get the same bytes
or the same server, and a peer whose rows differ from ours stops the benchmark before anything is timed.
"""
