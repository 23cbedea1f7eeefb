"""The tour of the demo account on every kind of server."""

from __future__ import annotations

import io
import shlex
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from pandas.testing import assert_frame_equal
from rich.console import Console

import tinker_frames as tkf
from tinker_frames import policies
from tinker_frames.cli import main
from tinker_frames.cli.tour import FILES, LARGEST, NEXT, show_account
from tinker_frames.demo import DIALECTS, DemoServer
from tinker_frames.frames.humanize import format_size


def run_tour(client: tkf.Client, folder: Path, width: int = 100, *, terminal: bool = True) -> str:
    """Return the output of the tour."""
    out = io.StringIO()
    console = Console(
        file=out, width=width, highlight=False, emoji=False, markup=False, force_terminal=terminal, color_system=None
    )
    show_account(client, console, folder)
    return out.getvalue()


def shows(text: str, title: str) -> list[list[str]]:
    """Return the cells of the table under a title."""
    lines = text[text.index(title) :].split("\n")[3:]
    return [line.split() for line in lines[: next(n for n, line in enumerate(lines) if not line.startswith(" "))]]


@pytest.mark.parametrize("terminal", [True, False])
def test_the_tour_is_one_screen(shared_client: tkf.Client, tmp_path: Path, *, terminal: bool) -> None:
    """On a terminal of 80 columns and in a pipe the tour has 32 lines or fewer, and a pipe gets no boxes and nothing that is cut."""
    out = run_tour(shared_client, tmp_path, 80, terminal=terminal)
    assert out.count("\n") <= 32
    if not terminal:
        assert "\x1b" not in out
        assert not set("─…") & set(out)


@pytest.mark.few(2)
@pytest.mark.parametrize("dialect", list(DIALECTS))
def test_the_tour_of_every_server(dialect: str, tmp_path: Path, client_of: Callable[..., tkf.Client]) -> None:
    """On every server the tour counts what there is, shows the first groups, and writes the inventory to two equal files."""
    with DemoServer(runs=15, dialect=dialect) as server:
        client = client_of(server)
        text = run_tour(client, tmp_path)
        inventory, runs = client.inventory(), client.training_runs()
    assert f"{len(runs)} training runs, {len(inventory)} checkpoints" in text.replace("\n", " ").replace("  ", " ")
    assert len(shows(text, "By base model")) == min(LARGEST, inventory["base_model"].nunique(dropna=False))
    frames = [tkf.read_export(tmp_path / name) for name in FILES]
    assert_frame_equal(*frames)
    assert frames[0]["tinker_path"].tolist() == inventory["tinker_path"].tolist()
    assert text.endswith(NEXT)


def test_what_a_server_lacks_is_said(tmp_path: Path, client_of: Callable[..., tkf.Client]) -> None:
    """On SkyRL the tour says that there are no sessions and no sizes, instead of showing zero."""
    with DemoServer(runs=6, dialect="skyrl") as server:
        text = run_tour(client_of(server), tmp_path, 200)
    assert "no sessions (this server does not list them)" in text
    assert "sizes not known" in text
    assert "0 B" not in text
    assert {len(row) for row in shows(text, "By base model")} == {2}


def test_the_largest_come_first(
    tmp_path: Path, shared_server: DemoServer, client_of: Callable[..., tkf.Client]
) -> None:
    """Models are sorted by size, and what the rule would free is what the inventory has besides the rows that it keeps."""
    client = client_of(shared_server)
    text = run_tour(client, tmp_path, 160)
    inventory = client.inventory()
    sizes = inventory.groupby("base_model", observed=True)["size_bytes"].sum().nlargest(LARGEST)
    shown = {row[0]: " ".join(row[2:4]) for row in shows(text, "By base model")}
    assert shown == {model: format_size(float(size)) for model, size in sizes.items()}
    kept = (policies.keep_last(3) | policies.keep_final() | policies.keep_public())(inventory)
    assert (
        f"public: {(~kept).sum()} checkpoints, {format_size(float(inventory.loc[~kept, 'size_bytes'].sum()))}" in text
    )


@pytest.mark.slow
def test_what_to_try_next_works(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every suggested command exits with 0 when the tour's own server has ended, without any credential; and the Python runs."""
    monkeypatch.chdir(tmp_path)
    lines = [line.strip() for line in NEXT.split("\n") if line.strip().startswith("tinker-frames ")]
    assert len(lines) == 6
    for line in lines:
        arguments = shlex.split(line)
        if "demo" in arguments:
            assert arguments[2] in {option for each in main.cli.commands["demo"].params for option in each.opts}
            continue
        monkeypatch.setattr(sys, "argv", arguments)
        with pytest.raises(SystemExit) as ended:
            main.main()
        out, err = capsys.readouterr()
        assert (ended.value.code, out.count("\n") > 2) == (0, True), (line, out, err)
    exec(NEXT.split("In Python: ")[1], {})


def test_the_demo_account_is_the_one_of_the_tour(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`ls --demo` lists every row of the account that `demo` shows, whatever account the environment names; not with --base-url."""
    monkeypatch.setenv("TINKER_BASE_URL", "http://127.0.0.1:9")
    with tkf.demo.account() as client:
        paths = client.checkpoints()["tinker_path"].tolist()
    for more, code in (([], 0), (["--base-url", "http://127.0.0.1:9"], 1)):
        monkeypatch.setattr(sys, "argv", ["tinker-frames", "ls", "checkpoints", "--demo", "-q", *more])
        with pytest.raises(SystemExit) as ended:
            main.main()
        assert ended.value.code == code
        assert capsys.readouterr().out.splitlines() == ([] if code else paths)
