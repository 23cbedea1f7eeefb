"""Views of a real account without a widget: messages from the browser, the displayed state, and the server's state."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pandas as pd

import tinker_frames as tkf
from tinker_frames.demo import DemoServer
from tinker_frames.views.explorer import PARTS, Explorer
from tinker_frames.views.handlers import handle
from tinker_frames.views.table import TableState

Make = Callable[..., tkf.Client]
WRITES = ("delete_checkpoint", "publish_checkpoint", "unpublish_checkpoint", "set_checkpoint_ttl")
PATIENCE_S = 60


class HeadlessView:
    """A view without a browser: it accepts messages and records updates."""

    def __init__(self, frame: pd.DataFrame, client: tkf.Client) -> None:
        self.updates: list[tuple[str, ...]] = []
        self.explorer = Explorer(TableState(frame), lambda: client, self._receive_update)
        self.shown: dict[str, Any] = {name: self.explorer.part(name) for name in PARTS}

    @property
    def state(self) -> TableState:
        """The displayed table."""
        return self.explorer.state

    @property
    def panel(self) -> dict[str, Any]:
        """The state of the action panel."""
        return self.explorer.panel.to_message()

    @property
    def note(self) -> str:
        """The note above the table, or the error or note on the panel."""
        return self.explorer.note or str(self.panel["error"] or self.panel["note"])

    @property
    def keys(self) -> list[str]:
        """The keys of the matching rows, in order."""
        return self.state.rows.get_filtered()[self.state.sort.key].tolist()

    @property
    def selected(self) -> list[str]:
        """The keys of the selected rows."""
        return self.state.rows.get_selected()[self.state.sort.key].tolist()

    def send(self, do: str, **message: Any) -> dict[str, Any] | None:
        """Pass a message as a browser sends it, and wait until the view is idle."""
        answer = self.post(do, **message)
        self.wait()
        return answer

    def post(self, do: str, **message: Any) -> dict[str, Any] | None:
        """Pass a message as a browser sends it, without waiting."""
        return handle(self.explorer, json.loads(json.dumps({"do": do} | message)))

    def wait(self) -> dict[str, Any]:
        """Wait until the view is idle, and return the state of the panel."""
        assert self.explorer.wait(PATIENCE_S), self.panel
        return self.panel

    def select(self, *keys: str) -> None:
        """Select rows by key."""
        self.explorer.select_keys(list(keys))

    def select_matching(self) -> None:
        """Select all matching rows, and no others."""
        self.send("select", how="none")
        self.send("select", how="all")

    def make_plan(self, act: str, **given: Any) -> dict[str, Any]:
        """Start an action, fill in its form, and return the panel with the plan to confirm."""
        self.send("begin", action=act)
        if self.panel["stage"] == "ask":
            self.send("answer", given=given)
        assert self.panel["stage"] == "confirm", self.note
        return self.panel

    def confirm(self) -> pd.DataFrame:
        """Confirm the plan with its row count, and return the outcomes."""
        self.send("confirm", typed=str(self.panel["number"]))
        assert self.panel["stage"] == "outcome", self.note
        outcomes = self.explorer.panel.outcomes
        assert outcomes is not None
        return outcomes

    def _receive_update(self, parts: tuple[str, ...]) -> None:
        self.updates.append(parts)
        for name in parts:
            self.shown[name] = json.loads(json.dumps(self.explorer.part(name), allow_nan=False))


def wait_until(condition: Callable[[], Any]) -> None:
    """Wait until a condition holds."""
    ends = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < ends, condition
        time.sleep(0.005)


def get_server_state(server: DemoServer) -> dict[str, tuple[bool, datetime | None]]:
    """Return public flag and expiry of each tinker path on the server."""
    rows, _ = server.state.checkpoints_page(10**6, 0)
    return {row.tinker_path: (row.public, row.expires_at) for row in rows}


def count_writes(server: DemoServer) -> int:
    """Return how many writes the server received."""
    return sum(server.requests.count(name) for name in WRITES)


def get_frame_state(frame: pd.DataFrame) -> dict[str, tuple[bool, datetime | None]]:
    """Return public flag and expiry of each row, like `get_server_state`."""
    ends = [None if pd.isna(at) else at.to_pydatetime() for at in frame["expires_at"]]
    return dict(zip(frame["tinker_path"], zip(frame["public"].astype(bool), ends, strict=True), strict=True))
