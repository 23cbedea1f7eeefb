"""The state of an account, without HTTP: listings, lookups and counts agree after any sequence of operations."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinker_frames.demo import State
from tinker_frames.demo.data.generator import generate_account
from tinker_frames.demo.data.state import ServiceError

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def make_state(runs=8, seed=3, **options):
    """Return a small account."""
    return State(generate_account(runs, seed, now=NOW, **options), now=NOW)


def list_own(state):
    """Return the caller's checkpoints, newest first."""
    return state.checkpoints_page(10**6, 0)[0]


def check_consistency(state):
    """Assert that lists, counts and newest checkpoints agree with each other."""
    rows, total = state.checkpoints_page(10**6, 0)
    assert total == len(rows) == len({row.tinker_path for row in rows})
    assert rows == sorted(rows, key=lambda row: row.sort_key, reverse=True)
    now = state.now()
    assert all(row.expires_at is None or row.expires_at > now - timedelta(seconds=5) for row in rows)
    by_run = [row for run in state.runs() for row in state.run_checkpoints(run.training_run_id)]
    assert set(by_run) == set(rows)
    for run in state.runs():
        own = [row for row in rows if row.run is run]
        assert state.run_checkpoints(run.training_run_id) == own[::-1]
        for kind in ("training", "sampler", "external"):
            assert run.newest_checkpoint(kind) == next((row for row in own if row.kind == kind), None)
    for session in state.sessions():
        own = [row for row in rows if row.run.session is session]
        assert session.checkpoints_count == len(own)
        assert session.checkpoint_storage_bytes == sum(row.size_bytes or 0 for row in own)
    assert {run for session in state.sessions() for run in session.runs} == set(state.runs())
    pieces = [row for offset in range(0, total, 7) for row in state.checkpoints_page(7, offset)[0]]
    assert pieces == rows


picks = st.integers(0, 10**6)
operations = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["publish", "unpublish", "delete"]), picks),
        st.tuples(st.just("set_ttl"), picks, st.one_of(st.none(), st.integers(0, 400_000))),
        st.tuples(st.just("add_checkpoint"), picks, st.integers(-(10**6), 0)),
        st.tuples(st.just("add_run"), picks),
        st.tuples(st.just("add_session"), picks),
        st.tuples(
            st.just("remove_rows"), st.sampled_from(["list_user_checkpoints", "list_training_runs", "list_sessions"])
        ),
        st.tuples(st.just("advance"), st.integers(0, 200_000)),
    ),
    max_size=25,
)


def perform(state, operation, *given_values):
    """Apply one operation to some row; a refusal with 400 or 409 is expected."""
    rows = list_own(state)
    row = rows[given_values[0] % len(rows)] if rows and isinstance(given_values[0], int) else None
    try:
        if operation in {"publish", "unpublish", "delete"} and row:
            getattr(state, operation)(row)
        elif operation == "set_ttl" and row:
            state.set_ttl(row, given_values[1])
        elif operation == "add_checkpoint":
            state.add_checkpoint(row and row.run, size_bytes=5, time=state.now() + timedelta(seconds=given_values[1]))
        elif operation in {"add_run", "add_session"}:
            getattr(state, operation)()
        elif operation == "remove_rows":
            state.remove_rows(given_values[0])
        elif operation == "advance":
            state.advance(seconds=given_values[0])
    except ServiceError as refusal:
        assert refusal.status in {400, 409}  # noqa: PT017 - any other refusal would be wrong


@settings(max_examples=21)
@given(operations)
def test_state_is_consistent_after_any_operations(steps):
    """Listings, totals, newest checkpoints, counts and bytes agree after any sequence of operations."""
    state = make_state()
    for step in steps:
        perform(state, *step)
    check_consistency(state)


@settings(max_examples=30)
@given(picks, st.integers(3600, 10**7), st.integers(0, 2 * 10**7))
def test_a_checkpoint_expires_after_its_ttl(pick, seconds, later):
    """A checkpoint exists until its TTL has passed, whatever its expiry was before."""
    state = make_state()
    rows = list_own(state)
    row = rows[pick % len(rows)]
    state.set_ttl(row, seconds)
    state.advance(seconds=later)
    if abs(later - seconds) > 2:
        assert (row in list_own(state)) is (later < seconds)
    check_consistency(state)


def test_removing_an_expiry_keeps_the_checkpoint():
    """A checkpoint whose expiry was removed does not expire."""
    state = make_state()
    row = next(row for row in list_own(state) if row.expires_at)
    state.set_ttl(row, None)
    state.advance(days=4000)
    assert row in list_own(state)


@pytest.mark.parametrize("limit", [0, 1, 5, 10**6])
@pytest.mark.parametrize("offset", [0, 3, 10**6])
def test_slices(limit, offset):
    """A page is a slice of the whole list, newest first."""
    state = make_state()
    rows = list_own(state)
    assert state.checkpoints_page(limit, offset) == (rows[offset : offset + limit], len(rows))


def test_names_are_unique_per_run_and_type():
    """A second checkpoint of the same run, type and name is refused; one of another type is not."""
    state = make_state()
    run = state.runs()[0]
    state.add_checkpoint(run, name="twice")
    with pytest.raises(ServiceError, match="name"):
        state.add_checkpoint(run, name="twice")
    state.add_checkpoint(run, "sampler", "twice")
    check_consistency(state)


def test_a_deleted_checkpoint_cannot_be_changed():
    """A write to a deleted checkpoint is a 404."""
    state = make_state()
    row = list_own(state)[0]
    state.delete(row)
    for write in (state.publish, state.delete, lambda row: state.set_ttl(row, None)):
        with pytest.raises(ServiceError) as refusal:
            write(row)
        assert refusal.value.status == 404


def test_an_empty_account_can_grow():
    """Checkpoints can be added to an account without runs."""
    state = make_state(runs=0)
    state.add_rows("list_user_checkpoints", 3)
    state.remove_rows("list_user_checkpoints", 9)
    state.remove_rows("list_sessions")
    state.remove_rows("list_training_runs")
    check_consistency(state)
