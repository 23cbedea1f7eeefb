"""A plan as text and HTML: correct numbers and escaped text."""

from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import pandas as pd
import pytest

import tinker_frames as tkf
from tinker_frames import policies as P  # noqa: N812
from tinker_frames.demo import DemoServer, Faults
from tinker_frames.frames.humanize import format_size
from tinker_frames.plans.guards import GUARDS, describe_holds
from tinker_frames.plans.plan import Plan
from tinker_frames.plans.summary import REASONS_SHOWN, count_reasons, format_plan_text, pick_rows

Make = Callable[..., tkf.Client]
ALL = tuple(GUARDS)


def texts(plan: Plan) -> tuple[str, str]:
    """Return the text and the visible text of the HTML."""
    seen: list[str] = []

    class Reader(HTMLParser):
        def handle_data(self, data: str) -> None:
            seen.append(data)

    Reader().feed(plan._repr_html_())
    return repr(plan), " ".join(seen)


def test_the_numbers_are_right(shared_client: tkf.Client) -> None:
    """Rows, gigabytes, dollars a month, and how many are public, newest, last, loaded, without expiry: as counted from the frame."""
    plan = shared_client.checkpoints().tinker.delete().allow("newest", "last_training", "sampler")
    sends = plan.frame.query("verdict == 'send'")
    held = plan.frame.query("verdict == 'held'")
    rate = shared_client.rest.get_current_checkpoint_usage()["effective_rate_usd_per_gigabyte_month"]
    gigabytes = sends["size_bytes"].sum() / 1e9
    for text in texts(plan):
        flat = " ".join(text.split())
        assert f"{len(sends):,} of {len(plan):,} checkpoints, {format_size(gigabytes * 1e9)}" in flat
        assert " a month, will be deleted" in flat
        assert f"(size of {sends['size_bytes'].isna().sum()} not known)" in flat
        assert f"about ${gigabytes * rate:,.2f} a month" in flat
        counts = {
            "newest of their runs": sends["is_newest"].sum(),
            "last training checkpoints of their runs": sends["is_last_training"].sum(),
            "loaded by a sampler": sends["loaded_by_sampler"].sum(),
            "without expiry": sends["expires_at"].isna().sum(),
        }
        assert not sends["public"].fillna(False).any()
        assert "0 public" not in flat
        for what, count in counts.items():
            assert count > 0
            assert f"{count:,} {what}" in flat
        assert GUARDS["newest"].count(1) == "1 newest of its run"
        assert f"held: {len(held)}, public: others may be using it" in flat
        assert "cannot be undone" in flat
        assert "Nothing is sent until plan.run()" in flat


def test_the_first_and_the_largest_rows_are_shown(shared_client: tkf.Client) -> None:
    """The first and the largest rows are shown once each, with the number of further rows."""
    plan = shared_client.checkpoints().tinker.delete()
    largest = plan.frame.nlargest(4, "size_bytes")["tinker_path"]
    for path in [*plan.frame["tinker_path"].head(4), *largest]:
        assert repr(plan).count(path) == 1
    assert re.search(rf"… and {len(plan) - 8:,} more", repr(plan))
    few = plan.only(plan.frame["tinker_path"].isin(largest.head(2)))
    assert "more: plan.frame" not in repr(few)


@pytest.mark.parametrize("call", ["publish", "expire", "delete"])
def test_a_plan_fits_a_hundred_columns(shared_client: tkf.Client, call: str) -> None:
    """No line is longer than 100 characters, paths are complete, and the way to undo is named."""
    plan = getattr(shared_client.checkpoints().tinker, call)()
    assert max(map(len, repr(plan).splitlines())) <= 100
    assert all(path in repr(plan) for path in plan.frame["tinker_path"].head(4))
    assert ("cannot be undone" if call == "delete" else "can be undone with tkf.undo()") in repr(plan)


def test_columns_that_say_nothing_are_left_out(shared_client: tkf.Client) -> None:
    """A column that is empty, or of flags that are all false, is not among those of the rows that are shown."""
    private = shared_client.checkpoints().query("not public").head(5).tinker.expire()
    mixed = shared_client.checkpoints().sort_values("public", ascending=False).head(5).tinker.set_ttl("30d")
    assert "public" not in pick_rows(private.frame)
    assert {"public", "expires_after"} <= set(pick_rows(mixed.frame))


def test_each_guard_is_counted_once(shared_client: tkf.Client) -> None:
    """A row that several guards hold is counted by each of them, and one line says how many rows all of them hold."""
    plan = shared_client.checkpoints().tinker.delete()
    held = plan.frame.query("verdict == 'held'")
    (line,) = [line for line in plan.summarize(plan.frame) if line.startswith("held: ")]
    counts = {
        "public": held["public"].sum(),
        "newest of their runs": held["is_newest"].sum(),
        "last training checkpoints of their runs": held["is_last_training"].sum(),
        "loaded by a sampler": held["loaded_by_sampler"].sum(),
    }
    assert sum(counts.values()) > len(held)
    assert line == f"held: {len(held)} ({', '.join(f'{count} {name}' for name, count in counts.items())})"


def test_guards_that_cannot_tell_are_counted_apart() -> None:
    """What a guard is sure of and what it cannot tell are two numbers; an unknown expiry is one."""
    reasons = pd.Series(["loaded by a sampler", "not known whether a sampler has loaded it; its expiry is not known"])
    assert describe_holds(reasons) == [
        "1 loaded by a sampler",
        "1 possibly loaded by a sampler",
        "1 with unknown expiry",
    ]


