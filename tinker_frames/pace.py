"""How many writes to have on the wire at once: starts low, grows while that pays, backs off when the server suffers; pure.

Completions are looked at in rounds of about two per slot. The number that served best is kept; now and then a larger one is tried
for a round, and is kept only if it is faster by `GAIN`. While no larger one has been too much, the number doubles; afterwards it
grows by steps, tried the more rarely the more of them brought nothing. Rate limits, rounds with many errors, and rounds that are
slower than usual take it down.
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
    """The number of writes that may be under way, learnt from how they end.

    Parameters
    ----------
    most
        Never more than this.
    """

    most: int
    limit: int = START
    _begun: float | None = None  # when the round began
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

    def finished(self, now: float, *, well: bool) -> None:
        """Note that a write ended at this time (any clock in seconds), and whether the server was up to it."""
        if self._ignored or self._begun is None:
            self._begun, self._ignored = now, max(0, self._ignored - 1)
            return
        self._done += 1
        self._bad += not well
        seconds, round_of = max(now - self._begun, 1e-9), 2 * self.limit
        is_lost = (
            self.limit > self._best and round_of < GAIN * self._best_rate * seconds
        )  # a trial that cannot succeed any more
        if self._done >= round_of or is_lost:
            is_too_much, rate = self._bad > ERRORS * self._done, self._done / seconds
            self._begun, self._done, self._bad = now, 0, 0
            self._judge(rate, is_too_much=is_too_much)

    def limited(self) -> None:
        """Note a rate limit: do with less at once, and come back slowly."""
        self._go_down()
        self._begun = None  # nothing is sent for a while, and that time does not count

    def _judge(self, rate: float, *, is_too_much: bool) -> None:
        """Decide on the next round's number from this round's endings per second."""
        self._slower = self._slower + 1 if rate < LOSS * self._best_rate else 0
        if is_too_much or (self.limit <= self._best and self._slower > 1):
            self._go_down()
        elif self.limit > self._best:
            self._judge_trial(rate)
        elif not self._slower:
            self._best_rate = (self._best_rate + rate) / 2 if self._best_rate else rate
            self._wait -= 1
            if self._wait <= 0:
                self._try_more()

    def _judge_trial(self, rate: float) -> None:
        """Keep the larger number if it was faster; else go back, and wait the longer before the next trial."""
        if rate > GAIN * self._best_rate:
            self._best, self._best_rate, self._calm = self.limit, rate, CALM
            self._try_more()
            return
        self._is_new = False
        self._settle(self._best)
        self._wait, self._calm = self._calm, min(2 * self._calm, RAREST)

    def _try_more(self) -> None:
        step = self.limit if self._is_new else max(1, self.limit // 4)
        self.limit = min(self.limit + step, self.most)

    def _go_down(self) -> None:
        self._settle(max(1, min(self.limit, self._best) * 3 // 4))
        self._best, self._best_rate, self._is_new, self._wait = self.limit, 0.0, False, CALM

    def _settle(self, limit: int) -> None:
        """Take a smaller number."""
        self._ignored, self._done, self._bad, self._slower = self.limit, 0, 0, 0
        self.limit = limit
