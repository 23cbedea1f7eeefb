"""A wrong argument of any public call is named in one sentence, before anything is sent."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import tinker_frames as tkf
from tinker_frames.demo import DemoServer
from tinker_frames.errors import ConfirmationNeededError, TinkerError
from tinker_frames.functions import set_default

HOSTILE: dict[str, Any] = {
    "text": "no such thing",
    "empty text": "",
    "fraction": 1.5,
    "NaN": math.nan,
    "negative": -1,
    "True": True,
    "list": [],
    "list of numbers": [5],
    "object": object(),
    "bytes": b"x",
    "None": None,
}
TABLES = tuple(tkf.catalog.TABLES)
# What means something where it seems not to: by the parameter, the kinds of hostile values that are good.
ANY_TEXT = {"text"}
FLAG = {"True"}
UNSET = {"None"}
DURATION: set[str] = set()
GOOD: dict[str, set[str]] = {
    "layout": {"None"},
    "access_scope": set(),
    "action": ANY_TEXT,
    "by": set(),
    "client": UNSET,
    "column": set(),
    "confirm": FLAG | UNSET,
    "deadline": UNSET | {"fraction"},
    "details": FLAG,
    "end": UNSET,
    "encoding": set(),
    "hints": set(HOSTILE),
    "ended": FLAG,
    "frame": set(),
    "frame_or_name": set(),
    "guards": set(),
    "limit": UNSET,
    "max_keys": UNSET,
    "max_workers": UNSET,
    "numeric": FLAG,
    "path": ANY_TEXT,
    "plan": UNSET,
    "progress": FLAG | UNSET,
    "project_id": ANY_TEXT | UNSET,
    "refresh": FLAG,
    "require_complete": FLAG,
    "rows": {"list"},
    "safe": FLAG,
    "start": set(),
    "save_rows": FLAG,
    "training_run_id": ANY_TEXT | UNSET | {"list"},
    "after": DURATION,
    "ttl": UNSET,
    "keep": set(),
    "age": DURATION,
    "within": DURATION,
    "n": set(),
    "k": set(),
    "pattern": ANY_TEXT,
    "key": ANY_TEXT,
    "value": set(HOSTILE),
    "per": ANY_TEXT,
    "smallest": FLAG | UNSET,
    "finite": FLAG,
}
GOOD_OF = {
    ("with_metrics", "logs"): ANY_TEXT, ("with_metrics", "on"): UNSET, ("with_metrics", "metrics"): UNSET | {"list"}, ("with_metrics", "config"): {"list"},
    ("keep_last", "by"): ANY_TEXT, ("best", "by"): ANY_TEXT, ("abandon", "plan"): set[str](),
    ("sum_by", "rate"): UNSET | {"fraction", "whole"},
    ("retire", "after"): UNSET, ("expand_metadata", "column"): UNSET, ("set_ttl", "ttl"): UNSET, ("read_export", "safe"): FLAG | UNSET,
}  # fmt: skip


class Account:
    """A client, a frame and a plan of a demo server, whose requests are counted from then on."""

    def __init__(self, server: DemoServer, folder: Path) -> None:
        self.server, self.folder = server, folder
        self.client = tkf.Client(server.key, server.url, cache=False)
        self.frame = self.client.checkpoints()
        self.plan = self.frame.tinker.set_ttl("30d")
        set_default(self.client)
        server.requests.clear()


@pytest.fixture
def account(tmp_path: Path) -> Iterator[Account]:
    with DemoServer(runs=4) as server:
        made = Account(server, tmp_path)
        yield made
        made.client.close()


def list_calls(account: Account) -> Iterator[tuple[str, Callable[..., Any], dict[str, Any]]]:
    """Yield each public call: its name, what is called, and arguments that it needs."""
    needed: dict[str, dict[str, Any]] = {
        "set_ttl": {"ttl": "30d"}, "extend": {"by": "30d"}, "retire": {"keep": tkf.policies.keep_last(1)}, "keep_last": {"n": 1},
        "keep_every": {"k": 1}, "keep_named": {"pattern": "x"}, "newer_than": {"age": "7d"}, "has_metadata": {"key": "x"},
        "export": {"frame": account.frame, "path": account.folder / "a.csv"}, "read_export": {"path": account.folder / "a.csv"},
        "with_metrics": {"logs": account.folder},
        "abandon": {"plan": "x"}, "load_plan": {"path": account.folder / "none.json"}, "tinker": {"frame": account.frame},
        "only": {"rows": []}, "drop": {"rows": []}, "save": {"path": account.folder / "plan.json"}, "run": {"confirm": False}, "summarize": {"frame": account.plan.frame},
    }  # fmt: skip
    functions = {name: getattr(tkf, name) for name in (*TABLES, "export", "read_export", "tinker", "explore")}
    functions |= {name: getattr(tkf, name) for name in ("usage", "storage", "costs")}
    functions |= {name: getattr(tkf, name) for name in ("journal", "resume", "abandon", "undo", "load_plan")}
    functions |= {f"client.{name}": getattr(account.client, name) for name in TABLES}
    accessor = tkf.tinker(account.frame)
    for kind, source in (("tinker", accessor), ("plan", account.plan)):
        for name in dir(source):
            if not name.startswith("_") and inspect.ismethod(getattr(source, name)):
                functions[f"{kind}.{name}"] = getattr(source, name)
    functions |= {f"policies.{name}": getattr(tkf.policies, name) for name in tkf.policies.RULES}
    for name, function in functions.items():
        yield name, function, needed.get(name.rpartition(".")[2], {})


def call_with(function: Callable[..., Any], given: dict[str, Any], parameter: inspect.Parameter, value: Any) -> str:
    """Return what is wrong with how a call takes a hostile value; empty if it is refused as it should be."""
    try:
        if parameter.kind is parameter.VAR_POSITIONAL:
            function(value)
        else:
            function(**given | {parameter.name: value})
    except ConfirmationNeededError:
        return "" if parameter.name == "confirm" else "is taken"
    except TinkerError as error:
        return "" if len(str(error)) < 600 and "\n" not in str(error) else str(error)
    except AttributeError as error:  # of a column that the frame has not
        return "" if parameter.name == "column" and isinstance(value, str) else str(error)
    except Exception as error:  # noqa: BLE001  # whatever comes from inside
        return f"{type(error).__name__}: {error}"
    return "is taken"


def judge(account: Account, name: str, function: Callable[..., Any], given: dict[str, Any]) -> Iterator[str]:
    """Yield what is wrong with how a call takes each hostile value for each of its parameters."""
    for parameter in inspect.signature(function).parameters.values():
        key = (name.rpartition(".")[2], parameter.name)
        good = GOOD_OF.get(key, GOOD.get(parameter.name, set()))
        for kind in HOSTILE.keys() - good:
            account.server.requests.clear()
            found = call_with(function, given, parameter, HOSTILE[kind])
            if found or len(account.server.requests):
                yield f"{name}({parameter.name}={kind}): {found or 'sent a request'}"


def test_no_public_call_takes_a_wrong_argument(account: Account) -> None:
    """Every parameter of every public function and method refuses values of other kinds with a `TinkerError`, and sends nothing."""
    wrong: list[str] = []
    for name, function, given in list_calls(account):
        wrong += judge(account, name, function, given)
    assert wrong == []
