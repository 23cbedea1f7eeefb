"""Actions in a real page: what they ask, the plan that is confirmed, what became of it, and the way back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
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


def choose(shown: Shown, query: str, rows: int) -> list[str]:
    """Choose rows that meet a condition and that no guard holds, from Python, and return their keys."""
    frame = shown.view.frame
    older = frame.duplicated(["training_run_id", "checkpoint_type"])  # than the newest of their run, which come first
    found = frame[older].query(query).head(rows)
    shown.view.selected = found
    shown.says(shown.choice, f"{rows} selected")
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
    """Two clicks let the chosen rows expire tomorrow, which is seen in the rows at once; a third takes it back."""
    keys = choose(own, "expires_at.isna() and not public", 3)
    own.act("expire")
    assert "3 checkpoints" in own.desk()
    assert writes(server) == 0, "nothing is sent before it is confirmed"
    assert own.active() == "run"
    own.stage.press("Enter")
    own.over()
    own.says(own.desk, "✓ 3 done")
    assert writes(server) == 3
    assert None not in now(own, keys, "expires_at")
    assert all(server.state.find(key).expires_at for key in keys)
    own.answer("undo")
    own.says(own.desk, "✓ 3 done")
    assert now(own, keys, "expires_at") == {None}
    assert own.inside("undo").count() == 0, "it cannot be undone twice"
    own.answer("close")
    assert own.desk() == ""
    assert own.choice().startswith("3 selected")


def test_publish_and_unpublish(own: Shown) -> None:
    """What is published is marked public in its row, and private again after the other action."""
    keys = choose(own, "not public", 2)
    own.view.query = "tinker_path in @keys".replace("@keys", repr(keys))
    own.sees(lambda: own.column("public"), ["private"] * 2)
    for action, mark in (("publish", "◉ public"), ("unpublish", "private")):
        own.act(action)
        own.answer("run", "close")
        own.sees(lambda: own.column("public"), [mark] * 2)


def test_without_a_choice_all_that_match_are_meant(own: Shown) -> None:
    """With nothing chosen an action is about what matches, and its button says about how many."""
    own.view.query = "public"
    rows = len(own.view.filtered)
    own.sees(lambda: own.counts().split()[0], str(rows))
    assert f"({rows} checkpoint" in (own.named("unpublish").get_attribute("title") or "")
    own.act("unpublish")
    own.says(own.desk, f"unpublish {rows} of {rows} checkpoints" if rows > 1 else "unpublish 1")


def test_where_nothing_matches_nothing_can_be_done(own: Shown) -> None:
    """With no row to act on the buttons cannot be pressed."""
    own.view.query = "size_gb < 0"
    own.sees(lambda: own.named("expire").is_disabled(), True)
    assert own.named("delete").is_disabled()


def test_what_a_plan_is_about_does_not_change_with_the_choice(own: Shown) -> None:
    """A plan that is shown is about the rows that were chosen when it was begun, whatever is chosen meanwhile."""
    keys = choose(own, "expires_at.isna() and not public", 2)
    own.act("expire")
    own.view.selected = own.view.frame.iloc[[5]]
    own.says(own.choice, "1 selected")
    own.answer("run")
    own.says(own.desk, "✓ 2 done")
    assert None not in now(own, keys, "expires_at")


@pytest.mark.parametrize("way", ["close", "Escape"])
def test_a_plan_is_put_away(own: Shown, server: DemoServer, way: str) -> None:
    """Cancel and Escape close a plan, nothing was sent, and the focus is back on the button that began it."""
    choose(own, "not public", 2)
    own.act("publish")
    own.says(own.desk, "publish")
    own.answer("close") if way == "close" else own.stage.press("Escape")
    own.sees(own.desk, "")
    assert (writes(server), own.active()) == (0, "publish")
    assert own.choice().startswith("2 selected")


def test_hidden_rows_are_told_where_one_confirms(own: Shown) -> None:
    """If filters hide some of the chosen rows the confirmation says how many."""
    choose(own, "not public", 4)
    own.view.query = "public"
    own.says(own.choice, "4 not in this view")
    own.act("expire")
    own.says(own.desk, "4 of them are not in this view")


def test_rows_of_a_verdict_can_be_looked_at(own: Shown) -> None:
    """A click on a group of the plan lists its rows with their reason, a second one puts them away; focus stays."""
    own.act("delete")
    held = own.find(".tkf-desk .tkf-held").first
    name, text = held.get_attribute("data-name"), held.inner_text()
    own.answer(name or "")
    table = own.find(".tkf-listed tbody tr")
    assert table.count() == int(text.split()[0])
    assert text.split(": ", 1)[1] in table.first.inner_text()
    assert own.inside(name or "").get_attribute("aria-expanded") == "true"
    assert own.active() == name
    own.answer(name or "")
    assert table.count() == 0


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
    keys = choose(own, "checkpoint_type == 'sampler' and not public and step == step", 5)
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
    own.says(own.desk, f"✓ {number} done")
    assert len([key for key in keys if server.state.find(key) is None]) == number
    assert own.inside("undo").count() == 0, "a delete is for ever"
    assert not set(own.view.frame["tinker_path"]) & {key for key in keys if server.state.find(key) is None}


def test_python_begins_actions_too(own: Shown) -> None:
    """`view.act` and `view.propose` show their plan in the page, and the page can carry it out."""
    keys = choose(own, "not public", 2)
    own.view.act("set_ttl", ttl="30d")
    own.over()
    own.says(own.desk, "2 of 2 checkpoints")
    own.answer("close")
    plan = own.view.selected.tinker.publish()
    own.view.propose(plan)
    own.over()
    own.answer("run")
    own.says(own.desk, "✓ 2 done")
    assert now(own, keys, "public") == {True}


# ---- what is asked first


def test_ttl_by_a_pick(own: Shown, server: DemoServer) -> None:
    """A pick leads to the plan at once; never takes an expiry away."""
    keys = choose(own, "expires_at.isna() and not public", 2)
    own.act("set_ttl")
    assert own.active() == "1d"
    own.answer("7d", "run", "close")
    ends = pd.Series([server.state.find(key).expires_at for key in keys])
    assert ((ends - pd.Timestamp.now("UTC")) / pd.Timedelta(days=1)).round(2).eq(7).all()
    own.act("set_ttl")
    own.answer("never", "run")
    own.says(own.desk, "✓ 2 done")
    assert now(own, keys, "expires_at") == {None}


def test_ttl_in_own_words(own: Shown) -> None:
    """A length that cannot be read is refused with what to write, and stays to be mended; a good one leads on with Enter."""
    choose(own, "expires_at.isna() and not public", 1)
    own.act("set_ttl")
    for text in ("soon", "", "5 s"):
        own.stage.fill(own.inside("ttl"), text)
        own.answer("own")
        own.stage.until(lambda: own.note() or own.find(".tkf-desk [role=alert]").count())
        assert own.inside("ttl").input_value() == text
    own.stage.fill(own.inside("ttl"), "36h")
    own.stage.press("Enter")
    own.over()
    assert own.inside("run").is_enabled()
    assert own.note() == "", "what was wrong is not said any longer"


def test_retire_by_a_rule(own: Shown) -> None:
    """The form of the keep rule leads to a plan of what it does not keep, which says the rule."""
    own.act("retire")
    assert own.active() == "last"
    own.stage.fill(own.inside("last"), "2")
    own.inside("public").uncheck()
    own.answer("expire")
    own.says(own.desk, "keeps keep_last(2)")
    assert "keep_public" not in own.desk()
    rows = int(own.inside("run").inner_text().split()[-1])
    assert 0 < rows < len(own.view.frame)
    own.answer("run")
    own.says(own.desk, f"✓ {rows} done")


def test_retire_by_deleting_wants_the_number(own: Shown) -> None:
    """Retiring at once is a delete, with its number to type; a rule that keeps nothing is refused."""
    own.act("retire")
    own.answer("delete")
    assert own.inside("run").is_disabled()
    own.answer("close")
    own.act("retire")
    own.stage.fill(own.inside("last"), "0")
    for name in ("final", "public", "sampled"):
        own.inside(name).uncheck()
    own.answer("expire")
    own.says(lambda: own.note() + own.desk(), "keeps nothing")


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_export(own: Shown, tmp_path: Path, suffix: str) -> None:
    """The chosen rows are written to a file, where it is is said; a file that exists is not overwritten unless one says so."""
    keys = choose(own, "not public", 3)
    path = tmp_path / f"rows{suffix}"
    own.act("export")
    assert own.inside("path").input_value() == "checkpoints.parquet"
    own.stage.fill(own.inside("path"), str(path))
    own.stage.press("Enter")
    own.over()
    own.says(own.desk, f"wrote 3 rows to {path}")
    assert list(tkf.read_export(path)["tinker_path"]) == keys
    own.answer("close")
    own.act("export")
    own.stage.fill(own.inside("path"), str(path))
    own.answer("write")
    own.says(lambda: own.note() + own.desk(), f"{path} exists")
    own.inside("overwrite").check()
    own.answer("write")
    own.says(own.desk, "wrote 3 rows")


def test_export_where_nothing_can_be_written(own: Shown, tmp_path: Path) -> None:
    """A folder that is not there, and a name of no known format, are told, and the name stays to be mended."""
    for path in (tmp_path / "no" / "rows.csv", tmp_path / "rows.docx"):
        own.act("export")
        own.stage.fill(own.inside("path"), str(path))
        own.answer("write")
        own.stage.until(lambda: own.note() or own.find(".tkf-desk [role=alert]").count())
        own.answer("close")


# ---- other tables


@pytest.mark.parametrize(("table", "one"), [("training_runs", "training run"), ("sessions", "session")])
def test_runs_and_sessions_act_on_their_checkpoints(
    stage: Stage, client: tkf.Client, tmp_path: Path, table: str, one: str
) -> None:
    """An action on a run or a session is about all checkpoints of it; a file can be, too."""
    frame = client.inventory()
    column = "session_id" if table == "sessions" else "training_run_id"
    key = frame.groupby(column).size().idxmax()
    shown = Shown(stage, tkf.explore(table, client))
    shown.view.selected = [key]
    shown.says(shown.choice, "1 selected")
    shown.act("set_ttl")
    assert f"1 {one} selected" in shown.desk()
    shown.answer("30d")
    shown.says(shown.desk, f"of {(frame[column] == key).sum()} checkpoints")
    shown.answer("close")
    shown.act("export")
    shown.stage.fill(shown.inside("path"), str(tmp_path / "theirs.csv"))
    shown.inside("checkpoints").check()
    shown.answer("write")
    shown.says(shown.desk, "wrote ")
    assert {*tkf.read_export(tmp_path / "theirs.csv")["tinker_path"]} == {
        *frame.loc[frame[column] == key, "tinker_path"]
    }


def test_two_actions_at_once_are_refused(own: Shown, server: DemoServer) -> None:
    """While one action goes on another one is refused with a sentence."""
    choose(own, "not public", 2)
    server.faults.latency = 0.4
    own.click("publish")
    own.says(own.desk, "Cancel")
    own.click("expire")
    own.says(own.note, "something is still going on")
    server.faults.clear()
    own.over()
    assert "publish" in own.desk()
