"""A view as a part of its notebook: among other cells, beside other views, after its kernel, in the saved and the exported file."""

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
from .notebook_view import NotebookView, checkpoints, open_view

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from tinker_frames.demo import DemoServer

    from .lab import Lab

pytestmark = pytest.mark.browser

SAME = "print([list(made[name]['tinker_path']) == list(getattr(view, name)['tinker_path']) for name in ('frame', 'filtered', 'selected')])"
TABLE = "[data-tkf-static] table"
GONE = "The kernel of this view is gone. Run this cell again."
# What would run if any of it were taken for HTML.
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


# ---- among other cells


def test_what_is_clicked_is_read_in_the_next_cell(lab: Lab, server: DemoServer) -> None:
    """Filter, order and selection of the browser are those of the frames, and the code of the view makes the same frames."""
    with open_view(lab, server) as view:
        view.click("public", "option private")
        view.type("text", "step")
        view.user_input.click(view.header("size_gb"))
        view.wait_for(view.sorts, {"size_gb": "▲"})
        view.user_input.click(view.header("size_gb"))
        view.wait_for(view.sorts, {"size_gb": "▼"})
        view.wait_for(view.chips, ["Public: private"])
        view.user_input.click(view.cell(1, "name"))
        view.user_input.click(view.cell(4, "name"), modifiers=["Shift"])
        view.wait_for_text(view.selection, "4 selected")
        keys = view.keys()
        assert view.python(f"print(list(view.filtered['tinker_path'][:{len(keys)}]) == {keys})") == "True"
        assert view.python(f"print(list(view.selected['tinker_path']) == {keys[1:5]})") == "True"
        assert view.python(f"made = {{}}; exec(view.code(), made)\n{SAME}") == "[True, True, True]"


def test_a_view_lives_in_a_box(lab: Lab, server: DemoServer) -> None:
    """Inside of another widget a view is the same: its rows are there, and a filter is heard."""
    cell = "import ipywidgets, tinker_frames as tkf\nview = tkf.explore()\nipywidgets.VBox([view])"
    with open_view(lab, server, cell=cell) as view:
        view.search("final", sum("final" in path for path in checkpoints(server)))
        assert all("final" in row.key for row in view.rows())


def test_an_action_goes_on_while_another_cell_is_busy(lab: Lab, server: DemoServer) -> None:
    """Begun while a cell keeps the kernel busy, an action is planned, carried out and shown, and nobody says the kernel is gone."""
    busy = "import time, os\nwhile not os.path.exists('enough'): time.sleep(0.01)\n'over'"
    with open_view(lab, server, busy) as view:
        view.notebook.select(1)
        view.user_input.press("Control+Enter")
        view.search("final", sum("final" in path for path in checkpoints(server)))
        view.begin("publish")
        view.type_number()
        view.continue_action("run")
        assert view.outcomes()["done"] == server.requests.count("publish_checkpoint") > 5
        assert view.notebook.ask("panel => panel.content.widgets[1].model.executionCount") is None, "it still is busy"
        assert view.note() == ""
        view.notebook.path.with_name("enough").touch()
        view.user_input.wait_until(lambda: view.notebook.text(1) == "'over'")


# ---- beside other views


def test_one_view_in_two_cells_is_one(lab: Lab, server: DemoServer) -> None:
    """Both displays follow what is done in either, each where it was scrolled to; and neither shows its static table."""
    with open_view(lab, server, "view") as view:
        view.notebook.run(1)
        again = NotebookView(view.notebook, 1)
        again.scroll(28 * 10)
        view.user_input.click(view.cell(12, "name"))
        again.wait_for(again.selected, [12])
        assert view.rows()[0].place == 0
        assert again.rows()[0].place == 10
        again.search("final", sum("final" in path for path in checkpoints(server)))
        view.wait_for_text(view.counts, f"{again.counts()}")
        view.wait_for(view.keys, again.keys())
        assert view.notebook.root.locator(f"{TABLE}:visible").count() == 0


# ---- after its kernel


def test_a_view_whose_kernel_is_gone_says_so(lab: Lab, server: DemoServer) -> None:
    """After a restart the view says what to do, a click on it throws nothing, and the cell that is run again shows a live one."""
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
    """While the view lives its static table is not seen; opened with a new kernel, the notebook shows that, with the first rows."""
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
        assert "Run the cell for the view" in again.inner_text()


# ---- text of others


class Elements(HTMLParser):
    """The names of the elements in HTML."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found = set[str]()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element; of attributes there may be those of ours."""
        self.found |= {tag, *(f"@{name}" for name, _ in attrs if name not in ("style", "data-tkf-static"))}


def inject_html(server: DemoServer) -> None:
    """Put what would run into everything of an account that has a text."""
    for text in NASTY:
        session = server.state.add_session(display_name=text, user_metadata={text: text})
        run = server.state.add_run(session, base_model=text, user_metadata={text: text})
        server.state.add_checkpoint(run, name=text.replace("/", "|"), user_metadata={text: text, "mark": "window.ran"})


@contextmanager
def open_export(notebook: Path, browser: Browser) -> Iterator[Page]:
    """Give the page that a saved notebook is exported to, without any network."""
    made = notebook.with_suffix(".html")
    command = [sys.executable, "-m", "nbconvert", "--to", "html", "--log-level", "ERROR", str(notebook)]
    subprocess.run(command, check=True, timeout=60, cwd=notebook.parent)
    with closing(browser.new_context()) as context:
        block_external(context, lambda _: None)
        page = context.new_page()
        page.goto(made.as_uri())
        yield page


def test_what_is_saved_and_exported_is_a_table_of_text(lab: Lab, server: DemoServer, browser: Browser) -> None:
    """The file has a plain table with all text escaped, and its HTML export, opened without a network, shows that table."""
    inject_html(server)
    with open_view(lab, server) as view:
        html = "".join(view.notebook.save()["cells"][0]["outputs"][0]["data"]["text/html"])
        assert Elements(html).found == {"div", "style", "p", "table", "thead", "tbody", "tr", "th", "td"}
        with open_export(view.notebook.path, browser) as page:
            page.locator(TABLE).wait_for()
            assert NASTY[0] in page.locator(TABLE).inner_text()
            assert page.locator(TABLE).evaluate(FOREIGN) == []
            assert page.evaluate("window.ran") is None
