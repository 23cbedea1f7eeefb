"""Hostile text from the service in a real page is shown as text everywhere and never executed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

import tinker_frames as tkf
from tinker_frames.demo import Burst

from .view_page import ViewPage

if TYPE_CHECKING:
    import pandas as pd

    from tinker_frames.demo import DemoServer

    from .widget_host import WidgetHost

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
    "button", "datalist", "desc", "div", "figcaption", "figure", "g", "h4", "input", "label", "li", "line", "nav", "option", "path",
    "rect", "section", "span", "strong", "svg", "table", "tbody", "td", "text", "th", "thead", "title", "tr", "ul",
}  # fmt: skip


def hostile(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame in which all text except keys and ids is hostile, including a column name and metadata."""
    made = frame.head(12).copy()
    for name in made.columns:
        if str(made[name].dtype) in ("str", "category") and not name.endswith(("_path", "_id", "metadata", "extra")):
            made[name] = ALL
    made["project_id"] = made["owner"] = ALL
    made["user_metadata"] = '{"<img src=x onerror=window.ran=4>":"</script><script>window.ran=5</script>"}'
    made[f"meta.{IMAGE}"] = BREAKOUT
    made["tinker_path"] += f"/{IMAGE}"
    return made


def is_harmless(view: ViewPage) -> None:
    """Check that the page contains only the view's elements, that none loads anything, and that no script ran."""
    view.host.settle()
    assert set(view.page.evaluate(TAGS)) <= OURS
    assert view.page.evaluate(HANDLERS) == []
    assert view.page.evaluate("window.ran") is None


@pytest.fixture
def view(host: WidgetHost, account: tkf.Client) -> ViewPage:
    """A view of a frame with hostile text everywhere and every column visible."""
    widget = tkf.explore(hostile(account.inventory()), account)
    widget.columns = list(widget.frame.columns)
    return ViewPage(host, widget)


def test_cells_headers_and_hovers_are_text(view: ViewPage) -> None:
    """Cells, headers and tooltips of every column show the text, with control characters escaped."""
    is_harmless(view)
    cell = view.cell(0, "display_name")
    for part in (IMAGE, BREAKOUT, "\\u202egnp.exe", "שלום", "\\x1b[31mred\\x00 two\\nlines\\ttab"):
        assert part in cell.inner_text()
        assert part in (cell.get_attribute("title") or "")
    assert any(IMAGE in name for name in view.find(".tkf-head-text").all_inner_texts())


def test_options_chips_and_pictures_are_text(view: ViewPage) -> None:
    """Options, chips and bars show hostile values as text, and a click on them filters by exactly those values."""
    for name, column in (("project", "project_id"), ("owner", "owner"), ("status", "status")):
        view.click(name)
        view.host.wait_until(view.options)
        assert IMAGE in next(iter(view.options()))
        is_harmless(view)
        view.host.click(view.find(".tkf-option input").first)
        view.wait_for_text(lambda name=name: " ".join(view.chips()), IMAGE)
        assert view.widget.filters[name] == [ALL], column
        view.host.press("Escape")
    assert view.counts().startswith("12 of")
    is_harmless(view)


def test_metadata_keys_are_text(view: ViewPage) -> None:
    """Metadata keys are shown as text and can be filtered by."""
    key = "<img src=x onerror=window.ran=4>"
    view.click("metadata")
    view.host.wait_until(lambda: view.find("datalist option").count())
    view.host.fill(view.control("key"), key)
    view.wait_for_text(lambda: " ".join(view.chips()), key)
    view.wait_for(view.counts, "12 of 12")
    is_harmless(view)


def test_what_is_copied_is_exact(view: ViewPage) -> None:
    """The copied path is exact, and the note about it is text."""
    view.host.click(view.row(0).locator("[data-copy]"))
    path = view.widget.frame["tinker_path"].iloc[0]
    view.wait_for(lambda: view.page.evaluate("navigator.clipboard.readText()"), path)
    view.wait_for_text(view.note, IMAGE)
    is_harmless(view)


def test_tables_that_are_opened_are_named_as_text(host: WidgetHost, account: tkf.Client) -> None:
    """The breadcrumb from a hostile session to its runs shows its name as text."""
    frame = account.sessions().query("checkpoints_count > 0").head(3)
    frame["display_name"] = ALL
    view = ViewPage(host, tkf.explore(frame, account))
    view.host.click(view.row(0).locator('[data-open="runs"]'))
    view.wait_until_idle()
    view.wait_for_text(lambda: view.find(".tkf-trail").inner_text(), IMAGE)
    is_harmless(view)


def test_what_is_typed_and_its_errors_are_text(view: ViewPage) -> None:
    """The error of a hostile query shows it as text."""
    view.click("query-switch")
    view.host.fill(view.control("query"), f"name == {IMAGE} and {BREAKOUT}")
    view.host.wait_until(lambda: view.find(".tkf-bar .tkf-error").inner_text())
    view.host.fill(view.control("text"), ALL)
    view.host.wait_until(lambda: view.widget.filters.get("text"))
    is_harmless(view)


