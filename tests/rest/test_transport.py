"""Retries, waits, headers, and errors of the transport."""

from __future__ import annotations

import http.server
import itertools
import logging
import re
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import tinker_frames as tkf
from tests.events import HangOnce, StopWhileWaiting
from tinker_frames import errors
from tinker_frames.demo import Burst, DemoServer, Hang, Reset, Truncate
from tinker_frames.rest.progress import Progress

RUNS = "list_training_runs"
Make = Callable[..., tkf.Client]


class OtherServer:
    """A second server on loopback that sends one response to everything and records its requests."""

    def __init__(self, answer: Callable[[http.server.BaseHTTPRequestHandler], None]) -> None:
        self.headers: list[dict[str, str]] = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.headers.append({name.lower(): value for name, value in self.headers.items()})
                answer(self)

            do_POST = do_PUT = do_DELETE = do_CONNECT = do_GET  # noqa: N815  # the names that http.server calls

            def log_message(self, *_: Any) -> None: ...

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def __enter__(self) -> OtherServer:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def reply(status: int, body: bytes = b"{}", **headers: str) -> Callable[[http.server.BaseHTTPRequestHandler], None]:
    def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and all exceptions chained to it."""
    found: BaseException | None = error
    while found is not None:
        yield found
        found = found.__cause__ or found.__context__


@pytest.fixture(autouse=True)
def _short_waits(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the waits, unless they are the subject of the test."""
    if "real_waits" not in request.fixturenames:
        monkeypatch.setattr("tinker_frames.rest.retry.backoff_s", lambda attempt: 0.01)


@pytest.fixture
def real_waits() -> None:
    """Use the waits that users get."""


@pytest.fixture
def started_client(client: tkf.Client, server: DemoServer) -> tkf.Client:
    """A client that has requested its config, on a server with an empty request log."""
    client.rest.get_server_capabilities()
    server.requests.clear()
    return client


def start(client: tkf.Client, server: DemoServer, timeout: float | None = None) -> tkf.Client:
    """Let a client request its config without a time limit; the given timeout applies afterwards."""
    client.rest.get_server_capabilities()
    server.requests.clear()
    if timeout is not None:
        client.transport.settings = replace(client.transport.settings, timeout=timeout)
    return client


# ── retries ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 503])
def test_reads_are_repeated(server: DemoServer, started_client: tkf.Client, status: int) -> None:
    """A read survives one temporary failure."""
    server.faults.bursts.append(Burst(RUNS, status, times=1))
    assert started_client.rest.list_training_runs()["training_runs"]
    assert [call.status for call in server.requests] == [status, 200]


@pytest.mark.parametrize("status", [400, 403, 404, 422])
def test_final_answers_are_not_repeated(server: DemoServer, started_client: tkf.Client, status: int) -> None:
    """A permanent failure is raised after one request."""
    server.faults.bursts.append(Burst(RUNS, status, times=None))
    with pytest.raises(errors.TinkerError):
        started_client.rest.list_training_runs()
    assert server.requests.count() == 1


@pytest.mark.parametrize(("said", "status", "count"), [("false", 500, 1), ("true", 404, 2)])
def test_should_retry(server: DemoServer, client_of: Make, said: str, status: int, count: int) -> None:
    """`x-should-retry` overrides the status."""
    client = start(client_of(server, retries=1), server)
    server.faults.bursts.append(Burst(RUNS, status, times=None, headers={"x-should-retry": said}))
    with pytest.raises(errors.TinkerError):
        client.rest.list_training_runs()
    assert server.requests.count() == count


@pytest.mark.parametrize("retries", [0, 2])
def test_retries_count_the_repeats(server: DemoServer, client_of: Make, retries: int) -> None:
    """`retries` is the maximum number of repeats."""
    client = start(client_of(server, retries=retries), server)
    server.faults.bursts.append(Burst(RUNS, 500, times=None))
    with pytest.raises(errors.ServerError):
        client.rest.list_training_runs()
    assert server.requests.count() == 1 + retries


