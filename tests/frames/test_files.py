"""Files preserve what was written, whatever the cells hold, and are written atomically."""

from __future__ import annotations

import errno
import os
import re
import signal
import subprocess
import sys
import time
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

import tinker_frames as tkf
from tinker_frames.demo import DemoServer
from tinker_frames.errors import InvalidRequestError
from tinker_frames.frames.formats import FORMATS
from tinker_frames.frames.locations import write_atomically
from tinker_frames.schema import catalog
from tinker_frames.schema.columns import empty_frame, text_dtype

SUFFIXES = [suffix for suffix in FORMATS if suffix not in (".ndjson", ".xlsx")]
TABLES = ["sessions", "details", "training_runs", "checkpoints", "samplers", "inventory"]
HOSTILE = [
    "=1+1", "+1", "-1", "@x", "\tx", "\rx", "\n=1", " =1", "\r\n +1", "＝1", "＋1", "－1", "＠x", "\u3000=1", "\x00=1", "\u200b@x", "'\n=x", "'x", "'=x", "''=x", 'a"b', "a,b", "a\nb", "a\r\nb", "", "x\x00y", "\x1b[31m",  # noqa: RUF001  # full-width signs are meant
    None, " ", "é😀", "NA", "null", "nan", "\ufeffx", "a\rb", "\n", "0012", "1.0", "true", "2026-01-01", "'", '"', "\\N",
]  # fmt: skip


def texts(values: list[Any]) -> Any:
    """Return an array of text as frames have it."""
    return pd.array(values, dtype=text_dtype())


def round_trip(frame: pd.DataFrame, path: Path, **options: Any) -> pd.DataFrame:
    """Write a frame and read it back."""
    assert tkf.export(frame, path, **options) == path
    return tkf.read_export(path, **options)


@pytest.fixture(scope="module")
def frames(shared_server: DemoServer, tmp_path_factory: pytest.TempPathFactory) -> dict[str, pd.DataFrame]:
    """Every table of an account."""
    with tkf.Client(shared_server.key, shared_server.url, cache_dir=tmp_path_factory.mktemp("cache")) as client:
        found = {name: getattr(client, name)() for name in TABLES if name != "details"}
        return found | {"details": client.sessions(details=True)}


