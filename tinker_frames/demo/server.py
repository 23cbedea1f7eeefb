"""The demo server: uvicorn in a background thread, started and stopped within milliseconds."""

from __future__ import annotations

import asyncio
import atexit
import os
import socket
import threading
from datetime import UTC, datetime
from inspect import signature
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any, Literal, Self, TypedDict, Unpack
from weakref import finalize

from .data.generator import generate_account
from .data.log_files import write_log_folders
from .data.state import State
from .service.backend import Backend, Switches
from .service.tokens import Tokens
from .traffic.faults import Faults
from .traffic.request_log import RequestLog

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from tinker_frames.client import Client


# Enough for 64 clients that connect at the same time.
BACKLOG = 2048
MISSING_EXTRA = 'The demo account needs FastAPI and uvicorn: pip install "tinker-frames[demo]", or in a checkout pip install -e ".[demo]"'


class DemoServer:
    """A Tinker-compatible HTTP server on loopback with a generated account.

    Parameters
    ----------
    runs
        The number of training runs that the caller owns.
    seed
        The seed of the account; the same seed gives the same account.
    checkpoints
        The total number of checkpoints of those runs; by default each run has a typical number.
    dialect
        The server to emulate: one of `DIALECTS`, which says what each stands for.
    faults
        The faults to inject; can be changed while the server runs.
    host
        The address to listen on.
    port
        The port to listen on; 0 selects a free one.
    key
        The API key.
    keys
        Several API keys instead, with the seed of the account of each.
    now
        The initial time of the server's clock, with a time zone; by default the current time.
    hostile
        Whether some names and metadata are HTML, spreadsheet formulas, terminal escapes and the like, as every client must survive
        them; else all are believable.
    **switches
        Fields of `Switches`, such as `archive="json"` or `caps={"list_user_checkpoints": 200}`.

    Examples
    --------
    >>> with DemoServer(runs=0) as server:
    ...     print(server.requests.count())
    0
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
        hostile: bool = True,
        **switches: Any,
    ) -> None:
        self.key, self.host, self.dialect = key if keys is None else next(iter(keys)), host, dialect
        self.faults, self.requests = faults or Faults(), RequestLog()
        self.states = {
            name: State(
                generate_account(
                    runs,
                    account_seed,
                    now=now or datetime.now(UTC),
                    checkpoints=checkpoints,
                    dialect=dialect,
                    hostile=hostile,
                ),
                now=now,
                dialect=dialect,
            )
            for name, account_seed in (keys or {key: seed}).items()
        }
        self.switches, self.tokens, self._port = Switches(**switches), Tokens(), port
        self._thread: _ServerThread | None = None

    @property
    def state(self) -> State:
        """The account of the first key."""
        return self.states[self.key]

    @property
    def port(self) -> int:
        """The port that the server listens on; 0 before the start if it is to be selected."""
        return self._port

    @property
    def url(self) -> str:
        """The base URL for clients."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self._port}"

    def write_logs(self, folder: str | os.PathLike[str]) -> Path:
        """Write the training logs of the caller's runs below a folder, as tinker_cookbook does; return the folder.

        Every seventh run has no log, as if somebody had trained it elsewhere.

        Examples
        --------
        >>> with account() as client:
        ...     folder = client.server.write_logs("runs")
        """
        path = Path(folder)
        write_log_folders(reversed(self.state.runs()), path)
        return path

    def start(self) -> Self:
        """Start the server; return when it accepts connections."""
        if self._thread is None:
            self._thread = _ServerThread(self)
            self._port = self._thread.port
            atexit.register(self.stop)
        return self

    def stop(self) -> None:
        """Close all connections and stop the server; its account and request log remain readable."""
        thread, self._thread = self._thread, None
        if thread is not None:
            atexit.unregister(self.stop)
            thread.stop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def __repr__(self) -> str:
        status = self.url if self._thread else "not running"
        return f"DemoServer({status}, dialect={self.dialect!r})"


