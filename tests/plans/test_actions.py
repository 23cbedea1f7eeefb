"""What each action asks for, when it is already so, when it shortens a life, and when it took."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinker_frames.plans.actions import ACTIONS, MARGIN, TOLERANCE, State, Wish

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
DAY = timedelta(days=1)
TIMES = st.one_of(st.none(), st.integers(-(10**7), 10**8).map(lambda seconds: NOW + timedelta(seconds=seconds)))
STATES = st.builds(State, st.one_of(st.none(), st.booleans()), TIMES)
WISHES = st.one_of(
    st.one_of(st.none(), st.integers(3600, 315_360_000)).map(Wish),
    st.integers(3600, 10**8).map(lambda seconds: Wish(until=NOW + timedelta(seconds=seconds))),
)
PATH = "tinker://s:train:0/weights/a b"


def test_each_action_is_its_request_of_the_contract() -> None:
    """Method, path and body are those of the wire contract; a null TTL is present, not left out."""
    base = "/api/v1/training_runs/s:train:0/checkpoints/weights/a%20b"
    requests = {name: (action.method, action.url(PATH), action.body(Wish(86_400))) for name, action in ACTIONS.items()}
    ttl = ("PUT", f"{base}/ttl", {"ttl_seconds": 86_400})
    assert requests == {
        "publish": ("POST", f"{base}/publish", None),
        "unpublish": ("DELETE", f"{base}/publish", None),
        "set_ttl": ttl,
        "expire": ttl,
        "restore": ttl,
        "delete": ("DELETE", base, None),
    }
    assert ACTIONS["set_ttl"].body(Wish()) == {"ttl_seconds": None}


@pytest.mark.parametrize(
    ("action", "state", "wish", "already", "shortens"),
    [
        ("delete", State(False, None), Wish(), False, True),
        ("publish", State(True, None), Wish(), True, False),
        ("publish", State(False, None), Wish(), False, False),
        ("publish", State(None, None), Wish(), False, False),
        ("unpublish", State(False, None), Wish(), True, False),
        ("unpublish", State(True, None), Wish(), False, False),
        ("set_ttl", State(False, None), Wish(None), True, False),
        ("set_ttl", State(False, NOW + DAY), Wish(None), False, False),
        ("set_ttl", State(False, NOW + DAY), Wish(2 * 86_400), False, False),
        ("set_ttl", State(False, NOW + 3 * DAY), Wish(2 * 86_400), False, True),
        ("set_ttl", State(False, None), Wish(2 * 86_400), False, True),
        ("expire", State(False, None), Wish(86_400), False, True),
        ("expire", State(False, NOW + DAY / 2), Wish(86_400), True, False),
        ("expire", State(False, NOW + 2 * DAY), Wish(86_400), False, True),
    ],
)
def test_when_it_is_already_so_and_when_it_shortens(
    action: str, state: State, wish: Wish, already: bool, shortens: bool
) -> None:
    """Guards and confirmations hang on these: only what removes or brings an end forward shortens."""
    assert ACTIONS[action].is_already(state, wish, NOW) is already
    assert ACTIONS[action].shortens(state, wish, NOW) is shortens


@given(STATES, WISHES, st.sampled_from(sorted(ACTIONS)))
def test_expire_never_puts_an_end_off_and_what_lengthens_never_counts_as_shortening(
    state: State, wish: Wish, name: str
) -> None:
    """For every state and wish: `expire` sends only what brings the end forward; only deletes and earlier ends shorten."""
    action = ACTIONS[name]
    wanted = wish.expiry(NOW) if action.changes_expiry else state.expires_at
    earlier = wanted is not None and (state.expires_at is None or wanted < state.expires_at)
    assert action.shortens(state, wish, NOW) is (name == "delete" or (action.changes_expiry and earlier))
    if name == "expire" and wanted is not None and not action.is_already(state, wish, NOW):
        assert earlier


@given(STATES, WISHES)
def test_what_took_is_the_state_that_was_asked_for(state: State, wish: Wish) -> None:
    """An action took where the state is as wished, give or take some minutes of a clock; a checkpoint that is gone is only deleted."""
    took = {name: action.took(state, wish, NOW) for name, action in ACTIONS.items()}
    assert (took["publish"], took["unpublish"], took["delete"]) == (state.public is True, state.public is False, False)
    wanted = wish.expiry(NOW)
    if wanted is None or state.expires_at is None:
        close = wanted is state.expires_at is None
    else:
        close = abs(wanted - state.expires_at) <= TOLERANCE
    assert took["set_ttl"] is took["expire"] is took["restore"] is close
    assert [name for name, action in ACTIONS.items() if action.took(None, wish, NOW)] == ["delete"]


@given(st.integers(3700, 10**8), st.floats(0, 1))
def test_a_time_to_end_by_is_not_passed(seconds: int, fraction: float) -> None:
    """The TTL for ending by a time ends before it, by at most some seconds, however the request's moment falls within a second."""
    until, now = NOW + timedelta(seconds=seconds), NOW + timedelta(seconds=fraction)
    end = now + timedelta(seconds=Wish(until=until).seconds(now))
    assert MARGIN <= until - end <= MARGIN + timedelta(seconds=1)


def test_what_can_be_undone_names_how() -> None:
    """Every action but delete has an undoing one, which leads to the state before."""
    assert {name: action.undo for name, action in ACTIONS.items()} == {
        "publish": "unpublish",
        "unpublish": "publish",
        "set_ttl": "restore",
        "expire": "restore",
        "restore": "restore",
        "delete": "",
    }
