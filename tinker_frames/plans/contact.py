"""Whether the server can still be reached while a plan runs; if not, the plan stops instead of waiting for it with every row."""

from __future__ import annotations

import threading

from ..errors import ConnectionFailedError, TinkerError
from ..rest.adapter import limit_time
from ..rest.interrupts import StoppedError
from ..rest.progress import Progress
from ..rest.transport import Transport
from ..schema.paths import run_url

LOST_AFTER_S = 8.0  # for which a server may be out of reach, e.g. while it restarts


class ServerLostError(StoppedError):
    """The server could not be reached any longer."""


class Contact:
    """The connection to the server during one run of a plan.

    Attributes
    ----------
    is_lost
        Whether the server could not be reached for `LOST_AFTER_S` seconds.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._lock = threading.Lock()
        self.is_lost = False

    def require(self) -> None:
        """Raise `ServerLostError` once the server is lost."""
        if self.is_lost:
            raise ServerLostError

    def check(self, training_run_id: str, progress: Progress) -> None:
        """Read a run, as often as `LOST_AFTER_S` allows; raise `ServerLostError` if the server gives no answer, whatever that says."""
        with self._lock:  # one thread asks, the others wait for its result
            self.require()
            try:
                with limit_time(LOST_AFTER_S):
                    self._transport.call("GET", run_url(training_run_id), progress=progress)
            except ConnectionFailedError:
                self.is_lost = True
                raise ServerLostError from None
            except TinkerError:
                return
