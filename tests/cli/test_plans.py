"""The commands that write, run by users, pipes and cron: requests, output, and exit codes."""

from __future__ import annotations

import io
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import tinker_frames as tkf
from tests.cli.conftest import Outcome
from tests.plans.test_plan import list_loaded
from tinker_frames import policies
from tinker_frames.cli import main, piped
from tinker_frames.cli import plans as plan_commands
from tinker_frames.demo import DemoServer
from tinker_frames.demo.endpoints import WRITES
from tinker_frames.demo.traffic.faults import Burst, Churn
from tinker_frames.frames.files import write_text
from tinker_frames.frames.formats import FORMATS

COMMAND = [sys.executable, "-m", "tinker_frames.cli"]
OURS = "name.str.startswith('plan-')"
ACTING = {
    "rm": ["rm"],
    "publish": ["publish", "--yes"],
    "unpublish": ["unpublish"],
    "ttl": ["ttl", "30d"],
    "expire": ["expire"],
    "retire": ["retire", "--keep-last", "0"],
}
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069]")


@pytest.fixture
def server() -> Iterator[DemoServer]:
    """A small account with a run of thirteen private checkpoints, plan-00 to plan-12, one per minute."""
    with DemoServer(runs=4, seed=1) as running:
        run, started = running.state.add_run(), datetime.now(UTC) - timedelta(days=2)
        for number in range(13):
            running.state.add_checkpoint(
                run, "training", f"plan-{number:02}", time=started + timedelta(minutes=number), size_bytes=10**9
            )
        yield running


def open_input(text: str | None) -> io.TextIOWrapper:
    """Return a pipe with a text, or /dev/null."""
    if text is None:
        return Path(os.devnull).open(encoding="utf-8")
    near_end, far_end = os.pipe()

    def write() -> None:  # a pipe holds less than some texts, which nobody reads before the command runs
        with suppress(BrokenPipeError), os.fdopen(far_end, "wb") as pipe:
            pipe.write(text.encode("utf-8", "surrogateescape"))

    threading.Thread(target=write, daemon=True).start()
    return os.fdopen(near_end, encoding="utf-8")


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """Run the command line in this process as a user with an account on the server, with a pipe or /dev/null as input."""

    def run(server: DemoServer, *arguments: str, stdin: str | None = None) -> Outcome:
        monkeypatch.setenv("TINKER_BASE_URL", server.url)
        monkeypatch.setenv("TINKER_API_KEY", server.key)
        monkeypatch.setattr(sys, "argv", ["tinker-frames", *arguments])
        with open_input(stdin) as given:
            monkeypatch.setattr(sys, "stdin", given)
            with pytest.raises(SystemExit) as ended:
                main.main()
        return Outcome(ended.value.code, *capsys.readouterr())

    return run


@pytest.fixture
def environment(server: DemoServer) -> dict[str, str]:
    """The environment of a process of a user with an account on the server."""
    root = str(Path(tkf.__file__).parents[1])
    given = {"PYTHONPATH": root, "TINKER_BASE_URL": server.url, "TINKER_API_KEY": server.key, "TERM": "xterm-256color"}
    return {name: value for name, value in os.environ.items() if name != "NO_COLOR"} | given


def writes(server: DemoServer) -> list[Any]:
    """Return the writes that the server received."""
    return [call for call in server.requests if call.endpoint in WRITES]


def state(server: DemoServer) -> dict[str, tuple[bool, datetime | None]]:
    """Return public flag and expiry of every checkpoint by path."""
    rows, _ = server.state.checkpoints_page(1000, 0)
    return {row.tinker_path: (row.public, row.expires_at) for row in rows}


def list_plan_paths(server: DemoServer, *numbers: int) -> list[str]:
    """Return the paths of the thirteen checkpoints, or of those with these numbers."""
    found = sorted(path for path in state(server) if "/plan-" in path)
    return [found[number] for number in numbers] if numbers else found


def row(server: DemoServer, path: str) -> Any:
    """Return the server's record of a checkpoint."""
    found = server.state.find(path)
    assert found is not None
    return found


def name_case(value: object) -> str:
    """Return a test id from a list of arguments."""
    return " ".join(value)[:40] if isinstance(value, list) else ""


def is_sentence(done: Outcome) -> bool:
    """Return whether a command exited with 1 and one line of error."""
    return (
        (done.code, done.out) == (1, "")
        and done.err.count("\n") == 1
        and done.err.startswith("tinker-frames: ")
        and "Traceback" not in done.err
    )


def is_usage_error(done: Outcome) -> bool:
    """Return whether a command exited with 1 and its usage."""
    return (done.code, done.out) == (1, "") and done.err.startswith("Usage: ") and "\ntinker-frames: " in done.err


# ── what each command does ───────────────────────────────────────────────────────────────────────────────────────────────


def test_rm_deletes_what_is_named_and_nothing_else(server: DemoServer, run: Callable[..., Outcome]) -> None:
    """`rm` deletes exactly the named checkpoints, one request each, and says that this cannot be undone."""
    before, gone = state(server), list_plan_paths(server, 2, 5)
    done = run(server, "rm", *gone)
    assert (done.code, done.out) == (0, "")
    assert state(server) == {path: facts for path, facts in before.items() if path not in gone}
    assert [call.endpoint for call in writes(server)] == ["delete_checkpoint"] * 2
    assert done.err.splitlines() == ["2 done", "a delete cannot be undone"]


def test_publish_and_unpublish(server: DemoServer, run: Callable[..., Outcome]) -> None:
    """`publish` and `unpublish` change exactly the named checkpoints; those already in that state are left alone."""
    before, chosen = state(server), list_plan_paths(server, 1, 12)
    assert run(server, "publish", "--yes", *chosen).code == 0
    assert state(server) == before | dict.fromkeys(chosen, (True, None))
    again = run(server, "publish", "--yes", *chosen)
    assert (again.code, again.err) == (0, "2 unchanged\n")
    assert run(server, "unpublish", *chosen).code == 0
    assert state(server) == before
    assert len(writes(server)) == 4


@pytest.mark.parametrize(
    ("arguments", "life"),
    [
        (["ttl", "12h"], timedelta(hours=12)),
        (["ttl", "7200"], timedelta(hours=2)),
        (["expire"], timedelta(hours=24)),
        (["expire", "--after", "3d"], timedelta(days=3)),
    ],
    ids=name_case,
)
def test_durations(arguments: list[str], life: timedelta, server: DemoServer, run: Callable[..., Outcome]) -> None:
    """`ttl` and `expire` accept days, hours and bare seconds, and name the undo command."""
    before, (path,) = state(server), list_plan_paths(server, 3)
    done = run(server, *arguments, path)
    assert done.code == 0
    after = state(server)
    assert {name for name in before if before[name] != after[name]} == {path}
    assert abs(after[path][1] - datetime.now(UTC) - life) < timedelta(minutes=2)
    assert re.search(r"^undo with: tinker-frames undo \d{8}-\d{6}-\w+$", done.err, re.MULTILINE)


