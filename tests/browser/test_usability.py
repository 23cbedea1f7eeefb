"""Using a view in JupyterLab: large, dark, narrow, with the keyboard alone, and isolated from the notebook's shortcuts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from typing import TYPE_CHECKING

import pytest

from tinker_frames.demo import Burst

from .notebook_view import CELL, NotebookView, UserInput, checkpoints, environment, open_view

if TYPE_CHECKING:
    from tinker_frames.demo import DemoServer

    from .lab import Lab

pytestmark = pytest.mark.browser

# Every visible element with its own text, and the contrast of its colour to its background.
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
# Focus an element of a kind not seen before and return its kind; inputs come last, since typing changes the rest.
ANOTHER = """(root, known) => {
  const kind = (element) => [element.tagName, element.getAttribute("type"), element.getAttribute("class")].join(" ");
  const all = [...root.querySelectorAll("button:enabled, input:enabled, [tabindex='0']")];
  const found = all.filter((element) => element.checkVisibility({ visibilityProperty: true }) && !known.includes(kind(element)));
  const next = found.find((element) => !element.matches("input")) ?? found[0];
  next?.focus();
  return next ? kind(document.activeElement) : "";
}"""
NOTEBOOK_KEYS = ("d", "d", "x", "a", "b", "m", "y", "Shift+M", "0", "0")
SUPPRESSED = "document.activeElement.dataset.lmSuppressShortcuts === 'true'"
CELLS = "panel => panel.content.model.sharedModel.cells.map(cell => [cell.cell_type, cell.id, cell.source])"


# ---- colours and layout


def open_every_part(view: NotebookView) -> Iterator[str]:
    """Step through the parts of a view: filters, a form, a plan, outcomes."""
    yield "at first"
    view.click("public", "option private")
    view.wait_for(view.chips, ["Public: private"])
    yield "filter"
    view.user_input.press("Escape")
    view.user_input.click(view.check(0))
    view.wait_for_text(view.selection, "1 selected")
    view.begin("retire")
    yield "question"
    view.user_input.click(view.panel_control("close"))
    view.select_matching()
    view.begin("delete")
    view.user_input.click(view.find(".tkf-group").last)
    view.find(".tkf-listed").wait_for()
    yield "plan"
    view.user_input.click(view.panel_control("close"))
    view.begin("publish")
    view.type_number()
    view.continue_action("run")
    yield "outcomes"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_colours_are_those_of_the_theme_and_every_text_can_be_read(lab: Lab, server: DemoServer, theme: str) -> None:
    """The view follows the notebook's theme, also when it changes, and every text has a contrast of at least 4.5."""
    server.faults.bursts.append(Burst("publish_checkpoint", 403, times=3))
    with open_view(lab, server) as view, lab.dark() if theme == "dark" else nullcontext():
        back = view.root.evaluate("root => getComputedStyle(root).backgroundColor")
        assert back == view.root.evaluate(PAINT, "--jp-layout-color1")
        assert (sum(map(int, back[4:-1].split(", "))) < 200) is (theme == "dark")
        for host in open_every_part(view):
            faint = [f"{text} ({ratio:.2f})" for text, ratio in view.root.evaluate(CONTRASTS) if ratio < 4.5]
            assert not faint, host


# ---- keys


def tab_to(view: NotebookView, name: str, key: str = "Tab") -> None:
    """Press Tab until a control has the focus."""
    for _ in range(60):
        if view.active() == name:
            return
        view.user_input.press(key)
    raise AssertionError(f"{name} is not reached with {key}; the focus is on {view.active()!r}")


def test_all_of_it_with_the_keyboard_alone(lab: Lab, server: DemoServer) -> None:
    """Running the cell, searching, selecting rows, expiring them and undoing it work without the mouse."""
    before = {path: row.expires_at for path, row in checkpoints(server).items()}
    with lab.notebook([CELL, "1"], env=environment(server)) as notebook:
        user_input = UserInput(notebook)
        notebook.select(0)
        user_input.press("Control+Enter")
        view = NotebookView(notebook, user_input=user_input)
        tab_to(view, "text")
        user_input.write("step-")
        view.wait_for_text(view.counts, f"{sum('step-' in path for path in before)} of ")
        tab_to(view, "tkf-grid")
        user_input.press("ArrowDown", *["Shift+ArrowDown"] * 3)
        view.wait_for(view.selected, [1, 2, 3, 4])
        selected = {row.key for row in view.rows() if row.selected}
        tab_to(view, "expire", "Shift+Tab")
        tab_to(view, "set_ttl", "ArrowRight")
        user_input.press("Enter")
        view.wait_for(view.active, "ttl")
        tab_to(view, "never", "Tab")
        tab_to(view, "ttl", "Shift+Tab")
        user_input.write("2d")
        user_input.press("Enter")
        view.wait_for(view.active, "run")
        user_input.press("Enter")
        view.user_input.wait_until(view.outcomes)
        view.wait_until_idle()
        changed = {path for path, row in checkpoints(server).items() if row.expires_at != before[path]}
        assert changed <= selected
        assert 0 < len(changed) == view.outcomes()["done"]
        tab_to(view, "undo", "Shift+Tab")
        user_input.press("Space")
        view.wait_for_text(view.panel, "Undo:")
        user_input.press("Escape")
        view.wait_for(view.panel, "")
        assert user_input.clicks == 0


def test_no_key_of_the_notebook_works_in_the_view(lab: Lab, server: DemoServer) -> None:
    """While any kind of control has the focus, d,d deletes no cell and no other notebook shortcut works; outside the view they do."""
    known: list[str] = []
    with open_view(lab, server, "1", "2") as view:
        before = view.notebook.ask(CELLS)

        def tried() -> None:
            while kind := view.root.evaluate(ANOTHER, known):
                assert kind not in known, "it does not take the focus"
                known.append(kind)
                assert view.page.evaluate(SUPPRESSED), f"a notebook that listens before the view does, hears {kind}"
                view.user_input.press(*NOTEBOOK_KEYS)
                assert view.notebook.ask(CELLS) == before, kind

        tried()
        view.click("reset")
        for name in ("model", "created", "size", "metadata", "columns"):
            view.click(name)
            view.find(".tkf-popover :is(input, button)").first.wait_for()
            tried()
            view.user_input.press("Escape")
        view.click("reset")
        view.user_input.click(view.row(0).locator("[data-open]").first)
        view.find(".tkf-back").wait_for()
        tried()
        view.click("back 0")
        view.find(".tkf-back").wait_for(state="detached")  # until then, the button selects the rows of the opened table
        view.select_matching()
        for action in ("set_ttl", "retire", "export", "delete"):
            view.begin(action)
            if action == "delete":
                view.user_input.click(view.find(".tkf-group").first)
                view.find(".tkf-listed").wait_for()
            tried()
            view.user_input.click(view.panel_control("close"))
        assert len(known) > 20
        view.notebook.select(1)
        view.user_input.press("d", "d")
        assert view.notebook.cells == 2
