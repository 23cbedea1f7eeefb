"""Archives, external weights, trace exports, and the storage behind signed URLs."""

import io
import tarfile
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import requests

from .conftest import build_route, find_path


def test_archive_is_a_redirect_to_a_signed_url(web):
    """The archive is a 302 with Location and Expires; the signed URL returns a tar file without an API key."""
    reply = web.get(build_route(find_path(web), "/archive"))
    assert reply.status_code == 302
    left = parsedate_to_datetime(reply.headers["Expires"]) - datetime.now(UTC)
    assert timedelta(minutes=14) < left <= timedelta(minutes=15)
    assert "?X-Sig=" in reply.headers["Location"]
    content = requests.get(reply.headers["Location"], timeout=5).content
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        assert tar.getnames() == ["adapter_config.json", "adapter_model.safetensors", "checkpoint_complete"]


def test_storage_refuses_a_key_and_a_wrong_signature(web):
    """A storage request with an API key is refused and logged; one without the right signature is a 403."""
    place = web.get(build_route(find_path(web), "/archive")).headers["Location"]
    assert web.get(place).status_code == 400
    assert web.server.requests.to("get_storage")[-1].headers["x-api-key"] == "tml-demo"
    assert requests.get(place[:-1] + "g", timeout=5).status_code == 403
    assert requests.get(place.partition("?")[0], timeout=5).status_code == 403


def test_archive_as_json(serve, browse):
    """With `archive="json"` the archive is a 200 with url and expires."""
    web = browse(serve(runs=1, archive="json"))
    reply = web.get(build_route(find_path(web), "/archive"))
    assert reply.status_code == 200
    assert set(reply.json()) == {"url", "expires"}
    assert requests.get(reply.json()["url"], timeout=5).status_code == 200


def test_archive_being_built(serve, browse):
    """An archive can be in progress (409), then being built (503), then ready."""
    web = browse(serve(runs=1, archive_busy=1, archive_building=2))
    path = build_route(find_path(web), "/archive")
    replies = [web.get(path) for _ in range(4)]
    assert [reply.status_code for reply in replies] == [409, 503, 503, 302]
    assert replies[0].json()["detail"].startswith("Archive creation already in progress. Started ")


def test_external_weights_have_a_url_per_file(web):
    """An external checkpoint has a signed URL per file; other types are a 400."""
    path = find_path(web, "external")
    content = web.json(build_route(path, "/external_weights_urls"))
    assert datetime.fromisoformat(content["expires"]) > datetime.now(UTC)
    for url in content["urls"].values():
        assert requests.get(url, timeout=5).status_code == 200
    assert web.get(build_route(find_path(web), "/external_weights_urls")).status_code == 400


def test_signed_urls_of_names_with_special_characters(web):
    """The signed URL of a checkpoint with special characters in its name works as it is."""
    for row in web.rows("checkpoints", "checkpoints", 1000):
        if "%" in row["tinker_path"] or "<" in row["tinker_path"]:
            place = web.get(build_route(row["tinker_path"], "/archive")).headers["Location"]
            assert requests.get(place, timeout=5).status_code == 200, place


def test_trace_export_is_pending_first(serve, browse):
    """A trace export is pending for some requests, then it has a signed URL."""
    web = browse(serve(runs=1, trace_polls=2))
    session = web.json("sessions")["sessions"][0]
    polls = [web.json(f"sessions/{session}/trace_export") for _ in range(3)]
    assert [poll["status"] for poll in polls] == ["pending", "pending", "ready"]
    assert requests.get(polls[2]["url"], timeout=5).status_code == 200
