"""Hostile names of checkpoints, from the listing to the journal and every file."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import tinker_frames as tkf
from tinker_frames.demo import DemoServer
from tinker_frames.frames.formats import FORMATS

# Only the first four are of no path that a request could name; the demo server itself stores no lone surrogates.
NAMES = [
    "a/b",
    "high \ud800",
    "low \udfff",
    "..",
    "x\x00y",
    "\x1b[31mx",
    "=1+1",
    "\uff1d1",
    "\u2028 x",
    "\u202eabc",
    "n" * 1000,
]
UNNAMEABLE = 4


def replace_texts(value: Any, texts: dict[str, str]) -> Any:
    """Return an answer with some texts in it replaced."""
    text = json.dumps(value)
    for old, new in texts.items():
        text = text.replace(old, json.dumps(new)[1:-1])
    return json.loads(text)


@pytest.mark.slow
@pytest.mark.parametrize("dialect", ["official", "tuft"])
def test_every_name_keeps_its_row_and_its_run(
    dialect: str, tmp_path: Path, client_of: Callable[..., tkf.Client]
) -> None:
    """Slashes, lone surrogates, control characters, formulas and long names stay in listing, inventory, plan, journal and files."""
    with DemoServer(runs=2, dialect=dialect) as server:
        run, start = server.state.runs()[0], datetime.now(UTC) - timedelta(days=900)
        names = {f"hostile-{place:02}": name for place, name in enumerate(NAMES)}
        for place, name in enumerate(names):
            server.state.add_checkpoint(run, "training", name, time=start + timedelta(seconds=place))
        server.faults.edit = lambda _, body: replace_texts(body, names)
        client = client_of(server)
        inventory = client.inventory()
        found = inventory[inventory["time"] < start + timedelta(days=1)].sort_values("time").reset_index(drop=True)
        replaced = [name.replace("\ud800", "\ufffdd800").replace("\udfff", "\ufffddfff") for name in NAMES]
        assert found["name"].tolist() == replaced
        assert set(found["training_run_id"]) == {run.training_run_id}
        assert found["base_model"].notna().all()
        assert client.checkpoints()["tinker_path"].isin(found["tinker_path"]).sum() == len(NAMES)
        for suffix in FORMATS:
            read = tkf.read_export(tkf.export(found, tmp_path / f"a{suffix}"))
            for column in ("tinker_path", "training_run_id", "name"):
                assert read[column].tolist() == found[column].tolist(), (suffix, column)
        plan = found.tinker.delete(client=client)
        verdicts = plan.frame.set_index("tinker_path").loc[found["tinker_path"], "verdict"].tolist()
        assert verdicts == ["refused"] * UNNAMEABLE + ["send"] * (len(NAMES) - UNNAMEABLE)
        plan.run(confirm=len(NAMES) - UNNAMEABLE)
        assert set(client.journal()["tinker_path"]) == set(found["tinker_path"][UNNAMEABLE:])
