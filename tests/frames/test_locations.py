"""Exports go to URLs as they are written, and to local files whole."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import fsspec
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

import tinker_frames as tkf
from tinker_frames.errors import InvalidRequestError
from tinker_frames.frames.formats import FORMATS
from tinker_frames.schema.columns import text_dtype

FRAME = pd.DataFrame(
    {
        "display_name": pd.array(["=1", "é", None], dtype=text_dtype()),
        "lora_rank": pd.array([1, 2, None], dtype="Int64"),
    }
)


@pytest.fixture
def memory() -> Iterator[fsspec.AbstractFileSystem]:
    system = fsspec.filesystem("memory")
    system.store.clear()
    yield system
    system.store.clear()


@pytest.mark.parametrize("suffix", list(FORMATS))
def test_every_format_goes_to_a_url_and_back(memory: fsspec.AbstractFileSystem, suffix: str) -> None:
    """A URL is taken as it is and returned as it is, in every format."""
    url = f"memory://folder/a b{suffix}"
    assert tkf.export(FRAME, url) == url
    assert memory.ls("/folder", detail=False) == [f"/folder/a b{suffix}"]
    assert_frame_equal(tkf.read_export(url), FRAME)


def test_a_write_that_fails_sends_nothing(memory: fsspec.AbstractFileSystem) -> None:
    """What cannot be written leaves what was at the URL."""
    tkf.export(FRAME, "memory://a.xlsx")
    with pytest.raises(InvalidRequestError, match="bytes"):
        tkf.export(pd.DataFrame({"a": [b"x"]}), "memory://a.xlsx")
    assert_frame_equal(tkf.read_export("memory://a.xlsx"), FRAME)
    with pytest.raises(FileNotFoundError):
        tkf.read_export("memory://none.csv")


def test_what_no_file_system_takes_is_explained() -> None:
    """An unknown protocol is an error without the URL's password; one whose library is missing says what to install."""
    with pytest.raises(InvalidRequestError, match="cannot be reached") as caught:
        tkf.export(FRAME, "nowhere://user:hunter2@host/a.csv")
    assert "hunter2" not in str(caught.value)
    with pytest.raises(ImportError, match="s3fs"):
        tkf.export(FRAME, "s3://bucket/a.csv")


def test_a_signature_of_a_url_is_not_shown(memory: fsspec.AbstractFileSystem) -> None:
    """A signed URL has the format of its path; no error shows its signature, whatever the file system says."""
    url = "memory://host/a.csv?sig=hunter2"
    memory.pipe(memory._strip_protocol(url), b"\xff\xfe")
    for call in (lambda: tkf.read_export(url), lambda: tkf.read_export(url.replace("a.csv", "none.csv"))):
        with pytest.raises((InvalidRequestError, FileNotFoundError)) as caught:
            call()
        assert "hunter2" not in f"{caught.value}{caught.value.__cause__}"


def test_a_url_that_was_made_a_path_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`Path("s3://…")` has lost a slash, and is not taken for a local folder unless there is one."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidRequestError, match="lost a slash"):
        tkf.export(FRAME, Path("s3://bucket/a.csv"))
    with pytest.raises(InvalidRequestError, match="holds a NUL"):
        tkf.export(FRAME, tmp_path / "a\0b.csv")
    (tmp_path / "s3:" / "bucket").mkdir(parents=True)
    assert tkf.export(FRAME, Path("s3:/bucket/a.csv")) == Path("s3:/bucket/a.csv")


def test_file_urls_and_home_are_local(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`file://` and `~` are local files, and come back as paths."""
    monkeypatch.setenv("HOME", str(tmp_path))
    assert tkf.export(FRAME, f"file://{tmp_path}/a%20b.csv") == tmp_path / "a b.csv"
    assert tkf.export(FRAME, "~/c.csv") == tmp_path / "c.csv"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a b.csv", "c.csv"]


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz"])
def test_a_byte_order_mark_on_request(suffix: str, tmp_path: Path) -> None:
    """`encoding="utf-8-sig"` writes one before a CSV, which reads back the same; other formats refuse it, and other encodings too."""
    path = tmp_path / f"a{suffix}"
    plain = pd.read_csv(tkf.export(FRAME, path), encoding="utf-8", header=None)
    assert not str(plain.iloc[0, 0]).startswith("\ufeff")
    tkf.export(FRAME, path, encoding="utf-8-sig")
    with fsspec.open(path, "rb", compression="infer") as file:
        assert file.read().startswith(b'\xef\xbb\xbf"display_name"')
    assert_frame_equal(tkf.read_export(path), FRAME)
    for name, encoding in (("a.json", "utf-8-sig"), ("a.csv", "latin-1"), ("a.csv", None)):
        with pytest.raises(InvalidRequestError, match="encoding"):
            tkf.export(FRAME, tmp_path / name, encoding=encoding)  # type: ignore[call-overload]