def test_ttl_never(server: DemoServer, run: Callable[..., Outcome]) -> None:
    """`ttl never` removes the expiry."""
    (path,) = list_plan_paths(server, 3)
    server.state.set_ttl(row(server, path), 7200)
    assert run(server, "ttl", "never", path).code == 0
    assert state(server)[path] == (False, None)
    (call,) = writes(server)
    assert json.loads(call.body) == {"ttl_seconds": None}


def test_expire_leaves_alone_what_expires_sooner(server: DemoServer, run: Callable[..., Outcome]) -> None:
    """`expire` never extends an expiry."""
    (path,) = list_plan_paths(server, 3)
    server.state.set_ttl(row(server, path), 7200)
    before = state(server)
    done = run(server, "expire", path)
    assert (done.code, done.err) == (0, "1 unchanged\n")
    assert (state(server), writes(server)) == (before, [])


# ── which checkpoints ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("way", ["where", "both", "blank lines and crlf"])
def test_ways_to_select_rows(way: str, server: DemoServer, run: Callable[..., Outcome]) -> None:
    """--where, plain lines, and `-` beside arguments all select exactly the named checkpoints."""
    before, chosen = state(server), list_plan_paths(server, 0, 4, 7)
    ways = {
        "where": (["--where", "name in ['plan-00', 'plan-04', 'plan-07']"], None),
        "both": ([chosen[0], "-", chosen[1]], f"{chosen[2]}\n{chosen[0]}\n"),
        "blank lines and crlf": ([], f"\n\r\n  {chosen[0]}\r\n{chosen[1]}\n\n{chosen[2]}\n{chosen[2]}\n"),
    }
    arguments, stdin = ways[way]
    done = run(server, "rm", *arguments, stdin=stdin)
    assert done.code == 0, done.err
    assert set(before) - set(state(server)) == set(chosen)
    assert len(writes(server)) == 3


@pytest.mark.parametrize("form", ["csv", "json", "jsonl"])
def test_names_with_separators_of_lines_are_piped_in_whole(form: str) -> None:
    """A name with a character at which Python, but no format, ends a line is one name, and not that of another checkpoint."""
    paths = [f"tinker://run/weights/a{mark}" for mark in ("", "\u2028b", "\u2029b", "\x85b", "\x0bb")]
    file = io.BytesIO()
    write_text(pd.DataFrame({"name": "n", "tinker_path": paths}), file, FORMATS[f".{form}"])
    assert [path for path in piped.parse_paths(file.getvalue().decode()) if path != "tinker_path"] == paths


@pytest.mark.few(5)
@pytest.mark.parametrize("form", ["table", "csv", "json"])
@pytest.mark.parametrize("columns", ["name,tinker_path,size_gb", ""])
def test_what_ls_prints_can_be_piped_in(
    columns: str, form: str, server: DemoServer, run: Callable[..., Outcome]
) -> None:
    """The output of `ls` in any format selects its rows, wherever the column of paths is."""
    before = state(server)
    listed = run(
        server, "ls", "checkpoints", "--format", form, "--where", "name in ['plan-00', 'plan-04']",
        *(["--columns", columns] * bool(columns)),
    )  # fmt: skip
    assert run(server, "publish", "--yes", stdin=listed.out).code == 0
    changed = {path for path, facts in state(server).items() if before[path] != facts}
    assert changed == set(list_plan_paths(server, 0, 4))


@pytest.mark.parametrize("form", ["table", "csv", "json"])
def test_another_table_in_the_pipe_is_refused(form: str, server: DemoServer, run: Callable[..., Outcome]) -> None:
    """A table without paths names the column that it lacks, whether it is piped in or passed as arguments; nothing is sent."""
    listed = run(server, "ls", "sessions", "--limit", "2", "--format", form).out
    for done in (run(server, "rm", "--yes", stdin=listed), run(server, "rm", "--yes", "session_id", "x")):
        assert is_usage_error(done)
        assert "tinker_path" in done.err
    assert not writes(server)


def test_a_keep_rule_says_which_named_paths_the_account_lacks(server: DemoServer, run: Callable[..., Outcome]) -> None:
    """What is piped into `retire` and unknown to the account is counted, and the exit code says so; so is JSON of other things."""
    done = run(
        server,
        "retire",
        "--keep-last",
        "1",
        "--dry-run",
        stdin="tinker://x/weights/1\n" + list_plan_paths(server, 0)[0],
    )
    assert (done.code, "not among this account's checkpoints: 1" in done.err) == (2, True)
    for odd in ('[{"name": "x"}]', '[{"tinker_path": null}]', '{"tinker_path": 5}', "[1]", "[" * 10**5):
        assert is_usage_error(run(server, "retire", "--keep-last", "1", stdin=odd))


def test_a_query_hides_no_named_path_that_the_account_lacks(server: DemoServer, run: Callable[..., Outcome]) -> None:
    """With `--where` too, a path that is unknown makes the exit code; one that the query leaves out does not."""
    known = list_plan_paths(server, 0)[0]
    for where, paths, code in (("step >= 0", [known, "x"], 2), ("step < 0", ["x"], 2), ("step < 0", [known], 0)):
        done = run(server, "ttl", "30d", "--where", where, "--yes", *paths)
        assert (done.code, "not among this account's checkpoints: 1, e.g. x" in done.err) == (code, code == 2)


@pytest.mark.parametrize("odd", ["tinker://x/weights/1\n".encode("utf-16").decode("latin-1"), "PAR1\0\0"])
def test_other_than_text_in_the_pipe_is_refused(odd: str, server: DemoServer, run: Callable[..., Outcome]) -> None:
    """A file of another format, or text in UTF-16, selects nothing, and says what to pipe."""
    done = run(server, "rm", "--yes", stdin=odd)
    assert is_usage_error(done)
    assert "no text in UTF-8" in done.err


def test_rules_count_within_the_columns_of_per(server: DemoServer, run: Callable[..., Outcome]) -> None:
    """`--per` names what keep rules count within, instead of run and type; without a rule that counts it is refused."""
    query = ["--where", OURS, "--dry-run", "--format", "json"]
    listed = json.loads(run(server, "retire", "--keep-last", "1", "--per", "checkpoint_type, name", *query).out)
    assert listed == []
    assert len(json.loads(run(server, "retire", "--keep-last", "1", *query).out)) > 1
    assert "without a rule that counts" in run(server, "retire", "--keep-final", "--per", "name", *query).err


