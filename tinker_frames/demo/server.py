"""The embedded server: uvicorn in a thread of this process, started and stopped within milliseconds."""

from __future__ import annotations

import asyncio
import atexit
import socket
import threading
from datetime import UTC, datetime
from inspect import signature
from shutil import rmtree
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any, Self
from weakref import finalize

from .data.generator import tell
from .data.state import State
from .service.switches import Switches
from .service.tokens import Tokens
from .traffic.faults import Faults
from .traffic.request_log import RequestLog

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from tinker_frames.client import Client


# Enough for 64 clients that all connect at the same moment.
BACKLOG = 2048
MISSING_EXTRA = 'The demo account needs FastAPI and uvicorn: pip install "tinker-frames[demo]"'


class DemoServer:
    """A Tinker-compatible HTTP server on loopback with a believable account.

    Parameters
    ----------
    runs, seed, checkpoints, dialect, now
        The account: how many training runs the caller owns, the source of chance, how many checkpoints those runs
        have (None: what such runs would have), `official`, `tuft` or `skyrl`, and the time to begin at.
    faults
        What goes wrong on purpose; a `Faults` that may be changed while the server runs.
    host, port
        Where to listen; port 0 takes a free one.
    key, keys
        The API key, or several with the seed of the account behind each.
    **switches
        Fields of `Switches`, such as `archive="json"` or `caps={"list_user_checkpoints": 200}`.
    """

    def __init__(
        self,
        runs: int = 60,
        seed: int = 1,
        *,
        checkpoints: int | None = None,
        dialect: str = "official",
        faults: Faults | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        key: str = "tml-demo",
        keys: Mapping[str, int] | None = None,
        now: datetime | None = None,
        **switches: Any,
    ) -> None:
        self.key, self.host, self.dialect = key if keys is None else next(iter(keys)), host, dialect
        self.faults, self.requests = faults or Faults(), RequestLog()
        self.states = {
            name: State(
                tell(runs, number, now=now or datetime.now(UTC), checkpoints=checkpoints, dialect=dialect),
                now=now,
                dialect=dialect,
            )
            for name, number in (keys or {key: seed}).items()
        }
        self.switches, self.tokens, self._port = Switches(**switches), Tokens(), port
        self._running: _Running | None = None

    @property
    def state(self) -> State:
        """The account of the first key."""
        return self.states[self.key]

    @property
    def port(self) -> int:
        """The port that the server listens on."""
        return self._port

    @property
    def url(self) -> str:
        """The base URL for clients."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self._port}"

    def start(self) -> Self:
        """Listen and serve; returns once connections are accepted."""
        if self._running is None:
            self._running = _Running(self)
            self._port = self._running.port
            atexit.register(self.stop)
        return self

    def stop(self) -> None:
        """Close every connection and stop serving; the account and the records stay readable."""
        running, self._running = self._running, None
        if running is not None:
            atexit.unregister(self.stop)
            running.stop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def __repr__(self) -> str:
        where = self.url if self._running else "not running"
        return f"DemoServer({where}, dialect={self.dialect!r})"


class _Running:
    """One socket, one thread, one event loop."""

    def __init__(self, server: DemoServer) -> None:
        self._server = _uvicorn_server(server)
        self._socket = _listen(server.host, server.port)
        self.port: int = self._socket.getsockname()[1]
        self._loop: asyncio.AbstractEventLoop | None = None
        self._halt: asyncio.Event | None = None
        self._ready, self._failure = threading.Event(), list[BaseException]()
        self._thread = threading.Thread(target=self._run, name=f"tinker-demo-{self.port}", daemon=True)
        self._thread.start()
        self._ready.wait()
        if self._failure:
            raise self._failure[0]

    def stop(self) -> None:
        if self._loop is not None and self._halt is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._halt.set)
        if threading.current_thread() is not self._thread:
            self._thread.join(5)

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:  # noqa: BLE001 - it is raised again in the thread that started us
            self._failure.append(error)
        finally:
            self._socket.close()
            self._ready.set()

    async def _serve(self) -> None:
        # uvicorn's own `serve` takes the process's signal handlers, and stops in steps of a tenth of a second.
        self._loop, self._halt = asyncio.get_running_loop(), asyncio.Event()
        await self._server.startup([self._socket])
        self._ready.set()
        await self._halt.wait()
        for listener in self._server.servers:
            listener.close()
        tasks = list(self._server.server_state.tasks)
        for connection in list(self._server.server_state.connections):
            connection.transport.abort()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns off Nagle's algorithm, some 40 ms a small answer, only if the protocol is named.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def _uvicorn_server(server: DemoServer) -> Any:
    try:
        import uvicorn
        from uvicorn.lifespan.off import LifespanOff

        from .service.app import build
        from .service.context import Service
        from .traffic.middleware import Traffic
        from .traffic.protocol import CuttableProtocol
    except ImportError as error:
        raise ImportError(MISSING_EXTRA) from error
    service = Service(server.states, server.switches, server.tokens, server.dialect)
    app = Traffic(build(service), server.faults, server.requests, service.state_of)
    config = uvicorn.Config(
        app,
        http=CuttableProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        backlog=BACKLOG,
        timeout_keep_alive=300,
        interface="asgi3",
    )
    config.load()
    running = uvicorn.Server(config)
    running.lifespan = LifespanOff(config)
    return running


def account(
    runs: int = 60,
    seed: int = 1,
    *,
    dialect: str = "official",
    faults: Faults | None = None,
    cache_dir: Any = None,
    **options: Any,
) -> Client:
    """Start a server and return a `tinker_frames.Client` of its account.

    The client stops the server when it is closed, by `close()`, by leaving `with`, or at exit; `client.server` is the
    `DemoServer`. Its cache is a fresh folder that goes with it, unless `cache_dir` is given. Options are those of
    `DemoServer` and of `Client`.
    """
    from tinker_frames.client import Client

    known, of_client = signature(DemoServer).parameters, signature(Client).parameters
    settings = {name: options.pop(name) for name in options.keys() & of_client.keys() - known.keys()}
    server = DemoServer(runs, seed, dialect=dialect, faults=faults, **options).start()
    folder = cache_dir or mkdtemp(prefix="tinker-demo-")
    try:
        client = Client(server.key, server.url, cache_dir=folder, **settings)
    except BaseException:
        server.stop()
        raise
    client.server = server
    client.on_close(server.stop)
    if cache_dir is None:
        client.on_close(finalize(client, rmtree, folder, ignore_errors=True))
    return client
