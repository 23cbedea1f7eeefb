"""The harness itself: a stage and a lab carry what they should in both directions, and what goes wrong fails the test."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from .chromium import launched
from .dummy import DUMMY, dummy, module
from .lab import CHECKOUT, Lab
from .stage import Stage, staged

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser

# ---- the stage


def test_what_the_browser_does_reaches_python(stage: Stage) -> None:
    """A click changes the trait and calls the handler of messages, and both are told as what the stage heard."""
    widget = dummy()
    root = stage.mount(widget)
    stage.click(root.get_by_role("button"))
    stage.until(lambda: widget.heard)
    assert (widget.n, widget.heard) == (1, [{"clicked": 1}])
    assert [message.data["method"] for message in stage.heard] == ["update", "update", "custom"]
    assert stage.heard[1].data["state"] == {"n": 1}, "only what changed is sent"


def test_what_python_does_reaches_the_browser(stage: Stage) -> None:
    """A trait that Python sets and a message that it sends are seen on the page, and the style is the widget's."""
    widget = dummy(n=5)
    root = stage.mount(widget)
    assert stage.text(root.get_by_role("button")) == "n=5"
    widget.n = 7
    widget.send({"text": "räksmörgås"})
    stage.until(lambda: root.get_by_role("listitem").all_inner_texts() == ["räksmörgås"])
    assert stage.text(root.get_by_role("button")) == "n=7"
    assert root.get_by_role("button").evaluate("button => getComputedStyle(button).color") == "rgb(1, 2, 3)"


def test_threads_reach_the_browser_in_their_order(stage: Stage) -> None:
    """What several threads send while the test waits arrives completely, and what one thread sends in its order."""
    widget = dummy()
    root = stage.mount(widget)
    with ThreadPoolExecutor(3) as pool:
        for name in "abc":
            pool.submit(lambda name=name: [widget.send({"text": f"{name}{number}"}) for number in range(20)])
        stage.until(lambda: root.get_by_role("listitem").count() == 60)
    seen = root.get_by_role("listitem").all_inner_texts()
    for name in "abc":
        assert [text for text in seen if text[0] == name] == [f"{name}{number}" for number in range(20)]


def test_bytes_to_the_browser_are_counted(stage: Stage) -> None:
    """The first state counts with its module, then each message with what it carries and little more."""
    widget = dummy()
    stage.mount(widget)
    stage.settle()
    first = stage.bytes_sent
    assert len(widget._esm) < first < 2 * len(widget._esm) + 2000
    widget.text = "ä" * 1000
    stage.pump()
    assert 2000 < stage.bytes_sent - first < 2200
    assert stage.sent[-1].data["state"] == {"text": "ä" * 1000}


def test_a_render_may_wait_for_python(stage: Stage) -> None:
    """A module that asks Python and waits for the answer before it shows anything is shown."""
    asking = """
        const answer = new Promise((done) => model.on("msg:custom", (content) => done(content.text)));
        model.send({ ask: 1 });
        el.textContent = await answer;
    """
    assert stage.text(stage.mount(dummy(asking))) == "heard {'ask': 1}"


def test_two_widgets_and_two_views_of_one(stage: Stage) -> None:
    """Widgets on one page do not mix; a second view of a widget follows the same state and is not a second start."""
    one, other = dummy(), dummy(n=10)
    views = [stage.mount(widget) for widget in (one, other, one)]
    stage.click(views[2].get_by_role("button"))
    assert [stage.text(view.get_by_role("button")) for view in views] == ["n=1", "n=10", "n=1"]
    assert (one.n, one.started, other.n, other.started) == (1, 1, 10, 1)


def test_a_closed_widget_leaves_the_page(stage: Stage) -> None:
    """Closing the widget removes its element and aborts the signal of its view."""
    widget = dummy(n=3)
    root = stage.mount(widget)
    widget.close()
    stage.until(lambda: root.count() == 0)
    assert stage.page.locator("body").get_attribute("data-left") == "3"


def test_the_page_is_as_wide_and_dark_as_asked(stage_of: Callable[..., Stage], tmp_path: Any) -> None:
    """Width and colour scheme are those asked for, and a picture of the page can be kept."""
    stage = stage_of(width=640, dark=True)
    assert stage.page.evaluate("innerWidth") == 640
    assert stage.page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    stage.screenshot(tmp_path / "page.png")
    assert (tmp_path / "page.png").read_bytes().startswith(b"\x89PNG")


