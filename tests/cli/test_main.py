"""The command line as a user runs it: in its own process, on a pipe, on a terminal, or in this process."""

from __future__ import annotations

import fcntl
import io
import json
import os
import pty
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import click
import pandas as pd
import pytest
from click.shell_completion import ShellComplete
from pandas.testing import assert_frame_equal
from rich.cells import cell_len

import tinker_frames as tkf
from tests.cli.conftest import Outcome
from tinker_frames.cli import main
from tinker_frames.cli.completion import GROUPS
from tinker_frames.demo import DemoServer
from tinker_frames.frames import totals
from tinker_frames.frames.files import export_to_stream
from tinker_frames.frames.formats import FORMATS
from tinker_frames.schema import catalog

COMMAND = [sys.executable, "-m", "tinker_frames.cli"]
STYLE = re.compile(r"\x1b\[[0-9;]*m")
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069]")
HOSTILE = [
    "[red]red[/red]",
    "\x1b[31mred\x1b[0m",
    "two\nlines\r\tand\x07",
    "abc\u202edcba\u2066",
    "\x9b31m",
    "名前" * 40,
    "😀" * 60,
    "[/]",
    ":smile:",
]
LIVE = ["age_days", "expires_in_days", "idle_days", "session_age_days", "run_idle_days"]


@pytest.fixture(scope="module")
def shared_server() -> Iterator[DemoServer]:
    """The account of `tinker-frames demo`, which does not change."""
    with DemoServer(runs=60, seed=1) as running:
        yield running


@pytest.fixture
def environment() -> dict[str, str]:
    """An environment in which the package is found and no terminal width is set."""
    root = str(Path(tkf.__file__).parents[1])
    kept = {
        k: v
        for k, v in os.environ.items()
        if k not in ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "PYTEST_ADDOPTS")
    }
    return kept | {"PYTHONPATH": root, "TERM": "xterm-256color", "PYTHONWARNINGS": "default"}


@pytest.fixture
def environment_of(environment: dict[str, str]) -> Callable[[DemoServer], dict[str, str]]:
    """The environment of a user with an account on a server."""
    return lambda server: environment | {"TINKER_BASE_URL": server.url, "TINKER_API_KEY": server.key}


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """Run the command line in this process, as a user with an account on the server."""

    def run(server: DemoServer | None, *arguments: str, key: str | None = None) -> Outcome:
        if server is not None:
            monkeypatch.setenv("TINKER_BASE_URL", server.url)
            monkeypatch.setenv("TINKER_API_KEY", key or server.key)
        monkeypatch.setattr(sys, "argv", ["tinker-frames", *arguments])
        with pytest.raises(SystemExit) as ended:
            main.main()
        return Outcome(ended.value.code, *capsys.readouterr())

    return run


@pytest.fixture(scope="module")
def read(
    shared_server: DemoServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], pd.DataFrame]]:
    """The frame of a table's name, as read from Python."""
    with tkf.Client(shared_server.key, shared_server.url, cache_dir=tmp_path_factory.mktemp("cache")) as client:
        yield cache(lambda table: getattr(client, {"runs": "training_runs"}.get(table, table))())


