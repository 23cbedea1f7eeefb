"""Archives, external weights and the storage behind the signed URLs."""

import io
import tarfile
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import requests

from .conftest import call_path, some_path


def test_archive_is_a_redirect_to_a_signed_url(web):
    """The archive answers 302 with Location and Expires; behind it lies a tar of the adapter, without any key."""
    reply = web.get(call_path(some_path(web), "/archive"))
    assert reply.status_code == 302
    left = parsedate_to_datetime(reply.headers["Expires"]) - datetime.now(UTC)
    assert timedelta(minutes=14) < left <= timedelta(minutes=15)
    assert "?X-Sig=" in reply.headers["Location"]
    content = requests.get(reply.headers["Location"], timeout=5).content
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        assert tar.getnames() == ["adapter_config.json", "adapter_model.safetensors", "checkpoint_complete"]


def test_storage_refuses_a_key_and_a_wrong_signature(web):
    """A key that is sent along is refused and recorded; without its signature the URL is worth nothing."""
    place = web.get(call_path(some_path(web), "/archive")).headers["Location"]
    assert web.get(place).status_code == 400
    assert web.server.requests.to("get_storage")[-1].headers["x-api-key"] == "tml-demo"
    assert requests.get(place[:-1] + "g", timeout=5).status_code == 403
    assert requests.get(place.partition("?")[0], timeout=5).status_code == 403


def test_archive_as_json(serve, browse):
    """With the other switch the archive answers 200 with url and expires."""
    web = browse(serve(runs=1, archive="json"))
    reply = web.get(call_path(some_path(web), "/archive"))
    assert reply.status_code == 200
    assert set(reply.json()) == {"url", "expires"}
    assert requests.get(reply.json()["url"], timeout=5).status_code == 200


def test_archive_being_built(serve, browse):
    """An archive can be busy (409), then being built (503), then there."""
    web = browse(serve(runs=1, archive_busy=1, archive_building=2))
    path = call_path(some_path(web), "/archive")
    replies = [web.get(path) for _ in range(4)]
    assert [reply.status_code for reply in replies] == [409, 503, 503, 302]
    assert replies[0].json()["detail"].startswith("Archive creation already in progress. Started ")


def test_external_weights_have_a_url_per_file(web):
    """An external checkpoint has signed URLs of its files; other types have none."""
    path = some_path(web, "external")
    shown = web.json(call_path(path, "/external_weights_urls"))
    assert datetime.fromisoformat(shown["expires"]) > datetime.now(UTC)
    for url in shown["urls"].values():
        assert requests.get(url, timeout=5).status_code == 200
    assert web.get(call_path(some_path(web), "/external_weights_urls")).status_code == 400


def test_names_survive_in_signed_urls(web):
    """The signed URL of a checkpoint with an odd name works as it is."""
    for row in web.rows("checkpoints", "checkpoints", 1000):
        if "%" in row["tinker_path"] or "<" in row["tinker_path"]:
            place = web.get(call_path(row["tinker_path"], "/archive")).headers["Location"]
            assert requests.get(place, timeout=5).status_code == 200, place
