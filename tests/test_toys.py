"""One declaration per fact: an addition in one place is used everywhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.toys import Toy, copy_with, run_with

pytestmark = pytest.mark.slow

RUN_COMMAND = """
import os
import tinker_frames as tkf
from click.testing import CliRunner
from tinker_frames.cli.main import cli

def run(client, *arguments):
    os.environ |= {"TINKER_BASE_URL": client.server.url, "TINKER_API_KEY": client.server.key}
    done = CliRunner().invoke(cli, arguments, standalone_mode=False, catch_exceptions=False)
    assert not done.return_value, done.output
    return " ".join(done.output.split())
"""
SETTING = Toy(
    "rest/config.py",
    "\n\n@dataclass(frozen=True, kw_only=True)\nclass Settings",
    '    toy: Annotated[int, Setting("How many toys.", minimum=2)] = 7\n',
)
USE_SETTING = """
import inspect
import tinker_frames as tkf
from tests.doc_tables import render_settings
from tinker_frames.errors import InvalidRequestError

for call in (tkf.Client, tkf.connect):
    parameter = inspect.signature(call).parameters["toy"]
    assert (parameter.annotation, parameter.default) == (int, 7)
    assert parameter.kind is inspect.Parameter.KEYWORD_ONLY
    assert "toy : int, default 7\\n    How many toys." in inspect.getdoc(call)
    client = call("tml-0123456789", "https://tinker.example.org", toy=8)
    assert client.transport.settings.toy == 8
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
from tests.doc_tables import render_tables

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

FIELD = Toy(
    "schema/catalog.py",
    '        Column("size_bytes", "int", "size in bytes;',
    '        Column("toy_field", "text", "what a checkpoint and the newest of a run play with"),\n',
)
USE_FIELD = """
import tinker_frames as tkf

with tkf.demo.account(runs=3) as client:
    client.server.faults.edit = lambda _, body: body | {
        "checkpoints": [row | {"toy_field": row["checkpoint_id"]} for row in body["checkpoints"]]
    } if "checkpoints" in body else body
    for frame in (client.checkpoints(), client.inventory()):
        assert frame["toy_field"].equals(frame["checkpoint_id"])
    assert "last_checkpoint_toy_field" in client.training_runs()
"""

TABLE = Toy(
    "schema/catalog.py",
    "INVENTORY)}",
    """Table(
    name="toys",
    row="one row per toy",
    key="toy_id",
    source="GET /api/v1/training_runs, of all things",
    path="/api/v1/training_runs",
    items="training_runs",
    aliases={"training_run_id": "toy_id"},
    brief=("toy_id",),
    columns=(Column("toy_id", "text", "the toy's id", required=True), _extra()),
), """,
)
USE_TABLE = f"""{RUN_COMMAND}
import inspect
import tinker_frames as tkf
from tests.doc_tables import render_tables
from tinker_frames.functions import set_default

assert "## `toys()`: one row per toy\\n\\nFrom GET /api/v1/training_runs, of all things.\\n" in render_tables()
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
    assert run(client, "ls", "toys").startswith("toy_id " + toys["toy_id"].iloc[0])
"""

FORMAT = Toy(
    "frames/formats.py",
    ")  # fmt: skip\nFORMATS",
    """    Format(".toys", "a format of toys", _read_json, _write_json_lines, is_text=True),
""",
)
USE_FORMAT = f"""{RUN_COMMAND}
import inspect
import pandas as pd
import tinker_frames as tkf
from tests.doc_tables import render_formats
from tinker_frames.views.forms import EXPORT, make_fields

assert "| `.toys` | a format of toys | `toys` | no |" in render_formats()
assert all(".toys" in inspect.getdoc(call) for call in (tkf.export, tkf.read_export))
assert ".toys" in make_fields(EXPORT)[0]["hint"]
with tkf.demo.account(runs=3) as client:
    assert ".toys" in run(client, "export", "--help")
    frame = client.checkpoints()
    assert tkf.read_export(tkf.export(frame, "rows.toys"))["tinker_path"].equals(frame["tinker_path"])
    assert "16 rows" in run(client, "ls", "checkpoints", "--format", "toys")
"""

ACTION = Toy(
    "plans/actions.py",
    """        Action(
            "restore",
""",
    """        Action(
            "lend",
            "lend",
            "be lent for {ttl}",
            "PUT",
            "ttl",
            _has_expiry,
            undo="restore",
            sets_expiry=True,
            label="Lend a toy",
            command="lend-out",
            doc="Lend checkpoints for a while.",
            parameters=(Parameter("span", "duration", "How long they are lent.", "36h"),),
        ),
""",
)
USE_ACTION = f"""{RUN_COMMAND}
import inspect
from datetime import UTC, datetime, timedelta
from tests.doc_tables import render_actions

assert "| `lend(span)` | `lend-out` | Lend checkpoints for a while | `span`: how long they are lent | yes |" in render_actions()
assert inspect.signature(tkf.TinkerAccessor.lend).parameters["span"].default == "36h"
with tkf.demo.account(runs=3) as client:
    frame = client.checkpoints().query("expires_at.isna() and not public")
    plan = frame.head(2).tinker.lend()
    assert plan.effect == "be lent for 36 h"
    assert "lend-out" in run(client, "--help")
    said = run(client, "lend-out", "--help")
    assert "Lend checkpoints for a while." in said
    assert "--span DURATION How long they are lent. [default: 36h]" in said
    run(client, "lend-out", "--span", "48h", "--allow", "newest", "--allow", "sampler", frame["tinker_path"].iloc[0])
    after = client.checkpoints(refresh=True).set_index("tinker_path")["expires_at"][frame["tinker_path"].iloc[0]]
    assert abs(after - datetime.now(UTC) - timedelta(hours=48)) < timedelta(minutes=5)
    run(client, "undo")
"""

