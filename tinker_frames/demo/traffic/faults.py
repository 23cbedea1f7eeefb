"""Faults that the server injects on request; they are read on every request, so a change takes effect at once."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from ..data.state import State

Edit = Callable[[str, Any], Any]


def matches_endpoint(selector: bool | str | Collection[str], endpoint: str) -> bool:
    """Return whether a selector (True, `*`, a name, or names) includes the endpoint."""
    if isinstance(selector, bool):
        return selector
    names = {selector} if isinstance(selector, str) else selector
    return endpoint in names or "*" in names


@dataclass
class Fault:
    """A fault of some requests to an endpoint: `times` times after the first `after`, with `probability`."""

    endpoint: str | Collection[str] = "*"  #: name from `endpoints.ENDPOINTS`, several of them, or `*` for all
    times: int | None = field(default=None, kw_only=True)  #: number of requests that fail; None: no limit
    after: int = field(default=0, kw_only=True)  #: number of requests that succeed first
    probability: float = field(default=1.0, kw_only=True)  #: probability that a matching request fails
    passed: int = field(default=0, init=False)
    hits: int = field(default=0, init=False)

    def trigger(self, endpoint: str, random: Callable[[], float]) -> bool:
        """Return whether this request fails, and count it."""
        if not matches_endpoint(self.endpoint, endpoint) or (self.times is not None and self.hits >= self.times):
            return False
        if self.passed < self.after:
            self.passed += 1
            return False
        if self.probability < 1 and random() >= self.probability:
            return False
        self.hits += 1
        return True


@dataclass
class Burst(Fault):
    """Responds with an error status, as `Burst("list_user_checkpoints", 429, times=3, retry_after="2")`."""

    status: int = 429  #: the status of the response
    times: int | None = field(default=3, kw_only=True)
    _: KW_ONLY
    retry_after: str | None = None  #: the Retry-After header: "2", "1.5", an HTTP date
    headers: dict[str, str] = field(default_factory=dict)  #: additional headers, such as x-should-retry
    detail: str | None = None  #: the `detail` of the body; None: the phrase of the status
    body: bytes | None = None  #: a complete body instead of `{"detail": ...}`
    then: Literal["answer", "apply"] = "answer"  #: "apply" executes the request and then responds with the error


@dataclass
class Reset(Fault):
    """Closes the connection without a response."""

    then: Literal["answer", "apply"] = "answer"  #: "apply" executes the request first


@dataclass
class Truncate(Fault):
    """Announces the full body, sends a part of it, and closes the connection."""

    keep: float = 0.5  #: the fraction of the body that is sent


@dataclass
class Hang(Fault):
    """Delays the response by some seconds."""

    seconds: float = 60.0  #: the delay; the response follows if the client is still connected
    then: Literal["answer", "apply"] = "answer"  #: "apply" executes the request before the delay


@dataclass
class Churn:
    """Adds and removes rows of a list between its pages."""

    endpoint: str | Collection[str] = "list_user_checkpoints"
    before_page: dict[int, Callable[[State], object]] = field(default_factory=dict)  #: page number → what to do first
    added_per_page: int = 0  #: rows added before each page from the second on
    removed_per_page: int = 0  #: random rows removed before each page from the second on
    times: int | None = (
        None  #: number of pages; None: all, and then a client that reads until it is complete never ends
    )
    pages: int = field(default=0, init=False)

    def apply(self, endpoint: str, state: State) -> None:
        """Make the changes that are due before this page."""
        if not matches_endpoint(self.endpoint, endpoint):
            return
        self.pages += 1
        if self.pages in self.before_page:
            self.before_page[self.pages](state)
        if self.pages > 1 and (self.times is None or self.pages - 1 <= self.times):
            state.remove_rows(endpoint, self.removed_per_page)
            state.add_rows(endpoint, self.added_per_page)


@dataclass
class Faults:
    """The faults of a server; assign to the fields, or append to the lists, while it runs."""

    latency: float = 0.0  #: delay of every response in seconds
    jitter: float = 0.0  #: maximum random delay in seconds, in addition to `latency`
    latency_of: dict[str, float] = field(default_factory=dict)  #: endpoint → delay in seconds, instead of `latency`
    page_caps: dict[str, int] = field(default_factory=dict)  #: endpoint → largest `limit`
    cap_style: Literal["422", "silent"] = "422"  #: whether a larger `limit` is refused or silently lowered
    bursts: list[Burst] = field(default_factory=list)  #: responses with an error status
    resets: list[Reset] = field(default_factory=list)  #: connections closed without a response
    truncate: list[Truncate] = field(default_factory=list)  #: bodies shorter than announced
    hang: list[Hang] = field(default_factory=list)  #: delayed responses
    missing: Collection[str] = ()  #: endpoints that respond as unknown routes, 404 `Not Found`
    ignore_writes: bool | Collection[str] = False  #: writes that respond 204 and change nothing
    churn: list[Churn] = field(default_factory=list)  #: rows added and removed between pages
    edit: Edit | None = None  #: (endpoint, parsed body of a 200) → the body to send
    drop_query: dict[str, Collection[str]] = field(default_factory=dict)  #: endpoint → parameters that a gateway drops
    no_cursor: bool | str | Collection[str] = ()  #: endpoints whose pages lack the `cursor`
    write_slowdown: float = 0.0  #: delay in seconds per concurrent write above `write_capacity`
    write_capacity: int = 4  #: number of concurrent writes without a slowdown
    write_latency: float = 0.0  #: additional delay of every write in seconds
    rate_limit: float | None = None  #: requests per second; requests above it get a 429 with Retry-After
    rate_limited: str | Collection[str] = "*"  #: the endpoints that the rate limit applies to
    rate_limit_retry_after: str | None = None  #: a fixed Retry-After; None: the actual wait in whole seconds
    headers: dict[str, str] = field(default_factory=dict)  #: headers added to every response, as x-deprecation-note
    clock_skew: float = 0.0  #: error of the Date header in seconds
    seed: int = 0  #: seed of `probability` and `jitter`

    def clear(self) -> None:
        """Reset every field to its default, which injects nothing."""
        self.__dict__.update(Faults().__dict__)
