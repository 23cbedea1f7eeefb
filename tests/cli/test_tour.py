"""The tour of the demo account on every kind of server."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from pandas.testing import assert_frame_equal
from rich.cells import cell_len
from rich.console import Console

import tinker_frames as tkf
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


def section(text: str, title: str) -> list[str]:
    """Return the rows of the table under a title."""
    lines = text.split("\n")
    start = next(place for place, line in enumerate(lines) if line.startswith(title))
    rule = next(place for place in range(start, len(lines)) if set(lines[place].strip()) == {"─"})
    end = next(place for place in range(rule + 1, len(lines)) if not lines[place].strip())
    return lines[rule + 1 : end]


def test_a_pipe_gets_whole_cells(shared_client: tkf.Client, tmp_path: Path) -> None:
    """Where the output is no terminal, tables are lines with tabs: no boxes, and nothing is cut."""
    out = run_tour(shared_client, tmp_path, 40, terminal=False)
    table = out[out.index("Checkpoints: ") :].split("\n\n")[0].split("\n")
    frame = shared_client.checkpoints()
    assert [line.split("\t")[0] for line in table[1:]][1:] == frame["tinker_path"].tolist()
    assert "\x1b" not in out
    assert not set("─…") & set(out[: out.index("wrote ")])


@pytest.mark.parametrize("dialect", list(DIALECTS))
def test_every_row_is_shown(dialect: str, tmp_path: Path, client_of: Callable[..., tkf.Client]) -> None:
    """On every server each available table is printed in full, summarized by run and model, and written to two equal files."""
    with DemoServer(runs=15, dialect=dialect) as server:
        client = client_of(server)
        text = run_tour(client, tmp_path)
        inventory = client.inventory()
        shown = {"Training runs": client.training_runs(), "Checkpoints": client.checkpoints()}
        if dialect in ("official", "tuft"):
            shown["Sessions"] = client.sessions()
    for title, frame in shown.items():
        assert f"{title}: {len(frame)} rows" in text
        assert len(section(text, title)) == len(frame) > 0, title
    models = section(text, "By base model")
    assert len(models) == inventory["base_model"].nunique(dropna=False)
    counts = [int(line.split()[1]) for line in models]
    assert sum(counts) == len(inventory)
    runs = section(text, f"The {LARGEST} largest")
    assert len(runs) == min(LARGEST, inventory["training_run_id"].nunique())
    frames = [tkf.read_export(tmp_path / name) for name in FILES]
    assert_frame_equal(*frames)
    assert frames[0]["tinker_path"].tolist() == inventory["tinker_path"].tolist()
    assert text.endswith(NEXT + "\n")


def test_what_a_server_lacks_is_said(tmp_path: Path, client_of: Callable[..., tkf.Client]) -> None:
    """On SkyRL the tour says that there are no sessions and no sizes, instead of showing zero."""
    with DemoServer(runs=6, dialect="skyrl") as server:
        text = run_tour(client_of(server), tmp_path)
    assert "Sessions: this server does not list them" in text
    assert re.search(r"does not\s+fill\s+[a-z_,\s]*size_bytes", text)
    assert "0.0 GB" not in text
    assert {line.split()[2] for line in section(text, "By base model")} == {"-"}


def test_the_largest_come_first(
    tmp_path: Path, shared_server: DemoServer, client_of: Callable[..., tkf.Client]
) -> None:
    """Runs and models are sorted by gigabytes, which equal the inventory's."""
    client = client_of(shared_server)
    text = run_tour(client, tmp_path)
    expected = client.inventory().groupby("base_model", observed=True)["size_gb"].sum().sort_values(ascending=False)
    shown = {line.split()[0]: " ".join(line.split()[2:4]) for line in section(text, "By base model")}
    assert shown == {model: format_size(size * 1e9) for model, size in expected.items()}
    assert list(shown) == expected.index.tolist()


@pytest.mark.parametrize("width", [60, 80, 160])
def test_the_tables_fit(
    width: int, tmp_path: Path, shared_server: DemoServer, client_of: Callable[..., tkf.Client]
) -> None:
    """No line of a table or its title is wider than the terminal."""
    text = run_tour(client_of(shared_server), tmp_path, width)
    tables = text[: text.index("wrote ")]
    assert max(map(cell_len, tables.split("\n"))) <= width


def test_what_to_try_next_works(shared_server: DemoServer, client_of: Callable[..., tkf.Client], monkeypatch: pytest.MonkeyPatch,
                                tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    """Every suggested `tinker-frames` command exits with 0, and the Python lines run."""
    import shlex
    import sys
    import textwrap

    from tinker_frames.cli import main

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TINKER_API_KEY", shared_server.key)
    monkeypatch.setenv("TINKER_BASE_URL", shared_server.url)
    lines = [line.strip() for line in NEXT.split("\n") if line.strip().startswith("tinker-frames ")]
    assert len(lines) == 5
    for line in lines:
        arguments = shlex.split(line)
        if "--serve" in arguments:
            assert arguments[:3] == ["tinker-frames", "demo", "--serve"]
            continue
        monkeypatch.setattr(sys, "argv", arguments)
        with pytest.raises(SystemExit) as ended:
            main.main()
        assert ended.value.code == 0, (line, capsys.readouterr())
    assert (tmp_path / "inventory.parquet").exists()
    exec(textwrap.dedent(NEXT.split("In Python:")[1]), {})
