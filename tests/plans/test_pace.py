"""The pace of writes in a simulation without a server or a clock."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinker_frames.plans.pace import START, Pace

MOST = 16


@dataclass
class Fixed:
    """A pace that never changes."""

    limit: int

    def record_outcome(self, now: float, *, well: bool) -> None: ...

    def record_rate_limit(self) -> None: ...


@dataclass
class Scales:
    """A server whose response time does not depend on the load."""

    seconds: float = 0.05
    errors: float = 0.0

    def answer(self, working: int, now: float, chance: random.Random) -> tuple[float, str]:
        return self.seconds * chance.uniform(0.8, 1.2), "error" if chance.random() < self.errors else "good"


@dataclass
class SlowsDown(Scales):
    """A server that slows down with each write beyond its capacity."""

    slowdown: float = 0.05
    capacity: int = 4

    def answer(self, working: int, now: float, chance: random.Random) -> tuple[float, str]:
        seconds, word = super().answer(working, now, chance)
        return seconds + self.slowdown * max(0, working - self.capacity), word


@dataclass
class Limits(Scales):
    """A server that refuses writes above a rate, and asks for a pause of a second."""

    rate: float = 50
    tokens: float = 50
    filled: float = 0.0

    def answer(self, working: int, now: float, chance: random.Random) -> tuple[float, str]:
        self.tokens, self.filled = min(self.rate, self.tokens + (now - self.filled) * self.rate), now
        if self.tokens < 1:
            return 0.003, "limit"
        self.tokens -= 1
        return super().answer(working, now, chance)


def seconds_of(pace: Pace | Fixed, server: Scales, jobs: int, seed: int = 0) -> float:
    """Return the duration of this many writes at this pace."""
    chance, now, rest_until, working, left, done, serial = random.Random(seed), 0.0, 0.0, 0, jobs, 0, 0
    under_way: list[tuple[float, int, str]] = []
    while done < jobs:
        while left and working < pace.limit and now >= rest_until:
            working, left, serial = working + 1, left - 1, serial + 1
            seconds, word = server.answer(working, now, chance)
            heapq.heappush(under_way, (now + seconds, serial, word))
        if not under_way or (left and working < pace.limit and now < rest_until < under_way[0][0]):
            now = rest_until
            continue
        now, _, word = heapq.heappop(under_way)
        working -= 1
        if word == "limit":
            left += 1
            if now + 1 > rest_until + 0.5:
                pace.record_rate_limit()
            rest_until = max(rest_until, now + 1)
            continue
        left, done = (left + 1, done) if word == "error" else (left, done + 1)
        pace.record_outcome(now, well=word == "good")
    return now


SERVERS: dict[str, Callable[[], Scales]] = {
    "scales": Scales,
    "scales, slow": lambda: Scales(0.4),
    "scales, a tenth fails": lambda: Scales(errors=0.1),
    "slows down": SlowsDown,
    "slows down early": lambda: SlowsDown(capacity=1),
    "slows down a little": lambda: SlowsDown(slowdown=0.01),
    "slows down badly": lambda: SlowsDown(slowdown=0.2),
    "limits to 20": lambda: Limits(rate=20, tokens=20),
    "limits to 50": Limits,
    "limits to 100": lambda: Limits(rate=100, tokens=100),
}


@pytest.mark.parametrize("make", SERVERS.values(), ids=SERVERS)
def test_it_is_about_as_quick_as_the_best_fixed_number(make: Callable[[], Scales]) -> None:
    """1,000 writes take at most 1.2 times as long as with the best fixed number for that server."""
    for seed in range(3):
        best = min(seconds_of(Fixed(number), make(), 1000, seed) for number in (1, 2, 3, 4, 5, 6, 8, 12, MOST))
        assert seconds_of(Pace(MOST), make(), 1000, seed) <= 1.2 * best


def test_it_begins_low_and_never_falls_silent() -> None:
    """It starts with four writes, or fewer if fewer are allowed."""
    assert [Pace(most).limit for most in (1, 2, 3, 4, 5, 100)] == [1, 2, 3, 4, 4, 4]
    assert START == 4


EVENTS = st.lists(st.tuples(st.floats(0, 10, allow_nan=False), st.sampled_from(["good", "bad", "limit"])), max_size=400)


@given(st.integers(1, 64), EVENTS)
def test_whatever_happens_the_limit_stays_in_bounds(most: int, events: list[tuple[float, str]]) -> None:
    """After any outcomes the limit is between one and the maximum, and no error or rate limit raises it."""
    pace, now = Pace(most), 0.0
    for seconds, what in events:
        now, before = now + seconds, pace.limit
        if what == "limit":
            pace.record_rate_limit()
            assert pace.limit <= before
        else:
            pace.record_outcome(now, well=what == "good")
        assert 1 <= pace.limit <= most


@settings(max_examples=15)
@given(EVENTS)
def test_whatever_happened_it_recovers(events: list[tuple[float, str]]) -> None:
    """On a server that has recovered, the limit grows to about the maximum again."""
    pace, now = Pace(MOST), 0.0
    for seconds, what in events:
        now += seconds
        pace.record_rate_limit() if what == "limit" else pace.record_outcome(now, well=what == "good")
    for _ in range(3000):
        now += 0.05 / pace.limit
        pace.record_outcome(now, well=True)
    assert pace.limit >= 12


def test_a_server_that_only_fails_is_left_with_one_write_at_a_time() -> None:
    """If every write fails, the limit falls to one, step by step."""
    pace, seen = Pace(MOST), []
    for moment in range(200):
        pace.record_outcome(moment * 0.1, well=False)
        seen.append(pace.limit)
    assert seen == sorted(seen, reverse=True)
    assert seen[-1] == 1


def test_a_server_that_becomes_slower_with_load_is_relieved() -> None:
    """The limit falls when a server slows down under load, and grows when it recovers."""
    pace, now, chance = Pace(MOST), 0.0, random.Random(1)
    numbers = []
    for server in (Scales(), SlowsDown(slowdown=0.3, capacity=2), Scales()):
        for _ in range(3000):
            now += server.answer(pace.limit, now, chance)[0] / pace.limit
            pace.record_outcome(now, well=True)
        numbers.append(pace.limit)
    assert min(numbers[0], numbers[2]) >= 12
    assert numbers[1] <= 4
