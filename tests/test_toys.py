"""One declaration per fact: what is added in one place is found wherever it is used."""

from __future__ import annotations

from pathlib import Path

from tests.toys import Toy, copy_with, run_with

SETTING = Toy(
    "rest/config.py",
    "\n\n@dataclass(frozen=True, kw_only=True)\nclass Settings",
    '    toy: Annotated[int, Setting("How many toys.", minimum=2)] = 7\n',
)
USE_SETTING = """
import inspect
import tinker_frames as tkf
from tests.readme_tables import render_settings
from tinker_frames.errors import InvalidRequestError

for call in (tkf.Client, tkf.connect):
    parameter = inspect.signature(call).parameters["toy"]
    assert (parameter.annotation, parameter.default) == (int, 7)
    assert parameter.kind is inspect.Parameter.KEYWORD_ONLY
    assert "toy : int, default 7\\n    How many toys." in inspect.getdoc(call)
    client = call("tml-0123456789", "https://tinker.example.org", toy=8)
    assert client.session.settings.toy == 8
    client.close()
    for wrong, error, said in (({"toy": 1}, InvalidRequestError, "toy=1 is below 2"), ({"toi": 8}, TypeError, "Did you mean 'toy'?")):
        try:
            call("tml-0123456789", "https://tinker.example.org", **wrong)
        except error as caught:
            assert said in str(caught)
        else:
            raise AssertionError(wrong)
assert "| `toy` | int | `7` | How many toys. |" in render_settings()
"""

COLUMN = Toy(
    "schema/catalog.py",
    '        Column("step", "int", "the number at the end of the name',
    '        Column("toy", "text", "what the checkpoint plays with", source="checkpoint_id"),\n',
)
USE_COLUMN = """
import pandas as pd
import tinker_frames as tkf
from tests.readme_tables import render_tables

assert "| `toy` | str | what the checkpoint plays with |" in render_tables()
with tkf.demo.account(runs=3) as client:
    frames = {name: getattr(client, name)() for name in ("checkpoints", "inventory")}
    for frame in frames.values():
        assert frame["toy"].equals(frame["checkpoint_id"])
    assert client.checkpoints(limit=0)["toy"].dtype == frames["checkpoints"]["toy"].dtype
    for suffix in ("csv", "parquet", "feather", "json"):
        again = tkf.read_export(tkf.export(frames["inventory"], f"toys.{suffix}"))
        pd.testing.assert_series_equal(again["toy"], frames["inventory"]["toy"])
    view = tkf.explore(frames["checkpoints"], client)
    view.columns = ["tinker_path", "toy"]
    one = frames["checkpoints"]["toy"].iloc[0]
    view.query = f"toy == {one!r}"
    assert view.filtered["toy"].tolist() == [name for name in frames["checkpoints"]["toy"] if name == one]
"""


def test_a_setting_is_declared_once(tmp_path: Path) -> None:
    """A field of `ClientOptions` is a parameter of `Client` and of `connect`, checked and documented, and a row of the README."""
    run_with(copy_with(tmp_path, SETTING), USE_SETTING)


def test_a_column_is_declared_once(tmp_path: Path) -> None:
    """A line of the catalog is a column of frames, also empty ones, of joins, exports, views and the README."""
    run_with(copy_with(tmp_path, COLUMN), USE_COLUMN)
