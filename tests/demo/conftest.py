"""Demo servers and plain HTTP clients for the tests of the demo room."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import requests

from tinker_frames.demo import DemoServer


class Web(requests.Session):
    """A plain client of one server: `web.get("checkpoints")` requests `/api/v1/checkpoints` with the key."""

    def __init__(self, server: DemoServer, key: str | None) -> None:
        super().__init__()
        self.server, self.trust_env = server, False
        if key is not None:
            self.headers["X-API-Key"] = key

    def get(self, url, **kwargs):
        return super().get(url, **{"allow_redirects": False, **kwargs})

    def request(self, method, url, *args, **kwargs):
        kwargs.setdefault("timeout", 10)
        where = url if url.startswith(("http:", "/")) else f"/api/v1/{url}"
        return super().request(method, self.server.url + where if where.startswith("/") else where, *args, **kwargs)

    def json(self, path: str, **query: Any) -> Any:
        """Return the parsed response, which must be a 200."""
        reply = self.get(path, params=query)
        assert reply.status_code == 200, reply.text
        return reply.json()

    def rows(self, path: str, item: str, limit: int, **query: Any) -> list[Any]:
        """Return all rows of a list, page by page until a page is empty."""
        rows: list[Any] = []
        while page := self.json(path, limit=limit, offset=len(rows), **query)[item]:
            rows += page
        return rows


@pytest.fixture
def serve() -> Iterator[Callable[..., DemoServer]]:
    """Start servers that are stopped after the test."""
    with ExitStack() as stack:
        yield lambda *args, **kwargs: stack.enter_context(DemoServer(*args, **kwargs))


@pytest.fixture
def browse() -> Iterator[Callable[..., Web]]:
    """Make clients that are closed after the test; `key=None` sends no key."""
    with ExitStack() as stack:
        yield lambda server, key="tml-demo": stack.enter_context(Web(server, key))


@pytest.fixture
def web(serve, browse) -> Web:
    """Return a client of a new official account."""
    return browse(serve(runs=20))


def build_route(tinker_path: str, suffix: str = "") -> str:
    """Return the route of a checkpoint, with its parts percent-encoded."""
    run, segment, name = tinker_path.removeprefix("tinker://").split("/")
    return f"training_runs/{run}/checkpoints/{segment}/{requests.utils.quote(name, safe='')}{suffix}"


def find_path(web: Web, kind: str = "training", **fields: Any) -> str:
    """Return the path of a checkpoint of this type with these fields."""
    rows = web.rows("checkpoints", "checkpoints", 1000)
    fits = (row for row in rows if row["checkpoint_type"] == kind and fields.items() <= row.items())
    return next(fits)["tinker_path"]
