"""The generated account."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from tinker_frames.demo import DIALECTS
from tinker_frames.demo.data.generator import generate_account
from tinker_frames.demo.data.vocabulary import HOSTILE_NAMES, HOSTILE_TEXTS

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def list_runs(account):
    """Return the caller's runs."""
    return [run for session in account.sessions if session.owner is account.me for run in session.runs]


def list_checkpoints(account):
    """Return the caller's checkpoints."""
    return [row for run in list_runs(account) for row in run.checkpoints.values()]


def describe_checkpoints(account, shift=timedelta(0)):
    """Return the checkpoints of an account as tuples, with times relative to `shift`."""
    return [
        (
            row.tinker_path,
            row.time - shift,
            row.size_bytes,
            row.expires_at and row.expires_at - shift,
            row.user_metadata,
        )
        for row in list_checkpoints(account)
    ]


@pytest.fixture(scope="module")
def account():
    """Return the default account."""
    return generate_account(60, 1, now=NOW)


def test_the_same_seed_gives_the_same_account(account):
    """The same seed gives the same account, another seed another one; another `now` shifts its times."""
    assert describe_checkpoints(account) == describe_checkpoints(generate_account(60, 1, now=NOW))
    assert describe_checkpoints(account) != describe_checkpoints(generate_account(60, 2, now=NOW))
    later = timedelta(days=3)
    shifted = describe_checkpoints(generate_account(60, 1, now=NOW + later), later)
    assert [one[0::2] for one in describe_checkpoints(account)] == [one[0::2] for one in shifted]
    assert all(
        abs(a[1] - b[1]) < timedelta(seconds=1) for a, b in zip(describe_checkpoints(account), shifted, strict=True)
    )


@pytest.mark.parametrize("dialect", list(DIALECTS))
@pytest.mark.parametrize(
    ("runs", "checkpoints"), [(0, None), (1, None), (3, 7), (60, None), (60, 0), (60, 1), (60, 5000)]
)
def test_counts_are_exact(dialect, runs, checkpoints):
    """The caller owns exactly the given number of runs and of checkpoints, in every dialect."""
    account = generate_account(runs, 5, now=NOW, checkpoints=checkpoints, dialect=dialect)
    assert len(list_runs(account)) == runs
    if checkpoints is not None:
        assert len(list_checkpoints(account)) == checkpoints


def test_the_default_account_has_a_typical_size(account):
    """Sixty runs have some hundreds of checkpoints, in sessions of several owners and projects."""
    assert 300 < len(list_checkpoints(account)) < 1000
    assert len({session.owner for session in account.sessions}) == 5
    assert len({session.project_id for session in account.sessions}) > 4
    owners = Counter(session.owner is account.me for session in account.sessions)
    assert owners[True] > 3 * owners[False]


def test_every_kind_of_run_occurs(account):
    """There are runs without a rank, without LoRA, corrupted, without checkpoints, with sampler checkpoints only, of many models."""
    runs = list_runs(account)
    assert len({run.base_model for run in runs}) > 8
    assert len({run.lora_rank for run in runs}) > 6
    assert any(run.corrupted for run in runs)
    assert any(run.is_lora and run.lora_rank is None for run in runs)
    assert any(not run.is_lora for run in runs)
    kinds = {frozenset(row.kind for row in run.checkpoints.values()) for run in runs}
    assert {frozenset(), frozenset(["sampler"]), frozenset(["training", "sampler", "external"])} <= kinds
    assert any(run.optimizer_config["type"] == "dimuon" for run in runs)


def test_every_kind_of_checkpoint_occurs(account):
    """There are public checkpoints, expiries from an hour to months, unknown sizes, hostile, Unicode, empty and null metadata."""
    rows = list_checkpoints(account)
    left = [row.expires_at - NOW for row in rows if row.expires_at]
    assert timedelta(hours=1) < min(left) < timedelta(hours=3)
    assert max(left) > timedelta(days=90)
    assert 0 < sum(row.public for row in rows) < len(rows) / 10
    assert any(row.size_bytes is None for row in rows)
    assert any(row.user_metadata == {} for row in rows)
    assert any(row.user_metadata is None for row in rows)
    notes = {str(value) for row in rows for value in (row.user_metadata or {}).values()}
    assert set(HOSTILE_TEXTS) <= notes
    assert any("résumé" in note for note in notes)
    assert any("数学" in note for note in notes)
    names = {row.name for row in rows}
    assert set(HOSTILE_NAMES) <= names
    assert {"final", "0001", "100% done"} <= names
    assert any("(best)" in name for name in names)
    assert not any("/" in name for name in names)


def test_times_are_consistent(account):
    """Sessions are created before their checkpoints, these before the run's last request, and that before now."""
    for run in list_runs(account):
        times = [row.time for row in run.checkpoints.values()]
        assert times == sorted(times)
        assert run.session.created_at < run.last_request_time <= NOW
        assert all(run.session.created_at < time <= run.last_request_time for time in times)


def test_sizes_fit_rank_and_type(account):
    """A training checkpoint is larger than the sampler checkpoint of the same run."""
    compared = 0
    for run in list_runs(account):
        training, sampler = run.newest_checkpoint("training"), run.newest_checkpoint("sampler")
        if training and sampler and training.size_bytes and sampler.size_bytes:
            assert 1.3 < training.size_bytes / sampler.size_bytes < 1.7
            compared += 1
    assert compared > 10


def test_an_unknown_dialect_is_refused():
    """An unknown dialect is a ValueError that lists those there are."""
    with pytest.raises(ValueError, match=", ".join(DIALECTS)):
        generate_account(1, 1, now=NOW, dialect="klingon")


def test_a_believable_account_differs_only_in_its_texts(account):
    """Without hostile texts, sizes, times and ids are the same, no name is one that only tests need, and nothing is beyond Latin script."""
    believable = generate_account(60, 1, now=NOW, hostile=False)
    rows, hostile = list_checkpoints(believable), list_checkpoints(account)
    assert [(row.run.training_run_id, row.time, row.size_bytes) for row in rows] == [
        (row.run.training_run_id, row.time, row.size_bytes) for row in hostile
    ]
    texts = {str(text) for row in rows for text in (row.key, *(row.user_metadata or {}).items())}
    texts |= {str((session.display_name, session.user_metadata)) for session in believable.sessions}
    assert not [text for text in texts if any(odd in text for odd in ("<", "=", "%", "\\", "\x1b"))]
    assert max(ord(letter) for text in texts for letter in text) < 0x250
    assert len({session.display_name for session in believable.sessions}) > 10


def test_the_time_of_day_changes_only_today():
    """Accounts generated at different times of a day have the same sessions and checkpoints on every day before."""
    midnight = NOW.replace(hour=0)

    def list_before(account):
        return [
            (row.tinker_path, row.time, row.run.started_at, row.run.last_request_time, row.run.session.created_at)
            for row in list_checkpoints(account)
            if row.run.session.created_at < midnight
        ]

    early, late = (generate_account(20, 1, now=midnight + timedelta(minutes=each)) for each in (5, 1200))
    assert list_before(early) == list_before(late)
    assert 0 < len(list_before(early)) < len(list_checkpoints(early))
