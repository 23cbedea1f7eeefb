"""What the generated account holds."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from tinker_frames.demo.data.generator import generate_account
from tinker_frames.demo.data.vocabulary import HOSTILE, HOSTILE_NAMES

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def runs_of(account):
    """Return the caller's runs."""
    return [run for session in account.sessions if session.owner is account.me for run in session.runs]


def rows_of(account):
    """Return the caller's checkpoints."""
    return [row for run in runs_of(account) for row in run.checkpoints.values()]


def plain(account, shift=timedelta(0)):
    """Return what an account says of its checkpoints, with times relative to `shift`."""
    return [
        (
            row.tinker_path,
            row.time - shift,
            row.size_bytes,
            row.expires_at and row.expires_at - shift,
            row.user_metadata,
        )
        for row in rows_of(account)
    ]


@pytest.fixture(scope="module")
def story():
    """The account that most people see."""
    return generate_account(60, 1, now=NOW)


def test_the_same_seed_tells_the_same_story(story):
    """The same seed gives the same account; another seed another one; another time shifts it."""
    assert plain(story) == plain(generate_account(60, 1, now=NOW))
    assert plain(story) != plain(generate_account(60, 2, now=NOW))
    later = timedelta(days=3)
    shifted = plain(generate_account(60, 1, now=NOW + later), later)
    assert [one[0::2] for one in plain(story)] == [one[0::2] for one in shifted]
    assert all(abs(a[1] - b[1]) < timedelta(seconds=1) for a, b in zip(plain(story), shifted, strict=True))


@pytest.mark.parametrize("dialect", ["official", "tuft", "skyrl"])
@pytest.mark.parametrize(
    ("runs", "checkpoints"), [(0, None), (1, None), (3, 7), (60, None), (60, 0), (60, 1), (60, 5000)]
)
def test_counts_are_exact(dialect, runs, checkpoints):
    """The caller owns exactly so many runs, and exactly so many checkpoints if asked, in every dialect."""
    account = generate_account(runs, 5, now=NOW, checkpoints=checkpoints, dialect=dialect)
    assert len(runs_of(account)) == runs
    if checkpoints is not None:
        assert len(rows_of(account)) == checkpoints


def test_it_is_of_a_believable_size(story):
    """Sixty runs have some hundreds of checkpoints, in sessions of several owners and projects."""
    assert 300 < len(rows_of(story)) < 1000
    assert len({session.owner for session in story.sessions}) == 5
    assert len({session.project_id for session in story.sessions}) > 4
    owners = Counter(session.owner is story.me for session in story.sessions)
    assert owners[True] > 3 * owners[False]


def test_every_sort_of_run_occurs(story):
    """Runs without rank, without LoRA, corrupted, without checkpoints, with sampler checkpoints only; many models."""
    runs = runs_of(story)
    assert len({run.base_model for run in runs}) > 8
    assert len({run.lora_rank for run in runs}) > 6
    assert any(run.corrupted for run in runs)
    assert any(run.is_lora and run.lora_rank is None for run in runs)
    assert any(not run.is_lora for run in runs)
    kinds = {frozenset(row.kind for row in run.checkpoints.values()) for run in runs}
    assert {frozenset(), frozenset(["sampler"]), frozenset(["training", "sampler", "external"])} <= kinds
    assert any(run.optimizer_config["type"] == "dimuon" for run in runs)


def test_every_sort_of_checkpoint_occurs(story):
    """Public ones, expiries from an hour to months, unknown sizes, hostile and unicode metadata, empty and none."""
    rows = rows_of(story)
    left = [row.expires_at - NOW for row in rows if row.expires_at]
    assert timedelta(hours=1) < min(left) < timedelta(hours=3)
    assert max(left) > timedelta(days=90)
    assert 0 < sum(row.public for row in rows) < len(rows) / 10
    assert any(row.size_bytes is None for row in rows)
    assert any(row.user_metadata == {} for row in rows)
    assert any(row.user_metadata is None for row in rows)
    notes = {str(value) for row in rows for value in (row.user_metadata or {}).values()}
    assert set(HOSTILE) <= notes
    assert any("résumé" in note for note in notes)
    assert any("数学" in note for note in notes)
    names = {row.name for row in rows}
    assert set(HOSTILE_NAMES) <= names
    assert {"final", "0001", "100% done"} <= names
    assert any("(best)" in name for name in names)
    assert not any("/" in name for name in names)


def test_times_make_sense(story):
    """Sessions begin before their checkpoints, which lie before the last request, which lies before now."""
    for run in runs_of(story):
        times = [row.time for row in run.checkpoints.values()]
        assert times == sorted(times)
        assert run.session.created_at < run.last_request_time <= NOW
        assert all(run.session.created_at < time <= run.last_request_time for time in times)


def test_sizes_fit_rank_and_type(story):
    """A training checkpoint is larger than the sampler checkpoint of the same run."""
    compared = 0
    for run in runs_of(story):
        training, sampler = run.newest_checkpoint("training"), run.newest_checkpoint("sampler")
        if training and sampler and training.size_bytes and sampler.size_bytes:
            assert 1.3 < training.size_bytes / sampler.size_bytes < 1.7
            compared += 1
    assert compared > 10


def test_an_unknown_dialect_is_refused():
    """A dialect that is none is an error that names the three."""
    with pytest.raises(ValueError, match="official, tuft, skyrl"):
        generate_account(1, 1, now=NOW, dialect="klingon")