@pytest.mark.slow
@pytest.mark.timeout(60)
@pytest.mark.usefixtures("real_waits")
def test_server_that_fails_for_ever(
    server: DemoServer, started_client: tkf.Client, caplog: pytest.LogCaptureFixture
) -> None:
    """With the defaults, a server that always responds with a 500 is an error after five requests, and the waits are reported."""
    server.faults.bursts.append(Burst(RUNS, 500, times=None))
    with caplog.at_level(logging.WARNING, "tinker_frames"), pytest.raises(errors.ServerError):
        started_client.rest.list_training_runs()
    assert server.requests.count() == 5
    assert any("waiting" in record.message and "500" in record.message for record in caplog.records)


@pytest.mark.parametrize(("status", "retry_after"), [(500, None), (429, "0.01"), (429, None), (503, "0.02")])
def test_repeats_and_slow_answers_are_reported(
    status: int,
    retry_after: str | None,
    server: DemoServer,
    client_of: Make,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A server that fails or is slow to answer is named while it is waited for: why, and until when, also where each wait is short."""
    monkeypatch.setattr("tinker_frames.rest.transport.REPORT_WAITS_FROM_S", 0.05)
    for module in ("adapter", "transport"):
        monkeypatch.setattr(f"tinker_frames.rest.{module}.SILENCE_S", 0.1)
    client = start(client_of(server, retries=1), server)
    server.faults.bursts.append(Burst(RUNS, status, times=None, retry_after=retry_after))
    server.faults.latency = 0.15
    with caplog.at_level(logging.WARNING, "tinker_frames"), pytest.raises(errors.TinkerError):
        client.rest.list_training_runs()
    silence, repeat = (record.getMessage() for record in caplog.records[:2])
    assert silence == f"waiting 60 s: no answer yet from {server.url.removeprefix('http://')}"
    reason = rf"(the server answers {status}|rate limited \({status}\))"
    assert re.fullmatch(rf"waiting 1 s: {reason}; [14] more tr(y|ies), until \d\d:\d\d:\d\d UTC at the latest", repeat)


def test_deadline_ends_repeats(server: DemoServer, client_of: Make) -> None:
    """No wait is started that would end after the deadline."""
    client = start(client_of(server, deadline=20), server)
    server.faults.bursts.append(Burst(RUNS, 429, times=None, retry_after="30"))
    with pytest.raises(errors.RateLimitError):
        client.rest.list_training_runs()
    assert server.requests.count() == 1


@pytest.mark.parametrize(("status", "retries"), [(429, 4), (503, 4), (429, 0)])
def test_waits_past_the_deadline_end_at_once(server: DemoServer, client_of: Make, status: int, retries: int) -> None:
    """A wait of an hour is reported and fails every call at once; until it is over, nothing is sent."""
    client = start(client_of(server, deadline=20, retries=retries), server)
    server.faults.bursts.append(Burst(RUNS, status, times=None, retry_after="3600"))
    for call in [client.rest.list_training_runs, client.rest.list_sessions, client.checkpoints]:
        with pytest.raises(errors.TinkerError, match=r"asks to wait (3600|3599) s.*Try again after 2") as caught:
            call()
        assert caught.value.retryable
    assert server.requests.count() == 1


@pytest.mark.parametrize(
    ("asked", "seconds", "named"),
    [
        ("1e9", 1e9, r"1000000000 s \(32 years\).*Try again after 205"),
        ("9" * 20, 1e10, "over 300 years, which is past the deadline.*may be a mistake"),
    ],
)
@pytest.mark.parametrize("deadline", [20, None])
def test_a_wait_of_years_is_named_and_not_waited_for(
    server: DemoServer, client_of: Make, deadline: float | None, asked: str, seconds: float, named: str
) -> None:
    """A server that asks to wait for decades ends the call at once with that time in words, and holds no later request."""
    client = start(client_of(server, deadline=deadline), server)
    server.faults.bursts.append(Burst(RUNS, 429, times=1, retry_after=asked))
    with pytest.raises(errors.RateLimitError, match=named) as caught:
        client.rest.list_training_runs()
    assert caught.value.retry_after == seconds
    client.rest.list_training_runs()


def test_exhausted_retries_name_the_wait(server: DemoServer, client_of: Make) -> None:
    """If the server still limits the rate after all retries, the error says how long it asks to wait."""
    client = start(client_of(server, retries=0), server)
    server.faults.bursts.append(Burst(RUNS, 429, times=1, retry_after="150"))
    with pytest.raises(errors.RateLimitError, match=r"asks to wait 150 s \(2.5 min\): try again after 2"):
        client.rest.list_training_runs()


def test_long_waits_are_kept_where_the_deadline_allows(
    server: DemoServer, client_of: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wait of over a minute within the deadline is observed."""
    slept: list[float] = []
    client = start(client_of(server, deadline=300), server)

    def sleep(seconds: float, _: Progress) -> None:
        slept.append(seconds)
        client.transport._not_before -= seconds

    monkeypatch.setattr("tinker_frames.rest.transport._sleep", sleep)
    server.faults.bursts.append(Burst(RUNS, 429, times=1, retry_after="90"))
    client.rest.list_training_runs()
    assert slept == [pytest.approx(90, abs=2)]
    assert server.requests.count() == 2


def test_deadline_holds_at_the_gate(server: DemoServer, client_of: Make) -> None:
    """A wait requested by another thread's 429 does not hold a request past its deadline."""
    client = start(client_of(server, deadline=10), server)
    client.transport._not_before = time.monotonic() + 20
    with pytest.raises(errors.RateLimitError, match="past the deadline") as caught:
        client.rest.list_training_runs()
    assert caught.value.retryable
    assert server.requests.count() == 0


def test_gateway_refusal_is_repeated(server: DemoServer, started_client: tkf.Client) -> None:
    """A 400 with an empty body comes from a gateway: the request is sent again."""
    server.faults.bursts.append(Burst(RUNS, 400, times=1, body=b""))
    started_client.rest.list_training_runs()
    assert [call.status for call in server.requests] == [400, 200]


@pytest.mark.parametrize("trouble", ["resets", "truncate"])
def test_lost_answers_of_reads_are_repeated(server: DemoServer, started_client: tkf.Client, trouble: str) -> None:
    """A reset connection or a truncated body costs a retry, and never a row."""
    kind = Reset if trouble == "resets" else Truncate
    getattr(server.faults, trouble).append(kind(RUNS, times=1))
    assert len(started_client.rest.list_training_runs(limit=100)["training_runs"]) == 20
    assert server.requests.count() == 2


@pytest.mark.parametrize(("keep", "cached"), [(0.0, True), (0.99, True), (0.3, False)])
def test_truncated_bodies_are_errors(server: DemoServer, client_of: Make, keep: float, cached: bool) -> None:
    """A body that is always truncated is a connection failure with all error fields, and is not cached."""
    client = start(client_of(server, retries=0, cache=cached), server)
    run = server.state.runs()[0].training_run_id
    server.faults.truncate.append(Truncate("get_training_run", times=1, keep=keep))
    with pytest.raises(errors.ConnectionFailedError) as caught:
        client.rest.get_training_run(run)
    assert caught.value.retryable
    assert caught.value.url
    assert caught.value.hint
    assert client.rest.get_training_run(run)["training_run_id"] == run


def test_body_cut_without_a_length_is_repeated() -> None:
    """A truncated body without a length is detected and requested again."""
    answers = [b'{"training_runs": [{"tr', b'{"training_runs": []}']

    def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(answers.pop(0))

    with OtherServer(answer) as odd, tkf.Client(None, odd.url, cache=False) as client:
        assert client.rest.list_training_runs() == {"training_runs": []}
    assert answers == []


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [(200, b"<html>log in</html>", "incomplete JSON"), (206, b'{"training_runs": []}', "a part of")],
)
def test_what_is_no_whole_answer_is_an_error(status: int, body: bytes, words: str) -> None:
    """A gateway's web page with status 200, and a part of an answer, which nobody asked for, are errors."""
    with (
        OtherServer(reply(status, body)) as odd,
        tkf.Client(None, odd.url, cache=False, retries=0) as client,
        pytest.raises(errors.ConnectionFailedError, match=words),
    ):
        client.rest.list_training_runs()


