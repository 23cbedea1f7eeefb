"""A small widget for the tests of the harness, with everything that can cross: traits and messages, both ways."""

from __future__ import annotations

from functools import cache
from typing import Any

# As source, since kernels run it, too.
DUMMY = '''
import anywidget, traitlets

class Dummy(anywidget.AnyWidget):
    """A number that both sides change, and messages that both sides send."""

    _esm = """
    export default () => ({
      initialize({ model }) {
        model.set("started", model.get("started") + 1);
        model.save_changes();
      },
      render({ model, el, signal }) {
        const button = el.appendChild(document.createElement("button"));
        const log = el.appendChild(document.createElement("ol"));
        const count = () => { button.textContent = `n=${model.get("n")}`; };
        const said = (content) => { log.appendChild(document.createElement("li")).textContent = content.text; };
        if (model.get("guarded")) button.dataset.lmSuppressShortcuts = "true";
        button.onclick = () => {
          model.set({ n: model.get("n") + 1 });
          model.save_changes();
          model.send({ clicked: model.get("n") });
        };
        model.on("change:n", count);
        model.on("msg:custom", said);
        signal.addEventListener("abort", () => { document.body.dataset.left = model.get("n"); });
        count();
        return () => { model.off("change:n", count); model.off(null, said); };
      },
    });
    """
    _css = "button { color: rgb(1, 2, 3) }"
    n = traitlets.Int(0).tag(sync=True)
    text = traitlets.Unicode("").tag(sync=True)
    started = traitlets.Int(0).tag(sync=True)
    guarded = traitlets.Bool(False).tag(sync=True)

    def __init__(self, **given):
        super().__init__(**given)
        self.heard = []
        self.on_msg(lambda _, content, __: self.answer(content))

    def answer(self, content):
        self.heard.append(content)
        self.send({"text": f"heard {content}"})
'''


@cache
def _names() -> dict[str, Any]:
    found: dict[str, Any] = {}
    exec(DUMMY, found)
    return found


def module(script: str) -> str:
    """Return a module of a widget whose `render` is this script."""
    return f"export default {{ async render({{ model, el }}) {{ {script} }} }}"


def dummy(script: str | None = None, **given: Any) -> Any:
    """Return a new widget of this process, with another `render` if a script is given."""
    widget = _names()["Dummy"](**given)
    if script is not None:
        widget._esm = module(script)
    return widget
