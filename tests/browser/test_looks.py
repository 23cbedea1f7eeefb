"""The appearance of a view in a real page: contrast in light and dark, narrow windows, and the accessibility tree."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import tinker_frames as tkf

from .view_page import ViewPage

if TYPE_CHECKING:
    import pandas as pd

    from tinker_frames.demo import DemoServer

    from .widget_host import WidgetHost

pytestmark = pytest.mark.browser

# Every visible text with its contrast to the background; a canvas blends the colours as the browser does.
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


def resize(host: WidgetHost, width: int) -> WidgetHost:
    """Return the host after resizing its window to this width."""
    host.page.set_viewport_size({"width": width, "height": 800})
    return host


def find_low_contrast(view: ViewPage) -> list[Any]:
    """Return the texts with a low contrast, in light and in dark mode."""
    found = []
    for scheme in ("light", "dark"):
        view.page.emulate_media(color_scheme=scheme)
        view.host.settle()
        found += [(scheme, *text) for text in view.root.evaluate(CONTRASTS) if text[2] < 4.5]
    return found


def read_accessibility_tree(view: ViewPage) -> list[tuple[str, str, dict[str, Any]]]:
    """Return role, name and properties of every node of the accessibility tree."""
    session = view.page.context.new_cdp_session(view.page)
    nodes = [node for node in session.send("Accessibility.getFullAXTree")["nodes"] if not node["ignored"]]
    return [
        (
            node["role"]["value"],
            node.get("name", {}).get("value", ""),
            {entry["name"]: entry["value"].get("value") for entry in node.get("properties", [])},
        )
        for node in nodes
    ]


def find_nameless(view: ViewPage) -> list[Any]:
    """Return the controls without an accessible name."""
    view.host.settle()
    found = read_accessibility_tree(view)
    assert sum(role in CONTROLS for role, _, _ in found) > 10
    return [(role, properties) for role, name, properties in found if role in NAMED and not name.strip()]


# ---- colours


def test_a_view_is_dark_where_the_page_is(view: ViewPage) -> None:
    """A page that says it is light, as marimo does, has a light view, whatever the browser prefers; the view follows when it changes."""
    looks = "view => getComputedStyle(view).colorScheme === 'dark'"
    for preferred, said, expected in [("dark", "", True), ("dark", "light", False), ("light", "dark", True), ("light", "", False)]:  # fmt: skip
        view.page.emulate_media(color_scheme=preferred)
        view.page.evaluate("said => { document.documentElement.style.colorScheme = said }", said)
        view.wait_for(lambda: view.find(".tkf").first.evaluate(looks), expected)


def test_texts_can_be_read(host: WidgetHost, account: tkf.Client) -> None:
    """Every text of rows (selected, public, expiring), filters, charts, an error and a banner has a contrast of 4.5."""
    frame = account.inventory()
    frame.attrs["tinker"] = frame.attrs["tinker"] | {"complete": False, "total": 600}
    view = ViewPage(resize(host, 1300), tkf.explore(frame, account))
    view.widget.filters = {
        "query": "public or expires_in_days < 9 or public.isna() or expires_at.isna()",
        "size": [0, None],
    }
    view.widget.sort = ["-public", "expires_at"]
    view.wait_for(view.sorts, {"public": "▼1", "expires_at": "▲2"})
    view.host.wait_until(lambda: view.find(".tkf-bar-row").count() > 3)
    view.host.click(view.check(1))
    view.widget.filters = view.widget.filters | {"step": [10**9, None]}
    view.wait_for_text(view.selection, "1 not in this view")
    assert find_low_contrast(view) == []
    view.click("off step")
    view.host.click(view.row(2).locator("[data-copy]"))
    view.type("query", " >")
    view.host.wait_until(lambda: view.find(".tkf-bar .tkf-error").inner_text())
    assert find_low_contrast(view) == []


def test_popovers_can_be_read(view: ViewPage) -> None:
    """Labels, counts and quick picks of every popover have a contrast of 4.5."""
    view.widget.filters = {"created": {"older_than": 30}, "model": ["Qwen/Qwen3-8B"]}
    for name in ("model", "created", "size", "metadata", "columns"):
        view.click(name)
        assert find_low_contrast(view) == [], name
        view.host.press("Escape")


def test_the_panel_can_be_read(host: WidgetHost, server: DemoServer, client: tkf.Client) -> None:
    """An action's form, its plan with held and listed rows, and failed outcomes have a contrast of 4.5."""
    view = ViewPage(host, tkf.explore("checkpoints", client))
    view.select_matching()
    for name in ("retire", "set_ttl", "export"):
        view.click_and_wait(name)
        assert find_low_contrast(view) == []
        view.answer_panel("close")
    view.click_and_wait("delete")
    view.host.click(view.find(".tkf-action-panel .tkf-held").first)
    view.host.fill(view.panel_control("typed"), view.panel_control("run").inner_text().split()[-1])
    assert find_low_contrast(view) == []
    view.answer_panel("close")
    server.faults.missing = ("publish_checkpoint",)
    view.widget.selected = view.widget.frame.query("not public").head(2)
    view.click_and_wait("publish")
    view.answer_panel("run")
    view.wait_for_text(view.panel, "failed")
    assert find_low_contrast(view) == []