def test_keys_and_texts_go_where_they_should(stage: Stage) -> None:
    """`fill` changes an input, and `press` goes to the element that is named or else to the one with the focus."""
    echo = """
        const input = el.appendChild(document.createElement("input"));
        input.onkeydown = (event) => model.send({ key: event.key, value: input.value });
    """
    widget = dummy(echo)
    stage.mount(widget)
    stage.fill("input", "abc")
    stage.press("x", on="input")
    stage.press("Escape", "Enter")
    stage.until(lambda: len(widget.heard) == 3)
    assert [(said["key"], said["value"]) for said in widget.heard] == [
        ("x", "abc"),
        ("Escape", "abcx"),
        ("Enter", "abcx"),
    ]


WRONG = {
    "console": ("console.error('seen it')", "console error: seen it"),
    "thrown later": ("setTimeout(() => { throw new Error('late') })", "error in the page: Error: late"),
    "rejected": ("Promise.reject(new Error('no'))", "error in the page: Error: no"),
    "handler": (
        "model.on('msg:custom', () => { throw new Error('mine') }); model.send({})",
        "console error: Error: mine",
    ),
    "fetch": ("fetch('https://example.org/a').catch(() => 0)", "asked for https://example.org/a"),
    "image": ("new Image().src = 'http://10.0.0.1/b.png'", "asked for http://10.0.0.1/b.png"),
    "module": ("import('https://cdn.example.org/c.js').catch(() => 0)", "asked for https://cdn.example.org/c.js"),
    "socket": ("new WebSocket('wss://example.org/d')", "asked for wss://example.org/d"),
}


def fails(browser: Browser, act: Callable[[Stage], object]) -> str:
    """Return what a stage says at its end after something has been done on it."""
    said = ""
    try:
        with staged(browser) as stage:
            act(stage)
            stage.until(lambda: stage.problems)
    except AssertionError as error:
        said = str(error)
    return said


@pytest.mark.parametrize(("script", "told"), WRONG.values(), ids=WRONG)
def test_what_goes_wrong_in_the_page_fails_the_test(browser: Browser, script: str, told: str) -> None:
    """Errors of any kind in the page and any request of it fail the test at its end, and the message says which."""
    assert told in fails(browser, lambda stage: stage.mount(dummy(script)))


def test_an_exception_in_a_python_handler_fails_the_test(browser: Browser) -> None:
    """ipywidgets swallows what handlers raise; the stage tells it, with its traceback."""
    widget = dummy("model.send({})")
    widget.on_msg(lambda *_: 1 / 0)
    said = fails(browser, lambda stage: stage.mount(widget))
    assert "exception in Python" in said
    assert "ZeroDivisionError" in said


@pytest.mark.parametrize("content", [{"n": float("nan")}, {"n": object()}], ids=["nan", "object"])
def test_what_is_not_json_fails_where_it_is_sent_and_at_the_end(browser: Browser, content: Any) -> None:
    """A number that JSON does not have, or an object, is refused as soon as it is sent, and not forgotten."""

    def send(stage: Stage) -> None:
        widget = dummy()
        stage.mount(widget)
        with pytest.raises((TypeError, ValueError), match="JSON"):
            widget.send(content)

    assert "Python sent what is not JSON" in fails(browser, send)


def test_a_module_that_does_not_render_says_why(stage: Stage) -> None:
    """An error while rendering fails at once where the widget was mounted."""
    with pytest.raises(AssertionError, match=r"did not render: Error: broken"):
        stage.mount(dummy("throw new Error('broken')"))


def test_waiting_in_vain_says_what_the_page_shows(stage: Stage) -> None:
    """A condition that does not come true fails after its time, and the message tells what is on the page."""
    stage.mount(dummy(n=8))
    with pytest.raises(AssertionError, match=r"not within 0.1 s(?s:.)*n=8"):
        stage.until(lambda: False, timeout=0.1)


def test_settling_waits_for_what_follows(stage: Stage) -> None:
    """After `settle` a chain of messages to and fro has come to its end."""
    widget = dummy("model.on('msg:custom', (content) => { if (content.text.length < 200) model.send(content); })")
    stage.mount(widget)
    widget.send({"text": ""})
    stage.settle()
    assert len(stage.heard) == len(widget.heard) > 5


