"""The view in JupyterLab: time to the first rows compared with quak, and the response times with 100,000 rows.

One JupyterLab and one kernel hold the frame; each round makes new widgets, in alternation. The time is taken in the page, from
the key or button press until the expected content is in the document and two more frames were painted.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from itertools import cycle
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from tests.browser.chromium import explain_missing, launch_browser
from tests.browser.lab import Notebook, serve_lab

from .rounds import Outcome, Result, Skipped, Times, ratio
from .server import ROWS_PER_RUN
from .setup import Setup

if TYPE_CHECKING:
    from playwright.sync_api import Locator

NAMES = ("view", "view_narrow", "view_filter", "view_sort", "view_bytes", "view_errors")
PREPARE = """
import tinker_frames as tkf
client = tkf.demo.account(runs={runs}, checkpoints={rows}, cache=False, hostile=True)
frame = client.inventory(progress=False)
assert len(frame) == {rows}
shown = tkf.explore(frame, client=client).columns
"""
FORGET = "import ipywidgets; ipywidgets.Widget.close_all(); get_ipython().displayhook.flush()"
CLEAR = "(panel, cell) => { panel.content.widgets[cell].model.outputs.clear(); }"
QUIET_MS = 300
PATIENCE_S = 10
TRIES = 5  # for a peer; quak 0.3.5 sometimes fails: current kernels call it from two threads, which DuckDB refuses
# The text of the first non-empty element, including elements in shadow roots (quak uses one).
FIRST_TEXT = """const first = (root, selector) => {
    for (const element of root.querySelectorAll(selector)) if (/\\w/.test(element.textContent)) return element.textContent;
    for (const { shadowRoot } of root.querySelectorAll("*")) {
      const text = shadowRoot && first(shadowRoot, selector);
      if (text) return text;
    }
    return "";
  };"""
TEXT = f"(panel, [cell, selector]) => {{ {FIRST_TEXT} return first(panel.content.widgets[cell].node, selector); }}"
CLOCK = f"""(panel, [cell, selector, before, event, patience]) => {{
  {FIRST_TEXT}
  let start;
  const begin = (pressed) => {{
    if (pressed.key === "Shift") return;
    start = pressed.timeStamp;
    window.removeEventListener(event, begin, true);
  }};
  window.addEventListener(event, begin, true);
  const seen = () => {{
    const text = start === undefined ? "" : first(panel.content.widgets[cell].node, selector);
    return text && text !== before;
  }};
  const frame = () => new Promise(requestAnimationFrame);
  const wait = async () => {{
    const latest = performance.now() + 1000 * patience;
    while (!seen()) {{
      if (performance.now() > latest) return [0, selector];
      await frame();
    }}
    await frame();
    await frame();
    return [(performance.now() - start) / 1000, ""];
  }};
  window.clock = wait();
}}"""


class UnseenError(Exception):
    """The expected content did not appear."""


@dataclass(frozen=True)
class Way:
    """A cell that shows the frame, and the selector of its rows."""

    cell: str
    rows: str


OURS = Way("tkf.explore(frame, client=client)", ".tkf-row:not(.tkf-absent)")
WAYS = {"ours": OURS}
if find_spec("quak") is not None:
    WAYS |= {
        "quak": Way("import quak; quak.Widget(frame)", "tbody tr"),
        "narrow": Way("import quak; quak.Widget(frame[shown])", "tbody tr"),
    }
NO_QUAK = Skipped("needs the browser extra: quak is not installed")


def view(setup: Setup) -> dict[str, Outcome]:
    """Measure the time to the first rows for our view and quak in alternating rounds, then our view's response times."""
    if reason := explain_missing(lab=True):
        return dict.fromkeys(NAMES, Skipped(f"needs the browser extra: {reason}"))
    with _opened(setup) as notebook:
        showing = Showing(notebook)
        times = showing.in_turn(setup.rounds, setup.warm_ups)
        acting = Acting(notebook)
        filtering, sorting = acting.filtering(2 * setup.rounds), acting.sorting(2 * setup.rounds)
        errors = [*showing.errors, *acting.errors]
    return {
        "view": showing.beside(times, "quak", "both are given all columns"),
        "view_narrow": showing.beside(times, "narrow", "quak is given fewer"),
        "view_filter": _seconds(filtering),
        "view_sort": _seconds(sorting),
        "view_bytes": showing.measure_megabytes(),
        "view_errors": Result(len(errors), note="; ".join(errors) or "none"),
    }


