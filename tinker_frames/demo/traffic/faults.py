"""What can go wrong on purpose: switches that are read on every request, so that a change takes effect at once."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from ..data.state import State

Edit = Callable[[str, Any], Any]


def concerns(selector: bool | str | Collection[str], endpoint: str) -> bool:
    """Return whether a selector (True, `*`, a name, or names) means this endpoint."""
    if isinstance(selector, bool):
        return selector
    names = {selector} if isinstance(selector, str) else selector
    return endpoint in names or "*" in names


@dataclass
class Trouble:
    """Something that befalls some requests to an endpoint: after `after`, `times` times, with `probability`."""

    endpoint: str | Collection[str] = "*"  #: name from `endpoints.ENDPOINTS`, several of them, or `*` for all
    times: int | None = field(default=None, kw_only=True)  #: how often; None is for ever
    after: int = field(default=0, kw_only=True)  #: this many requests pass first
    probability: float = field(default=1.0, kw_only=True)  #: chance that a request in reach is hit
    passed: int = field(default=0, init=False)
    hits: int = field(default=0, init=False)

    def strikes(self, endpoint: str, chance: Callable[[], float]) -> bool:
        """Return whether this request is hit, and count it."""
        if not concerns(self.endpoint, endpoint) or (self.times is not None and self.hits >= self.times):
            return False
        if self.passed < self.after:
            self.passed += 1
            return False
        if self.probability < 1 and chance() >= self.probability:
            return False
        self.hits += 1
        return True


@dataclass
class Burst(Trouble):
    """Answers with an error status, as `Burst("list_user_checkpoints", 429, times=3, retry_after="2")`."""

    status: int = 429  #: the status that is sent
    times: int | None = field(default=3, kw_only=True)
    _: KW_ONLY
    retry_after: str | None = None  #: the Retry-After header: "2", "1.5", an HTTP date
    headers: dict[str, str] = field(default_factory=dict)  #: further headers, such as x-should-retry
    detail: str | None = None  #: the `detail` of the body; None says which status it is
    body: bytes | None = None  #: a whole body instead of `{"detail": ...}`
    then: Literal["answer", "apply"] = "answer"  #: "apply" does what was asked and then sends the error


@dataclass
class Reset(Trouble):
    """Closes the connection before an answer."""

    then: Literal["answer", "apply"] = "answer"  #: "apply" does what was asked first


@dataclass
class Truncate(Trouble):
    """Promises the whole body, sends a part of it, and closes the connection."""

    keep: float = 0.5  #: the part that is sent


@dataclass
class Hang(Trouble):
    """Does not answer for some seconds."""

    seconds: float = 60.0  #: how long; the answer follows if the client still waits
    then: Literal["answer", "apply"] = "answer"  #: "apply" does what was asked before the wait


@dataclass
class Churn:
    """Changes the account while it is being read, before a page is served."""

    endpoint: str | Collection[str] = "list_user_checkpoints"
    before_page: dict[int, Callable[[State], object]] = field(default_factory=dict)  #: n-th page → what to do first
    appear_per_page: int = 0  #: rows that appear before each page from the second on
    vanish_per_page: int = 0  #: rows, picked by chance, that vanish before each page from the second on
    times: int | None = None  #: how many pages are so disturbed; None is all, and then a patient reader never ends
    pages: int = field(default=0, init=False)

    def disturb(self, endpoint: str, state: State) -> None:
        """Let happen what happens before this page."""
        if not concerns(self.endpoint, endpoint):
            return
        self.pages += 1
        if self.pages in self.before_page:
            self.before_page[self.pages](state)
        if self.pages > 1 and (self.times is None or self.pages - 1 <= self.times):
            state.vanish(endpoint, self.vanish_per_page)
            state.appear(endpoint, self.appear_per_page)


@dataclass
class Faults:
    """All switches of a server; assign to them, or append to the lists, while it runs."""

    latency: float = 0.0  #: seconds that every answer waits
    jitter: float = 0.0  #: up to so many seconds more, by chance
    latency_of: dict[str, float] = field(default_factory=dict)  #: endpoint → seconds instead of `latency`
    page_caps: dict[str, int] = field(default_factory=dict)  #: endpoint → largest `limit`
    cap_style: Literal["422", "silent"] = "422"  #: a larger `limit` is refused, or silently lowered
    bursts: list[Burst] = field(default_factory=list)  #: answers with an error status
    resets: list[Reset] = field(default_factory=list)  #: connections closed before an answer
    truncate: list[Truncate] = field(default_factory=list)  #: bodies shorter than promised
    hang: list[Hang] = field(default_factory=list)  #: answers that do not come
    missing: Collection[str] = ()  #: endpoints that answer as unknown routes, 404 `Not Found`
    ignore_writes: bool | Collection[str] = False  #: writes that answer 204 and do nothing
    churn: list[Churn] = field(default_factory=list)  #: rows that appear and vanish while being read
    edit: Edit | None = None  #: (endpoint, parsed body of a 200) → the body to send
    no_cursor: bool | str | Collection[str] = ()  #: endpoints whose pages lack the `cursor`
    write_slowdown: float = 0.0  #: seconds added to a write for each further one at work beyond `write_capacity`
    write_capacity: int = 4  #: writes at a time that the server bears without slowing down
    write_latency: float = 0.0  #: seconds that every write waits in addition
    rate_limit: float | None = None  #: requests a second; more are answered 429 with Retry-After
    rate_limited: str | Collection[str] = "*"  #: the endpoints that the rate limit counts
    rate_limit_retry_after: str | None = None  #: a fixed Retry-After; None tells the truth in whole seconds
    headers: dict[str, str] = field(default_factory=dict)  #: headers added to every answer, as x-deprecation-note
    clock_skew: float = 0.0  #: seconds by which the Date header is wrong
    seed: int = 0  #: of the chance in `probability` and `jitter`

    def clear(self) -> None:
        """Put every switch back to its quiet default."""
        self.__dict__.update(Faults().__dict__)
