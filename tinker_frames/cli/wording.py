"""Errors and warnings of the library in the words of the command line: options and commands instead of Python's calls."""

from __future__ import annotations

import re

# Python's words, as messages have them, and what a shell has instead; the first that fits counts.
_WORDS = {
    r"Look at the journal: tkf\.journal\(\), or `tinker-frames journal`": "See tinker-frames journal",
    r"tkf\.demo\.account\(\), or `tinker-frames demo`": "tinker-frames demo, or --demo with any command",
    r"tkf\.abandon\(\) or `(tinker-frames abandon)`": r"\1",
    r"tkf\.journal\(\)": "tinker-frames journal",
    r"tkf\.undo\((?:plan)?\)": "tinker-frames undo",
    r"tkf\.checkpoints\(\)": "tinker-frames ls checkpoints",
    r"use expire\(after=[\"']24h[\"']\)": "use tinker-frames expire",
    r", or pass api_key=": "",
    r"no credential: api_key=, ": "no credential: ",
    r"api_key argument": "the demo account's key",
    r"Make one with tkf\.policies[^.]*\.": "Name one, e.g. --keep-last 3.",
    r"Write it as for DataFrame\.query, e\.g\. size_gb > 1 and not public": "Write it like \"size > '1GB' and not public\"",
    r"Review plan\.frame, then pass the number of rows to plan\.run\(confirm=…\)": "Look at it with --dry-run, then run it with --yes",
    r"Call again with refresh=True when the account is quiet, or accept.*": "Try again with --refresh when the account is quiet.",
    r"the frame's `attrs\[\"tinker\"\]\[\"problems\"\]`": "standard error",
    r"; all are in attrs\[\"tinker\"\]\[\"problems\"\], and numeric=False keeps text": "",
    r"; pass max_keys=None for all": "",
    r", or lower max_workers": "",
    r"after df\.tinker\.with_metrics\(logs\)": "with --logs FOLDER",
    r"See `metric_names` of tkf\.logs\(…\)|See the columns of `runs` of tkf\.logs\(…\)": "See tinker-frames ls checkpoints --logs FOLDER --format json --limit 1",
    r"; allow_http=True permits plain http within private networks": "",
    r" and, with allow_http=True, private networks": "",
    r", or a timedelta\b": "",
    r"Use None for all rows, 0 for none": "Leave it out for all rows",
    r"\bstart=(?=['\"])": "--since ",
    r"\bend=(?=['\"])": "--until ",
    r"Use e\.g\. 2026-11-01, 2026-11, 30d \(that long ago\), yesterday, or a time with a time zone": "Use e.g. 2026-11-01, 2026-11, "
    "30d (that long ago; months and years are not durations) or yesterday; October is --since 2026-10 --until 2026-11",
    r"Pass smallest=False if they are, else smallest=True": "Add :max if they are, else :min",
    r"Pass finite=True if none": "Add :finite if none",
    r"by= names no group": "--by names no group",
    r"Use checkpoints\(\), inventory\(\) or sessions\(\)": "Use checkpoints, inventory or sessions",
    r"\(details=True\)": " --details",
    r"\bbase_url or TINKER_BASE_URL": "--base-url or TINKER_BASE_URL",
    r"\bby=[\"'](user|run|auto)[\"']": r"--by \1",
    r"\brefresh=True": "--refresh",
    r"\brequire_complete=True": "proof",
}
_PATTERNS = [(re.compile(pattern), words) for pattern, words in _WORDS.items()]


def translate(message: str) -> str:
    """Return a message of the library as the command line says it.

    Examples
    --------
    >>> translate("nothing to undo. Look at the journal: tkf.journal(), or `tinker-frames journal`.")
    'nothing to undo. See tinker-frames journal.'
    """
    for pattern, words in _PATTERNS:
        message = pattern.sub(words, message)
    return message
