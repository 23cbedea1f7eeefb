"""A blank page that displays widgets of this process without Jupyter; all messages cross as JSON, in both directions.

>>> with open_host(browser) as host:  # doctest: +SKIP
...     root = host.mount(widget)
...     host.click("button")
...     host.wait_until(lambda: root.locator(".tkf-row").count() == 3)

The page has the front-end API of anywidget and nothing else (widget_host.js). Python handlers run in the thread of the
test, whenever the host delivers messages: use its own `find`, `click`, `press`, `fill` and `wait_until`, and playwright's
`wait_for…` only for what happens in the page alone.
"""

from __future__ import annotations

import json
import logging
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from anywidget import AnyWidget
    from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, Route

PAGE = "http://localhost/host"  # no server is behind it; a secure origin, like JupyterLab on loopback
HTML = (
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>host</title><link rel="icon" href="data:,">'
    '<meta name="color-scheme" content="light dark"></head><body><main></main></body></html>'
)
SCRIPT = Path(__file__).with_name("widget_host.js")
TWO_FRAMES = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))"
POLL_MS = 5
Target = "str | Locator"


class Message(NamedTuple):
    """One message: its widget, its content, and its size as JSON in bytes."""

    widget: str
    data: dict[str, Any]
    size: int


class FakeComm:
    """A comm that queues what Python sends, from any thread, until the host delivers it."""

    def __init__(self, comm_id: str, outbox: deque[str], problems: list[str]) -> None:
        self.comm_id = comm_id
        self._outbox, self._problems = outbox, problems
        self._handler: Callable[[dict[str, Any]], None] | None = None

    def send(self, data: Any = None, metadata: Any = None, buffers: Any = None) -> None:
        """Queue a message; one that is not plain JSON raises here and fails the test."""
        try:
            if buffers:
                raise ValueError("only JSON is supported, no buffers")
            self._outbox.append(json.dumps({"id": self.comm_id, "data": data}, allow_nan=False, ensure_ascii=False))
        except (TypeError, ValueError) as error:
            self._problems.append(f"Python sent a message that is not JSON: {error}")
            raise

    def on_msg(self, handler: Callable[[dict[str, Any]], None]) -> None:
        """Set the widget's message handler."""
        self._handler = handler

    def receive(self, data: dict[str, Any]) -> None:
        """Pass a message to the widget as the kernel would."""
        if self._handler is not None:
            self._handler({"content": {"comm_id": self.comm_id, "data": data}, "buffers": []})

    def close(self, *_: Any, **__: Any) -> None:
        """Tell the page that the widget is closed."""
        self._handler = None
        self._outbox.append(json.dumps({"id": self.comm_id, "data": {"method": "close"}}))