def test_hanging_server_times_out(server: DemoServer, client_of: Make) -> None:
    """A server that does not respond is given up after `timeout`, with an error."""
    client = start(client_of(server, retries=0), server, timeout=0.3)
    server.faults.hang.append(Hang(RUNS, times=None, seconds=20))
    with pytest.raises(errors.ConnectionFailedError, match="no answer from"):
        client.rest.list_training_runs()
    assert server.requests.count() == 1


def test_hang_is_repeated(server: DemoServer, client_of: Make) -> None:
    """A read lost to a hanging server is sent again."""
    client = start(client_of(server), server)
    server.faults.hang.append(HangOnce(RUNS, client=client))
    assert client.rest.list_training_runs()["training_runs"]
    assert server.requests.count() == 2


def test_refused_connection(client_of: Make) -> None:
    """An unreachable server is a connection failure that names the host."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
        client = tkf.Client("tml-0123456789", f"http://127.0.0.1:{port}", cache=False, retries=0)
        with pytest.raises(errors.ConnectionFailedError, match=f"no connection to 127.0.0.1:{port}") as caught:
            client.rest.list_training_runs()
        client.close()
    assert caught.value.status is None
    assert caught.value.retryable


# ── rate limits ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_rate_limit_holds_every_thread(
    server: DemoServer, started_client: tkf.Client, caplog: pytest.LogCaptureFixture
) -> None:
    """All threads observe the wait of one thread's 429, which is reported once."""
    server.faults.bursts.append(Burst(RUNS, 429, times=1, retry_after="1.1"))
    first = threading.Thread(target=started_client.rest.list_training_runs)
    others = [threading.Thread(target=started_client.rest.list_sessions) for _ in range(8)]
    with caplog.at_level(logging.WARNING, "tinker_frames"):
        first.start()
        while not started_client._transport._not_before:
            time.sleep(0.005)
        for thread in others:
            thread.start()
        for thread in [first, *others]:
            thread.join()
    refused, *later = sorted(server.requests, key=lambda call: call.started)
    assert refused.status == 429
    assert len(later) == 9
    assert min(call.started for call in later) - (refused.ended or 0) >= 1.0
    said = [record.message for record in caplog.records if "rate limited" in record.message]
    assert len(said) == 1


