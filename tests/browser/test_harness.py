"""What goes wrong in a page, in a handler or in JupyterLab fails the browser test in which it happens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from .stage import staged

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from .lab import Lab

pytestmark = pytest.mark.browser

WRONG = {
    "console": ("console.error('seen it')", "console error: seen it"),
    "thrown later": ("setTimeout(() => { throw new Error('late') })", "error in the page: Error: late"),
    "rejected": ("Promise.reject(new Error('no'))", "error in the page: Error: no"),
    "fetch": ("fetch('https://example.org/a').catch(() => 0)", "asked for https://example.org/a"),
    "module": ("import('https://cdn.example.org/c.js').catch(() => 0)", "asked for https://cdn.example.org/c.js"),
    "socket": ("new WebSocket('wss://example.org/d')", "asked for wss://example.org/d"),
    "handler in Python": ("model.send({})", "ZeroDivisionError"),
}
WRONG_IN_LAB = {
    "console": ("%%javascript\nconsole.error('seen it')", "seen it"),
    "fetch": ("%%javascript\nfetch('https://example.org/a').catch(() => 0)", "https://example.org/a"),
    "lost widget": (
        "display({'application/vnd.jupyter.widget-view+json': {'model_id': 'gone', 'version_major': 2}}, raw=True)",
        "a widget that the kernel does not have",
    ),
}


def widget(script: str) -> Any:
    """Return a widget that runs a script when it is rendered, and whose handler of messages fails."""
    import anywidget

    made = anywidget.AnyWidget(_esm=f"export default {{ async render({{ model, el }}) {{ {script} }} }}")
    made.on_msg(lambda *_: 1 / 0)
    return made


def show(browser: Browser, script: str) -> None:
    """Show a widget that runs a script, and wait for a problem."""
    with staged(browser) as stage:
        stage.mount(widget(script))
        stage.until(lambda: stage.problems)


def run(lab: Lab, cell: str) -> None:
    """Run a cell in JupyterLab, and wait for a problem."""
    with lab.notebook([cell]) as notebook:
        notebook.run(0)
        notebook.until(lambda: notebook.problems)


@pytest.mark.parametrize(("script", "problem"), WRONG.values(), ids=WRONG)
def test_a_problem_in_the_page_fails_the_test(browser: Browser, script: str, problem: str) -> None:
    """Errors of any kind, exceptions in Python handlers and requests fail the test at its end, and the message says which."""
    with pytest.raises(AssertionError) as failed:
        show(browser, script)
    assert problem in str(failed.value)


def test_what_is_not_json_fails_where_it_is_sent_and_at_the_end(browser: Browser) -> None:
    """A number that JSON does not have is refused as soon as it is sent, and fails the test, too."""

    def send() -> None:
        with staged(browser) as stage:
            stage.mount(shown := widget(""))
            with pytest.raises(ValueError, match="JSON"):
                shown.send({"n": float("nan")})

    with pytest.raises(AssertionError, match="Python sent what is not JSON"):
        send()


@pytest.mark.parametrize(("cell", "problem"), WRONG_IN_LAB.values(), ids=WRONG_IN_LAB)
def test_a_problem_in_jupyterlab_fails_the_test(lab: Lab, cell: str, problem: str) -> None:
    """Errors on the console, requests that would leave the machine, and widgets without a kernel fail the test at its end."""
    with pytest.raises(AssertionError) as failed:
        run(lab, cell)
    assert problem in str(failed.value)


def test_python_errors_in_the_kernel_fail_the_test(lab: Lab) -> None:
    """An exception in a cell, or in code beside the cells, fails where it was run."""
    with lab.notebook(["1 / 0"]) as notebook:
        with pytest.raises(AssertionError, match="ZeroDivisionError"):
            notebook.run(0)
        with pytest.raises(AssertionError, match="NameError"):
            notebook.execute("nothing_of_that_name")
