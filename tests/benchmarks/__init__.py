"""Benchmarks: how long tables take beside what a user writes today and beside the floors; `python -m tests.benchmarks`.

Only ratios are told, each against a peer that was measured in the same run, round by round in turn. Both sides get the same
bytes or the same server, and a peer whose rows differ from ours stops the benchmark before anything is timed.
"""
