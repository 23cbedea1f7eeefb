"""What was started from what, as training logs tell it."""

from __future__ import annotations

from pathlib import Path

import pytest

import tinker_frames as tkf

from .log_files import save, write_folder


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """A run, one that was started from it and resumed, one started from that, and two that name each other."""
    write_folder(tmp_path / "a", [], [save("a", "000010", batch=10)], {"load_checkpoint_path": None})
    child = [save("b", "000005", batch=5), save("b2", "000009", batch=9), save("b2", "final", batch=12)]
    write_folder(tmp_path / "b", [], child, {"load_checkpoint_path": "tinker://a/weights/000010"})
    write_folder(
        tmp_path / "c\x1b[31m", [], [save("c", "final", batch=1)], {"load_checkpoint_path": "tinker://b2/weights/final"}
    )
    write_folder(tmp_path / "x", [], [save("x", "1", batch=1)], {"load_checkpoint_path": "tinker://y/weights/1"})
    write_folder(tmp_path / "y", [], [save("y", "1", batch=1)], {"load_checkpoint_path": "tinker://x/weights/1"})
    return tmp_path


@pytest.mark.parametrize(
    ("path", "rows"),
    [
        ("tinker://a/weights/000010", [(0, "a"), (1, "b"), (2, "b2"), (3, "c")]),
        ("tinker://a/sampler_weights/000010", [(0, "a"), (1, "b"), (2, "b2"), (3, "c")]),
        ("tinker://b/weights/000005", [(-1, "a"), (0, "b"), (1, "b2"), (2, "c")]),
        ("tinker://b2/weights/000009", [(-2, "a"), (-1, "b"), (0, "b2")]),
        ("tinker://c/weights/final", [(-3, "a"), (-2, "b"), (-1, "b2"), (0, "c")]),
        ("tinker://x/weights/1", [(-1, "y"), (0, "x")]),
        ("tinker://unknown/weights/1", [(0, "unknown")]),
    ],
)
def test_a_lineage_has_ancestors_and_descendants(runs: Path, path: str, rows: list[tuple[int, str]]) -> None:
    """Runs that it comes from come first, then its own and those started from it; a resume starts a run; circles end."""
    found = tkf.lineage(path, runs)
    assert list(found.frame[["depth", "training_run_id"]].itertuples(index=False, name=None)) == rows
    assert all(line.isprintable() for line in repr(found).splitlines())


def test_a_long_lineage_is_printed(tmp_path: Path) -> None:
    """A chain of many runs is printed with an indentation that is bounded, and one that has saved nothing yet is its end."""
    for number in range(40):
        saved = [save(f"r{number}", "1", batch=1)] if number < 39 else []
        loaded = {"load_checkpoint_path": f"tinker://R{number - 1}/weights/1" if number else None}
        write_folder(tmp_path / f"{number:02}", [], saved, loaded)
    found = tkf.lineage("tinker://r0/weights/1", tmp_path)
    assert found.frame["depth"].tolist() == list(range(40))
    lines = repr(found).splitlines()
    assert max(map(len, lines)) < 200 + len(str(tmp_path))
    assert "└─ a run that has saved nothing yet, from weights/1" in lines[-1]


def test_a_lineage_is_printed_as_a_tree(runs: Path) -> None:
    """Each run is a line below the one that it was started from, with the checkpoint's name and the log folder."""
    lines = repr(tkf.lineage("tinker://b/weights/000005", tkf.logs(runs))).splitlines()
    assert lines[1:4] == [
        f"a  ({runs}/a)",
        f"└─ *b, from weights/000010  ({runs}/b)",
        f"   └─ b2, from weights/000005  ({runs}/b)",
    ]
    with pytest.raises(tkf.errors.InvalidRequestError, match="is not a tinker path"):
        tkf.lineage("nosuch", runs)


def test_a_lineage_says_what_is_known(runs: Path) -> None:
    """The first line explains the mark, or says that nothing is known; of a run, what was started from any checkpoint is listed."""
    assert repr(tkf.lineage("tinker://b/weights/000005", runs)).splitlines()[0].endswith(", whose run has the *")
    assert tkf.lineage("b", runs).frame["training_run_id"].tolist() == ["a", "b", "b2", "c"]
    alone, unknown = (tkf.lineage(f"tinker://{run}/weights/1", runs) for run in ("a", "nosuch"))
    assert "no parent and no child is known" in repr(alone)
    assert (alone.is_known, unknown.is_known, "no training log is of its run" in repr(unknown)) == (True, False, True)
    for name, is_named in (("000005", True), ("nosuch", False)):
        found = tkf.lineage(f"tinker://b/weights/{name}", runs)
        assert (found.is_named, "no log names this checkpoint" in repr(found)) == (is_named, not is_named)
