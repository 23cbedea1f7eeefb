"""How many writes to have on the wire at once: starts low, grows while that pays, backs off when the server suffers; pure.

Completions are looked at in rounds of about two per slot. A round that is faster than the best so far by `GAIN` doubles the
number while it has never been too much, and adds a step afterwards; one that is slower goes back to the best. Errors and rate
limits count as too much.
"""

from __future__ import annotations

from dataclasses import dataclass, field

START = 4
GAIN = 1.08  # a round has to be this much faster to be called faster
LOSS = 0.85  # and this much slower to be called slower
SETTLED_ROUNDS = 4  # rounds at the best number before another one is tried again


@dataclass
class Pace:
    """The number of writes that may be under way, learnt from how they end.

    Parameters
    ----------
    most
        Never more than this.
    """

    most: int
    limit: int = START
    _begun: float | None = None
    _done: int = 0
    _trouble: bool = False
    _best: int = 0
    _best_rate: float = 0.0
    _ceiling: int = field(default=10**9)
    _calm: int = 0

    def __post_init__(self) -> None:
        self.limit = max(1, min(self.limit, self.most))

    def finished(self, now: float, *, well: bool) -> None:
        """Note that a write ended at this time (any clock in seconds), and whether the server answered it properly."""
        if self._begun is None:
            self._begun = now
            return
        self._done += 1
        if not well and not self._trouble:
            self._trouble = True
        if self._done >= 2 * self.limit:
            self._judge(self._done / max(now - self._begun, 1e-9))
            self._begun, self._done, self._trouble = now, 0, False

    def limited(self) -> None:
        """Note a rate limit: halve at once, and do not go up there again soon."""
        self._ceiling = max(1, self.limit - 1)
        self.limit = max(1, self.limit // 2)
        self._begun, self._done, self._trouble, self._calm = None, 0, False, 0

    def _judge(self, rate: float) -> None:
        """Decide on the next round's number from this round's rate of completions per second."""
        if self._trouble:
            self._step_back()
        elif rate > self._best_rate * GAIN:
            self._best, self._best_rate, self._calm = self.limit, rate, 0
            self._step_up()
        elif self.limit > self._best and rate < self._best_rate * GAIN:
            self._ceiling = self.limit  # more brought nothing
            self.limit, self._calm = max(1, self._best), 0
        elif rate < self._best_rate * LOSS and self.limit <= self._best:
            self._best_rate = rate  # the server has become slower: what was best is to be found again
            self._ceiling = self.limit
            self.limit = max(1, self.limit * 3 // 4)
            self._best = self.limit
        else:
            self._calm += 1
            if self._calm >= SETTLED_ROUNDS:
                self._ceiling, self._calm = 10**9, 0
                self._step_up()

    def _step_up(self) -> None:
        wanted = self.limit * 2 if self._ceiling > self.most else self.limit + max(1, self.limit // 4)
        self.limit = max(1, min(wanted, self.most, max(self._ceiling - 1, 1)))

    def _step_back(self) -> None:
        self._ceiling = self.limit
        self.limit = max(1, self.limit // 2)
        self._calm = 0
