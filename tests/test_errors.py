"""The exception hierarchy: the right class, complete fields, and safe messages."""

from __future__ import annotations

import copy
import json
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinker_frames as tkf
from tinker_frames import errors
from tinker_frames.demo import Burst, DemoServer

URL = "https://host.example/api/v1/sessions"

# Status to class, and whether a retry may succeed.
BY_STATUS = {
    400: (errors.InvalidRequestError, False),
    401: (errors.AuthenticationError, False),
    402: (errors.BillingError, False),
    403: (errors.PermissionDeniedError, False),
    404: (errors.NotFoundError, False),
    405: (errors.NotSupportedError, False),
    408: (errors.TinkerError, True),
    409: (errors.ConflictError, True),
    418: (errors.TinkerError, False),
    422: (errors.InvalidRequestError, False),
    425: (errors.TinkerError, True),
    429: (errors.RateLimitError, True),
    500: (errors.ServerError, True),
    502: (errors.ServerError, True),
    503: (errors.ServerError, True),
    599: (errors.ServerError, True),
}

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["detail", "message", "error", "loc", "msg", "ctx", "le", "limit"]) | st.text(max_size=5),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


def error_of(status: int, body: Any = None, **options: Any) -> errors.TinkerError:
    return errors.build_error(status, body, URL, what="GET /api/v1/sessions", **options)


def subclasses(kind: type[errors.TinkerError]) -> list[type[errors.TinkerError]]:
    return [kind, *(deeper for sub in kind.__subclasses__() for deeper in subclasses(sub))]


@pytest.mark.parametrize("status", sorted(BY_STATUS))
def test_status_gives_class_fields_and_the_next_step(status: int) -> None:
    """Every status maps to its class with all four fields and a message with the failure, the request and a hint."""
    error = error_of(status, {"detail": "It went wrong."})
    kind, retryable = BY_STATUS[status]
    assert type(error) is kind
    assert (error.status, error.url, error.retryable) == (status, URL, retryable)
    text = str(error)
    assert text.startswith("GET /api/v1/sessions failed: It went wrong.")
    assert f"(HTTP {status}, {URL})" in text
    assert error.hint
    assert text.endswith(error.hint)


@pytest.mark.parametrize("status", [401, 402, 403, 404, 405, 409, 418, 422, 429, 500])
def test_the_client_raises_what_the_table_says(server: DemoServer, client_of: Any, status: int) -> None:
    """A call raises the class of the status, with the URL without its query."""
    server.faults.bursts.append(Burst("list_training_runs", status, times=None, detail="no luck"))
    client = client_of(server, retries=0)
    with pytest.raises(BY_STATUS[status][0], match="no luck") as caught:
        client.rest.list_training_runs()
    assert type(caught.value) is BY_STATUS[status][0]
    assert caught.value.status == status
    assert caught.value.url == f"{server.url}/api/v1/training_runs"
    assert caught.value.hint


@pytest.mark.parametrize("kind", subclasses(errors.TinkerError)[1:])
def test_every_class_has_a_hint_in_its_message(kind: type[errors.TinkerError]) -> None:
    """Each class has a default hint and every field."""
    error = kind("it happened")
    assert error.hint
    assert str(error) == f"it happened. {error.hint}"
    assert (error.status, error.url) == (None, None)
    assert isinstance(error.retryable, bool)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"detail": "one", "message": "two", "error": "three"}, "one"),
        ({"message": "two", "error": "three"}, "two"),
        ({"error": "three"}, "three"),
        ({"detail": "", "error": "three"}, "three"),
        ({"error": {"message": "inner"}}, "inner"),
        ("plain text", "plain text"),
        ({"reason": "unheard of"}, '{"reason": "unheard of"}'),
        ({"detail": {"code": 7}}, '{"code": 7}'),
        (["a", "b"], '["a", "b"]'),
        (
            {"detail": [{"loc": ["query", "limit"], "msg": "too large"}, {"msg": "bare"}]},
            "query.limit: too large; bare",
        ),
        ({"detail": [{"loc": None, "msg": "placeless"}]}, "placeless"),
        ({"detail": [{"loc": 3, "msg": "odd"}]}, "3: odd"),
    ],
)
def test_detail_is_read_in_the_order_of_the_contract(body: Any, said: str) -> None:
    """The detail is `detail` (text or list), else `message`, else `error`, else the body."""
    assert error_of(400, body).what == f"GET /api/v1/sessions failed: {said}"


def test_a_body_without_words_still_says_what_failed() -> None:
    """An empty body leaves the request, the URL and the hint."""
    assert str(error_of(502, "")).startswith(f"GET /api/v1/sessions failed. (HTTP 502, {URL}) ")


