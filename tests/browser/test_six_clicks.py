"""Keeping the best by a metric, what is public and what was read: from a view of checkpoints to the plan and its dollars in six clicks."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

import tinker_frames as tkf
from tinker_frames.policies import best, keep_public, read_within

from .test_find_and_expire import CountingView

if TYPE_CHECKING:
    from pathlib import Path

    from tinker_frames.demo import DemoServer

    from .widget_host import WidgetHost

pytestmark = pytest.mark.browser

MOST_CLICKS = 6


def test_the_best_two_the_public_and_the_read_stay_in_six_clicks(
    host: WidgetHost, client: tkf.Client, server: DemoServer, tmp_path: Path
) -> None:
    """Select all, retire, two rules off, one duration, and when: the plan is that of the line of Python, and says its dollars a month."""
    ckpts = client.checkpoints().tinker.with_metrics(server.write_logs(tmp_path))
    expected = ckpts.tinker.retire(best("test/nll", n=2) | keep_public() | read_within("60d"), after="24h")
    view = CountingView(host, tkf.explore(ckpts, client))
    view.press_on('[data-name="all"]')
    view.press_on('.tkf-actions [data-name="retire"]')
    assert view.panel_control("best").input_value() == "test/nll:2"
    for rule in ("keep_final", "used_by_samplers"):
        view.press_on(f'.tkf-action-panel [data-name="{rule}"]')
    view.press_on('.tkf-action-panel [data-name="read_within"]')
    view.page.keyboard.type("60d")
    view.wait_until_idle()
    host.wait_until(lambda: view.find(".tkf-estimate:not(.tkf-working)").count())
    assert re.search(r"about \$[\d.,]+ a month", host.text(view.find(".tkf-estimate")))
    view.press_on('.tkf-action-panel [data-name="1d"]')
    host.wait_until(lambda: view.widget.plan is not None)
    plan = view.widget.plan
    assert plan is not None
    assert dict(zip(plan.frame["tinker_path"], plan.frame["verdict"], strict=True)) == dict(
        zip(expected.frame["tinker_path"], expected.frame["verdict"], strict=True)
    )
    dollars = re.search(r"about \$[\d.,]+ a month", str(expected))
    assert dollars is not None
    assert dollars[0] in host.text(view.find(".tkf-action-panel"))
    assert view.clicks == MOST_CLICKS
