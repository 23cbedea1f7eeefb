"""Sources of settings, their validation, and that no secret is shown."""

from __future__ import annotations

import copy
import json
import os
import pickle
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tinker_frames as tkf
from tinker_frames.errors import AuthenticationError, InvalidRequestError, TinkerError
from tinker_frames.rest import config, credentials
from tinker_frames.rest.config import PRODUCTION, ClientOptions, Settings

OFFICIAL = "https://tinker.thinkingmachines.dev/services/tinker-prod"
OTHER = "https://tinker.example.org/api"
KEYS = {name: f"tml-{name}-0123456789" for name in ("argument", "variable", "command", "file")}
JWT = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJtZSJ9.c2ln"


def resolve(*args: Any, **options: Any) -> Settings:
    return config.resolve(ClientOptions(*args, **options))


def write_file(content: Any, home: Path | None = None) -> Path:
    path = (home or Path.home()) / ".tinker" / "credentials.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def keys_file(default: Any = "a", key: Any = KEYS["file"]) -> dict[str, Any]:
    return {"version": 1, "default": default, "keys": {"a": {"type": "manual", "key": key, "name": "x"}}}


# ── sources ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("given_by", range(16))
def test_credential_order(given_by: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Argument, variable, command, file: the first available one is used, for each of the 16 combinations."""
    has = {name: bool(given_by & 1 << bit) for bit, name in enumerate(KEYS)}
    if has["variable"]:
        monkeypatch.setenv("TINKER_API_KEY", KEYS["variable"])
    if has["command"]:
        monkeypatch.setenv("TINKER_CREDENTIAL_CMD", f"printf '  {KEYS['command']}\\n'")
    if has["file"]:
        write_file(keys_file())
    first = next((name for name in KEYS if has[name]), None)
    if first is None:
        with pytest.raises(AuthenticationError, match="TINKER_API_KEY"):
            resolve(None, OFFICIAL)
        return
    credential = resolve(KEYS["argument"] if has["argument"] else None, OFFICIAL).credential
    assert credential.reveal().reveal() == KEYS[first]
    sources = {
        "argument": "api_key argument",
        "variable": "TINKER_API_KEY",
        "command": "TINKER_CREDENTIAL_CMD",
        "file": "~/.tinker/credentials.json",
    }
    assert credential.source == sources[first]


@pytest.mark.parametrize("empty", ["", "   ", "\n"])
def test_empty_variables_count_as_unset(empty: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty variable is ignored, for the key and for the base URL."""
    monkeypatch.setenv("TINKER_API_KEY", empty)
    monkeypatch.setenv("TINKER_CREDENTIAL_CMD", "")
    monkeypatch.setenv("TINKER_BASE_URL", "")
    write_file(keys_file())
    found = resolve(None, "")
    assert found.credential.reveal().reveal() == KEYS["file"]
    assert found.base_url == PRODUCTION


@pytest.mark.parametrize(
    ("argument", "variable", "used"),
    [
        ("https://a.example/x/", "https://b.example", "https://a.example/x"),
        (None, "https://b.example//", "https://b.example"),
        ("", "https://b.example/services/t", "https://b.example/services/t"),
        (None, None, PRODUCTION),
        (" https://a.example ", None, "https://a.example"),
        ("https://a.example/x/api/v1", None, "https://a.example/x"),
        (None, "https://a.example/api/v1/", "https://a.example"),
    ],
)
def test_base_url_order(argument: str | None, variable: str | None, used: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Argument, then TINKER_BASE_URL, then production; trailing slashes are removed."""
    if variable is not None:
        monkeypatch.setenv("TINKER_BASE_URL", variable)
    assert resolve("tml-0123456789", argument).base_url == used


@pytest.mark.parametrize("empty", ["", "  "])
def test_an_empty_argument_means_no_key(empty: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """`api_key=""` means no credential, whatever the environment has; the official service needs one."""
    monkeypatch.setenv("TINKER_API_KEY", KEYS["variable"])
    monkeypatch.setenv("TINKER_CREDENTIAL_CMD", "exit 9")
    write_file(keys_file())
    assert repr(resolve(empty, OTHER).credential) == "no credential"
    assert resolve(empty, "http://example.org").command is None
    with pytest.raises(AuthenticationError, match="api_key= is empty"):
        resolve(empty, OFFICIAL)


@pytest.mark.parametrize("by_variable", [True, False])
def test_jwt_is_used_as_it_is(by_variable: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A JWT given as argument or variable takes precedence over a command."""
    monkeypatch.setenv("TINKER_CREDENTIAL_CMD", "exit 9")
    if by_variable:
        monkeypatch.setenv("TINKER_API_KEY", JWT)
    found = resolve(None if by_variable else JWT, OFFICIAL)
    assert found.credential.reveal().reveal() == JWT


@pytest.mark.parametrize("by_variable", [True, False])
def test_bad_prefix_falls_to_the_command_or_is_an_error(by_variable: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that the official service cannot have issued falls back to the command, never silently to the file."""
    write_file(keys_file())
    bad = "sk-another-service-1234"
    if by_variable:
        monkeypatch.setenv("TINKER_API_KEY", bad)
    argument = None if by_variable else bad
    with pytest.raises(AuthenticationError) as caught:
        resolve(argument, OFFICIAL)
    assert bad not in str(caught.value)
    monkeypatch.setenv("TINKER_CREDENTIAL_CMD", f"echo {KEYS['command']}")
    assert resolve(argument, OFFICIAL).credential.reveal().reveal() == KEYS["command"]


@pytest.mark.parametrize("url", [OTHER, "http://127.0.0.1:8000"])
def test_other_servers_issue_keys_of_any_form(url: str) -> None:
    """Keys of compatible servers may have any form, and a server without authentication gets none."""
    assert resolve("sk-odd-0123456789", url).credential.reveal().reveal() == "sk-odd-0123456789"
    nobody = resolve(None, url).credential
    assert not nobody.exists
    assert repr(nobody) == "no credential"


@pytest.mark.parametrize("host", ["thinkingmachines.dev.example.org", "notthinkingmachines.dev"])
def test_only_the_official_domain_is_official(host: str) -> None:
    """A host that merely contains the official name is another server."""
    assert not resolve(None, f"https://{host}").credential.exists


# ── the command ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("true", "printed nothing"),
        ("printf '   \\n'", "printed nothing"),
        ("echo tml-secret; exit 3", "ended with code 3"),
        ("echo tml-secret >&2; exit 1", "ended with code 1"),
        ("/no/such/command-of-mine", "ended with code 127"),
        ("printf 'tml-a\\ntml-b'", "characters that are not valid in a key"),
        ("printf 'tml-\\303\\251'", "characters that are not valid in a key"),
        ("printf 'tml-\\377'", "characters that are not valid in a key"),
        ("yes", "ended with code|not valid"),
    ],
)
def test_command_failures(command: str, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that fails or prints no credential is an error that quotes neither it nor its output."""
    monkeypatch.setenv("TINKER_CREDENTIAL_CMD", command)
    credential = resolve(None, OFFICIAL).credential
    with pytest.raises(AuthenticationError, match=why) as caught:
        credential.reveal()
    assert "tml-" not in str(caught.value).replace("(tml-…)", "")
    assert command not in str(caught.value)
    assert caught.value.__context__ is None


def test_slow_command_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hanging command is stopped after its timeout, with an error."""
    monkeypatch.setattr(credentials, "COMMAND_TIMEOUT_S", 0.2)
    monkeypatch.setenv("TINKER_CREDENTIAL_CMD", "echo tml-early; sleep 30")
    with pytest.raises(AuthenticationError, match="did not end within") as caught:
        resolve(None, OFFICIAL).credential.reveal()
    assert "tml-early" not in str(caught.value)


def test_what_a_command_leaves_running_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The credential is what the command printed, although a process in the background still holds its output open."""
    monkeypatch.setattr(credentials, "LAST_OUTPUT_S", 0.2)
    monkeypatch.setattr(credentials, "COMMAND_TIMEOUT_S", 10)
    monkeypatch.setenv("TINKER_CREDENTIAL_CMD", "echo tml-0123456789; sleep 20 &")
    assert resolve(None, OFFICIAL).credential.reveal().reveal() == "tml-0123456789"


def test_command_is_run_for_every_token(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The command does not run when settings are made, but each time a credential is needed."""
    count = tmp_path / "count"
    monkeypatch.setenv("TINKER_CREDENTIAL_CMD", f"echo x >> {count}; echo tml-$(wc -l < {count})")
    credential = resolve(None, OFFICIAL).credential
    assert not count.exists()
    assert [credential.reveal().reveal() for _ in range(2)] == ["tml-1", "tml-2"]


# ── the file ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "content",
    [
        {},
        [],
        {"keys": {}},
        keys_file("gone"),
        keys_file(None),
        keys_file(["a"]),
        keys_file({"a": 1}),
        keys_file("a", None),
        keys_file("a", 5),
        {"version": 1, "default": "a", "keys": {"a": "tml-bare"}},
        {"version": 1, "default": "a", "keys": [1]},
        "null",
    ],
)
def test_files_without_a_default_key(content: Any) -> None:
    """A file whose default does not exist has no credential, and does not crash."""
    write_file(content)
    with pytest.raises(AuthenticationError, match="no credential"):
        resolve(None, OFFICIAL)
    assert not resolve(None, OTHER).credential.exists


@pytest.mark.parametrize("content", ["", "{", '{"keys": tml-secret-in-broken-file', "[" * 100_000])
def test_broken_file_is_said_and_not_quoted(content: str) -> None:
    """A file that is not JSON is an error that quotes nothing of it."""
    write_file(content)
    with pytest.raises(AuthenticationError, match="cannot be read") as caught:
        resolve(None, OFFICIAL)
    assert "secret" not in str(caught.value)
    assert caught.value.__context__ is None


def test_unreadable_file_is_said() -> None:
    """A folder or binary data instead of the file is an error too."""
    path = write_file("")
    path.write_bytes(b"\xff\xfe\xff")
    with pytest.raises(AuthenticationError, match="cannot be read"):
        resolve(None, OFFICIAL)
    path.unlink()
    path.mkdir()
    with pytest.raises(AuthenticationError, match="cannot be read"):
        resolve(None, OFFICIAL)


def test_file_is_not_consulted_while_something_else_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broken file is ignored if a key or a command is given."""
    write_file("{")
    assert resolve("tml-0123456789", OFFICIAL).credential.exists
    monkeypatch.setenv("TINKER_CREDENTIAL_CMD", "echo tml-x")
    assert resolve(None, OFFICIAL).credential.is_command


def test_file_key_is_trimmed_and_checked() -> None:
    """A key in the file must be a valid header value, like any other."""
    write_file(keys_file(key=" tml-0123456789\n"))
    assert resolve(None, OFFICIAL).credential.reveal().reveal() == "tml-0123456789"
    write_file(keys_file(key="tml-a\r\nX-Evil: 1"))
    with pytest.raises(AuthenticationError, match="characters that are not valid in a key"):
        resolve(None, OFFICIAL)


# ── validation ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "localhost", "[::1]"])
def test_plain_http_to_this_machine(host: str) -> None:
    """Plain http is allowed to loopback."""
    assert resolve("tml-0123456789", f"http://{host}:8000").base_url == f"http://{host}:8000"


@pytest.mark.parametrize(
    "host",
    [
        "192.168.1.5",
        "10.0.0.1",
        "example.org",
        "localhost.example.org",
        "evil.localhost",
        "127.0.0.1.example.org",
        "0.0.0.0",
        "2130706433",
        "[::ffff:8.8.8.8]",
    ],
)
def test_plain_http_elsewhere_carries_no_key(host: str) -> None:
    """A key is never sent to another machine unencrypted; without a key, plain http is allowed."""
    with pytest.raises(InvalidRequestError, match="plain http") as caught:
        resolve("tml-0123456789", f"http://{host}")
    assert "tml-" not in str(caught.value)
    assert not resolve(None, f"http://{host}").credential.exists


def test_plain_http_carries_no_access_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """The access headers are secrets like the key, even without a key."""
    monkeypatch.setenv("CLOUDFLARE_ACCESS_CLIENT_SECRET", "cf-secret")
    with pytest.raises(InvalidRequestError, match="plain http"):
        resolve(None, "http://example.org")


@pytest.mark.parametrize(
    "url",
    [
        "example.org",
        "ftp://example.org",
        "file:///etc/passwd",
        "https:///path",
        "//example.org",
        "tml-0123456789abcdef",
        "http://[::1",
        "https://host:port",
        "https://host:99999",
        "https://ho st",
        "https://host/\x00",
        "https://evil.example\\@127.0.0.1",
        "https:example.org",
    ],
)
def test_bad_base_urls(url: str) -> None:
    """A base URL that is not http(s) is refused without being shown, since it may be a misplaced key."""
    with pytest.raises(InvalidRequestError, match="not an http") as caught:
        resolve("tml-other", url)
    assert url not in str(caught.value)
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    "url", ["https://me:tml-x@host", "https://host/?key=tml-x", "https://host/#tml-x", "https://tml-x@host"]
)
def test_base_url_with_more_than_an_address(url: str) -> None:
    """A base URL that could hold a secret is refused without being shown."""
    with pytest.raises(InvalidRequestError) as caught:
        resolve("tml-0123456789", url)
    assert "tml-x" not in str(caught.value)


@given(text=st.text(max_size=30) | st.text(max_size=20).map(lambda tail: "https://" + tail))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_base_url_is_settings_or_our_error(text: str) -> None:
    """Any text as base URL raises only our own errors."""
    try:
        found = resolve("tml-0123456789", text)
    except TinkerError:
        return
    assert found.base_url == PRODUCTION or found.base_url.lower().startswith(("https://", "http://"))


@pytest.mark.parametrize(
    "options",
    [
        {"retries": -1},
        {"max_workers": 0},
        {"cache_ttl": -1},
        {"timeout": 0},
        {"deadline": 0},
        {"timeout": float("nan")},
        {"cache_ttl": float("nan")},
        {"timeout": float("inf")},
        {"cache_ttl": float("inf")},
        {"max_workers": 10**9},
        {"timeout": "60"},
        {"max_workers": True},
        {"retries": 1.5},
        {"cache": "no"},
        {"cache_dir": 5},
        {"cache_dir": ""},
        {"cache_dir": "a\0b"},
        {"verify": None},
        {"headers": "X-A: b"},
    ],
)
def test_settings_out_of_range(options: dict[str, Any]) -> None:
    """A number out of range, or a value of another type, is refused with the name of the setting."""
    with pytest.raises(InvalidRequestError, match=next(iter(options))) as caught:
        resolve("tml-0123456789", OTHER, **options)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("arguments", "options", "said"),
    [
        ((), {"cach": False}, r"Client\(\): got an unexpected keyword argument 'cach'. Did you mean 'cache'\?"),
        ((), {"zzz": 1}, r"Client\(\): got an unexpected keyword argument 'zzz'$"),
        (("tml-0123456789", OTHER, False), {}, r"Client\(\): too many positional arguments$"),
        (("tml-0123456789",), {"api_key": "tml-other"}, r"Client\(\): multiple values for argument 'api_key'$"),
    ],
)
def test_arguments_that_are_no_settings(arguments: tuple[Any, ...], options: dict[str, Any], said: str) -> None:
    """An unknown setting is a TypeError that names it and the closest match; no value is shown."""
    for call in (tkf.Client, tkf.connect):
        with pytest.raises(TypeError, match=said):
            call(*arguments, **options)


@pytest.mark.parametrize("key", ["tml-a\nb", "tml-\x00", "tml-ключ", "tml-a\x7f"])
def test_keys_that_no_header_can_carry(key: str) -> None:
    """A key with control or non-ASCII characters is refused without being shown."""
    with pytest.raises(AuthenticationError) as caught:
        resolve(key, OTHER)
    assert key not in str(caught.value)


@pytest.mark.parametrize("value", ["é", "a\r\nX-Evil: 1", "a\x00b", "a\tb"])
def test_header_values_that_cannot_be_sent(value: str) -> None:
    """An extra header with a value that HTTP does not carry is named, and the key is not blamed for it."""
    with pytest.raises(InvalidRequestError, match="the value of X-Team contains") as caught:
        resolve("tml-0123456789", OTHER, headers={"X-Team": value})
    assert value not in str(caught.value)
    assert "TINKER_API_KEY" not in str(caught.value)


# ── reprs ────────────────────────────────────────────────────────────────────────────────────────────────────────

LONG_KEY = "tml-AbCdEfGh0123456789WxYz"


def test_repr_of_a_client(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The repr of a client shows its base URL, the credential's source and last four characters, and nothing else."""
    with tkf.Client(LONG_KEY, OTHER, cache_dir=tmp_path) as client:
        assert repr(client) == f"<tinker_frames.Client {OTHER}, api_key argument tml-…WxYz>"
    monkeypatch.setenv("TINKER_CREDENTIAL_CMD", f"echo {LONG_KEY}")
    with tkf.Client(None, OTHER, cache_dir=tmp_path) as client:
        assert repr(client) == f"<tinker_frames.Client {OTHER}, TINKER_CREDENTIAL_CMD>"
    monkeypatch.delenv("TINKER_CREDENTIAL_CMD")
    with tkf.Client(None, OTHER, cache_dir=tmp_path) as client:
        assert repr(client) == f"<tinker_frames.Client {OTHER}, no credential>"


def test_short_keys_show_nothing() -> None:
    """No character is shown of a key so short that four are more than a quarter."""
    assert repr(resolve("abc1234", OTHER).credential) == "api_key argument …"
    assert repr(resolve("tml-0123456789", OTHER).credential) == "api_key argument tml-…"


def test_settings_show_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """The repr of the settings and of their parts contains no key, command or access secret."""
    monkeypatch.setenv("TINKER_CREDENTIAL_CMD", f"echo {LONG_KEY}")
    monkeypatch.setenv("CLOUDFLARE_ACCESS_CLIENT_ID", "cf-identity-123")
    monkeypatch.setenv("CLOUDFLARE_ACCESS_CLIENT_SECRET", "cf-secret-456")
    for found in (resolve(LONG_KEY, OFFICIAL), resolve(None, OFFICIAL)):
        shown = repr(found) + str(found)
        assert not [secret for secret in (LONG_KEY, LONG_KEY[4:-4], "cf-secret", "cf-identity") if secret in shown]
        assert dict(found.extra_headers)["CF-Access-Client-Secret"].reveal() == "cf-secret-456"


def test_secrets_are_not_pickled(tmp_path: Path) -> None:
    """Clients, settings and credentials cannot be pickled or deep-copied."""
    found = resolve(LONG_KEY, OTHER)
    with tkf.Client(LONG_KEY, OTHER, cache_dir=tmp_path) as client:
        for held in (client, found, found.credential):
            for attempt in (pickle.dumps, copy.deepcopy):
                with pytest.raises(TypeError, match="cannot be pickled"):
                    attempt(held)


def test_access_secret_must_fit_a_header(monkeypatch: pytest.MonkeyPatch) -> None:
    """An access secret that is not a valid header value is refused without being shown."""
    monkeypatch.setenv("CLOUDFLARE_ACCESS_CLIENT_SECRET", "cf\nX-Evil: 1")
    with pytest.raises(AuthenticationError, match="CLOUDFLARE_ACCESS_CLIENT_SECRET") as caught:
        resolve(LONG_KEY, OTHER)
    assert "Evil" not in str(caught.value)


def test_nothing_of_the_file_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK's credentials file is only read."""
    path = write_file(keys_file())
    os.utime(path, ns=(10**18, 10**18))
    before = path.read_bytes()
    resolve(None, OFFICIAL)
    assert (path.read_bytes(), path.stat().st_mtime_ns) == (before, 10**18)
    assert [entry.name for entry in path.parent.iterdir()] == ["credentials.json"]
