"""How long a view lives: while the user refers to it, or the output of a notebook cell shows it.

ipywidgets keeps every widget until it is closed, and IPython keeps every result of a cell. Here ipywidgets refers to views weakly,
and a cell that is run again gives up the views that it showed before.
"""

from __future__ import annotations

import re
import sys
import weakref
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ipywidgets import Widget

RESULT_NAME = re.compile(r"_\d+")  # IPython's variables for the results of cells
LAST_RESULTS = ("_", "__", "___")


def bind_weakly(method: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that calls a bound method for as long as its object exists."""
    found = weakref.WeakMethod(method)

    def call(*args: Any) -> Any:
        bound = found()
        return None if bound is None else bound(*args)

    return call


def register_weakly(widget: Widget) -> None:
    """Make ipywidgets refer to an open widget weakly; its messages, and its state after a page reload, are sent as before."""
    widget.comm.on_msg(bind_weakly(widget._handle_msg))  # noqa: SLF001  # there is no public way
    _get_registry()[widget.model_id] = weakref.proxy(widget)


def find_open_widgets(kind: type) -> Iterator[Any]:
    """Yield the open widgets of a class."""
    for widget in list(_get_registry().values()):
        with suppress(ReferenceError):  # it was collected in the meantime
            if isinstance(widget, kind):
                found: Any = widget
                yield found.open.__self__  # the widget itself, not the proxy


def return_memory() -> None:
    """Return to the system what Arrow holds of freed columns; otherwise, it keeps more than a view takes."""
    pa = sys.modules.get("pyarrow")
    if pa is not None:  # none is left where the interpreter exits
        pa.default_memory_pool().release_unused()


def keep_while_shown(widget: Widget) -> None:
    """Keep a widget that a cell of a notebook displays, until the cell is run again."""
    from IPython import get_ipython

    shell: Any = get_ipython()
    if shell is None:
        return
    callbacks = shell.events.callbacks["pre_run_cell"]
    shown = next((c.__self__ for c in callbacks if isinstance(getattr(c, "__self__", None), ShownWidgets)), None)
    if shown is None:
        shown = ShownWidgets(shell)
        shell.events.register("pre_run_cell", shown.release_cell)
    shown.add(widget)


class ShownWidgets:
    """The widgets in the outputs of each cell of a notebook; a reference from here is what keeps one without a variable alive."""

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._by_cell: dict[str, list[Widget]] = {}

    def add(self, widget: Widget) -> None:
        """Keep a widget that the current cell displays."""
        shown = self._by_cell.setdefault(self._find_cell(), [])
        if not _contains(shown, widget):
            shown.append(widget)

    def release_cell(self, *_: Any) -> None:
        """Give up the widgets that the current cell displayed when it was run before, unless another cell displays them too."""
        cell = self._find_cell()
        if not cell:
            return  # not every front end tells which cell is run; what it displays is kept
        for widget in self._by_cell.pop(cell, ()):
            if not any(_contains(others, widget) for others in self._by_cell.values()):
                _forget_result(self._shell, widget)

    def _find_cell(self) -> str:
        """Return the id of the cell that is run; empty if the front end does not give one."""
        metadata = (getattr(self._shell, "parent_header", None) or {}).get("metadata") or {}
        return str(metadata.get("cellId") or "")


def _get_registry() -> dict[str, Any]:
    """Return the open widgets by their ids, as `Widget.widgets` does, without its deprecation warning."""
    from ipywidgets.widgets.widget import _instances

    registry: dict[str, Any] = _instances
    return registry


def _forget_result(shell: Any, result: object) -> None:
    """Remove a result of an earlier cell from IPython's output history, which is not cleared with the output; variables keep it."""
    history: dict[int, Any] = shell.user_ns.get("_oh", {})
    for number in [number for number, value in history.items() if value is result]:
        del history[number]
    was_last = [name for name in LAST_RESULTS if getattr(shell.displayhook, name, None) is result]
    for name in was_last:
        setattr(shell.displayhook, name, "")  # as in IPython's own `flush`
    for names in (shell.user_ns, shell.user_ns_hidden):  # the second one tells which of the first are not the user's
        for name in [name for name, value in names.items() if value is result]:
            if RESULT_NAME.fullmatch(name):
                del names[name]
            elif name in was_last:
                names[name] = ""


def _contains(widgets: list[Widget], widget: Widget) -> bool:
    return any(other is widget for other in widgets)