def spawn(*arguments: str, env: dict[str, str], **options: Any) -> Outcome:
    """Run the command line in a separate process with pipes."""
    done = subprocess.run(
        [*COMMAND, *arguments],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
        check=False,
        env=env,
        **options,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


def on_terminal(*arguments: str, columns: int, env: dict[str, str]) -> Outcome:
    """Run the command line on a terminal of this width, and return its output."""
    near_end, far_end = pty.openpty()
    fcntl.ioctl(far_end, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    with subprocess.Popen([*COMMAND, *arguments], stdin=far_end, stdout=far_end, stderr=far_end, env=env) as process:
        os.close(far_end)
        parts = []
        while select.select([near_end], [], [], 60)[0]:
            try:
                part = os.read(near_end, 65536)
            except OSError:  # the other end is closed
                break
            if not part:
                break
            parts.append(part)
    os.close(near_end)
    lines = b"".join(parts).decode().replace("\r\n", "\n").split("\n")
    left = (line.rpartition("\r")[2] for line in lines)  # a progress bar is written over
    return Outcome(process.returncode, "\n".join(left), "")


def tables(text: str) -> dict[str, list[str]]:
    """Return the lines of every table in a text, by the first word of its title."""
    found: dict[str, list[str]] = {}
    title, lines = "", text.splitlines()
    for place, line in enumerate(lines):
        if line.strip() and set(line.strip()) == {"─"}:
            title = next(t for t in reversed(lines[: place - 1]) if re.match(r"[A-Z]", t))
            found[title.split(":")[0].strip()] = rows = []
            for row in lines[place + 1 :]:
                if not row.strip():
                    break
                rows.append(row)
    return found


# ── demo ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.slow
def test_demo_shows_a_whole_account(
    environment: dict[str, str], tmp_path: Path, read: Callable[[str], pd.DataFrame]
) -> None:
    """From an empty folder without a credential, `demo` prints what the account holds on one screen, and writes two equal files."""
    empty = tmp_path / "empty"
    empty.mkdir()
    process = subprocess.Popen(
        [*COMMAND, "demo"],
        stdout=-1,
        stderr=-1,
        text=True,
        encoding="utf-8",
        cwd=empty,
        env=environment,
        start_new_session=True,
    )
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)
    inventory = read("inventory")
    assert out.count("\n") <= 32
    assert f"{len(read('sessions'))} sessions, {len(read('runs'))} training runs, {len(inventory)} checkpoints" in out
    assert "Try next" in out
    assert "--serve" in out
    assert "\x1b" not in out
    assert sorted(p.name for p in empty.iterdir()) == ["tinker-inventory.csv", "tinker-inventory.parquet"]
    csv, parquet = (tkf.read_export(empty / f"tinker-inventory.{suffix}") for suffix in ("csv", "parquet"))
    assert_frame_equal(csv, parquet)
    assert len(csv) == len(inventory)
    assert list(csv.columns) == list(inventory.columns)


@pytest.mark.slow
def test_demo_output_to_a_closed_pipe(environment: dict[str, str], tmp_path: Path) -> None:
    """`demo | head -1` exits with 0 and prints nothing on stderr."""
    piped = " ".join([*COMMAND, "demo --runs 40 | head -1; exit ${PIPESTATUS[0]}"])
    done = subprocess.run(
        ["/bin/bash", "-c", piped],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=tmp_path,
        env=environment,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("A demo account: ")


def serving(folder: Path, env: dict[str, str]) -> tuple[subprocess.Popen[str], str]:
    """Start `demo --serve` and return it with its address, once printed."""
    process = subprocess.Popen(
        [*COMMAND, "demo", "--runs", "4", "--serve", "-o", str(folder)],
        stdout=-1,
        stderr=-1,
        text=True,
        encoding="utf-8",
        env=env,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if found := re.search(r"TINKER_BASE_URL=(\S+) TINKER_API_KEY=(\S+)", line):
            assert found[2] == "tml-demo"
            return process, found[1]
    raise AssertionError(process.communicate())


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_demo_serves_until_a_signal(
    environment: dict[str, str],
    tmp_path: Path,
    run: Callable[..., Outcome],
    monkeypatch: pytest.MonkeyPatch,
    number: int,
) -> None:
    """`demo --serve` prints an address that another client can use, and exits with 0 on Ctrl-C or a termination signal."""
    monkeypatch.setenv("TINKER_API_KEY", "tml-demo")
    process, url = serving(tmp_path / "made" / "here", environment)
    with process:
        try:
            assert (tmp_path / "made" / "here" / "tinker-inventory.csv").exists()
            rows = json.loads(run(None, "ls", "runs", "--format", "json", "--base-url", url).out)
        finally:
            process.send_signal(number)
        _, err = process.communicate(timeout=20)
    assert len(rows) == 4
    assert (process.returncode, err) == (0, "")


# ── ls: which rows ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("table", main.TABLES)
def test_json_is_complete(
    table: str, shared_server: DemoServer, run: Callable[..., Outcome], read: Callable[[str], pd.DataFrame]
) -> None:
    """`--format json` is an array with an object per row and a key per column, in order, with NA as null."""
    done = run(shared_server, "ls", table, "--format", "json")
    rows, frame = json.loads(done.out), read(table)
    assert done.code == 0
    assert len(rows) == len(frame) > 0
    assert all(list(row) == list(frame.columns) for row in rows)
    for name in frame.columns:
        assert [row[name] is None for row in rows] == frame[name].isna().tolist(), name
    assert f"{len(frame)} rows" in done.err
    assert "complete" in done.err


def test_json_values_are_exact(server: DemoServer, run: Callable[..., Outcome]) -> None:
    """64-bit integers are exact, times are ISO with Z, booleans and texts keep their types, and an empty listing is valid."""

    def edit(endpoint: str, body: Any) -> Any:
        if endpoint == "list_user_checkpoints" and len(body["checkpoints"]) > 1:  # and not the last row alone
            body["checkpoints"][0] |= {
                "size_bytes": 2**63 - 1, "time": "2026-01-02T03:04:05.000006Z", "expires_at": None, "public": True,
                "user_metadata": {"ü": "\u202e\x1b"},
            }  # fmt: skip
        return body

    server.faults.edit = edit
    (row,) = (
        r for r in json.loads(run(server, "ls", "checkpoints", "--format", "json").out) if r["size_bytes"] == 2**63 - 1
    )
    assert row["time"] == "2026-01-02T03:04:05.000006Z"
    assert (row["expires_at"], row["expires_in_days"], row["public"]) == (None, None, True)
    assert json.loads(row["user_metadata"]) == {"ü": "\u202e\x1b"}
    assert json.loads(run(server, "ls", "checkpoints", "--format", "json", "--limit", "0").out) == []


@pytest.mark.parametrize("table", main.TABLES)
def test_csv_is_what_read_export_reads(
    table: str,
    shared_server: DemoServer,
    run: Callable[..., Outcome],
    read: Callable[[str], pd.DataFrame],
    tmp_path: Path,
) -> None:
    """`--format csv > file.csv` reads back as the frame itself."""
    path = tmp_path / "there.csv"
    path.write_text(run(shared_server, "ls", table, "--format", "csv").out, encoding="utf-8", newline="")
    frame = read(table)
    live = [name for name in LIVE if name in frame.columns]
    assert_frame_equal(tkf.read_export(path).drop(columns=live), frame.drop(columns=live))


@pytest.mark.parametrize("table", main.TABLES)
def test_a_pipe_gets_every_row(
    table: str, shared_server: DemoServer, run: Callable[..., Outcome], read: Callable[[str], pd.DataFrame]
) -> None:
    """Without a terminal, a table is a header and one complete tab-separated line per row, without escape codes."""
    lines = run(shared_server, "ls", table, "--columns", "all").out.split("\n")
    frame = read(table)
    assert lines.pop() == ""
    assert len(lines) == len(frame) + 1
    assert lines[0].split("\t") == list(frame.columns)
    for line in lines:
        cells = line.split("\t")
        assert len(cells) == len(frame.columns)
        assert all(text.isprintable() for text in cells)
    key = {"sessions": "session_id", "runs": "training_run_id", "samplers": "sampler_id"}.get(table, "tinker_path")
    place = list(frame.columns).index(key)
    assert [line.split("\t")[place] for line in lines[1:]] == frame[key].tolist()


def test_where_reaches_the_rows(
    shared_server: DemoServer, run: Callable[..., Outcome], read: Callable[[str], pd.DataFrame]
) -> None:
    """`--where` filters before `--sort`, `--limit` and `--columns` apply."""
    done = run(
        shared_server, "ls", "checkpoints", "--where", "size_gb > 1 and not public", "--sort", "-size_gb,tinker_path",
        "--limit", "7", "--columns", "tinker_path, size_bytes", "--format", "json",
    )  # fmt: skip
    frame = read("checkpoints").query("size_gb > 1 and not public")
    rows = sorted(zip(frame["tinker_path"], frame["size_bytes"], strict=True), key=lambda row: (-row[1], row[0]))[:7]
    assert json.loads(done.out) == [{"tinker_path": path, "size_bytes": size} for path, size in rows]
    assert len(rows) == 7


def test_a_key_that_selects_rows_is_shown(shared_server: DemoServer, run: Callable[..., Outcome]) -> None:
    """A key of the metadata that rows are sorted or filtered by is a column of the table, also without `--metadata`."""
    query = ["--where", "name.str.contains('(step|final)') and meta.loss > 0", "--sort", "-meta.step", "--limit", "1"]
    done = run(shared_server, "ls", "checkpoints", *query)
    assert {"meta.loss", "meta.step"} < set(done.out.splitlines()[0].split("\t"))
    assert "meta.loss" not in run(shared_server, "ls", "checkpoints", *query, "--format", "csv").out
    assert "match groups" not in done.err


@pytest.mark.parametrize("order", ["step", "-step"])
def test_sort_puts_na_last(order: str, shared_server: DemoServer, run: Callable[..., Outcome]) -> None:
    """Sorting is ascending, or descending with a minus, and NA is last."""
    rows = json.loads(
        run(shared_server, "ls", "checkpoints", "--sort", order, "--columns", "step", "--format", "json").out
    )
    steps = [row["step"] for row in rows]
    known = [step for step in steps if step is not None]
    assert 0 < len(known) < len(steps)
    assert steps == sorted(known, reverse=order.startswith("-")) + [None] * (len(steps) - len(known))


def test_columns_given_twice_are_shown_once(shared_server: DemoServer, run: Callable[..., Outcome]) -> None:
    """A column named twice is shown once."""
    done = run(
        shared_server, "ls", "runs", "--columns", "lora_rank,base_model,lora_rank", "--format", "json", "--limit", "1"
    )
    assert list(json.loads(done.out)[0]) == ["lora_rank", "base_model"]


def test_details_and_metadata(shared_server: DemoServer, run: Callable[..., Outcome]) -> None:
    """`--details` adds lists of ids as arrays, `--metadata` a column per key, usable in --where with backticks."""
    rows = json.loads(run(shared_server, "ls", "sessions", "--details", "--metadata", "--format", "json").out)
    assert {type(row["training_run_ids"]) for row in rows} == {list}
    keys = [name for name in rows[0] if name.startswith("meta.")]
    assert "meta.team" in keys
    team = next(row["meta.team"] for row in rows if row["meta.team"])
    chosen = run(
        shared_server, "ls", "sessions", "--metadata", "--where", f"`meta.team` == '{team}'", "--format", "json"
    )
    assert [row["session_id"] for row in json.loads(chosen.out)] == [
        r["session_id"] for r in rows if r["meta.team"] == team
    ]


@pytest.mark.filterwarnings("default")
def test_warnings_are_sentences(
    shared_server: DemoServer, run: Callable[..., Outcome], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A warning is one line on standard error without source code, and the command continues."""
    (tmp_path / "taken").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "taken"))
    ended = run(shared_server, "ls", "runs", "--limit", "1")
    assert ended.code == 0
    said = [line for line in ended.err.splitlines() if "warn" in line.lower()]
    assert len(said) == 1
    assert said[0].startswith("tinker-frames: warning: the cache at ")
    assert ".py" not in ended.err


def test_one_runs_checkpoints(
    shared_server: DemoServer, run: Callable[..., Outcome], read: Callable[[str], pd.DataFrame]
) -> None:
    """`--run` lists the checkpoints of one run."""
    frame = read("checkpoints")
    wanted = frame["training_run_id"][0]
    rows = json.loads(run(shared_server, "ls", "checkpoints", "--run", wanted, "--format", "json").out)
    assert {row["tinker_path"] for row in rows} == set(frame.loc[frame["training_run_id"] == wanted, "tinker_path"])


# ── ls: on a terminal ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def hostile_server() -> Iterator[DemoServer]:
    """A server whose sessions have names with terminal escape codes."""

    def edit(endpoint: str, body: Any) -> Any:
        if endpoint == "search_sessions":
            for row, name in zip(body["sessions"], HOSTILE * 10, strict=False):
                row |= {"display_name": name, "user_metadata": {"[/red]": name, "\x1b[31m": "x"}}
        return body

    with DemoServer(runs=70, seed=1) as server:
        server.faults.edit = edit
        yield server


@pytest.mark.slow
@pytest.mark.parametrize(("columns", "wanted"), [(80, "sessions"), (100, "sessions"), (200, "inventory"), (80, "all")])
def test_a_table_fits_its_terminal(
    hostile_server: DemoServer, environment_of: Callable[..., dict[str, str]], columns: int, wanted: str
) -> None:
    """No line is wider than the terminal, at most 50 rows are shown with a count of the rest, and hostile names are escaped."""
    arguments = ["sessions", "--columns", "all", "--metadata"] if wanted == "all" else [wanted]
    done = on_terminal("ls", *arguments, columns=columns, env=environment_of(hostile_server))
    assert done.code == 0
    assert set(STYLE.findall(done.out)) <= {"\x1b[1m", "\x1b[0m"}
    plain = STYLE.sub("", done.out)
    assert not CONTROL.search(plain)
    assert max(cell_len(line) for line in plain.split("\n")) <= columns
    (rows,) = tables("Title\n" + plain).values()
    total = int(re.search(r"([0-9,]+) rows,", plain)[1].replace(",", ""))
    assert len(rows) == min(total, 50)
    more = re.search(r"… ([0-9,]+) more rows", plain)
    assert (int(more[1].replace(",", "")) if more else 0) == total - len(rows)
    if wanted == "inventory":
        assert more
    if wanted == "all":
        assert re.search(r"[0-9]+ more\s+columns\s+\([a-z_,\s]*extra,\s+meta\.\\x1b\[31m,\s+meta\.\[/red\]", plain)


def test_hostile_names_on_a_pipe(hostile_server: DemoServer, run: Callable[..., Outcome], tmp_path: Path) -> None:
    """On a pipe hostile names are escaped, each on one line; so is the name of a file that is written."""
    assert r"\x1b[31m.csv: " in run(hostile_server, "export", "sessions", "-o", str(tmp_path / "\x1b[31m.csv")).err
    lines = run(hostile_server, "ls", "sessions", "--columns", "display_name").out.split("\n")[1:10]
    assert lines[:3] == ["[red]red[/red]", r"\x1b[31mred\x1b[0m", r"two\nlines\r\tand\x07"]
    assert lines[3:5] == [r"abc\u202edcba\u2066", r"\x9b31m"]
    assert lines[5:] == HOSTILE[5:]


@pytest.mark.slow
def test_a_limit_shows_all_that_it_allows(
    hostile_server: DemoServer, environment_of: Callable[..., dict[str, str]]
) -> None:
    """With --limit a terminal shows that many rows, even more than fifty."""
    done = on_terminal("ls", "checkpoints", "--limit", "60", columns=120, env=environment_of(hostile_server))
    (rows,) = tables("Title\n" + STYLE.sub("", done.out)).values()
    assert len(rows) == 60


@pytest.mark.slow
def test_doctor_on_a_narrow_terminal(shared_server: DemoServer, environment_of: Callable[..., dict[str, str]]) -> None:
    """On a narrow terminal doctor's details are wrapped, not truncated."""
    done = on_terminal("doctor", columns=60, env=environment_of(shared_server))
    assert done.code == 0
    assert max(cell_len(line) for line in done.out.split("\n")) <= 60
    assert "…" not in re.sub(r"tml-…\w*", "", done.out)


# ── how it ends ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.slow
@pytest.mark.parametrize("form", ["table", "json", "csv"])
def test_listing_to_a_closed_pipe(
    form: str, shared_server: DemoServer, environment_of: Callable[..., dict[str, str]]
) -> None:
    """`| head -1` ends the listing with exit code 0 and without a traceback."""
    piped = " ".join([*COMMAND, f"ls inventory --columns all --format {form} | head -1; exit ${{PIPESTATUS[0]}}"])
    done = subprocess.run(
        ["/bin/bash", "-c", piped],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=environment_of(shared_server),
    )
    assert done.returncode == 0
    assert done.stdout.count("\n") == 1
    assert "rror" not in done.stderr
    assert "Traceback" not in done.stderr


WRONG = [
    (["ls", "nothing"], "no table 'nothing'; the tables are sessions, runs, "),
    (["ls", "checkpoint"], "no table 'checkpoint'; did you mean checkpoints?"),
    (["ls"], "Missing argument"),
    (["nothing"], "No such command"),
    (["ls", "runs", "--limit", "-1"], "--limit"),
    (["ls", "runs", "--limit", "many"], "--limit"),
    (["ls", "runs", "--format", "xml"], "--format"),
    (["ls", "runs", "--sort", "base_model,-nothing"], "'nothing'"),
    (["ls", "runs", "--columns", "nothing,base_model"], "'nothing'"),
    (["ls", "runs", "--where", "nothing > 1"], "nothing"),
    (["ls", "checkpoints", "--where", "sizegb > 1"], "did you mean size_gb"),
    (["ls", "checkpoints", "--columns", "sizegb"], "did you mean size_gb"),
    (["summary", "--by", "modle"], "did you mean model"),
    (["summary", "--by", "user"], "did you mean owner"),
    (["ls", "runs", "--where", "base_model.to_csv('x')"], "to_csv"),
    (["ls", "samplers", "--details"], "--details"),
    (["ls", "checkpoints", "--project", "p"], "--project"),
    (["ls", "checkpoints", "--access-scope", "accessible"], "--access-scope"),
    (["ls", "samplers", "--metadata"], "--metadata"),
    (["ls", "inventory", "--run", "r"], "--run"),
    (["ls", "runs", "--by", "run"], "--by"),
    (["ls", "checkpoints", "--run", "no-such-run"], "404"),
    (["ls", "checkpoints", "--run", ".."], "'..'"),
    (["ls", "runs", "--base-url", "ftp://x"], "URL"),
    (["ls", "runs", "--base-url", "http://example.org"], "plain http"),
    (["export", "runs"], "--output"),
    (["export", "runs", "-o", "runs.xml"], ".parquet"),
    (["export", "runs", "-o", "no/such/folder/runs.csv"], "no/such/folder"),
    (["export", "runs", "-o", "."], "directory"),
    (["demo", "--runs", "0"], "--runs"),
]


@pytest.mark.parametrize(
    ("arguments", "said"), WRONG, ids=lambda value: " ".join(value) if isinstance(value, list) else ""
)
def test_errors_are_printed(
    arguments: list[str],
    said: str,
    shared_server: DemoServer,
    run: Callable[..., Outcome],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A wrong call exits with 1 and an error on stderr, prints nothing on stdout, and leaves no file."""
    monkeypatch.chdir(tmp_path)
    done = run(shared_server, *arguments)
    assert (done.code, done.out) == (1, "")
    assert said in done.err
    assert shared_server.key not in done.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_an_error_is_one_line(environment: dict[str, str]) -> None:
    """Without a credential for the official service, one line on stderr has a hint, and nothing is sent."""
    done = spawn("ls", "runs", env=environment)
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("tinker-frames: ")
    assert "TINKER_API_KEY" in done.err
    assert done.err.count("\n") == 1


def test_a_server_that_is_not_there(run: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch) -> None:
    """An unreachable address is an error that names it."""
    monkeypatch.setenv("TINKER_API_KEY", "tml-secret-1234")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
    done = run(None, "doctor", "--base-url", url)
    assert done.code == 1
    assert url in done.out
    assert "tml-secret-1234" not in done.out + done.err


def test_a_key_that_is_refused(shared_server: DemoServer, run: Callable[..., Outcome]) -> None:
    """A refused key exits with 1 and is not shown."""
    done = run(shared_server, "ls", "runs", key="tml-wrong-key-7777")
    assert (done.code, done.out) == (1, "")
    assert "401" in done.err
    assert "TINKER_API_KEY" in done.err
    assert "tml-wrong-key-7777" not in done.err
    assert done.err.count("\n") == 1


@pytest.fixture
def short_server(server: DemoServer) -> DemoServer:
    """A server that counts three checkpoints more than it lists."""

    def edit(endpoint: str, body: Any) -> Any:
        if endpoint == "list_user_checkpoints":
            body["cursor"]["total_count"] += 3
        return body

    server.faults.edit = edit
    return server


@pytest.mark.parametrize("form", ["table", "json", "csv"])
def test_an_incomplete_listing(form: str, short_server: DemoServer, run: Callable[..., Outcome]) -> None:
    """An incomplete listing is printed, reported as incomplete, and exits with 3."""
    done = run(short_server, "ls", "checkpoints", "--columns", "tinker_path", "--format", form)
    assert done.code == 3
    assert "NOT PROVED COMPLETE" in done.err
    assert "the server counts 243" in done.err
    if form == "json":
        said = json.loads(done.err.splitlines()[-1])
        assert (said["complete"], said["total"], said["problems"][0]["column"]) == (False, 243, None)
    paths = [row.tinker_path for row in short_server.state.checkpoints_page(1000, 0)[0]]
    assert done.out.count("tinker://") == len(paths)


def test_fewer_rows_than_there_are(server: DemoServer, run: Callable[..., Outcome]) -> None:
    """With a limit or filter the summary says how many rows of how many, and that the listing is complete."""
    listed = len(server.state.checkpoints_page(1000, 0)[0])
    for options in (["--limit", "3"], ["--where", "size_gb < 0"]):
        done = run(server, "ls", "checkpoints", *options)
        assert done.code == 0
        assert f"{3 if options[1] == '3' else 0} of {listed} rows" in done.err
        assert "listing complete" in done.err


def test_an_incomplete_export(short_server: DemoServer, run: Callable[..., Outcome], tmp_path: Path) -> None:
    """An incomplete listing is exported and exits with 3."""
    done = run(short_server, "export", "checkpoints", "-o", str(tmp_path / "there.parquet"))
    assert done.code == 3
    assert "NOT PROVED COMPLETE" in done.err
    frame = tkf.read_export(tmp_path / "there.parquet")
    assert len(frame) == len(short_server.state.checkpoints_page(1000, 0)[0])
    assert not frame.attrs["tinker"]["complete"]


@pytest.mark.parametrize("form", ["csv", "jsonl", "json"])
def test_export_to_standard_output(
    form: str, shared_server: DemoServer, run: Callable[..., Outcome], tmp_path: Path
) -> None:
    """`export -o -` writes what it would write to a file with the suffix of `--format`, and the summary to standard error."""
    path, chosen = tmp_path / f"there.{form}", ["export", "runs", "--columns", "training_run_id,lora_rank"]
    run(shared_server, *chosen, "-o", str(path))
    done = run(shared_server, *chosen, "-o", "-", "--format", form)
    assert (done.code, done.out.encode()) == (0, path.read_bytes())
    assert "rows, complete" in done.err
    for wrong in (["-o", "-"], ["-o", str(tmp_path / "a.csv"), "--format", "parquet"]):
        refused = run(shared_server, *chosen, *wrong)
        assert (refused.code, refused.out, "--format" in refused.err) == (1, "", True)


def test_every_format_can_be_piped(shared_server: DemoServer, tmp_path: Path) -> None:
    """A stream that cannot go back gets the bytes of a file in every format."""
    with tkf.Client(shared_server.key, shared_server.url, cache=False) as client:
        frame = client.training_runs(limit=3)
    for suffix, form in FORMATS.items():
        pipe = io.BytesIO()
        export_to_stream(frame, pipe, form)
        (tmp_path / f"a{suffix}").write_bytes(pipe.getvalue())
        assert tkf.read_export(tmp_path / f"a{suffix}")["training_run_id"].tolist() == frame["training_run_id"].tolist()


@pytest.mark.parametrize("name", ["runs", "training_runs", "training-runs"])
def test_names_of_tables(name: str, shared_server: DemoServer, run: Callable[..., Outcome]) -> None:
    """A table has its name on the command line and the one that it has in Python."""
    done = run(shared_server, "ls", name, "--limit", "1")
    assert (done.code, done.out.split("\t")[0]) == (0, "training_run_id")
    assert "training_runs" in catalog.SHORT_NAMES.values()


def test_find_prints_what_a_name_names(shared_server: DemoServer, run: Callable[..., Outcome]) -> None:
    """`find` prints the rows and ends with 0; with 1, and a line on standard error, if there are none."""
    found = run(shared_server, "find", "nightly", "--format", "json")
    assert found.code == 0
    assert {"sessions", "training_runs"} <= {row["table"] for row in json.loads(found.out)}
    assert run(shared_server, "find", "nothing has this name") == (1, "", "nothing is named 'nothing has this name'\n")
    rows = json.loads(run(shared_server, "find", "nightly", "--metadata", "--format", "json").out)
    teams = {row["id"]: json.loads(row["user_metadata"] or "{}").get("team") for row in rows}
    assert {row["id"]: row["meta.team"] for row in rows} == teams
    assert any(teams.values())
    lines = run(shared_server, "find", "nightly", "--metadata").out.splitlines()
    assert "meta.team" in lines[0]
    assert {line.split("\t")[0] for line in lines[1:]} == {"sessions", "runs"}


def test_find_says_that_rows_may_be_missing(server: DemoServer, run: Callable[..., Outcome]) -> None:
    """Where a listing cannot be proved complete, `find` and `summary` say why on standard error and end with 3."""
    server.faults.edit = lambda _, body: (
        body | {"cursor": body["cursor"] | {"total_count": 10_000}} if "training_runs" in body else body
    )
    for command in (["find", "nothing has this name"], ["find", "nightly"], ["summary"]):
        found = run(server, *command)
        assert found.code == 3
        assert "10000" in found.err.replace(",", "")


def test_summary_prints_the_groups(shared_server: DemoServer, run: Callable[..., Outcome]) -> None:
    """`summary` gives the rows of each group with their monthly cost, filtered and cut as asked."""
    found = run(
        shared_server, "summary", "--by", "model", "--by", "month", "--where", "age_days > 1", "--format", "json"
    )
    rows = json.loads(found.out)
    assert (found.code, list(rows[0])[:3]) == (0, ["model", "month", "rows"])
    assert all(row["storage_usd_month"] is not None for row in rows if row["size_gb"])
    few = run(shared_server, "summary", "--by", "run", "--limit", "2", "--format", "json")
    assert len(json.loads(few.out)) == 2
    assert run(shared_server, "summary", "--by", "nope").code == 1


def test_quiet_prints_whole_ids(shared_server: DemoServer, run: Callable[..., Outcome], read: Any) -> None:
    """`-q` prints the whole ids and nothing else, one per line, in the order of the rows."""
    for table, key in (("checkpoints", "tinker_path"), ("runs", "training_run_id"), ("inventory", "tinker_path")):
        assert run(shared_server, "ls", table, "-q").out.splitlines() == read(table)[key].tolist()
    found = run(shared_server, "find", "nightly", "-q").out.split()
    assert found
    assert set(found) <= {*read("sessions")["session_id"], *read("runs")["training_run_id"]}


def test_a_shortened_id_can_be_pasted(shared_server: DemoServer, run: Callable[..., Outcome], read: Any) -> None:
    """What a table shows of an id, with `…` in it, names its row in `find`, `--run` and the commands that write."""
    row = read("checkpoints").iloc[0]
    short = f"{row['training_run_id'][:8]}…{row['tinker_path'][-12:]}"
    assert run(shared_server, "find", short, "-q").out.split() == [row["tinker_path"]]
    listed = run(shared_server, "ls", "checkpoints", "--run", f"{row['training_run_id'][:8]}…:train:0", "-q").out
    assert row["tinker_path"] in listed.split()
    plan = run(shared_server, "rm", short, "--dry-run", "--format", "json")
    assert [each["tinker_path"] for each in json.loads(plan.out)] == [row["tinker_path"]]
    several = run(shared_server, "rm", "…final", "--dry-run")
    assert (several.code, "Give more of one of" in several.err) == (1, True)


def test_details_are_shown(shared_server: DemoServer, run: Callable[..., Outcome]) -> None:
    """`--details` shows the columns that it adds beside those that are shown anyway."""
    brief, detailed = (run(shared_server, "ls", "sessions", *more).out.split("\n") for more in ([], ["--details"]))
    assert detailed[0].split("\t") == [*brief[0].split("\t"), "training_run_ids", "sampler_ids"]
    assert len(detailed) == len(brief)


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".feather", ".json"])
def test_export_of_each_suffix(
    suffix: str,
    shared_server: DemoServer,
    run: Callable[..., Outcome],
    read: Callable[[str], pd.DataFrame],
    tmp_path: Path,
) -> None:
    """`export` writes the selected rows and columns to a file that reads back as the frame, and reports it."""
    path = tmp_path / f"there{suffix}"
    done = run(shared_server, "export", "runs", "--where", "lora_rank > 8", "--sort", "-lora_rank", "-o", str(path))
    assert (done.code, done.out) == (0, "")
    assert str(path) in done.err
    frame = read("runs").query("lora_rank > 8").sort_values("lora_rank", ascending=False, kind="stable")
    expected = frame.reset_index(drop=True).drop(columns="idle_days")
    assert_frame_equal(tkf.read_export(path).drop(columns="idle_days"), expected)


@pytest.mark.slow
def test_ctrl_c_during_a_slow_listing(server: DemoServer, environment_of: Callable[..., dict[str, str]]) -> None:
    """Ctrl-C ends a waiting listing at once, with a short message, no traceback, and exit code 130."""
    server.faults.latency = 60
    process = subprocess.Popen(
        [*COMMAND, "ls", "checkpoints"], stdout=-1, stderr=-1, text=True, env=environment_of(server)
    )
    until = time.monotonic() + 30
    while not len(server.requests) and time.monotonic() < until:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (130, "")
    assert "interrupted" in err
    assert "Traceback" not in err


@pytest.mark.slow
def test_ctrl_c_while_pages_are_read_in_parallel(
    server: DemoServer, environment_of: Callable[..., dict[str, str]]
) -> None:
    """Ctrl-C also ends a listing whose threads all wait for the server."""
    server.faults.latency_of = {"list_checkpoints": 60.0}
    process = subprocess.Popen(
        [*COMMAND, "ls", "checkpoints", "--by", "run"], stdout=-1, stderr=-1, text=True, env=environment_of(server)
    )
    until = time.monotonic() + 30
    while server.requests.count("list_checkpoints") < 4 and time.monotonic() < until:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    try:
        out, err = process.communicate(timeout=20)
    except (
        subprocess.TimeoutExpired
    ):  # Python loses a KeyboardInterrupt that it raises in a finalizer; one presses again
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out) == (130, "")
    assert "interrupted" in err
    assert "Traceback" not in err


# ── help ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", sorted(main.cli.commands))
def test_help_explains_every_option(name: str, run: Callable[..., Outcome]) -> None:
    """`--help` of a command describes every option."""
    done = run(None, name, "--help")
    assert (done.code, done.err) == (0, "")
    for option in main.cli.commands[name].params:
        if isinstance(option, click.Option):
            assert all(spelled in done.out for spelled in option.opts)
            assert option.help or isinstance(option.type, click.Choice), option.opts


def test_help_of_all(run: Callable[..., Outcome]) -> None:
    """`--help` names every command with its whole summary and the source of the credential; `--version` is the package's."""
    done = run(None, "--help")
    assert all(name in done.out for name in [*main.cli.commands, "TINKER_API_KEY", "TINKER_BASE_URL"])
    assert "..." not in done.out.partition("Commands:")[2]
    assert run(None, "--version") == (0, f"tinker-frames, version {tkf.__version__}\n", "")


def test_help_and_completion_do_not_import_pandas() -> None:
    """Commands and help do not import pandas, which takes longest."""
    code = (
        "import sys, click\nfrom tinker_frames.cli.main import cli\n"
        "for command in cli.commands.values():\n    command.get_help(click.Context(command))\n"
        "sys.exit('pandas' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0


def test_shell_completion(environment: dict[str, str]) -> None:
    """The completion script completes the names of commands and tables."""
    script = spawn(env=environment | {"_TINKER_FRAMES_COMPLETE": "bash_source"})
    assert script.code == 0
    assert "complete" in script.out
    assert "tinker-frames" in script.out
    words = {"COMP_WORDS": "tinker-frames ls s", "COMP_CWORD": "2", "_TINKER_FRAMES_COMPLETE": "bash_complete"}
    assert spawn(env=environment | words).out.split() == ["plain,sessions", "plain,samplers"]


def test_a_usage_error_ends_with_one_line(run: Callable[..., Outcome], shared_server: DemoServer) -> None:
    """What is missing is said in one line, in the form of every other error, below the usage."""
    done = run(shared_server, "ls")
    assert done.code == 1
    assert re.search(r"^tinker-frames: Missing argument .* Choose from: sessions, runs,", done.err.splitlines()[-1])


def complete(*words: str) -> list[str]:
    """Return what a shell offers for the last of some words."""
    *before, last = words
    return [
        item.value for item in ShellComplete(main.cli, {}, "tinker-frames", "_X").get_completions(list(before), last)
    ]


def test_columns_and_values_are_completed() -> None:
    """Names of columns are completed in lists and queries, of the table that is named, and after == the values of a category."""
    assert complete("ls", "runs", "--sort", "lora_rank,-idle") == ["lora_rank,-idle_days"]
    assert complete("ls", "runs", "--sort", "-idle") == ["-idle_days"]
    assert complete("ls", "runs", "--full", "--deta") == complete("ls", "runs", "--deta") == ["--details"]
    assert complete("ls", "runs", "--details", "--columns", "has_") == ["has_final"]
    assert complete("ls", "checkpoints", "--where", "public and size_") == [
        "public and size_bytes",
        "public and size_gb",
    ]
    assert complete("ls", "sessions", "--where", "status == 'f") == ["status == 'failed'"]
    assert complete("rm", "--where", "checkpoint_type != s") == ["checkpoint_type != 'sampler'"]
    assert complete("summary", "--by", "mo") == ["model", "month"]
    assert {*GROUPS} == {*totals.GROUPS, *totals.PERIODS}


def test_a_server_without_the_table(run: Callable[..., Outcome]) -> None:
    """A table that the server lacks is an error; other tables are listed, and their missing columns are named."""
    with DemoServer(runs=5, dialect="skyrl") as server:
        refused = run(server, "ls", "sessions")
        there = run(server, "ls", "inventory", "--format", "json")
    assert (refused.code, refused.out) == (1, "")
    assert "does not support" in refused.err
    assert there.code == 0
    assert {row["size_bytes"] for row in json.loads(there.out)} == {None}
    assert "does not fill" in there.err
    assert "size_bytes" in there.err


@pytest.mark.slow
def test_output_in_an_encoding_without_the_names(
    shared_server: DemoServer, environment_of: Callable[..., dict[str, str]]
) -> None:
    """Names that the output's encoding lacks are escaped, not an error."""
    done = spawn(
        "ls", "checkpoints", "--columns", "name", env=environment_of(shared_server) | {"PYTHONIOENCODING": "ascii"}
    )
    assert done.code == 0
    assert done.out.isascii()
    assert r"\u68c0" in done.out


@pytest.mark.parametrize(
    "command", [["ls", "checkpoints"], ["ls", "checkpoints", "--format", "json"], ["ls", "nothing"]]
)
def test_output_that_the_shell_has_closed_is_dropped(
    command: list[str], shared_server: DemoServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With standard output and error closed, a command prints to nowhere, and ends with its exit code."""
    monkeypatch.setenv("TINKER_API_KEY", shared_server.key)
    monkeypatch.setenv("TINKER_BASE_URL", shared_server.url)
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, None)
    monkeypatch.setattr(sys, "argv", ["tinker-frames", *command])
    with pytest.raises(SystemExit) as ended:
        main.main()
    assert ended.value.code == (1 if "nothing" in command else 0)
    for stream in (sys.stdout, sys.stderr):
        assert stream.name == os.devnull
        stream.close()