def test_plans_and_outcomes_are_text(host: WidgetHost, server: DemoServer, client: tkf.Client) -> None:
    """Hostile names in a plan, and a hostile server's error messages in its outcomes, are text."""
    run = server.state.add_run(base_model=BREAKOUT)
    for name in (IMAGE, BREAKOUT.replace("/", "\u2044"), RIGHT_TO_LEFT, CONTROL):
        server.state.add_checkpoint(run, name=name, user_metadata={IMAGE: ALL})
    view = ViewPage(host, tkf.explore("checkpoints", client))
    view.widget.filters = {"model": [BREAKOUT]}
    view.wait_for(lambda: view.counts().split()[0], "4")
    view.select_matching()
    view.click_and_wait("set_ttl")
    view.answer_panel("30d")
    view.host.click(view.find(".tkf-action-panel .tkf-group").first)
    view.host.wait_until(lambda: view.find(".tkf-listed").count())
    is_harmless(view)
    server.faults.bursts = [Burst("set_checkpoint_ttl", 400, times=None, detail=ALL)]
    while (box := view.find(".tkf-guards input:not(:checked)").first).count():
        view.host.click(box)
        view.wait_until_idle()
    view.answer_panel("run")
    view.wait_for_text(view.panel, "failed")
    view.wait_for_text(view.panel, IMAGE)
    is_harmless(view)


def test_what_a_failing_server_says_is_text(host: WidgetHost, server: DemoServer, client: tkf.Client) -> None:
    """The error message of a failing server is shown as text, in the note and in the panel."""
    view = ViewPage(host, tkf.explore("checkpoints", client))
    server.faults.bursts = [Burst("*", 403, times=None, detail=ALL)]
    view.click_and_wait("refresh")
    view.wait_for_text(view.note, IMAGE)
    assert view.find(".tkf-note.tkf-error").count() == 1, "an error is not a note like others"
    client.cache.clear()  # else the plan needs nothing of the server
    view.select_matching()
    view.click_and_wait("publish")
    view.wait_for_text(view.panel, IMAGE)
    is_harmless(view)


def test_text_that_runs_the_other_way_stays_in_its_place(view: ViewPage) -> None:
    """Right-to-left text is isolated in cells, chips, bars and options, so that it does not reorder its neighbours."""
    view.widget.filters = {"project": [ALL]}
    view.click("project")
    view.host.wait_until(view.options)
    isolated: Any = "parts => parts.map(part => getComputedStyle(part).unicodeBidi)"
    for part in (".tkf-row > .tkf-cell", ".tkf-chip-text", ".tkf-option-label", ".tkf-bar-label"):
        view.host.wait_until(lambda part=part: view.find(part).count())
        assert set(view.find(part).evaluate_all(isolated)) <= {"isolate", "plaintext"}, part


def test_only_addresses_of_the_web_are_links(host: WidgetHost, account: tkf.Client, inventory: pd.DataFrame) -> None:
    """A cell, field or entry of metadata that is such an address is a link in a page of its own; a click on it selects and opens nothing."""
    good = "https://wandb.ai/team/runs/a1b2c3"
    texts = [
        good,
        "javascript:window.ran=6",
        "https://wandb.ai@evil.example/",
        "data:text/html,<b>",
        f"{good}\u202e",
        f" {good}",
    ]
    frame = inventory.head(len(texts))[["tinker_path", "name", "user_metadata"]].copy()
    frame["wandb_link"] = texts
    frame["user_metadata"] = [json.dumps({"wandb_link": text}) for text in texts]
    view = ViewPage(host, tkf.explore(frame, account))
    attributes = "links => links.map(link => [link.textContent, link.href, link.target, link.rel, link.tabIndex])"
    assert view.grid.locator(".tkf-body a").evaluate_all(attributes) == [
        [good, good, "_blank", "noopener noreferrer", -1]
    ]
    view.page.evaluate(
        "document.addEventListener('click', event => { window.clicked = event.target.href; event.preventDefault(); })"
    )
    view.host.click(view.grid.locator(".tkf-body a"))
    assert view.page.evaluate("window.clicked") == good
    assert (view.selected(), view.active(), view.widget._detail) == ([], "tkf-grid", None)
    for place, expected in enumerate([[good, good], []]):
        view.host.click(view.row(place).locator(".tkf-opener"))
        shown = view.find(".tkf-detail header code")
        view.host.wait_until(lambda key=frame["tinker_path"].iloc[place], shown=shown: shown.inner_text() == key)
        found = view.find(".tkf-detail :is(dd, td) a").evaluate_all("links => links.map(link => link.href)")
        assert found == expected
    assert view.page.evaluate("window.ran") is None
