"""The `tinker://` grammar, and URLs that address exactly their path on a real server."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from urllib.parse import unquote

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import tinker_frames as tkf
from tinker_frames.demo import DemoServer
from tinker_frames.errors import InvalidTinkerPathError, TinkerError
from tinker_frames.schema.paths import (
    PARTS,
    PATTERN,
    SCHEMES,
    SEGMENTS,
    TinkerPath,
    bare_name,
    checkpoint_url,
    component,
    parse,
    parse_known,
    run_of,
    run_url,
)

# Any text that is allowed between two slashes; control characters are legal too, but not in the demo server's routes.
PART = st.text(st.characters(codec="utf-8", exclude_characters="/"), min_size=1, max_size=30).filter(
    lambda text: text not in (".", "..")
)
NAME = PART.filter(lambda text: not set(text) & set("\n\r") and text not in ("publish", "ttl", "archive"))
HOSTILE = [
    "a b",
    "100%",
    "%2e%2e",
    "what?x=1",
    "a#b",
    "résumé",
    "日本",
    "a\\b",
    "..x",
    "...",
    "it's",
    'say "hi"',
    "a+b",
    "a;b=c",
    "~",
    "a:b",
    "@",
    "&",
    "\u202e",
    "%2F",
]

BAD_PATHS = [
    "",
    "weights/0001",
    "http://host/weights/0001",
    "TINKER://run/weights/0001",
    "tinker://",
    "tinker://run",
    "tinker://run/weights",
    "tinker://run/weights/a/b",
    "tinker:///weights/0001",
    "tinker://run//0001",
    "tinker://run/weights/",
    "tinker://./weights/0001",
    "tinker://../weights/0001",
    "tinker://run/../0001",
    "tinker://run/weights/.",
    "tinker://run/weights/..",
    "tinker://run/weights/\ud800",
    "tinker://run/weights/" + "x/" * 5000,
]
BAD_PARTS = ["", ".", "..", "a/b", "/", "../x", "\udfff"]


@given(run=PART, segment=PART, name=PART, scheme=st.sampled_from(SCHEMES))
def test_parse_and_str_are_inverse(run: str, segment: str, name: str, scheme: str) -> None:
    """A path of three valid parts is parsed into these parts and formatted back unchanged."""
    path = f"{scheme}{run}/{segment}/{name}"
    parts = parse(path)
    assert parts == (run, segment, name, scheme)
    assert str(parts) == path
    assert parts.checkpoint_id == f"{segment}/{name}"


@pytest.mark.parametrize(("segment", "kind"), [*SEGMENTS.items(), ("adapters", None)])
def test_segment_tells_the_type(segment: str, kind: str | None) -> None:
    """The segment determines the checkpoint's type; an unknown one has none."""
    assert TinkerPath("run", segment, "x").checkpoint_type == kind


@given(run=PART, segment=st.sampled_from(sorted(SEGMENTS)), name=PART)
def test_urls_decode_back(run: str, segment: str, name: str) -> None:
    """A URL has exactly its parts, each as one path component, with nothing that ends or changes the path."""
    url = checkpoint_url(run, f"{segment}/{name}", "ttl")
    assert [unquote(part) for part in url.split("/")] == [
        *["", "api", "v1", "training_runs", run, "checkpoints", segment, name, "ttl"]
    ]
    assert not set(url) & set("?#\\ \"'<>")
    assert url.isascii()


def test_the_slash_of_a_checkpoint_id_and_the_colon_of_a_run_stay() -> None:
    """The slash in `weights/0001` and the colons of a run are not encoded, as servers expect and the official SDK does."""
    url = checkpoint_url("5b1f:train:0", "weights/0001", "publish")
    assert url == "/api/v1/training_runs/5b1f:train:0/checkpoints/weights/0001/publish"
    assert checkpoint_url("r", "ckpt-2") == "/api/v1/training_runs/r/checkpoints/ckpt-2"


