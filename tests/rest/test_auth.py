"""Authentication: whether to exchange the credential, its renewal, and a single replay."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import tinker_frames as tkf
from tinker_frames.demo import Burst, DemoServer
from tinker_frames.errors import AuthenticationError, PermissionDeniedError, SchemaError, ServerError, TinkerError
from tinker_frames.rest import auth
from tinker_frames.rest.auth import Authenticator, Token, decode_jwt, derive_identity, fingerprint
from tinker_frames.rest.config import ClientOptions, resolve
from tinker_frames.rest.secret import Secret

CONFIG, TOKEN = "get_client_config", "get_auth_token"
INVALID = {"WWW-Authenticate": 'Bearer error="invalid_token"'}


def jwt(**claims: Any) -> str:
    packed = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    return f"eyJhbGciOiJub25lIn0.{packed}.c2ln"


def list_sent_keys(server: DemoServer, endpoint: str) -> list[str]:
    return [call.headers.get("x-api-key", "") for call in server.requests.to(endpoint)]


@pytest.fixture
def exchange_server(server: DemoServer) -> DemoServer:
    """A server that requires the token exchange."""
    server.switches.pjwt_auth_enabled = server.switches.require_jwt = True
    return server


# ── whether to exchange ───────────────────────────────────────────────────────────────────────────────────────────────


def test_key_is_sent_as_it_is(server: DemoServer, client: tkf.Client) -> None:
    """If config does not require it nothing is exchanged: one config call, then the key itself."""
    client.rest.list_training_runs()
    client.rest.list_sessions()
    assert [call.endpoint for call in server.requests] == [CONFIG, "list_training_runs", "list_sessions"]
    assert json.loads(server.requests[0].body)["sdk_version"]
    assert {call.headers["x-api-key"] for call in server.requests} == {server.key}


def test_exchange_where_config_says_so(exchange_server: DemoServer, client: tkf.Client) -> None:
    """The key is sent to config and to the exchange only, everything else gets the JWT."""
    client.rest.list_training_runs()
    client.rest.list_sessions()
    assert [call.endpoint for call in exchange_server.requests] == [
        CONFIG,
        TOKEN,
        "list_training_runs",
        "list_sessions",
    ]
    assert exchange_server.requests[1].body == b"{}"
    keys = [call.headers["x-api-key"] for call in exchange_server.requests]
    assert keys[:2] == [exchange_server.key] * 2
    assert keys[2] == keys[3]
    assert keys[2].startswith("eyJ")


def test_server_without_config(server: DemoServer, client: tkf.Client) -> None:
    """After a 404 from config the credential is sent unchanged, and config is not requested again."""
    server.faults.missing = {CONFIG}
    client.rest.list_training_runs()
    client.rest.list_sessions()
    assert server.requests.count(CONFIG) == 1
    assert server.requests.count(TOKEN) == 0
    assert list_sent_keys(server, "list_sessions") == [server.key]


def test_failing_config_is_asked_again(server: DemoServer, client_of: Callable[..., tkf.Client]) -> None:
    """A failing config fails only that call, sends nothing else, and is requested again by the next call."""
    server.faults.bursts.append(Burst(CONFIG, 500, times=1))
    client = client_of(server, retries=0)
    with pytest.raises(ServerError):
        client.rest.list_training_runs()
    assert server.requests.count("list_training_runs") == 0
    client.rest.list_training_runs()
    assert server.requests.count(CONFIG) == 2


@pytest.mark.parametrize("body", [b"{oops}", b'{"jwt": "eyJ'])
def test_config_that_is_no_json(server: DemoServer, client_of: Callable[..., tkf.Client], body: bytes) -> None:
    """A config that is not JSON is one of our errors."""
    server.faults.bursts.append(Burst(CONFIG, 200, times=None, body=body))
    with pytest.raises(TinkerError):
        client_of(server, retries=0).rest.list_training_runs()


@pytest.fixture
def known_server(server: DemoServer, client_of: Callable[..., tkf.Client]) -> DemoServer:
    """A server whose config an earlier client with the same cache folder has read."""
    client_of(server).rest.list_training_runs()
    server.requests.clear()
    return server


def test_known_config_is_not_waited_for_but_has_to_hold(
    known_server: DemoServer, client_of: Callable[..., tkf.Client]
) -> None:
    """A first read is sent while config is requested; if that fails, so does the read, although it was answered."""
    known_server.faults.bursts.append(Burst(CONFIG, 500, times=1))
    client = client_of(known_server, retries=0)
    with pytest.raises(ServerError):
        client.rest.list_training_runs()
    assert known_server.requests.count("list_training_runs") == 1
    assert len(client.sessions(progress=False))
    assert known_server.requests.count(CONFIG) == 2


def test_config_that_changed_replays_the_first_read(
    known_server: DemoServer, client_of: Callable[..., tkf.Client]
) -> None:
    """What was read with the key is dropped if config wants the exchange by now, also if the server still takes the key; and back."""
    known_server.switches.pjwt_auth_enabled = True
    client_of(known_server).rest.list_training_runs()
    first, second = list_sent_keys(known_server, "list_training_runs")
    assert (first, second[:3]) == (known_server.key, "eyJ")
    known_server.requests.clear()
    known_server.switches.pjwt_auth_enabled, known_server.faults.missing = False, {TOKEN}
    client_of(known_server).rest.list_training_runs()
    assert list_sent_keys(known_server, "list_training_runs") == [known_server.key]


def test_command_enforced_since_the_last_time(known_server: DemoServer, client_of: Callable[..., tkf.Client]) -> None:
    """Rows that the key still gets are not returned once config takes a command only."""
    known_server.switches.credential_default_source = "credential_cmd"
    client = client_of(known_server)
    for _ in range(2):
        with pytest.raises(AuthenticationError, match="only credentials from a command"):
            client.checkpoints(progress=False)


@pytest.mark.parametrize("method", ["publish_checkpoint", "get_training_run"])
def test_writes_and_cached_reads_wait_for_config(
    known_server: DemoServer, client_of: Callable[..., tkf.Client], method: str
) -> None:
    """Neither a write nor a read whose response is stored is sent by what config said an earlier time."""
    row = client_of(known_server).checkpoints(progress=False).query("~public").iloc[0]
    known_server.switches.pjwt_auth_enabled = True
    known_server.requests.clear()
    of = row["training_run_id"] if method == "get_training_run" else row["tinker_path"]
    getattr(client_of(known_server).rest, method)(of)
    keys = list_sent_keys(known_server, method)
    assert keys
    assert all(key.startswith("eyJ") for key in keys)


def test_sixteen_threads_confirm_once(known_server: DemoServer, client_of: Callable[..., tkf.Client]) -> None:
    """Reads in parallel share one request for config, and each is sent again if config has changed."""
    known_server.switches.pjwt_auth_enabled = True
    client = client_of(known_server)
    threads = [threading.Thread(target=client.rest.list_training_runs) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    keys = list_sent_keys(known_server, "list_training_runs")
    assert sum(key.startswith("eyJ") for key in keys) == 16
    assert (known_server.requests.count(CONFIG), known_server.requests.count(TOKEN)) == (1, 1)


def test_unusable_token_of_tuft_is_never_asked_for(client_of: Callable[..., tkf.Client]) -> None:
    """A server whose tokens do not work says so in its config, and no token is requested."""
    with DemoServer(runs=2, dialect="tuft") as server:
        client_of(server).rest.list_training_runs()
        assert server.requests.count(TOKEN) == 0
        with pytest.raises(PermissionDeniedError):
            client_of(server, api_key="tml-wrong-key").rest.list_training_runs()


def test_no_credential_sends_no_header(client_of: Callable[..., tkf.Client]) -> None:
    """A server without authentication gets no credential and no config request."""
    with DemoServer(runs=2, dialect="skyrl") as server:
        client_of(server, api_key=None).rest.list_training_runs()
        assert [call.endpoint for call in server.requests] == ["list_training_runs"]
        assert "x-api-key" not in server.requests[0].headers


def test_command_is_enforced(
    server: DemoServer, client_of: Callable[..., tkf.Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    """If config enforces the command, it replaces a key; without a command this raises before any call."""
    server.switches.credential_default_source = "credential_cmd"
    with pytest.raises(AuthenticationError, match="only credentials from a command"):
        client_of(server).rest.list_training_runs()
    assert server.requests.count("list_training_runs") == 0
    token = server.tokens.issue(600, sub=server.state.me.urn)
    monkeypatch.setenv("TINKER_CREDENTIAL_CMD", f"echo {token}")
    client_of(server).rest.list_training_runs()
    assert list_sent_keys(server, "list_training_runs") == [token]


def test_jwt_is_used_although_the_command_is_enforced(
    server: DemoServer, client_of: Callable[..., tkf.Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A given JWT is used unchanged, neither exchanged nor replaced by a command."""
    server.switches.credential_default_source, server.switches.pjwt_auth_enabled = "credential_cmd", True
    monkeypatch.setenv("TINKER_CREDENTIAL_CMD", "exit 9")
    token = server.tokens.issue(600, sub=server.state.me.urn)
    client_of(server, api_key=token).rest.list_training_runs()
    assert list_sent_keys(server, "list_training_runs") == [token]
    assert server.requests.count(TOKEN) == 0