def test_rate_limited_writes_wait_too(server: DemoServer, started_client: tkf.Client) -> None:
    """A write refused with a 429 is repeated after the wait, with the same idempotency key."""
    path = next(row for row in server.state.checkpoints_page(1000, 0)[0] if not row.public).tinker_path
    started_client.rest.list_checkpoints(path.split("/")[2])
    server.faults.bursts.append(Burst("publish_checkpoint", 429, times=2, retry_after="0.3"))
    started_client.rest.publish_checkpoint(path)
    calls = server.requests.to("publish_checkpoint")
    assert [call.status for call in calls] == [429, 429, 204]
    assert len({call.headers["x-idempotency-key"] for call in calls}) == 1
    assert all(later.started - (earlier.ended or 0) >= 0.25 for earlier, later in itertools.pairwise(calls))


def test_patience_with_named_waits(server: DemoServer, client_of: Make) -> None:
    """A rate limit that always names its wait is retried more often than a failure, but not for ever."""
    client = start(client_of(server, retries=1), server)
    server.faults.bursts.append(Burst(RUNS, 429, times=None, retry_after="0.05"))
    with pytest.raises(errors.RateLimitError):
        client.rest.list_training_runs()
    assert server.requests.count() == 5


def test_stopped_work_sends_nothing_more(server: DemoServer, started_client: tkf.Client) -> None:
    """Stopped work wakes from its wait at once and sends nothing more."""
    from tinker_frames.rest.interrupts import StoppedError

    progress = StopWhileWaiting()
    server.faults.bursts.append(Burst(RUNS, 503, times=None, retry_after="30"))
    with pytest.raises(StoppedError):
        started_client._transport.call("GET", "/api/v1/training_runs", progress=progress)
    assert server.requests.count() == progress.requests == 1


# ── requests ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_headers_of_a_read(server: DemoServer, started_client: tkf.Client) -> None:
    """A GET has our user agent, accepts JSON, carries the key, and has no idempotency key."""
    started_client.rest.list_training_runs()
    headers = server.requests[0].headers
    assert headers["user-agent"] == f"tinker-frames/{tkf.__version__}"
    assert headers["accept"] == "application/json"
    assert headers["x-api-key"] == server.key
    assert not {"x-idempotency-key", "authorization", "cookie"} & set(headers)


