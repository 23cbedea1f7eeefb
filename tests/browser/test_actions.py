"""Actions in a real page: their forms, the confirmed plan, the outcomes, and undo."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import tinker_frames as tkf

from .view_page import ViewPage

if TYPE_CHECKING:
    from tinker_frames.demo import DemoServer

    from .widget_host import WidgetHost

pytestmark = pytest.mark.browser

COLOUR = "element => getComputedStyle(element).color"
RED = "rgb(193, 39, 45)"  # `--tkf-red` of the light theme
WRITES = ("publish_checkpoint", "unpublish_checkpoint", "set_checkpoint_ttl", "delete_checkpoint")


@pytest.fixture
def own_view(host: WidgetHost, client: tkf.Client) -> ViewPage:
    """A view of this test's own account."""
    return ViewPage(host, tkf.explore("checkpoints", client))


def select(view: ViewPage, query: str, rows: int) -> list[str]:
    """Select rows from Python that match a query and are not held by a guard, and return their keys."""
    frame = view.widget.frame
    older = frame.duplicated(["training_run_id", "checkpoint_type"])  # than the newest of their run, which is first
    found = frame[older].query(query).head(rows)
    view.widget.selected = found
    view.wait_for_text(view.selection, f"{rows} selected")
    return list(found["tinker_path"])


def writes(server: DemoServer) -> int:
    """Return the number of writes the server received."""
    return sum(call.endpoint in WRITES for call in server.requests)


def read_values(view: ViewPage, keys: list[str], column: str) -> set[object]:
    """Return the values of a column for some rows."""
    frame = view.widget.frame
    return set(
        frame.loc[frame["tinker_path"].isin(keys), column].astype(object).where(lambda values: values.notna(), None)
    )


# ---- confirm, run, undo


def test_expire_and_undo(own_view: ViewPage, server: DemoServer) -> None:
    """Two clicks expire the selected rows tomorrow and update them in the grid; a third click undoes it."""
    keys = select(own_view, "expires_at.isna() and not public", 3)
    own_view.click_and_wait("expire")
    assert "3 checkpoints" in own_view.panel()
    assert writes(server) == 0, "nothing is sent before it is confirmed"
    assert own_view.active() == "run"
    own_view.host.press("Enter")
    own_view.wait_until_idle()
    own_view.wait_for_text(own_view.panel, "✓ 3 done")
    assert writes(server) == 3
    assert None not in read_values(own_view, keys, "expires_at")
    assert all(server.state.find(key).expires_at for key in keys)
    own_view.answer_panel("undo")
    own_view.wait_for_text(own_view.panel, "✓ 3 done")
    assert read_values(own_view, keys, "expires_at") == {None}
    assert own_view.panel_control("undo").count() == 0, "it cannot be undone twice"
    own_view.answer_panel("close")
    assert own_view.panel() == ""
    assert own_view.selection().startswith("3 selected")


def test_an_undo_that_publishes_wants_its_number(host: WidgetHost, client: tkf.Client, server: DemoServer) -> None:
    """The button of an undo that makes checkpoints public says how many, and is disabled until their number is typed."""
    keys = client.checkpoints().query("not public")["tinker_path"].head(2).tolist()
    for key in keys:
        client.rest.publish_checkpoint(key)
    view = ViewPage(host, tkf.explore("checkpoints", client))
    view.widget.selected = keys
    view.wait_for_text(view.selection, "2 selected")
    view.click_and_wait("unpublish")
    view.answer_panel("run")
    view.wait_for_text(view.panel, "✓ 2 done")
    undo = view.panel_control("undo")
    assert (undo.inner_text(), undo.is_disabled()) == ("Undo: publish 2 checkpoints again", True)
    view.panel_control("typed").fill("2")
    view.answer_panel("undo")
    view.host.wait_until(lambda: all(server.state.find(key).public for key in keys))


@pytest.mark.parametrize("way", ["close", "Escape"])
def test_a_plan_is_put_away(own_view: ViewPage, server: DemoServer, way: str) -> None:
    """Cancel and Escape close a plan without sending it and return the focus to its button."""
    select(own_view, "not public", 2)
    own_view.click_and_wait("publish")
    own_view.wait_for_text(own_view.panel, "become public")
    own_view.answer_panel("close") if way == "close" else own_view.host.press("Escape")
    own_view.wait_for(own_view.panel, "")
    assert (writes(server), own_view.active()) == (0, "publish")
    assert own_view.selection().startswith("2 selected")