@pytest.mark.parametrize("body", [{"detail": "Not Found"}, "Not Found"])
def test_unknown_route_is_not_a_missing_object(body: Any) -> None:
    """A 404 with exactly `Not Found` is a missing route; any other 404 is a missing object."""
    assert type(error_of(404, body)) is errors.NotSupportedError
    assert type(error_of(404, {"detail": "Model not found."})) is errors.NotFoundError


@pytest.mark.parametrize(
    ("entry", "cap"),
    [
        ({"loc": ["query", "limit"], "ctx": {"le": 500}}, 500),
        ({"loc": ["body", "limit"], "ctx": {"le": 200}}, 200),
        ({"loc": ["query", "offset"], "ctx": {"le": 500}}, None),
        ({"loc": ["query", "limit"], "ctx": {"le": True}}, None),
        ({"loc": ["query", "limit"], "ctx": ["le"]}, None),
        ({"loc": ["query", "limit"]}, None),
        ({"loc": 5}, None),
    ],
)
def test_cap_is_read_from_a_validation_list(entry: dict[str, Any], cap: int | None) -> None:
    """The bound of `limit` is read from a 422, and nothing else is."""
    error = error_of(422, {"detail": [entry]})
    assert isinstance(error, errors.InvalidRequestError)
    assert error.cap == cap


@given(body=JSON, status=st.sampled_from(sorted(BY_STATUS)))
def test_any_json_becomes_one_printable_line(body: Any, status: int) -> None:
    """Any JSON body gives an error of the right class with one bounded line of text."""
    error = error_of(status, body)
    kinds = (BY_STATUS[status][0], errors.NotSupportedError)
    assert isinstance(error, kinds)
    assert str(error).isprintable()
    assert len(str(error)) < 1500


@given(text=st.text(max_size=3000))
def test_any_text_is_harmless(text: str) -> None:
    """Braces, colour codes, newlines and huge texts become one printable, bounded line."""
    error = error_of(500, {"detail": text})
    assert str(error).isprintable()
    assert len(error.what) < 1200


def test_braces_stay_and_colour_codes_go() -> None:
    """Braces are shown as they are; escape characters and newlines are not."""
    assert "{user} {0} %s" in str(error_of(400, {"detail": "{user} {0} %s"}))
    shown = str(error_of(400, {"detail": "a\x1b[31mred\r\nline\u2028end\u202e"}))
    assert "a [31mred line end" in shown


@pytest.mark.parametrize("kind", subclasses(errors.TinkerError))
def test_errors_survive_pickling_and_copying(kind: type[errors.TinkerError]) -> None:
    """A pickled or copied error has the same class, text and fields."""
    error = kind("it {happened}", status=418, url=URL, hint="Do this.", retryable=True)
    error.add_note("a note")
    if isinstance(error, errors.InvalidRequestError):
        error.cap = 100
    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert type(twin) is kind
        assert str(twin) == str(error)
        assert vars(twin) == vars(error)


def test_invalid_path_is_a_value_error() -> None:
    """Code that catches ValueError catches a bad tinker path."""
    assert issubclass(errors.InvalidTinkerPathError, ValueError)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("see https://h/a?X-Sig=abc now", "see https://h/a?[signature] now"),
        ("see HTTPS://h/a?abc.", "see HTTPS://h/a?[signature]"),
        ("at s3://bucket/key#token", "at s3://bucket/key?[signature]"),
        ("at https://me:pw@h/a", "at https://h/a"),
        ("GET /storage/a?X-Sig=abc", "GET /storage/a?[signature]"),
        ("<a href='https://h/a?s=abc'>", "<a href='https://h/a?[signature]>"),
        ("sig='https://h/a?s=x'y'", "sig='https://h/a?[signature]"),
        ("and/or? #5 is it? why?", "and/or? #5 is it? why?"),
    ],
)
def test_scrub(text: str, shown: str) -> None:
    """Query strings of URLs are removed; other text is unchanged."""
    assert errors.scrub(text) == shown


@given(
    before=st.text(max_size=30),
    query=st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=12, max_size=40),
    after=st.text(max_size=30),
)
def test_no_signature_outlives_scrub(before: str, query: str, after: str) -> None:
    """The signature of a URL is removed whatever surrounds it."""
    text = errors.scrub(f"{before}https://host/file?X-Sig={query}{after}")
    assert query not in text.replace(before, "").replace(after, "")


@pytest.mark.parametrize("wrap", [json.dumps, lambda body: json.dumps(body).replace("/", "\\/")])
def test_signed_addresses_in_error_bodies_are_cut(wrap: Any, server: DemoServer, client_of: Any) -> None:
    """A signed URL quoted by a server loses its query, even if its JSON escapes slashes."""
    body = wrap({"detail": "cannot read https://storage.example/x?X-Sig=SIGNATURE123"}).encode()
    server.faults.bursts.append(Burst("list_training_runs", 400, times=None, body=body))
    with pytest.raises(errors.InvalidRequestError, match=r"storage\.example/x") as caught:
        client_of(server).rest.list_training_runs()
    assert "SIGNATURE123" not in repr(caught.value) + str(vars(caught.value))