def test_what_has_the_focus_is_seen(view: ViewPage) -> None:
    """Every kind of control shows an outline when it has the focus."""
    view.widget.filters = {"size": [0, None]}
    view.host.wait_until(lambda: view.find(".tkf-picture svg").count())
    view.select_matching()
    view.host.press("Tab")
    outline = "control => { control.focus(); const style = getComputedStyle(control); return style.outlineStyle + parseFloat(style.outlineWidth); }"
    for name in (
        "input",
        ".tkf-chip-text",
        ".tkf-button",
        ".tkf-action.tkf-main",
        ".tkf-grid",
        ".tkf-bar-row",
        ".tkf-picture svg",
    ):
        assert view.find(name).first.evaluate(outline) == "solid2", name


# ---- layout


@pytest.mark.parametrize("table", ["checkpoints", "training_runs", "sessions"])
def test_narrow_windows_do_not_scroll_sideways(host: WidgetHost, account: tkf.Client, table: str) -> None:
    """In a window of 420 pixels only the rows are wider than the window, whichever popover is open."""
    view = ViewPage(resize(host, 420), tkf.explore(table, account))
    view.host.wait_until(lambda: view.find(".tkf-chart").count() >= 3)
    assert view.page.evaluate(OVERFLOWS) == []
    view.click("query-switch", "add")
    openers = view.find(".tkf-menu-item").evaluate_all("all => all.map(button => button.dataset.name.slice(4))")
    view.host.press("Escape")
    for name in (*openers, "columns"):
        view.click(name)
        view.host.pump()
        assert view.page.evaluate(OVERFLOWS) == [], name
        view.host.press("Escape")


def test_a_narrow_panel_does_not_scroll_sideways(host: WidgetHost, account: tkf.Client) -> None:
    """In a window of 420 pixels forms and plans fit, also with rows listed."""
    view = ViewPage(resize(host, 420), tkf.explore("checkpoints", account))
    view.select_matching()
    for name in ("retire", "set_ttl", "export", "delete"):
        view.click_and_wait(name)
        assert view.page.evaluate(OVERFLOWS) == [], name
        if name != "delete":
            view.answer_panel("close")
    view.host.click(view.find(".tkf-action-panel .tkf-held").first)
    view.host.wait_until(lambda: view.find(".tkf-listed").count())
    assert view.page.evaluate(OVERFLOWS) == []


def test_pictures_stand_beside_or_below(view: ViewPage) -> None:
    """The charts are to the right of the rows if there is room, and below them otherwise."""
    boxes = "root => ['.tkf-grid', '.tkf-charts'].map(name => root.querySelector(name).getBoundingClientRect()).map(box => [box.right, box.bottom])"
    view.host.wait_until(lambda: view.find(".tkf-chart").count() == 6)
    for width, axis in ((1700, 0), (1200, 1), (600, 1)):
        resize(view.host, width)
        grid, pictures = view.root.evaluate(boxes)
        assert pictures[axis] > grid[axis]
        assert pictures[1 - axis] <= grid[1 - axis] + 1