def test_a_plan_that_is_out_of_date_cannot_be_run(own_view: ViewPage, server: DemoServer) -> None:
    """A plan names its rows; after a click on another row it says in red that it is out of date, without a button to run it, until that is undone."""
    select(own_view, "expires_at.isna() and not public", 3)
    own_view.click_and_wait("expire")
    assert "Made of 3 checkpoints selected." in own_view.panel()
    place = next(row.place for row in own_view.rows() if not row.selected)
    own_view.host.click(own_view.check(place), modifiers=["Control"])
    own_view.wait_for_text(own_view.panel, "out of date: the selection has changed")
    assert own_view.find(".tkf-action-panel .tkf-obstacle").evaluate(COLOUR) == RED
    assert own_view.panel_control("run").count() == own_view.find(".tkf-guards").count() == 0
    own_view.host.click(own_view.check(place), modifiers=["Control"])
    own_view.host.wait_until(lambda: own_view.panel_control("run").is_visible())
    own_view.type("text", "step")
    own_view.wait_for_text(own_view.panel, "out of date: the filters have changed")
    assert own_view.panel_control("run").count() == 0
    assert (own_view.active(), own_view.control("text").input_value(), writes(server)) == ("text", "step", 0)


def test_a_guard_that_is_lifted_changes_the_number(own_view: ViewPage) -> None:
    """Ticking a guard adds its rows to the plan, changes the number to type, and keeps the focus on the box."""
    own_view.select_matching()
    own_view.click_and_wait("delete")
    before = int(own_view.panel_control("run").inner_text().split()[-1])
    own_view.host.fill(own_view.panel_control("typed"), str(before))
    box = own_view.panel_control("guard newest")
    box.focus()
    own_view.host.press(" ")
    own_view.wait_until_idle()
    after = int(own_view.panel_control("run").inner_text().split()[-1])
    assert after > before
    assert box.is_checked()
    assert own_view.active() == "guard newest"
    assert (own_view.panel_control("run").is_disabled(), own_view.panel_control("typed").input_value()) == (True, "")
    own_view.host.press(" ")
    own_view.wait_until_idle()
    assert own_view.panel_control("run").inner_text().split()[-1] == str(before)


def test_a_delete_wants_its_number_typed(own_view: ViewPage, server: DemoServer) -> None:
    """The button of a delete is enabled only by the exact number; Enter runs it, and the rows are removed."""
    keys = select(own_view, "checkpoint_type == 'sampler' and not public and step == step", 5)
    own_view.click_and_wait("delete")
    number = int(own_view.panel_control("run").inner_text().split()[-1])
    assert own_view.active() == "typed"
    for text in ("", str(number + 1), f"{number}0", f"-{number}", "x"):
        own_view.host.fill(own_view.panel_control("typed"), text)
        assert own_view.panel_control("run").is_disabled(), text
        own_view.host.press("Enter")
    assert writes(server) == 0
    own_view.host.fill(own_view.panel_control("typed"), f" {number} ")
    assert own_view.panel_control("run").is_enabled()
    own_view.host.press("Enter")
    own_view.wait_until_idle()
    own_view.wait_for_text(own_view.panel, f"✓ {number} done")
    assert len([key for key in keys if server.state.find(key) is None]) == number
    assert own_view.panel_control("undo").count() == 0, "a delete is for ever"
    assert not set(own_view.widget.frame["tinker_path"]) & {key for key in keys if server.state.find(key) is None}


# ---- forms


def test_ttl_in_own_words(own_view: ViewPage) -> None:
    """An invalid duration shows in red, below the form, what to write, and stays editable; Enter submits a valid one."""
    error = own_view.find(".tkf-action-panel > .tkf-form + .tkf-error")
    select(own_view, "expires_at.isna() and not public", 1)
    own_view.click_and_wait("set_ttl")
    for text in ("soon", "", "5 s"):
        own_view.host.fill(own_view.panel_control("ttl"), text)
        own_view.answer_panel("submit")
        own_view.host.wait_until(error.count)
        assert (error.evaluate(COLOUR), own_view.note()) == (RED, "")
        assert own_view.panel_control("ttl").input_value() == text
    own_view.host.fill(own_view.panel_control("ttl"), "36h")
    own_view.host.press("Enter")
    own_view.wait_until_idle()
    assert own_view.panel_control("run").is_enabled()
    assert error.count() == 0, "what was wrong is not said any longer"