@pytest.mark.parametrize("padding", [950, 975, 990])
def test_a_key_is_not_cut_in_two(server: DemoServer, client_of: Any, padding: int) -> None:
    """No part of an echoed key is shown, wherever a long text is cut."""
    key = "tml-0123456789abcdef"
    body = json.dumps({"detail": "x" * padding + key}).encode()
    server.faults.bursts.append(Burst("*", 400, times=None, body=body))
    with pytest.raises(errors.InvalidRequestError) as caught:
        client_of(server, api_key=key).rest.list_training_runs()
    assert "tml-" not in str(caught.value)


@pytest.mark.parametrize("body", [b"[" * 100_000, b"{", b"\xff\xfe\x00", b'"text"', b"null", b"17"])
def test_bodies_that_are_no_object_are_errors_all_the_same(server: DemoServer, client_of: Any, body: bytes) -> None:
    """Broken, deeply nested or scalar bodies give the class of the status."""
    server.faults.bursts.append(Burst("list_training_runs", 403, times=None, body=body))
    with pytest.raises(errors.PermissionDeniedError) as caught:
        client_of(server).rest.list_training_runs()
    assert len(str(caught.value)) < 1500


def test_web_pages_are_not_quoted(server: DemoServer, client_of: Any) -> None:
    """A gateway's HTML page is not quoted in the message."""
    burst = Burst(
        "list_training_runs", 502, times=None, body=b"<html><b>Bad Gateway", headers={"content-type": "text/html"}
    )
    server.faults.bursts.append(burst)
    with pytest.raises(errors.ServerError) as caught:
        client_of(server, retries=0).rest.list_training_runs()
    assert "html" not in str(caught.value)


def test_without_its_request_an_error_says_the_rest() -> None:
    """Removing the request keeps the detail, status and hint; texts without a request are unchanged."""
    error = error_of(403, {"detail": "Not (yet) yours, see https://x.example/y."})
    assert str(error).startswith("GET ")
    said = errors.strip_request(str(error))
    assert said == f"Not (yet) yours, see https://x.example/y. (HTTP 403) {errors.PermissionDeniedError.hint}"
    for text in ("not sent when it was cancelled", "POST failed", "Told (HTTP 409) already.", ""):
        assert errors.strip_request(text) == text


def test_scrub_is_linear() -> None:
    """Scrubbing a hostile megabyte takes linear time."""
    for hostile in ("a" * 1_000_000, "a://" * 250_000, "?=" * 500_000, "://@" * 250_000):
        errors.scrub(hostile)


@pytest.mark.parametrize(
    "call",
    [
        lambda client, frame: client.checkpoints(limit="3"),
        lambda client, frame: client.checkpoints(limit=True),
        lambda client, frame: client.checkpoints(5),
        lambda client, frame: client.sessions(refresh="no"),
        lambda client, frame: client.sessions(project_id=5),
        lambda client, frame: client.rest.get_session(5),
        lambda client, frame: client.rest.list_sessions(limit="x"),
        lambda client, frame: client.rest.get_weights_info_by_tinker_path(float("nan")),
        lambda client, frame: client.rest.search_sessions(user_metadata="x"),
        lambda client, frame: client.rest.search_sessions(user_metadata={"a": object()}),
        lambda client, frame: client.rest.search_sessions(user_metadata={"a": float("nan")}),
        lambda client, frame: client.rest.search_sessions(project_ids={1}),
        lambda client, frame: client.rest.search_sessions(statuses=[5]),
        lambda client, frame: client.rest.get_billing_usage_events(5, 6),
        lambda client, frame: client.rest.delete_checkpoint("run", 5),
        lambda client, frame: tkf.journal(client="x"),
        lambda client, frame: tkf.resume(5, client=client),
        lambda client, frame: tkf.undo(frame, client=client),
        lambda client, frame: tkf.load_plan("x", client=tkf.Client),
        lambda client, frame: frame.tinker.delete(client="x"),
        lambda client, frame: tkf.explore(frame, "x"),
    ],
)
def test_arguments_of_another_type_are_named(
    call: Any, shared_server: DemoServer, client_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An argument of a wrong type raises our error before anything is sent."""
    client = client_of(shared_server)
    frame = client.checkpoints(limit=1)
    before = shared_server.requests.count()
    with pytest.raises(errors.InvalidRequestError, match=r"must be .*, not \w+|cannot be sent as JSON"):
        call(client, frame)
    assert shared_server.requests.count() == before
