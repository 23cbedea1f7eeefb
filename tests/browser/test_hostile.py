"""Text of the service in a real page: whatever it says, it is shown as text, everywhere, and nothing of it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import tinker_frames as tkf
from tinker_frames.demo import Burst

from .shown import Shown

if TYPE_CHECKING:
    import pandas as pd

    from tinker_frames.demo import DemoServer

    from .stage import Stage

pytestmark = pytest.mark.browser

IMAGE = '<img src=x onerror="window.ran=1">'
BREAKOUT = "\"'`><script>window.ran=2</script><svg/onload=window.ran=3>"
RIGHT_TO_LEFT = "\u202egnp.exe\u202c שלום"
CONTROL = "\x1b[31mred\x00 two\nlines\ttab"
ALL = f"{IMAGE} {BREAKOUT} {RIGHT_TO_LEFT} {CONTROL}"
TAGS = """() => [...new Set([...document.querySelectorAll('.tkf *')].map(element => element.localName))].sort()"""
HANDLERS = """() => [...document.querySelectorAll('.tkf *')].flatMap(element =>
  [...element.attributes].filter(one => /^(on|src|href|srcdoc|action)/i.test(one.name)).map(one => one.name))"""
OURS = {
    "button", "datalist", "div", "figcaption", "figure", "g", "h4", "input", "label", "li", "nav", "option", "rect", "section",
    "span", "strong", "svg", "table", "tbody", "td", "th", "thead", "title", "tr", "ul",
}  # fmt: skip


def hostile(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame in which every text, but for keys and ids, is hostile, with a column of such a name and such metadata."""
    made = frame.head(12).copy()
    for name in made.columns:
        if str(made[name].dtype) in ("str", "category") and not name.endswith(("_path", "_id", "metadata", "extra")):
            made[name] = ALL
    made["project_id"] = made["owner"] = ALL
    made["user_metadata"] = '{"<img src=x onerror=window.ran=4>":"</script><script>window.ran=5</script>"}'
    made[f"meta.{IMAGE}"] = BREAKOUT
    made["tinker_path"] += f"/{IMAGE}"
    return made


def is_harmless(shown: Shown) -> None:
    """Check that the page has elements of the view only, that none runs or loads anything, and that nothing has run."""
    shown.stage.settle()
    assert set(shown.page.evaluate(TAGS)) <= OURS
    assert shown.page.evaluate(HANDLERS) == []
    assert shown.page.evaluate("window.ran") is None


@pytest.fixture
def shown(stage: Stage, account: tkf.Client) -> Shown:
    """A view of a frame that is hostile everywhere, with every column shown."""
    view = tkf.explore(hostile(account.inventory()), account)
    view.columns = list(view.frame.columns)
    return Shown(stage, view)


def test_cells_headers_and_hovers_are_text(shown: Shown) -> None:
    """In every column the text stands as it is, what cannot be printed spelled out, also on hover and as a header."""
    is_harmless(shown)
    cell = shown.cell(0, "display_name")
    for part in (IMAGE, BREAKOUT, "\\u202egnp.exe", "שלום", "\\x1b[31mred\\x00 two\\nlines\\ttab"):
        assert part in cell.inner_text()
        assert part in (cell.get_attribute("title") or "")
    assert any(IMAGE in name for name in shown.find(".tkf-head-text").all_inner_texts())


def test_options_chips_and_pictures_are_text(shown: Shown) -> None:
    """Options, chips and bars show hostile values as text, and a click on them filters by exactly those."""
    for name, column in (("project", "project_id"), ("owner", "owner"), ("status", "status")):
        shown.click(name)
        shown.stage.until(shown.options)
        assert IMAGE in next(iter(shown.options()))
        is_harmless(shown)
        shown.stage.click(shown.find(".tkf-option input").first)
        shown.says(lambda name=name: " ".join(shown.chips()), IMAGE)
        assert shown.view.filters[name] == [ALL], column
        shown.stage.press("Escape")
    assert shown.counts().startswith("12 of")
    is_harmless(shown)