def test_quoted_paths_are_refused_with_the_form_to_use(server: DemoServer, run: Callable[..., Outcome]) -> None:
    """Paths in quotes, as the shell passes them from CSV, name the form that can be passed."""
    done = run(server, "rm", f'"{list_plan_paths(server, 1)[0]}"', "--yes")
    assert is_usage_error(done)
    assert "ls checkpoints --columns tinker_path" in " ".join(done.err.split())


def test_a_silent_pipe_is_announced(
    server: DemoServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An open pipe that nobody writes to is waited for, and standard error says so; with paths it is not read."""
    monkeypatch.setattr(piped, "PATIENCE_S", 0.05)
    near_end, far_end = os.pipe()
    closing = threading.Timer(0.5, os.close, [far_end])
    with os.fdopen(near_end, encoding="utf-8") as given:
        monkeypatch.setattr(sys, "stdin", given)
        closing.start()
        assert piped.read_stdin() == []
    assert "reading tinker paths from standard input" in capsys.readouterr().err


@pytest.mark.parametrize("written", ["", "tinker://a/weights/b\n"])
def test_a_pipe_that_stays_open_is_an_error(
    server: DemoServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], written: str
) -> None:
    """A command does not wait for ever for a pipe that it was not told to read, and sends nothing."""
    monkeypatch.setattr(plan_commands, "IDLE_S", 0.1)
    monkeypatch.setattr(sys, "argv", ["tinker-frames", "retire", "--keep-last", "1", "--where", OURS, "--yes"])
    near_end, far_end = os.pipe()
    os.write(far_end, written.encode())
    with os.fdopen(near_end, encoding="utf-8") as given, os.fdopen(far_end):
        monkeypatch.setattr(sys, "stdin", given)
        with pytest.raises(SystemExit) as ended:
            main.main()
    assert ended.value.code == 1
    assert "nothing was written to standard input for 0.1 s" in " ".join(capsys.readouterr().err.split())
    assert len(server.requests) == 0


@pytest.mark.slow
def test_a_real_pipe(server: DemoServer, environment: dict[str, str]) -> None:
    """`tinker-frames ls … | tinker-frames publish` works in a shell."""
    call = " ".join(COMMAND)
    done = subprocess.run(
        ["/bin/bash", "-c", f"{call} ls inventory --where \"name == 'plan-03'\" | {call} publish --yes"],
        capture_output=True, text=True, timeout=60, check=False, env=environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert [path for path in list_plan_paths(server) if state(server)[path][0]] == list_plan_paths(server, 3)


def test_paths_and_where_together(server: DemoServer, run: Callable[..., Outcome]) -> None:
    """Paths combined with --where select only rows that match both."""
    query = ["--where", "name >= 'plan-03'", "--dry-run", "--format", "json"]
    for command in ACTING.values():
        done = run(server, *command, *list_plan_paths(server, 1, 2, 3), *query)
        assert [entry["tinker_path"] for entry in json.loads(done.out)] == list_plan_paths(server, 3)


@pytest.mark.parametrize("command", sorted(ACTING))
def test_no_selection_is_never_everything(command: str, server: DemoServer, run: Callable[..., Outcome]) -> None:
    """Without paths and --where, or with empty standard input, the usage is printed and nothing is requested."""
    where = ["--where", OURS]
    for more, stdin in (([], None), ([], ""), ([], "\n\n"), (where, ""), (where, "\n")):
        assert is_usage_error(run(server, *ACTING[command], "--yes", *more, stdin=stdin)), (more, stdin)
    assert len(server.requests) == 0


@pytest.mark.few(2)
@pytest.mark.parametrize("command", ["rm", "publish", "retire"])
def test_a_pipe_selects_also_with_where(command: str, server: DemoServer, run: Callable[..., Outcome]) -> None:
    """A pipe limits the rows, also with --where and for `retire`; --all means the whole account and reads no pipe."""
    before, chosen = state(server), list_plan_paths(server, 1, 2)
    query = ["--where", "name <= 'plan-01'"]
    assert run(server, *ACTING[command], *query, stdin="\n".join(chosen)).code == 0
    after = state(server)
    assert {path for path in before if before[path] != after.get(path)} == {chosen[0]}
    assert is_usage_error(run(server, "retire", "--keep-last", "0", "--all", chosen[1]))
    done = run(server, "retire", "--keep-last", "0", "--all", "--dry-run", "--format", "json", stdin=chosen[1])
    assert {entry["tinker_path"] for entry in json.loads(done.out)} == set(after)


def test_an_empty_query_is_never_everything(server: DemoServer, run: Callable[..., Outcome]) -> None:
    """`--where "$UNSET"` is an error, not the entire account."""
    for command in ACTING.values():
        done = run(server, *command, "--where", "", "--yes")
        assert is_sentence(done), done
        assert "--where ''" in done.err
    assert writes(server) == []


@pytest.mark.parametrize("command", ["rm", "retire"])
def test_a_selection_without_rows(command: str, server: DemoServer, run: Callable[..., Outcome]) -> None:
    """A selection without rows is nothing to do: no error, and nothing is sent."""
    ways = [(["--where", "name == 'nothing'"], None), (["-"], ""), (["-"], "tinker_path\tsize_gb\n")]
    for arguments, stdin in ways:
        done = run(server, *ACTING[command], *arguments, "--yes", stdin=stdin)
        assert done == (0, "", "nothing to do\n")
    assert writes(server) == []


def test_names_that_end_in_a_space_are_distinct(server: DemoServer, run: Callable[..., Outcome]) -> None:
    """A piped path is not stripped: `name ` never means `name`."""
    owner = row(server, list_plan_paths(server, 0)[0]).run
    spaced = server.state.add_checkpoint(owner, "training", "plan-00 ", time=datetime.now(UTC) - timedelta(days=3))
    run(server, "publish", "--yes", stdin=spaced.tinker_path + "\n")
    assert {path for path in list_plan_paths(server) if state(server)[path][0]} <= {spaced.tinker_path}
    assert not state(server)[spaced.tinker_path.rstrip()][0]


HOSTILE = ["-rf", "--yes", "=1+1", "@SUM(A1)", "[red]x", "a b", "名前 😀", "it's \"q\"", "$(touch x)", "a|b;c&d", "%41", "*"]  # fmt: skip


def test_hostile_names(server: DemoServer, run: Callable[..., Outcome]) -> None:
    """The output of `ls` selects exactly its checkpoint, whatever its name."""
    owner, when = row(server, list_plan_paths(server, 0)[0]).run, datetime.now(UTC) - timedelta(days=3)
    made = {server.state.add_checkpoint(owner, "training", name, time=when).tinker_path for name in HOSTILE}
    before = state(server)
    listed = run(server, "ls", "checkpoints", "--where", f"name in {HOSTILE!r}")
    done = run(server, "rm", "--yes", stdin=listed.out)
    assert done.code == 0, done
    assert set(before) - set(state(server)) == made
    assert len(made) == len(HOSTILE)


@pytest.mark.parametrize("form", ["table", "json"])
def test_escape_codes_in_names(form: str, server: DemoServer, run: Callable[..., Outcome]) -> None:
    """Escape codes in names and given paths are escaped in plans, outcomes and errors."""
    evil = "tinker://x/weights/\x1b[31m\u202e\x9b", "\x1b]0;title\x07", "tinker://../weights/\u2066"
    for more in (["--dry-run"], []):
        done = run(server, "rm", "--format", form, *evil, *more)
        assert (done.code, writes(server)) == (0 if more else 2, [])
        assert not CONTROL.search(done.err)
        if form == "table":
            assert not CONTROL.search(done.out)
        else:
            assert [entry["tinker_path"] for entry in json.loads(done.out)] == list(evil)


def test_invalid_utf8(server: DemoServer, run: Callable[..., Outcome]) -> None:
    """Invalid UTF-8 on standard input or in arguments names no checkpoint and causes no traceback."""
    path = "tinker://x/weights/\udcff"
    for done in (run(server, "rm", stdin=f"{path}\n"), run(server, "rm", path)):
        assert (done.code, writes(server)) == (2, [])
        assert "1 skipped" in done.err


# ── looking before doing ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("command", ["rm", "retire"])
def test_dry_run_prints_the_plan(command: str, server: DemoServer, run: Callable[..., Outcome]) -> None:
    """`--dry-run` prints how many rows would change, how large they are, and commands instead of Python; nothing is sent."""
    done = run(server, *ACTING[command], "--where", OURS, "--dry-run", "--yes")
    assert (done.code, done.err, writes(server)) == (0, "", [])
    assert re.match(r"Plan: (0|12|13) of 13 checkpoints, [\d.]+ [kMGT]?B[^,]*,.* will [a-z ]+", done.out)
    assert done.out.endswith("Nothing was sent.\n")
    assert not re.search(r"plan\.\w+|after=", done.out)
    assert list_plan_paths(server, 12)[0] in done.out
    assert run(server, "journal").out.count("\n") == 1


@pytest.mark.parametrize("command", ACTING)
def test_dry_run_as_json(command: str, server: DemoServer, run: Callable[..., Outcome]) -> None:
    """`--dry-run --format json` has every row of the plan with its verdict and change."""
    done = run(server, *ACTING[command], "--where", OURS, "--dry-run", "--format", "json")
    rows = json.loads(done.out)
    assert (done.code, done.err, writes(server)) == (0, "", [])
    assert sorted(entry["tinker_path"] for entry in rows) == list_plan_paths(server)
    assert {"verdict", "reason", "size_bytes", "public", "public_after", "expires_at", "expires_after", "warnings"} <= set(rows[0])  # fmt: skip
    verdicts = {entry["tinker_path"]: entry["verdict"] for entry in rows}
    assert verdicts[list_plan_paths(server, 0)[0]] == ("unchanged" if command == "unpublish" else "send")
    guarded = {"publish": "send", "unpublish": "unchanged"}
    assert verdicts[list_plan_paths(server, 12)[0]] == guarded.get(command, "held")


@pytest.mark.parametrize("command", ["rm", "retire"])
def test_more_than_ten_need_yes(command: str, server: DemoServer, run: Callable[..., Outcome]) -> None:
    """Shortening more than ten lifetimes in a script requires --yes; otherwise the error has the number and the options, and nothing is sent."""
    before = state(server)
    done = run(server, *ACTING[command], "--where", OURS)
    assert is_sentence(done), done
    assert all(said in done.err for said in (" 12 checkpoints", "--dry-run", "--yes", "nothing was sent"))
    assert "confirm=" not in done.err
    assert "plan." not in done.err
    assert (state(server), writes(server)) == (before, [])
    assert run(server, "journal").out.count("\n") == 1
    assert run(server, *ACTING[command], "--where", OURS, "--yes").code == 0
    assert len(writes(server)) == 12


def test_ten_need_no_yes(server: DemoServer, run: Callable[..., Outcome]) -> None:
    """Ten private rows are deleted without --yes; none is published without, and no more than ten are unpublished."""
    assert is_sentence(run(server, "publish", *list_plan_paths(server, 1)))
    assert run(server, "publish", "--where", OURS, "--yes").code == 0
    assert is_sentence(run(server, "unpublish", "--where", OURS))
    assert run(server, "unpublish", *list_plan_paths(server)[:10]).code == 0
    assert run(server, "rm", *list_plan_paths(server)[:10]).code == 0
    assert len(list_plan_paths(server)) == 3


def test_rows_that_were_named_and_not_acted_on(server: DemoServer, run: Callable[..., Outcome]) -> None:
    """A named row that is unknown or held exits with 2, also for `retire` and if other rows are done; a rule may keep one."""
    gone, newest = f"{list_plan_paths(server, 0)[0]}0", list_plan_paths(server, 12)[0]
    for command, path in (("rm", gone), ("publish", gone), ("retire", gone), ("rm", newest)):
        done = run(server, *ACTING[command], path)
        assert (done.code, writes(server)) == (2, []), command
        assert "1 skipped" in done.err
    assert run(server, "retire", "--keep-last", "1", newest).code == 0
    assert run(server, "rm", "--where", "name == 'plan-12'").code == 0
    assert run(server, "rm", list_plan_paths(server, 1)[0], gone).code == 2
    assert len(list_plan_paths(server)) == 12


def test_many_refused_rows_are_one_line(server: DemoServer, run: Callable[..., Outcome]) -> None:
    """Two thousand rows with the same fault are one line with their number, in a plan and in its outcomes."""
    paths = "\n".join(f"tinker:/oops/{number}" for number in range(2000))
    for more in (["--dry-run"], []):
        done = run(server, "rm", *more, stdin=paths)
        assert (done.out + done.err).count("\n") <= 12
        assert "2,000, its path does not start with tinker://" in done.out + done.err


def test_guards(server: DemoServer, run: Callable[..., Outcome]) -> None:
    """The newest of a run and public checkpoints are held with the reason until --allow; a public one also needs --yes."""
    public, newest = list_plan_paths(server, 0, 12)
    server.state.publish(row(server, public))
    held = run(server, "rm", public, newest)
    assert (held.code, writes(server)) == (2, [])
    assert "2 skipped" in held.err
    assert "public" in held.err
    assert "newest of its run" in held.err
    asked = run(server, "rm", public, newest, "--allow", "public", "--allow", "newest")
    assert is_sentence(asked)
    assert writes(server) == []
    assert run(server, "rm", public, newest, "--allow", "public", "--allow", "newest", "--yes").code == 0
    assert {public, newest}.isdisjoint(state(server))


# ── on a terminal ────────────────────────────────────────────────────────────────────────────────────────────────────────


def run_answering(*arguments: str, answer: str, env: dict[str, str]) -> tuple[Outcome, str]:
    """Run the command line with a terminal for everything but its output; type an answer once it asks; return what it showed."""
    near_end, far_end = pty.openpty()
    with subprocess.Popen([*COMMAND, *arguments], stdin=far_end, stdout=-1, stderr=far_end, env=env) as process:
        os.close(far_end)
        shown = b""  # a part may end within a character
        while True:
            if not select.select([near_end], [], [], 100)[0]:
                process.kill()  # it asks elsewhere, and would wait for ever
            try:
                shown += os.read(near_end, 65536)
            except OSError:  # the other end is closed
                break
            if b"to confirm: " in shown and answer:
                os.write(near_end, answer.encode() + b"\n")
                answer = ""
        out = process.stdout.read().decode() if process.stdout else ""
    os.close(near_end)
    return Outcome(process.returncode, out, ""), shown.decode()


@pytest.mark.slow
def test_the_row_count_is_typed_on_a_terminal(server: DemoServer, environment: dict[str, str]) -> None:
    """On a terminal the row count must be typed; the prompt is not part of the JSON output."""
    chosen = ["rm", "--where", OURS, "--format", "json"]
    refused, said = run_answering(*chosen, answer="yes", env=environment)
    assert (refused.code, refused.out, writes(server)) == (1, "", [])
    assert "12 of 13 checkpoints, 12.0 GB, about $1.20 a month, will be deleted" in said
    assert "held: 1, the newest of its run" in said
    assert "a delete cannot be undone; to be able to, use tinker-frames expire" in said
    assert "Type 12 to confirm: " in said
    assert "nothing was sent" in said
    done, said = run_answering(*chosen, answer="12", env=environment)
    assert done.code == 0, said
    assert [entry["outcome"] for entry in json.loads(done.out)] == ["done"] * 12 + ["skipped"]
    assert len(list_plan_paths(server)) == 1


# ── how it ends ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.usefixtures("settles_soon")
@pytest.mark.parametrize("command", ["rm", "expire"])
def test_writes_without_effect(command: str, server: DemoServer, run: Callable[..., Outcome]) -> None:
    """A server that reports success without effect is detected: exit code 2, and every failed row with its reason."""
    server.faults.ignore_writes = True
    done = run(server, *ACTING[command], *list_plan_paths(server, 1, 2))
    assert done.code == 2
    header, *lines = done.out.splitlines()
    assert header.split("\t") == ["tinker_path", "outcome", "error"]
    assert [line.split("\t")[:2] for line in lines] == [[path, "failed"] for path in list_plan_paths(server, 1, 2)]
    assert "2 failed" in done.err


def test_a_closed_output_costs_no_outcome(server: DemoServer, run: Callable[..., Outcome], monkeypatch: Any) -> None:
    """If standard output is closed when a plan has run, standard error has the counts and names `journal` for the outcomes."""
    (path,) = list_plan_paths(server, 1)

    class Closed(io.StringIO):
        @property
        def buffer(self) -> Any:
            raise ValueError("I/O operation on closed file")

    monkeypatch.setattr(sys, "stdout", Closed())
    done = run(server, "rm", path, "--format", "json")
    assert done.code == 0
    assert done.err.startswith("1 done\n")
    assert "tinker-frames journal" in done.err
    assert path not in state(server)


def test_some_failed(server: DemoServer, run: Callable[..., Outcome]) -> None:
    """If some rows fail the others are done, with exit code 2 and JSON outcomes."""
    server.faults.bursts = [Burst("delete_checkpoint", 403, times=1, detail="not yours")]
    done = run(server, "rm", *list_plan_paths(server, 1, 2, 3), "--format", "json")
    rows = json.loads(done.out)
    assert done.code == 2
    assert sorted(entry["outcome"] for entry in rows) == ["done", "done", "failed"]
    (failed,) = (entry for entry in rows if entry["outcome"] == "failed")
    assert (failed["status"], failed["tinker_path"] in state(server)) == (403, True)
    assert "not yours" in failed["error"]
    assert server.key not in done.out + done.err


@pytest.fixture(params=["churn", "run"])
def incomplete_account(request: pytest.FixtureRequest, server: DemoServer) -> tuple[DemoServer, list[str]]:
    """An account whose listing cannot be proved complete, and the options to read it so: endless churn, or one run that fails."""
    if request.param == "churn":
        server.faults.churn = [Churn("list_user_checkpoints", added_per_page=1, removed_per_page=0)]
        server.faults.page_caps = {"list_user_checkpoints": 20}
        return server, ["--by", "user"]
    server.faults.bursts = [Burst("list_checkpoints", 404, times=1, detail="Model not found.")]
    return server, ["--by", "run"]


@pytest.mark.parametrize("command", ["rm", "retire"])
def test_an_incomplete_listing_removes_nothing(
    command: str, incomplete_account: tuple[DemoServer, list[str]], run: Callable[..., Outcome]
) -> None:
    """If rows may be missing nothing is removed: exit code 3 and an error that names --allow-incomplete."""
    server, options = incomplete_account
    done = run(server, *ACTING[command], "--where", OURS, "--yes", *options)
    assert (done.code, done.out, writes(server)) == (3, "", [])
    assert done.err.count("\n") == 1
    assert "--allow-incomplete" in done.err


@pytest.mark.parametrize("command", ["publish --yes", "ttl never"])
def test_an_incomplete_listing_and_actions_that_remove_nothing(
    command: str, incomplete_account: tuple[DemoServer, list[str]], run: Callable[..., Outcome]
) -> None:
    """Actions that shorten no lifetime continue with the rows seen, with exit code 3."""
    server, options = incomplete_account
    (path,) = list_plan_paths(server, 3)
    server.state.set_ttl(row(server, path), 7200)
    expiry = row(server, path).expires_at
    done = run(server, *command.split(), path, *options)
    assert done.code == 3
    assert "could not be proved complete" in done.err
    assert state(server)[path] == {"publish --yes": (True, expiry), "ttl never": (False, None)}[command]
    assert len(writes(server)) == 1


def test_an_incomplete_listing_that_is_allowed(
    incomplete_account: tuple[DemoServer, list[str]], run: Callable[..., Outcome]
) -> None:
    """`--allow-incomplete` removes what was seen; a dry run prints the plan without it, and ends with 3."""
    server, options = incomplete_account
    chosen = list_plan_paths(server, 1, 2)
    looked = run(server, "rm", *chosen, "--dry-run", *options)
    assert (looked.code, writes(server)) == (3, [])
    assert looked.out.startswith("Plan: ")
    server.faults.bursts = [Burst("list_checkpoints", 404, times=1, detail="Model not found.")] * bool(
        server.faults.bursts
    )
    assert run(server, "rm", *chosen, "--allow-incomplete", *options).code == 0
    assert set(chosen).isdisjoint(state(server))


# ── retire ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


KEEP = [
    (["--keep-last", "2"], policies.keep_last(2)),
    (["--keep-every", "200"], policies.keep_every(200)),
    (["--keep-final"], policies.keep_final()),
    (["--keep-public"], policies.keep_public()),
    (["--keep-named", "plan-0[13]", "--keep-named", "^final$"], policies.keep_named("plan-0[13]|^final$")),
    (["--newer-than", "732h"], policies.newer_than("732h")),
    (["--has-metadata", "loss"], policies.has_metadata("loss")),
    (["--has-metadata", "kind=a=b"], policies.has_metadata("kind", "a=b")),
    (["--used-by-samplers"], policies.used_by_samplers()),
    (["--no-ttl"], policies.no_ttl()),
    (["--expiring", "156h"], policies.expiring("156h")),
    (["--best", "meta.loss"], policies.best("meta.loss")),
    (["--best", "meta.a:b:2"], policies.best("meta.a:b", n=2)),
    (["--best", "size_bytes:3"], policies.best("size_bytes", n=3)),
    (["--keep-last", "1", "--keep-final", "--no-ttl"], policies.keep_last(1) | policies.keep_final() | policies.no_ttl()),
]  # fmt: skip


@pytest.fixture(scope="module")
def varied_account() -> Iterator[tuple[DemoServer, Any]]:
    """An account in which every keep rule keeps some rows but not all, and its frame."""
    with DemoServer(runs=6, seed=3) as running:
        owner = running.state.add_run()
        for number in range(4):
            metadata = {"loss": str(number), "kind": "a=b" if number else "a", "a:b": str(-number)}
            when = datetime.now(UTC) - timedelta(days=9 - number)
            running.state.add_checkpoint(owner, "training", f"plan-0{number}", time=when, user_metadata=metadata)
        rows, _ = running.state.checkpoints_page(1000, 0)
        running.state.set_ttl(rows[0], 90_000)
        with tkf.Client(running.key, running.url, cache=False) as client:
            frame = client.inventory()
            frame["loaded_by_sampler"] = frame["tinker_path"].isin(list_loaded(client))
        yield running, frame


@pytest.mark.few(6)
@pytest.mark.parametrize(("options", "rule"), KEEP, ids=name_case)  # fmt: skip
def test_keep_options(
    options: list[str], rule: policies.Rule, varied_account: tuple[DemoServer, Any], run: Callable[..., Outcome]
) -> None:
    """Each keep option is the rule of that name, several are combined with or, and kept rows are not in the plan."""
    server, frame = varied_account
    kept = set(frame.loc[rule(frame), "tinker_path"])
    done = run(server, "retire", "--all", *options, "--dry-run", "--format", "json")
    planned = {entry["tinker_path"] for entry in json.loads(done.out)}
    assert (done.code, planned) == (0, set(frame["tinker_path"]) - kept)
    assert 0 < len(kept) < len(frame)


def test_keep_options_count_in_their_order(varied_account: tuple[DemoServer, Any], run: Callable[..., Outcome]) -> None:
    """Rules are joined in the order in which they were given, as in Python: a row counts for the first that keeps it."""
    given = ["--keep-final", "--has-metadata", "loss", "--keep-last", "1"]
    said = run(varied_account[0], "retire", "--all", *given, "--dry-run")
    assert "keep_final() | has_metadata('loss') | keep_last(1)" in said.out + said.err


def test_retire_needs_a_rule(server: DemoServer, run: Callable[..., Outcome]) -> None:
    """Without a rule `retire` prints its usage and requests nothing."""
    assert is_usage_error(run(server, "retire", "--yes"))
    assert is_usage_error(run(server, "retire", "--where", OURS, "--yes", "--after", "24h"))
    assert len(server.requests) == 0


def test_retire_of_selected_rows(server: DemoServer, run: Callable[..., Outcome]) -> None:
    """With --where, `retire` changes only rows that match the query."""
    before = state(server)
    assert run(server, "retire", "--keep-last", "3", "--where", OURS).code == 0
    assert set(before) - set(state(server)) == {path for path in before if re.search(r"/plan-0\d$", path)}


@pytest.mark.slow
def test_retire_from_cron(server: DemoServer, environment: dict[str, str], run: Callable[..., Outcome]) -> None:
    """From cron `retire` asks nothing, says on standard error what it did, and a second run finds nothing to do."""
    rule = ["retire", "--all", "--keep-last", "2", "--yes"]
    first = subprocess.run(
        [*COMMAND, *rule], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False, env=environment
    )  # fmt: skip
    sent = len(writes(server))
    assert sent >= 11
    said = f"{sent} done\na delete cannot be undone\n"
    assert (first.returncode, first.stdout, first.stderr) == (0, "", said)
    assert run(server, *rule) == (0, "", "nothing to do\n")
    assert len(writes(server)) == sent


def test_undo_skips_plans_that_did_nothing(server: DemoServer, run: Callable[..., Outcome]) -> None:
    """`undo` without a name undoes the last plan that changed something, also after runs of cron with nothing to do."""
    before = state(server)
    rule = ["retire", "--keep-last", "3", "--after", "24h", "--where", OURS, "--yes"]
    for _ in range(2):
        assert run(server, *rule).code == 0
    assert state(server) != before
    assert run(server, "undo").code == 0
    assert state(server) == before


@pytest.mark.usefixtures("settles_soon")
def test_retire_as_json(server: DemoServer, run: Callable[..., Outcome]) -> None:
    """`retire --format json` is an array of the same keys, whether there was something to do, nothing to do, or failures."""
    call = ["retire", "--keep-last", "3", "--where", OURS, "--format", "json"]
    keys = ["outcome", "tinker_path", "error", "action", "status", "attempts", "seconds"]
    server.faults.ignore_writes = True
    failed = run(server, *call)
    assert failed.code == 2
    assert {entry["outcome"] for entry in json.loads(failed.out)} == {"failed"}
    server.faults.clear()
    done = run(server, *call)
    assert (done.code, done.err) == (0, "10 done\na delete cannot be undone\n")
    rows = json.loads(done.out)
    assert [entry["outcome"] for entry in rows] == ["done"] * 10
    assert all(list(entry) == keys for entry in [*rows, *json.loads(failed.out)])
    nothing = run(server, *call)
    assert (nothing.code, json.loads(nothing.out), nothing.err) == (0, [], "nothing to do\n")


# ── undo, resume, journal ────────────────────────────────────────────────────────────────────────────────────────────────


def plans(run: Callable[..., Outcome], server: DemoServer) -> list[str]:
    """Return the ids of the journal's plans in order."""
    rows = json.loads(run(server, "journal", "--format", "json").out)
    return list(dict.fromkeys(entry["plan"] for entry in rows))


@pytest.mark.parametrize("name", ["the last", "a prefix"])
def test_undo_by_name(name: str, server: DemoServer, run: Callable[..., Outcome]) -> None:
    """`undo` undoes the last plan, or the one with the given id or prefix, and no other."""
    before = state(server)
    first = run(server, "publish", "--yes", *list_plan_paths(server, 1))
    after_first = state(server)
    second = run(server, "expire", *list_plan_paths(server, 2))
    ids = plans(run, server)
    assert [line.split()[-1] for line in (first.err, second.err)] == ids
    done = run(server, "undo", *([] if name == "the last" else [ids[1][:-1]]))
    assert (done.code, done.err.splitlines()[0]) == (0, "1 done")
    assert state(server) == after_first
    assert run(server, "undo", first.err.split()[-1], "--format", "json").code == 0
    assert state(server) == before


def test_what_cannot_be_undone(server: DemoServer, run: Callable[..., Outcome]) -> None:
    """An empty journal, an unknown plan, a delete, and a plan that is undone already each exit with one sentence, and nothing is sent."""
    assert is_sentence(run(server, "undo"))
    assert is_sentence(run(server, "resume"))
    run(server, "publish", "--yes", *list_plan_paths(server, 1))
    assert is_sentence(run(server, "undo", "nosuch"))
    assert is_sentence(run(server, "resume", "nosuch"))
    assert run(server, "undo").code == 0
    sent = len(writes(server))
    again = run(server, "undo")
    assert again.code in (0, 1)
    assert "Traceback" not in again.err
    assert len(writes(server)) == sent
    run(server, "rm", *list_plan_paths(server, 1))
    deleted = run(server, "undo")
    assert is_sentence(deleted)
    assert "cannot be undone" in deleted.err
    assert "expire" in deleted.err
    assert "No plan in the journal can be undone" in deleted.err
    published = run(server, "publish", "--yes", *list_plan_paths(server, 2, 3)).err.split()[-1]
    run(server, "rm", *list_plan_paths(server, 1))
    assert f"Name a plan that can be undone: {published} (publish, 2 checkpoints)" in run(server, "undo").err


def start_expire(server: DemoServer, env: dict[str, str], least: int) -> subprocess.Popen[str]:
    """Start expiring all thirteen on a slow server, and return the process once some writes have ended."""
    server.faults.write_latency = 0.3
    call = [*COMMAND, "rm", "--where", OURS, "--yes"]
    process = subprocess.Popen(call, stdin=subprocess.DEVNULL, stdout=-1, stderr=-1, text=True, env=env)
    until = time.monotonic() + 30
    while sum(call.status is not None for call in writes(server)) < least and time.monotonic() < until:
        time.sleep(0.02)
    return process


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_resume_after_an_interruption(
    number: signal.Signals, server: DemoServer, environment: dict[str, str], run: Callable[..., Outcome]
) -> None:
    """After a kill or Ctrl-C `resume` finishes the plan; no row that was done is sent again, and Ctrl-C says how to go on."""
    process = start_expire(server, environment, least=2)
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert out == ""
    if number == signal.SIGINT:
        assert process.returncode == 130
        assert "tinker-frames resume" in err
        assert "nothing was changed" not in err
        assert "Traceback" not in err
    server.faults.clear()
    time.sleep(0.4)  # what was under way ends
    left = len(list_plan_paths(server))
    assert left > 1
    (plan,) = plans(run, server)
    assert left - 1 <= len(json.loads(run(server, "resume", "--dry-run", "--format", "json").out)) <= 13
    assert len(list_plan_paths(server)) == left
    done = run(server, "resume", plan[:-2], "--format", "json")
    assert done.code == 0, done.err
    assert [entry["outcome"] for entry in json.loads(done.out)] == ["done"] * 12
    assert len(list_plan_paths(server)) == 1
    assert all(call.status in (200, 204) for call in writes(server) if call.status is not None)
    assert len({call.path for call in writes(server)}) == 12
    assert is_sentence(run(server, "resume"))


def test_an_unfinished_plan_is_confirmed_or_abandoned(server: DemoServer, run: Callable[..., Outcome]) -> None:
    """`resume` without a name asks for confirmation like the first run, `--yes` confirms, and after `abandon` there is nothing to resume."""
    with tkf.Client(server.key, server.url) as client:
        client.planner.plan("delete", list_plan_paths(server)).allow("newest").run(confirm=True, deadline=0)
        client.planner.plan("publish", list_plan_paths(server, 0)).run(confirm=True, deadline=0)
        client.planner.plan("delete", list_plan_paths(server, 1)).run(confirm=True, deadline=0)
    first, second, third = plans(run, server)
    assert run(server, "abandon", third).err == "abandoned, with 1 row not done\n"
    unasked = run(server, "resume")
    assert is_sentence(unasked)
    assert "1 checkpoint will become public" in unasked.err
    assert "--yes" in unasked.err
    assert "confirm=" not in unasked.err
    assert not writes(server)
    assert run(server, "resume", "--yes").err == "1 done\n"
    assert run(server, "resume", first).code == 0
    assert run(server, "undo", second).code == 0
    assert is_sentence(run(server, "resume", third))


@pytest.mark.slow
def test_ctrl_c_before_anything_was_sent(server: DemoServer, environment: dict[str, str]) -> None:
    """Ctrl-C while the account is being listed says that nothing was changed, which is true."""
    server.faults.latency_of = {"list_user_checkpoints": 30.0}
    process = subprocess.Popen(
        [*COMMAND, "rm", *list_plan_paths(server, 1)], stdout=-1, stderr=-1, text=True, env=environment
    )
    until = time.monotonic() + 30
    while not server.requests.count("list_user_checkpoints") and time.monotonic() < until:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert (process.returncode, writes(server)) == (130, [])
    assert "nothing was changed" in err


def test_undo_dry_run_sends_nothing(server: DemoServer, run: Callable[..., Outcome]) -> None:
    """`undo --dry-run` prints the rows that an undo would restore, sends nothing and leaves the journal as it is."""
    run(server, "expire", "--where", OURS, "--yes")
    before, journaled = len(writes(server)), run(server, "journal", "--format", "json").out
    shown = run(server, "undo", "--dry-run", "--format", "json")
    rows = json.loads(shown.out)
    assert (shown.code, {row["verdict"] for row in rows}, len(rows)) == (0, {"send"}, 12)
    assert "Nothing was sent." in run(server, "undo", "--dry-run").out
    assert (len(writes(server)), run(server, "journal", "--format", "json").out) == (before, journaled)


@pytest.mark.usefixtures("settles_soon")
def test_journal(server: DemoServer, run: Callable[..., Outcome]) -> None:
    """`journal` counts the rows of every plan, `journal <plan>` lists one plan's rows, JSON has everything; none shows a key."""
    empty = run(server, "journal")
    assert (empty.code, empty.out) == (0, "plan\tstarted_at\taction\tstate\toutcome\trows\n")
    assert json.loads(run(server, "journal", "--format", "json").out) == []
    run(server, "publish", "--yes", *list_plan_paths(server, 1, 2))
    server.faults.ignore_writes = True
    run(server, "rm", *list_plan_paths(server, 5))
    first, second = plans(run, server)
    table = run(server, "journal")
    lines = [line.split("\t") for line in table.out.splitlines()[1:]]
    assert [(line[0], line[2:]) for line in lines] == [
        (first, ["publish", "ended", "done", "2"]),
        (second, ["delete", "ended", "failed", "1"]),
    ]
    one = run(server, "journal", first)
    assert [line.split("\t")[:4] for line in one.out.splitlines()[1:]] == [
        [path, "publish", "ended", "done"] for path in list_plan_paths(server, 1, 2)
    ]
    several = run(server, "journal", first[:4])
    assert (several.code, several.out) == (1, "")
    assert "matches several plans" in several.err
    rows = json.loads(run(server, "journal", second, "--format", "json").out)
    assert [(entry["tinker_path"], entry["outcome"]) for entry in rows] == [(list_plan_paths(server, 5)[0], "failed")]
    assert server.key not in table.out + one.out + json.dumps(rows)


# ── errors and help ──────────────────────────────────────────────────────────────────────────────────────────────────────


WRONG = [
    (["ttl", "soon"], "'soon'"),
    (["ttl", "²"], "'²'"),
    (["ttl", "9" * 5000], "9"),
    (["ttl", "5"], "an hour to ten years"),
    (["ttl", "11000d"], "'11000d' is out of the range of TTLs"),
    (["expire", "--after", "never"], "'never'"),
    (["retire", "--keep-named", "["], "regular expression"),
    (["retire", "--newer-than", "30"], "'30'"),
    (["retire", "--expiring", "x"], "'x'"),
    (["retire", "--best", "nosuch"], "'nosuch'"),
    (["retire", "--best", "meta.loss:²"], "colon"),
    (["retire", "--best", "meta.loss:"], "colon"),
    (["retire", "--best", "meta.loss:" + "9" * 5000], "colon"),
    (["rm", "--where", "nothing > 1"], "nothing"),
    (["rm", "--where", "name.to_csv('x')"], "to_csv"),
    (["journal", "nosuch"], "nosuch"),
    (["rm", "--where", "public", "--base-url", "http://example.org"], "plain http"),
]


@pytest.mark.parametrize(("arguments", "said"), WRONG, ids=name_case)  # fmt: skip
def test_errors_are_one_sentence(
    arguments: list[str], said: str, server: DemoServer, run: Callable[..., Outcome], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    """An invalid value exits with 1 and one sentence that names it, without traceback or key; no file is written and nothing is sent."""
    monkeypatch.chdir(tmp_path)
    chosen = [] if arguments[0] == "journal" or "--where" in arguments else ["--where", OURS]
    done = run(server, *arguments, *chosen)
    assert is_sentence(done), done
    assert said in done.err
    assert server.key not in done.err
    assert (writes(server), list(tmp_path.iterdir())) == ([], [])


@pytest.mark.parametrize("arguments", [["rm", "--allow", "all", "x"], ["retire", "--keep-last", "-1"], ["retire", "--keep-every", "0"],
                                       ["rm", "--by", "x", "x"], ["rm", "--format", "csv", "x"], ["ttl"], ["rm", "--nosuch", "x"]])  # fmt: skip
def test_usage_errors(arguments: list[str], server: DemoServer, run: Callable[..., Outcome]) -> None:
    """A wrong option exits with 1 and the usage, and sends no request."""
    assert is_usage_error(run(server, *arguments))
    assert len(server.requests) == 0


CLIENT = {"--format", "--base-url", "--demo"}
PLAN = CLIENT | {"--where", "--by", "--logs", "--allow", "--dry-run", "--yes", "--allow-incomplete"}
KEEPING = {"--keep-last", "--keep-every", "--keep-final", "--keep-public", "--keep-named", "--newer-than", "--has-metadata",
           "--used-by-samplers", "--no-ttl", "--expiring", "--read-within", "--best"}  # fmt: skip
UNGUARDED = PLAN - {"--allow"}
OPTIONS = {"rm": PLAN, "publish": UNGUARDED, "unpublish": UNGUARDED, "ttl": PLAN, "expire": PLAN | {"--after"}, "extend": UNGUARDED, "retire": PLAN | KEEPING | {"--after", "--all", "--per"},
           "undo": CLIENT | {"--yes", "--dry-run"}, "resume": CLIENT | {"--yes", "--dry-run"}, "abandon": CLIENT - {"--format"}, "journal": CLIENT | {"--full", "--quiet"}}  # fmt: skip


@pytest.mark.parametrize("command", OPTIONS)
def test_help_names_every_option(command: str, server: DemoServer, run: Callable[..., Outcome]) -> None:
    """`--help` names exactly these options, which scripts rely on."""
    done = run(server, command, "--help")
    assert (done.code, done.err, len(server.requests)) == (0, "", 0)
    assert set(re.findall(r"^  (?:-[hq], )?(--[\w-]+)", done.out, re.MULTILINE)) == OPTIONS[command] | {"--help"}
    assert {each.name for each in plan_commands.COMMANDS} == set(OPTIONS)


def test_extend_adds_to_the_expiry_of_each_row(server: DemoServer, run: Callable[..., Outcome]) -> None:
    """`extend 2weeks` plans each row's own expiry and two weeks; a wrong duration is an error with the forms."""
    done = run(server, "extend", "2 weeks", "--where", "expires_in > '1d'", "--dry-run", "--format", "json")
    rows = json.loads(done.out)
    assert rows
    for row in rows:
        before, after = (datetime.fromisoformat(row[name]) for name in ("expires_at", "expires_after"))
        assert abs(after - before - timedelta(days=14)) < timedelta(seconds=30)
    assert "months" in run(server, "extend", "3M", "--where", "public").err