@pytest.mark.parametrize("body", [b"{}", b'{"jwt": ""}', b'{"jwt": 5}', b"[]", b'{"jwt": "eyJ\\r\\nX-Evil: 1"}'])
def test_exchange_for_nothing(exchange_server: DemoServer, client_of: Callable[..., tkf.Client], body: bytes) -> None:
    """An exchange without a token is an authentication error, and the key is not sent instead."""
    exchange_server.faults.bursts.append(Burst(TOKEN, 200, times=None, body=body))
    with pytest.raises((AuthenticationError, SchemaError)):
        client_of(exchange_server, retries=0).rest.list_training_runs()
    assert exchange_server.requests.count("list_training_runs") == 0


# ── expiry and renewal ────────────────────────────────────────────────────────────────────────────────────────────────


def test_expired_jwt_is_refused_here(server: DemoServer, client_of: Callable[..., tkf.Client]) -> None:
    """An expired JWT is not sent."""
    client = client_of(server, api_key=jwt(sub="me", exp=time.time() - 90))
    with pytest.raises(AuthenticationError, match=r"expired 1\.[56] min ago"):
        client.rest.list_training_runs()
    assert len(server.requests) == 0


def test_jwt_that_expires_while_in_use_is_refused_here(
    server: DemoServer, client_of: Callable[..., tkf.Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A JWT is checked before every use, not only at the first."""
    client = client_of(server, api_key=server.tokens.issue(3600, sub=server.state.me.urn))
    client.rest.list_training_runs()
    _advance_clock(monkeypatch, 3700)
    with pytest.raises(AuthenticationError, match="expired"):
        client.rest.list_training_runs()
    assert server.requests.count("list_training_runs") == 1


def _advance_clock(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Advance our clock, but not the server's."""

    class Clock:
        @staticmethod
        def time() -> float:
            return time.time() + seconds

    monkeypatch.setattr(auth, "time", Clock)


def test_token_is_renewed_at_half_of_its_life(
    exchange_server: DemoServer, client: tkf.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token with an hour to live is exchanged again, once, after half an hour."""
    client.rest.list_training_runs()
    _advance_clock(monkeypatch, 1700)
    client.rest.list_training_runs()
    assert exchange_server.requests.count(TOKEN) == 1
    _advance_clock(monkeypatch, 1900)
    client.rest.list_training_runs()
    client.rest.list_training_runs()
    assert exchange_server.requests.count(TOKEN) == 2
    used = list_sent_keys(exchange_server, "list_training_runs")
    assert used[0] == used[1] != used[2] == used[3]


@pytest.mark.parametrize("after", [1900, 3580])
def test_failed_renewal_while_the_old_token_lives(
    exchange_server: DemoServer, client_of: Callable[..., tkf.Client], monkeypatch: pytest.MonkeyPatch, after: float
) -> None:
    """A failed renewal has no effect while the old token is valid, even in its last minute, and is retried later."""
    client = client_of(exchange_server, retries=0)
    client.rest.list_training_runs()
    exchange_server.faults.bursts.append(Burst(TOKEN, 503, times=1))
    _advance_clock(monkeypatch, after)
    client.rest.list_training_runs()
    client.rest.list_training_runs()
    assert exchange_server.requests.count(TOKEN) == 2
    _advance_clock(monkeypatch, after + 61)
    client.rest.list_training_runs()
    assert exchange_server.requests.count(TOKEN) == 3


def test_failed_renewal_of_a_dead_token(
    exchange_server: DemoServer, client_of: Callable[..., tkf.Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once the old token has expired, a failed renewal is raised."""
    client = client_of(exchange_server, retries=0)
    client.rest.list_training_runs()
    exchange_server.faults.bursts.append(Burst(TOKEN, 503, times=1))
    _advance_clock(monkeypatch, 3700)
    with pytest.raises(ServerError):
        client.rest.list_training_runs()
    assert exchange_server.requests.count("list_training_runs") == 1


def test_wrong_clock_does_not_kill_fresh_tokens(
    exchange_server: DemoServer, client: tkf.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fresh token is valid for its lifetime even if our clock is a day ahead."""
    _advance_clock(monkeypatch, 86_400)
    client.rest.list_training_runs()
    client.rest.list_training_runs()
    assert exchange_server.requests.count(TOKEN) == 1


def test_short_lived_tokens_are_not_exchanged_for_each_call(exchange_server: DemoServer, client: tkf.Client) -> None:
    """A token with half a minute to live serves several calls."""
    exchange_server.switches.jwt_lifetime = 30
    for _ in range(3):
        client.rest.list_training_runs()
    assert exchange_server.requests.count(TOKEN) == 1


# ── the one replay ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_invalid_token_is_replayed_once(exchange_server: DemoServer, client: tkf.Client) -> None:
    """A 401 `invalid_token` leads to one exchange and one replay."""
    client.rest.list_training_runs()
    exchange_server.tokens.revoke()
    client.rest.list_sessions()
    assert exchange_server.requests.count(TOKEN) == 2
    assert [call.status for call in exchange_server.requests.to("list_sessions")] == [401, 200]


def test_second_invalid_token_is_final(exchange_server: DemoServer, client: tkf.Client) -> None:
    """If the new token is refused too, the error is raised after two requests."""
    exchange_server.faults.bursts.append(Burst("list_sessions", 401, times=None, headers=INVALID))
    with pytest.raises(AuthenticationError):
        client.rest.list_sessions()
    assert exchange_server.requests.count("list_sessions") == 2
    assert exchange_server.requests.count(TOKEN) == 2


@pytest.mark.parametrize(
    "headers", [{}, {"WWW-Authenticate": "Bearer"}, {"WWW-Authenticate": 'Bearer error="expired"'}]
)
def test_any_other_401_is_final(exchange_server: DemoServer, client: tkf.Client, headers: dict[str, str]) -> None:
    """A 401 without `invalid_token` is not repeated."""
    exchange_server.faults.bursts.append(Burst("list_sessions", 401, times=None, headers=headers))
    with pytest.raises(AuthenticationError):
        client.rest.list_sessions()
    assert exchange_server.requests.count("list_sessions") == 1
    assert exchange_server.requests.count(TOKEN) == 1


def test_plain_key_has_nothing_to_replay_with(server: DemoServer, client: tkf.Client) -> None:
    """Without an exchange or a command `invalid_token` is final at once."""
    server.faults.bursts.append(Burst("list_sessions", 401, times=None, headers=INVALID))
    with pytest.raises(AuthenticationError):
        client.rest.list_sessions()
    assert server.requests.count("list_sessions") == 1


def test_command_gives_the_new_token(
    server: DemoServer, client_of: Callable[..., tkf.Client], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """After `invalid_token` the command runs again, and its new output is sent."""
    token = tmp_path / "token"
    token.write_text(server.tokens.issue(600, sub=server.state.me.urn))
    monkeypatch.setenv("TINKER_CREDENTIAL_CMD", f"cat {token}")
    client = client_of(server, api_key=None)
    client.rest.list_sessions()
    server.tokens.revoke()
    token.write_text(server.tokens.issue(600, sub=server.state.me.urn))
    client.rest.list_sessions()
    assert [call.status for call in server.requests.to("list_sessions")] == [200, 401, 200]


def test_sixteen_threads_exchange_once(
    exchange_server: DemoServer, client: tkf.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When all threads meet `invalid_token` at once, one exchanges, and each replays once."""
    client.rest.list_training_runs()
    exchange_server.tokens.revoke()
    failures: list[BaseException] = []
    get_token, all_have_one = client.transport.auth.get_token, threading.Barrier(16, timeout=60)

    def get_token_together(**options: bool) -> Token | None:
        token = get_token(**options)
        all_have_one.wait()
        return token

    monkeypatch.setattr(client.transport.auth, "get_token", get_token_together)

    def work() -> None:
        try:
            client.rest.list_sessions()
        except BaseException as error:  # noqa: BLE001  # reported below
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert exchange_server.requests.count(TOKEN) == 2
    assert sorted(call.status or 0 for call in exchange_server.requests.to("list_sessions")) == [200] * 16 + [401] * 16


def test_sixteen_threads_start_once(exchange_server: DemoServer, client: tkf.Client) -> None:
    """Threads that start at once request config once and exchange once."""
    exchange_server.faults.latency_of = {CONFIG: 0.1, TOKEN: 0.1}
    threads = [threading.Thread(target=client.rest.list_sessions) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (exchange_server.requests.count(CONFIG), exchange_server.requests.count(TOKEN)) == (1, 1)
    assert exchange_server.requests.count("list_sessions") == 16


# ── identity ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_identity_tells_accounts_apart() -> None:
    """All JWTs of one user in one organization have one identity; other users, organizations and keys have others."""

    def identify(credential: str) -> str:
        return derive_identity(Secret(credential))

    one = jwt(sub="ada", org_id="lab", exp=1)
    assert identify(one) == identify(jwt(sub="ada", org_id="lab", exp=2, jti="x"))
    others = [
        one,
        jwt(sub="bob", org_id="lab"),
        jwt(sub="ada", org_id="other"),
        "tml-a",
        "tml-b",
        jwt(exp=1),
        jwt(exp=2),
    ]
    assert len({identify(other) for other in others}) == len(others)
    assert "tml-a" not in identify("tml-a")
    assert fingerprint("https://a", "x") != fingerprint("https://b", "x")
    assert len(fingerprint("https://a", "x")) == 16


def test_identity_is_the_same_before_and_after_the_server_was_asked(
    server: DemoServer, client_of: Callable[..., tkf.Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two clients with the same settings share one account, whichever contacted the server first."""
    server.switches.credential_default_source = "credential_cmd"
    monkeypatch.setenv("TINKER_CREDENTIAL_CMD", f"echo {server.tokens.issue(600, sub=server.state.me.urn)}")
    early, late = client_of(server), client_of(server)
    before = early.account
    late.rest.list_training_runs()
    assert late.account == before


@pytest.mark.parametrize(
    "token", ["", "tml-x", "eyJ", "eyJ.", "eyJ.!!.x", "eyJ.bnVsbA.x", "eyJ.W10.x", "eyJ." + "W1tb" * 50_000 + ".x"]
)
def test_tokens_that_are_no_jwt_have_no_claims(token: str) -> None:
    """A token that cannot be decoded has no claims and does not raise."""
    assert decode_jwt(Secret(token)) == {}


def test_authenticator_shows_no_secret() -> None:
    """The repr shows the credential's source and its last four characters."""
    held = Authenticator(resolve(ClientOptions("tml-AbCdEfGh0123456789WxYz", "https://example.org")), lambda *_: {})
    token = held.get_token()
    assert token is not None
    assert token.secret.reveal() == "tml-AbCdEfGh0123456789WxYz"
    assert "AbCd" not in repr(token) + repr(held.secrets())
    assert repr(held) == "<Authenticator api_key argument tml-…WxYz>"
