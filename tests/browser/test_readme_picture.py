"""The screenshot in the README, taken from a real view, and the check that it is current.

`TINKER_FRAMES_PICTURE=1 pytest -n 0 -m browser tests/browser/test_readme_picture.py` takes it again.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tinker_frames.demo import DemoServer

from .lab import CHECKOUT
from .notebook_view import CELL, NotebookView, open_view, resize_window

if TYPE_CHECKING:
    from .lab import Lab

pytestmark = pytest.mark.browser

PICTURE = CHECKOUT / ".docs" / "pages" / "view.png"
WIDTH = 1180
WINDOW = {"width": 1360, "height": 1500}  # wide enough to show the entire view
# No names in other scripts: the machine that takes the screenshot lacks fonts for some.
SHOWN = f"""{CELL.removesuffix("view")}
view.filters = {{
    "created": {{"older_than": 7}},
    "model": ["deepseek-ai/DeepSeek-V3.1", "meta-llama/Llama-3.3-70B-Instruct"],
}}
view.sort = ["-step", "-size_gb"]
view.columns = ["name", "display_name", "step", "size_gb", "expires_at", "checkpoint_type", "base_model", "time"]
view"""
SELECTED = (1, 4, 5, 8)


@contextmanager
def open_picture(lab: Lab) -> Iterator[NotebookView]:
    """Yield the view as it is in the screenshot."""
    with (
        resize_window(lab, **WINDOW),
        DemoServer(runs=60, checkpoints=1200, seed=1, hostile=False) as server,
        open_view(lab, server, cell=SHOWN) as view,
    ):
        for place in SELECTED:
            view.user_input.click(view.check(place))
        view.wait_for(view.selected, list(SELECTED))
        view.find(".tkf-chart").last.wait_for()
        view.page.mouse.move(0, 0)
        view.page.evaluate("document.activeElement.blur()")
        yield view


def size(png: bytes) -> tuple[int, int]:
    """Return the width and height of a PNG."""
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", png[16:24])
    return width, height


def test_the_picture_of_the_readme_is_what_the_view_looks_like(lab: Lab) -> None:
    """The stored screenshot is shown in the README and has the current size of the view, whose text every font covers."""
    with open_picture(lab) as view:
        assert all(ord(letter) < 0x2E80 for letter in view.root.inner_text())
        png = view.root.screenshot()
    if os.environ.get("TINKER_FRAMES_PICTURE"):
        PICTURE.write_bytes(png)
    (width, height), (now_width, now_height) = size(PICTURE.read_bytes()), size(png)
    assert width == now_width == WIDTH
    assert height == pytest.approx(now_height, rel=0.1)
    assert f"]({PICTURE.relative_to(CHECKOUT).as_posix()})" in (CHECKOUT / "README.md").read_text("utf-8")
