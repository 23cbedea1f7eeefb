"""What it is like to use a view in JupyterLab: large, dark, narrow, with the keyboard alone, and safe from the notebook's own keys."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from typing import TYPE_CHECKING

import pytest

from tinker_frames.demo import Burst

from .visit import CELL, Hands, Visit, checkpoints, environment, exploring

if TYPE_CHECKING:
    from tinker_frames.demo import DemoServer

    from .lab import Lab

pytestmark = pytest.mark.browser

# Everything that is seen and has a text of its own, with the contrast of its colour to what is painted behind it.
CONTRASTS = """root => {
  const paper = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const painted = (colours) => {
    for (const colour of ["white", ...colours]) {
      paper.fillStyle = colour;
      paper.fillRect(0, 0, 1, 1);
    }
    return [...paper.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const luminance = (rgb) => {
    const [r, g, b] = rgb.map((part) => part / 255).map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => (element ? [...behind(element.parentElement), getComputedStyle(element).backgroundColor] : []);
  const own = (element) => [...element.childNodes].filter((node) => node.nodeType === 3).map((node) => node.data).join("").trim();
  return [...root.querySelectorAll("*")].filter((element) => own(element) && element.checkVisibility() && !element.disabled).map((element) => {
    const back = behind(element);
    const [low, high] = [painted(back), painted([...back, getComputedStyle(element).color])].map(luminance).sort((a, b) => a - b);
    return [`${element.getAttribute("class")}: ${own(element)}`, (high + 0.05) / (low + 0.05)];
  });
}"""
PAINT = "(root, name) => { root.style.setProperty('outline-color', `var(${name})`); return getComputedStyle(root).outlineColor; }"
# Gives the focus to an element of a kind that is not known yet, and returns its kind; inputs last, since typing changes the rest.
ANOTHER = """(root, known) => {
  const kind = (element) => [element.tagName, element.getAttribute("type"), element.getAttribute("class")].join(" ");
  const all = [...root.querySelectorAll("button:enabled, input:enabled, [tabindex='0']")];
  const found = all.filter((element) => element.checkVisibility() && !known.includes(kind(element)));
  const next = found.find((element) => !element.matches("input")) ?? found[0];
  next?.focus();
  return next ? kind(document.activeElement) : "";
}"""
NOTEBOOK_KEYS = ("d", "d", "x", "a", "b", "m", "y", "Shift+M", "0", "0")
SUPPRESSED = "document.activeElement.dataset.lmSuppressShortcuts === 'true'"
CELLS = "panel => panel.content.model.sharedModel.cells.map(cell => [cell.cell_type, cell.id, cell.source])"


# ---- colours and room


def stages(visit: Visit) -> Iterator[str]:
    """Go through all that can be seen of a view: filters, a question, a plan, outcomes."""
    yield "at first"
    visit.click("public", "option private")
    visit.sees(visit.chips, ["Public: private"])
    yield "filter"
    visit.hands.press("Escape")
    visit.hands.click(visit.cell(0, "name"))
    visit.says(visit.selection, "1 selected")
    visit.begin("retire")
    yield "question"
    visit.hands.click(visit.on_panel("close"))
    visit.click("none")
    visit.begin("delete")
    visit.hands.click(visit.find(".tkf-group").last)
    visit.find(".tkf-listed").wait_for()
    yield "plan"
    visit.hands.click(visit.on_panel("close"))
    visit.begin("publish")
    visit.type_number()
    visit.go_on("run")
    yield "outcomes"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_colours_are_those_of_the_theme_and_every_text_can_be_read(lab: Lab, server: DemoServer, theme: str) -> None:
    """The view stands on the notebook's own colour, also when the theme changes, and each text has a contrast of 4.5 or more."""
    server.faults.bursts.append(Burst("publish_checkpoint", 403, times=3))
    with exploring(lab, server) as visit, lab.dark() if theme == "dark" else nullcontext():
        back = visit.root.evaluate("root => getComputedStyle(root).backgroundColor")
        assert back == visit.root.evaluate(PAINT, "--jp-layout-color1")
        assert (sum(map(int, back[4:-1].split(", "))) < 200) is (theme == "dark")
        for stage in stages(visit):
            faint = [f"{text} ({ratio:.2f})" for text, ratio in visit.root.evaluate(CONTRASTS) if ratio < 4.5]
            assert not faint, stage


# ---- keys


def tab_to(visit: Visit, name: str, key: str = "Tab") -> None:
    """Press Tab until a control has the focus."""
    for _ in range(60):
        if visit.active() == name:
            return
        visit.hands.press(key)
    raise AssertionError(f"{name} is not reached with {key}; the focus is on {visit.active()!r}")


def test_all_of_it_with_the_keyboard_alone(lab: Lab, server: DemoServer) -> None:
    """Run the cell, go into the view, search, select rows, let them expire and take it back: without the mouse."""
    before = {path: row.expires_at for path, row in checkpoints(server).items()}
    with lab.notebook([CELL, "1"], env=environment(server)) as notebook:
        hands = Hands(notebook)
        notebook.select(0)
        hands.press("Control+Enter")
        visit = Visit(notebook, hands=hands)
        tab_to(visit, "text")
        hands.write("step-")
        visit.says(visit.counts, f"{sum('step-' in path for path in before)} of ")
        tab_to(visit, "tkf-grid")
        hands.press("ArrowDown", *["Shift+ArrowDown"] * 3)
        visit.sees(visit.selected, [1, 2, 3, 4])
        selected = {row.key for row in visit.rows() if row.selected}
        tab_to(visit, "set_ttl", "Shift+Tab")
        hands.press("Enter")
        visit.sees(visit.active, "ttl")
        tab_to(visit, "never", "Tab")
        tab_to(visit, "ttl", "Shift+Tab")
        hands.write("2d")
        hands.press("Enter")
        visit.sees(visit.active, "run")
        hands.press("Enter")
        visit.hands.until(visit.outcomes)
        visit.over()
        changed = {path for path, row in checkpoints(server).items() if row.expires_at != before[path]}
        assert changed <= selected
        assert 0 < len(changed) == visit.outcomes()["done"]
        tab_to(visit, "undo", "Shift+Tab")
        hands.press("Space")
        visit.says(visit.panel, "Undo:")
        hands.press("Escape")
        visit.sees(visit.panel, "")
        assert hands.clicks == 0


def test_no_key_of_the_notebook_works_in_the_view(lab: Lab, server: DemoServer) -> None:
    """With the focus on any kind of control d,d deletes no cell, and no other key of the notebook does what it does; outside they do."""
    known: list[str] = []
    with exploring(lab, server, "1", "2") as visit:
        before = visit.notebook.ask(CELLS)

        def tried() -> None:
            while kind := visit.root.evaluate(ANOTHER, known):
                assert kind not in known, "it does not take the focus"
                known.append(kind)
                assert visit.page.evaluate(SUPPRESSED), f"a notebook that listens before the view does, hears {kind}"
                visit.hands.press(*NOTEBOOK_KEYS)
                assert visit.notebook.ask(CELLS) == before, kind

        tried()
        visit.click("reset")
        for name in ("model", "created", "size", "metadata", "columns"):
            visit.click(name)
            visit.find(".tkf-popover :is(input, button)").first.wait_for()
            tried()
            visit.hands.press("Escape")
        visit.click("reset")
        visit.hands.click(visit.row(0).locator("[data-open]").first)
        visit.find(".tkf-back").wait_for()
        tried()
        visit.click("back 0")
        for action in ("set_ttl", "retire", "export", "delete"):
            visit.begin(action)
            if action == "delete":
                visit.hands.click(visit.find(".tkf-group").first)
                visit.find(".tkf-listed").wait_for()
            tried()
            visit.hands.click(visit.on_panel("close"))
        assert len(known) > 20
        visit.notebook.select(1)
        visit.hands.press("d", "d")
        assert visit.notebook.cells == 2