class WidgetHost:
    """One page, the widgets on it, and the messages between them and Python.

    Attributes
    ----------
    page
        The playwright page.
    sent, heard
        Messages from Python to the browser (the first of each widget is its entire state), and from the browser to Python.
    problems
        What fails the test at its end: errors on the console or in the page, exceptions in Python handlers, and any request.
    """

    def __init__(self, page: Page) -> None:
        self.page, self.problems = page, list[str]()
        self.sent, self.received = list[Message](), list[Message]()
        self._outbox, self._inbox = deque[str](), deque[str]()
        self._comms, self._widgets, self._numbers = dict[str, FakeComm](), list["AnyWidget"](), count()
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.problems.append(f"error in the page: {error.stack or error}"))
        page.on("websocket", lambda socket: self.problems.append(f"the page asked for {socket.url}"))
        page.expose_binding("toPython", lambda source, message: self._inbox.append(message))
        page.route("**/*", self._handle_route)
        page.goto(PAGE)

    @property
    def bytes_sent(self) -> int:
        """The number of bytes of JSON sent from Python to the browser."""
        return sum(message.size for message in self.sent)

    def mount(self, widget: AnyWidget) -> Locator:
        """Display a widget below the others and return its element; mounting it again adds a second display."""
        place, model_id = f"view-{next(self._numbers)}", widget.model_id
        if model_id not in self._comms:
            self._comms[model_id] = widget.comm = FakeComm(model_id, self._outbox, self.problems)
            self._widgets.append(widget)
        given = {"id": model_id, "state": widget.get_state()}
        as_json = json.dumps(given, allow_nan=False)
        self._record(self.sent, {"id": model_id, "data": {"method": "open", "state": given["state"]}}, as_json)
        self.page.evaluate("([given, place]) => window.host.mount(given, place)", [as_json, place])
        said = self.wait_until(f"window.host.mounted[{place!r}]")
        assert said == "ready", f"the widget did not render: {said}"
        return self.page.locator(f"#{place}")

    def pump(self) -> None:
        """Deliver queued messages in both directions until there are none."""
        while self._outbox or self._inbox:
            while self._inbox:
                message = self._inbox.popleft()
                noted = self._record(self.received, json.loads(message), message)
                self._comms[noted.widget].receive(noted.data)
            messages = [self._outbox.popleft() for _ in range(len(self._outbox))]
            for message in messages:
                self._record(self.sent, json.loads(message), message)
            self.page.evaluate("messages => window.host.receive(messages)", messages)

    def wait_until(self, condition: str | Callable[[], Any], timeout: float = 5) -> Any:
        """Deliver messages until a condition (JavaScript or a callable) holds, and return its value."""
        deadline = time.monotonic() + timeout
        while True:
            self.pump()
            if found := self.page.evaluate(condition) if isinstance(condition, str) else condition():
                return found
            if time.monotonic() > deadline:
                raise AssertionError(f"not within {timeout:g} s: {condition}\n{self._describe()}")
            self.page.wait_for_timeout(POLL_MS)

    def settle(self) -> None:
        """Deliver messages until none was sent for two frames, for tests that something does not happen."""
        before = -1
        while before != (before := len(self.sent) + len(self.received)):
            self.page.evaluate(TWO_FRAMES)
            self.pump()

    def find(self, target: str | Locator) -> Locator:
        """Return the locator of a selector (or a locator) once it matches an element."""
        found = self.page.locator(target) if isinstance(target, str) else target
        self.wait_until(lambda: found.count() > 0)
        return found

    def click(self, target: str | Locator, **options: Any) -> None:
        """Click an element once it is visible and enabled; the options are playwright's."""
        found = self.find(target)
        self.wait_until(lambda: found.is_visible() and found.is_enabled())
        found.click(**options)
        self.pump()

    def press(self, *keys: str, on: str | Locator | None = None) -> None:
        """Press keys one after another, on an element or on the focused one, delivering messages after each."""
        for key in keys:
            (self.page.keyboard if on is None else self.find(on)).press(key)
            self.pump()

    def fill(self, target: str | Locator, text: str) -> None:
        """Replace the text of an input."""
        self.find(target).fill(text)
        self.pump()

    def text(self, target: str | Locator) -> str:
        """Return the visible text of an element."""
        return self.find(target).inner_text()

    def screenshot(self, path: str | Path) -> None:
        """Save a screenshot of the page."""
        self.settle()
        self.page.screenshot(path=path)

    def close(self) -> None:
        """Close the widgets and let the page clean up."""
        for widget in self._widgets:
            widget.close()
        self.settle()

    def check(self) -> None:
        """Fail if there were problems."""
        self.pump()
        assert not self.problems, self._describe()

    def _describe(self) -> str:
        seen = self.page.locator("main").inner_text()[:2000]
        return "\n".join([*self.problems, f"the page shows: {seen!r}"])

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            where = message.location
            self.problems.append(f"console error: {message.text} ({where.get('url')}:{where.get('lineNumber')})")

    def _handle_route(self, route: Route) -> None:
        if route.request.url == PAGE and route.request.is_navigation_request():
            route.fulfill(body=HTML, content_type="text/html")
        else:
            self.problems.append(f"the page asked for {route.request.url}")
            route.abort()

    def _record(self, where: list[Message], message: dict[str, Any], as_json: str) -> Message:
        where.append(Message(message["id"], message["data"], len(as_json.encode())))
        return where[-1]


@contextmanager
def open_host(browser: Browser, **options: Any) -> Iterator[WidgetHost]:
    """Yield a host in its own context and fail at the end if it had problems; the options are those of `open_context`."""
    with open_context(browser, **options) as context, open_host_in(context) as host:
        yield host


@contextmanager
def open_context(
    browser: Browser, *, width: int = 1000, height: int = 700, dark: bool = False, **options: Any
) -> Iterator[BrowserContext]:
    """Yield a browser context for hosts; further options are playwright's."""
    viewport: Any = {"width": width, "height": height}
    scheme: Any = "dark" if dark else "light"
    with closing(browser.new_context(viewport=viewport, color_scheme=scheme, **options)) as context:
        context.add_init_script(path=SCRIPT)
        context.set_default_timeout(5_000)
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        yield context


@contextmanager
def open_host_in(context: BrowserContext) -> Iterator[WidgetHost]:
    """Yield a host on a new page of a context and fail at the end if it had problems."""
    with closing(context.new_page()) as page:
        with _python_errors(host := WidgetHost(page)):
            yield host
            host.close()
        host.check()


@contextmanager
def _python_errors(host: WidgetHost) -> Iterator[None]:
    """Record exceptions in Python handlers, which ipywidgets only logs outside a kernel."""
    from traitlets import log

    class Recorder(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            host.problems.append(f"exception in Python: {logging.Formatter().format(record)}")

    handler, logger = Recorder(logging.WARNING), logging.getLogger(log.get_logger().name)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