@pytest.mark.few(18)
@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("name", TABLES)
def test_every_table_comes_back_equal(frames: dict[str, pd.DataFrame], name: str, suffix: str, tmp_path: Path) -> None:
    """Full, filtered and empty tables come back with equal dtypes and values in every format."""
    frame = frames[name]
    filtered = frame[frame.index % 3 == 1]
    for number, part in enumerate((frame, filtered, frame.head(0))):
        found = round_trip(part, tmp_path / f"{number}{suffix}")
        assert_frame_equal(found, part.reset_index(drop=True))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_expanded_metadata_and_added_columns_come_back(
    frames: dict[str, pd.DataFrame], suffix: str, tmp_path: Path
) -> None:
    """Columns expanded from metadata, and plain columns added by the user, are preserved."""
    frame = frames["checkpoints"].tinker.expand_metadata()
    count = len(frame)
    frame = frame.assign(
        mine=np.arange(count),
        keep=np.arange(count) % 2 == 0,
        score=np.linspace(0.1, 1, count),
        rank=pd.array([None, *range(count - 1)], dtype="Int64"),
        note=texts(["déjà =vu", None] * (count // 2) + ["x"] * (count % 2)),
    )
    assert_frame_equal(round_trip(frame, tmp_path / f"a{suffix}"), frame)


@pytest.mark.parametrize("suffix", [".parquet", ".feather"])
def test_richer_added_columns_come_back_where_the_format_can(suffix: str, tmp_path: Path) -> None:
    """Parquet and Feather keep the dtypes of columns that are not in the catalog."""
    frame = pd.DataFrame(
        {
            "when": pd.to_datetime(["2026-01-01", None]),
            "team": pd.Categorical(["x", None]),
            "small": pd.array([1, None], dtype="Int8"),
            "real": pd.array([1.5, None], dtype="Float64"),
            "flag": pd.array([True, None], dtype="boolean"),
        }
    )
    assert_frame_equal(round_trip(frame, tmp_path / f"a{suffix}"), frame)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("safe", [True, False])
def test_hostile_cells_come_back_as_they_were(suffix: str, safe: bool, tmp_path: Path) -> None:
    """Formulas, quotes, line ends, control characters, NUL, empty text and NA all survive, even in a single column."""
    frame = pd.DataFrame({"display_name": texts(HOSTILE), "tinker_path": texts([str(n) for n in range(len(HOSTILE))])})
    assert_frame_equal(round_trip(frame, tmp_path / f"a{suffix}", safe=safe), frame)
    alone = frame[["display_name"]]
    assert_frame_equal(round_trip(alone, tmp_path / f"b{suffix}", safe=safe), alone)


@settings(max_examples=21)
@given(st.lists(st.none() | st.text(max_size=8) | st.text(st.sampled_from("'=+-@\t\r\n\",x"), max_size=5), max_size=5))
@example([None])
@example(["", None, ""])
def test_any_text_survives_a_csv(tmp_path_factory: pytest.TempPathFactory, values: list[str | None]) -> None:
    """A guarded CSV preserves any text exactly."""
    frame = pd.DataFrame({"display_name": texts(values)})
    assert_frame_equal(round_trip(frame, tmp_path_factory.getbasetemp() / "any.csv"), frame)


def test_a_guarded_csv_holds_no_formula(tmp_path: Path) -> None:
    """In a CSV for spreadsheets no cell or column name starts with a formula character; an unguarded CSV is unchanged."""
    names = [text for text in HOSTILE if text]
    frame = pd.DataFrame({"display_name": texts(names), "meta.=x": texts(names), "=cmd": texts(names)})
    tkf.export(frame, tmp_path / "a.csv")
    others = pd.read_csv(tmp_path / "a.csv", dtype=str, keep_default_na=False)
    for cell in [*others.columns, *others.to_numpy().ravel()]:
        assert not unicodedata.normalize("NFKC", cell).lstrip("\x00\u200b\ufeff \t\r\n").startswith(tuple("=+-@"))
        assert not cell.startswith(("\t", "\r", "\n"))
    assert list(tkf.read_export(tmp_path / "a.csv").columns) == list(frame.columns)
    tkf.export(frame, tmp_path / "b.csv", safe=False)
    assert pd.read_csv(tmp_path / "b.csv", dtype=str)["display_name"][0] == "=1+1"


def test_other_tools_read_our_files(frames: dict[str, pd.DataFrame], tmp_path: Path) -> None:
    """pandas alone reads every format of ours row for row."""
    frame = frames["inventory"]
    readers: dict[str, Callable[..., pd.DataFrame]] = {
        ".parquet": pd.read_parquet,
        ".feather": pd.read_feather,
        ".csv": pd.read_csv,
        ".csv.gz": pd.read_csv,
        ".json": pd.read_json,
        ".jsonl": lambda path: pd.read_json(path, lines=True),
        ".ndjson": lambda path: pd.read_json(path, lines=True),
        ".xlsx": pd.read_excel,
    }
    assert set(readers) == set(FORMATS)
    for suffix, reader in readers.items():
        found = reader(tkf.export(frame, tmp_path / f"a{suffix}"))
        assert found["tinker_path"].tolist() == frame["tinker_path"].tolist()
        assert list(found.columns) == list(frame.columns)
        assert found["size_bytes"].dropna().astype("int64").tolist() == frame["size_bytes"].dropna().tolist()


def test_where_a_frame_came_from_stays_with_it(frames: dict[str, pd.DataFrame], tmp_path: Path) -> None:
    """Formats that can keep `attrs["tinker"]`; `to_parquet` takes our frames as they are."""
    frame = frames["checkpoints"]
    for suffix in (suffix for suffix, form in FORMATS.items() if form.keeps_metadata):
        assert round_trip(frame, tmp_path / f"a{suffix}").attrs["tinker"] == frame.attrs["tinker"]
    frame.to_parquet(tmp_path / "b.parquet")
    assert len(pd.read_parquet(tmp_path / "b.parquet")) == len(frame)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("values", [["training", "sampler", None], [None] * 3, []])
def test_categories_that_were_made_objects_come_back_as_categories(suffix: str, values: Any, tmp_path: Path) -> None:
    """A column of a category that `apply` or `map` has made one of objects is written, also with the oldest Arrow."""
    frame = pd.DataFrame(
        {"checkpoint_type": pd.Series(values, dtype=object), "step": pd.Series(range(len(values)), dtype="Int64")}
    )
    found = tkf.read_export(tkf.export(frame, tmp_path / f"frame{suffix}"))
    assert found["checkpoint_type"].dtype == "category"
    assert found["checkpoint_type"].astype(object).where(found["checkpoint_type"].notna(), None).tolist() == values
    assert found["step"].tolist() == frame["step"].tolist()


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_named_index_is_kept_as_a_column(suffix: str, tmp_path: Path) -> None:
    """An index with a name is written; one that repeats a column is not written twice; one that differs is refused."""
    frame = pd.DataFrame({"tinker_path": texts(["a", "b"]), "size_bytes": pd.array([1, 2], dtype="Int64")})
    for indexed in (frame.set_index("tinker_path"), frame.set_index("tinker_path", drop=False)):
        assert_frame_equal(round_trip(indexed, tmp_path / f"a{suffix}"), frame)
    other = frame.set_index(pd.Index(["x", "y"], name="tinker_path"))
    with pytest.raises(InvalidRequestError, match="tinker_path"):
        tkf.export(other, tmp_path / f"b{suffix}")


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(
    "values",
    [[1.5, 2.5], pd.array([1.5, None], dtype="Float64"), pd.Series([1.5, 2], dtype=object), texts(["a lot", "x"])],
    ids=["floats", "nullable floats", "objects", "text"],
)
def test_an_overwritten_column_is_never_cut_to_its_declaration(suffix: str, values: Any, tmp_path: Path) -> None:
    """A known column with values of another type keeps them: 1.5 does not become 1."""
    frame = pd.DataFrame({"size_bytes": values})
    assert (
        round_trip(frame, tmp_path / f"a{suffix}")["size_bytes"].dropna().tolist()
        == frame["size_bytes"].dropna().tolist()
    )


LONG = 2**53 + 1
EXACT = {
    "integers among objects": ("mine", pd.Series([LONG, None], dtype=object)),
    "categories of long integers": ("mine", pd.Series([LONG, 10**15, LONG]).astype("category")),
    "floats of 32 bits": ("mine", pd.Series([1 / 3], dtype="float32")),
    "times where a count is declared": ("checkpoints_count", pd.Series(pd.to_datetime(["2026-01-01T01:00"]))),
    "truth values where text is declared": ("status_category", pd.Series([True, None], dtype=object)),
}


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(("name", "values"), EXACT.values(), ids=EXACT)
def test_values_are_the_same_after_a_detour(suffix: str, name: str, values: pd.Series, tmp_path: Path) -> None:
    """No dtype of a column costs digits or hours: what differs afterwards is at most the type, by the format's own rules."""
    found = round_trip(pd.DataFrame({name: values}), tmp_path / f"a{suffix}")[name]
    shown, given = ([str(value).lower().replace("t", " ") for value in each.dropna()] for each in (found, values))
    assert shown == given


@pytest.mark.parametrize("suffix", [each for each in SUFFIXES if each != ".xlsx"])
def test_a_time_without_zone_gets_none(suffix: str, tmp_path: Path) -> None:
    """Times of the catalog whose zone was dropped, e.g. for local times, are not taken as UTC."""
    frame = pd.DataFrame({"time": pd.to_datetime(["2026-01-01T01:00:00.123456", None])})
    found = pd.to_datetime(round_trip(frame, tmp_path / f"a{suffix}")["time"])
    assert found.dt.tz is None
    assert found[0] == frame["time"][0]


STORED = {  # what Parquet and Feather alone give back; a workbook has durations, too
    "bytes": [b"\xff\x00"],
    "Period": pd.period_range("2026-01", periods=1, freq="M"),
    "timedelta64": pd.to_timedelta(["90s"]).as_unit("us"),
    "above 2..63": np.array([2**64 - 1], dtype="uint64"),
    "Decimal": [Decimal("1.10")],
}
NOWHERE = {
    "levels": pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_tuples([("a", "x"), ("a", "y")])),
    "no columns": pd.DataFrame(index=range(3)),
    "'a' occurs twice": pd.DataFrame([[1, 2]], columns=["a", "a"]),
    "'1' occurs twice": pd.DataFrame([[1, 2]], columns=[1, "1"]),
    "valid Unicode": pd.DataFrame([[1]], columns=pd.Index(["\ud800"], dtype=object)),
    "'b' cannot be written": pd.DataFrame({"b": pd.Series([1, "x"], dtype=object)}),
    "'c' cannot be written": pd.DataFrame({"c": pd.Series(["\ud800"], dtype=object)}),
    "'d'.*type dict.*json.dumps": pd.DataFrame({"d": [{"a": 1}, {"b": 2}]}),
    "'d'.*type set": pd.DataFrame({"d": [{1, 2}]}),
    "'d'.*type Interval": pd.DataFrame({"d": pd.cut([1, 2], 2)}),
    "'d'.*numpy type": pd.DataFrame({"d": [1j]}),
}


@pytest.mark.parametrize("suffix", list(FORMATS))
def test_what_a_file_cannot_hold_is_refused_by_name(suffix: str, tmp_path: Path) -> None:
    """A column comes back as it was, or the error names column, format and what to do, and no file is left."""
    path = tmp_path / f"a{suffix}"
    for named, values in STORED.items():
        frame = pd.DataFrame({"mine": values})
        if suffix in (".parquet", ".feather") or (suffix == ".xlsx" and "timedelta" in named):
            assert_frame_equal(round_trip(frame, path), frame)
            path.unlink()
        else:
            with pytest.raises(InvalidRequestError, match=rf"(?i)'mine'.*{suffix} holds no .*{named}.*\.parquet"):
                tkf.export(frame, path)
    for named, frame in NOWHERE.items():
        with pytest.raises(InvalidRequestError, match=named):
            tkf.export(frame, path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", list(FORMATS))
def test_own_text_comes_back_as_text(suffix: str, tmp_path: Path) -> None:
    """Text that looks like a number, a truth value, a time or NA is text again, also after a row without any; numbers are numbers."""
    looks = {
        "int": "007",
        "float": "1e5",
        "bool": "true",
        "na": "NA",
        "day": "2026-01-01",
        "clock": "12:00",
        "list": "[1]",
    }
    frame = pd.DataFrame({name: texts([None, text, text]) for name, text in looks.items()})
    frame = frame.assign(
        **{'a "b",\n': texts(["1", "2", "3"]), "meta.run": texts(["007"] * 3), "meta.loss": [0.5, None, 1.5]}
    )
    assert_frame_equal(round_trip(frame, tmp_path / f"a{suffix}"), frame)


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz"])
def test_only_what_was_guarded_is_unguarded(suffix: str, tmp_path: Path) -> None:
    """A file says whether its formulas were guarded: apostrophes of an unguarded one, also of another program, stay; `safe` overrides."""
    frame = pd.DataFrame({"display_name": texts(["'=1", "=1", "''+x"]), "'=name": texts(["'@x", "x", None])})
    for safe in (True, False):
        path = tkf.export(frame, tmp_path / f"{safe}{suffix}", safe=safe)
        assert_frame_equal(tkf.read_export(path), frame)
    other = tmp_path / f"other{suffix}"
    frame.to_csv(other, index=False)
    assert_frame_equal(tkf.read_export(other), frame)
    assert tkf.read_export(other, safe=True)["display_name"].tolist() == ["=1", "=1", "'+x"]
    assert tkf.read_export(tmp_path / f"True{suffix}", safe=False)["display_name"].tolist()[:2] == ["''=1", "'=1"]


def test_a_cell_of_megabytes_survives(tmp_path: Path) -> None:
    """A name longer than any buffer is preserved by every format."""
    frame = pd.DataFrame({"display_name": texts(["x" * 3_000_000, "y"])})
    for suffix in SUFFIXES:
        assert_frame_equal(round_trip(frame, tmp_path / f"a{suffix}"), frame)


@pytest.mark.slow
def test_a_hundred_thousand_rows(tmp_path: Path) -> None:
    """Large tables are preserved exactly, including 64-bit integers next to NA."""
    count = 100_000
    frame = empty_frame(catalog.CHECKPOINTS, datetime.now(UTC)).reindex(range(count))
    frame["tinker_path"] = texts([f"tinker://r/weights/{number}" for number in range(count)])
    frame["size_bytes"] = pd.array(
        np.where(np.arange(count) % 7 == 0, None, 2**53 + 1 + np.arange(count)), dtype="Int64"
    )
    frame = frame.astype(empty_frame(catalog.CHECKPOINTS, datetime.now(UTC)).dtypes.to_dict())
    for suffix in SUFFIXES:
        assert_frame_equal(round_trip(frame, tmp_path / f"a{suffix}"), frame)


@pytest.mark.parametrize("name", ["a.xls", "a", "a.gz", ".csv", ".csv.gz", "s3://bucket/a.txt"])
def test_an_unknown_suffix_is_refused_with_the_known_ones(name: str, tmp_path: Path) -> None:
    """Another suffix is an error that lists the formats, for writing and reading."""
    for call in (
        lambda: tkf.export(pd.DataFrame({"a": [1]}), name if "://" in name else tmp_path / name),
        lambda: tkf.read_export(name if "://" in name else tmp_path / name),
    ):
        with pytest.raises(InvalidRequestError, match=r"\.csv, \.csv\.gz, \.parquet, \.feather, \.json"):
            call()


def test_suffixes_may_be_written_large(tmp_path: Path) -> None:
    """Suffixes are case-insensitive, and paths may be text or `Path`."""
    tkf.export(pd.DataFrame({"a": [1]}), str(tmp_path / "A.CSV"))
    assert tkf.read_export(str(tmp_path / "A.CSV"))["a"].tolist() == [1]


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00junk\n\xff", b"{"], ids=["empty", "junk", "cut"])
def test_a_file_that_is_none_of_ours_is_refused(suffix: str, content: bytes, tmp_path: Path) -> None:
    """A file that does not match its suffix is an error that names it and says what to do; a missing file is a FileNotFoundError."""
    path = tmp_path / f"a{suffix}"
    with pytest.raises(FileNotFoundError):
        tkf.read_export(path)
    path.write_bytes(content)
    with pytest.raises(InvalidRequestError, match="cannot be read") as caught:
        tkf.read_export(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_missing_folder_and_a_folder_in_the_way_are_said(suffix: str, tmp_path: Path) -> None:
    """The error names the folder, not a temporary file."""
    (tmp_path / f"d{suffix}").mkdir()
    for target in (tmp_path / "none" / f"a{suffix}", tmp_path / f"d{suffix}"):
        with pytest.raises(InvalidRequestError, match="cannot be written") as caught:
            tkf.export(pd.DataFrame({"a": [1]}), target)
        assert ".tmp" not in str(caught.value)


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".json"])
def test_a_place_that_cannot_be_written_is_named(suffix: str) -> None:
    """Where no file can be made, also of a name that is too long, the error names the target and not a temporary file."""
    for target in (f"/proc/a{suffix}", f"/dev/{'a' * 256}{suffix}"):
        with pytest.raises(OSError, match=re.escape(target)) as caught:
            tkf.export(pd.DataFrame({"a": [1]}), target)
        assert ".tmp" not in str(caught.value)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
def test_a_pipe_or_device_is_written_to_and_stays(tmp_path: Path) -> None:
    """What is no regular file is written to, not replaced by one, as /dev/null would be for root."""
    path = tmp_path / "rows.csv"
    os.mkfifo(path)
    with ThreadPoolExecutor(1) as pool:
        received = pool.submit(path.read_bytes)
        tkf.export(pd.DataFrame({"a": [1]}), path)
        assert received.result(timeout=20).split() == [b'"a"', b"1"]
    assert path.is_fifo()


def test_the_longest_name_is_written(tmp_path: Path) -> None:
    """A temporary name is not longer than the target's."""
    path = tmp_path / f"{'a' * 251}.csv"
    assert tkf.export(pd.DataFrame({"a": [1]}), path) == path


KILLED = """
import sys, numpy as np, pandas as pd, tinker_frames as tkf
from pathlib import Path
frame = pd.DataFrame({"display_name": [f"name {n}" for n in range(200_000)], "n": np.arange(200_000)})
frame = pd.concat([frame] * 8, ignore_index=True)
print("GO", flush=True)
while True:
    tkf.export(frame, Path(sys.argv[1]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".csv", ".json", ".parquet"])
def test_a_kill_leaves_a_whole_file(suffix: str, tmp_path: Path) -> None:
    """SIGKILL while a large file is being written leaves the old file or a complete new one."""
    path = tmp_path / f"a{suffix}"
    old = pd.DataFrame({"display_name": texts(["old"]), "n": [1]})
    tkf.export(old, path)
    with subprocess.Popen([sys.executable, "-c", KILLED, str(path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "GO\n"
        limit = time.monotonic() + 20
        while not any(other.suffix == ".tmp" and other.stat().st_size for other in tmp_path.iterdir()):
            assert time.monotonic() < limit
            time.sleep(0.005)
        os.kill(process.pid, signal.SIGKILL)
    assert len(tkf.read_export(path)) in (1, 1_600_000)
    tkf.export(old, path)
    assert_frame_equal(tkf.read_export(path), old)


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    """A failed write leaves the old file unchanged and no temporary file."""
    target = tmp_path / "plan.json"
    write_atomically(target, lambda file: file.write(b"old"))

    def fail(file: BinaryIO) -> None:
        file.write(b"half of the ne")
        raise OSError(errno.ENOSPC, "no space left")

    with pytest.raises(OSError, match=r"no space left: '.*plan\.json'"):
        write_atomically(target, fail)
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [("plan.json", b"old")]
