"""The declared messages between Python and the browser: their TypeScript declarations, and the requests that are handled."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import get_args, get_type_hints

import pytest

from tinker_frames.views import messages, requests
from tinker_frames.views.explorer import PARTS
from tinker_frames.views.handlers import HANDLERS
from tinker_frames.views.traits import PUBLIC

FRONTEND = Path(__file__).parents[2] / "tinker_frames" / "views" / "frontend"


@pytest.mark.skipif(not FRONTEND.exists(), reason="the sources of the front end are not installed")
def test_the_typescript_declarations_are_up_to_date() -> None:
    """The committed messages.d.ts is what generate_types.py makes of messages.py and requests.py."""
    generated = runpy.run_path(str(FRONTEND / "generate_types.py"))["declare_all"]()
    assert (FRONTEND / "src" / "messages.d.ts").read_text(encoding="utf-8") == generated


def test_every_request_has_a_handler() -> None:
    """The declared requests are exactly those that have a handler."""
    declared = {do for request in get_args(requests.Request) for do in get_args(get_type_hints(request)["do"])}
    assert declared == set(HANDLERS)


def test_every_handler_is_annotated_with_its_request() -> None:
    """The handler of a request with fields is annotated with that request's type."""
    for do, handler in HANDLERS.items():
        if hints := get_type_hints(handler):
            _, request, _ = hints.values()
            assert do in get_args(get_type_hints(request)["do"])


def test_every_part_of_a_view_is_declared() -> None:
    """The declared state consists of the rendered parts, the public traits, the limits, and what the page needs to know and to say."""
    assert set(get_type_hints(messages.ViewState)) == {f"_{part}" for part in PARTS} | {
        "_limits",
        "_static_id",
        "_seen",
        *PUBLIC,
    }
