"""A view in its notebook: next to other cells and views, after its kernel is gone, and in the saved and exported file."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from .chromium import block_external
from .lab import LOST
from .notebook_view import NotebookView, checkpoints, open_view

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from tinker_frames.demo import DemoServer

    from .lab import Lab

pytestmark = pytest.mark.browser

SAME = "print([list(made[name]['tinker_path']) == list(getattr(view, name)['tinker_path']) for name in ('frame', 'filtered', 'selected')])"
OPEN = "from tinker_frames.views.lifetime import find_open_widgets"
TABLE = "[data-tkf-static] table"
GONE = "The kernel of this view is gone. Run this cell again."
# Would run if any of it were interpreted as HTML.
NASTY = (
    "<img src=x onerror='window.ran = 1'>",
    '"><svg onload="window.ran = 1">',
    "</td></tr></table><script>window.ran = 1</script>",
    "<style>* { display: none }</style>",
    "<iframe srcdoc='<script>parent.ran = 1</script>'></iframe>",
    "{{constructor.constructor('window.ran = 1')()}} ${window.ran = 1}",
    "\u202e\x1b[31m<b onmouseover='window.ran = 1'>bold",
)
FOREIGN = "root => [...root.querySelectorAll('img, script, iframe, style, b, svg[onload], [onerror], [onmouseover]')].map(e => e.outerHTML)"


# ---- with other cells


def test_what_is_clicked_is_read_in_the_next_cell(lab: Lab, server: DemoServer) -> None:
    """The browser's filter, order and selection are those of the frames, and the view's code makes the same frames."""
    with open_view(lab, server) as view:
        view.click("public", "option private")
        view.type("text", "step")
        view.user_input.click(view.header("size_gb"))
        view.wait_for(view.sorts, {"size_gb": "▲"})
        view.user_input.click(view.header("size_gb"))
        view.wait_for(view.sorts, {"size_gb": "▼"})
        view.wait_for(view.chips, ["Public: private"])
        view.user_input.click(view.check(1))
        view.user_input.click(view.check(4), modifiers=["Shift"])
        view.wait_for_text(view.selection, "4 selected")
        keys = view.keys()
        assert view.python(f"print(list(view.filtered['tinker_path'][:{len(keys)}]) == {keys})") == "True"
        assert view.python(f"print(list(view.selected['tinker_path']) == {keys[1:5]})") == "True"
        assert view.python(f"made = {{}}; exec(view.code(), made)\n{SAME}") == "[True, True, True]"


def test_a_view_lives_in_a_box(lab: Lab, server: DemoServer) -> None:
    """A view inside another widget shows its rows and filters."""
    cell = "import ipywidgets, tinker_frames as tkf\nview = tkf.explore()\nipywidgets.VBox([view])"
    with open_view(lab, server, cell=cell) as view:
        view.search("final", sum("final" in path for path in checkpoints(server)))
        assert all("final" in row.key for row in view.rows())


def test_an_action_goes_on_while_another_cell_is_busy(lab: Lab, server: DemoServer) -> None:
    """An action started while a cell blocks the kernel is planned, run and shown, and the view does not report a dead kernel."""
    busy = "import time, os\nwhile not os.path.exists('enough'): time.sleep(0.01)\n'over'"
    with open_view(lab, server, busy) as view:
        view.notebook.select(1)
        view.user_input.press("Control+Enter")
        view.search("final", sum("final" in path for path in checkpoints(server)))
        view.select_matching()
        view.begin("publish")
        view.type_number()
        view.continue_action("run")
        assert view.outcomes()["done"] == server.requests.count("publish_checkpoint") > 5
        assert view.notebook.ask("panel => panel.content.widgets[1].model.executionCount") is None, "it still is busy"
        assert view.note() == ""
        view.notebook.path.with_name("enough").touch()
        view.user_input.wait_until(lambda: view.notebook.text(1) == "'over'")


# ---- with other views


def test_one_view_in_two_cells_is_one(lab: Lab, server: DemoServer) -> None:
    """Two displays of a view share all changes but scroll independently, and neither shows its static table."""
    with open_view(lab, server, "view") as view:
        view.notebook.run(1)
        again = NotebookView(view.notebook, 1)
        again.scroll(28 * 10)
        view.user_input.click(view.check(12))
        again.wait_for(again.selected, [12])
        assert view.rows()[0].place == 0
        assert again.rows()[0].place == 10
        again.search("final", sum("final" in path for path in checkpoints(server)))
        view.wait_for_text(view.counts, f"{again.counts()}")
        view.wait_for(view.keys, again.keys())
        assert view.notebook.root.locator(f"{TABLE}:visible").count() == 0


def test_a_cell_that_is_run_again_ends_its_earlier_view(lab: Lab, server: DemoServer) -> None:
    """JupyterLab tells which cell is run: the view that it showed before is closed, though IPython keeps each as a result, and the new one is alive."""
    with open_view(lab, server, cell="import tinker_frames as tkf\ntkf.explore()") as view:
        for _ in range(2):
            view.notebook.run(0)
        fresh = NotebookView(view.notebook)
        fresh.search("final", sum("final" in path for path in checkpoints(server)))
        assert view.python(f"{OPEN}\nprint(len(list(find_open_widgets(tkf.CheckpointsView))))") == "1"


# ---- without its kernel


def test_a_view_whose_kernel_is_gone_says_so(lab: Lab, server: DemoServer) -> None:
    """After a restart the view says what to do, a click on it does not fail, and rerunning the cell shows a live view."""
    with open_view(lab, server) as view:
        view.notebook.restart()
        view.wait_for(view.note, GONE)
        view.click("public")
        view.user_input.click(view.header("time"))
        view.type("text", "final")
        assert view.note() == GONE
        view.notebook.run(0)
        fresh = NotebookView(view.notebook)
        fresh.search("final", sum("final" in path for path in checkpoints(server)))
        assert fresh.note() == ""


def test_a_saved_notebook_shows_its_first_rows_as_a_table(lab: Lab, server: DemoServer) -> None:
    """The static table is hidden while the view is live; opened with a new kernel, the notebook shows it with the first rows."""
    with open_view(lab, server) as view:
        view.type("text", "final")
        view.wait_for_text(view.counts, f"{sum('final' in path for path in checkpoints(server))} of ")
        names = view.python("print(*view.frame['name'][:20])").split()
        table = view.notebook.root.locator(TABLE)
        assert table.count() == 1
        assert not table.is_visible()
        view.notebook.reopen()
        again = view.notebook.output(0)
        again.locator(TABLE).wait_for()
        rows = again.locator(f"{TABLE} tbody tr")
        assert [cells.split("\t")[0] for cells in rows.all_inner_texts()] == names
        assert again.locator(".tkf").count() == 0
        assert "Run the cell to show the view" in again.inner_text()
        assert LOST not in again.inner_text(), "nothing is said to be lost below the table"


# ---- untrusted text


class Elements(HTMLParser):
    """Collects the names of the elements in HTML."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found = set[str]()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Record an element; only known attributes are allowed."""
        self.found |= {tag, *(f"@{name}" for name, _ in attrs if name not in ("style", "data-tkf-static"))}


