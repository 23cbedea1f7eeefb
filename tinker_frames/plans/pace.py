"""Adaptive concurrency of writes: starts low, grows while throughput grows, backs off on errors and slowness. Pure.

Outcomes are counted in rounds of two per slot. The number that served best is kept; now and then a larger one is tried for a
round, and is kept only if it is faster by `GAIN`. While none has been too much, the number doubles; afterwards it grows by steps,
which are tried less often the more of them brought no gain. If rounds become slower, a smaller number is tried, and kept if it
serves about as well. Rate limits and rounds with many errors reduce it at once.
"""

from __future__ import annotations

from dataclasses import dataclass

START = 4
GAIN = 1.08  # a round has to be this much faster to be called faster
LOSS = 0.8  # and this much slower, twice in a row, to be called slower
ERRORS = 0.25  # a round with more errors than this share says that it is too much
CALM = 3  # rounds before a larger number is tried again; doubles with each that brought nothing
RAREST = 48


@dataclass
class Pace:
    """The number of writes that may be in flight, adapted to their outcomes.

    Parameters
    ----------
    most
        Never more than this.
    """

    most: int
    limit: int = START
    _started: float | None = None  # when the round began
    _ignored: int = 0  # endings that still belong to a larger number, and say nothing of this one
    _done: int = 0
    _bad: int = 0
    _best: int = 0
    _best_rate: float = 0.0  # endings a second at the best number; 0 where that is not known
    _is_new: bool = True  # nothing has been too much yet
    _slower: int = 0  # rounds in a row
    _wait: int = 0  # rounds until a larger number is tried
    _calm: int = CALM

    def __post_init__(self) -> None:
        self.limit = self._best = max(1, min(self.limit, self.most))

    def record_outcome(self, now: float, *, well: bool) -> None:
        """Record that a write ended at this time (any clock, in seconds), and whether the server coped with it."""
        if self._ignored or self._started is None:
            self._started, self._ignored = now, max(0, self._ignored - 1)
            return
        self._done += 1
        self._bad += not well
        seconds, round_of = max(now - self._started, 1e-9), 2 * self.limit
        # A trial that cannot succeed any more.
        is_lost = self.limit != self._best and round_of < self._required_rate() * seconds
        if self._done >= round_of or is_lost:
            is_too_much, rate = self._bad > ERRORS * self._done, self._done / seconds
            self._started, self._done, self._bad = now, 0, 0
            self._evaluate_round(rate, is_too_much=is_too_much)

    def record_rate_limit(self) -> None:
        """Record a rate limit: reduce the number at once, and grow again slowly."""
        self._decrease()
        self._started = None  # nothing is sent for a while, and that time does not count

    def _evaluate_round(self, rate: float, *, is_too_much: bool) -> None:
        """Decide on the next round's number from this round's endings per second."""
        if is_too_much:
            self._decrease()
        elif self.limit != self._best:
            self._evaluate_trial(rate)
        elif rate < LOSS * self._best_rate:
            self._slower += 1
            if self._slower > 1:
                self._best_rate, self._slower = rate, 0
                self._settle(_reduce_limit(self.limit))
        else:
            self._best_rate, self._slower = (self._best_rate + rate) / 2 if self._best_rate else rate, 0
            self._wait -= 1
            if self._wait <= 0:
                self._increase()

    def _evaluate_trial(self, rate: float) -> None:
        """Keep the new number of workers and continue in that direction if throughput rose; else go back, and wait longer before the next trial."""
        if rate <= self._required_rate():
            self._is_new = False
            self._settle(self._best)
            self._wait, self._calm = self._calm, min(2 * self._calm, RAREST)
            return
        goes_up, self._best, self._best_rate, self._calm = self.limit > self._best, self.limit, rate, CALM
        if goes_up:
            self._increase()
        else:
            self._settle(_reduce_limit(self.limit))

    def _required_rate(self) -> float:
        """Return the rate that a trial has to reach: more than the best with more writes, about the same with fewer."""
        return self._best_rate * (GAIN if self.limit > self._best else 1 / GAIN)

    def _increase(self) -> None:
        step = self.limit if self._is_new else max(1, self.limit // 4)
        self.limit = min(self.limit + step, self.most)

    def _decrease(self) -> None:
        self._settle(_reduce_limit(min(self.limit, self._best)))
        self._best, self._best_rate, self._is_new, self._slower, self._wait = self.limit, 0.0, False, 0, CALM

    def _settle(self, limit: int) -> None:
        """Change the number, and ignore the outcomes of writes that were sent under the one before."""
        self._ignored, self._done, self._bad = self.limit, 0, 0
        self.limit = limit


def _reduce_limit(limit: int) -> int:
    return max(1, limit * 3 // 4)