def test_no_chart_is_left_alone_in_its_row(host: WidgetHost, inventory: pd.DataFrame, account: tkf.Client) -> None:
    """Whatever the width, the last row of charts has several, or one that is as wide as the row; pictures are as wide as their figures."""
    runs = inventory["training_run_id"].value_counts().index[:5]
    view = ViewPage(host, tkf.explore(inventory[inventory["training_run_id"].isin(runs)], account))
    view.host.wait_until(lambda: view.find(".tkf-chart").count() == 7)
    sizes = """root => [...root.querySelectorAll('.tkf-chart')].map(figure => {
      const { top, width } = figure.getBoundingClientRect();
      const picture = figure.querySelector('.tkf-picture svg');
      return [Math.round(top), width, picture ? figure.clientWidth - picture.getBoundingClientRect().width : 22];
    })"""
    for width in (640, 760, 930, 1000, 1100, 1180, 1250, 1400, 1520):
        resize(view.host, width)
        view.host.settle()
        found = view.root.evaluate(sizes)
        last = [size for size in found if size[0] == found[-1][0]]
        assert len(last) > 1 or last[0][1] >= view.find(".tkf-charts").evaluate("charts => charts.clientWidth") - 1, (
            width
        )
        assert {size[2] for size in found} == {22}, width


# ---- accessibility


def test_every_control_has_a_name(host: WidgetHost, inventory: pd.DataFrame, account: tkf.Client) -> None:
    """Every button, box, header, dialog and region in the accessibility tree has a name, whichever popover is open."""
    view = ViewPage(host, tkf.explore(inventory.head(5), account))
    view.host.wait_until(lambda: view.find(".tkf-picture svg").count())
    assert find_nameless(view) == []
    for name in ("model", "created", "expires", "size", "metadata", "columns"):
        view.click(name)
        assert find_nameless(view) == [], name
        view.host.press("Escape")


def test_every_control_of_the_panel_has_a_name(host: WidgetHost, server: DemoServer, client: tkf.Client) -> None:
    """All controls of forms, plans, progress and outcomes have names."""
    view = ViewPage(host, tkf.explore(client.inventory().tail(5), client))
    view.select_matching()
    for name in ("retire", "set_ttl", "export", "delete"):
        view.click_and_wait(name)
        assert find_nameless(view) == [], name
        view.answer_panel("close")
    view.click_and_wait("expire")
    server.faults.write_latency = 0.2
    view.host.click(view.panel_control("run"))
    view.host.wait_until(lambda: view.find(".tkf-progress").count())
    assert find_nameless(view) == []
    view.host.click(view.panel_control("cancel"))
    server.faults.clear()
    view.wait_until_idle()
    assert find_nameless(view) == []


def test_the_grid_is_a_grid(view: ViewPage) -> None:
    """Rows, headers and summaries have the roles, counts, positions, names and states of a grid that shows a part of its rows."""
    view.host.click(view.header("time"))
    view.wait_for(view.sorts, {"time": "▲"})
    view.host.click(view.check(3))
    view.wait_for(view.selected, [3])
    found = read_accessibility_tree(view)
    roles = [role for role, _, _ in found]
    assert (roles.count("grid"), roles.count("columnheader")) == (1, len(view.columns()) + 1)
    assert {name for role, name, _ in found if role == "columnheader"} == {*view.columns(), "select all 582 that match"}
    assert roles.count("row") == len(view.drawn_rows()) + 2
    assert roles.count("gridcell") == len(view.drawn_rows()) * (len(view.columns()) + 2) + len(view.columns()) + 1
    grid = view.grid
    assert (grid.get_attribute("aria-rowcount"), grid.get_attribute("aria-multiselectable")) == ("583", "true")
    assert [view.row(place).get_attribute("aria-rowindex") for place in (0, 3)] == ["2", "5"]
    assert [view.row(place).get_attribute("aria-selected") for place in (0, 3)] == ["false", "true"]
    assert view.header("time").get_attribute("aria-sort") == "ascending"
    assert view.header("name").get_attribute("aria-sort") == "none"


def test_the_active_cell_is_there(view: ViewPage) -> None:
    """The element named by `aria-activedescendant` always exists and is marked."""
    view.grid.focus()
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
        view.press(key)
        assert view.grid.evaluate(active), key


def test_what_happens_is_announced(view: ViewPage) -> None:
    """Counts, the selection and notes are live regions; errors are alerts."""
    live = view.root.evaluate(
        "root => [...root.querySelectorAll('[role=status], [role=alert]')].map(part => part.className.split(' ')[0])"
    )
    assert {"tkf-count", "tkf-note-text", "tkf-selected-count", "tkf-error"} <= set(live)