class _ServerThread:
    """A thread with a socket and an event loop."""

    def __init__(self, server: DemoServer) -> None:
        self._server = _build_uvicorn(server)
        self._socket = _listen(server.host, server.port)
        self.port: int = self._socket.getsockname()[1]
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None
        self._ready, self._failure = threading.Event(), list[BaseException]()
        self._thread = threading.Thread(target=self._run, name=f"tinker-demo-{self.port}", daemon=True)
        self._thread.start()
        self._ready.wait()
        if self._failure:
            raise self._failure[0]

    def stop(self) -> None:
        if self._loop is not None and self._stopping is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stopping.set)
        if threading.current_thread() is not self._thread:
            self._thread.join(5)

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:  # noqa: BLE001 - raised again in the thread that starts the server
            self._failure.append(error)
        finally:
            self._socket.close()
            self._ready.set()

    async def _serve(self) -> None:
        # uvicorn's own `serve` installs signal handlers, and checks every tenth of a second whether to stop.
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        await self._server.startup([self._socket])
        self._ready.set()
        await self._stopping.wait()
        await self._close_connections()
        for listener in self._server.servers:
            listener.close()  # last: asyncio loses a connection that is being accepted then, and leaves it open

    async def _close_connections(self) -> None:
        """Close all connections and end their requests; return at a moment when none is being accepted."""
        state = self._server.server_state
        while state.connections or len(asyncio.all_tasks()) > 1:  # asyncio accepts a connection in a task of its own
            for connection in list(state.connections):
                connection.transport.abort()
            for task in state.tasks:
                if not task.cancelling():
                    task.cancel()
            await asyncio.sleep(0)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio disables Nagle's algorithm, which costs some 40 ms per small response, only if the protocol is given.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def _build_uvicorn(server: DemoServer) -> Any:
    try:
        import uvicorn
        from uvicorn.lifespan.off import LifespanOff

        from .service.app import build_app
        from .traffic.asgi import TransportProtocol
        from .traffic.middleware import FaultMiddleware
    except ImportError as error:
        raise ImportError(MISSING_EXTRA) from error
    backend = Backend(server.states, server.switches, server.tokens, server.dialect)
    app = FaultMiddleware(build_app(backend), server.faults, server.requests, backend.find_state)
    config = uvicorn.Config(
        app,
        http=TransportProtocol,
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
    uvicorn_server = uvicorn.Server(config)
    uvicorn_server.lifespan = LifespanOff(config)
    return uvicorn_server


class AccountOptions(TypedDict, total=False):
    """The further options of `account`: parameters of `DemoServer`, fields of `Switches`, parameters of `Client`.

    Type checkers need them by name; a test compares them with what they repeat.
    """

    checkpoints: int | None
    host: str
    port: int
    key: str
    keys: Mapping[str, int] | None
    now: datetime | None
    hostile: bool

    caps: dict[str, int]
    archive: Literal["redirect", "json"]
    archive_building: int
    archive_busy: int
    trace_polls: int
    url_minutes: float
    pjwt_auth_enabled: bool
    credential_default_source: str
    require_jwt: bool
    jwt_lifetime: float
    write_status: int
    user_list_external: bool
    audit: Literal["json", "redirect"]
    admin: bool
    require_authorization: bool
    utc_offset: float

    cache: bool
    cache_ttl: float
    max_workers: int
    retries: int
    timeout: float
    deadline: float | None
    verify: bool | str | os.PathLike[str]
    allow_http: bool
    headers: Mapping[str, str] | None


def account(
    runs: int = 60,
    seed: int = 1,
    *,
    dialect: str = "official",
    faults: Faults | None = None,
    cache_dir: Any = None,
    **options: Unpack[AccountOptions],
) -> Client:
    """Start a demo server and return a client of its account, whose names are believable unless `hostile=True`.

    Closing the client, by `close()`, `with` or at exit, stops the server; `client.server` is the `DemoServer`. Unless
    `cache_dir` is given, the cache is a temporary folder that is deleted as well.

    Parameters
    ----------
    runs
        The number of training runs that the caller owns.
    seed
        The seed of the account; the same seed gives the same account.
    dialect
        The server to emulate: one of `DIALECTS`.
    faults
        The faults to inject, e.g. `Faults(latency=0.2)`.
    cache_dir
        The folder of the client's cache.
    **options
        Further options of `DemoServer` and of `Client`: those of `AccountOptions`.

    Returns
    -------
    Client
        A client of the account, with the server as `client.server`.

    Raises
    ------
    TypeError
        For an unknown option.

    Examples
    --------
    >>> with account(runs=3) as client:
    ...     len(client.training_runs())
    3
    """
    from tinker_frames.client import Client

    if unknown := options.keys() - AccountOptions.__annotations__.keys():
        raise TypeError(f"account() got an unexpected keyword argument {min(unknown)!r}")
    given: dict[str, Any] = {**options}
    settings = {name: given.pop(name) for name in given.keys() & signature(Client).parameters.keys()}
    given.setdefault("hostile", False)  # for people to look at; a server for tests has all that clients must survive
    server = DemoServer(runs, seed, dialect=dialect, faults=faults, **given).start()
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
