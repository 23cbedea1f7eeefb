"""The key appears only in its request header, after every call and failure."""

from __future__ import annotations

import io
import json
import logging
import pickle
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import tinker_frames as tkf
from tinker_frames import errors
from tinker_frames.demo import Burst, DemoServer, Hang, Reset, Truncate

KEY = "tml-DISTINCTIVE0SECRET0KEY0qrst"
SIGNATURE = "X-Sig="
TAIL = KEY[-4:]


@pytest.fixture(autouse=True)
def places(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Home, cache and temporary files below one folder of this test."""
    for name, folder in (("HOME", "home"), ("XDG_CACHE_HOME", "home/cache"), ("TMPDIR", "tmp")):
        (tmp_path / folder).mkdir(exist_ok=True)
        monkeypatch.setenv(name, str(tmp_path / folder))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.chdir(tmp_path)
    return tmp_path


class CollectedTexts:
    """All texts that could reach a user, a log or a file."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.failures: list[BaseException] = []

    def add(self, *things: object) -> None:
        for thing in things:
            self.texts += [repr(thing), str(thing)]

    def raised(self, error: BaseException) -> None:
        self.failures.append(error)
        self.texts.append("".join(traceback.format_exception(error)))
        for part in _chain(error):
            self.add(part, part.args, vars(part))


def _chain(error: BaseException) -> Iterator[BaseException]:
    todo, done = [error], set[int]()
    while todo:
        part = todo.pop()
        if id(part) not in done:
            done.add(id(part))
            yield part
            todo += [other for other in (part.__cause__, part.__context__) if other is not None]


def _calls(client: tkf.Client, server: DemoServer) -> list[Callable[[], object]]:
    rows = server.state.checkpoints_page(1000, 0)[0]
    one, other = rows[0], next(row for row in rows if row.public is not rows[0].public)
    run, session = one.run.training_run_id, one.run.session.session_id
    rest = client.rest
    return [
        lambda: client.sessions(details=True),
        client.training_runs,
        client.checkpoints,
        lambda: client.checkpoints(by="run"),
        client.samplers,
        client.inventory,
        lambda: client.checkpoints(refresh=True),
        lambda: rest.get_session(session),
        rest.list_sessions,
        rest.list_training_runs,
        lambda: rest.get_training_run(run, refresh=True),
        lambda: rest.get_weights_info_by_tinker_path(one.tinker_path),
        rest.search_sessions,
        lambda: rest.get_server_capabilities(refresh=True),
        lambda: rest.get_checkpoint_archive_url(one.tinker_path, max_retries=2, retry_delay=0.01) and None,
        lambda: rest.publish_checkpoint((other if one.public else one).tinker_path),
        lambda: rest.unpublish_checkpoint((one if one.public else other).tinker_path),
        lambda: rest.set_checkpoint_ttl_from_tinker_path(one.tinker_path, 7200),
        lambda: rest.set_checkpoint_ttl_from_tinker_path(one.tinker_path, 5),
        lambda: rest.delete_checkpoint("tinker://nobody/weights/x"),
        lambda: rest.get_training_run("../x"),
        client.cache.info,
    ]


def _faults(server: DemoServer) -> dict[str, Callable[[], object]]:
    faults = server.faults
    echo = (f'{{"detail": "the key {KEY} is odd, see https:\\/\\/storage.example\\/x?{SIGNATURE}abc"}}').encode()
    return {
        "none": lambda: None,
        "echo 400": lambda: faults.bursts.append(Burst("*", 400, times=None, body=echo)),
        "echo 500": lambda: faults.bursts.append(Burst("*", 500, times=None, body=b"key " + KEY.encode())),
        "echo 401": lambda: faults.bursts.append(
            Burst("*", 401, times=None, body=echo, headers={"WWW-Authenticate": 'Bearer error="invalid_token"'})
        ),
        "redirect": lambda: faults.bursts.append(
            Burst("*", 302, times=None, headers={"location": f"http://127.0.0.1:1/{KEY}?{SIGNATURE}abc"})
        ),
        "reset": lambda: faults.resets.append(Reset("*", times=None)),
        "truncate": lambda: faults.truncate.append(Truncate("*", times=None)),
        "hang": lambda: faults.hang.append(Hang("*", times=None, seconds=0.5)),
        "limited": lambda: faults.bursts.append(Burst("*", 429, times=None, retry_after="0.01")),
        "note": lambda: faults.headers.update({"x-deprecation-note": f"{KEY} is old"}),
        "gone": server.stop,
    }


def _reprs(client: tkf.Client) -> list[object]:
    session = client.transport
    parts = [client, client.rest, client.cache, session, session.auth, session.settings, session.settings.credential]
    parts += (
        [session.cache, session.cache.session, session.cache.session.cache, session._plain] if session.cache else []
    )
    return [*parts, client._reader]


FAULTS = [
    "none",
    "echo 400",
    "echo 500",
    "echo 401",
    "redirect",
    "reset",
    "truncate",
    "hang",
    "limited",
    "note",
    "gone",
]


@pytest.mark.few(6)
@pytest.mark.parametrize(
    ("fault", "exchange"), [*((fault, False) for fault in FAULTS), ("none", True), ("echo 401", True)]
)
def test_the_key_is_nowhere(
    fault: str, exchange: bool, places: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """After every call under every fault, no file, log, warning, repr, frame or exception contains the key."""
    gathered, out = CollectedTexts(), io.StringIO()
    with (
        DemoServer(runs=4, key=KEY, pjwt_auth_enabled=exchange, require_jwt=exchange) as server,
        caplog.at_level(logging.DEBUG),
        warnings.catch_warnings(record=True) as warned,
        redirect_stdout(out),
        redirect_stderr(out),
    ):
        warnings.simplefilter("always")
        with tkf.Client(KEY, server.url, retries=0, max_workers=2) as client:
            if fault != "none":
                client.rest.get_server_capabilities()  # after the config, so that later requests meet the fault
            if fault == "hang":
                client.transport.settings = replace(client.transport.settings, timeout=0.05)
            calls = _calls(client, server)
            _faults(server)[fault]()
            for call in calls:
                try:
                    found = call()
                except Exception as error:  # noqa: BLE001  # whatever it is, it is looked through
                    gathered.raised(error)
                else:
                    gathered.add(found, getattr(found, "attrs", None))
            gathered.add(*_reprs(client))
    gathered.texts += [str(warning.message) for warning in warned]
    gathered.texts += [record.getMessage() + repr(record.args) for record in caplog.records]
    gathered.texts.append(out.getvalue() + "".join(capsys.readouterr()))

    secrets = {KEY, KEY[4:], KEY[:-4]} | {call.headers.get("x-api-key", KEY) for call in server.requests}
    assert not [text for text in gathered.texts for secret in secrets if secret in text]
    assert not [text for text in gathered.texts if SIGNATURE in text]
    assert all(isinstance(part, errors.TinkerError) for error in gathered.failures for part in _chain(error))
    assert bool(gathered.failures)
    content = b"".join(path.read_bytes() + path.name.encode() for path in places.rglob("*") if path.is_file())
    assert content
    assert not [secret for secret in secrets if secret.encode() in content]
    assert SIGNATURE.encode() not in content
    for call in server.requests:
        elsewhere = repr((call.path, call.raw_path, call.query, call.body))
        elsewhere += repr({name: value for name, value in call.headers.items() if name != "x-api-key"})
        assert not [secret for secret in secrets if secret in elsewhere]


def test_exports_hold_no_key(places: Path) -> None:
    """What is written from a frame has neither the key nor its last four characters' owner in it."""
    with DemoServer(runs=3, key=KEY) as server, tkf.Client(KEY, server.url) as client:
        frame = client.checkpoints()
        for suffix in ("csv", "parquet", "feather", "json"):
            tkf.export(frame, places / f"out.{suffix}")
    for path in places.glob("out.*"):
        assert KEY[4:].encode() not in path.read_bytes()


def test_the_key_of_a_wrong_account_is_not_shown() -> None:
    """The error for a refused key does not contain it."""
    with DemoServer(runs=1) as server, tkf.Client(KEY, server.url, retries=0) as client:
        with pytest.raises(errors.AuthenticationError) as caught:
            client.checkpoints()
        gathered = CollectedTexts()
        gathered.raised(caught.value)
        assert not [text for text in gathered.texts if KEY[4:] in text]


def test_shown_of_the_key_are_its_last_four_characters(places: Path) -> None:
    """`repr(client)` shows the last four characters of the key, and no other repr shows more."""
    with tkf.Client(KEY, "http://127.0.0.1:9") as client:
        assert TAIL in repr(client)
        for thing in _reprs(client):
            assert KEY[-5:] not in repr(thing) + str(thing)


def test_a_default_client_shows_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """The default client does not show the key from the environment."""
    monkeypatch.setenv("TINKER_API_KEY", KEY)
    with DemoServer(runs=1, key=KEY) as server:
        monkeypatch.setenv("TINKER_BASE_URL", server.url)
        frame = tkf.checkpoints()
        client: Any = tkf.default_client()
        assert KEY[4:] not in repr(frame.attrs) + repr(client) + repr(vars(tkf))
        client.close()


def test_state_of_a_client_is_not_handed_out() -> None:
    """No picklable part of a client contains the key."""
    with tkf.Client(KEY, "http://127.0.0.1:9") as client:
        for thing in _reprs(client):
            try:
                stored = pickle.dumps(thing)
            except (TypeError, AttributeError, NotImplementedError, pickle.PicklingError):
                continue  # not picklable
            assert KEY[4:].encode() not in stored


# ── what a server sends back ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("sent", [KEY, KEY[4:], KEY[:-4], f"{KEY[:9]}\\u{ord(KEY[9]):04x}{KEY[10:]}"])
def test_an_echoed_key_is_struck_out(sent: str, places: Path, server: DemoServer) -> None:
    """A key echoed in rows, even partially, is removed from frames, cache and exports, and reported in `problems`."""
    run = {
        "training_run_id": "r",
        "base_model": "m",
        "model_owner": sent,
        "is_lora": True,
        "corrupted": False,
        "odd": sent,
    }
    run |= {"lora_rank": 8, "last_request_time": "2026-11-20T09:14:03Z", "last_checkpoint": None}
    run |= {"last_sampler_checkpoint": None, "user_metadata": {"note": f"k={sent}"}}
    page = {"training_runs": [run], "cursor": {"offset": 0, "limit": 100, "total_count": 1}}
    body = json.dumps(page).replace("\\\\u", "\\u").encode()
    server.faults.missing = {"get_client_config"}
    server.faults.bursts.append(Burst("list_training_runs", 200, times=None, body=body))
    with tkf.Client(KEY, server.url, cache_dir=places / "cache") as client:
        for _ in range(2):  # from the server, then from the cache
            frame = client.training_runs()
            assert frame["model_owner"][0].endswith("[key]")
            assert frame.attrs["tinker"]["complete"]
            about = frame.attrs["tinker"]
            times = 3 * about["pages"]  # the only page is requested once more
            assert [problem["rows"] for problem in about["problems"] if problem["column"] == "*"] == [times]
        tkf.export(frame, places / "out.csv")
        gathered = repr(client.rest.list_training_runs()) + frame.to_csv()
    gathered += b"".join(path.read_bytes() for path in places.rglob("*") if path.is_file()).decode("latin-1")
    assert KEY[5:25] not in gathered


# ── what a traceback shows ────────────────────────────────────────────────────────────────────────────────────────────


def _list_locals(error: BaseException) -> Iterator[str]:
    """Yield the local variables that a traceback prints for this package's frames and those below."""
    from rich.pretty import pretty_repr

    entry, inside = error.__traceback__, False
    while entry is not None:
        inside = inside or entry.tb_frame.f_globals["__name__"].startswith("tinker_frames.")
        if inside:
            yield from (pretty_repr(value, max_depth=6) + repr(value) for value in entry.tb_frame.f_locals.values())
        entry = entry.tb_next


def _fail_with(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Make a low-level function raise KeyboardInterrupt."""

    def interrupt(*_: Any, **__: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(name, interrupt)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # unclosed sockets
@pytest.mark.parametrize(
    "broken",
    [
        None,
        "urllib3.connectionpool.HTTPConnectionPool.urlopen",
        "urllib3.connection.HTTPConnection.getresponse",
        "requests.sessions.Session.send",
        "tinker_frames.rest.transport.strike_out",
        "tinker_frames.rest.auth.derive_identity",
        "tinker_frames.rest.credentials.check_secret",
        "tinker_frames.rest.config.resolve",
        "tinker_frames.errors.build_error",
    ],
)
@pytest.mark.parametrize("source", ["argument", "keyword", "connect", "variable", "command", "file", "header"])
def test_no_local_variable_shows_the_key(source: str, broken: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """No traceback with local variables (pytest -l, IPython's Verbose mode, rich) shows the key, wherever a call fails."""
    keyword = {"api_key": KEY} if source in ("argument", "keyword", "connect", "header") else {}
    if source == "variable":
        monkeypatch.setenv("TINKER_API_KEY", KEY)
    elif source == "command":
        monkeypatch.setenv("TINKER_CREDENTIAL_CMD", f"echo {KEY}")
    elif source == "file":
        file = Path.home() / ".tinker" / "credentials.json"
        file.parent.mkdir()
        file.write_text(json.dumps({"version": 1, "default": "a", "keys": {"a": {"type": "manual", "key": KEY}}}))
    make = tkf.connect if source == "connect" else tkf.Client
    with DemoServer(runs=1) as server:  # refuses the key
        if broken is not None:
            _fail_with(monkeypatch, broken)
        options: dict[str, Any] = {"headers": {"Authorization": f"Bearer {KEY}"}} if source == "header" else {}
        with pytest.raises((errors.TinkerError, KeyboardInterrupt)) as caught:
            make(base_url=server.url, **keyword, **options).checkpoints()
    # The first frame of ours in the traceback is `Client.__init__`, `connect` or a method: the caller's own is not counted.
    assert not [text for text in _list_locals(caught.value) if KEY[4:] in text]


@pytest.mark.parametrize("url", [f"https://me:{KEY}@host", f"https://host/?key={KEY}", f"https://host/#{KEY}"])
@pytest.mark.parametrize("way", ["argument", "keyword", "variable"])
def test_a_key_in_the_base_url_is_in_no_local_variable(url: str, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A base URL with a user name, a query or a fragment is refused without being in any frame of the traceback."""
    if way == "variable":
        monkeypatch.setenv("TINKER_BASE_URL", url)
    args, given = (
        (("tml-0123456789", url) if way == "argument" else ()),
        ({"base_url": url} if way == "keyword" else {}),
    )
    with pytest.raises(errors.InvalidRequestError, match="a user name, a query or a fragment") as caught:
        tkf.Client(*args, **given)
    assert not [text for text in [str(caught.value), *_list_locals(caught.value)] if KEY[4:] in text]


@pytest.mark.parametrize(
    ("key", "options"),
    [
        (KEY + "\n\x00", {}),
        ("sk" + KEY, {"base_url": "https://tinker.thinkingmachines.dev"}),
        (KEY, {"base_url": "http://example.org"}),
        (KEY, {"timeout": "soon"}),
        (KEY, {"nonsense": 1}),
        (KEY, {"headers": {"X-API-Key": KEY}}),
        (KEY, {"headers": {"Authorization": KEY.encode()}}),
        (KEY, {"headers": [("Authorization", KEY)]}),
        (KEY, {"apikey": KEY}),
        (KEY, {"base_url": KEY}),
        (KEY.encode(), {}),
        (bytearray(KEY.encode()), {}),
        ([KEY], {}),
        ({"key": KEY}, {}),
    ],
)
def test_a_refused_key_is_in_no_local_variable(key: Any, options: dict[str, Any]) -> None:
    """The traceback of a failed client construction contains neither the key nor the headers."""
    for make in (tkf.Client, tkf.connect):
        for arguments, keyword in (((key,), {}), ((), {"api_key": key})):
            with pytest.raises((errors.TinkerError, TypeError)) as caught:
                make(*arguments, **keyword, **options)
            assert not [text for text in [str(caught.value), *_list_locals(caught.value)] if KEY[4:] in text]


# ── whose account it is ───────────────────────────────────────────────────────────────────────────────────────────────


def test_a_command_for_another_account_has_its_own_cache(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the credential command switches accounts, nothing of the first account is served or stored as the other's."""
    keys = {"tml-first-key-AAAA0123": 1, "tml-other-key-BBBB0123": 2}
    token = places / "token"
    with DemoServer(runs=4, keys=keys) as server:
        first, other = ({row.tinker_path for row in server.states[key].checkpoints_page(999, 0)[0]} for key in keys)
        monkeypatch.setenv("TINKER_CREDENTIAL_CMD", f"cat {token}")
        token.write_text(next(iter(keys)))
        with tkf.Client(base_url=server.url, cache_dir=places / "cache") as client:
            before = client.checkpoints()
            token.write_text(list(keys)[1])
            server.faults.bursts.append(
                Burst(
                    "list_user_checkpoints", 401, times=1, headers={"WWW-Authenticate": 'Bearer error="invalid_token"'}
                )
            )
            after = client.checkpoints(refresh=True)
            again = client.checkpoints()
            assert set(before["tinker_path"]) == first
            assert set(after["tinker_path"]) == set(again["tinker_path"]) == other
            assert before.attrs["tinker"]["account"] != after.attrs["tinker"]["account"] == client.account
            assert again.attrs["tinker"]["from_cache"]
    assert len(list((places / "cache").glob("*.sqlite"))) == 2