def test_idempotency_key_is_one_per_write(server: DemoServer, started_client: tkf.Client) -> None:
    """Each logical write has a new uuid, kept by its repeats."""
    path = server.state.checkpoints_page(1, 0)[0][0].tinker_path
    server.faults.bursts.append(Burst("set_checkpoint_ttl", 500, times=1))
    for _ in range(2):
        started_client.rest.set_checkpoint_ttl_from_tinker_path(path, 7200)
    keys = [call.headers["x-idempotency-key"] for call in server.requests.to("set_checkpoint_ttl")]
    assert len(keys) == 3
    assert keys[0] == keys[1] != keys[2]
    assert all(uuid.UUID(key).version == 4 for key in keys)


def test_access_headers_are_sent(server: DemoServer, client_of: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """The access headers of the environment are sent with every request, cached or not."""
    monkeypatch.setenv("CLOUDFLARE_ACCESS_CLIENT_ID", "cf-id")
    monkeypatch.setenv("CLOUDFLARE_ACCESS_CLIENT_SECRET", "cf-secret")
    client = client_of(server)
    client.rest.list_training_runs()
    client.rest.get_server_capabilities()
    sent = {(call.headers["cf-access-client-id"], call.headers["cf-access-client-secret"]) for call in server.requests}
    assert sent == {("cf-id", "cf-secret")}


def test_cookies_are_not_kept(server: DemoServer, started_client: tkf.Client) -> None:
    """A cookie that a server sets is not sent back."""
    server.faults.headers = {"set-cookie": "session=abc; Path=/"}
    for _ in range(2):
        started_client.rest.list_training_runs()
        started_client.rest.get_server_capabilities(refresh=True)
    assert not [call for call in server.requests if "cookie" in call.headers]


def test_netrc_is_not_used(server: DemoServer, started_client: tkf.Client) -> None:
    """A password in ~/.netrc for the host is not sent."""
    netrc = Path.home() / ".netrc"
    netrc.write_text("machine 127.0.0.1 login me password secret\n")
    netrc.chmod(0o600)
    started_client.rest.list_training_runs()
    started_client.rest.get_server_capabilities(refresh=True)
    assert not [call for call in server.requests if "authorization" in call.headers]


def test_proxies_are_not_used_for_loopback(
    server: DemoServer, client_of: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy of the environment never sees a request to this machine."""
    with OtherServer(reply(200)) as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        client = client_of(server)
        client.rest.list_training_runs()
        client.rest.get_server_capabilities()
    assert server.requests.count() == 3
    assert proxy.headers == []


@pytest.mark.parametrize("status", [301, 307])
def test_redirects_are_not_followed(server: DemoServer, started_client: tkf.Client, status: int) -> None:
    """A redirect is an error; the target is not requested, and its query is not shown."""
    path = server.state.checkpoints_page(1, 0)[0][0].tinker_path
    run = server.state.runs()[0].training_run_id
    with OtherServer(reply(200)) as other:
        location = {"location": f"{other.url}/x?X-Sig=abc"}
        server.faults.bursts.append(Burst("*", status, times=None, headers=location))
        calls: list[Callable[[], object]] = [
            started_client.rest.list_training_runs,
            lambda: started_client.rest.get_training_run(run),
            lambda: started_client.rest.get_weights_info_by_tinker_path(path),
            lambda: started_client.rest.set_checkpoint_ttl_from_tinker_path(path, 7200),
            lambda: started_client.rest.delete_checkpoint(path),
        ]
        for call in calls:
            with pytest.raises(errors.TinkerError, match="redirect") as caught:
                call()
            assert "X-Sig" not in str(caught.value)
    assert other.headers == []


def test_archive_redirect_is_returned_and_not_followed(server: DemoServer, started_client: tkf.Client) -> None:
    """The expected redirect of an archive is returned, not followed."""
    row = server.state.checkpoints_page(1, 0)[0][0]
    with OtherServer(reply(200)) as other:
        location = other.url.replace("http:", "https:") + "/x?X-Sig=abc"
        burst = Burst("get_checkpoint_archive_url", 302, times=None, headers={"location": location})
        server.faults.bursts.append(burst)
        assert started_client.rest.get_checkpoint_archive_url(row.tinker_path)["url"] == location
    assert other.headers == []


def test_deprecation_note_is_logged_once(
    server: DemoServer, started_client: tkf.Client, caplog: pytest.LogCaptureFixture
) -> None:
    """A deprecation note of the server is logged once, at its level."""
    server.faults.headers = {"x-deprecation-note": "Upgrade by May.", "x-deprecation-level": "error"}
    with caplog.at_level(logging.DEBUG, "tinker_frames"):
        started_client.rest.list_training_runs()
        started_client.rest.list_sessions()
    said = [(record.levelname, record.message) for record in caplog.records if "Upgrade" in record.message]
    assert said == [("ERROR", "the server says: Upgrade by May.")]
    server.faults.headers = {"x-deprecation-note": "Again."}
    with caplog.at_level(logging.DEBUG, "tinker_frames"):
        started_client.rest.list_sessions()
    assert [record.levelname for record in caplog.records if "Again" in record.message] == ["WARNING"]


# ── exceptions ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("trouble", "cached"),
    [(trouble, True) for trouble in ("reset", "truncate", "hang", "refused", "status", "page", "redirect")]
    + [("reset", False), ("redirect", False)],
)
def test_exceptions_hold_no_request(server: DemoServer, client_of: Make, trouble: str, cached: bool) -> None:
    """No exception has one of requests or urllib3 chained to it, since those hold the key."""
    client = start(client_of(server, retries=0, cache=cached), server, timeout=0.1 if trouble == "hang" else None)
    faults = server.faults
    if trouble == "reset":
        faults.resets.append(Reset("*", times=None))
    elif trouble == "truncate":
        faults.truncate.append(Truncate("*", times=None))
    elif trouble == "hang":
        faults.hang.append(Hang("*", times=None, seconds=5))
    elif trouble == "refused":
        server.stop()
    else:
        status = {"status": 500, "page": 200, "redirect": 302}[trouble]
        faults.bursts.append(Burst("*", status, times=None, body=b"oops", headers={"location": "file:///x?sig=1"}))
    path = server.state.checkpoints_page(1, 0)[0][0].tinker_path
    calls: list[Callable[[], object]] = [
        lambda: client.rest.get_server_capabilities(refresh=True),
        client.rest.list_training_runs,
        lambda: client.rest.delete_checkpoint(path),
        lambda: client.rest.get_checkpoint_archive_url(path, max_retries=1, retry_delay=0),
        lambda: client.rest.set_checkpoint_ttl_from_tinker_path(path, 7200),
    ]
    if trouble in ("page", "truncate"):  # the response body of a write is not read
        del calls[-1]
    if trouble == "truncate":  # nor is a redirect's
        del calls[-1]
    for call in calls:
        with pytest.raises(errors.TinkerError) as caught:
            call()
        for error in chain(caught.value):
            assert isinstance(error, errors.TinkerError)
            assert server.key not in repr(error) + repr(error.args) + repr(vars(error))
            assert "sig=1" not in repr(vars(error))


def test_writes_are_not_repeated_blindly(server: DemoServer, started_client: tkf.Client) -> None:
    """A write is sent once, whatever its outcome."""
    for trouble in (Burst("delete_checkpoint", 500, times=1), Reset("delete_checkpoint", times=1)):
        (server.faults.bursts if isinstance(trouble, Burst) else server.faults.resets).append(trouble)  # type: ignore[arg-type]
        server.requests.clear()
        with pytest.raises(errors.TinkerError):
            started_client._transport.call("DELETE", "/api/v1/training_runs/r/checkpoints/weights/x", repeat=False)
        assert server.requests.count() == 1


def test_watch_counts_requests(server: DemoServer, started_client: tkf.Client) -> None:
    """A progress counts every request of its work, including retries, but not cache hits."""
    server.faults.bursts.append(Burst("get_server_capabilities", 500, times=1))
    progress = Progress()
    path = "/api/v1/get_server_capabilities"
    started_client._transport.call("GET", path, cached=True, refresh=True, progress=progress)
    assert progress.requests == 2
    started_client._transport.call("GET", path, cached=True, progress=progress)
    assert progress.requests == server.requests.count() == 2
