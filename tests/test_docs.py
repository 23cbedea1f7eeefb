"""The README, the pages of the site, the docstrings and the changelog are correct."""

from __future__ import annotations

import doctest
import importlib
import inspect
import os
import pkgutil
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import tinker_frames as tkf
from tests.doc_tables import DOCS, PAGES, README, ROOT, SECTIONS, fill_in
from tinker_frames import errors
from tinker_frames.cli.main import cli
from tinker_frames.demo import DemoServer
from tinker_frames.plans.guards import GUARDS
from tinker_frames.rest.endpoints import Rest
from tinker_frames.schema.columns import Table
from tinker_frames.version import __version__

MODULES = sorted(m.name for m in pkgutil.walk_packages(tkf.__path__, "tinker_frames.") if "__main__" not in m.name)
TEXTS = {page: page.read_text(encoding="utf-8") for page in PAGES}
REFERENCE = "\n".join(text for page, text in TEXTS.items() if page.parent.name == "reference")


def _blocks(language: str, page: Path) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", TEXTS[page], re.DOTALL | re.MULTILINE)


def _programs() -> Iterator[Any]:
    """Yield the Python of each page; a block that does not import the package continues the one before."""
    for page in PAGES:
        programs: list[str] = []
        for block in _blocks("python", page):
            programs.append(block if "import tinker_frames" in block else programs.pop() + block)
        marks = pytest.mark.slow if page.stem == "questions" else ()  # test_questions runs each of its lines
        yield from (pytest.param(each, id=f"{page.stem}-{number}", marks=marks) for number, each in enumerate(programs))


def _commands() -> Iterator[list[str]]:
    """Yield the words of each command of each page, without pipes and redirections."""
    for line in (line for page in PAGES for block in _blocks("sh", page) for line in block.splitlines()):
        words = shlex.shlex(line.replace(" 2>", " >"), posix=True, punctuation_chars=True)
        words.whitespace_split = True
        parts = (list(part) for _, part in groupby(words, lambda word: not set(word) - set("|&;<>")))
        yield from (part for part in parts if part[0] == "tinker-frames")


@pytest.mark.parametrize(
    "page",
    [pytest.param(page, marks=pytest.mark.slow if page.stem == "servers" else ()) for page in PAGES],
    ids=lambda page: page.stem,
)
def test_generated_tables_are_up_to_date(page: Path) -> None:
    """The tables of the pages match the code (python -m tests.doc_tables writes them)."""
    assert fill_in(TEXTS[page]) == TEXTS[page]


def test_every_table_is_on_a_page() -> None:
    """Each generated table is printed once."""
    text = "".join(TEXTS.values())
    assert sorted(re.findall(r"^<!-- ([\w-]+): begin -->$", text, re.MULTILINE)) == sorted(SECTIONS)


def test_reference_has_every_public_name() -> None:
    """The reference documents every function, class and public module, and every endpoint."""
    assert "::: tinker_frames.rest.endpoints.Rest\n" in REFERENCE
    named = set(re.findall(r"^::: tinker_frames\.(\w+)", REFERENCE, re.MULTILINE))
    assert named >= set(tkf.__all__) - {"__version__", "catalog"}


def test_readme_begins_with_the_two_commands() -> None:
    """The README starts with the two commands that set everything up on a fresh machine."""
    assert [block.strip() for block in _blocks("sh", README)[:2]] == [
        'pip install -e ".[demo]" && tinker-frames demo',
        'pip install -e ".[test]" && pytest',
    ]


