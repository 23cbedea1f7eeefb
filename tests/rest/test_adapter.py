"""Responses are bounded in time and size, over TLS and proxies too, and failures name their reason."""

from __future__ import annotations

import contextlib
import gc
import gzip
import socket
import ssl
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import certifi
import pytest

import tinker_frames as tkf
from tinker_frames import errors
from tinker_frames.rest import adapter
from tinker_frames.rest.config import BUNDLE_VARIABLES, UnverifiedWarning
from tinker_frames.rest.failures import PROXY_VARIABLES

KEY = "tml-AbCdEfGh0123456789WxYz"
TLS = Path(__file__).with_name("tls.pem")  # a self-signed certificate for 127.0.0.1, and its key
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"
Send = Callable[[socket.socket], None]


@pytest.fixture(autouse=True)
def _direct(monkeypatch: pytest.MonkeyPatch) -> None:
    """CA bundles and proxies of the developer are not used."""
    for name in (*BUNDLE_VARIABLES, *PROXY_VARIABLES, "HTTP_PROXY", "http_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)


@contextmanager
def serve(answer: Send, *, tls: bool = False) -> Iterator[tuple[str, list[bytes]]]:
    """Serve one response, sent byte by byte, on every connection; yield the address and the received requests."""
    seen: list[bytes] = []
    listener = socket.create_server(("127.0.0.1", 0))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(TLS)

    def talk(one: socket.socket) -> None:
        with contextlib.suppress(OSError), context.wrap_socket(one, server_side=True) if tls else one as line:
            seen.append(line.recv(65536))
            answer(line)
            if not seen[-1].startswith(b"CONNECT"):
                line.shutdown(socket.SHUT_RDWR)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=talk, args=(listener.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{listener.getsockname()[1]}", seen
    finally:
        listener.close()


def drip(start: bytes, again: bytes) -> Send:
    def send(line: socket.socket) -> None:
        line.sendall(start)
        while True:
            line.sendall(again)
            time.sleep(0.05)

    return send


def reply(body: bytes = b'{"training_runs": []}', head: bytes = HEAD) -> Send:
    return lambda line: line.sendall(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)


def make(url: str, **options: Any) -> tkf.Client:
    return tkf.Client(**{"api_key": KEY, "base_url": url, "cache": False, "retries": 0, "timeout": 20} | options)


# ── bounds ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.few(7)
@pytest.mark.parametrize("limit", [{"deadline": 0.4}, {"timeout": 0.3, "deadline": 0.6}])
@pytest.mark.parametrize(
    ("start", "again"),
    [
        (b"", b"H"),
        (b"HTTP/1.1 200 OK\r\n", b"X"),
        (HEAD, b"X-A: b\r\n"),
        (HEAD + b"Content-Length: 5000\r\n\r\n", b" "),
        (HEAD + b"\r\n", b" "),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    ],
    ids=["status", "header", "headers", "body", "endless", "chunks", "continue"],
)
def test_dripping_servers_end(start: bytes, again: bytes, limit: dict[str, float]) -> None:
    """A server that sends one byte at a time, in any part of its response, is stopped by the time limits."""
    began = time.monotonic()
    with (
        serve(drip(start, again)) as (url, _),
        make(url, **limit) as client,
        pytest.raises(errors.ConnectionFailedError),
    ):
        client.rest.list_training_runs()
    assert time.monotonic() - began < 40  # only a hang should fail; imports are slow on a busy machine


def test_dripping_answers_to_writes_end() -> None:
    """A write is stopped by the deadline too, and its outcome is reported as unknown."""
    with (
        serve(drip(HEAD + b"Content-Length: 5000\r\n\r\n", b" ")) as (url, _),
        make(url, api_key="", deadline=0.4) as client,
        pytest.raises(errors.ConnectionFailedError, match="within the deadline") as caught,
    ):
        client.transport.call("DELETE", "/api/v1/x", repeat=False)
    assert caught.value.status is None


def test_threads_wait_for_a_token_no_longer_than_the_deadline() -> None:
    """If config does not respond, every thread ends at its own deadline, not one after another."""
    found: list[Exception] = []

    def call(client: tkf.Client) -> None:
        try:
            client.rest.list_training_runs()
        except errors.ConnectionFailedError as error:
            found.append(error)

    began = time.monotonic()
    with serve(drip(HEAD + b"Content-Length: 5000\r\n\r\n", b" ")) as (url, _), make(url, deadline=0.5) as client:
        threads = [threading.Thread(target=call, args=(client,)) for _ in range(30)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(found) == 30
    assert time.monotonic() - began < 40  # only a hang should fail; imports are slow on a busy machine


@pytest.mark.parametrize("kind", ["endless", "length", "gzip", "deflate", "twice"])
def test_answers_have_a_size_limit(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An endless, an oversized, and a decompression-bomb body are errors after one request."""
    monkeypatch.setattr(adapter, "MAX_ANSWER_BYTES", 2**20)
    packed = {
        "gzip": gzip.compress(bytes(2**23)),
        "deflate": zlib.compress(bytes(2**23)),
        "twice": gzip.compress(b"{}"),
    }
    encoding = {"twice": "gzip, gzip"}.get(kind, kind).encode()

    def endless(line: socket.socket) -> None:
        line.sendall(HEAD + (b"Content-Length: 99999999999\r\n\r\n" if kind == "length" else b"\r\n"))
        while True:
            line.sendall(bytes(2**16))

    send = reply(packed[kind], HEAD + b"Content-Encoding: " + encoding + b"\r\n") if kind in packed else endless
    with (
        serve(send) as (url, seen),
        make(url, api_key="", retries=3) as client,
        pytest.raises(errors.ConnectionFailedError, match="larger than 1 MiB") as caught,
    ):
        client.rest.list_training_runs()
    assert len(seen) == 1
    assert not caught.value.retryable


# ── TLS and proxies ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_unknown_certificates_are_refused_with_their_reason() -> None:
    """An untrusted certificate is refused at once, with the reason and the remedy, and no key is sent."""
    with (
        serve(reply(), tls=True) as (url, seen),
        make(url, retries=3) as client,
        pytest.raises(errors.ConnectionFailedError, match=r"self.signed certificate.*SSL_CERT_FILE") as caught,
    ):
        client.rest.list_training_runs()
    assert seen == []
    assert not caught.value.retryable


@pytest.mark.parametrize(
    ("host", "verify", "said"),
    [
        ("localhost", TLS, r"Hostname mismatch.*Check the host in TINKER_BASE_URL"),
        ("127.0.0.1", certifi.where(), r"self.signed certificate.*add its CA certificates to .*cacert\.pem"),
    ],
)
def test_the_remedy_is_that_of_the_reason(host: str, verify: Any, said: str) -> None:
    """A certificate of another host is no matter of CA certificates, and the bundle in force is the one to add them to."""
    with (
        serve(reply(), tls=True) as (url, seen),
        make(url.replace("127.0.0.1", host), verify=verify) as client,
        pytest.raises(errors.ConnectionFailedError, match=said),
    ):
        client.rest.list_training_runs()
    assert seen == []


@pytest.mark.parametrize("by", ["verify=", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"])
def test_bundles_are_used(by: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A CA bundle is taken from the setting or from any of the usual variables."""
    if by != "verify=":
        monkeypatch.setenv(by, str(TLS))
    with serve(reply(), tls=True) as (url, seen), make(url, **({"verify": TLS} if by == "verify=" else {})) as client:
        assert client.rest.list_training_runs() == {"training_runs": []}
    assert f"X-API-Key: {KEY}".encode() in seen[-1]


def test_verify_false_warns_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """`verify=False` accepts any certificate, even if the environment names a bundle, and warns when the client is made."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/etc/ssl/certs/ca-certificates.crt")
    with serve(reply(), tls=True) as (url, _):
        with pytest.warns(UnverifiedWarning, match="key can be intercepted") as warned:
            client = make(url, verify=False)
        assert [Path(warning.filename).name for warning in warned] == ["test_adapter.py"]
        assert client.rest.list_training_runs() == {"training_runs": []}
        client.close()


@pytest.mark.parametrize("by", ["verify=", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"])
@pytest.mark.parametrize(("bundle", "said"), [("missing.pem", "does not exist"), ("empty.pem", "cannot be used")])
def test_wrong_bundles_are_named(
    by: str, bundle: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A missing or invalid bundle is an error that names it and its source."""
    (tmp_path / "empty.pem").write_text("nothing")
    if by != "verify=":
        monkeypatch.setenv(by, str(tmp_path / bundle))
    with pytest.raises(errors.InvalidRequestError, match=f"{bundle}' of {by} {said}"):
        make("https://example.org", **({"verify": tmp_path / bundle} if by == "verify=" else {}))


def test_plain_http_at_a_tls_address_is_named() -> None:
    """The error says so if a server speaks plain http where TLS is expected."""
    with (
        serve(reply()) as (url, _),
        make(url.replace("http:", "https:")) as client,
        pytest.raises(errors.ConnectionFailedError, match=r"no TLS connection to .*plain http"),
    ):
        client.rest.list_training_runs()


@pytest.mark.parametrize(
    ("proxy", "said"),
    [
        (None, "answers 407 Proxy Authentication Required"),
        ("http://127.0.0.1:9", "cannot be reached"),
        ("http://", "is malformed"),
        ("http://127.0.0.1:99999", "is malformed"),
        ("my proxy", "is malformed"),
        ("socks5://127.0.0.1:9", "SOCKS"),
    ],
)
def test_proxy_failures_name_the_variable(proxy: str | None, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failing proxy is named by its variable; its address and the key are not shown."""
    with serve(lambda line: line.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")) as (url, seen):
        monkeypatch.setenv("HTTPS_PROXY", proxy or url.replace("http://", "http://me:hidden@"))
        with make("https://tuft.example", retries=2) as client:
            with pytest.raises(errors.ConnectionFailedError, match=f"proxy of HTTPS_PROXY.*{said}") as caught:
                client.rest.list_training_runs()
            assert "hidden" not in str(caught.value)
    assert not [request for request in seen if KEY.encode() in request]


def test_a_proxy_of_its_own_tls_is_verified(monkeypatch: pytest.MonkeyPatch) -> None:
    """The certificate of a proxy that is not accepted is said to be the proxy's."""
    with serve(reply(), tls=True) as (url, seen), make("https://tuft.example", retries=0) as client:
        monkeypatch.setenv("HTTPS_PROXY", url)
        with pytest.raises(errors.ConnectionFailedError, match=r"proxy of HTTPS_PROXY.*its TLS certificate was not"):
            client.rest.list_training_runs()
    assert seen == []


def test_a_loss_behind_a_proxy_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy that closes the connection is named by the variable in force, not by another one; without it, it is not."""
    with serve(lambda line: None) as (url, _), make("https://tuft.example", retries=0) as client:
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
        monkeypatch.setenv("ALL_PROXY", url)
        with pytest.raises(errors.ConnectionFailedError, match="broke, through the proxy of ALL_PROXY"):
            client.rest.list_training_runs()
    with serve(lambda line: None, tls=True) as (url, _), make(url, retries=0, verify=TLS) as client:
        with pytest.raises(errors.ConnectionFailedError) as caught:
            client.rest.list_training_runs()
        assert "ALL_PROXY" not in str(caught.value)


# ── headers ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_extra_headers_are_sent_and_shown_nowhere(tmp_path: Path) -> None:
    """Extra headers are sent once with every request, and are in no repr or cache."""
    extra = {"Authorization": "Bearer 0123456789abcdef", "X-Route": "lab-seven-0123"}
    with serve(reply()) as (url, seen), make(url, headers=extra, cache=True, cache_dir=tmp_path) as client:
        client.rest.get_server_capabilities()
        shown = (
            repr(client) + repr(client._settings) + repr(vars(client.transport)) + repr(client.transport.cache.session)
        )  # type: ignore[union-attr]
    assert len(seen) == 2
    for request in seen:
        for line in (f"X-API-Key: {KEY}", *(f"{name}: {value}" for name, value in extra.items())):
            assert request.count(line.encode() + b"\r\n") == 1
    stored = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert stored
    assert not [value for value in extra.values() if value in shown or value.encode() in stored]


def test_a_header_that_is_no_secret_alters_no_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only header values that are long, or secret by their name, are removed from rows; an access header is sent once."""
    monkeypatch.setenv("CLOUDFLARE_ACCESS_CLIENT_ID", "of-the-environment")
    extra = {"X-Team": "research-team-7", "X-Lab-Token": "0123456789", "cf-access-client-id": "of-the-caller"}
    extra |= {"X-Gateway": "Bearer Zq9-wwkk-77-xyzz"}
    body = b'{"training_runs": ["research-team-7", "0123456789", "Zq9-wwkk-77-xyzz"]}'
    with serve(reply(body)) as (url, seen), make(url, headers=extra) as client:
        assert client.rest.list_training_runs() == {"training_runs": ["research-team-7", "[key]", "[key]"]}
    assert b"cf-access-client-id: of-the-caller\r\n" in seen[-1]
    assert b"of-the-environment" not in seen[-1]


@pytest.mark.parametrize("name", ["X-API-Key", "x_api_key", "host", "Content-Length", "Cookie", "a b", "", "X\r\nEvil"])
def test_headers_of_our_own_cannot_be_set(name: str) -> None:
    """An extra header cannot replace the key's or HTTP's own, and must be valid; its value is not shown."""
    with pytest.raises(errors.InvalidRequestError, match="headers") as caught:
        make("https://example.org", headers={name: "tml-other-0123456789"})
    assert "other" not in str(caught.value)


@pytest.mark.parametrize("headers", [{"X-A": "b\r\nX-Evil: 1"}, {"X-A": 5}, {5: "x"}, "X-A: b", [("X-A", "b")]])
def test_malformed_headers_are_refused(headers: Any) -> None:
    """An invalid header value, or a non-mapping, raises."""
    with pytest.raises((TypeError, errors.TinkerError), match="headers"):
        make("https://example.org", headers=headers)


# ── plain http ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("192.168.1.5", True),
        ("10.0.0.1:8000", True),
        ("[fd00::1]", True),
        ("gpu-box", True),
        ("8.8.8.8", False),
        ("[2001:4860:4860::8888]", False),
        ("[::ffff:8.8.8.8]", False),
        ("0.0.0.0", False),
        ("tinker.thinkingmachines.dev", False),
    ],
)
def test_plain_http_in_private_networks(host: str, allowed: bool) -> None:
    """`allow_http=True` permits plain http to names and to addresses of private networks, never to public ones."""
    with pytest.raises(errors.InvalidRequestError, match="allow_http=True"):
        make(f"http://{host}")
    if allowed:
        make(f"http://{host}", allow_http=True).close()
    else:
        with pytest.raises(errors.InvalidRequestError, match="plain http"):
            make(f"http://{host}", allow_http=True)


@pytest.mark.parametrize(
    ("address", "allow", "sent"), [("93.184.216.34", True, False), ("10.1.2.3", True, True), ("10.1.2.3", False, False)]
)
def test_a_name_is_judged_by_its_address(
    address: str, allow: bool, sent: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The resolved address decides: a key goes to a private address only if allowed, and never to a public one."""
    with serve(reply()) as (url, seen):
        client = make(url, allow_http=allow)
        monkeypatch.setattr(socket.socket, "getpeername", lambda self: (address, 80))
        if sent:
            client.rest.list_training_runs()
        else:
            with pytest.raises(errors.InvalidRequestError, match=address):
                client.rest.list_training_runs()
        client.close()
    assert any(KEY.encode() in request for request in seen) is sent


def test_a_name_that_does_not_resolve_in_time_ends_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """The deadline also bounds the lookup of the host's name, which the system does not let us interrupt."""
    is_over = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: is_over.wait(60) and [])
    with tkf.Client(KEY, "http://localhost:9", deadline=0.3, cache=False) as client:
        started = time.monotonic()
        with pytest.raises(errors.ConnectionFailedError):
            client.rest.list_sessions()
        assert time.monotonic() - started < 30
    is_over.set()


def test_a_connection_that_is_made_too_late_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a slow resolver leads to after the deadline is closed unused, and not left to the garbage collector, which would warn."""
    resolve, is_over = socket.getaddrinfo, threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *given, **named: is_over.wait(60) and resolve(*given, **named))
    with serve(reply()) as (url, seen):
        with make(url, deadline=0.1) as client, pytest.raises(errors.ConnectionFailedError):
            client.rest.list_sessions()
        is_over.set()
        for thread in threading.enumerate():
            if thread.name.startswith("tinker-connect"):
                thread.join(60)
        gc.collect()
        while not seen:
            time.sleep(0.005)
    assert seen == [b""]


def test_chunks_of_negative_size_are_a_failed_connection() -> None:
    """A chunk of negative size ends in an error of the connection, not in one of Python's HTTP client."""
    body = HEAD + b"Transfer-Encoding: chunked\r\n\r\n-5\r\n{}\r\n0\r\n\r\n"
    with (
        serve(lambda line: line.sendall(body)) as (url, _),
        make(url) as client,
        pytest.raises(errors.ConnectionFailedError, match="broke"),
    ):
        client.rest.list_training_runs()