@pytest.mark.parametrize("path", BAD_PATHS, ids=range(len(BAD_PATHS)))
def test_bad_paths_are_refused(path: str) -> None:
    """An invalid path raises a ValueError with a bounded, printable message."""
    with pytest.raises(InvalidTinkerPathError) as caught:
        parse(path)
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, TinkerError)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 500
    assert "tinker://<run>/weights/0001" in str(caught.value)


@pytest.mark.parametrize("path", [None, 7, b"tinker://run/weights/1"])
def test_what_is_no_text_is_refused(path: object) -> None:
    """NA, numbers and bytes are invalid paths, not crashes."""
    with pytest.raises(InvalidTinkerPathError):
        parse(path)  # type: ignore[arg-type]


@pytest.mark.parametrize("part", BAD_PARTS)
def test_bad_parts_are_refused(part: str) -> None:
    """A part that would change the path is never put into a URL."""
    for build in (
        lambda: component(part, "id"),
        lambda: run_url(part),
        lambda: checkpoint_url("run", f"weights/{part}"),
        lambda: checkpoint_url(part, "weights/x"),
    ):
        with pytest.raises(InvalidTinkerPathError):
            build()


def test_writes_need_a_known_segment() -> None:
    """A path with an unknown segment can be read but not written."""
    assert parse("tinker://run/adapters/x").segment == "adapters"
    with pytest.raises(InvalidTinkerPathError, match="unknown segment"):
        parse_known("tinker://run/adapters/x")


# ── the same, over the wire ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def own_server() -> Iterator[DemoServer]:
    with DemoServer(runs=2, seed=3) as running:
        yield running


@pytest.fixture(scope="module")
def own_client(own_server: DemoServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tkf.Client]:
    with tkf.Client(own_server.key, own_server.url, cache_dir=tmp_path_factory.mktemp("cache"), retries=0) as made:
        made.rest.get_server_capabilities()
        yield made


def _check_round_trip(server: DemoServer, client: tkf.Client, segment: str, name: str) -> None:
    row = server.state.add_checkpoint(kind=SEGMENTS[segment], name=name)
    path, start = row.tinker_path, len(server.requests)
    client.rest.publish_checkpoint(path)
    assert row.public
    assert client.rest.get_weights_info_by_tinker_path(path)["base_model"] == row.run.base_model
    client.rest.set_checkpoint_ttl_from_tinker_path(path, 7200)
    assert row.expires_at is not None
    assert client.rest.get_checkpoint_archive_url(path)["url"]
    client.rest.delete_checkpoint(path)
    assert server.state.find(path) is None
    base = f"/api/v1/training_runs/{row.run.training_run_id}/checkpoints"
    wanted = [f"{base}/{row.key}{end}" for end in ("/publish", "/ttl", "/archive", "")]
    seen = [call for call in list(server.requests)[start:] if call.path not in ("/api/v1/weights_info", base)]
    assert [call.path for call in seen] == wanted
    assert [call.raw_path for call in seen] == [
        checkpoint_url(row.run.training_run_id, row.key) + end for end in ("/publish", "/ttl", "/archive", "")
    ]
    assert not any(call.query for call in seen)


@pytest.mark.slow
@given(segment=st.sampled_from(sorted(SEGMENTS)), name=NAME)
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(segment="weights", name="%2e%2e")
@example(segment="weights", name="..x")
def test_any_name_reaches_its_own_checkpoint(
    own_server: DemoServer, own_client: tkf.Client, segment: str, name: str
) -> None:
    """Publish, TTL, archive and delete of any name affect exactly that checkpoint."""
    before = {row.tinker_path for row in own_server.state.checkpoints_page(10_000, 0)[0]}
    _check_round_trip(own_server, own_client, segment, name)
    assert {row.tinker_path for row in own_server.state.checkpoints_page(10_000, 0)[0]} == before