# ---- Chromium


def test_asyncio_is_free_again_once_chromium_is_gone() -> None:
    """Playwright's loop runs in the thread that uses it, and only as long as its browser is up."""

    async def nothing() -> str:
        return "ran"

    def used_and_left() -> str:
        with launched() as browser:
            assert browser.is_connected()
            busy = nothing()
            with pytest.raises(RuntimeError, match="running event loop"):
                asyncio.run(busy)
            busy.close()
        return asyncio.run(nothing())

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(used_and_left).result() == "ran"


@pytest.mark.parametrize(
    ("required", "code", "said"), [("", 0, "SKIPPED"), ("1", 4, "ERROR: browser tests are required")]
)
def test_without_chromium_tests_are_skipped_or_refused(required: str, code: int, said: str) -> None:
    """Where there is no Chromium the tests of this folder are skipped with the reason, or refused if they are required."""
    command = [sys.executable, "-m", "pytest", "-rs", "-p", "no:cacheprovider", f"{__file__}::{_self().__name__}"]
    environment = os.environ | {"PATH": "", "TINKER_FRAMES_REQUIRE_BROWSER": required}
    ran = subprocess.run(
        command, cwd=CHECKOUT, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert ran.returncode == code, ran.stdout + ran.stderr
    assert said in ran.stdout + ran.stderr
    assert "there is no chromium on the path" in ran.stdout + ran.stderr


def _self() -> Callable[..., None]:
    return test_without_chromium_tests_are_skipped_or_refused


# ---- the lab


def test_the_lab_shows_a_widget_and_both_sides_hear_each_other(lab: Lab) -> None:
    """A cell's widget is seen in its output; a click reaches the kernel, and what a thread of the kernel sends is seen."""
    with lab.notebook(["widget = Dummy(); widget"], setup=DUMMY) as notebook:
        notebook.run(0)
        output = notebook.output(0)
        output.get_by_role("button").click()
        output.get_by_text("heard {'clicked': 1}").wait_for()
        assert notebook.execute("print(widget.n, widget.heard)") == "1 [{'clicked': 1}]\n"
        notebook.execute(
            "import threading; threading.Thread(target=lambda: widget.send({'text': 'from afar'})).start()"
        )
        output.get_by_text("from afar").wait_for()


def test_the_lab_reads_texts_counts_cells_and_bytes(lab: Lab) -> None:
    """Texts of outputs, the number of cells, the kernel's environment and the bytes that a cell sent are told."""
    cells = ["print('printed'); 40 + 2", "print('x' * 50_000)", "import os; os.environ['TINKER_BASE_URL']"]
    with lab.notebook(cells, env={"TINKER_BASE_URL": "http://localhost:1"}) as notebook:
        notebook.run(0)
        assert notebook.text(0) == "printed\n42"
        before = notebook.received
        notebook.run(1)
        assert 50_000 < notebook.received - before < 60_000
        notebook.run(2, keys="Shift+Enter")
        assert notebook.text(2) == "'http://localhost:1'"
        assert notebook.cells == 4, "the last cell was run with Shift+Enter, which adds one"


def test_the_lab_knows_whether_keys_delete_a_cell(lab: Lab) -> None:
    """Pressing d twice in a guarded control deletes nothing; in one that is not guarded it deletes the cell."""
    with lab.notebook(["Dummy(guarded=True)", "Dummy()", "1"], setup=DUMMY) as notebook:
        for cell, left in ((0, 3), (1, 2)):
            notebook.run(cell)
            notebook.output(cell).get_by_role("button").focus()
            notebook.press("d", "d")
            assert notebook.cells == left


def test_a_restarted_kernel_knows_nothing_but_its_environment(lab: Lab) -> None:
    """After a restart names are gone, environment variables stay, and cells run."""
    with lab.notebook(["1 + 1"], setup="x = 1", env={"TINKER_API_KEY": "tml-a"}) as notebook:
        notebook.restart()
        assert notebook.execute("import os; print('x' in globals(), os.environ['TINKER_API_KEY'])") == "False tml-a\n"
        notebook.run(0)
        assert notebook.text(0) == "2"


def test_a_notebook_is_saved_and_opened_again(lab: Lab) -> None:
    """Reopened with its kernel a widget lives on; with a new kernel only what the file has is there."""
    with lab.notebook(["print('kept'); widget = Dummy(n=3); widget"], setup=DUMMY) as notebook:
        notebook.run(0)
        notebook.output(0).get_by_text("n=3").wait_for()
        notebook.reopen(same_kernel=True)
        notebook.output(0).get_by_text("n=3").click()
        notebook.output(0).get_by_text("n=4").wait_for()
        notebook.reopen()
        assert notebook.text(0).startswith("kept\n")
        assert notebook.save()["cells"][0]["outputs"][0]["text"] == ["kept\n"]
        assert notebook.execute("print('widget' in globals())") == "False\n"


def test_the_lab_turns_dark_and_back(lab: Lab) -> None:
    """The dark theme changes the colours that widgets see, and the light one returns."""
    colour = "getComputedStyle(document.body).getPropertyValue('--jp-layout-color0').trim()"
    light = lab.page.evaluate(colour)
    with lab.dark():
        assert lab.page.evaluate("document.body.dataset.jpThemeLight") == "false"
        assert lab.page.evaluate(colour) != light
    assert lab.page.evaluate(colour) == light


WRONG_IN_LAB = {
    name: (f"w = Dummy(); w._esm = {module(script)!r}; w", told)
    for name, (script, told) in WRONG.items()
    if name in ("console", "rejected", "fetch")
}
WRONG_IN_LAB["lost"] = (
    "display({'application/vnd.jupyter.widget-view+json': {'model_id': 'gone', 'version_major': 2}}, raw=True)",
    "a widget that the kernel does not have",
)


@pytest.mark.parametrize(("cell", "told"), WRONG_IN_LAB.values(), ids=WRONG_IN_LAB)
def test_what_goes_wrong_in_the_lab_fails_the_test(lab: Lab, cell: str, told: str) -> None:
    """Errors of a widget in JupyterLab, requests that would leave the machine, and dead widgets fail the test at its end."""

    def run() -> None:
        with lab.notebook([cell], setup=DUMMY) as notebook:
            notebook.run(0)
            notebook.until(lambda: notebook.problems)

    with pytest.raises(AssertionError) as failed:
        run()
    assert told in str(failed.value)


@pytest.mark.parametrize(
    ("address", "status", "fails"),
    [
        ("/api/kernels?1795687999936", 500, False),  # a list, made while a kernel starts
        ("/api/kernels?1795687999936", 503, True),
        ("/api/kernels/gone?1795687999936", 500, True),
        ("/api/contents/gone?1795687999936", 500, True),
    ],
)
def test_what_the_server_of_the_lab_refuses(lab: Lab, address: str, status: int, *, fails: bool) -> None:
    """The one refusal that says nothing of a notebook is passed over, and no other."""
    with lab.notebook(["1"]) as notebook:
        lab.page.route(f"**{address}", lambda route: route.fulfill(status=status))
        for asked in (address, "/api/contents/none"):  # what the second says is told after what the first one says
            lab.page.evaluate("address => fetch(address)", asked)
        notebook.until(lambda: "status of 404" in "".join(notebook.problems))
        assert any(f"status of {status}" in problem for problem in notebook.problems) == fails
        lab.page.unroute(f"**{address}")
        lab.problems.clear()


def test_python_errors_in_the_kernel_fail_the_test(lab: Lab) -> None:
    """An exception in a cell, or in code beside the cells, fails where it was run."""
    with lab.notebook(["1 / 0"]) as notebook:
        with pytest.raises(AssertionError, match="ZeroDivisionError"):
            notebook.run(0)
        with pytest.raises(AssertionError, match="NameError"):
            notebook.execute("nothing_of_that_name")


def test_kernels_and_tabs_do_not_outlive_their_notebook(lab: Lab) -> None:
    """When a notebook is left, its kernel is gone from the server and its tab from the page."""
    kernels = "fetch('/api/kernels').then(answer => answer.json()).then(found => found.length)"
    with lab.notebook(["1"]):
        assert (lab.page.evaluate(kernels), lab.page.locator(".jp-NotebookPanel").count()) == (1, 1)
    assert (lab.page.evaluate(kernels), lab.page.locator(".jp-NotebookPanel").count()) == (0, 0)
