"""Billing usage, storage usage and audit."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from tinker_frames.demo.data.generator import generate_account
from tinker_frames.demo.data.state import State
from tinker_frames.demo.service.reports import report_storage, report_usage

from .conftest import build_route, find_path


def get_usage(web, start, end):
    """Request billing events."""
    return web.get("billing/usage/events", params={"starting_on": start.isoformat(), "ending_before": end.isoformat()})


HOUR = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)


def test_billing_usage_adds_up(serve, browse):
    """Usage is listed by hour; a cost equals rate times quantity, or is null if it is not known yet."""
    web = browse(serve())
    reply = get_usage(web, HOUR - timedelta(days=14), HOUR).json()
    events = reply["data"]
    fields = {event["event_info"]["type"]: set(event["event_info"]) - {"type"} for event in events}
    assert fields == {
        "training": {"token_count"},
        "sampling_sample": {"token_count"},
        "sampling_prefill": {"token_count", "cached"},
        "checkpoint": {"count"},
        "storage": {"gigabyte_hours", "free"},
    }
    saved = sum(event["event_info"].get("count", 0) for event in events)
    assert 0 < saved <= len(web.rows("checkpoints", "checkpoints", 1000)) * 2
    assert [e["bucket_start"] for e in events] == sorted(e["bucket_start"] for e in events)
    assert None in {event["estimated_cost_usd"] for event in events}
    for event in events:
        rate, cost = event["effective_rate_usd_per_million_tokens"], event["estimated_cost_usd"]
        if rate is not None:
            assert cost == pytest.approx(rate * event["event_info"]["token_count"] / 1e6, abs=1e-5)
    assert {e["session_id"] for e in events} - {None} == set(reply["sessions"])


def list_events(state, start, end):
    """Return the billing events of an interval as text."""
    return [json.dumps(event, sort_keys=True) for event in report_usage(state, start, end)["data"]]


def test_billing_of_days_that_are_over_is_fixed():
    """Neither when a server starts, nor checkpoints that are deleted or expire, change what was billed on the days before."""
    end = datetime(2026, 11, 23, tzinfo=UTC)
    span = end - timedelta(days=14), end
    times = [end + timedelta(minutes=5), end + timedelta(hours=13)]
    first, later = (State(generate_account(20, 1, now=now), now=now) for now in times)
    billed = list_events(first, *span)
    assert billed == list_events(later, *span)
    for row in first.checkpoints_page(20, 0)[0]:
        first.delete(row)
    first.advance(days=300)
    first.remove_rows("list_user_checkpoints", 5)
    assert billed == list_events(first, *span)


def test_billed_storage_is_what_is_stored():
    """A day's hours of storage, priced, are a thirtieth of the dollars a month of what is stored, and are less after a delete."""
    end = datetime(2026, 11, 23, tzinfo=UTC)
    state = State(generate_account(20, 1, now=end), now=end)

    def bill(start):
        events = report_usage(state, start, start + timedelta(days=1))["data"]
        return sum(each["estimated_cost_usd"] for each in events if each["event_info"]["type"] == "storage")

    stored = sum(row["estimated_monthly_cost_usd"] for row in report_storage(state, None)["data"])
    state.advance(hours=1)  # within which no checkpoint expires
    assert bill(end + timedelta(hours=1)) * 30 == pytest.approx(stored, rel=1e-3)
    for row in state.checkpoints_page(10**6, 0)[0]:
        state.delete(row)
    assert bill(end + timedelta(hours=1)) < bill(end)


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (HOUR - timedelta(days=15), HOUR),
        (HOUR + timedelta(hours=2), HOUR + timedelta(hours=3)),
        (HOUR, HOUR),
        (HOUR - timedelta(minutes=30), HOUR),
    ],
)
def test_billing_usage_bounds(web, start, end):
    """An interval over 14 days, in the future, empty, or off the hour is a 400."""
    assert get_usage(web, start, end).status_code == 400


def test_storage_usage_adds_up(web):
    """The storage usage by project and owner adds up to the checkpoints of the sessions."""
    reply = web.json("billing/usage/checkpoints/current")
    mine = [row for row in reply["data"] if row["org_user_urn"] == web.server.state.me.urn]
    rows = web.rows("checkpoints", "checkpoints", 1000)
    assert sum(row["checkpoint_count"] for row in mine) == len(rows)
    assert sum(row["size_bytes"] for row in mine) == sum(row["size_bytes"] or 0 for row in rows)
    one = web.json("billing/usage/checkpoints/current", project_id="proj-evals")["data"]
    assert one == [row for row in reply["data"] if row["project_id"] == "proj-evals"]


def test_audit_log_of_today(web):
    """The audit log of today has a publish and a delete, sorted by time."""
    path = find_path(web)
    web.post(build_route(path, "/publish"))
    web.delete(build_route(path))
    entries = web.json("audit", event_type="checkpoints")["entries"]
    done = [entry["event"] for entry in entries if entry["tinker_path"] == path]
    assert done[-2:] == ["checkpoint_publish", "checkpoint_delete"]
    assert [e["timestamp"] for e in entries] == sorted(e["timestamp"] for e in entries)
    assert web.json("audit", event_type="projects") == {"entries": []}


def test_billing_and_audit_need_the_role(serve, browse):
    """Without the administrator role billing and audit are a 403."""
    web = browse(serve(runs=1, admin=False))
    assert get_usage(web, HOUR - timedelta(days=1), HOUR).status_code == 403
    assert web.get("billing/usage/checkpoints/current").status_code == 403
    assert web.get("audit").status_code == 403


def test_audit_log_has_the_reads_of_samplers(web):
    """Each checkpoint that a sampler has loaded was read once, by the sampler's session, not before it was saved."""
    sessions = web.server.state.sessions("accessible")
    loaded = [(one.session_id, row.model_path) for one in sessions for row in one.samplers if row.model_path]
    days = sorted({one.created_at.date() for one in sessions} | {datetime.now(UTC).date()})
    days = [days[0] + timedelta(days=number) for number in range((days[-1] - days[0]).days + 1)]
    saved = {row["tinker_path"]: row["time"] for row in web.rows("checkpoints", "checkpoints", 1000)}
    entries = [entry for day in days for entry in web.json("audit", day=day.isoformat())["entries"]]
    reads = [entry for entry in entries if entry["event"] == "checkpoint_read"]
    assert loaded
    found = [(entry["event_details"]["actor"]["session_id"], entry["tinker_path"]) for entry in reads]
    assert sorted(found) == sorted(loaded)
    assert all(entry["timestamp"] > saved.get(entry["tinker_path"], "") for entry in reads)
    assert {entry["purpose"] for entry in reads} == {"sampling"}


def test_audit_log_may_be_behind_a_signed_url(serve, browse):
    """With `audit="redirect"` the answer is a 302 to a URL of the storage that holds the JSON."""
    web = browse(serve(runs=3, audit="redirect"))
    reply = web.get("audit")
    assert reply.status_code == 302
    plain = browse(web.server, None).get(reply.headers["Location"])
    web.server.switches.audit = "json"
    assert plain.json() == web.json("audit")