def test_reasons_that_differ_on_every_row_are_few_lines() -> None:
    """The most frequent reasons have a line each, the others one line together."""
    reasons = pd.Series(["public"] * 5 + [f"its expiry has changed since, to {place}" for place in range(2000)])
    counts = count_reasons(reasons)
    assert counts[0] == ("public", 5)
    assert counts[-1] == ("for other reasons", 2005 - sum(count for _, count in counts[:-1]))
    assert len(counts) == REASONS_SHOWN + 1


def test_a_single_reason_beyond_those_shown_is_named() -> None:
    """A last reason is named: a line for the other reasons would take as much room."""
    reasons = pd.Series([f"reason {place}" for place in range(REASONS_SHOWN + 1)])
    assert dict(count_reasons(reasons)) == dict.fromkeys(reasons, 1)


def test_what_is_kept_stands_below_the_details_of_what_is_sent(shared_client: tkf.Client) -> None:
    """The line "among them" is about the rows of the headline, so it comes right after it."""
    plan = shared_client.checkpoints().tinker.retire(P.keep_last(1), after="24h")
    _, among, kept, *_ = plan.summarize(plan.frame)
    assert among.startswith("among them: ")
    assert kept.startswith("kept: ")


def test_hostile_names_are_escaped_and_keys_are_not_shown(shared_server: DemoServer, shared_client: tkf.Client) -> None:
    """Markup in names is text in the HTML, control characters are not in the text, and no key is in either."""
    frame = shared_client.checkpoints()
    hostile = frame[frame["name"].str.contains(r"[<>&\"]|[^ -~]", regex=True)]
    assert hostile["name"].str.contains("<img").any()
    for start in range(0, len(hostile), 4):
        plan = hostile.iloc[start : start + 4].tinker.delete()
        html, text = plan._repr_html_(), repr(plan)
        assert not re.search(r"<(?!/?(div|b|ul|li|table|thead|tbody|tr|th|td|p|code)>)", html)
        assert all(character.isprintable() or character == "\n" for character in text)
        assert shared_server.key not in html + text


def test_a_rule_in_a_reason_is_escaped(shared_client: tkf.Client) -> None:
    """The text of a keep rule contains user input and is escaped in the HTML too."""
    plan = shared_client.checkpoints().tinker.retire(keep=P.keep_named("<script>alert(1)</script>")).allow(*ALL)
    assert "<script" not in plan._repr_html_()
    assert "&lt;script" in plan._repr_html_()


def test_what_a_rule_keeps_is_counted(shared_client: tkf.Client) -> None:
    """A plan by a keep rule says how many checkpoints the rule keeps, also where it leaves nothing to do."""
    frame = shared_client.checkpoints()
    plan = frame.tinker.retire(keep=P.keep_last(1000))
    for text in texts(plan):
        assert "no checkpoint will " in text
        assert f"kept: {len(frame)} checkpoints, by keep_last(1000)" in text


def test_a_rule_that_keeps_nothing_is_named(shared_client: tkf.Client) -> None:
    """Of the rules joined by or, each that keeps no checkpoint is named in the plan: it may be mistyped."""
    rule = P.keep_last(1) | (P.has_metadata("los") | P.keep_final())
    plan = shared_client.checkpoints().tinker.retire(rule)
    lines = [line for line in plan.summarize(plan.frame) if line.startswith("check the rule")]
    assert lines == ["check the rule has_metadata('los'): it keeps no checkpoint"]


def test_without_a_rate_no_money_is_shown(client_of: Make) -> None:
    """Without access to billing only the size is shown, and rendering does not fail."""
    for options in ({"admin": False}, {"faults": Faults(missing=("get_current_checkpoint_storage_usage",))}):
        with DemoServer(runs=6, **options) as server:
            plan = client_of(server).checkpoints().tinker.delete()
            assert "GB" in repr(plan)
            assert "$" not in repr(plan) + plan._repr_html_()


@pytest.mark.parametrize(
    ("call", "given", "effect"),
    [
        ("publish", (), "become public"),
        ("unpublish", (), "become private"),
        ("expire", (), "be changed"),
        ("set_ttl", (None,), "be changed"),
        ("delete", (), "be deleted"),
    ],
)
def test_an_empty_plan_can_be_shown(shared_client: tkf.Client, call: str, given: tuple[Any, ...], effect: str) -> None:
    """A plan without rows has both texts, says that nothing will change, and runs to no outcomes."""
    plan = getattr(shared_client.checkpoints().head(0).tinker, call)(*given)
    for text in texts(plan):
        assert f"no checkpoint will {effect}" in text
    assert len(plan.run()) == 0


def test_a_plan_of_rows_without_a_path_is_shown(shared_client: tkf.Client) -> None:
    """The column of paths is shown also where no row has one."""
    plan = pd.DataFrame({"tinker_path": [""]}).tinker.delete(client=shared_client)
    assert "refused" in repr(plan)
    assert "refused" in plan._repr_html_()


@pytest.mark.parametrize("width", range(30, 60))
def test_a_number_and_its_unit_stay_on_one_line(width: int) -> None:
    """No line ends between "24" and "h" or "38.2" and "GB", and none is wider than the terminal."""
    rows = pd.DataFrame({"verdict": [], "size_bytes": [], "tinker_path": []})
    text = format_plan_text(
        ["24 of 90 checkpoints, 38.2 GB, about $3.82 a month, will expire in 24 h"], rows, width=width
    )
    assert not re.search(r"\d\n *(?:h|GB)", text)
    assert "\0" not in text
    assert max(map(len, text.splitlines()[:-1])) <= width
    assert "will expire in 24 h" in " ".join(text.split())