@pytest.mark.few(4)
@pytest.mark.parametrize("program", list(_programs()))
def test_python_of_the_pages_runs(program: str, server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The Python of the README and of each page runs unchanged, with the credential in the environment."""
    monkeypatch.setenv("TINKER_API_KEY", server.key)
    monkeypatch.setenv("TINKER_BASE_URL", server.url)
    monkeypatch.chdir(tmp_path)
    server.write_logs("runs")
    names: dict[str, object] = {}
    exec(compile(program, "<page>", "exec"), names)
    if "old" in names:
        old = names["old"]
        assert isinstance(old, pd.DataFrame)
        assert len(old) > 0
    if "view" in names:
        view = names["view"]
        assert isinstance(view, tkf.CheckpointsView)
        assert view.wait(60), "it does not go on without its server"
        assert len(view.plan) > 0
    tkf.default_client().close()


@pytest.mark.parametrize("command", list(_commands()), ids=" ".join)
def test_commands_of_the_pages_are_valid(command: list[str]) -> None:
    """The commands of the README and of each page have arguments and options that exist, with valid values."""
    _, name, *arguments = command
    cli.commands[name].make_context(name, arguments)


def test_readme_is_short() -> None:
    """The README has what a first visit needs; the rest is in the pages, which it links, as all links do exist."""
    lines = TEXTS[README].splitlines()
    assert len(lines) < 200
    assert max(map(len, lines)) < 300
    linked = [(page, link) for page in PAGES for link in re.findall(r"\]\((?!https?:)([^)#]+)", TEXTS[page])]
    assert [(page.name, link) for page, link in linked if not (page.parent / link).exists()] == []
    assert {page.stem for page in DOCS.glob("*.md")} <= {Path(link).stem for page, link in linked if page == README}


def test_every_error_is_explained() -> None:
    """The table of errors has every error class."""
    classes = {name for name in errors.__all__ if name.endswith("Error")} - {"TinkerError"}
    assert set(re.findall(r"^\| `(\w+Error)`", TEXTS[DOCS / "errors.md"], re.MULTILINE)) == classes


def test_every_attribute_is_explained(shared_server, client_of) -> None:
    """The page on what to rely on explains every entry of frame.attrs["tinker"]."""
    section = TEXTS[DOCS / "reliability.md"].partition('| `frame.attrs["tinker"]`')[2]
    named = {
        name for line in re.findall(r"^\| (`.*?`) \|", section, re.MULTILINE) for name in re.findall(r"`(\w+)`", line)
    }
    assert named == set(client_of(shared_server).costs("year", "1d").attrs["tinker"])


def test_changelog_has_this_version() -> None:
    """The changelog has an entry for the current version."""
    assert f"## {__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


class _OutputChecker(doctest.OutputChecker):
    """Compares what an example prints, if it says what that is."""

    def check_output(self, want: str, got: str, optionflags: int) -> bool:
        return not want or super().check_output(want, got, optionflags)


def _make_plan(client: tkf.Client) -> tkf.Plan:
    plan: tkf.Plan = client.checkpoints().query("not public and expires_at.isna()").head(3).tinker.expire()
    return plan.allow(*GUARDS)


# What examples call by these names.
NAMES: dict[str, Callable[[tkf.Client], Any]] = {
    "client": lambda client: client,
    "ckpts": lambda client: client.checkpoints(),
    "plan": _make_plan,
    "view": lambda client: tkf.explore("checkpoints", client),
    "session_id": lambda client: client.sessions()["session_id"].iloc[0],
    "run_id": lambda client: client.training_runs()["training_run_id"].iloc[0],
    "sampler_id": lambda client: client.samplers()["sampler_id"].iloc[0],
    "tinker_path": lambda client: client.checkpoints().query("not public")["tinker_path"].iloc[0],
    "external_path": lambda client: client.checkpoints().query("checkpoint_type == 'external'")["tinker_path"].iloc[0],
}


def _define_names(code: str, client: tkf.Client) -> dict[str, Any]:
    """Return what the names of an example stand for; a plan that it finishes has begun, and one that it undoes has run."""
    used = {word for word in re.findall(r"\w+", code) if f"{word} = " not in code}
    found = {name: make(client) for name, make in NAMES.items() if name in used}
    if used & {"resume", "abandon", "undo"}:
        found["plan"].run(deadline=None if "undo" in used else 0)
    if "runs" in used:
        client.server.write_logs(Path.home() / "runs")
    if "load_plan" in used:
        _make_plan(client).save("plan.json")
    return found


@pytest.fixture(scope="module")
def examples_client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tkf.Client]:
    """A client for all examples, which change what its account has."""
    folder = tmp_path_factory.mktemp("examples")
    with DemoServer(runs=12, seed=1) as server, tkf.Client(server.key, server.url, cache_dir=folder) as client:
        client.server = server
        yield client


def _list_modules() -> Iterator[Any]:
    """Yield each module; those whose examples read or change an account are slow."""
    for name in MODULES:
        path = Path(tkf.__file__).parents[1].joinpath(*name.split("."))
        text = (path / "__init__.py" if path.is_dir() else path.with_suffix(".py")).read_text(encoding="utf-8")
        uses_account = re.search(rf">>> .*\b({'|'.join(NAMES)}|Client|connect|default_client|logs)\b", text)
        yield pytest.param(name, marks=pytest.mark.slow if uses_account else ())


@pytest.mark.parametrize("name", list(_list_modules()))
def test_docstring_examples_are_true(
    name: str, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Examples in docstrings run as they are, on a demo account, and print what they say that they print."""
    module, runner = importlib.import_module(name), doctest.DocTestRunner(checker=_OutputChecker())
    monkeypatch.chdir(tmp_path)
    for test in doctest.DocTestFinder().find(module):
        code = "".join(example.source for example in test.examples)
        if re.search(r"[cC]lient|ckpts|plan|view|connect|tkf\.l", code):
            client = request.getfixturevalue("examples_client")
            monkeypatch.setenv("TINKER_API_KEY", client.server.key)
            monkeypatch.setenv("TINKER_BASE_URL", client.server.url)
            test.globs |= {"tkf": tkf} | _define_names(code, client)
        runner.run(test)
    assert runner.summarize(verbose=False).failed == 0


@pytest.mark.parametrize("name", MODULES)
def test_modules_say_what_belongs_in_them(name: str) -> None:
    """Every module has a docstring."""
    assert (importlib.import_module(name).__doc__ or "").strip()


def test_examples_of_the_public_names_are_in_their_section() -> None:
    """Doctests stand below the title Examples, else the site shows them as quotations."""
    public = (getattr(tkf, name) for name in tkf.__all__)
    parts = [tkf.policies, *(part for part in public if inspect.isroutine(part) or inspect.isclass(part))]
    parts += [member for part in parts if inspect.isclass(part) for member in vars(part).values()]
    docstrings = [inspect.getdoc(part) or "" for part in parts]
    assert [text for text in docstrings if ">>>" in text.partition("\nExamples\n--------\n")[0]] == []


CALLS = [getattr(tkf.Client, name) for name in tkf.catalog.TABLES]
CALLS += [method for name, method in vars(Rest).items() if not name.startswith("_")]


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.__qualname__)
def test_calls_that_send_requests_document_parameters_errors_and_endpoint(call: Callable[..., object]) -> None:
    """`help()` of a table or an endpoint names the request, each parameter with its type, the errors and an example."""
    text = inspect.getdoc(call) or ""
    names = list(inspect.signature(call).parameters)[1:]
    assert all(re.search(rf"^{name} : \w.*\n    \S", text.replace("{", "one of "), re.MULTILINE) for name in names)
    assert "ConnectionFailedError\n    " in text
    assert "\nExamples\n--------\n>>> " in text
    assert (
        re.search(r"(GET|POST|PUT|DELETE) /api/v1/", text)
        or "`checkpoints`, `training_runs` and `sessions` read" in text
    )


