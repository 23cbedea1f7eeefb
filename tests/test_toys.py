"""One declaration per fact: what is added in one place is found wherever it is used."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.toys import Toy, copy_with, run_with

pytestmark = pytest.mark.slow

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


TABLE = (
    Toy(
        "schema/catalog.py",
        "INVENTORY = _inventory()",
        """TOYS = Table(
    name="toys",
    row="one row per toy",
    key="toy_id",
    source="GET /api/v1/training_runs, of all things",
    path="/api/v1/training_runs",
    items="training_runs",
    aliases={"training_run_id": "toy_id"},
    brief=("toy_id",),
    columns=(Column("toy_id", "text", "the toy's id", required=True), _extra()),
)

""",
    ),
    Toy("schema/catalog.py", "SAMPLERS, INVENTORY)}", "TOYS, "),
    Toy(
        "client.py",
        "    # ── for plans ──",
        '''    def toys(
        self,
        *,
        refresh: bool = False,
        limit: int | None = None,
        progress: bool | None = None,
        require_complete: bool = False,
    ) -> pd.DataFrame:
        """Return one row per toy."""
        from .schema.catalog import TOYS

        return self._finish(self._reader.read_paged(TOYS, Options(refresh, limit, progress=progress)), require_complete)

''',
    ),
    Toy("functions.py", "inventory = _bind_to_default(Client.inventory)", "toys = _bind_to_default(Client.toys)\n"),
    Toy("__init__.pyi", "from .functions import undo as undo", "from .functions import toys as toys\n"),
)
USE_TABLE = """
import inspect
import tinker_frames as tkf
from tests.readme_tables import render_tables
from tinker_frames.functions import set_default

assert "### `toys()`: one row per toy\\n\\nFrom GET /api/v1/training_runs, of all things.\\n" in render_tables()
assert "toys" in dir(tkf)
assert tkf.toys.__doc__ == tkf.Client.toys.__doc__
assert list(inspect.signature(tkf.toys).parameters) == list(inspect.signature(tkf.Client.toys).parameters)[1:]
with tkf.demo.account(runs=3) as client:
    set_default(client)
    toys = tkf.toys()
    assert toys["toy_id"].tolist() == client.training_runs()["training_run_id"].tolist()
    assert (toys.attrs["tinker"]["table"], toys.attrs["tinker"]["complete"]) == ("toys", True)
    assert client.toys().attrs["tinker"]["from_cache"]
    assert len(client.toys(limit=2)) == 2
    tkf.read_export(tkf.export(toys, "toys.csv"))
"""


def test_a_setting_is_declared_once(tmp_path: Path) -> None:
    """A field of `ClientOptions` is a parameter of `Client` and of `connect`, checked and documented, and a row of the README."""
    run_with(copy_with(tmp_path, SETTING), USE_SETTING)


def test_a_column_is_declared_once(tmp_path: Path) -> None:
    """A line of the catalog is a column of frames, also empty ones, of joins, exports, views and the README."""
    run_with(copy_with(tmp_path, COLUMN), USE_COLUMN)


def test_a_table_is_an_entry_of_the_catalog_and_a_method_of_the_client(tmp_path: Path) -> None:
    """With a line for each of the two public names, it is a function, a section of the README, cached, proved and exported."""
    run_with(copy_with(tmp_path, *TABLE), USE_TABLE)
