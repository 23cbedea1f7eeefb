"""Each action: its request, when it has no effect, when it shortens a lifetime, and when it is done."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinker_frames.plans.actions import ACTIONS, Action
from tinker_frames.plans.changes import describe_change
from tinker_frames.plans.guards import GUARDS
from tinker_frames.plans.jobs import MARGIN, TOLERANCE, Job, RequestedExpiry, State

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
DAY = timedelta(days=1)
TIMES = st.one_of(st.none(), st.integers(-(10**7), 10**8).map(lambda seconds: NOW + timedelta(seconds=seconds)))
STATES = st.builds(State, st.one_of(st.none(), st.booleans()), TIMES)
EXPIRIES = st.one_of(
    st.one_of(st.none(), st.integers(3600, 315_360_000)).map(RequestedExpiry),
    st.integers(3600, 10**8).map(lambda seconds: RequestedExpiry(until=NOW + timedelta(seconds=seconds))),
)
PATH = "tinker://s:train:0/weights/a b"


def test_an_action_that_is_offered_needs_a_doc() -> None:
    """A declaration that lacks it is refused where it stands, before its method and command are made of it."""
    with pytest.raises(TypeError, match="'lend' is offered by its label, so it needs a doc"):
        Action("lend", "lend", "be lent", label="Lend")


def test_each_action_is_its_request_of_the_contract() -> None:
    """Method, path and body are those of the wire contract; a null TTL is sent, not omitted."""
    base = "/api/v1/training_runs/s:train:0/checkpoints/weights/a%20b"
    job = Job(PATH, State(False, None), RequestedExpiry(86_400))
    requests = {
        action.name: (action.method, job.url(action.suffix), action.body(job.expiry, NOW))
        for action in ACTIONS.values()
        if action.method
    }
    ttl = ("PUT", f"{base}/ttl", {"ttl_seconds": 86_400})
    assert requests == {
        "publish": ("POST", f"{base}/publish", None),
        "unpublish": ("DELETE", f"{base}/publish", None),
        "set_ttl": ttl,
        "expire": ttl,
        "extend": ttl,
        "restore": ttl,
        "delete": ("DELETE", base, None),
    }
    assert ACTIONS["set_ttl"].body(RequestedExpiry(), NOW) == {"ttl_seconds": None}


@pytest.mark.parametrize(
    ("action", "state", "expiry", "already", "shortens"),
    [
        ("delete", State(False, None), RequestedExpiry(), False, True),
        ("publish", State(True, None), RequestedExpiry(), True, False),
        ("publish", State(False, None), RequestedExpiry(), False, False),
        ("publish", State(None, None), RequestedExpiry(), False, False),
        ("unpublish", State(False, None), RequestedExpiry(), True, False),
        ("unpublish", State(True, None), RequestedExpiry(), False, False),
        ("set_ttl", State(False, None), RequestedExpiry(None), True, False),
        ("set_ttl", State(False, NOW + DAY), RequestedExpiry(None), False, False),
        ("set_ttl", State(False, NOW + DAY), RequestedExpiry(2 * 86_400), False, False),
        ("set_ttl", State(False, NOW + 3 * DAY), RequestedExpiry(2 * 86_400), False, True),
        ("set_ttl", State(False, None), RequestedExpiry(2 * 86_400), False, True),
        ("extend", State(False, None), RequestedExpiry(), True, False),
        ("extend", State(False, NOW + DAY), RequestedExpiry(86_400, NOW + 2 * DAY), False, False),
        ("expire", State(False, None), RequestedExpiry(86_400), False, True),
        ("expire", State(False, NOW + DAY / 2), RequestedExpiry(86_400), True, False),
        ("expire", State(False, NOW + 2 * DAY), RequestedExpiry(86_400), False, True),
    ],
)
def test_when_it_is_already_so_and_when_it_shortens(
    action: str, state: State, expiry: RequestedExpiry, already: bool, shortens: bool
) -> None:
    """Guards and confirmations depend on these: only removals and earlier expiries shorten a lifetime."""
    assert ACTIONS[action].is_already(state, expiry, NOW) is already
    assert ACTIONS[action].shortens(state, expiry, NOW) is shortens


@given(STATES, EXPIRIES, st.sampled_from(sorted(ACTIONS)))
def test_expire_never_puts_an_end_off_and_what_lengthens_never_counts_as_shortening(
    state: State, expiry: RequestedExpiry, name: str
) -> None:
    """For every state and requested expiry, `expire` sends only earlier expiries; only deletes and earlier expiries shorten."""
    action = ACTIONS[name]
    wanted = expiry.resolve(NOW) if action.sets_expiry else state.expires_at
    earlier = wanted is not None and (state.expires_at is None or wanted < state.expires_at)
    assert action.shortens(state, expiry, NOW) is (action.removes or (action.sets_expiry and earlier))
    if name == "expire" and wanted is not None and not action.is_already(state, expiry, NOW):
        assert earlier


@given(STATES, EXPIRIES)
def test_what_is_done_is_the_state_that_was_asked_for(state: State, expiry: RequestedExpiry) -> None:
    """An action is done if the state is as requested, within minutes of clock skew; a missing checkpoint is only deleted."""
    is_done = {name: action.is_done(state, expiry, NOW) for name, action in ACTIONS.items()}
    assert (is_done["publish"], is_done["unpublish"], is_done["delete"]) == (
        state.public is True,
        state.public is False,
        False,
    )
    wanted = expiry.resolve(NOW)
    if wanted is None or state.expires_at is None:
        close = wanted is state.expires_at is None
    else:
        close = abs(wanted - state.expires_at) <= TOLERANCE
    assert is_done["set_ttl"] is is_done["expire"] is is_done["restore"] is close
    assert [name for name, action in ACTIONS.items() if action.is_done(None, expiry, NOW)] == ["delete"]


@given(st.integers(3700, 10**8), st.floats(0, 1))
def test_a_time_to_end_by_is_not_passed(seconds: int, fraction: float) -> None:
    """The TTL for an expiry ends before it, by at most a few seconds, at any fraction of a second."""
    until, now = NOW + timedelta(seconds=seconds), NOW + timedelta(seconds=fraction)
    end = now + timedelta(seconds=RequestedExpiry(until=until).seconds(now))
    assert MARGIN <= until - end <= MARGIN + timedelta(seconds=1)


def test_what_can_be_undone_names_how() -> None:
    """Every write except delete has an inverse that leads back to the earlier state."""
    assert {name: action.undo for name, action in ACTIONS.items() if action.method} == {
        "publish": "unpublish",
        "unpublish": "publish",
        "set_ttl": "restore",
        "expire": "restore",
        "extend": "restore",
        "restore": "restore",
        "delete": "",
    }


@pytest.mark.parametrize("unknown", [True, None])
@pytest.mark.parametrize("action", ["set_ttl", "expire", "restore"])
@pytest.mark.parametrize("expiry", [RequestedExpiry(86_400), RequestedExpiry()])
def test_an_expiry_that_may_be_unknown_is_no_never(action: str, unknown: bool | None, expiry: RequestedExpiry) -> None:
    """If an expiry may be unreadable, a row is neither unchanged nor done and may be shortened, so guards hold it."""
    state, declared = State(False, None, expiry_unknown=unknown), ACTIONS[action]
    assert not state.is_expiry_known
    assert not declared.is_readable(state)
    assert not declared.is_already(state, expiry, NOW)
    assert not declared.is_done(state, expiry, NOW)
    assert declared.shortens(state, expiry, NOW)
    assert GUARDS["expiry"].describe(unknown)
    assert describe_change(state, State(False, None))
    assert not describe_change(state, State(False, None, expiry_unknown=True))
