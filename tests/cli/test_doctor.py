"""`doctor`: its findings on each kind of server, and that it only reads."""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import tinker_frames as tkf
from tinker_frames.cli import main
from tinker_frames.cli.doctor import Finding, examine
from tinker_frames.demo import DIALECTS, Burst, DemoServer, Faults
from tinker_frames.demo.endpoints import ENDPOINTS
from tinker_frames.errors import NotSupportedError, TinkerError
from tinker_frames.rest.config import ClientOptions, resolve
from tinker_frames.rest.transport import Transport

Examined = dict[str, Finding]
READS = (
    {"get_api_key"}
    | {name for name, (method, _) in ENDPOINTS.items() if method == "GET"}
    | {
        "search_sessions",
        "get_client_config",
        "get_auth_token",
    }
)
NEEDED = {"sessions", "training_runs", "checkpoints of a run"}
ACTIONS = {
    "publish": "publish_checkpoint",
    "set expiry": "set_checkpoint_ttl_from_tinker_path",
    "delete": "delete_checkpoint",
    "archive": "get_checkpoint_archive_url",
    "samplers": "get_sampler",
}
NEWER = {"sessions/search", "billing usage", "storage usage", "audit log"}


@pytest.fixture
def examine_server(tmp_path: Path) -> Callable[..., Examined]:
    """Examine a server, check that only reads were sent, and return the findings by name."""

    def examine_server(server: DemoServer, key: str | None = None, **options: Any) -> Examined:
        given = {"retries": 0, "cache_dir": tmp_path} | options
        settings = resolve(ClientOptions(key or server.key, server.url, **given))
        transport = Transport(settings)
        try:
            findings = list(examine(transport))
        finally:
            transport.close()
        assert {call.endpoint for call in server.requests} <= READS | {"unknown"}
        assert all(call.method == "OPTIONS" for call in server.requests.to("unknown"))
        assert len({finding.what for finding in findings}) == len(findings)
        assert not any(settings.credential.exists and server.key in finding.detail for finding in findings)
        return {finding.what: finding for finding in findings}

    return examine_server


def list_findings(found: Examined, verdict: str) -> set[str]:
    """Return the names of the findings with this verdict."""
    return {name for name, finding in found.items() if finding.verdict == verdict}


def test_the_official_service_has_everything(
    shared_server: DemoServer, examine_server: Callable[..., Examined]
) -> None:
    """On the official service every finding is ok, with the page sizes that we request."""
    found = examine_server(shared_server)
    assert list_findings(found, "ok") == set(found)
    assert {"server", "credential", "latency", "clock", "account", "cache"} | NEEDED | NEWER <= set(found)
    assert found["server"].detail == shared_server.url
    assert found["credential"].detail.endswith("tml-…")
    assert "sent as it is, not exchanged for a JWT" in found["account"].detail
    assert found["page of training runs"].detail.startswith("500 rows at most (the account has 24)")


def test_tuft_lacks_the_newer_routes(examine_server: Callable[..., Examined]) -> None:
    """TuFT lacks the session search and billing, and nothing is wrong."""
    with DemoServer(runs=5, dialect="tuft") as server:
        found = examine_server(server)
    assert list_findings(found, "lacks") - {*ACTIONS} == NEWER | {"identity"}
    assert not list_findings(found, "wrong")


@pytest.mark.parametrize("dialect", ["skyrl", "skyrl-main", "twinkle"])
def test_others_lack_sessions_and_the_users_list(dialect: str, examine_server: Callable[..., Examined]) -> None:
    """SkyRL and Twinkle also lack sessions, the user's checkpoints and their pages, and nothing is wrong."""
    with DemoServer(runs=5, dialect=dialect) as server:
        found = examine_server(server)
    assert list_findings(found, "lacks") - {*ACTIONS} == NEWER | {
        "identity",
        "sessions",
        "checkpoints",
        "page of session ids",
        "page of checkpoints",
    }
    assert not list_findings(found, "wrong")


@pytest.mark.parametrize("dialect", list(DIALECTS))
def test_what_plans_need_is_found_without_writing(
    dialect: str, examine_server: Callable[..., Examined], tmp_path: Path
) -> None:
    """An action, the archive and the samplers are ok where a call reaches a route, and lacking where it does not; what cannot be told without writing is unknown."""
    with DemoServer(runs=2, dialect=dialect) as server:
        before = server.state.checkpoints_page(1000, 0)
        found = examine_server(server)
        assert server.state.checkpoints_page(1000, 0) == before
        with tkf.Client(server.key, server.url, retries=0, cache_dir=tmp_path) as client:
            for what, name in sorted(ACTIONS.items(), reverse=True):  # a delete comes after what needs the checkpoint
                given = ["none"] if what == "samplers" else [before[0][0].tinker_path]
                given += [3600] if what == "set expiry" else []
                verdicts = ("ok", "unknown")
                try:
                    getattr(client.rest, name)(*given)
                except NotSupportedError:
                    verdicts = ("lacks", "unknown")
                except TinkerError:
                    pass
                assert found[what].verdict in verdicts, what
    assert dialect not in ("official", "skyrl") or not list_findings(found, "unknown")