def test_what_was_typed_into_a_form_stays(own_view: ViewPage, tmp_path: Path) -> None:
    """A typed file name stays while other rows are selected, and after it could not be written."""
    keys = select(own_view, "not public", 2)
    own_view.click_and_wait("export")
    path = tmp_path / "rows.csv"
    path.mkdir()
    own_view.host.fill(own_view.panel_control("path"), str(path))
    own_view.panel_control("overwrite").check()
    own_view.widget.selected = keys[:1]
    own_view.wait_for_text(own_view.panel, "1 checkpoint selected")
    own_view.answer_panel("submit")
    own_view.host.wait_until(lambda: own_view.find(".tkf-action-panel .tkf-error").count())
    assert own_view.panel_control("path").input_value() == str(path)
    assert own_view.panel_control("overwrite").is_checked()
    path.rmdir()
    own_view.answer_panel("submit")
    own_view.wait_for_text(own_view.panel, "wrote 1 rows")


def test_retire_by_a_rule(own_view: ViewPage) -> None:
    """The form of the keep rule leads to a plan of the rows it does not keep, and the plan names the rule."""
    own_view.select_matching()
    own_view.click_and_wait("retire")
    assert own_view.active() == "keep_last"
    own_view.host.fill(own_view.panel_control("keep_last"), "2")
    own_view.panel_control("keep_public").uncheck()
    own_view.answer_panel("1d")
    own_view.wait_for_text(own_view.panel, "kept by keep_last(2)")
    assert "keep_public" not in own_view.panel()
    rows = int(own_view.panel_control("run").inner_text().split()[-1])
    assert 0 < rows < len(own_view.widget.frame)
    own_view.answer_panel("run")
    own_view.wait_for_text(own_view.panel, f"✓ {rows} done")


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_export(own_view: ViewPage, tmp_path: Path, suffix: str) -> None:
    """The selected rows are written to a file and its path is shown; an existing file is overwritten only on request."""
    keys = select(own_view, "not public", 3)
    path = tmp_path / f"rows{suffix}"
    own_view.click_and_wait("export")
    assert own_view.panel_control("path").input_value() == "checkpoints.parquet"
    own_view.host.fill(own_view.panel_control("path"), str(path))
    own_view.host.press("Enter")
    own_view.wait_until_idle()
    own_view.wait_for_text(own_view.panel, f"wrote 3 rows to {path}")
    assert list(tkf.read_export(path)["tinker_path"]) == keys
    own_view.answer_panel("close")
    own_view.click_and_wait("export")
    own_view.host.fill(own_view.panel_control("path"), str(path))
    own_view.answer_panel("submit")
    own_view.wait_for_text(lambda: own_view.note() + own_view.panel(), f"{path} exists")
    own_view.panel_control("overwrite").check()
    own_view.answer_panel("submit")
    own_view.wait_for_text(own_view.panel, "wrote 3 rows")


# ---- live plans, copying


def test_a_form_shows_what_its_rule_would_free(own_view: ViewPage, server: DemoServer) -> None:
    """While a keep rule is edited, the form says what it would free and what stays; typing is not disturbed, and a plan can be changed."""
    own_view.select_matching()
    own_view.click_and_wait("retire")
    estimate = own_view.find(".tkf-estimate")
    own_view.host.wait_until(lambda: "kept: " in estimate.inner_text())
    before = estimate.inner_text()
    own_view.panel_control("keep_last").press("Control+a")
    own_view.type("keep_last", "50")
    own_view.host.wait_until(
        lambda: estimate.inner_text() != before and "tkf-working" not in str(estimate.get_attribute("class"))
    )
    assert (own_view.active(), own_view.panel_control("keep_last").input_value()) == ("keep_last", "50")
    own_view.answer_panel("1d")
    own_view.wait_for_text(own_view.panel, "kept by keep_last(50)")
    own_view.answer_panel("kept ")
    assert own_view.find(".tkf-listed tbody tr").count() > 0
    own_view.answer_panel("edit")
    assert own_view.panel_control("keep_last").input_value() == "50"
    assert writes(server) == 0


def test_selected_rows_are_copied_as_a_table(own_view: ViewPage) -> None:
    """Ctrl+C copies the selected rows with the names of their columns; a button copies their paths."""
    keys = select(own_view, "not public", 2)
    own_view.press("Control+c")
    own_view.wait_for(own_view.note, "copied 2 rows")
    head, *rows = own_view.page.evaluate("navigator.clipboard.readText()").splitlines()
    assert head.split("\t") == own_view.columns()
    assert [row.split("\t")[-1] for row in rows] == keys
    own_view.click("copy keys")
    own_view.host.settle()
    own_view.host.wait_until(lambda: own_view.page.evaluate("navigator.clipboard.readText()") == "\n".join(keys))