def test_metadata_keys_are_text(shown: Shown) -> None:
    """Keys of metadata are offered as text, and can be filtered by."""
    key = "<img src=x onerror=window.ran=4>"
    shown.click("metadata")
    shown.stage.until(lambda: shown.find("datalist option").count())
    shown.stage.fill(shown.named("key"), key)
    shown.says(lambda: " ".join(shown.chips()), key)
    shown.sees(shown.counts, "12 of 12")
    is_harmless(shown)


def test_what_is_copied_is_exact(shown: Shown) -> None:
    """The path that is copied is the path, and the note that says so is text."""
    shown.stage.click(shown.row(0).locator("[data-copy]"))
    path = shown.view.frame["tinker_path"].iloc[0]
    shown.sees(lambda: shown.page.evaluate("navigator.clipboard.readText()"), path)
    shown.says(shown.note, IMAGE)
    is_harmless(shown)


def test_tables_that_are_opened_are_named_as_text(stage: Stage, account: tkf.Client) -> None:
    """The way from a hostile session to its runs shows its name as text."""
    frame = account.sessions().query("checkpoints_count > 0").head(3)
    frame["display_name"] = ALL
    shown = Shown(stage, tkf.explore(frame, account))
    shown.stage.click(shown.row(0).locator('[data-open="runs"]'))
    shown.over()
    shown.says(lambda: shown.find(".tkf-trail").inner_text(), IMAGE)
    is_harmless(shown)


def test_what_is_typed_and_its_errors_are_text(shown: Shown) -> None:
    """A query that is hostile itself is told in its error as text."""
    shown.stage.fill(shown.named("query"), f"name == {IMAGE} and {BREAKOUT}")
    shown.stage.until(lambda: shown.find(".tkf-bar .tkf-error").inner_text())
    shown.stage.fill(shown.named("text"), ALL)
    shown.stage.until(lambda: shown.view.filters.get("text"))
    is_harmless(shown)


def test_plans_and_outcomes_are_text(stage: Stage, server: DemoServer, client: tkf.Client) -> None:
    """Rows of a plan with hostile names, and what a hostile server says of them when it fails, are text."""
    run = server.state.add_run(base_model=BREAKOUT)
    for name in (IMAGE, BREAKOUT.replace("/", "\u2044"), RIGHT_TO_LEFT, CONTROL):
        server.state.add_checkpoint(run, name=name, user_metadata={IMAGE: ALL})
    shown = Shown(stage, tkf.explore("checkpoints", client))
    shown.view.filters = {"model": [BREAKOUT]}
    shown.sees(lambda: shown.counts().split()[0], "4")
    shown.act("set_ttl")
    shown.answer("30d")
    shown.stage.click(shown.find(".tkf-action-panel .tkf-group").first)
    shown.stage.until(lambda: shown.find(".tkf-listed").count())
    is_harmless(shown)
    server.faults.bursts = [Burst("set_checkpoint_ttl", 400, times=None, detail=ALL)]
    for box in shown.find(".tkf-guards input").all():
        shown.stage.click(box)
        shown.over()
    shown.answer("run")
    shown.says(shown.panel, "failed")
    shown.says(shown.panel, IMAGE)
    is_harmless(shown)


def test_what_a_failing_server_says_is_text(stage: Stage, server: DemoServer, client: tkf.Client) -> None:
    """The words of a server that refuses to be read are shown as text, at the top and in the panel."""
    shown = Shown(stage, tkf.explore("checkpoints", client))
    server.faults.bursts = [Burst("*", 403, times=None, detail=ALL)]
    shown.act("refresh")
    shown.says(shown.note, IMAGE)
    shown.act("publish")
    shown.says(shown.panel, IMAGE)
    is_harmless(shown)


def test_text_that_runs_the_other_way_stays_in_its_place(shown: Shown) -> None:
    """Hebrew in a name does not turn round what stands beside it: cells, chips, bars and options are isolated."""
    shown.view.filters = {"project": [ALL]}
    shown.click("project")
    shown.stage.until(shown.options)
    isolated: Any = "parts => parts.map(part => getComputedStyle(part).unicodeBidi)"
    for part in (".tkf-row > .tkf-cell", ".tkf-chip-text", ".tkf-option-label", ".tkf-bar-label"):
        shown.stage.until(lambda part=part: shown.find(part).count())
        assert set(shown.find(part).evaluate_all(isolated)) <= {"isolate", "plaintext"}, part