@pytest.mark.parametrize("table", tkf.catalog.TABLES.values(), ids=lambda table: table.name)
def test_tables_document_every_column_with_its_dtype(table: Table) -> None:
    """`help(client.checkpoints)` lists the columns of the frame with dtype and meaning."""
    text = inspect.getdoc(getattr(tkf.Client, table.name)) or ""
    assert all(f"* `{column.name}` ({column.dtype}): {column.doc}" in text for column in table.columns)


@pytest.mark.parametrize("name", [n for n in tkf.__all__ if inspect.isroutine(getattr(tkf, n)) or n == "Client"])
def test_public_calls_are_documented_with_an_example(name: str) -> None:
    """Every public call has a docstring with an example."""
    assert ">>>" in (inspect.getdoc(getattr(tkf, name)) or ""), name


@pytest.mark.slow
@pytest.mark.parametrize("short", [False, True])
def test_the_cron_example(short: bool, server: DemoServer, tmp_path: Path) -> None:
    """The script for cron writes the night's inventory and retires the rest; where rows may be missing it mails so and ends with 3."""
    script = next(block for block in _blocks("sh", DOCS / "command-line.md") if block.startswith("#!/bin/sh"))
    tools = tmp_path / "bin"
    tools.mkdir()
    for name, line in {
        "mail": f'echo "$2" > {tmp_path}/mail; cat >> {tmp_path}/mail',
        "tinker-frames": f'exec {sys.executable} -m tinker_frames.cli "$@"',
    }.items():
        (tools / name).write_text(f"#!/bin/sh\n{line}\n")
        (tools / name).chmod(0o755)
    (tmp_path / ".tinker-key").write_text(server.key)
    if short:
        server.faults.edit = lambda _, body: (
            body | {"cursor": body["cursor"] | {"total_count": 10_000}}
            if "checkpoints" in body and "cursor" in body
            else body
        )
    paths = f"{tools}{os.pathsep}{os.environ['PATH']}"
    env = os.environ | {"HOME": str(tmp_path), "PATH": paths, "TINKER_BASE_URL": server.url, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(["/bin/sh", "-c", script], env=env, timeout=60, check=False, capture_output=True, text=True)
    (folder,) = (tmp_path / "tinker").iterdir()
    assert (folder / "inventory.parquet").exists()
    assert done.returncode == (3 if short else 0), done
    assert (folder / "retire.log").exists() is not short
    assert (tmp_path / "mail").exists() is short
    if short:
        assert "may lack rows" in (tmp_path / "mail").read_text()
        assert server.requests.count("set_checkpoint_ttl") == 0
    else:
        assert server.requests.count("set_checkpoint_ttl") > 0
