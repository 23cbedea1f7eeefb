"""What people come for, in the real notebook: find checkpoints of an account, let them expire, publish and delete them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from tinker_frames.demo import DemoServer

from .visit import Hands, Visit, checkpoints, environment, exploring

if TYPE_CHECKING:
    from .lab import Lab

pytestmark = pytest.mark.browser

DAY = timedelta(hours=24, minutes=1)


def expiring(server: DemoServer) -> set[str]:
    """Return the paths that are gone tomorrow."""
    tomorrow = server.state.now() + DAY
    return {path for path, row in checkpoints(server).items() if row.expires_at and row.expires_at < tomorrow}


def old(server: DemoServer, path: str) -> bool:
    """Tell whether a checkpoint is private and was saved more than 30 days ago."""
    row = checkpoints(server)[path]
    return not row.public and server.state.now() - row.time > timedelta(days=30)


def test_from_a_fresh_notebook_to_500_expiring_checkpoints_in_under_ten_clicks(lab: Lab) -> None:
    """The cell is run, two filters and the action are clicked, and 500 more of 1,200 checkpoints are gone tomorrow; undone, none."""
    with DemoServer(runs=40, checkpoints=1200) as server:
        before, soon = {path: row.expires_at for path, row in checkpoints(server).items()}, expiring(server)
        with lab.notebook(["import tinker_frames as tkf\n\ntkf.explore()"], env=environment(server)) as notebook:
            hands = Hands(notebook)
            notebook.select(0)
            hands.press("Control+Enter")
            visit = Visit(notebook, hands=hands)
            visit.click("created", "older than 30 d", "public", "option private")
            visit.sees(visit.chips, ["Created: older than 30 d", "Public: private"])
            visit.begin("expire")
            visit.go_on("run")
            sent = visit.outcomes()["done"]
            assert hands.clicks + hands.keys < 10
            assert sent >= 500
            assert len(expiring(server) - soon) == sent
            assert all(old(server, path) for path in expiring(server) - soon)
            visit.go_on("undo")
            assert visit.outcomes() == {"done": sent}
        after = {path: row.expires_at for path, row in checkpoints(server).items()}
        late = {path: (was, after[path]) for path, was in before.items() if after[path] != was}
        assert after.keys() == before.keys()
        assert all(was and timedelta() <= was - now < timedelta(minutes=1) for was, now in late.values()), (
            "never longer"
        )


def test_cancel_sends_nothing_further_and_other_cells_run_meanwhile(lab: Lab, server: DemoServer) -> None:
    """While a slow server publishes, another cell runs; after Cancel the remaining rows are listed as not sent, and were not."""
    with exploring(lab, server, "6 * 7") as visit:
        server.faults.write_latency = 0.4
        visit.begin("publish")
        visit.type_number()
        visit.hands.click(visit.on_panel("run"))
        visit.notebook.run(1)
        assert visit.notebook.text(1) == "42"
        assert visit.on_panel("cancel").is_visible(), "it still goes on"
        visit.hands.until(lambda: visit.find(".tkf-progress").get_attribute("aria-valuenow") not in (None, "0"))
        visit.go_on("cancel")
        outcomes = visit.outcomes()
        sent = server.requests.count("publish_checkpoint")
        assert sent == outcomes["done"] == sum(call.status == 204 for call in server.requests.to("publish_checkpoint"))
        assert outcomes["skipped"] > 100
        assert "not sent when it was cancelled" in visit.panel()
        visit.click("refresh")
        visit.hands.until(lambda: visit.named("refresh").get_attribute("aria-disabled") is None)
        assert server.requests.count("publish_checkpoint") == sent, "nothing is sent afterwards either"
