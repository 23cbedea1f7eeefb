"""How a notebook shows a view: a static table that it keeps, and then the view, which hides the table while it is alive."""

from __future__ import annotations

import secrets
from typing import Any

import anywidget
import traitlets

from ..rest.progress import in_notebook
from . import lifetime


class DisplayedWidget(anywidget.AnyWidget):
    """A widget with a static form, which lives while a variable or the output of a cell refers to it; base class of all views."""

    _static_id = traitlets.Unicode().tag(sync=True)  # of the static form that is shown instead of it without a kernel

    def __init__(self, **traits: Any) -> None:
        super().__init__(_static_id=secrets.token_hex(8), **traits)

    def open(self) -> None:
        """Connect the view to the notebook; done when it is made."""
        super().open()
        lifetime.register_weakly(self)

    def get_state(self, key: Any = None, drop_defaults: bool = False) -> Any:
        """Return the state that the browser needs, defaults too: `ipywidgets.embed` would drop the program of the view."""
        del drop_defaults
        return super().get_state(key)

    def _static(self) -> str:
        """Return the static form as HTML."""
        raise NotImplementedError

    def _ipython_display_(self, **_: Any) -> None:
        """Show a static table, which the view hides while it has a kernel, and then the view.

        A notebook that is opened without its kernel, or exported, shows the static table.
        """
        if not in_notebook() or self.comm is None:
            raise NotImplementedError  # the repr is shown
        from IPython.display import publish_display_data

        lifetime.keep_while_shown(self)
        publish: Any = publish_display_data  # untyped in IPython
        publish({"text/html": self._static(), "text/plain": repr(self)})
        live = super()._repr_mimebundle_()
        publish(*(live if isinstance(live, tuple) else (live,)))  # with its metadata, which Colab needs

    def _repr_mimebundle_(self, **options: Any) -> Any:
        """Return the view, and a static table for front ends without widgets."""
        if in_notebook():
            lifetime.keep_while_shown(self)
        bundle = super()._repr_mimebundle_(**options)
        data = bundle[0] if isinstance(bundle, tuple) else bundle
        if data is not None:
            data["text/html"] = self._static()
        return bundle
