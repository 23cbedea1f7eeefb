"""One declaration per fact, in the views: an action, guard, keep rule or filter added in one place appears in the view."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.toys import Toy, copy_with, run_with

pytestmark = pytest.mark.slow

BEGIN = """
import tinker_frames as tkf

def begin(view, action):
    view._receive(None, {"do": "begin", "action": action}, None)
    assert view.wait(60)
    return view._action_panel

with tkf.demo.account(runs=3) as client:
    view = tkf.explore("checkpoints", client)
    view.selected = view.filtered
"""

ACTION = Toy(
    "plans/actions.py",
    '        Action(\n            "restore",',
    '        Action("toy", "play with", "be played with", "PUT", "ttl", lambda *_: True, sets_expiry=True, label="Toy…",\n'
    '               doc="Play.", parameters=(Parameter("long", "duration", "How long."),)),\n',
)
USE_ACTION = """
    button, = [button for button in view._head["actions"] if button["name"] == "toy"]
    assert (button["label"], button["doc"]) == ("Toy…", "Play.")
    panel = begin(view, "toy")
    assert panel["stage"] == "ask", panel
    assert [(field["name"], field["kind"], field["hint"]) for field in panel["fields"]] == [("long", "duration", "How long.")]
    view._receive(None, {"do": "answer", "given": {"long": "2d"}}, None)
    assert view.wait(60) and view._action_panel["stage"] == "confirm", view._action_panel
    assert 'plan = selected.tinker.toy("2d")' in view.code()
"""

GUARD = Toy(
    "plans/guards.py",
    """        Guard(
            "public",
""",
    '        Guard("toy", "is_toy", "it is a toy", "toys", find=lambda listed, _: listed["tinker_path"] != ""),\n',
)
USE_GUARD = """
    panel = begin(view, "delete")
    rows = len(view.selected)
    assert ("toy", f"{rows} toys", False) in [(guard["name"], guard["label"], guard["on"]) for guard in panel["guards"]]
    assert panel["number"] == 0
    assert [(group["verdict"], group["rows"]) for group in panel["groups"]] == [("held", rows)]
    view._receive(None, {"do": "allow", "guards": ["toy"]}, None)
    assert view.wait(60) and view._action_panel["number"] > 0
"""

RULE = Toy(
    "policies.py",
    '@keep_rule("Public", suggested=True)',
    '@keep_rule("Toys of at least", least=2)\ndef toys(n: int) -> Rule:\n    """Keep toys."""\n'
    '    return Rule(f"toys({n})", lambda frame: frame["step"] >= n)\n\n\n',
)
USE_RULE = """
    panel = begin(view, "retire")
    field, = [field for field in panel["fields"] if field["name"] == "toys"]
    assert (field["label"], field["kind"], field["least"], field["hint"]) == ("Toys of at least", "count", 2, "Keep toys.")
    view.act("retire", toys=5, after="24h")
    assert view.wait(60) and view.plan.rule == "toys(5)"
    assert "keep=tkf.policies.toys(5)" in view.code()
"""

FILTER = Toy(
    "views/controls.py",
    '    Control("status", "Status", "options",',
    '    Control("toy", "Toys", "options", ("checkpoint_id",)),\n',
)
USE_FILTER = """
    control, = [control for control in view._filter_bar["controls"] if control["name"] == "toy"]
    assert (control["label"], control["kind"]) == ("Toys", "options")
    view._receive(None, {"do": "facet", "name": "toy"}, None)
    one = view._facet["options"][0]["value"]
    view._receive(None, {"do": "filter", "name": "toy", "value": [one]}, None)
    assert set(view.filtered["checkpoint_id"]) == {one}
    assert "checkpoint_id" in view.query
"""

TOYS = {
    "action": (ACTION, USE_ACTION),
    "guard": (GUARD, USE_GUARD),
    "keep rule": (RULE, USE_RULE),
    "filter": (FILTER, USE_FILTER),
}


@pytest.mark.parametrize("kind", TOYS)
def test_a_fact_is_declared_once(tmp_path: Path, kind: str) -> None:
    """A view offers an entry of `ACTIONS`, `GUARDS`, `RULES` or `CONTROLS` without any other change."""
    toy, use = TOYS[kind]
    run_with(copy_with(tmp_path, toy), BEGIN + use)
