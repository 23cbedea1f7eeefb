"""The public names: importable, typed, and light to import."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

import tinker_frames as tkf
from tinker_frames.schema.catalog import TABLES

NAMES = tuple(TABLES)


def _python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_all_is_sorted_and_importable() -> None:
    """`__all__` is sorted and lists exactly the importable public names."""
    assert sorted(tkf.__all__) == tkf.__all__
    assert all(getattr(tkf, name) is not None for name in tkf.__all__)
    assert set(tkf.__all__) <= set(dir(tkf))
    with pytest.raises(AttributeError, match="has no attribute 'chekpoints'") as caught:
        tkf.chekpoints  # noqa: B018
    assert (caught.value.name, caught.value.obj) == (
        "chekpoints",
        tkf,
    )  # from which Python makes "Did you mean: 'checkpoints'?"


@pytest.mark.parametrize("name", ["demo", "errors", "policies"])
def test_completion_offers_only_what_is_public(name: str) -> None:
    """`dir` of a public module lists its `__all__` only."""
    module = getattr(tkf, name)
    assert [each for each in dir(module) if not each.startswith("_")] == sorted(module.__all__)
    if name == "policies":
        assert set(module.__all__) == {"Rule", *module.RULES}


def test_import_is_light() -> None:
    """Importing the package does not load pandas, pyarrow, requests, ipywidgets, FastAPI or typing."""
    heavy = (
        "typing",
        "pandas",
        "pyarrow",
        "requests",
        "requests_cache",
        "msgspec",
        "ipywidgets",
        "fastapi",
        "tqdm",
        "click",
    )
    loaded = _python("import sys, tinker_frames; print(*sys.modules)").split()
    assert not set(heavy) & set(loaded)


@pytest.mark.parametrize("name", NAMES)
def test_every_listing_takes_the_common_options(name: str) -> None:
    """refresh, limit, progress and require_complete are keyword-only on every listing."""
    parameters = inspect.signature(getattr(tkf, name)).parameters
    for option in ("refresh", "limit", "progress", "require_complete"):
        assert parameters[option].kind is inspect.Parameter.KEYWORD_ONLY


def test_no_function_bears_a_module_name() -> None:
    """No public function hides a module of the same name."""
    import pkgutil

    modules = {module.name for module in pkgutil.iter_modules(tkf.__path__)}
    functions = {name for name in tkf.__all__ if inspect.isroutine(getattr(tkf, name))}
    assert not modules & functions


def test_nothing_is_changed_for_the_whole_process() -> None:
    """Only standalone programs (the command line, the demo server) set warning filters or signals; nothing swaps a memory pool.

    `keep_interrupts` wraps the program's own handler of Ctrl-C during a call, and restores it.
    """
    calls = re.compile(
        r"catch_warnings|simplefilter|filterwarnings|set_memory_pool|set_option|signal\.signal|setlocale"
    )
    package = Path(tkf.__file__).parent
    found = {str(file.relative_to(package)) for file in package.rglob("*.py") if calls.search(file.read_text("utf-8"))}
    assert found <= {"cli/main.py", "demo/__main__.py", "rest/interrupts.py"}


@pytest.mark.parametrize(
    "call",
    [
        lambda: tkf.export("text", "x.csv"),
        lambda: tkf.export(pd.DataFrame(), 5),
        lambda: tkf.tinker([1]),
        lambda: tkf.abandon(3, client=tkf.Client("", "http://127.0.0.1:9")),
    ],
)
def test_an_argument_of_another_type_is_named(call: Callable[[], object]) -> None:
    """An argument of the wrong type raises before anything is read or written."""
    with pytest.raises(tkf.errors.ArgumentTypeError, match=r"^(frame|path|plan) must be "):
        call()


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (
            lambda client: client.training_runs(detail=True),
            r"training_runs\(\): got .* 'detail'\. Did you mean 'details'",
        ),
        (lambda client: client.training_runs(True), r"training_runs\(\): too many positional arguments$"),
        (lambda client: tkf.tinker(pd.DataFrame()).set_ttl(client=client), r"set_ttl\(\): missing .* 'ttl'$"),
        (lambda client: tkf.undo(client=client, confim=3), r"undo\(\): got .* 'confim'\. Did you mean 'confirm'"),
    ],
)
def test_a_wrong_call_names_the_function(call: Callable[[tkf.Client], object], said: str) -> None:
    """A call with arguments that a method does not take raises `TypeError`, which names the method and what may be meant."""
    with tkf.Client("", "http://127.0.0.1:9") as client, pytest.raises(TypeError, match=said):
        call(client)