@pytest.mark.few(8)
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_reach_their_own_checkpoint(own_server: DemoServer, own_client: tkf.Client, name: str) -> None:
    """The same holds for names with a special meaning in URLs."""
    _check_round_trip(own_server, own_client, "weights", name)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_ids_arrive_as_they_are(own_server: DemoServer, own_client: tkf.Client, text: str) -> None:
    """Ids of sessions, runs and samplers are one path component each, whatever they contain."""
    for ask, base in (
        (own_client.rest.get_session, "sessions"),
        (own_client.rest.get_training_run, "training_runs"),
        (own_client.rest.get_sampler, "samplers"),
    ):
        with pytest.raises(tkf.errors.NotFoundError):
            ask(text)
        assert own_server.requests[-1].path == f"/api/v1/{base}/{text}"
        assert own_server.requests[-1].query == {}


def _list_refused(client: tkf.Client) -> list[Callable[[str], object]]:
    rest = client.rest
    return [
        rest.get_training_run_by_tinker_path,
        rest.delete_checkpoint,
        rest.publish_checkpoint,
        rest.unpublish_checkpoint,
        rest.get_external_weights_urls,
        rest.get_checkpoint_archive_url,
        lambda path: rest.set_checkpoint_ttl_from_tinker_path(path, 7200),
    ]


@pytest.mark.parametrize("path", BAD_PATHS, ids=range(len(BAD_PATHS)))
def test_nothing_is_sent_for_a_bad_path(own_server: DemoServer, own_client: tkf.Client, path: str) -> None:
    """Every call that takes a tinker path refuses an invalid one before sending anything."""
    start = len(own_server.requests)
    for call in _list_refused(own_client):
        with pytest.raises(InvalidTinkerPathError):
            call(path)
    assert len(own_server.requests) == start


@pytest.mark.parametrize("part", BAD_PARTS)
def test_nothing_is_sent_for_a_bad_id(own_server: DemoServer, own_client: tkf.Client, part: str) -> None:
    """Every call that takes ids refuses an invalid one before sending anything."""
    start, rest = len(own_server.requests), own_client.rest
    for call in (
        lambda: rest.get_session(part),
        lambda: rest.get_training_run(part),
        lambda: rest.get_sampler(part),
        lambda: rest.list_checkpoints(part),
        lambda: rest.delete_checkpoint(part, "weights/x"),
        lambda: rest.delete_checkpoint("run", f"weights/{part}"),
        lambda: rest.get_checkpoint_archive_url(part, "x"),
        lambda: rest.get_checkpoint_archive_url("run", f"a/b/{part}"),
    ):
        with pytest.raises(InvalidTinkerPathError):
            call()
    assert len(own_server.requests) == start


def test_writes_to_an_unknown_segment_are_not_sent(own_server: DemoServer, own_client: tkf.Client) -> None:
    """Writes to an unknown type of checkpoint are not sent."""
    start, path = len(own_server.requests), "tinker://run/adapters/x"
    for call in (_list_refused(own_client)[index] for index in (1, 2, 3, 6)):
        with pytest.raises(InvalidTinkerPathError, match="unknown segment"):
            call(path)
    assert len(own_server.requests) == start


@given(st.builds(TinkerPath, PART, PART, PART, st.sampled_from(SCHEMES)))
def test_the_patterns_and_the_lenient_readers_follow_the_grammar(path: TinkerPath) -> None:
    """The vectorized pattern accepts what `parse` accepts, with the same parts, and `run_of` returns its run."""
    text = str(path)
    found = re.match(PATTERN, text)
    assert found is not None
    assert found.groupdict() == {part: getattr(path, part) for part in PARTS}
    assert run_of(text) == path.training_run_id
    assert bare_name(path.checkpoint_id) == path.name


@pytest.mark.parametrize("path", [*BAD_PATHS, None, float("nan")])
def test_what_is_not_a_path_names_no_run(path: object) -> None:
    """Text that `parse` refuses, and NA, have no run."""
    assert run_of(path) is None
