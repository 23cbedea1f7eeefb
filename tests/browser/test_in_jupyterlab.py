"""What people come for, in the real notebook: find checkpoints of an account, let them expire, publish and delete them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from tinker_frames.demo import Burst, DemoServer
from tinker_frames.views.table import CHUNK

from .visit import Hands, Visit, checkpoints, environment, exploring

if TYPE_CHECKING:
    from .lab import Lab

pytestmark = pytest.mark.browser

DAY = timedelta(hours=24, minutes=1)
IMPATIENT = "import tinker_frames.plans.runner; tinker_frames.plans.runner.MOST_TRIES = 2"  # of a row, so that a test need not wait


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


def test_published_rows_change_where_they_are(lab: Lab, server: DemoServer) -> None:
    """Of a filtered and sorted table all rows that match but one are published; filter, order, scroll and choice stay."""
    with exploring(lab, server) as visit:
        found = [path for path, row in checkpoints(server).items() if "step-" in path]
        visit.search("step-", len(found))
        visit.click("all")
        visit.hands.click(visit.head("size_gb"))
        visit.sees(visit.sorts, {"size_gb": "▲"})
        visit.scroll(28 * 30)
        visit.hands.click(visit.cell(35, "name"))
        visit.says(visit.choice, f"{len(found) - 1:,} selected")
        left_out, keys = visit.row(35).get_attribute("data-key"), visit.keys()
        assert len(found) > CHUNK, "rows of which the browser has not seen all"
        visit.begin("publish")
        visit.go_on("run")
        visit.hands.click(visit.on_desk("close"))
        assert {path for path, row in checkpoints(server).items() if row.public} >= {*found} - {left_out}
        assert not checkpoints(server)[left_out].public
        visit.sees(lambda: {*visit.column("public")}, {"◉ public", "private"})
        assert [row.key for row in visit.rows() if "private" in row.cells] == [left_out]
        assert visit.keys() == keys, "the same rows stand at the same place"
        assert (visit.sorts(), visit.named("text").input_value()) == ({"size_gb": "▲"}, "step-")
        assert visit.choice().startswith(f"{len(found) - 1:,} selected")


def test_a_delete_wants_its_number_and_takes_what_was_chosen_when_it_was_asked_for(
    lab: Lab, server: DemoServer
) -> None:
    """Another number leaves the button off; the right one deletes the rows of the confirmation, whatever is filtered since."""
    before = set(checkpoints(server))
    with exploring(lab, server) as visit:
        visit.hands.click(visit.head("time"))
        visit.sees(visit.sorts, {"time": "▲"})
        for place in (0, 2, 3):
            visit.hands.click(visit.cell(place, "name"))
        visit.sees(visit.chosen, [0, 2, 3])
        chosen = {row.key for row in visit.rows() if row.chosen}
        visit.begin("delete")
        visit.search("final", sum("final" in path for path in before))
        assert "not in this view" in visit.choice()
        for typed, is_on in (("2", False), ("33", False), ("3", True)):
            visit.on_desk("typed").fill(typed)
            assert visit.on_desk("run").is_enabled() is is_on
        visit.go_on("run")
        assert visit.outcomes() == {"done": 3}
        assert before - set(checkpoints(server)) == chosen
        assert [call.status for call in server.requests.to("delete_checkpoint")] == [204] * 3
        assert visit.named("text").input_value() == "final"
        visit.says(visit.counts, f" of {len(before) - 3:,}")


def test_what_a_failing_server_did_not_do_is_listed_and_done_when_it_is_well(lab: Lab, server: DemoServer) -> None:
    """Rows that failed stand there with their error; Try again sends those and no others once the server answers."""
    with exploring(lab, server, setup=IMPATIENT) as visit:
        visit.hands.press("Shift+ArrowDown", "Shift+ArrowDown", "Shift+PageDown", on=visit.grid)
        visit.says(visit.choice, " selected")
        server.faults.bursts.append(Burst("publish_checkpoint", 500, after=5, times=None))
        visit.begin("publish")
        visit.go_on("run")
        outcomes = visit.outcomes()
        assert outcomes["done"] == 5
        assert outcomes["failed"] >= 5
        listed = visit.find(".tkf-listed tbody tr").all_inner_texts()
        assert len(listed) == outcomes["failed"]
        assert all("tinker://" in line and "failed" in line and "500" in line for line in listed)
        server.faults.clear()
        visit.go_on("retry")
        assert f"Publish {outcomes['failed']}" in visit.desk()
        visit.go_on("run")
        assert visit.outcomes() == {"done": outcomes["failed"]}
        published = {line.split("\t")[0] for line in listed}
        assert all(checkpoints(server)[path].public for path in published)


def test_cancel_sends_nothing_further_and_other_cells_run_meanwhile(lab: Lab, server: DemoServer) -> None:
    """While a slow server publishes, another cell runs; after Cancel what was not begun is said to be so, and was not sent."""
    with exploring(lab, server, "6 * 7") as visit:
        server.faults.write_latency = 0.4
        visit.begin("publish")
        visit.hands.click(visit.on_desk("run"))
        visit.notebook.run(1)
        assert visit.notebook.text(1) == "42"
        assert visit.on_desk("cancel").is_visible(), "it still goes on"
        visit.hands.until(lambda: visit.find(".tkf-progress").get_attribute("aria-valuenow") not in (None, "0"))
        visit.go_on("cancel")
        outcomes = visit.outcomes()
        sent = server.requests.count("publish_checkpoint")
        assert sent == outcomes["done"] == sum(call.status == 204 for call in server.requests.to("publish_checkpoint"))
        assert outcomes["skipped"] > 100
        assert "not begun when it was cancelled" in visit.desk()
        visit.click("refresh")
        visit.hands.until(lambda: visit.named("refresh").get_attribute("aria-disabled") is None)
        assert server.requests.count("publish_checkpoint") == sent, "nothing is sent afterwards either"


def test_a_rate_limit_is_said_and_waited_for(lab: Lab, server: DemoServer) -> None:
    """Where the server asks to wait the progress says for how long and why; then the rest is done."""
    with exploring(lab, server) as visit:
        visit.hands.press("Shift+ArrowDown", "Shift+PageDown", on=visit.grid)
        visit.says(visit.choice, " selected")
        server.faults.bursts.append(Burst("publish_checkpoint", 429, after=3, times=1, retry_after="2"))
        visit.begin("publish")
        visit.hands.click(visit.on_desk("run"))
        visit.says(visit.desk, "waiting 2 s: rate limited (429)")
        visit.over()
        assert set(visit.outcomes()) <= {"done", "unchanged"}
        assert visit.outcomes()["done"] == server.requests.count("publish_checkpoint") - 1