class Showing:
    """Rounds in which each implementation shows the frame, with the bytes received and the errors of our view."""

    def __init__(self, notebook: Notebook) -> None:
        self.notebook = notebook
        self.bytes = {name: list[int]() for name in WAYS}
        self.errors: list[str] = []
        self.failed = Counter[str]()

    def in_turn(self, rounds: int, warm_ups: int) -> Times:
        """Return the seconds of each implementation in the rounds that count."""
        times: Times = {name: [] for name in WAYS}
        for number in range(warm_ups + rounds):
            for cell, name in enumerate(WAYS):
                seconds = self._shown(cell, name)
                if number >= warm_ups:
                    times[name].append(seconds)
        return times

    def _shown(self, cell: int, name: str) -> float:
        """Show a frame; retry a peer that fails, and report its failures."""
        known = len(self.notebook.lab.problems)
        while True:
            try:
                return self._show(cell, name)
            except UnseenError:
                self.failed[name] += 1
                if name == "ours" or self.failed[name] == TRIES:
                    raise
            finally:
                if name == "ours":
                    self.errors += self.notebook.lab.problems[known:]

    def _show(self, cell: int, name: str) -> float:
        notebook = self.notebook
        notebook.ask(CLEAR, cell)
        notebook.execute(FORGET)
        notebook.select(cell)
        _quiet(notebook)
        before = notebook.received
        seconds = clocked(notebook, cell, WAYS[name].rows, "keydown", lambda: notebook.press("Shift+Enter"))
        _quiet(notebook)
        self.bytes[name].append(notebook.received - before)
        notebook.ask(CLEAR, cell)
        return seconds

    def beside(self, times: Times, name: str, note: str) -> Outcome:
        """Return our time divided by a peer's."""
        failed = f"; it failed {self.failed[name]} times and was asked again" if self.failed[name] else ""
        return ratio(times, "ours", name, note + failed) if name in times else NO_QUAK

    def measure_megabytes(self) -> Result:
        """Return the median of our megabytes, with quak's in the note."""
        found = {name: [sent / 1e6 for sent in counts] for name, counts in self.bytes.items()}
        describe_measurement = ", ".join(f"{name} {median(sent):.3g} MB" for name, sent in found.items())
        return Result(median(found["ours"]), min(found["ours"]), max(found["ours"]), describe_measurement)


class Acting:
    """One view in which the search is typed into and columns are sorted."""

    def __init__(self, notebook: Notebook) -> None:
        self.notebook, self.cell = notebook, list(WAYS).index("ours")
        self._known = len(notebook.lab.problems)
        notebook.select(self.cell)
        self._clocked(OURS.rows, "keydown", lambda: notebook.press("Shift+Enter"))

    @property
    def errors(self) -> list[str]:
        """The errors since the view was displayed."""
        return self.notebook.lab.problems[self._known :]

    def filtering(self, times: int) -> list[float]:
        """Return the seconds it takes to type one more digit after `step-00` in the search."""
        found = []
        for _, digit in zip(range(times), cycle("123"), strict=False):
            self._fill("step-00")
            found.append(self._clocked(".tkf-count", "keydown", partial(self.notebook.press, digit)))
        self._fill("")
        return found

    def sorting(self, times: int, column: str = "size_gb") -> list[float]:
        """Return the seconds it takes to click a column header, ascending and descending in turn."""
        header = self._output.locator(f'.tkf [role="columnheader"][data-column="{column}"]')
        return [self._clocked(OURS.rows, "pointerdown", header.click) for _ in range(times)]

    @property
    def _output(self) -> Locator:
        return self.notebook.output(self.cell)

    def _fill(self, text: str) -> None:
        search = self._output.locator(".tkf input[type=search]").first
        self._clocked(".tkf-count", "input", lambda: search.fill(text))
        search.press("End")

    def _clocked(self, selector: str, event: str, act: Callable[[], object]) -> float:
        seconds = clocked(self.notebook, self.cell, selector, event, act)
        _quiet(self.notebook)
        return seconds


def clocked(notebook: Notebook, cell: int, selector: str, event: str, act: Callable[[], object]) -> float:
    """Return the seconds from an event until the text of the cell's first matching element changes and is painted."""
    before = notebook.ask(TEXT, [cell, selector])
    notebook.ask(CLOCK, [cell, selector, before, event, PATIENCE_S])
    act()
    seconds, stayed = notebook.page.evaluate("window.clock")
    if stayed:
        shown, problems = notebook.output(cell).inner_text()[:500], notebook.problems
        raise UnseenError(f"nothing came for {stayed}; the cell shows {shown!r}, and there were {problems}")
    return float(seconds)


@contextmanager
def _opened(setup: Setup) -> Iterator[Notebook]:
    prepare = PREPARE.format(rows=setup.rows, runs=max(20, setup.rows // ROWS_PER_RUN))
    cells = [*(way.cell for way in WAYS.values()), "None"]  # Shift+Enter on the last cell would add another one
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        launch_browser() as browser,
        serve_lab(browser, Path(folder)) as lab,
        lab.notebook(cells, setup=prepare) as notebook,
    ):
        yield notebook
        lab.problems.clear()  # they are reported as a line of the table


def _quiet(notebook: Notebook) -> None:
    """Wait until no more bytes arrive, so that one widget's requests do not slow down the next."""
    before = -1
    while before != (before := notebook.received):
        notebook.page.wait_for_timeout(QUIET_MS)


def _seconds(found: list[float]) -> Result:
    return Result(median(found), min(found), max(found), f"median of {len(found)}")