def test_a_server_that_fails_on_options(examine_server: Callable[..., Examined]) -> None:
    """Where no OPTIONS request is answered, what plans need is unknown, and the other checks go on."""
    with DemoServer(runs=2) as server:
        server.faults.bursts = [Burst("unknown", 500, times=None)]
        found = examine_server(server)
    assert list_findings(found, "unknown") == {*ACTIONS} - {"archive", "samplers"}
    assert found["cache"].verdict == "ok"


def test_whose_key_it_is(shared_server: DemoServer, examine_server: Callable[..., Examined]) -> None:
    """The official service says whose key it is."""
    assert examine_server(shared_server)["identity"].detail == "key demo, ada@example.org, Demo Lab"


def test_without_a_credential(
    shared_server: DemoServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a credential, server, latency, clock and cache are checked, and what is missing is said in a shell's words."""
    monkeypatch.setattr("tinker_frames.rest.config.PRODUCTION", shared_server.url)
    monkeypatch.setattr("tinker_frames.rest.config._is_official", lambda _: True)
    monkeypatch.setattr(sys, "argv", ["tinker-frames", "doctor"])
    with pytest.raises(SystemExit) as ended:
        main.main()
    rows = dict(line.split("\t")[:2] for line in capsys.readouterr().out.splitlines()[1:])
    assert ended.value.code == 1
    assert rows == {"server": "ok", "credential": "wrong", "latency": "ok", "clock": "ok", "cache": "ok"}


def test_a_refused_key_is_the_accounts_finding(
    shared_server: DemoServer, examine_server: Callable[..., Examined]
) -> None:
    """A refused key is a finding of the account, not of the connection, and ends the examination."""
    found = examine_server(shared_server, "tml-wrong-key-7777")
    assert list(found) == ["server", "credential", "account"]
    assert list_findings(found, "wrong") == {"account"}
    assert "401" in found["account"].detail
    assert "tinker-frames doctor" not in found["account"].detail
    assert "tml-wrong-key-7777" not in str(found)


def test_a_key_that_tuft_refuses(examine_server: Callable[..., Examined]) -> None:
    """TuFT's 403 for an invalid key is wrong too, and not taken for a route refused to this account."""
    with DemoServer(runs=3, dialect="tuft") as server:
        found = examine_server(server, "tml-wrong-key-7777")
    assert list_findings(found, "wrong") == {"account"}
    assert "403" in found["account"].detail


def test_no_server(examine_server: Callable[..., Examined], tmp_path: Path) -> None:
    """An unreachable server is wrong, with its address and a hint, and the examination ends."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
    transport = Transport(resolve(ClientOptions("tml-demo", url, retries=0, cache_dir=tmp_path)))
    findings = list(examine(transport))
    transport.close()
    assert [(f.what, f.verdict) for f in findings] == [("server", "wrong"), ("credential", "ok")]
    assert url in findings[0].detail
    assert "TINKER_BASE_URL" in findings[0].detail


@pytest.mark.parametrize(("skew", "direction"), [(3600.0, "behind"), (-90.0, "ahead of")])
def test_clocks_that_disagree(
    server: DemoServer, examine_server: Callable[..., Examined], skew: float, direction: str
) -> None:
    """A clock skew of more than a few seconds is reported with its amount and direction."""
    server.faults.clock_skew = skew
    found = examine_server(server)["clock"]
    assert found.verdict == "wrong"
    assert direction in found.detail
    seconds = next(int(word) for word in found.detail.split() if word.isdigit())
    assert abs(seconds - abs(skew)) <= 5


def test_a_small_skew_is_fine(server: DemoServer, examine_server: Callable[..., Examined]) -> None:
    """A skew of a second or two is not reported."""
    server.faults.clock_skew = 2
    assert examine_server(server)["clock"].verdict == "ok"


@pytest.mark.parametrize("style", ["422", "silent"])
def test_page_caps(examine_server: Callable[..., Examined], style: Any) -> None:
    """The largest page of a list is found, whether a larger one is refused or silently reduced."""
    caps = {"list_training_runs": 7, "list_user_checkpoints": 33}
    with DemoServer(runs=20, faults=Faults(page_caps=caps, cap_style=style)) as server:
        found = examine_server(server)
    assert found["page of training runs"].detail.startswith("7 rows")
    assert found["page of checkpoints"].detail.startswith("33 rows")
    assert found["page of session ids"].detail.startswith("500 rows")
    assert not list_findings(found, "wrong")


def test_a_cap_that_is_not_named(server: DemoServer, examine_server: Callable[..., Examined]) -> None:
    """A page size refused without a bound is halved until it is accepted."""
    server.faults.bursts.append(Burst("list_user_checkpoints", 422, times=2, after=1, detail="limit too large"))
    found = examine_server(server)["page of checkpoints"]
    assert [int(call.query["limit"]) for call in server.requests.to("list_user_checkpoints")] == [1, 1000, 500, 250]
    assert found.verdict == "ok"
    assert found.detail.startswith("250 rows")


def test_latency_is_measured(server: DemoServer, examine_server: Callable[..., Examined]) -> None:
    """The latency is about the server's response time."""
    server.faults.latency_of = {"health_check": 0.1}
    found = examine_server(server)["latency"]
    milliseconds = int(found.detail.split()[0])
    assert 100 <= milliseconds < 2000
    assert server.requests.count("health_check") == 5


def test_a_server_without_health(server: DemoServer, examine_server: Callable[..., Examined]) -> None:
    """A server without a health route is examined too."""
    server.faults.missing = {"health_check"}
    found = examine_server(server)
    assert found["latency"].verdict == "lacks"
    assert found["training_runs"].verdict == "ok"


def test_billing_that_is_missing(server: DemoServer, examine_server: Callable[..., Examined]) -> None:
    """A 402 is wrong, with a hint."""
    server.faults.bursts.append(Burst("get_server_capabilities", 402, times=None))
    found = examine_server(server)["account"]
    assert found.verdict == "wrong"
    assert "billing" in found.detail.lower()


def test_what_is_not_for_this_account(examine_server: Callable[..., Examined]) -> None:
    """Routes for admins only are refused, which is not wrong; the finding says which role they need."""
    with DemoServer(runs=3, admin=False) as server:
        found = examine_server(server)
    assert list_findings(found, "refused") == {"billing usage", "storage usage", "audit log"}
    assert "needs org admin or billing admin" in found["billing usage"].detail
    assert not list_findings(found, "wrong")


def test_a_broken_route(server: DemoServer, examine_server: Callable[..., Examined]) -> None:
    """A failing route is wrong, with its status, and the others are still examined."""
    server.faults.bursts.append(Burst("search_sessions", 500, times=None))
    found = examine_server(server)
    assert list_findings(found, "wrong") == {"sessions/search"}
    assert "500" in found["sessions/search"].detail


def test_the_exchange_is_shown(examine_server: Callable[..., Examined]) -> None:
    """If the key is exchanged for a JWT, which happens once, the account's finding says so."""
    with DemoServer(runs=3, pjwt_auth_enabled=True, require_jwt=True) as server:
        found = examine_server(server)
        assert server.requests.count("get_auth_token") == 1
    assert "JWT" in found["account"].detail
    assert not list_findings(found, "wrong")


def test_the_cache_switched_off(shared_server: DemoServer, examine_server: Callable[..., Examined]) -> None:
    """A disabled cache is reported as such."""
    assert examine_server(shared_server, cache=False)["cache"] == Finding("cache", "lacks", "switched off")


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """Run the command and return its code and output."""

    def command(server: DemoServer, *arguments: str, key: str | None = None) -> tuple[int, str]:
        monkeypatch.setenv("TINKER_API_KEY", key or server.key)
        monkeypatch.setattr(sys, "argv", ["tinker-frames", "doctor", "--base-url", server.url, *arguments])
        with pytest.raises(SystemExit) as ended:
            main.main()
        out, err = capsys.readouterr()
        assert err == ""
        return ended.value.code, out

    return command


def test_the_command_in_json(shared_server: DemoServer, command: Callable[..., tuple[int, str]]) -> None:
    """`doctor --format json` is an array of what, verdict and detail, with exit code 0 if nothing is wrong."""
    code, out = command(shared_server, "--format", "json")
    rows = json.loads(out)
    assert code == 0
    assert {tuple(row) for row in rows} == {("what", "verdict", "detail")}
    assert {row["verdict"] for row in rows} == {"ok"}


def test_the_command_in_text(shared_server: DemoServer, command: Callable[..., tuple[int, str]]) -> None:
    """`doctor` on a pipe prints one tab-separated line per finding, with exit code 1 if something is wrong."""
    code, out = command(shared_server, key="tml-wrong-key-7777")
    lines = [line.split("\t") for line in out.splitlines()]
    assert code == 1
    assert lines[0] == ["what", "verdict", "detail"]
    assert lines[-1][:2] == ["account", "wrong"]


def test_lacking_routes_are_no_error(command: Callable[..., tuple[int, str]]) -> None:
    """Missing routes leave the exit code at 0."""
    with DemoServer(runs=3, dialect="skyrl") as server:
        assert command(server)[0] == 0
