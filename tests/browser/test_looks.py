"""How a view looks in a real page: contrast in light and dark, and room in narrow windows; and what a screen reader is told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import tinker_frames as tkf

from .shown import Shown

if TYPE_CHECKING:
    import pandas as pd

    from tinker_frames.demo import DemoServer

    from .stage import Stage

pytestmark = pytest.mark.browser

# Every text that is seen, with the contrast to what lies behind it; a canvas mixes the colours as the browser does.
CONTRASTS = """root => {
  const brush = Object.assign(document.createElement('canvas'), { width: 1, height: 1 }).getContext('2d', { willReadFrequently: true });
  const paint = color => { brush.fillStyle = color; brush.fillRect(0, 0, 1, 1); return [...brush.getImageData(0, 0, 1, 1).data]; };
  const light = color => {
    const [r, g, b] = color.map(part => part / 255).map(part => part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const told = element => {
    const behind = [];
    for (let at = element; at; at = at.parentElement) behind.unshift(getComputedStyle(at).backgroundColor);
    const bar = element.parentElement.querySelector(':scope > .tkf-bar-fill'); // which lies under the texts beside it
    if (bar) behind.push(getComputedStyle(bar).backgroundColor);
    paint(matchMedia('(prefers-color-scheme: dark)').matches ? '#121212' : '#ffffff');
    const [back] = behind.map(paint).slice(-1);
    const [low, high] = [light(back), light(paint(getComputedStyle(element).color))].sort((one, other) => one - other);
    return [element.textContent.trim().slice(0, 40), element.className || element.tagName, Math.round(100 * (high + 0.05) / (low + 0.05)) / 100];
  };
  const hasText = element => [...element.childNodes].some(node => node.nodeType === 3 && node.data.trim());
  return [...root.querySelectorAll('*')].filter(element =>
    hasText(element) && element.checkVisibility({ visibilityProperty: true }) && !element.closest(':disabled, datalist')).map(told);
}"""
OVERFLOWS = """() => [...document.querySelectorAll('html, body, .tkf, .tkf-action-panel, .tkf-popover, .tkf-chart, .tkf-line')]
  .filter(box => box.scrollWidth > box.clientWidth + 1).map(box => `${box.className || box.tagName} ${box.scrollWidth} > ${box.clientWidth}`)"""
CONTROLS = {
    "button",
    "checkbox",
    "textbox",
    "searchbox",
    "combobox",
    "spinbutton",
    "Date",
    "dialog",
    "grid",
    "progressbar",
}
NAMED = CONTROLS | {"toolbar", "region", "navigation", "columnheader"}


def sized(stage: Stage, width: int) -> Stage:
    """Return the stage in a window of so many pixels."""
    stage.page.set_viewport_size({"width": width, "height": 800})
    return stage


def dim(shown: Shown) -> list[Any]:
    """Return the texts that are hard to read, in light and in dark."""
    found = []
    for scheme in ("light", "dark"):
        shown.page.emulate_media(color_scheme=scheme)
        shown.stage.settle()
        found += [(scheme, *text) for text in shown.root.evaluate(CONTRASTS) if text[2] < 4.5]
    return found


def tree(shown: Shown) -> list[tuple[str, str, dict[str, Any]]]:
    """Return what a screen reader is told: role, name and properties of everything in the page."""
    session = shown.page.context.new_cdp_session(shown.page)
    nodes = [node for node in session.send("Accessibility.getFullAXTree")["nodes"] if not node["ignored"]]
    return [
        (
            node["role"]["value"],
            node.get("name", {}).get("value", ""),
            {entry["name"]: entry["value"].get("value") for entry in node.get("properties", [])},
        )
        for node in nodes
    ]


def nameless(shown: Shown) -> list[Any]:
    """Return the controls that have no name."""
    shown.stage.settle()
    found = tree(shown)
    assert sum(role in CONTROLS for role, _, _ in found) > 10
    return [(role, properties) for role, name, properties in found if role in NAMED and not name.strip()]


# ---- colours


def test_texts_can_be_read(stage: Stage, account: tkf.Client) -> None:
    """Every text of rows (selected, public, expiring), filters, pictures, an error and a banner has a contrast of 4.5."""
    frame = account.inventory()
    frame.attrs["tinker"] = frame.attrs["tinker"] | {"complete": False, "total": 600}
    shown = Shown(sized(stage, 1300), tkf.explore(frame, account))
    shown.view.filters = {
        "query": "public or expires_in_days < 9 or public.isna() or expires_at.isna()",
        "size": [0, None],
    }
    shown.view.sort = ["-public", "expires_at"]
    shown.sees(shown.sorts, {"public": "▼1", "expires_at": "▲2"})
    shown.stage.until(lambda: shown.find(".tkf-bar-row").count() > 3)
    shown.stage.click(shown.cell(1, "name"))
    shown.view.filters = shown.view.filters | {"step": [10**9, None]}
    shown.says(shown.selection, "1 not in this view")
    assert dim(shown) == []
    shown.click("off step")
    shown.stage.click(shown.row(2).locator("[data-copy]"))
    shown.type("query", " >")
    shown.stage.until(lambda: shown.find(".tkf-bar .tkf-error").inner_text())
    assert dim(shown) == []


def test_popovers_can_be_read(shown: Shown) -> None:
    """Labels, counts and quick picks of every popover, pressed or not, have a contrast of 4.5."""
    shown.view.filters = {"created": {"older_than": 30}, "model": ["Qwen/Qwen3-8B"]}
    for name in ("model", "created", "size", "metadata", "columns"):
        shown.click(name)
        assert dim(shown) == [], name
        shown.stage.press("Escape")


def test_the_panel_can_be_read(stage: Stage, server: DemoServer, client: tkf.Client) -> None:
    """What an action asks, its plan with what is held and listed, and outcomes that failed have a contrast of 4.5."""
    shown = Shown(stage, tkf.explore("checkpoints", client))
    for name in ("retire", "set_ttl", "export"):
        shown.act(name)
        assert dim(shown) == []
        shown.answer("close")
    shown.act("delete")
    shown.stage.click(shown.find(".tkf-action-panel .tkf-held").first)
    shown.stage.fill(shown.inside("typed"), shown.inside("run").inner_text().split()[-1])
    assert dim(shown) == []
    shown.answer("close")
    server.faults.missing = ("publish_checkpoint",)
    shown.view.selected = shown.view.frame.query("not public").head(2)
    shown.act("publish")
    shown.answer("run")
    shown.says(shown.panel, "failed")
    assert dim(shown) == []


def test_what_has_the_focus_is_seen(shown: Shown) -> None:
    """Whatever sort of control the keyboard comes to has an outline of its own."""
    shown.stage.until(lambda: shown.find(".tkf-column").count())
    shown.stage.press("Tab")
    outline = "control => { control.focus(); const style = getComputedStyle(control); return style.outlineStyle + parseFloat(style.outlineWidth); }"
    for name in (
        "input",
        ".tkf-opener",
        ".tkf-button",
        ".tkf-action.tkf-main",
        ".tkf-grid",
        ".tkf-bar-row",
        ".tkf-column",
    ):
        assert shown.find(name).first.evaluate(outline) == "solid2", name


# ---- room


@pytest.mark.parametrize("table", ["checkpoints", "training_runs", "sessions"])
def test_narrow_windows_do_not_scroll_sideways(stage: Stage, account: tkf.Client, table: str) -> None:
    """In a window of 420 pixels nothing but the rows is wider than the window, whatever is open."""
    shown = Shown(sized(stage, 420), tkf.explore(table, account))
    shown.stage.until(lambda: shown.find(".tkf-chart").count() == 3)
    assert shown.page.evaluate(OVERFLOWS) == []
    openers = shown.find(".tkf-opener").evaluate_all("all => all.map(button => button.dataset.name)")
    for name in (*openers, "columns"):
        shown.click(name)
        shown.stage.pump()
        assert shown.page.evaluate(OVERFLOWS) == [], name
        shown.stage.press("Escape")


def test_a_narrow_panel_does_not_scroll_sideways(stage: Stage, account: tkf.Client) -> None:
    """In a window of 420 pixels forms and plans fit, also with rows listed."""
    shown = Shown(sized(stage, 420), tkf.explore("checkpoints", account))
    for name in ("retire", "set_ttl", "export", "delete"):
        shown.act(name)
        assert shown.page.evaluate(OVERFLOWS) == [], name
        if name != "delete":
            shown.answer("close")
    shown.stage.click(shown.find(".tkf-action-panel .tkf-held").first)
    shown.stage.until(lambda: shown.find(".tkf-listed").count())
    assert shown.page.evaluate(OVERFLOWS) == []


def test_pictures_stand_beside_or_below(shown: Shown) -> None:
    """With room the pictures are to the right of the rows, without it below them."""
    boxes = "root => ['.tkf-grid', '.tkf-charts'].map(name => root.querySelector(name).getBoundingClientRect()).map(box => [box.right, box.bottom])"
    shown.stage.until(lambda: shown.find(".tkf-chart").count() == 3)
    for width, axis in ((1200, 0), (600, 1)):
        sized(shown.stage, width)
        grid, pictures = shown.root.evaluate(boxes)
        assert pictures[axis] > grid[axis]
        assert pictures[1 - axis] <= grid[1 - axis] + 1


# ---- what a screen reader is told


def test_every_control_has_a_name(stage: Stage, inventory: pd.DataFrame, account: tkf.Client) -> None:
    """Every button, box, header, dialog and region in the accessibility tree has a name, whatever popover is open."""
    shown = Shown(stage, tkf.explore(inventory.head(5), account))
    shown.stage.until(lambda: shown.find(".tkf-column").count())
    assert nameless(shown) == []
    for name in ("model", "created", "expires", "size", "metadata", "columns"):
        shown.click(name)
        assert nameless(shown) == [], name
        shown.stage.press("Escape")


def test_every_control_of_the_panel_has_a_name(stage: Stage, server: DemoServer, client: tkf.Client) -> None:
    """Forms, plans, progress and outcomes have names for all controls as well."""
    shown = Shown(stage, tkf.explore(client.inventory().tail(5), client))
    for name in ("retire", "set_ttl", "export", "delete"):
        shown.act(name)
        assert nameless(shown) == [], name
        shown.answer("close")
    shown.act("expire")
    server.faults.write_latency = 0.2
    shown.stage.click(shown.inside("run"))
    shown.stage.until(lambda: shown.find(".tkf-progress").count())
    assert nameless(shown) == []
    shown.stage.click(shown.inside("cancel"))
    server.faults.clear()
    shown.over()
    assert nameless(shown) == []


def test_the_grid_is_a_grid(shown: Shown) -> None:
    """Roles, counts, places and states of rows and headers are those of a grid that shows a part of its rows."""
    shown.stage.click(shown.head("time"))
    shown.sees(shown.sorts, {"time": "▲"})
    shown.stage.click(shown.cell(3, "name"))
    shown.sees(shown.selected, [3])
    found = tree(shown)
    roles = [role for role, _, _ in found]
    assert (roles.count("grid"), roles.count("columnheader")) == (1, len(shown.columns()) + 2)
    assert roles.count("row") == len(shown.drawn()) + 1
    assert roles.count("gridcell") == len(shown.drawn()) * (len(shown.columns()) + 2)
    grid = shown.grid
    assert (grid.get_attribute("aria-rowcount"), grid.get_attribute("aria-multiselectable")) == ("583", "true")
    assert [shown.row(place).get_attribute("aria-rowindex") for place in (0, 3)] == ["2", "5"]
    assert [shown.row(place).get_attribute("aria-selected") for place in (0, 3)] == ["false", "true"]
    assert shown.head("time").get_attribute("aria-sort") == "ascending"
    assert shown.head("name").get_attribute("aria-sort") == "none"


def test_the_active_cell_is_there(shown: Shown) -> None:
    """Wherever the keys lead, what `aria-activedescendant` names is in the page and marked."""
    shown.grid.focus()
    active = (
        "grid => document.getElementById(grid.getAttribute('aria-activedescendant'))?.classList.contains('tkf-cursor')"
    )
    for key in (
        "ArrowDown",
        "End",
        "Control+End",
        "ArrowUp",
        "PageUp",
        "Home",
        "Control+Home",
        "ArrowUp",
        "ArrowRight",
    ):
        shown.press(key)
        assert shown.grid.evaluate(active), key


def test_what_happens_is_announced(shown: Shown) -> None:
    """Counts, the selection and notes are live regions; errors are alerts."""
    live = shown.root.evaluate(
        "root => [...root.querySelectorAll('[role=status], [role=alert]')].map(part => part.className.split(' ')[0])"
    )
    assert {"tkf-count", "tkf-note-text", "tkf-selected-count", "tkf-error"} <= set(live)