GUARD = Toy(
    "plans/guards.py",
    """        Guard(
            "public",
""",
    """        Guard("toy", "is_toy", "somebody's toy", "toys", find=lambda listed, _: listed["tinker_path"] != ""),
""",
)
USE_GUARD = f"""{RUN_COMMAND}
from tests.doc_tables import render_guards

assert "| `toy` | somebody's toy | not known whether it is somebody's toy |" in render_guards()
with tkf.demo.account(runs=3) as client:
    frame = client.checkpoints()
    plan = frame.tinker.delete()
    assert plan.frame["is_toy"].all()
    assert (plan.frame["verdict"] == "held").all()
    assert plan.frame["reason"].str.contains("somebody's toy").all()
    assert str(len(frame)) + " toys" in repr(plan)
    assert " toys" in repr(plan.allow("toy"))
    assert (plan.allow("toy").frame["verdict"] == "send").any()
    path = plan.allow("toy").frame.query("verdict == 'send'")["tinker_path"].iloc[0]
    assert "[toy|public|" in run(client, "rm", "--help")
    assert "held: 1, somebody's toy" in run(client, "rm", path, "--dry-run")
    assert "held:" not in run(client, "rm", path, "--dry-run", "--allow", "toy")
"""

RULE = Toy(
    "policies.py",
    """@keep_rule("Public", suggested=True)
""",
    '''@keep_rule("Toys", metavar="LETTER")
def keep_toys(letter: str) -> Rule:
    """Keep those whose names begin with a `letter`."""
    return Rule(f"keep_toys({letter!r})", lambda frame: frame["name"].str.startswith(letter), needs=("name",))


''',
)
USE_RULE = f"""{RUN_COMMAND}
import json
from tests.doc_tables import render_rules

assert "| `keep_toys(letter)` | `--keep-toys LETTER` | Keep those whose names begin with a `letter` |" in render_rules()
with tkf.demo.account(runs=3) as client:
    frame = client.checkpoints()
    letter = frame["name"].iloc[0][0]
    kept = set(frame.loc[frame["name"].str.startswith(letter), "tinker_path"])
    assert set(frame.tinker.retire(tkf.policies.keep_toys(letter)).kept["tinker_path"]) == kept
    assert "--keep-toys LETTER Keep those whose names begin with a letter; can be given" in run(client, "retire", "--help")
    planned = json.loads(run(client, "retire", "--all", "--keep-toys", letter, "--dry-run", "--format", "json"))
    assert {{row["tinker_path"] for row in planned}} == set(frame["tinker_path"]) - kept
"""


def test_a_setting_is_declared_once(tmp_path: Path) -> None:
    """A field of `ClientOptions` is a parameter of `Client` and `connect`, checked and documented, and a row of the documentation."""
    run_with(copy_with(tmp_path, SETTING), USE_SETTING)


def test_a_column_is_declared_once(tmp_path: Path) -> None:
    """A line of the catalog is a column of frames, including empty ones, of joins, exports, views and the documentation."""
    run_with(copy_with(tmp_path, COLUMN), USE_COLUMN)


def test_a_field_of_checkpoints_is_declared_once(tmp_path: Path) -> None:
    """A field of the checkpoint object is a column of checkpoints and of the inventory, and of runs for their newest ones."""
    run_with(copy_with(tmp_path, FIELD), USE_FIELD)


def test_a_table_is_declared_once(tmp_path: Path) -> None:
    """An entry of `TABLES` is a method, a function, a table of `ls` and a section of the documentation; it is cached, proved complete and exported."""
    run_with(copy_with(tmp_path, TABLE), USE_TABLE)


def test_a_format_is_declared_once(tmp_path: Path) -> None:
    """An entry of `FORMATS` is written and read by its suffix, printed by `ls`, offered by a view, and a row of the documentation."""
    run_with(copy_with(tmp_path, FORMAT), USE_FORMAT)


def test_an_action_is_declared_once(tmp_path: Path) -> None:
    """An entry of `ACTIONS` is a method of the accessor, a command with its options, and a row of the documentation; its plans run."""
    run_with(copy_with(tmp_path, ACTION), USE_ACTION)


def test_a_guard_is_declared_once(tmp_path: Path) -> None:
    """An entry of `GUARDS` holds rows, is counted, lifted by `allow` and `--allow`, and is a row of the documentation."""
    run_with(copy_with(tmp_path, GUARD), USE_GUARD)


def test_a_keep_rule_is_declared_once(tmp_path: Path) -> None:
    """A function with `@keep_rule` is a rule in Python, an option of `retire`, and a row of the documentation."""
    run_with(copy_with(tmp_path, RULE), USE_RULE)