def inject_html(server: DemoServer) -> None:
    """Put HTML into every text field of an account."""
    for text in NASTY:
        session = server.state.add_session(display_name=text, user_metadata={text: text})
        run = server.state.add_run(session, base_model=text, user_metadata={text: text})
        server.state.add_checkpoint(run, name=text.replace("/", "|"), user_metadata={text: text, "mark": "window.ran"})


@contextmanager
def open_export(notebook: Path, browser: Browser) -> Iterator[Page]:
    """Yield the page of the notebook's HTML export, without network access."""
    made = notebook.with_suffix(".html")
    command = [sys.executable, "-m", "nbconvert", "--to", "html", "--log-level", "ERROR", str(notebook)]
    subprocess.run(command, check=True, timeout=60, cwd=notebook.parent)
    with closing(browser.new_context()) as context:
        block_external(context, lambda _: None)
        page = context.new_page()
        page.goto(made.as_uri())
        yield page


def test_what_is_saved_and_exported_is_a_table_of_text(lab: Lab, server: DemoServer, browser: Browser) -> None:
    """The notebook file has a plain table with escaped text, and its HTML export shows it without a network."""
    inject_html(server)
    with open_view(lab, server) as view:
        html = "".join(view.notebook.save()["cells"][0]["outputs"][0]["data"]["text/html"])
        assert Elements(html).found == {"div", "style", "p", "table", "thead", "tbody", "tr", "th", "td"}
        with open_export(view.notebook.path, browser) as page:
            page.locator(TABLE).wait_for()
            assert NASTY[0] in page.locator(TABLE).inner_text()
            assert page.locator(TABLE).evaluate(FOREIGN) == []
            assert page.evaluate("window.ran") is None
