"""One distinctive key, everything exercised, failures included: afterwards it is nowhere but in the one header."""

from __future__ import annotations

import io
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
    """Home, cache and temporary files all below one folder of this test."""
    for name, folder in (("HOME", "home"), ("XDG_CACHE_HOME", "home/cache"), ("TMPDIR", "tmp")):
        (tmp_path / folder).mkdir(exist_ok=True)
        monkeypatch.setenv(name, str(tmp_path / folder))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.chdir(tmp_path)
    return tmp_path


class Gathered:
    """All texts that a user, a log, or a file could have got to see."""

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
        "hang": lambda: faults.hang.append(Hang("*", times=None, seconds=3)),
        "limited": lambda: faults.bursts.append(Burst("*", 429, times=None, retry_after="0.01")),
        "note": lambda: faults.headers.update({"x-deprecation-note": f"{KEY} is old"}),
        "gone": server.stop,
    }


def _reprs(client: tkf.Client) -> list[object]:
    session = client._session
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


@pytest.mark.parametrize("exchange", [False, True], ids=["key", "jwt"])
@pytest.mark.parametrize("fault", FAULTS)
def test_the_key_is_nowhere(
    fault: str, exchange: bool, places: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """After every call under every kind of trouble, no file, log, warning, repr, frame or exception has the key."""
    gathered, out = Gathered(), io.StringIO()
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
                client.rest.get_server_capabilities()  # past config, so that the trouble is met by what follows
            if fault == "hang":
                client._session.settings = replace(client._session.settings, timeout=0.1)
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
    """A key that a server refuses is not in the refusal."""
    with DemoServer(runs=1) as server, tkf.Client(KEY, server.url, retries=0) as client:
        with pytest.raises(errors.AuthenticationError) as caught:
            client.checkpoints()
        gathered = Gathered()
        gathered.raised(caught.value)
        assert not [text for text in gathered.texts if KEY[4:] in text]


def test_shown_of_the_key_are_its_last_four_characters(places: Path) -> None:
    """`repr(client)` shows the last four characters of the key, and no other repr shows more."""
    with tkf.Client(KEY, "http://127.0.0.1:9") as client:
        assert TAIL in repr(client)
        for thing in _reprs(client):
            assert KEY[-5:] not in repr(thing) + str(thing)


def test_a_default_client_shows_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """The module's functions take the key from the environment and keep it to themselves as well."""
    monkeypatch.setenv("TINKER_API_KEY", KEY)
    with DemoServer(runs=1, key=KEY) as server:
        monkeypatch.setenv("TINKER_BASE_URL", server.url)
        frame = tkf.checkpoints()
        client: Any = tkf.default_client()
        assert KEY[4:] not in repr(frame.attrs) + repr(client) + repr(vars(tkf))
        client.close()


def test_state_of_a_client_is_not_handed_out() -> None:
    """No part of a client that can be pickled at all takes the key along."""
    with tkf.Client(KEY, "http://127.0.0.1:9") as client:
        for thing in _reprs(client):
            try:
                stored = pickle.dumps(thing)
            except (TypeError, AttributeError, NotImplementedError, pickle.PicklingError):
                continue  # refused, which is as good
            assert KEY[4:].encode() not in stored
