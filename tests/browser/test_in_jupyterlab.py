"""Typical tasks in JupyterLab: finding checkpoints of an account, expiring, publishing and deleting them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from tinker_frames.demo import DemoServer

from .notebook_view import NotebookView, UserInput, checkpoints, environment, open_view

if TYPE_CHECKING:
    from .lab import Lab

pytestmark = pytest.mark.browser

DAY = timedelta(hours=24, minutes=1)


def list_expiring(server: DemoServer) -> set[str]:
    """Return the paths that expire by tomorrow."""
    tomorrow = server.state.now() + DAY
    return {path for path, row in checkpoints(server).items() if row.expires_at and row.expires_at < tomorrow}


def is_old(server: DemoServer, path: str) -> bool:
    """Return whether a checkpoint is private and older than 30 days."""
    row = checkpoints(server)[path]
    return not row.public and server.state.now() - row.time > timedelta(days=30)


def test_from_a_fresh_notebook_to_500_expiring_checkpoints_in_under_ten_clicks(lab: Lab) -> None:
    """Running the cell, two filters, all that match and the action expire 500 more of 1,200 checkpoints tomorrow; undo restores all."""
    with DemoServer(runs=40, checkpoints=1200) as server:
        before, soon = {path: row.expires_at for path, row in checkpoints(server).items()}, list_expiring(server)
        with lab.notebook(["import tinker_frames as tkf\n\ntkf.explore()"], env=environment(server)) as notebook:
            user_input = UserInput(notebook)
            notebook.select(0)
            user_input.press("Control+Enter")
            view = NotebookView(notebook, user_input=user_input)
            view.click("created", "older than 30 d", "pick private")
            view.wait_for(view.chips, ["Created: older than 30 d", "Public: private"])
            view.select_matching()
            view.begin("expire")
            view.continue_action("run")
            sent = view.outcomes()["done"]
            assert user_input.clicks + user_input.keys < 10
            assert sent >= 500
            assert len(list_expiring(server) - soon) == sent
            assert all(is_old(server, path) for path in list_expiring(server) - soon)
            view.continue_action("undo")
            assert view.outcomes() == {"done": sent}
        after = {path: row.expires_at for path, row in checkpoints(server).items()}
        late = {path: (was, after[path]) for path, was in before.items() if after[path] != was}
        assert after.keys() == before.keys()
        assert all(was and timedelta() <= was - now < timedelta(minutes=1) for was, now in late.values()), (
            "never longer"
        )


def test_cancel_sends_nothing_further_and_other_cells_run_meanwhile(lab: Lab, server: DemoServer) -> None:
    """Another cell runs while a slow server publishes; after Cancel the remaining rows are listed as not sent, and were not."""
    with open_view(lab, server, "6 * 7") as view:
        server.faults.write_latency = 0.4
        view.select_matching()
        view.begin("publish")
        view.type_number()
        view.user_input.click(view.panel_control("run"))
        view.notebook.run(1)
        assert view.notebook.text(1) == "42"
        assert view.panel_control("cancel").is_visible(), "it still goes on"
        view.user_input.wait_until(lambda: view.find(".tkf-progress").get_attribute("aria-valuenow") not in (None, "0"))
        view.continue_action("cancel")
        outcomes = view.outcomes()
        sent = server.requests.count("publish_checkpoint")
        assert sent == outcomes["done"] == sum(call.status == 204 for call in server.requests.to("publish_checkpoint"))
        assert outcomes["skipped"] > 100
        assert "not sent when it was cancelled" in view.panel()
        view.click("refresh")
        view.user_input.wait_until(lambda: view.control("refresh").get_attribute("aria-disabled") is None)
        assert server.requests.count("publish_checkpoint") == sent, "nothing is sent afterwards either"
