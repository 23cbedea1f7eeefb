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

from .chromium import keep_inside
from .visit import Visit, checkpoints, exploring

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
    with exploring(lab, server) as visit:
        visit.click("public", "option private")
        visit.type("text", "step")
        visit.hands.click(visit.head("size_gb"))
        visit.sees(visit.sorts, {"size_gb": "▲"})
        visit.hands.click(visit.head("size_gb"))
        visit.sees(visit.sorts, {"size_gb": "▼"})
        visit.sees(visit.chips, ["Public: private"])
        visit.hands.click(visit.cell(1, "name"))
        visit.hands.click(visit.cell(4, "name"), modifiers=["Shift"])
        visit.says(visit.selection, "4 selected")
        keys = visit.keys()
        assert visit.python(f"print(list(view.filtered['tinker_path'][:{len(keys)}]) == {keys})") == "True"
        assert visit.python(f"print(list(view.selected['tinker_path']) == {keys[1:5]})") == "True"
        assert visit.python(f"made = {{}}; exec(view.code(), made)\n{SAME}") == "[True, True, True]"


def test_a_view_lives_in_a_box(lab: Lab, server: DemoServer) -> None:
    """Inside of another widget a view is the same: its rows are there, and a filter is heard."""
    cell = "import ipywidgets, tinker_frames as tkf\nview = tkf.explore()\nipywidgets.VBox([view])"
    with exploring(lab, server, cell=cell) as visit:
        visit.search("final", sum("final" in path for path in checkpoints(server)))
        assert all("final" in row.key for row in visit.rows())


def test_an_action_goes_on_while_another_cell_is_busy(lab: Lab, server: DemoServer) -> None:
    """Begun while a cell keeps the kernel busy, an action is planned, carried out and shown, and nobody says the kernel is gone."""
    busy = "import time, os\nwhile not os.path.exists('enough'): time.sleep(0.01)\n'over'"
    with exploring(lab, server, busy) as visit:
        visit.notebook.select(1)
        visit.hands.press("Control+Enter")
        visit.search("final", sum("final" in path for path in checkpoints(server)))
        visit.begin("publish")
        visit.type_number()
        visit.go_on("run")
        assert visit.outcomes()["done"] == server.requests.count("publish_checkpoint") > 5
        assert visit.notebook.ask("panel => panel.content.widgets[1].model.executionCount") is None, "it still is busy"
        assert visit.note() == ""
        visit.notebook.path.with_name("enough").touch()
        visit.hands.until(lambda: visit.notebook.text(1) == "'over'")


# ---- beside other views


def test_one_view_in_two_cells_is_one(lab: Lab, server: DemoServer) -> None:
    """Both displays follow what is done in either, each where it was scrolled to; and neither shows its static table."""
    with exploring(lab, server, "view") as visit:
        visit.notebook.run(1)
        again = Visit(visit.notebook, 1)
        again.scroll(28 * 10)
        visit.hands.click(visit.cell(12, "name"))
        again.sees(again.selected, [12])
        assert visit.rows()[0].place == 0
        assert again.rows()[0].place == 10
        again.search("final", sum("final" in path for path in checkpoints(server)))
        visit.says(visit.counts, f"{again.counts()}")
        visit.sees(visit.keys, again.keys())
        assert visit.notebook.root.locator(f"{TABLE}:visible").count() == 0


# ---- after its kernel


def test_a_view_whose_kernel_is_gone_says_so(lab: Lab, server: DemoServer) -> None:
    """After a restart the view says what to do, a click on it throws nothing, and the cell that is run again shows a live one."""
    with exploring(lab, server) as visit:
        visit.notebook.restart()
        visit.sees(visit.note, GONE)
        visit.click("public")
        visit.hands.click(visit.head("time"))
        visit.type("text", "final")
        assert visit.note() == GONE
        visit.notebook.run(0)
        fresh = Visit(visit.notebook)
        fresh.search("final", sum("final" in path for path in checkpoints(server)))
        assert fresh.note() == ""


def test_a_saved_notebook_shows_its_first_rows_as_a_table(lab: Lab, server: DemoServer) -> None:
    """While the view lives its static table is not seen; opened with a new kernel, the notebook shows that, with the first rows."""
    with exploring(lab, server) as visit:
        visit.type("text", "final")
        visit.says(visit.counts, f"{sum('final' in path for path in checkpoints(server))} of ")
        names = visit.python("print(*view.frame['name'][:20])").split()
        table = visit.notebook.root.locator(TABLE)
        assert table.count() == 1
        assert not table.is_visible()
        visit.notebook.reopen()
        again = visit.notebook.output(0)
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


def spread(server: DemoServer) -> None:
    """Put what would run into everything of an account that has a text."""
    for text in NASTY:
        session = server.state.add_session(display_name=text, user_metadata={text: text})
        run = server.state.add_run(session, base_model=text, user_metadata={text: text})
        server.state.add_checkpoint(run, name=text.replace("/", "|"), user_metadata={text: text, "mark": "window.ran"})


@contextmanager
def exported(notebook: Path, browser: Browser) -> Iterator[Page]:
    """Give the page that a saved notebook is exported to, without any network."""
    made = notebook.with_suffix(".html")
    command = [sys.executable, "-m", "nbconvert", "--to", "html", "--log-level", "ERROR", str(notebook)]
    subprocess.run(command, check=True, timeout=60, cwd=notebook.parent)
    with closing(browser.new_context()) as context:
        keep_inside(context, lambda _: None)
        page = context.new_page()
        page.goto(made.as_uri())
        yield page


def test_what_is_saved_and_exported_is_a_table_of_text(lab: Lab, server: DemoServer, browser: Browser) -> None:
    """The file has a plain table with all text escaped, and its HTML export, opened without a network, shows that table."""
    spread(server)
    with exploring(lab, server) as visit:
        html = "".join(visit.notebook.save()["cells"][0]["outputs"][0]["data"]["text/html"])
        assert Elements(html).found == {"div", "style", "p", "table", "thead", "tbody", "tr", "th", "td"}
        with exported(visit.notebook.path, browser) as page:
            page.locator(TABLE).wait_for()
            assert NASTY[0] in page.locator(TABLE).inner_text()
            assert page.locator(TABLE).evaluate(FOREIGN) == []
            assert page.evaluate("window.ran") is None
