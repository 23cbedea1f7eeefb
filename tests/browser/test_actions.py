"""Actions in a real page: what they ask, the plan that is confirmed, what became of it, and the way back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import tinker_frames as tkf

from .shown import Shown

if TYPE_CHECKING:
    from tinker_frames.demo import DemoServer

    from .stage import Stage

pytestmark = pytest.mark.browser

WRITES = ("publish_checkpoint", "unpublish_checkpoint", "set_checkpoint_ttl", "delete_checkpoint")


@pytest.fixture
def own(stage: Stage, client: tkf.Client) -> Shown:
    """A view of an account of this test's own."""
    return Shown(stage, tkf.explore("checkpoints", client))


def select(shown: Shown, query: str, rows: int) -> list[str]:
    """Select rows that meet a condition and that no guard holds, from Python, and return their keys."""
    frame = shown.view.frame
    older = frame.duplicated(["training_run_id", "checkpoint_type"])  # than the newest of their run, which come first
    found = frame[older].query(query).head(rows)
    shown.view.selected = found
    shown.says(shown.selection, f"{rows} selected")
    return list(found["tinker_path"])


def writes(server: DemoServer) -> int:
    """Return how many writes the server was sent."""
    return sum(call.endpoint in WRITES for call in server.requests)


def now(shown: Shown, keys: list[str], column: str) -> set[object]:
    """Return what a column of the frame has for some rows."""
    frame = shown.view.frame
    return set(
        frame.loc[frame["tinker_path"].isin(keys), column].astype(object).where(lambda values: values.notna(), None)
    )


# ---- to confirm, to do, to undo


def test_expire_and_undo(own: Shown, server: DemoServer) -> None:
    """Two clicks let the selected rows expire tomorrow, which is seen in the rows at once; a third takes it back."""
    keys = select(own, "expires_at.isna() and not public", 3)
    own.act("expire")
    assert "3 checkpoints" in own.panel()
    assert writes(server) == 0, "nothing is sent before it is confirmed"
    assert own.active() == "run"
    own.stage.press("Enter")
    own.over()
    own.says(own.panel, "✓ 3 done")
    assert writes(server) == 3
    assert None not in now(own, keys, "expires_at")
    assert all(server.state.find(key).expires_at for key in keys)
    own.answer("undo")
    own.says(own.panel, "✓ 3 done")
    assert now(own, keys, "expires_at") == {None}
    assert own.inside("undo").count() == 0, "it cannot be undone twice"
    own.answer("close")
    assert own.panel() == ""
    assert own.selection().startswith("3 selected")


@pytest.mark.parametrize("way", ["close", "Escape"])
def test_a_plan_is_put_away(own: Shown, server: DemoServer, way: str) -> None:
    """Cancel and Escape close a plan, nothing was sent, and the focus is back on the button that began it."""
    select(own, "not public", 2)
    own.act("publish")
    own.says(own.panel, "become public")
    own.answer("close") if way == "close" else own.stage.press("Escape")
    own.sees(own.panel, "")
    assert (writes(server), own.active()) == (0, "publish")
    assert own.selection().startswith("2 selected")


def test_a_guard_that_is_lifted_changes_the_number(own: Shown) -> None:
    """Ticking a guard plans its rows too, the number to type is another one, and the focus stays on the box."""
    own.act("delete")
    before = int(own.inside("run").inner_text().split()[-1])
    own.stage.fill(own.inside("typed"), str(before))
    box = own.inside("guard newest")
    box.focus()
    own.stage.press(" ")
    own.over()
    after = int(own.inside("run").inner_text().split()[-1])
    assert after > before
    assert box.is_checked()
    assert own.active() == "guard newest"
    assert (own.inside("run").is_disabled(), own.inside("typed").input_value()) == (True, "")
    own.stage.press(" ")
    own.over()
    assert own.inside("run").inner_text().split()[-1] == str(before)


def test_a_delete_wants_its_number_typed(own: Shown, server: DemoServer) -> None:
    """The button of a delete can be pressed only with the exact number typed; Enter does it, and the rows are gone."""
    keys = select(own, "checkpoint_type == 'sampler' and not public and step == step", 5)
    own.act("delete")
    number = int(own.inside("run").inner_text().split()[-1])
    assert own.active() == "typed"
    for text in ("", str(number + 1), f"{number}0", f"-{number}", "x"):
        own.stage.fill(own.inside("typed"), text)
        assert own.inside("run").is_disabled(), text
        own.stage.press("Enter")
    assert writes(server) == 0
    own.stage.fill(own.inside("typed"), f" {number} ")
    assert own.inside("run").is_enabled()
    own.stage.press("Enter")
    own.over()
    own.says(own.panel, f"✓ {number} done")
    assert len([key for key in keys if server.state.find(key) is None]) == number
    assert own.inside("undo").count() == 0, "a delete is for ever"
    assert not set(own.view.frame["tinker_path"]) & {key for key in keys if server.state.find(key) is None}


# ---- what is asked first


def test_ttl_in_own_words(own: Shown) -> None:
    """A length that cannot be read is refused with what to write, and stays to be corrected; a good one leads on with Enter."""
    select(own, "expires_at.isna() and not public", 1)
    own.act("set_ttl")
    for text in ("soon", "", "5 s"):
        own.stage.fill(own.inside("ttl"), text)
        own.answer("submit")
        own.stage.until(lambda: own.note() or own.find(".tkf-action-panel [role=alert]").count())
        assert own.inside("ttl").input_value() == text
    own.stage.fill(own.inside("ttl"), "36h")
    own.stage.press("Enter")
    own.over()
    assert own.inside("run").is_enabled()
    assert own.note() == "", "what was wrong is not said any longer"


def test_retire_by_a_rule(own: Shown) -> None:
    """The form of the keep rule leads to a plan of what it does not keep, which says the rule."""
    own.act("retire")
    assert own.active() == "keep_last"
    own.stage.fill(own.inside("keep_last"), "2")
    own.inside("keep_public").uncheck()
    own.answer("1d")
    own.says(own.panel, "keeps keep_last(2)")
    assert "keep_public" not in own.panel()
    rows = int(own.inside("run").inner_text().split()[-1])
    assert 0 < rows < len(own.view.frame)
    own.answer("run")
    own.says(own.panel, f"✓ {rows} done")


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_export(own: Shown, tmp_path: Path, suffix: str) -> None:
    """The selected rows are written to a file, where it is is said; a file that exists is not overwritten unless one says so."""
    keys = select(own, "not public", 3)
    path = tmp_path / f"rows{suffix}"
    own.act("export")
    assert own.inside("path").input_value() == "checkpoints.parquet"
    own.stage.fill(own.inside("path"), str(path))
    own.stage.press("Enter")
    own.over()
    own.says(own.panel, f"wrote 3 rows to {path}")
    assert list(tkf.read_export(path)["tinker_path"]) == keys
    own.answer("close")
    own.act("export")
    own.stage.fill(own.inside("path"), str(path))
    own.answer("submit")
    own.says(lambda: own.note() + own.panel(), f"{path} exists")
    own.inside("overwrite").check()
    own.answer("submit")
    own.says(own.panel, "wrote 3 rows")
